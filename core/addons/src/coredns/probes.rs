//! What the kubelet asks: the plugins `health` (port 8080) and `ready` (port 8181).

use naru_network::http::{Request, RequestReader, Response};
use naru_shell::{Errno, NetStack, SocketId};
use std::net::{Ipv4Addr, SocketAddr};

/// A server of one answer.
#[derive(Clone, Debug)]
pub struct Probes {
    path: &'static str,
    listener: SocketId,
    connections: Vec<(SocketId, RequestReader)>,
}

impl Probes {
    const CONNECTIONS_MAX: usize = 64;
    const READ_MAX: usize = 4_096;

    /// Listens at a port.
    pub fn listen(net: &mut dyn NetStack, port: u16, path: &'static str) -> Result<Self, Errno> {
        let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        Ok(Probes { path, listener: net.tcp_listen(at)?, connections: Vec::new() })
    }

    /// Answers whoever asks: `Ok`, or who is not ready yet. Tells whether somebody was answered.
    pub fn serve(&mut self, net: &mut dyn NetStack, state: Result<(), &str>) -> bool {
        let mut answered = false;
        while self.connections.len() < Self::CONNECTIONS_MAX {
            let Ok((socket, _)) = net.accept(self.listener) else { break };
            self.connections.push((socket, RequestReader::new()));
        }
        let path = self.path;
        self.connections.retain_mut(|(socket, reader)| {
            let open = exchange(net, *socket, reader, |request| {
                answered = true;
                answer(request, path, state)
            });
            if !open {
                net.close(*socket);
            }
            open
        });
        answered
    }

    /// Whether somebody is connected.
    pub fn is_busy(&self) -> bool {
        !self.connections.is_empty()
    }

    /// Closes everything.
    pub fn close(self, net: &mut dyn NetStack) {
        self.connections.iter().for_each(|(socket, _)| net.close(*socket));
        net.close(self.listener);
    }
}

fn answer(request: &Request, path: &str, state: Result<(), &str>) -> Response {
    let response = match state {
        _ if request.path() != path => Response::new(404, "404 page not found\n"),
        Ok(()) => Response::new(200, "OK"),
        Err(waiting_for) => Response::new(503, waiting_for),
    };
    response.with("Content-Type", "text/plain; charset=utf-8")
}

/// Reads what came and answers it; tells whether the connection goes on.
fn exchange(
    net: &mut dyn NetStack,
    socket: SocketId,
    reader: &mut RequestReader,
    mut answer: impl FnMut(&Request) -> Response,
) -> bool {
    loop {
        match net.recv(socket, Probes::READ_MAX) {
            Ok(bytes) if bytes.is_empty() => return false,
            Ok(bytes) => reader.push(&bytes),
            Err(Errno::Again) => return true,
            Err(_) => return false,
        }
        loop {
            match reader.take() {
                Ok(Some(request)) => {
                    let bytes = answer(&request).to_bytes();
                    if net.send(socket, &bytes) != Ok(bytes.len()) || !request.keep_alive() {
                        return false;
                    }
                }
                Ok(None) => break,
                Err(_) => return false,
            }
        }
    }
}
