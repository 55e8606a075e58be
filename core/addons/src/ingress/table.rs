//! What the proxy knows: hosts, paths, and the endpoints behind them.
//!
//! Upstream: `internal/ingress/controller/controller.go` (`getBackendServers`), `rootfs/etc/nginx`.

use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressBackend};
use naru_client::Cache;
use regex_lite::Regex;
use std::collections::BTreeMap;

/// Where annotations of the controller begin.
const PREFIX: &str = "nginx.ingress.kubernetes.io/";
/// The name under which the cookie of session affinity goes.
const COOKIE: &str = "INGRESSCOOKIE";

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
    pub cookie: Option<String>,
    /// `ssl-redirect`, on unless it is said otherwise.
    pub redirects: bool,
    /// `force-ssl-redirect`
    pub forces: bool,
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
        for ingress in ours {
            table.add(cache, ingress);
        }
        for server in table.servers.values_mut() {
            server.locations.sort_by_key(|location| location.path.rank());
        }
        table
    }

    fn add(&mut self, cache: &Cache, ingress: &Ingress) {
        let Some(spec) = &ingress.spec else { return };
        let namespace = ingress.metadata.namespace.as_deref().unwrap_or_default();
        let reader = Reader { cache, namespace, ingress };
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
            let pattern = format!("(?i)^{text}");
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
        let cookie = (self.annotation("affinity") == Some("cookie"))
            .then(|| self.annotation("session-cookie-name").unwrap_or(COOKIE).to_owned());
        Some(Location {
            path,
            upstream: format!("{}-{}-{shown}", self.namespace, service.name),
            endpoints: self.endpoints(&service.name, number, name),
            rewrite: self.annotation("rewrite-target").map(str::to_owned),
            cookie,
            redirects: self.annotation("ssl-redirect") != Some("false"),
            forces: self.is_on("force-ssl-redirect"),
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
