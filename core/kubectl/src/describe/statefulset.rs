//! `kubectl describe statefulset`

use super::events::Events;
use super::page::{Page, date, items, number, text};
use super::{pod_counts, podtemplate, tell};
use crate::context::Context;
use crate::failure::Result;
use serde_json::Value;

pub(super) fn describe(
    cx: &mut Context<'_>,
    page: &mut Page,
    set: &Value,
    events: Option<&Events>,
) -> Result<()> {
    let (metadata, spec) = (&set["metadata"], &set["spec"]);
    page.field(0, "Name", text(&metadata["name"]));
    page.field(0, "Namespace", text(&metadata["namespace"]));
    page.field(0, "CreationTimestamp", date(&metadata["creationTimestamp"]));
    page.field(0, "Selector", crate::podsfor::label_selector_text(&spec["selector"]));
    page.labels("Labels", &metadata["labels"]);
    page.annotations("Annotations", &metadata["annotations"]);
    let (desired, total) = (number(&spec["replicas"]), number(&set["status"]["replicas"]));
    page.field(0, "Replicas", format!("{desired} desired | {total} total"));
    let strategy = &spec["updateStrategy"];
    page.field(0, "Update Strategy", text(&strategy["type"]));
    if let Some(partition) = strategy["rollingUpdate"]["partition"].as_i64() {
        page.field(1, "Partition", partition);
    }
    page.field(0, "Pods Status", pod_counts(cx, set)?);
    podtemplate::describe(page, &spec["template"]);
    claim_templates(page, &spec["volumeClaimTemplates"]);
    tell(page, events);
    Ok(())
}

/// Upstream: `describeVolumeClaimTemplates`.
fn claim_templates(page: &mut Page, templates: &Value) {
    if items(templates).is_empty() {
        page.line(0, "Volume Claims:\t<none>");
        return;
    }
    page.line(0, "Volume Claims:");
    for claim in items(templates) {
        let (metadata, spec) = (&claim["metadata"], &claim["spec"]);
        page.field(1, "Name", text(&metadata["name"]));
        let beta = text(&metadata["annotations"]["volume.beta.kubernetes.io/storage-class"]);
        let class = if beta.is_empty() { text(&spec["storageClassName"]) } else { beta };
        page.field(1, "StorageClass", class);
        page.labels("  Labels", &metadata["labels"]);
        page.labels("  Annotations", &metadata["annotations"]);
        let capacity = text(&spec["resources"]["requests"]["storage"]);
        page.field(1, "Capacity", if capacity.is_empty() { "<default>" } else { capacity });
        let modes: Vec<&str> = items(&spec["accessModes"]).iter().map(text).collect();
        page.field(1, "Access Modes", format!("[{}]", modes.join(" ")));
    }
}
