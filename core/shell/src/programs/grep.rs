//! `grep`

use super::regex::{compile, escape};
use super::tool::{Filter, Next, Options, Out, program_name};
use crate::{Errno, FileType, Sys, join};
use regex_lite::Regex;
use std::collections::VecDeque;

/// Most files that `grep -r` looks into.
const FILES_MAX: usize = 10_000;

/// `grep [-EFivncqolLwxhHsr] [-e pattern] [-m count] [-A n] [-B n] [-C n] pattern files…`
#[derive(Clone, Debug)]
pub struct Grep {
    regex: Regex,
    /// What every line that matches holds, where the pattern is no more than that.
    plain: Option<String>,
    options: Options,
    names: bool,
    file: String,
    number: usize,
    matched: usize,
    limit: usize,
    any: bool,
    failed: bool,
    before: usize,
    after: usize,
    context: VecDeque<(usize, Vec<u8>)>,
    after_left: usize,
    last_shown: usize,
}

const SPEC: &str = "EFGPivncqolLwxhHsrRIe:m:A:B:C:f:a";
const LONG: [(&str, char); 17] = [
    ("extended-regexp", 'E'),
    ("fixed-strings", 'F'),
    ("ignore-case", 'i'),
    ("invert-match", 'v'),
    ("line-number", 'n'),
    ("count", 'c'),
    ("quiet", 'q'),
    ("only-matching", 'o'),
    ("files-with-matches", 'l'),
    ("word-regexp", 'w'),
    ("regexp", 'e'),
    ("max-count", 'm'),
    ("recursive", 'r'),
    ("after-context", 'A'),
    ("before-context", 'B'),
    ("context", 'C'),
    ("color", 'I'),
];

fn pattern(options: &Options, patterns: &[String]) -> Result<Regex, String> {
    let extended = options.has('E') || options.has('P');
    let mut compiled: Vec<String> = Vec::new();
    for pattern in patterns.iter().flat_map(|pattern| pattern.split('\n')) {
        let mut text = if options.has('F') {
            escape(pattern)
        } else {
            compile(pattern, extended, false)?.as_str().to_string()
        };
        if options.has('w') {
            text = format!("\\b(?:{text})\\b");
        }
        if options.has('x') {
            text = format!("^(?:{text})$");
        }
        compiled.push(format!("(?:{text})"));
    }
    regex_lite::RegexBuilder::new(&compiled.join("|"))
        .case_insensitive(options.has('i'))
        .build()
        .map_err(|_| "Regular expression too big".to_string())
}

/// A single pattern that stands for itself: it is found without a regular expression.
fn plain(options: &Options, patterns: &[String]) -> Option<String> {
    let [pattern] = patterns else { return None };
    let itself = |c: char| c.is_alphanumeric() || " _-:,/@%=\"'<>#&~;!".contains(c);
    let otherwise = ['i', 'w', 'x'].iter().any(|flag| options.has(*flag));
    (!otherwise && pattern.chars().all(itself)).then(|| pattern.clone())
}

impl Filter for Grep {
    fn start(
        sys: &mut dyn Sys,
        args: &[String],
        out: &mut Out,
    ) -> Result<(Self, Vec<String>), i32> {
        let name = program_name(sys);
        let mut options = super::tool::parse_options(args, SPEC, &LONG).map_err(|message| {
            out.error(format!("{name}: {message}"));
            out.error(format!("Usage: {name} [OPTION]... PATTERNS [FILE]..."));
            out.error(format!("Try '{name} --help' for more information."));
            2
        })?;
        match name.as_str() {
            "egrep" => options.flags.push(('E', None)),
            "fgrep" => options.flags.push(('F', None)),
            _ => {}
        }
        let mut patterns: Vec<String> = options.values('e').map(str::to_string).collect();
        if patterns.is_empty() {
            if options.operands.is_empty() {
                out.error(format!("Usage: {name} [OPTION]... PATTERNS [FILE]..."));
                out.error(format!("Try '{name} --help' for more information."));
                return Err(2);
            }
            patterns.push(options.operands.remove(0));
        }
        let regex = pattern(&options, &patterns).map_err(|message| {
            out.error(format!("{name}: {message}"));
            2
        })?;
        let number = |flag| options.value(flag).and_then(|text| text.parse::<usize>().ok());
        let both = number('C');
        let recursive = options.has('r') || options.has('R');
        let mut files = options.operands.clone();
        if recursive {
            files = files_below(sys, &files);
        }
        let names = (files.len() > 1 || recursive || options.has('H')) && !options.has('h');
        let grep = Grep {
            regex,
            plain: plain(&options, &patterns),
            names,
            file: String::new(),
            number: 0,
            matched: 0,
            limit: number('m').unwrap_or(usize::MAX),
            any: false,
            failed: false,
            before: number('B').or(both).unwrap_or(0),
            after: number('A').or(both).unwrap_or(0),
            context: VecDeque::new(),
            after_left: 0,
            last_shown: 0,
            options,
        };
        if recursive && files.is_empty() {
            return Err(1);
        }
        Ok((grep, files))
    }

    fn open(&mut self, name: &str, _out: &mut Out) {
        self.file = if name == "-" { "(standard input)".to_string() } else { name.to_string() };
        (self.number, self.matched, self.after_left, self.last_shown) = (0, 0, 0, 0);
        self.context.clear();
    }

    fn line(&mut self, line: &[u8], _ended: bool, out: &mut Out) -> Next {
        self.number += 1;
        let text = String::from_utf8_lossy(line);
        let is_match = match &self.plain {
            Some(plain) => text.contains(plain.as_str()),
            None => self.regex.is_match(&text),
        } != self.options.has('v');
        if !is_match {
            if self.after_left > 0 {
                self.after_left -= 1;
                self.show(self.number, line, '-', out);
            } else if self.before > 0 {
                self.context.push_back((self.number, line.to_vec()));
                if self.context.len() > self.before {
                    self.context.pop_front();
                }
            }
            return Next::Line;
        }
        self.any = true;
        self.matched += 1;
        if self.options.has('q') {
            return Next::End;
        }
        if self.options.has('l') || self.options.has('L') {
            return Next::File;
        }
        if !self.options.has('c') {
            self.show_match(line, &text, out);
        }
        if self.matched >= self.limit { Next::File } else { Next::Line }
    }

    fn close(&mut self, _name: &str, out: &mut Out) {
        if self.options.has('q') {
            return;
        }
        if self.options.has('c') {
            let name = if self.names { format!("{}:", self.file) } else { String::new() };
            out.line(format!("{name}{}", self.matched));
        } else if (self.options.has('l') && self.matched > 0)
            || (self.options.has('L') && self.matched == 0)
        {
            out.line(&self.file);
        }
    }

    fn failed(&mut self, program: &str, name: &str, errno: Errno, out: &mut Out) {
        self.failed = true;
        if !self.options.has('s') {
            out.error(format!("{program}: {name}: {errno}"));
        }
    }

    fn end(&mut self, _sys: &mut dyn Sys, _code: i32, _out: &mut Out) -> i32 {
        if self.failed && !(self.any && self.options.has('q')) {
            return 2;
        }
        i32::from(!self.any)
    }
}

impl Grep {
    fn show_match(&mut self, line: &[u8], text: &str, out: &mut Out) {
        if self.options.has('o') && !self.options.has('v') {
            let found = self.regex.find_iter(text).filter(|found| !found.is_empty());
            let shown: Vec<&str> = found.map(|found| found.as_str()).collect();
            for piece in shown {
                self.show(self.number, piece.as_bytes(), ':', out);
            }
            return;
        }
        let first = self.context.front().map_or(self.number, |(number, _)| *number);
        if self.last_shown > 0 && first > self.last_shown + 1 && self.before + self.after > 0 {
            out.line("--");
        }
        for (number, line) in std::mem::take(&mut self.context) {
            self.show(number, &line, '-', out);
        }
        self.show(self.number, line, ':', out);
        self.after_left = self.after;
    }

    fn show(&mut self, number: usize, line: &[u8], mark: char, out: &mut Out) {
        self.last_shown = number;
        if self.names {
            out.put(format!("{}{mark}", self.file));
        }
        if self.options.has('n') {
            out.put(format!("{number}{mark}"));
        }
        out.line(line);
    }
}

/// The regular files below the directories, and those named.
fn files_below(sys: &mut dyn Sys, roots: &[String]) -> Vec<String> {
    let mut pending: Vec<String> = roots.iter().rev().cloned().collect();
    if roots.is_empty() {
        pending.push(".".to_string());
    }
    let mut files = Vec::new();
    while let Some(path) = pending.pop() {
        let absolute = sys.absolute(&path);
        match sys.fs().stat(&absolute) {
            Ok(stat) if stat.is_dir() => {
                let entries = sys.fs().list(&absolute).unwrap_or_default();
                pending.extend(entries.iter().rev().map(|entry| join(&path, &entry.name)));
            }
            Ok(stat) if stat.kind == FileType::File => files.push(path),
            Ok(_) => {}
            Err(_) => files.push(path),
        }
        if files.len() >= FILES_MAX {
            break;
        }
    }
    if roots.is_empty() {
        return files.iter().map(|file| file.trim_start_matches("./").to_string()).collect();
    }
    files
}
