//! The JavaScript packages of web/package-lock.json: terminal, editor, bundler, `wasm-opt`.

use std::fs;
use std::process::Command;

use crate::Result;
use crate::command::{Step, stdout_of};
use crate::project::{Project, Stamp, find_in_path};

/// Installs exactly what the lock file says, when it or Node changed.
pub fn provide(project: &Project) -> Result<()> {
    let web = project.path("web");
    let lock_file = web.join("package-lock.json");
    let lock = fs::read_to_string(&lock_file)
        .map_err(|e| format!("cannot read {}: {e}", lock_file.display()))?;
    if find_in_path("npm").is_none() {
        return Err(
            "Node.js with npm is missing: install it from https://nodejs.org (version 18 or newer)"
                .to_owned(),
        );
    }
    let node = stdout_of(Command::new("node").arg("--version")).ok_or("node --version fails")?;

    // Inside node_modules, which `npm ci` empties first: an interrupted one leaves no stamp.
    let stamp = Stamp::new(web.join("node_modules/.naru-stamp"));
    let content = format!("{node}{lock}");
    if stamp.says(&content) {
        return Ok(());
    }
    stamp.clear()?;
    Step::new("npm", "fetching the JavaScript packages (npm ci)").run(
        project,
        Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&web),
    )?;
    stamp.set(&content)
}
