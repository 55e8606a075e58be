//! `kubectl create service`.

use super::common;
use super::create::{SUBCOMMAND_FLAGS, create_described, name_argument};
use crate::command::Command;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::process::Outcome;
use naru_api::gofmt::quote;
use naru_api::names::{port_name, port_number};
use serde_json::{Value, json};

/// `kubectl create service`
pub static COMMAND: Command = Command {
    usage: "service [flags]",
    aliases: &["svc"],
    short: "Create a service using a specified subcommand",
    subcommands: &[&CLUSTER_IP, &EXTERNAL_NAME, &LOAD_BALANCER, &NODE_PORT],
    ..Command::EMPTY
};

const TCP: Flag = Flag::slice("tcp", "Ports, as PORT:TARGETPORT.");

static CLUSTER_IP: Command = Command {
    usage: "clusterip NAME [--tcp=<port>:<targetPort>] [--dry-run=server|client|none]",
    short: "Create a ClusterIP service",
    examples: "# A service on port 80 of pods that serve 8080\n\
               kubectl create service clusterip web --tcp=80:8080",
    flags: &[
        common::PRINT,
        common::DRY_RUN,
        common::VALIDATE,
        common::SAVE_CONFIG,
        SUBCOMMAND_FLAGS,
        &[TCP, Flag::text("clusterip", "", "The address; None makes a headless service.")],
    ],
    run: |cx| create(cx, "ClusterIP"),
    ..Command::EMPTY
};

static NODE_PORT: Command = Command {
    usage: "nodeport NAME [--tcp=port:targetPort] [--dry-run=server|client|none]",
    short: "Create a NodePort service",
    flags: &[
        common::PRINT,
        common::DRY_RUN,
        common::VALIDATE,
        common::SAVE_CONFIG,
        SUBCOMMAND_FLAGS,
        &[TCP, Flag::int("node-port", "0", "The port on each node.")],
    ],
    run: |cx| create(cx, "NodePort"),
    ..Command::EMPTY
};

static LOAD_BALANCER: Command = Command {
    usage: "loadbalancer NAME [--tcp=port:targetPort] [--dry-run=server|client|none]",
    short: "Create a LoadBalancer service",
    flags: &[
        common::PRINT,
        common::DRY_RUN,
        common::VALIDATE,
        common::SAVE_CONFIG,
        SUBCOMMAND_FLAGS,
        &[TCP],
    ],
    run: |cx| create(cx, "LoadBalancer"),
    ..Command::EMPTY
};

static EXTERNAL_NAME: Command = Command {
    usage: "externalname NAME --external-name external.name [--dry-run=server|client|none]",
    short: "Create an ExternalName service",
    flags: &[
        common::PRINT,
        common::DRY_RUN,
        common::VALIDATE,
        common::SAVE_CONFIG,
        SUBCOMMAND_FLAGS,
        &[TCP, Flag::text("external-name", "", "The name outside that the service stands for.")],
    ],
    required: &["external-name"],
    run: |cx| create(cx, "ExternalName"),
    ..Command::EMPTY
};

fn create(cx: &mut Context<'_>, kind: &str) -> Outcome {
    let name = name_argument(cx)?;
    let flags = cx.flags();
    let address = flags.text("clusterip");
    if address == "None" && !flags.list("tcp").is_empty() {
        return Err(Failure::message("can not map ports with clusterip=None"));
    }
    if address != "None" && flags.list("tcp").is_empty() && kind != "ExternalName" {
        return Err(Failure::message("at least one tcp port specifier must be provided"));
    }
    let mut ports = Vec::new();
    for pair in flags.list("tcp") {
        let (port, target) = parse_ports(pair)?;
        let mut entry = json!({
            "name": pair.replace(':', "-"),
            "port": port,
            "protocol": "TCP",
            "targetPort": target,
        });
        if flags.int("node-port") != 0 {
            entry["nodePort"] = json!(flags.int("node-port"));
        }
        ports.push(entry);
    }
    let mut spec = json!({"selector": {"app": name}, "type": kind});
    for (field, value) in [("clusterIP", address), ("externalName", flags.text("external-name"))] {
        if !value.is_empty() {
            spec[field] = json!(value);
        }
    }
    if !ports.is_empty() {
        spec["ports"] = Value::from(ports);
    }
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"labels": {"app": name}, "name": name},
        "spec": spec,
    });
    create_described(cx, "services", service, &format!("failed to create {kind} service:"))
}

/// `80:8080`, `80:http` or `80`.
fn parse_ports(pair: &str) -> Result<(i64, Value)> {
    let mut parts = pair.split(':');
    let text = parts.next().unwrap_or_default();
    let port: u16 = text.parse().map_err(|_| {
        let why = if text.parse::<i64>().is_ok() { "value out of range" } else { "invalid syntax" };
        Failure::Message(format!("strconv.ParseUint: parsing {}: {why}", quote(text)))
    })?;
    let Some(target) = parts.next() else { return Ok((port.into(), json!(port))) };
    let (wrong, target) = match target.parse::<i32>() {
        Ok(number) => (port_number(number), json!(number)),
        Err(_) => (port_name(target), json!(target)),
    };
    if wrong.is_empty() {
        Ok((port.into(), target))
    } else {
        Err(Failure::Message(wrong.join(",")))
    }
}
