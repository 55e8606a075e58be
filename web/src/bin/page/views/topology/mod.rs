//! The picture of the cluster.

mod bank;
mod crowd;
mod goal;
mod house;
mod marks;
mod pod;
mod river;
mod travel;

use super::icon::{Icon, icon};
use crate::context::{Action, Page, use_page};
use crate::traffic::Traffic;
use bank::UpperBank;
use crowd::CrowdView;
use gloo_timers::callback::Timeout;
use goal::Goal;
use house::{HouseNames, Houses};
use naru_web::crowd::{ALL_LOOKS, Crowd};
use naru_web::i18n::fill;
use naru_web::protocol::ObjectRef;
use naru_web::scene::{Group, Room, Scene};
use naru_web::store::{Look, Store, is_system};
use pod::{Pods, has};
use river::{Chips, River, Wires};
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
    /// The lesson's step that leads to something.
    pub step: Option<u32>,
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
/// How large a crowd can be made. It can be made as small as all of it is seen.
const ZOOM_CROWD: f64 = 8.0;

/// The picture and its tools.
#[component]
pub fn Topology(props: &TopologyProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let (host, size) = use_size();
    let (width, height) = *size;
    // None: as large as it is, or, of a crowd, as small as it fits.
    let zoom = use_state(|| None::<f64>);
    let namespace = use_state(String::new);
    let wanted = use_state(String::new);
    let group = use_state(Group::default);
    let shows_goal = use_state(|| false);
    let namespaces = namespaces(&props.store);
    let only = if namespaces.contains(&*namespace) { (*namespace).clone() } else { String::new() };
    let group_by = (*group).clone();
    let room = Room { width, height, system: props.show_system, namespace: only, group: group_by };
    let scene =
        use_memo((props.store.clone(), room.clone()), |(store, room)| Scene::lay_out(store, room));
    let settled = use_settled(&props.store);
    let crowd =
        use_memo((scene.dense.then_some((settled, room)), (*wanted).clone()), |(dense, wanted)| {
            let fits = |pod: &_| wanted.is_empty() || has(pod, wanted);
            dense.as_ref().map(|(store, room)| Rc::new(Crowd::lay_out(store, room, fits)))
        });
    let part = PartProps {
        store: props.store.clone(),
        scene: scene.clone(),
        traffic: props.traffic.clone(),
        selected: props.selected.clone(),
        wanted: (*wanted).clone(),
    };
    let (all_width, all_height) = match &*crowd {
        Some(crowd) => (crowd.width(), crowd.height()),
        None => (width.max(1.0), scene.height),
    };
    let fit_all = (height / all_height).min(width / all_width).min(1.0);
    let range = match &*crowd {
        Some(_) => (fit_all.min(ZOOM.0), ZOOM_CROWD),
        None => ZOOM,
    };
    let factor =
        zoom.unwrap_or(if crowd.is_some() { fit_all } else { 1.0 }).clamp(range.0, range.1);
    let onwheel = use_wheel(&host, &zoom, factor, range);
    let (onpointerdown, onpointermove, onpointerup) = use_drag(&host);
    let labels = labels(&props.store);
    let tools =
        Tools { zoom, factor, range, namespace, wanted, namespaces, group, labels, fit: fit_all };
    let toggle_goal = {
        let shows_goal = shows_goal.clone();
        Callback::from(move |_: MouseEvent| shows_goal.set(!*shows_goal))
    };
    let (ondragover, ondrop) = use_fault_drop(&page);
    let looks = looks(&props.store, crowd.as_deref());
    html! {
        <>
            if crowd.is_some() && width > 0.0 {
                <div class="crowd-bank">{ bank_of_crowd(&part, props) }</div>
            }
            <div class="scenes">
                <div
                    class="scene"
                    ref={host.clone()}
                    data-testid="topology"
                    {onwheel}
                    {onpointerdown}
                    {onpointermove}
                    onpointercancel={onpointerup.clone()}
                    {onpointerup}
                    {ondragover}
                    {ondrop}
                >
                    if let (true, Some(crowd)) = (width > 0.0, &*crowd) {
                        <CrowdView
                            crowd={crowd.clone()}
                            {host}
                            zoom={factor}
                            size={(width, height)}
                            selected={props.selected.clone()}
                            dark={crate::dom::is_dark()}
                            nameless={if *tools.group == Group::Node { texts.waits_for_node } else { texts.group_none }}
                        />
                    } else if width > 0.0 {
                        { picture(&part, props, factor, texts) }
                    }
                </div>
                if let Some(step) = props.step.filter(|_| *shows_goal) {
                    <Goal {step} onclose={toggle_goal.clone()} />
                }
            </div>
            <div class="scene-foot">
                <Legend {looks} />
                if props.step.is_some() {
                    <button class="tool" aria-pressed={shows_goal.to_string()} title={texts.goal} onclick={toggle_goal}>
                        { icon(Icon::Target) }<span>{ texts.goal }</span>
                    </button>
                }
                { tools.draw(&page) }
            </div>
        </>
    }
}

/// The whole picture.
fn picture(
    part: &PartProps,
    props: &TopologyProps,
    factor: f64,
    texts: &'static naru_web::i18n::Texts,
) -> Html {
    let scene = &part.scene;
    html! {
        <>
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
                <Chips ..part.clone() />
                <HouseNames ..part.clone() />
                <Pods ..part.clone() />
                <UpperBank
                    scene={scene.clone()}
                    traffic={props.traffic.clone()}
                    revision={props.revision}
                />
                { pointer(props.pointed.as_ref(), &props.store, scene) }
                <Travel ..part.clone() />
            </svg>
            if let Some(rect) = scene.hint {
                { landing(rect.y, texts.empty_cluster, texts.empty_cluster_hint) }
            } else if scene.houses.is_empty() && props.revision > 0 {
                { landing(scene.pier.bottom() + 60.0, texts.no_nodes, texts.no_nodes_hint) }
            }
        </>
    }
}

/// What is said where nothing is to be seen yet.
fn landing(top: f64, what: &'static str, hint: &'static str) -> Html {
    html! {
        <div class="empty-landing" style={format!("top: {top}px")}>
            <p>{ what }</p>
            <p>{ hint }</p>
        </div>
    }
}

/// What stays above a crowd: the upper bank and the river.
fn bank_of_crowd(part: &PartProps, props: &TopologyProps) -> Html {
    let scene = &part.scene;
    html! {
        <svg
            role="group"
            aria-label={part_label(props)}
            width={scene.width.to_string()}
            height={scene.height.to_string()}
            viewBox={format!("0 0 {} {}", scene.width, scene.height)}
        >
            <River ..part.clone() />
            <Chips ..part.clone() />
            <UpperBank
                scene={scene.clone()}
                traffic={props.traffic.clone()}
                revision={props.revision}
            />
            { pointer(props.pointed.as_ref(), &props.store, scene) }
            <Travel ..part.clone() />
        </svg>
    }
}

fn part_label(props: &TopologyProps) -> String {
    format!("kube-apiserver, {}", props.revision)
}

/// More pods than these are not looked at one by one at every change.
const SETTLE_MIN: usize = 3_000;
/// How long a change of very many pods may wait until it is seen, in milliseconds.
const SETTLE_MS: u32 = 250;

/// The store, or, of very many pods, the store as it was a moment ago.
#[hook]
fn use_settled(store: &Rc<Store>) -> Rc<Store> {
    let shown = use_state(|| store.clone());
    let latest = use_mut_ref(|| store.clone());
    let waits = use_mut_ref(|| None::<Timeout>);
    latest.replace(store.clone());
    let large = store.pods.len() > SETTLE_MIN;
    {
        let shown = shown.clone();
        use_effect_with((store.clone(), large), move |(_, large)| {
            if *large && waits.borrow().is_none() {
                let done = waits.clone();
                let timeout = Timeout::new(SETTLE_MS, move || {
                    done.borrow_mut().take();
                    shown.set(latest.borrow().clone());
                });
                waits.borrow_mut().replace(timeout);
            }
        });
    }
    if large { (*shown).clone() } else { store.clone() }
}

/// Makes the picture larger or smaller around the pointer.
#[hook]
fn use_wheel(
    host: &NodeRef,
    zoom: &UseStateHandle<Option<f64>>,
    factor: f64,
    range: (f64, f64),
) -> Callback<WheelEvent> {
    // Where the pointer is: seen from the element, and in the picture.
    let anchor = use_mut_ref(|| None::<((f64, f64), (f64, f64))>);
    {
        let (host, anchor) = (host.clone(), anchor.clone());
        use_effect_with(factor.to_bits(), move |_| {
            let held = anchor.borrow_mut().take();
            if let (Some(((x, y), (px, py))), Some(element)) = (held, host.cast::<Element>()) {
                element.set_scroll_left((px * factor - x) as i32);
                element.set_scroll_top((py * factor - y) as i32);
            }
        });
    }
    let (host, zoom) = (host.clone(), zoom.clone());
    Callback::from(move |event: WheelEvent| {
        if !event.ctrl_key() && !event.meta_key() {
            return;
        }
        event.prevent_default();
        if let Some(element) = host.cast::<Element>() {
            let frame = element.get_bounding_client_rect();
            let x = f64::from(event.client_x()) - frame.x();
            let y = f64::from(event.client_y()) - frame.y();
            let px = (x + f64::from(element.scroll_left())) / factor;
            let py = (y + f64::from(element.scroll_top())) / factor;
            anchor.borrow_mut().replace(((x, y), (px, py)));
        }
        let to = factor * (-event.delta_y() / 400.0).exp();
        zoom.set(Some(to.clamp(range.0, range.1)));
    })
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

/// Pods that are asked for what one can choose from.
const ASKED_MAX: usize = 3_000;

/// The namespaces of which something is there, in order.
fn namespaces(store: &Store) -> Vec<String> {
    let pods = store.pods.values().take(ASKED_MAX).map(|it| &it.namespace);
    let workloads = store.workloads.values().map(|it| &it.namespace);
    let services = store.services.values().map(|it| &it.namespace);
    let all: BTreeSet<&String> = pods.chain(workloads).chain(services).collect();
    all.into_iter().cloned().collect()
}

/// Labels by which pods can be put together, at most.
const LABELS_MAX: usize = 10;

/// The labels that a learner's own pods have, in order.
fn labels(store: &Store) -> Vec<String> {
    let keys: BTreeSet<&String> =
        store.own_pods().take(ASKED_MAX).flat_map(|pod| pod.labels.keys()).collect();
    keys.into_iter().take(LABELS_MAX).cloned().collect()
}

/// A bolt that is dragged onto what is to break. By keyboard, and where there is no mouse, things are
/// broken by the buttons of their details and by the palette beside the line of time.
fn bolt(texts: &'static naru_web::i18n::Texts) -> Html {
    let ondragstart = Callback::from(|event: DragEvent| {
        if let Some(data) = event.data_transfer() {
            let _ = data.set_data(FAULT, "bolt");
        }
    });
    html! {
        <span class="bolt wide-only" draggable="true" title={texts.fault_drag} data-testid="bolt" aria-hidden="true" {ondragstart}>
            { icon(Icon::Bolt) }
        </span>
    }
}

/// What a dragged bolt carries.
const FAULT: &str = "application/x-naru-fault";

/// Handlers that break what a bolt is dropped on.
#[hook]
fn use_fault_drop(page: &Page) -> (Callback<DragEvent>, Callback<DragEvent>) {
    let carries = |event: &DragEvent| {
        event.data_transfer().is_some_and(|data| data.types().includes(&FAULT.into(), 0))
    };
    let over = Callback::from(move |event: DragEvent| {
        if carries(&event) {
            event.prevent_default();
        }
    });
    let act = page.act.clone();
    let drop = Callback::from(move |event: DragEvent| {
        event.prevent_default();
        let words = carries(&event).then(|| fault_words(&event)).flatten();
        if let Some(words) = words {
            act.emit(Action::Fault(words));
        }
    });
    (over, drop)
}

/// How what stands where the pointer is breaks: a node goes off, a pod's container crashes. Lines
/// that pass before it do not count.
fn fault_words(event: &DragEvent) -> Option<String> {
    let (x, y) = (event.client_x() as f32, event.client_y() as f32);
    let there = crate::dom::document()?.elements_from_point(x, y);
    let mut found = there.iter().filter_map(|it| it.dyn_into::<Element>().ok());
    let element =
        found.find_map(|it| it.closest("[data-testid=node], [data-testid=pod]").ok().flatten())?;
    let name = element.get_attribute("data-name")?;
    match element.get_attribute("data-testid")?.as_str() {
        "node" => Some(format!("stop node/{name}")),
        _ => {
            let namespace = element.get_attribute("data-namespace")?;
            Some(format!("crash pod/{name} -n {namespace}"))
        }
    }
}

/// What one can do with the picture.
struct Tools {
    zoom: UseStateHandle<Option<f64>>,
    /// The zoom as it is.
    factor: f64,
    /// The zoom as it may be.
    range: (f64, f64),
    namespace: UseStateHandle<String>,
    wanted: UseStateHandle<String>,
    namespaces: Vec<String>,
    group: UseStateHandle<Group>,
    labels: Vec<String>,
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
            let (zoom, range) = (self.zoom.clone(), self.range);
            let onclick =
                Callback::from(move |_: MouseEvent| zoom.set(Some(to.clamp(range.0, range.1))));
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
                { self.grouping(texts) }
                { bolt(texts) }
                <div class="zoom">
                    { zoom(self.factor / 1.25, texts.zoom_out, Icon::ZoomOut) }
                    { zoom(self.fit, texts.zoom_fit, Icon::Fit) }
                    { zoom(self.factor * 1.25, texts.zoom_in, Icon::ZoomIn) }
                </div>
            </div>
        }
    }
}

impl Tools {
    /// What pods stand together by.
    fn grouping(&self, texts: &'static naru_web::i18n::Texts) -> Html {
        let group = self.group.clone();
        let onchange = Callback::from(move |event: Event| {
            let select = event.target().and_then(|it| it.dyn_into::<HtmlSelectElement>().ok());
            let value = select.map(|select| select.value()).unwrap_or_default();
            group.set(match value.as_str() {
                "namespace" => Group::Namespace,
                "owner" => Group::Owner,
                value => match value.strip_prefix("label/") {
                    Some(key) => Group::Label(key.to_owned()),
                    None => Group::Node,
                },
            });
        });
        let option = |value: String, label: String, group: Group| {
            html! { <option {value} selected={group == *self.group}>{ label }</option> }
        };
        html! {
            <select class="tool" aria-label={texts.group_by} title={texts.group_by} data-testid="group-by" {onchange}>
                { option("node".to_owned(), texts.group_node.to_owned(), Group::Node) }
                { option("namespace".to_owned(), texts.group_namespace.to_owned(), Group::Namespace) }
                { option("owner".to_owned(), texts.group_owner.to_owned(), Group::Owner) }
                { for self.labels.iter().map(|key| {
                    option(format!("label/{key}"), fill(texts.group_label, &[key]), Group::Label(key.clone()))
                }) }
            </select>
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

/// What the pods in the picture look like.
fn looks(store: &Store, crowd: Option<&Crowd>) -> Vec<Look> {
    let mut looks: Vec<Look> = match crowd {
        Some(crowd) => {
            let there = |look: &usize| {
                crowd.houses.iter().any(|it| it.counts.get(*look).is_some_and(|count| *count > 0))
            };
            (0..ALL_LOOKS.len()).filter(there).filter_map(|it| ALL_LOOKS.get(it).copied()).collect()
        }
        None => store.own_pods().filter(|pod| !is_system(&pod.namespace)).map(Look::of).collect(),
    };
    looks.sort_unstable();
    looks.dedup();
    looks
}

/// What the shapes mean that are in the picture now.
#[component]
fn Legend(props: &LegendProps) -> Html {
    let page = use_page();
    html! {
        <ul class="legend" aria-label={page.texts().legend}>
            { for props.looks.iter().map(|look| html! {
                <li class={classes!("look", look.class())}>
                    <svg width="16" height="16" viewBox="-8 -8 16 16" aria-hidden="true">
                        { marks::mark(*look) }
                    </svg>
                    { marks::name(*look, page.texts()) }
                </li>
            }) }
        </ul>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct LegendProps {
    looks: Vec<Look>,
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
    shorten(text, |text| measure(text, size) <= width)
}

/// The same of a text in letters that are all of one width.
pub fn fit_code(text: &str, width: f64, size: f64) -> String {
    shorten(text, |text| text.chars().count() as f64 * 0.61 * size <= width)
}

fn shorten(text: &str, has_room: impl Fn(&str) -> bool) -> String {
    if has_room(text) {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().collect();
    let cut = |kept: usize| {
        let tail = kept * 2 / 5;
        let start: String = letters.iter().take(kept - tail).collect();
        let end: String = letters.iter().skip(letters.len() - tail).collect();
        format!("{}…{end}", start.trim_end_matches('-'))
    };
    let kept = (1..letters.len()).rev().find(|kept| has_room(&cut(*kept)));
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
