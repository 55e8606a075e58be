//! `kubectl create job`.

use super::common;
use super::create::{SUBCOMMAND_FLAGS, create_described, name_argument};
use crate::builder::Builder;
use crate::command::Command;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::process::Outcome;
use serde_json::{Value, json};

/// `kubectl create job`
pub static COMMAND: Command = Command {
    usage: "job NAME --image=image [--from=cronjob/name] -- [COMMAND] [args...]",
    short: "Create a job with the specified name",
    examples: "# A job of an image\nkubectl create job greet --image=busybox -- echo hello\n\n\
               # What a cron job would do, now\nkubectl create job now --from=cronjob/nightly",
    flags: &[
        common::PRINT,
        common::DRY_RUN,
        common::VALIDATE,
        common::SAVE_CONFIG,
        SUBCOMMAND_FLAGS,
        &[
            Flag::text("image", "", "The image to run."),
            Flag::text("from", "", "The cron job whose template to take: cronjob/NAME."),
        ],
    ],
    run,
    ..Command::EMPTY
};

fn run(cx: &mut Context<'_>) -> Outcome {
    let name = name_argument(cx)?;
    let command = cx.args().get(1..).unwrap_or_default();
    let (image, from) = (cx.flags().text("image"), cx.flags().text("from"));
    if image.is_empty() == from.is_empty() {
        return Err(Failure::message("either --image or --from must be specified"));
    }
    if !command.is_empty() && !from.is_empty() {
        return Err(Failure::message("cannot specify --from and command"));
    }
    let job = if from.is_empty() {
        json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"creationTimestamp": null, "name": name},
            "spec": job_spec(&name, image, command, "Never"),
            "status": {},
        })
    } else {
        of_cron_job(cx, &name, from)?
    };
    create_described(cx, "jobs.batch", job, "failed to create job:")
}

/// A job of one container that is named as the job.
pub fn job_spec(name: &str, image: &str, command: &[String], restart: &str) -> Value {
    let mut container = json!({"image": image, "name": name, "resources": {}});
    if !command.is_empty() {
        container["command"] = json!(command);
    }
    json!({
        "template": {
            "metadata": {"creationTimestamp": null},
            "spec": {"containers": [container], "restartPolicy": restart},
        },
    })
}

/// Upstream: `createJobFromCronJob`.
fn of_cron_job(cx: &mut Context<'_>, name: &str, from: &str) -> Result<Value> {
    let found = Builder::new(cx)?.types_or_names(cx, false, &[from.to_owned()])?.build(cx)?;
    let found = found.fetch_all(cx)?;
    let [cron_job] = found.as_slice() else {
        return Err(Failure::message("from must be an existing cronjob"));
    };
    if cron_job.kind().kind != "CronJob" {
        let text = format!("unknown object type *v1.{}", cron_job.kind().kind);
        return Err(Failure::Message(text));
    }
    let json = cron_job.to_json().map_err(|why| Failure::Message(why.to_string()))?;
    let template = &json["spec"]["jobTemplate"];
    let mut annotations = json!({"cronjob.kubernetes.io/instantiate": "manual"});
    for (key, value) in template["metadata"]["annotations"].as_object().into_iter().flatten() {
        annotations[key] = value.clone();
    }
    let mut metadata = json!({
        "annotations": annotations,
        "creationTimestamp": null,
        "name": name,
        "ownerReferences": [{
            "apiVersion": "batch/v1",
            "controller": true,
            "kind": "CronJob",
            "name": cron_job.name(),
            "uid": cron_job.uid(),
        }],
    });
    if let Some(labels) = template["metadata"].get("labels") {
        metadata["labels"] = labels.clone();
    }
    Ok(json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": template["spec"],
        "status": {},
    }))
}
