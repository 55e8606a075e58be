//! The cell of `Targets`: `cpu: 12%/80%`.
//!
//! Upstream: `formatHPAMetrics` in `pkg/printers/internalversion/printers.go`.

use k8s_openapi::api::autoscaling::v2::{
    MetricSpec, MetricStatus, MetricTarget, MetricValueStatus,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// How many metrics are shown.
const SHOWN: usize = 2;

/// What is aimed at, and what was measured last.
pub(super) fn format(specs: &[MetricSpec], statuses: &[MetricStatus]) -> String {
    if specs.is_empty() {
        return "<none>".to_owned();
    }
    let shown: Vec<String> = specs
        .iter()
        .take(SHOWN)
        .enumerate()
        .map(|(index, spec)| metric(spec, statuses.get(index)))
        .collect();
    let list = shown.join(", ");
    match specs.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{list} + {more} more..."),
        _ => list,
    }
}

fn metric(spec: &MetricSpec, status: Option<&MetricStatus>) -> String {
    match spec.type_.as_str() {
        "External" => {
            let current = status.and_then(|status| Some(&status.external.as_ref()?.current));
            value(spec.external.as_ref().map(|source| &source.target), current)
        }
        "Object" => {
            let current = status.and_then(|status| Some(&status.object.as_ref()?.current));
            value(spec.object.as_ref().map(|source| &source.target), current)
        }
        "Pods" => {
            let current = status.and_then(|status| Some(&status.pods.as_ref()?.current));
            let target = spec.pods.as_ref().and_then(|source| source.target.average_value.as_ref());
            let current = current.and_then(|current| current.average_value.as_ref());
            format!("{}/{}", text(current), text(target))
        }
        "Resource" => {
            let current = status.and_then(|status| Some(&status.resource.as_ref()?.current));
            let source = spec.resource.as_ref();
            resource(source.map(|source| (source.name.as_str(), &source.target)), current)
        }
        "ContainerResource" => {
            let current =
                status.and_then(|status| Some(&status.container_resource.as_ref()?.current));
            let source = spec.container_resource.as_ref();
            resource(source.map(|source| (source.name.as_str(), &source.target)), current)
        }
        _ => "<unknown type>".to_owned(),
    }
}

fn value(target: Option<&MetricTarget>, current: Option<&MetricValueStatus>) -> String {
    match target.and_then(|target| target.average_value.as_ref()) {
        Some(target) => {
            let current = current.and_then(|current| current.average_value.as_ref());
            format!("{}/{} (avg)", text(current), target.0)
        }
        None => {
            let current = current.and_then(|current| current.value.as_ref());
            format!("{}/{}", text(current), text(target.and_then(|target| target.value.as_ref())))
        }
    }
}

fn resource(source: Option<(&str, &MetricTarget)>, current: Option<&MetricValueStatus>) -> String {
    let Some((name, target)) = source else { return "<unknown type>".to_owned() };
    if let Some(target) = &target.average_value {
        let current = current.and_then(|current| current.average_value.as_ref());
        return format!("{name}: {}/{}", text(current), target.0);
    }
    let percent = |percent: Option<i32>, none: &str| {
        percent.map_or(none.to_owned(), |percent| format!("{percent}%"))
    };
    let current = current.and_then(|current| current.average_utilization);
    let (current, target) =
        (percent(current, "<unknown>"), percent(target.average_utilization, "<auto>"));
    format!("{name}: {current}/{target}")
}

fn text(quantity: Option<&Quantity>) -> &str {
    quantity.map_or("<unknown>", |quantity| quantity.0.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    fn format(specs: Value, statuses: Value) -> String {
        let specs: Vec<_> = serde_json::from_value(specs).unwrap();
        super::format(&specs, &serde_json::from_value::<Vec<_>>(statuses).unwrap())
    }

    #[test]
    fn targets() {
        let resource = |name: &str| {
            json!({"type": "Resource", "resource": {"name": name,
                "target": {"type": "Utilization", "averageUtilization": 80}}})
        };
        let measured = json!([{"type": "Resource", "resource": {"name": "cpu",
            "current": {"averageUtilization": 12, "averageValue": "12m"}}}]);
        let pods = json!({"type": "Pods", "pods": {"metric": {"name": "rps"},
            "target": {"type": "AverageValue", "averageValue": "1k"}}});
        let object = json!({"type": "Object", "object": {"metric": {"name": "rps"},
            "describedObject": {"kind": "Service", "name": "web"},
            "target": {"type": "Value", "value": "2k"}}});
        let external = json!({"type": "External", "external": {"metric": {"name": "q"},
            "target": {"type": "AverageValue", "averageValue": "30"}}});
        let table = [
            (json!([]), json!([]), "<none>"),
            (json!([resource("cpu")]), json!([]), "cpu: <unknown>/80%"),
            (json!([resource("cpu")]), measured.clone(), "cpu: 12%/80%"),
            (
                json!([resource("cpu"), resource("memory"), pods]),
                measured,
                "cpu: 12%/80%, memory: <unknown>/80% + 1 more...",
            ),
            (json!([pods]), json!([]), "<unknown>/1k"),
            (json!([object, external]), json!([]), "<unknown>/2k, <unknown>/30 (avg)"),
        ];
        for (specs, statuses, wanted) in table {
            assert_eq!(format(specs, statuses), wanted);
        }
    }
}
