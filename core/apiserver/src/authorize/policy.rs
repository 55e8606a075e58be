//! Roles and bindings in a compact text: the format of `assets/rbac`.
//!
//! A line without an indent begins an object, the indented lines below it fill it:
//!
//! ```text
//! clusterrole system:kube-scheduler
//!   get,list,watch in core,apps on pods,replicasets
//!   get at /healthz
//! clusterrolebinding system:kube-scheduler to clusterrole system:kube-scheduler
//!   user system:kube-scheduler
//! ```
//!
//! Upstream makes and mends the bootstrap policy in `pkg/registry/rbac/rest/storage_rbac.go`.

use crate::server::loopback;
use crate::{ApiServer, keys};
use naru_api::k8s_openapi::api::rbac::v1::{
    AggregationRule, ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef,
    Subject,
};
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use naru_api::request::Body;
use naru_api::{ApiService, Object, Op, Request, status::ApiResult};

/// The policy that every API server has.
pub(super) const BOOTSTRAP: &str = include_str!("../../../../assets/rbac/bootstrap.policy");

const GROUP: &str = "rbac.authorization.k8s.io";

/// The mark of roles and bindings that an API server makes itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bootstrapping;

/// A line of a policy that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the policy: {text:?}")]
pub(crate) struct PolicyError {
    line: usize,
    text: String,
}

impl ApiServer {
    /// Makes those objects that are not there.
    pub(super) fn ensure(&mut self, objects: Vec<Object>) -> ApiResult<()> {
        for object in objects {
            let key = keys::of_object(&object.kind(), object.namespace(), object.name());
            if self.store.get(&key).is_some() {
                continue;
            }
            let request = Request {
                namespace: object.namespace().to_owned(),
                ..Request::new(
                    loopback(),
                    "kube-apiserver".into(),
                    object.kind(),
                    Op::Create(Body::Object(object)),
                )
            };
            self.handle(request)?;
        }
        Ok(())
    }
}

/// What a line that begins an object has said so far, filled by the lines below it.
#[derive(Debug, Default)]
struct Draft {
    kind: String,
    metadata: ObjectMeta,
    rules: Vec<PolicyRule>,
    aggregation: Vec<LabelSelector>,
    role: RoleRef,
    subjects: Vec<Subject>,
}

/// Reads a policy.
pub(super) fn parse(text: &str, mark: Option<Bootstrapping>) -> Result<Vec<Object>, PolicyError> {
    let mut objects = Vec::new();
    let mut draft: Option<Draft> = None;
    for (number, text) in (1..).zip(text.lines()) {
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.is_empty() || text.starts_with('#') {
            continue;
        }
        let read = if text.starts_with(' ') {
            draft.as_mut().and_then(|draft| draft.fill(&words))
        } else {
            objects.extend(draft.take().map(Draft::finish));
            draft = Draft::begin(&words, mark);
            draft.is_some().then_some(())
        };
        read.ok_or_else(|| PolicyError { line: number, text: text.to_owned() })?;
    }
    objects.extend(draft.map(Draft::finish));
    Ok(objects)
}

impl Draft {
    fn begin(words: &[&str], mark: Option<Bootstrapping>) -> Option<Draft> {
        let (kind, name, role) = match words {
            [kind @ ("clusterrole" | "role"), name] => (kind, name, RoleRef::default()),
            [kind @ ("clusterrolebinding" | "rolebinding"), name, "to", role_kind, role] => {
                let kind_of_role = match *role_kind {
                    "clusterrole" => "ClusterRole",
                    "role" => "Role",
                    _ => return None,
                };
                let role = RoleRef {
                    api_group: GROUP.to_owned(),
                    kind: kind_of_role.to_owned(),
                    name: (*role).to_owned(),
                };
                (kind, name, role)
            }
            _ => return None,
        };
        let (namespace, name) = match name.split_once('/') {
            Some((namespace, name)) => (Some(namespace.to_owned()), name),
            None => (None, *name),
        };
        let pair = |key: &str, value: &str| [(key.to_owned(), value.to_owned())].into();
        let label = || pair("kubernetes.io/bootstrapping", "rbac-defaults");
        let annotation = || pair("rbac.authorization.kubernetes.io/autoupdate", "true");
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            namespace,
            labels: mark.map(|_| label()),
            annotations: mark.map(|_| annotation()),
            ..ObjectMeta::default()
        };
        Some(Draft { kind: (*kind).to_owned(), metadata, role, ..Draft::default() })
    }

    fn fill(&mut self, words: &[&str]) -> Option<()> {
        match words {
            ["label", label] => {
                let labels = self.metadata.labels.get_or_insert_default();
                labels.insert((*label).to_owned(), "true".to_owned());
            }
            ["aggregate", label] => {
                let labels = [((*label).to_owned(), "true".to_owned())].into();
                let selector =
                    LabelSelector { match_labels: Some(labels), match_expressions: None };
                self.aggregation.push(selector);
            }
            [kind @ ("user" | "group" | "serviceaccount"), name] => {
                self.subjects.push(subject(kind, name)?);
            }
            [verbs, "at", urls] => self.rules.push(PolicyRule {
                verbs: split(verbs),
                non_resource_urls: Some(split(urls)),
                ..PolicyRule::default()
            }),
            [verbs, "in", groups, "on", resources, rest @ ..] => {
                let groups =
                    groups.split(',').map(|group| if group == "core" { "" } else { group });
                let resource_names = match rest {
                    [] => None,
                    ["named", names] => Some(split(names)),
                    _ => return None,
                };
                self.rules.push(PolicyRule {
                    verbs: split(verbs),
                    api_groups: Some(groups.map(str::to_owned).collect()),
                    resources: Some(split(resources)),
                    resource_names,
                    ..PolicyRule::default()
                });
            }
            _ => return None,
        }
        Some(())
    }

    fn finish(self) -> Object {
        let Draft { kind, metadata, rules, aggregation, role, subjects } = self;
        let rules = (!rules.is_empty()).then_some(rules);
        let subjects = (!subjects.is_empty()).then_some(subjects);
        match kind.as_str() {
            "clusterrole" => {
                let cluster_role_selectors = (!aggregation.is_empty()).then_some(aggregation);
                let aggregation_rule = cluster_role_selectors
                    .map(|all| AggregationRule { cluster_role_selectors: Some(all) });
                Object::new(ClusterRole { aggregation_rule, metadata, rules })
            }
            "role" => Object::new(Role { metadata, rules }),
            "clusterrolebinding" => {
                Object::new(ClusterRoleBinding { metadata, role_ref: role, subjects })
            }
            _ => Object::new(RoleBinding { metadata, role_ref: role, subjects }),
        }
    }
}

fn subject(kind: &str, name: &str) -> Option<Subject> {
    let group = Some(GROUP.to_owned());
    Some(match kind {
        "serviceaccount" => {
            let (namespace, name) = name.split_once('/')?;
            Subject {
                kind: "ServiceAccount".to_owned(),
                name: name.to_owned(),
                namespace: Some(namespace.to_owned()),
                api_group: None,
            }
        }
        _ => Subject {
            kind: if kind == "user" { "User" } else { "Group" }.to_owned(),
            name: name.to_owned(),
            namespace: None,
            api_group: group,
        },
    })
}

fn split(list: &str) -> Vec<String> {
    list.split(',').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_become_objects() {
        let text = "# words\n\nclusterrole a\n  label l\n  aggregate m\n  get,list in core,apps on \
                    pods named web\n  get at /x\nrolebinding ns/b to clusterrole a\n  user u\n  \
                    serviceaccount kube-system/c\n";
        let objects = parse(text, Some(Bootstrapping)).unwrap();
        let [role, binding] = objects.as_slice() else { panic!("two objects") };
        let role = role.to_json().unwrap();
        assert_eq!(
            role["rules"],
            json!([
                {"verbs": ["get", "list"], "apiGroups": ["", "apps"], "resources": ["pods"],
                    "resourceNames": ["web"]},
                {"verbs": ["get"], "nonResourceURLs": ["/x"]},
            ])
        );
        let labels = json!({"kubernetes.io/bootstrapping": "rbac-defaults", "l": "true"});
        assert_eq!(role["metadata"]["labels"], labels);
        assert_eq!(role["aggregationRule"]["clusterRoleSelectors"][0]["matchLabels"]["m"], "true");
        let binding = binding.to_json().unwrap();
        assert_eq!(binding["metadata"]["namespace"], "ns");
        assert_eq!(binding["roleRef"]["name"], "a");
        let subjects = json!([
            {"apiGroup": GROUP, "kind": "User", "name": "u"},
            {"kind": "ServiceAccount", "name": "c", "namespace": "kube-system"},
        ]);
        assert_eq!(binding["subjects"], subjects);
    }

    #[test]
    fn lines_that_say_nothing_are_errors() {
        let table =
            ["clusterrole", "what a", "  get at /x", "clusterrole a\n  get", "role a\n  x y z"];
        for text in table {
            assert!(parse(text, None).is_err(), "{text}");
        }
    }

    #[test]
    fn the_bootstrap_policy_is_whole() {
        let objects = parse(BOOTSTRAP, Some(Bootstrapping)).unwrap();
        let count = |kind: &str| objects.iter().filter(|object| object.kind().kind == kind).count();
        let kinds = ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
        assert_eq!(kinds.map(count), [66, 47, 7, 7]);
    }
}
