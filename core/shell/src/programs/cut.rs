//! `cut`

use super::tool::{Filter, Next, Options, Out};
use crate::Sys;

/// `cut -f list [-d delimiter] [-s]`, `cut -c list`, `cut -b list`
#[derive(Clone, Debug)]
pub struct Cut {
    ranges: Vec<(usize, usize)>,
    by: By,
    delimiter: char,
    only_delimited: bool,
    glue: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Fields,
    Chars,
    Bytes,
}

/// `1,3-5,7-`
fn ranges(list: &str) -> Option<Vec<(usize, usize)>> {
    list.split([',', ' '])
        .map(|item| {
            let (from, to) = item.split_once('-').unwrap_or((item, item));
            let from = if from.is_empty() { 1 } else { from.parse().ok()? };
            let to = if to.is_empty() { usize::MAX } else { to.parse().ok()? };
            (from > 0 && to >= from).then_some((from, to))
        })
        .collect()
}

impl Filter for Cut {
    fn start(
        sys: &mut dyn Sys,
        args: &[String],
        out: &mut Out,
    ) -> Result<(Self, Vec<String>), i32> {
        let long = [
            ("fields", 'f'),
            ("delimiter", 'd'),
            ("characters", 'c'),
            ("bytes", 'b'),
            ("only-delimited", 's'),
            ("output-delimiter", 'O'),
        ];
        let options = Options::parse(sys, args, "f:d:c:b:sO:n", &long, out, 1)?;
        let mut fail = |message: &str| {
            out.error(format!("cut: {message}"));
            out.error("Try 'cut --help' for more information.");
            1
        };
        let (by, list) = match (options.value('f'), options.value('c'), options.value('b')) {
            (Some(list), None, None) => (By::Fields, list),
            (None, Some(list), None) => (By::Chars, list),
            (None, None, Some(list)) => (By::Bytes, list),
            (None, None, None) => {
                return Err(fail("you must specify a list of bytes, characters, or fields"));
            }
            _ => return Err(fail("only one list may be specified")),
        };
        let Some(ranges) = ranges(list) else {
            if list.split([',', '-']).any(|number| number == "0") {
                let what = if by == By::Fields { "fields" } else { "byte/character positions" };
                return Err(fail(&format!("{what} are numbered from 1")));
            }
            let what = if by == By::Fields { "field value" } else { "byte/character position" };
            return Err(fail(&format!("invalid {what} ‘{list}’")));
        };
        let delimiter = options.value('d').unwrap_or("\t");
        let mut chars = delimiter.chars();
        let (Some(first), None) = (chars.next(), chars.next()) else {
            return Err(fail("the delimiter must be a single character"));
        };
        let glue = options.value('O').map_or(delimiter.to_string(), str::to_string);
        let cut = Cut { ranges, by, delimiter: first, only_delimited: options.has('s'), glue };
        Ok((cut, options.operands))
    }

    fn line(&mut self, line: &[u8], _ended: bool, out: &mut Out) -> Next {
        let picked =
            |at: usize| self.ranges.iter().any(|(from, to)| (*from..=*to).contains(&(at + 1)));
        if self.by == By::Bytes {
            let bytes: Vec<u8> =
                line.iter().enumerate().filter(|(at, _)| picked(*at)).map(|(_, b)| *b).collect();
            out.line(bytes);
            return Next::Line;
        }
        let text = String::from_utf8_lossy(line);
        if self.by == By::Chars {
            let chars: String =
                text.chars().enumerate().filter(|(at, _)| picked(*at)).map(|(_, c)| c).collect();
            out.line(chars);
        } else if text.contains(self.delimiter) {
            let fields: Vec<&str> = text
                .split(self.delimiter)
                .enumerate()
                .filter(|(at, _)| picked(*at))
                .map(|(_, field)| field)
                .collect();
            out.line(fields.join(&self.glue));
        } else if !self.only_delimited {
            out.line(line);
        }
        Next::Line
    }

    fn end(&mut self, _sys: &mut dyn Sys, code: i32, _out: &mut Out) -> i32 {
        code
    }
}
