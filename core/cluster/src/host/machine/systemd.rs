//! `systemctl` and `journalctl`, as far as the kubelet and the container runtime are concerned.
//!
//! Upstream: systemd; the kubelet's log is told from what it has written into the API's events.

use super::super::{Ask, err, out};
use crate::Cluster;
use k8s_openapi::api::core::v1::Event;
use naru_api::time::{from_meta, meta_time};
use naru_api::{Kube, duration};
use naru_node::Unmounting;
use naru_shell::Answer;
use naru_sim::Time;
use naru_tools::flags::{Flags, Known};

const FLAGS: [Known; 12] = [
    ("unit", "u", true),
    ("no-pager", "", false),
    ("lines", "n", true),
    ("follow", "f", false),
    ("now", "", false),
    ("catalog", "x", false),
    ("pager-end", "e", false),
    ("since", "S", true),
    ("quiet", "q", false),
    ("full", "l", false),
    ("xeu", "xeu", true),
    ("reverse", "r", false),
];

/// The services that a machine has.
const UNITS: [(&str, &str); 3] = [
    ("containerd", "containerd container runtime"),
    ("kubelet", "kubelet: The Kubernetes Node Agent"),
    ("ssh", "OpenBSD Secure Shell server"),
];

/// A kubelet as systemd sees it: whether it runs, whether it should, and since when.
fn kubelet(cluster: &Cluster, machine: usize) -> (bool, Time) {
    let runs = cluster.nodes.get(machine).is_some_and(|node| node.runs());
    let since = cluster.kubelets_since.get(&machine).copied().unwrap_or(Time::ZERO);
    (runs, since)
}

/// Does a command line of `systemctl`.
pub fn systemctl(cluster: &mut Cluster, machine: usize, ask: &Ask<'_>) -> Answer {
    let flags = match Flags::parse(ask.args, &FLAGS) {
        Ok(flags) => flags,
        Err(why) => return err(format!("systemctl: {why}\n")),
    };
    let words: Vec<&str> = flags.words.iter().map(String::as_str).collect();
    let unit = |name: &str| {
        let name = name.strip_suffix(".service").unwrap_or(name);
        UNITS.into_iter().find(|(own, _)| *own == name)
    };
    match words.as_slice() {
        ["daemon-reload" | "set-default", ..] => Answer::default(),
        [verb, name] => match unit(name) {
            None => {
                let name = name.strip_suffix(".service").unwrap_or(name);
                let code = if *verb == "status" { 4 } else { 5 };
                let stderr = match *verb {
                    "status" => format!("Unit {name}.service could not be found.\n"),
                    verb => {
                        format!("Failed to {verb} {name}.service: Unit {name}.service not found.\n")
                    }
                };
                Answer { stderr, code, ..Answer::default() }
            }
            Some(unit) => act(cluster, machine, verb, unit),
        },
        _ => err("systemctl: too few arguments\n".to_owned()),
    }
}

fn act(cluster: &mut Cluster, machine: usize, verb: &str, unit: (&str, &str)) -> Answer {
    let is_kubelet = unit.0 == "kubelet";
    match verb {
        "status" => status(cluster, machine, unit),
        "is-active" => {
            let active = !is_kubelet || kubelet(cluster, machine).0;
            let text = if active { "active\n" } else { "inactive\n" };
            Answer { code: if active { 0 } else { 3 }, ..out(text.to_owned()) }
        }
        "is-enabled" => out("enabled\n".to_owned()),
        "enable" | "disable" | "reload" => Answer::default(),
        "stop" | "start" | "restart" if !is_kubelet => Answer::default(),
        "stop" => {
            cluster.stop_kubelet(machine);
            Answer::default()
        }
        "start" => {
            cluster.start_kubelet(machine);
            Answer::default()
        }
        "restart" => {
            cluster.stop_kubelet(machine);
            cluster.start_kubelet(machine);
            Answer::default()
        }
        verb => err(format!("Unknown command verb '{verb}'.\n")),
    }
}

fn status(cluster: &Cluster, machine: usize, (name, what): (&str, &str)) -> Answer {
    let (runs, since) = match name {
        "kubelet" => kubelet(cluster, machine),
        _ => (true, Time::ZERO),
    };
    let joined = name != "kubelet" || cluster.is_joined(machine);
    let ago = duration::human(cluster.now().since(since));
    let at = meta_time(since).0.strftime("%a %Y-%m-%d %H:%M:%S UTC").to_string();
    let (dot, active, code) = match (runs, joined) {
        (true, _) => ("●", format!("active (running) since {at}; {ago} ago"), 0),
        (false, true) => ("○", format!("inactive (dead) since {at}; {ago} ago"), 3),
        (false, false) => {
            ("●", format!("activating (auto-restart) (Result: exit-code) since {at}; 5s ago"), 3)
        }
    };
    let drop_in = match name {
        "kubelet" => {
            "    Drop-In: /usr/lib/systemd/system/kubelet.service.d\n             └─10-kubeadm.conf\n"
        }
        _ => "",
    };
    let mut text = format!(
        "{dot} {name}.service - {what}\n     Loaded: loaded (/usr/lib/systemd/system/{name}.service; \
         enabled; preset: enabled)\n{drop_in}     Active: {active}\n"
    );
    if name == "kubelet" {
        text += "       Docs: https://kubernetes.io/docs/\n";
    }
    if runs {
        let program = match name {
            "kubelet" => {
                "/usr/bin/kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \
                 --kubeconfig=/etc/kubernetes/kubelet.conf --config=/var/lib/kubelet/config.yaml"
            }
            "containerd" => "/usr/bin/containerd",
            _ => "\"sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups\"",
        };
        let pid = 700 + name.len();
        text += &format!(
            "   Main PID: {pid} ({name})\n     CGroup: /system.slice/{name}.service\n             \
             └─{pid} {program}\n"
        );
    }
    Answer { code, ..out(text) }
}

/// Does a command line of `journalctl`.
pub fn journalctl(cluster: &mut Cluster, machine: usize, ask: &Ask<'_>) -> Answer {
    // Letters are often written in one: `-xeu kubelet`.
    let args: Vec<String> = ask
        .args
        .iter()
        .map(|arg| match arg.as_str() {
            "-xeu" | "-eu" | "-fu" | "-xu" => "-u".to_owned(),
            _ => arg.clone(),
        })
        .collect();
    let flags = match Flags::parse(&args, &FLAGS) {
        Ok(flags) => flags,
        Err(why) => return err(format!("journalctl: {why}\n")),
    };
    let unit = flags.value("unit").unwrap_or("kubelet").trim_end_matches(".service");
    if unit != "kubelet" {
        return out("-- No entries --\n".to_owned());
    }
    let mut lines = lines(cluster, machine);
    let count = flags.value("lines").and_then(|count| count.parse::<usize>().ok());
    if let Some(count) = count {
        lines.drain(..lines.len().saturating_sub(count));
    }
    if lines.is_empty() {
        return out("-- No entries --\n".to_owned());
    }
    out(lines.concat())
}

/// Upstream: `logOperationError` in
/// `pkg/volume/util/nestedpendingoperations/nestedpendingoperations.go` and `generateNoRetriesPermittedMsg`
/// in `pkg/util/goroutinemap/exponentialbackoff/exponential_backoff.go`.
fn not_unmounted(it: &Unmounting) -> String {
    let again = meta_time(it.again).0.strftime("%Y-%m-%d %H:%M:%S%.f +0000 UTC").to_string();
    let (key, why, delay) = (&it.failed.key, &it.failed.why, it.delay);
    let delay = duration::go(delay);
    format!(
        "nestedpendingoperations.go:348] Operation for \"{key}\" failed. No retries permitted until \
         {again} (durationBeforeRetry {delay}). Error: {why}"
    )
}

fn lines(cluster: &mut Cluster, machine: usize) -> Vec<String> {
    let Some(node) = cluster.nodes.get(machine) else { return Vec::new() };
    let (name, ready) = (node.name().to_owned(), node.runtime().network_ready());
    let (runs, since) = kubelet(cluster, machine);
    let stamp = |at: Time, pattern: &str| meta_time(at).0.strftime(pattern).to_string();
    let head = |at: Time, who: &str| format!("{} {name} {who}: ", stamp(at, "%b %d %H:%M:%S"));
    let log = |at: Time, level: char, text: &str| {
        let time = stamp(at, "%m%d %H:%M:%S");
        format!("{}{level}{time}.000000     707 {text}\n", head(at, "kubelet[707]"))
    };
    // Upstream: `loadConfigFile` in `cmd/kubelet/app/server.go`.
    let wrong = node.wrong_configuration().map(|why| {
        let path = "/var/lib/kubelet/config.yaml";
        let line = format!(
            "run.go:72] \"command failed\" err=\"failed to load kubelet config file, path: {path}, \
             error: {why}\""
        );
        (since, log(since, 'E', &line))
    });
    let node_lines: Vec<(Time, String)> =
        node.unmounting().map(|it| (it.since, log(it.since, 'E', &not_unmounted(it)))).collect();
    let mut lines = vec![(since, {
        let what = if runs { "Started" } else { "Stopped" };
        let text = "kubelet.service - kubelet: The Kubernetes Node Agent.\n";
        format!("{}{what} {text}", head(since, "systemd[1]"))
    })];
    for object in cluster.list(&Event::kind(), "", "", "") {
        let Some(event) = object.get::<Event>() else { continue };
        let source = event.source.as_ref();
        let own = source.is_some_and(|source| {
            source.component.as_deref() == Some("kubelet") && source.host.as_deref() == Some(&name)
        });
        let Some(at) = event.last_timestamp.as_ref().map(from_meta).filter(|_| own) else {
            continue;
        };
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let about = &event.involved_object;
        let subject = match &about.namespace {
            Some(namespace) => format!("{namespace}/{}", text(&about.name)),
            None => text(&about.name),
        };
        let line = format!(
            "event.go:389] \"Event occurred\" object=\"{subject}\" fieldPath={:?} kind={:?} \
             apiVersion=\"v1\" type={:?} reason={:?} message={:?}",
            text(&about.field_path),
            text(&about.kind),
            text(&event.type_),
            text(&event.reason),
            text(&event.message)
        );
        lines.push((at, log(at, 'I', &line)));
    }
    if runs && !ready {
        let now = cluster.now();
        let line = "kubelet.go:3117] \"Container runtime network not ready\" \
                    networkReady=\"NetworkReady=false reason:NetworkPluginNotReady message:Network \
                    plugin returns error: cni plugin not initialized\"";
        lines.push((now, log(now, 'E', line)));
    }
    lines.extend(node_lines);
    lines.extend(wrong);
    lines.sort_by_key(|(at, _)| *at);
    lines.into_iter().map(|(_, line)| line).collect()
}
