//! `tail`

use super::head::{old_count, title};
use super::tool::{Filter, Filtering, Next, Options, Out, finish, parse_options};
use crate::{Errno, Fd, OpenMode, Program, Step, Sys};
use std::collections::VecDeque;
use std::time::Duration;

/// How often `tail -f` looks whether there is more.
const POLL: Duration = Duration::from_secs(1);
/// Most bytes that are kept of the end of a file.
const KEPT_BYTES_MAX: usize = 8 << 20;

/// Which part of a file is shown.
#[derive(Clone, Copy, Debug)]
struct Part {
    count: usize,
    /// Counted from the start: `+3`.
    from_start: bool,
    bytes: bool,
}

/// `tail [-n [+]lines] [-c [+]bytes] [-q] files…`
#[derive(Clone, Debug)]
struct Tail {
    part: Part,
    titles: bool,
    opened: usize,
    seen: usize,
    kept: VecDeque<Vec<u8>>,
    kept_bytes: usize,
}

fn part(options: &Options) -> Result<Part, String> {
    let (text, bytes) = match (options.value('c'), options.value('n')) {
        (Some(text), _) => (text, true),
        (None, Some(text)) => (text, false),
        (None, None) => ("10", false),
    };
    let count = text.trim_start_matches(['+', '-']).parse::<usize>().map_err(|_| {
        let what = if bytes { "bytes" } else { "lines" };
        format!("invalid number of {what}: ‘{text}’")
    })?;
    Ok(Part { count, from_start: text.starts_with('+'), bytes })
}

const SPEC: &str = "n:c:qvfFs:";
const LONG: [(&str, char); 4] = [("lines", 'n'), ("bytes", 'c'), ("quiet", 'q'), ("follow", 'f')];

impl Filter for Tail {
    fn start(
        sys: &mut dyn Sys,
        args: &[String],
        out: &mut Out,
    ) -> Result<(Self, Vec<String>), i32> {
        let options = Options::parse(sys, &old_count(args), SPEC, &LONG, out, 1)?;
        let part = part(&options).map_err(|message| {
            out.error(format!("tail: {message}"));
            1
        })?;
        let titles = (options.operands.len() > 1 && !options.has('q')) || options.has('v');
        let kept = VecDeque::new();
        let tail = Tail { part, titles, opened: 0, seen: 0, kept, kept_bytes: 0 };
        Ok((tail, options.operands))
    }

    fn open(&mut self, name: &str, out: &mut Out) {
        if self.titles {
            title(name, self.opened == 0, out);
        }
        self.opened += 1;
        self.seen = 0;
    }

    fn line(&mut self, line: &[u8], ended: bool, out: &mut Out) -> Next {
        let mut whole = line.to_vec();
        if ended {
            whole.push(b'\n');
        }
        if self.part.from_start {
            let before = self.seen;
            self.seen += if self.part.bytes { whole.len() } else { 1 };
            let skipped = self.part.count.saturating_sub(1);
            if self.part.bytes {
                let from = skipped.saturating_sub(before).min(whole.len());
                out.put(whole.get(from..).unwrap_or_default());
            } else if before >= skipped {
                out.put(whole);
            }
            return Next::Line;
        }
        self.kept_bytes += whole.len();
        self.kept.push_back(whole);
        while self.has_too_much() {
            let dropped = self.kept.pop_front();
            self.kept_bytes -= dropped.map_or(0, |line| line.len());
        }
        Next::Line
    }

    fn close(&mut self, _name: &str, out: &mut Out) {
        let all: Vec<u8> = std::mem::take(&mut self.kept).into_iter().flatten().collect();
        self.kept_bytes = 0;
        let from = if self.part.bytes { all.len().saturating_sub(self.part.count) } else { 0 };
        out.put(all.get(from..).unwrap_or_default());
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

impl Tail {
    fn has_too_much(&self) -> bool {
        let first = self.kept.front().map_or(0, Vec::len);
        let is_spare = if self.part.bytes {
            self.kept_bytes - first >= self.part.count
        } else {
            self.kept.len() > self.part.count
        };
        !self.kept.is_empty() && (is_spare || self.kept_bytes > KEPT_BYTES_MAX)
    }
}

/// `tail`, which with `-f` goes on when the files have ended.
#[derive(Clone, Debug)]
pub struct TailProgram {
    tail: Filtering<Tail>,
    follows: Option<Vec<String>>,
    files: Vec<(Fd, String)>,
    last_shown: usize,
    out: Out,
    started: bool,
    showing_end: bool,
}

impl TailProgram {
    /// A `tail` that has yet to look at its arguments.
    pub fn new() -> Self {
        TailProgram {
            tail: Filtering::new(),
            follows: None,
            files: Vec::new(),
            last_shown: 0,
            out: Out::default(),
            started: false,
            showing_end: true,
        }
    }

    /// Opens what is followed, at its end.
    fn start_following(&mut self, sys: &mut dyn Sys, files: &[String]) {
        for name in files {
            let Ok(fd) = sys.open(name, OpenMode::Read) else { continue };
            while sys.read(fd, 1 << 16).is_ok_and(|bytes| !bytes.is_empty()) {}
            self.files.push((fd, name.clone()));
        }
        self.last_shown = self.files.len().saturating_sub(1);
    }

    fn follow(&mut self, sys: &mut dyn Sys) -> Step {
        for index in 0..self.files.len() {
            let Some((fd, name)) = self.files.get(index) else { break };
            if let Ok(bytes) = sys.read(*fd, 1 << 16)
                && !bytes.is_empty()
            {
                if self.last_shown != index {
                    title(name, false, &mut self.out);
                    self.last_shown = index;
                }
                self.out.put(bytes);
            }
        }
        if self.files.is_empty() {
            self.out.error("tail: no files remaining");
            return finish(&mut self.out, sys, 1);
        }
        if !self.out.flush(sys) {
            return Step::Block { until: None };
        }
        Step::Block { until: Some(sys.now() + POLL) }
    }
}

impl Program for TailProgram {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if !self.started {
            self.started = true;
            self.out.speak(sys);
            let args: Vec<String> = sys.args().iter().skip(1).cloned().collect();
            if let Ok(options) = parse_options(&old_count(&args), SPEC, &LONG)
                && (options.has('f') || options.has('F'))
                && !options.operands.is_empty()
            {
                self.follows = Some(options.operands);
            }
        }
        if self.showing_end {
            let step = self.tail.resume(sys);
            let Some(files) = &self.follows else { return step };
            let Step::Exit(_) = step else { return step };
            let files = files.clone();
            self.showing_end = false;
            self.start_following(sys, &files);
        }
        self.follow(sys)
    }
}
