//! `--raw`: requests by their path.
//!
//! Upstream: `k8s.io/kubectl/pkg/rawhttp`.

use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::process::{Next, Outcome, Task};
use naru_api::ApiError;
use naru_api::http::Head;
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use naru_api::service::{AnswerId, PathAnswer, PathRequest};
use naru_sim::Time;

/// Bytes of a text that an error shows. Upstream: `maxUnstructuredResponseTextBytes`.
const TEXT_MAX: usize = 2_048;
/// Redirections that are followed. Upstream: `defaultCheckRedirect` in `net/http/client.go`.
const REDIRECTS_MAX: usize = 10;

/// `get --raw`
pub fn get(cx: &mut Context<'_>, path: &str) -> Outcome {
    check(path)?;
    send(cx, "GET", path, Vec::new())
}

/// `delete --raw`
pub fn delete(cx: &mut Context<'_>, path: &str) -> Outcome {
    check(path)?;
    send(cx, "DELETE", path, Vec::new())
}

/// `create --raw`
pub fn post(cx: &mut Context<'_>, path: &str) -> Outcome {
    check(path)?;
    let body = body(cx)?;
    send(cx, "POST", path, body)
}

/// `replace --raw`
pub fn put(cx: &mut Context<'_>, path: &str) -> Outcome {
    check(path)?;
    let body = body(cx)?;
    send(cx, "PUT", path, body)
}

/// Upstream: `url.ParseRequestURI`.
fn check(path: &str) -> Result<()> {
    if path.starts_with('/') || path.contains("://") {
        return Ok(());
    }
    let path = naru_api::gofmt::quote(path);
    let text = format!("--raw must be a valid URL path: parse {path}: invalid URI for request");
    Err(Failure::Message(text))
}

/// What `-f` names, or standard input.
fn body(cx: &mut Context<'_>) -> Result<Vec<u8>> {
    let Some(name) = cx.flags().list("filename").first() else { return Ok(Vec::new()) };
    if name == "-" {
        return Ok(cx.stdin.to_vec());
    }
    let path = cx.sys.absolute(name);
    let read = cx.sys.fs().read(&path).map(|bytes| bytes.to_vec());
    read.map_err(|errno| {
        Failure::Message(format!("open {name}: {}", errno.to_string().to_lowercase()))
    })
}

/// What stands at a path. An answer that is no success, or is not there at once, is a
/// failure.
pub fn read(cx: &mut Context<'_>, path: &str) -> Result<Vec<u8>> {
    let answer = cx.by_path(asked("GET", path, Vec::new()))?;
    if let Some(rest) = answer.rest {
        cx.hang_up(rest);
    }
    match answer.head {
        Some(head) if is_success(&head) => Ok(answer.body),
        Some(head) => Err(Failure::Api(refusal("GET", &head, &answer.body))),
        None => Err(Failure::message("unexpected EOF")),
    }
}

fn asked(method: &str, path: &str, body: Vec<u8>) -> PathRequest {
    let headers = [
        ("accept", "application/json, */*"),
        ("content-type", "application/json"),
        ("user-agent", "kubectl"),
    ];
    PathRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        body,
    }
}

fn is_success(head: &Head) -> bool {
    matches!(head.status, 200..=299)
}

/// What an answer that is no success comes to: the `Status` in it, or words of the client.
///
/// Upstream: `transformResponse` and `newUnstructuredResponseError` in `client-go/rest/request.go`.
fn refusal(method: &str, head: &Head, body: &[u8]) -> ApiError {
    let media = head.get("Content-Type").unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if matches!(media.as_str(), "" | "application/json")
        && let Ok(status) = serde_json::from_slice::<Status>(body)
        && status.status.as_deref() == Some("Failure")
    {
        return ApiError::from_status(status);
    }
    let said = match media.is_empty() || media.starts_with("text/") {
        true => String::from_utf8_lossy(body.get(..TEXT_MAX).unwrap_or(body)).trim().to_owned(),
        false => "unknown".to_owned(),
    };
    ApiError::unexpected_response(head.status, method, &said)
}

fn send(cx: &mut Context<'_>, method: &str, url: &str, body: Vec<u8>) -> Outcome {
    // Of a whole URL only the path and the query count. Upstream: `Request.RequestURI`.
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => url,
    };
    let request = asked(method, path, body);
    let answer = cx.by_path(request.clone())?;
    Box::new(Reading { request, redirects: 0, head: None, body: Vec::new() }).take(cx, answer)
}

/// Reads an answer as it comes, and prints it if it is a success.
#[derive(Clone, Debug)]
struct Reading {
    request: PathRequest,
    redirects: usize,
    head: Option<Head>,
    /// Of an answer that is not printed.
    body: Vec<u8>,
}

impl Reading {
    fn take(mut self: Box<Self>, cx: &mut Context<'_>, answer: PathAnswer) -> Outcome {
        if answer.head.is_some() {
            self.head = answer.head;
        }
        match &self.head {
            Some(head) if is_success(head) => cx.console.out_all(answer.body),
            _ => self.body.extend(answer.body),
        }
        if let Some(rest) = answer.rest {
            return cx.start(Waiting { reading: *self, rest, until: answer.until });
        }
        let Some(head) = self.head.take() else { return Err(Failure::message("unexpected EOF")) };
        if is_success(&head) {
            return crate::context::done();
        }
        match (head.status, head.get("Location")) {
            (301..=303 | 307 | 308, Some(location)) => self.follow(cx, head.status, location),
            _ => Err(Failure::Api(refusal(&self.request.method, &head, &self.body))),
        }
    }

    /// Asks where a redirection leads, as Go's client does by itself.
    ///
    /// Upstream: `Client.do` in `net/http/client.go`.
    fn follow(mut self: Box<Self>, cx: &mut Context<'_>, status: u16, location: &str) -> Outcome {
        let unreached =
            |why: String| Err(Failure::Plain(format!("Unable to connect to the server: {why}"), 1));
        self.redirects += 1;
        if self.redirects > REDIRECTS_MAX {
            return unreached(format!("stopped after {REDIRECTS_MAX} redirects"));
        }
        let server = cx.client_config()?.server(cx.flags());
        let Some(path) = resolve(&self.request.path, location, &server) else {
            let host = location.split("://").last().unwrap_or_default();
            let host = host.split(['/', ':', '?']).next().unwrap_or_default();
            return unreached(format!("dial tcp: lookup {host}: no such host"));
        };
        if status < 307 && !matches!(self.request.method.as_str(), "GET" | "HEAD") {
            "GET".clone_into(&mut self.request.method);
            self.request.body.clear();
        }
        self.request.path = path;
        self.body.clear();
        let answer = cx.by_path(self.request.clone())?;
        self.take(cx, answer)
    }
}

/// Where a location leads from a path of this server; `None`: to somebody else.
fn resolve(path: &str, location: &str, server: &str) -> Option<String> {
    if let Some((_, rest)) = location.split_once("://") {
        let own = server.split_once("://").map_or(server, |(_, own)| own).trim_end_matches('/');
        let rest = rest.strip_prefix(own)?;
        return match rest {
            "" => Some("/".to_owned()),
            path => path.starts_with('/').then(|| path.to_owned()),
        };
    }
    if location.starts_with("//") {
        return None;
    }
    let path = path.split('?').next().unwrap_or_default();
    Some(match location.chars().next() {
        Some('/') => location.to_owned(),
        Some('?') => format!("{path}{location}"),
        _ => {
            let folder = path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or("/");
            format!("{folder}{location}")
        }
    })
}

/// Waits for more of an answer.
#[derive(Clone, Debug)]
struct Waiting {
    reading: Reading,
    rest: AnswerId,
    until: Option<Time>,
}

impl Task for Waiting {
    fn poll(self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        let mut answer = cx.api()?.more_by_path(self.rest)?;
        let empty = answer.head.is_none() && answer.body.is_empty();
        if empty && answer.rest.is_some() {
            let until = self.until;
            return Ok(Next::Wait(self, until));
        }
        answer.until = answer.until.or(self.until);
        Box::new(self.reading).take(cx, answer)
    }

    fn cancel(&mut self, cx: &mut Context<'_>) {
        cx.hang_up(self.rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals() {
        let html = Head::new(502, "text/html; charset=utf-8");
        let json = Head::new(500, "application/json");
        let status = br#"{"kind":"Status","status":"Failure","reason":"Gone","message":"no more"}"#;
        let table: [(&Head, &[u8], &str, &str); 5] = [
            (
                &html,
                b" <p>bad</p>\n",
                "InternalError",
                "an error on the server (\"<p>bad</p>\") has prevented the request from succeeding",
            ),
            (
                &json,
                b"{\"error\":1}",
                "InternalError",
                "an error on the server (\"unknown\") has prevented the request from succeeding",
            ),
            (&json, status, "Gone", "no more"),
            (
                &Head::new(404, "text/plain"),
                status,
                "NotFound",
                "the server could not find the requested resource",
            ),
            (
                &Head::new(418, "text/plain"),
                b"teapot",
                "",
                "the server responded with the status code 418 but did not return more information",
            ),
        ];
        for (head, body, reason, message) in table {
            let error = refusal("GET", head, body);
            assert_eq!((error.reason(), error.message()), (reason, message));
        }
    }

    #[test]
    fn redirections() {
        let server = "https://127.0.0.1:6443";
        let table = [
            ("/a/b?x=1", "/c", Some("/c")),
            ("/a/b?x=1", "c?y=2", Some("/a/c?y=2")),
            ("/a/b?x=1", "?y=2", Some("/a/b?y=2")),
            ("/a/b", "https://127.0.0.1:6443/c", Some("/c")),
            ("/a/b", "https://127.0.0.1:64430/c", None),
            ("/a/b", "https://example.com/c", None),
            ("/a/b", "//example.com/c", None),
        ];
        for (path, location, want) in table {
            assert_eq!(resolve(path, location, server).as_deref(), want, "{location}");
        }
    }
}
