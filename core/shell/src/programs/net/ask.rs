//! One question to one name server, asked again where no answer comes.

use super::Progress;
use crate::{SocketId, Sys};
use naru_network::dns::{Message, Name, RecordType};
use naru_sim::Time;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// A question on its way.
#[derive(Clone, Debug)]
pub struct Ask {
    server: IpAddr,
    name: Name,
    kind: RecordType,
    timeout: Duration,
    tries: u32,
    timeouts: u32,
    id: u16,
    socket: Option<SocketId>,
    sent_at: Time,
}

impl Ask {
    /// Asks `server` up to `tries` times, and waits for `timeout` each time.
    pub fn new(
        server: IpAddr,
        name: Name,
        kind: RecordType,
        timeout: Duration,
        tries: u32,
    ) -> Self {
        let (timeouts, id, socket, sent_at) = (0, 0, None, Time::ZERO);
        Ask { server, name, kind, timeout, tries, timeouts, id, socket, sent_at }
    }

    /// How many attempts had no answer.
    pub fn timeouts(&self) -> u32 {
        self.timeouts
    }

    /// Goes on: the answer, or `None` when none has come.
    pub fn poll(&mut self, sys: &mut dyn Sys) -> Progress<Option<Message>> {
        loop {
            if self.socket.is_none() {
                if self.timeouts >= self.tries {
                    return Progress::Done(None);
                }
                self.send(sys);
            }
            if let Some(message) = self.receive(sys) {
                return Progress::Done(Some(message));
            }
            let due = self.sent_at + self.timeout;
            if sys.now() < due {
                return Progress::Waits(Some(due));
            }
            self.hang_up(sys);
            self.timeouts += 1;
        }
    }

    fn send(&mut self, sys: &mut dyn Sys) {
        self.sent_at = sys.now();
        self.id = sys.rng().below(1 << 16) as u16;
        let message = Message::query(self.id, self.name.clone(), self.kind);
        let Some(net) = sys.net() else { return };
        self.socket = net.udp_bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))).ok();
        if let Some(socket) = self.socket {
            // What cannot be sent is asked again later, or times out.
            let _ = net.udp_send(socket, SocketAddr::new(self.server, 53), &message.encode());
        }
    }

    fn receive(&mut self, sys: &mut dyn Sys) -> Option<Message> {
        let socket = self.socket?;
        while let Ok((bytes, _)) = sys.net()?.udp_recv(socket) {
            let message = Message::decode(&bytes).ok();
            if let Some(message) = message.filter(|it| it.id == self.id && it.response) {
                self.hang_up(sys);
                return Some(message);
            }
        }
        None
    }

    fn hang_up(&mut self, sys: &mut dyn Sys) {
        if let (Some(socket), Some(net)) = (self.socket.take(), sys.net()) {
            net.close(socket);
        }
    }
}
