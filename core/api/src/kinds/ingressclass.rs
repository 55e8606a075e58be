//! Ingress classes.
//!
//! Upstream: `pkg/registry/networking/ingressclass/strategy.go`, `SetDefaults_IngressClass`,
//! `ValidateIngressClass`, `printIngressClass`.

use super::cells;
use super::typed::Typed;
use crate::{Cell, Column, Kind, KindRef, Kube, Names};
use k8s_openapi::api::networking::v1::IngressClass;
use naru_sim::Time;

static KIND: Kind =
    Names::new("networking.k8s.io", "v1", "IngressClass", "ingressclasses", "ingressclass")
        .cluster_scoped()
        .kind(&IngressClassStrategy);

impl Kube for IngressClass {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct IngressClassStrategy;

impl Typed for IngressClassStrategy {
    type Object = IngressClass;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Controller"),
        Column::new("Parameters"),
        Column::new("Age"),
    ];

    fn default(&self, class: &mut IngressClass) {
        let parameters = class.spec.as_mut().and_then(|spec| spec.parameters.as_mut());
        if let Some(parameters) = parameters {
            parameters.scope.get_or_insert_with(|| "Cluster".to_owned());
        }
    }

    fn prepare_for_create(&self, class: &mut IngressClass) {
        class.metadata.generation = Some(1);
    }

    fn prepare_for_update(&self, new: &mut IngressClass, old: &IngressClass, _: &str) {
        if new.spec != old.spec {
            new.metadata.generation = old.metadata.generation.map(|old| old + 1);
        }
    }

    fn cells(&self, class: &IngressClass, now: Time) -> Vec<Cell> {
        let spec = class.spec.clone().unwrap_or_default();
        let parameters = spec.parameters.map(|found| match found.api_group {
            Some(group) => format!("{}.{group}/{}", found.kind, found.name),
            None => format!("{}/{}", found.kind, found.name),
        });
        vec![
            cells::name(&class.metadata),
            cells::text(spec.controller.as_deref()),
            cells::or_none(parameters.as_deref()),
            cells::age(&class.metadata, now),
        ]
    }
}
