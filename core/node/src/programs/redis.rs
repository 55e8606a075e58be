//! redis-server and redis-cli: strings, counters, lists, hashes and sets in memory, over RESP 2.

use super::clock;
use naru_shell::{Errno, Program, Signal, SocketId, Step, Sys};
use naru_sim::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

const PORT: u16 = 6379;
/// Clients at one time.
const CLIENTS_MAX: usize = 1_024;
/// Keys of a server.
const KEYS_MAX: usize = 100_000;
/// Bytes of one command.
const COMMAND_MAX: usize = 1 << 20;
/// Bytes read at once.
const READ_MAX: usize = 16 * 1024;

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const NOT_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";

// ---- the data ----

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(String),
    List(VecDeque<String>),
    Hash(BTreeMap<String, String>),
    Set(BTreeSet<String>),
}

/// Keys and their values.
#[derive(Clone, Debug, Default)]
struct Store {
    values: BTreeMap<String, Value>,
    expiry: BTreeMap<String, Time>,
}

impl Store {
    /// Does one command; the answer is RESP.
    fn run(&mut self, words: &[String], now: Time) -> String {
        self.expire(now);
        let name = words.first().map(|word| word.to_lowercase()).unwrap_or_default();
        let args: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        match (name.as_str(), args.as_slice()) {
            ("ping", []) => "+PONG\r\n".to_owned(),
            ("ping" | "echo", [text]) => bulk(Some(text)),
            ("command" | "client" | "config" | "hello" | "quit" | "select", _) => ok(),
            ("dbsize", []) => number(self.values.len() as i64),
            ("flushall" | "flushdb", _) => {
                *self = Store::default();
                ok()
            }
            ("keys", [pattern]) => {
                let keys = self.values.keys().filter(|key| matches(pattern, key));
                array(keys.map(String::as_str))
            }
            ("exists", keys) => number(keys.iter().filter(|key| self.has(key)).count() as i64),
            ("del" | "unlink", keys) => {
                number(keys.iter().filter(|key| self.delete(key)).count() as i64)
            }
            ("type", [key]) => format!("+{}\r\n", self.kind(key)),
            ("expire", [key, seconds]) => self.set_expiry(key, seconds, now),
            ("persist", [key]) => number(i64::from(self.expiry.remove(*key).is_some())),
            ("ttl", [key]) => number(self.ttl(key, now)),
            ("info", _) => bulk(Some("# Server\r\nredis_mode:standalone\r\ntcp_port:6379\r\n")),
            _ if self.values.len() >= KEYS_MAX => {
                "-OOM command not allowed when used memory > 'maxmemory'.\r\n".to_owned()
            }
            _ => self.run_typed(&name, &args, now),
        }
    }

    fn run_typed(&mut self, name: &str, args: &[&str], now: Time) -> String {
        match (name, args) {
            ("set", [key, value, options @ ..]) => self.set(key, value, options, now),
            ("setnx", [key, value]) => {
                let free = !self.has(key);
                if free {
                    self.values.insert((*key).to_owned(), Value::Text((*value).to_owned()));
                }
                number(i64::from(free))
            }
            ("get", [key]) => match self.values.get(*key) {
                None => bulk(None),
                Some(Value::Text(text)) => bulk(Some(text)),
                Some(_) => WRONG_TYPE.to_owned(),
            },
            ("mget", keys) if !keys.is_empty() => {
                let texts = keys.iter().map(|key| match self.values.get(*key) {
                    Some(Value::Text(text)) => bulk(Some(text)),
                    _ => bulk(None),
                });
                format!("*{}\r\n{}", keys.len(), texts.collect::<String>())
            }
            ("append", [key, text]) => self.text(key, |old| {
                old.push_str(text);
                number(old.len() as i64)
            }),
            ("strlen", [key]) => self.text(key, |old| number(old.len() as i64)),
            ("incr", [key]) => self.add(key, 1),
            ("decr", [key]) => self.add(key, -1),
            ("incrby", [key, by]) => {
                by.parse().map_or_else(|_| NOT_INTEGER.to_owned(), |by| self.add(key, by))
            }
            ("decrby", [key, by]) => by
                .parse::<i64>()
                .map_or_else(|_| NOT_INTEGER.to_owned(), |by| self.add(key, by.saturating_neg())),
            ("lpush" | "rpush", [key, items @ ..]) if !items.is_empty() => self.list(key, |list| {
                for item in items {
                    match name {
                        "lpush" => list.push_front((*item).to_owned()),
                        _ => list.push_back((*item).to_owned()),
                    }
                }
                number(list.len() as i64)
            }),
            ("lpop", [key]) => self.list(key, |list| bulk(list.pop_front().as_deref())),
            ("rpop", [key]) => self.list(key, |list| bulk(list.pop_back().as_deref())),
            ("llen", [key]) => self.list(key, |list| number(list.len() as i64)),
            ("lrange", [key, start, end]) => match (start.parse(), end.parse()) {
                (Ok(start), Ok(end)) => self.list(key, |list| {
                    let (from, to) = range(start, end, list.len());
                    let items = list.iter().skip(from).take(to.saturating_sub(from));
                    array(items.map(String::as_str))
                }),
                _ => NOT_INTEGER.to_owned(),
            },
            ("hset", [key, pairs @ ..]) if !pairs.is_empty() && pairs.len() % 2 == 0 => {
                self.hash(key, |hash| {
                    let new = pairs.chunks(2).filter(|pair| match pair {
                        [field, value] => {
                            hash.insert((*field).to_owned(), (*value).to_owned()).is_none()
                        }
                        _ => false,
                    });
                    number(new.count() as i64)
                })
            }
            ("hget", [key, field]) => {
                self.hash(key, |hash| bulk(hash.get(*field).map(String::as_str)))
            }
            ("hdel", [key, field]) => {
                self.hash(key, |hash| number(i64::from(hash.remove(*field).is_some())))
            }
            ("hgetall", [key]) => self.hash(key, |hash| {
                array(hash.iter().flat_map(|(field, value)| [field.as_str(), value.as_str()]))
            }),
            ("sadd", [key, members @ ..]) if !members.is_empty() => self.members(key, |set| {
                let new = members.iter().filter(|member| set.insert((**member).to_owned()));
                number(new.count() as i64)
            }),
            ("srem", [key, member]) => {
                self.members(key, |set| number(i64::from(set.remove(*member))))
            }
            ("smembers", [key]) => self.members(key, |set| array(set.iter().map(String::as_str))),
            ("sismember", [key, member]) => {
                self.members(key, |set| number(i64::from(set.contains(*member))))
            }
            _ => unknown(name, args),
        }
    }

    fn expire(&mut self, now: Time) {
        let due: Vec<String> =
            self.expiry.iter().filter(|(_, at)| **at <= now).map(|(key, _)| key.clone()).collect();
        for key in due {
            self.delete(&key);
        }
    }

    fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    fn delete(&mut self, key: &str) -> bool {
        self.expiry.remove(key);
        self.values.remove(key).is_some()
    }

    fn kind(&self, key: &str) -> &'static str {
        match self.values.get(key) {
            None => "none",
            Some(Value::Text(_)) => "string",
            Some(Value::List(_)) => "list",
            Some(Value::Hash(_)) => "hash",
            Some(Value::Set(_)) => "set",
        }
    }

    fn set(&mut self, key: &str, value: &str, options: &[&str], now: Time) -> String {
        let mut expiry = None;
        let mut rest = options.iter();
        while let Some(option) = rest.next() {
            match option.to_lowercase().as_str() {
                "nx" if self.has(key) => return bulk(None),
                "xx" if !self.has(key) => return bulk(None),
                "nx" | "xx" => {}
                "ex" => match rest.next().and_then(|seconds| seconds.parse().ok()) {
                    Some(seconds) => expiry = Some(now + Duration::from_secs(seconds)),
                    None => return NOT_INTEGER.to_owned(),
                },
                _ => return "-ERR syntax error\r\n".to_owned(),
            }
        }
        self.delete(key);
        self.values.insert(key.to_owned(), Value::Text(value.to_owned()));
        self.expiry.extend(expiry.map(|at| (key.to_owned(), at)));
        ok()
    }

    fn set_expiry(&mut self, key: &str, seconds: &str, now: Time) -> String {
        match seconds.parse::<i64>() {
            Err(_) => NOT_INTEGER.to_owned(),
            Ok(_) if !self.has(key) => number(0),
            Ok(seconds) => {
                let seconds = u64::try_from(seconds).unwrap_or(0);
                self.expiry.insert(key.to_owned(), now + Duration::from_secs(seconds));
                number(1)
            }
        }
    }

    fn ttl(&self, key: &str, now: Time) -> i64 {
        match (self.has(key), self.expiry.get(key)) {
            (false, _) => -2,
            (true, None) => -1,
            (true, Some(at)) => {
                i64::try_from(at.since(now).as_millis().div_ceil(1_000)).unwrap_or(0)
            }
        }
    }

    fn add(&mut self, key: &str, by: i64) -> String {
        self.text(key, |text| {
            let old = if text.is_empty() { Ok(0) } else { text.parse::<i64>() };
            match old.ok().and_then(|old| old.checked_add(by)) {
                Some(sum) => {
                    *text = sum.to_string();
                    number(sum)
                }
                None => NOT_INTEGER.to_owned(),
            }
        })
    }

    fn text(&mut self, key: &str, act: impl FnOnce(&mut String) -> String) -> String {
        let empty = || Value::Text(String::new());
        self.with(key, empty, |value| match value {
            Value::Text(text) => Some(act(text)),
            _ => None,
        })
    }

    fn list(&mut self, key: &str, act: impl FnOnce(&mut VecDeque<String>) -> String) -> String {
        let empty = || Value::List(VecDeque::new());
        self.with(key, empty, |value| match value {
            Value::List(list) => Some(act(list)),
            _ => None,
        })
    }

    fn hash(
        &mut self,
        key: &str,
        act: impl FnOnce(&mut BTreeMap<String, String>) -> String,
    ) -> String {
        let empty = || Value::Hash(BTreeMap::new());
        self.with(key, empty, |value| match value {
            Value::Hash(hash) => Some(act(hash)),
            _ => None,
        })
    }

    fn members(&mut self, key: &str, act: impl FnOnce(&mut BTreeSet<String>) -> String) -> String {
        let empty = || Value::Set(BTreeSet::new());
        self.with(key, empty, |value| match value {
            Value::Set(set) => Some(act(set)),
            _ => None,
        })
    }

    /// Works on a value, empty if it is not there; what is empty afterwards is not kept.
    fn with(
        &mut self,
        key: &str,
        empty: impl FnOnce() -> Value,
        act: impl FnOnce(&mut Value) -> Option<String>,
    ) -> String {
        let value = self.values.entry(key.to_owned()).or_insert_with(empty);
        let answer = act(value);
        let is_empty = match value {
            Value::Text(text) => text.is_empty(),
            Value::List(list) => list.is_empty(),
            Value::Hash(hash) => hash.is_empty(),
            Value::Set(set) => set.is_empty(),
        };
        if is_empty {
            self.delete(key);
        }
        answer.unwrap_or_else(|| WRONG_TYPE.to_owned())
    }
}

/// The places from `start` to `end`, which count from the end if negative.
fn range(start: i64, end: i64, length: usize) -> (usize, usize) {
    let place = |at: i64| {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        let at = if at < 0 { at.saturating_add(length) } else { at };
        usize::try_from(at.max(0)).unwrap_or(usize::MAX)
    };
    let end = if end < 0 && end.unsigned_abs() > length as u64 { 0 } else { place(end) + 1 };
    (place(start), end.min(length))
}

/// Redis' glob patterns, as far as `*` and `?` go.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let mut reach = vec![false; text.len() + 1];
    if let Some(first) = reach.first_mut() {
        *first = true;
    }
    for part in pattern {
        let mut next = vec![false; text.len() + 1];
        let mut open = false;
        for (at, slot) in next.iter_mut().enumerate() {
            let here = reach.get(at).copied().unwrap_or(false);
            let before = at.checked_sub(1);
            let one = before.and_then(|at| reach.get(at).copied()).unwrap_or(false);
            let letter = before.and_then(|at| text.get(at));
            open |= here;
            *slot = match part {
                '*' => open,
                '?' => one,
                other => one && letter == Some(&other),
            };
        }
        reach = next;
    }
    reach.last().copied().unwrap_or(false)
}

// ---- RESP ----

fn ok() -> String {
    "+OK\r\n".to_owned()
}

fn number(number: i64) -> String {
    format!(":{number}\r\n")
}

fn bulk(text: Option<&str>) -> String {
    match text {
        Some(text) => format!("${}\r\n{text}\r\n", text.len()),
        None => "$-1\r\n".to_owned(),
    }
}

fn array<'a>(items: impl Iterator<Item = &'a str>) -> String {
    let items: Vec<String> = items.map(|item| bulk(Some(item))).collect();
    format!("*{}\r\n{}", items.len(), items.concat())
}

fn unknown(name: &str, args: &[&str]) -> String {
    const KNOWN: &[&str] = &[
        "append",
        "decr",
        "decrby",
        "echo",
        "exists",
        "expire",
        "get",
        "hdel",
        "hget",
        "hgetall",
        "hset",
        "incr",
        "incrby",
        "keys",
        "llen",
        "lpop",
        "lpush",
        "lrange",
        "mget",
        "rpop",
        "rpush",
        "sadd",
        "set",
        "setnx",
        "sismember",
        "smembers",
        "srem",
        "strlen",
        "ttl",
        "type",
    ];
    if KNOWN.contains(&name) {
        return format!("-ERR wrong number of arguments for '{name}' command\r\n");
    }
    let args: String = args.iter().map(|arg| format!("'{arg}' ")).collect();
    format!("-ERR unknown command '{name}', with args beginning with: {args}\r\n")
}

/// The next command in what came, and how many bytes it took; an error ends the connection.
fn parse(bytes: &[u8]) -> Result<Option<(Vec<String>, usize)>, String> {
    if bytes.len() > COMMAND_MAX {
        return Err("-ERR Protocol error: too big mbulk count string\r\n".to_owned());
    }
    let Some((line, mut at)) = line(bytes, 0) else { return Ok(None) };
    let Some(count) = line.strip_prefix('*') else {
        let words = line.split_whitespace().map(str::to_owned).collect();
        return Ok(Some((words, at)));
    };
    let bad = || "-ERR Protocol error: invalid multibulk length\r\n".to_owned();
    let count: usize = count.parse().map_err(|_| bad())?;
    let mut words = Vec::new();
    for _ in 0..count.min(COMMAND_MAX) {
        let Some((head, after)) = self::line(bytes, at) else { return Ok(None) };
        let length = head.strip_prefix('$').and_then(|text| text.parse::<usize>().ok());
        let length = length.filter(|length| *length <= COMMAND_MAX).ok_or_else(bad)?;
        let Some(data) = bytes.get(after..after + length) else { return Ok(None) };
        if bytes.len() < after + length + 2 {
            return Ok(None);
        }
        words.push(String::from_utf8_lossy(data).into_owned());
        at = after + length + 2;
    }
    Ok(Some((words, at)))
}

fn line(bytes: &[u8], from: usize) -> Option<(String, usize)> {
    let rest = bytes.get(from..)?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let text = String::from_utf8_lossy(rest.get(..end)?).trim_end_matches('\r').to_owned();
    Some((text, from + end + 1))
}

// ---- the server ----

/// `redis-server`.
#[derive(Clone, Debug, Default)]
pub struct RedisServer {
    listener: Option<SocketId>,
    clients: Vec<Client>,
    store: Store,
}

#[derive(Clone, Debug)]
struct Client {
    socket: SocketId,
    input: Vec<u8>,
    output: Vec<u8>,
    last: bool,
}

impl Program for RedisServer {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.listener.is_none()
            && let Err(step) = self.start(sys)
        {
            return step;
        }
        if sys.take_signal().is_some() {
            self.log(sys, "signal-handler", "Received SIGTERM scheduling shutdown...");
            self.log(sys, "#", "Redis is now ready to exit, bye bye...");
            return Step::Exit(0);
        }
        self.serve(sys);
        Step::Block { until: None }
    }
}

impl RedisServer {
    fn start(&mut self, sys: &mut dyn Sys) -> Result<(), Step> {
        sys.catch(Signal::Term);
        sys.catch(Signal::Int);
        let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
        let listened = sys.net().ok_or(Errno::NetUnreachable).and_then(|net| net.tcp_listen(at));
        let version = sys.env().get("REDIS_VERSION").cloned().unwrap_or_default();
        self.log(sys, "*", "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo");
        let line = format!(
            "Redis version={version}, bits=64, commit=00000000, modified=0, pid=1, just started"
        );
        self.log(sys, "*", &line);
        match listened {
            Ok(listener) => {
                self.listener = Some(listener);
                self.log(sys, "*", "Running mode=standalone, port=6379.");
                self.log(sys, "*", "Server initialized");
                self.log(sys, "*", "Ready to accept connections tcp");
                Ok(())
            }
            Err(errno) => {
                let line = format!(
                    "Warning: Could not create server TCP listening socket *:{PORT}: bind: {errno}"
                );
                self.log(sys, "#", &line);
                Err(Step::Exit(1))
            }
        }
    }

    fn log(&self, sys: &mut dyn Sys, mark: &str, line: &str) {
        let time = clock::format(sys.now(), clock::REDIS);
        let pid = sys.pid();
        let _ = sys.write(1, format!("{pid}:M {time} {mark} {line}\n").as_bytes());
    }

    fn serve(&mut self, sys: &mut dyn Sys) {
        let now = sys.now();
        let (Some(listener), Some(net)) = (self.listener, sys.net()) else { return };
        while self.clients.len() < CLIENTS_MAX {
            let Ok((socket, _)) = net.accept(listener) else { break };
            let (input, output) = (Vec::new(), Vec::new());
            self.clients.push(Client { socket, input, output, last: false });
        }
        for client in &mut self.clients {
            loop {
                match net.recv(client.socket, READ_MAX) {
                    Ok(bytes) if bytes.is_empty() => {
                        client.last = true;
                        break;
                    }
                    Ok(bytes) => client.input.extend(bytes),
                    Err(Errno::Again) => break,
                    Err(_) => {
                        client.last = true;
                        break;
                    }
                }
            }
            client.answer(&mut self.store, now);
        }
        self.clients.retain_mut(|client| {
            while !client.output.is_empty() {
                match net.send(client.socket, &client.output) {
                    Ok(0) | Err(Errno::Again) => return true,
                    Ok(taken) => drop(client.output.drain(..taken.min(client.output.len()))),
                    Err(_) => client.last = true,
                }
                if client.last {
                    break;
                }
            }
            if client.last {
                net.close(client.socket);
            }
            !client.last
        });
    }
}

impl Client {
    fn answer(&mut self, store: &mut Store, now: Time) {
        loop {
            match parse(&self.input) {
                Ok(Some((words, taken))) => {
                    self.input.drain(..taken.min(self.input.len()));
                    if !words.is_empty() {
                        self.output.extend(store.run(&words, now).into_bytes());
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    self.output.extend(error.into_bytes());
                    self.last = true;
                    return;
                }
            }
        }
    }
}

// ---- the client ----

/// `redis-cli [-h host] [-p port] command …`, or commands from standard input, line by line.
#[derive(Clone, Debug, Default)]
pub struct RedisCli {
    state: Cli,
    commands: VecDeque<Vec<String>>,
    from_input: bool,
    input: Vec<u8>,
    ended: bool,
    answer: Vec<u8>,
    address: String,
}

#[derive(Clone, Debug, Default)]
enum Cli {
    #[default]
    New,
    Connecting(SocketId),
    Ready(SocketId),
    Waiting(SocketId),
}

impl Program for RedisCli {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        loop {
            let step = match self.state {
                Cli::New => self.connect(sys),
                Cli::Connecting(socket) => self.connecting(sys, socket),
                Cli::Ready(socket) => self.send_next(sys, socket),
                Cli::Waiting(socket) => self.receive(sys, socket),
            };
            if let Some(step) = step {
                return step;
            }
        }
    }
}

impl RedisCli {
    fn connect(&mut self, sys: &mut dyn Sys) -> Option<Step> {
        let args: Vec<String> = sys.args().iter().skip(1).cloned().collect();
        let (mut host, mut port) = ("127.0.0.1".to_owned(), PORT);
        let mut rest = args.into_iter();
        let mut command = Vec::new();
        while let Some(arg) = rest.next() {
            match arg.as_str() {
                "-h" if command.is_empty() => host = rest.next().unwrap_or_default(),
                "-p" if command.is_empty() => {
                    port = rest.next().and_then(|text| text.parse().ok()).unwrap_or(PORT);
                }
                _ => command.push(arg),
            }
        }
        self.from_input = command.is_empty();
        if !command.is_empty() {
            self.commands.push_back(command);
        }
        self.address = format!("{host}:{port}");
        let Some(ip) = find_host(sys, &host) else {
            let line = format!(
                "Could not connect to Redis at {}: Name or service not known\n",
                self.address
            );
            let _ = sys.write(2, line.as_bytes());
            return Some(Step::Exit(1));
        };
        let to = SocketAddr::new(ip, port);
        match sys.net().ok_or(Errno::NetUnreachable).and_then(|net| net.tcp_connect(to)) {
            Ok(socket) => {
                self.state = Cli::Connecting(socket);
                None
            }
            Err(errno) => Some(self.refused(sys, errno)),
        }
    }

    fn refused(&self, sys: &mut dyn Sys, errno: Errno) -> Step {
        let line = format!("Could not connect to Redis at {}: {errno}\n", self.address);
        let _ = sys.write(2, line.as_bytes());
        Step::Exit(1)
    }

    fn connecting(&mut self, sys: &mut dyn Sys, socket: SocketId) -> Option<Step> {
        match sys.net()?.connected(socket) {
            Ok(()) => {
                self.state = Cli::Ready(socket);
                None
            }
            Err(Errno::Again) => Some(Step::Block { until: None }),
            Err(errno) => Some(self.refused(sys, errno)),
        }
    }

    fn send_next(&mut self, sys: &mut dyn Sys, socket: SocketId) -> Option<Step> {
        while self.from_input && self.commands.is_empty() && !self.ended {
            match sys.read(0, READ_MAX) {
                Ok(bytes) if bytes.is_empty() => self.ended = true,
                Ok(bytes) => self.input.extend(bytes),
                Err(Errno::Again) => return Some(Step::Block { until: None }),
                Err(_) => self.ended = true,
            }
            while let Some((text, taken)) = line(&self.input, 0) {
                self.input.drain(..taken);
                let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
                if !words.is_empty() {
                    self.commands.push_back(words);
                }
            }
        }
        let Some(command) = self.commands.pop_front() else { return Some(Step::Exit(0)) };
        let words = command.iter().map(String::as_str);
        let bytes = array(words).into_bytes();
        match sys.net()?.send(socket, &bytes) {
            Ok(taken) if taken == bytes.len() => {
                self.answer.clear();
                self.state = Cli::Waiting(socket);
                None
            }
            _ => Some(Step::Exit(1)),
        }
    }

    fn receive(&mut self, sys: &mut dyn Sys, socket: SocketId) -> Option<Step> {
        match sys.net()?.recv(socket, READ_MAX) {
            Ok(bytes) if bytes.is_empty() => {
                let _ = sys.write(2, b"Error: Server closed the connection\n");
                return Some(Step::Exit(1));
            }
            Ok(bytes) => self.answer.extend(bytes),
            Err(Errno::Again) => return Some(Step::Block { until: None }),
            Err(_) => return Some(Step::Exit(1)),
        }
        if let Some((text, _)) = show(&self.answer, 0, sys.is_tty(1), "") {
            let _ = sys.write(1, text.as_bytes());
            self.state = Cli::Ready(socket);
        }
        None
    }
}

/// An answer as redis-cli shows it: plain for pipes, with types for people.
fn show(bytes: &[u8], from: usize, for_people: bool, indent: &str) -> Option<(String, usize)> {
    let (head, after) = line(bytes, from)?;
    let (mark, rest) = head.split_at_checked(1)?;
    match mark {
        ":" if for_people => Some((format!("(integer) {rest}\n"), after)),
        "-" if for_people => Some((format!("(error) {rest}\n"), after)),
        "+" | "-" | ":" => Some((format!("{rest}\n"), after)),
        "$" => match rest.parse::<usize>() {
            Err(_) => Some((if for_people { "(nil)\n" } else { "\n" }.to_owned(), after)),
            Ok(length) => {
                let data = String::from_utf8_lossy(bytes.get(after..after + length)?).into_owned();
                bytes.get(after + length + 1)?;
                let text = if for_people { format!("{data:?}\n") } else { format!("{data}\n") };
                Some((text, after + length + 2))
            }
        },
        "*" => {
            let count: usize = rest.parse().ok()?;
            let mut text = String::new();
            let mut at = after;
            for number in 1..=count {
                let (item, next) = show(bytes, at, for_people, &format!("{indent}   "))?;
                let prefix = if number > 1 { indent } else { "" };
                match for_people {
                    true => text.push_str(&format!("{prefix}{number}) {item}")),
                    false => text.push_str(&item),
                }
                at = next;
            }
            if count == 0 && for_people {
                text.push_str("(empty array)\n");
            }
            Some((text, at))
        }
        _ => Some((format!("{head}\n"), after)),
    }
}

/// An address, or a name of `/etc/hosts`.
fn find_host(sys: &mut dyn Sys, host: &str) -> Option<IpAddr> {
    if let Ok(ip) = host.parse() {
        return Some(ip);
    }
    let hosts = sys.fs().read_text("/etc/hosts").ok()?;
    hosts.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let address: IpAddr = words.next()?.parse().ok()?;
        (address.is_ipv4() && words.any(|word| word == host)).then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(commands: &[&str]) -> Vec<String> {
        let mut store = Store::default();
        commands
            .iter()
            .map(|command| {
                let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
                let answer = store.run(&words, Time::ZERO);
                show(answer.as_bytes(), 0, true, "").unwrap().0.trim_end().to_owned()
            })
            .collect()
    }

    #[test]
    fn values_of_every_kind() {
        let answers = session(&[
            "SET a 1",
            "GET a",
            "INCR a",
            "INCRBY a 40",
            "GET none",
            "LPUSH l x y",
            "LRANGE l 0 -1",
            "GET l",
            "HSET h f v",
            "HGET h f",
            "SADD s m m",
            "TYPE s",
            "DEL a l",
            "EXISTS a h",
            "KEYS *",
            "NOSUCH x",
            "GET",
        ]);
        let expected = [
            "OK",
            "\"1\"",
            "(integer) 2",
            "(integer) 42",
            "(nil)",
            "(integer) 2",
            "1) \"y\"\n2) \"x\"",
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value",
            "(integer) 1",
            "\"v\"",
            "(integer) 1",
            "set",
            "(integer) 2",
            "(integer) 1",
            "1) \"h\"\n2) \"s\"",
            "(error) ERR unknown command 'nosuch', with args beginning with: 'x'",
            "(error) ERR wrong number of arguments for 'get' command",
        ];
        assert_eq!(answers, expected);
    }

    #[test]
    fn keys_expire() {
        let mut store = Store::default();
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        store.run(&words("SET a 1 EX 10"), Time::ZERO);
        assert_eq!(store.run(&words("TTL a"), Time::from_millis(500)), ":10\r\n");
        assert_eq!(store.run(&words("GET a"), Time::from_secs(10)), "$-1\r\n");
    }

    #[test]
    fn commands_come_in_pieces() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\nPING\r\n";
        let table = [(5, None), (22, Some(2)), (28, Some(2))];
        for (length, words) in table {
            let parsed = parse(&bytes[..length.min(bytes.len())]).unwrap();
            assert_eq!(parsed.map(|(words, _)| words.len()), words, "{length}");
        }
        assert!(parse(b"*x\r\n").is_err());
        assert_eq!(parse(b"PING\r\n").unwrap().unwrap().0, ["PING"]);
    }

    #[test]
    fn patterns() {
        for (pattern, text, fits) in
            [("*", "a", true), ("a*", "abc", true), ("a?c", "abc", true), ("b*", "abc", false)]
        {
            assert_eq!(matches(pattern, text), fits, "{pattern}");
        }
    }
}
