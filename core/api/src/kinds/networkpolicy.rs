//! Network policies.
//!
//! Upstream: `pkg/registry/networking/networkpolicy/strategy.go`, `SetDefaults_NetworkPolicy`,
//! `ValidateNetworkPolicy`, `printNetworkPolicy`.

use super::cells;
use super::typed::Typed;
use crate::{Cell, Column, Kind, KindRef, Kube, Names, labels};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use naru_sim::Time;

static KIND: Kind =
    Names::new("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", "networkpolicy")
        .short(&["netpol"])
        .kind(&NetworkPolicyStrategy);

impl Kube for NetworkPolicy {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct NetworkPolicyStrategy;

impl Typed for NetworkPolicyStrategy {
    type Object = NetworkPolicy;

    const COLUMNS: &'static [Column] =
        &[Column::new("Name"), Column::new("Pod-Selector"), Column::new("Age")];

    fn default(&self, policy: &mut NetworkPolicy) {
        let spec = policy.spec.get_or_insert_default();
        if spec.policy_types.as_ref().is_none_or(Vec::is_empty) {
            let egress = spec.egress.as_ref().is_some_and(|rules| !rules.is_empty());
            let types: &[&str] = if egress { &["Ingress", "Egress"] } else { &["Ingress"] };
            spec.policy_types = Some(types.iter().map(|type_| (*type_).to_owned()).collect());
        }
        let ingress = spec.ingress.iter_mut().flatten().map(|rule| &mut rule.ports);
        let egress = spec.egress.iter_mut().flatten().map(|rule| &mut rule.ports);
        for port in ingress.chain(egress).flatten().flatten() {
            port.protocol.get_or_insert_with(|| "TCP".to_owned());
        }
    }

    fn prepare_for_create(&self, policy: &mut NetworkPolicy) {
        policy.metadata.generation = Some(1);
    }

    fn prepare_for_update(&self, new: &mut NetworkPolicy, old: &NetworkPolicy, _: &str) {
        if new.spec != old.spec {
            new.metadata.generation = old.metadata.generation.map(|old| old + 1);
        }
    }

    fn cells(&self, policy: &NetworkPolicy, now: Time) -> Vec<Cell> {
        let selector = policy.spec.clone().unwrap_or_default().pod_selector.unwrap_or_default();
        vec![
            cells::name(&policy.metadata),
            labels::format_selector(Some(&selector)).into(),
            cells::age(&policy.metadata, now),
        ]
    }
}
