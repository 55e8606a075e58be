//! Whom the claims of a StatefulSet's pods belong to, and so what they go with:
//! `persistentVolumeClaimRetentionPolicy`.
//!
//! Upstream: `isClaimOwnerUpToDate` and its neighbours in
//! `pkg/controller/statefulset/stateful_set_utils.go`.

use super::utils;
use crate::controller_ref::new_controller_ref;
use k8s_openapi::api::apps::v1::StatefulSetSpec;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use naru_api::Object;

/// Which of the two that may own a claim should own it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owners {
    set: bool,
    pod: bool,
}

/// Whose claims: those of one pod of one set.
pub struct Holders<'a> {
    pub object: &'a Object,
    pub spec: &'a StatefulSetSpec,
    pub pod: &'a Pod,
}

/// Whether claims go when the set shrinks.
pub fn deletes_when_scaled(spec: &StatefulSetSpec) -> bool {
    let policy = spec.persistent_volume_claim_retention_policy.as_ref();
    policy.and_then(|policy| policy.when_scaled.as_deref()) == Some("Delete")
}

fn deletes_when_deleted(spec: &StatefulSetSpec) -> bool {
    let policy = spec.persistent_volume_claim_retention_policy.as_ref();
    policy.and_then(|policy| policy.when_deleted.as_deref()) == Some("Delete")
}

/// Whether a claim belongs to a pod of this name that is there no more.
pub fn is_stale_of_pod(claim: &PersistentVolumeClaim, pod: &Pod) -> bool {
    let named = references(claim).iter().find(|owner| is_pod(owner, pod));
    named.is_some_and(|owner| Some(&owner.uid) != pod.metadata.uid.as_ref())
}

fn references(claim: &PersistentVolumeClaim) -> &[OwnerReference] {
    claim.metadata.owner_references.as_deref().unwrap_or_default()
}

fn is_pod(owner: &OwnerReference, pod: &Pod) -> bool {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    owner.api_version == "v1" && owner.kind == "Pod" && owner.name == name
}

impl Holders<'_> {
    fn is_set(&self, owner: &OwnerReference) -> bool {
        let kind = self.object.kind();
        owner.api_version == kind.api_version()
            && owner.kind == kind.kind
            && owner.name == self.object.name()
    }

    fn pod_uid(&self) -> &str {
        self.pod.metadata.uid.as_deref().unwrap_or_default()
    }

    fn is_stale(&self, claim: &PersistentVolumeClaim) -> bool {
        let named = references(claim).iter().find(|owner| self.is_set(owner));
        named.is_some_and(|owner| owner.uid != self.object.uid())
            || is_stale_of_pod(claim, self.pod)
    }

    /// Whether somebody else controls the claim, while the policy wants it to be ours.
    pub fn has_unexpected_controller(&self, claim: &PersistentVolumeClaim) -> bool {
        if !deletes_when_scaled(self.spec) && !deletes_when_deleted(self.spec) {
            return false;
        }
        references(claim).iter().any(|owner| {
            if self.is_set(owner) {
                owner.uid != self.object.uid()
            } else if is_pod(owner, self.pod) {
                owner.uid != self.pod_uid()
            } else {
                owner.controller == Some(true)
            }
        })
    }

    fn present(&self, claim: &PersistentVolumeClaim) -> Owners {
        let owned_by = |uid: &str| references(claim).iter().any(|owner| owner.uid == uid);
        Owners { set: owned_by(self.object.uid()), pod: owned_by(self.pod_uid()) }
    }

    /// What the policy asks for: a claim that goes with the set is the set's, one that goes with
    /// a pod that is scaled away is the pod's.
    fn wanted(&self) -> Owners {
        let scaled_down = !utils::is_in_range(self.spec, self.pod);
        match (deletes_when_scaled(self.spec), deletes_when_deleted(self.spec)) {
            (false, set) => Owners { set, pod: false },
            (true, false) => Owners { set: false, pod: scaled_down },
            (true, true) => Owners { set: !scaled_down, pod: scaled_down },
        }
    }

    /// Whether the claim belongs to whom the policy wants, or must be left alone.
    pub fn is_up_to_date(&self, claim: &PersistentVolumeClaim) -> bool {
        if self.is_stale(claim) {
            return true;
        }
        let present = self.present(claim);
        if self.has_unexpected_controller(claim) {
            return present == Owners { set: false, pod: false };
        }
        let ours = |uid: &str| uid == self.object.uid() || uid == self.pod_uid();
        let only_owns = references(claim)
            .iter()
            .any(|owner| ours(&owner.uid) && owner.controller != Some(true));
        !only_owns && present == self.wanted()
    }

    /// Gives the claim the owners that the policy wants.
    pub fn set_owners(&self, claim: &mut PersistentVolumeClaim) {
        let unexpected = self.has_unexpected_controller(claim);
        let mut owners = claim.metadata.owner_references.take().unwrap_or_default();
        owners.retain(|owner| !self.is_set(owner) && !is_pod(owner, self.pod));
        let wanted = if unexpected { Owners { set: false, pod: false } } else { self.wanted() };
        if wanted.pod {
            owners.push(new_controller_ref(&Object::new(self.pod.clone())));
        }
        if wanted.set {
            owners.push(new_controller_ref(self.object));
        }
        claim.metadata.owner_references = (!owners.is_empty()).then_some(owners);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::apps::v1::StatefulSet;
    use serde_json::{Value, json};

    fn set(when_scaled: &str, when_deleted: &str) -> StatefulSet {
        serde_json::from_value(json!({"metadata": {"name": "web", "uid": "set-uid"}, "spec": {
            "replicas": 1, "serviceName": "", "selector": {}, "template": {},
            "persistentVolumeClaimRetentionPolicy":
                {"whenScaled": when_scaled, "whenDeleted": when_deleted}}}))
        .unwrap()
    }

    fn pod(ordinal: u8) -> Pod {
        serde_json::from_value(
            json!({"metadata": {"name": format!("web-{ordinal}"), "uid": "pod-uid"}}),
        )
        .unwrap()
    }

    fn owner(kind: &str, name: &str, uid: &str, controller: bool) -> Value {
        let api_version = if kind == "Pod" { "v1" } else { "apps/v1" };
        json!({"apiVersion": api_version, "kind": kind, "name": name, "uid": uid,
            "controller": controller, "blockOwnerDeletion": true})
    }

    // (whenScaled, whenDeleted, the pod's number, owners before, owners after; "" leaves as it is)
    #[test]
    fn claims_belong_to_whom_they_go_with() {
        let by_set = || owner("StatefulSet", "web", "set-uid", true);
        let by_pod = |name: &str| owner("Pod", name, "pod-uid", true);
        let other = || owner("StatefulSet", "other", "other-uid", true);
        let table = [
            ("Retain", "Retain", 0, vec![], None),
            ("Retain", "Retain", 0, vec![by_set()], Some(vec![])),
            ("Retain", "Retain", 0, vec![other()], None),
            ("Retain", "Delete", 0, vec![], Some(vec!["web"])),
            ("Retain", "Delete", 1, vec![by_set()], None),
            ("Delete", "Retain", 0, vec![], None),
            ("Delete", "Retain", 1, vec![], Some(vec!["web-1"])),
            ("Delete", "Retain", 0, vec![by_pod("web-0")], Some(vec![])),
            ("Delete", "Delete", 0, vec![], Some(vec!["web"])),
            ("Delete", "Delete", 1, vec![by_set()], Some(vec!["web-1"])),
            ("Delete", "Delete", 0, vec![other()], None),
            ("Delete", "Delete", 0, vec![other(), by_set()], Some(vec!["other"])),
            (
                "Retain",
                "Delete",
                0,
                vec![owner("StatefulSet", "web", "set-uid", false)],
                Some(vec!["web"]),
            ),
            ("Retain", "Delete", 0, vec![owner("StatefulSet", "web", "old-uid", true)], None),
        ];
        for (scaled, deleted, ordinal, before, after) in table {
            let (set, pod) = (set(scaled, deleted), pod(ordinal));
            let object = Object::new(set.clone());
            let spec = set.spec.as_ref().unwrap();
            let holders = Holders { object: &object, spec, pod: &pod };
            let label = format!("{scaled} {deleted} {ordinal} {before:?}");
            let mut claim: PersistentVolumeClaim =
                serde_json::from_value(json!({"metadata": {"ownerReferences": before}})).unwrap();
            assert_eq!(holders.is_up_to_date(&claim), after.is_none(), "{label}");
            if let Some(after) = after {
                holders.set_owners(&mut claim);
                let owners: Vec<&str> =
                    references(&claim).iter().map(|owner| owner.name.as_str()).collect();
                assert_eq!(owners, after, "{label}");
            }
        }
    }

    #[test]
    fn a_claim_of_a_former_pod_is_stale() {
        let claim = |uid: &str| -> PersistentVolumeClaim {
            let owners = json!([owner("Pod", "web-0", uid, true)]);
            serde_json::from_value(json!({"metadata": {"ownerReferences": owners}})).unwrap()
        };
        assert!(is_stale_of_pod(&claim("former"), &pod(0)));
        assert!(!is_stale_of_pod(&claim("pod-uid"), &pod(0)));
        assert!(!is_stale_of_pod(&claim("former"), &pod(1)));
    }
}
