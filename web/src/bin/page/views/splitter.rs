//! A line between two parts of the page that can be moved, by pointer and by arrow keys.

use wasm_bindgen::JsCast;
use web_sys::Element;
use yew::prelude::*;

/// How far an arrow key moves it, in pixels.
const KEY_STEP: f64 = 24.0;

#[derive(Clone, PartialEq, Properties)]
pub struct SplitterProps {
    pub class: &'static str,
    pub label: &'static str,
    /// The size of the part that it changes, in pixels.
    pub size: f64,
    pub least: f64,
    pub most: f64,
    /// It lies, and the part that it changes is below it.
    #[prop_or_default]
    pub horizontal: bool,
    /// The part that it changes is on its right.
    #[prop_or_default]
    pub reversed: bool,
    pub onresize: Callback<f64>,
}

/// The line.
#[component]
pub fn Splitter(props: &SplitterProps) -> Html {
    // Where the pointer took hold, and the size at that moment.
    let hold = use_mut_ref(|| None::<(f64, f64)>);
    let SplitterProps { horizontal, reversed, size, least, most, .. } = *props;
    let sign = if reversed { -1.0 } else { 1.0 };
    let set = {
        let onresize = props.onresize.clone();
        move |size: f64| onresize.emit(size.clamp(least, most))
    };
    let at = move |event: &PointerEvent| {
        if horizontal { -f64::from(event.client_y()) } else { sign * f64::from(event.client_x()) }
    };
    let onpointerdown = {
        let hold = hold.clone();
        Callback::from(move |event: PointerEvent| {
            event.prevent_default();
            let target = event.target().and_then(|it| it.dyn_into::<Element>().ok());
            if let Some(element) = target {
                // Without the capture the line is only harder to hold.
                let _ = element.set_pointer_capture(event.pointer_id());
            }
            *hold.borrow_mut() = Some((at(&event), size));
        })
    };
    let onpointermove = {
        let (hold, set) = (hold.clone(), set.clone());
        Callback::from(move |event: PointerEvent| {
            if let Some((from, size)) = *hold.borrow() {
                set(size + at(&event) - from);
            }
        })
    };
    let onpointerup = Callback::from(move |_: PointerEvent| *hold.borrow_mut() = None);
    let onkeydown = Callback::from(move |event: KeyboardEvent| {
        let by = match event.key().as_str() {
            "ArrowLeft" | "ArrowDown" => -sign * KEY_STEP,
            "ArrowRight" | "ArrowUp" => sign * KEY_STEP,
            _ => return,
        };
        event.prevent_default();
        set(size + by);
    });
    html! {
        <div
            class={classes!("splitter", props.class)}
            role="separator"
            tabindex="0"
            aria-label={props.label}
            aria-orientation={if horizontal { "horizontal" } else { "vertical" }}
            aria-valuenow={format!("{size:.0}")}
            aria-valuemin={format!("{least:.0}")}
            aria-valuemax={format!("{most:.0}")}
            {onpointerdown}
            {onpointermove}
            onpointercancel={onpointerup.clone()}
            {onpointerup}
            {onkeydown}
        />
    }
}
