//! `sort`

use super::tool::{Filter, Next, Options, Out};
use crate::{Errno, Sys};
use std::cmp::Ordering;

/// Most bytes that are sorted.
const BYTES_MAX: usize = 16 << 20;

/// What a key compares.
#[derive(Clone, Debug)]
struct Key {
    /// First field and character, from 1.
    from: (usize, usize),
    /// Last field and character; none: to the end.
    to: Option<(usize, usize)>,
    flags: String,
}

/// `sort [-nrufhVb] [-k key] [-t separator] files…`
#[derive(Clone, Debug)]
pub struct Sort {
    lines: Vec<String>,
    bytes: usize,
    keys: Vec<Key>,
    separator: Option<char>,
    flags: String,
    output: Option<String>,
}

fn key(text: &str) -> Option<Key> {
    let (from, to) = match text.split_once(',') {
        Some((from, to)) => (from, Some(to)),
        None => (text, None),
    };
    let mut flags = String::new();
    let mut place = |text: &str| -> Option<(usize, usize)> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        flags.push_str(text.get(digits.len()..).unwrap_or_default());
        let (field, character) = digits.split_once('.').unwrap_or((digits, "0"));
        Some((field.parse().ok().filter(|field| *field > 0)?, character.parse().ok()?))
    };
    let from = place(from)?;
    let to = match to {
        Some(to) => Some(place(to)?),
        None => None,
    };
    Some(Key { from, to, flags })
}

impl Filter for Sort {
    fn start(
        sys: &mut dyn Sys,
        args: &[String],
        out: &mut Out,
    ) -> Result<(Self, Vec<String>), i32> {
        let long = [("numeric-sort", 'n'), ("reverse", 'r'), ("unique", 'u'), ("key", 'k')];
        let options = Options::parse(sys, args, "nrufhVbdisgMk:t:o:", &long, out, 2)?;
        let mut keys = Vec::new();
        for text in options.values('k') {
            match key(text) {
                Some(key) => keys.push(key),
                None => {
                    out.error(format!(
                        "sort: invalid number at field start: invalid count at start of ‘{text}’"
                    ));
                    return Err(2);
                }
            }
        }
        let flags = options.flags.iter().map(|(flag, _)| *flag).collect();
        let separator = options
            .value('t')
            .map(|text| if text == "\\t" { '\t' } else { text.chars().next().unwrap_or('\t') });
        let output = options.value('o').map(str::to_string);
        let sort = Sort { lines: Vec::new(), bytes: 0, keys, separator, flags, output };
        Ok((sort, options.operands))
    }

    fn line(&mut self, line: &[u8], _ended: bool, out: &mut Out) -> Next {
        self.bytes += line.len() + 1;
        if self.bytes > BYTES_MAX {
            out.error("sort: memory exhausted");
            return Next::End;
        }
        self.lines.push(String::from_utf8_lossy(line).into_owned());
        Next::Line
    }

    fn failed(&mut self, program: &str, name: &str, errno: Errno, out: &mut Out) {
        out.error(format!("{program}: cannot read: {name}: {errno}"));
    }

    fn end(&mut self, sys: &mut dyn Sys, code: i32, out: &mut Out) -> i32 {
        if code != 0 {
            return 2;
        }
        let mut lines = std::mem::take(&mut self.lines);
        lines.sort_by(|left, right| self.compare(left, right));
        if self.flags.contains('u') {
            lines.dedup_by(|right, left| self.compare_keys(left, right) == Ordering::Equal);
        }
        match &self.output {
            None => lines.iter().for_each(|line| out.line(line)),
            Some(path) => {
                let path = sys.absolute(path);
                let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
                if let Err(errno) = sys.fs().write(&path, text.as_bytes()) {
                    out.error(format!("sort: open failed: {path}: {errno}"));
                    return 2;
                }
            }
        }
        0
    }
}

impl Sort {
    fn compare(&self, left: &str, right: &str) -> Ordering {
        let order = self.compare_keys(left, right);
        // The last resort: the whole line, which `-u` and `-s` do without.
        if order != Ordering::Equal || self.flags.contains('s') || self.flags.contains('u') {
            return order;
        }
        let order = left.cmp(right);
        if self.flags.contains('r') { order.reverse() } else { order }
    }

    fn compare_keys(&self, left: &str, right: &str) -> Ordering {
        if self.keys.is_empty() {
            return compare_by(&self.flags, left, right);
        }
        for key in &self.keys {
            let own = key.flags.chars().any(|flag| "nrfhVgM".contains(flag));
            let flags = if own { &key.flags } else { &self.flags };
            let order = compare_by(flags, self.extract(left, key), self.extract(right, key));
            if order != Ordering::Equal {
                return order;
            }
        }
        Ordering::Equal
    }

    /// Where each field of the line starts and ends.
    fn fields(&self, line: &str) -> Vec<(usize, usize)> {
        let mut fields = Vec::new();
        match self.separator {
            Some(separator) => {
                let mut start = 0;
                for (at, _) in line.match_indices(separator) {
                    fields.push((start, at));
                    start = at + separator.len_utf8();
                }
                fields.push((start, line.len()));
            }
            None => {
                // A field begins with the blanks before it.
                let mut start = 0;
                let mut seen_text = false;
                for (at, c) in line.char_indices() {
                    let is_blank = c == ' ' || c == '\t';
                    if is_blank && seen_text {
                        fields.push((start, at));
                        start = at;
                        seen_text = false;
                    }
                    seen_text |= !is_blank;
                }
                fields.push((start, line.len()));
            }
        }
        fields
    }

    fn extract<'a>(&self, line: &'a str, key: &Key) -> &'a str {
        let fields = self.fields(line);
        let offset = |start: usize, chars: usize| {
            let rest = line.get(start..).unwrap_or_default();
            rest.char_indices().nth(chars).map_or(line.len(), |(at, _)| start + at)
        };
        let Some((start, _)) = fields.get(key.from.0 - 1) else { return "" };
        let start = offset(*start, key.from.1.saturating_sub(1));
        let end = match key.to {
            None => line.len(),
            Some((field, character)) => match fields.get(field - 1) {
                None => line.len(),
                Some((_, end)) if character == 0 => *end,
                Some((begin, _)) => offset(*begin, character),
            },
        };
        line.get(start..end).unwrap_or_default()
    }
}

fn compare_by(flags: &str, left: &str, right: &str) -> Ordering {
    let order = if flags.contains('n') || flags.contains('g') {
        number(left).total_cmp(&number(right))
    } else if flags.contains('h') {
        human(left).total_cmp(&human(right))
    } else if flags.contains('V') {
        versions(left, right)
    } else {
        let trim = |text: &str| {
            let text = if flags.contains('b') { text.trim_start() } else { text };
            if flags.contains('f') { text.to_uppercase() } else { text.to_string() }
        };
        trim(left).cmp(&trim(right))
    };
    if flags.contains('r') { order.reverse() } else { order }
}

fn number(text: &str) -> f64 {
    let text = text.trim_start();
    let end = text
        .char_indices()
        .find(|(at, c)| !(c.is_ascii_digit() || *c == '.' || (*at == 0 && *c == '-')))
        .map_or(text.len(), |(at, _)| at);
    text.get(..end).and_then(|digits| digits.parse().ok()).unwrap_or(0.0)
}

fn human(text: &str) -> f64 {
    let digits = text.trim_start().trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let power = match text.trim().chars().find(char::is_ascii_alphabetic) {
        Some('K' | 'k') => 1,
        Some('M') => 2,
        Some('G') => 3,
        Some('T') => 4,
        _ => 0,
    };
    number(digits) * 1024_f64.powi(power)
}

/// Runs of digits compare as numbers.
fn versions(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left, right);
    loop {
        let order = (left.is_empty(), right.is_empty());
        match order {
            (true, true) => return Ordering::Equal,
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            _ => {}
        }
        let split = |text: &str| {
            let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            if digits > 0 {
                digits
            } else {
                text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len())
            }
        };
        let (a, left_rest) = left.split_at(split(left));
        let (b, right_rest) = right.split_at(split(right));
        let order = match (a.parse::<u64>(), b.parse::<u64>()) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            _ => a.cmp(b),
        };
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
}
