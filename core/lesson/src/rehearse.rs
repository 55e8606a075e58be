//! A lesson played by nobody: every step must be undone before, and done after what does it.

use crate::{Lesson, Place, Problem, Scene, StepText};
use naru_cluster::{BootError, Cluster, ExecResult};
use std::collections::BTreeMap;
use std::time::Duration;

/// Virtual time that one command may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(3600);
/// How often the checks are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What came of a lesson.
#[derive(Clone, Debug, Default)]
pub struct Rehearsal {
    /// Of each step that was begun, what its commands printed.
    pub steps: Vec<Vec<Ran>>,
    /// What went wrong. The rest of the lesson was not played then.
    pub problems: Vec<Problem>,
}

/// A command, and what came of it.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The command, as the lesson has it.
    pub command: String,
    /// What it printed, and its exit code.
    pub result: ExecResult,
}

/// Clusters that are on already, by profile and seed: to copy one is quicker than to start it.
#[derive(Clone, Debug, Default)]
pub struct Booted(BTreeMap<(String, u64), Cluster>);

impl Booted {
    /// A new cluster for a lesson. What a cluster needs once is done by `equip`.
    pub fn cluster(
        &mut self,
        lesson: &Lesson,
        equip: impl FnOnce(&mut Cluster),
    ) -> Result<Cluster, BootError> {
        let key = (lesson.profile.clone(), lesson.seed);
        if let Some(cluster) = self.0.get(&key) {
            return Ok(cluster.clone());
        }
        let mut cluster = Cluster::new(&lesson.profile, lesson.seed)?;
        equip(&mut cluster);
        self.0.insert(key, cluster.clone());
        Ok(cluster)
    }
}

impl Lesson {
    /// Lays its files into a new cluster's home, and types its hidden commands. Tells the first
    /// that failed.
    pub fn prepare(&self, scene: &mut dyn Scene) -> Result<(), Problem> {
        for (name, content) in &self.files {
            if let Err(error) = scene.write_file(name, content.as_bytes()) {
                let place = Place::root().field("files").field(name);
                return Err(problem(place, error));
            }
        }
        for (index, command) in self.setup.iter().enumerate() {
            let result = scene.exec(command, COMMAND_LIMIT);
            if result.code != 0 {
                return Err(failed(Place::root().field("setup").item(index), command, &result));
            }
        }
        Ok(())
    }

    /// Plays it in a new cluster of its profile and seed.
    pub fn rehearse(&self, scene: &mut dyn Scene) -> Rehearsal {
        let mut rehearsal = Rehearsal::default();
        if let Err(problem) = self.prepare(scene) {
            rehearsal.problems.push(problem);
            return rehearsal;
        }
        for (index, step) in self.steps.iter().enumerate() {
            let mut ran = Vec::new();
            let result = self.rehearse_step(index, step, scene, &mut ran);
            rehearsal.steps.push(ran);
            if let Err(problem) = result {
                rehearsal.problems.push(problem);
                break;
            }
        }
        rehearsal
    }

    fn rehearse_step(
        &self,
        index: usize,
        step: &StepText,
        scene: &mut dyn Scene,
        ran: &mut Vec<Ran>,
    ) -> Result<(), Problem> {
        let place = Place::root().field("steps").item(index);
        let does_it = if step.solution.is_empty() { "commands" } else { "solution" };
        if does_it == "solution" {
            run(step, "commands", &step.commands, &place, scene, ran)?;
        }
        if !step.checks.is_empty() && !self.check(index, scene).contains(&false) {
            let text = format!("all its checks hold already before its {does_it}");
            return Err(problem(place.field("checks"), text));
        }
        let commands = if step.solution.is_empty() { &step.commands } else { &step.solution };
        run(step, does_it, commands, &place, scene, ran)?;
        let end = scene.elapsed() + step.wait.0;
        loop {
            let hold = self.check(index, scene);
            let Some(first) = hold.iter().position(|holds| !holds) else { return Ok(()) };
            if scene.elapsed() >= end {
                let says = step.checks.get(first).map(|it| it.says.en.as_str()).unwrap_or_default();
                let seconds = step.wait.0.as_secs();
                let text = format!("it does not hold {seconds} s after its {does_it}: {says}");
                return Err(problem(place.field("checks").item(first), text));
            }
            scene.pass(LOOK.min(end.saturating_sub(scene.elapsed())));
        }
    }
}

/// Types commands. One may fail if the lesson means it to: its output is quoted in the text, or a
/// check wants its exit code.
fn run(
    step: &StepText,
    field: &str,
    commands: &[String],
    place: &Place,
    scene: &mut dyn Scene,
    ran: &mut Vec<Ran>,
) -> Result<(), Problem> {
    for (index, command) in commands.iter().enumerate() {
        let before = scene.elapsed();
        let result = scene.exec(command, COMMAND_LIMIT);
        let first = command.lines().next().unwrap_or_default();
        let quoted = step.text.en.contains(&format!("$ {first}"));
        let wanted = step.checks.iter().filter_map(|check| check.command.as_ref());
        let wanted = wanted.filter(|it| it.code == result.code && it.code != 0);
        let meant = quoted || wanted.map(|it| &it.starts_with).any(|it| command.starts_with(it));
        let endless = scene.elapsed() >= before + COMMAND_LIMIT;
        let bad = endless || (result.code != 0 && !meant);
        ran.push(Ran { command: command.clone(), result: result.clone() });
        if bad {
            return Err(failed(place.field(field).item(index), command, &result));
        }
    }
    Ok(())
}

fn failed(place: Place, command: &str, result: &ExecResult) -> Problem {
    let ExecResult { stdout, stderr, code } = result;
    problem(place, format!("exit code {code} of $ {command}\n{stdout}{stderr}"))
}

fn problem(place: Place, text: String) -> Problem {
    Problem { place, lines_below: 0, text }
}
