//! `kubectl patch`.

use super::common;
use crate::builder::{self, Builder, Target};
use crate::command::Command;
use crate::context::{Context, DryRun, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::printers::Teller;
use crate::process::Outcome;
use naru_api::gofmt::quote;
use naru_api::request::Patch;
use naru_api::schema::Node;
use naru_api::{KindRef, Object};
use serde_json::Value;

/// `kubectl patch`
pub static COMMAND: Command = Command {
    usage: "patch (-f FILENAME | TYPE NAME) [-p PATCH|--patch-file FILE]",
    short: "Update fields of a resource",
    long: "Update fields of a resource using strategic merge patch, a JSON merge patch, or a JSON \
           patch.",
    examples: "# Change a field\nkubectl patch node worker -p '{\"spec\":{\"unschedulable\":true}}'\n\n\
               # By operations\n\
               kubectl patch pod web --type=json -p='[{\"op\": \"replace\", \"path\": \
               \"/spec/containers/0/image\", \"value\":\"nginx:1.27\"}]'",
    flags: &[common::PRINT, common::FILENAME, common::DRY_RUN, common::RECORD, FLAGS],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::text("field-manager", "kubectl-patch", common::FIELD_MANAGER),
    Flag::switch("local", "Do not ask the API server."),
    Flag::text("patch", "", "The patch, as JSON or YAML.").short("p"),
    Flag::text("patch-file", "", "A file that holds the patch."),
    Flag::text("subresource", "", "Patch this subresource of the object."),
    Flag::text("type", "strategic", "The kind of patch: json, merge, or strategic."),
];

fn run(cx: &mut Context<'_>) -> Outcome {
    let dry_run = cx.dry_run()?;
    let flags = cx.flags();
    let patch = read_patch(cx)?;
    let local = flags.is("local");
    if local && cx.args().len() > 1 {
        return Err(Failure::message("cannot specify --local and server resources"));
    }
    if local && dry_run == DryRun::Server {
        let text = "cannot specify --local and --dry-run=server - did you mean --dry-run=client?";
        return Err(Failure::message(text));
    }
    let builder = Builder::new(cx)?.local(local);
    let builder = if local { builder } else { builder.types_or_names(cx, false, cx.args())? };
    let selection = builder.build(cx)?;
    if selection.targets.is_empty() {
        return Err(Failure::message("no objects passed to patch"));
    }
    let mut failures = Vec::new();
    for target in selection.targets {
        let patched = target.and_then(|target| patch_all(cx, &target, &patch, dry_run));
        if let Err(failure) = patched {
            failures.push(failure);
        }
    }
    Failure::from_many(failures)?;
    done()
}

fn read_patch(cx: &mut Context<'_>) -> Result<Patch> {
    let flags = cx.flags();
    let (inline, file) = (flags.text("patch"), flags.text("patch-file"));
    if !inline.is_empty() && !file.is_empty() {
        return Err(Failure::message("cannot specify --patch and --patch-file together"));
    }
    if inline.is_empty() && file.is_empty() {
        return Err(Failure::message(
            "must specify --patch or --patch-file containing the contents of the patch",
        ));
    }
    let kind = flags.text("type").to_lowercase();
    if !matches!(kind.as_str(), "json" | "merge" | "strategic") {
        let kind = quote(flags.text("type"));
        let text = format!("--type must be one of [json merge strategic], not {kind}");
        return Err(Failure::Message(text));
    }
    let text = if file.is_empty() {
        inline.to_owned()
    } else {
        let path = cx.sys.absolute(file);
        cx.sys.fs().read_text(&path).map_err(|errno| {
            let why = errno.to_string().to_lowercase();
            Failure::Message(format!("unable to read patch file: open {file}: {why}"))
        })?
    };
    // What begins as JSON goes to the server as it is.
    if text.trim_start().starts_with('{')
        && let Err(why) = naru_api::json::parse(text.as_bytes())
    {
        return Err(Failure::Api(naru_api::ApiError::bad_request(why.to_string())));
    }
    let value = naru_api::yaml::parse(&text).map_err(|why| {
        Failure::Message(format!(
            "unable to parse {}: {}",
            quote(&text),
            crate::generate::yaml_reason(&why.to_string())
        ))
    })?;
    Ok(match kind.as_str() {
        "json" => Patch::Json(value),
        "merge" => Patch::Merge(value),
        _ => Patch::Strategic(value),
    })
}

fn patch_all(cx: &mut Context<'_>, target: &Target, patch: &Patch, dry_run: DryRun) -> Result<()> {
    if let (true, Target::Manifest(manifest)) = (cx.flags().is("local"), target) {
        let after = patched(&manifest.kind, &manifest.object, patch)?;
        return tell(cx, &manifest.kind, &manifest.object, after);
    }
    builder::fetch(cx, target)?.iter().try_for_each(|one| patch_one(cx, one, patch, dry_run))
}

/// What a patch makes of an object, without the API server.
fn patched(kind: &KindRef, before: &Value, patch: &Patch) -> Result<Value> {
    let before = before.clone();
    let patched = match patch {
        Patch::Json(operations) => naru_api::patch::json(before, operations),
        Patch::Merge(changes) => Ok(naru_api::patch::merge(before, changes)),
        Patch::Strategic(changes) => naru_api::patch::strategic(Node::of(kind), before, changes),
        // `kubectl patch` has no such type.
        Patch::Apply { .. } => Ok(before),
    };
    patched.map_err(|why| Failure::Message(why.to_string()))
}

fn patch_one(cx: &mut Context<'_>, object: &Object, patch: &Patch, dry_run: DryRun) -> Result<()> {
    let (kind, before) = (object.kind(), object.to_json().unwrap_or_default());
    let subresource = common::subresource(cx.flags().text("subresource"))?;
    if dry_run == DryRun::Client {
        let after = patched(&kind, &before, patch)?;
        return tell(cx, &kind, &before, after);
    }
    let (namespace, name) = (object.namespace(), object.name());
    let patched = match subresource {
        "" => cx.patch(&kind, namespace, name, patch.clone(), dry_run),
        subresource => {
            cx.patch_subresource(&kind, namespace, name, subresource, patch.clone(), dry_run)
        }
    };
    let patched = patched.map_err(|failure| unsupported(failure, patch, &kind))?;
    tell(cx, &kind, &before, patched.to_json().unwrap_or_default())
}

fn tell(cx: &mut Context<'_>, kind: &KindRef, before: &Value, after: Value) -> Result<()> {
    let operation = if after == *before { "patched (no change)" } else { "patched" };
    // As upstream: a dry run is not told.
    Teller::new(cx, "")?.tell(cx, kind, after, operation)
}

/// Tells which type of patch the API server does not take for a kind.
fn unsupported(failure: Failure, patch: &Patch, kind: &KindRef) -> Failure {
    let media_type = match patch {
        Patch::Json(_) => "application/json-patch+json",
        Patch::Merge(_) => "application/merge-patch+json",
        Patch::Strategic(_) => "application/strategic-merge-patch+json",
        Patch::Apply { .. } => "application/apply-patch+yaml",
    };
    match failure {
        Failure::Api(error) if error.code() == 415 => Failure::Message(format!(
            "{media_type} is not supported by {}, Kind={}: {}",
            kind.api_version(),
            kind.kind,
            error.message()
        )),
        other => other,
    }
}
