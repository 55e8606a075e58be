//! What is wrong with a field, in upstream's words.
//!
//! Upstream: `staging/src/k8s.io/apimachinery/pkg/util/validation/field/errors.go`.

use crate::gofmt::{quote, quote_all};
use std::fmt::Display;

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
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        Self::new("FieldValueRequired", field, detailed("Required value".to_owned(), detail))
    }

    /// `Invalid value: "x": detail`, of a text.
    pub fn invalid(field: impl Into<String>, value: &str, detail: &str) -> Self {
        Self::invalid_raw(field, quote(value), detail)
    }

    /// `Invalid value: 0: detail`, of a number or anything that Go writes without quotes.
    pub fn invalid_raw(field: impl Into<String>, value: impl Display, detail: &str) -> Self {
        let message = detailed(format!("Invalid value: {value}"), detail);
        Self::new("FieldValueInvalid", field, message)
    }

    /// `Unsupported value: "x": supported values: "a", "b"`.
    pub fn not_supported(field: impl Into<String>, value: &str, supported: &[&str]) -> Self {
        let message = format!(
            "Unsupported value: {}: supported values: {}",
            quote(value),
            quote_all(supported)
        );
        Self::new("FieldValueNotSupported", field, message)
    }

    /// `Duplicate value: "x"`.
    pub fn duplicate(field: impl Into<String>, value: &str) -> Self {
        Self::new("FieldValueDuplicate", field, format!("Duplicate value: {}", quote(value)))
    }

    /// `Not found: "x"`.
    pub fn not_found(field: impl Into<String>, value: &str) -> Self {
        Self::new("FieldValueNotFound", field, format!("Not found: {}", quote(value)))
    }

    /// `Forbidden: detail`.
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self::new("FieldValueForbidden", field, detailed("Forbidden".to_owned(), detail))
    }

    /// `Too long: may not be more than 10 bytes`.
    pub fn too_long(field: impl Into<String>, bytes_max: usize) -> Self {
        let message = format!("Too long: may not be more than {bytes_max} bytes");
        Self::new("FieldValueTooLong", field, message)
    }

    fn new(reason: &'static str, field: impl Into<String>, message: String) -> Self {
        FieldError { reason, field: field.into(), message }
    }
}

fn detailed(message: String, detail: &str) -> String {
    if detail.is_empty() { message } else { format!("{message}: {detail}") }
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
            (FieldError::too_long("a", 3), "Too long: may not be more than 3 bytes"),
        ];
        for (error, message) in table {
            assert_eq!(error.message, message);
            assert_eq!(error.field, "a");
        }
    }
}
