//! Roles.
//!
//! Upstream: `pkg/registry/rbac/role/strategy.go`, `ValidateRole`.

use super::rbac;
use super::typed::Typed;
use crate::{Cell, Column, DEFAULT_COLUMNS, FieldError, Kind, KindRef, Kube, Names, names};
use k8s_openapi::api::rbac::v1::Role;
use naru_sim::Time;

static KIND: Kind = Names::new(rbac::GROUP, "v1", "Role", "roles", "role").kind(&RoleStrategy);

impl Kube for Role {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct RoleStrategy;

impl Typed for RoleStrategy {
    type Object = Role;

    const COLUMNS: &'static [Column] = DEFAULT_COLUMNS;

    const ALLOW_CREATE_ON_UPDATE: bool = true;

    fn validate_name(&self, name: &str) -> Vec<String> {
        names::path_segment(name)
    }

    fn validate(&self, role: &Role) -> Vec<FieldError> {
        rbac::validate_rules(role.rules.as_deref(), true)
    }

    fn cells(&self, role: &Role, _: Time) -> Vec<Cell> {
        super::default_cells(&role.metadata)
    }
}
