//! `kubectl describe replicationcontroller`

use super::events::Events;
use super::page::{Page, number, text};
use super::{conditions_with_reason, pod_counts, podtemplate, tell};
use crate::context::Context;
use crate::failure::Result;
use crate::printers::table::format_labels;
use serde_json::Value;

pub(super) fn describe(
    cx: &mut Context<'_>,
    page: &mut Page,
    controller: &Value,
    events: Option<&Events>,
) -> Result<()> {
    let (metadata, spec) = (&controller["metadata"], &controller["spec"]);
    page.field(0, "Name", text(&metadata["name"]));
    page.field(0, "Namespace", text(&metadata["namespace"]));
    let selector = serde_json::from_value(spec["selector"].clone()).ok();
    page.field(0, "Selector", format_labels(selector.as_ref()));
    page.labels("Labels", &metadata["labels"]);
    page.annotations("Annotations", &metadata["annotations"]);
    let current = number(&controller["status"]["replicas"]);
    let desired = number(&spec["replicas"]);
    page.field(0, "Replicas", format!("{current} current / {desired} desired"));
    page.field(0, "Pods Status", pod_counts(cx, controller)?);
    podtemplate::describe(page, &spec["template"]);
    conditions_with_reason(page, controller);
    tell(page, events);
    Ok(())
}
