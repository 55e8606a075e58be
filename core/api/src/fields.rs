//! Field selectors: `spec.nodeName=worker,status.phase!=Running`.
//!
//! Upstream: `apimachinery/pkg/fields/selector.go`.

use crate::Object;
use crate::labels::SelectorError;

/// Which values of fields are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    field: String,
    value: String,
    equal: bool,
}

impl Selector {
    /// Reads a selector as `kubectl --field-selector` takes it; "" selects everything.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut parts = split_terms(text);
        parts.sort_unstable();
        let mut terms = Vec::new();
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            let Some((field, equal, value)) = split_term(part) else {
                return Err(SelectorError(format!(
                    "invalid selector: '{text}'; can't understand '{part}'"
                )));
            };
            terms.push(Term { field: field.to_owned(), value: unescape(value)?, equal });
        }
        Ok(Selector { terms })
    }

    /// Whether every object is wanted.
    pub fn is_everything(&self) -> bool {
        self.terms.is_empty()
    }

    /// The fields that are named.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().map(|term| term.field.as_str())
    }

    /// The value that a field must have, when the selector wants exactly one.
    pub fn exact(&self, field: &str) -> Option<&str> {
        let term = self.terms.iter().find(|term| term.equal && term.field == field)?;
        Some(&term.value)
    }

    /// Whether an object is wanted. A field that its kind does not have is empty.
    pub fn matches(&self, object: &Object) -> bool {
        self.terms.iter().all(|term| {
            let equal = match term.field.as_str() {
                "metadata.name" => object.name() == term.value,
                "metadata.namespace" => object.namespace() == term.value,
                field => object.strategy().field(object, field).unwrap_or_default() == term.value,
            };
            equal == term.equal
        })
    }
}

fn split_terms(text: &str) -> Vec<&str> {
    let mut escaped = false;
    text.split(|c| {
        let divides = !escaped && c == ',';
        escaped = !escaped && c == '\\';
        divides
    })
    .collect()
}

/// The field, whether it must be equal, and the value.
fn split_term(term: &str) -> Option<(&str, bool, &str)> {
    let at = term.find('=')?;
    if let Some((field, value)) = term.split_once("!=").filter(|(field, _)| field.len() < at) {
        return Some((field, false, value));
    }
    let (field, value) = term.split_once('=')?;
    Some((field, true, value.strip_prefix('=').unwrap_or(value)))
}

fn unescape(text: &str) -> Result<String, SelectorError> {
    let bad = |what: String| SelectorError(format!("invalid field selector: {what}"));
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => out.push(c),
                other => {
                    let sequence: String = std::iter::once('\\').chain(other).collect();
                    return Err(bad(format!("invalid escape sequence: {sequence}")));
                }
            },
            // Upstream prints the character's number.
            ',' | '=' => {
                return Err(bad(format!("unescaped character in value: {}", c as u32)));
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Pod;

    #[test]
    fn selects() {
        let mut pod = Pod::default();
        pod.metadata.name = Some("web".to_owned());
        pod.metadata.namespace = Some("default".to_owned());
        let pod = Object::new(pod);
        let table = [
            ("", true),
            ("metadata.name=web", true),
            ("metadata.name==web", true),
            ("metadata.name!=web", false),
            ("metadata.name=web,metadata.namespace=kube-system", false),
            ("metadata.name=web,,", true),
            ("spec.nodeName=", true),
            ("spec.nodeName!=", false),
        ];
        for (text, wanted) in table {
            assert_eq!(Selector::parse(text).unwrap().matches(&pod), wanted, "{text}");
        }
    }

    #[test]
    fn exact_values() {
        let selector = Selector::parse("b!=2,spec.nodeName=a\\,b").unwrap();
        assert_eq!(selector.exact("spec.nodeName"), Some("a,b"));
        assert_eq!(selector.exact("b"), None);
        assert_eq!(selector.fields().collect::<Vec<_>>(), ["b", "spec.nodeName"]);
    }

    #[test]
    fn errors_are_upstreams() {
        let table = [
            ("a", "invalid selector: 'a'; can't understand 'a'"),
            ("a=b=c", "invalid field selector: unescaped character in value: 61"),
            ("a=b\\c", "invalid field selector: invalid escape sequence: \\c"),
            ("a=b\\", "invalid field selector: invalid escape sequence: \\"),
        ];
        for (text, message) in table {
            assert_eq!(Selector::parse(text).unwrap_err().to_string(), message);
        }
    }
}
