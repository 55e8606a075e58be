//! The pods behind an object: of a deployment, a service, ….
//!
//! Upstream: `k8s.io/kubectl/pkg/polymorphichelpers/helpers.go`, `pkg/util/podutils/podutils.go`.

use crate::context::Context;
use crate::failure::{Failure, Result};
use naru_api::Object;
use naru_api::k8s_openapi::api::core::v1::Pod;
use naru_api::request::ListOptions;
use serde_json::Value;
use std::cmp::{Ordering, Reverse};

/// The selector of the object's pods, as text.
///
/// Upstream: `SelectorsForObject`.
pub fn selector_of(object: &Value, kind: &str) -> std::result::Result<String, String> {
    let selector = &object["spec"]["selector"];
    match kind {
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" => {
            Ok(label_selector_text(selector))
        }
        "ReplicationController" => Ok(map_text(selector)),
        "Service" if selector.as_object().is_none_or(|map| map.is_empty()) => {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            Err(format!("invalid service '{name}': Service is defined without a selector"))
        }
        "Service" => Ok(map_text(selector)),
        _ => Err(format!("selector for {} not implemented", go_type(object, kind))),
    }
}

/// A `LabelSelector` as text: `app=web,tier in (a,b)`, or `<none>`… without anything, "".
pub fn label_selector_text(selector: &Value) -> String {
    let mut parts: Vec<(String, String)> = Vec::new();
    for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
        parts.push((key.clone(), format!("{key}={}", value.as_str().unwrap_or_default())));
    }
    for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
        let key = expression["key"].as_str().unwrap_or_default();
        let mut values: Vec<&str> = expression["values"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        values.sort_unstable();
        let values = values.join(",");
        let text = match expression["operator"].as_str().unwrap_or_default() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            _ => format!("!{key}"),
        };
        parts.push((key.to_owned(), text));
    }
    parts.sort_by(|a, b| a.0.cmp(&b.0));
    let texts: Vec<String> = parts.into_iter().map(|(_, text)| text).collect();
    texts.join(",")
}

/// `app=web,tier=front`
pub fn map_text(map: &Value) -> String {
    let pairs: Vec<String> = map
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    pairs.join(",")
}

/// How Go names the type: `*v1.ConfigMap`.
fn go_type(object: &Value, kind: &str) -> String {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let version = api_version.rsplit('/').next().unwrap_or_default();
    format!("*{version}.{kind}")
}

/// The pods of an object, best first. `doing`: `get the logs from`.
pub fn pods_of<K: Ord>(
    cx: &mut Context<'_>,
    object: &Object,
    doing: &str,
    order: fn(&Pod) -> K,
) -> Result<Vec<Object>> {
    let kind = object.kind();
    let json = object.content_json().unwrap_or_default();
    let label_selector = selector_of(&json, &kind.kind).map_err(|why| {
        Failure::message(format!("cannot {doing} {}: {why}", go_type(&json, &kind.kind)))
    })?;
    let pods = cx.kinds()?;
    let pods = crate::mapper::kind_for(&pods, "pods")?;
    let options = ListOptions { label_selector, ..ListOptions::default() };
    let mut found = cx.list(&pods, object.namespace(), &options)?.items;
    if found.is_empty() {
        return Err(Failure::message("timed out waiting for the condition"));
    }
    found.sort_by_cached_key(|pod| pod.get::<Pod>().map(order));
    Ok(found)
}

/// The pod whose log is wanted most comes first.
///
/// Upstream: `ByLogging`.
pub fn by_logging(pod: &Pod) -> impl Ord + use<> {
    (unassigned(pod), phase(pod), !is_ready(pod), Reverse(restarts(pod)), created(pod))
}

/// The pod to attach to comes first.
///
/// Upstream: the reverse of `ActivePods`.
pub fn by_activity(pod: &Pod) -> impl Ord + use<> {
    let deleting = pod.metadata.deletion_timestamp.is_some();
    (unassigned(pod), phase(pod), !is_ready(pod), deleting, restarts(pod), created(pod))
}

fn unassigned(pod: &Pod) -> bool {
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).is_none_or(str::is_empty)
}

fn phase(pod: &Pod) -> u8 {
    match pod.status.as_ref().and_then(|status| status.phase.as_deref()) {
        Some("Pending") => 2,
        Some("Unknown") => 1,
        _ => 0,
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().filter_map(|status| status.conditions.as_ref()).flatten();
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn restarts(pod: &Pod) -> i32 {
    let statuses =
        pod.status.iter().filter_map(|status| status.container_statuses.as_ref()).flatten();
    statuses.map(|status| status.restart_count).max().unwrap_or(0)
}

fn created(pod: &Pod) -> (Ordering, naru_sim::Time) {
    match &pod.metadata.creation_timestamp {
        Some(time) => (Ordering::Less, naru_api::time::from_meta(time)),
        None => (Ordering::Greater, naru_sim::Time::MAX),
    }
}
