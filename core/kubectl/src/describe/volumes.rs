//! The volumes of a pod, and what a persistent volume is.

use super::page::{Page, items, number, pairs, text};
use super::storage;
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

/// What a volume is made from. Of the kinds that no cluster mounts any more there is nothing to
/// tell.
pub(super) fn source(page: &mut Page, volume: &Value) {
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
    } else if let Some(disk) = named("gcePersistentDisk") {
        let kind = "GCEPersistentDisk (a Persistent Disk resource in Google Compute Engine)";
        cloud_disk(page, kind, ("PDName", text(&disk["pdName"])), disk);
    } else if let Some(disk) = named("awsElasticBlockStore") {
        let kind = "AWSElasticBlockStore (a Persistent Disk resource in AWS)";
        cloud_disk(page, kind, ("VolumeID", text(&disk["volumeID"])), disk);
    } else if let Some(git) = named("gitRepo") {
        page.field(2, "Type", "GitRepo (a volume that is pulled from git when the pod is created)");
        page.field(2, "Repository", text(&git["repository"]));
        page.field(2, "Revision", text(&git["revision"]));
    } else if let Some(local) = named("local") {
        let kind = "LocalVolume (a persistent volume backed by local storage on a node)";
        page.field(2, "Type", kind);
        page.field(2, "Path", text(&local["path"]));
    } else if let Some(disk) = named("iscsi") {
        iscsi(page, disk);
    } else if let Some(ephemeral) = named("ephemeral") {
        let kind = "EphemeralVolume (an inline specification for a volume that gets created and \
                    deleted with the pod)";
        page.field(2, "Type", kind);
        if let Some(template) = ephemeral.get("volumeClaimTemplate") {
            storage::write_claim(page, template, false, "    ");
        }
    } else if let Some(image) = named("image") {
        page.field(2, "Type", "Image (a container image or OCI artifact)");
        page.field(2, "Reference", text(&image["reference"]));
        page.field(2, "PullPolicy", text(&image["pullPolicy"]));
    } else if let Some(csi) = named("csi") {
        let kind = "CSI (a Container Storage Interface (CSI) volume source)";
        page.field(2, "Type", kind);
        page.field(2, "Driver", text(&csi["driver"]));
        page.field(2, "FSType", text(&csi["fsType"]));
        if let Some(handle) = csi["volumeHandle"].as_str() {
            page.field(2, "VolumeHandle", handle);
        }
        page.field(2, "ReadOnly", csi["readOnly"] == true);
        let pairs: Vec<String> =
            pairs(&csi["volumeAttributes"]).map(|(key, value)| format!("{key}={value}")).collect();
        page.lines("    VolumeAttributes", &pairs);
    } else {
        page.line(1, "<unknown>");
    }
}

fn cloud_disk(page: &mut Page, kind: &str, (title, name): (&str, &str), disk: &Value) {
    page.field(2, "Type", kind);
    page.field(2, title, name);
    page.field(2, "FSType", text(&disk["fsType"]));
    page.field(2, "Partition", number(&disk["partition"]));
    page.field(2, "ReadOnly", disk["readOnly"] == true);
}

fn iscsi(page: &mut Page, disk: &Value) {
    let kind = "ISCSI (an ISCSI Disk resource that is attached to a kubelet's host machine and \
                then exposed to the pod)";
    let portals: Vec<&str> = items(&disk["portals"]).iter().map(text).collect();
    let secret = &disk["secretRef"];
    page.field(2, "Type", kind);
    page.field(2, "TargetPortal", text(&disk["targetPortal"]));
    page.field(2, "IQN", text(&disk["iqn"]));
    page.field(2, "Lun", number(&disk["lun"]));
    page.line(2, &format!("ISCSIInterface\t{}", text(&disk["iscsiInterface"])));
    page.field(2, "FSType", text(&disk["fsType"]));
    page.field(2, "ReadOnly", disk["readOnly"] == true);
    page.field(2, "Portals", format!("[{}]", portals.join(" ")));
    page.field(2, "DiscoveryCHAPAuth", disk["chapAuthDiscovery"] == true);
    page.field(2, "SessionCHAPAuth", disk["chapAuthSession"] == true);
    let secret_name = text(&secret["name"]);
    let secret =
        if secret.is_object() { format!("&{{{secret_name}}}") } else { "<nil>".to_owned() };
    page.field(2, "SecretRef", secret);
    page.field(2, "InitiatorName", disk["initiatorName"].as_str().unwrap_or("<none>"));
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
