//! `kubectl describe ingress` and `ingressclass`

use super::events::Events;
use super::page::{Page, items, number, text};
use super::{list, service, tell};
use crate::context::Context;
use crate::failure::Result;
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) fn describe(
    cx: &mut Context<'_>,
    page: &mut Page,
    ingress: &Value,
    events: Option<&Events>,
) -> Result<()> {
    let (metadata, spec) = (&ingress["metadata"], &ingress["spec"]);
    let namespace = text(&metadata["namespace"]);
    page.field(0, "Name", text(&metadata["name"]));
    page.labels("Labels", &metadata["labels"]);
    page.field(0, "Namespace", namespace);
    page.field(0, "Address", addresses(&ingress["status"]["loadBalancer"]["ingress"]));
    page.field(0, "Ingress Class", spec["ingressClassName"].as_str().unwrap_or("<none>"));
    let default = match &spec["defaultBackend"] {
        Value::Null => "<default>".to_owned(),
        default => backend(cx, namespace, default)?,
    };
    page.field(0, "Default backend", &default);
    tls(page, items(&spec["tls"]));
    page.line(0, "Rules:\n  Host\tPath\tBackends");
    page.line(1, "----\t----\t--------");
    let mut none = true;
    for rule in items(&spec["rules"]).iter().filter(|rule| rule["http"].is_object()) {
        none = false;
        let host = match text(&rule["host"]) {
            "" => "*",
            host => host,
        };
        page.line(1, &format!("{host}\t"));
        for path in items(&rule["http"]["paths"]) {
            let backend = backend(cx, namespace, &path["backend"])?;
            page.line(2, &format!("\t{} \t{backend}", text(&path["path"])));
        }
    }
    if none {
        page.line(1, &format!("*\t*\t{default}"));
    }
    page.annotations("Annotations", &metadata["annotations"]);
    tell(page, events);
    Ok(())
}

fn addresses(ingress: &Value) -> String {
    let address = |one: &Value| match text(&one["ip"]) {
        "" => text(&one["hostname"]).to_owned(),
        ip => ip.to_owned(),
    };
    let sorted: BTreeSet<String> =
        items(ingress).iter().map(address).filter(|address| !address.is_empty()).collect();
    sorted.into_iter().collect::<Vec<_>>().join(",")
}

fn tls(page: &mut Page, entries: &[Value]) {
    if entries.is_empty() {
        return;
    }
    page.line(0, "TLS:");
    for entry in entries {
        let hosts: Vec<&str> = items(&entry["hosts"]).iter().map(text).collect();
        let hosts = hosts.join(",");
        match text(&entry["secretName"]) {
            "" => page.line(1, &format!("SNI routes {hosts}")),
            secret => page.line(1, &format!("{secret} terminates {hosts}")),
        }
    }
}

/// `web:80 (10.244.1.2:8080)`
///
/// Upstream: `describeBackendV1`.
fn backend(cx: &mut Context<'_>, namespace: &str, backend: &Value) -> Result<String> {
    let resource = &backend["resource"];
    if resource.is_object() {
        let group = resource["apiGroup"].as_str().unwrap_or("<none>");
        let (kind, name) = (text(&resource["kind"]), text(&resource["name"]));
        return Ok(format!("APIGroup: {group}, Kind: {kind}, Name: {name}"));
    }
    let of = &backend["service"];
    if !of.is_object() {
        return Ok(String::new());
    }
    let (name, port) = (text(&of["name"]), &of["port"]);
    let shown = match number(&port["number"]) {
        0 => format!("{name}:{}", text(&port["name"])),
        number => format!("{name}:{number}"),
    };
    let selector = format!("kubernetes.io/service-name={name}");
    let slices: Vec<Value> = list(cx, "endpointslices.discovery.k8s.io", namespace, &selector)?
        .iter()
        .map(|slice| slice.content_json().unwrap_or_default())
        .collect();
    let services = crate::mapper::kind_for(&cx.kinds()?, "services")?;
    let service = match cx.get(&services, namespace, name) {
        Ok(service) => service.content_json().unwrap_or_default(),
        Err(failure) => return Ok(format!("{shown} (<error: {}>)", failure.bare())),
    };
    let ports = items(&service["spec"]["ports"]);
    let matches = |of_service: &&Value| match number(&port["number"]) {
        0 => !text(&port["name"]).is_empty() && of_service["name"] == port["name"],
        number => of_service["port"] == number,
    };
    let port_name = ports.iter().rev().find(matches).map_or("", |port| text(&port["name"]));
    Ok(format!("{shown} ({})", service::endpoints(&slices, port_name)))
}

pub(super) fn describe_class(page: &mut Page, class: &Value, events: Option<&Events>) {
    let (metadata, spec) = (&class["metadata"], &class["spec"]);
    page.field(0, "Name", text(&metadata["name"]));
    page.labels("Labels", &metadata["labels"]);
    page.annotations("Annotations", &metadata["annotations"]);
    page.field(0, "Controller", text(&spec["controller"]));
    let parameters = &spec["parameters"];
    if parameters.is_object() {
        page.line(0, "Parameters:");
        page.field_if(1, "APIGroup", &parameters["apiGroup"]);
        page.field(1, "Kind", text(&parameters["kind"]));
        page.field(1, "Name", text(&parameters["name"]));
    }
    tell(page, events);
}
