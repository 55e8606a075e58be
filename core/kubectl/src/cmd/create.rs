//! `kubectl create`.

use super::common;
use crate::builder::{Builder, Manifest, Target};
use crate::command::Command;
use crate::context::{Context, DryRun, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::printers::Teller;
use crate::process::Outcome;

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
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::switch("edit", "Edit the object before it is created."),
    Flag::text("field-manager", "kubectl-create", "Who is said to own the fields that are set."),
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
    for flag in ["edit", "raw"] {
        if cx.flags().changed(flag) {
            return Err(Failure::message(format!("--{flag} is not yet in Naru")));
        }
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

fn create(
    cx: &mut Context<'_>,
    manifest: Manifest,
    dry_run: DryRun,
    teller: &mut Teller,
) -> Result<()> {
    let Manifest { kind, namespace, source, object, .. } = manifest;
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
