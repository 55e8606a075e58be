//! What most programs are made of: output that may have to wait, options, and two shapes of
//! program: [`OneShot`], which computes once and prints, and [`Filtering`], which reads its files
//! or standard input line by line.

use crate::{Errno, Fd, OpenMode, Program, Step, Sys};
use std::collections::VecDeque;
use std::fmt;

/// Longest line that is treated as one.
const LINE_BYTES_MAX: usize = 1 << 20;
/// Output kept before it must be written.
const PENDING_BYTES_MAX: usize = 64 << 10;
/// Chunks of input worked on in one resumption.
const CHUNKS_PER_RESUME: usize = 16;
/// Bytes asked for at once.
const CHUNK_BYTES: usize = 16 << 10;

/// What a program has printed and is not written yet.
#[derive(Clone, Debug, Default)]
pub struct Out {
    pending: VecDeque<(Fd, Vec<u8>)>,
    bytes: usize,
    failed: Option<Errno>,
    /// Errors are said in Busybox's words.
    busybox: bool,
}

impl Out {
    /// Prints bytes to standard output.
    pub fn put(&mut self, bytes: impl AsRef<[u8]>) {
        self.push(1, bytes.as_ref());
    }

    /// Prints a line to standard output.
    pub fn line(&mut self, text: impl AsRef<[u8]>) {
        self.push(1, text.as_ref());
        self.push(1, b"\n");
    }

    /// Prints a line to standard error.
    pub fn error(&mut self, text: impl AsRef<str>) {
        match self.busybox {
            true => self.push(2, super::busybox::reword(text.as_ref()).as_bytes()),
            false => {
                self.push(2, text.as_ref().as_bytes());
                self.push(2, b"\n");
            }
        }
    }

    /// What Busybox's programs say to `--help` alone, and the exit code.
    pub fn help(&mut self, name: &str, args: &[String]) -> Option<i32> {
        if !self.busybox || args != ["--help"] {
            return None;
        }
        self.put_error(super::busybox::usage(name)?);
        Some(0)
    }

    /// Whether errors are said in Busybox's words.
    pub fn is_busybox(&self) -> bool {
        self.busybox
    }

    /// From now on errors are said in the words of this machine's programs.
    pub fn speak(&mut self, sys: &mut dyn Sys) {
        self.busybox = is_busybox(sys);
    }

    /// Prints bytes to a descriptor.
    pub fn put_to(&mut self, fd: Fd, bytes: impl AsRef<[u8]>) {
        self.push(fd, bytes.as_ref());
    }

    /// Prints bytes to standard error.
    pub fn put_error(&mut self, bytes: impl AsRef<[u8]>) {
        self.push(2, bytes.as_ref());
    }

    /// Prints what another has printed.
    pub fn append(&mut self, other: Out) {
        other.pending.into_iter().for_each(|(fd, bytes)| self.push(fd, &bytes));
    }

    fn push(&mut self, fd: Fd, bytes: &[u8]) {
        self.bytes += bytes.len();
        match self.pending.back_mut() {
            Some((last, buffer)) if *last == fd => buffer.extend_from_slice(bytes),
            _ if !bytes.is_empty() => self.pending.push_back((fd, bytes.to_vec())),
            _ => {}
        }
    }

    /// Writes what can be written; `false` if something is left.
    pub fn flush(&mut self, sys: &mut dyn Sys) -> bool {
        while let Some((fd, bytes)) = self.pending.pop_front() {
            match sys.write(fd, &bytes) {
                Ok(taken) => {
                    self.bytes = self.bytes.saturating_sub(taken);
                    if let Some(rest) = bytes.get(taken..)
                        && !rest.is_empty()
                    {
                        self.pending.push_front((fd, rest.to_vec()));
                    }
                }
                Err(Errno::Again) => {
                    self.pending.push_front((fd, bytes));
                    return false;
                }
                Err(errno) => {
                    self.bytes = self.bytes.saturating_sub(bytes.len());
                    if fd == 1 {
                        self.failed = Some(errno);
                    }
                }
            }
        }
        true
    }

    /// Whether so much is pending that it should be written first.
    pub fn is_full(&self) -> bool {
        self.bytes >= PENDING_BYTES_MAX
    }

    /// Why standard output could not be written to, once.
    pub fn take_failure(&mut self) -> Option<Errno> {
        self.failed.take()
    }
}

/// A program that does all it does at once.
#[derive(Clone)]
pub struct OneShot {
    run: fn(&mut dyn Sys, &[String], &mut Out) -> i32,
    out: Out,
    code: Option<i32>,
}

impl fmt::Debug for OneShot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneShot").field("code", &self.code).finish_non_exhaustive()
    }
}

impl OneShot {
    /// A program that calls `run` with the arguments after its name, and ends with what it gives.
    pub fn new(run: fn(&mut dyn Sys, &[String], &mut Out) -> i32) -> Self {
        OneShot { run, out: Out::default(), code: None }
    }
}

impl Program for OneShot {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let code = match self.code {
            Some(code) => code,
            None => {
                let args: Vec<String> = sys.args().iter().skip(1).cloned().collect();
                self.out.speak(sys);
                let code = match self.out.help(&program_name(sys), &args) {
                    Some(code) => code,
                    None => (self.run)(sys, &args, &mut self.out),
                };
                *self.code.insert(code)
            }
        };
        finish(&mut self.out, sys, code)
    }
}

/// Writes the rest and ends.
pub fn finish(out: &mut Out, sys: &mut dyn Sys, code: i32) -> Step {
    if !out.flush(sys) {
        return Step::Block { until: None };
    }
    if let Some(errno) = out.take_failure() {
        let name = program_name(sys);
        out.error(format!("{name}: write error: {errno}"));
        out.flush(sys);
        return Step::Exit(1);
    }
    Step::Exit(code)
}

/// Whether the machine's programs are Busybox's, with their words: its shell is.
pub fn is_busybox(sys: &mut dyn Sys) -> bool {
    sys.fs().program("/bin/sh").is_some_and(|shell| &*shell == "ash")
}

/// The name by which the program was called, without its directory.
pub fn program_name(sys: &dyn Sys) -> String {
    let name = sys.args().first().map_or("", String::as_str);
    name.rsplit('/').next().unwrap_or(name).to_string()
}

/// What a filter wants after a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The next line.
    Line,
    /// The next file.
    File,
    /// Nothing more: it is done.
    End,
}

/// A program that reads lines.
pub trait Filter: Clone + fmt::Debug + Send + Sync + 'static {
    /// It gets the bytes as they come instead of lines.
    const BY_CHUNK: bool = false;

    /// Looks at the arguments; gives itself and the files to read (none: standard input).
    fn start(sys: &mut dyn Sys, args: &[String], out: &mut Out)
    -> Result<(Self, Vec<String>), i32>;

    /// A file begins. `name` is as given; "-" is standard input.
    fn open(&mut self, _name: &str, _out: &mut Out) {}

    /// A line, without its end; `ended` says whether it had one.
    fn line(&mut self, line: &[u8], ended: bool, out: &mut Out) -> Next;

    /// A file has ended.
    fn close(&mut self, _name: &str, _out: &mut Out) {}

    /// A file could not be opened.
    fn failed(&mut self, program: &str, name: &str, errno: Errno, out: &mut Out) {
        out.error(format!("{program}: {name}: {errno}"));
    }

    /// All files have ended; `code` is 1 if one could not be opened. Gives the exit code.
    fn end(&mut self, sys: &mut dyn Sys, code: i32, out: &mut Out) -> i32;
}

/// A running [`Filter`].
#[derive(Clone, Debug)]
pub struct Filtering<T> {
    filter: Option<T>,
    files: VecDeque<String>,
    current: Option<(Fd, String)>,
    buffer: Vec<u8>,
    out: Out,
    failed: i32,
    code: Option<i32>,
}

impl<T: Filter> Filtering<T> {
    /// A filter that has yet to look at its arguments.
    pub fn new() -> Self {
        Filtering {
            filter: None,
            files: VecDeque::new(),
            current: None,
            buffer: Vec::new(),
            out: Out::default(),
            failed: 0,
            code: None,
        }
    }

    fn start(&mut self, sys: &mut dyn Sys) {
        let args: Vec<String> = sys.args().iter().skip(1).cloned().collect();
        self.out.speak(sys);
        self.code = self.out.help(&program_name(sys), &args);
        if self.code.is_some() {
            return;
        }
        match T::start(sys, &args, &mut self.out) {
            Ok((filter, files)) => {
                self.filter = Some(filter);
                self.files = files.into();
                if self.files.is_empty() {
                    self.files.push_back("-".to_string());
                }
            }
            Err(code) => self.code = Some(code),
        }
    }

    /// Opens the next file; `false` if there is none.
    fn open_next(&mut self, sys: &mut dyn Sys) -> bool {
        let Some(filter) = &mut self.filter else { return false };
        while let Some(name) = self.files.pop_front() {
            let opened = if name == "-" { Ok(0) } else { sys.open(&name, OpenMode::Read) };
            match opened {
                Ok(fd) => {
                    filter.open(&name, &mut self.out);
                    self.current = Some((fd, name));
                    return true;
                }
                Err(errno) => {
                    let program = program_name(sys);
                    filter.failed(&program, &name, errno, &mut self.out);
                    self.failed = 1;
                }
            }
        }
        false
    }

    fn close_current(&mut self, sys: &mut dyn Sys) {
        let Some((fd, name)) = self.current.take() else { return };
        if fd != 0 {
            sys.close(fd);
        }
        if let Some(filter) = &mut self.filter {
            filter.close(&name, &mut self.out);
        }
    }

    /// Gives the filter the lines that have come; all of them if the file has ended.
    fn feed(&mut self, at_end: bool) -> Next {
        let Some(filter) = &mut self.filter else { return Next::End };
        if T::BY_CHUNK {
            let chunk = std::mem::take(&mut self.buffer);
            return if chunk.is_empty() {
                Next::Line
            } else {
                filter.line(&chunk, false, &mut self.out)
            };
        }
        let mut from = 0;
        let mut next = Next::Line;
        while next == Next::Line {
            let rest = self.buffer.get(from..).unwrap_or_default();
            match rest.iter().position(|byte| *byte == b'\n') {
                Some(length) => {
                    let line = rest.get(..length).unwrap_or_default();
                    next = filter.line(line, true, &mut self.out);
                    from += length + 1;
                }
                None if !rest.is_empty() && (at_end || rest.len() >= LINE_BYTES_MAX) => {
                    next = filter.line(rest, false, &mut self.out);
                    from = self.buffer.len();
                }
                None => break,
            }
        }
        self.buffer.drain(..from.min(self.buffer.len()));
        next
    }

    /// Reads once. `Some` is why it cannot go on now.
    fn advance(&mut self, sys: &mut dyn Sys) -> Option<Step> {
        let Some((fd, name)) = &self.current else {
            if !self.open_next(sys) {
                let code = match &mut self.filter {
                    Some(filter) => filter.end(sys, self.failed, &mut self.out),
                    None => 1,
                };
                self.code = Some(code);
            }
            return None;
        };
        let (fd, name) = (*fd, name.clone());
        let mut at_end = false;
        match sys.read(fd, CHUNK_BYTES) {
            Ok(bytes) if bytes.is_empty() => at_end = true,
            Ok(bytes) => self.buffer.extend(bytes),
            Err(Errno::Again) => return Some(Step::Block { until: None }),
            Err(errno) => {
                let program = program_name(sys);
                if let Some(filter) = &mut self.filter {
                    filter.failed(&program, &name, errno, &mut self.out);
                }
                self.failed = 1;
                at_end = true;
            }
        }
        match self.feed(at_end) {
            Next::Line if !at_end => {}
            Next::Line | Next::File => {
                self.buffer.clear();
                self.close_current(sys);
            }
            Next::End => {
                self.close_current(sys);
                self.files.clear();
            }
        }
        None
    }
}

impl<T: Filter> Program for Filtering<T> {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.filter.is_none() && self.code.is_none() {
            self.start(sys);
        }
        for _ in 0..CHUNKS_PER_RESUME {
            if !self.out.flush(sys) {
                return Step::Block { until: None };
            }
            if let Some(code) = self.code {
                return finish(&mut self.out, sys, code);
            }
            if let Some(step) = self.advance(sys) {
                return step;
            }
        }
        if !self.out.flush(sys) {
            return Step::Block { until: None };
        }
        Step::Yield
    }
}

/// Options as `getopt` reads them.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Letters and their arguments, in order.
    pub flags: Vec<(char, Option<String>)>,
    /// The rest.
    pub operands: Vec<String>,
}

impl Options {
    /// Reads options: `spec` lists the letters, with `:` after those that take an argument;
    /// `long` gives long names and the letters that they mean. Says what is wrong and gives the
    /// exit code `code`.
    pub fn parse(
        sys: &dyn Sys,
        args: &[String],
        spec: &str,
        long: &[(&str, char)],
        out: &mut Out,
        code: i32,
    ) -> Result<Options, i32> {
        parse_options(args, spec, long).map_err(|message| {
            let name = program_name(sys);
            out.error(format!("{name}: {message}"));
            out.error(format!("Try '{name} --help' for more information."));
            code
        })
    }

    /// Whether the flag was given.
    pub fn has(&self, flag: char) -> bool {
        self.flags.iter().any(|(other, _)| *other == flag)
    }

    /// The last argument of the flag.
    pub fn value(&self, flag: char) -> Option<&str> {
        self.flags.iter().rev().find(|(other, _)| *other == flag)?.1.as_deref()
    }

    /// Every argument of the flag.
    pub fn values(&self, flag: char) -> impl Iterator<Item = &str> {
        self.flags.iter().filter(move |(other, _)| *other == flag).filter_map(|(_, v)| v.as_deref())
    }
}

fn takes_argument(spec: &str, flag: char) -> Option<bool> {
    let at = spec.find(flag).filter(|_| flag != ':')?;
    let after = spec.get(at + flag.len_utf8()..).unwrap_or_default();
    Some(after.starts_with(':'))
}

/// Reads options; `Err` is the message after the program's name.
pub fn parse_options(
    args: &[String],
    spec: &str,
    long: &[(&str, char)],
) -> Result<Options, String> {
    let mut options = Options::default();
    // As in getopt, a `+` at the start means that the first operand ends the options.
    let stops = spec.starts_with('+');
    let spec = spec.trim_start_matches('+');
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            break;
        }
        if let Some(name) = arg.strip_prefix("--") {
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_string())),
                None => (name, None),
            };
            let found = long.iter().find(|(other, _)| *other == name);
            let Some((_, flag)) = found else {
                return Err(format!("unrecognized option '--{name}'"));
            };
            let value = match (value, takes_argument(spec, *flag)) {
                (None, Some(true)) => match rest.next() {
                    Some(value) => Some(value.clone()),
                    None => return Err(format!("option '--{name}' requires an argument")),
                },
                (value, _) => value,
            };
            options.flags.push((*flag, value));
            continue;
        }
        match arg.strip_prefix('-') {
            Some(flags) if !flags.is_empty() => {
                let mut chars = flags.chars();
                while let Some(flag) = chars.next() {
                    match takes_argument(spec, flag) {
                        None => return Err(format!("invalid option -- '{flag}'")),
                        Some(false) => options.flags.push((flag, None)),
                        Some(true) => {
                            let attached: String = chars.by_ref().collect();
                            let value = if attached.is_empty() {
                                rest.next().cloned()
                            } else {
                                Some(attached)
                            };
                            let Some(value) = value else {
                                return Err(format!("option requires an argument -- '{flag}'"));
                            };
                            options.flags.push((flag, Some(value)));
                        }
                    }
                }
            }
            _ => {
                options.operands.push(arg.clone());
                if stops {
                    break;
                }
            }
        }
    }
    options.operands.extend(rest.cloned());
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_string).collect()
    }

    #[test]
    fn options_are_read_as_by_getopt() {
        let long = [("lines", 'n'), ("quiet", 'q')];
        let options = parse_options(&words("-qn5 a --lines=7 b -- -q"), "qn:", &long).unwrap();
        assert_eq!(options.values('n').collect::<Vec<_>>(), ["5", "7"]);
        assert_eq!(options.operands, ["a", "b", "-q"]);
        for (args, expected) in [
            ("-z", "invalid option -- 'z'"),
            ("-n", "option requires an argument -- 'n'"),
            ("--lines", "option '--lines' requires an argument"),
            ("--nope", "unrecognized option '--nope'"),
        ] {
            assert_eq!(parse_options(&words(args), "qn:", &long).unwrap_err(), expected);
        }
        let options = parse_options(&words("-q a -q"), "+q", &[]).unwrap();
        assert_eq!(options.operands, ["a", "-q"]);
    }
}
