//! Role bindings.
//!
//! Upstream: `pkg/registry/rbac/rolebinding/strategy.go`, `ValidateRoleBinding`,
//! `printRoleBinding`.

use super::typed::Typed;
use super::{cells, rbac};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, names};
use k8s_openapi::api::rbac::v1::RoleBinding;
use naru_sim::Time;

static KIND: Kind = Names::new(rbac::GROUP, "v1", "RoleBinding", "rolebindings", "rolebinding")
    .kind(&RoleBindingStrategy);

impl Kube for RoleBinding {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct RoleBindingStrategy;

impl Typed for RoleBindingStrategy {
    type Object = RoleBinding;

    const COLUMNS: &'static [Column] = rbac::BINDING_COLUMNS;

    const ALLOW_CREATE_ON_UPDATE: bool = true;

    fn default(&self, binding: &mut RoleBinding) {
        rbac::default_binding(&mut binding.role_ref, binding.subjects.as_mut());
    }

    fn validate_name(&self, name: &str) -> Vec<String> {
        names::path_segment(name)
    }

    fn validate(&self, binding: &RoleBinding) -> Vec<FieldError> {
        const KINDS: &[&str] = &["Role", "ClusterRole"];
        rbac::validate_binding(&binding.role_ref, KINDS, binding.subjects.as_deref(), true)
    }

    fn validate_update(&self, new: &RoleBinding, old: &RoleBinding, _: &str) -> Vec<FieldError> {
        let mut errors = Typed::validate(self, new);
        errors.extend(rbac::changed_role(&new.role_ref, &old.role_ref));
        errors
    }

    fn cells(&self, binding: &RoleBinding, now: Time) -> Vec<Cell> {
        let mut cells = vec![
            cells::name(&binding.metadata),
            rbac::role_cell(&binding.role_ref),
            cells::age(&binding.metadata, now),
        ];
        cells.extend(rbac::subject_cells(binding.subjects.as_deref()));
        cells
    }
}
