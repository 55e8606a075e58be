//! Transcripts: sessions at a terminal, as Markdown.
//!
//! The fenced `console` blocks of a file are one session with one cluster:
//!
//! ```console
//! $ kubectl get pods
//! No resources found in default namespace.
//! ```
//!
//! `$ ` begins a command and `> ` goes on with it; `? 1` right after it is the exit code wanted
//! (0 if left out); then comes what it prints, standard output before standard error. `[..]`
//! stands for the part of a line that varies, `...` for any lines. `<!-- profile: minikube -->`
//! and `<!-- seed: 7 -->` choose the cluster.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A file of `tests/transcripts/`.
pub struct Transcript {
    /// The profile of its cluster.
    pub profile: String,
    /// The seed of its cluster.
    pub seed: u64,
    /// Its commands, at least one.
    pub cases: Vec<Case>,
    text: String,
}

/// One command of a transcript and what should come of it.
#[derive(Default)]
pub struct Case {
    /// Where it is in the file.
    pub line: usize,
    /// The command, of one line or more.
    pub command: String,
    /// The exit code wanted.
    pub code: i32,
    /// What it should print.
    pub output: String,
    /// The lines of the file, from 0, that say what should come of it.
    expectation: Range<usize>,
}

/// What came of a command.
pub struct Outcome {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Transcript {
    /// Reads a file.
    pub fn read(file: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
        let seed = directive(&text, "seed").map_or(Ok(1), str::parse);
        let cases = parse(&text)?;
        if cases.is_empty() {
            return Err("the transcript holds no command".to_owned());
        }
        Ok(Transcript {
            profile: directive(&text, "profile").unwrap_or("kind").to_owned(),
            seed: seed.map_err(|error| format!("seed: {error}"))?,
            cases,
            text,
        })
    }

    /// The transcript as it would be if what came of its commands were what should come. A new
    /// one is written by hand up to its commands, recorded, and then read through.
    pub fn record(&self, outcomes: &[Outcome]) -> String {
        let lines: Vec<&str> = self.text.lines().collect();
        let mut recorded = String::new();
        let mut at = 0;
        let mut copy = |until: usize, recorded: &mut String| {
            for line in lines.iter().take(until).skip(at) {
                let _ = writeln!(recorded, "{line}");
            }
            at = until;
        };
        for (case, outcome) in self.cases.iter().zip(outcomes) {
            copy(case.expectation.start, &mut recorded);
            if outcome.code != 0 {
                let _ = writeln!(recorded, "? {}", outcome.code);
            }
            for line in outcome.stdout.lines().chain(outcome.stderr.lines()) {
                let _ = writeln!(recorded, "{line}");
            }
            copy(case.expectation.end, &mut String::new());
        }
        copy(lines.len(), &mut recorded);
        recorded
    }
}

impl Case {
    /// Compares what came with what should have come.
    pub fn check(&self, outcome: &Outcome) -> Result<(), String> {
        let mut expected = String::new();
        let mut actual = String::new();
        let _ = write!(expected, "exit code {}\n{}", self.code, self.output);
        let Outcome { code, stdout, stderr } = outcome;
        let _ = write!(actual, "exit code {code}\n{stdout}{stderr}");
        let at = format!("line {}: $ {}", self.line, self.command);
        snapbox::Assert::new()
            .normalize_paths(false)
            .try_eq(Some(&at), actual.into(), expected.into())
            .map_err(|error| format!("{at}\n{error}"))
    }
}

/// Compares what the `console` blocks of a text quote with what its commands printed, in order:
/// which lines, from 1, are wrong, and why. Exit codes are told in transcripts only.
pub fn compare(text: &str, ran: &[(&str, Outcome)]) -> Vec<(usize, String)> {
    let cases = match parse(text) {
        Ok(cases) => cases,
        Err(error) => return vec![(1, error)],
    };
    let mut wrong = Vec::new();
    let mut rest = ran;
    for case in cases {
        let Some(at) = rest.iter().position(|(command, _)| *command == case.command) else {
            wrong.push((case.line, format!("not run in this order: $ {}", case.command)));
            continue;
        };
        let (_, outcome) = &rest[at];
        rest = &rest[at + 1..];
        let line = case.line;
        if let Err(error) = (Case { code: outcome.code, ..case }).check(outcome) {
            wrong.push((line, error));
        }
    }
    wrong
}

/// Runs a transcript's commands one after the other. With a folder in `NARU_RECORD`, what comes of
/// them is written there and not compared.
pub fn play(
    transcript: &Transcript,
    name: &str,
    mut run: impl FnMut(&Case) -> Result<Outcome, String>,
) -> Result<(), String> {
    let folder = env::var_os("NARU_RECORD");
    let mut outcomes = Vec::new();
    for case in &transcript.cases {
        let outcome = run(case)?;
        if folder.is_none() {
            case.check(&outcome)?;
        }
        outcomes.push(outcome);
    }
    let Some(folder) = folder else { return Ok(()) };
    let file = Path::new(&folder).join(name);
    let write = |file: &Path| {
        fs::create_dir_all(file.parent().unwrap_or(file))?;
        fs::write(file, transcript.record(&outcomes))
    };
    write(&file).map_err(|error| format!("{}: {error}", file.display()))
}

/// Every `*.md` in a folder and below it, in order.
pub fn find(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(find(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The value of `<!-- NAME: VALUE -->`.
fn directive<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let inner = line.trim().strip_prefix("<!--")?.strip_suffix("-->")?.trim();
        inner.strip_prefix(name)?.strip_prefix(':').map(str::trim)
    })
}

fn parse(text: &str) -> Result<Vec<Case>, String> {
    let mut cases: Vec<Case> = Vec::new();
    let mut inside = false;
    // Whether the last line was still part of a command.
    let mut head = false;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            inside = !inside && line == "```console";
            head = false;
        } else if !inside {
            continue;
        } else if let Some(command) = line.strip_prefix("$ ") {
            let (command, expectation) = (command.to_owned(), index + 1..index + 1);
            cases.push(Case { line: index + 1, command, expectation, ..Case::default() });
            head = true;
        } else {
            let Some(case) = cases.last_mut() else {
                return Err(format!("line {}: output before any command", index + 1));
            };
            let more = line.strip_prefix("> ").or((line == ">").then_some(""));
            case.expectation.end = index + 1;
            if let Some(more) = more.filter(|_| head) {
                case.expectation.start = index + 1;
                let _ = write!(case.command, "\n{more}");
            } else if let Some(code) = line.strip_prefix("? ").filter(|_| head) {
                case.code = code.parse().map_err(|error| format!("line {}: {error}", index + 1))?;
            } else {
                head = false;
                let _ = writeln!(case.output, "{line}");
            }
        }
    }
    Ok(cases)
}
