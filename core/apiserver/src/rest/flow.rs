//! By which flow schema a request goes, and at which priority level: what an answer's headers say.
//!
//! Upstream: `startRequest` in `apiserver/pkg/util/flowcontrol/apf_controller.go`,
//! `apiserver/pkg/util/flowcontrol/rule.go`,
//! `apiserver/pkg/server/filters/priority-and-fairness.go`.

use super::info::RequestInfo;
use crate::flowcontrol::{is_whole, level_of};
use crate::{ApiServer, keys};
use naru_api::flowcontrol::{CATCH_ALL, EXEMPT};
use naru_api::k8s_openapi::api::flowcontrol::v1::{
    FlowSchema, NonResourcePolicyRule, PolicyRulesWithSubjects, PriorityLevelConfiguration,
    ResourcePolicyRule, Subject,
};
use naru_api::{Kube, Object, UserInfo};

/// The group whose requests are never held back. Upstream: `SystemPrivilegedGroup`.
const PRIVILEGED: &str = "system:masters";
/// Subresources whose requests last. Upstream: `LongRunningFunc` in
/// `pkg/controlplane/apiserver/config.go`.
const LONG_RUNNING: [&str; 5] = ["attach", "exec", "proxy", "log", "portforward"];

impl ApiServer {
    /// The headers that name a request's schema and level by their uids. What lasts, but for
    /// watches, does not go by any.
    pub(super) fn flow_headers(
        &self,
        user: &UserInfo,
        info: &RequestInfo,
    ) -> Vec<(&'static str, String)> {
        let lasts = info.is_resource && LONG_RUNNING.contains(&info.subresource.as_str())
            || info.path.starts_with("/debug/pprof/");
        if info.verb == "proxy" || lasts && info.verb != "watch" {
            return Vec::new();
        }
        let (schema, level) = self.flow_of(user, info);
        vec![
            ("X-Kubernetes-Pf-Flowschema-Uid", schema),
            ("X-Kubernetes-Pf-Prioritylevel-Uid", level),
        ]
    }

    /// The uids of the schema and the level; "" of those that must be there and are not.
    fn flow_of(&self, user: &UserInfo, info: &RequestInfo) -> (String, String) {
        let level_kind = PriorityLevelConfiguration::kind();
        let level = |name: &str| {
            let found = self.store.get(&keys::of_object(&level_kind, "", name));
            found.filter(is_whole)
        };
        let all = self.store.range(&keys::of_kind(&FlowSchema::kind()));
        let mut schemas: Vec<(&Object, &FlowSchema, Object)> = all
            .filter_map(|object| {
                let schema = object.get::<FlowSchema>()?;
                Some((object, schema, level(level_of(schema))?))
            })
            .collect();
        schemas.sort_by_key(|(object, schema, _)| (precedence(schema), object.name()));
        let uid = |object: Option<Object>| object.map(|it| it.uid().to_owned()).unwrap_or_default();
        let is_there = |name: &str| schemas.iter().any(|(object, ..)| object.name() == name);
        if !is_there(EXEMPT) && user.groups.iter().any(|group| &**group == PRIVILEGED) {
            return (String::new(), uid(level(EXEMPT)));
        }
        let chosen = schemas.iter().find(|(_, schema, _)| matches(user, info, schema));
        let named = || schemas.iter().find(|(object, ..)| object.name() == CATCH_ALL);
        match chosen.or_else(named) {
            Some((object, _, level)) => (object.uid().to_owned(), level.uid().to_owned()),
            None => (String::new(), uid(level(CATCH_ALL))),
        }
    }
}

fn precedence(schema: &FlowSchema) -> i32 {
    schema.spec.as_ref().and_then(|spec| spec.matching_precedence).unwrap_or(0)
}

fn matches(user: &UserInfo, info: &RequestInfo, schema: &FlowSchema) -> bool {
    let mut rules = schema.spec.iter().flat_map(|spec| spec.rules.iter().flatten());
    rules.any(|rules: &PolicyRulesWithSubjects| {
        let covered = || match info.is_resource {
            true => rules.resource_rules.iter().flatten().any(|rule| covers(rule, info)),
            false => rules.non_resource_rules.iter().flatten().any(|rule| covers_path(rule, info)),
        };
        rules.subjects.iter().any(|subject| is_about(subject, user)) && covered()
    })
}

fn is_about(subject: &Subject, user: &UserInfo) -> bool {
    let account = subject.service_account.as_ref().filter(|_| subject.kind == "ServiceAccount");
    let named = subject.user.as_ref().filter(|_| subject.kind == "User");
    let group = subject.group.as_ref().filter(|_| subject.kind == "Group");
    let by_account = account.is_some_and(|account| {
        let name = user.name.strip_prefix("system:serviceaccount:");
        let (namespace, name) = name.and_then(|name| name.split_once(':')).unwrap_or_default();
        namespace == account.namespace && (account.name == "*" || account.name == name)
    });
    by_account
        || named.is_some_and(|named| named.name == "*" || *named.name == *user.name)
        || group.is_some_and(|group| {
            group.name == "*" || user.groups.iter().any(|own| **own == *group.name)
        })
}

fn contains(list: &[String], text: &str) -> bool {
    matches!(list, [one] if one == "*") || list.iter().any(|one| one == text)
}

fn covers(rule: &ResourcePolicyRule, info: &RequestInfo) -> bool {
    let resource = match info.subresource.as_str() {
        "" => info.resource.clone(),
        subresource => format!("{}/{subresource}", info.resource),
    };
    contains(&rule.verbs, info.verb)
        && contains(&rule.resources, &resource)
        && contains(&rule.api_groups, &info.group)
        && match info.namespace.as_str() {
            "" => rule.cluster_scope == Some(true),
            namespace => contains(rule.namespaces.as_deref().unwrap_or_default(), namespace),
        }
}

fn covers_path(rule: &NonResourcePolicyRule, info: &RequestInfo) -> bool {
    let covers = |path: &String| {
        let prefix = path.strip_suffix('*').unwrap_or(path);
        let below = info.path.strip_prefix(prefix);
        path == "*"
            || *path == info.path
            || below.is_some_and(|below| prefix.ends_with('/') || below.starts_with('/'))
    };
    contains(&rule.verbs, info.verb) && rule.non_resource_urls.iter().any(covers)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use naru_sim::Rng;

    /// The schemas are tried in the order of their precedence, of what every cluster has.
    #[test]
    fn requests_go_by_the_first_schema_that_is_about_them() {
        let mut server = ApiServer::new(Rng::new(1));
        let admin = UserInfo::new("kubernetes-admin", &["system:masters", "system:authenticated"]);
        let node = UserInfo::new("system:node:a", &["system:nodes", "system:authenticated"]);
        let manager = UserInfo::new("system:kube-controller-manager", &["system:authenticated"]);
        let account = UserInfo::service_account;
        let nobody = UserInfo::new("system:anonymous", &["system:unauthenticated"]);
        let pods = "/api/v1/namespaces/default/pods";
        let lease = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/a";
        let info = |method: &str, path: &str| RequestInfo::new(method, path, false).unwrap();
        let headers = |server: &ApiServer, user, path: &str| {
            let headers = server.flow_headers(user, &info("GET", path));
            headers.into_iter().map(|(_, uid)| uid).collect::<Vec<_>>()
        };
        assert_eq!(headers(&server, &admin, pods), ["", ""], "what must be there is imagined");
        server.start_flow_control().unwrap();
        let table = [
            (&admin, pods, "exempt", "exempt"),
            (&nobody, "/livez/ping", "probes", "exempt"),
            (&nobody, "/version", "global-default", "global-default"),
            (&node, pods, "system-nodes", "system"),
            (&node, "/api/v1/nodes/a", "system-node-high", "node-high"),
            (&node, "/api/v1/nodes/a/proxy", "", ""),
            (&node, lease, "system-node-high", "node-high"),
            (&manager, lease, "system-leader-election", "leader-election"),
            (&manager, pods, "kube-controller-manager", "workload-high"),
            (&account("kube-system", "a"), lease, "system-leader-election", "leader-election"),
            (&account("kube-system", "a"), pods, "kube-system-service-accounts", "workload-high"),
            (&account("kube-system-b", "a"), pods, "service-accounts", "workload-low"),
            (&account("default", "a"), &format!("{pods}/a/log"), "", ""),
        ];
        for (user, path, schema, level) in table {
            let uid = |kind, name: &str| server.find(&kind, "", name).unwrap().uid().to_owned();
            let mut wanted = Vec::new();
            if !schema.is_empty() {
                wanted.push(uid(FlowSchema::kind(), schema));
                wanted.push(uid(PriorityLevelConfiguration::kind(), level));
            }
            assert_eq!(headers(&server, user, path), wanted, "{} {path}", user.name);
        }
    }
}
