//! Kinds without a description of their own: every field, with a title made of its name.

use super::events::Events;
use super::page::Page;
use super::tell;
use serde_json::Value;

/// Said already, or of no use to people.
const SKIPPED: [&str; 5] = [
    ".metadata.managedFields",
    ".metadata.name",
    ".metadata.namespace",
    ".metadata.labels",
    ".metadata.annotations",
];
/// Words that are written in capitals.
const ACRONYMS: [&str; 5] = ["API", "URL", "UID", "OSB", "GUID"];

pub(super) fn describe(page: &mut Page, object: &Value, events: Option<&Events>) {
    page.head(object);
    fields(page, 0, object, "");
    tell(page, events);
}

fn fields(page: &mut Page, level: usize, object: &Value, path: &str) {
    for (name, value) in object.as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        if SKIPPED.contains(&path.as_str()) {
            continue;
        }
        let label = label(name);
        match value {
            Value::Object(_) => {
                page.line(level, &format!("{label}:"));
                fields(page, level + 1, value, &path);
            }
            Value::Array(items) => {
                page.line(level, &format!("{label}:"));
                for item in items {
                    match item {
                        Value::Object(_) => fields(page, level + 1, item, &path),
                        item => page.line(level + 1, &plain(item)),
                    }
                }
            }
            value => page.field(level, &label, plain(value)),
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `resourceVersion` as `Resource Version`, `apiVersion` as `API Version`.
///
/// Upstream: `smartLabelFor`, over `github.com/fatih/camelcase`.
fn label(field: &str) -> String {
    if field.chars().any(|c| !c.is_alphabetic() && c != '-') {
        return field.to_owned();
    }
    let words: Vec<String> = camel_words(field)
        .into_iter()
        .map(|word| {
            let upper = word.to_uppercase();
            if ACRONYMS.contains(&upper.as_str()) {
                return upper;
            }
            let mut chars = word.chars();
            chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
        })
        .collect();
    words.join(" ")
}

/// Splits where lower case ends, and before the last capital of several.
fn camel_words(text: &str) -> Vec<String> {
    let class = |c: char| {
        if c.is_lowercase() {
            0
        } else if c.is_uppercase() {
            1
        } else {
            2
        }
    };
    let mut runs: Vec<String> = Vec::new();
    let mut last = None;
    for c in text.chars() {
        match runs.last_mut() {
            Some(run) if last == Some(class(c)) => run.push(c),
            _ => runs.push(c.to_string()),
        }
        last = Some(class(c));
    }
    let mut words: Vec<String> = Vec::new();
    let mut carried = String::new();
    for run in runs {
        if run.chars().all(char::is_lowercase) && !carried.is_empty() {
            let head = carried.pop();
            if !carried.is_empty() {
                words.push(std::mem::take(&mut carried));
            }
            words.push(head.into_iter().collect::<String>() + &run);
            carried.clear();
        } else {
            if !carried.is_empty() {
                words.push(std::mem::take(&mut carried));
            }
            if run.chars().all(char::is_uppercase) {
                carried = run;
            } else {
                words.push(run);
            }
        }
    }
    if !carried.is_empty() {
        words.push(carried);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected: what upstream's smartLabelFor test lists.
    #[test]
    fn labels_are_words() {
        for (field, expected) in [
            ("APIVersion", "API Version"),
            ("apiVersion", "API Version"),
            ("resourceVersion", "Resource Version"),
            ("externalIPs", "External I Ps"),
            ("uid", "UID"),
            ("foo.bar", "foo.bar"),
        ] {
            assert_eq!(label(field), expected);
        }
    }
}
