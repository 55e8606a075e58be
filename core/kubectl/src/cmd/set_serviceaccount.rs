//! `kubectl set serviceaccount`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/set/set_serviceaccount.go`.

use super::common;
use super::set_change::{self, Changer};
use crate::command::Command;
use crate::context::{Context, done};
use crate::failure::Failure;
use crate::flags::Flag;
use crate::process::Outcome;
use serde_json::json;

/// `kubectl set serviceaccount`
pub static COMMAND: Command = Command {
    usage: "serviceaccount (-f FILENAME | TYPE NAME) SERVICE_ACCOUNT",
    aliases: &["sa"],
    short: "Update the service account of a resource",
    long: "Update the service account of pod template resources.",
    examples: "# Let a deployment's pods be another service account\n\
               kubectl set serviceaccount deployment web robot",
    flags: &[common::PRINT, common::FILENAME, common::DRY_RUN, common::RECORD, FLAGS],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::switch("all", "All objects of the types in the namespace."),
    Flag::text("field-manager", "kubectl-set", common::FIELD_MANAGER),
    Flag::switch("local", "Do not ask the API server."),
];

fn run(cx: &mut Context<'_>) -> Outcome {
    let dry_run = cx.dry_run()?;
    set_change::check_local(cx, dry_run)?;
    let failed = "failed to patch ServiceAccountName";
    let mut changer = Changer::new(cx, dry_run, "serviceaccount updated", failed)?;
    let Some((account, resources)) = cx.args().split_last() else {
        return Err(Failure::message("serviceaccount is required"));
    };
    let items = set_change::items(cx, resources)?;
    set_change::change_pod_specs(cx, &items, &mut changer, true, |_, _, spec| {
        spec["serviceAccountName"] = json!(account);
        Ok(true)
    })?;
    done()
}
