//! `ip`: addresses, links, routes and neighbours, as iproute2 and Busybox print them.
//!
//! Upstream: `ip/ipaddress.c`, `ip/iproute.c` of iproute2 6.1; `networking/libiproute` of Busybox.

use super::ip_change;
use crate::programs::tool::Out;
use crate::{Cap, Sys};
use naru_network::{InterfaceInfo, InterfaceKind, IpNet, Network, NsId, Route, Tunnel};
use std::net::IpAddr;

/// Whose words are used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flavor {
    Iproute,
    Busybox,
}

#[derive(Clone, Copy)]
struct Look<'a> {
    network: &'a Network,
    ns: NsId,
    flavor: Flavor,
    /// `-4`, `-6`
    family: Option<bool>,
    brief: bool,
}

/// `ip [-4|-6] [-br] OBJECT [COMMAND]` of iproute2.
pub fn iproute(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    run(sys, args, out, Flavor::Iproute)
}

/// The same of Busybox.
pub fn busybox(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    run(sys, args, out, Flavor::Busybox)
}

const USAGE: &str = "Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }\n\
                     where  OBJECT := { address | link | neighbour | route }\n       \
                     OPTIONS := { -4 | -6 | -br[ief] }";

fn run(sys: &mut dyn Sys, args: &[String], out: &mut Out, flavor: Flavor) -> i32 {
    let (mut family, mut brief, mut words) = (None, false, Vec::new());
    for arg in args.iter().map(String::as_str) {
        match arg {
            "-4" | "-6" if words.is_empty() => family = Some(arg == "-4"),
            "-br" | "-brief" if words.is_empty() => brief = true,
            "-c" | "-color" | "-o" | "-oneline" if words.is_empty() => {}
            option if option.starts_with('-') && words.is_empty() => {
                out.error(format!("Option \"{option}\" is unknown, try \"ip -help\"."));
                return 255;
            }
            word => words.push(word),
        }
    }
    let Some((object, rest)) = words.split_first() else {
        out.error(USAGE);
        return 255;
    };
    let may = sys.caps().has(Cap::NetAdmin);
    let Some((network, ns)) = sys.net().and_then(|net| net.administer()) else {
        out.error("Cannot open netlink socket: Operation not permitted");
        return 1;
    };
    if ip_change::is_change(rest) {
        let objects = ["address", "link", "route", "neighbour"];
        let known = objects.into_iter().find(|known| is_short(known, object));
        let object = known.unwrap_or(object);
        let changed = match may {
            true => ip_change::change(network, ns, object, rest),
            false => Err(refused(object, flavor)),
        };
        return match changed {
            Ok(()) => 0,
            Err((message, code)) => {
                out.error(message);
                code
            }
        };
    }
    let look = Look { network, ns, flavor, family, brief };
    let rest = match rest.split_first() {
        Some((first, more)) if is_short("show", first) || is_short("list", first) => more,
        _ => rest,
    };
    let answer = match *object {
        object if is_short("address", object) => look.addresses(rest),
        object if is_short("link", object) => look.links(rest),
        object if is_short("route", object) => look.routes(rest),
        object if is_short("neighbour", object) || object == "neigh" => Ok(look.neighbours()),
        other => Err((format!("Object \"{other}\" is unknown, try \"ip help\"."), 1)),
    };
    match answer {
        Ok(text) => {
            out.put(text);
            0
        }
        Err((message, code)) => {
            out.error(message);
            code
        }
    }
}

/// What is said to who may not change anything.
fn refused(object: &str, flavor: Flavor) -> (String, i32) {
    match (flavor, object) {
        (Flavor::Iproute, _) => ("RTNETLINK answers: Operation not permitted".to_owned(), 2),
        (Flavor::Busybox, "link") => ("ip: SIOCSIFFLAGS: Operation not permitted".to_owned(), 1),
        (Flavor::Busybox, _) => ("ip: RTNETLINK answers: Operation not permitted".to_owned(), 2),
    }
}

/// Words may be cut short: `ip a`, `ip addr`.
fn is_short(word: &str, given: &str) -> bool {
    !given.is_empty() && word.starts_with(given)
}

type Printed = Result<String, (String, i32)>;

impl Look<'_> {
    fn interfaces(&self, rest: &[&str]) -> Result<Vec<InterfaceInfo>, (String, i32)> {
        let all = self.network.interfaces(self.ns);
        let wanted = match rest {
            [] => return Ok(all),
            ["dev", name] | [name] => *name,
            [other, ..] => {
                let message = format!("Command \"{other}\" is unknown, try \"ip address help\".");
                return Err((message, 255));
            }
        };
        let found: Vec<InterfaceInfo> = all.into_iter().filter(|it| &*it.name == wanted).collect();
        match found.is_empty() {
            false => Ok(found),
            true if self.flavor == Flavor::Busybox => {
                Err((format!("ip: can't find device '{wanted}'"), 1))
            }
            true => Err((format!("Device \"{wanted}\" does not exist."), 1)),
        }
    }

    fn addresses(&self, rest: &[&str]) -> Printed {
        let mut out = String::new();
        for interface in self.interfaces(rest)? {
            let fits = |net: &&IpNet| self.family.is_none_or(|v4| net.addr().is_ipv4() == v4);
            let mut shown = interface.addresses.iter().filter(fits).peekable();
            if self.family.is_some() && shown.peek().is_none() {
                continue;
            }
            if self.brief {
                let all: Vec<String> = shown.map(ToString::to_string).collect();
                out += &format!("{}{} \n", self.brief_head(&interface), all.join(" "));
                continue;
            }
            out += &self.head(&interface);
            if self.family.is_none() {
                out += &self.hardware(&interface);
            }
            for net in shown {
                out += &self.address(&interface, net);
            }
        }
        Ok(out)
    }

    fn address(&self, interface: &InterfaceInfo, net: &IpNet) -> String {
        let name = &interface.name;
        let scope = if net.addr().is_loopback() { "host" } else { "global" };
        let line = match net {
            IpNet::V4(v4) => {
                let plain = v4.prefix_len() == 32 || net.addr().is_loopback();
                let brd = if plain { String::new() } else { format!("brd {} ", v4.broadcast()) };
                format!("    inet {net} {brd}scope {scope} {name}\n")
            }
            IpNet::V6(_) => format!("    inet6 {net} scope {scope} \n"),
        };
        line + "       valid_lft forever preferred_lft forever\n"
    }

    fn links(&self, rest: &[&str]) -> Printed {
        let mut out = String::new();
        for interface in self.interfaces(rest)? {
            out += &match self.brief {
                true => {
                    let mac = hardware_address(&interface);
                    format!("{}{mac} {} \n", self.brief_head(&interface), flags(&interface))
                }
                false => self.head(&interface) + &self.hardware(&interface),
            };
        }
        Ok(out)
    }

    /// `eth0@if7         UP             `
    fn brief_head(&self, interface: &InterfaceInfo) -> String {
        format!("{:<16} {:<14} ", long_name(interface), state(interface))
    }

    fn head(&self, interface: &InterfaceInfo) -> String {
        let (index, name) = (interface.index.0, long_name(interface));
        let mtu = match interface.kind {
            InterfaceKind::Loopback => 65_536,
            InterfaceKind::Tunnel(Tunnel::Vxlan { .. }) => 1_450,
            InterfaceKind::Tunnel(Tunnel::IpIp) => 1_480,
            InterfaceKind::Bridge | InterfaceKind::Veth { .. } => 1_500,
        };
        let master = interface.master.as_ref().map(|it| format!("master {it} "));
        let master = master.unwrap_or_default();
        let flags = flags(interface);
        match self.flavor {
            Flavor::Busybox => {
                format!("{index}: {name}: {flags} mtu {mtu} qdisc noqueue {master}qlen 1000\n")
            }
            Flavor::Iproute => {
                let mode = if self.brief { "" } else { "group default " };
                let state = state(interface);
                // A tunnel has no queue of its own.
                let queue = match interface.kind {
                    InterfaceKind::Tunnel(_) => "",
                    _ => "qlen 1000",
                };
                format!(
                    "{index}: {name}: {flags} mtu {mtu} qdisc noqueue {master}state {state} \
                     {mode}{queue}\n"
                )
            }
        }
    }

    fn hardware(&self, interface: &InterfaceInfo) -> String {
        let (kind, brd) = match interface.kind {
            InterfaceKind::Loopback => ("loopback", "00:00:00:00:00:00"),
            InterfaceKind::Tunnel(Tunnel::IpIp) => ("ipip", "0.0.0.0"),
            _ => ("ether", "ff:ff:ff:ff:ff:ff"),
        };
        let netns = match interface.kind {
            InterfaceKind::Veth { peer: (ns, _) }
                if ns != self.ns && self.flavor == Flavor::Iproute =>
            {
                format!(" link-netnsid {}", self.netns_number(ns))
            }
            _ => String::new(),
        };
        format!("    link/{kind} {} brd {brd}{netns}\n", hardware_address(interface))
    }

    /// Other namespaces are numbered in the order in which a cable first led to them.
    fn netns_number(&self, ns: NsId) -> usize {
        let mut seen: Vec<NsId> = Vec::new();
        for interface in self.network.interfaces(self.ns) {
            if let InterfaceKind::Veth { peer: (other, _) } = interface.kind
                && other != self.ns
                && !seen.contains(&other)
            {
                seen.push(other);
            }
        }
        seen.iter().position(|other| *other == ns).unwrap_or_default()
    }

    fn routes(&self, rest: &[&str]) -> Printed {
        let v4 = self.family != Some(false);
        let routes = self.network.routes(self.ns);
        let routes = routes.iter().filter(|route| route.to.addr().is_ipv4() == v4);
        match rest {
            [] => Ok(routes.map(|route| self.route(route)).collect()),
            ["dev", name] => {
                Ok(routes.filter(|it| it.dev == *name).map(|it| self.route(it)).collect())
            }
            ["get", to, ..] => self.route_to(to),
            [other, ..] => {
                Err((format!("Command \"{other}\" is unknown, try \"ip route help\"."), 255))
            }
        }
    }

    fn route(&self, route: &Route) -> String {
        let to = match route.to.prefix_len() {
            0 => "default".to_owned(),
            length if length == route.to.max_prefix_len() => route.to.addr().to_string(),
            _ => route.to.to_string(),
        };
        let via = route.via.map(|via| format!("via {via} ")).unwrap_or_default();
        let dev = &route.dev;
        let rest = match (route.via, route.src, self.flavor) {
            (None, Some(src), Flavor::Iproute) => format!("proto kernel scope link src {src} "),
            (None, Some(src), Flavor::Busybox) => format!("scope link  src {src} "),
            (None, None, _) => "scope link ".to_owned(),
            (Some(_), Some(src), _) => format!("src {src} "),
            (Some(_), None, _) => self.over_tunnel(dev).to_owned(),
        };
        format!("{to} {via}dev {dev} {rest}\n")
    }

    /// Next hops beyond a tunnel are on no link of this host. IP in IP is what BIRD sets up.
    fn over_tunnel(&self, dev: &str) -> &'static str {
        let interfaces = self.network.interfaces(self.ns);
        match interfaces.iter().find(|it| *it.name == *dev).map(|it| it.kind) {
            Some(InterfaceKind::Tunnel(Tunnel::IpIp)) => "proto bird onlink ",
            Some(InterfaceKind::Tunnel(Tunnel::Vxlan { .. })) => "onlink ",
            _ => "",
        }
    }

    fn route_to(&self, to: &str) -> Printed {
        let wrong = || (format!("Error: any valid prefix is expected rather than \"{to}\"."), 1);
        let ip: IpAddr = to.parse().map_err(|_| wrong())?;
        let interfaces = self.network.interfaces(self.ns);
        let own = |net: &IpNet| net.addr() == ip;
        let end = match self.flavor {
            Flavor::Iproute => "uid 0 \n    cache ",
            Flavor::Busybox => "",
        };
        if interfaces.iter().any(|interface| interface.addresses.iter().any(own)) {
            return Ok(format!("local {ip} dev lo src {ip} {end}\n"));
        }
        let routes = self.network.routes(self.ns);
        let fits = routes.iter().filter(|route| route.to.contains(&ip));
        let Some(route) = fits.max_by_key(|route| route.to.prefix_len()) else {
            return Err(("RTNETLINK answers: Network is unreachable".to_owned(), 2));
        };
        let via = route.via.map(|via| format!("via {via} ")).unwrap_or_default();
        let device = interfaces.iter().find(|interface| *interface.name == *route.dev);
        let first = device.and_then(|it| it.addresses.iter().find(|n| n.addr().is_ipv4()));
        let src = route.src.or_else(|| first.map(IpNet::addr));
        let src = src.map(|src| format!("src {src} ")).unwrap_or_default();
        Ok(format!("{ip} {via}dev {} {src}{end}\n", route.dev))
    }

    /// Who is at the other end of a cable, or of a cable of a bridge, with an address that is
    /// reached directly.
    fn neighbours(&self) -> String {
        let interfaces = self.network.interfaces(self.ns);
        let mut out = String::new();
        for port in &interfaces {
            let InterfaceKind::Veth { peer: (ns, index) } = port.kind else { continue };
            let dev = port.master.as_ref().unwrap_or(&port.name);
            let others = self.network.interfaces(ns);
            let Some(other) = others.iter().find(|other| other.index == index) else { continue };
            let on_link = |ip: IpAddr| {
                let routes = self.network.routes(self.ns);
                routes.iter().any(|r| r.via.is_none() && *r.dev == **dev && r.to.contains(&ip))
            };
            for ip in other.addresses.iter().map(IpNet::addr).filter(|ip| on_link(*ip)) {
                out += &format!("{ip} dev {dev} lladdr {} REACHABLE \n", other.mac);
            }
        }
        out
    }
}

fn is_loopback(interface: &InterfaceInfo) -> bool {
    interface.kind == InterfaceKind::Loopback
}

fn hardware_address(interface: &InterfaceInfo) -> String {
    match interface.kind {
        InterfaceKind::Loopback => "00:00:00:00:00:00".to_owned(),
        InterfaceKind::Tunnel(Tunnel::IpIp) => "0.0.0.0".to_owned(),
        _ => interface.mac.to_string(),
    }
}

fn long_name(interface: &InterfaceInfo) -> String {
    match interface.kind {
        InterfaceKind::Veth { peer: (_, index) } => format!("{}@if{}", interface.name, index.0),
        InterfaceKind::Tunnel(Tunnel::IpIp) => format!("{}@NONE", interface.name),
        _ => interface.name.to_string(),
    }
}

fn flags(interface: &InterfaceInfo) -> &'static str {
    if interface.kind == InterfaceKind::Tunnel(Tunnel::IpIp) {
        return "<NOARP,UP,LOWER_UP>";
    }
    match (is_loopback(interface), interface.up) {
        (true, _) => "<LOOPBACK,UP,LOWER_UP>",
        (false, true) => "<BROADCAST,MULTICAST,UP,LOWER_UP>",
        (false, false) => "<NO-CARRIER,BROADCAST,MULTICAST,UP>",
    }
}

fn state(interface: &InterfaceInfo) -> &'static str {
    match (
        matches!(interface.kind, InterfaceKind::Loopback | InterfaceKind::Tunnel(_)),
        interface.up,
    ) {
        (true, _) => "UNKNOWN",
        (false, true) => "UP",
        (false, false) => "LOWERLAYERDOWN",
    }
}
