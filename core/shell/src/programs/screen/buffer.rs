//! The text that an editor changes, and where its cursor is.

/// Characters of a text.
const CHARS_MAX: usize = 1 << 20;
/// States that can be gone back to.
const UNDO_MAX: usize = 100;

/// Lines, and a cursor in them.
#[derive(Clone, Debug, Default)]
pub struct Buffer {
    lines: Vec<Vec<char>>,
    /// The line of the cursor.
    pub row: usize,
    /// The character of the cursor, in its line.
    pub column: usize,
    /// Whether it differs from its file.
    pub changed: bool,
    undo: Vec<(Vec<Vec<char>>, usize, usize)>,
    /// A line for who asks for one that is not there.
    spare: Vec<char>,
}

impl Buffer {
    /// A text to be edited.
    pub fn new(text: &str) -> Self {
        let mut lines: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
        if lines.is_empty() {
            lines.push(Vec::new());
        }
        Buffer { lines, ..Buffer::default() }
    }

    /// The text, with a line end after each line; nothing when it is empty.
    pub fn text(&self) -> String {
        if let [only] = self.lines.as_slice()
            && only.is_empty()
        {
            return String::new();
        }
        self.lines.iter().map(|line| line.iter().collect::<String>() + "\n").collect()
    }

    /// How many lines there are; at least one.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// A line.
    pub fn line(&self, row: usize) -> &[char] {
        self.lines.get(row).map(Vec::as_slice).unwrap_or_default()
    }

    /// The cursor's line.
    pub fn here(&self) -> &[char] {
        self.line(self.row)
    }

    fn here_mut(&mut self) -> &mut Vec<char> {
        self.changed = true;
        if self.lines.is_empty() {
            self.lines.push(Vec::new());
        }
        self.row = self.row.min(self.lines.len().saturating_sub(1));
        let row = self.row;
        match self.lines.get_mut(row) {
            Some(line) => line,
            None => &mut self.spare,
        }
    }

    /// Remembers the text as it is, to come back to it.
    pub fn mark(&mut self) {
        if self.undo.len() == UNDO_MAX {
            self.undo.remove(0);
        }
        self.undo.push((self.lines.clone(), self.row, self.column));
    }

    /// Goes back to what was remembered last; false if there is nothing.
    pub fn undo(&mut self) -> bool {
        let Some((lines, row, column)) = self.undo.pop() else { return false };
        (self.lines, self.row, self.column) = (lines, row, column);
        self.changed = true;
        true
    }

    /// Puts the cursor inside of the text; `past` allows it behind the last character.
    pub fn clamp(&mut self, past: bool) {
        self.row = self.row.min(self.lines.len().saturating_sub(1));
        let length = self.here().len();
        let last = if past { length } else { length.saturating_sub(1) };
        self.column = self.column.min(last);
    }

    /// Writes a character at the cursor.
    pub fn insert(&mut self, c: char) {
        if self.lines.iter().map(Vec::len).sum::<usize>() >= CHARS_MAX {
            return;
        }
        let at = self.column.min(self.here().len());
        self.here_mut().insert(at, c);
        self.column = at + 1;
    }

    /// Breaks the line at the cursor.
    pub fn newline(&mut self) {
        let at = self.column.min(self.here().len());
        let rest = self.here_mut().split_off(at);
        self.lines.insert((self.row + 1).min(self.lines.len()), rest);
        (self.row, self.column) = (self.row + 1, 0);
    }

    /// Takes the character before the cursor away, or joins with the line above.
    pub fn backspace(&mut self) {
        if self.column > 0 {
            self.column -= 1;
            let at = self.column;
            if at < self.here().len() {
                self.here_mut().remove(at);
            }
        } else if self.row > 0 {
            let rest = self.lines.remove(self.row);
            self.row -= 1;
            self.column = self.here().len();
            self.here_mut().extend(rest);
        }
    }

    /// Takes characters of the line away: what they were.
    pub fn cut(&mut self, from: usize, to: usize) -> Vec<char> {
        let length = self.here().len();
        let (from, to) = (from.min(length), to.min(length));
        if from >= to {
            return Vec::new();
        }
        let cut = self.here_mut().drain(from..to).collect();
        self.column = from;
        cut
    }

    /// Takes whole lines away, from the cursor's on: what they were.
    pub fn cut_lines(&mut self, count: usize) -> Vec<Vec<char>> {
        let end = (self.row + count).min(self.lines.len());
        let cut = self.lines.drain(self.row.min(end)..end).collect();
        if self.lines.is_empty() {
            self.lines.push(Vec::new());
        }
        self.changed = true;
        self.clamp(false);
        cut
    }

    /// Lines from the cursor's on.
    pub fn copy_lines(&self, count: usize) -> Vec<Vec<char>> {
        self.lines.iter().skip(self.row).take(count).cloned().collect()
    }

    /// Puts lines below the cursor's line, or above it.
    pub fn paste_lines(&mut self, lines: &[Vec<char>], below: bool) {
        let at = (self.row + usize::from(below)).min(self.lines.len());
        self.lines.splice(at..at, lines.iter().cloned());
        (self.row, self.column, self.changed) = (at, 0, true);
    }

    /// Joins the line below to the cursor's.
    pub fn join(&mut self) {
        if self.row + 1 < self.lines.len() {
            let below = self.lines.remove(self.row + 1);
            let below: Vec<char> = below.into_iter().skip_while(|c| c.is_whitespace()).collect();
            self.column = self.here().len();
            let line = self.here_mut();
            if !line.is_empty() && !below.is_empty() {
                line.push(' ');
            }
            line.extend(below);
        }
    }

    /// Sets the character at the cursor.
    pub fn replace(&mut self, c: char) {
        let at = self.column;
        if let Some(old) = self.here_mut().get_mut(at) {
            *old = c;
        }
    }

    /// Replaces a text in some lines: how often.
    pub fn substitute(
        &mut self,
        rows: std::ops::Range<usize>,
        old: &str,
        new: &str,
        all: bool,
    ) -> usize {
        let mut count = 0;
        for row in rows {
            let Some(line) = self.lines.get_mut(row) else { break };
            let text: String = line.iter().collect();
            let found = text.matches(old).count();
            if found == 0 || old.is_empty() {
                continue;
            }
            let changed = if all { text.replace(old, new) } else { text.replacen(old, new, 1) };
            *line = changed.chars().collect();
            count += if all { found } else { 1 };
            self.row = row;
        }
        self.changed |= count > 0;
        count
    }

    /// Goes to the next place of a text, around the end; false if it is nowhere.
    pub fn find(&mut self, text: &str, forward: bool) -> bool {
        let wanted: Vec<char> = text.chars().collect();
        let places: Vec<(usize, usize)> = self
            .lines
            .iter()
            .enumerate()
            .flat_map(|(row, line)| {
                let starts = 0..=line.len().saturating_sub(wanted.len());
                let wanted = &wanted;
                starts
                    .filter(move |at| {
                        !wanted.is_empty() && line.get(*at..*at + wanted.len()) == Some(wanted)
                    })
                    .map(move |at| (row, at))
            })
            .collect();
        let here = (self.row, self.column);
        let found = match forward {
            true => places.iter().find(|place| **place > here).or(places.first()),
            false => places.iter().rev().find(|place| **place < here).or(places.last()),
        };
        let Some((row, column)) = found.copied() else { return false };
        (self.row, self.column) = (row, column);
        true
    }

    /// Goes to the beginning of the next word.
    pub fn next_word(&mut self) {
        let class = |c: Option<&char>| match c {
            None => 0,
            Some(c) if c.is_whitespace() => 0,
            Some(c) if c.is_alphanumeric() || *c == '_' => 1,
            Some(_) => 2,
        };
        let line = self.here();
        let kind = class(line.get(self.column));
        let mut at = self.column;
        while at < line.len() && class(line.get(at)) == kind && kind != 0 {
            at += 1;
        }
        while at < line.len() && class(line.get(at)) == 0 {
            at += 1;
        }
        if at < line.len() || self.row + 1 >= self.lines.len() {
            self.column = at;
        } else {
            self.row += 1;
            self.column = self.here().iter().take_while(|c| c.is_whitespace()).count();
        }
    }

    /// Goes to the beginning of the word, or of the one before.
    pub fn previous_word(&mut self) {
        if self.column == 0 {
            if self.row > 0 {
                self.row -= 1;
                self.column = self.here().len();
            } else {
                return;
            }
        }
        let line = self.here();
        let mut at = self.column;
        while at > 0 && line.get(at - 1).is_some_and(|c| c.is_whitespace()) {
            at -= 1;
        }
        let is_word = |c: &char| c.is_alphanumeric() || *c == '_';
        let kind = at.checked_sub(1).and_then(|before| line.get(before)).map(is_word);
        while at > 0
            && line.get(at - 1).is_some_and(|c| Some(is_word(c)) == kind && !c.is_whitespace())
        {
            at -= 1;
        }
        self.column = at;
    }
}
