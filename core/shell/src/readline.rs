//! The line editor: keys in, edited lines and escape sequences out. A state machine that touches
//! nothing else.

use unicode_width::UnicodeWidthChar;

/// Longest line, in characters; more is not taken.
const LINE_CHARS_MAX: usize = 256 << 10;
/// Lines of history kept.
pub const HISTORY_LINES_MAX: usize = 1000;

/// What came of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The line is finished.
    Line(String),
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-D on an empty line.
    EndOfFile,
    /// Tab: the line up to the cursor should be completed; the editor waits for
    /// [`Editor::complete`].
    Complete(String),
}

/// Ctrl-R
#[derive(Clone, Debug, Default)]
struct Search {
    query: String,
    /// The entry found.
    at: Option<usize>,
}

/// The editor of one terminal.
#[derive(Clone, Debug)]
pub struct Editor {
    columns: usize,
    prompt: String,
    buffer: Vec<char>,
    cursor: usize,
    history: Vec<String>,
    /// The entry shown; the number of entries: the line being typed.
    entry: usize,
    draft: String,
    killed: Vec<char>,
    /// Bytes of a character or escape sequence that is not complete.
    partial: Vec<u8>,
    pasting: bool,
    search: Option<Search>,
    /// How many rows below the start of the prompt the cursor is.
    cursor_row: usize,
    /// The last key was Tab and completed nothing.
    tabbed: bool,
}

/// A place on the screen, from where the prompt starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    row: usize,
    column: usize,
}

impl Place {
    fn after(self, c: char, columns: usize) -> Place {
        if c == '\n' {
            return Place { row: self.row + 1, column: 0 };
        }
        let width = display_width(c);
        if self.column + width > columns {
            Place { row: self.row + 1, column: width }
        } else {
            Place { row: self.row, column: self.column + width }
        }
    }
}

/// Control characters are shown as `^X`.
fn display_width(c: char) -> usize {
    if c.is_control() { 2 } else { c.width().unwrap_or(0) }
}

impl Editor {
    /// An editor for a terminal of so many columns.
    pub fn new(columns: usize) -> Self {
        Editor {
            columns: columns.max(1),
            prompt: String::new(),
            buffer: Vec::new(),
            cursor: 0,
            history: Vec::new(),
            entry: 0,
            draft: String::new(),
            killed: Vec::new(),
            partial: Vec::new(),
            pasting: false,
            search: None,
            cursor_row: 0,
            tabbed: false,
        }
    }

    /// Starts a line with this prompt.
    pub fn start(&mut self, prompt: &str, out: &mut Vec<u8>) {
        self.prompt = prompt.to_string();
        self.buffer.clear();
        self.cursor = 0;
        self.entry = self.history.len();
        self.draft.clear();
        self.search = None;
        self.cursor_row = 0;
        self.tabbed = false;
        out.extend(b"\x1b[?2004h");
        self.refresh(out);
    }

    /// The terminal has another width.
    pub fn resize(&mut self, columns: usize, out: &mut Vec<u8>) {
        if columns != self.columns {
            self.columns = columns.max(1);
            self.refresh(out);
        }
    }

    /// The lines of the history, oldest first.
    pub fn history(&self) -> &[String] {
        &self.history
    }

    /// Adds a line to the history, unless it is empty or the last one again.
    pub fn remember(&mut self, line: &str) {
        let line = line.trim_end_matches('\n');
        if line.trim().is_empty() || self.history.last().is_some_and(|last| last == line) {
            return;
        }
        if self.history.len() >= HISTORY_LINES_MAX {
            self.history.remove(0);
        }
        self.history.push(line.to_string());
    }

    /// Forgets all lines.
    pub fn forget(&mut self) {
        self.history.clear();
        self.entry = 0;
    }

    // ---- keys ----

    /// Takes one byte of what was typed.
    pub fn feed(&mut self, byte: u8, out: &mut Vec<u8>) -> Option<Event> {
        self.partial.push(byte);
        if self.partial.first() == Some(&0x1b) {
            return self.feed_escape(out);
        }
        let text = match std::str::from_utf8(&self.partial) {
            Ok(text) => text.to_string(),
            Err(error) if error.error_len().is_none() && self.partial.len() < 4 => return None,
            Err(_) => "\u{fffd}".to_string(),
        };
        self.partial.clear();
        let c = text.chars().next()?;
        let tabbed = std::mem::replace(&mut self.tabbed, false);
        if self.pasting {
            self.insert(if c == '\r' { '\n' } else { c });
            return None;
        }
        if self.search.is_some() && !self.search_key(c, out) {
            return None;
        }
        self.key(c, tabbed, out)
    }

    fn feed_escape(&mut self, out: &mut Vec<u8>) -> Option<Event> {
        let sequence = self.partial.clone();
        match sequence.as_slice() {
            [_] | [_, b'[' | b'O'] => return None,
            [_, b'[', .., last] if !(0x40..=0x7e).contains(last) && sequence.len() < 12 => {
                return None;
            }
            _ => {}
        }
        self.partial.clear();
        let key = sequence.get(1..).unwrap_or_default();
        if self.pasting {
            if key == b"[201~" {
                self.pasting = false;
                self.refresh(out);
            }
            return None;
        }
        if self.search.is_some() {
            self.accept_search(out);
        }
        match key {
            b"[A" | b"OA" => self.show_entry(self.entry.checked_sub(1), out),
            b"[B" | b"OB" => self.show_entry(Some(self.entry + 1), out),
            b"[C" | b"OC" => self.move_to(self.cursor + 1, out),
            b"[D" | b"OD" => self.move_to(self.cursor.saturating_sub(1), out),
            b"[H" | b"OH" | b"[1~" | b"[7~" => self.move_to(0, out),
            b"[F" | b"OF" | b"[4~" | b"[8~" => self.move_to(self.buffer.len(), out),
            b"[3~" => self.delete(self.cursor, self.cursor + 1, out),
            b"[1;5C" | b"[1;3C" | b"f" => self.move_to(self.word_end(), out),
            b"[1;5D" | b"[1;3D" | b"b" => self.move_to(self.word_start(), out),
            b"[200~" => self.pasting = true,
            b"d" => self.kill(self.cursor, self.word_end(), out),
            [127 | 8] => self.kill(self.word_start(), self.cursor, out),
            b"." | b"_" => {
                let last = self.history.last().and_then(|line| line.split_whitespace().last());
                for c in last.unwrap_or_default().to_string().chars() {
                    self.insert(c);
                }
                self.refresh(out);
            }
            _ => {}
        }
        None
    }

    fn key(&mut self, c: char, tabbed: bool, out: &mut Vec<u8>) -> Option<Event> {
        match c {
            '\r' | '\n' => return Some(Event::Line(self.finish(out))),
            '\x03' => {
                self.finish_with(b"^C", out);
                return Some(Event::Interrupt);
            }
            '\x04' if self.buffer.is_empty() => {
                out.extend(b"\x1b[?2004l\r");
                return Some(Event::EndOfFile);
            }
            '\x04' => self.delete(self.cursor, self.cursor + 1, out),
            '\t' => {
                self.tabbed = tabbed;
                let before: String = self.buffer.iter().take(self.cursor).collect();
                return Some(Event::Complete(before));
            }
            '\x01' => self.move_to(0, out),
            '\x05' => self.move_to(self.buffer.len(), out),
            '\x02' => self.move_to(self.cursor.saturating_sub(1), out),
            '\x06' => self.move_to(self.cursor + 1, out),
            '\x08' | '\x7f' => self.delete(self.cursor.saturating_sub(1), self.cursor, out),
            '\x0b' => self.kill(self.cursor, self.buffer.len(), out),
            '\x15' => self.kill(0, self.cursor, out),
            '\x17' => self.kill(self.blank_word_start(), self.cursor, out),
            '\x19' => {
                for c in self.killed.clone() {
                    self.insert(c);
                }
                self.refresh(out);
            }
            '\x0c' => {
                out.extend(b"\x1b[H\x1b[2J");
                self.cursor_row = 0;
                self.refresh(out);
            }
            '\x10' => self.show_entry(self.entry.checked_sub(1), out),
            '\x0e' => self.show_entry(Some(self.entry + 1), out),
            '\x12' => {
                self.search = Some(Search::default());
                self.refresh(out);
            }
            '\x14' => self.swap(out),
            c if c.is_control() => {}
            c => self.type_char(c, out),
        }
        None
    }

    fn type_char(&mut self, c: char, out: &mut Vec<u8>) {
        let before = self.place(self.buffer.len());
        let at_end = self.cursor == self.buffer.len();
        if !self.insert(c) {
            out.push(7);
            return;
        }
        let after = before.after(c, self.columns);
        // At the end of a row that has room, the character alone will do.
        if at_end && after.row == before.row && after.column < self.columns {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            self.refresh(out);
        }
    }

    fn insert(&mut self, c: char) -> bool {
        if self.buffer.len() >= LINE_CHARS_MAX {
            return false;
        }
        self.buffer.insert(self.cursor.min(self.buffer.len()), c);
        self.cursor += 1;
        true
    }

    fn delete(&mut self, from: usize, to: usize, out: &mut Vec<u8>) {
        let to = to.min(self.buffer.len());
        if from >= to {
            return;
        }
        self.buffer.drain(from..to);
        self.cursor = from;
        self.refresh(out);
    }

    fn kill(&mut self, from: usize, to: usize, out: &mut Vec<u8>) {
        let to = to.min(self.buffer.len());
        if let Some(killed) = self.buffer.get(from..to)
            && !killed.is_empty()
        {
            self.killed = killed.to_vec();
        }
        self.delete(from, to, out);
    }

    fn swap(&mut self, out: &mut Vec<u8>) {
        let at = self.cursor.min(self.buffer.len().saturating_sub(1));
        if at > 0 {
            self.buffer.swap(at - 1, at);
            self.cursor = at + 1;
            self.refresh(out);
        }
    }

    fn move_to(&mut self, cursor: usize, out: &mut Vec<u8>) {
        let cursor = cursor.min(self.buffer.len());
        if cursor != self.cursor {
            let from = self.place(self.cursor);
            self.cursor = cursor;
            self.travel(from, self.place(cursor), out);
        }
    }

    fn is_word(&self, at: usize) -> bool {
        self.buffer.get(at).is_some_and(|c| c.is_alphanumeric())
    }

    fn word_start(&self) -> usize {
        let mut at = self.cursor;
        while at > 0 && !self.is_word(at - 1) {
            at -= 1;
        }
        while at > 0 && self.is_word(at - 1) {
            at -= 1;
        }
        at
    }

    fn word_end(&self) -> usize {
        let mut at = self.cursor;
        while at < self.buffer.len() && !self.is_word(at) {
            at += 1;
        }
        while self.is_word(at) {
            at += 1;
        }
        at
    }

    /// The start of the word before the cursor, where only blanks part words.
    fn blank_word_start(&self) -> usize {
        let is_blank = |at: usize| self.buffer.get(at).is_some_and(|c| c.is_whitespace());
        let mut at = self.cursor;
        while at > 0 && is_blank(at - 1) {
            at -= 1;
        }
        while at > 0 && !is_blank(at - 1) {
            at -= 1;
        }
        at
    }

    fn show_entry(&mut self, entry: Option<usize>, out: &mut Vec<u8>) {
        let Some(entry) = entry.filter(|entry| *entry <= self.history.len()) else {
            out.push(7);
            return;
        };
        if self.entry == self.history.len() {
            self.draft = self.buffer.iter().collect();
        }
        self.entry = entry;
        let text = self.history.get(entry).unwrap_or(&self.draft);
        self.buffer = text.chars().collect();
        self.cursor = self.buffer.len();
        self.refresh(out);
    }

    // ---- Ctrl-R ----

    /// Takes a key of a search; `true` if the key is for the line instead.
    fn search_key(&mut self, c: char, out: &mut Vec<u8>) -> bool {
        let Some(search) = &mut self.search else { return true };
        match c {
            '\x12' => {
                let before = search.at;
                self.find_entry(before);
            }
            '\x08' | '\x7f' => {
                search.query.pop();
                self.find_entry(None);
            }
            '\x07' | '\x03' => {
                self.search = None;
                self.refresh(out);
                return c == '\x03';
            }
            c if !c.is_control() => {
                search.query.push(c);
                self.find_entry(None);
            }
            _ => {
                self.accept_search(out);
                return true;
            }
        }
        self.refresh(out);
        false
    }

    fn find_entry(&mut self, before: Option<usize>) {
        let Some(search) = &mut self.search else { return };
        let until = before.unwrap_or(self.history.len());
        let entries = self.history.get(..until).unwrap_or_default();
        if let Some(at) = entries.iter().rposition(|line| line.contains(&search.query)) {
            search.at = Some(at);
        }
    }

    fn accept_search(&mut self, out: &mut Vec<u8>) {
        let Some(search) = self.search.take() else { return };
        if let Some(line) = search.at.and_then(|at| self.history.get(at)) {
            self.buffer = line.chars().collect();
            self.cursor = self.buffer.len();
        }
        self.refresh(out);
    }

    // ---- Tab ----

    /// Completes the last `typed` characters before the cursor by what they can become.
    pub fn complete(&mut self, typed: usize, candidates: &[String], out: &mut Vec<u8>) {
        let common = common_prefix(candidates);
        let unique = candidates.len() == 1;
        let grown = common.chars().count() > typed;
        if candidates.is_empty() {
            out.push(7);
            return;
        }
        if grown || unique {
            let from = self.cursor.saturating_sub(typed);
            self.buffer.drain(from..self.cursor);
            self.cursor = from;
            for c in common.chars() {
                self.insert(c);
            }
            if unique && !common.ends_with(['/', '=', ':']) {
                self.insert(' ');
            }
            self.refresh(out);
        } else if self.tabbed {
            self.list(candidates, out);
        } else {
            out.push(7);
            self.tabbed = true;
        }
    }

    /// Shows the candidates below the line, and the line again.
    fn list(&mut self, candidates: &[String], out: &mut Vec<u8>) {
        let end = self.place(self.buffer.len());
        self.travel(self.place(self.cursor), end, out);
        let shown: Vec<String> = candidates
            .iter()
            .map(|name| {
                let trimmed = name.trim_end_matches('/');
                let start = trimmed.rfind('/').map_or(0, |at| at + 1);
                name.get(start..).unwrap_or(name).to_string()
            })
            .collect();
        let width_of = |name: &String| name.chars().map(display_width).sum::<usize>();
        let width = shown.iter().map(width_of).max().unwrap_or(0);
        let per_row = (self.columns / (width + 2)).max(1);
        let rows = shown.len().div_ceil(per_row);
        out.extend(b"\r\n");
        for row in 0..rows {
            let mut line = String::new();
            for name in shown.iter().skip(row).step_by(rows) {
                line.push_str(name);
                line.push_str(&" ".repeat(width + 2 - width_of(name)));
            }
            out.extend(line.trim_end().as_bytes());
            out.extend(b"\r\n");
        }
        self.cursor_row = 0;
        self.refresh(out);
    }

    // ---- the screen ----

    fn finish(&mut self, out: &mut Vec<u8>) -> String {
        let line: String = self.buffer.iter().collect();
        self.finish_with(b"", out);
        line
    }

    fn finish_with(&mut self, mark: &[u8], out: &mut Vec<u8>) {
        let end = self.place(self.buffer.len());
        self.travel(self.place(self.cursor), end, out);
        out.extend(mark);
        out.extend(b"\r\n\x1b[?2004l\r");
        self.buffer.clear();
        self.cursor = 0;
        self.cursor_row = 0;
    }

    /// What is shown before the line.
    fn shown_prompt(&self) -> String {
        match &self.search {
            None => self.prompt.clone(),
            Some(search) => {
                let found = search.at.and_then(|at| self.history.get(at));
                let failed =
                    if found.is_none() && !search.query.is_empty() { "failed " } else { "" };
                format!(
                    "({failed}reverse-i-search)`{}': {}",
                    search.query,
                    found.map_or("", String::as_str)
                )
            }
        }
    }

    /// Where the cursor is when it stands before the character `index` of the line.
    fn place(&self, index: usize) -> Place {
        let mut place = Place::default();
        for c in visible(&self.shown_prompt()).chars() {
            place = place.after(c, self.columns);
        }
        let line: &[char] = if self.search.is_some() { &[] } else { &self.buffer };
        for c in line.iter().take(index) {
            place = place.after(*c, self.columns);
        }
        // A character that does not fit any more begins the next row, and so does the cursor.
        match line.get(index) {
            Some(c) if *c != '\n' && place.column + display_width(*c) > self.columns => {
                Place { row: place.row + 1, column: 0 }
            }
            _ if place.column >= self.columns => Place { row: place.row + 1, column: 0 },
            _ => place,
        }
    }

    fn travel(&mut self, from: Place, to: Place, out: &mut Vec<u8>) {
        if to.row < from.row {
            out.extend(format!("\x1b[{}A", from.row - to.row).bytes());
        } else if to.row > from.row {
            out.extend(format!("\x1b[{}B", to.row - from.row).bytes());
        }
        out.push(b'\r');
        if to.column > 0 {
            out.extend(format!("\x1b[{}C", to.column).bytes());
        }
        self.cursor_row = to.row;
    }

    /// Draws prompt and line anew.
    fn refresh(&mut self, out: &mut Vec<u8>) {
        if self.pasting {
            return;
        }
        if self.cursor_row > 0 {
            out.extend(format!("\x1b[{}A", self.cursor_row).bytes());
        }
        out.extend(b"\r\x1b[J");
        let prompt = self.shown_prompt();
        let mut text: String = prompt.chars().filter(|c| !matches!(c, '\x01' | '\x02')).collect();
        if self.search.is_none() {
            text.extend(self.buffer.iter());
        }
        let mut shown = String::new();
        let mut in_escape = false;
        for (index, c) in text.chars().enumerate() {
            let is_prompt = index < prompt.chars().count();
            match c {
                '\n' => shown.push_str("\r\n"),
                '\x1b' if is_prompt => {
                    in_escape = true;
                    shown.push(c);
                }
                c if c.is_control() && !in_escape && !is_prompt => {
                    shown.extend(['^', char::from((c as u8).wrapping_add(64) & 0x7f)]);
                }
                c => {
                    in_escape = in_escape && !c.is_ascii_alphabetic();
                    shown.push(c);
                }
            }
        }
        out.extend(shown.bytes());
        let mut end = Place::default();
        let line: &[char] = if self.search.is_some() { &[] } else { &self.buffer };
        for c in visible(&prompt).chars().chain(line.iter().copied()) {
            end = end.after(c, self.columns);
        }
        if end.column >= self.columns {
            // The terminal wraps only with the next character.
            out.extend(b"\r\n");
            end = Place { row: end.row + 1, column: 0 };
        }
        let cursor = self.place(self.cursor);
        if cursor == end {
            self.cursor_row = end.row;
        } else {
            self.travel(end, cursor, out);
        }
    }
}

/// The prompt without what takes no room: escape sequences, and what stands between `\[` and `\]`.
fn visible(prompt: &str) -> String {
    let mut text = String::new();
    let mut hidden = false;
    let mut chars = prompt.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\x01' => hidden = true,
            '\x02' => hidden = false,
            _ if hidden => {}
            '\x1b' => {
                if chars.next_if_eq(&'[').is_some() {
                    let _ = chars.by_ref().find(|c| ('@'..='~').contains(c));
                } else if chars.next_if_eq(&']').is_some() {
                    let _ = chars.by_ref().find(|c| *c == '\x07');
                }
            }
            '\r' => {}
            c => text.push(c),
        }
    }
    text
}

fn common_prefix(candidates: &[String]) -> String {
    let Some((first, rest)) = candidates.split_first() else { return String::new() };
    let mut prefix = first.clone();
    for other in rest {
        let shared: usize = prefix
            .chars()
            .zip(other.chars())
            .take_while(|(a, b)| a == b)
            .map(|(c, _)| c.len_utf8())
            .sum();
        prefix.truncate(shared);
    }
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_keys(editor: &mut Editor, keys: &str) -> (Vec<Event>, String) {
        let mut out = Vec::new();
        let events = keys.bytes().filter_map(|byte| editor.feed(byte, &mut out)).collect();
        (events, String::from_utf8_lossy(&out).into_owned())
    }

    fn line(keys: &str) -> String {
        let mut editor = Editor::new(80);
        editor.remember("first one");
        editor.remember("second");
        editor.start("$ ", &mut Vec::new());
        match type_keys(&mut editor, &format!("{keys}\r")).0.last() {
            Some(Event::Line(line)) => line.clone(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn keys_edit_the_line() {
        for (keys, expected) in [
            ("abc", "abc"),
            ("abc\x01x\x05y", "xabcy"),
            ("ab c\x17d", "ab d"),
            ("abc\x02\x02\x0b", "a"),
            ("abc\x15d\x19", "dabc"),
            ("한글\x7f", "한"),
            ("ac\x1b[Db\x1b[Cd", "abcd"),
            ("x\x1b[A\x1b[A", "first one"),
            ("x\x1b[A\x1b[B", "x"),
            ("one two\x1bb\x1bb1", "1one two"),
            ("one two\x1b[1;5D-", "one -two"),
            ("abc\x1b[H\x1b[3~", "bc"),
            ("\x1b[200~a\nb\tc\x1b[201~", "a\nb\tc"),
            ("\x12fir", "first one"),
            ("\x12e\x12\x05!", "first one!"),
            ("ls \x1b.", "ls second"),
            ("ab\x14", "ba"),
        ] {
            assert_eq!(line(keys), expected, "{keys:?}");
        }
    }

    #[test]
    fn interrupt_and_end() {
        let mut editor = Editor::new(80);
        editor.start("$ ", &mut Vec::new());
        assert_eq!(type_keys(&mut editor, "ab\x03").0, [Event::Interrupt]);
        assert_eq!(type_keys(&mut editor, "\x04").0, [Event::EndOfFile]);
    }

    #[test]
    fn typing_at_the_end_only_shows_the_character() {
        let mut editor = Editor::new(10);
        editor.start("$ ", &mut Vec::new());
        assert_eq!(type_keys(&mut editor, "ab").1, "ab");
        let (_, shown) = type_keys(&mut editor, "cdefgh");
        assert!(shown.ends_with("$ abcdefgh\r\n"), "{shown:?}");
        let (_, shown) = type_keys(&mut editor, "i\x01");
        assert!(shown.ends_with("\x1b[1A\r\x1b[2C"), "{shown:?}");
    }

    #[test]
    fn wide_characters_wrap_whole() {
        let mut editor = Editor::new(5);
        editor.start("", &mut Vec::new());
        type_keys(&mut editor, "한글한");
        assert_eq!(editor.place(2), Place { row: 1, column: 0 });
        assert_eq!(editor.place(3), Place { row: 1, column: 2 });
    }

    #[test]
    fn tab_completes_what_is_common_and_lists_the_rest() {
        let mut editor = Editor::new(40);
        editor.start("$ ", &mut Vec::new());
        let names = ["deploy".to_string(), "describe".to_string()];
        assert_eq!(type_keys(&mut editor, "d\t").0, [Event::Complete("d".to_string())]);
        let mut out = Vec::new();
        editor.complete(1, &names, &mut out);
        type_keys(&mut editor, "\t");
        editor.complete(2, &names, &mut out);
        type_keys(&mut editor, "\t");
        out.clear();
        editor.complete(2, &names, &mut out);
        let shown = String::from_utf8(out.clone()).unwrap();
        assert!(shown.contains("deploy    describe\r\n"), "{shown:?}");
        type_keys(&mut editor, "s\t");
        editor.complete(3, names.get(1..).unwrap(), &mut out);
        assert_eq!(type_keys(&mut editor, "\r").0, [Event::Line("describe ".to_string())]);
    }

    #[test]
    fn any_bytes_leave_it_standing() {
        let mut rng = naru_sim::Rng::new(7);
        let mut editor = Editor::new(7);
        editor.start("\x01\x1b[1m\x02한$ ", &mut Vec::new());
        let mut out = Vec::new();
        for round in 0..50_000 {
            let byte = match rng.below(4) {
                0 => rng.below(256) as u8,
                1 => 0x1b,
                2 => *b"[AOBCD~;123HF\r\t".get(rng.below(15) as usize).unwrap(),
                _ => b'a' + rng.below(26) as u8,
            };
            match editor.feed(byte, &mut out) {
                Some(Event::Line(line)) => {
                    editor.remember(&line);
                    editor.start("$ ", &mut out);
                }
                Some(Event::Complete(_)) => {
                    editor.complete(1, &["ab".to_string(), "abc".to_string()], &mut out);
                }
                _ => {}
            }
            assert!(editor.cursor <= editor.buffer.len(), "round {round}");
            out.clear();
        }
    }
}
