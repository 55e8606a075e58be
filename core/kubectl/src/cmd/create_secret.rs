//! `kubectl create secret`.

use super::common;
use super::create::{SUBCOMMAND_FLAGS, create_described, name_argument};
use super::unavailable;
use crate::command::Command;
use crate::context::Context;
use crate::datasources::{self, Data};
use crate::failure::Failure;
use crate::flags::Flag;
use crate::process::Outcome;
use serde_json::{Map, Value, json};

/// `kubectl create secret`
pub static COMMAND: Command = Command {
    usage: "secret (docker-registry | generic | tls)",
    short: "Create a secret using a specified subcommand",
    long: "Create a secret with specified type.",
    subcommands: &[
        &unavailable::CREATE_SECRET_DOCKER_REGISTRY,
        &GENERIC,
        &unavailable::CREATE_SECRET_TLS,
    ],
    ..Command::EMPTY
};

static GENERIC: Command = Command {
    usage: "generic NAME [--type=string] [--from-file=[key=]source] [--from-literal=key1=value1] \
            [--dry-run=server|client|none]",
    short: "Create a secret from a local file, directory, or literal value",
    examples: "# From values\nkubectl create secret generic db --from-literal=password=s3cret",
    flags: &[
        common::PRINT,
        common::DRY_RUN,
        common::VALIDATE,
        common::SAVE_CONFIG,
        SUBCOMMAND_FLAGS,
        datasources::FLAGS,
        &[Flag::text("type", "", "The type of the secret.")],
    ],
    run: generic,
    ..Command::EMPTY
};

fn generic(cx: &mut Context<'_>) -> Outcome {
    let name = name_argument(cx)?;
    datasources::check(cx)?;
    if cx.flags().is("append-hash") {
        return Err(Failure::message("--append-hash is not yet in Naru"));
    }
    let data: Map<String, Value> = datasources::read(cx, "Secret", &name)?
        .into_iter()
        .map(|(key, value)| {
            let bytes = match value {
                Data::Text(text) => text.into_bytes(),
                Data::Bytes(bytes) => bytes,
            };
            (key, Value::from(datasources::base64(&bytes)))
        })
        .collect();
    let mut secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"creationTimestamp": null, "name": name},
    });
    if !data.is_empty() {
        secret["data"] = Value::Object(data);
    }
    if !cx.flags().text("type").is_empty() {
        secret["type"] = json!(cx.flags().text("type"));
    }
    create_described(cx, "secrets", secret, "failed to create secret")
}
