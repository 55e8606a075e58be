//! `kubectl describe namespace`

use super::page::{Page, date, items, pairs, text};
use super::{list, served};
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
    quotas(cx, page, name)?;
    if served(cx, "limitranges")?.is_some() && list(cx, "limitranges", name, "")?.is_empty() {
        page.line(0, "\nNo LimitRange resource.");
    }
    Ok(())
}

fn quotas(cx: &mut Context<'_>, page: &mut Page, namespace: &str) -> Result<()> {
    if served(cx, "resourcequotas")?.is_none() {
        return Ok(());
    }
    let quotas = list(cx, "resourcequotas", namespace, "")?;
    page.line(0, "");
    if quotas.is_empty() {
        page.line(0, "No resource quota.");
        return Ok(());
    }
    page.line(0, "Resource Quotas");
    for quota in quotas {
        let json = quota.to_json().unwrap_or_default();
        page.field(1, "Name", quota.name());
        page.line(1, "Resource\tUsed\tHard");
        page.line(1, "--------\t---\t---");
        for (resource, hard) in pairs(&json["status"]["hard"]) {
            let used = json["status"]["used"][resource].as_str().unwrap_or("0");
            page.line(1, &format!("{resource}\t{used}\t{hard}"));
        }
    }
    Ok(())
}
