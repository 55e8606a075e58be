//! nginx's variables.
//!
//! Upstream: `src/http/ngx_http_variables.c`.

use super::conf::Map;
use naru_shell::serve::{Incoming, clock};
use naru_sim::Time;
use regex_lite::Regex;
use std::collections::BTreeMap;

/// Variables that follow from variables.
const DEPTH_MAX: usize = 8;
/// Bytes of one text.
const TEXT_MAX: usize = 64 * 1024;

const KNOWN: &[&str] = &[
    "args",
    "body_bytes_sent",
    "bytes_sent",
    "connection",
    "connection_requests",
    "content_length",
    "content_type",
    "document_root",
    "document_uri",
    "host",
    "hostname",
    "https",
    "is_args",
    "msec",
    "nginx_version",
    "pid",
    "proxy_add_x_forwarded_for",
    "proxy_host",
    "proxy_port",
    "query_string",
    "realpath_root",
    "remote_addr",
    "remote_port",
    "remote_user",
    "request",
    "request_body",
    "request_filename",
    "request_id",
    "request_length",
    "request_method",
    "request_time",
    "request_uri",
    "scheme",
    "server_addr",
    "server_name",
    "server_port",
    "server_protocol",
    "ssl_protocol",
    "status",
    "time_iso8601",
    "time_local",
    "upstream_addr",
    "upstream_cache_status",
    "upstream_response_time",
    "upstream_status",
    "uri",
];
const FAMILIES: &[&str] = &["arg_", "cookie_", "http_", "sent_http_", "upstream_http_"];

/// Whether nginx has a variable of this name.
pub fn is_known(name: &str) -> bool {
    let capture = !name.is_empty() && name.chars().all(|c| c.is_ascii_digit());
    capture || KNOWN.contains(&name) || FAMILIES.iter().any(|start| name.starts_with(start))
}

/// The names of the variables in a text.
pub fn names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    walk(text, &mut |part| {
        if let Part::Variable(name) = part {
            names.push(name.to_owned());
        }
    });
    names
}

enum Part<'a> {
    Text(&'a str),
    Variable(&'a str),
}

/// The parts of a text: `$name` and `${name}` are variables.
fn walk<'a>(text: &'a str, see: &mut dyn FnMut(Part<'a>)) {
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, after) = rest.split_at(at);
        see(Part::Text(before));
        let after = after.strip_prefix('$').unwrap_or(after);
        let (name, next) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((name, next)) => (name, next),
            None => {
                let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
                // Captures have one digit: `$1x` is `$1` and an x.
                let end = match after.chars().next() {
                    Some(c) if c.is_ascii_digit() => 1,
                    _ => after.find(word).unwrap_or(after.len()),
                };
                after.split_at(end)
            }
        };
        if name.is_empty() {
            see(Part::Text("$"));
        } else {
            see(Part::Variable(name));
        }
        rest = next;
    }
    see(Part::Text(rest));
}

/// What a request's variables are taken from.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    pub values: BTreeMap<String, String>,
    pub maps: Vec<Map>,
}

impl Scope {
    /// What is known of a request when it comes.
    pub fn of(
        incoming: &Incoming,
        (hostname, version): (&str, &str),
        (port, secured): (u16, bool),
        server_name: &str,
        now: Time,
    ) -> Scope {
        let request = &incoming.request;
        let header = |name: &str| request.headers.get(name).unwrap_or_default().to_owned();
        let host = header("Host");
        let plain = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name).to_lowercase();
        let address = incoming.peer.ip().to_string();
        let forwarded = match request.headers.get("X-Forwarded-For") {
            Some(before) => format!("{before}, {address}"),
            None => address.clone(),
        };
        let query = request.query();
        let (method, target, protocol) = (&request.method, &request.target, request.version);
        let mut scope = Scope::default();
        let mut set = |name: &str, value: String| drop(scope.values.insert(name.to_owned(), value));
        set("args", query.to_owned());
        set("query_string", query.to_owned());
        set("is_args", if query.is_empty() { "" } else { "?" }.to_owned());
        set("host", if plain.is_empty() { server_name.to_owned() } else { plain });
        set("hostname", hostname.to_owned());
        set("nginx_version", version.to_owned());
        set("remote_port", incoming.peer.port().to_string());
        set("remote_addr", address);
        set("proxy_add_x_forwarded_for", forwarded);
        set("request_method", method.clone());
        set("request_uri", target.clone());
        set("server_protocol", protocol.to_string());
        set("request", format!("{method} {target} {protocol}"));
        set("request_body", String::from_utf8_lossy(&request.body).into_owned());
        set("content_type", header("Content-Type"));
        set("content_length", header("Content-Length"));
        set("scheme", if secured { "https" } else { "http" }.to_owned());
        set("https", if secured { "on" } else { "" }.to_owned());
        set("server_port", port.to_string());
        set("server_name", server_name.to_owned());
        set("time_local", clock::format(now, clock::COMMON_LOG));
        set("time_iso8601", clock::format(now, "%Y-%m-%dT%H:%M:%S+00:00"));
        set(
            "msec",
            format!("{}.{:03}", now.unix_micros() / 1_000_000, now.unix_micros() / 1_000 % 1_000),
        );
        set("pid", "29".to_owned());
        set("request_time", "0.000".to_owned());
        for (name, value) in request.headers.iter() {
            let name = name.to_lowercase().replace('-', "_");
            scope.values.insert(format!("http_{name}"), value.to_owned());
        }
        for pair in query.split('&') {
            if let Some((name, value)) = pair.split_once('=') {
                scope.values.entry(format!("arg_{name}")).or_insert_with(|| value.to_owned());
            }
        }
        for pair in request.headers.get("Cookie").unwrap_or_default().split("; ") {
            if let Some((name, value)) = pair.split_once('=') {
                scope.values.insert(format!("cookie_{name}"), value.to_owned());
            }
        }
        scope
    }

    /// Gives a variable a value.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.values.insert(name.to_owned(), value.into());
    }

    /// Remembers what the parts of an expression fitted: `$1`, `$2`, …
    pub fn fitted(&mut self, pattern: &Regex, text: &str) -> bool {
        let Some(captures) = pattern.captures(text) else { return false };
        for number in 1..captures.len().min(10) {
            let part = captures.get(number).map_or("", |part| part.as_str());
            self.values.insert(number.to_string(), part.to_owned());
        }
        true
    }

    /// The text with its variables filled in.
    pub fn fill(&self, text: &str) -> String {
        self.filled(text, DEPTH_MAX)
    }

    fn filled(&self, text: &str, depth: usize) -> String {
        let mut out = String::new();
        walk(text, &mut |part| match part {
            _ if out.len() > TEXT_MAX => {}
            Part::Text(text) => out.push_str(text),
            Part::Variable(name) => out.push_str(&self.value(name, depth)),
        });
        out
    }

    fn value(&self, name: &str, depth: usize) -> String {
        let map = self.maps.iter().find(|map| map.name == name);
        if let (Some(map), Some(depth)) = (map, depth.checked_sub(1)) {
            let source = self.filled(&map.source, depth);
            let fits = |key: &str| match key.strip_prefix('~') {
                Some(pattern) => {
                    let (fold, pattern) = match pattern.strip_prefix('*') {
                        Some(rest) => ("(?i)", rest),
                        None => ("", pattern),
                    };
                    Regex::new(&format!("{fold}{pattern}")).is_ok_and(|it| it.is_match(&source))
                }
                None => key == source,
            };
            let found = map.entries.iter().find(|(key, _)| fits(key));
            return self.filled(found.map_or(&map.default, |(_, value)| value), depth);
        }
        self.values.get(name).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_filled() {
        let mut scope = Scope::default();
        scope.set("a", "x");
        scope.set("http_upgrade", "websocket");
        scope.maps.push(Map {
            source: "$http_upgrade".to_owned(),
            name: "connection".to_owned(),
            default: "upgrade".to_owned(),
            entries: vec![(String::new(), "close".to_owned())],
        });
        assert!(scope.fitted(&Regex::new("^/(.*)/([0-9]+)$").unwrap(), "/b/7"));
        let table = [
            ("$a-${a}b", "x-xb"),
            ("/$1x/$2", "/bx/7"),
            ("$nothing!", "!"),
            ("5$", "5$"),
            ("$connection", "upgrade"),
        ];
        for (text, expected) in table {
            assert_eq!(scope.fill(text), expected, "{text}");
        }
        assert_eq!(names("$a ${b}c $1"), ["a", "b", "1"]);
        assert!(is_known("http_x") && is_known("1") && !is_known("nosuch"));
    }
}
