//! Upstream's own kubectl against `naru serve`: the transcripts of `tests/transcripts/kubectl/`,
//! which `tests/suites/transcripts.rs` also runs with naru's own kubectl (one text, two programs),
//! and those of `cli/tests/transcripts/` with what only upstream's kubectl can do.
//!
//! `NARU_KUBECTL` names the program (`cargo xtask test` builds it). Without one the transcripts are
//! left out, and say why.

use libtest_mimic::{Arguments, Failed, Trial};
use naru_tests::{Case, Outcome, Transcript, find, play};
use serve::Serve;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

mod serve;

/// Virtual seconds in a second of the clock: pods start and go while the suite waits for them.
const SPEED: &str = "20";
/// Seconds that a command may take.
const LIMIT: &str = "60";
/// How long what is looked up may still be on its way: the cluster goes on by the clock, and on a
/// busy machine upstream's kubectl may ask before its controllers have had their turn.
const PATIENCE: Duration = Duration::from_secs(20);
/// The pause before it is looked up again.
const PAUSE: Duration = Duration::from_millis(250);

fn main() {
    let arguments = Arguments::from_args();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [here.join("../tests/transcripts/kubectl"), here.join("tests/transcripts")];
    let kubectl = env::var_os("NARU_KUBECTL").map(PathBuf::from);
    if kubectl.is_none() {
        let reason = env::var("NARU_KUBECTL_MISSING");
        let reason = reason.as_deref().unwrap_or("NARU_KUBECTL is not set: cargo xtask test");
        eprintln!("left out: no kubectl of upstream ({reason})");
    }
    let files: Vec<PathBuf> = folders.iter().flat_map(|folder| find(folder)).collect();
    assert!(!files.is_empty(), "no transcripts");
    let trials = files.into_iter().map(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let program = kubectl.clone().unwrap_or_default();
        let run = move |name: &str| run(&file, name, &program);
        Trial::test(name.clone(), move || run(&name)).with_ignored_flag(kubectl.is_none())
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn run(file: &Path, name: &str, kubectl: &Path) -> Result<(), Failed> {
    let transcript = Transcript::read(file)?;
    let seed = transcript.seed.to_string();
    let options = ["--profile", &transcript.profile, "--seed", &seed, "--speed", SPEED];
    let server = Serve::start(&options)?;
    let bin = server.home.join("bin");
    std::fs::create_dir(&bin)?;
    std::os::unix::fs::symlink(kubectl, bin.join("kubectl"))?;
    play(&transcript, name, |case| settled(case, || in_shell(&case.command, &server, &bin)))?;
    Ok(())
}

/// Runs a command, and one that only looks something up again until it prints what it should.
fn settled(
    case: &Case,
    mut run: impl FnMut() -> Result<Outcome, String>,
) -> Result<Outcome, String> {
    let begun = Instant::now();
    // What is being recorded is not known yet.
    let looks = case.command.starts_with("kubectl get ") && env::var_os("NARU_RECORD").is_none();
    loop {
        let outcome = run()?;
        if !looks || begun.elapsed() > PATIENCE || case.check(&outcome).is_ok() {
            return Ok(outcome);
        }
        thread::sleep(PAUSE);
    }
}

/// Runs one command as a person would, with upstream's kubectl first in PATH.
fn in_shell(command: &str, server: &Serve, bin: &Path) -> Result<Outcome, String> {
    let paths = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([bin.to_owned()].into_iter().chain(env::split_paths(&paths)))
        .map_err(|error| error.to_string())?;
    let output = Command::new("timeout")
        .args([LIMIT, "bash", "-c", command])
        .current_dir(&server.home)
        .env_clear()
        .env("PATH", path)
        .env("HOME", &server.home)
        .env("KUBECONFIG", server.kubeconfig())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    Ok(Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
