//! HTTP messages, as values: nothing here reads a socket.

use std::borrow::Cow;

/// One HTTP request, read whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    pub headers: Vec<(Cow<'static, str>, String)>,
}

impl Head {
    /// A head with a content type.
    pub fn new(status: u16, content_type: &str) -> Self {
        Head { status, headers: vec![("Content-Type".into(), content_type.to_owned())] }
    }

    /// The first value of a header.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
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

#[cfg(test)]
mod tests {
    use super::*;

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
