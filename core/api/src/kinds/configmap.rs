//! Config maps.
//!
//! Upstream: `pkg/registry/core/configmap/strategy.go`, `ValidateConfigMap`, `printConfigMap`.

use super::cells;
use super::typed::Typed;
use crate::podspec::validation::all_invalid;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, names};
use k8s_openapi::api::core::v1::ConfigMap;
use naru_sim::Time;

static KIND: Kind = Names::new("", "v1", "ConfigMap", "configmaps", "configmap")
    .short(&["cm"])
    .kind(&ConfigMapStrategy);

/// Bytes of all values.
const DATA_BYTES_MAX: usize = 1024 * 1024;

impl Kube for ConfigMap {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct ConfigMapStrategy;

impl Typed for ConfigMapStrategy {
    type Object = ConfigMap;

    const COLUMNS: &'static [Column] =
        &[Column::new("Name"), Column::new("Data"), Column::new("Age")];

    fn validate(&self, map: &ConfigMap) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut bytes = 0;
        let path = Path::new("data");
        for (key, value) in map.data.iter().flatten() {
            let field = path.key(key);
            all_invalid(names::config_map_key(key), key, &field, &mut errors);
            if map.binary_data.as_ref().is_some_and(|binary| binary.contains_key(key)) {
                let detail = "duplicate of key present in binaryData";
                errors.push(FieldError::invalid(field, key, detail));
            }
            bytes += value.len();
        }
        let path = Path::new("binaryData");
        for (key, value) in map.binary_data.iter().flatten() {
            all_invalid(names::config_map_key(key), key, &path.key(key), &mut errors);
            bytes += value.0.len();
        }
        if bytes > DATA_BYTES_MAX {
            errors.push(FieldError::too_long("", DATA_BYTES_MAX));
        }
        errors
    }

    fn validate_update(&self, new: &ConfigMap, old: &ConfigMap, _: &str) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if old.immutable == Some(true) {
            let fields = [
                ("immutable", new.immutable != Some(true)),
                ("data", new.data != old.data),
                ("binaryData", new.binary_data != old.binary_data),
            ];
            for (field, _) in fields.into_iter().filter(|(_, changed)| *changed) {
                let detail = "field is immutable when `immutable` is set";
                errors.push(FieldError::forbidden(field, detail));
            }
        }
        errors.extend(Typed::validate(self, new));
        errors
    }

    fn cells(&self, map: &ConfigMap, now: Time) -> Vec<Cell> {
        let data = map.data.as_ref().map_or(0, |data| data.len());
        let binary = map.binary_data.as_ref().map_or(0, |data| data.len());
        let age = cells::age(&map.metadata, now);
        vec![cells::name(&map.metadata), (data + binary).into(), age]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_and_sizes_are_checked() {
        let large = "x".repeat(DATA_BYTES_MAX + 1);
        let table = [
            (json!({"a.b_c-D": "1"}), vec![]),
            (json!({ "a": large }), vec![": Too long: may not be more than 1048576 bytes"]),
            (json!({"..": "1"}), vec!["data[..]: Invalid value: \"..\": must not be '..'"]),
        ];
        for (data, wanted) in table {
            let map = serde_json::from_value(json!({ "data": data })).unwrap();
            let errors = Typed::validate(&ConfigMapStrategy, &map);
            let texts: Vec<_> =
                errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect();
            assert_eq!(texts, wanted);
        }
    }
}
