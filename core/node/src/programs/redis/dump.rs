//! The file of a server's data. Upstream: `src/rdb.c`; what stands in it is the sandbox's own.

use super::db::{Db, Value};
use naru_sim::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

const MAGIC: &[u8] = b"REDIS0012";

/// Databases by their numbers.
pub type Dbs = BTreeMap<usize, Db>;

#[derive(Serialize, Deserialize)]
struct Kept {
    db: usize,
    key: String,
    value: Value,
    /// Microseconds since the simulation's beginning.
    until: Option<u64>,
}

/// All data as the bytes of a file.
pub fn write(dbs: &Dbs) -> Vec<u8> {
    let mut kept = Vec::new();
    for (db, data) in dbs {
        for (key, value, until) in data.iter() {
            let until =
                until.map(|at| u64::try_from(at.since(Time::ZERO).as_micros()).unwrap_or(u64::MAX));
            kept.push(Kept { db: *db, key: key.to_owned(), value: value.clone(), until });
        }
    }
    let mut bytes = MAGIC.to_vec();
    bytes.extend(serde_json::to_vec(&kept).unwrap_or_default());
    bytes
}

/// The data of a file, how many keys it had, and how many of these have ended; `None` for a file
/// that is none.
pub fn read(bytes: &[u8], now: Time) -> Option<(Dbs, usize, usize)> {
    let kept: Vec<Kept> = serde_json::from_slice(bytes.strip_prefix(MAGIC)?).ok()?;
    let all = kept.len();
    let mut dbs = Dbs::new();
    let mut loaded = 0;
    for Kept { db, key, value, until } in kept {
        let until = until.map(|micros| Time::ZERO + Duration::from_micros(micros));
        if until.is_some_and(|at| at <= now) {
            continue;
        }
        loaded += 1;
        let data = dbs.entry(db).or_default();
        data.insert(&key, value);
        if let Some(at) = until {
            data.end_at(&key, at);
        }
    }
    Some((dbs, loaded, all - loaded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut dbs = Dbs::new();
        let data = dbs.entry(1).or_default();
        data.insert("a", Value::Text("x".to_owned()));
        data.insert("b", Value::Text("y".to_owned()));
        data.end_at("b", Time::from_secs(5));
        let bytes = write(&dbs);
        let (mut early, loaded, ended) = read(&bytes, Time::from_secs(1)).unwrap();
        assert_eq!((loaded, ended), (2, 0));
        assert!(early.get_mut(&1).unwrap().has("b"));
        let (_, loaded, ended) = read(&bytes, Time::from_secs(9)).unwrap();
        assert_eq!((loaded, ended), (1, 1));
        assert!(read(b"nonsense", Time::ZERO).is_none());
    }
}
