//! DNS messages in the wire format of RFC 1035, with SRV (RFC 2782), AAAA (RFC 3596) and the
//! size of EDNS (RFC 6891).

use crate::limits;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why bytes are not a DNS message, or a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// The message ends too early.
    #[error("message is cut short")]
    Truncated,
    /// A compressed name points forward, or in a circle.
    #[error("bad compression pointer")]
    Pointer,
    /// A label is empty or longer than 63 bytes, or a name longer than 255.
    #[error("bad name {0:?}")]
    Name(String),
    /// A record's data does not have its type's form.
    #[error("bad record data")]
    Data,
    /// More records than [`limits::DNS_RECORDS_MAX`].
    #[error("too many records")]
    TooMany,
}

/// A domain name: always absolute, written without the last dot; the root is "".
///
/// Equality and order regard case; [`Name::lower`] makes names comparable.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// Reads a name; a dot at its end makes no difference.
    pub fn parse(text: &str) -> Result<Name, DnsError> {
        let bad = || DnsError::Name(text.chars().take(256).collect());
        let bare = text.strip_suffix('.').unwrap_or(text);
        if bare.len() > 253 || (bare.is_empty() && text.len() > 1) {
            return Err(bad());
        }
        let good = |label: &str| (1..=63).contains(&label.len());
        if !bare.is_empty() && !bare.split('.').all(good) {
            return Err(bad());
        }
        Ok(Name(bare.to_owned()))
    }

    /// The name that finds the host name of an address: `1.0.96.10.in-addr.arpa`.
    pub fn reverse(ip: IpAddr) -> Name {
        match ip {
            IpAddr::V4(v4) => {
                let [a, b, c, d] = v4.octets();
                Name(format!("{d}.{c}.{b}.{a}.in-addr.arpa"))
            }
            IpAddr::V6(v6) => {
                let nibble = |byte: &u8| format!("{:x}.{:x}.", byte & 15, byte >> 4);
                let nibbles: String = v6.octets().iter().rev().map(nibble).collect();
                Name(format!("{nibbles}ip6.arpa"))
            }
        }
    }

    /// The address whose host name this name finds; the other way round of [`Name::reverse`].
    pub fn reversed_ip(&self) -> Option<IpAddr> {
        let lower = self.0.to_ascii_lowercase();
        if let Some(rest) = lower.strip_suffix(".in-addr.arpa") {
            let labels: Vec<&str> = rest.split('.').rev().collect();
            return (labels.len() == 4).then(|| labels.join("."))?.parse().ok().map(IpAddr::V4);
        }
        let nibbles: Vec<&str> = lower.strip_suffix(".ip6.arpa")?.split('.').rev().collect();
        if nibbles.len() != 32 || nibbles.iter().any(|nibble| nibble.len() != 1) {
            return None;
        }
        let groups: Vec<String> = nibbles.chunks(4).map(|group| group.concat()).collect();
        groups.join(":").parse().ok().map(IpAddr::V6)
    }

    /// As text, without the last dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// In small letters.
    #[must_use]
    pub fn lower(&self) -> Name {
        Name(self.0.to_ascii_lowercase())
    }

    /// The labels, from the left.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('.').filter(|label| !label.is_empty())
    }

    /// Whether this is `zone` or a name below it, without regard to case.
    pub fn is_within(&self, zone: &Name) -> bool {
        if zone.0.is_empty() || self.0.eq_ignore_ascii_case(&zone.0) {
            return true;
        }
        let (name, zone) = (self.0.to_ascii_lowercase(), zone.0.to_ascii_lowercase());
        name.strip_suffix(&zone).is_some_and(|rest| rest.ends_with('.'))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is asked for, or what a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordType {
    /// An IPv4 address.
    A,
    /// A name server.
    Ns,
    /// Another name of this name.
    Cname,
    /// Start of authority.
    Soa,
    /// A host name for an address.
    Ptr,
    /// A mail server.
    Mx,
    /// Text.
    Txt,
    /// An IPv6 address.
    Aaaa,
    /// A service's host and port.
    Srv,
    /// EDNS.
    Opt,
    /// Every type (only asked for).
    Any,
    /// Another one, by number.
    Other(u16),
}

const TYPES: [(RecordType, u16, &str); 11] = [
    (RecordType::A, 1, "A"),
    (RecordType::Ns, 2, "NS"),
    (RecordType::Cname, 5, "CNAME"),
    (RecordType::Soa, 6, "SOA"),
    (RecordType::Ptr, 12, "PTR"),
    (RecordType::Mx, 15, "MX"),
    (RecordType::Txt, 16, "TXT"),
    (RecordType::Aaaa, 28, "AAAA"),
    (RecordType::Srv, 33, "SRV"),
    (RecordType::Opt, 41, "OPT"),
    (RecordType::Any, 255, "ANY"),
];

impl RecordType {
    /// Its number.
    pub fn number(self) -> u16 {
        match self {
            RecordType::Other(number) => number,
            known => TYPES.iter().find(|(kind, ..)| *kind == known).map_or(0, |(_, n, _)| *n),
        }
    }

    /// The type of a number.
    pub fn of_number(number: u16) -> Self {
        let known = TYPES.iter().find(|(_, known, _)| *known == number);
        known.map_or(RecordType::Other(number), |(kind, ..)| *kind)
    }

    /// The type of a name such as `AAAA`, without regard to case.
    pub fn of_name(name: &str) -> Option<Self> {
        TYPES.iter().find(|(.., known)| known.eq_ignore_ascii_case(name)).map(|(kind, ..)| *kind)
    }
}

impl fmt::Display for RecordType {
    /// `AAAA`; an unknown one as RFC 3597 says: `TYPE65`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match TYPES.iter().find(|(kind, ..)| kind == self) {
            Some((.., name)) => f.write_str(name),
            None => write!(f, "TYPE{}", self.number()),
        }
    }
}

/// How a question went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rcode {
    /// Answered, perhaps with nothing of the type asked for.
    #[default]
    NoError,
    /// The question was not understood.
    FormErr,
    /// The server could not find out.
    ServFail,
    /// There is no such name.
    NxDomain,
    /// The server does not do that.
    NotImp,
    /// The server does not want to.
    Refused,
    /// Another one, by number.
    Other(u8),
}

impl Rcode {
    /// Its number.
    pub fn number(self) -> u8 {
        match self {
            Rcode::NoError => 0,
            Rcode::FormErr => 1,
            Rcode::ServFail => 2,
            Rcode::NxDomain => 3,
            Rcode::NotImp => 4,
            Rcode::Refused => 5,
            Rcode::Other(number) => number & 15,
        }
    }

    /// The code of a number.
    pub fn of_number(number: u8) -> Self {
        match number & 15 {
            0 => Rcode::NoError,
            1 => Rcode::FormErr,
            2 => Rcode::ServFail,
            3 => Rcode::NxDomain,
            4 => Rcode::NotImp,
            5 => Rcode::Refused,
            other => Rcode::Other(other),
        }
    }
}

impl fmt::Display for Rcode {
    /// As dig and nslookup write it: `NXDOMAIN`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rcode::NoError => f.write_str("NOERROR"),
            Rcode::FormErr => f.write_str("FORMERR"),
            Rcode::ServFail => f.write_str("SERVFAIL"),
            Rcode::NxDomain => f.write_str("NXDOMAIN"),
            Rcode::NotImp => f.write_str("NOTIMP"),
            Rcode::Refused => f.write_str("REFUSED"),
            Rcode::Other(number) => write!(f, "RESERVED{number}"),
        }
    }
}

/// A question; its class is always IN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name asked about.
    pub name: Name,
    /// What about it.
    pub kind: RecordType,
}

/// A record; its class is always IN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose it is.
    pub name: Name,
    /// Seconds for which it may be kept.
    pub ttl: u32,
    /// What it says.
    pub data: Data,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// The true name.
    Cname(Name),
    /// A name server.
    Ns(Name),
    /// A host name.
    Ptr(Name),
    /// A mail server.
    Mx {
        /// Lower is tried first.
        preference: u16,
        /// The server.
        exchange: Name,
    },
    /// A service.
    Srv {
        /// Lower is tried first.
        priority: u16,
        /// Share among those of one priority.
        weight: u16,
        /// The port.
        port: u16,
        /// The host.
        target: Name,
    },
    /// Texts.
    Txt(Vec<String>),
    /// Start of authority.
    Soa(Soa),
    /// Data of another type, as it is.
    Other(RecordType, Vec<u8>),
}

/// Start of authority: who is responsible for a zone. Times are in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Soa {
    /// The zone's first name server.
    pub mname: Name,
    /// Its keeper's mail address, with a dot for the at sign.
    pub rname: Name,
    /// The zone's version.
    pub serial: u32,
    /// How often a secondary looks for a new version.
    pub refresh: u32,
    /// How soon it looks again after a failure.
    pub retry: u32,
    /// When it gives up.
    pub expire: u32,
    /// How long "no such name" may be kept.
    pub minimum: u32,
}

impl Data {
    /// The record's type.
    pub fn kind(&self) -> RecordType {
        match self {
            Data::A(_) => RecordType::A,
            Data::Aaaa(_) => RecordType::Aaaa,
            Data::Cname(_) => RecordType::Cname,
            Data::Ns(_) => RecordType::Ns,
            Data::Ptr(_) => RecordType::Ptr,
            Data::Mx { .. } => RecordType::Mx,
            Data::Srv { .. } => RecordType::Srv,
            Data::Txt(_) => RecordType::Txt,
            Data::Soa(_) => RecordType::Soa,
            Data::Other(kind, _) => *kind,
        }
    }

    /// An address's record.
    pub fn address(ip: IpAddr) -> Data {
        match ip {
            IpAddr::V4(v4) => Data::A(v4),
            IpAddr::V6(v6) => Data::Aaaa(v6),
        }
    }
}

impl fmt::Display for Data {
    /// As a zone file and dig write it; names end with a dot.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Data::A(ip) => write!(f, "{ip}"),
            Data::Aaaa(ip) => write!(f, "{ip}"),
            Data::Cname(name) | Data::Ns(name) | Data::Ptr(name) => write!(f, "{name}."),
            Data::Mx { preference, exchange } => write!(f, "{preference} {exchange}."),
            Data::Srv { priority, weight, port, target } => {
                write!(f, "{priority} {weight} {port} {target}.")
            }
            Data::Txt(texts) => {
                let quoted: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
                f.write_str(&quoted.join(" "))
            }
            Data::Soa(soa) => write!(
                f,
                "{}. {}. {} {} {} {} {}",
                soa.mname, soa.rname, soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum
            ),
            Data::Other(_, bytes) => {
                write!(f, "\\# {}", bytes.len())?;
                bytes.iter().try_for_each(|byte| write!(f, " {byte:02X}"))
            }
        }
    }
}

/// A DNS message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Pairs an answer with its question.
    pub id: u16,
    /// Whether this is an answer.
    pub response: bool,
    /// 0 for a plain query.
    pub opcode: u8,
    /// The server is responsible for the name.
    pub authoritative: bool,
    /// The answer did not fit; ask again by TCP.
    pub truncated: bool,
    /// The client wants the server to ask others.
    pub recursion_desired: bool,
    /// The server would ask others.
    pub recursion_available: bool,
    /// How it went.
    pub rcode: Rcode,
    /// What is asked; almost always one.
    pub questions: Vec<Question>,
    /// The answer.
    pub answers: Vec<Record>,
    /// Who is responsible.
    pub authorities: Vec<Record>,
    /// More that may help.
    pub additionals: Vec<Record>,
    /// EDNS: how many bytes of a datagram the sender can take. `None` without EDNS.
    pub edns_size: Option<u16>,
}

impl Message {
    /// A question as resolvers ask it.
    pub fn query(id: u16, name: Name, kind: RecordType) -> Self {
        let questions = vec![Question { name, kind }];
        Message { id, recursion_desired: true, questions, ..Message::default() }
    }

    /// An answer to this message, still empty.
    pub fn reply(&self) -> Self {
        Message {
            id: self.id,
            response: true,
            opcode: self.opcode,
            recursion_desired: self.recursion_desired,
            questions: self.questions.clone(),
            ..Message::default()
        }
    }

    /// The bytes on the wire; names that occur again are compressed.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u16(self.id);
        writer.u16(self.flags());
        let sections = [&self.answers, &self.authorities, &self.additionals];
        writer.u16(count(self.questions.len()));
        let extra = usize::from(self.edns_size.is_some());
        writer.u16(count(self.answers.len()));
        writer.u16(count(self.authorities.len()));
        writer.u16(count(self.additionals.len() + extra));
        for question in self.questions.iter().take(limits::DNS_RECORDS_MAX) {
            writer.name(&question.name);
            writer.u16(question.kind.number());
            writer.u16(CLASS_IN);
        }
        for section in sections {
            section.iter().take(limits::DNS_RECORDS_MAX).for_each(|record| writer.record(record));
        }
        if let Some(size) = self.edns_size {
            writer.opt(size);
        }
        writer.bytes
    }

    fn flags(&self) -> u16 {
        let bit = |on: bool, at: u32| u16::from(on) << at;
        bit(self.response, 15)
            | u16::from(self.opcode & 15) << 11
            | bit(self.authoritative, 10)
            | bit(self.truncated, 9)
            | bit(self.recursion_desired, 8)
            | bit(self.recursion_available, 7)
            | u16::from(self.rcode.number())
    }

    /// Reads a message.
    pub fn decode(bytes: &[u8]) -> Result<Message, DnsError> {
        let mut reader = Reader { bytes, at: 0, edns_size: None };
        let id = reader.u16()?;
        let flags = reader.u16()?;
        let bit = |at: u32| flags >> at & 1 == 1;
        let counts = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?].map(usize::from);
        if counts.iter().any(|count| *count > limits::DNS_RECORDS_MAX) {
            return Err(DnsError::TooMany);
        }
        let [questions, answers, authorities, additionals] = counts;
        let mut message = Message {
            id,
            response: bit(15),
            opcode: (flags >> 11 & 15) as u8,
            authoritative: bit(10),
            truncated: bit(9),
            recursion_desired: bit(8),
            recursion_available: bit(7),
            rcode: Rcode::of_number((flags & 15) as u8),
            questions: (0..questions).map(|_| reader.question()).collect::<Result<_, _>>()?,
            answers: reader.records(answers)?,
            authorities: reader.records(authorities)?,
            additionals: reader.records(additionals)?,
            edns_size: reader.edns_size,
        };
        message.additionals.retain(|record| record.data.kind() != RecordType::Opt);
        Ok(message)
    }
}

const CLASS_IN: u16 = 1;

fn count(length: usize) -> u16 {
    length.min(limits::DNS_RECORDS_MAX) as u16
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    /// Where a name, or the end of one, was written before.
    names: BTreeMap<String, u16>,
}

impl Writer {
    fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    fn name(&mut self, name: &Name) {
        let mut rest = name.as_str();
        while !rest.is_empty() {
            if let Some(at) = self.names.get(rest) {
                return self.u16(0xc000 | at);
            }
            if let Ok(at) = u16::try_from(self.bytes.len())
                && at < 0x4000
            {
                self.names.insert(rest.to_owned(), at);
            }
            let (label, after) = rest.split_once('.').unwrap_or((rest, ""));
            self.string(label.as_bytes(), 63);
            rest = after;
        }
        self.bytes.push(0);
    }

    /// A length byte and at most `max` bytes.
    fn string(&mut self, bytes: &[u8], max: u8) {
        let length = u8::try_from(bytes.len()).unwrap_or(max).min(max);
        self.bytes.push(length);
        self.bytes.extend(bytes.iter().take(usize::from(length)));
    }

    fn record(&mut self, record: &Record) {
        self.name(&record.name);
        self.u16(record.data.kind().number());
        self.u16(CLASS_IN);
        self.u32(record.ttl);
        let length_at = self.bytes.len();
        self.u16(0);
        self.data(&record.data);
        let length = self.bytes.len() - length_at - 2;
        let length = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        if let Some(field) = self.bytes.get_mut(length_at..length_at + 2) {
            field.copy_from_slice(&length);
        }
    }

    /// EDNS' record, whose class is the size of datagrams.
    fn opt(&mut self, size: u16) {
        self.bytes.push(0);
        self.u16(RecordType::Opt.number());
        self.u16(size);
        self.u32(0);
        self.u16(0);
    }

    fn data(&mut self, data: &Data) {
        match data {
            Data::A(ip) => self.bytes.extend(ip.octets()),
            Data::Aaaa(ip) => self.bytes.extend(ip.octets()),
            Data::Cname(name) | Data::Ns(name) | Data::Ptr(name) => self.name(name),
            Data::Mx { preference, exchange } => {
                self.u16(*preference);
                self.name(exchange);
            }
            Data::Srv { priority, weight, port, target } => {
                [*priority, *weight, *port].into_iter().for_each(|value| self.u16(value));
                self.name(target);
            }
            Data::Txt(texts) => texts.iter().for_each(|text| self.string(text.as_bytes(), 255)),
            Data::Soa(soa) => {
                self.name(&soa.mname);
                self.name(&soa.rname);
                let times = [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum];
                times.into_iter().for_each(|value| self.u32(value));
            }
            Data::Other(_, bytes) => {
                self.bytes.extend(bytes.iter().take(usize::from(u16::MAX)));
            }
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    edns_size: Option<u16>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], DnsError> {
        let end = self.at.saturating_add(length);
        let taken = self.bytes.get(self.at..end).ok_or(DnsError::Truncated)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DnsError> {
        self.take(N)?.try_into().map_err(|_| DnsError::Truncated)
    }

    fn u8(&mut self) -> Result<u8, DnsError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    fn u16(&mut self) -> Result<u16, DnsError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, DnsError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// A name. A pointer must point before the place it stands at, so the way ends.
    fn name(&mut self) -> Result<Name, DnsError> {
        let mut text = String::new();
        let mut after: Option<usize> = None;
        let mut low = self.at;
        loop {
            let length = self.u8()?;
            match length {
                0 => break,
                1..=63 => {
                    let label = self.take(usize::from(length))?;
                    if !text.is_empty() {
                        text.push('.');
                    }
                    text.push_str(&label_text(label)?);
                    if text.len() > 253 {
                        return Err(DnsError::Name(text));
                    }
                }
                192..=255 => {
                    let target = usize::from(length & 63) << 8 | usize::from(self.u8()?);
                    if target >= low {
                        return Err(DnsError::Pointer);
                    }
                    after = after.or(Some(self.at));
                    low = target;
                    self.at = target;
                }
                _ => return Err(DnsError::Pointer),
            }
        }
        self.at = after.unwrap_or(self.at);
        Ok(Name(text))
    }

    fn question(&mut self) -> Result<Question, DnsError> {
        let name = self.name()?;
        let kind = RecordType::of_number(self.u16()?);
        self.u16()?;
        Ok(Question { name, kind })
    }

    fn records(&mut self, count: usize) -> Result<Vec<Record>, DnsError> {
        (0..count).map(|_| self.record()).collect()
    }

    fn record(&mut self) -> Result<Record, DnsError> {
        let name = self.name()?;
        let kind = RecordType::of_number(self.u16()?);
        let class = self.u16()?;
        if kind == RecordType::Opt {
            self.edns_size = Some(class);
        }
        let ttl = self.u32()?;
        let length = usize::from(self.u16()?);
        let end = self.at.saturating_add(length);
        if end > self.bytes.len() {
            return Err(DnsError::Truncated);
        }
        let data = self.data(kind, end)?;
        if self.at != end {
            return Err(DnsError::Data);
        }
        Ok(Record { name, ttl, data })
    }

    fn data(&mut self, kind: RecordType, end: usize) -> Result<Data, DnsError> {
        Ok(match kind {
            RecordType::A => Data::A(Ipv4Addr::from(self.array::<4>()?)),
            RecordType::Aaaa => Data::Aaaa(Ipv6Addr::from(self.array::<16>()?)),
            RecordType::Cname => Data::Cname(self.name()?),
            RecordType::Ns => Data::Ns(self.name()?),
            RecordType::Ptr => Data::Ptr(self.name()?),
            RecordType::Mx => Data::Mx { preference: self.u16()?, exchange: self.name()? },
            RecordType::Srv => Data::Srv {
                priority: self.u16()?,
                weight: self.u16()?,
                port: self.u16()?,
                target: self.name()?,
            },
            RecordType::Txt => {
                let mut texts = Vec::new();
                while self.at < end {
                    let length = usize::from(self.u8()?);
                    texts.push(String::from_utf8_lossy(self.take(length)?).into_owned());
                }
                Data::Txt(texts)
            }
            RecordType::Soa => Data::Soa(Soa {
                mname: self.name()?,
                rname: self.name()?,
                serial: self.u32()?,
                refresh: self.u32()?,
                retry: self.u32()?,
                expire: self.u32()?,
                minimum: self.u32()?,
            }),
            other => Data::Other(other, self.take(end.saturating_sub(self.at))?.to_vec()),
        })
    }
}

/// A label as text. A dot within a label could not be told from one between labels.
fn label_text(label: &[u8]) -> Result<String, DnsError> {
    let text = String::from_utf8_lossy(label).into_owned();
    if text.contains('.') { Err(DnsError::Name(text)) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn example() -> Message {
        let query =
            Message::query(7, name("_http._tcp.web.default.svc.cluster.local"), RecordType::Srv);
        let mut reply = query.reply();
        let host = name("web.default.svc.cluster.local");
        let record = |name: &Name, data| Record { name: name.clone(), ttl: 30, data };
        let srv = Data::Srv { priority: 0, weight: 100, port: 80, target: host.clone() };
        reply.authoritative = true;
        reply.edns_size = Some(1_232);
        reply.answers = vec![
            record(&query.questions[0].name, srv),
            record(&host, Data::Txt(vec!["a b".into()])),
            record(&host, Data::Cname(name("example.com"))),
        ];
        reply.authorities = vec![record(
            &name("cluster.local"),
            Data::Soa(Soa {
                mname: name("ns.dns.cluster.local"),
                rname: name("hostmaster.cluster.local"),
                serial: 1,
                refresh: 7200,
                retry: 1800,
                expire: 86400,
                minimum: 30,
            }),
        )];
        reply.additionals = vec![
            record(&host, Data::A("10.96.0.10".parse().unwrap())),
            record(&host, Data::Aaaa("fd00::1".parse().unwrap())),
            record(&host, Data::Other(RecordType::Other(65), vec![0, 1])),
        ];
        reply
    }

    #[test]
    fn a_message_is_what_it_was_after_the_wire() {
        let message = example();
        assert_eq!(Message::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn a_query_has_the_bytes_of_rfc_1035() {
        let bytes = Message::query(0x1234, name("a.bc"), RecordType::A).encode();
        let expected =
            b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x02bc\x00\x00\x01\x00\x01";
        assert_eq!(bytes, expected);
    }

    #[test]
    fn names_that_occur_again_are_compressed() {
        let bytes = example().encode();
        let plain = b"\x07cluster\x05local";
        assert_eq!(bytes.windows(plain.len()).filter(|window| window == plain).count(), 1);
    }

    #[test]
    fn pointers_in_a_circle_are_refused() {
        let mut bytes = Message::query(1, name("a"), RecordType::A).encode();
        bytes[12] = 0xc0;
        bytes[13] = 12;
        assert_eq!(Message::decode(&bytes), Err(DnsError::Pointer));
    }

    #[test]
    fn names() {
        assert_eq!(name("a.b."), name("a.b"));
        assert_eq!(name(".").as_str(), "");
        for bad in ["a..b", ".a", "..", &"x".repeat(64), &"a.".repeat(200)] {
            assert!(Name::parse(bad).is_err(), "{bad}");
        }
        assert!(name("x.Cluster.Local").is_within(&name("cluster.local")));
        assert!(!name("xcluster.local").is_within(&name("cluster.local")));
    }

    #[test]
    fn reverse_names() {
        let reverse = Name::reverse("10.96.0.1".parse().unwrap());
        assert_eq!(reverse.as_str(), "1.0.96.10.in-addr.arpa");
        for ip in ["10.96.0.1", "fd00::12:1"] {
            let ip: IpAddr = ip.parse().unwrap();
            assert_eq!(Name::reverse(ip).reversed_ip(), Some(ip));
        }
        assert_eq!(name("1.10.in-addr.arpa").reversed_ip(), None);
    }

    #[test]
    fn noise_never_panics() {
        let mut rng = naru_sim::Rng::new(1);
        let good = example().encode();
        for _ in 0..20_000 {
            let mut bytes = good.clone();
            for _ in 0..=rng.below(6) {
                let at = rng.below(bytes.len() as u64) as usize;
                bytes[at] = rng.next_u64() as u8;
            }
            bytes.truncate(rng.below(bytes.len() as u64 + 1) as usize);
            if let Ok(message) = Message::decode(&bytes) {
                let _ = Message::decode(&message.encode());
            }
        }
    }
}
