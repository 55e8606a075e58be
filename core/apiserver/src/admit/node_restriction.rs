//! `NodeRestriction`: a kubelet changes its own node and the pods on it, and nothing else.
//!
//! Upstream: `plugin/pkg/admission/noderestriction/admission.go`.

use super::service_account::{refers_to_config_maps, refers_to_secrets};
use super::{Admission, Operation};
use crate::keys;
use naru_api::k8s_openapi::api::authentication::v1::TokenRequest;
use naru_api::k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use naru_api::k8s_openapi::api::core::v1::{
    Node, PersistentVolumeClaim, PersistentVolumeClaimStatus, Pod,
};
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::labels::Labels;
use naru_api::{ApiError, Kube, Object, UserInfo, status::ApiResult};
use naru_pki::CertificateRequest;
use std::collections::BTreeSet;
use std::sync::Arc;

const MIRROR: &str = "kubernetes.io/config.mirror";
const LEASES: &str = "kube-node-lease";

/// The node that this user is the kubelet of.
///
/// Upstream: `pkg/auth/nodeidentifier/default.go`.
fn node_of(user: &UserInfo) -> Option<&str> {
    let name = user.name.strip_prefix("system:node:")?;
    user.groups.iter().any(|group| &**group == "system:nodes").then_some(name)
}

/// `object`: what is about to be written; `None` on a deletion.
pub(super) fn admit(admission: &Admission<'_>, object: Option<&Object>) -> ApiResult<()> {
    let Some(node) = node_of(admission.user) else { return Ok(()) };
    let refuse = |why: String| Err(admission.forbidden(why));
    if node.is_empty() {
        return refuse(format!("could not determine node from user \"{}\"", admission.user.name));
    }
    let kind = admission.kind;
    match (&*kind.group, &*kind.plural, admission.subresource) {
        ("", "pods", "") => pod(admission, node, object),
        ("", "pods", "status") => pod_status(admission, node, object),
        ("", "pods", "eviction") => match on(admission, node)? {
            true => Ok(()),
            false => {
                refuse(format!("node {node} can only evict pods with spec.nodeName set to itself"))
            }
        },
        ("", "pods", subresource) => refuse(format!(
            "unexpected pod subresource \"{subresource}\", only 'status' and 'eviction' are allowed"
        )),
        ("", "nodes", _) => its_node(admission, node, object),
        ("", "persistentvolumeclaims", "status") => claim_status(admission, node, object),
        ("", "persistentvolumeclaims", _) => refuse("may only update PVC status".to_owned()),
        ("", "serviceaccounts", "token") => token(admission, node, object),
        ("coordination.k8s.io", "leases", _) => {
            if admission.namespace != LEASES {
                let why = format!("can only access leases in the \"{LEASES}\" system namespace");
                return refuse(why);
            }
            own_name(admission, node, "node lease")
        }
        ("storage.k8s.io", "csinodes", _) => own_name(admission, node, "CSINode"),
        ("certificates.k8s.io", "certificatesigningrequests", "") => {
            certificate(admission, node, object)
        }
        _ => Ok(()),
    }
}

fn own_name(admission: &Admission<'_>, node: &str, what: &str) -> ApiResult<()> {
    match admission.name == node {
        true => Ok(()),
        false => Err(admission.forbidden(format!(
            "can only access {what} with the same name as the requesting node"
        ))),
    }
}

/// Whether the pod that the request is about is on this node.
fn on(admission: &Admission<'_>, node: &str) -> ApiResult<bool> {
    let pod = existing::<Pod>(admission, admission.namespace, admission.name)?;
    Ok(naru_api::pods::node_name(&pod) == node)
}

fn existing<K: Kube>(admission: &Admission<'_>, namespace: &str, name: &str) -> ApiResult<Arc<K>> {
    let found = admission.store.get(&keys::of_object(&K::kind(), namespace, name));
    found.and_then(|found| found.arc()).ok_or_else(|| ApiError::not_found(&K::kind(), name))
}

fn pod(admission: &Admission<'_>, node: &str, object: Option<&Object>) -> ApiResult<()> {
    let refuse = |why: String| Err(admission.forbidden(why));
    match (admission.operation, object.and_then(Object::get::<Pod>)) {
        (Operation::Create, Some(pod)) => match mirror_problem(admission, node, pod)? {
            Some(why) => refuse(why),
            None => Ok(()),
        },
        (Operation::Delete, _) => match on(admission, node)? {
            true => Ok(()),
            false => refuse(format!(
                "node \"{node}\" can only delete pods with spec.nodeName set to itself"
            )),
        },
        _ => refuse(format!(
            "unexpected operation \"UPDATE\", node \"{node}\" can only create and delete mirror pods"
        )),
    }
}

/// Why a node may not make this pod: it is no mirror of one that the node runs anyway.
fn mirror_problem(admission: &Admission<'_>, node: &str, pod: &Pod) -> ApiResult<Option<String>> {
    let only = |what: &str| Ok(Some(format!("node \"{node}\" can only create {what}")));
    let not = |what: &str| Ok(Some(format!("node \"{node}\" can not create pods that {what}")));
    let annotations = pod.metadata.annotations.as_ref();
    if !annotations.is_some_and(|all| all.contains_key(MIRROR)) {
        return Ok(Some(format!(
            "pod does not have \"{MIRROR}\" annotation, node \"{node}\" can only create mirror pods"
        )));
    }
    if naru_api::pods::node_name(pod) != node {
        return only("pods with spec.nodeName set to itself");
    }
    let owner = match pod.metadata.owner_references.as_deref().unwrap_or_default() {
        [] => return only("pods with an owner reference set to itself"),
        [owner] => owner,
        _ => return only("pods with a single owner reference set to itself"),
    };
    if owner.api_version != "v1" || owner.kind != "Node" || owner.name != node {
        return only("pods with an owner reference set to itself");
    }
    if owner.controller != Some(true) {
        return only("pods with a controller owner reference set to itself");
    }
    if owner.block_owner_deletion == Some(true) {
        let why = format!("node \"{node}\" must not set blockOwnerDeletion on an owner reference");
        return Ok(Some(why));
    }
    let uid = existing::<Node>(admission, "", node)?.metadata.uid.clone().unwrap_or_default();
    if owner.uid != uid {
        return Ok(Some(format!("node {node} UID mismatch: expected {} got {uid}", owner.uid)));
    }
    let Some(spec) = &pod.spec else { return Ok(None) };
    let claims = |volume: &naru_api::k8s_openapi::api::core::v1::Volume| {
        volume.persistent_volume_claim.is_some()
    };
    if !spec.service_account_name.as_deref().unwrap_or_default().is_empty() {
        not("reference a service account")
    } else if refers_to_secrets(spec) {
        not("reference secrets")
    } else if refers_to_config_maps(spec) {
        not("reference configmaps")
    } else if spec.volumes.iter().flatten().any(claims) {
        not("reference persistentvolumeclaims")
    } else if spec.resource_claims.as_ref().is_some_and(|claims| !claims.is_empty()) {
        not("reference resourceclaims")
    } else {
        Ok(None)
    }
}

fn pod_status(admission: &Admission<'_>, node: &str, object: Option<&Object>) -> ApiResult<()> {
    let Operation::Update(old) = admission.operation else { return Ok(()) };
    if old.get::<Pod>().map(naru_api::pods::node_name) != Some(node) {
        return Err(admission.forbidden(format!(
            "node \"{node}\" can only update pod status for pods with spec.nodeName set to itself"
        )));
    }
    let labels = object.map(|new| new.meta().labels.clone().unwrap_or_default());
    if labels.is_some_and(|labels| labels != old.meta().labels.clone().unwrap_or_default()) {
        let why = format!("node \"{node}\" cannot update labels through pod status");
        return Err(admission.forbidden(why));
    }
    Ok(())
}

fn its_node(admission: &Admission<'_>, node: &str, object: Option<&Object>) -> ApiResult<()> {
    let refuse = |why: String| Err(admission.forbidden(why));
    let name = admission.name;
    if name != node {
        return refuse(format!("node \"{node}\" is not allowed to modify node \"{name}\""));
    }
    let none = Labels::new();
    let new = object.and_then(Object::get::<Node>);
    match (admission.operation, new) {
        (Operation::Create, Some(new)) => {
            let labels = forbidden_labels(new.metadata.labels.as_ref().unwrap_or(&none), &none);
            if !labels.is_empty() {
                return refuse(format!(
                    "node \"{node}\" is not allowed to set the following labels: {labels}"
                ));
            }
        }
        (Operation::Update(old), Some(new)) => {
            let Some(old) = old.get::<Node>() else { return Ok(()) };
            let taints = |node: &Node| naru_api::scheduling::taints(node).to_vec();
            if taints(new) != taints(old) {
                return refuse(format!("node \"{node}\" is not allowed to modify taints"));
            }
            if new.metadata.owner_references != old.metadata.owner_references {
                return refuse(format!("node \"{node}\" is not allowed to modify ownerReferences"));
            }
            let labels = |meta: &ObjectMeta| meta.labels.clone().unwrap_or_default();
            let labels = forbidden_labels(&labels(&new.metadata), &labels(&old.metadata));
            if !labels.is_empty() {
                return refuse(format!("is not allowed to modify labels: {labels}"));
            }
        }
        _ => {}
    }
    Ok(())
}

/// The labels that differ and are not the kubelet's to set.
fn forbidden_labels(new: &Labels, old: &Labels) -> String {
    let keys: BTreeSet<&String> = new.keys().chain(old.keys()).collect();
    let changed = keys.into_iter().filter(|key| new.get(*key) != old.get(*key));
    let forbidden: Vec<&str> =
        changed.map(String::as_str).filter(|key| is_forbidden_label(key)).collect();
    forbidden.join(", ")
}

fn is_forbidden_label(key: &str) -> bool {
    let namespace = key.split_once('/').map_or("", |(namespace, _)| namespace);
    let within = |domain: &str| {
        namespace.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    within("node-restriction.kubernetes.io")
        || (within("kubernetes.io") || within("k8s.io")) && !is_kubelet_label(key, &within)
}

/// Upstream: `kubelet/pkg/apis/well_known_labels.go`.
fn is_kubelet_label(key: &str, within: &impl Fn(&str) -> bool) -> bool {
    const LABELS: [&str; 12] = [
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/instance-type",
        "beta.kubernetes.io/os",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "kubernetes.io/arch",
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "node.kubernetes.io/instance-type",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "node.kubernetes.io/windows-build",
    ];
    LABELS.contains(&key) || within("kubelet.kubernetes.io") || within("node.kubernetes.io")
}

fn claim_status(admission: &Admission<'_>, node: &str, object: Option<&Object>) -> ApiResult<()> {
    let Operation::Update(old) = admission.operation else { return Ok(()) };
    let rest = |object: &Object| {
        let mut claim = object.get::<PersistentVolumeClaim>()?.clone();
        claim.metadata.resource_version = None;
        claim.metadata.managed_fields = None;
        let status = claim.status.take().unwrap_or_default();
        claim.status = Some(PersistentVolumeClaimStatus {
            capacity: None,
            conditions: None,
            allocated_resources: None,
            allocated_resource_statuses: None,
            ..status
        });
        Some(claim)
    };
    if object.and_then(rest) == rest(old) {
        return Ok(());
    }
    Err(admission.forbidden(format!(
        "node \"{node}\" is not allowed to update fields other than status.quantity and \
         status.conditions"
    )))
}

/// A token for a pod on this node, and bound to it.
fn token(admission: &Admission<'_>, node: &str, object: Option<&Object>) -> ApiResult<()> {
    let Some(request) = object.and_then(Object::get::<TokenRequest>) else { return Ok(()) };
    let refuse = |why: &str| Err(admission.forbidden(why));
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let bound = request.spec.bound_object_ref.clone().unwrap_or_default();
    let name = text(&bound.name);
    if text(&bound.api_version) != "v1" || text(&bound.kind) != "Pod" || name.is_empty() {
        return refuse("node requested token not bound to a pod");
    }
    let uid = text(&bound.uid);
    if uid.is_empty() {
        return refuse("node requested token with a pod binding without a uid");
    }
    let pod = existing::<Pod>(admission, admission.namespace, &name)?;
    if pod.metadata.uid.as_deref() != Some(&*uid) {
        return refuse(&format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The \
             object might have been deleted and then recreated"
        ));
    }
    if naru_api::pods::node_name(&pod) != node {
        return refuse("node requested token bound to a pod scheduled on a different node");
    }
    let wanted = match request.spec.audiences.as_slice() {
        [] => "",
        [one] => one,
        _ => return refuse("node may only request 0 or 1 audiences"),
    };
    if mounts_audience(&pod, wanted) {
        return Ok(());
    }
    refuse(&format!(
        "audience \"{wanted}\" not found in pod spec volume, {} is not authorized to request tokens \
         for this audience",
        admission.user.name
    ))
}

fn mounts_audience(pod: &Pod, wanted: &str) -> bool {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let projected = volumes.filter_map(|volume| volume.projected.as_ref());
    let sources = projected.flat_map(|projected| projected.sources.iter().flatten());
    let mut tokens = sources.filter_map(|source| source.service_account_token.as_ref());
    tokens.any(|token| token.audience.as_deref().unwrap_or_default() == wanted)
}

fn certificate(admission: &Admission<'_>, node: &str, object: Option<&Object>) -> ApiResult<()> {
    let csr = object.and_then(Object::get::<CertificateSigningRequest>);
    let Some(csr) = csr.filter(|_| admission.creates()) else { return Ok(()) };
    let signers = ["kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet"];
    if !signers.contains(&csr.spec.signer_name.as_str()) {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&csr.spec.request.0);
    let request = CertificateRequest::from_pem(&text)
        .map_err(|error| admission.forbidden(format!("unable to parse csr: {error}")))?;
    match request.subject().common_name == format!("system:node:{node}") {
        true => Ok(()),
        false => {
            Err(admission
                .forbidden(format!("can only create a node CSR with CN=system:node:{node}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_a_kubelet_may_not_set() {
        let table = [
            ("app", false),
            ("example.com/a", false),
            ("kubernetes.io/hostname", false),
            ("node.kubernetes.io/anything", false),
            ("a.kubelet.kubernetes.io/b", false),
            ("node-role.kubernetes.io/control-plane", true),
            ("kubernetes.io/other", true),
            ("x.k8s.io/y", true),
            ("notkubernetes.io/y", false),
            ("node-restriction.kubernetes.io/team", true),
            ("a.node-restriction.kubernetes.io/team", true),
        ];
        for (label, forbidden) in table {
            assert_eq!(is_forbidden_label(label), forbidden, "{label}");
        }
    }
}
