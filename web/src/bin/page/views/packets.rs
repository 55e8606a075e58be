//! The packets, each with its way: hop by hop, and the rule or route that acted at each.

use super::icon::{Icon, icon};
use super::words::words;
use crate::context::{Action, use_page};
use crate::traffic::{Trip, is_bare, is_telling, legs};
use naru_cluster::view::PacketView;
use naru_web::clock;
use naru_web::i18n::fill;
use naru_web::store::Store;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;
use yew::prelude::*;

/// Packets in the list.
const PACKETS_SHOWN: usize = 80;

#[derive(Clone, PartialEq, Properties)]
pub struct PacketListProps {
    pub store: Rc<Store>,
    pub trip: Option<Trip>,
}

/// Packets, newest first.
#[component]
pub fn PacketList(props: &PacketListProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let all = use_state(|| false);
    let wanted = use_state(String::new);
    let oninput = {
        let wanted = wanted.clone();
        Callback::from(move |event: InputEvent| {
            let input = event.target().and_then(|it| it.dyn_into::<HtmlInputElement>().ok());
            wanted.set(input.map(|input| input.value()).unwrap_or_default());
        })
    };
    let toggle = {
        let all = all.clone();
        Callback::from(move |_: MouseEvent| all.set(!*all))
    };
    let newest = props
        .store
        .packets
        .values()
        .rev()
        .filter(|packet| (*all || is_telling(packet)) && has(packet, &wanted))
        .take(PACKETS_SHOWN);
    let rows: Vec<Html> = newest
        .map(|packet| {
            let leg = props.trip.as_ref().filter(|it| it.packet == packet.id).map(|it| it.leg);
            html! { <Packet key={packet.id} packet={packet.clone()} {leg} /> }
        })
        .collect();
    html! {
        <div class="packets-view">
            <div class="view-tools">
                <input
                    type="search"
                    class="search"
                    placeholder={texts.search_packets}
                    aria-label={texts.search_packets}
                    value={(*wanted).clone()}
                    {oninput}
                />
                <button class="tool" aria-pressed={all.to_string()} onclick={toggle}>
                    { texts.all_packets }
                </button>
            </div>
            if rows.is_empty() {
                <p class="empty padded">
                    { if wanted.is_empty() { texts.no_packets } else { texts.none_found } }
                </p>
            } else {
                <ol class="packets" data-testid="packets">{ for rows }</ol>
            }
        </div>
    }
}

/// Whether a packet has to do with what is searched for.
fn has(packet: &PacketView, wanted: &str) -> bool {
    let wanted = wanted.to_lowercase();
    let holds = |text: &str| text.to_lowercase().contains(&wanted);
    wanted.is_empty()
        || holds(&packet.summary)
        || holds(&packet.protocol)
        || packet
            .hops
            .iter()
            .any(|hop| holds(&hop.place) || holds(&hop.before) || holds(&hop.after))
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
                    <span class="moment">
                        { packet.hops.first().map(|hop| clock::moment(hop.micros)) }
                    </span>
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
            if let (Some(first), Some(last)) = (packet.hops.first(), packet.hops.last()) {
                <p class="packet-way">
                    <span>{ &first.place }</span>{ " → " }<span>{ &last.place }</span>
                </p>
            }
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
                                <span class="hop-stage">{ &hop.stage }</span>
                                if !hop.interface.is_empty() {
                                    <span class="interface">{ &hop.interface }</span>
                                }
                            </p>
                            if let Some(rule) = &hop.rule { <p class="rule">{ words(rule) }</p> }
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
