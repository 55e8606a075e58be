//! Servers whose socket is a file, and calls of their methods.
//!
//! The programs of a pod may speak with one another over a socket in a volume that they share, as the
//! sidecars of a CSI driver do over its `csi.sock`. A kernel here knows such a file by its name only.
//! So what is said goes over the loopback of the pod, to a port that the path gives, as HTTP/1.1 in
//! the place of gRPC; and the file has to be there. Who has the volume in another pod reaches nobody.

use super::exchange::{Exchange, Outcome};
use crate::{Errno, SocketId, Sys};
use naru_api::names;
use naru_network::http::{Request, Response};
use naru_sim::Time;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The first of the ports that stand for paths, and how many there are.
const PORTS: (u16, u16) = (61_000, 4_000);
/// How long a call may take. Upstream: `csiTimeout` of the sidecars.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How often a server is looked for that is not there. Upstream: `connect` in csi-lib-utils.
const RETRY: Duration = Duration::from_secs(1);
/// The header that says a call's status where it failed: the name of gRPC's code.
const STATUS: &str = "Grpc-Status";

/// The path in `unix:///csi/csi.sock`, `unix:/csi/csi.sock` or `/csi/csi.sock`.
pub fn path_of(endpoint: &str) -> &str {
    let path = endpoint.strip_prefix("unix:").unwrap_or(endpoint);
    if path.starts_with("//") { path.get(2..).unwrap_or_default() } else { path }
}

/// Where the server listens whose socket has this path.
pub fn address(path: &str) -> SocketAddr {
    let (first, count) = PORTS;
    let sum = names::fnv32a(path.as_bytes());
    let offset = u16::try_from(sum % u32::from(count)).unwrap_or(0);
    SocketAddr::from((Ipv4Addr::LOCALHOST, first + offset))
}

/// Why a call failed, as gRPC tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// `NotFound`.
    pub code: String,
    /// Why, for people.
    pub message: String,
}

impl Status {
    /// A status of this code.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Status { code: code.to_owned(), message: message.into() }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rpc error: code = {} desc = {}", self.code, self.message)
    }
}

/// The answer to a call.
pub fn response(result: &Result<Vec<u8>, Status>) -> Response {
    match result {
        Ok(body) => Response::new(200, body.clone()),
        Err(status) => Response::new(500, status.message.as_str()).with(STATUS, &status.code),
    }
}

/// A call of a method that is under way.
#[derive(Clone, Debug)]
pub struct Call {
    path: String,
    exchange: Exchange,
}

impl Call {
    /// Calls a method (`/csi.v1.Identity/GetPluginInfo`) of the server whose socket has this path.
    pub fn begin(sys: &mut dyn Sys, path: &str, method: &str, body: &[u8]) -> Call {
        let mut request = Request::new("POST", method);
        request.headers.set("Host", "localhost");
        request.headers.set("Connection", "close");
        request.body = body.to_vec();
        let target = address(path).to_string();
        let exchange = Exchange::with(sys, path, &target, &request, TIMEOUT);
        Call { path: path.to_owned(), exchange }
    }

    /// When it goes on by itself.
    pub fn next_due(&self) -> Time {
        self.exchange.next_due()
    }

    /// Goes on as far as it can; the answer when there is one.
    pub fn go_on(&mut self, sys: &mut dyn Sys) -> Option<Result<Vec<u8>, Status>> {
        Some(match self.exchange.go_on(sys)? {
            Outcome::Answer(answer) => match answer.headers.get(STATUS) {
                None => Ok(answer.body),
                Some(code) => Err(Status::new(code, String::from_utf8_lossy(&answer.body))),
            },
            Outcome::Failed { status: 504, .. } => {
                Err(Status::new("DeadlineExceeded", "context deadline exceeded"))
            }
            Outcome::Failed { .. } => Err(Status::new(
                "Unavailable",
                format!(
                    "connection error: desc = \"transport: Error while dialing: dial unix {}: \
                     connect: connection refused\"",
                    self.path
                ),
            )),
        })
    }
}

/// A connection that is held to know whether a server is there.
#[derive(Clone, Debug)]
pub struct Link {
    path: String,
    socket: Option<SocketId>,
    up: bool,
    retry_at: Time,
}

/// How a [`Link`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Nobody is there yet; it is tried again then.
    Down(Time),
    /// The server is there.
    Up,
    /// The server was there and is not any more.
    Lost,
}

impl Link {
    /// A link to the server whose socket has this path.
    pub fn new(path: &str) -> Self {
        Link { path: path.to_owned(), socket: None, up: false, retry_at: Time::ZERO }
    }

    /// Goes on as far as it can.
    pub fn poll(&mut self, sys: &mut dyn Sys) -> LinkState {
        if self.up {
            return self.look(sys);
        }
        let now = sys.now();
        if self.socket.is_none() {
            if now < self.retry_at {
                return LinkState::Down(self.retry_at);
            }
            self.retry_at = now + RETRY;
            let there = sys.fs().exists(&self.path);
            let to = address(&self.path);
            self.socket = match sys.net() {
                Some(net) if there => net.tcp_connect(to).ok(),
                _ => None,
            };
        }
        let (Some(socket), Some(net)) = (self.socket, sys.net()) else {
            return LinkState::Down(self.retry_at);
        };
        match net.connected(socket) {
            Ok(()) => {
                self.up = true;
                LinkState::Up
            }
            Err(Errno::Again) if now < self.retry_at => LinkState::Down(self.retry_at),
            // Nobody is there, or nobody has answered for so long: it is tried anew.
            Err(_) => {
                net.close(socket);
                self.socket = None;
                if self.retry_at <= now {
                    self.retry_at = now + RETRY;
                }
                LinkState::Down(self.retry_at)
            }
        }
    }

    fn look(&mut self, sys: &mut dyn Sys) -> LinkState {
        let (Some(socket), Some(net)) = (self.socket, sys.net()) else { return LinkState::Lost };
        match net.recv(socket, 1) {
            Err(Errno::Again) => LinkState::Up,
            Ok(bytes) if !bytes.is_empty() => LinkState::Up,
            _ => {
                net.close(socket);
                (self.socket, self.up) = (None, false);
                LinkState::Lost
            }
        }
    }

    /// Lets the server go.
    pub fn close(&mut self, sys: &mut dyn Sys) {
        if let (Some(socket), Some(net)) = (self.socket.take(), sys.net()) {
            net.close(socket);
        }
        self.up = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_paths() {
        let cases = [
            ("unix:///csi/csi.sock", "/csi/csi.sock"),
            ("unix:/csi/csi.sock", "/csi/csi.sock"),
            ("/csi/csi.sock", "/csi/csi.sock"),
            ("", ""),
        ];
        for (endpoint, path) in cases {
            assert_eq!(path_of(endpoint), path, "{endpoint}");
        }
        assert_ne!(address("/csi/csi.sock"), address("/csi/other.sock"));
    }

    #[test]
    fn a_status_is_said_as_grpc_says_it() {
        let status = Status::new("NotFound", "volume id x does not exist in the volumes list");
        let said =
            "rpc error: code = NotFound desc = volume id x does not exist in the volumes list";
        assert_eq!(status.to_string(), said);
        let answer = response(&Err(status));
        assert_eq!((answer.status, answer.headers.get(STATUS)), (500, Some("NotFound")));
    }
}
