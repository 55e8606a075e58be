//! Answers for the addresses of Services on the node that was agreed on.
//!
//! Upstream: `speaker/main.go`, `speaker/layer2_controller.go`.

use super::controller::{addresses, is_balanced};
use super::pools::{Pool, is_announced};
use super::{NAMESPACE, kind, watch};
use crate::controller_program::{InContainer, StartsInContainer};
use k8s_openapi::api::core::v1::{Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use naru_api::{Key, KindRef, Object, WatchEvent};
use naru_client::{Action, Cache, Context, Controller, Error, EventType, Reconcile, Watch};
use naru_shell::Sys;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Nodes with this label take no traffic for load balancers.
const EXCLUDED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
const SLICE_OF: &str = "kubernetes.io/service-name";

/// The speaker of one node.
#[derive(Clone, Debug)]
pub struct Speaker {
    node: String,
    pools: Option<KindRef>,
    advertisements: Option<KindRef>,
    /// What this node answers for, by Service.
    ours: BTreeMap<Key, BTreeSet<IpAddr>>,
    changed: bool,
}

impl StartsInContainer for Speaker {
    const ACCOUNT: (&'static str, &'static str) = (NAMESPACE, "speaker");

    fn start(sys: &mut dyn Sys) -> Self {
        let node = sys.env().get("METALLB_NODE_NAME").cloned().unwrap_or_default();
        Speaker {
            node,
            pools: kind(sys, "IPAddressPool"),
            advertisements: kind(sys, "L2Advertisement"),
            ours: BTreeMap::new(),
            changed: true,
        }
    }
}

impl InContainer for Speaker {
    fn settle(&mut self, sys: &mut dyn Sys) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        if let Some((network, ns)) = sys.net().and_then(|net| net.administer()) {
            // The namespace is this node's own, which is there as long as the program runs.
            let _ = network.set_announced(ns, self.ours.values().flatten().copied().collect());
        }
    }

    fn leave(&mut self, sys: &mut dyn Sys) {
        (self.ours, self.changed) = (BTreeMap::new(), true);
        self.settle(sys);
    }
}

impl Speaker {
    /// The addresses of a Service that are announced by layer 2.
    fn announced(&self, service: &Service, cache: &Cache) -> BTreeSet<IpAddr> {
        let pools = Pool::all(cache, self.pools.as_ref());
        let is = |pool: &&Pool| {
            let (kind, pools) = (self.advertisements.as_ref(), self.pools.as_ref());
            is_announced(cache, kind, pools, &pool.name)
        };
        let of =
            |ip: &std::net::Ipv4Addr| pools.iter().filter(|pool| pool.has(*ip)).any(|p| is(&p));
        addresses(service).into_iter().filter(of).map(IpAddr::V4).collect()
    }

    /// The node that answers for an address: the first in an order that differs for each address.
    fn owner(service: &Service, key: &Key, ip: IpAddr, cache: &Cache) -> Option<String> {
        let spec = service.spec.as_ref()?;
        let local = spec.external_traffic_policy.as_deref() == Some("Local");
        let with = nodes_with_endpoints(key, cache);
        let able = cache.list::<Node>("").filter(|node| takes_traffic(node));
        let names = able.filter_map(|node| node.metadata.name.clone());
        let fits = |name: &String| if local { with.contains(name) } else { !with.is_empty() };
        names.filter(fits).min_by_key(|name| order(name, ip))
    }
}

fn order(node: &str, ip: IpAddr) -> u64 {
    let text = format!("{node}#{ip}");
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn takes_traffic(node: &Node) -> bool {
    let labels = node.metadata.labels.as_ref();
    let mut conditions = node.status.iter().flat_map(|it| it.conditions.iter().flatten());
    !labels.is_some_and(|labels| labels.contains_key(EXCLUDED))
        && conditions.any(|it| it.type_ == "Ready" && it.status == "True")
}

fn nodes_with_endpoints(key: &Key, cache: &Cache) -> BTreeSet<String> {
    let slices = cache.list::<EndpointSlice>(&key.namespace).filter(|slice| {
        let labels = slice.metadata.labels.as_ref();
        labels.and_then(|labels| labels.get(SLICE_OF)) == Some(&key.name)
    });
    let ready = slices.flat_map(|slice| &slice.endpoints).filter(|endpoint| {
        endpoint.conditions.as_ref().and_then(|conditions| conditions.ready) != Some(false)
    });
    ready.filter_map(|endpoint| endpoint.node_name.clone()).collect()
}

impl Controller for Speaker {
    fn name(&self) -> &str {
        "metallb-speaker"
    }

    fn watches(&self) -> Vec<Watch> {
        let own = self.pools.iter().chain(&self.advertisements).map(watch);
        let all = [Watch::all::<Service>(), Watch::all::<EndpointSlice>(), Watch::all::<Node>()];
        own.chain(all).collect()
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        let object = &event.object;
        if object.get::<Service>().is_some() {
            return vec![object.key()];
        }
        if object.get::<EndpointSlice>().is_some() {
            let service = object.label(SLICE_OF);
            return service.map(|name| Key::new(object.namespace(), name)).into_iter().collect();
        }
        let balanced = cache.list::<Service>("").filter(|service| is_balanced(service));
        let key = |service: &Service| {
            let meta = &service.metadata;
            Some(Key::new(meta.namespace.as_deref()?, meta.name.as_deref()?))
        };
        balanced.filter_map(key).collect()
    }
}

impl Reconcile<()> for Speaker {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let service = context.cache.arc::<Service>(key).filter(|service| is_balanced(service));
        let mut mine = BTreeSet::new();
        if let Some(service) = &service {
            for ip in self.announced(service, context.cache) {
                let owner = Speaker::owner(service, key, ip, context.cache);
                if owner.as_deref() == Some(self.node.as_str()) {
                    mine.insert(ip);
                }
            }
        }
        let before = self.ours.get(key).cloned().unwrap_or_default();
        if mine == before {
            return Ok(Action::await_change());
        }
        self.changed = true;
        if let Some(service) = service.filter(|_| before.is_empty() && !mine.is_empty()) {
            let text = format!("announcing from node \"{}\" with protocol \"layer2\"", self.node);
            let object = Object::new(Service::clone(&service));
            context.event(&object, EventType::Normal, "nodeAssigned", &text);
        }
        match mine.is_empty() {
            true => self.ours.remove(key),
            false => self.ours.insert(key.clone(), mine),
        };
        Ok(Action::await_change())
    }
}
