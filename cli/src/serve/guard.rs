//! Who may speak to the server: against pages of other sites and names that point here.

use hyper::Request;
use hyper::header;
use naru_apiserver::rest::HttpResponse;
use std::net::IpAddr;

/// The names by which the server may be called.
///
/// A page of another site can have its own name resolve to this machine (DNS rebinding); then the
/// `Host` header tells. Addresses cannot be rebound, so all of them are allowed.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Beside addresses, `localhost` and the names that pods know the API server by.
    pub extra: Vec<String>,
}

impl Names {
    /// Refuses requests to other names, and requests by pages of other origins.
    pub fn check<B>(&self, request: &Request<B>) -> Result<(), HttpResponse> {
        let forbidden =
            |what: &str| Err(HttpResponse::text(403, &format!("403 forbidden: {what}")));
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let authority = request.uri().authority().map(|authority| authority.as_str());
        let Some(host) = header(header::HOST).or(authority) else {
            return forbidden("no Host header");
        };
        if !self.knows(host) {
            return forbidden("unknown Host; see --host-name");
        }
        if let Some(origin) = header(header::ORIGIN) {
            let of = origin.split_once("://").map_or(origin, |(_, host)| host);
            if !of.eq_ignore_ascii_case(host) {
                return forbidden("the page is of another origin");
            }
        }
        Ok(())
    }

    fn knows(&self, host: &str) -> bool {
        let name = without_port(host);
        let name = name.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        name.parse::<IpAddr>().is_ok()
            || name == "localhost"
            || name.ends_with(".localhost")
            || self.extra.contains(&name)
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, origin: Option<&str>) -> bool {
        let mut request = Request::builder().header("host", host);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        Names::default().check(&request.body(()).unwrap()).is_ok()
    }

    #[test]
    fn names_that_can_be_rebound_are_refused() {
        assert!(check("127.0.0.1:6443", None));
        assert!(check("[::1]:6443", None));
        assert!(check("localhost:6443", None));
        assert!(!check("evil.example:6443", None));
        assert!(!check("127.0.0.1.evil.example", None));
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        assert!(check("localhost:6443", Some("http://localhost:6443")));
        assert!(!check("localhost:6443", Some("http://localhost:8080")));
        assert!(!check("localhost:6443", Some("null")));
    }
}
