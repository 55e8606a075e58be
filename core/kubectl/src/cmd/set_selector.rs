//! `kubectl set selector`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/set/set_selector.go`.

use super::common;
use super::set_change::{self, Changer};
use crate::command::Command;
use crate::context::{Context, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::process::Outcome;
use naru_api::labels::Selector;
use serde_json::{Value, json};

/// `kubectl set selector`
pub static COMMAND: Command = Command {
    usage: "selector (-f FILENAME | TYPE NAME) EXPRESSIONS [--resource-version=version]",
    short: "Set the selector on a resource",
    long: "Set the selector on a resource. Note that the new selector will overwrite the old \
           selector if the resource had one prior to the invocation of 'set selector'.\n\n \
           Selectors can only be set on services.",
    examples: "# Let a service choose other pods\nkubectl set selector service web app=web,tier=front",
    flags: &[common::PRINT, common::FILENAME, common::DRY_RUN, common::RECORD, FLAGS],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::switch("all", "All objects of the types in the namespace."),
    Flag::text("field-manager", "kubectl-set", common::FIELD_MANAGER),
    Flag::switch("local", "Do not ask the API server."),
    Flag::text("resource-version", "", "Only if the object has this resource version."),
];

fn run(cx: &mut Context<'_>) -> Outcome {
    let dry_run = cx.dry_run()?;
    let mut changer = Changer::new(cx, dry_run, "selector updated", "")?;
    let Some((text, resources)) = cx.args().split_last() else {
        return Err(Failure::message("one selector is required"));
    };
    let selector = Selector::parse(text).map_err(|why| {
        Failure::Message(format!("couldn't parse the selector string \"{text}\": {why}"))
    })?;
    let selector = selector.to_label_selector().map_err(|why| Failure::Message(why.to_string()))?;
    let version = cx.flags().text("resource-version");
    for item in set_change::items(cx, resources)? {
        let mut after = item.json.clone();
        if item.kind.group_kind() != "Service" {
            return Err(Failure::message("setting a selector is only supported for Services"));
        }
        after["spec"]["selector"] = labels(&selector)?;
        if !version.is_empty() {
            after["metadata"]["resourceVersion"] = json!(version);
        }
        changer.change(cx, &item, after, true)?;
    }
    done()
}

fn labels(
    selector: &naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector,
) -> Result<Value> {
    if let Some(expressions) = selector.match_expressions.as_ref().filter(|list| !list.is_empty()) {
        let shown: Vec<String> = expressions
            .iter()
            .map(|e| {
                let values = e.values.as_deref().unwrap_or_default().join(" ");
                format!("{{{} {} [{values}]}}", e.key, e.operator)
            })
            .collect();
        let shown = shown.join(" ");
        return Err(Failure::Message(format!(
            "match expression [{shown}] not supported on this object"
        )));
    }
    Ok(json!(selector.match_labels.clone().unwrap_or_default()))
}
