//! Events.
//!
//! Upstream: `pkg/registry/core/event/strategy.go`, `printEvent`.

use super::cells;
use super::typed::Typed;
use crate::podspec::validation::all_invalid;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, duration, names};
use k8s_openapi::api::core::v1::Event;
use naru_sim::Time;

static KIND: Kind =
    Names::new("", "v1", "Event", "events", "event").short(&["ev"]).kind(&EventStrategy);

/// The columns of events, of either group.
pub(super) const COLUMNS: &[Column] = &[
    Column::new("Last Seen"),
    Column::new("Type"),
    Column::new("Reason"),
    Column::new("Object"),
    Column::wide("Subobject"),
    Column::wide("Source"),
    Column::new("Message"),
    Column::wide("First Seen"),
    Column::wide("Count"),
    Column::wide("Name"),
];

impl Kube for Event {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct EventStrategy;

impl Typed for EventStrategy {
    type Object = Event;

    const COLUMNS: &'static [Column] = COLUMNS;

    const FIELDS: &'static [&'static str] = &[
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ];

    const ALLOW_CREATE_ON_UPDATE: bool = true;

    fn validate(&self, event: &Event) -> Vec<FieldError> {
        validate(event, "reportingComponent")
    }

    fn cells(&self, event: &Event, now: Time) -> Vec<Cell> {
        let first = match &event.first_timestamp {
            Some(first) => duration::since(Some(first), now),
            None => duration::since_micro(event.event_time.as_ref(), now),
        };
        let (last, count) = match &event.series {
            Some(series) => (
                duration::since_micro(series.last_observed_time.as_ref(), now),
                series.count.unwrap_or(0),
            ),
            None => {
                let last = event.last_timestamp.as_ref();
                let last = last.map(|last| duration::since(Some(last), now));
                let count = event.count.filter(|count| *count != 0).unwrap_or(1);
                (last.unwrap_or_else(|| first.clone()), count)
            }
        };
        vec![
            last.into(),
            cells::text(event.type_.as_deref()),
            cells::text(event.reason.as_deref()),
            target(event).into(),
            cells::text(event.involved_object.field_path.as_deref()),
            source(event).into(),
            event.message.as_deref().unwrap_or_default().trim().into(),
            first.into(),
            count.into(),
            cells::name(&event.metadata),
        ]
    }

    fn field(&self, event: &Event, path: &str) -> Option<String> {
        let involved = &event.involved_object;
        let component = event.source.as_ref().and_then(|source| source.component.clone());
        match path {
            "involvedObject.kind" => involved.kind.clone(),
            "involvedObject.namespace" => involved.namespace.clone(),
            "involvedObject.name" => involved.name.clone(),
            "involvedObject.uid" => involved.uid.clone(),
            "involvedObject.apiVersion" => involved.api_version.clone(),
            "involvedObject.resourceVersion" => involved.resource_version.clone(),
            "involvedObject.fieldPath" => involved.field_path.clone(),
            "reason" => event.reason.clone(),
            "reportingComponent" => event.reporting_component.clone(),
            "source" => component
                .filter(|component| !component.is_empty())
                .or_else(|| event.reporting_component.clone()),
            "type" => event.type_.clone(),
            _ => None,
        }
    }
}

/// What is wrong with an event, whichever group's; the field of the reporter has two names.
///
/// Upstream: `legacyValidateEvent` in `pkg/apis/core/validation/events.go`.
pub(super) fn validate(event: &Event, reporter: &str) -> Vec<FieldError> {
    const TEXT_MAX: usize = 128;
    const NOTE_MAX: usize = 1024;
    let namespace = event.metadata.namespace.as_deref().unwrap_or_default();
    let involved = event.involved_object.namespace.as_deref().unwrap_or_default();
    let mut errors = Vec::new();
    let mismatched = match (event.event_time.is_some(), involved) {
        (false, "") => !matches!(namespace, "" | "default"),
        (false, involved) => involved != namespace,
        (true, "") => !matches!(namespace, "default" | "kube-system"),
        (true, _) => false,
    };
    if mismatched {
        let detail = "does not match event.namespace";
        errors.push(FieldError::invalid("involvedObject.namespace", involved, detail));
    }
    if event.event_time.is_none() {
        return errors;
    }
    let controller = event.reporting_component.as_deref().unwrap_or_default();
    let field = Path::new(reporter);
    if controller.is_empty() {
        errors.push(FieldError::required(field, ""));
    }
    all_invalid(names::qualified_name(controller), controller, &field, &mut errors);
    let texts = [
        ("reportingInstance", &event.reporting_instance, true, TEXT_MAX),
        ("action", &event.action, true, TEXT_MAX),
        ("reason", &event.reason, true, TEXT_MAX),
        ("message", &event.message, false, NOTE_MAX),
    ];
    for (field, text, needed, max) in texts {
        let text = text.as_deref().unwrap_or_default();
        if needed && text.is_empty() {
            errors.push(FieldError::required(field, ""));
        }
        if text.len() > max {
            let detail = format!("can have at most {max} characters");
            errors.push(FieldError::invalid(field, "", &detail));
        }
    }
    errors
}

/// `pod/web`.
fn target(event: &Event) -> String {
    let kind = event.involved_object.kind.as_deref().unwrap_or_default().to_lowercase();
    match event.involved_object.name.as_deref().unwrap_or_default() {
        "" => kind,
        name => format!("{kind}/{name}"),
    }
}

/// `kubelet, worker`.
fn source(event: &Event) -> String {
    let first = |one: Option<&str>, two: Option<&str>| {
        one.filter(|text| !text.is_empty()).or(two).unwrap_or_default().to_owned()
    };
    let source = event.source.as_ref();
    let component = source.and_then(|source| source.component.as_deref());
    let host = source.and_then(|source| source.host.as_deref());
    let component = first(component, event.reporting_component.as_deref());
    let instance = first(host, event.reporting_instance.as_deref());
    if instance.is_empty() { component } else { format!("{component}, {instance}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows() {
        let event = serde_json::from_value(json!({
            "metadata": {"name": "web.1"},
            "involvedObject": {"kind": "Pod", "name": "web", "fieldPath": "spec.containers{a}"},
            "type": "Normal", "reason": "Pulled", "message": "Done \n", "count": 3,
            "source": {"component": "kubelet", "host": "worker"},
            "firstTimestamp": "2025-06-02T00:00:00Z", "lastTimestamp": "2025-06-02T00:01:00Z",
        }))
        .unwrap();
        let cells = EventStrategy.cells(&event, Time::from_secs(90));
        let texts = [
            "30s",
            "Normal",
            "Pulled",
            "pod/web",
            "spec.containers{a}",
            "kubelet, worker",
            "Done",
            "90s",
        ];
        assert_eq!(cells[..8], texts.map(Cell::from));
        assert_eq!(cells[8..], [Cell::Number(3), Cell::from("web.1")]);
    }
}
