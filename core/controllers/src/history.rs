//! What a StatefulSet or a DaemonSet made its pods of before: its ControllerRevisions.
//!
//! Upstream: `pkg/controller/history/controller_history.go`, `getPatch` in
//! `pkg/controller/statefulset/stateful_set_utils.go` and `pkg/controller/daemon/update.go`.

use crate::controller_ref::new_controller_ref;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{PodTemplate, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use naru_api::request::DeleteOptions;
use naru_api::{KubeObject, Object, decode, json, names};
use naru_client::{Context, Error};
use serde_json::{Value, json};

/// The label of a pod that tells which revision it was made of. A StatefulSet's pods bear the
/// revision's name, a DaemonSet's the hash in it.
pub const REVISION_LABEL: &str = "controller-revision-hash";
const HASH_LABEL: &str = "controller.kubernetes.io/hash";
/// A longer name is cut, so that the hash fits behind it.
const PREFIX_MAX: usize = 223;

/// What is kept of a template: the strategic merge patch that brings it back.
///
/// # Errors
///
/// When the template has no JSON, which no template is known to do.
pub fn data_of(template: &PodTemplateSpec) -> Result<Value, Error> {
    let holder = PodTemplate { template: Some(template.clone()), ..PodTemplate::default() };
    let mut holder = holder.to_json().map_err(unreadable)?;
    let mut template = holder.get_mut("template").map(Value::take).unwrap_or_default();
    if let Value::Object(fields) = &mut template {
        fields.insert("$patch".to_owned(), json!("replace"));
    }
    Ok(json!({"spec": {"template": template}}))
}

/// The template that a revision keeps.
///
/// # Errors
///
/// When the revision keeps something else.
pub fn template_of(revision: &ControllerRevision) -> Result<PodTemplateSpec, Error> {
    let data = revision.data.as_ref().map(|data| &data.0).unwrap_or(&Value::Null);
    let mut template = data.pointer("/spec/template").cloned().unwrap_or_default();
    if let Value::Object(fields) = &mut template {
        fields.remove("$patch");
    }
    decode::from_value(&template).map_err(|error| Error::Other(error.text))
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::Other(error.to_string())
}

/// The name of a revision.
pub fn name(revision: &ControllerRevision) -> &str {
    revision.metadata.name.as_deref().unwrap_or_default()
}

/// Whether a revision keeps this.
pub fn keeps(revision: &ControllerRevision, data: &Value) -> bool {
    revision.data.as_ref().map(|data| &data.0) == Some(data)
}

/// A revision of `owner` that is not stored yet. Its name is made when it is stored.
pub fn new_revision(
    owner: &Object,
    template: &PodTemplateSpec,
    data: Value,
    revision: i64,
) -> ControllerRevision {
    let labels = template.metadata.as_ref().and_then(|meta| meta.labels.clone());
    ControllerRevision {
        metadata: ObjectMeta {
            namespace: Some(owner.namespace().to_owned()),
            labels,
            annotations: owner.meta().annotations.clone(),
            owner_references: Some(vec![new_controller_ref(owner)]),
            ..ObjectMeta::default()
        },
        data: Some(RawExtension(data)),
        revision,
    }
}

/// Stores a revision under the owner's name and a hash of its data. Where another one has that
/// name, `collisions` is counted up and goes into the next hash.
///
/// # Errors
///
/// What the API server answers.
pub fn create(
    context: &mut Context<'_>,
    owner: &Object,
    mut revision: ControllerRevision,
    collisions: &mut i32,
) -> Result<ControllerRevision, Error> {
    let data = revision.data.as_ref().map(|data| data.0.clone()).unwrap_or_default();
    let text = json::to_go_text(&data);
    let label = names::controller_revision_hash(&text, *collisions);
    let labels = revision.metadata.labels.get_or_insert_default();
    labels.insert(HASH_LABEL.to_owned(), label);
    loop {
        let hash = names::controller_revision_hash(&text, *collisions);
        let name = format!("{}-{hash}", prefix(owner.name()));
        revision.metadata.name = Some(name.clone());
        match context.client.create(revision.clone()) {
            Ok(created) => return Ok((*created).clone()),
            Err(error) if error.is_already_exists() => {
                let there = context.client.get::<ControllerRevision>(owner.namespace(), &name)?;
                if keeps(&there, &data) {
                    return Ok((*there).clone());
                }
                *collisions = collisions.wrapping_add(1);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn prefix(name: &str) -> &str {
    name.get(..PREFIX_MAX).unwrap_or(name)
}

/// Gives a revision another number.
///
/// # Errors
///
/// What the API server answers.
pub fn renumber(
    context: &mut Context<'_>,
    revision: &ControllerRevision,
    number: i64,
) -> Result<ControllerRevision, Error> {
    if revision.revision == number {
        return Ok(revision.clone());
    }
    let changed = ControllerRevision { revision: number, ..revision.clone() };
    Ok((*context.client.update(changed)?).clone())
}

/// Deletes a revision.
///
/// # Errors
///
/// What the API server answers.
pub fn delete(context: &mut Context<'_>, revision: &ControllerRevision) -> Result<(), Error> {
    let namespace = revision.metadata.namespace.as_deref().unwrap_or_default();
    let options = DeleteOptions::default();
    Ok(context.client.delete::<ControllerRevision>(namespace, name(revision), options)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> PodTemplateSpec {
        serde_json::from_value(json!({"metadata": {"labels": {"app": "nginx"}}, "spec": {
            "containers": [{"name": "nginx", "image": "registry.k8s.io/nginx-slim:0.24",
                "ports": [{"containerPort": 80, "name": "web", "protocol": "TCP"}], "resources": {},
                "volumeMounts": [{"name": "www", "mountPath": "/usr/share/nginx/html"}],
                "imagePullPolicy": "IfNotPresent", "terminationMessagePolicy": "File",
                "terminationMessagePath": "/dev/termination-log"}],
            "terminationGracePeriodSeconds": 10, "restartPolicy": "Always", "securityContext": {},
            "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler"}}))
        .unwrap()
    }

    // Written and hashed by Go: `getPatch` and `HashControllerRevision` of Kubernetes v1.33.4.
    #[test]
    fn data_and_hash_are_upstreams() {
        let data = json::to_go_text(&data_of(&template()).unwrap());
        assert_eq!(data, GOLDEN);
        assert_eq!(names::controller_revision_hash(&data, 0), "7757fc6447");
        assert_eq!(names::controller_revision_hash(&data, 1), "7757fc6446");
    }

    #[test]
    fn a_template_comes_back() {
        let data = data_of(&template()).unwrap();
        let revision =
            ControllerRevision { data: Some(RawExtension(data)), ..ControllerRevision::default() };
        assert_eq!(template_of(&revision).unwrap(), template());
    }

    const GOLDEN: &str = "{\"spec\":{\"template\":{\"$patch\":\"replace\",\"metadata\":{\"creationTimestamp\":n\
        ull,\"labels\":{\"app\":\"nginx\"}},\"spec\":{\"containers\":[{\"image\":\"registry.k\
        8s.io/nginx-slim:0.24\",\"imagePullPolicy\":\"IfNotPresent\",\"name\":\"nginx\",\"por\
        ts\":[{\"containerPort\":80,\"name\":\"web\",\"protocol\":\"TCP\"}],\"resources\":{},\
        \"terminationMessagePath\":\"/dev/termination-log\",\"terminationMessagePolicy\":\"Fi\
        le\",\"volumeMounts\":[{\"mountPath\":\"/usr/share/nginx/html\",\"name\":\"www\"}]}],\
        \"dnsPolicy\":\"ClusterFirst\",\"restartPolicy\":\"Always\",\"schedulerName\":\"defau\
        lt-scheduler\",\"securityContext\":{},\"terminationGracePeriodSeconds\":10}}}}";
}
