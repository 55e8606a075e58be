//! Whether somebody may do something, and by which binding: for people who look on.

use super::{Attributes, AuthorizationMode, Decision, Resource, Target, is_privileged, rules};
use crate::ApiServer;
use naru_api::UserInfo;
use naru_api::k8s_openapi::api::rbac::v1::Subject;

/// What is asked about.
#[derive(Clone, Copy, Debug)]
pub struct PermissionFor<'a> {
    /// Who.
    pub user: &'a UserInfo,
    /// `get`, `create`, ….
    pub verb: &'a str,
    /// `apps`, or "".
    pub group: &'a str,
    /// `deployments`.
    pub resource: &'a str,
    /// The namespace; "" is the whole cluster.
    pub namespace: &'a str,
}

/// Why something is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permission {
    /// The binding: kind, namespace or "", name. `None`: no binding was needed.
    pub binding: Option<(String, String, String)>,
    /// The role that it leads to: kind and name.
    pub role: (String, String),
    /// Whom the binding names: kind and name.
    pub subject: (String, String),
    /// Only objects of these names; empty is all.
    pub names: Vec<String>,
}

impl ApiServer {
    /// Why the user may do this; `None` if they may not. What is allowed for objects of some names
    /// only comes last.
    pub fn permission(&self, asked: &PermissionFor<'_>) -> Option<Permission> {
        let PermissionFor { user, verb, group, resource, namespace } = *asked;
        let authorizer = &self.authorizer;
        if authorizer.mode == AuthorizationMode::AlwaysAllow || is_privileged(user) {
            return Some(Permission::default());
        }
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let asked = Resource { group, resource, subresource, namespace, ..Resource::default() };
        let target = Target::Resource(asked);
        let attributes = Attributes { user, verb, target };
        if let Decision::Allow(_) = authorizer.nodes.authorize(&attributes, &*self.store) {
            return Some(Permission::default());
        }
        let mut some_names = None;
        for (binding, found) in authorizer.rbac.granted(user, namespace) {
            for rule in found {
                let names = rules::list(&rule.resource_names);
                let named = names.first().map_or("", String::as_str);
                let target =
                    Target::Resource(Resource { name: named, ..resource_of(&attributes.target) });
                if !rules::allows(rule, &Attributes { target, ..attributes }) {
                    continue;
                }
                let (role, subject) = super::rbac::parties(binding, user);
                let subject = subject.map(name_of).unwrap_or_default();
                let kind = binding.kind().kind.to_string();
                let (space, name) = (binding.namespace().to_owned(), binding.name().to_owned());
                let permission = Permission {
                    binding: Some((kind, space, name)),
                    role,
                    subject,
                    names: names.to_vec(),
                };
                if names.is_empty() {
                    return Some(permission);
                }
                some_names.get_or_insert(permission);
            }
        }
        some_names
    }
}

fn resource_of<'a>(target: &Target<'a>) -> Resource<'a> {
    match target {
        Target::Resource(resource) => *resource,
        Target::Path(_) => Resource::default(),
    }
}

fn name_of(subject: &Subject) -> (String, String) {
    let name = match subject.namespace.as_deref() {
        Some(namespace) if !namespace.is_empty() => format!("{namespace}/{}", subject.name),
        _ => subject.name.clone(),
    };
    (subject.kind.clone(), name)
}
