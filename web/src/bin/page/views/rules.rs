//! The iptables rules by which a service's packets go, as a graph of chains.

use super::topology::fit;
use super::words::words;
use crate::context::{Action, Page, use_page};
use naru_cluster::view::{ChainRule, ChainView, ChainsView, Study, StudyView};
use naru_web::chains::{CHAIN_W, Graph, GraphLine, HEAD_H, RULE_H, condition, height};
use naru_web::i18n::{Texts, fill};
use naru_web::protocol::{ObjectRef, StudyPage};
use naru_web::store::{Store, is_system};
use std::rc::Rc;
use wasm_bindgen::JsCast;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

#[derive(Clone, PartialEq, Properties)]
pub struct RulesViewProps {
    pub store: Rc<Store>,
    /// What was asked for.
    pub of: Study,
    pub study: Option<Rc<StudyPage>>,
}

/// The service that is shown when none was chosen: the first of a learner's own.
pub fn first_service(store: &Store) -> Option<(String, String)> {
    let mut all: Vec<_> = store.services.values().collect();
    all.sort_by_key(|it| {
        (is_system(&it.namespace), it.name == "kubernetes", &it.namespace, &it.name)
    });
    all.first().map(|it| (it.namespace.clone(), it.name.clone()))
}

/// The graph, and which service on which node it is of.
#[component]
pub fn RulesView(props: &RulesViewProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let open = use_state(|| None::<(usize, usize)>);
    let found = props.study.as_ref().and_then(|study| match &study.view {
        // Those of another node stay until the right ones are there.
        StudyView::Chains(chains) if is_same_service(&study.of, &props.of) => Some(chains),
        _ => None,
    });
    let choose = {
        let open = open.clone();
        Callback::from(move |rule: (usize, usize)| open.set((*open != Some(rule)).then_some(rule)))
    };
    let rule = open.zip(found).and_then(|((chain, row), view)| {
        let chain = view.chains.get(chain)?;
        Some((chain, chain.rules.get(row)?))
    });
    html! {
        <div class="rules" data-testid="rules">
            <div class="view-tools padded-tools">
                { services(props, &page) }
                if let Some(view) = found { { nodes(props, view, &page) } }
            </div>
            if let Some(view) = found {
                if view.chains.is_empty() {
                    <p class="empty padded">{ texts.rules_none }</p>
                } else {
                    <div class="rules-drawing" tabindex="0" role="group" aria-label={texts.stage_rules}>
                        { drawing(view, *open, &choose, texts) }
                    </div>
                    <div class="rule-text" role="status" data-testid="rule-text">
                        if let Some((chain, rule)) = rule {
                            { closely(chain, rule, &page) }
                        } else {
                            <p class="empty">{ texts.rules_hint }</p>
                        }
                    </div>
                }
            } else {
                <p class="empty padded" role="status">{ texts.loading_objects }</p>
            }
        </div>
    }
}

fn asked(of: &Study) -> (&str, &str, &str) {
    match of {
        Study::Chains { namespace, name, node } => (namespace, name, node),
        _ => ("", "", ""),
    }
}

fn is_same_service(one: &Study, other: &Study) -> bool {
    let ((namespace, name, _), (other_namespace, other_name, _)) = (asked(one), asked(other));
    (namespace, name) == (other_namespace, other_name)
}

fn services(props: &RulesViewProps, page: &Page) -> Html {
    let (namespace, name, node) = asked(&props.of);
    let (act, node) = (page.act.clone(), node.to_owned());
    let onchange = Callback::from(move |event: Event| {
        let select = event.target().and_then(|it| it.dyn_into::<HtmlSelectElement>().ok());
        let value = select.map(|select| select.value()).unwrap_or_default();
        if let Some((namespace, name)) = value.split_once('/') {
            let (namespace, name) = (namespace.to_owned(), name.to_owned());
            act.emit(Action::Study(Study::Chains { namespace, name, node: node.clone() }));
        }
    });
    let mut all: Vec<_> = props.store.services.values().collect();
    all.sort_by_key(|it| (is_system(&it.namespace), &it.namespace, &it.name));
    html! {
        <select class="tool select" aria-label={page.texts().rules_service} data-testid="rules-service" {onchange}>
            if !name.is_empty() && !all.iter().any(|it| it.namespace == namespace && it.name == name) {
                <option selected={true} disabled={true}>{ format!("{namespace}/{name}") }</option>
            }
            { for all.into_iter().map(|it| html! {
                <option
                    value={format!("{}/{}", it.namespace, it.name)}
                    selected={it.namespace == namespace && it.name == name}
                >
                    { format!("{}/{}", it.namespace, it.name) }
                </option>
            }) }
        </select>
    }
}

fn nodes(props: &RulesViewProps, view: &ChainsView, page: &Page) -> Html {
    let (namespace, name, _) = asked(&props.of);
    let (act, namespace, name) = (page.act.clone(), namespace.to_owned(), name.to_owned());
    let onchange = Callback::from(move |event: Event| {
        let select = event.target().and_then(|it| it.dyn_into::<HtmlSelectElement>().ok());
        let node = select.map(|select| select.value()).unwrap_or_default();
        let (namespace, name) = (namespace.clone(), name.clone());
        act.emit(Action::Study(Study::Chains { namespace, name, node }));
    });
    html! {
        <select class="tool select" aria-label={page.texts().rules_node} data-testid="rules-node" {onchange}>
            { for view.nodes.iter().map(|node| html! {
                <option value={node.clone()} selected={*node == view.node}>{ node }</option>
            }) }
        </select>
    }
}

fn drawing(
    view: &ChainsView,
    open: Option<(usize, usize)>,
    choose: &Callback<(usize, usize)>,
    texts: &'static Texts,
) -> Html {
    let graph = Graph::lay_out(&view.chains);
    html! {
        <svg
            class="chains"
            width={graph.width.to_string()}
            height={graph.height.to_string()}
            role="group"
            aria-label={texts.stage_rules}
        >
            { for graph.lines.iter().map(line) }
            { for view.chains.iter().zip(&graph.chains).enumerate().map(|(index, (chain, at))| {
                draw_chain(index, chain, *at, open, choose, texts)
            }) }
        </svg>
    }
}

/// As broad as what goes that way.
fn line(line: &GraphLine) -> Html {
    let ((x, y), (to_x, to_y)) = (line.from, line.to);
    let middle = (x + to_x) / 2.0;
    html! {
        <path
            class="chain-line"
            style={format!("stroke-width: {:.1}px", 1.5 + 5.0 * line.share)}
            d={format!("M{x:.1} {y:.1}C{middle:.1} {y:.1} {middle:.1} {to_y:.1} {to_x:.1} {to_y:.1}")}
        />
    }
}

fn draw_chain(
    index: usize,
    chain: &ChainView,
    (x, y): (f64, f64),
    open: Option<(usize, usize)>,
    choose: &Callback<(usize, usize)>,
    texts: &'static Texts,
) -> Html {
    html! {
        <g
            class={classes!("chain", kind(&chain.name))}
            transform={format!("translate({x} {y})")}
            role="group"
            aria-label={chain.name.clone()}
            data-testid="chain"
        >
            <rect class="chain-box" width={CHAIN_W.to_string()} height={height(chain).to_string()} rx="9" />
            <text class="name" x="12" y="18">{ fit(&chain.name, CHAIN_W - 24.0, 12.0) }</text>
            <text class="note" x="12" y="32">{ format!("{} · {}", chain.table, says(&chain.name, texts)) }</text>
            { for chain.rules.iter().enumerate().map(|(row, rule)| {
                draw_rule((index, row), rule, open == Some((index, row)), choose)
            }) }
            if chain.others > 0 {
                <text class="note" x="12" y={(HEAD_H + RULE_H * chain.rules.len() as f64 + 15.0).to_string()}>
                    { fill(texts.rules_others, &[&chain.others.to_string()]) }
                </text>
            }
        </g>
    }
}

fn draw_rule(
    place: (usize, usize),
    rule: &ChainRule,
    open: bool,
    choose: &Callback<(usize, usize)>,
) -> Html {
    let y = HEAD_H + RULE_H * place.1 as f64;
    let pressed = choose.clone();
    let onkeydown = Callback::from(move |event: KeyboardEvent| {
        if matches!(event.key().as_str(), "Enter" | " ") {
            event.prevent_default();
            pressed.emit(place);
        }
    });
    let share = rule.share.map(|share| format!("{:.0}%", 100.0 * share));
    let head = match (&rule.pod, rule.destination.is_empty()) {
        (_, false) => format!("DNAT → {}", rule.destination),
        (_, true) => rule.target.clone(),
    };
    let below = match &rule.pod {
        Some((_, name)) => name.clone(),
        None if rule.comment.contains("->") => {
            rule.comment.split_once("->").map_or("", |(_, to)| to.trim()).to_owned()
        }
        None => condition(rule),
    };
    let room = CHAIN_W - 24.0 - if share.is_some() { 42.0 } else { 0.0 };
    html! {
        <g
            class={classes!("rule", open.then_some("open"), (rule.target == "REJECT" || rule.target == "DROP").then_some("bad"))}
            transform={format!("translate(0 {y})")}
            role="button"
            tabindex="0"
            aria-pressed={open.to_string()}
            aria-label={rule.text.clone()}
            onclick={choose.reform(move |_: MouseEvent| place)}
            {onkeydown}
        >
            <title>{ &rule.text }</title>
            <rect x="5" y="1" width={(CHAIN_W - 10.0).to_string()} height={(RULE_H - 3.0).to_string()} rx="6" />
            <text class="target" x="12" y="15">{ fit(&head, room, 11.5) }</text>
            <text class="note" x="12" y="29">{ fit(&below, CHAIN_W - 24.0, 10.5) }</text>
            if let Some(share) = share {
                <text class="share" x={(CHAIN_W - 12.0).to_string()} y="15">{ share }</text>
            }
        </g>
    }
}

fn kind(name: &str) -> &'static str {
    match name {
        name if name.starts_with("KUBE-SVC-") || name.starts_with("KUBE-SVL-") => "chain-service",
        name if name.starts_with("KUBE-SEP-") => "chain-endpoint",
        _ => "chain-entrance",
    }
}

/// What a chain is for.
fn says(name: &str, texts: &'static Texts) -> &'static str {
    match name {
        "KUBE-SERVICES" => texts.chain_services,
        "KUBE-NODEPORTS" => texts.chain_nodeports,
        name if name.starts_with("KUBE-SVC-") || name.starts_with("KUBE-SVL-") => {
            texts.chain_service
        }
        name if name.starts_with("KUBE-SEP-") => texts.chain_endpoint,
        name if name.starts_with("KUBE-EXT-") => texts.chain_external,
        name if name.starts_with("KUBE-FW-") => texts.chain_firewall,
        _ => "",
    }
}

/// A rule as `iptables-save` writes it, and the pod that it leads to.
fn closely(chain: &ChainView, rule: &ChainRule, page: &Page) -> Html {
    html! {
        <>
            <pre tabindex="0"><code>{ words(&rule.text) }</code></pre>
            if let Some((namespace, name)) = &rule.pod {
                <button
                    class="link"
                    onclick={page.on(Action::Select(Some(ObjectRef {
                        kind: "Pod".to_owned(),
                        namespace: namespace.clone(),
                        name: name.clone(),
                    })))}
                >
                    { format!("pod/{name}") }
                </button>
            }
            <span class="count">{ &chain.table }</span>
        </>
    }
}
