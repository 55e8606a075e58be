//! The command lines of the teaching material, in order, chapter by chapter: each gives the recorded
//! answer of `tests/material/commands.md`.
//!
//! The material is not part of the repository, and neither are its command lines: they are known here
//! by text and ordinal. Where its folder is not beside the checkout the tests are left out, and say
//! so. `NARU_RECORD=FOLDER` writes what is answered there, with the remarks that there are; the
//! commands themselves go to standard error then, so that it can be read through.
//!
//! How a text is read: a line is a command if a prompt stands before it, or if it begins with a program
//! that the texts use. `-f FILE` of a file that is not there is the manifest shown last before it;
//! `vi FILE` writes the manifest shown next. A pod's name that a text took from its own cluster stands
//! for the pod of the same owner here. What is typed at a container's prompt runs there.

use libtest_mimic::{Arguments, Failed, Trial};
use naru_cluster::Cluster;
use naru_tests::{CodeBlock, code_blocks};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{env, fs};

mod reading;

/// Virtual time that one command may take: those that follow something are stopped then.
const COMMAND_LIMIT: Duration = Duration::from_secs(90);
/// Virtual time that a reader lets pass before the next command.
const PAUSE: Duration = Duration::from_secs(20);
/// Lines of an answer that are kept.
const LINES_MAX: usize = 30;

/// The texts, by the letter that their file begins with, and the cluster that each is about.
const TEXTS: [(&str, &str); 5] =
    [("a", "minikube"), ("b", "kind"), ("c", "gke"), ("d", "kubeadm"), ("e", "minikube")];

fn main() {
    let arguments = Arguments::from_args();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = here.join("../../shared/material");
    let recorded = fs::read_to_string(here.join("material/commands.md")).unwrap_or_default();
    let recorded = Arc::new(sections(&recorded));
    let missing = !folder.is_dir();
    if missing {
        eprintln!(
            "left out: the teaching material is not beside the checkout (../shared/material)"
        );
    }
    let told: Arc<Told> = Arc::default();
    let trials = TEXTS.iter().map(|(letter, profile)| {
        let (folder, recorded, told) = (folder.clone(), Arc::clone(&recorded), Arc::clone(&told));
        Trial::test(format!("commands of {letter}"), move || {
            run(letter, profile, &folder, &recorded, &told)
        })
        .with_ignored_flag(missing)
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if let (Some(folder), Ok(told)) = (env::var_os("NARU_RECORD"), told.lock())
        && let Err(error) = record(&PathBuf::from(folder), &told, &recorded)
    {
        eprintln!("{error}");
    }
    conclusion.exit();
}

/// Answers by their names, `a 007`.
type Told = Mutex<BTreeMap<String, String>>;

/// What is recorded of a command: a remark, and the answer.
#[derive(Default)]
struct Section {
    remark: String,
    answer: String,
}

fn run(
    letter: &str,
    profile: &str,
    folder: &Path,
    recorded: &BTreeMap<String, Section>,
    told: &Told,
) -> Result<(), Failed> {
    let recording = env::var_os("NARU_RECORD").is_some();
    let blocks = blocks(folder, letter)?;
    let mut wrong = String::new();
    let mut chapter = None;
    let mut reader = reading::Reader::new(profile, letter == "e")?;
    let mut number = 0;
    for (at, block) in blocks.iter().enumerate() {
        // The notes on a book's sections do not build upon each other.
        if block.chapter.starts_with("Section")
            && chapter.replace(&block.chapter).is_some_and(|before| *before != block.chapter)
        {
            reader = reading::Reader::new(profile, letter == "e")?;
        }
        for command in reader.commands(&blocks, at) {
            number += 1;
            let name = format!("{letter} {number:03}");
            let (typed, answer) = reader.answer(&command)?;
            if recording {
                eprintln!("== {name}\n$ {typed}\n{answer}");
                if let Ok(mut told) = told.lock() {
                    told.insert(name, answer);
                }
                continue;
            }
            let wanted = recorded.get(&name).map_or("", |section| section.answer.as_str());
            if wanted != answer {
                writeln!(wrong, "{name}: {typed}\n--- recorded\n{wanted}--- answered\n{answer}")?;
            }
        }
    }
    if recording || wrong.is_empty() { Ok(()) } else { Err(wrong.into()) }
}

fn blocks(folder: &Path, letter: &str) -> Result<Vec<CodeBlock>, Failed> {
    let file = fs::read_dir(folder)?
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().starts_with(&format!("{letter}-")))
        .ok_or_else(|| format!("the material has no text {letter}"))?;
    Ok(code_blocks(&fs::read_to_string(file.path())?))
}

/// The sections of `commands.md`: a heading names the command, lines of text are a remark, a fence
/// holds the answer.
fn sections(text: &str) -> BTreeMap<String, Section> {
    let mut sections: BTreeMap<String, Section> = BTreeMap::new();
    let mut name = String::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if let Some(heading) = line.strip_prefix("## ").filter(|_| !inside) {
            name = heading.to_owned();
            sections.entry(name.clone()).or_default();
        } else if let Some(section) = sections.get_mut(&name) {
            let text = if inside { &mut section.answer } else { &mut section.remark };
            if inside || !line.is_empty() {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    sections
}

/// Why a v1.33 cluster, or this one, answers otherwise than the text; "" where it does not. A first
/// word for the record, where a better one can be written.
const WHY: [(&str, &str); 16] = [
    ("is not supported anymore. Use exec", "Old: kubectl wants `--` before the command now."),
    ("unknown flag: --generator", "Old: `kubectl run` makes pods only, and has no generators."),
    ("unknown command \"rolling-update\"", "Old: `kubectl rollout` has taken its place."),
    ("--record has been deprecated", "Old: `--record` is to be removed."),
    (
        "in version \"extensions/v1beta1\"",
        "Old: removed in v1.16 and v1.22; `networking.k8s.io/v1` or `apps/v1` now.",
    ),
    ("in version \"apps/v1beta1\"", "Old: removed in v1.16; `apps/v1` now."),
    ("Endpoints is deprecated", "v1.33 warns of Endpoints."),
    ("? 124", "Goes on until it is interrupted: the test did that."),
    ("the sandbox has no internet", "What is at this address is not kept in the sandbox."),
    (
        "Could not resolve host",
        "The text means a place inside of the cluster, or a host that the sandbox does not know.",
    ),
    (
        "Couldn't connect to server",
        "The port is that of the author's own cluster; here it is another.",
    ),
    ("command not found", "Misspelt, or a program that this machine does not have."),
    ("unknown flag", "The text misspells a flag."),
    ("unknown shorthand flag", "The text misspells a flag."),
    ("does not exist", "The text does not show this file."),
    ("not found", "The author's own cluster has it; in the text nothing makes it."),
];

fn why(answer: &str) -> &'static str {
    let found =
        WHY.iter().find(|(part, _)| answer.contains(part) && answer.starts_with(['?', 'F', 'W']));
    found.map_or("", |(_, remark)| remark)
}

fn record(
    folder: &Path,
    told: &BTreeMap<String, String>,
    recorded: &BTreeMap<String, Section>,
) -> std::io::Result<()> {
    let mut text = "# What the commands of the teaching material answer\n\n\
        How this was obtained: by our own program (`NARU_RECORD`), from the command lines of the texts in\n\
        their order, and looked through beside the texts. A remark says why an answer is another one than\n\
        the text's. Ages, addresses and random parts of names are made equal.\n"
        .to_owned();
    for (name, answer) in told {
        let remark = recorded.get(name).map_or("", |section| section.remark.as_str());
        let remark = if remark.is_empty() { why(answer) } else { remark };
        let remark = match remark.trim_end() {
            "" => String::new(),
            remark => format!("{remark}\n\n"),
        };
        let _ = write!(text, "\n## {name}\n\n{remark}```text\n{answer}```\n");
    }
    fs::create_dir_all(folder)?;
    fs::write(folder.join("commands.md"), text)
}

/// A cluster of this profile after its first minute.
fn cluster(profile: &str) -> Result<Cluster, Failed> {
    let mut cluster = Cluster::new(profile, 1)?;
    cluster.carry_openapi(|| naru_apiserver::rest::Schemas::new(naru_schemas::json()?));
    cluster.advance(cluster.now() + Duration::from_secs(60), u64::MAX);
    Ok(cluster)
}
