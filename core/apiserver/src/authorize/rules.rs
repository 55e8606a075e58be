//! Whether a rule of a role allows something.
//!
//! Upstream: `pkg/apis/rbac/v1/evaluation_helpers.go`, `RuleAllows` in
//! `plugin/pkg/auth/authorizer/rbac/rbac.go`.

use super::{Attributes, Resource, Target};
use naru_api::k8s_openapi::api::rbac::v1::PolicyRule;

/// Whether the rule allows what is asked for.
pub(crate) fn allows(rule: &PolicyRule, attributes: &Attributes<'_>) -> bool {
    if !has(&rule.verbs, attributes.verb) {
        return false;
    }
    match &attributes.target {
        Target::Resource(resource) => resource_matches(rule, resource),
        Target::Path(path) => list(&rule.non_resource_urls).iter().any(|url| covers(url, path)),
    }
}

fn resource_matches(rule: &PolicyRule, asked: &Resource<'_>) -> bool {
    let names = list(&rule.resource_names);
    has(list(&rule.api_groups), asked.group)
        && list(&rule.resources).iter().any(|resource| same_resource(resource, asked))
        && (names.is_empty() || names.iter().any(|name| name == asked.name))
}

/// `pods`, `pods/log`, `*/scale`, `*`.
fn same_resource(rule: &str, asked: &Resource<'_>) -> bool {
    match (rule.split_once('/'), asked.subresource) {
        (None, "") => rule == "*" || rule == asked.resource,
        (None, _) => rule == "*",
        (Some(_), "") => false,
        (Some((resource, subresource)), asked_subresource) => {
            subresource == asked_subresource && (resource == "*" || resource == asked.resource)
        }
    }
}

/// Whether a rule's URL, which may end with a star, is or includes the path.
pub(super) fn covers(url: &str, path: &str) -> bool {
    url == path || url.ends_with('*') && path.starts_with(url.trim_end_matches('*'))
}

/// Whether the list holds this or everything.
pub(super) fn has(list: &[String], wanted: &str) -> bool {
    list.iter().any(|item| item == "*" || item == wanted)
}

pub(super) fn list(list: &Option<Vec<String>>) -> &[String] {
    list.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_api::UserInfo;
    use serde_json::{Value, json};

    fn allowed(rule: &Value, verb: &str, target: Target<'_>) -> bool {
        let rule: PolicyRule = serde_json::from_value(rule.clone()).unwrap();
        let user = UserInfo::new("u", &[]);
        allows(&rule, &Attributes { user: &user, verb, target })
    }

    #[test]
    fn resources_of_rules() {
        let pods = |name, subresource| Resource {
            resource: "pods",
            name,
            subresource,
            ..Resource::default()
        };
        let deployments = Resource { group: "apps", resource: "deployments", ..pods("", "") };
        let rule = |resources: &[&str]| json!({"verbs": ["get"], "apiGroups": [""], "resources": resources});
        let named = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["pods"],
            "resourceNames": ["web"]});
        let table = [
            (rule(&["pods"]), "get", pods("", ""), true),
            (rule(&["pods"]), "list", pods("", ""), false),
            (rule(&["pods"]), "get", deployments, false),
            (rule(&["pods"]), "get", pods("web", "log"), false),
            (rule(&["pods/log"]), "get", pods("web", "log"), true),
            (rule(&["pods/log"]), "get", pods("web", ""), false),
            (rule(&["*/log"]), "get", pods("web", "log"), true),
            (rule(&["*/log"]), "get", pods("web", "exec"), false),
            (rule(&["*/log"]), "get", pods("web", ""), false),
            (rule(&["services", "*"]), "get", pods("web", "log"), true),
            (named.clone(), "delete", pods("web", ""), true),
            (named.clone(), "delete", pods("db", ""), false),
            (named, "list", pods("", ""), false),
        ];
        for (rule, verb, resource, wanted) in table {
            let found = allowed(&rule, verb, Target::Resource(resource));
            assert_eq!(found, wanted, "{rule} {verb} {resource:?}");
        }
    }

    #[test]
    fn paths_of_rules() {
        let rule = |urls: &[&str]| json!({"verbs": ["get"], "nonResourceURLs": urls});
        let table = [
            (rule(&["/healthz"]), "/healthz", true),
            (rule(&["/healthz"]), "/healthz/etcd", false),
            (rule(&["/healthz/*"]), "/healthz/etcd", true),
            (rule(&["/healthz/*"]), "/healthz", false),
            (rule(&["*"]), "/metrics", true),
            (rule(&[]), "/metrics", false),
        ];
        for (rule, path, wanted) in table {
            assert_eq!(allowed(&rule, "get", Target::Path(path)), wanted, "{rule} {path}");
            assert!(!allowed(&rule, "post", Target::Path(path)), "{rule} {path}");
        }
        assert!(!allowed(&rule(&["*"]), "get", Target::Resource(Resource::default())));
    }
}
