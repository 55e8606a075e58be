//! What somebody begins with who writes a lesson.

/// A lesson of one step, in both languages.
pub const TEMPLATE: &str = include_str!("draft.yaml");

/// The line of a file that a problem names: `12: steps[0]: …`, or `… at line 12 column 3`; 0 where
/// it names none.
pub fn line_of(problem: &str) -> u32 {
    let digits = |text: &str| -> String { text.chars().take_while(char::is_ascii_digit).collect() };
    let named = problem.split_once("line ").map(|(_, rest)| digits(rest)).unwrap_or_default();
    digits(problem).parse().or_else(|_| named.parse()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_lesson::{Known, Lesson};

    #[test]
    fn one_begins_with_a_lesson_that_is_right() {
        let lesson = Lesson::parse(TEMPLATE).unwrap();
        assert_eq!(lesson.problems("0101-my-lesson", &Known::default()), []);
    }

    #[test]
    fn problems_name_lines() {
        for (problem, line) in [
            ("12: steps[0].text: empty", 12),
            ("missing field `title` at line 3 column 1", 3),
            ("no line at all", 0),
        ] {
            assert_eq!(line_of(problem), line, "{problem}");
        }
    }
}
