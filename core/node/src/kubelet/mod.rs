//! The kubelet, file by file as upstream's `pkg/kubelet`.

mod backoff;
mod configz;
mod env;
mod ephemeral;
mod eviction;
mod expansion;
#[expect(clippy::module_inception, reason = "upstream's name of the file")]
mod kubelet;
mod kuberuntime_container;
mod lease;
mod lifecycle;
mod memory_pressure;
mod metrics;
mod mirror;
mod node_status;
mod nodeinfomanager;
mod pod_files;
pub(crate) mod pod_workers;
mod probes;
mod pull_secrets;
mod record;
mod resize;
mod resource_metrics;
mod security_context;
pub(crate) mod server;
mod static_pods;
mod status;
mod system_logs;
mod termination;
mod volumes;

pub use kubelet::Kubelet;
pub use pod_workers::NodeWorld;
pub use record::ContainerRecord;
pub use status::first_reason;
