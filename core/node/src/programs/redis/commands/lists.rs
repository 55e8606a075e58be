//! Commands on lists.

use super::super::db::{Db, Value};
use super::super::resp::{array, bulk, number, ok};
use super::keys::count;
use super::{NOT_INTEGER, WRONG_TYPE, range};
use naru_sim::Time;
use std::collections::VecDeque;

const NO_INDEX: &str = "-ERR index out of range\r\n";

pub fn run(db: &mut Db, name: &str, args: &[&str], _now: Time) -> Option<String> {
    Some(match (name, args) {
        ("lpush" | "rpush", [key, items @ ..]) => list(db, key, |list| {
            for item in items {
                match name {
                    "lpush" => list.push_front((*item).to_owned()),
                    _ => list.push_back((*item).to_owned()),
                }
            }
            number(count(list.len()))
        }),
        ("lpop" | "rpop", [key, amount @ ..]) => pop(db, name, key, amount.first().copied()),
        ("rpoplpush", [from, to]) => {
            if db.get(to).is_some_and(|value| !matches!(value, Value::List(_))) {
                return Some(WRONG_TYPE.to_owned());
            }
            let mut moved = None;
            let answer = list(db, from, |list| {
                moved = list.pop_back();
                bulk(moved.as_deref())
            });
            if let Some(item) = moved {
                list(db, to, |list| {
                    list.push_front(item);
                    String::new()
                });
            }
            answer
        }
        ("llen", [key]) => list(db, key, |list| number(count(list.len()))),
        ("lindex", [key, at]) => match at.parse() {
            Ok(at) => list(db, key, |list| {
                bulk(place(at, list.len()).and_then(|at| list.get(at)).map(String::as_str))
            }),
            Err(_) => NOT_INTEGER.to_owned(),
        },
        ("lset", [key, at, item]) => {
            let Ok(at) = at.parse() else { return Some(NOT_INTEGER.to_owned()) };
            if !db.has(key) {
                return Some("-ERR no such key\r\n".to_owned());
            }
            list(db, key, |list| match place(at, list.len()).and_then(|at| list.get_mut(at)) {
                Some(slot) => {
                    *slot = (*item).to_owned();
                    ok()
                }
                None => NO_INDEX.to_owned(),
            })
        }
        ("lrange" | "ltrim", [key, start, end]) => match (start.parse(), end.parse()) {
            (Ok(start), Ok(end)) => list(db, key, |list| {
                let (from, to) = range(start, end, list.len());
                let part = list.iter().skip(from).take(to.saturating_sub(from));
                if name == "lrange" {
                    return array(part.map(String::as_str));
                }
                *list = part.cloned().collect();
                ok()
            }),
            _ => NOT_INTEGER.to_owned(),
        },
        ("lrem", [key, amount, item]) => match amount.parse() {
            Ok(amount) => list(db, key, |list| number(remove(list, amount, item))),
            Err(_) => NOT_INTEGER.to_owned(),
        },
        _ => return None,
    })
}

fn place(at: i64, length: usize) -> Option<usize> {
    let at = if at < 0 { at.checked_add(i64::try_from(length).ok()?)? } else { at };
    usize::try_from(at).ok()
}

fn pop(db: &mut Db, name: &str, key: &str, amount: Option<&str>) -> String {
    let take = |list: &mut VecDeque<String>| match name {
        "lpop" => list.pop_front(),
        _ => list.pop_back(),
    };
    let Some(amount) = amount else {
        return list(db, key, |list| bulk(take(list).as_deref()));
    };
    let Ok(amount) = amount.parse::<usize>() else {
        return "-ERR value is out of range, must be positive\r\n".to_owned();
    };
    if !db.has(key) {
        return "*-1\r\n".to_owned();
    }
    list(db, key, |list| {
        let items: Vec<String> = (0..amount.min(list.len())).filter_map(|_| take(list)).collect();
        array(items.iter().map(String::as_str))
    })
}

/// Takes so many of `item` away, from the end if negative, all if 0; tells how many.
fn remove(list: &mut VecDeque<String>, amount: i64, item: &str) -> i64 {
    let most = if amount == 0 { u64::MAX } else { amount.unsigned_abs() };
    let mut removed = 0;
    let mut keep = |own: &String| {
        let goes = own == item && removed < most;
        removed += u64::from(goes);
        !goes
    };
    if amount < 0 {
        let kept: VecDeque<String> = list.iter().rev().filter(|own| keep(own)).cloned().collect();
        *list = kept.into_iter().rev().collect();
    } else {
        list.retain(keep);
    }
    i64::try_from(removed).unwrap_or(i64::MAX)
}

fn list(db: &mut Db, key: &str, act: impl FnOnce(&mut VecDeque<String>) -> String) -> String {
    db.with(key, Value::List(VecDeque::new()), |value| match value {
        Value::List(list) => Some(act(list)),
        _ => None,
    })
}
