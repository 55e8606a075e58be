//! What a node, its pods and their containers use: `/stats/summary`.
//!
//! What is not simulated is left out, as upstream leaves out what its runtime does not tell: the
//! network's counters, and what waits for memory and processors. Processor time a second is the
//! average since the start, and not that of the last ten seconds.
//!
//! Upstream: `kubelet/pkg/apis/stats/v1alpha1/types.go` (whose fields these are, in order),
//! `pkg/kubelet/server/stats/summary.go`, `pkg/kubelet/stats/cri_stats_provider.go`.

use super::Kubelet;
use super::pod_workers::PodWorker;
use super::resource_metrics::{self, SYSTEM_BYTES, SYSTEM_CPU, Usage};
use crate::NodeConfig;
use crate::runtime::{Container, Runtime, Stored};
use naru_api::time::{meta_time, rfc3339};
use naru_shell::Tree;
use naru_sim::Time;
use serde::Serialize;
use std::time::Duration;

/// Bytes of a page of memory.
const PAGE_BYTES: u64 = 4 << 10;
/// Bytes of disk for each file that there may be, as ext4 is made.
pub(super) const INODE_BYTES: u64 = 16 << 10;
/// How many numbers there are for processes: `kernel.pid_max`.
const PIDS_MAX: u64 = 4_194_304;
/// Bytes of memory for each process that there may be: `kernel.threads-max` is that many. Upstream:
/// `set_max_threads` in Linux's `kernel/fork.c`.
const THREAD_BYTES: u64 = 128 << 10;

/// The answer.
#[derive(Serialize)]
pub(super) struct Summary {
    node: NodeStats,
    pods: Vec<PodStats>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeStats {
    node_name: String,
    system_containers: Vec<ContainerStats>,
    start_time: String,
    cpu: CpuStats,
    memory: MemoryStats,
    fs: FsStats,
    runtime: RuntimeStats,
    rlimit: RlimitStats,
    swap: SwapStats,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuntimeStats {
    image_fs: FsStats,
    container_fs: FsStats,
}

#[derive(Serialize)]
struct RlimitStats {
    time: String,
    maxpid: u64,
    curproc: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PodStats {
    pod_ref: PodReference,
    start_time: String,
    containers: Vec<ContainerStats>,
    cpu: CpuStats,
    memory: MemoryStats,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volume: Vec<VolumeStats>,
    #[serde(rename = "ephemeral-storage")]
    ephemeral_storage: FsStats,
    #[serde(rename = "process_stats")]
    process_stats: ProcessStats,
    swap: SwapStats,
}

#[derive(Serialize)]
struct PodReference {
    name: String,
    namespace: String,
    uid: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStats {
    name: String,
    start_time: String,
    cpu: CpuStats,
    memory: MemoryStats,
    #[serde(skip_serializing_if = "Option::is_none")]
    rootfs: Option<FsStats>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logs: Option<FsStats>,
    swap: SwapStats,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CpuStats {
    time: String,
    usage_nano_cores: u64,
    usage_core_nano_seconds: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MemoryStats {
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    available_bytes: Option<u64>,
    usage_bytes: u64,
    working_set_bytes: u64,
    rss_bytes: u64,
    page_faults: u64,
    major_page_faults: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VolumeStats {
    #[serde(flatten)]
    fs: FsStats,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pvc_ref: Option<ClaimReference>,
}

#[derive(Serialize)]
struct ClaimReference {
    name: String,
    namespace: String,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct FsStats {
    time: String,
    available_bytes: u64,
    capacity_bytes: u64,
    used_bytes: u64,
    inodes_free: u64,
    inodes: u64,
    inodes_used: u64,
}

#[derive(Serialize)]
struct ProcessStats {
    process_count: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SwapStats {
    time: String,
    swap_usage_bytes: u64,
}

/// What the node and its pods use.
pub(super) fn summary(kubelet: &Kubelet, runtime: &Runtime, now: Time) -> Summary {
    let look = Look::new(kubelet, runtime, now);
    let usages = resource_metrics::usages(kubelet, runtime);
    let pods = usages.chunk_by(|a, b| a.uid == b.uid);
    Summary { node: look.node(&usages), pods: pods.filter_map(|pod| look.pod(pod)).collect() }
}

/// One look at a node.
struct Look<'a> {
    kubelet: &'a Kubelet,
    runtime: &'a Runtime,
    now: Time,
    /// What stands on the node's own disk, which images and containers share with volumes.
    images: Stored,
    disk: Stored,
}

impl<'a> Look<'a> {
    fn new(kubelet: &'a Kubelet, runtime: &'a Runtime, now: Time) -> Self {
        let files = u64::try_from(runtime.images.len()).unwrap_or(0);
        let images = Stored { bytes: runtime.images.bytes(), files };
        Look { kubelet, runtime, now, images, disk: runtime.stored() }
    }

    fn time(&self) -> String {
        rfc3339(Some(&meta_time(self.now)))
    }

    fn cpu(&self, used: Duration, since: Time) -> CpuStats {
        let nanos = u64::try_from(used.as_nanos()).unwrap_or(u64::MAX);
        let seconds = self.now.since(since).as_secs_f64();
        let rate = if seconds > 0.0 { (nanos as f64 / seconds) as u64 } else { 0 };
        CpuStats { time: self.time(), usage_nano_cores: rate, usage_core_nano_seconds: nanos }
    }

    fn memory(&self, bytes: u64, limit: Option<u64>) -> MemoryStats {
        MemoryStats {
            time: self.time(),
            available_bytes: limit.map(|limit| limit.saturating_sub(bytes)),
            usage_bytes: bytes,
            working_set_bytes: bytes,
            rss_bytes: bytes,
            page_faults: bytes / PAGE_BYTES,
            major_page_faults: 0,
        }
    }

    /// Of what shares the node's disk with everything else there.
    fn fs(&self, used: Stored) -> FsStats {
        let capacity = self.kubelet.config().disk_bytes;
        let inodes = capacity / INODE_BYTES;
        FsStats {
            time: self.time(),
            available_bytes: capacity.saturating_sub(self.disk.bytes),
            capacity_bytes: capacity,
            used_bytes: used.bytes,
            inodes_free: inodes.saturating_sub(self.disk.files),
            inodes,
            inodes_used: used.files,
        }
    }

    fn swap(&self) -> SwapStats {
        SwapStats { time: self.time(), swap_usage_bytes: 0 }
    }

    fn node(&self, usages: &[Usage<'_>]) -> NodeStats {
        let (cpu, memory) = resource_metrics::node(self.runtime, usages, self.now);
        let start = Time::ZERO;
        let system = SYSTEM_CPU.mul_f64(self.now.since(start).as_secs_f64());
        let container = |name: &str, cpu, memory, limit| ContainerStats {
            name: name.to_owned(),
            start_time: rfc3339(Some(&meta_time(start))),
            cpu: self.cpu(cpu, start),
            memory: self.memory(memory, limit),
            rootfs: None,
            logs: None,
            swap: self.swap(),
        };
        let all = self.kubelet.config().memory_bytes;
        let of_pods = (cpu.saturating_sub(system), memory.saturating_sub(SYSTEM_BYTES));
        NodeStats {
            node_name: self.kubelet.node_name().to_owned(),
            system_containers: vec![
                container("kubelet", system, SYSTEM_BYTES, None),
                container("pods", of_pods.0, of_pods.1, Some(all)),
            ],
            start_time: rfc3339(Some(&meta_time(start))),
            cpu: self.cpu(cpu, start),
            memory: self.memory(memory, Some(all)),
            fs: self.fs(self.disk),
            runtime: RuntimeStats {
                image_fs: self.fs(self.images),
                container_fs: self.fs(self.images),
            },
            rlimit: RlimitStats {
                time: self.time(),
                maxpid: pids_max(self.kubelet.config()),
                curproc: self.runtime.processes_count(),
            },
            swap: self.swap(),
        }
    }

    fn pod(&self, usages: &[Usage<'_>]) -> Option<PodStats> {
        let first = usages.first()?;
        let worker = self.kubelet.workers().find(|worker| worker.object.uid() == first.uid)?;
        let running: Vec<(&Usage<'_>, &Container)> = usages
            .iter()
            .filter_map(|usage| Some((usage, self.runtime.container(usage.id)?)))
            .collect();
        let volumes: Vec<(&str, &Tree, Option<&str>)> =
            worker.volumes.trees(&self.runtime.volumes).collect();
        let stored = ephemeral_storage(worker, self.runtime);
        Some(PodStats {
            pod_ref: PodReference {
                name: first.pod.to_owned(),
                namespace: first.namespace.to_owned(),
                uid: first.uid.to_owned(),
            },
            start_time: rfc3339(Some(&meta_time(worker.first_seen))),
            containers: running.iter().map(|(usage, it)| self.container(usage, it)).collect(),
            cpu: self.cpu(usages.iter().map(|usage| usage.cpu).sum(), worker.first_seen),
            memory: self.memory(usages.iter().map(|usage| usage.memory).sum(), None),
            volume: volumes
                .iter()
                .map(|(name, tree, claim)| VolumeStats {
                    fs: self.fs(Stored::of(tree)),
                    name: (*name).to_owned(),
                    pvc_ref: claim.map(|claim| ClaimReference {
                        name: claim.to_owned(),
                        namespace: first.namespace.to_owned(),
                    }),
                })
                .collect(),
            ephemeral_storage: self.fs(stored),
            process_stats: ProcessStats {
                process_count: running.iter().map(|(_, container)| processes(container)).sum(),
            },
            swap: self.swap(),
        })
    }

    fn container(&self, usage: &Usage<'_>, container: &Container) -> ContainerStats {
        ContainerStats {
            name: usage.name.to_owned(),
            start_time: rfc3339(Some(&meta_time(usage.started))),
            cpu: self.cpu(usage.cpu, usage.started),
            memory: self.memory(usage.memory, container.config.memory_limit),
            rootfs: Some(self.fs(container.written())),
            logs: Some(self.fs(container.logged())),
            swap: self.swap(),
        }
    }
}

/// What a pod takes of the node's disk: what its containers write, and volumes that end with it.
///
/// Upstream: `calcEphemeralStorage` in `pkg/kubelet/stats/helper.go`.
fn ephemeral_storage(worker: &PodWorker, runtime: &Runtime) -> Stored {
    let running = worker.containers.iter().filter_map(|record| runtime.container(record.id?));
    let running = running.filter(|container| container.is_running());
    let stored = running.fold(Stored::default(), |sum, container| {
        sum.and(container.written()).and(container.logged())
    });
    let volumes = worker.volumes.ephemeral_trees(&runtime.volumes);
    volumes.fold(stored, |sum, tree| sum.and(Stored::of(tree)))
}

/// Bytes that a pod takes of the node's disk.
pub(super) fn ephemeral_bytes(worker: &PodWorker, runtime: &Runtime) -> u64 {
    ephemeral_storage(worker, runtime).bytes
}

/// Files that a pod has on the node's disk.
pub(super) fn ephemeral_files(worker: &PodWorker, runtime: &Runtime) -> u64 {
    ephemeral_storage(worker, runtime).files
}

/// Bytes that a container takes of the node's disk.
pub(super) fn container_bytes(container: &Container) -> u64 {
    container.written().and(container.logged()).bytes
}

/// How many processes a node may have.
///
/// Upstream: `pkg/kubelet/stats/pidlimit/pidlimit_linux.go`.
pub(super) fn pids_max(config: &NodeConfig) -> u64 {
    PIDS_MAX.min(config.memory_bytes / THREAD_BYTES)
}

fn processes(container: &Container) -> u64 {
    container.processes() as u64
}
