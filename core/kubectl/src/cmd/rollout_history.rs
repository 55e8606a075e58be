//! `kubectl rollout history`
//!
//! Upstream: `k8s.io/kubectl/pkg/polymorphichelpers/history.go`.

use super::common;
use super::rollout::{not_negative, objects};
use crate::command::Command;
use crate::context::{Context, done};
use crate::describe::{deployment, page::Page, podtemplate};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::podsfor;
use crate::printers::tabwriter::TabWriter;
use crate::printers::{Format, Printer, Teller};
use crate::process::Outcome;
use naru_api::Object;
use naru_api::gofmt::quote;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// `kubectl rollout history`
pub static COMMAND: Command = Command {
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

const REVISION: &str = "deployment.kubernetes.io/revision";
const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";

/// What a kind's pods were made of once.
pub(super) struct Revision {
    /// As `-o` prints it: the replica set, or the object as it was.
    pub(super) object: Value,
    /// The template, without what controllers add to it.
    pub(super) template: Value,
    /// Of the replica set or the controller revision.
    pub(super) annotations: Value,
    /// The patch that brings it back; null for a deployment.
    pub(super) data: Value,
}

/// The number of a deployment's revision, or of a replica set's.
pub(super) fn revision_of(object: &Value) -> Option<i64> {
    object["metadata"]["annotations"][REVISION].as_str()?.parse().ok()
}

/// The history of a deployment, a daemon set or a stateful set, by revision.
pub(super) fn revisions(cx: &mut Context<'_>, object: &Object) -> Result<BTreeMap<i64, Revision>> {
    let kind = object.kind();
    match kind.group_kind().as_str() {
        "Deployment.apps" => of_deployment(cx, object),
        "DaemonSet.apps" | "StatefulSet.apps" => of_set(cx, object),
        other => {
            let text = format!("no history viewer has been implemented for {}", quote(other));
            Err(Failure::Message(text))
        }
    }
}

fn of_deployment(cx: &mut Context<'_>, object: &Object) -> Result<BTreeMap<i64, Revision>> {
    let (old, new) = deployment::replica_sets(cx, &object.to_json().unwrap_or_default())?;
    let revision = |set: Value| {
        let mut template = set["spec"]["template"].clone();
        if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
            labels.remove("pod-template-hash");
        }
        let annotations = set["metadata"]["annotations"].clone();
        Revision { object: set, template, annotations, data: Value::Null }
    };
    let sets = old.into_iter().chain(new);
    Ok(sets.filter_map(|set| Some((revision_of(&set)?, revision(set)))).collect())
}

fn of_set(cx: &mut Context<'_>, object: &Object) -> Result<BTreeMap<i64, Revision>> {
    let json = object.to_json().unwrap_or_default();
    let selector = podsfor::label_selector_text(&json["spec"]["selector"]);
    let kind = "controllerrevisions.apps";
    let stored = crate::describe::list(cx, kind, object.namespace(), &selector)?;
    let owned = stored
        .iter()
        .filter(|revision| revision.controller().is_some_and(|owner| owner.uid == object.uid()));
    let revision = |stored: &Object| {
        let stored = stored.to_json().unwrap_or_default();
        let mut template = stored["data"]["spec"]["template"].clone();
        if let Some(fields) = template.as_object_mut() {
            fields.remove("$patch");
        }
        let mut as_it_was = json.clone();
        as_it_was["spec"]["template"] = template.clone();
        let annotations = stored["metadata"]["annotations"].clone();
        let number = stored["revision"].as_i64().unwrap_or(0);
        let data = stored["data"].clone();
        (number, Revision { object: as_it_was, template, annotations, data })
    };
    Ok(owned.map(revision).collect())
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
        let shown: Vec<&Revision> = match revision {
            0 => revisions.values().collect(),
            revision => vec![revisions.get(&revision).ok_or_else(missing)?],
        };
        for revision in shown {
            let text = printer.print(None, revision.object.clone())?;
            cx.out(&text);
        }
        return Ok(());
    }
    let text = if revisions.is_empty() {
        "No rollout history found.".to_owned()
    } else if revision > 0 {
        let revision = revisions.get(&revision).ok_or_else(missing)?;
        template_text(cx, revision)
    } else {
        overview(&revisions)
    };
    let with = if revision > 0 { format!("with revision #{revision}") } else { String::new() };
    let operation = format!("{with}\n{text}");
    let json = object.to_json().unwrap_or_default();
    Teller::new(cx, "")?.tell(cx, &object.kind(), json, &operation)
}

fn overview(revisions: &BTreeMap<i64, Revision>) -> String {
    let mut writer = TabWriter::describe();
    writer.line("REVISION\tCHANGE-CAUSE");
    for (number, revision) in revisions {
        let cause = revision.annotations[CHANGE_CAUSE].as_str();
        writer.line(&format!("{number}\t{}", cause.filter(|c| !c.is_empty()).unwrap_or("<none>")));
    }
    writer.flush()
}

/// The pod template of a revision. As upstream, its columns are not aligned, and a deployment's
/// has the hash and the cause of the change.
fn template_text(cx: &Context<'_>, revision: &Revision) -> String {
    let mut template = revision.object["spec"]["template"].clone();
    let cause = revision.annotations[CHANGE_CAUSE].as_str();
    if let Some(cause) = cause.filter(|_| revision.data.is_null()) {
        if !template["metadata"]["annotations"].is_object() {
            template["metadata"]["annotations"] = json!({});
        }
        template["metadata"]["annotations"][CHANGE_CAUSE] = json!(cause);
    }
    describe_template(cx, &template)
}

/// A pod template with tabs where columns would be.
pub(super) fn describe_template(cx: &Context<'_>, template: &Value) -> String {
    let mut page = Page::new(cx.now());
    podtemplate::describe(&mut page, template);
    page.unaligned()
}
