//! The RBAC authorizer: roles and bindings, indexed by subject.
//!
//! Upstream: `plugin/pkg/auth/authorizer/rbac/rbac.go`, `pkg/registry/rbac/validation/rule.go`.

use super::{Attributes, Decision, Grant, Target, rules};
use crate::store::Change;
use naru_api::k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use naru_api::{Key, Object, UserInfo, gofmt};
use std::collections::BTreeMap;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Every role and binding. Those of the cluster have the namespace "".
#[derive(Clone, Debug, Default)]
pub(crate) struct Rbac {
    /// By namespace and name.
    roles: BTreeMap<String, BTreeMap<String, Object>>,
    bindings: BTreeMap<Key, Object>,
    users: Index,
    groups: Index,
}

/// Keys of bindings by the name of a subject and by namespace.
type Index = BTreeMap<String, BTreeMap<String, Vec<Key>>>;

/// The rules that apply to somebody.
#[derive(Debug, Default)]
pub(crate) struct RulesFor<'a> {
    /// Rules, of bindings in the order of their names.
    pub(crate) rules: Vec<&'a PolicyRule>,
    /// Bindings that lead to no role.
    pub(crate) errors: Vec<String>,
}

/// Whether a change is one of a role or a binding.
pub(crate) fn concerns(change: &Change) -> bool {
    change.after.as_ref().or(change.before.as_ref()).is_some_and(|o| o.kind().group == GROUP)
}

impl Rbac {
    /// Learns from a committed change.
    pub(crate) fn observe(&mut self, change: &Change) {
        change.before.iter().for_each(|object| self.forget(object));
        change.after.iter().for_each(|object| self.learn(object));
    }

    fn learn(&mut self, object: &Object) {
        let key = object.key();
        if is_role(object) {
            self.roles.entry(key.namespace).or_default().insert(key.name, object.clone());
            return;
        }
        for subject in subjects(object) {
            if let Some((index, name)) = self.index(subject, &key.namespace) {
                let keys = index.entry(name).or_default().entry(key.namespace.clone()).or_default();
                if !keys.contains(&key) {
                    keys.push(key.clone());
                    keys.sort();
                }
            }
        }
        self.bindings.insert(key, object.clone());
    }

    fn forget(&mut self, object: &Object) {
        let key = object.key();
        if is_role(object) {
            if let Some(roles) = self.roles.get_mut(&key.namespace) {
                roles.remove(&key.name);
            }
            return;
        }
        for subject in subjects(object) {
            let Some((index, name)) = self.index(subject, &key.namespace) else { continue };
            let Some(of_subject) = index.get_mut(&name) else { continue };
            if let Some(keys) = of_subject.get_mut(&key.namespace) {
                keys.retain(|other| *other != key);
                if keys.is_empty() {
                    of_subject.remove(&key.namespace);
                }
            }
            if of_subject.is_empty() {
                index.remove(&name);
            }
        }
        self.bindings.remove(&key);
    }

    /// Where a subject is looked up, and under which name.
    fn index(&mut self, subject: &Subject, namespace: &str) -> Option<(&mut Index, String)> {
        match subject.kind.as_str() {
            "User" => Some((&mut self.users, subject.name.clone())),
            "Group" => Some((&mut self.groups, subject.name.clone())),
            "ServiceAccount" => {
                let given = subject.namespace.as_deref().filter(|given| !given.is_empty());
                let namespace = given.unwrap_or(namespace);
                let name = format!("system:serviceaccount:{namespace}:{}", subject.name);
                (!namespace.is_empty()).then_some((&mut self.users, name))
            }
            _ => None,
        }
    }

    /// Whether one of the roles that the user has allows this.
    pub(crate) fn authorize(&self, attributes: &Attributes<'_>) -> Decision<'_> {
        let namespace = match &attributes.target {
            Target::Resource(resource) => resource.namespace,
            Target::Path(_) => "",
        };
        let mut errors = Vec::new();
        for binding in self.bindings_of(attributes.user, namespace) {
            match self.rules_of(binding) {
                Ok(rules) => {
                    if rules.iter().any(|rule| rules::allows(rule, attributes)) {
                        let subject = subject_of(binding, attributes.user);
                        return Decision::Allow(Grant::Binding(binding, subject));
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            return Decision::NoOpinion(String::new());
        }
        Decision::NoOpinion(format!("RBAC: {}", aggregate(errors)))
    }

    /// Every rule that applies to the user in the namespace.
    pub(crate) fn rules_for(&self, user: &UserInfo, namespace: &str) -> RulesFor<'_> {
        let mut found = RulesFor::default();
        for binding in self.bindings_of(user, namespace) {
            match self.rules_of(binding) {
                Ok(rules) => found.rules.extend(rules),
                Err(error) => found.errors.push(error),
            }
        }
        found
    }

    /// The bindings that apply to the user in the namespace, each with the rules that it grants.
    pub(crate) fn granted<'a, 'b>(
        &'a self,
        user: &'b UserInfo,
        namespace: &'b str,
    ) -> impl Iterator<Item = (&'a Object, &'a [PolicyRule])> + use<'a, 'b> {
        let rules = move |binding: &'a Object| Some((binding, self.rules_of(binding).ok()?));
        self.bindings_of(user, namespace).filter_map(rules)
    }

    /// The rules of the role that is referred to, seen from a namespace.
    pub(crate) fn rules_of_role(
        &self,
        reference: &RoleRef,
        namespace: &str,
    ) -> Result<&[PolicyRule], RoleNotFound> {
        let (namespace, singular) = match reference.kind.as_str() {
            "Role" => (namespace, "role"),
            _ => ("", "clusterrole"),
        };
        let found = self.roles.get(namespace).and_then(|roles| roles.get(&reference.name));
        let Some(role) = found else {
            return Err(RoleNotFound { singular, name: reference.name.clone() });
        };
        let rules = match role.get::<ClusterRole>() {
            Some(role) => role.rules.as_deref(),
            None => role.get::<Role>().and_then(|role| role.rules.as_deref()),
        };
        Ok(rules.unwrap_or_default())
    }

    fn rules_of(&self, binding: &Object) -> Result<&[PolicyRule], String> {
        let Some(reference) = reference(binding) else { return Ok(&[]) };
        self.rules_of_role(reference, binding.namespace()).map_err(|error| error.to_string())
    }

    /// The bindings that name the user, or a group of theirs: first those of the cluster.
    fn bindings_of<'a, 'b>(
        &'a self,
        user: &'b UserInfo,
        namespace: &'b str,
    ) -> impl Iterator<Item = &'a Object> + use<'a, 'b> {
        let subjects = move || {
            let groups = user.groups.iter().filter_map(|group| self.groups.get(&**group));
            self.users.get(&*user.name).into_iter().chain(groups)
        };
        let scopes = ["", namespace];
        let count = if namespace.is_empty() { 1 } else { 2 };
        scopes
            .into_iter()
            .take(count)
            .flat_map(move |scope| subjects().filter_map(move |found| found.get(scope)))
            .flatten()
            .filter_map(|key| self.bindings.get(key))
    }
}

/// A binding names a role that is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{singular}.{GROUP} {} not found", gofmt::quote(name))]
pub(crate) struct RoleNotFound {
    pub(crate) singular: &'static str,
    pub(crate) name: String,
}

/// `RBAC: allowed by RoleBinding "x/default" of Role "y" to User "z"`.
pub(super) fn describe(binding: &Object, subject: usize) -> String {
    let (name, namespace) = (binding.name(), binding.namespace());
    let quoted = match namespace {
        "" => gofmt::quote(name),
        namespace => gofmt::quote(&format!("{name}/{namespace}")),
    };
    let to = subjects(binding).get(subject).map(|subject| {
        let name = match (subject.kind.as_str(), subject.namespace.as_deref()) {
            ("ServiceAccount", None | Some("")) => format!("{}/{namespace}", subject.name),
            ("ServiceAccount", Some(own)) => format!("{}/{own}", subject.name),
            _ => subject.name.clone(),
        };
        format!("{} {}", subject.kind, gofmt::quote(&name))
    });
    let role = reference(binding).map(|role| format!("{} {}", role.kind, gofmt::quote(&role.name)));
    format!(
        "RBAC: allowed by {} {quoted} of {} to {}",
        binding.kind().kind,
        role.unwrap_or_default(),
        to.unwrap_or_default()
    )
}

/// The role that a binding leads to (kind and name), and its first subject that means the user.
pub(super) fn parties<'a>(
    binding: &'a Object,
    user: &UserInfo,
) -> ((String, String), Option<&'a Subject>) {
    let role = reference(binding).map(|role| (role.kind.clone(), role.name.clone()));
    (role.unwrap_or_default(), subjects(binding).get(subject_of(binding, user)))
}

/// Several errors as Go joins them: each once, in brackets.
pub(crate) fn aggregate(errors: Vec<String>) -> String {
    let mut once: Vec<String> = Vec::new();
    for error in errors {
        if !once.contains(&error) {
            once.push(error);
        }
    }
    match once.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

/// The index of the first subject of a binding that means the user.
fn subject_of(binding: &Object, user: &UserInfo) -> usize {
    let namespace = binding.namespace();
    let applies = |subject: &Subject| match subject.kind.as_str() {
        "User" => subject.name == *user.name,
        "Group" => user.groups.iter().any(|group| **group == subject.name),
        _ => {
            let given = subject.namespace.as_deref().filter(|given| !given.is_empty());
            let rest = user.name.strip_prefix("system:serviceaccount:");
            rest.and_then(|rest| rest.split_once(':'))
                == Some((given.unwrap_or(namespace), subject.name.as_str()))
        }
    };
    subjects(binding).iter().position(applies).unwrap_or(0)
}

fn is_role(object: &Object) -> bool {
    object.get::<ClusterRole>().is_some() || object.get::<Role>().is_some()
}

fn subjects(binding: &Object) -> &[Subject] {
    let subjects = match binding.get::<ClusterRoleBinding>() {
        Some(binding) => binding.subjects.as_deref(),
        None => binding.get::<RoleBinding>().and_then(|binding| binding.subjects.as_deref()),
    };
    subjects.unwrap_or_default()
}

fn reference(binding: &Object) -> Option<&RoleRef> {
    match binding.get::<ClusterRoleBinding>() {
        Some(binding) => Some(&binding.role_ref),
        None => binding.get::<RoleBinding>().map(|binding| &binding.role_ref),
    }
}
