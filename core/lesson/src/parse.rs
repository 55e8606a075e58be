//! Reading lesson files.

use crate::{Glossary, Lesson};
use serde::de::DeserializeOwned;

/// Why a lesson file is not a lesson.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LessonError {
    /// Not YAML, or not of the format; the text names the line.
    #[error("{text}")]
    Format {
        /// What is wrong.
        text: String,
        /// On which line, from 1.
        line: usize,
    },
    /// More than a lesson may hold.
    #[error("{what}: {found}, at most {most} allowed")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much there may be.
        most: usize,
    },
}

impl LessonError {
    /// The line of the file on which it is, from 1.
    pub fn line(&self) -> usize {
        match self {
            LessonError::Format { line, .. } => *line,
            LessonError::TooLarge { .. } => 1,
        }
    }
}

impl Lesson {
    /// Bytes of a lesson file at most.
    pub const BYTES_MAX: usize = 256 * 1024;
    /// Steps of a lesson at most.
    pub const STEPS_MAX: usize = 50;

    /// Reads a lesson file.
    pub fn parse(yaml: &str) -> Result<Lesson, LessonError> {
        let lesson: Lesson = read(yaml, Self::BYTES_MAX)?;
        within("steps", lesson.steps.len(), Self::STEPS_MAX)?;
        Ok(lesson)
    }
}

/// Bytes of the glossary at most.
const GLOSSARY_BYTES_MAX: usize = 1024 * 1024;

/// Reads `lessons/glossary.yaml`.
pub fn parse_glossary(yaml: &str) -> Result<Glossary, LessonError> {
    read(yaml, GLOSSARY_BYTES_MAX)
}

fn read<T: DeserializeOwned>(yaml: &str, bytes_max: usize) -> Result<T, LessonError> {
    within("bytes", yaml.len(), bytes_max)?;
    serde_yaml::from_str(yaml).map_err(|error| LessonError::Format {
        line: error.location().map_or(1, |at| at.line()),
        text: error.to_string(),
    })
}

fn within(what: &'static str, found: usize, most: usize) -> Result<(), LessonError> {
    if found > most { Err(LessonError::TooLarge { what, found, most }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "title: {ko: 가, en: a}\nsummary: {ko: 나, en: b}\npart: 1\nminutes: 5\n";

    #[test]
    fn reads_steps_and_checks() {
        let yaml = format!(
            "{HEAD}steps:\n- title: {{ko: 다, en: c}}\n  text: {{ko: 라, en: d}}\n  wait: 2m\n  \
             checks:\n  - says: {{ko: 마, en: e}}\n    count: {{apiVersion: v1, kind: Pod, is: 3}}\n"
        );
        let lesson = Lesson::parse(&yaml).unwrap();
        assert_eq!(lesson.profile, "kind");
        assert_eq!(lesson.steps[0].wait.0.as_secs(), 120);
        assert_eq!(lesson.steps[0].checks[0].count.as_ref().unwrap().is, Some(3));
    }

    #[test]
    fn says_where_it_is_wrong() {
        let step = "steps:\n- title: {ko: 다, en: c}\n  text: {ko: 라, en: d}\n";
        for (yaml, line, expected) in [
            (format!("{HEAD}steps: []\nstep: []\n"), 6, "unknown field `step`"),
            (format!("{HEAD}steps:\n- title: 1\n"), 6, "title"),
            (format!("{HEAD}{step}  wiat: 3s\n"), 8, "unknown field `wiat`"),
            // What a type of ours refuses is told of the step that holds it.
            (format!("{HEAD}{step}  wait: soon\n"), 6, "no time such as"),
            (
                format!("{HEAD}{step}  checks:\n  - says: {{ko: a, en: b}}\n    fiel: 1\n"),
                10,
                "fiel",
            ),
            ("title: [".to_owned(), 1, "title"),
            ("x".repeat(Lesson::BYTES_MAX + 1), 1, "at most"),
        ] {
            let error = Lesson::parse(&yaml).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(error.line(), line, "{error}");
        }
    }
}
