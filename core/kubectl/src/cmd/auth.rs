//! `kubectl auth`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/auth`.

use super::common;
use crate::command::Command;
use crate::context::{Context, DryRun, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::mapper::kind_for;
use crate::policyrules::{self, go_list};
use crate::printers::tabwriter::TabWriter;
use crate::printers::{Format, Printer};
use crate::process::{Next, Outcome};
use naru_api::KindRef;
use serde_json::{Value, json};

/// `kubectl auth`
pub static COMMAND: Command = Command {
    usage: "auth",
    short: "Inspect authorization",
    long: "Inspect authorization.",
    subcommands: &[&CAN_I, &super::authreconcile::COMMAND, &WHOAMI],
    ..Command::EMPTY
};

static CAN_I: Command = Command {
    usage: "can-i VERB [TYPE | TYPE/NAME | NONRESOURCEURL]",
    short: "Check whether an action is allowed",
    long: "Check whether an action is allowed.\n\n VERB is a logical Kubernetes API verb like \
           'get', 'list', 'watch', 'delete', etc. TYPE is a\n Kubernetes resource. NONRESOURCEURL \
           is a partial URL that starts with \"/\". This command pairs\n nicely with \
           impersonation. See --as global flag.",
    examples: "# May I create pods in any namespace?\nkubectl auth can-i create pods \
               --all-namespaces\n\n\
               # May a service account list pods?\n\
               kubectl auth can-i list pods --as=system:serviceaccount:dev:foo -n prod\n\n\
               # All that is allowed in a namespace\nkubectl auth can-i --list --namespace=foo",
    flags: &[&[
        Flag::switch("all-namespaces", "In all namespaces.").short("A"),
        Flag::switch("list", "Print all that is allowed."),
        Flag::switch("no-headers", "Do not print the headers of the list."),
        Flag::switch("quiet", "Only tell by the exit code.").short("q"),
        Flag::text("subresource", "", "Subresource: log, scale."),
    ]],
    run: can_i,
    ..Command::EMPTY
};

static WHOAMI: Command = Command {
    usage: "whoami",
    short: "Experimental: Check self subject attributes",
    long: "Experimental: Check who you are and your attributes (groups, extra).",
    examples: "# Who am I for the API server?\nkubectl auth whoami",
    flags: &[common::PRINT],
    run: whoami,
    ..Command::EMPTY
};

const RESOURCE_VERBS: [&str; 16] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "use",
    "bind",
    "impersonate",
    "*",
    "approve",
    "sign",
    "escalate",
    "attest",
];
const URL_VERBS: [&str; 8] = ["get", "put", "post", "head", "options", "delete", "patch", "*"];

fn can_i(cx: &mut Context<'_>) -> Outcome {
    if cx.flags().is("list") {
        return list(cx);
    }
    let [verb, what] = cx.args() else {
        return Err(Failure::message(
            "you must specify two arguments: verb resource or verb resource/resourceName.\n\
             See 'kubectl auth can-i -h' for help and examples.",
        ));
    };
    let spec = match what.starts_with('/') {
        true => about_url(cx, verb, what)?,
        false => about_resource(cx, verb, what)?,
    };
    if cx.flags().is("no-headers") {
        return Err(Failure::message("--no-headers cannot be set without --list specified"));
    }
    let review = ask(cx, "SelfSubjectAccessReview", spec)?;
    let status = &review["status"];
    let allowed = status["allowed"] == true;
    if !cx.flags().is("quiet") {
        let mut text = if allowed { "yes" } else { "no" }.to_owned();
        for field in ["reason", "evaluationError"] {
            if let Some(why) = status[field].as_str().filter(|_| !allowed) {
                text.push_str(&format!(" - {why}"));
            }
        }
        cx.line(&text);
    }
    Ok(Next::Exit(i32::from(!allowed)))
}

fn about_url(cx: &mut Context<'_>, verb: &str, path: &str) -> Result<Value> {
    if !cx.flags().text("subresource").is_empty() {
        return Err(Failure::message("--subresource can not be used with NonResourceURL"));
    }
    if !URL_VERBS.contains(&verb) {
        warn(cx, &format!("verb '{verb}' is not a known verb"));
    }
    Ok(json!({"nonResourceAttributes": {"path": path, "verb": verb}}))
}

fn about_resource(cx: &mut Context<'_>, verb: &str, what: &str) -> Result<Value> {
    let (resource, name) = what.split_once('/').unwrap_or((what, ""));
    let kind = resource_for(cx, resource)?;
    let (group, plural) = match &kind {
        Some(kind) => (kind.group.to_string(), kind.plural.to_string()),
        None => (String::new(), resource.to_owned()),
    };
    let all_namespaces = cx.flags().is("all-namespaces");
    if !all_namespaces {
        if kind.is_some_and(|kind| !kind.namespaced) {
            let of = if group.is_empty() { String::new() } else { format!(" in group '{group}'") };
            warn(cx, &format!("resource '{plural}' is not namespace scoped{of}"));
        }
        if !RESOURCE_VERBS.contains(&verb) {
            warn(cx, &format!("verb '{verb}' is not a known verb"));
        }
    }
    let namespace = if all_namespaces { String::new() } else { cx.namespace()?.0 };
    let mut attributes = json!({"verb": verb, "resource": plural});
    let subresource = cx.flags().text("subresource");
    let more = [
        ("namespace", namespace.as_str()),
        ("group", &group),
        ("subresource", subresource),
        ("name", name),
    ];
    for (field, value) in more.into_iter().filter(|(_, value)| !value.is_empty()) {
        attributes[field] = Value::from(value);
    }
    Ok(json!({ "resourceAttributes": attributes }))
}

/// The kind that is meant; none for all kinds, and for what is not served.
fn resource_for(cx: &mut Context<'_>, argument: &str) -> Result<Option<KindRef>> {
    if argument == "*" {
        return Ok(None);
    }
    if let Ok(kind) = kind_for(&cx.kinds()?, argument) {
        return Ok(Some(kind));
    }
    let lower = argument.to_lowercase();
    match lower.split_once('.') {
        // What only the verb impersonate knows.
        None if matches!(lower.as_str(), "users" | "groups") => {}
        None => warn(cx, &format!("the server doesn't have a resource type '{lower}'")),
        Some((resource, group)) => {
            let text =
                format!("the server doesn't have a resource type '{resource}' in group '{group}'");
            warn(cx, &text);
        }
    }
    Ok(None)
}

/// Upstream's texts end with a line feed of their own.
fn warn(cx: &mut Context<'_>, text: &str) {
    cx.err_line(&format!("Warning: {text}\n"));
}

fn list(cx: &mut Context<'_>) -> Outcome {
    if !cx.args().is_empty() {
        return Err(Failure::message("list option must be specified with no arguments"));
    }
    let flags = cx.flags();
    if flags.is("quiet") || flags.is("all-namespaces") || !flags.text("subresource").is_empty() {
        return Err(Failure::message(
            "list option can't be specified with neither quiet, all-namespaces nor subresource \
             options",
        ));
    }
    let namespace = cx.namespace()?.0;
    let review = ask(cx, "SelfSubjectRulesReview", json!({ "namespace": namespace }))?;
    let status = &review["status"];
    if status["incomplete"] == true {
        let why = status["evaluationError"].as_str().unwrap_or_default();
        cx.err_line(&format!("Warning: the list may be incomplete: {why}"));
    }
    let rules = ["resourceRules", "nonResourceRules"];
    let rules = rules.iter().flat_map(|field| status[field].as_array().into_iter().flatten());
    let mut writer = TabWriter::table();
    if !flags.is("no-headers") {
        writer.line(policyrules::HEADERS);
    }
    for row in policyrules::rows(rules) {
        writer.line(&row);
    }
    cx.out(&writer.flush());
    done()
}

fn whoami(cx: &mut Context<'_>) -> Outcome {
    let format = Format::parse(cx, &[])?;
    let review = match ask(cx, "SelfSubjectReview", Value::Null) {
        Err(Failure::Api(error)) if error.reason() == "Forbidden" => {
            return Err(Failure::message(
                "the selfsubjectreviews API is not enabled in the cluster or you do not have \
                 permission to call it",
            ));
        }
        review => review?,
    };
    let text = match format {
        Some(format) => Printer::new(format, cx.flags()).print(None, review)?,
        None => attributes(&review["status"]["userInfo"]),
    };
    cx.out(&text);
    done()
}

/// The table of a user.
fn attributes(user: &Value) -> String {
    let mut writer = TabWriter::table();
    writer.line("ATTRIBUTE\tVALUE");
    for (title, field) in [("Username", "username"), ("UID", "uid")] {
        if let Some(text) = user[field].as_str().filter(|text| !text.is_empty()) {
            writer.line(&format!("{title}\t{text}"));
        }
    }
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let groups = texts(&user["groups"]);
    if !groups.is_empty() {
        writer.line(&format!("Groups\t{}", go_list(&groups)));
    }
    for (key, values) in user["extra"].as_object().into_iter().flatten() {
        writer.line(&format!("Extra: {key}\t{}", go_list(&texts(values))));
    }
    writer.flush()
}

/// Sends a review and gives it back as it was answered.
fn ask(cx: &mut Context<'_>, kind: &str, spec: Value) -> Result<Value> {
    let kinds = cx.kinds()?;
    let kind = kind_for(&kinds, kind)?;
    let mut body = json!({"apiVersion": kind.api_version(), "kind": &*kind.kind});
    if !spec.is_null() {
        body["spec"] = spec;
    }
    let answer = cx.create(&kind, "", body, DryRun::None)?;
    answer.to_json().map_err(|why| Failure::Message(why.to_string()))
}
