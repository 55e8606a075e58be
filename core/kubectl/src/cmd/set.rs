//! `kubectl set`.

use super::unavailable;
use crate::command::Command;

/// `kubectl set`
pub static COMMAND: Command = Command {
    usage: "set SUBCOMMAND",
    short: "Set specific features on objects",
    long: "Configure application resources.\n\n These commands help you make changes to existing \
           application resources.",
    subcommands: &[
        &unavailable::SET_ENV,
        &super::set_image::COMMAND,
        &unavailable::SET_RESOURCES,
        &unavailable::SET_SELECTOR,
        &unavailable::SET_SERVICEACCOUNT,
        &unavailable::SET_SUBJECT,
    ],
    ..Command::EMPTY
};
