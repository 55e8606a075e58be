//! A cluster, a terminal, and the time that goes by: everything of the worker but the browser.

use crate::pace::Pace;
use naru_cluster::view::Inspection;
use naru_cluster::{Cluster, JobId, TerminalId};
use naru_lesson::{Lesson, LessonFile, Text};
use naru_sim::Time;
use naru_web::protocol::{
    Call, LessonHead, LessonPage, ObjectRef, Reply, Report, Request, Speed, StepPage,
};
use naru_web::store::is_only_clock;
use std::collections::VecDeque;
use std::time::Duration;

/// Real time that one slice may take, in milliseconds.
const SLICE_MS: f64 = 8.0;
/// Events between two looks at the clock.
const EVENTS_PER_LOOK: u64 = 16;
/// Time between two views, in milliseconds: a frame.
const VIEW_MS: f64 = 16.0;
/// Time between two views of which only the clock is new, in milliseconds.
const CLOCK_MS: f64 = 100.0;
/// Time between two close looks at the inspected object and at the checks, in milliseconds.
const LOOK_MS: f64 = 200.0;
/// Virtual time that a command may take.
const EXEC_LIMIT: Duration = Duration::from_secs(3600);
/// Exit code of a command whose time was over, as `timeout` has it.
const TIMED_OUT: i32 = 124;
/// Virtual time that may pass for a command typed while time stands still.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// Virtual time that a single call may let pass.
const ADVANCE_LIMIT: Duration = Duration::from_secs(366 * 24 * 3600);
/// Calls that may wait for their turn.
const CALLS_MAX: usize = 1000;
/// The terminal's size until the page tells it.
const TERMINAL_SIZE: (u16, u16) = (80, 24);

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
    cluster: Cluster,
    terminal: TerminalId,
    lesson: Lesson,
    pace: Pace,
    /// Calls in the order they came. Only the first is being worked on.
    calls: VecDeque<Work>,
    inspected: Option<ObjectRef>,
    /// What was told of it, if anything was.
    inspection: Option<Option<Box<Inspection>>>,
    step: u32,
    hold: Option<Vec<bool>>,
    viewed_ms: f64,
    looked_ms: f64,
    /// Something may have changed since the inspected object and the checks were looked at.
    stirred: bool,
}

/// A call that is waiting or being worked on.
struct Work {
    id: u32,
    call: Call,
    /// What was begun for it.
    begun: Option<Begun>,
}

/// A call that is being worked on.
struct Begun {
    /// When it is given up or done.
    until: Time,
    job: Option<JobId>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Engine {
    /// Starts the cluster of a lesson.
    pub fn boot(
        lesson: Option<&str>,
        speed: Speed,
        real_ms: f64,
    ) -> Result<(Engine, Report), String> {
        let file = find_lesson(lesson).ok_or("there is no lesson")?;
        let lesson = Lesson::parse(file.yaml).map_err(|e| format!("{}: {e}", file.slug))?;
        let mut cluster = Cluster::new(&lesson.profile, lesson.seed).map_err(|e| e.to_string())?;
        for (name, content) in &lesson.files {
            cluster
                .write_home_file(name, content.as_bytes())
                .map_err(|e| format!("{}: {name}: {e}", file.slug))?;
        }
        let (columns, rows) = TERMINAL_SIZE;
        let terminal = cluster.open_terminal(columns, rows);
        let report =
            Report::Booted { catalogue: catalogue(), lesson: lesson_page(file.slug, &lesson) };
        cluster.await_openapi();
        // The prompt.
        cluster.answer(Duration::ZERO);
        let engine = Engine {
            pace: Pace::new(speed, real_ms, cluster.now()),
            cluster,
            terminal,
            lesson,
            calls: VecDeque::new(),
            inspected: None,
            inspection: None,
            step: 0,
            hold: None,
            viewed_ms: f64::NEG_INFINITY,
            looked_ms: f64::NEG_INFINITY,
            stirred: true,
        };
        Ok((engine, report))
    }

    /// Takes in what the page asks; the answers come with the next slices.
    pub fn take(&mut self, request: Request, real_ms: f64, reports: &mut Vec<Report>) {
        self.stirred = true;
        match request {
            // Done by who owns the engine.
            Request::Boot { .. } => {}
            Request::Input(bytes) => {
                self.cluster.terminal_input(self.terminal, &bytes);
                self.answer(ANSWER_LIMIT);
            }
            Request::Resize { columns, rows } => {
                self.cluster.terminal_resize(self.terminal, columns, rows);
                self.answer(Duration::ZERO);
            }
            Request::Speed(speed) => self.pace = Pace::new(speed, real_ms, self.cluster.now()),
            Request::Step => {
                self.cluster.step();
                self.pace = Pace::new(Speed::PAUSED, real_ms, self.cluster.now());
                reports.push(Report::Paused);
            }
            Request::Call { id, call } if self.calls.len() < CALLS_MAX => {
                self.calls.push_back(Work { id, call, begun: None });
            }
            Request::Call { id, .. } => {
                let result = Err(format!("more than {CALLS_MAX} calls are waiting"));
                reports.push(Report::Answer { id, result });
            }
            Request::Inspect(object) => {
                self.inspected = object;
                self.inspection = None;
                self.looked_ms = f64::NEG_INFINITY;
            }
            Request::LessonStep(step) => {
                self.step = step;
                self.hold = None;
                self.looked_ms = f64::NEG_INFINITY;
            }
        }
    }

    /// Lets what was typed be answered even while time stands still.
    fn answer(&mut self, within: Duration) {
        if self.pace.speed().is_paused() {
            self.cluster.answer(within);
        }
    }

    /// Whether `kubectl explain` waits for the schemas.
    pub fn wants_openapi(&self) -> bool {
        self.cluster.wants_openapi()
    }

    /// Brings the schemas; `None` if they cannot be had.
    pub fn set_openapi(&mut self, json: Option<&str>) {
        self.cluster.set_openapi(json.map(str::as_bytes));
    }

    /// Works for a slice of time.
    pub fn slice(&mut self, clock: &dyn Fn() -> f64, reports: &mut Vec<Report>) -> Next {
        let started = clock();
        let before = self.cluster.now();
        let mut busy = true;
        while busy && clock() - started < SLICE_MS {
            busy = if self.calls.is_empty() {
                !self.cluster.advance(self.pace.target(started), EVENTS_PER_LOOK)
            } else {
                self.work(reports);
                self.pace.restart(clock(), self.cluster.now());
                !self.calls.is_empty()
            };
        }
        let now = clock();
        self.stirred |= self.cluster.now() != before;
        self.pace.forgive_debt(now, self.cluster.now());
        self.tell(now, reports);
        if busy { Next::Now } else { self.rest(now) }
    }

    /// When there will be something to do.
    fn rest(&self, now: f64) -> Next {
        let due = self.cluster.next_due().unwrap_or(Time::MAX);
        match self.pace.wait_ms(now, due) {
            // What was stirred is to be told, and the clock to be seen going on.
            Some(wait) if self.stirred => Next::In(wait.clamp(1.0, VIEW_MS)),
            Some(wait) => Next::In(wait.clamp(1.0, CLOCK_MS)),
            // What was stirred may still have to be told.
            None if self.stirred => Next::In(LOOK_MS),
            None => Next::OnRequest,
        }
    }

    /// Works on the first call.
    fn work(&mut self, reports: &mut Vec<Report>) {
        let Some(mut work) = self.calls.pop_front() else { return };
        match self.work_on(&mut work) {
            Some(result) => reports.push(Report::Answer { id: work.id, result }),
            None => self.calls.push_front(work),
        }
    }

    /// Works on a call for some events. Returns its result when it is done.
    fn work_on(&mut self, work: &mut Work) -> Option<Result<Reply, String>> {
        let cluster = &mut self.cluster;
        match &work.call {
            Call::Digest => Some(Ok(Reply::Digest(cluster.store_digest()))),
            Call::Advance { micros } => {
                let duration = Duration::from_micros(*micros).min(ADVANCE_LIMIT);
                let begun =
                    work.begun.get_or_insert_with(|| Begun::until(cluster.now() + duration));
                let done = cluster.advance(begun.until, EVENTS_PER_LOOK);
                done.then_some(Ok(Reply::Done))
            }
            Call::Exec(line) => {
                let begun = work.begun.get_or_insert_with(|| Begun {
                    job: Some(cluster.start_script(line)),
                    ..Begun::until(cluster.now() + EXEC_LIMIT)
                });
                exec(cluster, begun)
            }
        }
    }

    /// Tells what is new, each thing as often as a person can see it.
    fn tell(&mut self, now: f64, reports: &mut Vec<Report>) {
        let output = self.cluster.terminal_output(self.terminal);
        if !output.is_empty() {
            reports.push(Report::Output(output));
        }
        let since = now - self.viewed_ms;
        if since >= VIEW_MS && (self.stirred || since >= CLOCK_MS) {
            let view = self.cluster.view();
            if since >= CLOCK_MS || !is_only_clock(&view) {
                self.viewed_ms = now;
                reports.push(Report::View(view));
            }
        }
        if self.stirred && now - self.looked_ms >= LOOK_MS {
            self.looked_ms = now;
            self.stirred = false;
            self.look_closely(reports);
        }
    }

    fn look_closely(&mut self, reports: &mut Vec<Report>) {
        if let Some(object) = &self.inspected {
            let found = self.cluster.inspect(&object.kind, &object.namespace, &object.name);
            let found = found.map(Box::new);
            if self.inspection.as_ref() != Some(&found) {
                self.inspection = Some(found.clone());
                reports.push(Report::Inspection(found));
            }
        }
        let hold = self.lesson.check(self.step as usize, &mut self.cluster);
        if self.hold.as_ref() != Some(&hold) {
            self.hold = Some(hold.clone());
            reports.push(Report::Checks { step: self.step, hold });
        }
    }
}

impl Begun {
    fn until(until: Time) -> Begun {
        Begun { until, job: None, stdout: Vec::new(), stderr: Vec::new() }
    }
}

/// Goes on with a command for one event. Returns its result when it is done.
fn exec(cluster: &mut Cluster, begun: &mut Begun) -> Option<Result<Reply, String>> {
    let job = begun.job?;
    let output = cluster.poll(job);
    append(&mut begun.stdout, &output.stdout);
    append(&mut begun.stderr, &output.stderr);
    let code = match (output.code, cluster.next_due()) {
        (Some(code), _) => code,
        (None, Some(due)) if due <= begun.until => {
            cluster.advance(due, 1);
            return None;
        }
        (None, _) => {
            cluster.abandon(job);
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

/// The lesson of this name, or the first.
fn find_lesson(slug: Option<&str>) -> Option<&'static LessonFile> {
    let lessons = naru_lesson::built_in();
    slug.and_then(|slug| lessons.iter().find(|it| it.slug == slug)).or_else(|| lessons.first())
}

fn catalogue() -> Vec<LessonHead> {
    naru_lesson::built_in()
        .iter()
        .filter_map(|file| {
            let lesson = Lesson::parse(file.yaml).ok()?;
            let slug = file.slug.to_owned();
            Some(LessonHead { slug, title: lesson.title, minutes: lesson.minutes })
        })
        .collect()
}

fn lesson_page(slug: &str, lesson: &Lesson) -> LessonPage {
    let step = |step: &naru_lesson::StepText| StepPage {
        title: step.title.clone(),
        text: step.text.clone(),
        commands: step.commands.clone(),
        checks: step.checks.iter().map(|check| check.says.clone()).collect::<Vec<Text>>(),
        hints: step.hints.clone(),
    };
    LessonPage {
        slug: slug.to_owned(),
        title: lesson.title.clone(),
        summary: lesson.summary.clone(),
        minutes: lesson.minutes,
        steps: lesson.steps.iter().map(step).collect(),
    }
}
