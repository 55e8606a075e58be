//! Selectors, quantities and JSONPath, against upstream's.
//!
//! The results in `rules.json` were printed by `labels.Parse`, `fields.ParseSelector` and
//! `resource.ParseQuantity` of apimachinery v0.33.4 and by `client-go/util/jsonpath` v0.33.4, for
//! the texts given there.

#![allow(clippy::unwrap_used)]

use naru_api::jsonpath::JsonPath;
use naru_api::labels::{Labels, Selector};
use naru_api::{fields, quantity};
use serde_json::Value;

fn rules(name: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("rules.json")).unwrap();
    all[name].clone()
}

fn cases(name: &str) -> Vec<Value> {
    let cases = rules(name).as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

fn text<'v>(case: &'v Value, field: &str) -> &'v str {
    case[field].as_str().unwrap_or_default()
}

/// Every difference, so that one run tells them all.
fn check(name: &str, differs: impl Fn(&Value) -> Option<String>) {
    let found: Vec<String> = cases(name).iter().filter_map(differs).collect();
    assert!(found.is_empty(), "{} of {name}:\n{}", found.len(), found.join("\n"));
}

#[test]
fn label_selectors() {
    let sets: Vec<Labels> = serde_json::from_value(rules("sets")).unwrap();
    check("labels", |case| {
        let selector = text(case, "text");
        let ours = match Selector::parse(selector) {
            Ok(parsed) => {
                let matches: Vec<bool> = sets.iter().map(|set| parsed.matches(Some(set))).collect();
                serde_json::json!({ "matches": matches })
            }
            Err(error) => serde_json::json!({"error": error.to_string()}),
        };
        let same = ours["matches"] == case["matches"] && ours["error"] == case["error"];
        (!same).then(|| format!("{selector:?}: {ours} for {case}"))
    });
}

#[test]
fn field_selectors() {
    check("fields", |case| {
        let selector = text(case, "text");
        let ours = fields::Selector::parse(selector).err().map(|error| error.to_string());
        let ours = ours.unwrap_or_default();
        (ours != text(case, "error")).then(|| format!("{selector:?}: {ours:?} for {case}"))
    });
}

#[test]
fn quantities() {
    check("quantities", |case| {
        let written = text(case, "text");
        let ours = quantity::canonical(written);
        let same = match &ours {
            Ok(canonical) => {
                let amount: Option<quantity::Amount> = written.parse().ok();
                canonical == text(case, "canonical")
                    && amount.map(|amount| amount.value()) == case["value"].as_i64()
            }
            Err(error) => error.to_string() == text(case, "error"),
        };
        (!same).then(|| format!("{written:?}: {ours:?} for {case}"))
    });
}

#[test]
fn json_paths() {
    let object = rules("object");
    check("jsonpath", |case| {
        let missing_ok = case["missing"].as_bool().unwrap_or(false);
        let ours = JsonPath::parse(text(case, "template"), missing_ok)
            .and_then(|path| path.print(&object));
        let same = match &ours {
            Ok(output) => output == text(case, "output") && case["error"].is_null(),
            Err(_) => !case["error"].is_null(),
        };
        (!same).then(|| format!("{ours:?} for {case}"))
    });
}
