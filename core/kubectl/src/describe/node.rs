//! `kubectl describe node`

use super::events::{self, Events};
use super::page::{Page, date, items, pairs, text};
use super::{served, tell};
use crate::context::Context;
use crate::failure::Result;
use naru_api::quantity::Amount;
use naru_api::request::ListOptions;
use naru_api::wanted::Wanted;
use serde_json::Value;
use std::collections::BTreeMap;

const ROLE_PREFIX: &str = "node-role.kubernetes.io/";

pub(super) fn describe(
    cx: &mut Context<'_>,
    page: &mut Page,
    node: &Value,
    mut events: Option<Events>,
) -> Result<()> {
    let (metadata, spec, status) = (&node["metadata"], &node["spec"], &node["status"]);
    let name = text(&metadata["name"]);
    if let Some(events) = &mut events {
        // The kubelet's events name the node's name where others name its uid.
        events.extend(events::search_by(cx, "Node", name, "", name)?);
    }
    page.field(0, "Name", name);
    page.field(0, "Roles", roles(&metadata["labels"]));
    page.labels("Labels", &metadata["labels"]);
    page.annotations("Annotations", &metadata["annotations"]);
    page.field(0, "CreationTimestamp", date(&metadata["creationTimestamp"]));
    page.lines("Taints", &taints(&spec["taints"]));
    page.field(0, "Unschedulable", spec["unschedulable"] == true);
    lease(cx, page, name)?;
    conditions(page, status);
    page.line(0, "Addresses:");
    for address in items(&status["addresses"]) {
        page.field(1, text(&address["type"]), text(&address["address"]));
    }
    for (title, field) in [("Capacity", "capacity"), ("Allocatable", "allocatable")] {
        let mut quantities = pairs(&status[field]).peekable();
        if quantities.peek().is_some() {
            page.line(0, &format!("{title}:"));
        }
        for (resource, quantity) in quantities {
            page.field(1, resource, quantity);
        }
    }
    system_info(page, &status["nodeInfo"]);
    page.field_if(0, "PodCIDR", &spec["podCIDR"]);
    let ranges: Vec<&str> = items(&spec["podCIDRs"]).iter().map(text).collect();
    if !ranges.is_empty() {
        page.field(0, "PodCIDRs", ranges.join(","));
    }
    page.field_if(0, "ProviderID", &spec["providerID"]);
    pods(cx, page, node)?;
    tell(page, events.as_ref());
    Ok(())
}

fn roles(labels: &Value) -> String {
    let mut roles: Vec<&str> = pairs(labels)
        .filter_map(|(key, value)| match key.strip_prefix(ROLE_PREFIX) {
            None if key == "kubernetes.io/role" => Some(value),
            role => role,
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() { "<none>".to_owned() } else { roles.join(",") }
}

/// `node-role.kubernetes.io/control-plane:NoSchedule`
fn taints(taints: &Value) -> Vec<String> {
    let mut sorted: Vec<&Value> = items(taints).iter().collect();
    sorted.sort_by_key(|taint| format!("{},{}", text(&taint["effect"]), text(&taint["key"])));
    sorted
        .into_iter()
        .map(|taint| {
            let (key, effect) = (text(&taint["key"]), text(&taint["effect"]));
            match (text(&taint["value"]), effect) {
                ("", "") => key.to_owned(),
                ("", effect) => format!("{key}:{effect}"),
                (value, "") => format!("{key}={value}:"),
                (value, effect) => format!("{key}={value}:{effect}"),
            }
        })
        .collect()
}

fn lease(cx: &mut Context<'_>, page: &mut Page, name: &str) -> Result<()> {
    let Some(kind) = served(cx, "leases.coordination.k8s.io")? else { return Ok(()) };
    match cx.get(&kind, "kube-node-lease", name) {
        Ok(lease) => {
            let lease = lease.content_json().unwrap_or_default();
            let spec = &lease["spec"];
            let time = |field: &str| match &spec[field] {
                Value::Null => "<unset>".to_owned(),
                time => date(time),
            };
            page.line(0, "Lease:");
            let holder = spec["holderIdentity"].as_str().unwrap_or("<unset>");
            page.field(1, "HolderIdentity", holder);
            page.field(1, "AcquireTime", time("acquireTime"));
            page.field(1, "RenewTime", time("renewTime"));
        }
        Err(failure) => {
            page.field(0, "Lease", format!("Failed to get lease: {}", failure.bare()));
        }
    }
    Ok(())
}

fn conditions(page: &mut Page, status: &Value) {
    let conditions = items(&status["conditions"]);
    if conditions.is_empty() {
        return;
    }
    page.line(
        0,
        "Conditions:\n  Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage",
    );
    page.line(1, "----\t------\t-----------------\t------------------\t------\t-------");
    for condition in conditions {
        let cell = |field: &str| text(&condition[field]);
        let (seen, changed) =
            (date(&condition["lastHeartbeatTime"]), date(&condition["lastTransitionTime"]));
        let (kind, status) = (cell("type"), cell("status"));
        let (reason, message) = (cell("reason"), cell("message"));
        page.line(1, &format!("{kind} \t{status} \t{seen} \t{changed} \t{reason} \t{message}"));
    }
}

fn system_info(page: &mut Page, info: &Value) {
    page.line(0, "System Info:");
    for (title, field) in [
        ("Machine ID", "machineID"),
        ("System UUID", "systemUUID"),
        ("Boot ID", "bootID"),
        ("Kernel Version", "kernelVersion"),
        ("OS Image", "osImage"),
        ("Operating System", "operatingSystem"),
        ("Architecture", "architecture"),
        ("Container Runtime Version", "containerRuntimeVersion"),
        ("Kubelet Version", "kubeletVersion"),
        ("Kube-Proxy Version", "kubeProxyVersion"),
    ] {
        page.field(1, title, text(&info[field]));
    }
}

type Amounts = BTreeMap<String, Amount>;

/// Pods of the node, and how much of it they take.
///
/// Upstream: `describeNodeResource`.
fn pods(cx: &mut Context<'_>, page: &mut Page, node: &Value) -> Result<()> {
    let Some(kind) = served(cx, "pods")? else { return Ok(()) };
    let name = text(&node["metadata"]["name"]);
    let field_selector =
        format!("spec.nodeName={name},status.phase!=Succeeded,status.phase!=Failed");
    let options = ListOptions { field_selector, ..ListOptions::default() };
    let pods = cx.list(&kind, "", &options)?.items;
    let allocatable = match &node["status"]["allocatable"] {
        Value::Null => &node["status"]["capacity"],
        allocatable => allocatable,
    };
    let allocatable: Amounts = amounts(allocatable);
    page.field(0, "Non-terminated Pods", format!("({} in total)", pods.len()));
    page.line(
        1,
        "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge",
    );
    page.line(
        1,
        "---------\t----\t\t------------\t----------\t---------------\t-------------\t---",
    );
    let shown = Wanted::of_paths(&[
        "metadata.creationTimestamp",
        "spec.containers.resources",
        "spec.initContainers.resources",
        "spec.initContainers.restartPolicy",
        "spec.overhead",
    ]);
    let (mut requests, mut limits) = (Amounts::new(), Amounts::new());
    for pod in &pods {
        let json = pod.content_part(&shown).unwrap_or_default();
        let (request, limit) = (of_pod(&json["spec"], "requests"), of_pod(&json["spec"], "limits"));
        let share = |of: &Amounts, resource: &str| share(of, &allocatable, resource);
        let line = [
            pod.namespace(),
            pod.name(),
            "",
            &share(&request, "cpu"),
            &share(&limit, "cpu"),
            &share(&request, "memory"),
            &share(&limit, "memory"),
            &page.age(&json["metadata"]["creationTimestamp"]),
        ]
        .join("\t");
        page.line(1, &line);
        add(&mut requests, request);
        add(&mut limits, limit);
    }
    let note = "(Total limits may be over 100 percent, i.e., overcommitted.)";
    page.line(0, &format!("Allocated resources:\n  {note}"));
    page.line(1, "Resource\tRequests\tLimits");
    page.line(1, "--------\t--------\t------");
    let huge = allocatable.keys().filter(|name| name.starts_with("hugepages-")).map(String::as_str);
    for resource in ["cpu", "memory", "ephemeral-storage"].into_iter().chain(huge) {
        let (requests, limits) =
            (share(&requests, &allocatable, resource), share(&limits, &allocatable, resource));
        page.line(1, &format!("{resource}\t{requests}\t{limits}"));
    }
    for resource in allocatable.keys().filter(|name| name.contains('/')) {
        let of = |amounts: &Amounts| amounts.get(resource).copied().unwrap_or(Amount::ZERO);
        page.line(1, &format!("{resource}\t{}\t{}", of(&requests), of(&limits)));
    }
    Ok(())
}

fn amounts(quantities: &Value) -> Amounts {
    pairs(quantities)
        .map(|(name, quantity)| (name.to_owned(), quantity.parse().unwrap_or(Amount::ZERO)))
        .collect()
}

fn add(total: &mut Amounts, more: Amounts) {
    for (name, amount) in more {
        let sum = total.entry(name).or_insert(Amount::ZERO);
        *sum += amount;
    }
}

/// `100m (5%)`
fn share(of: &Amounts, allocatable: &Amounts, resource: &str) -> String {
    let amount = of.get(resource).copied().unwrap_or(Amount::ZERO);
    let whole = allocatable.get(resource).copied().unwrap_or(Amount::ZERO);
    let percent = match whole.milli_value() {
        0 => 0,
        whole => (amount.milli_value() as f64 / whole as f64 * 100.0) as i64,
    };
    format!("{amount} ({percent}%)")
}

/// What a pod asks for: its containers together, or the greediest of its init containers.
fn of_pod(spec: &Value, field: &str) -> Amounts {
    let mut total = Amounts::new();
    for container in items(&spec["containers"]) {
        add(&mut total, amounts(&container["resources"][field]));
    }
    let mut sidecars = Amounts::new();
    let mut greediest = Amounts::new();
    for container in items(&spec["initContainers"]) {
        let own = amounts(&container["resources"][field]);
        let mut needed = sidecars.clone();
        add(&mut needed, own.clone());
        if container["restartPolicy"] == "Always" {
            add(&mut total, own);
            sidecars.clone_from(&needed);
        }
        for (name, amount) in needed {
            let most = greediest.entry(name).or_insert(Amount::ZERO);
            *most = if *most < amount { amount } else { *most };
        }
    }
    for (name, amount) in greediest {
        let most = total.entry(name).or_insert(Amount::ZERO);
        *most = if *most < amount { amount } else { *most };
    }
    add(&mut total, amounts(&spec["overhead"]));
    total
}
