//! Sockets: what programs of a namespace hold in their hands.

use crate::error::NetError;
use crate::icmp::{Ping, Pong};
use crate::limits;
use crate::namespace::NsId;
use crate::network::Network;
use crate::packet::{Packet, Payload, Segment, TTL, unspecified};
use crate::tcp::{State, Tcp};
use crate::trace::{FlowId, TraceId};
use crate::udp::Udp;
use crate::ways::{Outlook, Trail};
use naru_sim::{CauseId, Place, Time};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

/// Names a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SockId(pub u64);

/// When and why a program calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The present moment.
    pub now: Time,
    /// What made the program call.
    pub cause: CauseId,
}

/// A socket.
#[derive(Clone, Debug)]
pub(crate) struct Socket {
    pub ns: NsId,
    pub kind: SocketKind,
    pub flow: FlowId,
    pub cause: CauseId,
    /// When the network will look at this socket's deadline.
    pub timer: Option<(Time, Place)>,
    /// Whether it began the connection.
    pub is_client: bool,
    /// What it knows of the way to the other end.
    pub outlook: Outlook,
}

#[derive(Clone, Debug)]
pub(crate) enum SocketKind {
    Listener(Listener),
    Tcp(Box<Tcp>),
    Udp(Udp),
    Ping(Ping),
}

/// A socket that waits for connections.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    pub at: SocketAddr,
    /// Connections that stand.
    pub ready: VecDeque<SockId>,
    /// Connections that wait for the end of the handshake.
    pub opening: usize,
}

/// Which socket a packet is for.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints {
    /// By local and remote address.
    pub connections: FxHashMap<(SocketAddr, SocketAddr), SockId>,
    pub listeners: BTreeMap<SocketAddr, SockId>,
    pub datagrams: BTreeMap<SocketAddr, SockId>,
    pub pings: BTreeMap<u16, SockId>,
    next_port: u16,
    next_ping: u16,
}

/// Linux: `net.ipv4.ip_local_port_range`.
const PORT_FIRST: u16 = 32_768;
const PORTS: u16 = 28_232;

impl Endpoints {
    /// Free ports are given out from `first_port` on.
    pub fn new(first_port: u16) -> Self {
        Endpoints {
            connections: FxHashMap::default(),
            listeners: BTreeMap::new(),
            datagrams: BTreeMap::new(),
            pings: BTreeMap::new(),
            next_port: first_port % PORTS,
            next_ping: 0,
        }
    }

    /// The port that is looked at next.
    pub fn next_port(&self) -> u16 {
        self.next_port
    }

    /// Takes a port for a connection that is over already.
    pub fn skip_port(&mut self) -> Option<u16> {
        self.port(|ends, port| !ends.listeners.keys().any(|at| at.port() == port))
    }

    /// Takes ports for so many connections that are over already; `false` if there is none.
    pub fn skip_ports(&mut self, times: u64) -> bool {
        let given = |at: &SocketAddr| at.port().checked_sub(PORT_FIRST).filter(|it| *it < PORTS);
        let bound: BTreeSet<u16> = self.listeners.keys().filter_map(given).collect();
        let free = u64::from(PORTS) - bound.len() as u64;
        if bound.is_empty() {
            self.next_port = ((u64::from(self.next_port) + times % free) % free) as u16;
            return true;
        }
        // All the free ones, one after the other, lead back to where it began.
        let rounds = times.saturating_sub(1).checked_div(free);
        let Some(rest) = rounds.map(|rounds| times - rounds * free) else { return false };
        (0..rest).all(|_| self.skip_port().is_some())
    }

    /// The next free port.
    fn port(&mut self, is_free: impl Fn(&Endpoints, u16) -> bool) -> Option<u16> {
        for _ in 0..PORTS {
            let port = PORT_FIRST + self.next_port;
            self.next_port = (self.next_port + 1) % PORTS;
            if is_free(self, port) {
                return Some(port);
            }
        }
        None
    }

    /// The socket that is bound to an address or to all addresses.
    pub fn bound(of: &BTreeMap<SocketAddr, SockId>, at: SocketAddr) -> Option<SockId> {
        let all = SocketAddr::new(unspecified(at.ip()), at.port());
        let dual = SocketAddr::new(IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED), at.port());
        [at, all, dual].iter().find_map(|at| of.get(at)).copied()
    }

    /// Whether a socket can be bound there beside the others.
    fn is_free(of: &BTreeMap<SocketAddr, SockId>, at: SocketAddr) -> bool {
        let clash = |other: &SocketAddr| {
            let either = other.ip().is_unspecified() || at.ip().is_unspecified();
            other.port() == at.port() && (either || other.ip() == at.ip())
        };
        !of.keys().any(clash)
    }
}

/// A socket, as `ss` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketInfo {
    /// The socket.
    pub id: SockId,
    /// `tcp`, `udp`, `icmp`
    pub protocol: crate::packet::Protocol,
    /// `LISTEN`, `ESTAB`, `UNCONN`, ….
    pub state: &'static str,
    /// The socket's own address.
    pub local: SocketAddr,
    /// The other side's; `None` when there is none.
    pub remote: Option<SocketAddr>,
    /// Bytes (or connections) that wait for the program.
    pub recv_queue: usize,
    /// Bytes not acknowledged yet.
    pub send_queue: usize,
}

impl Network {
    /// Starts a connection. [`Network::connected`] tells when it stands.
    pub fn tcp_connect(
        &mut self,
        ns: NsId,
        to: SocketAddr,
        call: Call,
    ) -> Result<SockId, NetError> {
        self.set_now(call.now);
        self.may_open(ns)?;
        let space = self.namespaces.get_mut(&ns).ok_or(NetError::Invalid)?;
        let to = if to.ip().is_unspecified() { loopback(to) } else { to };
        let from = space.source_for(to.ip()).ok_or(NetError::NetUnreachable)?;
        let free = |ends: &Endpoints, port: u16| {
            let local = SocketAddr::new(from, port);
            !ends.connections.contains_key(&(local, to))
                && Endpoints::bound(&ends.listeners, local).is_none()
        };
        let port = space.endpoints.port(free).ok_or(NetError::AddrNotAvailable)?;
        let local = SocketAddr::new(from, port);
        let mut out = Vec::new();
        let tcp = Tcp::connect(local, to, call.now, &mut out);
        let flow = self.new_flow();
        let chance = self.namespaces.get(&ns).map_or(0, |space| space.netfilter.chance());
        self.recordings.begin(flow, chance);
        let id = self.insert(ns, SocketKind::Tcp(Box::new(tcp)), flow, call.cause);
        if let Some(space) = self.namespaces.get_mut(&ns) {
            space.endpoints.connections.insert((local, to), id);
        }
        self.send_segments(id, out, call.cause);
        Ok(id)
    }

    /// Whether a started connection stands: [`NetError::Again`] while it does not, another error
    /// when it failed.
    pub fn connected(&mut self, socket: SockId) -> Result<(), NetError> {
        let tcp = self.tcp(socket)?;
        match tcp.state {
            State::SynSent | State::SynReceived => Err(NetError::Again),
            State::Open => Ok(()),
            State::Closed => tcp.error.map_or(Ok(()), Err),
        }
    }

    /// Listens. The unspecified address stands for all addresses of the namespace; port 0 for any
    /// free port.
    pub fn tcp_listen(&mut self, ns: NsId, at: SocketAddr) -> Result<SockId, NetError> {
        self.may_open(ns)?;
        let space = self.namespaces.get_mut(&ns).ok_or(NetError::Invalid)?;
        if !space.can_bind(at.ip()) {
            return Err(NetError::AddrNotAvailable);
        }
        let free = |ends: &Endpoints, port: u16| {
            Endpoints::is_free(&ends.listeners, SocketAddr::new(at.ip(), port))
        };
        let port = match at.port() {
            0 => space.endpoints.port(free).ok_or(NetError::AddrInUse)?,
            port if free(&space.endpoints, port) => port,
            _ => return Err(NetError::AddrInUse),
        };
        let at = SocketAddr::new(at.ip(), port);
        let listener = Listener { at, ready: VecDeque::new(), opening: 0 };
        let id = self.insert(ns, SocketKind::Listener(listener), FlowId(0), CauseId::ROOT);
        if let Some(space) = self.namespaces.get_mut(&ns) {
            space.endpoints.listeners.insert(at, id);
            space.generation += 1;
        }
        Ok(id)
    }

    /// Takes a connection that came in, and who it is from.
    pub fn accept(&mut self, listener: SockId) -> Result<(SockId, SocketAddr), NetError> {
        let socket = self.sockets.get_mut(&listener).ok_or(NetError::BadSocket)?;
        let SocketKind::Listener(waiting) = &mut socket.kind else {
            return Err(NetError::Invalid);
        };
        let id = waiting.ready.pop_front().ok_or(NetError::Again)?;
        let tcp = self.tcp(id)?;
        tcp.listener = None;
        Ok((id, tcp.remote))
    }

    /// Sends on a connection; tells how many bytes were taken. [`NetError::Again`] when none were.
    pub fn send(&mut self, socket: SockId, bytes: &[u8], call: Call) -> Result<usize, NetError> {
        self.set_now(call.now);
        let mut out = Vec::new();
        let result = self.tcp(socket)?.send(bytes, call.now, &mut out);
        self.send_segments(socket, out, call.cause);
        result
    }

    /// Up to `max` bytes that came; empty when the other side has closed.
    pub fn recv(&mut self, socket: SockId, max: usize, call: Call) -> Result<Vec<u8>, NetError> {
        self.set_now(call.now);
        let mut out = Vec::new();
        // Most that are asked have nothing, and stay as they are.
        let bytes = self.tcp(socket)?.recv(max, &mut out)?;
        self.send_segments(socket, out, call.cause);
        Ok(bytes)
    }

    /// Opens a datagram socket; port 0 takes a free one.
    pub fn udp_bind(&mut self, ns: NsId, at: SocketAddr) -> Result<SockId, NetError> {
        self.may_open(ns)?;
        let space = self.namespaces.get_mut(&ns).ok_or(NetError::Invalid)?;
        if !space.can_bind(at.ip()) {
            return Err(NetError::AddrNotAvailable);
        }
        let free = |ends: &Endpoints, port: u16| {
            Endpoints::is_free(&ends.datagrams, SocketAddr::new(at.ip(), port))
        };
        let port = match at.port() {
            0 => space.endpoints.port(free).ok_or(NetError::AddrInUse)?,
            port if free(&space.endpoints, port) => port,
            _ => return Err(NetError::AddrInUse),
        };
        let at = SocketAddr::new(at.ip(), port);
        let id = self.insert(ns, SocketKind::Udp(Udp::new(at)), FlowId(0), CauseId::ROOT);
        if let Some(space) = self.namespaces.get_mut(&ns) {
            space.endpoints.datagrams.insert(at, id);
        }
        Ok(id)
    }

    /// Sends a datagram.
    pub fn udp_send(
        &mut self,
        socket: SockId,
        to: SocketAddr,
        bytes: &[u8],
        call: Call,
    ) -> Result<(), NetError> {
        self.set_now(call.now);
        if bytes.len() > limits::DATAGRAM_MAX {
            return Err(NetError::TooLong);
        }
        let new_flow = self.new_flow();
        let found = self.sockets.get_mut(&socket).ok_or(NetError::BadSocket)?;
        let ns = found.ns;
        let SocketKind::Udp(udp) = &mut found.kind else { return Err(NetError::Invalid) };
        let space = self.namespaces.get(&ns).ok_or(NetError::BadSocket)?;
        let to = if to.ip().is_unspecified() { loopback(to) } else { to };
        let from = space.source_for(to.ip()).ok_or(NetError::NetUnreachable)?;
        let from = if udp.local.ip().is_unspecified() { from } else { udp.local.ip() };
        let (flow, cause) = udp.flow(to).unwrap_or((new_flow, call.cause));
        let cause = if call.cause == CauseId::ROOT { cause } else { call.cause };
        udp.remember(to, flow, cause);
        let src = SocketAddr::new(from, udp.local.port());
        self.emit(ns, packet(src, to, Payload::Udp(bytes.to_vec()), flow, cause));
        Ok(())
    }

    /// Takes a datagram that came, and who it is from. An ICMP error that came is an error.
    pub fn udp_recv(&mut self, socket: SockId) -> Result<(Vec<u8>, SocketAddr), NetError> {
        match &mut self.sockets.get_mut(&socket).ok_or(NetError::BadSocket)?.kind {
            SocketKind::Udp(udp) => udp.recv(),
            _ => Err(NetError::Invalid),
        }
    }

    /// Opens a socket that pings.
    pub fn ping_open(&mut self, ns: NsId) -> Result<SockId, NetError> {
        self.may_open(ns)?;
        let space = self.namespaces.get_mut(&ns).ok_or(NetError::Invalid)?;
        space.endpoints.next_ping = space.endpoints.next_ping.wrapping_add(1).max(1);
        let number = space.endpoints.next_ping;
        if space.endpoints.pings.contains_key(&number) {
            return Err(NetError::TooManySockets);
        }
        let id = self.insert(ns, SocketKind::Ping(Ping::new(number)), FlowId(0), CauseId::ROOT);
        if let Some(space) = self.namespaces.get_mut(&ns) {
            space.endpoints.pings.insert(number, id);
        }
        Ok(id)
    }

    /// Sends a ping with `length` bytes of data. A lower `ttl` than Linux's 64 finds the routers
    /// on the way.
    pub fn ping_send(
        &mut self,
        socket: SockId,
        to: IpAddr,
        seq: u16,
        length: u16,
        ttl: Option<u8>,
        call: Call,
    ) -> Result<(), NetError> {
        self.set_now(call.now);
        let flow = self.new_flow();
        let found = self.sockets.get(&socket).ok_or(NetError::BadSocket)?;
        let SocketKind::Ping(ping) = &found.kind else { return Err(NetError::Invalid) };
        let space = self.namespaces.get(&found.ns).ok_or(NetError::BadSocket)?;
        let from = space.source_for(to).ok_or(NetError::NetUnreachable)?;
        let (src, dst) = (SocketAddr::new(from, ping.id), SocketAddr::new(to, 0));
        let payload = Payload::EchoRequest { seq, length };
        let ttl = ttl.unwrap_or(TTL);
        self.emit(found.ns, Packet { ttl, ..packet(src, dst, payload, flow, call.cause) });
        Ok(())
    }

    /// Takes what came back.
    pub fn ping_recv(&mut self, socket: SockId) -> Result<Pong, NetError> {
        match &mut self.sockets.get_mut(&socket).ok_or(NetError::BadSocket)?.kind {
            SocketKind::Ping(ping) => ping.incoming.pop_front().ok_or(NetError::Again),
            _ => Err(NetError::Invalid),
        }
    }

    /// The socket's own address.
    pub fn local_addr(&self, socket: SockId) -> Result<SocketAddr, NetError> {
        match &self.sockets.get(&socket).ok_or(NetError::BadSocket)?.kind {
            SocketKind::Listener(listener) => Ok(listener.at),
            SocketKind::Tcp(tcp) => Ok(tcp.local),
            SocketKind::Udp(udp) => Ok(udp.local),
            SocketKind::Ping(_) => Err(NetError::Invalid),
        }
    }

    /// The other side's address.
    pub fn peer_addr(&self, socket: SockId) -> Result<SocketAddr, NetError> {
        match &self.sockets.get(&socket).ok_or(NetError::BadSocket)?.kind {
            SocketKind::Tcp(tcp) => Ok(tcp.remote),
            _ => Err(NetError::NotConnected),
        }
    }

    /// The conversation that a connection's packets belong to, as traces name it.
    pub fn flow(&self, socket: SockId) -> Option<FlowId> {
        self.sockets.get(&socket).map(|socket| socket.flow).filter(|flow| *flow != FlowId(0))
    }

    /// Says goodbye on a connection; what the other side still sends can be read.
    pub fn shutdown(&mut self, socket: SockId, call: Call) {
        self.set_now(call.now);
        let Ok(tcp) = self.tcp(socket) else { return };
        let mut out = Vec::new();
        tcp.shutdown(call.now, &mut out);
        self.send_segments(socket, out, call.cause);
    }

    /// Closes any socket: a connection says goodbye to the other side.
    pub fn close(&mut self, socket: SockId, call: Call) {
        self.set_now(call.now);
        let Some(found) = self.sockets.get_mut(&socket) else { return };
        let mut out = Vec::new();
        match &mut found.kind {
            SocketKind::Tcp(tcp) => tcp.close(call.now, &mut out),
            SocketKind::Listener(_) => return self.close_listener(socket),
            SocketKind::Udp(_) | SocketKind::Ping(_) => return self.forget(socket),
        }
        self.send_segments(socket, out, call.cause);
    }

    /// The sockets of a namespace, as `ss` lists them.
    pub fn sockets(&self, ns: NsId) -> Vec<SocketInfo> {
        let ids = self.namespaces.get(&ns).into_iter().flat_map(|space| space.sockets.iter());
        ids.filter_map(|id| Some(socket_info(*id, self.sockets.get(id)?))).collect()
    }

    fn close_listener(&mut self, id: SockId) {
        let waiting: Vec<SockId> = self
            .sockets
            .iter()
            .filter(|(_, s)| matches!(&s.kind, SocketKind::Tcp(tcp) if tcp.listener == Some(id)))
            .map(|(id, _)| *id)
            .collect();
        for child in waiting {
            let mut out = Vec::new();
            if let Ok(tcp) = self.tcp(child) {
                tcp.orphan = true;
                tcp.abort(&mut out);
            }
            self.send_segments(child, out, CauseId::ROOT);
        }
        self.forget(id);
    }

    fn may_open(&self, ns: NsId) -> Result<(), NetError> {
        let space = self.namespaces.get(&ns).ok_or(NetError::Invalid)?;
        match space.sockets.len() < limits::SOCKETS_PER_NAMESPACE_MAX {
            true => Ok(()),
            false => Err(NetError::TooManySockets),
        }
    }

    pub(crate) fn insert(
        &mut self,
        ns: NsId,
        kind: SocketKind,
        flow: FlowId,
        cause: CauseId,
    ) -> SockId {
        self.last_socket += 1;
        let id = SockId(self.last_socket);
        let is_client = matches!(&kind, SocketKind::Tcp(tcp) if tcp.state == State::SynSent);
        let outlook = Outlook::default();
        self.sockets.insert(id, Socket { ns, kind, flow, cause, timer: None, is_client, outlook });
        if let Some(recording) = self.recordings.get_mut(flow) {
            recording.sockets += 1;
            recording.opened += 1;
        }
        if let Some(space) = self.namespaces.get_mut(&ns) {
            space.sockets.insert(id);
        }
        id
    }

    pub(crate) fn tcp(&mut self, id: SockId) -> Result<&mut Tcp, NetError> {
        match &mut self.sockets.get_mut(&id).ok_or(NetError::BadSocket)?.kind {
            SocketKind::Tcp(tcp) => Ok(tcp),
            _ => Err(NetError::Invalid),
        }
    }

    /// Takes a socket out of all tables.
    pub(crate) fn forget(&mut self, id: SockId) {
        let Some(socket) = self.sockets.remove(&id) else { return };
        self.drop_timer(id, socket.timer);
        if let Some(recording) = self.recordings.get_mut(socket.flow) {
            recording.sockets = recording.sockets.saturating_sub(1);
        }
        let Some(space) = self.namespaces.get_mut(&socket.ns) else { return };
        space.sockets.remove(&id);
        match socket.kind {
            SocketKind::Listener(listener) => {
                space.endpoints.listeners.remove(&listener.at);
                space.generation += 1;
            }
            SocketKind::Udp(udp) => drop(space.endpoints.datagrams.remove(&udp.local)),
            SocketKind::Ping(ping) => drop(space.endpoints.pings.remove(&ping.id)),
            SocketKind::Tcp(tcp) => {
                space.endpoints.connections.remove(&(tcp.local, tcp.remote));
            }
        }
    }

    /// Sends a connection's segments, sets its timer, and forgets it when it is over and closed.
    pub(crate) fn send_segments(&mut self, id: SockId, out: Vec<Segment>, cause: CauseId) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        let SocketKind::Tcp(tcp) = &socket.kind else { return };
        if cause != CauseId::ROOT {
            socket.cause = cause;
        }
        let (ns, flow, cause) = (socket.ns, socket.flow, socket.cause);
        let (local, remote) = (tcp.local, tcp.remote);
        let over = tcp.is_over() && tcp.orphan;
        let later = |deadline: &Time| socket.timer.is_none_or(|(at, _)| at > *deadline);
        if let Some(deadline) = tcp.deadline.filter(later) {
            self.set_timer(deadline, id);
        }
        for segment in out {
            self.send_of(id, ns, packet(local, remote, Payload::Tcp(segment), flow, cause));
        }
        if over {
            self.forget(id);
        }
    }
}

fn loopback(to: SocketAddr) -> SocketAddr {
    let ip = match to {
        SocketAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        SocketAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
    };
    SocketAddr::new(ip, to.port())
}

/// A packet that is not numbered yet.
pub(crate) fn packet(
    src: SocketAddr,
    dst: SocketAddr,
    payload: Payload,
    flow: FlowId,
    cause: CauseId,
) -> Packet {
    let tracked = crate::conntrack::Tracked::Not;
    let (trace, trail) = (TraceId(0), Trail::default());
    Packet { src, dst, ttl: TTL, payload, mark: 0, tracked, trace, flow, cause, trail, log: None }
}

fn socket_info(id: SockId, socket: &Socket) -> SocketInfo {
    use crate::packet::Protocol;
    let info = |protocol, state, local| SocketInfo {
        id,
        protocol,
        state,
        local,
        remote: None,
        recv_queue: 0,
        send_queue: 0,
    };
    match &socket.kind {
        SocketKind::Listener(listener) => SocketInfo {
            recv_queue: listener.ready.len(),
            send_queue: limits::BACKLOG_MAX,
            ..info(Protocol::Tcp, "LISTEN", listener.at)
        },
        SocketKind::Tcp(tcp) => {
            let (recv_queue, send_queue) = tcp.queues();
            let plain = info(Protocol::Tcp, tcp.state_name(), tcp.local);
            SocketInfo { remote: Some(tcp.remote), recv_queue, send_queue, ..plain }
        }
        SocketKind::Udp(udp) => {
            SocketInfo { recv_queue: udp.waiting(), ..info(Protocol::Udp, "UNCONN", udp.local) }
        }
        SocketKind::Ping(ping) => {
            let any = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
            info(Protocol::Icmp, "UNCONN", SocketAddr::new(any, ping.id))
        }
    }
}
