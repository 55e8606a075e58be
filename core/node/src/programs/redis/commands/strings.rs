//! Commands on texts and counters.

use super::super::db::{Db, Value};
use super::super::resp::{bulk, number, ok};
use super::keys::count;
use super::{NOT_FLOAT, NOT_INTEGER, SYNTAX, WRONG_TYPE, range};
use naru_sim::Time;
use std::time::Duration;

/// Bytes of one text.
const TEXT_MAX: usize = 1 << 20;

pub fn run(db: &mut Db, name: &str, args: &[&str], now: Time) -> Option<String> {
    Some(match (name, args) {
        ("set", [key, value, options @ ..]) => set(db, key, value, options, now),
        ("setnx", [key, value]) => {
            let free = !db.has(key);
            if free {
                put(db, key, value);
            }
            number(i64::from(free))
        }
        ("setex", [key, seconds, value]) => set(db, key, value, &["ex", seconds], now),
        ("psetex", [key, millis, value]) => set(db, key, value, &["px", millis], now),
        ("get", [key]) => get(db, key),
        ("getset", [key, value]) => {
            let old = get(db, key);
            if old != WRONG_TYPE {
                put(db, key, value);
            }
            old
        }
        ("getdel", [key]) => {
            let old = get(db, key);
            if old != WRONG_TYPE {
                db.remove(key);
            }
            old
        }
        ("getrange", [key, start, end]) => match (start.parse(), end.parse()) {
            (Ok(start), Ok(end)) => match db.get(key) {
                Some(Value::Text(text)) => {
                    let (from, to) = range(start, end, text.len());
                    let part = text.as_bytes().get(from..to).unwrap_or_default();
                    bulk(Some(&String::from_utf8_lossy(part)))
                }
                None => bulk(Some("")),
                Some(_) => WRONG_TYPE.to_owned(),
            },
            _ => NOT_INTEGER.to_owned(),
        },
        ("mget", keys) => {
            let mut answer = format!("*{}\r\n", keys.len());
            for key in keys {
                answer.push_str(&match db.get(key) {
                    Some(Value::Text(text)) => bulk(Some(text)),
                    _ => bulk(None),
                });
            }
            answer
        }
        ("mset", pairs) if pairs.len() % 2 == 0 => {
            for pair in pairs.chunks(2) {
                if let [key, value] = pair {
                    put(db, key, value);
                }
            }
            ok()
        }
        ("mset", _) => "-ERR wrong number of arguments for 'mset' command\r\n".to_owned(),
        ("append", [key, more]) => text(db, key, |old| {
            if old.len() + more.len() > TEXT_MAX {
                return "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"
                    .to_owned();
            }
            old.push_str(more);
            number(count(old.len()))
        }),
        ("strlen", [key]) => match db.get(key) {
            Some(Value::Text(text)) => number(count(text.len())),
            None => number(0),
            Some(_) => WRONG_TYPE.to_owned(),
        },
        ("incr", [key]) => add(db, key, Some(1)),
        ("decr", [key]) => add(db, key, Some(-1)),
        ("incrby", [key, by]) => add(db, key, by.parse().ok()),
        ("decrby", [key, by]) => add(db, key, by.parse::<i64>().ok().and_then(i64::checked_neg)),
        ("incrbyfloat", [key, by]) => add_float(db, key, by),
        _ => return None,
    })
}

fn put(db: &mut Db, key: &str, value: &str) {
    db.insert(key, Value::Text(value.to_owned()));
}

fn get(db: &mut Db, key: &str) -> String {
    match db.get(key) {
        None => bulk(None),
        Some(Value::Text(text)) => bulk(Some(text)),
        Some(_) => WRONG_TYPE.to_owned(),
    }
}

fn set(db: &mut Db, key: &str, value: &str, options: &[&str], now: Time) -> String {
    let (mut end, mut keeps, mut gives, mut only) = (None, false, false, None);
    let mut rest = options.iter();
    while let Some(option) = rest.next() {
        match option.to_lowercase().as_str() {
            "nx" if only != Some(true) => only = Some(false),
            "xx" if only != Some(false) => only = Some(true),
            "keepttl" => keeps = true,
            "get" => gives = true,
            unit @ ("ex" | "px") => {
                let Some(amount) = rest.next() else { return SYNTAX.to_owned() };
                let Ok(amount) = amount.parse::<i64>() else { return NOT_INTEGER.to_owned() };
                let Some(amount) = u64::try_from(amount).ok().filter(|amount| *amount > 0) else {
                    return "-ERR invalid expire time in 'set' command\r\n".to_owned();
                };
                let millis = if unit == "ex" { amount.saturating_mul(1_000) } else { amount };
                end = Some(now + Duration::from_millis(millis));
            }
            _ => return SYNTAX.to_owned(),
        }
    }
    let old = if gives { get(db, key) } else { ok() };
    if old == WRONG_TYPE {
        return old;
    }
    if only.is_some_and(|wanted| wanted != db.has(key)) {
        return if gives { old } else { bulk(None) };
    }
    let end = end.or_else(|| db.end(key).filter(|_| keeps));
    put(db, key, value);
    if let Some(at) = end {
        db.end_at(key, at);
    }
    old
}

fn add(db: &mut Db, key: &str, by: Option<i64>) -> String {
    let Some(by) = by else { return NOT_INTEGER.to_owned() };
    text(db, key, |text| {
        let Ok(old) = (if text.is_empty() { Ok(0) } else { text.parse::<i64>() }) else {
            return NOT_INTEGER.to_owned();
        };
        match old.checked_add(by) {
            Some(sum) => {
                *text = sum.to_string();
                number(sum)
            }
            None => "-ERR increment or decrement would overflow\r\n".to_owned(),
        }
    })
}

fn add_float(db: &mut Db, key: &str, by: &str) -> String {
    let Ok(by) = by.parse::<f64>() else { return NOT_FLOAT.to_owned() };
    text(db, key, |text| match if text.is_empty() { Ok(0.0) } else { text.parse::<f64>() } {
        Ok(old) if (old + by).is_finite() => {
            *text = (old + by).to_string();
            bulk(Some(text))
        }
        Ok(_) => "-ERR increment would produce NaN or Infinity\r\n".to_owned(),
        Err(_) => NOT_FLOAT.to_owned(),
    })
}

fn text(db: &mut Db, key: &str, act: impl FnOnce(&mut String) -> String) -> String {
    let is_new = !db.has(key);
    let answer = db.with(key, Value::Text(String::new()), |value| match value {
        Value::Text(text) => Some(act(text)),
        _ => None,
    });
    if is_new && answer.starts_with('-') {
        db.remove(key);
    }
    answer
}
