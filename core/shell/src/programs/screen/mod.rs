//! What programs share that fill the screen: [`vi`](super::vi), [`nano`](super::nano),
//! [`less`](super::less).

mod buffer;
mod keys;

pub use buffer::Buffer;
pub use keys::{Key, Keys};

use crate::Sys;
use unicode_width::UnicodeWidthChar;

/// The terminal's size, if nobody tells it.
const SIZE: (u16, u16) = (80, 24);
/// Columns of a tabulator.
const TAB: usize = 8;

/// Columns and rows of the terminal that is written to.
pub fn size(sys: &dyn Sys) -> (usize, usize) {
    let (columns, rows) = sys.tty_size(1).unwrap_or(SIZE);
    (usize::from(columns), usize::from(rows))
}

fn width_of(c: char, column: usize) -> usize {
    match c {
        '\t' => TAB - column % TAB,
        c => c.width().unwrap_or(1),
    }
}

/// Columns that a text takes.
pub fn width(chars: &[char]) -> usize {
    chars.iter().fold(0, |column, c| column + width_of(*c, column))
}

/// As much of a line as fits.
pub fn shown(line: &[char], columns: usize) -> String {
    let (mut text, mut column) = (String::new(), 0);
    for c in line {
        let wide = width_of(*c, column);
        if column + wide > columns {
            break;
        }
        match c {
            '\t' => text.push_str(&" ".repeat(wide)),
            c if c.is_control() => text.push('?'),
            c => text.push(*c),
        }
        column += wide;
    }
    text
}
