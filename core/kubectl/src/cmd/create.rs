//! `kubectl create`.

use super::common;
use crate::builder::{Builder, Manifest, Target};
use crate::command::Command;
use crate::context::{Context, DryRun, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::printers::Teller;
use crate::process::Outcome;
use serde_json::Value;

/// `kubectl create`
pub static COMMAND: Command = Command {
    usage: "create -f FILENAME",
    short: "Create a resource from a file or from stdin",
    long: "Create a resource from a file or from stdin.\n\n JSON and YAML formats are accepted.",
    examples: "# Create the objects that a file describes\nkubectl create -f ./pod.yaml\n\n\
               # Create what another program writes\ncat pod.json | kubectl create -f -",
    flags: &[
        common::PRINT,
        common::FILENAME,
        common::DRY_RUN,
        common::VALIDATE,
        common::SELECTOR,
        common::SAVE_CONFIG,
        common::RECORD,
        FLAGS,
    ],
    subcommands: &[
        &super::create_configmap::COMMAND,
        &super::create_deployment::COMMAND,
        &super::create_namespace::COMMAND,
        &super::create_secret::COMMAND,
        &super::create_service::COMMAND,
        &super::create_serviceaccount::COMMAND,
        &super::create_role::CLUSTER_ROLE,
        &super::create_rolebinding::CLUSTER_ROLE_BINDING,
        &super::create_cronjob::COMMAND,
        &super::create_ingress::COMMAND,
        &super::create_job::COMMAND,
        &super::create_poddisruptionbudget::COMMAND,
        &super::create_priorityclass::COMMAND,
        &super::create_quota::COMMAND,
        &super::create_role::ROLE,
        &super::create_rolebinding::ROLE_BINDING,
        &super::create_token::COMMAND,
    ],
    run,
    ..Command::EMPTY
};

/// Flags of the commands below `create`, beyond those of printing, dry runs and validation.
pub const SUBCOMMAND_FLAGS: &[Flag] =
    &[Flag::text("field-manager", "kubectl-create", common::FIELD_MANAGER)];

const FLAGS: &[Flag] = &[
    Flag::switch("edit", "Edit the object before it is created."),
    Flag::text("field-manager", "kubectl-create", common::FIELD_MANAGER),
    Flag::text("raw", "", "Path at the API server to POST to."),
    Flag::switch("windows-line-endings", "With --edit: end lines as Windows does."),
];

fn run(cx: &mut Context<'_>) -> Outcome {
    if !cx.args().is_empty() {
        let text = format!("Unexpected args: [{}]", cx.args().join(" "));
        return Err(cx.invocation.usage_error(text));
    }
    let dry_run = cx.dry_run()?;
    let validate = common::validates(cx.flags())?;
    let mut teller = Teller::new(cx, dry_run.suffix())?;
    require_filename(cx)?;
    if cx.flags().changed("raw") {
        return raw(cx);
    }
    if cx.flags().is("edit") {
        return super::edit::before_create(cx);
    }
    let selection = Builder::new(cx)?.validated(validate).build(cx)?;
    let (mut count, mut failures) = (0, Vec::new());
    for target in selection.targets {
        let created = target.and_then(|target| match target {
            Target::Manifest(manifest) => create(cx, manifest, dry_run, &mut teller),
            _ => Ok(()),
        });
        match created {
            Ok(()) => count += 1,
            Err(failure) => failures.push(failure),
        }
    }
    Failure::from_many(failures)?;
    if count == 0 {
        return Err(Failure::message("no objects passed to create"));
    }
    done()
}

/// Upstream: `CreateOptions.Validate`.
fn raw(cx: &mut Context<'_>) -> Outcome {
    let flags = cx.flags();
    let wrong = if flags.is("edit") {
        "--raw and --edit are mutually exclusive"
    } else if flags.list("filename").len() != 1 {
        "--raw can only use a single local file or stdin"
    } else if flags.is("recursive") {
        "--raw and --recursive are mutually exclusive"
    } else if !flags.text("selector").is_empty() {
        "--raw and --selector (-l) are mutually exclusive"
    } else if !flags.text("output").is_empty() {
        "--raw and --output are mutually exclusive"
    } else {
        return super::raw::post(cx, flags.text("raw"));
    };
    Err(Failure::message(wrong))
}

fn create(
    cx: &mut Context<'_>,
    manifest: Manifest,
    dry_run: DryRun,
    teller: &mut Teller,
) -> Result<()> {
    let Manifest { kind, namespace, source, mut object, .. } = manifest;
    if cx.flags().is("save-config") {
        super::apply::save_config(&mut object)?;
    }
    let object = if dry_run == DryRun::Client {
        object
    } else {
        cx.create(&kind, &namespace, object, dry_run)
            .map_err(|failure| failure.sourced("creating", &source))?
            .to_json()
            .map_err(|why| Failure::Message(why.to_string()))?
    };
    teller.tell(cx, &kind, object, "created")
}

/// Refuses a call without `-f` and `-k`, or with both.
///
/// Upstream: `RequireFilenameOrKustomize`.
pub fn require_filename(cx: &mut Context<'_>) -> Result<()> {
    let files = cx.flags().list("filename");
    let folder = cx.flags().text("kustomize");
    match (files.is_empty(), folder.is_empty()) {
        (true, true) => Err(Failure::message("must specify one of -f and -k")),
        (false, false) => Err(Failure::message("only one of -f or -k can be specified")),
        _ => Ok(()),
    }
}

/// The one argument that names the object to create.
///
/// Upstream: `NameFromCommandArgs`.
pub fn name_argument(cx: &mut Context<'_>) -> Result<String> {
    let count = cx.flags().args_at_dash.unwrap_or(cx.args().len());
    match cx.args().first() {
        Some(name) if count == 1 => {
            // As upstream: the output format is looked at before what the flags describe.
            if cx.flags().has("save-config") {
                crate::printers::Format::parse(cx, &[])?;
            }
            Ok(name.clone())
        }
        _ => Err(cx.invocation.usage_error(format!("exactly one NAME is required, got {count}"))),
    }
}

/// Creates an object that flags describe, and tells so. `failed`: what is said before the API
/// server's words when it refuses: `failed to create configmap:`.
pub fn create_described(
    cx: &mut Context<'_>,
    kind: &str,
    mut object: Value,
    failed: &str,
) -> Outcome {
    let dry_run = cx.dry_run()?;
    common::validates(cx.flags())?;
    let mut teller = Teller::new(cx, dry_run.suffix())?;
    if dry_run != DryRun::Client
        && !failed.is_empty()
        && let Some(why) = crate::unconfigured::refused_post(cx, kind, dry_run)?
    {
        return Err(Failure::Message(format!("{failed} {why}")));
    }
    let kind = crate::mapper::kind_for(&cx.kinds()?, kind)?;
    let (namespace, explicit) = cx.namespace()?;
    if kind.namespaced && explicit {
        object["metadata"]["namespace"] = Value::from(namespace.clone());
    }
    naru_api::omitempty::complete(&mut object);
    if cx.flags().is("save-config") {
        super::apply::save_config(&mut object)?;
    }
    if dry_run != DryRun::Client {
        let created =
            cx.create(&kind, &namespace, object, dry_run).map_err(|failure| match failure {
                Failure::Api(error) if !failed.is_empty() => {
                    Failure::Message(format!("{failed} {}", error.message()))
                }
                other => other,
            })?;
        object = created.to_json().unwrap_or_default();
    }
    teller.tell(cx, &kind, object, "created")?;
    done()
}
