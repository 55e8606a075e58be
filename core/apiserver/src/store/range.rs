//! Ranges of keys.

use std::ops::Bound;

/// Keys from one on and before another one.
///
/// Upstream: `key` and `range_end` of etcd's `RangeRequest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    start: String,
    /// The first key that is not in the range any more; `None`: there is none.
    end: Option<String>,
}

impl KeyRange {
    /// All keys that begin with `prefix`.
    pub fn prefix(prefix: &str) -> Self {
        KeyRange { start: prefix.to_owned(), end: prefix_end(prefix) }
    }

    /// Just this key.
    pub fn key(key: &str) -> Self {
        KeyRange { start: key.to_owned(), end: Some(format!("{key}\0")) }
    }

    /// The keys from `start` on and before `end`.
    pub fn between(start: &str, end: &str) -> Self {
        KeyRange { start: start.to_owned(), end: Some(end.to_owned()) }
    }

    /// The keys from `start` on.
    pub fn all_from(start: &str) -> Self {
        KeyRange { start: start.to_owned(), end: None }
    }

    /// The same range, begun at `start`.
    #[must_use]
    pub fn starting_at(mut self, start: String) -> Self {
        self.start = start;
        self
    }

    /// Whether a key is in the range.
    pub fn contains(&self, key: &str) -> bool {
        key >= self.start.as_str() && self.end.as_deref().is_none_or(|end| key < end)
    }

    /// As maps take it; `None` when there is nothing in it.
    pub(super) fn bounds(&self) -> Option<(Bound<&str>, Bound<&str>)> {
        let end = match self.end.as_deref() {
            Some(end) if end <= self.start.as_str() => return None,
            Some(end) => Bound::Excluded(end),
            None => Bound::Unbounded,
        };
        Some((Bound::Included(&self.start), end))
    }
}

/// The first key after all that begin with `prefix`: its last character that has a successor is
/// replaced by it.
fn prefix_end(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        // The characters behind are those of UTF-16's surrogates.
        let next = if last == '\u{d7ff}' { '\u{e000}' as u32 } else { last as u32 + 1 };
        if let Some(next) = char::from_u32(next) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_at_its_successor() {
        let table = [
            ("/registry/pods/", Some("/registry/pods0")),
            ("a\u{10ffff}", Some("b")),
            ("\u{d7ff}", Some("\u{e000}")),
            ("\u{10ffff}", None),
            ("", None),
        ];
        for (prefix, end) in table {
            assert_eq!(prefix_end(prefix).as_deref(), end, "{prefix}");
        }
    }

    #[test]
    fn ranges_contain() {
        let table = [
            (KeyRange::prefix("/a/"), "/a/b", true),
            (KeyRange::prefix("/a/"), "/a0", false),
            (KeyRange::prefix("/a/"), "/a", false),
            (KeyRange::key("/a"), "/a", true),
            (KeyRange::key("/a"), "/a/b", false),
            (KeyRange::between("/a", "/c"), "/b", true),
            (KeyRange::between("/a", "/c"), "/c", false),
            (KeyRange::all_from("/b"), "/c", true),
            (KeyRange::prefix("/a/").starting_at("/a/c".to_owned()), "/a/b", false),
        ];
        for (range, key, wanted) in table {
            assert_eq!(range.contains(key), wanted, "{range:?} {key}");
        }
    }
}
