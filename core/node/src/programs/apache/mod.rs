//! Apache: a web server with a real subset of its configuration, which may have PHP in it.
//!
//! Upstream: `apache/httpd`.

mod conf;
mod pages;

pub use pages::media_type;

use super::php::{App, Job};
use super::web::own_address;
use conf::{Config, Host};
use naru_network::http::Response;
use naru_shell::serve::{Exchange, HttpServer, Incoming, Outcome, clock};
use naru_shell::{Errno, Program, Signal, Step, Sys};
use naru_sim::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// Requests under way at one time.
const WORK_MAX: usize = 256;
/// Processor time of a file, and of a page of PHP.
const FILE_CPU: Duration = Duration::from_micros(300);
const PHP_CPU: Duration = Duration::from_millis(12);

/// How a server was built and packaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// The image `httpd`: its own folder, the event module, no PHP.
    Upstream,
    /// Debian's, with PHP in it.
    Debian,
}

impl Build {
    fn base(self) -> &'static str {
        match self {
            Build::Upstream => "/usr/local/apache2",
            Build::Debian => "/etc/apache2",
        }
    }

    fn file(self) -> String {
        match self {
            Build::Upstream => format!("{}/conf/httpd.conf", self.base()),
            Build::Debian => format!("{}/apache2.conf", self.base()),
        }
    }

    fn root(self) -> &'static str {
        match self {
            Build::Upstream => "/usr/local/apache2/htdocs",
            Build::Debian => "/var/www/html",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Build::Upstream => "httpd",
            Build::Debian => "apache2",
        }
    }

    /// Process and thread in the error log.
    fn pid(self, pid: u32) -> String {
        match self {
            Build::Upstream => format!("pid {pid}:tid {pid}"),
            Build::Debian => format!("pid {pid}"),
        }
    }

    fn module(self) -> &'static str {
        match self {
            Build::Upstream => "mpm_event",
            Build::Debian => "mpm_prefork",
        }
    }
}

/// The server, or `httpd -t`, `-v` and `-k`.
#[derive(Clone, Debug)]
pub struct Apache {
    build: Build,
    config: Option<Config>,
    servers: BTreeMap<u16, HttpServer>,
    app: App,
    work: Vec<(u16, Incoming, Work)>,
    server: String,
}

#[derive(Clone, Debug)]
enum Work {
    Proxy(Box<Exchange>),
    Php(Box<Job>),
}

enum Answer {
    Now(Response),
    Work(Work),
}

impl Apache {
    /// A server that has not started.
    pub fn new(build: Build) -> Self {
        Apache {
            build,
            config: None,
            servers: BTreeMap::new(),
            app: App::None,
            work: Vec::new(),
            server: String::new(),
        }
    }
}

impl Program for Apache {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.config.is_none() {
            self.server = self.version(sys);
            if let Some(step) = self.one_shot(sys) {
                return step;
            }
            if let Err(step) = self.start(sys) {
                return step;
            }
        }
        while let Some(signal) = sys.take_signal() {
            match signal {
                Signal::Usr1 | Signal::Hup => self.reload(sys, signal),
                _ => return self.stop(sys),
            }
        }
        self.serve(sys);
        Step::Block { until: self.work.iter().filter_map(|(.., work)| work.next_due()).min() }
    }
}

impl Work {
    fn next_due(&self) -> Option<Time> {
        match self {
            Work::Proxy(exchange) => Some(exchange.next_due()),
            Work::Php(job) => job.next_due(),
        }
    }
}

impl Apache {
    /// `Apache/2.4.63 (Unix)`.
    fn version(&self, sys: &mut dyn Sys) -> String {
        let env = sys.env();
        let get = |name: &str, default: &str| {
            env.get(name).cloned().unwrap_or_else(|| default.to_owned())
        };
        match self.build {
            Build::Upstream => format!("Apache/{} (Unix)", get("HTTPD_VERSION", "2.4.63")),
            Build::Debian => "Apache/2.4.62 (Debian)".to_owned(),
        }
    }

    fn php(&self, sys: &mut dyn Sys) -> String {
        sys.env().get("PHP_VERSION").cloned().unwrap_or_else(|| "8.2.28".to_owned())
    }

    fn one_shot(&mut self, sys: &mut dyn Sys) -> Option<Step> {
        let args = sys.args().to_vec();
        let has = |flag: &str| args.iter().any(|arg| arg == flag);
        if has("-v") {
            let text = format!("Server version: {}\nServer built:   \n", self.server);
            let _ = sys.write(1, text.as_bytes());
            return Some(Step::Exit(0));
        }
        if has("-t") || has("configtest") {
            let (text, code) = match conf::load(sys.fs(), self.build.base(), &self.build.file()) {
                Ok(_) => ("Syntax OK\n".to_owned(), 0),
                Err(why) => (why + "\n", 1),
            };
            let _ = sys.write(2, text.as_bytes());
            return Some(Step::Exit(code));
        }
        let at = args.iter().position(|arg| arg == "-k");
        let word = match at {
            Some(at) => args.get(at + 1),
            None => {
                args.get(1).filter(|arg| ["graceful", "restart", "stop"].contains(&arg.as_str()))
            }
        };
        let signal = match word.map(String::as_str)? {
            "graceful" => Signal::Usr1,
            "restart" => Signal::Hup,
            "stop" | "graceful-stop" => Signal::Term,
            _ => return None,
        };
        let name = self.build.name();
        let own = sys.pid();
        let serves = |it: &&naru_shell::ProcessInfo| {
            it.pid != own && it.argv.iter().any(|arg| arg.rsplit('/').next() == Some(name))
        };
        let pid = sys.processes().iter().find(serves).map(|it| it.pid);
        match pid.map(|pid| sys.kill(pid, signal)) {
            Some(Ok(())) => Some(Step::Exit(0)),
            _ => {
                let _ = sys.write(1, format!("{name} (no pid file) not running\n").as_bytes());
                Some(Step::Exit(1))
            }
        }
    }

    fn start(&mut self, sys: &mut dyn Sys) -> Result<(), Step> {
        let config = conf::load(sys.fs(), self.build.base(), &self.build.file());
        let config = config.map_err(|why| {
            let _ = sys.write(2, format!("{why}\n").as_bytes());
            Step::Exit(1)
        })?;
        for signal in [Signal::Term, Signal::Int, Signal::Hup, Signal::Usr1] {
            sys.catch(signal);
        }
        if config.main.names.is_empty() {
            let line = format!(
                "AH00558: {}: Could not reliably determine the server's fully qualified domain name, \
                 using {}. Set the 'ServerName' directive globally to suppress this message\n",
                self.build.name(),
                own_address(sys)
            );
            let _ = sys.write(2, line.repeat(2).as_bytes());
        }
        self.listen(sys, &config)?;
        self.app = App::find(sys, self.root(&config.main));
        sys.use_memory(match (self.build, &self.app) {
            (Build::Upstream, _) => 8 << 20,
            (Build::Debian, App::Wordpress(_)) => 96 << 20,
            (Build::Debian, _) => 24 << 20,
        });
        self.config = Some(config);
        let configured = match self.build {
            Build::Upstream => {
                format!("AH00489: {} configured -- resuming normal operations", self.server)
            }
            Build::Debian => {
                let php = self.php(sys);
                let server = &self.server;
                format!("AH00163: {server} PHP/{php} configured -- resuming normal operations")
            }
        };
        self.notice(sys, self.build.module(), "notice", &configured);
        let line = format!("AH00094: Command line: '{} -D FOREGROUND'", self.build.name());
        self.notice(sys, "core", "notice", &line);
        Ok(())
    }

    fn root<'a>(&self, host: &'a Host) -> &'a str {
        host.root.as_deref().unwrap_or_else(|| self.build.root())
    }

    fn listen(&mut self, sys: &mut dyn Sys, config: &Config) -> Result<(), Step> {
        if config.ports.is_empty() {
            let text =
                "no listening sockets available, shutting down\nAH00015: Unable to open logs\n";
            let _ = sys.write(2, text.as_bytes());
            return Err(Step::Exit(1));
        }
        for port in &config.ports {
            if self.servers.contains_key(port) {
                continue;
            }
            let mut listener = HttpServer::default();
            let net = sys.net().ok_or(Errno::NetUnreachable);
            if let Err(errno) = net.and_then(|net| listener.listen(net, *port)) {
                let number = if errno == Errno::Access { 13 } else { 98 };
                let text = format!(
                    "({number}){errno}: AH00072: make_sock: could not bind to address 0.0.0.0:{port}\n\
                     no listening sockets available, shutting down\nAH00015: Unable to open logs\n"
                );
                let _ = sys.write(2, text.as_bytes());
                return Err(Step::Exit(1));
            }
            self.servers.insert(*port, listener);
        }
        Ok(())
    }

    /// A line of the error log, which images send to standard error.
    fn notice(&self, sys: &mut dyn Sys, module: &str, level: &str, line: &str) {
        let time = pages::log_time(sys.now());
        let pid = self.build.pid(sys.pid());
        let _ = sys.write(2, format!("[{time}] [{module}:{level}] [{pid}] {line}\n").as_bytes());
    }

    fn reload(&mut self, sys: &mut dyn Sys, signal: Signal) {
        let said = match signal {
            Signal::Usr1 => "AH00493: SIGUSR1 received.  Doing graceful restart",
            _ => "AH00494: SIGHUP received.  Attempting to restart",
        };
        let module = self.build.module();
        self.notice(sys, module, "notice", said);
        match conf::load(sys.fs(), self.build.base(), &self.build.file()) {
            Ok(config) => {
                if self.listen(sys, &config).is_ok() {
                    self.config = Some(config);
                    let server = &self.server;
                    let line =
                        format!("AH00489: {server} configured -- resuming normal operations");
                    self.notice(sys, module, "notice", &line);
                }
            }
            Err(why) => {
                let _ = sys.write(2, format!("{why}\n").as_bytes());
            }
        }
    }

    fn stop(&mut self, sys: &mut dyn Sys) -> Step {
        let number = if self.build == Build::Upstream { "AH00491" } else { "AH00169" };
        let line = format!("{number}: caught SIGTERM, shutting down");
        self.notice(sys, self.build.module(), "notice", &line);
        if let Some(net) = sys.net() {
            self.servers.values_mut().for_each(|server| server.close(net));
        }
        Step::Exit(0)
    }

    fn serve(&mut self, sys: &mut dyn Sys) {
        let Some(config) = self.config.take() else { return };
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
                    match self.answer(sys, &config, port, &incoming) {
                        Answer::Now(response) => {
                            self.respond(sys, &config, port, &incoming, response);
                        }
                        Answer::Work(work) if self.work.len() < WORK_MAX => {
                            self.work.push((port, incoming, work));
                        }
                        Answer::Work(_) => {
                            let page = self.page(&incoming, port, 503, "");
                            self.respond(sys, &config, port, &incoming, page);
                        }
                    }
                }
            }
            any |= self.go_on(sys, &config);
            if let Some(net) = sys.net() {
                self.servers.values_mut().for_each(|server| server.flush(net));
            }
            if !any {
                break;
            }
        }
        self.config = Some(config);
    }

    /// Goes on with what waits; tells whether anything was answered.
    fn go_on(&mut self, sys: &mut dyn Sys, config: &Config) -> bool {
        let mut any = false;
        for (port, incoming, work) in std::mem::take(&mut self.work) {
            let done = match work {
                Work::Proxy(mut exchange) => match exchange.go_on(sys) {
                    None => Err(Work::Proxy(exchange)),
                    Some(Outcome::Answer(response)) => Ok(response),
                    Some(Outcome::Failed { status, why }) => {
                        Ok(self.not_passed_on(sys, &incoming, port, status, &why))
                    }
                },
                Work::Php(mut job) => match job.poll(sys, &mut self.app) {
                    None => Err(Work::Php(job)),
                    Some(reply) => Ok(self.scripted(sys, &incoming, port, reply)),
                },
            };
            match done {
                Err(work) => self.work.push((port, incoming, work)),
                Ok(response) => {
                    any = true;
                    self.respond(sys, config, port, &incoming, response);
                }
            }
        }
        any
    }

    fn not_passed_on(
        &self,
        sys: &mut dyn Sys,
        incoming: &Incoming,
        port: u16,
        status: u16,
        why: &str,
    ) -> Response {
        let client = format!("[client {}] ", incoming.peer);
        if status == 504 {
            let line = format!("(70007)The timeout specified has expired: {client}AH01102: {why}");
            self.notice(sys, "proxy_http", "error", &line);
            return self.page(incoming, port, 504, "");
        }
        let refused = why.contains("could not be resolved");
        let (line, status) = match refused {
            true => (
                format!(
                    "{client}AH00898: DNS lookup failure returned by {}",
                    incoming.request.target
                ),
                502,
            ),
            false => (format!("(111)Connection refused: AH00957: {why}"), 503),
        };
        self.notice(sys, "proxy", "error", &line);
        self.page(incoming, port, status, "")
    }

    fn scripted(
        &self,
        sys: &mut dyn Sys,
        incoming: &Incoming,
        port: u16,
        reply: super::php::Page,
    ) -> Response {
        for line in &reply.errors {
            let line = format!("[client {}] {line}", incoming.peer);
            self.notice(sys, "php", "error", &line);
        }
        let php = self.php(sys);
        if reply.status == 404 && reply.body.is_empty() {
            return self.page(incoming, port, 404, "");
        }
        let mut response =
            Response::new(reply.status, reply.body).with("X-Powered-By", format!("PHP/{php}"));
        for (name, value) in reply.headers {
            response.headers.add(&name, value);
        }
        if response.headers.get("Content-Type").is_none() {
            response.headers.set("Content-Type", "text/html; charset=UTF-8");
        }
        response
    }

    /// A page of the server's own.
    fn page(&self, incoming: &Incoming, port: u16, status: u16, location: &str) -> Response {
        let host = incoming.request.headers.get("Host").unwrap_or_default();
        let host = host.split(':').next().unwrap_or_default();
        let signature = match self.build {
            Build::Upstream => String::new(),
            Build::Debian => format!("{} Server at {host} Port {port}", self.server),
        };
        pages::error(status, location, &signature)
    }

    fn answer(
        &mut self,
        sys: &mut dyn Sys,
        config: &Config,
        port: u16,
        incoming: &Incoming,
    ) -> Answer {
        let request = &incoming.request;
        let name = request.headers.get("Host").unwrap_or_default().to_owned();
        let host = config.host(port, &name);
        let path = super::nginx::decode(request.path());
        let redirect = host.redirects.iter().find(|(from, ..)| path.starts_with(from.as_str()));
        if let Some((from, status, target)) = redirect {
            let rest = path.strip_prefix(from.as_str()).unwrap_or_default();
            let to = format!("{target}{rest}");
            return Answer::Now(self.page(incoming, port, *status, &to));
        }
        let proxy = host.proxies.iter().find(|(from, _)| path.starts_with(from.as_str()));
        if let Some((from, target)) = proxy.filter(|(_, target)| target != "!") {
            let rest = request.target.strip_prefix(from.as_str()).unwrap_or_default();
            let url = format!("{target}{rest}");
            let exchange = Exchange::begin(sys, &url, incoming, &BTreeMap::new());
            return Answer::Work(Work::Proxy(Box::new(exchange)));
        }
        if let Some(job) = self.app.begin(sys, incoming) {
            sys.burn(PHP_CPU);
            return Answer::Work(Work::Php(Box::new(job)));
        }
        sys.burn(FILE_CPU);
        Answer::Now(self.file(sys, config, host, &path, (port, incoming)))
    }

    fn file(
        &self,
        sys: &mut dyn Sys,
        config: &Config,
        host: &Host,
        path: &str,
        (port, incoming): (u16, &Incoming),
    ) -> Response {
        let page = |status: u16, location: &str| self.page(incoming, port, status, location);
        if !["GET", "HEAD", "POST"].contains(&incoming.request.method.as_str()) {
            return match incoming.request.method.as_str() {
                "OPTIONS" => Response::new(200, "").with("Allow", "GET,POST,OPTIONS,HEAD"),
                _ => page(405, "").with("Allow", "GET,POST,OPTIONS,HEAD"),
            };
        }
        let normal = naru_shell::normalize("/", path);
        let alias = host.aliases.iter().find(|(from, _)| normal.starts_with(from.as_str()));
        let mut real = match alias {
            Some((from, to)) => format!("{to}{}", normal.strip_prefix(from.as_str()).unwrap_or("")),
            None => format!("{}{}", self.root(host), normal.trim_end_matches('/')),
        };
        if Config::closest(&config.denied, &real) {
            self.denied(sys, incoming, &real);
            return page(403, "");
        }
        if sys.fs().is_dir(&real) {
            if !path.ends_with('/') {
                let name = incoming.request.headers.get("Host").unwrap_or_default();
                return page(301, &format!("http://{name}{path}/"));
            }
            let files = config.indexes.iter().map(|name| format!("{real}/{name}"));
            match files.into_iter().find(|file| sys.fs().exists(file)) {
                Some(file) => real = file,
                None if Config::closest(&config.listed, &real) => {
                    return pages::listing(sys, &real, path);
                }
                None => {
                    let line = format!(
                        "[client {}] AH01276: Cannot serve directory {real}/: No matching \
                         DirectoryIndex ({}) found, and server-generated directory index forbidden by \
                         Options directive",
                        incoming.peer,
                        config.indexes.join(",")
                    );
                    self.notice(sys, "autoindex", "error", &line);
                    return page(403, "");
                }
            }
        }
        match (sys.fs().read(&real), sys.fs().stat(&real)) {
            (Ok(bytes), Ok(stat)) => {
                let modified = clock::format(stat.mtime, clock::HTTP_DATE);
                let micros = stat.mtime.unix_micros();
                let etag = format!("\"{:x}-{micros:x}\"", bytes.len());
                let response = Response::new(200, bytes.to_vec())
                    .with("Last-Modified", modified)
                    .with("ETag", etag)
                    .with("Accept-Ranges", "bytes");
                match pages::media_type(&real) {
                    Some(kind) => response.with("Content-Type", kind),
                    None => response,
                }
            }
            (Err(Errno::Access), _) => {
                let line = format!(
                    "(13)Permission denied: [client {}] AH00132: file permissions deny server access: \
                     {real}",
                    incoming.peer
                );
                self.notice(sys, "core", "error", &line);
                page(403, "")
            }
            _ => page(404, ""),
        }
    }

    fn denied(&self, sys: &mut dyn Sys, incoming: &Incoming, real: &str) {
        let line = format!(
            "[client {}] AH01630: client denied by server configuration: {real}",
            incoming.peer
        );
        self.notice(sys, "authz_core", "error", &line);
    }

    fn respond(
        &mut self,
        sys: &mut dyn Sys,
        config: &Config,
        port: u16,
        incoming: &Incoming,
        mut response: Response,
    ) {
        let now = sys.now();
        response.headers.set("Date", clock::format(now, clock::HTTP_DATE));
        response.headers.set("Server", self.server.as_str());
        let request = &incoming.request;
        let length = if request.method == "HEAD" { 0 } else { response.body.len() };
        let bytes = if length == 0 { "-".to_owned() } else { length.to_string() };
        let more = match config.combined {
            true => {
                let header = |name: &str| request.headers.get(name).unwrap_or("-").to_owned();
                format!(" \"{}\" \"{}\"", header("Referer"), header("User-Agent"))
            }
            false => String::new(),
        };
        let line = format!(
            "{} - - [{}] \"{} {} {}\" {} {bytes}{more}\n",
            incoming.peer.ip(),
            clock::format(now, clock::COMMON_LOG),
            request.method,
            request.target,
            request.version,
            response.status,
        );
        let _ = sys.write(1, line.as_bytes());
        say_what_is_kept(config, incoming, &mut response);
        if let Some(server) = self.servers.get_mut(&port) {
            server.respond(incoming, &response);
        }
    }
}

/// The headers by which a client knows whether another request may follow by this connection. Who asks
/// for that in words is told how many may.
///
/// Upstream: `ap_set_keepalive` in `modules/http/http_protocol.c`, `ap_status_drops_connection`.
fn say_what_is_kept(config: &Config, incoming: &Incoming, response: &mut Response) {
    const DROPS: [u16; 8] = [400, 408, 411, 413, 414, 500, 501, 503];
    let max = config.keep_alive_max;
    let left = max.saturating_sub(incoming.earlier);
    let kept = !config.keeps_off
        && config.keep_alive > 0
        && (max == 0 || left > 0)
        && !DROPS.contains(&response.status)
        && response.keep_alive()
        && incoming.request.keep_alive();
    if !kept {
        response.headers.set("Connection", "close");
    } else if incoming.request.headers.has_token("Connection", "keep-alive") {
        let max = if max > 0 { format!(", max={left}") } else { String::new() };
        response.headers.set("Keep-Alive", format!("timeout={}{max}", config.keep_alive));
        response.headers.set("Connection", "Keep-Alive");
    }
}
