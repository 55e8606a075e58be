//! `kubectl rollout`.

use super::common;
use crate::builder::Builder;
use crate::command::Command;
use crate::context::{Context, DryRun, done};
use crate::describe::{deployment, page::Page, podtemplate};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::printers::tabwriter::TabWriter;
use crate::printers::{Format, Printer, Teller};
use crate::process::{Next, Outcome, Task};
use naru_api::gofmt::quote;
use naru_api::request::{ListOptions, Patch};
use naru_api::{Object, WatchEventType, WatchId};
use naru_sim::Time;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// `kubectl rollout`
pub static COMMAND: Command = Command {
    usage: "rollout SUBCOMMAND",
    short: "Manage the rollout of a resource",
    long: "Manage the rollout of one or many resources.\n\n Valid resource types include:\n\n  *  \
           deployments\n  *  daemonsets\n  *  statefulsets",
    examples: "# See whether the new version runs everywhere\nkubectl rollout status deployment/web\n\n\
               # Back to the version before\nkubectl rollout undo deployment/web",
    subcommands: &[&HISTORY, &PAUSE, &RESTART, &RESUME, &STATUS, &UNDO],
    run: |cx| super::tell_group(cx, 1),
    ..Command::EMPTY
};

static HISTORY: Command = Command {
    usage: "history (TYPE NAME | TYPE/NAME) [flags]",
    short: "View rollout history",
    flags: &[
        common::PRINT,
        common::FILENAME,
        common::SELECTOR,
        &[Flag::int("revision", "0", "The details of this revision.")],
    ],
    run: history,
    ..Command::EMPTY
};

static PAUSE: Command = Command {
    usage: "pause RESOURCE",
    short: "Mark the provided resource as paused",
    flags: &[common::PRINT, common::FILENAME, common::SELECTOR, ROLLOUT_MANAGER],
    run: |cx| change(cx, "pausing", "paused", pause),
    ..Command::EMPTY
};

static RESUME: Command = Command {
    usage: "resume RESOURCE",
    short: "Resume a paused resource",
    flags: &[common::PRINT, common::FILENAME, common::SELECTOR, ROLLOUT_MANAGER],
    run: |cx| change(cx, "resuming", "resumed", resume),
    ..Command::EMPTY
};

static RESTART: Command = Command {
    usage: "restart RESOURCE",
    short: "Restart a resource",
    flags: &[common::PRINT, common::FILENAME, common::SELECTOR, ROLLOUT_MANAGER],
    run: |cx| change(cx, "restarting", "restarted", restart),
    ..Command::EMPTY
};

static STATUS: Command = Command {
    usage: "status (TYPE NAME | TYPE/NAME) [flags]",
    short: "Show the status of the rollout",
    flags: &[
        common::FILENAME,
        common::SELECTOR,
        &[
            Flag::int("revision", "0", "Only of this revision."),
            Flag::duration("timeout", "0s", "How long to wait; 0: as long as it takes."),
            Flag::switch_on("watch", "Wait until the rollout is done.").short("w"),
        ],
    ],
    run: status,
    ..Command::EMPTY
};

static UNDO: Command = Command {
    usage: "undo (TYPE NAME | TYPE/NAME) [flags]",
    short: "Undo a previous rollout",
    flags: &[
        common::PRINT,
        common::FILENAME,
        common::SELECTOR,
        common::DRY_RUN,
        &[Flag::int("to-revision", "0", "Back to this revision; 0: the last one.")],
    ],
    run: undo,
    ..Command::EMPTY
};

const ROLLOUT_MANAGER: &[Flag] =
    &[Flag::text("field-manager", "kubectl-rollout", common::FIELD_MANAGER)];

const REVISION: &str = "deployment.kubernetes.io/revision";
const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";

/// The objects that the arguments mean, and what could not be read.
fn objects(cx: &mut Context<'_>) -> Result<(Vec<Object>, Vec<Failure>)> {
    let flags = cx.flags();
    if cx.args().is_empty()
        && flags.list("filename").is_empty()
        && flags.text("kustomize").is_empty()
    {
        return Err(Failure::message("required resource not specified"));
    }
    let selection = Builder::new(cx)?.types_or_names(cx, true, cx.args())?.build(cx)?;
    let (objects, failures) = selection.fetch(cx);
    if objects.is_empty() && failures.is_empty() {
        let (namespace, _) = cx.namespace()?;
        cx.err_line(&format!("No resources found in {namespace} namespace."));
    }
    Ok((objects, failures))
}

fn not_negative(cx: &Context<'_>) -> Result<i64> {
    match cx.flags().int("revision") {
        revision if revision < 0 => {
            Err(Failure::Message(format!("revision must be a positive integer: {revision}")))
        }
        revision => Ok(revision),
    }
}

// ---- pause, resume, restart ----

/// What to change, or why not.
type Change = fn(&Context<'_>, &Object, &Value) -> std::result::Result<Value, String>;

fn change(cx: &mut Context<'_>, doing: &str, done_what: &str, change: Change) -> Outcome {
    let mut teller = Teller::new(cx, "")?;
    let (objects, mut failures) = objects(cx)?;
    for object in objects {
        let (kind, json) = (object.kind(), object.to_json().unwrap_or_default());
        let supported = match doing {
            "restarting" => ["Deployment", "DaemonSet", "StatefulSet"].contains(&&*kind.kind),
            _ => kind.kind == "Deployment",
        };
        let patch = match change(cx, &object, &json) {
            _ if !supported => Err(format!("{doing} is not supported")),
            patch => patch,
        };
        let changed = match patch {
            Ok(patch) => {
                let patch = Patch::Strategic(patch);
                cx.patch(&kind, object.namespace(), object.name(), patch, DryRun::None).map_err(
                    |failure| Failure::Message(format!("failed to patch: {}", failure.bare())),
                )
            }
            Err(why) => {
                let (resource, name) = (kind.group_resource(), quote(object.name()));
                Err(Failure::Message(format!("error: {resource} {name} {why}")))
            }
        };
        match changed {
            Ok(object) => {
                teller.tell(cx, &kind, object.to_json().unwrap_or_default(), done_what)?;
            }
            Err(failure) => failures.push(failure),
        }
    }
    Failure::from_many(failures)?;
    done()
}

fn pause(_: &Context<'_>, _: &Object, json: &Value) -> std::result::Result<Value, String> {
    if json["spec"]["paused"] == true {
        return Err("is already paused".to_owned());
    }
    Ok(json!({"spec": {"paused": true}}))
}

fn resume(_: &Context<'_>, _: &Object, json: &Value) -> std::result::Result<Value, String> {
    if json["spec"]["paused"] != true {
        return Err("is not paused".to_owned());
    }
    Ok(json!({"spec": {"paused": null}}))
}

fn restart(cx: &Context<'_>, _: &Object, json: &Value) -> std::result::Result<Value, String> {
    if json["spec"]["paused"] == true {
        return Err("can't restart paused deployment (run rollout resume first)".to_owned());
    }
    let now = naru_api::time::rfc3339(Some(&naru_api::time::meta_time(cx.now())));
    let annotations = json!({"kubectl.kubernetes.io/restartedAt": now});
    Ok(json!({"spec": {"template": {"metadata": {"annotations": annotations}}}}))
}

// ---- status ----

fn status(cx: &mut Context<'_>) -> Outcome {
    let revision = not_negative(cx)?;
    let (objects, failures) = objects(cx)?;
    Failure::from_many(failures)?;
    let timeout = u64::try_from(cx.flags().duration_ns("timeout")).ok().filter(|ns| *ns > 0);
    let deadline = timeout.map(|ns| cx.now() + Duration::from_nanos(ns));
    cx.start(Following { queue: objects.into(), watch: None, deadline, revision })
}

/// Tells of each object until its rollout is done.
#[derive(Clone, Debug)]
struct Following {
    queue: VecDeque<Object>,
    watch: Option<WatchId>,
    deadline: Option<Time>,
    revision: i64,
}

impl Task for Following {
    fn poll(mut self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        while let Some(object) = self.queue.front().cloned() {
            let watch = match self.watch {
                Some(watch) => watch,
                None => {
                    let field_selector = format!("metadata.name={}", object.name());
                    let options = ListOptions { field_selector, ..ListOptions::default() };
                    let watch = cx.watch(&object.kind(), object.namespace(), options, None)?;
                    self.watch = Some(watch);
                    watch
                }
            };
            match self.follow(cx, watch) {
                Ok(true) => {
                    self.cancel(cx);
                    self.queue.pop_front();
                }
                Ok(false) if self.deadline.is_some_and(|deadline| cx.now() >= deadline) => {
                    self.cancel(cx);
                    return Err(Failure::message("timed out waiting for the condition"));
                }
                Ok(false) => {
                    let deadline = self.deadline;
                    return Ok(Next::Wait(self, deadline));
                }
                Err(failure) => {
                    self.cancel(cx);
                    return Err(failure);
                }
            }
        }
        done()
    }

    fn cancel(&mut self, cx: &mut Context<'_>) {
        if let Some(watch) = self.watch.take() {
            cx.unwatch(watch);
        }
    }
}

impl Following {
    fn follow(&self, cx: &mut Context<'_>, watch: WatchId) -> Result<bool> {
        for event in cx.api()?.poll(watch)? {
            if event.kind == WatchEventType::Deleted {
                return Err(Failure::message("object has been deleted"));
            }
            let json = event.object.to_json().unwrap_or_default();
            let kind = event.object.kind();
            let (text, is_done) =
                progress(&json, &kind.kind, self.revision).map_err(|why| match why.as_str() {
                    "" => Failure::Message(format!(
                        "no status viewer has been implemented for {}",
                        kind.group_kind()
                    )),
                    _ => Failure::Message(why),
                })?;
            cx.out(&text);
            if is_done || !cx.flags().is("watch") {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Upstream: `StatusViewerFor`. The error is "" for kinds without rollouts.
fn progress(
    object: &Value,
    kind: &str,
    revision: i64,
) -> std::result::Result<(String, bool), String> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let name = quote(name);
    let number = |value: &Value| value.as_i64().unwrap_or(0);
    let (spec, status) = (&object["spec"], &object["status"]);
    let seen = number(&object["metadata"]["generation"]) <= number(&status["observedGeneration"]);
    let waiting = |text: String| Ok((text, false));
    match kind {
        "Deployment" => {
            check_revision(object, revision)?;
            if !seen {
                return waiting(
                    "Waiting for deployment spec update to be observed...\n".to_owned(),
                );
            }
            if has_timed_out(status) {
                return Err(format!("deployment {name} exceeded its progress deadline"));
            }
            let head = format!("Waiting for deployment {name} rollout to finish:");
            let (wanted, updated) = (number(&spec["replicas"]), number(&status["updatedReplicas"]));
            let (all, available) =
                (number(&status["replicas"]), number(&status["availableReplicas"]));
            if updated < wanted {
                waiting(format!(
                    "{head} {updated} out of {wanted} new replicas have been updated...\n"
                ))
            } else if all > updated {
                let old = all - updated;
                waiting(format!("{head} {old} old replicas are pending termination...\n"))
            } else if available < updated {
                waiting(format!(
                    "{head} {available} of {updated} updated replicas are available...\n"
                ))
            } else {
                Ok((format!("deployment {name} successfully rolled out\n"), true))
            }
        }
        "DaemonSet" => {
            if spec["updateStrategy"]["type"] != "RollingUpdate" {
                let text = "rollout status is only available for RollingUpdate strategy type";
                return Err(text.to_owned());
            }
            if !seen {
                return waiting(
                    "Waiting for daemon set spec update to be observed...\n".to_owned(),
                );
            }
            let head = format!("Waiting for daemon set {name} rollout to finish:");
            let wanted = number(&status["desiredNumberScheduled"]);
            let updated = number(&status["updatedNumberScheduled"]);
            let available = number(&status["numberAvailable"]);
            if updated < wanted {
                waiting(format!("{head} {updated} out of {wanted} new pods have been updated...\n"))
            } else if available < wanted {
                waiting(format!("{head} {available} of {wanted} updated pods are available...\n"))
            } else {
                Ok((format!("daemon set {name} successfully rolled out\n"), true))
            }
        }
        _ => Err(String::new()),
    }
}

fn check_revision(object: &Value, wanted: i64) -> std::result::Result<(), String> {
    let actual = revision_of(object).unwrap_or(0);
    if wanted > 0 && wanted != actual {
        return Err(format!(
            "desired revision ({wanted}) is different from the running revision ({actual})"
        ));
    }
    Ok(())
}

fn has_timed_out(status: &Value) -> bool {
    status["conditions"].as_array().into_iter().flatten().any(|condition| {
        condition["type"] == "Progressing" && condition["reason"] == "ProgressDeadlineExceeded"
    })
}

// ---- history, undo ----

fn revision_of(object: &Value) -> Option<i64> {
    object["metadata"]["annotations"][REVISION].as_str()?.parse().ok()
}

/// The replica sets of a deployment by revision.
fn revisions(cx: &mut Context<'_>, object: &Object) -> Result<BTreeMap<i64, Value>> {
    let kind = object.kind();
    if kind.kind != "Deployment" {
        let text =
            format!("no history viewer has been implemented for {}", quote(&kind.group_kind()));
        return Err(Failure::Message(text));
    }
    let (old, new) = deployment::replica_sets(cx, &object.to_json().unwrap_or_default())?;
    let sets = old.into_iter().chain(new);
    Ok(sets.filter_map(|set| Some((revision_of(&set)?, set))).collect())
}

fn history(cx: &mut Context<'_>) -> Outcome {
    let revision = not_negative(cx)?;
    let (objects, mut failures) = objects(cx)?;
    for object in objects {
        if let Err(failure) = history_of(cx, &object, revision) {
            failures.push(failure);
        }
    }
    Failure::from_many(failures)?;
    done()
}

fn history_of(cx: &mut Context<'_>, object: &Object, revision: i64) -> Result<()> {
    let revisions = revisions(cx, object)?;
    let missing = || Failure::message("unable to find the specified revision");
    if let Some(format) = Format::parse(cx, &[])? {
        let mut printer = Printer::new(format, cx.flags());
        let shown: Vec<&Value> = match revision {
            0 => revisions.values().collect(),
            revision => vec![revisions.get(&revision).ok_or_else(missing)?],
        };
        for set in shown {
            let text = printer.print(None, set.clone())?;
            cx.out(&text);
        }
        return Ok(());
    }
    let text = if revisions.is_empty() {
        "No rollout history found.".to_owned()
    } else if revision > 0 {
        let set = revisions.get(&revision).ok_or_else(missing)?;
        template_text(cx, set)
    } else {
        overview(&revisions)
    };
    let with = if revision > 0 { format!("with revision #{revision}") } else { String::new() };
    let operation = format!("{with}\n{text}");
    let json = object.to_json().unwrap_or_default();
    Teller::new(cx, "")?.tell(cx, &object.kind(), json, &operation)
}

fn overview(revisions: &BTreeMap<i64, Value>) -> String {
    let mut writer = TabWriter::describe();
    writer.line("REVISION\tCHANGE-CAUSE");
    for (revision, set) in revisions {
        let cause = set["metadata"]["annotations"][CHANGE_CAUSE].as_str();
        writer
            .line(&format!("{revision}\t{}", cause.filter(|c| !c.is_empty()).unwrap_or("<none>")));
    }
    writer.flush()
}

/// The pod template of a revision. As upstream, its columns are not aligned.
fn template_text(cx: &Context<'_>, set: &Value) -> String {
    let mut template = set["spec"]["template"].clone();
    if let Some(cause) = set["metadata"]["annotations"][CHANGE_CAUSE].as_str() {
        if !template["metadata"]["annotations"].is_object() {
            template["metadata"]["annotations"] = json!({});
        }
        template["metadata"]["annotations"][CHANGE_CAUSE] = json!(cause);
    }
    let mut page = Page::new(cx.now());
    podtemplate::describe(&mut page, &template);
    page.unaligned()
}

fn undo(cx: &mut Context<'_>) -> Outcome {
    let dry_run = cx.dry_run()?;
    let (objects, mut failures) = objects(cx)?;
    for object in objects {
        if let Err(failure) = undo_one(cx, &object, dry_run) {
            failures.push(failure);
        }
    }
    Failure::from_many(failures)?;
    done()
}

fn undo_one(cx: &mut Context<'_>, object: &Object, dry_run: DryRun) -> Result<()> {
    let (kind, json) = (object.kind(), object.to_json().unwrap_or_default());
    if kind.kind != "Deployment" {
        let text = format!("no rollbacker has been implemented for {}", quote(&kind.group_kind()));
        return Err(Failure::Message(text));
    }
    let wanted = cx.flags().int("to-revision");
    if wanted < 0 {
        let text = format!("unable to find specified revision {wanted} in history");
        return Err(Failure::Message(text));
    }
    let revisions = revisions(cx, object)?;
    let target = match wanted {
        0 => revisions.iter().rev().nth(1),
        wanted => revisions.get_key_value(&wanted),
    };
    let Some((_, set)) = target else {
        return Err(Failure::Message(match wanted {
            0 => {
                let name = quote(object.name());
                format!("no rollout history found for deployment {name}")
            }
            wanted => format!("unable to find specified revision {wanted} in history"),
        }));
    };
    if dry_run == DryRun::Client {
        let mut page = Page::new(cx.now());
        podtemplate::describe(&mut page, &set["spec"]["template"]);
        let operation = page.unaligned();
        return Teller::new(cx, dry_run.suffix())?.tell(cx, &kind, json, &operation);
    }
    if json["spec"]["paused"] == true {
        return Err(Failure::message(
            "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' \
             and try again",
        ));
    }
    let mut template = set["spec"]["template"].clone();
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove("pod-template-hash");
    }
    if template == json["spec"]["template"] {
        let operation =
            format!("skipped rollback (current template already matches revision {wanted})");
        return Teller::new(cx, dry_run.suffix())?.tell(cx, &kind, json, &operation);
    }
    let patch =
        Patch::Json(json!([{"op": "replace", "path": "/spec/template", "value": template}]));
    cx.patch(&kind, object.namespace(), object.name(), patch, dry_run).map_err(|failure| {
        Failure::Message(format!("failed restoring revision {wanted}: {}", failure.bare()))
    })?;
    Teller::new(cx, dry_run.suffix())?.tell(cx, &kind, json, "rolled back")
}
