//! Lesson files, steps, checks, progress.

mod format;

pub use format::{
    Check, CommandCondition, Condition, CountCondition, FileCondition, Lesson, ObjectCondition,
    StepText, Text,
};
