//! `dd` and `fallocate`: what fills disks.
//!
//! Zero bytes come from `/dev/zero` without being made: a file holds them by their number. Blocks of a
//! pipe are read whole, as with `iflag=fullblock`, and holes in files take room.
//!
//! Upstream: `dd_copy` and `main` in GNU coreutils 9.1 `src/dd.c`, `dd_main` in Busybox 1.37
//! `coreutils/dd.c`.

pub mod fallocate;
mod operands;
mod report;

use super::busybox;
use super::tool::{Out, finish};
use crate::{Device, Errno, Fd, OpenMode, Program, Step, Sys};
use naru_sim::Time;
use operands::{BYTES_MAX, Operands, Status, Trouble};
use std::time::Duration;

/// How fast a disk takes what is written, in bytes a second.
const BYTES_PER_SECOND: u64 = 1_000_000_000;
/// Bytes that are copied in one resumption: zero bytes, and others.
const ZEROS_AT_ONCE: u64 = 128 << 20;
const BYTES_AT_ONCE: u64 = 256 << 10;
/// What it reads and writes where no file is named.
const STANDARD: [&str; 2] = ["standard input", "standard output"];

/// `dd [if=FILE] [of=FILE] [bs=N] [count=N] [skip=N] [seek=N] [conv=…] [status=…]`
#[derive(Clone, Debug, Default)]
pub struct Dd {
    out: Out,
    code: Option<i32>,
    copy: Option<Copy>,
}

#[derive(Clone, Debug)]
struct Copy {
    input: Fd,
    output: Fd,
    /// Whether the input is endless zero bytes.
    from_zero: bool,
    /// Names, as errors show them.
    names: [String; 2],
    /// Bytes of a block that is read, and of one that is written.
    blocks: [u64; 2],
    two_buffers: bool,
    /// Bytes to copy; `None` for all there are.
    limit: Option<u64>,
    /// Bytes at the beginning that are not copied.
    skip: u64,
    taken: u64,
    written: u64,
    /// What was read and is not written yet, and zero bytes after that.
    held: Vec<u8>,
    padding: u64,
    /// Whether nothing is read any more.
    ended: bool,
    shape: Shape,
    begun: Time,
    /// When the disk has taken what was written so far.
    ready: Time,
    status: Status,
    failed: Option<Failed>,
    busybox: bool,
}

/// What is made of bytes.
#[derive(Clone, Debug, Default)]
struct Shape {
    lower: bool,
    upper: bool,
    swab: bool,
    sync: bool,
    /// A byte that waits for the next to change places with.
    odd: Option<u8>,
}

/// What could not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failed {
    Beginning,
    Reading,
    Writing,
}

/// What came of going on.
enum Turn {
    /// There is more to do.
    More,
    /// There is nothing to do now.
    Wait,
    /// This is to be told, and it goes on.
    Told(String),
    /// This is to be told, and it ends.
    Failed(Failed, String),
    /// All is done.
    Done,
}

impl Shape {
    fn new(operands: &Operands) -> Self {
        Shape {
            lower: operands.converts("lcase"),
            upper: operands.converts("ucase"),
            swab: operands.converts("swab"),
            sync: operands.converts("sync"),
            odd: None,
        }
    }

    fn apply(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        if self.lower {
            bytes.make_ascii_lowercase();
        }
        if self.upper {
            bytes.make_ascii_uppercase();
        }
        if !self.swab {
            return bytes;
        }
        let mut swapped = Vec::with_capacity(bytes.len() + 1);
        for byte in bytes {
            match self.odd.take() {
                Some(odd) => swapped.extend([byte, odd]),
                None => self.odd = Some(byte),
            }
        }
        swapped
    }
}

impl Dd {
    fn start(&mut self, sys: &mut dyn Sys) -> Result<Copy, i32> {
        let args: Vec<String> = sys.args().iter().skip(1).cloned().collect();
        self.out.speak(sys);
        if let Some(code) = self.out.help("dd", &args) {
            return Err(code);
        }
        let operands = Operands::read(&args, self.out.is_busybox());
        let operands = operands.map_err(|trouble| self.refuse(trouble))?;
        let input = match &operands.input {
            Some(name) => self.open(sys, name, OpenMode::Read)?,
            None => 0,
        };
        let seek = self.place(&operands)?;
        let output = self.open_output(sys, &operands, seek)?;
        let mut copy = Copy::new(sys, operands, [input, output], self.out.is_busybox());
        self.skip(sys, &mut copy);
        if seek > 0 {
            self.seek(sys, &mut copy, seek)?;
        }
        Ok(copy)
    }

    fn refuse(&mut self, trouble: Trouble) -> i32 {
        match trouble {
            Trouble::Wrong(why) => self.out.error(why),
            Trouble::Use(_) if self.out.is_busybox() => {
                self.out.put_error(busybox::usage("dd").unwrap_or_default());
            }
            Trouble::Use(why) => {
                self.out.error(why);
                self.out.error("Try 'dd --help' for more information.");
            }
        }
        1
    }

    fn open(&mut self, sys: &mut dyn Sys, name: &str, how: OpenMode) -> Result<Fd, i32> {
        sys.open(name, how).map_err(|errno| self.cannot_open(name, errno))
    }

    fn cannot_open(&mut self, name: &str, errno: Errno) -> i32 {
        self.out.error(match self.out.is_busybox() {
            true => format!("dd: can't open '{name}': {errno}"),
            false => format!("dd: failed to open '{name}': {errno}"),
        });
        1
    }

    /// Where in the output it begins.
    fn place(&mut self, operands: &Operands) -> Result<u64, i32> {
        let [_, block] = operands.blocks;
        let seek = operands.seek.bytes(block).filter(|bytes| *bytes <= BYTES_MAX);
        seek.ok_or_else(|| {
            let name = operands.output.as_deref().unwrap_or(STANDARD[1]);
            self.out.error(match self.out.is_busybox() {
                true => format!("dd: {name}: {}", Errno::Invalid),
                false => format!(
                    "dd: offset too large: cannot truncate to a length of seek={} ({block}-byte) \
                     blocks",
                    operands.seek.number()
                ),
            });
            1
        })
    }

    /// Opens what is written to, and makes it as long as it is to be before that.
    fn open_output(
        &mut self,
        sys: &mut dyn Sys,
        operands: &Operands,
        seek: u64,
    ) -> Result<Fd, i32> {
        let Some(name) = operands.output.as_deref() else { return Ok(1) };
        let path = sys.absolute(name);
        let exists = sys.fs().exists(&path);
        if exists && operands.converts("excl") {
            return Err(self.cannot_open(name, Errno::Exists));
        }
        if !exists && operands.converts("nocreat") {
            return Err(self.cannot_open(name, Errno::NotFound));
        }
        let keeps = operands.converts("notrunc");
        let how = match (operands.appends(), keeps || seek > 0) {
            (true, _) => OpenMode::Append,
            (false, true) => OpenMode::ReadWrite,
            (false, false) => OpenMode::Write,
        };
        let output = self.open(sys, name, how)?;
        if keeps || how == OpenMode::Write {
            return Ok(output);
        }
        sys.fs().set_len(&path, seek).map(|()| output).map_err(|errno| {
            self.out.error(match self.out.is_busybox() {
                true => format!("dd: {name}: {errno}"),
                false => format!(
                    "dd: failed to truncate to {seek} bytes in output file '{name}': {errno}"
                ),
            });
            1
        })
    }

    /// Leaves out what is not to be read, where that can be done at once.
    fn skip(&mut self, sys: &mut dyn Sys, copy: &mut Copy) {
        if copy.skip == 0 {
            return;
        }
        if let Ok(beyond) = sys.seek(copy.input, copy.skip) {
            copy.skip = 0;
            if beyond > 0 {
                self.out.put_error(copy.skipped_too_far());
            }
        }
    }

    fn seek(&mut self, sys: &mut dyn Sys, copy: &mut Copy, seek: u64) -> Result<(), i32> {
        let Err(errno) = sys.seek(copy.output, seek) else { return Ok(()) };
        let name = &copy.names[1];
        if self.out.is_busybox() {
            self.out.error(format!("dd: {name}: {errno}"));
            return Err(1);
        }
        self.out.error(format!("dd: {}: cannot seek: {errno}", quoted(name)));
        copy.failed = Some(Failed::Beginning);
        Ok(())
    }
}

impl Copy {
    fn new(sys: &mut dyn Sys, operands: Operands, fds: [Fd; 2], busybox: bool) -> Self {
        let from_zero = operands.input.as_ref().is_some_and(|name| {
            let path = sys.absolute(name);
            sys.fs().device(&path) == Some(Device::Zero)
        });
        let ([input, output], [block, _]) = (fds, operands.blocks);
        let skip = operands.skip.bytes(block).unwrap_or(u64::MAX);
        let shape = Shape::new(&operands);
        let [usual_input, usual_output] = STANDARD.map(str::to_owned);
        Copy {
            input,
            output,
            from_zero,
            names: [operands.input.unwrap_or(usual_input), operands.output.unwrap_or(usual_output)],
            blocks: operands.blocks,
            two_buffers: operands.two_buffers,
            limit: operands.count.map(|count| count.bytes(block).unwrap_or(u64::MAX)),
            skip: if from_zero { 0 } else { skip },
            taken: 0,
            written: 0,
            held: Vec::new(),
            padding: 0,
            ended: false,
            shape,
            begun: sys.now(),
            ready: sys.now(),
            status: operands.status,
            failed: None,
            busybox,
        }
    }

    /// Goes on.
    fn advance(&mut self, sys: &mut dyn Sys) -> Turn {
        if self.failed.is_some() {
            return Turn::Done;
        }
        if !self.held.is_empty() || self.padding > 0 {
            return self.write(sys);
        }
        if self.ended {
            return Turn::Done;
        }
        let left = self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.taken));
        match (left, self.from_zero) {
            (0, _) => {
                self.end_input();
                Turn::More
            }
            (_, true) => self.write_from_zero(sys, left),
            (_, false) => self.read(sys, left),
        }
    }

    fn write(&mut self, sys: &mut dyn Sys) -> Turn {
        let written = match self.held.is_empty() {
            true => {
                let written = sys.write_zeros(self.output, self.padding.min(ZEROS_AT_ONCE));
                written.inspect(|written| self.padding = self.padding.saturating_sub(*written))
            }
            false => sys.write(self.output, &self.held).map(|written| {
                self.held.drain(..written.min(self.held.len()));
                written as u64
            }),
        };
        match written {
            Ok(written) => {
                self.note_written(sys, written);
                Turn::More
            }
            Err(Errno::Again) => Turn::Wait,
            Err(errno) => self.cannot_write(errno),
        }
    }

    fn write_from_zero(&mut self, sys: &mut dyn Sys, left: u64) -> Turn {
        let [block, _] = self.blocks;
        match sys.write_zeros(self.output, left.min(ZEROS_AT_ONCE.max(block))) {
            Ok(written) => {
                self.taken = self.taken.saturating_add(written);
                self.note_written(sys, written);
                Turn::More
            }
            Err(Errno::Again) => Turn::Wait,
            Err(errno) => self.cannot_write(errno),
        }
    }

    fn cannot_write(&self, errno: Errno) -> Turn {
        let name = &self.names[1];
        // GNU's says of a whole block that it has collected another word than of others.
        let [_, block] = self.blocks;
        let is_whole = self.block_that_failed().saturating_add(block) <= self.readable();
        let why = match self.two_buffers && !self.busybox && is_whole {
            true => format!("dd: writing to '{name}': {errno}"),
            false => format!("dd: error writing '{name}': {errno}"),
        };
        Turn::Failed(Failed::Writing, why)
    }

    fn read(&mut self, sys: &mut dyn Sys, left: u64) -> Turn {
        let wanted = left.saturating_add(self.skip).min(BYTES_AT_ONCE);
        match sys.read(self.input, usize::try_from(wanted).unwrap_or(usize::MAX)) {
            Ok(bytes) if bytes.is_empty() => {
                self.end_input();
                match std::mem::take(&mut self.skip) {
                    0 => Turn::More,
                    _ => Turn::Told(self.skipped_too_far()),
                }
            }
            Ok(mut bytes) => {
                let skipped = self.skip.min(bytes.len() as u64);
                bytes.drain(..usize::try_from(skipped).unwrap_or(bytes.len()).min(bytes.len()));
                self.skip -= skipped;
                self.taken = self.taken.saturating_add(bytes.len() as u64);
                self.held = self.shape.apply(bytes);
                Turn::More
            }
            Err(Errno::Again) => Turn::Wait,
            Err(errno) => {
                let name = &self.names[0];
                let why = match self.busybox {
                    true => format!("dd: {name}: {errno}"),
                    false => format!("dd: error reading '{name}': {errno}"),
                };
                Turn::Failed(Failed::Reading, why)
            }
        }
    }

    /// Nothing more is read: what waits for more is written without it.
    fn end_input(&mut self) {
        let [block, _] = self.blocks;
        self.ended = true;
        self.held.extend(self.shape.odd.take());
        if self.shape.sync {
            self.padding = (block - self.taken % block) % block;
        }
    }

    /// What GNU's says where there is less than it was to leave out.
    fn skipped_too_far(&self) -> String {
        match self.busybox || self.status == Status::Nothing {
            true => String::new(),
            false => {
                format!("dd: {}: cannot skip to specified offset\n", quoted(&self.names[0]))
            }
        }
    }

    fn note_written(&mut self, sys: &dyn Sys, bytes: u64) {
        self.written = self.written.saturating_add(bytes);
        let micros = bytes.saturating_mul(1_000_000) / BYTES_PER_SECOND;
        self.ready = self.ready.max(sys.now()) + Duration::from_micros(micros);
    }

    /// How many bytes there are to be read, as far as is known.
    fn readable(&self) -> u64 {
        match self.from_zero {
            true => self.limit.unwrap_or(u64::MAX),
            false => self.taken,
        }
    }

    /// Where the block begins that could not be written.
    fn block_that_failed(&self) -> u64 {
        let [_, block] = self.blocks;
        self.written / block * block
    }

    /// Whole blocks and others that were read, and that were written.
    fn records(&self) -> [(u64, u64); 2] {
        let [input, output] = self.blocks;
        let records =
            |bytes: u64, block: u64| (bytes / block, u64::from(!bytes.is_multiple_of(block)));
        let written = records(self.written, output);
        if self.failed != Some(Failed::Writing) {
            return [records(self.taken, input), written];
        }
        // What was needed for the block that failed has been read, and of that block what was written
        // counts only where it was collected.
        let needed = self.block_that_failed().saturating_add(output).div_ceil(input);
        let read = records(needed.saturating_mul(input).min(self.readable()), input);
        let is_counted = self.two_buffers && !self.busybox;
        [read, (written.0, if is_counted { written.1 } else { 0 })]
    }

    /// What is said at the end.
    fn report(&self, now: Time) -> String {
        if self.status == Status::Nothing || (self.busybox && self.failed == Some(Failed::Reading))
        {
            return String::new();
        }
        let [(full_in, part_in), (full_out, part_out)] = self.records();
        let records =
            format!("{full_in}+{part_in} records in\n{full_out}+{part_out} records out\n");
        if self.status == Status::NoTransfer {
            return records;
        }
        let micros = now.since(self.begun).as_micros();
        records + &report::transfer(self.written, micros, self.busybox)
    }
}

/// A name as GNU's quotes it where it has to.
///
/// Upstream: `quotef` in gnulib's `quotearg.c`.
fn quoted(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./,:@%+".contains(c);
    match !name.is_empty() && name.chars().all(is_plain) {
        true => name.to_owned(),
        false => format!("'{name}'"),
    }
}

impl Program for Dd {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.copy.is_none() && self.code.is_none() {
            match self.start(sys) {
                Ok(copy) => self.copy = Some(copy),
                Err(code) => self.code = Some(code),
            }
        }
        if let Some(code) = self.code {
            return finish(&mut self.out, sys, code);
        }
        let Some(copy) = &mut self.copy else { return Step::Exit(1) };
        if copy.ready > sys.now() {
            return Step::Block { until: Some(copy.ready) };
        }
        match copy.advance(sys) {
            Turn::More if copy.ready > sys.now() => Step::Block { until: Some(copy.ready) },
            Turn::More => Step::Yield,
            Turn::Wait => Step::Block { until: None },
            Turn::Told(text) => {
                self.out.put_error(text);
                Step::Yield
            }
            Turn::Failed(failed, why) => {
                copy.failed = Some(failed);
                self.out.error(why);
                Step::Yield
            }
            Turn::Done => {
                let text = copy.report(sys.now());
                let code = i32::from(copy.failed.is_some());
                self.out.put_error(text);
                self.code = Some(code);
                finish(&mut self.out, sys, code)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A copy that has read and written so much.
    fn copy(blocks: [u64; 2], two_buffers: bool, taken: u64, written: u64) -> Copy {
        Copy {
            input: 0,
            output: 1,
            from_zero: false,
            names: STANDARD.map(str::to_owned),
            blocks,
            two_buffers,
            limit: None,
            skip: 0,
            taken,
            written,
            held: Vec::new(),
            padding: 0,
            ended: false,
            shape: Shape::default(),
            begun: Time::ZERO,
            ready: Time::ZERO,
            status: Status::All,
            failed: None,
            busybox: false,
        }
    }

    #[test]
    fn records_are_counted_as_they_were_read_and_written() {
        let table = [
            (copy([3, 3], false, 8, 8), [(2, 1), (2, 1)], [(2, 1), (2, 0)]),
            (copy([10, 10], false, 100, 37), [(10, 0), (3, 1)], [(4, 0), (3, 0)]),
            (copy([10, 10], false, 100, 40), [(10, 0), (4, 0)], [(5, 0), (4, 0)]),
            (copy([10, 10], true, 100, 37), [(10, 0), (3, 1)], [(4, 0), (3, 1)]),
            (copy([2, 10], true, 31, 17), [(15, 1), (1, 1)], [(10, 0), (1, 1)]),
            (copy([2, 10], true, 31, 30), [(15, 1), (3, 0)], [(15, 1), (3, 0)]),
        ];
        for (mut copy, well, failed) in table {
            let at = (copy.blocks, copy.taken, copy.written);
            assert_eq!(copy.records(), well, "{at:?}");
            copy.failed = Some(Failed::Writing);
            assert_eq!(copy.records(), failed, "{at:?}, and no more fits");
        }
        let mut zeros = copy([1 << 20; 2], false, u64::MAX, u64::MAX);
        (zeros.from_zero, zeros.failed) = (true, Some(Failed::Writing));
        assert_eq!(zeros.records()[1].0, u64::MAX >> 20);
    }

    #[test]
    fn bytes_change_places_across_what_is_read_at_once() {
        let mut shape = Shape { swab: true, upper: true, ..Shape::default() };
        let mut bytes = shape.apply(b"abc".to_vec());
        bytes.extend(shape.apply(b"de".to_vec()));
        assert_eq!((bytes, shape.odd), (b"BADC".to_vec(), Some(b'E')));
    }

    #[test]
    fn names_are_quoted_where_they_have_to_be() {
        assert_eq!(["/tmp/a-1", "standard input"].map(quoted), ["/tmp/a-1", "'standard input'"]);
    }
}
