//! Runs every `tests/transcripts/**/*.md` through the terminal, in virtual time. What a transcript
//! is: see `transcript.rs`.

use libtest_mimic::{Arguments, Failed, Trial};
use naru_cluster::Cluster;
use naru_tests::{Outcome, Transcript, find};
use std::path::Path;
use std::time::Duration;

/// Virtual time that one command may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(3600);

fn main() {
    let arguments = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let files = find(&root);
    assert!(!files.is_empty(), "no transcripts in {}", root.display());
    let trials = files.into_iter().map(|file| {
        let name = file.strip_prefix(&root).unwrap_or(&file).display().to_string();
        Trial::test(name, move || run(&file))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn run(file: &Path) -> Result<(), Failed> {
    let transcript = Transcript::read(file)?;
    let mut cluster = Cluster::new(&transcript.profile, transcript.seed)?;
    for case in transcript.cases {
        let result = cluster.exec(&case.command, COMMAND_LIMIT);
        let (code, stdout, stderr) = (result.code, result.stdout, result.stderr);
        case.check(&Outcome { code, stdout, stderr })?;
    }
    Ok(())
}
