//! Runs every `tests/transcripts/**/*.md` through the terminal, in virtual time. What a transcript
//! is: see `transcript.rs`.

use libtest_mimic::{Arguments, Failed, Trial};
use naru_apiserver::rest::Schemas;
use naru_cluster::Cluster;
use naru_tests::{Outcome, Transcript, find, play};
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
        Trial::test(name.clone(), move || run(&file, &name))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn run(file: &Path, name: &str) -> Result<(), Failed> {
    let transcript = Transcript::read(file)?;
    let mut cluster = Cluster::new(&transcript.profile, transcript.seed)?;
    cluster.carry_openapi(|| Schemas::new(naru_schemas::json()?));
    play(&transcript, name, |case| {
        let result = cluster.exec(&case.command, COMMAND_LIMIT);
        Ok(Outcome { code: result.code, stdout: result.stdout, stderr: result.stderr })
    })?;
    Ok(())
}
