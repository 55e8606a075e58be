//! `redis-server`.

use super::commands::{self, matches};
use super::config::Config;
use super::db::Db;
use super::dump::{self, Dbs};
use super::info::{self, Facts};
use super::link::{Link, News};
use super::resp::{array, bulk, number, ok, parse, unknown};
use super::session::{Follower, Session};
use naru_shell::serve::clock;
use naru_shell::{Errno, Program, Signal, SocketId, Step, Sys};
use naru_sim::Time;
use sha2::{Digest as _, Sha256};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Clients at one time, keys of a database, commands of one `MULTI`.
const CLIENTS_MAX: usize = 1_024;
const KEYS_MAX: usize = 100_000;
const QUEUE_MAX: usize = 1_024;
/// What an empty server holds, in bytes: as `INFO` counts it, and as the kernel does.
const EMPTY_BYTES: u64 = 905_216;
const RESIDENT_BYTES: u64 = 7 << 20;

const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
const READ_ONLY: &str = "-READONLY You can't write against a read only replica.\r\n";
const NO_AUTH: &str = "-NOAUTH Authentication required.\r\n";
const WRONG_PASS: &str = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";

/// `redis-server [FILE] [--NAME VALUE …]`.
#[derive(Clone, Debug, Default)]
pub struct RedisServer {
    listener: Option<SocketId>,
    config: Config,
    sessions: Vec<Session>,
    dbs: Dbs,
    link: Option<Link>,
    /// Its name as a master, and how much it has told its replicas.
    replid: String,
    offset: u64,
    /// The database that the stream to its replicas is in.
    stream_db: Option<usize>,
    next_ping: Option<Time>,
    started: Time,
    saved: Time,
    /// Changes since the last save, and whether the append only file lacks some.
    dirty: u64,
    behind: Option<Time>,
    counts: Counts,
    version: String,
    /// How the process is to end.
    exit: Option<i32>,
    held: u64,
}

#[derive(Clone, Debug, Default)]
struct Counts {
    connections: u64,
    commands: u64,
    evicted: u64,
    hits: u64,
    misses: u64,
}

impl Program for RedisServer {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.listener.is_none()
            && let Err(step) = self.start(sys)
        {
            return step;
        }
        if let Some(signal) = sys.take_signal() {
            let name = if signal == Signal::Int { "SIGINT" } else { "SIGTERM" };
            let line = format!("Received {name} scheduling shutdown...");
            let said = format!("{}:signal-handler ({}) {line}\n", sys.pid(), unix(sys.now()));
            let _ = sys.write(1, said.as_bytes());
            return self.shut_down(sys, true);
        }
        self.serve(sys);
        self.follow(sys);
        self.keep(sys);
        if let Some(code) = self.exit {
            return Step::Exit(code);
        }
        self.hold_memory(sys);
        Step::Block { until: self.next_due() }
    }
}

fn unix(time: Time) -> i64 {
    time.unix_micros() / 1_000_000
}

impl RedisServer {
    fn start(&mut self, sys: &mut dyn Sys) -> Result<(), Step> {
        sys.catch(Signal::Term);
        sys.catch(Signal::Int);
        self.version = sys.env().get("REDIS_VERSION").cloned().unwrap_or_else(|| "7.4.3".into());
        self.started = sys.now();
        self.saved = sys.now();
        let named = format!("{} {} {:?}", sys.hostname(), sys.pid(), sys.now());
        self.replid = hex(&named);
        let args: Vec<String> = sys.args().iter().skip(1).cloned().collect();
        if args.iter().any(|arg| arg == "--version" || arg == "-v") {
            let version = &self.version;
            let line =
                format!("Redis server v={version} sha=00000000:0 malloc=jemalloc-5.3.0 bits=64\n");
            let _ = sys.write(1, line.as_bytes());
            return Err(Step::Exit(0));
        }
        self.configure(sys, &args)?;
        let (strong, version) = (self.mark(), self.version.clone());
        self.log(sys, 'C', strong, "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo");
        let line = format!(
            "Redis version={version}, bits=64, commit=00000000, modified=0, pid={}, just started",
            sys.pid()
        );
        self.log(sys, 'C', strong, &line);
        if args.is_empty() {
            let line = "Warning: no config file specified, using the default config. In order to \
                        specify a config file use redis-server /path/to/redis.conf";
            self.log(sys, 'C', "#", line);
        } else {
            self.log(sys, 'C', strong, "Configuration loaded");
        }
        let title = format!("redis-server *:{}", self.port());
        sys.retitle(&title);
        self.listen(sys)?;
        if let Some((host, port)) = self.config.master() {
            self.link = Some(Link::new(&host, port, sys.now()));
        }
        self.load(sys)?;
        let ready = match self.version.as_str() {
            it if major(it) >= 8 || it.starts_with("7.2") || it.starts_with("7.4") => {
                "Ready to accept connections tcp"
            }
            _ => "Ready to accept connections",
        };
        self.say(sys, "*", ready);
        Ok(())
    }

    /// The mark of the lines that older servers set off.
    fn mark(&self) -> &'static str {
        if major(&self.version) >= 7 { "*" } else { "#" }
    }

    fn port(&self) -> u16 {
        self.config.get("port").parse().unwrap_or(super::PORT)
    }

    fn configure(&mut self, sys: &mut dyn Sys, args: &[String]) -> Result<(), Step> {
        let (file, options) = match args.split_first() {
            Some((file, options)) if !file.starts_with("--") => (Some(file), options),
            _ => (None, args),
        };
        if major(&self.version) < 7 {
            let _ = self.config.set("save", "900 1 300 10 60 10000");
        }
        if let Some(file) = file {
            let path = sys.absolute(file);
            match sys.fs().read_text(&path) {
                Ok(text) => {
                    self.config.read(&text).map_err(|why| self.refuse(sys, &why))?;
                    self.config.file = Some(path);
                }
                Err(errno) => {
                    let line = format!("Fatal error, can't open config file '{path}': {errno}");
                    self.log(sys, 'C', "#", &line);
                    return Err(Step::Exit(1));
                }
            }
        }
        self.config.read_options(options).map_err(|why| self.refuse(sys, &why))
    }

    fn refuse(&self, sys: &mut dyn Sys, why: &str) -> Step {
        let text = format!("\n*** FATAL CONFIG FILE ERROR (Redis {}) ***\n{why}", self.version);
        let _ = sys.write(2, text.as_bytes());
        Step::Exit(1)
    }

    fn listen(&mut self, sys: &mut dyn Sys) -> Result<(), Step> {
        let port = self.port();
        let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let listened = sys.net().ok_or(Errno::NetUnreachable).and_then(|net| net.tcp_listen(at));
        match listened {
            Ok(listener) => {
                self.listener = Some(listener);
                let strong = self.mark();
                if strong == "*" {
                    self.say(sys, "*", "monotonic clock: POSIX clock_gettime");
                }
                self.say(sys, "*", &format!("Running mode=standalone, port={port}."));
                self.say(sys, strong, "Server initialized");
                Ok(())
            }
            Err(errno) => {
                let line = format!(
                    "Warning: Could not create server TCP listening socket *:{port}: bind: {errno}"
                );
                self.say(sys, "#", &line);
                self.say(sys, "#", "Failed listening on port 6379 (tcp), aborting.");
                Err(Step::Exit(1))
            }
        }
    }

    /// A line of the log, in the server's present role.
    fn say(&self, sys: &mut dyn Sys, mark: &str, line: &str) {
        let role = if self.config.master().is_some() { 'S' } else { 'M' };
        self.log(sys, role, mark, line);
    }

    fn log(&self, sys: &mut dyn Sys, role: char, mark: &str, line: &str) {
        let time = clock::format(sys.now(), clock::REDIS);
        let pid = sys.pid();
        let _ = sys.write(1, format!("{pid}:{role} {time} {mark} {line}\n").as_bytes());
    }

    fn next_due(&self) -> Option<Time> {
        let link = self.link.as_ref().and_then(Link::next_due);
        let save = self.save_at();
        let append = self.behind.map(|since| since + Duration::from_secs(1));
        [link, self.next_ping, save, append].into_iter().flatten().min()
    }

    fn hold_memory(&mut self, sys: &mut dyn Sys) {
        let bytes = RESIDENT_BYTES.saturating_add(self.memory());
        if bytes.abs_diff(self.held) > 64 << 10 || self.held == 0 {
            self.held = bytes;
            sys.use_memory(bytes);
        }
    }

    /// What `INFO` counts, in bytes.
    fn memory(&self) -> u64 {
        let data: usize = self.dbs.values().map(Db::bytes).sum();
        EMPTY_BYTES.saturating_add(u64::try_from(data).unwrap_or(u64::MAX))
    }
}

/// What is kept on disk.
impl RedisServer {
    fn path(&self, sys: &dyn Sys) -> String {
        let folder = sys.absolute(self.config.get("dir"));
        match self.config.is("appendonly") {
            true => {
                let (name, file) =
                    (self.config.get("appenddirname"), self.config.get("appendfilename"));
                format!("{folder}/{name}/{file}.1.base.rdb")
            }
            false => format!("{folder}/{}", self.config.get("dbfilename")),
        }
    }

    fn load(&mut self, sys: &mut dyn Sys) -> Result<(), Step> {
        let path = self.path(sys);
        let Ok(bytes) = sys.fs().read(&path) else {
            return Ok(());
        };
        let Some((dbs, loaded, ended)) = dump::read(&bytes, sys.now()) else {
            self.say(sys, "#", "Wrong signature trying to load DB from file");
            self.say(sys, "#", "Fatal error loading the DB, check server logs. Exiting.");
            return Err(Step::Exit(1));
        };
        self.dbs = dbs;
        self.say(sys, "*", &format!("Loading RDB produced by version {}", self.version));
        let line = format!("Done loading RDB, keys loaded: {loaded}, keys expired: {ended}.");
        self.say(sys, "*", &line);
        let from = match self.config.is("appendonly") {
            true => "append only file",
            false => "disk",
        };
        self.say(sys, "*", &format!("DB loaded from {from}: 0.000 seconds"));
        Ok(())
    }

    fn save(&mut self, sys: &mut dyn Sys) -> Result<(), Errno> {
        let path = self.path(sys);
        let bytes = dump::write(&self.dbs);
        let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder).to_owned();
        let fs = sys.fs();
        let written = fs.mkdir_all(&folder).and_then(|()| fs.write(&path, &bytes));
        match written {
            Ok(()) => {
                self.dirty = 0;
                self.saved = sys.now();
            }
            Err(errno) => {
                let line = format!(
                    "Failed opening the temp RDB file temp-{}.rdb (in server root dir {folder}) for \
                     saving: {errno}",
                    sys.pid()
                );
                self.say(sys, "#", &line);
            }
        }
        written
    }

    /// When enough has changed for a save.
    fn save_at(&self) -> Option<Time> {
        let points = self.points();
        let reached = points.iter().filter(|(_, changes)| self.dirty >= *changes);
        reached.map(|(seconds, _)| self.saved + Duration::from_secs(*seconds)).min()
    }

    fn points(&self) -> Vec<(u64, u64)> {
        let words: Vec<&str> = self.config.get("save").split_whitespace().collect();
        let pair = |pair: &[&str]| match pair {
            [seconds, changes] => Some((seconds.parse().ok()?, changes.parse().ok()?)),
            _ => None,
        };
        words.chunks(2).filter_map(pair).collect()
    }

    /// Saves what is due.
    fn keep(&mut self, sys: &mut dyn Sys) {
        let now = sys.now();
        if self.behind.is_some_and(|since| since + Duration::from_secs(1) <= now) {
            self.behind = None;
            let _ = self.save(sys);
        }
        if self.dirty > 0 && self.save_at().is_some_and(|at| at <= now) {
            let due = self.points().into_iter().find(|(seconds, changes)| {
                self.dirty >= *changes && self.saved + Duration::from_secs(*seconds) <= now
            });
            if let Some((seconds, changes)) = due {
                let line = format!("{changes} changes in {seconds} seconds. Saving...");
                self.say(sys, "*", &line);
            }
            if self.save(sys).is_ok() {
                self.say(sys, "*", "Background saving terminated with success");
            } else {
                // Upstream waits CONFIG_BGSAVE_RETRY_DELAY before it tries again.
                self.saved = now;
            }
        }
    }

    fn shut_down(&mut self, sys: &mut dyn Sys, told: bool) -> Step {
        self.say(sys, "*", "User requested shutdown...");
        if told && (!self.points().is_empty() || self.config.is("appendonly")) {
            self.say(sys, "*", "Saving the final RDB snapshot before exiting.");
            match self.save(sys) {
                Ok(()) => self.say(sys, "*", "DB saved on disk"),
                Err(_) => self.say(sys, "#", "Error trying to save the DB, can't exit."),
            }
        }
        let strong = self.mark();
        self.say(sys, strong, "Redis is now ready to exit, bye bye...");
        Step::Exit(0)
    }
}

/// What a replica does.
impl RedisServer {
    fn follow(&mut self, sys: &mut dyn Sys) {
        let Some(mut link) = self.link.take() else { return };
        let password = self.config.get("masterauth").to_owned();
        let port = self.port();
        let news = link.go_on(sys, &password, port);
        let mut heard = false;
        let mut db = 0;
        for item in news {
            match item {
                News::Log(mark, line) => self.say(sys, mark, &line),
                News::Copy(bytes) => {
                    if let Some((dbs, ..)) = dump::read(&bytes, sys.now()) {
                        self.dbs = dbs;
                    }
                    self.replid.clone_from(&link.replid);
                    self.offset = link.offset;
                    db = self.stream_db.take().unwrap_or(0);
                    heard = true;
                }
                News::Command(words, taken) => {
                    link.offset = link.offset.saturating_add(taken as u64);
                    self.offset = link.offset;
                    heard = true;
                    db = self.replay(&words, sys.now(), self.stream_db.unwrap_or(db));
                }
            }
        }
        if heard {
            link.acknowledge(sys);
        }
        self.link = Some(link);
    }

    /// Does what the master has done; tells in which database.
    fn replay(&mut self, words: &[String], now: Time, db: usize) -> usize {
        let name = words.first().map(|word| word.to_lowercase()).unwrap_or_default();
        let args: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        let db = match (name.as_str(), args.as_slice()) {
            ("select", [number]) => number.parse().unwrap_or(db),
            _ => db,
        };
        self.stream_db = Some(db);
        if name == "flushall" {
            self.dbs.clear();
        } else if commands::find(&name).is_some_and(|known| known.writes) {
            let data = self.dbs.entry(db).or_default();
            data.expire(now);
            let _ = commands::run(data, &name, &args, now);
            self.changed(now);
        }
        db
    }

    fn changed(&mut self, now: Time) {
        self.dirty = self.dirty.saturating_add(1);
        if self.config.is("appendonly") && self.behind.is_none() {
            self.behind = Some(now);
        }
    }
}

/// What it does with its clients.
impl RedisServer {
    fn serve(&mut self, sys: &mut dyn Sys) {
        let (Some(listener), Some(net)) = (self.listener, sys.net()) else { return };
        while self.sessions.len() < CLIENTS_MAX {
            let Ok((socket, peer)) = net.accept(listener) else { break };
            self.counts.connections += 1;
            self.sessions.push(Session::new(self.counts.connections, socket, peer));
        }
        let mut sessions = std::mem::take(&mut self.sessions);
        for session in &mut sessions {
            if let Some(net) = sys.net() {
                session.receive(net);
            }
        }
        self.sessions = sessions;
        for at in 0..self.sessions.len() {
            self.answer(sys, at);
        }
        self.ping_replicas(sys.now());
        let mut gone = Vec::new();
        let Some(net) = sys.net() else { return };
        self.sessions.retain_mut(|session| {
            let there = session.flush(net);
            if !there && let Some(replica) = &session.replica {
                gone.push(format!("{}:{}", session.peer.ip(), replica.port));
            }
            there
        });
        for name in gone {
            self.say(sys, "*", &format!("Connection with replica {name} lost."));
        }
        if self.sessions.iter().all(|session| session.replica.is_none()) {
            self.next_ping = None;
        }
    }

    fn answer(&mut self, sys: &mut dyn Sys, at: usize) {
        loop {
            let Some(session) = self.sessions.get_mut(at) else { return };
            let words = match parse(&session.input) {
                Ok(Some((words, taken))) => {
                    session.input.drain(..taken.min(session.input.len()));
                    words
                }
                Ok(None) => return,
                Err(error) => {
                    session.output.extend(error.into_bytes());
                    session.last = true;
                    return;
                }
            };
            if words.is_empty() {
                continue;
            }
            self.counts.commands += 1;
            sys.burn(Duration::from_micros(20));
            let Some(mut session) = self.sessions.get(at).cloned() else { return };
            session.input.clear();
            session.output.clear();
            let answer = self.command(sys, &mut session, &words);
            if let Some(own) = self.sessions.get_mut(at) {
                own.output.extend(answer);
                let (input, output) =
                    (std::mem::take(&mut own.input), std::mem::take(&mut own.output));
                *own = Session { input, output, ..session };
                if own.last {
                    return;
                }
            }
        }
    }

    fn command(&mut self, sys: &mut dyn Sys, session: &mut Session, words: &[String]) -> Vec<u8> {
        let name = words.first().map(|word| word.to_lowercase()).unwrap_or_default();
        let args: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        let refusal = self.refusal(session, &name, words, &args);
        if let Some(refusal) = refusal {
            if let Some((_, wrong)) = &mut session.queue {
                *wrong = true;
            }
            return refusal.into_bytes();
        }
        let own = ["exec", "discard", "multi", "quit"];
        if let Some((queue, _)) = &mut session.queue
            && !own.contains(&name.as_str())
        {
            if queue.len() < QUEUE_MAX {
                queue.push(words.to_vec());
            }
            return b"+QUEUED\r\n".to_vec();
        }
        match (name.as_str(), args.as_slice()) {
            ("multi", []) if session.queue.is_some() => {
                b"-ERR MULTI calls can not be nested\r\n".to_vec()
            }
            ("multi", []) => {
                session.queue = Some(Default::default());
                ok().into_bytes()
            }
            ("discard", []) => match session.queue.take() {
                Some(_) => ok().into_bytes(),
                None => b"-ERR DISCARD without MULTI\r\n".to_vec(),
            },
            ("exec", []) => match session.queue.take() {
                None => b"-ERR EXEC without MULTI\r\n".to_vec(),
                Some((_, true)) => {
                    b"-EXECABORT Transaction discarded because of previous errors.\r\n".to_vec()
                }
                Some((queue, false)) => {
                    let mut answer = format!("*{}\r\n", queue.len()).into_bytes();
                    for words in queue {
                        answer.extend(self.command(sys, session, &words));
                    }
                    answer
                }
            },
            ("psync", _) => self.begin_sync(sys, session),
            _ => self.own_command(sys, session, &name, &args).unwrap_or_else(|| {
                self.data_command(sys, session.db, &name, &args, words).into_bytes()
            }),
        }
    }

    /// Why a command is not done at all.
    fn refusal(
        &self,
        session: &Session,
        name: &str,
        words: &[String],
        args: &[&str],
    ) -> Option<String> {
        let Some(known) = commands::find(name) else {
            let said = words.first().map_or("", String::as_str);
            return Some(unknown(said, args));
        };
        if !known.takes(words.len()) {
            return Some(format!("-ERR wrong number of arguments for '{name}' command\r\n"));
        }
        let open = ["auth", "hello", "quit"].contains(&name);
        let locked = !self.config.get("requirepass").is_empty() && !session.authenticated;
        if locked && !open {
            return Some(NO_AUTH.to_owned());
        }
        if known.writes && self.link.is_some() && self.config.is("replica-read-only") {
            return Some(READ_ONLY.to_owned());
        }
        None
    }

    /// What is not about data.
    fn own_command(
        &mut self,
        sys: &mut dyn Sys,
        session: &mut Session,
        name: &str,
        args: &[&str],
    ) -> Option<Vec<u8>> {
        let now = sys.now();
        Some(
            match (name, args) {
                ("ping", []) => "+PONG\r\n".to_owned(),
                ("ping" | "echo", [text]) => bulk(Some(text)),
                ("quit", _) => {
                    session.last = true;
                    ok()
                }
                ("auth", words) => self.authenticate(session, words),
                ("select", [number]) => self.select(session, number),
                ("hello", []) | ("hello", ["2", ..]) => array(["server", "redis"].into_iter()),
                ("hello", _) => "-NOPROTO unsupported protocol version\r\n".to_owned(),
                ("client", [what, rest @ ..]) => client(session, &what.to_lowercase(), rest),
                ("command", _) => array(std::iter::empty()),
                ("config", [what, rest @ ..]) => self.configured(&what.to_lowercase(), rest),
                ("info", sections) => bulk(Some(&self.info(sys, sections))),
                ("save" | "bgsave", _) => match self.save(sys) {
                    Err(_) => "-ERR\r\n".to_owned(),
                    Ok(()) if name == "save" => {
                        self.say(sys, "*", "DB saved on disk");
                        ok()
                    }
                    Ok(()) => "+Background saving started\r\n".to_owned(),
                },
                ("lastsave", []) => number(unix(self.saved)),
                ("time", []) => {
                    let micros = now.unix_micros();
                    let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
                    array([seconds.to_string(), rest.to_string()].iter().map(String::as_str))
                }
                ("role", []) => self.role(),
                ("replicaof" | "slaveof", [host, port]) => self.become_replica(sys, host, port),
                ("replconf", words) => return Some(self.told(session, words)),
                ("flushall", _) => {
                    self.dbs.clear();
                    self.tell_replicas(session.db, &["FLUSHALL".to_owned()], now);
                    self.changed(now);
                    ok()
                }
                ("shutdown", options) => {
                    let saves = !options.iter().any(|word| word.eq_ignore_ascii_case("nosave"));
                    if let Step::Exit(code) = self.shut_down(sys, saves) {
                        self.exit = Some(code);
                    }
                    session.last = true;
                    String::new()
                }
                _ => return None,
            }
            .into_bytes(),
        )
    }

    fn authenticate(&self, session: &mut Session, words: &[&str]) -> String {
        let password = self.config.get("requirepass");
        match words {
            [_] if password.is_empty() => {
                "-ERR AUTH <password> called without any password configured for the default user. \
                 Are you sure your configuration is correct?\r\n"
                    .to_owned()
            }
            [said] | ["default", said] if *said == password => {
                session.authenticated = true;
                ok()
            }
            _ => WRONG_PASS.to_owned(),
        }
    }

    fn select(&self, session: &mut Session, text: &str) -> String {
        let Ok(wanted) = text.parse::<i64>() else {
            return "-ERR value is not an integer or out of range\r\n".to_owned();
        };
        match usize::try_from(wanted) {
            Ok(wanted) if (wanted as u64) < self.config.number("databases") => {
                session.db = wanted;
                ok()
            }
            _ => "-ERR DB index is out of range\r\n".to_owned(),
        }
    }

    fn configured(&mut self, what: &str, args: &[&str]) -> String {
        match (what, args) {
            ("get", [_, ..]) => {
                let lower: Vec<String> = args.iter().map(|arg| arg.to_lowercase()).collect();
                let fits = |name: &str| lower.iter().any(|pattern| matches(pattern, name));
                array(self.config.fitting(fits).into_iter())
            }
            ("set", [name, value]) => match self.config.set(name, value) {
                Ok(()) => ok(),
                Err(why) => format!("-ERR {why}\r\n"),
            },
            ("resetstat", []) => {
                self.counts = Counts { connections: self.counts.connections, ..Counts::default() };
                ok()
            }
            ("rewrite", []) if self.config.file.is_none() => {
                "-ERR The server is running without a config file\r\n".to_owned()
            }
            ("rewrite", []) => "-ERR Rewriting config file: Read-only file system\r\n".to_owned(),
            ("get" | "set" | "resetstat" | "rewrite", _) => {
                format!("-ERR wrong number of arguments for 'config|{what}' command\r\n")
            }
            _ => format!("-ERR unknown subcommand '{what}'. Try CONFIG HELP.\r\n"),
        }
    }

    fn info(&self, sys: &dyn Sys, sections: &[&str]) -> String {
        let counts = &self.counts;
        let facts = Facts {
            version: &self.version,
            pid: sys.pid(),
            port: self.port(),
            replid: &self.replid,
            offset: self.offset,
            config_file: self.config.file.as_deref().unwrap_or_default(),
            maxmemory: self.config.number("maxmemory"),
            policy: self.config.get("maxmemory-policy"),
            appends: self.config.is("appendonly"),
            read_only: self.config.is("replica-read-only"),
            now: sys.now(),
            started: self.started,
            saved: self.saved,
            dirty: self.dirty,
            memory: self.memory(),
            connections: counts.connections,
            commands: counts.commands,
            expired: 0,
            evicted: counts.evicted,
            hits: counts.hits,
            misses: counts.misses,
            sessions: &self.sessions,
            link: self.link.as_ref(),
            dbs: &self.dbs,
        };
        info::text(&facts, sections)
    }

    fn data_command(
        &mut self,
        sys: &mut dyn Sys,
        db: usize,
        name: &str,
        args: &[&str],
        words: &[String],
    ) -> String {
        let now = sys.now();
        let writes = commands::find(name).is_some_and(|known| known.writes);
        if writes && !["del", "unlink"].contains(&name) && !self.make_room() {
            return OOM.to_owned();
        }
        let data = self.dbs.entry(db).or_default();
        data.expire(now);
        let Some(answer) = commands::run(data, name, args, now) else {
            return unknown(words.first().map_or("", String::as_str), args);
        };
        if name == "get" {
            let hit = answer != "$-1\r\n";
            self.counts.hits += u64::from(hit);
            self.counts.misses += u64::from(!hit);
        }
        if writes && !answer.starts_with('-') {
            self.changed(now);
            self.tell_replicas(db, words, now);
        }
        answer
    }

    /// Whether something may be stored, after what its policy allows to be taken away.
    fn make_room(&mut self) -> bool {
        let keys: usize = self.dbs.values().map(Db::len).sum();
        let most = self.config.number("maxmemory");
        if keys >= KEYS_MAX {
            return false;
        }
        let policy = self.config.get("maxmemory-policy").to_owned();
        while most > 0 && self.memory() > most {
            let ending = policy.starts_with("volatile");
            let mut dbs = self.dbs.values_mut().filter(|db| db.len() > 0);
            if policy == "noeviction" || !dbs.any(|db| db.evict(ending)) {
                return false;
            }
            self.counts.evicted += 1;
        }
        true
    }
}

/// What a master does.
impl RedisServer {
    fn begin_sync(&mut self, sys: &mut dyn Sys, session: &mut Session) -> Vec<u8> {
        let replica = session.replica.get_or_insert_with(Follower::default);
        let name = format!("{}:{}", session.peer.ip(), replica.port);
        replica.online = true;
        replica.offset = self.offset;
        session.authenticated = true;
        self.say(sys, "*", &format!("Replica {name} asks for synchronization"));
        self.say(sys, "*", &format!("Full resync requested by replica {name}"));
        if self.next_ping.is_none() {
            let line = format!(
                "Replication backlog created, my new replication IDs are '{}' and '{}'",
                self.replid,
                "0".repeat(40)
            );
            self.say(sys, "*", &line);
        }
        self.say(sys, "*", "Starting BGSAVE for SYNC with target: disk");
        self.say(sys, "*", &format!("Synchronization with replica {name} succeeded"));
        self.next_ping = Some(sys.now() + self.ping_period());
        // The stream begins by saying its database again.
        self.stream_db = None;
        let copy = dump::write(&self.dbs);
        let mut answer =
            format!("+FULLRESYNC {} {}\r\n${}\r\n", self.replid, self.offset, copy.len())
                .into_bytes();
        answer.extend(copy);
        answer
    }

    fn ping_period(&self) -> Duration {
        Duration::from_secs(self.config.number("repl-ping-replica-period").max(1))
    }

    fn ping_replicas(&mut self, now: Time) {
        if self.next_ping.is_some_and(|at| at <= now) {
            self.next_ping = Some(now + self.ping_period());
            if self.link.is_none() {
                self.stream(array(["PING"].into_iter()).into_bytes());
            }
        }
    }

    fn tell_replicas(&mut self, db: usize, words: &[String], _now: Time) {
        if self.next_ping.is_none() {
            return;
        }
        let mut bytes = Vec::new();
        if self.stream_db != Some(db) {
            self.stream_db = Some(db);
            let number = db.to_string();
            bytes.extend(array(["SELECT", &number].into_iter()).into_bytes());
        }
        bytes.extend(array(words.iter().map(String::as_str)).into_bytes());
        self.stream(bytes);
    }

    fn stream(&mut self, bytes: Vec<u8>) {
        self.offset = self.offset.saturating_add(bytes.len() as u64);
        for session in &mut self.sessions {
            if session.replica.as_ref().is_some_and(|replica| replica.online) {
                session.output.extend(&bytes);
            }
        }
    }

    /// What a replica tells of itself. What it confirms is not answered.
    fn told(&self, session: &mut Session, words: &[&str]) -> Vec<u8> {
        let replica = session.replica.get_or_insert_with(Follower::default);
        for pair in words.chunks(2) {
            match pair {
                [what, port] if what.eq_ignore_ascii_case("listening-port") => {
                    replica.port = port.parse().unwrap_or(0);
                }
                [what, offset] if what.eq_ignore_ascii_case("ack") => {
                    replica.offset = offset.parse().unwrap_or(0);
                    return Vec::new();
                }
                _ => {}
            }
        }
        ok().into_bytes()
    }

    fn become_replica(&mut self, sys: &mut dyn Sys, host: &str, port: &str) -> String {
        let alone = host.eq_ignore_ascii_case("no") && port.eq_ignore_ascii_case("one");
        if let Some(mut link) = self.link.take() {
            link.hang_up(sys);
        }
        self.stream_db = None;
        if alone {
            self.config.follow(None);
            self.say(sys, "*", "MASTER MODE enabled (user request)");
            return ok();
        }
        let Ok(number) = port.parse::<u16>() else {
            return "-ERR Invalid master port\r\n".to_owned();
        };
        self.config.follow(Some((host, number)));
        self.link = Some(Link::new(host, number, sys.now()));
        self.say(sys, "*", &format!("REPLICAOF {host}:{number} enabled (user request)"));
        ok()
    }

    fn role(&self) -> String {
        match &self.link {
            Some(link) => {
                let state = if link.is_up() { "connected" } else { "connect" };
                format!(
                    "*5\r\n{}{}{}{}{}",
                    bulk(Some("slave")),
                    bulk(Some(&link.host)),
                    number(i64::from(link.port)),
                    bulk(Some(state)),
                    number(i64::try_from(link.offset).unwrap_or(i64::MAX))
                )
            }
            None => {
                let replicas = self.sessions.iter().filter_map(|session| {
                    let replica = session.replica.as_ref().filter(|replica| replica.online)?;
                    let words = [
                        session.peer.ip().to_string(),
                        replica.port.to_string(),
                        replica.offset.to_string(),
                    ];
                    Some(array(words.iter().map(String::as_str)))
                });
                let replicas: Vec<String> = replicas.collect();
                format!(
                    "*3\r\n{}{}*{}\r\n{}",
                    bulk(Some("master")),
                    number(i64::try_from(self.offset).unwrap_or(i64::MAX)),
                    replicas.len(),
                    replicas.concat()
                )
            }
        }
    }
}

fn client(session: &mut Session, what: &str, args: &[&str]) -> String {
    match (what, args) {
        ("setname", [name]) => {
            session.name = (*name).to_owned();
            ok()
        }
        ("getname", []) => {
            bulk(Some(&session.name).filter(|name| !name.is_empty()).map(|s| s.as_str()))
        }
        ("id", []) => number(i64::try_from(session.id).unwrap_or(i64::MAX)),
        _ => ok(),
    }
}

fn major(version: &str) -> u32 {
    version.split('.').next().and_then(|text| text.parse().ok()).unwrap_or(7)
}

fn hex(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::super::resp::show;
    use super::*;

    fn session(commands: &[&str]) -> Vec<String> {
        let mut db = Db::default();
        commands
            .iter()
            .map(|command| {
                let words: Vec<&str> = command.split(' ').collect();
                let name = words[0].to_lowercase();
                let known = commands::find(&name).unwrap();
                let answer = match known.takes(words.len()) {
                    true => commands::run(&mut db, &name, &words[1..], Time::ZERO).unwrap(),
                    false => "-ERR wrong number of arguments\r\n".to_owned(),
                };
                show(answer.as_bytes(), 0, true, "").unwrap().0.trim_end().to_owned()
            })
            .collect()
    }

    #[test]
    fn values_of_every_kind() {
        let table = [
            ("SET a 1", "OK"),
            ("GET a", "\"1\""),
            ("INCR a", "(integer) 2"),
            ("INCRBY a 40", "(integer) 42"),
            ("INCRBYFLOAT a 0.5", "\"42.5\""),
            ("INCR a", "(error) ERR value is not an integer or out of range"),
            ("GET none", "(nil)"),
            ("SET a 2 NX", "(nil)"),
            ("LPUSH l x y", "(integer) 2"),
            ("RPUSH l z", "(integer) 3"),
            ("LRANGE l 0 -1", "1) \"y\"\n2) \"x\"\n3) \"z\""),
            ("RPOPLPUSH l m", "\"z\""),
            ("LREM l 0 y", "(integer) 1"),
            ("LINDEX l 0", "\"x\""),
            ("GET l", "(error) WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("HSET h f v g w", "(integer) 2"),
            ("HGET h f", "\"v\""),
            ("HGETALL h", "1) \"f\"\n2) \"v\"\n3) \"g\"\n4) \"w\""),
            ("SADD s m m", "(integer) 1"),
            ("TYPE s", "set"),
            ("ZADD z 2 b 1 a", "(integer) 2"),
            ("ZRANGE z 0 -1 WITHSCORES", "1) \"a\"\n2) \"1\"\n3) \"b\"\n4) \"2\""),
            ("DEL a l m z", "(integer) 4"),
            ("EXISTS a h", "(integer) 1"),
            ("KEYS *", "1) \"h\"\n2) \"s\""),
            ("LPOP none", "(nil)"),
            ("GET", "(error) ERR wrong number of arguments"),
        ];
        let (commands, expected): (Vec<&str>, Vec<&str>) = table.into_iter().unzip();
        assert_eq!(session(&commands), expected);
    }

    #[test]
    fn keys_end() {
        let mut db = Db::default();
        let mut run = |text: &str, now| {
            let words: Vec<&str> = text.split(' ').collect();
            db.expire(now);
            commands::run(&mut db, words[0], &words[1..], now).unwrap()
        };
        run("set a 1 EX 10", Time::ZERO);
        assert_eq!(run("ttl a", Time::from_millis(500)), ":10\r\n");
        assert_eq!(run("get a", Time::from_secs(10)), "$-1\r\n");
        assert_eq!(run("ttl a", Time::from_secs(10)), ":-2\r\n");
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut server = RedisServer::default();
        server.config.set("maxmemory", "906kb").unwrap();
        let db = server.dbs.entry(0).or_default();
        for key in ["a", "b", "c"] {
            db.insert(key, super::super::db::Value::Text("x".repeat(10_000)));
        }
        db.get("a");
        assert!(!server.make_room());
        server.config.set("maxmemory-policy", "allkeys-lru").unwrap();
        assert!(server.make_room());
        let db = server.dbs.get(&0).unwrap();
        assert!(db.has("a") && !db.has("b"));
    }
}
