//! `kubectl create poddisruptionbudget`.

use super::common;
use super::create::{SUBCOMMAND_FLAGS, create_described, name_argument};
use crate::command::Command;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::process::Outcome;
use naru_api::labels;
use serde_json::{Value, json};

/// `kubectl create poddisruptionbudget`
pub static COMMAND: Command = Command {
    usage: "poddisruptionbudget NAME --selector=SELECTOR --min-available=N \
            [--dry-run=server|client|none]",
    aliases: &["pdb"],
    short: "Create a pod disruption budget with the specified name",
    examples: "# One of the pods at least stays\n\
               kubectl create pdb web --selector=app=web --min-available=1",
    flags: &[
        common::PRINT,
        common::DRY_RUN,
        common::VALIDATE,
        common::SAVE_CONFIG,
        SUBCOMMAND_FLAGS,
        &[
            Flag::text("min-available", "", "How many pods stay: a number or a percentage."),
            Flag::text("max-unavailable", "", "How many may be away: a number or a percentage."),
            Flag::text("selector", "", "The pods, by their labels."),
        ],
    ],
    run,
    ..Command::EMPTY
};

fn run(cx: &mut Context<'_>) -> Outcome {
    let name = name_argument(cx)?;
    let flags = cx.flags();
    let [selector, least, most] =
        ["selector", "min-available", "max-unavailable"].map(|flag| flags.text(flag));
    check(selector, least, most)?;
    let parsed = labels::Selector::parse(selector).map_err(|error| {
        Failure::Message(format!("couldn't parse the selector string \"{selector}\": {error}"))
    })?;
    let selector =
        parsed.to_label_selector().map_err(|error| Failure::Message(error.to_string()))?;
    let mut spec = json!({ "selector": selector });
    match least {
        "" => spec["maxUnavailable"] = number_or_percent(most),
        least => spec["minAvailable"] = number_or_percent(least),
    }
    let budget = json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"creationTimestamp": null, "name": name},
        "spec": spec,
        "status": {
            "currentHealthy": 0,
            "desiredHealthy": 0,
            "disruptionsAllowed": 0,
            "expectedPods": 0,
        },
    });
    create_described(
        cx,
        "poddisruptionbudgets.policy",
        budget,
        "failed to create poddisruptionbudgets:",
    )
}

fn check(selector: &str, least: &str, most: &str) -> Result<()> {
    let is_amount = |text: &str| {
        let digits = text.strip_suffix('%').unwrap_or(text);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let wrong = if selector.is_empty() {
        "a selector must be specified"
    } else if least.is_empty() && most.is_empty() {
        "one of min-available or max-unavailable must be specified"
    } else if !least.is_empty() && !most.is_empty() {
        "min-available and max-unavailable cannot be both specified"
    } else if !least.is_empty() && !is_amount(least) {
        "invalid format specified for min-available"
    } else if !most.is_empty() && !is_amount(most) {
        "invalid format specified for max-unavailable"
    } else {
        return Ok(());
    };
    Err(Failure::message(wrong))
}

fn number_or_percent(text: &str) -> Value {
    text.parse::<i32>().map_or_else(|_| Value::from(text), Value::from)
}
