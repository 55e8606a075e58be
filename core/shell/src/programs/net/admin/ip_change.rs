//! What `ip` changes: links up and down, addresses, routes.
//!
//! Upstream: `ip/iplink.c`, `ip/ipaddress.c`, `ip/iproute.c` of iproute2 6.1; `networking/libiproute`
//! of Busybox.

use naru_network::{IpNet, Network, NsId, Route, TopologyError};
use std::net::IpAddr;

/// Words after which something changes.
const VERBS: &[&str] = &["add", "append", "change", "del", "delete", "flush", "replace", "set"];

/// Whether these words after the object ask for a change.
pub fn is_change(rest: &[&str]) -> bool {
    rest.first().is_some_and(|verb| VERBS.contains(verb))
}

/// Does it. The error is what is said of it, and the exit code.
pub fn change(
    network: &mut Network,
    ns: NsId,
    object: &str,
    rest: &[&str],
) -> Result<(), (String, i32)> {
    let said = |error: TopologyError| {
        let text = error.to_string();
        let code = if text.starts_with("RTNETLINK") { 2 } else { 1 };
        (text, code)
    };
    let unknown = || {
        let words = rest.join(" ");
        (format!("ip: naru: \"{object} {words}\" is not simulated"), 1)
    };
    match (object, rest) {
        ("link", ["set", words @ ..]) => {
            let words = words.strip_prefix(&["dev"]).unwrap_or(words);
            let [name, "up" | "down"] = words else { return Err(unknown()) };
            let up = words.last() == Some(&"up");
            if !network.interfaces(ns).iter().any(|it| *it.name == **name) {
                return Err(said(TopologyError::NoInterface((*name).to_owned())));
            }
            network.set_link(ns, name, up).map_err(said)
        }
        ("address", ["add", net, "dev", name]) => {
            let net = prefix(net).ok_or_else(|| not_a_prefix(net))?;
            network.add_address(ns, name, net).map_err(said)
        }
        ("route", [verb @ ("add" | "replace" | "del" | "delete"), to, how @ ..]) => {
            let to = match *to {
                "default" => "0.0.0.0/0",
                to => to,
            };
            let to = prefix(to).ok_or_else(|| not_a_prefix(to))?;
            if verb.starts_with("del") {
                return network.del_route(ns, to).map(drop).map_err(said);
            }
            if *verb == "add" && network.route_to(ns, to).is_some() {
                return Err(said(TopologyError::Exists));
            }
            let value = |word: &str| {
                let at = how.iter().position(|other| *other == word)?;
                how.get(at + 1).copied()
            };
            let via = value("via").and_then(|ip| ip.parse::<IpAddr>().ok());
            let through = via.and_then(|ip| network.device_to(ns, ip)).map(|dev| dev.to_string());
            let Some(dev) = value("dev").map(str::to_owned).or(through) else {
                return Err(("RTNETLINK answers: Network is unreachable".to_owned(), 2));
            };
            network.add_route(ns, Route { to, via, dev, src: None }).map_err(said)
        }
        _ => Err(unknown()),
    }
}

fn prefix(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn not_a_prefix(text: &str) -> (String, i32) {
    (format!("Error: any valid prefix is expected rather than \"{text}\"."), 1)
}
