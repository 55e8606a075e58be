//! `tr`

use super::tool::{Filter, Next, Options, Out};
use crate::Sys;
use crate::shell::class_ranges;
use crate::shell::escape::unescape;

/// `tr [-cds] set1 [set2]`
#[derive(Clone, Debug)]
pub struct Tr {
    from: Vec<char>,
    to: Vec<char>,
    complement: bool,
    delete: bool,
    squeeze: bool,
    last: Option<char>,
}

/// The characters of a set: `a-z`, `[:digit:]`, escapes.
fn set(text: &str) -> Vec<char> {
    let text = String::from_utf8_lossy(&unescape(text).0).into_owned();
    let chars: Vec<char> = text.chars().collect();
    let mut result = Vec::new();
    let mut rest = chars.as_slice();
    loop {
        rest = match rest {
            [] => return result,
            ['[', ':', tail @ ..] if tail.windows(2).any(|pair| pair == [':', ']']) => {
                let end = tail.iter().position(|c| *c == ':').unwrap_or(0);
                let name: String = tail.iter().take(end).collect();
                for (from, to) in class_ranges(&name) {
                    result.extend(*from..=*to);
                }
                tail.get(end + 2..).unwrap_or_default()
            }
            [from, '-', to, tail @ ..] if from <= to => {
                result.extend(*from..=*to);
                tail
            }
            [c, tail @ ..] => {
                result.push(*c);
                tail
            }
        };
    }
}

impl Filter for Tr {
    const BY_CHUNK: bool = true;

    fn start(
        sys: &mut dyn Sys,
        args: &[String],
        out: &mut Out,
    ) -> Result<(Self, Vec<String>), i32> {
        let long = [("delete", 'd'), ("squeeze-repeats", 's'), ("complement", 'c')];
        let options = Options::parse(sys, args, "+cCdst", &long, out, 1)?;
        let (delete, squeeze) = (options.has('d'), options.has('s'));
        let Some(first) = options.operands.first() else {
            out.error("tr: missing operand");
            out.error("Try 'tr --help' for more information.");
            return Err(1);
        };
        let second = options.operands.get(1);
        if second.is_none() && !delete && !squeeze {
            out.error(format!("tr: missing operand after ‘{first}’"));
            out.error("Two strings must be given when translating.");
            out.error("Try 'tr --help' for more information.");
            return Err(1);
        }
        let complement = options.has('c') || options.has('C');
        let to = second.map(|text| set(text)).unwrap_or_default();
        Ok((Tr { from: set(first), to, complement, delete, squeeze, last: None }, Vec::new()))
    }

    fn line(&mut self, chunk: &[u8], _ended: bool, out: &mut Out) -> Next {
        let text = String::from_utf8_lossy(chunk);
        let mut result = String::new();
        for c in text.chars() {
            let place = self.from.iter().position(|other| *other == c);
            let chosen = place.is_some() != self.complement;
            if chosen && self.delete {
                continue;
            }
            let translates = chosen && !self.to.is_empty() && !self.delete;
            let new = if translates {
                let place = if self.complement { usize::MAX } else { place.unwrap_or(usize::MAX) };
                self.to.get(place).or(self.to.last()).copied().unwrap_or(c)
            } else {
                c
            };
            let squeezed = if self.to.is_empty() { chosen } else { self.to.contains(&new) };
            if self.squeeze && squeezed && self.last == Some(new) {
                continue;
            }
            self.last = Some(new);
            result.push(new);
        }
        out.put(result);
        Next::Line
    }

    fn end(&mut self, _sys: &mut dyn Sys, code: i32, _out: &mut Out) -> i32 {
        code
    }
}
