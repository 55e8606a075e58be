//! `kubectl describe horizontalpodautoscaler`

use super::events::Events;
use super::page::{Page, date, items, number, text};
use super::tell;
use naru_api::gofmt::quote;
use serde_json::Value;

pub(super) fn describe(page: &mut Page, scaler: &Value, events: Option<&Events>) {
    let (spec, status) = (&scaler["spec"], &scaler["status"]);
    page.head(scaler);
    page.field(0, "CreationTimestamp", date(&scaler["metadata"]["creationTimestamp"]));
    let target = &spec["scaleTargetRef"];
    let kind = text(&target["kind"]);
    page.field(0, "Reference", format!("{kind}/{}", text(&target["name"])));
    page.line(0, "Metrics:\t( current / target )");
    for (index, metric) in items(&spec["metrics"]).iter().enumerate() {
        describe_metric(page, metric, &status["currentMetrics"][index]);
    }
    let least = match spec["minReplicas"].as_i64() {
        Some(least) => least.to_string(),
        None => "<unset>".to_owned(),
    };
    page.field(0, "Min replicas", least);
    page.field(0, "Max replicas", number(&spec["maxReplicas"]));
    let behavior = &spec["behavior"];
    if behavior.is_object() {
        page.line(0, "Behavior:");
        direction(page, "Scale Up", &behavior["scaleUp"]);
        direction(page, "Scale Down", &behavior["scaleDown"]);
    }
    let (current, desired) =
        (number(&status["currentReplicas"]), number(&status["desiredReplicas"]));
    page.field(0, &format!("{kind} pods"), format!("{current} current / {desired} desired"));
    let conditions = items(&status["conditions"]);
    if !conditions.is_empty() {
        page.line(0, "Conditions:");
        page.line(1, "Type\tStatus\tReason\tMessage");
        page.line(1, "----\t------\t------\t-------");
    }
    for condition in conditions {
        let cell = |field: &str| text(&condition[field]).to_owned();
        let cells = ["type", "status", "reason", "message"].map(cell);
        page.line(1, &cells.join("\t"));
    }
    tell(page, events);
}

fn or_unknown(value: &Value) -> &str {
    value.as_str().unwrap_or("<unknown>")
}

fn describe_metric(page: &mut Page, metric: &Value, current: &Value) {
    let kind = text(&metric["type"]);
    match kind {
        "Resource" | "ContainerResource" => {
            let field = if kind == "Resource" { "resource" } else { "containerResource" };
            let (of, now) = (&metric[field], &current[field]["current"]);
            let mut line = format!("resource {}", text(&of["name"]));
            if kind == "ContainerResource" {
                line.push_str(&format!(" of container \"{}\"", text(&of["container"])));
            }
            line.push_str(" on pods");
            line.push_str(&usage(&of["target"], now));
            page.line(1, &line);
        }
        "Pods" => {
            let of = &metric["pods"];
            let now = or_unknown(&current["pods"]["current"]["averageValue"]);
            let wanted = text(&of["target"]["averageValue"]);
            let name = quote(text(&of["metric"]["name"]));
            page.line(1, &format!("{name} on pods:\t{now} / {wanted}"));
        }
        "Object" => {
            let of = &metric["object"];
            let described = &of["describedObject"];
            let (kind, name) = (text(&described["kind"]), text(&described["name"]));
            let (title, field) = match text(&of["target"]["type"]) {
                "AverageValue" => ("target average value", "averageValue"),
                _ => ("target value", "value"),
            };
            let now = or_unknown(&current["object"]["current"][field]);
            let (metric, wanted) = (text(&of["metric"]["name"]), text(&of["target"][field]));
            page.line(1, &format!("\"{metric}\" on {kind}/{name} ({title}):\t{now} / {wanted}"));
        }
        "External" => {
            let of = &metric["external"];
            let (title, field) = match of["target"]["averageValue"].is_null() {
                false => ("target average value", "averageValue"),
                true => ("target value", "value"),
            };
            let now = or_unknown(&current["external"]["current"][field]);
            let name = quote(text(&of["metric"]["name"]));
            let wanted = text(&of["target"][field]);
            page.line(1, &format!("{name} ({title}):\t{now} / {wanted}"));
        }
        kind => page.line(1, &format!("<unknown metric type {}>", quote(kind))),
    }
}

/// Where a level of indentation stands in the middle of the line, as upstream writes it.
fn usage(target: &Value, now: &Value) -> String {
    if let Some(wanted) = target["averageValue"].as_str() {
        return format!(":\t{} / {wanted}", or_unknown(&now["averageValue"]));
    }
    let current = match now["averageUtilization"].as_i64() {
        Some(percent) => format!("{percent}% ({})", text(&now["averageValue"])),
        None => "<unknown>".to_owned(),
    };
    let wanted = match target["averageUtilization"].as_i64() {
        Some(percent) => format!("{percent}%"),
        None => "<auto>".to_owned(),
    };
    format!("  (as a percentage of request):\t{current} / {wanted}")
}

fn direction(page: &mut Page, title: &str, rules: &Value) {
    if !rules.is_object() {
        return;
    }
    page.line(1, &format!("{title}:"));
    if let Some(seconds) = rules["stabilizationWindowSeconds"].as_i64() {
        page.line(2, &format!("Stabilization Window: {seconds} seconds"));
    }
    let policies = items(&rules["policies"]);
    if policies.is_empty() {
        return;
    }
    let select = rules["selectPolicy"].as_str().unwrap_or("Max");
    page.line(2, &format!("Select Policy: {select}"));
    page.line(2, "Policies:");
    for policy in policies {
        let (kind, value) = (text(&policy["type"]), number(&policy["value"]));
        let seconds = number(&policy["periodSeconds"]);
        page.line(3, &format!("- Type: {kind}\tValue: {value}\tPeriod: {seconds} seconds"));
    }
}
