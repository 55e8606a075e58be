//! The official Python client against `naru serve`: `python/scenario.py`.
//!
//! `NARU_PYTHON` names a Python that has the client (`cargo xtask test` makes one). Without it the
//! test is left out, and says why.

use libtest_mimic::{Arguments, Failed, Trial};
use serve::Serve;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

mod serve;

fn main() {
    let arguments = Arguments::from_args();
    let python = env::var_os("NARU_PYTHON").map(PathBuf::from);
    if python.is_none() {
        let reason = env::var("NARU_PYTHON_MISSING");
        let reason = reason.as_deref().unwrap_or("NARU_PYTHON is not set: cargo xtask test");
        eprintln!("left out: no Python with the Kubernetes client ({reason})");
    }
    let missing = python.is_none();
    let trial = Trial::test("scenario.py", move || run(&python.unwrap_or_default()));
    libtest_mimic::run(&arguments, vec![trial.with_ignored_flag(missing)]).exit();
}

fn run(python: &Path) -> Result<(), Failed> {
    let server = Serve::start(&["--profile", "kind", "--speed", "20"])?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/scenario.py");
    let output = Command::new("timeout")
        .arg("240")
        .arg(python)
        .arg(script)
        .arg(server.kubeconfig())
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}\n{said}{why}", output.status).into());
    }
    assert_eq!(said, "deployed\nentered\nscaled\ndeleted\n");
    Ok(())
}
