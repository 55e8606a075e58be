//! A container's log: what it wrote, line by line, with times, and the files that it is in.
//!
//! Upstream: the CRI's log format, `pkg/kubelet/kuberuntime/logs`,
//! `pkg/kubelet/logs/container_log_manager.go`.

pub use naru_api::said::Output;
use naru_sim::Time;
use std::collections::VecDeque;

/// Bytes kept of one container's log, in whatever files; the oldest lines go first.
pub const LOG_BYTES_MAX: usize = 1 << 20;
/// What stands before each line in a file: when, where, and whether it is whole.
const HEAD_BYTES: u64 = 37;
/// A compressed file of text is about so many times smaller.
const COMPRESSION: u64 = 10;
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

/// A file of a log that is not written to any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotatedLog {
    /// When it was put aside.
    pub at: Time,
    /// The numbers of its first line and of the one after its last.
    pub lines: (u64, u64),
    /// Whether it is compressed.
    pub compressed: bool,
    /// Its bytes, uncompressed.
    bytes: u64,
}

/// A log that remembers how many lines it ever had, so that readers can go on where they were.
#[derive(Clone, Debug, Default)]
pub struct ContainerLog {
    lines: VecDeque<LogLine>,
    /// Lines that are not kept any more.
    dropped: u64,
    bytes: usize,
    /// The number of the first line of the file that is written to, and the file's bytes.
    begun: u64,
    file_bytes: u64,
    /// The files before it, the oldest first.
    rotated: Vec<RotatedLog>,
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
        let bytes = |file: &RotatedLog| match file.compressed {
            true => file.bytes / COMPRESSION,
            false => file.bytes,
        };
        self.file_bytes + self.rotated.iter().map(bytes).sum::<u64>()
    }

    /// Bytes of the file that is written to.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// How many files it has.
    pub fn files_count(&self) -> u64 {
        1 + self.rotated.len() as u64
    }

    /// The files before the one that is written to, the oldest first.
    pub fn rotated(&self) -> &[RotatedLog] {
        &self.rotated
    }

    /// Puts the file aside and begins a new one. At most so many files are left, of which those that
    /// were put aside before are compressed.
    ///
    /// Upstream: `rotateLog`.
    pub fn rotate(&mut self, at: Time, files_max: usize) {
        // Beside the one that begins and the one that is put aside.
        let kept = files_max.saturating_sub(2);
        self.rotated.drain(..self.rotated.len().saturating_sub(kept));
        self.rotated.iter_mut().for_each(|file| file.compressed = true);
        let (lines, bytes) = ((self.begun, self.end()), self.file_bytes);
        self.rotated.push(RotatedLog { at, lines, compressed: false, bytes });
        (self.begun, self.file_bytes) = (self.end(), 0);
        let oldest = self.rotated.first().map_or(self.begun, |file| file.lines.0);
        while self.dropped < oldest && self.drop_oldest() {}
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

    /// The number of the first line of the file that is written to, as far as that is kept.
    pub fn begin(&self) -> u64 {
        self.begun.max(self.dropped)
    }

    /// The number of the oldest line that is kept, in whatever file.
    pub fn oldest(&self) -> u64 {
        self.dropped
    }

    /// The number of the first of the last `count` lines of the file that is written to.
    pub fn tail(&self, count: u64) -> u64 {
        self.end().saturating_sub(count).max(self.begin())
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
        self.file_bytes += line.text.len() as u64 + HEAD_BYTES;
        self.lines.push_back(line);
        while self.bytes > LOG_BYTES_MAX && self.drop_oldest() {}
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(oldest) = self.lines.pop_front() else { return false };
        self.bytes = self.bytes.saturating_sub(oldest.text.len());
        self.dropped += 1;
        true
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
    fn files_are_put_aside_and_the_oldest_go() {
        let mut log = ContainerLog::default();
        for round in 0..5 {
            log.write(Time::ZERO, Output::Stdout, format!("round {round}\n").as_bytes());
            assert_eq!(log.tail(9), round, "only of the file that is written to");
            log.rotate(Time::from_secs(round), 3);
        }
        let files: Vec<_> = log.rotated().iter().map(|it| (it.lines, it.compressed)).collect();
        assert_eq!(files, [((3, 4), true), ((4, 5), false)]);
        assert_eq!((log.oldest(), log.begin(), log.end()), (3, 5, 5));
        assert_eq!(texts(&log, 0), ["round 3\n", "round 4\n"]);
        assert_eq!((log.file_bytes(), log.files_count()), (0, 3));
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let mut log = ContainerLog::default();
        log.write(Time::ZERO, Output::Stdout, &vec![b'x'; 3 * LINE_BYTES_MAX]);
        assert_eq!(log.end(), 1);
    }
}
