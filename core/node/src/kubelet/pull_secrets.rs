//! Secrets by which a pod's images are pulled from registries that want to know who asks.
//!
//! Upstream: `getPullSecretsForPod` in `pkg/kubelet/kubelet_pods.go`, `pkg/credentialprovider`.

use super::pod_workers::PodWorker;
use crate::ImageRef;
use k8s_openapi::api::core::v1::{Pod, Secret};
use naru_client::{Context, EventType};
use serde_json::Value;

/// A registry's name in the files of Docker's clients, where it is another one.
const DOCKER_HUB: [&str; 3] = ["index.docker.io", "docker.io", "registry-1.docker.io"];

impl PodWorker {
    /// Whether one of the pod's secrets speaks for it at the image's registry. Secrets that are
    /// not there are told of.
    pub(super) fn credentials(&self, image: &ImageRef, context: &mut Context<'_>) -> bool {
        let object = self.object.clone();
        let spec = object.get::<Pod>().and_then(|pod| pod.spec.as_ref());
        let names = spec.and_then(|spec| spec.image_pull_secrets.as_deref()).unwrap_or_default();
        let mut known = false;
        let mut missing: Vec<&str> = Vec::new();
        for name in names.iter().map(|reference| reference.name.as_str()) {
            match context.client.get::<Secret>(&self.key.namespace, name) {
                Ok(secret) => known |= speaks_for(&secret, &image.registry),
                Err(_) => missing.push(name),
            }
        }
        if !missing.is_empty() {
            let message = format!(
                "Unable to retrieve some image pull secrets ({}); attempting to pull the image may \
                 not succeed.",
                missing.join(", ")
            );
            let reason = "FailedToRetrieveImagePullSecret";
            context.event(&self.object, EventType::Warning, reason, &message);
        }
        known
    }
}

/// Whether a secret has a user's name and password for a registry.
fn speaks_for(secret: &Secret, registry: &str) -> bool {
    let data = |key: &str| {
        let bytes = secret.data.as_ref()?.get(key)?;
        serde_json::from_slice::<Value>(&bytes.0).ok()
    };
    let auths = match secret.type_.as_deref() {
        Some("kubernetes.io/dockerconfigjson") => {
            data(".dockerconfigjson").map(|file| file["auths"].clone())
        }
        Some("kubernetes.io/dockercfg") => data(".dockercfg"),
        _ => None,
    };
    let Some(Value::Object(auths)) = auths else { return false };
    auths.iter().any(|(server, entry)| {
        let bare = server.trim_start_matches("https://").trim_start_matches("http://");
        let host = bare.split('/').next().unwrap_or_default();
        let same =
            host == registry || (DOCKER_HUB.contains(&host) && DOCKER_HUB.contains(&registry));
        let said = |field: &str| entry[field].as_str().is_some_and(|text| !text.is_empty());
        same && (said("auth") || (said("username") && said("password")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;
    use std::collections::BTreeMap;

    #[test]
    fn a_secret_speaks_for_its_registry() {
        let file = br#"{"auths":{"https://index.docker.io/v1/":{"auth":"bWU6bm90aGluZw=="}}}"#;
        let secret = Secret {
            type_: Some("kubernetes.io/dockerconfigjson".to_owned()),
            data: Some(BTreeMap::from([(
                ".dockerconfigjson".to_owned(),
                ByteString(file.to_vec()),
            )])),
            ..Secret::default()
        };
        assert!(speaks_for(&secret, "docker.io"));
        assert!(!speaks_for(&secret, "quay.io"));
        assert!(!speaks_for(&Secret::default(), "docker.io"));
    }
}
