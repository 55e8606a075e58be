//! A sidecar's calls of its driver's methods.

use naru_shell::Sys;
use naru_shell::serve::local::{Call, Status};
use naru_sim::Time;
use serde_json::Value;
use std::collections::BTreeMap;

/// Calls that are under way, by their methods and the uids of the objects that they are about. A controller asks, the program that it runs in
/// carries the question to the driver, and when the controller looks again the answer is there.
#[derive(Clone, Debug)]
pub struct Calls {
    socket: String,
    under_way: BTreeMap<(String, &'static str), State>,
    /// Calls whose answers nobody looks for: they end by themselves.
    abandoned: Vec<Call>,
}

#[derive(Clone, Debug)]
enum State {
    Wanted { method: &'static str, request: Value },
    Sent(Box<Call>),
    Answered(Result<Value, Status>),
}

impl Calls {
    /// Calls of the driver whose socket has this path.
    pub fn new(socket: &str) -> Self {
        Calls { socket: socket.to_owned(), under_way: BTreeMap::new(), abandoned: Vec::new() }
    }

    /// The driver's answer, once; `None` while it is waited for. The first time, the question goes
    /// out. An object of the same name that comes later has another uid, and asks anew.
    pub fn ask(
        &mut self,
        method: &'static str,
        uid: &str,
        request: impl FnOnce() -> Value,
    ) -> Option<Result<Value, Status>> {
        let key = (uid.to_owned(), method);
        match self.under_way.remove(&key) {
            Some(State::Answered(answer)) => Some(answer),
            Some(waits) => {
                self.under_way.insert(key, waits);
                None
            }
            None => {
                self.under_way.insert(key, State::Wanted { method, request: request() });
                None
            }
        }
    }

    /// The object of this uid is gone: nobody looks for answers about it.
    pub fn forget(&mut self, uid: &str) {
        let gone = self.under_way.extract_if(.., |(of, _), _| of == uid);
        self.abandoned.extend(gone.filter_map(|(_, state)| match state {
            State::Sent(call) => Some(*call),
            State::Wanted { .. } | State::Answered(_) => None,
        }));
    }

    /// When one of them goes on by itself.
    pub fn next_due(&self) -> Option<Time> {
        let sent = self.under_way.values().filter_map(|state| match state {
            State::Sent(call) => Some(call.next_due()),
            State::Wanted { .. } | State::Answered(_) => None,
        });
        sent.chain(self.abandoned.iter().map(Call::next_due)).min()
    }

    /// Carries questions and answers as far as it goes.
    pub fn go_on(&mut self, sys: &mut dyn Sys) {
        self.abandoned.retain_mut(|call| call.go_on(sys).is_none());
        for state in self.under_way.values_mut() {
            if let State::Wanted { method, request } = state {
                let body = request.to_string();
                let call = Call::begin(sys, &self.socket, method, body.as_bytes());
                *state = State::Sent(Box::new(call));
            }
            if let State::Sent(call) = state
                && let Some(answer) = call.go_on(sys)
            {
                *state = State::Answered(
                    answer.map(|body| serde_json::from_slice(&body).unwrap_or_default()),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_gone_is_not_asked_about() {
        let mut calls = Calls::new("/csi/csi.sock");
        let answered = || State::Answered(Ok(json!({"old": true})));
        for method in ["/a", "/b"] {
            calls.under_way.insert(("1".to_owned(), method), answered());
        }
        assert_eq!(calls.ask("/a", "1", || json!({})), Some(Ok(json!({"old": true}))));
        assert_eq!(calls.ask("/b", "2", || json!({})), None, "another object of the same name");
        calls.forget("1");
        assert_eq!(calls.under_way.len(), 1);
        assert_eq!(calls.ask("/b", "1", || json!({})), None);
    }
}
