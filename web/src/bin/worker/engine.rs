//! A cluster, a terminal, and the time that goes by: everything of the worker but the browser.

use crate::lessons;
use crate::pace::Pace;
use crate::trial::Trial;
use naru_cluster::view::{Inspection, Study, StudyView};
use naru_cluster::{Cluster, ExecResult, Input, JobId, Profile, Record, Session};
use naru_lesson::Lesson;
use naru_sim::Time;
use naru_web::protocol::{
    self, Boot, Booted, Call, Mark, MarkKind, ObjectRef, Reply, Report, Request, Speed, Start,
    StudyPage, TablePage, TableRef, TimeView,
};
use naru_web::store::is_only_clock;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Real time that one slice may take, in milliseconds.
const SLICE_MS: f64 = 8.0;
/// Events between two looks at the clock.
const EVENTS_PER_LOOK: u64 = 16;
/// Time between two views, in milliseconds: a frame.
const VIEW_MS: f64 = 16.0;
/// Time between two views of which only the clock is new, in milliseconds.
const CLOCK_MS: f64 = 100.0;
/// Time until the next view when the page does not say that it has drawn the last, in milliseconds: a
/// page that nobody sees draws nothing.
const UNDRAWN_MS: f64 = 1_000.0;
/// Time between two close looks at the inspected object and at the checks, in milliseconds.
const LOOK_MS: f64 = 200.0;
/// Virtual time that a command may take.
const EXEC_LIMIT: Duration = Duration::from_secs(3600);
/// Exit code of a command whose time was over, as `timeout` has it.
const TIMED_OUT: i32 = 124;
/// Exit code of a command that was given up, as a shell has it.
const INTERRUPTED: i32 = 130;
/// Virtual time between two times that the page is told what nodes use.
const USAGE_APART: Duration = Duration::from_secs(1);
/// Virtual time that may pass for a command typed while time stands still.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// Virtual time that a single call may let pass.
const ADVANCE_LIMIT: Duration = Duration::from_secs(366 * 24 * 3600);
/// What is said to who waits for a trial that was given up.
const GIVEN_UP: &str = "given up";
/// Calls that may wait for their turn.
const CALLS_MAX: usize = 1000;
/// The terminal's size until the page tells it.
const TERMINAL_SIZE: (u16, u16) = (80, 24);
/// Terminals open at most.
const TERMINALS_MAX: usize = 8;
/// Time between two times that the session is given out to be kept, in milliseconds: after an
/// input, and when only time has passed.
const KEEP_MS: (f64, f64) = (1_000.0, 10_000.0);
/// The time after an input as long as there were not many.
const KEEP_SOON_MS: f64 = 200.0;
/// Inputs that are not many.
const FEW_ENTRIES: usize = 2_000;
/// Turns at most until the next change of the store that is worth a look.
const STEP_TURNS_MAX: u64 = 200_000;
/// Real time that one slice may take while a kept session is lived through again.
const RESUME_SLICE_MS: f64 = 40.0;
/// Files of the home directory told at most.
const FILES_MAX: usize = 200;

/// When the next slice is wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// At once: there is more to do.
    Now,
    /// After so many milliseconds.
    In(f64),
    /// When there is a request.
    OnRequest,
}

/// The worker's state.
pub struct Engine {
    session: Session,
    lesson: Option<(String, Lesson)>,
    /// The lesson's file, where somebody writes it.
    draft: Option<String>,
    pace: Pace,
    /// Calls in the order they came. Only the first is being worked on.
    calls: VecDeque<Work>,
    /// Calls that are answered by clusters of their own, beside the others. Only the first is being
    /// worked on.
    trials: VecDeque<Tried>,
    inspected: Option<ObjectRef>,
    /// What was told of it, if anything was.
    inspection: Option<Option<Box<Inspection>>>,
    /// The objects to tell about, and what was told.
    table: Option<(TableRef, Option<TablePage>)>,
    /// What else to tell about, and what was told.
    study: Option<(Study, Option<StudyView>)>,
    /// A call was done after which time stands still.
    stops: bool,
    step: u32,
    /// When each step was begun.
    begun: BTreeMap<u32, Time>,
    hold: Option<Vec<bool>>,
    viewed_ms: f64,
    /// The page has not drawn yet what was told last.
    undrawn: bool,
    /// So something was not told.
    withheld: bool,
    looked_ms: f64,
    /// The store's revision at the last close look.
    looked_at: u64,
    /// Something may have changed since the inspected object and the checks were looked at.
    stirred: bool,
    /// Something may have changed since the page was told of the whole.
    untold: bool,
    /// A call waits for the schemas of OpenAPI.
    wants_schemas: bool,
    /// A kept session is lived through again: the percentage that was told.
    resuming: Option<u8>,
    time: Option<TimeView>,
    /// Commands that were marked on the line of time.
    marked: usize,
    /// When the session was given out, with how many inputs and up to when.
    kept: (f64, usize, Time),
}

/// A session as it is kept: what the core keeps, and for which lesson.
#[derive(Serialize, Deserialize)]
pub struct Kept {
    lesson: Option<String>,
    /// The lesson's file, where it is none of those that are built in.
    draft: Option<String>,
    /// When each step was begun, in microseconds.
    begun: BTreeMap<u32, u64>,
    /// What the core keeps.
    pub record: Record,
}

impl Kept {
    /// A session without a lesson.
    pub fn plain(session: &Session) -> Kept {
        Kept { lesson: None, draft: None, begun: BTreeMap::new(), record: session.record() }
    }

    /// Reads what [`Kept::written`] gave.
    pub fn read(bytes: &[u8]) -> Result<Kept, String> {
        protocol::decode(bytes).map_err(|error| error.to_string())
    }

    /// As bytes.
    pub fn written(&self) -> Result<Vec<u8>, String> {
        protocol::encode(self).map_err(|error| error.to_string())
    }
}

/// A lesson's file.
pub struct Fetched {
    /// Its folder.
    pub folder: &'static str,
    /// Its text.
    pub yaml: String,
}

impl Fetched {
    fn read(self) -> Result<(String, Lesson), String> {
        let lesson = Lesson::parse(&self.yaml);
        let lesson = lesson.map_err(|error| format!("{}: {error}", self.folder))?;
        Ok((self.folder.to_owned(), lesson))
    }
}

/// The folder of the lesson for which a cluster is to be started.
pub fn lesson_of(start: &Start) -> Result<Option<&'static str>, String> {
    match start {
        Start::Lesson(name) => lessons::folder(name.as_deref()).map(Some),
        Start::Playground { .. } | Start::Draft(_) => Ok(None),
        Start::Kept(bytes) => {
            let kept = Kept::read(bytes)?;
            // What is being written is kept whole.
            if kept.draft.is_some() {
                return Ok(None);
            }
            kept.lesson.map(|name| lessons::folder(Some(&name))).transpose()
        }
    }
}

/// A call that is waiting or being worked on.
struct Work {
    id: u32,
    call: Call,
    /// What was begun for it.
    begun: Option<Begun>,
}

/// A call that is answered by a cluster of its own.
struct Tried {
    id: u32,
    call: Call,
    /// The cluster, once it was begun.
    trial: Option<Box<Trial>>,
}

/// A call that is being worked on.
pub struct Begun {
    /// When it is given up or done.
    until: Time,
    job: Option<JobId>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Engine {
    /// Starts a cluster, for a lesson that was fetched if [`lesson_of`] says so.
    pub fn boot(boot: Boot, lesson: Option<Fetched>, ms: f64) -> Result<(Engine, Report), String> {
        let error = |error: naru_cluster::BootError| error.to_string();
        let (mut commands, mut draft, mut begun) = (Vec::new(), None, BTreeMap::new());
        let mut lesson = lesson.map(Fetched::read).transpose()?;
        let (session, resuming) = match boot.start {
            Start::Lesson(_) => {
                let (_, lesson) = lesson.as_ref().ok_or("the lesson was not fetched")?;
                (Session::new(&lesson.profile, lesson.seed).map_err(error)?, None)
            }
            Start::Playground { profile, seed, commands: lines } => {
                commands = lines;
                (Session::new(&profile, seed).map_err(error)?, None)
            }
            Start::Kept(bytes) => {
                let kept = Kept::read(&bytes)?;
                if let Some(text) = &kept.draft {
                    lesson = Some(lessons::draft(text)?);
                }
                let moment = |(step, micros)| (step, Time::from_micros(micros));
                (draft, begun) = (kept.draft, kept.begun.into_iter().map(moment).collect());
                (Session::resume(kept.record).map_err(error)?, Some(0))
            }
            Start::Draft(text) => {
                let read = lessons::draft(&text)?;
                let session = Session::new(&read.1.profile, read.1.seed).map_err(error)?;
                (draft, lesson) = (Some(text), Some(read));
                (session, None)
            }
        };
        let now = session.now();
        let mut engine = Engine {
            pace: Pace::new(boot.speed, ms, now),
            session,
            lesson,
            draft,
            calls: VecDeque::new(),
            trials: VecDeque::new(),
            inspected: None,
            inspection: None,
            table: None,
            study: None,
            stops: false,
            step: 0,
            begun,
            hold: None,
            viewed_ms: f64::NEG_INFINITY,
            undrawn: false,
            withheld: false,
            looked_ms: f64::NEG_INFINITY,
            looked_at: 0,
            stirred: true,
            untold: true,
            wants_schemas: false,
            resuming,
            time: None,
            marked: 0,
            kept: (ms, 0, now),
        };
        if engine.resuming.is_none() {
            engine.begin(&boot.locale);
            engine.type_lines(&commands);
        }
        let report = match engine.resuming {
            Some(percent) => Report::Resuming(percent),
            None => engine.booted(),
        };
        Ok((engine, report))
    }

    /// Lays down what a new session begins with.
    fn begin(&mut self, locale: &str) {
        let session = &mut self.session;
        session.input(Input::Locale(locale.to_owned()));
        let files = self.lesson.iter().flat_map(|(_, lesson)| &lesson.files);
        for (name, content) in files {
            session.input(Input::Write(name.clone(), content.clone().into_bytes()));
        }
        let setup: Vec<String> =
            self.lesson.iter().flat_map(|(_, lesson)| lesson.setup.clone()).collect();
        for line in &setup {
            run(session, line);
        }
        open_first_terminal(session);
    }

    fn type_lines(&mut self, lines: &[String]) {
        for line in lines {
            self.type_into(0, format!("{}\r", line.replace('\n', "\r")).as_bytes());
        }
    }

    fn booted(&self) -> Report {
        let record = self.session.origin();
        Report::Booted(Box::new(Booted {
            lesson: self.lesson.as_ref().map(|(slug, lesson)| lessons::page(slug, lesson)),
            profile: record.0.to_owned(),
            seed: record.1,
            profiles: Profile::NAMES.iter().map(|name| (*name).to_owned()).collect(),
            terminals: self.session.terminals().len().max(1) as u32,
        }))
    }

    /// Takes in what the page asks; the answers come with the next slices.
    pub fn take(&mut self, request: Request, real_ms: f64, reports: &mut Vec<Report>) {
        if request == Request::Drawn {
            self.undrawn = false;
            self.stirred |= std::mem::take(&mut self.withheld);
            return;
        }
        self.stirred = true;
        match request {
            // Done by who owns the engine, and above.
            Request::Boot(_) | Request::Drawn => {}
            Request::Input { terminal, bytes } => self.type_into(terminal, &bytes),
            Request::OpenTerminal if self.session.terminals().len() < TERMINALS_MAX => {
                let (columns, rows) = TERMINAL_SIZE;
                self.session.open_terminal(columns, rows);
                self.answer(Duration::ZERO);
            }
            Request::OpenTerminal => {}
            // Who looks at the past does not change it by looking at it in another size.
            Request::Resize { terminal, columns, rows } if self.session.is_live() => {
                if let Some(id) = self.session.terminals().get(terminal as usize) {
                    let id = id.0;
                    self.session.input(Input::Resize(id, columns, rows));
                    self.answer(Duration::ZERO);
                }
            }
            Request::Resize { .. } => {}
            Request::Speed(_)
            | Request::Step
            | Request::Travel(_)
            | Request::TakeUp(_)
            | Request::ResetStep => self.take_time(request, real_ms, reports),
            Request::Locale(locale) => {
                if self.session.is_live() {
                    self.session.input(Input::Locale(locale));
                }
            }
            Request::Call { id, call } if self.calls.len() + self.trials.len() < CALLS_MAX => {
                if matches!(call, Call::Goal(_) | Call::Rehearse(_)) {
                    self.trials.push_back(Tried { id, call, trial: None });
                    return;
                }
                self.calls.push_back(Work { id, call, begun: None });
            }
            Request::Call { id, .. } => {
                let result = Err(format!("more than {CALLS_MAX} calls are waiting"));
                reports.push(Report::Answer { id, result });
            }
            Request::Inspect(object) => {
                self.inspected = object;
                self.inspection = None;
                self.look_soon();
            }
            Request::Table(of) => {
                self.table = of.map(|of| (of, None));
                self.look_soon();
            }
            Request::Study(of) => {
                self.study = of.map(|of| (of, None));
                self.look_soon();
            }
            Request::Cancel => self.cancel(real_ms, reports),
            Request::StopTrials => {
                let given_up = |tried: Tried| Report::Answer {
                    id: tried.id,
                    result: Err(GIVEN_UP.to_owned()),
                };
                reports.extend(self.trials.drain(..).map(given_up));
            }
            Request::LessonStep(step) => {
                self.step = step;
                self.hold = None;
                self.begun.entry(step).or_insert(self.session.now());
                self.look_soon();
            }
        }
    }

    /// Lets time go otherwise than by itself.
    fn take_time(&mut self, request: Request, real_ms: f64, reports: &mut Vec<Report>) {
        match request {
            Request::Speed(speed) => self.pace = Pace::new(speed, real_ms, self.session.now()),
            Request::Step => {
                self.step_to_change();
                self.pause(real_ms, reports);
            }
            Request::Travel(micros) => {
                self.travel(Time::from_micros(micros), reports);
                self.pause(real_ms, reports);
            }
            Request::TakeUp(index) => {
                self.session.take_up(index as usize);
                self.arrive(reports);
                self.pause(real_ms, reports);
            }
            Request::ResetStep => {
                if let Some(begun) = self.begun.get(&self.step).copied() {
                    let speed = self.pace.speed();
                    self.travel(begun, reports);
                    // What was done then is not to come about again by itself: it is left as a
                    // branch.
                    self.session.input(Input::Answer(0));
                    self.pace = Pace::new(speed, real_ms, self.session.now());
                }
            }
            _ => {}
        }
    }

    /// Gives up the command that is being run to its end, and stops there.
    fn cancel(&mut self, real_ms: f64, reports: &mut Vec<Report>) {
        let runs = |work: &mut Work| work.begun.as_ref()?.job;
        let Some(job) = self.calls.front_mut().and_then(runs) else { return };
        self.session.input(Input::Abandon(job.0));
        if let Some(Work { id, .. }) = self.calls.pop_front() {
            let (stdout, stderr) = Default::default();
            let result = Ok(Reply::Exec { stdout, stderr, code: INTERRUPTED });
            reports.push(Report::Answer { id, result });
        }
        self.pause(real_ms, reports);
    }

    fn look_soon(&mut self) {
        self.looked_ms = f64::NEG_INFINITY;
        self.looked_at = 0;
    }

    fn pause(&mut self, real_ms: f64, reports: &mut Vec<Report>) {
        self.pace = Pace::new(Speed::PAUSED, real_ms, self.session.now());
        reports.push(Report::Paused);
    }

    fn type_into(&mut self, terminal: u32, bytes: &[u8]) {
        if let Some(id) = self.session.terminals().get(terminal as usize) {
            let id = id.0;
            self.session.input(Input::Type(id, bytes.to_vec()));
            self.answer(ANSWER_LIMIT);
        }
    }

    /// Goes on until the store changes by more than a lease renewed.
    fn step_to_change(&mut self) {
        let cluster = self.session.cluster();
        let (before, last) = (cluster.revision(), cluster.causes().last());
        for _ in 0..STEP_TURNS_MAX {
            if self.session.step().is_none() {
                return;
            }
            let cluster = self.session.cluster();
            if cluster.revision() == before {
                continue;
            }
            let told = cluster.causes().after(last).any(|cause| {
                matches!(cause.verb, "create" | "update" | "patch" | "delete")
                    && !cause.subject.starts_with("leases/")
                    && !cause.subject.starts_with("nodes/")
            });
            if told {
                return;
            }
        }
    }

    fn travel(&mut self, to: Time, reports: &mut Vec<Report>) {
        self.session.travel(to);
        self.arrive(reports);
    }

    /// Shows another moment: its terminals, and soon all else.
    fn arrive(&mut self, reports: &mut Vec<Report>) {
        self.marked = self.session.cluster().finished_commands().count();
        self.inspection = None;
        self.hold = None;
        self.look_soon();
        self.viewed_ms = f64::NEG_INFINITY;
        self.session.cluster().reset_view();
        self.show_screens(reports);
    }

    fn show_screens(&mut self, reports: &mut Vec<Report>) {
        let terminals = self.session.terminals();
        for (terminal, id) in (0u32..).zip(terminals) {
            let bytes: Vec<u8> = self
                .session
                .printed()
                .filter(|(of, _)| of == id)
                .flat_map(|(_, bytes)| bytes.to_vec())
                .collect();
            reports.push(Report::Output { terminal, anew: true, bytes });
        }
    }

    /// Lets what was typed be answered even while time stands still.
    fn answer(&mut self, within: Duration) {
        if self.pace.speed().is_paused() {
            self.session.input(Input::Answer(within.as_micros() as u64));
        }
    }

    /// Whether `kubectl explain` waits for the schemas.
    pub fn wants_openapi(&self) -> bool {
        self.wants_schemas || self.session.wants_openapi()
    }

    /// Brings the schemas; `None` if they cannot be had.
    pub fn set_openapi(&mut self, json: Option<&str>) {
        self.wants_schemas = false;
        self.session.set_openapi(json.map(str::as_bytes));
    }

    /// Works for a slice of time.
    pub fn slice(&mut self, clock: &dyn Fn() -> f64, reports: &mut Vec<Report>) -> Next {
        let started = clock();
        if self.resuming.is_some() {
            return self.resume(started, clock, reports);
        }
        let before = self.session.now();
        let mut busy = true;
        let mut looked = started;
        self.session.reckon();
        while busy && !self.wants_schemas && looked - started < SLICE_MS {
            busy = if self.calls.is_empty() {
                !self.session.advance(self.pace.target(started), EVENTS_PER_LOOK)
            } else {
                self.work(reports);
                self.pace.restart(clock(), self.session.now());
                if std::mem::take(&mut self.stops) {
                    self.pause(clock(), reports);
                }
                !self.calls.is_empty()
            };
            self.spent(&mut looked, clock);
            if !self.trials.is_empty() {
                busy |= self.try_on(reports);
                looked = clock();
            }
        }
        let now = clock();
        self.stirred |= self.session.now() != before;
        self.pace.forgive_debt(now, self.session.now());
        self.tell(now, reports);
        match busy {
            true if self.wants_schemas => Next::In(LOOK_MS),
            true => Next::Now,
            false => self.rest(now),
        }
    }

    /// Tells the session what its work has taken since the clock was looked at.
    fn spent(&mut self, looked: &mut f64, clock: &dyn Fn() -> f64) {
        let took = |from: f64, to: f64| Duration::from_secs_f64((to - from).max(0.0) / 1_000.0);
        let now = clock();
        let kept = self.session.spent(took(*looked, now));
        *looked = now;
        if kept {
            *looked = clock();
            self.session.copied(took(now, *looked));
        }
    }

    /// Lives through a kept session again, as fast as possible.
    fn resume(&mut self, started: f64, clock: &dyn Fn() -> f64, reports: &mut Vec<Report>) -> Next {
        // `kubectl explain` was asked then, and what it says is still on its way.
        if self.session.wants_openapi() {
            return Next::In(LOOK_MS);
        }
        let (begin, end) = (self.session.start(), self.session.end());
        let mut busy = true;
        let mut looked = started;
        while busy && looked - started < RESUME_SLICE_MS {
            busy = !self.session.advance(end, EVENTS_PER_LOOK);
            self.spent(&mut looked, clock);
        }
        if busy {
            let (done, all) = (self.session.now().since(begin), end.since(begin));
            let percent = (100.0 * done.as_secs_f64() / all.as_secs_f64().max(0.001)) as u8;
            if self.resuming != Some(percent) {
                self.resuming = Some(percent);
                reports.push(Report::Resuming(percent));
            }
            return Next::Now;
        }
        self.resuming = None;
        self.pace.restart(clock(), self.session.now());
        self.mark_all(reports);
        self.session.output();
        reports.push(self.booted());
        self.arrive(reports);
        self.tell(clock(), reports);
        self.rest(clock())
    }

    /// When there will be something to do.
    fn rest(&self, now: f64) -> Next {
        let due = self.session.next_due().unwrap_or(Time::MAX);
        match self.pace.wait_ms(now, due) {
            // What was stirred is to be told, and the clock to be seen going on.
            Some(wait) if self.stirred || self.untold => Next::In(wait.clamp(1.0, VIEW_MS)),
            Some(wait) => Next::In(wait.clamp(1.0, CLOCK_MS)),
            None if self.untold && !self.undrawn => Next::In(VIEW_MS),
            // What was stirred may still have to be told.
            None if self.stirred || self.untold => Next::In(LOOK_MS),
            None if self.session.entries() > self.kept.1 => Next::In(self.keep_apart_ms()),
            None => Next::OnRequest,
        }
    }

    /// Works on the first call that a cluster of its own answers. Tells whether there is more to do.
    fn try_on(&mut self, reports: &mut Vec<Report>) -> bool {
        let Some(tried) = self.trials.front_mut() else { return false };
        let result = match &mut tried.trial {
            Some(trial) => trial.go_on(EVENTS_PER_LOOK).map(Ok),
            None => {
                match begin_trial(&tried.call, self.lesson.as_ref().map(|(_, lesson)| lesson)) {
                    Ok(trial) => {
                        tried.trial = Some(Box::new(trial));
                        None
                    }
                    Err(result) => Some(result),
                }
            }
        };
        if let Some(result) = result {
            reports.push(Report::Answer { id: tried.id, result });
            self.trials.pop_front();
        }
        !self.trials.is_empty()
    }

    /// Works on the first call.
    fn work(&mut self, reports: &mut Vec<Report>) {
        let Some(mut work) = self.calls.pop_front() else { return };
        match self.work_on(&mut work) {
            Some(result) => {
                if let (Call::Fault(words), Ok(_)) = (&work.call, &result) {
                    let (micros, text) = (self.session.now().as_micros(), words.clone());
                    reports.push(Report::Mark(Mark { micros, kind: MarkKind::Fault, text }));
                }
                if matches!(work.call, Call::Advance { .. } | Call::Exec(_) | Call::Until(_)) {
                    // Who is answered sees what came of it: the page is told in the same moment.
                    self.viewed_ms = f64::NEG_INFINITY;
                }
                reports.push(Report::Answer { id: work.id, result });
            }
            None => self.calls.push_front(work),
        }
    }

    /// Works on a call for some events. Returns its result when it is done.
    fn work_on(&mut self, work: &mut Work) -> Option<Result<Reply, String>> {
        let session = &mut self.session;
        match &work.call {
            Call::Digest => Some(Ok(Reply::Digest(session.cluster().store_digest()))),
            Call::Advance { micros } => {
                let duration = Duration::from_micros(*micros).min(ADVANCE_LIMIT);
                let begun =
                    work.begun.get_or_insert_with(|| Begun::until(session.now() + duration));
                let done = session.advance(begun.until, EVENTS_PER_LOOK);
                done.then_some(Ok(Reply::Done))
            }
            Call::Exec(line) => {
                let begun =
                    work.begun.get_or_insert_with(|| Begun::script(session, line, EXEC_LIMIT));
                exec(session, begun)
            }
            Call::Until(wait) => {
                let begun = work.begun.get_or_insert_with(|| {
                    Begun::script(session, &format!("kubectl wait {wait}"), EXEC_LIMIT)
                });
                let result = exec(session, begun);
                self.stops |= result.is_some();
                result
            }
            Call::Draft(text) => Some(Ok(Reply::Draft(Box::new(lessons::read_draft(text))))),
            // They are answered beside the others: see [`Engine::try_on`].
            Call::Goal(_) | Call::Rehearse(_) => Some(Err(GIVEN_UP.to_owned())),
            Call::Peek(line) => {
                let result = session.peek(line);
                self.wants_schemas = result.is_none();
                let ExecResult { stdout, stderr, code } = result?;
                Some(Ok(Reply::Exec { stdout, stderr, code }))
            }
            Call::Fault(words) => {
                self.stirred = true;
                Some(session.inject(words).map(|()| Reply::Done).map_err(|it| it.to_string()))
            }
            Call::Changes(cause) => Some(Ok(Reply::Changes(session.cluster().changes_by(*cause)))),
            Call::Files => Some(Ok(Reply::Files(session.cluster().home_files(FILES_MAX)))),
            Call::Read(path) => {
                let bytes = session.cluster().home_file(path);
                Some(bytes.map(Reply::Bytes).ok_or_else(|| format!("{path}: no such file")))
            }
            Call::Write { path, bytes } => {
                session.input(Input::Write(path.clone(), bytes.clone()));
                Some(Ok(Reply::Done))
            }
            Call::Keep => Some(self.keep().map(Reply::Bytes)),
        }
    }

    /// How long a session is not given out again after it was.
    fn keep_apart_ms(&self) -> f64 {
        if self.session.entries() < FEW_ENTRIES { KEEP_SOON_MS } else { KEEP_MS.0 }
    }

    /// The session, to be kept.
    fn keep(&self) -> Result<Vec<u8>, String> {
        let lesson = self.lesson.as_ref().map(|(slug, _)| slug.clone());
        let moment = |(step, at): (&u32, &Time)| (*step, at.as_micros());
        let begun = self.begun.iter().map(moment).collect();
        Kept { lesson, draft: self.draft.clone(), begun, record: self.session.record() }.written()
    }

    /// Tells what is new, each thing as often as a person can see it.
    fn tell(&mut self, now: f64, reports: &mut Vec<Report>) {
        for (id, bytes) in self.session.output() {
            let place = self.session.terminals().iter().position(|it| *it == id);
            if let Some(terminal) = place.and_then(|place| u32::try_from(place).ok()) {
                reports.push(Report::Output { terminal, anew: false, bytes });
            }
        }
        let since = now - self.viewed_ms;
        self.untold |= self.stirred;
        let due = since >= VIEW_MS && (self.untold || since >= CLOCK_MS);
        // A page that cannot keep up would else have ever more to draw.
        if due && self.undrawn && since < UNDRAWN_MS {
            self.withheld = true;
        } else if due {
            let view = self.session.cluster().view();
            if since >= CLOCK_MS || !is_only_clock(&view) {
                (self.viewed_ms, self.undrawn, self.untold) = (now, true, false);
                reports.push(Report::View(view));
                self.tell_time(reports);
            }
        }
        if self.stirred && now - self.looked_ms >= LOOK_MS {
            self.looked_ms = now;
            self.stirred = false;
            self.look_closely(reports);
        }
        let (kept_ms, entries, until) = self.kept;
        let typed = self.session.entries() != entries && now - kept_ms >= self.keep_apart_ms();
        let passed = self.session.end() != until && now - kept_ms >= KEEP_MS.1;
        if typed || passed {
            self.kept = (now, self.session.entries(), self.session.end());
            reports.extend(self.keep().map(Report::Kept));
        }
    }

    fn tell_time(&mut self, reports: &mut Vec<Report>) {
        let faults = self.session.cluster().faults();
        let words = |fault: &naru_cluster::Fault| {
            (fault.to_string(), fault.cure().map(|cure| cure.to_string()).unwrap_or_default())
        };
        let session = &self.session;
        let time = TimeView {
            start: session.start().as_micros(),
            end: session.end().as_micros(),
            live: session.is_live(),
            branches: session
                .branches()
                .map(|it| (it.from.as_micros(), it.end.as_micros()))
                .collect(),
            faults: faults.iter().map(words).collect(),
        };
        let commands = self.session.cluster().finished_commands().skip(self.marked);
        let now = time.end;
        let marks: Vec<Mark> = commands
            .map(|command| Mark {
                micros: now,
                kind: if command.code == 0 { MarkKind::Command } else { MarkKind::Failed },
                text: command.line.clone(),
            })
            .collect();
        self.marked += marks.len();
        // What is lived through again was marked the first time.
        if time.live {
            reports.extend(marks.into_iter().map(Report::Mark));
        }
        // The end moves with the clock, which the page sees anyway.
        let shown = |time: &TimeView| TimeView {
            end: if time.live { 0 } else { time.end },
            ..time.clone()
        };
        if self.time.as_ref().map(shown) != Some(shown(&time)) {
            reports.push(Report::Time(time.clone()));
        }
        self.time = Some(time);
    }

    /// Marks what was typed in a session that was kept, and its faults.
    fn mark_all(&mut self, reports: &mut Vec<Report>) {
        let lines = self.session.journal().iter().filter_map(|entry| {
            let (kind, text) = match &entry.input {
                Input::Fault(words) => (MarkKind::Fault, words.clone()),
                Input::Type(_, bytes) if bytes.len() > 2 => {
                    let text = String::from_utf8_lossy(bytes);
                    (MarkKind::Command, text.lines().next()?.trim().to_owned())
                }
                _ => return None,
            };
            Some(Mark { micros: entry.micros, kind, text })
        });
        reports.extend(lines.map(Report::Mark));
    }

    fn look_closely(&mut self, reports: &mut Vec<Report>) {
        let revision = self.session.cluster().revision();
        let changed = std::mem::replace(&mut self.looked_at, revision) != revision;
        if changed && let Some(object) = &self.inspected {
            let cluster = self.session.cluster();
            let found = cluster.inspect(&object.kind, &object.namespace, &object.name);
            let found = found.map(Box::new);
            if self.inspection.as_ref() != Some(&found) {
                self.inspection = Some(found.clone());
                reports.push(Report::Inspection(found));
            }
        }
        if let Some((of, told)) = &mut self.table {
            let cluster = self.session.cluster();
            let table = cluster.table(&of.plural, &of.group, &of.namespace).unwrap_or_default();
            let kinds = if changed { cluster.kinds_in_use() } else { Vec::new() };
            let kinds = match told {
                Some(told) if !changed => told.kinds.clone(),
                _ => kinds,
            };
            let page = TablePage { of: of.clone(), table, kinds };
            if told.as_ref() != Some(&page) {
                *told = Some(page.clone());
                reports.push(Report::Table(Box::new(page)));
            }
        }
        self.look_at_study(changed, reports);
        let Some((_, lesson)) = &self.lesson else { return };
        let hold = lesson.check(self.step as usize, self.session.cluster());
        if self.hold.as_ref() != Some(&hold) {
            self.hold = Some(hold.clone());
            reports.push(Report::Checks { step: self.step, hold });
        }
    }
}

impl Engine {
    fn look_at_study(&mut self, changed: bool, reports: &mut Vec<Report>) {
        let now = self.session.now();
        let Some((of, told)) = &mut self.study else { return };
        let due = match told {
            Some(StudyView::Usage(told)) => {
                now.since(Time::from_micros(told.micros)) >= USAGE_APART
                    || told.micros > now.as_micros()
            }
            Some(_) => changed,
            None => true,
        };
        if !due {
            return;
        }
        let view = self.session.cluster().study(of);
        if told.as_ref() != Some(&view) {
            *told = Some(view.clone());
            reports.push(Report::Study(Box::new(StudyPage { of: of.clone(), view })));
        }
    }
}

impl Begun {
    /// A script that was just started, and is given up after some seconds of virtual time.
    pub fn script(session: &mut Session, line: &str, limit: Duration) -> Begun {
        Begun { job: Some(session.start_script(line)), ..Begun::until(session.now() + limit) }
    }

    /// The script's number.
    pub fn job(&self) -> Option<JobId> {
        self.job
    }

    fn until(until: Time) -> Begun {
        Begun { until, job: None, stdout: Vec::new(), stderr: Vec::new() }
    }
}

/// Opens the terminal that every session has.
pub fn open_first_terminal(session: &mut Session) {
    let (columns, rows) = TERMINAL_SIZE;
    session.open_terminal(columns, rows);
    // The prompt.
    session.input(Input::Answer(0));
}

/// Starts the cluster that answers a call; the answer itself, where there is one without.
fn begin_trial(call: &Call, lesson: Option<&Lesson>) -> Result<Trial, Result<Reply, String>> {
    match call {
        Call::Goal(step) => {
            let lesson = lesson.ok_or(Err("there is no lesson".to_owned()))?;
            Trial::goal(lesson, *step as usize).map_err(Err)
        }
        Call::Rehearse(text) => Trial::rehearsal(text).map_err(|page| Ok(Reply::Draft(page))),
        _ => Err(Err(GIVEN_UP.to_owned())),
    }
}

/// Runs a command to its end, at once.
fn run(session: &mut Session, line: &str) {
    let mut begun = Begun::script(session, line, EXEC_LIMIT);
    while exec(session, &mut begun).is_none() {}
}

/// Goes on with a command for one event. Returns its result when it is done.
pub fn exec(session: &mut Session, begun: &mut Begun) -> Option<Result<Reply, String>> {
    let job = begun.job?;
    let output = session.poll(job);
    append(&mut begun.stdout, &output.stdout);
    append(&mut begun.stderr, &output.stderr);
    let code = match (output.code, session.next_due()) {
        (Some(code), _) => code,
        (None, Some(due)) if due <= begun.until => {
            session.advance(due, 1);
            return None;
        }
        (None, _) => {
            session.input(Input::Abandon(job.0));
            TIMED_OUT
        }
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some(Ok(Reply::Exec { stdout: text(&begun.stdout), stderr: text(&begun.stderr), code }))
}

fn append(kept: &mut Vec<u8>, more: &[u8]) {
    let room = Cluster::EXEC_OUTPUT_MAX.saturating_sub(kept.len());
    kept.extend(more.iter().take(room));
}
