//! What nodes have, and what of it their pods have asked for.

use crate::context::{Action, Page, use_page};
use naru_cluster::view::{NodeView, PodView};
use naru_web::i18n::fill;
use naru_web::protocol::ObjectRef;
use naru_web::store::Store;
use std::rc::Rc;
use yew::prelude::*;

/// Nodes shown at most.
const NODES_SHOWN: usize = 60;

#[derive(Clone, PartialEq, Properties)]
pub struct ResourcesViewProps {
    pub store: Rc<Store>,
    pub selected: Option<ObjectRef>,
}

/// A card for each node.
#[component]
pub fn ResourcesView(props: &ResourcesViewProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let mut nodes: Vec<&Rc<NodeView>> = props.store.nodes.values().collect();
    nodes.sort_by_key(|node| &node.name);
    html! {
        <div class="resources">
            <p class="empty">{ texts.resources_hint }</p>
            <div class="resource-cards" data-testid="resources">
                { for nodes.into_iter().take(NODES_SHOWN).map(|node| card(node, props, &page)) }
            </div>
        </div>
    }
}

fn card(node: &NodeView, props: &ResourcesViewProps, page: &Page) -> Html {
    let texts = page.texts();
    let mut pods: Vec<&PodView> = props
        .store
        .pods
        .values()
        .map(Rc::as_ref)
        .filter(|pod| pod.node.as_ref() == Some(&node.name))
        .filter(|pod| !matches!(pod.phase.as_str(), "Succeeded" | "Failed"))
        .collect();
    pods.sort_by_key(|pod| (&pod.namespace, &pod.name));
    let object =
        ObjectRef { kind: "Node".to_owned(), namespace: String::new(), name: node.name.clone() };
    let mib = |bytes: u64| format!("{} Mi", bytes / (1024 * 1024));
    let cpu = |millis: u64| format!("{millis}m");
    let plain = |number: u64| number.to_string();
    let room = &node.allocatable;
    html! {
        <section class="resource-card" key={node.uid.clone()}>
            <h3>
                <button class="link" onclick={page.on(Action::Select(Some(object)))}>
                    { &node.name }
                </button>
            </h3>
            { bar("CPU", room.cpu_millis, &pods, |pod| (pod.requests.cpu_millis, pod.limits.cpu_millis), cpu, props, page) }
            { bar(texts.memory, room.memory_bytes, &pods, |pod| (pod.requests.memory_bytes, pod.limits.memory_bytes), mib, props, page) }
            { bar(texts.pod, room.pods, &pods, |_| (1, 0), plain, props, page) }
        </section>
    }
}

/// A bar: a piece for each pod that asks for something, in the room that the node has.
fn bar(
    title: &str,
    room: u64,
    pods: &[&PodView],
    of: impl Fn(&PodView) -> (u64, u64),
    text: impl Fn(u64) -> String,
    props: &ResourcesViewProps,
    page: &Page,
) -> Html {
    let texts = page.texts();
    let asked: u64 = pods.iter().map(|pod| of(pod).0).sum();
    let limits: u64 = pods.iter().map(|pod| of(pod).1).sum();
    let share = |amount: u64| 100.0 * amount as f64 / room.max(1) as f64;
    let label = fill(texts.asked_of, &[&text(asked), &text(room), &format!("{:.0}", share(asked))]);
    html! {
        <div class="resource">
            <p class="resource-head"><b>{ title }</b><span>{ label.clone() }</span></p>
            <div class="resource-bar" role="img" aria-label={format!("{title}: {label}")}>
                { for pods.iter().filter(|pod| of(pod).0 > 0).map(|pod| {
                    let chosen = props.selected.as_ref().is_some_and(|it| {
                        it.kind == "Pod" && it.name == pod.name && it.namespace == pod.namespace
                    });
                    html! {
                        <span
                            class={classes!("piece", chosen.then_some("chosen"))}
                            style={format!("width: {:.3}%", share(of(pod).0))}
                            title={format!("{}/{}: {}", pod.namespace, pod.name, text(of(pod).0))}
                        />
                    }
                }) }
                if limits > 0 {
                    <span
                        class="limit"
                        style={format!("left: {:.3}%", share(limits).min(100.0))}
                        title={fill(texts.limits_of, &[&text(limits)])}
                    />
                }
            </div>
            if limits > 0 {
                <p class="resource-note">{ fill(texts.limits_of, &[&text(limits)]) }</p>
            }
        </div>
    }
}
