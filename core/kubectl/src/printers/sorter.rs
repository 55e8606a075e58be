//! `--sort-by`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/get/sorter.go`.

use crate::failure::{Failure, Result};
use naru_api::gofmt::quote;
use naru_api::jsonpath::{JsonPath, relaxed};
use naru_api::quantity::Amount;
use naru_api::wanted::Wanted;
use serde_json::Value;
use std::cmp::Ordering;

/// Sorts items by the field that `path` names in their objects, of which `object` gives at least what is
/// wanted; items without it come first.
pub fn sort_by<T>(
    path: &str,
    items: Vec<T>,
    object: impl Fn(&T, &Wanted) -> Value,
) -> Result<Vec<T>> {
    let path = relaxed(path).map_err(Failure::Message)?;
    let parsed = JsonPath::parse(&path, true).map_err(Failure::Message)?;
    let wanted = parsed.wanted();
    let mut keyed = Vec::with_capacity(items.len());
    for item in items {
        let values = parsed.find_first(&object(&item, &wanted)).map_err(Failure::Message)?;
        keyed.push((values.into_iter().next(), item));
    }
    if !keyed.is_empty() && keyed.iter().all(|(key, _)| key.is_none()) {
        let text =
            format!("couldn't find any field with path {} in the list of objects", quote(&path));
        return Err(Failure::message(text));
    }
    // One order for all of them: texts are quantities only if all are.
    let amount = |key: &Option<Value>| match key {
        Some(Value::String(text)) => text.parse::<Amount>().ok().map(Some),
        _ => Some(None),
    };
    let amounts: Option<Vec<Option<Amount>>> = keyed.iter().map(|(key, _)| amount(key)).collect();
    let amounts = amounts.unwrap_or_else(|| vec![None; keyed.len()]);
    let mut keyed: Vec<_> = amounts.into_iter().zip(keyed).collect();
    keyed.sort_by(|(a, (key_a, _)), (b, (key_b, _))| match (a, b) {
        (Some(a), Some(b)) => a.cmp(b),
        _ => compare(key_a.as_ref(), key_b.as_ref()),
    });
    Ok(keyed.into_iter().map(|(_, (_, item))| item).collect())
}

/// A total order: what is not there comes first, then `null`, then values by their kind.
fn compare(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(Value::String(a)), Some(Value::String(b))) => a.cmp(b),
        (Some(Value::Number(a)), Some(Value::Number(b))) => {
            a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal)
        }
        (Some(Value::Bool(a)), Some(Value::Bool(b))) => a.cmp(b),
        (a, b) => rank(a).cmp(&rank(b)),
    }
}

fn rank(value: Option<&Value>) -> u8 {
    match value {
        None => 0,
        Some(Value::Null) => 1,
        Some(Value::Bool(_)) => 2,
        Some(Value::Number(_)) => 3,
        Some(Value::String(_)) => 4,
        Some(Value::Array(_)) => 5,
        Some(Value::Object(_)) => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sorts_texts_and_quantities() {
        let items = vec![json!({"n": "web-2"}), json!({"n": "web-10"}), json!({})];
        let sorted = sort_by(".n", items, |it, _| it.clone()).unwrap();
        assert_eq!(sorted, [json!({}), json!({"n": "web-10"}), json!({"n": "web-2"})]);
        let items = vec![json!({"n": "10Gi"}), json!({"n": "500Mi"}), json!({"n": "2Gi"})];
        let sorted = sort_by(".n", items, |it, _| it.clone()).unwrap();
        assert_eq!(sorted, [json!({"n": "500Mi"}), json!({"n": "2Gi"}), json!({"n": "10Gi"})]);
        assert!(sort_by(".x", vec![json!({"n": 1})], |it, _| it.clone()).is_err());
    }

    #[test]
    fn many_values_of_all_kinds_have_one_order() {
        let value = |number: usize| match number % 7 {
            0 => json!({"n": null}),
            1 => json!({"n": "9"}),
            2 => json!({"n": "10"}),
            3 => json!({"n": "1a"}),
            4 => json!({"n": number}),
            5 => json!({"n": [number]}),
            _ => json!({}),
        };
        let sorted = sort_by(".n", (0..200).map(value).collect(), |it, _| it.clone()).unwrap();
        let first = sorted.iter().position(|it| it.get("n").is_some()).unwrap();
        assert!(sorted[first]["n"].is_null());
        let texts: Vec<&str> = sorted.iter().filter_map(|it| it["n"].as_str()).collect();
        assert!(texts.is_sorted(), "{texts:?}");
    }
}
