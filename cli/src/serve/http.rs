//! Connections: from bytes to requests and back, within limits.

use super::engine::{Command, Reply};
use super::{guard, protobuf, stream};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};
use naru_api::ApiError;
use naru_apiserver::rest::{self, BODY_BYTES_MAX, Head, HttpRequest, HttpResponse};
use std::convert::Infallible;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::mpsc as thread;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};

/// Requests worked on at once; watches and streams do not count once they have begun.
const REQUESTS_MAX: usize = 400;
/// How long a body may take to come.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of a body that are dropped before the rest is not even read.
const DROPPED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bodies of at least so many bytes are compressed: upstream's `defaultGzipThresholdBytes`.
const GZIP_BYTES_MIN: usize = 128 * 1024;
/// Virtual time that one call may let pass: a year.
const ADVANCE_MAX: f64 = 366.0 * 24.0 * 3600.0;

/// A body of an answer.
pub type Body = BoxBody<Bytes, Infallible>;

/// What all connections share.
#[derive(Debug)]
pub struct Front {
    /// To the cluster's thread.
    pub engine: thread::Sender<Command>,
    /// Which names of this server are known.
    pub names: guard::Names,
    /// Whether other machines can reach this server: then nothing is done without a credential.
    pub remote: bool,
    requests: Semaphore,
}

impl Front {
    /// A front before the cluster's thread.
    pub fn new(engine: thread::Sender<Command>, names: guard::Names, remote: bool) -> Self {
        Front { engine, names, remote, requests: Semaphore::new(REQUESTS_MAX) }
    }

    /// Asks the cluster's thread; an error says that it is gone.
    pub async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, ApiError> {
        let gone = || ApiError::new(503, "ServiceUnavailable", "the cluster has stopped");
        let (reply, answer) = oneshot::channel();
        self.engine.send(command(reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }
}

/// Answers one request.
pub async fn serve(
    front: Arc<Front>,
    certificate: Arc<[u8]>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let Ok(_permit) = front.requests.try_acquire() else {
        let message = "too many requests, please try again later";
        let error = ApiError::new(429, "TooManyRequests", message);
        return Ok(full(rest::error_response(&error), false));
    };
    if let Err(response) = front.names.check(&request) {
        return Ok(full(response, false));
    }
    if request.uri().path() == "/naru/advance" {
        return Ok(full(advance(&front, &certificate, request).await, false));
    }
    Ok(answer(&front, &certificate, request).await)
}

async fn answer(
    front: &Arc<Front>,
    certificate: &[u8],
    mut request: Request<Incoming>,
) -> Response<Body> {
    let upgrade = hyper::upgrade::on(&mut request);
    let gzip = accepts_gzip(&request);
    let plain = match read(request).await {
        Ok(plain) => HttpRequest { certificate: certificate.to_vec(), ..plain },
        Err(error) => return full(rest::error_response(&error), false),
    };
    let handshake = stream::Handshake::of(&plain);
    let reply = front.ask(|reply| Command::Http(plain, reply)).await;
    match reply {
        Err(error) => full(rest::error_response(&error), false),
        Ok(Reply::Full(response)) => full(response, gzip),
        Ok(Reply::Endless(head, chunks)) => endless(head, chunks),
        Ok(Reply::Command(session, wants)) => {
            let front = Arc::clone(front);
            handshake.accept(&stream::COMMAND_PROTOCOLS, move |protocol| {
                tokio::spawn(stream::command(front, upgrade, protocol, session, wants));
            })
        }
        Ok(Reply::PortForward(connect, ports)) => {
            let front = Arc::clone(front);
            handshake.accept(&stream::PORT_PROTOCOLS, move |protocol| {
                tokio::spawn(stream::port_forward(front, upgrade, protocol, connect, ports));
            })
        }
    }
}

/// `POST /naru/advance?seconds=N`.
async fn advance(front: &Front, certificate: &[u8], request: Request<Incoming>) -> HttpResponse {
    if request.method() != hyper::Method::POST {
        return HttpResponse::text(405, "405 method not allowed: POST");
    }
    let query = request.uri().query().unwrap_or_default();
    let seconds = query.split('&').find_map(|pair| pair.strip_prefix("seconds="));
    let seconds = seconds.and_then(|text| text.parse::<f64>().ok());
    let Some(seconds) = seconds.filter(|seconds| (0.0..=ADVANCE_MAX).contains(seconds)) else {
        let message = format!("400 seconds must be a number from 0 to {ADVANCE_MAX}");
        return HttpResponse::text(400, &message);
    };
    if front.remote
        && let Err(refusal) = may_advance(front, certificate, request).await
    {
        return refusal;
    }
    let by = Duration::from_secs_f64(seconds);
    match front.ask(|reply| Command::Advance(by, reply)).await {
        Ok(()) => HttpResponse::text(200, "ok"),
        Err(error) => rest::error_response(&error),
    }
}

/// Refuses who may not move time: the API server knows no such path, but first of all it says
/// who may not even ask.
async fn may_advance(
    front: &Front,
    certificate: &[u8],
    request: Request<Incoming>,
) -> Result<(), HttpResponse> {
    let refused = |error: ApiError| rest::error_response(&error);
    let plain = read(request).await.map_err(refused)?;
    let plain = HttpRequest { certificate: certificate.to_vec(), ..plain };
    match front.ask(|reply| Command::Http(plain, reply)).await.map_err(refused)? {
        Reply::Full(response) if response.head.status != 404 => Err(response),
        _ => Ok(()),
    }
}

/// Reads a body: at most one byte more than it may have, since what is too long is told by the API
/// server. What comes after that is read and dropped: an HTTP/2 client that cannot finish its
/// request does not see the answer.
async fn collect(mut body: Incoming) -> Result<Vec<u8>, hyper::Error> {
    let (mut bytes, mut dropped) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let room = (BODY_BYTES_MAX + 1).saturating_sub(bytes.len());
        bytes.extend(data.iter().take(room));
        dropped += data.len().saturating_sub(room);
        if dropped > DROPPED_BYTES_MAX {
            break;
        }
    }
    Ok(bytes)
}

/// Reads a request whole.
async fn read(request: Request<Incoming>) -> Result<HttpRequest, ApiError> {
    let (parts, body) = request.into_parts();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value)));
    let body = match tokio::time::timeout(BODY_TIMEOUT, collect(body)).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) => return Err(ApiError::bad_request(error.to_string())),
        Err(_) => {
            let message = "the request's body did not come in time";
            return Err(ApiError::new(408, "Timeout", message));
        }
    };
    let mut request = HttpRequest {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: headers.collect(),
        body,
        certificate: Vec::new(),
    };
    read_protobuf(&mut request)?;
    Ok(request)
}

/// Turns a body of protobuf into JSON. One of a kind that is not known stays as it is, and is
/// refused for its type.
fn read_protobuf(request: &mut HttpRequest) -> Result<(), ApiError> {
    let of_type = |(name, value): &&mut (String, String)| {
        name == "content-type" && value.starts_with(protobuf::MEDIA_TYPE)
    };
    let Some((_, content_type)) = request.headers.iter_mut().find(of_type) else { return Ok(()) };
    match protobuf::to_json(&request.body) {
        Ok(json) => {
            request.body = json.to_string().into_bytes();
            "application/json".clone_into(content_type);
            Ok(())
        }
        Err(protobuf::Unreadable::UnknownKind) => Ok(()),
        Err(protobuf::Unreadable::Malformed) => {
            let message = "provided data does not appear to be a protobuf message";
            Err(ApiError::bad_request(message))
        }
    }
}

fn accepts_gzip(request: &Request<Incoming>) -> bool {
    let values = request.headers().get_all(header::ACCEPT_ENCODING);
    let gzip = |value: &HeaderValue| {
        value.to_str().is_ok_and(|value| value.split(',').any(|one| one.trim() == "gzip"))
    };
    values.iter().any(gzip)
}

/// A whole answer.
pub fn full(response: HttpResponse, gzip: bool) -> Response<Body> {
    let HttpResponse { mut head, mut body } = response;
    if gzip && body.len() >= GZIP_BYTES_MIN && head.status == 200 {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        if encoder.write_all(&body).is_ok()
            && let Ok(small) = encoder.finish()
        {
            body = small;
            head = head.with("Content-Encoding", "gzip").with("Vary", "Accept-Encoding");
        }
    }
    with_head(head, Full::new(Bytes::from(body)).boxed())
}

/// An answer that goes on as long as its chunks come.
fn endless(head: Head, mut chunks: mpsc::Receiver<Bytes>) -> Response<Body> {
    let stream = futures_util::stream::poll_fn(move |context| {
        chunks.poll_recv(context).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    });
    with_head(head, BodyExt::boxed(StreamBody::new(stream)))
}

fn with_head(head: Head, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(head.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in head.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        // A header that cannot be written is left out.
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
