//! `kubectl cluster-info dump`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/clusterinfo/clusterinfo_dump.go`.

use crate::child;
use crate::command::Command;
use crate::context::{Context, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::printers::{Format, Printer};
use crate::process::{Next, Outcome, Task};
use naru_api::Object;
use naru_api::request::ListOptions;
use naru_api::service::{Connect, LogOptions, StreamId};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// `kubectl cluster-info dump`
pub static COMMAND: Command = Command {
    usage: "dump",
    short: "Dump relevant information for debugging and diagnosis",
    long: "Dump cluster information out suitable for debugging and diagnosing cluster problems.\n\n \
           What is dumped: nodes; events, services, workloads and pods of the current namespace and \
           of\n 'kube-system', or of those that --namespaces names; and the logs of all their \
           containers.",
    examples: "# To standard output\nkubectl cluster-info dump\n\n\
               # Into files below a folder\n\
               kubectl cluster-info dump --output-directory=/path/to/cluster-state",
    flags: &[FLAGS],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::switch("all-namespaces", "Dump all namespaces.").short("A"),
    Flag::switch_on("allow-missing-template-keys", "A missing field is no error."),
    Flag::slice("namespaces", "The namespaces to dump."),
    Flag::text("output", "json", "Output format.").short("o"),
    Flag::text("output-directory", "", "Folder to write files to; - is standard output."),
    Flag::duration("pod-running-timeout", "20s", "How long to wait for a pod."),
    Flag::switch("show-managed-fields", "Print metadata.managedFields too."),
    Flag::text("template", "", "Template, or path of a template file, for -o."),
];

/// What is dumped of a namespace: the kind of the list, its resource, its file.
const LISTS: [(&str, &str, &str); 7] = [
    ("EventList", "events", "events"),
    ("ReplicationControllerList", "replicationcontrollers", "replication-controllers"),
    ("ServiceList", "services", "services"),
    ("DaemonSetList", "daemonsets.apps", "daemonsets"),
    ("DeploymentList", "deployments.apps", "deployments"),
    ("ReplicaSetList", "replicasets.apps", "replicasets"),
    ("PodList", "pods", "pods"),
];

fn run(cx: &mut Context<'_>) -> Outcome {
    let dumper = Dumper { folder: cx.flags().text("output-directory").trim().to_owned() };
    dumper.list(cx, "NodeList", "nodes", "", "nodes")?;
    let namespaces = namespaces(cx)?;
    let mut pods = VecDeque::new();
    let mut done_lists = VecDeque::from(namespaces);
    if let Some(first) = done_lists.pop_front() {
        pods.extend(dumper.namespace(cx, &first)?);
    }
    cx.start(Dumping { dumper, namespaces: done_lists, logs: pods, reading: None })
}

fn namespaces(cx: &mut Context<'_>) -> Result<Vec<String>> {
    if cx.flags().is("all-namespaces") {
        let kind = crate::mapper::kind_for(&cx.kinds()?, "namespaces")?;
        let list = cx.list(&kind, "", &ListOptions::default())?;
        return Ok(list.items.iter().map(|object| object.name().to_owned()).collect());
    }
    match cx.flags().list("namespaces") {
        [] => Ok(vec!["kube-system".to_owned(), cx.namespace()?.0]),
        named => Ok(named.to_vec()),
    }
}

#[derive(Clone, Debug)]
struct Dumper {
    folder: String,
}

/// A container whose log is dumped, and the file it goes to.
#[derive(Clone, Debug)]
struct Log {
    namespace: String,
    pod: String,
    container: String,
}

impl Dumper {
    /// Everything of a namespace but the logs, which are told.
    fn namespace(&self, cx: &mut Context<'_>, namespace: &str) -> Result<Vec<Log>> {
        let mut logs = Vec::new();
        for (kind, resource, file) in LISTS {
            let file = format!("{namespace}/{file}");
            let objects = self.list(cx, kind, resource, namespace, &file)?;
            if resource != "pods" {
                continue;
            }
            for object in objects {
                let json = object.to_json().unwrap_or_default();
                let of = |list: &str| json["spec"][list].as_array().cloned().unwrap_or_default();
                for container in of("initContainers").iter().chain(&of("containers")) {
                    logs.push(Log {
                        namespace: namespace.to_owned(),
                        pod: object.name().to_owned(),
                        container: container["name"].as_str().unwrap_or_default().to_owned(),
                    });
                }
            }
        }
        Ok(logs)
    }

    fn list(
        &self,
        cx: &mut Context<'_>,
        list_kind: &str,
        resource: &str,
        namespace: &str,
        file: &str,
    ) -> Result<Vec<Object>> {
        let kind = crate::mapper::kind_for(&cx.kinds()?, resource)?;
        let list = cx.list(&kind, namespace, &ListOptions::default())?;
        let item = |object: &Object| -> Value {
            let mut json = object.to_json().unwrap_or_default();
            // As items of a typed list, they do not say their kind.
            if let Some(fields) = json.as_object_mut() {
                fields.remove("apiVersion");
                fields.remove("kind");
            }
            json
        };
        let items: Vec<Value> = list.items.iter().map(item).collect();
        let whole = json!({
            "apiVersion": kind.api_version(),
            "items": items,
            "kind": list_kind,
            "metadata": { "resourceVersion": list.revision.to_string() },
        });
        let Some(format) = Format::parse(cx, &[])? else { return Ok(list.items) };
        let extension = match format {
            Format::Json => ".json",
            Format::Yaml => ".yaml",
            _ => ".txt",
        };
        let text = Printer::new(format, cx.flags()).print(None, whole)?;
        self.write(cx, &format!("{file}{extension}"), &text)?;
        Ok(list.items)
    }

    fn write(&self, cx: &mut Context<'_>, file: &str, text: &str) -> Result<()> {
        if matches!(self.folder.as_str(), "" | "-") {
            cx.out(text);
            return Ok(());
        }
        let path = cx.sys.absolute(&format!("{}/{file}", self.folder));
        let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder).to_owned();
        let before = cx.sys.fs().read_text(&path).unwrap_or_default();
        let made = cx.sys.fs().mkdir_all(&folder);
        made.map_err(|errno| Failure::Message(format!("mkdir {folder}: {errno}")))?;
        child::write(cx, &path, &(before + text))
    }
}

/// Reads one log after the other.
#[derive(Clone, Debug)]
struct Dumping {
    dumper: Dumper,
    namespaces: VecDeque<String>,
    logs: VecDeque<Log>,
    reading: Option<(Log, StreamId, String)>,
}

impl Task for Dumping {
    fn poll(mut self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        loop {
            if let Some((log, id, mut text)) = self.reading.take() {
                let stream = cx.api()?.stream(id);
                let result = match stream {
                    None => Some(Ok(0)),
                    Some(stream) => {
                        let bytes: Vec<u8> = stream.stdout.drain(..).collect();
                        text.push_str(&String::from_utf8_lossy(&bytes));
                        stream.result.clone()
                    }
                };
                let Some(result) = result else {
                    self.reading = Some((log, id, text));
                    return Ok(Next::Wait(self, None));
                };
                cx.disconnect(id);
                if let Err(error) = result {
                    text.push_str(&format!("Request log error: {}\n", error.message()));
                }
                self.tell(cx, &log, &text)?;
            }
            let Some(log) = self.logs.pop_front() else {
                let Some(namespace) = self.namespaces.pop_front() else { return self.end(cx) };
                self.logs.extend(self.dumper.namespace(cx, &namespace)?);
                continue;
            };
            let connect = Connect::Log(LogOptions::default());
            match cx.connect(&log.namespace, &log.pod, &log.container, connect) {
                Ok(id) => self.reading = Some((log, id, String::new())),
                Err(failure) => {
                    let text = format!("Request log error: {}\n", failure.bare());
                    self.tell(cx, &log, &text)?;
                }
            }
        }
    }

    fn cancel(&mut self, cx: &mut Context<'_>) {
        if let Some((_, id, _)) = &self.reading {
            cx.disconnect(*id);
        }
    }
}

impl Dumping {
    fn tell(&self, cx: &mut Context<'_>, log: &Log, text: &str) -> Result<()> {
        let Log { namespace, pod, container } = log;
        let of = format!("logs for container {container} of pod {namespace}/{pod} ====\n");
        let text = format!("==== START {of}{text}==== END {of}");
        self.dumper.write(cx, &format!("{namespace}/{pod}/logs.txt"), &text)
    }

    fn end(&self, cx: &mut Context<'_>) -> Outcome {
        let folder = &self.dumper.folder;
        if !matches!(folder.as_str(), "" | "-") {
            cx.line(&format!("Cluster info dumped to {folder}"));
        }
        done()
    }
}
