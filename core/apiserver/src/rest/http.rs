//! What a request over HTTP is answered.

use crate::rest::Watching;
pub use naru_api::http::{Head, HttpRequest, HttpResponse};
use naru_api::service::{ConnectRequest, StreamId};

/// What the API server answers to an HTTP request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Everything at once.
    Full(HttpResponse),
    /// A head, and then events until the watch ends.
    Watch(Head, Watching),
    /// A head, and then the lines of a log.
    Log(Head, StreamId),
    /// What somebody else answers, once [`naru_api::service::Stream::head`] is there, with these
    /// headers of the API server added to it.
    Proxied(Head, StreamId),
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
}
