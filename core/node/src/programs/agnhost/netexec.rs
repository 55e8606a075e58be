//! `agnhost netexec`: an HTTP server and a UDP server that say who they are, and that ask others.
//!
//! Upstream: `test/images/agnhost/netexec/netexec.go`.

use super::{duration, log};
use crate::programs::php::field;
use naru_network::http::{Request, Response};
use naru_shell::serve::{Exchange, HttpServer, Incoming, Outcome, clock};
use naru_shell::{Errno, Fd, Pid, Program, Signal, SocketId, Step, Sys};
use naru_sim::Time;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Times that one request may make others, and what one waits for.
const TRIES_MAX: u64 = 100;
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
/// Requests under way, and bytes of what a command says.
const JOBS_MAX: usize = 64;
const OUTPUT_MAX: usize = 64 * 1024;

/// The program.
#[derive(Clone, Debug)]
pub struct NetExec {
    port: u16,
    udp_port: Option<u16>,
    server: HttpServer,
    started: bool,
    udp: Option<SocketId>,
    jobs: Vec<(Incoming, Job)>,
    /// When it ends, and with which code.
    ends: Option<(Time, i32)>,
}

/// A request that takes time.
#[derive(Clone, Debug)]
enum Job {
    Dial(Box<Dialing>),
    Shell { child: Pid, reader: Fd, output: Vec<u8> },
}

#[derive(Clone, Debug)]
struct Dialing {
    target: String,
    request: String,
    left: u64,
    exchange: Exchange,
    responses: Vec<String>,
    errors: Vec<String>,
}

impl NetExec {
    /// A server on these ports.
    pub fn new(port: u16, udp_port: Option<u16>) -> Self {
        NetExec {
            port,
            udp_port,
            server: HttpServer::default(),
            started: false,
            udp: None,
            jobs: Vec::new(),
            ends: None,
        }
    }
}

impl Program for NetExec {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if !self.started {
            sys.catch(Signal::Term);
            if let Err(step) = self.start(sys) {
                return step;
            }
        }
        if sys.take_signal().is_some() {
            // Go ends at once by a signal that it does not catch.
            return Step::Exit(143);
        }
        self.serve(sys);
        match self.ends {
            Some((at, code)) if at <= sys.now() => Step::Exit(code),
            ends => {
                let jobs = self.jobs.iter().filter_map(|(_, job)| match job {
                    Job::Dial(dialing) => Some(dialing.exchange.next_due()),
                    Job::Shell { .. } => None,
                });
                Step::Block { until: jobs.chain(ends.map(|(at, _)| at)).min() }
            }
        }
    }
}

impl NetExec {
    fn start(&mut self, sys: &mut dyn Sys) -> Result<(), Step> {
        self.started = true;
        sys.use_memory(10 << 20);
        let net = sys.net().ok_or(Errno::NetUnreachable);
        if let Err(errno) = net.and_then(|net| self.server.listen(net, self.port)) {
            let why = errno.to_string().to_lowercase();
            log(sys, &format!("listen tcp :{}: bind: {why}", self.port));
            return Err(Step::Exit(1));
        }
        log(sys, &format!("Started HTTP server on port {}", self.port));
        if let Some(port) = self.udp_port {
            let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
            self.udp = sys.net().and_then(|net| net.udp_bind(at).ok());
            log(sys, &format!("Started UDP server on port  {port}"));
        }
        Ok(())
    }

    fn serve(&mut self, sys: &mut dyn Sys) {
        self.serve_udp(sys);
        loop {
            let now = sys.now();
            let Some(net) = sys.net() else { return };
            let requests = self.server.poll(net, now);
            for incoming in &requests {
                sys.burn(Duration::from_micros(200));
                if let Some(response) = self.answer(sys, incoming) {
                    self.respond(sys, incoming, response);
                }
            }
            let moved = self.go_on(sys);
            if let Some(net) = sys.net() {
                self.server.flush(net);
            }
            if requests.is_empty() && !moved {
                return;
            }
        }
    }

    fn respond(&mut self, sys: &mut dyn Sys, incoming: &Incoming, response: Response) {
        let date = clock::format(sys.now(), clock::HTTP_DATE);
        let kind = response.headers.get("Content-Type").map(str::to_owned);
        let kind = kind.unwrap_or_else(|| "text/plain; charset=utf-8".to_owned());
        let mut response = response.with("Date", date);
        if !response.body.is_empty() {
            response.headers.set("Content-Type", kind);
        }
        self.server.respond(incoming, &response);
    }

    fn serve_udp(&mut self, sys: &mut dyn Sys) {
        let Some(socket) = self.udp else { return };
        let hostname = sys.hostname().to_owned();
        while let Some(Ok((bytes, peer))) = sys.net().map(|net| net.udp_recv(socket)) {
            let text = String::from_utf8_lossy(&bytes).trim().to_owned();
            let (command, rest) = text.split_once(' ').unwrap_or((&text, ""));
            let answer = match command.to_lowercase().as_str() {
                "hostname" => hostname.clone(),
                "clientip" => peer.to_string(),
                "echo" => rest.to_owned(),
                _ => continue,
            };
            if let Some(net) = sys.net() {
                // A datagram may be lost.
                let _ = net.udp_send(socket, peer, answer.as_bytes());
            }
        }
    }

    fn answer(&mut self, sys: &mut dyn Sys, incoming: &Incoming) -> Option<Response> {
        let request = &incoming.request;
        let form = String::from_utf8_lossy(&request.body).into_owned();
        let said = |name: &str| {
            let own = field(request.query(), name).or_else(|| field(&form, name));
            own.unwrap_or_default()
        };
        let ok = |text: String| Some(Response::new(200, text));
        match request.path() {
            "/clientip" => {
                log(sys, "GET /clientip");
                ok(incoming.peer.to_string())
            }
            path @ ("/hostname" | "/hostName") => {
                log(sys, &format!("GET {path}"));
                ok(sys.hostname().to_owned())
            }
            "/echo" => {
                let (text, code) = (said("msg"), said("code"));
                log(sys, &format!("GET /echo?msg={text}&code={code}"));
                match code.parse::<u16>() {
                    Ok(code) => Some(Response::new(code, text)),
                    Err(_) if code.is_empty() => ok(text),
                    Err(_) => {
                        ok(format!("argument 'code' must be an integer or empty, got {code:?}\n"))
                    }
                }
            }
            "/healthz" => {
                log(sys, "GET /healthz");
                ok(String::new())
            }
            "/redirect" => {
                let (to, code) = (said("location"), said("code"));
                log(sys, &format!("GET /redirect?msg={to}&code={code}"));
                let answer = Response::new(code.parse::<u16>().unwrap_or(302), "");
                // As Go's `http.Redirect` words it.
                let is_whole = to.starts_with('/') || to.contains("://");
                let to = if is_whole { to } else { format!("/{to}") };
                let link = to.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                let body = format!("<a href=\"{link}\">{}</a>.\n\n", answer.reason);
                let answer = Response { body: body.into_bytes(), ..answer };
                let answer = answer.with("Content-Type", "text/html; charset=utf-8");
                Some(answer.with("Location", to))
            }
            "/exit" => {
                self.exit(sys, &said("code"), &said("timeout"), &said("wait"));
                None
            }
            "/shutdown" => {
                log(sys, "GET /shutdown");
                self.ends = Some((sys.now(), 0));
                None
            }
            "/dial" => self.dial(sys, incoming, &said),
            "/shell" => self.shell(sys, incoming, &said),
            _ => {
                log(sys, "GET /");
                let now = clock::format(sys.now(), "%Y-%m-%d %H:%M:%S.%9f +0000 UTC");
                ok(format!("NOW: {now}"))
            }
        }
    }

    fn exit(&mut self, sys: &mut dyn Sys, code: &str, timeout: &str, wait: &str) {
        log(sys, &format!("GET /exit?code={code}&timeout={timeout}&wait={wait}"));
        let (own, limit) =
            (duration(wait).unwrap_or_default(), duration(timeout).unwrap_or_default());
        let number = code.parse::<i32>().unwrap_or(0);
        let go = |time: Duration| match time.is_zero() {
            true => "0s".to_owned(),
            false => format!("{}s", time.as_secs_f64()),
        };
        log(
            sys,
            &format!(
                "Will begin shutdown in {}, allowing {} for connections to close, then will exit with \
                 {number}",
                go(own),
                go(limit)
            ),
        );
        self.ends = Some((sys.now() + own, number));
    }

    fn dial(
        &mut self,
        sys: &mut dyn Sys,
        incoming: &Incoming,
        said: &dyn Fn(&str) -> String,
    ) -> Option<Response> {
        let (host, port, request) = (said("host"), said("port"), said("request"));
        let (protocol, tries) = (said("protocol"), said("tries"));
        log(
            sys,
            &format!(
                "GET /dial?host={host}&protocol={protocol}&port={port}&request={request}&tries={tries}"
            ),
        );
        if request.is_empty() {
            return Some(Response::new(400, "request parameter not specified. <nil>\n"));
        }
        if !["", "http"].contains(&protocol.to_lowercase().as_str()) {
            let text = format!("unsupported protocol. {protocol}\n");
            return Some(Response::new(400, text));
        }
        if self.jobs.len() >= JOBS_MAX {
            return Some(Response::new(503, ""));
        }
        let left = tries.parse::<u64>().unwrap_or(1).clamp(1, TRIES_MAX);
        let target = format!("{host}:{port}");
        let exchange = ask(sys, &target, &request);
        let (responses, errors) = (Vec::new(), Vec::new());
        let dialing = Dialing { target, request, left, exchange, responses, errors };
        self.jobs.push((incoming.clone(), Job::Dial(Box::new(dialing))));
        None
    }

    fn shell(
        &mut self,
        sys: &mut dyn Sys,
        incoming: &Incoming,
        said: &dyn Fn(&str) -> String,
    ) -> Option<Response> {
        let own = said("shellCommand");
        let command = if own.is_empty() { said("cmd") } else { own };
        log(sys, &format!("GET /shell?cmd={command}"));
        let Ok((reader, writer)) = sys.pipe() else { return Some(Response::new(500, "")) };
        let words = ["/bin/sh".to_owned(), "-c".to_owned(), command];
        let env = sys.env().clone();
        let child = sys.spawn(words.to_vec(), env, &[(1, writer), (2, writer)]);
        sys.close(writer);
        match child {
            Ok(child) => {
                let job = Job::Shell { child, reader, output: Vec::new() };
                self.jobs.push((incoming.clone(), job));
                None
            }
            Err(errno) => {
                sys.close(reader);
                let text = serde_json::json!({"error": errno.to_string()}).to_string();
                Some(Response::new(200, text))
            }
        }
    }

    /// Goes on with what takes time; tells whether anything was answered.
    fn go_on(&mut self, sys: &mut dyn Sys) -> bool {
        let mut any = false;
        for (incoming, mut job) in std::mem::take(&mut self.jobs) {
            match job.poll(sys) {
                Some(text) => {
                    any = true;
                    self.respond(sys, &incoming, Response::new(200, text));
                }
                None => self.jobs.push((incoming, job)),
            }
        }
        any
    }
}

fn ask(sys: &mut dyn Sys, target: &str, path: &str) -> Exchange {
    let mut request = Request::new("GET", &format!("/{path}"));
    request.headers.set("Host", target);
    request.headers.set("User-Agent", "Go-http-client/1.1");
    request.headers.set("Connection", "close");
    let url = format!("http://{target}/{path}");
    Exchange::with(sys, &url, target, &request, DIAL_TIMEOUT)
}

impl Job {
    fn poll(&mut self, sys: &mut dyn Sys) -> Option<String> {
        match self {
            Job::Dial(dialing) => dialing.poll(sys),
            Job::Shell { child, reader, output } => {
                loop {
                    match sys.read(*reader, OUTPUT_MAX) {
                        Ok(bytes) if bytes.is_empty() || output.len() > OUTPUT_MAX => break,
                        Ok(bytes) => output.extend(bytes),
                        Err(Errno::Again) => return None,
                        Err(_) => break,
                    }
                }
                let code = match sys.wait(*child) {
                    Err(Errno::Again) => return None,
                    other => other.unwrap_or(1),
                };
                sys.close(*reader);
                let mut said = serde_json::Map::new();
                if code != 0 {
                    said.insert("error".to_owned(), format!("exit status {code}").into());
                }
                if !output.is_empty() {
                    let text = String::from_utf8_lossy(output).into_owned();
                    said.insert("output".to_owned(), text.into());
                }
                Some(serde_json::Value::Object(said).to_string())
            }
        }
    }
}

impl Dialing {
    fn poll(&mut self, sys: &mut dyn Sys) -> Option<String> {
        loop {
            match self.exchange.go_on(sys)? {
                Outcome::Answer(response) => {
                    self.responses.push(String::from_utf8_lossy(&response.body).into_owned());
                }
                Outcome::Failed { why, .. } => {
                    let refused = why.contains("refused");
                    let what = if refused { "connect: connection refused" } else { "i/o timeout" };
                    let (target, path) = (&self.target, &self.request);
                    self.errors
                        .push(format!("Get \"http://{target}/{path}\": dial tcp {target}: {what}"));
                }
            }
            self.left -= 1;
            if self.left == 0 {
                break;
            }
            self.exchange = ask(sys, &self.target, &self.request);
        }
        let mut said = serde_json::Map::new();
        if !self.errors.is_empty() {
            said.insert("errors".to_owned(), self.errors.clone().into());
        }
        if !self.responses.is_empty() {
            said.insert("responses".to_owned(), self.responses.clone().into());
        }
        Some(serde_json::Value::Object(said).to_string())
    }
}
