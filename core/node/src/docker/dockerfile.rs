//! Dockerfiles.
//!
//! Upstream: `frontend/dockerfile` of `moby/buildkit`.

use std::collections::BTreeMap;

/// Lines of a Dockerfile.
const LINES_MAX: usize = 2_000;

/// What an instruction says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Words {
    /// As a shell reads it.
    Shell(String),
    /// Program and arguments.
    Exec(Vec<String>),
}

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// The line that it begins on, and the one that it ends on; the first is 1.
    pub lines: (usize, usize),
    /// `FROM`, `RUN`, ….
    pub name: &'static str,
    /// `--from=build`: names and values.
    pub flags: Vec<(String, String)>,
    /// What follows, with continued lines put together.
    pub rest: String,
}

/// What is wrong with a Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The lines.
    pub lines: (usize, usize),
    /// BuildKit's words.
    pub message: String,
}

const NAMES: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Reads a Dockerfile.
pub fn parse(text: &str) -> Result<Vec<Instruction>, ParseError> {
    let mut instructions: Vec<Instruction> = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.lines().take(LINES_MAX).enumerate() {
        let number = index + 1;
        let bare = line.trim();
        if bare.starts_with('#') || (bare.is_empty() && open.is_none()) {
            continue;
        }
        let (first, before) = open.take().unwrap_or((number, String::new()));
        let piece = if before.is_empty() { line.trim_start() } else { line };
        match piece.trim_end().strip_suffix('\\') {
            Some(piece) => open = Some((first, before + piece)),
            None => {
                let whole = before + piece.trim_end();
                instructions.push(instruction(&whole, (first, number))?);
            }
        }
    }
    if let Some((first, whole)) = open {
        instructions.push(instruction(&whole, (first, text.lines().count()))?);
    }
    check(&instructions, text)?;
    Ok(instructions)
}

fn instruction(whole: &str, lines: (usize, usize)) -> Result<Instruction, ParseError> {
    let (word, rest) = whole.split_once(char::is_whitespace).unwrap_or((whole, ""));
    let upper = word.to_ascii_uppercase();
    let Some(name) = NAMES.into_iter().find(|name| *name == upper) else {
        let near = NAMES.into_iter().find(|name| distance(name, &upper) <= 2);
        let hint = near.map(|name| format!(" (did you mean {name}?)")).unwrap_or_default();
        let message = format!(
            "dockerfile parse error on line {}: unknown instruction: {word}{hint}",
            lines.0
        );
        return Err(ParseError { lines, message });
    };
    let mut rest = rest.trim();
    let mut flags = Vec::new();
    while let Some(flag) = rest.strip_prefix("--") {
        let (flag, after) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
        let (key, value) = flag.split_once('=').unwrap_or((flag, ""));
        flags.push((key.to_owned(), value.to_owned()));
        rest = after.trim_start();
    }
    if rest.is_empty() {
        let what = match name {
            "FROM" => "FROM requires either one or three arguments".to_owned(),
            "COPY" | "ADD" => format!(
                "{name} requires at least two arguments, but only 0 were provided. Destination \
                 could not be determined"
            ),
            "WORKDIR" | "USER" | "STOPSIGNAL" | "MAINTAINER" => {
                format!("{name} requires exactly one argument")
            }
            _ => format!("{name} requires at least one argument"),
        };
        let message = format!("dockerfile parse error on line {}: {what}", lines.0);
        return Err(ParseError { lines, message });
    }
    Ok(Instruction { lines, name, flags, rest: rest.to_owned() })
}

fn check(instructions: &[Instruction], text: &str) -> Result<(), ParseError> {
    if instructions.is_empty() {
        let message = match text.trim().is_empty() {
            true => "the Dockerfile (Dockerfile) cannot be empty",
            false => "dockerfile parse error: file with no instructions",
        };
        return Err(ParseError { lines: (0, 0), message: message.to_owned() });
    }
    let first = instructions.iter().find(|it| it.name != "ARG");
    match first {
        Some(it) if it.name != "FROM" => {
            let message = format!(
                "dockerfile parse error on line {}: no build stage in current context",
                it.lines.0
            );
            Err(ParseError { lines: it.lines, message })
        }
        _ => Ok(()),
    }
}

/// How many letters have to be changed, added or left out. Upstream: `suggest.Search`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(32).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, y) in b.iter().enumerate() {
            let above = row.get(j + 1).copied().unwrap_or(usize::MAX);
            let left = row.get(j).copied().unwrap_or(usize::MAX);
            let best = (diagonal + usize::from(x != *y)).min(above + 1).min(left + 1);
            diagonal = above;
            if let Some(cell) = row.get_mut(j + 1) {
                *cell = best;
            }
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

impl Instruction {
    /// A flag's value.
    pub fn flag(&self, name: &str) -> Option<&str> {
        self.flags.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The form of `RUN`, `CMD` and `ENTRYPOINT`: JSON, or a line for the shell.
    pub fn words(&self) -> Words {
        if self.rest.starts_with('[')
            && let Ok(words) = serde_json::from_str::<Vec<String>>(&self.rest)
        {
            return Words::Exec(words);
        }
        Words::Shell(self.rest.clone())
    }

    /// The paths of `COPY` and `ADD`, the destination last.
    pub fn paths(&self) -> Vec<String> {
        match self.words() {
            Words::Exec(words) => words,
            Words::Shell(line) => line.split_whitespace().map(str::to_owned).collect(),
        }
    }

    /// The instruction as progress shows it.
    pub fn text(&self) -> String {
        let flags = self.flags.iter().map(|(key, value)| format!("--{key}={value} "));
        format!("{} {}{}", self.name, flags.collect::<String>(), self.rest)
    }
}

/// Names and values of `ENV`, `ARG` and `LABEL`: `A=1 B="2 3"`, or `A 1`.
pub fn pairs(rest: &str) -> Vec<(String, String)> {
    let first = rest.split_whitespace().next().unwrap_or_default();
    if !first.contains('=') {
        let (name, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        return vec![(name.to_owned(), unquote(value.trim()))];
    }
    split_quoted(rest)
        .into_iter()
        .map(|word| {
            let (name, value) = word.split_once('=').unwrap_or((&word, ""));
            (name.to_owned(), unquote(value))
        })
        .collect()
}

fn split_quoted(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for c in text.chars() {
        let blank = quote.is_none() && !escaped && c.is_whitespace();
        match quote {
            Some(open) if c == open && !escaped => quote = None,
            None if (c == '"' || c == '\'') && !escaped => quote = Some(c),
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        match words.last_mut() {
            Some(word) if blank && word.is_empty() => {}
            Some(_) if blank => words.push(String::new()),
            Some(word) => word.push(c),
            None => {}
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn unquote(text: &str) -> String {
    let mut out = String::new();
    let mut quote: Option<char> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => out.extend(chars.next()),
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => quote = Some(c),
            (c, _) => out.push(c),
        }
    }
    out
}

/// Fills in `$NAME`, `${NAME}`, `${NAME:-otherwise}` and `${NAME:+instead}`.
pub fn expand(text: &str, values: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        if let Some(before) = before.strip_suffix('\\') {
            out.push_str(before);
            out.push('$');
            rest = after;
            continue;
        }
        out.push_str(before);
        let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        if let Some((inner, tail)) = braced {
            let (name, op, word) = match inner.find(":-").or_else(|| inner.find(":+")) {
                Some(at) => {
                    let (name, op) = inner.split_at(at);
                    let (op, word) = op.split_at(2);
                    (name, op, word)
                }
                None => (inner, "", ""),
            };
            let value = values.get(name).map(String::as_str).unwrap_or_default();
            out.push_str(match (op, value) {
                (":-", "") => word,
                (":+", value) if !value.is_empty() => word,
                (":+", _) => "",
                (_, value) => value,
            });
            rest = tail;
            continue;
        }
        let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (name, tail) = after.split_at(end.unwrap_or(after.len()));
        match name {
            "" => out.push('$'),
            name => out.push_str(values.get(name).map(String::as_str).unwrap_or_default()),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_read() {
        let text = "# a comment\nfrom node:7\n\nRUN a && \\\n  b\nCOPY --from=x a b /c/\n";
        let read = parse(text).unwrap();
        let told: Vec<(String, (usize, usize))> =
            read.iter().map(|it| (it.text(), it.lines)).collect();
        assert_eq!(
            told,
            [
                ("FROM node:7".to_owned(), (2, 2)),
                ("RUN a &&   b".to_owned(), (4, 5)),
                ("COPY --from=x a b /c/".to_owned(), (6, 6)),
            ]
        );
        assert_eq!(read[2].flag("from"), Some("x"));
        assert_eq!(read[2].paths(), ["a", "b", "/c/"]);
    }

    #[test]
    fn both_forms() {
        let read = parse("FROM a\nCMD [\"a\", \"b c\"]\nCMD a 'b c'\n").unwrap();
        assert_eq!(read[1].words(), Words::Exec(vec!["a".to_owned(), "b c".to_owned()]));
        assert_eq!(read[2].words(), Words::Shell("a 'b c'".to_owned()));
    }

    #[test]
    fn mistakes_in_buildkits_words() {
        let table = [
            (
                "FORM node",
                "dockerfile parse error on line 1: unknown instruction: FORM (did you mean FROM?)",
            ),
            ("RUN x", "dockerfile parse error on line 1: no build stage in current context"),
            ("", "the Dockerfile (Dockerfile) cannot be empty"),
            (
                "FROM",
                "dockerfile parse error on line 1: FROM requires either one or three arguments",
            ),
        ];
        for (text, message) in table {
            assert_eq!(parse(text).unwrap_err().message, message, "{text}");
        }
    }

    #[test]
    fn values_are_filled_in() {
        let values = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
        for (text, filled) in [
            ("x$A-${A}y", "x1-1y"),
            ("${B:-2} ${A:-2} ${A:+3} ${B:+3}", "2 1 3 "),
            ("\\$A $ $B", "$A $ "),
        ] {
            assert_eq!(expand(text, &values), filled);
        }
        assert_eq!(
            pairs("A=1 B=\"2 3\" C=4\\ 5"),
            [("A", "1"), ("B", "2 3"), ("C", "4 5")].map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
        assert_eq!(pairs("A b c"), [("A".to_owned(), "b c".to_owned())]);
    }
}
