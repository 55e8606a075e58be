//! Programs that look at their files as a whole: `tac`, `nl`, `rev`, `paste`, `sha256sum` and its
//! kin, `cmp`.

use super::tool::{Filter, Next, Options, Out, program_name};
use crate::{Errno, Sys};
use sha2::{Digest, Sha256, Sha512};

/// Most bytes of all files together.
const BYTES_MAX: usize = 16 << 20;

/// A program over whole files.
#[derive(Clone, Debug)]
pub struct Whole {
    program: String,
    options: Options,
    files: Vec<(String, Vec<u8>)>,
    bytes: usize,
}

impl Filter for Whole {
    const BY_CHUNK: bool = true;

    fn start(
        sys: &mut dyn Sys,
        args: &[String],
        out: &mut Out,
    ) -> Result<(Self, Vec<String>), i32> {
        let program = program_name(sys);
        let spec = match program.as_str() {
            "nl" => "b:w:s:",
            "paste" => "d:s",
            "cmp" => "s",
            "tac" | "rev" => "",
            _ => "cbt",
        };
        let long = [("check", 'c'), ("silent", 's'), ("quiet", 's'), ("delimiters", 'd')];
        let options = Options::parse(sys, args, spec, &long, out, 1)?;
        let files = options.operands.clone();
        if program == "cmp" && files.len() != 2 {
            out.error("cmp: missing operand after 'cmp'");
            out.error("cmp: Try 'cmp --help' for more information.");
            return Err(2);
        }
        Ok((Whole { program, options, files: Vec::new(), bytes: 0 }, files))
    }

    fn open(&mut self, name: &str, _out: &mut Out) {
        self.files.push((name.to_string(), Vec::new()));
    }

    fn line(&mut self, chunk: &[u8], _ended: bool, out: &mut Out) -> Next {
        self.bytes += chunk.len();
        if self.bytes > BYTES_MAX {
            out.error(format!("{}: memory exhausted", self.program));
            return Next::End;
        }
        if let Some((_, bytes)) = self.files.last_mut() {
            bytes.extend_from_slice(chunk);
        }
        Next::Line
    }

    fn failed(&mut self, program: &str, name: &str, errno: Errno, out: &mut Out) {
        match program {
            "tac" => out.error(format!("tac: failed to open '{name}' for reading: {errno}")),
            "rev" => out.error(format!("rev: cannot open {name}: {errno}")),
            _ => out.error(format!("{program}: {name}: {errno}")),
        }
    }

    fn end(&mut self, sys: &mut dyn Sys, code: i32, out: &mut Out) -> i32 {
        match self.program.as_str() {
            "tac" => self.each_line_back(out),
            "rev" => self.each(|line| line.chars().rev().collect(), out),
            "nl" => self.number(out),
            "paste" => self.paste(out),
            "cmp" => return if code == 0 { self.compare(out) } else { 2 },
            _ => return code.max(self.sums(sys, out)),
        }
        code
    }
}

impl Whole {
    fn texts(&self) -> Vec<String> {
        self.files.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect()
    }

    fn each(&self, change: impl Fn(&str) -> String, out: &mut Out) {
        self.texts().iter().flat_map(|text| text.lines()).for_each(|line| out.line(change(line)));
    }

    fn each_line_back(&self, out: &mut Out) {
        for text in self.texts() {
            text.split_inclusive('\n').rev().for_each(|line| out.put(line));
        }
    }

    /// Numbers lines that are not empty, or all by `-b a`.
    fn number(&self, out: &mut Out) {
        let all = self.options.value('b') == Some("a");
        let wide = self.options.value('w').and_then(|text| text.parse().ok()).unwrap_or(6);
        let mark = self.options.value('s').unwrap_or("\t");
        let wide = usize::min(wide, 100);
        let mut number = 0;
        for line in self.texts().iter().flat_map(|text| text.lines()) {
            if line.is_empty() && !all {
                out.line(format!("{:wide$}{}", "", " ".repeat(mark.len())));
                continue;
            }
            number += 1;
            out.line(format!("{number:>wide$}{mark}{line}"));
        }
    }

    fn paste(&self, out: &mut Out) {
        let marks: Vec<char> = self.options.value('d').unwrap_or("\t").chars().collect();
        let mark =
            |at: usize| marks.get(at % marks.len().max(1)).map_or(String::new(), char::to_string);
        let texts = self.texts();
        let joined = |parts: Vec<&str>| {
            let mut line = String::new();
            for (at, part) in parts.iter().enumerate() {
                if at > 0 {
                    line.push_str(&mark(at - 1));
                }
                line.push_str(part);
            }
            line
        };
        if self.options.has('s') {
            texts.iter().for_each(|text| out.line(joined(text.lines().collect())));
            return;
        }
        let files: Vec<Vec<&str>> = texts.iter().map(|text| text.lines().collect()).collect();
        let rows = files.iter().map(Vec::len).max().unwrap_or(0);
        for row in 0..rows {
            out.line(joined(
                files.iter().map(|file| file.get(row).copied().unwrap_or("")).collect(),
            ));
        }
    }

    fn compare(&self, out: &mut Out) -> i32 {
        let [(left_name, left), (right_name, right)] = self.files.as_slice() else { return 2 };
        let differ = left.iter().zip(right).position(|(left, right)| left != right);
        let shorter = if left.len() < right.len() { left_name } else { right_name };
        let common = left.len().min(right.len());
        let line = |at: usize| left.iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
        match differ {
            None if left.len() == right.len() => return 0,
            _ if self.options.has('s') => {}
            Some(at) => out.line(format!(
                "{left_name} {right_name} differ: byte {}, line {}",
                at + 1,
                line(at)
            )),
            None => out.error(format!(
                "cmp: EOF on {shorter} after byte {common}, in line {}",
                line(common.saturating_sub(1))
            )),
        }
        1
    }

    fn sums(&self, sys: &mut dyn Sys, out: &mut Out) -> i32 {
        if !self.options.has('c') {
            for (name, bytes) in &self.files {
                out.line(format!("{}  {name}", self.sum(bytes)));
            }
            return 0;
        }
        let mut failed = 0;
        for line in self.texts().iter().flat_map(|text| text.lines()) {
            let Some((sum, name)) = line.split_once("  ") else { continue };
            let path = sys.absolute(name);
            let same = sys.fs().read(&path).is_ok_and(|bytes| self.sum(&bytes) == sum);
            failed += usize::from(!same);
            out.line(format!("{name}: {}", if same { "OK" } else { "FAILED" }));
        }
        if failed > 0 {
            let (program, s) = (&self.program, if failed == 1 { "" } else { "s" });
            out.error(format!("{program}: WARNING: {failed} computed checksum{s} did NOT match"));
        }
        i32::from(failed > 0)
    }

    fn sum(&self, bytes: &[u8]) -> String {
        let digest: Vec<u8> = match self.program.as_str() {
            "md5sum" => md5::Md5::digest(bytes).to_vec(),
            "sha1sum" => sha1::Sha1::digest(bytes).to_vec(),
            "sha512sum" => Sha512::digest(bytes).to_vec(),
            _ => Sha256::digest(bytes).to_vec(),
        };
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
