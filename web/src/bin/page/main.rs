//! The page: draws what the worker tells, and asks it for what a person wants.

mod api;
mod app;
mod bridge;
mod codemirror;
mod context;
mod dom;
mod files;
mod keep;
mod progress;
mod settings;
mod traffic;
mod views;
mod xterm;

fn main() {
    console_error_panic_hook::set_once();
    let bridge = match bridge::Bridge::open() {
        Ok(bridge) => bridge,
        Err(error) => return dom::log_error(&error),
    };
    api::serve(bridge.clone());
    yew::Renderer::<app::App>::with_props(app::Props { bridge, query: dom::query() }).render();
}
