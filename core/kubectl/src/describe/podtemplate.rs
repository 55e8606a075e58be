//! The pod template of a controller, and what pods and templates share.

use super::page::{Page, items, number, text};
use super::{containers, volumes};
use serde_json::Value;

/// `Pod Template:` and what is in it.
pub fn describe(page: &mut Page, template: &Value) {
    page.line(0, "Pod Template:");
    let (metadata, spec) = (&template["metadata"], &template["spec"]);
    page.labels("  Labels", &metadata["labels"]);
    if metadata["annotations"].as_object().is_some_and(|map| !map.is_empty()) {
        page.annotations("  Annotations", &metadata["annotations"]);
    }
    page.field_if(1, "Service Account", &spec["serviceAccountName"]);
    if !items(&spec["initContainers"]).is_empty() {
        containers::describe(
            page,
            "Init Containers",
            &spec["initContainers"],
            &Value::Null,
            None,
            "  ",
        );
    }
    containers::describe(page, "Containers", &spec["containers"], &Value::Null, None, "  ");
    volumes::describe(page, &spec["volumes"], "  ");
    spread_constraints(page, &spec["topologySpreadConstraints"], "  ");
    page.field_if(1, "Priority Class Name", &spec["priorityClassName"]);
    page.labels("  Node-Selectors", &spec["nodeSelector"]);
    page.lines("  Tolerations", &tolerations(&spec["tolerations"]));
}

/// `node.kubernetes.io/not-ready:NoExecute op=Exists for 300s`
pub(super) fn tolerations(tolerations: &Value) -> Vec<String> {
    let mut sorted: Vec<&Value> = items(tolerations).iter().collect();
    sorted.sort_by_key(|toleration| text(&toleration["key"]));
    sorted
        .into_iter()
        .map(|toleration| {
            let (key, value) = (text(&toleration["key"]), text(&toleration["value"]));
            let effect = text(&toleration["effect"]);
            let mut line = key.to_owned();
            if !value.is_empty() {
                line.push_str(&format!("={value}"));
            }
            if !effect.is_empty() {
                line.push_str(&format!(":{effect}"));
            }
            if toleration["operator"] == "Exists" && value.is_empty() {
                let space = if line.is_empty() { "" } else { " " };
                line.push_str(&format!("{space}op=Exists"));
            }
            if let Some(seconds) = toleration["tolerationSeconds"].as_i64() {
                line.push_str(&format!(" for {seconds}s"));
            }
            line
        })
        .collect()
}

/// `zone:DoNotSchedule when max skew 1 is exceeded for selector app=web`
pub(super) fn spread_constraints(page: &mut Page, constraints: &Value, space: &str) {
    let mut sorted: Vec<&Value> = items(constraints).iter().collect();
    if sorted.is_empty() {
        return;
    }
    sorted.sort_by_key(|constraint| text(&constraint["topologyKey"]));
    for (index, constraint) in sorted.into_iter().enumerate() {
        let title = if index == 0 { "Topology Spread Constraints:" } else { "" };
        let (key, when) =
            (text(&constraint["topologyKey"]), text(&constraint["whenUnsatisfiable"]));
        let skew = number(&constraint["maxSkew"]);
        let selector = match &constraint["labelSelector"] {
            Value::Null => String::new(),
            selector => format!(" for selector {}", label_selector(selector)),
        };
        page.line(
            0,
            &format!("{space}{title}\t{key}:{when} when max skew {skew} is exceeded{selector}"),
        );
    }
}

/// A selector as text, or `<none>`.
///
/// Upstream: `metav1.FormatLabelSelector`.
pub(super) fn label_selector(selector: &Value) -> String {
    match crate::podsfor::label_selector_text(selector) {
        text if text.is_empty() => "<none>".to_owned(),
        text => text,
    }
}
