//! History expansion in what a person types into bash: `!!`, `!$`, `!-2:1`, `^old^new`.
//!
//! Upstream: `lib/readline/histexpand.c`, and bash's manual, "HISTORY EXPANSION".

/// Most characters that an expansion may make of a line.
const LINE_CHARS_MAX: usize = 256 << 10;

/// An expanded line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expanded {
    /// The line.
    pub text: String,
    /// `:p`: it is not to be run.
    pub only_shown: bool,
}

/// Expands a line; `None` if there is nothing to expand in it. `quoted`: it begins within single
/// quotes. `Err` is the message.
pub fn expand(line: &str, history: &[String], quoted: bool) -> Result<Option<Expanded>, String> {
    // `^old^new^` is short for `!!:s^old^new^`.
    let quick = line.starts_with('^') && !quoted;
    let chars: Vec<char> =
        if quick { format!("!!:s{line}").chars().collect() } else { line.chars().collect() };
    let mut reader = Reader {
        chars,
        at: 0,
        history,
        out: String::new(),
        found: None,
        changes: 0,
        only_shown: false,
    };
    reader.line(quoted)?;
    let Reader { out: text, changes, only_shown, .. } = reader;
    if text.len() > LINE_CHARS_MAX {
        return Err("line too long".to_owned());
    }
    Ok((changes > 0).then_some(Expanded { text, only_shown }))
}

struct Reader<'a> {
    chars: Vec<char>,
    at: usize,
    history: &'a [String],
    out: String,
    /// The word that `!?text?` has matched.
    found: Option<String>,
    changes: usize,
    only_shown: bool,
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn line(&mut self, quoted: bool) -> Result<(), String> {
        let (mut single, mut double) = (quoted, false);
        while let Some(c) = self.peek(0) {
            match c {
                '\\' if !single => {
                    self.out.push(c);
                    self.out.extend(self.peek(1));
                    self.at += 2;
                    continue;
                }
                '\'' if !double => single = !single,
                '"' if !single => double = !double,
                '!' if !single && self.is_event(double) => {
                    self.at += 1;
                    self.changes += 1;
                    let text = self.event(double)?;
                    self.out.push_str(&text);
                    if self.out.len() > LINE_CHARS_MAX {
                        return Ok(());
                    }
                    continue;
                }
                _ => {}
            }
            self.out.push(c);
            self.at += 1;
        }
        Ok(())
    }

    /// Whether the `!` here means something: not at the end or before a blank, `=` or `(`, and
    /// neither in `$!`, `${!name}` nor `[!a]`.
    fn is_event(&self, double: bool) -> bool {
        let after = self
            .peek(1)
            .is_some_and(|c| !c.is_whitespace() && c != '=' && c != '(' && !(double && c == '"'));
        let inhibited =
            self.out.ends_with('$') || self.out.ends_with("${") || self.out.ends_with('[');
        after && !inhibited
    }

    /// What an event, its words and modifiers stand for; the `!` was taken.
    fn event(&mut self, double: bool) -> Result<String, String> {
        let line = self.chosen_line(double)?;
        let text = match self.designator() {
            Some(designator) => self.words(&line, &designator)?,
            None => line,
        };
        self.modified(text)
    }

    fn take_while(&mut self, holds: impl Fn(char) -> bool) -> String {
        let rest = self.chars.get(self.at..).unwrap_or_default();
        let taken: String = rest.iter().copied().take_while(|c| holds(*c)).collect();
        self.at += taken.chars().count();
        taken
    }

    fn chosen_line(&mut self, double: bool) -> Result<String, String> {
        let not_found = |name: &str| format!("!{name}: event not found");
        let last = || self.history.last().cloned();
        match self.peek(0).unwrap_or_default() {
            '!' => {
                let line = last().ok_or_else(|| not_found("!"));
                self.at += 1;
                line
            }
            '#' => {
                self.at += 1;
                Ok(self.out.clone())
            }
            '^' | '$' | '*' | ':' | '%' => last().ok_or_else(|| not_found("")),
            '?' => {
                self.at += 1;
                let text = self.take_while(|c| c != '?' && c != '\n');
                self.at += usize::from(self.peek(0) == Some('?'));
                let line = self.history.iter().rev().find(|line| line.contains(&text));
                let line = line.cloned().ok_or_else(|| not_found(&format!("?{text}")))?;
                self.found = words_of(&line).into_iter().find(|word| word.contains(&text));
                Ok(line)
            }
            '-' if self.peek(1).is_some_and(|c| c.is_ascii_digit()) => {
                self.at += 1;
                let digits = self.take_while(|c| c.is_ascii_digit());
                let back: usize = digits.parse().unwrap_or(usize::MAX);
                let place = self.history.len().checked_sub(back);
                let line = place.and_then(|place| self.history.get(place)).cloned();
                line.ok_or_else(|| not_found(&format!("-{digits}")))
            }
            c if c.is_ascii_digit() => {
                let digits = self.take_while(|c| c.is_ascii_digit());
                let number: usize = digits.parse().unwrap_or(usize::MAX);
                let place = number.checked_sub(1);
                let line = place.and_then(|place| self.history.get(place)).cloned();
                line.ok_or_else(|| not_found(&digits))
            }
            _ => {
                let ends = |c: char| {
                    c.is_whitespace() || ":^$*%;&()|<>".contains(c) || (double && c == '"')
                };
                let text = self.take_while(|c| !ends(c));
                let line = self.history.iter().rev().find(|line| line.starts_with(&text));
                line.cloned().ok_or_else(|| not_found(&text))
            }
        }
    }

    /// `:2-3`, `$`, `:*`: which words of the line; `None`: all of it.
    fn designator(&mut self) -> Option<String> {
        let colon = usize::from(self.peek(0) == Some(':'));
        let first = self.peek(colon)?;
        let second = self.peek(colon + 1);
        let begins = match first {
            '^' | '$' | '*' | '%' => true,
            '-' => colon == 1 || second.is_some_and(|c| c.is_ascii_digit()),
            c => colon == 1 && c.is_ascii_digit(),
        };
        if !begins {
            return None;
        }
        self.at += colon;
        let mut text = self.word_number();
        if text != "*" && text != "%" && self.peek(0) == Some('-') {
            self.at += 1;
            text.push('-');
            text.push_str(&self.word_number());
        } else if text != "*" && text != "%" && self.peek(0) == Some('*') {
            self.at += 1;
            text.push('*');
        }
        Some(text)
    }

    fn word_number(&mut self) -> String {
        match self.peek(0) {
            Some(c @ ('^' | '$' | '*' | '%')) => {
                self.at += 1;
                c.to_string()
            }
            _ => self.take_while(|c| c.is_ascii_digit()),
        }
    }

    fn words(&self, line: &str, designator: &str) -> Result<String, String> {
        let bad = || format!(":{designator}: bad word specifier");
        let words = words_of(line);
        let last = words.len().saturating_sub(1);
        if designator == "%" {
            return self.found.clone().ok_or_else(bad);
        }
        let number = |text: &str, otherwise: usize| match text {
            "" => Some(otherwise),
            "^" => Some(1),
            "$" => Some(last),
            text => text.parse().ok(),
        };
        let (from, to) = if designator == "*" {
            (1, last)
        } else if let Some(from) = designator.strip_suffix('*') {
            (number(from, 0).ok_or_else(bad)?, last)
        } else if let Some((from, to)) = designator.split_once('-') {
            let from = number(from, 0).ok_or_else(bad)?;
            (from, number(to, last.saturating_sub(1)).ok_or_else(bad)?)
        } else {
            let one = number(designator, 0).ok_or_else(bad)?;
            (one, one)
        };
        // `*` of a command without arguments is nothing.
        if designator.ends_with('*') && from == last + 1 {
            return Ok(String::new());
        }
        let chosen = if to < from { None } else { words.get(from..=to) };
        chosen.map(|words| words.join(" ")).ok_or_else(bad)
    }

    /// `:h`, `:s/old/new/` and their like.
    fn modified(&mut self, mut text: String) -> Result<String, String> {
        while self.peek(0) == Some(':') {
            let global = matches!(self.peek(1), Some('g' | 'a'));
            let Some(modifier) = self.peek(1 + usize::from(global)) else { break };
            if !"htrepqxs".contains(modifier) {
                break;
            }
            self.at += 2 + usize::from(global);
            text = match modifier {
                'h' => text.rsplit_once('/').map_or(text.clone(), |(head, _)| head.to_owned()),
                't' => text.rsplit('/').next().unwrap_or_default().to_owned(),
                'r' => text.rsplit_once('.').map_or(text.clone(), |(stem, _)| stem.to_owned()),
                'e' => text.rsplit_once('.').map_or(String::new(), |(_, end)| format!(".{end}")),
                'p' => {
                    self.only_shown = true;
                    text
                }
                's' => self.substituted(&text, global)?,
                _ => super::quote(&text),
            };
        }
        Ok(text)
    }

    fn substituted(&mut self, text: &str, global: bool) -> Result<String, String> {
        let Some(mark) = self.peek(0) else { return Ok(text.to_owned()) };
        self.at += 1;
        let old = self.take_while(|c| c != mark);
        self.at += 1;
        let new = self.take_while(|c| c != mark);
        self.at += usize::from(self.peek(0) == Some(mark));
        if old.is_empty() || !text.contains(&old) {
            return Err(format!(":s{mark}{old}{mark}{new}: substitution failed"));
        }
        let new = new.replace('&', &old);
        if text.matches(&old).count().saturating_mul(new.len()) > LINE_CHARS_MAX {
            return Err("line too long".to_owned());
        }
        Ok(if global { text.replace(&old, &new) } else { text.replacen(&old, &new, 1) })
    }
}

/// The words of a line, as the history counts them: operators are words of their own.
fn words_of(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, Some(open)) if c == open => {
                quote = None;
                word.push(c);
            }
            ('\\', _) => {
                word.push(c);
                word.extend(chars.next());
            }
            (c, Some(_)) => word.push(c),
            ('\'' | '"' | '`', None) => {
                quote = Some(c);
                word.push(c);
            }
            (c, None) if c.is_whitespace() => words.extend(take_word(&mut word)),
            (';' | '&' | '|' | '<' | '>' | '(' | ')', None) => {
                words.extend(take_word(&mut word));
                let doubled = !matches!(c, '(' | ')') && chars.next_if_eq(&c).is_some();
                words.push(if doubled { format!("{c}{c}") } else { c.to_string() });
            }
            (c, None) => word.push(c),
        }
    }
    words.extend(take_word(&mut word));
    words
}

fn take_word(word: &mut String) -> Option<String> {
    Some(std::mem::take(word)).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> Vec<String> {
        ["ls -l /tmp", "kubectl get pods -n web", "echo 'a b' c | wc", "cat dir/file.txt"]
            .map(str::to_owned)
            .to_vec()
    }

    #[test]
    fn events_and_words() {
        for (line, expected) in [
            ("sudo !!", "sudo cat dir/file.txt"),
            ("!kub -w", "kubectl get pods -n web -w"),
            ("!1", "ls -l /tmp"),
            ("!-3:0-2", "kubectl get pods"),
            ("!?pods?:%", "pods"),
            ("vi !$", "vi dir/file.txt"),
            ("vi !$:h/x !$:t !$:r !$:e", "vi dir/x file.txt dir/file .txt"),
            ("!echo:1", "'a b'"),
            ("!echo:2*", "c | wc"),
            ("x !kubectl:*", "x get pods -n web"),
            ("x !ls:^ !ls:-", "x -l ls -l"),
            ("^file^other", "cat dir/other.txt"),
            ("!ls:s/tmp/etc/ x", "ls -l /etc x"),
            ("!cat:gs/t/T/", "caT dir/file.TxT"),
            ("ab !#", "ab ab "),
            ("echo \"!!\"", "echo \"cat dir/file.txt\""),
        ] {
            let expanded = expand(line, &history(), false);
            let text = expanded.map(|expanded| expanded.map(|expanded| expanded.text));
            assert_eq!(text, Ok(Some(expected.to_owned())), "{line}");
        }
        let shown = expand("!ls:p", &history(), false).unwrap().unwrap();
        assert!(shown.only_shown);
    }

    #[test]
    fn what_is_left_alone() {
        for line in [
            "echo '!!'",
            "[ ! -f x ]",
            "echo hi!",
            "a != b",
            "echo \\!x",
            "echo $! ${!x} [!a]",
            "if ! true; then",
            "echo \"hi!\"",
            "!(a)",
            "a ^b^c",
        ] {
            assert_eq!(expand(line, &history(), false), Ok(None), "{line}");
        }
        assert_eq!(expand("!!", &history(), true), Ok(None));
    }

    #[test]
    fn errors_are_those_of_bash() {
        for (line, message) in [
            ("!foo", "!foo: event not found"),
            ("!99", "!99: event not found"),
            ("!-9 x", "!-9: event not found"),
            ("!?zz", "!?zz: event not found"),
            ("!!:9", ":9: bad word specifier"),
            ("^x9^y", ":s^x9^y: substitution failed"),
        ] {
            assert_eq!(expand(line, &history(), false), Err(message.to_owned()), "{line}");
        }
        assert_eq!(expand("!!", &[], false), Err("!!: event not found".to_owned()));
    }
}
