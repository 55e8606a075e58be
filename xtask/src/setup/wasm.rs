//! A compiler with a standard library for wasm32-unknown-unknown.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::debian;
use crate::Result;
use crate::command::{Step, stdout_of};
use crate::project::{Project, find_in_path};

/// The target's name.
pub const TARGET: &str = "wasm32-unknown-unknown";
/// Chooses one of the two ways, instead of trying one after the other.
const CHOICE: &str = "NARU_WASM_TOOLCHAIN";
/// After this long rustup's download is given up.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(180);

/// The compiler that makes wasm.
pub struct Compiler {
    version: String,
    debian: Option<debian::Toolchain>,
}

impl Compiler {
    /// The ordinary compiler, which has this version.
    fn ordinary(version: String) -> Self {
        Self { version, debian: None }
    }

    /// Debian's compiler, which has this version.
    pub fn debian(version: String, toolchain: debian::Toolchain) -> Self {
        Self { version, debian: Some(toolchain) }
    }

    /// A text which is another one for another compiler.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The folder of its `cargo` and `rustc`, when they are not the ones in PATH.
    pub fn bin_dir(&self) -> Option<&Path> {
        self.debian.as_ref().map(debian::Toolchain::bin_dir)
    }

    /// Makes a command, and the cargo it may start, use this compiler.
    pub fn apply(&self, command: &mut Command) {
        if let Some(debian) = &self.debian {
            debian.apply(command);
        }
    }
}

/// Finds a compiler for wasm, or makes one: rustup's target first, as is ordinary; where rustup
/// cannot download, Debian's compiler.
pub fn provide(project: &Project) -> Result<Compiler> {
    match env::var(CHOICE).as_deref() {
        Ok("rustup") => installed_target().map_or_else(|| add_target(project), Ok),
        Ok("debian") => debian::provide(project),
        Ok(other) => Err(format!("{CHOICE}={other}: it may be rustup or debian")),
        Err(_) => provide_either(project),
    }
}

fn provide_either(project: &Project) -> Result<Compiler> {
    if let Some(compiler) = installed_target().or_else(|| debian::finished(project)) {
        return Ok(compiler);
    }
    let reason = match add_target(project) {
        Ok(compiler) => return Ok(compiler),
        Err(reason) => reason,
    };
    if find_in_path("apt-get").is_none() {
        return Err(reason);
    }
    println!("    {}", reason.lines().next().unwrap_or_default());
    println!("    so Debian's compiler is taken");
    debian::provide(project)
}

/// The ordinary compiler, when it has the target.
fn installed_target() -> Option<Compiler> {
    let print = ["--print", "target-libdir", "--target", TARGET];
    let libraries = PathBuf::from(stdout_of(Command::new("rustc").args(print))?.trim());
    let has_std = libraries.read_dir().ok()?.flatten().any(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with("libstd-")
    });
    if !has_std {
        return None;
    }
    stdout_of(Command::new("rustc").arg("-vV")).map(Compiler::ordinary)
}

/// Lets rustup download the target.
fn add_target(project: &Project) -> Result<Compiler> {
    const MISSING: &str = "the standard library for wasm is missing and rustup cannot add it: \
                           rustup target add wasm32-unknown-unknown";
    if find_in_path("rustup").is_none() {
        return Err(format!("{MISSING} (rustup: https://rustup.rs)"));
    }
    Step::new("rustup", "adding the wasm target (rustup target add)")
        .time_limit(DOWNLOAD_LIMIT)
        .run(project, Command::new("rustup").args(["target", "add", TARGET]))
        .map_err(|reason| format!("{MISSING}\n{reason}"))?;
    installed_target().ok_or_else(|| MISSING.to_owned())
}
