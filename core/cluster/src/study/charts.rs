//! Numbers and conditions over time, read off the store's history of an object.

use crate::Cluster;
use crate::view::{ChartOf, ChartView, ConditionLine, LineOf};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::autoscaling::v2::{
    HorizontalPodAutoscaler, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use naru_api::Object;
use naru_api::quantity::Amount;
use naru_apiserver::Change;
use serde_json::Value;

/// Changes that are gone over at most, the latest ones.
const CHANGES_MAX: usize = 120;
/// Lines of a chart at most.
const LINES_MAX: usize = 12;

/// A moment in microseconds, and the object as it was then.
type Past = (u64, Object);

impl Cluster {
    /// The charts of an autoscaler or a Deployment.
    pub(crate) fn charts(&mut self, object: &Object) -> Vec<ChartView> {
        if object.get::<HorizontalPodAutoscaler>().is_some() {
            let past = self.past(|it| it.uid() == object.uid());
            return autoscaler_charts(&past);
        }
        if object.get::<Deployment>().is_some() {
            let owned = |it: &Object| {
                it.get::<ReplicaSet>().is_some()
                    && it.controller().is_some_and(|owner| owner.uid == object.uid())
            };
            return vec![rollout_chart(&self.past(owned))];
        }
        Vec::new()
    }

    /// How the conditions of an object have changed.
    pub(crate) fn condition_lines(&mut self, object: &Object) -> Vec<ConditionLine> {
        let mut lines: Vec<ConditionLine> = Vec::new();
        for (micros, object) in self.past(|it| it.uid() == object.uid()) {
            let json = object.content_json().unwrap_or_default();
            let list = json.pointer("/status/conditions").and_then(Value::as_array);
            for condition in list.into_iter().flatten() {
                note_condition(&mut lines, micros, condition);
            }
        }
        lines
    }

    /// What the store still knows of some objects, oldest first, with the moments of their causes.
    fn past(&mut self, fits: impl Fn(&Object) -> bool) -> Vec<Past> {
        let kept = self.api.store().compacted();
        let mut found: Vec<Change> = match self.changes_since(kept) {
            Some(changes) => {
                changes.filter(|it| it.after.as_ref().is_some_and(&fits)).cloned().collect()
            }
            None => Vec::new(),
        };
        found.drain(..found.len().saturating_sub(CHANGES_MAX));
        let causes = self.causes();
        let moment = |change: Change| {
            let at = causes.get(change.cause)?.at.as_micros();
            Some((at, change.after?))
        };
        found.into_iter().filter_map(moment).collect()
    }
}

fn note_condition(lines: &mut Vec<ConditionLine>, micros: u64, condition: &Value) {
    let text = |name: &str| condition.get(name).and_then(Value::as_str).unwrap_or_default();
    let (kind, status, reason) = (text("type"), text("status"), text("reason"));
    let line = match lines.iter_mut().position(|line| line.kind == kind) {
        Some(place) => lines.get_mut(place),
        None => {
            lines.push(ConditionLine { kind: kind.to_owned(), spans: Vec::new() });
            lines.last_mut()
        }
    };
    let Some(line) = line else { return };
    let same = line.spans.last().is_some_and(|(_, old, why)| old == status && why == reason);
    if !same {
        line.spans.push((micros, status.to_owned(), reason.to_owned()));
    }
}

fn autoscaler_charts(past: &[Past]) -> Vec<ChartView> {
    let mut replicas = ChartView { of: ChartOf::Replicas, lines: Vec::new() };
    let mut metric = ChartView { of: ChartOf::Metric, lines: Vec::new() };
    for (at, object) in past {
        let Some(scaler) = object.get::<HorizontalPodAutoscaler>() else { continue };
        let (spec, status) = (scaler.spec.as_ref(), scaler.status.as_ref());
        let count = |number: Option<i32>| number.map(f64::from);
        let lines = &mut replicas.lines;
        let current = status.and_then(|it| count(it.current_replicas));
        note(lines, *at, ("currentReplicas", false, ""), current);
        let desired = status.map(|it| f64::from(it.desired_replicas));
        note(lines, *at, ("desiredReplicas", true, ""), desired);
        let most = spec.map(|it| f64::from(it.max_replicas));
        note(lines, *at, ("maxReplicas", true, ""), most);
        let targets = spec.and_then(|it| it.metrics.as_deref()).unwrap_or_default();
        for (name, target) in targets.iter().filter_map(target_of) {
            let (value, unit) = target_value(target);
            note(&mut metric.lines, *at, (format!("{name} target").as_str(), true, unit), value);
        }
        let seen = status.and_then(|it| it.current_metrics.as_deref()).unwrap_or_default();
        for (name, current) in seen.iter().filter_map(current_of) {
            let percent = current.average_utilization.map(f64::from);
            let raw = current.average_value.as_ref().or(current.value.as_ref());
            // A target in percent is compared with percent.
            let wants_percent = metric.lines.iter().any(|it| it.wanted && it.unit == "%");
            let (value, unit) = match percent.filter(|_| wants_percent) {
                Some(percent) => (Some(percent), "%"),
                None => (raw.map(milli), "m"),
            };
            note(&mut metric.lines, *at, (name.as_str(), false, unit), value);
        }
    }
    [replicas, metric].into_iter().filter(|chart| !chart.lines.is_empty()).collect()
}

fn rollout_chart(past: &[Past]) -> ChartView {
    let mut chart = ChartView { of: ChartOf::ReplicaSets, lines: Vec::new() };
    for (at, object) in past {
        let Some(set) = object.get::<ReplicaSet>() else { continue };
        let ready = set.status.as_ref().and_then(|it| it.ready_replicas).unwrap_or(0);
        let wanted = set.spec.as_ref().and_then(|it| it.replicas).unwrap_or(0);
        let name = object.name();
        note(&mut chart.lines, *at, (name, false, ""), Some(f64::from(ready)));
        note(&mut chart.lines, *at, (name, true, ""), Some(f64::from(wanted)));
    }
    chart
}

/// Adds a value to the line of this name, unless it is the same as before.
fn note(lines: &mut Vec<LineOf>, at: u64, of: (&str, bool, &str), value: Option<f64>) {
    let Some(value) = value else { return };
    let (name, wanted, unit) = of;
    if let Some(line) = lines.iter_mut().find(|it| it.name == name && it.wanted == wanted) {
        if line.points.last().is_none_or(|(_, last)| *last != value) {
            line.points.push((at, value));
        }
    } else if lines.len() < LINES_MAX {
        let (name, unit) = (name.to_owned(), unit.to_owned());
        lines.push(LineOf { name, wanted, unit, points: vec![(at, value)] });
    }
}

/// The name of a metric and its target.
fn target_of(metric: &MetricSpec) -> Option<(String, &MetricTarget)> {
    if let Some(resource) = &metric.resource {
        return Some((resource.name.clone(), &resource.target));
    }
    if let Some(pods) = &metric.pods {
        return Some((pods.metric.name.clone(), &pods.target));
    }
    metric.container_resource.as_ref().map(|it| (it.name.clone(), &it.target))
}

fn current_of(metric: &MetricStatus) -> Option<(String, &MetricValueStatus)> {
    if let Some(resource) = &metric.resource {
        return Some((resource.name.clone(), &resource.current));
    }
    if let Some(pods) = &metric.pods {
        return Some((pods.metric.name.clone(), &pods.current));
    }
    metric.container_resource.as_ref().map(|it| (it.name.clone(), &it.current))
}

fn target_value(target: &MetricTarget) -> (Option<f64>, &'static str) {
    match target.average_utilization {
        Some(percent) => (Some(f64::from(percent)), "%"),
        None => {
            let raw = target.average_value.as_ref().or(target.value.as_ref());
            (raw.map(milli), "m")
        }
    }
}

/// A quantity in thousandths.
fn milli(quantity: &Quantity) -> f64 {
    Amount::of(quantity).milli_value() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_rollout_is_told_set_by_set() {
        let mut cluster = Cluster::new("kind", 1).unwrap();
        let script = "kubectl create deployment web --image=nginx --replicas=3; sleep 20
kubectl set image deployment web nginx=nginx:1.27; sleep 40";
        cluster.exec(script, Duration::from_secs(120));
        let found = cluster.inspect("Deployment", "default", "web").unwrap();
        let chart = &found.charts[0];
        assert_eq!(chart.of, ChartOf::ReplicaSets);
        let ready: Vec<&LineOf> = chart.lines.iter().filter(|it| !it.wanted).collect();
        assert_eq!(ready.len(), 2, "{chart:?}");
        let last = |line: &LineOf| line.points.last().unwrap().1;
        assert_eq!((last(ready[0]), last(ready[1])), (0.0, 3.0));
        assert!(ready[0].points.iter().any(|(_, value)| *value == 3.0));
        let line = found.condition_lines.iter().find(|it| it.kind == "Available").unwrap();
        let states: Vec<&str> = line.spans.iter().map(|it| it.1.as_str()).collect();
        assert_eq!((states.first(), states.last()), (Some(&"False"), Some(&"True")));
    }
}
