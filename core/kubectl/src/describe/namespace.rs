//! `kubectl describe namespace`

use super::page::{Page, date, items, text};
use super::{limitrange, list, resourcequota, served};
use crate::context::Context;
use crate::failure::Result;
use serde_json::Value;

pub(super) fn describe(cx: &mut Context<'_>, page: &mut Page, namespace: &Value) -> Result<()> {
    let metadata = &namespace["metadata"];
    let name = text(&metadata["name"]);
    page.field(0, "Name", name);
    page.labels("Labels", &metadata["labels"]);
    page.annotations("Annotations", &metadata["annotations"]);
    page.field(0, "Status", text(&namespace["status"]["phase"]));
    let conditions = items(&namespace["status"]["conditions"]);
    if !conditions.is_empty() {
        page.line(0, "Conditions:");
        page.line(1, "Type\tStatus\tLastTransitionTime\tReason\tMessage");
        page.line(1, "----\t------\t------------------\t------\t-------");
    }
    for condition in conditions {
        let cell = |field: &str| text(&condition[field]);
        let time = date(&condition["lastTransitionTime"]);
        let line =
            [cell("type"), cell("status"), &time, cell("reason"), cell("message")].join("\t");
        page.line(1, &line);
    }
    if served(cx, "resourcequotas")?.is_some() {
        page.line(0, "");
        resourcequota::describe_all(page, &all(cx, "resourcequotas", name)?);
    }
    if served(cx, "limitranges")?.is_some() {
        page.line(0, "");
        limitrange::describe_all(page, &all(cx, "limitranges", name)?);
    }
    Ok(())
}

fn all(cx: &mut Context<'_>, kind: &str, namespace: &str) -> Result<Vec<Value>> {
    let objects = list(cx, kind, namespace, "")?;
    Ok(objects.iter().map(|object| object.content_json().unwrap_or_default()).collect())
}
