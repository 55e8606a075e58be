//! `nano`: an editor that says at its foot what its keys do.

use super::screen::{Buffer, Key, Keys, shown, size, width};
use super::tool::Out;
use crate::{Errno, Program, Step, Sys};

/// What is asked for at the foot.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Question {
    /// Whether to save before leaving.
    Save,
    /// The file's name, and whether nano is left then.
    Name(String, bool),
    /// What to look for.
    Search(String),
}

/// `nano [file]`
#[derive(Clone, Debug, Default)]
pub struct Nano {
    started: bool,
    name: String,
    buffer: Buffer,
    top: usize,
    question: Option<Question>,
    message: String,
    search: String,
    cut: Vec<Vec<char>>,
    /// The last key cut a line, so that the next is added to it.
    cutting: bool,
    keys: Keys,
    out: Out,
    code: Option<i32>,
    left: bool,
}

impl Program for Nano {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let mut stirred = !self.started;
        if !std::mem::replace(&mut self.started, true) {
            self.open(sys);
        }
        while self.code.is_none() {
            match sys.read(0, 4096) {
                Ok(bytes) if bytes.is_empty() => self.code = Some(1),
                Ok(bytes) => {
                    stirred = true;
                    self.keys.typed(bytes);
                    while let Some(key) = self.keys.next().filter(|_| self.code.is_none()) {
                        self.press(sys, key);
                        self.buffer.clamp(true);
                    }
                }
                Err(Errno::Again) => break,
                Err(_) => self.code = Some(1),
            }
        }
        if let Some(code) = self.code {
            if !std::mem::replace(&mut self.left, true) {
                self.out.put("\x1b[?1049l");
                let _ = sys.tty_raw(0, false);
            }
            return match self.out.flush(sys) {
                true => Step::Exit(code),
                false => Step::Block { until: None },
            };
        }
        if stirred {
            self.draw(sys);
        }
        self.out.flush(sys);
        Step::Block { until: None }
    }
}

impl Nano {
    fn open(&mut self, sys: &mut dyn Sys) {
        if !sys.is_tty(0) || !sys.is_tty(1) {
            self.out.error("Standard input is not a terminal");
            (self.code, self.left) = (Some(1), true);
            return;
        }
        self.name = sys
            .args()
            .iter()
            .skip(1)
            .find(|arg| !arg.starts_with(['-', '+']))
            .cloned()
            .unwrap_or_default();
        let path = sys.absolute(&self.name);
        let text = if self.name.is_empty() { None } else { sys.fs().read_text(&path).ok() };
        self.message = match &text {
            Some(text) => lines_read("Read", text),
            None if self.name.is_empty() => String::new(),
            None => "[ New File ]".to_owned(),
        };
        self.buffer = Buffer::new(&text.unwrap_or_default());
        let _ = sys.tty_raw(0, true);
        self.out.put("\x1b[?1049h");
    }

    fn press(&mut self, sys: &mut dyn Sys, key: Key) {
        self.message.clear();
        if let Some(question) = self.question.take() {
            return self.answer(sys, question, key);
        }
        let cutting = std::mem::take(&mut self.cutting);
        let rows = size(sys).1.saturating_sub(4).max(1);
        let buffer = &mut self.buffer;
        match key {
            Key::Char(c) => buffer.insert(c),
            Key::Enter => buffer.newline(),
            Key::Backspace | Key::Control('h') => buffer.backspace(),
            Key::Delete | Key::Control('d') => drop(buffer.cut(buffer.column, buffer.column + 1)),
            Key::Up | Key::Control('p') => buffer.row = buffer.row.saturating_sub(1),
            Key::Down | Key::Control('n') => buffer.row += 1,
            Key::Left => buffer.column = buffer.column.saturating_sub(1),
            Key::Right => buffer.column += 1,
            Key::Home | Key::Control('a') => buffer.column = 0,
            Key::End | Key::Control('e') => buffer.column = buffer.here().len(),
            Key::Control('v' | 'f') => buffer.row += rows,
            Key::Control('y' | 'b') => buffer.row = buffer.row.saturating_sub(rows),
            Key::Control('k') => {
                if !cutting {
                    self.cut.clear();
                }
                self.cut.extend(buffer.cut_lines(1));
                self.cutting = true;
            }
            Key::Control('u') => {
                let count = self.cut.len();
                buffer.paste_lines(&self.cut, false);
                buffer.row += count;
            }
            Key::Control('w') => self.question = Some(Question::Search(String::new())),
            Key::Control('o') => {
                self.question = Some(Question::Name(self.name.clone(), false));
            }
            Key::Control('s') => drop(self.write(sys, &self.name.clone())),
            Key::Control('x') if self.buffer.changed => self.question = Some(Question::Save),
            Key::Control('x') => self.code = Some(0),
            _ => {}
        }
    }

    fn answer(&mut self, sys: &mut dyn Sys, question: Question, key: Key) {
        match (question, key) {
            (_, Key::Control('c')) => self.message = "[ Cancelled ]".to_owned(),
            (Question::Save, Key::Char('y' | 'Y')) => {
                self.question = Some(Question::Name(self.name.clone(), true));
            }
            (Question::Save, Key::Char('n' | 'N')) => self.code = Some(0),
            (Question::Save, _) => self.question = Some(Question::Save),
            (Question::Name(name, leaves), Key::Enter) => {
                if self.write(sys, &name) && leaves {
                    self.code = Some(0);
                }
            }
            (Question::Search(text), Key::Enter) => {
                if !text.is_empty() {
                    self.search = text;
                }
                if !self.buffer.find(&self.search.clone(), true) {
                    self.message = format!("[ \"{}\" not found ]", self.search);
                }
            }
            (Question::Name(mut text, leaves), key) => {
                edit_line(&mut text, key);
                self.question = Some(Question::Name(text, leaves));
            }
            (Question::Search(mut text), key) => {
                edit_line(&mut text, key);
                self.question = Some(Question::Search(text));
            }
        }
    }

    fn write(&mut self, sys: &mut dyn Sys, name: &str) -> bool {
        if name.is_empty() {
            self.message = "[ Cancelled ]".to_owned();
            return false;
        }
        let (path, text) = (sys.absolute(name), self.buffer.text());
        match sys.fs().write(&path, text.as_bytes()) {
            Ok(()) => {
                self.buffer.changed = false;
                self.name = name.to_owned();
                self.message = lines_read("Wrote", &text);
                true
            }
            Err(errno) => {
                self.message = format!("[ Error writing {name}: {errno} ]");
                false
            }
        }
    }

    fn draw(&mut self, sys: &dyn Sys) {
        let (columns, rows) = size(sys);
        let body = rows.saturating_sub(4).max(1);
        let row = self.buffer.row;
        if row < self.top {
            self.top = row;
        } else if row >= self.top + body {
            self.top = row + 1 - body;
        }
        let name = if self.name.is_empty() { "New Buffer" } else { &self.name };
        let mark = if self.buffer.changed { "Modified" } else { "" };
        let title = format!(
            "  GNU nano 7.2{:^width$}{mark:>10}  ",
            name,
            width = columns.saturating_sub(26)
        );
        let mut text = format!("\x1b[?25l\x1b[H\x1b[7m{title}\x1b[0m\x1b[K\r\n");
        for at in self.top..self.top + body {
            let line = shown(self.buffer.line(at), columns);
            text.push_str(&format!("{line}\x1b[K\r\n"));
        }
        let (foot, cursor) = self.foot(columns);
        text.push_str(&foot);
        let before = self.buffer.here().get(..self.buffer.column).unwrap_or_default();
        let (line, column) = match cursor {
            Some(column) => (body + 2, column),
            None => (row - self.top + 2, width(before) + 1),
        };
        text.push_str(&format!("\x1b[{line};{}H\x1b[?25h", column.min(columns)));
        self.out.put(text);
    }

    /// The last three lines, and where in the first of them the cursor is, if it is there.
    fn foot(&self, columns: usize) -> (String, Option<usize>) {
        let asked = match &self.question {
            None => None,
            Some(Question::Save) => Some("Save modified buffer? ".to_owned()),
            Some(Question::Name(name, _)) => Some(format!("File Name to Write: {name}")),
            Some(Question::Search(text)) => Some(format!("Search: {text}")),
        };
        let keys = match &self.question {
            None => ["^X Exit  ^O Write Out  ^W Where Is", "^K Cut   ^U Paste      ^V Page Down"],
            Some(Question::Save) => [" Y Yes", " N No    ^C Cancel"],
            Some(_) => ["^C Cancel", ""],
        };
        let cursor = asked.as_ref().map(|text| width(&text.chars().collect::<Vec<char>>()) + 1);
        let first = match asked {
            Some(text) => format!("\x1b[7m{text}\x1b[0m"),
            None => format!("{:^columns$}", self.message),
        };
        let keys = keys.map(|line| shown(&line.chars().collect::<Vec<char>>(), columns));
        (format!("{first}\x1b[K\r\n{}\x1b[K\r\n{}\x1b[K", keys[0], keys[1]), cursor)
    }
}

fn lines_read(did: &str, text: &str) -> String {
    let count = text.lines().count();
    format!("[ {did} {count} line{} ]", if count == 1 { "" } else { "s" })
}

fn edit_line(text: &mut String, key: Key) {
    match key {
        Key::Char(c) => text.push(c),
        Key::Backspace => drop(text.pop()),
        _ => {}
    }
}
