//! nginx: a web server with a real subset of its configuration.

use super::nginx_conf::{self, Actions, Config, Location, Server};
use naru_network::http::{Response, reason};
use naru_shell::serve::clock;
use naru_shell::serve::{Exchange, Outcome};
use naru_shell::serve::{HttpServer, Incoming};
use naru_shell::{Errno, Program, Signal, Step, Sys};
use naru_sim::Time;
use std::collections::BTreeMap;

const CONFIG: &str = "/etc/nginx/nginx.conf";
const PID_FILE: &str = "/run/nginx.pid";
const CACHE: &str = "/var/cache/nginx/client_temp";
/// Requests passed on at one time.
const EXCHANGES_MAX: usize = 256;
/// Redirects within the server that one request may take.
const INTERNAL_REDIRECTS_MAX: usize = 8;

/// The server, or `nginx -s`, `-t` and `-v`.
#[derive(Clone, Debug, Default)]
pub struct Nginx {
    config: Option<Config>,
    servers: BTreeMap<u16, HttpServer>,
    exchanges: Vec<(u16, Incoming, Exchange)>,
    requests: u64,
}

/// What to answer.
enum Answer {
    Now(Response),
    Ask(String),
}

impl Program for Nginx {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.config.is_none() {
            if let Some(step) = one_shot(sys) {
                return step;
            }
            if let Err(step) = self.start(sys) {
                return step;
            }
        }
        while let Some(signal) = sys.take_signal() {
            match signal {
                Signal::Hup => self.reload(sys),
                _ => return self.stop(sys, signal),
            }
        }
        self.serve(sys);
        Step::Block { until: self.exchanges.iter().map(|(.., exchange)| exchange.next_due()).min() }
    }
}

/// What `nginx` does when it is not to serve.
fn one_shot(sys: &mut dyn Sys) -> Option<Step> {
    let args = sys.args().to_vec();
    let after = |flag: &str| {
        let at = args.iter().position(|arg| arg == flag)?;
        Some(args.get(at + 1).cloned().unwrap_or_default())
    };
    let version = version(sys);
    if args.iter().any(|arg| arg == "-v" || arg == "-V") {
        say(sys, &format!("nginx version: nginx/{version}"));
        return Some(Step::Exit(0));
    }
    if args.iter().any(|arg| arg == "-t") {
        return Some(match nginx_conf::load(sys.fs(), CONFIG) {
            Ok(_) => {
                say(sys, &format!("nginx: the configuration file {CONFIG} syntax is ok"));
                say(sys, &format!("nginx: configuration file {CONFIG} test is successful"));
                Step::Exit(0)
            }
            Err(why) => {
                say(sys, &format!("nginx: [emerg] {why}"));
                say(sys, &format!("nginx: configuration file {CONFIG} test failed"));
                Step::Exit(1)
            }
        });
    }
    let command = after("-s")?;
    let signal = match command.as_str() {
        "reload" => Signal::Hup,
        "stop" | "quit" => Signal::Term,
        _ => {
            say(sys, &format!("nginx: invalid option: \"-s {command}\""));
            return Some(Step::Exit(1));
        }
    };
    let file = said(sys, "pid").unwrap_or_else(|| PID_FILE.to_owned());
    let pid = sys.fs().read_text(&file).ok().and_then(|text| text.trim().parse().ok());
    let now = clock::format(sys.now(), clock::GO_LOG);
    let own = sys.pid();
    Some(match pid.map(|pid| sys.kill(pid, signal)) {
        Some(Ok(())) => {
            say(sys, &format!("{now} [notice] {own}#{own}: signal process started"));
            Step::Exit(0)
        }
        _ => {
            let why = format!("invalid PID number \"\" in \"{file}\"");
            say(sys, &format!("nginx: [error] {why}"));
            Step::Exit(1)
        }
    })
}

fn say(sys: &mut dyn Sys, line: &str) {
    let _ = sys.write(2, format!("{line}\n").as_bytes());
}

fn version(sys: &mut dyn Sys) -> String {
    sys.env().get("NGINX_VERSION").cloned().unwrap_or_else(|| "1.27.5".to_owned())
}

/// The path that a directive of the main file says.
fn said(sys: &mut dyn Sys, directive: &str) -> Option<String> {
    let text = sys.fs().read_text(CONFIG).ok()?;
    let words = text.lines().filter_map(|line| {
        let (name, path) = line.trim().split_once(char::is_whitespace)?;
        (name == directive).then(|| path.trim().trim_end_matches(';').to_owned())
    });
    words.into_iter().next()
}

impl Nginx {
    fn start(&mut self, sys: &mut dyn Sys) -> Result<(), Step> {
        let config = nginx_conf::load(sys.fs(), CONFIG).map_err(|why| {
            let now = clock::format(sys.now(), clock::GO_LOG);
            let pid = sys.pid();
            say(sys, &format!("{now} [emerg] {pid}#{pid}: {why}"));
            say(sys, &format!("nginx: [emerg] {why}"));
            Step::Exit(1)
        })?;
        for signal in [Signal::Hup, Signal::Int, Signal::Term] {
            sys.catch(signal);
        }
        self.make_cache(sys)?;
        self.listen(sys, &config)?;
        self.config = Some(config);
        let pid = sys.pid();
        let file = said(sys, "pid").unwrap_or_else(|| PID_FILE.to_owned());
        let written = sys.fs().write(&file, format!("{pid}\n").as_bytes());
        written.map_err(|errno| self.fail(sys, &format!("open() \"{file}\""), errno))?;
        let version = version(sys);
        for line in [
            "using the \"epoll\" event method".to_owned(),
            format!("nginx/{version}"),
            "OS: Linux 6.8.0-60-generic".to_owned(),
            "getrlimit(RLIMIT_NOFILE): 1048576:1048576".to_owned(),
            "start worker processes".to_owned(),
            "start worker process 29".to_owned(),
        ] {
            self.notice(sys, "notice", &line);
        }
        Ok(())
    }

    /// The directories for what clients send. Upstream: `ngx_create_paths`.
    fn make_cache(&self, sys: &mut dyn Sys) -> Result<(), Step> {
        let folder = said(sys, "client_body_temp_path").unwrap_or_else(|| CACHE.to_owned());
        let made = sys.fs().mkdir_all(&folder);
        made.map_err(|errno| self.fail(sys, &format!("mkdir() \"{folder}\""), errno))
    }

    /// Says that a call has failed, and ends.
    fn fail(&self, sys: &mut dyn Sys, call: &str, errno: Errno) -> Step {
        let number = match errno {
            Errno::Access => 13,
            Errno::ReadOnly => 30,
            Errno::NoSpace => 28,
            _ => 2,
        };
        let why = format!("{call} failed ({number}: {errno})");
        self.notice(sys, "emerg", &why);
        say(sys, &format!("nginx: [emerg] {why}"));
        Step::Exit(1)
    }

    fn listen(&mut self, sys: &mut dyn Sys, config: &Config) -> Result<(), Step> {
        for server in &config.servers {
            if self.servers.contains_key(&server.port) {
                continue;
            }
            let mut listener = HttpServer::default();
            let net = sys.net().ok_or(Errno::NetUnreachable);
            if let Err(errno) = net.and_then(|net| listener.listen(net, server.port)) {
                let why = format!("bind() to 0.0.0.0:{} failed (98: {errno})", server.port);
                self.notice(sys, "emerg", &why);
                say(sys, &format!("nginx: [emerg] {why}"));
                return Err(Step::Exit(1));
            }
            self.servers.insert(server.port, listener);
        }
        Ok(())
    }

    fn reload(&mut self, sys: &mut dyn Sys) {
        self.notice(sys, "notice", "signal 1 (SIGHUP) received, reconfiguring");
        self.notice(sys, "notice", "reconfiguring");
        match nginx_conf::load(sys.fs(), CONFIG) {
            Ok(config) => {
                if self.listen(sys, &config).is_ok() {
                    self.config = Some(config);
                    self.notice(sys, "notice", "start worker processes");
                }
            }
            Err(why) => self.notice(sys, "emerg", &why),
        }
    }

    fn stop(&mut self, sys: &mut dyn Sys, signal: Signal) -> Step {
        let name = if signal == Signal::Int { "SIGINT" } else { "SIGTERM" };
        let line = format!("signal {} ({name}) received, exiting", signal.number());
        self.notice(sys, "notice", &line);
        self.notice(sys, "notice", "exiting");
        if let Some(net) = sys.net() {
            self.servers.values_mut().for_each(|server| server.close(net));
        }
        Step::Exit(0)
    }

    /// A line of the error log, which the image sends to standard error.
    fn notice(&self, sys: &mut dyn Sys, level: &str, line: &str) {
        let now = clock::format(sys.now(), clock::GO_LOG);
        let pid = sys.pid();
        say(sys, &format!("{now} [{level}] {pid}#{pid}: {line}"));
    }

    fn serve(&mut self, sys: &mut dyn Sys) {
        let Some(config) = self.config.clone() else { return };
        loop {
            let ports: Vec<u16> = self.servers.keys().copied().collect();
            let mut any = false;
            for port in ports {
                let now = sys.now();
                let (Some(server), Some(net)) = (self.servers.get_mut(&port), sys.net()) else {
                    continue;
                };
                for incoming in server.poll(net, now) {
                    any = true;
                    self.take(sys, &config, port, incoming);
                }
            }
            any |= self.go_on_exchanges(sys, &config);
            if let Some(net) = sys.net() {
                self.servers.values_mut().for_each(|server| server.flush(net));
            }
            if !any {
                return;
            }
        }
    }

    fn take(&mut self, sys: &mut dyn Sys, config: &Config, port: u16, incoming: Incoming) {
        self.requests = self.requests.saturating_add(1);
        match self.answer(sys, config, port, &incoming) {
            Answer::Now(response) => self.respond(sys, config, port, &incoming, response),
            Answer::Ask(target) if self.exchanges.len() < EXCHANGES_MAX => {
                let exchange = Exchange::begin(sys, &target, &incoming, &config.upstreams);
                self.exchanges.push((port, incoming, exchange));
            }
            Answer::Ask(_) => {
                let response = self.error_page(sys, 503);
                self.respond(sys, config, port, &incoming, response);
            }
        }
    }

    /// Tells whether an answer came.
    fn go_on_exchanges(&mut self, sys: &mut dyn Sys, config: &Config) -> bool {
        let mut open = Vec::new();
        let mut done = Vec::new();
        for (port, incoming, mut exchange) in std::mem::take(&mut self.exchanges) {
            match exchange.go_on(sys) {
                None => open.push((port, incoming, exchange)),
                Some(outcome) => done.push((port, incoming, outcome)),
            }
        }
        self.exchanges = open;
        let any = !done.is_empty();
        for (port, incoming, outcome) in done {
            let response = match outcome {
                Outcome::Answer(response) => response,
                Outcome::Failed { status, why } => {
                    let line = format!("{why}, {}", about(port, config, &incoming));
                    self.worker_error(sys, &line);
                    self.error_page(sys, status)
                }
            };
            self.respond(sys, config, port, &incoming, response);
        }
        any
    }

    fn worker_error(&self, sys: &mut dyn Sys, line: &str) {
        let now = clock::format(sys.now(), clock::GO_LOG);
        say(sys, &format!("{now} [error] 29#29: *{} {line}", self.requests));
    }

    fn answer(&self, sys: &mut dyn Sys, config: &Config, port: u16, incoming: &Incoming) -> Answer {
        let host = incoming.request.headers.get("Host").unwrap_or_default();
        let Some(server) = config.server(port, host) else {
            return Answer::Now(self.error_page(sys, 404));
        };
        let mut path = decode(incoming.request.path());
        for _ in 0..INTERNAL_REDIRECTS_MAX {
            let location = server.location(&path);
            let actions = location.map_or(&server.base, |location| &location.actions);
            match self.act(sys, config, (server, location), actions, &path, incoming) {
                Ok(mut answer) => {
                    if let Answer::Now(response) = &mut answer {
                        for (name, value) in &actions.headers {
                            response.headers.add(name, value.as_str());
                        }
                    }
                    return answer;
                }
                Err(elsewhere) => path = elsewhere,
            }
        }
        Answer::Now(self.error_page(sys, 500))
    }

    /// The error is another path of this server to try.
    fn act(
        &self,
        sys: &mut dyn Sys,
        config: &Config,
        (server, location): (&Server, Option<&Location>),
        actions: &Actions,
        path: &str,
        incoming: &Incoming,
    ) -> Result<Answer, String> {
        if let Some((status, text)) = &actions.answer {
            let text = self.variables(sys, text, incoming);
            return Ok(Answer::Now(self.returned(sys, *status, text, actions)));
        }
        if let Some(target) = &actions.proxy_pass {
            let location_path = location.map_or("/", |location| location.path.as_str());
            return Ok(Answer::Ask(proxied(target, location_path, &incoming.request.target)));
        }
        if actions.stub_status {
            let open = 1;
            let count = self.requests;
            let text = format!(
                "Active connections: {open} \nserver accepts handled requests\n {count} {count} \
                 {count} \nReading: 0 Writing: 1 Waiting: 0 \n"
            );
            return Ok(Answer::Now(Response::new(200, text).with("Content-Type", "text/plain")));
        }
        if !matches!(incoming.request.method.as_str(), "GET" | "HEAD") {
            return Ok(Answer::Now(self.error_page(sys, 405)));
        }
        if let Some((last, first)) = actions.try_files.split_last() {
            let file = |text: &String| text.replace("$uri", path);
            let found = first.iter().map(file).find(|candidate| {
                let real = real_path(actions, location, candidate);
                let folder = candidate.ends_with('/');
                sys.fs().stat(&real).is_ok_and(|stat| stat.is_dir() == folder)
            });
            return match (found, last.strip_prefix('=')) {
                (Some(found), _) => {
                    self.file(sys, config, (server, location), actions, &found, incoming)
                }
                (None, Some(status)) => {
                    Ok(Answer::Now(self.error_page(sys, status.parse().unwrap_or(404))))
                }
                (None, None) => {
                    let target = file(last);
                    if target == path {
                        return self.file(sys, config, (server, location), actions, path, incoming);
                    }
                    Err(target.split('?').next().unwrap_or_default().to_owned())
                }
            };
        }
        self.file(sys, config, (server, location), actions, path, incoming)
    }

    fn file(
        &self,
        sys: &mut dyn Sys,
        config: &Config,
        (server, location): (&Server, Option<&Location>),
        actions: &Actions,
        path: &str,
        incoming: &Incoming,
    ) -> Result<Answer, String> {
        let real = real_path(actions, location, path);
        let is_folder = sys.fs().is_dir(&real);
        if is_folder && !path.ends_with('/') {
            let response = self.error_page(sys, 301).with("Location", format!("{path}/"));
            return Ok(Answer::Now(response));
        }
        if is_folder {
            let default = ["index.html".to_owned()];
            let names = if actions.index.is_empty() { &default[..] } else { &actions.index };
            let found = names.iter().find(|name| sys.fs().exists(&format!("{real}{name}")));
            if let Some(name) = found {
                let inner = format!("{path}{name}");
                // The index may belong to another location, as nginx has it.
                let moved = server.location(&inner).map(|l| &l.path) != location.map(|l| &l.path);
                if moved {
                    return Err(inner);
                }
                return self.file(sys, config, (server, location), actions, &inner, incoming);
            }
            if actions.autoindex {
                return Ok(Answer::Now(listing(sys, &real, path)));
            }
            let why = format!("directory index of \"{real}\" is forbidden");
            let line = format!("{why}, {}", about(server.port, config, incoming));
            self.worker_error(sys, &line);
            return Ok(Answer::Now(self.error_page(sys, 403)));
        }
        match (sys.fs().read(&real), sys.fs().stat(&real)) {
            (Ok(bytes), Ok(stat)) => {
                let modified = clock::format(stat.mtime, clock::HTTP_DATE);
                let etag = format!("\"{:x}-{:x}\"", unix_seconds(stat.mtime), bytes.len());
                let kind = config.media_type(&real, actions);
                Ok(Answer::Now(
                    Response::new(200, bytes.to_vec())
                        .with("Content-Type", kind)
                        .with("Last-Modified", modified)
                        .with("ETag", etag)
                        .with("Accept-Ranges", "bytes"),
                ))
            }
            (Err(errno), _) | (_, Err(errno)) => {
                let (number, status) = match errno {
                    Errno::Access => (13, 403),
                    _ => (2, 404),
                };
                let why = format!("open() \"{real}\" failed ({number}: {errno})");
                let line = format!("{why}, {}", about(server.port, config, incoming));
                self.worker_error(sys, &line);
                Ok(Answer::Now(self.error_page(sys, status)))
            }
        }
    }

    fn returned(
        &self,
        sys: &mut dyn Sys,
        status: u16,
        text: String,
        actions: &Actions,
    ) -> Response {
        match status {
            301 | 302 | 303 | 307 | 308 => self.error_page(sys, status).with("Location", text),
            _ if text.is_empty() && status >= 300 => self.error_page(sys, status),
            _ => {
                let kind = actions.default_type.as_deref().unwrap_or("application/octet-stream");
                Response::new(status, text).with("Content-Type", kind)
            }
        }
    }

    fn variables(&self, sys: &mut dyn Sys, text: &str, incoming: &Incoming) -> String {
        let request = &incoming.request;
        let host = request.headers.get("Host").unwrap_or_default().to_owned();
        text.replace("$hostname", sys.hostname())
            .replace("$remote_addr", &incoming.peer.ip().to_string())
            .replace("$request_uri", &request.target)
            .replace("$uri", request.path())
            .replace("$host", host.split(':').next().unwrap_or_default())
    }

    fn error_page(&self, sys: &mut dyn Sys, status: u16) -> Response {
        let title = match status {
            302 => "302 Found".to_owned(),
            301 => "301 Moved Permanently".to_owned(),
            405 => "405 Not Allowed".to_owned(),
            503 => "503 Service Temporarily Unavailable".to_owned(),
            504 => "504 Gateway Time-out".to_owned(),
            _ => format!("{status} {}", reason(status)),
        };
        let version = version(sys);
        let body = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1>\
             </center>\r\n<hr><center>nginx/{version}</center>\r\n</body>\r\n</html>\r\n"
        );
        Response::new(status, body).with("Content-Type", "text/html")
    }

    fn respond(
        &mut self,
        sys: &mut dyn Sys,
        config: &Config,
        port: u16,
        incoming: &Incoming,
        mut response: Response,
    ) {
        let version = version(sys);
        response.headers.set("Server", format!("nginx/{version}"));
        response.headers.set("Date", clock::format(sys.now(), clock::HTTP_DATE));
        let connection = if incoming.request.keep_alive() { "keep-alive" } else { "close" };
        response.headers.set("Connection", connection);
        if logs(config, port, incoming) {
            let line = access_line(sys.now(), incoming, &response);
            let _ = sys.write(1, line.as_bytes());
        }
        if let Some(server) = self.servers.get_mut(&port) {
            server.respond(incoming, &response);
        }
    }
}

fn unix_seconds(time: Time) -> i64 {
    time.unix_micros() / 1_000_000
}

fn logs(config: &Config, port: u16, incoming: &Incoming) -> bool {
    let host = incoming.request.headers.get("Host").unwrap_or_default();
    let Some(server) = config.server(port, host) else { return true };
    let location = server.location(incoming.request.path());
    let actions = location.map_or(&server.base, |location| &location.actions);
    actions.access_log.unwrap_or(true)
}

/// A line in the format `main` of the image's configuration.
fn access_line(now: Time, incoming: &Incoming, response: &Response) -> String {
    let request = &incoming.request;
    let header = |name: &str| request.headers.get(name).unwrap_or("-").to_owned();
    format!(
        "{} - - [{}] \"{} {} {}\" {} {} \"{}\" \"{}\" \"{}\"\n",
        incoming.peer.ip(),
        clock::format(now, clock::COMMON_LOG),
        request.method,
        request.target,
        request.version,
        response.status,
        if request.method == "HEAD" { 0 } else { response.body.len() },
        header("Referer"),
        header("User-Agent"),
        header("X-Forwarded-For"),
    )
}

/// The end of an error's line.
fn about(port: u16, config: &Config, incoming: &Incoming) -> String {
    let request = &incoming.request;
    let host = request.headers.get("Host").unwrap_or_default();
    let server = config.server(port, host).and_then(|server| server.names.first());
    format!(
        "client: {}, server: {}, request: \"{} {} {}\", host: \"{host}\"",
        incoming.peer.ip(),
        server.map_or("", String::as_str),
        request.method,
        request.target,
        request.version,
    )
}

/// Where a path's file is; never above the root.
fn real_path(actions: &Actions, location: Option<&Location>, path: &str) -> String {
    let normal = naru_shell::normalize("/", path);
    let slash = if path.ends_with('/') && normal != "/" { "/" } else { "" };
    if let (Some(alias), Some(location)) = (&actions.alias, location) {
        let rest = normal.strip_prefix(&location.path).unwrap_or_default();
        return format!("{alias}{rest}{slash}");
    }
    let root = actions.root.as_deref().unwrap_or("/etc/nginx/html").trim_end_matches('/');
    format!("{root}{normal}{slash}")
}

/// The URL to ask for: a target with a path of its own replaces the location's.
fn proxied(target: &str, location: &str, request: &str) -> String {
    let (scheme, rest) = target.split_once("://").unwrap_or(("http", target));
    match rest.split_once('/') {
        None => format!("{scheme}://{rest}{request}"),
        Some((host, path)) => {
            let tail = request.strip_prefix(location).unwrap_or_default();
            format!("{scheme}://{host}/{path}{tail}")
        }
    }
}

fn listing(sys: &mut dyn Sys, real: &str, path: &str) -> Response {
    let mut body = format!(
        "<html>\r\n<head><title>Index of {path}</title></head>\r\n<body>\r\n<h1>Index of {path}\
         </h1><hr><pre><a href=\"../\">../</a>\r\n"
    );
    for entry in sys.fs().list(real).unwrap_or_default() {
        let slash = if entry.stat.is_dir() { "/" } else { "" };
        let name = format!("{}{slash}", entry.name);
        body.push_str(&format!("<a href=\"{name}\">{name}</a>\r\n"));
    }
    body.push_str("</pre><hr></body>\r\n</html>\r\n");
    Response::new(200, body).with("Content-Type", "text/html")
}

/// `%20` and its kin as the bytes they stand for.
fn decode(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let code = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(decoded) if *byte == b'%' => {
                out.push(decoded);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_of_proxies() {
        let table = [
            ("http://a:8080", "/", "/x?y", "http://a:8080/x?y"),
            ("http://a/", "/api/", "/api/x", "http://a/x"),
            ("http://a/b/", "/api/", "/api/x", "http://a/b/x"),
        ];
        for (target, location, request, expected) in table {
            assert_eq!(proxied(target, location, request), expected);
        }
    }

    #[test]
    fn a_path_does_not_leave_its_root() {
        let actions = Actions { root: Some("/w".to_owned()), ..Actions::default() };
        let table = [
            ("/a.html", "/w/a.html"),
            ("/../../etc/passwd", "/w/etc/passwd"),
            ("/d/", "/w/d/"),
            ("/", "/w/"),
        ];
        for (path, expected) in table {
            assert_eq!(real_path(&actions, None, path), expected);
        }
    }

    #[test]
    fn percent_signs() {
        assert_eq!(decode("/a%20b%2e%"), "/a b.%");
        assert_eq!(decode("/%EB%82%98"), "/나");
    }
}
