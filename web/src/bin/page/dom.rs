//! What the page reads of the browser.

use naru_web::query::{Query, Theme};
use naru_web::script;
use wasm_bindgen::prelude::*;
use web_sys::{Document, Element, HtmlElement, KeyboardEvent};
use yew::Callback;

/// The document.
pub fn document() -> Option<Document> {
    web_sys::window()?.document()
}

/// What the page's address says.
pub fn query() -> Query {
    let search = web_sys::window().and_then(|window| window.location().search().ok());
    let params = search.and_then(|text| web_sys::UrlSearchParams::new_with_str(&text).ok());
    let Some(params) = params else { return Query::default() };
    let pair = |key: &&str| Some(((*key).to_owned(), params.get(key)?));
    Query::from_pairs(Query::WORDS.iter().filter_map(pair))
}

/// The page's address with these words instead of its own.
pub fn link(words: &[(&str, &str)]) -> String {
    let here = web_sys::window().and_then(|window| window.location().href().ok());
    let here = here.unwrap_or_default();
    let base = here.split(['?', '#']).next().unwrap_or_default();
    let Ok(params) = web_sys::UrlSearchParams::new() else { return base.to_owned() };
    words.iter().for_each(|(key, value)| params.append(key, value));
    format!("{base}?{}", params.to_string())
}

/// A text that is another one for another build of the page: the hash in its wasm's name.
pub fn version() -> String {
    let name = document()
        .and_then(|document| document.query_selector("script[data-wasm]").ok()?)
        .and_then(|script| script.get_attribute("data-wasm"))
        .unwrap_or_default();
    name.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// The language that the browser prefers: a tag.
pub fn browser_language() -> Option<String> {
    web_sys::window()?.navigator().language()
}

/// The theme that the system prefers.
pub fn system_theme() -> Theme {
    let dark = web_sys::window()
        .and_then(|window| window.match_media("(prefers-color-scheme: dark)").ok()?)
        .is_some_and(|query| query.matches());
    if dark { Theme::Dark } else { Theme::Light }
}

/// Whether the page is dark now: by its own theme, or the system's.
pub fn is_dark() -> bool {
    let root = document().and_then(|document| document.document_element());
    match root.and_then(|root| root.get_attribute("data-theme")).as_deref() {
        Some("dark") => true,
        Some("light") => false,
        _ => system_theme() == Theme::Dark,
    }
}

/// Sets an attribute of the document's element; `None` takes it away.
pub fn set_root_attribute(name: &str, value: Option<&str>) {
    let Some(root) = document().and_then(|document| document.document_element()) else { return };
    let _ = match value {
        Some(value) => root.set_attribute(name, value),
        None => root.remove_attribute(name),
    };
}

/// Sets the title of the browser's tab.
pub fn set_title(title: &str) {
    if let Some(document) = document() {
        document.set_title(title);
    }
}

/// Copies a text. A browser that does not let it has nothing copied.
pub fn copy(text: &str) {
    if let Some(window) = web_sys::window() {
        let _ = window.navigator().clipboard().write_text(text);
    }
}

/// Takes the focus to the element of this id.
pub fn focus(id: &str) {
    let element = document().and_then(|document| document.get_element_by_id(id));
    if let Some(element) = element.and_then(|it| it.dyn_into::<HtmlElement>().ok()) {
        let _ = element.focus();
    }
}

/// Takes the focus to the next part of the page (an element with `data-region`), or to the one
/// before. Where the page is part of another, that one is told after the last and before the first.
pub fn focus_next_region(backwards: bool, embed: bool) {
    let Some(document) = document() else { return };
    let Ok(list) = document.query_selector_all("[data-region]") else { return };
    let regions: Vec<HtmlElement> = (0..list.length())
        .filter_map(|i| list.item(i)?.dyn_into::<HtmlElement>().ok())
        .filter(|element| element.offset_width() > 0)
        .collect();
    if regions.is_empty() {
        return;
    }
    let focused = document.active_element();
    let holds = |region: &HtmlElement| region.contains(focused.as_deref());
    let count = regions.len();
    let here = regions.iter().position(holds);
    if embed && here == Some(if backwards { 0 } else { count - 1 }) {
        tell("naru-leave", [("backwards", backwards.into())]);
        return;
    }
    let next = match here {
        Some(here) if backwards => (here + count - 1) % count,
        Some(here) => (here + 1) % count,
        None => 0,
    };
    if let Some(region) = regions.get(next) {
        focus_into(region);
    }
}

/// Focuses what is meant to be focused first in a region, or the region itself.
fn focus_into(region: &HtmlElement) {
    let first = region.query_selector("[data-first], .xterm-helper-textarea").ok().flatten();
    let target = first.and_then(|element: Element| element.dyn_into::<HtmlElement>().ok());
    let _ = target.as_ref().unwrap_or(region).focus();
}

/// Tells whoever has put the page into another one, and scripts of the page, of something that
/// happened: see `boot.js`.
pub fn tell<'a>(event: &str, detail: impl IntoIterator<Item = (&'a str, JsValue)>) {
    let tell = js_sys::Reflect::get(&js_sys::global(), &JsValue::from_str("naruTell"));
    if let Some(tell) = tell.ok().and_then(|it| it.dyn_into::<js_sys::Function>().ok()) {
        // Who listens does not throw into the page.
        let _ = tell.call2(&JsValue::UNDEFINED, &event.into(), &script::object(detail));
    }
}

/// Tells the console of an error that no person can be shown.
pub fn log_error(error: &JsValue) {
    web_sys::console::error_1(error);
}

/// Hears every key of the window until it is dropped.
pub struct KeyListener {
    closure: Closure<dyn Fn(KeyboardEvent)>,
}

impl KeyListener {
    /// Has the callback hear the keys.
    pub fn new(callback: Callback<KeyboardEvent>) -> KeyListener {
        let closure = Closure::<dyn Fn(KeyboardEvent)>::new(move |event| callback.emit(event));
        if let Some(window) = web_sys::window() {
            let listener = closure.as_ref().unchecked_ref();
            // Without it only the keys are missing.
            let _ = window.add_event_listener_with_callback("keydown", listener);
        }
        KeyListener { closure }
    }
}

impl Drop for KeyListener {
    fn drop(&mut self) {
        if let Some(window) = web_sys::window() {
            let listener = self.closure.as_ref().unchecked_ref();
            let _ = window.remove_event_listener_with_callback("keydown", listener);
        }
    }
}
