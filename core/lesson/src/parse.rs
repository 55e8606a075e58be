//! Reading lesson files.

use crate::Lesson;

/// Why a lesson file is not a lesson.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LessonError {
    /// Not YAML, or not of the format; the text names the line.
    #[error("{0}")]
    Format(String),
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

impl Lesson {
    /// Bytes of a lesson file at most.
    pub const BYTES_MAX: usize = 256 * 1024;
    /// Steps of a lesson at most.
    pub const STEPS_MAX: usize = 50;

    /// Reads a lesson file.
    pub fn parse(yaml: &str) -> Result<Lesson, LessonError> {
        within("bytes", yaml.len(), Self::BYTES_MAX)?;
        let lesson: Lesson =
            serde_yaml::from_str(yaml).map_err(|error| LessonError::Format(error.to_string()))?;
        within("steps", lesson.steps.len(), Self::STEPS_MAX)?;
        Ok(lesson)
    }
}

fn within(what: &'static str, found: usize, most: usize) -> Result<(), LessonError> {
    if found > most { Err(LessonError::TooLarge { what, found, most }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "title: {ko: 가, en: a}\nsummary: {ko: 나, en: b}\nminutes: 5\n";

    #[test]
    fn reads_steps_and_checks() {
        let yaml = format!(
            "{HEAD}steps:\n- title: {{ko: 다, en: c}}\n  text: {{ko: 라, en: d}}\n  checks:\n  \
             - says: {{ko: 마, en: e}}\n    count: {{apiVersion: v1, kind: Pod, is: 3}}\n"
        );
        let lesson = Lesson::parse(&yaml).unwrap();
        assert_eq!(lesson.profile, "kind");
        assert_eq!(lesson.steps[0].checks.len(), 1);
    }

    #[test]
    fn says_where_it_is_wrong() {
        for (yaml, expected) in [
            (format!("{HEAD}steps: []\nstep: []\n"), "unknown field `step`"),
            (format!("{HEAD}steps:\n- title: 1\n"), "line 5"),
            ("title: [".to_owned(), "line"),
            ("x".repeat(Lesson::BYTES_MAX + 1), "at most"),
        ] {
            let error = Lesson::parse(&yaml).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
