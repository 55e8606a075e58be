//! `kubectl apply`.

use super::common;
use super::create::require_filename;
use super::delete::DELETION;
use crate::builder::{Builder, Manifest, Target};
use crate::command::Command;
use crate::context::{Context, DryRun, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::mapper::name_of;
use crate::printers::{Printer, Teller};
use crate::process::{Next, Outcome, Task};
use naru_api::gofmt::quote;
use naru_api::patch::three_way;
use naru_api::request::{DeleteOptions, Patch};
use naru_api::schema::Node;
use naru_api::{KindRef, Object};
use naru_sim::Time;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Duration;

/// `kubectl apply`
pub static COMMAND: Command = Command {
    usage: "apply (-f FILENAME | -k DIRECTORY)",
    short: "Apply a configuration to a resource by file name or stdin",
    long: "Apply a configuration to a resource by file name or stdin. The resource name must be \
           specified. This resource will be created if it doesn't exist yet.\n\n What the file says \
           and what it said the time before are compared with what there is; only\n the difference \
           is sent, so that fields which others set stay.",
    examples: "# Apply what a file describes\nkubectl apply -f ./app.yaml\n\n\
               # Every file of a folder\nkubectl apply -f ./manifests/\n\n\
               # What another program writes\ncat app.yaml | kubectl apply -f -",
    flags: &[
        common::PRINT,
        DELETION,
        common::FILENAME,
        common::DRY_RUN,
        common::VALIDATE,
        common::SELECTOR,
        common::RECORD,
        FLAGS,
    ],
    subcommands: &[
        &super::edit::LAST_APPLIED,
        &super::apply_set_last_applied::COMMAND,
        &super::apply_view_last_applied::COMMAND,
    ],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::switch("all", "All objects of the types in the namespace."),
    Flag::text("field-manager", "kubectl-client-side-apply", common::FIELD_MANAGER),
    Flag::switch("force-conflicts", "With --server-side: take fields from other managers."),
    Flag::switch_on("openapi-patch", "Use the schema of the API server to compare."),
    Flag::switch_on("overwrite", "Settle conflicts by the file's values."),
    Flag::switch("prune", "Delete objects that are not in the files any more."),
    Flag::array("prune-allowlist", "With --prune: kinds to delete, as GROUP/VERSION/KIND."),
    Flag::switch("server-side", "Let the server compare."),
    Flag::text("subresource", "", "Apply to this subresource of the object."),
    Flag::switch("wait", "Wait until deleted objects are gone."),
];

/// Where `apply` keeps what was applied last.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn run(cx: &mut Context<'_>) -> Outcome {
    let dry_run = cx.dry_run()?;
    let validate = common::validates(cx.flags())?;
    if !cx.args().is_empty() {
        let text = format!("Unexpected args: [{}]", cx.args().join(" "));
        return Err(cx.invocation.usage_error(text));
    }
    require_filename(cx)?;
    if cx.flags().is("prune") {
        super::apply_prune::check_allowlist(cx)?;
    }
    check_flags(cx, dry_run)?;
    let selection = Builder::new(cx)?.validated(validate).build(cx)?;
    let queue = selection.targets.into_iter().filter_map(|target| match target {
        Ok(Target::Manifest(manifest)) => Some(Ok(manifest)),
        Ok(_) => None,
        Err(failure) => Some(Err(failure)),
    });
    cx.start(Applying { queue: queue.collect(), dry_run, ..Applying::default() })
}

/// Upstream: `ApplyOptions.Validate`.
fn check_flags(cx: &Context<'_>, dry_run: DryRun) -> Result<()> {
    let flags = cx.flags();
    let (server_side, force) = (flags.is("server-side"), flags.is("force"));
    let selects = !flags.text("selector").is_empty();
    let wrong = if flags.is("force-conflicts") && !server_side {
        "--force-conflicts only works with --server-side"
    } else if dry_run == DryRun::Client && server_side {
        "--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)"
    } else if server_side && force {
        "--force cannot be used with --server-side"
    } else if dry_run == DryRun::Server && force {
        "--dry-run=server cannot be used with --force"
    } else if flags.is("all") && selects {
        "cannot set --all and --selector at the same time"
    } else if flags.is("prune") && force {
        "--force cannot be used with --prune"
    } else if flags.is("prune") && !flags.is("all") && !selects {
        "all resources selected for prune without explicitly passing --all. To prune all \
         resources, pass the --all flag. If you did not mean to prune all resources, specify a \
         label selector"
    } else if flags.is("prune") && server_side {
        "--prune is in alpha and doesn't currently work on objects created by server-side apply"
    } else if !flags.text("subresource").is_empty() && !server_side {
        "--subresource can only be specified for --server-side"
    } else {
        return Ok(());
    };
    Err(Failure::message(wrong))
}

/// Applies one object after the other.
#[derive(Clone, Debug, Default)]
struct Applying {
    queue: VecDeque<Result<Manifest>>,
    dry_run: DryRun,
    /// With `--force`: an object that could not be patched is deleted, and made anew when it is
    /// gone.
    replacing: Option<Box<Replacing>>,
    /// With `-o json` and the like, objects are printed together at the end.
    printed: Vec<Value>,
    /// What is not to be pruned.
    kept: Vec<(KindRef, String, String)>,
    failures: Vec<Failure>,
}

/// An object that is deleted, to be made anew.
#[derive(Clone, Debug)]
struct Replacing {
    manifest: Manifest,
    live: Value,
    next: Time,
}

/// How often it is looked whether a deleted object is gone.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Task for Applying {
    fn poll(mut self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        if let Some(replacing) = self.replacing.take() {
            if cx.now() < replacing.next {
                let next = replacing.next;
                self.replacing = Some(replacing);
                return Ok(Next::Wait(self, Some(next)));
            }
            if let Err(failure) = self.make_anew(cx, *replacing) {
                self.failures.push(failure);
            }
        }
        while self.replacing.is_none() {
            let Some(next) = self.queue.pop_front() else { return self.end(cx) };
            if let Err(failure) = next.and_then(|manifest| self.apply(cx, manifest)) {
                self.failures.push(failure);
            }
        }
        let now = Some(cx.now());
        Ok(Next::Wait(self, now))
    }
}

impl Applying {
    fn end(self, cx: &mut Context<'_>) -> Outcome {
        let Applying { failures, printed, kept, dry_run, .. } = self;
        if kept.is_empty() && failures.is_empty() {
            return Err(Failure::message("no objects passed to apply"));
        }
        print(cx, printed)?;
        Failure::from_many(failures)?;
        if cx.flags().is("prune") {
            super::apply_prune::prune(cx, &kept, dry_run)?;
        }
        done()
    }

    fn apply(&mut self, cx: &mut Context<'_>, manifest: Manifest) -> Result<()> {
        let Manifest { kind, namespace, name, source, mut object } = manifest;
        self.kept.push((kind.clone(), namespace.clone(), name.clone()));
        if name.is_empty()
            && let Some(prefix) = object["metadata"]["generateName"].as_str()
        {
            let text = format!("from {prefix}: cannot use generate name with apply");
            return Err(Failure::Message(text));
        }
        if cx.flags().is("server-side") {
            let manifest = Manifest { kind: kind.clone(), namespace, name, source, object };
            let applied = super::apply_server_side::apply(cx, manifest, self.dry_run)?;
            return self.tell(cx, &kind, applied, "serverside-applied");
        }
        super::record::record(cx, &mut object);
        save_config(&mut object)?;
        let live = cx.find(&kind, &namespace, &name).map_err(|failure| {
            let location = location(&kind, &name, &namespace);
            let doing =
                format!("retrieving current configuration of:\n{location}\nfrom server for:");
            failure.sourced(&doing, &source)
        })?;
        let Some(live) = live else {
            if self.dry_run != DryRun::Client {
                let created = cx
                    .create(&kind, &namespace, without_nulls(object), self.dry_run)
                    .map_err(|failure| failure.sourced("creating", &source))?;
                object = created.to_json().unwrap_or_default();
            }
            return self.tell(cx, &kind, object, "created");
        };
        if self.dry_run == DryRun::Client {
            return self.tell(cx, &kind, object, "configured");
        }
        let (changed, patched) = match patch(cx, &live, &object, &source, self.dry_run, true) {
            Err(failure) if cx.flags().is("force") && may_replace(&failure) => {
                let manifest = Manifest { kind, namespace, name, source, object };
                return self.replace(cx, manifest, &live);
            }
            result => result?,
        };
        if patched.meta().deletion_timestamp.is_some() {
            cx.err_line(&format!(
                "Warning: Detected changes to resource {name} which is currently being deleted."
            ));
        }
        let operation = if changed { "configured" } else { "unchanged" };
        self.tell(cx, &kind, patched.to_json().unwrap_or_default(), operation)
    }

    /// Upstream: `Patcher.deleteAndCreate`.
    fn replace(&mut self, cx: &mut Context<'_>, manifest: Manifest, live: &Object) -> Result<()> {
        let options = DeleteOptions {
            grace_period_seconds: Some(cx.flags().int("grace-period")).filter(|n| *n >= 0),
            propagation: Some(super::delete::cascade(cx)?),
            ..DeleteOptions::default()
        };
        cx.delete(&manifest.kind, &manifest.namespace, &manifest.name, options, DryRun::None)?;
        let live = live.to_json().unwrap_or_default();
        self.replacing = Some(Box::new(Replacing { manifest, live, next: cx.now() }));
        Ok(())
    }

    fn make_anew(&mut self, cx: &mut Context<'_>, mut replacing: Replacing) -> Result<()> {
        let Manifest { kind, namespace, name, object, .. } = &replacing.manifest;
        if cx.find(kind, namespace, name)?.is_some() {
            replacing.next = cx.now() + LOOK_EVERY;
            self.replacing = Some(Box::new(replacing));
            return Ok(());
        }
        match cx.create(kind, namespace, without_nulls(object.clone()), DryRun::None) {
            Ok(created) => {
                let created = created.to_json().unwrap_or_default();
                self.tell(cx, kind, created, "configured")
            }
            Err(failure) => Err(put_back(cx, &replacing, failure)),
        }
    }

    fn tell(
        &mut self,
        cx: &mut Context<'_>,
        kind: &KindRef,
        object: Value,
        operation: &str,
    ) -> Result<()> {
        let mut teller = Teller::new(cx, self.dry_run.suffix())?;
        match cx.flags().text("output") {
            "" => teller.tell(cx, kind, object, operation),
            "name" => {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                cx.line(&name_of(kind, name));
                Ok(())
            }
            _ => {
                self.printed.push(object);
                Ok(())
            }
        }
    }
}

fn print(cx: &mut Context<'_>, printed: Vec<Value>) -> Result<()> {
    let Some(format) = crate::printers::Format::parse(cx, &[])? else { return Ok(()) };
    let object = match <[Value; 1]>::try_from(printed) {
        Ok([one]) => one,
        Err(several) if several.is_empty() => return Ok(()),
        Err(several) => {
            json!({"apiVersion": "v1", "items": several, "kind": "List", "metadata": {}})
        }
    };
    let text = Printer::new(format, cx.flags()).print(None, object)?;
    cx.out(&text);
    Ok(())
}

/// Sends what differs: whether something did, and the object after it.
pub fn patch(
    cx: &mut Context<'_>,
    live: &Object,
    modified: &Value,
    source: &str,
    dry_run: DryRun,
    warn: bool,
) -> Result<(bool, Object)> {
    let (kind, current) = (live.kind(), live.to_json().unwrap_or_default());
    let last = current["metadata"]["annotations"][LAST_APPLIED].as_str();
    if last.is_none() && warn {
        cx.err_line(&format!(
            "Warning: resource {} is missing the {LAST_APPLIED} annotation which is required by \
             kubectl apply. kubectl apply should only be used on resources created declaratively \
             by either kubectl create --save-config or kubectl apply. The missing annotation will \
             be patched automatically.",
            format_args!("{}/{}", kind.plural, live.name())
        ));
    }
    let original = last.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
    let patch = Value::Object(three_way(Node::of(&kind), &original, modified, &current));
    if patch.as_object().is_some_and(|patch| patch.is_empty()) {
        return Ok((false, live.clone()));
    }
    let location = location(&kind, live.name(), live.namespace());
    let doing = format!("applying patch:\n{patch}\nto:\n{location}\nfor:");
    let patched = cx
        .patch(&kind, live.namespace(), live.name(), Patch::Strategic(patch), dry_run)
        .map_err(|failure| failure.sourced(&doing, source))?;
    Ok((true, patched))
}

/// Whether `--force` replaces an object that could not be patched.
fn may_replace(failure: &Failure) -> bool {
    matches!(failure, Failure::Api(error) | Failure::Source { error, .. }
        if error.is_conflict() || error.reason() == "Invalid")
}

/// Makes the object anew that was deleted in vain, and says what went wrong.
fn put_back(cx: &mut Context<'_>, replacing: &Replacing, failure: Failure) -> Failure {
    let Manifest { kind, namespace, .. } = &replacing.manifest;
    let mut old = replacing.live.clone();
    if let Some(metadata) = old["metadata"].as_object_mut() {
        metadata.remove("resourceVersion");
        metadata.remove("uid");
    }
    match cx.create(kind, namespace, old, DryRun::None) {
        Ok(_) => failure,
        Err(again) => Failure::Message(format!(
            "An error occurred force-replacing the existing object with the newly provided \
             one:\n\n{}.\n\nAdditionally, an error occurred attempting to restore the original \
             object:\n\n{}",
            failure.bare(),
            again.bare()
        )),
    }
}

/// Where an object lies, as upstream's `Info.String` tells it.
pub fn location(kind: &KindRef, name: &str, namespace: &str) -> String {
    let version = match kind.group.as_ref() {
        "" => format!("/{}", kind.version),
        group => format!("{group}/{}", kind.version),
    };
    let resource = quote(&format!("{version}, Resource={}", kind.plural));
    let group_kind = quote(&format!("{version}, Kind={}", kind.kind));
    let (name, namespace) = (quote(name), quote(namespace));
    format!(
        "Resource: {resource}, GroupVersionKind: {group_kind}\nName: {name}, Namespace: {namespace}"
    )
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        other => other,
    }
}

/// JSON in one line, as Go writes it.
pub fn go_json(value: &Value) -> Result<String> {
    let text = serde_json::to_string(value).map_err(|why| Failure::Message(why.to_string()))?;
    Ok(text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"))
}

/// Writes the configuration into the object's own annotation.
///
/// Upstream: `CreateOrUpdateAnnotation`, `GetModifiedConfiguration`.
pub fn save_config(object: &mut Value) -> Result<()> {
    let mut original = object.clone();
    if let Some(annotations) = original["metadata"]["annotations"].as_object_mut() {
        annotations.remove(LAST_APPLIED);
    } else {
        original["metadata"]["annotations"] = json!({});
    }
    let text = go_json(&original)?;
    if !object["metadata"]["annotations"].is_object() {
        object["metadata"]["annotations"] = json!({});
    }
    object["metadata"]["annotations"][LAST_APPLIED] = Value::from(format!("{text}\n"));
    Ok(())
}
