//! `kubectl set subject`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/set/set_subject.go`.

use super::common;
use super::set_change::{self, Changer, Item};
use crate::command::Command;
use crate::context::{Context, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::process::Outcome;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// `kubectl set subject`
pub static COMMAND: Command = Command {
    usage: "subject (-f FILENAME | TYPE NAME) [--user=username] [--group=groupname] \
            [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]",
    short: "Update the user, group, or service account in a role binding or cluster role binding",
    long: "Update the user, group, or service account in a role binding or cluster role binding.",
    examples: "# Bind a service account too\n\
               kubectl set subject clusterrolebinding admin --serviceaccount=namespace:robot\n\n\
               # Bind users and a group\n\
               kubectl set subject rolebinding admin --user=user1 --user=user2 --group=group1",
    flags: &[common::PRINT, common::FILENAME, common::DRY_RUN, common::SELECTOR, FLAGS],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::switch("all", "All objects of the types in the namespace."),
    Flag::text("field-manager", "kubectl-set", common::FIELD_MANAGER),
    Flag::array("group", "Groups to bind to the role."),
    Flag::switch("local", "Do not ask the API server."),
    Flag::array("serviceaccount", "Service accounts to bind to the role: NAMESPACE:NAME."),
    Flag::array("user", "Users to bind to the role."),
];

fn run(cx: &mut Context<'_>) -> Outcome {
    let dry_run = cx.dry_run()?;
    let failed = "failed to patch subjects to rolebinding:";
    let mut changer = Changer::new(cx, dry_run, "subjects updated", failed)?;
    let flags = cx.flags();
    if flags.is("local") && !cx.args().is_empty() {
        return Err(set_change::needs_file());
    }
    let items = set_change::items(cx, cx.args())?;
    set_change::check_local(cx, dry_run)?;
    if flags.is("all") && !flags.text("selector").is_empty() {
        return Err(Failure::message("cannot set --all and --selector at the same time"));
    }
    check_accounts(cx, &items)?;
    let namespace = cx.namespace()?.0;
    let wanted = subjects(cx, &namespace);
    let mut failures = Vec::new();
    for item in items {
        let mut after = item.json.clone();
        if !matches!(&*item.kind.kind, "RoleBinding" | "ClusterRoleBinding") {
            failures.push(Failure::Message(format!(
                "error: {} setting subjects is only supported for RoleBinding/ClusterRoleBinding\n",
                item.object_name(flags.is("local"))
            )));
            continue;
        }
        if !after["subjects"].is_array() {
            after["subjects"] = json!([]);
        }
        let there = after["subjects"].as_array().cloned().unwrap_or_default();
        if let Some(list) = after["subjects"].as_array_mut() {
            list.extend(wanted.iter().filter(|new| !there.contains(new)).cloned());
        }
        if let Err(failure) = changer.change(cx, &item, after, false) {
            failures.push(failure);
        }
    }
    Failure::from_many(failures)?;
    done()
}

fn check_accounts(cx: &Context<'_>, items: &[Item]) -> Result<()> {
    let flags = cx.flags();
    if ["user", "group", "serviceaccount"].iter().all(|flag| flags.list(flag).is_empty()) {
        return Err(Failure::message(
            "you must specify at least one value of user, group or serviceaccount",
        ));
    }
    for account in flags.list("serviceaccount") {
        let parts: Vec<&str> = account.split(':').collect();
        let [namespace, name] = parts.as_slice() else {
            return Err(Failure::message("serviceaccount must be <namespace>:<name>"));
        };
        if name.is_empty() {
            return Err(Failure::message("serviceaccount must be <namespace>:<name>"));
        }
        let cluster_wide = items.iter().any(|item| item.kind.kind == "ClusterRoleBinding");
        if namespace.is_empty() && cluster_wide {
            return Err(Failure::message(
                "serviceaccount must be <namespace>:<name>, namespace must be specified",
            ));
        }
    }
    Ok(())
}

fn subjects(cx: &Context<'_>, namespace: &str) -> Vec<Value> {
    let flags = cx.flags();
    let sorted = |flag: &str| -> BTreeSet<String> { flags.list(flag).iter().cloned().collect() };
    let mut subjects = Vec::new();
    for (flag, kind) in [("user", "User"), ("group", "Group")] {
        for name in sorted(flag) {
            let group = "rbac.authorization.k8s.io";
            subjects.push(json!({ "apiGroup": group, "kind": kind, "name": name }));
        }
    }
    for account in sorted("serviceaccount") {
        let (of, name) = account.split_once(':').unwrap_or_default();
        let of = if of.is_empty() { namespace } else { of };
        subjects.push(json!({ "kind": "ServiceAccount", "name": name, "namespace": of }));
    }
    subjects
}
