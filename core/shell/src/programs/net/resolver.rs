//! Names to addresses, as libc does it: `/etc/hosts`, then the servers of `/etc/resolv.conf`.

use super::Progress;
use crate::{Errno, SocketId, Sys};
use naru_network::dns::{Data, Message, Name, Rcode, RecordType};
use naru_sim::Time;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Most servers, search domains, attempts: resolv.conf(5).
const SERVERS_MAX: usize = 3;
const SEARCH_MAX: usize = 6;
const ATTEMPTS_MAX: usize = 5;
const TIMEOUT_SECONDS_MAX: u64 = 30;
const NDOTS_MAX: usize = 15;

/// Why a name has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolveError {
    /// There is no such name, or it has no address.
    NotFound,
    /// No server gave an answer.
    TryAgain,
}

/// What `/etc/resolv.conf` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where to ask, in order.
    pub servers: Vec<IpAddr>,
    /// What is put behind short names.
    pub search: Vec<String>,
    /// A name with fewer dots is short.
    pub ndots: usize,
    /// How long to wait for one answer.
    pub timeout: Duration,
    /// How often each server is asked.
    pub attempts: usize,
}

impl Config {
    /// Reads the text; what it does not say is as libc has it.
    pub fn parse(text: &str) -> Self {
        let mut config = Config {
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
        };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let server = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                    let has_room = config.servers.len() < SERVERS_MAX;
                    config.servers.extend(server.filter(|_| has_room));
                }
                Some("search" | "domain") => {
                    config.search = words.take(SEARCH_MAX).map(str::to_string).collect();
                }
                Some("options") => words.for_each(|option| config.option(option)),
                _ => {}
            }
        }
        if config.servers.is_empty() {
            config.servers.push(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        config
    }

    fn option(&mut self, option: &str) {
        let Some((name, value)) = option.split_once(':') else { return };
        let Ok(value) = value.parse::<u64>() else { return };
        match name {
            "ndots" => self.ndots = (value as usize).min(NDOTS_MAX),
            "timeout" => self.timeout = Duration::from_secs(value.clamp(1, TIMEOUT_SECONDS_MAX)),
            "attempts" => self.attempts = (value as usize).clamp(1, ATTEMPTS_MAX),
            _ => {}
        }
    }

    /// The full names that are asked for one after the other.
    pub fn candidates(&self, host: &str) -> VecDeque<String> {
        let bare = host.strip_suffix('.').unwrap_or(host);
        if bare.len() < host.len() {
            return [bare.to_string()].into();
        }
        let mut names: VecDeque<String> =
            self.search.iter().map(|domain| format!("{host}.{domain}")).collect();
        if host.matches('.').count() >= self.ndots {
            names.push_front(host.to_string());
        } else {
            names.push_back(host.to_string());
        }
        names
    }
}

/// The addresses that `/etc/hosts` gives a name.
fn from_hosts(text: &str, host: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(Ok(address)) = words.next().map(str::parse::<IpAddr>) else { continue };
        if words.any(|name| name.eq_ignore_ascii_case(host)) {
            found.push(address);
        }
    }
    found
}

/// One question on its way.
#[derive(Clone, Debug)]
struct Question {
    id: u16,
    kind: RecordType,
    answer: Option<Message>,
}

/// A name being resolved.
#[derive(Clone, Debug)]
pub struct Resolver {
    host: String,
    kinds: Vec<RecordType>,
    config: Option<Config>,
    names: VecDeque<String>,
    server: usize,
    attempt: usize,
    socket: Option<SocketId>,
    deadline: Time,
    questions: Vec<Question>,
}

impl Resolver {
    /// Resolves `host`, to addresses of these record types.
    pub fn new(host: &str, kinds: &[RecordType]) -> Self {
        Resolver {
            host: host.to_string(),
            kinds: kinds.to_vec(),
            config: None,
            names: VecDeque::new(),
            server: 0,
            attempt: 0,
            socket: None,
            deadline: Time::ZERO,
            questions: Vec::new(),
        }
    }

    /// Goes on; IPv4 addresses come first.
    pub fn poll(&mut self, sys: &mut dyn Sys) -> Progress<Result<Vec<IpAddr>, ResolveError>> {
        if self.config.is_none()
            && let Some(found) = self.start(sys)
        {
            return Progress::Done(Ok(found));
        }
        loop {
            let Some(name) = self.names.front().cloned() else {
                return Progress::Done(Err(ResolveError::NotFound));
            };
            let Some(socket) = self.socket else {
                if self.ask(sys, &name).is_err() && !self.next_server(sys) {
                    return Progress::Done(Err(ResolveError::TryAgain));
                }
                continue;
            };
            let received = match sys.net() {
                Some(net) => net.udp_recv(socket),
                None => Err(Errno::NetUnreachable),
            };
            match received {
                Ok((bytes, _)) => {
                    self.take(&bytes);
                    if self.questions.iter().any(|question| question.answer.is_none()) {
                        continue;
                    }
                    self.hang_up(sys);
                    let addresses = self.addresses();
                    if !addresses.is_empty() {
                        return Progress::Done(Ok(addresses));
                    }
                    if self.server_failed() {
                        if !self.next_server(sys) {
                            return Progress::Done(Err(ResolveError::TryAgain));
                        }
                        continue;
                    }
                    self.names.pop_front();
                    (self.server, self.attempt) = (0, 0);
                }
                Err(Errno::Again) if sys.now() < self.deadline => {
                    return Progress::Waits(Some(self.deadline));
                }
                Err(_) => {
                    if !self.next_server(sys) {
                        return Progress::Done(Err(ResolveError::TryAgain));
                    }
                }
            }
        }
    }

    /// Looks where no server is needed; reads the configuration.
    fn start(&mut self, sys: &mut dyn Sys) -> Option<Vec<IpAddr>> {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse() {
            return Some(vec![address]);
        }
        let hosts = sys.fs().read_text("/etc/hosts").unwrap_or_default();
        let mut found = from_hosts(&hosts, &self.host);
        if found.is_empty() && self.host.eq_ignore_ascii_case("localhost") {
            found.push(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        let config = Config::parse(&sys.fs().read_text("/etc/resolv.conf").unwrap_or_default());
        self.names = config.candidates(&self.host);
        self.names.retain(|name| Name::parse(name).is_ok());
        self.config = Some(config);
        if found.is_empty() { None } else { Some(found) }
    }

    fn ask(&mut self, sys: &mut dyn Sys, name: &str) -> Result<(), Errno> {
        let config = self.config.as_ref().ok_or(Errno::Invalid)?;
        let server = *config.servers.get(self.server).ok_or(Errno::NetUnreachable)?;
        self.deadline = sys.now() + config.timeout;
        let name = Name::parse(name).map_err(|_| Errno::Invalid)?;
        let ids: Vec<u16> = self.kinds.iter().map(|_| sys.rng().below(1 << 16) as u16).collect();
        self.questions = self
            .kinds
            .iter()
            .zip(ids)
            .map(|(kind, id)| Question { id, kind: *kind, answer: None })
            .collect();
        let net = sys.net().ok_or(Errno::NetUnreachable)?;
        let any = match server {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let socket = net.udp_bind(SocketAddr::new(any, 0))?;
        self.socket = Some(socket);
        for question in &self.questions {
            let message = Message::query(question.id, name.clone(), question.kind);
            net.udp_send(socket, SocketAddr::new(server, 53), &message.encode())?;
        }
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) {
        let Ok(message) = Message::decode(bytes) else { return };
        let question = self
            .questions
            .iter_mut()
            .find(|question| question.id == message.id && message.response);
        if let Some(question) = question {
            question.answer = Some(message);
        }
    }

    fn addresses(&self) -> Vec<IpAddr> {
        let answers = self.questions.iter().filter_map(|question| question.answer.as_ref());
        let mut addresses: Vec<IpAddr> = answers
            .flat_map(|message| &message.answers)
            .filter_map(|record| match record.data {
                Data::A(address) => Some(IpAddr::V4(address)),
                Data::Aaaa(address) => Some(IpAddr::V6(address)),
                _ => None,
            })
            .collect();
        addresses.sort_by_key(IpAddr::is_ipv6);
        addresses
    }

    /// Whether the server itself is at fault, so that another may know.
    fn server_failed(&self) -> bool {
        let codes = self.questions.iter().filter_map(|question| question.answer.as_ref());
        codes.into_iter().any(|message| !matches!(message.rcode, Rcode::NoError | Rcode::NxDomain))
    }

    fn hang_up(&mut self, sys: &mut dyn Sys) {
        if let (Some(socket), Some(net)) = (self.socket.take(), sys.net()) {
            net.close(socket);
        }
    }

    /// Goes to the next server, or around again; `false` if all were asked often enough.
    fn next_server(&mut self, sys: &mut dyn Sys) -> bool {
        self.hang_up(sys);
        let Some(config) = &self.config else { return false };
        self.server += 1;
        if self.server >= config.servers.len() {
            self.server = 0;
            self.attempt += 1;
        }
        self.attempt < config.attempts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolv_conf_and_the_names_asked_for() {
        let config = Config::parse(
            "search default.svc.cluster.local svc.cluster.local\n\
             nameserver 10.96.0.10\noptions ndots:5 timeout:2 attempts:9\n# nameserver 1.1.1.1\n",
        );
        assert_eq!(config.servers, ["10.96.0.10".parse::<IpAddr>().unwrap()]);
        assert_eq!((config.ndots, config.attempts), (5, ATTEMPTS_MAX));
        assert_eq!(config.timeout, Duration::from_secs(2));
        for (host, expected) in [
            ("web", "web.default.svc.cluster.local web.svc.cluster.local web"),
            ("a.b", "a.b.default.svc.cluster.local a.b.svc.cluster.local a.b"),
            (
                "a.b.c.d.e.f",
                "a.b.c.d.e.f a.b.c.d.e.f.default.svc.cluster.local a.b.c.d.e.f.svc.cluster.local",
            ),
            ("web.", "web"),
        ] {
            let names: Vec<String> = config.candidates(host).into();
            assert_eq!(names.join(" "), expected, "{host}");
        }
        assert_eq!(Config::parse("").servers, [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    }

    #[test]
    fn hosts() {
        let text = "127.0.0.1 localhost\n10.0.0.1\tweb-0.x web-0 # me\n::1 localhost\nbad line\n";
        assert_eq!(from_hosts(text, "WEB-0"), ["10.0.0.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(from_hosts(text, "localhost").len(), 2);
        assert!(from_hosts(text, "me").is_empty());
    }
}
