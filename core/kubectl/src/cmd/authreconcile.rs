//! `kubectl auth reconcile`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/auth/reconcile.go`,
//! `k8s.io/component-helpers/auth/rbac/reconciliation`.

use super::common;
use crate::builder::{Builder, Manifest, Target};
use crate::command::Command;
use crate::context::{Context, DryRun, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::printers::Teller;
use crate::process::Outcome;
use serde_json::{Value, json};

/// `kubectl auth reconcile`
pub static COMMAND: Command = Command {
    usage: "reconcile -f FILENAME",
    short: "Reconciles rules for RBAC role, role binding, cluster role, and cluster role binding \
            objects",
    long: "Reconciles rules for RBAC role, role binding, cluster role, and cluster role binding \
           objects.\n\n Missing objects are created, and the containing namespace is created for \
           namespaced objects,\n if required. Existing roles are updated to include the permissions \
           in the input objects, and\n remove extra permissions if --remove-extra-permissions is \
           specified. This is preferred to\n 'apply' for RBAC resources so that semantically-aware \
           merging of rules and subjects is done.",
    examples: "# Make what a file describes hold\nkubectl auth reconcile -f my-rbac-rules.yaml",
    flags: &[common::PRINT, common::FILENAME, common::DRY_RUN, FLAGS],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::switch("remove-extra-permissions", "Take permissions away that the file does not have."),
    Flag::switch("remove-extra-subjects", "Take subjects away that the file does not have."),
];

/// Who wants an object to be left alone says so by this annotation.
const AUTO_UPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";

fn run(cx: &mut Context<'_>) -> Outcome {
    super::create::require_filename(cx)?;
    if !cx.args().is_empty() {
        return Err(Failure::message("no arguments are allowed"));
    }
    let dry_run = cx.dry_run()?;
    if dry_run == DryRun::Server {
        let text = "--dry-run=server for command reconcile is not supported yet";
        return Err(Failure::message(text));
    }
    let mut teller = Teller::new(cx, dry_run.suffix())?;
    for target in Builder::new(cx)?.local(true).build(cx)?.targets {
        let Target::Manifest(manifest) = target? else { continue };
        if manifest.kind.group == "rbac.authorization.k8s.io" {
            reconcile(cx, manifest, dry_run, &mut teller)?;
        }
    }
    done()
}

/// What has to be done to an object.
struct Plan {
    object: Value,
    operation: &'static str,
    missing: Vec<Value>,
    extra: Vec<Value>,
}

fn reconcile(
    cx: &mut Context<'_>,
    manifest: Manifest,
    dry_run: DryRun,
    teller: &mut Teller,
) -> Result<()> {
    let Manifest { kind, namespace, name, object, .. } = manifest;
    // A role has rules, a binding has subjects.
    let is_role = kind.kind.ends_with("Role");
    let list = if is_role { "rules" } else { "subjects" };
    let flags = cx.flags();
    let remove = match is_role {
        true => flags.is("remove-extra-permissions"),
        false => flags.is("remove-extra-subjects"),
    };
    // As upstream, the namespace is the file's own: without one there is no such object yet.
    let live = match kind.namespaced && namespace.is_empty() {
        true => None,
        false => cx.find(&kind, &namespace, &name)?,
    };
    let Some(live) = live else {
        let missing = object[list].as_array().cloned().unwrap_or_default();
        let mut created = object.clone();
        if dry_run == DryRun::None {
            if kind.namespaced {
                ensure_namespace(cx, &namespace)?;
            }
            created = cx.create(&kind, &namespace, object, dry_run)?.to_json().unwrap_or_default();
        }
        let plan = Plan { object: created, operation: "create", missing, extra: Vec::new() };
        teller.tell(cx, &kind, plan.object.clone(), "reconciled")?;
        tell(cx, &plan, is_role, false, remove);
        return Ok(());
    };
    let live = live.to_json().unwrap_or_default();
    let protected = live["metadata"]["annotations"][AUTO_UPDATE] == "false";
    let mut plan = plan(&live, &object, list, remove);
    if dry_run == DryRun::None && !protected {
        match plan.operation {
            "update" => {
                let updated = cx.update(&kind, &namespace, &name, plan.object, dry_run)?;
                plan.object = updated.to_json().unwrap_or_default();
            }
            "recreate" => {
                cx.delete(&kind, &namespace, &name, Default::default(), dry_run)?;
                let mut fresh = plan.object;
                if let Some(metadata) = fresh["metadata"].as_object_mut() {
                    metadata.remove("resourceVersion");
                    metadata.remove("uid");
                }
                let created = cx.create(&kind, &namespace, fresh, dry_run)?;
                plan.object = created.to_json().unwrap_or_default();
            }
            _ => {}
        }
    }
    teller.tell(cx, &kind, plan.object.clone(), "reconciled")?;
    tell(cx, &plan, is_role, protected, remove);
    Ok(())
}

/// Upstream: the client of roles makes the namespace first.
fn ensure_namespace(cx: &mut Context<'_>, namespace: &str) -> Result<()> {
    let kind = crate::mapper::kind_for(&cx.kinds()?, "namespaces")?;
    if cx.find(&kind, "", namespace)?.is_none() {
        let object =
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
        cx.create(&kind, "", object, DryRun::None)?;
    }
    Ok(())
}

/// What the file has and the live object has not, and the other way round.
fn plan(live: &Value, wanted: &Value, list: &str, remove: bool) -> Plan {
    let items = |object: &Value| object[list].as_array().cloned().unwrap_or_default();
    let (there, asked) = (items(live), items(wanted));
    let lacking = |of: &[Value], all: &[Value]| -> Vec<Value> {
        match list {
            "rules" => of.iter().flat_map(parts).filter(|one| !covered(all, one)).collect(),
            _ => of.iter().filter(|one| !all.contains(one)).cloned().collect(),
        }
    };
    let (missing, extra) = (lacking(&asked, &there), lacking(&there, &asked));
    let mut object = live.clone();
    let next = if remove && !(missing.is_empty() && extra.is_empty()) {
        asked
    } else {
        there.into_iter().chain(missing.iter().cloned()).collect()
    };
    object[list] = Value::Array(next);
    for map in ["labels", "annotations"] {
        for (key, value) in wanted["metadata"][map].as_object().into_iter().flatten() {
            object["metadata"][map][key] = value.clone();
        }
    }
    let operation = if list == "subjects" && live["roleRef"] != wanted["roleRef"] {
        object["roleRef"] = wanted["roleRef"].clone();
        "recreate"
    } else if object != *live {
        "update"
    } else {
        ""
    };
    Plan { object, operation, missing, extra }
}

/// A rule, as many rules of one verb for one thing each.
///
/// Upstream: `validation.BreakdownRule`.
fn parts(rule: &Value) -> Vec<Value> {
    let texts = |field: &str| -> Vec<String> {
        let list = rule[field].as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut parts = Vec::new();
    for group in texts("apiGroups") {
        for resource in texts("resources") {
            for verb in texts("verbs") {
                let part =
                    json!({ "apiGroups": [group], "resources": [resource], "verbs": [verb] });
                let names = texts("resourceNames");
                if names.is_empty() {
                    parts.push(part.clone());
                }
                for name in names {
                    let mut named = part.clone();
                    named["resourceNames"] = json!([name]);
                    parts.push(named);
                }
            }
        }
    }
    for url in texts("nonResourceURLs") {
        for verb in texts("verbs") {
            parts.push(json!({ "nonResourceURLs": [url], "verbs": [verb] }));
        }
    }
    parts
}

/// Whether rules allow all that one rule allows.
///
/// Upstream: `validation.Covers`, one verb, group, resource and name at a time.
fn covered(rules: &[Value], one: &Value) -> bool {
    let texts = |rule: &Value, field: &str| -> Vec<String> {
        let list = rule[field].as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let has = |rule: &Value, field: &str, text: &str| {
        let list = texts(rule, field);
        list.iter().any(|known| known == "*" || known == text)
    };
    let names = match texts(one, "resourceNames") {
        names if names.is_empty() => vec![String::new()],
        names => names,
    };
    let resource_rule = |verb: &str, group: &str, resource: &str, name: &str| {
        rules.iter().any(|rule| {
            let allowed = texts(rule, "resourceNames");
            has(rule, "verbs", verb)
                && has(rule, "apiGroups", group)
                && has(rule, "resources", resource)
                && (allowed.is_empty() || allowed.iter().any(|known| known == name))
        })
    };
    texts(one, "verbs").iter().all(|verb| {
        let urls = texts(one, "nonResourceURLs").iter().all(|url| {
            rules.iter().any(|rule| has(rule, "verbs", verb) && has(rule, "nonResourceURLs", url))
        });
        urls && texts(one, "apiGroups").iter().all(|group| {
            texts(one, "resources")
                .iter()
                .all(|resource| names.iter().all(|name| resource_rule(verb, group, resource, name)))
        })
    })
}

fn tell(cx: &mut Context<'_>, plan: &Plan, is_role: bool, protected: bool, remove: bool) {
    if plan.operation.is_empty() {
        return;
    }
    let caveat = match protected {
        true => format!(", but object opted out ({AUTO_UPDATE}: false)"),
        false => String::new(),
    };
    cx.err_line(&format!("\treconciliation required {}{caveat}", plan.operation));
    let noun = if is_role { "rules" } else { "subjects" };
    let extra = if remove { plan.extra.as_slice() } else { &[] };
    for (list, title) in [
        (plan.missing.as_slice(), format!("missing {noun} added")),
        (extra, format!("extra {noun} removed")),
    ] {
        if !list.is_empty() {
            cx.err_line(&format!("\t{title}:"));
        }
        for item in list {
            cx.err_line(&format!("\t\t{}", shown(item, is_role)));
        }
    }
}

/// A rule or a subject, as Go's `%+v` prints it.
fn shown(item: &Value, is_role: bool) -> String {
    let list = |field: &str| {
        let texts: Vec<&str> =
            item[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        format!("[{}]", texts.join(" "))
    };
    let text = |field: &str| item[field].as_str().unwrap_or_default();
    if is_role {
        return format!(
            "{{Verbs:{} APIGroups:{} Resources:{} ResourceNames:{} NonResourceURLs:{}}}",
            list("verbs"),
            list("apiGroups"),
            list("resources"),
            list("resourceNames"),
            list("nonResourceURLs")
        );
    }
    let (kind, group, name) = (text("kind"), text("apiGroup"), text("name"));
    format!("{{Kind:{kind} APIGroup:{group} Name:{name} Namespace:{}}}", text("namespace"))
}
