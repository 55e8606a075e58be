//! Whole clusters under random work and random faults, each from one seed.
//!
//! A seed makes a script of kubectl commands and of faults, and a profile of 3 to 10 nodes. After
//! every change of the store the laws of [`invariants`] are checked; when all is mended and time has
//! passed, those of [`settled`]. A seed that fails leaves its script and its profile behind, which
//! `naru run` plays again with the same history.
//!
//! `NARU_SEEDS=17` runs one seed, `NARU_SEEDS=0..2000` many.

mod invariants;
mod replaced;
mod rollouts;
mod script;
mod settled;

use invariants::Observer;
use libtest_mimic::{Arguments, Failed, Trial};
use naru_cluster::{Cluster, Profile};
use naru_sim::Time;
use script::Plan;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;
use std::{env, fs};

/// Seeds that are run when nobody says which.
const SEEDS: u64 = 200;
/// Virtual time that a script may take.
const LIMIT: Duration = Duration::from_secs(4 * 3600);

fn main() {
    let arguments = Arguments::from_args();
    let trial = |seed: u64| Trial::test(format!("seed {seed}"), move || run(seed));
    let trials = seeds().map(trial).collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn seeds() -> std::ops::Range<u64> {
    let text = env::var("NARU_SEEDS").unwrap_or_default();
    let number = |text: &str| text.trim().parse::<u64>().ok();
    match text.split_once("..") {
        Some((from, to)) => number(from).unwrap_or(0)..number(to).unwrap_or(SEEDS),
        None => number(&text).map_or(0..SEEDS, |seed| seed..seed + 1),
    }
}

fn run(seed: u64) -> Result<(), Failed> {
    let plan = Plan::new(seed);
    let mut cluster = booted(&plan)?;
    let mut observer = Observer::new(&mut cluster, plan.is_calm());
    let job = cluster.start_script(&plan.script());
    let end = cluster.now() + LIMIT;
    let mut output = String::new();
    let found = loop {
        let due = cluster.next_due().filter(|due| *due <= end);
        let Some(due) = due else { break Err("the script did not end".to_owned()) };
        cluster.advance(due, 1);
        if let Err(broken) = observer.look(&mut cluster) {
            break Err(broken);
        }
        let news = cluster.poll(job);
        output.push_str(&String::from_utf8_lossy(&news.stdout));
        output.push_str(&String::from_utf8_lossy(&news.stderr));
        if news.code.is_some() {
            break settled::check(&mut cluster);
        }
    };
    found.map_err(|broken| report(seed, &plan, &cluster, &broken, &output))
}

/// The cluster of a plan, switched on: the same one for all plans with as many nodes.
fn booted(plan: &Plan) -> Result<Cluster, String> {
    static BOOTED: [OnceLock<Result<Cluster, String>>; script::NODES_MAX + 1] =
        [const { OnceLock::new() }; script::NODES_MAX + 1];
    let boot = || {
        let profile = Profile::read(&plan.profile()).map_err(|error| error.to_string())?;
        Cluster::of(profile, plan.boot_seed(), Time::ZERO).map_err(|error| error.to_string())
    };
    let slot = BOOTED.get(plan.nodes()).ok_or("too many nodes")?;
    slot.get_or_init(boot).clone()
}

/// What went wrong, and how to see it again.
fn report(seed: u64, plan: &Plan, cluster: &Cluster, broken: &str, output: &str) -> Failed {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("seed-{seed}"));
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, text));
        written.map_or_else(|error| format!("({error})"), |()| path.display().to_string())
    };
    let script = file("script.sh", &plan.script());
    let profile = file("profile.yaml", &plan.profile());
    let printed = file("output.txt", output);
    let now = cluster.now();
    let nodes = plan.boot_seed();
    Failed::from(format!(
        "seed {seed} at {now}: {broken}\n\
         replay: naru run --seed {nodes} --profile {profile} {script}\n\
         printed: {printed}\n\
         again: NARU_SEEDS={seed} cargo test -p naru-tests --test simulation"
    ))
}
