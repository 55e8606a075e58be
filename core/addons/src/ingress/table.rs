//! What the proxy knows: hosts, paths, and the endpoints behind them.
//!
//! Upstream: `internal/ingress/controller/controller.go` (`getBackendServers`), `rootfs/etc/nginx`.

use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressBackend};
use naru_client::Cache;
use naru_network::IpNet;
use naru_network::http::Headers;
use naru_shell::serve::clock;
use naru_sim::Time;
use regex_lite::Regex;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Where annotations of the controller begin.
const PREFIX: &str = "nginx.ingress.kubernetes.io/";
/// Bytes of a body that are taken where nothing else is said: `1m`.
const BODY_MAX: u64 = 1 << 20;
/// The name under which the cookie of session affinity goes.
const COOKIE: &str = "INGRESSCOOKIE";

/// nginx looks for an expression at the start of the path, in small or capital letters.
const REGEX_START: &str = "(?i)^";

/// What the proxy answers by.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// By host: `shop.example`, `*.example`, or "" for every host.
    pub servers: BTreeMap<String, Server>,
    /// Certificates and keys, in PEM.
    pub identities: Vec<(String, String)>,
}

/// One host.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// In the order in which they are tried.
    pub locations: Vec<Location>,
    /// For what no location takes.
    pub fallback: Option<Location>,
    /// Clear requests are sent to HTTPS, since there is a certificate.
    pub tls: bool,
}

/// What a request's path must be like.
#[derive(Clone, Debug)]
pub enum Path {
    /// The very same.
    Exact(String),
    /// Element by element.
    Prefix(String),
    /// It begins so.
    Start(String),
    /// `use-regex`, or a rewrite.
    Regex(Regex),
}

/// Where requests go.
#[derive(Clone, Debug)]
pub struct Location {
    /// Which requests.
    pub path: Path,
    /// `default-web-80`
    pub upstream: String,
    /// `10.244.1.2:8080`, …
    pub endpoints: Vec<String>,
    /// What stands in the place of the path.
    pub rewrite: Option<String>,
    /// The cookie by which a client stays with an endpoint.
    pub cookie: Option<Affinity>,
    /// `ssl-redirect`, on unless it is said otherwise.
    pub redirects: bool,
    /// `force-ssl-redirect`
    pub forces: bool,
    /// Where everybody is sent: `permanent-redirect`, `temporal-redirect`.
    pub elsewhere: Option<(u16, String)>,
    /// Where who asks for `/` is sent: `app-root`.
    pub root: Option<String>,
    /// Bytes of a body at most, 0 for any number: `proxy-body-size`.
    pub body_max: u64,
    /// Who may ask, if not everybody: `whitelist-source-range`.
    pub allowed: Vec<IpNet>,
    /// Another backend, for some of the requests: `canary`.
    pub canary: Option<Canary>,
}

/// The cookie of session affinity.
///
/// Upstream: `internal/ingress/annotations/sessionaffinity/main.go`.
#[derive(Clone, Debug)]
pub struct Affinity {
    /// `session-cookie-name`
    pub name: String,
    /// In seconds: `session-cookie-expires`
    pub expires: Option<i64>,
    /// In seconds: `session-cookie-max-age`
    pub max_age: Option<i64>,
    /// `session-cookie-domain`
    pub domain: Option<String>,
    /// `session-cookie-path`, or the location's.
    pub path: String,
    /// `session-cookie-secure`: though the request is not.
    pub secure: bool,
    /// `session-cookie-samesite`
    pub same_site: Option<String>,
}

impl Affinity {
    /// What `Set-Cookie` says. Upstream: `set_cookie` in `rootfs/etc/nginx/lua/balancer/sticky.lua`,
    /// and `bake` of lua-resty-cookie, which has the order.
    pub fn header(&self, value: &str, tls: bool, now: Time) -> String {
        let mut text = format!("{}={value}", self.name);
        if let Some(seconds) = self.expires {
            text.push_str(&format!("; Expires={}", cookie_time(now, seconds)));
        }
        if let Some(seconds) = self.max_age {
            text.push_str(&format!("; Max-Age={seconds}"));
        }
        if let Some(domain) = &self.domain {
            text.push_str(&format!("; Domain={domain}"));
        }
        text.push_str(&format!("; Path={}", self.path));
        text.push_str(if self.secure || tls { "; Secure" } else { "" });
        text.push_str("; HttpOnly");
        if let Some(how) = &self.same_site {
            text.push_str(&format!("; SameSite={how}"));
        }
        text
    }
}

/// nginx's `ngx_http_cookie_time`: years until 2037 have two digits.
fn cookie_time(now: Time, seconds: i64) -> String {
    let at = now.unix_micros().saturating_add(seconds.saturating_mul(1_000_000));
    let pattern = match clock::format_unix(at, "%Y").as_str() > "2037" {
        true => "%a, %d-%b-%Y %H:%M:%S GMT",
        false => "%a, %d-%b-%y %H:%M:%S GMT",
    };
    clock::format_unix(at, pattern)
}

/// A backend that takes some of the requests of another.
#[derive(Clone, Debug)]
pub struct Canary {
    /// `default-web-next-80`
    pub upstream: String,
    /// Its endpoints.
    pub endpoints: Vec<String>,
    /// `canary-by-header`, with its value if only one counts.
    header: Option<(String, Option<String>)>,
    /// `canary-by-cookie`
    cookie: Option<String>,
    /// `canary-weight` of `canary-weight-total`
    weight: (u64, u64),
}

impl Canary {
    /// Whether a request is for this backend. `drawn` gives a number below another.
    ///
    /// Upstream: `route_to_alternative_balancer` in `rootfs/etc/nginx/lua/balancer.lua`.
    pub fn takes(&self, headers: &Headers, drawn: impl FnOnce(u64) -> u64) -> bool {
        if let Some((name, value)) = &self.header
            && let Some(sent) = headers.get(name)
        {
            match (value, sent) {
                (Some(value), sent) if value == sent => return true,
                (None, "always") => return true,
                (None, "never") => return false,
                _ => {}
            }
        }
        if let Some(name) = &self.cookie {
            let mut pairs = headers.get("cookie").into_iter().flat_map(|all| all.split(';'));
            let value = pairs.find_map(|pair| {
                pair.trim().split_once('=').filter(|(own, _)| own == name).map(|(_, value)| value)
            });
            match value {
                Some("always") => return true,
                Some("never") => return false,
                _ => {}
            }
        }
        let (weight, total) = self.weight;
        drawn(total.max(1)) < weight
    }
}

impl Path {
    fn fits(&self, path: &str) -> bool {
        match self {
            Path::Exact(own) => own == path,
            Path::Prefix(own) => {
                let own = own.trim_end_matches('/');
                path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Path::Start(own) => path.starts_with(own.as_str()),
            Path::Regex(own) => own.is_match(path),
        }
    }

    /// As the Ingress has it. Upstream: `location_path`.
    fn text(&self) -> &str {
        match self {
            Path::Exact(own) | Path::Prefix(own) | Path::Start(own) => own,
            Path::Regex(own) => own.as_str().strip_prefix(REGEX_START).unwrap_or(own.as_str()),
        }
    }

    /// Whether it takes the same requests.
    fn is(&self, other: &Path) -> bool {
        match (self, other) {
            (Path::Exact(one), Path::Exact(other))
            | (Path::Prefix(one), Path::Prefix(other))
            | (Path::Start(one), Path::Start(other)) => one == other,
            (Path::Regex(one), Path::Regex(other)) => one.as_str() == other.as_str(),
            _ => false,
        }
    }

    /// nginx tries what is exact first, and then what is longer.
    fn rank(&self) -> (u8, std::cmp::Reverse<usize>) {
        let (kind, length) = match self {
            Path::Exact(own) => (0, own.len()),
            Path::Prefix(own) | Path::Start(own) => (1, own.len()),
            Path::Regex(own) => (1, own.as_str().len()),
        };
        (kind, std::cmp::Reverse(length))
    }
}

impl Table {
    /// The host and the location of a request.
    pub fn find(&self, host: &str, path: &str) -> (Option<&Server>, Option<&Location>) {
        let wild = host.split_once('.').map(|(_, rest)| format!("*.{rest}")).unwrap_or_default();
        let hosts = [host, wild.as_str(), ""];
        let server = hosts.iter().find_map(|name| self.servers.get(*name));
        let own = server.and_then(|server| server.locations.iter().find(|it| it.path.fits(path)));
        let fallback = || server.and_then(|server| server.fallback.as_ref());
        let everybody = || self.servers.get("").and_then(|server| server.fallback.as_ref());
        (server, own.or_else(fallback).or_else(everybody))
    }

    /// Reads everything that the Ingresses of this controller ask for.
    pub fn read(cache: &Cache, ours: &[&Ingress]) -> Table {
        let mut table = Table::default();
        let is_canary = |ingress: &Ingress| reader(cache, ingress).is_on("canary");
        let (canaries, plain): (Vec<&Ingress>, Vec<&Ingress>) =
            ours.iter().copied().partition(|ingress| is_canary(ingress));
        plain.into_iter().for_each(|ingress| table.add(cache, ingress));
        canaries.into_iter().for_each(|ingress| table.add_canary(cache, ingress));
        for server in table.servers.values_mut() {
            server.locations.sort_by_key(|location| location.path.rank());
        }
        table
    }

    fn add(&mut self, cache: &Cache, ingress: &Ingress) {
        let Some(spec) = &ingress.spec else { return };
        let reader = reader(cache, ingress);
        let rules = spec.rules.iter().flatten();
        for rule in rules.clone() {
            let host = rule.host.clone().unwrap_or_default();
            let server = self.servers.entry(host).or_default();
            for path in rule.http.iter().flat_map(|http| &http.paths) {
                let text = path.path.as_deref().filter(|text| !text.is_empty()).unwrap_or("/");
                let Some(matched) = reader.path(text, &path.path_type) else { continue };
                // Whoever was there first keeps the path.
                server.locations.extend(reader.location(matched, &path.backend));
            }
        }
        if let Some(backend) = &spec.default_backend {
            let fallback = reader.location(Path::Start("/".to_owned()), backend);
            match rules.clone().next() {
                None => self.servers.entry(String::new()).or_default().fallback = fallback,
                Some(_) => rules.for_each(|rule| {
                    let host = rule.host.clone().unwrap_or_default();
                    self.servers.entry(host).or_default().fallback.clone_from(&fallback);
                }),
            }
        }
        for tls in spec.tls.iter().flatten() {
            let secret = tls.secret_name.as_deref().unwrap_or_default();
            let Some(identity) = reader.identity(secret) else { continue };
            self.identities.push(identity);
            for host in tls.hosts.iter().flatten() {
                if let Some(server) = self.servers.get_mut(host) {
                    server.tls = true;
                }
            }
        }
    }
}

impl Table {
    /// Gives the locations that another Ingress has made a second backend.
    fn add_canary(&mut self, cache: &Cache, ingress: &Ingress) {
        let reader = reader(cache, ingress);
        let rules = ingress.spec.iter().flat_map(|spec| spec.rules.iter().flatten());
        for rule in rules {
            let host = rule.host.as_deref().unwrap_or_default();
            let Some(server) = self.servers.get_mut(host) else { continue };
            for path in rule.http.iter().flat_map(|http| &http.paths) {
                let text = path.path.as_deref().filter(|text| !text.is_empty()).unwrap_or("/");
                let Some(matched) = reader.path(text, &path.path_type) else { continue };
                let found = server.locations.iter_mut().find(|it| it.path.is(&matched));
                let canary = reader.canary(matched, &path.backend);
                if let Some(location) = found {
                    location.canary = canary;
                }
            }
        }
    }
}

fn reader<'a>(cache: &'a Cache, ingress: &'a Ingress) -> Reader<'a> {
    let namespace = ingress.metadata.namespace.as_deref().unwrap_or_default();
    Reader { cache, namespace, ingress }
}

/// `1m` is 1048576 bytes.
fn size(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let unit = match text.chars().last()? {
        'k' => 1 << 10,
        'm' => 1 << 20,
        'g' => 1 << 30,
        _ => 1,
    };
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// Reads one Ingress.
struct Reader<'a> {
    cache: &'a Cache,
    namespace: &'a str,
    ingress: &'a Ingress,
}

impl Reader<'_> {
    fn annotation(&self, name: &str) -> Option<&str> {
        let all = self.ingress.metadata.annotations.as_ref()?;
        all.get(&format!("{PREFIX}{name}")).map(String::as_str)
    }

    fn is_on(&self, name: &str) -> bool {
        self.annotation(name) == Some("true")
    }

    /// `None` for an expression that cannot be read: nginx is not given it.
    fn path(&self, text: &str, kind: &str) -> Option<Path> {
        if self.is_on("use-regex") || self.annotation("rewrite-target").is_some() {
            let pattern = format!("{REGEX_START}{text}");
            return Regex::new(&pattern).ok().map(Path::Regex);
        }
        Some(match kind {
            "Exact" => Path::Exact(text.to_owned()),
            "Prefix" => Path::Prefix(text.to_owned()),
            _ => Path::Start(text.to_owned()),
        })
    }

    fn location(&self, path: Path, backend: &IngressBackend) -> Option<Location> {
        let service = backend.service.as_ref()?;
        let port = service.port.as_ref();
        let number = port.and_then(|port| port.number);
        let name = port.and_then(|port| port.name.as_deref());
        let shown = number.map_or_else(|| name.unwrap_or_default().to_owned(), |n| n.to_string());
        let cookie = (self.annotation("affinity") == Some("cookie")).then(|| self.affinity(&path));
        Some(Location {
            path,
            upstream: format!("{}-{}-{shown}", self.namespace, service.name),
            endpoints: self.endpoints(&service.name, number, name),
            rewrite: self.annotation("rewrite-target").map(str::to_owned),
            cookie,
            redirects: self.annotation("ssl-redirect") != Some("false"),
            forces: self.is_on("force-ssl-redirect"),
            elsewhere: self.elsewhere(),
            root: self.annotation("app-root").map(str::to_owned),
            body_max: self.annotation("proxy-body-size").and_then(size).unwrap_or(BODY_MAX),
            allowed: self.allowed(),
            canary: None,
        })
    }

    fn affinity(&self, path: &Path) -> Affinity {
        let cookie = |name: &str| self.annotation(&format!("session-cookie-{name}"));
        let said = |name: &str| cookie(name).filter(|text| !text.is_empty()).map(str::to_owned);
        let seconds = |name: &str| cookie(name).and_then(|text| text.parse().ok());
        let known = |how: &String| ["Strict", "Lax", "None"].contains(&how.as_str());
        Affinity {
            name: said("name").unwrap_or_else(|| COOKIE.to_owned()),
            expires: seconds("expires"),
            max_age: seconds("max-age"),
            domain: said("domain"),
            path: said("path").unwrap_or_else(|| path.text().to_owned()),
            secure: self.is_on("session-cookie-secure"),
            same_site: said("samesite").filter(known),
        }
    }

    fn elsewhere(&self) -> Option<(u16, String)> {
        let temporal = self.annotation("temporal-redirect").map(|to| (302, to.to_owned()));
        let code = self.annotation("permanent-redirect-code").and_then(|code| code.parse().ok());
        let permanent = self.annotation("permanent-redirect");
        temporal.or_else(|| Some((code.unwrap_or(301), permanent?.to_owned())))
    }

    fn allowed(&self) -> Vec<IpNet> {
        let ranges = ["whitelist-source-range", "allowlist-source-range"];
        let text = ranges.into_iter().find_map(|name| self.annotation(name)).unwrap_or_default();
        let range = |text: &str| {
            let text = text.trim();
            text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
        };
        text.split(',').filter_map(range).collect()
    }

    fn canary(&self, path: Path, backend: &IngressBackend) -> Option<Canary> {
        let Location { upstream, endpoints, .. } = self.location(path, backend)?;
        let number = |name: &str| self.annotation(name).and_then(|text| text.parse::<u64>().ok());
        let value = self.annotation("canary-by-header-value").map(str::to_owned);
        let header = self.annotation("canary-by-header");
        Some(Canary {
            upstream,
            endpoints,
            header: header.map(|name| (name.to_owned(), value)),
            cookie: self.annotation("canary-by-cookie").map(str::to_owned),
            weight: (
                number("canary-weight").unwrap_or(0),
                number("canary-weight-total").unwrap_or(100),
            ),
        })
    }

    /// The ready endpoints of a service's port, in order.
    fn endpoints(&self, service: &str, number: Option<i32>, name: Option<&str>) -> Vec<String> {
        let key = naru_api::Key::new(self.namespace, service);
        let Some(found) = self.cache.get::<Service>(&key) else { return Vec::new() };
        let ports = found.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
        let wanted = ports.into_iter().find(|port| match (number, name) {
            (Some(number), _) => port.port == number,
            (None, name) => port.name.as_deref() == name,
        });
        let Some(port) = wanted else { return Vec::new() };
        let slices = self.cache.list::<EndpointSlice>(self.namespace).filter(|slice| {
            let labels = slice.metadata.labels.as_ref();
            labels
                .and_then(|it| it.get("kubernetes.io/service-name"))
                .is_some_and(|it| it == service)
        });
        let mut all = Vec::new();
        for slice in slices {
            let same = |other: &&k8s_openapi::api::discovery::v1::EndpointPort| {
                other.name.as_deref().unwrap_or_default()
                    == port.name.as_deref().unwrap_or_default()
            };
            let number = slice.ports.iter().flatten().find(same).and_then(|port| port.port);
            let Some(number) = number else { continue };
            for endpoint in &slice.endpoints {
                let ready = endpoint.conditions.as_ref().and_then(|it| it.ready) != Some(false);
                let address = endpoint.addresses.first().filter(|_| ready);
                all.extend(address.map(|ip| format!("{ip}:{number}")));
            }
        }
        all.sort();
        all
    }

    fn identity(&self, secret: &str) -> Option<(String, String)> {
        let key = naru_api::Key::new(self.namespace, secret);
        let data = self.cache.get::<Secret>(&key)?.data.as_ref()?;
        let text = |name: &str| String::from_utf8(data.get(name)?.0.clone()).ok();
        Some((text("tls.crt")?, text("tls.key")?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(path: Path, upstream: &str) -> Location {
        Location {
            path,
            upstream: upstream.to_owned(),
            endpoints: Vec::new(),
            rewrite: None,
            cookie: None,
            redirects: true,
            forces: false,
            elsewhere: None,
            root: None,
            body_max: BODY_MAX,
            allowed: Vec::new(),
            canary: None,
        }
    }

    #[test]
    fn canaries_take_some() {
        let canary = |header: Option<(&str, Option<&str>)>, cookie: Option<&str>, weight| Canary {
            upstream: String::new(),
            endpoints: Vec::new(),
            header: header.map(|(name, value)| (name.to_owned(), value.map(str::to_owned))),
            cookie: cookie.map(str::to_owned),
            weight: (weight, 100),
        };
        let by_header = canary(Some(("X-Next", None)), Some("next"), 20);
        let by_value = canary(Some(("X-Next", Some("yes"))), None, 20);
        for (canary, name, value, drawn, expected) in [
            (&by_header, "X-Next", "always", 99, true),
            (&by_header, "X-Next", "never", 0, false),
            (&by_header, "X-Next", "maybe", 19, true),
            (&by_header, "Cookie", "a=b; next=always", 99, true),
            (&by_header, "Cookie", "next=never", 0, false),
            (&by_header, "Other", "always", 20, false),
            (&by_value, "X-Next", "yes", 99, true),
            (&by_value, "X-Next", "always", 99, false),
        ] {
            let mut headers = Headers::new();
            headers.add(name, value);
            assert_eq!(canary.takes(&headers, |_| drawn), expected, "{name}: {value}, {drawn}");
        }
    }

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("1m", Some(1 << 20)),
            ("8K", Some(8 << 10)),
            ("0", Some(0)),
            ("12", Some(12)),
            ("x", None),
        ] {
            assert_eq!(size(text), expected, "{text}");
        }
    }

    #[test]
    fn paths_are_matched_by_their_types() {
        let mut server = Server {
            locations: vec![
                location(Path::Prefix("/".into()), "root"),
                location(Path::Prefix("/foo".into()), "foo"),
                location(Path::Exact("/foo/bar".into()), "exact"),
                location(Path::Start("/impl".into()), "impl"),
                location(Path::Regex(Regex::new("(?i)^/api(/|$)(.*)").unwrap()), "api"),
            ],
            ..Server::default()
        };
        server.locations.sort_by_key(|location| location.path.rank());
        let servers = [("shop.example".to_owned(), server.clone()), ("*.wild".to_owned(), server)];
        let table = Table { servers: servers.into(), identities: Vec::new() };
        for (host, path, upstream) in [
            ("shop.example", "/", Some("root")),
            ("shop.example", "/foo", Some("foo")),
            ("shop.example", "/foo/", Some("foo")),
            ("shop.example", "/foobar", Some("root")),
            ("shop.example", "/foo/bar", Some("exact")),
            ("shop.example", "/foo/bar/", Some("foo")),
            ("shop.example", "/implies", Some("impl")),
            ("shop.example", "/API/x", Some("api")),
            ("a.wild", "/foo", Some("foo")),
            ("a.b.wild", "/foo", None),
            ("other.example", "/", None),
        ] {
            let found = table.find(host, path).1.map(|location| location.upstream.as_str());
            assert_eq!(found, upstream, "{host}{path}");
        }
    }
}
