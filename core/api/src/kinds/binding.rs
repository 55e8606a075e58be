//! Bindings of pods to nodes.
//!
//! Upstream: `pkg/registry/core/pod/storage/storage.go` (`BindingREST`).

use super::{decode_as, read_as};
use crate::decode::DecodeError;
use crate::{Kind, KindRef, Kube, Names, Object, Strategy};
use k8s_openapi::api::core::v1::Binding;
use serde_json::Value;

static KIND: Kind = Names::new("", "v1", "Binding", "bindings", "binding")
    .verbs(&["create"])
    .kind(&BindingStrategy);

impl Kube for Binding {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct BindingStrategy;

impl Strategy for BindingStrategy {
    fn decode(&self, json: Value) -> Result<Object, String> {
        decode_as::<Binding>(json)
    }

    fn read(&self, json: Value) -> Result<(Object, Vec<String>), DecodeError> {
        read_as::<Binding>(json)
    }
}
