//! The binding to `js/editor.js`.

// The macros write `unsafe`.
#![allow(unsafe_code)]

use wasm_bindgen::prelude::*;
use web_sys::Element;

#[wasm_bindgen(module = "/js/editor.js")]
extern "C" {
    /// An editor on the screen.
    #[derive(Clone, Debug)]
    pub type Editor;

    /// Opens an editor inside an element: of manifests, or of other YAML.
    #[wasm_bindgen(js_name = openEditor, catch)]
    pub async fn open(
        host: &Element,
        label: &str,
        manifests: bool,
        on_change: &Closure<dyn Fn(String)>,
        on_save: &Closure<dyn Fn()>,
        on_move: &Closure<dyn Fn()>,
    ) -> Result<JsValue, JsValue>;

    /// Shows another text.
    #[wasm_bindgen(method, js_name = setText)]
    pub fn set_text(this: &Editor, text: &str);

    /// Takes the keyboard.
    #[wasm_bindgen(method)]
    pub fn focus(this: &Editor);

    /// The field at the cursor: `deployment.spec.replicas`; "" where there is none.
    #[wasm_bindgen(method)]
    pub fn field(this: &Editor) -> String;

    /// Marks a line, counted from 1, with a message; 0 marks none.
    #[wasm_bindgen(method)]
    pub fn mark(this: &Editor, line: u32, message: &str);

    /// Goes to a line, counted from 1.
    #[wasm_bindgen(method, js_name = goTo)]
    pub fn go_to(this: &Editor, line: u32);
}
