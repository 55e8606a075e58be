//! `less` and `more`: a text, a screen at a time. Without a terminal they are `cat`.

use super::screen::{Key, Keys, shown, size};
use super::tool::{Out, finish, program_name};
use crate::{Errno, Fd, OpenMode, Program, Step, Sys};

/// Longest text that is kept to be looked at.
const TEXT_BYTES_MAX: usize = 8 << 20;

/// `less [files…]`
#[derive(Clone, Debug, Default)]
pub struct Less {
    started: bool,
    files: Vec<String>,
    /// What is read from now, and whether it is a file of its own.
    source: Option<Fd>,
    bytes: Vec<u8>,
    lines: Vec<Vec<char>>,
    /// The keyboard; none: everything is only passed on.
    keyboard: Option<Fd>,
    /// The screen was taken.
    shows: bool,
    keys: Keys,
    top: usize,
    /// What is written after `/`.
    writing: Option<String>,
    search: String,
    message: String,
    name: String,
    out: Out,
    code: Option<i32>,
    failed: i32,
}

impl Program for Less {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if !std::mem::replace(&mut self.started, true) {
            self.start(sys);
        }
        if self.code.is_none()
            && let Some(step) = self.read(sys)
        {
            return step;
        }
        if self.code.is_none() {
            self.listen(sys);
        }
        match self.code {
            Some(code) => {
                if let Some(keyboard) = self.keyboard.take().filter(|_| self.shows) {
                    let _ = sys.tty_raw(keyboard, false);
                    self.out.put("\r\x1b[K\x1b[?1049l");
                }
                finish(&mut self.out, sys, code)
            }
            None => {
                self.out.flush(sys);
                Step::Block { until: None }
            }
        }
    }
}

impl Less {
    fn start(&mut self, sys: &mut dyn Sys) {
        let files = sys.args().iter().skip(1).filter(|arg| !arg.starts_with(['-', '+']));
        self.files = files.rev().cloned().collect();
        self.name = self.files.last().cloned().unwrap_or_default();
        if self.files.is_empty() {
            if sys.is_tty(0) {
                let program = program_name(sys);
                self.out.error(format!("Missing filename (\"{program} --help\" for help)"));
                self.code = Some(1);
            }
            self.source = Some(0);
        }
        if sys.is_tty(1) && self.code.is_none() {
            self.keyboard = sys.open("/dev/tty", OpenMode::Read).ok();
        }
    }

    /// Reads everything there is to show. `Some` is why it cannot go on now.
    fn read(&mut self, sys: &mut dyn Sys) -> Option<Step> {
        while let Some(source) = self.source.or_else(|| self.open(sys)) {
            self.source = Some(source);
            match sys.read(source, 16 << 10) {
                Ok(bytes) if bytes.is_empty() => {
                    sys.close(source);
                    self.source = None;
                    if self.files.is_empty() {
                        break;
                    }
                }
                Ok(bytes) => self.bytes.extend(bytes),
                Err(Errno::Again) => return Some(Step::Block { until: None }),
                Err(errno) => {
                    self.out.error(format!("read error: {errno}"));
                    self.source = None;
                }
            }
            if self.keyboard.is_none() {
                self.out.put(std::mem::take(&mut self.bytes));
                if !self.out.flush(sys) {
                    return Some(Step::Block { until: None });
                }
            } else if self.bytes.len() > TEXT_BYTES_MAX {
                self.bytes.truncate(TEXT_BYTES_MAX);
                self.files.clear();
                break;
            }
        }
        if self.keyboard.is_none() || (self.bytes.is_empty() && self.lines.is_empty()) {
            self.code = Some(self.failed);
        } else if self.lines.is_empty() {
            self.show_first(sys);
        }
        None
    }

    fn open(&mut self, sys: &mut dyn Sys) -> Option<Fd> {
        while let Some(file) = self.files.pop() {
            let path = sys.absolute(&file);
            let opened = match sys.fs().is_dir(&path) {
                true => Err(Errno::IsDirectory),
                false => sys.open(&file, OpenMode::Read),
            };
            match opened {
                Ok(fd) => return Some(fd),
                Err(Errno::IsDirectory) => self.out.error(format!("{file} is a directory")),
                Err(errno) => self.out.error(format!("{file}: {errno}")),
            }
            self.failed = 1;
        }
        None
    }

    fn show_first(&mut self, sys: &mut dyn Sys) {
        let bytes = std::mem::take(&mut self.bytes);
        let text = String::from_utf8_lossy(&bytes);
        self.lines = text.lines().map(|line| line.chars().collect()).collect();
        if let Some(keyboard) = self.keyboard {
            let _ = sys.tty_raw(keyboard, true);
        }
        self.message = self.name.clone();
        self.shows = true;
        self.out.put("\x1b[?1049h");
        self.draw(sys);
    }

    fn listen(&mut self, sys: &mut dyn Sys) {
        let Some(keyboard) = self.keyboard else { return };
        let mut stirred = false;
        loop {
            match sys.read(keyboard, 4096) {
                Ok(bytes) if bytes.is_empty() => self.code = Some(0),
                Ok(bytes) => {
                    stirred = true;
                    self.keys.typed(bytes);
                    while let Some(key) = self.keys.next() {
                        self.press(sys, key);
                    }
                    if self.code.is_none() {
                        continue;
                    }
                }
                Err(Errno::Again) => {}
                Err(_) => self.code = Some(1),
            }
            break;
        }
        if stirred && self.code.is_none() {
            self.draw(sys);
        }
    }

    fn press(&mut self, sys: &dyn Sys, key: Key) {
        if self.writing.is_some() {
            return self.write_search(key);
        }
        self.message.clear();
        let rows = size(sys).1.saturating_sub(1).max(1);
        let last = self.lines.len().saturating_sub(rows);
        match key {
            Key::Char('q' | 'Q') | Key::Control('c') => self.code = Some(0),
            Key::Char(' ' | 'f') | Key::Control('f') => self.top += rows,
            Key::Char('b') | Key::Control('b') => self.top = self.top.saturating_sub(rows),
            Key::Char('d') | Key::Control('d') => self.top += rows / 2,
            Key::Char('u') | Key::Control('u') => self.top = self.top.saturating_sub(rows / 2),
            Key::Char('j' | 'e') | Key::Enter | Key::Down => self.top += 1,
            Key::Char('k' | 'y') | Key::Up => self.top = self.top.saturating_sub(1),
            Key::Char('g' | '<') | Key::Home => self.top = 0,
            Key::Char('G' | '>') | Key::End => self.top = last,
            Key::Char('/') => self.writing = Some(String::new()),
            Key::Char('n') => self.find(true),
            Key::Char('N') => self.find(false),
            _ => {}
        }
        self.top = self.top.min(last);
    }

    fn write_search(&mut self, key: Key) {
        let Some(mut text) = self.writing.take() else { return };
        match key {
            Key::Char(c) => text.push(c),
            Key::Backspace if !text.is_empty() => drop(text.pop()),
            Key::Enter => {
                if !text.is_empty() {
                    self.search = text;
                }
                return self.find(true);
            }
            _ => return,
        }
        self.writing = Some(text);
    }

    fn find(&mut self, forward: bool) {
        let fits = |line: &&[char]| line.iter().collect::<String>().contains(&self.search);
        let lines = || self.lines.iter().map(Vec::as_slice).enumerate();
        let found = match forward {
            true => lines().skip(self.top + 1).find(|(_, line)| fits(line)),
            false => lines().take(self.top).rev().find(|(_, line)| fits(line)),
        };
        match found {
            Some((at, _)) => self.top = at,
            None => self.message = "Pattern not found  (press RETURN)".to_owned(),
        }
    }

    fn draw(&mut self, sys: &dyn Sys) {
        let (columns, rows) = size(sys);
        let rows = rows.saturating_sub(1).max(1);
        let mut text = String::from("\x1b[H");
        for at in self.top..self.top + rows {
            let line = self.lines.get(at).map_or("~".to_owned(), |line| shown(line, columns));
            text.push_str(&format!("{line}\x1b[K\r\n"));
        }
        let at_end = self.top + rows >= self.lines.len();
        let below = match (&self.writing, self.message.as_str()) {
            (Some(search), _) => format!("/{search}"),
            (None, "") if at_end => "\x1b[7m(END)\x1b[0m".to_owned(),
            (None, "") => ":".to_owned(),
            (None, message) => format!("\x1b[7m{message}\x1b[0m"),
        };
        self.out.put(format!("{text}{below}\x1b[K"));
    }
}
