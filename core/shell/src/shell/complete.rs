//! What Tab offers: commands, what a program says of its arguments, files, variables.
//!
//! Upstream: bash's own completion (`bashline.c`), and of bash-completion that commands which run
//! others are looked through.

use super::{Shell, builtins};
use crate::{Sys, join};

/// Most candidates of one completion.
const CANDIDATES_MAX: usize = 500;
/// Commands whose arguments are a command again.
const PREFIXES: [&str; 7] = ["sudo", "watch", "time", "nohup", "exec", "command", "xargs"];

/// What stands before the cursor.
#[derive(Debug, Default)]
struct Typed {
    /// The words of the last simple command before the one that is being typed.
    words: Vec<String>,
    /// The word that is being typed, without its quotes.
    current: String,
    /// Characters of it as it is typed.
    length: usize,
    /// The quote that is open in it.
    quote: Option<char>,
    /// It is the file of a redirection.
    redirects: bool,
}

impl Typed {
    fn of(before: &str) -> Typed {
        let mut typed = Typed::default();
        let mut chars = before.chars();
        while let Some(c) = chars.next() {
            typed.length += 1;
            match (c, typed.quote) {
                (c, Some(open)) if c == open => typed.quote = None,
                (c, Some(_)) => typed.current.push(c),
                ('\'' | '"', None) => typed.quote = Some(c),
                ('\\', None) => {
                    typed.current.extend(chars.next());
                    typed.length += 1;
                }
                (' ' | '\t', None) => typed.end_word(),
                ('|' | '&' | ';' | '(' | '\n' | '`', None) => typed = Typed::default(),
                ('<' | '>', None) => {
                    typed.current.clear();
                    (typed.length, typed.redirects) = (0, true);
                }
                (c, None) => typed.current.push(c),
            }
        }
        // `VAR=value` before a command is none of its words.
        let is_assignment = |word: &String| {
            word.split_once('=').is_some_and(|(name, _)| super::parse::is_name(name))
        };
        let assignments = typed.words.iter().take_while(|word| is_assignment(word)).count();
        typed.words.drain(..assignments);
        typed
    }

    fn end_word(&mut self) {
        let empty = self.current.is_empty();
        let word = std::mem::take(&mut self.current);
        if !empty && !std::mem::take(&mut self.redirects) {
            self.words.push(word);
        }
        self.length = 0;
    }

    /// Leaves out commands that only run another: `sudo`, `watch -n 1`.
    fn skip_prefixes(&mut self) {
        while self.words.first().is_some_and(|word| PREFIXES.contains(&word.as_str())) {
            self.words.remove(0);
            while self.words.first().is_some_and(|word| word.starts_with('-')) {
                let flag = self.words.remove(0);
                // `-n 1` has its value behind it.
                let number = |word: &String| word.parse::<f64>().is_ok();
                if flag.len() == 2 && self.words.first().is_some_and(number) {
                    self.words.remove(0);
                }
            }
        }
    }

    /// A candidate as it has to be typed.
    fn quoted(&self, candidate: &str) -> String {
        match self.quote {
            Some(open) => format!("{open}{candidate}"),
            None => {
                let special = |c: char| " \t'\"\\$`&|;()<>*?[]!#".contains(c);
                let mut quoted = String::new();
                for c in candidate.chars() {
                    if special(c) {
                        quoted.push('\\');
                    }
                    quoted.push(c);
                }
                quoted
            }
        }
    }
}

impl Shell {
    /// What the word before the cursor can become, and how many characters of it are typed.
    pub(super) fn completions(&self, sys: &mut dyn Sys, before: &str) -> (usize, Vec<String>) {
        let mut typed = Typed::of(before);
        typed.skip_prefixes();
        let mut candidates = if let Some(name) = typed.current.strip_prefix('$') {
            // It is a variable's sign, not a character of a name.
            let names = self.state.variables.keys().filter(|known| known.starts_with(name));
            let names: Vec<String> = names.map(|name| format!("${name}")).collect();
            return (typed.length, shortened(names));
        } else if typed.redirects {
            files_like(sys, self.state.text("HOME"), &typed.current, false)
        } else if typed.words.is_empty() && !typed.current.contains('/') {
            self.command_names(sys, &typed.current)
        } else {
            self.arguments(sys, &typed)
        };
        candidates = shortened(candidates);
        let mut quoted: Vec<String> =
            candidates.iter().map(|candidate| typed.quoted(candidate)).collect();
        if let ([only], Some(open)) = (quoted.as_mut_slice(), typed.quote)
            && !only.ends_with('/')
        {
            only.push(open);
        }
        (typed.length, quoted)
    }

    fn command_names(&self, sys: &mut dyn Sys, prefix: &str) -> Vec<String> {
        let mut names = builtins::programs_like(&self.state, sys, prefix);
        let own = builtins::names(self.state.flavor).map(str::to_string);
        let others = self.state.aliases.keys().chain(self.state.functions.keys()).cloned();
        names.extend(own.chain(others).filter(|name| name.starts_with(prefix)));
        names
    }

    fn arguments(&self, sys: &mut dyn Sys, typed: &Typed) -> Vec<String> {
        let mut words = typed.words.clone();
        // An alias is completed as what it stands for.
        if let Some(value) = words.first().and_then(|name| self.state.aliases.get(name)) {
            words.splice(..1, value.split_whitespace().map(str::to_string));
        }
        let name = words.first().map_or("", String::as_str);
        let program = builtins::find_program(&self.state, sys, name)
            .and_then(|path| {
                let path = sys.absolute(&path);
                sys.fs().program(&path)
            })
            .map_or_else(|| name.to_string(), |program| program.to_string());
        if let Some(completer) = sys.completer(&program) {
            let found = completer.complete(sys, &words, &typed.current);
            if !found.is_empty() {
                return found;
            }
        }
        let only_dirs = matches!(name, "cd" | "rmdir" | "pushd");
        files_like(sys, self.state.text("HOME"), &typed.current, only_dirs)
    }
}

fn shortened(mut candidates: Vec<String>) -> Vec<String> {
    candidates.sort();
    candidates.dedup();
    candidates.truncate(CANDIDATES_MAX);
    candidates
}

/// The files that begin like the word; directories end in a slash.
fn files_like(sys: &mut dyn Sys, home: &str, word: &str, only_dirs: bool) -> Vec<String> {
    let (dir, base) = match word.rfind('/') {
        Some(at) => word.split_at(at + 1),
        None => ("", word),
    };
    let path = match dir.strip_prefix("~/") {
        Some(rest) => join(home, rest),
        None => sys.absolute(dir),
    };
    let mut found = Vec::new();
    for entry in sys.fs().list(&path).unwrap_or_default() {
        if !entry.name.starts_with(base) || (base.is_empty() && entry.name.starts_with('.')) {
            continue;
        }
        let is_dir = sys.fs().is_dir(&join(&path, &entry.name));
        if is_dir || !only_dirs {
            found.push(format!("{dir}{}{}", entry.name, if is_dir { "/" } else { "" }));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_being_typed() {
        for (before, words, current, length) in [
            ("kubectl get po", "kubectl|get", "po", 2),
            ("a; kubectl ", "kubectl", "", 0),
            ("echo 'a b", "echo", "a b", 4),
            ("cat my\\ f", "cat", "my f", 5),
            ("x | gre", "", "gre", 3),
            ("cat <fi", "cat", "fi", 2),
            ("A=1 B= kubectl g", "kubectl", "g", 1),
            ("sudo watch -n 1 kubectl get p", "kubectl|get", "p", 1),
            ("echo > x y", "echo", "y", 1),
        ] {
            let mut typed = Typed::of(before);
            typed.skip_prefixes();
            let seen = (typed.words.join("|"), typed.current.as_str(), typed.length);
            assert_eq!(seen, (words.to_owned(), current, length), "{before}");
        }
    }

    #[test]
    fn candidates_are_quoted() {
        for (before, candidate, expected) in [
            ("cat my", "my file", "my\\ file"),
            ("cat 'my", "my file", "'my file"),
            ("cat a", "a(1)", "a\\(1\\)"),
        ] {
            assert_eq!(Typed::of(before).quoted(candidate), expected, "{before}");
        }
    }
}
