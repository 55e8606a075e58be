//! What moves in the picture: pulses of activity, and one packet at a time on its way.

use naru_cluster::view::{ActivityView, HopView, PacketView};
use naru_web::place::Place;
use naru_web::store::{News, Store, is_housekeeping, is_system};
use std::collections::VecDeque;

/// Pulses seen at a time; more would only be a flicker.
const PULSES_MAX: usize = 24;
/// Packets waiting to be seen; further ones are in the list only.
const QUEUE_MAX: usize = 24;
/// How long a pulse is seen, in milliseconds.
pub const PULSE_MS: u32 = 900;
/// How long a packet is on its way from place to place, in milliseconds.
pub const LEG_MS: u32 = 520;
/// The same, while many packets wait.
pub const HURRIED_LEG_MS: u32 = 220;

/// Something that goes between a part of the cluster and the API server.
#[derive(Clone, Debug, PartialEq)]
pub struct Pulse {
    /// The number of what happened.
    pub id: u64,
    /// Who did it.
    pub place: Place,
    /// What it did.
    pub verb: String,
    /// To what.
    pub subject: String,
    /// What kind of work it is.
    pub work: Work,
}

/// What a part does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// It asks the API server.
    Reads,
    /// It has the API server write to the store.
    Writes,
    /// It thinks about what it was told.
    Thinks,
}

/// A packet on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Trip {
    /// The packet's number.
    pub packet: u64,
    /// How many places it has left behind.
    pub leg: usize,
}

/// All that moves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traffic {
    /// Pulses, oldest first.
    pub pulses: VecDeque<Pulse>,
    /// The packet that is seen.
    pub trip: Option<Trip>,
    queue: VecDeque<u64>,
}

impl Traffic {
    /// Takes in what is new. Returns the pulses that began.
    pub fn take(&mut self, news: &News, store: &Store) -> Vec<u64> {
        let room = PULSES_MAX.saturating_sub(self.pulses.len());
        let begun: Vec<Pulse> =
            news.activity.iter().filter_map(|it| pulse(it, store)).take(room).collect();
        let ids = begun.iter().map(|pulse| pulse.id).collect();
        self.pulses.extend(begun);
        let is_telling = |id: &&u64| store.packets.get(id).is_some_and(|packet| is_telling(packet));
        let room = QUEUE_MAX.saturating_sub(self.queue.len());
        self.queue.extend(news.packets.iter().filter(is_telling).take(room));
        ids
    }

    /// Ends a pulse.
    pub fn end_pulse(&mut self, id: u64) {
        self.pulses.retain(|pulse| pulse.id != id);
    }

    /// Shows a packet's way now.
    pub fn replay(&mut self, packet: u64) {
        self.queue.clear();
        self.trip = Some(Trip { packet, leg: 0 });
    }

    /// Takes the packet to its next place, or lets the next packet start. Tells whether there is
    /// more to come, and after how many milliseconds.
    pub fn advance(&mut self, store: &Store) -> Option<u32> {
        let trip = self.trip.take().map(|trip| Trip { leg: trip.leg + 1, ..trip });
        let goes_on = |trip: &Trip| {
            let packet = store.packets.get(&trip.packet);
            packet.is_some_and(|packet| trip.leg < legs(packet).len())
        };
        self.trip = trip.filter(goes_on).or_else(|| {
            let packet = self.queue.pop_front()?;
            Some(Trip { packet, leg: 0 })
        });
        self.trip.as_ref().map(|_| self.leg_ms())
    }

    /// How long the present leg takes.
    pub fn leg_ms(&self) -> u32 {
        if self.queue.len() > 4 { HURRIED_LEG_MS } else { LEG_MS }
    }

    /// Whether a packet waits while none is on its way.
    pub fn can_start(&self) -> bool {
        self.trip.is_none() && !self.queue.is_empty()
    }
}

/// Whether a packet is shown by itself: one of the learner's own, that goes from pod to pod (or
/// from the learner's machine) and carries more than an acknowledgement. All are in the list.
pub fn is_telling(packet: &PacketView) -> bool {
    let legs = legs(packet);
    let (Some((first, _)), Some((last, _))) = (legs.first(), legs.last()) else { return false };
    let own = |place: &Place| match place {
        Place::Terminal => true,
        Place::Pod { namespace, .. } => !is_system(namespace),
        _ => false,
    };
    let between_pods = [first, last].iter().all(|place| !matches!(place, Place::Node(_)));
    between_pods && (own(first) || own(last)) && !is_bare(packet)
}

/// Whether a packet carries nothing but TCP's own word: an acknowledgement, an end.
pub fn is_bare(packet: &PacketView) -> bool {
    packet.summary.ends_with("length 0") && !packet.summary.starts_with("Flags [S]")
}

/// The places a packet comes by, each with the hops it makes there.
pub fn legs(packet: &PacketView) -> Vec<(Place, Vec<&HopView>)> {
    let mut legs: Vec<(Place, Vec<&HopView>)> = Vec::new();
    for hop in &packet.hops {
        let Some(place) = Place::of_hop(&hop.place) else { continue };
        match legs.last_mut() {
            Some((last, hops)) if *last == place => hops.push(hop),
            _ => legs.push((place, vec![hop])),
        }
    }
    legs
}

fn pulse(activity: &ActivityView, store: &Store) -> Option<Pulse> {
    let place = Place::of_activity(activity, store).filter(|it| *it != Place::ApiServer)?;
    let work = match activity.verb.as_str() {
        "get" | "list" => Work::Reads,
        "create" | "update" | "patch" | "delete" | "deletecollection" => Work::Writes,
        "reconcile" => Work::Thinks,
        _ => return None,
    };
    if is_housekeeping(activity) {
        return None;
    }
    let (verb, subject) = (activity.verb.clone(), activity.subject.clone());
    Some(Pulse { id: activity.id, place, verb, subject, work })
}
