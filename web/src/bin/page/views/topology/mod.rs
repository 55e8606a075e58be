//! The picture of the cluster.

mod bank;
mod house;
mod marks;
mod pod;
mod river;
mod travel;

use super::icon::{Icon, icon};
use crate::context::{Action, Details, Setting, use_page};
use crate::traffic::Traffic;
use bank::UpperBank;
use house::Houses;
use naru_web::protocol::ObjectRef;
use naru_web::scene::{Room, Scene};
use naru_web::store::{Look, Store, is_system};
use pod::Pods;
use river::{River, Wires};
use std::rc::Rc;
use travel::Travel;
use wasm_bindgen::prelude::*;
use web_sys::{Element, ResizeObserver};
use yew::prelude::*;

#[derive(Clone, PartialEq, Properties)]
pub struct TopologyProps {
    pub store: Rc<Store>,
    pub traffic: Rc<Traffic>,
    pub selected: Option<ObjectRef>,
    /// The store's.
    pub revision: u64,
    pub show_system: bool,
    pub details_open: bool,
}

/// What the parts of the picture are drawn from.
#[derive(Clone, PartialEq, Properties)]
pub struct PartProps {
    pub store: Rc<Store>,
    pub scene: Rc<Scene>,
    pub traffic: Rc<Traffic>,
    pub selected: Option<ObjectRef>,
}

/// The picture and its bar.
#[component]
pub fn Topology(props: &TopologyProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let (host, size) = use_size();
    let (width, height) = *size;
    let room = Room { width, height, system: props.show_system };
    let scene = use_memo((props.store.clone(), room), |(store, room)| Scene::lay_out(store, *room));
    let part = PartProps {
        store: props.store.clone(),
        scene: scene.clone(),
        traffic: props.traffic.clone(),
        selected: props.selected.clone(),
    };
    let onkeydown = {
        let act = page.act.clone();
        let is_selected = props.selected.is_some();
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Escape" && is_selected {
                act.emit(Action::Select(None));
            }
        })
    };
    html! {
        <section
            class="topology panel"
            data-testid="topology"
            data-region="topology"
            tabindex="-1"
            aria-label={texts.topology}
            {onkeydown}
        >
            <Bar show_system={props.show_system} details_open={props.details_open} />
            <div class="scene" ref={host}>
                if width > 0.0 {
                    <svg
                        role="group"
                        aria-label={texts.topology}
                        width={scene.width.to_string()}
                        height={scene.height.to_string()}
                        viewBox={format!("0 0 {} {}", scene.width, scene.height)}
                    >
                        <River ..part.clone() />
                        <Houses ..part.clone() />
                        <Wires ..part.clone() />
                        <Pods ..part.clone() />
                        <UpperBank
                            scene={scene.clone()}
                            traffic={props.traffic.clone()}
                            revision={props.revision}
                        />
                        <Travel ..part.clone() />
                    </svg>
                    if let Some(rect) = scene.hint {
                        <div class="empty-landing" style={format!("top: {}px", rect.y)}>
                            <p>{ texts.empty_cluster }</p>
                            <p>{ texts.empty_cluster_hint }</p>
                        </div>
                    }
                }
            </div>
            <Legend store={props.store.clone()} />
        </section>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct BarProps {
    show_system: bool,
    details_open: bool,
}

#[component]
fn Bar(props: &BarProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    html! {
        <div class="bar">
            <h2>{ icon(Icon::Houses) }{ texts.tab_cluster }</h2>
            <div class="bar-tools">
                <button
                    class="tool"
                    aria-pressed={props.show_system.to_string()}
                    onclick={page.on(Action::Set(Setting::ShowSystem(!props.show_system)))}
                >
                    { texts.show_system }
                </button>
                <button class="tool" onclick={page.on(Action::Details(Details::Activity))}>
                    { texts.activity }
                </button>
                <button class="tool" onclick={page.on(Action::Details(Details::Packets))}>
                    { texts.packets }
                </button>
                <button
                    class="tool wide-only"
                    aria-pressed={props.details_open.to_string()}
                    onclick={page.on(Action::ToggleDetails)}
                >
                    { icon(Icon::Glass) }{ texts.details }
                </button>
            </div>
        </div>
    }
}

/// What the shapes mean that are in the picture now.
#[component]
fn Legend(props: &LegendProps) -> Html {
    let page = use_page();
    let mut looks: Vec<Look> =
        props.store.own_pods().filter(|pod| !is_system(&pod.namespace)).map(Look::of).collect();
    looks.sort_unstable();
    looks.dedup();
    html! {
        <ul class="legend" aria-label={page.texts().legend}>
            { for looks.into_iter().map(|look| html! {
                <li class={classes!("look", look.class())}>
                    <svg width="16" height="16" viewBox="-8 -8 16 16" aria-hidden="true">
                        { marks::mark(look) }
                    </svg>
                    { marks::name(look, page.texts()) }
                </li>
            }) }
        </ul>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct LegendProps {
    store: Rc<Store>,
}

/// An element and its size in pixels, kept up to date.
#[hook]
fn use_size() -> (NodeRef, UseStateHandle<(f64, f64)>) {
    let host = use_node_ref();
    let size = use_state(|| (0.0, 0.0));
    {
        let (host, size) = (host.clone(), size.clone());
        use_effect_with((), move |()| {
            let element = host.cast::<Element>();
            let measured = element.clone();
            let measure = Closure::<dyn FnMut()>::new(move || {
                if let Some(element) = &measured {
                    let (width, height) = (element.client_width(), element.client_height());
                    // Put away for a while: what was drawn is kept.
                    if width > 0 && height > 0 {
                        size.set((f64::from(width), f64::from(height)));
                    }
                }
            });
            let observer = ResizeObserver::new(measure.as_ref().unchecked_ref()).ok();
            if let (Some(observer), Some(element)) = (&observer, &element) {
                observer.observe(element);
            }
            move || {
                if let Some(observer) = observer {
                    observer.disconnect();
                }
                drop(measure);
            }
        });
    }
    (host, size)
}

/// What a click, or Enter or Space, on an object does.
pub fn chooser(
    act: &Callback<Action>,
    object: ObjectRef,
) -> (Callback<MouseEvent>, Callback<KeyboardEvent>) {
    let select = Action::Select(Some(object));
    let (clicked, pressed) = (act.clone(), act.clone());
    let on_click = {
        let select = select.clone();
        Callback::from(move |_: MouseEvent| clicked.emit(select.clone()))
    };
    let on_key = Callback::from(move |event: KeyboardEvent| {
        if matches!(event.key().as_str(), "Enter" | " ") {
            event.prevent_default();
            pressed.emit(select.clone());
        }
    });
    (on_click, on_key)
}

/// A text cut to what has room, by a rough measure of its letters.
pub fn fit(text: &str, width: f64, letter: f64) -> String {
    let room = (width / letter).max(1.0) as usize;
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept: Vec<char> = text.chars().collect();
    // The end of a pod's name tells it from its siblings.
    let tail = (room / 3).max(1);
    let head = room.saturating_sub(tail + 1).max(1);
    let start: String = kept.iter().take(head).collect();
    let end: String = kept.iter().skip(kept.len().saturating_sub(tail)).collect();
    format!("{start}…{end}")
}
