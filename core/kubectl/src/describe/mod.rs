//! What `kubectl describe` writes, one file for each kind.
//!
//! Upstream: `k8s.io/kubectl/pkg/describe/describe.go`.

mod configmap;
mod containers;
mod daemonset;
pub mod deployment;
mod endpoints;
mod endpointslice;
pub mod events;
mod generic;
mod horizontalpodautoscaler;
mod ingress;
mod job;
mod limitrange;
mod namespace;
mod networkpolicy;
mod node;
pub mod page;
mod pod;
pub mod podtemplate;
mod policy;
mod rbac;
mod replicaset;
mod replicationcontroller;
mod resourcequota;
mod secret;
mod service;
mod serviceaccount;
mod statefulset;
mod storage;
mod volumes;

use crate::context::Context;
use crate::failure::Result;
use events::{Events, search};
use naru_api::wanted::Wanted;
use naru_api::{KindRef, Object};
use page::Page;
use serde_json::Value;

/// The description of an object.
pub fn describe(cx: &mut Context<'_>, object: &Object, show_events: bool) -> Result<String> {
    let kind = object.kind();
    let json = object.content_json().unwrap_or_default();
    let events = if show_events { Some(search(cx, &kind, object)?) } else { None };
    let mut page = Page::new(cx.now());
    match kind.group_kind().as_str() {
        "Pod" => pod::describe(&mut page, &json, events.as_ref()),
        "Service" => service::describe(cx, &mut page, &json, events.as_ref())?,
        "ReplicaSet.apps" => replicaset::describe(cx, &mut page, &json, events.as_ref())?,
        "ReplicationController" => {
            replicationcontroller::describe(cx, &mut page, &json, events.as_ref())?;
        }
        "StatefulSet.apps" => statefulset::describe(cx, &mut page, &json, events.as_ref())?,
        "Deployment.apps" => deployment::describe(cx, &mut page, &json, events.as_ref())?,
        "DaemonSet.apps" => daemonset::describe(cx, &mut page, &json, events.as_ref())?,
        "Node" => node::describe(cx, &mut page, &json, events)?,
        "Namespace" => namespace::describe(cx, &mut page, &json)?,
        "ConfigMap" => configmap::describe(&mut page, &json, events.as_ref()),
        "Secret" => secret::describe(&mut page, &json),
        "LimitRange" => limitrange::describe(&mut page, &json),
        "ResourceQuota" => resourcequota::describe(&mut page, &json),
        "ServiceAccount" => serviceaccount::describe(cx, &mut page, &json, events.as_ref())?,
        "PersistentVolume" => storage::describe_volume(&mut page, &json, events.as_ref()),
        "PersistentVolumeClaim" => {
            storage::describe_claim(cx, &mut page, &json, events.as_ref())?;
        }
        "StorageClass.storage.k8s.io" => {
            storage::describe_class(&mut page, &json, events.as_ref());
        }
        "CSINode.storage.k8s.io" => {
            storage::describe_csi_node(&mut page, &json, events.as_ref());
        }
        "Endpoints" => endpoints::describe(&mut page, &json, events.as_ref()),
        "EndpointSlice.discovery.k8s.io" => {
            endpointslice::describe(&mut page, &json, events.as_ref());
        }
        "Role.rbac.authorization.k8s.io" | "ClusterRole.rbac.authorization.k8s.io" => {
            rbac::describe_role(&mut page, &json);
        }
        "RoleBinding.rbac.authorization.k8s.io"
        | "ClusterRoleBinding.rbac.authorization.k8s.io" => {
            rbac::describe_binding(&mut page, &json);
        }
        "Job.batch" => job::describe(&mut page, &json, events.as_ref()),
        "CronJob.batch" => job::describe_cron(&mut page, &json, events.as_ref()),
        "HorizontalPodAutoscaler.autoscaling" => {
            horizontalpodautoscaler::describe(&mut page, &json, events.as_ref());
        }
        "Ingress.networking.k8s.io" => {
            ingress::describe(cx, &mut page, &json, events.as_ref())?;
        }
        "IngressClass.networking.k8s.io" => {
            ingress::describe_class(&mut page, &json, events.as_ref());
        }
        "NetworkPolicy.networking.k8s.io" => networkpolicy::describe(&mut page, &json),
        "ServiceCIDR.networking.k8s.io" => {
            policy::describe_service_cidr(&mut page, &json, events.as_ref());
        }
        "IPAddress.networking.k8s.io" => {
            policy::describe_ip_address(&mut page, &json, events.as_ref());
        }
        "PodDisruptionBudget.policy" => {
            policy::describe_budget(&mut page, &json, events.as_ref());
        }
        "PriorityClass.scheduling.k8s.io" => {
            policy::describe_priority_class(&mut page, &json, events.as_ref());
        }
        "CertificateSigningRequest.certificates.k8s.io" => {
            policy::describe_signing_request(&mut page, &json, events.as_ref())?;
        }
        _ => generic::describe(&mut page, &json, events.as_ref()),
    }
    Ok(page.finish())
}

/// Every object of a kind in a namespace; none where the kind is not served.
pub fn list(
    cx: &mut Context<'_>,
    kind: &str,
    namespace: &str,
    label_selector: &str,
) -> Result<Vec<Object>> {
    let Some(kind) = served(cx, kind)? else { return Ok(Vec::new()) };
    let options = naru_api::request::ListOptions {
        label_selector: label_selector.to_owned(),
        ..Default::default()
    };
    Ok(cx.list(&kind, namespace, &options)?.items)
}

fn served(cx: &mut Context<'_>, kind: &str) -> Result<Option<KindRef>> {
    Ok(crate::mapper::kind_for(&cx.kinds()?, kind).ok())
}

/// `ReplicaSet/web-7d4b`, of the owner that controls the object.
fn controller(object: &Value) -> Option<String> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    let owner = owners.iter().find(|owner| owner["controller"] == true)?;
    Some(format!("{}/{}", page::text(&owner["kind"]), page::text(&owner["name"])))
}

/// How many pods that `object` controls are running, waiting, succeeded, failed.
///
/// Upstream: `getPodStatusForController`.
fn pod_counts(cx: &mut Context<'_>, object: &Value) -> Result<String> {
    let namespace = page::text(&object["metadata"]["namespace"]);
    let selector = &object["spec"]["selector"];
    let selector = match object["kind"].as_str() {
        Some("ReplicationController") => crate::podsfor::map_text(selector),
        _ => crate::podsfor::label_selector_text(selector),
    };
    let uid = page::text(&object["metadata"]["uid"]);
    let pods = list(cx, "pods", namespace, &selector)?;
    let owned = pods.iter().filter(|pod| pod.controller().is_some_and(|owner| owner.uid == uid));
    let phase = Wanted::of_paths(&["status.phase"]);
    let (mut running, mut waiting, mut succeeded, mut failed) = (0, 0, 0, 0);
    for pod in owned {
        let json = pod.content_part(&phase).unwrap_or_default();
        match page::text(&json["status"]["phase"]) {
            "Running" => running += 1,
            "Pending" => waiting += 1,
            "Succeeded" => succeeded += 1,
            "Failed" => failed += 1,
            _ => {}
        }
    }
    Ok(format!("{running} Running / {waiting} Waiting / {succeeded} Succeeded / {failed} Failed"))
}

fn conditions_with_reason(page: &mut Page, object: &Value) {
    let conditions = page::items(&object["status"]["conditions"]);
    if conditions.is_empty() {
        return;
    }
    page.line(0, "Conditions:\n  Type\tStatus\tReason");
    page.line(1, "----\t------\t------");
    for condition in conditions {
        let cell = |name: &str| page::text(&condition[name]);
        page.line(1, &format!("{} \t{}\t{}", cell("type"), cell("status"), cell("reason")));
    }
}

fn tell(page: &mut Page, events: Option<&Events>) {
    if let Some(events) = events {
        events.write(page);
    }
}
