//! `k8s.io/minikube-hostpath`, the provisioner of minikube: a volume is a directory of its only
//! machine.
//!
//! Upstream: kubernetes/minikube, `pkg/storage/storage_provisioner.go`.

use super::{Asked, Backend, Made, Provisioner, in_container};
use crate::controller_program::{ControllerProgram, InContainer, StartsInContainer};
use k8s_openapi::api::core::v1::{HostPathVolumeSource, PersistentVolume, PersistentVolumeSpec};
use naru_client::Context;
use naru_shell::{Program, Sys};

/// Where volumes are made.
const FOLDER: &str = "/tmp/hostpath-provisioner";
const IDENTITY: &str = "hostPathProvisionerIdentity";

/// The program `storage-provisioner`.
pub fn program() -> Box<dyn Program> {
    Box::new(ControllerProgram::<MinikubeProvisioner>::new("storage-provisioner"))
}

/// The provisioner, as it runs in its pod, which sees the machine's `/tmp`.
#[derive(Clone, Debug)]
struct MinikubeProvisioner(Provisioner);

in_container!(MinikubeProvisioner);

impl StartsInContainer for MinikubeProvisioner {
    const ACCOUNT: (&'static str, &'static str) = ("kube-system", "storage-provisioner");

    fn start(sys: &mut dyn Sys) -> Self {
        let hostname = sys.hostname().to_owned();
        let identity = format!("{:x}", sys.rng().next_u64());
        let backend = Box::new(HostPath { identity, make: Vec::new(), remove: Vec::new() });
        MinikubeProvisioner(Provisioner::new(backend, &hostname, sys.rng()))
    }
}

impl InContainer for MinikubeProvisioner {
    fn settle(&mut self, sys: &mut dyn Sys) {
        self.0.settle(sys);
    }
}

/// Directories of the machine.
#[derive(Clone, Debug)]
struct HostPath {
    identity: String,
    /// Directories to make.
    make: Vec<String>,
    /// Directories to remove.
    remove: Vec<String>,
}

impl Backend for HostPath {
    fn name(&self) -> &str {
        "k8s.io/minikube-hostpath"
    }

    fn provision(
        &mut self,
        asked: &Asked<'_>,
        _context: &mut Context<'_>,
    ) -> Result<Option<Made>, String> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let meta = &asked.claim.metadata;
        let path = format!("{FOLDER}/{}/{}", text(&meta.namespace), text(&meta.name));
        self.make.push(path.clone());
        let spec = PersistentVolumeSpec {
            host_path: Some(HostPathVolumeSource { path, type_: None }),
            ..PersistentVolumeSpec::default()
        };
        let annotations = [(IDENTITY.to_owned(), self.identity.clone())].into_iter().collect();
        Ok(Some(Made { spec, annotations, finalizers: Vec::new() }))
    }

    fn delete(
        &mut self,
        volume: &PersistentVolume,
        _context: &mut Context<'_>,
    ) -> Result<bool, String> {
        let mine = naru_api::volumes::annotation(&volume.metadata, IDENTITY);
        if mine != Some(self.identity.as_str()) {
            return Err("ignored because identity annotation on PV does not match ours".to_owned());
        }
        let spec = volume.spec.as_ref().and_then(|spec| spec.host_path.as_ref());
        self.remove.extend(spec.map(|source| source.path.clone()));
        Ok(true)
    }

    fn settle(&mut self, sys: &mut dyn Sys) {
        for path in self.make.drain(..) {
            let _ = sys.fs().mkdir_all(&path);
            let _ = sys.fs().chmod(&path, 0o777);
        }
        for path in self.remove.drain(..) {
            let _ = sys.fs().remove_all(&path);
        }
    }
}
