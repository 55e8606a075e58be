//! RFC 6902.

use super::PatchError;
use serde_json::Value;

/// Operations that one patch may have: upstream's `--max-json-patch-operations`.
const OPERATIONS_MAX: usize = 10_000;

/// Does the operations of a patch, one after the other; all or nothing.
pub fn json(mut target: Value, operations: &Value) -> Result<Value, PatchError> {
    let Value::Array(operations) = operations else {
        let what = "error decoding patch: json: cannot unmarshal object into Go value of type \
                    jsonpatch.Patch";
        return Err(PatchError::Malformed(what.to_owned()));
    };
    if operations.len() > OPERATIONS_MAX {
        return Err(PatchError::Malformed(format!(
            "The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}, got {}",
            operations.len()
        )));
    }
    for operation in operations {
        apply(&mut target, operation)?;
    }
    Ok(target)
}

fn apply(target: &mut Value, operation: &Value) -> Result<(), PatchError> {
    let text = |field: &str| operation.get(field).and_then(Value::as_str);
    let path = text("path").ok_or_else(|| fails("operation missing path field"))?;
    let value = || {
        let value = operation.get("value").cloned();
        value.ok_or_else(|| fails("operation missing value field"))
    };
    let from = || text("from").ok_or_else(|| fails("operation missing from field"));
    match text("op").unwrap_or_default() {
        "add" => add(target, path, value()?),
        "remove" => remove(target, path).map(drop),
        "replace" => {
            let place = target.pointer_mut(path);
            *place.ok_or_else(|| missing("replace", path))? = value()?;
            Ok(())
        }
        "move" => {
            let moved = remove(target, from()?)?;
            add(target, path, moved)
        }
        "copy" => {
            let from = from()?;
            let copied = target.pointer(from).cloned().ok_or_else(|| missing("copy", from))?;
            add(target, path, copied)
        }
        "test" => match target.pointer(path).unwrap_or(&Value::Null) == &value()? {
            true => Ok(()),
            false => Err(fails(&format!("testing value {path} failed: test failed"))),
        },
        other => Err(fails(&format!("Unexpected kind: {other}"))),
    }
}

fn fails(why: &str) -> PatchError {
    PatchError::DoesNotApply(why.to_owned())
}

fn missing(operation: &str, path: &str) -> PatchError {
    fails(&format!("{operation} operation does not apply: doc is missing path: {path}"))
}

/// The path of what holds a place, and the place's own name in it.
fn split(path: &str) -> Option<(&str, String)> {
    let (parent, name) = path.rsplit_once('/')?;
    Some((parent, name.replace("~1", "/").replace("~0", "~")))
}

fn add(target: &mut Value, path: &str, value: Value) -> Result<(), PatchError> {
    if path.is_empty() {
        *target = value;
        return Ok(());
    }
    let (parent, name) = split(path).ok_or_else(|| missing("add", path))?;
    match target.pointer_mut(parent) {
        Some(Value::Object(map)) => {
            map.insert(name, value);
            Ok(())
        }
        Some(Value::Array(list)) => {
            let index = match name.as_str() {
                "-" => list.len(),
                name => name.parse().map_err(|_| missing("add", path))?,
            };
            if index > list.len() {
                return Err(fails(&format!(
                    "add operation does not apply: doc is missing path: {path}: invalid index \
                     referenced"
                )));
            }
            list.insert(index, value);
            Ok(())
        }
        _ => Err(missing("add", path)),
    }
}

fn remove(target: &mut Value, path: &str) -> Result<Value, PatchError> {
    let (parent, name) = split(path).ok_or_else(|| missing("remove", path))?;
    let removed = match target.pointer_mut(parent) {
        Some(Value::Object(map)) => map.remove(&name),
        Some(Value::Array(list)) => {
            let index = name.parse().ok().filter(|index| *index < list.len());
            index.map(|index| list.remove(index))
        }
        _ => None,
    };
    removed.ok_or_else(|| missing("remove", path))
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
            json!([{"op": "replace", "path": "/b", "value": 1}]),
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
