//! `uniq`

use super::tool::{Filter, Next, Options, Out};
use crate::Sys;

/// `uniq [-cdui] [file]`
#[derive(Clone, Debug)]
pub struct Uniq {
    options: Options,
    last: Option<Vec<u8>>,
    count: usize,
}

impl Filter for Uniq {
    fn start(
        sys: &mut dyn Sys,
        args: &[String],
        out: &mut Out,
    ) -> Result<(Self, Vec<String>), i32> {
        let long = [("count", 'c'), ("repeated", 'd'), ("unique", 'u'), ("ignore-case", 'i')];
        let options = Options::parse(sys, args, "cdui", &long, out, 1)?;
        let files = options.operands.iter().take(1).cloned().collect();
        Ok((Uniq { options, last: None, count: 0 }, files))
    }

    fn line(&mut self, line: &[u8], _ended: bool, out: &mut Out) -> Next {
        let same = self.last.as_ref().is_some_and(|last| {
            if self.options.has('i') { last.eq_ignore_ascii_case(line) } else { last == line }
        });
        if same {
            self.count += 1;
        } else {
            self.show(out);
            self.last = Some(line.to_vec());
            self.count = 1;
        }
        Next::Line
    }

    fn end(&mut self, _sys: &mut dyn Sys, code: i32, out: &mut Out) -> i32 {
        self.show(out);
        code
    }
}

impl Uniq {
    fn show(&mut self, out: &mut Out) {
        let Some(line) = self.last.take() else { return };
        let hidden =
            (self.options.has('d') && self.count < 2) || (self.options.has('u') && self.count > 1);
        if hidden {
            return;
        }
        if self.options.has('c') {
            out.put(format!("{:>7} ", self.count));
        }
        out.line(line);
    }
}
