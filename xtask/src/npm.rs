//! The npm package: `<naru-sandbox>` for other pages, and clusters for scripts.

use std::process::Command;

use crate::Result;
use crate::build;
use crate::command::run_in_the_open;
use crate::project::Project;
use crate::setup::{self, Browser};

/// Builds the site and packs it. Tells what is in the package and how large it is. The tests use it as
/// others would.
pub fn run(project: &Project, test: bool) -> Result<()> {
    let tools = setup::for_build(project)?;
    build::build(project, &tools, false, build::Mode::Release)?;
    run_in_the_open(
        Command::new("node")
            .arg(project.path("web/npm/pack.mjs"))
            .arg(project.dist())
            .arg(project.path("target/npm"))
            // All packages of the workspace have this version.
            .arg(env!("CARGO_PKG_VERSION")),
    )?;
    match test {
        true => try_out(project, &setup::for_browser_tests(project)?),
        false => Ok(()),
    }
}

/// Packs the site that was built, and uses the package as others would.
pub fn try_out(project: &Project, browser: &Browser) -> Result<()> {
    run_in_the_open(
        Command::new("node")
            .args(["--test", "--test-force-exit"])
            .arg(project.path("web/tests/npm.mjs"))
            .current_dir(project.root())
            .env("NARU_DIST", project.dist())
            .env("NARU_CHROMIUM", &browser.chromium),
    )
}
