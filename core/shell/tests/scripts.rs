//! Scripts and what they print: `tests/scripts/*.md`.
//!
//! A case is a heading, a fenced block with the script whose language is the shell (`bash`, `dash`,
//! `ash`), and fenced blocks `out` and `err` (none: nothing is printed) and `exit` (none: 0).
//! With `NARU_REAL_SHELLS=1`, the cases of bash and dash are also run by the real shells of this
//! machine, which must print the same; headings that end in `(ours)` are left out there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{machine, run};
use std::process::Command;

#[derive(Debug, Default, Clone)]
struct Case {
    name: String,
    shell: String,
    script: String,
    out: String,
    err: String,
    code: i32,
}

fn parse(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        if let Some(language) = &block {
            if line == "```" {
                block = None;
                continue;
            }
            let case = cases.last_mut().expect("a block stands below a heading");
            let target = match language.as_str() {
                "out" => &mut case.out,
                "err" => &mut case.err,
                "exit" => {
                    case.code = line.parse().expect("an exit code");
                    continue;
                }
                shell => {
                    case.shell = shell.to_string();
                    &mut case.script
                }
            };
            target.push_str(line);
            target.push('\n');
        } else if let Some(language) = line.strip_prefix("```") {
            block = Some(language.to_string());
        } else if let Some(name) = line.strip_prefix("## ") {
            cases.push(Case { name: name.to_string(), ..Case::default() });
        }
    }
    cases
}

fn all_cases() -> Vec<(String, Case)> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts");
    let mut files: Vec<_> =
        std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        all.extend(parse(&text).into_iter().map(|case| (name.clone(), case)));
    }
    all
}

#[test]
fn scripts_print_what_they_should() {
    let cases = all_cases();
    assert!(cases.len() > 50, "only {} cases", cases.len());
    let mut failures = Vec::new();
    for (file, case) in &cases {
        let outcome = run(machine(&case.shell), &[&case.shell, "-c", &case.script], b"");
        let seen = (outcome.stdout.as_str(), outcome.stderr.as_str(), outcome.code);
        if seen != (case.out.as_str(), case.err.as_str(), Some(case.code)) {
            failures.push(format!(
                "== {file}: {}\n{}-- expected ({})\n{}{}-- seen ({:?})\n{}{}",
                case.name,
                case.script,
                case.code,
                case.out,
                case.err,
                outcome.code,
                outcome.stdout,
                outcome.stderr
            ));
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} failed\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
}

#[test]
fn real_shells_print_the_same() {
    if std::env::var("NARU_REAL_SHELLS").is_err() {
        eprintln!("real shells were not asked: NARU_REAL_SHELLS is not set");
        return;
    }
    let mut failures = Vec::new();
    for (file, case) in all_cases() {
        if case.name.ends_with("(ours)") || case.shell == "ash" {
            continue;
        }
        let dir = std::env::temp_dir().join(format!("naru-shell-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let output = Command::new(&case.shell)
            .args(["-c", &case.script])
            .current_dir(&dir)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", "/root")
            .env("LC_ALL", "C.UTF-8")
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        let seen = (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
            output.status.code(),
        );
        if seen != (case.out.clone(), case.err.clone(), Some(case.code)) {
            failures.push(format!(
                "== {file}: {}\n{}-- expected ({})\n{}{}-- real ({:?})\n{}{}",
                case.name, case.script, case.code, case.out, case.err, seen.2, seen.0, seen.1
            ));
        }
    }
    assert!(failures.is_empty(), "{} differ\n{}", failures.len(), failures.join("\n"));
}
