//! Debian's own compiler, where rustup cannot download a standard library for wasm.
//!
//! Debian ships the library's source. It is built once and laid in `.tools/debian/` beside a link
//! to Debian's own sysroot, so that nothing outside the project is written but apt's packages:
//!
//! ```text
//! bin/      cargo rustc rustdoc rust-lld         links, put first in PATH
//! sysroot/  lib/rustlib/HOST                     link to Debian's
//!           lib/rustlib/wasm32-unknown-unknown   built here
//! ```

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::apt;
use super::wasm::{Compiler, TARGET};
use crate::Result;
use crate::command::{Step, stdout_of};
use crate::project::{Project, Stamp, create_dir, remove_dir};

/// By full paths, since rustup's come first in PATH.
const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const RUSTDOC: &str = "/usr/bin/rustdoc";
/// The compiler and the source of its library.
const PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
/// The empty crate whose build makes the library.
const SEED: &str = "seed";
/// What rustup's cargo, under which this runs, sets for its own compiler.
const VARIABLES_OF_RUSTUP: [&str; 5] =
    ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH"];

/// Where the compiler's links and its sysroot are.
pub struct Toolchain {
    bin: PathBuf,
    sysroot: PathBuf,
}

impl Toolchain {
    /// The folder to be put first in PATH.
    pub fn bin_dir(&self) -> &Path {
        &self.bin
    }

    /// Makes a command, and the cargo it may start, use this compiler.
    pub fn apply(&self, command: &mut Command) {
        for name in VARIABLES_OF_RUSTUP {
            command.env_remove(name);
        }
        let flags = format!("--sysroot={}", self.sysroot.display());
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flags);
    }
}

/// The compiler, when an earlier run finished it and Debian has not replaced its own since.
pub fn finished(project: &Project) -> Option<Compiler> {
    let version = stdout_of(Command::new(RUSTC).arg("-vV"))?;
    let dir = dir(project);
    stamp(&dir).says(&version).then(|| {
        let toolchain = Toolchain { bin: dir.join("bin"), sysroot: dir.join("sysroot") };
        Compiler::debian(version, toolchain)
    })
}

/// Installs Debian's compiler and builds its library for wasm.
pub fn provide(project: &Project) -> Result<Compiler> {
    if let Some(compiler) = finished(project) {
        return Ok(compiler);
    }
    apt::provide(project, &PACKAGES)?;
    let version = stdout_of(Command::new(RUSTC).arg("-vV"))
        .ok_or_else(|| format!("{RUSTC} of Debian's package rustc-web does not run"))?;
    let llvm = llvm_major(&version).ok_or_else(|| format!("{RUSTC} -vV names no LLVM version"))?;
    let linker = format!("lld-{llvm}");
    apt::provide(project, &[&linker])?;

    let dir = dir(project);
    remove_dir(&dir)?;
    let built = build_library(project, &dir)?;
    let sysroot = dir.join("sysroot/lib/rustlib");
    lay_library(&built, &sysroot.join(TARGET).join("lib"))?;
    let host = field(&version, "host: ").ok_or_else(|| format!("{RUSTC} -vV names no host"))?;
    link(&PathBuf::from(debian_sysroot()?).join("lib/rustlib").join(host), &sysroot.join(host))?;
    for (program, name) in [(CARGO, "cargo"), (RUSTC, "rustc"), (RUSTDOC, "rustdoc")] {
        link(Path::new(program), &dir.join("bin").join(name))?;
    }
    link(&Path::new("/usr/bin").join(linker), &dir.join("bin/rust-lld"))?;
    remove_dir(&dir.join(SEED))?;
    stamp(&dir).set(&version)?;
    finished(project).ok_or_else(|| format!("{} is not what was just made", dir.display()))
}

/// Builds the library for an empty crate and tells where its parts are.
fn build_library(project: &Project, dir: &Path) -> Result<PathBuf> {
    let seed = dir.join(SEED);
    create_dir(&seed)?;
    let manifest = format!("[workspace]\n[package]\nname = \"{SEED}\"\n[lib]\npath = \"lib.rs\"\n");
    fs::write(seed.join("Cargo.toml"), manifest)
        .and_then(|()| fs::write(seed.join("lib.rs"), "#![no_std]\n"))
        .map_err(|e| format!("cannot write {}: {e}", seed.display()))?;

    let mut build = Command::new(CARGO);
    for name in VARIABLES_OF_RUSTUP {
        build.env_remove(name);
    }
    build
        .args(["build", "--release", "--target", TARGET])
        .arg("-Zbuild-std=std,panic_abort,test,proc_macro")
        .current_dir(&seed)
        .env("RUSTC", RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_DIR", seed.join("target"))
        // Without bitcode inside, the site's fat LTO cannot read the library.
        .env("RUSTFLAGS", "-Cembed-bitcode=yes");
    Step::new("std", "building Rust's standard library for wasm (a minute, once)")
        .run(project, &mut build)?;
    Ok(seed.join("target").join(TARGET).join("release/deps"))
}

/// Copies the library's parts, without the empty crate's own.
fn lay_library(built: &Path, library: &Path) -> Result<()> {
    create_dir(library)?;
    let entries = built.read_dir().map_err(|e| format!("cannot read {}: {e}", built.display()))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".rlib") && !name.starts_with(&format!("lib{SEED}-")) {
            fs::copy(entry.path(), library.join(&name))
                .map_err(|e| format!("cannot copy {name} to {}: {e}", library.display()))?;
        }
    }
    Ok(())
}

fn link(to: &Path, from: &Path) -> Result<()> {
    if let Some(dir) = from.parent() {
        create_dir(dir)?;
    }
    symlink(to, from).map_err(|e| format!("cannot link {}: {e}", from.display()))
}

fn dir(project: &Project) -> PathBuf {
    project.tools().join("debian")
}

fn stamp(dir: &Path) -> Stamp {
    Stamp::new(dir.join("finished"))
}

fn debian_sysroot() -> Result<String> {
    stdout_of(Command::new(RUSTC).args(["--print", "sysroot"]))
        .map(|path| path.trim().to_owned())
        .ok_or_else(|| format!("{RUSTC} --print sysroot fails"))
}

/// The major version of LLVM in what `rustc -vV` prints.
fn llvm_major(version: &str) -> Option<&str> {
    field(version, "LLVM version: ")?.split('.').next()
}

fn field<'a>(version: &'a str, name: &str) -> Option<&'a str> {
    version.lines().find_map(|line| line.strip_prefix(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_compiler_version() {
        let version = "rustc 1.96.0 (ac68faa20 2026-05-25)\nhost: x86_64-unknown-linux-gnu\nLLVM version: 22.1.8\n";
        assert_eq!(llvm_major(version), Some("22"));
        assert_eq!(field(version, "host: "), Some("x86_64-unknown-linux-gnu"));
        assert_eq!(llvm_major("rustc 1.96.0\n"), None);
    }
}
