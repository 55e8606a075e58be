//! Ephemeral containers: those that `kubectl debug` adds to a pod that runs. They are started as
//! soon as they are there, and never again.
//!
//! Upstream: `EphemeralContainersToStart` in `pkg/kubelet/kuberuntime/kuberuntime_manager.go`.

use super::pod_workers::PodWorker;
use super::record::ContainerRecord;
use crate::runtime::ContainerId;
use k8s_openapi::api::core::v1::{Container, EphemeralContainer, Pod, PodSpec};
use naru_sim::Time;

/// The container as one of the others, which have the same fields.
pub fn as_container(ephemeral: &EphemeralContainer) -> Container {
    let it = ephemeral.clone();
    Container {
        args: it.args,
        command: it.command,
        env: it.env,
        env_from: it.env_from,
        image: it.image,
        image_pull_policy: it.image_pull_policy,
        lifecycle: it.lifecycle,
        liveness_probe: it.liveness_probe,
        name: it.name,
        ports: it.ports,
        readiness_probe: it.readiness_probe,
        resize_policy: it.resize_policy,
        resources: it.resources,
        restart_policy: it.restart_policy,
        security_context: it.security_context,
        startup_probe: it.startup_probe,
        stdin: it.stdin,
        stdin_once: it.stdin_once,
        termination_message_path: it.termination_message_path,
        termination_message_policy: it.termination_message_policy,
        tty: it.tty,
        volume_devices: it.volume_devices,
        volume_mounts: it.volume_mounts,
        working_dir: it.working_dir,
    }
}

impl PodWorker {
    /// Takes note of ephemeral containers that were added to the pod.
    pub(super) fn note_ephemeral_containers(&mut self, now: Time) {
        let object = self.object.clone();
        let spec = object.get::<Pod>().and_then(|pod| pod.spec.as_ref());
        let wanted = spec.and_then(|spec| spec.ephemeral_containers.as_deref()).unwrap_or_default();
        for (index, container) in wanted.iter().enumerate() {
            let mut records = self.containers.iter_mut();
            match records.find(|record| record.ephemeral && record.name == container.name) {
                Some(record) => record.index = index,
                None => {
                    self.containers.push(ContainerRecord::ephemeral(container, index));
                    self.poke(now);
                }
            }
        }
    }

    /// The run whose processes an ephemeral container is to see.
    pub(super) fn target_of(&self, index: usize, spec: &PodSpec) -> Option<ContainerId> {
        let record = self.containers.get(index).filter(|record| record.ephemeral)?;
        let ephemeral = spec.ephemeral_containers.as_ref()?.get(record.index)?;
        self.record(ephemeral.target_container_name.as_deref().filter(|name| !name.is_empty())?)?.id
    }
}
