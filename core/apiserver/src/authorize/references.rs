//! What a pod or a volume refers to by name.
//!
//! Upstream: `VisitPodSecretNames` and `VisitPodConfigmapNames` in `pkg/api/v1/pod/util.go`,
//! `VisitPVSecretNames` in `pkg/api/v1/persistentvolume/util.go`.

use naru_api::k8s_openapi::api::core::v1::{
    EnvFromSource, EnvVar, PersistentVolume, Pod, SecretReference, Volume, VolumeProjection,
};

/// Whether the pod reads a ConfigMap of this name.
pub(super) fn config_map(pod: &Pod, name: &str) -> bool {
    let is = |given: &str| given == name;
    environment(pod).any(|environment| match environment {
        Environment::All(all) => all.config_map_ref.as_ref().is_some_and(|one| is(&one.name)),
        Environment::One(one) => {
            let source = one.value_from.as_ref().and_then(|from| from.config_map_key_ref.as_ref());
            source.is_some_and(|source| is(&source.name))
        }
    }) || volumes(pod).any(|volume| {
        volume.config_map.as_ref().is_some_and(|source| is(&source.name))
            || projections(volume)
                .any(|one| one.config_map.as_ref().is_some_and(|source| is(&source.name)))
    })
}

/// Whether the pod reads a Secret of this name.
pub(super) fn secret(pod: &Pod, name: &str) -> bool {
    let is = |given: &str| given == name;
    let pull = pod.spec.as_ref().and_then(|spec| spec.image_pull_secrets.as_ref());
    pull.into_iter().flatten().any(|one| is(&one.name))
        || environment(pod).any(|environment| match environment {
            Environment::All(all) => all.secret_ref.as_ref().is_some_and(|one| is(&one.name)),
            Environment::One(one) => {
                let source = one.value_from.as_ref().and_then(|from| from.secret_key_ref.as_ref());
                source.is_some_and(|source| is(&source.name))
            }
        })
        || volumes(pod).any(|volume| secret_of(volume).any(is))
}

/// Whether the pod uses a PersistentVolumeClaim of this name.
pub(super) fn claim(pod: &Pod, name: &str) -> bool {
    let pod_name = pod.metadata.name.as_deref().unwrap_or_default();
    volumes(pod).any(|volume| match &volume.persistent_volume_claim {
        Some(claim) => claim.claim_name == name,
        None => {
            let own = name.strip_prefix(pod_name).and_then(|rest| rest.strip_prefix('-'));
            volume.ephemeral.is_some() && own == Some(volume.name.as_str())
        }
    })
}

/// Whether a kubelet needs this Secret to mount the volume.
pub(super) fn secret_of_volume(volume: &PersistentVolume, namespace: &str, name: &str) -> bool {
    let Some(spec) = &volume.spec else { return false };
    let claim = spec.claim_ref.as_ref().and_then(|claim| claim.namespace.as_deref());
    // A reference without a namespace is one to the namespace of the claim.
    let is = |reference: &SecretReference| {
        let given = reference.namespace.as_deref().filter(|given| !given.is_empty());
        given.or(claim) == Some(namespace) && reference.name.as_deref() == Some(name)
    };
    let csi = spec.csi.iter().flat_map(|csi| {
        [&csi.node_publish_secret_ref, &csi.node_stage_secret_ref, &csi.node_expand_secret_ref]
    });
    let iscsi = spec.iscsi.iter().map(|iscsi| &iscsi.secret_ref);
    let rbd = spec.rbd.iter().map(|rbd| &rbd.secret_ref);
    let flex = spec.flex_volume.iter().map(|flex| &flex.secret_ref);
    csi.chain(iscsi).chain(rbd).chain(flex).flatten().any(is)
}

/// One entry of a container's environment.
enum Environment<'a> {
    All(&'a EnvFromSource),
    One(&'a EnvVar),
}

fn environment(pod: &Pod) -> impl Iterator<Item = Environment<'_>> {
    pod.spec.iter().flat_map(|spec| {
        let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
        let lists = containers.map(|container| (&container.env_from, &container.env));
        let ephemeral = spec.ephemeral_containers.iter().flatten();
        let lists = lists.chain(ephemeral.map(|container| (&container.env_from, &container.env)));
        lists.flat_map(|(all, one)| {
            let all = all.iter().flatten().map(Environment::All);
            all.chain(one.iter().flatten().map(Environment::One))
        })
    })
}

fn volumes(pod: &Pod) -> impl Iterator<Item = &Volume> {
    pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten())
}

fn projections(volume: &Volume) -> impl Iterator<Item = &VolumeProjection> {
    volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten())
}

fn secret_of(volume: &Volume) -> impl Iterator<Item = &str> {
    let plain = volume.secret.as_ref().and_then(|source| source.secret_name.as_deref());
    let projected = projections(volume).filter_map(|one| Some(one.secret.as_ref()?.name.as_str()));
    let csi = volume.csi.as_ref().and_then(|source| source.node_publish_secret_ref.as_ref());
    let iscsi = volume.iscsi.as_ref().and_then(|source| source.secret_ref.as_ref());
    let rbd = volume.rbd.as_ref().and_then(|source| source.secret_ref.as_ref());
    let flex = volume.flex_volume.as_ref().and_then(|source| source.secret_ref.as_ref());
    let local = [csi, iscsi, rbd, flex].into_iter().flatten();
    plain.into_iter().chain(projected).chain(local.map(|reference| reference.name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_way_to_refer() {
        let pod: Pod = serde_json::from_value(json!({"metadata": {"name": "web"}, "spec": {
            "imagePullSecrets": [{"name": "pull"}],
            "containers": [{"name": "a", "envFrom": [{"secretRef": {"name": "s1"}},
                {"configMapRef": {"name": "c1"}}]}],
            "initContainers": [{"name": "b", "env": [
                {"name": "x", "valueFrom": {"secretKeyRef": {"name": "s2", "key": "k"}}},
                {"name": "y", "valueFrom": {"configMapKeyRef": {"name": "c2", "key": "k"}}}]}],
            "volumes": [
                {"name": "v1", "secret": {"secretName": "s3"}},
                {"name": "v2", "configMap": {"name": "c3"}},
                {"name": "v3", "projected": {"sources": [{"secret": {"name": "s4"}},
                    {"configMap": {"name": "c4"}}]}},
                {"name": "v4", "persistentVolumeClaim": {"claimName": "data"}},
                {"name": "v5", "ephemeral": {}},
                {"name": "v6", "csi": {"driver": "d", "nodePublishSecretRef": {"name": "s5"}}}],
        }}))
        .unwrap();
        for name in ["pull", "s1", "s2", "s3", "s4", "s5"] {
            assert!(secret(&pod, name) && !config_map(&pod, name), "{name}");
        }
        for name in ["c1", "c2", "c3", "c4"] {
            assert!(config_map(&pod, name) && !secret(&pod, name), "{name}");
        }
        for (name, wanted) in [("data", true), ("web-v5", true), ("web-v4", false), ("", false)] {
            assert_eq!(claim(&pod, name), wanted, "{name}");
        }
    }
}
