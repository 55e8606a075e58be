//! What of their machine the programs of the control plane see.
//!
//! Upstream: `getHostPathVolumesForTheControlPlane` in `cmd/kubeadm/app/phases/controlplane/volumes.go`,
//! `GetEtcdPodSpec` in `phases/etcd/local.go`.

use k8s_openapi::api::core::v1::{HostPathVolumeSource, Volume, VolumeMount};

/// A directory or file of the machine, which stands at the same place in the container.
pub struct HostDir {
    name: &'static str,
    path: &'static str,
    kind: &'static str,
    read_only: bool,
}

impl HostDir {
    const fn directory(name: &'static str, path: &'static str) -> Self {
        HostDir { name, path, kind: "DirectoryOrCreate", read_only: false }
    }

    const fn read_only(self) -> Self {
        HostDir { read_only: true, ..self }
    }

    const fn kubeconfig(path: &'static str) -> Self {
        HostDir { name: "kubeconfig", path, kind: "FileOrCreate", read_only: true }
    }

    /// How the container mounts it.
    pub fn mount(&self) -> VolumeMount {
        VolumeMount {
            name: self.name.to_owned(),
            mount_path: self.path.to_owned(),
            read_only: self.read_only.then_some(true),
            ..VolumeMount::default()
        }
    }

    fn volume(&self) -> Volume {
        let source =
            HostPathVolumeSource { path: self.path.to_owned(), type_: Some(self.kind.to_owned()) };
        Volume { name: self.name.to_owned(), host_path: Some(source.into()), ..Volume::default() }
    }
}

const CA_CERTS: HostDir = HostDir::directory("ca-certs", "/etc/ssl/certs").read_only();
const ETC_CA: HostDir =
    HostDir::directory("etc-ca-certificates", "/etc/ca-certificates").read_only();
const K8S_CERTS: HostDir = HostDir::directory("k8s-certs", "/etc/kubernetes/pki").read_only();
const LOCAL_CA: HostDir =
    HostDir::directory("usr-local-share-ca-certificates", "/usr/local/share/ca-certificates")
        .read_only();
const SHARED_CA: HostDir =
    HostDir::directory("usr-share-ca-certificates", "/usr/share/ca-certificates").read_only();
const FLEX_VOLUMES: HostDir =
    HostDir::directory("flexvolume-dir", "/usr/libexec/kubernetes/kubelet-plugins/volume/exec");

/// Of etcd.
pub const ETCD: &[HostDir] = &[
    HostDir::directory("etcd-data", "/var/lib/etcd"),
    HostDir::directory("etcd-certs", "/etc/kubernetes/pki/etcd"),
];
/// Of kube-apiserver.
pub const API_SERVER: &[HostDir] = &[CA_CERTS, ETC_CA, K8S_CERTS, LOCAL_CA, SHARED_CA];
/// Of kube-controller-manager.
pub const CONTROLLER_MANAGER: &[HostDir] = &[
    CA_CERTS,
    ETC_CA,
    FLEX_VOLUMES,
    K8S_CERTS,
    HostDir::kubeconfig("/etc/kubernetes/controller-manager.conf"),
    LOCAL_CA,
    SHARED_CA,
];
/// Of kube-scheduler.
pub const SCHEDULER: &[HostDir] = &[HostDir::kubeconfig("/etc/kubernetes/scheduler.conf")];

/// The volumes of a pod, by their names.
pub fn of(directories: &[HostDir]) -> Vec<Volume> {
    let mut volumes: Vec<Volume> = directories.iter().map(HostDir::volume).collect();
    volumes.sort_by(|a, b| a.name.cmp(&b.name));
    volumes
}
