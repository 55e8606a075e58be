//! From a question to its answer, through the plugins of the Corefile.

use super::corefile::{Hosts, Kubernetes, Server};
use super::rewrite::revert;
use super::store::Store;
use super::zone::{self, Found, Host, NoSuchName};
use naru_network::dns::{Data, Message, Name, Rcode, Record, RecordType, Soa};
use naru_sim::Rng;
use std::net::IpAddr;

/// Names that may lead one to another.
const CNAMES_MAX: usize = 10;

/// What the cluster knows of a name.
enum Records {
    /// Answers, and what is told beside them.
    Here(Vec<Record>, Vec<Record>),
    /// It stands for a name that others know.
    Elsewhere(Onward),
}

/// What becomes of a question.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is answered.
    Reply(Message),
    /// Others are to be asked.
    Forward(Onward),
}

/// A question for others, and what is made of their answer.
#[derive(Clone, Debug, Default)]
pub struct Onward {
    /// Whom to ask, as the Corefile says it.
    pub to: Vec<String>,
    /// What to ask for.
    pub name: Name,
    /// The type to ask for.
    pub kind: Option<RecordType>,
    /// The names that led from the question to this one.
    before: Vec<Record>,
    /// The question's name as it was asked, and as it was rewritten.
    rewritten: Option<(Name, Name)>,
    balances: bool,
}

impl Onward {
    /// The answer to `query`, of what another server said; `None` when none has said anything.
    pub fn complete(self, query: &Message, said: Option<Message>, rng: &mut Rng) -> Message {
        let mut reply = query.reply();
        match said {
            Some(said) if self.before.is_empty() => {
                reply.rcode = said.rcode;
                reply.authoritative = said.authoritative;
                reply.recursion_available = said.recursion_available;
                reply.answers = said.answers;
                reply.authorities = said.authorities;
                reply.additionals = said.additionals;
            }
            Some(said) => {
                reply.authoritative = true;
                reply.answers = [self.before, said.answers].concat();
            }
            None => reply.rcode = Rcode::ServFail,
        }
        finish(&mut reply, query, self.rewritten.as_ref(), self.balances, rng);
        reply
    }
}

fn finish(
    reply: &mut Message,
    query: &Message,
    rewritten: Option<&(Name, Name)>,
    balances: bool,
    rng: &mut Rng,
) {
    reply.edns_size = query.edns_size;
    if let Some((asked, instead)) = rewritten {
        revert(reply, asked, instead);
    }
    if balances {
        shuffle(&mut reply.answers, rng);
    }
}

/// A question, and where in the Corefile it is asked.
#[derive(Clone, Copy, Debug)]
struct Ask<'a> {
    server: &'a Server,
    query: &'a Message,
    name: &'a Name,
    kind: RecordType,
    /// How many names have led here.
    depth: usize,
}

impl Ask<'_> {
    fn record(&self, ttl: u32, data: Data) -> Record {
        Record { name: self.name.clone(), ttl, data }
    }
}

/// What the server knows when it answers.
#[derive(Clone, Copy, Debug)]
pub struct Knowledge<'a> {
    /// The Corefile.
    pub servers: &'a [Server],
    /// The cluster.
    pub store: &'a Store,
    /// Whether the cluster was seen in full.
    pub synced: bool,
    /// The serial number of zones: seconds of the Unix epoch.
    pub serial: u32,
}

impl Knowledge<'_> {
    /// The answer to a query, or whom to ask.
    pub fn answer(&self, query: &Message, rng: &mut Rng) -> Outcome {
        let first = query.questions.first();
        let server = first.and_then(|first| Server::of(self.servers, &first.name));
        let balances = server.is_some_and(|server| server.loadbalance);
        let rules = server.into_iter().flat_map(|server| &server.rewrites);
        let found = rules.zip(first).find_map(|(rule, first)| rule.apply(&first.name));
        let rewritten = found.as_ref().zip(first).and_then(|((instead, reverts), first)| {
            reverts.then(|| (first.name.clone(), instead.clone()))
        });
        match self.answer_in_order(query, found.map(|(instead, _)| instead)) {
            Outcome::Reply(mut reply) => {
                finish(&mut reply, query, rewritten.as_ref(), balances, rng);
                Outcome::Reply(reply)
            }
            Outcome::Forward(onward) => Outcome::Forward(Onward { rewritten, balances, ..onward }),
        }
    }

    /// The answer to a query, or to `instead` where a rule has rewritten its name.
    fn answer_in_order(&self, query: &Message, instead: Option<Name>) -> Outcome {
        let failed = |rcode| Outcome::Reply(Message { rcode, ..query.reply() });
        let [question] = query.questions.as_slice() else { return failed(Rcode::FormErr) };
        if query.opcode != 0 {
            return failed(Rcode::NotImp);
        }
        let Some(server) = Server::of(self.servers, &question.name) else {
            return failed(Rcode::Refused);
        };
        let name = instead.as_ref().unwrap_or(&question.name);
        self.resolve(&Ask { server, query, name, kind: question.kind, depth: 0 })
    }

    /// Asks one plugin after another.
    fn resolve(&self, ask: &Ask<'_>) -> Outcome {
        if let Some(reply) = ask.server.hosts.as_ref().and_then(|hosts| ask_hosts(hosts, ask)) {
            return Outcome::Reply(reply);
        }
        if let Some(plugin) = &ask.server.kubernetes
            && let Some(zone) = plugin.zones.iter().find(|zone| ask.name.is_within(zone))
            && let Some(outcome) = self.ask_cluster(ask, plugin, zone)
        {
            return outcome;
        }
        let takes = |forward: &&super::corefile::Forward| {
            ask.name.is_within(&forward.from)
                && !forward.except.iter().any(|zone| ask.name.is_within(zone))
        };
        match ask.server.forward.iter().find(takes) {
            Some(forward) => Outcome::Forward(Onward {
                to: forward.to.clone(),
                name: ask.name.clone(),
                kind: Some(ask.kind),
                ..Onward::default()
            }),
            None => Outcome::Reply(Message { rcode: Rcode::Refused, ..ask.query.reply() }),
        }
    }

    /// `None` when others are to be asked.
    fn ask_cluster(&self, ask: &Ask<'_>, plugin: &Kubernetes, zone: &Name) -> Option<Outcome> {
        let mut reply = Message { authoritative: true, ..ask.query.reply() };
        let falls = || plugin.fallthrough.iter().any(|zone| ask.name.is_within(zone));
        match self.records(ask, plugin, zone) {
            Ok(Records::Here(answers, additionals)) => {
                (reply.answers, reply.additionals) = (answers, additionals);
            }
            Ok(Records::Elsewhere(onward)) => return Some(Outcome::Forward(onward)),
            Err(_) if falls() => return None,
            Err(_) if self.synced => reply.rcode = Rcode::NxDomain,
            Err(_) => reply.rcode = Rcode::ServFail,
        }
        if reply.answers.is_empty() {
            reply.authorities.push(self.soa(zone, plugin.ttl));
        }
        Some(Outcome::Reply(reply))
    }

    /// The answers, and what is told beside them.
    fn records(
        &self,
        ask: &Ask<'_>,
        plugin: &Kubernetes,
        zone: &Name,
    ) -> Result<Records, NoSuchName> {
        let lower = ask.name.lower();
        let one = |record| Ok(Records::Here(vec![record], Vec::new()));
        if let Some(ip) = lower.reversed_ip() {
            return self.pointers(ask, plugin, ip);
        }
        if ask.kind == RecordType::Soa && lower == zone.lower() {
            return one(self.soa(zone, plugin.ttl));
        }
        if ask.kind == RecordType::Txt && lower.as_str() == format!("dns-version.{}", zone.lower())
        {
            let data = Data::Txt(vec!["1.1.0".to_owned()]);
            return one(Record { name: ask.name.clone(), ttl: 28_800, data });
        }
        let found = zone::find(lower.as_str(), zone, plugin, self.store)?;
        if ask.kind == RecordType::Srv {
            let (answers, additionals) = services(ask.name, plugin.ttl, &found);
            return Ok(Records::Here(answers, additionals));
        }
        let mut answers: Vec<Record> = Vec::new();
        for one in &found {
            let records = match &one.host {
                Host::Ip(ip) => vec![ask.record(plugin.ttl, Data::address(*ip))],
                Host::Name(target) => match self.follow(ask, plugin, zone, target) {
                    Records::Here(records, _) => records,
                    elsewhere => return Ok(elsewhere),
                },
            };
            for record in records {
                let cname = matches!(one.host, Host::Name(_));
                if (cname || record.data.kind() == ask.kind) && !answers.contains(&record) {
                    answers.push(record);
                }
            }
        }
        Ok(Records::Here(answers, Vec::new()))
    }

    fn pointers(
        &self,
        ask: &Ask<'_>,
        plugin: &Kubernetes,
        ip: IpAddr,
    ) -> Result<Records, NoSuchName> {
        let domain = plugin.zones.iter().find(|zone| !zone.as_str().ends_with(".arpa"));
        let names = domain.map(|domain| zone::reverse(ip, domain, self.store)).unwrap_or_default();
        if names.is_empty() {
            return Err(NoSuchName);
        }
        let names = names.iter().filter_map(|name| Name::parse(name).ok());
        let pointers = names.map(|name| ask.record(plugin.ttl, Data::Ptr(name)));
        let wanted = ask.kind == RecordType::Ptr;
        Ok(Records::Here(pointers.filter(|_| wanted).collect(), Vec::new()))
    }

    /// The true name, and what it stands for when addresses are asked for. A true name in the
    /// same zone that leads to nothing is not told.
    fn follow(&self, ask: &Ask<'_>, plugin: &Kubernetes, zone: &Name, target: &str) -> Records {
        let here = |records| Records::Here(records, Vec::new());
        let Ok(target) = Name::parse(target) else { return here(Vec::new()) };
        let own = ask.record(plugin.ttl, Data::Cname(target.clone()));
        match ask.kind {
            RecordType::Cname => here(vec![own]),
            RecordType::A | RecordType::Aaaa => {
                if target.lower() == ask.name.lower() || ask.depth >= CNAMES_MAX {
                    return here(Vec::new());
                }
                let next = Ask { name: &target, depth: ask.depth + 1, ..*ask };
                match self.resolve(&next) {
                    Outcome::Reply(reply) if reply.answers.is_empty() && target.is_within(zone) => {
                        here(Vec::new())
                    }
                    Outcome::Reply(reply) => here([vec![own], reply.answers].concat()),
                    Outcome::Forward(onward) => Records::Elsewhere(Onward {
                        before: [vec![own], onward.before].concat(),
                        ..onward
                    }),
                }
            }
            _ => here(Vec::new()),
        }
    }

    fn soa(&self, zone: &Name, ttl: u32) -> Record {
        const TTL_MAX: u32 = 300;
        let below = |label: &str| Name::parse(&format!("{label}.{zone}")).unwrap_or_default();
        let soa = Soa {
            mname: below("ns.dns"),
            rname: below("hostmaster"),
            serial: self.serial,
            refresh: 7_200,
            retry: 1_800,
            expire: 86_400,
            minimum: ttl,
        };
        Record { name: zone.clone(), ttl: ttl.min(TTL_MAX), data: Data::Soa(soa) }
    }
}

/// SRV records, and the addresses of their targets.
fn services(name: &Name, ttl: u32, found: &[Found]) -> (Vec<Record>, Vec<Record>) {
    let internal: Vec<(&Found, IpAddr)> = found
        .iter()
        .filter_map(|one| match one.host {
            Host::Ip(ip) => Some((one, ip)),
            Host::Name(_) => None,
        })
        .collect();
    let weight = u16::try_from(100 / internal.len().max(1)).unwrap_or(0).max(1);
    let (mut answers, mut additionals) = (Vec::new(), Vec::new());
    for (one, ip) in internal {
        let Ok(target) = Name::parse(&one.name) else { continue };
        let data = Data::Srv { priority: 0, weight, port: one.port, target: target.clone() };
        answers.push(Record { name: name.clone(), ttl, data });
        let address = Record { name: target, ttl, data: Data::address(ip) };
        if !additionals.contains(&address) {
            additionals.push(address);
        }
    }
    (answers, additionals)
}

/// `None` when others are to be asked.
fn ask_hosts(hosts: &Hosts, ask: &Ask<'_>) -> Option<Message> {
    let mut reply = Message { authoritative: true, ..ask.query.reply() };
    let lower = ask.name.lower();
    let found: Option<Vec<Data>> = match lower.reversed_ip() {
        Some(ip) => {
            let of_ip = |(_, ips): &(&Name, &Vec<IpAddr>)| ips.contains(&ip);
            let names = hosts.addresses.iter().filter(of_ip);
            let names: Vec<Data> = names.map(|(name, _)| Data::Ptr(name.clone())).collect();
            (!names.is_empty()).then_some(names)
        }
        None => {
            hosts.addresses.get(&lower).map(|ips| ips.iter().map(|ip| Data::address(*ip)).collect())
        }
    };
    match found {
        Some(data) => {
            let wanted = data.into_iter().filter(|data| data.kind() == ask.kind);
            reply.answers = wanted.map(|data| ask.record(hosts.ttl, data)).collect();
        }
        None if hosts.fallthrough => return None,
        None => reply.rcode = Rcode::NxDomain,
    }
    Some(reply)
}

/// Puts address records in a random order, behind the names that lead to them.
fn shuffle(answers: &mut [Record], rng: &mut Rng) {
    let is_address = |r: &Record| matches!(r.data.kind(), RecordType::A | RecordType::Aaaa);
    let first = answers.iter().position(is_address).unwrap_or(answers.len());
    let Some(addresses) = answers.get_mut(first..) else { return };
    if !addresses.iter().all(is_address) {
        return;
    }
    for last in (1..addresses.len()).rev() {
        addresses.swap(last, rng.below(last as u64 + 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::{Namespace, Service};
    use k8s_openapi::api::discovery::v1::EndpointSlice;
    use k8s_openapi::serde::de::DeserializeOwned;
    use naru_api::{Kube, Object, WatchEvent, WatchEventType};
    use naru_sim::CauseId;
    use serde_json::{Value, json};

    fn add<K: Kube + DeserializeOwned>(store: &mut Store, json: Value) {
        let object = Object::new(serde_json::from_value::<K>(json).unwrap());
        let event = WatchEvent { kind: WatchEventType::Added, object, cause: CauseId::ROOT };
        store.apply(&event);
    }

    fn service(store: &mut Store, name: &str, spec: Value) {
        add::<Service>(
            store,
            json!({ "metadata": { "name": name, "namespace": "default" }, "spec": spec }),
        );
    }

    fn slice(store: &mut Store, service: &str, endpoints: Value, ports: Value) {
        let labels = json!({ "kubernetes.io/service-name": service });
        let metadata = json!({ "name": service, "namespace": "default", "labels": labels });
        add::<EndpointSlice>(
            store,
            json!({
                "metadata": metadata, "addressType": "IPv4", "endpoints": endpoints, "ports": ports,
            }),
        );
    }

    fn store() -> Store {
        let mut store = Store::default();
        add::<Namespace>(&mut store, json!({ "metadata": { "name": "default" } }));
        let http = json!([{ "name": "http", "port": 80, "protocol": "TCP" }]);
        service(
            &mut store,
            "web",
            json!({ "clusterIP": "10.96.7.7", "clusterIPs": ["10.96.7.7"], "ports": http }),
        );
        slice(
            &mut store,
            "web",
            json!([{ "addresses": ["10.244.1.9"] }]),
            json!([{ "name": "http", "port": 8080, "protocol": "TCP" }]),
        );
        service(
            &mut store,
            "db",
            json!({ "clusterIP": "None", "clusterIPs": ["None"], "ports": [
            { "name": "pg", "port": 5432, "protocol": "TCP" }] }),
        );
        slice(
            &mut store,
            "db",
            json!([
                { "addresses": ["10.244.1.2"], "hostname": "db-0" },
                { "addresses": ["10.244.2.2"], "hostname": "db-1" },
                { "addresses": ["10.244.2.3"], "conditions": { "ready": false } },
                { "addresses": ["10.244.2.4"] },
            ]),
            json!([{ "name": "pg", "port": 5432, "protocol": "TCP" }]),
        );
        service(&mut store, "bare", json!({ "clusterIP": "None" }));
        slice(&mut store, "bare", json!([{ "addresses": ["10.244.3.3"] }]), json!([]));
        service(
            &mut store,
            "out",
            json!({ "type": "ExternalName", "externalName": "example.com" }),
        );
        service(
            &mut store,
            "alias",
            json!({ "type": "ExternalName",
            "externalName": "web.default.svc.cluster.local" }),
        );
        service(
            &mut store,
            "circle",
            json!({ "type": "ExternalName",
            "externalName": "circle.default.svc.cluster.local" }),
        );
        store
    }

    fn ask(store: &Store, name: &str, kind: RecordType, synced: bool) -> Message {
        let servers = Server::parse("Corefile", super::super::manifests::COREFILE).unwrap();
        let servers = servers.as_slice();
        let query = Message::query(1, Name::parse(name).unwrap(), kind);
        match (Knowledge { servers, store, synced, serial: 5 }).answer_in_order(&query, None) {
            Outcome::Reply(reply) => reply,
            Outcome::Forward(onward) => {
                let said = elsewhere(&onward.name, kind);
                onward.complete(&query, Some(said), &mut Rng::new(1))
            }
        }
    }

    /// What the world outside says: it knows two names.
    fn elsewhere(name: &Name, kind: RecordType) -> Message {
        let mut said = Message { recursion_available: true, ..Message::default() };
        let known = [("example.com", "93.184.215.14"), ("www.google.com", "142.250.72.4")];
        match known.iter().find(|(host, _)| *host == name.lower().as_str()) {
            None => said.rcode = Rcode::NxDomain,
            Some((_, ip)) if kind == RecordType::A => {
                let data = Data::address(ip.parse().unwrap());
                said.answers.push(Record { name: name.clone(), ttl: 30, data });
            }
            Some(_) => {}
        }
        if said.answers.is_empty() {
            let data = Data::Soa(Soa {
                mname: Name::default(),
                rname: Name::default(),
                serial: 1,
                refresh: 1,
                retry: 1,
                expire: 1,
                minimum: 1,
            });
            said.authorities.push(Record { name: Name::default(), ttl: 30, data });
        }
        said
    }

    fn data(records: &[Record]) -> Vec<String> {
        records.iter().map(|r| format!("{} {}", r.data.kind(), r.data)).collect()
    }

    #[test]
    fn names_of_the_cluster() {
        use RecordType::{A, Aaaa, Any, Ptr, Soa, Srv, Txt};
        let store = store();
        let none: &[&str] = &[];
        let no = Rcode::NxDomain;
        let ok = Rcode::NoError;
        let web = "web.default.svc.cluster.local";
        let db: &[&str] = &["A 10.244.1.2", "A 10.244.2.2", "A 10.244.2.4"];
        let cases = [
            (web, A, ok, &["A 10.96.7.7"][..]),
            ("WEB.default.SVC.cluster.local", A, ok, &["A 10.96.7.7"]),
            (web, Aaaa, ok, none),
            (web, Txt, ok, none),
            ("db.default.svc.cluster.local", A, ok, db),
            ("db-1.db.default.svc.cluster.local", A, ok, &["A 10.244.2.2"]),
            ("10-244-2-4.db.default.svc.cluster.local", A, ok, &["A 10.244.2.4"]),
            ("10-244-1-9.web.default.svc.cluster.local", A, ok, &["A 10.244.1.9"]),
            ("db-9.db.default.svc.cluster.local", A, no, none),
            ("bare.default.svc.cluster.local", A, ok, &["A 10.244.3.3"]),
            (
                "_http._tcp.web.default.svc.cluster.local",
                Srv,
                ok,
                &["SRV 0 100 80 web.default.svc.cluster.local."],
            ),
            (
                "_pg._tcp.db.default.svc.cluster.local",
                Srv,
                ok,
                &[
                    "SRV 0 33 5432 db-0.db.default.svc.cluster.local.",
                    "SRV 0 33 5432 db-1.db.default.svc.cluster.local.",
                    "SRV 0 33 5432 10-244-2-4.db.default.svc.cluster.local.",
                ],
            ),
            ("_dns._tcp.web.default.svc.cluster.local", Srv, no, none),
            ("_http._udp.web.default.svc.cluster.local", Srv, no, none),
            ("nope.default.svc.cluster.local", A, no, none),
            ("web.nowhere.svc.cluster.local", A, no, none),
            ("web.default.cluster.local", A, no, none),
            ("a.b.c.web.default.svc.cluster.local", A, no, none),
            ("default.svc.cluster.local", A, ok, none),
            ("nowhere.svc.cluster.local", A, no, none),
            ("svc.cluster.local", A, ok, none),
            ("cluster.local", A, ok, none),
            (
                "cluster.local",
                Soa,
                ok,
                &["SOA ns.dns.cluster.local. hostmaster.cluster.local. 5 7200 1800 86400 30"],
            ),
            ("dns-version.cluster.local", Txt, ok, &["TXT \"1.1.0\""]),
            ("10-244-9-9.default.pod.cluster.local", A, ok, &["A 10.244.9.9"]),
            ("10-244-9-9.nowhere.pod.cluster.local", A, no, none),
            ("web.default.pod.cluster.local", A, no, none),
            ("7.7.96.10.in-addr.arpa", Ptr, ok, &["PTR web.default.svc.cluster.local."]),
            ("2.1.244.10.in-addr.arpa", Ptr, ok, &["PTR db-0.db.default.svc.cluster.local."]),
            ("1.1.1.1.in-addr.arpa", Ptr, no, none),
            (
                "alias.default.svc.cluster.local",
                A,
                ok,
                &["CNAME web.default.svc.cluster.local.", "A 10.96.7.7"],
            ),
            ("out.default.svc.cluster.local", A, ok, &["CNAME example.com.", "A 93.184.215.14"]),
            ("out.default.svc.cluster.local", RecordType::Cname, ok, &["CNAME example.com."]),
            ("www.google.com", A, ok, &["A 142.250.72.4"]),
            ("no-such-host.example", A, no, none),
            (web, Any, ok, none),
        ];
        for (name, kind, rcode, expected) in cases {
            let reply = ask(&store, name, kind, true);
            assert_eq!(
                (reply.rcode, data(&reply.answers)),
                (rcode, expected.iter().map(|s| (*s).to_owned()).collect()),
                "{name} {kind}"
            );
            assert_eq!(reply.authorities.len(), usize::from(expected.is_empty()), "{name}");
            let inside = name.to_lowercase().ends_with("cluster.local");
            assert_eq!(
                (reply.authoritative, reply.recursion_available),
                (inside || rcode == ok && kind == Ptr, !(inside || rcode == ok && kind == Ptr)),
                "{name}"
            );
        }
    }

    #[test]
    fn a_circle_of_names_ends() {
        let reply = ask(&store(), "circle.default.svc.cluster.local", RecordType::A, true);
        assert_eq!((reply.rcode, data(&reply.answers)), (Rcode::NoError, vec![]));
    }

    #[test]
    fn srv_brings_addresses_along() {
        let reply = ask(&store(), "_pg._tcp.db.default.svc.cluster.local", RecordType::Srv, true);
        assert_eq!(data(&reply.additionals), ["A 10.244.1.2", "A 10.244.2.2", "A 10.244.2.4"]);
    }

    #[test]
    fn unknown_is_not_absent_before_the_cluster_was_seen() {
        let empty = Store::default();
        let reply = ask(&empty, "web.default.svc.cluster.local", RecordType::A, false);
        assert_eq!(reply.rcode, Rcode::ServFail);
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let mut store = store();
        let web =
            Object::new(store.service(&naru_api::Key::new("default", "web")).unwrap().clone());
        let event = WatchEvent { kind: WatchEventType::Deleted, object: web, cause: CauseId::ROOT };
        store.apply(&event);
        let name = "web.default.svc.cluster.local";
        assert_eq!(ask(&store, name, RecordType::A, true).rcode, Rcode::NxDomain);
        let reply = ask(&store, "7.7.96.10.in-addr.arpa", RecordType::Ptr, true);
        assert_eq!(reply.rcode, Rcode::NxDomain);
        store.clear(&EndpointSlice::kind());
        assert!(store.endpoints(&naru_api::Key::new("default", "db")).is_empty());
    }

    #[test]
    fn addresses_come_in_any_order() {
        let servers = Server::parse("Corefile", super::super::manifests::COREFILE).unwrap();
        let store = store();
        let knowledge = Knowledge { servers: &servers, store: &store, synced: true, serial: 1 };
        let name = Name::parse("db.default.svc.cluster.local").unwrap();
        let query = Message::query(1, name, RecordType::A);
        let mut rng = Rng::new(4);
        let mut firsts: Vec<String> = (0..50)
            .map(|_| match knowledge.answer(&query, &mut rng) {
                Outcome::Reply(reply) => reply.answers[0].data.to_string(),
                Outcome::Forward(onward) => panic!("{onward:?}"),
            })
            .collect();
        firsts.sort();
        firsts.dedup();
        assert_eq!(firsts, ["10.244.1.2", "10.244.2.2", "10.244.2.4"]);
    }
}
