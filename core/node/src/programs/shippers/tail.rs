//! Files that are followed.

use naru_shell::Sys;
use std::collections::BTreeMap;

/// Files of one pattern, bytes of a file that are looked at, lines given at once.
const FILES_MAX: usize = 100;
const LINES_MAX: usize = 1_000;

/// The files of some patterns, and how far each has been read.
#[derive(Clone, Debug, Default)]
pub struct Tail {
    patterns: Vec<String>,
    read: BTreeMap<String, usize>,
    looked: bool,
    from_head: bool,
}

/// A line: of which file, where in it, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub path: String,
    pub offset: usize,
    pub text: String,
}

impl Tail {
    /// Follows the files of these patterns, whose last part may hold `*`. Files that are there at
    /// the first look are read from their ends, unless `from_head`.
    pub fn new(patterns: Vec<String>, from_head: bool) -> Self {
        Tail { patterns, read: BTreeMap::new(), looked: false, from_head }
    }

    /// The lines that came since the last look, and the files that are new.
    pub fn look(&mut self, sys: &mut dyn Sys) -> (Vec<Line>, Vec<String>) {
        let (mut lines, mut new) = (Vec::new(), Vec::new());
        let first = !std::mem::replace(&mut self.looked, true);
        for path in self.files(sys) {
            let Ok(bytes) = sys.fs().read(&path) else { continue };
            let known = self.read.get(&path).copied();
            if known.is_none() {
                new.push(path.clone());
            }
            let start = match known {
                // A file that is shorter than before is another one.
                Some(at) if at <= bytes.len() => at,
                Some(_) => 0,
                None if first && !self.from_head => bytes.len(),
                None => 0,
            };
            let mut at = start;
            while lines.len() < LINES_MAX {
                let rest = bytes.get(at..).unwrap_or_default();
                let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { break };
                let text = String::from_utf8_lossy(rest.get(..end).unwrap_or_default());
                lines.push(Line { path: path.clone(), offset: at, text: text.into_owned() });
                at += end + 1;
            }
            self.read.insert(path, at);
        }
        (lines, new)
    }

    fn files(&self, sys: &mut dyn Sys) -> Vec<String> {
        let mut files = Vec::new();
        for pattern in &self.patterns {
            let (folder, name) = pattern.rsplit_once('/').unwrap_or(("", pattern));
            let Some((start, end)) = name.split_once('*') else {
                files.push(pattern.clone());
                continue;
            };
            let entries = sys.fs().list(folder).unwrap_or_default();
            let names = entries.into_iter().map(|entry| entry.name);
            let fit = names.filter(|name| {
                name.len() >= start.len() + end.len()
                    && name.starts_with(start)
                    && name.ends_with(end)
            });
            files.extend(fit.map(|name| format!("{folder}/{name}")));
        }
        files.truncate(FILES_MAX);
        files
    }
}
