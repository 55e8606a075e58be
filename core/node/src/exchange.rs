//! An HTTP request that the API server passes on from this machine: one connection, one answer.
//!
//! Upstream: `apimachinery/pkg/util/proxy/{upgradeaware,transport}.go`.

use crate::portforward::Progress;
use crate::runtime::NamespaceStack;
use naru_api::http::{Head, HttpRequest};
use naru_api::service::{Backend, Stream};
use naru_api::{ApiError, status::ApiResult};
use naru_network::http::{Request, Response, ResponseReader};
use naru_network::{Call, Network, NsId};
use naru_shell::serve::Stream as Connection;
use naru_shell::{Errno, NetStack};
use naru_sim::{CauseId, Rng, Time};
use std::net::SocketAddr;
use std::time::Duration;

/// How long a connection may take to come about. Upstream: the dialer's `Timeout` in
/// `CreateProxyTransport`.
const DIAL_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes read in one go.
const CHUNK: usize = 32 * 1024;
/// Headers of an answer that are of its connection only (RFC 9110, section 7.6.1).
const NOT_PASSED_ON: [&str; 6] =
    ["connection", "keep-alive", "proxy-connection", "trailer", "transfer-encoding", "upgrade"];

/// One request on its way.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    connection: Connection,
    host: NsId,
    to: Backend,
    /// What is still to be sent.
    out: Vec<u8>,
    reader: ResponseReader,
    /// What a redirection gets before its path.
    prefix: String,
    cause: CauseId,
    connected: bool,
    deadline: Time,
}

impl Exchange {
    /// Begins a connection from the machine's own network namespace.
    pub(crate) fn open(
        request: &HttpRequest,
        to: Backend,
        prefix: &str,
        (host, network): (NsId, &mut Network),
        rng: &mut Rng,
        call: Call,
    ) -> ApiResult<Exchange> {
        let socket = NamespaceStack::new(network, host, call)
            .tcp_connect(to.address)
            .map_err(|error| unreachable(&dial_error(to.address, error)))?;
        let connection = match to.tls {
            true => Connection::trusting_client(socket, &to.address.ip().to_string(), rng),
            false => Connection::plain(socket),
        };
        Ok(Exchange {
            connection,
            host,
            to,
            out: message(request).to_bytes(),
            reader: ResponseReader::new(&request.method),
            prefix: prefix.to_owned(),
            cause: call.cause,
            connected: false,
            deadline: call.now + DIAL_TIMEOUT,
        })
    }

    /// When it is given up, if it has not come about by then.
    pub(crate) fn next_due(&self) -> Option<Time> {
        (!self.connected).then_some(self.deadline)
    }

    /// Goes on as far as it can; the answer is put into the stream whole.
    pub(crate) fn pump(
        &mut self,
        stream: &mut Stream,
        network: &mut Network,
        now: Time,
    ) -> Progress {
        match self.talk(network, now) {
            Ok(None) => Progress::Open,
            Ok(Some(response)) => {
                stream.head = Some(self.head(&response));
                stream.stdout.extend(response.body);
                Progress::Done(Ok(0))
            }
            Err(why) => Progress::Done(Err(unreachable(&why))),
        }
    }

    fn talk(&mut self, network: &mut Network, now: Time) -> Result<Option<Response>, String> {
        let net = &mut NamespaceStack::new(network, self.host, self.call(now));
        if !self.connected {
            match net.connected(self.connection.socket()) {
                Ok(()) => self.connected = true,
                Err(Errno::Again) if now < self.deadline => return Ok(None),
                Err(Errno::Again) => return Err(dial_error(self.to.address, Errno::TimedOut)),
                Err(error) => return Err(dial_error(self.to.address, error)),
            }
        }
        while !self.out.is_empty() {
            match self.connection.send(net, &self.out) {
                Ok(0) | Err(Errno::Again) => break,
                Ok(taken) => drop(self.out.drain(..taken.min(self.out.len()))),
                Err(_) => self.out.clear(),
            }
        }
        loop {
            match self.connection.recv(net, now, CHUNK) {
                Ok(bytes) if bytes.is_empty() => {
                    self.reader.close();
                    break;
                }
                Ok(bytes) => self.reader.push(&bytes),
                Err(Errno::Again) => break,
                Err(error) => {
                    let to = self.to.address;
                    if let Some(why) = self.connection.failure() {
                        return Err(why);
                    }
                    return Err(format!("read tcp {to}: read: {error}").to_lowercase());
                }
            }
        }
        match self.reader.take() {
            Ok(response) => Ok(response),
            Err(_) if self.reader.is_empty() => Err("EOF".to_owned()),
            Err(error) => Err(format!("net/http: HTTP/1.x transport connection broken: {error}")),
        }
    }

    fn head(&self, response: &Response) -> Head {
        let mut head = Head { status: response.status, headers: Vec::new() };
        for (name, value) in response.headers.iter() {
            let lower = name.to_ascii_lowercase();
            if NOT_PASSED_ON.contains(&lower.as_str()) || lower == "content-length" {
                continue;
            }
            let value = match lower.as_str() {
                "location" => self.location(value),
                _ => value.to_owned(),
            };
            head = head.with(name.to_owned(), value);
        }
        head
    }

    /// A redirection leads back through the API server, unless it leads elsewhere.
    ///
    /// Upstream: `rewriteURL`.
    fn location(&self, location: &str) -> String {
        let scheme = if self.to.tls { "https" } else { "http" };
        let own = format!("{scheme}://{}", self.to.address);
        let path = location.strip_prefix(&own).unwrap_or(location);
        match path.starts_with('/') && !path.starts_with("//") {
            true => format!("{}{path}", self.prefix),
            false => location.to_owned(),
        }
    }

    /// The connection is of no use any more.
    pub(crate) fn close(&mut self, network: &mut Network, now: Time) {
        let call = self.call(now);
        self.connection.close(&mut NamespaceStack::new(network, self.host, call));
    }

    fn call(&self, now: Time) -> Call {
        Call { now, cause: self.cause }
    }
}

fn message(request: &HttpRequest) -> Request {
    let target = match request.query.as_str() {
        "" => request.path.clone(),
        query => format!("{}?{query}", request.path),
    };
    let mut message = Request::new(&request.method, &target);
    for (name, value) in &request.headers {
        message.headers.add(&canonical(name), value.as_str());
    }
    message.headers.set("Connection", "close");
    message.body.clone_from(&request.body);
    message
}

/// A header's name as Go writes it: `User-Agent`.
fn canonical(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    words.collect::<Vec<_>>().join("-")
}

fn unreachable(why: &str) -> ApiError {
    let message = format!("error trying to reach service: {why}");
    ApiError::new(503, "ServiceUnavailable", message)
}

fn dial_error(to: SocketAddr, error: Errno) -> String {
    match error {
        Errno::TimedOut => format!("dial tcp {to}: i/o timeout"),
        error => format!("dial tcp {to}: connect: {}", error.to_string().to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_names_are_gos() {
        assert_eq!(canonical("x-forwarded-host"), "X-Forwarded-Host");
        assert_eq!(canonical("host"), "Host");
    }
}
