//! The events of an object.

use super::page::Page;
use super::served;
use crate::context::Context;
use crate::failure::Result;
use naru_api::k8s_openapi::api::core::v1::Event;
use naru_api::request::ListOptions;
use naru_api::time::{from_meta, from_micro};
use naru_api::{KindRef, Object};
use naru_sim::Time;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The events of namespaces by the objects that they are about. Upstream asks the API server for each
/// object; within one moment that is the same, but takes as long as all objects times all events.
#[derive(Clone, Debug, Default)]
pub struct EventIndex {
    /// By namespace, then by the object's uid.
    known: BTreeMap<String, BTreeMap<String, Vec<Arc<Event>>>>,
}

impl EventIndex {
    /// The events of a namespace ("": of all) about the object with this uid.
    fn find(&mut self, cx: &mut Context<'_>, namespace: &str, uid: &str) -> Result<&[Arc<Event>]> {
        if !self.known.contains_key(namespace) {
            let found = match served(cx, "events")? {
                Some(events) => cx.list(&events, namespace, &ListOptions::default())?.items,
                None => Vec::new(),
            };
            let mut by_uid: BTreeMap<String, Vec<Arc<Event>>> = BTreeMap::new();
            for event in found.iter().filter_map(Object::arc::<Event>) {
                let uid = event.involved_object.uid.clone().unwrap_or_default();
                by_uid.entry(uid).or_default().push(event);
            }
            self.known.insert(namespace.to_owned(), by_uid);
        }
        let about = self.known.get(namespace).and_then(|by_uid| by_uid.get(uid));
        Ok(about.map(Vec::as_slice).unwrap_or_default())
    }
}

/// Events, oldest first.
#[derive(Debug, Default)]
pub struct Events(Vec<Arc<Event>>);

/// The events about an object.
///
/// Upstream: `searchEvents`.
pub fn search(cx: &mut Context<'_>, kind: &KindRef, object: &Object) -> Result<Events> {
    // A pod is looked for without its kind, as upstream does.
    let kind_name = if kind.group_kind() == "Pod" { "" } else { &*kind.kind };
    search_by(cx, kind_name, object.name(), object.namespace(), object.uid())
}

/// The events about what these name; "" names anything.
pub fn search_by(
    cx: &mut Context<'_>,
    kind: &str,
    name: &str,
    namespace: &str,
    uid: &str,
) -> Result<Events> {
    let mut events: Vec<Arc<Event>> = match cx.events.take() {
        Some(mut index) if !uid.is_empty() => {
            let is = |field: &Option<String>, wanted: &str| {
                wanted.is_empty() || or_empty(field) == wanted
            };
            let is_about = |event: &&Arc<Event>| {
                let about = &event.involved_object;
                is(&about.name, name) && is(&about.namespace, namespace) && is(&about.kind, kind)
            };
            let found = index.find(cx, namespace, uid);
            let found = found.map(|found| found.iter().filter(is_about).cloned().collect());
            cx.events = Some(index);
            found?
        }
        index => {
            cx.events = index;
            let Some(events) = served(cx, "events")? else { return Ok(Events::default()) };
            let mut terms = Vec::new();
            for (field, value) in
                [("name", name), ("namespace", namespace), ("kind", kind), ("uid", uid)]
            {
                if !value.is_empty() {
                    terms.push(format!("involvedObject.{field}={value}"));
                }
            }
            let options = ListOptions { field_selector: terms.join(","), ..ListOptions::default() };
            let found = cx.list(&events, namespace, &options)?.items;
            found.iter().filter_map(Object::arc).collect()
        }
    };
    events.sort_by_key(|event| last_timestamp(event));
    Ok(Events(events))
}

/// What describe sorts by: an event that has only an eventTime, as the scheduler's, comes first.
///
/// Upstream: `pkg/util/event/sorted_event_list.go`.
fn last_timestamp(event: &Event) -> Time {
    event.last_timestamp.as_ref().map_or(Time::ZERO, from_meta)
}

/// When the event was last seen.
///
/// Upstream: `event.SortableEvents`.
pub fn last_seen(event: &Event) -> Time {
    let of_series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref());
    of_series
        .map(from_micro)
        .or_else(|| event.last_timestamp.as_ref().map(from_meta))
        .or_else(|| event.event_time.as_ref().map(from_micro))
        .unwrap_or(Time::ZERO)
}

/// `3s (x2 over 5s)`
pub fn interval(page: &Page, event: &Event) -> String {
    let event_time = event.event_time.as_ref().map(from_micro);
    let first = event_time.or_else(|| event.first_timestamp.as_ref().map(from_meta));
    let first = page.age_of(first);
    if let Some(series) = &event.series {
        let last = page.age_of(series.last_observed_time.as_ref().map(from_micro));
        return format!("{last} (x{} over {first})", series.count.unwrap_or(0));
    }
    match event.count.unwrap_or(0) {
        count if count > 1 => {
            let last = page.age_of(event.last_timestamp.as_ref().map(from_meta));
            format!("{last} (x{count} over {first})")
        }
        _ => first,
    }
}

/// A text that may be missing.
pub fn or_empty(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}

impl Events {
    /// Adds the events of another search.
    pub fn extend(&mut self, more: Events) {
        self.0.extend(more.0);
        self.0.sort_by_key(|event| last_timestamp(event));
    }

    /// The table.
    pub fn write(&self, page: &mut Page) {
        if self.0.is_empty() {
            page.line(0, "Events:\t<none>");
            return;
        }
        page.line(0, "Events:\n  Type\tReason\tAge\tFrom\tMessage");
        page.line(1, "----\t------\t----\t----\t-------");
        for event in &self.0 {
            let component = event.source.as_ref().and_then(|source| source.component.as_deref());
            let source = match component.unwrap_or_default() {
                "" => or_empty(&event.reporting_component),
                component => component,
            };
            let line = [
                or_empty(&event.type_),
                or_empty(&event.reason),
                &interval(page, event),
                source,
                or_empty(&event.message).trim(),
            ]
            .join("\t");
            page.line(1, &line);
        }
    }
}
