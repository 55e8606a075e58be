//! The binding to `js/keep.js`: sessions in the browser's memory, files that come and go.

// The macros write `unsafe`.
#![allow(unsafe_code)]

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/js/keep.js")]
extern "C" {
    #[wasm_bindgen(js_name = openKept)]
    async fn open_kept() -> JsValue;

    #[wasm_bindgen(js_name = keep)]
    async fn keep_bytes(bytes: Uint8Array);

    /// From now on this tab has a new session.
    #[wasm_bindgen(js_name = startAnew)]
    pub fn start_anew();

    #[wasm_bindgen(js_name = download)]
    fn download_bytes(name: &str, bytes: Uint8Array, media_type: &str);

    #[wasm_bindgen(js_name = upload)]
    async fn upload_bytes(accept: &str) -> JsValue;
}

/// The session of this tab, if one was kept.
pub async fn kept() -> Option<Vec<u8>> {
    bytes(open_kept().await)
}

/// Keeps the session of this tab.
pub fn keep(session: &[u8]) {
    let bytes = Uint8Array::from(session);
    wasm_bindgen_futures::spawn_local(async move { keep_bytes(bytes).await });
}

/// Gives a person a file.
pub fn download(name: &str, content: &[u8], media_type: &str) {
    download_bytes(name, content.into(), media_type);
}

/// Asks a person for a file.
pub async fn upload(accept: &str) -> Option<Vec<u8>> {
    bytes(upload_bytes(accept).await)
}

fn bytes(value: JsValue) -> Option<Vec<u8>> {
    value.dyn_into::<Uint8Array>().ok().map(|array| array.to_vec())
}
