//! Two hosts with a bridge and pods each, and a service as kube-proxy would write it.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod lab;

use lab::{Lab, at, lab, service};
use naru_network::*;
use naru_sim::{CauseId, Time};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

#[test]
fn pod_to_pod_on_the_other_host_keeps_its_address() {
    let mut lab = lab(1);
    let listener = lab.listen_everywhere()[2];
    let client = lab.connect(lab.pods[0][0], "10.244.2.2:8080");
    assert_eq!(lab.net.connected(client), Err(NetError::Again));
    assert_eq!(lab.net.accept(listener), Err(NetError::Again));
    lab.run(5);
    assert_eq!(lab.net.connected(client), Ok(()));
    let (server, from) = lab.net.accept(listener).unwrap();
    assert_eq!(from.ip(), "10.244.1.2".parse::<IpAddr>().unwrap());
    lab.pass(client, server, "hello");
    lab.pass(server, client, "world");
    assert!(lab.net.take_wakes().contains(&lab.pods[1][0]));
    let call = lab.call();
    lab.net.close(client, call);
    lab.run(5);
    let call = lab.call();
    assert_eq!(lab.net.recv(server, 10, call), Ok(vec![]));
    lab.net.close(server, call);
    lab.run(5);
    assert_eq!(lab.net.recv(server, 10, call), Err(NetError::BadSocket));
    assert!(lab.net.sockets(lab.pods[0][0]).iter().all(|socket| socket.state == "LISTEN"));
}

#[test]
fn service_to_a_pod_on_the_other_host_with_every_hop_traced() {
    let mut lab = lab(1);
    service(&mut lab, &["10.244.2.2"]);
    let listener = lab.listen_everywhere()[2];
    let client = lab.connect(lab.pods[0][0], "10.96.0.7:80");
    lab.run(5);
    assert_eq!(lab.net.connected(client), Ok(()));
    let (server, from) = lab.net.accept(listener).unwrap();
    assert_eq!(from.ip(), "10.244.1.2".parse::<IpAddr>().unwrap(), "no masquerade inside");
    lab.pass(client, server, "GET / HTTP/1.1\r\n");
    lab.pass(server, client, "HTTP/1.1 200 OK\r\n");

    let traces: Vec<Arc<Trace>> = lab.net.traces_after(TraceId(0)).collect();
    let (syn, syn_ack) = (&traces[0], &traces[1]);
    assert_eq!(syn.flow, syn_ack.flow);
    assert_eq!((syn.cause, syn_ack.cause), (CauseId(9), CauseId(9)));
    assert!(traces.iter().any(|trace| trace.text.as_deref() == Some("GET / HTTP/1.1")));
    let way: Vec<String> =
        syn.hops.iter().map(|hop| format!("{} {} {}", hop.host, hop.stage, hop.iface)).collect();
    let expected = [
        "pod12 sent ",
        "pod12 link eth0",
        "host1 prerouting cni0",
        "host1 forward eth0",
        "host1 postrouting eth0",
        "host1 link eth0",
        "switch bridge br0",
        "switch link port2",
        "host2 prerouting eth0",
        "host2 forward cni0",
        "host2 postrouting cni0",
        "host2 link veth2",
        "pod22 received eth0",
    ];
    assert_eq!(way, expected);
    let dnat = &syn.hops[2];
    assert_eq!(
        dnat.rule.as_deref(),
        Some("-A KUBE-SEP-0 -p tcp -m tcp -j DNAT --to-destination 10.244.2.2:8080")
    );
    let through: Vec<&str> = dnat.through.iter().map(|rule| &**rule).collect();
    assert_eq!(
        through,
        [
            "-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES",
            "-A KUBE-SERVICES -d 10.96.0.7/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-X",
            "-A KUBE-SVC-X -j KUBE-SEP-0",
        ]
    );
    assert_eq!((dnat.before.dst, dnat.after.dst), (at("10.96.0.7:80"), at("10.244.2.2:8080")));
    let back = syn_ack.hops.iter().find(|hop| hop.remembered && hop.before != hop.after).unwrap();
    assert_eq!((&*back.host, back.after.src), ("host1", at("10.96.0.7:80")));
    assert_eq!(back.rule, dnat.rule);
}

#[test]
fn service_to_a_pod_on_the_same_bridge_and_to_itself() {
    for (backend, expected_source, listener) in
        [("10.244.1.3", "10.244.1.2", 1), ("10.244.1.2", "10.244.1.1", 0)]
    {
        let mut lab = lab(1);
        service(&mut lab, &[backend]);
        let listener = lab.listen_everywhere()[listener];
        let client = lab.connect(lab.pods[0][0], "10.96.0.7:80");
        lab.run(5);
        assert_eq!(lab.net.connected(client), Ok(()), "{backend}");
        let (server, from) = lab.net.accept(listener).unwrap();
        assert_eq!(from.ip(), expected_source.parse::<IpAddr>().unwrap());
        lab.pass(client, server, "hello");
        lab.pass(server, client, "world");
    }
}

#[test]
fn service_from_a_host_is_masqueraded() {
    let mut lab = lab(1);
    service(&mut lab, &["10.244.2.2"]);
    let listener = lab.listen_everywhere()[2];
    let client = lab.connect(lab.hosts[0], "10.96.0.7:80");
    lab.run(5);
    assert_eq!(lab.net.connected(client), Ok(()));
    let (server, from) = lab.net.accept(listener).unwrap();
    assert_eq!(from.ip(), "172.18.0.2".parse::<IpAddr>().unwrap());
    lab.pass(server, client, "hello");
    assert_eq!(lab.net.peer_addr(client), Ok(at("10.96.0.7:80")));
}

#[test]
fn nobody_listens() {
    let mut lab = lab(1);
    let client = lab.connect(lab.pods[0][0], "10.244.2.2:8080");
    lab.run(5);
    assert_eq!(lab.net.connected(client), Err(NetError::Refused));
    assert_eq!(lab.fate_of_last("[S]"), Outcome::Dropped(Drop::NoSocket));
}

#[test]
fn a_rule_rejects() {
    for (with, expected) in [
        ("icmp-port-unreachable", NetError::Refused),
        ("icmp-host-unreachable", NetError::HostUnreachable),
        ("tcp-reset", NetError::Refused),
    ] {
        let mut lab = lab(1);
        let rules = format!(
            "*filter\n-A FORWARD -d 10.96.0.7/32 -j REJECT --reject-with {with}\n\
             -A OUTPUT -d 10.96.0.7/32 -j REJECT --reject-with {with}\nCOMMIT\n"
        );
        lab.net.netfilter(lab.hosts[0]).unwrap().restore(&rules, true).unwrap();
        for from in [lab.pods[0][0], lab.hosts[0]] {
            let client = lab.connect(from, "10.96.0.7:80");
            lab.run(5);
            assert_eq!(lab.net.connected(client), Err(expected), "{with}");
            assert_eq!(lab.fate_of_last("[S]"), Outcome::Dropped(Drop::Rejected));
        }
    }
}

#[test]
fn a_rejection_on_the_backend_reaches_the_client_through_translation() {
    let mut lab = lab(1);
    service(&mut lab, &["10.244.2.2"]);
    let rules = "*filter\n-A FORWARD -d 10.244.2.2/32 -j REJECT\nCOMMIT\n";
    lab.net.netfilter(lab.hosts[1]).unwrap().restore(rules, true).unwrap();
    let client = lab.connect(lab.pods[0][0], "10.96.0.7:80");
    lab.run(5);
    assert_eq!(lab.net.connected(client), Err(NetError::Refused));
}

#[test]
fn a_cut_link_times_out_after_127_seconds() {
    let mut lab = lab(1);
    lab.listen_everywhere();
    lab.net.set_link(lab.hosts[1], "eth0", false).unwrap();
    let client = lab.connect(lab.pods[0][0], "10.244.2.2:8080");
    lab.run(126_900);
    assert_eq!(lab.net.connected(client), Err(NetError::Again));
    lab.run(200);
    assert_eq!(lab.net.connected(client), Err(NetError::TimedOut));
    let sent: Vec<u64> = lab.net.traces_after(TraceId(0)).map(|t| t.at.as_secs()).collect();
    assert_eq!(sent, [0, 1, 3, 7, 15, 31, 63]);
}

#[test]
fn nobody_has_the_address() {
    let mut lab = lab(1);
    for (from, to) in [(lab.pods[0][0], "10.244.1.99:80"), (lab.pods[0][0], "10.244.2.99:80")] {
        let client = lab.connect(from, to);
        lab.run(2_900);
        assert_eq!(lab.net.connected(client), Err(NetError::Again));
        lab.run(200);
        assert_eq!(lab.net.connected(client), Err(NetError::HostUnreachable), "{to}");
    }
    let lonely = lab.net.add_namespace("lonely");
    let call = lab.call();
    let result = lab.net.tcp_connect(lonely, at("1.1.1.1:80"), call);
    assert_eq!(result, Err(NetError::NetUnreachable));
}

#[test]
fn a_connection_stays_on_its_backend_when_the_rules_change() {
    let mut lab = lab(1);
    service(&mut lab, &["10.244.2.2"]);
    let listeners = lab.listen_everywhere();
    let client = lab.connect(lab.pods[0][0], "10.96.0.7:80");
    lab.run(5);
    let (server, _) = lab.net.accept(listeners[2]).unwrap();
    service(&mut lab, &["10.244.2.3"]);
    lab.pass(client, server, "still here");
    let second = lab.connect(lab.pods[0][0], "10.96.0.7:80");
    lab.run(5);
    assert_eq!(lab.net.connected(second), Ok(()));
    assert!(lab.net.accept(listeners[2]).is_err());
    assert!(lab.net.accept(listeners[3]).is_ok());
}

fn spread(seed: u64) -> Vec<usize> {
    let mut lab = lab(seed);
    service(&mut lab, &["10.244.1.3", "10.244.2.2", "10.244.2.3"]);
    let listeners = lab.listen_everywhere();
    let mut counts = vec![0; 4];
    for _ in 0..900 {
        let client = lab.connect(lab.pods[0][0], "10.96.0.7:80");
        lab.run(5);
        for (index, listener) in listeners.iter().enumerate() {
            let Ok((server, _)) = lab.net.accept(*listener) else { continue };
            counts[index] += 1;
            let call = lab.call();
            lab.net.close(server, call);
        }
        let call = lab.call();
        lab.net.close(client, call);
    }
    counts
}

#[test]
fn connections_spread_evenly_and_by_the_seed() {
    let counts = spread(1);
    assert_eq!((counts[0], counts.iter().sum::<usize>()), (0, 900));
    // 300 ± 5 standard deviations of 14.1.
    assert!(counts[1..].iter().all(|count| (230..=370).contains(count)), "{counts:?}");
    assert_eq!(counts, spread(1));
    assert_ne!(counts, spread(2));
}

#[test]
fn lost_packets_are_sent_again_and_big_data_comes_whole() {
    let mut lab = lab(5);
    let lossy = Link { loss: 0.2, ..Link::LAN };
    lab.net.set_link_quality(lab.hosts[1], "eth0", lossy).unwrap();
    let listener = lab.listen_everywhere()[2];
    let client = lab.connect(lab.pods[0][0], "10.244.2.2:8080");
    lab.run(120_000);
    let (server, _) = lab.net.accept(listener).unwrap();
    let data: Vec<u8> = (0..300_000_u32).map(|index| (index % 251) as u8).collect();
    let (mut sent, mut got) = (0, Vec::new());
    for _ in 0..20_000 {
        let call = lab.call();
        sent += lab.net.send(client, &data[sent..], call).unwrap_or(0);
        lab.run(100);
        let call = lab.call();
        got.extend(lab.net.recv(server, 100_000, call).unwrap_or_default());
        if got.len() == data.len() {
            break;
        }
    }
    assert!(got == data, "{} of {} bytes", got.len(), data.len());
}

#[test]
fn a_reader_that_does_not_read_stops_the_writer_and_loses_nothing() {
    let mut lab = lab(5);
    let listener = lab.listen_everywhere()[2];
    let client = lab.connect(lab.pods[0][0], "10.244.2.2:8080");
    lab.run(5);
    let (server, _) = lab.net.accept(listener).unwrap();
    let mut sent = 0;
    for _ in 0..50 {
        let call = lab.call();
        sent += lab.net.send(client, &[7; 8_192], call).unwrap_or(0);
        lab.run(10);
    }
    assert_eq!(sent, 2 * limits::TCP_BUFFER_MAX);
    let call = lab.call();
    assert_eq!(lab.net.send(client, &[7], call), Err(NetError::Again));
    lab.run(3_000_000);
    let mut got = 0;
    for _ in 0..100 {
        let call = lab.call();
        got += lab.net.recv(server, 50_000, call).map_or(0, |bytes| bytes.len());
        lab.run(100_000);
    }
    assert_eq!(got, sent);
}

#[test]
fn datagrams_and_their_errors() {
    let mut lab = lab(1);
    let [client_ns, server_ns] = [lab.pods[0][0], lab.pods[1][0]];
    let client = lab.net.udp_bind(client_ns, at("0.0.0.0:0")).unwrap();
    let server = lab.net.udp_bind(server_ns, at("0.0.0.0:53")).unwrap();
    let call = lab.call();
    lab.net.udp_send(client, at("10.244.2.2:53"), b"who?", call).unwrap();
    lab.run(5);
    let (data, from) = lab.net.udp_recv(server).unwrap();
    assert_eq!(data, b"who?");
    let call = Call { now: lab.now, ..Call::default() };
    lab.net.udp_send(server, from, b"me", call).unwrap();
    lab.run(5);
    assert_eq!(lab.net.udp_recv(client), Ok((b"me".to_vec(), at("10.244.2.2:53"))));
    let flows: Vec<(FlowId, CauseId)> =
        lab.net.traces_after(TraceId(0)).map(|trace| (trace.flow, trace.cause)).collect();
    assert_eq!(flows[0], flows[1]);
    let call = lab.call();
    lab.net.udp_send(client, at("10.244.2.2:54"), b"who?", call).unwrap();
    lab.run(5);
    assert_eq!(lab.net.udp_recv(client), Err(NetError::Refused));
    assert_eq!(lab.net.udp_recv(client), Err(NetError::Again));
}

#[test]
fn traces_tell_what_dns_says() {
    use naru_network::dns::{Data, Message, Name, Rcode, Record, RecordType};
    let mut lab = lab(1);
    let server = lab.net.udp_bind(lab.pods[1][0], at("0.0.0.0:53")).unwrap();
    let client = lab.net.udp_bind(lab.pods[0][0], at("0.0.0.0:0")).unwrap();
    let query = Message::query(1, Name::parse("web.default").unwrap(), RecordType::A);
    let call = lab.call();
    lab.net.udp_send(client, at("10.244.2.2:53"), &query.encode(), call).unwrap();
    lab.run(5);
    let (_, from) = lab.net.udp_recv(server).unwrap();
    let mut yes = query.reply();
    let data = Data::A("10.96.0.7".parse().unwrap());
    yes.answers = vec![Record { name: query.questions[0].name.clone(), ttl: 30, data }];
    let no = Message { rcode: Rcode::NxDomain, ..query.reply() };
    for reply in [yes, no] {
        let call = lab.call();
        lab.net.udp_send(server, from, &reply.encode(), call).unwrap();
    }
    let texts: Vec<Arc<str>> =
        lab.net.traces_after(TraceId(0)).filter_map(|trace| trace.text.clone()).collect();
    assert_eq!(
        texts.iter().map(|text| &**text).collect::<Vec<_>>(),
        ["A? web.default", "A 10.96.0.7", "NXDOMAIN"]
    );
}

#[test]
fn pings_and_routers_on_the_way() {
    let mut lab = lab(1);
    let ping = lab.net.ping_open(lab.pods[0][0]).unwrap();
    let to: IpAddr = "10.244.2.2".parse().unwrap();
    let call = lab.call();
    lab.net.ping_send(ping, to, 1, 56, None, call).unwrap();
    lab.run(5);
    assert_eq!(lab.net.ping_recv(ping), Ok(Pong::Reply { from: to, seq: 1, ttl: 62, length: 56 }));
    for (ttl, router) in [(1, "10.244.1.1"), (2, "172.18.0.3")] {
        let call = lab.call();
        lab.net.ping_send(ping, to, 2, 56, Some(ttl), call).unwrap();
        lab.run(5);
        let from = router.parse().unwrap();
        let expected = Pong::Error { from, error: IcmpError::TimeExceeded };
        assert_eq!(lab.net.ping_recv(ping), Ok(expected));
    }
}

#[test]
fn client_affinity_by_recent() {
    let mut lab = lab(3);
    service(&mut lab, &["10.244.1.3", "10.244.2.2"]);
    let mut sticky = String::from("*nat\n:KUBE-SVC-X - [0:0]\n");
    for index in 0..2 {
        sticky += &format!(
            "-A KUBE-SVC-X -m recent --name KUBE-SEP-{index} --rcheck --seconds 100 --reap -j KUBE-SEP-{index}\n"
        );
    }
    sticky += "-A KUBE-SVC-X -m statistic --mode random --probability 0.5 -j KUBE-SEP-0\n\
               -A KUBE-SVC-X -j KUBE-SEP-1\n:KUBE-SEP-0 - [0:0]\n:KUBE-SEP-1 - [0:0]\n";
    for (index, ip) in ["10.244.1.3", "10.244.2.2"].iter().enumerate() {
        sticky += &format!(
            "-A KUBE-SEP-{index} -p tcp -m recent --name KUBE-SEP-{index} --set -m tcp -j DNAT --to-destination {ip}:8080\n"
        );
    }
    sticky += "COMMIT\n";
    for host in lab.hosts {
        lab.net.netfilter(host).unwrap().restore(&sticky, false).unwrap();
    }
    let listeners = lab.listen_everywhere();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..40 {
        lab.connect(lab.pods[0][0], "10.96.0.7:80");
        lab.run(1_000);
        seen.extend([1, 2].into_iter().filter(|index| lab.net.accept(listeners[*index]).is_ok()));
    }
    assert_eq!(seen.len(), 1, "one client, one backend");
    for _ in 0..40 {
        lab.run(101_000);
        lab.connect(lab.pods[0][0], "10.96.0.7:80");
        lab.run(1_000);
        seen.extend([1, 2].into_iter().filter(|index| lab.net.accept(listeners[*index]).is_ok()));
    }
    assert_eq!(seen.len(), 2, "forgotten after its time");
}

#[test]
fn loopback_and_addresses_in_use() {
    let mut lab = lab(1);
    let pod = lab.pods[0][0];
    let listener = lab.net.tcp_listen(pod, at("0.0.0.0:8080")).unwrap();
    assert_eq!(lab.net.tcp_listen(pod, at("127.0.0.1:8080")), Err(NetError::AddrInUse));
    assert_eq!(lab.net.tcp_listen(pod, at("9.9.9.9:1")), Err(NetError::AddrNotAvailable));
    for to in ["127.0.0.1:8080", "10.244.1.2:8080", "0.0.0.0:8080"] {
        let client = lab.connect(pod, to);
        lab.run(1);
        assert_eq!(lab.net.connected(client), Ok(()), "{to}");
        assert!(lab.net.accept(listener).is_ok());
    }
}

#[test]
fn a_removed_namespace_takes_its_cables_and_sockets_along() {
    let mut lab = lab(1);
    lab.listen_everywhere();
    let client = lab.connect(lab.pods[0][0], "10.244.2.2:8080");
    lab.run(5);
    lab.net.remove_namespace(lab.pods[1][0]);
    assert!(lab.net.interfaces(lab.hosts[1]).iter().all(|iface| &*iface.name != "veth2"));
    let call = lab.call();
    lab.net.send(client, b"anybody?", call).unwrap();
    lab.run(1_000_000);
    let call = lab.call();
    assert_eq!(lab.net.recv(client, 10, call), Err(NetError::TimedOut));
}

#[test]
fn a_copy_goes_the_same_way() {
    let mut lab = lab(7);
    service(&mut lab, &["10.244.1.3", "10.244.2.2", "10.244.2.3"]);
    lab.listen_everywhere();
    lab.connect(lab.pods[0][0], "10.96.0.7:80");
    let mut copy = lab.net.clone();
    lab.run(100);
    copy.advance(lab.now);
    let ways = |net: &Network| {
        net.traces_after(TraceId(0)).map(|trace| format!("{trace:?}")).collect::<Vec<_>>()
    };
    assert_eq!(ways(&lab.net), ways(&copy));
    assert!(ways(&copy).len() >= 3);
    assert_eq!(lab.net.namespace_name(lab.switch), Some("switch"));
}

/// Asks a pod of the first host over a connection of its own, to the end.
fn ask(lab: &mut Lab, listener: SockId) {
    let client = lab.connect(lab.hosts[0], "10.244.1.2:8080");
    lab.run(10);
    let (server, _) = lab.net.accept(listener).unwrap();
    lab.pass(client, server, "hello");
    lab.pass(server, client, "how do you do");
    let call = lab.call();
    lab.net.close(server, call);
    lab.net.close(client, call);
    lab.run(10);
}

/// All that was written down of packets after one: when, from where to where, and by which hops.
fn told(lab: &Lab, after: TraceId) -> Vec<String> {
    let hop = |hop: &Hop| format!("{:?} {} {} {:?}", hop.at, hop.iface, hop.stage, hop.after);
    lab.net
        .traces_after(after)
        .map(|trace| {
            let hops: Vec<String> = trace.hops.iter().map(hop).collect();
            let (at, content, id) = (trace.at, trace.content, trace.id);
            let way = (trace.src, trace.dst, trace.outcome);
            format!("{id:?} {at:?} {content} {way:?} {hops:?}")
        })
        .collect()
}

#[test]
fn a_repeated_conversation_leaves_what_another_one_would() {
    let mut lab = lab(1);
    service(&mut lab, &["10.244.2.2"]);
    let listener = lab.listen_everywhere()[0];
    let (host, pod) = (lab.hosts[0], lab.pods[0][0]);
    lab.net.rehearse(true);
    ask(&mut lab, listener);
    let flow = lab.net.rehearsing().unwrap();
    assert!(lab.net.is_rehearsed(flow));
    let rehearsal = lab.net.rehearsed(flow, host, pod).unwrap();
    lab.run(1_000);
    let after = lab.net.last_trace();
    let at = lab.now;
    let mut again = Lab { net: lab.net.clone(), ..lab };
    ask(&mut lab, listener);
    again.run(30);
    let now = again.now;
    again.net.repeat(&rehearsal, at, now);
    assert!(!told(&lab, after).is_empty());
    assert_eq!(told(&again, after), told(&lab, after));
    assert_eq!(again.net.next_port(host), lab.net.next_port(host));
    let entries = |lab: &mut Lab| -> Vec<String> {
        lab.net.conntrack(host).map(|entry| format!("{entry:?}")).collect()
    };
    assert_eq!(entries(&mut again), entries(&mut lab));
    assert_eq!(entries(&mut again).len(), 2);
}

#[test]
fn conversations_counted_together_leave_what_they_would_one_by_one() {
    let mut lab = lab(1);
    service(&mut lab, &["10.244.2.2"]);
    let listener = lab.listen_everywhere()[0];
    let (host, pod) = (lab.hosts[0], lab.pods[0][0]);
    // One port of those that are given out is taken.
    let port = 32_768 + (lab.net.next_port(host) + 40) % 28_232;
    lab.net.tcp_listen(host, SocketAddr::new("0.0.0.0".parse().unwrap(), port)).unwrap();
    lab.net.rehearse(true);
    ask(&mut lab, listener);
    let flow = lab.net.rehearsing().unwrap();
    let rehearsal = lab.net.rehearsed(flow, host, pod).unwrap();
    let begin = lab.now;
    let second = std::time::Duration::from_secs(1);
    for (seconds, tracing) in [(1, false), (90, false), (90, true), (40_000, false)] {
        let mut one_by_one = Lab { net: lab.net.clone(), ..lab };
        one_by_one.net.set_tracing(tracing);
        let mut together = one_by_one.net.clone();
        let now = begin + second * seconds;
        let [a, b] = [(second, 0), (second * 3, 500)].map(|(period, after)| Series {
            of: &rehearsal,
            first: begin + std::time::Duration::from_millis(after),
            period,
            times: u64::from(seconds) / period.as_secs(),
        });
        let moments = |it: &Series<'_>| -> Vec<Time> {
            (0..it.times).map(|n| it.first + it.period * n as u32).collect()
        };
        let mut all = moments(&a);
        all.extend(moments(&b));
        all.sort();
        for at in all {
            one_by_one.net.repeat(&rehearsal, at, now);
        }
        together.repeat_series(host, &[a, b], now);
        let left = |net: &mut Network| {
            net.advance(now);
            let entries: Vec<String> = net.conntrack(host).map(|it| format!("{it:?}")).collect();
            let rules = net.netfilter(host).unwrap().save(None, true);
            let traces: Vec<String> =
                net.traces_after(TraceId(0)).map(|trace| format!("{trace:?}")).collect();
            (entries, rules, net.next_port(host), net.last_trace(), traces)
        };
        let (wanted, found) = (left(&mut one_by_one.net), left(&mut together));
        assert_eq!(found, wanted, "{seconds} s");
        assert!(!found.0.is_empty());
    }
}

#[test]
fn what_chance_decides_is_not_repeated() {
    let mut lab = lab(1);
    service(&mut lab, &["10.244.1.2"]);
    let listener = lab.listen_everywhere()[0];
    let (host, pod) = (lab.hosts[0], lab.pods[0][0]);
    let rule = "-A OUTPUT -p tcp -m statistic --mode random --probability 0.5 -j ACCEPT";
    lab.net.netfilter(host).unwrap().command(netfilter::TableName::Filter, rule).unwrap();
    lab.net.rehearse(true);
    ask(&mut lab, listener);
    let flow = lab.net.rehearsing().unwrap();
    assert!(lab.net.rehearsed(flow, host, pod).is_none());
}

#[test]
fn a_long_chain_is_walked_as_if_rule_by_rule() {
    let mut lab = lab(1);
    let host = lab.hosts[0];
    let mut text = String::from("*filter\n");
    for number in 0..40 {
        text += &format!("-A OUTPUT -d 10.9.0.{number}/32 -j DROP\n");
    }
    // Before the one for this pod, behind it, and for all.
    text += "-A OUTPUT -d 10.244.1.0/24 -p tcp --dport 81 -j DROP\n\
             -A OUTPUT -d 10.244.1.2/32 -p tcp --dport 82 -j ACCEPT\n\
             -A OUTPUT -p tcp --dport 82 -j DROP\nCOMMIT\n";
    lab.net.netfilter(host).unwrap().restore(&text, true).unwrap();
    for (to, outcome) in [
        ("10.9.0.7:80", Outcome::Dropped(Drop::Filtered)),
        ("10.244.1.2:81", Outcome::Dropped(Drop::Filtered)),
        ("10.244.1.2:82", Outcome::Dropped(Drop::NoSocket)),
        ("10.244.1.3:82", Outcome::Dropped(Drop::Filtered)),
    ] {
        let (after, call) = (lab.net.last_trace(), lab.call());
        lab.net.tcp_connect(host, at(to), call).unwrap();
        lab.run(10);
        assert_eq!(lab.net.traces_after(after).next().unwrap().outcome, outcome, "{to}");
    }
}
