//! What scripts are given: JavaScript's own objects.

use js_sys::{Object, Reflect};
use wasm_bindgen::JsValue;

/// An object of these properties.
pub fn object<'a>(properties: impl IntoIterator<Item = (&'a str, JsValue)>) -> JsValue {
    let object = Object::new();
    for (name, value) in properties {
        // A fresh object takes any property.
        let _ = Reflect::set(&object, &name.into(), &value);
    }
    object.into()
}
