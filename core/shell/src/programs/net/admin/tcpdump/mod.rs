//! `tcpdump`: the packets that pass the interfaces of this namespace.
//!
//! What it prints is read off the ways that packets went (`naru_network::Trace`).
//! Upstream: tcpdump 4.99.4 with libpcap 1.10.

mod filter;
mod packet;
mod passing;

use crate::programs::tool::{Out, finish, parse_options};
use crate::serve::clock;
use crate::{Program, Signal, Step, Sys};
use filter::Filter;
use naru_network::{Trace, TraceId};
use naru_sim::Time;
use passing::Passing;
use std::sync::Arc;
use std::time::Duration;

/// How often it looks for new packets.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// `tcpdump [-i interface] [-c count] [-nqt] [expression]`
#[derive(Clone, Debug, Default)]
pub struct Tcpdump {
    out: Out,
    /// What was asked, once it is read.
    capture: Option<Capture>,
    code: Option<i32>,
}

/// A capture that goes on.
#[derive(Clone, Debug)]
struct Capture {
    interface: String,
    filter: Filter,
    count_max: Option<u64>,
    /// `-n`: ports are not named.
    numeric: bool,
    /// `-t`, `-tt`, `-ttt`, `-tttt`.
    stamps: usize,
    /// Everything before this moment was looked at.
    since: Time,
    /// Packets up to this one have ended and were looked at.
    floor: TraceId,
    captured: u64,
}

impl Program for Tcpdump {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.code.is_none() && self.capture.is_none() {
            match start(sys, &mut self.out) {
                Ok(capture) => self.capture = Some(capture),
                Err(code) => self.code = Some(code),
            }
        }
        if let Some(code) = self.code {
            return finish(&mut self.out, sys, code);
        }
        let Some(capture) = &mut self.capture else { return Step::Exit(1) };
        let interrupted = sys.take_signal().is_some();
        capture.look(sys, interrupted, &mut self.out);
        let full = capture.count_max.is_some_and(|max| capture.captured >= max);
        if interrupted || full {
            if interrupted {
                self.out.put("\n");
            }
            let captured = capture.captured;
            for (number, what) in
                [(captured, "captured"), (captured, "received by filter"), (0, "dropped by kernel")]
            {
                let plural = if number == 1 { "" } else { "s" };
                self.out.error(format!("{number} packet{plural} {what}"));
            }
            self.code = Some(0);
            return finish(&mut self.out, sys, 0);
        }
        self.out.flush(sys);
        Step::Block { until: Some(sys.now() + LOOK_EVERY) }
    }
}

/// Reads the command line and says what is listened to; `Err` is the exit code.
fn start(sys: &mut dyn Sys, out: &mut Out) -> Result<Capture, i32> {
    let args: Vec<String> = sys.args().iter().skip(1).cloned().collect();
    let spec = "AabB:c:C:dDeEfF:G:hHi:j:JKlLm:M:nNoOpqQ:r:s:StT:uUvVw:W:xXy:z:Z:#";
    let options = parse_options(&args, spec, &[("interface", 'i')]).map_err(|message| {
        out.error(format!("tcpdump: {message}"));
        1
    })?;
    let now = sys.now();
    let root = sys.caps().has(crate::Cap::NetRaw);
    let Some((network, ns)) = sys.net().and_then(|net| net.administer()) else { return Err(1) };
    let interfaces = network.interfaces(ns);
    if options.has('D') {
        let names = interfaces.iter().map(|interface| interface.name.to_string());
        for (index, name) in names.chain(["any".to_owned()]).enumerate() {
            let what = if name == "any" {
                "any (Pseudo-device that captures on all interfaces) [Up, Running]".to_owned()
            } else {
                format!("{name} [Up, Running, Connected]")
            };
            out.line(format!("{}.{what}", index + 1));
        }
        return Err(0);
    }
    let first = interfaces.iter().find(|interface| &*interface.name != "lo");
    let usual = first.map_or("any", |interface| &interface.name);
    let interface = options.value('i').unwrap_or(usual).to_owned();
    if !root {
        out.error(format!(
            "tcpdump: {interface}: You don't have permission to perform this capture on that \
             device\n(socket: Operation not permitted)"
        ));
        return Err(1);
    }
    if interface != "any" && !interfaces.iter().any(|other| *other.name == *interface) {
        out.error(format!(
            "tcpdump: {interface}: No such device exists\n(SIOCGIFHWADDR: No such device)"
        ));
        return Err(1);
    }
    let filter = Filter::parse(&options.operands).map_err(|message| {
        out.error(format!("tcpdump: {message}"));
        1
    })?;
    let floor = network.last_trace();
    let kind = match interface.as_str() {
        "any" => {
            out.error("tcpdump: data link type LINUX_SLL2");
            "LINUX_SLL2 (Linux cooked v2)"
        }
        _ => "EN10MB (Ethernet)",
    };
    out.error("tcpdump: verbose output suppressed, use -v[v]... for full protocol decode");
    out.error(format!("listening on {interface}, link-type {kind}, snapshot length 262144 bytes"));
    sys.catch(Signal::Int);
    sys.catch(Signal::Term);
    Ok(Capture {
        interface,
        filter,
        count_max: options.value('c').and_then(|count| count.parse().ok()),
        numeric: options.has('n'),
        stamps: options.flags.iter().filter(|(flag, _)| *flag == 't').count(),
        since: now,
        floor,
        captured: 0,
    })
}

impl Capture {
    /// Prints what has passed since the last look. What happens at the present moment is left for
    /// the next look, unless this is the last.
    fn look(&mut self, sys: &mut dyn Sys, last: bool, out: &mut Out) {
        let now = sys.now();
        let until = if last { now + Duration::from_micros(1) } else { now };
        let Some((network, ns)) = sys.net().and_then(|net| net.administer()) else { return };
        let mut seen: Vec<Passing<'_>> = Vec::new();
        let mut floor = network.last_trace();
        let traces: Vec<Arc<Trace>> = network.traces_after(self.floor).collect();
        for trace in &traces {
            let travels = trace.outcome == naru_network::Outcome::Travelling;
            if travels || trace.hops.last().is_some_and(|hop| hop.at >= until) {
                floor = floor.min(TraceId(trace.id.0.saturating_sub(1)));
            }
            let passes = passing::of(network, ns, trace);
            seen.extend(passes.into_iter().filter(|it| it.at >= self.since && it.at < until));
        }
        seen.sort_by_key(|it| (it.at, it.trace.id, it.order));
        for it in seen {
            if self.count_max.is_some_and(|max| self.captured >= max) || out.is_full() {
                break;
            }
            let here = self.interface == "any" || self.interface == *it.interface;
            if here && self.filter.fits(&it) {
                out.line(self.line(&it));
                self.captured += 1;
            }
        }
        (self.since, self.floor) = (until, floor);
    }

    fn line(&self, it: &Passing<'_>) -> String {
        let mut line = match self.stamps {
            0 => clock::format(it.at, "%H:%M:%S.%6f "),
            1 => String::new(),
            2 => {
                let micros = it.at.unix_micros();
                format!("{}.{:06} ", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000))
            }
            _ => clock::format(it.at, "%Y-%m-%d %H:%M:%S.%6f "),
        };
        if self.interface == "any" {
            line += &format!("{:<5} {:<3} ", it.interface, it.direction);
        }
        line + &packet::text(it, self.numeric)
    }
}
