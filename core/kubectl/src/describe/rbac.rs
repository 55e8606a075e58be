//! `kubectl describe` of roles and bindings.

use super::page::{Page, items, text};
use crate::policyrules;
use serde_json::Value;

pub(super) fn describe_role(page: &mut Page, role: &Value) {
    head(page, role);
    page.line(0, "PolicyRule:");
    page.line(1, policyrules::HEADERS);
    page.line(1, "---------\t-----------------\t--------------\t-----");
    for row in policyrules::rows(items(&role["rules"])) {
        page.line(1, &row);
    }
}

pub(super) fn describe_binding(page: &mut Page, binding: &Value) {
    head(page, binding);
    page.line(0, "Role:");
    page.field(1, "Kind", text(&binding["roleRef"]["kind"]));
    page.field(1, "Name", text(&binding["roleRef"]["name"]));
    page.line(0, "Subjects:");
    page.line(1, "Kind\tName\tNamespace");
    page.line(1, "----\t----\t---------");
    for subject in items(&binding["subjects"]) {
        let cell = |field: &str| text(&subject[field]);
        page.line(1, &format!("{}\t{}\t{}", cell("kind"), cell("name"), cell("namespace")));
    }
}

fn head(page: &mut Page, object: &Value) {
    page.field(0, "Name", text(&object["metadata"]["name"]));
    page.labels("Labels", &object["metadata"]["labels"]);
    page.annotations("Annotations", &object["metadata"]["annotations"]);
}
