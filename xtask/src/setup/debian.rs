//! Debian's own compiler, where rustup cannot download a standard library for wasm.
//!
//! Debian ships the library's source. It is built once, and laid in `.tools/` beside links to
//! Debian's own sysroot, so that nothing outside the project is written but apt's packages.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::apt;
use super::wasm::{Compiler, TARGET};
use crate::Result;
use crate::command::{Step, stdout_of};
use crate::project::{Project, Stamp, create_dir, remove_dir};

/// By its full path, since rustup's comes first in PATH.
const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
/// The compiler and the source of its library. The linker's package is named after LLVM's version,
/// which the compiler tells.
const PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
/// The empty crate whose build makes the library.
const SEED: &str = "seed";
/// What rustup's cargo, under which this runs, sets for its own compiler.
const VARIABLES_OF_RUSTUP: [&str; 5] =
    ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH"];

/// Where the compiler and its sysroot are.
pub struct Toolchain {
    dir: PathBuf,
}

impl Toolchain {
    fn of(project: &Project) -> (Self, PathBuf) {
        let dir = project.tools().join("debian");
        let bin = dir.join("bin");
        (Self { dir }, bin)
    }
}
