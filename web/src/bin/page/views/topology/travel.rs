//! What moves: pulses between the parts and the pier, and the packet that is on its way.

use super::{PartProps, fit};
use crate::traffic::{Pulse, Work, legs};
use naru_web::place::Place;
use naru_web::scene::{Point, Scene};
use std::collections::BTreeMap;
use yew::prelude::*;

/// Pods whose last place is remembered at most.
const REMEMBERED_MAX: usize = 2000;

/// Where places are, or were before they were gone: a packet is seen longer than it lives, and may
/// outlive the pod that sent it.
type Stations = BTreeMap<Place, Point>;

/// Everything that moves.
#[component]
pub fn Travel(props: &PartProps) -> Html {
    let stations = use_mut_ref(Stations::new);
    let mut stations = stations.borrow_mut();
    if stations.len() > REMEMBERED_MAX {
        stations.clear();
    }
    stations.extend(props.scene.stations().iter().map(|(place, at)| (place.clone(), *at)));
    html! {
        <g class="travel" aria-hidden="true">
            { for props.traffic.pulses.iter().filter_map(|it| pulse(it, &props.scene)) }
            { packet(props, &stations) }
        </g>
    }
}

/// A drop of light from a part to the pier: back again when it reads, on to the store when it
/// writes. Who only thinks sends nothing.
fn pulse(pulse: &Pulse, scene: &Scene) -> Option<Html> {
    let Point { x, y } = scene.station(&pulse.place)?;
    let landing = scene.pier.middle().y;
    let (class, end) = match pulse.work {
        Work::Thinks => return None,
        Work::Reads => ("pulse", format!("L{x} {y}")),
        Work::Writes => {
            let store = scene.station(&Place::Store)?;
            ("pulse writes", format!("L{} {landing}L{} {}", store.x, store.x, store.y))
        }
    };
    let style = format!("offset-path: path('M{x} {y}L{x} {landing}{end}')");
    Some(html! {
        <circle key={pulse.id} {class} r="5" {style}>
            <title>{ format!("{} {}", pulse.verb, pulse.subject) }</title>
        </circle>
    })
}

/// The packet, at the place it has come to, with what is done to it there.
fn packet(props: &PartProps, stations: &Stations) -> Option<Html> {
    let trip = props.traffic.trip.as_ref()?;
    let packet = props.store.packets.get(&trip.packet)?;
    let legs = legs(packet);
    let (place, hops) = legs.get(trip.leg)?;
    let at = *stations.get(place)?;
    let way: Vec<&Point> =
        legs.iter().take(trip.leg + 1).filter_map(|(place, _)| stations.get(place)).collect();
    // What changes it matters most; else what let it pass.
    let telling = hops.iter().find(|hop| hop.before != hop.after).or(hops.last());
    let what = telling.map(|hop| match &hop.rule {
        Some(rule) => format!("{} · {rule}", hop.stage),
        None => format!("{} · {}", hop.stage, hop.after),
    });
    let left = at.x > props.scene.width / 2.0;
    let (x, anchor) = if left { (-16.0, "end") } else { (16.0, "start") };
    let room = if left { at.x - 24.0 } else { props.scene.width - at.x - 24.0 };
    Some(html! {
        <>
            <polyline
                class="trail"
                points={way.iter().map(|it| format!("{},{} ", it.x, it.y)).collect::<String>()}
            />
            <g
                key={format!("packet-{}", trip.packet)}
                class="packet-token"
                data-testid="packet"
                style={format!("transform: translate({}px, {}px)", at.x, at.y)}
            >
                <circle class="halo" r="15" />
                <rect x="-9" y="-6.5" width="18" height="13" rx="2.5" />
                <path d="M-9-5.500L0 1.5 9-5.5" />
                <text class="name" x={x.to_string()} y="-2" text-anchor={anchor}>
                    { fit(&packet.summary, room, 12.5) }
                </text>
                <text class="note" x={x.to_string()} y="12" text-anchor={anchor}>
                    { fit(&what.unwrap_or_default(), room, 11.0) }
                </text>
            </g>
        </>
    })
}
