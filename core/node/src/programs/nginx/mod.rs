//! nginx: a web server with a real subset of its configuration.
//!
//! Upstream: `nginx/nginx`: `src/core/nginx.c`, `src/os/unix/ngx_process_cycle.c`.

mod balance;
mod build;
mod conf;
mod directives;
mod log;
mod pages;
mod pass;
mod request;
mod variables;

use balance::Group;
use conf::{Actions, Config};
use naru_network::dns::RecordType;
use naru_network::http::Response;
use naru_shell::serve::{HttpServer, Incoming, Secured, clock};
use naru_shell::{Errno, Pid, Program, Progress, ResolveError, Resolver, Signal, Step, Sys};
use naru_sim::Time;
use pass::Passing;
use request::{End, Handled, Way};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use variables::Scope;

const CONFIG: &str = "/etc/nginx/nginx.conf";
const EPOLL: &str = "using the \"epoll\" event method";
const PID_FILE: &str = "/run/nginx.pid";
/// The number of the first worker: the image's scripts have had those before.
const FIRST_WORKER: Pid = 29;
const CACHE: &str = "/var/cache/nginx/client_temp";
/// Requests passed on at one time.
const PASSING_MAX: usize = 256;

/// The server, or `nginx -s`, `-t` and `-v`.
#[derive(Clone, Debug, Default)]
pub struct Nginx {
    config: Option<Arc<Config>>,
    loading: Option<Loading>,
    /// It is the daemon that another one has started.
    daemon: bool,
    servers: BTreeMap<u16, HttpServer>,
    groups: BTreeMap<String, Group>,
    passing: Vec<Passing>,
    requests: u64,
    version: String,
    /// The worker's number.
    worker: Pid,
    /// It ends once nothing is under way.
    quits: bool,
}

/// A configuration whose hosts are being looked for.
#[derive(Clone, Debug)]
struct Loading {
    config: Config,
    purpose: Purpose,
    at: usize,
    resolver: Option<Resolver>,
    found: BTreeMap<String, Vec<IpAddr>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Start,
    Test,
    Reload,
}

impl Program for Nginx {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.config.is_none() && self.loading.is_none() {
            self.version = version(sys);
            if let Some(step) = self.begin(sys) {
                return step;
            }
        }
        if self.config.is_some() {
            while let Some(signal) = sys.take_signal() {
                if let Some(step) = self.signalled(sys, signal) {
                    return step;
                }
            }
        }
        let until = match self.load(sys) {
            Ok(until) => until,
            Err(step) => return step,
        };
        if self.config.is_none() {
            return Step::Block { until };
        }
        self.serve(sys);
        if self.quits && self.passing.is_empty() {
            return self.gone(sys);
        }
        let due = self.passing.iter().map(Passing::next_due).chain(until).min();
        Step::Block { until: due }
    }
}

/// What stands after a flag of the command line.
fn after(sys: &mut dyn Sys, flag: &str) -> Option<String> {
    let args = sys.args().to_vec();
    let at = args.iter().position(|arg| arg == flag)?;
    Some(args.get(at + 1).cloned().unwrap_or_default())
}

fn file(sys: &mut dyn Sys) -> String {
    after(sys, "-c")
        .map_or_else(|| CONFIG.to_owned(), |path| naru_shell::normalize("/etc/nginx", &path))
}

fn log_line(sys: &mut dyn Sys, level: &str, pid: Pid, line: &str) {
    let now = clock::format(sys.now(), clock::GO_LOG);
    log::error(sys, &format!("{now} [{level}] {pid}#{pid}: {line}\n"));
}

fn say(sys: &mut dyn Sys, line: &str) {
    let _ = sys.write(2, format!("{line}\n").as_bytes());
}

fn version(sys: &mut dyn Sys) -> String {
    sys.env().get("NGINX_VERSION").cloned().unwrap_or_else(|| "1.27.5".to_owned())
}

/// The number of a user by its name.
fn uid_of(sys: &mut dyn Sys, name: &str) -> Option<u32> {
    let passwd = sys.fs().read_text("/etc/passwd").ok()?;
    let mut users = passwd.lines().map(|line| line.split(':'));
    let mut user = users.find(|fields| fields.clone().next() == Some(name))?;
    user.nth(2)?.parse().ok()
}

/// The path that a directive of the main file says.
fn said(sys: &mut dyn Sys, directive: &str) -> Option<String> {
    let path = file(sys);
    let text = sys.fs().read_text(&path).ok()?;
    let words = text.lines().filter_map(|line| {
        let (name, path) = line.trim().split_once(char::is_whitespace)?;
        (name == directive).then(|| path.trim().trim_end_matches(';').to_owned())
    });
    words.into_iter().next()
}

impl Nginx {
    /// Reads the command line and the configuration.
    fn begin(&mut self, sys: &mut dyn Sys) -> Option<Step> {
        let args = sys.args().to_vec();
        let has = |flags: &[&str]| args.iter().any(|arg| flags.contains(&arg.as_str()));
        if has(&["-v", "-V"]) {
            say(sys, &format!("nginx version: nginx/{}", self.version));
            return Some(Step::Exit(0));
        }
        let takes = ["-t", "-T", "-q", "-s", "-g", "-c", "-p", "-e"];
        let mut valued = false;
        for arg in args.iter().skip(1) {
            if !valued && !takes.contains(&arg.as_str()) {
                say(sys, &format!("nginx: invalid option: \"{}\"", arg.trim_start_matches('-')));
                return Some(Step::Exit(1));
            }
            valued = !valued && ["-s", "-g", "-c", "-p", "-e"].contains(&arg.as_str());
        }
        let tests = has(&["-t", "-T"]);
        let path = file(sys);
        let config = match conf::load(sys.fs(), &path) {
            Ok(config) => config,
            Err(why) => return Some(self.refuse(sys, &why, tests)),
        };
        if let Some(command) = after(sys, "-s") {
            return Some(signal(sys, &command));
        }
        for warning in config.warnings.clone() {
            say(sys, &format!("nginx: [warn] {warning}"));
        }
        let purpose = if tests { Purpose::Test } else { Purpose::Start };
        self.loading = Some(Loading::new(config, purpose));
        None
    }

    /// Says why a configuration cannot be used, and ends.
    fn refuse(&self, sys: &mut dyn Sys, why: &str, tests: bool) -> Step {
        if !tests {
            self.notice(sys, "emerg", why);
        }
        say(sys, &format!("nginx: [emerg] {why}"));
        if tests {
            let path = file(sys);
            say(sys, &format!("nginx: configuration file {path} test failed"));
        }
        Step::Exit(1)
    }

    /// Goes on with what is being loaded; tells when it goes on by itself.
    fn load(&mut self, sys: &mut dyn Sys) -> Result<Option<Time>, Step> {
        let Some(mut loading) = self.loading.take() else { return Ok(None) };
        match loading.poll(sys) {
            Progress::Waits(until) => {
                self.loading = Some(loading);
                Ok(until)
            }
            Progress::Done(Err(why)) if loading.purpose == Purpose::Reload => {
                self.notice(sys, "emerg", &why);
                Ok(None)
            }
            Progress::Done(Err(why)) => {
                Err(self.refuse(sys, &why, loading.purpose == Purpose::Test))
            }
            Progress::Done(Ok(())) => self.loaded(sys, loading).map(|()| None),
        }
    }

    fn loaded(&mut self, sys: &mut dyn Sys, loading: Loading) -> Result<(), Step> {
        let groups = balance::groups(&loading.config, &loading.found);
        match loading.purpose {
            Purpose::Test => {
                let path = file(sys);
                say(sys, &format!("nginx: the configuration file {path} syntax is ok"));
                say(sys, &format!("nginx: configuration file {path} test is successful"));
                Err(Step::Exit(0))
            }
            Purpose::Start => {
                if !self.daemon && !self.stays(sys) {
                    return Err(self.leave_daemon(sys));
                }
                self.start(sys, loading.config)?;
                self.groups = groups;
                Ok(())
            }
            Purpose::Reload => {
                if self.listen(sys, &loading.config).is_ok() {
                    let ports = loading.config.ports();
                    let closed: Vec<u16> =
                        self.servers.keys().copied().filter(|it| !ports.contains_key(it)).collect();
                    for port in closed {
                        if let (Some(mut server), Some(net)) =
                            (self.servers.remove(&port), sys.net())
                        {
                            server.close(net);
                        }
                    }
                    self.config = Some(Arc::new(loading.config));
                    self.groups = groups;
                    self.change_worker(sys);
                }
                Ok(())
            }
        }
    }

    /// Whether it is told to stay in the foreground.
    fn stays(&self, sys: &mut dyn Sys) -> bool {
        let option = after(sys, "-g").unwrap_or_default();
        let words: Vec<&str> = option.split([' ', ';']).filter(|word| !word.is_empty()).collect();
        let told = words.windows(2).any(|pair| pair == ["daemon", "off"]);
        told || said(sys, "daemon").as_deref() == Some("off")
    }

    /// Leaves a process in the background that serves, and ends.
    fn leave_daemon(&self, sys: &mut dyn Sys) -> Step {
        let program = Box::new(Nginx { daemon: true, ..Nginx::default() });
        let args = sys.args().to_vec();
        match sys.fork(program, args, &[(1, 1), (2, 2)]) {
            Ok(_) => Step::Exit(0),
            Err(errno) => {
                say(sys, &format!("nginx: [alert] fork() failed (11: {errno})"));
                Step::Exit(2)
            }
        }
    }

    fn start(&mut self, sys: &mut dyn Sys, config: Config) -> Result<(), Step> {
        let own = [Signal::Hup, Signal::Int, Signal::Quit, Signal::Term, Signal::Usr1];
        own.into_iter().for_each(|signal| sys.catch(signal));
        let title = format!("nginx: master process {}", sys.args().join(" "));
        sys.retitle(&title);
        self.make_cache(sys)?;
        self.listen(sys, &config)?;
        self.config = Some(Arc::new(config));
        let pid = sys.pid();
        let file = said(sys, "pid").unwrap_or_else(|| PID_FILE.to_owned());
        let written = sys.fs().write(&file, format!("{pid}\n").as_bytes());
        written.map_err(|errno| self.fail(sys, &format!("open() \"{file}\""), errno))?;
        for line in [
            EPOLL.to_owned(),
            format!("nginx/{}", self.version),
            "OS: Linux 6.8.0-60-generic".to_owned(),
            "getrlimit(RLIMIT_NOFILE): 1048576:1048576".to_owned(),
        ] {
            self.notice(sys, "notice", &line);
        }
        self.start_worker(sys, FIRST_WORKER);
        Ok(())
    }

    fn start_worker(&mut self, sys: &mut dyn Sys, worker: Pid) {
        self.worker = worker;
        self.notice(sys, "notice", "start worker processes");
        self.notice(sys, "notice", &format!("start worker process {worker}"));
    }

    /// Starts a worker with the new configuration, and lets the one before it end.
    fn change_worker(&mut self, sys: &mut dyn Sys) {
        let before = self.worker;
        self.notice(sys, "notice", EPOLL);
        let sender = sys.signal_sender().unwrap_or(before);
        self.start_worker(sys, sender.max(before) + 1);
        for line in ["gracefully shutting down", "exiting", "exit"] {
            log_line(sys, "notice", before, line);
        }
        self.worker_gone(sys, before);
        self.notice(sys, "notice", "signal 29 (SIGIO) received");
    }

    fn worker_gone(&self, sys: &mut dyn Sys, worker: Pid) {
        self.notice(sys, "notice", &format!("signal 17 (SIGCHLD) received from {worker}"));
        self.notice(sys, "notice", &format!("worker process {worker} exited with code 0"));
    }

    /// The directories for what clients send. Upstream: `ngx_create_paths`.
    fn make_cache(&self, sys: &mut dyn Sys) -> Result<(), Step> {
        let folder = said(sys, "client_body_temp_path").unwrap_or_else(|| CACHE.to_owned());
        let made = sys.fs().mkdir_all(&folder);
        made.map_err(|errno| self.fail(sys, &format!("mkdir() \"{folder}\""), errno))?;
        // The master gives it to the user of the workers.
        let user = said(sys, "user").filter(|_| sys.uid() == 0);
        let Some(uid) = user.and_then(|name| uid_of(sys, &name)) else { return Ok(()) };
        let given = sys.fs().stat(&folder).and_then(|stat| match stat.uid == uid {
            true => Ok(()),
            false => sys.fs().chown(&folder, uid, stat.gid),
        });
        given.map_err(|errno| self.fail(sys, &format!("chown(\"{folder}\", {uid})"), errno))
    }

    /// Says that a call has failed, and ends.
    fn fail(&self, sys: &mut dyn Sys, call: &str, errno: Errno) -> Step {
        let number = match errno {
            Errno::NotPermitted => 1,
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
        for (port, secured) in config.ports() {
            let identities = match secured {
                true => Some(self.secured(sys, config, port)?),
                false => None,
            };
            if let Some(server) = self.servers.get_mut(&port) {
                if let Some(secured) = identities {
                    server.show(&secured.config);
                }
                continue;
            }
            let mut listener = HttpServer::default();
            let net = sys.net().ok_or(Errno::NetUnreachable);
            let listened = net.and_then(|net| match identities {
                Some(secured) => listener.listen_tls(net, port, secured),
                None => listener.listen(net, port),
            });
            if let Err(errno) = listened {
                let number = if errno == Errno::Access { 13 } else { 98 };
                let why = format!("bind() to 0.0.0.0:{port} failed ({number}: {errno})");
                self.notice(sys, "emerg", &why);
                say(sys, &format!("nginx: [emerg] {why}"));
                return Err(Step::Exit(1));
            }
            self.servers.insert(port, listener);
        }
        Ok(())
    }

    /// The certificates that a port shows.
    fn secured(&self, sys: &mut dyn Sys, config: &Config, port: u16) -> Result<Secured, Step> {
        let of_port = |server: &&conf::Server| server.listens.iter().any(|it| it.port == port);
        let files: Vec<(String, String)> =
            config.servers.iter().filter(of_port).filter_map(|it| it.certificate.clone()).collect();
        let mut pairs = Vec::new();
        for (certificate, key) in &files {
            let fs = sys.fs();
            let read = |path: &str| fs.read_text(path).unwrap_or_default();
            pairs.push((read(certificate), read(key)));
        }
        let rng = sys.rng().fork("nginx");
        Secured::of_pem(&pairs, pages::PLAIN_TO_SECURED, rng).map_err(|at| {
            let path = files.get(at).map_or("", |(certificate, _)| certificate.as_str());
            let why = format!(
                "cannot load certificate \"{path}\": PEM_read_bio_X509_AUX() failed (SSL: \
                 error:0480006C:PEM routines::no start line:Expecting: TRUSTED CERTIFICATE)"
            );
            self.refuse(sys, &why, false)
        })
    }

    fn signalled(&mut self, sys: &mut dyn Sys, signal: Signal) -> Option<Step> {
        match signal {
            Signal::Hup => {
                self.received(sys, "SIGHUP", signal, "reconfiguring");
                self.notice(sys, "notice", "reconfiguring");
                let path = file(sys);
                match conf::load(sys.fs(), &path) {
                    Ok(config) => self.loading = Some(Loading::new(config, Purpose::Reload)),
                    Err(why) => self.notice(sys, "emerg", &why),
                }
                None
            }
            Signal::Usr1 => {
                self.received(sys, "SIGUSR1", signal, "reopening logs");
                self.notice(sys, "notice", "reopening logs");
                None
            }
            Signal::Quit => {
                self.received(sys, "SIGQUIT", signal, "shutting down");
                self.worker(sys, "notice", "gracefully shutting down");
                self.quits = true;
                None
            }
            _ => {
                let name = if signal == Signal::Int { "SIGINT" } else { "SIGTERM" };
                self.received(sys, name, signal, "exiting");
                Some(self.gone(sys))
            }
        }
    }

    fn gone(&mut self, sys: &mut dyn Sys) -> Step {
        self.worker(sys, "notice", "exiting");
        self.worker(sys, "notice", "exit");
        self.worker_gone(sys, self.worker);
        self.notice(sys, "notice", "exit");
        if let Some(net) = sys.net() {
            self.servers.values_mut().for_each(|server| server.close(net));
        }
        Step::Exit(0)
    }

    /// Upstream: `ngx_signal_handler` in `src/os/unix/ngx_process.c`.
    fn received(&self, sys: &mut dyn Sys, name: &str, signal: Signal, action: &str) {
        let from = sys.signal_sender().map_or_else(String::new, |pid| format!(" from {pid}"));
        let number = signal.number();
        self.notice(sys, "notice", &format!("signal {number} ({name}) received{from}, {action}"));
    }

    /// A line of the error log, which the image sends to standard error.
    fn notice(&self, sys: &mut dyn Sys, level: &str, line: &str) {
        let pid = sys.pid();
        log_line(sys, level, pid, line);
    }

    /// A line of the error log that a worker writes.
    fn worker(&self, sys: &mut dyn Sys, level: &str, line: &str) {
        log_line(sys, level, self.worker, line);
    }

    /// A line of the error log on a request. What is said of the server that was asked stands before
    /// the host.
    fn trouble(
        &self,
        sys: &mut dyn Sys,
        why: &str,
        incoming: &Incoming,
        port: u16,
        config: &Config,
    ) {
        let (why, upstream) = match why.split_once(", upstream: ") {
            Some((why, url)) => (why, format!(", upstream: {url}")),
            None => (why, String::new()),
        };
        let request = &incoming.request;
        let host = request.headers.get("Host").unwrap_or_default();
        let server = config.server(port, host).and_then(|server| server.names.first());
        let line = format!(
            "*{} {why}, client: {}, server: {}, request: \"{} {} {}\"{upstream}, host: \"{host}\"",
            self.requests,
            incoming.peer.ip(),
            server.map_or("", String::as_str),
            request.method,
            request.target,
            request.version,
        );
        self.worker(sys, "error", &line);
    }

    /// How it calls itself.
    fn signature(&self, actions: &Actions) -> String {
        match actions.tokens {
            Some(false) => "nginx".to_owned(),
            _ => format!("nginx/{}", self.version),
        }
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
            any |= self.go_on_passing(sys, &config);
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
        let name = incoming.request.headers.get("Host").unwrap_or_default();
        let Some(server) = config.server(port, name) else { return };
        let secured = server.listens.iter().any(|listen| listen.port == port && listen.ssl);
        let hostname = sys.hostname().to_owned();
        let mut scope = Scope::of(
            &incoming,
            (&hostname, &self.version),
            (port, secured),
            server.names.first().map_or("", String::as_str),
            sys.now(),
        );
        scope.maps.clone_from(&config.maps);
        scope.set("connection", self.requests.to_string());
        let handled = Way::new(self, config, server, port, &incoming, scope).go(sys);
        self.finish(sys, config, port, incoming, handled);
    }

    /// Answers, or passes on.
    fn finish(
        &mut self,
        sys: &mut dyn Sys,
        config: &Config,
        port: u16,
        incoming: Incoming,
        handled: Handled,
    ) {
        match handled.end.clone() {
            End::Answer(response) => {
                self.respond(sys, config, port, &incoming, &handled, response);
            }
            End::Pass(target) if self.passing.len() < PASSING_MAX => {
                self.pass(sys, config, port, incoming, handled, &target);
            }
            End::Pass(_) => {
                let page = pages::error(503, &self.signature(&handled.actions));
                self.respond(sys, config, port, &incoming, &handled, page);
            }
        }
    }

    fn respond(
        &mut self,
        sys: &mut dyn Sys,
        config: &Config,
        port: u16,
        incoming: &Incoming,
        handled: &Handled,
        mut response: Response,
    ) {
        if let Some(status) = handled.keeps.filter(|status| *status > 0) {
            response = Response { status, ..response };
            response.reason = naru_network::http::reason(status).to_owned();
        }
        let mut scope = handled.scope.clone();
        let length = if incoming.request.method == "HEAD" { 0 } else { response.body.len() };
        let length = if [204, 304].contains(&response.status) { 0 } else { length };
        scope.set("status", response.status.to_string());
        scope.set("body_bytes_sent", length.to_string());
        scope.set("bytes_sent", length.to_string());
        let response = self.headed(sys, incoming, handled, &scope, response);
        log::access(sys, config, &handled.actions, &scope);
        if let Some(server) = self.servers.get_mut(&port) {
            server.respond(incoming, &response);
        }
    }

    /// The answer with its headers in nginx's order. Upstream: `ngx_http_header_filter`.
    fn headed(
        &self,
        sys: &mut dyn Sys,
        incoming: &Incoming,
        handled: &Handled,
        scope: &Scope,
        response: Response,
    ) -> Response {
        let own = response.headers.clone();
        let mut headers = naru_network::http::Headers::new();
        headers.set("Server", self.signature(&handled.actions));
        headers.set("Date", clock::format(sys.now(), clock::HTTP_DATE));
        let bodiless = [204, 304].contains(&response.status);
        if let Some(kind) = own.get("Content-Type").filter(|_| !bodiless) {
            headers.set("Content-Type", kind);
        }
        if !bodiless {
            headers.set("Content-Length", response.body.len().to_string());
        }
        for name in ["Last-Modified", "Location"] {
            if let Some(value) = own.get(name) {
                headers.set(name, value);
            }
        }
        let connection = if incoming.request.keep_alive() { "keep-alive" } else { "close" };
        headers.set("Connection", connection);
        let said = [
            "server",
            "date",
            "content-type",
            "content-length",
            "last-modified",
            "location",
            "connection",
        ];
        for (name, value) in own.iter() {
            if !said.contains(&name.to_lowercase().as_str()) {
                headers.add(name, value);
            }
        }
        let good = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308].contains(&response.status);
        for (name, value, always) in &handled.actions.headers {
            let value = scope.fill(value);
            if (good || *always) && !value.is_empty() {
                headers.add(name, value);
            }
        }
        Response { headers, ..response }
    }
}

impl Loading {
    fn new(config: Config, purpose: Purpose) -> Self {
        Loading { config, purpose, at: 0, resolver: None, found: BTreeMap::new() }
    }

    /// Looks for the hosts, one after the other.
    fn poll(&mut self, sys: &mut dyn Sys) -> Progress<Result<(), String>> {
        while let Some((host, place)) = self.config.hosts.get(self.at).cloned() {
            if host.parse::<IpAddr>().is_ok() || self.found.contains_key(&host) {
                self.at += 1;
                continue;
            }
            let resolver =
                self.resolver.get_or_insert_with(|| Resolver::new(&host, &[RecordType::A]));
            match resolver.poll(sys) {
                Progress::Waits(until) => return Progress::Waits(until),
                Progress::Done(Ok(addresses)) if !addresses.is_empty() => {
                    self.found.insert(host, addresses);
                }
                Progress::Done(Ok(_) | Err(ResolveError::NotFound | ResolveError::TryAgain)) => {
                    let why = format!("host not found in upstream \"{host}\" in {place}");
                    return Progress::Done(Err(why));
                }
            }
            self.resolver = None;
            self.at += 1;
        }
        Progress::Done(Ok(()))
    }
}

/// `nginx -s`
fn signal(sys: &mut dyn Sys, command: &str) -> Step {
    let signal = match command {
        "reload" => Signal::Hup,
        "reopen" => Signal::Usr1,
        "stop" => Signal::Term,
        "quit" => Signal::Quit,
        _ => {
            say(sys, &format!("nginx: invalid option: \"-s {command}\""));
            return Step::Exit(1);
        }
    };
    let now = clock::format(sys.now(), clock::GO_LOG);
    let own = sys.pid();
    say(sys, &format!("{now} [notice] {own}#{own}: signal process started"));
    let file = said(sys, "pid").unwrap_or_else(|| PID_FILE.to_owned());
    let why = match sys.fs().read_text(&file) {
        Err(errno) => format!("open() \"{file}\" failed (2: {errno})"),
        Ok(text) => match text.trim().parse().map(|pid| (pid, sys.kill(pid, signal))) {
            Ok((_, Ok(()))) => return Step::Exit(0),
            Ok((pid, Err(errno))) => {
                format!("kill({pid}, {}) failed (3: {errno})", signal.number())
            }
            Err(_) => format!("invalid PID number \"{}\" in \"{file}\"", text.trim()),
        },
    };
    say(sys, &format!("{now} [error] {own}#{own}: {why}"));
    say(sys, &format!("nginx: [error] {why}"));
    Step::Exit(1)
}

/// `%20` and its kin as the bytes they stand for.
pub fn decode(path: &str) -> String {
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
    fn percent_signs() {
        assert_eq!(decode("/a%20b%2e%"), "/a b.%");
        assert_eq!(decode("/%EB%82%98"), "/나");
    }
}
