//! The manifests of the teaching material: each YAML block of `../shared/material`, applied to a
//! cluster of its own, gives the recorded answer (`tests/material/manifests.md`, by chapter and ordinal).
//!
//! The material is not part of the repository. Where its folder is not beside the checkout the
//! tests are left out, and say so. `NARU_RECORD=FOLDER` writes what is answered there.

use libtest_mimic::{Arguments, Failed, Trial};
use naru_cluster::Cluster;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use std::{env, fs};

/// Virtual time that pods get to show how they are.
const SETTLE: Duration = Duration::from_secs(150);
/// Virtual time that one command may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(600);

static READY: LazyLock<Result<Cluster, String>> = LazyLock::new(|| {
    let mut cluster = Cluster::new("kind", 1).map_err(|error| error.to_string())?;
    cluster.advance(cluster.now() + Duration::from_secs(60), u64::MAX);
    Ok(cluster)
});

fn main() {
    let arguments = Arguments::from_args();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = here.join("../../shared/material");
    let recorded = fs::read_to_string(here.join("material/manifests.md")).unwrap_or_default();
    let recorded = sections(&recorded);
    let documents = documents(&folder);
    let missing = documents.is_empty();
    if missing {
        eprintln!(
            "left out: the teaching material is not beside the checkout (../shared/material)"
        );
    }
    let names: BTreeSet<String> = match missing {
        true => recorded.keys().cloned().collect(),
        false => recorded.keys().chain(documents.keys()).cloned().collect(),
    };
    let told = Arc::new(Mutex::new(BTreeMap::new()));
    let trials = names.into_iter().map(|name| {
        let document = documents.get(&name).cloned();
        let wanted = recorded.get(&name).cloned();
        let told = Arc::clone(&told);
        Trial::test(name.clone(), move || run(&name, document, wanted, &told))
            .with_ignored_flag(missing)
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if let (Some(folder), Ok(told)) = (env::var_os("NARU_RECORD"), told.lock())
        && let Err(error) = record(&PathBuf::from(folder), &told)
    {
        eprintln!("{error}");
    }
    conclusion.exit();
}

type Told = Mutex<BTreeMap<String, String>>;

fn run(
    name: &str,
    document: Option<String>,
    wanted: Option<String>,
    told: &Told,
) -> Result<(), Failed> {
    let Some(document) = document else { return Err("the material has no such block".into()) };
    let answer = answer(&document)?;
    if env::var_os("NARU_RECORD").is_some() {
        if let Ok(mut told) = told.lock() {
            told.insert(name.to_owned(), answer);
        }
        return Ok(());
    }
    let Some(wanted) = wanted else { return Err("no answer is recorded in manifests.md".into()) };
    snapbox::Assert::new()
        .normalize_paths(false)
        .try_eq(Some(&name), answer.into(), wanted.into())
        .map_err(|error| format!("{name}\n{error}"))?;
    Ok(())
}

/// What a cluster says to a document, and how its pods are after a while.
fn answer(document: &str) -> Result<String, Failed> {
    let mut cluster = READY.as_ref().map_err(String::as_str)?.clone();
    cluster.write_home_file("document.yaml", document.as_bytes())?;
    let applied = cluster.exec("kubectl apply -f - < document.yaml", COMMAND_LIMIT);
    let mut text = String::new();
    for line in applied.stdout.lines().chain(applied.stderr.lines()) {
        writeln!(text, "{line}")?;
    }
    if applied.code != 0 {
        writeln!(text, "? {}", applied.code)?;
    }
    if applied.stdout.is_empty() {
        return Ok(text);
    }
    cluster.advance(cluster.now() + SETTLE, u64::MAX);
    let pods = "kubectl get pods --no-headers -o custom-columns=\
                P:.status.phase,W:.status.containerStatuses[*].state.waiting.reason,\
                R:.status.containerStatuses[*].ready | sort | uniq -c";
    for line in cluster.exec(pods, COMMAND_LIMIT).stdout.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        writeln!(text, "{}", words.join(" "))?;
    }
    Ok(text)
}

/// The YAML blocks of every chapter: `a 07` is the seventh of the file that begins with `a`.
fn documents(folder: &Path) -> BTreeMap<String, String> {
    let mut documents = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let Some(chapter) = file.chars().next().filter(|_| file.ends_with(".md")) else { continue };
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        for (index, block) in blocks(&text).into_iter().enumerate() {
            documents.insert(format!("{chapter} {:02}", index + 1), block);
        }
    }
    documents
}

fn blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for line in text.lines() {
        let inner = line.trim_start();
        match &mut open {
            Some((_, block)) if inner.starts_with("```") => {
                blocks.push(std::mem::take(block));
                open = None;
            }
            Some((indent, block)) => {
                let blank = |c: char| c == ' ';
                let own = line.len() - line.trim_start_matches(blank).len();
                block.push_str(line.get(own.min(*indent)..).unwrap_or_default());
                block.push('\n');
            }
            None if inner.starts_with("```yaml") || inner.starts_with("```yml") => {
                open = Some((line.len() - inner.len(), String::new()));
            }
            None => {}
        }
    }
    blocks
}

/// The answers of `manifests.md`: a heading names the block, a fence holds the answer.
fn sections(text: &str) -> BTreeMap<String, String> {
    let mut sections: BTreeMap<String, String> = BTreeMap::new();
    let mut name = String::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if inside {
            let answer = sections.entry(name.clone()).or_default();
            answer.push_str(line);
            answer.push('\n');
        } else if let Some(heading) = line.strip_prefix("## ") {
            heading.clone_into(&mut name);
            sections.entry(name.clone()).or_default();
        }
    }
    sections
}

fn record(folder: &Path, told: &BTreeMap<String, String>) -> Result<(), String> {
    let mut text = String::new();
    for (name, answer) in told {
        let _ = write!(text, "## {name}\n\n```text\n{answer}```\n\n");
    }
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(folder.join("manifests.md"), text))
        .map_err(|error| error.to_string())
}
