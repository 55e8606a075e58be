//! Commands on sorted sets.

use super::super::db::{Db, Value};
use super::super::resp::{array, bulk, number};
use super::keys::count;
use super::{NOT_FLOAT, NOT_INTEGER, SYNTAX, range};
use naru_sim::Time;
use std::collections::BTreeMap;

pub fn run(db: &mut Db, name: &str, args: &[&str], _now: Time) -> Option<String> {
    Some(match (name, args) {
        ("zadd", [key, pairs @ ..]) => add(db, key, pairs),
        ("zincrby", [key, by, member]) => match by.parse::<f64>() {
            Ok(by) if !by.is_nan() => members(db, key, |members| {
                let score = members.entry((*member).to_owned()).or_default();
                *score += by;
                bulk(Some(&score.to_string()))
            }),
            _ => NOT_FLOAT.to_owned(),
        },
        ("zcard", [key]) => members(db, key, |members| number(count(members.len()))),
        ("zscore", [key, member]) => {
            members(db, key, |members| bulk(members.get(*member).map(f64::to_string).as_deref()))
        }
        ("zrem", [key, gone @ ..]) => members(db, key, |members| {
            number(count(gone.iter().filter(|member| members.remove(**member).is_some()).count()))
        }),
        ("zrank", [key, member, ..]) => members(db, key, |members| {
            let at = in_order(members).iter().position(|(name, _)| name == member);
            at.map_or_else(|| bulk(None), |at| number(count(at)))
        }),
        ("zrange" | "zrevrange", [key, start, end, options @ ..]) => {
            let (Ok(start), Ok(end)) = (start.parse(), end.parse()) else {
                return Some(NOT_INTEGER.to_owned());
            };
            let (mut scores, mut reversed) = (false, name == "zrevrange");
            for option in options {
                match option.to_lowercase().as_str() {
                    "withscores" => scores = true,
                    "rev" if name == "zrange" => reversed = true,
                    _ => return Some(SYNTAX.to_owned()),
                }
            }
            members(db, key, |members| shown(members, (start, end), scores, reversed))
        }
        _ => return None,
    })
}

fn add(db: &mut Db, key: &str, pairs: &[&str]) -> String {
    if pairs.len() % 2 == 1 {
        return SYNTAX.to_owned();
    }
    let mut scored = Vec::new();
    for pair in pairs.chunks(2) {
        let [score, member] = pair else { return SYNTAX.to_owned() };
        match score.parse::<f64>() {
            Ok(score) if !score.is_nan() => scored.push(((*member).to_owned(), score)),
            _ => return NOT_FLOAT.to_owned(),
        }
    }
    members(db, key, |members| {
        let before = members.len();
        members.extend(scored);
        number(count(members.len() - before))
    })
}

fn in_order(members: &BTreeMap<String, f64>) -> Vec<(&str, f64)> {
    let mut all: Vec<(&str, f64)> =
        members.iter().map(|(name, score)| (name.as_str(), *score)).collect();
    all.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(b.0)));
    all
}

fn shown(
    members: &BTreeMap<String, f64>,
    (start, end): (i64, i64),
    scores: bool,
    reversed: bool,
) -> String {
    let mut all = in_order(members);
    if reversed {
        all.reverse();
    }
    let (from, to) = range(start, end, all.len());
    let mut words = Vec::new();
    for (name, score) in all.iter().skip(from).take(to.saturating_sub(from)) {
        words.push((*name).to_owned());
        if scores {
            words.push(score.to_string());
        }
    }
    array(words.iter().map(String::as_str))
}

fn members(
    db: &mut Db,
    key: &str,
    act: impl FnOnce(&mut BTreeMap<String, f64>) -> String,
) -> String {
    db.with(key, Value::Sorted(BTreeMap::new()), |value| match value {
        Value::Sorted(members) => Some(act(members)),
        _ => None,
    })
}
