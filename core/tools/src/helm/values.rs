//! Values: a chart's own, those of files (`-f`) and those of the command line (`--set`).

use naru_api::yaml;
use serde_json::{Map, Value};

/// Longest list that `--set a[9]=b` may make.
const INDEX_MAX: usize = 1_000;

/// What `over` says, and where it says nothing, `base`. Null takes a value away.
///
/// Upstream: `chartutil.CoalesceTables`.
pub fn merged(base: &Value, over: &Value) -> Value {
    let (Value::Object(base), Value::Object(over)) = (base, over) else { return over.clone() };
    let mut all = base.clone();
    for (key, value) in over {
        match (all.get(key), value) {
            (_, Value::Null) => drop(all.remove(key)),
            (Some(old @ Value::Object(_)), value @ Value::Object(_)) => {
                let value = merged(old, value);
                all.insert(key.clone(), value);
            }
            _ => drop(all.insert(key.clone(), value.clone())),
        }
    }
    Value::Object(all)
}

/// The same, but null stays: what a user supplied is kept as it is.
pub fn overlaid(base: Value, over: Value) -> Value {
    match (base, over) {
        (Value::Object(mut base), Value::Object(over)) => {
            for (key, value) in over {
                let old = base.remove(&key).unwrap_or(Value::Null);
                base.insert(key, overlaid(old, value));
            }
            Value::Object(base)
        }
        (_, over) => over,
    }
}

/// Reads a file of values.
pub fn parse(text: &str) -> Result<Value, String> {
    match yaml::parse(text).map_err(|error| error.to_string())? {
        Value::Null => Ok(Value::Object(Map::new())),
        value @ Value::Object(_) => Ok(value),
        _ => Err("values must be a map".to_owned()),
    }
}

/// `a.b=c,d[0]=1,e={x,y}`; `strings` takes no value for a number.
///
/// Upstream: `pkg/strvals`.
pub fn set(into: &mut Value, text: &str, strings: bool) -> Result<(), String> {
    for pair in split(text, ',') {
        let mut parts = split(&pair, '=').into_iter();
        let key = parts.next().unwrap_or_default();
        let value = parts.collect::<Vec<_>>();
        if value.is_empty() {
            return Err(format!("key {key:?} has no value"));
        }
        let value = value.join("=");
        let value = match value.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(items) => {
                let items = split(items, ',').into_iter().filter(|item| !item.is_empty());
                Value::Array(items.map(|item| typed(&item, strings)).collect())
            }
            None => typed(&value, strings),
        };
        put(into, &split(&key, '.'), value)?;
    }
    Ok(())
}

/// Splits where the letter stands outside of braces and has no backslash before it, which is taken
/// away where it is the letter's own.
fn split(text: &str, at: char) -> Vec<String> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let (mut escaped, mut depth) = (false, 0_usize);
    for c in text.chars() {
        match c {
            c if escaped => {
                if c != at {
                    part.push('\\');
                }
                part.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '{' if at == ',' => {
                depth += 1;
                part.push(c);
            }
            '}' if at == ',' => {
                depth = depth.saturating_sub(1);
                part.push(c);
            }
            c if c == at && depth == 0 => parts.push(std::mem::take(&mut part)),
            c => part.push(c),
        }
    }
    parts.push(part);
    parts
}

fn typed(text: &str, strings: bool) -> Value {
    match text {
        text if strings => Value::from(text),
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" => Value::Null,
        // A zero before other digits is no number's.
        text if text.len() > 1 && text.starts_with('0') => Value::from(text),
        text => text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
    }
}

fn put(into: &mut Value, path: &[String], value: Value) -> Result<(), String> {
    let Some((first, rest)) = path.split_first() else {
        *into = value;
        return Ok(());
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    let (name, index) = match first.split_once('[') {
        Some((name, index)) => (name, Some(index.trim_end_matches(']'))),
        None => (first.as_str(), None),
    };
    let place = &mut into[name];
    let Some(index) = index else { return put(place, rest, value) };
    let index: usize = index.parse().map_err(|_| format!("error parsing index: {index:?}"))?;
    if index > INDEX_MAX {
        return Err(format!("index of {index} is greater than maximum supported index of 65536"));
    }
    if !place.is_array() {
        *place = Value::Array(Vec::new());
    }
    if let Some(items) = place.as_array_mut() {
        while items.len() <= index {
            items.push(Value::Null);
        }
        if let Some(item) = items.get_mut(index) {
            return put(item, rest, value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_set_by_their_paths() {
        let mut values = json!({"a": {"b": 1, "c": 2}});
        set(&mut values, "a.b=x,d[1].e=3,f={1,y},g\\.h=true,k=a=b,z=007", false).unwrap();
        assert_eq!(
            values,
            json!({
                "a": {"b": "x", "c": 2}, "d": [null, {"e": 3}], "f": [1, "y"], "g.h": true,
                "k": "a=b", "z": "007"
            })
        );
        assert!(set(&mut values, "a", false).is_err());
    }

    #[test]
    fn null_takes_away() {
        let all = merged(&json!({"a": 1, "b": {"c": 1}}), &json!({"a": null, "b": {"d": 2}}));
        assert_eq!(all, json!({"b": {"c": 1, "d": 2}}));
    }
}
