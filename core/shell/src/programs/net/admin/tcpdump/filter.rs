//! Expressions that select packets: `host 10.244.1.3 and (tcp port 80 or icmp)`.
//!
//! Upstream: pcap-filter(7); here without tests of single bytes.

use super::passing::Passing;
use naru_network::{IpNet, Protocol};
use std::net::SocketAddr;

/// Parentheses that may stand one in another.
const DEPTH_MAX: usize = 16;
/// Words of an expression.
const WORDS_MAX: usize = 256;

/// What packets must be like.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Filter {
    #[default]
    All,
    Not(Box<Filter>),
    Any(Vec<Filter>),
    Every(Vec<Filter>),
    Protocol(Protocol),
    Family(bool),
    Ends(Side, End),
    /// Nothing is like that: `arp`, which this network does without.
    Never,
}

/// Which end of a packet is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Source,
    Destination,
    Either,
}

/// What an end must be like.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    Net(IpNet),
    Ports(u16, u16),
}

impl Filter {
    /// Reads an expression; the words may come as one argument or several.
    pub fn parse(operands: &[String]) -> Result<Filter, String> {
        let text = operands.join(" ").replace('(', " ( ").replace(')', " ) ").replace('!', " ! ");
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.is_empty() {
            return Ok(Filter::All);
        }
        if words.len() > WORDS_MAX {
            return Err("expression is too complex".to_owned());
        }
        let mut reader = Reader { words: &words, at: 0, last: None };
        let filter = reader.any(0)?;
        match reader.peek() {
            None => Ok(filter),
            Some(_) => Err(syntax()),
        }
    }

    /// Whether a packet is like that, where it passes.
    pub fn fits(&self, it: &Passing<'_>) -> bool {
        match self {
            Filter::All => true,
            Filter::Never => false,
            Filter::Not(other) => !other.fits(it),
            Filter::Any(all) => all.iter().any(|filter| filter.fits(it)),
            Filter::Every(all) => all.iter().all(|filter| filter.fits(it)),
            Filter::Protocol(protocol) => it.protocol() == *protocol,
            Filter::Family(v4) => it.addresses.src.is_ipv4() == *v4,
            Filter::Ends(side, end) => {
                let (src, dst) = (it.addresses.src, it.addresses.dst);
                let has_ports = matches!(it.protocol(), Protocol::Tcp | Protocol::Udp);
                let is = |at: SocketAddr| match end {
                    End::Net(net) => net.contains(&at.ip()),
                    End::Ports(low, high) => has_ports && (*low..=*high).contains(&at.port()),
                };
                match side {
                    Side::Source => is(src),
                    Side::Destination => is(dst),
                    Side::Either => is(src) || is(dst),
                }
            }
        }
    }
}

fn syntax() -> String {
    "can't parse filter expression: syntax error".to_owned()
}

struct Reader<'a> {
    words: &'a [&'a str],
    at: usize,
    /// The qualifiers before the last value: `host a or b` means `host a or host b`.
    last: Option<(Side, Kind)>,
}

/// What a value is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Host,
    Net,
    Port,
    PortRange,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.at).copied()
    }

    fn take(&mut self, words: &[&str]) -> Option<&'a str> {
        let word = self.peek().filter(|word| words.contains(word))?;
        self.at += 1;
        Some(word)
    }

    /// pcap gives `and` and `or` the same rank and reads from the left.
    fn any(&mut self, depth: usize) -> Result<Filter, String> {
        let mut left = self.one(depth)?;
        loop {
            if self.take(&["and", "&&"]).is_some() {
                left = Filter::Every(vec![left, self.one(depth)?]);
            } else if self.take(&["or", "||"]).is_some() {
                left = Filter::Any(vec![left, self.one(depth)?]);
            } else {
                return Ok(left);
            }
        }
    }

    fn one(&mut self, depth: usize) -> Result<Filter, String> {
        if depth > DEPTH_MAX {
            return Err("expression is too complex".to_owned());
        }
        if self.take(&["not", "!"]).is_some() {
            return Ok(Filter::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.take(&["("]).is_some() {
            let inner = self.any(depth + 1)?;
            return self.take(&[")"]).map(|_| inner).ok_or_else(syntax);
        }
        let first = match self.take(&["tcp", "udp", "icmp", "ip", "ip6", "arp"]) {
            Some("tcp") => Some(Filter::Protocol(Protocol::Tcp)),
            Some("udp") => Some(Filter::Protocol(Protocol::Udp)),
            Some("icmp") => Some(Filter::Protocol(Protocol::Icmp)),
            Some("ip") => Some(Filter::Family(true)),
            Some("ip6") => Some(Filter::Family(false)),
            Some(_) => Some(Filter::Never),
            None => None,
        };
        match (first, self.end()?) {
            (Some(first), Some(end)) => Ok(Filter::Every(vec![first, end])),
            (Some(one), None) | (None, Some(one)) => Ok(one),
            (None, None) => Err(syntax()),
        }
    }

    /// `src host 10.0.0.1`, `port 80`, `10.0.0.1`; `None` if something else stands here.
    fn end(&mut self) -> Result<Option<Filter>, String> {
        let side = match self.take(&["src", "dst"]) {
            Some("src") => Some(Side::Source),
            Some(_) => Some(Side::Destination),
            None => None,
        };
        let kind = match self.take(&["host", "net", "port", "portrange"]) {
            Some("host") => Some(Kind::Host),
            Some("net") => Some(Kind::Net),
            Some("port") => Some(Kind::Port),
            Some(_) => Some(Kind::PortRange),
            None => None,
        };
        let (side, kind) = match (side, kind, self.last) {
            (None, None, last) => match (self.peek(), last) {
                (None | Some("and" | "&&" | "or" | "||" | ")"), _) => return Ok(None),
                (Some(_), Some(last)) => last,
                (Some(_), None) => (Side::Either, Kind::Host),
            },
            (side, kind, _) => (side.unwrap_or(Side::Either), kind.unwrap_or(Kind::Host)),
        };
        let word = self.peek().ok_or_else(syntax)?;
        self.at += 1;
        self.last = Some((side, kind));
        let end = value(kind, word)?;
        Ok(Some(Filter::Ends(side, end)))
    }
}

fn value(kind: Kind, word: &str) -> Result<End, String> {
    let port = |word: &str| match word {
        "domain" => Ok(53),
        "http" => Ok(80),
        "https" => Ok(443),
        "ssh" => Ok(22),
        word => word.parse::<u16>().map_err(|_| format!("unknown port '{word}'")),
    };
    match kind {
        Kind::Host => {
            let ip: Result<std::net::IpAddr, _> = word.parse();
            ip.map(|ip| End::Net(IpNet::from(ip))).map_err(|_| format!("unknown host '{word}'"))
        }
        Kind::Net => word.parse().map(End::Net).map_err(|_| syntax()),
        Kind::Port => port(word).map(|port| End::Ports(port, port)),
        Kind::PortRange => {
            let (low, high) = word.split_once('-').ok_or_else(syntax)?;
            Ok(End::Ports(port(low)?, port(high)?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Filter, String> {
        Filter::parse(&[text.to_owned()])
    }

    #[test]
    fn expressions_are_read_as_pcap_reads_them() {
        let port = |number| Filter::Ends(Side::Either, End::Ports(number, number));
        let host = |text: &str| Filter::Ends(Side::Either, End::Net(text.parse().unwrap()));
        let tcp = || Filter::Protocol(Protocol::Tcp);
        assert_eq!(parse(""), Ok(Filter::All));
        assert_eq!(parse("tcp"), Ok(tcp()));
        assert_eq!(parse("tcp port 80"), Ok(Filter::Every(vec![tcp(), port(80)])));
        assert_eq!(parse("port 80 or 443"), Ok(Filter::Any(vec![port(80), port(443)])));
        assert_eq!(
            parse("host 10.0.0.1 and not (port 53 or icmp)"),
            Ok(Filter::Every(vec![
                host("10.0.0.1/32"),
                Filter::Not(Box::new(Filter::Any(vec![
                    port(53),
                    Filter::Protocol(Protocol::Icmp)
                ]))),
            ]))
        );
        assert_eq!(
            parse("src net 10.0.0.0/8"),
            Ok(Filter::Ends(Side::Source, End::Net("10.0.0.0/8".parse().unwrap())))
        );
        for wrong in ["port", "host x", "(tcp", "tcp)", "and", "port http2"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
