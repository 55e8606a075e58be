//! `kubectl diff`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/diff/diff.go`.

use super::{apply, apply_server_side, common};
use crate::builder::{Builder, Manifest, Target};
use crate::child;
use crate::command::Command;
use crate::context::{Context, DryRun};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::process::{Next, Outcome, Task};
use naru_shell::Pid;
use serde_json::{Value, json};

/// `kubectl diff`
pub static COMMAND: Command = Command {
    usage: "diff -f FILENAME",
    short: "Diff the live version against a would-be applied version",
    long: "Diff configurations specified by file name or stdin between the current online \
           configuration, and the configuration as it would be if applied.\n\n The output is always \
           YAML.\n\n The environment variable KUBECTL_EXTERNAL_DIFF names another program than \
           \"diff\", which is\n called with the options -u and -N.\n\n Exit status: 0 no differences \
           were found. 1 differences were found. >1 kubectl or diff failed.",
    examples: "# What would applying a file change?\nkubectl diff -f pod.yaml\n\n\
               # The same, of what another program writes\ncat service.yaml | kubectl diff -f -",
    flags: &[common::FILENAME, common::SELECTOR, FLAGS],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::int("concurrency", "1", "How many objects to compare at once."),
    Flag::text("field-manager", "kubectl-client-side-apply", common::FIELD_MANAGER),
    Flag::switch("force-conflicts", "With --server-side: take fields from other managers."),
    Flag::switch("prune", "Show also what pruning would delete."),
    Flag::array("prune-allowlist", "With --prune: kinds to delete, as GROUP/VERSION/KIND."),
    Flag::switch("server-side", "Let the server compare."),
    Flag::switch("show-managed-fields", "Compare metadata.managedFields too."),
];

const MASK: &str = "***";

fn run(cx: &mut Context<'_>) -> Outcome {
    prepare(cx).map_err(serious)
}

/// Exit code 1 says that there are differences: what fails ends with a greater one.
///
/// Upstream: `CheckDiffErr`.
fn serious(failure: Failure) -> Failure {
    let (text, code) = failure.report();
    Failure::Plain(text, code.max(2))
}

fn prepare(cx: &mut Context<'_>) -> Outcome {
    let flags = cx.flags();
    if !cx.args().is_empty() {
        let text = format!("Unexpected args: [{}]", cx.args().join(" "));
        return Err(cx.invocation.usage_error(text));
    }
    super::create::require_filename(cx)?;
    if flags.is("force-conflicts") && !flags.is("server-side") {
        return Err(Failure::message("--force-conflicts only works with --server-side"));
    }
    let folders = ["LIVE-", "MERGED-"].map(|prefix| child::temporary(cx, prefix, ""));
    for folder in &folders {
        let made = cx.sys.fs().mkdir_all(folder);
        made.map_err(|errno| Failure::Message(format!("mkdir {folder}: {errno}")))?;
    }
    let result = lay(cx, &folders).and_then(|()| compare(cx, &folders));
    if result.is_err() {
        tear_down(cx, &folders);
    }
    let child = result?;
    cx.start(Diffing { child, folders })
}

/// Lays the objects as they are, and as they would be, into two folders.
fn lay(cx: &mut Context<'_>, folders: &[String; 2]) -> Result<()> {
    let selection = Builder::new(cx)?.build(cx)?;
    let mut kept: Vec<(naru_api::KindRef, String, String)> = Vec::new();
    for target in selection.targets {
        let Target::Manifest(manifest) = target? else { continue };
        kept.push((manifest.kind.clone(), manifest.namespace.clone(), manifest.name.clone()));
        let name = file_name(&manifest);
        let live = cx.find(&manifest.kind, &manifest.namespace, &manifest.name)?;
        let mut before =
            live.as_ref().map_or(Value::Null, |live| live.to_json().unwrap_or_default());
        let mut after = merged(cx, manifest, live)?;
        if !cx.flags().is("show-managed-fields") {
            crate::printers::drop_managed_fields(&mut before);
            crate::printers::drop_managed_fields(&mut after);
        }
        if after["apiVersion"] == "v1" && after["kind"] == "Secret" {
            mask(&mut before, &mut after);
        }
        for (folder, object) in folders.iter().zip([before, after]) {
            let text = match object.is_null() {
                true => String::new(),
                false => crate::printers::yaml::to_yaml(&object)?,
            };
            child::write(cx, &format!("{folder}/{name}"), &text)?;
        }
    }
    if cx.flags().is("prune") {
        lay_pruned(cx, &folders[0], &kept)?;
    }
    Ok(())
}

/// What pruning would delete stands only in the folder of what there is.
fn lay_pruned(
    cx: &mut Context<'_>,
    folder: &str,
    kept: &[(naru_api::KindRef, String, String)],
) -> Result<()> {
    for object in super::apply_prune::candidates(cx, kept)? {
        let mut json = object.to_json().unwrap_or_default();
        crate::printers::drop_managed_fields(&mut json);
        let (kind, namespace) = (object.kind(), object.namespace().to_owned());
        let name = object.name().to_owned();
        let manifest =
            Manifest { kind, namespace, name, source: String::new(), object: Value::Null };
        let text = crate::printers::yaml::to_yaml(&json)?;
        child::write(cx, &format!("{folder}/{}", file_name(&manifest)), &text)?;
    }
    Ok(())
}

/// `apps.v1.Deployment.default.web`
fn file_name(manifest: &Manifest) -> String {
    let kind = &manifest.kind;
    let group = if kind.group.is_empty() { String::new() } else { format!("{}.", kind.group) };
    let (namespace, name) = (&manifest.namespace, &manifest.name);
    format!("{group}{}.{}.{namespace}.{name}", kind.version, kind.kind)
}

/// The object as it would be.
fn merged(
    cx: &mut Context<'_>,
    manifest: Manifest,
    live: Option<naru_api::Object>,
) -> Result<Value> {
    if cx.flags().is("server-side") {
        return apply_server_side::apply(cx, manifest, DryRun::Server);
    }
    let Manifest { kind, namespace, source, mut object, .. } = manifest;
    let Some(live) = live else {
        let created = cx.create(&kind, &namespace, object, DryRun::Server)?;
        return Ok(created.to_json().unwrap_or_default());
    };
    // As upstream: what was applied last is not written anew.
    if !object["metadata"]["annotations"].is_object() {
        object["metadata"]["annotations"] = json!({});
    }
    let (_, patched) = apply::patch(cx, &live, &object, &source, DryRun::Server, false)?;
    Ok(patched.to_json().unwrap_or_default())
}

/// Hides the values of a secret, and lets be seen which ones differ.
///
/// Upstream: `Masker`.
fn mask(before: &mut Value, after: &mut Value) {
    let values = |object: &Value| object["data"].as_object().cloned().unwrap_or_default();
    let (old, new) = (values(before), values(after));
    for (key, value) in &old {
        let differs = new.get(key).is_some_and(|new| new != value);
        before["data"][key] = json!(if differs { "*** (before)" } else { MASK });
    }
    for (key, value) in &new {
        let differs = old.get(key).is_some_and(|old| old != value);
        after["data"][key] = json!(if differs { "*** (after)" } else { MASK });
    }
}

/// Starts `diff`.
fn compare(cx: &mut Context<'_>, folders: &[String; 2]) -> Result<Pid> {
    let external = cx.sys.env().get("KUBECTL_EXTERNAL_DIFF").filter(|text| !text.is_empty());
    let mut argv: Vec<String> = match external.cloned() {
        None => ["diff", "-u", "-N"].map(str::to_owned).to_vec(),
        Some(line) => {
            let plain = |word: &&str| {
                word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '='))
            };
            let mut words = line.split(' ');
            let program = words.next().unwrap_or_default();
            [program].into_iter().chain(words.filter(plain)).map(str::to_owned).collect()
        }
    };
    let program = argv.first().cloned().unwrap_or_default();
    argv.extend(folders.iter().cloned());
    child::spawn(cx, argv).map_err(|_| {
        let program = naru_api::gofmt::quote(&program);
        Failure::Message(format!(
            "failed to run {program}: exec: {program}: executable file not found in $PATH"
        ))
    })
}

fn tear_down(cx: &mut Context<'_>, folders: &[String; 2]) {
    for folder in folders {
        // What is left in /tmp harms nobody.
        let _ = cx.sys.fs().remove_all(folder);
    }
}

#[derive(Clone, Debug)]
struct Diffing {
    child: Pid,
    folders: [String; 2],
}

impl Task for Diffing {
    fn poll(self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        let Some(code) = child::ended(cx, self.child) else { return Ok(Next::Wait(self, None)) };
        tear_down(cx, &self.folders);
        match code {
            0 | 1 => Ok(Next::Exit(code)),
            code => {
                let text = format!("failed to run \"diff\": exit status {code}");
                Err(serious(Failure::Message(text)))
            }
        }
    }

    fn cancel(&mut self, cx: &mut Context<'_>) {
        tear_down(cx, &self.folders);
    }
}
