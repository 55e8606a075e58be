//! `kubectl describe service`

use super::events::Events;
use super::page::{Page, int_or_text, items, number, text};
use super::{list, tell};
use crate::context::Context;
use crate::failure::Result;
use crate::printers::table::format_labels;
use serde_json::Value;

/// Endpoints that are shown; of the others, how many there are.
const ENDPOINTS_MAX: usize = 3;

pub(super) fn describe(
    cx: &mut Context<'_>,
    page: &mut Page,
    service: &Value,
    events: Option<&Events>,
) -> Result<()> {
    let spec = &service["spec"];
    let (name, namespace) =
        (text(&service["metadata"]["name"]), text(&service["metadata"]["namespace"]));
    let selector = format!("kubernetes.io/service-name={name}");
    let slices: Vec<Value> = list(cx, "endpointslices.discovery.k8s.io", namespace, &selector)?
        .iter()
        .map(|slice| slice.content_json().unwrap_or_default())
        .collect();
    page.head(service);
    let labels = serde_json::from_value(spec["selector"].clone()).ok();
    page.field(0, "Selector", format_labels(labels.as_ref()));
    page.field(0, "Type", text(&spec["type"]));
    page.field_if(0, "IP Family Policy", &spec["ipFamilyPolicy"]);
    page.field(0, "IP Families", joined_or_none(&spec["ipFamilies"]));
    page.field(0, "IP", text(&spec["clusterIP"]));
    page.field(0, "IPs", joined_or_none(&spec["clusterIPs"]));
    if !items(&spec["externalIPs"]).is_empty() {
        page.field(0, "External IPs", joined_or_none(&spec["externalIPs"]));
    }
    page.field_if(0, "Desired LoadBalancer IP", &spec["loadBalancerIP"]);
    page.field_if(0, "External Name", &spec["externalName"]);
    let ingress = items(&service["status"]["loadBalancer"]["ingress"]);
    if !ingress.is_empty() {
        page.field(0, "LoadBalancer Ingress", load_balancer(ingress));
    }
    for port in items(&spec["ports"]) {
        describe_port(page, port, &slices);
    }
    page.field(0, "Session Affinity", text(&spec["sessionAffinity"]));
    page.field_if(0, "External Traffic Policy", &spec["externalTrafficPolicy"]);
    page.field_if(0, "Internal Traffic Policy", &spec["internalTrafficPolicy"]);
    if number(&spec["healthCheckNodePort"]) != 0 {
        page.field(0, "HealthCheck NodePort", number(&spec["healthCheckNodePort"]));
    }
    if !items(&spec["loadBalancerSourceRanges"]).is_empty() {
        let ranges = joined_or_none(&spec["loadBalancerSourceRanges"]);
        page.field(0, "LoadBalancer Source Ranges", ranges);
    }
    tell(page, events);
    Ok(())
}

fn describe_port(page: &mut Page, port: &Value, slices: &[Value]) {
    let protocol = text(&port["protocol"]);
    let name = match text(&port["name"]) {
        "" => "<unset>",
        name => name,
    };
    page.field(0, "Port", format!("{name}\t{}/{protocol}", number(&port["port"])));
    page.field(0, "TargetPort", format!("{}/{protocol}", int_or_text(&port["targetPort"])));
    if number(&port["nodePort"]) != 0 {
        page.field(0, "NodePort", format!("{name}\t{}/{protocol}", number(&port["nodePort"])));
    }
    page.field(0, "Endpoints", endpoints(slices, text(&port["name"])));
}

/// `10.244.1.2:8080,10.244.2.2:8080`: the ready ones of the port named `name`.
///
/// Upstream: `formatEndpointSlices`.
pub(super) fn endpoints(slices: &[Value], name: &str) -> String {
    if slices.is_empty() {
        return "<none>".to_owned();
    }
    let mut addresses = Vec::new();
    for slice in slices {
        let ready = items(&slice["endpoints"])
            .iter()
            .filter(|endpoint| endpoint["conditions"]["ready"] != false)
            .map(|endpoint| text(&endpoint["addresses"][0]));
        let ports = items(&slice["ports"]);
        if ports.is_empty() {
            addresses.extend(ready.map(str::to_owned));
            continue;
        }
        for port in ports.iter().filter(|port| text(&port["name"]) == name) {
            let port = number(&port["port"]);
            addresses.extend(ready.clone().map(|address| {
                if address.contains(':') {
                    format!("[{address}]:{port}")
                } else {
                    format!("{address}:{port}")
                }
            }));
        }
    }
    let more = addresses.len().saturating_sub(ENDPOINTS_MAX);
    addresses.truncate(ENDPOINTS_MAX);
    let shown = addresses.join(",");
    if more > 0 { format!("{shown} + {more} more...") } else { shown }
}

fn joined_or_none(list: &Value) -> String {
    let texts: Vec<&str> = items(list).iter().map(text).collect();
    if texts.is_empty() { "<none>".to_owned() } else { texts.join(",") }
}

fn load_balancer(ingress: &[Value]) -> String {
    let texts: Vec<String> = ingress
        .iter()
        .map(|ingress| match (text(&ingress["ip"]), ingress["ipMode"].as_str()) {
            ("", _) => text(&ingress["hostname"]).to_owned(),
            (ip, Some(mode)) => format!("{ip} ({mode})"),
            (ip, None) => ip.to_owned(),
        })
        .collect();
    texts.join(", ")
}
