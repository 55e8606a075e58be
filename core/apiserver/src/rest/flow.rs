//! By which flow schema a request goes, and at which priority level: what an answer's headers say,
//! and how many went by each.
//!
//! Upstream: `startRequest` and `digestFlowSchemasLocked` in
//! `apiserver/pkg/util/flowcontrol/apf_controller.go`, `apiserver/pkg/util/flowcontrol/rule.go`,
//! `apiserver/pkg/server/filters/priority-and-fairness.go`.

use super::info::RequestInfo;
use crate::flowcontrol::{is_whole, level_of};
use crate::{ApiServer, keys};
use naru_api::flowcontrol::{self, Bootstrap, CATCH_ALL, EXEMPT};
use naru_api::k8s_openapi::api::core::v1::Namespace;
use naru_api::k8s_openapi::api::flowcontrol::v1::{
    FlowSchema, NonResourcePolicyRule, PolicyRulesWithSubjects, PriorityLevelConfiguration,
    ResourcePolicyRule, Subject,
};
use naru_api::service::WatchRequest;
use naru_api::{Kind, Kube, Object, Request, UserInfo};
use std::sync::Arc;

/// Subresources whose requests last. Upstream: `LongRunningFunc` in
/// `pkg/controlplane/apiserver/config.go`.
const LONG_RUNNING: [&str; 5] = ["attach", "exec", "proxy", "log", "portforward"];
/// Pairs of a schema and a level that are told apart; requests of more are not counted.
const FLOWS_MAX: usize = 1_000;

/// What of a request its flow schema is chosen by.
pub(crate) struct Asks<'a> {
    user: &'a UserInfo,
    verb: &'a str,
    /// What else than a resource it is for.
    path: Option<&'a str>,
    group: &'a str,
    resource: &'a str,
    subresource: &'a str,
    namespace: &'a str,
}

impl<'a> Asks<'a> {
    /// A request for objects of a kind.
    pub(crate) fn of_kind(
        user: &'a UserInfo,
        verb: &'a str,
        kind: &'a Kind,
        namespace: &'a str,
    ) -> Self {
        let (group, resource) = (&*kind.group, &*kind.plural);
        Asks { user, verb, path: None, group, resource, subresource: "", namespace }
    }

    pub(crate) fn of(request: &'a Request) -> Self {
        let Request { user, kind, namespace, name, subresource, .. } = request;
        // A namespace is in itself.
        let is_namespace = kind.plural == Namespace::kind().plural && kind.group.is_empty();
        let namespace = if is_namespace { name } else { namespace };
        Asks { subresource, ..Asks::of_kind(user, request.op.verb(), kind, namespace) }
    }

    pub(crate) fn watch(request: &'a WatchRequest) -> Self {
        Asks::of_kind(&request.user, "watch", &request.kind, &request.namespace)
    }

    fn of_path(user: &'a UserInfo, info: &'a RequestInfo) -> Self {
        Asks {
            user,
            verb: info.verb,
            path: (!info.is_resource).then_some(&info.path),
            group: &info.group,
            resource: &info.resource,
            subresource: &info.subresource,
            namespace: &info.namespace,
        }
    }
}

/// A schema with its level, and which of the counted flows its requests are.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub schema: Object,
    pub level: Object,
    pub flow: usize,
}

/// Requests of one schema at one level that were let through.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    pub schema: Arc<str>,
    pub level: Arc<str>,
    /// All but watches.
    pub regular: u64,
    pub watches: u64,
}

impl Flow {
    pub(crate) fn total(&self) -> u64 {
        self.regular + self.watches
    }
}

/// The schemas by which requests go, and the requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flows {
    /// In the order in which they are tried; none are known when that may have changed.
    ways: Option<Arc<[Way]>>,
    all: Vec<Flow>,
    /// By which way the request goes that is being answered by HTTP. It is counted already.
    pub answered: Option<Way>,
}

impl Flows {
    /// Schemas or levels have changed.
    pub(crate) fn forget_ways(&mut self) {
        self.ways = None;
    }

    pub(crate) fn forget_counts(&mut self) {
        for flow in &mut self.all {
            (flow.regular, flow.watches) = (0, 0);
        }
    }

    /// In the order in which they were first there.
    pub(crate) fn all(&self) -> &[Flow] {
        &self.all
    }

    /// How many requests went by a level.
    pub(crate) fn dispatched(&self, level: &str) -> u64 {
        self.all.iter().filter(|flow| &*flow.level == level).map(Flow::total).sum()
    }

    /// Counts a request, if it is not counted already.
    pub(crate) fn count(&mut self, flow: usize, verb: &str) {
        if self.answered.is_some() {
            return;
        }
        if let Some(flow) = self.all.get_mut(flow) {
            *(if verb == "watch" { &mut flow.watches } else { &mut flow.regular }) += 1;
        }
    }

    /// The number of a flow; of those that are too many one that is not there.
    fn number(&mut self, schema: &str, level: &str) -> usize {
        let same = |flow: &Flow| *flow.schema == *schema && *flow.level == *level;
        let number = self.all.iter().position(same).unwrap_or(self.all.len());
        if number == self.all.len() && number < FLOWS_MAX {
            let (schema, level) = (schema.into(), level.into());
            self.all.push(Flow { schema, level, regular: 0, watches: 0 });
        }
        number
    }
}

impl ApiServer {
    /// The priority levels that are used, by their names: of those that must be there it is imagined
    /// what is not.
    pub(super) fn flow_levels(&self) -> Vec<Object> {
        let stored = self.store.range(&keys::of_kind(&PriorityLevelConfiguration::kind()));
        let mut levels: Vec<Object> = stored.filter(|level| is_whole(level)).cloned().collect();
        for level in flowcontrol::priority_levels(Bootstrap::Mandatory).map(Object::new) {
            if levels.iter().all(|stored| stored.name() != level.name()) {
                levels.push(level);
            }
        }
        levels.sort_by(|one, other| one.name().cmp(other.name()));
        levels
    }

    /// The schemas that are used, in the order in which they are tried.
    fn flow_ways(&mut self) -> Arc<[Way]> {
        if let Some(ways) = &self.flow_control.flows.ways {
            return Arc::clone(ways);
        }
        let levels = self.flow_levels();
        let flows = &mut self.flow_control.flows;
        let mut way = |schema: Object| {
            let name = level_of(schema.get::<FlowSchema>()?);
            let level = levels.iter().find(|level| level.name() == name)?.clone();
            Some(Way { flow: flows.number(schema.name(), name), level, schema })
        };
        let stored = self.store.range(&keys::of_kind(&FlowSchema::kind()));
        // A level that is only imagined is nobody's who is stored.
        let mut ways: Vec<Way> = stored
            .filter_map(|schema| way(schema.clone()))
            .filter(|way| !way.level.uid().is_empty())
            .collect();
        ways.sort_by_cached_key(|way| (precedence(&way.schema), way.schema.name().to_owned()));
        for schema in flowcontrol::flow_schemas(Bootstrap::Mandatory).map(Object::new) {
            if ways.iter().any(|way| way.schema.name() == schema.name()) {
                continue;
            }
            let at = if schema.name() == EXEMPT { 0 } else { ways.len() };
            ways.splice(at..at, way(schema));
        }
        let ways: Arc<[Way]> = ways.into();
        self.flow_control.flows.ways = Some(Arc::clone(&ways));
        ways
    }

    /// By which schema a request goes.
    fn way_of(&mut self, asks: &Asks<'_>) -> Option<Way> {
        let ways = self.flow_ways();
        let named = || ways.iter().find(|way| way.schema.name() == CATCH_ALL);
        ways.iter().find(|way| matches(asks, &way.schema)).or_else(named).cloned()
    }

    /// The flow of a request that is not counted yet.
    pub(crate) fn flow_of(&mut self, asks: &Asks<'_>) -> usize {
        let way = match self.flow_control.flows.answered {
            Some(_) => None,
            None => self.way_of(asks),
        };
        way.map_or(FLOWS_MAX, |way| way.flow)
    }

    /// Counts a request by HTTP, which is answered from now on. What lasts, but for watches, does not
    /// go by any schema.
    pub(super) fn begin_flow(&mut self, user: &UserInfo, info: &RequestInfo) {
        let lasts = info.is_resource && LONG_RUNNING.contains(&info.subresource.as_str())
            || info.path.starts_with("/debug/pprof/");
        if info.verb == "proxy" || lasts && info.verb != "watch" {
            return;
        }
        let way = self.way_of(&Asks::of_path(user, info));
        let flows = &mut self.flow_control.flows;
        if let Some(way) = &way {
            flows.count(way.flow, info.verb);
        }
        flows.answered = way;
    }

    /// The request is answered: the headers that name its schema and its level by their uids.
    pub(super) fn end_flow(&mut self) -> Vec<(&'static str, String)> {
        let Some(way) = self.flow_control.flows.answered.take() else { return Vec::new() };
        vec![
            ("X-Kubernetes-Pf-Flowschema-Uid", way.schema.uid().to_owned()),
            ("X-Kubernetes-Pf-Prioritylevel-Uid", way.level.uid().to_owned()),
        ]
    }
}

fn precedence(schema: &Object) -> i32 {
    let spec = schema.get::<FlowSchema>().and_then(|schema| schema.spec.as_ref());
    spec.and_then(|spec| spec.matching_precedence).unwrap_or(0)
}

fn matches(asks: &Asks<'_>, schema: &Object) -> bool {
    let spec = schema.get::<FlowSchema>().and_then(|schema| schema.spec.as_ref());
    let mut rules = spec.iter().flat_map(|spec| spec.rules.iter().flatten());
    rules.any(|rules: &PolicyRulesWithSubjects| {
        let covered = || match asks.path {
            None => rules.resource_rules.iter().flatten().any(|rule| covers(rule, asks)),
            Some(path) => rules
                .non_resource_rules
                .iter()
                .flatten()
                .any(|rule| covers_path(rule, asks.verb, path)),
        };
        rules.subjects.iter().any(|subject| is_about(subject, asks.user)) && covered()
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

fn covers(rule: &ResourcePolicyRule, asks: &Asks<'_>) -> bool {
    let named = |resource: &String| match resource.split_once('/') {
        None => asks.subresource.is_empty() && resource == asks.resource,
        Some(both) => both == (asks.resource, asks.subresource),
    };
    let all = matches!(rule.resources.as_slice(), [one] if one == "*");
    contains(&rule.verbs, asks.verb)
        && (all || rule.resources.iter().any(named))
        && contains(&rule.api_groups, asks.group)
        && match asks.namespace {
            "" => rule.cluster_scope == Some(true),
            namespace => contains(rule.namespaces.as_deref().unwrap_or_default(), namespace),
        }
}

fn covers_path(rule: &NonResourcePolicyRule, verb: &str, asked: &str) -> bool {
    let covers = |path: &String| {
        let prefix = path.strip_suffix('*').unwrap_or(path);
        let below = asked.strip_prefix(prefix);
        path == "*"
            || *path == asked
            || below.is_some_and(|below| prefix.ends_with('/') || below.starts_with('/'))
    };
    contains(&rule.verbs, verb) && rule.non_resource_urls.iter().any(covers)
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
        let headers = |server: &mut ApiServer, user, path: &str| {
            server.begin_flow(user, &info("GET", path));
            server.end_flow().into_iter().map(|(_, uid)| uid).collect::<Vec<_>>()
        };
        assert_eq!(headers(&mut server, &admin, pods), ["", ""], "what must be there is imagined");
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
            assert_eq!(headers(&mut server, user, path), wanted, "{} {path}", user.name);
        }
    }
}
