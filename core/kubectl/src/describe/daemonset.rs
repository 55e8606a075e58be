//! `kubectl describe daemonset`

use super::events::Events;
use super::page::{Page, number, text};
use super::{pod_counts, podtemplate, tell};
use crate::context::Context;
use crate::failure::Result;
use crate::printers::table::format_labels;
use serde_json::Value;

pub(super) fn describe(
    cx: &mut Context<'_>,
    page: &mut Page,
    set: &Value,
    events: Option<&Events>,
) -> Result<()> {
    let (metadata, spec, status) = (&set["metadata"], &set["spec"], &set["status"]);
    page.field(0, "Name", text(&metadata["name"]));
    page.field(0, "Namespace", text(&metadata["namespace"]));
    page.field(0, "Selector", crate::podsfor::label_selector_text(&spec["selector"]));
    let nodes = serde_json::from_value(spec["template"]["spec"]["nodeSelector"].clone()).ok();
    page.field(0, "Node-Selector", format_labels(nodes.as_ref()));
    page.labels("Labels", &metadata["labels"]);
    page.annotations("Annotations", &metadata["annotations"]);
    for (title, field) in [
        ("Desired Number of Nodes Scheduled", "desiredNumberScheduled"),
        ("Current Number of Nodes Scheduled", "currentNumberScheduled"),
        ("Number of Nodes Scheduled with Up-to-date Pods", "updatedNumberScheduled"),
        ("Number of Nodes Scheduled with Available Pods", "numberAvailable"),
        ("Number of Nodes Misscheduled", "numberMisscheduled"),
    ] {
        page.line(0, &format!("{title}: {}", number(&status[field])));
    }
    page.field(0, "Pods Status", pod_counts(cx, set)?);
    podtemplate::describe(page, &spec["template"]);
    tell(page, events);
    Ok(())
}
