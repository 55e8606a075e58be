//! The line of time: how far back and forth one can go, and what is marked on it.

use crate::protocol::{Mark, MarkKind, TimeView};
use std::collections::BTreeSet;

/// Marks kept; the oldest go first.
const MARKS_MAX: usize = 400;

/// The line of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// What the worker tells of it.
    pub view: TimeView,
    marks: BTreeSet<Mark>,
}

impl Timeline {
    /// Takes in what the worker tells. A way that is left takes its marks with it.
    pub fn take(&mut self, view: TimeView) {
        if view.live && view.branches.len() > self.view.branches.len() {
            self.forget_after(view.end);
        }
        self.view = view;
    }

    /// Forgets the marks after a moment.
    pub fn forget_after(&mut self, micros: u64) {
        self.marks.retain(|mark| mark.micros <= micros);
    }

    /// Marks something.
    pub fn mark(&mut self, mark: Mark) {
        self.marks.insert(mark);
        if self.marks.len() > MARKS_MAX {
            self.marks.pop_first();
        }
    }

    /// Marks that a pod is in trouble, but not again and again.
    pub fn mark_trouble(&mut self, micros: u64, text: String) {
        const ONCE_IN: u64 = 60_000_000;
        let recently = self.marks.iter().any(|mark| {
            mark.kind == MarkKind::Trouble
                && mark.text == text
                && mark.micros.abs_diff(micros) < ONCE_IN
        });
        if !recently {
            self.mark(Mark { micros, kind: MarkKind::Trouble, text });
        }
    }

    /// The marks, oldest first.
    pub fn marks(&self) -> impl DoubleEndedIterator<Item = &Mark> {
        self.marks.iter()
    }

    /// The latest moment, when this is the clock.
    pub fn end(&self, now: u64) -> u64 {
        self.view.end.max(now)
    }

    /// Where a moment is on the line, from 0 to 1.
    pub fn place(&self, micros: u64, now: u64) -> f64 {
        let (start, end) = (self.view.start, self.end(now));
        let all = end.saturating_sub(start).max(1) as f64;
        (micros.saturating_sub(start) as f64 / all).clamp(0.0, 1.0)
    }

    /// The mark before a moment.
    pub fn before(&self, micros: u64) -> Option<&Mark> {
        self.marks.iter().rev().find(|mark| mark.micros < micros)
    }

    /// The mark after a moment.
    pub fn after(&self, micros: u64) -> Option<&Mark> {
        self.marks.iter().find(|mark| mark.micros > micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(micros: u64) -> Mark {
        Mark { micros, kind: MarkKind::Command, text: format!("at {micros}") }
    }

    #[test]
    fn marks_are_found_before_and_after() {
        let mut line = Timeline::default();
        [10, 30, 20].into_iter().for_each(|micros| line.mark(mark(micros)));
        assert_eq!(line.before(20), Some(&mark(10)));
        assert_eq!(line.after(20), Some(&mark(30)));
        assert_eq!(line.before(10), None);
        assert_eq!(line.after(30), None);
    }

    #[test]
    fn a_branch_takes_its_marks_with_it() {
        let mut line = Timeline::default();
        [10, 30].into_iter().for_each(|micros| line.mark(mark(micros)));
        let view = TimeView { start: 0, end: 20, live: true, ..TimeView::default() };
        line.take(view.clone());
        assert_eq!(line.marks().count(), 2);
        line.take(TimeView { branches: vec![(20, 30)], ..view });
        assert_eq!(line.marks().count(), 1);
    }

    #[test]
    fn trouble_is_marked_once_in_a_while() {
        let mut line = Timeline::default();
        for seconds in [1, 2, 59, 62] {
            line.mark_trouble(seconds * 1_000_000, "web: CrashLoopBackOff".to_owned());
        }
        assert_eq!(line.marks().count(), 2);
    }

    #[test]
    fn moments_have_places() {
        let mut line = Timeline::default();
        line.take(TimeView { start: 10, end: 20, live: true, ..TimeView::default() });
        for (micros, now, place) in [(10, 20, 0.0), (20, 20, 1.0), (20, 30, 0.5), (0, 20, 0.0)] {
            assert_eq!(line.place(micros, now), place, "{micros} {now}");
        }
    }
}
