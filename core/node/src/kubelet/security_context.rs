//! As whom a container runs, and what it may.
//!
//! Upstream: `pkg/kubelet/kuberuntime/security_context.go`, `pkg/securitycontext/util.go`.

use super::kuberuntime_container::full_name;
use crate::Image;
use k8s_openapi::api::core::v1::{Container, PodSpec};
use naru_api::Key;

/// Users and groups of a container's processes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The user, if the pod says.
    pub uid: Option<u32>,
    /// The first group, if the pod says.
    pub gid: Option<u32>,
    /// More groups.
    pub groups: Vec<u32>,
    /// Whether nothing but volumes can be written.
    pub read_only_root: bool,
}

/// What the pod says of a container; the container's own words count more.
pub fn identity(container: &Container, spec: &PodSpec) -> Identity {
    let own = container.security_context.as_ref();
    let pods = spec.security_context.as_ref();
    let number = |id: Option<i64>| id.and_then(|id| u32::try_from(id).ok());
    let team = pods.and_then(|pods| pods.fs_group).into_iter();
    let more = pods.and_then(|pods| pods.supplemental_groups.as_deref()).unwrap_or_default();
    Identity {
        uid: number(own.and_then(|c| c.run_as_user).or(pods.and_then(|c| c.run_as_user))),
        gid: number(own.and_then(|c| c.run_as_group).or(pods.and_then(|c| c.run_as_group))),
        groups: team.chain(more.iter().copied()).filter_map(|gid| number(Some(gid))).collect(),
        read_only_root: own.is_some_and(|c| c.read_only_root_filesystem == Some(true)),
    }
}

/// Refuses a container that must not be root and would be.
pub fn verify_run_as_non_root(
    container: &Container,
    spec: &PodSpec,
    image: &Image,
    key: &Key,
    uid: &str,
) -> Result<(), String> {
    let own = container.security_context.as_ref();
    let pods = spec.security_context.as_ref();
    let wanted = own.and_then(|c| c.run_as_non_root).or(pods.and_then(|c| c.run_as_non_root));
    if wanted != Some(true) {
        return Ok(());
    }
    let about = format!("(pod: \"{}\", container: {})", full_name(key, uid), container.name);
    match own.and_then(|c| c.run_as_user).or(pods.and_then(|c| c.run_as_user)) {
        Some(0) => Err(format!("container's runAsUser breaks non-root policy {about}")),
        Some(_) => Ok(()),
        None if !image.user_name.is_empty() => Err(format!(
            "container has runAsNonRoot and image has non-numeric user ({}), cannot verify user is \
             non-root {about}",
            image.user_name
        )),
        None if image.user == 0 => {
            Err(format!("container has runAsNonRoot and image will run as root {about}"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageRef;
    use serde_json::json;

    fn said(container: serde_json::Value, pod: serde_json::Value) -> Result<(), String> {
        let container: Container =
            serde_json::from_value(json!({"name": "c", "securityContext": container})).unwrap();
        let spec: PodSpec =
            serde_json::from_value(json!({"containers": [], "securityContext": pod})).unwrap();
        let image = Image::find(&ImageRef::parse("busybox").unwrap()).unwrap();
        verify_run_as_non_root(&container, &spec, &image, &Key::new("shop", "web"), "u")
    }

    #[test]
    fn roots_are_refused_where_they_may_not_be() {
        let about = "(pod: \"web_shop(u)\", container: c)";
        assert_eq!(said(json!({}), json!({})), Ok(()));
        assert_eq!(
            said(json!({}), json!({"runAsNonRoot": true})),
            Err(format!("container has runAsNonRoot and image will run as root {about}"))
        );
        assert_eq!(
            said(json!({"runAsUser": 0}), json!({"runAsNonRoot": true})),
            Err(format!("container's runAsUser breaks non-root policy {about}"))
        );
        assert_eq!(said(json!({"runAsUser": 7}), json!({"runAsNonRoot": true})), Ok(()));
        assert_eq!(said(json!({"runAsNonRoot": false}), json!({"runAsNonRoot": true})), Ok(()));
    }

    #[test]
    fn a_container_says_more_than_its_pod() {
        let container: Container = serde_json::from_value(
            json!({"name": "c", "securityContext": {"runAsUser": 5, "readOnlyRootFilesystem": true}}),
        )
        .unwrap();
        let spec: PodSpec = serde_json::from_value(json!({"containers": [], "securityContext":
            {"runAsUser": 1, "runAsGroup": 2, "fsGroup": 3, "supplementalGroups": [4]}}))
        .unwrap();
        let identity = identity(&container, &spec);
        let expected =
            Identity { uid: Some(5), gid: Some(2), groups: vec![3, 4], read_only_root: true };
        assert_eq!(identity, expected);
    }
}
