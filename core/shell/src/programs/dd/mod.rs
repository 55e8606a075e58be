//! `dd` and `fallocate`: what fills disks.
//!
//! Zero bytes come from `/dev/zero` without being made: a file holds them by their number.
//!
//! Upstream: GNU coreutils 9.1 `src/dd.c`, Busybox 1.37 `coreutils/dd.c`, util-linux 2.38
//! `sys-utils/fallocate.c`.

use super::tool::{Options, Out, finish, is_busybox};
use crate::{Device, Errno, Fd, OpenMode, Program, Step, Sys};
use naru_sim::Time;
use std::time::Duration;

/// How fast a disk takes what is written, in bytes a second.
const BYTES_PER_SECOND: u64 = 1_000_000_000;
/// Bytes that are copied in one resumption: zero bytes, and others.
const ZEROS_AT_ONCE: u64 = 128 << 20;
const BYTES_AT_ONCE: u64 = 256 << 10;
/// Bytes of a block where nobody says.
const BLOCK_BYTES: u64 = 512;

/// `dd [if=FILE] [of=FILE] [bs=N] [count=N] [skip=N] [conv=…] [status=…]`
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
    block: u64,
    /// Bytes to copy; `None` for all there are.
    limit: Option<u64>,
    /// Bytes at the beginning that are not copied.
    skip: u64,
    taken: u64,
    written: u64,
    /// What was read and is not written yet.
    held: Vec<u8>,
    begun: Time,
    /// When the disk has taken what was written so far.
    ready: Time,
    status: Status,
    failed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Status {
    #[default]
    All,
    NoTransfer,
    Nothing,
}

/// What the operands say.
#[derive(Default)]
struct Operands {
    input: Option<String>,
    output: Option<String>,
    block: Option<u64>,
    count: Option<u64>,
    skip: u64,
    keep: bool,
    status: Status,
}

impl Operands {
    fn read(args: &[String], busybox: bool) -> Result<Self, String> {
        let mut operands = Operands::default();
        for arg in args {
            let unknown = || format!("dd: unrecognized operand ‘{arg}’");
            let (name, value) = arg.split_once('=').ok_or_else(unknown)?;
            let number = || {
                size(value).ok_or_else(|| match busybox {
                    true => format!("dd: invalid number '{value}'"),
                    false => format!("dd: invalid number: ‘{value}’"),
                })
            };
            match name {
                "if" => operands.input = Some(value.to_owned()),
                "of" => operands.output = Some(value.to_owned()),
                "bs" | "ibs" | "obs" => operands.block = Some(number()?).filter(|size| *size > 0),
                "count" => operands.count = Some(number()?),
                "skip" => operands.skip = number()?,
                "conv" => operands.keep = value.split(',').any(|word| word == "notrunc"),
                "status" => {
                    operands.status = match value {
                        "none" => Status::Nothing,
                        "noxfer" => Status::NoTransfer,
                        _ => Status::All,
                    }
                }
                "iflag" | "oflag" => {}
                _ => return Err(unknown()),
            }
        }
        Ok(operands)
    }
}

/// A number with its unit: `512`, `1M` (of 1024 each), `1MB` (of 1000 each), `2x512`.
fn size(text: &str) -> Option<u64> {
    if let Some((first, rest)) = text.split_once('x') {
        return size(first)?.checked_mul(size(rest)?);
    }
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match text.get(digits.len()..)? {
        "" | "c" => 1,
        "w" => 2,
        "b" => 512,
        "k" | "K" | "KiB" => 1 << 10,
        "M" | "m" | "MiB" => 1 << 20,
        "G" | "g" | "GiB" => 1 << 30,
        "T" | "t" | "TiB" => 1 << 40,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

impl Dd {
    fn start(&mut self, sys: &mut dyn Sys) -> Result<Copy, i32> {
        let args: Vec<String> = sys.args().iter().skip(1).cloned().collect();
        self.out.speak(sys);
        if let Some(code) = self.out.help("dd", &args) {
            return Err(code);
        }
        let operands = Operands::read(&args, self.out.is_busybox()).map_err(|why| {
            self.out.error(why);
            self.out.error("Try 'dd --help' for more information.");
            1
        })?;
        let zero = operands.input.as_ref().is_some_and(|name| {
            let path = sys.absolute(name);
            sys.fs().device(&path) == Some(Device::Zero)
        });
        let input = self.open(sys, operands.input.as_deref(), OpenMode::Read)?;
        let how = if operands.keep { OpenMode::ReadWrite } else { OpenMode::Write };
        let output = self.open(sys, operands.output.as_deref(), how)?;
        let name = |name: Option<String>, usual: &str| name.unwrap_or_else(|| usual.to_owned());
        let block = operands.block.unwrap_or(BLOCK_BYTES);
        Ok(Copy {
            input: input.unwrap_or(0),
            output: output.unwrap_or(1),
            from_zero: zero,
            names: [
                name(operands.input, "standard input"),
                name(operands.output, "standard output"),
            ],
            block,
            limit: operands.count.map(|count| count.saturating_mul(block)),
            skip: operands.skip.saturating_mul(block),
            taken: 0,
            written: 0,
            held: Vec::new(),
            begun: sys.now(),
            ready: sys.now(),
            status: operands.status,
            failed: false,
        })
    }

    /// Opens a file, if one is named.
    fn open(
        &mut self,
        sys: &mut dyn Sys,
        name: Option<&str>,
        how: OpenMode,
    ) -> Result<Option<Fd>, i32> {
        let Some(name) = name else { return Ok(None) };
        sys.open(name, how).map(Some).map_err(|errno| {
            self.out.error(match self.out.is_busybox() {
                true => format!("dd: can't open '{name}': {errno}"),
                false => format!("dd: failed to open '{name}': {errno}"),
            });
            1
        })
    }
}

impl Copy {
    /// Goes on; `Ok(true)` if all is done, `Ok(false)` if not, an error to be told.
    fn advance(&mut self, sys: &mut dyn Sys) -> Result<bool, Option<String>> {
        let writing = |name: &str, errno| Some(format!("dd: error writing '{name}': {errno}"));
        if !self.held.is_empty() {
            let taken = match sys.write(self.output, &self.held) {
                Ok(taken) => taken,
                Err(Errno::Again) => return Err(None),
                Err(errno) => return Err(writing(&self.names[1], errno)),
            };
            self.held.drain(..taken.min(self.held.len()));
            self.note_written(sys, taken as u64);
            return Ok(false);
        }
        let left = self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.taken));
        if left == 0 {
            return Ok(true);
        }
        if self.from_zero {
            let wanted = left.min(ZEROS_AT_ONCE.max(self.block));
            let taken = match sys.write_zeros(self.output, wanted) {
                Ok(taken) => taken,
                Err(Errno::Again) => return Err(None),
                Err(errno) => {
                    // The block that did not fit was read.
                    self.taken = self.written.saturating_add(self.block);
                    return Err(writing(&self.names[1], errno));
                }
            };
            self.taken += taken;
            self.note_written(sys, taken);
            return Ok(false);
        }
        let wanted = left.min(BYTES_AT_ONCE).min(u64::from(u32::MAX));
        match sys.read(self.input, usize::try_from(wanted).unwrap_or(usize::MAX)) {
            Ok(bytes) if bytes.is_empty() => Ok(true),
            Ok(mut bytes) => {
                let skipped = self.skip.min(bytes.len() as u64);
                bytes.drain(..usize::try_from(skipped).unwrap_or(bytes.len()).min(bytes.len()));
                self.skip -= skipped;
                self.taken += bytes.len() as u64;
                self.held = bytes;
                Ok(false)
            }
            Err(Errno::Again) => Err(None),
            Err(errno) => Err(Some(format!("dd: error reading '{}': {errno}", self.names[0]))),
        }
    }

    fn note_written(&mut self, sys: &dyn Sys, bytes: u64) {
        self.written += bytes;
        let micros = bytes.saturating_mul(1_000_000) / BYTES_PER_SECOND;
        self.ready = self.ready.max(sys.now()) + Duration::from_micros(micros);
    }

    /// What is said at the end.
    fn report(&self, now: Time, busybox: bool) -> String {
        if self.status == Status::Nothing {
            return String::new();
        }
        let records = |bytes: u64, what: &str| {
            let (whole, part) = (bytes / self.block, u64::from(!bytes.is_multiple_of(self.block)));
            format!("{whole}+{part} records {what}\n")
        };
        let mut text = records(self.taken, "in") + &records(self.written, "out");
        if self.status == Status::All {
            let micros = now.since(self.begun).as_micros().max(1);
            let seconds = micros as f64 / 1e6;
            let rate = self.written as f64 / seconds;
            text += &match busybox {
                true => format!(
                    "{} bytes ({}) copied, {seconds:.6} seconds, {}/s\n",
                    self.written,
                    busybox_size(self.written as f64),
                    busybox_size(rate)
                ),
                false => format!(
                    "{}, {} s, {}/s\n",
                    amount(self.written),
                    significant(seconds),
                    short(rate, 1000.0)
                ),
            };
        }
        text
    }
}

/// `524288000 bytes (524 MB, 500 MiB) copied`, as GNU's says it.
fn amount(bytes: u64) -> String {
    let value = bytes as f64;
    let plural = if bytes == 1 { "byte" } else { "bytes" };
    match bytes {
        0..1_000 => format!("{bytes} {plural} copied"),
        1_000..1_024 => format!("{bytes} bytes ({}) copied", short(value, 1000.0)),
        _ => {
            let binary = short(value, 1024.0).replace('B', "iB");
            format!("{bytes} bytes ({}, {binary}) copied", short(value, 1000.0))
        }
    }
}

/// A size with two or three digits: `1.1 GB`, `524 MB`.
fn short(value: f64, base: f64) -> String {
    let mut value = value;
    let mut unit = "";
    for next in ["k", "M", "G", "T"] {
        // What would be rounded to a whole one of the next is one.
        if value.round() < base {
            break;
        }
        value /= base;
        unit = if next == "k" && base == 1024.0 { "K" } else { next };
    }
    match unit.is_empty() || value >= 9.95 {
        true => format!("{value:.0} {unit}B"),
        false => format!("{value:.1} {unit}B"),
    }
}

/// The same as Busybox says it: `100.0MB`.
///
/// Upstream: `libbb/human_readable.c`.
fn busybox_size(value: f64) -> String {
    let mut value = value;
    let mut unit = "";
    for next in ["K", "M", "G", "T"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit.is_empty() { format!("{value:.0}B") } else { format!("{value:.1}{unit}B") }
}

/// Six significant digits without needless zeros, as `%g` prints.
fn significant(value: f64) -> String {
    let before = if value >= 1.0 { value.log10().floor() as usize + 1 } else { 0 };
    let text = format!("{value:.0$}", 6_usize.saturating_sub(before));
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
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
        let done = match copy.failed {
            true => Ok(true),
            false => copy.advance(sys),
        };
        match done {
            Ok(false) if copy.ready > sys.now() => Step::Block { until: Some(copy.ready) },
            Ok(false) => Step::Yield,
            Err(None) => Step::Block { until: None },
            Err(Some(why)) => {
                copy.failed = true;
                self.out.error(why);
                Step::Yield
            }
            Ok(true) => {
                let text = copy.report(sys.now(), self.out.is_busybox());
                self.out.put_error(text);
                let code = i32::from(copy.failed);
                self.code = Some(code);
                finish(&mut self.out, sys, code)
            }
        }
    }
}

/// `fallocate -l size file`
pub fn fallocate(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let long = [("length", 'l'), ("offset", 'o'), ("keep-size", 'n'), ("verbose", 'v')];
    let options = match Options::parse(sys, args, "l:o:nvx", &long, out, 1) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let number = |flag| options.value(flag).map(|text| (text, size(text)));
    let (offset, length) = (number('o'), number('l'));
    if let Some((text, _)) = [length, offset].into_iter().flatten().find(|(_, n)| n.is_none()) {
        out.error(format!("fallocate: failed to parse length: '{text}': Invalid argument"));
        return 1;
    }
    let Some(length) = length.and_then(|(_, size)| size) else {
        out.error("fallocate: no length argument specified");
        return 1;
    };
    let [name] = options.operands.as_slice() else {
        out.error(match options.operands.is_empty() {
            true => "fallocate: no filename specified",
            false => "fallocate: unexpected number of arguments",
        });
        return 1;
    };
    if length == 0 {
        out.error("fallocate: invalid length value specified");
        return 1;
    }
    let path = sys.absolute(name);
    let end = offset.and_then(|(_, size)| size).unwrap_or(0).saturating_add(length);
    match sys.fs().allocate(&path, end) {
        Ok(()) => 0,
        Err(errno @ (Errno::NoSpace | Errno::TooLarge)) => {
            out.error(match is_busybox(sys) {
                true => format!("fallocate: fallocate '{name}': {errno}"),
                false => format!("fallocate: fallocate failed: {errno}"),
            });
            1
        }
        Err(errno) => {
            out.error(match is_busybox(sys) {
                true => format!("fallocate: can't open '{name}': {errno}"),
                false => format!("fallocate: cannot open {name}: {errno}"),
            });
            1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        let table = [
            ("512", Some(512)),
            ("1k", Some(1024)),
            ("2M", Some(2 << 20)),
            ("3G", Some(3 << 30)),
            ("1MB", Some(1_000_000)),
            ("2x512", Some(1024)),
            ("1y", None),
            ("", None),
            ("99999999999G", None),
        ];
        for (text, want) in table {
            assert_eq!(size(text), want, "{text}");
        }
    }

    #[test]
    fn amounts_are_said_as_gnu_says_them() {
        let table = [
            (1, "1 byte copied"),
            (512, "512 bytes copied"),
            (1_000, "1000 bytes (1.0 kB) copied"),
            (524_288_000, "524288000 bytes (524 MB, 500 MiB) copied"),
            (1_073_741_824, "1073741824 bytes (1.1 GB, 1.0 GiB) copied"),
        ];
        for (bytes, want) in table {
            assert_eq!(amount(bytes), want);
        }
        assert_eq!([0.5, 12.345_678_9, 1e-6].map(significant), ["0.5", "12.3457", "0.000001"]);
    }
}
