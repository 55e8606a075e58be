//! What `window.naru` calls: see `boot.js`.

// The macros write `unsafe`.
#![allow(unsafe_code)]

use crate::bridge::Bridge;
use crate::context::{Action, Setting};
use js_sys::Promise;
use naru_web::i18n::Language;
use naru_web::protocol::{Call, Speed, Start};
use naru_web::query::Theme;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use yew::Callback;

thread_local! {
    static BRIDGE: RefCell<Option<Rc<Bridge>>> = const { RefCell::new(None) };
    static ACT: RefCell<Callback<Action>> = RefCell::new(Callback::noop());
}

/// Lets the functions below speak with this worker.
pub fn serve(bridge: Rc<Bridge>) {
    BRIDGE.set(Some(bridge));
}

/// Lets the functions below do what a person can do.
pub fn serve_page(act: Callback<Action>) {
    ACT.set(act);
}

/// Does what a person could do.
fn act(action: Action) {
    ACT.with_borrow(|act| act.emit(action));
}

fn with_bridge(act: impl FnOnce(&Bridge) -> Promise) -> Promise {
    BRIDGE.with_borrow(|bridge| match bridge {
        Some(bridge) => act(bridge),
        None => Promise::reject(&js_sys::Error::new("there is no worker").into()),
    })
}

/// Resolves when the cluster runs.
#[wasm_bindgen]
pub fn ready() -> Promise {
    with_bridge(Bridge::booted)
}

/// Runs a command to its end, as fast as possible: `{ stdout, stderr, code }`.
#[wasm_bindgen]
pub fn exec(command: String) -> Promise {
    with_bridge(|bridge| bridge.call(Call::Exec(command)))
}

/// Lets seconds of virtual time pass, as fast as possible.
#[wasm_bindgen]
pub fn advance(seconds: f64) -> Promise {
    let micros = (seconds * 1e6).max(0.0) as u64;
    with_bridge(|bridge| bridge.call(Call::Advance { micros }))
}

/// How fast time goes by itself: times as fast as real time; 0 stands still.
#[wasm_bindgen]
pub fn speed(factor: f64) -> Promise {
    act(Action::Speed(Speed((factor * 1000.0).max(0.0) as u32)));
    Promise::resolve(&JsValue::UNDEFINED)
}

/// Types a line into the terminal that is in front, where a person sees it.
#[wasm_bindgen(js_name = "type")]
pub fn type_line(line: String) {
    act(Action::Type(line));
}

/// Writes a file of the learner's home directory.
#[wasm_bindgen]
pub fn write(path: String, bytes: Vec<u8>) -> Promise {
    with_bridge(|bridge| bridge.call(Call::Write { path, bytes }))
}

/// A file of the learner's home directory.
#[wasm_bindgen]
pub fn read(path: String) -> Promise {
    with_bridge(|bridge| bridge.call(Call::Read(path)))
}

/// Breaks something, or mends it, in the words of `naru fault`.
#[wasm_bindgen]
pub fn fault(words: String) -> Promise {
    with_bridge(|bridge| bridge.call(Call::Fault(words)))
}

/// Opens a step of the lesson, counted from 0.
#[wasm_bindgen]
pub fn step(step: u32) {
    act(Action::OpenStep(step as usize));
}

/// The session, to be kept: bytes.
#[wasm_bindgen]
pub fn snapshot() -> Promise {
    with_bridge(|bridge| bridge.call(Call::Keep))
}

/// Takes up a session that was kept. Resolves when it is there.
#[wasm_bindgen]
pub fn restore(session: Vec<u8>) -> Promise {
    with_bridge(|bridge| {
        let booted = bridge.next_boot();
        act(Action::Start(Start::Kept(session)));
        booted
    })
}

/// Sets `lang` or `theme`; a theme of another name is the system's choice.
#[wasm_bindgen]
pub fn set(name: &str, value: &str) {
    let setting = match name {
        "lang" => Language::of_tag(value).map(Setting::Language),
        "theme" => Some(Setting::Theme(Theme::named(value))),
        _ => None,
    };
    if let Some(setting) = setting {
        act(Action::Set(setting));
    }
}

/// The digest of the whole history of the store.
#[wasm_bindgen]
pub fn digest() -> Promise {
    with_bridge(|bridge| bridge.call(Call::Digest))
}
