//! What `label` and `annotate` have in common.

use crate::builder::{self, Builder, Target};
use crate::context::{Context, DryRun, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::generate::{difference, resources_and_pairs};
use crate::printers::{self, Format, Teller};
use crate::process::Outcome;
use naru_api::gofmt::quote;
use naru_api::request::Patch;
use naru_api::wanted::Wanted;
use naru_api::{KindRef, Object};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Flags of both.
pub const FLAGS: &[Flag] = &[
    Flag::switch("all", "All objects of the types in the namespace."),
    Flag::switch("list", "Print what there is."),
    Flag::switch("local", "Do not ask the API server."),
    Flag::switch("overwrite", "Change what has another value."),
    Flag::text("resource-version", "", "Only if the object has this resource version."),
];

/// What to set, and what to remove.
pub type Changes = (BTreeMap<String, String>, Vec<String>);

/// A map in the metadata.
pub struct Field {
    /// `labels`
    pub map: &'static str,
    /// `label`
    pub noun: &'static str,
    /// What to set and what to remove.
    pub parse: fn(&[String]) -> Result<Changes>,
    /// What is told: by whether something has changed, whether it got shorter, and `--overwrite`.
    pub operation: fn(bool, bool, bool) -> &'static str,
    /// Says that these have another value.
    pub overwritten: fn(&[(String, String)]) -> Failure,
}

/// What is to be done to each object.
struct Change<'a> {
    field: &'a Field,
    set: BTreeMap<String, String>,
    removed: Vec<String>,
    dry_run: DryRun,
    single: bool,
}

/// Runs the command.
pub fn run(cx: &mut Context<'_>, field: &Field) -> Outcome {
    let dry_run = cx.dry_run()?;
    let (resources, pairs) = resources_and_pairs(cx.args(), field.noun)?;
    let (set, removed) = (field.parse)(&pairs)?;
    // `annotate` looks at the output format first, `label` at the end.
    if field.map == "annotations" {
        Format::parse(cx, &[])?;
    }
    check(cx, field, &resources, set.is_empty() && removed.is_empty(), dry_run)?;
    let local = cx.flags().is("local");
    let builder = Builder::new(cx)?.select_all(cx.flags().is("all")).local(local);
    let selection = builder.types_or_names(cx, cx.flags().is("all"), &resources)?.build(cx)?;
    let change = Change { field, set, removed, dry_run, single: selection.single };
    if !change.single && !cx.flags().text("resource-version").is_empty() {
        let text = "--resource-version may only be used with a single resource";
        return Err(Failure::message(text));
    }
    let mut failures = Vec::new();
    for target in selection.targets {
        if let Err(failure) = target.and_then(|target| change_all(cx, &target, &change)) {
            failures.push(failure);
        }
    }
    Failure::from_many(failures)?;
    done()
}

fn check(
    cx: &Context<'_>,
    field: &Field,
    resources: &[String],
    nothing: bool,
    dry_run: DryRun,
) -> Result<()> {
    let flags = cx.flags();
    let no_file = flags.list("filename").is_empty() && flags.text("kustomize").is_empty();
    let wrong = if flags.is("list") && !flags.text("output").is_empty() {
        "--list and --output may not be specified together".to_owned()
    } else if flags.is("all") && !flags.text("selector").is_empty() {
        "cannot set --all and --selector at the same time".to_owned()
    } else if flags.is("all") && !flags.text("field-selector").is_empty() {
        "cannot set --all and --field-selector at the same time".to_owned()
    } else if flags.is("local") && dry_run == DryRun::Server {
        "cannot specify --local and --dry-run=server - did you mean --dry-run=client?".to_owned()
    } else if flags.is("local") && no_file {
        "one or more files must be specified as -f pod.yaml or --filename=pod.json".to_owned()
    } else if !flags.is("local") && resources.is_empty() && no_file {
        "one or more resources must be specified as <resource> <name> or <resource>/<name>"
            .to_owned()
    } else if nothing && !flags.is("list") {
        format!("at least one {} update is required", field.noun)
    } else {
        return Ok(());
    };
    Err(Failure::Message(wrong))
}

fn change_all(cx: &mut Context<'_>, target: &Target, change: &Change<'_>) -> Result<()> {
    if let (true, Target::Manifest(manifest)) = (cx.flags().is("local"), target) {
        return change_one(cx, &manifest.kind, None, manifest.object.clone(), change);
    }
    // Where the object itself is not printed, nothing else of it is looked at.
    let prints_object = !matches!(Format::parse(cx, &[]), Ok(None));
    let map = format!("metadata.{}", change.field.map);
    let part = Wanted::of_paths(&["metadata.name", &map]);
    for object in builder::fetch(cx, target)? {
        let json = match prints_object {
            true => printers::json_of(&object, cx.flags()),
            false => object.content_part(&part).unwrap_or_default(),
        };
        change_one(cx, &object.kind(), Some(&object), json, change)?;
    }
    Ok(())
}

fn change_one(
    cx: &mut Context<'_>,
    kind: &KindRef,
    live: Option<&Object>,
    old: Value,
    change: &Change<'_>,
) -> Result<()> {
    let flags = cx.flags();
    let sends = live.is_some() && !flags.is("list") && change.dry_run != DryRun::Client;
    let map = change.field.map;
    let before: BTreeMap<String, String> =
        serde_json::from_value(old["metadata"][map].clone()).unwrap_or_default();
    if sends {
        for key in change.removed.iter().filter(|key| !before.contains_key(*key)) {
            cx.line(&format!("{} {} not found.", change.field.noun, quote(key)));
        }
    }
    let taken: Vec<(String, String)> = before
        .iter()
        .filter(|(key, value)| change.set.get(*key).is_some_and(|new| new != *value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if !taken.is_empty() && !flags.is("overwrite") {
        return Err((change.field.overwritten)(&taken));
    }
    let mut after = before.clone();
    after.extend(change.set.clone());
    after.retain(|key, _| !change.removed.contains(key));
    let mut new = old.clone();
    if let Some(metadata) = new["metadata"].as_object_mut() {
        if after.is_empty() {
            metadata.remove(map);
        } else {
            metadata.insert(map.to_owned(), json!(after));
        }
    }
    if flags.is("list") {
        list(cx, kind, &new, &after, change);
        return Ok(());
    }
    let shorter = new.to_string().len() < old.to_string().len();
    let operation = (change.field.operation)(new != old, shorter, flags.is("overwrite"));
    let mut teller = Teller::new(cx, change.dry_run.suffix())?;
    if let (true, Some(live)) = (sends, live) {
        let mut patch = difference(&old, &new);
        if !flags.text("resource-version").is_empty() {
            patch["metadata"]["resourceVersion"] = json!(flags.text("resource-version"));
        }
        let patch = Patch::Merge(patch);
        let patched = cx.patch(kind, live.namespace(), live.name(), patch, change.dry_run)?;
        if teller.prints_object() {
            new = printers::json_of(&patched, flags);
        }
    }
    teller.tell(cx, kind, new, operation)
}

fn list(
    cx: &mut Context<'_>,
    kind: &KindRef,
    object: &Value,
    map: &BTreeMap<String, String>,
    change: &Change<'_>,
) {
    if !change.single {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let (what, group) = (change.field.map, &kind.group);
        cx.line(&format!("Listing {what} for {}.{group}/{name}:", kind.kind));
    }
    let indent = if change.single { "" } else { " " };
    for (key, value) in map {
        cx.line(&format!("{indent}{key}={value}"));
    }
}
