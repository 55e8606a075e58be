//! What is built in: every lesson of `lessons/`, and the glossary.

use crate::Term;
use std::collections::BTreeMap;

/// A lesson file of `lessons/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LessonFile {
    /// The name of its folder: `0101-first-pod`.
    pub slug: &'static str,
    /// Its text: see [`crate::Lesson::parse`].
    pub yaml: &'static str,
}

/// Terms by the names by which lessons call them: `label-selector`.
pub type Glossary = BTreeMap<String, Term>;

/// Every lesson of `lessons/`, in order.
pub fn built_in() -> &'static [LessonFile] {
    include!(concat!(env!("OUT_DIR"), "/lessons.rs"))
}

/// The glossary's text: see [`crate::parse_glossary`].
pub fn built_in_glossary() -> &'static str {
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../lessons/glossary.yaml"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Lesson, parse_glossary};

    #[test]
    fn everything_can_be_read() {
        assert!(!built_in().is_empty());
        for file in built_in() {
            if let Err(error) = Lesson::parse(file.yaml) {
                panic!("{}: {error}", file.slug);
            }
        }
        assert!(!parse_glossary(built_in_glossary()).unwrap().is_empty());
    }
}
