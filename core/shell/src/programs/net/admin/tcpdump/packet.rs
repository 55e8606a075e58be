//! One packet in tcpdump's words.
//!
//! Upstream: `print-ip.c`, `print-tcp.c`, `print-udp.c`, `print-domain.c`, `print-icmp.c`.

use super::passing::Passing;
use naru_network::dns::Rcode;
use naru_network::{
    Addresses, Content, DnsHead, Flags, IcmpError, Protocol, Trace, Tunnel, Tuple, Unreachable,
};
use std::net::SocketAddr;

/// `IP 10.244.1.3.40000 > 10.96.0.7.80: Flags [S], seq 1, win 64240, length 0`
pub fn text(it: &Passing<'_>, numeric: bool) -> String {
    let Some(tunnel) = it.wrapped else { return plain(it.trace, it.addresses, numeric) };
    let Addresses { src, dst } = it.addresses;
    let inner = plain(it.trace, it.inner, numeric);
    match tunnel {
        Tunnel::Vxlan { vni, .. } => {
            let (src, dst) = (end(src, Protocol::Udp, numeric), end(dst, Protocol::Udp, numeric));
            format!("IP {src} > {dst}: OTV, flags [I] (0x08), overlay 0, instance {vni}\n{inner}")
        }
        Tunnel::IpIp => format!("IP {} > {}: {inner}", src.ip(), dst.ip()),
    }
}

fn plain(trace: &Trace, addresses: Addresses, numeric: bool) -> String {
    let Addresses { src, dst } = addresses;
    let family = if src.is_ipv4() { "IP" } else { "IP6" };
    let ends = match trace.protocol {
        Protocol::Icmp => format!("{} > {}", src.ip(), dst.ip()),
        protocol => format!("{} > {}", end(src, protocol, numeric), end(dst, protocol, numeric)),
    };
    format!("{family} {ends}: {}", content(trace, addresses, numeric))
}

fn end(at: SocketAddr, protocol: Protocol, numeric: bool) -> String {
    match service(at.port(), protocol).filter(|_| !numeric) {
        Some(name) => format!("{}.{name}", at.ip()),
        None => format!("{}.{}", at.ip(), at.port()),
    }
}

/// Names of ports, from `/etc/services`.
fn service(port: u16, protocol: Protocol) -> Option<&'static str> {
    let tcp = protocol == Protocol::Tcp;
    Some(match port {
        22 if tcp => "ssh",
        53 => "domain",
        80 if tcp => "http",
        123 if !tcp => "ntp",
        443 => "https",
        2049 => "nfs",
        2379 if tcp => "etcd-client",
        2380 if tcp => "etcd-server",
        3306 if tcp => "mysql",
        5432 if tcp => "postgresql",
        6379 if tcp => "redis",
        8080 if tcp => "http-alt",
        _ => return None,
    })
}

fn content(trace: &Trace, addresses: Addresses, numeric: bool) -> String {
    match &trace.content {
        Content::Tcp { flags, seq, ack, window, length } => {
            let numbers = Numbers { seq: *seq, ack: *ack, length: *length };
            let mut out = format!("Flags [{}]", letters(*flags));
            out += &numbers.text(*flags, trace.flow.0);
            out += &format!(", win {window}, length {length}");
            let ports = [addresses.src.port(), addresses.dst.port()];
            let is_http = ports.iter().any(|port| matches!(port, 80 | 3128 | 8080));
            match &trace.text {
                Some(text) if is_http => out + ": HTTP: " + text,
                _ => out,
            }
        }
        Content::Udp { length, dns: Some(head) } => {
            format!("{} ({length})", dns(head, trace.text.as_deref().unwrap_or_default()))
        }
        Content::Udp { length, dns: None } => format!("UDP, length {length}"),
        Content::EchoRequest { seq, length } => {
            let id = addresses.src.port();
            format!("ICMP echo request, id {id}, seq {seq}, length {}", length + 8)
        }
        Content::EchoReply { seq, length } => {
            let id = addresses.dst.port();
            format!("ICMP echo reply, id {id}, seq {seq}, length {}", length + 8)
        }
        Content::IcmpError { error, about } => error_text(*error, about, numeric),
    }
}

/// tcpdump writes none as `none`.
fn letters(flags: Flags) -> String {
    let text = flags.to_string();
    if text.is_empty() { "none".to_owned() } else { text }
}

struct Numbers {
    seq: u64,
    ack: u64,
    length: usize,
}

impl Numbers {
    /// Numbers are shown as they are while a connection opens, and then counted from its start.
    fn text(&self, flags: Flags, flow: u64) -> String {
        let mut out = String::new();
        if flags.syn {
            out += &format!(", seq {}", first_number(flow, flags.ack));
            if flags.ack {
                out += &format!(", ack {}", first_number(flow, false).wrapping_add(1));
            }
            return out;
        }
        match self.length {
            0 if !flags.fin && !flags.rst => {}
            0 => out += &format!(", seq {}", self.seq),
            length => out += &format!(", seq {}:{}", self.seq, self.seq + length as u64),
        }
        if flags.ack {
            out += &format!(", ack {}", self.ack);
        }
        out
    }
}

/// The number with which a side of a connection starts: the mechanism counts from 0, and a real
/// kernel from a number that cannot be guessed.
fn first_number(flow: u64, server: bool) -> u32 {
    let mixed = (flow << 1 | u64::from(server)).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32) as u32
}

/// `4711+ A? web.default.svc.cluster.local.` or `4711*- 1/0/0 A 10.96.0.7`
fn dns(head: &DnsHead, text: &str) -> String {
    let [answers, authorities, additionals] = head.counts;
    if !head.response {
        let desired = if head.recursion_desired { "+" } else { "" };
        let more = match additionals {
            0 => String::new(),
            count => format!(" [{count}au]"),
        };
        return format!("{}{desired}{more} {text}.", head.id);
    }
    let code = match head.rcode {
        Rcode::NoError => String::new(),
        Rcode::FormErr => " FormErr".to_owned(),
        Rcode::ServFail => " ServFail".to_owned(),
        Rcode::NxDomain => " NXDomain".to_owned(),
        Rcode::NotImp => " NotImp".to_owned(),
        Rcode::Refused => " Refused".to_owned(),
        Rcode::Other(number) => format!(" Resp{number}"),
    };
    let marks =
        [(head.authoritative, "*"), (!head.recursion_available, "-"), (head.truncated, "|")];
    let marks: String = marks.iter().filter(|(on, _)| *on).map(|(_, mark)| *mark).collect();
    let said = if answers > 0 { format!(" {text}") } else { String::new() };
    format!("{}{code}{marks} {answers}/{authorities}/{additionals}{said}", head.id)
}

fn error_text(error: IcmpError, about: &Tuple, numeric: bool) -> String {
    let (host, port) = (about.dst.ip(), about.dst.port());
    let protocol = about.protocol;
    // The first packet's headers come back, with the 8 bytes of ICMP's own.
    let length = match protocol {
        Protocol::Tcp => 68,
        _ => 36,
    };
    let name = service(port, protocol).filter(|_| !numeric).map(str::to_owned);
    let what = match error {
        IcmpError::TimeExceeded => {
            return format!("ICMP time exceeded in-transit, length {length}");
        }
        IcmpError::Unreachable(code) => match code {
            Unreachable::Port => {
                format!("{host} {protocol} port {} unreachable", name.unwrap_or(port.to_string()))
            }
            Unreachable::Net => format!("net {host} unreachable"),
            Unreachable::Host => format!("host {host} unreachable"),
            Unreachable::Protocol => format!("{host} protocol {} unreachable", protocol.number()),
            Unreachable::NetProhibited => format!("net {host} unreachable - admin prohibited"),
            Unreachable::HostProhibited => format!("host {host} unreachable - admin prohibited"),
            Unreachable::AdminProhibited => {
                format!("host {host} unreachable - admin prohibited filter")
            }
        },
    };
    format!("ICMP {what}, length {length}")
}
