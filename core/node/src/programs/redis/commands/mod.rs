//! What the commands do to keys and values, one file a kind of value.

mod hashes;
mod keys;
mod lists;
mod sets;
mod sorted;
mod strings;
mod table;

pub use table::find;

use super::db::Db;
use naru_sim::Time;

pub const WRONG_TYPE: &str =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
pub const NOT_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";
pub const NOT_FLOAT: &str = "-ERR value is not a valid float\r\n";
pub const SYNTAX: &str = "-ERR syntax error\r\n";

/// Does a command on a database; the answer is RESP. `None` for a name that is none of these.
pub fn run(db: &mut Db, name: &str, args: &[&str], now: Time) -> Option<String> {
    let of_kind = [keys::run, strings::run, lists::run, hashes::run, sets::run, sorted::run];
    of_kind.iter().find_map(|run| run(db, name, args, now))
}

/// The places from `start` to `end` of so many, which count from the end if negative.
pub fn range(start: i64, end: i64, length: usize) -> (usize, usize) {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let place = |at: i64| if at < 0 { at.saturating_add(length) } else { at };
    let (from, to) = (place(start).max(0), place(end).saturating_add(1).clamp(0, length));
    (usize::try_from(from).unwrap_or(usize::MAX), usize::try_from(to).unwrap_or(0))
}

/// Redis' glob patterns, as far as `*` and `?` go.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let mut reach = vec![false; text.len() + 1];
    if let Some(first) = reach.first_mut() {
        *first = true;
    }
    for part in pattern {
        let mut next = vec![false; text.len() + 1];
        let mut open = false;
        for (at, slot) in next.iter_mut().enumerate() {
            let here = reach.get(at).copied().unwrap_or(false);
            let before = at.checked_sub(1);
            let one = before.and_then(|at| reach.get(at).copied()).unwrap_or(false);
            let letter = before.and_then(|at| text.get(at));
            open |= here;
            *slot = match part {
                '*' => open,
                '?' => one,
                other => one && letter == Some(&other),
            };
        }
        reach = next;
    }
    reach.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, fits) in
            [("*", "a", true), ("a*", "abc", true), ("a?c", "abc", true), ("b*", "abc", false)]
        {
            assert_eq!(matches(pattern, text), fits, "{pattern}");
        }
    }

    #[test]
    fn ranges() {
        let table = [((0, -1), (0, 3)), ((-2, -1), (1, 3)), ((0, 9), (0, 3)), ((0, -9), (0, 0))];
        for ((start, end), expected) in table {
            assert_eq!(range(start, end, 3), expected, "{start} {end}");
        }
    }
}
