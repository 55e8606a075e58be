//! Questions that several components ask of claims, volumes and storage classes.
//!
//! Upstream: `staging/src/k8s.io/component-helpers/storage/volume`.

use crate::labels::Selector;
use crate::quantity::Amount;
use crate::scheduling::selector_matches;
use k8s_openapi::api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Named the storage class before `spec.storageClassName` did.
pub const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";
/// On a claim: it was bound once.
pub const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// On a claim or a volume: a controller bound it, and not a person.
pub const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
/// On a volume: who made it.
pub const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// On a claim: who is to make its volume.
pub const STORAGE_PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
/// The same by its older name.
pub const BETA_STORAGE_PROVISIONER: &str = "volume.beta.kubernetes.io/storage-provisioner";
/// On a claim: the node for which the scheduler wants a volume made.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// The provisioner of classes whose volumes people make.
pub const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// On a storage class: claims that name no class get it.
pub const DEFAULT_CLASS_MARKS: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];

/// The newest of the classes that bear one of the marks; among equals the first by name.
///
/// Upstream: `GetDefaultClass` in `pkg/volume/util/storageclass.go`.
pub fn newest_marked<'a>(
    classes: impl Iterator<Item = &'a ObjectMeta>,
    marks: &[&str],
) -> Option<String> {
    let is_marked =
        |meta: &&ObjectMeta| marks.iter().any(|mark| annotation(meta, mark) == Some("true"));
    let newest = classes
        .filter(is_marked)
        .min_by_key(|meta| (Reverse(meta.creation_timestamp.clone()), meta.name.clone()))?;
    newest.name.clone()
}

/// An annotation; `None` when it is not there.
pub fn annotation<'a>(meta: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(name).map(String::as_str)
}

/// The claim's storage class, or "". Upstream: `GetPersistentVolumeClaimClass`.
pub fn claim_class(claim: &PersistentVolumeClaim) -> &str {
    let named = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref());
    annotation(&claim.metadata, BETA_CLASS).or(named).unwrap_or_default()
}

/// The volume's storage class, or "". Upstream: `GetPersistentVolumeClass`.
pub fn volume_class(volume: &PersistentVolume) -> &str {
    let named = volume.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref());
    annotation(&volume.metadata, BETA_CLASS).or(named).unwrap_or_default()
}

/// How much the claim asks for.
pub fn claim_size(claim: &PersistentVolumeClaim) -> Amount {
    let resources = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref());
    storage(resources.and_then(|resources| resources.requests.as_ref()))
}

/// How much the volume holds.
pub fn volume_size(volume: &PersistentVolume) -> Amount {
    storage(volume.spec.as_ref().and_then(|spec| spec.capacity.as_ref()))
}

fn storage(list: Option<&BTreeMap<String, Quantity>>) -> Amount {
    list.and_then(|list| list.get("storage")).map_or(Amount::ZERO, Amount::of)
}

/// The volume that the claim names, or "".
pub fn volume_name(claim: &PersistentVolumeClaim) -> &str {
    claim.spec.as_ref().and_then(|spec| spec.volume_name.as_deref()).unwrap_or_default()
}

/// `status.phase` of a claim, or "".
pub fn claim_phase(claim: &PersistentVolumeClaim) -> &str {
    claim.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// `status.phase` of a volume, or "".
pub fn volume_phase(volume: &PersistentVolume) -> &str {
    volume.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// Whether the claim is bound and its binding is complete. Upstream: `isPVCFullyBound`.
pub fn is_fully_bound(claim: &PersistentVolumeClaim) -> bool {
    !volume_name(claim).is_empty() && annotation(&claim.metadata, BIND_COMPLETED).is_some()
}

/// Whether the volume is bound to, or kept for, this claim. Upstream: `IsVolumeBoundToClaim`.
pub fn is_bound_to(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    let Some(reference) = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref()) else {
        return false;
    };
    let uid = reference.uid.as_deref().unwrap_or_default();
    reference.name == claim.metadata.name
        && reference.namespace == claim.metadata.namespace
        && (uid.is_empty() || Some(uid) == claim.metadata.uid.as_deref())
}

/// Whether claims of this class wait for a pod before they are bound.
pub fn waits_for_consumer(class: &StorageClass) -> bool {
    class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer")
}

/// Whether the volume may be used on the node. Upstream: `CheckNodeAffinity`.
pub fn reaches(volume: &PersistentVolume, node: &Node) -> bool {
    let affinity = volume.spec.as_ref().and_then(|spec| spec.node_affinity.as_ref());
    let required = affinity.and_then(|affinity| affinity.required.as_ref());
    required.is_none_or(|required| selector_matches(required, node))
}

/// Whether volume and claim are of the same mode, `Filesystem` or `Block`.
pub fn same_volume_mode(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    const FILESYSTEM: &str = "Filesystem";
    let volume = volume.spec.as_ref().and_then(|spec| spec.volume_mode.as_deref());
    let claim = claim.spec.as_ref().and_then(|spec| spec.volume_mode.as_deref());
    volume.unwrap_or(FILESYSTEM) == claim.unwrap_or(FILESYSTEM)
}

/// The access modes of a claim.
pub fn claim_modes(claim: &PersistentVolumeClaim) -> &[String] {
    claim.spec.as_ref().and_then(|spec| spec.access_modes.as_deref()).unwrap_or_default()
}

/// The access modes of a volume.
pub fn volume_modes(volume: &PersistentVolume) -> &[String] {
    volume.spec.as_ref().and_then(|spec| spec.access_modes.as_deref()).unwrap_or_default()
}

/// Whether the volume has every access mode that the claim asks for.
pub fn has_modes(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    claim_modes(claim).iter().all(|mode| volume_modes(volume).contains(mode))
}

/// Access modes in short: `RWO,ROX,RWX,RWOP`, as far as they are given.
///
/// Upstream: `GetAccessModesAsString` in `pkg/apis/core/helper/helpers.go`.
pub fn short_modes(modes: &[String]) -> String {
    const SHORT: [(&str, &str); 4] = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let given = |long: &str| modes.iter().any(|mode| mode == long);
    let shown: Vec<&str> =
        SHORT.iter().filter(|(long, _)| given(long)).map(|(_, short)| *short).collect();
    shown.join(",")
}

/// Which volume a claim should get.
#[derive(Clone, Copy, Debug, Default)]
pub struct Search<'a> {
    /// Only volumes that reach this node.
    pub node: Option<&'a Node>,
    /// The claim waits for a pod: without a node it gets only a volume that is kept for it.
    pub delayed: bool,
    /// Volumes that somebody else is about to get.
    pub taken: &'a [String],
}

/// The volume that fits a claim best: the one kept for it, or the smallest that is free and large
/// enough, the first by name among equals; those with the fewest access modes first.
///
/// Upstream: `findBestMatchForClaim` in `pkg/controller/volume/persistentvolume/index.go`,
/// `FindMatchingVolume`.
pub fn find_matching_volume<'a>(
    claim: &PersistentVolumeClaim,
    volumes: impl Iterator<Item = &'a PersistentVolume>,
    search: Search<'_>,
) -> Option<&'a PersistentVolume> {
    let selector = claim.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    let selector = selector.map(|selector| Selector::from_label_selector(Some(selector)));
    let mut best: Option<(usize, Amount, &PersistentVolume)> = None;
    for volume in volumes {
        let name = volume.metadata.name.as_deref().unwrap_or_default();
        let claimed = volume.spec.as_ref().is_some_and(|spec| spec.claim_ref.is_some());
        let kept = is_bound_to(volume, claim);
        let size = volume_size(volume);
        if search.taken.iter().any(|taken| taken == name)
            || claimed && !kept
            || size < claim_size(claim)
            || !same_volume_mode(volume, claim)
            || volume.metadata.deletion_timestamp.is_some()
            || !has_modes(volume, claim)
        {
            continue;
        }
        let reaches = search.node.is_none_or(|node| reaches(volume, node));
        if kept {
            return Some(volume).filter(|_| reaches);
        }
        let selected = match &selector {
            Some(Ok(selector)) => selector.matches(volume.metadata.labels.as_ref()),
            Some(Err(_)) => false,
            None => true,
        };
        let fits = (search.node.is_some() || !search.delayed)
            && reaches
            && selected
            && volume_phase(volume) == "Available"
            && volume_class(volume) == claim_class(claim);
        let rank = (volume_modes(volume).len(), size);
        if fits && best.is_none_or(|(modes, size, _)| rank < (modes, size)) {
            best = Some((rank.0, rank.1, volume));
        }
    }
    best.map(|(_, _, volume)| volume)
}

/// A claim that a pod uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodClaim<'a> {
    /// The name of the pod's volume.
    pub volume: &'a str,
    /// The name of the claim.
    pub name: String,
    /// Whether the claim is made for the pod and goes with it.
    pub ephemeral: bool,
    /// Whether the pod may only read.
    pub read_only: bool,
}

/// The claims of a pod's volumes, in order.
pub fn pod_claims(pod: &Pod) -> impl Iterator<Item = PodClaim<'_>> {
    let pod_name = pod.metadata.name.as_deref().unwrap_or_default();
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    volumes.filter_map(move |volume| {
        let (name, ephemeral, read_only) =
            match (&volume.persistent_volume_claim, &volume.ephemeral) {
                (Some(source), _) => {
                    (source.claim_name.clone(), false, source.read_only == Some(true))
                }
                (None, Some(_)) => (format!("{pod_name}-{}", volume.name), true, false),
                (None, None) => return None,
            };
        Some(PodClaim { volume: &volume.name, name, ephemeral, read_only })
    })
}

/// Whether a claim was made for this pod. Upstream: `VolumeIsForPod`.
pub fn is_claim_for_pod(claim: &PersistentVolumeClaim, pod: &Pod) -> bool {
    let owners = claim.metadata.owner_references.iter().flatten();
    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
    owners.into_iter().any(|owner| owner.controller == Some(true) && owner.uid == uid)
}

/// What is to be said when a claim of this name was not made for the pod.
pub fn not_for_pod(claim: &PersistentVolumeClaim, pod: &Pod) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    format!(
        "PVC {}/{} was not created for pod {}/{} (pod is not owner)",
        text(&claim.metadata.namespace),
        text(&claim.metadata.name),
        text(&pod.metadata.namespace),
        text(&pod.metadata.name),
    )
}

/// The plugin of disks that are reached by iSCSI.
pub const ISCSI: &str = "kubernetes.io/iscsi";

/// What a node's status calls a disk that is reached by iSCSI.
///
/// Upstream: `GetVolumeName` in `pkg/volume/iscsi/iscsi.go`, `GetUniqueVolumeName`.
pub fn iscsi_unique_name(portal: &str, iqn: &str, lun: i32) -> String {
    format!("{ISCSI}/{portal}:{iqn}:{lun}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(name: &str, size: &str, modes: &[&str]) -> PersistentVolume {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": name},
            "spec": {"capacity": {"storage": size}, "accessModes": modes},
            "status": {"phase": "Available"},
        }))
        .unwrap()
    }

    fn claim(size: &str, mode: &str) -> PersistentVolumeClaim {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "c", "namespace": "default", "uid": "u"},
            "spec": {"accessModes": [mode], "resources": {"requests": {"storage": size}}},
        }))
        .unwrap()
    }

    // Cases of upstream's index_test.go in our own numbers.
    #[test]
    fn the_smallest_that_is_large_enough() {
        let volumes = [
            volume("big", "10Gi", &["ReadWriteOnce"]),
            volume("many-modes", "5Gi", &["ReadWriteOnce", "ReadWriteMany"]),
            volume("small", "1Gi", &["ReadWriteOnce"]),
        ];
        let cases = [
            ("1Gi", "ReadWriteOnce", Some("small")),
            ("2Gi", "ReadWriteOnce", Some("big")),
            ("2Gi", "ReadWriteMany", Some("many-modes")),
            ("6Gi", "ReadWriteMany", None),
        ];
        for (size, mode, expected) in cases {
            let found = find_matching_volume(&claim(size, mode), volumes.iter(), Search::default());
            assert_eq!(found.and_then(|found| found.metadata.name.as_deref()), expected);
        }
    }

    #[test]
    fn a_volume_that_is_kept_for_the_claim_comes_first() {
        let mut kept = volume("kept", "10Gi", &["ReadWriteOnce"]);
        kept.spec.get_or_insert_default().claim_ref =
            serde_json::from_value(serde_json::json!({"name": "c", "namespace": "default"}))
                .unwrap();
        let volumes = [volume("small", "1Gi", &["ReadWriteOnce"]), kept];
        let delayed = Search { delayed: true, ..Search::default() };
        for search in [Search::default(), delayed] {
            let claim = claim("1Gi", "ReadWriteOnce");
            let found = find_matching_volume(&claim, volumes.iter(), search);
            assert_eq!(found.and_then(|found| found.metadata.name.as_deref()), Some("kept"));
        }
        let claim = claim("1Gi", "ReadWriteOnce");
        assert!(find_matching_volume(&claim, volumes.iter().take(1), delayed).is_none());
    }
}
