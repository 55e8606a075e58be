//! `nslookup`, in the words of Busybox since 1.30: a name without a dot is asked for in every search
//! domain at once, any other name as it is, whatever `ndots` says.
//!
//! Upstream: `networking/nslookup.c` of Busybox 1.37.

use super::Asked;
use crate::programs::net::resolver::Config;
use crate::programs::tool::{Out, finish};
use crate::{Program, SocketId, Step, Sys};
use naru_network::dns::{Data, Message, Name, Rcode, RecordType};
use naru_sim::Time;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// How long all attempts with one server last, and how many there are.
const TIMEOUT: Duration = Duration::from_secs(5);
const ATTEMPTS: u32 = 2;

#[derive(Clone, Debug)]
struct Question {
    id: u16,
    name: Name,
    kind: RecordType,
    answered: bool,
}

/// `nslookup [-type=type] name [server]`
#[derive(Clone, Debug, Default)]
pub struct Nslookup {
    out: Out,
    started: bool,
    servers: Vec<IpAddr>,
    questions: Vec<Question>,
    socket: Option<SocketId>,
    sent_at: Time,
    attempts: u32,
    /// The server's name has been printed.
    greeted: bool,
    /// A server said no.
    failed: bool,
    code: Option<i32>,
}

impl Nslookup {
    fn start(&mut self, sys: &mut dyn Sys) -> Result<(), String> {
        self.out.speak(sys);
        let Asked { host, server, name, kinds } = Asked::read(sys.args())?
            .ok_or("Usage: nslookup [-type=QUERY_TYPE] [-debug] HOST [DNS_SERVER]")?;
        let text = sys.fs().read_text("/etc/resolv.conf").unwrap_or_default();
        let config = Config::parse(&text);
        let names: Vec<String> = match host.contains('.') || config.search.is_empty() {
            true => vec![name],
            false => config.search.iter().map(|domain| format!("{host}.{domain}")).collect(),
        };
        let bad = |_| format!("invalid host name '{host}'");
        for kind in kinds {
            for name in &names {
                let id = sys.rng().below(1 << 16) as u16;
                let name = Name::parse(name).map_err(bad)?;
                self.questions.push(Question { id, name, kind, answered: false });
            }
        }
        self.servers = match server {
            Some(server) => match server.parse() {
                Ok(address) => vec![address],
                Err(_) => return Err(format!("bad address '{server}'")),
            },
            None => config.servers,
        };
        Ok(())
    }

    fn ask(&mut self, sys: &mut dyn Sys) {
        self.sent_at = sys.now();
        self.attempts += 1;
        let Some(server) = self.servers.first() else { return };
        let to = SocketAddr::new(*server, 53);
        let Some(net) = sys.net() else { return };
        if self.socket.is_none() {
            let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
            self.socket = net.udp_bind(any).ok();
        }
        let Some(socket) = self.socket else { return };
        for question in self.questions.iter().filter(|question| !question.answered) {
            let message = Message::query(question.id, question.name.clone(), question.kind);
            // What cannot be sent is asked again later, or times out.
            let _ = net.udp_send(socket, to, &message.encode());
        }
    }

    fn receive(&mut self, sys: &mut dyn Sys) {
        let Some(socket) = self.socket else { return };
        while let Some(Ok((bytes, from))) = sys.net().map(|net| net.udp_recv(socket)) {
            let Ok(message) = Message::decode(&bytes) else { continue };
            let Some(question) = self
                .questions
                .iter_mut()
                .find(|question| question.id == message.id && !question.answered)
            else {
                continue;
            };
            question.answered = true;
            let name = question.name.clone();
            if !self.greeted {
                self.greeted = true;
                self.out.line(format!("Server:\t\t{}", from.ip()));
                self.out.line(format!("Address:\t{from}\n"));
            }
            self.show(&name, &message);
        }
    }

    fn show(&mut self, name: &Name, message: &Message) {
        if message.rcode != Rcode::NoError {
            let code = message.rcode;
            self.out.line(format!("** server can't find {name}: {code}\n"));
            self.failed = true;
            return;
        }
        if !message.authoritative && !message.answers.is_empty() {
            self.out.line("Non-authoritative answer:");
        }
        for record in &message.answers {
            let name = &record.name;
            match &record.data {
                Data::A(address) => self.out.line(format!("Name:\t{name}\nAddress: {address}")),
                Data::Aaaa(address) => self.out.line(format!("Name:\t{name}\nAddress: {address}")),
                Data::Cname(target) => self.out.line(format!("{name}\tcanonical name = {target}")),
                Data::Ptr(target) => self.out.line(format!("{name}\tname = {target}")),
                Data::Ns(target) => self.out.line(format!("{name}\tnameserver = {target}")),
                Data::Srv { priority, weight, port, target } => {
                    self.out.line(format!("{name}\tservice = {priority} {weight} {port} {target}"))
                }
                Data::Txt(texts) => {
                    self.out.line(format!("{name}\ttext = \"{}\"", texts.join(" ")))
                }
                _ => {}
            }
        }
        self.out.line("");
    }

    /// Prints what has no answer and ends.
    fn end(&mut self) -> i32 {
        if !self.greeted {
            self.out.line(";; connection timed out; no servers could be reached\n");
            return 1;
        }
        let missing: Vec<String> = self
            .questions
            .iter()
            .filter(|question| !question.answered)
            .map(|question| format!("*** Can't find {}: No answer", question.name))
            .collect();
        if !missing.is_empty() {
            self.out.line(format!("{}\n", missing.join("\n")));
        }
        i32::from(self.failed)
    }
}

impl Program for Nslookup {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if let Some(code) = self.code {
            return finish(&mut self.out, sys, code);
        }
        if !self.started {
            self.started = true;
            if let Err(message) = self.start(sys) {
                self.out.error(format!("nslookup: {message}"));
                self.code = Some(1);
                return finish(&mut self.out, sys, 1);
            }
            self.ask(sys);
        }
        loop {
            self.receive(sys);
            if self.questions.iter().all(|question| question.answered) {
                break;
            }
            let due = self.sent_at + TIMEOUT / ATTEMPTS;
            if sys.now() < due {
                self.out.flush(sys);
                return Step::Block { until: Some(due) };
            }
            if self.attempts >= ATTEMPTS {
                // Busybox goes to the next server only if this one said nothing at all.
                if self.greeted || self.servers.len() <= 1 {
                    break;
                }
                self.servers.remove(0);
                self.attempts = 0;
            }
            self.ask(sys);
        }
        let code = self.end();
        self.code = Some(code);
        finish(&mut self.out, sys, code)
    }
}
