//! HAProxy's configuration: its sections, and the keywords that the sandbox's HAProxy follows.
//!
//! Upstream: `doc/configuration.txt` of `haproxy/haproxy`, `src/cfgparse*.c`.

use naru_shell::Vfs;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

const LINES_MAX: usize = 10_000;
const SERVERS_MAX: usize = 256;
/// What `check` does where nothing else is said. Upstream: `DEF_CHKINTR`, `DEF_FALLTIME`,
/// `DEF_RISETIME`.
const CHECK: Check = Check { every: Duration::from_secs(2), fall: 3, rise: 2 };

/// What HAProxy does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `log stdout …` of the section `global`.
    pub logs: bool,
    /// Frontends, backends and those that are both, in order.
    pub proxies: Vec<Proxy>,
}

/// `frontend`, `backend` or `listen`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxy {
    /// The section's word.
    pub section: String,
    /// Its name.
    pub name: String,
    /// `mode http`; otherwise whole connections are passed on.
    pub http: bool,
    /// `log global`.
    pub logs: bool,
    /// `option httplog`, `option tcplog`: a line for each, not the short one.
    pub long_log: bool,
    /// `option forwardfor`.
    pub forward_for: bool,
    /// The ports that it listens on, and the file and line that say so.
    pub binds: Vec<(u16, String)>,
    /// Who gets what comes in.
    pub default_backend: String,
    /// Who of the servers is next.
    pub balance: Balance,
    /// How often a connection is tried again.
    pub retries: u32,
    /// `timeout client`, `connect`, `server`.
    pub timeouts: BTreeMap<String, Duration>,
    /// Its servers, in order.
    pub servers: Vec<Server>,
}

/// `balance`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// One after the other.
    #[default]
    RoundRobin,
    /// The one with the fewest connections.
    LeastConn,
    /// The same one for the same client.
    Source,
    /// The first that works.
    First,
}

/// `server`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub address: SocketAddr,
    /// `check`.
    pub check: Option<Check>,
}

/// How a server is looked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// `inter`
    pub every: Duration,
    /// Failures in a row that take it out.
    pub fall: u32,
    /// Successes in a row that bring it back.
    pub rise: u32,
}

impl Proxy {
    /// Whether it takes connections in.
    pub fn is_front(&self) -> bool {
        self.section != "backend"
    }

    /// Whether it passes them on.
    pub fn is_back(&self) -> bool {
        self.section != "frontend"
    }

    /// One of its timeouts; none is no end.
    pub fn timeout(&self, name: &str) -> Option<Duration> {
        self.timeouts.get(name).copied()
    }
}

/// Reads a configuration; the errors are the messages of its lines.
pub fn load(fs: &Vfs, path: &str) -> Result<Config, Vec<String>> {
    let text = fs.read_text(path).map_err(|errno| {
        vec![format!("Cannot open configuration file/directory {path} : {errno}")]
    })?;
    read(&text, path)
}

fn read(text: &str, path: &str) -> Result<Config, Vec<String>> {
    let mut config = Config::default();
    let mut errors = Vec::new();
    let mut defaults = Proxy { retries: 3, ..Proxy::default() };
    let mut section = String::new();
    for (number, line) in text.lines().enumerate().take(LINES_MAX) {
        let words = words(line);
        let Some(keyword) = words.first() else { continue };
        let at = format!("{path}:{}", number + 1);
        let place = format!("parsing [{at}] : ");
        let done = match (keyword.as_str(), words.get(1)) {
            ("global" | "defaults", _) => {
                section.clone_from(keyword);
                if section == "defaults" {
                    defaults = Proxy { retries: 3, ..Proxy::default() };
                }
                Ok(())
            }
            ("frontend" | "backend" | "listen", Some(name)) => {
                section.clone_from(keyword);
                let (section, name) = (section.clone(), name.clone());
                config.proxies.push(Proxy { section, name, ..defaults.clone() });
                Ok(())
            }
            ("frontend" | "backend" | "listen", None) => {
                Err(format!("'{keyword}' expects an <id> argument"))
            }
            _ if section == "global" => global(&mut config, &words),
            _ if section == "defaults" => proxy(&mut defaults, &words, ("defaults", &at)),
            _ => match config.proxies.last_mut() {
                Some(last) => proxy(last, &words, (&section, &at)),
                None => Err(format!("unknown keyword '{keyword}' out of section.")),
            },
        };
        errors.extend(done.err().map(|why| format!("{place}{why}")));
    }
    errors.extend(config.proxies.iter().filter_map(|proxy| {
        let (wanted, own) = (&proxy.default_backend, &proxy.name);
        let found = config.proxies.iter().any(|it| it.is_back() && it.name == *wanted);
        (!wanted.is_empty() && !found)
            .then(|| format!("Proxy '{own}': unable to find required default_backend: '{wanted}'."))
    }));
    if errors.is_empty() { Ok(config) } else { Err(errors) }
}

/// The words of a line, up to a comment.
fn words(line: &str) -> Vec<String> {
    let code = line.split('#').next().unwrap_or_default();
    code.split_whitespace().map(str::to_owned).collect()
}

fn global(config: &mut Config, words: &[String]) -> Result<(), String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["log", target, ..] => config.logs |= *target == "stdout" || *target == "stderr",
        [
            "daemon" | "maxconn" | "user" | "group" | "chroot" | "pidfile" | "nbthread" | "stats"
            | "master-worker" | "ulimit-n",
            ..,
        ] => {}
        [keyword, ..] => return Err(unknown(keyword, "global")),
        [] => {}
    }
    Ok(())
}

fn unknown(keyword: &str, section: &str) -> String {
    format!("unknown keyword '{keyword}' in '{section}' section")
}

fn proxy(
    proxy: &mut Proxy,
    words: &[String],
    (section, place): (&str, &str),
) -> Result<(), String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["mode", mode @ ("http" | "tcp")] => proxy.http = *mode == "http",
        ["mode", mode, ..] => return Err(format!("unknown proxy mode '{mode}'.")),
        ["log", "global"] => proxy.logs = true,
        ["option", "httplog" | "tcplog"] => proxy.long_log = true,
        ["option", "forwardfor", ..] => proxy.forward_for = true,
        ["option", "dontlognull" | "http-server-close" | "redispatch" | "http-keep-alive", ..] => {}
        ["option", option, ..] => {
            return Err(format!("unknown option '{option}'."));
        }
        ["timeout", name, value] => {
            let time = duration(value).ok_or_else(|| {
                format!("unexpected character in 'timeout {name}' argument '{value}'")
            })?;
            proxy.timeouts.insert((*name).to_owned(), time);
        }
        ["retries", count] => proxy.retries = count.parse().unwrap_or(3),
        ["maxconn", _] => {}
        ["bind", at, ..] if section == "frontend" || section == "listen" => {
            proxy.binds.push((port(at)?, place.to_owned()));
        }
        ["default_backend", name] if section != "backend" => {
            proxy.default_backend = (*name).to_owned();
        }
        ["balance", kind, ..] if section != "frontend" => proxy.balance = balance(kind)?,
        ["server", name, at, options @ ..] if section == "backend" || section == "listen" => {
            if proxy.servers.len() >= SERVERS_MAX {
                return Err(format!("the sandbox's HAProxy has at most {SERVERS_MAX} servers"));
            }
            proxy.servers.push(server(name, at, options)?);
        }
        [keyword, ..] => return Err(unknown(keyword, section)),
        [] => {}
    }
    Ok(())
}

fn balance(kind: &str) -> Result<Balance, String> {
    match kind {
        "roundrobin" | "static-rr" => Ok(Balance::RoundRobin),
        "leastconn" => Ok(Balance::LeastConn),
        "source" => Ok(Balance::Source),
        "first" => Ok(Balance::First),
        kind => Err(format!("'balance' does not support '{kind}' in the sandbox")),
    }
}

/// The port of `*:80`, `:80`, `0.0.0.0:80`.
fn port(at: &str) -> Result<u16, String> {
    let port = at.rsplit_once(':').map(|(_, port)| port);
    let missing = || format!("'bind' : missing port number: '{at}'");
    port.and_then(|port| port.parse().ok()).filter(|port| *port > 0).ok_or_else(missing)
}

fn server(name: &str, at: &str, options: &[&str]) -> Result<Server, String> {
    let (host, port) = at.rsplit_once(':').unwrap_or((at, ""));
    let host: Ipv4Addr = host
        .parse()
        .map_err(|_| format!("'server {name}' : could not resolve address '{host}'."))?;
    let port: u16 = port
        .parse()
        .map_err(|_| format!("'server {name}' : the sandbox's HAProxy needs a port in '{at}'"))?;
    let mut check = CHECK;
    let mut checks = false;
    let mut rest = options.iter();
    while let Some(option) = rest.next() {
        match *option {
            "check" => checks = true,
            "inter" => check.every = rest.next().and_then(|it| duration(it)).unwrap_or(check.every),
            "fall" => check.fall = rest.next().and_then(|it| it.parse().ok()).unwrap_or(check.fall),
            "rise" => check.rise = rest.next().and_then(|it| it.parse().ok()).unwrap_or(check.rise),
            option => return Err(format!("'server {name}' : unknown keyword '{option}'.")),
        }
    }
    let address = SocketAddr::new(IpAddr::V4(host), port);
    let check =
        checks.then_some(Check { every: check.every.max(Duration::from_millis(1)), ..check });
    Ok(Server { name: name.to_owned(), address, check })
}

/// `5s`, `1m`, `500ms`, `5000`: milliseconds if there is no unit.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let millis = match unit {
        "" | "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    // Upstream: times are 31 bits of milliseconds.
    Some(Duration::from_millis(number.checked_mul(millis)?.min(0x7fff_ffff)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_take_the_defaults_before_them() {
        let text = "defaults\n mode http\n timeout client 30s\nfrontend web\n bind *:80\n \
                    default_backend nodes\nbackend nodes\n balance leastconn\n server a \
                    10.0.0.1:30001 check inter 500ms fall 1 # one\n";
        let config = read(text, "c").unwrap();
        let (web, nodes) = (&config.proxies[0], &config.proxies[1]);
        assert!(web.http && nodes.http);
        assert_eq!(web.binds, [(80, "c:5".to_owned())]);
        assert_eq!(web.timeout("client"), Some(Duration::from_secs(30)));
        assert_eq!(nodes.balance, Balance::LeastConn);
        let check = Check { every: Duration::from_millis(500), fall: 1, rise: 2 };
        assert_eq!(nodes.servers[0].check, Some(check));
    }

    #[test]
    fn says_what_is_wrong() {
        let table = [
            (
                "frontend web\n bnid *:80\n",
                "parsing [c:2] : unknown keyword 'bnid' in 'frontend' section",
            ),
            ("frontend web\n bind *\n", "parsing [c:2] : 'bind' : missing port number: '*'"),
            (
                "backend b\n server a nowhere:80\n",
                "parsing [c:2] : 'server a' : could not resolve address 'nowhere'.",
            ),
            (
                "frontend web\n default_backend no\n",
                "Proxy 'web': unable to find required default_backend: 'no'.",
            ),
        ];
        for (text, error) in table {
            assert_eq!(read(text, "c"), Err(vec![error.to_owned()]));
        }
    }
}
