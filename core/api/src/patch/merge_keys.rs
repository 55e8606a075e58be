//! Which lists are merged, and by which key their items are the same.
//!
//! Upstream: the tags `patchStrategy` and `patchMergeKey` of the types in `k8s.io/api`.

/// How a list is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strategy {
    /// The patch's list takes the place of the object's.
    Replace,
    /// Objects with the same value of this key are merged.
    ByKey(&'static str),
    /// A list of plain values, each of which is there once.
    Union,
}

/// How the list `field` is merged, which lies in `parent` (the field that holds it, or the list
/// whose item it lies in); `parent` is "" at the top.
pub(super) fn of_list(parent: &str, field: &str) -> Strategy {
    use Strategy::{ByKey, Replace, Union};
    match (parent, field) {
        ("spec", "containers" | "initContainers" | "ephemeralContainers" | "volumes") => {
            ByKey("name")
        }
        ("spec", "imagePullSecrets" | "schedulingGates" | "resourceClaims") => ByKey("name"),
        ("spec", "topologySpreadConstraints") => ByKey("topologyKey"),
        ("spec", "hostAliases") => ByKey("ip"),
        ("spec", "podCIDRs") => Union,
        ("spec", "ports") => ByKey("port"),
        ("containers" | "initContainers" | "ephemeralContainers", field) => match field {
            "env" => ByKey("name"),
            "ports" => ByKey("containerPort"),
            "volumeMounts" => ByKey("mountPath"),
            "volumeDevices" => ByKey("devicePath"),
            _ => Replace,
        },
        ("metadata", "ownerReferences") => ByKey("uid"),
        ("metadata", "finalizers") => Union,
        ("status", "conditions" | "addresses") => ByKey("type"),
        ("status", "podIPs" | "hostIPs") => ByKey("ip"),
        // Of service accounts.
        ("", "secrets") => ByKey("name"),
        _ => Replace,
    }
}
