//! Whether sentences or files of other texts stand in a lesson.

use naru_lesson::{Lesson, Place, Problem, Text};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// So many words in a row, or more, are a sentence of somebody else's.
const WORDS: usize = 8;
/// So many lines of code in a row, or more, are a file of somebody else's.
const LINES: usize = 5;

/// What nothing may be taken from: runs, and where they stand.
#[derive(Default)]
pub struct Material {
    words: BTreeMap<Vec<String>, String>,
    lines: BTreeMap<Vec<String>, String>,
}

impl Material {
    /// Reads every `*.md` of a folder.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let tell = |error: std::io::Error| format!("{}: {error}", folder.display());
        let mut material = Material::default();
        let mut files: Vec<_> =
            fs::read_dir(folder).map_err(tell)?.flatten().map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|it| it == "md"));
        files.sort();
        if files.is_empty() {
            return Err(format!("{}: no *.md there", folder.display()));
        }
        for file in files {
            let text = fs::read_to_string(&file).map_err(tell)?;
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            material.learn(&name, &text);
        }
        Ok(material)
    }

    fn learn(&mut self, name: &str, text: &str) {
        let (prose, code) = parts(text);
        for run in words(&prose).windows(WORDS) {
            self.words.entry(run.to_vec()).or_insert_with(|| name.to_owned());
        }
        // What is no code to Markdown may be code all the same: a file that was pasted.
        for run in lines(&code).windows(LINES).chain(lines(&prose).windows(LINES)) {
            self.lines.entry(run.to_vec()).or_insert_with(|| name.to_owned());
        }
    }

    /// What a lesson has taken.
    pub fn problems(&self, lesson: &Lesson) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut texts: Vec<(Place, &Text)> = vec![
            (Place::root().field("title"), &lesson.title),
            (Place::root().field("summary"), &lesson.summary),
        ];
        for (name, content) in &lesson.files {
            problems.extend(self.code(&Place::root().field("files").field(name), content));
        }
        for (index, text) in lesson.learned.iter().enumerate() {
            texts.push((Place::root().field("learned").item(index), text));
        }
        for (index, step) in lesson.steps.iter().enumerate() {
            let place = Place::root().field("steps").item(index);
            texts.push((place.field("text"), &step.text));
            texts.extend(step.hints.iter().map(|hint| (place.field("hints"), hint)));
            for question in &step.quiz {
                texts.push((place.field("quiz"), &question.question));
                texts.push((place.field("quiz"), &question.because));
            }
            let typed = [("commands", &step.commands), ("solution", &step.solution)];
            for (field, commands) in typed {
                for (index, command) in commands.iter().enumerate() {
                    problems.extend(self.code(&place.field(field).item(index), command));
                }
            }
        }
        for (place, text) in texts {
            for (language, text) in [("ko", &text.ko), ("en", &text.en)] {
                let (prose, code) = parts(text);
                problems.extend(self.prose(&place.field(language), &prose));
                problems.extend(self.code(&place.field(language), &code));
            }
        }
        problems
    }

    fn prose(&self, place: &Place, text: &str) -> Option<Problem> {
        let words = words(text);
        let run = words.windows(WORDS).find(|run| self.words.contains_key(*run))?;
        Some(taken(place, self.words.get(run)?, &run.join(" ")))
    }

    fn code(&self, place: &Place, text: &str) -> Option<Problem> {
        let lines = lines(text);
        let run = lines.windows(LINES).find(|run| self.lines.contains_key(*run))?;
        Some(taken(place, self.lines.get(run)?, &run.join("; ")))
    }
}

fn taken(place: &Place, from: &str, what: &str) -> Problem {
    Problem { place: place.clone(), lines_below: 0, text: format!("stands in {from}: {what}") }
}

/// What is prose in Markdown, and what is code.
fn parts(text: &str) -> (String, String) {
    let (mut prose, mut code) = (String::new(), String::new());
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let part = if fenced { &mut code } else { &mut prose };
        part.push_str(line);
        part.push('\n');
    }
    (prose, code)
}

/// The words, without what is between them.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// The lines that hold something.
fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn material() -> Material {
        let mut material = Material::default();
        material.learn(
            "x.md",
            "One two three, four five six seven eight.\n```\na\nb\n\nc\nd\ne\n```\n",
        );
        material
    }

    #[test]
    fn eight_words_are_found_whatever_stands_between_them() {
        let place = Place::root();
        let found = |text: &str| material().prose(&place, text).is_some();
        assert!(found("zero **one** two three four (five) six seven eight nine"));
        assert!(!found("one two three four five six seven nine"));
    }

    #[test]
    fn five_lines_are_found_however_they_are_indented() {
        let place = Place::root();
        let found = |text: &str| material().code(&place, text).is_some();
        assert!(found("z\n  a\n  b\n  c\n  d\n  e\n"));
        assert!(!found("a\nb\nc\nd\nf\n"));
    }
}
