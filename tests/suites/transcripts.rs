//! Runs every `tests/transcripts/**/*.md` through the terminal, in virtual time.
//!
//! A transcript is Markdown. Its fenced `console` blocks are one session with one cluster:
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

use libtest_mimic::{Arguments, Failed, Trial};
use naru_cluster::Cluster;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Virtual time that one command may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(3600);

fn main() {
    let arguments = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let mut files = Vec::new();
    find(&root, &mut files);
    assert!(!files.is_empty(), "no transcripts in {}", root.display());
    files.sort();
    let trials = files.into_iter().map(|file| {
        let name = file.strip_prefix(&root).unwrap_or(&file).display().to_string();
        Trial::test(name, move || run(&file))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
}

/// One command of a transcript and what should come of it.
#[derive(Default)]
struct Case {
    line: usize,
    command: String,
    code: i32,
    output: String,
}

fn run(file: &Path) -> Result<(), Failed> {
    let text = fs::read_to_string(file)?;
    let profile = directive(&text, "profile").unwrap_or("kind");
    let seed = directive(&text, "seed").map_or(Ok(1), str::parse)?;
    let mut cluster = Cluster::new(profile, seed)?;
    let cases = parse(&text)?;
    if cases.is_empty() {
        return Err("the transcript holds no command".into());
    }
    for case in cases {
        let result = cluster.exec(&case.command, COMMAND_LIMIT);
        let mut expected = String::new();
        let mut actual = String::new();
        let _ = write!(expected, "exit code {}\n{}", case.code, case.output);
        let _ = write!(actual, "exit code {}\n{}{}", result.code, result.stdout, result.stderr);
        snapbox::Assert::new()
            .normalize_paths(false)
            .try_eq(
                Some(&format!("line {}: {}", case.line, case.command)),
                actual.into(),
                expected.into(),
            )
            .map_err(|error| format!("line {}: $ {}\n{error}", case.line, case.command))?;
    }
    Ok(())
}

/// The value of `<!-- NAME: VALUE -->`.
fn directive<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let inner = line.trim().strip_prefix("<!--")?.strip_suffix("-->")?.trim();
        inner.strip_prefix(name)?.strip_prefix(':').map(str::trim)
    })
}

fn parse(text: &str) -> Result<Vec<Case>, Failed> {
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
            let case = Case { line: index + 1, command: command.to_owned(), ..Case::default() };
            cases.push(case);
            head = true;
        } else {
            let Some(case) = cases.last_mut() else {
                return Err(format!("line {}: output before any command", index + 1).into());
            };
            let more = line.strip_prefix("> ").or((line == ">").then_some(""));
            if let Some(more) = more.filter(|_| head) {
                let _ = write!(case.command, "\n{more}");
            } else if let Some(code) = line.strip_prefix("? ").filter(|_| head) {
                case.code = code.parse()?;
            } else {
                head = false;
                let _ = writeln!(case.output, "{line}");
            }
        }
    }
    Ok(cases)
}
