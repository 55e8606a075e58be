//! A program that reads all it needs, computes, and prints; one that waits for something computes
//! anew from time to time.

use naru_shell::{Errno, Fd, Program, Step, Sys};
use naru_sim::Time;
use serde_json::Value;
use std::collections::VecDeque;
use std::fmt;

/// Bytes of standard input that are read at most.
const STDIN_BYTES_MAX: usize = 8 << 20;
/// Bytes asked for at once.
const CHUNK_BYTES: usize = 64 << 10;

/// What a program printed, in order, and how it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    parts: VecDeque<(Fd, Vec<u8>)>,
    /// The exit code.
    pub code: i32,
    /// The program goes on after this.
    pub again: Option<Again>,
}

/// When a program that waits goes on, and with what it knows then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Again {
    /// The moment.
    pub at: Time,
    /// What [`Work::go_on`] is given.
    pub state: Value,
}

impl Output {
    /// Nothing printed, with this exit code.
    pub fn exit(code: i32) -> Self {
        Output { code, ..Output::default() }
    }

    /// A line to standard error, and exit code 1.
    pub fn failed(text: impl AsRef<str>) -> Self {
        let mut output = Output::exit(1);
        output.error(text);
        output
    }

    /// Bytes to standard output.
    pub fn put(&mut self, bytes: impl AsRef<[u8]>) {
        self.push(1, bytes.as_ref());
    }

    /// A line to standard output.
    pub fn line(&mut self, text: impl AsRef<str>) {
        self.push(1, text.as_ref().as_bytes());
        self.push(1, b"\n");
    }

    /// A line to standard error.
    pub fn error(&mut self, text: impl AsRef<str>) {
        self.push(2, text.as_ref().as_bytes());
        self.push(2, b"\n");
    }

    /// Text to standard error.
    pub fn put_error(&mut self, text: impl AsRef<str>) {
        self.push(2, text.as_ref().as_bytes());
    }

    fn push(&mut self, fd: Fd, bytes: &[u8]) {
        match self.parts.back_mut() {
            Some((last, buffer)) if *last == fd => buffer.extend_from_slice(bytes),
            _ => self.parts.push_back((fd, bytes.to_vec())),
        }
    }

    /// Whether everything is written.
    pub fn is_flushed(&self) -> bool {
        self.parts.is_empty()
    }

    /// Writes what is taken; whether that was all.
    pub fn flush(&mut self, sys: &mut dyn Sys) -> bool {
        while let Some((fd, bytes)) = self.parts.front_mut() {
            match sys.write(*fd, bytes) {
                Ok(taken) if taken >= bytes.len() => drop(self.parts.pop_front()),
                Ok(0) | Err(Errno::Again) => return false,
                Ok(taken) => drop(bytes.drain(..taken)),
                // Nobody reads it.
                Err(_) => drop(self.parts.pop_front()),
            }
        }
        true
    }
}

/// What a program is: whether it wants standard input, and what it makes of it.
#[derive(Clone, Copy)]
pub struct Work {
    /// Whether standard input is to be read to its end first; the arguments follow the name.
    pub reads: fn(&[String]) -> bool,
    /// Does it. Standard input is empty where it was not wanted.
    pub run: fn(&mut dyn Sys, &[String], &[u8]) -> Output,
    /// Goes on where the output said so.
    pub go_on: fn(&mut dyn Sys, &[String], Value) -> Output,
}

impl Work {
    /// Work that is done at once.
    pub fn at_once(
        reads: fn(&[String]) -> bool,
        run: fn(&mut dyn Sys, &[String], &[u8]) -> Output,
    ) -> Self {
        Work { reads, run, go_on: |_, _, _| Output::default() }
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Work(..)")
    }
}

/// The program.
#[derive(Clone, Debug)]
pub struct Batch {
    work: Work,
    stdin: Vec<u8>,
    output: Option<Output>,
}

impl Batch {
    /// A fresh one.
    pub fn new(work: Work) -> Self {
        Batch { work, stdin: Vec::new(), output: None }
    }

    /// Reads standard input to its end; `false` while that has not come.
    fn read(&mut self, sys: &mut dyn Sys) -> bool {
        while self.stdin.len() < STDIN_BYTES_MAX {
            match sys.read(0, CHUNK_BYTES) {
                Ok(bytes) if bytes.is_empty() => break,
                Ok(bytes) => self.stdin.extend(bytes),
                Err(Errno::Again) => return false,
                Err(_) => break,
            }
        }
        true
    }
}

impl Program for Batch {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let args: Vec<String> = sys.args().iter().skip(1).cloned().collect();
        if self.output.is_none() {
            if (self.work.reads)(&args) && !self.read(sys) {
                return Step::Block { until: None };
            }
            self.output = Some((self.work.run)(sys, &args, &self.stdin));
        }
        loop {
            let Some(output) = &mut self.output else { return Step::Exit(1) };
            if !output.flush(sys) {
                return Step::Block { until: None };
            }
            let Some(again) = &output.again else { return Step::Exit(output.code) };
            if sys.now() < again.at {
                return Step::Block { until: Some(again.at) };
            }
            let state = again.state.clone();
            let at = again.at;
            let next = (self.work.go_on)(sys, &args, state);
            // One that wants to go on at once has others go first.
            let yields = next.again.as_ref().is_some_and(|next| next.at <= at);
            self.output = Some(next);
            if yields {
                return Step::Yield;
            }
        }
    }
}
