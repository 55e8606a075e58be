//! A network namespace: interfaces, routes, rules, tracked connections and sockets' addresses.

use crate::conntrack::Conntrack;
use crate::link::{IfIndex, Interface, Kind};
use crate::netfilter::Netfilter;
use crate::packet::unspecified;
use crate::route::{Route, RouteTable};
use crate::socket::{Endpoints, SockId};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Names a network namespace: a host's own, or a pod's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NsId(pub u32);

/// Where a packet goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// To a socket here.
    Local,
    /// Out by an interface, to this neighbour.
    Out { iface: IfIndex, next_hop: IpAddr },
}

/// A network namespace.
#[derive(Clone, Debug)]
pub(crate) struct Namespace {
    pub name: Arc<str>,
    pub interfaces: BTreeMap<IfIndex, Interface>,
    by_name: BTreeMap<Arc<str>, IfIndex>,
    last_index: u32,
    /// Every address of every interface.
    locals: BTreeMap<IpAddr, IfIndex>,
    pub routes: RouteTable,
    pub netfilter: Netfilter,
    pub conntrack: Conntrack,
    /// Linux: `net.ipv4.ip_forward`.
    pub forwarding: bool,
    /// Linux: `net.bridge.bridge-nf-call-iptables`.
    pub bridge_netfilter: bool,
    /// Addresses that neighbours are told are here, though no interface has them.
    pub announced: BTreeSet<IpAddr>,
    pub endpoints: Endpoints,
    /// Grows with what could make packets go another way.
    pub generation: u64,
    /// The socket behind each number, to end them with the namespace.
    pub sockets: BTreeSet<SockId>,
}

impl Namespace {
    /// A namespace with nothing but its loopback.
    pub fn new(name: &str, first_port: u16) -> Self {
        let mut space = Namespace {
            name: name.into(),
            interfaces: BTreeMap::new(),
            by_name: BTreeMap::new(),
            last_index: 0,
            locals: BTreeMap::new(),
            routes: RouteTable::default(),
            netfilter: Netfilter::new(),
            conntrack: Conntrack::default(),
            forwarding: true,
            bridge_netfilter: true,
            announced: BTreeSet::new(),
            endpoints: Endpoints::new(first_port),
            generation: 0,
            sockets: BTreeSet::new(),
        };
        let lo = space.add_interface(Interface::new("lo", Kind::Loopback));
        for (ip, length) in
            [(IpAddr::V4(Ipv4Addr::LOCALHOST), 8), (Ipv6Addr::LOCALHOST.into(), 128)]
        {
            if let Ok(net) = IpNet::new(ip, length) {
                space.add_address(lo, net);
            }
        }
        space
    }

    pub fn add_interface(&mut self, interface: Interface) -> IfIndex {
        self.last_index += 1;
        let index = IfIndex(self.last_index);
        self.by_name.insert(Arc::clone(&interface.name), index);
        self.interfaces.insert(index, interface);
        index
    }

    pub fn remove_interface(&mut self, index: IfIndex) -> Option<Interface> {
        let interface = self.interfaces.remove(&index)?;
        self.generation += 1;
        self.by_name.remove(&interface.name);
        self.routes.remove_iface(index);
        self.locals.retain(|_, owner| *owner != index);
        for other in self.interfaces.values_mut() {
            other.master = other.master.filter(|master| *master != index);
        }
        Some(interface)
    }

    /// Gives an interface an address, and a route to its neighbours as a kernel does. False when
    /// the interface has it already or there is no such interface.
    pub fn add_address(&mut self, index: IfIndex, net: IpNet) -> bool {
        let Some(interface) = self.interfaces.get_mut(&index) else { return false };
        if interface.addresses.contains(&net) {
            return false;
        }
        interface.addresses.push(net);
        let dev = interface.name.to_string();
        self.locals.insert(net.addr(), index);
        if index != IfIndex::LOOPBACK && net.prefix_len() < net.max_prefix_len() {
            let route = Route { to: net.trunc(), via: None, dev, src: Some(net.addr()) };
            self.routes.add(route, index);
        }
        true
    }

    pub fn index_of(&self, name: &str) -> Option<IfIndex> {
        self.by_name.get(name).copied()
    }

    pub fn iface_name(&self, index: Option<IfIndex>) -> Arc<str> {
        let found = index.and_then(|index| self.interfaces.get(&index));
        found.map(|interface| Arc::clone(&interface.name)).unwrap_or_default()
    }

    /// Whether an address is this namespace's own.
    pub fn is_local(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.locals.contains_key(&ip)
    }

    /// Whether neighbours that ask for an address are answered by this namespace, at this interface.
    pub fn answers_for(&self, ip: IpAddr, at: IfIndex) -> bool {
        self.is_local(ip)
            || self.announced.contains(&ip)
            || self.interfaces.get(&at).is_some_and(|interface| interface.proxy_arp)
    }

    /// Where a packet to this address goes; `None` when there is no route.
    pub fn route(&self, dst: IpAddr) -> Option<Decision> {
        if self.is_local(dst) {
            return Some(Decision::Local);
        }
        let (route, iface) = self.routes.lookup(dst)?;
        Some(Decision::Out { iface: *iface, next_hop: route.via.unwrap_or(dst) })
    }

    /// The source address for packets to this address; `None` when there is no route.
    pub fn source_for(&self, dst: IpAddr) -> Option<IpAddr> {
        if self.is_local(dst) {
            return Some(dst);
        }
        let (route, iface) = self.routes.lookup(dst)?;
        route.src.or_else(|| self.source_on(*iface, dst))
    }

    /// An address for packets that leave by an interface.
    pub fn source_on(&self, iface: IfIndex, dst: IpAddr) -> Option<IpAddr> {
        let own = self.interfaces.get(&iface).and_then(|iface| iface.address_like(dst));
        own.or_else(|| self.any_address(dst))
    }

    fn any_address(&self, like: IpAddr) -> Option<IpAddr> {
        let outward = self.interfaces.iter().filter(|(index, _)| **index != IfIndex::LOOPBACK);
        outward.filter_map(|(_, iface)| iface.address_like(like)).next()
    }

    /// Whether a socket may be bound to this address.
    pub fn can_bind(&self, ip: IpAddr) -> bool {
        ip == unspecified(ip) || self.is_local(ip)
    }

    /// Whether rules or remembered connections can change packets here. Without any, packets pass
    /// untouched and nothing is tracked, as in a kernel that has not loaded the modules.
    pub fn filters(&self) -> bool {
        !self.netfilter.is_empty() || !self.conntrack.is_empty()
    }
}
