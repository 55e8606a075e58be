//! What `--format` makes of what there is to tell.
//!
//! Upstream: `templates` of `docker/cli`.

use super::super::err;
use naru_api::gotemplate::{Functions, Template, Val};
use naru_shell::Answer;
use serde_json::Value;

/// The functions that Docker adds to Go's own.
struct Own;

impl Functions for Own {
    fn has(&self, name: &str) -> bool {
        ["json", "join", "split", "lower", "upper", "title"].contains(&name)
    }

    fn call(&self, name: &str, args: &[Val]) -> Result<Val, String> {
        match (name, args) {
            ("json", [Val::Json(value)]) => Ok(Val::text(value.to_string())),
            ("json", [Val::Int(number)]) => Ok(Val::text(number.to_string())),
            ("json", [Val::Missing]) => Ok(Val::text("null")),
            ("join", [Val::Json(Value::Array(items)), separator]) => {
                let items: Vec<String> =
                    items.iter().map(|item| Val::Json(item.clone()).show()).collect();
                Ok(Val::text(items.join(&separator.show())))
            }
            ("split", [Val::Json(Value::String(text)), separator]) => {
                let separator = separator.show();
                Ok(Val::Json(text.split(separator.as_str()).map(Value::from).collect()))
            }
            ("lower", [text]) => Ok(Val::text(text.show().to_lowercase())),
            ("upper", [text]) => Ok(Val::text(text.show().to_uppercase())),
            ("title", [text]) => {
                let text = text.show();
                let (first, rest) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
                Ok(Val::text(first.to_uppercase() + rest))
            }
            (name, args) => Err(format!("wrong number of args for {name}: got {}", args.len())),
        }
    }
}

/// A line for a value.
pub fn fill(format: &str, value: &Value) -> Result<String, Box<Answer>> {
    let wrong = |why: String| Box::new(err(format!("template parsing error: {why}\n")));
    let template = Template::parse_with("", format, false, &Own);
    let template = template.map_err(|why| wrong(why.to_string()))?;
    let text = template.execute(value).map_err(|why| wrong(why.to_string()))?;
    Ok(text + "\n")
}
