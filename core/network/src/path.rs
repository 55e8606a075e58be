//! A packet's way: through the kernel of each namespace it passes, and over the links between.

use crate::conntrack::{Manip, Tracked};
use crate::icmp;
use crate::limits;
use crate::link::{IfIndex, Interface, Kind};
use crate::namespace::{Decision, Namespace, NsId};
use crate::netfilter::{
    AddrType, Hook, Judgement, NatRange, RejectWith, Sight, TableName, Verdict,
};
use crate::network::{Event, LOOPBACK_LATENCY, NEIGHBOUR_TIMEOUT, Network};
use crate::packet::{Flags, IcmpError, Packet, Payload, Unreachable};
use crate::socket::packet as new_packet;
use crate::tcp;
use crate::trace::{Addresses, Drop, FlowId, Hop, Outcome, Stage, TraceId, begun};
use naru_sim::Rng;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

/// By which interfaces a packet comes and goes.
#[derive(Clone, Copy, Debug, Default)]
struct Ifaces {
    input: Option<IfIndex>,
    output: Option<IfIndex>,
    /// Its way is written down.
    traced: bool,
}

/// Why a hook stops a packet.
enum Stop {
    Drop(Drop),
    Reject(RejectWith),
}

impl Network {
    /// Sends a packet that was made in this namespace.
    pub(crate) fn emit(&mut self, ns: NsId, packet: Packet) {
        let mut packet = Box::new(packet);
        self.traces.begin(self.now, &mut packet);
        if let Some(recording) = self.recordings.get_mut(packet.flow) {
            recording.traces.insert(packet.trace.0, begun(self.now, &packet, Vec::new()));
        }
        self.hop(ns, &mut packet, None, Stage::Sent);
        self.depart(ns, packet);
    }

    /// A packet of this namespace finds its way.
    fn depart(&mut self, ns: NsId, mut packet: Box<Packet>) {
        let Some(first) = self.decide(ns, packet.dst.ip()) else {
            return self.lose(&packet, Drop::NoRoute);
        };
        let ifaces = Ifaces { output: Some(out_iface(first)), ..Ifaces::default() };
        if let Err(stop) = self.hook(ns, Hook::Output, &mut packet, ifaces) {
            return self.stop(ns, packet, stop, ifaces);
        }
        // The rules may have changed the destination.
        match self.decide(ns, packet.dst.ip()) {
            Some(decision) => self.leave(ns, None, decision, packet),
            None => self.lose(&packet, Drop::NoRoute),
        }
    }

    /// A packet comes in by an interface.
    pub(crate) fn arrive(
        &mut self,
        ns: NsId,
        iface: IfIndex,
        next_hop: IpAddr,
        packet: Box<Packet>,
    ) {
        let Some(space) = self.namespaces.get(&ns) else {
            return self.lose(&packet, Drop::NoNamespace);
        };
        match space.interfaces.get(&iface) {
            None => self.lose(&packet, Drop::NoNamespace),
            Some(interface) if !interface.up => self.lose(&packet, Drop::LinkDown),
            Some(interface) => match interface.master {
                Some(bridge) => self.bridge(ns, iface, bridge, next_hop, packet),
                None => self.receive(ns, iface, packet),
            },
        }
    }

    /// A packet for the namespace's own IP layer.
    fn receive(&mut self, ns: NsId, input: IfIndex, mut packet: Box<Packet>) {
        let ifaces = Ifaces { input: Some(input), ..Ifaces::default() };
        match self.hook(ns, Hook::Prerouting, &mut packet, ifaces) {
            Ok(()) => self.route(ns, input, packet),
            Err(stop) => self.stop(ns, packet, stop, ifaces),
        }
    }

    /// A packet comes in by a port of a bridge.
    fn bridge(
        &mut self,
        ns: NsId,
        port: IfIndex,
        bridge: IfIndex,
        next_hop: IpAddr,
        mut packet: Box<Packet>,
    ) {
        let Some(space) = self.namespaces.get(&ns) else { return };
        let for_host = space.is_local(next_hop) || space.announced.contains(&next_hop);
        let filters = space.bridge_netfilter;
        let ifaces = Ifaces { input: Some(bridge), ..Ifaces::default() };
        if for_host {
            return self.receive(ns, bridge, packet);
        }
        let dst = packet.dst;
        if filters {
            if let Err(stop) = self.hook(ns, Hook::Prerouting, &mut packet, ifaces) {
                return self.stop(ns, packet, stop, ifaces);
            }
            if packet.dst != dst {
                // Translated: the IP layer finds the new way.
                return self.route(ns, bridge, packet);
            }
        }
        let Some(to) = self.bridge_port(ns, bridge, next_hop, Some(port)) else {
            return self.lose(&packet, Drop::NoNeighbour);
        };
        let ifaces = Ifaces { output: Some(bridge), ..ifaces };
        for hook in [Hook::Forward, Hook::Postrouting] {
            let result = if filters { self.hook(ns, hook, &mut packet, ifaces) } else { Ok(()) };
            if let Err(stop) = result {
                return self.stop(ns, packet, stop, ifaces);
            }
        }
        self.hop(ns, &mut packet, Some(bridge), Stage::Bridge);
        self.cable(ns, to, next_hop, packet);
    }

    /// Decides where a packet that came in goes on.
    fn route(&mut self, ns: NsId, input: IfIndex, mut packet: Box<Packet>) {
        let forwards = self.namespaces.get(&ns).is_some_and(|space| space.forwarding);
        let decision = match self.decide(ns, packet.dst.ip()) {
            Some(Decision::Local) => return self.take(ns, input, packet),
            _ if !forwards => return self.lose(&packet, Drop::NotForwarding),
            None => {
                self.report(ns, &packet, IcmpError::Unreachable(Unreachable::Net));
                return self.lose(&packet, Drop::NoRoute);
            }
            Some(decision) => decision,
        };
        if packet.ttl <= 1 {
            self.report(ns, &packet, IcmpError::TimeExceeded);
            return self.lose(&packet, Drop::TimeExceeded);
        }
        packet.ttl -= 1;
        let ifaces =
            Ifaces { input: Some(input), output: Some(out_iface(decision)), ..Ifaces::default() };
        match self.hook(ns, Hook::Forward, &mut packet, ifaces) {
            Ok(()) => self.leave(ns, Some(input), decision, packet),
            Err(stop) => self.stop(ns, packet, stop, ifaces),
        }
    }

    /// A packet is for this namespace.
    fn take(&mut self, ns: NsId, input: IfIndex, mut packet: Box<Packet>) {
        let ifaces = Ifaces { input: Some(input), ..Ifaces::default() };
        match self.hook(ns, Hook::Input, &mut packet, ifaces) {
            Ok(()) if matches!(packet.payload, Payload::Wrapped { .. }) => self.unwrap(ns, *packet),
            Ok(()) => {
                self.hop(ns, &mut packet, Some(input), Stage::Received);
                self.explored(ns, &mut packet);
                self.deliver(ns, packet);
            }
            Err(stop) => self.stop(ns, packet, stop, ifaces),
        }
    }

    /// A packet leaves the IP layer.
    fn leave(
        &mut self,
        ns: NsId,
        input: Option<IfIndex>,
        decision: Decision,
        mut packet: Box<Packet>,
    ) {
        let output = out_iface(decision);
        let ifaces = Ifaces { input, output: Some(output), ..Ifaces::default() };
        if let Err(stop) = self.hook(ns, Hook::Postrouting, &mut packet, ifaces) {
            return self.stop(ns, packet, stop, ifaces);
        }
        let Decision::Out { iface, next_hop } = decision else {
            return self.loop_back(ns, packet);
        };
        let out = self.namespaces.get(&ns).and_then(|space| space.interfaces.get(&iface));
        let port = match out.map(|interface| &interface.kind) {
            Some(Kind::Tunnel { .. }) => return self.wrap(ns, iface, next_hop, packet),
            Some(Kind::Bridge { .. }) => self.bridge_port(ns, iface, next_hop, None),
            _ => Some(iface).filter(|iface| self.leads_to(ns, *iface, next_hop, 0)),
        };
        match port {
            Some(port) => self.cable(ns, port, next_hop, packet),
            None => {
                let event = Event::Unresolved { ns, packet };
                self.plan(NEIGHBOUR_TIMEOUT, event);
            }
        }
    }

    /// Sends a packet through a tunnel: it becomes the content of another, to the host behind its
    /// next hop, and goes on in the same trace.
    fn wrap(&mut self, ns: NsId, iface: IfIndex, next_hop: IpAddr, mut packet: Box<Packet>) {
        self.hop(ns, &mut packet, Some(iface), Stage::Link);
        let space = self.namespaces.get(&ns);
        let interface = space.and_then(|space| space.interfaces.get(&iface));
        let Some(Kind::Tunnel { tunnel, remotes }) = interface.map(|it| &it.kind) else { return };
        let tunnel = *tunnel;
        let ends =
            remotes.get(&next_hop).copied().and_then(|to| Some((space?.source_for(to)?, to)));
        self.not_to_be_known(&mut packet);
        // Tunnels do not lead through tunnels.
        let bare = !matches!(packet.payload, Payload::Wrapped { .. });
        let Some((from, to)) = ends.filter(|_| bare) else {
            return self.lose(&packet, Drop::NoNeighbour);
        };
        packet.mark = 0;
        packet.tracked = Tracked::Not;
        let (source, port) = tunnel.ports(packet.tuple());
        let (src, dst) = (SocketAddr::new(from, source), SocketAddr::new(to, port));
        let (trace, flow, cause) = (packet.trace, packet.flow, packet.cause);
        let payload = Payload::Wrapped { tunnel, inner: packet };
        let mut outer = Box::new(Packet { trace, ..new_packet(src, dst, payload, flow, cause) });
        self.hop(ns, &mut outer, None, Stage::Wrapped);
        self.depart(ns, outer);
    }

    /// A packet has come through a tunnel.
    fn unwrap(&mut self, ns: NsId, packet: Packet) {
        let Payload::Wrapped { tunnel, mut inner } = packet.payload else { return };
        let interfaces = self.namespaces.get(&ns).into_iter().flat_map(|space| &space.interfaces);
        let here = |(_, interface): &(&IfIndex, &Interface)| matches!(&interface.kind, Kind::Tunnel { tunnel: own, .. } if *own == tunnel);
        let Some(iface) = { interfaces }.find(here).map(|(index, _)| *index) else {
            return self.lose(&inner, Drop::NoSocket);
        };
        self.hop(ns, &mut inner, Some(iface), Stage::Unwrapped);
        self.receive(ns, iface, inner);
    }

    fn loop_back(&mut self, ns: NsId, mut packet: Box<Packet>) {
        self.hop(ns, &mut packet, Some(IfIndex::LOOPBACK), Stage::Link);
        // It keeps its mark, and what is known of its connection.
        self.not_to_be_known(&mut packet);
        let (flow, trace, next_hop) = (packet.flow, packet.trace, packet.dst.ip());
        let event = Event::Arrive { ns, iface: IfIndex::LOOPBACK, next_hop, packet };
        if !self.plan(LOOPBACK_LATENCY, event) {
            self.end_trace(flow, trace, Outcome::Dropped(Drop::Congested));
        }
    }

    /// Puts a packet on a cable.
    fn cable(&mut self, ns: NsId, iface: IfIndex, next_hop: IpAddr, mut packet: Box<Packet>) {
        self.hop(ns, &mut packet, Some(iface), Stage::Link);
        let interface = self.namespaces.get(&ns).and_then(|space| space.interfaces.get(&iface));
        let Some(Kind::Veth { peer: (peer, end), link }) = interface.map(|i| &i.kind) else {
            return self.lose(&packet, Drop::LinkDown);
        };
        let (peer, end, link) = (*peer, *end, *link);
        if !interface.is_some_and(|interface| interface.up) {
            return self.lose(&packet, Drop::LinkDown);
        }
        if link.loss > 0.0 {
            self.not_to_be_known(&mut packet);
            if self.rng.unit() < link.loss {
                return self.lose(&packet, Drop::Lost);
            }
        }
        packet.mark = 0;
        packet.tracked = Tracked::Not;
        if let Some(mut log) = packet.log.take() {
            log.sent_on(&packet, self.now + link.latency, (peer, end, next_hop));
            packet.log = Some(log);
        }
        let (flow, trace) = (packet.flow, packet.trace);
        let event = Event::Arrive { ns: peer, iface: end, next_hop, packet };
        if !self.plan(link.latency, event) {
            self.end_trace(flow, trace, Outcome::Dropped(Drop::Congested));
        }
    }

    /// Nobody has answered for the packet's next hop.
    pub(crate) fn unresolved(&mut self, ns: NsId, packet: Box<Packet>) {
        self.report(ns, &packet, IcmpError::Unreachable(Unreachable::Host));
        self.lose(&packet, Drop::NoNeighbour);
    }

    fn decide(&self, ns: NsId, dst: IpAddr) -> Option<Decision> {
        self.namespaces.get(&ns)?.route(dst)
    }

    /// The port of a bridge behind which an address is.
    fn bridge_port(
        &mut self,
        ns: NsId,
        bridge: IfIndex,
        ip: IpAddr,
        except: Option<IfIndex>,
    ) -> Option<IfIndex> {
        let known = self.neighbour(ns, bridge, ip);
        if known.is_some_and(|port| Some(port) != except && self.leads_to(ns, port, ip, 0)) {
            return known;
        }
        let found = self.search_bridge(ns, bridge, ip, except, 0)?;
        let space = self.namespaces.get_mut(&ns)?;
        if let Kind::Bridge { neighbours } = &mut space.interfaces.get_mut(&bridge)?.kind {
            if neighbours.len() >= limits::CONNTRACK_MAX {
                neighbours.clear();
            }
            neighbours.insert(ip, found);
        }
        Some(found)
    }

    fn neighbour(&self, ns: NsId, bridge: IfIndex, ip: IpAddr) -> Option<IfIndex> {
        match &self.namespaces.get(&ns)?.interfaces.get(&bridge)?.kind {
            Kind::Bridge { neighbours } => neighbours.get(&ip).copied(),
            _ => None,
        }
    }

    fn search_bridge(
        &self,
        ns: NsId,
        bridge: IfIndex,
        ip: IpAddr,
        except: Option<IfIndex>,
        depth: usize,
    ) -> Option<IfIndex> {
        let space = self.namespaces.get(&ns)?;
        let ports = space.interfaces.iter().filter(|(index, interface)| {
            interface.master == Some(bridge) && Some(**index) != except
        });
        ports.map(|(index, _)| *index).find(|port| self.leads_to(ns, *port, ip, depth))
    }

    /// Whether somebody at the other end of a cable, or behind the bridge there, has the address.
    /// Cut cables count: who was known as a neighbour is still known.
    fn leads_to(&self, ns: NsId, iface: IfIndex, ip: IpAddr, depth: usize) -> bool {
        let interface = self.namespaces.get(&ns).and_then(|space| space.interfaces.get(&iface));
        let Some(Kind::Veth { peer: (peer, end), .. }) = interface.map(|i| &i.kind) else {
            return false;
        };
        let Some(space) = self.namespaces.get(peer) else { return false };
        if space.answers_for(ip, *end) {
            return true;
        }
        let Some(bridge) = space.interfaces.get(end).and_then(|end| end.master) else {
            return false;
        };
        if depth >= limits::BRIDGE_DEPTH_MAX {
            return false;
        }
        let known = self.neighbour(*peer, bridge, ip).filter(|port| port != end);
        known.is_some_and(|port| self.leads_to(*peer, port, ip, depth + 1))
            || self.search_bridge(*peer, bridge, ip, Some(*end), depth + 1).is_some()
    }

    /// Asks the tables of a hook. Writes down who changed the packet, and who counted it if the
    /// conversation is to come again.
    fn hook(
        &mut self,
        ns: NsId,
        hook: Hook,
        packet: &mut Packet,
        ifaces: Ifaces,
    ) -> Result<(), Stop> {
        if self.recordings.get_mut(packet.flow).is_none() && packet.log.is_none() {
            return self.ask_tables(ns, hook, packet, ifaces);
        }
        if let Some(space) = self.namespaces.get_mut(&ns) {
            space.netfilter.start_tape();
        }
        let answer = self.ask_tables(ns, hook, packet, ifaces);
        let Some(space) = self.namespaces.get_mut(&ns) else { return answer };
        let (hits, asked) = (space.netfilter.take_tape(), space.netfilter.asked());
        if let Some(recording) = self.recordings.get_mut(packet.flow) {
            recording.counted.extend(hits.iter().map(|hit| (ns, *hit)));
        }
        if let Some(log) = &mut packet.log {
            log.judged(ns, hits, asked);
        }
        answer
    }

    fn ask_tables(
        &mut self,
        ns: NsId,
        hook: Hook,
        packet: &mut Packet,
        ifaces: Ifaces,
    ) -> Result<(), Stop> {
        let ifaces = Ifaces { traced: self.is_traced(packet), ..ifaces };
        let Some(space) = self.namespaces.get_mut(&ns) else {
            return Err(Stop::Drop(Drop::NoNamespace));
        };
        if !space.filters() {
            return Ok(());
        }
        let now = self.now;
        let entering = matches!(hook, Hook::Prerouting | Hook::Output);
        if entering && matches!(packet.tracked, Tracked::Not) {
            let raw = judge(space, TableName::Raw, hook, packet, ifaces, &mut self.rng, now);
            match raw.verdict {
                Verdict::Drop => return Err(Stop::Drop(Drop::Filtered)),
                Verdict::NoTrack => {}
                _ => {
                    space.conntrack.track(packet, now);
                    packet.trail.add(ns, &packet.tracked);
                    if let Some(log) = &mut packet.log {
                        log.tracked(ns, &packet.tracked, &space.conntrack, now);
                    }
                }
            }
        }
        let mut quiet = true;
        for table in hook.tables() {
            let before = addresses(packet);
            let Some(space) = self.namespaces.get_mut(&ns) else { return Ok(()) };
            let judgement = match table {
                TableName::Nat => translate(space, hook, packet, ifaces, &mut self.rng, now),
                _ => Ok((judge(space, *table, hook, packet, ifaces, &mut self.rng, now), false)),
            };
            let (judgement, remembered) = judgement.map_err(Stop::Drop)?;
            let Judgement { verdict, rule, through } = judgement;
            if ifaces.traced && (rule.is_some() || !through.is_empty()) {
                quiet = false;
                let at = self.blank_hop(ns, packet, ifaces.output.or(ifaces.input), stage(hook));
                self.write_hop(packet, Hop { rule, through, remembered, before, ..at });
            }
            match verdict {
                Verdict::Drop => return Err(Stop::Drop(Drop::Filtered)),
                Verdict::Reject(with) => return Err(Stop::Reject(with)),
                _ => {}
            }
        }
        if quiet {
            self.hop(ns, packet, ifaces.output.or(ifaces.input), stage(hook));
        }
        let leaving = matches!(hook, Hook::Input | Hook::Postrouting);
        if leaving
            && matches!(packet.tracked, Tracked::New(_))
            && let Some(space) = self.namespaces.get_mut(&ns)
        {
            if !space.conntrack.confirm(packet, now) {
                return Err(Stop::Drop(Drop::TableFull));
            }
            packet.trail.add(ns, &packet.tracked);
        }
        Ok(())
    }

    /// A hook has stopped a packet.
    fn stop(&mut self, ns: NsId, packet: Box<Packet>, stop: Stop, ifaces: Ifaces) {
        let with = match stop {
            Stop::Drop(why) => return self.lose(&packet, why),
            Stop::Reject(with) => with,
        };
        self.lose(&packet, Drop::Rejected);
        match with {
            RejectWith::TcpReset => self.reset(ns, &packet),
            other => {
                let code = IcmpError::Unreachable(unreachable_code(other));
                self.report_from(ns, &packet, code, ifaces.input);
            }
        }
    }

    /// Answers a TCP segment by RST.
    pub(crate) fn reset(&mut self, ns: NsId, packet: &Packet) {
        let Payload::Tcp(segment) = &packet.payload else { return };
        let Some(answer) = tcp::refusal(segment) else { return };
        let (src, dst) = (packet.dst, packet.src);
        self.emit(ns, new_packet(src, dst, Payload::Tcp(answer), packet.flow, packet.cause));
    }

    /// Tells a packet's sender, by ICMP, that it did not get through.
    pub(crate) fn report(&mut self, ns: NsId, packet: &Packet, error: IcmpError) {
        self.report_from(ns, packet, error, None);
    }

    fn report_from(&mut self, ns: NsId, packet: &Packet, error: IcmpError, at: Option<IfIndex>) {
        if !icmp::may_be_reported(&packet.payload) {
            return;
        }
        let Some(space) = self.namespaces.get(&ns) else { return };
        let to = packet.src.ip();
        let own = at.filter(|at| *at != IfIndex::LOOPBACK).and_then(|at| space.source_on(at, to));
        let Some(from) = own.or_else(|| space.source_for(to)) else { return };
        let payload = Payload::IcmpError { error, about: packet.tuple() };
        let src = SocketAddr::new(from, 0);
        self.emit(ns, new_packet(src, packet.src, payload, packet.flow, packet.cause));
    }

    pub(crate) fn lose(&mut self, packet: &Packet, why: Drop) {
        self.end_trace(packet.flow, packet.trace, Outcome::Dropped(why));
    }

    pub(crate) fn end_trace(&mut self, flow: FlowId, trace: TraceId, outcome: Outcome) {
        self.traces.end(trace, outcome);
        let recording = self.recordings.get_mut(flow);
        if let Some(trace) = recording.and_then(|it| it.traces.get_mut(&trace.0)) {
            trace.outcome = outcome;
        }
    }

    /// Whether somebody wants to know the packet's way.
    fn is_traced(&mut self, packet: &Packet) -> bool {
        let logged = packet.log.is_some();
        logged || self.traces.is_on() || self.recordings.get_mut(packet.flow).is_some()
    }

    fn write_hop(&mut self, packet: &mut Packet, hop: Hop) {
        if let Some(log) = &mut packet.log {
            log.hop(&hop);
        }
        let recording = self.recordings.get_mut(packet.flow);
        if let Some(trace) = recording.and_then(|it| it.traces.get_mut(&packet.trace.0))
            && trace.hops.len() < limits::HOPS_MAX
        {
            trace.hops.push(hop.clone());
        }
        self.traces.hop(packet.trace, hop);
    }

    /// Writes down that a packet passed a place unchanged.
    fn hop(&mut self, ns: NsId, packet: &mut Packet, iface: Option<IfIndex>, stage: Stage) {
        if self.is_traced(packet) {
            let hop = self.blank_hop(ns, packet, iface, stage);
            self.write_hop(packet, hop);
        }
    }

    fn blank_hop(&self, ns: NsId, packet: &Packet, iface: Option<IfIndex>, stage: Stage) -> Hop {
        let space = self.namespaces.get(&ns);
        Hop {
            at: self.now,
            ns,
            host: space.map(|space| std::sync::Arc::clone(&space.name)).unwrap_or_default(),
            iface: space.map(|space| space.iface_name(iface)).unwrap_or_default(),
            stage,
            rule: None,
            through: Vec::new(),
            remembered: false,
            before: addresses(packet),
            after: addresses(packet),
            wrapped: match packet.payload {
                Payload::Wrapped { tunnel, .. } => Some(tunnel),
                _ => None,
            },
        }
    }
}

fn addresses(packet: &Packet) -> Addresses {
    Addresses { src: packet.src, dst: packet.dst }
}

fn out_iface(decision: Decision) -> IfIndex {
    match decision {
        Decision::Local => IfIndex::LOOPBACK,
        Decision::Out { iface, .. } => iface,
    }
}

fn stage(hook: Hook) -> Stage {
    match hook {
        Hook::Prerouting => Stage::Prerouting,
        Hook::Input => Stage::Input,
        Hook::Forward => Stage::Forward,
        Hook::Output => Stage::Output,
        Hook::Postrouting => Stage::Postrouting,
    }
}

fn unreachable_code(with: RejectWith) -> Unreachable {
    match with {
        RejectWith::Port | RejectWith::TcpReset => Unreachable::Port,
        RejectWith::Host => Unreachable::Host,
        RejectWith::Net => Unreachable::Net,
        RejectWith::Admin => Unreachable::AdminProhibited,
        RejectWith::HostProhibited => Unreachable::HostProhibited,
        RejectWith::NetProhibited => Unreachable::NetProhibited,
    }
}

fn addr_type(space: &Namespace, ip: IpAddr) -> AddrType {
    match ip {
        _ if space.is_local(ip) => AddrType::Local,
        IpAddr::V4(v4) if v4.is_broadcast() => AddrType::Broadcast,
        _ if ip.is_multicast() => AddrType::Multicast,
        _ => AddrType::Unicast,
    }
}

/// Sends a packet through a table's chain. Marks stay on the packet.
fn judge(
    space: &mut Namespace,
    table: TableName,
    hook: Hook,
    packet: &mut Packet,
    ifaces: Ifaces,
    rng: &mut Rng,
    now: naru_sim::Time,
) -> Judgement {
    if !space.netfilter.is_live(table, hook) {
        return Judgement::ACCEPT;
    }
    let (input, output) = (space.iface_name(ifaces.input), space.iface_name(ifaces.output));
    let (snat, dnat) = match &packet.tracked {
        Tracked::Known { id, .. } => space.conntrack.get(*id).map_or((false, false), |entry| {
            (entry.reply.dst != entry.original.src, entry.reply.src != entry.original.dst)
        }),
        Tracked::New(entry) => {
            (entry.reply.dst != entry.original.src, entry.reply.src != entry.original.dst)
        }
        _ => (false, false),
    };
    let plain_syn = Flags { syn: true, ..Flags::default() };
    let mut sight = Sight {
        src: packet.src,
        dst: packet.dst,
        protocol: packet.protocol(),
        icmp_type: icmp::type_number(&packet.payload),
        length: packet.length(),
        syn: matches!(&packet.payload, Payload::Tcp(s) if Flags { psh: false, ..s.flags } == plain_syn),
        mark: packet.mark,
        state: packet.tracked.state(),
        snat,
        dnat,
        input: &input,
        output: &output,
        src_type: addr_type(space, packet.src.ip()),
        dst_type: addr_type(space, packet.dst.ip()),
        traced: ifaces.traced,
    };
    let judgement = space.netfilter.judge(table, hook, &mut sight, rng, now);
    packet.mark = sight.mark;
    judgement
}

/// The `nat` table: asked for the first packet of a connection only; later packets, and answers,
/// are translated as that one was. The flag tells whether it was remembered.
fn translate(
    space: &mut Namespace,
    hook: Hook,
    packet: &mut Packet,
    ifaces: Ifaces,
    rng: &mut Rng,
    now: naru_sim::Time,
) -> Result<(Judgement, bool), Drop> {
    let manip = match hook {
        Hook::Prerouting | Hook::Output => Manip::Destination,
        _ => Manip::Source,
    };
    let before = addresses(packet);
    let mut judgement = Judgement::ACCEPT;
    let mut remembered = false;
    if let Tracked::New(entry) = &packet.tracked
        && !entry.is_bound(manip)
    {
        judgement = judge(space, TableName::Nat, hook, packet, ifaces, rng, now);
        if manip == Manip::Source {
            space.conntrack.settle(now);
        }
        bind(space, manip, packet, &judgement, ifaces, rng, now)?;
    } else if let Tracked::Known { id, direction, .. } = packet.tracked
        && let Some(entry) = space.conntrack.get(id)
    {
        set_address(packet, manip, entry.translated(manip, direction));
        remembered = true;
        if addresses(packet) != before {
            judgement.rule = entry.rule(manip, direction);
        }
    }
    Ok((judgement, remembered))
}

fn set_address(packet: &mut Packet, manip: Manip, to: SocketAddr) {
    match manip {
        Manip::Destination => packet.dst = to,
        Manip::Source => packet.src = to,
    }
}

/// Decides how a new connection is translated, and translates its first packet.
fn bind(
    space: &Namespace,
    manip: Manip,
    packet: &mut Packet,
    judgement: &Judgement,
    ifaces: Ifaces,
    rng: &mut Rng,
    now: naru_sim::Time,
) -> Result<(), Drop> {
    let now_at = match manip {
        Manip::Destination => packet.dst,
        Manip::Source => packet.src,
    };
    let wanted = match &judgement.verdict {
        Verdict::Dnat(range) | Verdict::Snat(range) => Some(pick(range, now_at, rng)),
        Verdict::Redirect(ports) => {
            let input = ifaces.input.filter(|input| *input != IfIndex::LOOPBACK);
            let own = input.and_then(|input| space.source_on(input, now_at.ip()));
            let ip = own.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
            Some(SocketAddr::new(ip, port_in(ports, now_at.port(), rng)))
        }
        Verdict::Masquerade { random, ports } => {
            let output = ifaces.output.unwrap_or(IfIndex::LOOPBACK);
            let own = match output {
                IfIndex::LOOPBACK => Some(now_at.ip()),
                output => space.source_on(output, packet.dst.ip()),
            };
            let ip = own.ok_or(Drop::NoRoute)?;
            let port = match ports {
                Some(ports) => port_in(ports, now_at.port(), rng),
                None if *random => random_port(rng),
                None => now_at.port(),
            };
            Some(SocketAddr::new(ip, port))
        }
        _ => None,
    };
    let Tracked::New(entry) = &mut packet.tracked else { return Ok(()) };
    let mut chosen = wanted;
    if manip == Manip::Source {
        // Answers to two connections must not look alike: another port tells them apart.
        let mut answer = entry.reply;
        answer.dst = wanted.unwrap_or(now_at);
        let mut tries = 0;
        while space.conntrack.is_taken(&answer, now) {
            tries += 1;
            if tries > limits::NAT_PORT_TRIES_MAX {
                return Err(Drop::TableFull);
            }
            answer.dst.set_port(random_port(rng));
            chosen = Some(answer.dst);
        }
    }
    entry.bind(manip, chosen, judgement.rule.clone());
    if let Some(to) = chosen {
        set_address(packet, manip, to);
    }
    Ok(())
}

fn pick(range: &NatRange, current: SocketAddr, rng: &mut Rng) -> SocketAddr {
    let ip = match &range.ips {
        None => current.ip(),
        Some(ips) => address_in(ips, rng),
    };
    let port = match &range.ports {
        None => current.port(),
        Some(ports) => port_in(ports, current.port(), rng),
    };
    SocketAddr::new(ip, port)
}

fn address_in(ips: &RangeInclusive<IpAddr>, rng: &mut Rng) -> IpAddr {
    match (ips.start(), ips.end()) {
        (IpAddr::V4(low), IpAddr::V4(high)) => {
            let width = u64::from(high.to_bits().saturating_sub(low.to_bits())) + 1;
            let offset = if width == 1 { 0 } else { rng.below(width) as u32 };
            IpAddr::V4(low.to_bits().saturating_add(offset).into())
        }
        (low, _) => *low,
    }
}

/// The current port if the range has it, else one of the range.
fn port_in(ports: &RangeInclusive<u16>, current: u16, rng: &mut Rng) -> u16 {
    if ports.contains(&current) || ports.is_empty() {
        return current;
    }
    let width = u64::from(ports.end() - ports.start()) + 1;
    let offset = if width == 1 { 0 } else { rng.below(width) as u16 };
    ports.start().saturating_add(offset)
}

/// Any port that needs no privilege.
fn random_port(rng: &mut Rng) -> u16 {
    1_024 + rng.below(64_512) as u16
}
