//! Cluster roles.
//!
//! Upstream: `pkg/registry/rbac/clusterrole/strategy.go`, `ValidateClusterRole`.

use super::rbac;
use super::typed::Typed;
use crate::{Cell, Column, DEFAULT_COLUMNS, FieldError, Kind, KindRef, Kube, Names, Path};
use crate::{labels, names};
use k8s_openapi::api::rbac::v1::ClusterRole;
use naru_sim::Time;

static KIND: Kind = Names::new(rbac::GROUP, "v1", "ClusterRole", "clusterroles", "clusterrole")
    .cluster_scoped()
    .kind(&ClusterRoleStrategy);

impl Kube for ClusterRole {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct ClusterRoleStrategy;

impl Typed for ClusterRoleStrategy {
    type Object = ClusterRole;

    const COLUMNS: &'static [Column] = DEFAULT_COLUMNS;

    const ALLOW_CREATE_ON_UPDATE: bool = true;

    fn validate_name(&self, name: &str) -> Vec<String> {
        names::path_segment(name)
    }

    fn validate(&self, role: &ClusterRole) -> Vec<FieldError> {
        let mut errors = rbac::validate_rules(role.rules.as_deref(), false);
        let Some(aggregation) = &role.aggregation_rule else { return errors };
        let path = Path::new("aggregationRule");
        let list = path.child("clusterRoleSelectors");
        let selectors = aggregation.cluster_role_selectors.as_deref().unwrap_or_default();
        if selectors.is_empty() {
            let detail = "at least one clusterRoleSelector required if aggregationRule is non-nil";
            errors.push(FieldError::required(list, detail));
        }
        for (index, selector) in selectors.iter().enumerate() {
            errors.extend(labels::validate_selector(selector, &list.index(index)));
            if labels::Selector::from_label_selector(Some(selector)).is_err() {
                // Upstream shows the selector that it could not make.
                let detail = "invalid label selector.";
                errors.push(FieldError::invalid(list.index(index), "null", detail));
            }
        }
        errors
    }

    fn cells(&self, role: &ClusterRole, _: Time) -> Vec<Cell> {
        super::default_cells(&role.metadata)
    }
}
