//! Static pods from the manifests that lie on the node.
//!
//! Upstream: `pkg/kubelet/config/file.go`, `pkg/kubelet/config/common.go`.

use super::mirror::HASH;
use super::static_pods;
use crate::NodeConfig;
use crate::images::sha256_hex;
use k8s_openapi::api::core::v1::{Pod, Toleration};
use naru_api::decode::decode_leniently;
use naru_shell::{Vfs, join};
use std::sync::Arc;

/// Where the kubelet looks for manifests. Upstream: `staticPodPath`.
pub const MANIFESTS: &str = "/etc/kubernetes/manifests";
/// Where a manifest lies that was moved away.
pub const AWAY: &str = "/etc/kubernetes";
/// Manifests that are read.
const FILES_MAX: usize = 100;

/// A manifest: the path of its file, and what stands in it.
pub type Manifest = (String, Arc<Vec<u8>>);

/// The manifests that lie on a node, by their paths. Names with a dot at their start are left out.
pub fn read_manifests(fs: &Vfs) -> Vec<Manifest> {
    let entries = fs.list(MANIFESTS).unwrap_or_default();
    let shown = entries.iter().filter(|entry| !entry.name.starts_with('.'));
    let paths = shown.map(|entry| join(MANIFESTS, &entry.name));
    paths.filter_map(|path| Some((path.clone(), fs.read(&path).ok()?))).take(FILES_MAX).collect()
}

/// The pod of a manifest; nothing if it is none. What kubeadm wrote is the pod that was there before
/// the file was.
pub fn pod_of(manifest: &Manifest, config: &NodeConfig) -> Option<Pod> {
    let (path, bytes) = manifest;
    if config.control_plane {
        let mut own = static_pods::control_plane(config).into_iter();
        if let Some(pod) = own.find(|pod| static_pods::manifest(pod, config) == **bytes) {
            return Some(pod);
        }
    }
    let text = String::from_utf8_lossy(bytes);
    let json = naru_api::yaml::parse(&text).ok()?;
    if json.get("kind").and_then(|kind| kind.as_str()) != Some("Pod") {
        return None;
    }
    let (mut pod, _) = decode_leniently::<Pod>(&json).ok()?;
    apply_defaults(&mut pod, path, &text, config)?;
    Some(pod)
}

fn apply_defaults(pod: &mut Pod, path: &str, text: &str, config: &NodeConfig) -> Option<()> {
    let name = pod.metadata.name.take().filter(|name| !name.is_empty())?;
    let spec = pod.spec.as_mut().filter(|spec| !spec.containers.is_empty())?;
    let node = &config.name;
    let hash = pod.metadata.uid.take().unwrap_or_else(|| {
        let hash = sha256_hex(format!("host:{node}file:{path}\n{text}").as_bytes());
        hash.get(..32).unwrap_or_default().to_owned()
    });
    pod.metadata.name = Some(format!("{name}-{}", node.to_lowercase()));
    pod.metadata.namespace.get_or_insert_with(|| "default".to_owned());
    pod.metadata.annotations.get_or_insert_default().insert(HASH.to_owned(), hash);
    spec.node_name = Some(node.clone());
    let stays = Toleration {
        effect: Some("NoExecute".to_owned()),
        operator: Some("Exists".to_owned()),
        ..Toleration::default()
    };
    let tolerations = spec.tolerations.get_or_insert_default();
    if !tolerations.contains(&stays) {
        tolerations.push(stays);
    }
    pod.status = None;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> NodeConfig {
        NodeConfig { name: "Master".to_owned(), control_plane: true, ..NodeConfig::default() }
    }

    fn read(text: &str) -> Option<Pod> {
        pod_of(&(format!("{MANIFESTS}/web.yaml"), Arc::new(text.into())), &config())
    }

    #[test]
    fn what_kubeadm_wrote_is_the_same_pod() {
        let config = config();
        for pod in static_pods::control_plane(&config) {
            let text = static_pods::manifest(&pod, &config);
            let manifest = (format!("{MANIFESTS}/x.yaml"), Arc::new(text));
            assert_eq!(pod_of(&manifest, &config), Some(pod));
        }
    }

    #[test]
    fn a_pod_gets_the_name_of_its_node() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - \
                    {name: c, image: nginx}\n";
        let pod = read(text).unwrap();
        assert_eq!(pod.metadata.name.as_deref(), Some("web-master"));
        assert_eq!(pod.metadata.namespace.as_deref(), Some("default"));
        assert_eq!(pod.spec.as_ref().unwrap().node_name.as_deref(), Some("Master"));
        let other = read(&text.replace("nginx", "httpd")).unwrap();
        assert_ne!(pod.metadata.annotations, other.metadata.annotations);
        for wrong in ["{", "kind: Service", "kind: Pod\nmetadata: {}\nspec: {}", "kind: Pod"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
