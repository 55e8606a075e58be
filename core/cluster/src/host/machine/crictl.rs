//! `crictl`: the container runtime of the machine, seen without the kubelet.
//!
//! Upstream: `kubernetes-sigs/cri-tools`, `cmd/crictl`.

use super::super::table::human;
use super::super::{Ask, err, out};
use crate::Cluster;
use naru_node::Node;
use naru_node::runtime::{Container, ContainerState, SandboxId};
use naru_shell::Answer;
use naru_sim::Time;
use naru_tools::flags::{Flags, Known};
use serde_json::json;

const FLAGS: [Known; 13] = [
    ("all", "a", false),
    ("quiet", "q", false),
    ("name", "", true),
    ("namespace", "", true),
    ("pod", "p", true),
    ("label", "", true),
    ("tail", "", true),
    ("follow", "f", false),
    ("output", "o", true),
    ("no-trunc", "", false),
    ("runtime-endpoint", "r", true),
    ("digests", "", false),
    ("state", "s", true),
];
/// Hexadecimal digits that are shown of an id.
const SHORT: usize = 13;

const HELP: &str = "NAME:
   crictl - client for CRI

USAGE:
   crictl [global options] command [command options]

COMMANDS:
   images, image, img  List images
   inspect             Display the status of one or more containers
   inspectp            Display the status of one or more pods
   logs                Fetch the logs of a container
   pods                List pods
   ps                  List containers
   stopp               Stop one or more running pods
   info                Display information of the container runtime
   version             Display runtime version information
";

/// Does a command line.
pub fn run(cluster: &mut Cluster, machine: usize, ask: &Ask<'_>) -> Answer {
    let flags = match Flags::parse(ask.args, &FLAGS) {
        Ok(flags) => flags,
        Err(why) => return err(format!("FATA[0000] {why}\n")),
    };
    let words: Vec<&str> = flags.words.iter().map(String::as_str).collect();
    if let ["stopp", ids @ ..] = words.as_slice() {
        return stop_pods(cluster, machine, ids);
    }
    let Some(node) = cluster.nodes.get(machine) else { return Answer::default() };
    match words.as_slice() {
        ["ps"] => out(ps(node, &flags, cluster.now())),
        ["pods"] => out(pods(node, &flags, cluster.now())),
        ["images" | "image" | "img"] => out(images(node)),
        ["logs", id] => logs(node, id, &flags),
        ["inspect", id] => inspect(node, id),
        ["inspectp", id] => inspect_pod(node, id),
        ["version"] => out("Version:  0.1.0\nRuntimeName:  containerd\nRuntimeVersion:  v2.1.1\n\
                            RuntimeApiVersion:  v1\n"
            .to_owned()),
        ["info"] => out(info(node)),
        [] => out(HELP.to_owned()),
        [verb, ..] => err(format!("No help topic for '{verb}'\n")),
    }
}

/// Columns at least twenty wide, with three blanks between.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count() + 3).max().unwrap_or(0).max(20)
    };
    let line = |row: &[String; N]| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            if column + 1 == N { cell.clone() } else { format!("{cell:<0$}", width(column)) }
        });
        cells.collect::<String>() + "\n"
    };
    rows.iter().map(line).collect()
}

fn started(container: &Container) -> Time {
    match &container.state {
        ContainerState::Created => Time::ZERO,
        ContainerState::Running { started } => *started,
        ContainerState::Exited { started, finished, .. } => started.unwrap_or(*finished),
    }
}

fn state(container: &Container) -> &'static str {
    match container.state {
        ContainerState::Created => "Created",
        ContainerState::Running { .. } => "Running",
        ContainerState::Exited { .. } => "Exited",
    }
}

/// An id for a sandbox: the runtime has only a number for it.
fn pod_id(node: &Node, id: SandboxId) -> String {
    crate::hex_of(&format!("{}/{}", node.name(), id.0))
}

fn newest_first(node: &Node) -> Vec<&Container> {
    let mut containers: Vec<&Container> = node.runtime().containers().map(|(_, it)| it).collect();
    containers.sort_by_key(|container| std::cmp::Reverse(started(container)));
    containers
}

fn attempt(node: &Node, container: &Container) -> usize {
    let pod = |container: &Container| {
        let config = node.runtime().sandbox(container.sandbox).map(|sandbox| &sandbox.config);
        config.map(|config| (&config.namespace, &config.name))
    };
    let same = |other: &&Container| {
        pod(other) == pod(container)
            && other.config.name == container.config.name
            && started(other) < started(container)
    };
    node.runtime().containers().map(|(_, it)| it).filter(same).count()
}

fn ps(node: &Node, flags: &Flags, now: Time) -> String {
    let header =
        ["CONTAINER", "IMAGE", "CREATED", "STATE", "NAME", "ATTEMPT", "POD ID", "POD", "NAMESPACE"];
    let shown = |id: &str| if flags.is_on("quiet") { id.to_owned() } else { cut(id) };
    let mut rows = vec![header.map(str::to_owned)];
    for container in newest_first(node) {
        let wanted = flags.value("name").is_none_or(|name| container.config.name.contains(name));
        if !wanted || !(container.is_running() || flags.is_on("all")) {
            continue;
        }
        let sandbox = node.runtime().sandbox(container.sandbox);
        let (pod, namespace) = sandbox
            .map(|sandbox| (sandbox.config.name.clone(), sandbox.config.namespace.clone()))
            .unwrap_or_default();
        if flags.value("namespace").is_some_and(|wanted| !namespace.contains(wanted)) {
            continue;
        }
        rows.push([
            shown(&container.hex),
            cut(container.config.image.config_digest.trim_start_matches("sha256:")),
            format!("{} ago", human(now.since(started(container)))),
            state(container).to_owned(),
            container.config.name.clone(),
            attempt(node, container).to_string(),
            cut(&pod_id(node, container.sandbox)),
            pod,
            namespace,
        ]);
    }
    if flags.is_on("quiet") {
        return rows.iter().skip(1).map(|row| format!("{}\n", row[0])).collect();
    }
    table(&rows)
}

fn cut(id: &str) -> String {
    id.chars().take(SHORT).collect()
}

fn pods(node: &Node, flags: &Flags, now: Time) -> String {
    let header = ["POD ID", "CREATED", "STATE", "NAME", "NAMESPACE", "ATTEMPT", "RUNTIME"];
    let shown = |id: &str| if flags.is_on("quiet") { id.to_owned() } else { cut(id) };
    let mut rows = vec![header.map(str::to_owned)];
    let mut sandboxes: Vec<_> = node.runtime().sandboxes().collect();
    sandboxes.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
    for (id, sandbox) in sandboxes {
        let config = &sandbox.config;
        let fits = |flag: &str, own: &str| flags.value(flag).is_none_or(|text| own.contains(text));
        let state = if sandbox.ready { "Ready" } else { "NotReady" };
        let other = flags.value("state").is_some_and(|wanted| !wanted.eq_ignore_ascii_case(state));
        if other || !fits("name", &config.name) || !fits("namespace", &config.namespace) {
            continue;
        }
        rows.push([
            shown(&pod_id(node, id)),
            format!("{} ago", human(now.since(config.made))),
            state.to_owned(),
            config.name.clone(),
            config.namespace.clone(),
            config.attempt.to_string(),
            "(default)".to_owned(),
        ]);
    }
    if flags.is_on("quiet") {
        return rows.iter().skip(1).map(|row| format!("{}\n", row[0])).collect();
    }
    table(&rows)
}

fn images(node: &Node) -> String {
    let mut rows = vec![["IMAGE", "TAG", "IMAGE ID", "SIZE"].map(str::to_owned)];
    let mut lines = Vec::new();
    for (names, bytes) in node.runtime().images.list() {
        for name in names.iter().filter(|name| !name.contains('@')) {
            let (image, tag) = name.rsplit_once(':').unwrap_or((name, "<none>"));
            let id = cut(&crate::hex_of(name));
            lines.push([image.to_owned(), tag.to_owned(), id, size(bytes)]);
        }
    }
    lines.sort();
    rows.extend(lines);
    table(&rows)
}

/// Upstream: `units.HumanSizeWithPrecision(…, 3)`.
fn size(bytes: u64) -> String {
    let (value, unit) = match bytes {
        0..1_000 => (bytes as f64, "B"),
        1_000..1_000_000 => (bytes as f64 / 1e3, "kB"),
        1_000_000..1_000_000_000 => (bytes as f64 / 1e6, "MB"),
        _ => (bytes as f64 / 1e9, "GB"),
    };
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{value:.digits$}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

fn find<'a>(node: &'a Node, id: &str) -> Option<&'a Container> {
    let containers = node.runtime().containers().map(|(_, container)| container);
    containers
        .filter(|container| !id.is_empty() && container.hex.starts_with(id))
        .min_by_key(|c| &c.hex)
}

fn no_container(id: &str, what: &str) -> Answer {
    err(format!(
        "E1128 00:00:00.000000    1200 log.go:32] \"{what} from runtime service failed\" err=\"rpc \
         error: code = NotFound desc = an error occurred when try to find container \\\"{id}\\\": \
         not found\" containerID=\"{id}\"\nFATA[0000] rpc error: code = NotFound desc = an error \
         occurred when try to find container \"{id}\": not found\n"
    ))
}

fn logs(node: &Node, id: &str, flags: &Flags) -> Answer {
    let Some(container) = find(node, id) else { return no_container(id, "ContainerStatus") };
    let tail = flags.value("tail").and_then(|count| count.parse().ok());
    let from = tail.map_or(container.log.begin(), |count| container.log.tail(count));
    let lines = container.log.from(from);
    let said = lines.map(|line| (line.output, line.text.clone())).collect();
    Answer { said, ..Answer::default() }
}

fn inspect(node: &Node, id: &str) -> Answer {
    let Some(container) = find(node, id) else { return no_container(id, "ContainerStatus") };
    let sandbox = node.runtime().sandbox(container.sandbox);
    let (pod, namespace) = sandbox
        .map(|sandbox| (sandbox.config.name.clone(), sandbox.config.namespace.clone()))
        .unwrap_or_default();
    let time = |at: Time| naru_api::time::rfc3339(Some(&naru_api::time::meta_time(at)));
    let (finished, code, reason) = match &container.state {
        ContainerState::Exited { finished, code, reason, .. } => (time(*finished), *code, *reason),
        _ => ("0001-01-01T00:00:00Z".to_owned(), 0, ""),
    };
    let json = json!({
        "status": {
            "id": container.hex,
            "metadata": {"attempt": attempt(node, container), "name": container.config.name},
            "state": format!("CONTAINER_{}", state(container).to_uppercase()),
            "createdAt": time(started(container)),
            "startedAt": time(started(container)),
            "finishedAt": finished,
            "exitCode": code,
            "reason": reason,
            "image": {"image": container.config.image_name},
            "imageRef": container.config.image.config_digest,
            "labels": {
                "io.kubernetes.container.name": container.config.name,
                "io.kubernetes.pod.name": pod,
                "io.kubernetes.pod.namespace": namespace,
            },
        },
        "info": {
            "sandboxID": pod_id(node, container.sandbox),
            "config": {
                "command": container.config.argv,
                "image": {"image": container.config.image.config_digest},
            },
            "runtimeType": "io.containerd.runc.v2",
        },
    });
    out(format!("{}\n", serde_json::to_string_pretty(&json).unwrap_or_default()))
}

fn find_pod(node: &Node, id: &str) -> Option<SandboxId> {
    let mut ids = node.runtime().sandboxes().map(|(sandbox, _)| sandbox);
    ids.find(|sandbox| !id.is_empty() && pod_id(node, *sandbox).starts_with(id))
}

fn no_pod(id: &str, what: &str, doing: &str) -> Answer {
    let why = format!(
        "rpc error: code = NotFound desc = an error occurred when try to find sandbox \"{id}\": not \
         found"
    );
    err(format!(
        "E1128 00:00:00.000000    1200 log.go:32] \"{what} from runtime service failed\" err={why:?} \
         podSandboxID=\"{id}\"\nFATA[0000] {doing}{why}\n"
    ))
}

fn stop_pods(cluster: &mut Cluster, machine: usize, ids: &[&str]) -> Answer {
    let now = cluster.now();
    let mut answer = Answer::default();
    for id in ids {
        let Some(node) = cluster.nodes.get_mut(machine) else { break };
        let Some(sandbox) = find_pod(node, id) else {
            let doing = format!("stopping the pod sandbox \"{id}\": ");
            let failed = no_pod(id, "StopPodSandbox", &doing);
            return Answer { stdout: answer.stdout, ..failed };
        };
        node.stop_pod(&mut cluster.net, sandbox, now);
        answer.stdout.push_str(&format!("Stopped sandbox {id}\n"));
    }
    answer
}

fn inspect_pod(node: &Node, id: &str) -> Answer {
    let found = find_pod(node, id).and_then(|id| Some((id, node.runtime().sandbox(id)?)));
    let Some((id, sandbox)) = found else {
        return no_pod(id, "PodSandboxStatus", "getting the status of pod sandbox: ");
    };
    let config = &sandbox.config;
    let state = if sandbox.ready { "SANDBOX_READY" } else { "SANDBOX_NOTREADY" };
    let ip = if config.host_network { String::new() } else { sandbox.ip.to_string() };
    let made = naru_api::time::rfc3339(Some(&naru_api::time::meta_time(config.made)));
    let json = json!({
        "status": {
            "id": pod_id(node, id),
            "metadata": {
                "attempt": config.attempt, "name": config.name, "namespace": config.namespace,
            },
            "state": state,
            "createdAt": made,
            "network": {"additionalIps": [], "ip": ip},
            "labels": {
                "io.kubernetes.pod.name": config.name,
                "io.kubernetes.pod.namespace": config.namespace,
            },
            "annotations": {},
            "runtimeHandler": "",
        },
    });
    out(format!("{}\n", serde_json::to_string_pretty(&json).unwrap_or_default()))
}

fn info(node: &Node) -> String {
    let ready = node.runtime().network_ready();
    let (message, reason) = if ready {
        ("", "")
    } else {
        ("Network plugin returns error: cni plugin not initialized", "NetworkPluginNotReady")
    };
    let json = json!({"status": {"conditions": [
        {"message": "", "reason": "", "status": true, "type": "RuntimeReady"},
        {"message": message, "reason": reason, "status": ready, "type": "NetworkReady"},
    ]}});
    format!("{}\n", serde_json::to_string_pretty(&json).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        for (bytes, text) in
            [(512, "512B"), (740_000, "740kB"), (18_900_000, "18.9MB"), (58_000_000, "58MB")]
        {
            assert_eq!(size(bytes), text);
        }
    }
}
