//! `kubectl create configmap`.

use super::common;
use super::create::{SUBCOMMAND_FLAGS, create_described, name_argument};
use crate::command::Command;
use crate::context::Context;
use crate::datasources::{self, Data};
use crate::process::Outcome;
use serde_json::{Value, json};

/// `kubectl create configmap`
pub static COMMAND: Command = Command {
    usage: "configmap NAME [--from-file=[key=]source] [--from-literal=key1=value1] \
            [--dry-run=server|client|none]",
    aliases: &["cm"],
    short: "Create a config map from a local file, directory or literal value",
    examples: "# From values\nkubectl create configmap app --from-literal=color=blue\n\n\
               # From a file, under its own name and under another\n\
               kubectl create configmap app --from-file=app.conf --from-file=main=app.conf",
    flags: &[
        common::PRINT,
        common::DRY_RUN,
        common::VALIDATE,
        common::SAVE_CONFIG,
        SUBCOMMAND_FLAGS,
        datasources::FLAGS,
    ],
    run,
    ..Command::EMPTY
};

fn run(cx: &mut Context<'_>) -> Outcome {
    let name = name_argument(cx)?;
    datasources::check(cx)?;
    let data = datasources::read(cx, "ConfigMap", &name)?;
    let (mut texts, mut bytes) = (serde_json::Map::new(), serde_json::Map::new());
    for (key, value) in data {
        match value {
            Data::Text(text) => texts.insert(key, Value::from(text)),
            Data::Bytes(raw) => bytes.insert(key, Value::from(datasources::base64(&raw))),
        };
    }
    let mut map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
    });
    for (field, entries) in [("data", texts), ("binaryData", bytes)] {
        if !entries.is_empty() {
            map[field] = Value::Object(entries);
        }
    }
    if cx.flags().is("append-hash") {
        let mut content = json!({ "data": map["data"], "kind": "ConfigMap", "name": name });
        if !map["binaryData"].is_null() {
            content["binaryData"] = map["binaryData"].clone();
        }
        let suffix = crate::hash::suffix(&super::apply::go_json(&content)?);
        map["metadata"]["name"] = json!(format!("{name}-{suffix}"));
    }
    create_described(cx, "configmaps", map, "failed to create configmap:")
}
