//! `sed`: `s`, `d`, `p`, `q`, `a`, `i`, `c`, `y`, `=`, with addresses.

use super::regex::compile;
use super::tool::{Filter, Next, Options, Out};
use crate::{Errno, Sys};
use regex_lite::Regex;

#[derive(Clone, Debug)]
enum Address {
    Line(usize),
    Last,
    Match(Regex),
}

#[derive(Clone, Debug)]
enum Action {
    Substitute { regex: Regex, with: String, global: bool, print: bool, which: usize },
    Translate(Vec<(char, char)>),
    Delete,
    Print,
    Quit,
    Number,
    Append(String),
    Insert(String),
    Change(String),
    Next,
    Block(Vec<Command>),
}

#[derive(Clone, Debug)]
struct Command {
    from: Option<Address>,
    to: Option<Address>,
    negated: bool,
    inside: bool,
    action: Action,
}

/// `sed [-nEri] [-e script] script files…`
#[derive(Clone, Debug)]
pub struct Sed {
    commands: Vec<Command>,
    quiet: bool,
    in_place: bool,
    number: usize,
    /// The line before the one that came last: the last line of all is known only at the end.
    held: Option<(String, bool)>,
    file: Option<String>,
    written: Vec<(String, Vec<u8>)>,
    done: bool,
}

/// What one command did to the line.
enum Went {
    On,
    Deleted,
    Quit,
}

impl Filter for Sed {
    fn start(
        sys: &mut dyn Sys,
        args: &[String],
        out: &mut Out,
    ) -> Result<(Self, Vec<String>), i32> {
        let long = [
            ("quiet", 'n'),
            ("silent", 'n'),
            ("expression", 'e'),
            ("regexp-extended", 'E'),
            ("in-place", 'i'),
        ];
        let mut options = Options::parse(sys, args, "nErise:f:", &long, out, 1)?;
        let mut scripts: Vec<String> = options.values('e').map(str::to_string).collect();
        for file in options.values('f') {
            let path = sys.absolute(file);
            match sys.fs().read_text(&path) {
                Ok(text) => scripts.push(text),
                Err(errno) => {
                    out.error(format!("sed: couldn't open file {file}: {errno}"));
                    return Err(1);
                }
            }
        }
        if scripts.is_empty() {
            if options.operands.is_empty() {
                out.error(
                    "Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...",
                );
                return Err(1);
            }
            scripts.push(options.operands.remove(0));
        }
        let extended = options.has('E') || options.has('r');
        let commands = parse(&scripts.join("\n"), extended).map_err(|(at, message)| {
            out.error(format!("sed: -e expression #1, char {at}: {message}"));
            1
        })?;
        let sed = Sed {
            commands,
            quiet: options.has('n'),
            in_place: options.has('i'),
            number: 0,
            held: None,
            file: None,
            written: Vec::new(),
            done: false,
        };
        Ok((sed, options.operands))
    }

    fn open(&mut self, name: &str, _out: &mut Out) {
        if self.in_place {
            self.number = 0;
            self.file = Some(name.to_string());
            self.written.push((name.to_string(), Vec::new()));
        }
    }

    fn line(&mut self, line: &[u8], ended: bool, out: &mut Out) -> Next {
        let line = String::from_utf8_lossy(line).into_owned();
        if let Some((held, ended)) = self.held.replace((line, ended)) {
            self.run(held, ended, false, out);
        }
        if self.done { Next::End } else { Next::Line }
    }

    fn close(&mut self, _name: &str, out: &mut Out) {
        if self.in_place
            && let Some((held, ended)) = self.held.take()
        {
            self.run(held, ended, true, out);
        }
    }

    fn failed(&mut self, _program: &str, name: &str, errno: Errno, out: &mut Out) {
        if errno == Errno::IsDirectory {
            out.error(format!("sed: couldn't edit {name}: not a regular file"));
        } else {
            out.error(format!("sed: can't read {name}: {errno}"));
        }
    }

    fn end(&mut self, sys: &mut dyn Sys, code: i32, out: &mut Out) -> i32 {
        if let Some((held, ended)) = self.held.take()
            && !self.done
        {
            self.run(held, ended, true, out);
        }
        for (file, bytes) in std::mem::take(&mut self.written) {
            let path = sys.absolute(&file);
            if let Err(errno) = sys.fs().write(&path, &bytes) {
                out.error(format!("sed: couldn't open file {file}: {errno}"));
                return 4;
            }
        }
        if code == 0 { 0 } else { 2 }
    }
}

impl Sed {
    fn put(&mut self, text: &str, ended: bool, out: &mut Out) {
        let end = if ended { "\n" } else { "" };
        match self.written.last_mut().filter(|_| self.in_place) {
            Some((_, bytes)) => bytes.extend(format!("{text}{end}").into_bytes()),
            None => out.put(format!("{text}{end}")),
        }
    }

    fn run(&mut self, line: String, ended: bool, last: bool, out: &mut Out) {
        self.number += 1;
        let mut line = line;
        let mut after = Vec::new();
        let mut commands = std::mem::take(&mut self.commands);
        let went = self.run_all(&mut commands, &mut line, &mut after, last, out);
        self.commands = commands;
        if !matches!(went, Went::Deleted) && !self.quiet {
            self.put(&line, ended, out);
        }
        for text in after {
            self.put(&text, true, out);
        }
        if matches!(went, Went::Quit) {
            self.done = true;
        }
    }

    fn run_all(
        &mut self,
        commands: &mut [Command],
        line: &mut String,
        after: &mut Vec<String>,
        last: bool,
        out: &mut Out,
    ) -> Went {
        for command in commands {
            if !command.applies(self.number, last, line) {
                continue;
            }
            match &mut command.action {
                Action::Substitute { regex, with, global, print, which } => {
                    if let Some(new) = substitute(line, regex, with, *global, *which) {
                        *line = new;
                        if *print {
                            let shown = line.clone();
                            self.put(&shown, true, out);
                        }
                    }
                }
                Action::Translate(pairs) => {
                    let change =
                        |c: char| pairs.iter().find(|(from, _)| *from == c).map_or(c, |p| p.1);
                    *line = line.chars().map(change).collect();
                }
                Action::Delete => return Went::Deleted,
                Action::Print => {
                    let shown = line.clone();
                    self.put(&shown, true, out);
                }
                Action::Quit => return Went::Quit,
                Action::Number => {
                    let number = self.number.to_string();
                    self.put(&number, true, out);
                }
                Action::Append(text) => after.push(text.clone()),
                Action::Insert(text) => {
                    let text = text.clone();
                    self.put(&text, true, out);
                }
                Action::Change(text) => {
                    let text = text.clone();
                    self.put(&text, true, out);
                    return Went::Deleted;
                }
                Action::Next => return Went::On,
                Action::Block(inner) => {
                    let went = self.run_all(inner, line, after, last, out);
                    if !matches!(went, Went::On) {
                        return went;
                    }
                }
            }
        }
        Went::On
    }
}

impl Command {
    fn applies(&mut self, number: usize, last: bool, line: &str) -> bool {
        let at = |address: &Address| match address {
            Address::Line(wanted) => *wanted == number,
            Address::Last => last,
            Address::Match(regex) => regex.is_match(line),
        };
        let applies = match (&self.from, &self.to) {
            (None, _) => true,
            (Some(from), None) => at(from),
            (Some(_), Some(to)) if self.inside => {
                let ends = match to {
                    Address::Line(wanted) => number >= *wanted,
                    to => at(to),
                };
                self.inside = !ends;
                !matches!(to, Address::Line(wanted) if number > *wanted)
            }
            (Some(from), Some(to)) if at(from) => {
                self.inside = !matches!(to, Address::Line(wanted) if number >= *wanted);
                true
            }
            _ => false,
        };
        applies != self.negated
    }
}

fn substitute(line: &str, regex: &Regex, with: &str, global: bool, which: usize) -> Option<String> {
    let mut result = String::new();
    let mut from = 0;
    let mut changed = false;
    for (index, found) in regex.captures_iter(line).enumerate() {
        let Some(whole) = found.get(0) else { continue };
        if index + 1 < which || (changed && !global) {
            continue;
        }
        changed = true;
        result.push_str(line.get(from..whole.start()).unwrap_or_default());
        let mut chars = with.chars();
        while let Some(c) = chars.next() {
            match c {
                '&' => result.push_str(whole.as_str()),
                '\\' => match chars.next() {
                    Some(digit) if digit.is_ascii_digit() => {
                        let group = digit.to_digit(10).unwrap_or(0) as usize;
                        result.push_str(found.get(group).map_or("", |group| group.as_str()));
                    }
                    Some('n') => result.push('\n'),
                    Some('t') => result.push('\t'),
                    Some(c) => result.push(c),
                    None => result.push('\\'),
                },
                c => result.push(c),
            }
        }
        from = whole.end();
    }
    if !changed {
        return None;
    }
    result.push_str(line.get(from..).unwrap_or_default());
    Some(result)
}

// ---- the script ----

struct Parser<'a> {
    text: &'a str,
    at: usize,
    extended: bool,
    depth: usize,
}

type Parsed<T> = Result<T, (usize, String)>;

fn parse(text: &str, extended: bool) -> Parsed<Vec<Command>> {
    let mut parser = Parser { text, at: 0, extended, depth: 0 };
    parser.commands()
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn fail<T>(&self, message: &str) -> Parsed<T> {
        Err((self.text.get(..self.at).map_or(0, |text| text.chars().count()), message.to_string()))
    }

    fn skip(&mut self, separators: &str) {
        while self.peek().is_some_and(|c| c.is_whitespace() || separators.contains(c)) {
            self.take();
        }
    }

    fn commands(&mut self) -> Parsed<Vec<Command>> {
        let mut commands = Vec::new();
        loop {
            self.skip(";");
            match self.peek() {
                None if self.depth > 0 => return self.fail("unmatched `{'"),
                None => return Ok(commands),
                Some('}') if self.depth > 0 => {
                    self.take();
                    return Ok(commands);
                }
                Some('#') => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.take();
                    }
                }
                Some(_) => commands.push(self.command()?),
            }
        }
    }

    fn address(&mut self) -> Parsed<Option<Address>> {
        match self.peek() {
            Some('$') => {
                self.take();
                Ok(Some(Address::Last))
            }
            Some(c) if c.is_ascii_digit() => {
                let mut digits = String::new();
                while let Some(c) = self.peek().filter(char::is_ascii_digit) {
                    digits.push(c);
                    self.take();
                }
                Ok(Some(Address::Line(digits.parse().unwrap_or(usize::MAX))))
            }
            Some('/') => {
                self.take();
                let text = self.delimited('/')?;
                let mut ignore_case = false;
                if self.peek() == Some('I') {
                    self.take();
                    ignore_case = true;
                }
                match compile(&text, self.extended, ignore_case) {
                    Ok(regex) => Ok(Some(Address::Match(regex))),
                    Err(message) => self.fail(&message),
                }
            }
            _ => Ok(None),
        }
    }

    /// The text up to the delimiter, which is taken; an escaped delimiter stands for itself.
    fn delimited(&mut self, delimiter: char) -> Parsed<String> {
        let mut text = String::new();
        let mut in_bracket = false;
        loop {
            match self.take() {
                None | Some('\n') => return self.fail("unterminated address regex"),
                Some(c) if c == delimiter && !in_bracket => return Ok(text),
                Some('\\') => match self.take() {
                    Some(c) if c == delimiter => text.push(c),
                    Some(c) => text.extend(['\\', c]),
                    None => return self.fail("unterminated address regex"),
                },
                Some(c) => {
                    in_bracket = match c {
                        '[' => true,
                        ']' => false,
                        _ => in_bracket,
                    };
                    text.push(c);
                }
            }
        }
    }

    fn command(&mut self) -> Parsed<Command> {
        let from = self.address()?;
        let mut to = None;
        self.skip("");
        if from.is_some() && self.peek() == Some(',') {
            self.take();
            self.skip("");
            to = self.address()?;
            if to.is_none() {
                return self.fail("unexpected `,'");
            }
        }
        self.skip("");
        let mut negated = false;
        while self.peek() == Some('!') {
            self.take();
            self.skip("");
            negated = true;
        }
        let Some(name) = self.take() else { return self.fail("missing command") };
        let action = match name {
            's' => self.substitution()?,
            'y' => self.translation()?,
            'd' => Action::Delete,
            'p' => Action::Print,
            'q' => Action::Quit,
            '=' => Action::Number,
            'n' => Action::Next,
            'a' => Action::Append(self.text_argument()),
            'i' => Action::Insert(self.text_argument()),
            'c' => Action::Change(self.text_argument()),
            '{' => {
                self.depth += 1;
                if self.depth > 20 {
                    return self.fail("too many nested blocks");
                }
                let inner = self.commands()?;
                self.depth -= 1;
                Action::Block(inner)
            }
            other => return self.fail(&format!("unknown command: `{other}'")),
        };
        if !matches!(action, Action::Append(_) | Action::Insert(_) | Action::Change(_)) {
            while self.peek().is_some_and(|c| c == ' ') {
                self.take();
            }
            if self.peek().is_some_and(|c| !matches!(c, ';' | '\n' | '}' | '#')) {
                self.take();
                return self.fail("extra characters after command");
            }
        }
        Ok(Command { from, to, negated, inside: false, action })
    }

    fn text_argument(&mut self) -> String {
        while self.peek().is_some_and(|c| c == ' ') {
            self.take();
        }
        if self.peek() == Some('\\') {
            self.take();
            if self.peek() == Some('\n') {
                self.take();
            }
        }
        let mut text = String::new();
        while let Some(c) = self.take() {
            match c {
                '\n' => break,
                '\\' => text.extend(self.take()),
                c => text.push(c),
            }
        }
        text
    }

    fn substitution(&mut self) -> Parsed<Action> {
        let Some(delimiter) = self.take() else {
            return self.fail("unterminated `s' command");
        };
        let unterminated = |(at, _)| (at, "unterminated `s' command".to_string());
        let pattern = self.delimited(delimiter).map_err(unterminated)?;
        let mut with = String::new();
        loop {
            match self.take() {
                None => return self.fail("unterminated `s' command"),
                Some(c) if c == delimiter => break,
                Some('\\') => match self.take() {
                    Some(c) if c == delimiter && c != '&' => with.push(c),
                    Some(c) => with.extend(['\\', c]),
                    None => return self.fail("unterminated `s' command"),
                },
                Some(c) => with.push(c),
            }
        }
        let (mut global, mut print, mut ignore_case, mut which) = (false, false, false, 1);
        while let Some(flag) = self.peek() {
            match flag {
                'g' => global = true,
                'p' => print = true,
                'i' | 'I' => ignore_case = true,
                flag if flag.is_ascii_digit() => which = flag.to_digit(10).unwrap_or(1) as usize,
                ';' | '\n' | '}' | ' ' | '#' => break,
                _ => {
                    self.take();
                    return self.fail("unknown option to `s'");
                }
            }
            self.take();
        }
        match compile(&pattern, self.extended, ignore_case) {
            Ok(regex) => Ok(Action::Substitute { regex, with, global, print, which }),
            Err(message) => self.fail(&message),
        }
    }

    fn translation(&mut self) -> Parsed<Action> {
        let Some(delimiter) = self.take() else {
            return self.fail("unterminated `y' command");
        };
        let from: Vec<char> = self.delimited(delimiter)?.chars().collect();
        let to: Vec<char> = self.delimited(delimiter)?.chars().collect();
        if from.len() != to.len() {
            return self.fail("strings for `y' command are different lengths");
        }
        Ok(Action::Translate(from.into_iter().zip(to).collect()))
    }
}
