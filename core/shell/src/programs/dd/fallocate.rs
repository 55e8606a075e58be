//! `fallocate`: gives a file room on a disk.
//!
//! Upstream: util-linux 2.38 `sys-utils/fallocate.c` and `lib/strutils.c`, Busybox 1.37
//! `util-linux/fallocate.c`.

use crate::programs::tool::{Options, Out, is_busybox};
use crate::{Errno, Sys};

/// `fallocate -l size file`
pub fn run(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
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

/// A number with its unit: `512`, `1M` (of 1024 each), `1MB` (of 1000 each).
fn size(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    let mut letters = unit.chars();
    let power = match letters.next().map(|letter| letter.to_ascii_uppercase()) {
        None => 0,
        Some('K') => 1,
        Some('M') => 2,
        Some('G') => 3,
        Some('T') => 4,
        Some('P') => 5,
        Some('E') => 6,
        Some(_) => return None,
    };
    let base: u64 = match letters.as_str() {
        "" | "iB" => 1_024,
        "B" => 1_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(base.checked_pow(power)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        let table = [
            ("512", Some(512)),
            ("1k", Some(1 << 10)),
            ("2MiB", Some(2 << 20)),
            ("3g", Some(3 << 30)),
            ("1MB", Some(1_000_000)),
            ("1y", None),
            ("2x512", None),
            ("", None),
            ("99999999999G", None),
        ];
        for (text, want) in table {
            assert_eq!(size(text), want, "{text}");
        }
    }
}
