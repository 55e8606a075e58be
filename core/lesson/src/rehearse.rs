//! A lesson played by nobody: every step must be undone before, and done after what does it.

use crate::{Lesson, Place, Problem, Scene, StepText};
use naru_cluster::{BootError, Cluster, ExecResult};
use std::collections::BTreeMap;
use std::time::Duration;

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

/// What is to be done next on the way through a lesson.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Run this command to its end, for at most [`Playing::COMMAND_LIMIT`], and tell by
    /// [`Playing::ran`] what came of it.
    Command(String),
    /// Let so much time pass.
    Pass(Duration),
    /// The lesson is over.
    Nothing,
}

/// A lesson that is being played by nobody: it says what it wants, and whoever plays it does that,
/// all at once or bit by bit.
#[derive(Clone, Debug, Default)]
pub struct Playing {
    rehearsal: Rehearsal,
    at: At,
    /// When the latest command was begun.
    begun: Duration,
}

/// How far it has come.
#[derive(Clone, Debug, Default)]
enum At {
    /// Its files are to be laid down.
    #[default]
    Files,
    /// A hidden command is next.
    Setup(usize),
    /// A command of a step is next, of its first act or of its second: see [`acts`].
    Step { step: usize, act: usize, command: usize },
    /// The checks of a step are to hold until this moment.
    Checks { step: usize, end: Duration },
    /// It was played to its end, or something went wrong.
    Over,
}

impl Lesson {
    /// Lays its files into a new cluster's home, and types its hidden commands. Tells the first
    /// that failed.
    pub fn prepare(&self, scene: &mut dyn Scene) -> Result<(), Problem> {
        self.lay_files(scene)?;
        for (index, command) in self.setup.iter().enumerate() {
            let result = scene.exec(command, Playing::COMMAND_LIMIT);
            self.judge_setup(index, &result)?;
        }
        Ok(())
    }

    fn lay_files(&self, scene: &mut dyn Scene) -> Result<(), Problem> {
        for (name, content) in &self.files {
            if let Err(error) = scene.write_file(name, content.as_bytes()) {
                let place = Place::root().field("files").field(name);
                return Err(problem(place, error));
            }
        }
        Ok(())
    }

    fn judge_setup(&self, index: usize, result: &ExecResult) -> Result<(), Problem> {
        let command = self.setup.get(index).map(String::as_str).unwrap_or_default();
        match result.code {
            0 => Ok(()),
            _ => Err(failed(Place::root().field("setup").item(index), command, result)),
        }
    }

    /// Plays it in a new cluster of its profile and seed.
    pub fn rehearse(&self, scene: &mut dyn Scene) -> Rehearsal {
        let mut playing = Playing::default();
        loop {
            match playing.next(self, scene) {
                Wanted::Command(command) => {
                    let result = scene.exec(&command, Playing::COMMAND_LIMIT);
                    playing.ran(self, scene, result);
                }
                Wanted::Pass(time) => scene.pass(time),
                Wanted::Nothing => return playing.rehearsal,
            }
        }
    }
}

impl Playing {
    /// Virtual time that one command may take.
    pub const COMMAND_LIMIT: Duration = Duration::from_secs(3600);

    /// What came of the lesson so far.
    pub fn rehearsal(self) -> Rehearsal {
        self.rehearsal
    }

    /// What is to be done next.
    pub fn next(&mut self, lesson: &Lesson, scene: &mut dyn Scene) -> Wanted {
        loop {
            let went = match self.at {
                At::Files => lesson.lay_files(scene).map(|()| self.at = At::Setup(0)),
                At::Setup(index) => match lesson.setup.get(index) {
                    Some(command) => return Wanted::Command(command.clone()),
                    None => {
                        self.at = At::Step { step: 0, act: 0, command: 0 };
                        Ok(())
                    }
                },
                At::Step { step, act, command } => {
                    match self.next_of_step(lesson, (step, act, command), scene) {
                        Ok(Some(command)) => return Wanted::Command(command),
                        Ok(None) => Ok(()),
                        Err(problem) => Err(problem),
                    }
                }
                At::Checks { step, end } => match self.next_of_checks(lesson, step, end, scene) {
                    Ok(Some(time)) => return Wanted::Pass(time),
                    Ok(None) => Ok(()),
                    Err(problem) => Err(problem),
                },
                At::Over => return Wanted::Nothing,
            };
            self.heed(went);
        }
    }

    /// Takes in what came of the command that was wanted.
    pub fn ran(&mut self, lesson: &Lesson, scene: &dyn Scene, result: ExecResult) {
        let went = match self.at {
            At::Setup(index) => {
                self.at = At::Setup(index + 1);
                lesson.judge_setup(index, &result)
            }
            At::Step { step, act, command } => {
                self.at = At::Step { step, act, command: command + 1 };
                let endless = scene.elapsed() >= self.begun + Self::COMMAND_LIMIT;
                self.take_in(lesson, (step, act, command), result, endless)
            }
            At::Files | At::Checks { .. } | At::Over => Ok(()),
        };
        self.heed(went);
    }

    /// What goes wrong is the end.
    fn heed(&mut self, went: Result<(), Problem>) {
        if let Err(problem) = went {
            self.rehearsal.problems.push(problem);
            self.at = At::Over;
        }
    }

    /// The command that is next in a step; without one it goes on to what follows.
    fn next_of_step(
        &mut self,
        lesson: &Lesson,
        (index, act, command): (usize, usize, usize),
        scene: &mut dyn Scene,
    ) -> Result<Option<String>, Problem> {
        let Some(step) = lesson.steps.get(index) else {
            self.at = At::Over;
            return Ok(None);
        };
        if (act, command) == (0, 0) {
            self.rehearsal.steps.push(Vec::new());
        }
        let acts = acts(step);
        let Some((field, commands)) = acts.get(act) else {
            self.at = At::Checks { step: index, end: scene.elapsed() + step.wait.0 };
            return Ok(None);
        };
        let does_it = act + 1 == acts.len() && command == 0;
        if does_it && !step.checks.is_empty() && !lesson.check(index, scene).contains(&false) {
            let text = format!("all its checks hold already before its {field}");
            return Err(problem(place_of(index).field("checks"), text));
        }
        if commands.get(command).is_none() {
            self.at = At::Step { step: index, act: act + 1, command: 0 };
        }
        self.begun = scene.elapsed();
        Ok(commands.get(command).cloned())
    }

    /// How long to wait until the checks are looked at again; once they hold it goes on.
    fn next_of_checks(
        &mut self,
        lesson: &Lesson,
        index: usize,
        end: Duration,
        scene: &mut dyn Scene,
    ) -> Result<Option<Duration>, Problem> {
        let hold = lesson.check(index, scene);
        let step = lesson.steps.get(index);
        let Some((first, step)) = hold.iter().position(|holds| !holds).zip(step) else {
            self.at = At::Step { step: index + 1, act: 0, command: 0 };
            return Ok(None);
        };
        if scene.elapsed() < end {
            return Ok(Some(LOOK.min(end.saturating_sub(scene.elapsed()))));
        }
        let says = step.checks.get(first).map(|it| it.says.en.as_str()).unwrap_or_default();
        let does_it = acts(step).last().map(|(field, _)| *field).unwrap_or_default();
        let text =
            format!("it does not hold {} s after its {does_it}: {says}", step.wait.0.as_secs());
        Err(problem(place_of(index).field("checks").item(first), text))
    }

    /// Notes what a command of a step printed. It may fail if the lesson means it to: its output is
    /// quoted in the text, or a check wants its exit code.
    fn take_in(
        &mut self,
        lesson: &Lesson,
        (index, act, at): (usize, usize, usize),
        result: ExecResult,
        endless: bool,
    ) -> Result<(), Problem> {
        let Some(step) = lesson.steps.get(index) else { return Ok(()) };
        let acts = acts(step);
        let Some((field, commands)) = acts.get(act) else { return Ok(()) };
        let Some(command) = commands.get(at) else { return Ok(()) };
        let first = command.lines().next().unwrap_or_default();
        let quoted = step.text.en.contains(&format!("$ {first}"));
        let wanted = step.checks.iter().filter_map(|check| check.command.as_ref());
        let wanted = wanted.filter(|it| it.code == result.code && it.code != 0);
        let meant = quoted || wanted.map(|it| &it.starts_with).any(|it| command.starts_with(it));
        let bad = endless || (result.code != 0 && !meant);
        let went = match bad {
            true => Err(failed(place_of(index).field(field).item(at), command, &result)),
            false => Ok(()),
        };
        if let Some(ran) = self.rehearsal.steps.last_mut() {
            ran.push(Ran { command: command.clone(), result });
        }
        went
    }
}

/// What is typed in a step, act by act, and where that stands: its commands and, where there is
/// something to find out, its solution. The last act does what the step asks for.
fn acts(step: &StepText) -> Vec<(&'static str, &[String])> {
    let commands = ("commands", step.commands.as_slice());
    match step.solution.as_slice() {
        [] => vec![commands],
        solution => vec![commands, ("solution", solution)],
    }
}

fn place_of(step: usize) -> Place {
    Place::root().field("steps").item(step)
}

fn failed(place: Place, command: &str, result: &ExecResult) -> Problem {
    let ExecResult { stdout, stderr, code } = result;
    problem(place, format!("exit code {code} of $ {command}\n{stdout}{stderr}"))
}

fn problem(place: Place, text: String) -> Problem {
    Problem { place, lines_below: 0, text }
}
