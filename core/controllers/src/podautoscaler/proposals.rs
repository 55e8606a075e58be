//! What each metric of an autoscaler proposes.
//!
//! Upstream: `computeReplicasForMetric` in `pkg/controller/podautoscaler/horizontal.go`.

use super::calculator::{Calculation, Target};
use super::{metrics, pods_by_name};
use k8s_openapi::api::autoscaling::v2::{
    ContainerResourceMetricStatus, ExternalMetricSource, MetricSpec, MetricStatus, MetricTarget,
    MetricValueStatus, ObjectMetricSource, PodsMetricSource, ResourceMetricStatus,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use naru_api::labels::Selector;
use naru_api::quantity::Amount;
use naru_client::Context;

/// A workload that is to be scaled.
pub(super) struct Workload<'a> {
    pub namespace: &'a str,
    pub selector: &'a Selector,
    /// The pods that are wanted.
    pub wanted: i32,
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
    Err(unserved(workload, spec))
}

/// Why a metric asks for nothing that no adapter serves here.
fn unserved(workload: &Workload<'_>, spec: &MetricSpec) -> Refusal {
    let refusal = |reason, what: &str, (text, error): (String, String)| Refusal {
        reason,
        error: format!("failed to get {what}: {error}"),
        text,
    };
    if let Some(source) = &spec.pods {
        let text = pods(source);
        return refusal("FailedGetPodsMetric", "pods metric value", (text.clone(), text));
    }
    if let Some(source) = &spec.object {
        return refusal("FailedGetObjectMetric", "object metric value", object(workload, source));
    }
    if let Some(source) = &spec.external {
        let what = format!("{} external metric value", source.metric.name);
        return refusal("FailedGetExternalMetric", &what, external(workload, source));
    }
    let text = format!("unknown metric source type {}", naru_api::gofmt::quote(&spec.type_));
    Refusal { reason: "InvalidMetricSourceType", error: text.clone(), text }
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

/// Why a metric of pods asks for nothing: nobody serves it.
fn pods(source: &PodsMetricSource) -> String {
    format!("unable to get metric {}: {}", source.metric.name, metrics::NO_CUSTOM)
}

/// Why a metric of an object asks for nothing, as the event says it and as the error does.
fn object(workload: &Workload<'_>, source: &ObjectMetricSource) -> (String, String) {
    let (name, object) = (&source.metric.name, &source.described_object);
    let (kind, namespace, why) = (&object.kind, workload.namespace, metrics::NO_CUSTOM);
    let text = format!("unable to get metric {name}: {kind} on {namespace} {}/{why}", object.name);
    let error = match source.target.type_.as_str() {
        "AverageValue" => format!("failed to get {name} object metric: {text}"),
        _ => text.clone(),
    };
    (text, error)
}

/// Why a metric from outside asks for nothing, as the event says it and as the error does.
fn external(workload: &Workload<'_>, source: &ExternalMetricSource) -> (String, String) {
    let (name, namespace) = (&source.metric.name, workload.namespace);
    let selector = metrics::selector_text(source.metric.selector.as_ref());
    let why = metrics::no_external(name);
    let text = format!("unable to get external metric {namespace}/{name}/{selector}: {why}");
    let error = match source.target.average_value {
        Some(_) => format!("failed to get {name} external metric: {text}"),
        None => format!("failed to get external metric {name}: {text}"),
    };
    (text, error)
}
