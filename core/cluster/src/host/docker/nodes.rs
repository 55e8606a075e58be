//! The nodes of a cluster as containers: power, the network, and commands on them.

//!
//! Upstream: `docker/cli`, whose words these are.

use super::super::{err, table};
use super::needs;
use crate::{Cluster, Fault, FaultError};
use naru_shell::Answer;
use naru_sim::Time;

/// The rows of `docker ps` for the nodes, the newest first.
pub fn rows(cluster: &Cluster, all: bool) -> Vec<[String; 7]> {
    let since = table::human(cluster.now().since(Time::ZERO));
    let mut rows = Vec::new();
    for node in cluster.nodes.iter().rev() {
        let on = cluster.node_is_on(node.name());
        if !on && !all {
            continue;
        }
        let id: String = crate::hex_of(node.name()).chars().take(12).collect();
        let serves = on && node.config().control_plane;
        rows.push([
            id,
            format!("kindest/node:{}", node.config().software.kubelet),
            "\"/usr/local/bin/entr…\"".to_owned(),
            format!("{since} ago"),
            if on { format!("Up {since}") } else { "Exited (137)".to_owned() },
            if serves { "127.0.0.1:37541->6443/tcp" } else { "" }.to_owned(),
            node.name().to_owned(),
        ]);
    }
    rows
}

/// `docker exec`: a command on a node.
pub fn exec(cluster: &Cluster, terminal: bool, node: &str, command: &[String]) -> Answer {
    if !cluster.node_is_on(node) {
        let id = crate::hex_of(node);
        return err(format!("Error response from daemon: container {id} is not running\n"));
    }
    let mut argv = vec!["ssh".to_owned()];
    if terminal {
        argv.push("-t".to_owned());
    }
    argv.push(node.to_owned());
    argv.extend(command.iter().map(|word| quoted(word)));
    Answer { exec: Some(argv), ..Answer::default() }
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Switches a node off or on. The error is the daemon's.
pub fn switch(cluster: &mut Cluster, verb: &str, node: &str) -> Result<(), String> {
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

/// `docker network`: the cable of a node.
pub fn network(cluster: &mut Cluster, args: &[String]) -> Answer {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        [verb @ ("connect" | "disconnect"), network, node] => plug(cluster, verb, network, node),
        ["ls" | "list", ..] => list(cluster),
        _ => needs("network", "1 argument", "COMMAND"),
    }
}

fn list(cluster: &Cluster) -> Answer {
    let mut rows = vec![["NETWORK ID", "NAME", "DRIVER", "SCOPE"].map(str::to_owned)];
    let own = cluster.profile().name.clone();
    for (name, driver) in
        [("bridge", "bridge"), ("host", "host"), (own.as_str(), "bridge"), ("none", "null")]
    {
        let id: String = crate::hex_of(&format!("network {name}")).chars().take(12).collect();
        rows.push([id, name.to_owned(), driver.to_owned(), "local".to_owned()]);
    }
    super::super::out(super::tabled(&rows))
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
