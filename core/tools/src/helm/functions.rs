//! The functions of charts' templates: Sprig's, as far as charts use them, and Helm's own.
//!
//! Upstream: `github.com/Masterminds/sprig`, `helm.sh/helm/v3/pkg/engine/funcs.go`.

use naru_api::gotemplate::{Functions, Val};
use naru_api::{gofmt, yaml};
use naru_pki::base64;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

type Done = Result<Val, String>;

/// Longest text or list that a function may make.
const LENGTH_MAX: usize = 1 << 20;

const NAMES: &[&str] = &[
    "abbrev",
    "add",
    "add1",
    "append",
    "b64dec",
    "b64enc",
    "cat",
    "coalesce",
    "compact",
    "concat",
    "contains",
    "default",
    "dict",
    "div",
    "empty",
    "fail",
    "first",
    "float64",
    "fromJson",
    "fromYaml",
    "get",
    "has",
    "hasKey",
    "hasPrefix",
    "hasSuffix",
    "indent",
    "int",
    "int64",
    "join",
    "keys",
    "kebabcase",
    "kindIs",
    "kindOf",
    "last",
    "list",
    "lower",
    "max",
    "merge",
    "min",
    "mod",
    "mul",
    "nindent",
    "nospace",
    "omit",
    "pick",
    "pluck",
    "prepend",
    "quote",
    "repeat",
    "replace",
    "required",
    "reverse",
    "round",
    "semverCompare",
    "set",
    "sha256sum",
    "sortAlpha",
    "split",
    "splitList",
    "squote",
    "sub",
    "substr",
    "ternary",
    "title",
    "toJson",
    "toString",
    "toStrings",
    "toYaml",
    "trim",
    "trimAll",
    "trimPrefix",
    "trimSuffix",
    "trunc",
    "tuple",
    "typeIs",
    "typeOf",
    "uniq",
    "unset",
    "until",
    "untilStep",
    "upper",
    "values",
    "without",
    "lookup",
];

/// The functions.
pub struct Sprig;

impl Functions for Sprig {
    fn has(&self, name: &str) -> bool {
        NAMES.contains(&name)
    }

    fn call(&self, name: &str, args: &[Val]) -> Done {
        texts(name, args)
            .or_else(|| lists(name, args))
            .or_else(|| maps(name, args))
            .or_else(|| numbers(name, args))
            .or_else(|| logic(name, args))
            .unwrap_or_else(|| Err(format!("wrong number of args for {name}: got {}", args.len())))
    }
}

/// As JSON.
fn json(value: &Val) -> Value {
    match value {
        Val::Missing => Value::Null,
        Val::Int(number) => Value::from(*number),
        Val::Json(value) => value.clone(),
    }
}

/// Sprig's `strval`.
fn text(value: &Val) -> String {
    match value {
        Val::Missing | Val::Json(Value::Null) => String::new(),
        Val::Json(Value::String(text)) => text.clone(),
        other => other.show(),
    }
}

fn int(value: &Val) -> i64 {
    match value {
        Val::Int(number) => *number,
        Val::Json(Value::Number(number)) => {
            number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or(0.0) as i64)
        }
        Val::Json(Value::String(text)) => text.parse().unwrap_or(0),
        Val::Json(Value::Bool(true)) => 1,
        _ => 0,
    }
}

fn items(value: &Val) -> Vec<Value> {
    match value {
        Val::Json(Value::Array(items)) => items.clone(),
        _ => Vec::new(),
    }
}

fn fields(value: &Val) -> Map<String, Value> {
    match value {
        Val::Json(Value::Object(fields)) => fields.clone(),
        _ => Map::new(),
    }
}

fn list(items: Vec<Value>) -> Option<Done> {
    Some(Ok(Val::Json(Value::Array(items))))
}

fn map(fields: Map<String, Value>) -> Option<Done> {
    Some(Ok(Val::Json(Value::Object(fields))))
}

fn string(text: impl Into<String>) -> Option<Done> {
    let text: String = text.into();
    Some(if text.len() > LENGTH_MAX {
        Err("text is too long".to_owned())
    } else {
        Ok(Val::text(text))
    })
}

fn truth(value: bool) -> Option<Done> {
    Some(Ok(Val::bool(value)))
}

/// A size that a text may be asked for.
fn size(value: &Val) -> usize {
    usize::try_from(int(value)).unwrap_or(0).min(LENGTH_MAX)
}

fn indented(blanks: &Val, value: &Val) -> String {
    let blanks = " ".repeat(size(blanks).min(1_000));
    format!("{blanks}{}", text(value).replace('\n', &format!("\n{blanks}")))
}

fn texts(name: &str, args: &[Val]) -> Option<Done> {
    match (name, args) {
        ("quote", args) => {
            let shown = args.iter().filter(|arg| **arg != Val::Missing);
            string(shown.map(|arg| gofmt::quote(&text(arg))).collect::<Vec<_>>().join(" "))
        }
        ("squote", args) => {
            string(args.iter().map(|arg| format!("'{}'", text(arg))).collect::<Vec<_>>().join(" "))
        }
        ("lower", [value]) => string(text(value).to_lowercase()),
        ("upper", [value]) => string(text(value).to_uppercase()),
        ("title", [value]) => {
            let mut start = true;
            let letter = |c: char| {
                let upper = std::mem::replace(&mut start, c.is_whitespace() || c == '-');
                if upper { c.to_uppercase().collect() } else { c.to_string() }
            };
            string(text(value).chars().map(letter).collect::<String>())
        }
        ("kebabcase", [value]) => string(text(value).replace([' ', '_'], "-").to_lowercase()),
        ("trim", [value]) => string(text(value).trim()),
        ("nospace", [value]) => string(text(value).replace(char::is_whitespace, "")),
        ("trimAll", [cut, value]) => {
            let cut: Vec<char> = text(cut).chars().collect();
            string(text(value).trim_matches(cut.as_slice()))
        }
        ("trimPrefix", [prefix, value]) => {
            let value = text(value);
            string(value.strip_prefix(&text(prefix)).unwrap_or(&value))
        }
        ("trimSuffix", [suffix, value]) => {
            let value = text(value);
            string(value.strip_suffix(&text(suffix)).unwrap_or(&value))
        }
        ("trunc", [count, value]) => {
            let (count, value) = (int(count), text(value));
            let length = value.chars().count();
            let kept = usize::try_from(count.unsigned_abs()).unwrap_or(length);
            match count < 0 {
                true => string(value.chars().skip(length.saturating_sub(kept)).collect::<String>()),
                false => string(value.chars().take(kept).collect::<String>()),
            }
        }
        ("abbrev", [count, value]) => {
            let (count, value) = (size(count), text(value));
            match value.chars().count() > count && count > 3 {
                true => string(value.chars().take(count - 3).collect::<String>() + "..."),
                false => string(value),
            }
        }
        ("substr", [from, to, value]) => {
            let (from, value) = (size(from), text(value));
            let to = if int(to) < 0 { value.chars().count() } else { size(to) };
            string(value.chars().skip(from).take(to.saturating_sub(from)).collect::<String>())
        }
        ("repeat", [count, value]) => {
            let value = text(value);
            match size(count).saturating_mul(value.len()) > LENGTH_MAX {
                true => Some(Err("text is too long".to_owned())),
                false => string(value.repeat(size(count))),
            }
        }
        ("replace", [old, new, value]) => string(text(value).replace(&text(old), &text(new))),
        ("contains", [part, value]) => truth(text(value).contains(&text(part))),
        ("hasPrefix", [part, value]) => truth(text(value).starts_with(&text(part))),
        ("hasSuffix", [part, value]) => truth(text(value).ends_with(&text(part))),
        ("cat", args) => string(args.iter().map(text).collect::<Vec<_>>().join(" ")),
        ("indent", [blanks, value]) => string(indented(blanks, value)),
        ("nindent", [blanks, value]) => string(format!("\n{}", indented(blanks, value))),
        ("toString", [value]) => string(text(value)),
        ("b64enc", [value]) => string(base64::encode(text(value).as_bytes())),
        ("b64dec", [value]) => {
            let bytes = base64::decode(&text(value)).unwrap_or_default();
            string(String::from_utf8_lossy(&bytes))
        }
        ("sha256sum", [value]) => {
            let hash = Sha256::digest(text(value).as_bytes());
            string(hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        }
        ("toYaml", [value]) => string(yaml::print(&json(value)).trim_end_matches('\n')),
        ("toJson", [value]) => string(json(value).to_string()),
        ("fromYaml", [value]) => {
            let read = yaml::parse(&text(value));
            Some(Ok(Val::Json(read.unwrap_or_else(|error| {
                Value::Object(Map::from_iter([(
                    "Error".to_owned(),
                    Value::from(error.to_string()),
                )]))
            }))))
        }
        ("fromJson", [value]) => {
            Some(Ok(Val::Json(serde_json::from_str(&text(value)).unwrap_or_default())))
        }
        _ => None,
    }
}

fn lists(name: &str, args: &[Val]) -> Option<Done> {
    match (name, args) {
        ("list" | "tuple", args) => list(args.iter().map(json).collect()),
        ("join", [between, value]) => {
            let parts: Vec<String> =
                items(value).into_iter().map(|item| text(&Val::Json(item))).collect();
            string(parts.join(&text(between)))
        }
        ("splitList", [between, value]) => {
            list(text(value).split(&text(between)).map(Value::from).collect())
        }
        ("split", [between, value]) => {
            let (value, between) = (text(value), text(between));
            let parts = value.split(&between).enumerate();
            let parts = parts.map(|(at, part)| (format!("_{at}"), Value::from(part)));
            map(parts.collect())
        }
        ("first", [value]) => {
            Some(Ok(items(value).into_iter().next().map_or(Val::Missing, Val::Json)))
        }
        ("last", [value]) => Some(Ok(items(value).pop().map_or(Val::Missing, Val::Json))),
        ("append", [all, one]) => {
            let mut all = items(all);
            all.push(json(one));
            list(all)
        }
        ("prepend", [all, one]) => list([json(one)].into_iter().chain(items(all)).collect()),
        ("concat", args) => list(args.iter().flat_map(items).collect()),
        ("reverse", [value]) => list(items(value).into_iter().rev().collect()),
        ("compact", [value]) => {
            let full = |item: &Value| Val::Json(item.clone()).is_true();
            list(items(value).into_iter().filter(full).collect())
        }
        ("uniq", [value]) => {
            let mut kept: Vec<Value> = Vec::new();
            for item in items(value) {
                if !kept.contains(&item) {
                    kept.push(item);
                }
            }
            list(kept)
        }
        ("without", [value, others @ ..]) => {
            let others: Vec<Value> = others.iter().map(json).collect();
            list(items(value).into_iter().filter(|item| !others.contains(item)).collect())
        }
        ("has", [one, all]) => truth(items(all).contains(&json(one))),
        ("toStrings", [value]) => {
            list(items(value).into_iter().map(|item| Value::from(text(&Val::Json(item)))).collect())
        }
        ("sortAlpha", [value]) => {
            let mut all: Vec<String> =
                items(value).into_iter().map(|item| text(&Val::Json(item))).collect();
            all.sort();
            list(all.into_iter().map(Value::from).collect())
        }
        ("until", [count]) => list((0..size(count).min(10_000)).map(Value::from).collect()),
        ("untilStep", [from, to, by]) => {
            let (mut at, to, by) = (int(from), int(to), int(by));
            let mut all = Vec::new();
            while by != 0 && (by > 0 && at < to || by < 0 && at > to) && all.len() < 10_000 {
                all.push(Value::from(at));
                at = at.saturating_add(by);
            }
            list(all)
        }
        _ => None,
    }
}

fn maps(name: &str, args: &[Val]) -> Option<Done> {
    match (name, args) {
        ("dict", args) => {
            let pairs = args.chunks(2).map(|pair| {
                let value = pair.get(1).map(json).unwrap_or_else(|| Value::from(""));
                (pair.first().map(text).unwrap_or_default(), value)
            });
            map(pairs.collect())
        }
        ("get", [value, key]) => {
            Some(Ok(fields(value).remove(&text(key)).map_or_else(|| Val::text(""), Val::Json)))
        }
        ("hasKey", [value, key]) => truth(fields(value).contains_key(&text(key))),
        ("set", [value, key, new]) => {
            let mut all = fields(value);
            all.insert(text(key), json(new));
            map(all)
        }
        ("unset", [value, key]) => {
            let mut all = fields(value);
            all.remove(&text(key));
            map(all)
        }
        ("keys", args) => list(
            args.iter()
                .flat_map(|arg| fields(arg).into_iter())
                .map(|(key, _)| Value::from(key))
                .collect(),
        ),
        ("values", [value]) => list(fields(value).into_iter().map(|(_, value)| value).collect()),
        ("pick", [value, keys @ ..]) => {
            let keys: Vec<String> = keys.iter().map(text).collect();
            map(fields(value).into_iter().filter(|(key, _)| keys.contains(key)).collect())
        }
        ("omit", [value, keys @ ..]) => {
            let keys: Vec<String> = keys.iter().map(text).collect();
            map(fields(value).into_iter().filter(|(key, _)| !keys.contains(key)).collect())
        }
        ("pluck", [key, maps @ ..]) => {
            let key = text(key);
            list(maps.iter().filter_map(|one| fields(one).remove(&key)).collect())
        }
        // The first wins.
        ("merge", [first, others @ ..]) => {
            let first = json(first);
            let all = others
                .iter()
                .map(json)
                .fold(first, |all, other| super::values::merged(&other, &all));
            Some(Ok(Val::Json(all)))
        }
        // What is in the cluster is not looked at before there is a release.
        ("lookup", [_, _, _, _]) => map(Map::new()),
        _ => None,
    }
}

fn numbers(name: &str, args: &[Val]) -> Option<Done> {
    let whole = |number: i64| Some(Ok(Val::Int(number)));
    match (name, args) {
        ("int" | "int64", [value]) => whole(int(value)),
        ("float64", [value]) => {
            let number = json(value).as_f64().or_else(|| text(value).parse().ok());
            Some(Ok(Val::Json(Value::from(number.unwrap_or(0.0)))))
        }
        ("add", args) => whole(args.iter().map(int).fold(0, i64::saturating_add)),
        ("add1", [value]) => whole(int(value).saturating_add(1)),
        ("sub", [a, b]) => whole(int(a).saturating_sub(int(b))),
        ("mul", args) => whole(args.iter().map(int).fold(1, i64::saturating_mul)),
        ("div" | "mod", [a, b]) => {
            let (a, b) = (int(a), int(b));
            let made = if name == "div" { a.checked_div(b) } else { a.checked_rem(b) };
            Some(
                made.map(Val::Int)
                    .ok_or_else(|| "runtime error: integer divide by zero".to_owned()),
            )
        }
        ("max", args) if !args.is_empty() => whole(args.iter().map(int).max().unwrap_or(0)),
        ("min", args) if !args.is_empty() => whole(args.iter().map(int).min().unwrap_or(0)),
        ("round", [value, digits]) => {
            let scale = 10_f64.powi(i32::try_from(int(digits)).unwrap_or(0).clamp(0, 15));
            let number = json(value).as_f64().unwrap_or(0.0);
            Some(Ok(Val::Json(Value::from((number * scale).round() / scale))))
        }
        _ => None,
    }
}

fn logic(name: &str, args: &[Val]) -> Option<Done> {
    match (name, args) {
        ("default", [fallback, value]) => {
            Some(Ok(if value.is_true() { value.clone() } else { fallback.clone() }))
        }
        ("default", [fallback]) => Some(Ok(fallback.clone())),
        ("empty", [value]) => truth(!value.is_true()),
        ("coalesce", args) => {
            Some(Ok(args.iter().find(|arg| arg.is_true()).cloned().unwrap_or(Val::Missing)))
        }
        ("ternary", [yes, no, test]) => {
            Some(Ok(if test.is_true() { yes.clone() } else { no.clone() }))
        }
        ("required", [why, value]) => {
            let given =
                !matches!(value, Val::Missing | Val::Json(Value::Null)) && *value != Val::text("");
            Some(if given { Ok(value.clone()) } else { Err(text(why)) })
        }
        ("fail", [why]) => Some(Err(text(why))),
        ("kindOf" | "typeOf", [value]) => string(kind(value)),
        ("kindIs" | "typeIs", [wanted, value]) => truth(kind(value) == text(wanted)),
        ("semverCompare", [wanted, version]) => truth(satisfies(&text(wanted), &text(version))),
        _ => None,
    }
}

fn kind(value: &Val) -> &'static str {
    match value {
        Val::Missing | Val::Json(Value::Null) => "invalid",
        Val::Int(_) => "int",
        Val::Json(Value::Bool(_)) => "bool",
        Val::Json(Value::Number(_)) => "float64",
        Val::Json(Value::String(_)) => "string",
        Val::Json(Value::Array(_)) => "slice",
        Val::Json(Value::Object(_)) => "map",
    }
}

/// `>=1.21-0 <2.0.0`: every word must hold.
pub fn satisfies(wanted: &str, version: &str) -> bool {
    let parts = |text: &str| -> [u64; 3] {
        let text = text.trim_start_matches('v').split(['-', '+']).next().unwrap_or_default();
        let mut numbers = text.split('.').map(|part| part.parse().unwrap_or(0));
        std::array::from_fn(|_| numbers.next().unwrap_or(0))
    };
    let version = parts(version);
    wanted.split([' ', ',']).filter(|word| !word.is_empty()).all(|word| {
        let digits = word.trim_start_matches(['<', '>', '=', '~', '^', '!']);
        let (sign, number) = (word.trim_end_matches(digits), parts(digits));
        match sign {
            ">" => version > number,
            ">=" => version >= number,
            "<" => version < number,
            "<=" => version <= number,
            "!=" => version != number,
            "^" => version >= number && version[0] == number[0],
            "~" => version >= number && version[..2] == number[..2],
            _ => version == number,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::satisfies;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(satisfies(">=1.21-0", "v1.33.1"));
        assert!(satisfies("^1.2.0", "1.9.9") && !satisfies("^1.2.0", "2.0.0"));
        assert!(!satisfies(">=1.21 <1.30", "1.33.1"));
    }
}
