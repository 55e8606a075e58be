//! `kubectl create cronjob`.

use super::common;
use super::create::{SUBCOMMAND_FLAGS, create_described, name_argument};
use super::create_job::job_spec;
use crate::command::Command;
use crate::context::Context;
use crate::flags::Flag;
use crate::process::Outcome;
use serde_json::json;

/// `kubectl create cronjob`
pub static COMMAND: Command = Command {
    usage: "cronjob NAME --image=image --schedule='0/5 * * * ?' -- [COMMAND] [args...]",
    aliases: &["cj"],
    short: "Create a cron job with the specified name",
    examples: "# Every minute\n\
               kubectl create cronjob tick --image=busybox --schedule=\"*/1 * * * *\" -- date",
    flags: &[
        common::PRINT,
        common::DRY_RUN,
        common::VALIDATE,
        common::SAVE_CONFIG,
        SUBCOMMAND_FLAGS,
        &[
            Flag::text("image", "", "The image to run."),
            Flag::text("schedule", "", "When to run it, in cron's format."),
            Flag::text("restart", "", "The pods' restart policy: OnFailure or Never."),
        ],
    ],
    required: &["image", "schedule"],
    run,
    ..Command::EMPTY
};

fn run(cx: &mut Context<'_>) -> Outcome {
    let name = name_argument(cx)?;
    let command = cx.args().get(1..).unwrap_or_default();
    let restart = match cx.flags().text("restart") {
        "" => "OnFailure",
        restart => restart,
    };
    let cron_job = json!({
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"creationTimestamp": null, "name": name},
        "spec": {
            "jobTemplate": {
                "metadata": {"creationTimestamp": null, "name": name},
                "spec": job_spec(&name, cx.flags().text("image"), command, restart),
            },
            "schedule": cx.flags().text("schedule"),
        },
        "status": {},
    });
    create_described(cx, "cronjobs.batch", cron_job, "failed to create cronjob:")
}
