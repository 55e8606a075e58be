//! What is computed of Deployments and their ReplicaSets.
//!
//! Upstream: `pkg/controller/deployment/util/deployment_util.go`.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use naru_api::intstr::scaled;
use naru_api::time::{from_meta, meta_time};
use naru_sim::Time;
use std::time::Duration;

pub const REVISION: &str = "deployment.kubernetes.io/revision";
pub const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
pub const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
pub const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";
pub const TEMPLATE_HASH: &str = "pod-template-hash";
/// The history annotation is kept below this many characters.
const REVISION_HISTORY_MAX: usize = 2000;

pub const PROGRESSING: &str = "Progressing";
pub const AVAILABLE: &str = "Available";
pub const REPLICA_FAILURE: &str = "ReplicaFailure";
pub const NEW_RS_AVAILABLE: &str = "NewReplicaSetAvailable";
pub const TIMED_OUT: &str = "ProgressDeadlineExceeded";
pub const PAUSED: &str = "DeploymentPaused";

pub fn replicas(deployment: &Deployment) -> i32 {
    deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
}

pub fn rs_replicas(rs: &ReplicaSet) -> i32 {
    rs.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
}

pub fn rs_available(rs: &ReplicaSet) -> i32 {
    rs.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0)
}

pub fn rs_ready(rs: &ReplicaSet) -> i32 {
    rs.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0)
}

/// How many pods there are, whatever is asked for.
pub fn rs_actual(rs: &ReplicaSet) -> i32 {
    rs.status.as_ref().map_or(0, |status| status.replicas)
}

pub fn sum<'a>(sets: impl Iterator<Item = &'a ReplicaSet>, of: fn(&ReplicaSet) -> i32) -> i32 {
    sets.map(of).sum()
}

pub fn is_rolling_update(deployment: &Deployment) -> bool {
    let strategy = deployment.spec.as_ref().and_then(|spec| spec.strategy.as_ref());
    strategy.and_then(|strategy| strategy.type_.as_deref()) != Some("Recreate")
}

/// How many pods may be missing during a rollout.
pub fn max_unavailable(deployment: &Deployment) -> i32 {
    let replicas = replicas(deployment);
    if !is_rolling_update(deployment) || replicas == 0 {
        return 0;
    }
    fenceposts(deployment).1.min(replicas)
}

/// How many pods may be there beyond what is asked for during a rollout.
pub fn max_surge(deployment: &Deployment) -> i32 {
    if is_rolling_update(deployment) { fenceposts(deployment).0 } else { 0 }
}

/// Surge, rounded up, and unavailable, rounded down; not both 0, or nothing could ever move.
fn fenceposts(deployment: &Deployment) -> (i32, i32) {
    let rolling = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.strategy.as_ref())
        .and_then(|strategy| strategy.rolling_update.as_ref());
    let part = |value: Option<&IntOrString>, round_up| {
        value.and_then(|value| scaled(value, replicas(deployment), round_up)).unwrap_or(0)
    };
    let surge = part(rolling.and_then(|rolling| rolling.max_surge.as_ref()), true);
    let unavailable = part(rolling.and_then(|rolling| rolling.max_unavailable.as_ref()), false);
    if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
}

/// How many replicas the newest ReplicaSet should have now. `total` is what all of them ask for.
pub fn new_rs_new_replicas(deployment: &Deployment, total: i32, new: i32) -> i32 {
    let wanted = replicas(deployment);
    if !is_rolling_update(deployment) {
        return wanted;
    }
    let most = wanted + max_surge(deployment);
    if total >= most {
        return new;
    }
    new + (most - total).min(wanted - new)
}

/// How many of `to_add` replicas (negative: to take away), of which `added` are given out, a
/// ReplicaSet gets: in proportion to its size.
pub fn proportion(rs: &ReplicaSet, deployment: &Deployment, to_add: i32, added: i32) -> i32 {
    if rs_replicas(rs) == 0 || to_add == 0 || to_add == added {
        return 0;
    }
    let (share, allowed) = (fraction(rs, deployment), to_add - added);
    if to_add > 0 { share.min(allowed) } else { share.max(allowed) }
}

fn fraction(rs: &ReplicaSet, deployment: &Deployment) -> i32 {
    let size = rs_replicas(rs);
    if replicas(deployment) == 0 {
        return -size;
    }
    let most = replicas(deployment) + max_surge(deployment);
    let before = number(annotation(rs, MAX_REPLICAS)).filter(|most| *most != 0);
    let before = before.unwrap_or_else(|| {
        deployment.status.as_ref().and_then(|status| status.replicas).unwrap_or(0)
    });
    if before == 0 {
        return 0;
    }
    let new_size = f64::from(size) * f64::from(most) / f64::from(before);
    new_size.round() as i32 - size
}

pub fn annotation<'a>(rs: &'a ReplicaSet, name: &str) -> Option<&'a str> {
    rs.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

fn number(text: Option<&str>) -> Option<i32> {
    text?.parse().ok()
}

/// What the ReplicaSet was told that the Deployment asks for.
pub fn desired_replicas(rs: &ReplicaSet) -> Option<i32> {
    number(annotation(rs, DESIRED_REPLICAS))
}

pub fn revision(rs: &ReplicaSet) -> i64 {
    annotation(rs, REVISION).and_then(|revision| revision.parse().ok()).unwrap_or(0)
}

/// Notes on the ReplicaSet what the Deployment asks for; returns whether that is news.
pub fn set_replicas_annotations(rs: &mut ReplicaSet, deployment: &Deployment) -> bool {
    let wanted = replicas(deployment);
    let most = wanted + max_surge(deployment);
    let annotations = rs.metadata.annotations.get_or_insert_default();
    let mut news = false;
    for (name, value) in [(DESIRED_REPLICAS, wanted), (MAX_REPLICAS, most)] {
        let value = value.to_string();
        news |= annotations.insert(name.to_owned(), value.clone()) != Some(value);
    }
    news
}

/// Gives the newest ReplicaSet the Deployment's annotations and its revision; returns whether
/// that is news.
pub fn set_new_rs_annotations(deployment: &Deployment, rs: &mut ReplicaSet, revision: i64) -> bool {
    const NOT_COPIED: [&str; 6] = [
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        REVISION_HISTORY,
        DESIRED_REPLICAS,
        MAX_REPLICAS,
        "deprecated.deployment.rollback.to",
    ];
    let annotations = rs.metadata.annotations.get_or_insert_default();
    let mut news = false;
    for (name, value) in deployment.metadata.annotations.iter().flatten() {
        if !NOT_COPIED.contains(&name.as_str()) {
            news |= annotations.insert(name.clone(), value.clone()).as_ref() != Some(value);
        }
    }
    let old = annotations.get(REVISION).cloned();
    let before: i64 = old.as_deref().and_then(|old| old.parse().ok()).unwrap_or(0);
    if before < revision {
        annotations.insert(REVISION.to_owned(), revision.to_string());
        news = true;
        if let Some(old) = old {
            let history = annotations.entry(REVISION_HISTORY.to_owned()).or_default();
            *history = longer_history(history, &old);
        }
    }
    news
}

/// The history with one revision more; the oldest are dropped when it gets too long.
fn longer_history(history: &str, revision: &str) -> String {
    let mut revisions: Vec<&str> = history.split(',').filter(|text| !text.is_empty()).collect();
    revisions.push(revision);
    let mut text = revisions.join(",");
    while text.len() > REVISION_HISTORY_MAX {
        let Some((_, rest)) = text.split_once(',') else { break };
        text = rest.to_owned();
    }
    text
}

/// Whether two templates are the same but for the hash.
pub fn same_template(a: Option<&PodTemplateSpec>, b: Option<&PodTemplateSpec>) -> bool {
    let without_hash = |template: Option<&PodTemplateSpec>| {
        let mut template = template.cloned().unwrap_or_default();
        if let Some(labels) = template.metadata.as_mut().and_then(|meta| meta.labels.as_mut()) {
            labels.remove(TEMPLATE_HASH);
        }
        template
    };
    without_hash(a) == without_hash(b)
}

pub fn condition<'a>(status: &'a DeploymentStatus, type_: &str) -> Option<&'a DeploymentCondition> {
    status.conditions.as_ref()?.iter().find(|condition| condition.type_ == type_)
}

pub fn new_condition(
    type_: &str,
    status: &str,
    reason: &str,
    message: impl Into<String>,
    now: Time,
) -> DeploymentCondition {
    DeploymentCondition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.into()),
        last_update_time: Some(meta_time(now)),
        last_transition_time: Some(meta_time(now)),
    }
}

/// Sets a condition, unless there is one with the same status and reason.
pub fn set_condition(status: &mut DeploymentStatus, mut new: DeploymentCondition) {
    if let Some(old) = condition(status, &new.type_) {
        if old.status == new.status && old.reason == new.reason {
            return;
        }
        if old.status == new.status {
            new.last_transition_time = old.last_transition_time.clone();
        }
    }
    remove_condition(status, &new.type_.clone());
    status.conditions.get_or_insert_default().push(new);
}

pub fn remove_condition(status: &mut DeploymentStatus, type_: &str) {
    let Some(conditions) = &mut status.conditions else { return };
    conditions.retain(|condition| condition.type_ != type_);
    if conditions.is_empty() {
        status.conditions = None;
    }
}

/// The progress deadline; upstream takes the greatest number for none.
pub fn progress_deadline(deployment: &Deployment) -> Option<Duration> {
    let seconds = deployment.spec.as_ref()?.progress_deadline_seconds?;
    let seconds = u64::try_from(seconds).ok().filter(|_| seconds != i32::MAX)?;
    Some(Duration::from_secs(seconds))
}

/// All pods are of the newest template and available.
pub fn is_complete(deployment: &Deployment, status: &DeploymentStatus) -> bool {
    let wanted = replicas(deployment);
    status.updated_replicas.unwrap_or(0) == wanted
        && status.replicas.unwrap_or(0) == wanted
        && status.available_replicas.unwrap_or(0) == wanted
        && status.observed_generation >= deployment.metadata.generation
}

/// Something has moved since the last status.
pub fn is_progressing(deployment: &Deployment, new: &DeploymentStatus) -> bool {
    let old = deployment.status.clone().unwrap_or_default();
    let updated = |status: &DeploymentStatus| status.updated_replicas.unwrap_or(0);
    let outdated = |status: &DeploymentStatus| status.replicas.unwrap_or(0) - updated(status);
    updated(new) > updated(&old)
        || outdated(new) < outdated(&old)
        || new.ready_replicas > old.ready_replicas
        || new.available_replicas > old.available_replicas
}

/// Nothing has moved for too long.
pub fn is_timed_out(deployment: &Deployment, new: &DeploymentStatus, now: Time) -> bool {
    let Some(deadline) = progress_deadline(deployment) else { return false };
    let Some(progressing) = condition(new, PROGRESSING) else { return false };
    match progressing.reason.as_deref() {
        Some(NEW_RS_AVAILABLE) => false,
        Some(TIMED_OUT) => true,
        _ => {
            let since = progressing.last_update_time.as_ref().map_or(Time::ZERO, from_meta);
            since + deadline < now
        }
    }
}

/// Older first; of the same age by name.
pub fn by_creation(a: &ReplicaSet, b: &ReplicaSet) -> std::cmp::Ordering {
    let created = |rs: &ReplicaSet| rs.metadata.creation_timestamp.as_ref().map(from_meta);
    created(a).cmp(&created(b)).then_with(|| a.metadata.name.cmp(&b.metadata.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::apps::v1::{
        DeploymentSpec, DeploymentStrategy, ReplicaSetSpec, RollingUpdateDeployment,
    };

    fn deployment(replicas: i32, surge: &str, unavailable: &str) -> Deployment {
        let value = |text: &str| match text.parse() {
            Ok(number) => IntOrString::Int(number),
            Err(_) => IntOrString::String(text.to_owned()),
        };
        let strategy = DeploymentStrategy {
            type_: Some("RollingUpdate".to_owned()),
            rolling_update: Some(RollingUpdateDeployment {
                max_surge: Some(value(surge)),
                max_unavailable: Some(value(unavailable)),
            }),
        };
        Deployment {
            spec: Some(DeploymentSpec {
                replicas: Some(replicas),
                strategy: Some(strategy),
                ..DeploymentSpec::default()
            }),
            ..Deployment::default()
        }
    }

    fn rs(replicas: i32, most: &str) -> ReplicaSet {
        let spec = ReplicaSetSpec { replicas: Some(replicas), ..ReplicaSetSpec::default() };
        let mut rs = ReplicaSet { spec: Some(spec), ..ReplicaSet::default() };
        rs.metadata.annotations = Some([(MAX_REPLICAS.to_owned(), most.to_owned())].into());
        rs
    }

    #[test]
    fn surge_is_rounded_up_and_unavailable_down() {
        let cases = [
            (3, "25%", "25%", 1, 0),
            (10, "25%", "25%", 3, 2),
            (4, "0", "0", 0, 1),
            (2, "1", "5", 1, 2),
            (0, "25%", "25%", 0, 0),
        ];
        for (replicas, surge, unavailable, expected_surge, expected_unavailable) in cases {
            let deployment = deployment(replicas, surge, unavailable);
            assert_eq!(max_surge(&deployment), expected_surge, "{replicas} {surge}");
            assert_eq!(max_unavailable(&deployment), expected_unavailable, "{unavailable}");
        }
    }

    #[test]
    fn the_new_set_grows_as_far_as_surge_allows() {
        // (replicas, surge, all, new, expected)
        let cases =
            [(10, "3", 10, 0, 3), (10, "3", 13, 3, 3), (10, "3", 9, 8, 10), (3, "25%", 0, 0, 3)];
        for (replicas, surge, total, new, expected) in cases {
            let deployment = deployment(replicas, surge, "0");
            assert_eq!(new_rs_new_replicas(&deployment, total, new), expected);
        }
    }

    #[test]
    fn replicas_are_given_out_in_proportion() {
        // From 10 (+3) to 20 (+5): a set of 8 of 13 grows to 15, one of 5 to 10.
        let large = deployment(20, "25%", "0");
        assert_eq!(proportion(&rs(8, "13"), &large, 12, 0), 7);
        assert_eq!(proportion(&rs(5, "13"), &large, 12, 7), 5);
        assert_eq!(proportion(&rs(5, "13"), &large, 12, 10), 2);
        assert_eq!(proportion(&rs(0, "13"), &large, 12, 0), 0);
        let none = deployment(0, "25%", "0");
        assert_eq!(proportion(&rs(5, "13"), &none, -13, 0), -5);
    }

    #[test]
    fn the_history_grows_and_is_cut() {
        assert_eq!(longer_history("", "1"), "1");
        assert_eq!(longer_history("1,3", "5"), "1,3,5");
        let long = vec!["1234567"; 300].join(",");
        assert!(longer_history(&long, "9").len() <= REVISION_HISTORY_MAX);
    }
}
