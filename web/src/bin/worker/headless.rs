//! A session for scripts without a page, in a browser's worker or in Node: what `web/npm` is made
//! of. Nothing here waits: a script is started, time goes on in pieces, and what was printed is asked
//! for.

// The macros write `unsafe`.
#![allow(unsafe_code)]

use crate::engine::{self, Begun, Kept, open_first_terminal};
use naru_cluster::{Input, JobId, Profile, Session};
use naru_sim::{CauseId, Time};
use naru_web::protocol::Reply;
use naru_web::script::object;
use std::collections::BTreeMap;
use std::time::Duration;
use wasm_bindgen::prelude::*;

/// Changes told at a time at most.
const CHANGES_MAX: usize = 10_000;
/// Seconds of the cluster's time that a script may take at most.
const EXEC_SECONDS_MAX: f64 = 366.0 * 24.0 * 3600.0;

/// A cluster and the way that it has come.
#[wasm_bindgen]
pub struct Headless {
    session: Session,
    /// Scripts that are being run to their ends.
    begun: BTreeMap<u32, Begun>,
}

#[wasm_bindgen]
impl Headless {
    /// A new cluster: `kind`, a seed, and the language of the learner's machine, `en_US.UTF-8`.
    #[wasm_bindgen(constructor)]
    pub fn new(profile: &str, seed: f64, locale: &str) -> Result<Headless, JsError> {
        let mut session = Session::new(profile, seed as u64)?;
        session.input(Input::Locale(locale.to_owned()));
        open_first_terminal(&mut session);
        Ok(Headless { session, begun: BTreeMap::new() })
    }

    /// A session that was kept, at its start: it comes about by [`Headless::advance`] up to
    /// [`Headless::end`].
    pub fn resume(bytes: &[u8]) -> Result<Headless, JsError> {
        let kept = Kept::read(bytes).map_err(|error| JsError::new(&error))?;
        Ok(Headless { session: Session::resume(kept.record)?, begun: BTreeMap::new() })
    }

    /// The session, to be kept. The page opens it too.
    pub fn keep(&self) -> Result<Vec<u8>, JsError> {
        Kept::plain(&self.session).written().map_err(|error| JsError::new(&error))
    }

    /// The names of the profiles.
    pub fn profiles() -> Vec<String> {
        Profile::NAMES.iter().map(|name| (*name).to_owned()).collect()
    }

    /// The present moment, in microseconds.
    pub fn now(&self) -> f64 {
        self.session.now().as_micros() as f64
    }

    /// The latest moment that is known, in microseconds.
    pub fn end(&self) -> f64 {
        self.session.end().as_micros() as f64
    }

    /// When something happens next, in microseconds.
    #[wasm_bindgen(js_name = nextDue)]
    pub fn next_due(&self) -> Option<f64> {
        self.session.next_due().map(|due| due.as_micros() as f64)
    }

    /// Goes on to a moment in microseconds, but does at most so many pieces of work. Tells whether
    /// it got there.
    pub fn advance(&mut self, to: f64, turns: u32) -> bool {
        self.session.advance(Time::from_micros(to.max(0.0) as u64), u64::from(turns))
    }

    /// Begins to run a script to its end, for at most so many seconds of the cluster's time. Returns
    /// its number.
    pub fn begin(&mut self, script: &str, seconds: f64) -> u32 {
        let limit = Duration::from_secs_f64(seconds.clamp(0.0, EXEC_SECONDS_MAX));
        let begun = Begun::script(&mut self.session, script, limit);
        let job = begun.job().map_or(0, |job| job.0);
        self.begun.insert(job, begun);
        job
    }

    /// Goes on with such a script, for at most so many pieces of work: `{ stdout, stderr, code }`
    /// at its end, and nothing before.
    pub fn run(&mut self, job: u32, turns: u32) -> JsValue {
        let Some(begun) = self.begun.get_mut(&job) else { return JsValue::UNDEFINED };
        for _ in 0..turns {
            if let Some(Ok(Reply::Exec { stdout, stderr, code })) =
                engine::exec(&mut self.session, begun)
            {
                self.begun.remove(&job);
                return object([
                    ("stdout", stdout.into()),
                    ("stderr", stderr.into()),
                    ("code", code.into()),
                ]);
            }
        }
        JsValue::UNDEFINED
    }

    /// Starts a script that goes on beside all else. Returns its number.
    pub fn start(&mut self, script: &str) -> u32 {
        self.session.start_apart(script).0
    }

    /// Takes what a script has printed: `{ stdout, stderr, code }`, the code once it has ended.
    pub fn poll(&mut self, job: u32) -> JsValue {
        let output = self.session.poll(JobId(job));
        let bytes = |bytes: &[u8]| js_sys::Uint8Array::from(bytes).into();
        object([
            ("stdout", bytes(&output.stdout)),
            ("stderr", bytes(&output.stderr)),
            ("code", output.code.map_or(JsValue::UNDEFINED, JsValue::from)),
        ])
    }

    /// Gives a script up.
    pub fn abandon(&mut self, job: u32) {
        self.begun.remove(&job);
        self.session.input(Input::Abandon(job));
    }

    /// Writes a file of the learner's home directory.
    pub fn write(&mut self, path: &str, bytes: &[u8]) {
        self.session.input(Input::Write(path.to_owned(), bytes.to_vec()));
    }

    /// A file of the learner's home directory.
    pub fn read(&mut self, path: &str) -> Option<Vec<u8>> {
        self.session.cluster().home_file(path)
    }

    /// Breaks something, or mends it, in the words of `naru fault`.
    pub fn fault(&mut self, words: &str) -> Result<(), JsError> {
        Ok(self.session.inject(words)?)
    }

    /// The digest of the whole history of the store.
    pub fn digest(&mut self) -> String {
        self.session.cluster().store_digest()
    }

    /// What was asked of the API server since the change of this number, oldest first:
    /// `{ id, micros, actor, verb, subject }`.
    pub fn changes(&mut self, after: f64) -> Vec<JsValue> {
        let causes = self.session.cluster().causes();
        let all = causes
            .after(CauseId(after as u64))
            .filter(|cause| matches!(cause.verb, "create" | "update" | "patch" | "delete"));
        all.take(CHANGES_MAX)
            .map(|cause| {
                object([
                    ("id", (cause.id.0 as f64).into()),
                    ("micros", (cause.at.as_micros() as f64).into()),
                    ("actor", (&*cause.actor).into()),
                    ("verb", cause.verb.into()),
                    ("subject", (&*cause.subject).into()),
                ])
            })
            .collect()
    }

    /// The number of the latest cause.
    #[wasm_bindgen(js_name = lastChange)]
    pub fn last_change(&mut self) -> f64 {
        self.session.cluster().causes().last().0 as f64
    }

    /// Whether `kubectl explain` waits for the schemas.
    #[wasm_bindgen(js_name = wantsOpenapi)]
    pub fn wants_openapi(&self) -> bool {
        self.session.wants_openapi()
    }

    /// Brings the schemas; nothing if they cannot be had.
    #[wasm_bindgen(js_name = setOpenapi)]
    pub fn set_openapi(&mut self, json: Option<String>) {
        self.session.set_openapi(json.as_deref().map(str::as_bytes));
    }
}
