//! kube-proxy in iptables mode: keeps the node's rules as Services and EndpointSlices ask.
//!
//! Upstream: `cmd/kube-proxy`, `pkg/proxy/iptables/proxier.go`. Left out: the modes ipvs
//! and nftables.

mod chains;
mod endpoints;
mod health;
mod rules;
mod service_port;
#[cfg(test)]
mod tests;

pub use rules::ProxyConfig;

use crate::runtime::NamespaceStack;
use health::HealthChecks;
use k8s_openapi::api::core::v1::{Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use naru_api::{Key, Kube, Object, UserInfo, WatchEvent};
use naru_client::{
    Action, Cache, Context, Controller, Error, EventRecorder, EventStyle, EventType, Process,
    Reconcile, Watch,
};
use naru_network::netfilter::{Line, Position, TableName};
use naru_network::{Call, Network, NsId, Protocol};
use naru_sim::{Rng, Time};
use rules::{Fixed, PortLines};
use service_port::ServicePort;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The network namespace whose rules a proxy keeps: the node's own.
#[derive(Debug)]
pub struct HostNetwork<'a> {
    /// The network.
    pub network: &'a mut Network,
    /// The node's namespace.
    pub ns: NsId,
}

/// kube-proxy of one node.
#[derive(Clone, Debug)]
pub struct KubeProxy {
    node: ProxyConfig,
    /// The node's zone, for topology hints.
    zone: Option<String>,
    /// The slices of each service.
    slices: BTreeMap<Key, BTreeSet<Key>>,
    /// The rules of each service's ports, by the ports' names and protocols.
    services: BTreeMap<Key, Ports>,
    /// Services that changed since the rules were written.
    changed: BTreeSet<Key>,
    /// Everything must be written anew.
    full: bool,
    /// When the rules were last written, in steps of [`SYNC_PERIOD_MIN`].
    paced_until: Time,
    /// The program was started and has not seen the cluster since.
    starting: bool,
    health: HealthChecks,
    /// The rules that are always the same, once they were needed.
    fixed: Option<Arc<Fixed>>,
}

/// The rules of a service's ports.
type Ports = BTreeMap<(String, String), (PortLines, UdpPort)>;

/// Where datagrams to a service port may go; `None` for other protocols.
type UdpPort = Option<(ServicePort, BTreeSet<String>)>;

/// Rules are written at most once in this time, after a burst of two.
/// Upstream: `iptables.minSyncPeriod`.
const SYNC_PERIOD_MIN: Duration = Duration::from_secs(1);

const NAME: &str = "kube-proxy";
/// Upstream: `iptables.Monitor`.
const CANARY: &str = "KUBE-PROXY-CANARY";
const SERVICE_NAME: &str = "kubernetes.io/service-name";
const ZONE: &str = "topology.kubernetes.io/zone";
/// What this proxy leaves to others: headless services and those of another proxy.
const NOT_OURS: &str = "!service.kubernetes.io/headless,!service.kubernetes.io/service-proxy-name";

impl KubeProxy {
    /// A proxy that has seen nothing yet.
    pub fn new(node: ProxyConfig) -> Self {
        KubeProxy {
            node,
            zone: None,
            slices: BTreeMap::new(),
            services: BTreeMap::new(),
            changed: BTreeSet::new(),
            full: true,
            paced_until: Time::ZERO,
            starting: true,
            health: HealthChecks::default(),
            fixed: None,
        }
    }

    /// Answers load balancers that ask which nodes have endpoints.
    pub fn answer_health_checks(&mut self, host: &mut HostNetwork<'_>, now: Time) {
        let call = Call { now, ..Call::default() };
        self.health.serve(&mut NamespaceStack::new(host.network, host.ns, call), now);
    }

    /// The program as it runs on a node, with the user that kubeadm gives it.
    pub fn process(node: ProxyConfig, rng: &Rng) -> Process<KubeProxy> {
        let user = UserInfo::service_account("kube-system", "kube-proxy");
        let style = EventStyle::EventsV1 { action: "StartKubeProxy" };
        let recorder = EventRecorder::new(NAME, Some(node.name.clone()), style);
        let rng = rng.fork(&node.name);
        Process::new(NAME, user, &rng).with_recorder(KubeProxy::new(node), recorder)
    }

    /// Makes up the rules of one service anew; tells which chains it no longer has. The rules of its
    /// own chains come to `own`.
    fn plan(
        &mut self,
        key: &Key,
        service: Option<&Service>,
        slices: &[&EndpointSlice],
        large: bool,
        own: &mut Vec<Line>,
    ) -> Result<BTreeSet<String>, Error> {
        let before = self.services.get(key);
        let plan = |port: ServicePort| {
            let all = endpoints::of(&port, slices, &self.node.name);
            let choice = endpoints::choose(&all, &port, self.zone.as_deref());
            let rules = rules::of_port(&port, &choice, &self.node, large);
            let key = (port.name.clone(), port.protocol.clone());
            let old = before.and_then(|ports| ports.get(&key)).map(|(lines, _)| lines);
            let (lines, fresh) = PortLines::read(rules, old).map_err(other)?;
            own.extend(fresh);
            let names = choice.reachable.into_iter().map(|endpoint| endpoint.name).collect();
            let udp = (port.protocol == "udp").then_some((port, names));
            Ok((key, (lines, udp)))
        };
        let ports = service.map(ServicePort::of).unwrap_or_default();
        let new = ports.into_iter().map(plan).collect::<Result<Ports, Error>>()?;
        let old = match new.is_empty() {
            true => self.services.remove(key),
            false => self.services.insert(key.clone(), new),
        };
        let chains = |ports: &Ports| -> BTreeSet<String> {
            ports.values().flat_map(|(lines, _)| lines.chains.iter().cloned()).collect()
        };
        let now = self.services.get(key).map(chains).unwrap_or_default();
        Ok(old.as_ref().map(chains).unwrap_or_default().difference(&now).cloned().collect())
    }

    fn sync(&mut self, cache: &Cache, host: &mut HostNetwork<'_>) -> Result<(), Error> {
        let of_service = |ports: &Ports| ports.values().map(|(r, _)| r.endpoints).sum::<usize>();
        let endpoints: usize = self.services.values().map(of_service).sum();
        let large = endpoints > rules::LARGE_CLUSTER_ENDPOINTS;
        if self.full {
            self.changed.extend(self.services.keys().cloned());
        }
        let changed = std::mem::take(&mut self.changed);
        let (mut stale, mut own) = (BTreeSet::new(), Vec::new());
        for key in &changed {
            let slices = self.slices.get(key).into_iter().flatten();
            let slices: Vec<&EndpointSlice> = slices.filter_map(|slice| cache.get(slice)).collect();
            let gone = self.plan(key, cache.get(key), &slices, large, &mut own);
            self.full |= gone.is_err();
            stale.extend(gone?);
        }
        self.write(&own, &stale, host)?;
        self.forget_stale_datagrams(&changed, host);
        self.follow_health_checks(host);
        Ok(())
    }

    fn follow_health_checks(&mut self, host: &mut HostNetwork<'_>) {
        let checks = |(key, ports): (&Key, &Ports)| {
            let key = key.clone();
            let mut asked = ports.values().filter_map(|(rules, _)| rules.health);
            asked.next().map(|(port, endpoints)| (port, (key, endpoints)))
        };
        let wanted: BTreeMap<u16, (Key, usize)> = self.services.iter().filter_map(checks).collect();
        let call = Call::default();
        self.health.follow(&wanted, &mut NamespaceStack::new(host.network, host.ns, call));
    }

    /// Writes the rules: the shared chains, and the own chains of what changed, and without those that nothing needs.
    fn write(
        &mut self,
        own: &[Line],
        stale: &BTreeSet<String>,
        host: &mut HostNetwork<'_>,
    ) -> Result<(), Error> {
        let fixed = match &self.fixed {
            Some(fixed) => Arc::clone(fixed),
            None => Arc::clone(self.fixed.insert(Arc::new(Fixed::read().map_err(other)?))),
        };
        let missing = || Error::Other(format!("node {} has no network", self.node.name));
        let netfilter = host.network.netfilter(host.ns).ok_or_else(missing)?;
        // Until all is done, the node is in an unknown state.
        if std::mem::replace(&mut self.full, true) {
            // Whether they are there tells whether somebody has flushed the rules.
            for table in [TableName::Mangle, TableName::Nat, TableName::Filter] {
                netfilter.ensure_chain(table, CANARY).map_err(other)?;
            }
            for (table, to, from, matches) in rules::JUMPS {
                netfilter.ensure_chain(table, to).map_err(other)?;
                let rule = format!("{matches} -j {to}");
                netfilter.ensure(table, from, &rule, Position::First).map_err(other)?;
            }
        }
        let all = || self.services.values().flat_map(port_lines);
        netfilter.change(TableName::Filter, fixed.filter(all())).map_err(other)?;
        let mut nat = fixed.nat(all(), own);
        nat.delete = stale.iter().map(|chain| Arc::from(chain.as_str())).collect();
        netfilter.change(TableName::Nat, nat).map_err(other)?;
        self.full = false;
        Ok(())
    }

    /// Datagrams have no end that connection tracking could see, so a client that goes on sending
    /// would go on reaching an endpoint that is gone.
    ///
    /// Upstream: `pkg/proxy/conntrack/cleanup.go`.
    fn forget_stale_datagrams(&self, changed: &BTreeSet<Key>, host: &mut HostNetwork<'_>) {
        let ports: Vec<&(ServicePort, BTreeSet<String>)> = changed
            .iter()
            .filter_map(|key| self.services.get(key))
            .flat_map(|ports| ports.values().filter_map(|(_, udp)| udp.as_ref()))
            .collect();
        if ports.is_empty() {
            return;
        }
        host.network.conntrack_delete(host.ns, |entry| {
            let to = entry.original.dst;
            entry.original.protocol == Protocol::Udp
                && ports.iter().any(|(port, endpoints)| {
                    leads_to(port, to) && !endpoints.contains(&entry.reply.src.to_string())
                })
        });
    }

    /// Takes stock of the cluster after the program was started. Rules of an earlier run are still
    /// on the node; what has gone meanwhile goes with the next writing.
    fn start(&mut self, context: &mut Context<'_>) {
        self.starting = false;
        self.full = true;
        self.changed.extend(context.cache.objects(&Service::kind(), "").map(Object::key));
        self.slices.clear();
        for slice in context.cache.objects(&EndpointSlice::kind(), "") {
            if let Some(service) = service_of(slice) {
                self.slices.entry(service).or_default().insert(slice.key());
            }
        }
        let mut node = Node::default();
        node.metadata.name = Some(self.node.name.clone());
        node.metadata.uid = Some(self.node.name.clone());
        context.event(&Object::new(node), EventType::Normal, "Starting", "");
    }

    /// The key of every change: all rules are written together.
    fn key() -> Key {
        Key::new("", NAME)
    }

    /// The key of the program's start.
    fn start_key() -> Key {
        Key::new("", "start")
    }
}

fn port_lines(ports: &Ports) -> impl Iterator<Item = &PortLines> {
    ports.values().map(|(lines, _)| lines)
}

/// Whether a client that sends to `to` means this service port.
fn leads_to(port: &ServicePort, to: SocketAddr) -> bool {
    let virtual_ip = to.ip() == port.cluster_ip
        || port.external_ips.contains(&to.ip())
        || port.load_balancer_ips.contains(&to.ip());
    let number = i32::from(to.port());
    virtual_ip && number == port.port || port.node_port != 0 && number == port.node_port
}

fn other(error: impl std::fmt::Display) -> Error {
    Error::Other(format!("Failed to execute iptables-restore: {error}"))
}

/// The service that a slice belongs to.
fn service_of(slice: &Object) -> Option<Key> {
    slice.label(SERVICE_NAME).map(|name| Key::new(slice.namespace(), name))
}

impl Controller for KubeProxy {
    fn name(&self) -> &str {
        NAME
    }

    fn watches(&self) -> Vec<Watch> {
        let mut slices = Watch::all::<EndpointSlice>();
        slices.options.label_selector = NOT_OURS.to_owned();
        let mut services = Watch::all::<Service>();
        services.options.label_selector = NOT_OURS.to_owned();
        let node = Watch::with_fields::<Node>(format!("metadata.name={}", self.node.name));
        vec![services, slices, node]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        let object = &event.object;
        if object.kind() == Service::kind() {
            self.changed.insert(object.key());
        } else if object.kind() == EndpointSlice::kind() {
            let there = cache.object(&object.kind(), &object.key()).is_some();
            for slice in old.into_iter().chain([object]) {
                let Some(service) = service_of(slice) else { continue };
                let slices = self.slices.entry(service.clone()).or_default();
                slices.remove(&object.key());
                if there && service_of(object).as_ref() == Some(&service) {
                    slices.insert(object.key());
                }
                if slices.is_empty() {
                    self.slices.remove(&service);
                }
                self.changed.insert(service);
            }
        } else {
            let zone = object.label(ZONE).map(str::to_owned);
            if zone == self.zone {
                return Vec::new();
            }
            self.zone = zone;
            self.full = true;
        }
        vec![KubeProxy::key()]
    }

    fn initial(&self) -> Vec<Key> {
        vec![KubeProxy::start_key()]
    }
}

impl Reconcile<HostNetwork<'_>> for KubeProxy {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        host: &mut HostNetwork<'_>,
    ) -> Result<Action, Error> {
        self.starting |= *key == KubeProxy::start_key();
        if self.starting {
            // Every cluster has the service "kubernetes": without it, nothing was delivered yet,
            // and the rules that are there must stay.
            if context.cache.is_empty::<Service>() {
                return Ok(Action::await_change());
            }
            self.start(context);
        }
        if !self.full && self.changed.is_empty() {
            return Ok(Action::await_change());
        }
        let early = self.paced_until.since(context.now + SYNC_PERIOD_MIN);
        if !early.is_zero() {
            return Ok(Action::requeue_after(early));
        }
        self.paced_until = self.paced_until.max(context.now) + SYNC_PERIOD_MIN;
        self.sync(context.cache, host)?;
        Ok(Action::await_change())
    }
}
