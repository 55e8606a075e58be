//! The kubelet, file by file as upstream's `pkg/kubelet`.

mod backoff;
mod calm;
pub(crate) mod config_file;
mod configz;
mod container_log_manager;
mod env;
mod ephemeral;
mod eviction;
mod expansion;
mod image_gc_manager;
#[expect(clippy::module_inception, reason = "upstream's name of the file")]
mod kubelet;
pub(crate) mod kubelet_config;
mod kuberuntime_container;
mod kuberuntime_gc;
mod lease;
mod lifecycle;
pub(crate) mod log_files;
mod metrics;
mod mirror;
pub mod network;
mod node_status;
mod nodeinfomanager;
mod pod_files;
pub(crate) mod pod_workers;
mod predicate;
mod probes;
mod pull_secrets;
mod record;
mod resize;
pub(crate) mod resource_metrics;
mod security_context;
pub(crate) mod server;
mod static_pods;
mod stats;
mod status;
mod sysctl;
mod system_logs;
mod termination;
mod volumes;

pub use kubelet::Kubelet;
pub use kubelet_config::KubeletConfiguration;
pub use pod_workers::NodeWorld;
pub use record::ContainerRecord;
pub use status::first_reason;
