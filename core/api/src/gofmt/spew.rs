//! A pod template as `go-spew` writes it: `(v1.PodTemplateSpec){ObjectMeta:(v1.ObjectMeta){…}}`.
//!
//! Upstream makes the hashes in the names of ReplicaSets and pods from this text, so the letters
//! are those of a real cluster only if each field of Go's structs is here, in Go's order.
//!
//! Upstream: `DeepHashObject` in `pkg/util/hash/hash.go`, `ForHash` in
//! `apimachinery/pkg/util/dump/dump.go`, the structs of `k8s.io/api/core/v1`.

use super::dump::{Field, parse};
use crate::{encode, quantity};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::Value;
use std::fmt::{self, Write};

static STRUCTS: &str = include_str!("podtemplate.txt");

const NIL: &str = "<nil>";

/// The text of a pod template.
///
/// # Errors
///
/// When the template has no JSON, which no template is known to do.
pub fn pod_template(template: &PodTemplateSpec) -> Result<String, serde_json::Error> {
    let json = encode::to_value(template)?;
    let mut out = String::with_capacity(4096);
    // Writing into a string does not fail.
    let _ = typed("v1.PodTemplateSpec", Some(&json), &mut out);
    Ok(out)
}

/// The struct that ephemeral containers share with containers has the same fields.
fn fields(type_: &str) -> Option<&'static str> {
    let type_ = if type_ == "v1.EphemeralContainerCommon" { "v1.Container" } else { type_ };
    STRUCTS.lines().find_map(|line| line.strip_prefix(type_)?.strip_prefix(' '))
}

fn typed(type_: &str, json: Option<&Value>, out: &mut String) -> fmt::Result {
    write!(out, "({type_})")?;
    untyped(type_, json, out)
}

/// The items of lists and maps go without their type.
fn untyped(type_: &str, json: Option<&Value>, out: &mut String) -> fmt::Result {
    let json = json.filter(|json| !json.is_null());
    if let Some(to) = type_.strip_prefix('*') {
        return match json {
            None => out.write_str(NIL),
            Some(_) if to == "v1.Time" => out.write_str(NIL),
            json => untyped(to, json, out),
        };
    }
    if let Some(item) = type_.strip_prefix("[]") {
        return list(item, json, out);
    }
    match type_ {
        "string" => text(json, out),
        "int32" | "int64" => write!(out, "{}", json.and_then(Value::as_i64).unwrap_or(0)),
        "bool" => write!(out, "{}", json.and_then(Value::as_bool).unwrap_or(false)),
        // No time is ever set in a template.
        "v1.Time" => out
            .write_str("{Time:(time.Time){wall:(uint64)0 ext:(int64)0 loc:(*time.Location)<nil>}}"),
        "map[string]string" => map(json, "string", out),
        "v1.ResourceList" => map(json, "resource.Quantity", out),
        "resource.Quantity" => {
            let text = json.and_then(Value::as_str).unwrap_or("0");
            out.write_str(&quantity::go_spew(&Quantity(text.to_owned())))
        }
        "intstr.IntOrString" => int_or_string(json, out),
        _ => match fields(type_) {
            Some(fields) => structure(fields, json, out),
            None => text(json, out),
        },
    }
}

fn text(json: Option<&Value>, out: &mut String) -> fmt::Result {
    out.write_str(json.and_then(Value::as_str).unwrap_or_default())
}

fn structure(fields: &str, json: Option<&Value>, out: &mut String) -> fmt::Result {
    out.write_char('{')?;
    for (index, field) in fields.split(' ').enumerate() {
        if index > 0 {
            out.write_char(' ')?;
        }
        let Field { name, key, type_, inline } = parse(field);
        write!(out, "{name}:")?;
        let value = if inline { json } else { json.and_then(|json| json.get(&key)) };
        typed(type_, value, out)?;
    }
    out.write_char('}')
}

/// An empty list does not survive the way from the API server to the controller.
fn list(item: &str, json: Option<&Value>, out: &mut String) -> fmt::Result {
    let Some(items) = json.and_then(Value::as_array).filter(|items| !items.is_empty()) else {
        return out.write_str(NIL);
    };
    out.write_char('[')?;
    for (index, value) in items.iter().enumerate() {
        if index > 0 {
            out.write_char(' ')?;
        }
        untyped(item, Some(value), out)?;
    }
    out.write_char(']')
}

fn map(json: Option<&Value>, item: &str, out: &mut String) -> fmt::Result {
    let Some(entries) = json.and_then(Value::as_object).filter(|map| !map.is_empty()) else {
        return out.write_str(NIL);
    };
    let mut keys: Vec<&String> = entries.keys().collect();
    keys.sort_unstable();
    out.write_str("map[")?;
    for (index, key) in keys.into_iter().enumerate() {
        if index > 0 {
            out.write_char(' ')?;
        }
        write!(out, "{key}:")?;
        untyped(item, entries.get(key), out)?;
    }
    out.write_char(']')
}

fn int_or_string(json: Option<&Value>, out: &mut String) -> fmt::Result {
    let text = json.and_then(Value::as_str);
    let number = json.and_then(Value::as_i64).unwrap_or(0);
    let type_ = i32::from(text.is_some());
    let text = text.unwrap_or_default();
    write!(out, "{{Type:(intstr.Type){type_} IntVal:(int32){number} StrVal:(string){text}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_struct_that_is_named_is_known() {
        let structs = ["Source", "Spec", "Term", "Selector", "Context", "Requirements"];
        for line in STRUCTS.lines().filter(|line| !line.starts_with('#')) {
            for field in line.split(' ').skip(1) {
                let type_ = parse(field).type_.trim_start_matches(['*', '[', ']']);
                let named = structs.iter().any(|end| type_.ends_with(end));
                assert!(!named || fields(type_).is_some(), "{type_}");
            }
        }
    }
}
