//! Trunk and wasm-bindgen, built from crates.io into `.tools/`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::command::{Step, stdout_of};
use crate::project::{Project, remove_dir};

const TRUNK_VERSION: &str = "0.21.14";

/// A program of crates.io.
struct Tool {
    krate: &'static str,
    program: &'static str,
    version: String,
    /// With the lock file its authors shipped.
    locked: bool,
}

/// Builds the tools that are missing or have another version.
pub fn provide(project: &Project) -> Result<()> {
    let trunk =
        Tool { krate: "trunk", program: "trunk", version: TRUNK_VERSION.to_owned(), locked: true };
    let bindgen = Tool {
        krate: "wasm-bindgen-cli",
        program: "wasm-bindgen",
        version: wasm_bindgen_version(project)?,
        // Its lock file names a crate that was withdrawn.
        locked: false,
    };
    for tool in [trunk, bindgen] {
        tool.provide(project)?;
    }
    // More than a gigabyte which is of no use any more.
    remove_dir(&build_dir(project))
}

/// One folder for both tools: what they share is compiled once.
fn build_dir(project: &Project) -> PathBuf {
    project.tools().join("build")
}

impl Tool {
    /// The program itself is asked for its version: a half-written one does not answer.
    fn works(&self, project: &Project) -> bool {
        let program = project.tools().join("bin").join(self.program);
        stdout_of(Command::new(program).arg("--version"))
            .is_some_and(|text| text.split_whitespace().nth(1) == Some(&self.version))
    }

    fn provide(&self, project: &Project) -> Result<()> {
        if self.works(project) {
            return Ok(());
        }
        let title = format!("building {} {} (some minutes, once)", self.program, self.version);
        let mut install = Command::new("cargo");
        install
            .args(["install", "--force", "--no-default-features"])
            .args(self.locked.then_some("--locked"))
            .arg("--root")
            .arg(project.tools())
            .arg(format!("{}@{}", self.krate, self.version))
            .current_dir(project.root());
        for (name, value) in QUICK_BUILD {
            install.env(name, value);
        }
        install.env("CARGO_TARGET_DIR", build_dir(project));
        Step::new(self.program, &title).run(project, &mut install)?;
        if self.works(project) {
            return Ok(());
        }
        Err(format!(
            "{} was built but does not run: see .tools/log/{}.log",
            self.program, self.program
        ))
    }
}

/// These tools run for seconds and are built for minutes, so their own speed matters little.
const QUICK_BUILD: [(&str, &str); 4] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "256"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
];

/// The version of wasm-bindgen the site links: its tool must have the same.
fn wasm_bindgen_version(project: &Project) -> Result<String> {
    let path = project.path("Cargo.lock");
    let lock =
        fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    locked_version(&lock, "wasm-bindgen")
        .map(str::to_owned)
        .ok_or_else(|| "Cargo.lock has no wasm-bindgen".to_owned())
}

/// The version of a package in the text of a Cargo.lock.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_of_a_locked_package() {
        let lock = "[[package]]\nname = \"wasm\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\nsource = \"x\"\n";
        assert_eq!(locked_version(lock, "wasm-bindgen"), Some("0.2.130"));
        assert_eq!(locked_version(lock, "wasm"), Some("1.0.0"));
        assert_eq!(locked_version(lock, "bindgen"), None);
        assert_eq!(locked_version("", "wasm"), None);
    }
}
