//! The pod failure policy and the success policy of a job.
//!
//! Upstream: `pkg/controller/job/pod_failure_policy.go` and `success_policy.go`.

use super::indexes::Intervals;
use k8s_openapi::api::batch::v1::{
    PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule, SuccessPolicy,
};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition};

/// What the failure of a pod means for its job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It counts towards the limit, as it does without a policy.
    Count,
    /// It does not count.
    Ignore,
    /// The index of the pod has failed.
    FailIndex,
    /// The job has failed, and why.
    FailJob(String),
}

impl Verdict {
    /// Whether the failure counts towards `backoffLimit`.
    pub fn counts(&self) -> bool {
        *self != Verdict::Ignore
    }
}

/// What the first rule says that a failed pod matches.
pub(super) fn judge_failure(policy: Option<&PodFailurePolicy>, pod: &Pod) -> Verdict {
    let rules = policy.map(|policy| policy.rules.as_slice()).unwrap_or_default();
    for (index, rule) in rules.iter().enumerate() {
        let Some(why) = matches(rule, pod) else { continue };
        match rule.action.as_str() {
            "Ignore" => return Verdict::Ignore,
            "FailIndex" => return Verdict::FailIndex,
            "Count" => return Verdict::Count,
            "FailJob" => {
                let why = format!("{why} matching FailJob rule at index {index}");
                return Verdict::FailJob(why);
            }
            _ => {}
        }
    }
    Verdict::Count
}

/// What of the pod matches the rule, in words.
fn matches(rule: &PodFailurePolicyRule, pod: &Pod) -> Option<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (namespace, name) = (text(&pod.metadata.namespace), text(&pod.metadata.name));
    if let Some(codes) = &rule.on_exit_codes {
        let (status, code) = exit_code(pod, codes)?;
        let container = &status.name;
        return Some(format!(
            "Container {container} for pod {namespace}/{name} failed with exit code {code}"
        ));
    }
    let condition = pod_condition(pod, rule.on_pod_conditions.as_ref()?)?;
    Some(format!("Pod {namespace}/{name} has condition {}", condition.type_))
}

fn exit_code<'a>(
    pod: &'a Pod,
    wanted: &PodFailurePolicyOnExitCodesRequirement,
) -> Option<(&'a ContainerStatus, i32)> {
    let status = pod.status.as_ref()?;
    let lists = [&status.container_statuses, &status.init_container_statuses];
    lists.into_iter().flatten().flatten().find_map(|status| {
        let code = status.state.as_ref()?.terminated.as_ref()?.exit_code;
        let named = wanted.container_name.as_ref().is_none_or(|name| *name == status.name);
        let listed = wanted.values.contains(&code);
        let fits = match wanted.operator.as_str() {
            "In" => listed,
            "NotIn" => !listed,
            _ => false,
        };
        (named && code != 0 && fits).then_some((status, code))
    })
}

fn pod_condition<'a>(
    pod: &'a Pod,
    wanted: &[PodFailurePolicyOnPodConditionsPattern],
) -> Option<&'a PodCondition> {
    pod.status.as_ref()?.conditions.as_ref()?.iter().find(|condition| {
        let fits = |pattern: &PodFailurePolicyOnPodConditionsPattern| {
            pattern.type_ == condition.type_ && pattern.status == condition.status
        };
        wanted.iter().any(fits)
    })
}

/// The message of the first rule of the success policy that the completed indexes satisfy.
pub(super) fn judge_success(
    policy: Option<&SuccessPolicy>,
    completions: i32,
    completed: &Intervals,
) -> Option<String> {
    if completed.is_empty() {
        return None;
    }
    let met = policy?.rules.iter().position(|rule| {
        let enough = |count: i32| rule.succeeded_count.is_some_and(|needed| count >= needed);
        match &rule.succeeded_indexes {
            None => enough(completed.total()),
            Some(list) => {
                let wanted = Intervals::parse(list, completions);
                let both = wanted.overlap(completed);
                !wanted.is_empty() && (both == wanted.total() || enough(both))
            }
        }
    })?;
    Some(format!("Matched rules at index {met}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn verdict(rules: Value, exit: i32, condition: &str) -> Verdict {
        let status = json!({"name": "main", "image": "b", "imageID": "", "ready": false,
            "restartCount": 0, "state": {"terminated": {"exitCode": exit}}});
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"namespace": "default", "name": "p"},
            "status": {"containerStatuses": [status],
                "conditions": [{"type": condition, "status": "True"}]},
        }))
        .unwrap();
        let policy = serde_json::from_value(json!({ "rules": rules })).unwrap();
        judge_failure(Some(&policy), &pod)
    }

    #[test]
    fn failures() {
        let codes = |action: &str, operator: &str, values: Value| json!({"action": action, "onExitCodes": {"operator": operator, "values": values}});
        let gone = json!({"action": "Ignore",
            "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]});
        let stop = codes("FailJob", "In", json!([42]));
        let why = "Container main for pod default/p failed with exit code 42 matching FailJob \
                   rule at index 0";
        assert_eq!(verdict(json!([stop]), 42, "Ready"), Verdict::FailJob(why.to_owned()));
        assert_eq!(verdict(json!([stop]), 1, "Ready"), Verdict::Count);
        assert_eq!(verdict(json!([gone, stop]), 42, "DisruptionTarget"), Verdict::Ignore);
        let others = codes("FailIndex", "NotIn", json!([1]));
        assert_eq!(verdict(json!([others]), 2, "Ready"), Verdict::FailIndex);
        assert_eq!(verdict(json!([others]), 0, "Ready"), Verdict::Count);
        let condition = json!({"action": "FailJob",
            "onPodConditions": [{"type": "ConfigIssue", "status": "True"}]});
        let why = "Pod default/p has condition ConfigIssue matching FailJob rule at index 0";
        assert_eq!(verdict(json!([condition]), 1, "ConfigIssue"), Verdict::FailJob(why.to_owned()));
    }

    #[test]
    fn successes() {
        let met = |rules: Value, completed: &str| {
            let policy = serde_json::from_value(json!({ "rules": rules })).unwrap();
            judge_success(Some(&policy), 10, &Intervals::parse(completed, 10))
        };
        let at = |index: i32| Some(format!("Matched rules at index {index}"));
        assert_eq!(met(json!([{"succeededCount": 2}]), "5"), None);
        assert_eq!(met(json!([{"succeededCount": 2}]), "5,7"), at(0));
        assert_eq!(met(json!([{"succeededIndexes": "0-1"}]), "0,5"), None);
        assert_eq!(met(json!([{"succeededIndexes": "0-1"}]), "0-3"), at(0));
        let both = json!([{"succeededIndexes": "9"},
            {"succeededIndexes": "0-3", "succeededCount": 2}]);
        assert_eq!(met(both.clone(), "0,5"), None);
        assert_eq!(met(both, "0,2"), at(1));
    }
}
