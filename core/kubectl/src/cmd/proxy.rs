//! `kubectl proxy`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/proxy/proxy.go`, `k8s.io/kubectl/pkg/proxy/proxy_server.go`.

use crate::cmd::portforward::net;
use crate::command::Command;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::process::{Next, Outcome, Task};
use naru_api::http::Head;
use naru_api::service::{AnswerId, PathAnswer, PathRequest};
use naru_shell::serve::{HttpServer, Incoming, Response, Takes};
use naru_sim::Time;
use regex_lite::Regex;
use std::net::{IpAddr, SocketAddr};

/// `kubectl proxy`
pub static COMMAND: Command = Command {
    usage: "proxy [--port=PORT] [--www=static-dir] [--www-prefix=prefix] [--api-prefix=prefix]",
    short: "Run a proxy to the Kubernetes API server",
    long: "Creates a proxy server or application-level gateway between localhost and the Kubernetes \
           API server. It also allows serving static content over specified HTTP path. All incoming \
           data enters through one port and gets forwarded to the remote Kubernetes API server \
           port, except for the path matching the static content path.",
    examples: "# The whole API at port 8001\nkubectl proxy &\n\
               curl http://localhost:8001/api/v1/namespaces\n\n\
               # At another port\nkubectl proxy --port=8011\n\n\
               # Below another path\nkubectl proxy --api-prefix=/custom/",
    flags: &[FLAGS],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::text(
        "accept-hosts",
        "^localhost$,^127\\.0\\.0\\.1$,^\\[::1\\]$",
        "Hosts that are accepted.",
    ),
    Flag::text("accept-paths", "^.*", "Paths that are accepted."),
    Flag::text("address", "127.0.0.1", "The IP address to serve on."),
    Flag::text("api-prefix", "/", "Where the API is served."),
    Flag::switch("append-server-path", "Put the path of the kubeconfig's server before each path."),
    Flag::switch("disable-filter", "Accept every request."),
    Flag::duration("keepalive", "0s", "How long a connection is kept."),
    Flag::int("port", "8001", "The port to serve on; 0: any free one.").short("p"),
    Flag::text("reject-methods", "^$", "Methods that are rejected."),
    Flag::text(
        "reject-paths",
        "^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach",
        "Paths that are rejected.",
    ),
    Flag::text("unix-socket", "", "Unix socket to serve on.").short("u"),
    Flag::text("www", "", "Folder to serve files from.").short("w"),
    Flag::text("www-prefix", "/static/", "Where these files are served.").short("P"),
];

fn run(cx: &mut Context<'_>) -> Outcome {
    let flags = cx.flags();
    if !flags.text("unix-socket").is_empty() {
        return Err(Failure::message(match flags.int("port") {
            8001 => "unix sockets are not available on this machine",
            _ => "cannot set --unix-socket and --port at the same time",
        }));
    }
    let filter = Filter::new(cx)?;
    if flags.is("disable-filter") {
        let text = "Request filter disabled, your proxy is vulnerable to XSRF attacks, please be \
                    cautious";
        cx.klog("proxy.go:177", text);
    }
    let address: IpAddr = flags.text("address").parse().map_err(|_| {
        let address = flags.text("address");
        Failure::Message(format!("listen tcp: lookup {address}: no such host"))
    })?;
    let port = u16::try_from(flags.int("port")).map_err(|_| {
        let port = flags.int("port");
        Failure::Message(format!("listen tcp: address {port}: invalid port"))
    })?;
    let at = SocketAddr::new(address, port);
    let mut server = HttpServer::default();
    let at = server.listen_on(net(cx)?, at).map_err(|errno| {
        let why = errno.to_string().to_lowercase();
        Failure::Message(format!("listen tcp {at}: bind: {why}"))
    })?;
    cx.line(&format!("Starting to serve on {at}"));
    let slashed = |text: &str| format!("{}/", text.trim_end_matches('/'));
    let api_prefix = slashed(flags.text("api-prefix"));
    let www_prefix = slashed(flags.text("www-prefix"));
    cx.start(Proxying { server, filter, api_prefix, www_prefix, passing: Vec::new() })
}

/// Which requests are let through.
///
/// Upstream: `FilterServer`.
#[derive(Clone, Debug)]
struct Filter {
    off: bool,
    accept_paths: Vec<Regex>,
    reject_paths: Vec<Regex>,
    accept_hosts: Vec<Regex>,
    reject_methods: Vec<Regex>,
}

impl Filter {
    fn new(cx: &Context<'_>) -> Result<Self> {
        let list = |flag: &str| -> Result<Vec<Regex>> {
            let parts = cx.flags().text(flag).split(',').filter(|part| !part.is_empty());
            parts
                .map(|part| {
                    Regex::new(part).map_err(|why| {
                        Failure::Message(format!("Error compiling re: {part}: {why}"))
                    })
                })
                .collect()
        };
        Ok(Filter {
            off: cx.flags().is("disable-filter"),
            accept_paths: list("accept-paths")?,
            reject_paths: list("reject-paths")?,
            accept_hosts: list("accept-hosts")?,
            reject_methods: list("reject-methods")?,
        })
    }

    fn accepts(&self, method: &str, path: &str, host: &str) -> bool {
        let any = |list: &[Regex], text: &str| list.iter().any(|regex| regex.is_match(text));
        self.off
            || !any(&self.reject_paths, path)
                && !any(&self.reject_methods, method)
                && any(&self.accept_paths, path)
                && any(&self.accept_hosts, host)
    }
}

#[derive(Clone, Debug)]
struct Proxying {
    server: HttpServer,
    filter: Filter,
    api_prefix: String,
    www_prefix: String,
    passing: Vec<Passing>,
}

/// An answer of the API server that comes piece by piece.
#[derive(Clone, Debug)]
struct Passing {
    incoming: Incoming,
    rest: AnswerId,
    /// When it ends by itself.
    until: Option<Time>,
    /// The client has its head.
    begun: bool,
}

impl Task for Proxying {
    fn poll(mut self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        loop {
            let now = cx.sys.now();
            let requests = self.server.poll(net(cx)?, now);
            for incoming in &requests {
                self.answer(cx, incoming);
            }
            self.pass_on(cx);
            self.server.flush(net(cx)?);
            if requests.is_empty() {
                break;
            }
        }
        let until = self.passing.iter().filter_map(|passing| passing.until).min();
        Ok(Next::Wait(self, until))
    }

    fn cancel(&mut self, cx: &mut Context<'_>) {
        self.passing.drain(..).for_each(|passing| cx.hang_up(passing.rest));
        if let Some(net) = cx.sys.net() {
            self.server.close(net);
        }
    }
}

fn plain(status: u16, text: &str) -> Response {
    Response::new(status, format!("{text}\n").into_bytes())
        .with("Content-Type", "text/plain; charset=utf-8")
        .with("X-Content-Type-Options", "nosniff")
}

impl Proxying {
    /// Answers a request, or begins to.
    fn answer(&mut self, cx: &mut Context<'_>, incoming: &Incoming) {
        let request = match self.admit(cx, incoming) {
            Ok(request) => request,
            Err(response) => return self.server.respond(incoming, &response),
        };
        match cx.by_path(request) {
            Ok(answer) => self.take(cx, incoming.clone(), answer, false),
            Err(failure) => {
                let response = unanswered(cx, &failure);
                self.server.respond(incoming, &response);
            }
        }
    }

    /// The request as the API server gets it, or the answer that it does not get it.
    fn admit(
        &self,
        cx: &mut Context<'_>,
        incoming: &Incoming,
    ) -> std::result::Result<PathRequest, Response> {
        let request = &incoming.request;
        let path = request.path().to_owned();
        if !cx.flags().text("www").is_empty()
            && let Some(file) = path.strip_prefix(&self.www_prefix)
        {
            return Err(self.file(cx, file));
        }
        let host = request.headers.get("host").unwrap_or_default();
        // `localhost:8001`, `[::1]:8001`
        let host = match host.rsplit_once(':') {
            Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
            _ => host,
        };
        let Some(below) = path.strip_prefix(&self.api_prefix) else {
            return Err(plain(404, "404 page not found"));
        };
        if !self.filter.accepts(&request.method, &path, host) {
            return Err(plain(403, "Forbidden"));
        }
        let query = request.query();
        let mark = if query.is_empty() { "" } else { "?" };
        let headers = request
            .headers
            .iter()
            .filter(|(name, _)| !name.eq_ignore_ascii_case("authorization"))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        Ok(PathRequest {
            method: request.method.clone(),
            path: format!("/{below}{mark}{query}"),
            headers: headers.collect(),
            body: request.body.clone(),
        })
    }

    /// Gives the client what has come of its answer. What is there from its head to its end goes in
    /// one piece, all else in chunks.
    fn take(&mut self, cx: &mut Context<'_>, incoming: Incoming, answer: PathAnswer, begun: bool) {
        let PathAnswer { head, body, rest, until } = answer;
        let connection = incoming.connection;
        let Some(rest) = rest else {
            match head {
                Some(head) => self.server.respond(&incoming, &response(&head, body)),
                None if begun => {
                    if !body.is_empty() {
                        self.server.say(connection, &body);
                    }
                    self.server.say(connection, &[]);
                }
                None => {
                    let failure = Failure::message("unexpected EOF");
                    let response = unanswered(cx, &failure);
                    self.server.respond(&incoming, &response);
                }
            }
            return;
        };
        if let Some(head) = &head {
            self.server.begin(&incoming, &response(head, Vec::new()));
        }
        if !body.is_empty() {
            self.server.say(connection, &body);
        }
        self.passing.push(Passing { incoming, rest, until, begun: begun || head.is_some() });
    }

    /// Passes on what came of the answers that go on.
    fn pass_on(&mut self, cx: &mut Context<'_>) {
        for passing in std::mem::take(&mut self.passing) {
            match self.server.takes(passing.incoming.connection) {
                Takes::Gone => cx.hang_up(passing.rest),
                Takes::Later => self.passing.push(passing),
                Takes::Now => self.pass_one_on(cx, passing),
            }
        }
    }

    fn pass_one_on(&mut self, cx: &mut Context<'_>, passing: Passing) {
        let Passing { incoming, rest, until, begun } = passing;
        let more = cx.api().and_then(|api| Ok(api.more_by_path(rest)?));
        match more {
            Ok(answer) => {
                let until = answer.until.or(until);
                self.take(cx, incoming, PathAnswer { until, ..answer }, begun);
            }
            // The API server went away; the client sees the end of what it has.
            Err(_) if begun => self.server.say(incoming.connection, &[]),
            Err(failure) => {
                let response = unanswered(cx, &failure);
                self.server.respond(&incoming, &response);
            }
        }
    }

    fn file(&self, cx: &mut Context<'_>, file: &str) -> Response {
        let folder = cx.sys.absolute(cx.flags().text("www"));
        let path = naru_shell::normalize(&folder, file);
        let inside =
            path.strip_prefix(&folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let path = match cx.sys.fs().is_dir(&path) {
            true => naru_shell::join(&path, "index.html"),
            false => path,
        };
        match cx.sys.fs().read(&path) {
            Ok(bytes) if inside => Response::new(200, bytes.to_vec()),
            _ => plain(404, "404 page not found"),
        }
    }
}

fn response(head: &Head, body: Vec<u8>) -> Response {
    let headers = head.headers.iter();
    headers.fold(Response::new(head.status, body), |response, (name, value)| {
        response.with(name, value.clone())
    })
}

/// The API server gave no answer.
///
/// Upstream: `responder.Error`.
fn unanswered(cx: &mut Context<'_>, failure: &Failure) -> Response {
    let why = failure.bare();
    cx.klog_plain_error("proxy_server.go:147", &format!("Error while proxying request: {why}"));
    plain(500, &why)
}
