//! Nobody gives away what they do not have: checks on writing roles and bindings.
//!
//! Upstream: `pkg/registry/rbac/escalation_check.go`, `pkg/registry/rbac/*/policybased/storage.go`,
//! `ConfirmNoEscalation`.

use super::{Attributes, Decision, Resource, Target, covers, is_privileged};
use crate::ApiServer;
use naru_api::k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef,
};
use naru_api::{ApiError, Object, Request, gofmt, status::ApiResult};

const GROUP: &str = "rbac.authorization.k8s.io";

impl ApiServer {
    /// Refuses a role or a binding that would give more than its writer has. `old` is the object
    /// before an update.
    pub(crate) fn check_escalation(
        &self,
        request: &Request,
        new: &Object,
        old: Option<&Object>,
    ) -> ApiResult<()> {
        if request.kind.group != GROUP || is_privileged(&request.user) {
            return Ok(());
        }
        if old.is_some_and(|old| only_for_garbage_collector(new, old)) {
            return Ok(());
        }
        if let Some(role) = new.get::<ClusterRole>() {
            let aggregates = |role: &ClusterRole| {
                let rule = role.aggregation_rule.as_ref();
                rule.and_then(|rule| rule.cluster_role_selectors.as_ref())
                    .is_some_and(|selectors| !selectors.is_empty())
            };
            let old = old.and_then(|old| old.get::<ClusterRole>());
            let aggregates = aggregates(role) || old.is_some_and(aggregates);
            self.check_role(request, role.rules.as_deref().unwrap_or_default(), aggregates, new)
        } else if let Some(role) = new.get::<Role>() {
            self.check_role(request, role.rules.as_deref().unwrap_or_default(), false, new)
        } else if let Some(binding) = new.get::<ClusterRoleBinding>() {
            self.check_binding_of_role(request, &binding.role_ref, new)
        } else if let Some(binding) = new.get::<RoleBinding>() {
            self.check_binding_of_role(request, &binding.role_ref, new)
        } else {
            Ok(())
        }
    }

    fn check_role(
        &self,
        request: &Request,
        rules: &[PolicyRule],
        aggregates: bool,
        new: &Object,
    ) -> ApiResult<()> {
        let (kind, namespace) = (&request.kind, request.namespace.as_str());
        if self.may(request, "escalate", Resource::of(kind, namespace, &request.name)) {
            return Ok(());
        }
        self.confirm_no_escalation(request, rules, new)?;
        if aggregates && self.confirm_no_escalation(request, &full_authority(), new).is_err() {
            let why = "must have cluster-admin privileges to use the aggregationRule";
            return Err(ApiError::forbidden(kind, new.name(), why));
        }
        Ok(())
    }

    fn check_binding_of_role(
        &self,
        request: &Request,
        role: &RoleRef,
        new: &Object,
    ) -> ApiResult<()> {
        let resource = match role.kind.as_str() {
            "ClusterRole" => "clusterroles",
            "Role" => "roles",
            // Refused by validation.
            _ => return Ok(()),
        };
        let namespace = request.namespace.as_str();
        let asked = Resource {
            group: &role.api_group,
            resource,
            namespace,
            name: &role.name,
            ..Resource::default()
        };
        if self.may(request, "bind", asked) {
            return Ok(());
        }
        let rules = self.authorizer.rbac.rules_of_role(role, namespace).map_err(|missing| {
            ApiError::not_found_resource(GROUP, missing.singular, &missing.name)
        })?;
        self.confirm_no_escalation(request, rules, new)
    }

    fn may(&self, request: &Request, verb: &str, resource: Resource<'_>) -> bool {
        let target = Target::Resource(resource);
        let attributes = Attributes { user: &request.user, verb, target };
        matches!(self.authorizer.authorize(&attributes, &*self.store), Decision::Allow(_))
    }

    fn confirm_no_escalation(
        &self,
        request: &Request,
        wanted: &[PolicyRule],
        new: &Object,
    ) -> ApiResult<()> {
        let user = &request.user;
        let (held, _) = self.authorizer.rules_for(user, &request.namespace);
        let missing = covers::missing(&held.rules, wanted);
        if missing.is_empty() {
            return Ok(());
        }
        let groups: Vec<String> = user.groups.iter().map(|group| gofmt::quote(group)).collect();
        let lines: Vec<String> = missing.into_iter().collect();
        let mut why = format!(
            "user {} (groups=[{}]) is attempting to grant RBAC permissions not currently held:\n{}",
            gofmt::quote(&user.name),
            groups.join(" "),
            lines.join("\n")
        );
        if !held.errors.is_empty() {
            let errors = super::rbac::aggregate(held.errors);
            why.push_str(&format!("; resolution errors: [{errors}]"));
        }
        Err(ApiError::forbidden(&request.kind, new.name(), &why))
    }
}

fn full_authority() -> [PolicyRule; 2] {
    let all = || vec!["*".to_owned()];
    [
        PolicyRule {
            verbs: all(),
            api_groups: Some(all()),
            resources: Some(all()),
            ..PolicyRule::default()
        },
        PolicyRule { verbs: all(), non_resource_urls: Some(all()), ..PolicyRule::default() },
    ]
}

/// Whether an update changes only what the garbage collector changes before it deletes.
fn only_for_garbage_collector(new: &Object, old: &Object) -> bool {
    let mut new = new.clone();
    let meta = new.meta_mut();
    meta.owner_references.clone_from(&old.meta().owner_references);
    meta.finalizers.clone_from(&old.meta().finalizers);
    meta.managed_fields.clone_from(&old.meta().managed_fields);
    new == *old
}
