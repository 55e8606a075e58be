//! What the kinds of `rbac.authorization.k8s.io` share.
//!
//! Upstream: `pkg/apis/rbac/validation/validation.go`, `pkg/apis/rbac/v1/defaults.go`,
//! `SubjectsStrings` in `pkg/apis/rbac/helpers.go`.

use crate::podspec::validation::all_invalid;
use crate::{Cell, Column, FieldError, Path, names};
use k8s_openapi::api::rbac::v1::{PolicyRule, RoleRef, Subject};

/// The API group.
pub(super) const GROUP: &str = "rbac.authorization.k8s.io";

/// The columns of both kinds of bindings.
pub(super) const BINDING_COLUMNS: &[Column] = &[
    Column::new("Name"),
    Column::new("Role"),
    Column::new("Age"),
    Column::wide("Users"),
    Column::wide("Groups"),
    Column::wide("ServiceAccounts"),
];

/// The API groups that a binding may leave out.
pub(super) fn default_binding(role: &mut RoleRef, subjects: Option<&mut Vec<Subject>>) {
    if role.api_group.is_empty() {
        role.api_group = GROUP.to_owned();
    }
    for subject in subjects.into_iter().flatten() {
        let group = subject.api_group.as_deref().unwrap_or_default();
        if group.is_empty() && matches!(subject.kind.as_str(), "User" | "Group") {
            subject.api_group = Some(GROUP.to_owned());
        }
    }
}

/// What is wrong with the rules of a role.
pub(super) fn validate_rules(rules: Option<&[PolicyRule]>, namespaced: bool) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let list = Path::new("rules");
    for (index, rule) in rules.unwrap_or_default().iter().enumerate() {
        validate_rule(rule, namespaced, &list.index(index), &mut errors);
    }
    errors
}

fn validate_rule(
    rule: &PolicyRule,
    namespaced: bool,
    item: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    if rule.verbs.is_empty() {
        let detail = "verbs must contain at least one value";
        errors.push(FieldError::required(item.child("verbs"), detail));
    }
    let given = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    if given(&rule.non_resource_urls) {
        let mut invalid = |detail: &str| {
            let urls = rule.non_resource_urls.as_deref().unwrap_or_default();
            let value = format!("[]string{{{}}}", crate::gofmt::quote_all(urls));
            errors.push(FieldError::invalid_raw(item.child("nonResourceURLs"), value, detail));
        };
        if namespaced {
            invalid("namespaced rules cannot apply to non-resource URLs");
        }
        if given(&rule.api_groups) || given(&rule.resources) || given(&rule.resource_names) {
            invalid("rules cannot apply to both regular resources and non-resource URLs");
        }
        return;
    }
    if !given(&rule.api_groups) {
        let detail = "resource rules must supply at least one api group";
        errors.push(FieldError::required(item.child("apiGroups"), detail));
    }
    if !given(&rule.resources) {
        let detail = "resource rules must supply at least one resource";
        errors.push(FieldError::required(item.child("resources"), detail));
    }
}

/// What is wrong with the role that a binding names, one of these kinds, and with its subjects.
pub(super) fn validate_binding(
    role: &RoleRef,
    kinds: &[&str],
    subjects: Option<&[Subject]>,
    namespaced: bool,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let path = Path::new("roleRef");
    if role.api_group != GROUP {
        let field = path.child("apiGroup");
        errors.push(FieldError::not_supported(field, &role.api_group, &[GROUP]));
    }
    if !kinds.contains(&role.kind.as_str()) {
        errors.push(FieldError::not_supported(path.child("kind"), &role.kind, kinds));
    }
    if role.name.is_empty() {
        errors.push(FieldError::required(path.child("name"), ""));
    } else {
        let problems = names::path_segment(&role.name);
        all_invalid(problems, &role.name, &path.child("name"), &mut errors);
    }
    let list = Path::new("subjects");
    for (index, subject) in subjects.unwrap_or_default().iter().enumerate() {
        validate_subject(subject, namespaced, &list.index(index), &mut errors);
    }
    errors
}

fn validate_subject(
    subject: &Subject,
    namespaced: bool,
    item: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let name = item.child("name");
    if subject.name.is_empty() {
        errors.push(FieldError::required(name, ""));
    }
    let group = subject.api_group.as_deref().unwrap_or_default();
    let mut want_group = |wanted: &str| {
        if group != wanted {
            let field = item.child("apiGroup");
            errors.push(FieldError::not_supported(field, group, &[wanted]));
        }
    };
    match subject.kind.as_str() {
        "ServiceAccount" => {
            want_group("");
            if !subject.name.is_empty() {
                let problems = names::dns1123_subdomain(&subject.name);
                all_invalid(problems, &subject.name, &name, errors);
            }
            if !namespaced && subject.namespace.as_deref().unwrap_or_default().is_empty() {
                errors.push(FieldError::required(item.child("namespace"), ""));
            }
        }
        "User" | "Group" => want_group(GROUP),
        kind => {
            let known = &["ServiceAccount", "User", "Group"];
            errors.push(FieldError::not_supported(item.child("kind"), kind, known));
        }
    }
}

/// The role of a binding never changes.
pub(super) fn changed_role(new: &RoleRef, old: &RoleRef) -> Option<FieldError> {
    let value = || {
        format!(
            "rbac.RoleRef{{APIGroup:{:?}, Kind:{:?}, Name:{:?}}}",
            new.api_group, new.kind, new.name
        )
    };
    (new != old).then(|| FieldError::invalid_raw("roleRef", value(), "cannot change roleRef"))
}

/// `ClusterRole/view`.
pub(super) fn role_cell(role: &RoleRef) -> Cell {
    format!("{}/{}", role.kind, role.name).into()
}

/// The cells of `Users`, `Groups` and `ServiceAccounts`.
pub(super) fn subject_cells(subjects: Option<&[Subject]>) -> [Cell; 3] {
    ["User", "Group", "ServiceAccount"].map(|kind| {
        let subjects = subjects.unwrap_or_default().iter();
        let of_kind = subjects.filter(|subject| subject.kind == kind);
        let texts: Vec<String> = of_kind.map(subject_text).collect();
        texts.join(", ").into()
    })
}

/// An account stands behind its namespace.
fn subject_text(subject: &Subject) -> String {
    let namespace = subject.namespace.as_deref().unwrap_or_default();
    match subject.kind.as_str() {
        "ServiceAccount" => format!("{namespace}/{}", subject.name),
        _ => subject.name.clone(),
    }
}
