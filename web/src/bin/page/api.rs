//! What `window.naru` calls: see `boot.js`.

// The macros write `unsafe`.
#![allow(unsafe_code)]

use crate::bridge::Bridge;
use js_sys::Promise;
use naru_web::protocol::{Call, Request, Speed};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

thread_local! {
    static BRIDGE: RefCell<Option<Rc<Bridge>>> = const { RefCell::new(None) };
}

/// Lets the functions below speak with this worker.
pub fn serve(bridge: Rc<Bridge>) {
    BRIDGE.set(Some(bridge));
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
    with_bridge(|bridge| {
        bridge.send(&Request::Speed(Speed((factor * 1000.0).max(0.0) as u32)));
        Promise::resolve(&JsValue::UNDEFINED)
    })
}

/// The digest of the whole history of the store.
#[wasm_bindgen]
pub fn digest() -> Promise {
    with_bridge(|bridge| bridge.call(Call::Digest))
}
