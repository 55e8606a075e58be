//! The proxy: requests on ports 80 and 443 go to endpoints, and are written down.
//!
//! Upstream: `rootfs/etc/nginx/template/nginx.tmpl`, `rootfs/etc/nginx/lua/balancer.lua`.

use super::controller::health;
use super::pages::page;
use super::table::{Location, Path, Table};
use naru_network::http::{Headers, Response};
use naru_pki::tls::{Identity, ServerConfig};
use naru_pki::{
    Authority, Certificate, ExtendedUsage, PkiError, PrivateKey, Subject, Template, Validity,
};
use naru_shell::Sys;
use naru_shell::serve::{Exchange, HttpServer, Incoming, Outcome, Secured, clock};
use naru_sim::{Rng, Time};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const CLEAR: u16 = 80;
const TLS: u16 = 443;
const HEALTH: u16 = 10254;
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
/// What the controller says at its start.
const GREETING: &str = "\
-------------------------------------------------------------------------------
NGINX Ingress controller
  Release:       v1.12.2
  Repository:    https://github.com/kubernetes/ingress-nginx
  nginx version: nginx/1.25.5

-------------------------------------------------------------------------------

";
/// Endpoints tried for one request. Upstream: `proxy-next-upstream-tries`.
const TRIES_MAX: usize = 3;

/// The proxy.
#[derive(Clone, Debug)]
pub struct Proxy {
    table: Table,
    /// Port 80, port 443, and the controller's own.
    clear: HttpServer,
    secured: HttpServer,
    health: HttpServer,
    flights: Vec<Flight>,
    /// Whose turn it is, by upstream.
    turns: BTreeMap<String, usize>,
    fake: Option<Identity>,
}

/// The backend, the one that took its place, and the endpoint, as the log names them.
type Upstream<'a> = (&'a str, &'a str, &'a str);

/// A request on its way to an endpoint.
#[derive(Clone, Debug)]
struct Flight {
    incoming: Incoming,
    tls: bool,
    exchange: Exchange,
    started: Time,
    location: Location,
    /// The endpoints that were tried, the last being tried now.
    tried: Vec<String>,
    cookie: Option<String>,
    url: String,
}

impl Proxy {
    /// Starts to listen. Who has no certificate of their own is shown a fake one.
    pub fn start(sys: &mut dyn Sys) -> Proxy {
        // What nobody reads is lost.
        let _ = sys.write(2, GREETING.as_bytes());
        let now = sys.now();
        let fake = fake(now, &mut sys.rng().fork("fake")).ok();
        let rng = sys.rng().fork("tls");
        let mut proxy = Proxy {
            table: Table::default(),
            clear: HttpServer::default(),
            secured: HttpServer::default(),
            health: HttpServer::default(),
            flights: Vec::new(),
            turns: BTreeMap::new(),
            fake,
        };
        let config = proxy.config();
        if let Some(net) = sys.net() {
            let secured = Secured { config, told_in_clear: "", rng };
            // Who has the port already keeps it.
            let _ = proxy.clear.listen(net, CLEAR);
            let _ = proxy.secured.listen_tls(net, TLS, secured);
            let _ = proxy.health.listen(net, HEALTH);
        }
        proxy
    }

    /// Answers by another table from now on.
    pub fn follow(&mut self, table: Table) {
        self.table = table;
        let config = self.config();
        self.secured.show(&config);
    }

    fn config(&self) -> Arc<ServerConfig> {
        let own = self.table.identities.iter().filter_map(|(certificate, key)| {
            let chain = vec![Certificate::from_pem(certificate).ok()?];
            Some(Identity { chain, key: PrivateKey::from_pem(key).ok()? })
        });
        Arc::new(ServerConfig {
            identities: self.fake.clone().into_iter().chain(own).collect(),
            protocols: vec!["http/1.1".to_owned()],
            asks_clients: None,
        })
    }

    /// When it goes on by itself.
    pub fn next_due(&self) -> Option<Time> {
        self.flights.iter().map(|flight| flight.exchange.next_due()).min()
    }

    /// Takes requests and passes on answers.
    pub fn serve(&mut self, sys: &mut dyn Sys) {
        loop {
            let now = sys.now();
            let Some(net) = sys.net() else { return };
            let clear = self.clear.poll(net, now);
            let secured = self.secured.poll(net, now);
            for incoming in self.health.poll(net, now) {
                let answer = health(incoming.request.path());
                self.health.respond(&incoming, &answer);
            }
            let idle = clear.is_empty() && secured.is_empty();
            clear.into_iter().for_each(|incoming| self.take(sys, incoming, false));
            secured.into_iter().for_each(|incoming| self.take(sys, incoming, true));
            self.go_on(sys);
            let Some(net) = sys.net() else { return };
            for server in [&mut self.clear, &mut self.secured, &mut self.health] {
                server.flush(net);
            }
            if idle {
                return;
            }
        }
    }

    /// A request has come.
    fn take(&mut self, sys: &mut dyn Sys, incoming: Incoming, tls: bool) {
        let host = incoming.request.headers.get("host").unwrap_or_default().to_ascii_lowercase();
        let name = host.split(':').next().unwrap_or_default().to_owned();
        let (server, location) = self.table.find(&name, incoming.request.path());
        let secured = server.is_some_and(|server| server.tls);
        let Some(mut location) = location.cloned() else {
            let default = ("upstream-default-backend", "", "127.0.0.1:8181");
            return self.answer(sys, &incoming, tls, (404, default), Duration::ZERO);
        };
        let upstream = location.upstream.clone();
        let peer = incoming.peer.ip();
        if !location.allowed.is_empty() && !location.allowed.iter().any(|net| net.contains(&peer)) {
            return self.answer(sys, &incoming, tls, (403, (&upstream, "", "-")), Duration::ZERO);
        }
        let moved = redirection(&location, incoming.request.path()).or_else(|| {
            let secures = !tls && (location.forces || secured && location.redirects);
            secures.then(|| (308, format!("https://{name}{}", incoming.request.target)))
        });
        if let Some((status, to)) = moved {
            let response = page(status).with("Location", to);
            let upstream = (&*upstream, "", "-");
            return self.finish(sys, &incoming, tls, &response, upstream, Duration::ZERO);
        }
        if location.body_max > 0 && incoming.request.body.len() as u64 > location.body_max {
            return self.answer(sys, &incoming, tls, (413, (&upstream, "", "-")), Duration::ZERO);
        }
        let canary = location.canary.take().filter(|canary| {
            let headers = &incoming.request.headers;
            !canary.endpoints.is_empty() && canary.takes(headers, |total| sys.rng().below(total))
        });
        if let Some(canary) = canary {
            location.endpoints = canary.endpoints.clone();
            location.canary = Some(canary);
        }
        if location.endpoints.is_empty() {
            return self.answer(sys, &incoming, tls, (503, (&upstream, "", "-")), Duration::ZERO);
        }
        self.depart(sys, incoming, tls, location);
    }

    /// Sends a request on to an endpoint.
    fn depart(&mut self, sys: &mut dyn Sys, incoming: Incoming, tls: bool, location: Location) {
        let (endpoint, cookie) = self.choose(sys, &incoming, &location);
        let host = incoming.request.headers.get("host").unwrap_or_default().to_owned();
        let url = format!("http://{host}{}", target(&incoming, &location));
        let mut incoming = incoming;
        forwarded(&mut incoming, &host, tls, &request_id(sys));
        let started = sys.now();
        let groups = BTreeMap::from([(host, vec![endpoint.clone()])]);
        let exchange = Exchange::begin(sys, &url, &incoming, &groups);
        let tried = vec![endpoint];
        self.flights.push(Flight {
            incoming,
            tls,
            exchange,
            started,
            location,
            tried,
            cookie,
            url,
        });
    }

    /// The endpoint whose turn it is, or that a cookie names; and the cookie to be set.
    fn choose(
        &mut self,
        sys: &mut dyn Sys,
        incoming: &Incoming,
        location: &Location,
    ) -> (String, Option<String>) {
        let endpoints = &location.endpoints;
        let count = endpoints.len().max(1);
        let at = |place: usize| endpoints.get(place % count).cloned().unwrap_or_default();
        if let Some(cookie) = &location.cookie {
            let sent = incoming.request.headers.get("cookie").unwrap_or_default();
            let mut pairs = sent.split(';').filter_map(|pair| pair.trim().split_once('='));
            if let Some((_, value)) = pairs.find(|(own, _)| *own == cookie.name) {
                return (at(place_of(value)), None);
            }
            let now = sys.now().unix_micros();
            let drawn = sys.rng().below(1_000_000);
            let (seconds, millis) = (now / 1_000_000, now / 1_000 % 1_000);
            let value = format!("{seconds}.{millis:03}.31.{drawn}|{}", request_id(sys));
            return (at(place_of(&value)), Some(value));
        }
        let upstream = location.canary.as_ref().map_or(&location.upstream, |it| &it.upstream);
        let turn = self.turns.entry(upstream.clone()).or_default();
        let place = *turn;
        *turn = turn.wrapping_add(1);
        (at(place), None)
    }

    /// Looks which endpoints have answered. One that cannot be reached is replaced by the next.
    fn go_on(&mut self, sys: &mut dyn Sys) {
        for mut flight in std::mem::take(&mut self.flights) {
            match flight.exchange.go_on(sys) {
                None => self.flights.push(flight),
                Some(Outcome::Answer(response)) => self.arrive(sys, flight, response),
                Some(Outcome::Failed { status, .. }) => {
                    let endpoints = &flight.location.endpoints;
                    let next = endpoints.iter().find(|it| !flight.tried.contains(it)).cloned();
                    match next.filter(|_| flight.tried.len() < TRIES_MAX) {
                        Some(endpoint) => {
                            let host = flight.incoming.request.headers.get("host");
                            let host = host.unwrap_or_default().to_owned();
                            let groups = BTreeMap::from([(host, vec![endpoint.clone()])]);
                            flight.exchange =
                                Exchange::begin(sys, &flight.url, &flight.incoming, &groups);
                            flight.tried.push(endpoint);
                            self.flights.push(flight);
                        }
                        None => self.arrive(sys, flight, page(status)),
                    }
                }
            }
        }
    }

    fn arrive(&mut self, sys: &mut dyn Sys, flight: Flight, mut response: Response) {
        for name in ["Connection", "Date", "Transfer-Encoding", "Server"] {
            response.headers.remove(name);
        }
        if let (Some(cookie), Some(value)) = (&flight.location.cookie, &flight.cookie) {
            response.headers.add("Set-Cookie", cookie.header(value, flight.tls, sys.now()));
        }
        let took = sys.now().since(flight.started);
        let address = flight.tried.join(", ");
        let canary = flight.location.canary.as_ref().map_or("", |canary| &canary.upstream);
        let upstream = (flight.location.upstream.as_str(), canary, address.as_str());
        self.finish(sys, &flight.incoming, flight.tls, &response, upstream, took);
    }

    fn answer(
        &mut self,
        sys: &mut dyn Sys,
        incoming: &Incoming,
        tls: bool,
        (status, upstream): (u16, Upstream<'_>),
        took: Duration,
    ) {
        self.finish(sys, incoming, tls, &page(status), upstream, took);
    }

    /// Gives the answer and writes it down.
    fn finish(
        &mut self,
        sys: &mut dyn Sys,
        incoming: &Incoming,
        tls: bool,
        response: &Response,
        upstream: Upstream<'_>,
        took: Duration,
    ) {
        let mut response = response.clone();
        // In nginx' order.
        let mut headers = Headers::new();
        headers.add("Date", clock::format(sys.now(), clock::HTTP_DATE));
        response.headers.iter().for_each(|(name, value)| headers.add(name, value));
        if headers.get("Content-Length").is_none() {
            headers.add("Content-Length", response.body.len().to_string());
        }
        let keeps = incoming.request.keep_alive();
        headers.add("Connection", if keeps { "keep-alive" } else { "close" });
        response.headers = headers;
        if tls {
            let hsts = "max-age=31536000; includeSubDomains";
            response.headers.set("Strict-Transport-Security", hsts);
        }
        let id = match incoming.request.headers.get("x-request-id") {
            Some(id) => id.to_owned(),
            None => request_id(sys),
        };
        let line = log_line(sys.now(), incoming, &response, upstream, took, &id);
        // What nobody reads is lost.
        let _ = sys.write(1, line.as_bytes());
        let server = if tls { &mut self.secured } else { &mut self.clear };
        server.respond(incoming, &response);
    }
}

/// `10.0.0.1 - - [02/Jun/2025:00:00:00 +0000] "GET / HTTP/1.1" 200 615 "-" "curl/8.5.0" …`
fn log_line(
    now: Time,
    incoming: &Incoming,
    response: &Response,
    (upstream, alternative, address): Upstream<'_>,
    took: Duration,
    id: &str,
) -> String {
    let request = &incoming.request;
    let header = |name: &str| request.headers.get(name).unwrap_or("-").to_owned();
    let time = clock::format(now, clock::COMMON_LOG);
    let (status, sent) = (response.status, response.body.len());
    let seconds = format!("{}.{:03}", took.as_secs(), took.subsec_millis());
    let behind = match address {
        "-" => "- - - -".to_owned(),
        address => format!("{address} {sent} {seconds} {status}"),
    };
    // As it came: without what was added for the endpoint.
    let mut bare = request.clone();
    FORWARDED.iter().for_each(|name| bare.headers.remove(name));
    let length = bare.to_bytes().len();
    format!(
        "{} - - [{time}] \"{} {} HTTP/1.1\" {status} {sent} \"{}\" \"{}\" {length} {seconds} \
         [{upstream}] [{alternative}] {behind} {id}\n",
        incoming.peer.ip(),
        request.method,
        request.target,
        header("referer"),
        header("user-agent"),
    )
}

/// Where a request is sent instead of to an endpoint.
fn redirection(location: &Location, path: &str) -> Option<(u16, String)> {
    let root = location.root.clone().filter(|_| path == "/").map(|to| (302, to));
    location.elsewhere.clone().or(root)
}

/// The path that the endpoint is asked for.
fn target(incoming: &Incoming, location: &Location) -> String {
    let request = &incoming.request;
    let (Some(rewrite), Path::Regex(regex)) = (&location.rewrite, &location.path) else {
        return request.target.clone();
    };
    let Some(found) = regex.captures(request.path()) else { return request.target.clone() };
    let mut path = String::new();
    let mut chars = rewrite.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek().and_then(|next| next.to_digit(10))) {
            ('$', Some(number)) => {
                chars.next();
                path += found.get(number as usize).map_or("", |group| group.as_str());
            }
            (c, _) => path.push(c),
        }
    }
    if !path.starts_with('/') {
        path.insert(0, '/');
    }
    match request.query() {
        "" => path,
        query => format!("{path}?{query}"),
    }
}

/// What is added for the endpoint.
const FORWARDED: [&str; 8] = [
    "X-Request-ID",
    "X-Real-IP",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Proto",
    "X-Forwarded-Scheme",
    "X-Scheme",
];

/// Tells the endpoint who asks, and by which way.
fn forwarded(incoming: &mut Incoming, host: &str, tls: bool, id: &str) {
    let peer = incoming.peer.ip().to_string();
    let (scheme, port) = if tls { ("https", "443") } else { ("http", "80") };
    let values = [id, &peer, &peer, host, port, scheme, scheme, scheme];
    for (name, value) in FORWARDED.into_iter().zip(values) {
        incoming.request.headers.set(name, value);
    }
}

fn request_id(sys: &mut dyn Sys) -> String {
    let (high, low) = (sys.rng().next_u64(), sys.rng().next_u64());
    format!("{high:016x}{low:016x}")
}

fn place_of(cookie: &str) -> usize {
    cookie.bytes().fold(5_381_usize, |sum, byte| sum.wrapping_mul(33) ^ usize::from(byte))
}

/// Upstream: `GetFakeSSLCert` in `internal/net/ssl/ssl.go`.
fn fake(now: Time, rng: &mut Rng) -> Result<Identity, PkiError> {
    let name = "Kubernetes Ingress Controller Fake Certificate";
    let validity = Validity::starting(now, YEAR);
    let authority = Authority::new(name, PrivateKey::generate(rng), validity, rng)?;
    let key = PrivateKey::generate(rng);
    let template = Template {
        subject: Subject::new(name, &["Acme Co"]),
        dns_names: &["ingress.local"],
        usages: &[ExtendedUsage::ServerAuth],
        ..Template::default()
    };
    let certificate = authority.issue(&template, &key, validity, rng)?;
    Ok(Identity { chain: vec![certificate], key })
}
