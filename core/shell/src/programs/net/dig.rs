//! `dig`, in the words of BIND 9.18.
//!
//! Upstream: `bin/dig/dig.c`, `lib/dns/masterdump.c`.

use super::resolver::Config;
use crate::programs::tool::{Out, finish};
use crate::serve::clock;
use crate::{Program, SocketId, Step, Sys};
use naru_network::dns::{Data, Message, Name, Record, RecordType};
use naru_sim::Time;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

const VERSION: &str = "9.18.33";
const EDNS_SIZE: u16 = 1232;

/// `dig [@server] [-x address] [-t type] [-p port] name [type] [+short] [+search] …`
#[derive(Clone, Debug, Default)]
pub struct Dig {
    out: Out,
    query: Option<Query>,
    code: Option<i32>,
}

#[derive(Clone, Debug)]
struct Query {
    /// The names to try, with search domains if they are asked for.
    names: VecDeque<String>,
    /// The name and what else was typed, for the first line.
    typed: String,
    kind: RecordType,
    server: IpAddr,
    port: u16,
    short: bool,
    shown: Shown,
    timeout: Duration,
    tries: u32,
    tried: u32,
    id: u16,
    socket: Option<SocketId>,
    sent_at: Time,
}

/// Which parts of the answer are printed: `+comments`, `+noanswer`, ….
#[derive(Clone, Copy, Debug)]
struct Shown {
    cmd: bool,
    comments: bool,
    question: bool,
    answer: bool,
    authority: bool,
    additional: bool,
    stats: bool,
}

impl Shown {
    const ALL: Shown = Shown {
        cmd: true,
        comments: true,
        question: true,
        answer: true,
        authority: true,
        additional: true,
        stats: true,
    };

    /// Takes an option: a part's name, with `no` before it or without.
    fn set(&mut self, option: &str) {
        let (name, on) = match option.strip_prefix("no") {
            Some(name) => (name, false),
            None => (option, true),
        };
        match name {
            "all" => {
                let Shown { cmd, .. } = *self;
                let [comments, question, answer, authority, additional, stats] = [on; 6];
                // `+noall` leaves `+cmd`, of which nothing is left without comments.
                let cmd = cmd && on;
                *self = Shown { cmd, comments, question, answer, authority, additional, stats };
            }
            "cmd" => self.cmd = on,
            "comments" => self.comments = on,
            "question" => self.question = on,
            "answer" => self.answer = on,
            "authority" => self.authority = on,
            "additional" => self.additional = on,
            "stats" => self.stats = on,
            // The others change nothing here.
            _ => {}
        }
    }
}

impl Dig {
    fn start(&mut self, sys: &mut dyn Sys) -> Result<Query, i32> {
        let args: Vec<String> = sys.args().iter().skip(1).cloned().collect();
        let text = sys.fs().read_text("/etc/resolv.conf").unwrap_or_default();
        let config = Config::parse(&text);
        let usual = config.servers.first().copied();
        let mut query = Query {
            names: VecDeque::new(),
            typed: args.join(" "),
            kind: RecordType::A,
            server: usual.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            port: 53,
            short: false,
            shown: Shown::ALL,
            timeout: Duration::from_secs(5),
            tries: 3,
            tried: 0,
            id: 0,
            socket: None,
            sent_at: sys.now(),
        };
        let (mut name, mut search) = (None, false);
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            if let Some(server) = arg.strip_prefix('@') {
                query.server = server.parse().map_err(|_| {
                    self.out.error(format!("dig: couldn't get address for '{server}': not found"));
                    10
                })?;
            } else if let Some(option) = arg.strip_prefix('+') {
                let (option, value) = option.split_once('=').unwrap_or((option, ""));
                match option {
                    "short" => query.short = true,
                    "search" => search = true,
                    "time" | "timeout" => {
                        query.timeout =
                            Duration::from_secs(value.parse().unwrap_or(5).clamp(1, 300));
                    }
                    "tries" => query.tries = value.parse().unwrap_or(3).max(1),
                    "retry" => query.tries = value.parse::<u32>().unwrap_or(2).saturating_add(1),
                    option => query.shown.set(option),
                }
            } else if arg == "-x" {
                let ip = rest.next().and_then(|ip| ip.parse().ok());
                let Some(ip) = ip else {
                    self.out.error("Invalid IP address");
                    return Err(1);
                };
                name = Some(Name::reverse(ip).as_str().to_owned());
                query.kind = RecordType::Ptr;
            } else if arg == "-t" {
                let kind = rest.next().map(|kind| kind.to_ascii_uppercase()).unwrap_or_default();
                query.kind = RecordType::of_name(&kind).unwrap_or(RecordType::A);
            } else if arg == "-p" {
                query.port = rest.next().and_then(|port| port.parse().ok()).unwrap_or(53);
            } else if arg.starts_with('-') {
                if !matches!(arg.as_str(), "-4" | "-6" | "-r" | "-u") {
                    self.out.error(format!("Invalid option: {arg}"));
                    return Err(1);
                }
            } else if let Some(kind) = RecordType::of_name(&arg.to_ascii_uppercase()) {
                query.kind = kind;
            } else if !arg.eq_ignore_ascii_case("IN") {
                name = Some(arg.clone());
            }
        }
        let name = name.unwrap_or_else(|| ".".to_owned());
        query.names = match search {
            true => config.candidates(&name),
            false => [name.trim_end_matches('.').to_owned()].into(),
        };
        Ok(query)
    }
}

impl Program for Dig {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.code.is_none() && self.query.is_none() {
            match self.start(sys) {
                Ok(query) => self.query = Some(query),
                Err(code) => self.code = Some(code),
            }
        }
        if let (None, Some(query)) = (self.code, &mut self.query) {
            match query.advance(sys, &mut self.out) {
                Ok(until) => {
                    self.out.flush(sys);
                    return Step::Block { until: Some(until) };
                }
                Err(code) => self.code = Some(code),
            }
        }
        finish(&mut self.out, sys, self.code.unwrap_or(1))
    }
}

impl Query {
    /// Goes on; `Err` is the exit code.
    fn advance(&mut self, sys: &mut dyn Sys, out: &mut Out) -> Result<Time, i32> {
        loop {
            if self.socket.is_none() {
                self.send(sys, out)?;
            }
            if let Some((message, length)) = self.receive(sys) {
                let found = message.rcode == naru_network::dns::Rcode::NoError;
                if !found && self.names.len() > 1 {
                    self.names.pop_front();
                    (self.socket, self.tried) = (None, 0);
                    continue;
                }
                self.print(sys, &message, length, out);
                return Err(0);
            }
            let due = self.sent_at + self.timeout;
            if sys.now() < due {
                return Ok(due);
            }
            self.hang_up(sys);
            let (server, port) = (self.server, self.port);
            out.line(format!(";; communications error to {server}#{port}: timed out"));
            if self.tried >= self.tries {
                self.head(out);
                out.line(";; no servers could be reached");
                return Err(9);
            }
        }
    }

    fn send(&mut self, sys: &mut dyn Sys, out: &mut Out) -> Result<(), i32> {
        let name = self.names.front().cloned().unwrap_or_default();
        let Ok(parsed) = Name::parse(&name) else {
            out.error(format!("dig: '{name}' is not a legal name (bad escape)"));
            return Err(10);
        };
        (self.tried, self.sent_at) = (self.tried + 1, sys.now());
        self.id = sys.rng().below(1 << 16) as u16;
        let mut message = Message::query(self.id, parsed, self.kind);
        message.edns_size = Some(EDNS_SIZE);
        let to = SocketAddr::new(self.server, self.port);
        let Some(net) = sys.net() else { return Err(9) };
        let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        self.socket = net.udp_bind(any).ok();
        if let Some(socket) = self.socket {
            // What cannot be sent is asked again later, or times out.
            let _ = net.udp_send(socket, to, &message.encode());
        }
        Ok(())
    }

    fn receive(&mut self, sys: &mut dyn Sys) -> Option<(Message, usize)> {
        let socket = self.socket?;
        while let Ok((bytes, _)) = sys.net()?.udp_recv(socket) {
            if let Ok(message) = Message::decode(&bytes)
                && message.id == self.id
                && message.response
            {
                self.hang_up(sys);
                return Some((message, bytes.len()));
            }
        }
        None
    }

    fn hang_up(&mut self, sys: &mut dyn Sys) {
        if let (Some(socket), Some(net)) = (self.socket.take(), sys.net()) {
            net.close(socket);
        }
    }

    fn head(&self, out: &mut Out) {
        if !self.short && self.shown.cmd {
            out.line(format!("\n; <<>> DiG {VERSION} <<>> {}", self.typed));
            out.line(";; global options: +cmd");
        }
    }

    fn print(&self, sys: &mut dyn Sys, message: &Message, length: usize, out: &mut Out) {
        if self.short {
            for record in &message.answers {
                out.line(record.data.to_string());
            }
            return;
        }
        self.head(out);
        let comments = self.shown.comments;
        if comments {
            out.line(";; Got answer:");
            self.header(message, out);
            if message.edns_size.is_some() {
                out.line("\n;; OPT PSEUDOSECTION:");
                out.line(format!("; EDNS: version: 0, flags:; udp: {EDNS_SIZE}"));
            } else {
                out.line("");
            }
        }
        if self.shown.question {
            if comments {
                out.line(";; QUESTION SECTION:");
            }
            for question in &message.questions {
                out.line(question_text(&question.name, question.kind));
            }
        }
        for (title, shown, records) in [
            ("ANSWER", self.shown.answer, &message.answers),
            ("AUTHORITY", self.shown.authority, &message.authorities),
            ("ADDITIONAL", self.shown.additional, &message.additionals),
        ] {
            if shown && !records.is_empty() {
                if comments {
                    out.line(format!("\n;; {title} SECTION:"));
                }
                records.iter().for_each(|record| out.line(record_text(record)));
            }
        }
        if self.shown.stats {
            self.statistics(sys, length, out);
        } else if comments {
            out.line("");
        }
    }

    fn statistics(&self, sys: &dyn Sys, length: usize, out: &mut Out) {
        let (server, port) = (self.server, self.port);
        out.line(format!("\n;; Query time: {} msec", sys.now().since(self.sent_at).as_millis()));
        out.line(format!(";; SERVER: {server}#{port}({server}) (UDP)"));
        let when = clock::format(sys.now(), "%a %b %d %H:%M:%S UTC %Y");
        out.line(format!(";; WHEN: {when}\n;; MSG SIZE  rcvd: {length}\n"));
    }

    fn header(&self, message: &Message, out: &mut Out) {
        out.line(format!(
            ";; ->>HEADER<<- opcode: QUERY, status: {}, id: {}",
            message.rcode, message.id
        ));
        let flags = [
            (message.response, " qr"),
            (message.authoritative, " aa"),
            (message.truncated, " tc"),
            (message.recursion_desired, " rd"),
            (message.recursion_available, " ra"),
        ];
        let flags: String = flags.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
        out.line(format!(
            ";; flags:{flags}; QUERY: {}, ANSWER: {}, AUTHORITY: {}, ADDITIONAL: {}",
            message.questions.len(),
            message.answers.len(),
            message.authorities.len(),
            message.additionals.len() + usize::from(message.edns_size.is_some())
        ));
        if message.recursion_desired && !message.recursion_available {
            out.line(";; WARNING: recursion requested but not available");
        }
    }
}

/// Columns at which the class, the type and the data of a record begin.
const TTL_AT: usize = 24;
const CLASS_AT: usize = 32;
const TYPE_AT: usize = 40;
const DATA_AT: usize = 48;

/// A line with its column.
struct Line(String, usize);

impl Line {
    fn put(mut self, text: &str) -> Line {
        self.0 += text;
        self.1 += text.chars().count();
        self
    }

    /// Tabs and blanks up to a column, at least one: `indent` of `masterdump.c`.
    fn to(mut self, column: usize) -> Line {
        const TAB: usize = 8;
        let to = column.max(self.1 + 1);
        let tabs = to / TAB - self.1 / TAB;
        let from = if tabs > 0 { to / TAB * TAB } else { self.1 };
        self.0 += &"\t".repeat(tabs);
        self.0 += &" ".repeat(to - from);
        self.1 = to;
        self
    }
}

fn dotted(name: &Name) -> String {
    format!("{}.", name.as_str())
}

/// `;web.default.svc.cluster.local. IN A`, with tabs.
fn question_text(name: &Name, kind: RecordType) -> String {
    let line = Line(String::new(), 0).put(&dotted(name));
    let line = line.to(CLASS_AT).put("IN").to(TYPE_AT).put(&kind.to_string());
    format!(";{}", line.0)
}

fn record_text(record: &Record) -> String {
    let kind = record.data.kind().to_string();
    let line = Line(String::new(), 0).put(&dotted(&record.name)).to(TTL_AT);
    let line = line.put(&record.ttl.to_string()).to(CLASS_AT).put("IN").to(TYPE_AT).put(&kind);
    let data = match &record.data {
        Data::Txt(texts) => {
            texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(" ")
        }
        data => data.to_string(),
    };
    line.to(DATA_AT).put(&data).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_dig() {
        let record = |name: &str| Record {
            name: Name::parse(name).unwrap(),
            ttl: 30,
            data: Data::A(Ipv4Addr::new(10, 96, 0, 1)),
        };
        assert_eq!(record_text(&record("example.com")), "example.com.\t\t30\tIN\tA\t10.96.0.1");
        assert_eq!(
            record_text(&record("kubernetes.default.svc.cluster.local")),
            "kubernetes.default.svc.cluster.local. 30 IN A\t10.96.0.1"
        );
        let name = Name::parse("example.com").unwrap();
        assert_eq!(question_text(&name, RecordType::A), ";example.com.\t\t\tIN\tA");
    }
}
