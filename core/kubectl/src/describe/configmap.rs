//! `kubectl describe configmap`

use super::events::Events;
use super::page::{Page, pairs};
use super::{secret, tell};
use serde_json::Value;

pub(super) fn describe(page: &mut Page, map: &Value, events: Option<&Events>) {
    page.head(map);
    page.line(0, "\nData\n====");
    for (key, value) in pairs(&map["data"]) {
        page.line(0, &format!("{key}:\n----\n{value}\n"));
    }
    page.line(0, "\nBinaryData\n====");
    for (key, value) in pairs(&map["binaryData"]) {
        page.line(0, &format!("{key}: {} bytes", secret::decoded_length(value)));
    }
    page.line(0, "");
    tell(page, events);
}
