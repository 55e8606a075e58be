//! `kubectl describe endpoints`

use super::events::Events;
use super::page::{Page, items, number, text};
use super::tell;
use serde_json::Value;

pub(super) fn describe(page: &mut Page, endpoints: &Value, events: Option<&Events>) {
    page.head(endpoints);
    page.line(0, "Subsets:");
    for subset in items(&endpoints["subsets"]) {
        for (title, field) in
            [("Addresses", "addresses"), ("NotReadyAddresses", "notReadyAddresses")]
        {
            let ips: Vec<&str> =
                items(&subset[field]).iter().map(|address| text(&address["ip"])).collect();
            let ips = if ips.is_empty() { "<none>".to_owned() } else { ips.join(",") };
            page.field(1, title, ips);
        }
        let ports = items(&subset["ports"]);
        if !ports.is_empty() {
            page.line(1, "Ports:");
            page.line(2, "Name\tPort\tProtocol");
            page.line(2, "----\t----\t--------");
        }
        for port in ports {
            let name = match text(&port["name"]) {
                "" => "<unset>",
                name => name,
            };
            let (number, protocol) = (number(&port["port"]), text(&port["protocol"]));
            page.line(2, &format!("{name}\t{number}\t{protocol}"));
        }
        page.line(0, "");
    }
    tell(page, events);
}
