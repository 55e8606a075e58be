//! `kubectl replace`.

use super::common;
use super::create::require_filename;
use super::delete::DELETION;
use crate::builder::{Builder, Manifest, Target};
use crate::command::Command;
use crate::context::{Context, DryRun, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::printers::Teller;
use crate::process::Outcome;

/// `kubectl replace`
pub static COMMAND: Command = Command {
    usage: "replace -f FILENAME",
    short: "Replace a resource by file name or stdin",
    long: "Replace a resource by file name or stdin.\n\n JSON and YAML formats are accepted. The \
           file must hold the complete object.",
    examples: "# Replace a pod with what a file describes\nkubectl replace -f ./pod.yaml",
    flags: &[
        common::PRINT,
        DELETION,
        common::FILENAME,
        common::DRY_RUN,
        common::VALIDATE,
        common::SAVE_CONFIG,
        FLAGS,
    ],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::text("field-manager", "kubectl-replace", common::FIELD_MANAGER),
    Flag::text("raw", "", "Path at the API server to PUT to."),
    Flag::text("subresource", "", "Replace this subresource of the object."),
    Flag::switch("wait", "Wait until deleted objects are gone."),
];

fn run(cx: &mut Context<'_>) -> Outcome {
    let dry_run = cx.dry_run()?;
    let validate = common::validates(cx.flags())?;
    let mut teller = Teller::new(cx, dry_run.suffix())?;
    require_filename(cx)?;
    let flags = cx.flags();
    for (flag, wrong) in [
        ("grace-period", "--grace-period must have --force specified"),
        ("timeout", "--timeout must have --force specified"),
    ] {
        if flags.changed(flag) && !flags.is("force") {
            return Err(Failure::message(wrong));
        }
    }
    for flag in ["force", "raw", "subresource"] {
        if flags.changed(flag) {
            return Err(Failure::Message(format!("--{flag} is not yet in Naru")));
        }
    }
    let selection = Builder::new(cx)?.validated(validate).build(cx)?;
    let mut failures = Vec::new();
    for target in selection.targets {
        let replaced = target.and_then(|target| match target {
            Target::Manifest(manifest) => replace(cx, manifest, dry_run, &mut teller),
            _ => Ok(()),
        });
        if let Err(failure) = replaced {
            failures.push(failure);
        }
    }
    Failure::from_many(failures)?;
    done()
}

fn replace(
    cx: &mut Context<'_>,
    manifest: Manifest,
    dry_run: DryRun,
    teller: &mut Teller,
) -> Result<()> {
    let Manifest { kind, namespace, name, source, mut object } = manifest;
    if cx.flags().is("save-config") {
        super::apply::save_config(&mut object)?;
    }
    if dry_run != DryRun::Client {
        let replaced = cx
            .update(&kind, &namespace, &name, object, dry_run)
            .map_err(|failure| failure.sourced("replacing", &source))?;
        object = replaced.to_json().unwrap_or_default();
    }
    teller.tell(cx, &kind, object, "replaced")
}
