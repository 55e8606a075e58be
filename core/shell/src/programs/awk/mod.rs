//! `awk`, in the words of mawk, which Debian and Ubuntu install: patterns and actions, fields, arrays,
//! functions, `printf`. Texts are counted in characters, not in bytes as mawk does. Commands (`system`, pipes) and `getline` are not in it.

mod arrays;
mod ast;
mod functions;
mod lex;
mod parse;
mod record;
mod run;
mod value;
mod vars;

use super::tool::{Filter, Next, Options, Out};
use crate::{Errno, Sys};
use run::{Machine, Ran, Stop};
use std::ops::Range;
use std::sync::Arc;
use value::Value;

/// Longest record.
const RECORD_BYTES_MAX: usize = 1 << 20;

/// `awk [-F fs] [-v name=value] [-f file] 'program' files…`
#[derive(Clone, Debug)]
pub struct Awk {
    machine: Machine,
    /// What has come of a letter that has not ended.
    bytes: Vec<u8>,
    /// What has come of a record that has not ended.
    buffer: String,
    /// `exit` was said, or something went wrong.
    stopped: bool,
    failed: bool,
}

impl Filter for Awk {
    const BY_CHUNK: bool = true;

    fn start(
        sys: &mut dyn Sys,
        args: &[String],
        out: &mut Out,
    ) -> Result<(Self, Vec<String>), i32> {
        let mut options = Options::parse(sys, args, "+F:v:f:", &[], out, 2)?;
        let text = program(sys, &mut options, out)?;
        let script = parse::parse(&text).map_err(|message| {
            out.error(format!("awk: {message}"));
            2
        })?;
        let reads = !script.rules.is_empty() || !script.end.is_empty();
        let mut awk = Awk {
            machine: Machine::new(Arc::new(script)),
            bytes: Vec::new(),
            buffer: String::new(),
            stopped: false,
            failed: false,
        };
        let files = awk.prepare(sys, &options);
        let ran = awk.machine.blocks(false, out);
        awk.note(ran, out);
        if awk.stopped || !reads {
            return Err(awk.end(sys, 0, out));
        }
        Ok((awk, files))
    }

    fn open(&mut self, name: &str, _out: &mut Out) {
        self.buffer.clear();
        let shown = if name == "-" { "" } else { name };
        self.machine.set_global(vars::FILENAME, Value::Text(shown.to_string()));
        self.machine.set_global(vars::FNR, Value::Number(0.0));
    }

    fn line(&mut self, chunk: &[u8], _ended: bool, out: &mut Out) -> Next {
        self.bytes.extend_from_slice(chunk);
        // A letter may have been cut in two.
        let whole = match std::str::from_utf8(&self.bytes) {
            Err(cut) if cut.error_len().is_none() => cut.valid_up_to(),
            _ => self.bytes.len(),
        };
        let whole: Vec<u8> = self.bytes.drain(..whole).collect();
        self.buffer.push_str(&String::from_utf8_lossy(&whole));
        self.records(false, out)
    }

    fn close(&mut self, _name: &str, out: &mut Out) {
        let cut = std::mem::take(&mut self.bytes);
        self.buffer.push_str(&String::from_utf8_lossy(&cut));
        self.records(true, out);
    }

    fn failed(&mut self, _program: &str, name: &str, errno: Errno, out: &mut Out) {
        out.error(format!("awk: cannot open {name} ({errno})"));
    }

    fn end(&mut self, sys: &mut dyn Sys, code: i32, out: &mut Out) -> i32 {
        if !self.failed {
            let ran = self.machine.blocks(true, out);
            self.note(ran, out);
        }
        let own = self.finish(sys, out);
        if own == 0 && code != 0 { 2 } else { own }
    }
}

/// The text of the program: of `-f`, or the first operand.
fn program(sys: &mut dyn Sys, options: &mut Options, out: &mut Out) -> Result<String, i32> {
    let mut texts = Vec::new();
    for file in options.values('f') {
        let path = sys.absolute(file);
        texts.push(sys.fs().read_text(&path).map_err(|errno| {
            out.error(format!("awk: couldn't open file {file}: {errno}"));
            2
        })?);
    }
    if texts.is_empty() {
        if options.operands.is_empty() {
            out.error("Usage: awk [-F value] [-v var=value] [--] 'program text' [file ...]");
            return Err(2);
        }
        texts.push(options.operands.remove(0));
    }
    Ok(texts.join("\n"))
}

/// `name=value`, if the name is one.
fn assignment(text: &str) -> Option<(&str, String)> {
    let (name, value) = text.split_once('=')?;
    let mut letters = name.chars();
    let begins = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !begins || !letters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return None;
    }
    let (bytes, _) = crate::shell::escape::unescape(value);
    Some((name, String::from_utf8_lossy(&bytes).into_owned()))
}

/// The first paragraph: empty lines separate, and those before it are nothing.
fn paragraph(rest: &str, at_end: bool) -> Option<(Range<usize>, usize)> {
    let body = rest.trim_start_matches('\n');
    let start = rest.len() - body.len();
    match body.find("\n\n") {
        Some(length) => {
            let after = body.get(length..).unwrap_or_default().trim_start_matches('\n');
            Some((start..start + length, rest.len() - after.len()))
        }
        None if at_end && !body.is_empty() => {
            Some((start..start + body.trim_end_matches('\n').len(), rest.len()))
        }
        None => None,
    }
}

impl Awk {
    /// Sets what the options and the environment say; gives the files to read.
    fn prepare(&mut self, sys: &mut dyn Sys, options: &Options) -> Vec<String> {
        for (name, value) in sys.env().clone() {
            self.machine.put_element(vars::ENVIRON, &name, &value);
        }
        if let Some(separator) = options.value('F') {
            let (bytes, _) = crate::shell::escape::unescape(separator);
            let separator = String::from_utf8_lossy(&bytes).into_owned();
            self.machine.set_global(vars::FS, Value::Text(separator));
        }
        for (name, value) in options.values('v').filter_map(assignment) {
            self.machine.assign_named(name, &value);
        }
        let count = options.operands.len() + 1;
        self.machine.set_global(vars::ARGC, Value::Number(count as f64));
        self.machine.put_element(vars::ARGV, "0", "awk");
        for (at, operand) in (1..).zip(&options.operands) {
            self.machine.put_element(vars::ARGV, &format!("{at}"), operand);
        }
        let mut files = Vec::new();
        for operand in &options.operands {
            match assignment(operand) {
                Some((name, value)) => self.machine.assign_named(name, &value),
                None => files.push(operand.clone()),
            }
        }
        files
    }

    /// Takes the records out of what has come, and runs the rules on each.
    fn records(&mut self, at_end: bool, out: &mut Out) -> Next {
        let buffer = std::mem::take(&mut self.buffer);
        let mut rest = buffer.as_str();
        let mut next = Next::Line;
        while next == Next::Line {
            match self.record_end(rest, at_end) {
                Ok(Some((record, taken))) => {
                    let record = rest.get(record).unwrap_or_default().to_string();
                    rest = rest.get(taken..).unwrap_or_default();
                    next = self.run(record, out);
                }
                Ok(None) => break,
                Err(stop) => next = self.note(Err(stop), out),
            }
        }
        if next == Next::Line && rest.len() > RECORD_BYTES_MAX {
            let message = "program limit exceeded: record too long".to_string();
            next = self.note(Err(Stop::Fatal(message)), out);
        }
        if next == Next::Line {
            self.buffer = rest.to_string();
        }
        next
    }

    /// Where the first record is, and how much goes with its separator. `None`: it has not ended.
    fn record_end(&mut self, rest: &str, at_end: bool) -> Ran<Option<(Range<usize>, usize)>> {
        let separator = self.machine.global(vars::RS).text("%.6g");
        let all = (at_end && !rest.is_empty()).then_some((0..rest.len(), rest.len()));
        if separator.is_empty() {
            return Ok(paragraph(rest, at_end));
        }
        if separator.chars().count() == 1 {
            return Ok(rest.find(&separator).map(|at| (0..at, at + separator.len())).or(all));
        }
        let regex = self.machine.compiled(&separator)?;
        // A match at the very end may become longer with what comes.
        let found = regex.find(rest).filter(|found| at_end || found.end() < rest.len());
        Ok(found.map(|found| (0..found.start(), found.end())).or(all))
    }

    fn run(&mut self, record: String, out: &mut Out) -> Next {
        for var in [vars::NR, vars::FNR] {
            let number = self.machine.global(var).number() + 1.0;
            self.machine.set_global(var, Value::Number(number));
        }
        self.machine.record.set(record);
        let ran = self.machine.rules(out);
        self.note(ran, out)
    }

    /// What a stop means for the files.
    fn note(&mut self, ran: Ran<()>, out: &mut Out) -> Next {
        match ran {
            Err(Stop::NextFile) => Next::File,
            Err(Stop::Exit) => {
                self.stopped = true;
                Next::End
            }
            Err(Stop::Fatal(message)) => {
                out.error(format!("awk: {message}"));
                self.machine.exit = 2;
                self.stopped = true;
                self.failed = true;
                Next::End
            }
            _ => Next::Line,
        }
    }

    /// Writes the files; gives the exit code.
    fn finish(&mut self, sys: &mut dyn Sys, out: &mut Out) -> i32 {
        for (name, file) in std::mem::take(&mut self.machine.files) {
            let path = sys.absolute(&name);
            let before = if file.append { sys.fs().read(&path).ok() } else { None };
            let mut bytes = before.map_or(Vec::new(), |before| before.to_vec());
            bytes.extend(file.bytes);
            if let Err(errno) = sys.fs().write(&path, &bytes) {
                out.error(format!("awk: cannot open {name} ({errno})"));
                return 2;
            }
        }
        self.machine.exit
    }
}
