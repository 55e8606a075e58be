//! CoreDNS as a program: in a kernel, on a network, fed by an API server.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use k8s_openapi::api::core::v1::Service;
use naru_addons::coredns;
use naru_api::request::{Body, Op, Request, UserInfo};
use naru_api::{ApiService, Kube, Object};
use naru_apiserver::ApiServer;
use naru_network::dns::{Data, Message, Name, Rcode, Record, RecordType};
use naru_network::http::{Request as HttpRequest, ResponseReader};
use naru_network::{Call, Link, NetError, Network, NsId, SockId};
use naru_shell::{
    Errno, Kernel, NetStack, Pid, PipeId, ProcessSpec, ProcessStatus, Program, ProgramTable,
    Signal, SocketId, Stdio, Vfs, World,
};
use naru_sim::{CauseId, Rng, Time};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;

struct Programs;

impl ProgramTable for Programs {
    fn load(&self, name: &str) -> Option<Box<dyn Program>> {
        (name == "coredns").then(coredns::program)
    }
}

/// A namespace's sockets as a kernel calls them.
struct Stack<'a> {
    net: &'a mut Network,
    ns: NsId,
    call: Call,
}

fn errno(error: NetError) -> Errno {
    match error {
        NetError::Again => Errno::Again,
        NetError::AddrInUse => Errno::AddrInUse,
        _ => Errno::Invalid,
    }
}

fn id(socket: SockId) -> SocketId {
    SocketId(socket.0)
}

impl NetStack for Stack<'_> {
    fn tcp_connect(&mut self, to: SocketAddr) -> Result<SocketId, Errno> {
        self.net.tcp_connect(self.ns, to, self.call).map(id).map_err(errno)
    }
    fn connected(&mut self, socket: SocketId) -> Result<(), Errno> {
        self.net.connected(SockId(socket.0)).map_err(errno)
    }
    fn tcp_listen(&mut self, at: SocketAddr) -> Result<SocketId, Errno> {
        self.net.tcp_listen(self.ns, at).map(id).map_err(errno)
    }
    fn accept(&mut self, listener: SocketId) -> Result<(SocketId, SocketAddr), Errno> {
        let accepted = self.net.accept(SockId(listener.0));
        accepted.map(|(socket, from)| (id(socket), from)).map_err(errno)
    }
    fn send(&mut self, socket: SocketId, bytes: &[u8]) -> Result<usize, Errno> {
        self.net.send(SockId(socket.0), bytes, self.call).map_err(errno)
    }
    fn recv(&mut self, socket: SocketId, max: usize) -> Result<Vec<u8>, Errno> {
        self.net.recv(SockId(socket.0), max, self.call).map_err(errno)
    }
    fn udp_bind(&mut self, at: SocketAddr) -> Result<SocketId, Errno> {
        self.net.udp_bind(self.ns, at).map(id).map_err(errno)
    }
    fn udp_send(&mut self, socket: SocketId, to: SocketAddr, bytes: &[u8]) -> Result<(), Errno> {
        self.net.udp_send(SockId(socket.0), to, bytes, self.call).map_err(errno)
    }
    fn udp_recv(&mut self, socket: SocketId) -> Result<(Vec<u8>, SocketAddr), Errno> {
        self.net.udp_recv(SockId(socket.0)).map_err(errno)
    }
    fn local_addr(&self, socket: SocketId) -> Result<SocketAddr, Errno> {
        self.net.local_addr(SockId(socket.0)).map_err(errno)
    }
    fn peer_addr(&self, socket: SocketId) -> Result<SocketAddr, Errno> {
        self.net.peer_addr(SockId(socket.0)).map_err(errno)
    }
    fn close(&mut self, socket: SocketId) {
        self.net.close(SockId(socket.0), self.call);
    }
}

struct Around<'a> {
    stack: Stack<'a>,
    rng: &'a mut Rng,
    api: Option<&'a mut ApiServer>,
}

impl World for Around<'_> {
    fn now(&self) -> Time {
        self.stack.call.now
    }
    fn rng(&mut self) -> &mut Rng {
        self.rng
    }
    fn net(&mut self) -> Option<&mut dyn NetStack> {
        Some(&mut self.stack)
    }
    fn api(&mut self) -> Option<&mut dyn ApiService> {
        self.api.as_mut().map(|api| &mut **api as &mut dyn ApiService)
    }
    fn cause(&self) -> CauseId {
        CauseId::ROOT
    }
}

struct Lab {
    net: Network,
    api: ApiServer,
    api_reachable: bool,
    rng: Rng,
    kernel: Kernel,
    now: Time,
    server: NsId,
    client: NsId,
    pid: Pid,
    out: PipeId,
    /// Another name server, on the client's machine. It knows one address.
    upstream: SockId,
}

impl Lab {
    fn new(corefile: Option<&str>) -> Lab {
        let rng = Rng::new(1);
        let mut net = Network::new(rng.clone());
        let (server, client) = (net.add_namespace("coredns"), net.add_namespace("client"));
        net.add_veth((server, "eth0"), (client, "eth0"), Link::LOCAL).unwrap();
        net.add_address(server, "eth0", "10.0.0.1/24".parse().unwrap()).unwrap();
        net.add_address(client, "eth0", "10.0.0.2/24".parse().unwrap()).unwrap();
        let mut fs = Vfs::default();
        fs.install("/coredns", "coredns").unwrap();
        fs.mkdir_all("/etc").unwrap();
        fs.write("/etc/resolv.conf", b"nameserver 10.0.0.2\n").unwrap();
        fs.write("/etc/hosts", b"10.0.0.1\tcoredns\n").unwrap();
        if let Some(text) = corefile {
            fs.mkdir_all("/etc/coredns").unwrap();
            fs.write("/etc/coredns/Corefile", text.as_bytes()).unwrap();
        }
        let mut kernel = Kernel::new(fs, &Programs, "coredns");
        let out = kernel.pipe();
        let argv = ["/coredns", "-conf", "/etc/coredns/Corefile"].map(str::to_owned).to_vec();
        let stdio = Stdio::Pipes { stdin: None, stdout: out, stderr: out };
        let spec = ProcessSpec { argv, env: BTreeMap::new(), cwd: "/".into(), uid: 0, stdio };
        let pid = kernel.spawn(spec).unwrap();
        let mut api = ApiServer::new(rng.clone());
        create::<Service>(
            &mut api,
            "default",
            json!({
                "metadata": { "name": "web", "namespace": "default" },
                "spec": { "clusterIP": "10.96.7.7", "ports": [{ "port": 80 }] },
            }),
        );
        let now = Time::ZERO;
        let upstream = net.udp_bind(client, "0.0.0.0:53".parse().unwrap()).unwrap();
        Lab { net, api, api_reachable: true, rng, kernel, now, server, client, pid, out, upstream }
    }

    /// Lets milliseconds pass.
    fn run(&mut self, millis: u64) {
        for _ in 0..millis {
            self.now = self.now + std::time::Duration::from_millis(1);
            self.net.advance(self.now);
            self.api.set_now(self.now);
            let call = Call { now: self.now, cause: CauseId::ROOT };
            let stack = Stack { net: &mut self.net, ns: self.server, call };
            let api = self.api_reachable.then_some(&mut self.api);
            let mut world = Around { stack, rng: &mut self.rng, api };
            self.kernel.wake();
            self.kernel.run(&mut world);
            while let Ok((bytes, from)) = self.net.udp_recv(self.upstream) {
                let query = Message::decode(&bytes).unwrap();
                let mut reply = query.reply();
                let name = query.questions[0].name.clone();
                let data = Data::address("93.184.215.14".parse().unwrap());
                reply.answers.push(Record { name, ttl: 30, data });
                self.net.udp_send(self.upstream, from, &reply.encode(), call).unwrap();
            }
        }
    }

    fn log(&mut self) -> String {
        String::from_utf8(self.kernel.pipe_read(self.out)).unwrap()
    }

    fn ask(&mut self, name: &str) -> (Rcode, Vec<String>) {
        let socket = self.net.udp_bind(self.client, "0.0.0.0:0".parse().unwrap()).unwrap();
        let query = Message::query(9, Name::parse(name).unwrap(), RecordType::A).encode();
        let call = Call { now: self.now, cause: CauseId::ROOT };
        self.net.udp_send(socket, "10.0.0.1:53".parse().unwrap(), &query, call).unwrap();
        self.run(6);
        let (bytes, from) = self.net.udp_recv(socket).unwrap();
        assert_eq!(from, "10.0.0.1:53".parse().unwrap());
        let reply = Message::decode(&bytes).unwrap();
        assert_eq!((reply.id, reply.response), (9, true));
        (reply.rcode, reply.answers.iter().map(|record| record.data.to_string()).collect())
    }

    /// Sends bytes on a connection and gives what comes back.
    fn exchange(&mut self, port: u16, bytes: &[u8]) -> Vec<u8> {
        let call = Call { now: self.now, cause: CauseId::ROOT };
        let to = SocketAddr::new("10.0.0.1".parse().unwrap(), port);
        let socket = self.net.tcp_connect(self.client, to, call).unwrap();
        self.run(3);
        let call = Call { now: self.now, cause: CauseId::ROOT };
        self.net.send(socket, bytes, call).unwrap();
        self.run(3);
        let came = self.net.recv(socket, 10_000, call).unwrap();
        self.net.close(socket, call);
        came
    }

    fn get(&mut self, port: u16, path: &str) -> (u16, String) {
        let bytes = self.exchange(port, &HttpRequest::new("GET", path).to_bytes());
        let mut reader = ResponseReader::new("GET");
        reader.push(&bytes);
        let response = reader.take().unwrap().unwrap();
        (response.status, String::from_utf8(response.body).unwrap())
    }
}

fn create<K: Kube>(api: &mut ApiServer, namespace: &str, json: serde_json::Value) {
    let object = Object::new(serde_json::from_value::<K>(json).unwrap());
    api.handle(Request {
        namespace: namespace.to_owned(),
        ..Request::new(
            UserInfo::new("kubernetes-admin", &["system:masters"]),
            "test".into(),
            K::kind(),
            Op::Create(Body::Object(object)),
        )
    })
    .unwrap();
}

const COREFILE: &str = ".:53 {\n health {\n lameduck 5s\n }\n ready\n log\n kubernetes \
                        cluster.local {\n ttl 30\n }\n forward . /etc/resolv.conf\n}\n";

#[test]
fn answers_what_the_cluster_has_and_follows_its_changes() {
    let mut lab = Lab::new(Some(COREFILE));
    lab.run(3);
    assert_eq!(lab.log(), ".:53\nCoreDNS-1.12.0\nlinux/amd64, go1.23.3, 51e11f1\n");
    let web = "web.default.svc.cluster.local";
    assert_eq!(lab.ask(web), (Rcode::NoError, vec!["10.96.7.7".to_owned()]));
    let line = lab.log();
    assert!(
        line.starts_with("[INFO] 10.0.0.2:")
            && line.contains(
                " - 9 \"A IN web.default.svc.cluster.local. udp 47 false 512\" NOERROR qr,aa,rd 63"
            ),
        "{line}"
    );
    let later = "later.default.svc.cluster.local";
    assert_eq!(lab.ask(later), (Rcode::NxDomain, vec![]));
    create::<Service>(
        &mut lab.api,
        "default",
        json!({
            "metadata": { "name": "later", "namespace": "default" },
            "spec": { "clusterIP": "10.96.8.8", "ports": [{ "port": 80 }] },
        }),
    );
    assert_eq!(lab.ask(later), (Rcode::NoError, vec!["10.96.8.8".to_owned()]));
    assert_eq!(lab.ask("example.com"), (Rcode::NoError, vec!["93.184.215.14".to_owned()]));
}

#[test]
fn answers_on_connections_too() {
    let mut lab = Lab::new(Some(COREFILE));
    lab.run(3);
    let name = Name::parse("web.default.svc.cluster.local").unwrap();
    let query = Message::query(3, name, RecordType::A).encode();
    let mut framed = (query.len() as u16).to_be_bytes().to_vec();
    framed.extend(query);
    let came = lab.exchange(53, &framed);
    assert_eq!(usize::from(u16::from_be_bytes([came[0], came[1]])), came.len() - 2);
    assert_eq!(Message::decode(&came[2..]).unwrap().answers.len(), 1);
}

#[test]
fn is_ready_when_it_has_seen_the_cluster() {
    let mut lab = Lab::new(Some(COREFILE));
    lab.api_reachable = false;
    lab.run(3);
    assert_eq!(lab.get(8_080, "/health"), (200, "OK".to_owned()));
    assert_eq!(lab.get(8_181, "/ready"), (503, "kubernetes".to_owned()));
    assert_eq!(lab.ask("web.default.svc.cluster.local").0, Rcode::ServFail);
    lab.api_reachable = true;
    assert_eq!(lab.get(8_181, "/ready"), (200, "OK".to_owned()));
}

#[test]
fn goes_on_for_its_lame_duck_time_and_ends() {
    let mut lab = Lab::new(Some(COREFILE));
    lab.run(3);
    lab.log();
    lab.kernel.signal(lab.pid, Signal::Term);
    lab.run(2);
    assert_eq!(
        lab.log(),
        "[INFO] SIGTERM: Shutting down servers then terminating\n\
         [INFO] plugin/health: Going into lameduck mode for 5s\n"
    );
    assert_eq!(lab.ask("web.default.svc.cluster.local").0, Rcode::NoError);
    lab.run(5_000);
    assert!(matches!(lab.kernel.status(lab.pid), Some(ProcessStatus::Exited { code: 0, .. })));
}

#[test]
fn a_bad_corefile_ends_it() {
    for (corefile, expected) in [
        (
            None,
            "loading Caddyfile via flag: open /etc/coredns/Corefile: no such file or directory\n",
        ),
        (
            Some(".:53 {\n kubernets\n}"),
            "/etc/coredns/Corefile:2 - Error during parsing: Unknown directive 'kubernets'\n",
        ),
    ] {
        let mut lab = Lab::new(corefile);
        lab.run(2);
        assert_eq!(lab.log(), expected);
        assert!(matches!(lab.kernel.status(lab.pid), Some(ProcessStatus::Exited { code: 1, .. })));
    }
}

#[test]
fn noise_gets_an_answer_or_none_and_harms_nobody() {
    let mut lab = Lab::new(Some(COREFILE));
    lab.run(3);
    let socket = lab.net.udp_bind(lab.client, "0.0.0.0:0".parse().unwrap()).unwrap();
    for length in 0..64 {
        let mut noise = vec![0; length];
        lab.rng.fill(&mut noise);
        let call = Call { now: lab.now, cause: CauseId::ROOT };
        lab.net.udp_send(socket, "10.0.0.1:53".parse().unwrap(), &noise, call).unwrap();
        lab.run(1);
    }
    assert_eq!(lab.ask("web.default.svc.cluster.local").0, Rcode::NoError);
}

#[test]
fn takes_another_corefile_into_use() {
    let text = ".:53 {\n errors\n reload\n rewrite name old.example.com web.default.svc.cluster.local\n \
                kubernetes cluster.local\n forward . 10.0.0.9\n}\n";
    let mut lab = Lab::new(Some(text));
    lab.run(3);
    let hash = |log: &str| {
        log.lines().find_map(|line| Some(line.split_once("SHA512 = ")?.1.to_owned())).unwrap()
    };
    let first = hash(&lab.log());
    assert_eq!(lab.ask("old.example.com"), (Rcode::NoError, vec!["10.96.7.7".to_owned()]));
    let put = |lab: &mut Lab, text: &str| {
        lab.kernel.fs_mut().write("/etc/coredns/Corefile", text.as_bytes()).unwrap();
        lab.run(40_000);
        lab.log()
    };
    assert_eq!(put(&mut lab, &text.replace("errors", "errors # still")), "");
    let log = put(&mut lab, &text.replace("10.0.0.9", "10.0.0.2"));
    assert!(log.starts_with("[INFO] Reloading\n") && log.ends_with("[INFO] Reloading complete\n"));
    assert_ne!(hash(&log), first);
    assert_eq!(lab.ask("example.com"), (Rcode::NoError, vec!["93.184.215.14".to_owned()]));
    let bad = "/etc/coredns/Corefile:2 - Error during parsing: Unknown directive 'erors'\n";
    assert_eq!(
        put(&mut lab, &text.replace("errors", "erors")),
        format!(
            "[INFO] Reloading\n[ERROR] Restart failed: {bad}[ERROR] plugin/reload: Corefile changed but \
             reload failed: starting with listener file descriptors: {bad}"
        )
    );
    assert_eq!(lab.ask("example.com"), (Rcode::NoError, vec!["93.184.215.14".to_owned()]));
}

#[test]
fn nobody_answers_for_others() {
    let text = ".:53 {\n errors\n forward . 10.0.0.9\n}\n";
    let mut lab = Lab::new(Some(text));
    lab.run(3);
    lab.log();
    let socket = lab.net.udp_bind(lab.client, "0.0.0.0:0".parse().unwrap()).unwrap();
    let name = Name::parse("example.com").unwrap();
    let query = Message::query(9, name, RecordType::A).encode();
    let call = Call { now: lab.now, cause: CauseId::ROOT };
    lab.net.udp_send(socket, "10.0.0.1:53".parse().unwrap(), &query, call).unwrap();
    lab.run(7_000);
    let (bytes, _) = lab.net.udp_recv(socket).unwrap();
    assert_eq!(Message::decode(&bytes).unwrap().rcode, Rcode::ServFail);
    let log = lab.log();
    assert!(
        log.starts_with("[ERROR] plugin/errors: 2 example.com. A: read udp 10.0.0.1:")
            && log.ends_with("->10.0.0.9:53: i/o timeout\n"),
        "{log}"
    );
}
