//! `amqp-declare-queue`, `amqp-delete-queue`, `amqp-publish`, `amqp-get` and `amqp-consume`.
//!
//! Upstream: `tools` of `alanxz/rabbitmq-c`.

use super::{AMQP_PORT, Ask, LINE_MAX, READ_MAX, Tell};
use naru_shell::serve::{Dial, DialError};
use naru_shell::{Errno, Fd, Pid, Program, Progress, SocketId, Step, Sys};

/// One of the tools; which one, its name says.
#[derive(Clone, Debug, Default)]
pub struct AmqpTool {
    state: State,
    options: Options,
    input: Vec<u8>,
    /// How many messages have been consumed.
    done: u64,
}

#[derive(Clone, Debug, Default)]
struct Options {
    tool: String,
    user: String,
    password: String,
    host: String,
    port: u16,
    vhost: String,
    queue: String,
    exchange: String,
    key: String,
    body: Option<String>,
    durable: bool,
    persistent: bool,
    count: Option<u64>,
    prefetch: Option<u64>,
    no_ack: bool,
    command: Vec<String>,
}

#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    New,
    /// `amqp-publish` without a body reads it.
    Reading(Vec<u8>),
    Dialing(Box<Dial>),
    Opening(SocketId),
    Asking(SocketId),
    /// It waits for a message.
    Idle(SocketId),
    /// It has said that it goes, and waits to hear that this is known.
    Closing(SocketId),
    /// A command has a message: what of it is still to be written, and to where.
    Feeding(SocketId, u64, Pid, Option<(Fd, Vec<u8>)>),
}

impl Program for AmqpTool {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        loop {
            let step = match std::mem::take(&mut self.state) {
                State::New => self.begin(sys),
                State::Reading(body) => self.read(sys, body),
                State::Dialing(dial) => self.dial(sys, dial),
                State::Opening(socket) => self.opened(sys, socket),
                State::Asking(socket) => self.answered(sys, socket),
                State::Idle(socket) => self.consume(sys, socket),
                State::Closing(socket) => self.close(sys, socket),
                State::Feeding(socket, tag, child, rest) => {
                    self.feed(sys, socket, tag, child, rest)
                }
            };
            if let Some(step) = step {
                return step;
            }
        }
    }
}

impl AmqpTool {
    fn begin(&mut self, sys: &mut dyn Sys) -> Option<Step> {
        let args = sys.args().to_vec();
        match options(&args) {
            Ok(options) => self.options = options,
            Err(why) => return Some(fail(sys, &why)),
        }
        match (self.options.tool.as_str(), &self.options.body) {
            ("amqp-publish", None) => self.state = State::Reading(Vec::new()),
            _ => self.connect(),
        }
        None
    }

    fn connect(&mut self) {
        let Options { host, port, .. } = &self.options;
        self.state = State::Dialing(Box::new(Dial::new(host, *port)));
    }

    fn read(&mut self, sys: &mut dyn Sys, mut body: Vec<u8>) -> Option<Step> {
        match sys.read(0, READ_MAX) {
            Ok(bytes) if !bytes.is_empty() && body.len() < LINE_MAX => {
                body.extend(bytes);
                self.state = State::Reading(body);
            }
            Err(Errno::Again) => {
                self.state = State::Reading(body);
                return Some(Step::Block { until: None });
            }
            _ => {
                self.options.body = Some(String::from_utf8_lossy(&body).into_owned());
                self.connect();
            }
        }
        None
    }

    fn dial(&mut self, sys: &mut dyn Sys, mut dial: Box<Dial>) -> Option<Step> {
        let Options { host, port, user, password, vhost, .. } = self.options.clone();
        match dial.poll(sys) {
            Progress::Waits(until) => {
                self.state = State::Dialing(dial);
                Some(Step::Block { until })
            }
            Progress::Done(Err(error)) => {
                let why = match error {
                    DialError::NoSuchHost => "hostname lookup failed".to_owned(),
                    DialError::Connect(_) => "a socket error occurred".to_owned(),
                };
                Some(fail(sys, &format!("opening socket to {host}:{port}: {why}")))
            }
            Progress::Done(Ok(socket)) => {
                self.state = State::Opening(socket);
                send(sys, socket, &Ask::Open { user, password, vhost })
            }
        }
    }

    fn opened(&mut self, sys: &mut dyn Sys, socket: SocketId) -> Option<Step> {
        self.state = State::Opening(socket);
        match self.receive(sys, socket)? {
            Ok(Tell::Done { .. }) => {}
            Ok(Tell::Refused { code, text, .. }) => {
                let what =
                    if code == 403 { "logging in to AMQP server" } else { "opening connection" };
                let why = format!("{what}: server connection error {code}h, message: {text}");
                return Some(fail(sys, &why));
            }
            Ok(_) => return Some(fail(sys, "unexpected answer")),
            Err(step) => return Some(step),
        }
        let options = self.options.clone();
        let Options { queue, exchange, key, durable, persistent, prefetch, .. } = options;
        let ask = match self.options.tool.as_str() {
            "amqp-declare-queue" => {
                Ask::Declare { queue, durable, exclusive: false, auto_delete: false }
            }
            "amqp-delete-queue" => Ask::Delete { queue },
            "amqp-publish" => {
                let body = self.options.body.clone().unwrap_or_default();
                Ask::Publish { exchange, key, body, persistent }
            }
            "amqp-get" => Ask::Get { queue },
            _ => {
                let prefetch = prefetch.or(self.options.count).unwrap_or(0);
                Ask::Consume { queue, ack: !self.options.no_ack, prefetch }
            }
        };
        self.state = State::Asking(socket);
        send(sys, socket, &ask)
    }

    fn answered(&mut self, sys: &mut dyn Sys, socket: SocketId) -> Option<Step> {
        self.state = State::Asking(socket);
        let tool = self.options.tool.clone();
        match self.receive(sys, socket)? {
            Ok(Tell::Done { .. }) if tool == "amqp-consume" => {
                self.state = State::Idle(socket);
                None
            }
            Ok(Tell::Done { text }) => {
                if !text.is_empty() {
                    let _ = sys.write(1, format!("{text}\n").as_bytes());
                }
                Some(Step::Exit(0))
            }
            Ok(Tell::Message { body, .. }) => {
                let _ = sys.write(1, body.as_bytes());
                Some(Step::Exit(0))
            }
            Ok(Tell::Empty) => Some(Step::Exit(2)),
            Ok(Tell::Refused { code, text, .. }) => {
                let method = match tool.as_str() {
                    "amqp-declare-queue" => "queue.declare",
                    "amqp-delete-queue" => "queue.delete",
                    "amqp-publish" => "basic.publish",
                    "amqp-get" => "basic.get",
                    _ => "basic.consume",
                };
                let why = format!("{method}: server channel error {code}h, message: {text}");
                Some(fail(sys, &why))
            }
            Err(step) => Some(step),
        }
    }

    fn consume(&mut self, sys: &mut dyn Sys, socket: SocketId) -> Option<Step> {
        self.state = State::Idle(socket);
        if self.options.count.is_some_and(|count| self.done >= count) {
            self.state = State::Closing(socket);
            return send(sys, socket, &Ask::Close);
        }
        let (tag, body) = match self.receive(sys, socket)? {
            Ok(Tell::Message { tag, body }) => (tag, body),
            Ok(_) => return None,
            Err(step) => return Some(step),
        };
        let Ok((reader, writer)) = sys.pipe() else { return Some(fail(sys, "pipe")) };
        let env = sys.env().clone();
        let command = self.options.command.clone();
        let name = command.first().cloned().unwrap_or_default();
        let child = sys.spawn(command, env, &[(0, reader), (1, 1), (2, 2)]);
        sys.close(reader);
        match child {
            Ok(child) => {
                self.state = State::Feeding(socket, tag, child, Some((writer, body.into_bytes())));
                None
            }
            Err(errno) => Some(fail(sys, &format!("execvp: {name}: {errno}"))),
        }
    }

    fn close(&mut self, sys: &mut dyn Sys, socket: SocketId) -> Option<Step> {
        self.state = State::Closing(socket);
        match self.receive(sys, socket)? {
            // What came before the broker knew is not for anybody: it goes back.
            Ok(Tell::Message { .. }) => None,
            Ok(_) => Some(Step::Exit(0)),
            Err(Step::Exit(_)) => Some(Step::Exit(0)),
            Err(step) => Some(step),
        }
    }

    fn feed(
        &mut self,
        sys: &mut dyn Sys,
        socket: SocketId,
        tag: u64,
        child: Pid,
        rest: Option<(Fd, Vec<u8>)>,
    ) -> Option<Step> {
        if let Some((writer, mut bytes)) = rest {
            match sys.write(writer, &bytes) {
                Ok(taken) if taken < bytes.len() => {
                    bytes.drain(..taken);
                    self.state = State::Feeding(socket, tag, child, Some((writer, bytes)));
                    return if taken == 0 { Some(Step::Block { until: None }) } else { None };
                }
                Err(Errno::Again) => {
                    self.state = State::Feeding(socket, tag, child, Some((writer, bytes)));
                    return Some(Step::Block { until: None });
                }
                _ => sys.close(writer),
            }
        }
        match sys.wait(child) {
            Err(Errno::Again) => {
                self.state = State::Feeding(socket, tag, child, None);
                Some(Step::Block { until: None })
            }
            Ok(0) => {
                self.done += 1;
                self.state = State::Idle(socket);
                if self.options.no_ack {
                    return None;
                }
                send(sys, socket, &Ask::Ack { tag })
            }
            // What its command could not do, it does not confirm, and ends.
            _ => Some(Step::Exit(1)),
        }
    }

    /// The next line of the broker; `None` lets the program wait.
    fn receive(&mut self, sys: &mut dyn Sys, socket: SocketId) -> Option<Result<Tell, Step>> {
        loop {
            if let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.input.drain(..=end).collect();
                let told = serde_json::from_slice(&line);
                return Some(told.map_err(|_| fail(sys, "malformed answer")));
            }
            match sys.net().map(|net| net.recv(socket, READ_MAX)) {
                Some(Ok(bytes)) if !bytes.is_empty() => self.input.extend(bytes),
                Some(Err(Errno::Again)) => return Some(Err(Step::Block { until: None })),
                _ => {
                    let why = "reading from socket: connection closed unexpectedly";
                    return Some(Err(fail(sys, why)));
                }
            }
        }
    }
}

fn fail(sys: &mut dyn Sys, why: &str) -> Step {
    let _ = sys.write(2, format!("{why}\n").as_bytes());
    Step::Exit(1)
}

fn send(sys: &mut dyn Sys, socket: SocketId, ask: &Ask) -> Option<Step> {
    let mut bytes = serde_json::to_vec(ask).unwrap_or_default();
    bytes.push(b'\n');
    match sys.net().map(|net| net.send(socket, &bytes)) {
        Some(Ok(taken)) if taken == bytes.len() => None,
        _ => Some(fail(sys, "writing to socket: connection closed unexpectedly")),
    }
}

fn options(args: &[String]) -> Result<Options, String> {
    let tool = args.first().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    let mut options = Options {
        tool: tool.to_owned(),
        user: "guest".to_owned(),
        password: "guest".to_owned(),
        host: "localhost".to_owned(),
        port: AMQP_PORT,
        vhost: "/".to_owned(),
        ..Options::default()
    };
    let mut rest = args.iter().skip(1);
    while let Some(arg) = rest.next() {
        if !arg.starts_with('-') {
            options.command = [arg].into_iter().chain(rest).cloned().collect();
            break;
        }
        let (name, glued) = match arg.split_once('=') {
            Some((name, value)) if arg.starts_with("--") => (name, Some(value.to_owned())),
            _ => (arg.as_str(), None),
        };
        let mut value = || glued.clone().or_else(|| rest.next().cloned()).unwrap_or_default();
        match name {
            "-u" | "--url" => url(&mut options, &value())?,
            "-s" | "--server" => options.host = value(),
            "--port" => options.port = value().parse().unwrap_or(AMQP_PORT),
            "--vhost" => options.vhost = value(),
            "--username" => options.user = value(),
            "--password" => options.password = value(),
            "-q" | "--queue" => options.queue = value(),
            "-e" | "--exchange" => options.exchange = value(),
            "-r" | "--routing-key" => options.key = value(),
            "-b" | "--body" => options.body = Some(value()),
            "-d" | "--declare" | "--durable" => options.durable = true,
            "-p" | "--persistent" => match options.tool.as_str() {
                "amqp-publish" => options.persistent = true,
                _ => options.prefetch = value().parse().ok(),
            },
            "--prefetch-count" => options.prefetch = value().parse().ok(),
            "-c" | "--count" => options.count = value().parse().ok(),
            "-A" | "--no-ack" => options.no_ack = true,
            "-x" | "--exclusive" => {}
            other => return Err(format!("{tool}: bad option: {other}: unknown option")),
        }
    }
    match (options.tool.as_str(), options.command.is_empty(), options.queue.is_empty()) {
        ("amqp-consume", true, _) => Err("consuming command not specified".to_owned()),
        ("amqp-consume", _, true) => Err("no queue specified".to_owned()),
        ("amqp-publish", ..) if options.exchange.is_empty() && options.key.is_empty() => {
            Err("neither exchange nor routing key specified".to_owned())
        }
        ("amqp-get" | "amqp-declare-queue" | "amqp-delete-queue", _, true) => {
            Err("queue not specified".to_owned())
        }
        _ => Ok(options),
    }
}

/// `amqp://user:password@host:port/vhost`
fn url(options: &mut Options, text: &str) -> Result<(), String> {
    let bad = || format!("parsing URL: Bad URL: {text}");
    let rest = text.strip_prefix("amqp://").ok_or_else(bad)?;
    let (authority, vhost) = match rest.split_once('/') {
        Some((authority, vhost)) => (authority, Some(vhost)),
        None => (rest, None),
    };
    let place = match authority.rsplit_once('@') {
        Some((who, place)) => {
            let (user, password) = who.split_once(':').unwrap_or((who, "guest"));
            options.user = super::super::nginx::decode(user);
            options.password = super::super::nginx::decode(password);
            place
        }
        None => authority,
    };
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| bad())?),
        None => (place, AMQP_PORT),
    };
    (options.host, options.port) = (host.to_owned(), port);
    if let Some(vhost) = vhost.filter(|vhost| !vhost.is_empty()) {
        options.vhost = super::super::nginx::decode(vhost);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
        options(&args)
    }

    #[test]
    fn command_lines() {
        let read_url = |url: &str| read(&format!("amqp-get --url={url} -q foo")).unwrap();
        let own = read_url("amqp://a:b%21@mq:5673/%2Fx");
        assert_eq!((own.user.as_str(), own.password.as_str()), ("a", "b!"));
        assert_eq!((own.host.as_str(), own.port, own.vhost.as_str()), ("mq", 5673, "/x"));
        let own = read("/usr/bin/amqp-consume --url=amqp://mq -q foo -c 1 cat -n").unwrap();
        assert_eq!((own.count, own.command.join(" ").as_str()), (Some(1), "cat -n"));
        assert!(read("amqp-publish -r job1 -p -b apple").unwrap().persistent);
        assert_eq!(read("amqp-consume -q foo").unwrap_err(), "consuming command not specified");
        assert_eq!(read("amqp-get").unwrap_err(), "queue not specified");
    }
}
