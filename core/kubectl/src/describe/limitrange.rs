//! `kubectl describe limitrange`, and the limit ranges in `kubectl describe namespace`.
//!
//! Upstream: `describeLimitRange` and `DescribeLimitRanges` in `pkg/describe/describe.go`.

use super::page::{Page, items, text};
use serde_json::Value;
use std::collections::BTreeSet;

const HEADS: &str =
    "Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio";
const RULES: &str =
    "----\t--------\t---\t---\t---------------\t-------------\t-----------------------";

pub(super) fn describe(page: &mut Page, range: &Value) {
    let metadata = &range["metadata"];
    page.field(0, "Name", text(&metadata["name"]));
    page.field(0, "Namespace", text(&metadata["namespace"]));
    page.line(0, HEADS);
    page.line(0, RULES);
    limits(page, "", range);
}

/// All limit ranges of a namespace.
pub(super) fn describe_all(page: &mut Page, ranges: &[Value]) {
    if ranges.is_empty() {
        page.line(0, "No LimitRange resource.");
        return;
    }
    page.line(0, "Resource Limits");
    page.line(0, &format!(" {HEADS}"));
    page.line(0, &format!(" {RULES}"));
    for range in ranges {
        limits(page, " ", range);
    }
}

fn limits(page: &mut Page, prefix: &str, range: &Value) {
    const LISTS: [&str; 5] = ["min", "max", "defaultRequest", "default", "maxLimitRequestRatio"];
    for item in items(&range["spec"]["limits"]) {
        let names = LISTS.iter().filter_map(|list| item[*list].as_object());
        let names: BTreeSet<&String> = names.flat_map(|list| list.keys()).collect();
        for name in names {
            let cell = |list: &str| item[list][name].as_str().unwrap_or("-");
            let cells = LISTS.map(cell).join("\t");
            page.line(0, &format!("{prefix}{}\t{name}\t{cells}", text(&item["type"])));
        }
    }
}
