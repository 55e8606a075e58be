//! `perl`, as far as every Job's lesson needs it: `perl -Mbignum=bpi -wle 'print bpi(2000)'`.

use naru_shell::{Program, Step, Sys};
use naru_sim::Time;
use std::time::Duration;

/// Digits that one run may ask for.
const DIGITS_MAX: usize = 5_000;

/// Nanoseconds of a processor for each digit and each digit before it, about as Math::BigFloat without
/// a library in C takes them.
const NANOS_PER_PAIR: u64 = 2_000;

/// Prints digits of pi, and says so when asked for anything else.
#[derive(Clone, Debug, Default)]
pub struct Perl {
    /// When it has them.
    done: Option<Time>,
}

impl Program for Perl {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let digits = sys.args().iter().find_map(|arg| asked_digits(arg));
        match digits {
            Some(digits) if digits <= DIGITS_MAX => {
                let done = *self.done.get_or_insert_with(|| sys.now() + sys.burn(time_for(digits)));
                if sys.now() < done {
                    return Step::Block { until: Some(done) };
                }
                let _ = sys.write(1, format!("{}\n", pi(digits)).as_bytes());
                Step::Exit(0)
            }
            Some(_) => fail(sys, &format!("the sandbox prints at most {DIGITS_MAX} digits")),
            None => fail(sys, "the sandbox's perl only knows `print bpi(DIGITS)`"),
        }
    }
}

fn time_for(digits: usize) -> Duration {
    let digits = digits as u64;
    Duration::from_nanos(digits * digits * NANOS_PER_PAIR)
}

fn fail(sys: &mut dyn Sys, why: &str) -> Step {
    let _ = sys.write(2, format!("perl: {why}\n").as_bytes());
    Step::Exit(2)
}

fn asked_digits(arg: &str) -> Option<usize> {
    let (_, rest) = arg.split_once("print bpi(")?;
    rest.split_once(')')?.0.trim().parse().ok()
}

/// Pi, correct to this many digits, the last one rounded, as Math::BigFloat's `bpi` gives it.
fn pi(digits: usize) -> String {
    // Rabinowitz and Wagon's spigot, one digit more than is shown for the rounding.
    let wanted = digits.max(1) + 1;
    let mut text = spigot(wanted + 8);
    text.truncate(wanted);
    let last = text.pop().unwrap_or(0);
    if last >= 5 {
        for digit in text.iter_mut().rev() {
            *digit += 1;
            if *digit < 10 {
                break;
            }
            *digit = 0;
        }
    }
    let mut out = String::with_capacity(digits + 1);
    for (index, digit) in text.iter().enumerate() {
        if index == 1 {
            out.push('.');
        }
        out.push(char::from(b'0' + digit));
    }
    out
}

fn spigot(count: usize) -> Vec<u8> {
    let length = count * 10 / 3 + 2;
    let mut remainders = vec![2_u64; length];
    let mut digits: Vec<u8> = Vec::with_capacity(count + 1);
    while digits.len() <= count {
        let mut carry = 0;
        for (index, remainder) in remainders.iter_mut().enumerate().rev() {
            let i = index as u64;
            let value = *remainder * 10 + carry * (i + 1);
            if index == 0 {
                *remainder = value % 10;
                push_digit(&mut digits, value / 10);
            } else {
                *remainder = value % (2 * i + 1);
                carry = value / (2 * i + 1);
            }
        }
    }
    digits
}

/// Adds a "digit" that may be 10 or more: what is over goes to the digits before.
fn push_digit(digits: &mut Vec<u8>, value: u64) {
    let mut over = value / 10;
    digits.push((value % 10) as u8);
    for digit in digits.iter_mut().rev().skip(1) {
        if over == 0 {
            break;
        }
        let sum = u64::from(*digit) + over;
        *digit = (sum % 10) as u8;
        over = sum / 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_pi() {
        assert_eq!(pi(1), "3");
        assert_eq!(pi(5), "3.1416");
        assert_eq!(pi(50), "3.1415926535897932384626433832795028841971693993751");
        // The first 1,000 digits end in 216420198, and the next one is 9.
        assert!(pi(1000).ends_with("216420199"));
    }

    #[test]
    fn what_is_asked() {
        assert_eq!(asked_digits("print bpi(2000)"), Some(2000));
        assert_eq!(asked_digits("-Mbignum=bpi"), None);
    }
}
