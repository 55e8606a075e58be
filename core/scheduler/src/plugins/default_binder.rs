//! Writes the decision down as a Binding.
//!
//! Upstream: `pkg/scheduler/framework/plugins/defaultbinder/default_binder.go`.

use crate::framework::{BindPlugin, Plugin};
use k8s_openapi::api::core::v1::{Binding, ObjectReference, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::request::Body;
use naru_api::{ApiError, Kube, Object};
use naru_client::Client;

/// The plugin.
#[derive(Debug)]
pub struct DefaultBinder;

impl Plugin for DefaultBinder {
    fn name(&self) -> &'static str {
        "DefaultBinder"
    }
}

impl BindPlugin for DefaultBinder {
    fn bind(&self, pod: &Pod, node: &str, client: &mut Client<'_>) -> Result<(), ApiError> {
        let meta = &pod.metadata;
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let name = meta.name.as_deref().unwrap_or_default();
        let binding = Binding {
            metadata: ObjectMeta {
                namespace: meta.namespace.clone(),
                name: meta.name.clone(),
                uid: meta.uid.clone(),
                ..ObjectMeta::default()
            },
            target: ObjectReference {
                kind: Some("Node".to_owned()),
                name: Some(node.to_owned()),
                ..ObjectReference::default()
            },
        };
        let body = Body::Object(Object::new(binding));
        client.create_subresource(Pod::kind(), namespace, name, "binding", body).map(drop)
    }
}
