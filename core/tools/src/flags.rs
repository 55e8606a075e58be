//! Flags of programs of the host, as pflag reads them.

use std::collections::BTreeMap;

/// A flag: its name, its letter or "", and whether it takes a value.
pub type Known = (&'static str, &'static str, bool);

/// What a command line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Words that are no flags.
    pub words: Vec<String>,
    values: BTreeMap<&'static str, Vec<String>>,
    /// What stands after `--`.
    pub rest: Option<Vec<String>>,
}

impl Flags {
    /// Reads arguments. The error is pflag's.
    pub fn parse(args: &[String], known: &[Known]) -> Result<Flags, String> {
        let mut flags = Flags::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if arg == "--" {
                flags.rest = Some(args.cloned().collect());
                break;
            }
            let Some(name) = arg.strip_prefix('-').filter(|name| !name.is_empty()) else {
                flags.words.push(arg.clone());
                continue;
            };
            let (long, name) = match name.strip_prefix('-') {
                Some(name) => (true, name),
                None => (false, name),
            };
            let (name, given) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (name, None),
            };
            let found = known.iter().find(|(own, letter, _)| {
                if long { *own == name } else { *letter == name && !letter.is_empty() }
            });
            let Some((own, _, takes_value)) = found else {
                return Err(if long {
                    format!("unknown flag: --{name}")
                } else {
                    let letter = name.chars().next().unwrap_or_default();
                    format!("unknown shorthand flag: {letter:?} in {arg}")
                });
            };
            let value = match given {
                Some(value) => value,
                None if !takes_value => "true".to_owned(),
                None => args.next().cloned().ok_or_else(|| {
                    if long {
                        format!("flag needs an argument: --{name}")
                    } else {
                        format!("flag needs an argument: '{name}' in {arg}")
                    }
                })?,
            };
            flags.values.entry(own).or_default().push(value);
        }
        Ok(flags)
    }

    /// The last value of a flag.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.last().map(String::as_str)
    }

    /// Every value of a flag that may be repeated.
    pub fn values(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether a flag is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value != "false")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [Known; 3] = [("profile", "p", true), ("force", "f", false), ("hash", "", true)];

    fn parse(line: &str) -> Result<Flags, String> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Flags::parse(&args, &KNOWN)
    }

    #[test]
    fn flags_and_words_may_be_mixed() {
        let flags = parse("a --profile=x -f b --hash 1 --hash 2 -- c -d").unwrap();
        assert_eq!(flags.words, ["a", "b"]);
        assert_eq!(flags.value("profile"), Some("x"));
        assert!(flags.is_on("force") && !flags.is_on("hash2"));
        assert_eq!(flags.values("hash"), ["1", "2"]);
        assert_eq!(flags.rest, Some(vec!["c".to_owned(), "-d".to_owned()]));
    }

    #[test]
    fn mistakes_are_pflags() {
        assert_eq!(parse("--no").unwrap_err(), "unknown flag: --no");
        assert_eq!(parse("-x").unwrap_err(), "unknown shorthand flag: 'x' in -x");
        assert_eq!(parse("--profile").unwrap_err(), "flag needs an argument: --profile");
        assert_eq!(parse("-p").unwrap_err(), "flag needs an argument: 'p' in -p");
    }
}
