//! `naru trace`: the way of packets, hop by hop, and who changed them.

mod rule;
mod way;

use super::{Ask, Language, err, out};
use crate::workstation::Workstation;
use crate::{Cluster, packets};
use k8s_openapi::api::core::v1::Service;
use naru_api::Kube;
use naru_network::{Addresses, Content, FlowId, Outcome, Protocol, Trace, TraceId};
use naru_shell::{Answer, Next};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

/// Conversations told at most.
const CONVERSATIONS_MAX: usize = 6;
/// Packets of a conversation listed at most.
const PACKETS_MAX: usize = 24;
/// Programs that act at other machines, whose packets are then of interest too.
const AT_MACHINES: [&str; 4] = ["docker", "gcloud", "minikube", "ssh"];

/// Does a command line. With a command, the program runs it and asks again with the number of the
/// last packet before it.
pub fn run(cluster: &mut Cluster, ask: &Ask<'_>, language: Language) -> Answer {
    match (ask.args, ask.state) {
        ([word], _) if ["help", "-h", "--help"].contains(&word.as_str()) => {
            out(usage(language).to_owned())
        }
        ([], _) => latest(cluster, language),
        ([option, ..], _) if option.starts_with('-') => err(usage(language).to_owned()),
        (command, "") => {
            let state = cluster.net.last_trace().0.to_string();
            let runs = Some(command.to_vec());
            Answer { next: Some(Next { state, runs, ..Next::default() }), ..Answer::default() }
        }
        (command, state) => {
            let after = TraceId(state.parse().unwrap_or_default());
            let program = command.first().map(String::as_str).unwrap_or_default();
            let nodes = AT_MACHINES.contains(&program);
            let found = conversations(cluster, after, nodes);
            told(cluster, &found, language)
        }
    }
}

/// The latest conversation that is more than a question for a name.
fn latest(cluster: &mut Cluster, language: Language) -> Answer {
    let found = conversations(cluster, TraceId(0), false);
    let last = found.iter().rev().find(|it| !it.is_question()).or(found.last());
    let last: Vec<Conversation> = last.cloned().into_iter().collect();
    told(cluster, &last, language)
}

fn told(cluster: &mut Cluster, found: &[Conversation], language: Language) -> Answer {
    if found.is_empty() {
        let korean = "naru: 파드나 이 터미널이 보낸 패킷이 없습니다\n";
        let english = "naru: no pod and not this terminal has sent a packet\n";
        return err(language.pick(korean, english).to_owned());
    }
    let names = Names::of(cluster);
    let mut text = String::new();
    for (index, conversation) in found.iter().take(CONVERSATIONS_MAX).enumerate() {
        if index > 0 {
            text.push('\n');
        }
        text += &conversation.text(index + 1, &names, language);
    }
    if let Some(more) = found.len().checked_sub(CONVERSATIONS_MAX).filter(|more| *more > 0) {
        let korean = format!("\n대화 {more}개가 더 있습니다\n");
        text += &language.pick(korean, format!("\n{more} more conversations\n"));
    }
    out(text)
}

/// The packets of one connection, or a datagram and its answer.
#[derive(Clone, Debug)]
struct Conversation {
    packets: Vec<Arc<Trace>>,
}

/// What pods began, but for those of the cluster itself, and this terminal; with `nodes` the nodes'
/// own programs too.
fn conversations(cluster: &Cluster, after: TraceId, nodes: bool) -> Vec<Conversation> {
    let mut flows: BTreeMap<FlowId, Vec<Arc<Trace>>> = BTreeMap::new();
    for trace in cluster.net.traces_after(after) {
        flows.entry(trace.flow).or_default().push(trace);
    }
    let wanted = |packets: &Vec<Arc<Trace>>| {
        let first = packets.first().and_then(|first| first.hops.first());
        let opens = packets.first().is_some_and(|first| match &first.content {
            Content::Tcp { flags, .. } => flags.syn && !flags.ack,
            _ => true,
        });
        opens
            && first.is_some_and(|hop| match hop.host.split_once('/') {
                Some((namespace, _)) => namespace != "kube-system",
                None => nodes || &*hop.host == Workstation::NAMESPACE,
            })
    };
    let found = flows.into_values().filter(wanted);
    found.map(|packets| Conversation { packets }).collect()
}

/// Who is behind an address.
struct Names {
    hosts: BTreeMap<IpAddr, String>,
    services: BTreeMap<IpAddr, String>,
}

impl Names {
    fn of(cluster: &mut Cluster) -> Names {
        let mut hosts = BTreeMap::new();
        for (ns, name) in cluster.net.namespaces() {
            for interface in cluster.net.interfaces(ns) {
                for net in interface.addresses.iter().filter(|net| !net.addr().is_loopback()) {
                    hosts.insert(net.addr(), packets::place(name));
                }
            }
        }
        let mut services = BTreeMap::new();
        for object in cluster.list(&Service::kind(), "", "", "") {
            let Some(service) = object.get::<Service>() else { continue };
            let name = format!("{}/{}", object.namespace(), object.name());
            for ip in service_ips(service) {
                services.insert(ip, name.clone());
            }
        }
        Names { hosts, services }
    }

    /// `service default/web`, `pod/default/web-0`; "" for a stranger.
    fn name(&self, ip: IpAddr, language: Language) -> String {
        match (self.services.get(&ip), self.hosts.get(&ip)) {
            (Some(service), _) => {
                language.pick(format!("서비스 {service}"), format!("service {service}"))
            }
            (None, Some(host)) => host.clone(),
            (None, None) => String::new(),
        }
    }
}

fn service_ips(service: &Service) -> Vec<IpAddr> {
    let Some(spec) = &service.spec else { return Vec::new() };
    let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let balancers = status.and_then(|it| it.ingress.as_ref()).into_iter().flatten();
    let cluster = spec.cluster_ips.iter().flatten();
    let external = spec.external_ips.iter().flatten();
    let all = cluster.chain(external).chain(balancers.filter_map(|it| it.ip.as_ref()));
    all.filter_map(|ip| ip.parse().ok()).collect()
}

impl Conversation {
    /// A question for a name, or its answer.
    fn is_question(&self) -> bool {
        self.packets
            .first()
            .is_some_and(|first| matches!(first.content, Content::Udp { dns: Some(_), .. }))
    }

    fn text(&self, number: usize, names: &Names, language: Language) -> String {
        let Some(first) = self.packets.first() else { return String::new() };
        let mut text = self.title(number, first, names, language);
        if self.is_question() {
            for packet in &self.packets {
                let _ = writeln!(text, "{}", self.line(packet, first, language));
            }
            return text;
        }
        let from = first.hops.first().map(|hop| hop.ns);
        let there = language.pick("가는 길", "the way there");
        let _ = writeln!(text, "\n{there}: {}", way::said(first));
        text += &way::text(first, first, language);
        let answers = |it: &&Arc<Trace>| it.hops.first().map(|hop| hop.ns) != from;
        if let Some(answer) = self.packets.iter().find(answers) {
            let back = language.pick("돌아오는 길", "the way back");
            let _ = writeln!(text, "\n{back}: {}", way::said(answer));
            text += &way::text(answer, first, language);
        } else if let Some(why) = unanswered(first, names, language) {
            let _ = writeln!(text, "\n{why}");
        }
        if self.packets.len() > 2 {
            let title = language.pick("모든 패킷", "all packets");
            let _ = writeln!(text, "\n{title}:");
            for packet in self.packets.iter().take(PACKETS_MAX) {
                let _ = writeln!(text, "{}", self.line(packet, first, language));
            }
            if self.packets.len() > PACKETS_MAX {
                let _ = writeln!(text, "  …");
            }
        }
        text
    }

    /// `1. pod/default/client → 10.96.0.7:80 (service default/web), tcp`
    fn title(&self, number: usize, first: &Trace, names: &Names, language: Language) -> String {
        let from = first.hops.first().map(|hop| packets::place(&hop.host)).unwrap_or_default();
        let to = match first.protocol {
            Protocol::Icmp => first.dst.ip().to_string(),
            _ => first.dst.to_string(),
        };
        let name = match names.name(first.dst.ip(), language) {
            name if name.is_empty() => name,
            name => format!(" ({name})"),
        };
        format!("{number}. {from} → {to}{name}, {}\n", first.protocol)
    }

    /// A packet in one line, with what became of it unless it arrived.
    fn line(&self, packet: &Trace, first: &Trace, language: Language) -> String {
        let at = way::since(packet.at, first.at);
        let end = match packet.outcome {
            Outcome::Dropped(why) => format!("  [{}]", way::dropped(why, language)),
            Outcome::Travelling | Outcome::Delivered => String::new(),
        };
        let ends = way::ends(packet, Addresses { src: packet.src, dst: packet.dst });
        format!("  {at}  {ends}  {}{end}", way::said(packet))
    }
}

/// Why nobody answers, if that is known.
fn unanswered(first: &Trace, names: &Names, language: Language) -> Option<String> {
    let service = names.services.get(&first.dst.ip())?;
    if first.protocol != Protocol::Icmp {
        return None;
    }
    Some(language.pick(
        format!(
            "{} 주소는 어느 인터페이스에도 없습니다. kube-proxy는 서비스 {service}의 포트로 가는 \
             TCP, UDP 패킷만 파드의 주소로 바꾸므로 ping에는 아무도 대답하지 않습니다.",
            first.dst.ip()
        ),
        format!(
            "No interface has the address {}. kube-proxy translates only TCP and UDP packets to \
             the ports of service {service}, so nobody answers a ping.",
            first.dst.ip()
        ),
    ))
}

fn usage(language: Language) -> &'static str {
    language.pick(
        "사용법 (이 샌드박스의 명령입니다):\n  \
         naru trace             파드나 이 터미널이 마지막으로 나눈 대화의 길을 보여 줍니다\n  \
         naru trace 명령 ...    명령을 실행하고, 그동안 오간 패킷의 길을 보여 줍니다\n",
        "Usage (a command of this sandbox):\n  \
         naru trace             tells the way of the last conversation of a pod or this terminal\n  \
         naru trace COMMAND ... runs a command and tells the way of the packets meanwhile\n",
    )
}
