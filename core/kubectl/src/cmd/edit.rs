//! `kubectl edit` and `kubectl apply edit-last-applied`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/util/editor/editoptions.go`.

use super::apply::LAST_APPLIED as ANNOTATION;
use super::apply_set_last_applied::annotation_patch;
use super::common;
use crate::builder::{self, Builder, Manifest, Target};
use crate::child;
use crate::command::Command;
use crate::context::{Context, DryRun, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::printers::{Teller, drop_managed_fields, json, yaml};
use crate::process::{Next, Outcome, Task};
use naru_api::gofmt::quote;
use naru_api::patch::three_way;
use naru_api::request::Patch;
use naru_api::schema::Node;
use naru_api::{ApiError, KindRef};
use naru_shell::Pid;
use serde_json::{Value, json};

/// `kubectl edit`
pub static COMMAND: Command = Command {
    usage: "edit (RESOURCE/NAME | -f FILENAME)",
    short: "Edit a resource on the server",
    long: "Edit a resource from the default editor.\n\n The editor is the one that the environment \
           variables KUBE_EDITOR or EDITOR name, or else 'vi'.\n Several objects may be edited at \
           once; changes are sent one by one. When the file is saved\n with errors, it is opened \
           again and says what is wrong.\n\n The default format is YAML. To edit in JSON, specify \
           \"-o json\".",
    examples: "# Edit a service\nkubectl edit svc/registry\n\n\
               # With another editor\nKUBE_EDITOR=\"nano\" kubectl edit svc/registry\n\n\
               # A deployment, as JSON\nkubectl edit deployment/web -o json\n\n\
               # The status of a deployment\nkubectl edit deployment web --subresource='status'",
    flags: &[common::PRINT, common::FILENAME, common::VALIDATE, common::RECORD, SHARED, FLAGS],
    run: |cx| start(cx, Mode::Normal),
    ..Command::EMPTY
};

/// `kubectl apply edit-last-applied`
pub static LAST_APPLIED: Command = Command {
    usage: "edit-last-applied (RESOURCE/NAME | -f FILENAME)",
    short: "Edit latest last-applied-configuration annotations of a resource/object",
    long: "Edit the latest last-applied-configuration annotations of resources from the default \
           editor.\n\n The editor is the one that the environment variables KUBE_EDITOR or EDITOR \
           name, or else 'vi'.",
    examples: "# Edit what was applied last\n\
               kubectl apply edit-last-applied deployment/nginx\n\n\
               # By file, as JSON\nkubectl apply edit-last-applied -f deploy.yaml -o json",
    flags: &[common::PRINT, common::FILENAME, common::VALIDATE, common::RECORD, SHARED],
    run: |cx| start(cx, Mode::LastApplied),
    ..Command::EMPTY
};

const SHARED: &[Flag] = &[
    Flag::text("field-manager", "kubectl-edit", common::FIELD_MANAGER),
    Flag::switch("windows-line-endings", "Write lines as Windows does."),
];
const FLAGS: &[Flag] = &[
    Flag::switch("output-patch", "Print the patch of each changed object."),
    Flag::switch("save-config", "Keep the configuration in the object's annotation."),
    Flag::text("subresource", "", "Edit this subresource of the object."),
];

const HEADER: &str = "\
# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
";
const LAST_APPLIED_HEADER: &str = "\
# Please edit the 'last-applied-configuration' annotations below.
# Lines beginning with a '#' will be ignored, and an empty file will abort the edit.
#
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Normal,
    LastApplied,
    /// Before it is made: `create --edit`.
    Create,
}

/// An object that is edited.
#[derive(Clone, Debug)]
struct Original {
    kind: KindRef,
    namespace: String,
    name: String,
    json: Value,
}

/// Why the file is opened again.
#[derive(Clone, Debug)]
struct Reason {
    head: String,
    others: Vec<String>,
}

/// What came of sending the changes.
#[derive(Debug, Default)]
struct Results {
    reasons: Vec<Reason>,
    retryable: usize,
    not_found: usize,
}

#[derive(Clone, Debug)]
struct Editing {
    mode: Mode,
    originals: Vec<Original>,
    /// The file as the editor got it.
    given: String,
    path: String,
    child: Pid,
    /// What the last session left, if the file was opened again for its errors.
    rejected: Option<(String, String)>,
}

fn start(cx: &mut Context<'_>, mode: Mode) -> Outcome {
    let originals = match mode {
        Mode::Normal => originals(cx)?,
        Mode::LastApplied => last_applied(cx)?,
        Mode::Create => new(cx)?,
    };
    let text = header(mode, &[]) + &print(cx, &originals)?;
    let text = if is_json(cx) { print(cx, &originals)? } else { text };
    let (path, child) = open(cx, &text)?;
    cx.start(Editing { mode, originals, given: text, path, child, rejected: None })
}

fn is_json(cx: &Context<'_>) -> bool {
    cx.flags().text("output") == "json"
}

/// The objects as they are.
fn originals(cx: &mut Context<'_>) -> Result<Vec<Original>> {
    let subresource = subresource(cx)?;
    let selection = Builder::new(cx)?.types_or_names(cx, true, cx.args())?.build(cx)?;
    let objects = selection.fetch_all(cx)?;
    let mut originals = Vec::new();
    for object in objects {
        let (kind, namespace, name) = (object.kind(), object.namespace(), object.name());
        let shown = match subresource {
            "" => object.clone(),
            subresource => cx.get_subresource(&kind, namespace, name, subresource)?,
        };
        let mut json = shown.to_json().unwrap_or_default();
        drop_managed_fields(&mut json);
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        originals.push(Original { kind, namespace, name, json });
    }
    if originals.is_empty() {
        return Err(Failure::message("edit cancelled, no objects found"));
    }
    Ok(originals)
}

/// `--subresource`
fn subresource(cx: &Context<'_>) -> Result<&'static str> {
    common::subresource(cx.flags().text("subresource"))
}

/// `kubectl create --edit`
pub fn before_create(cx: &mut Context<'_>) -> Outcome {
    start(cx, Mode::Create)
}

/// What files say.
fn new(cx: &mut Context<'_>) -> Result<Vec<Original>> {
    let original = |target| match target {
        Ok(Target::Manifest(Manifest { kind, namespace, name, object, .. })) => {
            Some(Ok(Original { kind, namespace, name, json: object }))
        }
        Ok(_) => None,
        Err(failure) => Some(Err(failure)),
    };
    Builder::new(cx)?.build(cx)?.targets.into_iter().filter_map(original).collect()
}

/// What the objects' annotations say of what was applied last.
fn last_applied(cx: &mut Context<'_>) -> Result<Vec<Original>> {
    let selection = Builder::new(cx)?.types_or_names(cx, true, cx.args())?.build(cx)?;
    let mut found = Vec::new();
    for object in selection.fetch_all(cx)? {
        let annotations = object.meta().annotations.as_ref();
        let Some(text) = annotations.and_then(|annotations| annotations.get(ANNOTATION)) else {
            continue;
        };
        let json = serde_json::from_str(text).map_err(|why| Failure::Message(why.to_string()))?;
        found.push(Original {
            kind: object.kind(),
            namespace: object.namespace().to_owned(),
            name: object.name().to_owned(),
            json,
        });
    }
    if found.is_empty() {
        return Err(Failure::message(
            "no last-applied-configuration annotation found on resources, to create the \
             annotation, use command `kubectl apply set-last-applied --create-annotation`",
        ));
    }
    Ok(found)
}

fn print(cx: &Context<'_>, originals: &[Original]) -> Result<String> {
    let object = match originals {
        [one] => one.json.clone(),
        several => {
            let items: Vec<&Value> = several.iter().map(|original| &original.json).collect();
            json!({ "apiVersion": "v1", "items": items, "kind": "List", "metadata": {} })
        }
    };
    let text = if is_json(cx) { json::to_json(&object)? } else { yaml::to_yaml(&object)? };
    Ok(if cx.flags().is("windows-line-endings") { text.replace('\n', "\r\n") } else { text })
}

fn header(mode: Mode, reasons: &[Reason]) -> String {
    let mut text = match mode {
        Mode::Normal | Mode::Create => HEADER,
        Mode::LastApplied => LAST_APPLIED_HEADER,
    }
    .to_owned();
    for reason in reasons {
        let colon = if reason.others.is_empty() { "" } else { ":" };
        text.push_str(&format!("# {}{colon}\n", reason.head.replace('\n', "\n# ")));
        for other in &reason.others {
            text.push_str(&format!("# * {}\n", other.replace('\n', "\n# ")));
        }
        text.push_str("#\n");
    }
    text
}

/// Lays a file for the editor, and starts it.
fn open(cx: &mut Context<'_>, text: &str) -> Result<(String, Pid)> {
    let suffix = if is_json(cx) { ".json" } else { ".yaml" };
    let path = child::temporary(cx, "kubectl-edit-", suffix);
    child::write(cx, &path, text)?;
    let child = child::edit(cx, &path)?;
    Ok((path, child))
}

impl Task for Editing {
    fn poll(mut self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        let Some(code) = child::ended(cx, self.child) else { return Ok(Next::Wait(self, None)) };
        if code != 0 {
            let editor = quote(&child::editor(cx).join(" "));
            let text = format!("there was a problem with the editor {editor}");
            let kept = self.rejected.take().map_or(String::new(), |(path, _)| path);
            return Err(preserved(cx, &kept, Failure::Message(text)));
        }
        let edited = cx.sys.fs().read_text(&self.path).unwrap_or_default();
        if let Some((path, before)) = &self.rejected {
            if same(before, &edited) {
                let text = "Edit cancelled, no valid changes were saved.";
                return Err(preserved(cx, &self.path, Failure::message(text)));
            }
            // The file of the session before.
            let _ = cx.sys.fs().remove(path);
        }
        if let Err(why) = validate(cx, &edited)? {
            return self.refused(cx, edited, &why);
        }
        if self.rejected.is_none() && same(&self.given, &edited) {
            return self.cancelled(cx, "Edit cancelled, no changes made.");
        }
        if !has_lines(&edited) {
            return self.cancelled(cx, "Edit cancelled, saved file was empty.");
        }
        self.saved(cx, edited)
    }
}

impl Editing {
    fn cancelled(&self, cx: &mut Context<'_>, text: &str) -> Outcome {
        let _ = cx.sys.fs().remove(&self.path);
        cx.err_line(text);
        done()
    }

    /// What was written is no object at all: says so, and opens the file again.
    fn refused(self: Box<Self>, cx: &mut Context<'_>, edited: String, why: &str) -> Outcome {
        let mut results = Results::default();
        if let Some(first) = self.originals.first() {
            let what = format!("{} {}", first.kind.group_resource(), quote(&first.name));
            let others =
                vec![format!("<nil>: Invalid value: \"The edited file failed validation\": {why}")];
            results.reasons.push(Reason { head: format!("{what} was not valid"), others });
            cx.err_line(&format!("error: {what} is invalid"));
        }
        self.again(cx, edited, &results.reasons)
    }

    /// Sends what was changed; where it is not accepted, opens the file again.
    fn saved(mut self: Box<Self>, cx: &mut Context<'_>, edited: String) -> Outcome {
        let updated = match read(cx, &edited) {
            Ok(updated) => updated,
            Err(failure) => {
                let head = format!("The edited file had a syntax error: {}", failure.bare());
                let reasons = [Reason { head, others: Vec::new() }];
                return self.again(cx, edited, &reasons);
            }
        };
        let mut results = Results::default();
        for manifest in updated {
            let sent = self.send(cx, manifest, &mut results);
            if let Err(failure) = sent {
                return Err(preserved(cx, &self.path, failure));
            }
        }
        let path = std::mem::take(&mut self.path);
        if results.retryable > 0 {
            cx.err_line(&format!(
                "You can run `kubectl replace -f {path}` to try this update again."
            ));
            return Err(Failure::Exit(1));
        }
        if results.not_found > 0 {
            let path = quote(&path);
            cx.err_line(&format!(
                "The edits you made on deleted resources have been saved to {path}"
            ));
            return Err(Failure::Exit(1));
        }
        if results.reasons.is_empty() {
            let _ = cx.sys.fs().remove(&path);
            return done();
        }
        self.path = path;
        self.again(cx, edited, &results.reasons)
    }

    fn again(
        mut self: Box<Self>,
        cx: &mut Context<'_>,
        edited: String,
        reasons: &[Reason],
    ) -> Outcome {
        let head = if is_json(cx) { String::new() } else { header(self.mode, reasons) };
        let text = head + &strip(&edited);
        let before = std::mem::take(&mut self.path);
        let (path, child) = open(cx, &text)?;
        self.rejected = Some((before, edited));
        (self.path, self.child, self.given) = (path, child, text);
        Ok(Next::Wait(self, None))
    }

    fn send(&self, cx: &mut Context<'_>, manifest: Manifest, results: &mut Results) -> Result<()> {
        let namespace = cx.namespace()?.0;
        if manifest.kind.namespaced && manifest.namespace != namespace {
            let (of, here) = (quote(&manifest.namespace), quote(&namespace));
            return Err(Failure::Message(format!(
                "the namespace from the provided object {of} does not match the namespace {here}. \
                 You must pass '--namespace={}' to perform this operation.",
                manifest.namespace
            )));
        }
        let Manifest { kind, namespace, mut object, .. } = manifest;
        if self.mode == Mode::Create {
            super::record::record(cx, &mut object);
            let created = cx.create(&kind, &namespace, object, DryRun::None)?;
            let json = created.to_json().unwrap_or_default();
            return Teller::new(cx, "")?.tell(cx, &kind, json, "created");
        }
        let Some(original) = self.original_of(&object) else {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            return Err(Failure::Message(format!("no original object found for {name}")));
        };
        if self.mode == Mode::Normal && cx.flags().is("save-config") {
            super::apply::save_config(&mut object)?;
        }
        super::record::record(cx, &mut object);
        let mut teller = Teller::new(cx, "")?;
        if object == original.json {
            return teller.tell(cx, &original.kind, object, "skipped");
        }
        let patch = self.patch(original, &object)?;
        if cx.flags().is("output-patch") {
            let shown = match &patch {
                Patch::Strategic(value) | Patch::Merge(value) => super::apply::go_json(value)?,
                _ => String::new(),
            };
            cx.line(&format!("Patch: {shown}"));
        }
        let patched = match subresource(cx)? {
            "" => {
                cx.patch(&original.kind, &original.namespace, &original.name, patch, DryRun::None)
            }
            subresource => cx.patch_subresource(
                &original.kind,
                &original.namespace,
                &original.name,
                subresource,
                patch,
                DryRun::None,
            ),
        };
        match patched {
            Ok(patched) => {
                teller.tell(cx, &original.kind, patched.to_json().unwrap_or_default(), "edited")
            }
            Err(Failure::Api(error)) if self.mode == Mode::Normal => {
                let text = results.add(original, &error);
                cx.err_line(&text);
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    /// The object that an edited one was.
    fn original_of(&self, edited: &Value) -> Option<&Original> {
        let uid =
            |object: &Value| object["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        let same = |original: &&Original| uid(&original.json) == uid(edited);
        match self.originals.as_slice() {
            [one] => Some(one).filter(same),
            several => several.iter().filter(same).find(|o| {
                self.mode == Mode::Normal
                    || o.json["metadata"]["name"] == edited["metadata"]["name"]
            }),
        }
    }

    fn patch(&self, original: &Original, edited: &Value) -> Result<Patch> {
        if self.mode == Mode::LastApplied {
            return Ok(Patch::Merge(annotation_patch(edited)?));
        }
        let before = &original.json;
        let kept = ["/apiVersion", "/kind", "/metadata/name"];
        if kept.iter().any(|pointer| before.pointer(pointer) != edited.pointer(pointer)) {
            let text = "At least one of apiVersion, kind and name was changed";
            return Err(Failure::message(text));
        }
        if original.kind.strategy.open_api().is_some() {
            return Ok(Patch::Merge(crate::generate::difference(before, edited)));
        }
        let patch = three_way(Node::of(&original.kind), before, edited, before);
        Ok(Patch::Strategic(Value::Object(patch)))
    }
}

impl Results {
    /// Remembers that the API server refused an object, and says it.
    fn add(&mut self, original: &Original, error: &ApiError) -> String {
        let what = format!("{} {}", original.kind.group_resource(), quote(&original.name));
        match error.reason() {
            "Invalid" => {
                let causes = error.status().details.iter().flat_map(|details| &details.causes);
                let text = |text: &Option<String>| text.clone().unwrap_or_default();
                let others = causes
                    .flatten()
                    .map(|cause| format!("{}: {}", text(&cause.field), text(&cause.message)));
                let head = format!("{what} was not valid");
                self.reasons.push(Reason { head, others: others.collect() });
                format!("error: {what} is invalid")
            }
            "NotFound" => {
                self.not_found += 1;
                format!("error: {what} could not be found on the server")
            }
            _ => {
                self.retryable += 1;
                format!("error: {what} could not be patched: {}", error.message())
            }
        }
    }
}

/// Says where the edited file was kept.
fn preserved(cx: &mut Context<'_>, path: &str, failure: Failure) -> Failure {
    if !path.is_empty() && cx.sys.fs().exists(path) {
        cx.err_line(&format!("A copy of your changes has been stored to {}", quote(path)));
    }
    failure
}

/// Whether an edited file holds objects at all, if that is asked for.
///
/// Upstream: `Validator.ValidateBytes`.
fn validate(cx: &Context<'_>, text: &str) -> Result<std::result::Result<(), String>> {
    if !common::validates(cx.flags())? {
        return Ok(Ok(()));
    }
    let checked = match naru_api::yaml::parse(&strip(text)) {
        Err(why) => Err(why.to_string()),
        Ok(object) => builder::check_kind(&object),
    };
    Ok(checked)
}

/// The objects of an edited file.
fn read(cx: &mut Context<'_>, text: &str) -> Result<Vec<Manifest>> {
    let text = strip(text);
    builder::manifests(cx, "edited-file", &text)
}

/// The file without lines that are comments.
///
/// Upstream: `cmdutil.ManualStrip`.
fn strip(text: &str) -> String {
    let is_comment = |line: &str| {
        let line = line.trim();
        line.starts_with('#') && !line.starts_with("#!")
    };
    text.split_inclusive('\n').filter(|line| !is_comment(line)).collect()
}

/// Whether two files say the same, comments aside.
fn same(one: &str, other: &str) -> bool {
    let (one, other) = (strip(one), strip(other));
    one == other
        || match (naru_api::yaml::parse(&one), naru_api::yaml::parse(&other)) {
            (Ok(one), Ok(other)) => one == other,
            _ => false,
        }
}

/// Whether something but comments is in a file.
fn has_lines(text: &str) -> bool {
    text.lines().map(str::trim).any(|line| !line.is_empty() && !line.starts_with('#'))
}
