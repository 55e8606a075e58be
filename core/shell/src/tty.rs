//! Terminals: between the keys that a person presses and the processes that read them.

use crate::Signal;
use std::collections::VecDeque;
use unicode_width::UnicodeWidthChar;

/// Names a terminal of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TtyId(pub u32);

/// Bytes of output kept until the host takes them; who writes more waits.
pub const TTY_OUTPUT_BYTES_MAX: usize = 256 << 10;
/// Bytes of input kept until a process takes them; more is dropped.
pub const TTY_INPUT_BYTES_MAX: usize = 1 << 20;

/// One terminal.
///
/// Cooked, it echoes, lets the line be edited, turns Ctrl-C into a signal and Ctrl-D into the end
/// of the file. Raw, every byte goes to the reader as it comes.
#[derive(Clone, Debug)]
pub(crate) struct Tty {
    pub columns: u16,
    pub rows: u16,
    raw: bool,
    /// The line being edited, not yet readable.
    line: Vec<u8>,
    /// Readable bytes; `None` marks an end of file.
    input: VecDeque<Option<u8>>,
    output: Vec<u8>,
    /// The group of processes that Ctrl-C reaches and that may read.
    pub foreground: Option<u32>,
    pub hung_up: bool,
}

impl Tty {
    pub fn new(columns: u16, rows: u16) -> Self {
        Tty {
            columns: columns.max(1),
            rows: rows.max(1),
            raw: false,
            line: Vec::new(),
            input: VecDeque::new(),
            output: Vec::new(),
            foreground: None,
            hung_up: false,
        }
    }

    pub fn set_raw(&mut self, raw: bool) {
        if raw {
            // What was typed ahead is for the new reader.
            let line = std::mem::take(&mut self.line);
            self.input.extend(line.into_iter().map(Some));
            self.raw = true;
        } else if self.raw {
            // What nobody has read yet becomes lines.
            self.raw = false;
            let input = std::mem::take(&mut self.input);
            let bytes: Vec<u8> = input.into_iter().flatten().collect();
            self.type_bytes(&bytes);
        }
    }

    /// Takes what was typed. The signals are for the foreground.
    pub fn type_bytes(&mut self, bytes: &[u8]) -> Vec<Signal> {
        let mut signals = Vec::new();
        for &byte in bytes {
            if self.input.len() + self.line.len() >= TTY_INPUT_BYTES_MAX {
                break;
            }
            if self.raw {
                self.input.push_back(Some(byte));
            } else {
                signals.extend(self.type_cooked(byte));
            }
        }
        signals
    }

    fn type_cooked(&mut self, byte: u8) -> Option<Signal> {
        match byte {
            3 => return Some(self.interrupt(b"^C", Signal::Int)),
            26 => return Some(self.interrupt(b"^Z", Signal::Tstp)),
            28 => return Some(self.interrupt(b"^\\", Signal::Quit)),
            4 if self.line.is_empty() => self.input.push_back(None),
            4 => self.commit(),
            b'\r' | b'\n' => {
                self.line.push(b'\n');
                self.echo(b"\n");
                self.commit();
            }
            8 | 127 => self.erase_char(),
            21 => {
                while !self.line.is_empty() {
                    self.erase_char();
                }
            }
            23 => self.erase_word(),
            byte if byte < 32 && byte != b'\t' => {
                self.line.push(byte);
                self.echo(&[b'^', byte + 64]);
            }
            byte => {
                self.line.push(byte);
                self.echo(&[byte]);
            }
        }
        None
    }

    fn interrupt(&mut self, shown: &[u8], signal: Signal) -> Signal {
        self.echo(shown);
        self.line.clear();
        self.input.clear();
        signal
    }

    fn commit(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.input.extend(line.into_iter().map(Some));
    }

    fn erase_char(&mut self) {
        let mut char_bytes = Vec::new();
        while let Some(byte) = self.line.pop() {
            char_bytes.insert(0, byte);
            if byte & 0xc0 != 0x80 {
                break;
            }
        }
        let text = String::from_utf8_lossy(&char_bytes).into_owned();
        let columns: usize =
            text.chars().map(|c| if c < ' ' { 2 } else { c.width().unwrap_or(0) }).sum();
        for _ in 0..columns {
            self.echo(b"\x08 \x08");
        }
    }

    fn erase_word(&mut self) {
        while self.line.last().is_some_and(|byte| *byte == b' ') {
            self.erase_char();
        }
        while self.line.last().is_some_and(|byte| *byte != b' ') {
            self.erase_char();
        }
    }

    fn echo(&mut self, bytes: &[u8]) {
        if self.output.len() < TTY_OUTPUT_BYTES_MAX {
            self.push_output(bytes);
        }
    }

    fn push_output(&mut self, bytes: &[u8]) {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(text) = line.strip_suffix(b"\n") else {
                self.output.extend_from_slice(line);
                continue;
            };
            self.output.extend_from_slice(text);
            if self.output.last() != Some(&b'\r') {
                self.output.push(b'\r');
            }
            self.output.push(b'\n');
        }
    }

    /// Takes output; tells how many bytes fitted.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        let room = TTY_OUTPUT_BYTES_MAX.saturating_sub(self.output.len());
        let taken = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        self.push_output(taken);
        taken.len()
    }

    /// Whether [`Tty::take_output`] has something to give.
    pub fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// What can be read now: `None` nothing yet, empty at an end of file.
    pub fn read(&mut self, max: usize) -> Option<Vec<u8>> {
        if self.input.is_empty() {
            return self.hung_up.then(Vec::new);
        }
        let mut bytes = Vec::new();
        while bytes.len() < max {
            match self.input.front() {
                None => break,
                Some(None) if bytes.is_empty() => {
                    self.input.pop_front();
                    break;
                }
                Some(None) => break,
                Some(Some(byte)) => {
                    let byte = *byte;
                    self.input.pop_front();
                    bytes.push(byte);
                    if byte == b'\n' && !self.raw {
                        break;
                    }
                }
            }
        }
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cooked_lines_are_edited_and_echoed() {
        let mut tty = Tty::new(80, 24);
        assert!(tty.type_bytes("ab\x7f한x\x7f\x7f!".as_bytes()).is_empty());
        assert_eq!(tty.read(100), None);
        tty.type_bytes(b"\rnext");
        assert_eq!(tty.read(100), Some(b"a!\n".to_vec()));
        assert_eq!(tty.read(100), None);
        let shown = String::from_utf8(tty.take_output()).unwrap();
        let erase = "\x08 \x08";
        assert_eq!(shown, format!("ab{erase}한x{erase}{erase}{erase}!\r\nnext"));
    }

    #[test]
    fn control_keys() {
        let mut tty = Tty::new(80, 24);
        assert_eq!(tty.type_bytes(b"abc\x03"), [Signal::Int]);
        assert_eq!(tty.type_bytes(b"\x1a"), [Signal::Tstp]);
        tty.type_bytes(b"\x04");
        assert_eq!(tty.read(9), Some(Vec::new()));
        tty.type_bytes(b"x\x04");
        assert_eq!(tty.read(9), Some(b"x".to_vec()));
        tty.set_raw(true);
        assert!(tty.type_bytes(b"\x03\x04\r").is_empty());
        assert_eq!(tty.read(9), Some(b"\x03\x04\r".to_vec()));
    }

    #[test]
    fn newlines_are_translated_once() {
        let mut tty = Tty::new(80, 24);
        tty.write(b"a\nb\r\nc");
        assert_eq!(tty.take_output(), b"a\r\nb\r\nc");
    }
}
