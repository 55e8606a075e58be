//! Commands, and which one a command line means.
//!
//! Upstream: `github.com/spf13/cobra`, by whose rules commands are found and misspelt ones guessed.

use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::flags::{self, FlagSet, Parsed};
use crate::process::Outcome;

/// A command of kubectl.
#[derive(Debug)]
pub struct Command {
    /// How it is called, and what follows: `delete ([-f FILENAME] | …)`.
    pub usage: &'static str,
    /// One line for the list of commands.
    pub short: &'static str,
    /// The first lines of its help; `short` where it is "".
    pub long: &'static str,
    /// Examples, one comment and one line each.
    pub examples: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// What people type who mean this command.
    pub suggest_for: &'static [&'static str],
    /// Its flags.
    pub flags: FlagSet,
    /// Flags without which it does not run.
    pub required: &'static [&'static str],
    /// Commands below it.
    pub subcommands: &'static [&'static Command],
    /// What it does.
    pub run: fn(&mut Context<'_>) -> Outcome,
}

impl Command {
    /// A command that only lists its subcommands; others are written with `..Command::EMPTY`.
    pub const EMPTY: Command = Command {
        usage: "",
        short: "",
        long: "",
        examples: "",
        aliases: &[],
        suggest_for: &[],
        flags: &[],
        required: &[],
        subcommands: &[],
        run: crate::cmd::run_group,
    };

    /// `get`.
    pub fn name(&self) -> &'static str {
        self.usage.split(' ').next().unwrap_or_default()
    }

    /// Whether this is its name, or one of its other names.
    pub fn answers_to(&self, name: &str) -> bool {
        self.name() == name || self.aliases.contains(&name)
    }
}

/// A command line, understood.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// From `kubectl` down to the command.
    pub path: Vec<&'static Command>,
    /// Its flags and arguments.
    pub flags: Parsed,
}

impl Invocation {
    /// The command.
    pub fn command(&self) -> &'static Command {
        self.path.last().copied().unwrap_or(&crate::cmd::KUBECTL)
    }

    /// `kubectl create deployment`.
    pub fn command_path(&self) -> String {
        let names: Vec<&str> = self.path.iter().map(|command| command.name()).collect();
        names.join(" ")
    }

    /// The whole line, flags last: what `--record` writes down.
    ///
    /// Upstream: `parseCommandArguments` of `genericclioptions`.
    pub fn command_line(&self) -> String {
        let mut words = vec![self.command_path()];
        words.extend(self.args().iter().cloned());
        words.extend(self.flags.given());
        words.join(" ")
    }

    /// Arguments that are no flags.
    pub fn args(&self) -> &[String] {
        &self.flags.args
    }

    /// An error about how the command was called.
    ///
    /// Upstream: `UsageErrorf`.
    pub fn usage_error(&self, text: impl std::fmt::Display) -> Failure {
        Failure::Message(format!("{text}\nSee '{} -h' for help and examples", self.command_path()))
    }
}

/// Finds the command that `arguments` (without `kubectl`) mean and parses its flags.
pub fn parse(arguments: &[String]) -> Result<Invocation> {
    let mut path: Vec<&'static Command> = vec![&crate::cmd::KUBECTL];
    let mut arguments = arguments.to_vec();
    while let Some(command) = path.last().copied() {
        let sets = [command.flags, crate::cmd::GLOBAL];
        let Some(word) = words(&sets, &arguments).into_iter().next() else { break };
        let Some(next) = crate::cmd::below(command).into_iter().find(|next| next.answers_to(&word))
        else {
            if path.len() == 1 {
                return Err(unknown_command(&word, &arguments));
            }
            break;
        };
        remove_word(&sets, &mut arguments, &word);
        path.push(next);
    }
    let mut invocation = Invocation { path, flags: Parsed::default() };
    let command = invocation.command();
    let sets = [command.flags, crate::cmd::GLOBAL];
    let flags = Parsed::parse(&sets, &arguments).map_err(|why| {
        let path = invocation.command_path();
        let hint = match command.name() {
            "options" => format!("Run '{path}' without flags."),
            "diff" => format!("See '{path} -h' for help and examples"),
            _ => format!("See '{path} --help' for usage."),
        };
        match command.name() {
            // 1 would say that there are differences.
            "diff" => Failure::Plain(format!("error: {why}\n{hint}"), 2),
            _ => Failure::Message(format!("{why}\n{hint}")),
        }
    })?;
    invocation.flags = flags.with_defaults(&sets);
    if !invocation.flags.help {
        check_required(&invocation)?;
    }
    Ok(invocation)
}

fn check_required(invocation: &Invocation) -> Result<()> {
    let missing: Vec<String> = invocation
        .command()
        .required
        .iter()
        .filter(|name| !invocation.flags.changed(name))
        .map(|name| format!("\"{name}\""))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::Message(format!("required flag(s) {} not set", missing.join(", "))))
}

/// Whether the value of a flag is the next word.
fn takes_next(sets: &[FlagSet], word: &str) -> bool {
    let needs = |flag: Option<&flags::Flag>| {
        flag.is_none_or(|f| !matches!(f.kind, flags::Kind::Bool | flags::Kind::Optional(_)))
    };
    if word.contains('=') {
        return false;
    }
    match word.strip_prefix("--") {
        Some(long) => needs(flags::find(sets, long)),
        None if word.starts_with('-') && word.len() == 2 => {
            let short = &word[1..];
            needs(
                sets.iter()
                    .flat_map(|s| s.iter())
                    .flat_map(|g| g.iter())
                    .find(|f| f.short == short),
            )
        }
        None => false,
    }
}

/// The words that are no flags and no values of flags: cobra's `stripFlags`.
fn words(sets: &[FlagSet], arguments: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        if word == "--" {
            break;
        }
        if takes_next(sets, word) {
            if rest.len() <= 1 {
                break;
            }
            rest.next();
        } else if !word.is_empty() && !word.starts_with('-') {
            found.push(word.clone());
        }
    }
    found
}

/// The words that are no flags, of a line that is still being typed: its last flag may still wait
/// for a value.
pub fn words_before_cursor(sets: &[FlagSet], arguments: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        if takes_next(sets, word) {
            rest.next();
        } else if !word.starts_with('-') {
            found.push(word.clone());
        }
    }
    found
}

/// Takes the first `word` that is no value of a flag out of `arguments`.
fn remove_word(sets: &[FlagSet], arguments: &mut Vec<String>, word: &str) {
    let mut index = 0;
    while let Some(argument) = arguments.get(index) {
        if argument == "--" {
            return;
        }
        if takes_next(sets, argument) {
            index += 2;
        } else if argument == word {
            arguments.remove(index);
            return;
        } else {
            index += 1;
        }
    }
}

fn unknown_command(word: &str, arguments: &[String]) -> Failure {
    if let Some(flag) = arguments.first().filter(|first| first.starts_with('-')) {
        let text = format!("Error: flags cannot be placed before plugin name: {flag}");
        return Failure::Plain(text, 1);
    }
    let mut text = format!("unknown command {} for \"kubectl\"", naru_api::gofmt::quote(word));
    let suggestions = suggestions(word);
    if !suggestions.is_empty() {
        text.push_str("\n\nDid you mean this?\n");
        suggestions.iter().for_each(|name| text.push_str(&format!("\t{name}\n")));
    }
    Failure::Message(text)
}

/// Commands that may have been meant: at most two letters away, longer, or known to be mistaken.
fn suggestions(word: &str) -> Vec<&'static str> {
    let lower = word.to_lowercase();
    let mut names = Vec::new();
    let listed = crate::cmd::GROUPS.iter().flat_map(|(_, commands)| commands.iter());
    for candidate in listed {
        let name = candidate.name();
        if distance(&lower, name) <= 2 || name.starts_with(&lower) {
            names.push(name);
        }
        if candidate.suggest_for.contains(&lower.as_str()) {
            names.push(name);
        }
    }
    names
}

/// Levenshtein's distance.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, b) in row.iter_mut().skip(1).zip(&other) {
            let cost = if a == *b { diagonal } else { 1 + diagonal.min(left).min(*cell) };
            diagonal = *cell;
            *cell = cost;
            left = cost;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn finds_the_command_among_flags() {
        for (text, path, args) in [
            ("-n x get pods", "kubectl get", vec!["pods"]),
            ("get -n x pods a", "kubectl get", vec!["pods", "a"]),
            ("create deploy web --image=x", "kubectl create deployment", vec!["web"]),
            ("config use kind", "kubectl config use-context", vec!["kind"]),
        ] {
            let invocation = parse(&line(text)).unwrap();
            assert_eq!(invocation.command_path(), path, "{text}");
            assert_eq!(invocation.args(), args, "{text}");
        }
    }

    // Expected texts: printed by kubectl v1.33.4.
    #[test]
    fn says_what_is_wrong_as_upstream_does() {
        for (text, expected) in [
            (
                "foo",
                "error: unknown command \"foo\" for \"kubectl\"\n\nDid you mean this?\n\ttop\n",
            ),
            (
                "creat",
                "error: unknown command \"creat\" for \"kubectl\"\n\nDid you mean this?\n\tcreate\n",
            ),
            ("get --foo", "error: unknown flag: --foo\nSee 'kubectl get --help' for usage."),
            (
                "get -zx",
                "error: unknown shorthand flag: 'z' in -zx\nSee 'kubectl get --help' for usage.",
            ),
            (
                "get -o",
                "error: flag needs an argument: 'o' in -o\nSee 'kubectl get --help' for usage.",
            ),
            (
                "get --output",
                "error: flag needs an argument: --output\nSee 'kubectl get --help' for usage.",
            ),
            (
                "scale --replicas=x deploy/a",
                "error: invalid argument \"x\" for \"--replicas\" flag: strconv.ParseInt: parsing \
                 \"x\": invalid syntax\nSee 'kubectl scale --help' for usage.",
            ),
            (
                "get --watch=maybe pods",
                "error: invalid argument \"maybe\" for \"-w, --watch\" flag: strconv.ParseBool: \
                 parsing \"maybe\": invalid syntax\nSee 'kubectl get --help' for usage.",
            ),
            (
                "delete pod a --timeout=x",
                "error: invalid argument \"x\" for \"--timeout\" flag: time: invalid duration \
                 \"x\"\nSee 'kubectl delete --help' for usage.",
            ),
            ("run a", "error: required flag(s) \"image\" not set"),
            ("get --=x", "error: bad flag syntax: --=x\nSee 'kubectl get --help' for usage."),
            ("--foo get pods", "Error: flags cannot be placed before plugin name: --foo"),
        ] {
            let (report, code) = parse(&line(text)).unwrap_err().report();
            assert_eq!((report.as_str(), code), (expected, 1), "{text}");
        }
    }

    #[test]
    fn distances() {
        for (one, other, expected) in [("", "ab", 2), ("foo", "top", 2), ("get", "get", 0)] {
            assert_eq!(distance(one, other), expected);
        }
    }
}
