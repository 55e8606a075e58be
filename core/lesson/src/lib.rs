//! Lesson files, steps, checks, progress.

mod check;
mod format;
mod library;
mod parse;

pub use format::{
    Check, CommandCondition, Condition, CountCondition, FileCondition, Lesson, ObjectCondition,
    StepText, Text,
};
pub use library::{LessonFile, built_in};
pub use parse::LessonError;
