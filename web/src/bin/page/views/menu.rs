//! A button that opens a list of things to do.

use super::icon::{Icon, icon};
use wasm_bindgen::JsCast;
use yew::prelude::*;

#[derive(Clone, PartialEq, Properties)]
pub struct MenuProps {
    pub label: AttrValue,
    pub picture: Icon,
    #[prop_or_default]
    pub class: Classes,
    /// Said beside the picture.
    #[prop_or_default]
    pub text: Option<AttrValue>,
    pub children: Html,
}

/// The button, and the list while it is open. It closes when something in it is chosen, when the
/// focus goes elsewhere, and by Escape.
#[component]
pub fn Menu(props: &MenuProps) -> Html {
    let open = use_state(|| false);
    let host = use_node_ref();
    let toggle = {
        let open = open.clone();
        Callback::from(move |_: MouseEvent| open.set(!*open))
    };
    let close = {
        let open = open.clone();
        Callback::from(move |_: MouseEvent| open.set(false))
    };
    let onkeydown = {
        let open = open.clone();
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Escape" && *open {
                event.stop_propagation();
                open.set(false);
            }
        })
    };
    let onfocusout = {
        let (open, host) = (open.clone(), host.clone());
        Callback::from(move |event: FocusEvent| {
            let to = event.related_target().and_then(|it| it.dyn_into::<web_sys::Node>().ok());
            let inside = host.cast::<web_sys::Element>().is_some_and(|it| it.contains(to.as_ref()));
            if to.is_some() && !inside {
                open.set(false);
            }
        })
    };
    html! {
        <div class={classes!("menu", props.class.clone())} ref={host} {onkeydown} {onfocusout}>
            <button
                class="tool"
                aria-haspopup="menu"
                aria-expanded={open.to_string()}
                aria-label={props.label.clone()}
                title={props.label.clone()}
                onclick={toggle}
            >
                { icon(props.picture) }
                if let Some(text) = &props.text {
                    <span>{ text }</span>
                }
            </button>
            if *open {
                <div class="menu-shade" onclick={close.clone()} />
                <ul class="menu-list" role="menu" aria-label={props.label.clone()} onclick={close}>
                    { props.children.clone() }
                </ul>
            }
        </div>
    }
}
