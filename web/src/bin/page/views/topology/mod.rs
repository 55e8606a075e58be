//! The picture of the cluster.

mod bank;
mod house;
mod marks;
mod pod;
mod river;
mod travel;

use super::icon::{Icon, icon};
use crate::context::{Action, Page, use_page};
use crate::traffic::Traffic;
use bank::UpperBank;
use house::{HouseNames, Houses};
use naru_web::protocol::ObjectRef;
use naru_web::scene::{Room, Scene};
use naru_web::store::{Look, Store, is_system};
use pod::Pods;
use river::{River, Wires};
use std::collections::BTreeSet;
use std::rc::Rc;
use travel::Travel;
use wasm_bindgen::prelude::*;
use web_sys::{Element, HtmlInputElement, HtmlSelectElement, ResizeObserver};
use yew::prelude::*;

#[derive(Clone, PartialEq, Properties)]
pub struct TopologyProps {
    pub store: Rc<Store>,
    pub traffic: Rc<Traffic>,
    pub selected: Option<ObjectRef>,
    /// The object that the lesson speaks of.
    pub pointed: Option<ObjectRef>,
    /// The store's.
    pub revision: u64,
    pub show_system: bool,
}

/// What the parts of the picture are drawn from.
#[derive(Clone, PartialEq, Properties)]
pub struct PartProps {
    pub store: Rc<Store>,
    pub scene: Rc<Scene>,
    pub traffic: Rc<Traffic>,
    pub selected: Option<ObjectRef>,
    /// What is searched for: what has nothing to do with it stands back.
    pub wanted: String,
}

/// How small and how large the picture can be made.
const ZOOM: (f64, f64) = (0.25, 4.0);

/// The picture and its tools.
#[component]
pub fn Topology(props: &TopologyProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let (host, size) = use_size();
    let (width, height) = *size;
    let zoom = use_state(|| 1.0_f64);
    let namespace = use_state(String::new);
    let wanted = use_state(String::new);
    let namespaces = namespaces(&props.store);
    let only = if namespaces.contains(&*namespace) { (*namespace).clone() } else { String::new() };
    let room = Room { width, height, system: props.show_system, namespace: only };
    let scene = use_memo((props.store.clone(), room), |(store, room)| Scene::lay_out(store, room));
    let part = PartProps {
        store: props.store.clone(),
        scene: scene.clone(),
        traffic: props.traffic.clone(),
        selected: props.selected.clone(),
        wanted: (*wanted).clone(),
    };
    let onwheel = {
        let zoom = zoom.clone();
        Callback::from(move |event: WheelEvent| {
            if event.ctrl_key() || event.meta_key() {
                event.prevent_default();
                zoom.set((*zoom * (-event.delta_y() / 400.0).exp()).clamp(ZOOM.0, ZOOM.1));
            }
        })
    };
    let (onpointerdown, onpointermove, onpointerup) = use_drag(&host);
    let fit_all = (height / scene.height).clamp(ZOOM.0, 1.0);
    let tools = Tools { zoom, namespace, wanted, namespaces, fit: fit_all };
    let factor = *tools.zoom;
    html! {
        <>
            <div
                class="scene"
                ref={host}
                data-testid="topology"
                {onwheel}
                {onpointerdown}
                {onpointermove}
                onpointercancel={onpointerup.clone()}
                {onpointerup}
            >
                if width > 0.0 {
                    <svg
                        role="group"
                        aria-label={texts.topology}
                        width={(scene.width * factor).to_string()}
                        height={(scene.height * factor).to_string()}
                        viewBox={format!("0 0 {} {}", scene.width, scene.height)}
                    >
                        <River ..part.clone() />
                        <Houses ..part.clone() />
                        <Wires ..part.clone() />
                        <HouseNames ..part.clone() />
                        <Pods ..part.clone() />
                        <UpperBank
                            scene={scene.clone()}
                            traffic={props.traffic.clone()}
                            revision={props.revision}
                        />
                        { pointer(props.pointed.as_ref(), &props.store, &scene) }
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
            <div class="scene-foot">
                <Legend store={props.store.clone()} />
                { tools.draw(&page) }
            </div>
        </>
    }
}

/// A ring around the object that the lesson speaks of.
fn pointer(object: Option<&ObjectRef>, store: &Store, scene: &Scene) -> Html {
    let Some(rect) = object
        .and_then(|object| scene.rect_of(store, &object.kind, &object.namespace, &object.name))
    else {
        return Html::default();
    };
    html! {
        <rect
            class="pointer"
            x={(rect.x - 5.0).to_string()}
            y={(rect.y - 5.0).to_string()}
            width={(rect.w + 10.0).to_string()}
            height={(rect.h + 10.0).to_string()}
            rx="13"
        />
    }
}

/// The namespaces of which something is there, in order.
fn namespaces(store: &Store) -> Vec<String> {
    let pods = store.pods.values().map(|it| &it.namespace);
    let workloads = store.workloads.values().map(|it| &it.namespace);
    let services = store.services.values().map(|it| &it.namespace);
    let all: BTreeSet<&String> = pods.chain(workloads).chain(services).collect();
    all.into_iter().cloned().collect()
}

/// What one can do with the picture.
struct Tools {
    zoom: UseStateHandle<f64>,
    namespace: UseStateHandle<String>,
    wanted: UseStateHandle<String>,
    namespaces: Vec<String>,
    /// The zoom at which all is seen.
    fit: f64,
}

impl Tools {
    fn draw(&self, page: &Page) -> Html {
        let texts = page.texts();
        let oninput = {
            let wanted = self.wanted.clone();
            Callback::from(move |event: InputEvent| {
                let input = event.target().and_then(|it| it.dyn_into::<HtmlInputElement>().ok());
                wanted.set(input.map(|input| input.value()).unwrap_or_default());
            })
        };
        let onchange = {
            let namespace = self.namespace.clone();
            Callback::from(move |event: Event| {
                let select = event.target().and_then(|it| it.dyn_into::<HtmlSelectElement>().ok());
                namespace.set(select.map(|select| select.value()).unwrap_or_default());
            })
        };
        let zoom = |to: f64, label: &'static str, picture: Icon| {
            let zoom = self.zoom.clone();
            let onclick = Callback::from(move |_: MouseEvent| zoom.set(to.clamp(ZOOM.0, ZOOM.1)));
            html! {
                <button class="tool" aria-label={label} title={label} {onclick}>{ icon(picture) }</button>
            }
        };
        html! {
            <div class="scene-tools">
                <input
                    type="search"
                    class="search"
                    placeholder={texts.search}
                    aria-label={texts.search}
                    value={(*self.wanted).clone()}
                    {oninput}
                />
                if self.namespaces.len() > 2 {
                    <select class="tool" aria-label={texts.namespace} {onchange}>
                        <option value="" selected={self.namespace.is_empty()}>{ texts.every_namespace }</option>
                        { for self.namespaces.iter().map(|name| html! {
                            <option value={name.clone()} selected={*name == *self.namespace}>{ name }</option>
                        }) }
                    </select>
                }
                <div class="zoom">
                    { zoom(*self.zoom / 1.25, texts.zoom_out, Icon::ZoomOut) }
                    { zoom(self.fit, texts.zoom_fit, Icon::Fit) }
                    { zoom(*self.zoom * 1.25, texts.zoom_in, Icon::ZoomIn) }
                </div>
            </div>
        }
    }
}

/// Handlers that move what an element shows along with the pointer.
#[hook]
fn use_drag(
    host: &NodeRef,
) -> (Callback<PointerEvent>, Callback<PointerEvent>, Callback<PointerEvent>) {
    let hold = use_mut_ref(|| None::<(i32, i32)>);
    let down = {
        let hold = hold.clone();
        // A finger scrolls by itself.
        Callback::from(move |event: PointerEvent| {
            let mouse = event.pointer_type() == "mouse" && event.button() == 0;
            *hold.borrow_mut() = mouse.then(|| (event.client_x(), event.client_y()));
        })
    };
    let moved = {
        let (hold, host) = (hold.clone(), host.clone());
        Callback::from(move |event: PointerEvent| {
            let mut hold = hold.borrow_mut();
            let (Some((x, y)), Some(element)) = (*hold, host.cast::<Element>()) else { return };
            element.set_scroll_left(element.scroll_left() - (event.client_x() - x));
            element.set_scroll_top(element.scroll_top() - (event.client_y() - y));
            *hold = Some((event.client_x(), event.client_y()));
        })
    };
    let up = Callback::from(move |_: PointerEvent| *hold.borrow_mut() = None);
    (down, moved, up)
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

/// A text cut to what has room when its letters are so many pixels large. The end of a name tells
/// it from its siblings, so the middle is left out.
pub fn fit(text: &str, width: f64, size: f64) -> String {
    if measure(text, size) <= width {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().collect();
    let cut = |kept: usize| {
        let tail = kept * 2 / 5;
        let start: String = letters.iter().take(kept - tail).collect();
        let end: String = letters.iter().skip(letters.len() - tail).collect();
        format!("{}…{end}", start.trim_end_matches('-'))
    };
    let kept = (1..letters.len()).rev().find(|kept| measure(&cut(*kept), size) <= width);
    cut(kept.unwrap_or(1))
}

/// The width of a text, by the widths that its letters have in the sans-serif fonts of the page
/// when they are bold; a little more rather than less.
fn measure(text: &str, size: f64) -> f64 {
    let width = |letter: char| match letter {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | 'I' => 0.32,
        'f' | 't' | 'r' | '-' | '(' | ')' | '/' | ' ' => 0.42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.95,
        'A'..='Z' => 0.72,
        letter if letter.is_ascii() => 0.62,
        _ => 1.0,
    };
    text.chars().map(width).sum::<f64>() * size
}
