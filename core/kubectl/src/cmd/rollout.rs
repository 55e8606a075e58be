//! `kubectl rollout`.

use super::{common, rollout_history, rollout_status, rollout_undo};
use crate::builder::Builder;
use crate::command::Command;
use crate::context::{Context, DryRun, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::printers::Teller;
use crate::process::Outcome;
use naru_api::Object;
use naru_api::gofmt::quote;
use naru_api::request::Patch;
use serde_json::{Value, json};

/// `kubectl rollout`
pub static COMMAND: Command = Command {
    usage: "rollout SUBCOMMAND",
    short: "Manage the rollout of a resource",
    long: "Manage the rollout of one or many resources.\n\n Valid resource types include:\n\n  *  \
           deployments\n  *  daemonsets\n  *  statefulsets",
    examples: "# See whether the new version runs everywhere\nkubectl rollout status deployment/web\n\n\
               # Back to the version before\nkubectl rollout undo deployment/web",
    subcommands: &[
        &rollout_history::COMMAND,
        &PAUSE,
        &RESTART,
        &RESUME,
        &rollout_status::COMMAND,
        &rollout_undo::COMMAND,
    ],
    run: |cx| super::tell_group(cx, 1),
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

const ROLLOUT_MANAGER: &[Flag] =
    &[Flag::text("field-manager", "kubectl-rollout", common::FIELD_MANAGER)];

/// The objects that the arguments mean, and what could not be read.
pub(super) fn objects(cx: &mut Context<'_>) -> Result<(Vec<Object>, Vec<Failure>)> {
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

/// `--revision`, which is not negative.
pub(super) fn not_negative(cx: &Context<'_>) -> Result<i64> {
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
    let (objects, mut failures) = objects(cx)?;
    let mut teller = Teller::new(cx, "")?;
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
