//! The worker: runs the cluster in slices, and speaks with the page.

mod engine;
mod lessons;
mod pace;

use engine::{Engine, Next};
use naru_web::protocol::{self, Report, Request};
use std::cell::RefCell;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{DedicatedWorkerGlobalScope, MessageChannel, MessageEvent, Response};

/// Beside the worker's own file, where Trunk has laid it.
const OPENAPI_FILE: &str = "openapi.json";

/// What the worker is made of.
struct Worker {
    scope: DedicatedWorkerGlobalScope,
    engine: Option<Engine>,
    /// A message to oneself is the quickest way to come back after the page's messages were heard.
    turn: MessageChannel,
    tick: Closure<dyn FnMut()>,
    timer: Option<i32>,
    /// A message to oneself is under way.
    returning: bool,
    /// The schemas of `kubectl explain` are being fetched.
    fetching: bool,
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
        turn,
        tick,
        timer: None,
        returning: false,
        fetching: false,
        catalogued: false,
    };
    WORKER.set(Some(worker));
}

fn with_worker(act: impl FnOnce(&mut Worker)) {
    WORKER.with_borrow_mut(|worker| worker.as_mut().map(act));
}

impl Worker {
    fn hear(&mut self, bytes: &[u8]) {
        let now = self.now();
        let mut reports = Vec::new();
        match protocol::decode::<Request>(bytes) {
            Ok(Request::Boot(boot)) => match Engine::boot(boot, now) {
                Ok((engine, booted)) => {
                    self.engine = Some(engine);
                    reports.push(booted);
                }
                Err(error) => reports.push(Report::Failed(error)),
            },
            Ok(request) => {
                if let Some(engine) = &mut self.engine {
                    engine.take(request, now, &mut reports);
                }
            }
            Err(error) => reports.push(Report::Failed(error.to_string())),
        }
        self.send(reports);
        self.come_back(Next::Now);
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
        if next != Next::Now && !self.catalogued {
            self.catalogued = true;
            self.send(vec![Report::Catalogue(lessons::catalogue())]);
        }
        self.come_back(next);
    }

    /// Fetches the schemas, which the page does not carry since most learners never ask for them.
    fn fetch_openapi(&self) {
        let answer = JsFuture::from(self.scope.fetch_with_str(OPENAPI_FILE));
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
                worker.fetching = false;
                if let Some(engine) = &mut worker.engine {
                    engine.set_openapi(text.as_deref());
                }
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

    fn send(&self, reports: Vec<Report>) {
        for report in reports {
            let bytes = protocol::encode(&report)
                .or_else(|error| protocol::encode(&Report::Failed(error.to_string())));
            let Ok(bytes) = bytes else { continue };
            let array = js_sys::Uint8Array::from(bytes.as_slice());
            let transfer = js_sys::Array::of1(&array.buffer());
            // Fails only when the page is gone, and the worker with it.
            let _ = self.scope.post_message_with_transfer(&array, &transfer);
        }
    }

    fn now(&self) -> f64 {
        self.scope.performance().map_or(0.0, |performance| performance.now())
    }
}
