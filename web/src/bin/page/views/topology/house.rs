//! The houses: one for each node, under a tiled roof.

use super::{PartProps, chooser, fit};
use crate::context::{Action, Page, Setting, use_page};
use naru_cluster::view::NodeView;
use naru_web::i18n::fill;
use naru_web::place::Place;
use naru_web::protocol::ObjectRef;
use naru_web::scene::{EAVES, House as Plan, ROOF, Rect};
use std::rc::Rc;
use yew::prelude::*;

/// All houses.
#[component]
pub fn Houses(props: &PartProps) -> Html {
    let PartProps { store, scene, traffic, selected, .. } = props;
    html! {
        <g class="houses">
            { for scene.houses.iter().map(|plan| {
                let Some(node) = store.nodes.get(&plan.uid) else { return yard(plan) };
                let busy = traffic.pulses.iter().any(|pulse| {
                    matches!(&pulse.place, Place::Node(name) if *name == node.name)
                });
                html! {
                    <House
                        key={plan.uid.as_str()}
                        plan={plan.clone()}
                        node={node.clone()}
                        selected={selected.clone()}
                        {busy}
                    />
                }
            }) }
        </g>
    }
}

/// What pods stand in that have something else in common than their node.
fn yard(plan: &Plan) -> Html {
    let Rect { x, y, w, h } = plan.rect;
    let title = if plan.title.is_empty() { "–" } else { plan.title.as_str() };
    html! {
        <g class="yard" key={plan.uid.as_str()} data-testid="yard" data-name={plan.title.clone()}>
            <rect x={(x + 4.0).to_string()} y={(y + 10.0).to_string()} width={(w - 8.0).to_string()} height={(h - 10.0).to_string()} rx="12" />
            <text class="name" x={(x + 18.0).to_string()} y={(y + 34.0).to_string()}>
                { fit(title, w - 70.0, 13.0) }
            </text>
            <text class="note" x={(x + w - 18.0).to_string()} y={(y + 34.0).to_string()}>{ plan.count }</text>
        </g>
    }
}

/// The names on the roofs, before which no line passes.
#[component]
pub fn HouseNames(props: &PartProps) -> Html {
    html! {
        <g class="house-names" aria-hidden="true">
            { for props.scene.houses.iter().filter_map(|plan| {
                let node = props.store.nodes.get(&plan.uid)?;
                let rect = plan.rect;
                Some(html! {
                    <text
                        key={plan.uid.as_str()}
                        class={classes!("name", (!node.roles.is_empty()).then_some("office"))}
                        x={rect.middle().x.to_string()}
                        y={(rect.y + 29.0).to_string()}
                    >
                        { fit(&node.name, rect.w - 72.0, 13.0) }
                    </text>
                })
            }) }
        </g>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct HouseProps {
    plan: Plan,
    node: Rc<NodeView>,
    selected: Option<ObjectRef>,
    busy: bool,
}

#[component]
fn House(props: &HouseProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let HouseProps { plan, node, selected, busy } = props;
    let rect = plan.rect;
    let object =
        ObjectRef { kind: "Node".to_owned(), namespace: String::new(), name: node.name.clone() };
    let chosen = selected.as_ref() == Some(&object);
    let (onclick, onkeydown) = chooser(&page.act, object);
    let state = match (node.ready, node.unschedulable) {
        (false, _) => texts.node_not_ready,
        (true, true) => texts.cordoned,
        (true, false) => texts.node_ready,
    };
    let label = format!("{} {}, {state}", texts.node, node.name);
    let class = classes!(
        "house",
        "object",
        chosen.then_some("chosen"),
        busy.then_some("busy"),
        (!node.ready).then_some("dark"),
        (!node.roles.is_empty()).then_some("office"),
    );
    html! {
        <>
            <g
                {class}
                role="button"
                tabindex="0"
                aria-label={label.clone()}
                data-testid="node"
                data-name={node.name.clone()}
                {onclick}
                {onkeydown}
            >
                <title>{ label }</title>
                <rect
                    class="walls"
                    x={(rect.x + EAVES).to_string()}
                    y={(rect.y + ROOF - 12.0).to_string()}
                    width={(rect.w - 2.0 * EAVES).to_string()}
                    height={(rect.h - ROOF + 12.0).to_string()}
                    rx="8"
                />
                <path class="roof" d={roof(rect)} />
                <path class="ridge" d={ridge(rect)} />
                <circle
                    class={classes!("node-state", node.ready.then_some("ready"))}
                    cx={rect.middle().x.to_string()}
                    cy={(rect.y + 11.0).to_string()}
                    r="3.5"
                />
            </g>
            { sill(props, &page) }
        </>
    }
}

/// What stands at the foot of a house: folded pods and the node's address.
fn sill(props: &HouseProps, page: &Page) -> Html {
    let texts = page.texts();
    let HouseProps { plan, node, .. } = props;
    let fold = plan.fold;
    let y = fold.middle().y + 4.0;
    html! {
        <g class="sill">
            <text class="address" x={fold.right().to_string()} y={y.to_string()}>
                { &node.internal_ip }
            </text>
            if plan.folded > 0 {
                <text
                    class="folded"
                    x={fold.x.to_string()}
                    y={y.to_string()}
                    onclick={page.on(Action::Set(Setting::ShowSystem(true)))}
                >
                    { "+ " }{ fill(texts.folded, &[&plan.folded.to_string()]) }
                </text>
            }
        </g>
    }
}

/// A roof whose eaves rise at both ends.
fn roof(rect: Rect) -> String {
    let Rect { x, y, w, .. } = rect;
    let (left, right, middle, eaves) = (x - 2.0, x + w + 2.0, x + w / 2.0, y + ROOF);
    let slope = (w * 0.2).min(64.0);
    let (top_left, top_right, top) = (x + slope, x + w - slope, y + 4.0);
    format!(
        "M{left:.1} {:.1}C{:.1} {:.1} {:.1} {:.1} {top_left:.1} {top:.1}H{top_right:.1}\
         C{:.1} {:.1} {:.1} {:.1} {right:.1} {:.1}Q{middle:.1} {:.1} {left:.1} {:.1}z",
        eaves - 12.0,
        left + slope * 0.55,
        eaves - 10.0,
        top_left - slope * 0.25,
        y + 18.0,
        top_right + slope * 0.25,
        y + 18.0,
        right - slope * 0.55,
        eaves - 10.0,
        eaves - 12.0,
        eaves + 6.0,
        eaves - 12.0,
    )
}

/// The line of tiles along a roof's top.
fn ridge(rect: Rect) -> String {
    let Rect { x, y, w, .. } = rect;
    let slope = (w * 0.2).min(64.0);
    format!("M{:.1} {:.1}H{:.1}", x + slope - 4.0, y + 4.0, x + w - slope + 4.0)
}
