//! The network as a value: its parts, how they are put together, and how its time goes on.

use crate::conntrack::Entry;
use crate::error::TopologyError;
use crate::limits;
use crate::link::{IfIndex, Interface, InterfaceInfo, InterfaceKind, Kind, Link, Mac};
use crate::namespace::{Namespace, NsId};
use crate::netfilter::Netfilter;
use crate::packet::{Packet, Tunnel};
use crate::repeat::Recordings;
use crate::route::Route;
use crate::socket::{SockId, Socket};
use crate::trace::{FlowId, Trace, TraceId, Traces};
use crate::ways::{Ride, Ways};
use ipnet::IpNet;
use naru_sim::{Place, Queue, Rng, Time};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Hosts, pods and everything between them.
#[derive(Clone, Debug)]
pub struct Network {
    pub(crate) now: Time,
    present: Time,
    pub(crate) rng: Rng,
    // Both are looked up for every packet, many times, and gone through in order nowhere.
    pub(crate) namespaces: FxHashMap<NsId, Box<Namespace>>,
    pub(crate) sockets: FxHashMap<SockId, Socket>,
    pub(crate) traces: Traces,
    pub(crate) wakes: BTreeSet<NsId>,
    /// Packets on links.
    pub(crate) queue: Queue<Event>,
    /// Sockets' deadlines, in one order with what is in the queue. They must not be lost, and are
    /// taken out with their sockets: a packet does not have to pass by those of many connections
    /// that are over.
    timers: BTreeSet<(Time, Place, SockId)>,
    pub(crate) last_socket: u64,
    pub(crate) recordings: Recordings,
    pub(crate) ways: Ways,
    last_namespace: u32,
    last_flow: u64,
}

/// What will happen.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A packet comes in by an interface. `next_hop` is whom on the link it is for.
    Arrive { ns: NsId, iface: IfIndex, next_hop: IpAddr, packet: Box<Packet> },
    /// Nobody on the link has answered for the packet's next hop.
    Unresolved { ns: NsId, packet: Box<Packet> },
    /// A packet comes to the end of a known way.
    Ride(Ride),
}

/// What happens next.
enum Next {
    Packet(Event),
    Timer(SockId),
}

/// How long a kernel asks for a neighbour before it gives up. Linux: three times 1 s.
pub(crate) const NEIGHBOUR_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a packet takes over `lo`.
pub(crate) const LOOPBACK_LATENCY: Duration = Duration::from_micros(10);

impl Network {
    /// An empty network.
    pub fn new(rng: Rng) -> Network {
        Network {
            now: Time::ZERO,
            present: Time::ZERO,
            rng,
            namespaces: FxHashMap::default(),
            sockets: FxHashMap::default(),
            traces: Traces::default(),
            wakes: BTreeSet::new(),
            queue: Queue::new(),
            timers: BTreeSet::new(),
            last_socket: 0,
            recordings: Recordings::default(),
            ways: Ways::default(),
            last_namespace: 0,
            last_flow: 0,
        }
    }

    /// When the next packet arrives or the next timer ends.
    pub fn next_due(&self) -> Option<Time> {
        let timer = self.timers.first().map(|(at, ..)| *at);
        [self.queue.next_due(), timer].into_iter().flatten().min()
    }

    /// Lets everything happen that is due at `now` or earlier.
    pub fn advance(&mut self, now: Time) {
        let mut at_moment = 0;
        while let Some((at, event)) = self.next_event(now) {
            at_moment = if at > self.now { 0 } else { at_moment + 1 };
            self.set_now(at);
            if at_moment < naru_sim::limits::EVENTS_PER_MOMENT_MAX {
                match event {
                    Next::Packet(event) => self.happen(event),
                    Next::Timer(socket) => self.timer(socket),
                }
            }
        }
        self.set_now(now);
    }

    fn next_event(&mut self, now: Time) -> Option<(Time, Next)> {
        let timer = self.timers.first().copied();
        let packet = self.queue.next_place();
        match (timer, packet) {
            (Some((at, place, socket)), packet) if packet.is_none_or(|it| (at, place) < it) => {
                (at <= now).then(|| {
                    self.timers.pop_first();
                    (at, Next::Timer(socket))
                })
            }
            _ => self.queue.pop_due(now).map(|(at, event)| (at, Next::Packet(event))),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive { ns, iface, next_hop, packet } => {
                self.arrive(ns, iface, next_hop, packet);
            }
            Event::Unresolved { ns, packet } => self.unresolved(ns, packet),
            Event::Ride(ride) => self.ride_ends(ride),
        }
    }

    pub(crate) fn set_now(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    /// Says what time it is. Where packets on known ways are depends on it when nothing has happened
    /// in the network since: for whoever looks, and when something is changed.
    pub fn set_present(&mut self, now: Time) {
        self.present = now;
    }

    /// The present moment, as far as the network knows.
    pub(crate) fn present(&self) -> Time {
        self.now.max(self.present)
    }

    /// Plans an event; false when too many wait.
    pub(crate) fn plan(&mut self, after: Duration, event: Event) -> bool {
        let room = self.queue.len() < limits::EVENTS_MAX;
        if room {
            self.queue.push(self.now + after, event);
        }
        room
    }

    /// Sets a socket's timer in the place of the one that it has.
    pub(crate) fn set_timer(&mut self, at: Time, socket: SockId) {
        let place = self.queue.new_place();
        let Some(found) = self.sockets.get_mut(&socket) else { return };
        if let Some((at, place)) = found.timer.replace((at, place)) {
            self.timers.remove(&(at, place, socket));
        }
        self.timers.insert((at, place, socket));
    }

    /// Forgets a socket's timer.
    pub(crate) fn drop_timer(&mut self, socket: SockId, timer: Option<(Time, Place)>) {
        if let Some((at, place)) = timer {
            self.timers.remove(&(at, place, socket));
        }
    }

    /// Takes the namespaces whose sockets changed since the last call.
    pub fn take_wakes(&mut self) -> Vec<NsId> {
        std::mem::take(&mut self.wakes).into_iter().collect()
    }

    pub(crate) fn new_flow(&mut self) -> FlowId {
        self.last_flow += 1;
        FlowId(self.last_flow)
    }

    /// The traces of packets sent after that one, oldest first; `TraceId(0)` for all that are
    /// kept. The youngest may still be on their way: they are told of as far as they have come at
    /// the present moment, see [`Network::set_present`].
    pub fn traces_after(&self, after: TraceId) -> impl Iterator<Item = Arc<Trace>> {
        self.traces.after(after, self.present())
    }

    /// Writes down the ways of packets that are sent from now on, as it does from the start, or
    /// does not: nothing else changes by it.
    pub fn set_tracing(&mut self, on: bool) {
        self.traces.set_on(on);
    }

    /// The packet sent last.
    pub fn last_trace(&self) -> TraceId {
        self.traces.last()
    }

    /// Makes a namespace with a loopback interface. It forwards packets: see
    /// [`Network::set_forwarding`].
    pub fn add_namespace(&mut self, name: &str) -> NsId {
        self.last_namespace += 1;
        let id = NsId(self.last_namespace);
        let first_port = self.rng.fork(name).below(28_232) as u16;
        self.namespaces.insert(id, Box::new(Namespace::new(name, first_port)));
        id
    }

    /// Removes a namespace, its sockets (silently: nobody is left to say goodbye) and both ends of
    /// its cables.
    pub fn remove_namespace(&mut self, ns: NsId) {
        self.disturb();
        let Some(space) = self.namespaces.remove(&ns) else { return };
        for id in &space.sockets {
            if let Some(socket) = self.sockets.remove(id) {
                self.drop_timer(*id, socket.timer);
            }
        }
        for interface in space.interfaces.into_values() {
            if let Kind::Veth { peer: (other, index), .. } = interface.kind
                && let Some(other) = self.namespaces.get_mut(&other)
            {
                other.remove_interface(index);
            }
        }
        self.wakes.remove(&ns);
    }

    /// The name of a namespace.
    pub fn namespace_name(&self, ns: NsId) -> Option<&str> {
        self.namespaces.get(&ns).map(|space| &*space.name)
    }

    /// Every namespace with its name, in the order in which they were made.
    pub fn namespaces(&self) -> impl Iterator<Item = (NsId, &str)> {
        let mut all: Vec<_> =
            self.namespaces.iter().map(|(id, space)| (*id, &*space.name)).collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all.into_iter()
    }

    fn space(&mut self, ns: NsId) -> Result<&mut Namespace, TopologyError> {
        // Whoever asks for it so changes it.
        self.disturb();
        let space = self.namespaces.get_mut(&ns).map(Box::as_mut);
        let space = space.ok_or(TopologyError::NoNamespace(ns.0))?;
        space.generation += 1;
        Ok(space)
    }

    fn index(&self, ns: NsId, name: &str) -> Result<IfIndex, TopologyError> {
        let space = self.namespaces.get(&ns).ok_or(TopologyError::NoNamespace(ns.0))?;
        space.index_of(name).ok_or_else(|| TopologyError::NoInterface(name.to_owned()))
    }

    fn interface(&mut self, ns: NsId, name: &str) -> Result<&mut Interface, TopologyError> {
        let index = self.index(ns, name)?;
        let missing = || TopologyError::NoInterface(name.to_owned());
        self.space(ns)?.interfaces.get_mut(&index).ok_or_else(missing)
    }

    fn check_new(&self, ns: NsId, name: &str) -> Result<(), TopologyError> {
        match self.index(ns, name) {
            Ok(_) => Err(TopologyError::Exists),
            Err(TopologyError::NoInterface(_)) => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// Makes a bridge.
    pub fn add_bridge(&mut self, ns: NsId, name: &str) -> Result<IfIndex, TopologyError> {
        self.check_new(ns, name)?;
        let bridge = Kind::Bridge { neighbours: BTreeMap::new() };
        Ok(self.space(ns)?.add_interface(Interface::new(name, bridge)))
    }

    /// Lays a cable between two namespaces (or within one).
    pub fn add_veth(
        &mut self,
        a: (NsId, &str),
        b: (NsId, &str),
        link: Link,
    ) -> Result<(IfIndex, IfIndex), TopologyError> {
        self.check_new(a.0, a.1)?;
        self.check_new(b.0, b.1)?;
        if a == b {
            return Err(TopologyError::Exists);
        }
        let end = |peer| Kind::Veth { peer, link };
        let first = self.space(a.0)?.add_interface(Interface::new(a.1, Kind::Loopback));
        let second = self.space(b.0)?.add_interface(Interface::new(b.1, end((a.0, first))));
        self.interface(a.0, a.1)?.kind = end((b.0, second));
        Ok((first, second))
    }

    /// Makes an interface by which packets go to other hosts wrapped into packets.
    pub fn add_tunnel(
        &mut self,
        ns: NsId,
        name: &str,
        tunnel: Tunnel,
    ) -> Result<IfIndex, TopologyError> {
        self.check_new(ns, name)?;
        let kind = Kind::Tunnel { tunnel, remotes: BTreeMap::new() };
        Ok(self.space(ns)?.add_interface(Interface::new(name, kind)))
    }

    /// Says which hosts are behind the next hops of a tunnel's routes.
    pub fn set_tunnel_remotes(
        &mut self,
        ns: NsId,
        name: &str,
        wanted: BTreeMap<IpAddr, IpAddr>,
    ) -> Result<(), TopologyError> {
        match &mut self.interface(ns, name)?.kind {
            Kind::Tunnel { remotes, .. } => *remotes = wanted,
            _ => return Err(TopologyError::NoInterface(name.to_owned())),
        }
        Ok(())
    }

    /// Lets an interface answer for whatever address is asked for (`proxy_arp`), so that everything
    /// is sent to this namespace.
    pub fn set_proxy_arp(&mut self, ns: NsId, iface: &str, on: bool) -> Result<(), TopologyError> {
        self.interface(ns, iface)?.proxy_arp = on;
        Ok(())
    }

    /// Says for which addresses, besides its own, a namespace answers its neighbours.
    pub fn set_announced(&mut self, ns: NsId, ips: BTreeSet<IpAddr>) -> Result<(), TopologyError> {
        self.space(ns)?.announced = ips;
        Ok(())
    }

    /// For which addresses, besides its own, a namespace answers.
    pub fn announced(&self, ns: NsId) -> Option<&BTreeSet<IpAddr>> {
        self.namespaces.get(&ns).map(|space| &space.announced)
    }

    /// Removes an interface; with one end of a cable goes the other.
    pub fn remove_interface(&mut self, ns: NsId, name: &str) -> Result<(), TopologyError> {
        let index = self.index(ns, name)?;
        let removed = self.space(ns)?.remove_interface(index);
        if let Some(Interface { kind: Kind::Veth { peer: (other, end), .. }, .. }) = removed
            && let Some(other) = self.namespaces.get_mut(&other)
        {
            other.remove_interface(end);
        }
        Ok(())
    }

    /// Makes an interface a port of a bridge of the same namespace.
    pub fn set_master(&mut self, ns: NsId, iface: &str, bridge: &str) -> Result<(), TopologyError> {
        let master = self.index(ns, bridge)?;
        if !matches!(self.interface(ns, bridge)?.kind, Kind::Bridge { .. }) || iface == bridge {
            return Err(TopologyError::NotABridge(bridge.to_owned()));
        }
        self.interface(ns, iface)?.master = Some(master);
        Ok(())
    }

    /// Gives an interface an address; its neighbours get a route, as a kernel does.
    pub fn add_address(&mut self, ns: NsId, iface: &str, net: IpNet) -> Result<(), TopologyError> {
        let index = self.index(ns, iface)?;
        match self.space(ns)?.add_address(index, net) {
            true => Ok(()),
            false => Err(TopologyError::Exists),
        }
    }

    /// Adds a route, or puts it in the place of the one with the same prefix.
    pub fn add_route(&mut self, ns: NsId, route: Route) -> Result<(), TopologyError> {
        let iface = self.index(ns, &route.dev)?;
        let family = |ip: IpAddr| ip.is_ipv4() == route.to.addr().is_ipv4();
        if !route.via.is_none_or(family) || !route.src.is_none_or(family) {
            return Err(TopologyError::Gateway);
        }
        match self.space(ns)?.routes.add(Route { to: route.to.trunc(), ..route }, iface) {
            true => Ok(()),
            false => Err(TopologyError::TooMany("routes")),
        }
    }

    /// Takes out the route of a prefix.
    pub fn del_route(&mut self, ns: NsId, to: IpNet) -> Result<Route, TopologyError> {
        self.space(ns)?.routes.remove(&to).ok_or(TopologyError::NoRoute)
    }

    /// Cuts a cable (`up` false) or mends it. A packet over a cut cable is lost silently, since
    /// its sender still knows its neighbour.
    pub fn set_link(&mut self, ns: NsId, iface: &str, up: bool) -> Result<(), TopologyError> {
        self.interface(ns, iface)?.up = up;
        Ok(())
    }

    /// Changes what a cable does to packets, in both directions.
    pub fn set_link_quality(
        &mut self,
        ns: NsId,
        iface: &str,
        quality: Link,
    ) -> Result<(), TopologyError> {
        let interface = self.interface(ns, iface)?;
        let Kind::Veth { peer: (other, end), link } = &mut interface.kind else {
            return Err(TopologyError::NoInterface(iface.to_owned()));
        };
        *link = quality;
        let (other, end) = (*other, *end);
        let peer = self.namespaces.get_mut(&other).and_then(|s| s.interfaces.get_mut(&end));
        if let Some(Interface { kind: Kind::Veth { link, .. }, .. }) = peer {
            *link = quality;
        }
        self.space(other)?;
        Ok(())
    }

    /// Whether the namespace passes on packets that are not for it (`net.ipv4.ip_forward`).
    pub fn set_forwarding(&mut self, ns: NsId, on: bool) -> Result<(), TopologyError> {
        self.space(ns)?.forwarding = on;
        Ok(())
    }

    /// Whether the rules see what a bridge of the namespace hands from port to port
    /// (`net.bridge.bridge-nf-call-iptables`; on unless changed).
    pub fn set_bridge_netfilter(&mut self, ns: NsId, on: bool) -> Result<(), TopologyError> {
        self.space(ns)?.bridge_netfilter = on;
        Ok(())
    }

    /// The interfaces of a namespace.
    pub fn interfaces(&self, ns: NsId) -> Vec<InterfaceInfo> {
        let Some(space) = self.namespaces.get(&ns) else { return Vec::new() };
        let info = |(index, interface): (&IfIndex, &Interface)| InterfaceInfo {
            index: *index,
            name: Arc::clone(&interface.name),
            kind: match interface.kind {
                Kind::Loopback => InterfaceKind::Loopback,
                Kind::Bridge { .. } => InterfaceKind::Bridge,
                Kind::Veth { peer, .. } => InterfaceKind::Veth { peer },
                Kind::Tunnel { tunnel, .. } => InterfaceKind::Tunnel(tunnel),
            },
            up: interface.up,
            addresses: interface.addresses.clone(),
            master: interface.master.map(|master| space.iface_name(Some(master))),
            mac: Mac::of(ns, *index),
        };
        space.interfaces.iter().map(info).collect()
    }

    /// The interface on whose link an address is.
    pub fn device_to(&self, ns: NsId, ip: IpAddr) -> Option<Arc<str>> {
        let mut interfaces = self.namespaces.get(&ns)?.interfaces.values();
        let on_link = |it: &&Interface| it.addresses.iter().any(|net| net.contains(&ip));
        interfaces.find(on_link).map(|interface| Arc::clone(&interface.name))
    }

    /// The route of a prefix.
    pub fn route_to(&self, ns: NsId, to: IpNet) -> Option<&Route> {
        self.namespaces.get(&ns)?.routes.get(&to)
    }

    /// The routes of a namespace, the default route first.
    pub fn routes(&self, ns: NsId) -> Vec<Route> {
        self.namespaces.get(&ns).map(|space| space.routes.list()).unwrap_or_default()
    }

    /// The rules of a namespace.
    pub fn netfilter(&mut self, ns: NsId) -> Option<&mut Netfilter> {
        self.disturb();
        let space = self.namespaces.get_mut(&ns)?;
        space.generation += 1;
        Some(&mut space.netfilter)
    }

    /// The connections that a namespace tracks, oldest first.
    pub fn conntrack(&mut self, ns: NsId) -> impl Iterator<Item = &Entry> {
        self.disturb();
        let now = self.now;
        let space = self.namespaces.get_mut(&ns);
        space.into_iter().flat_map(move |space| {
            space.conntrack.settle(now);
            space.conntrack.entries(now)
        })
    }

    /// Forgets tracked connections (`conntrack -D`); tells how many.
    pub fn conntrack_delete(&mut self, ns: NsId, forget: impl Fn(&Entry) -> bool) -> usize {
        self.disturb();
        let space = self.namespaces.get_mut(&ns);
        let now = self.now;
        space.map_or(0, |space| {
            space.conntrack.settle(now);
            space.conntrack.remove_if(forget)
        })
    }
}
