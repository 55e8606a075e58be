//! `kubectl annotate`.

use super::common;
use super::metadata::{self, Field};
use crate::command::Command;
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::generate::parse_pairs;
use std::collections::BTreeMap;

/// `kubectl annotate`
pub static COMMAND: Command = Command {
    usage: "annotate [--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N \
            [--resource-version=version]",
    short: "Update the annotations on a resource",
    long: "Update the annotations on one or more resources.\n\n KEY=VALUE sets an annotation, KEY- \
           takes it away. One that has another value is changed\n only with --overwrite.",
    examples: "# Set an annotation\nkubectl annotate pods web description='my front end'\n\n\
               # Take it away\nkubectl annotate pods web description-",
    flags: &[
        common::PRINT,
        common::FILENAME,
        common::DRY_RUN,
        common::SELECTOR,
        common::FIELD_SELECTOR,
        common::ALL_NAMESPACES,
        common::RECORD,
        metadata::FLAGS,
        &[Flag::text("field-manager", "kubectl-annotate", common::FIELD_MANAGER)],
    ],
    run: |cx| metadata::run(cx, &ANNOTATIONS),
    ..Command::EMPTY
};

const ANNOTATIONS: Field = Field {
    map: "annotations",
    noun: "annotation",
    parse,
    operation: |_, _, _| "annotated",
    overwritten,
};

fn parse(args: &[String]) -> Result<(BTreeMap<String, String>, Vec<String>)> {
    let (set, removed) = parse_pairs(args, "annotation", true)?;
    let both: Vec<&str> =
        removed.iter().filter(|key| set.contains_key(*key)).map(String::as_str).collect();
    if both.is_empty() {
        return Ok((set, removed));
    }
    Err(Failure::Message(format!(
        "can not both modify and remove the following annotation(s) in the same command: {}",
        both.join(", ")
    )))
}

fn overwritten(taken: &[(String, String)]) -> Failure {
    let texts: Vec<String> =
        taken.iter().map(|(key, value)| format!("'{key}' already has a value ({value})")).collect();
    Failure::Message(format!(
        "--overwrite is false but found the following declared annotation(s): {}",
        texts.join("; ")
    ))
}
