//! From text to pieces: text between actions, and the words of actions.
//!
//! Upstream: `text/template/parse/lex.go`.

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    /// Text outside of actions.
    Text(String),
    /// An action: its words, and the line it begins in.
    Action(Vec<Token>, usize),
}

/// A word of an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// `if`, `len`, `true`.
    Word(String),
    /// `.name`, right behind what it is a field of or not (`spaced`).
    Field { name: String, spaced: bool },
    /// `.`
    Dot,
    /// `$x`, `$`.
    Variable(String),
    /// `"text"`, `` `text` ``.
    Text(String),
    /// `'a'`
    Char(char),
    /// `3`
    Int(i64),
    /// `1.5`
    Float(f64),
    /// `(`, `)`, `|`, `,`.
    Mark(char),
    /// `:=`
    Declare,
    /// `=`
    Assign,
}

type Result<T> = std::result::Result<T, (usize, String)>;

/// Takes a template apart; the error has its line.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    let (mut rest, mut line) = (text, 1);
    let mut trim_left = false;
    while let Some(at) = rest.find("{{") {
        let (mut before, after) = rest.split_at(at);
        line += before.matches('\n').count();
        let mut inside = after.get(2..).unwrap_or_default();
        if trim_left {
            before = before.trim_start_matches([' ', '\t', '\r', '\n']);
        }
        if let Some(trimmed) = inside.strip_prefix('-')
            && trimmed.starts_with([' ', '\t', '\r', '\n'])
        {
            before = before.trim_end_matches([' ', '\t', '\r', '\n']);
            inside = trimmed;
        }
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        let (action, trims, next) = action(inside, line)?;
        line += inside
            .len()
            .checked_sub(next.len())
            .map_or(0, |end| inside.get(..end).unwrap_or_default().matches('\n').count());
        if let Some(tokens) = action {
            pieces.push(Piece::Action(tokens, line));
        }
        trim_left = trims;
        rest = next;
    }
    let rest = if trim_left { rest.trim_start_matches([' ', '\t', '\r', '\n']) } else { rest };
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

/// The words up to `}}` (none for a comment), whether the blanks behind go away, and the rest.
fn action(text: &str, line: usize) -> Result<(Option<Vec<Token>>, bool, &str)> {
    let start = text.trim_start_matches([' ', '\t', '\r', '\n']);
    if let Some(comment) = start.strip_prefix("/*") {
        let (_, after) =
            comment.split_once("*/").ok_or_else(|| (line, "unclosed comment".to_owned()))?;
        let trimmed = after.trim_start_matches([' ', '\t', '\r', '\n']);
        if let Some(rest) = trimmed.strip_prefix("-}}") {
            return Ok((None, true, rest));
        }
        let rest = after
            .strip_prefix("}}")
            .ok_or_else(|| (line, "comment ends before closing delimiter".to_owned()))?;
        return Ok((None, false, rest));
    }
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        let next = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let spaced = next.len() != rest.len() || tokens.is_empty();
        if spaced && let Some(after) = next.strip_prefix("-}}") {
            return Ok((Some(tokens), true, after));
        }
        if let Some(after) = next.strip_prefix("}}") {
            return Ok((Some(tokens), false, after));
        }
        if next.is_empty() {
            return Err((line, "unclosed action".to_owned()));
        }
        let (token, after) = token(next, spaced).map_err(|why| (line, why))?;
        tokens.push(token);
        rest = after;
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn take_word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c| !is_word(c)).unwrap_or(text.len()))
}

fn token(text: &str, spaced: bool) -> std::result::Result<(Token, &str), String> {
    let Some(first) = text.chars().next() else { return Err("unexpected EOF".to_owned()) };
    let after = text.get(first.len_utf8()..).unwrap_or_default();
    match first {
        '"' => quoted(after),
        '`' => match after.split_once('`') {
            Some((raw, rest)) => Ok((Token::Text(raw.to_owned()), rest)),
            None => Err("unterminated raw quoted string".to_owned()),
        },
        '\'' => character(after),
        '(' | ')' | '|' | ',' => Ok((Token::Mark(first), after)),
        ':' => match after.strip_prefix('=') {
            Some(rest) => Ok((Token::Declare, rest)),
            None => Err("expected :=".to_owned()),
        },
        '=' => Ok((Token::Assign, after)),
        '$' => {
            let (name, rest) = take_word(after);
            Ok((Token::Variable(name.to_owned()), rest))
        }
        '.' if !after.starts_with(|c: char| c.is_ascii_digit()) => {
            let (name, rest) = take_word(after);
            Ok(match name {
                "" => (Token::Dot, after),
                name => (Token::Field { name: name.to_owned(), spaced }, rest),
            })
        }
        '+' | '-' | '.' | '0'..='9' => number(text),
        c if is_word(c) => {
            let (word, rest) = take_word(text);
            Ok((Token::Word(word.to_owned()), rest))
        }
        c => Err(format!("unexpected {} in command", unexpected(c))),
    }
}

fn unexpected(c: char) -> String {
    format!("bad character U+{:04X} '{c}'", u32::from(c))
}

fn number(text: &str) -> std::result::Result<(Token, &str), String> {
    let end = text
        .char_indices()
        .skip(1)
        .find(|(_, c)| !(is_word(*c) || *c == '.'))
        .map_or(text.len(), |(at, _)| at);
    let (digits, rest) = text.split_at(end);
    let plain = digits.replace('_', "");
    if let Ok(number) = plain.parse() {
        return Ok((Token::Int(number), rest));
    }
    if let Some(hex) = plain.strip_prefix("0x")
        && let Ok(number) = i64::from_str_radix(hex, 16)
    {
        return Ok((Token::Int(number), rest));
    }
    match plain.parse() {
        Ok(number) => Ok((Token::Float(number), rest)),
        Err(_) => Err(format!("bad number syntax: {}", crate::gofmt::quote(digits))),
    }
}

fn quoted(text: &str) -> std::result::Result<(Token, &str), String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '"' => return Ok((Token::Text(out), rest)),
            '\n' => break,
            '\\' => {
                let (c, after) = escape(rest)?;
                out.push(c);
                rest = after;
            }
            c => out.push(c),
        }
    }
    Err("unterminated quoted string".to_owned())
}

fn character(text: &str) -> std::result::Result<(Token, &str), String> {
    let unterminated = || "unterminated character constant".to_owned();
    let c = text.chars().next().ok_or_else(unterminated)?;
    let after = text.get(c.len_utf8()..).unwrap_or_default();
    let (c, after) = if c == '\\' { escape(after)? } else { (c, after) };
    match after.strip_prefix('\'') {
        Some(rest) => Ok((Token::Char(c), rest)),
        None => Err(unterminated()),
    }
}

fn escape(text: &str) -> std::result::Result<(char, &str), String> {
    let bad = || "invalid syntax".to_owned();
    let c = text.chars().next().ok_or_else(bad)?;
    let rest = text.get(c.len_utf8()..).unwrap_or_default();
    let coded = |digits: usize| {
        let code = rest.get(..digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        let c = code.and_then(char::from_u32).ok_or_else(bad)?;
        Ok((c, rest.get(digits..).unwrap_or_default()))
    };
    match c {
        'n' => Ok(('\n', rest)),
        't' => Ok(('\t', rest)),
        'r' => Ok(('\r', rest)),
        'a' => Ok(('\u{7}', rest)),
        'b' => Ok(('\u{8}', rest)),
        'f' => Ok(('\u{c}', rest)),
        'v' => Ok(('\u{b}', rest)),
        '\\' | '"' | '\'' => Ok((c, rest)),
        'x' => coded(2),
        'u' => coded(4),
        'U' => coded(8),
        _ => Err(bad()),
    }
}
