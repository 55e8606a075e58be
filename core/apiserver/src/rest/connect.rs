//! Logs, exec, attach and port-forward.
//!
//! Upstream: `pkg/registry/core/pod/rest/{log,subresources}.go`, `ValidatePodLogOptions` in
//! `pkg/apis/core/validation/validation.go`.

use crate::ApiServer;
use crate::rest::exchange::Exchange;
use crate::rest::http::{Answer, Head, StreamAnswer, Wants};
use naru_api::service::{Connect, ConnectRequest, LogOptions};
use naru_api::{ApiError, ApiService, FieldError, status::ApiResult};
use naru_sim::CauseId;

/// Arguments of a command in a query.
const ARGUMENTS_MAX: usize = 1_000;
/// Ports of a query.
const PORTS_MAX: usize = 128;

impl ApiServer {
    /// Opens a stream to a container.
    pub(crate) fn rest_connect(&mut self, x: &Exchange<'_>, what: &str) -> ApiResult<Answer> {
        let request = |connect| ConnectRequest {
            user: x.user.clone(),
            agent: x.agent.clone(),
            cause: CauseId::ROOT,
            namespace: x.info.namespace.clone(),
            pod: x.info.name.clone(),
            container: x.query.text("container").to_owned(),
            connect,
        };
        if what == "log" {
            self.authorize_info(x)?;
            let id = self.connect(request(Connect::Log(log_options(x)?)))?;
            return Ok(Answer::Log(Head::new(200, "text/plain"), id));
        }
        if what == "portforward" {
            let request = Box::new(request(Connect::PortForward { port: 0 }));
            self.check_connect(&request)?;
            check_upgrade(x)?;
            return Ok(Answer::Stream(StreamAnswer::PortForward { request, ports: ports(x)? }));
        }
        let wants = wants(x);
        let (stdin, tty) = (wants.stdin, wants.tty);
        let command = x.query.all("command").take(ARGUMENTS_MAX).map(str::to_owned).collect();
        let connect = match what {
            "exec" => Connect::Exec { command, stdin, tty },
            _ => Connect::Attach { stdin, tty },
        };
        let request = request(connect);
        self.check_connect(&request)?;
        check_upgrade(x)?;
        check_wants(&request.connect, wants)?;
        let id = self.connect(request)?;
        Ok(Answer::Stream(StreamAnswer::Command { id, wants }))
    }
}

/// Refuses a client that does not go on in WebSocket.
fn check_upgrade(x: &Exchange<'_>) -> ApiResult<()> {
    match x.http.upgrade().as_deref() {
        Some("websocket") => Ok(()),
        Some("spdy/3.1") => {
            let message = "unable to upgrade: this server speaks WebSocket, and not SPDY/3.1";
            Err(ApiError::bad_request(message))
        }
        _ => Err(ApiError::bad_request("Upgrade request required")),
    }
}

fn wants(x: &Exchange<'_>) -> Wants {
    let tty = x.query.flag("tty");
    Wants {
        stdin: x.query.flag("stdin"),
        stdout: x.query.flag("stdout"),
        // A terminal has one output only.
        stderr: x.query.flag("stderr") && !tty,
        tty,
    }
}

/// What the kubelet refuses.
fn check_wants(connect: &Connect, wants: Wants) -> ApiResult<()> {
    if let Connect::Exec { command, .. } = connect
        && command.is_empty()
    {
        let message = "you must specify at least 1 command for the container";
        return Err(ApiError::bad_request(message));
    }
    if wants.stdin || wants.stdout || wants.stderr {
        return Ok(());
    }
    Err(ApiError::bad_request(match connect {
        Connect::Exec { .. } => "you must specify at least 1 of stdin, stdout, stderr",
        _ => "you must specify at least one of stdin, stdout, stderr",
    }))
}

fn ports(x: &Exchange<'_>) -> ApiResult<Vec<u16>> {
    let texts = x.query.all("ports").flat_map(|ports| ports.split(','));
    let port = |text: &str| match text.parse() {
        Ok(0) | Err(_) => {
            Err(ApiError::bad_request(format!("unable to parse {:?} as a port", text)))
        }
        Ok(port) => Ok(port),
    };
    texts.filter(|text| !text.is_empty()).take(PORTS_MAX).map(port).collect()
}

fn log_options(x: &Exchange<'_>) -> ApiResult<LogOptions> {
    let query = &x.query;
    let tail = query.integer("tailLines")?;
    let since = query.integer("sinceSeconds")?;
    let limit = query.integer("limitBytes")?;
    let since_time = query.time("sinceTime")?;
    let mut errors = Vec::new();
    const NOT_NEGATIVE: &str = "must be greater than or equal to 0";
    if let Some(tail) = tail.filter(|tail| *tail < 0) {
        errors.push(FieldError::invalid_raw("tailLines", tail, NOT_NEGATIVE));
    }
    if let Some(limit) = limit.filter(|limit| *limit < 1) {
        errors.push(FieldError::invalid_raw("limitBytes", limit, "must be greater than 0"));
    }
    match (since, since_time) {
        (Some(_), Some(_)) => {
            let why = "at most one of `sinceTime` or `sinceSeconds` may be specified";
            errors.push(FieldError::forbidden("", why));
        }
        (Some(since), None) if since < 1 => {
            errors.push(FieldError::invalid_raw("sinceSeconds", since, "must be greater than 0"));
        }
        _ => {}
    }
    if query.get("stream").is_some() {
        errors.push(FieldError::forbidden("stream", "may not be specified"));
    }
    if !errors.is_empty() {
        return Err(ApiError::invalid_as("", "PodLogOptions", &x.info.name, &errors));
    }
    Ok(LogOptions {
        follow: query.flag("follow"),
        previous: query.flag("previous"),
        since_seconds: since,
        since_time,
        timestamps: query.flag("timestamps"),
        tail_lines: tail.and_then(|tail| u64::try_from(tail).ok()),
        limit_bytes: limit.and_then(|limit| u64::try_from(limit).ok()),
    })
}
