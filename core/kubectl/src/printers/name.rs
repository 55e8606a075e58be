//! `-o name`.

use naru_api::{KindRef, Object};
use serde_json::Value;

/// `pod/web`, a line for each object of a list.
pub fn names(kind: Option<&KindRef>, object: &Value) -> String {
    match object["items"].as_array() {
        Some(items) => items.iter().map(|item| one(None, item)).collect(),
        None => one(kind, object),
    }
}

/// `pod/web`, of an object that is told by itself in a list.
pub fn of(object: &Object) -> String {
    format!("{}\n", crate::mapper::name_of(&object.kind(), object.name()))
}

fn one(kind: Option<&KindRef>, object: &Value) -> String {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    if let Some(kind) = kind {
        return format!("{}\n", crate::mapper::name_of(kind, name));
    }
    let kind = object["kind"].as_str().unwrap_or("<unknown>").to_lowercase();
    match object["apiVersion"].as_str().and_then(|version| version.split_once('/')) {
        Some((group, _)) => format!("{kind}.{group}/{name}\n"),
        None => format!("{kind}/{name}\n"),
    }
}
