//! The lessons that are built in.

/// A lesson file of `lessons/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LessonFile {
    /// The name of its folder: `01-first-pod`.
    pub slug: &'static str,
    /// Its text: see [`crate::Lesson::parse`].
    pub yaml: &'static str,
}

/// Every lesson of `lessons/`, in order.
pub fn built_in() -> &'static [LessonFile] {
    include!(concat!(env!("OUT_DIR"), "/lessons.rs"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lesson;

    #[test]
    fn every_lesson_can_be_read() {
        assert!(!built_in().is_empty());
        for file in built_in() {
            if let Err(error) = Lesson::parse(file.yaml) {
                panic!("{}: {error}", file.slug);
            }
        }
    }
}
