//! Commands on sets.

use super::super::db::{Db, Value};
use super::super::resp::{array, number};
use super::WRONG_TYPE;
use super::keys::count;
use naru_sim::Time;
use std::collections::BTreeSet;

pub fn run(db: &mut Db, name: &str, args: &[&str], _now: Time) -> Option<String> {
    Some(match (name, args) {
        ("sadd", [key, items @ ..]) => members(db, key, |set| {
            number(count(items.iter().filter(|item| set.insert((**item).to_owned())).count()))
        }),
        ("srem", [key, items @ ..]) => members(db, key, |set| {
            number(count(items.iter().filter(|item| set.remove(**item)).count()))
        }),
        ("scard", [key]) => members(db, key, |set| number(count(set.len()))),
        ("smembers", [key]) => members(db, key, |set| array(set.iter().map(String::as_str))),
        ("sismember", [key, item]) => {
            members(db, key, |set| number(i64::from(set.contains(*item))))
        }
        ("sinter" | "sunion" | "sdiff", [first, others @ ..]) => combine(db, name, first, others),
        _ => return None,
    })
}

fn combine(db: &mut Db, name: &str, first: &str, others: &[&str]) -> String {
    let mut given = Vec::new();
    for key in [first].iter().chain(others) {
        match db.get(key) {
            Some(Value::Set(set)) => given.push(set.clone()),
            None => given.push(BTreeSet::new()),
            Some(_) => return WRONG_TYPE.to_owned(),
        }
    }
    let all = given.into_iter().reduce(|left, right| match name {
        "sinter" => left.intersection(&right).cloned().collect(),
        "sunion" => left.union(&right).cloned().collect(),
        _ => left.difference(&right).cloned().collect(),
    });
    array(all.unwrap_or_default().iter().map(String::as_str))
}

fn members(db: &mut Db, key: &str, act: impl FnOnce(&mut BTreeSet<String>) -> String) -> String {
    db.with(key, Value::Set(BTreeSet::new()), |value| match value {
        Value::Set(set) => Some(act(set)),
        _ => None,
    })
}
