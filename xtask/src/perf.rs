//! How the page fares when much happens.

use crate::Result;
use crate::build;
use crate::command::run_in_the_open;
use crate::project::Project;
use crate::setup;
use crate::test::with_page;

/// Prints frame times and memory while a thousand pods start and packets move; as one line of JSON
/// if so wanted.
pub fn run(project: &Project, json: bool) -> Result<()> {
    let tools = setup::for_build(project)?;
    let browser = setup::for_browser_tests(project)?;
    build::build(project, &tools, false, build::Mode::Release)?;
    let mut script = with_page(project, &browser, "web/tests/perf.mjs")?;
    run_in_the_open(script.args(json.then_some("--json")))
}
