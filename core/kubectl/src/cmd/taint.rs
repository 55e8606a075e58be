//! `kubectl taint`.

use super::common;
use crate::builder::Builder;
use crate::command::Command;
use crate::context::{Context, DryRun, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::mapper;
use crate::printers::Teller;
use crate::process::Outcome;
use naru_api::Object;
use naru_api::gofmt::quote;
use naru_api::names::{label_value, qualified_name};
use naru_api::request::Patch;
use serde_json::{Map, Value, json};

/// `kubectl taint`
pub static COMMAND: Command = Command {
    usage: "taint NODE NAME KEY_1=VAL_1:TAINT_EFFECT_1 ... KEY_N=VAL_N:TAINT_EFFECT_N",
    short: "Update the taints on one or more nodes",
    long: "Update the taints on one or more nodes.\n\n A taint is a key, a value and an effect: \
           NoSchedule, PreferNoSchedule or NoExecute.\n KEY:EFFECT- takes one away, KEY- all of \
           that key.",
    examples: "# Only pods that tolerate it\nkubectl taint nodes worker dedicated=db:NoSchedule\n\n\
               # Take it away\nkubectl taint nodes worker dedicated:NoSchedule-",
    flags: &[common::PRINT, common::DRY_RUN, common::VALIDATE, common::SELECTOR, FLAGS],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::switch("all", "All nodes of the cluster."),
    Flag::text("field-manager", "kubectl-taint", common::FIELD_MANAGER),
    Flag::switch("overwrite", "Change taints that have another value."),
];

#[derive(Clone, Debug, PartialEq, Eq)]
struct Taint {
    key: String,
    value: String,
    effect: String,
}

impl Taint {
    fn is_same(&self, other: &Taint) -> bool {
        self.key == other.key && self.effect == other.effect
    }

    fn show(&self) -> String {
        match (self.value.as_str(), self.effect.as_str()) {
            ("", "") => self.key.clone(),
            ("", effect) => format!("{}:{effect}", self.key),
            (value, effect) => format!("{}={value}:{effect}", self.key),
        }
    }
}

fn run(cx: &mut Context<'_>) -> Outcome {
    let dry_run = cx.dry_run()?;
    let (resources, specs) = arguments(cx)?;
    let (added, removed) = parse_all(&specs).map_err(|why| cx.invocation.usage_error(why))?;
    check(cx, &resources, &added, &removed)?;
    let flags = cx.flags();
    let mut builder = Builder::new(cx)?.select_all(flags.is("all"));
    builder = if flags.is("all") || !flags.text("selector").is_empty() {
        builder.of_type("nodes")
    } else {
        builder.named("nodes", resources.get(1..).unwrap_or_default())
    };
    let (nodes, mut failures) = builder.build(cx)?.fetch(cx);
    for node in &nodes {
        if let Err(failure) = taint(cx, node, &added, &removed, dry_run) {
            failures.push(failure);
        }
    }
    Failure::from_many(failures)?;
    done()
}

fn arguments(cx: &Context<'_>) -> Result<(Vec<String>, Vec<String>)> {
    let is_taint = |arg: &String| arg.contains(['=', ':']) || arg.ends_with('-');
    let first = cx.args().iter().position(is_taint).unwrap_or(cx.args().len());
    let (resources, taints) = cx.args().split_at(first);
    if let Some(arg) = taints.iter().find(|arg| !is_taint(arg)) {
        let text = format!("all resources must be specified before taint changes: {arg}");
        return Err(Failure::Message(text));
    }
    if resources.is_empty() {
        let text = "one or more resources must be specified as <resource> <name>";
        return Err(Failure::message(text));
    }
    if taints.is_empty() {
        return Err(Failure::message("at least one taint update is required"));
    }
    Ok((resources.to_vec(), taints.to_vec()))
}

fn parse_all(specs: &[String]) -> std::result::Result<(Vec<Taint>, Vec<Taint>), String> {
    let (mut added, mut removed): (Vec<Taint>, Vec<Taint>) = (Vec::new(), Vec::new());
    for spec in specs {
        if let Some(spec) = spec.strip_suffix('-') {
            removed.push(Taint { value: String::new(), ..parse(spec)? });
            continue;
        }
        let taint = parse(spec)?;
        if taint.effect.is_empty() {
            return Err(format!("invalid taint spec: {spec}"));
        }
        if added.iter().any(|known| known.is_same(&taint)) {
            return Err(format!(
                "duplicated taints with the same key and effect: {{{} {} {} <nil>}}",
                taint.key, taint.value, taint.effect
            ));
        }
        added.push(taint);
    }
    Ok((added, removed))
}

/// `KEY=VALUE:EFFECT`, `KEY:EFFECT` or `KEY`.
fn parse(spec: &str) -> std::result::Result<Taint, String> {
    let invalid = || format!("invalid taint spec: {spec}");
    let (left, effect) = spec.split_once(':').unwrap_or((spec, ""));
    if effect.contains(':') {
        return Err(invalid());
    }
    let (key, value) = if spec.contains(':') {
        if !matches!(effect, "NoSchedule" | "PreferNoSchedule" | "NoExecute") {
            return Err(format!("invalid taint effect: {effect}, unsupported taint effect"));
        }
        left.split_once('=').unwrap_or((left, ""))
    } else {
        (left, "")
    };
    if value.contains('=') {
        return Err(invalid());
    }
    for wrong in [label_value(value), qualified_name(key)] {
        if !wrong.is_empty() {
            return Err(format!("invalid taint spec: {spec}, {}", wrong.join("; ")));
        }
    }
    Ok(Taint { key: key.to_owned(), value: value.to_owned(), effect: effect.to_owned() })
}

fn check(
    cx: &mut Context<'_>,
    resources: &[String],
    added: &[Taint],
    removed: &[Taint],
) -> Result<()> {
    let kind = resources.first().map(|kind| kind.to_lowercase()).unwrap_or_default();
    let found = mapper::kind_for(&cx.kinds()?, &kind)?;
    if found.kind != "Node" {
        let text = format!("invalid resource type {kind}, only node types are supported");
        return Err(Failure::Message(text));
    }
    let both: Vec<String> = removed
        .iter()
        .filter(|removed| {
            added.iter().any(|added| {
                added.key == removed.key && (removed.effect.is_empty() || added.is_same(removed))
            })
        })
        .map(|removed| format!("{}={}", removed.key, removed.effect))
        .collect();
    if !both.is_empty() {
        return Err(Failure::Message(format!(
            "can not both modify and remove the following taint(s) in the same command: {}",
            both.join(", ")
        )));
    }
    let flags = cx.flags();
    let selects = !flags.text("selector").is_empty();
    let wrong = if flags.is("all") && selects {
        "setting 'all' parameter with a non empty selector is prohibited"
    } else if !flags.is("all") && !selects && resources.len() < 2 {
        "at least one resource name must be specified since 'all' parameter is not set"
    } else {
        return Ok(());
    };
    Err(Failure::message(wrong))
}

fn taint(
    cx: &mut Context<'_>,
    node: &Object,
    added: &[Taint],
    removed: &[Taint],
    dry_run: DryRun,
) -> Result<()> {
    let mut json = node.to_json().unwrap_or_default();
    let old: Vec<Value> = json["spec"]["taints"].as_array().cloned().unwrap_or_default();
    let overwrite = cx.flags().is("overwrite");
    let taken: Vec<&str> = added
        .iter()
        .filter(|taint| old.iter().any(|old| from_json(old).is_same(taint)))
        .map(|taint| taint.key.as_str())
        .collect();
    if !overwrite && !taken.is_empty() {
        return Err(Failure::Message(format!(
            "node {} already has {} taint(s) with same effect(s) and --overwrite is false",
            node.name(),
            taken.join(",")
        )));
    }
    let (operation, taints) = reorganize(&old, added, removed, overwrite)?;
    json["spec"]["taints"] = Value::from(taints.clone());
    if dry_run != DryRun::Client {
        let patch = Patch::Merge(json!({"spec": {"taints": taints}}));
        json =
            cx.patch(&node.kind(), "", node.name(), patch, dry_run)?.to_json().unwrap_or_default();
    }
    // As upstream: a dry run is not told.
    Teller::new(cx, "")?.tell(cx, &node.kind(), json, operation)
}

/// Upstream: `reorganizeTaints`.
fn reorganize(
    old: &[Value],
    added: &[Taint],
    removed: &[Taint],
    overwrite: bool,
) -> Result<(&'static str, Vec<Value>)> {
    let mut taints: Vec<Value> = added.iter().map(to_json).collect();
    let kept = |taint: &&Value| !added.iter().any(|added| added.is_same(&from_json(taint)));
    taints.extend(old.iter().filter(kept).cloned());
    let grown = taints.len() != old.len();
    let (mut deleted, mut failures) = (false, Vec::new());
    for taint in removed {
        let before = taints.len();
        taints.retain(|known| {
            let known = from_json(known);
            known.key != taint.key || !(taint.effect.is_empty() || known.effect == taint.effect)
        });
        deleted = taints.len() != before;
        if !deleted {
            let text = format!("taint {} not found", quote(&taint.show()));
            failures.push(Failure::Message(text));
        }
    }
    Failure::from_many(failures)?;
    let operation = match (grown, deleted) {
        (true, true) => "modified",
        _ if overwrite => "modified",
        (true, false) => "tainted",
        _ => "untainted",
    };
    Ok((operation, taints))
}

fn to_json(taint: &Taint) -> Value {
    let mut fields = Map::new();
    for (name, value) in [("effect", &taint.effect), ("key", &taint.key), ("value", &taint.value)] {
        if !value.is_empty() {
            fields.insert(name.to_owned(), json!(value));
        }
    }
    Value::Object(fields)
}

fn from_json(taint: &Value) -> Taint {
    let text = |field: &str| taint[field].as_str().unwrap_or_default().to_owned();
    Taint { key: text("key"), value: text("value"), effect: text("effect") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs() {
        for (spec, expected) in [
            ("a=b:NoSchedule", ("a", "b", "NoSchedule")),
            ("a:NoExecute", ("a", "", "NoExecute")),
            ("a", ("a", "", "")),
        ] {
            let taint = parse(spec).unwrap();
            assert_eq!((&*taint.key, &*taint.value, &*taint.effect), expected);
        }
        for (spec, why) in [
            ("a=b:Foo", "invalid taint effect: Foo, unsupported taint effect"),
            ("a:b:c", "invalid taint spec: a:b:c"),
        ] {
            assert_eq!(parse(spec).unwrap_err(), why);
        }
    }
}
