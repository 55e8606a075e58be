//! Datagram sockets.

use crate::error::NetError;
use crate::limits;
use crate::trace::FlowId;
use naru_sim::CauseId;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// A datagram socket.
#[derive(Clone, Debug)]
pub(crate) struct Udp {
    pub local: SocketAddr,
    incoming: VecDeque<(Vec<u8>, SocketAddr)>,
    error: Option<NetError>,
    /// Whom it talked with lately, so that an answer belongs to its question's flow.
    peers: VecDeque<(SocketAddr, FlowId, CauseId)>,
}

impl Udp {
    pub fn new(local: SocketAddr) -> Self {
        Udp { local, incoming: VecDeque::new(), error: None, peers: VecDeque::new() }
    }

    /// Takes in a datagram; false when the queue is full.
    pub fn push(&mut self, data: Vec<u8>, from: SocketAddr) -> bool {
        let room = self.incoming.len() < limits::DATAGRAMS_WAITING_MAX;
        if room {
            self.incoming.push_back((data, from));
        }
        room
    }

    pub fn recv(&mut self) -> Result<(Vec<u8>, SocketAddr), NetError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        self.incoming.pop_front().ok_or(NetError::Again)
    }

    /// Bytes that wait to be read.
    pub fn waiting(&self) -> usize {
        self.incoming.iter().map(|(data, _)| data.len()).sum()
    }

    pub fn flow(&self, peer: SocketAddr) -> Option<(FlowId, CauseId)> {
        self.peers.iter().find(|(other, ..)| *other == peer).map(|(_, flow, cause)| (*flow, *cause))
    }

    /// Remembers which flow a peer's datagrams belong to.
    pub fn remember(&mut self, peer: SocketAddr, flow: FlowId, cause: CauseId) {
        self.peers.retain(|(other, ..)| *other != peer);
        if self.peers.len() >= limits::DATAGRAM_FLOWS_MAX {
            self.peers.pop_front();
        }
        self.peers.push_back((peer, flow, cause));
    }

    /// An ICMP error came about a datagram sent to `peer`.
    pub fn unreachable(&mut self, peer: SocketAddr, error: NetError) {
        if self.flow(peer).is_some() {
            self.error = Some(error);
        }
    }
}
