//! Ingresses.
//!
//! Upstream: `pkg/registry/networking/ingress/strategy.go`, `ValidateIngress`, `printIngress`.

use super::cells;
use super::typed::{Typed, keep};
use crate::{Cell, Column, Kind, KindRef, Kube, Names};
use k8s_openapi::api::networking::v1::{Ingress, IngressRule, IngressStatus};
use naru_sim::Time;
use std::collections::BTreeSet;

static KIND: Kind = Names::new("networking.k8s.io", "v1", "Ingress", "ingresses", "ingress")
    .short(&["ing"])
    .subresources(&["status"])
    .kind(&IngressStrategy);

impl Kube for Ingress {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct IngressStrategy;

impl Typed for IngressStrategy {
    type Object = Ingress;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Class"),
        Column::new("Hosts"),
        Column::new("Address"),
        Column::new("Ports"),
        Column::new("Age"),
    ];

    fn prepare_for_create(&self, ingress: &mut Ingress) {
        ingress.metadata.generation = Some(1);
        ingress.status = Some(IngressStatus::default());
    }

    fn prepare_for_update(&self, new: &mut Ingress, old: &Ingress, subresource: &str) {
        if subresource == "status" {
            keep(&mut new.spec, &old.spec);
        } else {
            keep(&mut new.status, &old.status);
            if new.spec != old.spec {
                new.metadata.generation = old.metadata.generation.map(|old| old + 1);
            }
        }
    }

    fn cells(&self, ingress: &Ingress, now: Time) -> Vec<Cell> {
        let spec = ingress.spec.clone().unwrap_or_default();
        let secure = spec.tls.as_ref().is_some_and(|tls| !tls.is_empty());
        vec![
            cells::name(&ingress.metadata),
            spec.ingress_class_name.as_deref().unwrap_or("<none>").into(),
            hosts(spec.rules.as_deref().unwrap_or_default()).into(),
            addresses(ingress.status.as_ref()).into(),
            if secure { "80, 443" } else { "80" }.into(),
            cells::age(&ingress.metadata, now),
        ]
    }
}

/// The first three hosts: `a,b,c + 2 more...`; how many more counts rules, as upstream does.
fn hosts(rules: &[IngressRule]) -> String {
    const SHOWN: usize = 3;
    let mut shown: Vec<&str> = Vec::new();
    let mut more = false;
    for rule in rules {
        let host = rule.host.as_deref().unwrap_or_default();
        more |= shown.len() == SHOWN;
        if !more && !host.is_empty() {
            shown.push(host);
        }
    }
    let list = shown.join(",");
    match list.as_str() {
        "" => "*".to_owned(),
        _ if more => format!("{list} + {} more...", rules.len() - SHOWN),
        _ => list,
    }
}

/// The addresses of the load balancer, sorted.
fn addresses(status: Option<&IngressStatus>) -> String {
    let balancer = status.and_then(|status| status.load_balancer.as_ref());
    let points = balancer.and_then(|balancer| balancer.ingress.as_deref()).unwrap_or_default();
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let found: BTreeSet<String> =
        points.iter().filter_map(|point| given(&point.ip).or(given(&point.hostname))).collect();
    Vec::from_iter(found).join(",")
}
