//! `kubectl apply`.

use crate::failure::{Failure, Result};
use serde_json::{Value, json};

/// Where `apply` keeps what was applied last.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Writes the configuration into the object's own annotation.
///
/// Upstream: `CreateOrUpdateAnnotation`, `GetModifiedConfiguration`.
pub fn save_config(object: &mut Value) -> Result<()> {
    let mut original = object.clone();
    if let Some(annotations) = original["metadata"]["annotations"].as_object_mut() {
        annotations.remove(LAST_APPLIED);
    } else {
        original["metadata"]["annotations"] = json!({});
    }
    let text = serde_json::to_string(&original).map_err(|why| Failure::Message(why.to_string()))?;
    if !object["metadata"]["annotations"].is_object() {
        object["metadata"]["annotations"] = json!({});
    }
    object["metadata"]["annotations"][LAST_APPLIED] = Value::from(format!("{text}\n"));
    Ok(())
}
