//! The events of an object.

use super::page::{Page, number, parse_time, text};
use super::served;
use crate::context::Context;
use crate::failure::{Failure, Result};
use naru_api::fields::Selector;
use naru_api::request::ListOptions;
use naru_api::wanted::Wanted;
use naru_api::{KindRef, Object};
use naru_sim::Time;
use serde_json::Value;
use std::collections::BTreeMap;

/// The events of namespaces by the objects that they are about. Upstream asks the API server for each
/// object; within one moment that is the same, but takes as long as all objects times all events.
#[derive(Clone, Debug, Default)]
pub struct EventIndex {
    /// By namespace, then by the object's uid.
    known: BTreeMap<String, BTreeMap<String, Vec<Object>>>,
}

impl EventIndex {
    /// The events of a namespace ("": of all) about the object, as far as the selector wants them.
    fn find(
        &mut self,
        cx: &mut Context<'_>,
        events: &KindRef,
        namespace: &str,
        uid: &str,
        selector: &str,
    ) -> Result<Vec<Object>> {
        if !self.known.contains_key(namespace) {
            let mut by_uid: BTreeMap<String, Vec<Object>> = BTreeMap::new();
            for event in cx.list(events, namespace, &ListOptions::default())?.items {
                let uid = event.strategy().field(&event, "involvedObject.uid");
                by_uid.entry(uid.unwrap_or_default()).or_default().push(event);
            }
            self.known.insert(namespace.to_owned(), by_uid);
        }
        let about = self.known.get(namespace).and_then(|by_uid| by_uid.get(uid));
        let selector =
            Selector::parse(selector).map_err(|why| Failure::message(why.to_string()))?;
        let wanted = about.into_iter().flatten().filter(|event| selector.matches(event));
        Ok(wanted.cloned().collect())
    }
}

/// Events, oldest first.
#[derive(Debug, Default)]
pub struct Events(Vec<Value>);

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
    let Some(events) = served(cx, "events")? else { return Ok(Events::default()) };
    let mut terms = Vec::new();
    for (field, value) in [("name", name), ("namespace", namespace), ("kind", kind), ("uid", uid)] {
        if !value.is_empty() {
            terms.push(format!("involvedObject.{field}={value}"));
        }
    }
    let selector = terms.join(",");
    let found = match cx.events.take() {
        Some(mut index) if !uid.is_empty() => {
            let found = index.find(cx, &events, namespace, uid, &selector);
            cx.events = Some(index);
            found?
        }
        index => {
            cx.events = index;
            let options = ListOptions { field_selector: selector, ..ListOptions::default() };
            cx.list(&events, namespace, &options)?.items
        }
    };
    let shown = shown();
    let mut events: Vec<Value> =
        found.iter().map(|event| event.content_part(&shown).unwrap_or_default()).collect();
    events.sort_by_cached_key(last_timestamp);
    Ok(Events(events))
}

/// What is shown of events in tables.
pub fn shown() -> Wanted {
    let mut wanted = Wanted::default();
    wanted.field("metadata").field("namespace").want_all();
    for name in [
        "count",
        "eventTime",
        "firstTimestamp",
        "involvedObject",
        "lastTimestamp",
        "message",
        "reason",
        "reportingComponent",
        "series",
        "source",
        "type",
    ] {
        wanted.field(name).want_all();
    }
    wanted
}

/// What describe sorts by: an event that has only an eventTime, as the scheduler's, comes first.
///
/// Upstream: `pkg/util/event/sorted_event_list.go`.
fn last_timestamp(event: &Value) -> Time {
    parse_time(&event["lastTimestamp"]).unwrap_or(Time::ZERO)
}

/// When the event was last seen.
///
/// Upstream: `event.SortableEvents`.
pub fn last_seen(event: &Value) -> Time {
    parse_time(&event["series"]["lastObservedTime"])
        .or_else(|| parse_time(&event["lastTimestamp"]))
        .or_else(|| parse_time(&event["eventTime"]))
        .unwrap_or(Time::ZERO)
}

/// `3s (x2 over 5s)`
pub fn interval(page: &Page, event: &Value) -> String {
    let first = if parse_time(&event["eventTime"]).is_some() {
        page.age(&event["eventTime"])
    } else {
        page.age(&event["firstTimestamp"])
    };
    let series = &event["series"];
    if series.is_object() {
        let (last, count) = (page.age(&series["lastObservedTime"]), number(&series["count"]));
        return format!("{last} (x{count} over {first})");
    }
    match number(&event["count"]) {
        count if count > 1 => {
            format!("{} (x{count} over {first})", page.age(&event["lastTimestamp"]))
        }
        _ => first,
    }
}

impl Events {
    /// Adds the events of another search.
    pub fn extend(&mut self, more: Events) {
        self.0.extend(more.0);
        self.0.sort_by_cached_key(last_timestamp);
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
            let source = match text(&event["source"]["component"]) {
                "" => text(&event["reportingComponent"]),
                component => component,
            };
            let line = [
                text(&event["type"]),
                text(&event["reason"]),
                &interval(page, event),
                source,
                text(&event["message"]).trim(),
            ]
            .join("\t");
            page.line(1, &line);
        }
    }
}
