//! Commands on keys of any kind.

use super::super::db::Db;
use super::super::resp::{array, bulk, number, ok};
use super::{NOT_INTEGER, SYNTAX, matches};
use naru_sim::Time;
use std::time::Duration;

pub fn run(db: &mut Db, name: &str, args: &[&str], now: Time) -> Option<String> {
    Some(match (name, args) {
        ("keys", [pattern]) => array(db.keys().filter(|key| matches(pattern, key))),
        ("scan", [cursor, options @ ..]) => scan(db, cursor, options),
        ("dbsize", []) => number(count(db.len())),
        ("randomkey", []) => bulk(db.keys().next()),
        ("exists", keys) => number(count(keys.iter().filter(|key| db.has(key)).count())),
        ("del" | "unlink", keys) => {
            number(count(keys.iter().filter(|key| db.remove(key).is_some()).count()))
        }
        ("type", [key]) => format!("+{}\r\n", db.get(key).map_or("none", |value| value.kind())),
        ("expire", [key, seconds, ..]) => end(db, key, seconds, 1_000, now),
        ("pexpire", [key, millis, ..]) => end(db, key, millis, 1, now),
        ("persist", [key]) => number(i64::from(db.persist(key))),
        ("ttl", [key]) => number(left(db, key, 1_000, now)),
        ("pttl", [key]) => number(left(db, key, 1, now)),
        ("rename", [from, to]) => match db.remove(from) {
            None => "-ERR no such key\r\n".to_owned(),
            Some(value) => {
                db.insert(to, value);
                ok()
            }
        },
        ("copy", [from, to, options @ ..]) => {
            let replaces = options.iter().any(|word| word.eq_ignore_ascii_case("replace"));
            match db.get(from).cloned() {
                Some(value) if replaces || !db.has(to) => {
                    db.insert(to, value);
                    number(1)
                }
                _ => number(0),
            }
        }
        ("flushdb", _) => {
            *db = Db::default();
            ok()
        }
        _ => return None,
    })
}

pub fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// All keys at once: the cursor that follows is 0.
fn scan(db: &Db, cursor: &str, options: &[&str]) -> String {
    if cursor.parse::<u64>().is_err() {
        return "-ERR invalid cursor\r\n".to_owned();
    }
    let mut pattern = "*";
    for pair in options.chunks(2) {
        match pair {
            [name, value] if name.eq_ignore_ascii_case("match") => pattern = value,
            [name, _] if name.eq_ignore_ascii_case("count") => {}
            _ => return SYNTAX.to_owned(),
        }
    }
    let keys = array(db.keys().filter(|key| matches(pattern, key)));
    format!("*2\r\n{}{keys}", bulk(Some("0")))
}

fn end(db: &mut Db, key: &str, text: &str, millis: u64, now: Time) -> String {
    let Ok(amount) = text.parse::<i64>() else { return NOT_INTEGER.to_owned() };
    if !db.has(key) {
        return number(0);
    }
    match u64::try_from(amount) {
        Ok(amount) if amount > 0 => {
            db.end_at(key, now + Duration::from_millis(amount.saturating_mul(millis)));
        }
        _ => drop(db.remove(key)),
    }
    number(1)
}

fn left(db: &Db, key: &str, millis: u128, now: Time) -> i64 {
    match (db.has(key), db.end(key)) {
        (false, _) => -2,
        (true, None) => -1,
        (true, Some(at)) => {
            i64::try_from(at.since(now).as_millis().div_ceil(millis)).unwrap_or(i64::MAX)
        }
    }
}
