//! Words: quoting, parameters, substitutions, here-documents.

use super::ast::*;
use super::parse::{Missing, ParseError, Parsed, Parser, is_name};
use std::sync::Arc;

pub(super) fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t' || c == '\r'
}

/// Whether the character ends an unquoted word.
pub(super) fn is_meta(c: char) -> bool {
    is_blank(c) || matches!(c, '\n' | '|' | '&' | ';' | '<' | '>' | '(' | ')')
}

/// Where a run of parts ends, and how what is in it is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// At a blank or an operator.
    Meta,
    /// At the closing double quote, which is taken.
    Quote,
    /// At `}` or, for a pattern in `${x/p/w}`, at `/`; neither is taken.
    Brace { slash: bool, quoted: bool },
    /// At `:` or `}`, neither taken: a number in `${x:1:2}`.
    Colon,
    /// At the closing `))`, which is taken; or at `;` which is not.
    Arith,
    /// At the end of the text: a here-document.
    End,
    /// At a blank: a regular expression.
    Blank,
    /// At the closing `]`, which is taken: the subscript of an array.
    Bracket,
}

impl Until {
    fn is_quoted(self) -> bool {
        matches!(self, Until::Quote | Until::End | Until::Arith | Until::Brace { quoted: true, .. })
    }
}

impl Parser<'_> {
    /// The word here, if there is one.
    pub fn word(&mut self) -> Parsed<Option<Word>> {
        let parts = self.parts(Until::Meta)?;
        Ok(if parts.is_empty() { None } else { Some(Word(parts)) })
    }

    /// The regular expression here: brackets and bars are part of it.
    pub fn regex_word(&mut self) -> Parsed<Word> {
        self.parts(Until::Blank).map(Word)
    }

    /// Arithmetic up to `))`, which is taken.
    pub fn arith_word(&mut self) -> Parsed<Word> {
        let word = Word(self.parts(Until::Arith)?);
        if self.text.get(..self.at).is_some_and(|read| read.ends_with("))")) {
            return Ok(word);
        }
        Err(self.unexpected(None))
    }

    /// The three expressions of `for ((…; …; …))`, with the closing brackets.
    pub fn arith_header(&mut self) -> Parsed<[Word; 3]> {
        let start = Word(self.parts(Until::Arith)?);
        self.expect_semicolon()?;
        let condition = Word(self.parts(Until::Arith)?);
        self.expect_semicolon()?;
        Ok([start, condition, self.arith_word()?])
    }

    fn expect_semicolon(&mut self) -> Parsed<()> {
        if !self.rest_starts(";") {
            return Err(self.unexpected(None));
        }
        self.at += 1;
        Ok(())
    }

    fn peek(&self) -> Option<char> {
        self.rest_text().chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }

    fn parts(&mut self, until: Until) -> Parsed<Vec<Part>> {
        self.deeper(|parser| parser.parts_inner(until))
    }

    fn parts_inner(&mut self, until: Until) -> Parsed<Vec<Part>> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut brackets = 0_usize;
        let mut square = 0_usize;
        loop {
            let Some(c) = self.peek() else {
                match until {
                    Until::Bracket => return Err(missing_quote(']')),
                    Until::Meta | Until::End | Until::Blank => break,
                    Until::Quote => return Err(missing_quote('"')),
                    Until::Brace { .. } | Until::Colon => return Err(missing_quote('}')),
                    Until::Arith => return Err(missing_quote(')')),
                }
            };
            match until {
                Until::Meta if self.at_process() => {}
                Until::Meta if is_meta(c) => break,
                Until::Blank if c == '\n' || (is_blank(c) && brackets == 0) => break,
                Until::Quote if c == '"' => {
                    self.at += 1;
                    break;
                }
                Until::Brace { slash, .. } if c == '}' || (slash && c == '/') => break,
                Until::Colon if c == '}' || c == ':' => break,
                Until::Bracket if c == ']' && square == 0 => {
                    self.at += 1;
                    break;
                }
                Until::Arith if c == ';' && brackets == 0 => break,
                Until::Arith if c == ')' && brackets == 0 => {
                    if !self.rest_starts("))") {
                        return Err(self.unexpected(Some("))")));
                    }
                    self.at += 2;
                    break;
                }
                _ => {}
            }
            match c {
                '(' => brackets += 1,
                ')' => brackets = brackets.saturating_sub(1),
                '[' => square += 1,
                ']' => square = square.saturating_sub(1),
                _ => {}
            }
            let part = match c {
                '\\' => match self.backslash(until) {
                    Some(Part::Literal(text)) => {
                        literal.push_str(&text);
                        continue;
                    }
                    Some(part) => part,
                    None => continue,
                },
                '\'' if !until.is_quoted() => {
                    self.at += 1;
                    Part::Quoted(self.until_char('\'')?)
                }
                '"' if matches!(until, Until::Arith) => {
                    self.at += 1;
                    continue;
                }
                '"' if until != Until::End => {
                    self.at += 1;
                    Part::Double(self.parts(Until::Quote)?)
                }
                '$' => match self.dollar(until)? {
                    Some(part) => part,
                    None => {
                        literal.push('$');
                        continue;
                    }
                },
                '`' => Part::Command(self.backticks(until)?),
                '<' | '>' if until == Until::Meta => {
                    self.at += 2;
                    let heredocs = self.after_heredocs.take();
                    let list = self.substitution()?;
                    self.after_heredocs = self.after_heredocs.take().or(heredocs);
                    Part::Process { list, read: c == '<' }
                }
                _ => {
                    self.take();
                    literal.push(c);
                    continue;
                }
            };
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(part);
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(parts)
    }

    /// Whether `<(` or `>(` stands here.
    pub fn at_process(&self) -> bool {
        self.arrays && (self.rest_starts("<(") || self.rest_starts(">("))
    }

    /// What stands in the brackets of an array's element, after the opening one; the closing one is
    /// taken too.
    pub fn subscript(&mut self) -> Parsed<Word> {
        self.parts(Until::Bracket).map(Word)
    }

    /// A backslash and what follows; `None` if it continues the line.
    fn backslash(&mut self, until: Until) -> Option<Part> {
        self.at += 1;
        let Some(next) = self.peek() else { return Some(Part::Literal("\\".to_string())) };
        if next == '\n' {
            self.take();
            return None;
        }
        let special = match until {
            Until::End => matches!(next, '$' | '`' | '\\'),
            Until::Quote | Until::Arith => matches!(next, '$' | '`' | '\\' | '"'),
            Until::Brace { quoted: true, .. } => matches!(next, '$' | '`' | '\\' | '"' | '}' | '/'),
            _ => true,
        };
        if !special {
            return Some(Part::Literal("\\".to_string()));
        }
        self.take();
        Some(Part::Quoted(next.to_string()))
    }

    /// The text up to the closing character, which is taken.
    fn until_char(&mut self, close: char) -> Parsed<String> {
        let rest = self.rest_text();
        let Some(end) = rest.find(close) else { return Err(missing_quote(close)) };
        let text = rest.get(..end).unwrap_or_default().to_string();
        self.line += text.matches('\n').count();
        self.at += end + close.len_utf8();
        Ok(text)
    }

    /// What `$` begins; `None` if it is only a dollar sign, which then is taken.
    fn dollar(&mut self, until: Until) -> Parsed<Option<Part>> {
        self.at += 1;
        if self.rest_starts("((") {
            let before = (self.at, self.line);
            self.at += 2;
            match self.arith_word() {
                Ok(word) => return Ok(Some(Part::Arith(word))),
                Err(ParseError::Incomplete(missing)) => {
                    // `$((a); b)` begins the same way; only try it when it is complete.
                    (self.at, self.line) = before;
                    self.at += 1;
                    return match self.substitution() {
                        Ok(list) => Ok(Some(Part::Command(list))),
                        Err(_) => Err(ParseError::Incomplete(missing)),
                    };
                }
                Err(_) => (self.at, self.line) = before,
            }
        }
        match self.peek() {
            Some('(') => {
                self.at += 1;
                let aliases_end = self.after_heredocs.take();
                let list = self.substitution()?;
                self.after_heredocs = self.after_heredocs.take().or(aliases_end);
                Ok(Some(Part::Command(list)))
            }
            Some('{') => {
                self.at += 1;
                self.braces(until.is_quoted()).map(Some)
            }
            Some('\'') if !until.is_quoted() => {
                self.at += 1;
                self.ansi_quoted().map(Some)
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let rest = self.rest_text();
                let end = rest
                    .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                    .unwrap_or(rest.len());
                let name = rest.get(..end).unwrap_or_default().to_string();
                self.at += end;
                Ok(Some(plain_param(name)))
            }
            Some(c) if c.is_ascii_digit() || is_special(c) => {
                self.at += 1;
                Ok(Some(plain_param(c.to_string())))
            }
            _ => Ok(None),
        }
    }

    /// `${…}`, after the opening brace.
    fn braces(&mut self, quoted: bool) -> Parsed<Part> {
        let start = self.rest();
        let mut length = false;
        let mut indirect = false;
        if self.rest_starts("#") && !self.rest_starts("#}") && !self.rest_starts("#:") {
            self.at += 1;
            length = true;
        } else if self.rest_starts("!") && !self.rest_starts("!}") {
            self.at += 1;
            indirect = true;
        }
        let name = self.param_name();
        if name.is_empty() {
            return Err(if self.peek().is_none() {
                missing_quote('}')
            } else {
                self.bad_substitution(start)
            });
        }
        let subscript = self.param_subscript(&name)?;
        let names = indirect && (self.rest_starts("*}") || self.rest_starts("@}"));
        let op = match (length, indirect) {
            (true, _) => ParamOp::Length,
            (_, true) if names => {
                self.take();
                ParamOp::Names
            }
            (_, true) => ParamOp::Indirect,
            _ => self.param_op(quoted, start)?,
        };
        match self.take() {
            Some('}') => Ok(Part::Param(Box::new(Param { name, subscript, op }))),
            None => Err(missing_quote('}')),
            Some(_) => Err(self.bad_substitution(start)),
        }
    }

    /// `[…]` behind the name of an array.
    fn param_subscript(&mut self, name: &str) -> Parsed<Option<Subscript>> {
        if !self.arrays || !is_name(name) || !self.rest_starts("[") {
            return Ok(None);
        }
        for (text, subscript) in [("[@]", Subscript::Each), ("[*]", Subscript::Joined)] {
            if self.rest_starts(text) {
                self.at += text.len();
                return Ok(Some(subscript));
            }
        }
        let start = self.rest() + name.len();
        self.at += 1;
        let word = self.subscript()?;
        if word.0.is_empty() {
            return Err(self.bad_substitution(start));
        }
        Ok(Some(Subscript::One(word)))
    }

    fn param_name(&mut self) -> String {
        let rest = self.rest_text();
        let name: String = match rest.chars().next() {
            Some(c) if c.is_ascii_digit() => {
                rest.chars().take_while(char::is_ascii_digit).collect()
            }
            Some(c) if is_special(c) => c.to_string(),
            _ => rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect(),
        };
        self.at += name.len();
        name
    }

    fn param_op(&mut self, quoted: bool, start: usize) -> Parsed<ParamOp> {
        let until = Until::Brace { slash: false, quoted };
        let pattern = Until::Brace { slash: false, quoted: false };
        let colon = self.rest_starts(":");
        if colon {
            self.at += 1;
        }
        let Some(c) = self.peek() else { return Err(missing_quote('}')) };
        if c == '}' {
            return if colon { Err(self.bad_substitution(start)) } else { Ok(ParamOp::Plain) };
        }
        if colon && !matches!(c, '-' | '=' | '?' | '+') {
            let offset = Word(self.parts(Until::Colon)?);
            let mut length = None;
            if self.rest_starts(":") {
                self.at += 1;
                length = Some(Word(self.parts(Until::Colon)?));
            }
            return Ok(ParamOp::Substring { offset, length });
        }
        self.take();
        let doubled = self.peek() == Some(c) && matches!(c, '#' | '%' | '/' | '^' | ',');
        if doubled {
            self.at += 1;
        }
        Ok(match c {
            '-' => ParamOp::Default { colon, word: Word(self.parts(until)?) },
            '=' => ParamOp::Assign { colon, word: Word(self.parts(until)?) },
            '?' => ParamOp::Error { colon, word: Word(self.parts(until)?) },
            '+' => ParamOp::Alternative { colon, word: Word(self.parts(until)?) },
            '#' => ParamOp::TrimPrefix { longest: doubled, word: Word(self.parts(pattern)?) },
            '%' => ParamOp::TrimSuffix { longest: doubled, word: Word(self.parts(pattern)?) },
            '^' | ',' => ParamOp::Case { upper: c == '^', all: doubled },
            '/' => {
                let pattern = Word(self.parts(Until::Brace { slash: true, quoted: false })?);
                let mut with = Word::default();
                if self.rest_starts("/") {
                    self.at += 1;
                    with = Word(self.parts(until)?);
                }
                ParamOp::Replace { all: doubled, pattern, with }
            }
            _ => return Err(self.bad_substitution(start)),
        })
    }

    fn bad_substitution(&self, start: usize) -> ParseError {
        let from = self.text.len().saturating_sub(start);
        let rest = self.text.get(from..).unwrap_or_default();
        let end = rest.find('}').unwrap_or(rest.len());
        ParseError::BadSubstitution(format!("${{{}}}", rest.get(..end).unwrap_or_default()))
    }

    /// `` `…` ``: the text between, without the backslashes that only protected it, is a script.
    fn backticks(&mut self, until: Until) -> Parsed<Arc<List>> {
        self.take();
        let mut text = String::new();
        loop {
            match self.take() {
                None => return Err(missing_quote('`')),
                Some('`') => break,
                Some('\\') => match self.take() {
                    Some(c @ ('`' | '\\' | '$')) => text.push(c),
                    Some('"') if until == Until::Quote => text.push('"'),
                    Some(c) => text.extend(['\\', c]),
                    None => return Err(missing_quote('`')),
                },
                Some(c) => text.push(c),
            }
        }
        text.push(')');
        let mut inner = Parser::new(&text, None, true);
        (inner.depth, inner.arrays) = (self.depth, self.arrays);
        let list = inner.substitution()?;
        Ok(list)
    }

    /// `$'…'`, after the opening quote.
    fn ansi_quoted(&mut self) -> Parsed<Part> {
        let mut raw = String::new();
        loop {
            match self.take() {
                None => return Err(missing_quote('\'')),
                Some('\'') => break,
                Some('\\') => {
                    raw.push('\\');
                    raw.extend(self.take());
                }
                Some(c) => raw.push(c),
            }
        }
        Ok(Part::Quoted(String::from_utf8_lossy(&super::escape::unescape(&raw).0).into_owned()))
    }

    /// The body of a here-document whose delimiter is the word here.
    pub fn here_document(&mut self, strip_tabs: bool) -> Parsed<Word> {
        let from = self.at;
        let Some(word) = self.word()? else { return Err(self.unexpected(None)) };
        let source = self.text.get(from..self.at).unwrap_or_default();
        let is_quoted = source.contains(['\'', '"', '\\']);
        let delimiter = literal_text(&word);
        let body_start = match self.after_heredocs {
            Some(rest) => self.text.len().saturating_sub(rest),
            None => match self.rest_text().find('\n') {
                Some(newline) => self.at + newline + 1,
                None => return self.unfinished_heredoc(delimiter),
            },
        };
        let mut body = String::new();
        let mut at = body_start;
        loop {
            let rest = self.text.get(at..).unwrap_or_default();
            let (line, taken) = match rest.find('\n') {
                Some(end) => (rest.get(..end).unwrap_or_default(), end + 1),
                None => (rest, rest.len()),
            };
            let line = if strip_tabs { line.trim_start_matches('\t') } else { line };
            let ends = line == delimiter;
            if !ends && taken == rest.len() && !rest.ends_with('\n') && !self.last {
                return Err(ParseError::Incomplete(Missing::HereDocument(delimiter)));
            }
            at += taken;
            if ends {
                break;
            }
            if taken == 0 {
                if !self.last {
                    return Err(ParseError::Incomplete(Missing::HereDocument(delimiter)));
                }
                break;
            }
            body.push_str(line);
            body.push('\n');
        }
        self.after_heredocs = Some(self.text.len().saturating_sub(at));
        if is_quoted {
            return Ok(Word(vec![Part::Quoted(body)]));
        }
        let mut inner = Parser::new(&body, None, true);
        (inner.depth, inner.arrays) = (self.depth, self.arrays);
        Ok(Word(vec![Part::Double(inner.parts(Until::End)?)]))
    }

    fn unfinished_heredoc(&self, delimiter: String) -> Parsed<Word> {
        if self.last {
            return Ok(Word::default());
        }
        Err(ParseError::Incomplete(Missing::HereDocument(delimiter)))
    }
}

/// The text as a word, as if it stood between double quotes; quotes in it are text.
pub(super) fn quoted_word(text: &str) -> Parsed<Word> {
    let mut parser = Parser::new(text, None, true);
    Ok(Word(vec![Part::Double(parser.parts(Until::End)?)]))
}

fn missing_quote(quote: char) -> ParseError {
    ParseError::Incomplete(Missing::Quote(quote))
}

fn is_special(c: char) -> bool {
    matches!(c, '@' | '*' | '#' | '?' | '-' | '$' | '!')
}

fn plain_param(name: String) -> Part {
    debug_assert!(is_name(&name) || name.len() == 1);
    Part::Param(Box::new(Param { name, subscript: None, op: ParamOp::Plain }))
}

/// The word without its quotes, nothing expanded.
fn literal_text(word: &Word) -> String {
    let mut text = String::new();
    for part in &word.0 {
        match part {
            Part::Literal(piece) | Part::Quoted(piece) => text.push_str(piece),
            Part::Double(parts) => text.push_str(&literal_text(&Word(parts.clone()))),
            Part::Param(param) => {
                text.push('$');
                text.push_str(&param.name);
            }
            Part::Command(_) | Part::Arith(_) | Part::Process { .. } => {}
        }
    }
    text
}
