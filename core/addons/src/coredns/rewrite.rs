//! The plugin `rewrite`, as far as it changes names.
//!
//! Upstream: `plugin/rewrite/name.go`.

use naru_network::dns::{Data, Message, Name};
use regex_lite::Regex;

/// One rule: `name exact|prefix|suffix|substring|regex FROM TO`.
#[derive(Clone, Debug)]
pub struct Rewrite {
    kind: Kind,
    to: String,
    /// Answers get the name back that was asked for.
    reverts: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    Exact(String),
    Prefix(String),
    Suffix(String),
    Substring(String),
    Regex(Regex),
}

impl PartialEq for Rewrite {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}

impl Rewrite {
    /// Reads a directive's words and the lines of its block; other rules than those for names
    /// change nothing here.
    pub fn read(args: &[&str], block: &[Vec<&str>]) -> Result<Option<Rewrite>, String> {
        let args = match args {
            ["stop" | "continue", rest @ ..] => rest,
            all => all,
        };
        let lines = || std::iter::once(args).chain(block.iter().map(Vec::as_slice));
        let rule = lines().find_map(|words| match words {
            ["name", rest @ ..] | ["name:", rest @ ..] => Some(rest),
            _ => None,
        });
        let Some(rule) = rule else {
            return match args {
                [] if block.is_empty() => Err("too few arguments".to_owned()),
                _ => Ok(None),
            };
        };
        let answers = lines().any(|words| words.contains(&"answer"));
        let plain = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
        let (kind, to) = match rule {
            [from, to] | ["exact", from, to, ..] => (Kind::Exact(plain(from)), to),
            ["prefix", from, to, ..] => (Kind::Prefix(plain(from)), to),
            ["suffix", from, to, ..] => (Kind::Suffix(plain(from)), to),
            ["substring", from, to, ..] => (Kind::Substring(plain(from)), to),
            ["regex", from, to, ..] => {
                let regex = Regex::new(from);
                (
                    Kind::Regex(
                        regex
                            .map_err(|_| format!("invalid regex pattern in a name rule: {from}"))?,
                    ),
                    to,
                )
            }
            _ => return Err("a name rule must have 2 or more arguments".to_owned()),
        };
        let reverts = answers || matches!(kind, Kind::Exact(_));
        Ok(Some(Rewrite { kind, to: plain(to), reverts }))
    }

    /// What is asked instead of `name`, and whether answers tell the name that was asked for.
    pub fn apply(&self, name: &Name) -> Option<(Name, bool)> {
        let lower = name.lower();
        let text = lower.as_str();
        let to = &self.to;
        let new = match &self.kind {
            Kind::Exact(from) => (from == text).then(|| to.clone())?,
            Kind::Prefix(from) => format!("{to}{}", text.strip_prefix(from.as_str())?),
            Kind::Suffix(from) => {
                let whole = text.strip_suffix(from.as_str())?;
                format!("{whole}{to}")
            }
            Kind::Substring(from) => text.contains(from).then(|| text.replace(from, to))?,
            Kind::Regex(regex) => {
                // The pattern is written for the name with its last dot.
                let dotted = format!("{text}.");
                let found = regex.captures(&dotted).or_else(|| regex.captures(text))?;
                let mut new = to.clone();
                for (index, group) in found.iter().enumerate() {
                    let group = group.map_or("", |group| group.as_str());
                    new = new.replace(&format!("{{{index}}}"), group);
                }
                new
            }
        };
        Some((Name::parse(&new).ok()?, self.reverts))
    }
}

/// Gives answers back the name that was asked for.
pub fn revert(reply: &mut Message, asked: &Name, instead: &Name) {
    for record in &mut reply.answers {
        if record.name.lower() == instead.lower() {
            record.name = asked.clone();
        }
        if let Data::Cname(target) | Data::Ptr(target) = &mut record.data
            && target.lower() == instead.lower()
        {
            *target = asked.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_rewritten() {
        for (rule, asked, expected) in [
            ("name a.b c.d", "A.b", Some("c.d")),
            ("name a.b c.d", "x.a.b", None),
            ("stop name exact a.b. c.d.", "a.b", Some("c.d")),
            ("name prefix old- new-", "old-a.b", Some("new-a.b")),
            (
                "name suffix .example.org .default.svc.cluster.local",
                "web.example.org",
                Some("web.default.svc.cluster.local"),
            ),
            ("name substring staging prod", "a.staging.b", Some("a.prod.b")),
            (
                r"name regex (.*)\.us\.example {1}.default.svc",
                "web.us.example",
                Some("web.default.svc"),
            ),
            ("type ANY HINFO", "a.b", None),
        ] {
            let words: Vec<&str> = rule.split(' ').collect();
            let name = Name::parse(asked).unwrap();
            let rule = Rewrite::read(&words, &[]).unwrap();
            let found = rule.and_then(|rule| rule.apply(&name)).map(|(name, _)| name.to_string());
            assert_eq!(found.as_deref(), expected, "{words:?}");
        }
        assert!(Rewrite::read(&["name", "a"], &[]).is_err());
        assert!(Rewrite::read(&[], &[]).is_err());
    }
}
