//! A node: kubelet, container runtime, images, programs, volumes, kube-proxy.

mod image_programs;
mod image_ref;
mod images;
pub mod proxy;

pub use image_ref::ImageRef;
pub use images::{Image, Layer, RegistryError};
