//! `kubectl set`.

use crate::command::Command;

/// `kubectl set`
pub static COMMAND: Command = Command {
    usage: "set SUBCOMMAND",
    short: "Set specific features on objects",
    long: "Configure application resources.\n\n These commands help you make changes to existing \
           application resources.",
    subcommands: &[
        &super::set_env::COMMAND,
        &super::set_image::COMMAND,
        &super::set_resources::COMMAND,
        &super::set_selector::COMMAND,
        &super::set_serviceaccount::COMMAND,
        &super::set_subject::COMMAND,
    ],
    ..Command::EMPTY
};
