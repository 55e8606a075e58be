//! The program `coredns`.

use super::answer::{Knowledge, Outcome};
use super::corefile::{self, Server};
use super::forward::{Answered, Client, Forwarder};
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
    /// Questions that others have been asked.
    forwarder: Forwarder,
    /// The Corefile that runs, or that could not be taken into use.
    text: String,
    /// When the plugin `reload` looks at the file next.
    reload_at: Option<Time>,
    /// Something has happened in this turn.
    stirred: bool,
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
        self.stirred = self.sockets.is_none() || self.is_busy();
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
        if self.reload_at.is_some_and(|at| sys.now() >= at) {
            self.reload(sys);
        }
        self.watch(sys);
        self.serve_probes(sys);
        let more = self.serve(sys);
        self.serve_forwarded(sys);
        if more {
            return Step::Yield;
        }
        if !self.stirred && !self.is_busy() {
            sys.stays_alike();
        }
        let due = [self.ends, self.retry_at, self.reload_at, self.forwarder.next_due()];
        Step::Block { until: due.into_iter().flatten().min() }
    }
}

impl CoreDns {
    /// Whether somebody is connected, or others are asked for somebody.
    fn is_busy(&self) -> bool {
        let busy = |probes: &Probes| probes.is_busy();
        self.forwarder.is_busy()
            || self.sockets.as_ref().is_some_and(|sockets| {
                !sockets.connections.is_empty()
                    || sockets.health.as_ref().is_some_and(busy)
                    || sockets.ready.as_ref().is_some_and(busy)
            })
    }

    /// Reads the Corefile and opens the sockets.
    fn start(&mut self, sys: &mut dyn Sys) -> Result<(), String> {
        let (file, text) = read_corefile(sys)
            .map_err(|(file, error)| format!("loading Caddyfile via flag: open {file}: {error}"))?;
        self.servers = Server::parse(&file, &text).map_err(|error| error.0)?;
        self.text = text;
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
        self.plan_reload(sys);
        say(sys, 1, "CoreDNS-1.12.0\nlinux/amd64, go1.23.3, 51e11f1");
        Ok(())
    }

    /// Tells which configuration runs, and plans when to look whether there is another.
    ///
    /// Upstream: `plugin/reload`: every 30 seconds, give or take 7.5.
    fn plan_reload(&mut self, sys: &mut dyn Sys) {
        const INTERVAL_MS: u64 = 30_000;
        const JITTER_MS: u64 = 15_000;
        self.reload_at = None;
        if !self.servers.iter().any(|server| server.reload) {
            return;
        }
        let hash = corefile::fingerprint(&self.text);
        say(sys, 1, &format!("[INFO] plugin/reload: Running configuration SHA512 = {hash}"));
        let jitter = sys.rng().below(JITTER_MS);
        let wait = Duration::from_millis(INTERVAL_MS - JITTER_MS / 2 + jitter);
        self.reload_at = Some(sys.now() + wait);
    }

    /// Takes another Corefile into use, if there is one.
    fn reload(&mut self, sys: &mut dyn Sys) {
        const INTERVAL: Duration = Duration::from_secs(30);
        self.reload_at = Some(sys.now() + INTERVAL);
        let Ok((file, text)) = read_corefile(sys) else { return };
        if text == self.text || corefile::fingerprint(&text) == corefile::fingerprint(&self.text) {
            return;
        }
        say(sys, 1, "[INFO] Reloading");
        // What cannot be used is not tried again until it has changed.
        (self.text, self.stirred) = (text, true);
        match Server::parse(&file, &self.text) {
            Ok(servers) => {
                self.servers = servers;
                self.lame_duck(sys);
                self.plan_reload(sys);
                say(sys, 1, "[INFO] Reloading complete");
            }
            Err(error) => {
                let why = error.0;
                say(sys, 1, &format!("[ERROR] Restart failed: {why}"));
                let line = "[ERROR] plugin/reload: Corefile changed but reload failed: starting with \
                            listener file descriptors";
                say(sys, 1, &format!("{line}: {why}"));
            }
        }
    }

    /// Tells that clients have some time to go elsewhere; gives how many seconds.
    fn lame_duck(&self, sys: &mut dyn Sys) -> u64 {
        let seconds = self.servers.iter().filter_map(|s| s.health).max().unwrap_or(0);
        if seconds > 0 {
            let line = format!("[INFO] plugin/health: Going into lameduck mode for {seconds}s");
            say(sys, 1, &line);
        }
        seconds
    }

    fn take_signals(&mut self, sys: &mut dyn Sys) {
        while let Some(signal) = sys.take_signal() {
            self.stirred = true;
            let name = if signal == Signal::Int { "SIGINT" } else { "SIGTERM" };
            say(sys, 1, &format!("[INFO] {name}: Shutting down servers then terminating"));
            let seconds = self.lame_duck(sys);
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
                self.stirred = true;
            }
        }
        for watch in &mut self.watches {
            match api.poll(watch.id) {
                Ok(events) => {
                    events.iter().for_each(|event| self.store.apply(event));
                    if !events.is_empty() {
                        self.changed = now;
                    }
                    self.stirred |= !events.is_empty() || !watch.listed;
                    watch.listed = true;
                }
                Err(_) => {
                    // It fell behind or was lost: list anew. Until that can be done, what was
                    // seen is good enough.
                    self.stirred = true;
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
        let mut answered = false;
        if let Some(probes) = &mut sockets.health {
            answered |= probes.serve(net, Ok(()));
        }
        if let Some(probes) = &mut sockets.ready {
            answered |= probes.serve(net, ready);
        }
        self.stirred |= answered;
        if answered {
            sys.answers_alike();
        }
    }

    /// Answers what was asked; tells whether there is more to do.
    fn serve(&mut self, sys: &mut dyn Sys) -> bool {
        let Some(mut sockets) = self.sockets.take() else { return false };
        for _ in 0..BATCH {
            let Some(net) = sys.net() else { break };
            let came = net.udp_recv(sockets.udp);
            self.stirred |= came.is_ok();
            match came {
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

    fn answer_datagram(
        &mut self,
        sys: &mut dyn Sys,
        udp: SocketId,
        bytes: &[u8],
        from: SocketAddr,
    ) {
        let Some(query) = query(bytes) else { return };
        let client = Client { from, socket: udp, framed: false, length: bytes.len() };
        if let Some(reply) = self.answer(sys, &query, client) {
            respond(sys, &query, reply, client);
        }
    }

    /// Answers those for whom others were asked.
    fn serve_forwarded(&mut self, sys: &mut dyn Sys) {
        for answered in self.forwarder.poll(sys) {
            let Answered { query, client, reply, failed, took } = answered;
            let errors = query.questions.first().filter(|question| {
                Server::of(&self.servers, &question.name).is_some_and(|server| server.errors)
            });
            if let Some((question, failed)) = errors.zip(failed) {
                let (name, kind) = (question.name.lower(), question.kind);
                say(sys, 1, &format!("[ERROR] plugin/errors: 2 {name}. {kind}: {failed}"));
            }
            self.log(sys, &query, &reply, client, took);
            respond(sys, &query, reply, client);
        }
    }

    fn serve_connections(&mut self, sys: &mut dyn Sys, sockets: &mut Sockets) {
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
        &mut self,
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
                let client = Client { from, socket, framed: true, length: message.len() };
                if let Some(reply) = self.answer(sys, &query, client)
                    && !respond(sys, &query, reply, client)
                {
                    return false;
                }
            }
        }
    }

    /// The answer, unless others are asked for it first.
    fn answer(&mut self, sys: &mut dyn Sys, query: &Message, client: Client) -> Option<Message> {
        let serial = self.changed.unix_micros() / 1_000_000;
        let knowledge = Knowledge {
            servers: &self.servers,
            store: &self.store,
            synced: self.synced(),
            serial: u32::try_from(serial).unwrap_or(0),
        };
        match knowledge.answer(query, sys.rng()) {
            Outcome::Reply(reply) => {
                self.log(sys, query, &reply, client, Duration::ZERO);
                Some(reply)
            }
            Outcome::Forward(onward) => {
                self.forwarder.ask(sys, query.clone(), onward, client);
                None
            }
        }
    }

    /// The plugin `log`, in its default form.
    fn log(
        &self,
        sys: &mut dyn Sys,
        query: &Message,
        reply: &Message,
        client: Client,
        took: Duration,
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
        let Client { from, framed, length, .. } = client;
        let transport = if framed { "tcp" } else { "udp" };
        let line = format!(
            "[INFO] {from} - {} \"{} IN {}. {transport} {length} false {}\" {} {} {} {}s",
            query.id,
            question.kind,
            question.name.lower(),
            query.edns_size.unwrap_or(if framed { u16::MAX } else { DATAGRAM }),
            reply.rcode,
            flags.join(","),
            reply.encode().len(),
            took.as_secs_f64(),
        );
        say(sys, 1, &line);
    }
}

/// Sends an answer; tells whether the connection goes on.
fn respond(sys: &mut dyn Sys, query: &Message, mut reply: Message, client: Client) -> bool {
    let mut answer = reply.encode();
    if client.framed {
        let length = u16::try_from(answer.len()).unwrap_or(u16::MAX).to_be_bytes();
        let framed = [length.as_slice(), &answer].concat();
        let Some(net) = sys.net() else { return false };
        return net.send(client.socket, &framed) == Ok(framed.len());
    }
    let size = usize::from(query.edns_size.unwrap_or(DATAGRAM).max(DATAGRAM));
    while answer.len() > size && cut(&mut reply) {
        answer = reply.encode();
    }
    if let Some(net) = sys.net() {
        // A client that is gone needs no answer.
        let _ = net.udp_send(client.socket, client.from, &answer);
    }
    true
}

/// The Corefile and its name; or its name and why it cannot be read.
fn read_corefile(sys: &mut dyn Sys) -> Result<(String, String), (String, String)> {
    let file = option(sys.args(), "-conf").unwrap_or("Corefile").to_owned();
    let path = sys.absolute(&file);
    match sys.fs().read(&path) {
        Ok(bytes) => Ok((file, String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) => Err((file, error.to_string().to_lowercase())),
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
