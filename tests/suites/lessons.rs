//! Every built-in lesson, played by nobody; the table of the course; the schema of the format.

#![allow(clippy::unwrap_used)]

use naru_cluster::Cluster;
use naru_lesson::{
    Booted, Known, Lesson, LessonFile, built_in, built_in_glossary, course, parse_glossary,
};
use naru_tests::{Outcome, compare};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn table() -> String {
    fs::read_to_string(repository().join("docs/course.md")).unwrap()
}

fn lessons() -> BTreeMap<String, Lesson> {
    let parse = |file: &LessonFile| (file.slug.to_owned(), Lesson::parse(file.yaml).unwrap());
    built_in().iter().map(parse).collect()
}

/// Steps are done by their commands and not before; what is quoted was printed; no rule is broken.
#[test]
fn every_lesson_is_good() {
    let lessons = lessons();
    let known = Known {
        lessons: lessons.keys().cloned().collect(),
        terms: parse_glossary(built_in_glossary()).unwrap().into_keys().collect(),
        headings: Some(course::read(&table()).into_iter().map(|heading| heading.key).collect()),
    };
    let lessons: Vec<(String, Lesson)> = lessons.into_iter().collect();
    let (next, clusters) = (AtomicUsize::new(0), Mutex::new(Booted::default()));
    let work = || {
        let mut wrong = Vec::new();
        while let Some((slug, lesson)) = lessons.get(next.fetch_add(1, Ordering::Relaxed)) {
            wrong.extend(problems(slug, lesson, &known, &clusters));
        }
        wrong
    };
    let wrong: Vec<String> = thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let started: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        started.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}\nSee `naru lesson check --show`.", wrong.join("\n"));
}

fn problems(slug: &str, lesson: &Lesson, known: &Known, clusters: &Mutex<Booted>) -> Vec<String> {
    let equip = |cluster: &mut Cluster| {
        cluster.carry_openapi(|| naru_apiserver::rest::Schemas::new(naru_schemas::json()?));
    };
    let mut cluster = clusters.lock().unwrap().cluster(lesson, equip).unwrap();
    let rehearsal = lesson.rehearse(&mut cluster);
    let mut problems = lesson.problems(slug, known);
    problems.extend(rehearsal.problems);
    let mut told: Vec<String> =
        problems.iter().map(|it| format!("{slug}: {}: {}", it.place, it.text)).collect();
    for (step, ran) in lesson.steps.iter().zip(&rehearsal.steps) {
        let outcomes: Vec<(&str, Outcome)> = ran
            .iter()
            .map(|ran| {
                let (stdout, stderr) = (ran.result.stdout.clone(), ran.result.stderr.clone());
                (ran.command.as_str(), Outcome { code: ran.result.code, stdout, stderr })
            })
            .collect();
        for text in [&step.text.ko, &step.text.en] {
            let wrong = compare(text, &outcomes).into_iter();
            told.extend(wrong.map(|(_, error)| format!("{slug}: {}: {error}", step.title.en)));
        }
    }
    told
}

#[test]
fn the_table_of_the_course_says_what_the_lessons_say() {
    let headings = course::read(&table());
    assert_eq!(table(), course::write(&headings, &lessons()), "write it: naru lesson course");
}

/// The texts are no part of the repository: they are looked at where they lie beside it.
#[test]
fn the_table_of_the_course_has_every_heading() {
    let folder = repository().join("../shared/material");
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("not compared: {} is not there", folder.display());
        return;
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut wanted = Vec::new();
    for file in files {
        let letter = &file.file_name().unwrap().to_str().unwrap()[..1];
        wanted.extend(course::headings(letter, &fs::read_to_string(&file).unwrap()));
    }
    assert_eq!(course::read(&table()), wanted, "write it: naru lesson course --material FOLDER");
}

#[test]
fn the_schema_is_that_of_the_format() {
    let schema = fs::read_to_string(repository().join("lessons/schema.json")).unwrap();
    let now = serde_json::to_string_pretty(&naru_lesson::schema()).unwrap() + "\n";
    assert_eq!(schema, now, "write it: naru lesson schema > lessons/schema.json");
}
