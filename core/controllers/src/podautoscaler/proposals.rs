//! What each metric of an autoscaler proposes.
//!
//! Upstream: `computeReplicasForMetric` in `pkg/controller/podautoscaler/horizontal.go`.

use super::calculator::{Calculation, Target, replicas_by_ratio, replicas_by_share};
use super::{metrics, pods_by_name};
use k8s_openapi::api::autoscaling::v2::{
    ContainerResourceMetricStatus, ExternalMetricSource, ExternalMetricStatus, MetricSpec,
    MetricStatus, MetricTarget, MetricValueStatus, ObjectMetricSource, PodsMetricSource,
    ResourceMetricStatus,
};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use naru_api::labels::Selector;
use naru_api::quantity::Amount;
use naru_client::Context;
use std::collections::BTreeMap;

/// A workload that is to be scaled.
pub(super) struct Workload<'a> {
    pub namespace: &'a str,
    pub selector: &'a Selector,
    /// The pods that are wanted, and those that there are.
    pub wanted: i32,
    pub there: i32,
}

/// How many pods a metric asks for, how it is called, and how it stands.
pub(super) struct Outcome {
    pub replicas: i32,
    pub name: String,
    pub status: MetricStatus,
}

/// Why a metric asks for nothing.
pub(super) struct Refusal {
    /// Of the event and of the condition.
    pub reason: &'static str,
    /// What these say.
    pub text: String,
    /// What the whole computation says.
    pub error: String,
}

/// Asks for one metric.
pub(super) fn propose(
    context: &mut Context<'_>,
    workload: &Workload<'_>,
    spec: &MetricSpec,
) -> Result<Outcome, Refusal> {
    let refuse = |reason, what: String| {
        move |text: String| Refusal { reason, error: format!("failed to get {what}: {text}"), text }
    };
    if let Some(source) = &spec.resource {
        let name = &source.name;
        let what = format!("{name} resource metric value");
        let (replicas, called, current) = resource(context, workload, name, "", &source.target)
            .map_err(refuse("FailedGetResourceMetric", what))?;
        let status = ResourceMetricStatus { name: name.clone(), current };
        let status = MetricStatus { resource: Some(status), ..of_type(spec) };
        return Ok(Outcome { replicas, name: called, status });
    }
    if let Some(source) = &spec.container_resource {
        let (name, container) = (&source.name, &source.container);
        let what = format!("{container} container metric value");
        let (replicas, called, current) =
            resource(context, workload, name, container, &source.target)
                .map_err(refuse("FailedGetContainerResourceMetric", what))?;
        let status = ContainerResourceMetricStatus {
            container: container.clone(),
            name: name.clone(),
            current,
        };
        let status = MetricStatus { container_resource: Some(status), ..of_type(spec) };
        return Ok(Outcome { replicas, name: called, status });
    }
    if let Some(source) = &spec.pods {
        let what = "pods metric value".to_owned();
        return pods(context, workload, source, spec).map_err(refuse("FailedGetPodsMetric", what));
    }
    if let Some(source) = &spec.object {
        let what = "object metric value".to_owned();
        return Err(refuse("FailedGetObjectMetric", what)(object(workload, source)));
    }
    if let Some(source) = &spec.external {
        let what = format!("{} external metric value", source.metric.name);
        return external(context, workload, source, spec)
            .map_err(refuse("FailedGetExternalMetric", what));
    }
    let text = format!("unknown metric source type {}", naru_api::gofmt::quote(&spec.type_));
    Err(Refusal { reason: "InvalidMetricSourceType", error: text.clone(), text })
}

fn of_type(spec: &MetricSpec) -> MetricStatus {
    MetricStatus { type_: spec.type_.clone(), ..MetricStatus::default() }
}

fn milli(value: i64) -> Quantity {
    Amount::from_milli(value).to_quantity()
}

fn milli_value(quantity: &Quantity) -> i64 {
    Amount::of(quantity).milli_value()
}

fn resource(
    context: &mut Context<'_>,
    workload: &Workload<'_>,
    resource: &str,
    container: &str,
    target: &MetricTarget,
) -> Result<(i32, String, MetricValueStatus), String> {
    let (wanted, what) = match (&target.average_value, target.average_utilization) {
        (Some(value), _) => (Target::Value(milli_value(value)), "usage"),
        (None, Some(percent)) => (Target::Utilization(percent), "utilization"),
        (None, None) => {
            return Err(
                "invalid resource metric source: neither an average utilization target nor \
                        an average value (usage) target was set"
                    .to_owned(),
            );
        }
    };
    let found = calculate(context, workload, resource, container, wanted)
        .map_err(|error| format!("failed to get {resource} {what}: {error}"))?;
    let (replicas, utilization, value) = found;
    let kind = if container.is_empty() { "" } else { "container " };
    let (name, utilization) = match wanted {
        Target::Value(_) => (format!("{resource} resource"), None),
        Target::Utilization(_) => {
            let name = format!("{resource} {kind}resource utilization (percentage of request)");
            (name, Some(utilization))
        }
    };
    let current = MetricValueStatus {
        average_utilization: utilization,
        average_value: Some(milli(value)),
        value: None,
    };
    Ok((replicas, name, current))
}

fn calculate(
    context: &mut Context<'_>,
    workload: &Workload<'_>,
    resource: &str,
    container: &str,
    target: Target,
) -> Result<(i32, i32, i64), String> {
    let (namespace, selector) = (workload.namespace, workload.selector);
    let measured = metrics::resource(context, resource, namespace, selector, container)
        .map_err(|error| format!("unable to get metrics for resource {resource}: {error}"))?;
    let pods = pods_by_name(context.cache, namespace, selector);
    let (current, now) = (workload.wanted, context.now);
    let calculation = Calculation { pods: &pods, measured, resource, container, current, now };
    let proposal = calculation.run(target)?;
    Ok((proposal.replicas, proposal.utilization, proposal.value))
}

fn pods(
    context: &mut Context<'_>,
    workload: &Workload<'_>,
    source: &PodsMetricSource,
    spec: &MetricSpec,
) -> Result<Outcome, String> {
    let name = &source.metric.name;
    let measured =
        metrics::custom().map_err(|error| format!("unable to get metric {name}: {error}"))?;
    let pods = pods_by_name(context.cache, workload.namespace, workload.selector);
    let (current, now) = (workload.wanted, context.now);
    let calculation =
        Calculation { pods: &pods, measured, resource: "", container: "", current, now };
    let target = source.target.average_value.as_ref().map_or(0, milli_value);
    let proposal = calculation.run(Target::Value(target))?;
    Ok(Outcome {
        replicas: proposal.replicas,
        name: format!("pods metric {name}"),
        status: of_type(spec),
    })
}

/// Why a metric of an object asks for nothing: nobody serves it.
fn object(workload: &Workload<'_>, source: &ObjectMetricSource) -> String {
    let (name, object) = (&source.metric.name, &source.described_object);
    let (kind, namespace) = (&object.kind, workload.namespace);
    let Err(why) = metrics::custom() else { return String::new() };
    let text = format!("unable to get metric {name}: {kind} on {namespace} {}/{why}", object.name);
    match source.target.type_.as_str() {
        "AverageValue" => format!("failed to get {name} object metric: {text}"),
        _ => text,
    }
}

fn external(
    context: &mut Context<'_>,
    workload: &Workload<'_>,
    source: &ExternalMetricSource,
    spec: &MetricSpec,
) -> Result<Outcome, String> {
    let name = &source.metric.name;
    let selector = metrics::selector_text(source.metric.selector.as_ref());
    let average = source.target.average_value.as_ref();
    let values = metrics::external(name).map_err(|error| {
        let namespace = workload.namespace;
        let text = format!("unable to get external metric {namespace}/{name}/{selector}: {error}");
        match average {
            Some(_) => format!("failed to get {name} external metric: {text}"),
            None => format!("failed to get external metric {name}: {text}"),
        }
    })?;
    let total = values.into_iter().fold(0_i64, i64::saturating_add);
    let (replicas, current) = match (average, &source.target.value) {
        (Some(target), _) => {
            let (replicas, share) = replicas_by_share(workload.there, total, milli_value(target));
            let average_value = Some(milli(share));
            (replicas, MetricValueStatus { average_value, ..MetricValueStatus::default() })
        }
        (None, target) => {
            let target = target.as_ref().map_or(0, milli_value);
            let pods: BTreeMap<String, &Pod> =
                pods_by_name(context.cache, workload.namespace, workload.selector);
            let ratio = total as f64 / target as f64;
            let replicas = replicas_by_ratio(&pods, workload.wanted, ratio)?;
            let value = Some(milli(total));
            (replicas, MetricValueStatus { value, ..MetricValueStatus::default() })
        }
    };
    let status = ExternalMetricStatus { current, metric: source.metric.clone() };
    Ok(Outcome {
        replicas,
        name: format!("external metric {name}({selector})"),
        status: MetricStatus { external: Some(status), ..of_type(spec) },
    })
}
