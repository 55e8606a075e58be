//! Cluster role bindings.
//!
//! Upstream: `pkg/registry/rbac/clusterrolebinding/strategy.go`, `ValidateClusterRoleBinding`,
//! `printClusterRoleBinding`.

use super::typed::Typed;
use super::{cells, rbac};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, names};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use naru_sim::Time;

static KIND: Kind = Names::new(
    rbac::GROUP,
    "v1",
    "ClusterRoleBinding",
    "clusterrolebindings",
    "clusterrolebinding",
)
.cluster_scoped()
.kind(&ClusterRoleBindingStrategy);

impl Kube for ClusterRoleBinding {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct ClusterRoleBindingStrategy;

impl Typed for ClusterRoleBindingStrategy {
    type Object = ClusterRoleBinding;

    const COLUMNS: &'static [Column] = rbac::BINDING_COLUMNS;

    const ALLOW_CREATE_ON_UPDATE: bool = true;

    fn default(&self, binding: &mut ClusterRoleBinding) {
        rbac::default_binding(&mut binding.role_ref, binding.subjects.as_mut());
    }

    fn validate_name(&self, name: &str) -> Vec<String> {
        names::path_segment(name)
    }

    fn validate(&self, binding: &ClusterRoleBinding) -> Vec<FieldError> {
        const KINDS: &[&str] = &["ClusterRole"];
        rbac::validate_binding(&binding.role_ref, KINDS, binding.subjects.as_deref(), false)
    }

    fn validate_update(
        &self,
        new: &ClusterRoleBinding,
        old: &ClusterRoleBinding,
        _: &str,
    ) -> Vec<FieldError> {
        let mut errors = Typed::validate(self, new);
        errors.extend(rbac::changed_role(&new.role_ref, &old.role_ref));
        errors
    }

    fn cells(&self, binding: &ClusterRoleBinding, now: Time) -> Vec<Cell> {
        let mut cells = vec![
            cells::name(&binding.metadata),
            rbac::role_cell(&binding.role_ref),
            cells::age(&binding.metadata, now),
        ];
        cells.extend(rbac::subject_cells(binding.subjects.as_deref()));
        cells
    }
}
