//! What an OpenAPI document says of a kind and its fields, as text.
//!
//! Upstream: `k8s.io/kubectl/pkg/explain/v2/templates/plaintext.tmpl`.

use crate::wordwrap::wrap;
use naru_api::KindRef;
use serde_json::Value;

/// References within references, and fields within fields.
const DEPTH_MAX: usize = 64;
/// Enumerated values that a list of fields shows of each.
const ENUM_MAX: usize = 4;

/// What is to be explained.
#[derive(Debug)]
pub struct Request<'a> {
    /// The kind.
    pub kind: &'a KindRef,
    /// Fields, from the kind down.
    pub path: &'a [String],
    /// Whether fields of fields are shown, and none described.
    pub recursive: bool,
}

/// Reads one document.
#[derive(Debug)]
pub struct Explanation<'a> {
    document: &'a Value,
}

impl<'a> Explanation<'a> {
    /// Of an OpenAPI document of version 3.
    pub fn new(document: &'a Value) -> Self {
        Explanation { document }
    }

    /// The whole text; the error is upstream's, with what was printed before it.
    pub fn of(&self, request: &Request<'_>) -> Result<String, (String, String)> {
        let kind = request.kind;
        let mut text = String::new();
        if !kind.group.is_empty() {
            text.push_str(&format!("GROUP:      {}\n", kind.group));
        }
        text.push_str(&format!("KIND:       {}\nVERSION:    {}\n\n", kind.kind, kind.version));
        let Some(schema) = self.schema_of(kind) else {
            let why = format!(
                "error: GVK map[group:{} kind:{} version:{}] not found in OpenAPI schema",
                kind.group, kind.kind, kind.version
            );
            return Err((text, why));
        };
        let body = self.output(schema, request.path, request.recursive, &mut Vec::new(), 0);
        match (body, request.path.last()) {
            (Some(body), _) => text.push_str(&body),
            (None, field) => {
                let field = field.map(String::as_str).unwrap_or_default();
                return Err((text, format!("error: field \"{field}\" does not exist")));
            }
        }
        text.push('\n');
        Ok(text)
    }

    fn schema_of(&self, kind: &KindRef) -> Option<&'a Value> {
        let schemas = self.document["components"]["schemas"].as_object()?;
        schemas.values().find(|schema| {
            let gvks = schema["x-kubernetes-group-version-kind"].as_array();
            gvks.into_iter().flatten().any(|gvk| {
                gvk["group"] == *kind.group
                    && gvk["kind"] == *kind.kind
                    && gvk["version"] == *kind.version
            })
        })
    }

    /// The schema that one refers to, or itself.
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        schema["$ref"]
            .as_str()
            .and_then(|reference| self.document.pointer(reference.strip_prefix('#')?))
            .unwrap_or(schema)
    }

    /// Follows the path, and describes what is at its end; `None` if it leads nowhere.
    fn output(
        &self,
        schema: &'a Value,
        path: &[String],
        recursive: bool,
        seen: &mut Vec<&'a str>,
        depth: usize,
    ) -> Option<String> {
        let reference = schema["$ref"].as_str();
        let resolved = self.resolve(schema);
        let Some((field, rest)) = path.split_first() else {
            return Some(self.description_and_fields(resolved, recursive));
        };
        if depth > DEPTH_MAX || reference.is_some_and(|reference| seen.contains(&reference)) {
            return None;
        }
        seen.extend(reference);
        if let Some(below) = resolved["properties"].get(field) {
            let mut text = String::new();
            if rest.is_empty() {
                text = format!("FIELD: {field} <{}>\n", self.type_of(below, 0));
                text.push_str(&long_enum(below));
                text.push_str("\n\n");
            }
            let found = self.output(below, rest, recursive, &mut Vec::new(), depth + 1);
            return found.map(|found| text + &found);
        }
        let next = [&resolved["items"], &resolved["additionalProperties"]];
        if let Some(next) = next.into_iter().find(|next| next.is_object()) {
            return self.output(next, path, recursive, seen, depth + 1);
        }
        let alternatives = resolved["allOf"].as_array().into_iter().flatten();
        alternatives
            .into_iter()
            .find_map(|one| self.output(one, path, recursive, &mut seen.clone(), depth + 1))
    }

    fn description_and_fields(&self, schema: &'a Value, recursive: bool) -> String {
        let mut description = String::new();
        self.describe(schema, &mut description, 0);
        if description.is_empty() {
            description.push_str("<empty>");
        }
        let mut text = format!("DESCRIPTION:\n{}\n", indent(4, &wrap(&description, 76)));
        let mut fields = String::new();
        self.fields(schema, recursive, 1, &mut Vec::new(), &mut fields);
        if !fields.is_empty() {
            text.push_str("FIELDS:\n");
            text.push_str(&fields);
        }
        text
    }

    /// The descriptions of a schema and of those that it is made of, one a line.
    fn describe(&self, schema: &'a Value, text: &mut String, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        let schema = self.resolve(schema);
        if let Some(description) = schema["description"].as_str().filter(|text| !text.is_empty()) {
            text.push_str(description);
            text.push('\n');
        }
        let alternatives = schema["allOf"].as_array().into_iter().flatten();
        alternatives.for_each(|one| self.describe(one, text, depth + 1));
        for below in ["items", "additionalProperties"] {
            if schema[below].is_object() {
                self.describe(&schema[below], text, depth + 1);
            }
        }
    }

    fn fields(
        &self,
        schema: &'a Value,
        recursive: bool,
        level: usize,
        seen: &mut Vec<&'a str>,
        text: &mut String,
    ) {
        let reference = schema["$ref"].as_str();
        if level > DEPTH_MAX || reference.is_some_and(|reference| seen.contains(&reference)) {
            return;
        }
        let before = seen.len();
        seen.extend(reference);
        let schema = self.resolve(schema);
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            self.field(schema, name, field, recursive, level, text);
            if recursive {
                self.fields(field, recursive, level + 1, seen, text);
            }
        }
        for one in schema["allOf"].as_array().into_iter().flatten() {
            self.fields(one, recursive, level, seen, text);
        }
        for below in ["items", "additionalProperties"] {
            if schema[below].is_object() {
                self.fields(&schema[below], recursive, level, seen, text);
            }
        }
        seen.truncate(before);
    }

    fn field(
        &self,
        holder: &Value,
        name: &str,
        field: &'a Value,
        short: bool,
        level: usize,
        text: &mut String,
    ) {
        let amount = level * 2;
        let blanks = " ".repeat(amount);
        text.push_str(&format!("{blanks}{name}\t<{}>", self.type_of(field, 0)));
        let required = holder["required"].as_array().into_iter().flatten();
        if required.into_iter().any(|required| required == name) {
            text.push_str(" -required-");
        }
        if let Some(values) = field["enum"].as_array() {
            let mut shown: Vec<String> = values.iter().take(ENUM_MAX).map(enum_value).collect();
            if values.len() > ENUM_MAX {
                shown.push("....".to_owned());
            }
            text.push_str(&format!("\n{blanks}enum: {}", shown.join(", ")));
        }
        text.push('\n');
        if !short {
            let description = field["description"].as_str().filter(|text| !text.is_empty());
            let description = wrap(description.unwrap_or("<no description>"), 78 - amount.min(70));
            text.push_str(&indent(amount + 2, &description));
            text.push_str("\n\n");
        }
    }

    /// `string`, `Object`, `[]Container`, `map[string]string`.
    fn type_of(&self, schema: &'a Value, depth: usize) -> String {
        if depth > DEPTH_MAX {
            return "Object".to_owned();
        }
        if schema["items"].is_object() {
            return format!("[]{}", self.type_of(&schema["items"], depth + 1));
        }
        if schema["additionalProperties"].is_object() {
            let of = self.type_of(&schema["additionalProperties"], depth + 1);
            return format!("map[string]{of}");
        }
        if let (Some([one]), true) =
            (schema["allOf"].as_array().map(Vec::as_slice), schema["properties"].is_null())
        {
            return self.type_of(one, depth + 1);
        }
        let plain = |of: &Value| of["type"].as_str().unwrap_or("Object").to_owned();
        let Some(reference) = schema["$ref"].as_str() else {
            return if schema["type"] == "object" { "Object".to_owned() } else { plain(schema) };
        };
        let target = self.resolve(schema);
        match target["type"].as_str() {
            None | Some("object") => {
                let name = reference.rsplit(['/', '.']).next().unwrap_or_default();
                if name.is_empty() { "Object".to_owned() } else { name.to_owned() }
            }
            Some(_) => plain(target),
        }
    }
}

fn long_enum(schema: &Value) -> String {
    let Some(values) = schema["enum"].as_array() else { return String::new() };
    let lines: Vec<String> =
        values.iter().map(|value| format!("\n    {}", enum_value(value))).collect();
    format!("ENUM:{}", lines.concat())
}

fn enum_value(value: &Value) -> String {
    match value.as_str() {
        Some("") => "\"\"".to_owned(),
        Some(text) => text.to_owned(),
        None => value.to_string(),
    }
}

fn indent(amount: usize, text: &str) -> String {
    let blanks = " ".repeat(amount);
    format!("{blanks}{}", text.replace('\n', &format!("\n{blanks}")))
}
