//! `kubectl set env`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/set/set_env.go` and `set/env`.

use super::common;
use super::set_change::{self, Changer, Item};
use crate::command::Command;
use crate::context::{Context, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::process::Outcome;
use naru_api::gofmt::quote;
use naru_pki::base64;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// `kubectl set env`
pub static COMMAND: Command = Command {
    usage: "env RESOURCE/NAME KEY_1=VAL_1 ... KEY_N=VAL_N",
    short: "Update environment variables on a pod template",
    long: "Update environment variables on a pod template.\n\n Lists the variables of containers, \
           sets them (KEY=VALUE) and removes them (KEY-); with --from\n they are taken from a \
           config map or a secret. An argument - reads KEY=VALUE lines from\n standard input.",
    examples: "# A variable for a deployment\nkubectl set env deployment/web MODE=prod\n\n\
               # What is set\nkubectl set env deployment/web --list\n\n\
               # Every key of a config map\nkubectl set env --from=configmap/settings deployment/web\n\n\
               # Take a variable away again\nkubectl set env deployment/web MODE-",
    flags: &[common::PRINT, common::FILENAME, common::DRY_RUN, common::SELECTOR, FLAGS],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::switch("all", "All objects of the types in the namespace."),
    Flag::text("containers", "*", "Names of the containers to change; * stands for any text.")
        .short("c"),
    Flag::array("env", "A variable to set: KEY=VALUE.").short("e"),
    Flag::text("field-manager", "kubectl-set", common::FIELD_MANAGER),
    Flag::text("from", "", "The config map or secret to take variables from."),
    Flag::slice("keys", "The keys of --from to take; all, if none is named."),
    Flag::switch("list", "Print the variables, and the changes of them."),
    Flag::switch("local", "Do not ask the API server."),
    Flag::switch_on("overwrite", "A variable that is set may be changed."),
    Flag::text("prefix", "", "Text to put before each name."),
    Flag::switch("resolve", "With --list: print what config maps and secrets hold."),
];

/// What is to be set and taken away.
struct Change {
    set: Vec<Value>,
    removed: Vec<String>,
}

fn run(cx: &mut Context<'_>) -> Outcome {
    let flags = cx.flags();
    if flags.is("all") && !flags.text("selector").is_empty() {
        return Err(Failure::message("cannot set --all and --selector at the same time"));
    }
    let (resources, pairs) = split(cx.args()).ok_or_else(|| {
        let args = cx.args().join(" ");
        Failure::Message(format!(
            "all resources must be specified before environment changes: {args}"
        ))
    })?;
    let dry_run = cx.dry_run()?;
    let mut changer =
        Changer::new(cx, dry_run, "env updated", "failed to patch env update to pod template:")?;
    set_change::check_local(cx, dry_run)?;
    check(cx, resources)?;
    let specs: Vec<&String> = flags.list("env").iter().chain(pairs).collect();
    let mut change = parse(cx, &specs)?;
    if !flags.text("from").is_empty() {
        from(cx, &mut change)?;
    }
    let prefix = flags.text("prefix");
    for variable in &mut change.set {
        variable["name"] = json!(format!("{prefix}{}", name_of(variable)));
    }
    let items = set_change::items(cx, resources)?;
    let list = flags.is("list");
    set_change::change_pod_specs(cx, &items, &mut changer, false, |cx, item, spec| {
        update(cx, item, spec, &change)?;
        Ok(!list)
    })?;
    done()
}

fn check(cx: &Context<'_>, resources: &[String]) -> Result<()> {
    let flags = cx.flags();
    let no_file = flags.list("filename").is_empty() && flags.text("kustomize").is_empty();
    let wrong = if no_file && resources.is_empty() {
        "one or more resources must be specified as <resource> <name> or <resource>/<name>"
    } else if flags.is("list") && !flags.text("output").is_empty() {
        "--list and --output may not be specified together"
    } else if !flags.list("keys").is_empty() && flags.text("from").is_empty() {
        "when specifying --keys, a configmap or secret must be provided with --from"
    } else {
        return Ok(());
    };
    Err(Failure::message(wrong))
}

/// Resources, and after them the changes: `a=b`, `a-`, `-`. `None` when they are mixed.
///
/// Upstream: `SplitEnvironmentFromResources`.
fn split(args: &[String]) -> Option<(&[String], &[String])> {
    let is_change = |arg: &String| {
        arg.ends_with('-') || arg.split_once('=').is_some_and(|(name, _)| !name.is_empty())
    };
    let first = args.iter().position(is_change).unwrap_or(args.len());
    let (resources, changes) = args.split_at(first);
    changes.iter().all(is_change).then_some((resources, changes))
}

fn parse(cx: &Context<'_>, specs: &[&String]) -> Result<Change> {
    let mut change = Change { set: Vec::new(), removed: Vec::new() };
    let mut named = Vec::new();
    for spec in specs {
        if spec.as_str() == "-" {
            change.set.extend(read_lines(&String::from_utf8_lossy(cx.stdin)));
        } else if let Some((name, value)) = spec.split_once('=') {
            let wrong = naru_api::names::env_var_name(name);
            if !wrong.is_empty() {
                let (name, why) = (quote(name), wrong.join(";"));
                return Err(Failure::Message(format!("{name} is not a valid key name: {why}")));
            }
            named.push(name);
            change.set.push(variable(name, value));
        } else if let Some(name) = spec.strip_suffix('-') {
            change.removed.push(name.to_owned());
        } else {
            return Err(Failure::Message(format!("unknown environment variable: {spec}")));
        }
    }
    if change.removed.iter().any(|name| named.contains(&name.as_str())) {
        return Err(Failure::message(
            "can not both modify and remove the same environment variable in the same command",
        ));
    }
    Ok(change)
}

fn variable(name: &str, value: &str) -> Value {
    match value {
        "" => json!({ "name": name }),
        value => json!({ "name": name, "value": value }),
    }
}

/// `KEY=VALUE` lines; what stands behind `#` is a comment.
fn read_lines(text: &str) -> Vec<Value> {
    text.lines()
        .filter_map(|line| line.split('#').next()?.split_once('='))
        .map(|(name, value)| variable(name, value))
        .collect()
}

/// Takes variables from a config map or a secret.
fn from(cx: &mut Context<'_>, change: &mut Change) -> Result<()> {
    let flags = cx.flags();
    let wanted = flags.list("keys");
    for item in set_change::items(cx, &[flags.text("from").to_owned()])? {
        let reference = match &*item.kind.kind {
            "Secret" => "secretKeyRef",
            "ConfigMap" => "configMapKeyRef",
            _ => return Err(Failure::message("unsupported resource specified in --from")),
        };
        for key in item.json["data"].as_object().into_iter().flat_map(|data| data.keys()) {
            if !wanted.is_empty() && !wanted.contains(key) {
                continue;
            }
            let name = env_name(key);
            if name != *key {
                cx.err_line(&format!("Warning: key {key} transferred to {name}"));
            }
            change.set.push(json!({
                "name": name,
                "valueFrom": { reference: { "key": key, "name": item.name } },
            }));
        }
    }
    Ok(())
}

/// Upper case, with `_` for what no variable's name may have.
fn env_name(key: &str) -> String {
    let legal = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
    key.chars().map(legal).collect::<String>().to_uppercase()
}

fn name_of(variable: &Value) -> &str {
    variable["name"].as_str().unwrap_or_default()
}

fn update(cx: &mut Context<'_>, item: &Item, spec: &mut Value, change: &Change) -> Result<()> {
    let flags = cx.flags();
    let pattern = flags.text("containers");
    let containers = set_change::containers(spec, pattern);
    let (kind, name) = (&item.kind.kind, &item.name);
    if containers.is_empty() {
        let pattern = quote(pattern);
        cx.err_line(&format!(
            "Warning: {kind}/{name} does not have any containers matching {pattern}"
        ));
        return Ok(());
    }
    let mut unresolved = false;
    for container in containers {
        let existing = container["env"].as_array().cloned().unwrap_or_default();
        if !flags.is("overwrite") {
            refuse_overwrites(&existing, &change.set)?;
        }
        let variables = merged(existing, change);
        if flags.is("list") {
            let container_name = name_of(container).to_owned();
            cx.line(&format!("# {kind} {name}, container {container_name}"));
            unresolved |= list(cx, item, container, &variables);
        }
        if let Some(container) = container.as_object_mut() {
            if variables.is_empty() {
                container.remove("env");
            } else {
                container.insert("env".to_owned(), Value::Array(variables));
            }
        }
    }
    if unresolved {
        return Err(Failure::message("failed to retrieve valueFrom references"));
    }
    Ok(())
}

fn refuse_overwrites(existing: &[Value], set: &[Value]) -> Result<()> {
    for new in set {
        let Some(old) = existing.iter().find(|old| old["name"] == new["name"]) else { continue };
        if old["value"] != new["value"] {
            let (name, value) = (name_of(old), old["value"].as_str().unwrap_or_default());
            return Err(Failure::Message(format!(
                "'{name}' already has a value ({value}), and --overwrite is false"
            )));
        }
    }
    Ok(())
}

/// Upstream: `updateEnv`.
fn merged(existing: Vec<Value>, change: &Change) -> Vec<Value> {
    let mut covered: Vec<String> = change.removed.clone();
    let mut out = Vec::new();
    for old in existing {
        let name = name_of(&old).to_owned();
        if covered.contains(&name) {
            continue;
        }
        match change.set.iter().find(|new| name_of(new) == name) {
            Some(new) => {
                covered.push(name);
                out.push(new.clone());
            }
            None => out.push(old),
        }
    }
    for new in &change.set {
        if !covered.iter().any(|name| name == name_of(new)) {
            covered.push(name_of(new).to_owned());
            out.push(new.clone());
        }
    }
    out
}

/// Prints variables: whether some reference could not be followed.
fn list(cx: &mut Context<'_>, item: &Item, container: &Value, variables: &[Value]) -> bool {
    let mut failures: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for variable in variables {
        let name = name_of(variable);
        let source = &variable["valueFrom"];
        if source.is_null() {
            cx.line(&format!("{name}={}", variable["value"].as_str().unwrap_or_default()));
            continue;
        }
        let reference = format!("# {name} from {}", reference(source));
        if !cx.flags().is("resolve") {
            cx.line(&reference);
            continue;
        }
        match resolve(cx, item, container, source) {
            Ok(value) => cx.line(&format!("{name}={value}")),
            Err(failure) => {
                cx.line(&reference);
                failures.entry(failure.bare()).or_default().push(name.to_owned());
            }
        }
    }
    for (why, names) in &mut failures {
        names.sort();
        let names = names.join(", ");
        cx.err_line(&format!("error retrieving reference for {names}: {why}"));
    }
    !failures.is_empty()
}

/// Upstream: `GetEnvVarRefString`.
fn reference(source: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pair = |of: &Value| format!("{}, key {}", text(&of["name"]), text(&of["key"]));
    if source["configMapKeyRef"].is_object() {
        return format!("configmap {}", pair(&source["configMapKeyRef"]));
    }
    if source["secretKeyRef"].is_object() {
        return format!("secret {}", pair(&source["secretKeyRef"]));
    }
    if source["fieldRef"].is_object() {
        return format!("field path {}", text(&source["fieldRef"]["fieldPath"]));
    }
    if source["resourceFieldRef"].is_object() {
        let of = &source["resourceFieldRef"];
        let container = text(&of["containerName"]);
        let slash = if container.is_empty() { "" } else { "/" };
        return format!("resource field {container}{slash}{}", text(&of["resource"]));
    }
    "invalid valueFrom".to_owned()
}

fn resolve(cx: &mut Context<'_>, item: &Item, container: &Value, source: &Value) -> Result<String> {
    for (field, kind, what) in
        [("secretKeyRef", "secrets", "secret"), ("configMapKeyRef", "configmaps", "config map")]
    {
        let (Some(name), Some(key)) =
            (source[field]["name"].as_str(), source[field]["key"].as_str())
        else {
            continue;
        };
        let namespace = cx.namespace()?.0;
        let kind = crate::mapper::kind_for(&cx.kinds()?, kind)?;
        let json = cx.get(&kind, &namespace, name)?.to_json().unwrap_or_default();
        let Some(value) = json["data"][key].as_str() else {
            return Err(Failure::Message(format!("key {key} not found in {what} {name}")));
        };
        if field == "configMapKeyRef" {
            return Ok(value.to_owned());
        }
        let bytes = base64::decode(value).unwrap_or_default();
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    if let Some(path) = source["fieldRef"]["fieldPath"].as_str() {
        return field(&item.json["metadata"], path);
    }
    let of = &source["resourceFieldRef"];
    let Some((list, name)) = of["resource"].as_str().and_then(|path| path.split_once('.')) else {
        return Err(Failure::message("invalid valueFrom"));
    };
    let amount = |text: &str| text.parse::<naru_api::quantity::Amount>().unwrap_or_default();
    let value = amount(container["resources"][list][name].as_str().unwrap_or("0"));
    let divisor = amount(of["divisor"].as_str().filter(|text| *text != "0").unwrap_or("1"));
    let divided = match name {
        "cpu" => value.milli_value().div_ceil_signed(divisor.milli_value()),
        _ => value.value().div_ceil_signed(divisor.value()),
    };
    Ok(divided.to_string())
}

/// Division that rounds up; nothing by nothing is nothing.
trait DivCeil {
    fn div_ceil_signed(self, by: i64) -> i64;
}

impl DivCeil for i64 {
    fn div_ceil_signed(self, by: i64) -> i64 {
        if by <= 0 { 0 } else { self / by + i64::from(self % by > 0) }
    }
}

/// Upstream: `extractFieldPathAsString`.
fn field(metadata: &Value, path: &str) -> Result<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if let Some((path, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        return match path {
            "metadata.annotations" => Ok(text(&metadata["annotations"][key])),
            "metadata.labels" => Ok(text(&metadata["labels"][key])),
            _ => Err(Failure::Message(format!(
                "fieldPath {} does not support subscript",
                quote(&format!("{path}['{key}']"))
            ))),
        };
    }
    let map = |map: &Value| -> String {
        let pairs = map.as_object().into_iter().flatten();
        let lines: Vec<String> =
            pairs.map(|(key, value)| format!("{key}={}", quote(&text(value)))).collect();
        lines.join("\n")
    };
    match path {
        "metadata.annotations" => Ok(map(&metadata["annotations"])),
        "metadata.labels" => Ok(map(&metadata["labels"])),
        "metadata.name" | "metadata.namespace" | "metadata.uid" => {
            Ok(text(&metadata[path.trim_start_matches("metadata.")]))
        }
        _ => Err(Failure::Message(format!("unsupported fieldPath: {path}"))),
    }
}
