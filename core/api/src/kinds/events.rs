//! Events of the group `events.k8s.io`: another face of the core group's events.
//!
//! Upstream: `pkg/apis/events/v1/conversion.go`, `pkg/registry/core/event/strategy.go`.

use super::typed::Typed;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Object};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use naru_sim::Time;

static KIND: Kind = Names::new("events.k8s.io", "v1", "Event", "events", "event")
    .short(&["ev"])
    .kind(&EventStrategy);

impl Kube for Event {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct EventStrategy;

impl Typed for EventStrategy {
    type Object = Event;

    const COLUMNS: &'static [Column] = super::event::COLUMNS;

    const FIELDS: &'static [&'static str] = &[
        "reason",
        "regarding.kind",
        "regarding.namespace",
        "regarding.name",
        "regarding.uid",
        "regarding.apiVersion",
        "regarding.resourceVersion",
        "regarding.fieldPath",
        "reportingController",
        "type",
    ];

    const ALLOW_CREATE_ON_UPDATE: bool = true;

    fn validate(&self, event: &Event) -> Vec<FieldError> {
        let stored = to_core(event.clone());
        let mut errors = super::event::validate(&stored, "reportingController");
        if let Some(series) = &event.series
            && series.count < 2
        {
            errors.push(FieldError::invalid("series.count", "", "should be at least 2"));
        }
        if event.event_time.is_none() {
            errors.push(FieldError::required("eventTime", ""));
        }
        let type_ = event.type_.as_deref().unwrap_or_default();
        if !matches!(type_, "Normal" | "Warning") {
            let detail = format!("has invalid value: {type_}");
            errors.push(FieldError::invalid("type", "", &detail));
        }
        let source = stored.source.unwrap_or_default();
        let old = [
            ("firstTimestamp", stored.first_timestamp.is_some()),
            ("lastTimestamp", stored.last_timestamp.is_some()),
            ("count", stored.count.unwrap_or(0) != 0),
            ("source", source.component.or(source.host).is_some()),
        ];
        for (field, _) in old.into_iter().filter(|(_, set)| *set) {
            errors.push(FieldError::invalid(field, "", "needs to be unset"));
        }
        errors
    }

    /// Only the series of an event changes.
    fn validate_update(&self, new: &Event, old: &Event, _: &str) -> Vec<FieldError> {
        let mut errors = super::event::validate(&to_core(new.clone()), "reportingController");
        if new.series != old.series && new.series.as_ref().is_some_and(|series| series.count < 2) {
            errors.push(FieldError::invalid("series.count", "", "should be at least 2"));
        }
        let texts = [
            ("reason", &new.reason, &old.reason),
            ("message", &new.note, &old.note),
            ("type", &new.type_, &old.type_),
            ("action", &new.action, &old.action),
            ("reportingController", &new.reporting_controller, &old.reporting_controller),
            ("reportingInstance", &new.reporting_instance, &old.reporting_instance),
        ];
        for (field, new, old) in texts {
            let (new, old) = (new.as_deref(), old.as_deref());
            let (new, old) = (new.unwrap_or_default(), old.unwrap_or_default());
            if new != old {
                errors.push(FieldError::invalid(field, new, "field is immutable"));
            }
        }
        errors
    }

    fn storage_kind(&self) -> Option<KindRef> {
        Some(core::Event::kind())
    }

    fn to_storage(&self, object: Object) -> Object {
        match object.get::<Event>() {
            Some(event) => Object::new(to_core(event.clone())),
            None => object,
        }
    }

    fn from_storage(&self, object: Object) -> Object {
        match object.get::<core::Event>() {
            Some(event) => Object::new(from_core(event.clone())),
            None => object,
        }
    }

    fn cells(&self, event: &Event, now: Time) -> Vec<Cell> {
        let stored = Object::new(to_core(event.clone()));
        stored.strategy().row(&stored, now)
    }

    fn field(&self, event: &Event, path: &str) -> Option<String> {
        let regarding = event.regarding.clone().unwrap_or_default();
        match path {
            "reason" => event.reason.clone(),
            "regarding.kind" => regarding.kind,
            "regarding.namespace" => regarding.namespace,
            "regarding.name" => regarding.name,
            "regarding.uid" => regarding.uid,
            "regarding.apiVersion" => regarding.api_version,
            "regarding.resourceVersion" => regarding.resource_version,
            "regarding.fieldPath" => regarding.field_path,
            "reportingController" => event.reporting_controller.clone(),
            "type" => event.type_.clone(),
            _ => None,
        }
    }
}

/// Upstream: `Convert_v1_Event_To_core_Event`.
fn to_core(event: Event) -> core::Event {
    core::Event {
        action: event.action,
        count: event.deprecated_count,
        event_time: event.event_time,
        first_timestamp: event.deprecated_first_timestamp,
        involved_object: event.regarding.unwrap_or_default(),
        last_timestamp: event.deprecated_last_timestamp,
        message: event.note,
        metadata: event.metadata,
        reason: event.reason,
        related: event.related,
        reporting_component: event.reporting_controller,
        reporting_instance: event.reporting_instance,
        series: event.series.map(|series| core::EventSeries {
            count: Some(series.count),
            last_observed_time: Some(series.last_observed_time),
        }),
        source: event.deprecated_source,
        type_: event.type_,
    }
}

/// Upstream: `Convert_core_Event_To_v1_Event`.
fn from_core(event: core::Event) -> Event {
    Event {
        action: event.action,
        deprecated_count: event.count,
        deprecated_first_timestamp: event.first_timestamp,
        deprecated_last_timestamp: event.last_timestamp,
        deprecated_source: event.source,
        event_time: event.event_time,
        metadata: event.metadata,
        note: event.message,
        reason: event.reason,
        regarding: Some(event.involved_object),
        related: event.related,
        reporting_controller: event.reporting_component,
        reporting_instance: event.reporting_instance,
        series: event.series.map(|series| EventSeries {
            count: series.count.unwrap_or(0),
            last_observed_time: series
                .last_observed_time
                .unwrap_or(MicroTime(jiff::Timestamp::UNIX_EPOCH)),
        }),
        type_: event.type_,
    }
}
