//! The way to the worker and back.

use crate::context::Answer;
use js_sys::{Function, Promise, Uint8Array};
use naru_web::protocol::{self, Call, Reply, Report, Request};
use naru_web::script;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use web_sys::{ErrorEvent, MessageEvent, Worker};
use yew::Callback;

/// Who hears what the worker tells.
type Listener = Box<dyn Fn(Report)>;

/// What hears a worker's messages and its errors.
type Ears = (Closure<dyn Fn(MessageEvent)>, Closure<dyn Fn(ErrorEvent)>);

/// Who waits for the answer of a call.
enum Waiting {
    /// A promise: what settles it, well or badly.
    Promise(Function, Function),
    /// A part of the page.
    Page(Callback<Answer>),
}

/// A worker, and the calls that wait for its answers.
pub struct Bridge {
    worker: RefCell<Worker>,
    /// The worker broke down: it is replaced before the next start.
    broken: Cell<bool>,
    ears: RefCell<Option<Ears>>,
    listener: RefCell<Option<Listener>>,
    /// Told before there was a listener.
    early: RefCell<Vec<Report>>,
    calls: RefCell<BTreeMap<u32, Waiting>>,
    last_call: Cell<u32>,
    booted: Promise,
    settle_booted: (Function, Function),
    /// What settles the promises of who waits for another cluster to be there.
    boots: RefCell<Vec<(Function, Function)>>,
}

impl Bridge {
    /// Starts the worker.
    pub fn open() -> Result<Rc<Bridge>, JsValue> {
        let mut settle = None;
        let booted = Promise::new(&mut |resolve, reject| settle = Some((resolve, reject)));
        let settle_booted = settle.ok_or(JsValue::UNDEFINED)?;
        let bridge = Rc::new(Bridge {
            worker: RefCell::new(start_worker()?),
            broken: Cell::default(),
            ears: RefCell::default(),
            listener: RefCell::default(),
            early: RefCell::default(),
            calls: RefCell::default(),
            last_call: Cell::default(),
            booted,
            settle_booted,
            boots: RefCell::default(),
        });
        bridge.ears.replace(Some(bridge.ears()));
        bridge.hear();
        Ok(bridge)
    }

    /// Has `listener` hear what the worker tells from now on, and has told before.
    pub fn listen(&self, listener: impl Fn(Report) + 'static) {
        self.early.take().into_iter().for_each(&listener);
        self.listener.replace(Some(Box::new(listener)));
    }

    /// Sends a request.
    pub fn send(&self, request: &Request) {
        if matches!(request, Request::Boot { .. }) && self.broken.take() {
            self.replace_worker();
        }
        let sent = protocol::encode(request).map_err(|error| error.to_string()).and_then(|bytes| {
            let array = Uint8Array::from(bytes.as_slice());
            let transfer = js_sys::Array::of1(&array.buffer());
            let sent = self.worker.borrow().post_message_with_transfer(&array, &transfer);
            sent.map_err(|error| format!("{error:?}"))
        });
        if let Err(error) = sent {
            self.tell(Report::Failed(error));
        }
    }

    /// Sends a call. The promise is that of its answer.
    pub fn call(&self, call: Call) -> Promise {
        let id = self.next_call();
        let answer = Promise::new(&mut |resolve, reject| {
            self.calls.borrow_mut().insert(id, Waiting::Promise(resolve, reject));
        });
        self.send(&Request::Call { id, call });
        answer
    }

    /// Sends a call for a part of the page.
    pub fn ask(&self, call: Call, answer: Callback<Answer>) {
        let id = self.next_call();
        self.calls.borrow_mut().insert(id, Waiting::Page(answer));
        self.send(&Request::Call { id, call });
    }

    fn next_call(&self) -> u32 {
        let id = self.last_call.get().wrapping_add(1);
        self.last_call.set(id);
        id
    }

    /// Resolves when the cluster runs.
    pub fn booted(&self) -> Promise {
        self.booted.clone()
    }

    /// Resolves when the next cluster runs.
    pub fn next_boot(&self) -> Promise {
        Promise::new(&mut |resolve, reject| self.boots.borrow_mut().push((resolve, reject)))
    }

    fn ears(self: &Rc<Self>) -> Ears {
        let bridge = self.clone();
        let on_message = Closure::new(move |event: MessageEvent| {
            let bytes = Uint8Array::new(&event.data()).to_vec();
            let reports: Result<Vec<Report>, _> = protocol::decode(&bytes);
            let failed = |error: protocol::CodecError| vec![Report::Failed(error.to_string())];
            reports.unwrap_or_else(failed).into_iter().for_each(|report| bridge.take(report));
        });
        let bridge = self.clone();
        let on_error = Closure::new(move |event: ErrorEvent| {
            bridge.broken.set(true);
            bridge.take(Report::Failed(event.message()));
        });
        (on_message, on_error)
    }

    fn hear(&self) {
        let worker = self.worker.borrow();
        if let Some((on_message, on_error)) = self.ears.borrow().as_ref() {
            worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
            worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        }
    }

    /// A broken worker holds a cluster in the middle of a thought: nothing of it can be used.
    fn replace_worker(&self) {
        match start_worker() {
            Ok(worker) => {
                self.worker.replace(worker).terminate();
                self.hear();
            }
            Err(error) => self.tell(Report::Failed(format!("{error:?}"))),
        }
    }

    /// Tells the worker when the browser has drawn what has just been taken.
    fn tell_when_drawn(self: &Rc<Self>) {
        let bridge = self.clone();
        let drawn = Closure::once_into_js(move || bridge.send(&Request::Drawn));
        if let Some(window) = web_sys::window() {
            // Where it fails, the worker waits a while and goes on.
            let _ = window.request_animation_frame(drawn.unchecked_ref());
        }
    }

    fn take(self: &Rc<Self>, report: Report) {
        if matches!(report, Report::View(_)) {
            self.tell_when_drawn();
        }
        let (resolve, reject) = &self.settle_booted;
        match &report {
            Report::Answer { id, result } => return self.answer(*id, result.clone()),
            Report::Booted { .. } => {
                settle(resolve, &JsValue::UNDEFINED);
                for (resolve, _) in self.boots.take() {
                    settle(&resolve, &JsValue::UNDEFINED);
                }
            }
            Report::Failed(error) => {
                let error: JsValue = js_sys::Error::new(error).into();
                settle(reject, &error);
                for (_, reject) in self.boots.take() {
                    settle(&reject, &error);
                }
                for waiting in self.calls.take().into_values() {
                    if let Waiting::Promise(_, reject) = waiting {
                        settle(&reject, &error);
                    }
                }
            }
            _ => {}
        }
        self.tell(report);
    }

    fn tell(&self, report: Report) {
        match self.listener.borrow().as_ref() {
            Some(listener) => listener(report),
            None => self.early.borrow_mut().push(report),
        }
    }

    fn answer(&self, id: u32, result: Answer) {
        let waiting = self.calls.borrow_mut().remove(&id);
        match (waiting, result) {
            (Some(Waiting::Page(answer)), result) => answer.emit(result),
            (Some(Waiting::Promise(resolve, _)), Ok(reply)) => settle(&resolve, &to_js(&reply)),
            (Some(Waiting::Promise(_, reject)), Err(error)) => {
                settle(&reject, &js_sys::Error::new(&error).into());
            }
            (None, _) => {}
        }
    }
}

impl PartialEq for Bridge {
    fn eq(&self, other: &Bridge) -> bool {
        std::ptr::eq(self, other)
    }
}

/// The worker that `boot.js` has started before this page's wasm was here, or another one.
fn start_worker() -> Result<Worker, JsValue> {
    let start = js_sys::Reflect::get(&js_sys::global(), &JsValue::from_str("naruWorker"))?;
    start.dyn_into::<Function>()?.call0(&JsValue::UNDEFINED)?.dyn_into()
}

/// Settles a promise. The functions that do so never throw.
fn settle(how: &Function, value: &JsValue) {
    let _ = how.call1(&JsValue::UNDEFINED, value);
}

/// An answer as JavaScript has it.
fn to_js(reply: &Reply) -> JsValue {
    match reply {
        Reply::Done => JsValue::UNDEFINED,
        Reply::Digest(digest) => JsValue::from_str(digest),
        Reply::Bytes(bytes) => Uint8Array::from(bytes.as_slice()).into(),
        Reply::Files(paths) => paths.iter().map(JsValue::from).collect::<js_sys::Array>().into(),
        // The page's own.
        Reply::Changes(_) | Reply::View(_) | Reply::Draft(_) => JsValue::UNDEFINED,
        Reply::Exec { stdout, stderr, code } => script::object([
            ("stdout", stdout.into()),
            ("stderr", stderr.into()),
            ("code", (*code).into()),
        ]),
    }
}
