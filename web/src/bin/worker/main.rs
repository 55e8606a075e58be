//! The worker: runs the cluster in slices, and speaks with the page.

mod engine;
mod headless;
mod lessons;
mod pace;
mod trial;

use engine::{Engine, Fetched, Next};
use naru_web::protocol::{self, Boot, Report, Request};
use std::cell::RefCell;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{DedicatedWorkerGlobalScope, MessageChannel, MessageEvent, Response};

/// The schemas of `kubectl explain`.
const OPENAPI_FILE: &str = "openapi.json";
/// How long after the cluster is there the page is told of every lesson and every term, in
/// milliseconds: their texts come with the rest of the wasm (worker-start.js).
const CATALOGUE_MS: f64 = 700.0;

/// What the worker is made of.
struct Worker {
    scope: DedicatedWorkerGlobalScope,
    engine: Option<Engine>,
    /// A lesson is on its way, for which the cluster is to be started: what was asked meanwhile.
    waiting: Option<Vec<Request>>,
    /// A message to oneself is the quickest way to come back after the page's messages were heard.
    turn: MessageChannel,
    tick: Closure<dyn FnMut()>,
    timer: Option<i32>,
    /// A message to oneself is under way.
    returning: bool,
    /// The schemas of `kubectl explain` are being fetched.
    fetching: bool,
    /// When the first cluster was there.
    booted_ms: Option<f64>,
    /// The page has been told of every lesson.
    catalogued: bool,
}

thread_local! {
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
}

fn main() {
    console_error_panic_hook::set_once();
    let Ok(scope) = js_sys::global().dyn_into::<DedicatedWorkerGlobalScope>() else { return };
    let Ok(turn) = MessageChannel::new() else { return };
    let tick = Closure::<dyn FnMut()>::new(|| with_worker(Worker::tick));
    turn.port1().set_onmessage(Some(tick.as_ref().unchecked_ref()));
    let hear = Closure::<dyn FnMut(MessageEvent)>::new(|event: MessageEvent| {
        let bytes = js_sys::Uint8Array::new(&event.data()).to_vec();
        with_worker(|worker| worker.hear(&bytes));
    });
    scope.set_onmessage(Some(hear.as_ref().unchecked_ref()));
    hear.forget();
    let worker = Worker {
        scope,
        engine: None,
        waiting: None,
        turn,
        tick,
        timer: None,
        returning: false,
        fetching: false,
        booted_ms: None,
        catalogued: false,
    };
    WORKER.set(Some(worker));
}

fn with_worker(act: impl FnOnce(&mut Worker)) {
    WORKER.with_borrow_mut(|worker| worker.as_mut().map(act));
}

impl Worker {
    fn hear(&mut self, bytes: &[u8]) {
        let mut reports = Vec::new();
        match protocol::decode::<Request>(bytes) {
            Ok(request) => self.take(request, &mut reports),
            Err(error) => reports.push(Report::Failed(error.to_string())),
        }
        self.send(reports);
        self.come_back(Next::Now);
    }

    fn take(&mut self, request: Request, reports: &mut Vec<Report>) {
        let now = self.now();
        match (request, &mut self.waiting, &mut self.engine) {
            (request, Some(waiting), _) => waiting.push(request),
            (Request::Boot(boot), None, _) => match engine::lesson_of(&boot.start) {
                Ok(None) => self.boot(boot, None, reports),
                Ok(Some(folder)) => self.fetch_lesson(folder, boot),
                Err(error) => reports.push(Report::Failed(error)),
            },
            (request, None, Some(engine)) => engine.take(request, now, reports),
            (_, None, None) => {}
        }
    }

    fn boot(&mut self, boot: Boot, lesson: Option<Fetched>, reports: &mut Vec<Report>) {
        match Engine::boot(boot, lesson, self.now()) {
            Ok((engine, booted)) => {
                self.engine = Some(engine);
                reports.push(booted);
            }
            Err(error) => reports.push(Report::Failed(error)),
        }
    }

    fn tick(&mut self) {
        self.returning = false;
        let Some(mut engine) = self.engine.take() else { return };
        let mut reports = Vec::new();
        let next = engine.slice(&|| self.now(), &mut reports);
        if engine.wants_openapi() && !self.fetching {
            self.fetching = true;
            self.fetch_openapi();
        }
        self.engine = Some(engine);
        self.send(reports);
        let next = self.tell_of_lessons(next);
        self.come_back(next);
    }

    /// Tells the page of every lesson when it is time; until then, comes back no later than that.
    fn tell_of_lessons(&mut self, next: Next) -> Next {
        if self.catalogued {
            return next;
        }
        let now = self.now();
        let left = *self.booted_ms.get_or_insert(now) + CATALOGUE_MS - now;
        match next {
            Next::Now => {}
            Next::In(ms) if left > 0.0 => return Next::In(ms.min(left)),
            Next::OnRequest if left > 0.0 => return Next::In(left),
            _ => {
                self.catalogued = true;
                let catalogue = Report::Catalogue(lessons::catalogue());
                self.send(vec![catalogue, Report::Terms(lessons::terms())]);
            }
        }
        next
    }

    /// Fetches the schemas, which the page does not carry since most learners never ask for them.
    fn fetch_openapi(&self) {
        self.fetch(OPENAPI_FILE, |worker, text| {
            worker.fetching = false;
            if let Some(engine) = &mut worker.engine {
                engine.set_openapi(text.as_deref());
            }
        });
    }

    /// Fetches a lesson, then starts a cluster for it.
    fn fetch_lesson(&mut self, folder: &'static str, boot: Boot) {
        // Before the new cluster there is none: the page does not wait for what the old one says.
        self.engine = None;
        self.waiting = Some(Vec::new());
        let file = lessons::file(folder);
        self.fetch(&file.clone(), move |worker, text| {
            let mut reports = Vec::new();
            match text {
                Some(yaml) => worker.boot(boot, Some(Fetched { folder, yaml }), &mut reports),
                None => reports.push(Report::Failed(format!("{file} cannot be loaded"))),
            }
            for request in worker.waiting.take().unwrap_or_default() {
                worker.take(request, &mut reports);
            }
            worker.send(reports);
        });
    }

    /// Fetches a text, beside the worker's own file, and goes on with it; with nothing if it cannot
    /// be had.
    fn fetch(&self, file: &str, go_on: impl FnOnce(&mut Worker, Option<String>) + 'static) {
        let answer = JsFuture::from(self.scope.fetch_with_str(file));
        wasm_bindgen_futures::spawn_local(async move {
            let text = async {
                let response: Response = answer.await?.dyn_into()?;
                if !response.ok() {
                    return Err(JsValue::NULL);
                }
                JsFuture::from(response.text()?).await
            };
            let text = text.await.ok().and_then(|text| text.as_string());
            with_worker(|worker| {
                go_on(worker, text);
                worker.come_back(Next::Now);
            });
        });
    }

    fn come_back(&mut self, next: Next) {
        if let Some(timer) = self.timer.take() {
            self.scope.clear_timeout_with_handle(timer);
        }
        match next {
            Next::Now if self.returning => {}
            Next::Now => {
                self.returning = self.turn.port2().post_message(&JsValue::NULL).is_ok();
            }
            Next::In(ms) => {
                let tick = self.tick.as_ref().unchecked_ref();
                let timer = self
                    .scope
                    .set_timeout_with_callback_and_timeout_and_arguments_0(tick, ms.ceil() as i32);
                self.timer = timer.ok();
            }
            Next::OnRequest => {}
        }
    }

    /// Sends what there is to tell as one message, after which the page is drawn once.
    fn send(&self, reports: Vec<Report>) {
        if reports.is_empty() {
            return;
        }
        let failed = |error: protocol::CodecError| Vec::from([Report::Failed(error.to_string())]);
        let bytes = protocol::encode(&reports).or_else(|error| protocol::encode(&failed(error)));
        let Ok(bytes) = bytes else { return };
        let array = js_sys::Uint8Array::from(bytes.as_slice());
        let transfer = js_sys::Array::of1(&array.buffer());
        // Fails only when the page is gone, and the worker with it.
        let _ = self.scope.post_message_with_transfer(&array, &transfer);
    }

    fn now(&self) -> f64 {
        self.scope.performance().map_or(0.0, |performance| performance.now())
    }
}
