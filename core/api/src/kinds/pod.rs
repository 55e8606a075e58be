//! Pods.
//!
//! Upstream: `pkg/registry/core/pod/strategy.go`, `pkg/apis/core/v1/defaults.go`,
//! `pkg/apis/core/validation/validation.go`, `printPod` in
//! `pkg/printers/internalversion/printers.go`.

use super::decode_as;
use crate::{Kind, KindRef, Kube, Object, Strategy};
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;
use std::borrow::Cow;

static KIND: Kind = Kind {
    group: Cow::Borrowed(""),
    version: Cow::Borrowed("v1"),
    kind: Cow::Borrowed("Pod"),
    plural: Cow::Borrowed("pods"),
    singular: Cow::Borrowed("pod"),
    short_names: Cow::Borrowed(&["po"]),
    categories: Cow::Borrowed(&["all"]),
    namespaced: true,
    verbs: Cow::Borrowed(&[
        "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch",
    ]),
    subresources: Cow::Borrowed(&["attach", "binding", "eviction", "exec", "log", "status"]),
    strategy: &PodStrategy,
};

impl Kube for Pod {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct PodStrategy;

impl Strategy for PodStrategy {
    fn decode(&self, json: Value) -> Result<Object, String> {
        decode_as::<Pod>(json)
    }
}
