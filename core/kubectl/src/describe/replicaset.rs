//! `kubectl describe replicaset`

use super::events::Events;
use super::page::{Page, number, text};
use super::{conditions_with_reason, controller, pod_counts, podtemplate, tell};
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
    page.field(0, "Selector", podtemplate::label_selector(&spec["selector"]));
    page.labels("Labels", &metadata["labels"]);
    page.annotations("Annotations", &metadata["annotations"]);
    if let Some(controller) = controller(set) {
        page.field(0, "Controlled By", controller);
    }
    let (current, desired) = (number(&set["status"]["replicas"]), number(&spec["replicas"]));
    page.field(0, "Replicas", format!("{current} current / {desired} desired"));
    page.field(0, "Pods Status", pod_counts(cx, set)?);
    podtemplate::describe(page, &spec["template"]);
    conditions_with_reason(page, set);
    tell(page, events);
    Ok(())
}
