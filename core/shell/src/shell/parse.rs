//! The grammar: from text to commands. Words are in `lex.rs`.

use super::ast::*;
use super::lex::{is_blank, is_meta};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Deepest nesting of commands and words.
pub const NESTING_MAX: usize = 60;
/// Longest script, in bytes.
pub const SCRIPT_BYTES_MAX: usize = 1 << 20;
/// Most alias substitutions in one command.
const ALIASES_MAX: usize = 200;

/// Why a text is no command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// It may be the beginning of one: more lines are needed.
    Incomplete(Missing),
    /// It is not.
    Syntax {
        /// The token that should not be there; `newline` for the end of a line.
        token: String,
        /// What should be there, if only one thing can be.
        expecting: Option<&'static str>,
        /// The line.
        line: usize,
    },
    /// `${…}` holds nothing sensible.
    BadSubstitution(String),
    /// Nested deeper than [`NESTING_MAX`], or longer than [`SCRIPT_BYTES_MAX`].
    TooLarge,
}

/// What an incomplete command lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// A closing quote or bracket.
    Quote(char),
    /// A keyword or another command.
    Word(Option<&'static str>),
    /// The end of a here-document.
    HereDocument(String),
}

pub(super) type Parsed<T> = Result<T, ParseError>;

/// What a text means depends on.
#[derive(Clone, Debug, Default)]
pub struct Grammar {
    /// Words that stand for others.
    pub aliases: BTreeMap<String, String>,
    /// Bash's own: arrays and process substitutions.
    pub arrays: bool,
}

/// Parses one complete command from the start of `text`: up to the end of its line, or further
/// if it goes on. Gives the command and the bytes it took; no items if there were only blanks.
///
/// `line` is the number of the text's first line.
/// `last`: no more lines will come, so that an unfinished here-document ends with the text.
pub fn parse_command(
    text: &str,
    line: usize,
    grammar: &Grammar,
    last: bool,
) -> Parsed<(List, usize)> {
    if text.len() > SCRIPT_BYTES_MAX {
        return Err(ParseError::TooLarge);
    }
    let mut parser = Parser::new(text, Some(&grammar.aliases), last);
    (parser.line, parser.arrays) = (line, grammar.arrays);
    let list = parser.complete_command()?;
    let rest = parser.text.len() - parser.at;
    Ok((list, text.len().saturating_sub(rest)))
}

/// Reads tokens and words from a text, from `at` on.
pub(super) struct Parser<'a> {
    pub text: Cow<'a, str>,
    pub at: usize,
    pub line: usize,
    pub depth: usize,
    pub last: bool,
    /// See [`Grammar::arrays`].
    pub arrays: bool,
    /// Where the next line really starts, as a distance from the text's end: after the
    /// here-documents of this line.
    pub after_heredocs: Option<usize>,
    aliases: Option<&'a BTreeMap<String, String>>,
    /// Aliases being substituted, and where each ends, as a distance from the text's end.
    substituting: Vec<(String, usize)>,
    substitutions: usize,
    /// Where the text of an alias that ends with a blank ends, as a distance from the text's end:
    /// the word after it may be an alias too.
    alias_goes_on: Option<usize>,
}

impl<'a> Parser<'a> {
    pub fn new(text: &'a str, aliases: Option<&'a BTreeMap<String, String>>, last: bool) -> Self {
        Parser {
            text: Cow::Borrowed(text),
            at: 0,
            line: 1,
            depth: 0,
            last,
            arrays: false,
            after_heredocs: None,
            aliases,
            substituting: Vec::new(),
            substitutions: 0,
            alias_goes_on: None,
        }
    }

    pub fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= NESTING_MAX {
            return Err(ParseError::TooLarge);
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn complete_command(&mut self) -> Parsed<List> {
        let mut list = List::default();
        loop {
            self.skip_blanks();
            if self.at_end() {
                return Ok(list);
            }
            if self.eat_newline() {
                if list.items.is_empty() {
                    continue;
                }
                return Ok(list);
            }
            self.list_item(&mut list)?;
        }
    }

    /// Commands up to a closing word or operator, which is left there.
    fn list_until(&mut self, ends: &[&'static str]) -> Parsed<Arc<List>> {
        self.deeper(|parser| {
            let mut list = List::default();
            loop {
                parser.skip_newlines();
                if parser.at_end() {
                    return Err(parser.incomplete(ends));
                }
                if parser.at_any(ends) {
                    break;
                }
                parser.list_item(&mut list)?;
            }
            if list.items.is_empty() && ends != [")"] && !ends.contains(&";;") {
                return Err(parser.unexpected(None));
            }
            Ok(Arc::new(list))
        })
    }

    /// The commands of `$( … )`, with the closing bracket.
    pub fn substitution(&mut self) -> Parsed<Arc<List>> {
        let list = self.list_until(&[")"])?;
        self.expect_op(")")?;
        Ok(list)
    }

    fn list_item(&mut self, list: &mut List) -> Parsed<()> {
        let line = self.line;
        let and_or = Arc::new(self.and_or()?);
        self.skip_blanks();
        let background = self.peek_op() == "&";
        if background || self.peek_op() == ";" {
            self.eat_op();
        } else if !self.at_end() && !self.at_newline() && !self.at_any(CLOSERS) {
            return Err(self.unexpected(None));
        }
        list.items.push(Item { and_or, background, line });
        Ok(())
    }

    fn and_or(&mut self) -> Parsed<AndOr> {
        let from = self.rest();
        let mut pipelines = vec![(Connector::And, self.pipeline()?)];
        loop {
            self.skip_blanks();
            let connector = match self.peek_op() {
                "&&" => Connector::And,
                "||" => Connector::Or,
                _ => break,
            };
            self.eat_op();
            self.skip_newlines();
            pipelines.push((connector, self.pipeline()?));
        }
        let text = self.text_since(from);
        Ok(AndOr { pipelines, text: text.trim().into() })
    }

    fn pipeline(&mut self) -> Parsed<Pipeline> {
        let mut pipeline =
            Pipeline { negate: false, timed: false, text: "".into(), commands: Vec::new() };
        self.skip_blanks();
        let from = self.rest();
        loop {
            match self.peek_word() {
                "!" => pipeline.negate = !pipeline.negate,
                "time" => pipeline.timed = true,
                _ => break,
            }
            self.eat_word();
            self.skip_blanks();
        }
        loop {
            let mut command = self.command()?;
            self.skip_blanks();
            let op = self.peek_op();
            if op != "|" && op != "|&" {
                pipeline.commands.push(Arc::new(command));
                pipeline.text = self.text_since(from).trim().into();
                return Ok(pipeline);
            }
            if op == "|&" {
                add_redirect(&mut command, duplicate_error());
            }
            pipeline.commands.push(Arc::new(command));
            self.eat_op();
            self.skip_newlines();
        }
    }

    fn command(&mut self) -> Parsed<Command> {
        self.skip_blanks();
        self.substitute_alias();
        if self.at_end() {
            return Err(self.incomplete(&[]));
        }
        if let Some(compound) = self.compound()? {
            let mut redirects = Vec::new();
            self.skip_blanks();
            while let Some(redirect) = self.redirect()? {
                redirects.push(redirect);
                self.skip_blanks();
            }
            return Ok(Command::Compound(compound, redirects));
        }
        match self.peek_word() {
            word @ ("then" | "else" | "elif" | "fi" | "do" | "done" | "esac" | "}") => {
                let token = word.to_string();
                return Err(ParseError::Syntax { token, expecting: None, line: self.line });
            }
            "function" => {
                self.eat_word();
                self.skip_blanks();
                let name = self.peek_word().to_string();
                self.eat_word();
                self.skip_blanks();
                if self.peek_op() == "(" {
                    self.eat_op();
                    self.expect_op(")")?;
                }
                return self.function(name);
            }
            _ => {}
        }
        self.simple()
    }

    fn function(&mut self, name: String) -> Parsed<Command> {
        self.skip_newlines();
        if self.at_end() {
            return Err(self.incomplete(&[]));
        }
        let body = self.deeper(|parser| parser.command())?;
        if matches!(body, Command::Simple(_)) {
            return Err(self.unexpected(None));
        }
        Ok(Command::Function { name, body: Arc::new(body) })
    }

    fn compound(&mut self) -> Parsed<Option<Compound>> {
        let compound = match self.peek_word() {
            "{" => {
                self.eat_word();
                let list = self.list_until(&["}"])?;
                self.expect_word("}")?;
                Compound::Group(list)
            }
            "if" => self.if_clause()?,
            "while" => self.loop_clause(false)?,
            "until" => self.loop_clause(true)?,
            "for" => self.for_clause()?,
            "case" => self.case_clause()?,
            "[[" => {
                self.eat_word();
                let test = self.deeper(|parser| parser.test_or())?;
                self.skip_newlines();
                self.expect_word("]]")?;
                Compound::Condition(Arc::new(test))
            }
            _ if self.rest_starts("((") => {
                let before = (self.at, self.line);
                self.at += 2;
                match self.arith_word() {
                    Ok(word) => Compound::Arith(word),
                    // `( (a); b )`: no arithmetic after all.
                    Err(_) => {
                        (self.at, self.line) = before;
                        self.subshell()?
                    }
                }
            }
            _ if self.peek_op() == "(" => self.subshell()?,
            _ => return Ok(None),
        };
        Ok(Some(compound))
    }

    fn subshell(&mut self) -> Parsed<Compound> {
        self.eat_op();
        let list = self.list_until(&[")"])?;
        if list.items.is_empty() {
            return Err(self.unexpected(None));
        }
        self.expect_op(")")?;
        Ok(Compound::Subshell(list))
    }

    fn if_clause(&mut self) -> Parsed<Compound> {
        self.eat_word();
        let mut arms = Vec::new();
        loop {
            let condition = self.list_until(&["then"])?;
            self.expect_word("then")?;
            let body = self.list_until(&["fi", "elif", "else"])?;
            arms.push((condition, body));
            if self.peek_word() != "elif" {
                break;
            }
            self.eat_word();
        }
        let otherwise = if self.peek_word() == "else" {
            self.eat_word();
            Some(self.list_until(&["fi"])?)
        } else {
            None
        };
        self.expect_word("fi")?;
        Ok(Compound::If { arms, otherwise })
    }

    fn loop_clause(&mut self, until: bool) -> Parsed<Compound> {
        self.eat_word();
        let condition = self.list_until(&["do"])?;
        let body = self.do_group()?;
        Ok(Compound::While { until, condition, body })
    }

    fn do_group(&mut self) -> Parsed<Arc<List>> {
        self.skip_newlines();
        self.expect_word("do")?;
        let body = self.list_until(&["done"])?;
        self.expect_word("done")?;
        Ok(body)
    }

    fn for_clause(&mut self) -> Parsed<Compound> {
        self.eat_word();
        self.skip_blanks();
        if self.rest_starts("((") {
            self.at += 2;
            let header = self.arith_header()?;
            self.skip_blanks();
            if self.peek_op() == ";" {
                self.eat_op();
            }
            return Ok(Compound::ForArith { header, body: self.do_group()? });
        }
        let name = self.peek_word().to_string();
        if !is_name(&name) {
            return Err(self.unexpected(None));
        }
        self.eat_word();
        self.skip_newlines();
        let mut words = None;
        if self.peek_word() == "in" {
            self.eat_word();
            let mut list = Vec::new();
            self.skip_blanks();
            while let Some(word) = self.word()? {
                list.push(word);
                self.skip_blanks();
            }
            words = Some(list);
        }
        self.skip_blanks();
        if self.peek_op() == ";" {
            self.eat_op();
        }
        Ok(Compound::For { name, words, body: self.do_group()? })
    }

    fn case_clause(&mut self) -> Parsed<Compound> {
        self.eat_word();
        self.skip_blanks();
        let subject = match self.word()? {
            Some(word) => word,
            None => return Err(self.unexpected(None)),
        };
        self.skip_newlines();
        self.expect_word("in")?;
        let mut arms = Vec::new();
        loop {
            self.skip_newlines();
            if self.at_end() {
                return Err(self.incomplete(&["esac"]));
            }
            if self.peek_word() == "esac" {
                self.eat_word();
                return Ok(Compound::Case { subject, arms });
            }
            arms.push(self.case_arm()?);
        }
    }

    fn case_arm(&mut self) -> Parsed<CaseArm> {
        if self.peek_op() == "(" {
            self.eat_op();
        }
        let mut patterns = Vec::new();
        loop {
            self.skip_blanks();
            match self.word()? {
                Some(word) => patterns.push(word),
                None => return Err(self.unexpected(None)),
            }
            self.skip_blanks();
            if self.peek_op() != "|" {
                break;
            }
            self.eat_op();
        }
        self.expect_op(")")?;
        let body = self.list_until(&[";;", ";&", "esac"])?;
        let falls_through = self.peek_op() == ";&";
        if self.peek_word() != "esac" {
            self.eat_op();
        }
        Ok(CaseArm { patterns, body, falls_through })
    }

    // ---- [[ … ]] ----

    fn test_or(&mut self) -> Parsed<Test> {
        let mut left = self.test_and()?;
        loop {
            self.skip_newlines();
            if self.peek_op() != "||" {
                return Ok(left);
            }
            self.eat_op();
            left = Test::Or(Arc::new(left), Arc::new(self.test_and()?));
        }
    }

    fn test_and(&mut self) -> Parsed<Test> {
        let mut left = self.test_not()?;
        loop {
            self.skip_newlines();
            if self.peek_op() != "&&" {
                return Ok(left);
            }
            self.eat_op();
            left = Test::And(Arc::new(left), Arc::new(self.test_not()?));
        }
    }

    fn test_not(&mut self) -> Parsed<Test> {
        self.skip_newlines();
        if self.at_end() {
            return Err(self.incomplete(&["]]"]));
        }
        if self.peek_word() == "!" {
            self.eat_word();
            return Ok(Test::Not(Arc::new(self.deeper(|parser| parser.test_not())?)));
        }
        if self.peek_op() == "(" {
            self.eat_op();
            let inner = self.deeper(|parser| parser.test_or())?;
            self.expect_op(")")?;
            return Ok(inner);
        }
        self.test_primary()
    }

    fn test_primary(&mut self) -> Parsed<Test> {
        let first = match self.word()? {
            Some(word) if word.plain() != Some("]]") => word,
            _ => return Err(self.unexpected(None)),
        };
        self.skip_blanks();
        let is_unary = first
            .plain()
            .is_some_and(|text| text.len() == 2 && text.starts_with('-') && text != "--");
        if is_unary
            && !matches!(self.peek_word(), "]]" | "==" | "=" | "!=")
            && self.peek_op().is_empty()
        {
            let op = first.plain().unwrap_or_default().to_string();
            let operand = self.word()?.unwrap_or_default();
            return Ok(Test::Unary(op, operand));
        }
        let op = match self.peek_op() {
            "<" => "<",
            ">" => ">",
            _ => "",
        };
        if !op.is_empty() {
            self.eat_op();
            self.skip_blanks();
            let right = self.word()?.unwrap_or_default();
            return Ok(Test::Binary(first, op.to_string(), right));
        }
        let op = self.peek_word().to_string();
        if op == "]]" || op.is_empty() {
            return Ok(Test::Word(first));
        }
        self.eat_word();
        self.skip_blanks();
        let right = if op == "=~" { self.regex_word()? } else { self.word()?.unwrap_or_default() };
        Ok(Test::Binary(first, op, right))
    }

    // ---- simple commands ----

    fn simple(&mut self) -> Parsed<Command> {
        let mut simple = Simple { line: self.line, ..Simple::default() };
        loop {
            self.skip_blanks();
            if let Some(redirect) = self.redirect()? {
                simple.redirects.push(redirect);
                continue;
            }
            if simple.words.is_empty()
                && let Some(assign) = self.assignment()?
            {
                simple.assigns.push(assign);
                continue;
            }
            if let Some(array) = self.declared_array(&simple)? {
                let sign = if array.append { "+" } else { "" };
                simple.words.push(Word(vec![Part::Literal(format!("{}{sign}", array.name))]));
                simple.arrays.push(array);
                continue;
            }
            let after_alias = self.alias_goes_on.is_some_and(|end| self.rest() <= end);
            if simple.words.is_empty() || after_alias {
                self.alias_goes_on = self.alias_goes_on.filter(|_| !after_alias);
                self.substitute_alias();
            }
            let Some(word) = self.word()? else { break };
            simple.words.push(word);
            self.skip_blanks();
            if self.peek_op() == "("
                && simple.assigns.is_empty()
                && let [word] = simple.words.as_slice()
                && let Some(name) = word.plain().map(str::to_string)
            {
                self.eat_op();
                self.expect_op(")")?;
                return self.function(name);
            }
        }
        if simple.words.is_empty() && simple.assigns.is_empty() && simple.redirects.is_empty() {
            return Err(if self.at_end() { self.incomplete(&[]) } else { self.unexpected(None) });
        }
        Ok(Command::Simple(simple))
    }

    fn assignment(&mut self) -> Parsed<Option<Assign>> {
        let rest = self.rest_text();
        let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(0);
        let name = rest.get(..length).unwrap_or_default().to_string();
        if !is_name(&name) {
            return Ok(None);
        }
        let before = (self.at, self.line);
        self.at += length;
        let mut subscript = None;
        if self.arrays && self.rest_starts("[") {
            self.at += 1;
            match self.subscript() {
                Ok(word) => subscript = Some(word),
                // A word like any other, as far as this goes.
                Err(_) => {
                    (self.at, self.line) = before;
                    return Ok(None);
                }
            }
        }
        let append = self.rest_starts("+=");
        if !append && !self.rest_starts("=") {
            (self.at, self.line) = before;
            return Ok(None);
        }
        self.at += if append { 2 } else { 1 };
        let value = if self.arrays && self.rest_starts("(") {
            let from = self.rest();
            let elements = self.array()?;
            Assigned::Array(elements, self.text_since(from).into())
        } else {
            Assigned::Text(self.word()?.unwrap_or_default())
        };
        Ok(Some(Assign { name, subscript, append, value }))
    }

    /// `name=(…)` as an argument of `declare` and its like.
    fn declared_array(&mut self, simple: &Simple) -> Parsed<Option<Assign>> {
        let command = simple.words.first().and_then(Word::plain).unwrap_or_default();
        if !self.arrays || !declares_arrays(command) {
            return Ok(None);
        }
        let rest = self.rest_text();
        let name = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(0);
        let after = rest.get(name..).unwrap_or_default();
        if !after.starts_with("=(") && !after.starts_with("+=(") {
            return Ok(None);
        }
        self.assignment()
    }

    /// The elements of `name=(…)`, with the brackets.
    fn array(&mut self) -> Parsed<Vec<(Option<Word>, Word)>> {
        self.deeper(|parser| {
            parser.at += 1;
            let mut elements = Vec::new();
            loop {
                parser.skip_newlines();
                if parser.at_end() {
                    return Err(ParseError::Incomplete(Missing::Word(Some(")"))));
                }
                if parser.peek_op() == ")" {
                    parser.eat_op();
                    return Ok(elements);
                }
                let subscript = parser.element_subscript();
                match parser.word()? {
                    Some(word) => elements.push((subscript, word)),
                    None if subscript.is_some() => elements.push((subscript, Word::default())),
                    None => return Err(parser.unexpected(None)),
                }
            }
        })
    }

    /// `[…]=` before an element.
    fn element_subscript(&mut self) -> Option<Word> {
        let before = (self.at, self.line);
        if self.rest_starts("[") {
            self.at += 1;
            if let Ok(word) = self.subscript()
                && self.rest_starts("=")
            {
                self.at += 1;
                return Some(word);
            }
        }
        (self.at, self.line) = before;
        None
    }

    fn redirect(&mut self) -> Parsed<Option<Redirect>> {
        let rest = self.rest_text();
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
        let after = rest.get(digits..).unwrap_or_default();
        let of_both = digits == 0 && after.starts_with("&>");
        if !of_both && (digits > 3 || !after.starts_with(['<', '>'])) {
            return Ok(None);
        }
        if digits == 0 && self.at_process() {
            return Ok(None);
        }
        let fd = rest.get(..digits).and_then(|text| text.parse().ok());
        self.at += digits;
        let op = self.peek_op();
        let kind = match op {
            "<" => RedirectKind::Read,
            ">" | ">|" => RedirectKind::Write,
            ">>" => RedirectKind::Append,
            "<>" => RedirectKind::ReadWrite,
            "<&" | ">&" => RedirectKind::Duplicate,
            "&>" => RedirectKind::Both,
            "&>>" => RedirectKind::BothAppend,
            "<<<" => RedirectKind::HereString,
            "<<" | "<<-" => RedirectKind::HereDocument,
            _ => return Err(self.unexpected(None)),
        };
        let default_fd = if op.starts_with('<') { 0 } else { 1 };
        let strip = op == "<<-";
        let is_output_dup = op == ">&";
        self.eat_op();
        self.skip_blanks();
        if kind == RedirectKind::HereDocument {
            let target = self.here_document(strip)?;
            return Ok(Some(Redirect { fd: fd.or(Some(0)), kind, target }));
        }
        let Some(target) = self.word()? else { return Err(self.unexpected(None)) };
        let names_fd = target.plain().is_none_or(|text| text == "-" || text.parse::<u32>().is_ok());
        if is_output_dup && fd.is_none() && !names_fd {
            return Ok(Some(Redirect { fd: None, kind: RedirectKind::Both, target }));
        }
        Ok(Some(Redirect { fd: fd.or(Some(default_fd)), kind, target }))
    }

    // ---- aliases ----

    /// Puts an alias's text in the place of the word here, if it is one.
    fn substitute_alias(&mut self) {
        let Some(aliases) = self.aliases else { return };
        loop {
            let rest = self.rest();
            self.substituting.retain(|(_, end)| *end < rest);
            let name = self.peek_word().to_string();
            let length = name.len();
            let Some(value) = aliases.get(&name) else { return };
            let busy = self.substituting.iter().any(|(other, _)| *other == name);
            if busy || self.substitutions >= ALIASES_MAX {
                return;
            }
            self.substitutions += 1;
            self.substituting.push((name, rest - length));
            if value.ends_with(is_blank) {
                self.alias_goes_on = Some(rest - length);
            }
            let value = value.clone();
            self.text.to_mut().replace_range(self.at..self.at + length, &value);
            self.skip_blanks();
        }
    }

    // ---- tokens ----

    pub fn rest(&self) -> usize {
        self.text.len() - self.at
    }

    pub fn rest_text(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub fn rest_starts(&self, prefix: &str) -> bool {
        self.rest_text().starts_with(prefix)
    }

    /// The text from where `rest` bytes were left until here.
    fn text_since(&self, rest: usize) -> &str {
        let from = self.text.len().saturating_sub(rest);
        self.text.get(from.min(self.at)..self.at).unwrap_or_default()
    }

    fn at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    fn at_newline(&self) -> bool {
        self.rest_starts("\n")
    }

    pub fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest_text();
            if rest.starts_with(is_blank) {
                self.at += 1;
            } else if rest.starts_with("\\\n") {
                self.at += 2;
                self.line += 1;
            } else if rest.starts_with('#') {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else {
                return;
            }
        }
    }

    fn skip_newlines(&mut self) {
        self.skip_blanks();
        while self.eat_newline() {
            self.skip_blanks();
        }
    }

    fn eat_newline(&mut self) -> bool {
        if !self.at_newline() {
            return false;
        }
        self.at += 1;
        self.line += 1;
        if let Some(rest) = self.after_heredocs.take() {
            let next = self.text.len().saturating_sub(rest);
            let skipped = self.text.get(self.at..next).unwrap_or_default();
            self.line += skipped.matches('\n').count();
            self.at = next.max(self.at);
        }
        true
    }

    /// The operator here, or "".
    pub fn peek_op(&self) -> &'static str {
        const OPS: [&str; 21] = [
            "&>>", "<<-", "<<<", "&&", "||", ";;", ";&", "&>", "|&", "<<", "<&", "<>", ">>", ">&",
            ">|", "&", "|", ";", "(", ")", "<",
        ];
        let rest = self.rest_text();
        if rest.starts_with('>')
            && !rest.starts_with(">>")
            && !rest.starts_with(">&")
            && !rest.starts_with(">|")
        {
            return ">";
        }
        OPS.into_iter().find(|op| rest.starts_with(op)).unwrap_or("")
    }

    pub fn eat_op(&mut self) {
        self.at += self.peek_op().len();
    }

    fn expect_op(&mut self, op: &'static str) -> Parsed<()> {
        self.skip_newlines();
        if self.peek_op() == op {
            self.eat_op();
            return Ok(());
        }
        Err(if self.at_end() { self.incomplete(&[op]) } else { self.unexpected(Some(op)) })
    }

    /// The unquoted word here, as far as it is plain; "" if there is none or something quotes.
    pub fn peek_word(&self) -> &str {
        let rest = self.rest_text();
        let end = rest.find(is_meta).unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default();
        if word.contains(['\'', '"', '\\', '$', '`']) { "" } else { word }
    }

    pub fn eat_word(&mut self) {
        self.at += self.peek_word().len();
    }

    fn expect_word(&mut self, word: &'static str) -> Parsed<()> {
        self.skip_newlines();
        if self.peek_word() == word {
            self.eat_word();
            return Ok(());
        }
        Err(if self.at_end() { self.incomplete(&[word]) } else { self.unexpected(Some(word)) })
    }

    fn at_any(&self, ends: &[&'static str]) -> bool {
        ends.iter().any(|end| self.peek_op() == *end || self.peek_word() == *end)
    }

    fn incomplete(&self, ends: &[&'static str]) -> ParseError {
        ParseError::Incomplete(Missing::Word(ends.first().copied()))
    }

    pub fn unexpected(&self, expecting: Option<&'static str>) -> ParseError {
        if self.at_end() {
            return ParseError::Incomplete(Missing::Word(expecting));
        }
        let op = self.peek_op();
        let token = if self.at_newline() {
            "newline".to_string()
        } else if !op.is_empty() {
            op.to_string()
        } else {
            let rest = self.rest_text();
            rest.get(..rest.find(is_meta).unwrap_or(rest.len())).unwrap_or_default().to_string()
        };
        ParseError::Syntax { token, expecting, line: self.line }
    }
}

/// What may follow a compound command without a separator.
const CLOSERS: &[&str] =
    &[")", ";;", ";&", "then", "do", "fi", "done", "esac", "elif", "else", "}"];

/// Whether `name=(…)` among the arguments of this command gives an array.
fn declares_arrays(command: &str) -> bool {
    matches!(command, "declare" | "typeset" | "local" | "export" | "readonly")
}

/// Whether the word means something to the grammar.
pub fn is_keyword(text: &str) -> bool {
    const KEYWORDS: [&str; 20] = [
        "!", "[[", "]]", "case", "do", "done", "elif", "else", "esac", "fi", "for", "function",
        "if", "in", "then", "time", "until", "while", "{", "}",
    ];
    KEYWORDS.contains(&text)
}

/// Whether the text can name a variable.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn duplicate_error() -> Redirect {
    let target = Word(vec![Part::Literal("1".to_string())]);
    Redirect { fd: Some(2), kind: RedirectKind::Duplicate, target }
}

fn add_redirect(command: &mut Command, redirect: Redirect) {
    match command {
        Command::Simple(simple) => simple.redirects.push(redirect),
        Command::Compound(_, redirects) => redirects.push(redirect),
        Command::Function { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, last: bool) -> Parsed<(List, usize)> {
        parse_command(text, 1, &Grammar { arrays: true, ..Grammar::default() }, last)
    }

    fn missing(text: &str) -> Option<Missing> {
        match parse(text, false) {
            Err(ParseError::Incomplete(missing)) => Some(missing),
            _ => None,
        }
    }

    #[test]
    fn one_command_is_taken_with_its_line() {
        for (text, taken, items) in [
            ("echo a; echo b\necho c\n", 15, 2),
            ("\n\n  # only a comment\n", 21, 0),
            ("cat <<E; echo b\nx\nE\nrest", 20, 2),
            ("if a\nthen b\nfi\nrest", 15, 1),
            ("a &&\nb\nrest", 7, 1),
            ("a |\n b\nrest", 7, 1),
            ("(a; b) & c\n", 11, 2),
            ("x=$(cat <<E\nin\nE\n) y\nrest", 21, 1),
            ("a=(1 # one\n [3]=b\n) a[1]+=2 x\nrest", 30, 1),
            ("cat <(a; b) < <(c)\nrest", 19, 1),
            ("a[1 a[2]] a[b\nrest", 14, 1),
            ("declare -a a=(1\n2) b\nrest", 21, 1),
        ] {
            let (list, length) = parse(text, true).unwrap();
            assert_eq!((length, list.items.len()), (taken, items), "{text:?}");
        }
    }

    #[test]
    fn what_may_go_on_is_incomplete() {
        for (text, expected) in [
            ("echo 'a\n", Missing::Quote('\'')),
            ("echo \"a\n", Missing::Quote('"')),
            ("echo `a\n", Missing::Quote('`')),
            ("echo ${a:-b\n", Missing::Quote('}')),
            ("echo $(a\n", Missing::Word(Some(")"))),
            ("echo $((1 +\n", Missing::Quote(')')),
            ("if a\n", Missing::Word(Some("then"))),
            ("if a; then b\n", Missing::Word(Some("fi"))),
            ("while a; do\n", Missing::Word(Some("done"))),
            ("for x in a\n", Missing::Word(Some("do"))),
            ("case x in\n", Missing::Word(Some("esac"))),
            ("{ a\n", Missing::Word(Some("}"))),
            ("f() \n", Missing::Word(None)),
            ("a |\n", Missing::Word(None)),
            ("a &&\n", Missing::Word(None)),
            ("cat <<E\nx\n", Missing::HereDocument("E".to_string())),
            ("cat <<'E'", Missing::HereDocument("E".to_string())),
            ("a=(1\n", Missing::Word(Some(")"))),
            ("cat <(a\n", Missing::Word(Some(")"))),
        ] {
            assert_eq!(missing(text), Some(expected), "{text:?}");
        }
        for text in ["echo a\n", "echo \\\\\n", "echo ok\nif\n"] {
            assert_eq!(missing(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, token, line) in [
            (")", ")", 1),
            ("echo a)", ")", 1),
            ("a\nb\n", "", 0),
            ("if; then", ";", 1),
            ("\n\n;;", ";;", 3),
            ("a | | b", "|", 1),
            ("done", "done", 1),
            ("for 1 in a; do", "1", 1),
            ("cat <\n", "newline", 1),
            ("{ a; ) }", ")", 1),
        ] {
            let seen = match parse(text, true) {
                Err(ParseError::Syntax { token, line, .. }) => (token, line),
                _ => (String::new(), 0),
            };
            assert_eq!((seen.0.as_str(), seen.1), (token, line), "{text:?}");
        }
        assert!(matches!(parse("echo ${a b}", true), Err(ParseError::BadSubstitution(_))));
        assert_eq!(parse(&"(".repeat(10_000), true), Err(ParseError::TooLarge));
        assert_eq!(parse(&"$(".repeat(10_000), true), Err(ParseError::TooLarge));
    }

    #[test]
    fn aliases_are_substituted_but_not_for_ever() {
        let aliases: BTreeMap<String, String> =
            [("k", "kubectl"), ("ls", "ls -F"), ("a", "b"), ("b", "a"), ("two", "x; y")]
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .into();
        for (text, expected) in [
            ("k get", "kubectl get"),
            ("echo k", "echo k"),
            ("ls x", "ls -F x"),
            ("a", "a"),
            ("'k' get", " get"),
            ("x=1 k", "kubectl"),
            ("two z", "x | y z"),
        ] {
            let grammar = Grammar { aliases: aliases.clone(), arrays: true };
            let (list, _) = parse_command(text, 1, &grammar, true).unwrap();
            let commands = list.items.iter().flat_map(|item| &item.and_or.pipelines);
            let shown: Vec<String> = commands
                .flat_map(|(_, pipeline)| &pipeline.commands)
                .map(|command| match command.as_ref() {
                    Command::Simple(simple) => {
                        let words = simple.words.iter().map(|word| word.plain().unwrap_or(""));
                        words.collect::<Vec<_>>().join(" ")
                    }
                    _ => String::new(),
                })
                .collect();
            assert_eq!(shown.join(" | "), expected, "{text}");
        }
    }
}
