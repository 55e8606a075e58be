//! Lesson files, steps, checks, progress.
