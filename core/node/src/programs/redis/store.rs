//! The data of a server: keys and their values.

use super::resp::{array, bulk, number, ok, unknown};
use naru_sim::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Keys of a server.
const KEYS_MAX: usize = 100_000;

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const NOT_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(String),
    List(VecDeque<String>),
    Hash(BTreeMap<String, String>),
    Set(BTreeSet<String>),
}

/// Keys and their values.
#[derive(Clone, Debug, Default)]
pub struct Store {
    values: BTreeMap<String, Value>,
    expiry: BTreeMap<String, Time>,
}

impl Store {
    /// Does one command; the answer is RESP.
    pub fn run(&mut self, words: &[String], now: Time) -> String {
        self.expire(now);
        let name = words.first().map(|word| word.to_lowercase()).unwrap_or_default();
        let args: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        match (name.as_str(), args.as_slice()) {
            ("ping", []) => "+PONG\r\n".to_owned(),
            ("ping" | "echo", [text]) => bulk(Some(text)),
            ("command" | "client" | "config" | "hello" | "quit" | "select", _) => ok(),
            ("dbsize", []) => number(self.values.len() as i64),
            ("flushall" | "flushdb", _) => {
                *self = Store::default();
                ok()
            }
            ("keys", [pattern]) => {
                let keys = self.values.keys().filter(|key| matches(pattern, key));
                array(keys.map(String::as_str))
            }
            ("exists", keys) => number(keys.iter().filter(|key| self.has(key)).count() as i64),
            ("del" | "unlink", keys) => {
                number(keys.iter().filter(|key| self.delete(key)).count() as i64)
            }
            ("type", [key]) => format!("+{}\r\n", self.kind(key)),
            ("expire", [key, seconds]) => self.set_expiry(key, seconds, now),
            ("persist", [key]) => number(i64::from(self.expiry.remove(*key).is_some())),
            ("ttl", [key]) => number(self.ttl(key, now)),
            ("info", _) => bulk(Some("# Server\r\nredis_mode:standalone\r\ntcp_port:6379\r\n")),
            _ if self.values.len() >= KEYS_MAX => {
                "-OOM command not allowed when used memory > 'maxmemory'.\r\n".to_owned()
            }
            _ => self.run_typed(&name, &args, now),
        }
    }

    fn run_typed(&mut self, name: &str, args: &[&str], now: Time) -> String {
        match (name, args) {
            ("set", [key, value, options @ ..]) => self.set(key, value, options, now),
            ("setnx", [key, value]) => {
                let free = !self.has(key);
                if free {
                    self.values.insert((*key).to_owned(), Value::Text((*value).to_owned()));
                }
                number(i64::from(free))
            }
            ("get", [key]) => match self.values.get(*key) {
                None => bulk(None),
                Some(Value::Text(text)) => bulk(Some(text)),
                Some(_) => WRONG_TYPE.to_owned(),
            },
            ("mget", keys) if !keys.is_empty() => {
                let texts = keys.iter().map(|key| match self.values.get(*key) {
                    Some(Value::Text(text)) => bulk(Some(text)),
                    _ => bulk(None),
                });
                format!("*{}\r\n{}", keys.len(), texts.collect::<String>())
            }
            ("append", [key, text]) => self.text(key, |old| {
                old.push_str(text);
                number(old.len() as i64)
            }),
            ("strlen", [key]) => self.text(key, |old| number(old.len() as i64)),
            ("incr", [key]) => self.add(key, 1),
            ("decr", [key]) => self.add(key, -1),
            ("incrby", [key, by]) => {
                by.parse().map_or_else(|_| NOT_INTEGER.to_owned(), |by| self.add(key, by))
            }
            ("decrby", [key, by]) => by
                .parse::<i64>()
                .map_or_else(|_| NOT_INTEGER.to_owned(), |by| self.add(key, by.saturating_neg())),
            ("lpush" | "rpush", [key, items @ ..]) if !items.is_empty() => self.list(key, |list| {
                for item in items {
                    match name {
                        "lpush" => list.push_front((*item).to_owned()),
                        _ => list.push_back((*item).to_owned()),
                    }
                }
                number(list.len() as i64)
            }),
            ("lpop", [key]) => self.list(key, |list| bulk(list.pop_front().as_deref())),
            ("rpop", [key]) => self.list(key, |list| bulk(list.pop_back().as_deref())),
            ("llen", [key]) => self.list(key, |list| number(list.len() as i64)),
            ("lrange", [key, start, end]) => match (start.parse(), end.parse()) {
                (Ok(start), Ok(end)) => self.list(key, |list| {
                    let (from, to) = range(start, end, list.len());
                    let items = list.iter().skip(from).take(to.saturating_sub(from));
                    array(items.map(String::as_str))
                }),
                _ => NOT_INTEGER.to_owned(),
            },
            ("hset", [key, pairs @ ..]) if !pairs.is_empty() && pairs.len() % 2 == 0 => {
                self.hash(key, |hash| {
                    let new = pairs.chunks(2).filter(|pair| match pair {
                        [field, value] => {
                            hash.insert((*field).to_owned(), (*value).to_owned()).is_none()
                        }
                        _ => false,
                    });
                    number(new.count() as i64)
                })
            }
            ("hget", [key, field]) => {
                self.hash(key, |hash| bulk(hash.get(*field).map(String::as_str)))
            }
            ("hdel", [key, field]) => {
                self.hash(key, |hash| number(i64::from(hash.remove(*field).is_some())))
            }
            ("hgetall", [key]) => self.hash(key, |hash| {
                array(hash.iter().flat_map(|(field, value)| [field.as_str(), value.as_str()]))
            }),
            ("sadd", [key, members @ ..]) if !members.is_empty() => self.members(key, |set| {
                let new = members.iter().filter(|member| set.insert((**member).to_owned()));
                number(new.count() as i64)
            }),
            ("srem", [key, member]) => {
                self.members(key, |set| number(i64::from(set.remove(*member))))
            }
            ("smembers", [key]) => self.members(key, |set| array(set.iter().map(String::as_str))),
            ("sismember", [key, member]) => {
                self.members(key, |set| number(i64::from(set.contains(*member))))
            }
            _ => unknown(name, args),
        }
    }

    fn expire(&mut self, now: Time) {
        let due: Vec<String> =
            self.expiry.iter().filter(|(_, at)| **at <= now).map(|(key, _)| key.clone()).collect();
        for key in due {
            self.delete(&key);
        }
    }

    fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    fn delete(&mut self, key: &str) -> bool {
        self.expiry.remove(key);
        self.values.remove(key).is_some()
    }

    fn kind(&self, key: &str) -> &'static str {
        match self.values.get(key) {
            None => "none",
            Some(Value::Text(_)) => "string",
            Some(Value::List(_)) => "list",
            Some(Value::Hash(_)) => "hash",
            Some(Value::Set(_)) => "set",
        }
    }

    fn set(&mut self, key: &str, value: &str, options: &[&str], now: Time) -> String {
        let mut expiry = None;
        let mut rest = options.iter();
        while let Some(option) = rest.next() {
            match option.to_lowercase().as_str() {
                "nx" if self.has(key) => return bulk(None),
                "xx" if !self.has(key) => return bulk(None),
                "nx" | "xx" => {}
                "ex" => match rest.next().and_then(|seconds| seconds.parse().ok()) {
                    Some(seconds) => expiry = Some(now + Duration::from_secs(seconds)),
                    None => return NOT_INTEGER.to_owned(),
                },
                _ => return "-ERR syntax error\r\n".to_owned(),
            }
        }
        self.delete(key);
        self.values.insert(key.to_owned(), Value::Text(value.to_owned()));
        self.expiry.extend(expiry.map(|at| (key.to_owned(), at)));
        ok()
    }

    fn set_expiry(&mut self, key: &str, seconds: &str, now: Time) -> String {
        match seconds.parse::<i64>() {
            Err(_) => NOT_INTEGER.to_owned(),
            Ok(_) if !self.has(key) => number(0),
            Ok(seconds) => {
                let seconds = u64::try_from(seconds).unwrap_or(0);
                self.expiry.insert(key.to_owned(), now + Duration::from_secs(seconds));
                number(1)
            }
        }
    }

    fn ttl(&self, key: &str, now: Time) -> i64 {
        match (self.has(key), self.expiry.get(key)) {
            (false, _) => -2,
            (true, None) => -1,
            (true, Some(at)) => {
                i64::try_from(at.since(now).as_millis().div_ceil(1_000)).unwrap_or(0)
            }
        }
    }

    fn add(&mut self, key: &str, by: i64) -> String {
        self.text(key, |text| {
            let old = if text.is_empty() { Ok(0) } else { text.parse::<i64>() };
            match old.ok().and_then(|old| old.checked_add(by)) {
                Some(sum) => {
                    *text = sum.to_string();
                    number(sum)
                }
                None => NOT_INTEGER.to_owned(),
            }
        })
    }

    fn text(&mut self, key: &str, act: impl FnOnce(&mut String) -> String) -> String {
        let empty = || Value::Text(String::new());
        self.with(key, empty, |value| match value {
            Value::Text(text) => Some(act(text)),
            _ => None,
        })
    }

    fn list(&mut self, key: &str, act: impl FnOnce(&mut VecDeque<String>) -> String) -> String {
        let empty = || Value::List(VecDeque::new());
        self.with(key, empty, |value| match value {
            Value::List(list) => Some(act(list)),
            _ => None,
        })
    }

    fn hash(
        &mut self,
        key: &str,
        act: impl FnOnce(&mut BTreeMap<String, String>) -> String,
    ) -> String {
        let empty = || Value::Hash(BTreeMap::new());
        self.with(key, empty, |value| match value {
            Value::Hash(hash) => Some(act(hash)),
            _ => None,
        })
    }

    fn members(&mut self, key: &str, act: impl FnOnce(&mut BTreeSet<String>) -> String) -> String {
        let empty = || Value::Set(BTreeSet::new());
        self.with(key, empty, |value| match value {
            Value::Set(set) => Some(act(set)),
            _ => None,
        })
    }

    /// Works on a value, empty if it is not there; what is empty afterwards is not kept.
    fn with(
        &mut self,
        key: &str,
        empty: impl FnOnce() -> Value,
        act: impl FnOnce(&mut Value) -> Option<String>,
    ) -> String {
        let value = self.values.entry(key.to_owned()).or_insert_with(empty);
        let answer = act(value);
        let is_empty = match value {
            Value::Text(text) => text.is_empty(),
            Value::List(list) => list.is_empty(),
            Value::Hash(hash) => hash.is_empty(),
            Value::Set(set) => set.is_empty(),
        };
        if is_empty {
            self.delete(key);
        }
        answer.unwrap_or_else(|| WRONG_TYPE.to_owned())
    }
}

/// The places from `start` to `end`, which count from the end if negative.
fn range(start: i64, end: i64, length: usize) -> (usize, usize) {
    let place = |at: i64| {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        let at = if at < 0 { at.saturating_add(length) } else { at };
        usize::try_from(at.max(0)).unwrap_or(usize::MAX)
    };
    let end = if end < 0 && end.unsigned_abs() > length as u64 { 0 } else { place(end) + 1 };
    (place(start), end.min(length))
}

/// Redis' glob patterns, as far as `*` and `?` go.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let mut reach = vec![false; text.len() + 1];
    if let Some(first) = reach.first_mut() {
        *first = true;
    }
    for part in pattern {
        let mut next = vec![false; text.len() + 1];
        let mut open = false;
        for (at, slot) in next.iter_mut().enumerate() {
            let here = reach.get(at).copied().unwrap_or(false);
            let before = at.checked_sub(1);
            let one = before.and_then(|at| reach.get(at).copied()).unwrap_or(false);
            let letter = before.and_then(|at| text.get(at));
            open |= here;
            *slot = match part {
                '*' => open,
                '?' => one,
                other => one && letter == Some(&other),
            };
        }
        reach = next;
    }
    reach.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::super::resp::show;
    use super::*;

    fn session(commands: &[&str]) -> Vec<String> {
        let mut store = Store::default();
        commands
            .iter()
            .map(|command| {
                let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
                let answer = store.run(&words, Time::ZERO);
                show(answer.as_bytes(), 0, true, "").unwrap().0.trim_end().to_owned()
            })
            .collect()
    }

    #[test]
    fn values_of_every_kind() {
        let answers = session(&[
            "SET a 1",
            "GET a",
            "INCR a",
            "INCRBY a 40",
            "GET none",
            "LPUSH l x y",
            "LRANGE l 0 -1",
            "GET l",
            "HSET h f v",
            "HGET h f",
            "SADD s m m",
            "TYPE s",
            "DEL a l",
            "EXISTS a h",
            "KEYS *",
            "NOSUCH x",
            "GET",
        ]);
        let expected = [
            "OK",
            "\"1\"",
            "(integer) 2",
            "(integer) 42",
            "(nil)",
            "(integer) 2",
            "1) \"y\"\n2) \"x\"",
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value",
            "(integer) 1",
            "\"v\"",
            "(integer) 1",
            "set",
            "(integer) 2",
            "(integer) 1",
            "1) \"h\"\n2) \"s\"",
            "(error) ERR unknown command 'nosuch', with args beginning with: 'x'",
            "(error) ERR wrong number of arguments for 'get' command",
        ];
        assert_eq!(answers, expected);
    }

    #[test]
    fn keys_expire() {
        let mut store = Store::default();
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        store.run(&words("SET a 1 EX 10"), Time::ZERO);
        assert_eq!(store.run(&words("TTL a"), Time::from_millis(500)), ":10\r\n");
        assert_eq!(store.run(&words("GET a"), Time::from_secs(10)), "$-1\r\n");
    }

    #[test]
    fn patterns() {
        for (pattern, text, fits) in
            [("*", "a", true), ("a*", "abc", true), ("a?c", "abc", true), ("b*", "abc", false)]
        {
            assert_eq!(matches(pattern, text), fits, "{pattern}");
        }
    }
}
