//! `kubectl rollout status`
//!
//! Upstream: `k8s.io/kubectl/pkg/polymorphichelpers/rollout_status.go`.

use super::common;
use super::rollout::{not_negative, objects};
use super::rollout_history::revision_of;
use crate::command::Command;
use crate::context::{Context, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::process::{Next, Outcome, Task};
use naru_api::gofmt::quote;
use naru_api::request::ListOptions;
use naru_api::{Object, WatchEventType, WatchId};
use naru_sim::Time;
use serde_json::Value;
use std::collections::VecDeque;
use std::time::Duration;

/// `kubectl rollout status`
pub static COMMAND: Command = Command {
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
            let json = event.object.content_json().unwrap_or_default();
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

/// What to tell of the object, and whether its rollout is done.
type Progress = std::result::Result<(String, bool), String>;

/// Upstream: `StatusViewerFor`. The error is "" for kinds without rollouts.
fn progress(object: &Value, kind: &str, revision: i64) -> Progress {
    match kind {
        "Deployment" => of_deployment(object, revision),
        "DaemonSet" => of_daemon_set(object),
        "StatefulSet" => of_stateful_set(object),
        _ => Err(String::new()),
    }
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

fn name_of(object: &Value) -> String {
    quote(object["metadata"]["name"].as_str().unwrap_or_default())
}

/// The controller has seen the latest change.
fn is_observed(object: &Value) -> bool {
    number(&object["metadata"]["generation"]) <= number(&object["status"]["observedGeneration"])
}

fn waiting(text: impl Into<String>) -> Progress {
    Ok((text.into(), false))
}

const ONLY_ROLLING: &str = "rollout status is only available for RollingUpdate strategy type";

fn of_deployment(object: &Value, revision: i64) -> Progress {
    let (name, spec, status) = (name_of(object), &object["spec"], &object["status"]);
    check_revision(object, revision)?;
    if !is_observed(object) {
        return waiting("Waiting for deployment spec update to be observed...\n");
    }
    if has_timed_out(status) {
        return Err(format!("deployment {name} exceeded its progress deadline"));
    }
    let head = format!("Waiting for deployment {name} rollout to finish:");
    let (wanted, updated) = (number(&spec["replicas"]), number(&status["updatedReplicas"]));
    let (all, available) = (number(&status["replicas"]), number(&status["availableReplicas"]));
    if updated < wanted {
        waiting(format!("{head} {updated} out of {wanted} new replicas have been updated...\n"))
    } else if all > updated {
        let old = all - updated;
        waiting(format!("{head} {old} old replicas are pending termination...\n"))
    } else if available < updated {
        waiting(format!("{head} {available} of {updated} updated replicas are available...\n"))
    } else {
        Ok((format!("deployment {name} successfully rolled out\n"), true))
    }
}

fn of_daemon_set(object: &Value) -> Progress {
    let (name, status) = (name_of(object), &object["status"]);
    if object["spec"]["updateStrategy"]["type"] != "RollingUpdate" {
        return Err(ONLY_ROLLING.to_owned());
    }
    if !is_observed(object) {
        return waiting("Waiting for daemon set spec update to be observed...\n");
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

fn of_stateful_set(object: &Value) -> Progress {
    let (spec, status) = (&object["spec"], &object["status"]);
    let strategy = &spec["updateStrategy"];
    if strategy["type"] != "RollingUpdate" {
        return Err(ONLY_ROLLING.to_owned());
    }
    if number(&status["observedGeneration"]) == 0 || !is_observed(object) {
        return waiting("Waiting for statefulset spec update to be observed...\n");
    }
    let wanted = number(&spec["replicas"]);
    let (ready, updated) = (number(&status["readyReplicas"]), number(&status["updatedReplicas"]));
    if ready < wanted {
        return waiting(format!("Waiting for {} pods to be ready...\n", wanted - ready));
    }
    if strategy["rollingUpdate"].is_object() {
        let wanted = wanted - number(&strategy["rollingUpdate"]["partition"]);
        return match updated < wanted {
            true => waiting(format!(
                "Waiting for partitioned roll out to finish: {updated} out of {wanted} new pods \
                 have been updated...\n"
            )),
            false => Ok((
                format!("partitioned roll out complete: {updated} new pods have been updated...\n"),
                true,
            )),
        };
    }
    let revision = |field: &str| status[field].as_str().unwrap_or_default();
    let (update, current) = (revision("updateRevision"), revision("currentRevision"));
    if update != current {
        return waiting(format!(
            "waiting for statefulset rolling update to complete {updated} pods at revision \
             {update}...\n"
        ));
    }
    let pods = number(&status["currentReplicas"]);
    let text =
        format!("statefulset rolling update complete {pods} pods at revision {current}...\n");
    Ok((text, true))
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
