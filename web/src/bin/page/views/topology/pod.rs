//! The pods, in their houses or afloat.

use super::marks::{mark, name};
use super::{PartProps, chooser, fit};
use crate::context::use_page;
use naru_cluster::view::PodView;
use naru_web::protocol::ObjectRef;
use naru_web::scene::Rect;
use naru_web::store::Look;
use std::rc::Rc;
use yew::prelude::*;

/// All pods.
#[component]
pub fn Pods(props: &PartProps) -> Html {
    let PartProps { store, scene, .. } = props;
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
pub fn has(pod: &PodView, wanted: &str) -> bool {
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
            data-namespace={pod.namespace.clone()}
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
