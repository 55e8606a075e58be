//! Requests by path of clients in the same process: `kubectl get --raw`, `kubectl proxy`.
//!
//! Such a client takes an answer piece by piece, as it would read it from a connection.

use crate::ApiServer;
use crate::rest::{
    Answer, Head, HttpRequest, HttpResponse, StreamAnswer, WatchOutput, Watching, error_response,
    proxied,
};
use naru_api::service::{AnswerId, PathAnswer, PathRequest, StreamId};
use naru_api::{ApiService, Credentials};
use std::collections::BTreeMap;

/// The answers that go on. Each holds a watch or a stream, which are limited.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    last: u64,
    open: BTreeMap<AnswerId, Source>,
}

/// Where the rest of an answer comes from. A head stands there until it is told.
#[derive(Clone, Debug)]
enum Source {
    Watch(Option<Head>, Watching),
    Log(Option<Head>, StreamId),
    Proxied(Head, StreamId),
}

impl Answers {
    fn keep(&mut self, source: Source) -> AnswerId {
        self.last += 1;
        let id = AnswerId(self.last);
        self.open.insert(id, source);
        id
    }
}

impl ApiServer {
    /// Answers a request of a client in the same process.
    pub(crate) fn rest_by_path(
        &mut self,
        credentials: &Credentials,
        request: PathRequest,
    ) -> PathAnswer {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let (path, query) = (path.to_owned(), query.to_owned());
        let request = HttpRequest {
            method: request.method,
            path,
            query,
            headers: request.headers,
            body: request.body,
            certificate: Vec::new(),
        };
        let source = match self.rest_as(&request, credentials) {
            Answer::Full(response) => return whole(response),
            Answer::Watch(head, watching) => Source::Watch(Some(head), watching),
            Answer::Log(head, id) => Source::Log(Some(head), id),
            Answer::Proxied(head, id) => Source::Proxied(head, id),
            Answer::Stream(stream) => {
                if let StreamAnswer::Command { id, .. } = stream {
                    self.disconnect(id);
                }
                let text = "upgraded connections are not carried by path";
                return whole(HttpResponse::text(501, text));
            }
        };
        let id = self.rest_state_mut().answers.keep(source);
        self.rest_more(id)
    }

    /// What has come of an answer since the last time; nothing of one that is over.
    pub(crate) fn rest_more(&mut self, id: AnswerId) -> PathAnswer {
        let Some(mut source) = self.rest_state_mut().answers.open.remove(&id) else {
            return PathAnswer::default();
        };
        let (mut answer, over) = match &mut source {
            Source::Watch(head, watching) => {
                let WatchOutput { bytes, ended } = watching.poll(self);
                let until = Some(watching.until());
                (PathAnswer { head: head.take(), body: bytes, until, rest: None }, ended)
            }
            Source::Log(head, stream) => self.more_of_log(head, *stream),
            Source::Proxied(head, stream) => self.more_of_proxied(head, *stream),
        };
        if over {
            self.close(&source);
        } else {
            self.rest_state_mut().answers.open.insert(id, source);
            answer.rest = Some(id);
        }
        answer
    }

    /// The client of an answer is gone.
    pub(crate) fn rest_hang_up(&mut self, id: AnswerId) {
        if let Some(source) = self.rest_state_mut().answers.open.remove(&id) {
            self.close(&source);
        }
    }

    fn close(&mut self, source: &Source) {
        match source {
            Source::Watch(_, watching) => self.unwatch(watching.id()),
            Source::Log(_, id) | Source::Proxied(_, id) => self.disconnect(*id),
        }
    }

    /// The head comes with the first word, which may be that there is no log.
    fn more_of_log(&mut self, head: &mut Option<Head>, id: StreamId) -> (PathAnswer, bool) {
        let Some(stream) = self.stream(id) else {
            return (PathAnswer { head: head.take(), ..PathAnswer::default() }, true);
        };
        let over = stream.result.is_some();
        if head.is_some() && stream.stdout.is_empty() {
            match &stream.result {
                None => return (PathAnswer::default(), false),
                Some(Err(error)) => return (whole(error_response(error)), true),
                Some(Ok(_)) => {}
            }
        }
        let body = stream.stdout.drain(..).collect();
        (PathAnswer { head: head.take(), body, ..PathAnswer::default() }, over)
    }

    fn more_of_proxied(&mut self, head: &Head, id: StreamId) -> (PathAnswer, bool) {
        let Some(stream) = self.stream(id) else {
            let text = "unexpected EOF";
            return (whole(HttpResponse::text(502, text)), true);
        };
        match proxied(head, stream) {
            Some(response) => (whole(response), true),
            None => (PathAnswer::default(), false),
        }
    }
}

fn whole(response: HttpResponse) -> PathAnswer {
    PathAnswer { head: Some(response.head), body: response.body, ..PathAnswer::default() }
}
