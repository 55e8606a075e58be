//! Nodes.
//!
//! Upstream: `pkg/registry/core/node/strategy.go`, `SetDefaults_NodeStatus`, `printNode`.

use super::cells;
use super::given;
use super::typed::{Typed, keep};
use crate::gofmt::{quote, quote_all};
use crate::ip::{self, Cidr};
use crate::podspec::defaults::canonical;
use crate::podspec::validation::{all_invalid, one_of};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, names, resourcenames};
use k8s_openapi::api::core::v1::{Node, NodeStatus, Taint};
use naru_sim::Time;
use std::collections::BTreeSet;

static KIND: Kind = Names::new("", "v1", "Node", "nodes", "node")
    .short(&["no"])
    .cluster_scoped()
    .subresources(&["proxy", "status"])
    .kind(&NodeStrategy);

impl Kube for Node {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct NodeStrategy;

impl Typed for NodeStrategy {
    type Object = Node;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Status"),
        Column::new("Roles"),
        Column::new("Age"),
        Column::new("Version"),
        Column::wide("Internal-IP"),
        Column::wide("External-IP"),
        Column::wide("OS-Image"),
        Column::wide("Kernel-Version"),
        Column::wide("Container-Runtime"),
    ];

    const FIELDS: &'static [&'static str] = &["spec.unschedulable"];

    fn default(&self, node: &mut Node) {
        let spec = node.spec.get_or_insert_default();
        if let Some(range) = spec.pod_cidr.clone().filter(|range| !range.is_empty()) {
            let first = spec.pod_cidrs.as_ref().and_then(|ranges| ranges.first());
            if first != Some(&range) {
                spec.pod_cidrs = Some(vec![range]);
            }
        } else {
            spec.pod_cidr = spec.pod_cidrs.as_ref().and_then(|ranges| ranges.first().cloned());
        }
        if let Some(status) = &mut node.status {
            canonical(&mut status.capacity);
            canonical(&mut status.allocatable);
            if status.allocatable.is_none() {
                status.allocatable = status.capacity.clone();
            }
        }
    }

    fn prepare_for_update(&self, new: &mut Node, old: &Node, subresource: &str) {
        if subresource == "status" {
            keep(&mut new.spec, &old.spec);
        } else {
            keep(&mut new.status, &old.status);
        }
    }

    fn validate(&self, node: &Node) -> Vec<FieldError> {
        let spec = given(node.spec.as_ref());
        let mut errors = Vec::new();
        let metadata = Path::new("metadata");
        // Taints are in the metadata of these messages only.
        let taints = spec.taints.as_deref().unwrap_or_default();
        validate_taints(taints, &metadata.child("taints"), &mut errors);
        validate_resources(node, &mut errors);
        validate_ranges(spec.pod_cidrs.as_deref().unwrap_or_default(), &mut errors);
        errors
    }

    fn validate_update(&self, new: &Node, old: &Node, _: &str) -> Vec<FieldError> {
        let mut errors = Typed::validate(self, new);
        let status = given(new.status.as_ref());
        let mut seen = BTreeSet::new();
        for (index, address) in status.addresses.iter().flatten().enumerate() {
            if !seen.insert((&address.type_, &address.address)) {
                let value = format!(
                    "core.NodeAddress{{Type:{}, Address:{}}}",
                    quote(&address.type_),
                    quote(&address.address)
                );
                let field = format!("status.addresses[{index}]");
                errors.push(FieldError::duplicate_raw(field, value));
            }
        }
        errors.extend(validate_spec_change(new, old));
        errors
    }

    fn warnings(&self, node: &Node, _: Option<&Node>) -> Vec<String> {
        let spec = given(node.spec.as_ref());
        let mut warnings = Vec::new();
        if spec.config_source.is_some() {
            warnings.push("spec.configSource: the feature is removed".to_owned());
        }
        if spec.external_id.as_ref().is_some_and(|id| !id.is_empty()) {
            let text = "spec.externalID: this field is deprecated, and is unused by Kubernetes";
            warnings.push(text.to_owned());
        }
        let path = Path::new("spec");
        let list = path.child("podCIDRs");
        for (index, range) in spec.pod_cidrs.iter().flatten().enumerate() {
            warnings.extend(ip::cidr_warnings(range, &list.index(index)));
        }
        warnings
    }

    fn cells(&self, node: &Node, now: Time) -> Vec<Cell> {
        let status = given(node.status.as_ref());
        let info = given(status.node_info.as_ref());
        let unknown = |text: &str| match text {
            "" => Cell::from("<unknown>"),
            text => Cell::from(text),
        };
        vec![
            cells::name(&node.metadata),
            status_text(node).into(),
            cells::or_none(Some(&roles(node))),
            cells::age(&node.metadata, now),
            info.kubelet_version.as_str().into(),
            cells::or_none(address(&status, "InternalIP")),
            cells::or_none(address(&status, "ExternalIP")),
            unknown(&info.os_image),
            unknown(&info.kernel_version),
            unknown(&info.container_runtime_version),
        ]
    }

    fn field(&self, node: &Node, path: &str) -> Option<String> {
        let unschedulable = node.spec.as_ref().and_then(|spec| spec.unschedulable);
        (path == "spec.unschedulable").then(|| unschedulable.unwrap_or(false).to_string())
    }
}

fn validate_taints(taints: &[Taint], list: &Path<'_>, errors: &mut Vec<FieldError>) {
    const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];
    let mut seen = BTreeSet::new();
    for (index, taint) in taints.iter().enumerate() {
        let item = list.index(index);
        all_invalid(names::qualified_name(&taint.key), &taint.key, &item.child("key"), errors);
        let value = taint.value.as_deref().unwrap_or_default();
        let problems = names::label_value(value);
        if !problems.is_empty() {
            errors.push(FieldError::invalid(item.child("value"), value, &problems.join(";")));
        }
        one_of(Some(&taint.effect), EFFECTS, &item.child("effect"), errors);
        if !seen.insert((&taint.effect, &taint.key)) {
            let value = format!(
                "core.Taint{{Key:{}, Value:{}, Effect:{}, TimeAdded:<nil>}}",
                quote(&taint.key),
                quote(value),
                quote(&taint.effect)
            );
            let detail = "taints must be unique by key and effect pair";
            errors.push(FieldError::duplicate_raw(item, format!("{value}: {detail}")));
        }
    }
}

fn validate_resources(node: &Node, errors: &mut Vec<FieldError>) {
    let Some(status) = &node.status else { return };
    let path = Path::new("status");
    for (field, list) in [("capacity", &status.capacity), ("allocatable", &status.allocatable)] {
        let field = path.child(field);
        for (name, quantity) in list.iter().flatten() {
            errors.extend(resourcenames::validate_amount(name, quantity, &field.child(name)));
        }
    }
}

fn validate_ranges(ranges: &[String], errors: &mut Vec<FieldError>) {
    let path = Path::new("spec");
    let list = path.child("podCIDRs");
    for (index, range) in ranges.iter().enumerate() {
        errors.extend(ip::validate_cidr_lenient(range, &list.index(index)));
    }
    let family = |range: &String| Cidr::parse(range).map(|range| range.ip.to_canonical().is_ipv6());
    let dual = matches!(ranges, [one, two] if family(one) != family(two));
    if ranges.len() > 1 && !dual {
        let value = format!("[]string{{{}}}", quote_all(ranges));
        let detail = "may specify no more than one CIDR for each IP family";
        errors.push(FieldError::invalid_raw(list, value, detail));
    }
}

/// What a node was given stays.
fn validate_spec_change(new: &Node, old: &Node) -> Vec<FieldError> {
    let (is, was) = (given(new.spec.as_ref()), given(old.spec.as_ref()));
    let changed = |is: Option<&String>, was: Option<&String>| {
        was.is_some_and(|was| !was.is_empty()) && is != was
    };
    let mut errors = Vec::new();
    let ranges = was.pod_cidrs.as_ref().filter(|ranges| !ranges.is_empty());
    if ranges.is_some() && is.pod_cidrs.as_ref() != ranges {
        let detail = "node updates may not change podCIDR except from \"\" to valid";
        errors.push(FieldError::forbidden("spec.podCIDRs", detail));
    }
    if changed(is.provider_id.as_ref(), was.provider_id.as_ref()) {
        let detail = "node updates may not change providerID except from \"\" to valid";
        errors.push(FieldError::forbidden("spec.providerID", detail));
    }
    if is.external_id != was.external_id {
        errors.push(FieldError::forbidden("spec.externalID", "may not be updated"));
    }
    errors
}

/// `Ready`, `NotReady,SchedulingDisabled`, `Unknown`.
fn status_text(node: &Node) -> String {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref());
    let ready = conditions.unwrap_or_default().iter().find(|found| found.type_ == "Ready");
    let mut text = match ready {
        Some(ready) if ready.status == "True" => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if node.spec.as_ref().is_some_and(|spec| spec.unschedulable == Some(true)) {
        text.push_str(",SchedulingDisabled");
    }
    text
}

/// The roles that labels give a node: `control-plane,worker`.
fn roles(node: &Node) -> String {
    let labels = node.metadata.labels.iter().flatten();
    let roles = labels.filter_map(|(key, value)| match key.as_str() {
        "kubernetes.io/role" => Some(value.as_str()),
        key => key.strip_prefix("node-role.kubernetes.io/"),
    });
    let roles: BTreeSet<&str> = roles.filter(|role| !role.is_empty()).collect();
    Vec::from_iter(roles).join(",")
}

fn address<'a>(status: &'a NodeStatus, type_: &str) -> Option<&'a str> {
    let addresses = status.addresses.as_ref()?;
    addresses.iter().find(|address| address.type_ == type_).map(|found| found.address.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows() {
        let node = serde_json::from_value(json!({
            "metadata": {"name": "a", "labels": {"node-role.kubernetes.io/control-plane": ""}},
            "spec": {"unschedulable": true},
            "status": {"conditions": [{"type": "Ready", "status": "True"}],
                "addresses": [{"type": "InternalIP", "address": "172.18.0.2"}]},
        }))
        .unwrap();
        let cells = NodeStrategy.cells(&node, Time::ZERO);
        assert_eq!(cells.len(), NodeStrategy::COLUMNS.len());
        assert_eq!(cells[1], Cell::from("Ready,SchedulingDisabled"));
        assert_eq!(cells[2], Cell::from("control-plane"));
        assert_eq!(cells[5], Cell::from("172.18.0.2"));
        assert_eq!(cells[6], Cell::from("<none>"));
        assert_eq!(cells[7], Cell::from("<unknown>"));
        let cells = NodeStrategy.cells(&Node::default(), Time::ZERO);
        assert_eq!(cells[1..3], [Cell::from("Unknown"), Cell::from("<none>")]);
    }
}
