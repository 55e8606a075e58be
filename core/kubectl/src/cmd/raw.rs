//! `--raw`: requests by their path.
//!
//! Upstream: `k8s.io/kubectl/pkg/rawhttp`.

use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::process::{Next, Outcome, Task};
use naru_api::ApiError;
use naru_api::service::{PathAnswer, PathRequest, StreamId};

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

/// One request with its whole answer. An answer that is no success is a failure, as client-go
/// makes of it.
pub fn request(
    cx: &mut Context<'_>,
    method: &str,
    path: &str,
    body: Vec<u8>,
) -> Result<PathAnswer> {
    let headers = [
        ("accept", "application/json, */*"),
        ("content-type", "application/json"),
        ("user-agent", "kubectl"),
    ];
    let request = PathRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        body,
    };
    let answer = cx.by_path(request)?;
    match answer.status {
        200..=299 => Ok(answer),
        _ => Err(Failure::Api(error(&answer))),
    }
}

/// What the API server says in an answer that is no success.
fn error(answer: &PathAnswer) -> ApiError {
    let status = serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap_or_default();
    let text = |field: &str| status[field].as_str().map(str::to_owned);
    match (text("reason"), text("message")) {
        (reason, Some(message)) if status["kind"] == "Status" => {
            ApiError::new(i32::from(answer.status), &reason.unwrap_or_default(), message)
        }
        _ if answer.status == 404 => {
            let text = "the server could not find the requested resource";
            ApiError::new(404, "NotFound", text)
        }
        _ => {
            let body = String::from_utf8_lossy(&answer.body).trim().to_owned();
            ApiError::new(i32::from(answer.status), "InternalError", body)
        }
    }
}

fn send(cx: &mut Context<'_>, method: &str, path: &str, body: Vec<u8>) -> Outcome {
    let answer = request(cx, method, path, body)?;
    cx.console.write(1, &answer.body);
    match answer.stream {
        Some(stream) => cx.start(Reading { stream }),
        None => crate::context::done(),
    }
}

/// Prints the rest of an answer that comes bit by bit.
#[derive(Clone, Debug)]
struct Reading {
    stream: StreamId,
}

impl Task for Reading {
    fn poll(self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        let id = self.stream;
        let Some(stream) = cx.api()?.stream(id) else { return crate::context::done() };
        let bytes: Vec<u8> = stream.stdout.drain(..).collect();
        let result = stream.result.clone();
        cx.console.write(1, &bytes);
        let Some(result) = result else { return Ok(Next::Wait(self, None)) };
        cx.disconnect(id);
        result.map_err(Failure::Api)?;
        crate::context::done()
    }

    fn cancel(&mut self, cx: &mut Context<'_>) {
        cx.disconnect(self.stream);
    }
}
