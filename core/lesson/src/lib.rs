//! Lesson files, steps, checks, progress.

mod check;
pub mod course;
mod format;
mod library;
mod parse;
mod place;
mod record;
mod rehearse;
mod rules;
mod scene;

pub use format::{
    AbsentCondition, CauseCondition, Check, Choice, CommandCondition, CountCondition,
    FileCondition, HttpCondition, JsonPathCondition, Lesson, Look, ObjectCondition, Question,
    StepText, Term, Text, View, Wait, schema,
};
pub use library::{Glossary, LessonFile, LessonHead, built_in, built_in_glossary, built_in_heads};
pub use parse::{LessonError, parse_glossary};
pub use place::Place;
pub use rehearse::{Booted, Playing, Ran, Rehearsal, Wanted};
pub use rules::{Known, Problem};
pub use scene::Scene;
