//! What a visitor downloads and waits for.

use std::process::Command;

use crate::Result;
use crate::build;
use crate::command::run_in_the_open;
use crate::project::Project;
use crate::setup;
use crate::test::run_with_page;

/// Prints the sizes of `dist/`, raw and as a host sends them, then the time until the page answers.
pub fn run(project: &Project) -> Result<()> {
    let tools = setup::for_build(project)?;
    let browser = setup::for_browser_tests(project)?;
    build::build(project, &tools, false, build::Mode::Release)?;
    // Node has brotli built in; a crate for it would be compiled before every other command.
    run_in_the_open(
        Command::new("node").arg(project.path("xtask/src/size.mjs")).arg(project.dist()),
    )?;
    run_with_page(project, &browser, "web/tests/tti.mjs")
}
