//! `kubectl create token`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/create/create_token.go`.

use super::common;
use super::create::name_argument;
use crate::command::Command;
use crate::context::{Context, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::mapper::kind_for;
use crate::printers::{Format, Printer};
use crate::process::Outcome;
use serde_json::{Value, json};

/// `kubectl create token`
pub static COMMAND: Command = Command {
    usage: "token SERVICE_ACCOUNT_NAME",
    short: "Request a service account token",
    examples: "# A token for a service account in the current namespace\n\
               kubectl create token myapp\n\n\
               # One that lasts ten minutes\nkubectl create token myapp --duration 10m",
    flags: &[common::PRINT, FLAGS],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::array("audience", "For whom the token is; may be repeated. Without: the API server."),
    Flag::text(
        "bound-object-kind",
        "",
        "Kind of the object with which the token ends: Node, Pod, Secret.",
    ),
    Flag::text("bound-object-name", "", "Name of that object."),
    Flag::text("bound-object-uid", "", "UID of that object."),
    Flag::duration("duration", "0s", "How long it lasts; 0: as long as the server likes."),
];

const BOUND_KINDS: [&str; 3] = ["Node", "Pod", "Secret"];

fn run(cx: &mut Context<'_>) -> Outcome {
    let name = name_argument(cx)?;
    let format = Format::parse(cx, &[])?;
    let spec = spec(cx)?;
    let namespace = cx.namespace()?.0;
    let kind = kind_for(&cx.kinds()?, "serviceaccounts")?;
    let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": spec});
    let answer = cx.request_subresource(&kind, &namespace, &name, "token", body);
    let answer = answer.map_err(|failure| match failure {
        Failure::Api(error) => {
            Failure::Message(format!("failed to create token: {}", error.message()))
        }
        other => other,
    })?;
    let answer = answer.to_json().map_err(|why| Failure::Message(why.to_string()))?;
    let token = answer["status"]["token"].as_str().unwrap_or_default().to_owned();
    if token.is_empty() {
        return Err(Failure::message("failed to create token: no token in server response"));
    }
    let text = match format {
        Some(format) => Printer::new(format, cx.flags()).print(None, answer)?,
        None if cx.sys.is_tty(1) => format!("{token}\n"),
        None => token,
    };
    cx.out(&text);
    done()
}

fn spec(cx: &Context<'_>) -> Result<Value> {
    let flags = cx.flags();
    let fail = |text: &str| Err(Failure::message(text));
    let nanoseconds = flags.duration_ns("duration");
    if nanoseconds < 0 {
        return fail("--duration must be greater than or equal to 0");
    }
    if nanoseconds % 1_000_000_000 != 0 {
        return fail("--duration cannot be expressed in units less than seconds");
    }
    let audiences = flags.list("audience");
    if audiences.iter().any(String::is_empty) {
        return fail("--audience must not be an empty string");
    }
    let mut spec = json!({ "audiences": audiences });
    if nanoseconds > 0 {
        spec["expirationSeconds"] = Value::from(nanoseconds / 1_000_000_000);
    }
    let (kind, name) = (flags.text("bound-object-kind"), flags.text("bound-object-name"));
    let uid = flags.text("bound-object-uid");
    if kind.is_empty() {
        for (flag, value) in [("name", name), ("uid", uid)] {
            if !value.is_empty() {
                return Err(Failure::message(format!(
                    "--bound-object-{flag} can only be set if --bound-object-kind is provided"
                )));
            }
        }
        return Ok(spec);
    }
    if !BOUND_KINDS.contains(&kind) {
        let kinds = BOUND_KINDS.join(", ");
        return Err(Failure::message(format!("supported --bound-object-kind values are {kinds}")));
    }
    if name.is_empty() {
        return fail("--bound-object-name is required if --bound-object-kind is provided");
    }
    spec["boundObjectRef"] = json!({"apiVersion": "v1", "kind": kind, "name": name});
    if !uid.is_empty() {
        spec["boundObjectRef"]["uid"] = Value::from(uid);
    }
    Ok(spec)
}
