//! The binding to `js/terminal.js`.

// The macros write `unsafe`.
#![allow(unsafe_code)]

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use web_sys::Element;

#[wasm_bindgen(module = "/js/terminal.js")]
extern "C" {
    /// A terminal on the screen.
    #[derive(Clone, Debug)]
    pub type Terminal;

    /// Opens a terminal inside an element.
    #[wasm_bindgen(js_name = openTerminal, catch)]
    pub async fn open(
        host: &Element,
        on_data: &Closure<dyn Fn(Uint8Array)>,
        on_resize: &Closure<dyn Fn(u16, u16)>,
        is_name: &Closure<dyn Fn(String) -> bool>,
        on_name: &Closure<dyn Fn(String)>,
    ) -> Result<JsValue, JsValue>;

    /// Shows bytes. They are a copy of their own, since they are read later.
    #[wasm_bindgen(method)]
    pub fn write(this: &Terminal, bytes: Uint8Array);

    /// Forgets all that was shown.
    #[wasm_bindgen(method)]
    pub fn clear(this: &Terminal);

    /// Takes the keyboard.
    #[wasm_bindgen(method)]
    pub fn focus(this: &Terminal);

    /// Speaks to screen readers, or not.
    #[wasm_bindgen(method, js_name = setScreenReader)]
    pub fn set_screen_reader(this: &Terminal, on: bool);

    /// Sets the size of the text in pixels.
    #[wasm_bindgen(method, js_name = setFontSize)]
    pub fn set_font_size(this: &Terminal, pixels: u32);

    /// Reads the colours of the stylesheet anew.
    #[wasm_bindgen(method, js_name = refreshTheme)]
    pub fn refresh_theme(this: &Terminal);
}
