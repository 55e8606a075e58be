//! The volumes of a pod.

use super::page::{Page, items, number, pairs, text};
use serde_json::Value;

pub(super) fn describe(page: &mut Page, volumes: &Value, space: &str) {
    let volumes = items(volumes);
    if volumes.is_empty() {
        page.line(0, &format!("{space}Volumes:\t<none>"));
        return;
    }
    page.line(0, &format!("{space}Volumes:"));
    let indent = if space.is_empty() { "" } else { " " };
    for volume in volumes {
        page.line(1, &format!("{indent}{}:", text(&volume["name"])));
        source(page, volume);
    }
}

fn source(page: &mut Page, volume: &Value) {
    let named = |name: &str| Some(&volume[name]).filter(|source| source.is_object());
    if let Some(path) = named("hostPath") {
        page.field(2, "Type", "HostPath (bare host directory volume)");
        page.field(2, "Path", text(&path["path"]));
        page.field(2, "HostPathType", path["type"].as_str().unwrap_or("<none>"));
    } else if let Some(empty) = named("emptyDir") {
        page.field(2, "Type", "EmptyDir (a temporary directory that shares a pod's lifetime)");
        page.field(2, "Medium", text(&empty["medium"]));
        page.field(2, "SizeLimit", empty["sizeLimit"].as_str().unwrap_or("<unset>"));
    } else if let Some(secret) = named("secret") {
        page.field(2, "Type", "Secret (a volume populated by a Secret)");
        page.field(2, "SecretName", text(&secret["secretName"]));
        page.field(2, "Optional", secret["optional"] == true);
    } else if let Some(map) = named("configMap") {
        page.field(2, "Type", "ConfigMap (a volume populated by a ConfigMap)");
        page.field(2, "Name", text(&map["name"]));
        page.field(2, "Optional", map["optional"] == true);
    } else if let Some(nfs) = named("nfs") {
        page.field(2, "Type", "NFS (an NFS mount that lasts the lifetime of a pod)");
        page.field(2, "Server", text(&nfs["server"]));
        page.field(2, "Path", text(&nfs["path"]));
        page.field(2, "ReadOnly", nfs["readOnly"] == true);
    } else if let Some(claim) = named("persistentVolumeClaim") {
        let kind =
            "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)";
        page.field(2, "Type", kind);
        page.field(2, "ClaimName", text(&claim["claimName"]));
        page.field(2, "ReadOnly", claim["readOnly"] == true);
    } else if let Some(downward) = named("downwardAPI") {
        let kind = "DownwardAPI (a volume populated by information about the pod)";
        page.field(2, "Type", kind);
        page.line(2, "Items:");
        for item in items(&downward["items"]) {
            let path = text(&item["path"]);
            for field in [&item["fieldRef"]["fieldPath"], &item["resourceFieldRef"]["resource"]] {
                if let Some(field) = field.as_str() {
                    page.line(3, &format!("{field} -> {path}"));
                }
            }
        }
    } else if let Some(projected) = named("projected") {
        projection(page, projected);
    } else if let Some(csi) = named("csi") {
        let kind = "CSI (a Container Storage Interface (CSI) volume source)";
        page.field(2, "Type", kind);
        page.field(2, "Driver", text(&csi["driver"]));
        page.field(2, "FSType", text(&csi["fsType"]));
        page.field(2, "ReadOnly", csi["readOnly"] == true);
        let pairs: Vec<String> =
            pairs(&csi["volumeAttributes"]).map(|(key, value)| format!("{key}={value}")).collect();
        page.lines("    VolumeAttributes", &pairs);
    } else {
        page.line(1, "<unknown>");
    }
}

fn projection(page: &mut Page, projected: &Value) {
    let kind = "Projected (a volume that contains injected data from multiple sources)";
    page.field(2, "Type", kind);
    for source in items(&projected["sources"]) {
        let named = |name: &str| Some(&source[name]).filter(|source| source.is_object());
        if let Some(secret) = named("secret") {
            page.field(2, "SecretName", text(&secret["name"]));
            page.field(2, "Optional", secret["optional"] == true);
        } else if named("downwardAPI").is_some() {
            page.field(2, "DownwardAPI", "true");
        } else if let Some(map) = named("configMap") {
            page.field(2, "ConfigMapName", text(&map["name"]));
            page.field(2, "Optional", map["optional"] == true);
        } else if let Some(token) = named("serviceAccountToken") {
            page.field(2, "TokenExpirationSeconds", number(&token["expirationSeconds"]));
        }
    }
}
