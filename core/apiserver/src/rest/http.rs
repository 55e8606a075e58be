//! HTTP messages, as values: nothing here reads a socket.

use crate::rest::Watching;
use naru_api::service::{ConnectRequest, StreamId};
use std::fmt::Write as _;

/// One HTTP request, read whole.
#[derive(Clone, Debug, Default)]
pub struct HttpRequest {
    /// `GET`.
    pub method: String,
    /// The path as it came, still escaped.
    pub path: String,
    /// What stands after `?`, still escaped.
    pub query: String,
    /// Names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The client's TLS certificate, in DER; empty without.
    pub certificate: Vec<u8>,
}

impl HttpRequest {
    /// The first value of a header, named in lower case; "" when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.header_values(name).next().unwrap_or_default()
    }

    /// All values of a header.
    pub fn header_values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let name = name.to_owned();
        self.headers.iter().filter(move |(key, _)| *key == name).map(|(_, value)| value.as_str())
    }

    /// Whether the client asks to go on in another protocol, and in which: `websocket`, `spdy/3.1`.
    pub fn upgrade(&self) -> Option<String> {
        let tokens = |name| self.header_values(name).flat_map(|value| value.split(','));
        let wants = tokens("connection").any(|token| token.trim().eq_ignore_ascii_case("upgrade"));
        let protocol = self.header("upgrade").to_ascii_lowercase();
        (wants && !protocol.is_empty()).then_some(protocol)
    }
}

/// Status and headers of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// 200.
    pub status: u16,
    /// Names as they are written.
    pub headers: Vec<(&'static str, String)>,
}

impl Head {
    /// A head with a content type.
    pub fn new(status: u16, content_type: &str) -> Self {
        Head { status, headers: vec![("Content-Type", content_type.to_owned())] }
    }

    /// With one more header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// Status and headers.
    pub head: Head,
    /// The body; its length is the front's to tell.
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// An answer of this type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        HttpResponse { head: Head::new(status, content_type), body: body.into() }
    }

    /// Text that browsers must not take for anything else, as Go's `http.Error` writes it.
    pub fn text(status: u16, text: &str) -> Self {
        let mut answer =
            HttpResponse::new(status, "text/plain; charset=utf-8", format!("{text}\n"));
        answer.head = answer.head.with("X-Content-Type-Options", "nosniff");
        answer
    }
}

/// What the API server answers to an HTTP request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Everything at once.
    Full(HttpResponse),
    /// A head, and then events until the watch ends.
    Watch(Head, Watching),
    /// A head, and then the lines of a log.
    Log(Head, StreamId),
    /// The connection becomes a stream to a container.
    Stream(StreamAnswer),
}

/// A connection that becomes a stream: exec, attach or port-forward.
#[derive(Clone, Debug)]
pub enum StreamAnswer {
    /// Standard input, output and error of a process.
    Command {
        /// The stream.
        id: StreamId,
        /// Which of them the client asked for.
        wants: Wants,
    },
    /// Connections to ports of a pod. Each is a stream of its own: a copy of this request with
    /// its port is given to [`naru_api::ApiService::connect`].
    PortForward {
        /// The request; its port is 0.
        request: Box<ConnectRequest>,
        /// The ports of the query, which WebSocket's channels go to; a tunnelled SPDY connection
        /// names them itself.
        ports: Vec<u16>,
    },
}

/// Which streams a client asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Standard input.
    pub stdin: bool,
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
    /// A terminal.
    pub tty: bool,
}

/// Undoes `%20` and, in a query, `+`. `None`: it is not well formed.
pub(crate) fn unescape(text: &str, plus_is_space: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let high = digit(rest.next()?)?;
                let low = digit(rest.next()?)?;
                bytes.push(u8::try_from(high * 16 + low).ok()?);
            }
            b'+' if plus_is_space => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(unescape("a%20b+c", true).as_deref(), Some("a b c"));
        assert_eq!(unescape("a%20b+c", false).as_deref(), Some("a b+c"));
        assert_eq!(unescape("%e", false), None);
        assert_eq!(unescape("%zz", false), None);
    }

    #[test]
    fn an_upgrade_needs_both_headers() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut request = HttpRequest { ..HttpRequest::default() };
        request.headers = vec![header("upgrade", "WebSocket")];
        assert_eq!(request.upgrade(), None);
        request.headers.push(header("connection", "keep-alive, Upgrade"));
        assert_eq!(request.upgrade().as_deref(), Some("websocket"));
    }
}
