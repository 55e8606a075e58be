//! The endpoints of a service port, and which of them this node uses.
//!
//! Upstream: `pkg/proxy/endpointslicecache.go`, `pkg/proxy/topology.go`.

use super::service_port::ServicePort;
use k8s_openapi::api::discovery::v1::{Endpoint as ApiEndpoint, EndpointSlice};
use std::collections::BTreeMap;

/// One address and port behind a service port.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// The address.
    pub ip: String,
    /// `10.244.1.2:8080`
    pub name: String,
    /// It takes new connections.
    pub ready: bool,
    /// It answers, whether or not it is going away.
    pub serving: bool,
    /// It is going away.
    pub terminating: bool,
    /// It is on this node.
    pub local: bool,
    /// The zones that should use it; empty without hints.
    pub zones: Vec<String>,
}

/// The endpoints of a service port in all its slices, in order of their names.
pub fn of(port: &ServicePort, slices: &[&EndpointSlice], node: &str) -> Vec<Endpoint> {
    let family = if port.cluster_ip.is_ipv4() { "IPv4" } else { "IPv6" };
    let mut found: BTreeMap<String, Endpoint> = BTreeMap::new();
    for slice in slices.iter().filter(|slice| slice.address_type == family) {
        for number in port_numbers(slice, port) {
            for endpoint in slice.endpoints.iter().filter_map(|e| endpoint(e, number, node)) {
                // An address that two slices tell of, while one takes over from the other.
                if found.get(&endpoint.name).is_none_or(|other| !other.ready) {
                    found.insert(endpoint.name.clone(), endpoint);
                }
            }
        }
    }
    found.into_values().collect()
}

/// The port numbers that a slice gives for the service port.
fn port_numbers(slice: &EndpointSlice, port: &ServicePort) -> Vec<i32> {
    let ports = slice.ports.iter().flatten().filter(|p| {
        p.name.as_deref().unwrap_or_default() == port.port_name
            && p.protocol.as_deref().unwrap_or("TCP").eq_ignore_ascii_case(&port.protocol)
    });
    ports.filter_map(|p| p.port).collect()
}

fn endpoint(endpoint: &ApiEndpoint, port: i32, node: &str) -> Option<Endpoint> {
    let ip = endpoint.addresses.first()?.clone();
    let name = if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") };
    let conditions = endpoint.conditions.clone().unwrap_or_default();
    let hints = endpoint.hints.as_ref().and_then(|hints| hints.for_zones.as_ref());
    Some(Endpoint {
        ip,
        name,
        ready: conditions.ready.unwrap_or(true),
        serving: conditions.serving.unwrap_or(true),
        terminating: conditions.terminating.unwrap_or(false),
        local: endpoint.node_name.as_deref() == Some(node),
        zones: hints.into_iter().flatten().map(|zone| zone.name.clone()).collect(),
    })
}

/// Which endpoints this node uses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// For traffic policy `Cluster`.
    pub cluster: Vec<Endpoint>,
    /// For traffic policy `Local`.
    pub local: Vec<Endpoint>,
    /// Those of either.
    pub reachable: Vec<Endpoint>,
    /// Whether there are usable endpoints on any node.
    pub any: bool,
}

/// Chooses the endpoints. Where none is ready, those that go away and still answer are used.
pub fn choose(all: &[Endpoint], port: &ServicePort, zone: Option<&str>) -> Choice {
    let pick = |fits: &dyn Fn(&Endpoint) -> bool| -> Vec<Endpoint> {
        all.iter().filter(|endpoint| fits(endpoint)).cloned().collect()
    };
    let or_leaving =
        |ready: Vec<Endpoint>, scope: &dyn Fn(&Endpoint) -> bool| match ready.is_empty() {
            true => pick(&|e| scope(e) && e.serving && e.terminating),
            false => ready,
        };
    let zone = zone.filter(|zone| hints_hold(all, zone));
    let in_zone = |e: &Endpoint| zone.is_none_or(|zone| e.zones.iter().any(|z| z == zone));
    let mut choice = Choice::default();
    if port.uses_cluster_endpoints() {
        choice.cluster = or_leaving(pick(&|e| e.ready && in_zone(e)), &|_| true);
        choice.any = !choice.cluster.is_empty();
    }
    if port.uses_local_endpoints() {
        choice.local = or_leaving(pick(&|e| e.ready && e.local), &|e| e.local);
        choice.any |= all.iter().any(|e| e.ready || e.serving && e.terminating);
    }
    let either = |e: &Endpoint| choice.cluster.contains(e) || choice.local.contains(e);
    choice.reachable = pick(&either);
    choice
}

/// Zone hints count only when every ready endpoint has some and this zone is among them.
fn hints_hold(all: &[Endpoint], zone: &str) -> bool {
    let mut ready = all.iter().filter(|endpoint| endpoint.ready).peekable();
    ready.peek().is_some()
        && ready.clone().all(|endpoint| !endpoint.zones.is_empty())
        && ready.any(|endpoint| endpoint.zones.iter().any(|hint| hint == zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(internal_local: bool, external_local: bool, node_port: i32) -> ServicePort {
        ServicePort {
            name: "a/b".into(),
            port_name: String::new(),
            protocol: "tcp".into(),
            cluster_ip: "10.96.0.5".parse().unwrap(),
            port: 80,
            node_port,
            external_ips: vec![],
            load_balancer_ips: vec![],
            load_balancer_ranges: vec![],
            affinity_seconds: None,
            external_local,
            internal_local,
            health_check_port: 0,
        }
    }

    /// `r` ready, `t` terminating and serving, `x` neither; a capital is on this node.
    fn endpoints(states: &str) -> Vec<Endpoint> {
        let endpoint = |(index, state): (usize, char)| Endpoint {
            ip: format!("10.0.0.{index}"),
            name: index.to_string(),
            ready: state.eq_ignore_ascii_case(&'r'),
            serving: !state.eq_ignore_ascii_case(&'x'),
            terminating: state.eq_ignore_ascii_case(&'t'),
            local: state.is_ascii_uppercase(),
            zones: vec![],
        };
        states.chars().enumerate().map(endpoint).collect()
    }

    fn names(endpoints: &[Endpoint]) -> String {
        endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect()
    }

    #[test]
    fn policies_choose_endpoints() {
        let (cluster, inner, outer) =
            (port(false, false, 0), port(true, false, 0), port(false, true, 30_000));
        let cases = [
            (&cluster, "rRx", "01", "", "01", true),
            (&cluster, "xx", "", "", "", false),
            (&cluster, "tTx", "01", "", "01", true),
            (&cluster, "tRx", "1", "", "1", true),
            (&inner, "rR", "", "1", "1", true),
            (&inner, "rr", "", "", "", true),
            (&inner, "rT", "", "1", "1", true),
            (&outer, "rR", "01", "1", "01", true),
            (&outer, "rT", "0", "1", "01", true),
            (&outer, "rr", "01", "", "01", true),
        ];
        for (port, states, in_cluster, local, reachable, any) in cases {
            let choice = choose(&endpoints(states), port, None);
            let seen = (names(&choice.cluster), names(&choice.local), names(&choice.reachable));
            assert_eq!(seen, (in_cluster.into(), local.into(), reachable.into()), "{states}");
            assert_eq!(choice.any, any, "{states}");
        }
    }

    #[test]
    fn zone_hints_hold_when_all_have_them() {
        let mut all = endpoints("rr");
        all[0].zones = vec!["a".into()];
        let cluster = port(false, false, 0);
        assert_eq!(names(&choose(&all, &cluster, Some("a")).cluster), "01");
        all[1].zones = vec!["b".into()];
        assert_eq!(names(&choose(&all, &cluster, Some("a")).cluster), "0");
        assert_eq!(names(&choose(&all, &cluster, Some("c")).cluster), "01");
        assert_eq!(names(&choose(&all, &cluster, None).cluster), "01");
    }
}
