//! `kubectl create namespace`.

use super::common;
use super::create::{SUBCOMMAND_FLAGS, create_described, name_argument};
use crate::command::Command;
use serde_json::json;

/// `kubectl create namespace`
pub static COMMAND: Command = Command {
    usage: "namespace NAME [--dry-run=server|client|none]",
    aliases: &["ns"],
    short: "Create a namespace with the specified name",
    examples: "# A namespace\nkubectl create namespace team-a",
    flags: &[
        common::PRINT,
        common::DRY_RUN,
        common::VALIDATE,
        common::SAVE_CONFIG,
        SUBCOMMAND_FLAGS,
    ],
    run: |cx| {
        let name = name_argument(cx)?;
        let namespace = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name},
        });
        create_described(cx, "namespaces", namespace, "")
    },
    ..Command::EMPTY
};
