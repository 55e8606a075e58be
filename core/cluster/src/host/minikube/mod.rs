//! `minikube`, for the cluster that it has started.
//!
//! Upstream: `kubernetes/minikube`, `cmd/minikube/cmd`, `pkg/minikube`.

mod addons;
mod power;
mod service;
mod tunnel;

use super::{Ask, err, out, table};
use crate::Cluster;
use naru_shell::Answer;
use naru_tools::flags::{Flags, Known};

const VERSION: &str = "v1.36.0";
const KUBERNETES: &str = "v1.33.1";

/// Flags that every command has, and those of the commands here.
const FLAGS: [Known; 16] = [
    ("profile", "p", true),
    ("driver", "d", true),
    ("namespace", "n", true),
    ("url", "", false),
    ("all", "", false),
    ("nodes", "n", true),
    ("node", "n", true),
    ("memory", "", true),
    ("cpus", "", true),
    ("kubernetes-version", "", true),
    ("output", "o", true),
    ("cleanup", "c", false),
    ("https", "", false),
    ("wait", "", true),
    ("alsologtostderr", "", false),
    ("help", "h", false),
];

/// Does a command line.
pub fn run(cluster: &mut Cluster, ask: &Ask<'_>) -> Answer {
    let words: Vec<&str> = ask.args.iter().map(String::as_str).collect();
    if let [verb @ ("kubectl" | "ssh"), rest @ ..] = words.as_slice() {
        return hand_on(cluster, verb, rest);
    }
    let flags = match Flags::parse(ask.args, &FLAGS) {
        Ok(flags) => flags,
        Err(why) => {
            let help = "See 'minikube --help' for usage.";
            return err(format!("Error: {why}\n{help}\n"));
        }
    };
    if let Some(profile) = flags.value("profile").filter(|name| *name != own_name(cluster)) {
        return no_profile(profile);
    }
    let words: Vec<&str> = flags.words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["start"] => power::start(cluster, ask),
        ["stop"] => power::stop(cluster, ask),
        ["status"] => power::status(cluster),
        ["delete"] => power::delete(cluster, ask),
        ["node", "add", ..] => power::add_node(cluster, ask),
        ["node", "list"] => out(nodes(cluster)),
        ["ip"] => ip(cluster),
        ["profile"] => out(format!("{}\n", own_name(cluster))),
        ["profile", "list"] => profiles(cluster),
        ["service", "list"] => service::list(cluster),
        ["service", name] => service::open(cluster, name, &flags),
        ["service"] => exit("MK_USAGE", "You must specify a service name", 64),
        ["tunnel"] => tunnel::run(cluster, ask),
        ["addons", "list"] => addons::list(cluster),
        ["addons", "enable", name] => addons::enable(cluster, name, ask),
        ["addons", "disable", name] => addons::disable(cluster, name),
        ["version"] => out(format!(
            "minikube version: {VERSION}\ncommit: f8f52f5de11fc6ad8244afac475e1d0f96841df1\n"
        )),
        [] | ["help"] => out(USAGE.to_owned()),
        [verb, ..] => err(format!(
            "Error: unknown command {verb:?} for \"minikube\"\nRun 'minikube --help' for usage.\n"
        )),
    }
}

const USAGE: &str = "\
minikube provisions and manages local Kubernetes clusters optimized for development workflows.

Basic Commands:
  start            Starts a local Kubernetes cluster
  status           Gets the status of a local Kubernetes cluster
  stop             Stops a running local Kubernetes cluster
  delete           Deletes a local Kubernetes cluster

Configuration and Management Commands:
  addons           Enable or disable a minikube addon
  profile          Get or list the current profiles (clusters)

Networking and Connectivity Commands:
  service          Returns a URL to connect to a service
  tunnel           Connect to LoadBalancer services

Advanced Commands:
  kubectl          Run a kubectl binary matching the cluster version
  node             Add, remove, or list additional nodes

Troubleshooting Commands:
  ssh              Log into the minikube environment (for debugging)
  ip               Retrieves the IP address of the specified node
  version          Print the version of minikube

Use \"minikube <command> --help\" for more information about a given command.
";

fn own_name(cluster: &Cluster) -> &str {
    &cluster.profile.context
}

/// Another program does it: kubectl, or a shell on the machine.
fn hand_on(cluster: &Cluster, verb: &str, rest: &[&str]) -> Answer {
    let rest = rest.strip_prefix(&["--"]).unwrap_or(rest);
    let mut argv = match verb {
        "kubectl" => vec!["kubectl".to_owned()],
        _ => {
            let name = cluster.nodes.first().map_or("", |node| node.name());
            if !cluster.node_is_on(name) {
                return exit(
                    "GUEST_STATUS",
                    "host is not running: use `minikube start` to start it",
                    80,
                );
            }
            vec!["ssh".to_owned(), name.to_owned()]
        }
    };
    argv.extend(rest.iter().map(|word| (*word).to_owned()));
    Answer { exec: Some(argv), ..Answer::default() }
}

/// What ends minikube. Upstream: `pkg/minikube/reason`.
fn exit(id: &str, why: &str, code: i32) -> Answer {
    Answer { stderr: format!("\n❌  Exiting due to {id}: {why}\n\n"), code, ..Answer::default() }
}

fn no_profile(name: &str) -> Answer {
    let stdout = format!(
        "🤷  Profile \"{name}\" not found. Run \"minikube profile list\" to view all profiles.\n\
         👉  To start a cluster, run: \"minikube start -p {name}\"\n"
    );
    Answer { stdout, code: 85, ..Answer::default() }
}

/// What every command but `start` says of a machine that is off.
fn not_running(cluster: &Cluster) -> Option<Answer> {
    let name = cluster.nodes.first().map_or("", |node| node.name());
    if cluster.node_is_on(name) {
        return None;
    }
    let own = own_name(cluster);
    let stdout = format!(
        "🤷  The control-plane node {name} host is not running: state=Stopped\n\
         👉  To start a cluster, run: \"minikube start{}\"\n",
        if own == "minikube" { String::new() } else { format!(" -p {own}") }
    );
    Some(Answer { stdout, code: 83, ..Answer::default() })
}

fn ip(cluster: &Cluster) -> Answer {
    if let Some(answer) = not_running(cluster) {
        return answer;
    }
    let ip = cluster.nodes.first().map(|node| node.config().internal_ip.to_string());
    out(format!("{}\n", ip.unwrap_or_default()))
}

fn nodes(cluster: &Cluster) -> String {
    let line = |node: &naru_node::Node| format!("{}\t{}\n", node.name(), node.config().internal_ip);
    cluster.nodes.iter().map(line).collect()
}

fn profiles(cluster: &Cluster) -> Answer {
    let first = cluster.nodes.first();
    let name = first.map_or("", |node| node.name());
    let status = if cluster.node_is_on(name) { "OK" } else { "Stopped" };
    let ip = first.map(|node| node.config().internal_ip.to_string()).unwrap_or_default();
    let row = [
        own_name(cluster),
        "docker",
        "containerd",
        &ip,
        KUBERNETES,
        status,
        &cluster.nodes.len().to_string(),
        "*",
        "*",
    ]
    .map(str::to_owned);
    let header = [
        "PROFILE",
        "DRIVER",
        "RUNTIME",
        "IP",
        "VERSION",
        "STATUS",
        "NODES",
        "ACTIVE PROFILE",
        "ACTIVE KUBECONTEXT",
    ];
    out(table::boxed(header, &[row], &[]))
}
