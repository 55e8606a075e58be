//! `echo`

use super::tool::Out;
use crate::Sys;
use crate::shell::escape::unescape;

/// What `echo` prints. With `options`, `-n`, `-e` and `-E` are understood (bash, busybox);
/// without, only `-n` is, and escapes always are (dash).
pub fn text(args: &[String], options: bool) -> Vec<u8> {
    let mut newline = true;
    let mut escapes = !options;
    let mut rest = args;
    while let [first, tail @ ..] = rest {
        let flags = first.strip_prefix('-').unwrap_or_default();
        let known = if options { "neE" } else { "n" };
        if flags.is_empty() || !flags.chars().all(|flag| known.contains(flag)) {
            break;
        }
        for flag in flags.chars() {
            match flag {
                'n' => newline = false,
                flag => escapes = flag == 'e',
            }
        }
        rest = tail;
    }
    let joined = rest.join(" ");
    let (mut bytes, stopped) =
        if escapes { unescape(&joined) } else { (joined.into_bytes(), false) };
    if newline && !stopped {
        bytes.push(b'\n');
    }
    bytes
}

/// The program.
pub fn run(_sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    out.put(text(args, true));
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flavors() {
        for (args, options, expected) in [
            ("-n a b", true, "a b"),
            ("-e a\\tb", true, "a\tb\n"),
            ("a\\tb", true, "a\\tb\n"),
            ("a\\tb", false, "a\tb\n"),
            ("-e x", false, "-e x\n"),
            ("-x y", true, "-x y\n"),
        ] {
            let args: Vec<String> = args.split(' ').map(str::to_string).collect();
            assert_eq!(text(&args, options), expected.as_bytes(), "{args:?}");
        }
    }
}
