//! `ping`, in the words of iputils and of Busybox.
//!
//! Upstream: iputils 20221126, `ping/ping_common.c`; Busybox, `networking/ping.c`.

use super::{Progress, Resolver, earlier};
use crate::programs::tool::{Out, finish, parse_options};
use crate::{Errno, Program, Signal, SocketId, Step, Sys};
use naru_network::dns::RecordType;
use naru_network::{IcmpError, Pong, Unreachable};
use naru_sim::Time;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// How long it waits for the answer to its last ping.
const LAST_WAIT: Duration = Duration::from_secs(10);

/// Whose words are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    /// iputils.
    Iputils,
    /// Busybox.
    Busybox,
}

/// `ping [-q] [-c count] [-i seconds] [-s size] [-t ttl] [-W seconds] [-w seconds] host`
#[derive(Clone, Debug)]
pub struct Ping {
    flavor: Flavor,
    out: Out,
    run: Option<Run>,
    code: Option<i32>,
}

#[derive(Clone, Debug)]
struct Run {
    host: String,
    quiet: bool,
    count: Option<u16>,
    interval: Duration,
    size: u16,
    ttl: Option<u8>,
    wait: Duration,
    ends: Option<Time>,
    resolver: Option<Resolver>,
    to: Option<IpAddr>,
    socket: Option<SocketId>,
    sent: u16,
    /// When pings without an answer were sent.
    open: BTreeMap<u16, Time>,
    started: Time,
    /// When something was last sent or came back.
    last: Time,
    next: Time,
    errors: u32,
    /// How long answers took, in microseconds.
    took: Vec<u64>,
}

impl Ping {
    /// A ping of this flavor.
    pub fn new(flavor: Flavor) -> Self {
        Ping { flavor, out: Out::default(), run: None, code: None }
    }

    fn start(&mut self, sys: &mut dyn Sys) -> Result<Run, i32> {
        if self.flavor == Flavor::Busybox {
            self.out.speak(sys);
        }
        let args: Vec<String> = sys.args().iter().skip(1).cloned().collect();
        let options = parse_options(&args, "46Anqc:i:s:t:W:w:I:", &[]).map_err(|message| {
            self.out.error(format!("ping: {message}"));
            self.flavor.pick(2, 1)
        })?;
        let Some(host) = options.operands.first() else {
            match self.flavor {
                Flavor::Iputils => {
                    self.out.error("ping: usage error: Destination address required")
                }
                Flavor::Busybox => self.out.error("ping: missing operand"),
            }
            return Err(self.flavor.pick(1, 1));
        };
        let seconds = |flag| options.value(flag).and_then(|text| text.parse::<f64>().ok());
        let duration = |flag, usual: f64| {
            Duration::from_secs_f64(seconds(flag).unwrap_or(usual).clamp(0.002, 86_400.0))
        };
        sys.catch(Signal::Int);
        Ok(Run {
            host: host.clone(),
            quiet: options.has('q'),
            count: options.value('c').and_then(|text| text.parse().ok()),
            interval: duration('i', 1.0),
            size: options.value('s').and_then(|text| text.parse().ok()).unwrap_or(56),
            ttl: options.value('t').and_then(|text| text.parse().ok()),
            wait: match options.value('W') {
                Some(_) => duration('W', 10.0),
                None => LAST_WAIT,
            },
            ends: seconds('w').map(|_| sys.now() + duration('w', 1.0)),
            resolver: Some(Resolver::new(host, &[RecordType::A])),
            to: None,
            socket: None,
            sent: 0,
            open: BTreeMap::new(),
            started: sys.now(),
            last: sys.now(),
            next: sys.now(),
            errors: 0,
            took: Vec::new(),
        })
    }
}

impl Flavor {
    fn pick<T>(self, iputils: T, busybox: T) -> T {
        match self {
            Flavor::Iputils => iputils,
            Flavor::Busybox => busybox,
        }
    }
}

impl Program for Ping {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.run.is_none() && self.code.is_none() {
            match self.start(sys) {
                Ok(run) => self.run = Some(run),
                Err(code) => self.code = Some(code),
            }
        }
        if let Some(code) = self.code {
            return finish(&mut self.out, sys, code);
        }
        let Some(run) = &mut self.run else { return Step::Exit(2) };
        let interrupted = sys.take_signal().is_some();
        match run.advance(sys, self.flavor, interrupted, &mut self.out) {
            Ok(until) => {
                self.out.flush(sys);
                Step::Block { until }
            }
            Err(code) => {
                if let (Some(socket), Some(net)) = (run.socket, sys.net()) {
                    net.close(socket);
                }
                self.code = Some(code);
                finish(&mut self.out, sys, code)
            }
        }
    }
}

impl Run {
    /// Goes on; `Err` is the exit code.
    fn advance(
        &mut self,
        sys: &mut dyn Sys,
        flavor: Flavor,
        interrupted: bool,
        out: &mut Out,
    ) -> Result<Option<Time>, i32> {
        if self.to.is_none() {
            match self.resolve(sys, flavor, out)? {
                Some(until) => return if interrupted { Err(130) } else { Ok(until) },
                None => {
                    self.open_socket(sys, flavor, out)?;
                    (self.started, self.next) = (sys.now(), sys.now());
                }
            }
        }
        self.receive(sys, flavor, out);
        let now = sys.now();
        let all_sent = self.count.is_some_and(|count| self.sent >= count);
        if !all_sent && now >= self.next && self.ends.is_none_or(|ends| now < ends) {
            self.send(sys, flavor, out)?;
            self.receive(sys, flavor, out);
        }
        let all_sent = self.count.is_some_and(|count| self.sent >= count);
        let last = self.open.values().max().map(|sent| *sent + self.wait);
        let waited = all_sent && last.is_none_or(|last| now >= last);
        if interrupted || waited || self.ends.is_some_and(|ends| now >= ends) {
            self.report(flavor, out);
            return Err(i32::from(self.took.is_empty()));
        }
        let next = if all_sent { last } else { Some(self.next) };
        Ok(earlier(next, self.ends))
    }

    /// `Some` while it waits.
    fn resolve(
        &mut self,
        sys: &mut dyn Sys,
        flavor: Flavor,
        out: &mut Out,
    ) -> Result<Option<Option<Time>>, i32> {
        let Some(resolver) = &mut self.resolver else { return Err(2) };
        let found = match resolver.poll(sys) {
            Progress::Waits(until) => return Ok(Some(until)),
            Progress::Done(found) => found,
        };
        let host = &self.host;
        match found.ok().and_then(|all| all.first().copied()) {
            Some(ip) => {
                self.to = Some(ip);
                Ok(None)
            }
            None if flavor == Flavor::Busybox => {
                out.error(format!("ping: bad address '{host}'"));
                Err(1)
            }
            None => {
                out.error(format!("ping: {host}: Name or service not known"));
                Err(2)
            }
        }
    }

    fn open_socket(&mut self, sys: &mut dyn Sys, flavor: Flavor, out: &mut Out) -> Result<(), i32> {
        let Some(to) = self.to else { return Err(2) };
        let hint = match sys.uid() {
            0 => "",
            _ => "\nping: => missing cap_net_raw+p capability or setuid?",
        };
        let opened = sys.net().ok_or(Errno::NetUnreachable).and_then(|net| net.ping_open());
        let socket = opened.map_err(|errno| {
            out.error(match flavor {
                Flavor::Iputils => format!("ping: socktype: SOCK_RAW\nping: socket: {errno}{hint}"),
                Flavor::Busybox => "ping: permission denied (are you root?)".to_owned(),
            });
            flavor.pick(2, 1)
        })?;
        self.socket = Some(socket);
        let (host, size) = (&self.host, self.size);
        out.line(match flavor {
            Flavor::Iputils => format!("PING {host} ({to}) {size}({}) bytes of data.", size + 28),
            Flavor::Busybox => format!("PING {host} ({to}): {size} data bytes"),
        });
        Ok(())
    }

    fn send(&mut self, sys: &mut dyn Sys, flavor: Flavor, out: &mut Out) -> Result<(), i32> {
        let (Some(to), Some(socket)) = (self.to, self.socket) else { return Err(2) };
        // iputils counts from 1, Busybox from 0.
        let seq = self.sent + flavor.pick(1, 0);
        let now = sys.now();
        let Some(net) = sys.net() else { return Err(2) };
        match net.ping_send(socket, to, seq, self.size, self.ttl) {
            Ok(()) => {
                self.open.insert(seq, now);
            }
            Err(errno) if flavor == Flavor::Busybox => {
                out.error(format!("ping: sendto: {errno}"));
                return Err(1);
            }
            Err(errno) if self.sent == 0 => {
                out.error(format!("ping: connect: {errno}"));
                return Err(2);
            }
            Err(errno) => out.error(format!("ping: sendmsg: {errno}")),
        }
        self.sent = self.sent.saturating_add(1);
        (self.last, self.next) = (now, now + self.interval);
        Ok(())
    }

    fn receive(&mut self, sys: &mut dyn Sys, flavor: Flavor, out: &mut Out) {
        let Some(socket) = self.socket else { return };
        let now = sys.now();
        while let Some(Ok(pong)) = sys.net().map(|net| net.ping_recv(socket)) {
            self.last = now;
            match pong {
                Pong::Reply { from, seq, ttl, length } => {
                    let Some(sent) = self.open.remove(&seq) else { continue };
                    let micros = now.since(sent).as_micros() as u64;
                    self.took.push(micros);
                    if self.quiet {
                        continue;
                    }
                    let bytes = length + 8;
                    out.line(match flavor {
                        Flavor::Iputils => format!(
                            "{bytes} bytes from {from}: icmp_seq={seq} ttl={ttl} time={} ms",
                            shown(micros)
                        ),
                        Flavor::Busybox => format!(
                            "{bytes} bytes from {from}: seq={seq} ttl={ttl} time={} ms",
                            millis(micros)
                        ),
                    });
                }
                Pong::Error { from, error } => {
                    let Some((seq, _)) = self.open.pop_first() else { continue };
                    self.errors += 1;
                    // Busybox is silent about errors.
                    if !self.quiet && flavor == Flavor::Iputils {
                        out.line(format!("From {from} icmp_seq={seq} {}", error_text(error)));
                    }
                }
            }
        }
    }

    fn report(&self, flavor: Flavor, out: &mut Out) {
        let (sent, got) = (usize::from(self.sent), self.took.len());
        let loss = ((sent - got.min(sent)) * 100).checked_div(sent).unwrap_or(0);
        out.line(format!("\n--- {} ping statistics ---", self.host));
        match flavor {
            Flavor::Iputils => {
                let errors = match self.errors {
                    0 => String::new(),
                    errors => format!(" +{errors} errors,"),
                };
                let time = self.last.since(self.started).as_millis();
                out.line(format!(
                    "{sent} packets transmitted, {got} received,{errors} {loss}% packet loss, \
                     time {time}ms"
                ));
            }
            Flavor::Busybox => out.line(format!(
                "{sent} packets transmitted, {got} packets received, {loss}% packet loss"
            )),
        }
        let (Some(min), Some(max)) = (self.took.iter().min(), self.took.iter().max()) else {
            if flavor == Flavor::Iputils {
                out.line("");
            }
            return;
        };
        let (min, max) = (millis(*min), millis(*max));
        let average = self.took.iter().sum::<u64>() / got.max(1) as u64;
        match flavor {
            Flavor::Iputils => {
                let squares = self.took.iter().map(|it| it * it).sum::<u64>() / got.max(1) as u64;
                let deviation = (squares.saturating_sub(average * average) as f64).sqrt() as u64;
                out.line(format!(
                    "rtt min/avg/max/mdev = {min}/{}/{max}/{} ms",
                    millis(average),
                    millis(deviation)
                ));
            }
            Flavor::Busybox => {
                out.line(format!("round-trip min/avg/max = {min}/{}/{max} ms", millis(average)));
            }
        }
    }
}

/// `0.123`
fn millis(micros: u64) -> String {
    format!("{}.{:03}", micros / 1_000, micros % 1_000)
}

/// With three digits that count, as iputils writes the time of one answer.
fn shown(micros: u64) -> String {
    match micros {
        0..1_000 => millis(micros),
        1_000..10_000 => format!("{:.2}", micros as f64 / 1e3),
        10_000..100_000 => format!("{:.1}", micros as f64 / 1e3),
        _ => (micros / 1_000).to_string(),
    }
}

fn error_text(error: IcmpError) -> &'static str {
    match error {
        IcmpError::TimeExceeded => "Time to live exceeded",
        IcmpError::Unreachable(code) => match code {
            Unreachable::Net => "Destination Net Unreachable",
            Unreachable::Host => "Destination Host Unreachable",
            Unreachable::Protocol => "Destination Protocol Unreachable",
            Unreachable::Port => "Destination Port Unreachable",
            Unreachable::NetProhibited => "Destination Net Prohibited",
            Unreachable::HostProhibited => "Destination Host Prohibited",
            Unreachable::AdminProhibited => "Packet filtered",
        },
    }
}
