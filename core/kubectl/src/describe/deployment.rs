//! `kubectl describe deployment`

use super::events::Events;
use super::page::{Page, date, int_or_text, number, text};
use super::{conditions_with_reason, list, podtemplate, tell};
use crate::context::Context;
use crate::failure::Result;
use serde_json::Value;

pub(super) fn describe(
    cx: &mut Context<'_>,
    page: &mut Page,
    deployment: &Value,
    events: Option<&Events>,
) -> Result<()> {
    let (metadata, spec, status) =
        (&deployment["metadata"], &deployment["spec"], &deployment["status"]);
    page.field(0, "Name", text(&metadata["name"]));
    page.field(0, "Namespace", text(&metadata["namespace"]));
    page.field(0, "CreationTimestamp", date(&metadata["creationTimestamp"]));
    page.labels("Labels", &metadata["labels"]);
    page.annotations("Annotations", &metadata["annotations"]);
    page.field(0, "Selector", crate::podsfor::label_selector_text(&spec["selector"]));
    let count = |field: &str| number(&status[field]);
    page.field(
        0,
        "Replicas",
        format!(
            "{} desired | {} updated | {} total | {} available | {} unavailable",
            number(&spec["replicas"]),
            count("updatedReplicas"),
            count("replicas"),
            count("availableReplicas"),
            count("unavailableReplicas")
        ),
    );
    page.field(0, "StrategyType", text(&spec["strategy"]["type"]));
    page.field(0, "MinReadySeconds", number(&spec["minReadySeconds"]));
    let rolling = &spec["strategy"]["rollingUpdate"];
    if rolling.is_object() {
        let (unavailable, surge) =
            (int_or_text(&rolling["maxUnavailable"]), int_or_text(&rolling["maxSurge"]));
        let text = format!("{unavailable} max unavailable, {surge} max surge");
        page.field(0, "RollingUpdateStrategy", text);
    }
    podtemplate::describe(page, &spec["template"]);
    conditions_with_reason(page, deployment);
    let (old, new) = replica_sets(cx, deployment)?;
    if !old.is_empty() || !new.is_empty() {
        page.field(0, "OldReplicaSets", counted(&old));
        page.field(0, "NewReplicaSet", counted(&new));
    }
    tell(page, events);
    Ok(())
}

/// The old replica sets, oldest first, and the one that has the deployment's template.
///
/// Upstream: `GetAllReplicaSetsInChunks`, `FindNewReplicaSet`.
pub fn replica_sets(cx: &mut Context<'_>, deployment: &Value) -> Result<(Vec<Value>, Vec<Value>)> {
    let namespace = text(&deployment["metadata"]["namespace"]);
    let selector = crate::podsfor::label_selector_text(&deployment["spec"]["selector"]);
    let uid = text(&deployment["metadata"]["uid"]);
    let mut owned: Vec<Value> = list(cx, "replicasets.apps", namespace, &selector)?
        .iter()
        .filter(|set| set.controller().is_some_and(|owner| owner.uid == uid))
        .map(|set| set.content_json().unwrap_or_default())
        .collect();
    owned.sort_by_key(|set| text(&set["metadata"]["creationTimestamp"]).to_owned());
    let template = without_hash(&deployment["spec"]["template"]);
    let newest = owned.iter().position(|set| without_hash(&set["spec"]["template"]) == template);
    let new = newest.map(|index| owned.remove(index)).into_iter().collect();
    Ok((owned, new))
}

fn without_hash(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove("pod-template-hash");
    }
    if let Some(metadata) = template["metadata"].as_object_mut() {
        metadata.remove("creationTimestamp");
    }
    template
}

fn counted(sets: &[Value]) -> String {
    let texts: Vec<String> = sets
        .iter()
        .map(|set| {
            let (created, desired) =
                (number(&set["status"]["replicas"]), number(&set["spec"]["replicas"]));
            format!("{} ({created}/{desired} replicas created)", text(&set["metadata"]["name"]))
        })
        .collect();
    if texts.is_empty() { "<none>".to_owned() } else { texts.join(", ") }
}
