//! Stand-in until `naru_api::yaml` lands.
use serde::Deserialize;
use serde_json::Value;
pub fn documents(text: &str) -> Vec<std::result::Result<Value, String>> {
    serde_yaml::Deserializer::from_str(text)
        .map(|d| Value::deserialize(d).map_err(|e| format!("error converting YAML to JSON: yaml: {e}")))
        .collect()
}
pub fn print(value: &Value) -> String {
    serde_yaml::to_string(value).unwrap_or_default()
}
