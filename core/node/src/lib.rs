//! A node: kubelet, container runtime, images, programs, volumes, kube-proxy.

mod calico;
mod config;
mod csi_drivers;
mod disks;
pub mod docker;
mod exchange;
mod flannel;
mod image_programs;
mod image_ref;
mod image_store;
mod images;
mod kindnet;
mod kubelet;
pub mod limits;
mod machine;
mod networkpolicy;
mod node;
mod pipe;
mod plugins;
mod portforward;
mod programs;
pub mod proxy;
mod registry;
pub mod runtime;
mod streams;

pub use config::{NodeConfig, NodeSoftware};
pub use disks::{DiskId, Disks};
pub use image_ref::ImageRef;
pub use images::{Image, Layer, RegistryError};
pub use machine::Machine;
pub use node::{Env, Node, NodeApi};
pub use programs::programs;
pub use registry::Registry;
pub use runtime::NamespaceStack;
