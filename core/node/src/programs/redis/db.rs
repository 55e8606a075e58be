//! One database of a server: keys, their values, and when they end.

use super::commands::WRONG_TYPE;
use naru_sim::Time;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What the server counts for a key beside its bytes.
const ENTRY_BYTES: usize = 72;

/// A value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    Text(String),
    List(VecDeque<String>),
    Hash(BTreeMap<String, String>),
    Set(BTreeSet<String>),
    /// Members and their scores.
    Sorted(BTreeMap<String, f64>),
}

impl Value {
    /// What `TYPE` says.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "string",
            Value::List(_) => "list",
            Value::Hash(_) => "hash",
            Value::Set(_) => "set",
            Value::Sorted(_) => "zset",
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Value::Text(_) => false,
            Value::List(list) => list.is_empty(),
            Value::Hash(hash) => hash.is_empty(),
            Value::Set(set) => set.is_empty(),
            Value::Sorted(members) => members.is_empty(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Value::Text(text) => text.len(),
            Value::List(list) => list.iter().map(|item| item.len() + 11).sum(),
            Value::Hash(hash) => hash.iter().map(|(key, value)| key.len() + value.len() + 22).sum(),
            Value::Set(set) => set.iter().map(|item| item.len() + 11).sum(),
            Value::Sorted(members) => members.keys().map(|item| item.len() + 30).sum(),
        }
    }
}

#[derive(Clone, Debug)]
struct Entry {
    value: Value,
    /// When it was used last, by the count of uses.
    used: u64,
    bytes: usize,
}

/// The database.
#[derive(Clone, Debug, Default)]
pub struct Db {
    entries: BTreeMap<String, Entry>,
    until: BTreeMap<String, Time>,
    due: BTreeSet<(Time, String)>,
    uses: u64,
    bytes: usize,
}

impl Db {
    /// Takes away what has ended.
    pub fn expire(&mut self, now: Time) {
        while let Some((at, key)) = self.due.first().cloned() {
            if at > now {
                return;
            }
            self.remove(&key);
            self.due.remove(&(at, key));
        }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many of them end.
    pub fn ending(&self) -> usize {
        self.until.len()
    }

    /// The memory of keys and values, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Whether there is such a key.
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// A value, which is used by that.
    pub fn get(&mut self, key: &str) -> Option<&Value> {
        self.uses += 1;
        let entry = self.entries.get_mut(key)?;
        entry.used = self.uses;
        Some(&entry.value)
    }

    /// Keys with values and ends, as they are stored.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value, Option<Time>)> {
        let end = |key: &String| self.until.get(key).copied();
        self.entries.iter().map(move |(key, entry)| (key.as_str(), &entry.value, end(key)))
    }

    /// Stores a value without an end.
    pub fn insert(&mut self, key: &str, value: Value) {
        self.remove(key);
        self.uses += 1;
        let bytes = key.len() + ENTRY_BYTES + value.bytes();
        self.bytes += bytes;
        self.entries.insert(key.to_owned(), Entry { value, used: self.uses, bytes });
    }

    /// Takes a key away.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.persist(key);
        let entry = self.entries.remove(key)?;
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        Some(entry.value)
    }

    /// Takes away the key that was used the longest ago, among those that end if `ending`.
    pub fn evict(&mut self, ending: bool) -> bool {
        let mut keys =
            self.entries.iter().filter(|(key, _)| !ending || self.until.contains_key(*key));
        let first = keys.next();
        let oldest = keys.fold(first, |oldest, next| match oldest {
            Some(oldest) if oldest.1.used <= next.1.used => Some(oldest),
            _ => Some(next),
        });
        let Some(key) = oldest.map(|(key, _)| key.clone()) else { return false };
        self.remove(&key).is_some()
    }

    /// When a key ends.
    pub fn end(&self, key: &str) -> Option<Time> {
        self.until.get(key).copied()
    }

    /// Lets a key end.
    pub fn end_at(&mut self, key: &str, at: Time) {
        self.persist(key);
        self.until.insert(key.to_owned(), at);
        self.due.insert((at, key.to_owned()));
    }

    /// Lets a key not end; tells whether it would have.
    pub fn persist(&mut self, key: &str) -> bool {
        match self.until.remove(key) {
            Some(at) => self.due.remove(&(at, key.to_owned())),
            None => false,
        }
    }

    /// Works on a value, `empty` if it is not there; what is empty afterwards is not kept. A value
    /// that `act` finds to be of another kind (`None`) is told to be so.
    pub fn with(
        &mut self,
        key: &str,
        empty: Value,
        act: impl FnOnce(&mut Value) -> Option<String>,
    ) -> String {
        self.uses += 1;
        let is_new = !self.entries.contains_key(key);
        let start = key.len() + ENTRY_BYTES;
        let entry =
            self.entries.entry(key.to_owned()).or_insert(Entry { value: empty, used: 0, bytes: 0 });
        entry.used = self.uses;
        let answer = act(&mut entry.value);
        let bytes = start + entry.value.bytes();
        self.bytes = (self.bytes + bytes).saturating_sub(entry.bytes);
        entry.bytes = bytes;
        if entry.value.is_empty() || (is_new && answer.is_none()) {
            self.remove(key);
        }
        answer.unwrap_or_else(|| WRONG_TYPE.to_owned())
    }
}
