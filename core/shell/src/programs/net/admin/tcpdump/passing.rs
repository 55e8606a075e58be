//! Which interfaces of a namespace a packet passed, read off its way.

use naru_network::{
    Addresses, Hop, InterfaceInfo, InterfaceKind, Network, NsId, Protocol, Stage, Trace, Tunnel,
};
use naru_sim::Time;
use std::sync::Arc;

/// A packet passes an interface.
#[derive(Clone, Debug)]
pub struct Passing<'a> {
    /// When.
    pub at: Time,
    /// The interface.
    pub interface: Arc<str>,
    /// `In`, `Out`, or `P`: it comes in by a port of a bridge, for somebody behind it.
    pub direction: &'static str,
    /// Its addresses there.
    pub addresses: Addresses,
    /// The addresses of the packet itself.
    pub inner: Addresses,
    /// It is wrapped into another packet there, whose addresses these are.
    pub wrapped: Option<Tunnel>,
    /// The packet.
    pub trace: &'a Trace,
    /// Its place among the packet's passings.
    pub order: usize,
}

/// Every interface of the namespace that the packet passed, in order.
pub fn of<'a>(network: &Network, ns: NsId, trace: &'a Trace) -> Vec<Passing<'a>> {
    let mut found: Vec<Passing<'a>> = Vec::new();
    let mut interfaces = None;
    let mut inner = Addresses { src: trace.src, dst: trace.dst };
    for (index, hop) in trace.hops.iter().enumerate() {
        if hop.wrapped.is_none() {
            inner = hop.after;
        }
        if hop.ns != ns {
            continue;
        }
        let interfaces: &Vec<InterfaceInfo> =
            interfaces.get_or_insert_with(|| network.interfaces(ns));
        let before = index.checked_sub(1).and_then(|before| trace.hops.get(before));
        let mut pass = |interface: Arc<str>, direction| {
            let (at, addresses, order) = (hop.at, hop.before, found.len());
            let (wrapped, inner) = (hop.wrapped, inner);
            found.push(Passing {
                at,
                interface,
                direction,
                addresses,
                inner,
                wrapped,
                trace,
                order,
            });
        };
        if let Some(link) = before.filter(|before| before.stage == Stage::Link) {
            let port = arrival(network, interfaces, link, ns);
            let master = port.as_ref().and_then(|port| port.master.clone());
            let name = port.map_or_else(|| Arc::clone(&hop.iface), |port| port.name);
            match master {
                Some(bridge) => {
                    pass(name, "P");
                    if !is_bridged(trace, index) {
                        pass(bridge, "In");
                    }
                }
                None => pass(name, "In"),
            }
        }
        if hop.stage == Stage::Unwrapped {
            pass(Arc::clone(&hop.iface), "In");
        }
        // libpcap leaves out what goes out by the loopback: it comes in again.
        if hop.stage == Stage::Link && &*hop.iface != "lo" {
            let routed = before.filter(|it| it.ns == ns && it.stage == Stage::Postrouting);
            if let Some(bridge) = routed.filter(|it| it.iface != hop.iface) {
                pass(Arc::clone(&bridge.iface), "Out");
            }
            pass(Arc::clone(&hop.iface), "Out");
        }
    }
    found
}

/// The interface at the other end of the link that a packet took.
fn arrival(
    network: &Network,
    here: &[InterfaceInfo],
    link: &Hop,
    ns: NsId,
) -> Option<InterfaceInfo> {
    if link.ns == ns {
        return here.iter().find(|interface| interface.name == link.iface).cloned();
    }
    let there = network.interfaces(link.ns);
    let sender = there.iter().find(|interface| interface.name == link.iface)?;
    let InterfaceKind::Veth { peer: (_, index) } = sender.kind else { return None };
    here.iter().find(|interface| interface.index == index).cloned()
}

/// Whether a bridge hands the packet on that comes in at this hop.
fn is_bridged(trace: &Trace, index: usize) -> bool {
    let rest = trace.hops.iter().skip(index);
    rest.take_while(|hop| hop.stage != Stage::Link).any(|hop| hop.stage == Stage::Bridge)
}

impl Passing<'_> {
    /// The protocol of what passes: of the outer packet where it is wrapped.
    pub fn protocol(&self) -> Protocol {
        self.wrapped.map_or(self.trace.protocol, Tunnel::protocol)
    }
}
