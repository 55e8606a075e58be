//! What nodes have, and what of it their pods have asked for.

use crate::context::{Action, Page, use_page};
use naru_cluster::view::{NodeView, PodView};
use naru_web::i18n::fill;
use naru_web::protocol::ObjectRef;
use naru_web::store::Store;
use naru_web::usage::Usage;
use std::rc::Rc;
use yew::prelude::*;

/// Nodes shown at most.
const NODES_SHOWN: usize = 60;

#[derive(Clone, PartialEq, Properties)]
pub struct ResourcesViewProps {
    pub store: Rc<Store>,
    pub selected: Option<ObjectRef>,
    pub usage: Rc<Usage>,
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
    let used = props.usage.nodes.get(&node.name);
    let cpu_used = used.map(|used| used.cpu_millis.round() as u64);
    let memory_used = used.map(|used| used.memory_bytes);
    html! {
        <section class="resource-card" key={node.uid.clone()}>
            <h3>
                <button class="link" onclick={page.on(Action::Select(Some(object)))}>
                    { &node.name }
                </button>
            </h3>
            { bar("CPU", room.cpu_millis, &pods, |pod| (pod.requests.cpu_millis, pod.limits.cpu_millis), cpu, props, page) }
            { use_bar("CPU", room.cpu_millis, cpu_used, cpu, page) }
            { bar(texts.memory, room.memory_bytes, &pods, |pod| (pod.requests.memory_bytes, pod.limits.memory_bytes), mib, props, page) }
            { use_bar(texts.memory, room.memory_bytes, memory_used, mib, page) }
            { bar(texts.pod, room.pods, &pods, |_| (1, 0), plain, props, page) }
            { busiest(&pods, props, page) }
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

/// How much is really used, below what was asked for.
fn use_bar(
    title: &str,
    room: u64,
    used: Option<u64>,
    text: impl Fn(u64) -> String,
    page: &Page,
) -> Html {
    let texts = page.texts();
    let Some(used) = used else {
        return html! { <p class="resource-note">{ texts.usage_waits }</p> };
    };
    let share = 100.0 * used as f64 / room.max(1) as f64;
    let label = fill(texts.used_of, &[&text(used), &format!("{share:.0}")]);
    html! {
        <div class="resource-use" data-testid="use">
            <div class="use-bar" role="img" aria-label={format!("{title}: {label}")}>
                <span style={format!("width: {:.2}%", share.min(100.0))} />
            </div>
            <p class="resource-note">{ label }</p>
        </div>
    }
}

/// Pods told of as those that use most.
const BUSIEST: usize = 4;

/// The pods that use most, each with what it asked for.
fn busiest(pods: &[&PodView], props: &ResourcesViewProps, page: &Page) -> Html {
    let texts = page.texts();
    let of = |pod: &&&PodView| props.usage.pods.get(&pod.uid).copied();
    let mut used: Vec<_> = pods.iter().filter_map(|pod| Some((*pod, of(&pod)?))).collect();
    used.sort_by(|(_, a), (_, b)| b.cpu_millis.total_cmp(&a.cpu_millis));
    if used.is_empty() {
        return Html::default();
    }
    html! {
        <table class="busiest">
            <caption>{ texts.busiest }</caption>
            <thead>
                <tr><th scope="col">{ texts.pod }</th><th scope="col">{ "CPU" }</th><th scope="col">{ texts.memory }</th></tr>
            </thead>
            <tbody>
                { for used.into_iter().take(BUSIEST).map(|(pod, used)| {
                    let object = ObjectRef {
                        kind: "Pod".to_owned(),
                        namespace: pod.namespace.clone(),
                        name: pod.name.clone(),
                    };
                    let mib = |bytes: u64| bytes / (1024 * 1024);
                    html! {
                        <tr key={pod.uid.clone()}>
                            <th scope="row">
                                <button class="link" onclick={page.on(Action::Select(Some(object)))}>{ &pod.name }</button>
                            </th>
                            <td>{ format!("{:.0}m", used.cpu_millis) }<span>{ asked(pod.requests.cpu_millis, "m") }</span></td>
                            <td>{ format!("{}Mi", mib(used.memory_bytes)) }<span>{ asked(mib(pod.requests.memory_bytes), "Mi") }</span></td>
                        </tr>
                    }
                }) }
            </tbody>
        </table>
    }
}

/// ` / 100m`, or nothing where nothing was asked for.
fn asked(amount: u64, unit: &str) -> String {
    if amount == 0 { String::new() } else { format!(" / {amount}{unit}") }
}
