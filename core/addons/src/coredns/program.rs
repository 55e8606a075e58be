//! The program `coredns`.

use super::answer::Knowledge;
use super::corefile::Server;
use super::probes::Probes;
use super::store::Store;
use naru_api::service::WatchRequest;
use naru_api::{ApiService, KindRef, UserInfo, WatchId};
use naru_network::dns::{Message, Rcode};
use naru_shell::{Errno, NetStack, Program, Signal, SocketId, Step, Sys};
use naru_sim::Time;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// A fresh instance of the program.
pub fn program() -> Box<dyn Program> {
    Box::new(CoreDns::default())
}

/// The name server.
#[derive(Clone, Debug, Default)]
struct CoreDns {
    servers: Vec<Server>,
    sockets: Option<Sockets>,
    watches: Vec<Watch>,
    store: Store,
    /// When the cluster was last seen to change; the serial number of its zones.
    changed: Time,
    /// Told to end: it goes on until then.
    ends: Option<Time>,
    /// When to ask again for watches that were lost.
    retry_at: Option<Time>,
}

#[derive(Clone, Debug)]
struct Sockets {
    udp: SocketId,
    listener: SocketId,
    /// Connections, each with the bytes that came.
    connections: Vec<(SocketId, SocketAddr, Vec<u8>)>,
    health: Option<Probes>,
    ready: Option<Probes>,
}

#[derive(Clone, Debug)]
struct Watch {
    kind: KindRef,
    id: WatchId,
    /// The objects that were there at its start have come.
    listed: bool,
}

const PORT: u16 = 53;
/// What it holds of an idle cluster.
const MEMORY_BYTES: u64 = 13 << 20;
/// Between two attempts to reach the API server.
const RETRY: Duration = Duration::from_secs(1);
const CONNECTIONS_MAX: usize = 256;
/// Bytes of a datagram without EDNS (RFC 1035).
const DATAGRAM: u16 = 512;
/// Questions answered before others have their turn.
const BATCH: usize = 256;

impl Program for CoreDns {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.sockets.is_none()
            && let Err(message) = self.start(sys)
        {
            say(sys, 1, &message);
            return Step::Exit(1);
        }
        self.take_signals(sys);
        if self.ends.is_some_and(|ends| sys.now() >= ends) {
            self.stop(sys);
            return Step::Exit(0);
        }
        self.watch(sys);
        self.serve_probes(sys);
        match self.serve(sys) {
            true => Step::Yield,
            false => Step::Block { until: [self.ends, self.retry_at].into_iter().flatten().min() },
        }
    }
}

impl CoreDns {
    /// Reads the Corefile and opens the sockets.
    fn start(&mut self, sys: &mut dyn Sys) -> Result<(), String> {
        let file = option(sys.args(), "-conf").unwrap_or("Corefile").to_owned();
        let path = sys.absolute(&file);
        let bytes = sys.fs().read(&path);
        let bytes = bytes.map_err(|error| {
            let error = error.to_string().to_lowercase();
            format!("loading Caddyfile via flag: open {file}: {error}")
        })?;
        let text = String::from_utf8_lossy(&bytes);
        self.servers = Server::parse(&file, &text).map_err(|error| error.0)?;
        let health = self.servers.iter().any(|server| server.health.is_some());
        let ready = self.servers.iter().any(|server| server.ready);
        let net = sys.net().ok_or_else(|| Errno::NetUnreachable.to_string())?;
        self.sockets = Some(open(net, health, ready).map_err(|(protocol, error)| {
            let error = error.to_string().to_lowercase();
            format!("Listen: listen {protocol} :{PORT}: bind: {error}")
        })?);
        sys.use_memory(MEMORY_BYTES);
        sys.catch(Signal::Term);
        sys.catch(Signal::Int);
        for zone in self.servers.iter().flat_map(|server| &server.zones) {
            say(sys, 1, &format!("{zone}.:{PORT}"));
        }
        say(sys, 1, "CoreDNS-1.12.0\nlinux/amd64, go1.23.3, 51e11f1");
        Ok(())
    }

    fn take_signals(&mut self, sys: &mut dyn Sys) {
        while let Some(signal) = sys.take_signal() {
            let seconds = self.servers.iter().filter_map(|s| s.health).max().unwrap_or(0);
            let name = if signal == Signal::Int { "SIGINT" } else { "SIGTERM" };
            say(sys, 1, &format!("[INFO] {name}: Shutting down servers then terminating"));
            if seconds > 0 {
                let line = format!("[INFO] plugin/health: Going into lameduck mode for {seconds}s");
                say(sys, 1, &line);
            }
            self.ends.get_or_insert(sys.now() + Duration::from_secs(seconds));
        }
    }

    fn stop(&mut self, sys: &mut dyn Sys) {
        if let (Some(sockets), Some(net)) = (self.sockets.take(), sys.net()) {
            sockets.connections.iter().for_each(|(socket, ..)| net.close(*socket));
            [sockets.udp, sockets.listener].into_iter().for_each(|socket| net.close(socket));
            sockets.health.into_iter().chain(sockets.ready).for_each(|probes| probes.close(net));
        }
        if let Some(api) = sys.api() {
            self.watches.drain(..).for_each(|watch| api.unwatch(watch.id));
        }
    }

    /// Whether the cluster was seen in full.
    fn synced(&self) -> bool {
        let wanted = self.servers.iter().any(|server| server.kubernetes.is_some());
        let listed = self.watches.len() == Store::kinds().len()
            && self.watches.iter().all(|watch| watch.listed);
        !wanted || listed && !self.store.is_empty()
    }

    /// Opens the watches that are not open and takes what they have to deliver.
    fn watch(&mut self, sys: &mut dyn Sys) {
        if self.servers.iter().all(|server| server.kubernetes.is_none()) {
            return;
        }
        let now = sys.now();
        self.retry_at = None;
        let Some(api) = sys.api() else { return };
        for kind in Store::kinds() {
            if !self.watches.iter().any(|watch| watch.kind == kind)
                && let Some(watch) = open_watch(api, kind)
            {
                self.watches.push(watch);
            }
        }
        for watch in &mut self.watches {
            match api.poll(watch.id) {
                Ok(events) => {
                    events.iter().for_each(|event| self.store.apply(event));
                    if !events.is_empty() {
                        self.changed = now;
                    }
                    watch.listed = true;
                }
                Err(_) => {
                    // It fell behind or was lost: list anew. Until that can be done, what was
                    // seen is good enough.
                    api.unwatch(watch.id);
                    match open_watch(api, watch.kind.clone()) {
                        Some(fresh) => {
                            self.store.clear(&watch.kind);
                            *watch = fresh;
                        }
                        None => self.retry_at = Some(now + RETRY),
                    }
                }
            }
        }
    }

    fn serve_probes(&mut self, sys: &mut dyn Sys) {
        let ready = if self.synced() { Ok(()) } else { Err("kubernetes") };
        let (Some(sockets), Some(net)) = (&mut self.sockets, sys.net()) else { return };
        if let Some(probes) = &mut sockets.health {
            probes.serve(net, Ok(()));
        }
        if let Some(probes) = &mut sockets.ready {
            probes.serve(net, ready);
        }
    }

    /// Answers what was asked; tells whether there is more to do.
    fn serve(&mut self, sys: &mut dyn Sys) -> bool {
        let Some(mut sockets) = self.sockets.take() else { return false };
        for _ in 0..BATCH {
            let Some(net) = sys.net() else { break };
            match net.udp_recv(sockets.udp) {
                Ok((bytes, from)) => self.answer_datagram(sys, sockets.udp, &bytes, from),
                // An error about an earlier answer whose client is gone.
                Err(error) if error != Errno::Again => {}
                Err(_) => {
                    self.serve_connections(sys, &mut sockets);
                    self.sockets = Some(sockets);
                    return false;
                }
            }
        }
        self.sockets = Some(sockets);
        true
    }

    fn answer_datagram(&self, sys: &mut dyn Sys, udp: SocketId, bytes: &[u8], from: SocketAddr) {
        let Some(query) = query(bytes) else { return };
        let mut reply = self.answer(sys, &query, bytes.len(), from, "udp");
        let size = usize::from(query.edns_size.unwrap_or(DATAGRAM).max(DATAGRAM));
        let mut answer = reply.encode();
        while answer.len() > size && cut(&mut reply) {
            answer = reply.encode();
        }
        if let Some(net) = sys.net() {
            let _ = net.udp_send(udp, from, &answer);
        }
    }

    fn serve_connections(&self, sys: &mut dyn Sys, sockets: &mut Sockets) {
        if let Some(net) = sys.net() {
            while sockets.connections.len() < CONNECTIONS_MAX {
                let Ok((socket, from)) = net.accept(sockets.listener) else { break };
                sockets.connections.push((socket, from, Vec::new()));
            }
        }
        sockets.connections.retain_mut(|(socket, from, bytes)| {
            let open = self.serve_connection(sys, *socket, *from, bytes);
            if !open && let Some(net) = sys.net() {
                net.close(*socket);
            }
            open
        });
    }

    /// Messages on a connection have their length before them. Tells whether it goes on.
    fn serve_connection(
        &self,
        sys: &mut dyn Sys,
        socket: SocketId,
        from: SocketAddr,
        bytes: &mut Vec<u8>,
    ) -> bool {
        loop {
            let Some(net) = sys.net() else { return false };
            match net.recv(socket, 4_096) {
                Ok(came) if came.is_empty() => return false,
                Ok(came) => bytes.extend(came),
                Err(Errno::Again) => return true,
                Err(_) => return false,
            }
            while let Some((message, rest)) = framed(bytes) {
                let (message, rest) = (message.to_vec(), rest.to_vec());
                *bytes = rest;
                let Some(query) = query(&message) else { return false };
                let answer = self.answer(sys, &query, message.len(), from, "tcp").encode();
                let length = u16::try_from(answer.len()).unwrap_or(u16::MAX).to_be_bytes();
                let framed = [length.as_slice(), &answer].concat();
                let Some(net) = sys.net() else { return false };
                if net.send(socket, &framed) != Ok(framed.len()) {
                    return false;
                }
            }
        }
    }

    fn answer(
        &self,
        sys: &mut dyn Sys,
        query: &Message,
        length: usize,
        from: SocketAddr,
        transport: &str,
    ) -> Message {
        let serial = self.changed.unix_micros() / 1_000_000;
        let knowledge = Knowledge {
            servers: &self.servers,
            store: &self.store,
            synced: self.synced(),
            serial: u32::try_from(serial).unwrap_or(0),
        };
        let reply = knowledge.answer(query, sys.rng());
        self.log(sys, query, &reply, length, from, transport);
        reply
    }

    /// The plugin `log`, in its default form.
    fn log(
        &self,
        sys: &mut dyn Sys,
        query: &Message,
        reply: &Message,
        length: usize,
        from: SocketAddr,
        transport: &str,
    ) {
        let Some(question) = query.questions.first() else { return };
        if !Server::of(&self.servers, &question.name).is_some_and(|server| server.log) {
            return;
        }
        let flags = [
            (reply.response, "qr"),
            (reply.authoritative, "aa"),
            (reply.truncated, "tc"),
            (reply.recursion_desired, "rd"),
            (reply.recursion_available, "ra"),
        ];
        let flags: Vec<&str> = flags.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
        let line = format!(
            "[INFO] {from} - {} \"{} IN {}. {transport} {length} false {}\" {} {} {} 0s",
            query.id,
            question.kind,
            question.name.lower(),
            query.edns_size.unwrap_or(DATAGRAM),
            reply.rcode,
            flags.join(","),
            reply.encode().len(),
        );
        say(sys, 1, &line);
    }
}

/// A message that asks something; others get no answer, as answering answers could go on forever.
fn query(bytes: &[u8]) -> Option<Message> {
    match Message::decode(bytes) {
        Ok(message) => Some(message).filter(|message| !message.response),
        Err(_) => {
            let id = u16::from_be_bytes(bytes.get(..2)?.try_into().ok()?);
            // No question: the answer will be FORMERR.
            Some(Message { id, rcode: Rcode::FormErr, ..Message::default() })
        }
    }
}

/// Takes records out of an answer that is too long; false when none is left.
fn cut(reply: &mut Message) -> bool {
    let dropped = reply.additionals.pop().or_else(|| reply.authorities.pop());
    if dropped.is_some() {
        return true;
    }
    reply.truncated = true;
    reply.answers.pop().is_some()
}

/// The first message of a connection's bytes, and what follows it.
fn framed(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(2)?;
    let length = usize::from(u16::from_be_bytes(length.try_into().ok()?));
    rest.split_at_checked(length)
}

fn open(
    net: &mut dyn NetStack,
    health: bool,
    ready: bool,
) -> Result<Sockets, (&'static str, Errno)> {
    let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
    let tcp = |error| ("tcp", error);
    let mut probes = |wanted: bool, port, path| match wanted {
        true => Probes::listen(net, port, path).map(Some).map_err(tcp),
        false => Ok(None),
    };
    let (health, ready) = (probes(health, 8_080, "/health")?, probes(ready, 8_181, "/ready")?);
    Ok(Sockets {
        udp: net.udp_bind(at).map_err(|error| ("udp", error))?,
        listener: net.tcp_listen(at).map_err(tcp)?,
        connections: Vec::new(),
        health,
        ready,
    })
}

fn open_watch(api: &mut dyn ApiService, kind: KindRef) -> Option<Watch> {
    let user = UserInfo::service_account("kube-system", "coredns");
    let request = WatchRequest::new(user, "coredns".into(), kind.clone());
    let id = api.watch(request).ok()?;
    Some(Watch { kind, id, listed: false })
}

/// The value after an option.
fn option<'a>(args: &'a [String], name: &str) -> Option<&'a str> {
    let at = args.iter().position(|arg| arg == name)?;
    args.get(at + 1).map(String::as_str)
}

fn say(sys: &mut dyn Sys, fd: u32, line: &str) {
    let _ = sys.write(fd, format!("{line}\n").as_bytes());
}
