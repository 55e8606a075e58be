//! `vi`: an editor for the terminal.

use super::screen::{Buffer, Key, Keys, shown, size, width};
use super::tool::Out;
use crate::{Errno, Program, Step, Sys};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Normal,
    Insert,
    /// `:` or `/`: a line is written below the text.
    Line(char),
}

/// What was cut or copied.
#[derive(Clone, Debug)]
enum Register {
    Lines(Vec<Vec<char>>),
    Chars(Vec<char>),
}

/// `vi [file]`
#[derive(Clone, Debug, Default)]
pub struct Vi {
    started: bool,
    path: String,
    name: String,
    buffer: Buffer,
    mode: Mode,
    /// The first row that is shown.
    top: usize,
    /// Keys of a command that is not complete: `d`, `g`, `r`.
    pending: Option<char>,
    count: usize,
    /// What is written after `:` or `/`.
    line: String,
    message: String,
    search: String,
    register: Option<Register>,
    keys: Keys,
    out: Out,
    code: Option<i32>,
}

impl Program for Vi {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if !std::mem::replace(&mut self.started, true) {
            self.open(sys);
        }
        let mut stirred = false;
        while self.code.is_none() {
            match sys.read(0, 4096) {
                Ok(bytes) if bytes.is_empty() => self.code = Some(1),
                Ok(bytes) => {
                    self.keys.typed(bytes);
                    stirred = true;
                    while let Some(key) = self.keys.next() {
                        self.press(sys, key);
                        if self.code.is_some() {
                            break;
                        }
                    }
                }
                Err(Errno::Again) => break,
                Err(_) => self.code = Some(1),
            }
        }
        if let Some(code) = self.code {
            return self.leave(sys, code);
        }
        if stirred {
            self.draw(sys);
        }
        self.out.flush(sys);
        Step::Block { until: None }
    }
}

impl Vi {
    fn open(&mut self, sys: &mut dyn Sys) {
        self.name = sys.args().get(1).cloned().unwrap_or_default();
        self.path = sys.absolute(&self.name);
        let text = if self.name.is_empty() { None } else { sys.fs().read_text(&self.path).ok() };
        self.message = match (&text, self.name.as_str()) {
            (_, "") => String::new(),
            (Some(text), name) => format!("\"{name}\" {}L, {}B", text.lines().count(), text.len()),
            (None, name) => format!("\"{name}\" [New]"),
        };
        self.buffer = Buffer::new(&text.unwrap_or_default());
        // Without a terminal there is nothing to make raw.
        let _ = sys.tty_raw(0, true);
        self.out.put("\x1b[?1049h");
        self.draw(sys);
    }

    fn leave(&mut self, sys: &mut dyn Sys, code: i32) -> Step {
        if self.started && !self.path.is_empty() {
            self.path.clear();
            self.out.put("\x1b[?1049l");
            let _ = sys.tty_raw(0, false);
        }
        if self.out.flush(sys) { Step::Exit(code) } else { Step::Block { until: None } }
    }

    fn press(&mut self, sys: &mut dyn Sys, key: Key) {
        match self.mode {
            Mode::Normal => self.normal(sys, key),
            Mode::Insert => self.insert(key),
            Mode::Line(kind) => self.write_line(sys, kind, key),
        }
        self.buffer.clamp(self.mode == Mode::Insert);
    }

    fn insert(&mut self, key: Key) {
        match key {
            Key::Escape => {
                self.mode = Mode::Normal;
                self.message.clear();
                self.buffer.column = self.buffer.column.saturating_sub(1);
            }
            Key::Enter => self.buffer.newline(),
            Key::Backspace | Key::Control('h') => self.buffer.backspace(),
            Key::Char(c) => self.buffer.insert(c),
            Key::Delete => drop(self.buffer.cut(self.buffer.column, self.buffer.column + 1)),
            other => self.move_by(other, 1),
        }
    }

    /// Moves that every mode knows.
    fn move_by(&mut self, key: Key, count: usize) {
        let buffer = &mut self.buffer;
        match key {
            Key::Up => buffer.row = buffer.row.saturating_sub(count),
            Key::Down => buffer.row += count,
            Key::Left => buffer.column = buffer.column.saturating_sub(count),
            Key::Right => buffer.column += count,
            Key::Home => buffer.column = 0,
            Key::End => buffer.column = buffer.here().len(),
            _ => {}
        }
    }

    fn start_insert(&mut self) {
        self.buffer.mark();
        self.mode = Mode::Insert;
        self.message = "-- INSERT --".to_owned();
    }

    fn normal(&mut self, sys: &mut dyn Sys, key: Key) {
        self.message.clear();
        if let Some(before) = self.pending.take() {
            let count = std::mem::take(&mut self.count).max(1);
            return self.two_keys(sys, before, key, count);
        }
        if let Key::Char(c @ '0'..='9') = key
            && (c != '0' || self.count > 0)
        {
            let digit = usize::try_from(u32::from(c) - 48).unwrap_or(0);
            self.count = (self.count * 10 + digit).min(100_000);
            return;
        }
        let given = std::mem::take(&mut self.count);
        let count = given.max(1);
        match key {
            Key::Char('h') | Key::Backspace => self.move_by(Key::Left, count),
            Key::Char('j') | Key::Enter => self.move_by(Key::Down, count),
            Key::Char('k') => self.move_by(Key::Up, count),
            Key::Char('l' | ' ') => self.move_by(Key::Right, count),
            Key::Char('0') => self.buffer.column = 0,
            Key::Char('^') => {
                self.buffer.column =
                    self.buffer.here().iter().take_while(|c| c.is_whitespace()).count();
            }
            Key::Char('$') => self.buffer.column = self.buffer.here().len(),
            Key::Char('w') => (0..count).for_each(|_| self.buffer.next_word()),
            Key::Char('b') => (0..count).for_each(|_| self.buffer.previous_word()),
            Key::Char('G') => {
                self.buffer.row = if given == 0 { self.buffer.len() } else { given } - 1;
            }
            Key::Char(c @ ('d' | 'y' | 'g' | 'r' | 'c' | 'Z')) => {
                (self.pending, self.count) = (Some(c), given);
            }
            Key::Control(c) => self.scroll(sys, c),
            Key::Char(c) => self.change(c, count),
            Key::Delete => self.change('x', count),
            other => self.move_by(other, count),
        }
    }

    fn scroll(&mut self, sys: &dyn Sys, c: char) {
        let rows = size(sys).1.saturating_sub(2).max(1);
        match c {
            'f' => self.buffer.row += rows,
            'b' => self.buffer.row = self.buffer.row.saturating_sub(rows),
            'd' => self.buffer.row += rows / 2,
            'u' => self.buffer.row = self.buffer.row.saturating_sub(rows / 2),
            _ => {}
        }
    }

    fn change(&mut self, c: char, count: usize) {
        let (column, length) = (self.buffer.column, self.buffer.here().len());
        match c {
            'i' => self.start_insert(),
            'a' => {
                self.buffer.column = (column + 1).min(length);
                self.start_insert();
            }
            'I' => {
                self.buffer.column = 0;
                self.start_insert();
            }
            'A' => {
                self.buffer.column = length;
                self.start_insert();
            }
            'o' => {
                self.start_insert();
                self.buffer.column = length;
                self.buffer.newline();
            }
            'O' => {
                self.start_insert();
                self.buffer.paste_lines(&[Vec::new()], false);
            }
            'x' => {
                self.buffer.mark();
                self.register = Some(Register::Chars(self.buffer.cut(column, column + count)));
            }
            'X' => {
                self.buffer.mark();
                let cut = self.buffer.cut(column.saturating_sub(count), column);
                self.register = Some(Register::Chars(cut));
            }
            'D' | 'C' => {
                self.buffer.mark();
                self.register = Some(Register::Chars(self.buffer.cut(column, length)));
                if c == 'C' {
                    self.buffer.column = length;
                    self.mode = Mode::Insert;
                    self.message = "-- INSERT --".to_owned();
                }
            }
            'J' => {
                self.buffer.mark();
                self.buffer.join();
            }
            'p' | 'P' => self.paste(c == 'p'),
            'u' if !self.buffer.undo() => self.message = "Already at oldest change".to_owned(),
            'n' | 'N' => self.find(c == 'n'),
            ':' | '/' => {
                self.mode = Mode::Line(c);
                self.line.clear();
            }
            _ => {}
        }
    }

    fn paste(&mut self, after: bool) {
        let Some(register) = self.register.clone() else { return };
        self.buffer.mark();
        match register {
            Register::Lines(lines) => self.buffer.paste_lines(&lines, after),
            Register::Chars(chars) => {
                let length = self.buffer.here().len();
                self.buffer.column = (self.buffer.column + usize::from(after)).min(length);
                chars.into_iter().for_each(|c| self.buffer.insert(c));
                self.buffer.column = self.buffer.column.saturating_sub(1);
            }
        }
    }

    fn two_keys(&mut self, sys: &mut dyn Sys, before: char, key: Key, count: usize) {
        match (before, key) {
            ('d', Key::Char('d')) => {
                self.buffer.mark();
                self.register = Some(Register::Lines(self.buffer.cut_lines(count)));
            }
            ('c', Key::Char('c')) => {
                self.start_insert();
                self.buffer.cut(0, self.buffer.here().len());
            }
            ('y', Key::Char('y')) => {
                self.register = Some(Register::Lines(self.buffer.copy_lines(count)));
            }
            ('d' | 'c', Key::Char('w')) => {
                self.buffer.mark();
                let (row, from) = (self.buffer.row, self.buffer.column);
                (0..count).for_each(|_| self.buffer.next_word());
                let mut to = match self.buffer.row == row {
                    true => self.buffer.column,
                    false => usize::MAX,
                };
                self.buffer.row = row;
                if before == 'c' {
                    // `cw` leaves the space after the word.
                    let line = self.buffer.here();
                    let word = line.get(from..to.min(line.len())).unwrap_or_default();
                    let spaces = word.iter().rev().take_while(|c| c.is_whitespace()).count();
                    to = from + word.len() - spaces;
                }
                self.register = Some(Register::Chars(self.buffer.cut(from, to)));
                if before == 'c' {
                    self.mode = Mode::Insert;
                    self.message = "-- INSERT --".to_owned();
                }
            }
            ('d', Key::Char('$')) => self.change('D', 1),
            ('c', Key::Char('$')) => self.change('C', 1),
            ('g', Key::Char('g')) => self.buffer.row = count - 1,
            ('r', Key::Char(c)) => {
                self.buffer.mark();
                self.buffer.replace(c);
            }
            ('Z', Key::Char('Z')) => self.command(sys, "x"),
            ('Z', Key::Char('Q')) => self.command(sys, "q!"),
            _ => {}
        }
    }

    fn find(&mut self, forward: bool) {
        let wanted = self.search.clone();
        if !self.buffer.find(&wanted, forward) {
            self.message = format!("E486: Pattern not found: {wanted}");
        }
    }

    fn write_line(&mut self, sys: &mut dyn Sys, kind: char, key: Key) {
        match key {
            Key::Char(c) => self.line.push(c),
            Key::Backspace if self.line.pop().is_some() => {}
            Key::Enter => {
                self.mode = Mode::Normal;
                let line = std::mem::take(&mut self.line);
                if kind == ':' {
                    self.command(sys, line.trim());
                } else {
                    if !line.is_empty() {
                        self.search = line;
                    }
                    self.find(true);
                }
            }
            _ => self.mode = Mode::Normal,
        }
    }

    /// What is written after `:`.
    fn command(&mut self, sys: &mut dyn Sys, command: &str) {
        let (word, argument) = command.split_once(' ').unwrap_or((command, ""));
        if let Ok(line) = command.parse::<usize>() {
            self.buffer.row = line.saturating_sub(1);
            return;
        }
        if let Some(rest) = command.strip_prefix("%s").or_else(|| command.strip_prefix('s'))
            && let Some(mark) = rest.chars().next().filter(|c| c.is_ascii_punctuation())
        {
            return self.substitute(command.starts_with('%'), rest, mark);
        }
        match word {
            "" | "set" | "syntax" | "noh" => {}
            "$" => self.buffer.row = self.buffer.len() - 1,
            "w" | "w!" => drop(self.write(sys, argument)),
            "wq" | "wq!" | "x" | "x!" => {
                if self.write(sys, argument) {
                    self.code = Some(0);
                }
            }
            "q" if self.buffer.changed => {
                self.message = "E37: No write since last change (add ! to override)".to_owned();
            }
            "q" | "q!" | "qa" | "qa!" => self.code = Some(0),
            // Ends with an error: who called the editor takes nothing.
            "cq" | "cq!" => self.code = Some(1),
            word => self.message = format!("E492: Not an editor command: {word}"),
        }
    }

    fn substitute(&mut self, everywhere: bool, rest: &str, mark: char) {
        let mut parts = rest.get(mark.len_utf8()..).unwrap_or_default().splitn(3, mark);
        let (old, new) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let all = parts.next().unwrap_or_default().contains('g');
        let rows = match everywhere {
            true => 0..self.buffer.len(),
            false => self.buffer.row..self.buffer.row + 1,
        };
        self.buffer.mark();
        if self.buffer.substitute(rows, old, new, all) == 0 {
            self.message = format!("E486: Pattern not found: {old}");
        }
    }

    fn write(&mut self, sys: &mut dyn Sys, name: &str) -> bool {
        let name = if name.is_empty() { self.name.clone() } else { name.to_owned() };
        if name.is_empty() {
            self.message = "E32: No file name".to_owned();
            return false;
        }
        let (path, text) = (sys.absolute(&name), self.buffer.text());
        match sys.fs().write(&path, text.as_bytes()) {
            Ok(()) => {
                self.buffer.changed = false;
                let lines = text.lines().count();
                self.message = format!("\"{name}\" {lines}L, {}B written", text.len());
                true
            }
            Err(errno) => {
                self.message = format!("\"{name}\" E212: Can't open file for writing: {errno}");
                false
            }
        }
    }

    fn draw(&mut self, sys: &dyn Sys) {
        let (columns, rows) = size(sys);
        let rows = rows.saturating_sub(1).max(1);
        let row = self.buffer.row;
        if row < self.top {
            self.top = row;
        } else if row >= self.top + rows {
            self.top = row + 1 - rows;
        }
        let mut text = String::from("\x1b[?25l\x1b[H");
        for at in self.top..self.top + rows {
            let shown = match at < self.buffer.len() {
                true => shown(self.buffer.line(at), columns),
                false => "~".to_owned(),
            };
            text.push_str(&format!("{shown}\x1b[K\r\n"));
        }
        let below = match self.mode {
            Mode::Line(kind) => format!("{kind}{}", self.line),
            _ => self.message.clone(),
        };
        let below: Vec<char> = below.chars().collect();
        let below = shown(&below, columns.saturating_sub(1));
        text.push_str(&format!("{below}\x1b[K"));
        let before = self.buffer.here().get(..self.buffer.column).unwrap_or_default();
        let (line, column) = match self.mode {
            Mode::Line(_) => (rows + 1, width(&self.line.chars().collect::<Vec<char>>()) + 2),
            _ => (row - self.top + 1, width(before) + 1),
        };
        text.push_str(&format!("\x1b[{line};{}H\x1b[?25h", column.min(columns)));
        self.out.put(text);
    }
}
