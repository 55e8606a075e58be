//! `kubectl apply view-last-applied`.

use super::apply::LAST_APPLIED;
use super::common;
use crate::builder::{self, Builder};
use crate::command::Command;
use crate::context::{Context, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::process::Outcome;
use naru_api::yaml;
use serde_json::Value;

/// `kubectl apply view-last-applied`
pub static COMMAND: Command = Command {
    usage: "view-last-applied (TYPE [NAME | -l label] | TYPE/NAME | -f FILENAME)",
    short: "View the latest last-applied-configuration annotations of a resource/object",
    long: "View the latest last-applied-configuration annotations by type/name or file.\n\n The \
           default output is printed to stdout in YAML format. You can use the -o option to \
           change\n the output format.",
    examples: "# What was applied last, by type and name, in YAML\n\
               kubectl apply view-last-applied deployment/nginx\n\n\
               # By file, in JSON\n\
               kubectl apply view-last-applied -f deploy.yaml -o json",
    flags: &[common::FILENAME, common::SELECTOR, FLAGS],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::switch("all", "Select all resources in the namespace of the specified resource types"),
    Flag::text("output", "yaml", "Output format. Must be one of (yaml, json)").short("o"),
];

fn run(cx: &mut Context<'_>) -> Outcome {
    let selection =
        Builder::new(cx)?.types_or_names(cx, cx.flags().is("all"), cx.args())?.build(cx)?;
    let mut found = Vec::new();
    for target in selection.targets {
        for object in builder::fetch(cx, &target?)? {
            let annotations = object.meta().annotations.as_ref();
            let text = annotations.and_then(|annotations| annotations.get(LAST_APPLIED)).cloned();
            found.push(text.ok_or_else(|| {
                Failure::Message(format!(
                    "no last-applied-configuration annotation found on resource: {}\n",
                    object.name()
                ))
            })?);
        }
    }
    for text in found {
        let shown = show(cx, &text)?;
        cx.out(&shown);
    }
    done()
}

fn show(cx: &Context<'_>, text: &str) -> Result<String> {
    let value: Value =
        naru_api::json::parse(text.as_bytes()).map_err(|why| Failure::Message(why.to_string()))?;
    match cx.flags().text("output") {
        "yaml" => Ok(yaml::print(&value)),
        "json" => serde_json::to_string_pretty(&value)
            .map(|text| text + "\n")
            .map_err(|why| Failure::Message(why.to_string())),
        other => Err(cx.invocation.usage_error(format!(
            "Unexpected -o output mode: {other}, the flag 'output' must be one of yaml|json"
        ))),
    }
}
