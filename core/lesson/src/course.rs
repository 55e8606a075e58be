//! The table of `docs/course.md`: every heading of the five texts, and the lessons that teach it.
//!
//! Headings have keys, `c/pods-in-yaml`, by which lessons name them. The table is made of the
//! headings, and of what the lessons say that they follow.

use crate::Lesson;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// A heading of one of the texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// By which lessons name it.
    pub key: String,
    /// Its words.
    pub words: String,
}

/// The five texts: their letters, and what they are about.
const TEXTS: [(&str, &str); 5] = [
    ("a", "hello kubernetes"),
    ("b", "an introduction"),
    ("c", "notes on twenty sections"),
    ("d", "a cluster from scratch"),
    ("e", "services and networking"),
];

/// What stands where no lesson is.
const NONE: &str = "not yet";
/// Characters of a heading that are shown.
const WORDS_MAX: usize = 60;

const HEAD: &str = "\
# The course and the texts that it follows

The course follows five Korean texts. This table has each of their headings, in order, and the
lessons that teach what stands below it. A lesson says which headings it follows by their keys
(`material:` in its `lesson.yaml`); `naru lesson course` writes this table anew from that, and a test
compares the two.
";

/// The headings of a text: lines that begin with `#`, but not within code. `letter` is the text's.
pub fn headings(letter: &str, markdown: &str) -> Vec<Heading> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut fenced = false;
    let mut headings = Vec::new();
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        let Some(words) = words(line).filter(|_| !fenced) else { continue };
        let slug = slug(&words);
        let times = seen.entry(slug.clone()).or_default();
        *times += 1;
        let key = match times {
            1 => format!("{letter}/{slug}"),
            _ => format!("{letter}/{slug}-{times}"),
        };
        headings.push(Heading { key, words });
    }
    headings
}

/// The headings that a table has.
pub fn read(table: &str) -> Vec<Heading> {
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let key = cells.next()?.strip_suffix('`')?.to_owned();
        Some(Heading { key, words: cells.next()?.to_owned() })
    };
    table.lines().filter_map(row).collect()
}

/// The table. `lessons` are folders and what is in them.
pub fn write(headings: &[Heading], lessons: &BTreeMap<String, Lesson>) -> String {
    let mut text = HEAD.to_owned();
    let taught = |key: &str| {
        let teaches = |lesson: &Lesson| lesson.material.iter().any(|it| it == key);
        let links = lessons.iter().filter(|(_, lesson)| teaches(lesson));
        let links: Vec<String> =
            links.map(|(slug, _)| format!("[{slug}](../lessons/{slug}/lesson.yaml)")).collect();
        if links.is_empty() { NONE.to_owned() } else { links.join(", ") }
    };
    for (letter, about) in TEXTS {
        let _ = write!(
            text,
            "\n## {letter}: {about}\n\n| key | heading | lessons |\n| --- | --- | --- |\n"
        );
        for heading in headings.iter().filter(|it| it.key.starts_with(&format!("{letter}/"))) {
            let Heading { key, words } = heading;
            let _ = writeln!(text, "| `{key}` | {words} | {} |", taught(key));
        }
    }
    let known: BTreeSet<&str> = headings.iter().map(|it| it.key.as_str()).collect();
    let taught = known.iter().filter(|key| taught(key) != NONE).count();
    let _ = write!(text, "\n{taught} of {} headings are taught.\n", known.len());
    text
}

/// The words of a heading, as far as they are shown.
fn words(line: &str) -> Option<String> {
    let rest = line.trim_start_matches('#');
    let level = line.len() - rest.len();
    if !(1..=6).contains(&level) || !(rest.is_empty() || rest.starts_with(' ')) {
        return None;
    }
    // Of a link, only what is read; of a line break, nothing.
    let rest = rest.replace("<br>", " ");
    let rest = rest.split("](").next().unwrap_or_default().replace(['[', '|', '`'], "");
    let words: Vec<&str> = rest.split_whitespace().collect();
    let words: String = words.join(" ").chars().take(WORDS_MAX).collect();
    (!words.is_empty()).then(|| words.trim_end().to_owned())
}

/// Letters and digits of any script; `-` for what is between them.
fn slug(words: &str) -> String {
    let mut slug = String::new();
    for letter in words.chars().flat_map(char::to_lowercase) {
        if letter.is_alphanumeric() {
            slug.push(letter);
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_have_keys() {
        let text = "# 파드 (Pod) 만들기\n```sh\n# no heading\n```\n## x\n### x\n#\n#tag\n#### [API](https://a/)\n";
        let keys: Vec<String> = headings("a", text).into_iter().map(|it| it.key).collect();
        assert_eq!(keys, ["a/파드-pod-만들기", "a/x", "a/x-2", "a/api"]);
    }

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let headings = headings("b", "# one\n## two | three\n");
        let table = write(&headings, &BTreeMap::new());
        assert_eq!(read(&table), headings);
        assert!(table.contains("| `b/one` | one | not yet |"), "{table}");
        assert!(table.contains("0 of 2 headings"), "{table}");
    }
}
