//! `kubectl scale`.

use super::common;
use crate::builder::Builder;
use crate::command::Command;
use crate::context::{Context, DryRun, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::printers::Teller;
use crate::process::Outcome;
use naru_api::Object;
use naru_api::request::Patch;
use serde_json::json;

/// `kubectl scale`
pub static COMMAND: Command = Command {
    usage: "scale [--resource-version=version] [--current-replicas=count] --replicas=COUNT (-f \
            FILENAME | TYPE NAME)",
    short: "Set a new size for a deployment, replica set, or replication controller",
    long: "Set a new size for a deployment, replica set, replication controller, or stateful set.",
    examples: "# Three replicas\nkubectl scale --replicas=3 deployment/web\n\n\
               # Three, if there are two now\n\
               kubectl scale --current-replicas=2 --replicas=3 deployment/web",
    flags: &[
        common::PRINT,
        common::FILENAME,
        common::DRY_RUN,
        common::SELECTOR,
        common::RECORD,
        FLAGS,
    ],
    required: &["replicas"],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::switch("all", "All objects of the types in the namespace."),
    Flag::int("current-replicas", "-1", "Only if this is the size now; -1: whatever it is."),
    Flag::int("replicas", "0", "The new size. Required."),
    Flag::text("resource-version", "", "Only if the object has this resource version."),
    Flag::duration("timeout", "0s", "How long to wait for the new size; 0: not at all."),
];

fn run(cx: &mut Context<'_>) -> Outcome {
    let dry_run = cx.dry_run()?;
    let mut teller = Teller::new(cx, dry_run.suffix())?;
    let flags = cx.flags();
    if flags.int("replicas") < 0 {
        return Err(Failure::message(
            "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0",
        ));
    }
    if flags.int("current-replicas") < -1 {
        let text = "The --current-replicas must specify an integer of -1 or greater";
        return Err(Failure::message(text));
    }
    let selection = Builder::new(cx)?.types_or_names(cx, flags.is("all"), cx.args())?.build(cx)?;
    let (objects, failures) = selection.fetch(cx);
    if objects.len() > 1 && !flags.text("resource-version").is_empty() {
        return Err(Failure::message("cannot use --resource-version with multiple resources"));
    }
    let problems = Failure::from_many(failures);
    if objects.is_empty() {
        return Err(Failure::Message(match problems {
            Err(failure) => format!("no objects passed to scale {}", failure.bare()),
            Ok(()) => "no objects passed to scale".to_owned(),
        }));
    }
    for object in objects {
        if dry_run != DryRun::Client {
            scale(cx, &object, dry_run)?;
        }
        teller.tell(cx, &object.kind(), object.to_json().unwrap_or_default(), "scaled")?;
    }
    problems?;
    done()
}

fn scale(cx: &mut Context<'_>, object: &Object, dry_run: DryRun) -> Result<()> {
    let (kind, flags) = (object.kind(), cx.flags());
    let scale = cx.get_subresource(&kind, object.namespace(), object.name(), "scale")?;
    let json = scale.to_json().unwrap_or_default();
    let current = json["spec"]["replicas"].as_i64().unwrap_or(0);
    let wanted = flags.int("current-replicas");
    if wanted != -1 && wanted != current {
        let text = format!("Expected replicas to be {wanted}, was {current}");
        return Err(Failure::Message(text));
    }
    let version = flags.text("resource-version");
    let actual = object.meta().resource_version.as_deref().unwrap_or_default();
    if !version.is_empty() && version != actual {
        let text = format!("Expected resource version to be {version}, was {actual}");
        return Err(Failure::Message(text));
    }
    let patch = Patch::Merge(json!({"spec": {"replicas": flags.int("replicas")}}));
    cx.patch_subresource(&kind, object.namespace(), object.name(), "scale", patch, dry_run)?;
    Ok(())
}
