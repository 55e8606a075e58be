//! The way of one packet in words.

use super::super::Language;
use super::rule;
use crate::packets;
use naru_network::{Addresses, Content, Drop, Hop, Outcome, Protocol, Stage, Trace, Tunnel};
use naru_sim::Time;
use std::fmt::Write as _;

/// What a packet says: its first line of text, or what tcpdump would show of it.
pub fn said(packet: &Trace) -> String {
    match (&packet.text, &packet.content) {
        (Some(text), Content::Udp { .. }) => text.to_string(),
        (Some(text), content) => format!("{content}: {text}"),
        (None, content) => content.to_string(),
    }
}

/// `+0.230ms`
pub fn since(at: Time, start: Time) -> String {
    let micros = at.since(start).as_micros();
    let text = format!("+{}.{:03}ms", micros / 1_000, micros % 1_000);
    format!("{text:>11}")
}

/// `10.244.1.3:40000 > 10.96.0.7:80`; ICMP has no ports.
pub fn ends(packet: &Trace, at: Addresses) -> String {
    match packet.protocol {
        Protocol::Icmp => format!("{} > {}", at.src.ip(), at.dst.ip()),
        _ => packets::addresses(at),
    }
}

/// Every hop, with the rules that decided, and the addresses where they changed.
pub fn text(packet: &Trace, first: &Trace, language: Language) -> String {
    let mut text = String::new();
    let width = packet.hops.iter().map(|hop| packets::place(&hop.host).chars().count());
    let width = width.max().unwrap_or(0);
    if let Some(sent) = packet.hops.first() {
        let _ = writeln!(text, "  {:11}  {}", "", ends(packet, sent.before));
    }
    let mut last: Option<&Hop> = None;
    for hop in &packet.hops {
        // Tables are asked one after the other at the same place.
        let same = last.is_some_and(|it| (it.ns, it.stage, it.at) == (hop.ns, hop.stage, hop.at));
        if !same {
            let at = since(hop.at, first.at);
            let place = packets::place(&hop.host);
            let _ = writeln!(text, "  {at}  {place:<width$}  {}", step(packet, hop, language));
        }
        text += &decided(packet, hop, language);
        last = Some(hop);
    }
    let end = match packet.outcome {
        Outcome::Travelling => language.pick("아직 가는 중입니다", "still on its way").to_owned(),
        Outcome::Delivered => language.pick("도착했습니다", "arrived").to_owned(),
        Outcome::Dropped(why) => dropped(why, language),
    };
    let _ = writeln!(text, "  {:11}  = {end}", "");
    text
}

/// What happens at a hop.
fn step(packet: &Trace, hop: &Hop, language: Language) -> String {
    let kernel = packet.protocol == Protocol::Icmp;
    let iface = &hop.iface;
    let (korean, english) = match hop.stage {
        Stage::Sent if kernel => ("커널이 보냅니다".to_owned(), "the kernel sends it".to_owned()),
        Stage::Sent => ("소켓이 보냅니다".to_owned(), "a socket sends it".to_owned()),
        Stage::Prerouting => (
            format!("들어옵니다: {iface} (PREROUTING, 라우팅 전)"),
            format!("comes in by {iface} (PREROUTING, before routing)"),
        ),
        Stage::Input => {
            ("이 호스트의 것입니다 (INPUT)".to_owned(), "is for this host (INPUT)".to_owned())
        }
        Stage::Forward => (
            format!("다른 곳으로 넘깁니다: {iface} (FORWARD)"),
            format!("is passed on, to {iface} (FORWARD)"),
        ),
        Stage::Output => (
            "이 호스트가 보내는 것입니다 (OUTPUT)".to_owned(),
            "is sent by this host (OUTPUT)".to_owned(),
        ),
        Stage::Postrouting => (
            format!("나가기 직전입니다: {iface} (POSTROUTING, 라우팅 뒤)"),
            format!("is about to leave by {iface} (POSTROUTING, after routing)"),
        ),
        Stage::Bridge => (
            format!("브리지 {iface}: 포트에서 포트로 건넵니다"),
            format!("bridge {iface} hands it from port to port"),
        ),
        Stage::Wrapped => {
            let (name, ends) = (tunnel_name(hop.wrapped), packets::addresses(hop.before));
            (
                format!("다른 패킷에 담아 터널로 보냅니다 ({name}): {ends}"),
                format!("is wrapped into another packet, for a tunnel ({name}): {ends}"),
            )
        }
        Stage::Unwrapped => (
            format!("터널의 패킷에서 꺼냅니다: {iface}"),
            format!("is taken out of the tunnel's packet: {iface}"),
        ),
        Stage::Link => (format!("링크로 나갑니다: {iface}"), format!("leaves by the link {iface}")),
        Stage::Received if kernel => {
            ("커널이 받습니다".to_owned(), "the kernel receives it".to_owned())
        }
        Stage::Received => ("소켓이 받습니다".to_owned(), "a socket receives it".to_owned()),
    };
    language.pick(korean, english)
}

fn tunnel_name(tunnel: Option<Tunnel>) -> String {
    match tunnel {
        Some(Tunnel::Vxlan { vni, .. }) => format!("VXLAN {vni}"),
        Some(Tunnel::IpIp) => "IP in IP".to_owned(),
        None => String::new(),
    }
}

/// The rules that decided at a hop, and what changed. Rules that were only passed by are left out.
fn decided(packet: &Trace, hop: &Hop, language: Language) -> String {
    const INDENT: &str = "               ";
    let mut text = String::new();
    let changed = hop.before != hop.after;
    let Some(deciding) = &hop.rule else { return text };
    if hop.remembered {
        let korean = "연결 추적(conntrack)이 첫 패킷에 대한 결정을 기억합니다:";
        let english = "connection tracking remembers what was decided for the first packet:";
        let _ = writeln!(text, "{INDENT}{}", language.pick(korean, english));
    }
    for rule in rule::path(&hop.through, deciding) {
        let _ = writeln!(text, "{INDENT}{rule}");
        if let Some(meaning) = rule::meaning(rule, language).filter(|_| !hop.remembered) {
            let _ = writeln!(text, "{INDENT}  ↳ {meaning}");
        }
    }
    if changed {
        let (before, after) = (ends(packet, hop.before), ends(packet, hop.after));
        let (was, is) = language.pick(("전", "후"), ("before", "after"));
        let _ = writeln!(text, "{INDENT}{was}: {before}\n{INDENT}{is}: {after}");
    }
    text
}

/// Why a packet is gone.
pub fn dropped(why: Drop, language: Language) -> String {
    let korean = match why {
        Drop::Filtered => "규칙이 버렸습니다",
        Drop::Rejected => "규칙이 거절했습니다: 보낸 쪽에 알립니다",
        Drop::NoRoute => "갈 길(라우트)이 없습니다",
        Drop::NoNeighbour => "링크에 그 주소를 가진 이웃이 없습니다",
        Drop::NotForwarding => "이 호스트의 것이 아니고, 이 호스트는 전달하지 않습니다",
        Drop::TimeExceeded => "너무 많은 라우터를 지났습니다",
        Drop::LinkDown => "링크가 끊겼습니다",
        Drop::Lost => "링크에서 잃어버렸습니다",
        Drop::NoSocket => "그 포트에서 듣는 프로그램이 없습니다",
        Drop::QueueFull => "받는 쪽의 대기열이 가득 찼습니다",
        Drop::TableFull => "연결 추적 테이블이 가득 찼습니다",
        Drop::NoNamespace => "호스트가 없어졌습니다",
        Drop::Congested => "네트워크에 패킷이 너무 많습니다",
    };
    language.pick(korean.to_owned(), why.to_string())
}
