//! How far a person has come in each lesson.

use crate::keep;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const NAME: &str = "progress";

/// The steps done, by lesson.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    lessons: BTreeMap<String, BTreeSet<usize>>,
}

impl Progress {
    /// As it was kept.
    pub fn load() -> Progress {
        keep::load(NAME).unwrap_or_default()
    }

    /// The steps done of a lesson.
    pub fn of(&self, lesson: &str) -> BTreeSet<usize> {
        self.lessons.get(lesson).cloned().unwrap_or_default()
    }

    /// Notes that a step is done. Tells whether that is new.
    pub fn finish(&mut self, lesson: &str, step: usize) -> bool {
        let new = self.lessons.entry(lesson.to_owned()).or_default().insert(step);
        if new {
            keep::save(NAME, self);
        }
        new
    }

    /// Forgets what was done of a lesson.
    pub fn forget(&mut self, lesson: &str) {
        self.lessons.remove(lesson);
        keep::save(NAME, self);
    }
}
