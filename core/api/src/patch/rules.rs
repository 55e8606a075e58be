//! The rules of patches, against upstream's.
//!
//! The results in `rules.json` were printed by `strategicpatch.StrategicMergeMapPatch` and
//! `CreateThreeWayMergePatch` of apimachinery v0.33.4 and by `json-patch.v4` v4.12.0, for the
//! objects given there.

use super::*;
use crate::schema::Node;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Case {
    op: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    original: Value,
    target: Value,
    #[serde(default)]
    patch: Value,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    error: String,
}

fn node(kind: &str) -> Node<'static> {
    let group = if kind == "Deployment" { "apps" } else { "" };
    Node::built_in(group, "v1", kind)
}

#[test]
fn the_rules_are_upstreams() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("rules.json")).unwrap();
    for (index, case) in cases.into_iter().enumerate() {
        let what = format!("case {index}: {} {} to {}", case.op, case.patch, case.target);
        let result = match case.op.as_str() {
            "strategic" => strategic(node(&case.kind), case.target, &case.patch),
            "threeway" => Ok(Value::Object(three_way(
                node(&case.kind),
                &case.original,
                &case.patch,
                &case.target,
            ))),
            // The words of a JSON patch that does not apply reach no client.
            _ => json(case.target, &case.patch)
                .map_err(|_| PatchError::DoesNotApply(case.error.clone())),
        };
        match result {
            Ok(result) => assert_eq!((result, ""), (case.result, case.error.as_str()), "{what}"),
            // Of several mistakes upstream tells any.
            Err(_) => assert_ne!(case.error, "", "{what}"),
        }
    }
}
