//! Flags, by the rules of pflag: `--name value`, `--name=value`, `-w json`, `-wjson`, `--`.

use super::Failure;
use super::help::{self, Command};
use std::collections::BTreeMap;

/// What kind of value a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Text,
    Int,
    Duration,
}

/// A flag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flag {
    pub(super) name: &'static str,
    /// The letter, or ' '.
    pub(super) short: char,
    pub(super) kind: Kind,
    pub(super) default: &'static str,
    pub(super) help: &'static str,
}

/// The command line of one command, read.
#[derive(Clone, Debug, Default)]
pub(super) struct Parsed {
    values: BTreeMap<&'static str, String>,
    /// What is no flag.
    pub(super) args: Vec<String>,
}

impl Parsed {
    /// Reads the words that are not the command's own name. What is not set there may be set in
    /// the environment: `ETCDCTL_CACERT`.
    pub(super) fn read(
        command: &Command,
        words: &[String],
        env: &BTreeMap<String, String>,
    ) -> Result<Parsed, Failure> {
        let mut parsed = Parsed::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                parsed.args.extend(words.cloned());
                break;
            }
            if !word.starts_with('-') || word == "-" {
                parsed.args.push(word.clone());
                continue;
            }
            parsed.flag(command, word, &mut words).map_err(|why| help::misuse(command, &why))?;
        }
        for flag in help::GLOBAL {
            let name = format!("ETCDCTL_{}", flag.name.to_uppercase().replace('-', "_"));
            if let Some(value) = env.get(&name) {
                parsed.values.entry(flag.name).or_insert_with(|| value.clone());
            }
        }
        Ok(parsed)
    }

    fn flag<'w>(
        &mut self,
        command: &Command,
        word: &str,
        rest: &mut impl Iterator<Item = &'w String>,
    ) -> Result<(), String> {
        let (flag, shown, given) = match word.strip_prefix("--") {
            Some(long) => {
                let (name, given) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value)),
                    None => (long, None),
                };
                let flag = command.flag(|flag| flag.name == name);
                (flag.ok_or(format!("unknown flag: --{name}"))?, format!("--{name}"), given)
            }
            None => {
                let letters = word.strip_prefix('-').unwrap_or(word);
                let first = letters.chars().next().unwrap_or(' ');
                let found = command.flag(|flag| flag.short == first);
                let flag = found
                    .ok_or_else(|| format!("unknown shorthand flag: '{first}' in -{letters}"))?;
                let given = letters.get(first.len_utf8()..).filter(|given| !given.is_empty());
                (flag, format!("-{first}"), given.map(|v| v.strip_prefix('=').unwrap_or(v)))
            }
        };
        let value = match (given, flag.kind) {
            (Some(given), _) => given.to_owned(),
            (None, Kind::Bool) => "true".to_owned(),
            (None, _) => {
                let next = rest.next();
                let in_word = if flag.short != ' ' && !shown.starts_with("--") {
                    format!("'{}' in {shown}", flag.short)
                } else {
                    shown.clone()
                };
                next.cloned().ok_or_else(|| format!("flag needs an argument: {in_word}"))?
            }
        };
        if let Some(problem) = problem(flag, &value) {
            let short =
                if flag.short == ' ' { String::new() } else { format!("-{}, ", flag.short) };
            return Err(format!(
                "invalid argument {} for \"{short}--{}\" flag: {problem}",
                naru_api::gofmt::quote(&value),
                flag.name
            ));
        }
        self.values.insert(flag.name, value);
        Ok(())
    }

    /// The value of a flag; "" when it was not given.
    pub(super) fn text(&self, name: &str) -> &str {
        self.values.get(name).map(String::as_str).unwrap_or_default()
    }

    /// Whether a flag was given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Whether a flag is on.
    pub(super) fn is_on(&self, name: &str) -> bool {
        is_true(self.text(name)) == Some(true)
    }

    /// The value of a number; 0 when it was not given or is negative.
    pub(super) fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or(0)
    }

    /// The endpoints.
    pub(super) fn endpoints(&self) -> Vec<String> {
        match self.text("endpoints") {
            "" => vec!["127.0.0.1:2379".to_owned()],
            several => several.split(',').map(str::to_owned).collect(),
        }
    }
}

/// What `strconv.ParseBool` takes.
fn is_true(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// What is wrong with the value of a flag.
fn problem(flag: &Flag, value: &str) -> Option<String> {
    let parsing = |function: &str| {
        let quoted = naru_api::gofmt::quote(value);
        format!("strconv.{function}: parsing {quoted}: invalid syntax")
    };
    match flag.kind {
        Kind::Bool => is_true(value).is_none().then(|| parsing("ParseBool")),
        Kind::Int => value.parse::<i64>().is_err().then(|| parsing("ParseInt")),
        Kind::Text | Kind::Duration => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::help::COMMANDS;

    fn read(line: &str, env: &[(&str, &str)]) -> Result<Parsed, Failure> {
        let get = COMMANDS.iter().find(|command| command.name == "get").unwrap();
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Parsed::read(get, &words, &env.iter().map(own).collect())
    }

    #[test]
    fn flags_are_pflags() {
        let parsed = read("/a --prefix --limit=5 -wjson --rev 7 -- --b", &[]).unwrap();
        assert_eq!(parsed.args, ["/a", "--b"]);
        assert!(parsed.is_on("prefix") && !parsed.is_on("keys-only"));
        assert_eq!((parsed.number("limit"), parsed.number("rev")), (5, 7));
        assert_eq!(parsed.text("write-out"), "json");
        assert!(!read("--prefix=false", &[]).unwrap().is_on("prefix"));
    }

    #[test]
    fn the_environment_sets_what_the_line_does_not() {
        let env = [("ETCDCTL_ENDPOINTS", "a:1,b:2"), ("ETCDCTL_CACERT", "/ca")];
        let parsed = read("--cacert /other", &env).unwrap();
        assert_eq!(parsed.endpoints(), ["a:1", "b:2"]);
        assert_eq!(parsed.text("cacert"), "/other");
        assert_eq!(read("", &[]).unwrap().endpoints(), ["127.0.0.1:2379"]);
    }

    // The texts were printed by etcdctl v3.5.21.
    #[test]
    fn mistakes_are_told_as_etcdctl_tells_them() {
        let table = [
            ("--nope", "unknown flag: --nope"),
            ("-x", "unknown shorthand flag: 'x' in -x"),
            ("--limit", "flag needs an argument: --limit"),
            (
                "--rev=x",
                "invalid argument \"x\" for \"--rev\" flag: strconv.ParseInt: parsing \"x\": \
                 invalid syntax",
            ),
        ];
        for (line, why) in table {
            let failure = read(line, &[]).unwrap_err();
            assert_eq!(failure.err, format!("Error: {why}\n\nError: {why}\n"));
            assert!(failure.out.starts_with("NAME:\n\tget - Gets the key or a range of keys\n"));
        }
    }
}
