//! API Priority and Fairness: the flow schemas and priority levels that every cluster has.
//!
//! Upstream: `apiserver/pkg/apis/flowcontrol/bootstrap/default.go`.

use crate::FieldError;
use k8s_openapi::api::flowcontrol::v1::{
    ExemptPriorityLevelConfiguration, FlowDistinguisherMethod, FlowSchema, FlowSchemaSpec,
    GroupSubject, LimitResponse, LimitedPriorityLevelConfiguration, NonResourcePolicyRule,
    PolicyRulesWithSubjects, PriorityLevelConfiguration, PriorityLevelConfigurationReference,
    PriorityLevelConfigurationSpec, QueuingConfiguration, ResourcePolicyRule,
    ServiceAccountSubject, Subject, UserSubject,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeSet;

/// The API group.
pub const GROUP: &str = "flowcontrol.apiserver.k8s.io";
/// The annotation of what the API server keeps as it made it. Upstream: `AutoUpdateAnnotationKey`.
pub const AUTO_UPDATE: &str = "apf.kubernetes.io/autoupdate-spec";
/// The condition of a flow schema whose priority level is not there.
pub const DANGLING: &str = "Dangling";
/// The name of the schema and of the level of what is never held back.
pub const EXEMPT: &str = "exempt";
/// The name of the schema and of the level of what goes by no other.
pub const CATCH_ALL: &str = "catch-all";
/// What a flow schema may be about.
pub const SUBJECT_KINDS: &[&str] = &["Group", "ServiceAccount", "User"];

/// Whether an object must be there as it is, or may be changed by an administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bootstrap {
    /// `suggested`.
    Suggested,
    /// `mandatory`.
    Mandatory,
}

/// A priority level a line: its name; and of those that are not exempt the shares, what percentage
/// of them it lends, and of those that queue the queues, the hand and the length.
const SUGGESTED_LEVELS: &str = "\
system 30 33 64 6 50
node-high 40 25 64 6 50
leader-election 10 0 16 4 50
workload-high 40 50 128 6 50
workload-low 100 90 128 6 50
global-default 20 50 128 6 50";
const MANDATORY_LEVELS: &str = "\
exempt
catch-all 5 0";

/// A flow schema a line: its name, its priority level, its precedence, what tells flows apart (or
/// `-`), the subjects (groups `g=`, users `u=`, service accounts `s=`), and its rules:
/// `VERBS:GROUP:RESOURCES` in every namespace, with `+` for what is in none too; `VERBS:PATHS` of
/// what is no resource; `*` is everything.
const SUGGESTED_SCHEMAS: &str = "\
system-nodes system 500 ByUser g=system:nodes *
system-node-high node-high 400 ByUser g=system:nodes *::nodes,nodes/status:+ *:coordination.k8s.io:leases
probes exempt 2 - g=system:unauthenticated,g=system:authenticated get:/healthz,/readyz,/livez
system-leader-election leader-election 100 ByUser u=system:kube-controller-manager,u=system:kube-scheduler,s=* get,create,update:coordination.k8s.io:leases
workload-leader-election leader-election 200 ByUser s=* get,create,update::endpoints,configmaps get,create,update:coordination.k8s.io:leases
endpoint-controller workload-high 150 ByUser u=system:kube-controller-manager,s=endpoint-controller,s=endpointslicemirroring-controller get,create,update::endpoints
kube-controller-manager workload-high 800 ByNamespace u=system:kube-controller-manager *
kube-scheduler workload-high 800 ByNamespace u=system:kube-scheduler *
kube-system-service-accounts workload-high 900 ByNamespace s=* *
service-accounts workload-low 9000 ByUser g=system:serviceaccounts *
global-default global-default 9900 ByUser g=system:unauthenticated,g=system:authenticated *";
const MANDATORY_SCHEMAS: &str = "\
exempt exempt 1 - g=system:masters *
catch-all catch-all 10000 ByUser g=system:unauthenticated,g=system:authenticated *";

/// The flow schemas that every cluster has, in the order in which they are made.
pub fn flow_schemas(bootstrap: Bootstrap) -> impl Iterator<Item = FlowSchema> {
    let lines = match bootstrap {
        Bootstrap::Suggested => SUGGESTED_SCHEMAS,
        Bootstrap::Mandatory => MANDATORY_SCHEMAS,
    };
    lines.lines().map(schema)
}

/// The priority levels that every cluster has, in the order in which they are made.
pub fn priority_levels(bootstrap: Bootstrap) -> impl Iterator<Item = PriorityLevelConfiguration> {
    let lines = match bootstrap {
        Bootstrap::Suggested => SUGGESTED_LEVELS,
        Bootstrap::Mandatory => MANDATORY_LEVELS,
    };
    lines.lines().map(level)
}

/// What a flow schema must be, if it is one that must be there.
pub(crate) fn mandatory_flow_schema(name: &str) -> Option<FlowSchemaSpec> {
    let named = |schema: &FlowSchema| schema.metadata.name.as_deref() == Some(name);
    flow_schemas(Bootstrap::Mandatory).find(named)?.spec
}

/// What a priority level must be, if it is one that must be there.
pub(crate) fn mandatory_priority_level(name: &str) -> Option<PriorityLevelConfigurationSpec> {
    let named = |level: &PriorityLevelConfiguration| level.metadata.name.as_deref() == Some(name);
    priority_levels(Bootstrap::Mandatory).find(named)?.spec
}

/// Whether two specs say the same: an empty list is none, and a flag that is not given is off.
///
/// Upstream: `equality.Semantic.DeepEqual`.
pub fn same_schema(one: &FlowSchemaSpec, other: &FlowSchemaSpec) -> bool {
    plain(one) == plain(other)
}

fn plain(spec: &FlowSchemaSpec) -> FlowSchemaSpec {
    fn drop_empty<T>(list: &mut Option<Vec<T>>) {
        list.take_if(|list| list.is_empty());
    }
    let mut spec = spec.clone();
    drop_empty(&mut spec.rules);
    for rules in spec.rules.iter_mut().flatten() {
        drop_empty(&mut rules.resource_rules);
        drop_empty(&mut rules.non_resource_rules);
        for rule in rules.resource_rules.iter_mut().flatten() {
            drop_empty(&mut rule.namespaces);
            rule.cluster_scope.take_if(|on| !*on);
        }
    }
    spec
}

/// What is wrong with the types of conditions.
///
/// Upstream: `ValidateFlowSchemaStatus`, `ValidatePriorityLevelConfigurationStatus`.
pub(crate) fn validate_conditions<'t>(
    types: impl Iterator<Item = Option<&'t str>>,
) -> Vec<FieldError> {
    let mut seen = BTreeSet::new();
    let mut errors = Vec::new();
    for (index, type_) in types.map(Option::unwrap_or_default).enumerate() {
        let path = format!("status.conditions[{index}].type");
        if !seen.insert(type_) {
            errors.push(FieldError::duplicate(&path, type_));
        }
        if type_.is_empty() {
            errors.push(FieldError::required(&path, "must not be empty"));
        }
    }
    errors
}

fn metadata(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        annotations: Some([(AUTO_UPDATE.to_owned(), "true".to_owned())].into()),
        ..ObjectMeta::default()
    }
}

fn level(line: &str) -> PriorityLevelConfiguration {
    let mut words = line.split(' ');
    let name = words.next().unwrap_or_default();
    let mut number = || words.next().and_then(|word| word.parse::<i32>().ok());
    let spec = match number() {
        None => PriorityLevelConfigurationSpec {
            type_: "Exempt".to_owned(),
            exempt: Some(ExemptPriorityLevelConfiguration {
                nominal_concurrency_shares: Some(0),
                lendable_percent: Some(0),
            }),
            limited: None,
        },
        shares => {
            let lends = number();
            let queues = number();
            let queuing = queues.map(|_| QueuingConfiguration {
                queues,
                hand_size: number(),
                queue_length_limit: number(),
            });
            let type_ = if queuing.is_some() { "Queue" } else { "Reject" }.to_owned();
            PriorityLevelConfigurationSpec {
                type_: "Limited".to_owned(),
                limited: Some(LimitedPriorityLevelConfiguration {
                    nominal_concurrency_shares: shares,
                    lendable_percent: lends,
                    limit_response: Some(LimitResponse { type_, queuing }),
                    borrowing_limit_percent: None,
                }),
                exempt: None,
            }
        }
    };
    PriorityLevelConfiguration { metadata: metadata(name), spec: Some(spec), status: None }
}

fn schema(line: &str) -> FlowSchema {
    let mut words = line.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let (name, level) = (word(), word());
    let (precedence, method, subjects) = (word().parse().ok(), word(), word());
    let mut rules = PolicyRulesWithSubjects {
        subjects: subjects.split(',').map(subject).collect(),
        ..PolicyRulesWithSubjects::default()
    };
    for text in words {
        rule(text, &mut rules);
    }
    FlowSchema {
        metadata: metadata(name),
        spec: Some(FlowSchemaSpec {
            priority_level_configuration: PriorityLevelConfigurationReference {
                name: level.to_owned(),
            },
            matching_precedence: precedence,
            distinguisher_method: Some(FlowDistinguisherMethod { type_: method.to_owned() })
                .filter(|method| method.type_ != "-"),
            rules: Some(vec![rules]),
        }),
        status: None,
    }
}

fn subject(text: &str) -> Subject {
    let (kind, name) = text.split_once('=').unwrap_or_default();
    let name = name.to_owned();
    let mut subject = Subject::default();
    let kind = match kind {
        "g" => {
            subject.group = Some(GroupSubject { name });
            "Group"
        }
        "u" => {
            subject.user = Some(UserSubject { name });
            "User"
        }
        _ => {
            let namespace = "kube-system".to_owned();
            subject.service_account = Some(ServiceAccountSubject { name, namespace });
            "ServiceAccount"
        }
    };
    kind.clone_into(&mut subject.kind);
    subject
}

fn rule(text: &str, rules: &mut PolicyRulesWithSubjects) {
    let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
    let parts: Vec<&str> = text.split(':').collect();
    let (resource, other) = match parts.as_slice() {
        [verbs, group, resources, scope @ ..] => {
            (Some((*verbs, *group, *resources, !scope.is_empty())), None)
        }
        [verbs, paths] => (None, Some((*verbs, *paths))),
        _ => (Some(("*", "*", "*", true)), Some(("*", "*"))),
    };
    if let Some((verbs, group, resources, cluster)) = resource {
        rules.resource_rules.get_or_insert_default().push(ResourcePolicyRule {
            verbs: list(verbs),
            api_groups: list(group),
            resources: list(resources),
            cluster_scope: cluster.then_some(true),
            namespaces: Some(list("*")),
        });
    }
    if let Some((verbs, paths)) = other {
        rules
            .non_resource_rules
            .get_or_insert_default()
            .push(NonResourcePolicyRule { verbs: list(verbs), non_resource_urls: list(paths) });
    }
}
