//! What nginx passes on to other servers.
//!
//! Upstream: `src/http/modules/ngx_http_proxy_module.c`, `src/http/ngx_http_upstream.c`.

use super::conf::Config;
use super::request::{Handled, Way};
use super::{Nginx, pages};
use naru_network::http::{Request, Response, Version};
use naru_shell::Sys;
use naru_shell::serve::{Exchange, Incoming, Outcome};
use naru_sim::Time;
use std::time::Duration;

/// `proxy_read_timeout` where nothing is said, in seconds.
const TIMEOUT: u64 = 60;

/// A request that another server has.
#[derive(Clone, Debug)]
pub struct Passing {
    port: u16,
    incoming: Incoming,
    handled: Handled,
    exchange: Exchange,
    request: Request,
    /// The group, and which of its servers were tried, the last being asked now.
    group: String,
    tried: Vec<usize>,
    /// The start of what is passed on, and of the location.
    target: String,
    path: String,
}

impl Passing {
    /// When it goes on by itself.
    pub fn next_due(&self) -> Time {
        self.exchange.next_due()
    }
}

/// Scheme, authority and path of what is passed on; a target with a path of its own replaces the
/// location's.
fn passed(target: &str, location: &str, request: &str) -> (String, String, String) {
    let (scheme, rest) = target.split_once("://").unwrap_or(("http", target));
    match rest.find('/') {
        None => (scheme.to_owned(), rest.to_owned(), request.to_owned()),
        Some(at) => {
            let (host, path) = rest.split_at(at);
            let tail = request.strip_prefix(location).unwrap_or_default();
            (scheme.to_owned(), host.to_owned(), format!("{path}{tail}"))
        }
    }
}

impl Nginx {
    pub(super) fn pass(
        &mut self,
        sys: &mut dyn Sys,
        config: &Config,
        port: u16,
        incoming: Incoming,
        mut handled: Handled,
        target: &str,
    ) {
        let variable = target.contains('$');
        let target = handled.scope.fill(target);
        let asked = match handled.rewritten {
            true => handled.scope.fill("$uri$is_args$args"),
            false => incoming.request.target.clone(),
        };
        let location = match handled.location.1.as_str() {
            "" | "=" | "^~" => handled.location.0.clone(),
            _ => String::new(),
        };
        let (scheme, authority, path) = match variable && target.matches('/').count() > 2 {
            // A target of variables is taken as it is.
            true => passed(&target, "", ""),
            false => passed(&target, &location, &asked),
        };
        let (host, number) = authority.rsplit_once(':').unwrap_or((&authority, "80"));
        handled.scope.set("proxy_host", authority.clone());
        handled.scope.set("proxy_port", number.to_owned());
        let request = self.asked(&incoming, &handled, &authority, &path);
        let needs = !self.groups.contains_key(&authority);
        if needs && host.parse::<std::net::IpAddr>().is_err() && !config.resolves {
            let why = format!("no resolver defined to resolve {host}");
            self.trouble(sys, &why, &incoming, port, config);
            let page = pages::error(502, &self.signature(&handled.actions));
            self.own_error(sys, config, port, incoming, &handled, page);
            return;
        }
        let url = format!("{scheme}://{authority}{path}");
        let seconds = handled.actions.read_timeout.unwrap_or(TIMEOUT).max(1);
        let timeout = Duration::from_secs(seconds);
        let client = incoming.peer.ip();
        let now = sys.now();
        let (address, tried) = match self.groups.get_mut(&authority) {
            None => (authority.clone(), Vec::new()),
            Some(group) => match group.choose(client, &[], now) {
                Some(at) => {
                    let address = group.peers.get(at).map(|peer| peer.address.clone());
                    (address.unwrap_or_default(), vec![at])
                }
                None => {
                    let why = format!(
                        "no live upstreams while connecting to upstream, upstream: \"{url}\""
                    );
                    self.trouble(sys, &why, &incoming, port, config);
                    let page = pages::error(502, &self.signature(&handled.actions));
                    self.own_error(sys, config, port, incoming, &handled, page);
                    return;
                }
            },
        };
        let shown = format!("{scheme}://{address}{path}");
        handled.scope.set("upstream_addr", address.clone());
        let exchange = Exchange::with(sys, &shown, &address, &request, timeout);
        self.passing.push(Passing {
            port,
            incoming,
            handled,
            exchange,
            request,
            group: authority,
            tried,
            target,
            path,
        });
    }

    /// The request as it is passed on.
    fn asked(
        &self,
        incoming: &Incoming,
        handled: &Handled,
        authority: &str,
        path: &str,
    ) -> Request {
        let mut request = Request { target: path.to_owned(), ..incoming.request.clone() };
        request.version = match handled.actions.proxy_http11 {
            true => Version::Http11,
            false => Version::Http10,
        };
        request.headers.set("Host", authority);
        request.headers.set("Connection", "close");
        for name in ["Keep-Alive", "Upgrade", "Expect", "Transfer-Encoding"] {
            request.headers.remove(name);
        }
        for (name, value) in &handled.actions.proxy_headers {
            let value = handled.scope.fill(value);
            match value.is_empty() {
                true => request.headers.remove(name),
                false => request.headers.set(name, value),
            }
        }
        request.headers.set("Connection", "close");
        request
    }

    /// Tells whether an answer came.
    pub(super) fn go_on_passing(&mut self, sys: &mut dyn Sys, config: &Config) -> bool {
        let mut any = false;
        for mut passing in std::mem::take(&mut self.passing) {
            let Some(outcome) = passing.exchange.go_on(sys) else {
                self.passing.push(passing);
                continue;
            };
            any = true;
            let now = sys.now();
            let failed = matches!(outcome, Outcome::Failed { .. });
            if let (Some(group), Some(at)) =
                (self.groups.get_mut(&passing.group), passing.tried.last())
            {
                group.ended(*at, failed, now);
            }
            match outcome {
                Outcome::Answer(response) => self.passed_back(sys, config, passing, response),
                Outcome::Failed { status, why } => {
                    self.failed(sys, config, passing, status, &why);
                }
            }
        }
        any
    }

    fn passed_back(
        &mut self,
        sys: &mut dyn Sys,
        config: &Config,
        passing: Passing,
        mut response: Response,
    ) {
        let Passing { port, incoming, handled, target, .. } = passing;
        // An address of the other server becomes one of this.
        let moved = response.headers.get("Location").and_then(|to| {
            let rest = to.strip_prefix(&target)?;
            let location = if handled.location.0.is_empty() { "/" } else { &handled.location.0 };
            let slash = if location.ends_with('/') { rest.trim_start_matches('/') } else { rest };
            let host = handled.scope.fill("$http_host");
            Some(format!("{}://{host}{location}{slash}", handled.scope.fill("$scheme")))
        });
        if let Some(to) = moved {
            response.headers.set("Location", to);
        }
        if handled.actions.intercepts && response.status >= 300 {
            self.own_error(sys, config, port, incoming, &handled, response);
            return;
        }
        self.respond(sys, config, port, &incoming, &handled, response);
    }

    /// Asks the next server of the group; the last failure is the client's.
    fn failed(
        &mut self,
        sys: &mut dyn Sys,
        config: &Config,
        mut passing: Passing,
        status: u16,
        why: &str,
    ) {
        self.trouble(sys, why, &passing.incoming, passing.port, config);
        let client = passing.incoming.peer.ip();
        let now = sys.now();
        let next = self.groups.get_mut(&passing.group).and_then(|group| {
            let at = group.choose(client, &passing.tried, now)?;
            Some((at, group.peers.get(at)?.address.clone()))
        });
        // What changes something is not sent twice.
        let safe = passing.incoming.request.method != "POST" || why.contains("connect()");
        if let Some((at, address)) = next.filter(|_| safe) {
            let scheme = passing.target.split_once("://").map_or("http", |(scheme, _)| scheme);
            let shown = format!("{scheme}://{address}{}", passing.path);
            let seconds = passing.handled.actions.read_timeout.unwrap_or(TIMEOUT).max(1);
            passing.tried.push(at);
            passing.handled.scope.set("upstream_addr", address.clone());
            passing.exchange = Exchange::with(
                sys,
                &shown,
                &address,
                &passing.request,
                Duration::from_secs(seconds),
            );
            self.passing.push(passing);
            return;
        }
        let Passing { port, incoming, handled, .. } = passing;
        let page = pages::error(status, &self.signature(&handled.actions));
        self.own_error(sys, config, port, incoming, &handled, page);
    }

    /// Answers with a status of this server: by the page that the location has for it, if it has one.
    fn own_error(
        &mut self,
        sys: &mut dyn Sys,
        config: &Config,
        port: u16,
        incoming: Incoming,
        handled: &Handled,
        response: Response,
    ) {
        let name = incoming.request.headers.get("Host").unwrap_or_default();
        let page = config.server(port, name).and_then(|server| {
            let scope = handled.scope.clone();
            let way = Way::new(self, config, server, port, &incoming, scope);
            way.error_page(sys, &handled.actions, response.status)
        });
        match page {
            Some(handled) => self.finish(sys, config, port, incoming, handled),
            None => self.respond(sys, config, port, &incoming, handled, response),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let table = [
            ("http://a:8080", "/", "/x?y", ("a:8080", "/x?y")),
            ("http://a/", "/api/", "/api/x", ("a", "/x")),
            ("http://a/b/", "/api/", "/api/x", ("a", "/b/x")),
        ];
        for (target, location, request, (authority, path)) in table {
            let (_, to, on) = passed(target, location, request);
            assert_eq!((to.as_str(), on.as_str()), (authority, path));
        }
    }
}
