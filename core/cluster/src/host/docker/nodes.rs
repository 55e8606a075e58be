//! `docker`, as far as the nodes of a cluster are its containers: power, the network, and commands
//! on them.
//!
//! Upstream: `docker/cli`, whose words these are.

use super::{err, out, table};
use crate::{Cluster, Fault, FaultError};
use naru_shell::Answer;
use naru_sim::Time;

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
        ["ps", rest @ ..] | ["container", "ls" | "list" | "ps", rest @ ..] => {
            out(ps(cluster, rest))
        }
        ["exec", rest @ ..] | ["container", "exec", rest @ ..] => exec(cluster, rest),
        [] | ["help" | "--help"] => out(USAGE.to_owned()),
        [verb, ..] => err(format!(
            "docker: unknown command: docker {verb}\n\nRun 'docker --help' for more information\n"
        )),
    }
}

/// `docker ps`: the nodes.
fn ps(cluster: &Cluster, args: &[&str]) -> String {
    let all = args.iter().any(|arg| ["-a", "--all", "-aq"].contains(arg));
    let quiet = args.iter().any(|arg| ["-q", "--quiet", "-aq"].contains(arg));
    let header = ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"];
    let mut rows = vec![header.map(str::to_owned)];
    let since = table::human(cluster.now().since(Time::ZERO));
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
    if quiet {
        return rows.iter().skip(1).map(|[id, ..]| format!("{id}\n")).collect();
    }
    table::columns(&rows, 3)
}

/// `docker exec`: a command on a node.
fn exec(cluster: &Cluster, args: &[&str]) -> Answer {
    let mut rest = args;
    let mut terminal = false;
    while let [flag, others @ ..] = rest
        && flag.starts_with('-')
    {
        terminal |= flag.contains('t');
        rest = others;
    }
    let [node, command @ ..] = rest else {
        return err("docker: 'docker exec' requires at least 2 arguments\n\nUsage:  docker exec \
                    [OPTIONS] CONTAINER COMMAND [ARG...]\n\nSee 'docker exec --help' for more \
                    information\n"
            .to_owned());
    };
    if cluster.node_index(node).is_err() {
        return err(format!("Error response from daemon: No such container: {node}\n"));
    }
    if !cluster.node_is_on(node) {
        let id = crate::hex_of(node);
        return err(format!("Error response from daemon: container {id} is not running\n"));
    }
    let mut argv = vec!["ssh".to_owned()];
    if terminal {
        argv.push("-t".to_owned());
    }
    argv.push((*node).to_owned());
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
