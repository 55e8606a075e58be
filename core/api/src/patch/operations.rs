//! RFC 6902, as the API server's library does it: indices may count from the end, and replacing a
//! key that is not there adds it.
//!
//! Upstream: `gopkg.in/evanphx/json-patch.v4` v4.12.0.

use super::PatchError;
use crate::gofmt::plain;
use serde_json::Value;

/// Operations that one patch may have: upstream's `maxJSONPatchOperations`.
pub const OPERATIONS_MAX: usize = 10_000;

/// Bytes of JSON that the operations of one patch may copy in all; upstream bounds the body only.
const COPIED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Does the operations of a patch, one after the other; all or nothing.
pub fn json(mut target: Value, operations: &Value) -> Result<Value, PatchError> {
    let Value::Array(operations) = operations else {
        let what = "json: cannot unmarshal object into Go value of type jsonpatch.Patch";
        return Err(PatchError::Malformed(what.to_owned()));
    };
    if operations.len() > OPERATIONS_MAX {
        return Err(PatchError::Malformed(format!(
            "The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}, got {}",
            operations.len()
        )));
    }
    let mut copied = 0;
    for operation in operations {
        apply(&mut target, operation, &mut copied).map_err(PatchError::DoesNotApply)?;
    }
    Ok(target)
}

type Done<T> = Result<T, String>;

fn apply(target: &mut Value, operation: &Value, copied: &mut usize) -> Done<()> {
    let text = |field: &str| operation.get(field).and_then(Value::as_str);
    let kind = text("op").unwrap_or("unknown");
    let path =
        || text("path").ok_or(format!("{kind} operation failed to decode path: missing value"));
    let from =
        || text("from").ok_or(format!("{kind} operation failed to decode from: missing value"));
    // What is not given is null.
    let value = || operation.get("value").cloned().unwrap_or(Value::Null);
    match kind {
        "add" => add(target, path()?, value()),
        "remove" => remove(target, path()?).map(drop),
        "replace" if operation.get("value").is_none() && path()?.is_empty() => {
            Err("replace operation misses its value".to_owned())
        }
        "replace" => replace(target, path()?, value()),
        "move" => {
            let from = from()?;
            get(target, from, "move operation does not apply: doc is missing from path")?;
            let moved = remove(target, from)?;
            add(target, path()?, moved)
        }
        "copy" => {
            let missing = "copy operation does not apply: doc is missing from path";
            let value = get(target, from()?, missing)?.clone();
            *copied += weight(&value);
            if *copied > COPIED_BYTES_MAX {
                return Err(format!(
                    "Unable to complete the copy, the accumulated size increase of \
                    copy is {copied}, exceeding the limit {COPIED_BYTES_MAX}"
                ));
            }
            add(target, path()?, value)
        }
        "test" => {
            let path = path()?;
            let there = match path {
                "" => &*target,
                path => get(target, path, "test operation does not apply: is missing path")?,
            };
            match operation.get("value") == Some(there) {
                true => Ok(()),
                false => Err(format!("testing value {path} failed: test failed")),
            }
        }
        _ => {
            Err(format!("Unexpected kind: {}", plain(operation.get("op").unwrap_or(&Value::Null))))
        }
    }
}

/// Roughly the bytes of a value's JSON.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|item| 1 + weight(item)).sum::<usize>(),
        Value::Object(map) => {
            2 + map.iter().map(|(key, value)| key.len() + 4 + weight(value)).sum::<usize>()
        }
        _ => 4,
    }
}

/// What holds the place of a path, and the place's own name in it.
fn holder<'v>(target: &'v mut Value, path: &str) -> Option<(&'v mut Value, String)> {
    let (parents, name) = path.rsplit_once('/')?;
    let mut holder = target;
    // What stands before the first slash is passed over.
    for part in parents.split('/').skip(1) {
        let part = decode(part);
        holder = match holder {
            Value::Object(map) => map.get_mut(&part)?,
            Value::Array(list) => {
                let index = index(&part, list.len()).ok()?;
                list.get_mut(index)?
            }
            _ => return None,
        };
    }
    (holder.is_object() || holder.is_array()).then(|| (holder, decode(name)))
}

fn decode(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// An index into a list of `length` items; negative ones count from the end.
fn index(name: &str, length: usize) -> Done<usize> {
    let digits = name.strip_prefix(['-', '+']).unwrap_or(name);
    let number: usize = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())
        .flatten()
        .ok_or_else(|| format!("strconv.Atoi: parsing \"{name}\": invalid syntax"))?;
    let index = match name.starts_with('-') {
        true => length.checked_sub(number),
        false => Some(number),
    };
    let invalid = || format!("Unable to access invalid index: {name}: invalid index referenced");
    index.filter(|index| *index < length).ok_or_else(invalid)
}

/// The value at a path: null at a key that is not there.
fn get<'v>(target: &'v mut Value, path: &str, missing: &str) -> Done<&'v Value> {
    const NULL: &Value = &Value::Null;
    let (holder, name) = holder(target, path).ok_or(format!("{missing}: {path}: missing value"))?;
    match holder {
        Value::Array(list) => {
            let index = index(&name, list.len())
                .map_err(|why| format!("error in test for path: '{path}': {why}"))?;
            Ok(list.get(index).unwrap_or(NULL))
        }
        holder => Ok(holder.get(&name).unwrap_or(NULL)),
    }
}

fn add(target: &mut Value, path: &str, value: Value) -> Done<()> {
    let Some((holder, name)) = holder(target, path) else {
        return Err(format!(
            "add operation does not apply: doc is missing path: \"{path}\": missing value"
        ));
    };
    match holder {
        Value::Array(list) if name == "-" => list.push(value),
        Value::Array(list) => {
            let index = index(&name, list.len() + 1)
                .map_err(|why| format!("error in add for path: '{path}': {why}"))?;
            list.insert(index, value);
        }
        holder => {
            if let Value::Object(map) = holder {
                map.insert(name, value);
            }
        }
    }
    Ok(())
}

fn remove(target: &mut Value, path: &str) -> Done<Value> {
    let Some((holder, name)) = holder(target, path) else {
        return Err(format!(
            "remove operation does not apply: doc is missing path: \"{path}\": missing value"
        ));
    };
    let removed = match holder {
        Value::Array(list) => index(&name, list.len()).map(|index| list.remove(index)),
        holder => holder
            .as_object_mut()
            .and_then(|map| map.remove(&name))
            .ok_or(format!("Unable to remove nonexistent key: {name}: missing value")),
    };
    removed.map_err(|why| format!("error in remove for path: '{path}': {why}"))
}

fn replace(target: &mut Value, path: &str, value: Value) -> Done<()> {
    if path.is_empty() {
        match value {
            Value::Object(_) | Value::Array(_) => *target = value,
            // As upstream: a scalar is passed over without a word.
            _ => {}
        }
        return Ok(());
    }
    let Some((holder, name)) = holder(target, path) else {
        return Err(format!(
            "replace operation does not apply: doc is missing path: {path}: missing value"
        ));
    };
    match holder {
        Value::Array(list) => {
            let place = index(&name, list.len()).ok().and_then(|index| list.get_mut(index));
            *place.ok_or(format!(
                "replace operation does not apply: doc is missing key: {path}: missing value"
            ))? = value;
        }
        holder => {
            if let Value::Object(map) = holder {
                map.insert(name, value);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn operations() {
        let table = [
            (
                json!({"a": 1}),
                json!([{"op": "add", "path": "/b", "value": 2}]),
                json!({"a": 1, "b": 2}),
            ),
            (
                json!({"a": [1, 3]}),
                json!([{"op": "add", "path": "/a/1", "value": 2}]),
                json!({"a": [1, 2, 3]}),
            ),
            (
                json!({"a": [1]}),
                json!([{"op": "add", "path": "/a/-", "value": 2}]),
                json!({"a": [1, 2]}),
            ),
            (json!({"a": 1}), json!([{"op": "remove", "path": "/a"}]), json!({})),
            (json!({"a": [1, 2]}), json!([{"op": "remove", "path": "/a/0"}]), json!({"a": [2]})),
            (
                json!({"a": 1}),
                json!([{"op": "replace", "path": "/a", "value": 2}]),
                json!({"a": 2}),
            ),
            (json!({"a": 1}), json!([{"op": "move", "from": "/a", "path": "/b"}]), json!({"b": 1})),
            (
                json!({"a": 1}),
                json!([{"op": "copy", "from": "/a", "path": "/b"}]),
                json!({"a": 1, "b": 1}),
            ),
            (json!({"a": 1}), json!([{"op": "test", "path": "/a", "value": 1}]), json!({"a": 1})),
            (json!({"a": 1}), json!([{"op": "replace", "path": "", "value": {}}]), json!({})),
            (
                json!({"x/y": {"m~n": 1}}),
                json!([{"op": "replace", "path": "/x~1y/m~0n", "value": 2}]),
                json!({"x/y": {"m~n": 2}}),
            ),
        ];
        for (target, patch, result) in table {
            assert_eq!(json(target, &patch), Ok(result), "{patch}");
        }
    }

    #[test]
    fn what_does_not_fit() {
        let table = [
            json!([{"op": "remove", "path": "/b"}]),
            json!([{"op": "replace", "path": "/b/c", "value": 1}]),
            json!([{"op": "add", "path": "/b/c", "value": 1}]),
            json!([{"op": "add", "path": "/a/9", "value": 1}]),
            json!([{"op": "test", "path": "/a", "value": 2}]),
            json!([{"op": "jump", "path": "/a"}]),
            json!([{"op": "add", "path": "b", "value": 1}]),
            json!([{"op": "add"}]),
            json!([1]),
        ];
        for patch in table {
            let result = json(json!({"a": [1]}), &patch);
            assert!(matches!(result, Err(PatchError::DoesNotApply(_))), "{patch}");
        }
        assert!(matches!(json(json!({}), &json!({})), Err(PatchError::Malformed(_))));
    }
}
