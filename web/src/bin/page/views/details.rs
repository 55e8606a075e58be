//! The details: the object looked at, what happened, and the packets.

use super::icon::{Icon, icon};
use crate::context::{Action, Details, use_page};
use crate::traffic::{Trip, is_bare, legs};
use naru_cluster::view::{ActivityView, EventView, Inspection, OwnerView, PacketView};
use naru_web::clock;
use naru_web::i18n::fill;
use naru_web::protocol::ObjectRef;
use naru_web::store::{Store, is_housekeeping};
use std::rc::Rc;
use yew::prelude::*;

/// Happenings in the list.
const ACTIVITY_SHOWN: usize = 150;
/// Packets in the list.
const PACKETS_SHOWN: usize = 60;

#[derive(Clone, PartialEq, Properties)]
pub struct DetailsPanelProps {
    pub open: bool,
    pub details: Details,
    pub selected: Option<ObjectRef>,
    pub inspection: Option<Rc<Inspection>>,
    /// The object is no longer there.
    pub gone: bool,
    pub store: Rc<Store>,
    pub trip: Option<Trip>,
}

/// The panel of details.
#[component]
pub fn DetailsPanel(props: &DetailsPanelProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let tab = |details: Details, label: &'static str| {
        let chosen = details == props.details;
        html! {
            <button
                role="tab"
                aria-selected={chosen.to_string()}
                aria-controls="details-content"
                onclick={page.on(Action::Details(details))}
            >
                { label }
            </button>
        }
    };
    let content = match props.details {
        Details::Object => html! {
            <ObjectDetails
                selected={props.selected.clone()}
                inspection={props.inspection.clone()}
                gone={props.gone}
            />
        },
        Details::Activity => html! { <ActivityList store={props.store.clone()} /> },
        Details::Packets => html! {
            <PacketList store={props.store.clone()} trip={props.trip.clone()} />
        },
    };
    html! {
        <section
            class="details panel"
            data-region="details"
            tabindex="-1"
            aria-label={texts.details}
        >
            <div class="bar">
                <div class="tabs" role="tablist" aria-label={texts.details}>
                    { tab(Details::Object, texts.inspector) }
                    { tab(Details::Activity, texts.activity) }
                    { tab(Details::Packets, texts.packets) }
                </div>
                <button
                    class="tool"
                    aria-label={texts.close}
                    title={texts.close}
                    onclick={page.on(Action::ToggleDetails)}
                >
                    { icon(Icon::Close) }
                </button>
            </div>
            <div class="details-content" id="details-content" role="tabpanel" tabindex="0">
                if props.open { { content } }
            </div>
        </section>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct ObjectDetailsProps {
    selected: Option<ObjectRef>,
    inspection: Option<Rc<Inspection>>,
    gone: bool,
}

#[component]
fn ObjectDetails(props: &ObjectDetailsProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let Some(selected) = &props.selected else {
        return html! { <p class="empty">{ texts.nothing_selected }</p> };
    };
    let head = html! {
        <div class="object-head">
            <p class="kind">{ &selected.kind }</p>
            <h3>{ &selected.name }</h3>
            if !selected.namespace.is_empty() {
                <p class="namespace">{ &selected.namespace }</p>
            }
            if props.gone {
                <p class="gone-notice" role="status">{ texts.object_gone }</p>
            }
        </div>
    };
    let Some(inspection) = &props.inspection else { return head };
    html! {
        <>
            { head }
            if !inspection.owners.is_empty() {
                <h4>{ texts.owner }</h4>
                <Owners owners={inspection.owners.clone()} namespace={inspection.namespace.clone()} />
            }
            <h4>{ texts.events }</h4>
            <Events events={inspection.events.clone()} />
            if !inspection.why.is_empty() {
                <h4>{ texts.why }</h4>
                <ol class="why">
                    { for inspection.why.iter().rev().map(|cause| html! {
                        <li>
                            <b>{ &cause.actor }</b>
                            <span class="verb">{ &cause.verb }</span>
                            <code>{ &cause.subject }</code>
                        </li>
                    }) }
                </ol>
            }
            <h4>{ texts.yaml }</h4>
            <Yaml text={inspection.yaml.clone()} />
        </>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct OwnersProps {
    owners: Vec<OwnerView>,
    namespace: String,
}

/// From the object's controller up to the topmost.
#[component]
fn Owners(props: &OwnersProps) -> Html {
    let page = use_page();
    html! {
        <ol class="owners">
            { for props.owners.iter().map(|owner| {
                let object = ObjectRef {
                    kind: owner.kind.clone(),
                    namespace: props.namespace.clone(),
                    name: owner.name.clone(),
                };
                html! {
                    <li>
                        <button class="link" onclick={page.on(Action::Select(Some(object)))}>
                            { format!("{}/{}", owner.kind, owner.name) }
                        </button>
                    </li>
                }
            }) }
        </ol>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct EventsProps {
    events: Vec<EventView>,
}

#[component]
fn Events(props: &EventsProps) -> Html {
    let page = use_page();
    if props.events.is_empty() {
        return html! { <p class="empty">{ page.texts().no_events }</p> };
    }
    html! {
        <ol class="events">
            { for props.events.iter().map(|event| html! {
                <li class={classes!((event.kind == "Warning").then_some("warning"))}>
                    <p class="event-head">
                        <b>{ &event.reason }</b>
                        if event.count > 1 {
                            <span class="count">{ format!("×{}", event.count) }</span>
                        }
                        <span class="moment">{ clock::moment(event.micros) }</span>
                    </p>
                    <p>{ &event.message }</p>
                    <p class="from">{ &event.from }</p>
                </li>
            }) }
        </ol>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct YamlProps {
    text: String,
}

/// YAML with its keys set apart.
#[component]
fn Yaml(props: &YamlProps) -> Html {
    let page = use_page();
    html! {
        <div class="yaml">
            <button
                class="tool"
                aria-label={page.texts().copy}
                title={page.texts().copy}
                onclick={page.on(Action::Copy(props.text.clone()))}
            >
                { icon(Icon::Copy) }
            </button>
            <pre tabindex="0" data-testid="yaml">
                <code>{ for props.text.lines().map(yaml_line) }</code>
            </pre>
        </div>
    }
}

/// A line of YAML: what is before its first `: ` is a key.
fn yaml_line(line: &str) -> Html {
    let body = line.trim_start_matches([' ', '-']);
    let (indent, body) = line.split_at(line.len() - body.len());
    let is_key = |text: &str| !text.is_empty() && !text.contains([' ', '"', '\'', '{']);
    match body.split_once(':') {
        Some((key, value)) if is_key(key) && (value.is_empty() || value.starts_with(' ')) => {
            html! {
                <>{ indent }<span class="key">{ key }</span>{ ":" }<span class="value">{ value }</span>{ "\n" }</>
            }
        }
        _ => html! { <>{ indent }<span class="value">{ body }</span>{ "\n" }</> },
    }
}

#[derive(Clone, PartialEq, Properties)]
struct ActivityListProps {
    store: Rc<Store>,
}

/// What happened last, newest first.
#[component]
fn ActivityList(props: &ActivityListProps) -> Html {
    let page = use_page();
    if props.store.activity.is_empty() {
        return html! { <p class="empty">{ page.texts().no_activity }</p> };
    }
    let row = |it: &Rc<ActivityView>| {
        html! {
            <li key={it.id}>
                <span class="moment">{ clock::moment(it.micros) }</span>
                <b>{ &it.actor }</b>
                <span class="verb">{ &it.verb }</span>
                <code>{ &it.subject }</code>
            </li>
        }
    };
    let telling = props.store.activity.iter().rev().filter(|it| !is_housekeeping(it));
    let newest = telling.take(ACTIVITY_SHOWN);
    html! { <ol class="activity" data-testid="activity">{ for newest.map(row) }</ol> }
}

#[derive(Clone, PartialEq, Properties)]
struct PacketListProps {
    store: Rc<Store>,
    trip: Option<Trip>,
}

/// Packets, newest first.
#[component]
fn PacketList(props: &PacketListProps) -> Html {
    let page = use_page();
    if props.store.packets.is_empty() {
        return html! { <p class="empty">{ page.texts().no_packets }</p> };
    }
    let newest = props.store.packets.values().rev().take(PACKETS_SHOWN);
    html! {
        <ol class="packets" data-testid="packets">
            { for newest.map(|packet| {
                let leg = props.trip.as_ref().filter(|it| it.packet == packet.id).map(|it| it.leg);
                html! { <Packet key={packet.id} packet={packet.clone()} {leg} /> }
            }) }
        </ol>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct PacketProps {
    packet: Rc<PacketView>,
    /// The place it is seen at now.
    leg: Option<usize>,
}

#[component]
fn Packet(props: &PacketProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let packet = &props.packet;
    let open = use_state(|| false);
    let toggle = {
        let open = open.clone();
        Callback::from(move |_: MouseEvent| open.set(!*open))
    };
    let shown = *open || props.leg.is_some();
    let class = classes!(
        "packet",
        props.leg.map(|_| "travels"),
        (packet.outcome != "delivered").then_some("dropped"),
        is_bare(packet).then_some("bare"),
    );
    html! {
        <li {class}>
            <div class="packet-head">
                <button class="packet-title" aria-expanded={shown.to_string()} onclick={toggle}>
                    <span class="protocol">{ &packet.protocol }</span>
                    <span class="packet-summary">{ &packet.summary }</span>
                    <span class="outcome">{ &packet.outcome }</span>
                </button>
                <button
                    class="tool"
                    aria-label={fill(texts.packet_travels, &[&packet.summary, texts.replay])}
                    title={texts.replay}
                    onclick={page.on(Action::Replay(packet.id))}
                >
                    { icon(Icon::Run) }
                </button>
            </div>
            if shown { { hops(packet, props.leg) } }
        </li>
    }
}

/// The hops of a packet, by place; those of the place it is seen at now stand out.
fn hops(packet: &PacketView, now: Option<usize>) -> Html {
    html! {
        <ol class="legs">
            { for legs(packet).into_iter().enumerate().map(|(i, (_, hops))| html! {
                <li class={classes!("leg", (now == Some(i)).then_some("now"))}>
                    <p class="place">{ hops.first().map(|hop| hop.place.clone()) }</p>
                    { for hops.into_iter().map(|hop| html! {
                        <div class="hop">
                            <p>
                                <span class="stage">{ &hop.stage }</span>
                                if !hop.interface.is_empty() {
                                    <span class="interface">{ &hop.interface }</span>
                                }
                            </p>
                            if let Some(rule) = &hop.rule { <p class="rule">{ rule }</p> }
                            if hop.before == hop.after {
                                <p class="address">{ &hop.before }</p>
                            } else {
                                <p class="address"><del>{ &hop.before }</del></p>
                                <p class="address"><ins>{ &hop.after }</ins></p>
                            }
                        </div>
                    }) }
                </li>
            }) }
        </ol>
    }
}
