//! A cluster with its past: what came from outside is noted, so that any earlier moment can be
//! brought back, and a whole session told in a few kilobytes.
//!
//! The core is a value and its history follows from profile, seed and inputs. So the past is kept
//! as the inputs and some clones; a moment between two clones is reached by going on from the
//! earlier one with the same inputs. Who acts in the past leaves the way that was gone before: it
//! becomes a branch, which can be taken up again.

use crate::faults::{Fault, FaultError};
use crate::terminal::ExecResult;
use crate::workstation::{JobId, JobOutput, TerminalId};
use crate::{BootError, Cluster};
use naru_sim::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// What came from outside of the machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// A terminal of so many columns and rows is opened.
    OpenTerminal(u16, u16),
    /// Bytes are typed into a terminal.
    Type(u32, Vec<u8>),
    /// A terminal has another size.
    Resize(u32, u16, u16),
    /// What the terminals have printed is taken, which gives their programs room for more.
    Drain,
    /// What was typed is answered while time stands still, within so many microseconds.
    Answer(u64),
    /// A script is started.
    Start(String),
    /// What a script has printed is taken.
    Poll(u32),
    /// A script is given up.
    Abandon(u32),
    /// Something breaks or is mended, in the words of [`Fault::parse`].
    Fault(String),
    /// A file of the learner's home directory is written.
    Write(String, Vec<u8>),
    /// The learner's machine speaks another language: `en_US.UTF-8`.
    Locale(String),
    /// The schemas of OpenAPI are brought: see [`Session::set_openapi`].
    Schemas,
    /// A script is started that goes on beside all others.
    StartApart(String),
}

/// An input, and how far the cluster had come: its turns and its clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// [`Cluster::turns`]
    pub turns: u64,
    /// [`Cluster::now`], in microseconds.
    pub micros: u64,
    /// The input.
    pub input: Input,
}

/// A session as it is kept in a file or a browser: everything follows from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The profile: its name, or its text.
    pub profile: String,
    /// The seed.
    pub seed: u64,
    /// What came from outside, oldest first.
    pub entries: Vec<Entry>,
    /// The last moment that was seen, in microseconds.
    pub micros: u64,
}

/// What terminals have printed, and when.
#[derive(Clone, Debug)]
struct Printed {
    /// The inputs up to then.
    entries: usize,
    terminal: TerminalId,
    bytes: Vec<u8>,
}

/// A clone of the cluster at a moment.
#[derive(Clone, Debug)]
struct Snapshot {
    /// The inputs that it has had.
    entries: usize,
    cluster: Cluster,
    /// How many pods it has, by which its size goes.
    pods: usize,
    /// What it took to come here from the clone before.
    effort: Duration,
}

/// A way that was gone and left.
#[derive(Clone, Debug)]
struct Branch {
    /// All its inputs, those that it shares with others too.
    journal: Vec<Entry>,
    /// When it was left.
    from: Time,
    /// How far it went.
    end: Time,
}

/// A way that was gone and left, as a person sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BranchView {
    /// When it was left.
    pub from: Time,
    /// How far it went.
    pub end: Time,
}

/// A cluster, and the way that it has come.
#[derive(Debug)]
pub struct Session {
    profile: String,
    seed: u64,
    cluster: Cluster,
    /// Past inputs, then those of the future that is known.
    journal: Vec<Entry>,
    /// How many of them are past.
    done: usize,
    /// The latest moment that is known.
    end: Time,
    snapshots: Vec<Snapshot>,
    /// What it has taken to come this far from the last clone, as far as that was told.
    effort: Duration,
    /// The turns up to which it was told.
    told: u64,
    /// What the last clone has taken, as far as that was told.
    copy: Duration,
    branches: Vec<Branch>,
    printed: Vec<Printed>,
    printed_bytes: usize,
    terminals: Vec<TerminalId>,
    schemas: Option<Arc<[u8]>>,
    /// Somebody has looked for the schemas.
    schemas_asked: bool,
    /// What the terminals have printed and nobody has asked for yet.
    fresh: Vec<(TerminalId, Vec<u8>)>,
    /// Scripts for whose end somebody waits.
    awaited: BTreeSet<JobId>,
}

impl Session {
    /// Inputs kept at most; a session with more goes on, and cannot be brought back.
    pub const ENTRIES_MAX: usize = 200_000;
    /// What it takes to come from one clone to the next: what is repeated to reach a moment, while
    /// there is room for clones.
    const EFFORT_APART: Duration = Duration::from_millis(12);
    /// What a turn takes as long as nobody has told: see [`Session::spent`].
    const TURN_EFFORT: Duration = Duration::from_micros(30);
    /// The same, at the least, in what a clone takes.
    const COPIES_APART: u32 = 8;
    /// Clones kept at most.
    const SNAPSHOTS_MAX: usize = 64;
    /// Pods that all clones have together, at most, where there are more than a few clones: what clones
    /// do not share, the machinery of running pods, is some kilobytes a pod.
    const PODS_CLONED_MAX: usize = 6_000;
    /// Clones kept however many pods they have.
    const SNAPSHOTS_MIN: usize = 3;
    /// Branches kept at most; the oldest is forgotten.
    const BRANCHES_MAX: usize = 8;
    /// Bytes of the terminals' output kept at most.
    const PRINTED_MAX: usize = 512 * 1024;

    /// A new cluster.
    pub fn new(profile: &str, seed: u64) -> Result<Session, BootError> {
        let mut cluster = Cluster::new(profile, seed)?;
        cluster.await_openapi();
        let first = Snapshot {
            entries: 0,
            cluster: cluster.clone(),
            pods: cluster.pods(),
            effort: Duration::ZERO,
        };
        Ok(Session {
            profile: profile.to_owned(),
            seed,
            end: cluster.now(),
            effort: Duration::ZERO,
            told: cluster.turns(),
            copy: Duration::ZERO,
            cluster,
            journal: Vec::new(),
            done: 0,
            snapshots: vec![first],
            branches: Vec::new(),
            printed: Vec::new(),
            printed_bytes: 0,
            terminals: Vec::new(),
            schemas: None,
            schemas_asked: false,
            fresh: Vec::new(),
            awaited: BTreeSet::new(),
        })
    }

    /// A session that was kept, at its start: its future is known, and comes about by
    /// [`Session::advance`].
    pub fn resume(record: Record) -> Result<Session, BootError> {
        let mut session = Session::new(&record.profile, record.seed)?;
        session.journal = record.entries;
        session.journal.truncate(Self::ENTRIES_MAX);
        session.end = Time::from_micros(record.micros).max(session.end);
        Ok(session)
    }

    /// The session to be kept, as far as it was gone.
    pub fn record(&self) -> Record {
        Record {
            profile: self.profile.clone(),
            seed: self.seed,
            entries: self.journal.clone(),
            micros: self.end.as_micros(),
        }
    }

    /// The profile and the seed.
    pub fn origin(&self) -> (&str, u64) {
        (&self.profile, self.seed)
    }

    /// How many inputs there were: a record that was taken before is old when this has grown.
    pub fn entries(&self) -> usize {
        self.journal.len()
    }

    /// The cluster, to look at. What is done to it here is not noted.
    pub fn cluster(&mut self) -> &mut Cluster {
        &mut self.cluster
    }

    /// The present moment.
    pub fn now(&self) -> Time {
        self.cluster.now()
    }

    /// The first moment that can be brought back.
    pub fn start(&self) -> Time {
        self.snapshots.first().map_or(Time::ZERO, |first| first.cluster.now())
    }

    /// The latest moment that is known: the present, unless the past is being looked at.
    pub fn end(&self) -> Time {
        self.end
    }

    /// Whether the present is the latest moment that is known.
    pub fn is_live(&self) -> bool {
        self.done == self.journal.len() && self.cluster.now() >= self.end
    }

    /// Inputs as they came, to mark them on a line of time.
    pub fn journal(&self) -> &[Entry] {
        &self.journal
    }

    /// Ways that were gone and left, oldest first.
    pub fn branches(&self) -> impl Iterator<Item = BranchView> {
        self.branches.iter().map(|branch| BranchView { from: branch.from, end: branch.end })
    }

    /// When something happens next: in the cluster, or by an input of the future that is known.
    pub fn next_due(&self) -> Option<Time> {
        let entry = self.journal.get(self.done).map(|entry| Time::from_micros(entry.micros));
        match (entry, self.cluster.next_due()) {
            (Some(entry), Some(due)) => Some(entry.min(due)),
            (entry, due) => entry.or(due),
        }
    }

    /// Goes on to the moment `to`, with the inputs of the future as far as it is known, but does
    /// at most `turns_max` pieces of work. Tells whether it got there.
    pub fn advance(&mut self, to: Time, turns_max: u64) -> bool {
        let mut left = turns_max;
        while left > 0 {
            let Some(entry) = self.journal.get(self.done) else { break };
            if entry.micros > to.as_micros() {
                break;
            }
            let (turns, at) = (entry.turns, Time::from_micros(entry.micros));
            let before = self.cluster.turns();
            self.approach(turns, at, left);
            left = left.saturating_sub((self.cluster.turns() - before).max(1));
            if self.has_reached(turns, at) {
                self.repeat_next();
            }
        }
        if left == 0 {
            return false;
        }
        let arrived = self.cluster.advance(to, left);
        if arrived && self.cluster.now() < to {
            // The last turn that was allowed was the last one that was due.
            self.cluster.advance(to, 1);
        }
        self.end = self.end.max(self.cluster.now());
        self.keep_snapshot();
        self.tend_scripts();
        arrived
    }

    /// Takes what scripts print for which nobody waits: those that ran when the session was kept, or at
    /// the moment of the past at which somebody acts. The next script waits for it.
    fn tend_scripts(&mut self) {
        while self.is_live()
            && let Some(job) = self.cluster.first_job()
            && !self.awaited.contains(&job)
            && self.cluster.has_news(job)
        {
            self.input(Input::Poll(job.0));
        }
    }

    /// Goes on to the next moment at which something happens.
    pub fn step(&mut self) -> Option<Time> {
        let next = self.next_due()?;
        self.advance(next, naru_sim::limits::EVENTS_PER_MOMENT_MAX);
        Some(self.now())
    }

    /// Brings back the moment `to`, or the first or last one there is.
    pub fn travel(&mut self, to: Time) {
        let to = to.max(self.start()).min(self.end);
        let fits = |snapshot: &&Snapshot| snapshot.cluster.now() <= to;
        let Some(snapshot) = self.snapshots.iter().rev().find(fits) else { return };
        let (turns, now) = (self.cluster.turns(), self.cluster.now());
        if now > to || turns < snapshot.cluster.turns() {
            let snapshot = snapshot.clone();
            self.restore(snapshot);
        }
        while !self.advance(to, u64::MAX) {}
        self.fresh.clear();
        self.cluster.reset_view();
    }

    /// Takes up a branch where it was left; the present way becomes a branch itself.
    pub fn take_up(&mut self, index: usize) {
        if index >= self.branches.len() {
            return;
        }
        let branch = self.branches.remove(index);
        let both = self.journal.iter().zip(&branch.journal);
        let shared = both.take_while(|(one, other)| one == other).count();
        let journal = std::mem::replace(&mut self.journal, branch.journal);
        self.branches.push(Branch { journal, from: branch.from, end: self.end });
        let parting = self.journal.get(shared).map_or(u64::MAX, |entry| entry.turns);
        self.snapshots.retain(|it| it.entries <= shared && it.cluster.turns() <= parting);
        self.end = branch.end;
        if let Some(snapshot) = self.snapshots.last().cloned() {
            self.restore(snapshot);
        }
        self.travel(branch.from);
    }

    /// Goes on from a clone of the past.
    fn restore(&mut self, snapshot: Snapshot) {
        (self.effort, self.told) = (Duration::ZERO, snapshot.cluster.turns());
        self.cluster = snapshot.cluster;
        self.awaited.clear();
        self.done = snapshot.entries;
        self.printed.retain(|printed| printed.entries <= snapshot.entries);
        self.printed_bytes = self.printed.iter().map(|printed| printed.bytes.len()).sum();
    }

    /// Does and notes an input.
    pub fn input(&mut self, input: Input) {
        self.note(input.clone());
        self.apply(&input);
        self.end = self.cluster.now();
    }

    /// Notes an input at the present moment, and leaves the future that was known.
    fn note(&mut self, input: Input) {
        if !self.is_live() {
            self.leave_future();
        }
        if self.journal.len() < Self::ENTRIES_MAX {
            let (turns, micros) = (self.cluster.turns(), self.cluster.now().as_micros());
            self.journal.push(Entry { turns, micros, input });
        }
        self.done = self.journal.len();
    }

    /// Opens a terminal with a shell in it.
    pub fn open_terminal(&mut self, columns: u16, rows: u16) -> TerminalId {
        self.input(Input::OpenTerminal(columns, rows));
        self.terminals.last().copied().unwrap_or(TerminalId(0))
    }

    /// The terminals that were opened.
    pub fn terminals(&self) -> &[TerminalId] {
        &self.terminals
    }

    /// What the terminals have printed since the last call.
    pub fn output(&mut self) -> Vec<(TerminalId, Vec<u8>)> {
        // While the past is repeated its programs are given room when they were given it then.
        if self.is_live() && self.terminals.iter().any(|id| self.cluster.has_output(*id)) {
            self.input(Input::Drain);
        }
        std::mem::take(&mut self.fresh)
    }

    /// All that was printed up to now, as far as it is kept.
    pub fn printed(&self) -> impl Iterator<Item = (TerminalId, &[u8])> {
        self.printed.iter().map(|printed| (printed.terminal, printed.bytes.as_slice()))
    }

    /// Starts a script.
    pub fn start_script(&mut self, script: &str) -> JobId {
        self.input(Input::Start(script.to_owned()));
        let job = self.cluster.last_job();
        self.awaited.insert(job);
        job
    }

    /// Starts a script that goes on beside all others, as one that watches.
    pub fn start_apart(&mut self, script: &str) -> JobId {
        self.input(Input::StartApart(script.to_owned()));
        self.cluster.last_job()
    }

    /// Takes what a script has printed, and its exit code once it has ended.
    pub fn poll(&mut self, job: JobId) -> JobOutput {
        if !self.cluster.has_news(job) {
            return JobOutput::default();
        }
        self.note(Input::Poll(job.0));
        let output = self.cluster.poll(job);
        if output.code.is_some() {
            self.awaited.remove(&job);
        }
        output
    }

    /// Breaks something, or mends it.
    pub fn inject(&mut self, words: &str) -> Result<(), FaultError> {
        let fault = parse(words)?;
        // Tried on a copy: what is refused is no input.
        self.cluster.clone().inject(&fault)?;
        self.input(Input::Fault(words.to_owned()));
        Ok(())
    }

    /// Brings the schemas of OpenAPI; `None` if they cannot be had.
    pub fn set_openapi(&mut self, json: Option<&[u8]>) {
        self.schemas = json.map(Arc::from);
        self.schemas_asked = true;
        if self.is_live() && self.cluster.wants_openapi() {
            self.input(Input::Schemas);
        }
    }

    /// Whether somebody waits for the schemas, or did in the future that is known.
    pub fn wants_openapi(&self) -> bool {
        let later = || self.journal.iter().skip(self.done).any(|it| it.input == Input::Schemas);
        (self.is_live() && self.cluster.wants_openapi()) || (!self.schemas_asked && later())
    }

    /// What a command would print now, without its being run: it is run by a copy. `None` while the
    /// schemas that it asks for are not here: see [`Session::set_openapi`].
    pub fn peek(&self, line: &str) -> Option<ExecResult> {
        let mut copy = self.cluster.clone();
        if line.starts_with("kubectl explain") {
            if !self.schemas_asked {
                return None;
            }
            copy.set_openapi(self.schemas.as_deref());
        }
        Some(copy.exec(line, Self::PEEK_LIMIT))
    }

    /// Virtual time that may pass at most for what is typed while time stands still.
    const ANSWER_MAX: Duration = Duration::from_secs(10);
    /// Virtual time that a peek may take.
    const PEEK_LIMIT: Duration = Duration::from_secs(30);

    /// Goes on towards an entry for at most `left` turns.
    fn approach(&mut self, turns: u64, at: Time, left: u64) {
        let missing = turns.saturating_sub(self.cluster.turns()).min(left);
        if missing > 0 {
            self.cluster.advance(at, missing);
        }
        if self.cluster.turns() >= turns && self.cluster.now() < at {
            // All that was due had been done, and time had gone on by itself.
            self.cluster.advance(at, 1);
        }
        self.keep_snapshot();
    }

    fn has_reached(&self, turns: u64, at: Time) -> bool {
        self.cluster.turns() >= turns && self.cluster.now() >= at
    }

    /// Does the next input of the known future again.
    fn repeat_next(&mut self) {
        if let Some(entry) = self.journal.get(self.done) {
            let input = entry.input.clone();
            self.done += 1;
            self.apply(&input);
        }
    }

    fn apply(&mut self, input: &Input) {
        let cluster = &mut self.cluster;
        match input {
            Input::OpenTerminal(columns, rows) => {
                let id = cluster.open_terminal(*columns, *rows);
                if !self.terminals.contains(&id) {
                    self.terminals.push(id);
                }
            }
            Input::Type(id, bytes) => cluster.terminal_input(TerminalId(*id), bytes),
            Input::Resize(id, columns, rows) => {
                cluster.terminal_resize(TerminalId(*id), *columns, *rows);
            }
            Input::Drain => self.drain(),
            // A record may come from anybody.
            Input::Answer(micros) => {
                cluster.answer(Duration::from_micros(*micros).min(Self::ANSWER_MAX));
            }
            Input::Start(script) => {
                cluster.start_script(script);
            }
            Input::StartApart(script) => {
                cluster.start_apart(script);
            }
            Input::Poll(job) => {
                cluster.poll(JobId(*job));
            }
            Input::Abandon(job) => {
                cluster.abandon(JobId(*job));
                self.awaited.remove(&JobId(*job));
            }
            Input::Fault(words) => {
                // What was refused then is refused again.
                let _ = parse(words).and_then(|fault| cluster.inject(&fault));
            }
            Input::Write(path, bytes) => {
                let _ = cluster.write_home_file(path, bytes);
            }
            Input::Locale(locale) => cluster.set_locale(locale),
            Input::Schemas => cluster.set_openapi(self.schemas.as_deref()),
        }
    }

    fn drain(&mut self) {
        for id in self.terminals.clone() {
            let bytes = self.cluster.terminal_output(id);
            if bytes.is_empty() {
                continue;
            }
            self.printed_bytes += bytes.len();
            self.printed.push(Printed { entries: self.done, terminal: id, bytes: bytes.clone() });
            self.fresh.push((id, bytes));
        }
        let mut surplus = self.printed_bytes.saturating_sub(Self::PRINTED_MAX);
        while surplus > 0 && !self.printed.is_empty() {
            let gone = self.printed.remove(0).bytes.len();
            self.printed_bytes -= gone;
            surplus = surplus.saturating_sub(gone);
        }
    }

    /// Leaves the way that is known from here on. If it had inputs it becomes a branch.
    fn leave_future(&mut self) {
        let (now, turns) = (self.cluster.now(), self.cluster.turns());
        if self.done < self.journal.len() {
            if self.branches.len() == Self::BRANCHES_MAX {
                self.branches.remove(0);
            }
            let journal = self.journal.clone();
            self.branches.push(Branch { journal, from: now, end: self.end });
            self.journal.truncate(self.done);
        }
        let done = self.done;
        self.snapshots.retain(|it| it.cluster.turns() <= turns && it.entries <= done);
        self.end = now;
    }

    /// Tells how long the work since the last call has taken. The core has no clock, and what turns take
    /// differs a hundredfold: who has one tells, so that a clone is near wherever somebody goes.
    ///
    /// Tells whether a clone was kept for it; how long that took is to be told, too ([`Session::copied`]).
    pub fn spent(&mut self, took: Duration) -> bool {
        let turns = self.cluster.turns();
        if turns > self.last_kept() {
            self.effort += took;
            self.told = turns;
        }
        self.keep_snapshot()
    }

    /// Reckons by its turns what was done since the last telling, before other work is told of.
    pub fn reckon(&mut self) {
        (self.effort, self.told) = (self.effort(), self.cluster.turns());
    }

    /// Tells how long a clone has taken, so that making clones stays little beside the work itself.
    pub fn copied(&mut self, took: Duration) {
        self.copy = took;
    }

    /// The turns at which the last clone was kept.
    fn last_kept(&self) -> u64 {
        self.snapshots.last().map_or(0, |last| last.cluster.turns())
    }

    /// What it has taken to come here from the last clone.
    fn effort(&self) -> Duration {
        let untold = self.cluster.turns().saturating_sub(self.told.max(self.last_kept()));
        self.effort + Self::TURN_EFFORT.saturating_mul(u32::try_from(untold).unwrap_or(u32::MAX))
    }

    /// Keeps a clone if it has taken enough to come here from the last.
    fn keep_snapshot(&mut self) -> bool {
        let effort = self.effort();
        let apart = Self::EFFORT_APART.max(self.copy * Self::COPIES_APART);
        if effort < apart || self.cluster.turns() <= self.last_kept() {
            return false;
        }
        (self.effort, self.told) = (Duration::ZERO, self.cluster.turns());
        let (cluster, pods) = (self.cluster.clone(), self.cluster.pods());
        self.snapshots.push(Snapshot { entries: self.done, cluster, pods, effort });
        while self.has_too_many_snapshots() && self.drop_snapshot() {}
        true
    }

    /// Drops the clone that is missed least: the way between those beside it is the shortest. So ways
    /// become longer everywhere alike. Tells whether there was one, besides the first and the last.
    fn drop_snapshot(&mut self) -> bool {
        let ways = self
            .snapshots
            .windows(2)
            .skip(1)
            .map(|pair| pair.iter().map(|it| it.effort).sum::<Duration>());
        let Some((index, _)) = (1..).zip(ways).min_by_key(|(_, way): &(usize, Duration)| *way)
        else {
            return false;
        };
        let gone = self.snapshots.remove(index).effort;
        if let Some(next) = self.snapshots.get_mut(index) {
            next.effort += gone;
        }
        true
    }

    fn has_too_many_snapshots(&self) -> bool {
        let pods: usize = self.snapshots.iter().map(|snapshot| snapshot.pods).sum();
        let many = pods > Self::PODS_CLONED_MAX && self.snapshots.len() > Self::SNAPSHOTS_MIN;
        many || self.snapshots.len() > Self::SNAPSHOTS_MAX
    }
}

fn parse(words: &str) -> Result<Fault, FaultError> {
    Fault::parse(&words.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        let mut session = Session::new("kind", 1).unwrap();
        session.open_terminal(80, 24);
        session
    }

    /// Goes on as the page does: in small slices, and taking what is printed.
    fn run(session: &mut Session, seconds: u64) {
        let end = session.now() + Duration::from_secs(seconds);
        while !session.advance(end, 16) {
            session.output();
        }
        session.output();
    }

    fn type_line(session: &mut Session, line: &str) {
        let id = session.terminals()[0].0;
        session.input(Input::Type(id, format!("{line}\r").into_bytes()));
    }

    fn screen(session: &Session) -> String {
        let bytes: Vec<u8> = session.printed().flat_map(|(_, bytes)| bytes.to_vec()).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What a whole session leaves.
    fn play() -> Session {
        let mut session = session();
        run(&mut session, 1);
        type_line(&mut session, "kubectl create deployment web --image=nginx --replicas=3");
        run(&mut session, 8);
        session.inject("stop node/worker").unwrap();
        run(&mut session, 60);
        command(&mut session, "kubectl get pods -o wide");
        type_line(&mut session, "kubectl delete deployment web");
        run(&mut session, 20);
        session
    }

    #[test]
    fn a_record_gives_the_same_history() {
        let mut first = play();
        let mut second = Session::resume(first.record()).unwrap();
        assert!(!second.is_live());
        let end = second.end();
        // Not in the same slices.
        while !second.advance(end, 7) {}
        let left = second.journal.get(second.done);
        assert!(second.is_live(), "{left:?}, {} {}", second.cluster.turns(), second.now());
        assert_eq!(first.now(), second.now());
        assert_eq!(first.cluster().turns(), second.cluster().turns());
        assert_eq!(first.cluster().store_digest(), second.cluster().store_digest());
        assert_eq!(screen(&first), screen(&second));
    }

    /// Runs a command as the page does; gives its exit code.
    fn command(session: &mut Session, line: &str) -> Option<i32> {
        let job = session.start_script(line);
        for _ in 0..2_000 {
            if let Some(code) = session.poll(job).code {
                return Some(code);
            }
            session.advance(session.next_due()?, 1);
        }
        None
    }

    #[test]
    fn who_takes_a_session_up_need_not_wait_for_scripts_that_nobody_waits_for() {
        for millis in [0, 5, 60, 2_000] {
            let mut first = session();
            run(&mut first, 1);
            let before = first.now();
            first.start_script("kubectl run left --image=nginx; kubectl run other --image=nginx");
            first.start_script("echo more");
            first.advance(before + Duration::from_millis(millis), u64::MAX);
            let mut second = Session::resume(first.record()).unwrap();
            let end = second.end();
            while !second.advance(end, 64) {}
            assert_eq!(command(&mut second, "kubectl get pods left other"), Some(0), "{millis}");
            // The same where somebody acts in the past, in the midst of a script.
            second.travel(before + Duration::from_millis(millis));
            assert_eq!(command(&mut second, "kubectl get pods left other"), Some(0), "{millis}");
        }
    }

    #[test]
    fn what_watches_holds_no_command_up() {
        let mut session = session();
        let watch = session.start_apart("kubectl get pods --watch -o name");
        assert_eq!(command(&mut session, "kubectl run a --image=nginx"), Some(0));
        run(&mut session, 5);
        let seen = session.poll(watch);
        assert!(String::from_utf8_lossy(&seen.stdout).contains("pod/a"));
        assert_eq!(seen.code, None);
        session.input(Input::Abandon(watch.0));
        assert_eq!(session.poll(watch).code, Some(1), "it is forgotten");
        assert_eq!(command(&mut session, "exit 3"), Some(3));
        assert_eq!(command(&mut session, "true"), Some(0), "in another shell");
    }

    #[test]
    fn any_moment_comes_back_as_it_was() {
        let mut session = session();
        run(&mut session, 1);
        type_line(&mut session, "kubectl create deployment web --image=nginx --replicas=3");
        let mut moments = Vec::new();
        for _ in 0..6 {
            run(&mut session, 3);
            let (now, revision) = (session.now(), session.cluster().revision());
            moments.push((now, revision, screen(&session)));
        }
        let digest = session.cluster().store_digest();
        for (moment, revision, printed) in moments.iter().rev().chain(&moments) {
            session.travel(*moment);
            assert_eq!(session.now(), *moment);
            assert_eq!(session.cluster().revision(), *revision);
            assert_eq!(screen(&session), *printed);
        }
        session.travel(session.end());
        assert!(session.is_live());
        assert_eq!(session.cluster().store_digest(), digest);
    }

    #[test]
    fn who_acts_in_the_past_leaves_a_branch_that_can_be_taken_up() {
        let mut session = session();
        run(&mut session, 1);
        let before = session.now();
        run(&mut session, 1);
        type_line(&mut session, "kubectl run a --image=nginx");
        run(&mut session, 5);
        let end = session.end();
        session.travel(before);
        assert!(!session.is_live());
        assert!(session.cluster().object("v1", "Pod", "default", "a").is_none());

        type_line(&mut session, "kubectl run b --image=nginx");
        run(&mut session, 5);
        assert!(session.is_live());
        assert!(session.cluster().object("v1", "Pod", "default", "a").is_none());
        assert!(session.cluster().object("v1", "Pod", "default", "b").is_some());
        assert_eq!(session.branches().count(), 1);

        session.take_up(0);
        session.travel(end);
        assert!(session.cluster().object("v1", "Pod", "default", "a").is_some());
        assert!(session.cluster().object("v1", "Pod", "default", "b").is_none());
        assert_eq!(session.branches().count(), 1, "the other way is a branch now");
    }

    /// The longest way from one clone to the next, and how many there are.
    fn longest_way(session: &Session) -> (Duration, usize) {
        let longest = session.snapshots.iter().map(|it| it.effort).max();
        (longest.unwrap_or_default(), session.snapshots.len())
    }

    /// Goes on for so many turns, each of which is said to have taken so long.
    fn work(session: &mut Session, turns: u32, each: Option<Duration>) {
        let end = session.now() + Duration::from_secs(24 * 3600);
        for _ in 0..turns {
            session.advance(end, 1);
            if let Some(took) = each {
                session.spent(took);
            }
        }
    }

    #[test]
    fn clones_are_as_far_apart_as_it_takes_to_go_there() {
        let mut told = session();
        let each = Session::EFFORT_APART / 4;
        work(&mut told, 200, Some(each));
        let (longest, many) = longest_way(&told);
        assert!(longest <= Session::EFFORT_APART + each, "{longest:?}");
        assert!(many > 40, "{many}");
        let mut untold = session();
        work(&mut untold, 200, None);
        assert!(longest_way(&untold).1 < 5, "{}", longest_way(&untold).1);
    }

    #[test]
    fn clones_are_rare_where_they_take_long() {
        let mut session = session();
        let end = session.now() + Duration::from_secs(24 * 3600);
        let (mut copies, each) = (0, Session::EFFORT_APART);
        for _ in 0..400 {
            session.advance(end, 1);
            if session.spent(each) {
                session.copied(each);
                copies += 1;
            }
        }
        // The first, before it is known what one takes, and one for each eight.
        assert_eq!(copies, 1 + 399 / Session::COPIES_APART);
    }

    #[test]
    fn what_nobody_tells_of_is_reckoned() {
        let mut session = session();
        let each = Session::EFFORT_APART / 4;
        work(&mut session, 10, None);
        session.reckon();
        work(&mut session, 1, Some(each));
        let reckoned = Session::TURN_EFFORT * 10;
        assert!((each..each + reckoned * 2).contains(&session.effort()), "{:?}", session.effort());
        assert!(session.effort() >= each + reckoned / 2, "{:?}", session.effort());
    }

    #[test]
    fn clones_become_rarer_everywhere_alike() {
        let mut session = session();
        work(&mut session, 1_600, Some(Session::EFFORT_APART / 4));
        let (longest, many) = longest_way(&session);
        assert_eq!(many, Session::SNAPSHOTS_MAX);
        let all: Duration = session.snapshots.iter().map(|it| it.effort).sum();
        assert!(
            all > Session::EFFORT_APART * 2 * many as u32,
            "there was more than enough: {all:?}"
        );
        assert!(longest < all * 3 / many as u32, "{longest:?} of {all:?}");
        let end = session.end();
        for share in [7, 3, 2] {
            let moment = Time::from_micros(end.as_micros() / share * (share - 1));
            session.travel(moment.max(session.start()));
            assert_eq!(session.now(), moment.max(session.start()));
        }
        session.travel(end);
        assert!(session.is_live());
    }

    #[test]
    fn a_peek_changes_nothing() {
        let mut session = session();
        run(&mut session, 1);
        let (now, revision) = (session.now(), session.cluster().revision());
        assert!(session.peek("kubectl explain pod").is_none(), "its schemas are not here");
        session.set_openapi(None);
        let made = session.peek("kubectl run a --image=nginx && kubectl get pods").unwrap();
        assert!(made.stdout.contains("pod/a created"), "{}", made.stdout);
        assert_eq!(session.now(), now);
        assert_eq!(session.cluster().revision(), revision);
    }

    #[test]
    fn a_fault_that_is_refused_is_no_input() {
        let mut session = session();
        let entries = session.entries();
        assert!(session.inject("stop node/moon").is_err());
        assert!(session.inject("dance").is_err());
        assert_eq!(session.entries(), entries);
    }
}
