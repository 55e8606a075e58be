//! Every test of the project, native and in headless Chromium.

use std::env;
use std::process::Command;
use std::time::Instant;

use crate::Result;
use crate::build;
use crate::command::{run_in_the_open, run_tests, stdout_of};
use crate::npm;
use crate::project::Project;
use crate::serve::Server;
use crate::setup::{self, Browser, WasmTools};

/// The packages with tests to be run in a browser.
const BROWSER_TEST_PACKAGES: [&str; 1] = [build::SITE_PACKAGE];
/// How long one test program may take in the browser, in seconds.
const BROWSER_TEST_SECONDS: &str = "180";

/// Which halves to run.
pub struct Parts {
    /// Format, lints, tests and licences with the ordinary compiler.
    pub native: bool,
    /// Tests in Chromium: of wasm, and of the page.
    pub browser: bool,
}

/// How a stage ended.
enum Outcome {
    Passed,
    Failed(String),
    Skipped(&'static str),
}

/// One row of the table at the end.
struct Row {
    stage: &'static str,
    outcome: Outcome,
    seconds: f32,
}

/// Runs the stages one after the other, all of them even when one fails, and sums up.
pub fn run(project: &Project, parts: Parts) -> Result<()> {
    let mut rows = Vec::new();
    // First, so that a machine which cannot run half of the tests says so at once.
    let for_browser = match parts.browser {
        true => Some((setup::for_build(project)?, setup::for_browser_tests(project)?)),
        false => None,
    };
    if parts.native {
        run_native(project, &mut rows);
    }
    if let Some((tools, browser)) = for_browser {
        run_in_browser(project, &tools, &browser, parts.native, &mut rows);
    }
    sum_up(&rows)
}

fn run_native(project: &Project, rows: &mut Vec<Row>) {
    stage(rows, "format", || run_in_the_open(cargo(project).args(["fmt", "--all", "--check"])));
    stage(rows, "lints", || {
        let lints = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
        run_in_the_open(cargo(project).args(lints))
    });
    stage(rows, "native tests", || {
        let mut tests = cargo(project);
        setup::for_client_tests(project).tell(&mut tests);
        run_tests(tests.args(["test", "--workspace", "--locked", "--no-fail-fast"]))
    });
    const LICENCES: &str = "licences";
    if stdout_of(cargo(project).args(["deny", "--version"])).is_none() {
        skip(rows, LICENCES, "cargo-deny is not here: cargo install --locked cargo-deny");
        return;
    }
    // Not the advisories: they come from a host that is no package registry.
    stage(rows, LICENCES, || {
        run_in_the_open(cargo(project).args(["deny", "check", "bans", "licenses", "sources"]))
    });
}

fn run_in_browser(
    project: &Project,
    tools: &WasmTools,
    browser: &Browser,
    native: bool,
    rows: &mut Vec<Row>,
) {
    run_wasm_tests(project, tools, browser, rows);
    let mut built = false;
    stage(rows, "build", || {
        build::build(project, tools, false, build::Mode::Release).inspect(|()| built = true)
    });
    if !built {
        skip(rows, "page", "there is no page");
        skip(rows, "npm package", "there is no page");
        return;
    }
    stage(rows, "page", || {
        let mut tests = with_page(project, browser, "web/tests/run.mjs")?;
        if native {
            // What the native tests were run with. Without it, it is compiled for this alone.
            tests.env("NARU_PROGRAM", project.path("target/debug/naru"));
        }
        run_in_the_open(&mut tests)
    });
    stage(rows, "npm package", || npm::try_out(project, browser));
}

/// The tests that are compiled to wasm.
fn run_wasm_tests(project: &Project, tools: &WasmTools, browser: &Browser, rows: &mut Vec<Row>) {
    stage(rows, "wasm tests", || {
        let runner = project.tools().join("bin/wasm-bindgen-test-runner");
        let mut test = tools.command(project, "cargo");
        test.args(["test", "--locked", "--tests", "--target", setup::TARGET])
            .args(BROWSER_TEST_PACKAGES.iter().flat_map(|package| ["--package", package]))
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner)
            .env("CHROMEDRIVER", &browser.driver)
            .env("WASM_BINDGEN_TEST_TIMEOUT", BROWSER_TEST_SECONDS);
        run_tests(&mut test)
    });
}

/// Begins to serve the page, and makes a script of Node ready that knows where the page and the browser
/// are.
pub fn with_page(project: &Project, browser: &Browser, script: &str) -> Result<Command> {
    let url = Server::bind(&project.dist(), 0)?.run_in_background();
    let mut node = Command::new("node");
    node.arg(project.path(script))
        .current_dir(project.root())
        .env("NARU_URL", url)
        .env("NARU_CHROMIUM", &browser.chromium);
    Ok(node)
}

/// The cargo this runs under.
fn cargo(project: &Project) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(project.root());
    cargo
}

fn stage(rows: &mut Vec<Row>, stage: &'static str, run: impl FnOnce() -> Result<()>) {
    println!("\n=== {stage}");
    let begun = Instant::now();
    let outcome = run().map_or_else(Outcome::Failed, |()| Outcome::Passed);
    let seconds = begun.elapsed().as_secs_f32();
    match &outcome {
        Outcome::Failed(reason) => println!("=== {stage}: FAILED in {seconds:.1} s: {reason}"),
        _ => println!("=== {stage}: ok in {seconds:.1} s"),
    }
    rows.push(Row { stage, outcome, seconds });
}

fn skip(rows: &mut Vec<Row>, stage: &'static str, why: &'static str) {
    println!("\n=== {stage}: skipped: {why}");
    rows.push(Row { stage, outcome: Outcome::Skipped(why), seconds: 0.0 });
}

fn sum_up(rows: &[Row]) -> Result<()> {
    println!();
    for Row { stage, outcome, seconds } in rows {
        match outcome {
            Outcome::Passed => println!("{stage:<14} ok      {seconds:>7.1} s"),
            Outcome::Failed(_) => println!("{stage:<14} FAILED  {seconds:>7.1} s"),
            Outcome::Skipped(why) => println!("{stage:<14} skipped ({why})"),
        }
    }
    for Row { stage, outcome, .. } in rows {
        if let Outcome::Failed(reason) = outcome {
            println!("\n=== {stage}: {reason}");
        }
    }
    let failed: Vec<&str> = rows
        .iter()
        .filter(|row| matches!(row.outcome, Outcome::Failed(_)))
        .map(|row| row.stage)
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!("failed: {}", failed.join(", ")))
}
