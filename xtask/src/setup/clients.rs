//! Clients that nobody here wrote: upstream's kubectl and the official Python client. They judge
//! `naru serve`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::command::{Step, stdout_of};
use crate::project::{Project, Stamp, find_in_path, remove_dir};

/// The programs, or why there is none.
pub struct Clients {
    /// Upstream's kubectl.
    pub kubectl: Result<PathBuf>,
    /// A Python that has the official client.
    pub python: Result<PathBuf>,
}

/// The version that upstream's kubectl says it has: of the module that go.mod names.
const KUBECTL_VERSION: &str = "v1.33.4";

impl Clients {
    /// Tells a test where the programs are, or why it has to be left out.
    pub fn tell(&self, tests: &mut Command) {
        for (name, client) in [("NARU_KUBECTL", &self.kubectl), ("NARU_PYTHON", &self.python)] {
            match client {
                Ok(program) => tests.env(name, program),
                Err(reason) => tests.env(format!("{name}_MISSING"), reason),
            };
        }
    }
}

/// Builds or installs the clients that are missing.
pub fn provide(project: &Project) -> Clients {
    Clients { kubectl: kubectl(project), python: python(project) }
}

/// Builds upstream's kubectl from its Go module.
fn kubectl(project: &Project) -> Result<PathBuf> {
    let module = project.path("cli/tests/kubectl");
    let go = find_in_path("go").ok_or("Go is missing: https://go.dev/dl")?;
    let version = stdout_of(Command::new(&go).arg("version")).ok_or("go version fails")?;
    let mut inputs = version;
    for file in ["go.mod", "go.sum", "main.go"] {
        let path = module.join(file);
        inputs += &fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    let program = project.tools().join("bin/kubectl");
    let sources = project.tools().join("go");
    let stamp = Stamp::new(project.tools().join("kubectl.stamp"));
    if program.is_file() && stamp.says(&inputs) {
        return Ok(program);
    }
    stamp.clear()?;
    let variable =
        |name: &str, value: &str| format!("-X k8s.io/component-base/version.{name}={value}");
    let flags = [
        "-s -w".to_owned(),
        variable("gitVersion", KUBECTL_VERSION),
        variable("gitMajor", "1"),
        variable("gitMinor", "33"),
    ];
    Step::new("kubectl", "building upstream's kubectl (some minutes, once)").run(
        project,
        Command::new(&go)
            .args(["build", "-trimpath", "-ldflags", &flags.join(" "), "-o"])
            .args([&program])
            .arg(".")
            .current_dir(&module)
            .env("CGO_ENABLED", "0")
            .env("GOFLAGS", "-mod=readonly -modcacherw")
            .env("GOTOOLCHAIN", "local")
            .env("GOMODCACHE", sources.join("mod"))
            .env("GOCACHE", sources.join("build")),
    )?;
    // A gigabyte which is of no use any more.
    remove_dir(&sources)?;
    stamp.set(&inputs)?;
    Ok(program)
}

/// Makes a virtual environment with the packages of requirements.txt.
fn python(project: &Project) -> Result<PathBuf> {
    let list = project.path("cli/tests/python/requirements.txt");
    let wanted = fs::read_to_string(&list).map_err(|e| format!("{}: {e}", list.display()))?;
    let python3 = find_in_path("python3").ok_or("python3 is missing")?;
    let version = stdout_of(Command::new(&python3).arg("--version")).ok_or("python3 fails")?;
    let folder = project.tools().join("python");
    let program = folder.join("bin/python");
    let stamp = Stamp::new(project.tools().join("python.stamp"));
    let content = format!("{version}{wanted}");
    if program.is_file() && stamp.says(&content) {
        return Ok(program);
    }
    stamp.clear()?;
    Step::new("python-venv", "making a Python environment")
        .run(project, Command::new(&python3).args(["-m", "venv", "--clear"]).arg(&folder))?;
    Step::new("python-packages", "fetching the Kubernetes client for Python").run(
        project,
        Command::new(&program)
            .args(["-m", "pip", "install", "--disable-pip-version-check", "-r"])
            .arg(&list),
    )?;
    stamp.set(&content)?;
    Ok(program)
}
