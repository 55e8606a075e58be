//! The names of the simulated world outside the cluster.

use naru_network::dns::{Data, Message, Name, Rcode, Record, RecordType, Soa};
use std::net::Ipv4Addr;

/// Host names and their addresses. The world is small: lessons name few hosts.
const HOSTS: &[(&str, &[u8; 4])] = &[
    ("cloudflare.com", &[104, 16, 132, 229]),
    ("dns.google", &[8, 8, 8, 8]),
    ("docker.io", &[44, 193, 57, 117]),
    ("example.com", &[93, 184, 215, 14]),
    ("example.net", &[93, 184, 215, 14]),
    ("example.org", &[93, 184, 215, 14]),
    ("gcr.io", &[142, 250, 107, 82]),
    ("github.com", &[140, 82, 112, 3]),
    ("google.com", &[142, 250, 72, 14]),
    ("k8s.io", &[34, 107, 204, 206]),
    ("kubernetes.io", &[15, 197, 167, 90]),
    ("naver.com", &[223, 130, 192, 247]),
    ("quay.io", &[54, 163, 152, 191]),
    ("registry.k8s.io", &[34, 96, 108, 209]),
    ("registry-1.docker.io", &[44, 208, 254, 194]),
    ("www.example.com", &[93, 184, 215, 14]),
    ("www.github.com", &[140, 82, 112, 3]),
    ("www.google.com", &[142, 250, 72, 4]),
    ("www.kubernetes.io", &[15, 197, 167, 90]),
    ("www.naver.com", &[223, 130, 192, 247]),
];

/// Seconds for which answers may be kept. CoreDNS' own cache hands out no more than 30.
const TTL: u32 = 30;

/// The answer to a question that was forwarded.
pub fn answer(query: &Message, name: &Name, kind: RecordType) -> Message {
    let mut reply = query.reply();
    reply.recursion_available = true;
    let lower = name.lower();
    match HOSTS.iter().find(|(host, _)| *host == lower.as_str()) {
        Some((_, octets)) if matches!(kind, RecordType::A | RecordType::Any) => {
            let data = Data::A(Ipv4Addr::from(**octets));
            reply.answers.push(Record { name: name.clone(), ttl: TTL, data });
        }
        Some(_) => reply.authorities.push(authority()),
        None => {
            reply.rcode = Rcode::NxDomain;
            reply.authorities.push(authority());
        }
    }
    reply
}

/// The root's authority, as its servers say it.
fn authority() -> Record {
    let name = |text| Name::parse(text).unwrap_or_default();
    let soa = Soa {
        mname: name("a.root-servers.net"),
        rname: name("nstld.verisign-grs.com"),
        serial: 2_025_060_200,
        refresh: 1_800,
        retry: 900,
        expire: 604_800,
        minimum: 86_400,
    };
    Record { name: Name::default(), ttl: TTL, data: Data::Soa(soa) }
}
