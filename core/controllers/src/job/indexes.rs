//! Sets of completion indexes, written as `0,2-4`.
//!
//! Upstream: `orderedIntervals` in `pkg/controller/job/indexed_job_utils.go`.

use std::fmt;

/// Indexes as intervals, both ends in them, in order and with gaps between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Intervals(Vec<(i32, i32)>);

impl Intervals {
    /// Reads a list, without what is not below `completions`. What cannot be read is left out.
    pub fn parse(list: &str, completions: i32) -> Self {
        let mut found = Intervals::default();
        for text in list.split(',') {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            let (Ok(first), Ok(last)) = (first.parse::<i32>(), last.parse::<i32>()) else {
                continue;
            };
            if first >= completions {
                break;
            }
            found.push((first, last.min(completions - 1)));
        }
        found
    }

    /// Single indexes in rising order.
    pub fn of(indexes: impl IntoIterator<Item = i32>) -> Self {
        let mut found = Intervals::default();
        for index in indexes {
            found.push((index, index));
        }
        found
    }

    /// What is in either.
    pub fn merge(&self, other: &Intervals) -> Intervals {
        let mut all = [self.0.as_slice(), &other.0].concat();
        all.sort_unstable();
        let mut merged = Intervals::default();
        for interval in all {
            merged.push(interval);
        }
        merged
    }

    /// How many indexes there are.
    pub fn total(&self) -> i32 {
        self.0.iter().map(|(first, last)| last - first + 1).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn has(&self, index: i32) -> bool {
        let at = self.0.partition_point(|(_, last)| *last < index);
        self.0.get(at).is_some_and(|(first, _)| *first <= index)
    }

    /// How many indexes are in both.
    pub fn overlap(&self, other: &Intervals) -> i32 {
        let (mut mine, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut count = 0;
        while let (Some((a, b)), Some((x, y))) = (mine.peek(), theirs.peek()) {
            count += (b.min(y) - a.max(x) + 1).max(0);
            if b <= y {
                mine.next()
            } else {
                theirs.next()
            };
        }
        count
    }

    /// The first `count` indexes below `completions` that are not here.
    pub fn missing(&self, count: usize, completions: i32) -> Vec<i32> {
        let mut found = Vec::new();
        let mut candidate = 0;
        let end = (completions, completions);
        for (first, last) in self.0.iter().chain([&end]) {
            let gap = (candidate..(*first).min(completions)).take(count - found.len());
            found.extend(gap);
            candidate = candidate.max(last.saturating_add(1));
        }
        found
    }

    /// Adds an interval that does not begin before the last one.
    fn push(&mut self, (first, last): (i32, i32)) {
        match self.0.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = (*end).max(last),
            _ => self.0.push((first, last)),
        }
    }
}

impl fmt::Display for Intervals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (first, last)) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(",")?;
            }
            match last - first {
                0 => write!(f, "{first}")?,
                1 => write!(f, "{first},{last}")?,
                _ => write!(f, "{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        let table = [
            ("", "", 0),
            ("3", "3", 1),
            ("1,2", "1,2", 2),
            ("1,2,3", "1-3", 3),
            ("0-2,4,6-7", "0-2,4,6,7", 6),
            ("x,2", "2", 1),
            ("8-12", "8,9", 2),
            ("10", "", 0),
        ];
        for (list, text, total) in table {
            let read = Intervals::parse(list, 10);
            assert_eq!((read.to_string().as_str(), read.total()), (text, total), "{list}");
        }
    }

    #[test]
    fn merges_and_finds_gaps() {
        let done = Intervals::parse("1-3,7", 10);
        assert!(done.has(1) && done.has(3) && done.has(7));
        assert!(!done.has(0) && !done.has(4) && !done.has(8));
        assert_eq!(done.merge(&Intervals::of([0, 5, 6])).to_string(), "0-3,5-7");
        assert_eq!(done.missing(3, 10), [0, 4, 5]);
        assert_eq!(done.missing(9, 10), [0, 4, 5, 6, 8, 9]);
        assert_eq!(done.missing(9, 6), [0, 4, 5]);
        assert_eq!(done.overlap(&Intervals::parse("0-2,7-9", 10)), 3);
    }
}
