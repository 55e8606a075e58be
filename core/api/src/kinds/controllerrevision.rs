//! Controller revisions: what a stateful set or a daemon set looked like before.
//!
//! Upstream: `pkg/registry/apps/controllerrevision/strategy.go`,
//! `ValidateControllerRevisionCreate`, `printControllerRevision`.

use super::cells;
use super::typed::Typed;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names};
use k8s_openapi::api::apps::v1::ControllerRevision;
use naru_sim::Time;

static KIND: Kind =
    Names::new("apps", "v1", "ControllerRevision", "controllerrevisions", "controllerrevision")
        .kind(&ControllerRevisions);

impl Kube for ControllerRevision {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct ControllerRevisions;

impl Typed for ControllerRevisions {
    type Object = ControllerRevision;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Controller"),
        Column::new("Revision"),
        Column::new("Age"),
    ];

    fn validate(&self, object: &ControllerRevision) -> Vec<FieldError> {
        let mut errors = validate_revision(object);
        match object.data.as_ref().map(|data| &data.0) {
            None => errors.push(FieldError::required("data", "data is mandatory")),
            Some(data) if data.is_null() => {
                errors.push(FieldError::required("data", "data is mandatory"));
            }
            Some(data) if data.is_object() => {}
            Some(_) => {
                errors.push(FieldError::required("data", "data must be a valid JSON object"))
            }
        }
        errors
    }

    fn validate_update(
        &self,
        new: &ControllerRevision,
        old: &ControllerRevision,
        _subresource: &str,
    ) -> Vec<FieldError> {
        let mut errors = validate_revision(new);
        if new.data != old.data {
            // Upstream shows the bytes of the JSON, one number each.
            let bytes = new.data.as_ref().and_then(|data| serde_json::to_vec(&data.0).ok());
            let bytes: Vec<String> =
                bytes.unwrap_or_default().iter().map(|byte| format!("{byte:#x}")).collect();
            let value = format!(
                "runtime.RawExtension{{Raw:[]uint8{{{}}}, Object:runtime.Object(nil)}}",
                bytes.join(", ")
            );
            errors.push(FieldError::invalid_raw("data", value, "field is immutable"));
        }
        errors
    }

    fn cells(&self, object: &ControllerRevision, now: Time) -> Vec<Cell> {
        let owners = object.metadata.owner_references.as_deref().unwrap_or_default();
        let owner = owners.iter().find(|owner| owner.controller == Some(true));
        let owner = owner.map_or("<none>".to_owned(), |owner| {
            let kind = owner.kind.to_lowercase();
            match owner.api_version.split_once('/') {
                Some((group, _)) => format!("{kind}.{group}/{}", owner.name),
                None => format!("{kind}/{}", owner.name),
            }
        });
        vec![
            cells::name(&object.metadata),
            owner.into(),
            Cell::Number(object.revision),
            cells::age(&object.metadata, now),
        ]
    }
}

fn validate_revision(object: &ControllerRevision) -> Vec<FieldError> {
    if object.revision >= 0 {
        return Vec::new();
    }
    let detail = crate::podspec::validation::NOT_NEGATIVE;
    vec![FieldError::invalid_raw("revision", object.revision, detail)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn revision(json: Value) -> ControllerRevision {
        serde_json::from_value(json).unwrap()
    }

    fn texts(errors: Vec<FieldError>) -> Vec<String> {
        errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect()
    }

    #[test]
    fn messages_are_upstreams() {
        let table = [
            (json!({"revision": 1, "data": {}}), ""),
            (json!({"revision": 1}), "data: Required value: data is mandatory"),
            (
                json!({"revision": 1, "data": 1}),
                "data: Required value: data must be a valid JSON object",
            ),
            (
                json!({"revision": -1, "data": {}}),
                "revision: Invalid value: -1: must be greater than or equal to 0",
            ),
        ];
        for (object, message) in table {
            let errors = Typed::validate(&ControllerRevisions, &revision(object.clone()));
            assert_eq!(texts(errors).join("\n"), message, "{object}");
        }
    }

    #[test]
    fn data_does_not_change() {
        let old = revision(json!({"revision": 1, "data": {}}));
        let new = revision(json!({"revision": 2, "data": {"a": 1}}));
        let errors = Typed::validate_update(&ControllerRevisions, &new, &old, "");
        let start = "data: Invalid value: runtime.RawExtension{Raw:[]uint8{0x7b, 0x22, 0x61";
        assert!(texts(errors)[0].starts_with(start));
    }
}
