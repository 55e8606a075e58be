//! Where load balancers ask whether a node has endpoints of a Service: `healthCheckNodePort`.
//!
//! Upstream: `pkg/proxy/healthcheck/service_health.go`.

use naru_api::Key;
use naru_network::http::Response;
use naru_shell::NetStack;
use naru_shell::serve::HttpServer;
use naru_sim::Time;
use std::collections::BTreeMap;

/// The ports that are listened to, and what is answered there.
#[derive(Clone, Debug, Default)]
pub struct HealthChecks {
    ports: BTreeMap<u16, Check>,
}

#[derive(Clone, Debug)]
struct Check {
    service: Key,
    endpoints: usize,
    server: HttpServer,
}

impl HealthChecks {
    /// Listens to these ports and to no others; each with its Service and how many endpoints of it
    /// are on this node.
    pub fn follow(&mut self, wanted: &BTreeMap<u16, (Key, usize)>, net: &mut dyn NetStack) {
        self.ports.retain(|port, check| {
            let kept = wanted.contains_key(port);
            if !kept {
                check.server.close(net);
            }
            kept
        });
        for (port, (service, endpoints)) in wanted {
            let check = self.ports.entry(*port).or_insert_with(|| {
                let mut server = HttpServer::default();
                // Who has the port already keeps it, and answers otherwise.
                let _ = server.listen(net, *port);
                Check { service: service.clone(), endpoints: 0, server }
            });
            (check.service, check.endpoints) = (service.clone(), *endpoints);
        }
    }

    /// Answers who asks.
    pub fn serve(&mut self, net: &mut dyn NetStack, now: Time) {
        for check in self.ports.values_mut() {
            for incoming in check.server.poll(net, now) {
                let answer = answer(&check.service, check.endpoints);
                check.server.respond(&incoming, &answer);
            }
            check.server.flush(net);
        }
    }
}

fn answer(service: &Key, endpoints: usize) -> Response {
    let Key { namespace, name } = service;
    let body = format!(
        "{{\n\t\"service\": {{\n\t\t\"namespace\": \"{namespace}\",\n\t\t\"name\": \"{name}\"\n\t}},\n\t\
         \"localEndpoints\": {endpoints},\n\t\"serviceProxyHealthy\": true\n}}"
    );
    Response::new(if endpoints > 0 { 200 } else { 503 }, body)
        .with("Content-Type", "application/json")
        .with("X-Content-Type-Options", "nosniff")
        .with("X-Load-Balancing-Endpoint-Weight", endpoints.to_string())
}
