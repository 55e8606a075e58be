//! `kubectl describe resourcequota`, and the quotas in `kubectl describe namespace`.
//!
//! Upstream: `describeQuota` and `DescribeResourceQuotas` in `pkg/describe/describe.go`.

use super::page::{Page, items, pairs, text};
use serde_json::Value;

pub(super) fn describe(page: &mut Page, quota: &Value) {
    let metadata = &quota["metadata"];
    page.field(0, "Name", text(&metadata["name"]));
    page.field(0, "Namespace", text(&metadata["namespace"]));
    scopes(page, 0, " * ", quota);
    page.line(0, "Resource\tUsed\tHard");
    page.line(0, "--------\t----\t----");
    used_and_hard(page, 0, quota);
}

/// All quotas of a namespace.
pub(super) fn describe_all(page: &mut Page, quotas: &[Value]) {
    if quotas.is_empty() {
        page.line(0, "No resource quota.");
        return;
    }
    page.line(0, "Resource Quotas");
    for quota in quotas {
        page.field(1, "Name", text(&quota["metadata"]["name"]));
        scopes(page, 1, "* ", quota);
        page.line(1, "Resource\tUsed\tHard");
        page.line(1, "--------\t---\t---");
        used_and_hard(page, 1, quota);
    }
}

fn used_and_hard(page: &mut Page, level: usize, quota: &Value) {
    let status = &quota["status"];
    for (resource, hard) in pairs(&status["hard"]) {
        let used = status["used"][resource].as_str().unwrap_or("0");
        page.line(level, &format!("{resource}\t{used}\t{hard}"));
    }
}

fn scopes(page: &mut Page, level: usize, bullet: &str, quota: &Value) {
    let mut scopes: Vec<&str> = items(&quota["spec"]["scopes"]).iter().map(text).collect();
    if scopes.is_empty() {
        return;
    }
    scopes.sort_unstable();
    page.field(level, "Scopes", scopes.join(", "));
    for help in scopes.into_iter().filter_map(help) {
        page.line(level, &format!("{bullet}{help}"));
    }
}

/// Upstream: `helpTextForResourceQuotaScope`.
fn help(scope: &str) -> Option<&'static str> {
    match scope {
        "Terminating" => Some(
            "Matches all pods that have an active deadline. These pods have a limited lifespan on \
             a node before being actively terminated by the system.",
        ),
        "NotTerminating" => Some(
            "Matches all pods that do not have an active deadline. These pods usually include long \
             running pods whose container command is not expected to terminate.",
        ),
        "BestEffort" => Some(
            "Matches all pods that do not have resource requirements set. These pods have a best \
             effort quality of service.",
        ),
        "NotBestEffort" => Some(
            "Matches all pods that have at least one resource requirement set. These pods have a \
             burstable or guaranteed quality of service.",
        ),
        _ => None,
    }
}
