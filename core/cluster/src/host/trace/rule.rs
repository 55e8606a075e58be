//! What a rule of kube-proxy or of a network plugin means, in words.
//!
//! Rules are told apart by what upstream calls their chains and by their comments:
//! `pkg/proxy/iptables/proxier.go`.

use super::super::Language;
use std::sync::Arc;

/// The parts of a rule that tell what it is for.
struct Parts<'a> {
    chain: &'a str,
    target: &'a str,
    comment: &'a str,
    text: &'a str,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Parts<'a>> {
        let chain = text.strip_prefix("-A ")?.split(' ').next()?;
        let jump = text.rsplit_once(" -j ").or_else(|| text.rsplit_once(" -g "))?.1;
        let target = jump.split(' ').next()?;
        let comment =
            text.split_once("--comment ").map_or("", |(_, rest)| match rest.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next().unwrap_or_default(),
                None => rest.split(' ').next().unwrap_or_default(),
            });
        Some(Parts { chain, target, comment, text })
    }

    /// The service of a comment like `default/web:http cluster IP`.
    fn service(&self) -> &'a str {
        self.comment.split(' ').next().unwrap_or_default()
    }

    /// The share of a rule that draws lots.
    fn probability(&self) -> Option<f64> {
        let (_, rest) = self.text.split_once("--probability ")?;
        rest.split(' ').next()?.parse().ok()
    }
}

/// The rules that led to the deciding one, and those that marked the packet: not those that led into
/// a chain which had nothing to say.
pub fn path<'a>(through: &'a [Arc<str>], deciding: &'a Arc<str>) -> Vec<&'a str> {
    let mut chain = Parts::of(deciding).map_or("", |parts| parts.chain);
    let mut path = vec![&**deciding];
    for rule in through.iter().rev() {
        let Some(parts) = Parts::of(rule) else { continue };
        if parts.target == chain {
            chain = parts.chain;
            path.push(rule);
        } else if ["KUBE-MARK-MASQ", "MARK"].contains(&parts.target) {
            path.push(rule);
        }
    }
    path.reverse();
    path
}

/// What a rule is for; `None` if it speaks for itself.
pub fn meaning(rule: &str, language: Language) -> Option<String> {
    let parts = Parts::of(rule)?;
    let said = entrance(&parts)
        .or_else(|| balancing(&parts))
        .or_else(|| masquerading(&parts))
        .or_else(|| refusal(&parts));
    said.map(|(korean, english)| language.pick(korean, english))
}

type Said = Option<(String, String)>;

fn both(korean: &str, english: &str) -> Said {
    Some((korean.to_owned(), english.to_owned()))
}

/// The way into the chains of a service.
fn entrance(parts: &Parts<'_>) -> Said {
    let service = parts.service();
    match (parts.chain, parts.target) {
        (_, "KUBE-SERVICES") => both(
            "kube-proxy의 체인입니다: 서비스의 주소로 가는 패킷을 찾습니다",
            "kube-proxy's chain: looks for packets to a service's address",
        ),
        (_, "KUBE-NODEPORTS") => both(
            "이 노드의 주소로 온 패킷입니다: 노드포트인지 봅니다",
            "to an address of this node: is it a node port?",
        ),
        ("KUBE-NODEPORTS", _) => Some((
            format!("서비스 {service}의 노드포트입니다"),
            format!("the node port of service {service}"),
        )),
        ("KUBE-SERVICES", target) if target.starts_with("KUBE-") => {
            let what = parts.comment.strip_prefix(service).unwrap_or_default().trim();
            let korean = match what {
                "cluster IP" => "클러스터 IP",
                "external IP" => "외부 IP",
                "loadbalancer IP" => "로드 밸런서 IP",
                other => other,
            };
            Some((
                format!("서비스 {service}의 {korean}입니다"),
                format!("the {what} of service {service}"),
            ))
        }
        (chain, target) if chain.starts_with("KUBE-EXT-") && target.starts_with("KUBE-SV") => both(
            "밖에서 온 패킷도 서비스의 엔드포인트 가운데 하나로 갑니다",
            "what came from outside goes to an endpoint of the service too",
        ),
        _ => None,
    }
}

/// The choice of an endpoint.
fn balancing(parts: &Parts<'_>) -> Said {
    let chooses = parts.target.starts_with("KUBE-SEP-");
    let endpoint = parts.comment.rsplit(' ').next().unwrap_or_default();
    match parts.probability() {
        _ if chooses && parts.text.contains("--rcheck") => Some((
            format!("세션 어피니티: 이 클라이언트가 전에 쓰던 엔드포인트입니다: {endpoint}"),
            format!("session affinity: the endpoint that this client used before: {endpoint}"),
        )),
        Some(share) if chooses => Some((
            format!("확률 {share:.2}의 제비를 뽑아 엔드포인트를 골랐습니다: {endpoint}"),
            format!("drew this endpoint, with probability {share:.2}: {endpoint}"),
        )),
        None if chooses => Some((
            format!("하나뿐이거나 마지막으로 남은 엔드포인트입니다: {endpoint}"),
            format!("the only endpoint, or the last that was left: {endpoint}"),
        )),
        _ if parts.target == "DNAT" => both(
            "목적지를 엔드포인트의 주소와 포트로 바꿉니다 (DNAT)",
            "the destination becomes the endpoint's address and port (DNAT)",
        ),
        _ => None,
    }
}

/// The change of the source.
fn masquerading(parts: &Parts<'_>) -> Said {
    match (parts.chain, parts.target) {
        (chain, "KUBE-MARK-MASQ") if chain.starts_with("KUBE-SEP-") => both(
            "파드가 서비스를 거쳐 자기 자신에게 보냈습니다: 출발지를 바꾸도록 표시합니다",
            "a pod reaches itself through a service: marked, so that its source is changed",
        ),
        (chain, "KUBE-MARK-MASQ") if chain.starts_with("KUBE-EXT-") => both(
            "클러스터 밖에서 왔습니다: 대답이 이 노드로 돌아오도록 출발지를 바꿀 표시를 합니다",
            "from outside: marked, so that its source is changed and the answer comes back here",
        ),
        (_, "KUBE-MARK-MASQ") => both(
            "파드의 주소에서 오지 않았습니다: 대답이 이 노드로 돌아오도록 출발지를 바꿀 표시를 \
             합니다",
            "not from a pod's address: marked, so that its source is changed and the answer comes \
             back here",
        ),
        ("KUBE-MARK-MASQ", "MARK") => both("표시 0x4000을 답니다", "gets the mark 0x4000"),
        (_, "KUBE-POSTROUTING") => both(
            "표시가 있는 패킷을 찾습니다",
            "kube-proxy's chain: looks for packets with the mark",
        ),
        ("KUBE-POSTROUTING", "MARK") => both("표시를 지웁니다", "the mark is taken off"),
        (_, "KIND-MASQ-AGENT" | "FLANNEL-POSTRTG" | "cali-POSTROUTING" | "cali-nat-outgoing") => {
            both(
                "네트워크 플러그인의 체인입니다: 파드 네트워크 밖으로 나가는 패킷을 찾습니다",
                "the network plugin's chain: looks for packets that leave the pods' network",
            )
        }
        (_, "MASQUERADE") => both(
            "출발지를 나가는 인터페이스의 주소로 바꿉니다 (SNAT)",
            "the source becomes the address of the interface that it leaves by (SNAT)",
        ),
        _ => None,
    }
}

/// What is let through, and what is not.
fn refusal(parts: &Parts<'_>) -> Said {
    let service = parts.service();
    match parts.target {
        "REJECT" if parts.comment.ends_with("has no endpoints") => Some((
            format!("서비스 {service}에 준비된 엔드포인트가 없습니다: 거절합니다"),
            format!("service {service} has no ready endpoint: refused"),
        )),
        "DROP" if parts.comment.ends_with("has no local endpoints") => Some((
            format!("서비스 {service}의 엔드포인트가 이 노드에는 없습니다 (정책 Local): 버립니다"),
            format!("no endpoint of service {service} is on this node (policy Local): dropped"),
        )),
        target if target.starts_with("KNP-") => both(
            "네트워크 플러그인의 체인입니다: 이 파드를 고른 NetworkPolicy에 묻습니다",
            "the network plugin's chain: asks the NetworkPolicies that select this pod",
        ),
        "DROP" if parts.comment.starts_with("NetworkPolicy ") => both(
            "이 파드를 고른 어느 NetworkPolicy도 허용하지 않습니다: 버립니다",
            "none of the NetworkPolicies that select this pod allows it: dropped",
        ),
        "FLANNEL-FWD" | "ACCEPT" if parts.comment == "flanneld forward" => both(
            "네트워크 플러그인이 파드의 주소로 오가는 패킷을 통과시킵니다",
            "the network plugin lets packets to and from pods' addresses through",
        ),
        "ACCEPT" if parts.chain == "KUBE-FORWARD" => both(
            "서비스로 오간 패킷이거나 이미 있는 연결입니다: 통과합니다",
            "of a service, or of a connection that stands: let through",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_told_by_chain_and_comment() {
        let comment = |text: &str| format!("-m comment --comment \"{text}\"");
        for (rule, expected) in [
            (
                format!("-A PREROUTING {} -j KUBE-SERVICES", comment("kubernetes service portals")),
                "kube-proxy's chain: looks for packets to a service's address",
            ),
            (
                format!("-A KUBE-SERVICES -d 10.96.0.7/32 -p tcp {} -m tcp --dport 80 -j KUBE-SVC-A", comment("default/web:http cluster IP")),
                "the cluster IP of service default/web:http",
            ),
            (
                format!("-A KUBE-SVC-A {} -m statistic --mode random --probability 0.33333333349 -j KUBE-SEP-B", comment("default/web -> 10.244.1.2:80")),
                "drew this endpoint, with probability 0.33: 10.244.1.2:80",
            ),
            (
                format!("-A KUBE-SERVICES -d 10.96.0.7/32 -p tcp {} -j REJECT --reject-with icmp-port-unreachable", comment("default/web has no endpoints")),
                "service default/web has no ready endpoint: refused",
            ),
            (
                "-A KUBE-NODEPORTS -p tcp -m comment --comment default/web -m tcp --dport 30080 -j KUBE-EXT-A".to_owned(),
                "the node port of service default/web",
            ),
            (
                format!("-A POSTROUTING {} -j FLANNEL-POSTRTG", comment("flanneld masq")),
                "the network plugin's chain: looks for packets that leave the pods' network",
            ),
            (
                format!("-A FLANNEL-FWD -s 10.244.0.0/16 {} -j ACCEPT", comment("flanneld forward")),
                "the network plugin lets packets to and from pods' addresses through",
            ),
            (
                "-A KUBE-POSTROUTING -j MASQUERADE --random-fully".to_owned(),
                "the source becomes the address of the interface that it leaves by (SNAT)",
            ),
        ] {
            assert_eq!(meaning(&rule, Language::English).as_deref(), Some(expected), "{rule}");
        }
        assert_eq!(meaning("-A FORWARD -j DROP", Language::English), None);
        assert_eq!(meaning("", Language::Korean), None);
    }
}
