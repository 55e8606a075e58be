//! Lists of indexes: `1,3-5,7`.
//!
//! Upstream: `validateIndexesFormat`, `validateFailedIndexesNotOverlapCompleted` in
//! `pkg/apis/batch/validation/validation.go`.

use crate::gofmt::quote;

/// How many indexes a list names, each below `completions`; the error is upstream's.
pub(super) fn count(list: &str, completions: i32) -> Result<i32, String> {
    let mut last = None;
    let mut total = 0_i32;
    for text in list.split(',').filter(|_| !list.is_empty()) {
        let (first, end) = interval(text, completions)?;
        if let Some(last) = last.filter(|last| *last >= first) {
            return Err(format!("non-increasing order, previous: {last}, current: {first}"));
        }
        total = total.saturating_add(end - first + 1);
        last = Some(end);
    }
    Ok(total)
}

/// What is wrong when an index is both failed and completed.
pub(super) fn overlap(completed: &str, failed: &str, completions: i32) -> Option<String> {
    // What cannot be read is told elsewhere.
    let intervals = |list: &str| -> Vec<(i32, i32)> {
        list.split(',').filter_map(|text| interval(text, completions).ok()).collect()
    };
    let (completed, failed) = (intervals(completed), intervals(failed));
    let (mut done, mut lost) = (completed.iter().peekable(), failed.iter().peekable());
    while let (Some((a, b)), Some((x, y))) = (done.peek(), lost.peek()) {
        if a <= y && x <= b {
            let index = a.max(x);
            return Some(format!("failedIndexes and completedIndexes overlap at index: {index}"));
        }
        if a <= x {
            done.next()
        } else {
            lost.next()
        };
    }
    None
}

fn interval(text: &str, completions: i32) -> Result<(i32, i32), String> {
    let index = |text: &str| {
        let number: i32 = text
            .parse()
            .map_err(|_| format!("cannot convert string to integer for index: {}", quote(text)))?;
        if number >= completions {
            return Err(format!("too large index: {}", quote(text)));
        }
        Ok(number)
    };
    let parts: Vec<&str> = text.split('-').collect();
    match parts.as_slice() {
        [one] => index(one).map(|one| (one, one)),
        [first, last] => {
            let (first, last) = (index(first)?, index(last)?);
            if first >= last {
                return Err(format!("non-increasing order, previous: {first}, current: {last}"));
            }
            Ok((first, last))
        }
        _ => Err(format!(
            "the fragment {} violates the requirement that an index interval can have at most two \
             parts separated by '-'",
            quote(text)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let table = [
            ("", Ok(0)),
            ("1", Ok(1)),
            ("1,3-5,7", Ok(5)),
            ("3,1", Err("non-increasing order, previous: 3, current: 1")),
            ("5-3", Err("non-increasing order, previous: 5, current: 3")),
            ("10", Err("too large index: \"10\"")),
            ("a", Err("cannot convert string to integer for index: \"a\"")),
            (
                "1-2-3",
                Err("the fragment \"1-2-3\" violates the requirement that an index interval can \
                     have at most two parts separated by '-'"),
            ),
        ];
        for (list, wanted) in table {
            assert_eq!(count(list, 10), wanted.map_err(str::to_owned), "{list}");
        }
    }

    #[test]
    fn overlaps() {
        assert_eq!(overlap("0,2-4", "1,5", 10), None);
        let text = "failedIndexes and completedIndexes overlap at index: 3";
        assert_eq!(overlap("0,2-4", "3", 10).as_deref(), Some(text));
        assert_eq!(overlap("", "3", 10), None);
    }
}
