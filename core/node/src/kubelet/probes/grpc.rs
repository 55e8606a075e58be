//! A probe by gRPC.
//!
//! Upstream: `pkg/probe/grpc/grpc.go`.

use super::Verdict;
use naru_api::duration;
use naru_shell::serve::grpc::{self, Answer, Health};
use naru_shell::{Errno, NetStack, SocketId};
use std::net::SocketAddr;
use std::time::Duration;

/// Bytes read at once, and of an answer.
const READ_MAX: usize = 16 * 1024;
const ANSWER_MAX: usize = 64 * 1024;

/// A call on its way.
#[derive(Clone, Debug)]
pub struct GrpcCheck {
    to: SocketAddr,
    /// `None` once nobody takes the connection: it is tried until the time is over.
    socket: Option<SocketId>,
    connected: bool,
    out: Vec<u8>,
    received: Vec<u8>,
}

impl GrpcCheck {
    /// Begins to connect.
    pub fn begin(net: &mut dyn NetStack, to: SocketAddr, service: &str) -> Self {
        let out = grpc::question(&to.to_string(), service);
        let socket = net.tcp_connect(to).ok();
        GrpcCheck { to, socket, connected: false, out, received: Vec::new() }
    }

    /// Goes on; the verdict when there is one, and when it is `late` in any case.
    pub fn go_on(
        &mut self,
        net: &mut dyn NetStack,
        late: bool,
        timeout: Duration,
    ) -> Option<Verdict> {
        self.talk(net);
        let within = duration::go(timeout);
        let verdict = match grpc::read_answer(&self.received) {
            Answer::Health(Health::Serving) => Verdict::Good,
            Answer::Health(Health::NotServing) => {
                Verdict::Bad("service unhealthy (responded with \"NOT_SERVING\")".to_owned())
            }
            Answer::Failed(12, why) => Verdict::Bad(format!(
                "error: this server does not implement the grpc health protocol \
                 (grpc.health.v1.Health): {why}"
            )),
            Answer::Failed(code, why) => Verdict::Bad(format!(
                "error: health rpc probe failed: rpc error: code = Code({code}) desc = {why}"
            )),
            Answer::Waits { .. } if !late => return None,
            Answer::Waits { stands: true } => {
                Verdict::Bad(format!("timeout: health rpc did not complete within {within}"))
            }
            Answer::Waits { stands: false } => Verdict::Bad(format!(
                "timeout: failed to connect service \"{}\" within {within}: context deadline exceeded",
                self.to
            )),
        };
        if let Some(socket) = self.socket.take() {
            net.close(socket);
        }
        Some(verdict)
    }

    fn talk(&mut self, net: &mut dyn NetStack) {
        let Some(socket) = self.socket else { return };
        if !self.connected {
            match net.connected(socket) {
                Ok(()) => self.connected = true,
                Err(Errno::Again) => return,
                Err(_) => return self.give_up(net, socket),
            }
        }
        while !self.out.is_empty() {
            match net.send(socket, &self.out) {
                Ok(0) | Err(Errno::Again) => break,
                Ok(taken) => drop(self.out.drain(..taken.min(self.out.len()))),
                Err(_) => return self.give_up(net, socket),
            }
        }
        loop {
            match net.recv(socket, READ_MAX) {
                Ok(bytes) if bytes.is_empty() => return self.give_up(net, socket),
                Ok(bytes) if self.received.len() < ANSWER_MAX => self.received.extend(bytes),
                Err(Errno::Again) => return,
                _ => return self.give_up(net, socket),
            }
        }
    }

    fn give_up(&mut self, net: &mut dyn NetStack, socket: SocketId) {
        net.close(socket);
        self.socket = None;
    }
}
