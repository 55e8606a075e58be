//! What a kustomization changes of all its objects: namespace, names, labels, annotations, images,
//! replicas.
//!
//! Upstream: `sigs.k8s.io/kustomize/api/internal/builtins`, `konfig/builtinpluginconsts`.

use super::Resource;
use crate::failure::{Failure, Result};
use crate::generate::list_mut;
use naru_api::scheme;
use serde_json::{Map, Value, json};

/// Applies them, in upstream's order.
pub(super) fn apply(kustomization: &Value, resources: &mut [Resource]) -> Result<()> {
    let text = |field: &str| kustomization[field].as_str().unwrap_or_default();
    if !text("namespace").is_empty() {
        set_namespace(resources, text("namespace"));
    }
    for resource in resources.iter_mut() {
        rename(resource, text("namePrefix"), text("nameSuffix"));
    }
    for entry in kustomization["labels"].as_array().into_iter().flatten() {
        let (selectors, templates) =
            (entry["includeSelectors"] == true, entry["includeTemplates"] == true);
        add_labels(resources, &entry["pairs"], selectors, templates);
    }
    add_labels(resources, &kustomization["commonLabels"], true, true);
    add_annotations(resources, &kustomization["commonAnnotations"]);
    for replicas in kustomization["replicas"].as_array().into_iter().flatten() {
        set_replicas(resources, replicas)?;
    }
    for image in kustomization["images"].as_array().into_iter().flatten() {
        for resource in resources.iter_mut() {
            set_images(&mut resource.object, image, 0);
        }
    }
    Ok(())
}

/// Whether objects of the kind live in namespaces; kinds that are not known do.
fn is_namespaced(resource: &Resource) -> bool {
    let api_version = resource.object["apiVersion"].as_str().unwrap_or_default();
    scheme::by_kind(&scheme::built_in(), api_version, resource.kind())
        .is_none_or(|kind| kind.namespaced)
}

fn set_namespace(resources: &mut [Resource], namespace: &str) {
    let accounts: Vec<(String, String)> = resources
        .iter()
        .filter(|resource| resource.kind() == "ServiceAccount")
        .map(|resource| (resource.name().to_owned(), resource.namespace().to_owned()))
        .collect();
    for resource in resources {
        if resource.kind() == "Namespace" {
            resource.object["metadata"]["name"] = json!(namespace);
        } else if is_namespaced(resource) {
            resource.object["metadata"]["namespace"] = json!(namespace);
        }
        if !resource.kind().ends_with("RoleBinding") {
            continue;
        }
        for subject in list_mut(&mut resource.object, "subjects") {
            let name = subject["name"].as_str().unwrap_or_default();
            let ours = accounts.iter().any(|(account, _)| account == name) || name == "default";
            if subject["kind"] == "ServiceAccount" && ours {
                subject["namespace"] = json!(namespace);
            }
        }
    }
}

fn rename(resource: &mut Resource, prefix: &str, suffix: &str) {
    const KEPT: [&str; 3] = ["CustomResourceDefinition", "APIService", "Namespace"];
    if (prefix.is_empty() && suffix.is_empty()) || KEPT.contains(&resource.kind()) {
        return;
    }
    let name = format!("{prefix}{}{suffix}", resource.name());
    resource.object["metadata"]["name"] = json!(name);
}

/// Adds pairs to a map that is there, or makes it.
fn merge(object: &mut Value, path: &[&str], pairs: &Map<String, Value>, create: bool) {
    let Some((last, above)) = path.split_last() else { return };
    let mut at = object;
    for name in above {
        if !at[*name].is_object() {
            if !create {
                return;
            }
            at[*name] = json!({});
        }
        at = &mut at[*name];
    }
    if !at[*last].is_object() {
        if !create {
            return;
        }
        at[*last] = json!({});
    }
    for (key, value) in pairs {
        at[*last][key] = match value {
            Value::String(_) => value.clone(),
            other => json!(other.to_string()),
        };
    }
}

/// Where the pods of a kind are described.
fn template(kind: &str) -> Option<&'static [&'static str]> {
    match kind {
        "Deployment"
        | "ReplicaSet"
        | "StatefulSet"
        | "DaemonSet"
        | "Job"
        | "ReplicationController" => Some(&["spec", "template"]),
        "CronJob" => Some(&["spec", "jobTemplate", "spec", "template"]),
        _ => None,
    }
}

/// Upstream: `builtinpluginconsts/commonlabels.go`.
fn add_labels(resources: &mut [Resource], pairs: &Value, selectors: bool, templates: bool) {
    let Some(pairs) = pairs.as_object().filter(|pairs| !pairs.is_empty()) else { return };
    for resource in resources {
        let kind = resource.kind().to_owned();
        let object = &mut resource.object;
        merge(object, &["metadata", "labels"], pairs, true);
        if selectors {
            match kind.as_str() {
                "Service" | "ReplicationController" => {
                    merge(
                        object,
                        &["spec", "selector"],
                        pairs,
                        kind != "Service" || object["spec"]["selector"].is_object(),
                    );
                }
                "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" => {
                    merge(object, &["spec", "selector", "matchLabels"], pairs, true);
                }
                "Job" | "PodDisruptionBudget" => {
                    merge(object, &["spec", "selector", "matchLabels"], pairs, false);
                }
                "NetworkPolicy" => {
                    merge(object, &["spec", "podSelector", "matchLabels"], pairs, false);
                }
                _ => {}
            }
        }
        if !selectors && !templates {
            continue;
        }
        if kind == "CronJob" {
            merge(object, &["spec", "jobTemplate", "metadata", "labels"], pairs, true);
        }
        if let Some(path) = template(&kind) {
            let path: Vec<&str> = path.iter().copied().chain(["metadata", "labels"]).collect();
            merge(object, &path, pairs, true);
        }
        if kind == "StatefulSet" {
            for claim in list_mut(&mut object["spec"], "volumeClaimTemplates") {
                merge(claim, &["metadata", "labels"], pairs, true);
            }
        }
    }
}

fn add_annotations(resources: &mut [Resource], pairs: &Value) {
    let Some(pairs) = pairs.as_object().filter(|pairs| !pairs.is_empty()) else { return };
    for resource in resources {
        let kind = resource.kind().to_owned();
        let object = &mut resource.object;
        merge(object, &["metadata", "annotations"], pairs, true);
        if kind == "CronJob" {
            merge(object, &["spec", "jobTemplate", "metadata", "annotations"], pairs, true);
        }
        if let Some(path) = template(&kind) {
            let path: Vec<&str> = path.iter().copied().chain(["metadata", "annotations"]).collect();
            merge(object, &path, pairs, true);
        }
    }
}

fn set_replicas(resources: &mut [Resource], replicas: &Value) -> Result<()> {
    let name = replicas["name"].as_str().unwrap_or_default();
    const KINDS: [&str; 4] = ["Deployment", "ReplicationController", "ReplicaSet", "StatefulSet"];
    let mut found = false;
    for resource in resources {
        let named = resource.original.0 == name || resource.name() == name;
        if named && KINDS.contains(&resource.kind()) {
            resource.object["spec"]["replicas"] = replicas["count"].clone();
            found = true;
        }
    }
    if found {
        return Ok(());
    }
    Err(Failure::Message(format!(
        "resource with name {name} does not match a config with the following GVK \
         [Deployment.[noVer].[noGrp] ReplicationController.[noVer].[noGrp] \
         ReplicaSet.[noVer].[noGrp] StatefulSet.[noVer].[noGrp]]"
    )))
}

/// Levels of an object that are looked through for containers.
const DEPTH_MAX: usize = 32;

/// Changes images wherever containers stand.
fn set_images(value: &mut Value, image: &Value, depth: usize) {
    if depth > DEPTH_MAX {
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| set_images(item, image, depth + 1)),
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                if matches!(name.as_str(), "containers" | "initContainers") {
                    for container in field.as_array_mut().into_iter().flatten() {
                        if let Some(old) = container["image"].as_str()
                            && let Some(new) = renamed(old, image)
                        {
                            container["image"] = json!(new);
                        }
                    }
                }
                set_images(field, image, depth + 1);
            }
        }
        _ => {}
    }
}

/// The image as the kustomization wants it; `None` if it is another one.
fn renamed(old: &str, image: &Value) -> Option<String> {
    let (rest, digest) = match old.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.to_owned())),
        None => (old, None),
    };
    let slash = rest.rfind('/').map_or(0, |at| at + 1);
    let (name, tag) = match rest.get(slash..).and_then(|last| last.find(':')) {
        Some(at) => (
            rest.get(..slash + at).unwrap_or_default(),
            rest.get(slash + at + 1..).map(str::to_owned),
        ),
        None => (rest, None),
    };
    if image["name"].as_str() != Some(name) {
        return None;
    }
    let text = |field: &str| image[field].as_str().filter(|text| !text.is_empty());
    let name = text("newName").unwrap_or(name);
    let number = match &image["newTag"] {
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let new_tag = text("newTag").map(str::to_owned).or(number);
    let (tag, digest) = match (new_tag, text("digest")) {
        (_, Some(digest)) => (None, Some(digest.to_owned())),
        (Some(tag), None) => (Some(tag), None),
        (None, None) => (tag, digest),
    };
    let tag = tag.map_or(String::new(), |tag| format!(":{tag}"));
    let digest = digest.map_or(String::new(), |digest| format!("@{digest}"));
    Some(format!("{name}{tag}{digest}"))
}
