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

/// What a list of lessons shows of one, without its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LessonHead {
    /// The name of its folder: `0101-first-pod`.
    pub slug: &'static str,
    /// Its title in Korean and in English.
    pub title: (&'static str, &'static str),
    /// Minutes that it takes.
    pub minutes: u32,
    /// The part of the course that it belongs to.
    pub part: u32,
    /// How many steps it has.
    pub steps: u32,
}

/// Terms by the names by which lessons call them: `label-selector`.
pub type Glossary = BTreeMap<String, Term>;

/// Every lesson of `lessons/`, in order.
pub fn built_in() -> &'static [LessonFile] {
    include!(concat!(env!("OUT_DIR"), "/lessons.rs"))
}

/// What a list shows of every lesson of `lessons/`, in order.
pub fn built_in_heads() -> &'static [LessonHead] {
    include!(concat!(env!("OUT_DIR"), "/heads.rs"))
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
        assert_eq!(built_in().len(), built_in_heads().len());
        for (file, head) in built_in().iter().zip(built_in_heads()) {
            let lesson = match Lesson::parse(file.yaml) {
                Ok(lesson) => lesson,
                Err(error) => panic!("{}: {error}", file.slug),
            };
            let LessonHead { slug, title, minutes, part, steps } = *head;
            assert_eq!(slug, file.slug);
            assert_eq!(title, (lesson.title.ko.as_str(), lesson.title.en.as_str()));
            assert_eq!((minutes, part), (lesson.minutes, lesson.part));
            assert_eq!(steps as usize, lesson.steps.len());
        }
        assert!(!parse_glossary(built_in_glossary()).unwrap().is_empty());
    }
}
