//! `kubectl create quota`.

use super::common;
use super::create::{SUBCOMMAND_FLAGS, create_described, name_argument};
use crate::command::Command;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::process::Outcome;
use naru_api::quantity;
use serde_json::{Map, Value, json};

/// `kubectl create quota`
pub static COMMAND: Command = Command {
    usage: "quota NAME [--hard=key1=value1,key2=value2] [--scopes=Scope1,Scope2] \
            [--dry-run=server|client|none]",
    aliases: &["resourcequota"],
    short: "Create a quota with the specified name",
    examples: "# At most ten pods that ask for four CPUs together\n\
               kubectl create quota small --hard=pods=10,cpu=4",
    flags: &[
        common::PRINT,
        common::DRY_RUN,
        common::VALIDATE,
        common::SAVE_CONFIG,
        SUBCOMMAND_FLAGS,
        &[
            Flag::text("hard", "", "The limits: RESOURCE=QUANTITY, with commas between them."),
            Flag::text("scopes", "", "What counts: scopes with commas between them."),
        ],
    ],
    run,
    ..Command::EMPTY
};

fn run(cx: &mut Context<'_>) -> Outcome {
    let name = name_argument(cx)?;
    let mut spec = json!({});
    let hard = hard(cx.flags().text("hard"))?;
    if !hard.is_empty() {
        spec["hard"] = Value::Object(hard);
    }
    let scopes = scopes(cx.flags().text("scopes"))?;
    if !scopes.is_empty() {
        spec["scopes"] = json!(scopes);
    }
    let quota = json!({
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"creationTimestamp": null, "name": name},
        "spec": spec,
        "status": {},
    });
    create_described(cx, "resourcequotas", quota, "failed to create quota:")
}

/// Upstream: `populateResourceListV1`.
fn hard(text: &str) -> Result<Map<String, Value>> {
    let mut hard = Map::new();
    for statement in text.split(',').filter(|_| !text.is_empty()) {
        let parts: Vec<&str> = statement.split('=').collect();
        let [resource, amount] = parts.as_slice() else {
            return Err(Failure::Message(format!(
                "Invalid argument syntax {statement}, expected <resource>=<value>"
            )));
        };
        let amount =
            quantity::canonical(amount).map_err(|error| Failure::Message(error.to_string()))?;
        hard.insert((*resource).to_owned(), Value::from(amount));
    }
    Ok(hard)
}

fn scopes(text: &str) -> Result<Vec<&str>> {
    let scopes: Vec<&str> = text.split(',').filter(|_| !text.is_empty()).collect();
    match scopes.contains(&"") {
        true => Err(Failure::message("invalid resource quota scope \"\"")),
        false => Ok(scopes),
    }
}
