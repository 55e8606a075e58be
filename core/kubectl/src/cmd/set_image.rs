//! `kubectl set image`.

use super::common;
use crate::builder::Builder;
use crate::command::Command;
use crate::context::{Context, DryRun, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::generate::{parse_pairs, resources_and_pairs};
use crate::printers::Teller;
use crate::process::Outcome;
use naru_api::Object;
use naru_api::gofmt::quote;
use naru_api::request::Patch;
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
    let mut teller = Teller::new(cx, dry_run.suffix())?;
    let (resources, pairs) = resources_and_pairs(cx.args(), "image")?;
    let (images, _) = parse_pairs(&pairs, "image", false)?;
    let flags = cx.flags();
    if flags.is("local") {
        return Err(Failure::message("--local is not yet in Naru"));
    }
    let selection = Builder::new(cx)?
        .select_all(flags.is("all"))
        .types_or_names(cx, flags.is("all"), &resources)?
        .build(cx);
    let fetched = selection.and_then(|selection| selection.fetch_all(cx));
    check(cx, &resources, &images, &fetched)?;
    let mut failures = Vec::new();
    for object in fetched? {
        if let Err(failure) = set(cx, &object, &images, dry_run, &mut teller, &mut failures) {
            failures.push(failure);
        }
    }
    Failure::from_many(failures)?;
    done()
}

fn check(
    cx: &Context<'_>,
    resources: &[String],
    images: &BTreeMap<String, String>,
    fetched: &Result<Vec<Object>>,
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

fn set(
    cx: &mut Context<'_>,
    object: &Object,
    images: &BTreeMap<String, String>,
    dry_run: DryRun,
    teller: &mut Teller,
    failures: &mut Vec<Failure>,
) -> Result<()> {
    let (kind, mut json) = (object.kind(), object.to_json().unwrap_or_default());
    let in_template = kind.kind != "Pod";
    let pointer = if in_template { "/spec/template/spec" } else { "/spec" };
    let Some(spec) = json.pointer_mut(pointer).filter(|spec| spec.is_object()) else {
        let (resource, name) = (&kind.plural, object.name());
        let text = format!(
            "error: {resource}/{name} the object is not a pod or does not have a pod template: {}\n",
            kind.group_kind()
        );
        return Err(Failure::Message(text));
    };
    let mut changes = serde_json::Map::new();
    for (name, image) in images {
        let mut found = false;
        for list in ["initContainers", "containers"] {
            for container in spec[list].as_array_mut().into_iter().flatten() {
                if name != "*" && container["name"] != json!(name) {
                    continue;
                }
                found = true;
                if container["image"] != json!(image) {
                    container["image"] = json!(image);
                    let changed = json!({"image": image, "name": container["name"]});
                    let entry = changes.entry(list).or_insert_with(|| json!([]));
                    if let Some(entry) = entry.as_array_mut() {
                        entry.push(changed);
                    }
                }
            }
        }
        if !found {
            let text = format!("error: unable to find container named {}", quote(name));
            failures.push(Failure::Message(text));
        }
    }
    if changes.is_empty() {
        return Ok(());
    }
    if dry_run != DryRun::Client {
        let spec = Value::Object(changes);
        let patch = match in_template {
            true => json!({"spec": {"template": {"spec": spec}}}),
            false => json!({"spec": spec}),
        };
        let patched = cx
            .patch(&kind, object.namespace(), object.name(), Patch::Strategic(patch), dry_run)
            .map_err(|failure| {
                let why = failure.bare();
                Failure::Message(format!("failed to patch image update to pod template: {why}"))
            })?;
        json = patched.to_json().unwrap_or_default();
    }
    teller.tell(cx, &kind, json, "image updated")
}
