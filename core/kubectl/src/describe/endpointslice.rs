//! `kubectl describe endpointslice`

use super::events::Events;
use super::page::{Page, items, text};
use super::tell;
use serde_json::Value;

pub(super) fn describe(page: &mut Page, slice: &Value, events: Option<&Events>) {
    page.head(slice);
    page.field(0, "AddressType", text(&slice["addressType"]));
    let ports = items(&slice["ports"]);
    if ports.is_empty() {
        page.line(0, "Ports: <unset>");
    } else {
        page.line(0, "Ports:");
        page.line(1, "Name\tPort\tProtocol");
        page.line(1, "----\t----\t--------");
    }
    for port in ports {
        let number = port["port"].as_i64().map_or_else(|| "<unset>".to_owned(), |p| p.to_string());
        let line = [or_unset(&port["name"]), &number, text(&port["protocol"])].join("\t");
        page.line(1, &line);
    }
    let endpoints = items(&slice["endpoints"]);
    page.line(0, if endpoints.is_empty() { "Endpoints: <none>" } else { "Endpoints:" });
    for endpoint in endpoints {
        let addresses: Vec<&str> = items(&endpoint["addresses"]).iter().map(text).collect();
        let addresses =
            if addresses.is_empty() { "<none>".to_owned() } else { addresses.join(", ") };
        page.field(1, "- Addresses", addresses);
        page.line(2, "Conditions:");
        let ready = endpoint["conditions"]["ready"].as_bool();
        page.field(3, "Ready", ready.map_or_else(|| "<unset>".to_owned(), |r| r.to_string()));
        page.field(2, "Hostname", or_unset(&endpoint["hostname"]));
        let target = &endpoint["targetRef"];
        if target.is_object() {
            let target = format!("{}/{}", text(&target["kind"]), text(&target["name"]));
            page.field(2, "TargetRef", target);
        }
        page.field(2, "NodeName", or_unset(&endpoint["nodeName"]));
        page.field(2, "Zone", or_unset(&endpoint["zone"]));
    }
    tell(page, events);
}

fn or_unset(value: &Value) -> &str {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or("<unset>")
}
