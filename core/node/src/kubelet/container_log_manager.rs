//! Puts the files of containers' logs aside that have become too large.
//!
//! Upstream: `pkg/kubelet/logs/container_log_manager.go`.

use super::Kubelet;
use super::pod_workers::NodeWorld;
use naru_sim::Time;

impl Kubelet {
    /// Begins new files of the logs that are full, of containers that run: others write no more.
    ///
    /// It is asked at the looks at the node, as often as upstream looks (`containerLogMonitorInterval`)
    /// while something happens there.
    ///
    /// Upstream: `rotateLogs`.
    pub(super) fn rotate_logs(&self, now: Time, world: &mut NodeWorld<'_>) {
        for id in world.runtime.take_full_logs() {
            // What is no pod's is not the kubelet's.
            let runs = world.runtime.container(id).is_some_and(|container| container.is_running());
            if runs {
                world.runtime.rotate_log(id, now, world.config.kubelet.container_log_max_files);
            }
        }
    }
}
