//! `docker`, as far as the nodes of a cluster are its containers: power, and the network.
//!
//! Upstream: `docker/cli`, whose words these are.

use super::{err, out};
use crate::{Cluster, Fault, FaultError};
use naru_shell::Answer;

const USAGE: &str =
    "Usage:  docker [OPTIONS] COMMAND\n\nRun 'docker --help' for more information\n";

/// Does a command line.
pub fn run(cluster: &mut Cluster, args: &[String]) -> Answer {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        [verb @ ("stop" | "start" | "kill" | "restart"), nodes @ ..]
        | ["container", verb @ ("stop" | "start" | "kill" | "restart"), nodes @ ..] => {
            power(cluster, verb, nodes)
        }
        ["network", verb @ ("connect" | "disconnect"), network, node] => {
            plug(cluster, verb, network, node)
        }
        [] | ["help" | "--help"] => out(USAGE.to_owned()),
        [verb, ..] => err(format!(
            "docker: unknown command: docker {verb}\n\nRun 'docker --help' for more information\n"
        )),
    }
}

/// Each node that can be switched is named; the others are told of.
fn power(cluster: &mut Cluster, verb: &str, nodes: &[&str]) -> Answer {
    if nodes.is_empty() {
        return err(format!(
            "docker: 'docker {verb}' requires at least 1 argument\n\n\
             Usage:  docker {verb} [OPTIONS] CONTAINER [CONTAINER...]\n\n\
             See 'docker {verb} --help' for more information\n"
        ));
    }
    let mut answer = Answer::default();
    for node in nodes.iter().filter(|node| !node.starts_with('-')) {
        match switch(cluster, verb, node) {
            Ok(()) => answer.stdout.push_str(&format!("{node}\n")),
            Err(why) => {
                answer.stderr.push_str(&format!("Error response from daemon: {why}\n"));
                answer.code = 1;
            }
        }
    }
    answer
}

fn switch(cluster: &mut Cluster, verb: &str, node: &str) -> Result<(), String> {
    if verb == "kill" && !cluster.node_is_on(node) && cluster.node_index(node).is_ok() {
        return Err(format!("cannot kill container: {node}: container {node} is not running"));
    }
    let stop = Fault::StopNode(node.to_owned());
    let start = Fault::StartNode(node.to_owned());
    let faults = match verb {
        "start" => vec![start],
        "restart" => vec![stop, start],
        _ => vec![stop],
    };
    faults.iter().try_for_each(|fault| cluster.inject(fault)).map_err(|error| match error {
        FaultError::NoNode(node) => format!("No such container: {node}"),
        other => other.to_string(),
    })
}

fn plug(cluster: &mut Cluster, verb: &str, network: &str, node: &str) -> Answer {
    if network != cluster.profile().name {
        return err(format!("Error response from daemon: network {network} not found\n"));
    }
    let fault = match verb {
        "connect" => Fault::Mend(node.to_owned(), None),
        _ => Fault::Cut(node.to_owned(), None),
    };
    match cluster.inject(&fault) {
        Ok(()) => Answer::default(),
        Err(FaultError::NoNode(node)) => {
            err(format!("Error response from daemon: No such container: {node}\n"))
        }
        Err(other) => err(format!("Error response from daemon: {other}\n")),
    }
}
