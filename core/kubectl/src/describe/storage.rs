//! `kubectl describe` of persistentvolume, persistentvolumeclaim, storageclass and csinode.

use super::events::Events;
use super::page::{Page, date, items, text};
use super::{list, tell, volumes};
use crate::context::Context;
use crate::failure::Result;
use naru_api::Object;
use naru_api::labels;
use naru_api::wanted::Wanted;
use serde_json::Value;
use std::collections::BTreeMap;

/// Upstream: `describePersistentVolume`.
pub(super) fn describe_volume(page: &mut Page, volume: &Value, events: Option<&Events>) {
    let (metadata, spec) = (&volume["metadata"], &volume["spec"]);
    page.field(0, "Name", text(&metadata["name"]));
    page.labels("Labels", &metadata["labels"]);
    page.annotations("Annotations", &metadata["annotations"]);
    page.field(0, "Finalizers", go_list(&metadata["finalizers"]));
    page.field(0, "StorageClass", class(volume));
    status(page, volume);
    let claim = &spec["claimRef"];
    let claim = if claim.is_object() {
        format!("{}/{}", text(&claim["namespace"]), text(&claim["name"]))
    } else {
        String::new()
    };
    page.field(0, "Claim", claim);
    page.field(0, "Reclaim Policy", text(&spec["persistentVolumeReclaimPolicy"]));
    page.field(0, "Access Modes", access_modes(&spec["accessModes"]));
    page.field_if(0, "VolumeMode", &spec["volumeMode"]);
    page.field(0, "Capacity", spec["capacity"]["storage"].as_str().unwrap_or("0"));
    node_affinity(page, &spec["nodeAffinity"]["required"]);
    page.field(0, "Message", text(&volume["status"]["message"]));
    page.line(0, "Source:");
    volumes::source(page, spec);
    tell(page, events);
}

/// Upstream: `printVolumeNodeAffinity`.
fn node_affinity(page: &mut Page, required: &Value) {
    page.write(0, "Node Affinity:\t");
    if !required.is_object() {
        page.line(0, "<none>");
        return;
    }
    page.line(0, "");
    page.write(1, "Required Terms:\t");
    let terms = items(&required["nodeSelectorTerms"]);
    page.line(0, if terms.is_empty() { "<none>" } else { "" });
    for (index, term) in terms.iter().enumerate() {
        let operator = |requirement: &Value| text(&requirement["operator"]).to_lowercase();
        requirements(page, 2, index, items(&term["matchExpressions"]), operator);
    }
}

fn requirements(
    page: &mut Page,
    level: usize,
    index: usize,
    list: &[Value],
    operator: impl Fn(&Value) -> String,
) {
    page.write(level, &format!("Term {index}:\t"));
    if list.is_empty() {
        page.line(0, "<none>");
    }
    for (index, requirement) in list.iter().enumerate() {
        if index > 0 {
            page.write(level, "\t");
        }
        let values: Vec<&str> = items(&requirement["values"]).iter().map(text).collect();
        let mut line = format!("{} {}", text(&requirement["key"]), operator(requirement));
        if !values.is_empty() {
            line.push_str(&format!(" [{}]", values.join(", ")));
        }
        page.line(0, &line);
    }
}

/// Upstream: `describePersistentVolumeClaim`.
pub(super) fn describe_claim(
    cx: &mut Context<'_>,
    page: &mut Page,
    claim: &Value,
    events: Option<&Events>,
) -> Result<()> {
    let metadata = &claim["metadata"];
    page.field(0, "Name", text(&metadata["name"]));
    page.field(0, "Namespace", text(&metadata["namespace"]));
    write_claim(page, claim, true, "");
    let users = users(cx, claim)?;
    page.lines("Used By", &users);
    let conditions = items(&claim["status"]["conditions"]);
    if !conditions.is_empty() {
        let titles = ["Type", "Status", "LastProbeTime", "LastTransitionTime", "Reason", "Message"];
        let dashes =
            ["----", "------", "-----------------", "------------------", "------", "-------"];
        page.line(0, "Conditions:");
        page.line(1, &titles.join("\t"));
        page.line(1, &dashes.join("\t"));
    }
    for condition in conditions {
        let cell = |name: &str| text(&condition[name]);
        page.line(
            1,
            &format!(
                "{} \t{} \t{} \t{} \t{} \t{}",
                cell("type"),
                cell("status"),
                date(&condition["lastProbeTime"]),
                date(&condition["lastTransitionTime"]),
                cell("reason"),
                cell("message"),
            ),
        );
    }
    tell(page, events);
    Ok(())
}

/// A claim, or a template of one, which has less to tell. `space` goes before each line.
///
/// Upstream: `printPersistentVolumeClaim`.
pub(super) fn write_claim(page: &mut Page, claim: &Value, full: bool, space: &str) {
    let (metadata, spec, status_) = (&claim["metadata"], &claim["spec"], &claim["status"]);
    let title = |name: &str| format!("{space}{name}");
    page.field(0, &title("StorageClass"), class(claim));
    if full {
        status(page, claim);
    }
    page.field(0, &title("Volume"), text(&spec["volumeName"]));
    page.labels(&title("Labels"), &metadata["labels"]);
    page.annotations(&title("Annotations"), &metadata["annotations"]);
    if full {
        page.field(0, "Finalizers", go_list(&metadata["finalizers"]));
    }
    let named = !text(&spec["volumeName"]).is_empty();
    let capacity = status_["capacity"]["storage"].as_str().unwrap_or("0");
    let modes = access_modes(&status_["accessModes"]);
    page.field(0, &title("Capacity"), if named { capacity } else { "" });
    page.field(0, &title("Access Modes"), if named { modes.as_str() } else { "" });
    if let Some(mode) = spec["volumeMode"].as_str() {
        page.field(0, &title("VolumeMode"), mode);
    }
    let source = &spec["dataSource"];
    if source.is_object() {
        page.line(0, &title("DataSource:"));
        for (name, field) in [("APIGroup", "apiGroup"), ("Kind", "kind"), ("Name", "name")] {
            if let Some(value) = source[field].as_str() {
                page.field(0, &format!("{space}  {name}"), value);
            }
        }
    }
}

/// The pods that use the claim, and the one that it was made for.
///
/// Upstream: `getPodsForPVC`.
fn users(cx: &mut Context<'_>, claim: &Value) -> Result<Vec<String>> {
    let metadata = &claim["metadata"];
    let pods = list(cx, "pods", text(&metadata["namespace"]), "")?;
    let owners: Vec<&str> = items(&metadata["ownerReferences"])
        .iter()
        .filter(|owner| owner["kind"] == "Pod")
        .map(|owner| text(&owner["uid"]))
        .collect();
    let volumes = Wanted::of_paths(&["spec.volumes"]);
    let uses = |pod: &&Object| {
        let json = pod.content_part(&volumes).unwrap_or_default();
        owners.contains(&pod.uid())
            || items(&json["spec"]["volumes"])
                .iter()
                .any(|volume| volume["persistentVolumeClaim"]["claimName"] == metadata["name"])
    };
    Ok(pods.iter().filter(uses).map(|pod| pod.name().to_owned()).collect())
}

/// Upstream: `describeStorageClass`.
pub(super) fn describe_class(page: &mut Page, class: &Value, events: Option<&Events>) {
    const MARKS: [&str; 2] = naru_api::volumes::DEFAULT_CLASS_MARKS;
    let annotations = &class["metadata"]["annotations"];
    let default = MARKS.iter().any(|mark| annotations[*mark] == "true");
    page.field(0, "Name", text(&class["metadata"]["name"]));
    page.field(0, "IsDefaultClass", if default { "Yes" } else { "No" });
    page.field(0, "Annotations", one_line(annotations));
    page.field(0, "Provisioner", text(&class["provisioner"]));
    page.field(0, "Parameters", one_line(&class["parameters"]));
    let grows = match class["allowVolumeExpansion"].as_bool() {
        Some(grows) => super::page::capital(grows),
        None => "<unset>",
    };
    page.field(0, "AllowVolumeExpansion", grows);
    let options = items(&class["mountOptions"]);
    if options.is_empty() {
        page.field(0, "MountOptions", "<none>");
    } else {
        page.line(0, "MountOptions:");
        options.iter().for_each(|option| page.line(1, text(option)));
    }
    page.field_if(0, "ReclaimPolicy", &class["reclaimPolicy"]);
    page.field_if(0, "VolumeBindingMode", &class["volumeBindingMode"]);
    if class["allowedTopologies"].is_array() {
        let terms = items(&class["allowedTopologies"]);
        page.line(
            0,
            if terms.is_empty() { "AllowedTopologies:\t<none>" } else { "AllowedTopologies:\t" },
        );
        for (index, term) in terms.iter().enumerate() {
            let operator = |_: &Value| "in".to_owned();
            requirements(page, 1, index, items(&term["matchLabelExpressions"]), operator);
        }
    }
    tell(page, events);
}

/// Upstream: `describeCSINode`.
pub(super) fn describe_csi_node(page: &mut Page, node: &Value, events: Option<&Events>) {
    let metadata = &node["metadata"];
    page.field(0, "Name", text(&metadata["name"]));
    page.labels("Labels", &metadata["labels"]);
    page.annotations("Annotations", &metadata["annotations"]);
    page.field(0, "CreationTimestamp", date(&metadata["creationTimestamp"]));
    page.line(0, "Spec:");
    let drivers = items(&node["spec"]["drivers"]);
    if !drivers.is_empty() {
        page.line(1, "Drivers:");
    }
    for driver in drivers {
        page.line(2, &format!("{}:", text(&driver["name"])));
        page.field(3, "Node ID", text(&driver["nodeID"]));
        if let Some(count) = driver["allocatable"]["count"].as_i64() {
            page.line(3, "Allocatables:");
            page.field(4, "Count", count);
        }
        if driver["topologyKeys"].is_array() {
            page.field(3, "Topology Keys", go_list(&driver["topologyKeys"]));
        }
    }
    tell(page, events);
}

fn status(page: &mut Page, object: &Value) {
    let deleted = &object["metadata"]["deletionTimestamp"];
    if deleted.is_string() {
        page.field(0, "Status", format!("Terminating (lasts {})", page.age(deleted)));
    } else {
        page.field(0, "Status", text(&object["status"]["phase"]));
    }
}

fn class(object: &Value) -> &str {
    let beta = object["metadata"]["annotations"][naru_api::volumes::BETA_CLASS].as_str();
    beta.or(object["spec"]["storageClassName"].as_str()).unwrap_or_default()
}

fn access_modes(modes: &Value) -> String {
    let modes: Vec<String> = items(modes).iter().map(|mode| text(mode).to_owned()).collect();
    naru_api::volumes::short_modes(&modes)
}

/// A list as Go prints it.
fn go_list(list: &Value) -> String {
    let texts: Vec<&str> = items(list).iter().map(text).collect();
    format!("[{}]", texts.join(" "))
}

fn one_line(map: &Value) -> String {
    let map: BTreeMap<String, String> =
        super::page::pairs(map).map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    labels::format(Some(&map))
}
