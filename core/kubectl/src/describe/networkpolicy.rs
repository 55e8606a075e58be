//! `kubectl describe networkpolicy`

use super::page::{Page, int_or_text, items, number, parse_time, text};
use super::podtemplate::label_selector;
use serde_json::Value;

const INDENT: &str = "    ";

pub(super) fn describe(page: &mut Page, policy: &Value) {
    let (metadata, spec) = (&policy["metadata"], &policy["spec"]);
    page.field(0, "Name", text(&metadata["name"]));
    page.field(0, "Namespace", text(&metadata["namespace"]));
    page.field(0, "Created on", created(&metadata["creationTimestamp"]));
    page.labels("Labels", &metadata["labels"]);
    page.annotations("Annotations", &metadata["annotations"]);
    page.line(0, "Spec:");
    let selector = match label_selector(&spec["podSelector"]) {
        none if none == "<none>" => {
            "<none> (Allowing the specific traffic to all pods in this namespace)".to_owned()
        }
        selector => selector,
    };
    page.line(1, &format!("PodSelector:     {selector}"));
    let types: Vec<&str> = items(&spec["policyTypes"]).iter().map(text).collect();
    for (kind, word, list, peers, peer) in [
        ("Ingress", "ingress", "ingress", "from", "From"),
        ("Egress", "egress", "egress", "to", "To"),
    ] {
        if types.contains(&kind) {
            page.line(1, &format!("Allowing {word} traffic:"));
            rules(page, items(&spec[list]), word, peers, peer);
        } else {
            page.line(1, &format!("Not affecting {word} traffic"));
        }
    }
    let types = if types.is_empty() { "<none>".to_owned() } else { types.join(", ") };
    page.line(1, &format!("Policy Types: {types}"));
}

/// `2025-06-02 00:00:00 +0000 UTC`, as Go prints a time.
fn created(time: &Value) -> String {
    match parse_time(time) {
        Some(time) => {
            naru_api::time::meta_time(time).0.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string()
        }
        None => "0001-01-01 00:00:00 +0000 UTC".to_owned(),
    }
}

fn rules(page: &mut Page, rules: &[Value], word: &str, peers: &str, peer: &str) {
    if rules.is_empty() {
        let text = format!("{INDENT}<none> (Selected pods are isolated for {word} connectivity)");
        page.line(0, &text);
    }
    let restricted = if peers == "from" { "source" } else { "destination" };
    for (index, rule) in rules.iter().enumerate() {
        ports(page, items(&rule["ports"]));
        if items(&rule[peers]).is_empty() {
            let text = format!("{INDENT}{peer}: <any> (traffic not restricted by {restricted})");
            page.line(0, &text);
        }
        for one in items(&rule[peers]) {
            page.line(0, &format!("{INDENT}{peer}:"));
            describe_peer(page, one);
        }
        if index + 1 < rules.len() {
            page.line(0, &format!("{INDENT}----------"));
        }
    }
}

fn ports(page: &mut Page, ports: &[Value]) {
    if ports.is_empty() {
        page.line(0, &format!("{INDENT}To Port: <any> (traffic allowed to all ports)"));
    }
    for port in ports {
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        let number_text = match &port["port"] {
            Value::Null => "<nil>".to_owned(),
            port => int_or_text(port),
        };
        match &port["endPort"] {
            Value::Null => page.line(0, &format!("{INDENT}To Port: {number_text}/{protocol}")),
            end => {
                let end = number(end);
                page.line(0, &format!("{INDENT}To Port Range: {number_text}-{end}/{protocol}"));
            }
        }
    }
}

fn describe_peer(page: &mut Page, peer: &Value) {
    let selectors = [("NamespaceSelector", "namespaceSelector"), ("PodSelector", "podSelector")];
    let mut selected = false;
    for (title, field) in selectors {
        if peer[field].is_object() {
            selected = true;
            page.line(1, &format!("{INDENT}{title}: {}", label_selector(&peer[field])));
        }
    }
    let block = &peer["ipBlock"];
    if !selected && block.is_object() {
        let except: Vec<&str> = items(&block["except"]).iter().map(text).collect();
        page.line(1, &format!("{INDENT}IPBlock:"));
        page.line(2, &format!("{INDENT}CIDR: {}", text(&block["cidr"])));
        page.line(2, &format!("{INDENT}Except: {}", except.join(", ")));
    }
}
