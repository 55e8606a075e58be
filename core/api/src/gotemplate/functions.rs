//! The functions that a template may call.
//!
//! Upstream: `text/template/funcs.go`, `k8s.io/cli-runtime/pkg/printers/template.go`.

use super::value::{Val, show_json};
use crate::gofmt;
use serde_json::Value;
use std::cmp::Ordering;

type Result = std::result::Result<Val, String>;

const NAMES: [&str; 21] = [
    "and",
    "base64decode",
    "call",
    "eq",
    "exists",
    "ge",
    "gt",
    "html",
    "index",
    "js",
    "le",
    "len",
    "lt",
    "ne",
    "not",
    "or",
    "print",
    "printf",
    "println",
    "slice",
    "urlquery",
];

/// Widest number or text that a verb of `printf` may ask for.
const WIDTH_MAX: usize = 1_000;

/// Whether there is such a function.
pub(super) fn exists(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Calls a function.
pub(super) fn call(name: &str, args: &[Val]) -> Result {
    match (name, args) {
        ("not", [value]) => Ok(Val::bool(!value.is_true())),
        ("len", [value]) => len(value),
        ("index", [value, keys @ ..]) => keys.iter().try_fold(value.clone(), index),
        ("slice", [value, bounds @ ..]) => slice(value, bounds),
        ("exists", [value, keys @ ..]) => {
            let found = keys.iter().try_fold(value.clone(), index);
            Ok(Val::bool(found.is_ok_and(|found| found != Val::Missing)))
        }
        ("base64decode", [Val::Json(Value::String(text))]) => decode(text),
        ("print", args) => Ok(Val::text(print(args))),
        ("println", args) => {
            let texts: Vec<String> = args.iter().map(shown).collect();
            Ok(Val::text(texts.join(" ") + "\n"))
        }
        ("printf", [Val::Json(Value::String(format)), args @ ..]) => {
            Ok(Val::text(printf(format, args)))
        }
        ("html", args) => Ok(Val::text(escape(&print(args), |c| match c {
            '"' => Some("&#34;"),
            '\'' => Some("&#39;"),
            '&' => Some("&amp;"),
            '<' => Some("&lt;"),
            '>' => Some("&gt;"),
            _ => None,
        }))),
        ("js", args) => Ok(Val::text(escape(&print(args), |c| match c {
            '\\' => Some("\\\\"),
            '\'' => Some("\\'"),
            '"' => Some("\\\""),
            '<' => Some("\\u003C"),
            '>' => Some("\\u003E"),
            '&' => Some("\\u0026"),
            '=' => Some("\\u003D"),
            '\n' => Some("\\u000A"),
            _ => None,
        }))),
        ("urlquery", args) => Ok(Val::text(url_query(&print(args)))),
        ("eq", [first, others @ ..]) if !others.is_empty() => {
            let mut equal = false;
            for other in others {
                equal |= compare_equal(first, other)?;
            }
            Ok(Val::bool(equal))
        }
        ("eq", [_]) => Err("missing argument for comparison".to_owned()),
        ("ne", [a, b]) => compare_equal(a, b).map(|equal| Val::bool(!equal)),
        ("lt", [a, b]) => order(a, b).map(|order| Val::bool(order == Ordering::Less)),
        ("le", [a, b]) => order(a, b).map(|order| Val::bool(order != Ordering::Greater)),
        ("gt", [a, b]) => order(a, b).map(|order| Val::bool(order == Ordering::Greater)),
        ("ge", [a, b]) => order(a, b).map(|order| Val::bool(order != Ordering::Less)),
        ("call", _) => Err("non-function of type string".to_owned()),
        ("printf" | "base64decode", [other, ..]) => {
            let go_type = other.go_type();
            Err(format!("wrong type for value; expected string; got {go_type}"))
        }
        (name, args) => Err(format!("wrong number of args for {name}: got {}", args.len())),
    }
}

fn shown(value: &Val) -> String {
    match value {
        Val::Missing | Val::Json(Value::Null) => "<nil>".to_owned(),
        value => value.show(),
    }
}

/// Go's `fmt.Sprint`: blanks stand between operands when neither is a text.
fn print(args: &[Val]) -> String {
    let is_text = |value: &Val| matches!(value, Val::Json(Value::String(_)));
    let mut out = String::new();
    for (at, value) in args.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| args.get(at));
        if before.is_some_and(|before| !is_text(before) && !is_text(value)) {
            out.push(' ');
        }
        out.push_str(&shown(value));
    }
    out
}

fn len(value: &Val) -> Result {
    let length = match value {
        Val::Json(Value::String(text)) => text.len(),
        Val::Json(Value::Array(items)) => items.len(),
        Val::Json(Value::Object(fields)) => fields.len(),
        Val::Missing | Val::Json(Value::Null) => return Err("len of nil pointer".to_owned()),
        other => return Err(format!("len of type {}", other.go_type())),
    };
    Ok(Val::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

/// A whole number, wherever it comes from.
fn whole(value: &Val) -> std::result::Result<i64, String> {
    match value {
        Val::Int(number) => Ok(*number),
        Val::Missing | Val::Json(Value::Null) => {
            Err("cannot index slice/array with nil".to_owned())
        }
        other => Err(format!("cannot index slice/array with type {}", other.go_type())),
    }
}

fn index(value: Val, key: &Val) -> Result {
    match value {
        Val::Json(Value::Array(mut items)) => {
            let at = whole(key)?;
            match usize::try_from(at).ok().filter(|at| *at < items.len()) {
                Some(at) => Ok(Val::Json(items.swap_remove(at))),
                None => Err(format!("index out of range: {at}")),
            }
        }
        Val::Json(Value::Object(mut fields)) => match key {
            Val::Json(Value::String(name)) => {
                Ok(fields.remove(name).map_or(Val::Missing, Val::Json))
            }
            other => Err(format!("value has type {}; should be string", other.go_type())),
        },
        Val::Json(Value::String(text)) => {
            let at = whole(key)?;
            let byte = usize::try_from(at).ok().and_then(|at| text.as_bytes().get(at).copied());
            byte.map(|byte| Val::Int(i64::from(byte))).ok_or(format!("index out of range: {at}"))
        }
        Val::Missing | Val::Json(Value::Null) => Err("index of untyped nil".to_owned()),
        other => Err(format!("can't index item of type {}", other.go_type())),
    }
}

fn slice(value: &Val, bounds: &[Val]) -> Result {
    let length = match value {
        Val::Json(Value::String(text)) => text.len(),
        Val::Json(Value::Array(items)) => items.len(),
        Val::Missing | Val::Json(Value::Null) => return Err("slice of untyped nil".to_owned()),
        other => return Err(format!("can't slice item of type {}", other.go_type())),
    };
    let bound = |at: usize, default: usize| match bounds.get(at) {
        None => Ok(default),
        Some(bound) => {
            let number = whole(bound)?;
            let inside = usize::try_from(number).ok().filter(|number| *number <= length);
            inside.ok_or_else(|| format!("index out of range: {number}"))
        }
    };
    let (from, to) = (bound(0, 0)?, bound(1, length)?);
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    match value {
        Val::Json(Value::String(text)) => Ok(Val::text(text.get(from..to).unwrap_or_default())),
        Val::Json(Value::Array(items)) => {
            Ok(Val::Json(Value::Array(items.get(from..to).unwrap_or_default().to_vec())))
        }
        _ => Ok(Val::Missing),
    }
}

fn decode(text: &str) -> Result {
    let bytes = base64(text).ok_or_else(|| {
        let at = text.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '/' | '='));
        format!("base64 decode failed: illegal base64 data at input byte {}", at.unwrap_or(0))
    })?;
    Ok(Val::text(String::from_utf8_lossy(&bytes)))
}

/// Base64 with padding; `None` for anything else.
fn base64(text: &str) -> Option<Vec<u8>> {
    let (mut out, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    let text: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    for byte in text.get(..text.len() - padding.min(2))? {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    Some(out)
}

/// What Go calls a basic kind.
enum Basic<'a> {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
}

fn basic(value: &Val) -> std::result::Result<Basic<'_>, String> {
    match value {
        Val::Missing | Val::Json(Value::Null) => Ok(Basic::Nil),
        Val::Int(number) => Ok(Basic::Int(*number)),
        Val::Json(Value::Bool(value)) => Ok(Basic::Bool(*value)),
        Val::Json(Value::Number(number)) => Ok(Basic::Float(number.as_f64().unwrap_or(0.0))),
        Val::Json(Value::String(text)) => Ok(Basic::Text(text)),
        Val::Json(_) => Err("non-comparable type".to_owned()),
    }
}

fn compare_equal(a: &Val, b: &Val) -> std::result::Result<bool, String> {
    let incomparable =
        |value: &Val| Err(format!("non-comparable type {}: {}", value.show(), value.go_type()));
    match (basic(a), basic(b)) {
        (Err(_), _) => incomparable(a),
        (_, Err(_)) => incomparable(b),
        (Ok(a), Ok(b)) => match (a, b) {
            (Basic::Nil, Basic::Nil) => Ok(true),
            (Basic::Nil, _) | (_, Basic::Nil) => Ok(false),
            (Basic::Bool(a), Basic::Bool(b)) => Ok(a == b),
            (Basic::Int(a), Basic::Int(b)) => Ok(a == b),
            (Basic::Float(a), Basic::Float(b)) => Ok(a == b),
            (Basic::Text(a), Basic::Text(b)) => Ok(a == b),
            _ => Err("incompatible types for comparison".to_owned()),
        },
    }
}

fn order(a: &Val, b: &Val) -> std::result::Result<Ordering, String> {
    match (basic(a), basic(b)) {
        (Ok(Basic::Int(a)), Ok(Basic::Int(b))) => Ok(a.cmp(&b)),
        (Ok(Basic::Float(a)), Ok(Basic::Float(b))) => {
            Ok(a.partial_cmp(&b).unwrap_or(Ordering::Equal))
        }
        (Ok(Basic::Text(a)), Ok(Basic::Text(b))) => Ok(a.cmp(b)),
        (Ok(Basic::Bool(_)), Ok(Basic::Bool(_))) | (Err(_), _) | (_, Err(_)) => {
            Err("invalid type for comparison".to_owned())
        }
        _ => Err("incompatible types for comparison".to_owned()),
    }
}

fn escape(text: &str, of: impl Fn(char) -> Option<&'static str>) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match of(c) {
            Some(escaped) => out.push_str(escaped),
            None => out.push(c),
        }
    }
    out
}

fn url_query(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Go's `fmt.Sprintf`, as far as values of templates need it.
fn printf(format: &str, args: &[Val]) -> String {
    let (mut out, mut next, mut rest) = (String::new(), 0, format);
    while let Some(at) = rest.find('%') {
        out.push_str(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + 1..).unwrap_or_default();
        let end = rest.find(|c: char| c.is_alphabetic() || c == '%').unwrap_or(rest.len());
        let (flags, after) = rest.split_at(end);
        let Some(verb) = after.chars().next() else {
            out.push_str("%!(NOVERB)");
            return out;
        };
        rest = after.get(verb.len_utf8()..).unwrap_or_default();
        if verb == '%' {
            out.push('%');
            continue;
        }
        match args.get(next) {
            Some(value) => out.push_str(&pad(flags, &verb_text(verb, flags, value))),
            None => out.push_str(&format!("%!{verb}(MISSING)")),
        }
        next += 1;
    }
    out.push_str(rest);
    if next < args.len() {
        let extra: Vec<String> = args
            .iter()
            .skip(next)
            .map(|value| format!("{}={}", value.go_type(), shown(value)))
            .collect();
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    out
}

fn precision(flags: &str) -> Option<usize> {
    flags.split_once('.').map(|(_, digits)| digits.parse().unwrap_or(0).min(WIDTH_MAX))
}

fn pad(flags: &str, text: &str) -> String {
    let width = flags.split('.').next().unwrap_or_default();
    let digits = width.trim_start_matches(['-', '+', ' ', '#']);
    let number: usize = digits.parse().unwrap_or(0).min(WIDTH_MAX);
    let missing = " ".repeat(number.saturating_sub(text.chars().count()));
    if width.contains('-') {
        format!("{text}{missing}")
    } else if digits.starts_with('0') {
        let zeros = "0".repeat(missing.len());
        match text.strip_prefix('-') {
            Some(rest) => format!("-{zeros}{rest}"),
            None => format!("{zeros}{text}"),
        }
    } else {
        format!("{missing}{text}")
    }
}

fn verb_text(verb: char, flags: &str, value: &Val) -> String {
    let cut = |text: String| match precision(flags) {
        Some(count) => text.chars().take(count).collect(),
        None => text,
    };
    match (verb, value) {
        ('v', value) => shown(value),
        ('T', value) => value.go_type().to_owned(),
        ('s', Val::Json(Value::String(text))) => cut(text.clone()),
        ('s', Val::Json(Value::Array(items))) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| match item {
                    Value::String(text) => text.clone(),
                    other => verb_text('s', "", &Val::Json(other.clone())),
                })
                .collect();
            format!("[{}]", items.join(" "))
        }
        ('q', Val::Json(Value::String(text))) => gofmt::quote(text),
        ('x', Val::Json(Value::String(text))) => {
            text.bytes().map(|byte| format!("{byte:02x}")).collect()
        }
        ('d', Val::Int(number)) => number.to_string(),
        ('x', Val::Int(number)) => format!("{number:x}"),
        ('c', Val::Int(number)) => {
            u32::try_from(*number).ok().and_then(char::from_u32).unwrap_or('\u{fffd}').to_string()
        }
        ('t', Val::Json(Value::Bool(value))) => value.to_string(),
        ('f' | 'F', Val::Json(Value::Number(number))) => {
            let digits = precision(flags).unwrap_or(6);
            format!("{:.digits$}", number.as_f64().unwrap_or(0.0))
        }
        ('g', Val::Json(value @ Value::Number(_))) => show_json(value),
        (verb, Val::Missing | Val::Json(Value::Null)) => format!("%!{verb}(<nil>)"),
        (verb, value) => format!("%!{verb}({}={})", value.go_type(), shown(value)),
    }
}
