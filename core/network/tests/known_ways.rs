//! Packets on known ways leave what they would have left hop by hop.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod lab;

use lab::{Lab, at, lab, service};
use naru_network::*;
use naru_sim::{Rng, Time};
use std::time::Duration;

/// Two networks that live through the same, one with known ways and one without.
struct Twins {
    labs: [Lab; 2],
    /// Open connections.
    sockets: Vec<SockId>,
    listeners: Vec<SockId>,
    seen: [TraceId; 2],
}

impl Twins {
    fn new(seed: u64) -> Twins {
        let labs = [true, false].map(|known| {
            let mut lab = lab(seed);
            service(&mut lab, &["10.244.1.3", "10.244.2.2", "10.244.2.3"]);
            lab.net.set_known_ways(known);
            lab
        });
        let mut twins =
            Twins { labs, sockets: Vec::new(), listeners: Vec::new(), seen: [TraceId(0); 2] };
        twins.listeners = twins.both(Lab::listen_everywhere);
        twins
    }

    /// Does the same to both; it must come to the same.
    fn both<T: PartialEq + std::fmt::Debug>(&mut self, mut act: impl FnMut(&mut Lab) -> T) -> T {
        let [one, other] = &mut self.labs;
        let (one, other) = (act(one), act(other));
        assert_eq!(one, other);
        one
    }

    fn pass(&mut self, micros: u64) {
        self.both(|lab| {
            lab.now = Time::from_micros(lab.now.as_micros() + micros);
            lab.net.advance(lab.now);
            lab.net.take_wakes()
        });
    }

    /// What programs can see: of every socket, and of connections that have come.
    fn serve(&mut self) {
        for listener in self.listeners.clone() {
            while let Ok((socket, _)) = self.both(|lab| lab.net.accept(listener)) {
                self.sockets.push(socket);
            }
        }
        for socket in self.sockets.clone() {
            let _ = self.both(|lab| {
                let call = lab.call();
                (lab.net.connected(socket), lab.net.recv(socket, 5_000, call))
            });
        }
    }

    /// The ways of all packets, finished or not.
    fn compare_traces(&mut self) {
        let [one, other] = [0, 1].map(|index| {
            let lab = &self.labs[index];
            let traces = lab.net.traces_after(self.seen[index]);
            traces.map(|trace| format!("{trace:?}")).collect::<Vec<_>>()
        });
        assert_eq!(one.len(), other.len());
        for (one, other) in one.iter().zip(&other) {
            assert_eq!(one, other);
        }
    }

    fn compare_hosts(&mut self) {
        for host in self.labs[0].hosts {
            self.both(|lab| {
                let entries: Vec<String> =
                    lab.net.conntrack(host).map(|entry| format!("{entry:?}")).collect();
                (entries, lab.net.netfilter(host).unwrap().save(None, true))
            });
        }
    }

    fn act(&mut self, rng: &mut Rng) {
        let host = rng.below(2) as usize;
        let pod = rng.below(2) as usize;
        match rng.below(40) {
            0..=9 => {
                let to = ["10.96.0.7:80", "10.244.2.2:8080", "10.244.1.3:8080", "172.18.0.3:8080"]
                    [rng.below(4) as usize];
                let socket = self.both(|lab| {
                    let call = lab.call();
                    let from = if pod == 0 { lab.pods[host][0] } else { lab.hosts[host] };
                    lab.net.tcp_connect(from, at(to), call)
                });
                self.sockets.extend(socket);
            }
            10..=24 if !self.sockets.is_empty() => {
                let socket = self.sockets[rng.below(self.sockets.len() as u64) as usize];
                let text = vec![b'a'; rng.below(4_000) as usize];
                let _ = self.both(|lab| {
                    let call = lab.call();
                    lab.net.send(socket, &text, call)
                });
            }
            25..=28 if !self.sockets.is_empty() => {
                let index = rng.below(self.sockets.len() as u64) as usize;
                let socket = self.sockets.swap_remove(index);
                self.both(|lab| {
                    let call = lab.call();
                    lab.net.close(socket, call);
                });
            }
            29 => {
                let up = rng.below(3) > 0;
                let _ = self.both(|lab| lab.net.set_link(lab.hosts[host], "eth0", up));
            }
            30 => {
                let latency = Duration::from_micros(20 + rng.below(3_000));
                let loss = if rng.below(4) == 0 { 0.2 } else { 0.0 };
                let _ = self.both(|lab| {
                    let quality = Link { latency, loss };
                    lab.net.set_link_quality(lab.hosts[host], "eth0", quality)
                });
            }
            31..=32 => {
                let rule = [
                    "-A FORWARD -p tcp --sport 40000 -j DROP",
                    "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
                    "-I FORWARD -p tcp --dport 8080 -m comment --comment seen",
                    "-A FORWARD -m statistic --mode random --probability 0.02 -j DROP",
                    "-F FORWARD",
                ][rng.below(5) as usize];
                self.both(|lab| {
                    let rules = lab.net.netfilter(lab.hosts[host]).unwrap();
                    rules.command(netfilter::TableName::Filter, rule).is_ok()
                });
            }
            33 => drop(self.both(|lab| lab.net.conntrack_delete(lab.hosts[host], |_| true))),
            34 => {
                let on = rng.below(3) > 0;
                let _ = self.both(|lab| lab.net.set_forwarding(lab.hosts[host], on));
            }
            35 => self.compare_hosts(),
            _ => self.serve(),
        }
    }
}

#[test]
fn whatever_happens_known_ways_make_no_difference() {
    for seed in 1..=4 {
        let mut twins = Twins::new(seed);
        let mut rng = Rng::new(seed).fork("acts");
        for step in 0..600 {
            twins.act(&mut rng);
            let long = rng.below(20) == 0;
            twins.pass(if long { 2_000_000 } else { rng.below(300) });
            if step % 4 == 0 {
                twins.compare_traces();
            }
            twins.seen = [0, 1].map(|index| {
                let last = twins.labs[index].net.last_trace();
                TraceId(last.0.saturating_sub(100))
            });
        }
        twins.serve();
        twins.compare_traces();
        twins.compare_hosts();
    }
}

/// Connects, asks and answers often enough for the ways to be known.
fn talk(lab: &mut Lab, listener: SockId, times: usize) -> (SockId, SockId) {
    let client = lab.connect(lab.pods[0][0], "10.96.0.7:80");
    lab.run(5);
    let (server, _) = lab.net.accept(listener).unwrap();
    for _ in 0..times {
        lab.pass(client, server, "ask");
        lab.pass(server, client, "answer");
    }
    (client, server)
}

#[test]
fn a_cut_cable_loses_what_is_on_its_way_and_a_mended_one_lets_it_pass() {
    let mut lab = lab(1);
    service(&mut lab, &["10.244.2.2"]);
    let listener = lab.listen_everywhere()[2];
    let (client, server) = talk(&mut lab, listener, 3);
    let call = lab.call();
    lab.net.send(client, b"lost", call).unwrap();
    let sent = lab.net.last_trace();
    lab.net.set_present(Time::from_micros(lab.now.as_micros() + 100));
    lab.net.set_link(lab.hosts[1], "eth0", false).unwrap();
    lab.run(10);
    let trace = lab.net.traces_after(TraceId(sent.0 - 1)).next().unwrap();
    assert_eq!(trace.outcome, Outcome::Dropped(Drop::LinkDown));
    assert_eq!(&*trace.hops.last().unwrap().host, "switch");
    lab.net.set_link(lab.hosts[1], "eth0", true).unwrap();
    lab.run(1_000);
    let call = lab.call();
    assert_eq!(lab.net.recv(server, 100, call), Ok(b"lost".to_vec()));
}

#[test]
fn a_packet_on_a_known_way_is_seen_as_far_as_it_has_come() {
    let mut lab = lab(1);
    service(&mut lab, &["10.244.2.2"]);
    let listener = lab.listen_everywhere()[2];
    let (client, _) = talk(&mut lab, listener, 3);
    let (call, sent) = (lab.call(), lab.net.last_trace());
    lab.net.send(client, b"ask", call).unwrap();
    let hosts = |lab: &Lab| -> Vec<String> {
        let trace = lab.net.traces_after(sent).next().unwrap();
        trace.hops.iter().map(|hop| hop.host.to_string()).collect()
    };
    lab.net.set_present(Time::from_micros(lab.now.as_micros() + 40));
    assert_eq!(hosts(&lab).last().unwrap(), "host1");
    lab.run(10);
    assert_eq!(hosts(&lab).last().unwrap(), "pod22");
    let [first, later] = [1, sent.0].map(|id| lab.net.traces_after(TraceId(id)).next().unwrap());
    assert_eq!(later.outcome, Outcome::Delivered);
    assert_eq!(first.dst, later.src);
}
