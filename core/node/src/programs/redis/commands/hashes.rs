//! Commands on hashes.

use super::super::db::{Db, Value};
use super::super::resp::{array, bulk, number, ok};
use super::NOT_INTEGER;
use super::keys::count;
use naru_sim::Time;
use std::collections::BTreeMap;

pub fn run(db: &mut Db, name: &str, args: &[&str], _now: Time) -> Option<String> {
    Some(match (name, args) {
        ("hset" | "hmset", [_, pairs @ ..]) if pairs.len() % 2 == 1 => {
            format!("-ERR wrong number of arguments for '{name}' command\r\n")
        }
        ("hset" | "hmset", [key, pairs @ ..]) => hash(db, key, |hash| {
            let mut new = 0;
            for pair in pairs.chunks(2) {
                if let [field, value] = pair {
                    new +=
                        i64::from(hash.insert((*field).to_owned(), (*value).to_owned()).is_none());
                }
            }
            if name == "hset" { number(new) } else { ok() }
        }),
        ("hsetnx", [key, field, value]) => hash(db, key, |hash| {
            let free = !hash.contains_key(*field);
            if free {
                hash.insert((*field).to_owned(), (*value).to_owned());
            }
            number(i64::from(free))
        }),
        ("hget", [key, field]) => hash(db, key, |hash| bulk(hash.get(*field).map(String::as_str))),
        ("hmget", [key, fields @ ..]) => hash(db, key, |hash| {
            let values = fields.iter().map(|field| bulk(hash.get(*field).map(String::as_str)));
            format!("*{}\r\n{}", fields.len(), values.collect::<String>())
        }),
        ("hdel", [key, fields @ ..]) => hash(db, key, |hash| {
            number(count(fields.iter().filter(|field| hash.remove(**field).is_some()).count()))
        }),
        ("hexists", [key, field]) => {
            hash(db, key, |hash| number(i64::from(hash.contains_key(*field))))
        }
        ("hlen", [key]) => hash(db, key, |hash| number(count(hash.len()))),
        ("hkeys", [key]) => hash(db, key, |hash| array(hash.keys().map(String::as_str))),
        ("hvals", [key]) => hash(db, key, |hash| array(hash.values().map(String::as_str))),
        ("hgetall", [key]) => hash(db, key, |hash| {
            array(hash.iter().flat_map(|(field, value)| [field.as_str(), value.as_str()]))
        }),
        ("hincrby", [key, field, by]) => {
            let Ok(by) = by.parse::<i64>() else { return Some(NOT_INTEGER.to_owned()) };
            hash(db, key, |hash| {
                let old = hash.get(*field).map_or(Ok(0), |text| text.parse::<i64>());
                match old.map(|old| old.checked_add(by)) {
                    Ok(Some(sum)) => {
                        hash.insert((*field).to_owned(), sum.to_string());
                        number(sum)
                    }
                    Ok(None) => "-ERR increment or decrement would overflow\r\n".to_owned(),
                    Err(_) => "-ERR hash value is not an integer\r\n".to_owned(),
                }
            })
        }
        _ => return None,
    })
}

fn hash(
    db: &mut Db,
    key: &str,
    act: impl FnOnce(&mut BTreeMap<String, String>) -> String,
) -> String {
    db.with(key, Value::Hash(BTreeMap::new()), |value| match value {
        Value::Hash(hash) => Some(act(hash)),
        _ => None,
    })
}
