//! How many pods a metric asks for.
//!
//! Upstream: `pkg/controller/podautoscaler/replica_calculator.go` and `metrics/utilization.go`.

use super::metrics::{Measured, PodMetric};
use k8s_openapi::api::core::v1::{Container, Pod};
use naru_api::pods;
use naru_api::quantity::Amount;
use naru_api::time::from_meta;
use naru_sim::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// A change smaller than this is none. Upstream: `--horizontal-pod-autoscaler-tolerance`.
const TOLERANCE: f64 = 0.1;
/// While a pod is so young, its CPU counts only when it is ready. Upstream:
/// `--horizontal-pod-autoscaler-cpu-initialization-period`.
const CPU_INITIALIZATION: Duration = Duration::from_secs(300);
/// A pod that was not ready for so long after its start was never ready. Upstream:
/// `--horizontal-pod-autoscaler-initial-readiness-delay`.
const READINESS_DELAY: Duration = Duration::from_secs(30);

/// What a metric comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Proposal {
    pub replicas: i32,
    /// Per cent of what the pods request.
    pub utilization: i32,
    /// The average, in thousandths.
    pub value: i64,
}

/// What pods should use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Per cent of what they request.
    Utilization(i32),
    /// The average, in thousandths.
    Value(i64),
}

/// The pods of a workload and what they were measured to use.
pub(super) struct Calculation<'a> {
    pub pods: &'a BTreeMap<String, &'a Pod>,
    pub measured: Measured,
    /// The resource.
    pub resource: &'a str,
    /// The container, or "" for the whole pod.
    pub container: &'a str,
    pub current: i32,
    pub now: Time,
}

/// Pods by whether they count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Groups {
    ready: usize,
    unready: Vec<String>,
    missing: Vec<String>,
    ignored: Vec<String>,
}

/// How much is used of what should be.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Usage {
    ratio: f64,
    utilization: i32,
    value: i64,
}

impl Calculation<'_> {
    /// How many pods it takes to come to the target.
    pub fn run(mut self, target: Target) -> Result<Proposal, String> {
        if self.pods.is_empty() {
            let text = "no pods returned by selector while calculating replica count";
            return Err(text.to_owned());
        }
        let groups = self.groups();
        for name in groups.ignored.iter().chain(&groups.unready) {
            self.measured.remove(name);
        }
        let requests = match target {
            Target::Utilization(_) => self.requests()?,
            Target::Value(_) => BTreeMap::new(),
        };
        if self.measured.is_empty() {
            return Err("did not receive metrics for any ready pods".to_owned());
        }
        let usage = usage(&self.measured, &requests, target)?;
        let replicas = self.replicas(&groups, usage, &requests, target)?;
        Ok(Proposal { replicas, utilization: usage.utilization, value: usage.value })
    }

    fn replicas(
        &mut self,
        groups: &Groups,
        usage: Usage,
        requests: &BTreeMap<String, i64>,
        target: Target,
    ) -> Result<i32, String> {
        let rebalances = !groups.unready.is_empty() && usage.ratio > 1.0;
        if !rebalances && groups.missing.is_empty() {
            return Ok(match is_tolerable(usage.ratio) {
                true => self.current,
                false => ceil(usage.ratio * groups.ready as f64),
            });
        }
        for name in &groups.missing {
            // When there is to be less, what is not known uses all it may; when more, nothing.
            let value = match (usage.ratio < 1.0, target) {
                (true, Target::Utilization(percent)) => {
                    let request = requests.get(name).copied().unwrap_or(0);
                    request.saturating_mul(i64::from(percent.max(100))) / 100
                }
                (true, Target::Value(value)) => value,
                (false, Target::Utilization(_)) if usage.ratio <= 1.0 => continue,
                (false, _) => 0,
            };
            self.assume(name, value);
        }
        if rebalances {
            groups.unready.iter().for_each(|name| self.assume(name, 0));
        }
        let ratio = self::usage(&self.measured, requests, target)?.ratio;
        let turns = (usage.ratio < 1.0 && ratio > 1.0) || (usage.ratio > 1.0 && ratio < 1.0);
        if is_tolerable(ratio) || turns {
            return Ok(self.current);
        }
        let replicas = ceil(ratio * self.measured.len() as f64);
        let turns =
            (ratio < 1.0 && replicas > self.current) || (ratio > 1.0 && replicas < self.current);
        Ok(if turns { self.current } else { replicas })
    }

    fn assume(&mut self, name: &str, value: i64) {
        let metric = PodMetric { timestamp: self.now, window: Duration::ZERO, value };
        self.measured.insert(name.to_owned(), metric);
    }

    fn groups(&self) -> Groups {
        let mut groups = Groups::default();
        for (name, pod) in self.pods {
            if pods::is_terminating(pod) || pods::phase(pod) == "Failed" {
                groups.ignored.push(name.clone());
            } else if pods::phase(pod) == "Pending" {
                groups.unready.push(name.clone());
            } else {
                match self.measured.get(name) {
                    None => groups.missing.push(name.clone()),
                    Some(metric) if self.resource == "cpu" && self.is_unready(pod, *metric) => {
                        groups.unready.push(name.clone());
                    }
                    Some(_) => groups.ready += 1,
                }
            }
        }
        groups
    }

    /// Whether the CPU that a pod used is that of its start.
    fn is_unready(&self, pod: &Pod, metric: PodMetric) -> bool {
        let started = pod.status.as_ref().and_then(|status| status.start_time.as_ref());
        let (Some(ready), Some(started)) = (pods::condition(pod, "Ready"), started) else {
            return true;
        };
        let started = from_meta(started);
        let since = ready.last_transition_time.as_ref().map_or(Time::ZERO, from_meta);
        let not_ready = ready.status == "False";
        if started + CPU_INITIALIZATION > self.now {
            return not_ready || metric.timestamp < since + metric.window;
        }
        not_ready && started + READINESS_DELAY > since
    }

    /// What each pod requests, in thousandths.
    fn requests(&self) -> Result<BTreeMap<String, i64>, String> {
        let mut requests = BTreeMap::new();
        for (name, pod) in self.pods {
            let mut sum = 0_i64;
            for container in counted_containers(pod) {
                if !self.container.is_empty() && self.container != container.name {
                    continue;
                }
                let wanted = container.resources.as_ref().and_then(|r| r.requests.as_ref());
                let Some(request) = wanted.and_then(|wanted| wanted.get(self.resource)) else {
                    let (resource, container) = (self.resource, &container.name);
                    return Err(format!(
                        "missing request for {resource} in container {container} of Pod {name}"
                    ));
                };
                sum = sum.saturating_add(Amount::of(request).milli_value());
            }
            requests.insert(name.clone(), sum);
        }
        Ok(requests)
    }
}

/// How many pods a value asks for that is to be no larger than another, whoever has it.
///
/// Upstream: `getUsageRatioReplicaCount`.
pub(super) fn by_value(
    pods: &BTreeMap<String, &Pod>,
    current: i32,
    (value, target): (i64, i64),
) -> Result<i32, String> {
    let ratio = value as f64 / target as f64;
    if current == 0 {
        return Ok(ceil(ratio));
    }
    if is_tolerable(ratio) {
        return Ok(current);
    }
    if pods.is_empty() {
        let why = "no pods returned by selector while calculating replica count";
        return Err(format!("unable to calculate ready pods: {why}"));
    }
    let ready = pods.values().filter(|pod| pods::phase(pod) == "Running" && pods::is_ready(pod));
    Ok(ceil(ratio * ready.count() as f64))
}

/// How many pods a value asks for of which each is to have a share, and how large the share is now.
///
/// Upstream: `GetObjectPerPodMetricReplicas`, `GetExternalPerPodMetricReplicas`.
pub(super) fn by_share(current: i32, (value, target): (i64, i64)) -> (i32, i64) {
    let ratio = value as f64 / (target as f64 * f64::from(current));
    let replicas = if is_tolerable(ratio) { current } else { ceil(value as f64 / target as f64) };
    let share = value as f64 / f64::from(current.max(1));
    (replicas, share.ceil() as i64)
}

/// The containers that run as long as the pod.
fn counted_containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    let spec = pod.spec.as_ref();
    let sidecars = spec
        .and_then(|spec| spec.init_containers.as_ref())
        .into_iter()
        .flatten()
        .filter(|container| container.restart_policy.as_deref() == Some("Always"));
    spec.into_iter().flat_map(|spec| &spec.containers).chain(sidecars)
}

fn usage(
    measured: &Measured,
    requests: &BTreeMap<String, i64>,
    target: Target,
) -> Result<Usage, String> {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX).max(1);
    match target {
        Target::Value(target) => {
            let total = measured.values().fold(0_i64, |sum, m| sum.saturating_add(m.value));
            let value = total / count(measured.len());
            Ok(Usage { ratio: value as f64 / target as f64, utilization: 0, value })
        }
        Target::Utilization(target) => {
            let (mut used, mut requested, mut entries) = (0_i64, 0_i64, 0);
            for (name, metric) in measured {
                let Some(request) = requests.get(name) else { continue };
                used = used.saturating_add(metric.value);
                requested = requested.saturating_add(*request);
                entries += 1;
            }
            if requested == 0 {
                return Err("no metrics returned matched known pods".to_owned());
            }
            let percent = used.saturating_mul(100) / requested;
            let utilization = i32::try_from(percent).unwrap_or(i32::MAX);
            let ratio = f64::from(utilization) / f64::from(target);
            Ok(Usage { ratio, utilization, value: used / count(entries) })
        }
    }
}

fn is_tolerable(ratio: f64) -> bool {
    (1.0 - ratio).abs() <= TOLERANCE
}

fn ceil(number: f64) -> i32 {
    // Casts of floats saturate.
    number.ceil() as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(name: &str, phase: &str, ready: &str, started: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "100m"}}}]},
            "status": {"phase": phase, "startTime": started, "conditions": [
                {"type": "Ready", "status": ready, "lastTransitionTime": started}]},
        }))
        .unwrap()
    }

    /// The pods `p0`, `p1`, … with what they use; `None` if that is not known.
    fn run(pods: &[(Pod, Option<i64>)], target: Target) -> Result<(i32, i32), String> {
        let now = Time::from_secs(1_000);
        let by_name: BTreeMap<String, &Pod> =
            pods.iter().map(|(pod, _)| (pod.metadata.name.clone().unwrap(), pod)).collect();
        let measured = pods
            .iter()
            .filter_map(|(pod, value)| {
                let metric =
                    PodMetric { timestamp: now, window: Duration::from_secs(15), value: (*value)? };
                Some((pod.metadata.name.clone().unwrap(), metric))
            })
            .collect();
        let current = pods.len() as i32;
        let (pods, resource, container) = (&by_name, "cpu", "");
        let calculation = Calculation { pods, measured, resource, container, current, now };
        calculation.run(target).map(|proposal| (proposal.replicas, proposal.utilization))
    }

    fn running(name: &str) -> Pod {
        pod(name, "Running", "True", "2025-06-02T00:00:10Z")
    }

    #[test]
    fn utilization() {
        let half = Target::Utilization(50);
        let three = |values: [Option<i64>; 3]| {
            let names = ["p0", "p1", "p2"];
            let pods: Vec<_> = names.iter().zip(values).map(|(n, v)| (running(n), v)).collect();
            run(&pods, half)
        };
        assert_eq!(three([Some(100), Some(100), Some(100)]), Ok((6, 100)));
        assert_eq!(three([Some(52), Some(52), Some(52)]), Ok((3, 52)), "within the tolerance");
        assert_eq!(three([Some(10), Some(10), Some(10)]), Ok((1, 10)));
        // On the way up a pod that is not known uses nothing.
        assert_eq!(three([Some(100), Some(100), None]), Ok((4, 100)));
        // On the way down it uses all it may: nothing happens here.
        assert_eq!(three([Some(20), Some(20), None]), Ok((3, 20)));
        assert_eq!(
            three([None, None, None]).unwrap_err(),
            "did not receive metrics for any ready pods"
        );
    }

    #[test]
    fn pods_that_have_just_started_do_not_count() {
        let young = pod("p1", "Running", "True", "2025-06-02T00:16:35Z");
        let pending = pod("p2", "Pending", "False", "2025-06-02T00:16:35Z");
        let target = Target::Utilization(50);
        let old = (running("p0"), Some(100));
        assert_eq!(run(&[old.clone(), (young.clone(), Some(900))], target), Ok((2, 100)));
        assert_eq!(run(&[old.clone(), (pending, None)], target), Ok((2, 100)));
        let failed = pod("p3", "Failed", "False", "2025-06-02T00:00:10Z");
        assert_eq!(run(&[old, (failed, Some(900))], target), Ok((2, 100)));
    }

    #[test]
    fn values() {
        let pods = [(running("p0"), Some(300)), (running("p1"), Some(100))];
        assert_eq!(run(&pods, Target::Value(100)), Ok((4, 0)));
    }
}
