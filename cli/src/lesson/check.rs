//! `naru lesson check`: what is wrong with lessons.

use super::against::Material;
use super::library::{self, Source};
use clap::Args;
use naru_cluster::Cluster;
use naru_lesson::{Booted, Known, Lesson, Place, Problem, Ran, Rehearsal, StepText};
use naru_tests::{Outcome, compare};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Arguments of `naru lesson check`.
#[derive(Args)]
pub struct Check {
    /// Lessons' folders, or folders with lessons.
    #[arg(default_value = "lessons")]
    paths: Vec<PathBuf>,
    /// Print what every command printed.
    #[arg(long, short)]
    show: bool,
    /// Do not play them.
    #[arg(long)]
    dry: bool,
    /// Texts (*.md) from which no run of eight words and of five lines of code may be taken.
    #[arg(long, value_name = "FOLDER")]
    against: Option<PathBuf>,
}

impl Check {
    /// Checks each; succeeds if nothing is wrong.
    pub fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let sources = library::find(&self.paths)?;
        let mut known = BTreeMap::new();
        for home in sources.iter().map(library::home) {
            if !known.contains_key(&home) {
                known.insert(home.clone(), library::known(&home)?);
            }
        }
        let material = self.against.as_deref().map(Material::read).transpose()?;
        let clusters = Mutex::new(Booted::default());
        let next = AtomicUsize::new(0);
        let failed = AtomicUsize::new(0);
        let work = || {
            while let Some(source) = sources.get(next.fetch_add(1, Ordering::Relaxed)) {
                let known = known.get(&library::home(source)).cloned().unwrap_or_default();
                let report = self.check(source, &known, material.as_ref(), &clusters);
                failed.fetch_add(usize::from(!report.good), Ordering::Relaxed);
                // Who reads only the first lines has what was asked for.
                let _ = io::stdout().write_all(report.text.as_bytes());
            }
        };
        let started = Instant::now();
        thread::scope(|scope| {
            let workers = thread::available_parallelism().map_or(1, usize::from);
            (0..workers.min(sources.len())).for_each(|_| drop(scope.spawn(work)));
        });
        let (all, failed) = (sources.len(), failed.into_inner());
        let _ =
            writeln!(io::stdout(), "{all} lessons, {failed} wrong, {}", seconds(started.elapsed()));
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn check(
        &self,
        source: &Source,
        known: &Known,
        material: Option<&Material>,
        clusters: &Mutex<Booted>,
    ) -> Report {
        let started = Instant::now();
        let mut report = Report::default();
        let lesson = match Lesson::parse(&source.yaml) {
            Ok(lesson) => lesson,
            Err(error) => {
                report.add(source, error.line(), &error.to_string());
                report.end(source, 0, started.elapsed());
                return report;
            }
        };
        let mut problems = lesson.problems(&source.slug, known);
        problems.extend(material.into_iter().flat_map(|it| it.problems(&lesson)));
        if !self.dry && problems.is_empty() {
            match boot(clusters, &lesson) {
                Ok(mut cluster) => {
                    let rehearsal = lesson.rehearse(&mut cluster);
                    problems.extend(quoted(&lesson, &rehearsal));
                    if self.show {
                        report.show(&lesson, &rehearsal);
                    }
                    problems.extend(rehearsal.problems);
                }
                Err(error) => report.add(source, 1, &error),
            }
        }
        for problem in problems {
            let line = problem.place.line(&source.yaml) + problem.lines_below;
            report.add(source, line, &format!("{}: {}", problem.place, problem.text));
        }
        report.end(source, lesson.steps.len(), started.elapsed());
        report
    }
}

fn boot(clusters: &Mutex<Booted>, lesson: &Lesson) -> Result<Cluster, String> {
    let mut clusters = clusters.lock().map_err(|error| error.to_string())?;
    let equip = |cluster: &mut Cluster| cluster.carry_openapi(crate::openapi::schemas);
    clusters.cluster(lesson, equip).map_err(|error| error.to_string())
}

/// Where what the texts quote is not what was printed.
fn quoted(lesson: &Lesson, rehearsal: &Rehearsal) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, (step, ran)) in lesson.steps.iter().zip(&rehearsal.steps).enumerate() {
        let StepText { text, .. } = step;
        for (language, text) in [("ko", &text.ko), ("en", &text.en)] {
            let place = Place::root().field("steps").item(index).field("text").field(language);
            let wrong = compare(text, &outcomes(ran)).into_iter();
            problems.extend(wrong.map(|(line, text)| Problem {
                place: place.clone(),
                lines_below: line,
                text: without_colours(&text),
            }));
        }
    }
    problems
}

/// A text without the escape sequences of terminals, for logs and editors.
fn without_colours(text: &str) -> String {
    let mut pieces = text.split('\x1b');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        plain.push_str(piece.split_once('m').map_or(piece, |(_, rest)| rest));
    }
    plain
}

fn outcomes(ran: &[Ran]) -> Vec<(&str, Outcome)> {
    ran.iter()
        .map(|Ran { command, result }| {
            let (stdout, stderr) = (result.stdout.clone(), result.stderr.clone());
            (command.as_str(), Outcome { code: result.code, stdout, stderr })
        })
        .collect()
}

/// What is printed of a lesson, in one piece.
struct Report {
    text: String,
    good: bool,
}

impl Default for Report {
    fn default() -> Self {
        Report { text: String::new(), good: true }
    }
}

impl Report {
    fn add(&mut self, source: &Source, line: usize, problem: &str) {
        self.good = false;
        let path = source.path.display();
        self.text.push_str(&format!("{path}:{line}: {}\n", problem.trim_end()));
    }

    fn show(&mut self, lesson: &Lesson, rehearsal: &Rehearsal) {
        for (index, (step, ran)) in lesson.steps.iter().zip(&rehearsal.steps).enumerate() {
            self.text.push_str(&format!("--- {} {}\n", index + 1, step.title.en));
            for Ran { command, result } in ran {
                self.text.push_str(&format!("$ {}\n", command.replace('\n', "\n> ")));
                if result.code != 0 {
                    self.text.push_str(&format!("? {}\n", result.code));
                }
                self.text.push_str(&format!("{}{}", result.stdout, result.stderr));
            }
        }
    }

    fn end(&mut self, source: &Source, steps: usize, took: Duration) {
        let word = if self.good { "ok" } else { "WRONG" };
        let line = format!("{word:<5} {:<36} {steps:>2} steps {}\n", source.slug, seconds(took));
        self.text.push_str(&line);
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}
