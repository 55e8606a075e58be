//! jaq's errors in jq's words.

use serde_json::Value;

/// Bytes of a value that an error shows.
const SHOWN_MAX: usize = 11;

/// What jq 1.6 would say where jaq says `text` of this filter.
pub fn of_error(text: &str, filter: &str) -> String {
    translated(text, filter).unwrap_or_else(|| text.to_owned())
}

fn translated(text: &str, filter: &str) -> Option<String> {
    if let Some(rest) = text.strip_prefix("cannot index ") {
        let (value, index) = split(rest, " with ")?;
        return Some(match &index {
            Value::String(key) => format!("Cannot index {} with string \"{key}\"", kind(&value)),
            other => format!("Cannot index {} with {}", kind(&value), kind(other)),
        });
    }
    if let Some(rest) = text.strip_prefix("cannot calculate ") {
        let signs = [
            (" + ", "added"),
            (" - ", "subtracted"),
            (" * ", "multiplied"),
            (" / ", "divided"),
            (" % ", "divided"),
        ];
        return signs.iter().find_map(|(sign, word)| {
            let (left, right) = split(rest, sign)?;
            Some(format!("{} and {} cannot be {word}", shown(&left), shown(&right)))
        });
    }
    let rest = text.strip_prefix("cannot use ")?;
    let (value, wanted) = rest.rsplit_once(" as ")?;
    let value: Value = serde_json::from_str(value).ok()?;
    Some(match wanted {
        // jaq says the same of `.[]` and of `.key`.
        "iterable (array or object)" if !filter.contains("[]") && last_key(filter).is_some() => {
            let key = last_key(filter).unwrap_or_default();
            format!("Cannot index {} with string \"{key}\"", kind(&value))
        }
        "iterable (array or object)" => format!("Cannot iterate over {}", shown(&value)),
        "string" => format!("{} cannot be matched, as it is not a string", shown(&value)),
        wanted => format!("{} is not a {wanted}", shown(&value)),
    })
}

/// The last `.key` of a filter.
fn last_key(filter: &str) -> Option<&str> {
    let (_, after) = filter.rsplit_once('.')?;
    let end = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
    after.get(..end).filter(|key| !key.is_empty())
}

/// Both values around a separator that may also stand within them.
fn split(text: &str, separator: &str) -> Option<(Value, Value)> {
    text.match_indices(separator).find_map(|(at, _)| {
        let left = serde_json::from_str(text.get(..at)?).ok()?;
        let right = serde_json::from_str(text.get(at + separator.len()..)?).ok()?;
        Some((left, right))
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// `string ("a")`, cut where it is long.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    let short = match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}...", text.get(..end - 1).unwrap_or(&text)),
        None => text,
    };
    format!("{} ({short})", kind(value))
}

#[cfg(test)]
mod tests {
    use super::of_error;

    #[test]
    fn errors_are_jqs() {
        for (own, wanted) in [
            ("cannot index 1 with \"x\"", "Cannot index number with string \"x\""),
            ("cannot index {\"c\":true} with 0", "Cannot index object with number"),
            ("cannot calculate 1 + \"a\"", "number (1) and string (\"a\") cannot be added"),
            ("cannot use null as iterable (array or object)", "Cannot iterate over null (null)"),
            ("anything else", "anything else"),
        ] {
            assert_eq!(of_error(own, ".[]"), wanted);
        }
        let own = "cannot use 1 as iterable (array or object)";
        assert_eq!(of_error(own, ".a[0].x"), "Cannot index number with string \"x\"");
    }
}
