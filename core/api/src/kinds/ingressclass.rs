//! Ingress classes.
//!
//! Upstream: `pkg/registry/networking/ingressclass/strategy.go`, `SetDefaults_IngressClass`,
//! `ValidateIngressClass`, `printIngressClass`.

use super::cells;
use super::typed::Typed;
use crate::podspec::validation::all_invalid;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, names};
use k8s_openapi::api::networking::v1::{IngressClass, IngressClassParametersReference};
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

    fn validate(&self, class: &IngressClass) -> Vec<FieldError> {
        const CONTROLLER_BYTES_MAX: usize = 250;
        let spec = class.spec.clone().unwrap_or_default();
        let path = Path::new("spec");
        let mut errors = Vec::new();
        let controller = spec.controller.as_deref().unwrap_or_default();
        let field = path.child("controller");
        if controller.len() > CONTROLLER_BYTES_MAX {
            errors.push(FieldError::too_long(field, CONTROLLER_BYTES_MAX));
        }
        errors.extend(names::domain_prefixed_path(controller, &field));
        if let Some(parameters) = &spec.parameters {
            validate_parameters(parameters, &path.child("parameters"), &mut errors);
        }
        errors
    }

    fn validate_update(&self, new: &IngressClass, old: &IngressClass, _: &str) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let controller = |class: &IngressClass| {
            class.spec.as_ref().and_then(|spec| spec.controller.clone()).unwrap_or_default()
        };
        let (is, was) = (controller(new), controller(old));
        if is != was {
            errors.push(FieldError::invalid("spec.controller", &is, "field is immutable"));
        }
        errors.extend(Typed::validate(self, new));
        errors
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

/// What is wrong with a reference to an object in the same namespace, or in none.
///
/// Upstream: `validateIngressTypedLocalObjectReference`.
pub(super) fn validate_reference(
    group: Option<&str>,
    kind: &str,
    name: &str,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    if let Some(group) = group {
        all_invalid(names::dns1123_subdomain(group), group, &path.child("apiGroup"), errors);
    }
    for (field, value) in [("kind", kind), ("name", name)] {
        match value {
            "" => errors
                .push(FieldError::required(path.child(field), &format!("{field} is required"))),
            value => all_invalid(names::path_segment(value), value, &path.child(field), errors),
        }
    }
}

fn validate_parameters(
    found: &IngressClassParametersReference,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    validate_reference(found.api_group.as_deref(), &found.kind, &found.name, path, errors);
    let field = path.child("namespace");
    match (found.scope.as_deref().unwrap_or_default(), &found.namespace) {
        ("Namespace", None) => {
            let detail = "`parameters.scope` is set to 'Namespace'";
            errors.push(FieldError::required(field, detail));
        }
        ("Namespace", Some(namespace)) => {
            all_invalid(names::dns1123_label(namespace), namespace, &field, errors);
        }
        ("Cluster", Some(_)) => {
            let detail = "`parameters.scope` is set to 'Cluster'";
            errors.push(FieldError::forbidden(field, detail));
        }
        ("Cluster", None) => {}
        (scope, _) => {
            let known = &["Cluster", "Namespace"];
            errors.push(FieldError::not_supported(path.child("scope"), scope, known));
        }
    }
}
