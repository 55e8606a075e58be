//! One file for each kind: its names, defaults, validation and columns.

pub mod binding;
mod cells;
pub mod configmap;
pub mod daemonset;
pub mod deployment;
pub mod endpoints;
pub mod endpointslice;
pub mod event;
pub mod lease;
pub mod namespace;
pub mod node;
pub mod pod;
pub mod replicaset;
pub mod secret;
pub mod service;
pub mod serviceaccount;
pub mod typed;
mod workload;

use crate::{Kube, Object};
use serde_json::Value;

/// Reads a typed object from JSON.
pub(crate) fn decode_as<K: Kube>(json: Value) -> Result<Object, String> {
    crate::decode::decode::<K>(&json).map(Object::new)
}
