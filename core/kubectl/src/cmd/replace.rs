//! `kubectl replace`.

use super::common;
use super::create::require_filename;
use super::delete::{DELETION, Deletion, cascade, delete_all};
use crate::builder::{Builder, Manifest, Selection, Target};
use crate::command::Command;
use crate::context::{Context, DryRun, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::printers::Teller;
use crate::process::{Next, Outcome, Task};
use naru_sim::Time;
use std::collections::VecDeque;
use std::time::Duration;

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
    check_flags(cx, dry_run)?;
    if flags.changed("raw") {
        return super::raw::put(cx, flags.text("raw"));
    }
    let selection = Builder::new(cx)?.validated(validate).build(cx)?;
    if flags.is("force") {
        return force(cx, selection, teller);
    }
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

/// Upstream: `ReplaceOptions.Validate`.
fn check_flags(cx: &Context<'_>, dry_run: DryRun) -> Result<()> {
    let flags = cx.flags();
    let force = flags.is("force");
    let wrong = if flags.int("grace-period") >= 0 && !force {
        "--grace-period must have --force specified"
    } else if flags.duration_ns("timeout") != 0 && !force {
        "--timeout must have --force specified"
    } else if force && dry_run != DryRun::None {
        "--dry-run can not be used when --force is set"
    } else if flags.changed("raw") && flags.list("filename").len() != 1 {
        "--raw can only use a single local file or stdin"
    } else if flags.changed("raw") && flags.is("recursive") {
        "--raw and --recursive are mutually exclusive"
    } else if flags.changed("raw") && !flags.text("output").is_empty() {
        "--raw and --output are mutually exclusive"
    } else {
        return Ok(());
    };
    Err(Failure::message(wrong))
}

/// Deletes the objects, and makes them anew once they are gone.
///
/// Upstream: `forceReplace`.
fn force(cx: &mut Context<'_>, selection: Selection, teller: Teller) -> Outcome {
    let given = cx.flags().int("grace-period");
    let deletion = Deletion {
        propagation: cascade(cx)?,
        // Zero would remove the object unseen: as upstream, it becomes one.
        grace_period: if given == 0 { 1 } else { given },
        quiet: false,
        name_only: cx.flags().text("output") == "name",
        dry_run: DryRun::None,
        ignore_not_found: true,
        warn_cluster_scope: false,
    };
    let mut manifests = VecDeque::new();
    for target in &selection.targets {
        if let Ok(Target::Manifest(manifest)) = target {
            manifests.push_back(manifest.clone());
        }
    }
    delete_all(cx, selection, deletion)?;
    let timeout = match cx.flags().duration_ns("timeout") {
        0 => DEFAULT_TIMEOUT,
        ns => Duration::from_nanos(u64::try_from(ns).unwrap_or(0)),
    };
    let (deadline, next) = (cx.now() + timeout, cx.now());
    cx.start(Replacing { manifests, gone: 0, teller, deadline, next })
}

/// How long is waited for the deleted objects to be gone.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);
/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
struct Replacing {
    manifests: VecDeque<Manifest>,
    /// How many of them are gone.
    gone: usize,
    teller: Teller,
    deadline: Time,
    next: Time,
}

impl Task for Replacing {
    fn poll(mut self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        if cx.now() < self.next {
            let next = Some(self.next);
            return Ok(Next::Wait(self, next));
        }
        while let Some(manifest) = self.manifests.get(self.gone) {
            if cx.find(&manifest.kind, &manifest.namespace, &manifest.name)?.is_none() {
                self.gone += 1;
                continue;
            }
            if cx.now() >= self.deadline {
                return Err(Failure::message("timed out waiting for the condition"));
            }
            self.next = cx.now() + LOOK_EVERY;
            let next = Some(self.next);
            return Ok(Next::Wait(self, next));
        }
        if self.manifests.is_empty() {
            return Err(Failure::message("no objects passed to replace"));
        }
        while let Some(Manifest { kind, namespace, mut object, .. }) = self.manifests.pop_front() {
            if cx.flags().is("save-config") {
                super::apply::save_config(&mut object)?;
            }
            let created = cx.create(&kind, &namespace, object, DryRun::None)?;
            self.teller.tell(cx, &kind, created.to_json().unwrap_or_default(), "replaced")?;
        }
        done()
    }
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
        let replaced = match common::subresource(cx.flags().text("subresource"))? {
            "" => cx.update(&kind, &namespace, &name, object, dry_run),
            subresource => cx.update_subresource(&kind, &namespace, &name, subresource, object),
        };
        let replaced = replaced.map_err(|failure| failure.sourced("replacing", &source))?;
        object = replaced.to_json().unwrap_or_default();
    }
    teller.tell(cx, &kind, object, "replaced")
}
