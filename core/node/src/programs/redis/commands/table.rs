//! The commands that the server knows. Upstream: `src/commands/*.json` of `redis/redis`.

/// A command: how many words it has (at least as many, if negative), and whether it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    arity: i8,
    pub writes: bool,
}

impl Known {
    /// Whether it may have so many words, its name among them.
    pub fn takes(self, words: usize) -> bool {
        let words = i64::try_from(words).unwrap_or(i64::MAX);
        let arity = i64::from(self.arity);
        if arity < 0 { words >= -arity } else { words == arity }
    }
}

const READ: bool = false;
const WRITE: bool = true;

const COMMANDS: &[(&str, i8, bool)] = &[
    ("append", 3, WRITE),
    ("auth", -2, READ),
    ("bgsave", -1, READ),
    ("client", -2, READ),
    ("command", -1, READ),
    ("config", -2, READ),
    ("copy", -3, WRITE),
    ("dbsize", 1, READ),
    ("decr", 2, WRITE),
    ("decrby", 3, WRITE),
    ("del", -2, WRITE),
    ("discard", 1, READ),
    ("echo", 2, READ),
    ("exec", 1, READ),
    ("exists", -2, READ),
    ("expire", -3, WRITE),
    ("flushall", -1, WRITE),
    ("flushdb", -1, WRITE),
    ("get", 2, READ),
    ("getdel", 2, WRITE),
    ("getrange", 4, READ),
    ("getset", 3, WRITE),
    ("hdel", -3, WRITE),
    ("hello", -1, READ),
    ("hexists", 3, READ),
    ("hget", 3, READ),
    ("hgetall", 2, READ),
    ("hincrby", 4, WRITE),
    ("hkeys", 2, READ),
    ("hlen", 2, READ),
    ("hmget", -3, READ),
    ("hmset", -4, WRITE),
    ("hset", -4, WRITE),
    ("hsetnx", 4, WRITE),
    ("hvals", 2, READ),
    ("incr", 2, WRITE),
    ("incrby", 3, WRITE),
    ("incrbyfloat", 3, WRITE),
    ("info", -1, READ),
    ("keys", 2, READ),
    ("lastsave", 1, READ),
    ("lindex", 3, READ),
    ("llen", 2, READ),
    ("lpop", -2, WRITE),
    ("lpush", -3, WRITE),
    ("lrange", 4, READ),
    ("lrem", 4, WRITE),
    ("lset", 4, WRITE),
    ("ltrim", 4, WRITE),
    ("mget", -2, READ),
    ("mset", -3, WRITE),
    ("multi", 1, READ),
    ("persist", 2, WRITE),
    ("pexpire", -3, WRITE),
    ("ping", -1, READ),
    ("psetex", 4, WRITE),
    ("psync", -3, READ),
    ("pttl", 2, READ),
    ("quit", -1, READ),
    ("randomkey", 1, READ),
    ("rename", 3, WRITE),
    ("replconf", -1, READ),
    ("replicaof", 3, READ),
    ("role", 1, READ),
    ("rpop", -2, WRITE),
    ("rpoplpush", 3, WRITE),
    ("rpush", -3, WRITE),
    ("sadd", -3, WRITE),
    ("save", 1, READ),
    ("scan", -2, READ),
    ("scard", 2, READ),
    ("sdiff", -2, READ),
    ("select", 2, READ),
    ("set", -3, WRITE),
    ("setex", 4, WRITE),
    ("setnx", 3, WRITE),
    ("shutdown", -1, READ),
    ("sinter", -2, READ),
    ("sismember", 3, READ),
    ("slaveof", 3, READ),
    ("smembers", 2, READ),
    ("srem", -3, WRITE),
    ("strlen", 2, READ),
    ("sunion", -2, READ),
    ("time", 1, READ),
    ("ttl", 2, READ),
    ("type", 2, READ),
    ("unlink", -2, WRITE),
    ("zadd", -4, WRITE),
    ("zcard", 2, READ),
    ("zincrby", 4, WRITE),
    ("zrange", -4, READ),
    ("zrank", -3, READ),
    ("zrem", -3, WRITE),
    ("zrevrange", -4, READ),
    ("zscore", 3, READ),
];

/// The command of this name, in small letters.
pub fn find(name: &str) -> Option<Known> {
    let at = COMMANDS.binary_search_by(|(known, ..)| (*known).cmp(name)).ok()?;
    COMMANDS.get(at).map(|(_, arity, writes)| Known { arity: *arity, writes: *writes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_by_their_names() {
        assert!(COMMANDS.is_sorted());
        let get = find("get").unwrap();
        assert!(get.takes(2) && !get.takes(1) && !get.writes);
        let mget = find("mget").unwrap();
        assert!(mget.takes(5) && !mget.takes(1));
        assert_eq!(find("nosuch"), None);
    }
}
