//! Component statuses: made up whenever they are read.
//!
//! Upstream: `pkg/registry/core/componentstatus/rest.go`, `printComponentStatus`.

use super::cells;
use super::typed::Typed;
use crate::{Cell, Column, Kind, KindRef, Kube, Names, Object};
use k8s_openapi::api::core::v1::{ComponentCondition, ComponentStatus};
use naru_sim::Time;

static KIND: Kind = Names::new("", "v1", "ComponentStatus", "componentstatuses", "componentstatus")
    .short(&["cs"])
    .cluster_scoped()
    .verbs(&["get", "list"])
    .kind(&ComponentStatusStrategy);

impl Kube for ComponentStatus {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct ComponentStatusStrategy;

impl Typed for ComponentStatusStrategy {
    type Object = ComponentStatus;

    const COLUMNS: &'static [Column] =
        &[Column::new("Name"), Column::new("Status"), Column::new("Message"), Column::new("Error")];

    const DEPRECATION: Option<&'static str> = Some("v1 ComponentStatus is deprecated in v1.19+");

    fn made_up(&self) -> Option<Vec<Object>> {
        Some(["controller-manager", "etcd-0", "scheduler"].map(healthy).to_vec())
    }

    fn cells(&self, status: &ComponentStatus, _: Time) -> Vec<Cell> {
        let mut conditions = status.conditions.iter().flatten();
        let found = conditions.find(|condition| condition.type_ == "Healthy");
        let text = match found.map(|condition| condition.status.as_str()) {
            None => "Unknown",
            Some("True") => "Healthy",
            Some(_) => "Unhealthy",
        };
        vec![
            cells::name(&status.metadata),
            text.into(),
            cells::text(found.and_then(|condition| condition.message.as_deref())),
            cells::text(found.and_then(|condition| condition.error.as_deref())),
        ]
    }
}

fn healthy(name: &str) -> Object {
    let mut status = ComponentStatus {
        conditions: Some(vec![ComponentCondition {
            type_: "Healthy".to_owned(),
            status: "True".to_owned(),
            message: Some("ok".to_owned()),
            error: None,
        }]),
        ..ComponentStatus::default()
    };
    status.metadata.name = Some(name.to_owned());
    Object::new(status)
}
