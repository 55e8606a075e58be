//! What is found out by a cluster of its own, beside the learner's: a step's goal, and whether a
//! lesson that somebody writes can be played. It is done bit by bit, so that it can be given up.

use crate::lessons;
use naru_cluster::view::ViewDelta;
use naru_cluster::{Cluster, ExecResult, JobId};
use naru_lesson::{Lesson, Playing, Wanted};
use naru_sim::Time;
use naru_web::protocol::{DraftPage, Reply};
use std::collections::VecDeque;
use std::time::Duration;

/// Virtual time that a command may take on the way to a step's goal.
const GOAL_COMMAND_LIMIT: Duration = Duration::from_secs(120);
/// Virtual time after the commands in which the goal is reached.
const GOAL_WAIT_MAX: Duration = Duration::from_secs(600);
/// How often the checks of a goal are looked at, in virtual time.
const GOAL_LOOK: Duration = Duration::from_secs(1);
/// Exit code of a command whose time was over, as `timeout` has it.
const TIMED_OUT: i32 = 124;

/// A lesson that is being played beside the learner's cluster.
pub struct Trial {
    cluster: Cluster,
    lesson: Lesson,
    way: Way,
    doing: Doing,
}

/// What it is played for.
enum Way {
    /// What the cluster looks like at its end: what is left to do until then.
    Goal(VecDeque<Act>),
    /// What goes wrong on the way; what is wrong with its text is known.
    Rehearsal(Playing, Box<DraftPage>, String),
}

/// A piece of the way to a goal.
enum Act {
    /// A command is typed.
    Type(String),
    /// The checks of a step come to hold, or their time is over.
    Reach(usize),
    /// The same, until this moment.
    ReachBy(usize, Time),
}

/// What is under way.
enum Doing {
    /// Nothing: what is next is to be asked.
    Nothing,
    /// A script runs, until this moment at the latest.
    Script { job: JobId, end: Time, stdout: Vec<u8>, stderr: Vec<u8> },
    /// Time passes, up to this moment.
    Pass(Time),
}

impl Trial {
    /// What a new cluster of the lesson looks like when the commands and the solutions of all steps
    /// up to this one were typed.
    pub fn goal(lesson: &Lesson, step: usize) -> Result<Trial, String> {
        let mut acts = VecDeque::new();
        for (index, text) in lesson.steps.iter().enumerate().take(step + 1) {
            acts.extend(text.commands.iter().chain(&text.solution).cloned().map(Act::Type));
            acts.push_back(Act::Reach(index));
        }
        let mut trial = Trial::of(lesson.clone(), Way::Goal(acts))?;
        lesson.prepare(&mut trial.cluster).map_err(|problem| problem.text)?;
        Ok(trial)
    }

    /// A lesson's file, from its beginning to its end. What is wrong with it is the answer where it
    /// cannot be played.
    pub fn rehearsal(text: &str) -> Result<Trial, Box<DraftPage>> {
        let mut page = Box::new(lessons::read_draft(text));
        let Ok((_, lesson)) = lessons::draft(text) else { return Err(page) };
        let way = Way::Rehearsal(Playing::default(), page.clone(), text.to_owned());
        Trial::of(lesson, way).map_err(|error| {
            page.problems.push(error);
            page
        })
    }

    fn of(lesson: Lesson, way: Way) -> Result<Trial, String> {
        let cluster = Cluster::new(&lesson.profile, lesson.seed);
        let cluster = cluster.map_err(|error| error.to_string())?;
        Ok(Trial { cluster, lesson, way, doing: Doing::Nothing })
    }

    /// Goes on for about so many turns of its cluster. Returns what came of it at its end.
    pub fn go_on(&mut self, turns: u64) -> Option<Reply> {
        match std::mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Nothing => return self.ask_next(),
            Doing::Pass(until) => {
                if !self.cluster.advance(until, turns) {
                    self.doing = Doing::Pass(until);
                }
            }
            Doing::Script { job, end, mut stdout, mut stderr } => {
                let output = self.cluster.poll(job);
                stdout.extend(output.stdout);
                stderr.extend(output.stderr);
                stdout.truncate(Cluster::EXEC_OUTPUT_MAX);
                stderr.truncate(Cluster::EXEC_OUTPUT_MAX);
                let code = match (output.code, self.cluster.next_due()) {
                    (None, Some(due)) if due <= end => {
                        self.cluster.advance(due, 1);
                        self.doing = Doing::Script { job, end, stdout, stderr };
                        return None;
                    }
                    (None, _) => {
                        self.cluster.abandon(job);
                        TIMED_OUT
                    }
                    (Some(code), _) => code,
                };
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                self.ran(ExecResult { stdout: text(&stdout), stderr: text(&stderr), code });
            }
        }
        None
    }

    /// Begins what is next.
    fn ask_next(&mut self) -> Option<Reply> {
        match &mut self.way {
            Way::Rehearsal(playing, ..) => match playing.next(&self.lesson, &mut self.cluster) {
                Wanted::Command(command) => self.start(&command, Playing::COMMAND_LIMIT),
                Wanted::Pass(time) => self.doing = Doing::Pass(self.cluster.now() + time),
                Wanted::Nothing => return Some(self.end()),
            },
            Way::Goal(acts) => match acts.pop_front() {
                Some(Act::Type(command)) => self.start(&command, GOAL_COMMAND_LIMIT),
                Some(Act::Reach(step)) => {
                    let wait = self.lesson.steps.get(step).map_or(Duration::ZERO, |it| it.wait.0);
                    let by = self.cluster.now() + wait.min(GOAL_WAIT_MAX);
                    acts.push_front(Act::ReachBy(step, by));
                }
                Some(Act::ReachBy(step, by)) => {
                    let late = self.cluster.now() >= by;
                    if !late && self.lesson.check(step, &mut self.cluster).contains(&false) {
                        acts.push_front(Act::ReachBy(step, by));
                        self.doing = Doing::Pass(self.cluster.now() + GOAL_LOOK);
                    }
                }
                None => return Some(self.end()),
            },
        }
        None
    }

    fn start(&mut self, command: &str, limit: Duration) {
        let end = self.cluster.now() + limit;
        let job = self.cluster.start_script(command);
        self.doing = Doing::Script { job, end, stdout: Vec::new(), stderr: Vec::new() };
    }

    /// What a command on the way to a goal has printed is for nobody.
    fn ran(&mut self, result: ExecResult) {
        if let Way::Rehearsal(playing, ..) = &mut self.way {
            playing.ran(&self.lesson, &self.cluster, result);
        }
    }

    fn end(&mut self) -> Reply {
        match &mut self.way {
            Way::Goal(_) => {
                self.cluster.reset_view();
                let view = self.cluster.view();
                let bare = ViewDelta { activity: Vec::new(), packets: Vec::new(), ..view };
                Reply::View(Box::new(bare))
            }
            Way::Rehearsal(playing, page, text) => {
                let rehearsal = std::mem::take(playing).rehearsal();
                let mut page = std::mem::take(page);
                lessons::add_rehearsal(&mut page, &rehearsal, text);
                Reply::Draft(page)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_web::author::TEMPLATE;

    /// More pieces than any lesson has.
    const PIECES_MAX: usize = 10_000_000;

    fn end_of(mut trial: Trial) -> Reply {
        (0..PIECES_MAX).find_map(|_| trial.go_on(16)).unwrap()
    }

    #[test]
    fn played_in_pieces_a_lesson_is_what_it_is_at_once() {
        let (_, lesson) = lessons::draft(TEMPLATE).unwrap();
        let mut cluster = Cluster::new(&lesson.profile, lesson.seed).unwrap();
        let mut at_once = DraftPage::default();
        lessons::add_rehearsal(&mut at_once, &lesson.rehearse(&mut cluster), TEMPLATE);
        assert!(at_once.played.iter().any(|ran| !ran.is_empty()));
        let Ok(trial) = Trial::rehearsal(TEMPLATE) else { panic!("the template can be played") };
        let Reply::Draft(page) = end_of(trial) else { panic!("a draft") };
        assert_eq!(page.played, at_once.played);
        assert_eq!(page.problems, at_once.problems);
    }

    #[test]
    fn what_cannot_be_read_is_told_at_once() {
        let Err(page) = Trial::rehearsal("steps: [") else { panic!("it can not be played") };
        assert_eq!((page.problems.len(), page.lesson), (1, None));
    }

    #[test]
    fn a_goal_has_what_the_steps_make() {
        let (_, lesson) = lessons::draft(TEMPLATE).unwrap();
        let last = lesson.steps.len() - 1;
        let Reply::View(view) = end_of(Trial::goal(&lesson, last).unwrap()) else {
            panic!("a view")
        };
        assert!(view.pods.iter().any(|pod| pod.namespace == "default"));
    }
}
