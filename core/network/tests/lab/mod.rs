//! Two hosts with a bridge and pods each, and a service as kube-proxy would write it.

#![allow(dead_code, reason = "not every suite uses all of it")]

use naru_network::*;
use naru_sim::{CauseId, Rng, Time};
use std::net::{IpAddr, SocketAddr};

pub struct Lab {
    pub net: Network,
    pub now: Time,
    pub switch: NsId,
    pub hosts: [NsId; 2],
    /// 10.244.1.2, 10.244.1.3 on the first host; 10.244.2.2, 10.244.2.3 on the second.
    pub pods: [[NsId; 2]; 2],
}

pub fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub fn lab(seed: u64) -> Lab {
    let mut net = Network::new(Rng::new(seed));
    let switch = net.add_namespace("switch");
    net.add_bridge(switch, "br0").unwrap();
    let hosts = [1, 2].map(|host| {
        let ns = net.add_namespace(&format!("host{host}"));
        let port = format!("port{host}");
        net.add_veth((switch, &port), (ns, "eth0"), Link::LAN).unwrap();
        net.set_master(switch, &port, "br0").unwrap();
        net.add_address(ns, "eth0", format!("172.18.0.{}/16", host + 1).parse().unwrap()).unwrap();
        net.add_bridge(ns, "cni0").unwrap();
        net.add_address(ns, "cni0", format!("10.244.{host}.1/24").parse().unwrap()).unwrap();
        let other = 3 - host;
        let via: IpAddr = format!("172.18.0.{}", other + 1).parse().unwrap();
        let to = format!("10.244.{other}.0/24").parse().unwrap();
        net.add_route(ns, Route { to, via: Some(via), dev: "eth0".into(), src: None }).unwrap();
        let via = Some("172.18.0.1".parse().unwrap());
        let default = "0.0.0.0/0".parse().unwrap();
        net.add_route(ns, Route { to: default, via, dev: "eth0".into(), src: None }).unwrap();
        ns
    });
    let pods = [0, 1].map(|host| {
        [2, 3].map(|pod| {
            let ns = net.add_namespace(&format!("pod{}{pod}", host + 1));
            let veth = format!("veth{pod}");
            net.add_veth((hosts[host], &veth), (ns, "eth0"), Link::LOCAL).unwrap();
            net.set_master(hosts[host], &veth, "cni0").unwrap();
            let ip = format!("10.244.{}.{pod}/24", host + 1);
            net.add_address(ns, "eth0", ip.parse().unwrap()).unwrap();
            let via = Some(format!("10.244.{}.1", host + 1).parse().unwrap());
            let to = "0.0.0.0/0".parse().unwrap();
            net.add_route(ns, Route { to, via, dev: "eth0".into(), src: None }).unwrap();
            net.set_forwarding(ns, false).unwrap();
            ns
        })
    });
    Lab { net, now: Time::ZERO, switch, hosts, pods }
}

/// A service at 10.96.0.7:80 with these pods' port 8080, as kube-proxy writes it.
pub fn service(lab: &mut Lab, backends: &[&str]) {
    let mut text = String::from(
        "*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n:KUBE-POSTROUTING - [0:0]\n\
         :KUBE-SVC-X - [0:0]\n\
         -A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n\
         -A OUTPUT -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n\
         -A POSTROUTING -j KUBE-POSTROUTING\n\
         -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN\n\
         -A KUBE-POSTROUTING -j MARK --xor-mark 0x4000\n\
         -A KUBE-POSTROUTING -j MASQUERADE --random-fully\n\
         -A KUBE-MARK-MASQ -j MARK --or-mark 0x4000\n\
         -A KUBE-SERVICES -d 10.96.0.7/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-X\n\
         -A KUBE-SVC-X ! -s 10.244.0.0/16 -d 10.96.0.7/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ\n",
    );
    for (index, ip) in backends.iter().enumerate() {
        let left = backends.len() - index;
        let random = match left {
            1 => String::new(),
            left => {
                format!("-m statistic --mode random --probability {:.10} ", 1.0 / left as f64)
            }
        };
        text += &format!(
            ":KUBE-SEP-{index} - [0:0]\n-A KUBE-SVC-X {random}-j KUBE-SEP-{index}\n\
             -A KUBE-SEP-{index} -s {ip}/32 -j KUBE-MARK-MASQ\n\
             -A KUBE-SEP-{index} -p tcp -m tcp -j DNAT --to-destination {ip}:8080\n"
        );
    }
    text += "COMMIT\n";
    for host in lab.hosts {
        lab.net.netfilter(host).unwrap().restore(&text, true).unwrap();
    }
}

impl Lab {
    pub fn call(&self) -> Call {
        Call { now: self.now, cause: CauseId(9) }
    }

    pub fn run(&mut self, millis: u64) {
        self.now = Time::from_micros(self.now.as_micros() + millis * 1_000);
        self.net.advance(self.now);
    }

    pub fn connect(&mut self, from: NsId, to: &str) -> SockId {
        let call = self.call();
        self.net.tcp_connect(from, at(to), call).unwrap()
    }

    pub fn listen_everywhere(&mut self) -> Vec<SockId> {
        let pods: Vec<NsId> = self.pods.iter().flatten().copied().collect();
        pods.iter().map(|pod| self.net.tcp_listen(*pod, at("0.0.0.0:8080")).unwrap()).collect()
    }

    /// Sends `text` from one socket and reads it at another.
    pub fn pass(&mut self, from: SockId, to: SockId, text: &str) {
        let call = self.call();
        assert_eq!(self.net.send(from, text.as_bytes(), call), Ok(text.len()));
        self.run(10);
        let call = self.call();
        assert_eq!(self.net.recv(to, 1_000, call), Ok(text.as_bytes().to_vec()));
    }

    pub fn fate_of_last(&self, content: &str) -> Outcome {
        let traces = self.net.traces_after(TraceId(0));
        let found = traces.filter(|trace| trace.content.to_string().contains(content)).last();
        found.unwrap().outcome
    }
}
