//! `kubectl create secret`.

use super::common;
use super::create::{SUBCOMMAND_FLAGS, create_described, name_argument};
use crate::command::Command;
use crate::context::Context;
use crate::datasources::{self, Data};
use crate::failure::Failure;
use crate::flags::Flag;
use crate::process::Outcome;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// `kubectl create secret`
pub static COMMAND: Command = Command {
    usage: "secret (docker-registry | generic | tls)",
    short: "Create a secret using a specified subcommand",
    long: "Create a secret with specified type.",
    subcommands: &[&DOCKER_REGISTRY, &GENERIC, &TLS],
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
    let data = datasources::read(cx, "Secret", &name)?;
    create_secret(cx, &name, cx.flags().text("type"), data)
}

static TLS: Command = Command {
    usage: "tls NAME --cert=path/to/cert/file --key=path/to/key/file \
            [--dry-run=server|client|none]",
    short: "Create a TLS secret",
    examples: "# A certificate and its key\n\
               kubectl create secret tls web --cert=web.crt --key=web.key",
    flags: &[
        common::PRINT,
        common::DRY_RUN,
        common::VALIDATE,
        common::SAVE_CONFIG,
        SUBCOMMAND_FLAGS,
        &[
            Flag::text("cert", "", "The file of the certificate, in PEM."),
            Flag::text("key", "", "The file of its private key, in PEM."),
            Flag::switch("append-hash", "Put a hash of the secret after its name."),
        ],
    ],
    run: tls,
    ..Command::EMPTY
};

fn tls(cx: &mut Context<'_>) -> Outcome {
    let name = name_argument(cx)?;
    let (cert, key) = (cx.flags().text("cert"), cx.flags().text("key"));
    if cert.is_empty() || key.is_empty() {
        return Err(Failure::message("key and cert must be specified"));
    }
    let mut texts = Vec::new();
    for path in [cert, key] {
        let absolute = cx.sys.absolute(path);
        let text = cx.sys.fs().read_text(&absolute).map_err(|errno| {
            let why = errno.to_string().to_lowercase();
            Failure::Message(format!("Cannot read file {path}, open {path}: {why}"))
        })?;
        texts.push(text);
    }
    if let [certificate, key] = texts.as_slice() {
        crate::key_pair::check(certificate, key).map_err(Failure::Message)?;
    }
    let entries = ["tls.crt", "tls.key"].map(str::to_owned).into_iter();
    let data: BTreeMap<_, _> = entries.zip(texts.into_iter().map(Data::Text)).collect();
    create_secret(cx, &name, "kubernetes.io/tls", data)
}

static DOCKER_REGISTRY: Command = Command {
    usage: "docker-registry NAME --docker-username=user --docker-password=password \
            --docker-email=email [--docker-server=string] [--from-file=[key=]source] \
            [--dry-run=server|client|none]",
    short: "Create a secret for use with a Docker registry",
    examples: "# To pull from a registry of one's own\n\
               kubectl create secret docker-registry pull --docker-server=registry.example \
               --docker-username=river --docker-password=made-up",
    flags: &[
        common::PRINT,
        common::DRY_RUN,
        common::VALIDATE,
        common::SAVE_CONFIG,
        SUBCOMMAND_FLAGS,
        &[
            Flag::text("docker-username", "", "The name at the registry."),
            Flag::text("docker-password", "", "The password at the registry."),
            Flag::text("docker-email", "", "The e-mail address at the registry."),
            Flag::text("docker-server", "https://index.docker.io/v1/", "The registry."),
            Flag::switch("append-hash", "Put a hash of the secret after its name."),
            Flag::slice("from-file", "A file of Docker's own configuration."),
        ],
    ],
    run: docker_registry,
    ..Command::EMPTY
};

const DOCKER_CONFIG: &str = ".dockerconfigjson";

fn docker_registry(cx: &mut Context<'_>) -> Outcome {
    let name = name_argument(cx)?;
    let flags = cx.flags();
    let [user, password, email, server] =
        ["username", "password", "email", "server"].map(|f| flags.text(&format!("docker-{f}")));
    let files = flags.list("from-file");
    if files.is_empty() && [user, password, server].contains(&"") {
        return Err(Failure::message(
            "either --from-file or the combination of --docker-username, --docker-password and \
             --docker-server is required",
        ));
    }
    let data = if files.is_empty() {
        let auth = datasources::base64(format!("{user}:{password}").as_bytes());
        let config = docker_config(server, [user, password, email, &auth]);
        BTreeMap::from([(DOCKER_CONFIG.to_owned(), Data::Text(config))])
    } else {
        let named = files.iter().map(|file| match file.contains('=') {
            true => file.clone(),
            false => format!("{DOCKER_CONFIG}={file}"),
        });
        datasources::read_files(cx, "Secret", &name, named.collect())?
    };
    create_secret(cx, &name, "kubernetes.io/dockerconfigjson", data)
}

/// Docker's configuration with its fields in the order in which Go writes them.
///
/// Upstream: `DockerConfigEntry`.
fn docker_config(server: &str, values: [&str; 4]) -> String {
    let fields: Vec<String> = ["username", "password", "email", "auth"]
        .into_iter()
        .zip(values)
        .filter(|(_, value)| !value.is_empty())
        .map(|(field, value)| format!("\"{field}\":{}", Value::from(value)))
        .collect();
    format!("{{\"auths\":{{{}:{{{}}}}}}}", Value::from(server), fields.join(","))
}

fn create_secret(
    cx: &mut Context<'_>,
    name: &str,
    kind: &str,
    data: BTreeMap<String, Data>,
) -> Outcome {
    let encoded = |(key, value): (String, Data)| {
        let bytes = match value {
            Data::Text(text) => text.into_bytes(),
            Data::Bytes(bytes) => bytes,
        };
        (key, Value::from(datasources::base64(&bytes)))
    };
    let data: Map<String, Value> = data.into_iter().map(encoded).collect();
    let mut secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
    });
    if !data.is_empty() {
        secret["data"] = Value::Object(data);
    }
    if !kind.is_empty() {
        secret["type"] = Value::from(kind);
    }
    if cx.flags().is("append-hash") {
        let content = json!({
            "data": secret["data"],
            "kind": "Secret",
            "name": name,
            "type": secret["type"].as_str().unwrap_or_default(),
        });
        let suffix = crate::hash::suffix(&super::apply::go_json(&content)?);
        secret["metadata"]["name"] = Value::from(format!("{name}-{suffix}"));
    }
    create_described(cx, "secrets", secret, "failed to create secret")
}
