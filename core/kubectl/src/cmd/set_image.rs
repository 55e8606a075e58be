//! `kubectl set image`.

use super::common;
use super::set_change::{self, Changer, Item};
use crate::command::Command;
use crate::context::{Context, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::generate::{list_mut, parse_pairs, resources_and_pairs};
use crate::process::Outcome;
use naru_api::gofmt::quote;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// `kubectl set image`
pub static COMMAND: Command = Command {
    usage: "image (-f FILENAME | TYPE NAME) CONTAINER_NAME_1=CONTAINER_IMAGE_1 ... \
            CONTAINER_NAME_N=CONTAINER_IMAGE_N",
    short: "Update the image of a pod template",
    long: "Update existing container image(s) of resources.",
    examples: "# Another image for a container of a deployment\n\
               kubectl set image deployment/web app=nginx:1.27\n\n\
               # For all containers of all deployments\n\
               kubectl set image deployments --all '*=nginx:1.27'",
    flags: &[
        common::PRINT,
        common::FILENAME,
        common::DRY_RUN,
        common::SELECTOR,
        common::RECORD,
        FLAGS,
    ],
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
    let failed = "failed to patch image update to pod template:";
    let mut changer = Changer::new(cx, dry_run, "image updated", failed)?;
    let (resources, pairs) = resources_and_pairs(cx.args(), "image")?;
    let (images, _) = parse_pairs(&pairs, "image", false)?;
    set_change::check_local(cx, dry_run)?;
    let items = set_change::items(cx, &resources);
    check(cx, &resources, &images, &items)?;
    let mut missing = Vec::new();
    let changed = set_change::change_pod_specs(cx, &items?, &mut changer, false, |_, _, spec| {
        set(spec, &images, &mut missing);
        Ok(true)
    });
    match changed {
        Err(Failure::Many(several)) => missing.extend(several),
        Err(failure) => missing.push(failure),
        Ok(()) => {}
    }
    Failure::from_many(missing)?;
    done()
}

fn check(
    cx: &Context<'_>,
    resources: &[String],
    images: &BTreeMap<String, String>,
    fetched: &Result<Vec<Item>>,
) -> Result<()> {
    // As upstream: what cannot be read is told before flags that do not fit.
    if fetched.is_err() {
        return Ok(());
    }
    let flags = cx.flags();
    let mut failures = Vec::new();
    let mut wrong = |text: &str| failures.push(Failure::message(text));
    if flags.is("all") && !flags.text("selector").is_empty() {
        wrong("cannot set --all and --selector at the same time");
    }
    if resources.is_empty() && flags.list("filename").is_empty() {
        wrong("one or more resources must be specified as <resource> <name> or <resource>/<name>");
    }
    if images.is_empty() {
        wrong("at least one image update is required");
    } else if images.len() > 1 && images.contains_key("*") {
        wrong(
            "all containers are already specified by *, but saw more than one \
             container_name=container_image pairs",
        );
    }
    Failure::from_many(failures)
}

/// Sets images; `missing` tells of containers that are not there.
fn set(spec: &mut Value, images: &BTreeMap<String, String>, missing: &mut Vec<Failure>) {
    for (name, image) in images {
        let mut found = false;
        for list in ["initContainers", "containers"] {
            for container in list_mut(spec, list) {
                if name == "*" || container["name"] == json!(name) {
                    found = true;
                    container["image"] = json!(image);
                }
            }
        }
        if !found {
            let text = format!("error: unable to find container named {}", quote(name));
            missing.push(Failure::Message(text));
        }
    }
}
