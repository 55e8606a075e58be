//! `wc`

use super::tool::{Filter, Next, Options, Out};
use crate::{FileType, Sys};
use unicode_width::UnicodeWidthStr;

/// `wc [-lwcmL] files…`
#[derive(Clone, Debug)]
pub struct Wc {
    shown: Vec<char>,
    counts: [usize; 5],
    total: [usize; 5],
    rows: Vec<([usize; 5], String)>,
    /// How wide a count is.
    width: usize,
    /// How many files were named.
    named: usize,
}

const COLUMNS: [char; 5] = ['l', 'w', 'm', 'c', 'L'];

impl Filter for Wc {
    fn start(
        sys: &mut dyn Sys,
        args: &[String],
        out: &mut Out,
    ) -> Result<(Self, Vec<String>), i32> {
        let long = [("lines", 'l'), ("words", 'w'), ("bytes", 'c'), ("chars", 'm')];
        let options = Options::parse(sys, args, "lwcmL", &long, out, 1)?;
        let mut shown: Vec<char> =
            COLUMNS.into_iter().filter(|column| options.has(*column)).collect();
        if shown.is_empty() {
            shown = vec!['l', 'w', 'c'];
        }
        let named = options.operands.len();
        let width = if shown.len() == 1 && named <= 1 { 1 } else { width(sys, &options.operands) };
        let wc = Wc { shown, counts: [0; 5], total: [0; 5], rows: Vec::new(), width, named };
        Ok((wc, options.operands))
    }

    fn line(&mut self, line: &[u8], ended: bool, _out: &mut Out) -> Next {
        let text = String::from_utf8_lossy(line);
        let end = usize::from(ended);
        let [lines, words, chars, bytes, longest] = &mut self.counts;
        *lines += end;
        *words += text.split_whitespace().count();
        *chars += text.chars().count() + end;
        *bytes += line.len() + end;
        *longest = (*longest).max(text.width());
        Next::Line
    }

    fn close(&mut self, name: &str, _out: &mut Out) {
        let counts = std::mem::take(&mut self.counts);
        for (index, (total, count)) in self.total.iter_mut().zip(counts).enumerate() {
            *total = if index == 4 { (*total).max(count) } else { *total + count };
        }
        self.rows.push((counts, if self.named > 0 { name.to_string() } else { String::new() }));
    }

    fn end(&mut self, _sys: &mut dyn Sys, code: i32, out: &mut Out) -> i32 {
        if self.named > 1 {
            self.rows.push((self.total, "total".to_string()));
        }
        let width = self.width;
        for (counts, name) in &self.rows {
            let cells: Vec<String> = COLUMNS
                .iter()
                .zip(counts)
                .filter(|(column, _)| self.shown.contains(column))
                .map(|(_, count)| format!("{count:>width$}"))
                .collect();
            let gap = if name.is_empty() { "" } else { " " };
            out.line(format!("{}{gap}{name}", cells.join(" ")));
        }
        code
    }
}

/// As wide as the sizes of the files need; seven where something is no regular file.
fn width(sys: &mut dyn Sys, names: &[String]) -> usize {
    let mut bytes = 0;
    for name in names {
        let path = sys.absolute(name);
        match sys.fs().stat(&path) {
            Ok(stat) if stat.kind == FileType::File => bytes += stat.size,
            Ok(_) => return 7,
            Err(_) => {}
        }
    }
    if names.is_empty() || names.iter().any(|name| name == "-") {
        7
    } else {
        bytes.to_string().len()
    }
}
