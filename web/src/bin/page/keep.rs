//! What the browser keeps for the page. Where it keeps nothing (private windows), all is forgotten.

use gloo_storage::{LocalStorage, Storage};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads what was kept under a name.
pub fn load<T: DeserializeOwned>(name: &str) -> Option<T> {
    LocalStorage::get(key(name)).ok()
}

/// Keeps a value under a name.
pub fn save<T: Serialize>(name: &str, value: &T) {
    // A full or forbidden storage costs the memory, not the lesson.
    let _ = LocalStorage::set(key(name), value);
}

fn key(name: &str) -> String {
    format!("naru/{name}")
}
