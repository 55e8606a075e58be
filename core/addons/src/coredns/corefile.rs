//! The Corefile: which zones are served, and by which plugins.

use super::rewrite::Rewrite;
use naru_network::dns::Name;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha512};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
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
    /// `forward`
    pub forward: Vec<Forward>,
    /// `rewrite`
    pub rewrites: Vec<Rewrite>,
    /// `errors`
    pub errors: bool,
    /// `log`
    pub log: bool,
    /// `loadbalance`
    pub loadbalance: bool,
    /// `health`: seconds of lame duck.
    pub health: Option<u64>,
    /// `ready`
    pub ready: bool,
    /// `reload`
    pub reload: bool,
}

/// The plugin `forward`.
#[derive(Clone, Debug, PartialEq)]
pub struct Forward {
    /// The names that others are asked for.
    pub from: Name,
    /// Whom: addresses, or files like `/etc/resolv.conf`.
    pub to: Vec<String>,
    /// Names below these are not asked for: `except`.
    pub except: Vec<Name>,
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
    /// Seconds for which answers may be kept.
    pub ttl: u32,
}

/// Why a Corefile cannot be used; written as CoreDNS writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError(pub String);

/// Plugins that change nothing that a client of this server could see.
const SILENT: &[&str] = &[
    "autopath",
    "bind",
    "bufsize",
    "cache",
    "cancel",
    "debug",
    "loop",
    "metadata",
    "minimal",
    "multisocket",
    "prometheus",
    "timeouts",
    "trace",
];

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
            "forward" => server.forward.push(self.forward(directive)?),
            "rewrite" => {
                let bad =
                    |what: String| self.error(directive.line, &format!("plugin/rewrite: {what}"));
                server
                    .rewrites
                    .extend(Rewrite::read(&directive.args, &directive.block).map_err(bad)?);
            }
            "errors" => server.errors = true,
            "reload" => server.reload = true,
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

    fn forward(&self, directive: &Directive<'_>) -> Result<Forward, ParseError> {
        let line = directive.line;
        let wrong = || {
            let last = directive.args.last().copied().unwrap_or(directive.name);
            let what = format!("Wrong argument count or unexpected line ending after '{last}'");
            self.error(line, &format!("plugin/forward: {what}"))
        };
        let (from, to) = directive.args.split_first().ok_or_else(wrong)?;
        if to.is_empty() {
            return Err(wrong());
        }
        let bad = |to: &&&str| {
            let bare = to.strip_prefix("dns://").unwrap_or(to);
            !to.starts_with('/') && address(bare).is_none()
        };
        if let Some(to) = to.iter().find(bad) {
            let what = format!("plugin/forward: not an IP address or file: \"{to}\"");
            return Err(self.error(line, &what));
        }
        let mut except = Vec::new();
        for words in &directive.block {
            if let ["except", names @ ..] = words.as_slice() {
                for name in names {
                    except.push(self.name(line, name)?);
                }
            }
        }
        let to = to.iter().map(|to| (*to).to_owned()).collect();
        Ok(Forward { from: self.name(line, from)?, to, except })
    }

    fn hosts(&self, directive: &Directive<'_>) -> Result<Hosts, ParseError> {
        const TTL: u32 = 3_600;
        let mut hosts = Hosts { ttl: TTL, ..Hosts::default() };
        for words in &directive.block {
            let Some((first, names)) = words.split_first() else { continue };
            if *first == "fallthrough" {
                hosts.fallthrough = true;
            } else if let (true, Some(ttl)) = (*first == "ttl", names.first()) {
                let bad =
                    |_| self.error(directive.line, "plugin/hosts: ttl needs a number of second");
                hosts.ttl = ttl.parse().map_err(bad)?;
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

/// An address to ask at, with its port.
pub fn address(text: &str) -> Option<SocketAddr> {
    const PORT: u16 = 53;
    let bare = text.strip_prefix("dns://").unwrap_or(text);
    let ip = IpAddr::from_str(bare).map(|ip| SocketAddr::new(ip, PORT));
    ip.or_else(|_| SocketAddr::from_str(bare)).ok()
}

/// What the plugin `reload` calls the running configuration: a hash of the Corefile's words and
/// lines, so that blanks and comments do not count.
///
/// Upstream: `parse` in `plugin/reload/reload.go`, and the JSON of `caddyfile.ServerBlock`.
pub fn fingerprint(text: &str) -> String {
    let tokens = tokens(text);
    let mut blocks: Vec<Value> = Vec::new();
    let mut rest = tokens.as_slice();
    while !rest.is_empty() {
        let keys = rest.iter().position(|token| token.word == "{").unwrap_or(rest.len());
        let (head, body) = rest.split_at(keys);
        let (directives, after) = block_of(body.get(1..).unwrap_or_default());
        let keys: Vec<&str> = head.iter().map(|token| token.word.as_str()).collect();
        blocks.push(json!({ "Keys": keys, "Tokens": directives }));
        rest = after;
    }
    // As Go writes JSON.
    let text = Value::from(blocks).to_string();
    let text = text.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e");
    Sha512::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The directives of a server block, each with its words, and what follows the block.
fn block_of(body: &[Token]) -> (Map<String, Value>, &[Token]) {
    let mut directives: Map<String, Value> = Map::new();
    let (mut depth, mut last_line, mut name) = (0_usize, 0, String::new());
    for (index, token) in body.iter().enumerate() {
        let starts = depth == 0 && token.line != last_line;
        if starts && token.word == "}" {
            return (directives, body.get(index + 1..).unwrap_or_default());
        }
        if starts {
            name.clone_from(&token.word);
        }
        match token.word.as_str() {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        last_line = token.line;
        let words = directives.entry(name.clone()).or_insert_with(|| json!([]));
        if let Value::Array(words) = words {
            words.push(json!({ "File": "", "Line": token.line, "Text": token.word }));
        }
    }
    (directives, &[])
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
        let [forward] = server.forward.as_slice() else { panic!("{server:?}") };
        assert_eq!(
            (&forward.from, forward.to.as_slice()),
            (&Name::default(), &["/etc/resolv.conf".to_owned()][..])
        );
        assert!(server.errors && server.reload);
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

    /// The number is one that clusters of kubeadm v1.33 print.
    #[test]
    fn fingerprints_are_those_of_published_clusters() {
        let text = super::super::manifests::COREFILE;
        let commented = text.replace("loop", "loop # no circles");
        for text in [text, commented.as_str()] {
            assert_eq!(
                fingerprint(text),
                "1b226df79860026c6a52e67daa10d7f0d57ec5b023288ec00c5e05f93523c894564e15b91770d3a07ae1cfb\
                 e861d15b37d4a0027e69c546ab112970993a3b03b"
            );
        }
        assert_ne!(fingerprint(text), fingerprint(&text.replace("ttl 30", "ttl 31")));
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
            let _ = fingerprint(&text);
        }
    }
}
