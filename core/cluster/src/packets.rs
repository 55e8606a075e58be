//! Packets as the page shows them.

use crate::internet::Internet;
use crate::view::{HopView, PacketView};
use crate::workstation::Workstation;
use naru_network::{Addresses, Hop, Network, Outcome, Trace, TraceId};
use std::sync::Arc;

/// Remembers which packets were told.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    /// Every packet up to this one was told with its whole way.
    finished: TraceId,
    following: bool,
}

impl Follower {
    /// Packets told in one view at most; older ones are left out.
    const PACKETS_MAX: usize = 300;

    /// Whether somebody has asked for packets.
    pub fn is_following(&self) -> bool {
        self.following
    }

    /// From now on packets are asked for.
    pub fn begin(&mut self, net: &Network) {
        self.following = true;
        self.finished = net.last_trace();
    }

    /// Tells again all that is remembered.
    pub fn rewind(&mut self) {
        self.finished = TraceId::default();
    }

    /// The packets that are new or were on their way at the last call.
    pub fn follow(&mut self, net: &Network) -> Vec<PacketView> {
        let fresh: Vec<Arc<Trace>> = net.traces_after(self.finished).collect();
        let travelling = fresh.iter().find(|trace| trace.outcome == Outcome::Travelling);
        self.finished = match travelling {
            Some(first) => TraceId(first.id.0.saturating_sub(1)),
            None => net.last_trace(),
        };
        let skip = fresh.len().saturating_sub(Self::PACKETS_MAX);
        fresh.iter().skip(skip).map(|trace| packet_view(trace)).collect()
    }
}

fn packet_view(trace: &Trace) -> PacketView {
    PacketView {
        id: trace.id.0,
        flow: trace.flow.0,
        protocol: trace.protocol.to_string(),
        summary: match &trace.text {
            Some(text) => text.to_string(),
            None => trace.content.to_string(),
        },
        hops: trace.hops.iter().map(hop_view).collect(),
        outcome: match trace.outcome {
            Outcome::Travelling => String::new(),
            Outcome::Delivered => "delivered".to_owned(),
            Outcome::Dropped(why) => why.to_string(),
        },
    }
}

fn hop_view(hop: &Hop) -> HopView {
    HopView {
        micros: hop.at.as_micros(),
        place: place(&hop.host),
        interface: hop.iface.to_string(),
        stage: hop.stage.to_string(),
        rule: hop.rule.as_deref().map(str::to_owned),
        before: addresses(hop.before),
        after: addresses(hop.after),
    }
}

/// `node/worker`, `pod/default/web`, the learner's `terminal`, or the `internet` behind it.
pub(crate) fn place(namespace: &str) -> String {
    match namespace {
        Workstation::NAMESPACE | Internet::NAMESPACE => namespace.to_owned(),
        pod if pod.contains('/') => format!("pod/{pod}"),
        node => format!("node/{node}"),
    }
}

pub(crate) fn addresses(addresses: Addresses) -> String {
    format!("{} > {}", addresses.src, addresses.dst)
}
