//! `kubectl rollout undo`
//!
//! Upstream: `k8s.io/kubectl/pkg/polymorphichelpers/rollback.go`.

use super::common;
use super::rollout::objects;
use super::rollout_history::{Revision, describe_template, revisions};
use crate::command::Command;
use crate::context::{Context, DryRun, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::printers::Teller;
use crate::process::Outcome;
use naru_api::Object;
use naru_api::gofmt::quote;
use naru_api::request::Patch;
use serde_json::{Map, Value, json};

/// `kubectl rollout undo`
pub static COMMAND: Command = Command {
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

/// What a deployment keeps of its own annotations, and does not take from a replica set.
const NOT_COPIED: [&str; 6] = [
    crate::cmd::apply::LAST_APPLIED,
    "deployment.kubernetes.io/revision",
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
];

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
    if !["Deployment", "DaemonSet", "StatefulSet"].contains(&&*kind.kind) {
        let text = format!("no rollbacker has been implemented for {}", quote(&kind.group_kind()));
        return Err(Failure::Message(text));
    }
    let operation = roll_back(cx, object, &json, dry_run)?;
    Teller::new(cx, dry_run.suffix())?.tell(cx, &kind, json, &operation)
}

/// Brings the revision back; returns what to tell.
fn roll_back(
    cx: &mut Context<'_>,
    object: &Object,
    json: &Value,
    dry_run: DryRun,
) -> Result<String> {
    let wanted = cx.flags().int("to-revision");
    let target = find(cx, object, wanted)?;
    let of_deployment = target.data.is_null();
    if dry_run == DryRun::Client {
        return Ok(match of_deployment {
            true => describe_template(cx, &target.object["spec"]["template"]),
            false => format!("will roll back to {}", describe_template(cx, &target.template)),
        });
    }
    if json["spec"]["paused"] == true {
        return Err(Failure::message(
            "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' \
             and try again",
        ));
    }
    if target.template == json["spec"]["template"] {
        let text = format!("skipped rollback (current template already matches revision {wanted})");
        return Ok(text);
    }
    let patch = match of_deployment {
        true => Patch::Json(json!([
            {"op": "replace", "path": "/spec/template", "value": target.template},
            {"op": "replace", "path": "/metadata/annotations",
                "value": annotations(json, &target)},
        ])),
        false => Patch::Strategic(target.data),
    };
    let kind = object.kind();
    cx.patch(&kind, object.namespace(), object.name(), patch, dry_run).map_err(|failure| {
        Failure::Message(format!("failed restoring revision {wanted}: {}", failure.bare()))
    })?;
    Ok("rolled back".to_owned())
}

/// The revision that is wanted; 0 is the one before the last.
fn find(cx: &mut Context<'_>, object: &Object, wanted: i64) -> Result<Revision> {
    let missing = || format!("unable to find specified revision {wanted} in history");
    if wanted < 0 {
        return Err(Failure::Message(missing()));
    }
    let mut revisions = revisions(cx, object)?;
    let found = match wanted {
        0 => revisions.into_values().rev().nth(1),
        wanted => revisions.remove(&wanted),
    };
    found.ok_or_else(|| {
        Failure::Message(match (wanted, &*object.kind().kind) {
            (0, "Deployment") => {
                let name = quote(object.name());
                format!("no rollout history found for deployment {name}")
            }
            (0, _) => "no last revision to roll back to".to_owned(),
            _ => missing(),
        })
    })
}

fn annotations(deployment: &Value, target: &Revision) -> Map<String, Value> {
    let own = deployment["metadata"]["annotations"].as_object();
    let own = own.into_iter().flatten().filter(|(name, _)| NOT_COPIED.contains(&name.as_str()));
    let taken = target.annotations.as_object();
    let taken = taken.into_iter().flatten();
    let taken = taken.filter(|(name, _)| !NOT_COPIED.contains(&name.as_str()));
    own.chain(taken).map(|(name, value)| (name.clone(), value.clone())).collect()
}
