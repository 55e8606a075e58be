//! Interfaces: loopback, bridges, and the pairs that connect namespaces.

use crate::namespace::NsId;
use crate::packet::Tunnel;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// An interface's number within its namespace; 1 is `lo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IfIndex(pub u32);

impl IfIndex {
    /// `lo`.
    pub const LOOPBACK: IfIndex = IfIndex(1);
}

/// What a link does to what goes over it, in each direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// How long a packet takes.
    pub latency: Duration,
    /// The share of packets that are lost, `0.0..=1.0`.
    pub loss: f64,
}

impl Link {
    /// The link of a pod to its node.
    pub const LOCAL: Link = Link { latency: Duration::from_micros(30), loss: 0.0 };
    /// The link of a node to its neighbours' switch: 200 µs from node to node.
    pub const LAN: Link = Link { latency: Duration::from_micros(100), loss: 0.0 };
}

/// What an interface is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Loopback,
    Bridge {
        /// By which port an address was found; looked at again before it is used.
        neighbours: BTreeMap<IpAddr, IfIndex>,
    },
    Veth {
        peer: (NsId, IfIndex),
        link: Link,
    },
    Tunnel {
        tunnel: Tunnel,
        /// The host behind each next hop.
        remotes: BTreeMap<IpAddr, IpAddr>,
    },
}

/// An interface of a namespace.
#[derive(Clone, Debug)]
pub(crate) struct Interface {
    pub name: Arc<str>,
    pub kind: Kind,
    pub up: bool,
    pub addresses: Vec<IpNet>,
    /// The bridge whose port this is.
    pub master: Option<IfIndex>,
    /// Linux: `net.ipv4.conf.*.proxy_arp`: it answers for whatever address is asked for.
    pub proxy_arp: bool,
}

impl Interface {
    pub fn new(name: &str, kind: Kind) -> Self {
        let (name, addresses) = (name.into(), Vec::new());
        Interface { name, kind, up: true, addresses, master: None, proxy_arp: false }
    }

    /// The first address of the same family.
    pub fn address_like(&self, ip: IpAddr) -> Option<IpAddr> {
        self.addresses.iter().map(IpNet::addr).find(|own| own.is_ipv4() == ip.is_ipv4())
    }
}

/// A hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The address of an interface: locally administered, different for each.
    pub fn of(ns: NsId, iface: IfIndex) -> Mac {
        let [_, a, b, c] = ns.0.to_be_bytes();
        let [.., d, e] = iface.0.to_be_bytes();
        Mac([0x02 | d << 4, 0x42, a, b, c, e])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// What an interface is, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceKind {
    /// To itself.
    Loopback,
    /// A switch within the namespace.
    Bridge,
    /// One end of a cable.
    Veth {
        /// Where the other end is.
        peer: (NsId, IfIndex),
    },
    /// A way to other hosts over the network that is there.
    Tunnel(Tunnel),
}

/// An interface, as `ip addr` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceInfo {
    /// Its number.
    pub index: IfIndex,
    /// Its name.
    pub name: Arc<str>,
    /// What it is.
    pub kind: InterfaceKind,
    /// Whether it works.
    pub up: bool,
    /// Its addresses.
    pub addresses: Vec<IpNet>,
    /// The bridge whose port it is.
    pub master: Option<Arc<str>>,
    /// Its hardware address.
    pub mac: Mac,
}
