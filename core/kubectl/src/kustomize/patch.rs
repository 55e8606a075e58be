//! Patches: partial objects, and lists of JSON patch operations.
//!
//! Upstream: `sigs.k8s.io/kustomize/api/internal/builtins/PatchTransformer.go`,
//! `sigs.k8s.io/kustomize/kyaml/yaml/merge2`.

use super::{Resource, texts};
use crate::context::Context;
use crate::failure::{Failure, Result};
use naru_api::schema::{Merge, Node};
use naru_shell::normalize;
use regex_lite::Regex;
use serde_json::{Map, Value, json};

/// Levels of an object that a patch reaches.
const DEPTH_MAX: usize = 64;

/// Applies `patchesStrategicMerge`, `patches` and `patchesJson6902`, in upstream's order.
pub(super) fn apply(
    cx: &mut Context<'_>,
    folder: &str,
    kustomization: &Value,
    resources: &mut Vec<Resource>,
) -> Result<()> {
    for entry in texts(&kustomization["patchesStrategicMerge"]) {
        let text = match entry.contains('\n') {
            true => entry,
            false => read(cx, folder, &entry)?,
        };
        for patch in documents(&text)? {
            merge_named(resources, &patch)?;
        }
    }
    for list in ["patches", "patchesJson6902"] {
        for entry in kustomization[list].as_array().into_iter().flatten() {
            apply_entry(cx, folder, entry, resources)?;
        }
    }
    Ok(())
}

fn read(cx: &mut Context<'_>, folder: &str, file: &str) -> Result<String> {
    let path = normalize(folder, file);
    cx.sys.fs().read_text(&path).map_err(|errno| {
        let why = errno.to_string().to_lowercase();
        Failure::Message(format!(
            "trouble configuring builtin PatchTransformer with config: `\npath: {file}\n`: failed to \
             get the patch file from path({file}): evalsymlink failure on '{path}' : lstat {path}: \
             {why}"
        ))
    })
}

fn documents(text: &str) -> Result<Vec<Value>> {
    let parsed = naru_api::yaml::documents(text).into_iter();
    let values: std::result::Result<Vec<Value>, _> = parsed.collect();
    let values = values.map_err(|why| Failure::Message(why.to_string()))?;
    Ok(values.into_iter().filter(|value| !value.is_null()).collect())
}

fn apply_entry(
    cx: &mut Context<'_>,
    folder: &str,
    entry: &Value,
    resources: &mut Vec<Resource>,
) -> Result<()> {
    let text = match (entry["patch"].as_str(), entry["path"].as_str()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(path)) => read(cx, folder, path)?,
        (None, None) => {
            return Err(Failure::message("must specify one of patch and path in PatchTransformer"));
        }
    };
    for patch in documents(&text)? {
        let target = &entry["target"];
        if patch.is_array() {
            if target.is_null() {
                let text = "must specify a target for JSON patch";
                return Err(Failure::message(text));
            }
            let target = Target::new(target)?;
            for resource in resources.iter_mut().filter(|resource| target.chooses(resource)) {
                let object = std::mem::take(&mut resource.object);
                resource.object = naru_api::patch::json(object, &patch)
                    .map_err(|why| Failure::Message(why.to_string()))?;
            }
        } else if target.is_null() {
            merge_named(resources, &patch)?;
        } else {
            let target = Target::new(target)?;
            for resource in resources.iter_mut().filter(|resource| target.chooses(resource)) {
                // The patch need not name what it changes.
                let mut patch = patch.clone();
                for field in ["apiVersion", "kind"] {
                    patch[field] = resource.object[field].clone();
                }
                patch["metadata"]["name"] = resource.object["metadata"]["name"].clone();
                merge_into(resource, &patch);
            }
            resources.retain(|resource| !resource.object.is_null());
        }
    }
    Ok(())
}

/// Which objects a patch is for: by group, version, kind, name, namespace (regular expressions) and
/// selectors.
struct Target {
    fields: Vec<(&'static str, Regex)>,
    labels: Option<naru_api::labels::Selector>,
    annotations: Option<naru_api::labels::Selector>,
}

impl Target {
    fn new(target: &Value) -> Result<Self> {
        let mut fields = Vec::new();
        for name in ["group", "version", "kind", "name", "namespace"] {
            if let Some(text) = target[name].as_str().filter(|text| !text.is_empty()) {
                let regex = Regex::new(&format!("^(?:{text})$"))
                    .map_err(|why| Failure::Message(why.to_string()))?;
                fields.push((name, regex));
            }
        }
        let selector = |field: &str| match target[field].as_str() {
            Some(text) => naru_api::labels::Selector::parse(text)
                .map(Some)
                .map_err(|why| Failure::Message(why.to_string())),
            None => Ok(None),
        };
        let (labels, annotations) = (selector("labelSelector")?, selector("annotationSelector")?);
        Ok(Target { fields, labels, annotations })
    }

    fn chooses(&self, resource: &Resource) -> bool {
        let (group, version) = resource.group_version();
        let matches = |(name, regex): &(&str, Regex)| match *name {
            "group" => regex.is_match(group),
            "version" => regex.is_match(version),
            "kind" => regex.is_match(resource.kind()),
            "namespace" => regex.is_match(resource.namespace()),
            _ => regex.is_match(resource.name()) || regex.is_match(&resource.original.0),
        };
        let map =
            |field: &str| serde_json::from_value(resource.object["metadata"][field].clone()).ok();
        self.fields.iter().all(matches)
            && self.labels.as_ref().is_none_or(|s| s.matches(map("labels").as_ref()))
            && self.annotations.as_ref().is_none_or(|s| s.matches(map("annotations").as_ref()))
    }
}

/// Merges a partial object into the one that it names.
fn merge_named(resources: &mut Vec<Resource>, patch: &Value) -> Result<()> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, name) = (text(&patch["kind"]), text(&patch["metadata"]["name"]));
    let namespace = text(&patch["metadata"]["namespace"]);
    let found = resources.iter_mut().find(|resource| {
        resource.kind() == kind
            && (resource.name() == name || resource.original.0 == name)
            && (namespace.is_empty() || resource.namespace() == namespace)
    });
    let Some(resource) = found else {
        let (group, version) = match text(&patch["apiVersion"]).split_once('/') {
            Some((group, version)) => (group.to_owned(), version.to_owned()),
            None => ("[noGrp]".to_owned(), text(&patch["apiVersion"])),
        };
        let namespace = if namespace.is_empty() { "[noNs]".to_owned() } else { namespace };
        return Err(Failure::Message(format!(
            "no resource matches strategic merge patch \
             \"{kind}.{version}.{group}/{name}.{namespace}\": no matches for Id \
             {kind}.{version}.{group}/{name}.{namespace}; failed to find unique target for patch \
             {kind}.{version}.{group}/{name}.{namespace}"
        )));
    };
    merge_into(resource, patch);
    resources.retain(|resource| !resource.object.is_null());
    Ok(())
}

/// A patch that says `$patch: delete` leaves nothing.
fn merge_into(resource: &mut Resource, patch: &Value) {
    if patch["$patch"] == "delete" {
        resource.object = Value::Null;
        return;
    }
    let (group, version) = resource.group_version();
    let node = Node::built_in(group, version, resource.kind());
    let (Some(patch), object) = (patch.as_object(), &mut resource.object) else { return };
    if let Some(fields) = object.as_object_mut() {
        merge(node, fields, patch, 0);
    }
}

/// As `kyaml` merges: what the patch names stands first in a list, in the patch's order.
fn merge(
    node: Node<'_>,
    target: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    depth: usize,
) {
    if depth > DEPTH_MAX {
        return;
    }
    if patch.get("$patch").is_some_and(|directive| directive == "replace") {
        *target = patch.clone();
        target.remove("$patch");
        return;
    }
    for (name, value) in patch {
        let below = node.field(name).0;
        match (value, target.get_mut(name)) {
            (Value::Null, _) => drop(target.remove(name)),
            (Value::Object(change), Some(Value::Object(old))) => {
                if change.get("$patch").is_some_and(|directive| directive == "delete") {
                    target.remove(name);
                } else {
                    merge(below, old, change, depth + 1);
                }
            }
            (Value::Array(change), Some(Value::Array(old))) => match node.patch(name).merge {
                Some(Merge::ByKey(key)) => merge_list(below.item(), key, old, change, depth + 1),
                Some(Merge::Union) => {
                    let missing = change.iter().filter(|item| !old.contains(item));
                    let missing: Vec<Value> = missing.cloned().collect();
                    old.splice(0..0, missing);
                }
                None => *old = change.clone(),
            },
            (value, _) => drop(target.insert(name.clone(), without_directives(value))),
        }
    }
}

fn merge_list(node: Node<'_>, key: &str, old: &mut Vec<Value>, change: &[Value], depth: usize) {
    if change.iter().any(|item| item["$patch"] == "replace") {
        old.clear();
    }
    let mut first = Vec::new();
    for item in change {
        let Some(fields) = item.as_object() else { continue };
        let at = old.iter().position(|there| there.get(key) == item.get(key));
        match (at, item["$patch"].as_str()) {
            (_, Some("replace")) | (None, Some("delete")) => {}
            (Some(at), Some("delete")) => drop(old.remove(at)),
            (Some(at), _) => {
                let mut there = old.remove(at);
                if let Some(there) = there.as_object_mut() {
                    merge(node, there, fields, depth);
                }
                first.push(there);
            }
            (None, _) => first.push(without_directives(item)),
        }
    }
    old.splice(0..0, first);
}

fn without_directives(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, value)| !name.starts_with('$') && !value.is_null())
            .map(|(name, value)| (name.clone(), without_directives(value)))
            .collect(),
        Value::Array(items) => json!(items.iter().map(without_directives).collect::<Vec<_>>()),
        other => other.clone(),
    }
}
