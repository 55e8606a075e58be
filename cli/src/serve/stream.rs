//! Streams over WebSocket: exec, attach, port-forward.
//!
//! A message's first byte names its channel.
//!
//! Upstream: `apimachinery/pkg/util/httpstream/wsstream`, `apiserver/pkg/util/proxy`
//! (`streamtranslator.go`), `kubelet/pkg/cri/streaming/{remotecommand,portforward}/websocket.go`.

use super::engine::{Command, Output, Session};
use super::http::{Body, Front, full};
use super::tunnel;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::Response;
use hyper::header::{self, HeaderValue};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use naru_api::ApiError;
use naru_api::service::{Connect, ConnectRequest, StreamId};
use naru_apiserver::rest::{self, HttpRequest, HttpResponse, Wants};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

/// For exec and attach, best first.
pub const COMMAND_PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
/// For port-forward, best first.
pub const PORT_PROTOCOLS: [&str; 2] = [tunnel::PROTOCOL, "v4.channel.k8s.io"];

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
/// v5: the channel named by the next byte is closed.
const CLOSE: u8 = 255;

/// How long a terminal stays open after its command: kubectl tells the terminal's size when it
/// has begun, and complains if the command has ended by then.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// How long a client is given to get ready. kubectl before v1.34 begins to read before it has made its
/// streams, and drops what comes for one that is not there yet; a command that has ended by then
/// fails with `closed all streams`. Where a real kubelet starts a command, it has all that time.
///
/// Upstream: <https://github.com/kubernetes/kubernetes/pull/131203>.
const CLIENT_READY: Duration = Duration::from_millis(100);

/// Bytes of one message.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// A WebSocket connection.
pub type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// What a client wrote to begin WebSocket.
#[derive(Clone, Debug)]
pub struct Handshake {
    key: String,
    version: String,
    protocols: Vec<String>,
}

impl Handshake {
    /// Reads the headers.
    pub fn of(request: &HttpRequest) -> Self {
        let protocols = request.header_values("sec-websocket-protocol");
        let protocols = protocols.flat_map(|value| value.split(','));
        Handshake {
            key: request.header("sec-websocket-key").to_owned(),
            version: request.header("sec-websocket-version").to_owned(),
            protocols: protocols.map(|one| one.trim().to_owned()).collect(),
        }
    }

    /// Agrees on one of our protocols and goes on in it, or refuses.
    pub fn accept(
        &self,
        ours: &[&'static str],
        go_on: impl FnOnce(&'static str),
    ) -> Response<Body> {
        let refuse = |code, text: &str| full(HttpResponse::text(code, text), false);
        if self.key.is_empty() || self.version != "13" {
            return refuse(400, "400 Bad Request: not a WebSocket of version 13");
        }
        let agreed = ours.iter().find(|our| self.protocols.iter().any(|one| one == *our));
        let Some(protocol) = agreed else {
            let ours = ours.join(", ");
            return refuse(403, &format!("403 Forbidden: subprotocols are {ours}"));
        };
        let mut response = full(HttpResponse::new(101, "", Vec::new()), false);
        let headers = response.headers_mut();
        headers.clear();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
        if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(self.key.as_bytes())) {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        }
        go_on(protocol);
        response
    }
}

async fn socket(upgrade: OnUpgrade) -> Option<Socket> {
    let upgraded = upgrade.await.ok()?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let io = TokioIo::new(upgraded);
    Some(WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await)
}

async fn send(socket: &mut Socket, channel: u8, bytes: &[u8]) -> Result<(), Error> {
    let mut message = Vec::with_capacity(bytes.len() + 1);
    message.push(channel);
    message.extend_from_slice(bytes);
    socket.send(Message::Binary(message.into())).await
}

/// Says goodbye: all went as it should.
pub async fn close(socket: &mut Socket) {
    let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
    // A client that is gone needs no goodbye.
    let _ = socket.close(Some(frame)).await;
}

/// The channel and the bytes of a message; `None` for one that has none.
fn receive(message: Message) -> Option<(u8, Bytes)> {
    let bytes = match message {
        Message::Binary(bytes) => bytes,
        Message::Text(text) => Bytes::from(text),
        _ => return None,
    };
    let channel = *bytes.first()?;
    Some((channel, bytes.slice(1..)))
}

/// Carries exec or attach until one side ends it.
pub async fn command(
    front: Arc<Front>,
    upgrade: OnUpgrade,
    protocol: &'static str,
    mut session: Session,
    wants: Wants,
) {
    let Some(mut socket) = socket(upgrade).await else { return };
    tokio::time::sleep(CLIENT_READY).await;
    // Something has to come first, so that the client sees that the stream stands.
    let first = if wants.stdout { STDOUT } else { ERROR };
    if send(&mut socket, first, &[]).await.is_err() {
        return;
    }
    loop {
        let sent = tokio::select! {
            output = session.output.recv() => match output {
                Some(Output::Stdout(bytes)) if wants.stdout => {
                    send(&mut socket, STDOUT, &bytes).await
                }
                Some(Output::Stderr(bytes)) if wants.stderr => {
                    send(&mut socket, STDERR, &bytes).await
                }
                Some(Output::Stderr(bytes)) if wants.tty => {
                    send(&mut socket, STDOUT, &bytes).await
                }
                Some(Output::Stdout(_) | Output::Stderr(_)) => Ok(()),
                Some(Output::End(result)) => {
                    let status = exit_status(&result).to_string();
                    let _ = send(&mut socket, ERROR, status.as_bytes()).await;
                    if wants.tty {
                        tokio::time::sleep(LAST_WORDS).await;
                    }
                    close(&mut socket).await;
                    return;
                }
                None => return,
            },
            message = socket.next() => match message {
                Some(Ok(message)) => {
                    match receive(message) {
                        Some((STDIN, bytes)) if wants.stdin => input(&front, session.id, bytes).await,
                        Some((RESIZE, bytes)) if wants.tty => {
                            if let Some((columns, rows)) = terminal_size(&bytes) {
                                let resize = Command::Resize(session.id, columns, rows);
                                let _ = front.engine.send(resize);
                            }
                        }
                        Some((CLOSE, which))
                            if protocol == "v5.channel.k8s.io" && which.first() == Some(&STDIN) =>
                        {
                            let _ = front.engine.send(Command::EndInput(session.id));
                        }
                        _ => {}
                    }
                    Ok(())
                }
                Some(Err(_)) | None => return,
            },
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Reads `{"Width":80,"Height":24}`.
fn terminal_size(bytes: &[u8]) -> Option<(u16, u16)> {
    let json: Value = serde_json::from_slice(bytes).ok()?;
    let number = |name: &str| json[name].as_u64().and_then(|number| u16::try_from(number).ok());
    Some((number("Width")?, number("Height")?))
}

/// Gives bytes to a stream, and waits until there is room for more.
pub async fn input(front: &Front, id: StreamId, bytes: Bytes) {
    if !bytes.is_empty() {
        // A stream that is gone tells it by its output.
        let _ = front.ask(|reply| Command::Input(id, bytes, reply)).await;
    }
}

/// What the error channel tells at the end of a command.
pub fn exit_status(result: &Result<i32, ApiError>) -> Value {
    match result {
        Ok(0) => json!({ "metadata": {}, "status": "Success" }),
        Ok(code) => json!({
            "metadata": {},
            "status": "Failure",
            "message": format!(
                "command terminated with non-zero exit code: command terminated with exit code \
                 {code}"
            ),
            "reason": "NonZeroExitCode",
            "details": { "causes": [{ "reason": "ExitCode", "message": code.to_string() }] },
        }),
        Err(error) => rest::status(error),
    }
}

/// Opens a connection to a port of a pod.
pub async fn connect(
    front: &Front,
    request: &ConnectRequest,
    port: u16,
) -> Result<Session, ApiError> {
    let connect = Connect::PortForward { port };
    let request = Box::new(ConnectRequest { connect, ..request.clone() });
    front.ask(|reply| Command::Connect(request, reply)).await?
}

/// Carries one connection to each port: of the n-th port, channel 2n has the bytes and channel
/// 2n+1 what went wrong.
pub async fn port_forward(
    front: Arc<Front>,
    upgrade: OnUpgrade,
    protocol: &'static str,
    request: Box<ConnectRequest>,
    ports: Vec<u16>,
) {
    let Some(mut socket) = socket(upgrade).await else { return };
    if protocol == tunnel::PROTOCOL {
        return tunnel::run(front, socket, request).await;
    }
    let (sender, mut outputs) = mpsc::channel::<(u8, Bytes)>(16);
    let mut streams = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let Some(channel) = u8::try_from(index * 2).ok().filter(|channel| *channel < CLOSE - 1)
        else {
            break;
        };
        for channel in [channel, channel + 1] {
            if send(&mut socket, channel, &port.to_le_bytes()).await.is_err() {
                return;
            }
        }
        match connect(&front, &request, *port).await {
            Ok(session) => {
                streams.push(Some(session.id));
                tokio::spawn(collect(session, channel, sender.clone()));
            }
            Err(error) => {
                streams.push(None);
                let _ = send(&mut socket, channel + 1, error.message().as_bytes()).await;
            }
        }
    }
    drop(sender);
    loop {
        tokio::select! {
            output = outputs.recv() => match output {
                Some((channel, bytes)) => {
                    if send(&mut socket, channel, &bytes).await.is_err() {
                        return;
                    }
                }
                // Every connection is over.
                None => {
                    close(&mut socket).await;
                    return;
                }
            },
            message = socket.next() => match message {
                Some(Ok(message)) => {
                    let Some((channel, bytes)) = receive(message) else { continue };
                    let stream = streams.get(usize::from(channel / 2)).copied().flatten();
                    if let (Some(id), 0) = (stream, channel % 2) {
                        input(&front, id, bytes).await;
                    }
                }
                Some(Err(_)) | None => return,
            },
        }
    }
}

/// Hands on what comes from one connection.
async fn collect(mut session: Session, channel: u8, to: mpsc::Sender<(u8, Bytes)>) {
    while let Some(output) = session.output.recv().await {
        let message = match output {
            Output::Stdout(bytes) => (channel, bytes),
            Output::Stderr(_) | Output::End(Ok(_)) => continue,
            Output::End(Err(error)) => (channel + 1, Bytes::from(error.message().to_owned())),
        };
        if to.send(message).await.is_err() {
            return;
        }
    }
}
