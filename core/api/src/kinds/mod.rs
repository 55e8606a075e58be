//! One file for each kind: its names, defaults, validation and columns.

pub mod apiservice;
pub mod authentication;
pub mod authorization;
pub mod binding;
mod cells;
pub mod certificatesigningrequest;
pub mod clusterrole;
pub mod clusterrolebinding;
pub mod componentstatus;
pub mod configmap;
pub mod controllerrevision;
pub mod cronjob;
pub mod csidriver;
pub mod csinode;
pub mod csistoragecapacity;
pub mod customresourcedefinition;
pub mod daemonset;
pub mod deployment;
pub mod endpoints;
pub mod endpointslice;
pub mod event;
pub mod events;
pub mod eviction;
pub mod flowschema;
pub mod horizontalpodautoscaler;
pub mod ingress;
pub mod ingressclass;
pub mod ipaddress;
pub mod job;
pub mod lease;
pub mod limitrange;
pub mod metrics;
pub mod mutatingwebhookconfiguration;
pub mod namespace;
pub mod networkpolicy;
pub mod node;
pub mod persistentvolume;
pub mod persistentvolumeclaim;
pub mod pod;
pub mod poddisruptionbudget;
pub mod podtemplate;
pub mod priorityclass;
pub mod prioritylevelconfiguration;
mod rbac;
pub mod replicaset;
pub mod replicationcontroller;
pub mod resourcequota;
mod review;
pub mod role;
pub mod rolebinding;
pub mod runtimeclass;
pub mod scale;
pub mod secret;
pub mod service;
pub mod serviceaccount;
pub mod servicecidr;
pub mod statefulset;
mod storage;
pub mod storageclass;
pub mod typed;
pub mod validatingadmissionpolicy;
pub mod validatingadmissionpolicybinding;
pub mod validatingwebhookconfiguration;
pub mod volumeattachment;
mod webhook;
mod workload;

use crate::decode::DecodeError;
use crate::{Cell, Kube, Object};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

/// Reads a typed object from JSON.
pub(crate) fn decode_as<K: Kube>(json: Value) -> Result<Object, String> {
    crate::decode::decode::<K>(&json).map(Object::new)
}

/// Reads a typed object from JSON, and tells what it does not know.
pub(crate) fn read_as<K: Kube>(json: Value) -> Result<(Object, Vec<String>), DecodeError> {
    let (object, unknown) = crate::decode::read::<K>(&json)?;
    let tell = |field: String| format!("unknown field \"{field}\"");
    Ok((Object::new(object), unknown.into_iter().map(tell).collect()))
}

/// The cells of [`crate::DEFAULT_COLUMNS`].
pub(crate) fn default_cells(meta: &ObjectMeta) -> Vec<Cell> {
    vec![cells::name(meta), crate::time::rfc3339(meta.creation_timestamp.as_ref()).into()]
}

/// A part of an object, or an empty one where it is not given.
fn given<T: Clone + Default>(part: Option<&T>) -> std::borrow::Cow<'_, T> {
    part.map_or_else(std::borrow::Cow::default, std::borrow::Cow::Borrowed)
}
