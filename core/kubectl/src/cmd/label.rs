//! `kubectl label`.

use super::common;
use super::metadata::{self, Field};
use crate::command::Command;
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use naru_api::gofmt::quote;
use naru_api::names::label_value;
use std::collections::BTreeMap;

/// `kubectl label`
pub static COMMAND: Command = Command {
    usage: "label [--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N \
            [--resource-version=version]",
    short: "Update the labels on a resource",
    long: "Update the labels on a resource.\n\n KEY=VALUE sets a label, KEY- takes it away. A label \
           that has another value is changed\n only with --overwrite.",
    examples: "# Set a label\nkubectl label pods web tier=front\n\n\
               # Change it\nkubectl label --overwrite pods web tier=back\n\n\
               # Take it away\nkubectl label pods web tier-",
    flags: &[
        common::PRINT,
        common::FILENAME,
        common::DRY_RUN,
        common::SELECTOR,
        common::FIELD_SELECTOR,
        common::ALL_NAMESPACES,
        common::RECORD,
        metadata::FLAGS,
        &[Flag::text("field-manager", "kubectl-label", common::FIELD_MANAGER)],
    ],
    run: |cx| metadata::run(cx, &LABELS),
    ..Command::EMPTY
};

const LABELS: Field = Field { map: "labels", noun: "label", parse, operation, overwritten };

/// Upstream: `parseLabels`.
fn parse(args: &[String]) -> Result<(BTreeMap<String, String>, Vec<String>)> {
    let (mut set, mut removed) = (BTreeMap::new(), Vec::new());
    for arg in args {
        let parts: Vec<&str> = arg.split('=').collect();
        match (parts.as_slice(), arg.strip_suffix('-')) {
            ([key, value], _) => {
                let wrong = label_value(value);
                if !wrong.is_empty() {
                    let text = format!("invalid label value: {}: {}", quote(arg), wrong.join(";"));
                    return Err(Failure::Message(text));
                }
                set.insert((*key).to_owned(), (*value).to_owned());
            }
            ([_, _, ..], _) => {
                return Err(Failure::Message(format!("invalid label spec: {arg}")));
            }
            (_, Some(key)) => removed.push(key.to_owned()),
            _ => return Err(Failure::Message(format!("unknown label spec: {arg}"))),
        }
    }
    if removed.iter().any(|key| set.contains_key(key)) {
        let text = "can not both modify and remove a label in the same command";
        return Err(Failure::message(text));
    }
    Ok((set, removed))
}

/// Upstream: `updateDataChangeMsg`.
fn operation(changed: bool, shorter: bool, overwrite: bool) -> &'static str {
    match (changed, shorter && !overwrite) {
        (false, _) => "not labeled",
        (true, true) => "unlabeled",
        (true, false) => "labeled",
    }
}

fn overwritten(taken: &[(String, String)]) -> Failure {
    let failures = taken
        .iter()
        .map(|(key, value)| {
            let text = format!("'{key}' already has a value ({value}), and --overwrite is false");
            Failure::Message(text)
        })
        .collect();
    match Failure::from_many(failures) {
        Err(failure) => failure,
        Ok(()) => Failure::Exit(1),
    }
}
