//! Runtime classes.
//!
//! Upstream: `pkg/registry/node/runtimeclass/strategy.go`, `ValidateRuntimeClass`,
//! `printRuntimeClass`.

use super::cells;
use super::typed::Typed;
use crate::podspec::validation::all_invalid;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, names};
use k8s_openapi::api::node::v1::RuntimeClass;
use naru_sim::Time;

static KIND: Kind =
    Names::new("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", "runtimeclass")
        .cluster_scoped()
        .kind(&RuntimeClassStrategy);

impl Kube for RuntimeClass {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct RuntimeClassStrategy;

impl Typed for RuntimeClassStrategy {
    type Object = RuntimeClass;

    const COLUMNS: &'static [Column] =
        &[Column::new("Name"), Column::new("Handler"), Column::new("Age")];

    const ALLOW_CREATE_ON_UPDATE: bool = true;

    const ALLOW_UNCONDITIONAL_UPDATE: bool = false;

    fn validate(&self, class: &RuntimeClass) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let problems = names::dns1123_label(&class.handler);
        all_invalid(problems, &class.handler, &Path::new("handler"), &mut errors);
        errors
    }

    fn validate_update(&self, new: &RuntimeClass, old: &RuntimeClass, _: &str) -> Vec<FieldError> {
        let mut errors = Typed::validate(self, new);
        if new.handler != old.handler {
            errors.push(FieldError::invalid("handler", &new.handler, "field is immutable"));
        }
        errors
    }

    fn cells(&self, class: &RuntimeClass, now: Time) -> Vec<Cell> {
        vec![
            cells::name(&class.metadata),
            class.handler.as_str().into(),
            cells::age(&class.metadata, now),
        ]
    }
}
