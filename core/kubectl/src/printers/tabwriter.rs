//! Columns by elastic tabstops, as Go's `text/tabwriter` aligns them.
//!
//! A cell ends at a tab; the last text of a line is no cell. Cells of one column in consecutive
//! lines make a block, and a block is as wide as its widest cell.

use std::fmt::{Display, Write};
use std::ops::Range;

/// Collects text and aligns it when it is flushed.
#[derive(Clone, Debug)]
pub struct TabWriter {
    width_min: usize,
    padding: usize,
    remembers: bool,
    remembered: Vec<usize>,
    text: String,
}

/// A cell, or the text after the last tab of a line, and how wide it is.
type Cell<'a> = (&'a str, usize);

/// What is to be aligned.
struct Lines<'a> {
    /// The cells of all lines.
    cells: Vec<Cell<'a>>,
    /// Where the cells of each line end.
    ends: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let mut lines = Lines { cells: Vec::new(), ends: Vec::new() };
        for line in text.split('\n') {
            lines.cells.extend(line.split('\t').map(|cell| (cell, cell.chars().count())));
            lines.ends.push(lines.cells.len());
        }
        lines
    }

    /// The cells of a line.
    fn line(&self, index: usize) -> Option<&[Cell<'a>]> {
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.cells.get(start..*self.ends.get(index)?)
    }

    /// The width of a cell that ends at a tab.
    fn width(&self, index: usize, column: usize) -> Option<usize> {
        match self.line(index)?.get(column..)? {
            [(_, width), _, ..] => Some(*width),
            _ => None,
        }
    }

    fn write(&self, range: Range<usize>, widths: &[usize], out: &mut String) {
        for index in range {
            let Some(line) = self.line(index) else { return };
            for (column, (cell, own)) in line.iter().enumerate() {
                out.push_str(cell);
                if let Some(width) = widths.get(column)
                    && column + 1 < line.len()
                {
                    out.extend(std::iter::repeat_n(' ', width.saturating_sub(*own)));
                }
            }
            if index + 1 < self.ends.len() {
                out.push('\n');
            }
        }
    }
}

impl TabWriter {
    /// For tables: the widths of `k8s.io/cli-runtime/pkg/printers/tabwriter.go`. Columns never
    /// become narrower from one flush to the next, so that a watch stays aligned.
    pub fn table() -> Self {
        Self::new(6, 3, true)
    }

    /// For `describe`: no least width, two blanks between columns.
    pub fn describe() -> Self {
        Self::new(0, 2, false)
    }

    fn new(width_min: usize, padding: usize, remembers: bool) -> Self {
        TabWriter { width_min, padding, remembers, remembered: Vec::new(), text: String::new() }
    }

    /// Adds text.
    pub fn write(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds what something is shown as.
    pub fn show(&mut self, shown: &dyn Display) {
        // Writing into memory does not fail.
        let _ = write!(self.text, "{shown}");
    }

    /// Adds a line.
    pub fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// What was written since the last flush, as it was written.
    pub fn into_text(self) -> String {
        self.text
    }

    /// Forgets how wide the columns were.
    pub fn forget_widths(&mut self) {
        self.remembered.clear();
    }

    /// Aligns what was written since the last flush.
    pub fn flush(&mut self) -> String {
        let text = std::mem::take(&mut self.text);
        let lines = Lines::of(&text);
        let mut out = String::with_capacity(text.len() * 2);
        self.format(&lines, 0..lines.ends.len(), &mut Vec::new(), &mut out);
        out
    }

    fn format(
        &mut self,
        lines: &Lines<'_>,
        range: Range<usize>,
        widths: &mut Vec<usize>,
        out: &mut String,
    ) {
        let column = widths.len();
        let (mut start, mut this) = (range.start, range.start);
        while this < range.end {
            if lines.width(this, column).is_none() {
                this += 1;
                continue;
            }
            lines.write(start..this, widths, out);
            start = this;
            let mut width = self.width_min;
            while this < range.end
                && let Some(cell) = lines.width(this, column)
            {
                width = width.max(cell + self.padding);
                this += 1;
            }
            if self.remembers {
                width = self.remember(column, width);
            }
            widths.push(width);
            self.format(lines, start..this, widths, out);
            widths.pop();
            start = this;
        }
        lines.write(start..range.end, widths, out);
    }

    fn remember(&mut self, column: usize, width: usize) -> usize {
        match self.remembered.get_mut(column) {
            Some(remembered) => {
                *remembered = width.max(*remembered);
                *remembered
            }
            None => {
                self.remembered.push(width);
                width
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected texts: Go's text/tabwriter, run on the same input.
    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut writer = TabWriter::table();
        writer.write("NAME\tREADY\tSTATUS\nweb-0\t1/1\tRunning\nlong-name-of-pod\t0/1\tPending\n");
        assert_eq!(
            writer.flush(),
            "NAME               READY   STATUS\nweb-0              1/1     Running\n\
             long-name-of-pod   0/1     Pending\n"
        );
        writer.write("a\t1/1\tRunning\n");
        assert_eq!(writer.flush(), "a                  1/1     Running\n");
    }

    #[test]
    fn a_line_without_tabs_ends_the_block() {
        let mut writer = TabWriter::describe();
        writer.write("Name:\tx\nContainers:\n  c:\n    Image:\ty\n    Container ID:\tz\n");
        assert_eq!(
            writer.flush(),
            "Name:  x\nContainers:\n  c:\n    Image:         y\n    Container ID:  z\n"
        );
    }
}
