//! `-o yaml`.

use crate::failure::Result;
use serde_json::Value;

/// The text that `sigs.k8s.io/yaml` writes.
pub fn to_yaml(value: &Value) -> Result<String> {
    Ok(naru_api::yaml::print(value))
}
