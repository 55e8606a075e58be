//! A container's log: what it wrote, line by line, with times.
//!
//! Upstream: the CRI's log format, `pkg/kubelet/kuberuntime/logs`.

pub use naru_api::said::Output;
use naru_sim::Time;
use std::collections::VecDeque;

/// Bytes kept of one container's log; the oldest lines go first, as log rotation takes them.
pub const LOG_BYTES_MAX: usize = 1 << 20;
/// The files of a log, and the bytes of each. Upstream: `containerLogMaxFiles`, `containerLogMaxSize`.
const FILES_MAX: u64 = 5;
const FILE_BYTES_MAX: u64 = 10 << 20;
/// Bytes of one entry; a longer line is cut into several.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written.
    pub at: Time,
    /// Where.
    pub output: Output,
    /// The bytes, with the line's end if it has one.
    pub text: Vec<u8>,
}

/// A log that remembers how many lines it ever had, so that readers can go on where they were.
#[derive(Clone, Debug, Default)]
pub struct ContainerLog {
    lines: VecDeque<LogLine>,
    /// Lines that are not kept any more.
    dropped: u64,
    bytes: usize,
    /// Bytes of all lines that it ever had.
    written: u64,
    unfinished: [Vec<u8>; 2],
}

impl ContainerLog {
    /// Takes in what a process wrote.
    pub fn write(&mut self, at: Time, output: Output, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let unfinished = self.unfinished_mut(output);
            unfinished.extend_from_slice(piece);
            if piece.ends_with(b"\n") || unfinished.len() >= LINE_BYTES_MAX {
                let text = std::mem::take(unfinished);
                self.push(LogLine { at, output, text });
            }
        }
    }

    /// The process has ended: what has no line's end is written too.
    pub fn finish(&mut self, at: Time) {
        for output in [Output::Stdout, Output::Stderr] {
            let text = std::mem::take(self.unfinished_mut(output));
            if !text.is_empty() {
                self.push(LogLine { at, output, text });
            }
        }
    }

    /// Bytes that its files have: more than what is kept of them here.
    pub fn bytes_on_disk(&self) -> u64 {
        self.written.min(FILES_MAX * FILE_BYTES_MAX)
    }

    /// The number of the line that comes next.
    pub fn end(&self) -> u64 {
        self.dropped + self.lines.len() as u64
    }

    /// The lines from this number on, as far as they are kept.
    pub fn from(&self, number: u64) -> impl DoubleEndedIterator<Item = &LogLine> {
        let skip = usize::try_from(number.saturating_sub(self.dropped)).unwrap_or(usize::MAX);
        self.lines.iter().skip(skip)
    }

    /// The number of the first of the last `count` lines.
    pub fn tail(&self, count: u64) -> u64 {
        self.end().saturating_sub(count).max(self.dropped)
    }

    /// What was written of a line that has no end yet.
    pub fn unfinished(&self, output: Output) -> &[u8] {
        let [stdout, stderr] = &self.unfinished;
        match output {
            Output::Stdout => stdout,
            Output::Stderr => stderr,
        }
    }

    fn unfinished_mut(&mut self, output: Output) -> &mut Vec<u8> {
        let [stdout, stderr] = &mut self.unfinished;
        match output {
            Output::Stdout => stdout,
            Output::Stderr => stderr,
        }
    }

    fn push(&mut self, line: LogLine) {
        self.bytes += line.text.len();
        self.written += line.text.len() as u64;
        self.lines.push_back(line);
        while self.bytes > LOG_BYTES_MAX {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.text.len();
            self.dropped += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(log: &ContainerLog, from: u64) -> Vec<String> {
        log.from(from).map(|line| String::from_utf8_lossy(&line.text).into_owned()).collect()
    }

    #[test]
    fn lines_are_whole() {
        let mut log = ContainerLog::default();
        log.write(Time::ZERO, Output::Stdout, b"a\nb");
        log.write(Time::ZERO, Output::Stderr, b"e\n");
        assert_eq!(texts(&log, 0), ["a\n", "e\n"]);
        log.write(Time::ZERO, Output::Stdout, b"c\nd");
        log.finish(Time::ZERO);
        assert_eq!(texts(&log, 2), ["bc\n", "d"]);
        assert_eq!(texts(&log, log.tail(1)), ["d"]);
        assert_eq!(log.tail(99), 0);
    }

    #[test]
    fn the_oldest_go_and_numbers_stay() {
        let mut log = ContainerLog::default();
        let line = [b'x'; 1024].map(|_| b'x');
        for _ in 0..2_000 {
            log.write(Time::ZERO, Output::Stdout, &line);
            log.write(Time::ZERO, Output::Stdout, b"\n");
        }
        assert_eq!(log.end(), 2_000);
        assert!(log.from(0).count() < 1_100);
        assert_eq!(log.from(1_999).count(), 1);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let mut log = ContainerLog::default();
        log.write(Time::ZERO, Output::Stdout, &vec![b'x'; 3 * LINE_BYTES_MAX]);
        assert_eq!(log.end(), 1);
    }
}
