//! Names in objects that mean other objects follow when these are renamed.
//!
//! Upstream: `konfig/builtinpluginconsts/namereference.go`.

use super::Resource;
use serde_json::{Value, json};

/// Levels of an object that are looked through.
const DEPTH_MAX: usize = 32;

/// An object that was renamed: its kind, its old name, its new name.
type Renamed = (String, String, String);

/// Renames references.
pub(super) fn fix(resources: &mut [Resource]) {
    let renamed: Vec<Renamed> = resources
        .iter()
        .filter(|resource| resource.original.0 != resource.name())
        .map(|resource| {
            (resource.kind().to_owned(), resource.original.0.clone(), resource.name().to_owned())
        })
        .collect();
    if renamed.is_empty() {
        return;
    }
    for resource in resources {
        let kind = resource.kind().to_owned();
        walk(&mut resource.object, &kind, "", &renamed, 0);
    }
}

fn set(value: &mut Value, kinds: &[&str], renamed: &[Renamed]) {
    let Some(name) = value.as_str() else { return };
    let found = renamed.iter().find(|(kind, old, _)| kinds.contains(&kind.as_str()) && old == name);
    if let Some((_, _, new)) = found {
        *value = json!(new);
    }
}

/// The kinds that a field's `name` (or another field of it) may mean.
fn walk(value: &mut Value, kind: &str, field: &str, renamed: &[Renamed], depth: usize) {
    if depth > DEPTH_MAX {
        return;
    }
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(|item| walk(item, kind, field, renamed, depth + 1));
        }
        Value::Object(fields) => {
            let named: (&str, &[&str]) = match field {
                "configMap" | "configMapRef" | "configMapKeyRef" => ("name", &["ConfigMap"]),
                "secretRef" | "secretKeyRef" | "imagePullSecrets" => ("name", &["Secret"]),
                "secret" if fields.contains_key("secretName") => ("secretName", &["Secret"]),
                "secret" => ("name", &["Secret"]),
                "secrets" if kind == "ServiceAccount" => ("name", &["Secret"]),
                "tls" => ("secretName", &["Secret"]),
                "persistentVolumeClaim" => ("claimName", &["PersistentVolumeClaim"]),
                "service" if kind == "Ingress" => ("name", &["Service"]),
                "roleRef" => ("name", &["Role", "ClusterRole"]),
                "subjects" => ("name", &["ServiceAccount"]),
                "scaleTargetRef" => {
                    ("name", &["Deployment", "ReplicaSet", "StatefulSet", "ReplicationController"])
                }
                _ => ("", &[]),
            };
            if let Some(name) = fields.get_mut(named.0) {
                set(name, named.1, renamed);
            }
            for (name, below) in fields.iter_mut() {
                match name.as_str() {
                    "serviceAccountName" | "serviceAccount" => {
                        set(below, &["ServiceAccount"], renamed)
                    }
                    "serviceName" => set(below, &["Service"], renamed),
                    "priorityClassName" => set(below, &["PriorityClass"], renamed),
                    "storageClassName" => set(below, &["StorageClass"], renamed),
                    "volumeName" => set(below, &["PersistentVolume"], renamed),
                    "ingressClassName" => set(below, &["IngressClass"], renamed),
                    name => {
                        let name = name.to_owned();
                        walk(below, kind, &name, renamed, depth + 1);
                    }
                }
            }
        }
        _ => {}
    }
}
