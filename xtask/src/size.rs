//! What a visitor downloads and waits for.

use std::process::Command;

use crate::Result;
use crate::build;
use crate::command::run_in_the_open;
use crate::project::Project;
use crate::setup;
use crate::test::with_page;

/// Prints the sizes of `dist/`, raw and as a host sends them, then the time until the page answers;
/// each as one line of JSON if so wanted.
pub fn run(project: &Project, json: bool) -> Result<()> {
    let json = json.then_some("--json");
    let tools = setup::for_build(project)?;
    let browser = setup::for_browser_tests(project)?;
    build::build(project, &tools, false, build::Mode::Release)?;
    // Node has brotli built in; a crate for it would be compiled before every other command.
    run_in_the_open(
        Command::new("node").arg(project.path("xtask/src/size.mjs")).arg(project.dist()).args(json),
    )?;
    run_in_the_open(&mut with_page(project, &browser, "web/tests/tti.mjs")?)
}
