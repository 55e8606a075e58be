//! HAProxy: a load balancer before servers, for whole connections and for HTTP requests.
//!
//! Upstream: `haproxy/haproxy` 3.0; its messages are those of `src/haproxy.c`, `src/mworker.c`,
//! `src/check.c` and `src/server.c`.

mod conf;
mod health;
mod session;

use conf::{Balance, Config};
use health::Health;
use naru_shell::serve::{HttpServer, Response};
use naru_shell::{Program, Signal, SocketId, Step, Sys};
use naru_sim::Time;
use session::{Client, Session};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const CONFIG: &str = "/etc/haproxy/haproxy.cfg";
const PROGRAM: &str = "/usr/local/sbin/haproxy";
/// Connections at once. Upstream: `maxconn`, which follows the limit of open files.
const SESSIONS_MAX: usize = 512;
/// The process that does the work beside the master.
const WORKER: u32 = 8;

/// The balancer.
#[derive(Clone, Debug, Default)]
pub struct Haproxy {
    config: Option<Config>,
    fronts: Vec<Front>,
    health: BTreeMap<Place, Health>,
    sessions: Vec<Session>,
    /// The next server of each backend, where they take turns.
    turns: BTreeMap<usize, usize>,
    /// What each backend was given.
    given: BTreeMap<usize, u64>,
}

/// A server: its backend's number and its own.
type Place = (usize, usize);

/// One port that is listened on.
#[derive(Clone, Debug)]
struct Front {
    proxy: usize,
    listener: Listener,
    taken: u64,
}

#[derive(Clone, Debug)]
enum Listener {
    Tcp(SocketId),
    Http(Box<HttpServer>),
}

/// How serious a message is.
#[derive(Clone, Copy)]
enum Level {
    Notice,
    Warning,
    Alert,
}

impl Program for Haproxy {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.config.is_none()
            && let Some(step) = self.start(sys)
        {
            return step;
        }
        if let Some(signal) = sys.take_signal() {
            return self.stop(sys, signal);
        }
        let Some(config) = self.config.clone() else { return Step::Exit(1) };
        self.watch(sys, &config);
        while self.accept(sys, &config) | self.go_on(sys, &config) {}
        let due = self.sessions.iter().filter_map(Session::next_due);
        Step::Block { until: due.chain(self.health.values().map(Health::next_due)).min() }
    }
}

/// A message as HAProxy writes it to standard error.
fn say(sys: &mut dyn Sys, level: Level, pid: u32, text: &str) {
    let level = match level {
        Level::Notice => "[NOTICE]",
        Level::Warning => "[WARNING]",
        Level::Alert => "[ALERT]",
    };
    let _ = sys.write(2, format!("{level:<10} ({pid}) : {text}\n").as_bytes());
}

/// What goes before the first message of a process that has something to complain of.
fn introduce(sys: &mut dyn Sys) {
    let version = sys.env().get("HAPROXY_VERSION").cloned().unwrap_or_else(|| "3.0.11".to_owned());
    say(sys, Level::Notice, 1, &format!("haproxy version is {version}"));
    say(sys, Level::Notice, 1, &format!("path to executable is {PROGRAM}"));
}

/// A line of the log, where the section `global` sends it to standard output.
fn log(sys: &mut dyn Sys, config: &Config, proxy: usize, line: &str) {
    if config.logs && config.proxies.get(proxy).is_some_and(|proxy| proxy.logs) {
        let _ = sys.write(1, format!("{line}\n").as_bytes());
    }
}

impl Haproxy {
    /// Reads the configuration and listens; a step if there is nothing to serve.
    fn start(&mut self, sys: &mut dyn Sys) -> Option<Step> {
        let args = sys.args().to_vec();
        let file = args.iter().position(|arg| arg == "-f").and_then(|at| args.get(at + 1));
        let file = file.cloned().unwrap_or_else(|| CONFIG.to_owned());
        let config = match conf::load(sys.fs(), &file) {
            Ok(config) => config,
            Err(errors) => return Some(refuse(sys, &file, &errors)),
        };
        warn_of_timeouts(sys, &config);
        if args.iter().any(|arg| arg == "-c") {
            let _ = sys.write(1, b"Configuration file is valid\n");
            return Some(Step::Exit(0));
        }
        if let Err(errors) = self.listen(sys, &config) {
            introduce(sys);
            for error in errors {
                say(sys, Level::Alert, 1, &error);
            }
            say(
                sys,
                Level::Alert,
                1,
                "[haproxy.main()] Some protocols failed to start their listeners! Exiting.",
            );
            return Some(Step::Exit(1));
        }
        let now = sys.now();
        for (backend, proxy) in config.proxies.iter().enumerate() {
            for (number, server) in proxy.servers.iter().enumerate() {
                if let Some(check) = server.check {
                    self.health.insert((backend, number), Health::new(check, server.address, now));
                }
            }
        }
        sys.use_memory(12 << 20);
        for signal in [Signal::Int, Signal::Term, Signal::Usr1] {
            sys.catch(signal);
        }
        say(sys, Level::Notice, 1, &format!("New worker ({WORKER}) forked"));
        say(sys, Level::Notice, 1, "Loading success.");
        self.config = Some(config);
        None
    }

    fn listen(&mut self, sys: &mut dyn Sys, config: &Config) -> Result<(), Vec<String>> {
        let mut errors = Vec::new();
        for (number, proxy) in config.proxies.iter().enumerate() {
            for (port, place) in &proxy.binds {
                let Some(net) = sys.net() else { continue };
                let mut http = HttpServer::default();
                let listener = if proxy.http {
                    http.listen(net, *port).map(|()| Listener::Http(Box::new(http)))
                } else {
                    let at = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), *port);
                    net.tcp_listen(at).map(Listener::Tcp)
                };
                match listener {
                    Ok(listener) => {
                        self.fronts.push(Front { proxy: number, listener, taken: 0 });
                    }
                    Err(errno) => errors.push(format!(
                        "Binding [{place}] for {} {}: cannot bind socket ({errno}) for [0.0.0.0:{port}]",
                        proxy.section, proxy.name
                    )),
                }
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn stop(&mut self, sys: &mut dyn Sys, signal: Signal) -> Step {
        introduce(sys);
        say(sys, Level::Warning, 1, "Exiting Master process...");
        let config = self.config.take().unwrap_or_default();
        for (number, proxy) in config.proxies.iter().enumerate() {
            let mine = self.fronts.iter().filter(|front| front.proxy == number);
            let taken: u64 = mine.map(|front| front.taken).sum();
            let given = self.given.get(&number).copied().unwrap_or(0);
            let line = format!(
                "Proxy {} stopped (cumulative conns: FE: {taken}, BE: {given}).",
                proxy.name
            );
            say(sys, Level::Warning, WORKER, &line);
        }
        let code = if signal == Signal::Usr1 { 0 } else { 128 + signal.number() };
        say(sys, Level::Warning, 1, &format!("All workers exited. Exiting... ({code})"));
        Step::Exit(code)
    }

    /// Goes on with the checks of servers, and tells what they found.
    fn watch(&mut self, sys: &mut dyn Sys, config: &Config) {
        let now = sys.now();
        let places: Vec<Place> = self.health.keys().copied().collect();
        for place in places {
            let found = match (self.health.get_mut(&place), sys.net()) {
                (Some(health), Some(net)) => health.go_on(net, now),
                _ => None,
            };
            let Some(found) = found else { continue };
            self.tell(sys, config, place, &found);
        }
    }

    /// Says that a server is up or down.
    fn tell(&self, sys: &mut dyn Sys, config: &Config, place: Place, found: &health::Change) {
        let Some(backend) = config.proxies.get(place.0) else { return };
        let Some(server) = backend.servers.get(place.1) else { return };
        let left = (0..backend.servers.len()).filter(|it| self.is_up((place.0, *it))).count();
        let open = self.sessions.iter().filter(|it| it.server == Some(place)).count();
        let (state, rest) = if found.up {
            (
                "UP",
                format!(
                    "{left} active and 0 backup servers online. 0 sessions requeued, 0 total in queue."
                ),
            )
        } else {
            (
                "DOWN",
                format!(
                    "{left} active and 0 backup servers left. {open} sessions active, 0 requeued, 0 \
                     remaining in queue."
                ),
            )
        };
        let line = format!(
            "Server {}/{} is {state}, reason: {}, check duration: {}ms. {rest}",
            backend.name,
            server.name,
            found.reason,
            found.took.as_millis()
        );
        say(sys, Level::Warning, WORKER, &line);
        log(sys, config, place.0, &line);
        if left == 0 {
            let (section, name) = (&backend.section, &backend.name);
            let line = format!("{section} '{name}' has no server available!");
            say(sys, Level::Alert, WORKER, &line);
            log(sys, config, place.0, &format!("{section} {name} has no server available!"));
        }
    }

    fn is_up(&self, place: Place) -> bool {
        self.health.get(&place).is_none_or(Health::is_up)
    }

    /// Takes what came in; tells whether something did.
    fn accept(&mut self, sys: &mut dyn Sys, config: &Config) -> bool {
        let now = sys.now();
        let mut came: Vec<(usize, SocketAddr, Client)> = Vec::new();
        for (number, front) in self.fronts.iter_mut().enumerate() {
            let Some(net) = sys.net() else { return false };
            let before = came.len();
            match &mut front.listener {
                Listener::Tcp(listener) => {
                    while let Ok((socket, peer)) = net.accept(*listener) {
                        came.push((number, peer, Client::Tcp(socket)));
                    }
                }
                Listener::Http(server) => {
                    let requests = server.poll(net, now).into_iter();
                    came.extend(requests.map(|it| (number, it.peer, Client::Http(Box::new(it)))));
                }
            }
            front.taken = front.taken.saturating_add((came.len() - before) as u64);
        }
        let any = !came.is_empty();
        for (front, peer, client) in came {
            self.begin(sys, config, front, peer, client);
        }
        any
    }

    /// Finds who shall serve a client.
    fn begin(
        &mut self,
        sys: &mut dyn Sys,
        config: &Config,
        front: usize,
        peer: SocketAddr,
        client: Client,
    ) {
        let Some(proxy) = self.fronts.get(front).map(|front| front.proxy) else { return };
        let own = config.proxies.get(proxy);
        let wanted = own.map_or("", |proxy| proxy.default_backend.as_str());
        let named = config.proxies.iter().position(|it| it.is_back() && it.name == wanted);
        let backend = named.or_else(|| own.filter(|it| it.is_back()).map(|_| proxy));
        if let Some(backend) = backend {
            let given = self.given.entry(backend).or_default();
            *given = given.saturating_add(1);
        }
        let full = self.sessions.len() >= SESSIONS_MAX;
        let server = backend.filter(|_| !full).and_then(|it| self.choose(config, it, peer));
        let now = sys.now();
        let session = Session::new(front, proxy, backend, server, peer, client, now);
        self.sessions.push(session);
    }

    /// The server of a backend that is next.
    fn choose(&mut self, config: &Config, backend: usize, peer: SocketAddr) -> Option<Place> {
        let proxy = config.proxies.get(backend)?;
        let up = (0..proxy.servers.len()).filter(|it| self.is_up((backend, *it)));
        let up: Vec<usize> = up.collect();
        if up.is_empty() {
            return None;
        }
        let index = match proxy.balance {
            Balance::First => 0,
            Balance::Source => match peer.ip() {
                IpAddr::V4(ip) => ip.to_bits() as usize % up.len(),
                IpAddr::V6(ip) => (ip.to_bits() % up.len() as u128) as usize,
            },
            Balance::LeastConn => {
                let open = |place| self.sessions.iter().filter(|it| it.server == place).count();
                (0..up.len()).min_by_key(|it| open(up.get(*it).map(|number| (backend, *number))))?
            }
            Balance::RoundRobin => {
                let turn = self.turns.entry(backend).or_default();
                // The next one after the last, of those that are up.
                let index = up.iter().position(|it| *it >= *turn).unwrap_or(0);
                *turn = up.get(index)? + 1;
                index
            }
        };
        up.get(index).map(|number| (backend, *number))
    }

    /// Goes on with those that are served; tells whether one has ended.
    fn go_on(&mut self, sys: &mut dyn Sys, config: &Config) -> bool {
        let now = sys.now();
        let mut open = Vec::new();
        let mut ended = Vec::new();
        for mut session in std::mem::take(&mut self.sessions) {
            match session.go_on(sys, config) {
                None => open.push(session),
                Some(end) => ended.push((session, end)),
            }
        }
        let any = !ended.is_empty();
        let counts: Vec<(usize, usize)> = open.iter().map(|it| (it.front, it.proxy)).collect();
        self.sessions = open;
        for (session, end) in ended {
            if let (Client::Http(incoming), Some(answer)) = (&session.client, &end.answer) {
                self.answer(session.front, incoming, answer);
            }
            let fellows = counts.iter().filter(|(_, proxy)| *proxy == session.proxy).count();
            let line = session.line(config, &end, (counts.len() + 1, fellows + 1), now);
            if let Some(line) = line {
                log(sys, config, session.proxy, &line);
            }
        }
        if let Some(net) = sys.net() {
            for front in &mut self.fronts {
                if let Listener::Http(server) = &mut front.listener {
                    server.flush(net);
                }
            }
        }
        any
    }

    fn answer(&mut self, front: usize, incoming: &naru_shell::serve::Incoming, answer: &Response) {
        if let Some(Front { listener: Listener::Http(server), .. }) = self.fronts.get_mut(front) {
            server.respond(incoming, answer);
        }
    }
}

/// Says why a configuration is not followed.
fn refuse(sys: &mut dyn Sys, file: &str, errors: &[String]) -> Step {
    introduce(sys);
    for error in errors {
        say(sys, Level::Alert, 1, &format!("config : {error}"));
    }
    if errors.iter().any(|error| error.starts_with("parsing")) {
        let line = format!("config : Error(s) found in configuration file : {file}");
        say(sys, Level::Alert, 1, &line);
    }
    if !errors.iter().any(|error| error.starts_with("Cannot open")) {
        say(sys, Level::Alert, 1, "config : Fatal errors found in configuration.");
    }
    Step::Exit(1)
}

/// Upstream: the end of `check_config_validity` in `src/cfgparse.c`.
fn warn_of_timeouts(sys: &mut dyn Sys, config: &Config) {
    let lacks = |proxy: &&conf::Proxy| {
        let without = |name| proxy.timeout(name).is_none_or(|it| it.is_zero());
        proxy.is_front() && without("client")
            || proxy.is_back() && (without("connect") || without("server"))
    };
    let lacking: Vec<&conf::Proxy> = config.proxies.iter().filter(lacks).collect();
    if !lacking.is_empty() {
        introduce(sys);
    }
    for proxy in lacking {
        let text = format!(
            "config : missing timeouts for {} '{}'.\n   | While not properly invalid, you will \
             certainly encounter various problems\n   | with such a configuration. To fix this, \
             please ensure that all following\n   | timeouts are set to a non-zero value: \
             'client', 'connect', 'server'.",
            proxy.section, proxy.name
        );
        say(sys, Level::Warning, 1, &text);
    }
}

/// Milliseconds from one moment to another.
fn millis(from: Time, to: Time) -> u128 {
    to.since(from).as_millis()
}
