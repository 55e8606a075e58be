//! `conntrack`: the connections that the kernel follows.
//!
//! Upstream: conntrack-tools 1.4.7, `src/conntrack.c`, and libnetfilter_conntrack's text format.

use crate::Sys;
use crate::programs::tool::{Options, Out};
use naru_network::{Entry, Protocol, Tuple};
use naru_sim::Time;
use std::net::IpAddr;

const VERSION: &str = "conntrack v1.4.7 (conntrack-tools)";
const LONG: &[(&str, char)] = &[
    ("list", 'L'),
    ("dump", 'L'),
    ("delete", 'D'),
    ("count", 'C'),
    ("proto", 'p'),
    ("src", 's'),
    ("orig-src", 's'),
    ("dst", 'd'),
    ("orig-dst", 'd'),
    ("reply-src", 'r'),
    ("reply-dst", 'q'),
    ("sport", 'S'),
    ("orig-port-src", 'S'),
    ("dport", 'P'),
    ("orig-port-dst", 'P'),
    ("state", 'T'),
];

/// `conntrack -L|-D|-C [filters]`
pub fn run(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let options = match crate::programs::tool::parse_options(args, "LDCp:s:d:r:q:S:P:T:", LONG) {
        Ok(options) => options,
        Err(message) => {
            out.error(format!("conntrack: {message}"));
            out.error(format!("{VERSION}: Bad parameter\nTry `conntrack -h' or 'conntrack --help' for more information."));
            return 2;
        }
    };
    let (root, now) = (sys.caps().has(crate::Cap::NetAdmin), sys.now());
    let Some((network, ns)) = sys.net().filter(|_| root).and_then(|net| net.administer()) else {
        out.error(format!(
            "{VERSION}: Operation failed: sorry, you must be root or get CAP_NET_ADMIN capability \
             to do this"
        ));
        return 1;
    };
    if options.has('C') {
        out.line(network.conntrack(ns).count().to_string());
        return 0;
    }
    if !options.has('L') && !options.has('D') {
        out.error(format!(
            "{VERSION}: You need to supply parameters!\nTry `conntrack -h' or 'conntrack --help' \
             for more information."
        ));
        return 2;
    }
    let fits = |entry: &Entry| selects(&options, entry);
    let lines: Vec<String> =
        network.conntrack(ns).filter(|entry| fits(entry)).map(|entry| line(entry, now)).collect();
    lines.iter().for_each(|line| out.line(line));
    let count = lines.len();
    let done = match options.has('D') {
        true => {
            network.conntrack_delete(ns, fits);
            "deleted"
        }
        false => "shown",
    };
    out.error(format!("{VERSION}: {count} flow entries have been {done}."));
    // Nothing to delete is an error, as upstream has it.
    i32::from(done == "deleted" && count == 0)
}

fn selects(options: &Options, entry: &Entry) -> bool {
    let ip =
        |flag: char, of: IpAddr| options.value(flag).is_none_or(|wanted| wanted.parse() == Ok(of));
    let port =
        |flag: char, of: u16| options.value(flag).is_none_or(|wanted| wanted.parse() == Ok(of));
    let (original, reply) = (&entry.original, &entry.reply);
    options.value('p').is_none_or(|wanted| original.protocol.to_string() == wanted)
        && options.value('T').is_none_or(|wanted| entry.tcp.is_some_and(|it| it.name() == wanted))
        && ip('s', original.src.ip())
        && ip('d', original.dst.ip())
        && ip('r', reply.src.ip())
        && ip('q', reply.dst.ip())
        && port('S', original.src.port())
        && port('P', original.dst.port())
}

/// `tcp      6 86399 ESTABLISHED src=… dst=… sport=… dport=… src=… … [ASSURED] mark=0 use=1`
fn line(entry: &Entry, now: Time) -> String {
    let protocol = entry.original.protocol;
    let left = entry.expires.since(now).as_secs();
    let mut out = format!("{:<8} {} {left} ", protocol.to_string(), protocol.number());
    if let Some(state) = entry.tcp {
        out += state.name();
        out.push(' ');
    }
    out += &tuple(&entry.original, true);
    if !entry.answered {
        out += "[UNREPLIED] ";
    }
    out += &tuple(&entry.reply, false);
    let assured = entry.tcp.is_none_or(|state| !["SYN_SENT", "SYN_RECV"].contains(&state.name()));
    if entry.answered && assured && protocol != Protocol::Icmp {
        out += "[ASSURED] ";
    }
    out + "mark=0 use=1"
}

fn tuple(tuple: &Tuple, original: bool) -> String {
    let (src, dst) = (tuple.src, tuple.dst);
    match tuple.protocol {
        Protocol::Icmp => {
            let (kind, id) = if original { (8, src.port()) } else { (0, dst.port()) };
            format!("src={} dst={} type={kind} code=0 id={id} ", src.ip(), dst.ip())
        }
        _ => {
            format!("src={} dst={} sport={} dport={} ", src.ip(), dst.ip(), src.port(), dst.port())
        }
    }
}
