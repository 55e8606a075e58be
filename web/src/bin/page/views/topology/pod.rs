//! The pods, in their houses or afloat.

use super::marks::{mark, name};
use super::{PartProps, chooser, fit};
use crate::context::{Action, use_page};
use naru_cluster::view::PodView;
use naru_web::protocol::ObjectRef;
use naru_web::scene::{Rect, Scene};
use naru_web::store::{Look, Store};
use std::collections::BTreeMap;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use web_sys::SvgGraphicsElement;
use yew::prelude::*;

/// All pods.
#[component]
pub fn Pods(props: &PartProps) -> Html {
    let PartProps { store, scene, .. } = props;
    if scene.dense {
        return html! { <Tiles ..props.clone() /> };
    }
    html! {
        <g class="pods">
            { for scene.pods.iter().filter_map(|(uid, rect)| {
                let pod = store.pods.get(uid)?;
                Some(html! {
                    <Pod
                        key={uid.as_str()}
                        pod={pod.clone()}
                        rect={*rect}
                        afloat={scene.afloat.contains(uid)}
                        gone={store.leaving.contains(uid)}
                        selected={props.selected.clone()}
                        back={!props.wanted.is_empty() && !has(pod, &props.wanted)}
                    />
                })
            }) }
        </g>
    }
}

/// Very many pods: one shape for all that look alike. Each can be clicked at; by keyboard they are
/// reached in the tables.
#[component]
fn Tiles(props: &PartProps) -> Html {
    let page = use_page();
    let PartProps { store, scene, .. } = props;
    let mut shapes: BTreeMap<(Look, bool), String> = BTreeMap::new();
    for (uid, rect) in &scene.pods {
        let Some(pod) = store.pods.get(uid) else { continue };
        let back = !props.wanted.is_empty() && !has(pod, &props.wanted);
        let shape = shapes.entry((Look::of(pod), back)).or_default();
        let Rect { x, y, w, h } = rect;
        shape.push_str(&format!("M{x:.0} {y:.0}h{w:.0}v{h:.0}h-{w:.0}z"));
    }
    let onclick = {
        let (store, scene, act) = (store.clone(), scene.clone(), page.act.clone());
        Callback::from(move |event: MouseEvent| {
            if let Some(object) = pod_at(&event, &store, &scene) {
                act.emit(Action::Select(Some(object)));
            }
        })
    };
    html! {
        <g class="tiles" data-testid="tiles" {onclick}>
            { for shapes.into_iter().map(|((look, back), d)| html! {
                <path class={classes!("tile", "look", look.class(), back.then_some("back"))} {d}>
                    <title>{ name(look, page.texts()) }</title>
                </path>
            }) }
        </g>
    }
}

/// The pod whose tile was clicked at.
fn pod_at(event: &MouseEvent, store: &Store, scene: &Scene) -> Option<ObjectRef> {
    let target = event.target()?.dyn_into::<SvgGraphicsElement>().ok()?;
    let svg = target.owner_svg_element()?;
    let frame = svg.get_bounding_client_rect();
    let factor = scene.width / frame.width();
    let x = (f64::from(event.client_x()) - frame.x()) * factor;
    let y = (f64::from(event.client_y()) - frame.y()) * factor;
    let inside =
        |rect: &Rect| rect.x <= x && x <= rect.right() && rect.y <= y && y <= rect.bottom();
    let (uid, _) = scene.pods.iter().find(|(_, rect)| inside(rect))?;
    let pod = store.pods.get(uid)?;
    Some(ObjectRef {
        kind: "Pod".to_owned(),
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
    })
}

#[derive(Clone, PartialEq, Properties)]
struct PodProps {
    pod: Rc<PodView>,
    rect: Rect,
    /// It stands on the river, for want of a node.
    afloat: bool,
    /// It is gone, and seen to leave.
    gone: bool,
    selected: Option<ObjectRef>,
    /// It has nothing to do with what is searched for.
    back: bool,
}

/// Whether a pod has to do with what is searched for: its name, a label, an address, an image.
fn has(pod: &PodView, wanted: &str) -> bool {
    let label = |(key, value): (&String, &String)| format!("{key}={value}").contains(wanted);
    pod.name.contains(wanted)
        || pod.status.contains(wanted)
        || pod.ip.as_ref().is_some_and(|ip| ip.contains(wanted))
        || pod.labels.iter().any(label)
        || pod.containers.iter().any(|(_, image)| image.contains(wanted))
}

#[component]
fn Pod(props: &PodProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let PodProps { pod, rect, afloat, gone, selected, back } = props;
    let object = ObjectRef {
        kind: "Pod".to_owned(),
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
    };
    let chosen = selected.as_ref() == Some(&object);
    let (onclick, onkeydown) = chooser(&page.act, object);
    let look = Look::of(pod);
    let (ready, all) = pod.ready;
    let label = format!("{} {}, {}, {ready}/{all}", texts.pod, pod.name, pod.status);
    let wait = afloat.then(|| format!(", {}", texts.waits_for_node)).unwrap_or_default();
    let class = classes!(
        "pod",
        "object",
        "look",
        look.class(),
        chosen.then_some("chosen"),
        afloat.then_some("afloat"),
        gone.then_some("gone"),
        back.then_some("back"),
    );
    html! {
        <g
            {class}
            style={format!("transform: translate({}px, {}px)", rect.x, rect.y)}
            role="button"
            tabindex="0"
            aria-label={format!("{label}{wait}")}
            data-testid="pod"
            data-name={pod.name.clone()}
            data-status={pod.status.clone()}
            {onclick}
            {onkeydown}
        >
            <title>{ format!("{label}{wait} · {}", name(look, texts)) }</title>
            if *afloat {
                <path class="hull" d={hull(*rect)} />
            }
            <g class="cabin">
                <rect width={rect.w.to_string()} height={rect.h.to_string()} rx="9" />
                <g class="state" transform="translate(15 21)">{ mark(look) }</g>
                <text class="name" x="28" y="18">{ fit(&pod.name, rect.w - 34.0, 12.0) }</text>
                <text class="note" x="28" y="32">{ fit(&status(pod), rect.w - 32.0, 10.5) }</text>
            </g>
        </g>
    }
}

/// What is said below the name: the status, and what makes it worth a look.
fn status(pod: &PodView) -> String {
    match pod.restarts {
        0 => pod.status.clone(),
        restarts => format!("{} ↻{restarts}", pod.status),
    }
}

/// A boat's hull below the cabin.
fn hull(rect: Rect) -> String {
    let (w, h) = (rect.w, rect.h);
    format!(
        "M-8 {:.1}H{:.1}C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}H12C4 {:.1} -4 {:.1} -8 {:.1}z",
        h - 5.0,
        w + 8.0,
        w + 4.0,
        h + 4.0,
        w - 4.0,
        h + 9.0,
        w - 12.0,
        h + 9.0,
        h + 9.0,
        h + 4.0,
        h - 5.0
    )
}
