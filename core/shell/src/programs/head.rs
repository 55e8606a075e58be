//! `head`

use super::tool::{Filter, Next, Options, Out};
use crate::{Errno, Sys};

/// `head [-n lines] [-c bytes] [-q] files…`
#[derive(Clone, Debug)]
pub struct Head {
    lines: i64,
    bytes: Option<usize>,
    titles: bool,
    opened: usize,
    left: i64,
    /// With a negative count: lines held back.
    held: std::collections::VecDeque<Vec<u8>>,
}

/// `-5` as the first argument is `-n 5`.
pub fn old_count(args: &[String]) -> Vec<String> {
    args.iter()
        .enumerate()
        .flat_map(|(index, arg)| match arg.strip_prefix('-').filter(|_| index == 0) {
            Some(digits) if !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()) => {
                vec!["-n".to_string(), digits.to_string()]
            }
            _ => vec![arg.clone()],
        })
        .collect()
}

/// Prints `==> name <==`.
pub fn title(name: &str, first: bool, out: &mut Out) {
    let shown = if name == "-" { "standard input" } else { name };
    out.put(format!("{}==> {shown} <==\n", if first { "" } else { "\n" }));
}

impl Filter for Head {
    fn start(
        sys: &mut dyn Sys,
        args: &[String],
        out: &mut Out,
    ) -> Result<(Self, Vec<String>), i32> {
        let long = [("lines", 'n'), ("bytes", 'c'), ("quiet", 'q')];
        let options = Options::parse(sys, &old_count(args), "n:c:qv", &long, out, 1)?;
        let number = |text: &str, what: &str, out: &mut Out| {
            text.parse::<i64>().map_err(|_| {
                out.error(format!("head: invalid number of {what}: ‘{text}’"));
                1
            })
        };
        let lines = match options.value('n') {
            Some(text) => number(text, "lines", out)?,
            None => 10,
        };
        let bytes = match options.value('c') {
            Some(text) => Some(number(text, "bytes", out)?.max(0) as usize),
            None => None,
        };
        let titles = (options.operands.len() > 1 && !options.has('q')) || options.has('v');
        let held = std::collections::VecDeque::new();
        Ok((Head { lines, bytes, titles, opened: 0, left: 0, held }, options.operands))
    }

    fn open(&mut self, name: &str, out: &mut Out) {
        if self.titles {
            title(name, self.opened == 0, out);
        }
        self.opened += 1;
        self.left = self.bytes.map_or(self.lines, |bytes| bytes as i64);
        self.held.clear();
    }

    fn line(&mut self, line: &[u8], ended: bool, out: &mut Out) -> Next {
        let mut whole = line.to_vec();
        if ended {
            whole.push(b'\n');
        }
        if self.bytes.is_some() {
            let taken = (self.left.max(0) as usize).min(whole.len());
            out.put(whole.get(..taken).unwrap_or_default());
            self.left -= taken as i64;
        } else if self.lines < 0 {
            self.held.push_back(whole);
            if self.held.len() as i64 > -self.lines
                && let Some(line) = self.held.pop_front()
            {
                out.put(line);
            }
            return Next::Line;
        } else if self.left > 0 {
            out.put(whole);
            self.left -= 1;
        }
        if self.left > 0 { Next::Line } else { Next::File }
    }

    fn failed(&mut self, program: &str, name: &str, errno: Errno, out: &mut Out) {
        if errno == Errno::IsDirectory {
            out.error(format!("{program}: error reading '{name}': {errno}"));
        } else {
            out.error(format!("{program}: cannot open '{name}' for reading: {errno}"));
        }
    }

    fn end(&mut self, _sys: &mut dyn Sys, code: i32, _out: &mut Out) -> i32 {
        code
    }
}
