//! `kubectl create priorityclass`.

use super::common;
use super::create::{SUBCOMMAND_FLAGS, create_described, name_argument};
use crate::command::Command;
use crate::flags::Flag;
use serde_json::{Value, json};

/// `kubectl create priorityclass`
pub static COMMAND: Command = Command {
    usage: "priorityclass NAME --value=VALUE --global-default=BOOL [--dry-run=server|client|none]",
    aliases: &["pc"],
    short: "Create a priority class with the specified name",
    examples: "# For pods that may push others away\n\
               kubectl create priorityclass high --value=1000 --description=\"goes first\"",
    flags: &[
        common::PRINT,
        common::DRY_RUN,
        common::VALIDATE,
        common::SAVE_CONFIG,
        SUBCOMMAND_FLAGS,
        &[
            Flag::int32("value", "0", "The priority."),
            Flag::switch("global-default", "Of pods that name no class."),
            Flag::text("description", "", "When to use it."),
            Flag::text(
                "preemption-policy",
                "PreemptLowerPriority",
                "Whether its pods push others away.",
            ),
        ],
    ],
    run: |cx| {
        let name = name_argument(cx)?;
        let flags = cx.flags();
        let mut class = json!({
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"creationTimestamp": null, "name": name},
            "preemptionPolicy": flags.text("preemption-policy"),
            "value": flags.int("value"),
        });
        if flags.is("global-default") {
            class["globalDefault"] = Value::from(true);
        }
        if !flags.text("description").is_empty() {
            class["description"] = Value::from(flags.text("description"));
        }
        create_described(
            cx,
            "priorityclasses.scheduling.k8s.io",
            class,
            "failed to create priorityclass:",
        )
    },
    ..Command::EMPTY
};
