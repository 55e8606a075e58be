//! The plugin that gives a pod its network: an address of the node's range, an interface, a route.
//!
//! Upstream: the CNI plugins `bridge` and `host-local`.

use crate::NodeConfig;
use ipnet::{IpNet, Ipv4Net};
use naru_network::{Link, Network, NsId, Route, TopologyError};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

/// The node's end of its pods' network.
#[derive(Clone, Debug)]
pub struct Cni {
    host: NsId,
    bridge: String,
    range: Ipv4Net,
    /// Addresses given out, by their place in the range.
    given: BTreeSet<u32>,
    last: u32,
    /// Why no pod can be connected.
    broken: Option<String>,
    /// The configuration is there.
    built: bool,
    /// Pods are reached by routes of their own, not over the bridge.
    routed: bool,
}

/// Where pods send everything that have routes of their own: an address that is nowhere, for which
/// the node's end of the cable answers.
const LINK_LOCAL: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

/// What containerd says before there is a configuration.
const NOT_INITIALIZED: &str = "cni plugin not initialized";

/// The place of the bridge's address in the range.
const GATEWAY: u32 = 1;

impl Cni {
    /// The plugin of a node. If the node's range is known, its bridge is built; otherwise pods wait
    /// for [`Cni::configure`].
    pub fn new(config: &NodeConfig, host: NsId, network: &mut Network) -> Self {
        let mut cni = Cni {
            host,
            bridge: config.bridge.clone(),
            range: Ipv4Net::default(),
            given: BTreeSet::new(),
            last: GATEWAY,
            broken: Some(NOT_INITIALIZED.to_owned()),
            built: false,
            routed: false,
        };
        if !config.pod_cidr.is_empty() {
            cni.configure(&config.pod_cidr, network);
        }
        cni
    }

    /// Takes a range into use, as a file in `/etc/cni/net.d` does, and builds the bridge in the
    /// node's own namespace. What goes wrong is told when a pod is to be connected.
    pub fn configure(&mut self, range: &str, network: &mut Network) {
        let parsed = match range.parse::<Ipv4Net>() {
            Ok(parsed) => parsed,
            Err(_) => {
                self.broken = Some(format!("invalid CIDR address: {range}"));
                return;
            }
        };
        if self.built {
            return;
        }
        self.range = parsed;
        self.broken = self.build_bridge(network).err().map(|error| error.to_string());
        self.built = self.broken.is_none();
    }

    /// Takes a range into use as Calico's plugin does: no bridge, and a route for each pod. Pods that
    /// have their network keep it.
    ///
    /// Upstream: `cni-plugin/pkg/dataplane/linux/dataplane_linux.go` of Calico.
    pub fn route(&mut self, range: &str) {
        let Ok(range) = range.parse::<Ipv4Net>() else {
            self.broken = Some(format!("invalid CIDR address: {range}"));
            return;
        };
        if !self.routed {
            (self.range, self.last) = (range, 0);
            (self.broken, self.built, self.routed) = (None, true, true);
        }
    }

    /// How the names of the node's ends of cables begin.
    pub fn device(&self) -> &'static str {
        if self.routed { "cali" } else { "veth" }
    }

    /// Whether a configuration is there.
    pub fn is_ready(&self) -> bool {
        self.built
    }

    fn build_bridge(&self, network: &mut Network) -> Result<(), TopologyError> {
        network.add_bridge(self.host, &self.bridge)?;
        network.add_address(self.host, &self.bridge, self.net(GATEWAY))
    }

    /// Connects a pod's namespace; gives its address.
    pub fn add(
        &mut self,
        network: &mut Network,
        pod: NsId,
        veth: &str,
    ) -> Result<Ipv4Addr, String> {
        if let Some(why) = &self.broken {
            return Err(why.clone());
        }
        let place = self.free().ok_or_else(|| {
            let range = self.range;
            format!(
                "failed to allocate for range 0: no IP addresses available in range set: {range}"
            )
        })?;
        self.connect(network, pod, veth, place).map_err(|error| error.to_string())?;
        self.given.insert(place);
        self.last = place;
        Ok(self.address(place))
    }

    /// Takes an address back.
    pub fn del(&mut self, ip: Ipv4Addr) {
        self.given.remove(&u32::from(ip).wrapping_sub(u32::from(self.range.network())));
    }

    fn connect(
        &self,
        network: &mut Network,
        pod: NsId,
        veth: &str,
        place: u32,
    ) -> Result<(), TopologyError> {
        network.add_veth((self.host, veth), (pod, "eth0"), Link::LOCAL)?;
        if self.routed {
            return self.lay_route(network, pod, veth, self.address(place));
        }
        network.set_master(self.host, veth, &self.bridge)?;
        network.add_address(pod, "eth0", self.net(place))?;
        network.add_route(
            pod,
            Route {
                to: IpNet::V4(Ipv4Net::default()),
                via: Some(IpAddr::V4(self.address(GATEWAY))),
                dev: "eth0".to_owned(),
                src: None,
            },
        )
    }

    fn lay_route(
        &self,
        network: &mut Network,
        pod: NsId,
        veth: &str,
        ip: Ipv4Addr,
    ) -> Result<(), TopologyError> {
        let route = |to: IpNet, via: Option<Ipv4Addr>, dev: &str| Route {
            to,
            via: via.map(IpAddr::V4),
            dev: dev.to_owned(),
            src: None,
        };
        let own = IpNet::V4(Ipv4Net::from(ip));
        let gateway = IpNet::V4(Ipv4Net::from(LINK_LOCAL));
        network.set_proxy_arp(self.host, veth, true)?;
        network.add_route(self.host, route(own, None, veth))?;
        network.add_address(pod, "eth0", own)?;
        network.add_route(pod, route(gateway, None, "eth0"))?;
        network.add_route(pod, route(IpNet::V4(Ipv4Net::default()), Some(LINK_LOCAL), "eth0"))
    }

    /// The next free place after the one given last; around the end to the beginning.
    fn free(&self) -> Option<u32> {
        let size = u32::from(self.range.broadcast()) - u32::from(self.range.network());
        let first = if self.routed { GATEWAY } else { GATEWAY + 1 };
        let places = (self.last + 1..size).chain(first..=self.last.min(size - 1));
        places.into_iter().find(|place| !self.given.contains(place))
    }

    fn address(&self, place: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.range.network()).wrapping_add(place))
    }

    fn net(&self, place: u32) -> IpNet {
        let net = Ipv4Net::new(self.address(place), self.range.prefix_len());
        IpNet::V4(net.unwrap_or(self.range))
    }
}
