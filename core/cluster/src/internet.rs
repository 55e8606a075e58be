//! The world outside the cluster: a name server that knows a few names, and the web servers behind
//! them.
//!
//! The learner's machine asks it for the nodes, as a home's router or Docker's own resolver does.

use crate::BootError;
use ipnet::{IpNet, Ipv4Net};
use naru_network::dns::{Data, Message, Name, Rcode, Record, RecordType, Soa};
use naru_network::http::Response;
use naru_network::netfilter::TableName;
use naru_network::{Call, Link, Network, NsId, Route};
use naru_node::NamespaceStack;
use naru_shell::serve::{HttpServer, clock};
use naru_shell::{NetStack, SocketId};
use naru_sim::{CauseId, Time};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

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

/// The name servers that everybody may ask.
const PUBLIC_SERVERS: [Ipv4Addr; 4] = [
    Ipv4Addr::new(1, 0, 0, 1),
    Ipv4Addr::new(1, 1, 1, 1),
    Ipv4Addr::new(8, 8, 4, 4),
    Ipv4Addr::new(8, 8, 8, 8),
];
const DNS: u16 = 53;
const HTTP: u16 = 80;
/// The network between the learner's machine and the world.
const HERE: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
const THERE: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
const LINK_LENGTH: u8 = 24;

/// The world outside.
#[derive(Clone, Debug)]
pub struct Internet {
    namespace: NsId,
    /// The learner's machine.
    gateway: NsId,
    /// Where names are asked for, each with its namespace.
    names: Vec<(NsId, SocketId)>,
    web: HttpServer,
}

impl Internet {
    /// The name of its network namespace.
    pub const NAMESPACE: &str = "internet";

    /// Plugs the world into the learner's machine.
    pub fn new(gateway: NsId, net: &mut Network) -> Result<Internet, BootError> {
        let namespace = net.add_namespace(Self::NAMESPACE);
        net.add_veth((gateway, "eth0"), (namespace, "eth0"), Link::LAN)?;
        let end = |ip| Ipv4Net::new(ip, LINK_LENGTH).unwrap_or_default();
        net.add_address(gateway, "eth0", end(HERE).into())?;
        net.add_address(namespace, "eth0", end(THERE).into())?;
        let everywhere = IpNet::V4(Ipv4Net::default());
        for (from, via) in [(namespace, HERE), (gateway, THERE)] {
            let (via, dev) = (Some(via.into()), "eth0".to_owned());
            net.add_route(from, Route { to: everywhere, via, dev, src: None })?;
        }
        let hosts = HOSTS.iter().map(|(_, octets)| Ipv4Addr::from(**octets));
        for ip in hosts.chain(PUBLIC_SERVERS).collect::<BTreeSet<Ipv4Addr>>() {
            net.add_address(namespace, "eth0", Ipv4Net::from(ip).into())?;
        }
        if let Some(rules) = net.netfilter(namespace) {
            // What is for nobody here is lost without a word, as it is out there.
            let _ = rules.command(TableName::Filter, "-P FORWARD DROP");
        }
        Ok(Internet { namespace, gateway, names: Vec::new(), web: HttpServer::default() })
    }

    /// Its network namespace.
    pub fn namespace(&self) -> NsId {
        self.namespace
    }

    fn listen(&mut self, call: Call, net: &mut Network) {
        let stack = &mut NamespaceStack::new(net, self.namespace, call);
        // Nobody else is here who could have a port.
        let _ = self.web.listen(stack, HTTP);
        // A socket for each address, so that it is the address that answers.
        for ip in PUBLIC_SERVERS {
            let socket = stack.udp_bind(SocketAddr::from((ip, DNS)));
            self.names.extend(socket.map(|socket| (self.namespace, socket)));
        }
        // Who has the port already keeps it.
        let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, DNS));
        let socket = NamespaceStack::new(net, self.gateway, call).udp_bind(at);
        self.names.extend(socket.map(|socket| (self.gateway, socket)));
    }

    /// Answers what came.
    pub fn run(&mut self, now: Time, net: &mut Network) {
        let call = Call { now, cause: CauseId::ROOT };
        if self.names.is_empty() {
            self.listen(call, net);
        }
        for (ns, socket) in self.names.iter().copied() {
            let stack = &mut NamespaceStack::new(net, ns, call);
            while let Ok((bytes, from)) = stack.udp_recv(socket) {
                if let Some(reply) = Message::decode(&bytes).ok().and_then(|query| reply(&query)) {
                    // A client that is gone needs no answer.
                    let _ = stack.udp_send(socket, from, &reply.encode());
                }
            }
        }
        let stack = &mut NamespaceStack::new(net, self.namespace, call);
        for incoming in self.web.poll(stack, now) {
            let host = incoming.request.headers.get("host").unwrap_or_default();
            let page = page(host.split(':').next().unwrap_or_default());
            let date = clock::format(now, clock::HTTP_DATE);
            self.web.respond(&incoming, &page.with("Date", date));
        }
        self.web.flush(stack);
    }
}

/// What the web servers say: where the name is not theirs, that they do not know it.
fn page(host: &str) -> Response {
    let known = HOSTS.iter().any(|(name, _)| host.eq_ignore_ascii_case(name));
    let (status, title) = match known {
        true => (200, host),
        false => (404, "404 Not Found"),
    };
    let body = format!(
        "<!doctype html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    );
    Response::new(status, body).with("Content-Type", "text/html")
}

/// The answer to a question; none to what asks nothing.
fn reply(query: &Message) -> Option<Message> {
    let question = query.questions.first().filter(|_| !query.response)?;
    Some(Message { edns_size: query.edns_size, ..answer(query, &question.name, question.kind) })
}

fn answer(query: &Message, name: &Name, kind: RecordType) -> Message {
    let mut reply = query.reply();
    reply.recursion_available = true;
    let lower = name.lower();
    if let Some(ip) = lower.reversed_ip() {
        let known = HOSTS.iter().find(|(_, octets)| IpAddr::V4(Ipv4Addr::from(**octets)) == ip);
        if let Some((host, _)) = known.filter(|_| kind == RecordType::Ptr) {
            let data = Data::Ptr(Name::parse(host).unwrap_or_default());
            reply.answers.push(Record { name: name.clone(), ttl: TTL, data });
            return reply;
        }
    }
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
