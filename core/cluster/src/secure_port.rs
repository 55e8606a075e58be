//! The secure port of kube-apiserver on the simulated network: `https://10.96.0.1`, as pods and
//! every other machine reach it.
//!
//! It carries bytes and nothing else: what a request means is decided by [`ApiServer::rest`].
//! Upstream: `apiserver/pkg/server/secure_serving.go`.

use crate::pki::{ClusterPki, KeyPair};
use naru_api::ApiService;
use naru_api::service::StreamId;
use naru_apiserver::ApiServer;
use naru_apiserver::rest::{
    self, Answer, Head, HttpRequest, HttpResponse, StreamAnswer, WatchOutput, Watching,
};
use naru_network::http::{Request, Response};
use naru_network::{Call, Network, NsId};
use naru_node::NamespaceStack;
use naru_pki::PkiError;
use naru_pki::tls::{Identity, ServerConfig};
use naru_shell::serve::{ConnectionId, HttpServer, Incoming, Secured, Takes};
use naru_sim::{CauseId, Rng, Time};
use std::net::IpAddr;
use std::sync::Arc;

/// What Go's `net/http` tells a client that does not speak TLS.
const TOLD_IN_CLEAR: &str =
    "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// Bytes of a log that are passed on at once.
const CHUNK: usize = 32 * 1024;

/// One API server's port.
#[derive(Clone, Debug)]
pub struct SecurePort {
    namespace: NsId,
    port: u16,
    config: Arc<ServerConfig>,
    rng: Rng,
    server: HttpServer,
    listens: bool,
    woken: bool,
    watches: Vec<(ConnectionId, Watching)>,
    logs: Vec<Log>,
    /// Requests that are passed on: to whom the answer goes, and what the API server adds to it.
    proxied: Vec<(Incoming, StreamId, Head)>,
}

/// A log on its way to a client.
#[derive(Clone, Debug)]
struct Log {
    incoming: Incoming,
    stream: StreamId,
    /// Told with the log's first word.
    head: Option<Head>,
}

impl SecurePort {
    /// The port of the API server in this namespace, which is reached by these addresses.
    pub fn new(
        (namespace, port): (NsId, u16),
        node: &str,
        addresses: &[IpAddr],
        pki: &ClusterPki,
        rng: &Rng,
        now: Time,
    ) -> Result<Self, PkiError> {
        // Upstream: `GetAPIServerAltNames` in `cmd/kubeadm/app/util/pkiutil`.
        let names = [
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            node,
            "localhost",
        ];
        let KeyPair { certificate, key } = pki.serving(&names, addresses, now)?;
        let config = ServerConfig {
            identities: vec![Identity { chain: vec![certificate], key }],
            protocols: vec!["http/1.1".to_owned()],
            asks_clients: Some(pki.client_authorities()),
        };
        Ok(SecurePort {
            namespace,
            port,
            config: Arc::new(config),
            rng: rng.fork("secure-port").fork(node),
            server: HttpServer::default(),
            listens: false,
            woken: true,
            watches: Vec::new(),
            logs: Vec::new(),
            proxied: Vec::new(),
        })
    }

    /// Where it listens.
    pub fn namespace(&self) -> NsId {
        self.namespace
    }

    /// Something came to its sockets, its watches or its streams.
    pub fn wake(&mut self) {
        self.woken = true;
    }

    /// When it wants to run.
    pub fn next_due(&self) -> Option<Time> {
        let ends = self.watches.iter().map(|(_, watching)| watching.until()).min();
        if self.woken { Some(Time::ZERO) } else { ends }
    }

    /// Closes the port and what goes through it: the API server has stopped.
    pub fn stop(&mut self, now: Time, api: &mut ApiServer, net: &mut Network) {
        let sockets = &mut NamespaceStack::new(net, self.namespace, call(now));
        self.server.close(sockets);
        self.watches.drain(..).for_each(|(_, watching)| api.unwatch(watching.id()));
        self.logs.drain(..).for_each(|log| api.disconnect(log.stream));
        self.proxied.drain(..).for_each(|(_, stream, _)| api.disconnect(stream));
        (self.listens, self.woken) = (false, false);
    }

    /// Answers what came and passes on what there is to say.
    pub fn run(&mut self, now: Time, api: &mut ApiServer, net: &mut Network) {
        self.woken = false;
        let sockets = &mut NamespaceStack::new(net, self.namespace, call(now));
        if !self.listens {
            let (config, rng) = (Arc::clone(&self.config), self.rng.clone());
            let secured = Secured { config, told_in_clear: TOLD_IN_CLEAR, rng };
            // Another program may have the port for now.
            self.listens = self.server.listen_tls(sockets, self.port, secured).is_ok();
        }
        loop {
            let requests = self.server.poll(sockets, now);
            requests.iter().for_each(|incoming| self.answer(api, incoming));
            // What goes wrong in handshakes stands in the log of a real one.
            self.server.take_failures();
            self.tell_watches(api);
            self.tell_logs(api);
            self.tell_proxied(api);
            self.server.flush(sockets);
            if requests.is_empty() {
                return;
            }
        }
    }

    /// Whether it waits for what streams have to say.
    pub fn has_streams(&self) -> bool {
        !self.logs.is_empty() || !self.proxied.is_empty()
    }

    fn answer(&mut self, api: &mut ApiServer, incoming: &Incoming) {
        let tls = self.server.tls(incoming.connection);
        let certificate = tls.and_then(|tls| tls.peer_certificates().first());
        let certificate = certificate.map(|shown| shown.to_der()).unwrap_or_default();
        match api.rest(&request(&incoming.request, certificate)) {
            Answer::Full(response) => self.respond(incoming, &response),
            Answer::Watch(head, watching) => {
                self.server.begin(incoming, &response_of(&head));
                self.watches.push((incoming.connection, watching));
            }
            Answer::Log(head, stream) => {
                self.logs.push(Log { incoming: incoming.clone(), stream, head: Some(head) });
            }
            Answer::Proxied(head, stream) => self.proxied.push((incoming.clone(), stream, head)),
            Answer::Stream(StreamAnswer::Command { id, .. }) => {
                api.disconnect(id);
                self.respond(incoming, &no_upgrade());
            }
            Answer::Stream(StreamAnswer::PortForward { .. }) => {
                self.respond(incoming, &no_upgrade());
            }
        }
    }

    fn respond(&mut self, incoming: &Incoming, response: &HttpResponse) {
        let mut answer = response_of(&response.head);
        answer.body.clone_from(&response.body);
        self.server.respond(incoming, &answer);
    }

    fn tell_watches(&mut self, api: &mut ApiServer) {
        let server = &mut self.server;
        self.watches.retain_mut(|(connection, watching)| {
            match server.takes(*connection) {
                Takes::Later => return true,
                Takes::Gone => {
                    api.unwatch(watching.id());
                    return false;
                }
                Takes::Now => {}
            }
            let WatchOutput { bytes, ended } = watching.poll(api);
            if !bytes.is_empty() {
                server.say(*connection, &bytes);
            }
            if ended {
                server.say(*connection, &[]);
            }
            !ended
        });
    }

    fn tell_proxied(&mut self, api: &mut ApiServer) {
        for (incoming, id, head) in std::mem::take(&mut self.proxied) {
            let gone = matches!(self.server.takes(incoming.connection), Takes::Gone);
            let Some(stream) = api.stream(id).filter(|_| !gone) else {
                api.disconnect(id);
                continue;
            };
            match rest::proxied(&head, stream) {
                None => self.proxied.push((incoming, id, head)),
                Some(answer) => {
                    self.respond(&incoming, &answer);
                    api.disconnect(id);
                }
            }
        }
    }

    fn tell_logs(&mut self, api: &mut ApiServer) {
        for mut log in std::mem::take(&mut self.logs) {
            match self.tell_log(api, &mut log) {
                true => self.logs.push(log),
                false => api.disconnect(log.stream),
            }
        }
    }

    /// Tells whether the log goes on.
    fn tell_log(&mut self, api: &mut ApiServer, log: &mut Log) -> bool {
        let connection = log.incoming.connection;
        let Some(stream) = api.stream(log.stream) else {
            self.server.say(connection, &[]);
            return false;
        };
        match self.server.takes(connection) {
            Takes::Gone => return false,
            Takes::Later => return true,
            Takes::Now => {}
        }
        if let Some(Err(error)) = &stream.result
            && stream.stdout.is_empty()
            && log.head.is_some()
        {
            let response = rest::error_response(error);
            self.respond(&log.incoming, &response);
            return false;
        }
        let over = stream.result.is_some();
        if stream.stdout.is_empty() && !over {
            return true;
        }
        if let Some(head) = log.head.take() {
            self.server.begin(&log.incoming, &response_of(&head));
        }
        while !stream.stdout.is_empty() {
            let count = stream.stdout.len().min(CHUNK);
            let bytes: Vec<u8> = stream.stdout.drain(..count).collect();
            self.server.say(connection, &bytes);
        }
        if over {
            self.server.say(connection, &[]);
        }
        !over
    }
}

fn call(now: Time) -> Call {
    Call { now, cause: CauseId::ROOT }
}

/// A request as the API server reads it.
fn request(request: &Request, certificate: Vec<u8>) -> HttpRequest {
    let headers = request.headers.iter();
    HttpRequest {
        method: request.method.clone(),
        path: request.path().to_owned(),
        query: request.query().to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        body: request.body.clone(),
        certificate,
    }
}

fn response_of(head: &Head) -> Response {
    let mut response = Response::new(head.status, Vec::new());
    for (name, value) in &head.headers {
        response.headers.add(name, value.as_str());
    }
    response
}

/// `exec` and its kin go through `naru serve` and the terminal's own kubectl.
fn no_upgrade() -> HttpResponse {
    HttpResponse::text(501, "this port does not upgrade connections")
}
