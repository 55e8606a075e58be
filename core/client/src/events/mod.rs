//! Events about objects, with upstream's counting of repetitions.
//!
//! Upstream: `staging/src/k8s.io/client-go/tools/record` and `tools/events`.

mod correlator;
mod fingerprint;
mod lru;
mod series;

use crate::Client;
use correlator::{Correlator, Keys};
use fingerprint::Fingerprint;
use k8s_openapi::api::core::v1::{Event, EventSeries, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::request::Patch;
use naru_api::status::ApiResult;
use naru_api::time::{meta_time, micro_time};
use naru_api::{Object, time};
use naru_sim::{Rng, Time};
use series::{Known, SeriesCache, Verdict};
use std::collections::BTreeMap;
use std::sync::Arc;

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

/// Writes a component's events. What repeats is counted, combined or dropped as upstream does it.
#[derive(Clone, Debug)]
pub struct EventRecorder {
    component: String,
    host: Option<String>,
    style: EventStyle,
    correlator: Correlator,
    series: SeriesCache,
    /// What the next event is about besides.
    related: Option<ObjectReference>,
    /// What the next event has for annotations.
    annotations: BTreeMap<String, String>,
    /// When the last event was written, in nanoseconds of the calendar.
    last_nanos: i64,
}

impl EventRecorder {
    /// A recorder of a component, on a node or not.
    pub fn new(component: impl Into<String>, host: Option<String>, style: EventStyle) -> Self {
        EventRecorder {
            component: component.into(),
            host,
            style,
            correlator: Correlator::default(),
            series: SeriesCache::default(),
            related: None,
            annotations: BTreeMap::new(),
            last_nanos: 0,
        }
    }

    /// The next event is about this besides. Upstream: `related` of `Eventf` in
    /// `client-go/tools/events`.
    pub fn relate(&mut self, related: ObjectReference) {
        self.related = Some(related);
    }

    /// The next event has these annotations. Upstream: `AnnotatedEventf` in
    /// `client-go/tools/record`.
    pub fn annotate(&mut self, annotations: BTreeMap<String, String>) {
        self.annotations = annotations;
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
        let event = self.event(client.now(), rng, about, kind, reason, message);
        match self.style {
            EventStyle::Core => self.write_core(client, event),
            EventStyle::EventsV1 { .. } => self.write_series(client, event),
        }
    }

    /// An event that cannot be written is given up: nobody waits for it.
    fn write_core(&mut self, client: &mut Client<'_>, mut event: Event) {
        let now = client.now();
        let message = event.message.as_deref().unwrap_or_default();
        let name = event.metadata.name.as_deref().unwrap_or_default();
        let keys = keys(&event);
        let Some(verdict) = self.correlator.judge(&keys, message, name, now) else { return };
        let written = verdict.event;
        if verdict.combined {
            event.message = Some(format!("(combined from similar events): {message}"));
        }
        if verdict.again {
            let patch = serde_json::json!({
                "count": written.count,
                "lastTimestamp": time::rfc3339(Some(&meta_time(now))),
                "message": event.message,
            });
            let patch = Patch::Strategic(patch);
            let namespace = event.metadata.namespace.as_deref().unwrap_or_default();
            let done = client.patch::<Event>(namespace, &written.name, "", patch);
            if !done.is_err_and(|error| error.is_not_found()) {
                return;
            }
            // Its hour is over and the event is gone: it is written anew.
        }
        event.metadata.name = Some(written.name);
        event.count = Some(written.count);
        event.first_timestamp = Some(meta_time(written.first));
        let _ = client.create(event);
    }

    fn write_series(&mut self, client: &mut Client<'_>, mut event: Event) {
        let now = client.now();
        for known in self.series.due(now) {
            let _ = patch_series(client, &known);
        }
        let new = || Known {
            namespace: event.metadata.namespace.clone().unwrap_or_default(),
            name: event.metadata.name.clone().unwrap_or_default(),
            last: now,
            count: 1,
        };
        match self.series.judge(isomorphic_key(&event), new, now) {
            Verdict::Create => drop(client.create(event)),
            Verdict::Count => {}
            Verdict::Begin(known) => {
                if patch_series(client, &known).is_err_and(|error| error.is_not_found()) {
                    event.metadata.name = Some(known.name);
                    event.series = Some(EventSeries {
                        count: Some(known.count),
                        last_observed_time: Some(micro_time(known.last)),
                    });
                    let _ = client.create(event);
                }
            }
        }
    }

    fn event(
        &mut self,
        now: Time,
        rng: &mut Rng,
        about: ObjectReference,
        kind: EventType,
        reason: &str,
        message: &str,
    ) -> Event {
        let namespace = about.namespace.clone().unwrap_or_else(|| "default".to_owned());
        // Upstream's suffix is the time in nanoseconds; of two events of one moment the later one
        // comes later.
        let nanos = now.unix_micros().saturating_mul(1_000) + rng.below(1_000) as i64;
        let nanos = nanos.max(self.last_nanos + 1);
        self.last_nanos = nanos;
        let name = format!("{}.{nanos:x}", about.name.as_deref().unwrap_or_default());
        let annotations = std::mem::take(&mut self.annotations);
        let mut event = Event {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: Some(namespace),
                annotations: Some(annotations).filter(|annotations| !annotations.is_empty()),
                ..ObjectMeta::default()
            },
            involved_object: about,
            related: self.related.take(),
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
}

fn patch_series(client: &mut Client<'_>, known: &Known) -> ApiResult<Arc<Event>> {
    let last = serde_json::to_value(micro_time(known.last)).unwrap_or_default();
    let series = serde_json::json!({"count": known.count, "lastObservedTime": last});
    let patch = Patch::Strategic(serde_json::json!({ "series": series }));
    client.patch::<Event>(&known.namespace, &known.name, "", patch)
}

/// Upstream: `getSpamKey`, `EventAggregatorByReasonFunc` and `getEventKey`; a recorder has just one
/// source.
fn keys(event: &Event) -> Keys {
    let about = &event.involved_object;
    let object =
        [&about.kind, &about.namespace, &about.name, &about.uid, &about.api_version, &event.type_];
    let spam = Fingerprint::of(object.map(Option::as_ref));
    let similar = spam.and([event.reason.as_ref()]);
    let same = similar.and([about.field_path.as_ref(), event.message.as_ref()]);
    Keys { spam, similar, same }
}

/// Upstream: `getKey` in `client-go/tools/events/event_broadcaster.go`. The message is not in it.
fn isomorphic_key(event: &Event) -> Fingerprint {
    let about = &event.involved_object;
    let texts = [
        &event.type_,
        &event.action,
        &event.reason,
        &about.api_version,
        &about.kind,
        &about.namespace,
        &about.name,
        &about.uid,
        &about.resource_version,
        &about.field_path,
    ];
    let related = event.related.as_ref().and_then(|related| related.uid.as_ref());
    Fingerprint::of(texts.map(Option::as_ref)).and([related])
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
