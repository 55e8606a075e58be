//! `kubectl cordon`, `uncordon` and `drain`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/drain`, `k8s.io/kubectl/pkg/drain`.

use super::common;
use crate::builder::Builder;
use crate::command::Command;
use crate::context::{Context, DryRun, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::mapper;
use crate::printers::Teller;
use crate::process::{Next, Outcome, Task};
use naru_api::gofmt::quote;
use naru_api::request::{DeleteOptions, ListOptions, Patch};
use naru_api::{KindRef, Object, duration};
use naru_sim::Time;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// `kubectl cordon`
pub static CORDON: Command = Command {
    usage: "cordon NODE",
    short: "Mark node as unschedulable",
    examples: "# No new pods on a node\nkubectl cordon worker",
    flags: &[common::DRY_RUN, common::SELECTOR],
    run: |cx| {
        let nodes = nodes(cx)?;
        mark(cx, &nodes, true)?;
        done()
    },
    ..Command::EMPTY
};

/// `kubectl uncordon`
pub static UNCORDON: Command = Command {
    usage: "uncordon NODE",
    short: "Mark node as schedulable",
    examples: "# New pods on the node again\nkubectl uncordon worker",
    flags: &[common::DRY_RUN, common::SELECTOR],
    run: |cx| {
        let nodes = nodes(cx)?;
        mark(cx, &nodes, false)?;
        done()
    },
    ..Command::EMPTY
};

/// `kubectl drain`
pub static DRAIN: Command = Command {
    usage: "drain NODE",
    short: "Drain node in preparation for maintenance",
    long: "Drain node in preparation for maintenance.\n\n The node is marked unschedulable, and its \
           pods are evicted or deleted. Pods of daemon sets\n stay (--ignore-daemonsets); pods \
           without a controller go only with --force, since\n nothing would start them again; pods \
           with an emptyDir volume only with\n --delete-emptydir-data.",
    examples: "# Empty a node\nkubectl drain worker --ignore-daemonsets\n\n\
               # With pods that no controller would start again\n\
               kubectl drain worker --ignore-daemonsets --force",
    flags: &[common::DRY_RUN, common::SELECTOR, common::CHUNK_SIZE, DRAIN_FLAGS],
    run: run_drain,
    ..Command::EMPTY
};

const DRAIN_FLAGS: &[Flag] = &[
    Flag::switch("delete-emptydir-data", "Delete pods with emptyDir volumes too."),
    Flag::switch("disable-eviction", "Delete the pods, whatever disruption budgets say."),
    Flag::switch("force", "Delete pods without a controller too."),
    Flag::int("grace-period", "-1", "Seconds that pods are given to end; negative: their own."),
    Flag::switch("ignore-daemonsets", "Leave pods of daemon sets."),
    Flag::text("pod-selector", "", "Only pods whose labels match."),
    Flag::int("skip-wait-for-delete-timeout", "0", "Do not wait for pods deleted so long ago."),
    Flag::duration("timeout", "0s", "How long to wait; 0: as long as it takes."),
];

/// How often pods are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long to wait when a disruption budget refuses.
const RETRY_AFTER: Duration = Duration::from_secs(5);

fn nodes(cx: &mut Context<'_>) -> Result<Vec<Object>> {
    let (args, flags) = (cx.args(), cx.flags());
    if args.is_empty() && !flags.changed("selector") {
        let text = format!("USAGE: {} [flags]", cx.invocation.command().usage);
        return Err(cx.invocation.usage_error(text));
    }
    if !args.is_empty() && !flags.text("selector").is_empty() {
        let text = "error: cannot specify both a node name and a --selector option";
        return Err(cx.invocation.usage_error(text));
    }
    let mut builder = Builder::new(cx)?.single_type().named("nodes", args);
    if !flags.text("selector").is_empty() {
        builder = builder.of_type("nodes");
    }
    let mut nodes = Vec::new();
    // As upstream, the first that is not there ends it.
    for target in builder.build(cx)?.targets {
        nodes.extend(crate::builder::fetch(cx, &target?)?);
    }
    Ok(nodes)
}

/// Marks nodes unschedulable, or schedulable again.
fn mark(cx: &mut Context<'_>, nodes: &[Object], desired: bool) -> Result<()> {
    let dry_run = cx.dry_run()?;
    let mut teller = Teller::new(cx, dry_run.suffix())?;
    let (verb, already, changed) = if desired {
        ("cordon", "already cordoned", "cordoned")
    } else {
        ("uncordon", "already uncordoned", "uncordoned")
    };
    for node in nodes {
        let json = node.content_json().unwrap_or_default();
        if (json["spec"]["unschedulable"] == true) == desired {
            teller.tell(cx, &node.kind(), json, already)?;
            continue;
        }
        if dry_run != DryRun::Client {
            let value = if desired { json!(true) } else { Value::Null };
            let patch = Patch::Strategic(json!({"spec": {"unschedulable": value}}));
            if let Err(failure) = cx.patch(&node.kind(), "", node.name(), patch, dry_run) {
                let (name, why) = (quote(node.name()), failure.bare());
                cx.err_line(&format!("error: unable to {verb} node {name}: {why}"));
                continue;
            }
        }
        teller.tell(cx, &node.kind(), json, changed)?;
    }
    Ok(())
}

fn run_drain(cx: &mut Context<'_>) -> Outcome {
    let nodes = nodes(cx)?;
    mark(cx, &nodes, true)?;
    let pods = mapper::kind_for(&cx.kinds()?, "pods")?;
    let dry_run = cx.dry_run()?;
    let timeout = u64::try_from(cx.flags().duration_ns("timeout")).ok().filter(|ns| *ns > 0);
    let deadline = timeout.map(|ns| cx.now() + Duration::from_nanos(ns));
    let evicts = pods.subresources.contains(&"eviction") && !cx.flags().is("disable-eviction");
    cx.start(Draining {
        kind: pods,
        nodes: nodes.into(),
        current: None,
        waiting: Vec::new(),
        retry: None,
        evicts,
        dry_run,
        deadline,
        refused: Vec::new(),
        remaining: Vec::new(),
        failures: Vec::new(),
    })
}

/// What is done with a pod of the node.
enum Verdict {
    Delete,
    Warn(String),
    Leave,
    LeaveAndWarn(&'static str),
    Refuse(String),
}

/// Empties one node after the other.
#[derive(Clone, Debug)]
struct Draining {
    kind: KindRef,
    nodes: VecDeque<Object>,
    current: Option<Object>,
    /// Pods that were asked to go: namespace, name, uid.
    waiting: Vec<(String, String, String)>,
    /// Pods whose eviction was refused, and when to ask again.
    retry: Option<(Time, Vec<Object>)>,
    evicts: bool,
    dry_run: DryRun,
    deadline: Option<Time>,
    /// What went wrong with pods of the current node.
    refused: Vec<Failure>,
    remaining: Vec<String>,
    failures: Vec<Failure>,
}

impl Task for Draining {
    fn poll(mut self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        loop {
            if self.current.is_none() {
                let Some(node) = self.nodes.pop_front() else { break };
                if let Err(failure) = self.begin(cx, &node) {
                    self.give_up(cx, &node, failure);
                    continue;
                }
                self.current = Some(node);
            }
            if let Some((at, pods)) = self.retry.take() {
                if cx.now() < at {
                    self.retry = Some((at, pods));
                } else {
                    self.ask(cx, pods);
                }
            }
            self.forget_gone(cx)?;
            if self.deadline.is_some_and(|deadline| cx.now() >= deadline) {
                self.give_up_waiting();
            }
            let Some(node) = self.current.take() else { continue };
            if self.waiting.is_empty() && self.retry.is_none() {
                if let Err(failure) = Failure::from_many(std::mem::take(&mut self.refused)) {
                    self.give_up(cx, &node, failure);
                    continue;
                }
                let json = node.content_json().unwrap_or_default();
                Teller::new(cx, self.dry_run.suffix())?.tell(cx, &node.kind(), json, "drained")?;
                continue;
            }
            self.current = Some(node);
            let until = cx.now() + LOOK_EVERY;
            return Ok(Next::Wait(self, Some(until)));
        }
        if !self.remaining.is_empty() {
            cx.err_line("There are pending nodes to be drained:");
            for name in &self.remaining {
                cx.err_line(&format!(" {name}"));
            }
        }
        if self.failures.is_empty() {
            return done();
        }
        // As upstream, whose errors are lists within a list here: without `error: `.
        let texts: Vec<String> =
            std::mem::take(&mut self.failures).iter().map(Failure::in_list).collect();
        Err(Failure::Plain(texts.join("\n"), 1))
    }
}

impl Draining {
    fn give_up(&mut self, cx: &mut Context<'_>, node: &Object, failure: Failure) {
        let (name, why) = (quote(node.name()), failure.bare());
        cx.err_line(&format!(
            "error: unable to drain node {name} due to error: {why}, continuing command..."
        ));
        self.remaining.push(node.name().to_owned());
        self.failures.push(failure);
    }

    /// Looks which pods must go, and asks them to.
    fn begin(&mut self, cx: &mut Context<'_>, node: &Object) -> Result<()> {
        let pods = self.choose(cx, node.name())?;
        if self.dry_run == DryRun::Client {
            for pod in &pods {
                cx.line(&format!("evicting pod {}/{} (dry run)", pod.namespace(), pod.name()));
            }
            return Ok(());
        }
        self.ask(cx, pods);
        Ok(())
    }

    /// Pods that have not gone by the deadline are waited for no longer; those that may not go are
    /// given up when it is time to ask again.
    fn give_up_waiting(&mut self) {
        const WHY: &str = "context deadline exceeded";
        for (namespace, name, _) in self.waiting.drain(..) {
            let text = match self.evicts {
                true => {
                    let (name, namespace) = (quote(&name), quote(&namespace));
                    format!(
                        "error when waiting for pod {name} in namespace {namespace} to terminate: \
                         {WHY}"
                    )
                }
                false => WHY.to_owned(),
            };
            self.refused.push(Failure::Message(text));
            if !self.evicts {
                break;
            }
        }
    }

    fn choose(&self, cx: &mut Context<'_>, node: &str) -> Result<Vec<Object>> {
        let options = ListOptions {
            label_selector: cx.flags().text("pod-selector").to_owned(),
            field_selector: format!("spec.nodeName={node}"),
            ..ListOptions::default()
        };
        let pods = cx.list(&self.kind, "", &options)?.items;
        let mut chosen = Vec::new();
        let mut warnings: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut refusals: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for pod in pods {
            let name = format!("{}/{}", pod.namespace(), pod.name());
            match verdict(cx, &pod)? {
                Verdict::Delete => chosen.push(pod),
                Verdict::Warn(why) => {
                    warnings.entry(why).or_default().push(name);
                    chosen.push(pod);
                }
                Verdict::Leave => {}
                Verdict::LeaveAndWarn(why) => {
                    warnings.entry(why.to_owned()).or_default().push(name);
                }
                Verdict::Refuse(why) => refusals.entry(why).or_default().push(name),
            }
        }
        let failures = refusals
            .into_iter()
            .map(|(why, pods)| {
                Failure::Message(format!("cannot delete {why}: {}", pods.join(", ")))
            })
            .collect();
        Failure::from_many(failures)?;
        if !warnings.is_empty() {
            let texts: Vec<String> = warnings
                .into_iter()
                .map(|(why, pods)| format!("{why}: {}", pods.join(", ")))
                .collect();
            cx.err_line(&format!("Warning: {}", texts.join("; ")));
        }
        Ok(chosen)
    }

    fn ask(&mut self, cx: &mut Context<'_>, pods: Vec<Object>) {
        let mut refused = Vec::new();
        for pod in pods {
            let (namespace, name) = (pod.namespace().to_owned(), pod.name().to_owned());
            let asked = if self.evicts { self.evict(cx, &pod) } else { self.delete(cx, &pod) };
            match asked {
                Ok(()) if self.dry_run == DryRun::Server => {}
                Ok(()) => self.waiting.push((namespace, name, pod.uid().to_owned())),
                Err(failure) if failure.is_not_found() => {}
                Err(Failure::Api(error)) if error.code() == 429 => {
                    let (name, namespace, why) = (quote(&name), quote(&namespace), error.message());
                    cx.err_line(&format!(
                        "error when evicting pods/{name} -n {namespace} (will retry after 5s): {why}"
                    ));
                    refused.push(pod);
                }
                Err(failure) => {
                    let (name, namespace, why) = (quote(&name), quote(&namespace), failure.bare());
                    let text = format!("error when evicting pods/{name} -n {namespace}: {why}");
                    self.refused.push(Failure::Message(text));
                }
            }
        }
        if !refused.is_empty() {
            self.retry = Some((cx.now() + RETRY_AFTER, refused));
        }
    }

    fn evict(&self, cx: &mut Context<'_>, pod: &Object) -> Result<()> {
        let (namespace, name) = (pod.namespace(), pod.name());
        let dry = if self.dry_run == DryRun::Server { " (server dry run)" } else { "" };
        cx.line(&format!("evicting pod {namespace}/{name}{dry}"));
        if self.deadline.is_some_and(|deadline| cx.now() >= deadline) {
            let nanos = u64::try_from(cx.flags().duration_ns("timeout")).unwrap_or(0);
            let timeout = duration::go(Duration::from_nanos(nanos));
            return Err(Failure::Message(format!("global timeout reached: {timeout}")));
        }
        let mut eviction = json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
        });
        let seconds = cx.flags().int("grace-period");
        if seconds >= 0 {
            eviction["deleteOptions"] = json!({"gracePeriodSeconds": seconds});
        }
        cx.create_subresource(&self.kind, namespace, name, "eviction", eviction).map(drop)
    }

    fn delete(&self, cx: &mut Context<'_>, pod: &Object) -> Result<()> {
        let seconds = Some(cx.flags().int("grace-period")).filter(|seconds| *seconds >= 0);
        let options = DeleteOptions { grace_period_seconds: seconds, ..DeleteOptions::default() };
        cx.delete(&self.kind, pod.namespace(), pod.name(), options, self.dry_run).map(drop)
    }

    /// Tells of the pods that have gone.
    fn forget_gone(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let mut still = Vec::new();
        for (namespace, name, uid) in std::mem::take(&mut self.waiting) {
            let found = cx.find(&self.kind, &namespace, &name)?;
            if found.is_some_and(|pod| pod.uid() == uid) {
                still.push((namespace, name, uid));
                continue;
            }
            let operation = if self.evicts { "evicted" } else { "deleted" };
            let pod = json!({"metadata": {"name": name, "namespace": namespace}});
            let mut teller = Teller::new(cx, self.dry_run.suffix())?;
            teller.tell(cx, &self.kind, pod, operation)?;
        }
        self.waiting = still;
        Ok(())
    }
}

/// Upstream: the filters in `k8s.io/kubectl/pkg/drain/filters.go`, in their order.
fn verdict(cx: &mut Context<'_>, pod: &Object) -> Result<Verdict> {
    let flags = cx.flags();
    let json = pod.content_json().unwrap_or_default();
    let ended = matches!(json["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    let skip_after = flags.int("skip-wait-for-delete-timeout");
    if let Some(deleted) = pod.meta().deletion_timestamp.as_ref().filter(|_| skip_after > 0) {
        let since = cx.now().since(naru_api::time::from_meta(deleted)).as_secs();
        if since > skip_after.unsigned_abs() {
            return Ok(Verdict::Leave);
        }
    }
    let controller = pod.controller().map(|owner| (owner.kind.clone(), owner.name.clone()));
    if let Some((_, name)) = controller.as_ref().filter(|(kind, _)| kind == "DaemonSet" && !ended) {
        let sets = mapper::kind_for(&cx.kinds()?, "daemonsets.apps")?;
        return Ok(match cx.get(&sets, pod.namespace(), name) {
            Err(failure) if failure.is_not_found() && flags.is("force") => {
                Verdict::Warn(failure.bare())
            }
            Err(failure) => Verdict::Refuse(failure.bare()),
            Ok(_) if flags.is("ignore-daemonsets") => {
                Verdict::LeaveAndWarn("ignoring DaemonSet-managed Pods")
            }
            Ok(_) => Verdict::Refuse(
                "DaemonSet-managed Pods (use --ignore-daemonsets to ignore)".to_owned(),
            ),
        });
    }
    if !json["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_null() {
        return Ok(Verdict::Leave);
    }
    let volumes = json["spec"]["volumes"].as_array();
    let local = volumes.into_iter().flatten().any(|volume| volume["emptyDir"].is_object());
    if local && !ended && !flags.is("delete-emptydir-data") {
        return Ok(Verdict::Refuse(
            "Pods with local storage (use --delete-emptydir-data to override)".to_owned(),
        ));
    }
    if controller.is_none() && !ended {
        return Ok(if flags.is("force") {
            Verdict::Warn("deleting Pods that declare no controller".to_owned())
        } else {
            Verdict::Refuse(
                "cannot delete Pods that declare no controller (use --force to override)"
                    .to_owned(),
            )
        });
    }
    Ok(Verdict::Delete)
}
