//! `read`

use crate::shell::array::Element;
use crate::shell::machine::Frame;
use crate::shell::state::Flavor;
use crate::shell::{Flow, Shell};
use crate::{Errno, Sys};
use naru_sim::Time;
use std::time::Duration;

/// A `read` going on.
#[derive(Clone, Debug)]
pub struct ReadRun {
    names: Vec<String>,
    /// `-a`: the array that gets all fields.
    array: Option<String>,
    /// `mapfile`: all lines are read, and `array` gets them.
    lines: Option<Lines>,
    raw: bool,
    delimiter: u8,
    count: Option<usize>,
    deadline: Option<Time>,
    bytes: Vec<u8>,
    /// The last byte was a backslash that counts.
    escaped: bool,
    /// Which bytes of the line stand for themselves.
    protected: Vec<bool>,
}

/// What `mapfile` does with lines.
#[derive(Clone, Copy, Debug)]
struct Lines {
    /// `-t`: without their ends.
    trims: bool,
    /// `-n`: so many at most; 0: all.
    most: usize,
}

impl ReadRun {
    fn new() -> Self {
        ReadRun {
            names: Vec::new(),
            array: None,
            lines: None,
            raw: false,
            delimiter: b'\n',
            count: None,
            deadline: None,
            bytes: Vec::new(),
            escaped: false,
            protected: Vec::new(),
        }
    }
}

/// `mapfile [-t] [-n count] [array]`
pub fn lines(shell: &mut Shell, args: &[String]) -> Option<i32> {
    let mut lines = Lines { trims: false, most: 0 };
    let mut array = "MAPFILE".to_owned();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "-t" => lines.trims = true,
            "-n" => lines.most = rest.next().and_then(|count| count.parse().ok()).unwrap_or(0),
            arg if arg.starts_with('-') && arg.len() > 1 => {
                shell.complain(&format!("mapfile: {arg}: invalid option"));
                return Some(2);
            }
            arg if crate::shell::parse::is_name(arg) => arg.clone_into(&mut array),
            arg => {
                shell.complain(&format!("mapfile: `{arg}': not a valid identifier"));
                return Some(1);
            }
        }
    }
    let run = ReadRun { array: Some(array), lines: Some(lines), raw: true, ..ReadRun::new() };
    shell.push(Frame::Read(Box::new(run)));
    None
}

/// `read [-r] [-p prompt] [-d delimiter] [-n count] [-t seconds] [names…]`
pub fn start(shell: &mut Shell, sys: &mut dyn Sys, args: &[String]) -> Option<i32> {
    let mut run = ReadRun::new();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let flags = match arg.strip_prefix('-') {
            Some(flags) if !flags.is_empty() && run.names.is_empty() => flags,
            _ => {
                run.names.push(arg.clone());
                continue;
            }
        };
        let mut chars = flags.chars();
        while let Some(flag) = chars.next() {
            if matches!(flag, 'r' | 's' | 'e' | '-') {
                run.raw |= flag == 'r';
                continue;
            }
            let attached: String = chars.by_ref().collect();
            let value = if attached.is_empty() {
                rest.next().cloned().unwrap_or_default()
            } else {
                attached
            };
            match flag {
                'a' if shell.state.flavor == Flavor::Bash => run.array = Some(value),
                'p' => {
                    let fd = shell.state.fd(0);
                    if fd.is_some_and(|fd| sys.is_tty(fd)) {
                        shell.print(2, value);
                    }
                }
                'd' => run.delimiter = value.bytes().next().unwrap_or(0),
                'n' | 'N' => run.count = value.parse().ok(),
                't' => {
                    let seconds: f64 = value.parse().unwrap_or(0.0);
                    let wait = Duration::try_from_secs_f64(seconds).unwrap_or_default();
                    run.deadline = Some(sys.now() + wait);
                }
                _ => {
                    let message = match shell.state.flavor {
                        Flavor::Bash => format!("read: -{flag}: invalid option"),
                        Flavor::Dash => format!("read: Illegal option -{flag}"),
                        Flavor::Ash => format!("read: illegal option -{flag}"),
                    };
                    shell.complain(&message);
                    return Some(2);
                }
            }
        }
    }
    if let Some(name) = run.names.iter().find(|name| !crate::shell::parse::is_name(name)) {
        let message = format!("read: `{name}': not a valid identifier");
        shell.complain(&message);
        return Some(1);
    }
    if run.names.is_empty() && shell.state.flavor == Flavor::Dash {
        shell.complain("read: arg count");
        return Some(2);
    }
    shell.push(Frame::Read(Box::new(run)));
    None
}

impl Shell {
    /// Reads on, byte by byte: what follows the line is for others.
    pub(in crate::shell) fn step_read(&mut self, sys: &mut dyn Sys, mut run: Box<ReadRun>) -> Flow {
        let Some(fd) = self.state.fd(0) else {
            self.state.status = 1;
            return Flow::Go;
        };
        loop {
            if run.count.is_some_and(|count| run.bytes.len() >= count) {
                return self.end_read(sys, *run, 0);
            }
            let byte = match sys.read(fd, 1) {
                Ok(bytes) => bytes.first().copied(),
                Err(Errno::Again) => {
                    if run.deadline.is_some_and(|deadline| sys.now() >= deadline) {
                        return self.end_read(sys, *run, 142);
                    }
                    let until = run.deadline;
                    self.push(Frame::Read(run));
                    return Flow::Block(until);
                }
                Err(errno) => {
                    self.complain(&format!("read: read error: 0: {errno}"));
                    self.state.status = 1;
                    return Flow::Go;
                }
            };
            let Some(byte) = byte else { return self.end_read(sys, *run, 1) };
            if run.escaped {
                run.escaped = false;
                if byte != b'\n' {
                    run.bytes.push(byte);
                    run.protected.push(true);
                }
                continue;
            }
            if byte == b'\\' && !run.raw {
                run.escaped = true;
                continue;
            }
            let ends = match run.lines {
                None => byte == run.delimiter,
                Some(lines) => {
                    let read = || run.bytes.iter().filter(|byte| **byte == b'\n').count();
                    lines.most > 0 && byte == b'\n' && read() + 1 >= lines.most
                }
            };
            if ends {
                if run.lines.is_some() {
                    run.bytes.push(byte);
                    run.protected.push(false);
                }
                return self.end_read(sys, *run, 0);
            }
            if run.bytes.len() < super::super::parse::SCRIPT_BYTES_MAX {
                run.bytes.push(byte);
                run.protected.push(false);
            }
        }
    }

    fn end_read(&mut self, sys: &mut dyn Sys, run: ReadRun, status: i32) -> Flow {
        if let Some(array) = &run.array {
            let texts = match run.lines {
                Some(lines) => {
                    let text = String::from_utf8_lossy(&run.bytes);
                    let ends: &[char] = if lines.trims { &['\n'] } else { &[] };
                    text.split_inclusive('\n')
                        .map(|line| line.strip_suffix(ends).unwrap_or(line).to_owned())
                        .collect()
                }
                None => {
                    let separators = self.state.get("IFS").unwrap_or(" \t\n").as_bytes();
                    split(&run.bytes, &run.protected, separators, usize::MAX)
                }
            };
            let element = |text| Element { subscript: None, text };
            let set = self.state.set_array(array, texts.into_iter().map(element).collect(), false);
            self.state.status = if run.lines.is_some() { 0 } else { status };
            if let Err(message) = set {
                self.complain(&message);
                self.state.status = 1;
            }
            self.check_errexit(sys);
            return Flow::Go;
        }
        let separators = self.state.get("IFS").unwrap_or(" \t\n").to_string();
        let (names, fields) = if run.names.is_empty() {
            (vec!["REPLY".to_string()], vec![String::from_utf8_lossy(&run.bytes).into_owned()])
        } else {
            let fields = split(&run.bytes, &run.protected, separators.as_bytes(), run.names.len());
            (run.names, fields)
        };
        self.state.status = status;
        for (index, name) in names.iter().enumerate() {
            let value = fields.get(index).cloned().unwrap_or_default();
            if let Err(message) = self.state.set(name, value) {
                self.complain(&message);
                self.state.status = 1;
            }
        }
        self.check_errexit(sys);
        Flow::Go
    }
}

/// The line's fields; the last of `most` gets the rest.
fn split(bytes: &[u8], protected: &[bool], separators: &[u8], most: usize) -> Vec<String> {
    let is_blank = |at: usize| {
        let byte = bytes.get(at).copied().unwrap_or(0);
        matches!(byte, b' ' | b'\t' | b'\n')
            && separators.contains(&byte)
            && !protected.get(at).copied().unwrap_or(false)
    };
    let is_separator = |at: usize| {
        bytes.get(at).is_some_and(|byte| separators.contains(byte))
            && !protected.get(at).copied().unwrap_or(false)
    };
    let mut end = bytes.len();
    while end > 0 && is_blank(end - 1) {
        end -= 1;
    }
    let mut at = 0;
    let mut fields: Vec<String> = Vec::new();
    while at < end && is_blank(at) {
        at += 1;
    }
    while at < end {
        let start = at;
        if fields.len() + 1 == most {
            at = end;
        } else {
            while at < end && !is_separator(at) {
                at += 1;
            }
        }
        let field = bytes.get(start..at).unwrap_or_default();
        fields.push(String::from_utf8_lossy(field).into_owned());
        while at < end && is_blank(at) {
            at += 1;
        }
        if at < end && is_separator(at) && !is_blank(at) {
            at += 1;
            while at < end && is_blank(at) {
                at += 1;
            }
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split() {
        for (line, separators, most, expected) in [
            ("  a b  c  ", " \t\n", 2, "a|b  c"),
            ("a:b::c", ":", 4, "a|b||c"),
            ("a:b:c", ":", 2, "a|b:c"),
            ("", " ", 2, ""),
            ("one", " ", 3, "one"),
        ] {
            let fields = split(line.as_bytes(), &[], separators.as_bytes(), most);
            assert_eq!(fields.join("|"), expected, "{line:?}");
        }
    }
}
