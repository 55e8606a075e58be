//! Port-forward in SPDY streams that are tunnelled through WebSocket: any number of connections,
//! each a stream for its bytes and one for what went wrong.
//!
//! Upstream: `kubelet/pkg/cri/streaming/portforward/httpstream.go`,
//! `apiserver/pkg/util/proxy` (`NewTunnelingHandler`).

use super::engine::{Command, Output, Session};
use super::http::Front;
use super::spdy::{self, Codec, Frame};
use super::stream::{Socket, close, connect, input};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use naru_api::service::ConnectRequest;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

/// The subprotocol.
pub const PROTOCOL: &str = "SPDY/3.1+portforward.k8s.io";
/// Streams of one tunnel.
const STREAMS_MAX: usize = 512;
/// Pieces that wait for one connection.
const PIECES_MAX: usize = 64;
/// What is written at a time.
const CHUNK: usize = 32 * 1024;

/// A tunnel with its streams.
struct Tunnel {
    front: Arc<Front>,
    request: Box<ConnectRequest>,
    codec: Codec,
    /// The error stream of each connection, by the client's number of the connection.
    errors: BTreeMap<String, u32>,
    /// What the client sends on a data stream goes here; `None` in it is the end.
    inputs: BTreeMap<u32, mpsc::Sender<Option<Bytes>>>,
    /// To the client.
    out: mpsc::Sender<Vec<u8>>,
}

/// Carries a tunnel until its client ends it.
pub async fn run(front: Arc<Front>, mut socket: Socket, request: Box<ConnectRequest>) {
    let (out, mut frames) = mpsc::channel(PIECES_MAX);
    let mut tunnel = Tunnel {
        front,
        request,
        codec: Codec::new(),
        errors: BTreeMap::new(),
        inputs: BTreeMap::new(),
        out,
    };
    loop {
        tokio::select! {
            frame = frames.recv() => {
                let Some(frame) = frame else { return };
                if socket.send(Message::Binary(frame.into())).await.is_err() {
                    return;
                }
            }
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) => {
                    let Ok(received) = tunnel.codec.push(&bytes) else { return };
                    for frame in received {
                        let Some(answers) = tunnel.take(frame) else {
                            close(&mut socket).await;
                            return;
                        };
                        if !answers.is_empty()
                            && socket.send(Message::Binary(answers.into())).await.is_err()
                        {
                            return;
                        }
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}

impl Tunnel {
    /// Does what a frame asks for, and gives the answer; `None` when the client goes.
    fn take(&mut self, frame: Frame) -> Option<Vec<u8>> {
        match frame {
            Frame::Open { stream, headers } => return Some(self.open(stream, &headers)),
            Frame::Data { stream, bytes, fin } => {
                if let Some(to) = self.inputs.get(&stream) {
                    // A connection that takes nothing for so long is given up.
                    let mut full = !bytes.is_empty() && to.try_send(Some(bytes.into())).is_err();
                    full |= fin && to.try_send(None).is_err();
                    if full {
                        self.inputs.remove(&stream);
                    }
                }
            }
            Frame::Reset { stream } => drop(self.inputs.remove(&stream)),
            Frame::Ping { id } => return Some(spdy::pong(id)),
            Frame::GoAway => return None,
            Frame::Other => {}
        }
        Some(Vec::new())
    }

    fn open(&mut self, stream: u32, headers: &BTreeMap<String, String>) -> Vec<u8> {
        let header = |name: &str| headers.get(name).map(String::as_str).unwrap_or_default();
        let (of, request_id) = (header("streamtype"), header("requestid").to_owned());
        let answer = self.codec.reply(stream);
        match of {
            "error" if self.errors.len() < STREAMS_MAX => {
                self.errors.insert(request_id, stream);
            }
            "data" if self.inputs.len() < STREAMS_MAX => {
                let port = header("port").parse().unwrap_or(0);
                let (to, inputs) = mpsc::channel(PIECES_MAX);
                self.inputs.retain(|_, to| !to.is_closed());
                self.inputs.insert(stream, to);
                let connection = Connection {
                    front: Arc::clone(&self.front),
                    out: self.out.clone(),
                    data: stream,
                    error: self.errors.remove(&request_id),
                };
                tokio::spawn(connection.run(self.request.clone(), port, inputs));
            }
            _ => {}
        }
        answer
    }
}

/// One connection in a tunnel.
struct Connection {
    front: Arc<Front>,
    out: mpsc::Sender<Vec<u8>>,
    data: u32,
    error: Option<u32>,
}

impl Connection {
    async fn run(
        self,
        request: Box<ConnectRequest>,
        port: u16,
        mut inputs: mpsc::Receiver<Option<Bytes>>,
    ) {
        let problem = match connect(&self.front, &request, port).await {
            Ok(session) => self.carry(session, &mut inputs).await,
            Err(error) => error.message().to_owned(),
        };
        if let Some(error) = self.error {
            self.send(spdy::data(error, problem.as_bytes(), true)).await;
        }
        self.send(spdy::data(self.data, &[], true)).await;
    }

    /// Carries bytes both ways; tells what went wrong, or "".
    async fn carry(
        &self,
        mut session: Session,
        inputs: &mut mpsc::Receiver<Option<Bytes>>,
    ) -> String {
        loop {
            tokio::select! {
                output = session.output.recv() => match output {
                    Some(Output::Stdout(bytes)) => {
                        for chunk in bytes.chunks(CHUNK) {
                            self.send(spdy::data(self.data, chunk, false)).await;
                        }
                    }
                    Some(Output::End(Err(error))) => return error.message().to_owned(),
                    Some(Output::Stderr(_)) => {}
                    Some(Output::End(Ok(_))) | None => return String::new(),
                },
                piece = inputs.recv() => match piece {
                    Some(Some(bytes)) => input(&self.front, session.id, bytes).await,
                    Some(None) => {
                        let _ = self.front.engine.send(Command::EndInput(session.id));
                    }
                    // The stream was reset: nobody reads any more.
                    None => return String::new(),
                },
            }
        }
    }

    async fn send(&self, frame: Vec<u8>) {
        // A tunnel that is gone takes nothing.
        let _ = self.out.send(frame).await;
    }
}
