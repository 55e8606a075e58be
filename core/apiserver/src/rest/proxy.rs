//! The subresource `proxy` of pods, services and nodes: an HTTP request that is passed on.
//!
//! Upstream: `pkg/registry/core/{pod,service,node}/rest`, `ResourceLocation` in
//! `pkg/registry/core/{pod,node}/strategy.go` and `pkg/registry/core/service/storage/storage.go`,
//! `apimachinery/pkg/util/proxy`.

use crate::ApiServer;
use crate::rest::error_response;
use crate::rest::exchange::Exchange;
use crate::rest::http::{Answer, Head, HttpRequest, HttpResponse};
use naru_api::gofmt::quote;
use naru_api::k8s_openapi::api::core::v1::{
    EndpointAddress, EndpointSubset, Endpoints, Node, Pod, Service,
};
use naru_api::service::{Backend, Connect, ConnectRequest, HttpCall, Stream};
use naru_api::{ApiError, KindRef, Kube, status::ApiResult};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

/// What can be passed on.
pub(crate) const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
/// Where a kubelet listens that does not say otherwise.
const KUBELET_PORT: u16 = 10_250;
/// Headers that are of one connection only (RFC 9110, section 7.6.1), and the client's credential,
/// which is for the API server alone.
const NOT_PASSED_ON: [&str; 9] = [
    "connection",
    "proxy-connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "authorization",
    "content-length",
];

impl ApiServer {
    /// Passes a request on.
    pub(crate) fn rest_proxy(&mut self, x: &Exchange<'_>, kind: &KindRef) -> ApiResult<Answer> {
        self.authorize_info(x)?;
        let name = format!("{}/proxy", x.info.name);
        let cause = self.record_path((&x.agent, &x.user), kind, &x.info.namespace, &name);
        let (node, to) = match &*kind.plural {
            "pods" => (self.host_node().to_owned(), Some(self.pod_backend(x)?)),
            "services" => (self.host_node().to_owned(), Some(self.service_backend(x)?)),
            _ => self.node_backend(&x.info.name)?,
        };
        let slash = x.info.path.ends_with('/');
        if x.info.rest.is_empty() && !slash && matches!(x.http.method.as_str(), "GET" | "HEAD") {
            return Ok(Answer::Full(to_directory(x.http)));
        }
        let mut path = format!("/{}", escape(&x.info.rest));
        if slash && !path.ends_with('/') {
            path.push('/');
        }
        let full = escape(&x.info.path);
        let prefix = full.strip_suffix(&path).unwrap_or(&full).to_owned();
        let request = passed_on(x.http, path, to);
        let call = Box::new(HttpCall { to, request, prefix });
        let id = self.open_stream(
            &node,
            ConnectRequest {
                user: x.user.clone(),
                agent: x.agent.clone(),
                cause,
                namespace: x.info.namespace.clone(),
                pod: x.info.name.clone(),
                container: String::new(),
                connect: Connect::Http(call),
            },
        )?;
        Ok(Answer::Proxied(Head { status: 200, headers: Vec::new() }, id))
    }

    /// The first port of a pod, or the one that is asked for.
    fn pod_backend(&self, x: &Exchange<'_>) -> ApiResult<Backend> {
        let id = &x.info.name;
        let Some(Wanted { tls, name, port }) = Wanted::parse(id) else {
            return Err(ApiError::bad_request(format!("invalid pod request {}", quote(id))));
        };
        let found = self.find(&Pod::kind(), &x.info.namespace, name)?;
        let pod = found.get::<Pod>().cloned().unwrap_or_default();
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        let mut declared = containers.filter_map(|container| container.ports.as_ref()?.first());
        let port = match port {
            "" => declared.next().map(|port| port.container_port.to_string()).unwrap_or_default(),
            port => port.to_owned(),
        };
        let ips = pod.status.and_then(|status| status.pod_ips).unwrap_or_default();
        let ip: Option<IpAddr> = ips.first().and_then(|ip| ip.ip.parse().ok());
        let ip = ip.filter(is_global_unicast);
        let ip = ip.ok_or_else(|| ApiError::bad_request("address not allowed"))?;
        Ok(Backend { address: SocketAddr::new(ip, number(&port, tls, ip)?), tls })
    }

    /// One of the pods behind a service.
    fn service_backend(&mut self, x: &Exchange<'_>) -> ApiResult<Backend> {
        let id = &x.info.name;
        let Some(Wanted { tls, name, port }) = Wanted::parse(id) else {
            return Err(ApiError::bad_request(format!("invalid service request {}", quote(id))));
        };
        let mut port = port.to_owned();
        if let Ok(wanted) = port.parse::<i64>() {
            let found = self.find(&Service::kind(), &x.info.namespace, name)?;
            let spec = found.get::<Service>().and_then(|service| service.spec.clone());
            let ports = spec.and_then(|spec| spec.ports).unwrap_or_default();
            let Some(declared) = ports.into_iter().find(|p| i64::from(p.port) == wanted) else {
                return Err(unavailable(format!(
                    "no service port {wanted} found for service {}",
                    quote(name)
                )));
            };
            port = declared.name.unwrap_or_default();
        }
        let found = self.find(&Endpoints::kind(), &x.info.namespace, name)?;
        let subsets = found.get::<Endpoints>().and_then(|found| found.subsets.clone());
        let subsets = subsets.unwrap_or_default();
        if subsets.is_empty() {
            let message = format!("no endpoints available for service {}", quote(name));
            return Err(unavailable(message));
        }
        let seed = self.rng_of_rest().below(u64::from(u32::MAX));
        let address =
            pick(&subsets, &port, seed, |address| self.is_of_pod(&x.info.namespace, address));
        let none = || unavailable(format!("no endpoints available for service {}", quote(id)));
        Ok(Backend { address: address.ok_or_else(none)?, tls })
    }

    /// Whether an address of endpoints is that of a pod: nothing else is asked.
    ///
    /// Upstream: `isValidAddress`.
    fn is_of_pod(&self, namespace: &str, address: &EndpointAddress) -> bool {
        let Some(target) = &address.target_ref else { return false };
        if target.namespace.as_deref() != Some(namespace) {
            return false;
        }
        let name = target.name.as_deref().unwrap_or_default();
        let Ok(found) = self.find(&Pod::kind(), namespace, name) else { return false };
        let status = found.get::<Pod>().and_then(|pod| pod.status.as_ref());
        let mut ips = status.into_iter().flat_map(|status| status.pod_ips.iter().flatten());
        ips.any(|ip| ip.ip == address.ip)
    }

    /// The kubelet of a node, or another port of it.
    fn node_backend(&self, id: &str) -> ApiResult<(String, Option<Backend>)> {
        let Some(Wanted { tls, name, port }) = Wanted::parse(id) else {
            return Err(ApiError::bad_request(format!("invalid node request {}", quote(id))));
        };
        let found = self.find(&Node::kind(), "", name)?;
        let status = found.get::<Node>().and_then(|node| node.status.clone()).unwrap_or_default();
        let addresses = status.addresses.unwrap_or_default();
        let internal = addresses.iter().find(|address| address.type_ == "InternalIP");
        let Some(ip) = internal.and_then(|address| address.address.parse().ok()) else {
            return Err(ApiError::internal("no preferred addresses found; known addresses: []"));
        };
        let endpoint = status.daemon_endpoints.and_then(|all| all.kubelet_endpoint);
        let kubelet = endpoint.and_then(|endpoint| u16::try_from(endpoint.port).ok());
        let kubelet = kubelet.filter(|port| *port > 0).unwrap_or(KUBELET_PORT);
        if port.is_empty() || port == kubelet.to_string() {
            return Ok((name.to_owned(), None));
        }
        let address = SocketAddr::new(ip, number(port, tls, ip)?);
        Ok((self.host_node().to_owned(), Some(Backend { address, tls })))
    }
}

/// The answer of an [`Answer::Proxied`] whose stream has ended, with the headers of `ours`; `None`
/// before that.
pub fn proxied(ours: &Head, stream: &mut Stream) -> Option<HttpResponse> {
    if let Err(error) = stream.result.as_ref()? {
        let mut response = error_response(error);
        response.head.headers.extend(ours.headers.iter().cloned());
        return Some(response);
    }
    let mut head = ours.clone();
    let theirs = stream.head.take()?;
    head.status = theirs.status;
    head.headers.extend(theirs.headers);
    Some(HttpResponse { head, body: stream.stdout.drain(..).collect() })
}

/// `name`, `name:port` or `scheme:name:port`.
///
/// Upstream: `SplitSchemeNamePort` in `apimachinery/pkg/util/net/port_split.go`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wanted<'a> {
    tls: bool,
    name: &'a str,
    port: &'a str,
}

impl<'a> Wanted<'a> {
    fn parse(id: &'a str) -> Option<Self> {
        let parts: Vec<&str> = id.split(':').collect();
        let (scheme, name, port) = match parts.as_slice() {
            [name] => ("", *name, ""),
            [name, port] => ("", *name, *port),
            [scheme, name, port] => (*scheme, *name, *port),
            _ => return None,
        };
        let known = matches!(scheme, "" | "http" | "https");
        (known && !name.is_empty()).then_some(Wanted { tls: scheme == "https", name, port })
    }
}

/// An address that has the port, beginning at a random one.
fn pick(
    subsets: &[EndpointSubset],
    port: &str,
    seed: u64,
    mut good: impl FnMut(&EndpointAddress) -> bool,
) -> Option<SocketAddr> {
    let seed = usize::try_from(seed).unwrap_or_default();
    for index in 0..subsets.len() {
        let subset = subsets.get((seed + index) % subsets.len())?;
        let addresses = subset.addresses.as_deref().unwrap_or_default();
        let named = subset.ports.iter().flatten();
        for found in named.filter(|one| one.name.as_deref().unwrap_or_default() == port) {
            for index in 0..addresses.len() {
                let address = addresses.get((seed + index) % addresses.len())?;
                if let (Ok(ip), Ok(port)) = (address.ip.parse(), u16::try_from(found.port))
                    && good(address)
                {
                    return Some(SocketAddr::new(ip, port));
                }
            }
        }
    }
    None
}

fn unavailable(message: String) -> ApiError {
    ApiError::new(503, "ServiceUnavailable", message)
}

fn is_global_unicast(ip: &IpAddr) -> bool {
    let link_local = matches!(ip, IpAddr::V4(ip) if ip.is_link_local() || ip.is_broadcast());
    !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast() && !link_local
}

/// A port's number; without one, that of the scheme.
fn number(port: &str, tls: bool, ip: IpAddr) -> ApiResult<u16> {
    if port.is_empty() {
        return Ok(if tls { 443 } else { 80 });
    }
    port.parse().map_err(|_| {
        unavailable(format!(
            "error trying to reach service: dial tcp: lookup tcp/{port}: unknown port for {ip}"
        ))
    })
}

/// A path without anything after `proxy` is that of a directory.
///
/// Upstream: `proxyRedirectsforRootPath`.
fn to_directory(request: &HttpRequest) -> HttpResponse {
    let query = match request.query.as_str() {
        "" => String::new(),
        query => format!("?{query}"),
    };
    let head = Head { status: 301, headers: Vec::new() };
    let location = format!("{}/{query}", request.path);
    HttpResponse { head: head.with("Location", location), body: Vec::new() }
}

/// The request as the backend gets it.
fn passed_on(request: &HttpRequest, path: String, to: Option<Backend>) -> HttpRequest {
    let passed = |(name, _): &&(String, String)| {
        !NOT_PASSED_ON.contains(&name.as_str()) && !name.starts_with("impersonate-")
    };
    let mut headers: Vec<(String, String)> =
        request.headers.iter().filter(passed).cloned().collect();
    let host = match request.header("host") {
        "" => to.map(|to| to.address.to_string()).unwrap_or_default(),
        host => host.to_owned(),
    };
    let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
    if request.header("host").is_empty() {
        add("host", host.clone());
    }
    add("x-forwarded-host", host);
    add("x-forwarded-proto", "https".to_owned());
    add("x-forwarded-uri", request.path.clone());
    HttpRequest {
        method: request.method.clone(),
        path,
        query: request.query.clone(),
        headers,
        body: request.body.clone(),
        certificate: Vec::new(),
    }
}

/// Writes a path as it stands in a request line.
fn escape(path: &str) -> String {
    path.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/:@!$&'()*+,;=".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_names_and_ports() {
        let wanted = |tls, name, port| Some(Wanted { tls, name, port });
        let table = [
            ("web", wanted(false, "web", "")),
            ("web:80", wanted(false, "web", "80")),
            ("web:http", wanted(false, "web", "http")),
            ("https:web:443", wanted(true, "web", "443")),
            ("https:web:", wanted(true, "web", "")),
            (":web:", wanted(false, "web", "")),
            ("ftp:web:21", None),
            (":80", None),
            ("a:b:c:d", None),
        ];
        for (id, want) in table {
            assert_eq!(Wanted::parse(id), want, "{id}");
        }
    }

    #[test]
    fn paths_are_escaped_again() {
        assert_eq!(escape("/a b/ü?"), "/a%20b/%C3%BC%3F");
    }
}
