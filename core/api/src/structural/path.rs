//! Paths of fields in a schema: `.spec.size`, `.spec['a.b']`.
//!
//! Upstream: `ValidFieldPath` in `apiextensions-apiserver/pkg/apiserver/schema/cel/validation.go`.

use super::{Schema, additional};

const NO_FIELD: &str = "does not refer to a valid field";
const TOO_SHORT: &str = "unexpected end of JSON path";

/// The schema of the field that a path names; `brackets`: whether `['name']` is allowed.
pub fn schema_at<'s>(schema: &'s Schema, path: &str, brackets: bool) -> Result<&'s Schema, String> {
    let mut tokens = Tokens(path);
    let mut schema = schema;
    while let Some(token) = tokens.next() {
        let name = match token {
            "." => tokens.next().ok_or(TOO_SHORT)?.to_owned(),
            "[" if !brackets => return Err("array notation is not allowed".to_owned()),
            "[" => quoted(&mut tokens)?,
            other => return Err(format!("expected [ or . but got: {other}")),
        };
        schema = match schema.properties.as_ref() {
            Some(properties) => properties.get(&name).ok_or(NO_FIELD)?,
            None => additional(schema).ok_or(NO_FIELD)?,
        };
    }
    Ok(schema)
}

/// `'name']`
fn quoted(tokens: &mut Tokens<'_>) -> Result<String, String> {
    let token = tokens.next().ok_or(TOO_SHORT)?;
    let inner = token.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    let inner = inner.ok_or_else(|| format!("expected single quoted string but got {token}"))?;
    match tokens.next() {
        Some("]") => Ok(inner.replace("\\'", "'").replace("\\\\", "\\")),
        Some(other) => Err(format!("expected ] but got {other}")),
        None => Err(TOO_SHORT.to_owned()),
    }
}

/// `.`, `[`, `]`, quoted texts, and what lies between.
struct Tokens<'p>(&'p str);

impl<'p> Iterator for Tokens<'p> {
    type Item = &'p str;

    fn next(&mut self) -> Option<&'p str> {
        let text = self.0;
        let first = text.chars().next()?;
        let end = match first {
            '.' | '[' | ']' => 1,
            '\'' => {
                let mut escaped = true;
                let close = text.char_indices().find(|(_, c)| {
                    let closes = *c == '\'' && !escaped;
                    escaped = *c == '\\';
                    closes
                });
                close.map_or(text.len(), |(at, _)| at + 1)
            }
            _ => text.find(['.', '[', ']']).unwrap_or(text.len()),
        };
        let (token, rest) = text.split_at(end);
        self.0 = rest;
        Some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_found() {
        let schema: Schema = serde_json::from_value(json!({"properties": {"spec": {"properties": {
            "size": {"type": "integer"}, "a.b": {"type": "string"}}},
            "map": {"additionalProperties": {"type": "boolean"}}}}))
        .unwrap();
        let table = [
            (".spec.size", Ok("integer")),
            (".spec['a.b']", Ok("string")),
            (".map.x", Ok("boolean")),
            (".spec.nope", Err(NO_FIELD)),
            (".spec.size.deep", Err(NO_FIELD)),
            (".spec.", Err(TOO_SHORT)),
            (".spec[x]", Err("expected single quoted string but got x")),
            (".spec['size'", Err(TOO_SHORT)),
            ("spec", Err("expected [ or . but got: spec")),
        ];
        for (path, expected) in table {
            let found = schema_at(&schema, path, true);
            let found = found.map(|schema| schema.type_.as_deref().unwrap_or_default());
            assert_eq!(found, expected.map_err(str::to_owned), "{path}");
        }
        assert!(schema_at(&schema, ".spec['a.b']", false).is_err());
    }
}
