//! Watches: events as lines of JSON.
//!
//! Upstream: `apiserver/pkg/endpoints/handlers/watch.go`, `response.go`.

use crate::rest::encode::{self, IncludeObject};
use crate::rest::media::Conversion;
use crate::{ApiServer, table};
use naru_api::encode::{Style, Text};
use naru_api::{ApiService, Object, WatchEvent, WatchEventType, WatchId, status::ApiResult};
use naru_sim::Time;

use serde_json::{Value, json};

/// The annotation of the bookmark that ends the initial events.
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// A watch that an HTTP client has open.
#[derive(Clone, Debug)]
pub struct Watching {
    id: WatchId,
    conversion: Option<Conversion>,
    include: IncludeObject,
    /// A table's headers are told once.
    headers_told: bool,
    until: Time,
}

/// What a watch has to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchOutput {
    /// Events, one a line.
    pub bytes: Vec<u8>,
    /// Nothing comes after this: the client should watch again.
    pub ended: bool,
}

impl Watching {
    pub(crate) fn new(
        id: WatchId,
        conversion: Option<Conversion>,
        include: IncludeObject,
        until: Time,
    ) -> Self {
        Watching { id, conversion, include, headers_told: false, until }
    }

    /// The watch at the API server.
    pub fn id(&self) -> WatchId {
        self.id
    }

    /// When it ends by itself.
    pub fn until(&self) -> Time {
        self.until
    }

    /// Takes what there is. A watch that has ended is closed.
    pub fn poll(&mut self, api: &mut ApiServer) -> WatchOutput {
        let mut output = WatchOutput::default();
        match api.poll(self.id) {
            Ok(events) => {
                for event in &events {
                    self.write(event, api.now(), &mut output);
                }
            }
            Err(error) => {
                line("ERROR", &encode::status(&error), false, &mut output.bytes);
                output.ended = true;
            }
        }
        output.ended |= api.now() >= self.until;
        if output.ended {
            api.unwatch(self.id);
        }
        output
    }

    fn write(&mut self, event: &WatchEvent, now: Time, output: &mut WatchOutput) {
        let kind = match event.kind {
            WatchEventType::Added => "ADDED",
            WatchEventType::Modified => "MODIFIED",
            WatchEventType::Deleted => "DELETED",
            WatchEventType::Bookmark => "BOOKMARK",
        };
        let object = if event.kind == WatchEventType::Bookmark {
            Ok(bookmark(&event.object, self.conversion.as_ref()))
        } else {
            self.object(&event.object, now)
        };
        let response = naru_api::Response::Object(event.object.clone());
        let sorted = encode::is_untyped(&response, self.conversion.as_ref());
        match object {
            Ok(object) => line(kind, &object, sorted, &mut output.bytes),
            // An object that cannot be written ends the stream, as upstream's encoder does.
            Err(_) => output.ended = true,
        }
    }

    fn object(&mut self, object: &Object, now: Time) -> ApiResult<Value> {
        match &self.conversion {
            Some(wanted) if wanted.kind == "Table" => {
                let headers = !std::mem::replace(&mut self.headers_told, true);
                let shown = table::of_object(object, now);
                encode::table(&shown, &wanted.version, self.include, headers)
            }
            wanted => {
                let response = naru_api::Response::Object(object.clone());
                encode::response(&response, wanted.as_ref(), self.include)
            }
        }
    }
}

/// A bookmark: an object of the kind that has nothing but a version.
fn bookmark(object: &Object, conversion: Option<&Conversion>) -> Value {
    let (kind, api_version) = match conversion {
        Some(wanted) => (wanted.kind.clone(), format!("meta.k8s.io/{}", wanted.version)),
        None => (object.kind().kind.to_string(), object.kind().api_version()),
    };
    let mut metadata = json!({
        "resourceVersion": object.meta().resource_version,
        "creationTimestamp": null,
    });
    let end = object.meta().annotations.as_ref().and_then(|all| all.get(INITIAL_EVENTS_END));
    if let (Some(value), Some(map)) = (end, metadata.as_object_mut()) {
        map.insert("annotations".to_owned(), json!({ INITIAL_EVENTS_END: value }));
    }
    if kind == "Table" {
        return json!({
            "kind": kind,
            "apiVersion": api_version,
            "metadata": { "resourceVersion": object.meta().resource_version },
            "columnDefinitions": null,
            "rows": [{ "cells": [], "object": {
                "kind": "PartialObjectMetadata", "apiVersion": api_version, "metadata": metadata,
            } }],
        });
    }
    json!({ "kind": kind, "apiVersion": api_version, "metadata": metadata })
}

/// One event. Upstream: `metav1.WatchEvent`.
fn line(kind: &'static str, object: &Value, sorted: bool, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(format!("{{\"type\":\"{kind}\",\"object\":").as_bytes());
    let mut text = Text::new(Style::COMPACT);
    // A value has no errors of its own.
    let _ = encode::tell_value(object, sorted, &mut text);
    bytes.extend_from_slice(&text.into_bytes());
    bytes.extend_from_slice(b"}\n");
}
