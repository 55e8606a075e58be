//! `kubectl create serviceaccount`.

use super::common;
use super::create::{SUBCOMMAND_FLAGS, create_described, name_argument};
use crate::command::Command;
use serde_json::json;

/// `kubectl create serviceaccount`
pub static COMMAND: Command = Command {
    usage: "serviceaccount NAME [--dry-run=server|client|none]",
    aliases: &["sa"],
    short: "Create a service account with the specified name",
    examples: "# A service account\nkubectl create serviceaccount robot",
    flags: &[
        common::PRINT,
        common::DRY_RUN,
        common::VALIDATE,
        common::SAVE_CONFIG,
        SUBCOMMAND_FLAGS,
    ],
    run: |cx| {
        let name = name_argument(cx)?;
        let account = json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": name},
        });
        create_described(cx, "serviceaccounts", account, "failed to create serviceaccount:")
    },
    ..Command::EMPTY
};
