//! Values of a template: JSON's, with integers told apart from JSON's numbers, which are floats.

use crate::gofmt;
use serde_json::Value;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Val {
    /// A key that a map does not have.
    Missing,
    /// An integer of the template itself.
    Int(i64),
    /// Anything else; numbers are floats.
    Json(Value),
}

impl Val {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Val::Json(Value::String(text.into()))
    }

    /// A truth.
    pub fn bool(value: bool) -> Self {
        Val::Json(Value::Bool(value))
    }

    /// Whether `if` takes it for true.
    pub fn is_true(&self) -> bool {
        match self {
            Val::Missing => false,
            Val::Int(number) => *number != 0,
            Val::Json(value) => match value {
                Value::Null => false,
                Value::Bool(value) => *value,
                Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
                Value::String(text) => !text.is_empty(),
                Value::Array(items) => !items.is_empty(),
                Value::Object(fields) => !fields.is_empty(),
            },
        }
    }

    /// As Go's `%v` prints it.
    pub fn show(&self) -> String {
        match self {
            Val::Missing => "<no value>".to_owned(),
            Val::Int(number) => number.to_string(),
            Val::Json(Value::Null) => "<no value>".to_owned(),
            Val::Json(value) => show_json(value),
        }
    }

    /// The name of its Go type.
    pub fn go_type(&self) -> &'static str {
        match self {
            Val::Missing => "<nil>",
            Val::Int(_) => "int",
            Val::Json(value) => match value {
                Value::Null => "<nil>",
                Value::Bool(_) => "bool",
                Value::Number(_) => "float64",
                Value::String(_) => "string",
                Value::Array(_) => "[]interface {}",
                Value::Object(_) => "map[string]interface {}",
            },
        }
    }
}

/// A number as a float, whatever it is.
pub(super) fn number(value: &Value) -> Option<f64> {
    value.as_f64()
}

/// `%v` of what JSON is read into.
pub(super) fn show_json(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(_) => gofmt::float(number(value).unwrap_or(0.0)),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(show_json).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(key, value)| format!("{key}:{}", show_json(value))).collect();
            format!("map[{}]", fields.join(" "))
        }
    }
}
