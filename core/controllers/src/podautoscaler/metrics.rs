//! What an autoscaler asks the metrics APIs.
//!
//! Upstream: `pkg/controller/podautoscaler/metrics/client.go`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use naru_api::kinds::metrics::PodMetrics;
use naru_api::labels::{Selector, go_label_selector};
use naru_api::measured::{CUSTOM, EXTERNAL, Metric, MetricQuery};
use naru_api::quantity::Amount;
use naru_api::request::ListOptions;
use naru_api::time::from_meta;
use naru_api::{ApiError, Object, duration};
use naru_client::Context;
use naru_sim::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a metric was measured of which nobody says so.
/// Upstream: `metricServerDefaultMetricWindow`.
const DEFAULT_WINDOW: Duration = Duration::from_secs(60);

/// What a pod used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PodMetric {
    /// The end of the time in which it was measured.
    pub timestamp: Time,
    /// How long it was measured.
    pub window: Duration,
    /// In thousandths.
    pub value: i64,
}

/// By the names of pods.
pub(super) type Measured = BTreeMap<String, PodMetric>;

/// What the pods of a selector used of a resource, or one container of each.
pub(super) fn resource(
    context: &mut Context<'_>,
    resource: &str,
    namespace: &str,
    selector: &Selector,
    container: &str,
) -> Result<Measured, String> {
    let options = ListOptions { label_selector: selector.to_string(), ..ListOptions::default() };
    let listed = context.client.list::<PodMetrics>(namespace, options).map_err(|error| {
        let why = with_verb(&error, "get pods.metrics.k8s.io");
        format!("unable to fetch metrics from resource metrics API: {why}")
    })?;
    if listed.items.is_empty() {
        return Err("no metrics returned from resource metrics API".to_owned());
    }
    let mut found = Measured::new();
    for metrics in listed.items.iter().filter_map(Object::get::<PodMetrics>) {
        let name = metrics.metadata.name.clone().unwrap_or_default();
        let value = match container {
            "" => pod_value(metrics, resource),
            container => Some(container_value(metrics, resource, container, namespace)?),
        };
        let Some(value) = value else { continue };
        let window = duration::parse(&metrics.window).unwrap_or(0);
        found.insert(
            name,
            PodMetric {
                timestamp: metrics.timestamp.as_ref().map_or(Time::ZERO, from_meta),
                window: Duration::from_nanos(u64::try_from(window).unwrap_or(0)),
                value,
            },
        );
    }
    Ok(found)
}

/// The sum of all containers; `None` while one of them has not been measured.
fn pod_value(metrics: &PodMetrics, resource: &str) -> Option<i64> {
    metrics.containers.iter().try_fold(0_i64, |sum, container| {
        let value = Amount::of(container.usage.get(resource)?).milli_value();
        Some(sum.saturating_add(value))
    })
}

fn container_value(
    metrics: &PodMetrics,
    resource: &str,
    container: &str,
    namespace: &str,
) -> Result<i64, String> {
    let found = metrics.containers.iter().find(|found| found.name == container);
    let usage = found.and_then(|found| found.usage.get(resource));
    usage.map(|usage| Amount::of(usage).milli_value()).ok_or_else(|| {
        let pod = metrics.metadata.name.as_deref().unwrap_or_default();
        format!(
            "failed to get container metrics: container {container} not present in metrics for \
             pod {namespace}/{pod}"
        )
    })
}

/// The values of one metric of objects, as an adapter tells them.
pub(super) fn custom(context: &mut Context<'_>, query: MetricQuery) -> Result<Vec<Metric>, String> {
    let served = context.client.metrics(&query);
    served.map_err(|error| {
        let why = match is_no_group(&error) {
            true => "no custom metrics API (custom.metrics.k8s.io) registered".to_owned(),
            false => error.to_string(),
        };
        format!("unable to fetch metrics from custom metrics API: {why}")
    })
}

/// The values of one metric from outside of the cluster, in thousandths.
pub(super) fn external(
    context: &mut Context<'_>,
    namespace: &str,
    name: &str,
    selector: Option<&LabelSelector>,
) -> Result<Vec<i64>, String> {
    let labels = Selector::from_label_selector(selector.or(Some(&LabelSelector::default())));
    let query = MetricQuery {
        group: EXTERNAL,
        namespace: namespace.to_owned(),
        resource: String::new(),
        object: String::new(),
        objects: Selector::EVERYTHING,
        name: name.to_owned(),
        labels: labels.map_err(|error| error.to_string())?,
    };
    let found = context.client.metrics(&query).map_err(|error| {
        let why = match is_no_group(&error) {
            true => format!(
                "the server could not find the requested resource (get {name}.external.metrics.k8s.io)"
            ),
            false => error.to_string(),
        };
        format!("unable to fetch metrics from external metrics API: {why}")
    })?;
    if found.is_empty() {
        return Err("no metrics returned from external metrics API".to_owned());
    }
    Ok(found.iter().map(|metric| Amount::of(&metric.value).milli_value()).collect())
}

/// Whether nobody serves the group.
fn is_no_group(error: &ApiError) -> bool {
    error.code() == 405 || error.message() == "404 page not found"
}

/// What each pod of a selector was measured to have of a metric.
pub(super) fn of_pods(
    context: &mut Context<'_>,
    name: &str,
    namespace: &str,
    objects: &Selector,
    labels: Selector,
) -> Result<Measured, String> {
    let query = MetricQuery {
        group: CUSTOM,
        namespace: namespace.to_owned(),
        resource: "pods".to_owned(),
        object: "*".to_owned(),
        objects: objects.clone(),
        name: name.to_owned(),
        labels,
    };
    let found = custom(context, query)?;
    if found.is_empty() {
        return Err("no metrics returned from custom metrics API".to_owned());
    }
    let measured = found.into_iter().map(|metric| {
        let value = Amount::of(&metric.value).milli_value();
        let of_pod = PodMetric { timestamp: metric.timestamp, window: DEFAULT_WINDOW, value };
        (metric.object, of_pod)
    });
    Ok(measured.collect())
}

/// As Go prints the pointer to a selector with `%+v`.
pub(super) fn selector_text(selector: Option<&LabelSelector>) -> String {
    selector.map_or("nil".to_owned(), go_label_selector)
}

/// The text of an error, with what was asked for where the API server told nothing of its own.
///
/// Upstream: `NewGenericServerResponse`.
fn with_verb(error: &ApiError, asked: &str) -> String {
    let text = error.to_string();
    match text.starts_with("the server ") && !text.ends_with(')') {
        true => format!("{text} ({asked})"),
        false => text,
    }
}
