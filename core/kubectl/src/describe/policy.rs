//! `kubectl describe` of small kinds: pod disruption budgets, priority classes, service CIDRs, IP
//! addresses, certificate signing requests

use super::events::Events;
use super::page::{Page, date, int_or_text, items, number, text};
use super::{podtemplate, tell};
use crate::failure::{Failure, Result};
use crate::printers::table::format_labels;
use naru_pki::base64;
use serde_json::Value;
use std::time::Duration;

pub(super) fn describe_budget(page: &mut Page, budget: &Value, events: Option<&Events>) {
    let (metadata, spec, status) = (&budget["metadata"], &budget["spec"], &budget["status"]);
    page.field(0, "Name", text(&metadata["name"]));
    page.field(0, "Namespace", text(&metadata["namespace"]));
    if !spec["minAvailable"].is_null() {
        page.field(0, "Min available", int_or_text(&spec["minAvailable"]));
    } else if !spec["maxUnavailable"].is_null() {
        page.field(0, "Max unavailable", int_or_text(&spec["maxUnavailable"]));
    }
    let selector = match &spec["selector"] {
        Value::Null => "<unset>".to_owned(),
        selector => podtemplate::label_selector(selector),
    };
    page.field(0, "Selector", selector);
    page.line(0, "Status:");
    for (title, field) in [
        ("Allowed disruptions", "disruptionsAllowed"),
        ("Current", "currentHealthy"),
        ("Desired", "desiredHealthy"),
        ("Total", "expectedPods"),
    ] {
        page.field(2, title, number(&status[field]));
    }
    tell(page, events);
}

pub(super) fn describe_priority_class(page: &mut Page, class: &Value, events: Option<&Events>) {
    page.field(0, "Name", text(&class["metadata"]["name"]));
    page.field(0, "Value", number(&class["value"]));
    page.field(0, "GlobalDefault", class["globalDefault"] == true);
    page.field(0, "PreemptionPolicy", text(&class["preemptionPolicy"]));
    page.field(0, "Description", text(&class["description"]));
    page.field(0, "Annotations", map(&class["metadata"]["annotations"]));
    tell(page, events);
}

fn map(map: &Value) -> String {
    format_labels(serde_json::from_value(map.clone()).ok().as_ref())
}

fn cluster_head(page: &mut Page, object: &Value) {
    let metadata = &object["metadata"];
    page.field(0, "Name", text(&metadata["name"]));
    page.labels("Labels", &metadata["labels"]);
    page.annotations("Annotations", &metadata["annotations"]);
}

pub(super) fn describe_service_cidr(page: &mut Page, cidr: &Value, events: Option<&Events>) {
    cluster_head(page, cidr);
    let cidrs: Vec<&str> = items(&cidr["spec"]["cidrs"]).iter().map(text).collect();
    page.field(0, "CIDRs", cidrs.join(", "));
    let conditions = items(&cidr["status"]["conditions"]);
    if !conditions.is_empty() {
        page.line(0, "Status:\nConditions:");
        page.line(1, "Type\tStatus\tLastTransitionTime\tReason\tMessage");
        page.line(1, "----\t------\t------------------\t------\t-------");
    }
    for condition in conditions {
        let cells = [
            text(&condition["type"]),
            text(&condition["status"]),
            &date(&condition["lastTransitionTime"]),
            text(&condition["reason"]),
            text(&condition["message"]),
        ];
        page.line(1, &cells.join("\t"));
    }
    tell(page, events);
}

pub(super) fn describe_ip_address(page: &mut Page, address: &Value, events: Option<&Events>) {
    cluster_head(page, address);
    let parent = &address["spec"]["parentRef"];
    if parent.is_object() {
        page.line(0, "Parent Reference:");
        for (title, field) in [
            ("Group", "group"),
            ("Resource", "resource"),
            ("Namespace", "namespace"),
            ("Name", "name"),
        ] {
            page.field(1, title, text(&parent[field]));
        }
    }
    tell(page, events);
}

pub(super) fn describe_signing_request(
    page: &mut Page,
    request: &Value,
    events: Option<&Events>,
) -> Result<()> {
    let (metadata, spec) = (&request["metadata"], &request["spec"]);
    let pem = base64::decode(text(&spec["request"])).unwrap_or_default();
    let parsed = naru_pki::CertificateRequest::from_pem(&String::from_utf8_lossy(&pem))
        .map_err(|why| Failure::Message(format!("Error parsing CSR: {why}")))?;
    page.field(0, "Name", text(&metadata["name"]));
    page.field(0, "Labels", map(&metadata["labels"]));
    page.field(0, "Annotations", map(&metadata["annotations"]));
    page.field(0, "CreationTimestamp", date(&metadata["creationTimestamp"]));
    page.field(0, "Requesting User", text(&spec["username"]));
    page.field_if(0, "Signer", &spec["signerName"]);
    if let Some(seconds) = spec["expirationSeconds"].as_u64() {
        let duration = naru_api::duration::human(Duration::from_secs(seconds));
        page.field(0, "Requested Duration", duration);
    }
    page.field(0, "Status", status(&request["status"]));
    let subject = parsed.subject();
    page.line(0, "Subject:");
    page.line(0, &format!("\tCommon Name:\t{}", subject.common_name));
    page.line(0, "\tSerial Number:\t");
    several(page, "Organization", &subject.organizations);
    let ips: Vec<String> = parsed.ip_addresses().iter().map(ToString::to_string).collect();
    if !parsed.dns_names().is_empty() || !ips.is_empty() {
        page.line(0, "Subject Alternative Names:");
        several(page, "DNS Names", &parsed.dns_names());
        several(page, "IP Addresses", &ips);
    }
    tell(page, events);
    Ok(())
}

fn several(page: &mut Page, title: &str, values: &[String]) {
    if !values.is_empty() {
        page.line(0, &format!("\t{title}:\t{}", values.join("\n\t\t")));
    }
}

/// Upstream: `extractCSRStatus`.
fn status(status: &Value) -> String {
    let has = |name: &str| items(&status["conditions"]).iter().any(|c| c["type"] == name);
    let mut text = if has("Denied") {
        "Denied"
    } else if has("Approved") {
        "Approved"
    } else {
        "Pending"
    }
    .to_owned();
    if has("Failed") {
        text.push_str(",Failed");
    }
    if status["certificate"].as_str().is_some_and(|data| !data.is_empty()) {
        text.push_str(",Issued");
    }
    text
}
