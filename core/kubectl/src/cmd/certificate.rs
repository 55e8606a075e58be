//! `kubectl certificate`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/certificates/certificates.go`.

use super::common;
use crate::builder::{Builder, Target};
use crate::command::Command;
use crate::context::{Context, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::mapper::kind_for;
use crate::printers::Teller;
use crate::process::Outcome;
use naru_api::KindRef;
use naru_api::gofmt::quote;
use serde_json::{Value, json};

/// `kubectl certificate`
pub static COMMAND: Command = Command {
    usage: "certificate SUBCOMMAND",
    short: "Modify certificate resources",
    long: "Modify certificate resources.",
    subcommands: &[&APPROVE, &DENY],
    run: |cx| {
        let text = crate::help::text(cx.invocation);
        cx.out(&text);
        done()
    },
    ..Command::EMPTY
};

static APPROVE: Command = Command {
    usage: "approve (-f FILENAME | NAME)",
    short: "Approve a certificate signing request",
    examples: "# Approve a request\nkubectl certificate approve csr-sqgzp",
    flags: &[common::PRINT, common::FILENAME, FORCE],
    run: |cx| decide(cx, "Approved", "KubectlApprove", "approved", "approve"),
    ..Command::EMPTY
};

static DENY: Command = Command {
    usage: "deny (-f FILENAME | NAME)",
    short: "Deny a certificate signing request",
    examples: "# Deny a request\nkubectl certificate deny csr-sqgzp",
    flags: &[common::PRINT, common::FILENAME, FORCE],
    run: |cx| decide(cx, "Denied", "KubectlDeny", "denied", "deny"),
    ..Command::EMPTY
};

/// What a request has one of at most.
const DECISIONS: [&str; 2] = ["Approved", "Denied"];

const FORCE: &[Flag] = &[Flag::switch("force", "Update the CSR even if it is already decided.")];

fn decide(cx: &mut Context<'_>, type_: &str, reason: &str, told: &str, verb: &str) -> Outcome {
    let in_files = cx.flags().changed("filename") || !cx.flags().text("kustomize").is_empty();
    if cx.args().is_empty() && !in_files {
        return Err(Failure::message(
            "one or more CSRs must be specified as <name> or -f <filename>",
        ));
    }
    let mut teller = Teller::new(cx, "")?;
    let kind = kind_for(&cx.kinds()?, "certificatesigningrequests")?;
    let condition = json!({
        "type": type_,
        "status": "True",
        "reason": reason,
        "message": format!("This CSR was {told} by kubectl certificate {verb}."),
    });
    let builder = Builder::new(cx)?.named("certificatesigningrequests", cx.args());
    let mut failures = Vec::new();
    for target in builder.build(cx)?.targets {
        let decided = target.and_then(|target| {
            let name = match target {
                Target::Named { name, .. } => name,
                Target::Manifest(manifest) => manifest.name,
                Target::Selected { .. } => return Ok(()),
            };
            let request = approve_or_deny(cx, &kind, &name, &condition)?;
            teller.tell(cx, &kind, request, told)
        });
        failures.extend(decided.err());
    }
    Failure::from_many(failures)?;
    done()
}

fn approve_or_deny(
    cx: &mut Context<'_>,
    kind: &KindRef,
    name: &str,
    condition: &Value,
) -> Result<Value> {
    let bad = |why: serde_json::Error| Failure::Message(why.to_string());
    let mut request = cx.get(kind, "", name)?.to_json().map_err(bad)?;
    let conditions = &mut request["status"]["conditions"];
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let conditions = conditions.as_array_mut().into_iter().next();
    let types = conditions.iter().flat_map(|all| all.iter()).map(|one| &one["type"]);
    let mut decisions = types.filter_map(Value::as_str).filter(|it| DECISIONS.contains(it));
    if let Some(other) = decisions.find(|it| condition["type"] != *it) {
        let shown = quote(name);
        return Err(Failure::Message(format!(
            "certificate signing request {shown} is already {other}"
        )));
    }
    let there = conditions
        .as_ref()
        .is_some_and(|all| all.iter().any(|one| one["type"] == condition["type"]));
    if there && !cx.flags().is("force") {
        return Ok(request);
    }
    if let Some(conditions) = conditions {
        conditions.retain(|one| one["type"] != condition["type"]);
        conditions.push(condition.clone());
    }
    let updated = cx.update_subresource(kind, "", name, "approval", request)?;
    updated.to_json().map_err(bad)
}
