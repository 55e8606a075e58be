//! `kubectl top`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/top`, `pkg/metricsutil`.

use super::common;
use crate::command::Command;
use crate::context::{Context, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::mapper;
use crate::printers::tabwriter::TabWriter;
use crate::process::Outcome;
use naru_api::kinds::metrics::{NodeMetrics, PodMetrics, Usage};
use naru_api::quantity::Amount;
use naru_api::request::ListOptions;
use naru_api::time::from_meta;
use naru_api::{ApiError, KindRef, Kube, Object, duration};
use naru_sim::Time;
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// `kubectl top`
pub static COMMAND: Command = Command {
    usage: "top [flags]",
    short: "Display resource (CPU/memory) usage",
    long: "Display resource (CPU/memory) usage.\n\n This command requires Metrics Server to be \
           correctly configured and working on the server.",
    subcommands: &[&NODE, &POD],
    ..Command::EMPTY
};

static NODE: Command = Command {
    usage: "node [NAME | -l label]",
    aliases: &["nodes", "no"],
    short: "Display resource (CPU/memory) usage of nodes",
    examples: "# All nodes\nkubectl top node\n\n# One node\nkubectl top node worker",
    flags: &[
        common::SELECTOR,
        &[
            Flag::switch("no-headers", "Do not print the headers of columns."),
            Flag::switch("show-capacity", "Print percentages of the capacity."),
            Flag::text("sort-by", "", "Sort by 'cpu' or 'memory'."),
            Flag::switch_on("use-protocol-buffers", "Talk to the metrics server in protobuf."),
        ],
    ],
    run: run_node,
    ..Command::EMPTY
};

static POD: Command = Command {
    usage: "pod [NAME | -l label]",
    aliases: &["pods", "po"],
    short: "Display resource (CPU/memory) usage of pods",
    examples: "# The pods of the namespace\nkubectl top pod\n\n\
               # The containers of one pod\nkubectl top pod web --containers\n\n\
               # The pods with a label\nkubectl top pod -l app=web",
    flags: &[
        common::SELECTOR,
        common::FIELD_SELECTOR,
        common::ALL_NAMESPACES,
        &[
            Flag::switch("containers", "Print the usage of each container."),
            Flag::switch("no-headers", "Do not print the headers of columns."),
            Flag::text("sort-by", "", "Sort by 'cpu' or 'memory'."),
            Flag::switch("sum", "Print the sum."),
            Flag::switch_on("use-protocol-buffers", "Talk to the metrics server in protobuf."),
        ],
    ],
    run: run_pod,
    ..Command::EMPTY
};

/// A new pod may be without metrics for so long. Upstream: `metricsCreationDelay`.
const CREATION_DELAY: Duration = Duration::from_secs(120);
const MIB: i64 = 1024 * 1024;

/// Checks the arguments; gives the one name, or "".
fn check(cx: &Context<'_>, clash: &'static str, selectors: &[&str]) -> Result<String> {
    if cx.args().len() > 1 {
        return Err(cx.invocation.usage_error(cx.invocation.command().usage));
    }
    let flags = cx.flags();
    if !matches!(flags.text("sort-by"), "" | "cpu" | "memory") {
        return Err(Failure::message("--sort-by accepts only cpu or memory"));
    }
    let name = cx.args().first().cloned().unwrap_or_default();
    if !name.is_empty() && selectors.iter().any(|flag| !flags.text(flag).is_empty()) {
        return Err(Failure::message(clash));
    }
    Ok(name)
}

/// The kind of the group `metrics.k8s.io`, if anybody serves it. A server that should and does not
/// answer is told from one that is not there.
fn served<K: Kube>(cx: &mut Context<'_>) -> Result<KindRef> {
    let wanted = K::kind();
    if let Some(kind) = cx.kinds()?.into_iter().find(|kind| *kind == wanted) {
        return Ok(kind);
    }
    match cx.list(&wanted, "", &ListOptions::default()) {
        Err(Failure::Api(error)) if error.code() == 503 => {
            let asked = wanted.group_resource();
            let text = format!("{} (get {asked})", error.message());
            Err(Failure::Api(ApiError::new(503, "ServiceUnavailable", &text)))
        }
        _ => Err(Failure::message("Metrics API not available")),
    }
}

/// One object by its name, or those that the selector selects.
fn fetch(cx: &mut Context<'_>, kind: &KindRef, namespace: &str, name: &str) -> Result<Vec<Object>> {
    if !name.is_empty() {
        return Ok(vec![cx.get(kind, namespace, name)?]);
    }
    let label_selector = cx.flags().text("selector").to_owned();
    let options = ListOptions { label_selector, ..ListOptions::default() };
    Ok(cx.list(kind, namespace, &options)?.items)
}

fn run_node(cx: &mut Context<'_>) -> Outcome {
    let clash = "only one of NAME or --selector can be provided";
    let name = check(cx, clash, &["selector"])?;
    let kind = served::<NodeMetrics>(cx)?;
    let found = fetch(cx, &kind, "", &name)?;
    let mut metrics: Vec<&NodeMetrics> = found.iter().filter_map(Object::get).collect();
    if metrics.is_empty() {
        return Err(Failure::message("metrics not available yet"));
    }
    let nodes = mapper::kind_for(&cx.kinds()?, "nodes")?;
    let nodes = fetch(cx, &nodes, "", &name)?;
    let flags = cx.flags();
    let field = if flags.is("show-capacity") { "capacity" } else { "allocatable" };
    let mut available: BTreeMap<String, Value> = nodes
        .iter()
        .map(|node| {
            let json = node.to_json().unwrap_or_default();
            (node.name().to_owned(), json["status"][field].clone())
        })
        .collect();
    metrics
        .sort_by_key(|node| (rank(flags.text("sort-by"), &node.usage), node.metadata.name.clone()));
    let mut writer = TabWriter::table();
    if !flags.is("no-headers") {
        writer.line("NAME\tCPU(cores)\tCPU(%)\tMEMORY(bytes)\tMEMORY(%)\t");
    }
    for node in metrics {
        let name = node.metadata.name.clone().unwrap_or_default();
        let limits = available.remove(&name);
        let line: String = ["cpu", "memory"]
            .iter()
            .map(|what| {
                let used = amount(&node.usage, what);
                let limit = limits.as_ref().and_then(|limits| limits[*what].as_str());
                let percent = limit.map(|limit| format!("{}%\t", percent(used, limit)));
                format!("{}\t{}", shown(what, used), percent.unwrap_or_default())
            })
            .collect();
        writer.line(&format!("{name}\t{line}"));
    }
    for name in available.keys() {
        writer.line(&format!("{name}\t{}", "<unknown>\t".repeat(4)));
    }
    let text = writer.flush();
    cx.out(&text);
    done()
}

fn run_pod(cx: &mut Context<'_>) -> Outcome {
    let clash = "only one of NAME or selector can be provided";
    let name = check(cx, clash, &["selector", "field-selector"])?;
    let kind = served::<PodMetrics>(cx)?;
    let all = cx.flags().is("all-namespaces");
    let (own, _) = cx.namespace()?;
    let namespace = if all { String::new() } else { own.clone() };
    let mut found = fetch(cx, &kind, &namespace, &name)?;
    if !found.is_empty() && !cx.flags().text("field-selector").is_empty() {
        let chosen: BTreeSet<_> = pods(cx, &namespace)?.iter().map(|pod| pod.key()).collect();
        found.retain(|metrics| chosen.contains(&metrics.key()));
    }
    if found.is_empty() {
        explain_nothing(cx, &own)?;
        cx.err_line(&match all {
            true => "No resources found".to_owned(),
            false => format!("No resources found in {own} namespace."),
        });
        return done();
    }
    let mut metrics: Vec<&PodMetrics> = found.iter().filter_map(Object::get).collect();
    let flags = cx.flags();
    let by = flags.text("sort-by");
    metrics.sort_by_key(|pod| {
        let namespace = pod.metadata.namespace.clone().filter(|_| all);
        (rank(by, &pod.total()), namespace, pod.metadata.name.clone())
    });
    let (containers, headers) = (flags.is("containers"), !flags.is("no-headers"));
    let mut writer = TabWriter::table();
    if headers {
        let namespace = if all { "NAMESPACE\t" } else { "" };
        let pod = if containers { "POD\t" } else { "" };
        writer.line(&format!("{namespace}{pod}NAME\tCPU(cores)\tMEMORY(bytes)\t"));
    }
    for pod in &metrics {
        write_pod(&mut writer, pod, all, containers, by);
    }
    if flags.is("sum") {
        // As upstream, which counts the columns by the headers it has printed.
        let indent = usize::from(headers && all) + usize::from(headers && containers);
        let mut total: BTreeMap<&str, Amount> = BTreeMap::new();
        for usage in metrics.iter().map(|pod| pod.total()) {
            for what in ["cpu", "memory"] {
                *total.entry(what).or_default() += amount(&usage, what);
            }
        }
        let sum = |what: &str| shown(what, total.get(what).copied().unwrap_or_default());
        writer.line(&format!("{}________\t________\t", "\t".repeat(indent + 1)));
        writer.line(&format!("{}\t{}\t{}\t", "\t".repeat(indent), sum("cpu"), sum("memory")));
    }
    let text = writer.flush();
    cx.out(&text);
    done()
}

fn write_pod(writer: &mut TabWriter, pod: &PodMetrics, all: bool, containers: bool, by: &str) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let namespace = if all { text(&pod.metadata.namespace) + "\t" } else { String::new() };
    let name = text(&pod.metadata.name);
    let values = |usage: &Usage| {
        let value = |what| shown(what, amount(usage, what));
        format!("{}\t{}\t", value("cpu"), value("memory"))
    };
    if !containers {
        writer.line(&format!("{namespace}{name}\t{}", values(&pod.total())));
        return;
    }
    let mut sorted: Vec<_> = pod.containers.iter().collect();
    sorted.sort_by_key(|container| (rank(by, &container.usage), container.name.clone()));
    for container in sorted {
        let (own, values) = (&container.name, values(&container.usage));
        writer.line(&format!("{namespace}{name}\t{own}\t{values}"));
    }
}

/// The pods that the selectors select.
fn pods(cx: &mut Context<'_>, namespace: &str) -> Result<Vec<Object>> {
    let kind = mapper::kind_for(&cx.kinds()?, "pods")?;
    let options = ListOptions {
        label_selector: cx.flags().text("selector").to_owned(),
        field_selector: cx.flags().text("field-selector").to_owned(),
        ..ListOptions::default()
    };
    Ok(cx.list(&kind, namespace, &options)?.items)
}

/// Why there are no metrics: the pods are too new, or something is wrong; no error if there are no
/// pods.
fn explain_nothing(cx: &mut Context<'_>, namespace: &str) -> Result<()> {
    let pods = pods(cx, namespace)?;
    for pod in &pods {
        let created = pod.meta().creation_timestamp.as_ref().map_or(Time::ZERO, from_meta);
        let age = cx.now().since(created);
        if age > CREATION_DELAY {
            let (key, age) = (pod.key(), duration::go(age));
            return Err(Failure::Message(format!(
                "Metrics not available for pod {key}, age: {age}"
            )));
        }
    }
    match pods.is_empty() {
        true => Ok(()),
        false => Err(Failure::message("metrics not available yet")),
    }
}

fn amount(usage: &Usage, what: &str) -> Amount {
    usage.get(what).map(Amount::of).unwrap_or_default()
}

fn shown(what: &str, amount: Amount) -> String {
    match what {
        "cpu" => format!("{}m", amount.milli_value()),
        _ => format!("{}Mi", amount.value() / MIB),
    }
}

fn percent(used: Amount, limit: &str) -> i64 {
    let limit: Amount = limit.parse().unwrap_or_default();
    if limit.is_zero() {
        return 0;
    }
    (used.milli_value() as f64 / limit.milli_value() as f64 * 100.0) as i64
}

/// The most comes first; nothing to go by leaves the names.
fn rank(by: &str, usage: &Usage) -> Reverse<i64> {
    Reverse(match by {
        "" => 0,
        what => amount(usage, what).milli_value(),
    })
}
