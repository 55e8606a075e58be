//! What `dd` is told.
//!
//! Upstream: `scanargs`, `parse_integer` and `parse_symbols` in GNU coreutils 9.1 `src/dd.c`; `dd_main`
//! in Busybox 1.37 `coreutils/dd.c`, `libbb/xatonum_template.c`.

use std::collections::BTreeSet;

/// Bytes of a block where nobody says.
const BLOCK_BYTES: u64 = 512;
/// The largest block, and the farthest place in a file.
pub const BYTES_MAX: u64 = i64::MAX as u64;
/// What a number that is too large is.
const OVERFLOW: &str = "Value too large for defined data type";

/// The words that an operand with a list knows, and how GNU's calls one that it does not.
struct Words {
    operand: &'static str,
    wrong: &'static str,
    gnu: &'static [&'static str],
    busybox: &'static [&'static str],
}

/// Without those that translate between character sets and records, which are not simulated.
const CONVERSIONS: Words = Words {
    operand: "conv",
    wrong: "invalid conversion",
    gnu: &[
        "lcase",
        "ucase",
        "sparse",
        "swab",
        "noerror",
        "nocreat",
        "excl",
        "notrunc",
        "sync",
        "fdatasync",
        "fsync",
    ],
    busybox: &["notrunc", "sync", "noerror", "fsync", "swab"],
};
const INPUT_FLAGS: Words = Words {
    operand: "iflag",
    wrong: "invalid input flag",
    gnu: &[
        "append",
        "direct",
        "directory",
        "dsync",
        "noatime",
        "nocache",
        "noctty",
        "nofollow",
        "nonblock",
        "sync",
        "fullblock",
        "count_bytes",
        "skip_bytes",
    ],
    busybox: &["skip_bytes", "count_bytes", "fullblock", "direct"],
};
const OUTPUT_FLAGS: Words = Words {
    operand: "oflag",
    wrong: "invalid output flag",
    gnu: &[
        "append",
        "direct",
        "directory",
        "dsync",
        "noatime",
        "nocache",
        "noctty",
        "nofollow",
        "nonblock",
        "sync",
        "seek_bytes",
    ],
    busybox: &["seek_bytes", "append", "direct"],
};
const LEVELS: Words = Words {
    operand: "status",
    wrong: "invalid status level",
    gnu: &["none", "noxfer", "progress"],
    busybox: &["none", "noxfer"],
};
/// Words of which only one may be said. GNU's looks.
const ALONE: [(&str, &str); 2] = [("lcase", "ucase"), ("excl", "nocreat")];

/// Why it does not begin.
#[derive(Debug, PartialEq, Eq)]
pub enum Trouble {
    /// This is wrong.
    Wrong(String),
    /// This is wrong, and how it is used is told, or where that stands.
    Use(String),
}

/// What is told at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// All.
    #[default]
    All,
    /// Only the records.
    NoTransfer,
    /// Nothing.
    Nothing,
}

/// A number, and whether it is one of bytes where it usually is one of blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    number: u64,
    in_bytes: bool,
}

impl Count {
    /// How many bytes that is.
    pub fn bytes(self, block: u64) -> Option<u64> {
        if self.in_bytes { Some(self.number) } else { self.number.checked_mul(block) }
    }

    /// The number as it was given.
    pub fn number(self) -> u64 {
        self.number
    }
}

/// What the operands say.
#[derive(Debug, Default)]
pub struct Operands {
    pub input: Option<String>,
    pub output: Option<String>,
    /// Bytes of a block that is read, and of one that is written.
    pub blocks: [u64; 2],
    /// Whether blocks are read into one place and written from another.
    pub two_buffers: bool,
    pub count: Option<Count>,
    pub skip: Count,
    pub seek: Count,
    pub status: Status,
    conversions: BTreeSet<&'static str>,
    flags: [BTreeSet<&'static str>; 2],
    /// A block that is both.
    block: Option<u64>,
}

impl Operands {
    pub fn read(args: &[String], busybox: bool) -> Result<Self, Trouble> {
        let mut operands = Operands { blocks: [BLOCK_BYTES; 2], ..Operands::default() };
        for arg in args {
            if busybox && arg == "--" {
                continue;
            }
            operands.take(arg, busybox)?;
        }
        operands.settle(busybox)?;
        Ok(operands)
    }

    /// Whether a conversion is asked for.
    pub fn converts(&self, word: &str) -> bool {
        self.conversions.contains(word)
    }

    /// Whether all that is written is added at the end.
    pub fn appends(&self) -> bool {
        let [_, output] = &self.flags;
        output.contains("append")
    }

    fn take(&mut self, arg: &str, busybox: bool) -> Result<(), Trouble> {
        let unknown = || Trouble::Use(format!("dd: unrecognized operand ‘{arg}’"));
        let (name, value) = arg.split_once('=').ok_or_else(unknown)?;
        let least = |least| number(value, least, BYTES_MAX, busybox);
        let count = || {
            let number = number(value, 0, u64::MAX, busybox)?;
            Ok(Count { number, in_bytes: !busybox && value.contains('B') })
        };
        let [input_block, output_block] = &mut self.blocks;
        let [input_flags, output_flags] = &mut self.flags;
        match name {
            "if" => self.input = Some(value.to_owned()),
            "of" => self.output = Some(value.to_owned()),
            "bs" => self.block = Some(least(1)?),
            "ibs" => *input_block = least(1)?,
            "obs" => *output_block = least(1)?,
            "cbs" if !busybox => drop(least(1)?),
            "count" => self.count = Some(count()?),
            "skip" => self.skip = count()?,
            "seek" => self.seek = count()?,
            "iseek" if !busybox => self.skip = count()?,
            "oseek" if !busybox => self.seek = count()?,
            "conv" => self.conversions.extend(CONVERSIONS.read(value, busybox)?),
            "iflag" => input_flags.extend(INPUT_FLAGS.read(value, busybox)?),
            "oflag" => output_flags.extend(OUTPUT_FLAGS.read(value, busybox)?),
            "status" => self.status = self.level(&LEVELS.read(value, busybox)?, busybox),
            _ => return Err(unknown()),
        }
        if let (true, "bs", Some(block)) = (busybox, name, self.block) {
            // What comes later counts.
            self.blocks = [block; 2];
        }
        Ok(())
    }

    /// The last of GNU's counts; of Busybox's the one that leaves out more.
    fn level(&self, words: &[&str], busybox: bool) -> Status {
        match words.last() {
            Some(&"none") => Status::Nothing,
            Some(&"noxfer") if busybox && self.status == Status::Nothing => Status::Nothing,
            Some(&"noxfer") => Status::NoTransfer,
            _ => Status::All,
        }
    }

    /// Looks at all of them together.
    fn settle(&mut self, busybox: bool) -> Result<(), Trouble> {
        let [input, output] = &self.flags;
        for (count, flags, flag) in [
            (self.count.as_mut(), input, "count_bytes"),
            (Some(&mut self.skip), input, "skip_bytes"),
            (Some(&mut self.seek), output, "seek_bytes"),
        ] {
            if let Some(count) = count {
                count.in_bytes |= flags.contains(flag);
            }
        }
        if busybox {
            let [input, output] = self.blocks;
            self.two_buffers = input != output;
            return Ok(());
        }
        if let Some(block) = self.block {
            self.blocks = [block; 2];
        }
        let translates = ["lcase", "ucase", "swab"].iter().any(|word| self.converts(word));
        self.two_buffers = self.block.is_none() || translates;
        for (one, other) in ALONE {
            if self.converts(one) && self.converts(other) {
                return Err(Trouble::Wrong(format!("dd: cannot combine {one} and {other}")));
            }
        }
        if self.flags.iter().any(|flags| flags.contains("direct") && flags.contains("nocache")) {
            return Err(Trouble::Wrong("dd: cannot combine direct and nocache".to_owned()));
        }
        Ok(())
    }
}

impl Words {
    /// The words of a list; the error names one that is not known.
    fn read(&self, list: &str, busybox: bool) -> Result<Vec<&'static str>, Trouble> {
        let known = if busybox { self.busybox } else { self.gnu };
        let word = |word: &str| {
            let found = known.iter().find(|known| **known == word).copied();
            found.ok_or_else(|| match busybox {
                true => {
                    Trouble::Wrong(format!("dd: invalid argument '{word}' to '{}'", self.operand))
                }
                false => Trouble::Use(format!("dd: {}: ‘{word}’", self.wrong)),
            })
        };
        list.split(',').map(word).collect()
    }
}

/// Why a text is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Invalid,
    Overflow,
}

/// A number that may not be less or more than this.
fn number(text: &str, least: u64, most: u64, busybox: bool) -> Result<u64, Trouble> {
    let number = if busybox { busybox_number(text) } else { gnu_number(text) };
    let fault = match number {
        Ok(number) if number < least && !busybox => Fault::Invalid,
        Ok(number) if number < least || number > most => Fault::Overflow,
        Ok(number) => return Ok(number),
        Err(fault) => fault,
    };
    Err(Trouble::Wrong(match (fault, busybox) {
        (Fault::Invalid, false) => format!("dd: invalid number: ‘{text}’"),
        (Fault::Overflow, false) => format!("dd: invalid number: ‘{text}’: {OVERFLOW}"),
        (Fault::Invalid, true) => format!("dd: invalid number '{text}'"),
        (Fault::Overflow, true) => format!("dd: number {text} is not in {least}..{most} range"),
    }))
}

/// `512`, `1M` (of 1024 each), `1MB` (of 1000 each), `2x512`, which is a product.
fn gnu_number(text: &str) -> Result<u64, Fault> {
    text.split('x').try_fold(1_u64, |product, factor| {
        product.checked_mul(gnu_factor(factor)?).ok_or(Fault::Overflow)
    })
}

fn gnu_factor(text: &str) -> Result<u64, Fault> {
    let (digits, unit) = in_two(text);
    let mut letters = unit.chars();
    let power = match letters.next() {
        None => return times(digits, Some(1)),
        Some('c' | 'B') if letters.as_str().is_empty() => return times(digits, Some(1)),
        Some('w') if letters.as_str().is_empty() => return times(digits, Some(2)),
        Some('b') if letters.as_str().is_empty() => return times(digits, Some(512)),
        Some('k' | 'K') => 1,
        Some('M') => 2,
        Some('G') => 3,
        Some('T') => 4,
        Some('P') => 5,
        Some('E') => 6,
        Some('Z') => 7,
        Some('Y') => 8,
        Some(_) => return Err(Fault::Invalid),
    };
    let base: u64 = match letters.as_str() {
        "" | "iB" => 1_024,
        "B" | "D" => 1_000,
        _ => return Err(Fault::Invalid),
    };
    times(digits, base.checked_pow(power))
}

/// Upstream: `cwbkMG_suffixes` in `libbb/xatonum.c`.
fn busybox_number(text: &str) -> Result<u64, Fault> {
    let (digits, unit) = in_two(text);
    let unit = match unit {
        "" | "c" => 1,
        "w" => 2,
        "b" => 512,
        "kB" | "kD" | "KB" | "KD" => 1_000,
        "k" | "K" => 1 << 10,
        "MB" | "MD" => 1_000_000,
        "M" => 1 << 20,
        "GB" | "GD" => 1_000_000_000,
        "G" => 1 << 30,
        _ => return Err(Fault::Invalid),
    };
    times(digits, Some(unit))
}

fn in_two(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// So many of these; `None` are too many.
fn times(digits: &str, unit: Option<u64>) -> Result<u64, Fault> {
    if digits.is_empty() {
        return Err(Fault::Invalid);
    }
    // Nothing but digits is no number only if it is too large.
    let number = digits.parse::<u64>().map_err(|_| Fault::Overflow)?;
    unit.and_then(|unit| number.checked_mul(unit)).ok_or(Fault::Overflow)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &str, busybox: bool) -> Result<Operands, Trouble> {
        let args: Vec<String> = args.split(' ').map(str::to_owned).collect();
        Operands::read(&args, busybox)
    }

    #[test]
    fn numbers_have_units() {
        use Fault::{Invalid, Overflow};
        let table = [
            ("512", Ok(512), Ok(512)),
            ("3b", Ok(1536), Ok(1536)),
            ("1k", Ok(1 << 10), Ok(1 << 10)),
            ("2M", Ok(2 << 20), Ok(2 << 20)),
            ("1m", Err(Invalid), Err(Invalid)),
            ("1MB", Ok(1_000_000), Ok(1_000_000)),
            ("1KiB", Ok(1 << 10), Err(Invalid)),
            ("10B", Ok(10), Err(Invalid)),
            ("2x512", Ok(1024), Err(Invalid)),
            ("2x3x4k", Ok(24 << 10), Err(Invalid)),
            ("1y", Err(Invalid), Err(Invalid)),
            ("x", Err(Invalid), Err(Invalid)),
            ("", Err(Invalid), Err(Invalid)),
            ("99999999999G", Err(Overflow), Err(Overflow)),
            ("99999999999999999999", Err(Overflow), Err(Overflow)),
            ("1Y", Err(Overflow), Err(Invalid)),
        ];
        for (text, gnu, busybox) in table {
            assert_eq!((gnu_number(text), busybox_number(text)), (gnu, busybox), "{text}");
        }
        let long = "1x".repeat(1_000_000);
        assert_eq!(gnu_number(&format!("{long}7")), Ok(7));
    }

    #[test]
    fn what_is_wrong_is_told_in_each_ones_words() {
        let wrong = |text: &str| Trouble::Wrong(format!("dd: {text}"));
        let misused = |text: &str| Trouble::Use(format!("dd: {text}"));
        let table = [
            (
                "bs=0",
                wrong("invalid number: ‘0’"),
                "number 0 is not in 1..9223372036854775807 range",
            ),
            ("count=one", wrong("invalid number: ‘one’"), "invalid number 'one'"),
            (
                "count=99999999999G",
                wrong("invalid number: ‘99999999999G’: Value too large for defined data type"),
                "number 99999999999G is not in 0..18446744073709551615 range",
            ),
            (
                "conv=notrunc,no",
                misused("invalid conversion: ‘no’"),
                "invalid argument 'no' to 'conv'",
            ),
            (
                "iflag=fast",
                misused("invalid input flag: ‘fast’"),
                "invalid argument 'fast' to 'iflag'",
            ),
            (
                "oflag=fullblock",
                misused("invalid output flag: ‘fullblock’"),
                "invalid argument 'fullblock' to 'oflag'",
            ),
            (
                "status=all",
                misused("invalid status level: ‘all’"),
                "invalid argument 'all' to 'status'",
            ),
        ];
        for (args, gnu, busybox) in table {
            assert_eq!(read(args, false).unwrap_err(), gnu);
            assert_eq!(read(args, true).unwrap_err(), wrong(busybox));
        }
        let both = read("conv=lcase conv=ucase", false).unwrap_err();
        assert_eq!(both, wrong("cannot combine lcase and ucase"));
        assert_eq!(read("bytes=1", true).unwrap_err(), misused("unrecognized operand ‘bytes=1’"));
    }

    #[test]
    fn blocks_are_as_each_takes_them() {
        for (args, gnu, busybox) in [
            ("bs=4 ibs=2", ([4, 4], false), ([2, 4], true)),
            ("ibs=2", ([2, 512], true), ([2, 512], true)),
            ("skip=1", ([512, 512], true), ([512, 512], false)),
            ("bs=4 conv=swab", ([4, 4], true), ([4, 4], false)),
        ] {
            for (want, is_busybox) in [(gnu, false), (busybox, true)] {
                let operands = read(args, is_busybox).unwrap();
                assert_eq!((operands.blocks, operands.two_buffers), want, "{args} {is_busybox}");
            }
        }
        let operands = read("count=3kB skip=2 seek=5 oflag=seek_bytes", false).unwrap();
        let counts = [operands.count.unwrap(), operands.skip, operands.seek];
        assert_eq!(counts.map(|count| count.bytes(512)), [Some(3_000), Some(1_024), Some(5)]);
    }
}
