//! What differs between two structs, as `cmp.Diff` of `github.com/google/go-cmp` writes it.
//!
//! Upstream's messages end in such a text where only some fields may change. The internal types
//! that are not in the table of `dump` are told by the fields that they have in JSON.

use super::dump::{Field, fields_of, known_fields};
use super::quote;
use crate::encode;
use crate::quantity::go_parts;
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write;

/// How many equal fields are shown around one that differs.
const CONTEXT: usize = 2;

/// What differs from `old` to `new`, two structs of Go's `type_`.
pub fn diff(type_: &str, old: &impl Serialize, new: &impl Serialize) -> String {
    let mut old = encode::to_value(old).unwrap_or_default();
    let mut new = encode::to_value(new).unwrap_or_default();
    internal(type_, &mut old);
    internal(type_, &mut new);
    let mut out = String::new();
    let node = compare(type_, &old, &new);
    Record { mark: ' ', key: String::new(), node }.write(0, 0, type_, &mut out);
    // At the top there is no comma.
    if out.ends_with(",\n") {
        out.truncate(out.len() - 2);
        out.push('\n');
    }
    out
}

/// One entry of a struct or a list, and whether it is in both (` `), the old (`-`) or the new (`+`).
struct Record {
    mark: char,
    key: String,
    node: Node,
}

enum Node {
    /// A value on one line.
    Line(String),
    /// `... // 3 identical fields`.
    Ellipsis(usize, &'static str),
    /// What is inside braces, and what stands before them.
    Inside(String, Vec<Record>),
}

/// One entry of a struct, a list or a map; `None` where one of two lists or maps has it not.
struct Entry<'v> {
    key: Cow<'v, str>,
    type_: &'v str,
    old: Option<&'v Value>,
    new: Option<&'v Value>,
}

fn get<'v>(json: &'v Value, field: &Field<'_>) -> &'v Value {
    if field.inline { json } else { json.get(&field.key).unwrap_or(&Value::Null) }
}

fn is_map(type_: &str) -> bool {
    matches!(type_, "map" | "core.ResourceList")
}

/// Two values that differ, and that both have something inside.
fn compare(type_: &str, old: &Value, new: &Value) -> Node {
    let bare = type_.strip_prefix('*').unwrap_or(type_);
    let pointer = if bare.len() < type_.len() { "&" } else { "" };
    let name = format!("{pointer}{}", go_name(bare));
    if let (Value::Array(old), Value::Array(new)) = (old, new) {
        let item = type_.strip_prefix("[]").unwrap_or("");
        let entry = |index: usize| Entry {
            key: "".into(),
            type_: item,
            old: old.get(index),
            new: new.get(index),
        };
        let entries: Vec<Entry<'_>> = (0..old.len().max(new.len())).map(entry).collect();
        return Node::Inside(name, records(&entries, "elements"));
    }
    if is_map(bare) {
        let type_ = if bare == "map" { "string" } else { QUANTITY };
        let entries: Vec<Entry<'_>> = json_keys(old, new)
            .into_iter()
            .map(|key| Entry {
                key: map_key(bare, key).into(),
                type_,
                old: old.get(key),
                new: new.get(key),
            })
            .collect();
        return Node::Inside(name, records(&entries, "entries"));
    }
    let fields = fields_of(bare, old, new);
    let entries: Vec<Entry<'_>> = fields
        .iter()
        .map(|field| Entry {
            key: field.name.clone(),
            type_: field.type_,
            old: Some(get(old, field)),
            new: Some(get(new, field)),
        })
        .collect();
    Node::Inside(name, records(&entries, "fields"))
}

/// The type of a quantity, of which Go shows what it is made of.
const QUANTITY: &str = "resource.Quantity";

fn go_name(type_: &str) -> &str {
    if type_ == "map" { "map[string]string" } else { type_ }
}

fn map_key(type_: &str, key: &str) -> String {
    // Names of resources write themselves.
    let mark = if type_ == "map" { "" } else { "s" };
    format!("{mark}{}", quote(key))
}

/// The entries that differ, and a few around them.
fn records(entries: &[Entry<'_>], what: &'static str) -> Vec<Record> {
    let mut out = Vec::new();
    let mut index = 0;
    for run in entries.chunk_by(|a, b| a.is_same() == b.is_same()) {
        let first = index == 0;
        index += run.len();
        if !run.first().is_some_and(Entry::is_same) {
            run.iter().for_each(|entry| entry.changed(&mut out));
            continue;
        }
        let low = if first { 0 } else { CONTEXT.min(run.len()) };
        let rest = run.len() - low;
        let mut high = if index == entries.len() { 0 } else { CONTEXT.min(rest) };
        if rest - high == 1 {
            high += 1;
        }
        for (place, entry) in run.iter().enumerate() {
            if place < low || place >= run.len() - high {
                let text = value(entry.type_, entry.new, EQUAL_LEVEL, false, false);
                out.push(Record { mark: ' ', key: entry.key.to_string(), node: Node::Line(text) });
            } else if place == low {
                let node = Node::Ellipsis(rest - high, what);
                out.push(Record { mark: ' ', key: String::new(), node });
            }
        }
    }
    out
}

impl Entry<'_> {
    fn is_same(&self) -> bool {
        let empty = |value: &Value| match value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            _ => false,
        };
        match (self.old, self.new) {
            (Some(old), Some(new)) => old == new || (empty(old) && empty(new)),
            _ => false,
        }
    }

    /// Looked into when both sides have something inside.
    fn changed(&self, out: &mut Vec<Record>) {
        if let (Some(old), Some(new)) = (self.old, self.new)
            && (old.is_object() && new.is_object() || old.is_array() && new.is_array())
        {
            let node = compare(self.type_, old, new);
            out.push(Record { mark: ' ', key: self.key.to_string(), node });
            return;
        }
        for (mark, side) in [('-', self.old), ('+', self.new)] {
            if side.is_some() {
                // Elements of lists need no name of their type.
                let named = !self.key.is_empty();
                let node = Node::Line(value(self.type_, side, CHANGED_LEVEL, named, true));
                out.push(Record { mark, key: self.key.to_string(), node });
            }
        }
    }
}

/// How deep values are shown that are equal, and those that are not.
const EQUAL_LEVEL: u32 = 2;
const CHANGED_LEVEL: u32 = 3;

/// A value on one line: `{{Name: "v", ReadOnly: true}}`, `&30`, `nil`. `named` says whether the
/// type stands before it, `deep` whether those of its fields do.
fn value(type_: &str, json: Option<&Value>, level: u32, named: bool, deep: bool) -> String {
    let json = json.unwrap_or(&Value::Null);
    if let Some(to) = type_.strip_prefix('*') {
        return match json {
            Value::Null => "nil".to_owned(),
            _ => format!("&{}", value(to, Some(json), level, named, deep)),
        };
    }
    let name = if named { go_name(type_) } else { "" };
    let inner = level.saturating_sub(1);
    let texts: Vec<String> = match json {
        Value::Null => match type_ {
            "string" => return "\"\"".to_owned(),
            "int" => return "0".to_owned(),
            "bool" => return "false".to_owned(),
            _ if type_.is_empty() || is_map(type_) || type_.starts_with("[]") => {
                return "nil".to_owned();
            }
            _ => Vec::new(),
        },
        Value::String(text) if type_ == QUANTITY => quantity(text, deep),
        Value::String(text) => return quote(text),
        Value::Array(items) => {
            let item = type_.strip_prefix("[]").unwrap_or("");
            items.iter().map(|json| value(item, Some(json), inner, false, deep)).collect()
        }
        Value::Object(map) if is_map(type_) => {
            let item = if type_ == "map" { "string" } else { QUANTITY };
            let text = |(key, json): (&String, &Value)| {
                let text = value(item, Some(json), inner, false, deep);
                format!("{}: {text}", map_key(type_, key))
            };
            map.iter().map(text).collect()
        }
        Value::Object(_) => {
            let fields = fields_of(type_, json, json);
            let text = |field: &Field<'_>| {
                let json = Some(get(json, field));
                let bare = value(field.type_, json, inner, false, deep);
                // Fields without a value are left out.
                let zero = matches!(bare.as_str(), "nil" | "\"\"" | "0" | "false" | "{}");
                let text = || value(field.type_, json, inner, deep, deep);
                (!zero).then(|| format!("{}: {}", field.name, text()))
            };
            fields.iter().filter_map(text).collect()
        }
        other => return other.to_string(),
    };
    let shown_max = if level == 0 { 0 } else { 4 << (level - 1) };
    let more = if texts.len() > shown_max { Some("...".to_owned()) } else { None };
    let texts: Vec<String> = texts.into_iter().take(shown_max).chain(more).collect();
    format!("{name}{{{}}}", texts.join(", "))
}

/// What Go keeps of a quantity.
fn quantity(text: &str, deep: bool) -> Vec<String> {
    let (value, scale, format) = go_parts(text).unwrap_or((0, 0, "DecimalSI"));
    let scale = if scale == 0 { String::new() } else { format!(", scale: {scale}") };
    let name = if deep { "resource.int64Amount" } else { "" };
    vec![
        format!("i: {name}{{value: {value}{scale}}}"),
        format!("s: {}", quote(text)),
        format!("Format: \"{format}\""),
    ]
}

/// What v1 keeps elsewhere or in another form than the internal types.
fn internal(type_: &str, json: &mut Value) {
    let bare = type_.strip_prefix('*').unwrap_or(type_);
    if bare == "core.PodSpec"
        && let Some(spec) = json.as_object_mut()
    {
        let names = ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers"];
        let moved: Vec<(String, Value)> =
            names.iter().filter_map(|name| spec.remove_entry(*name)).collect();
        let context = spec.entry("securityContext").or_insert_with(|| Value::Object(Map::new()));
        if let Some(context) = context.as_object_mut() {
            context.extend(moved);
        }
    }
    if bare == "intstr.IntOrString" {
        let (name, value) = match &*json {
            Value::String(text) => ("strVal", Value::from(text.clone())),
            other => ("intVal", other.clone()),
        };
        let type_ = Value::from(u8::from(name == "strVal"));
        *json = Map::from_iter([("type".to_owned(), type_), (name.to_owned(), value)]).into();
        return;
    }
    if let (Some(item), Value::Array(items)) = (type_.strip_prefix("[]"), &mut *json) {
        items.iter_mut().for_each(|json| internal(item, json));
        return;
    }
    let Value::Object(_) = json else { return };
    for field in known_fields(bare) {
        if field.inline {
            internal(field.type_, json);
        } else if let Some(json) = json.get_mut(&field.key) {
            internal(field.type_, json);
        }
    }
}

impl Record {
    /// `width` is that of the longest key among the lines around this one.
    fn write(&self, depth: usize, width: usize, type_: &str, out: &mut String) {
        let tabs = "\t".repeat(depth);
        let _ = write!(out, "{} {tabs}", self.mark);
        if !self.key.is_empty() {
            let blanks = " ".repeat(width.saturating_sub(self.key.len()));
            let _ = write!(out, "{}: {blanks}", self.key);
        }
        match &self.node {
            Node::Line(text) => {
                let _ = writeln!(out, "{text},");
            }
            Node::Ellipsis(count, what) => {
                let what = if *count == 1 { what.trim_end_matches('s') } else { what };
                let _ = writeln!(out, "... // {count} identical {what}");
            }
            Node::Inside(name, records) => {
                // Items of a list need no name of their type.
                let name = if self.key.is_empty() && depth > 0 { "" } else { name.as_str() };
                let name = if depth == 0 { type_ } else { name };
                let _ = writeln!(out, "{name}{{");
                write_all(records, depth + 1, out);
                let _ = writeln!(out, "  {tabs}}},");
            }
        }
    }

    fn is_aligned(&self) -> bool {
        matches!(self.node, Node::Line(_)) && !self.key.is_empty()
    }
}

fn write_all(records: &[Record], depth: usize, out: &mut String) {
    for block in records.chunk_by(|a, b| a.is_aligned() && b.is_aligned()) {
        let aligned = block.first().is_some_and(Record::is_aligned);
        let width = block.iter().map(|record| record.key.len()).max().unwrap_or(0);
        for record in block {
            record.write(depth, if aligned { width } else { 0 }, "", out);
        }
    }
}

/// The names in two objects, sorted.
pub(super) fn json_keys<'v>(old: &'v Value, new: &'v Value) -> BTreeSet<&'v str> {
    let keys = |json: &'v Value| json.as_object().into_iter().flat_map(|map| map.keys());
    keys(old).chain(keys(new)).map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // Printed by go-cmp v0.7 of the internal types, with its blanks made plain.
    #[test]
    fn a_port_that_changed() {
        let pod = |port: u32| {
            json!({"restartPolicy": "Always", "containers": [{"name": "a", "image": "b",
                "ports": [{"containerPort": port, "protocol": "TCP"}]}]})
        };
        let text = "  core.PodSpec{\n  \tVolumes:        nil,\n  \tInitContainers: nil,\n  \
                    \tContainers: []core.Container{\n  \t\t{\n  \t\t\t... // 3 identical fields\n  \
                    \t\t\tArgs:       nil,\n  \t\t\tWorkingDir: \"\",\n  \
                    \t\t\tPorts: []core.ContainerPort{\n  \t\t\t\t{\n  \
                    \t\t\t\t\tName:          \"\",\n  \t\t\t\t\tHostPort:      0,\n- \
                    \t\t\t\t\tContainerPort: 80,\n+ \t\t\t\t\tContainerPort: 81,\n  \
                    \t\t\t\t\tProtocol:      \"TCP\",\n  \t\t\t\t\tHostIP:        \"\",\n  \
                    \t\t\t\t},\n  \t\t\t},\n  \t\t\tEnvFrom: nil,\n  \t\t\tEnv:     nil,\n  \
                    \t\t\t... // 16 identical fields\n  \t\t},\n  \t},\n  \
                    \tEphemeralContainers: nil,\n  \tRestartPolicy:       \"Always\",\n  \
                    \t... // 29 identical fields\n  }\n";
        assert_eq!(diff("core.PodSpec", &pod(80), &pod(81)), text);
    }

    #[test]
    fn values_are_told_as_go_cmp_tells_them() {
        let told = |old: Value, new: Value, line: &str| {
            let text = diff("core.PodSpec", &old, &new);
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        };
        let container = |fields: Value| json!({ "containers": [fields] });
        told(
            container(json!({})),
            container(json!({"env": [{"name": "A", "value": "1"}]})),
            "+ \t\t\tEnv:          []core.EnvVar{{Name: \"A\", Value: \"1\"}},",
        );
        told(
            container(json!({"resources": {}})),
            container(json!({"resources": {"limits": {"cpu": "1"}}})),
            "+ \t\t\t\tLimits:   core.ResourceList{s\"cpu\": {i: resource.int64Amount{value: 1}, s: \"1\", Format: \"DecimalSI\"}},",
        );
        told(
            container(json!({"command": ["a", "b"]})),
            container(json!({"command": ["a", "c"]})),
            "  \t\t\t\t\"a\",",
        );
        told(
            json!({"securityContext": {}}),
            json!({"securityContext": {}, "hostNetwork": true}),
            "+ \t\tHostNetwork: true,",
        );
        told(
            container(json!({"livenessProbe": {"httpGet": {"port": 80}}})),
            container(json!({"livenessProbe": {"httpGet": {"port": 81}}})),
            "+ \t\t\t\t\t\t\tIntVal: 81,",
        );
        told(
            json!({"nodeSelector": {"c": "d"}}),
            json!({"nodeSelector": {"e": "f"}}),
            "+ \t\t\"e\": \"f\",",
        );
    }
}
