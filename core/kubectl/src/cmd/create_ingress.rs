//! `kubectl create ingress`.

use super::common;
use super::create::{SUBCOMMAND_FLAGS, create_described, name_argument};
use crate::command::Command;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::process::Outcome;
use serde_json::{Map, Value, json};

/// `kubectl create ingress`
pub static COMMAND: Command = Command {
    usage: "ingress NAME --rule=host/path=service:port[,tls[=secret]] ",
    aliases: &["ing"],
    short: "Create an ingress with the specified name",
    examples: "# Everything below a path, of one host, to one service\n\
               kubectl create ingress shop --class=nginx --rule=\"shop.example/cart*=cart:80\"",
    flags: &[
        common::PRINT,
        common::DRY_RUN,
        common::VALIDATE,
        common::SAVE_CONFIG,
        SUBCOMMAND_FLAGS,
        &[
            Flag::text("class", "", "The ingress class."),
            Flag::array(
                "rule",
                "host/path=service:port[,tls[=secret]]; a path that ends in * is a prefix.",
            ),
            Flag::text("default-backend", "", "Where everything else goes, as service:port."),
            Flag::array("annotation", "An annotation, as name=value."),
        ],
    ],
    run,
    ..Command::EMPTY
};

/// `--rule`, taken apart.
#[derive(Clone, Copy)]
struct Rule<'a> {
    host: &'a str,
    path: &'a str,
    service: &'a str,
    port: &'a str,
    /// The secret, or "", after `tls`.
    tls: Option<&'a str>,
}

fn run(cx: &mut Context<'_>) -> Outcome {
    let name = name_argument(cx)?;
    let flags = cx.flags();
    let (rules, backend) = (flags.list("rule"), flags.text("default-backend"));
    if rules.is_empty() && backend.is_empty() {
        return Err(Failure::message(
            "not enough information provided: every ingress has to either specify a \
             default-backend (which catches all traffic) or a list of rules (which catch \
             specific paths)",
        ));
    }
    let rules: Vec<Rule<'_>> = rules.iter().map(|rule| parse(rule)).collect::<Result<Vec<_>>>()?;
    let annotations = annotations(flags.list("annotation"))?;
    let mut spec = json!({});
    if !flags.text("class").is_empty() {
        spec["ingressClassName"] = Value::from(flags.text("class"));
    }
    if !backend.is_empty() {
        let parts: Vec<&str> = backend.split(':').collect();
        let [service, port] = parts.as_slice() else {
            return Err(Failure::message(
                "default-backend should be in format servicename:serviceport",
            ));
        };
        spec["defaultBackend"] = json!({"service": service_backend(service, port)});
    }
    let (tls, rules) = (tls(&rules), by_host(&rules));
    for (field, list) in [("tls", tls), ("rules", rules)] {
        if !list.is_empty() {
            spec[field] = Value::Array(list);
        }
    }
    let mut ingress = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"creationTimestamp": null, "name": name},
        "spec": spec,
        "status": {"loadBalancer": {}},
    });
    if !annotations.is_empty() {
        ingress["metadata"]["annotations"] = Value::Object(annotations);
    }
    create_described(cx, "ingresses.networking.k8s.io", ingress, "failed to create ingress:")
}

/// Upstream's `ruleRegex`: host, path, service and port, then perhaps `,tls` with a secret.
fn parse(text: &str) -> Result<Rule<'_>> {
    let wrong = || {
        Failure::Message(format!(
            "rule {text} is invalid and should be in format \
             host/path=svcname:svcport[,tls[=secret]]"
        ))
    };
    let (route, tls) = match text.split_once(',') {
        None => (text, None),
        Some((route, "tls")) => (route, Some("")),
        Some((route, tls)) => (route, Some(tls.strip_prefix("tls=").ok_or_else(wrong)?)),
    };
    let (place, target) = route.split_once('=').ok_or_else(wrong)?;
    let (host, path) = place.split_once('/').ok_or_else(wrong)?;
    let (service, port) = target.split_once(':').ok_or_else(wrong)?;
    let is_name = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b".*_-".contains(&byte);
    let is_path = path.bytes().all(|byte| known(byte) || b"/".contains(&byte));
    if !host.bytes().all(known) || !is_path || !is_name(service) || !is_name(port) {
        return Err(wrong());
    }
    Ok(Rule { host, path, service, port, tls })
}

fn annotations(given: &[String]) -> Result<Map<String, Value>> {
    let mut annotations = Map::new();
    for annotation in given {
        let (name, value) = annotation.split_once('=').ok_or_else(|| {
            Failure::Message(format!(
                "annotation {annotation} is invalid and should be in format key=[value]"
            ))
        })?;
        annotations.insert(name.to_owned(), Value::from(value));
    }
    Ok(annotations)
}

fn service_backend(service: &str, port: &str) -> Value {
    let port = match port.parse::<i32>() {
        Ok(number) => json!({ "number": number }),
        Err(_) => json!({ "name": port }),
    };
    json!({"name": service, "port": port})
}

/// The rules, those of one host together.
fn by_host(rules: &[Rule<'_>]) -> Vec<Value> {
    let mut hosts: Vec<(&str, Vec<Value>)> = Vec::new();
    for rule in rules {
        let (path, kind) = match rule.path.strip_suffix('*') {
            Some(path) => (path, "Prefix"),
            None => (rule.path, "Exact"),
        };
        let path = json!({
            "backend": {"service": service_backend(rule.service, rule.port)},
            "path": format!("/{path}"),
            "pathType": kind,
        });
        match hosts.iter_mut().find(|(host, _)| *host == rule.host) {
            Some((_, paths)) => paths.push(path),
            None => hosts.push((rule.host, vec![path])),
        }
    }
    let rule = |(host, paths): (&str, Vec<Value>)| match host {
        "" => json!({"http": {"paths": paths}}),
        host => json!({"host": host, "http": {"paths": paths}}),
    };
    hosts.into_iter().map(rule).collect()
}

/// Each host once, those of one secret together.
fn tls(rules: &[Rule<'_>]) -> Vec<Value> {
    let mut secrets: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for rule in rules {
        let Some(secret) = rule.tls.filter(|_| !seen.contains(&rule.host)) else { continue };
        seen.push(rule.host);
        match secrets.iter_mut().find(|(known, _)| *known == secret) {
            Some((_, hosts)) => hosts.push(rule.host),
            None if rule.host.is_empty() && secret.is_empty() => {}
            None if rule.host.is_empty() => secrets.push((secret, Vec::new())),
            None => secrets.push((secret, vec![rule.host])),
        }
    }
    let entry = |(secret, hosts): (&str, Vec<&str>)| {
        let mut entry = json!({});
        if !hosts.is_empty() {
            entry["hosts"] = json!(hosts);
        }
        if !secret.is_empty() {
            entry["secretName"] = Value::from(secret);
        }
        entry
    };
    secrets.into_iter().map(entry).collect()
}
