//! HTTP/1.1 messages (RFC 9112): written to bytes, and read from bytes that come piece by piece.

use crate::limits;
use std::borrow::Cow;
use std::fmt;

/// Why bytes are not an HTTP message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The first line is not one of HTTP.
    #[error("malformed start line {0:?}")]
    StartLine(String),
    /// A header has no colon, or a name that is none.
    #[error("malformed header {0:?}")]
    Header(String),
    /// The head is longer than [`limits::HTTP_HEAD_MAX`], or has too many headers.
    #[error("head too large")]
    HeadTooLarge,
    /// The body is longer than [`limits::HTTP_BODY_MAX`].
    #[error("body too large")]
    BodyTooLarge,
    /// `Content-Length` is no number, or is said twice with different numbers.
    #[error("bad Content-Length {0:?}")]
    Length(String),
    /// A chunk's size is no number, or a chunk does not end where it should.
    #[error("malformed chunk")]
    Chunk,
    /// The connection ended within a message.
    #[error("connection closed before the message was complete")]
    Truncated,
}

/// Headers in the order in which they stand. Names are compared without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// No headers.
    pub fn new() -> Self {
        Headers::default()
    }

    /// The first value of a header.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Puts a header in the place of all of its name.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.add(name, value);
    }

    /// Adds a header, beside others of its name.
    pub fn add(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// Takes out all headers of this name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    }

    /// All headers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether the comma-separated list in a header holds this word.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        let values = self.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        values
            .flat_map(|(_, value)| value.split(','))
            .any(|word| word.trim().eq_ignore_ascii_case(token))
    }

    fn write(&self, framing: Option<usize>, out: &mut Vec<u8>) {
        for (name, value) in self.iter() {
            // The body is sent whole, so its length is known.
            if framing.is_none() || !name.eq_ignore_ascii_case("Transfer-Encoding") {
                write_header(name, value, out);
            }
        }
        if let Some(length) = framing.filter(|_| self.get("Content-Length").is_none()) {
            write_header("Content-Length", &length.to_string(), out);
        }
    }
}

fn write_header(name: &str, value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(one_line(value).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// A header's value cannot start another header.
fn one_line(text: &str) -> Cow<'_, str> {
    match text.contains(['\r', '\n', '\0']) {
        true => text.replace(['\r', '\n', '\0'], " ").into(),
        false => text.into(),
    }
}

/// The version in a message's first line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    #[default]
    Http11,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        })
    }
}

fn version(text: &str) -> Option<Version> {
    match text {
        "HTTP/1.0" => Some(Version::Http10),
        "HTTP/1.1" => Some(Version::Http11),
        _ => None,
    }
}

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// `/index.html?x=1`, or a whole URL when the client speaks to a proxy.
    pub target: String,
    /// The version.
    pub version: Version,
    /// The headers.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, target: &str) -> Self {
        Request { method: method.to_owned(), target: target.to_owned(), ..Request::default() }
    }

    /// The target without the query.
    pub fn path(&self) -> &str {
        self.target.split(['?', '#']).next().unwrap_or_default()
    }

    /// What stands after `?`, or "".
    pub fn query(&self) -> &str {
        let before_fragment = self.target.split('#').next().unwrap_or_default();
        before_fragment.split_once('?').map_or("", |(_, query)| query)
    }

    /// Whether the client wants to go on with this connection.
    pub fn keep_alive(&self) -> bool {
        keep_alive(self.version, &self.headers)
    }

    /// The bytes on the wire. A body without `Content-Length` gets one.
    pub fn to_bytes(&self) -> Vec<u8> {
        let framing = (!self.body.is_empty()).then_some(self.body.len());
        let line = format!("{} {} {}\r\n", self.method, one_line(&self.target), self.version);
        message(line, &self.headers, framing, &self.body)
    }
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The version.
    pub version: Version,
    /// `200`.
    pub status: u16,
    /// `OK`.
    pub reason: String,
    /// The headers.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// An answer with this body and the usual words for its status.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let reason = reason(status).to_owned();
        Response { status, reason, body: body.into(), ..Response::default() }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.set(name, value);
        self
    }

    /// Whether the server will go on with this connection.
    pub fn keep_alive(&self) -> bool {
        keep_alive(self.version, &self.headers)
    }

    /// The bytes on the wire. An answer without `Content-Length` gets one.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode(true)
    }

    /// The bytes on the wire without the body, as the answer to `HEAD`.
    pub fn head_to_bytes(&self) -> Vec<u8> {
        self.encode(false)
    }

    /// The head of an answer whose body follows: in chunks, or up to the end of the connection.
    pub fn begun_head_to_bytes(&self, chunked: bool) -> Vec<u8> {
        let mut headers = self.headers.clone();
        headers.remove("Content-Length");
        if chunked {
            headers.set("Transfer-Encoding", "chunked");
        }
        let line = format!("{} {} {}\r\n", self.version, self.status, one_line(&self.reason));
        message(line, &headers, None, &[])
    }

    fn encode(&self, with_body: bool) -> Vec<u8> {
        let framing = (!bodiless(self.status)).then_some(self.body.len());
        let line = format!("{} {} {}\r\n", self.version, self.status, one_line(&self.reason));
        let body = if with_body && !bodiless(self.status) { self.body.as_slice() } else { &[] };
        message(line, &self.headers, framing, body)
    }
}

/// A message; with `framing`, one that says how long its body is.
fn message(line: String, headers: &Headers, framing: Option<usize>, body: &[u8]) -> Vec<u8> {
    const HEADERS_USUAL: usize = 256;
    let mut out = line.into_bytes();
    out.reserve(HEADERS_USUAL + body.len());
    headers.write(framing, &mut out);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    out
}

fn keep_alive(version: Version, headers: &Headers) -> bool {
    match version {
        Version::Http11 => !headers.has_token("Connection", "close"),
        Version::Http10 => headers.has_token("Connection", "keep-alive"),
    }
}

/// Answers with these statuses never have a body.
fn bodiless(status: u16) -> bool {
    matches!(status, 100..=199 | 204 | 304)
}

/// The words that go with a status (RFC 9110, section 15); "" for an unknown one.
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        418 => "I'm a teapot",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

/// How the end of a body is known.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

/// A message's first line and headers.
#[derive(Clone, Debug)]
struct Head {
    line: String,
    headers: Headers,
}

/// Bytes that came and are not used yet.
#[derive(Clone, Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    closed: bool,
}

impl Buffer {
    /// The head, when it is complete. Lines may end without a carriage return.
    fn head(&mut self) -> Result<Option<Head>, HttpError> {
        let Some((head, after)) = self.find_head()? else { return Ok(None) };
        let text = String::from_utf8_lossy(self.bytes.get(..head).unwrap_or_default()).into_owned();
        self.bytes.drain(..after);
        let mut lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
        let line = lines.next().unwrap_or_default().to_owned();
        let mut headers = Headers::new();
        for line in lines.filter(|line| !line.is_empty()) {
            let (name, value) = header(line).ok_or_else(|| HttpError::Header(line.to_owned()))?;
            headers.add(name, value);
            if headers.0.len() > limits::HTTP_HEADERS_MAX {
                return Err(HttpError::HeadTooLarge);
            }
        }
        Ok(Some(Head { line, headers }))
    }

    /// Where the head ends and where what follows starts.
    fn find_head(&mut self) -> Result<Option<(usize, usize)>, HttpError> {
        // Empty lines before a message are skipped (RFC 9112, section 2.2).
        let blank = self.bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.bytes.drain(..blank);
        let found = empty_line(&self.bytes);
        let length = found.map_or(self.bytes.len(), |(at, _)| at);
        if length > limits::HTTP_HEAD_MAX {
            return Err(HttpError::HeadTooLarge);
        }
        Ok(found.map(|(at, width)| (at, at + width)))
    }

    /// The body, when it is complete. `done` holds the chunks that were already decoded.
    fn body(&mut self, framing: &Framing, done: &mut Vec<u8>) -> Result<bool, HttpError> {
        let complete = match framing {
            Framing::Length(length) => self.take(*length, done),
            Framing::Chunked => self.chunks(done)?,
            Framing::UntilClose => {
                done.append(&mut self.bytes);
                self.closed
            }
        };
        if done.len() > limits::HTTP_BODY_MAX {
            return Err(HttpError::BodyTooLarge);
        }
        if !complete && self.closed {
            return Err(HttpError::Truncated);
        }
        Ok(complete)
    }

    fn take(&mut self, length: usize, done: &mut Vec<u8>) -> bool {
        let missing = length.saturating_sub(done.len()).min(self.bytes.len());
        done.extend(self.bytes.drain(..missing));
        done.len() >= length
    }

    /// Decodes every chunk that is complete; tells whether the last one came.
    fn chunks(&mut self, done: &mut Vec<u8>) -> Result<bool, HttpError> {
        loop {
            let Some(end) = find(&self.bytes, b"\r\n") else {
                return if self.bytes.len() > 1_024 { Err(HttpError::Chunk) } else { Ok(false) };
            };
            let line = String::from_utf8_lossy(self.bytes.get(..end).unwrap_or_default());
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| HttpError::Chunk)?;
            if size == 0 {
                return Ok(self.trailers(end));
            }
            if size > limits::HTTP_BODY_MAX || done.len() + size > limits::HTTP_BODY_MAX {
                return Err(HttpError::BodyTooLarge);
            }
            let start = end + 2;
            let Some(data) = self.bytes.get(start..start + size + 2) else { return Ok(false) };
            if !data.ends_with(b"\r\n") {
                return Err(HttpError::Chunk);
            }
            done.extend_from_slice(data.get(..size).unwrap_or_default());
            self.bytes.drain(..start + size + 2);
        }
    }

    /// Skips what follows the last chunk's size line, when all of it is there.
    fn trailers(&mut self, last_chunk_line_end: usize) -> bool {
        let rest = self.bytes.get(last_chunk_line_end..).unwrap_or_default();
        let Some(end) = find(rest, b"\r\n\r\n") else { return false };
        self.bytes.drain(..last_chunk_line_end + end + 4);
        true
    }
}

/// Where the first empty line's end of line before it stands, and how long both are.
fn empty_line(bytes: &[u8]) -> Option<(usize, usize)> {
    let line_ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    line_ends.map(|(at, _)| at).find_map(|at| {
        let before = bytes.get(..at).unwrap_or_default();
        match bytes.get(at + 1..).unwrap_or_default() {
            [b'\n', ..] => Some((at, 2)),
            [b'\r', b'\n', ..] if before.ends_with(b"\r") => Some((at - 1, 4)),
            _ => None,
        }
    })
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

fn header(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    (!name.is_empty() && name.bytes().all(is_of_token)).then(|| (name, value.trim()))
}

/// Whether a byte may be in a header's name (RFC 9110, section 5.6.2).
fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// How a body with these headers ends, if they say so.
fn framing(headers: &Headers) -> Result<Option<Framing>, HttpError> {
    if headers.has_token("Transfer-Encoding", "chunked") {
        return Ok(Some(Framing::Chunked));
    }
    let mut found: Option<usize> = None;
    for (_, value) in headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case("Content-Length")) {
        let bad = || HttpError::Length(value.to_owned());
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        let length = value.parse().ok().filter(|_| digits).ok_or_else(bad)?;
        if found.is_some_and(|other| other != length) {
            return Err(bad());
        }
        if length > limits::HTTP_BODY_MAX {
            return Err(HttpError::BodyTooLarge);
        }
        found = Some(length);
    }
    Ok(found.map(Framing::Length))
}

/// Reads requests from a connection: a server's side.
#[derive(Clone, Debug, Default)]
pub struct RequestReader {
    buffer: Buffer,
    begun: Option<(Request, Framing)>,
}

impl RequestReader {
    /// Nothing read yet.
    pub fn new() -> Self {
        RequestReader::default()
    }

    /// Takes in bytes that came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.bytes.extend_from_slice(bytes);
    }

    /// The next request, when it is complete. After an error the connection is of no more use.
    pub fn take(&mut self) -> Result<Option<Request>, HttpError> {
        let (mut request, framing) = match self.begun.take() {
            Some(begun) => begun,
            None if self.is_no_request() => return Err(HttpError::StartLine(String::new())),
            None => match self.buffer.head()? {
                Some(head) => request_of(head)?,
                None => return Ok(None),
            },
        };
        if self.buffer.body(&framing, &mut request.body)? {
            return Ok(Some(request));
        }
        self.begun = Some((request, framing));
        Ok(None)
    }
}

impl RequestReader {
    /// Whether what came cannot become a request: a method is made of letters. Who begins with TLS
    /// is answered at once.
    fn is_no_request(&self) -> bool {
        let first = self.buffer.bytes.iter().find(|byte| !b"\r\n".contains(byte));
        first.is_some_and(|byte| !byte.is_ascii_alphabetic())
    }
}

fn request_of(head: Head) -> Result<(Request, Framing), HttpError> {
    let bad = || HttpError::StartLine(head.line.clone());
    let words: Vec<&str> = head.line.split(' ').collect();
    let [method, target, last] = words.as_slice() else { return Err(bad()) };
    let version = version(last).ok_or_else(bad)?;
    if method.is_empty() || target.is_empty() || !method.bytes().all(|c| c.is_ascii_alphabetic()) {
        return Err(bad());
    }
    let framing = framing(&head.headers)?.unwrap_or(Framing::Length(0));
    let mut request = Request::new(method, target);
    request.version = version;
    request.headers = head.headers;
    Ok((request, framing))
}

/// Reads answers from a connection: a client's side.
#[derive(Clone, Debug, Default)]
pub struct ResponseReader {
    buffer: Buffer,
    begun: Option<(Response, Framing)>,
    to_head: bool,
}

impl ResponseReader {
    /// Reads the answers to requests of this method: an answer to `HEAD` has no body.
    pub fn new(method: &str) -> Self {
        ResponseReader { to_head: method == "HEAD", ..ResponseReader::default() }
    }

    /// Takes in bytes that came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.bytes.extend_from_slice(bytes);
    }

    /// The server has closed the connection, which ends a body that has no length.
    pub fn close(&mut self) {
        self.buffer.closed = true;
    }

    /// Whether not one byte of an answer came.
    pub fn is_empty(&self) -> bool {
        self.buffer.bytes.is_empty() && self.begun.is_none()
    }

    /// The next answer, when it is complete; answers with a status below 200 are passed over.
    /// After an error the connection is of no more use.
    pub fn take(&mut self) -> Result<Option<Response>, HttpError> {
        loop {
            let (mut response, framing) = match self.begun.take() {
                Some(begun) => begun,
                None => match self.buffer.head()? {
                    Some(head) => response_of(head, self.to_head)?,
                    None if self.buffer.closed => return Err(HttpError::Truncated),
                    None => return Ok(None),
                },
            };
            let complete = self.buffer.body(&framing, &mut response.body);
            if !matches!(complete, Ok(true)) {
                self.begun = Some((response, framing));
                return complete.map(|_| None);
            }
            if response.status >= 200 || response.status == 101 {
                return Ok(Some(response));
            }
        }
    }

    /// What came of the answer's body so far, and whether the head is complete.
    pub fn partial(&self) -> Option<&Response> {
        self.begun.as_ref().map(|(response, _)| response)
    }
}

fn response_of(head: Head, to_head: bool) -> Result<(Response, Framing), HttpError> {
    let bad = || HttpError::StartLine(head.line.clone());
    let mut words = head.line.splitn(3, ' ');
    let version = words.next().and_then(version).ok_or_else(bad)?;
    let status = words.next().filter(|word| word.len() == 3).ok_or_else(bad)?;
    let status: u16 = status.parse().map_err(|_| bad())?;
    let reason = words.next().unwrap_or_default().to_owned();
    let framing = match framing(&head.headers)? {
        _ if to_head || bodiless(status) => Framing::Length(0),
        Some(framing) => framing,
        None => Framing::UntilClose,
    };
    let body = Vec::new();
    Ok((Response { version, status, reason, headers: head.headers, body }, framing))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_request(text: &str) -> Result<Option<Request>, HttpError> {
        let mut reader = RequestReader::new();
        reader.push(text.as_bytes());
        reader.take()
    }

    #[test]
    fn a_request_is_what_it_was_after_the_wire_byte_by_byte() {
        let mut request = Request::new("POST", "/a?b=c");
        request.headers.add("Host", "web");
        request.body = b"hello".to_vec();
        let mut reader = RequestReader::new();
        let bytes = request.to_bytes();
        for (index, byte) in bytes.iter().enumerate() {
            assert_eq!(reader.take().unwrap(), None, "complete after {index} bytes");
            reader.push(&[*byte]);
        }
        let read = reader.take().unwrap().unwrap();
        assert_eq!((read.path(), read.query(), read.body.as_slice()), ("/a", "b=c", &b"hello"[..]));
        assert_eq!(read.headers.get("content-length"), Some("5"));
    }

    #[test]
    fn two_requests_on_one_connection() {
        let mut reader = RequestReader::new();
        reader.push(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.0\r\n\r\n");
        assert_eq!(reader.take().unwrap().unwrap().target, "/1");
        let second = reader.take().unwrap().unwrap();
        assert_eq!((second.target.as_str(), second.keep_alive()), ("/2", false));
        assert_eq!(reader.take().unwrap(), None);
    }

    #[test]
    fn malformed_requests_are_refused() {
        assert!(matches!(read_request("GET /\r\n\r\n"), Err(HttpError::StartLine(_))));
        assert!(matches!(read_request("GET / HTTP/2\r\n\r\n"), Err(HttpError::StartLine(_))));
        assert!(matches!(read_request("GET / HTTP/1.1\r\nx\r\n\r\n"), Err(HttpError::Header(_))));
        let length = "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n";
        assert!(matches!(read_request(length), Err(HttpError::Length(_))));
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(limits::HTTP_HEAD_MAX));
        assert_eq!(read_request(&long), Err(HttpError::HeadTooLarge));
    }

    #[test]
    fn answers_end_by_length_chunk_or_close() {
        let cases = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n",
                "hi",
            ),
            ("HTTP/1.1 200 OK\r\n\r\nhi", "hi"),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", ""),
        ];
        for (text, body) in cases {
            let mut reader = ResponseReader::new("GET");
            reader.push(text.as_bytes());
            reader.close();
            assert_eq!(reader.take().unwrap().unwrap().body, body.as_bytes(), "{text}");
        }
    }

    #[test]
    fn an_answer_cut_short_is_an_error() {
        let mut reader = ResponseReader::new("GET");
        reader.push(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi");
        assert_eq!(reader.take(), Ok(None));
        reader.close();
        assert_eq!(reader.take(), Err(HttpError::Truncated));
    }

    #[test]
    fn the_answer_to_head_has_a_length_and_no_body() {
        let bytes = Response::new(200, "hello").head_to_bytes();
        let mut reader = ResponseReader::new("HEAD");
        reader.push(&bytes);
        let read = reader.take().unwrap().unwrap();
        assert_eq!((read.headers.get("Content-Length"), read.body.len()), (Some("5"), 0));
    }

    #[test]
    fn a_value_cannot_smuggle_a_header() {
        let bytes = Response::new(200, "").with("X", "a\r\nY: b").to_bytes();
        assert!(!String::from_utf8(bytes).unwrap().contains("\r\nY"));
    }

    #[test]
    fn noise_never_panics() {
        let mut rng = naru_sim::Rng::new(3);
        let words: [&[u8]; 9] = [
            b"GET / HTTP/1.1",
            b"\r\n",
            b"\n",
            b"HTTP/1.1 200",
            b" ",
            b":",
            b"Content-Length: 9",
            b"Transfer-Encoding: chunked",
            b"ffffffffffffffff",
        ];
        for _ in 0..5_000 {
            let mut request = RequestReader::new();
            let mut response = ResponseReader::new("GET");
            for _ in 0..rng.below(12) {
                let word = words[rng.below(words.len() as u64) as usize];
                request.push(word);
                response.push(word);
            }
            response.close();
            let _ = (request.take(), response.take());
        }
    }
}
