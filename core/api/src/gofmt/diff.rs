//! What differs between two structs, as `cmp.Diff` of `github.com/google/go-cmp` writes it.
//!
//! Upstream's messages end in such a text where only some fields may change. The internal types
//! that are not in the table of `dump` are told by the fields that they have in JSON.

use super::dump::{Field, field_of, fields_of};
use super::quote;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write;

/// How many equal fields are shown around one that differs.
const CONTEXT: usize = 2;

/// What differs from `old` to `new`, two structs of Go's `type_`.
pub fn diff(type_: &str, old: &impl Serialize, new: &impl Serialize) -> String {
    let old = serde_json::to_value(old).unwrap_or_default();
    let new = serde_json::to_value(new).unwrap_or_default();
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

/// Something that is not there is nothing, as a null is.
fn get<'v>(json: &'v Value, field: &Field<'_>) -> &'v Value {
    if field.inline { json } else { json.get(&field.key).unwrap_or(&Value::Null) }
}

fn is_struct(type_: &str, old: &Value, new: &Value) -> bool {
    old.is_object() && new.is_object() && !matches!(type_, "map" | "core.ResourceList")
}

/// Two values that differ.
fn compare(type_: &str, old: &Value, new: &Value) -> Node {
    let bare = type_.trim_start_matches('*');
    if let (Value::Array(before), Value::Array(after)) = (old, new) {
        let item = type_.strip_prefix("[]").unwrap_or("");
        return Node::Inside(type_.to_owned(), items(item, before, after));
    }
    let pointer = if bare.len() < type_.len() { "&" } else { "" };
    let mut all = fields_of(bare, old, new);
    let is_map = !is_struct(bare, old, new) && old.is_object() && new.is_object();
    if is_map {
        all = keys(old, new);
    } else if !is_struct(bare, old, new) {
        return Node::Line(String::new());
    }
    let shown = if bare == "map" { "map[string]string" } else { bare };
    Node::Inside(format!("{pointer}{shown}"), records(&all, old, new))
}

fn keys<'v>(old: &'v Value, new: &'v Value) -> Vec<Field<'v>> {
    let mut all = fields_of("", old, new);
    all.iter_mut().for_each(|field| field.name = quote(&field.key).into());
    all
}

/// The fields of a struct: those that differ, and a few around them.
fn records(fields: &[Field<'_>], old: &Value, new: &Value) -> Vec<Record> {
    let equal: Vec<bool> =
        fields.iter().map(|field| same(get(old, field), get(new, field))).collect();
    let mut out = Vec::new();
    let mut index = 0;
    while index < fields.len() {
        let run = equal.get(index..).unwrap_or_default().iter().take_while(|equal| **equal).count();
        if run > 0 {
            let low = if index == 0 { 0 } else { CONTEXT.min(run) };
            let last = index + run == fields.len();
            let mut high = if last { 0 } else { CONTEXT.min(run - low) };
            if run - low - high == 1 {
                high += 1;
            }
            for (place, field) in fields.iter().skip(index).take(run).enumerate() {
                if place < low || place >= run - high {
                    let text = value(field.type_, get(new, field));
                    out.push(Record {
                        mark: ' ',
                        key: field.name.to_string(),
                        node: Node::Line(text),
                    });
                } else if place == low {
                    let node = Node::Ellipsis(run - low - high, "fields");
                    out.push(Record { mark: ' ', key: String::new(), node });
                }
            }
            index += run;
            continue;
        }
        if let Some(field) = fields.get(index) {
            changed(field.type_, &field.name, get(old, field), get(new, field), &mut out);
        }
        index += 1;
    }
    out
}

/// An entry that differs: looked into when both sides have something to look into.
fn changed(type_: &str, key: &str, old: &Value, new: &Value, out: &mut Vec<Record>) {
    let both = (old.is_object() && new.is_object()) || (old.is_array() && new.is_array());
    if both && !type_.ends_with("intstr.IntOrString") {
        let node = compare(type_, old, new);
        out.push(Record { mark: ' ', key: key.to_owned(), node });
        return;
    }
    for (mark, side) in [('-', old), ('+', new)] {
        let node = Node::Line(value(type_, side));
        out.push(Record { mark, key: key.to_owned(), node });
    }
}

fn items(type_: &str, old: &[Value], new: &[Value]) -> Vec<Record> {
    let mut out = Vec::new();
    let mut equal = 0;
    for index in 0..old.len().max(new.len()) {
        let sides = (old.get(index), new.get(index));
        if let (Some(old), Some(new)) = sides
            && same(old, new)
        {
            equal += 1;
            continue;
        }
        skip(&mut equal, &mut out);
        match sides {
            (Some(old), Some(new)) => changed(type_, "", old, new, &mut out),
            (Some(old), None) => out.push(line('-', type_, old)),
            (None, Some(new)) => out.push(line('+', type_, new)),
            (None, None) => {}
        }
    }
    skip(&mut equal, &mut out);
    out
}

fn line(mark: char, type_: &str, json: &Value) -> Record {
    Record { mark, key: String::new(), node: Node::Line(value(type_, json)) }
}

fn skip(equal: &mut usize, out: &mut Vec<Record>) {
    if *equal > 0 {
        let node = Node::Ellipsis(*equal, "elements");
        out.push(Record { mark: ' ', key: String::new(), node });
        *equal = 0;
    }
}

fn same(old: &Value, new: &Value) -> bool {
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    old == new || (empty(old) && empty(new))
}

/// A value on one line: `{{Name: "v", ReadOnly: true}}`, `&30`, `nil`.
fn value(type_: &str, json: &Value) -> String {
    if let Some(to) = type_.strip_prefix('*') {
        return if json.is_null() { "nil".to_owned() } else { format!("&{}", value(to, json)) };
    }
    match json {
        Value::Null => match type_ {
            "string" => "\"\"".to_owned(),
            "int" => "0".to_owned(),
            "bool" => "false".to_owned(),
            "" | "map" | "core.ResourceList" => "nil".to_owned(),
            list if list.starts_with("[]") => "nil".to_owned(),
            _ => "{}".to_owned(),
        },
        Value::String(text) => quote(text),
        Value::Array(items) => {
            let item = type_.strip_prefix("[]").unwrap_or("");
            let items: Vec<String> = items.iter().map(|json| value(item, json)).collect();
            format!("{{{}}}", items.join(", "))
        }
        Value::Object(_) => {
            let fields = match type_ {
                "map" | "core.ResourceList" => keys(json, json),
                _ => fields_of(type_, json, json),
            };
            let text = |field: &Field<'_>| {
                let json = get(json, field);
                let text = value(field.type_, json);
                // Fields without a value are left out.
                let zero = matches!(text.as_str(), "nil" | "\"\"" | "0" | "false" | "{}");
                (!zero).then(|| format!("{}: {text}", field.name))
            };
            let texts: Vec<String> = fields.iter().filter_map(text).collect();
            format!("{{{}}}", texts.join(", "))
        }
        other => other.to_string(),
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

/// The fields that two objects of an unknown type have, as [`Field`]s.
pub(super) fn json_fields<'v>(old: &'v Value, new: &'v Value) -> Vec<Field<'v>> {
    let names = |json: &'v Value| json.as_object().into_iter().flat_map(|map| map.keys());
    let mut all: Vec<&String> = names(old).chain(names(new)).collect();
    all.sort();
    all.dedup();
    all.into_iter().map(|name| field_of(name)).collect()
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
}
