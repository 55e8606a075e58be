//! Mirror pods: how static pods are seen in the API.
//!
//! Upstream: `pkg/kubelet/pod/mirror_client.go`, `pkg/kubelet/types/pod_update.go`.

use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use naru_api::Object;
use naru_api::time::micro_time;
use naru_sim::Time;

const MIRROR: &str = "kubernetes.io/config.mirror";
/// The hash of the manifest, which is the static pod's uid on its node.
pub const HASH: &str = "kubernetes.io/config.hash";
const SEEN: &str = "kubernetes.io/config.seen";
const SOURCE: &str = "kubernetes.io/config.source";

/// Whether the pod of these metadata only mirrors one that the kubelet has from a file.
pub fn is_mirror(meta: &ObjectMeta) -> bool {
    annotation(meta, MIRROR).is_some()
}

/// The uid by which the kubelet knows a pod: of a mirror pod the static pod's.
pub fn worker_uid(object: &Object) -> &str {
    annotation(object.meta(), MIRROR).unwrap_or_else(|| object.uid())
}

/// The hash of a static pod's manifest.
pub fn hash_of(pod: &Pod) -> &str {
    annotation(&pod.metadata, HASH).unwrap_or_default()
}

fn annotation<'a>(meta: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(name).map(String::as_str)
}

/// The mirror of a static pod.
pub fn mirror_pod(pod: &Pod, node: Option<&Node>, now: Time) -> Pod {
    let mut mirror = pod.clone();
    let annotations = mirror.metadata.annotations.get_or_insert_default();
    let hash = annotations.get(HASH).cloned().unwrap_or_default();
    annotations.insert(MIRROR.to_owned(), hash);
    annotations.insert(SEEN.to_owned(), micro_time(now).0.to_string());
    annotations.insert(SOURCE.to_owned(), "file".to_owned());
    let uid = node.and_then(|node| node.metadata.uid.clone());
    let name = node.and_then(|node| node.metadata.name.clone());
    if let (Some(uid), Some(name)) = (uid, name) {
        mirror.metadata.owner_references = Some(vec![OwnerReference {
            api_version: "v1".to_owned(),
            kind: "Node".to_owned(),
            name,
            uid,
            controller: Some(true),
            ..OwnerReference::default()
        }]);
    }
    mirror
}
