//! Puts in place whatever a command needs and is not there yet.
//!
//! Each part asks first whether its tool works, does nothing when it does, and needs the network
//! only when it does not. A part that was interrupted is done again the next time.

mod apt;
mod browser;
mod cargo_tools;
mod clients;
mod debian;
mod npm;
mod wasm;

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::project::Project;

pub use browser::Browser;
pub use clients::Clients;
pub use wasm::TARGET;

/// What builds the site: a compiler for wasm, and the tools around it.
pub struct WasmTools {
    compiler: wasm::Compiler,
    path: OsString,
}

impl WasmTools {
    /// A command with the wasm compiler and the project's tools first in PATH.
    pub fn command(&self, project: &Project, program: &str) -> Command {
        // Looked up here: a child's PATH does not count when its own program is searched.
        let program_path =
            env::split_paths(&self.path).map(|dir| dir.join(program)).find(|file| file.is_file());
        let mut command = Command::new(program_path.unwrap_or_else(|| PathBuf::from(program)));
        command.current_dir(project.root());
        command.env("PATH", &self.path).env("CARGO_TARGET_DIR", project.wasm_target_dir());
        self.compiler.apply(&mut command);
        command
    }

    /// One line naming the compiler: what it built is stale when this changes.
    pub fn compiler_version(&self) -> &str {
        self.compiler.version()
    }
}

/// Everything `cargo xtask build` needs.
pub fn for_build(project: &Project) -> Result<WasmTools> {
    let compiler = wasm::provide(project)?;
    cargo_tools::provide(project)?;
    npm::provide(project)?;

    let mut dirs = vec![project.tools().join("bin"), project.path("web/node_modules/.bin")];
    dirs.extend(compiler.bin_dir().map(PathBuf::from));
    dirs.extend(env::var_os("PATH").iter().flat_map(env::split_paths));
    let path = env::join_paths(dirs).map_err(|e| format!("PATH: {e}"))?;
    Ok(WasmTools { compiler, path })
}

/// The clients that judge `naru serve`. Tests whose client is missing are left out and say why.
pub fn for_client_tests(project: &Project) -> Clients {
    clients::provide(project)
}

/// What the tests in a browser need besides.
pub fn for_browser_tests(project: &Project) -> Result<Browser> {
    browser::provide(project)
}
