//! Events about objects, with upstream's counting of repetitions.
//!
//! Upstream: `staging/src/k8s.io/client-go/tools/record` and `tools/events`.

use crate::Client;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::request::Patch;
use naru_api::time::{meta_time, micro_time};
use naru_api::{Object, time};
use naru_sim::{Rng, Time};
use std::collections::BTreeMap;

/// Whether an event tells of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventType {
    /// All is well.
    Normal,
    /// Something needs attention.
    Warning,
}

impl EventType {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            EventType::Normal => "Normal",
            EventType::Warning => "Warning",
        }
    }
}

/// Which API the component writes its events by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventStyle {
    /// `v1`: first and last time, source.
    Core,
    /// `events.k8s.io/v1`: eventTime and this action (the scheduler's `Binding`, …).
    EventsV1 {
        /// What the component was doing.
        action: &'static str,
    },
}

/// Writes a component's events; counts the same event up instead of writing it again.
#[derive(Clone, Debug)]
pub struct EventRecorder {
    component: String,
    host: Option<String>,
    style: EventStyle,
    seen: BTreeMap<Seen, Written>,
    order: u64,
}

/// What makes two events the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    uid: String,
    field_path: String,
    kind: EventType,
    reason: String,
    message: String,
}

#[derive(Clone, Debug)]
struct Written {
    namespace: String,
    name: String,
    count: i32,
    order: u64,
}

impl EventRecorder {
    /// Events remembered for counting. Upstream: `maxLruCacheEntries`.
    const SEEN_MAX: usize = 4096;

    /// A recorder of a component, on a node or not.
    pub fn new(component: impl Into<String>, host: Option<String>, style: EventStyle) -> Self {
        let component = component.into();
        EventRecorder { component, host, style, seen: BTreeMap::new(), order: 0 }
    }

    /// Writes an event about an object, or counts up the one that says the same.
    pub fn record(
        &mut self,
        client: &mut Client<'_>,
        rng: &mut Rng,
        about: &Object,
        kind: EventType,
        reason: &str,
        message: &str,
    ) {
        self.record_about(client, rng, object_reference(about, None), kind, reason, message);
    }

    /// Writes an event about a part of an object: `spec.containers{web}`.
    pub fn record_about(
        &mut self,
        client: &mut Client<'_>,
        rng: &mut Rng,
        about: ObjectReference,
        kind: EventType,
        reason: &str,
        message: &str,
    ) {
        let now = client.now();
        self.order += 1;
        let seen = Seen {
            uid: about.uid.clone().unwrap_or_default(),
            field_path: about.field_path.clone().unwrap_or_default(),
            kind,
            reason: reason.to_owned(),
            message: message.to_owned(),
        };
        if let Some(written) = self.seen.get_mut(&seen) {
            written.count += 1;
            written.order = self.order;
            let patch = serde_json::json!({
                "count": written.count,
                "lastTimestamp": time::rfc3339(Some(&meta_time(now))),
            });
            let done = client.patch::<Event>(
                &written.namespace,
                &written.name,
                "",
                Patch::Strategic(patch),
            );
            if done.is_ok() {
                return;
            }
            // Its hour is over and the event is gone: write a new one.
        }
        let event = self.event(now, rng, about, kind, reason, message);
        let namespace = event.metadata.namespace.clone().unwrap_or_default();
        let name = event.metadata.name.clone().unwrap_or_default();
        if client.create(event).is_ok() {
            self.remember(seen, Written { namespace, name, count: 1, order: self.order });
        }
    }

    fn event(
        &self,
        now: Time,
        rng: &mut Rng,
        about: ObjectReference,
        kind: EventType,
        reason: &str,
        message: &str,
    ) -> Event {
        let namespace = about.namespace.clone().unwrap_or_else(|| "default".to_owned());
        // Upstream's suffix is the time in nanoseconds; two events of one microsecond must differ.
        let nanos = now.unix_micros().saturating_mul(1_000) + rng.below(1_000) as i64;
        let name = format!("{}.{nanos:x}", about.name.as_deref().unwrap_or_default());
        let mut event = Event {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: Some(namespace),
                ..ObjectMeta::default()
            },
            involved_object: about,
            type_: Some(kind.as_str().to_owned()),
            reason: Some(reason.to_owned()),
            message: Some(message.to_owned()),
            reporting_component: Some(self.component.clone()),
            reporting_instance: self.host.clone(),
            ..Event::default()
        };
        match self.style {
            EventStyle::Core => {
                event.source = Some(EventSource {
                    component: Some(self.component.clone()),
                    host: self.host.clone(),
                });
                event.first_timestamp = Some(meta_time(now));
                event.last_timestamp = Some(meta_time(now));
                event.count = Some(1);
            }
            EventStyle::EventsV1 { action } => {
                event.event_time = Some(micro_time(now));
                event.action = Some(action.to_owned());
            }
        }
        event
    }

    fn remember(&mut self, seen: Seen, written: Written) {
        if self.seen.len() >= Self::SEEN_MAX {
            let oldest = self.seen.iter().min_by_key(|(_, written)| written.order);
            if let Some(oldest) = oldest.map(|(seen, _)| seen.clone()) {
                self.seen.remove(&oldest);
            }
        }
        self.seen.insert(seen, written);
    }
}

/// A reference to an object, or to a part of it.
pub fn object_reference(object: &Object, field_path: Option<String>) -> ObjectReference {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    ObjectReference {
        api_version: Some(object.kind().api_version()),
        kind: Some(object.kind().kind.to_string()),
        name: some(object.name()),
        namespace: some(object.namespace()),
        uid: some(object.uid()),
        resource_version: object.meta().resource_version.clone(),
        field_path,
    }
}
