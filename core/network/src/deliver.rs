//! The end of a packet's way: the socket, or the kernel, that it is for.

use crate::icmp::{Pong, socket_error};
use crate::limits;
use crate::namespace::NsId;
use crate::network::Network;
use crate::packet::{IcmpError, Packet, Payload, Protocol, Segment, Tuple, Unreachable};
use crate::socket::{Endpoints, SockId, SocketKind, packet as new_packet};
use crate::tcp::{State, Tcp};
use crate::trace::{Drop, Outcome};
use naru_sim::CauseId;
use std::net::SocketAddr;

impl Network {
    /// A packet has come through to this namespace's sockets.
    pub(crate) fn deliver(&mut self, ns: NsId, mut packet: Box<Packet>) {
        self.end_trace(packet.flow, packet.trace, Outcome::Delivered);
        let payload = std::mem::replace(&mut packet.payload, Payload::Udp(Vec::new()));
        match payload {
            Payload::Tcp(segment) => self.deliver_segment(ns, &packet, segment),
            Payload::Udp(data) => self.deliver_datagram(ns, &packet, data),
            Payload::EchoRequest { seq, length } => {
                let reply = Payload::EchoReply { seq, length };
                let (src, dst) = (packet.dst, packet.src);
                self.emit(ns, new_packet(src, dst, reply, packet.flow, packet.cause));
            }
            Payload::EchoReply { seq, length } => {
                let (from, ttl) = (packet.src.ip(), packet.ttl);
                self.pong(ns, packet.dst.port(), Pong::Reply { from, seq, ttl, length });
            }
            Payload::IcmpError { error, about } => self.deliver_error(ns, &packet, error, about),
            // Unwrapped before: see `Network::unwrap`.
            Payload::Wrapped { .. } => self.lose(&packet, Drop::NoSocket),
        }
    }

    fn deliver_segment(&mut self, ns: NsId, packet: &Packet, segment: Segment) {
        let Some(space) = self.namespaces.get(&ns) else { return };
        let ends = &space.endpoints;
        if let Some(id) = ends.connections.get(&(packet.dst, packet.src)).copied() {
            if let Some(socket) = self.sockets.get_mut(&id) {
                socket.outlook.learn(&packet.trail);
            }
            return self.connection_segment(ns, id, segment);
        }
        let opens = segment.flags.syn && !segment.flags.ack && !segment.flags.rst;
        match Endpoints::bound(&ends.listeners, packet.dst).filter(|_| opens) {
            Some(listener) => self.open(ns, listener, packet, &segment),
            None => {
                self.lose(packet, Drop::NoSocket);
                let asked = Packet { payload: Payload::Tcp(segment), ..packet.clone() };
                self.reset(ns, &asked);
            }
        }
    }

    /// SYN has come to a listener.
    fn open(&mut self, ns: NsId, listener: SockId, packet: &Packet, syn: &Segment) {
        let now = self.now;
        let crowded = self
            .namespaces
            .get(&ns)
            .is_none_or(|space| space.sockets.len() >= limits::SOCKETS_PER_NAMESPACE_MAX);
        let Some(SocketKind::Listener(waiting)) =
            self.sockets.get_mut(&listener).map(|socket| &mut socket.kind)
        else {
            return;
        };
        if crowded || waiting.ready.len() + waiting.opening >= limits::BACKLOG_MAX {
            // The client will try again.
            return self.lose(packet, Drop::QueueFull);
        }
        waiting.opening += 1;
        let mut out = Vec::new();
        let mut tcp = Tcp::accept(packet.dst, packet.src, syn, now, &mut out);
        tcp.listener = Some(listener);
        let id = self.insert(ns, SocketKind::Tcp(Box::new(tcp)), packet.flow, packet.cause);
        if let Some(space) = self.namespaces.get_mut(&ns) {
            space.endpoints.connections.insert((packet.dst, packet.src), id);
        }
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.outlook.learn(&packet.trail);
        }
        self.send_segments(id, out, CauseId::ROOT);
    }

    fn connection_segment(&mut self, ns: NsId, id: SockId, segment: Segment) {
        let now = self.now;
        let mut out = Vec::new();
        let Ok(tcp) = self.tcp(id) else { return };
        let before = tcp.state;
        tcp.segment(segment, now, &mut out);
        self.settle(ns, id, before);
        self.send_segments(id, out, CauseId::ROOT);
    }

    /// A connection's deadline has come.
    pub(crate) fn timer(&mut self, id: SockId) {
        let now = self.now;
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        socket.timer = None;
        let ns = socket.ns;
        let SocketKind::Tcp(tcp) = &mut socket.kind else { return };
        let mut out = Vec::new();
        if tcp.deadline.is_some_and(|deadline| deadline <= now) {
            let before = tcp.state;
            tcp.timer(now, &mut out);
            self.settle(ns, id, before);
        }
        self.send_segments(id, out, CauseId::ROOT);
    }

    /// After a connection may have changed: its listener learns that it stands or has failed, and
    /// programs look again.
    fn settle(&mut self, ns: NsId, id: SockId, before: State) {
        self.wakes.insert(ns);
        let Ok(tcp) = self.tcp(id) else { return };
        let after = tcp.state;
        let Some(listener) = tcp.listener.filter(|_| before == State::SynReceived) else { return };
        if after == before {
            return;
        }
        if after == State::Closed {
            // No program has seen it, so none will close it.
            tcp.orphan = true;
        }
        if let Some(SocketKind::Listener(waiting)) =
            self.sockets.get_mut(&listener).map(|socket| &mut socket.kind)
        {
            waiting.opening = waiting.opening.saturating_sub(1);
            if after == State::Open {
                waiting.ready.push_back(id);
            }
        }
    }

    fn deliver_datagram(&mut self, ns: NsId, packet: &Packet, data: Vec<u8>) {
        let Some(space) = self.namespaces.get(&ns) else { return };
        let bound = Endpoints::bound(&space.endpoints.datagrams, packet.dst);
        let socket = bound.and_then(|id| self.sockets.get_mut(&id));
        let Some(SocketKind::Udp(udp)) = socket.map(|socket| &mut socket.kind) else {
            self.lose(packet, Drop::NoSocket);
            return self.report(ns, packet, IcmpError::Unreachable(Unreachable::Port));
        };
        udp.remember(packet.src, packet.flow, packet.cause);
        match udp.push(data, packet.src) {
            true => drop(self.wakes.insert(ns)),
            false => self.lose(packet, Drop::QueueFull),
        }
    }

    fn pong(&mut self, ns: NsId, id: u16, pong: Pong) {
        let Some(space) = self.namespaces.get(&ns) else { return };
        let socket = space.endpoints.pings.get(&id).and_then(|id| self.sockets.get_mut(id));
        if let Some(SocketKind::Ping(ping)) = socket.map(|socket| &mut socket.kind) {
            ping.push(pong);
            self.wakes.insert(ns);
        }
    }

    /// An error about a packet that was sent from here.
    fn deliver_error(&mut self, ns: NsId, packet: &Packet, error: IcmpError, about: Tuple) {
        let Some(space) = self.namespaces.get(&ns) else { return };
        match about.protocol {
            Protocol::Tcp => {
                let found = space.endpoints.connections.get(&(about.src, about.dst)).copied();
                if let Some(id) = found {
                    self.connection_error(ns, id, error);
                }
            }
            Protocol::Udp => self.datagram_error(ns, about.src, about.dst, error),
            Protocol::Icmp => {
                let from = packet.src.ip();
                self.pong(ns, about.src.port(), Pong::Error { from, error });
            }
            Protocol::Other(_) => {}
        }
    }

    fn connection_error(&mut self, ns: NsId, id: SockId, error: IcmpError) {
        let Ok(tcp) = self.tcp(id) else { return };
        let before = tcp.state;
        tcp.unreachable(socket_error(error));
        self.settle(ns, id, before);
        self.send_segments(id, Vec::new(), CauseId::ROOT);
    }

    fn datagram_error(&mut self, ns: NsId, local: SocketAddr, peer: SocketAddr, error: IcmpError) {
        let Some(space) = self.namespaces.get(&ns) else { return };
        let bound = Endpoints::bound(&space.endpoints.datagrams, local);
        let socket = bound.and_then(|id| self.sockets.get_mut(&id));
        if let Some(SocketKind::Udp(udp)) = socket.map(|socket| &mut socket.kind) {
            udp.unreachable(peer, socket_error(error));
            self.wakes.insert(ns);
        }
    }
}
