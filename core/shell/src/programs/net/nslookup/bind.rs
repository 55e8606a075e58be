//! `nslookup`, in the words of BIND: it tries one search domain after the other, as libc does.
//!
//! Upstream: `bin/dig/nslookup.c` of BIND 9.18.

use super::Asked;
use crate::programs::net::Progress;
use crate::programs::net::ask::Ask;
use crate::programs::net::resolver::Config;
use crate::programs::tool::{Out, finish};
use crate::{Program, Step, Sys};
use naru_network::dns::{Data, Message, Name, Rcode, RecordType};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

/// How long one attempt waits, and how many there are.
const TIMEOUT: Duration = Duration::from_secs(5);
const TRIES: u32 = 3;

/// `nslookup [-type=type] name [server]`
#[derive(Clone, Debug, Default)]
pub struct Nslookup {
    out: Out,
    run: Option<Run>,
    code: Option<i32>,
}

#[derive(Clone, Debug)]
struct Run {
    server: IpAddr,
    /// The names to try, and the types to ask for of the one that is there.
    names: VecDeque<String>,
    kinds: VecDeque<RecordType>,
    /// Nothing but a name was typed: addresses of both families.
    usual: bool,
    ask: Option<Ask>,
    /// There is no address of the first family.
    empty: bool,
    /// Attempts of this question that were told to have failed.
    told: u32,
}

impl Program for Nslookup {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.code.is_none() && self.run.is_none() {
            match start(sys) {
                Ok(run) => self.run = Some(run),
                Err(message) => {
                    self.out.error(format!("nslookup: {message}"));
                    self.code = Some(1);
                }
            }
        }
        if let (None, Some(run)) = (self.code, &mut self.run) {
            match run.advance(sys, &mut self.out) {
                Progress::Waits(until) => {
                    self.out.flush(sys);
                    return Step::Block { until };
                }
                Progress::Done(code) => self.code = Some(code),
            }
        }
        finish(&mut self.out, sys, self.code.unwrap_or(1))
    }
}

fn start(sys: &mut dyn Sys) -> Result<Run, String> {
    let text = sys.fs().read_text("/etc/resolv.conf").unwrap_or_default();
    let config = Config::parse(&text);
    let asked = Asked::read(sys.args())?.ok_or("this sandbox's nslookup asks one question")?;
    let server = match &asked.server {
        Some(server) => {
            server.parse().map_err(|_| format!("couldn't get address for '{server}': not found"))?
        }
        None => config.servers.first().copied().ok_or("no servers")?,
    };
    let names = match asked.kinds.first() {
        Some(RecordType::Ptr) => [asked.name].into(),
        _ => config.candidates(&asked.name),
    };
    let usual = asked.kinds.len() > 1;
    let kinds = asked.kinds.into();
    Ok(Run { server, names, kinds, usual, ask: None, empty: false, told: 0 })
}

impl Run {
    fn advance(&mut self, sys: &mut dyn Sys, out: &mut Out) -> Progress<i32> {
        loop {
            let Some(kind) = self.kinds.front().copied() else {
                out.line("");
                return Progress::Done(0);
            };
            let name = self.names.front().cloned().unwrap_or_default();
            let server = self.server;
            if self.ask.is_none() {
                let Ok(parsed) = Name::parse(&name) else {
                    out.error(format!("nslookup: '{name}' is not a legal name (bad escape)"));
                    return Progress::Done(1);
                };
                self.ask = Some(Ask::new(server, parsed, kind, TIMEOUT, TRIES));
                self.told = 0;
            }
            let Some(ask) = &mut self.ask else { continue };
            let progress = ask.poll(sys);
            for _ in self.told..ask.timeouts() {
                out.line(format!(";; communications error to {server}#53: timed out"));
            }
            self.told = ask.timeouts();
            let message = match progress {
                Progress::Waits(until) => return Progress::Waits(until),
                Progress::Done(None) => {
                    out.line(";; no servers could be reached\n");
                    return Progress::Done(1);
                }
                Progress::Done(Some(message)) => message,
            };
            self.ask = None;
            if message.rcode != Rcode::NoError && self.names.len() > 1 {
                self.names.pop_front();
                continue;
            }
            self.kinds.pop_front();
            if let Some(code) = self.show(&name, kind, &message, out) {
                return Progress::Done(code);
            }
            self.names = [true_name(&name, &message)].into();
        }
    }

    /// Gives the exit code where there is no going on.
    fn show(
        &mut self,
        name: &str,
        kind: RecordType,
        message: &Message,
        out: &mut Out,
    ) -> Option<i32> {
        let first = !self.usual || kind == RecordType::A;
        if first {
            out.line(format!("Server:\t\t{0}\nAddress:\t{0}#53\n", self.server));
        }
        if message.rcode != Rcode::NoError {
            out.line(format!("** server can't find {name}: {}\n", message.rcode));
            return Some(1);
        }
        if first && !message.authoritative {
            out.line("Non-authoritative answer:");
        }
        message.answers.iter().for_each(|record| out.line(line(&record.name, &record.data)));
        if message.answers.is_empty() {
            match self.usual && kind == RecordType::A {
                true => self.empty = true,
                false if !self.usual || self.empty => {
                    out.line(format!("*** Can't find {name}: No answer"));
                }
                false => {}
            }
        }
        if !message.authoritative && !matches!(kind, RecordType::A | RecordType::Aaaa) {
            out.line("\nAuthoritative answers can be found from:");
            let told = message.authorities.iter().chain(&message.additionals);
            told.for_each(|record| out.line(line(&record.name, &record.data)));
        }
        None
    }
}

/// The name that a name stands for in the end: what else is asked is asked of that one.
fn true_name(name: &str, message: &Message) -> String {
    let is_cname = |data: &Data| match data {
        Data::Cname(target) => Some(target.to_string()),
        _ => None,
    };
    let last = message.answers.iter().filter_map(|record| is_cname(&record.data)).next_back();
    last.unwrap_or_else(|| name.to_owned())
}

fn line(name: &Name, data: &Data) -> String {
    match data {
        Data::A(_) | Data::Aaaa(_) => format!("Name:\t{name}\nAddress: {data}"),
        Data::Cname(_) => format!("{name}\tcanonical name = {data}"),
        Data::Ptr(_) => format!("{name}\tname = {data}"),
        Data::Ns(_) => format!("{name}\tnameserver = {data}"),
        Data::Srv { .. } => format!("{name}\tservice = {data}"),
        Data::Txt(_) => format!("{name}\ttext = {data}"),
        Data::Mx { .. } => format!("{name}\tmail exchanger = {data}"),
        Data::Soa(soa) => format!(
            "{name}\n\torigin = {}\n\tmail addr = {}\n\tserial = {}\n\trefresh = {}\n\tretry = \
             {}\n\texpire = {}\n\tminimum = {}",
            soa.mname, soa.rname, soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum
        ),
        Data::Other(..) => format!("{name}\t{data}"),
    }
}
