//! What a server is told: by its file, by its command line, by `CONFIG SET`.
//!
//! Upstream: `src/config.c`.

use std::collections::BTreeMap;

/// Names and what they are where nothing is said.
const DEFAULTS: &[(&str, &str)] = &[
    ("appenddirname", "appendonlydir"),
    ("appendfilename", "appendonly.aof"),
    ("appendfsync", "everysec"),
    ("appendonly", "no"),
    ("bind", "* -::*"),
    ("cluster-enabled", "no"),
    ("daemonize", "no"),
    ("databases", "16"),
    ("dbfilename", "dump.rdb"),
    ("dir", "/data"),
    ("hz", "10"),
    ("io-threads", "1"),
    ("lazyfree-lazy-eviction", "no"),
    ("logfile", ""),
    ("loglevel", "notice"),
    ("masterauth", ""),
    ("masteruser", ""),
    ("maxclients", "10000"),
    ("maxmemory", "0"),
    ("maxmemory-policy", "noeviction"),
    ("maxmemory-samples", "5"),
    ("min-replicas-to-write", "0"),
    ("notify-keyspace-events", ""),
    ("pidfile", ""),
    ("port", "6379"),
    ("protected-mode", "yes"),
    ("rdbcompression", "yes"),
    ("repl-backlog-size", "1048576"),
    ("repl-diskless-sync", "yes"),
    ("repl-ping-replica-period", "10"),
    ("repl-timeout", "60"),
    ("replica-announce-ip", ""),
    ("replica-announce-port", "0"),
    ("replica-priority", "100"),
    ("replica-read-only", "yes"),
    ("replica-serve-stale-data", "yes"),
    ("replicaof", ""),
    ("requirepass", ""),
    ("save", "3600 1 300 100 60 10000"),
    ("slowlog-log-slower-than", "10000"),
    ("slowlog-max-len", "128"),
    ("stop-writes-on-bgsave-error", "yes"),
    ("supervised", "no"),
    ("tcp-backlog", "511"),
    ("tcp-keepalive", "300"),
    ("timeout", "0"),
];
/// Names that cannot be changed while the server runs.
const FIXED: &[&str] = &[
    "appenddirname",
    "appendfilename",
    "cluster-enabled",
    "daemonize",
    "databases",
    "io-threads",
    "logfile",
    "pidfile",
    "replicaof",
    "supervised",
    "tcp-backlog",
];
const POLICIES: &[&str] = &[
    "allkeys-lfu",
    "allkeys-lru",
    "allkeys-random",
    "noeviction",
    "volatile-lfu",
    "volatile-lru",
    "volatile-random",
    "volatile-ttl",
];

/// All that is said.
#[derive(Clone, Debug)]
pub struct Config {
    values: BTreeMap<String, String>,
    /// The file that it was read from.
    pub file: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Config { values: DEFAULTS.iter().map(own).collect(), file: None }
    }
}

/// The name that a setting has now.
fn today(name: &str) -> String {
    let name = name.to_lowercase();
    match name.strip_prefix("slave-") {
        Some(rest) => format!("replica-{rest}"),
        None if name == "slaveof" => "replicaof".to_owned(),
        None => name,
    }
}

impl Config {
    /// What is said of a name; "" where nothing is.
    pub fn get(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// A number, 0 where it is none.
    pub fn number(&self, name: &str) -> u64 {
        self.get(name).parse().unwrap_or(0)
    }

    /// Whether it is switched on.
    pub fn is(&self, name: &str) -> bool {
        self.get(name) == "yes"
    }

    /// Whom this server follows.
    pub fn master(&self) -> Option<(String, u16)> {
        let (host, port) = self.get("replicaof").split_once(' ')?;
        Some((host.to_owned(), port.parse().ok()?))
    }

    /// Follows another server, or none.
    pub fn follow(&mut self, master: Option<(&str, u16)>) {
        let text = master.map(|(host, port)| format!("{host} {port}")).unwrap_or_default();
        self.values.insert("replicaof".to_owned(), text);
    }

    /// Names and values of those that fit a pattern of `CONFIG GET`.
    pub fn fitting(&self, fits: impl Fn(&str) -> bool) -> Vec<&str> {
        let shown = |(name, value)| -> [&str; 2] { [name, value] };
        let all = self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        all.filter(|(name, _)| fits(name)).flat_map(shown).collect()
    }

    /// Reads a file's text. The error names the line.
    pub fn read(&mut self, text: &str) -> Result<(), String> {
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = |why: String| {
                let number = index + 1;
                format!("Reading the configuration file, at line {number}\n>>> '{line}'\n{why}\n")
            };
            self.directive(&words(line)).map_err(at)?;
        }
        Ok(())
    }

    /// Reads what stands after the file's name on the command line: `--port 6380`.
    pub fn read_options(&mut self, args: &[String]) -> Result<(), String> {
        let mut lines: Vec<Vec<String>> = Vec::new();
        for arg in args {
            match (arg.strip_prefix("--"), lines.last_mut()) {
                (Some(name), _) => lines.push(vec![name.to_owned()]),
                (None, Some(line)) => line.push(arg.clone()),
                (None, None) => lines.push(vec![arg.clone()]),
            }
        }
        for (index, line) in lines.iter().enumerate() {
            let text = line.iter().map(|word| format!("\"{word}\"")).skip(1);
            let said: Vec<String> = line.first().cloned().into_iter().chain(text).collect();
            self.directive(line).map_err(|why| {
                format!(
                    "Reading the configuration file, at line {}\n>>> '{}'\n{why}\n",
                    index + 1,
                    said.join(" ")
                )
            })?;
        }
        Ok(())
    }

    fn directive(&mut self, words: &[String]) -> Result<(), String> {
        let bad = || "Bad directive or wrong number of arguments".to_owned();
        let (name, values) = words.split_first().ok_or_else(bad)?;
        let name = today(name);
        if !self.values.contains_key(&name) || values.is_empty() {
            return Err(bad());
        }
        let several = ["bind", "replicaof", "save"].contains(&name.as_str());
        if values.len() > 1 && !several {
            return Err(bad());
        }
        if name == "replicaof" && values.len() != 2 {
            return Err(bad());
        }
        let mut value = checked(&name, &values.join(" "))?;
        if name == "replicaof" && value.eq_ignore_ascii_case("no one") {
            value.clear();
        }
        self.values.insert(name, value);
        Ok(())
    }

    /// Changes a setting of a running server. The error is the answer's text.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let own = today(name);
        if !self.values.contains_key(&own) {
            return Err(format!("Unknown option or number of arguments for CONFIG SET - '{name}'"));
        }
        let failed = |why: &str| {
            format!("CONFIG SET failed (possibly related to argument '{name}') - {why}")
        };
        if FIXED.contains(&own.as_str()) {
            return Err(failed("can't set immutable config"));
        }
        let value = checked(&own, value).map_err(|why| failed(&why))?;
        self.values.insert(own, value);
        Ok(())
    }
}

/// The value as it is kept; the error says what it must be.
fn checked(name: &str, value: &str) -> Result<String, String> {
    let default = DEFAULTS.iter().find(|(known, _)| *known == name).map_or("", |(_, it)| *it);
    match (name, default) {
        ("maxmemory" | "repl-backlog-size", _) => memory(value)
            .map(|bytes| bytes.to_string())
            .ok_or_else(|| "argument must be a memory value".to_owned()),
        ("maxmemory-policy", _) if !POLICIES.contains(&value) => {
            Err("argument(s) must be one of the following: volatile-lru, volatile-lfu, \
             volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction"
                .to_owned())
        }
        (_, "yes" | "no") if !["yes", "no"].contains(&value.to_lowercase().as_str()) => {
            Err("argument must be 'yes' or 'no'".to_owned())
        }
        (_, "yes" | "no") => Ok(value.to_lowercase()),
        ("save", _) => Ok(value.trim_matches('"').to_owned()),
        (_, number) if number.parse::<i64>().is_ok() && value.parse::<i64>().is_err() => {
            Err("argument couldn't be parsed into an integer".to_owned())
        }
        _ => Ok(value.to_owned()),
    }
}

/// `2mb` in bytes. Upstream: `memtoull`.
fn memory(text: &str) -> Option<u64> {
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let factor = match unit.to_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1_000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// The words of a line, with quotes as `sdssplitargs` has them; what is open to the end is closed
/// there.
pub fn words(line: &str) -> Vec<String> {
    split(line).unwrap_or_default()
}

/// The words of a line; `None` where quotes do not fit.
pub fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut chars = line.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let Some(first) = chars.peek().copied() else { return Some(words) };
        let mut word = String::new();
        if first != '"' && first != '\'' {
            while let Some(c) = chars.next_if(|c| !c.is_whitespace()) {
                word.push(c);
            }
            words.push(word);
            continue;
        }
        chars.next();
        loop {
            match chars.next()? {
                c if c == first => break,
                '\\' if first == '"' => word.push(match chars.next()? {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    other => other,
                }),
                '\\' if chars.next_if_eq(&'\'').is_some() => word.push('\''),
                c => word.push(c),
            }
        }
        if chars.peek().is_some_and(|c| !c.is_whitespace()) {
            return None;
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read() {
        let mut config = Config::default();
        config.read("# a\nmaxmemory 2mb\nmaxmemory-policy allkeys-lru\nslaveof a 6379\n").unwrap();
        assert_eq!(config.get("maxmemory"), "2097152");
        assert_eq!(config.master(), Some(("a".to_owned(), 6379)));
        let table = [
            ("maxmem 2mb", "Bad directive or wrong number of arguments"),
            ("maxmemory 2xy", "argument must be a memory value"),
            ("appendonly maybe", "argument must be 'yes' or 'no'"),
        ];
        for (line, why) in table {
            let error = config.read(line).unwrap_err();
            let expected =
                format!("Reading the configuration file, at line 1\n>>> '{line}'\n{why}\n");
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn quotes() {
        let table = [
            ("a 'b c' \"d\\n\"", Some(vec!["a", "b c", "d\n"])),
            ("a \"b", None),
            ("'a'b", None),
            ("", Some(vec![])),
        ];
        for (line, expected) in table {
            let expected = expected.map(|it: Vec<&str>| it.iter().map(|w| w.to_string()).collect());
            assert_eq!(split(line), expected, "{line}");
        }
    }
}
