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
use crate::process::Outcome;
use naru_api::gofmt::quote;
use naru_api::patch::three_way;
use naru_api::request::Patch;
use naru_api::schema::Node;
use naru_api::{KindRef, Object};
use serde_json::{Value, json};

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
    subcommands: &[&super::apply_view_last_applied::COMMAND],
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
    let flags = cx.flags();
    if !cx.args().is_empty() {
        let text = format!("Unexpected args: [{}]", cx.args().join(" "));
        return Err(cx.invocation.usage_error(text));
    }
    require_filename(cx)?;
    let wrong = if flags.is("force-conflicts") && !flags.is("server-side") {
        "--force-conflicts only works with --server-side"
    } else if dry_run == DryRun::Client && flags.is("server-side") {
        "--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)"
    } else {
        ""
    };
    if !wrong.is_empty() {
        return Err(Failure::message(wrong));
    }
    if !flags.text("subresource").is_empty() && !flags.is("server-side") {
        return Err(Failure::message("--subresource can only be specified for --server-side"));
    }
    if flags.is("server-side") && flags.is("force") {
        return Err(Failure::message("--force cannot be used with --server-side"));
    }
    for flag in ["prune", "force", "subresource"] {
        if flags.changed(flag) {
            return Err(Failure::Message(format!("--{flag} is not yet in Naru")));
        }
    }
    let selection = Builder::new(cx)?.validated(validate).build(cx)?;
    let mut applied = Applied { dry_run, printed: Vec::new() };
    let (mut count, mut failures) = (0, Vec::new());
    for target in selection.targets {
        let result = target.and_then(|target| match target {
            Target::Manifest(manifest) => {
                count += 1;
                applied.apply(cx, manifest)
            }
            _ => Ok(()),
        });
        if let Err(failure) = result {
            failures.push(failure);
        }
    }
    if count == 0 && failures.is_empty() {
        return Err(Failure::message("no objects passed to apply"));
    }
    applied.print(cx)?;
    Failure::from_many(failures)?;
    done()
}

struct Applied {
    dry_run: DryRun,
    /// With `-o json` and the like, objects are printed together at the end.
    printed: Vec<Value>,
}

impl Applied {
    fn apply(&mut self, cx: &mut Context<'_>, manifest: Manifest) -> Result<()> {
        let Manifest { kind, namespace, name, source, mut object } = manifest;
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
        save_config(&mut object)?;
        let location = location(&kind, &name, &namespace);
        let live = cx.find(&kind, &namespace, &name).map_err(|failure| {
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
        let (patch, patched) = self.patch(cx, &live, &object, &source, &location)?;
        if patched.meta().deletion_timestamp.is_some() {
            cx.err_line(&format!(
                "Warning: Detected changes to resource {name} which is currently being deleted."
            ));
        }
        let operation = if patch { "configured" } else { "unchanged" };
        self.tell(cx, &kind, patched.to_json().unwrap_or_default(), operation)
    }

    /// Sends what differs: whether something did, and the object after it.
    fn patch(
        &self,
        cx: &mut Context<'_>,
        live: &Object,
        modified: &Value,
        source: &str,
        location: &str,
    ) -> Result<(bool, Object)> {
        let (kind, current) = (live.kind(), live.to_json().unwrap_or_default());
        let last = current["metadata"]["annotations"][LAST_APPLIED].as_str();
        if last.is_none() {
            cx.err_line(&format!(
                "Warning: resource {} is missing the {LAST_APPLIED} annotation which is required by \
                 kubectl apply. kubectl apply should only be used on resources created \
                 declaratively by either kubectl create --save-config or kubectl apply. The missing \
                 annotation will be patched automatically.",
                format_args!("{}/{}", kind.plural, live.name())
            ));
        }
        let original = last.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
        let patch = Value::Object(three_way(Node::of(&kind), &original, modified, &current));
        if patch.as_object().is_some_and(|patch| patch.is_empty()) {
            return Ok((false, live.clone()));
        }
        let doing = format!("applying patch:\n{patch}\nto:\n{location}\nfor:");
        let patched = cx
            .patch(&kind, live.namespace(), live.name(), Patch::Strategic(patch), self.dry_run)
            .map_err(|failure| failure.sourced(&doing, source))?;
        Ok((true, patched))
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

    fn print(self, cx: &mut Context<'_>) -> Result<()> {
        let Some(format) = crate::printers::Format::parse(cx, &[])? else { return Ok(()) };
        let object = match <[Value; 1]>::try_from(self.printed) {
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
}

/// Where an object lies, as upstream's `Info.String` tells it.
fn location(kind: &KindRef, name: &str, namespace: &str) -> String {
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
    let text = serde_json::to_string(&original).map_err(|why| Failure::Message(why.to_string()))?;
    let text = text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    if !object["metadata"]["annotations"].is_object() {
        object["metadata"]["annotations"] = json!({});
    }
    object["metadata"]["annotations"][LAST_APPLIED] = Value::from(format!("{text}\n"));
    Ok(())
}
