//! The Corefile: which zones are served, and by which plugins.

use naru_network::dns::Name;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;

/// A server block of the Corefile.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Server {
    /// The names it answers for; the root is every name.
    pub zones: Vec<Name>,
    /// `kubernetes`
    pub kubernetes: Option<Kubernetes>,
    /// `hosts`
    pub hosts: Option<Hosts>,
    /// `forward`: the names that other servers are asked for.
    pub forward: Vec<Name>,
    /// `log`
    pub log: bool,
    /// `loadbalance`
    pub loadbalance: bool,
    /// `health`: seconds of lame duck.
    pub health: Option<u64>,
    /// `ready`
    pub ready: bool,
}

/// The plugin `kubernetes`.
#[derive(Clone, Debug, PartialEq)]
pub struct Kubernetes {
    /// The cluster's domain and the zones of addresses.
    pub zones: Vec<Name>,
    /// Whether names of pods, `10-244-1-2.default.pod`, are answered.
    pub pods: Pods,
    /// Seconds for which answers may be kept.
    pub ttl: u32,
    /// The zones in which others are asked for what the cluster does not know.
    pub fallthrough: Vec<Name>,
}

/// How names of pods are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pods {
    /// Not at all.
    Disabled,
    /// Any address in an existing namespace.
    Insecure,
}

/// The plugin `hosts`, with lines in the Corefile.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hosts {
    /// Addresses by name.
    pub addresses: BTreeMap<Name, Vec<IpAddr>>,
    /// Whether others are asked for other names.
    pub fallthrough: bool,
}

/// Why a Corefile cannot be used; written as CoreDNS writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError(pub String);

/// Plugins that change nothing that a client of this server could see.
const SILENT: &[&str] = &["cache", "errors", "loop", "prometheus", "reload"];

impl Server {
    /// Reads a Corefile.
    pub fn parse(file: &str, text: &str) -> Result<Vec<Server>, ParseError> {
        let tokens = tokens(text);
        let mut parser = Parser { file, rest: &tokens };
        let mut servers = Vec::new();
        while !parser.rest.is_empty() {
            servers.push(parser.server()?);
        }
        Ok(servers)
    }

    /// The server whose zone is the closest to a name.
    pub fn of<'a>(servers: &'a [Server], name: &Name) -> Option<&'a Server> {
        let zones = servers.iter().flat_map(|server| server.zones.iter().map(move |z| (z, server)));
        zones
            .filter(|(zone, _)| name.is_within(zone))
            .max_by_key(|(zone, _)| zone.labels().count())
            .map(|(_, server)| server)
    }
}

/// A word of the Corefile and its line.
#[derive(Clone, Debug)]
struct Token {
    word: String,
    line: usize,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let bare = line.split('#').next().unwrap_or_default();
        let words = bare.split_whitespace();
        tokens.extend(words.map(|word| Token { word: word.to_owned(), line: index + 1 }));
    }
    tokens
}

struct Parser<'a> {
    file: &'a str,
    rest: &'a [Token],
}

/// A directive's words on its line, and the lines of its block.
struct Directive<'a> {
    line: usize,
    name: &'a str,
    args: Vec<&'a str>,
    block: Vec<Vec<&'a str>>,
}

impl<'a> Parser<'a> {
    fn error(&self, line: usize, what: &str) -> ParseError {
        ParseError(format!("{}:{line} - Error during parsing: {what}", self.file))
    }

    fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// The words that are left on a line, without `{` at its end; whether there was one.
    fn line(&mut self, line: usize) -> (Vec<&'a str>, bool) {
        let mut words = Vec::new();
        while let Some(token) = self.rest.first().filter(|token| token.line == line) {
            self.rest = self.rest.get(1..).unwrap_or_default();
            if token.word == "{" {
                return (words, true);
            }
            words.push(token.word.as_str());
        }
        (words, false)
    }

    fn server(&mut self) -> Result<Server, ParseError> {
        let line = self.rest.first().map_or(1, |token| token.line);
        let (keys, opened) = self.line(line);
        let mut server = Server::default();
        for key in keys {
            let (zone, port) = key.rsplit_once(':').unwrap_or((key, "53"));
            if port != "53" {
                return Err(self.error(line, "naru's CoreDNS serves port 53 only"));
            }
            let zone = zone.trim_start_matches("dns://");
            server.zones.push(self.name(line, if zone.is_empty() { "." } else { zone })?);
        }
        if !opened {
            return Ok(server);
        }
        while let Some(token) = self.next() {
            if token.word == "}" {
                return Ok(server);
            }
            let directive = self.directive(token)?;
            self.plugin(&mut server, &directive)?;
        }
        Err(self.error(line, "Unexpected EOF"))
    }

    fn directive(&mut self, token: &'a Token) -> Result<Directive<'a>, ParseError> {
        let (args, opened) = self.line(token.line);
        let block = if opened { self.block(token.line)? } else { Vec::new() };
        Ok(Directive { line: token.line, name: &token.word, args, block })
    }

    /// The lines up to the closing brace.
    fn block(&mut self, line: usize) -> Result<Vec<Vec<&'a str>>, ParseError> {
        let mut block = Vec::new();
        while let Some(next) = self.next() {
            if next.word == "}" {
                return Ok(block);
            }
            let mut words = vec![next.word.as_str()];
            words.extend(self.line(next.line).0);
            block.push(words);
        }
        Err(self.error(line, "Unexpected EOF"))
    }

    fn plugin(&self, server: &mut Server, directive: &Directive<'_>) -> Result<(), ParseError> {
        match directive.name {
            "kubernetes" => server.kubernetes = Some(self.kubernetes(directive)?),
            "hosts" => server.hosts = Some(self.hosts(directive)?),
            "forward" => {
                let from = directive.args.first().copied().unwrap_or(".");
                server.forward.push(self.name(directive.line, from)?);
            }
            "log" => server.log = true,
            "loadbalance" => server.loadbalance = true,
            "ready" => server.ready = true,
            "health" => server.health = Some(lame_duck(directive)),
            silent if SILENT.contains(&silent) => {}
            other => {
                let what = format!("Unknown directive '{other}'");
                return Err(self.error(directive.line, &what));
            }
        }
        Ok(())
    }

    fn kubernetes(&self, directive: &Directive<'_>) -> Result<Kubernetes, ParseError> {
        let line = directive.line;
        let names = |words: &[&str]| -> Result<Vec<Name>, ParseError> {
            words.iter().map(|word| self.name(line, word)).collect()
        };
        let mut plugin = Kubernetes {
            zones: names(&directive.args)?,
            pods: Pods::Disabled,
            ttl: 5,
            fallthrough: Vec::new(),
        };
        for words in &directive.block {
            match words.as_slice() {
                ["pods", "insecure"] => plugin.pods = Pods::Insecure,
                ["pods", "disabled"] => plugin.pods = Pods::Disabled,
                ["ttl", seconds] => {
                    let bad = || self.error(line, &format!("invalid ttl {seconds:?}"));
                    plugin.ttl = seconds.parse().map_err(|_| bad())?;
                }
                ["fallthrough"] => plugin.fallthrough = vec![Name::default()],
                ["fallthrough", zones @ ..] => plugin.fallthrough = names(zones)?,
                // Where the API server is, is no question here.
                ["endpoint" | "tls" | "kubeconfig", ..] => {}
                other => {
                    let word = other.first().copied().unwrap_or_default();
                    return Err(self.error(line, &format!("unknown property '{word}'")));
                }
            }
        }
        Ok(plugin)
    }

    fn hosts(&self, directive: &Directive<'_>) -> Result<Hosts, ParseError> {
        let mut hosts = Hosts::default();
        for words in &directive.block {
            let Some((first, names)) = words.split_first() else { continue };
            if *first == "fallthrough" {
                hosts.fallthrough = true;
            } else if let Ok(ip) = IpAddr::from_str(first) {
                for name in names {
                    let name = self.name(directive.line, name)?.lower();
                    hosts.addresses.entry(name).or_default().push(ip);
                }
            }
        }
        Ok(hosts)
    }

    fn name(&self, line: usize, text: &str) -> Result<Name, ParseError> {
        Name::parse(text).map_err(|error| self.error(line, &error.to_string()))
    }
}

fn lame_duck(directive: &Directive<'_>) -> u64 {
    let seconds = directive.block.iter().find_map(|words| match words.as_slice() {
        ["lameduck", time] => time.strip_suffix('s')?.parse().ok(),
        _ => None,
    });
    seconds.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubeadms_corefile() {
        let servers = Server::parse("Corefile", super::super::manifests::COREFILE).unwrap();
        let [server] = servers.as_slice() else { panic!("{servers:?}") };
        let kubernetes = server.kubernetes.as_ref().unwrap();
        let zones: Vec<&str> = kubernetes.zones.iter().map(Name::as_str).collect();
        assert_eq!(zones, ["cluster.local", "in-addr.arpa", "ip6.arpa"]);
        assert_eq!((kubernetes.pods, kubernetes.ttl), (Pods::Insecure, 30));
        assert_eq!(kubernetes.fallthrough.len(), 2);
        assert_eq!(server.forward, [Name::default()]);
        assert_eq!((server.health, server.ready, server.log), (Some(5), true, false));
    }

    #[test]
    fn hosts_and_several_servers() {
        let text = "example.com example.org { log }\n. {\n hosts {\n  1.2.3.4 A.b # c\n \
                    fallthrough\n }\n}";
        // A block's brace closes on a line of its own, as in every Corefile.
        let text = text.replace("{ log }", "{\n log\n}");
        let servers = Server::parse("Corefile", &text).unwrap();
        let name = |text: &str| Name::parse(text).unwrap();
        let hosts = servers[1].hosts.as_ref().unwrap();
        assert_eq!(hosts.addresses[&name("a.b")], ["1.2.3.4".parse::<IpAddr>().unwrap()]);
        assert!(hosts.fallthrough);
        assert!(Server::of(&servers, &name("www.example.org")).unwrap().log);
        assert!(!Server::of(&servers, &name("kubernetes.io")).unwrap().log);
    }

    #[test]
    fn errors_name_the_line() {
        for (text, expected) in [
            (".:53 {\n foo\n}", "Corefile:2 - Error during parsing: Unknown directive 'foo'"),
            (".:53 {\n log", "Corefile:1 - Error during parsing: Unexpected EOF"),
            (
                ".:53 {\n kubernetes a {\n  podz x\n }\n}",
                "Corefile:2 - Error during parsing: unknown property 'podz'",
            ),
        ] {
            assert_eq!(Server::parse("Corefile", text), Err(ParseError(expected.to_owned())));
        }
    }

    #[test]
    fn noise_never_panics() {
        let words =
            [".", "{", "}", "\n", "kubernetes", "hosts", "ttl", "forward", "a..b", ":", "#"];
        let mut rng = naru_sim::Rng::new(1);
        for _ in 0..5_000 {
            let text: String = (0..rng.below(20))
                .map(|_| format!("{} ", words[rng.below(words.len() as u64) as usize]))
                .collect();
            let _ = Server::parse("Corefile", &text);
        }
    }
}
