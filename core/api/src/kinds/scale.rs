//! The scale of a workload: how many pods it should have, apart from everything else about it.
//!
//! Upstream: `ScaleREST` in `pkg/registry/apps/*/storage/storage.go`, `ValidateScale`,
//! `printScale`.

use super::cells;
use super::typed::Typed;
use crate::podspec::validation::not_negative;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, labels};
use k8s_openapi::api::autoscaling::v1::{Scale, ScaleSpec, ScaleStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use naru_sim::Time;

/// It has no resource of its own; it is only ever a subresource.
static KIND: Kind = Names::new("autoscaling", "v1", "Scale", "scale", "").verbs(&[]).kind(&Scales);

impl Kube for Scale {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct Scales;

impl Typed for Scales {
    type Object = Scale;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Desired").integer(),
        Column::new("Available").integer(),
        Column::new("Age"),
    ];

    fn validate(&self, object: &Scale) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let replicas = object.spec.as_ref().and_then(|spec| spec.replicas);
        not_negative(replicas, &Path::new("spec").child("replicas"), &mut errors);
        errors
    }

    fn cells(&self, object: &Scale, now: Time) -> Vec<Cell> {
        vec![
            cells::name(&object.metadata),
            object.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0).into(),
            object.status.as_ref().map_or(0, |status| status.replicas).into(),
            cells::age(&object.metadata, now),
        ]
    }
}

/// The scale of a workload with this metadata, so many pods wanted and so many there.
pub(crate) fn of(meta: &ObjectMeta, wanted: Option<i32>, there: i32, selector: String) -> Scale {
    Scale {
        metadata: ObjectMeta {
            name: meta.name.clone(),
            namespace: meta.namespace.clone(),
            uid: meta.uid.clone(),
            resource_version: meta.resource_version.clone(),
            creation_timestamp: meta.creation_timestamp.clone(),
            ..ObjectMeta::default()
        },
        // A scale without replicas is one of zero, and is written without them.
        spec: Some(ScaleSpec { replicas: wanted.filter(|replicas| *replicas != 0) }),
        status: Some(ScaleStatus {
            replicas: there,
            selector: (!selector.is_empty()).then_some(selector),
        }),
    }
}

/// A selector as a scale shows it.
pub(crate) fn selector(selector: &LabelSelector) -> String {
    let selector = labels::Selector::from_label_selector(Some(selector));
    selector.map(|selector| selector.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_is_not_negative() {
        let scale = of(&ObjectMeta::default(), Some(-1), 0, String::new());
        let errors = Typed::validate(&Scales, &scale);
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].field, "spec.replicas");
        assert_eq!(errors[0].message, "Invalid value: -1: must be greater than or equal to 0");
    }
}
