//! The commands, one file each, by upstream's names.

pub mod annotate;
pub mod apiresources;
pub mod apply;
mod apply_prune;
mod apply_server_side;
mod apply_set_last_applied;
mod apply_view_last_applied;
pub mod attach;
pub mod auth;
mod authreconcile;
pub mod autoscale;
pub mod certificate;
pub mod clusterinfo;
mod clusterinfo_dump;
pub mod common;
pub mod completion;
pub mod config;
mod config_cluster;
mod config_credentials;
mod config_set;
pub mod cp;
pub mod create;
pub mod create_configmap;
pub mod create_cronjob;
pub mod create_deployment;
pub mod create_ingress;
pub mod create_job;
pub mod create_namespace;
pub mod create_poddisruptionbudget;
pub mod create_priorityclass;
pub mod create_quota;
pub mod create_role;
pub mod create_rolebinding;
pub mod create_secret;
pub mod create_service;
pub mod create_serviceaccount;
pub mod create_token;
pub mod debug;
mod debug_profile;
pub mod delete;
pub mod describe;
pub mod diff;
pub mod drain;
pub mod edit;
pub mod events;
pub mod exec;
pub mod explain;
pub mod expose;
pub mod get;
pub mod kustomize;
pub mod label;
pub mod logs;
pub mod metadata;
pub mod options;
pub mod patch;
pub mod plugin;
pub mod portforward;
pub mod proxy;
pub mod raw;
pub mod record;
pub mod replace;
pub mod rollout;
mod rollout_history;
mod rollout_status;
mod rollout_undo;
pub mod run;
pub mod scale;
pub mod set;
pub mod set_change;
pub mod set_env;
pub mod set_image;
pub mod set_resources;
pub mod set_selector;
pub mod set_serviceaccount;
pub mod set_subject;
pub mod taint;
pub mod top;
pub mod version;
pub mod wait;

use crate::command::Command;
use crate::context::Context;
use crate::flags::{Flag, FlagSet};
use crate::process::{Next, Outcome};

/// Flags that every command understands.
pub const GLOBAL: FlagSet = &[&[
    Flag::text("as", "", "Act as this user."),
    Flag::array("as-group", "Act as a member of this group; may be repeated."),
    Flag::text("as-uid", "", "Act with this UID."),
    Flag::text("cache-dir", "/root/.kube/cache", "Folder for what discovery has told."),
    Flag::text("certificate-authority", "", "Certificate file of the certificate authority."),
    Flag::text("client-certificate", "", "Client certificate file."),
    Flag::text("client-key", "", "Client key file."),
    Flag::text("cluster", "", "The cluster of the kubeconfig to use."),
    Flag::text("context", "", "The context of the kubeconfig to use."),
    Flag::switch("disable-compression", "Ask for answers that are not compressed."),
    Flag::switch("insecure-skip-tls-verify", "Do not check the server's certificate."),
    Flag::text("kubeconfig", "", "The kubeconfig file to use."),
    Flag::switch("match-server-version", "Require that client and server are of one version."),
    Flag::text("namespace", "", "The namespace to work in.").short("n"),
    Flag::text("password", "", "Password for basic authentication."),
    Flag::text("profile", "none", "Profile of the client to capture."),
    Flag::text("profile-output", "profile.pprof", "File for the profile."),
    Flag::text("request-timeout", "0", "How long one request may take; 0: as long as it likes."),
    Flag::text("server", "", "Address and port of the API server.").short("s"),
    Flag::text("tls-server-name", "", "Name that the server's certificate must have."),
    Flag::text("token", "", "Bearer token for authentication."),
    Flag::text("user", "", "The user of the kubeconfig to use."),
    Flag::text("username", "", "User name for basic authentication."),
    Flag::switch("warnings-as-errors", "Fail when the server sends a warning."),
    Flag::int("v", "0", "How much to log.").short("v"),
]];

/// kubectl itself.
pub static KUBECTL: Command = Command {
    usage: "kubectl",
    short: "kubectl controls the Kubernetes cluster manager",
    long: "kubectl controls the Kubernetes cluster manager.\n\n Find more information at: \
           https://kubernetes.io/docs/reference/kubectl/",
    run: run_root,
    ..Command::EMPTY
};

/// Commands under their headings, as `kubectl help` lists them.
pub const GROUPS: &[(&str, &[&Command])] = &[
    ("Basic Commands (Beginner):", BEGINNER),
    ("Basic Commands (Intermediate):", INTERMEDIATE),
    ("Deploy Commands:", DEPLOY),
    ("Cluster Management Commands:", CLUSTER),
    ("Troubleshooting and Debugging Commands:", TROUBLESHOOTING),
    ("Advanced Commands:", ADVANCED),
    ("Settings Commands:", SETTINGS),
    ("Other Commands:", OTHER),
];

const BEGINNER: &[&Command] = &[&create::COMMAND, &expose::COMMAND, &run::COMMAND, &set::COMMAND];
const INTERMEDIATE: &[&Command] =
    &[&explain::COMMAND, &get::COMMAND, &edit::COMMAND, &delete::COMMAND];
const DEPLOY: &[&Command] = &[&rollout::COMMAND, &scale::COMMAND, &autoscale::COMMAND];
const CLUSTER: &[&Command] = &[
    &certificate::COMMAND,
    &clusterinfo::COMMAND,
    &top::COMMAND,
    &drain::CORDON,
    &drain::UNCORDON,
    &drain::DRAIN,
    &taint::COMMAND,
];
const TROUBLESHOOTING: &[&Command] = &[
    &describe::COMMAND,
    &logs::COMMAND,
    &attach::COMMAND,
    &exec::COMMAND,
    &portforward::COMMAND,
    &proxy::COMMAND,
    &cp::COMMAND,
    &auth::COMMAND,
    &debug::COMMAND,
    &events::COMMAND,
];
const ADVANCED: &[&Command] = &[
    &diff::COMMAND,
    &apply::COMMAND,
    &patch::COMMAND,
    &replace::COMMAND,
    &wait::COMMAND,
    &kustomize::COMMAND,
];
const SETTINGS: &[&Command] = &[&label::COMMAND, &annotate::COMMAND, &completion::COMMAND];
const OTHER: &[&Command] = &[
    &apiresources::COMMAND,
    &apiresources::VERSIONS,
    &config::COMMAND,
    &plugin::COMMAND,
    &version::COMMAND,
];
/// Not in the list of commands.
const HIDDEN: &[&Command] = &[&options::HELP, &options::OPTIONS];

/// The commands below kubectl, or below one of its commands.
pub fn below(command: &Command) -> Vec<&'static Command> {
    if command.name() != KUBECTL.name() {
        return command.subcommands.to_vec();
    }
    let listed = GROUPS.iter().flat_map(|(_, commands)| commands.iter());
    listed.chain(HIDDEN).copied().collect()
}

fn run_root(cx: &mut Context<'_>) -> Outcome {
    let text = crate::help::text(cx.invocation);
    cx.out(&text);
    Ok(Next::Exit(0))
}

/// What a command that only groups others does: says which there are, and fails.
///
/// Upstream: `DefaultSubCommandRun(streams.ErrOut)`.
pub fn run_group(cx: &mut Context<'_>) -> Outcome {
    tell_group(cx, 2)
}

/// The same, but says it on another descriptor.
pub fn tell_group(cx: &mut Context<'_>, fd: naru_shell::Fd) -> Outcome {
    if let Some(word) = cx.args().first() {
        let text = format!("unknown command {}", naru_api::gofmt::quote(word));
        return Err(cx.invocation.usage_error(text));
    }
    let text = crate::help::text(cx.invocation);
    cx.console.write(fd, text.as_bytes());
    Ok(Next::Exit(1))
}
