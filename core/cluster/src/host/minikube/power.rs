//! `minikube start`, `stop`, `status`, `delete` and `node add`.
//!
//! Upstream: `cmd/minikube/cmd/start.go`, `stop.go`, `status.go`, `delete.go`, `node_add.go`.

use super::super::{Ask, out};
use super::{KUBERNETES, VERSION, own_name};
use crate::{Cluster, Fault, NodeProfile};
use naru_shell::{Answer, Next};
use std::net::Ipv4Addr;
use std::time::Duration;

/// How long a start may take.
const START_SECONDS_MAX: u64 = 240;

fn machine(cluster: &Cluster) -> String {
    cluster.nodes.first().map_or_else(String::new, |node| node.name().to_owned())
}

fn later(stdout: String, seconds: u64, state: &str) -> Answer {
    let after = Duration::from_secs(seconds);
    let next = Next { after, state: state.to_owned(), ..Next::default() };
    Answer { stdout, next: Some(next), ..Answer::default() }
}

/// Switches the machine on, and waits until Kubernetes answers.
pub fn start(cluster: &mut Cluster, ask: &Ask<'_>) -> Answer {
    let name = machine(cluster);
    let own = own_name(cluster).to_owned();
    match ask.state.strip_prefix("waited ") {
        Some(waited) => {
            let waited: u64 = waited.parse().unwrap_or(START_SECONDS_MAX);
            let up = cluster.api_server_is_up() && is_ready(cluster, &name);
            if up || waited >= START_SECONDS_MAX {
                return out(format!(
                    "    ▪ Using image gcr.io/k8s-minikube/storage-provisioner:v5\n\
                     🌟  Enabled addons: storage-provisioner, default-storageclass\n\
                     🏄  Done! kubectl is now configured to use \"{own}\" cluster and \"default\" \
                     namespace by default\n"
                ));
            }
            later(String::new(), 2, &format!("waited {}", waited + 2))
        }
        None if ask.state == "prepare" => {
            let text = format!(
                "🐳  Preparing Kubernetes {KUBERNETES} on containerd 1.7.27 ...\n\
                 🔎  Verifying Kubernetes components...\n"
            );
            later(text, 2, "waited 2")
        }
        None => {
            let was_on = cluster.node_is_on(&name);
            let what = if was_on {
                format!("🏃  Updating the running docker \"{name}\" container ...\n")
            } else {
                format!("🔄  Restarting existing docker container for \"{name}\" ...\n")
            };
            // A machine that is on already stays so.
            let _ = cluster.inject(&Fault::StartNode(name.clone()));
            let text = format!(
                "😄  minikube {VERSION} on Ubuntu 24.04\n\
                 ✨  Using the docker driver based on existing profile\n\
                 👍  Starting \"{name}\" primary control-plane node in \"{own}\" cluster\n\
                 🚜  Pulling base image v0.0.47 ...\n{what}"
            );
            later(text, 3, "prepare")
        }
    }
}

fn is_ready(cluster: &mut Cluster, name: &str) -> bool {
    let node = cluster.object("v1", "Node", "", name);
    node.is_some_and(|node| crate::boot::node_is_ready(&node))
}

/// Switches every machine off.
pub fn stop(cluster: &mut Cluster, ask: &Ask<'_>) -> Answer {
    let names: Vec<String> = cluster.nodes.iter().map(|node| node.name().to_owned()).collect();
    if ask.state.is_empty() {
        let text = names
            .iter()
            .rev()
            .map(|name| {
                format!(
                    "✋  Stopping node \"{name}\"  ...\n🛑  Powering off \"{name}\" via SSH ...\n"
                )
            })
            .collect();
        return later(text, 2, "stop");
    }
    for name in &names {
        // A machine that is off already stays so.
        let _ = cluster.inject(&Fault::StopNode(name.clone()));
    }
    let count = names.len();
    out(format!("🛑  {count} node{} stopped.\n", if count == 1 { "" } else { "s" }))
}

/// `minikube status`. The exit code tells by its bits what does not run.
pub fn status(cluster: &Cluster) -> Answer {
    let mut answer = Answer::default();
    for (index, node) in cluster.nodes.iter().enumerate() {
        let on = cluster.node_is_on(node.name());
        let state = |runs: bool| if runs { "Running" } else { "Stopped" };
        let kubelet = on && node.runs();
        let kind = if node.config().control_plane { "Control Plane" } else { "Worker" };
        answer.stdout += &format!(
            "{}\ntype: {kind}\nhost: {}\nkubelet: {}\n",
            node.name(),
            state(on),
            state(kubelet)
        );
        if node.config().control_plane {
            let api = on && cluster.api_server_is_up();
            answer.stdout += &format!("apiserver: {}\nkubeconfig: Configured\n", state(api));
            let code = i32::from(!on) | i32::from(!kubelet || !api) << 1 | i32::from(!api) << 2;
            answer.code = answer.code.max(if index == 0 { code } else { 0 });
        }
        answer.stdout.push('\n');
    }
    answer
}

/// The sandbox keeps the machine: what is deleted is only switched off.
pub fn delete(cluster: &mut Cluster, ask: &Ask<'_>) -> Answer {
    let (name, own) = (machine(cluster), own_name(cluster).to_owned());
    if ask.state.is_empty() {
        let text = format!(
            "🔥  Deleting \"{name}\" in docker ...\n🔥  Deleting container \"{name}\" ...\n\
             🔥  Removing /home/learner/.minikube/machines/{name} ...\n"
        );
        return later(text, 2, "delete");
    }
    for name in cluster.nodes.iter().map(|node| node.name().to_owned()).collect::<Vec<_>>() {
        let _ = cluster.inject(&Fault::StopNode(name));
    }
    out(format!("💀  Removed all traces of the \"{own}\" cluster.\n"))
}

/// `minikube node add`: one more machine.
pub fn add_node(cluster: &mut Cluster, ask: &Ask<'_>) -> Answer {
    let count = cluster.nodes.len() + 1;
    let own = own_name(cluster).to_owned();
    let name = match ask.state {
        "" => format!("{own}-m{count:02}"),
        name => name.to_owned(),
    };
    if ask.state.is_empty() {
        let text = format!(
            "😄  Adding node m{count:02} to cluster {own} as [worker]\n\
             👍  Starting \"{name}\" worker node in \"{own}\" cluster\n\
             🚜  Pulling base image v0.0.47 ...\n\
             🔥  Creating docker container (CPUs=2, Memory=2200MB) ...\n\
             🐳  Preparing Kubernetes {KUBERNETES} on containerd 1.7.27 ...\n\
             🔎  Verifying Kubernetes components...\n"
        );
        let last = u8::try_from(count).ok().and_then(|count| count.checked_add(1));
        let host = cluster.profile.host.octets();
        let Some(last) = last.filter(|_| count <= 100) else {
            return super::exit("GUEST_NODE_ADD", "too many nodes", 80);
        };
        let machine = NodeProfile {
            name: name.clone(),
            ip: Ipv4Addr::new(host[0], host[1], host[2], last),
            external_ip: None,
            control_plane: false,
            tainted: false,
            pod_cidr: Some(pod_range(cluster, count)),
            provider_id: String::new(),
            labels: Default::default(),
        };
        if let Err(why) = cluster.add_node(machine) {
            return super::exit("GUEST_NODE_ADD", &format!("failed to add node: {why}"), 80);
        }
        return later(text, 2, &name);
    }
    if !is_ready(cluster, &name) {
        return later(String::new(), 2, &name);
    }
    let short = name.rsplit('-').next().unwrap_or_default();
    out(format!("🏄  Successfully added {short} to {own}!\n"))
}

fn pod_range(cluster: &Cluster, count: usize) -> ipnet::Ipv4Net {
    let mut parts = cluster.profile.pod_cidr.subnets(24).into_iter().flatten();
    parts.nth(count - 1).unwrap_or(cluster.profile.pod_cidr)
}
