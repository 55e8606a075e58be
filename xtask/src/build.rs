//! `dist/`: the whole site as static files, made by Trunk.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Result;
use crate::command::{Step, run_in_the_open, stdout_of};
use crate::project::{Project, Stamp};
use crate::setup::{self, WasmTools};

/// What the site is made from.
const INPUTS: [&str; 10] = [
    ".cargo",
    "Cargo.lock",
    "Cargo.toml",
    "Trunk.toml",
    "assets",
    "core",
    "lessons",
    "schemas",
    "web",
    "xtask/split",
];

/// The languages of the page.
const LANGUAGES: [&str; 2] = ["ko", "en"];

/// The package that becomes the site.
pub const SITE_PACKAGE: &str = "naru-web";

/// How the site is compiled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Small and fast, as it is published.
    Release,
    /// Soon, for who works on it.
    Quick,
}

impl Mode {
    /// The profile of Cargo.toml.
    fn profile(self) -> &'static str {
        match self {
            Mode::Release => "wasm-release",
            Mode::Quick => "wasm-quick",
        }
    }
}

/// Sets up, and builds `dist/` unless it is what the sources would give.
pub fn run(project: &Project, force: bool, mode: Mode) -> Result<()> {
    let tools = setup::for_build(project)?;
    build(project, &tools, force, mode)
}

/// Builds with tools that were set up already.
pub fn build(project: &Project, tools: &WasmTools, force: bool, mode: Mode) -> Result<()> {
    let profile = mode.profile();
    let stamp = Stamp::new(project.tools().join("dist.stamp"));
    let inputs =
        fingerprint(project).map(|hash| format!("{hash}\n{profile}\n{}", tools.compiler_version()));
    let built = inputs.as_deref().is_some_and(|inputs| stamp.says(inputs));
    if built && !force && project.dist().join("index.html").is_file() {
        println!("dist/ is up to date");
        return Ok(());
    }
    stamp.clear()?;
    Step::new("fetch", "fetching crates (cargo fetch)")
        .run(project, tools.command(project, "cargo").args(["fetch", "--locked"]))?;
    // By one cargo for both programs, which Trunk would start one after the other; and in the open,
    // since whoever broke the code wants to see where.
    println!("==> compiling the site to wasm (some minutes the first time)");
    let begun = Instant::now();
    run_in_the_open(tools.command(project, "cargo").args([
        "build",
        "--locked",
        "--offline",
        "--bins",
        "--package",
        SITE_PACKAGE,
        "--profile",
        profile,
        "--target",
        setup::TARGET,
    ]))?;
    println!("    done in {:.1} s", begun.elapsed().as_secs_f32());
    Step::new("trunk", "packing dist/ (trunk build)").run(
        project,
        // Offline, or Trunk would look for its tools' versions on the network. Without a trace of
        // Trunk's own calls, which would push the reason of a failure out of sight.
        tools
            .command(project, "trunk")
            .args(["build", "--offline", "--locked", "--cargo-profile", profile])
            .args((mode == Mode::Release).then_some("--release"))
            .env_remove("RUST_BACKTRACE"),
    )?;
    if mode == Mode::Release {
        split(project, tools)?;
    }
    match inputs {
        Some(inputs) => stamp.set(&inputs),
        None => Ok(()),
    }
}

/// Takes out of the wasm of the worker and of the page what is not run while a cluster starts and is
/// first shown, so that it comes later. What that is, trial runs tell, one in each language.
fn split(project: &Project, tools: &WasmTools) -> Result<()> {
    split_one(project, tools, "worker")?;
    split_one(project, tools, "page")
}

/// Splits the wasm of one program. What the worker tells in its trials is told the page in those of its
/// own.
fn split_one(project: &Project, tools: &WasmTools, program: &str) -> Result<()> {
    let dist = project.dist();
    let whole = wasm_of(&dist, program)?;
    let made = project.wasm_target_dir();
    let [marked, marks, first] =
        ["marked.wasm", "marks", "first.wasm"].map(|name| made.join(format!("{program}-{name}")));
    let linked =
        made.join(setup::TARGET).join(Mode::Release.profile()).join(format!("{program}.wasm"));
    let rest = dist.join(format!("{program}_rest.wasm"));
    let splitter = |title: &str, args: &[&Path]| {
        let mut command = tools.command(project, "cargo");
        command.args(["run", "--quiet", "--locked", "--offline", "--package", "naru-split", "--"]);
        Step::new("split", title).run(project, command.args(args))
    };
    splitter(&format!("marking what {program} does"), &["mark".as_ref(), &whole, &marked])?;
    // The trials add to what is known, but not to what was known of another build.
    let _ = std::fs::remove_file(&marks);
    for language in LANGUAGES {
        let title = format!("starting {program} to see what of it is run ({language})");
        let mut trial = Command::new("node");
        trial.arg(project.path(&format!("xtask/split/trial-{program}.mjs")));
        trial.args([&dist, &marked, &marks, &made.join(format!("told-{language}.json"))]);
        Step::new("trial", &title).run(project, trial.arg(language))?;
    }
    splitter(
        &format!("splitting {program}"),
        &["split".as_ref(), &whole, &linked, &marks, &first, &rest],
    )?;
    std::fs::rename(&first, &whole).map_err(|e| format!("cannot write {}: {e}", whole.display()))
}

/// The wasm of a program. Trunk gives that of the page a name by its contents.
fn wasm_of(dist: &Path, program: &str) -> Result<PathBuf> {
    let files = dist.read_dir().map_err(|e| format!("cannot read {}: {e}", dist.display()))?;
    let is_it = |file: &PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(program) && name.ends_with("_bg.wasm")
    };
    let found = files.flatten().map(|file| file.path()).find(is_it);
    found.ok_or_else(|| format!("{} has no wasm of {program}", dist.display()))
}

/// A hash of all inputs, as they are now and git would take them. `None` outside a git checkout.
fn fingerprint(project: &Project) -> Option<String> {
    let list = ["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "--"];
    let files = stdout_of(git(project).args(list).args(INPUTS))?;
    // A file that was deleted and not yet committed is still listed.
    let present: Vec<&str> = files.lines().filter(|file| project.path(file).is_file()).collect();
    let names = present.join("\n");
    let contents = hash(project, &["--stdin-paths"], &names)?;
    hash(project, &["--stdin"], &format!("{names}\n{contents}"))
}

/// `git hash-object` of what is given on its stdin.
fn hash(project: &Project, args: &[&str], input: &str) -> Option<String> {
    let mut child = git(project)
        .arg("hash-object")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    // Written from another thread: git answers while it reads, and both pipes have an end.
    let mut stdin = child.stdin.take()?;
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().ok()?;
    writer.join().ok()?.ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).ok())?
}

fn git(project: &Project) -> Command {
    let mut git = Command::new("git");
    git.current_dir(project.root());
    git
}
