//! Patches of JSON.
//!
//! Upstream: RFC 7386, RFC 6902, `apimachinery/pkg/util/strategicpatch`.

use crate::Kind;
use serde_json::Value;

/// A patch that cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PatchError {
    message: String,
    invalid: bool,
}

impl PatchError {
    /// Whether the patch can be read but does not fit the object (422), or cannot be read (400).
    pub fn is_invalid(&self) -> bool {
        self.invalid
    }
}

/// RFC 7386: a null deletes, an object is merged, everything else replaces.
pub fn merge(target: Value, patch: &Value) -> Value {
    let Value::Object(changes) = patch else { return patch.clone() };
    let mut target = match target {
        Value::Object(target) => target,
        _ => serde_json::Map::new(),
    };
    for (key, change) in changes {
        if change.is_null() {
            target.remove(key);
        } else {
            let old = target.remove(key).unwrap_or(Value::Null);
            target.insert(key.clone(), merge(old, change));
        }
    }
    Value::Object(target)
}

/// RFC 6902.
pub fn json(_target: Value, _operations: &Value) -> Result<Value, PatchError> {
    Err(PatchError { message: "json patch is not served yet".to_owned(), invalid: false })
}

/// Kubernetes' strategic merge.
pub fn strategic(_kind: &Kind, target: Value, patch: &Value) -> Result<Value, PatchError> {
    Ok(merge(target, patch))
}
