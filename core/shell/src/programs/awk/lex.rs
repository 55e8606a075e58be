//! The words of an awk program.

use crate::shell::escape::unescape;

/// A word.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    Number(f64),
    Text(String),
    Regex(String),
    /// A name that is followed by `(` at once.
    Call(String),
    Name(String),
    /// A reserved word.
    Word(&'static str),
    /// An operator or a mark.
    Mark(&'static str),
    Newline,
    End,
}

impl Token {
    /// As mawk names it in a message.
    pub fn shown(&self) -> String {
        match self {
            Token::Number(value) => value.to_string(),
            Token::Text(text) => format!("\"{text}\""),
            Token::Regex(text) => format!("/{text}/"),
            Token::Call(name) | Token::Name(name) => name.clone(),
            Token::Word(word) | Token::Mark(word) => (*word).to_string(),
            Token::Newline => "end of line".to_string(),
            Token::End => "end of file".to_string(),
        }
    }
}

const WORDS: [&str; 21] = [
    "BEGIN", "END", "break", "continue", "delete", "do", "else", "exit", "for", "func", "function",
    "getline", "if", "in", "next", "nextfile", "print", "printf", "return", "system", "while",
];

/// The longer ones first.
const MARKS: [&str; 40] = [
    "&&", "||", "++", "--", "+=", "-=", "*=", "/=", "%=", "^=", "==", "<=", ">=", "!=", ">>", "!~",
    "{", "}", "(", ")", "[", "]", ";", ",", "+", "-", "*", "/", "%", "^", "!", ">", "<", "|", "?",
    ":", "~", "$", "=", "&",
];

/// The words with the line on which each stands. `Err` is a line and a message.
pub fn words(text: &str) -> Result<Vec<(Token, usize)>, (usize, String)> {
    let mut lexer = Lexer { rest: text, line: 1, found: Vec::new() };
    while lexer.step()? {}
    // As mawk counts: the end is on a line of its own.
    lexer.found.push((Token::End, lexer.line + 1));
    Ok(lexer.found)
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    found: Vec<(Token, usize)>,
}

impl<'a> Lexer<'a> {
    fn push(&mut self, token: Token) {
        self.found.push((token, self.line));
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// Takes while the characters are such.
    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    fn step(&mut self) -> Result<bool, (usize, String)> {
        self.take_while(|c| matches!(c, ' ' | '\t' | '\r'));
        let Some(first) = self.rest.chars().next() else { return Ok(false) };
        match first {
            '\n' => {
                self.take(1);
                self.push(Token::Newline);
                self.line += 1;
            }
            '\\' if self.rest.starts_with("\\\n") => {
                self.take(2);
                self.line += 1;
            }
            '#' => {
                self.take_while(|c| c != '\n');
            }
            '"' => {
                let text = self.quoted('"')?;
                let (bytes, _) = unescape(&text.replace("\\/", "/"));
                self.push(Token::Text(String::from_utf8_lossy(&bytes).into_owned()));
            }
            '/' if !self.after_operand() => {
                let text = self.quoted('/')?;
                self.push(Token::Regex(text.replace("\\/", "/")));
            }
            '0'..='9' => self.number(),
            '.' if self.rest.chars().nth(1).is_some_and(|c| c.is_ascii_digit()) => self.number(),
            c if c.is_ascii_alphabetic() || c == '_' => self.name(),
            _ => {
                let mark = MARKS.iter().find(|mark| self.rest.starts_with(**mark));
                let Some(mark) = mark else {
                    return Err((self.line, format!("unexpected character '{first}'")));
                };
                self.take(mark.len());
                self.push(Token::Mark(mark));
            }
        }
        Ok(true)
    }

    /// Whether a `/` here would divide.
    fn after_operand(&self) -> bool {
        match self.found.last() {
            Some((Token::Number(_) | Token::Text(_) | Token::Name(_) | Token::Regex(_), _)) => true,
            Some((Token::Mark(mark), _)) => matches!(*mark, ")" | "]" | "$" | "++" | "--"),
            _ => false,
        }
    }

    /// What stands between two such marks, with its escapes.
    fn quoted(&mut self, mark: char) -> Result<&'a str, (usize, String)> {
        self.take(1);
        let mut escaped = false;
        for (at, c) in self.rest.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '\n' => break,
                c if c == mark => {
                    let text = self.take(at);
                    self.take(1);
                    return Ok(text);
                }
                _ => {}
            }
        }
        let what =
            if mark == '"' { "runaway string constant" } else { "runaway regular expression" };
        let shown: String = self.rest.chars().take_while(|c| *c != '\n').take(10).collect();
        Err((self.line, format!("{what} {mark}{shown} ...")))
    }

    fn number(&mut self) {
        let end = number_end(self.rest);
        let text = self.take(end);
        self.push(Token::Number(text.parse().unwrap_or(0.0)));
    }

    fn name(&mut self) {
        let name = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        let token = match WORDS.iter().find(|word| **word == name) {
            Some(word) => Token::Word(word),
            None if self.rest.starts_with('(') => Token::Call(name.to_string()),
            None => Token::Name(name.to_string()),
        };
        self.push(token);
    }
}

/// Where the decimal number at the start of the text ends: 0 if there is none.
pub fn number_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits =
        |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let sign = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let whole = digits(sign);
    let mut end = sign + whole;
    let mut fraction = 0;
    if bytes.get(end) == Some(&b'.') {
        fraction = digits(end + 1);
        if whole + fraction > 0 {
            end += 1 + fraction;
        }
    }
    if whole + fraction == 0 {
        return 0;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let power = digits(end + 1 + sign);
        if power > 0 {
            end += 1 + sign + power;
        }
    }
    end
}
