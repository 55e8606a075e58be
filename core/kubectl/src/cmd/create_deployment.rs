//! `kubectl create deployment`.

use super::common;
use super::create::{SUBCOMMAND_FLAGS, create_described, name_argument};
use crate::command::Command;
use crate::context::Context;
use crate::failure::Failure;
use crate::flags::Flag;
use crate::process::Outcome;
use serde_json::{Value, json};

/// `kubectl create deployment`
pub static COMMAND: Command = Command {
    usage: "deployment NAME --image=image -- [COMMAND] [args...]",
    aliases: &["deploy"],
    short: "Create a deployment with the specified name",
    examples: "# A deployment of an image\nkubectl create deployment web --image=nginx\n\n\
               # Of three replicas that serve a port\n\
               kubectl create deployment web --image=nginx --replicas=3 --port=80",
    flags: &[
        common::PRINT,
        common::DRY_RUN,
        common::VALIDATE,
        common::SAVE_CONFIG,
        SUBCOMMAND_FLAGS,
        FLAGS,
    ],
    required: &["image"],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::slice("image", "The image; several make a pod of several containers."),
    Flag::int32("port", "-1", "The port that the container serves."),
    Flag::int32("replicas", "1", "How many replicas.").short("r"),
];

fn run(cx: &mut Context<'_>) -> Outcome {
    let name = name_argument(cx)?;
    let (flags, command) = (cx.flags(), cx.args().get(1..).unwrap_or_default());
    let images = flags.list("image");
    if images.len() > 1 && !command.is_empty() {
        return Err(Failure::message("cannot specify multiple --image options and command"));
    }
    let mut containers: Vec<Value> = Vec::new();
    for image in images {
        let name = container_name(cx, image);
        containers.push(json!({"image": image, "name": name}));
    }
    if let Some(first) = containers.first_mut() {
        if !command.is_empty() {
            first["command"] = json!(command);
        }
        if flags.int("port") >= 0 {
            first["ports"] = json!([{"containerPort": flags.int("port")}]);
        }
    }
    let deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"labels": {"app": name}, "name": name},
        "spec": {
            "replicas": flags.int("replicas"),
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": containers},
            },
        },
    });
    create_described(cx, "deployments.apps", deployment, "failed to create deployment:")
}

/// The image's last part, made a valid name.
///
/// Upstream: `buildPodSpec`, `sanitizeAndUniquify`.
fn container_name(cx: &mut Context<'_>, image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or_default();
    let name = last.split([':', '@']).next().unwrap_or_default();
    if !name.contains(['_', '.']) {
        return name.to_owned();
    }
    let suffix = naru_api::names::random_suffix(cx.sys.rng(), 5);
    format!("{}-{suffix}", name.replace(['_', '.'], "-"))
}
