//! `kubectl apply set-last-applied`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/apply/apply_set_last_applied.go`.

use super::apply::{self, LAST_APPLIED};
use super::common;
use crate::builder::{Builder, Target};
use crate::command::Command;
use crate::context::{Context, DryRun, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::printers::Teller;
use crate::process::Outcome;
use naru_api::KindRef;
use naru_api::request::Patch;
use serde_json::{Value, json};

/// `kubectl apply set-last-applied`
pub static COMMAND: Command = Command {
    usage: "set-last-applied -f FILENAME",
    short: "Set the last-applied-configuration annotation on a live object to match the contents \
            of a file",
    long: "Set the latest last-applied-configuration annotations by setting it to match the \
           contents of a file. The annotation becomes what 'kubectl apply -f <file>' would make it; \
           nothing else of the object changes.",
    examples: "# What a file says counts as applied\n\
               kubectl apply set-last-applied -f deploy.yaml\n\n\
               # The same for an object that was never applied\n\
               kubectl apply set-last-applied -f deploy.yaml --create-annotation=true",
    flags: &[common::PRINT, common::DRY_RUN, FLAGS],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::switch("create-annotation", "Make the annotation where there is none."),
    Flag::slice("filename", "Files, folders or URLs that hold the configuration.").short("f"),
];

/// A change that is to be sent.
struct Change {
    kind: KindRef,
    namespace: String,
    name: String,
    live: Value,
    patch: Value,
}

fn run(cx: &mut Context<'_>) -> Outcome {
    let dry_run = cx.dry_run()?;
    let mut teller = Teller::new(cx, dry_run.suffix())?;
    let mut changes = Vec::new();
    for target in Builder::new(cx)?.build(cx)?.targets {
        changes.extend(change(cx, target?)?);
    }
    for Change { kind, namespace, name, mut live, patch } in changes {
        if dry_run != DryRun::Client {
            let patched = cx.patch(&kind, &namespace, &name, Patch::Merge(patch), dry_run)?;
            live = patched.to_json().unwrap_or_default();
        }
        teller.tell(cx, &kind, live, "configured")?;
    }
    done()
}

fn change(cx: &mut Context<'_>, target: Target) -> Result<Option<Change>> {
    let Target::Manifest(manifest) = target else { return Ok(None) };
    let (kind, namespace, name) = (manifest.kind, manifest.namespace, manifest.name);
    let live =
        cx.get(&kind, &namespace, &name).map_err(|failure| match failure.is_not_found() {
            true => failure,
            false => {
                let location = apply::location(&kind, &name, &namespace);
                let doing =
                    format!("retrieving current configuration of:\n{location}\nfrom server for:");
                failure.sourced(&doing, &manifest.source)
            }
        })?;
    let there =
        live.meta().annotations.as_ref().and_then(|annotations| annotations.get(LAST_APPLIED));
    if there.is_none() && !cx.flags().is("create-annotation") {
        return Err(Failure::Message(format!(
            "no last-applied-configuration annotation found on resource: {name}, to create the \
             annotation, run the command with --create-annotation"
        )));
    }
    let old: Option<Value> = there.and_then(|text| serde_json::from_str(text).ok());
    if old.as_ref() == Some(&manifest.object) {
        cx.line(&format!("set-last-applied {name}: no changes required."));
        return Ok(None);
    }
    let patch = annotation_patch(&manifest.object)?;
    let live = live.to_json().unwrap_or_default();
    Ok(Some(Change { kind, namespace, name, live, patch }))
}

/// A patch that writes an object down as what was applied last.
///
/// Upstream: `editor.GetApplyPatch`.
pub fn annotation_patch(object: &Value) -> Result<Value> {
    let text = apply::go_json(object)?;
    Ok(json!({ "metadata": { "annotations": { LAST_APPLIED: format!("{text}\n") } } }))
}
