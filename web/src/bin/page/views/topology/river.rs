//! The river, what stands in it, services and workloads, and the lines from there to pods.

use super::{PartProps, chooser, fit, measure};
use crate::context::use_page;
use naru_cluster::view::{ServiceView, WorkloadView};
use naru_web::i18n::fill;
use naru_web::protocol::ObjectRef;
use naru_web::scene::{Point, Rect, Scene, falling_line};
use std::rc::Rc;
use yew::prelude::*;

/// The river.
#[component]
pub fn River(props: &PartProps) -> Html {
    let scene = &props.scene;
    html! {
        <g class="river">
            { water(scene) }
            { moorings(scene) }
        </g>
    }
}

/// What stands in the river. Lines that lead past it pass behind, or its names could not be read.
#[component]
pub fn Chips(props: &PartProps) -> Html {
    let PartProps { store, scene, .. } = props;
    html! {
        <g class="chips">
            if let Some(rect) = scene.outside { <Outside {rect} /> }
            { for scene.services.iter().filter_map(|(uid, rect)| {
                let service = store.services.get(uid)?;
                Some(html! {
                    <Service key={uid.as_str()} service={service.clone()} rect={*rect} selected={props.selected.clone()} />
                })
            }) }
            { for scene.workloads.iter().filter_map(|(uid, rect)| {
                let workload = store.workloads.get(uid)?;
                Some(html! {
                    <Workload key={uid.as_str()} workload={workload.clone()} rect={*rect} selected={props.selected.clone()} />
                })
            }) }
            { for scene.ingresses.iter().filter_map(|(uid, rect)| {
                let ingress = store.ingresses.get(uid)?;
                let note = ingress.hosts.join(", ");
                let chip = Chip { kind: "Ingress", class: "ingress", name: ingress.name.clone(), note };
                Some(html! {
                    <PlainChip key={uid.as_str()} {chip} namespace={ingress.namespace.clone()} rect={*rect} selected={props.selected.clone()} />
                })
            }) }
            { for scene.claims.iter().filter_map(|(uid, rect)| {
                let claim = store.claims.get(uid)?;
                let note = format!("{} {} {}", claim.phase, claim.capacity, claim.class);
                let chip = Chip { kind: "PersistentVolumeClaim", class: "claim", name: claim.name.clone(), note };
                Some(html! {
                    <PlainChip key={uid.as_str()} {chip} namespace={claim.namespace.clone()} rect={*rect} selected={props.selected.clone()} />
                })
            }) }
        </g>
    }
}

/// The lines from services to the pods behind them. They pass before the houses' roofs.
#[component]
pub fn Wires(props: &PartProps) -> Html {
    html! {
        <g class="wires">
            { for props.scene.roads.iter().map(|(from, to)| html! {
                <path class="road" d={hanging_line(*from, *to)} />
            }) }
            { for props.scene.ropes.iter().map(|(from, to)| html! {
                <path class="rope" d={falling_line(*from, *to)} />
            }) }
            { for props.scene.wires.iter().map(|wire| html! {
                <path
                    key={format!("{}/{}", wire.service, wire.pod)}
                    class={classes!("wire", wire.ready.then_some("ready"))}
                    d={falling_line(wire.from, wire.to)}
                />
            }) }
        </g>
    }
}

/// The ropes that tie the houses to the pier.
fn moorings(scene: &Scene) -> Html {
    let pier = scene.pier.bottom() + 9.0;
    html! {
        <g>
            { for scene.houses.iter().filter(|plan| plan.is_node()).map(|plan| {
                let ridge = plan.rect.top_middle();
                html! {
                    <line
                        class="mooring"
                        x1={ridge.x.to_string()}
                        x2={ridge.x.to_string()}
                        y1={pier.to_string()}
                        y2={(ridge.y + 6.0).to_string()}
                    />
                }
            }) }
        </g>
    }
}

/// A line between two things that stand beside one another.
fn hanging_line(from: Point, to: Point) -> String {
    let low = from.y.max(to.y) + 16.0;
    format!("M{} {}C{} {low} {} {low} {} {}", from.x, from.y, from.x, to.x, to.x, to.y)
}

/// What is written on a plain chip.
#[derive(Clone, PartialEq)]
struct Chip {
    kind: &'static str,
    class: &'static str,
    name: String,
    note: String,
}

#[derive(Clone, PartialEq, Properties)]
struct PlainChipProps {
    chip: Chip,
    namespace: String,
    rect: Rect,
    selected: Option<ObjectRef>,
}

/// An ingress, or a claim of a volume.
#[component]
fn PlainChip(props: &PlainChipProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let PlainChipProps { chip, namespace, rect, selected } = props;
    let object = ObjectRef {
        kind: chip.kind.to_owned(),
        namespace: namespace.clone(),
        name: chip.name.clone(),
    };
    let chosen = selected.as_ref() == Some(&object);
    let (onclick, onkeydown) = chooser(&page.act, object);
    let kind = if chip.class == "ingress" { texts.ingress } else { texts.claim };
    let label = format!("{kind} {}, {}", chip.name, chip.note);
    html! {
        <g
            class={classes!("chip", chip.class, "object", chosen.then_some("chosen"))}
            style={format!("transform: translate({}px, {}px)", rect.x, rect.y)}
            role="button"
            tabindex="0"
            aria-label={label.clone()}
            data-testid={chip.class}
            data-name={chip.name.clone()}
            {onclick}
            {onkeydown}
        >
            <title>{ label }</title>
            <rect width={rect.w.to_string()} height={rect.h.to_string()} rx="6" />
            <path class="sign" d={if chip.class == "ingress" { SIGNPOST } else { BARREL }} />
            <text class="name" x="38" y="19">{ fit(&chip.name, rect.w - 48.0, 12.5) }</text>
            <text class="note" x="38" y="35">{ fit(&chip.note, rect.w - 48.0, 10.5) }</text>
        </g>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct OutsideProps {
    rect: Rect,
}

/// The world outside of the cluster.
#[component]
fn Outside(props: &OutsideProps) -> Html {
    let page = use_page();
    let Rect { x, y, w, h } = props.rect;
    html! {
        <g class="chip outside" style={format!("transform: translate({x}px, {y}px)")} data-testid="outside">
            <rect width={w.to_string()} height={h.to_string()} rx="6" />
            <path class="sign" d={GLOBE} />
            <text class="name" x="42" y="27">{ page.texts().outside }</text>
        </g>
    }
}

/// A globe.
const GLOBE: &str =
    "M22 11a11 11 0 1 1 0 22 11 11 0 0 1 0-22M11 22h22M22 11c-7 6-7 16 0 22M22 11c7 6 7 16 0 22";

/// A post with a sign: where to go.
const SIGNPOST: &str = "M20 12v22M12 14h16l4 4-4 4H12z";
/// A barrel: what is kept.
const BARREL: &str = "M13 15v15c0 4 14 4 14 0V15M13 15c0-4 14-4 14 0s-14 4-14 0";

/// Waves between the pier and the houses.
fn water(scene: &Scene) -> Html {
    let top = scene.pier.bottom() + 4.0;
    let bottom = scene.houses.iter().map(|house| house.rect.y).fold(scene.height, f64::min) + 24.0;
    let height = (bottom - top).max(0.0);
    let rows = (height / 34.0).floor() as u32;
    let wave = |row: u32| {
        let y = top + 26.0 + f64::from(row) * 34.0;
        let shift = if row.is_multiple_of(2) { 0.0 } else { -40.0 };
        let swells = (scene.width / 80.0).ceil() as u32 + 1;
        let d: String = (0..swells).map(|_| "q20 -7 40 0t40 0").collect();
        html! { <path class="wave" d={format!("M{shift} {y}{d}")} /> }
    };
    html! {
        <>
            <rect
                class="water"
                x="0"
                y={top.to_string()}
                width={scene.width.to_string()}
                height={height.to_string()}
            />
            { for (0..rows).map(wave) }
            <rect
                class="bank"
                x="0"
                y={bottom.to_string()}
                width={scene.width.to_string()}
                height={(scene.height - bottom).max(0.0).to_string()}
            />
        </>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct ServiceProps {
    service: Rc<ServiceView>,
    rect: Rect,
    selected: Option<ObjectRef>,
}

#[component]
fn Service(props: &ServiceProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let ServiceProps { service, rect, selected } = props;
    let object = ObjectRef {
        kind: "Service".to_owned(),
        namespace: service.namespace.clone(),
        name: service.name.clone(),
    };
    let chosen = selected.as_ref() == Some(&object);
    let (onclick, onkeydown) = chooser(&page.act, object);
    let count = service.endpoints.len();
    let label = format!(
        "{} {}, {}, {}",
        texts.service,
        service.name,
        service.service_type,
        fill(texts.endpoints, &[&count.to_string()])
    );
    let address = format!("{} {}", service.cluster_ip, service.ports.join(","));
    html! {
        <g
            class={classes!("service", "object", chosen.then_some("chosen"))}
            style={format!("transform: translate({}px, {}px)", rect.x, rect.y)}
            role="button"
            tabindex="0"
            aria-label={label.clone()}
            data-testid="service"
            data-name={service.name.clone()}
            {onclick}
            {onkeydown}
        >
            <title>{ label }</title>
            <rect width={rect.w.to_string()} height={rect.h.to_string()} rx="22" />
            <g class="buoy" transform="translate(22 22)">
                <circle r="11" />
                <path d="M0-5.5V5M-5.5 1.500A5.5 5.5 0 0 0 5.5 1.500M-3-3H3" />
            </g>
            <text class="name" x="42" y="20">{ fit(&service.name, rect.w - 54.0, 12.5) }</text>
            <text class="note" x="42" y="35">{ fit(&address, rect.w - 52.0, 10.5) }</text>
        </g>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct WorkloadProps {
    workload: Rc<WorkloadView>,
    rect: Rect,
    selected: Option<ObjectRef>,
}

#[component]
fn Workload(props: &WorkloadProps) -> Html {
    let page = use_page();
    let WorkloadProps { workload, rect, selected } = props;
    let object = ObjectRef {
        kind: workload.kind.clone(),
        namespace: workload.namespace.clone(),
        name: workload.name.clone(),
    };
    let chosen = selected.as_ref() == Some(&object);
    let (onclick, onkeydown) = chooser(&page.act, object);
    let count = format!("{}/{}", workload.ready, workload.desired);
    let label = format!("{} {} {count}", workload.kind, workload.name);
    let note = format!("{} {count}", workload.kind);
    // A row of lanterns, lit for each pod that is ready, where there is room for all of them.
    let room = ((rect.w - 34.0 - measure(&note, 10.5)) / 8.0).max(0.0) as u32;
    let lanterns = if workload.desired > room { 0 } else { workload.desired };
    html! {
        <g
            class={classes!("workload", "object", chosen.then_some("chosen"))}
            style={format!("transform: translate({}px, {}px)", rect.x, rect.y)}
            role="button"
            tabindex="0"
            aria-label={label.clone()}
            data-testid="workload"
            data-name={workload.name.clone()}
            {onclick}
            {onkeydown}
        >
            <title>{ label }</title>
            <rect width={rect.w.to_string()} height={rect.h.to_string()} rx="6" />
            <text class="name" x="12" y="19">{ fit(&workload.name, rect.w - 24.0, 12.5) }</text>
            <text class="note" x="12" y="35">{ note }</text>
            <g transform={format!("translate({} 31)", rect.w - 12.0)}>
                { for (0..lanterns).map(|i| html! {
                    <circle
                        class={classes!("lantern", (i < workload.ready).then_some("lit"))}
                        cx={(-8.0 * f64::from(lanterns - 1 - i)).to_string()}
                        r="3"
                    />
                }) }
            </g>
        </g>
    }
}
