//! What an autoscaler asks the metrics APIs.
//!
//! Upstream: `pkg/controller/podautoscaler/metrics/client.go`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use naru_api::kinds::metrics::PodMetrics;
use naru_api::labels::{Selector, go_label_selector};
use naru_api::quantity::Amount;
use naru_api::request::ListOptions;
use naru_api::time::from_meta;
use naru_api::{ApiError, Object, duration};
use naru_client::Context;
use naru_sim::Time;
use std::collections::BTreeMap;
use std::time::Duration;

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

/// Why nothing is known of a metric of pods or of an object: no adapter can serve its group here.
pub(super) const NO_CUSTOM: &str = "unable to fetch metrics from custom metrics API: no custom \
                                    metrics API (custom.metrics.k8s.io) registered";

/// Why nothing is known of a metric from outside the cluster: no adapter can serve its group here.
pub(super) fn no_external(name: &str) -> String {
    format!(
        "unable to fetch metrics from external metrics API: the server could not find the \
         requested resource (get {name}.external.metrics.k8s.io)"
    )
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
