//! One file for each kind: its names, defaults, validation and columns.

pub mod pod;

use crate::{Kube, Object};
use serde_json::Value;

/// Reads a typed object from JSON.
pub(crate) fn decode_as<K: Kube>(json: Value) -> Result<Object, String> {
    serde_json::from_value::<K>(json).map(Object::new).map_err(|error| error.to_string())
}
