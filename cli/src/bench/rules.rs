//! `naru bench rules`.

use super::figures::{Figures, Took, time};
use super::pods::admin;
use clap::Args;
use naru_api::k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use naru_api::k8s_openapi::api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::request::Body;
use naru_api::{ApiService, Object, Op, Request};
use naru_apiserver::ApiServer;
use naru_client::Process;
use naru_network::{Network, NsId};
use naru_node::proxy::{HostNetwork, KubeProxy, ProxyConfig};
use naru_sim::Rng;
use std::collections::BTreeMap;
use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

/// How long kube-proxy takes to bring the rules of a node up to date.
///
/// An API server with services and their endpoints, and one kube-proxy: writing all rules for the
/// first time, and then, as one endpoint of one service goes and comes, what that changes. What its
/// watches deliver is in it.
#[derive(Args)]
pub struct Rules {
    /// Services.
    #[arg(long, default_value_t = 5_000)]
    services: u32,
    /// Endpoints of each service.
    #[arg(long, default_value_t = 10)]
    endpoints: u32,
}

/// Changes that are measured.
const CHANGES: u32 = 20;
/// Endpoints come from here on, services' addresses from there on.
const ENDPOINTS: Ipv4Addr = Ipv4Addr::new(10, 128, 0, 0);
const SERVICES: Ipv4Addr = Ipv4Addr::new(10, 96, 1, 0);

impl Rules {
    /// Measures.
    pub fn run(&self, seed: u64) -> Result<Figures, Box<dyn Error>> {
        let mut machine = Machine::new(seed)?;
        for number in 0..self.services {
            machine.create(service(number))?;
            machine.create(slice(number, self.endpoints, self.endpoints))?;
        }
        let first = machine.sync()?;
        let rules = machine.rules();
        let mut longest: Option<Took> = None;
        let mut sum = Duration::ZERO;
        for change in 0..CHANGES {
            // Every second change takes back the one before.
            let number = change / 2 * 37 % self.services.max(1);
            let there = self.endpoints.saturating_sub(1 - change % 2);
            machine.update(slice(number, there, self.endpoints))?;
            let took = machine.sync()?;
            sum += took.busiest();
            longest = longest.filter(|it| it.busiest() >= took.busiest()).or(Some(took));
        }
        if machine.rules() != rules {
            return Err("the rules have not come back to what they were".into());
        }
        let mut figures = Figures::default();
        figures.add("services", f64::from(self.services));
        figures.add("endpoints", f64::from(self.services) * f64::from(self.endpoints));
        figures.add("rules", rules as f64);
        figures.add_time("all_", first);
        figures.add("difference_milliseconds", sum.as_secs_f64() * 1e3 / f64::from(CHANGES));
        let longest = longest.map_or(0.0, |took| took.busiest().as_secs_f64());
        figures.add("difference_milliseconds_max", longest * 1e3);
        Ok(figures)
    }
}

/// An API server and a kube-proxy.
struct Machine {
    api: ApiServer,
    network: Network,
    node: NsId,
    proxy: Process<KubeProxy>,
}

impl Machine {
    fn new(seed: u64) -> Result<Self, Box<dyn Error>> {
        let rng = Rng::new(seed);
        let mut api = ApiServer::new(rng.fork("kube-apiserver"));
        let mut network = Network::new(rng.fork("network"));
        let node = network.add_namespace("node");
        let config = ProxyConfig {
            name: "node".to_owned(),
            ip: None,
            cluster_cidr: "10.128.0.0/9".parse().ok(),
        };
        let mut proxy = KubeProxy::process(config, &rng);
        proxy.start(&mut api)?;
        Ok(Machine { api, network, node, proxy })
    }

    fn create(&mut self, object: Object) -> Result<(), Box<dyn Error>> {
        let (kind, namespace) = (object.kind(), object.namespace().to_owned());
        let op = Op::Create(Body::Object(object));
        let request = Request::new(admin(), Arc::from("naru-bench"), kind, op);
        self.api.handle(Request { namespace, ..request })?;
        Ok(())
    }

    fn update(&mut self, object: Object) -> Result<(), Box<dyn Error>> {
        let (kind, key) = (object.kind(), object.key());
        let op = Op::Update(Body::Object(object));
        let request = Request::new(admin(), Arc::from("naru-bench"), kind, op);
        self.api.handle(Request { namespace: key.namespace, name: key.name, ..request })?;
        Ok(())
    }

    fn rules(&mut self) -> usize {
        self.network.netfilter(self.node).map_or(0, |netfilter| netfilter.rule_count())
    }

    /// Lets the proxy do all that there is to do.
    fn sync(&mut self) -> Result<Took, Box<dyn Error>> {
        // The proxy writes at most once a second.
        self.api.set_now(self.api.now() + Duration::from_secs(5));
        let ((), took) = time(|| {
            self.api.take_ready();
            self.proxy.deliver(&mut self.api);
            while self.proxy.next_due().is_some_and(|due| due <= self.api.now()) {
                let mut host = HostNetwork { network: &mut self.network, ns: self.node };
                if !self.proxy.work(&mut self.api, &mut host) {
                    break;
                }
            }
        });
        Ok(took)
    }
}

fn metadata(name: String) -> ObjectMeta {
    ObjectMeta { name: Some(name), namespace: Some("default".to_owned()), ..ObjectMeta::default() }
}

fn above(first: Ipv4Addr, number: u32) -> String {
    Ipv4Addr::from(u32::from(first).saturating_add(number)).to_string()
}

/// The service of this number; it has no selector, so that its slices are the client's.
fn service(number: u32) -> Object {
    let port = ServicePort { port: 80, ..ServicePort::default() };
    let spec = ServiceSpec {
        cluster_ip: Some(above(SERVICES, number)),
        ports: Some(vec![port]),
        ..ServiceSpec::default()
    };
    let metadata = metadata(format!("service-{number}"));
    Object::new(Service { metadata, spec: Some(spec), status: None })
}

/// The endpoints of a service: the first `there` of `of`.
fn slice(number: u32, there: u32, of: u32) -> Object {
    let endpoint = |index: u32| Endpoint {
        addresses: vec![above(ENDPOINTS, number * of + index)],
        ..Endpoint::default()
    };
    let mut metadata = metadata(format!("service-{number}-a"));
    let label = ("kubernetes.io/service-name".to_owned(), format!("service-{number}"));
    metadata.labels = Some(BTreeMap::from([label]));
    let port = EndpointPort { port: Some(9_376), ..EndpointPort::default() };
    Object::new(EndpointSlice {
        metadata,
        address_type: "IPv4".to_owned(),
        endpoints: (0..there).map(endpoint).collect(),
        ports: Some(vec![port]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn rules_are_written_and_come_back() {
        let figures = Rules { services: 3, endpoints: 2 }.run(1).unwrap();
        assert!(figures.json()["rules"].as_f64().unwrap() > 12.0);
    }
}
