//! `kubectl delete`.

use super::common;
use super::wait::{Awaited, Waiting, deadline};
use crate::builder::{self, Builder, Selection, Target};
use crate::command::Command;
use crate::context::{Context, DryRun, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::mapper::name_of;
use crate::process::{Next, Outcome, Task};
use naru_api::KindRef;
use naru_api::gofmt::quote;
use naru_api::request::{DeleteOptions, Propagation};
use std::collections::VecDeque;

/// `kubectl delete`
pub static COMMAND: Command = Command {
    usage: "delete ([-f FILENAME] | [-k DIRECTORY] | TYPE [(NAME | -l label | --all)])",
    short: "Delete resources by file names, stdin, resources and names, or by resources and label \
            selector",
    long: "Delete resources by file names, stdin, resources and names, or by resources and label \
           selector.\n\n A pod is given time to end by itself (its grace period) before it is \
           killed; the\n command waits until the objects are gone unless --wait=false is given.",
    examples: "# Delete what a file describes\nkubectl delete -f ./pod.yaml\n\n\
               # Delete two pods\nkubectl delete pod web db\n\n\
               # Delete by label\nkubectl delete pods,services -l app=web\n\n\
               # Delete all pods of the namespace\nkubectl delete pods --all",
    suggest_for: &["rm"],
    flags: &[
        DELETION,
        common::DRY_RUN,
        common::SELECTOR,
        common::FIELD_SELECTOR,
        common::ALL_NAMESPACES,
        common::FILENAME,
        FLAGS,
    ],
    run,
    ..Command::EMPTY
};

/// How to delete: also flags of `apply`, `replace` and `run`, which delete what they replace.
pub const DELETION: &[Flag] = &[
    CASCADE,
    FORCE,
    GRACE_PERIOD,
    Flag::duration("timeout", "0s", "How long to wait for a deletion; 0: as long as it takes."),
];

const CASCADE: Flag = Flag::optional(
    "cascade",
    "background",
    "background",
    "Must be \"background\", \"orphan\", or \"foreground\": what happens to the objects that the \
     deleted one owns.",
);
const FORCE: Flag =
    Flag::switch("force", "Remove the object at once, without waiting for its end.");
const GRACE_PERIOD: Flag = Flag::int(
    "grace-period",
    "-1",
    "Seconds that the object is given to end; negative: its own; 0 only with --force.",
);

const FLAGS: &[Flag] = &[
    Flag::switch("all", "All objects of the types in the namespace."),
    Flag::switch("ignore-not-found", "An object that is not there is no error."),
    Flag::switch("interactive", "Ask before deleting.").short("i"),
    Flag::switch("now", "Give one second to end: --grace-period=1."),
    Flag::text("output", "", "With \"name\": print TYPE/NAME only.").short("o"),
    Flag::text("raw", "", "Path at the API server to DELETE."),
    Flag::switch_on("wait", "Wait until the objects are gone."),
];

/// How to delete.
#[derive(Clone, Debug)]
pub struct Deletion {
    /// What happens to dependents.
    pub propagation: Propagation,
    /// Seconds, or negative for the kind's own.
    pub grace_period: i64,
    /// Nothing is told of each object.
    pub quiet: bool,
    /// `-o name`
    pub name_only: bool,
    /// Dry or not.
    pub dry_run: DryRun,
    /// An object that is not there is no error.
    pub ignore_not_found: bool,
    /// Say once that objects outside of the namespace are deleted.
    pub warn_cluster_scope: bool,
}

fn run(cx: &mut Context<'_>) -> Outcome {
    let flags = cx.flags();
    let mut deletion = Deletion {
        propagation: cascade(cx)?,
        grace_period: flags.int("grace-period"),
        quiet: false,
        name_only: flags.text("output") == "name",
        dry_run: DryRun::None,
        ignore_not_found: flags.is("ignore-not-found"),
        warn_cluster_scope: cx.namespace()?.1 && !flags.is("all-namespaces"),
    };
    let selective = ["selector", "field-selector"].iter().any(|name| !flags.text(name).is_empty());
    if (selective || flags.is("all")) && !flags.changed("ignore-not-found") {
        deletion.ignore_not_found = true;
    }
    set_grace_period(cx, &mut deletion)?;
    deletion.dry_run = cx.dry_run()?;
    if !flags.text("raw").is_empty() && flags.is("interactive") {
        return Err(Failure::message("--interactive can not be used with --raw"));
    }
    if !flags.text("raw").is_empty() {
        return super::raw::delete(cx, flags.text("raw"));
    }
    let selection = Builder::new(cx)?
        .select_all(flags.is("all"))
        .types_or_names(cx, false, cx.args())?
        .build(cx)?;
    check_flags(cx, &deletion)?;
    if flags.is("interactive") {
        return ask(cx, selection, deletion);
    }
    go_on(cx, selection, deletion)
}

/// Says what will be deleted, and asks.
///
/// Upstream: `DeleteOptions.confirmation`.
fn ask(cx: &mut Context<'_>, selection: Selection, deletion: Deletion) -> Outcome {
    let mut lines = Vec::new();
    for target in &selection.targets {
        let target = target.clone()?;
        for (_, name) in names(cx, &target)? {
            lines.push(name_of(target.kind(), &name));
        }
    }
    if lines.is_empty() {
        cx.line("No resources found");
        return done();
    }
    cx.line(&format!("You are about to delete the following {} resource(s):", lines.len()));
    lines.iter().for_each(|line| cx.line(line));
    cx.out("Do you want to continue? (y/n): ");
    cx.start(Asking { selection, deletion, answer: Vec::new() })
}

#[derive(Clone, Debug)]
struct Asking {
    selection: Selection,
    deletion: Deletion,
    answer: Vec<u8>,
}

impl Task for Asking {
    fn poll(mut self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        let ended = match cx.sys.read(0, 256) {
            Err(naru_shell::Errno::Again) => return Ok(Next::Wait(self, None)),
            Ok(bytes) => {
                let ended = bytes.is_empty() || bytes.contains(&b'\n');
                self.answer.extend(bytes);
                ended
            }
            Err(_) => true,
        };
        if !ended && self.answer.len() < 256 {
            return Ok(Next::Wait(self, None));
        }
        let answer = String::from_utf8_lossy(&self.answer).into_owned();
        if answer.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("y")) {
            return go_on(cx, self.selection, self.deletion);
        }
        cx.line("deletion is cancelled");
        done()
    }
}

fn go_on(cx: &mut Context<'_>, selection: Selection, deletion: Deletion) -> Outcome {
    let flags = cx.flags();
    let wait = flags.is("wait") && deletion.dry_run == DryRun::None;
    let awaited = delete_all(cx, selection, deletion)?;
    if !wait {
        return done();
    }
    let no_timeout = flags.duration_ns("timeout") == 0;
    let until = if no_timeout {
        cx.now() + std::time::Duration::from_secs(168 * 3600)
    } else {
        deadline(cx)
    };
    cx.start(Waiting::for_deletion(awaited, until))
}

fn set_grace_period(cx: &Context<'_>, deletion: &mut Deletion) -> Result<()> {
    let (now, force) = (cx.flags().is("now"), cx.flags().is("force"));
    if now && deletion.grace_period != -1 {
        let text = "--now and --grace-period cannot be specified together";
        return Err(Failure::message(text));
    }
    if now || (deletion.grace_period == 0 && !force) {
        // Zero would remove the object unseen: that takes --force.
        deletion.grace_period = 1;
    }
    if force && deletion.grace_period < 0 {
        deletion.grace_period = 0;
    }
    Ok(())
}

fn check_flags(cx: &mut Context<'_>, deletion: &Deletion) -> Result<()> {
    let flags = cx.flags();
    let (output, all) = (flags.text("output"), flags.is("all"));
    let wrong = if !output.is_empty() && output != "name" {
        format!("unexpected -o output mode: {output}. We only support '-o name'")
    } else if all && !flags.text("selector").is_empty() {
        "cannot set --all and --selector at the same time".to_owned()
    } else if all && !flags.text("field-selector").is_empty() {
        "cannot set --all and --field-selector at the same time".to_owned()
    } else if flags.is("force") && deletion.grace_period > 0 {
        "--force and --grace-period greater than 0 cannot be specified together".to_owned()
    } else {
        if flags.is("force") && deletion.grace_period == 0 {
            cx.err_line(
                "Warning: Immediate deletion does not wait for confirmation that the running \
                 resource has been terminated. The resource may continue to run on the cluster \
                 indefinitely.",
            );
        }
        return Ok(());
    };
    Err(Failure::message(wrong))
}

/// `--cascade`
pub fn cascade(cx: &Context<'_>) -> Result<Propagation> {
    match cx.flags().text("cascade") {
        "background" | "true" => Ok(Propagation::Background),
        "foreground" => Ok(Propagation::Foreground),
        "orphan" | "false" => Ok(Propagation::Orphan),
        other => Err(Failure::message(format!(
            "invalid cascade value ({other}). Must be \"background\", \"foreground\", or \"orphan\""
        ))),
    }
}

/// Deletes what is selected, tells of each, and says what to wait for.
pub fn delete_all(
    cx: &mut Context<'_>,
    selection: Selection,
    mut deletion: Deletion,
) -> Result<VecDeque<Awaited>> {
    let (mut awaited, mut failures, mut found) = (VecDeque::new(), Vec::new(), 0);
    for target in selection.targets {
        let names = target.and_then(|target| Ok((names(cx, &target)?, target)));
        let (names, target) = match names {
            Ok(names) => names,
            Err(failure) => {
                failures.push(failure);
                continue;
            }
        };
        for (namespace, name) in names {
            found += 1;
            let deleted = delete(cx, target.kind(), &namespace, &name, &mut deletion)
                .map_err(|failure| failure.sourced("deleting", target.source()));
            match deleted {
                Ok(uid) => {
                    awaited.push_back(Awaited { kind: target.kind().clone(), namespace, name, uid })
                }
                Err(failure) => failures.push(failure),
            }
        }
    }
    if deletion.ignore_not_found {
        failures.retain(|failure| !failure.is_not_found());
    }
    Failure::from_many(failures)?;
    if found == 0 {
        cx.line("No resources found");
    }
    Ok(awaited)
}

/// Namespace and name of every object that is meant.
fn names(cx: &mut Context<'_>, target: &Target) -> Result<Vec<(String, String)>> {
    match target {
        Target::Named { namespace, name, .. } => Ok(vec![(namespace.clone(), name.clone())]),
        Target::Manifest(manifest) => Ok(vec![(manifest.namespace.clone(), manifest.name.clone())]),
        Target::Selected { .. } => {
            let objects = builder::fetch(cx, target)?;
            Ok(objects.iter().map(|o| (o.namespace().to_owned(), o.name().to_owned())).collect())
        }
    }
}

/// Deletes one object and tells so; its uid, if it is known.
pub fn delete(
    cx: &mut Context<'_>,
    kind: &KindRef,
    namespace: &str,
    name: &str,
    deletion: &mut Deletion,
) -> Result<Option<String>> {
    if !kind.namespaced && std::mem::take(&mut deletion.warn_cluster_scope) {
        cx.err_line(
            "Warning: deleting cluster-scoped resources, not scoped to the provided namespace",
        );
    }
    let options = DeleteOptions {
        grace_period_seconds: Some(deletion.grace_period).filter(|seconds| *seconds >= 0),
        propagation: Some(deletion.propagation),
        ..DeleteOptions::default()
    };
    let deleted = match deletion.dry_run {
        DryRun::Client => None,
        dry_run => cx.delete(kind, namespace, name, options, dry_run)?,
    };
    if !deletion.quiet {
        tell(cx, kind, name, deletion);
    }
    Ok(deleted)
}

fn tell(cx: &mut Context<'_>, kind: &KindRef, name: &str, deletion: &Deletion) {
    if deletion.name_only {
        return cx.line(&name_of(kind, name));
    }
    let operation = if deletion.grace_period == 0 { "force deleted" } else { "deleted" };
    let suffix = deletion.dry_run.suffix();
    let kind = kind.group_kind().to_lowercase();
    cx.line(&format!("{kind} {} {operation}{suffix}", quote(name)));
}
