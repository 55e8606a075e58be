//! Routing tables: where a packet goes next.

use crate::limits;
use crate::link::IfIndex;
use ipnet::IpNet;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A route, as `ip route` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The destinations; `0.0.0.0/0` is the default route.
    pub to: IpNet,
    /// The router to hand packets to; `None` when the destinations are on the link itself.
    pub via: Option<IpAddr>,
    /// The interface's name.
    pub dev: String,
    /// The source address for packets that have none yet.
    pub src: Option<IpAddr>,
}

/// Routes by their destinations, with the interfaces that they lead over.
type Routes = BTreeMap<IpAddr, Box<(Route, IfIndex)>>;

/// A routing table: the longest prefix wins. Two routes with one prefix: the later replaces.
#[derive(Clone, Debug, Default)]
pub(crate) struct RouteTable {
    by_length: BTreeMap<Reverse<u8>, Routes>,
    count: usize,
}

impl RouteTable {
    /// Adds a route over this interface; false when the table is full.
    pub fn add(&mut self, route: Route, iface: IfIndex) -> bool {
        if self.count >= limits::ROUTES_MAX {
            return false;
        }
        let routes = self.by_length.entry(Reverse(route.to.prefix_len())).or_default();
        if routes.insert(route.to.network(), Box::new((route, iface))).is_none() {
            self.count += 1;
        }
        true
    }

    /// The route of a prefix.
    pub fn get(&self, to: &IpNet) -> Option<&Route> {
        let routes = self.by_length.get(&Reverse(to.prefix_len()))?;
        routes.get(&to.network()).map(|route| &route.0)
    }

    /// Takes out the route of a prefix.
    pub fn remove(&mut self, to: &IpNet) -> Option<Route> {
        let length = Reverse(to.prefix_len());
        let routes = self.by_length.get_mut(&length)?;
        let removed = routes.remove(&to.network())?;
        if routes.is_empty() {
            self.by_length.remove(&length);
        }
        self.count -= 1;
        Some(removed.0)
    }

    /// Takes out every route over an interface.
    pub fn remove_iface(&mut self, iface: IfIndex) {
        for routes in self.by_length.values_mut() {
            routes.retain(|_, route| route.1 != iface);
        }
        self.by_length.retain(|_, routes| !routes.is_empty());
        self.count = self.by_length.values().map(Routes::len).sum();
    }

    /// The route for a destination, and its interface.
    pub fn lookup(&self, dst: IpAddr) -> Option<&(Route, IfIndex)> {
        self.by_length.iter().find_map(|(Reverse(length), routes)| {
            let network = IpNet::new(dst, *length).ok()?.network();
            routes.get(&network).map(Box::as_ref)
        })
    }

    /// All routes: the default route first, then by destination, as `ip route` lists them.
    pub fn list(&self) -> Vec<Route> {
        let mut routes: Vec<Route> =
            self.by_length.values().flat_map(Routes::values).map(|route| route.0.clone()).collect();
        routes.sort_by_key(|route| (route.to.prefix_len() != 0, route.to));
        routes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(to: &str, dev: &str) -> Route {
        Route { to: to.parse().unwrap(), via: None, dev: dev.into(), src: None }
    }

    #[test]
    fn the_longest_prefix_wins() {
        let mut table = RouteTable::default();
        for (to, dev) in
            [("0.0.0.0/0", "a"), ("10.0.0.0/8", "b"), ("10.1.0.0/16", "c"), ("::/0", "d")]
        {
            assert!(table.add(route(to, dev), IfIndex(u32::from(dev.as_bytes()[0]))));
        }
        for (dst, dev) in [("1.1.1.1", "a"), ("10.9.9.9", "b"), ("10.1.2.3", "c"), ("fd00::1", "d")]
        {
            assert_eq!(table.lookup(dst.parse().unwrap()).unwrap().0.dev, dev, "{dst}");
        }
        table.remove_iface(IfIndex(u32::from(b'a')));
        assert!(table.lookup("1.1.1.1".parse().unwrap()).is_none());
        assert_eq!(table.list().len(), 3);
    }
}
