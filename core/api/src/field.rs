//! What is wrong with a field, in upstream's words.
//!
//! Upstream: `staging/src/k8s.io/apimachinery/pkg/util/validation/field/errors.go`.

use crate::gofmt::{bad_value, quote, quote_all};
use serde_json::Value;
use std::fmt::{self, Display};

/// One cause why an object is not valid.
///
/// Upstream: `field.Error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// `FieldValueRequired`, `FieldValueInvalid`, …: a `CauseType`.
    pub reason: &'static str,
    /// The path: `spec.containers[0].image`.
    pub field: String,
    /// The message without the path: `Required value`, `Invalid value: "A": a lowercase …`.
    pub message: String,
}

impl FieldError {
    /// `Required value`, and `: detail` when there is one.
    pub fn required(field: impl Display, detail: &str) -> Self {
        Self::new("FieldValueRequired", field, detailed("Required value".to_owned(), detail))
    }

    /// `Invalid value: "x": detail`, of a text.
    pub fn invalid(field: impl Display, value: &str, detail: &str) -> Self {
        Self::invalid_raw(field, quote(value), detail)
    }

    /// `Invalid value: 0: detail`, of a number or anything that Go writes without quotes.
    pub fn invalid_raw(field: impl Display, value: impl Display, detail: &str) -> Self {
        let message = detailed(format!("Invalid value: {value}"), detail);
        Self::new("FieldValueInvalid", field, message)
    }

    /// `Unsupported value: "x": supported values: "a", "b"`.
    pub fn not_supported(field: impl Display, value: &str, supported: &[&str]) -> Self {
        let message = format!(
            "Unsupported value: {}: supported values: {}",
            quote(value),
            quote_all(supported)
        );
        Self::new("FieldValueNotSupported", field, message)
    }

    /// The same of a value that Go writes without quotes.
    pub fn not_supported_raw<S: AsRef<str>>(
        field: impl Display,
        value: impl Display,
        supported: &[S],
    ) -> Self {
        let supported = quote_all(supported);
        let message = format!("Unsupported value: {value}: supported values: {supported}");
        Self::new("FieldValueNotSupported", field, message)
    }

    /// `Duplicate value: "x"`.
    pub fn duplicate(field: impl Display, value: &str) -> Self {
        Self::new("FieldValueDuplicate", field, format!("Duplicate value: {}", quote(value)))
    }

    /// `Duplicate value: 1`, of anything that Go writes without quotes.
    pub fn duplicate_raw(field: impl Display, value: impl Display) -> Self {
        Self::new("FieldValueDuplicate", field, format!("Duplicate value: {value}"))
    }

    /// `Not found: "x"`.
    pub fn not_found(field: impl Display, value: &str) -> Self {
        Self::new("FieldValueNotFound", field, format!("Not found: {}", quote(value)))
    }

    /// `Forbidden: detail`.
    pub fn forbidden(field: impl Display, detail: &str) -> Self {
        Self::new("FieldValueForbidden", field, detailed("Forbidden".to_owned(), detail))
    }

    /// `Too long: may not be more than 10 bytes`.
    pub fn too_long(field: impl Display, bytes_max: usize) -> Self {
        let message = format!("Too long: may not be more than {bytes_max} bytes");
        Self::new("FieldValueTooLong", field, message)
    }

    /// `Invalid value: …: detail`, of any JSON value.
    pub fn invalid_value(field: impl Display, value: &Value, detail: &str) -> Self {
        Self::invalid_raw(field, bad_value(value), detail)
    }

    /// The same of a value whose type is not the schema's.
    pub fn type_invalid(field: impl Display, value: &Value, detail: &str) -> Self {
        let message = detailed(format!("Invalid value: {}", bad_value(value)), detail);
        Self::new("FieldValueTypeInvalid", field, message)
    }

    /// `Invalid value: detail`, where upstream does not show the value.
    pub fn invalid_hidden(field: impl Display, detail: &str) -> Self {
        Self::new("FieldValueInvalid", field, detailed("Invalid value".to_owned(), detail))
    }

    /// `Too many: 21: must have at most 20 items`.
    pub fn too_many(field: impl Display, count: usize, max: i64) -> Self {
        let message = format!("Too many: {count}: must have at most {max} items");
        Self::new("FieldValueTooMany", field, message)
    }

    fn new(reason: &'static str, field: impl Display, message: String) -> Self {
        FieldError { reason, field: field.to_string(), message }
    }
}

fn detailed(message: String, detail: &str) -> String {
    if detail.is_empty() { message } else { format!("{message}: {detail}") }
}

/// Where a field is: `spec.containers[0].image`. Made on the stack, written only when needed.
///
/// Upstream: `field.Path`.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
    Key(&'a str),
}

impl<'a> Path<'a> {
    /// A path of one name.
    pub const fn new(name: &'a str) -> Self {
        Path { parent: None, step: Step::Name(name) }
    }

    /// A field of what this path names.
    pub const fn child(&'a self, name: &'a str) -> Self {
        Path { parent: Some(self), step: Step::Name(name) }
    }

    /// An item of the list that this path names.
    pub const fn index(&'a self, index: usize) -> Self {
        Path { parent: Some(self), step: Step::Index(index) }
    }

    /// An entry of the map that this path names.
    pub const fn key(&'a self, key: &'a str) -> Self {
        Path { parent: Some(self), step: Step::Key(key) }
    }
}

impl Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Name(name) if self.parent.is_some() => write!(f, ".{name}"),
            Step::Name(name) => f.write_str(name),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) => write!(f, "[{key}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_upstreams() {
        let table = [
            (FieldError::required("a", ""), "Required value"),
            (FieldError::required("a", "why"), "Required value: why"),
            (FieldError::invalid("a", "x", "why"), "Invalid value: \"x\": why"),
            (FieldError::invalid_raw("a", 0, "why"), "Invalid value: 0: why"),
            (
                FieldError::not_supported("a", "x", &["b", "c"]),
                "Unsupported value: \"x\": supported values: \"b\", \"c\"",
            ),
            (FieldError::duplicate("a", "x"), "Duplicate value: \"x\""),
            (FieldError::forbidden("a", "why"), "Forbidden: why"),
            (FieldError::invalid_hidden("a", "why"), "Invalid value: why"),
            (FieldError::too_many("a", 3, 2), "Too many: 3: must have at most 2 items"),
            (FieldError::too_long("a", 3), "Too long: may not be more than 3 bytes"),
        ];
        for (error, message) in table {
            assert_eq!(error.message, message);
            assert_eq!(error.field, "a");
        }
    }

    #[test]
    fn paths() {
        let spec = Path::new("spec");
        let containers = spec.child("containers");
        let first = containers.index(0);
        assert_eq!(first.child("image").to_string(), "spec.containers[0].image");
        assert_eq!(Path::new("data").key("a.b").to_string(), "data[a.b]");
    }
}
