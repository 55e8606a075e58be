//! What each metric of an autoscaler proposes.
//!
//! Upstream: `computeReplicasForMetric` in `pkg/controller/podautoscaler/horizontal.go`.

use super::calculator::{Calculation, Target, by_share, by_value};
use super::{metrics, pods_by_name};
use k8s_openapi::api::autoscaling::v2::{
    ContainerResourceMetricStatus, CrossVersionObjectReference, ExternalMetricSource,
    ExternalMetricStatus, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus,
    ObjectMetricSource, ObjectMetricStatus, PodsMetricSource, PodsMetricStatus,
    ResourceMetricStatus,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use naru_api::labels::Selector;
use naru_api::measured::{CUSTOM, MetricQuery};
use naru_api::quantity::Amount;
use naru_client::Context;

/// A workload that is to be scaled.
pub(super) struct Workload<'a> {
    pub namespace: &'a str,
    pub selector: &'a Selector,
    /// The pods that are wanted.
    pub wanted: i32,
    /// The pods that there are.
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
        return pods(context, workload, spec, source)
            .map_err(refuse_plainly("FailedGetPodsMetric", "pods metric value".to_owned()));
    }
    if let Some(source) = &spec.object {
        let what = match source.target.type_.as_str() {
            "AverageValue" => {
                format!("object metric value: failed to get {} object metric", source.metric.name)
            }
            _ => "object metric value".to_owned(),
        };
        return object(context, workload, spec, source)
            .map_err(refuse_plainly("FailedGetObjectMetric", what));
    }
    if let Some(source) = &spec.external {
        let name = &source.metric.name;
        let what = match source.target.average_value {
            Some(_) => {
                format!("{name} external metric value: failed to get {name} external metric")
            }
            None => format!("{name} external metric value: failed to get external metric {name}"),
        };
        return external(context, workload, spec, source)
            .map_err(refuse_plainly("FailedGetExternalMetric", what));
    }
    let text = format!("unknown metric source type {}", naru_api::gofmt::quote(&spec.type_));
    Err(Refusal { reason: "InvalidMetricSourceType", error: text.clone(), text })
}

/// A refusal of which the whole computation says besides what was asked for.
fn refuse_plainly(reason: &'static str, what: String) -> impl FnOnce(String) -> Refusal {
    move |text| Refusal { reason, error: format!("failed to get {what}: {text}"), text }
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

fn metric_labels(selector: Option<&LabelSelector>) -> Result<Selector, String> {
    let everything = LabelSelector::default();
    let selector = Selector::from_label_selector(selector.or(Some(&everything)));
    selector.map_err(|error| error.to_string())
}

fn pods(
    context: &mut Context<'_>,
    workload: &Workload<'_>,
    spec: &MetricSpec,
    source: &PodsMetricSource,
) -> Result<Outcome, String> {
    let name = &source.metric.name;
    let (namespace, selector) = (workload.namespace, workload.selector);
    let labels = metric_labels(source.metric.selector.as_ref())?;
    let measured = metrics::of_pods(context, name, namespace, selector, labels)
        .map_err(|error| format!("unable to get metric {name}: {error}"))?;
    let pods = pods_by_name(context.cache, namespace, selector);
    let (current, now) = (workload.wanted, context.now);
    let (resource, container) = ("", "");
    let calculation = Calculation { pods: &pods, measured, resource, container, current, now };
    let target = source.target.average_value.as_ref().map_or(0, milli_value);
    let proposal = calculation.run(Target::Value(target))?;
    let current = average(proposal.value);
    let status = PodsMetricStatus { metric: source.metric.clone(), current };
    let status = MetricStatus { pods: Some(status), ..of_type(spec) };
    Ok(Outcome { replicas: proposal.replicas, name: format!("pods metric {name}"), status })
}

fn average(value: i64) -> MetricValueStatus {
    MetricValueStatus { average_value: Some(milli(value)), ..MetricValueStatus::default() }
}

fn whole(value: i64) -> MetricValueStatus {
    MetricValueStatus { value: Some(milli(value)), ..MetricValueStatus::default() }
}

fn object(
    context: &mut Context<'_>,
    workload: &Workload<'_>,
    spec: &MetricSpec,
    source: &ObjectMetricSource,
) -> Result<Outcome, String> {
    let (name, described) = (&source.metric.name, &source.described_object);
    let kind = &described.kind;
    let value = object_value(context, workload, source).map_err(|why| {
        let namespace = workload.namespace;
        format!("unable to get metric {name}: {kind} on {namespace} {}/{why}", described.name)
    })?;
    let mut status = ObjectMetricStatus {
        metric: source.metric.clone(),
        described_object: described.clone(),
        current: whole(value),
    };
    let of_status = |status| MetricStatus { object: Some(status), ..of_type(spec) };
    if let Some(target) = &source.target.value {
        let pods = pods_by_name(context.cache, workload.namespace, workload.selector);
        let replicas = by_value(&pods, workload.wanted, (value, milli_value(target)))?;
        let called = format!("{kind} metric {name}");
        return Ok(Outcome { replicas, name: called, status: of_status(status) });
    }
    let target = source.target.average_value.as_ref().map_or(0, milli_value);
    let (replicas, share) = by_share(workload.there, (value, target));
    // Upstream tells nothing of the object here, and calls the metric one from outside.
    status.described_object = CrossVersionObjectReference::default();
    status.current = average(share);
    let called = called_external(name, source.metric.selector.as_ref());
    Ok(Outcome { replicas, name: called, status: of_status(status) })
}

fn object_value(
    context: &mut Context<'_>,
    workload: &Workload<'_>,
    source: &ObjectMetricSource,
) -> Result<i64, String> {
    let described = &source.described_object;
    let version = described.api_version.as_deref().unwrap_or_default();
    let group = version.rsplit_once('/').map_or("", |(group, _)| group);
    let kinds = context.client.api().kinds();
    let kind = kinds.iter().find(|kind| kind.group == group && kind.kind == described.kind);
    let Some(kind) = kind else {
        let (kind, version) = (&described.kind, version);
        return Err(format!("no matches for kind \"{kind}\" in version \"{version}\""));
    };
    let resource = match group {
        "" => kind.plural.to_string(),
        group => format!("{}.{group}", kind.plural),
    };
    let query = MetricQuery {
        group: CUSTOM,
        namespace: if kind.namespaced { workload.namespace.to_owned() } else { String::new() },
        resource,
        object: described.name.clone(),
        objects: Selector::EVERYTHING,
        name: source.metric.name.clone(),
        labels: metric_labels(source.metric.selector.as_ref())?,
    };
    let found = metrics::custom(context, query)?;
    Ok(found.first().map_or(0, |metric| milli_value(&metric.value)))
}

fn called_external(name: &str, selector: Option<&LabelSelector>) -> String {
    format!("external metric {name}({})", metrics::selector_text(selector))
}

fn external(
    context: &mut Context<'_>,
    workload: &Workload<'_>,
    spec: &MetricSpec,
    source: &ExternalMetricSource,
) -> Result<Outcome, String> {
    let (name, namespace) = (&source.metric.name, workload.namespace);
    let selector = source.metric.selector.as_ref();
    let values = metrics::external(context, namespace, name, selector).map_err(|why| {
        let selector = metrics::selector_text(selector);
        format!("unable to get external metric {namespace}/{name}/{selector}: {why}")
    })?;
    let sum = values.iter().fold(0_i64, |sum, value| sum.saturating_add(*value));
    let (replicas, current) = match (&source.target.average_value, &source.target.value) {
        (Some(target), _) => {
            let (replicas, share) = by_share(workload.there, (sum, milli_value(target)));
            (replicas, average(share))
        }
        (None, target) => {
            let target = target.as_ref().map_or(0, milli_value);
            let pods = pods_by_name(context.cache, namespace, workload.selector);
            (by_value(&pods, workload.wanted, (sum, target))?, whole(sum))
        }
    };
    let status = ExternalMetricStatus { metric: source.metric.clone(), current };
    let status = MetricStatus { external: Some(status), ..of_type(spec) };
    Ok(Outcome { replicas, name: called_external(name, selector), status })
}
