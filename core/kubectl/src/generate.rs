//! Pieces of which commands make objects.
//!
//! Upstream: `k8s.io/kubectl/pkg/generate`.

use crate::failure::{Failure, Result};
use naru_api::gofmt::quote;
use naru_api::schema::Node;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// `key=value` arguments, and those `key-` that remove, where that is allowed.
///
/// Upstream: `ParsePairs`.
pub fn parse_pairs(
    args: &[String],
    what: &str,
    may_remove: bool,
) -> Result<(BTreeMap<String, String>, Vec<String>)> {
    let (mut pairs, mut removed, mut invalid) = (BTreeMap::new(), Vec::new(), Vec::new());
    for arg in args {
        match (arg.split_once('='), arg.strip_suffix('-')) {
            (Some((key, value)), _) if !key.is_empty() => {
                pairs.insert(key.to_owned(), value.to_owned());
            }
            (_, Some(key)) if may_remove && !key.is_empty() => removed.push(key.to_owned()),
            _ => invalid.push(arg.as_str()),
        }
    }
    if invalid.is_empty() {
        return Ok((pairs, removed));
    }
    Err(Failure::message(format!("invalid {what} format: {}", invalid.join(", "))))
}

/// `app=web,tier=front` as a map.
///
/// Upstream: `ParseLabels`.
pub fn parse_labels(text: &str) -> Result<Value> {
    if text.is_empty() {
        return Err(Failure::message("no label spec passed"));
    }
    let mut labels = Map::new();
    for spec in text.split(',') {
        let (key, value) = spec
            .split_once('=')
            .filter(|(_, value)| !value.contains('='))
            .ok_or_else(|| Failure::message(format!("unexpected label spec: {spec}")))?;
        if key.is_empty() {
            return Err(Failure::message("unexpected empty label key"));
        }
        labels.insert(key.to_owned(), Value::from(value));
    }
    Ok(Value::Object(labels))
}

/// go-yaml's own text, without the words that the stream decoder puts before it.
pub fn yaml_reason(why: &str) -> &str {
    why.strip_prefix("error converting YAML to JSON: ").unwrap_or(why)
}

/// What `--overrides` makes of a generated object, by the kind of patch that `--override-type` says.
///
/// Upstream: `cmdutil.NewOverrider`.
pub fn overridden(flags: &crate::flags::Parsed, object: Value, node: Node<'_>) -> Result<Value> {
    let (overrides, kind) = (flags.text("overrides"), flags.text("override-type"));
    if !matches!(kind, "" | "json" | "merge" | "strategic") {
        let text =
            format!("invalid override type: {kind}. Must be one of: json, merge, or strategic");
        return Err(Failure::Message(text));
    }
    if overrides.is_empty() {
        return Ok(object);
    }
    let patch: Value =
        serde_json::from_str(overrides).map_err(|_| Failure::message("Invalid JSON Patch"))?;
    let patched = match kind {
        "json" => naru_api::patch::json(object, &patch),
        "strategic" => naru_api::patch::strategic(node, object, &patch),
        _ => Ok(naru_api::patch::merge(object, &patch)),
    };
    patched.map_err(|why| Failure::Message(why.to_string()))
}

/// The items of a list field; none when it is not there.
pub fn list_mut<'a>(value: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> {
    value.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten()
}

/// A whole number, with the words of Go's `strconv.Atoi`.
pub fn atoi(text: &str) -> Result<i64> {
    text.parse().map_err(|_| {
        Failure::message(format!("strconv.Atoi: parsing {}: invalid syntax", quote(text)))
    })
}

/// The merge patch (RFC 7386) that leads from `old` to `new`.
pub fn difference(old: &Value, new: &Value) -> Value {
    let (Some(before), Some(after)) = (old.as_object(), new.as_object()) else {
        return new.clone();
    };
    let mut patch = Map::new();
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    for (name, value) in after {
        match before.get(name) {
            Some(old) if old == value => {}
            Some(old) => drop(patch.insert(name.clone(), difference(old, value))),
            None => drop(patch.insert(name.clone(), value.clone())),
        }
    }
    Value::Object(patch)
}

/// Arguments that name resources, and those after them that change something: `a=b`, `a-`.
///
/// Upstream: `GetResourcesAndPairs`.
pub fn resources_and_pairs(args: &[String], what: &str) -> Result<(Vec<String>, Vec<String>)> {
    let is_pair = |arg: &str| {
        (arg.contains('=') && !arg.starts_with('=')) || (arg.ends_with('-') && arg != "-")
    };
    let first = args.iter().position(|arg| is_pair(arg)).unwrap_or(args.len());
    let (resources, pairs) = args.split_at(first);
    match pairs.iter().find(|arg| !is_pair(arg)) {
        Some(arg) => {
            let text = format!("all resources must be specified before {what} changes: {arg}");
            Err(Failure::Message(text))
        }
        None => Ok((resources.to_vec(), pairs.to_vec())),
    }
}

/// Whether the text names an image: `[host[:port]/]path[:tag][@digest]`.
///
/// Upstream: `ReferenceRegexp` of `github.com/distribution/reference`.
pub fn is_image_reference(text: &str) -> bool {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    if digest.is_some_and(|digest| !is_digest(digest)) {
        return false;
    }
    let last_slash = rest.rfind('/').map_or(0, |at| at + 1);
    let (path, tag) = match rest.get(last_slash..).and_then(|last| last.split_once(':')) {
        Some((last, tag)) => (rest.get(..last_slash + last.len()).unwrap_or_default(), Some(tag)),
        None => (rest, None),
    };
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return false;
    }
    let (host, path) = match path.split_once('/') {
        Some((host, path)) if is_host(host) && !path.is_empty() => (Some(host), path),
        _ => (None, path),
    };
    path.split('/').all(is_path_component)
        || host
            .is_some_and(|host| is_path_component(host) && path.split('/').all(is_path_component))
}

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        algorithm.starts_with(|c: char| c.is_ascii_alphabetic())
            && hex.len() >= 32
            && hex.chars().all(|c| c.is_ascii_hexdigit())
    })
}

fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 128
        && text.starts_with(word)
        && text.chars().all(|c| word(c) || c == '.' || c == '-')
}

fn is_host(text: &str) -> bool {
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    name.split('.').all(label)
        && port.is_none_or(|port| !port.is_empty() && port.chars().all(|c| c.is_ascii_digit()))
}

/// Lower case letters and digits, separated by `.`, `_`, `__` or dashes.
fn is_path_component(text: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut separator = String::new();
    for c in text.chars() {
        if word(c) {
            let allowed = matches!(separator.as_str(), "" | "." | "_" | "__")
                || separator.chars().all(|c| c == '-');
            if !allowed {
                return false;
            }
            separator.clear();
        } else if matches!(c, '.' | '_' | '-') {
            separator.push(c);
        } else {
            return false;
        }
    }
    text.starts_with(word) && separator.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_names() {
        for name in [
            "nginx",
            "nginx:1.27",
            "kim0lil/80700:v-1.0.0",
            "registry.k8s.io/pause:3.10",
            "localhost:5000/a/b__c:x",
            "a@sha256:0123456789abcdef0123456789abcdef",
        ] {
            assert!(is_image_reference(name), "{name}");
        }
        for name in ["", "Nginx", "nginx:", "a//b", "a:b:c", "-a", "a b", "a@sha256:x"] {
            assert!(!is_image_reference(name), "{name}");
        }
    }

    #[test]
    fn pairs() {
        let args: Vec<String> = ["a=1", "b-", "c=x=y"].map(str::to_owned).to_vec();
        let (pairs, removed) = parse_pairs(&args, "label", true).unwrap();
        assert_eq!(pairs["c"], "x=y");
        assert_eq!(removed, ["b"]);
        let failure = parse_pairs(&args, "label", false).unwrap_err();
        assert_eq!(failure.bare(), "invalid label format: b-");
    }
}
