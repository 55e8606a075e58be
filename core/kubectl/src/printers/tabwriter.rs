//! Columns by elastic tabstops, as Go's `text/tabwriter` aligns them.
//!
//! A cell ends at a tab; the last text of a line is no cell. Cells of one column in consecutive
//! lines make a block, and a block is as wide as its widest cell.

/// Collects text and aligns it when it is flushed.
#[derive(Clone, Debug)]
pub struct TabWriter {
    width_min: usize,
    padding: usize,
    remembers: bool,
    remembered: Vec<usize>,
    text: String,
}

/// One line: its cells, and the text after the last tab.
type Line<'a> = Vec<&'a str>;

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
        let lines: Vec<Line<'_>> =
            text.split('\n').map(|line| line.split('\t').collect()).collect();
        let mut out = String::with_capacity(text.len() * 2);
        self.format(&lines, 0..lines.len(), &mut Vec::new(), &mut out);
        out
    }

    fn format(
        &mut self,
        lines: &[Line<'_>],
        range: std::ops::Range<usize>,
        widths: &mut Vec<usize>,
        out: &mut String,
    ) {
        let column = widths.len();
        let (mut start, mut this) = (range.start, range.start);
        let has_column = |line: &Line<'_>| column + 1 < line.len();
        while this < range.end {
            if !lines.get(this).is_some_and(has_column) {
                this += 1;
                continue;
            }
            write_lines(lines, start..this, widths, out);
            start = this;
            let mut width = self.width_min;
            while let Some(cell) = lines
                .get(this)
                .filter(|line| this < range.end && has_column(line))
                .map(|l| l[column])
            {
                width = width.max(cell.chars().count() + self.padding);
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
        write_lines(lines, start..range.end, widths, out);
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

fn write_lines(
    lines: &[Line<'_>],
    range: std::ops::Range<usize>,
    widths: &[usize],
    out: &mut String,
) {
    for index in range {
        let Some(line) = lines.get(index) else { return };
        for (column, cell) in line.iter().enumerate() {
            out.push_str(cell);
            if let Some(width) = widths.get(column)
                && column + 1 < line.len()
            {
                let blanks = width.saturating_sub(cell.chars().count());
                out.extend(std::iter::repeat_n(' ', blanks));
            }
        }
        if index + 1 < lines.len() {
            out.push('\n');
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
