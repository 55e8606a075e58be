//! Values against their schema.
//!
//! Upstream: `kube-openapi/pkg/validation/validate`, whose rules, messages and choice among the
//! errors of alternatives these are, and `ValidateCustomResource` with its ratcheting in
//! `apiextensions-apiserver/pkg/apiserver/validation`.

use super::{Schema, additional, format, is_int_or_string, items, type_of};
use crate::FieldError;
use crate::gofmt::{bad_value, float, quote};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaPropsOrBool;
use regex_lite::Regex;
use serde_json::{Map, Value};

/// What is wrong with a value. `old` is the value before an update: what was wrong before and has
/// not changed is let through. `root` is what the schema is of, "" for a whole object.
pub fn validate(
    value: &Value,
    old: Option<&Value>,
    schema: &Schema,
    root: &str,
) -> Vec<FieldError> {
    let found = ratcheted(schema, value, old, "");
    found.problems.into_iter().map(|problem| problem.told_at(root)).collect()
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
struct Problem {
    /// Where: `spec.replicas`; `None` for alternatives, which upstream tells without a place.
    path: Option<String>,
    code: Code,
    value: Value,
    message: String,
}

#[derive(Clone, Debug)]
enum Code {
    Required,
    Enum(Vec<String>),
    TooLong(i64),
    TooMany { count: usize, max: i64 },
    Type,
    Other,
}

impl Problem {
    fn new(path: &str, code: Code, value: Value, message: String) -> Self {
        Problem { path: Some(path.to_owned()), code, value, message }
    }

    fn other(path: &str, value: &Value, message: String) -> Self {
        Problem::new(path, Code::Other, value.clone(), message)
    }

    fn told_at(self, root: &str) -> FieldError {
        let path = self.path.as_deref().unwrap_or_default();
        let path = match (root, path.strip_prefix('.').unwrap_or(path)) {
            ("", "") => "<nil>".to_owned(),
            (root, "") => root.to_owned(),
            ("", path) => path.to_owned(),
            (root, path) => format!("{root}.{path}"),
        };
        match self.code {
            Code::Required => FieldError::required(path, ""),
            Code::Enum(values) => {
                FieldError::not_supported_raw(path, bad_value(&self.value), &values)
            }
            Code::TooLong(max) => {
                FieldError::too_long(path, usize::try_from(max).unwrap_or_default())
            }
            Code::TooMany { count, max } => FieldError::too_many(path, count, max),
            Code::Type => FieldError::type_invalid(path, &self.value, &self.message),
            Code::Other => FieldError::invalid_value(path, &self.value, &self.message),
        }
    }
}

/// The problems of a value, and how many checks it passed: of alternatives that all fail, the
/// problems of the one with the most passed checks are told.
#[derive(Clone, Debug, Default)]
struct Found {
    problems: Vec<Problem>,
    passed: usize,
}

impl Found {
    fn one(problem: Problem) -> Self {
        Found { problems: vec![problem], passed: 0 }
    }

    fn is_valid(&self) -> bool {
        self.problems.is_empty()
    }

    fn add(&mut self, problem: Problem) {
        if !self.problems.iter().any(|known| known.message == problem.message) {
            self.problems.push(problem);
        }
    }

    fn merge(&mut self, other: Found) {
        other.problems.into_iter().for_each(|problem| self.add(problem));
        self.passed += other.passed;
    }
}

/// Checks a value, and lets through what was wrong before.
fn ratcheted(schema: &Schema, value: &Value, old: Option<&Value>, path: &str) -> Found {
    let found = check(schema, value, old, path);
    if !found.is_valid() && old == Some(value) { Found::default() } else { found }
}

fn check(schema: &Schema, value: &Value, old: Option<&Value>, path: &str) -> Found {
    let mut found = Found::default();
    let types = types(schema);
    let format = schema.format.as_deref().filter(|name| format::matches(name, "").is_some());
    let mut step = |part: Found| {
        found.merge(part);
        found.passed += 1;
    };
    if value.is_null() {
        found.merge(check_type(schema, &types, format, value, path));
        found.merge(check_enum(schema, value, path));
        return found;
    }
    if !types.is_empty() || format.is_some() {
        step(check_type(schema, &types, format, value, path));
    }
    step(check_alternatives(schema, value, old, path));
    match value {
        Value::String(text) => {
            step(check_text(schema, text, path));
            if let Some(format) = format {
                step(check_format(format, text, path));
            }
        }
        Value::Number(_) => step(check_number(schema, value, path)),
        Value::Array(values) => step(check_array(schema, values, old, path)),
        _ => {}
    }
    step(check_enum(schema, value, path));
    if let Value::Object(fields) = value {
        step(check_object(schema, fields, old, path));
    }
    found.passed += 1;
    found
}

/// The types that a schema allows.
fn types(schema: &Schema) -> Vec<&str> {
    if is_int_or_string(schema) {
        return vec!["integer", "string"];
    }
    Some(type_of(schema)).filter(|name| !name.is_empty()).into_iter().collect()
}

/// What Go calls the type and the format of a JSON value.
fn type_and_format(value: &Value) -> (&'static str, &'static str) {
    match value {
        Value::Null => ("null", ""),
        Value::Bool(_) => ("boolean", ""),
        Value::Number(number) if number.is_f64() => ("number", "double"),
        Value::Number(_) => ("integer", "int64"),
        Value::String(_) => ("string", ""),
        Value::Array(_) => ("array", ""),
        Value::Object(_) => ("object", ""),
    }
}

fn check_type(
    schema: &Schema,
    types: &[&str],
    format: Option<&str>,
    value: &Value,
    path: &str,
) -> Found {
    let passed = Found { problems: Vec::new(), passed: 1 };
    let (found_type, found_format) = type_and_format(value);
    let wrong = |wanted: &str, found: &str| {
        let message = format!("{path} in body must be of type {wanted}: {}", quote(found));
        Found::one(Problem::new(path, Code::Type, Value::from(found), message))
    };
    if value.is_null() {
        let allowed = types.is_empty() || types.contains(&"null") || schema.nullable == Some(true);
        return if allowed { passed } else { wrong(&types.join(","), "null") };
    }
    let whole = value.as_f64().is_some_and(|number| number == number.trunc());
    let fits = types.contains(&found_type)
        || (found_type == "number" && whole && types.contains(&"integer"))
        || (found_type == "integer" && types.contains(&"number"));
    let texts_or_lists = matches!(value, Value::String(_) | Value::Array(_));
    if let Some(format) = format {
        if !texts_or_lists && !fits && found_format != format {
            return wrong(format, found_format);
        }
        if texts_or_lists && !types.contains(&"number") && !types.contains(&"integer") {
            return passed;
        }
    }
    if fits { passed } else { wrong(&types.join(","), found_type) }
}

fn check_alternatives(schema: &Schema, value: &Value, old: Option<&Value>, path: &str) -> Found {
    let mut found = Found::default();
    let composite = |message: String| Problem {
        path: None,
        code: Code::Other,
        value: Value::from(""),
        message: format!("{} {message}", quote(path)),
    };
    if let Some(any_of) = schema.any_of.as_deref().filter(|any_of| !any_of.is_empty()) {
        let (valid, best) = try_each(any_of, value, old, path, true);
        if valid == 0 {
            found.add(composite("must validate at least one schema (anyOf)".to_owned()));
        }
        found.merge(best);
    }
    if let Some(one_of) = schema.one_of.as_deref().filter(|one_of| !one_of.is_empty()) {
        let (valid, best) = try_each(one_of, value, old, path, false);
        if valid != 1 {
            let how_many = match valid {
                0 => "Found none valid".to_owned(),
                valid => format!("Found {valid} valid alternatives"),
            };
            let message = format!("must validate one and only one schema (oneOf). {how_many}");
            found.add(composite(message));
        }
        if valid < 2 {
            found.merge(best);
        }
    }
    if let Some(all_of) = schema.all_of.as_deref().filter(|all_of| !all_of.is_empty()) {
        let results: Vec<Found> = all_of.iter().map(|one| check(one, value, old, path)).collect();
        let valid = results.iter().filter(|result| result.is_valid()).count();
        results.into_iter().for_each(|result| found.merge(result));
        if valid != all_of.len() {
            let none = if valid == 0 { ". None validated" } else { "" };
            found.add(composite(format!("must validate all the schemas (allOf){none}")));
        }
    }
    if let Some(not) = &schema.not
        && check(not, value, old, path).is_valid()
    {
        found.add(composite("must not validate the schema (not)".to_owned()));
    }
    found.passed += 1;
    found
}

/// How many alternatives are valid (with `first_only`: 0 or 1), and the first valid one; if none
/// is, the one with the most passed checks.
fn try_each(
    alternatives: &[Schema],
    value: &Value,
    old: Option<&Value>,
    path: &str,
    first_only: bool,
) -> (usize, Found) {
    let (mut valid, mut best): (usize, Option<Found>) = (0, None);
    for alternative in alternatives {
        let found = check(alternative, value, old, path);
        if found.is_valid() {
            valid += 1;
            if valid == 1 {
                best = Some(found);
            }
            if first_only {
                break;
            }
        } else if valid == 0 && best.as_ref().is_none_or(|best| found.passed > best.passed) {
            best = Some(found);
        }
    }
    (valid, best.unwrap_or_default())
}

fn check_text(schema: &Schema, text: &str, path: &str) -> Found {
    let length = text.chars().count() as i64;
    let value = Value::from(text);
    if let Some(max) = schema.max_length.filter(|max| length > *max) {
        let message = format!("{path} in body should be at most {max} chars long");
        return Found::one(Problem::new(path, Code::TooLong(max), value, message));
    }
    if let Some(min) = schema.min_length.filter(|min| length < *min) {
        let message = format!("{path} in body should be at least {min} chars long");
        return Found::one(Problem::other(path, &value, message));
    }
    let Some(pattern) = schema.pattern.as_deref().filter(|pattern| !pattern.is_empty()) else {
        return Found::default();
    };
    let wrong = match Regex::new(pattern) {
        Ok(regex) if regex.is_match(text) => return Found::default(),
        Ok(_) => pattern.to_owned(),
        Err(error) => format!("{pattern}, but pattern is invalid: {error}"),
    };
    let message = format!("{path} in body should match '{wrong}'");
    Found::one(Problem::other(path, &value, message))
}

fn check_format(format: &str, text: &str, path: &str) -> Found {
    if format::matches(format, text) != Some(false) {
        return Found::default();
    }
    let message = format!("{path} in body must be of type {format}: {}", quote(text));
    Found::one(Problem::new(path, Code::Type, Value::from(text), message))
}

fn check_number(schema: &Schema, value: &Value, path: &str) -> Found {
    let mut found = Found::default();
    let number = value.as_f64().unwrap_or_default();
    let is_whole = !value.is_f64();
    // Go compares whole numbers with the whole part of the bound.
    let bound = |bound: f64| if is_whole { bound.trunc() } else { bound };
    if let Some(factor) = schema.multiple_of.map(bound) {
        if factor <= 0.0 {
            let factor = float(factor);
            let message =
                format!("factor MultipleOf declared for {path} must be positive: {factor}");
            found.add(Problem::other(path, value, message));
        } else if !is_multiple(number, factor) {
            let message =
                format!("{path} in body should be a multiple of {}", text(factor, is_whole));
            found.add(Problem::other(path, value, message));
        }
    }
    let exclusive = schema.exclusive_minimum == Some(true);
    if let Some(min) = schema.minimum.map(bound)
        && (number < min || (exclusive && number == min))
    {
        let or_equal = if exclusive { "" } else { "or equal to " };
        let message =
            format!("{path} in body should be greater than {or_equal}{}", text(min, is_whole));
        found.add(Problem::other(path, value, message));
    }
    let exclusive = schema.exclusive_maximum == Some(true);
    if let Some(max) = schema.maximum.map(bound)
        && (number > max || (exclusive && number == max))
    {
        let or_equal = if exclusive { "" } else { "or equal to " };
        let message =
            format!("{path} in body should be less than {or_equal}{}", text(max, is_whole));
        found.add(Problem::other(path, value, message));
    }
    found.passed += 1;
    found
}

/// A bound as Go tells it: of whole numbers it is one too.
fn text(bound: f64, is_whole: bool) -> String {
    if is_whole { format!("{bound:.0}") } else { float(bound) }
}

fn is_multiple(number: f64, factor: f64) -> bool {
    let times = if factor < 1.0 { 1.0 / factor * number } else { number / factor };
    // `swag.IsFloat64AJSONInteger`: equal but for the noise of floating point.
    (times - times.round()).abs() <= 1e-9 * times.abs().max(1.0)
}

fn check_array(schema: &Schema, values: &[Value], old: Option<&Value>, path: &str) -> Found {
    let mut found = Found::default();
    if let Some(items) = items(schema) {
        for (index, value) in values.iter().enumerate() {
            let old = old.and_then(|old| old_item(schema, value, old));
            found.merge(ratcheted(items, value, old, &format!("{path}[{index}]")));
        }
    }
    let count = values.len();
    let size = Value::from(count);
    if let Some(min) = schema.min_items.filter(|min| (count as i64) < *min) {
        let message = format!("{path} in body should have at least {min} items");
        found.add(Problem::other(path, &size, message));
    }
    if let Some(max) = schema.max_items.filter(|max| count as i64 > *max) {
        let message = format!("{path} in body should have at most {max} items");
        found.add(Problem::new(path, Code::TooMany { count, max }, size, message));
    }
    if schema.unique_items == Some(true)
        && values
            .iter()
            .enumerate()
            .any(|(index, value)| values.iter().take(index).any(|v| v == value))
    {
        let message = format!("{path} in body shouldn't contain duplicates");
        found.add(Problem::other(path, &Value::from(""), message));
    }
    found.passed += 1;
    found
}

/// The item of the old list that is the same item: only lists that are maps can tell.
fn old_item<'o>(schema: &Schema, value: &Value, old: &'o Value) -> Option<&'o Value> {
    if schema.x_kubernetes_list_type.as_deref() != Some("map") {
        return None;
    }
    let keys = schema.x_kubernetes_list_map_keys.as_deref()?;
    let same = |old: &&Value| keys.iter().all(|key| old.get(key) == value.get(key));
    old.as_array()?.iter().find(same)
}

fn check_enum(schema: &Schema, value: &Value, path: &str) -> Found {
    let Some(values) = schema.enum_.as_deref().filter(|values| !values.is_empty()) else {
        return Found::default();
    };
    let equal = |one: &Value| match (one, value) {
        (_, Value::Null) => false,
        (Value::Number(one), Value::Number(value)) => one.as_f64() == value.as_f64(),
        (one, value) => one == value,
    };
    if values.iter().any(|one| equal(&one.0)) {
        return Found::default();
    }
    let told = |one: &Value| one.as_str().map_or_else(|| one.to_string(), str::to_owned);
    let told: Vec<String> = values.iter().map(|one| told(&one.0)).collect();
    let message = format!("{path} in body should be one of [{}]", told.join(" "));
    Found::one(Problem::new(path, Code::Enum(told), value.clone(), message))
}

fn check_object(
    schema: &Schema,
    fields: &Map<String, Value>,
    old: Option<&Value>,
    path: &str,
) -> Found {
    let mut found = Found::default();
    let count = fields.len();
    let size = Value::from(count);
    if let Some(min) = schema.min_properties.filter(|min| (count as i64) < *min) {
        let message = format!("{path} in body should have at least {min} properties");
        found.add(Problem::other(path, &size, message));
    }
    if let Some(max) = schema.max_properties.filter(|max| count as i64 > *max) {
        let message = format!("{path} in body should have at most {max} properties");
        found.add(Problem::new(path, Code::TooMany { count, max }, size, message));
    }
    let named = |name: &String| schema.properties.iter().flatten().any(|(known, _)| known == name);
    let old_field = |name: &str| {
        // The type and the version of an old object are not what they were.
        let seen = !(path.is_empty() && matches!(name, "kind" | "apiVersion"));
        old.filter(|_| seen).and_then(|old| old.get(name))
    };
    let forbids = matches!(&schema.additional_properties, Some(JSONSchemaPropsOrBool::Bool(false)));
    for (name, value) in fields.iter().filter(|(name, _)| !named(name)) {
        if forbids {
            let message = format!("{path}.{name} in body is a forbidden property");
            found.add(Problem::other(path, &Value::from(name.clone()), message));
        } else if let Some(additional) = additional(schema) {
            let below = format!("{path}.{name}");
            found.merge(ratcheted(additional, value, old_field(name), &below));
        }
    }
    for (name, property) in schema.properties.iter().flatten() {
        let Some(value) = fields.get(name) else { continue };
        let dot = if path.is_empty() { "" } else { "." };
        let below = format!("{path}{dot}{name}");
        found.merge(ratcheted(property, value, old_field(name), &below));
    }
    for name in schema.required.iter().flatten() {
        if !fields.contains_key(name) {
            let below = format!("{path}.{name}");
            let message = format!("{below} in body is required");
            found.add(Problem::new(&below, Code::Required, Value::Null, message));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(schema: Value, value: Value) -> Vec<String> {
        let schema: Schema = serde_json::from_value(schema).unwrap();
        let errors = validate(&value, None, &schema, "");
        errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect()
    }

    fn of_a(schema: Value) -> Value {
        json!({"type": "object", "properties": {"spec": {"type": "object",
            "properties": {"a": schema}}}})
    }

    // The texts were printed by apiextensions-apiserver v0.33.4.
    #[test]
    fn messages_are_upstreams() {
        let table = [
            (
                json!({"type": "integer"}),
                json!("x"),
                vec![
                    "spec.a: Invalid value: \"string\": spec.a in body must be of type integer: \"string\"",
                ],
            ),
            (json!({"type": "integer"}), json!(1.0), vec![]),
            (
                json!({"type": "integer"}),
                json!(1.5),
                vec![
                    "spec.a: Invalid value: \"number\": spec.a in body must be of type integer: \"number\"",
                ],
            ),
            (json!({"type": "number"}), json!(1), vec![]),
            (
                json!({"type": "string"}),
                json!(null),
                vec![
                    "spec.a: Invalid value: \"null\": spec.a in body must be of type string: \"null\"",
                ],
            ),
            (json!({"type": "string", "nullable": true}), json!(null), vec![]),
            (
                json!({"x-kubernetes-int-or-string": true}),
                json!(true),
                vec![
                    "spec.a: Invalid value: \"boolean\": spec.a in body must be of type integer,string: \"boolean\"",
                ],
            ),
            (
                json!({"type": "string", "enum": ["x", "y"]}),
                json!("z"),
                vec!["spec.a: Unsupported value: \"z\": supported values: \"x\", \"y\""],
            ),
            (
                json!({"type": "string", "pattern": "^a+$"}),
                json!("b"),
                vec!["spec.a: Invalid value: \"b\": spec.a in body should match '^a+$'"],
            ),
            (
                json!({"type": "string", "maxLength": 2}),
                json!("abc"),
                vec!["spec.a: Too long: may not be more than 2 bytes"],
            ),
            (
                json!({"type": "string", "minLength": 2}),
                json!("a"),
                vec![
                    "spec.a: Invalid value: \"a\": spec.a in body should be at least 2 chars long",
                ],
            ),
            (
                json!({"type": "integer", "minimum": 1, "maximum": 10}),
                json!(20),
                vec![
                    "spec.a: Invalid value: 20: spec.a in body should be less than or equal to 10",
                ],
            ),
            (
                json!({"type": "number", "minimum": 1, "exclusiveMinimum": true}),
                json!(1.0),
                vec!["spec.a: Invalid value: 1: spec.a in body should be greater than 1"],
            ),
            (
                json!({"type": "integer", "multipleOf": 5}),
                json!(7),
                vec!["spec.a: Invalid value: 7: spec.a in body should be a multiple of 5"],
            ),
            (
                json!({"type": "array", "maxItems": 1, "items": {"type": "string"}}),
                json!(["x", 1]),
                vec![
                    "spec.a[1]: Invalid value: \"integer\": spec.a[1] in body must be of type string: \"integer\"",
                    "spec.a: Too many: 2: must have at most 1 items",
                ],
            ),
            (
                json!({"type": "array", "minItems": 1, "items": {"type": "string"}}),
                json!([]),
                vec!["spec.a: Invalid value: 0: spec.a in body should have at least 1 items"],
            ),
            (
                json!({"type": "object", "required": ["b"], "properties": {"b": {"type": "string"}}}),
                json!({}),
                vec!["spec.a.b: Required value"],
            ),
            (
                json!({"type": "object", "additionalProperties": {"type": "string"}}),
                json!({"k": 1}),
                vec![
                    "spec.a.k: Invalid value: \"integer\": spec.a.k in body must be of type string: \"integer\"",
                ],
            ),
            (
                json!({"type": "object", "maxProperties": 1, "additionalProperties": {"type": "string"}}),
                json!({"k": "1", "l": "2"}),
                vec!["spec.a: Too many: 2: must have at most 1 items"],
            ),
            (
                json!({"type": "string", "format": "date"}),
                json!("x"),
                vec!["spec.a: Invalid value: \"x\": spec.a in body must be of type date: \"x\""],
            ),
            (json!({"type": "string", "format": "unheard-of"}), json!("x"), vec![]),
            (
                json!({"type": "object", "oneOf": [{"required": ["b"]}, {"required": ["c"]}]}),
                json!({}),
                vec![
                    "<nil>: Invalid value: \"\": \"spec.a\" must validate one and only one schema (oneOf). Found none valid",
                    "spec.a.b: Required value",
                ],
            ),
            (
                json!({"type": "object", "oneOf": [{"required": ["b"]}, {"required": ["c"]}]}),
                json!({"b": 1, "c": 2}),
                vec![
                    "<nil>: Invalid value: \"\": \"spec.a\" must validate one and only one schema (oneOf). Found 2 valid alternatives",
                ],
            ),
            (
                json!({"type": "integer", "anyOf": [{"minimum": 5}, {"maximum": 1}]}),
                json!(3),
                vec![
                    "<nil>: Invalid value: \"\": \"spec.a\" must validate at least one schema (anyOf)",
                    "spec.a: Invalid value: 3: spec.a in body should be greater than or equal to 5",
                ],
            ),
            (
                json!({"type": "integer", "allOf": [{"minimum": 5}, {"maximum": 9}]}),
                json!(3),
                vec![
                    "spec.a: Invalid value: 3: spec.a in body should be greater than or equal to 5",
                    "<nil>: Invalid value: \"\": \"spec.a\" must validate all the schemas (allOf)",
                ],
            ),
            (
                json!({"type": "string", "not": {"enum": ["x"]}}),
                json!("x"),
                vec!["<nil>: Invalid value: \"\": \"spec.a\" must not validate the schema (not)"],
            ),
        ];
        for (schema, value, expected) in table {
            let found = texts(of_a(schema.clone()), json!({"spec": {"a": value}}));
            assert_eq!(found, expected, "{schema} {value}");
        }
        let schema = json!({"type": "object", "required": ["spec"]});
        assert_eq!(texts(schema, json!({})), ["spec: Required value"]);
    }

    #[test]
    fn what_was_wrong_before_is_let_through() {
        let schema: Schema = serde_json::from_value(of_a(json!({"type": "array",
            "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
            "items": {"type": "object", "properties": {
                "k": {"type": "string"}, "v": {"type": "integer", "maximum": 1}}}})))
        .unwrap();
        let object =
            |other: i32| json!({"spec": {"a": [{"k": "x", "v": 5}, {"k": "y", "v": other}]}});
        assert_eq!(validate(&object(1), None, &schema, "").len(), 1);
        assert_eq!(validate(&object(1), Some(&object(0)), &schema, ""), []);
        assert_eq!(validate(&object(3), Some(&object(0)), &schema, "").len(), 1);
    }
}
