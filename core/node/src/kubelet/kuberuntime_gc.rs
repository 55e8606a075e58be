//! Removes containers that nobody needs any more.
//!
//! Of a container that is started again the kubelet keeps the run before (`MaxPerPodContainer` 1):
//! see `PodWorker::new_run`. Of a pod that has ended it keeps everything as long as there is room.
//!
//! Upstream: `pkg/kubelet/kuberuntime/kuberuntime_gc.go`.

use super::Kubelet;
use super::pod_workers::{NodeWorld, PodWorker};

impl Kubelet {
    /// Removes the containers of all pods that have ended, with their logs.
    ///
    /// Upstream: `DeleteAllUnusedContainers` in `pkg/kubelet/container/container_gc.go`, which lets
    /// `GarbageCollect` evict those of terminated pods.
    pub(super) fn delete_all_unused_containers(&mut self, world: &mut NodeWorld<'_>) {
        let ended = self.workers.values_mut().filter(|worker| worker.has_told_its_end());
        ended.for_each(|worker| worker.remove_containers(world));
    }
}

impl PodWorker {
    /// Whether the pod has ended and has said how.
    fn has_told_its_end(&self) -> bool {
        let phase = self.written_status().and_then(|status| status.phase.as_deref());
        self.is_terminated() && matches!(phase, Some("Failed" | "Succeeded"))
    }

    fn remove_containers(&mut self, world: &mut NodeWorld<'_>) {
        for sandbox in self.sandboxes().collect::<Vec<_>>() {
            world.runtime.remove_sandbox(world.network, sandbox);
        }
        self.forget_sandboxes();
    }
}
