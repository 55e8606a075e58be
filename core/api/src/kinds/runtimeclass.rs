//! Runtime classes.
//!
//! Upstream: `pkg/registry/node/runtimeclass/strategy.go`, `ValidateRuntimeClass`,
//! `printRuntimeClass`.

use super::cells;
use super::typed::Typed;
use crate::gofmt::quote;
use crate::nodelabels::deprecation;
use crate::podspec::validation::{self, all_invalid};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path};
use crate::{labels, names, resourcenames};
use k8s_openapi::api::core::v1::Toleration;
use k8s_openapi::api::node::v1::{RuntimeClass, Scheduling};
use naru_sim::Time;
use std::collections::BTreeSet;

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
        let path = Path::new("overhead");
        // Upstream checks an overhead as if it were the limits of a container.
        let path = path.child("limits");
        let fixed = class.overhead.as_ref().and_then(|overhead| overhead.pod_fixed.as_ref());
        for (name, quantity) in fixed.into_iter().flatten() {
            let field = path.key(name);
            errors.extend(resourcenames::validate_container(name, &field));
            errors.extend(resourcenames::validate_amount(name, quantity, &field));
        }
        if let Some(scheduling) = &class.scheduling {
            validate_scheduling(scheduling, &Path::new("scheduling"), &mut errors);
        }
        errors
    }

    fn validate_update(&self, new: &RuntimeClass, old: &RuntimeClass, _: &str) -> Vec<FieldError> {
        let mut errors = Typed::validate(self, new);
        if new.handler != old.handler {
            errors.push(FieldError::invalid("handler", &new.handler, "field is immutable"));
        }
        errors
    }

    fn warnings(&self, class: &RuntimeClass, _: Option<&RuntimeClass>) -> Vec<String> {
        let selector = class.scheduling.as_ref().and_then(|found| found.node_selector.as_ref());
        let deprecated = selector.into_iter().flatten().filter_map(|(key, _)| deprecation(key));
        deprecated.map(|why| format!("scheduling.nodeSelector: {why}")).collect()
    }

    fn cells(&self, class: &RuntimeClass, now: Time) -> Vec<Cell> {
        vec![
            cells::name(&class.metadata),
            class.handler.as_str().into(),
            cells::age(&class.metadata, now),
        ]
    }
}

fn validate_scheduling(scheduling: &Scheduling, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let selector = path.child("nodeSelector");
    errors.extend(labels::validate(scheduling.node_selector.as_ref(), selector));
    let list = path.child("tolerations");
    let tolerations = scheduling.tolerations.as_deref().unwrap_or_default();
    // This path is twice as deep upstream.
    let deeper = list.child("tolerations");
    for (index, toleration) in tolerations.iter().enumerate() {
        validation::toleration(toleration, &deeper.index(index), errors);
    }
    let mut seen = BTreeSet::new();
    for (index, found) in tolerations.iter().enumerate() {
        if !seen.insert([&found.key, &found.operator, &found.value, &found.effect]) {
            errors.push(FieldError::duplicate_raw(list.index(index), go_toleration(found)));
        }
    }
}

fn go_toleration(toleration: &Toleration) -> String {
    let text = |text: &Option<String>| quote(text.as_deref().unwrap_or_default());
    // A pointer's address is another one each time.
    let seconds = match toleration.toleration_seconds {
        Some(_) => "(*int64)(0xc000a5f0e0)",
        None => "(*int64)(nil)",
    };
    format!(
        "core.Toleration{{Key:{}, Operator:{}, Value:{}, Effect:{}, TolerationSeconds:{seconds}}}",
        text(&toleration.key),
        text(&toleration.operator),
        text(&toleration.value),
        text(&toleration.effect)
    )
}
