//! `cat`

use super::tool::{Filter, Next, Options, Out};
use crate::Sys;

/// `cat [-n] [-b] [-A] [-E] [-T] [-s] files…`
#[derive(Clone, Debug, Default)]
pub struct Cat {
    numbers: bool,
    only_filled: bool,
    ends: bool,
    tabs: bool,
    squeeze: bool,
    count: usize,
    /// The last chunk ended a line.
    at_start: bool,
    blank_before: bool,
    empty_line: bool,
}

impl Filter for Cat {
    const BY_CHUNK: bool = true;

    fn start(
        sys: &mut dyn Sys,
        args: &[String],
        out: &mut Out,
    ) -> Result<(Self, Vec<String>), i32> {
        let options = Options::parse(sys, args, "nbAETsuv", &[("number", 'n')], out, 1)?;
        let cat = Cat {
            numbers: options.has('n') || options.has('b'),
            only_filled: options.has('b'),
            ends: options.has('E') || options.has('A'),
            tabs: options.has('T') || options.has('A'),
            squeeze: options.has('s'),
            at_start: true,
            ..Cat::default()
        };
        Ok((cat, options.operands))
    }

    fn line(&mut self, chunk: &[u8], _ended: bool, out: &mut Out) -> Next {
        if !(self.numbers || self.ends || self.tabs || self.squeeze) {
            out.put(chunk);
            return Next::Line;
        }
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.piece(piece, out);
        }
        Next::Line
    }

    fn end(&mut self, _sys: &mut dyn Sys, code: i32, _out: &mut Out) -> i32 {
        code
    }
}

impl Cat {
    fn piece(&mut self, piece: &[u8], out: &mut Out) {
        if self.at_start {
            self.empty_line = piece == b"\n";
            if self.squeeze && self.empty_line && self.blank_before {
                return;
            }
            self.blank_before = self.empty_line;
            if self.numbers && !(self.only_filled && self.empty_line) {
                self.count += 1;
                out.put(format!("{:>6}\t", self.count));
            }
        }
        self.at_start = piece.ends_with(b"\n");
        for byte in piece {
            match byte {
                b'\n' if self.ends => out.put("$\n"),
                b'\t' if self.tabs => out.put("^I"),
                byte => out.put([*byte]),
            }
        }
    }
}
