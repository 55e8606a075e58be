//! Port-forward: bytes both ways between a client's stream and a port in a pod's network.
//!
//! Upstream: `pkg/kubelet/kubelet_pods.go` (`GetPortForward`), containerd's
//! `internal/cri/server/sandbox_portforward_linux.go`.

use crate::kubelet::Kubelet;
use crate::runtime::Runtime;
use naru_api::service::{ConnectRequest, Stream};
use naru_api::{ApiError, status::ApiResult};
use naru_network::{Call, NetError, Network, SockId};
use naru_sim::{CauseId, Time};
use std::net::{Ipv4Addr, SocketAddr};

/// Bytes handed on in one go.
const CHUNK: usize = 32 * 1024;

/// One forwarded connection.
#[derive(Clone, Debug)]
pub(crate) struct Forward {
    socket: SockId,
    port: u16,
    cause: CauseId,
    /// What the connection's sandbox is called in errors.
    sandbox: String,
    connected: bool,
    /// The client's end of input was passed on.
    shut: bool,
}

/// How a forwarded connection goes on.
#[derive(Debug)]
pub(crate) enum Progress {
    Open,
    /// The client must first take what is there.
    Slow,
    Done(Result<i32, ApiError>),
}

impl Forward {
    /// Begins a connection to the port inside of the pod.
    pub(crate) fn open(
        request: &ConnectRequest,
        port: u16,
        kubelet: &Kubelet,
        runtime: &mut Runtime,
        network: &mut Network,
        now: Time,
    ) -> ApiResult<Forward> {
        let worker = kubelet.worker(&request.namespace, &request.pod);
        let worker = worker.ok_or_else(|| ApiError::new(404, "NotFound", "pod does not exist"))?;
        let sandbox = worker.sandbox.filter(|_| !worker.sandbox_stopped);
        let sandbox = sandbox.and_then(|id| runtime.sandbox(id)).map(|sandbox| sandbox.network);
        let name = runtime.hex();
        let Some(namespace) = sandbox else {
            let why = format!("sandbox container \"{name}\" is not running");
            return Err(failure(port, &name, &why));
        };
        let call = Call { now, cause: request.cause };
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let socket = network
            .tcp_connect(namespace, to, call)
            .map_err(|error| failure(port, &name, &not_connected(port, &name, error)))?;
        let cause = request.cause;
        Ok(Forward { socket, port, cause, sandbox: name, connected: false, shut: false })
    }

    /// Hands bytes on in both directions.
    pub(crate) fn pump(
        &mut self,
        stream: &mut Stream,
        network: &mut Network,
        now: Time,
    ) -> Progress {
        let call = Call { now, cause: self.cause };
        if !self.connected {
            match network.connected(self.socket) {
                Ok(()) => self.connected = true,
                Err(NetError::Again) => return Progress::Open,
                Err(error) => {
                    let why = not_connected(self.port, &self.sandbox, error);
                    return Progress::Done(Err(failure(self.port, &self.sandbox, &why)));
                }
            }
        }
        while !stream.stdin.is_empty() {
            let (front, _) = stream.stdin.as_slices();
            match network.send(self.socket, front, call) {
                Ok(0) | Err(NetError::Again) => break,
                Ok(taken) => drop(stream.stdin.drain(..taken)),
                // Whoever does not read any more may still have something to say.
                Err(_) => stream.stdin.clear(),
            }
        }
        if stream.stdin_closed && stream.stdin.is_empty() && !self.shut {
            network.shutdown(self.socket, call);
            self.shut = true;
        }
        loop {
            if stream.full() {
                return Progress::Slow;
            }
            match network.recv(self.socket, CHUNK, call) {
                Ok(bytes) if bytes.is_empty() => return Progress::Done(Ok(0)),
                Ok(bytes) => stream.stdout.extend(bytes),
                Err(NetError::Again) => return Progress::Open,
                // A reset ends the bytes, as containerd's copying ends.
                Err(_) => return Progress::Done(Ok(0)),
            }
        }
    }

    /// The connection is of no use any more.
    pub(crate) fn close(&self, network: &mut Network, now: Time) {
        network.close(self.socket, Call { now, cause: self.cause });
    }
}

fn failure(port: u16, sandbox: &str, why: &str) -> ApiError {
    let message = format!("error forwarding port {port} to pod {sandbox}, uid : {why}");
    ApiError::new(500, "InternalError", message)
}

fn not_connected(port: u16, sandbox: &str, error: NetError) -> String {
    let why = error.to_string().to_lowercase();
    let namespace = sandbox.get(..8).unwrap_or(sandbox);
    format!(
        "failed to execute portforward in network namespace \"/var/run/netns/cni-{namespace}\": \
         failed to connect to localhost:{port} inside namespace \"{sandbox}\", IPv4: dial tcp4 \
         127.0.0.1:{port}: connect: {why} IPv6 dial tcp6 [::1]:{port}: connect: {why}"
    )
}
