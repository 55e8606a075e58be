//! Kubernetes' types, v1.33: those of `k8s-openapi` under its names, except for what pods are made
//! of.
//!
//! In `k8s-openapi` a pod owns all of its parts: ten kilobytes, of which three are the kinds of
//! volumes that a token's volume is not. Each version of a pod, and each pod of a template, would
//! have a copy. Here the large parts are [`Shared`], so that a copy shares them until it changes
//! one. The types that contain a pod's spec are here for that reason alone; the fields are the
//! same, and so is what serde makes of them.
//!
//! The workspace knows this crate as `k8s-openapi`.

#[macro_use]
mod fields;
mod apps;
mod batch;
mod core;
mod shared;

pub use k8s_openapi::*;
pub use shared::Shared;

/// The API groups.
pub mod api {
    pub use k8s_openapi::api::*;

    /// Workloads.
    pub mod apps {
        /// `apps/v1`.
        pub mod v1 {
            pub use crate::apps::{
                DaemonSet, DaemonSetSpec, Deployment, DeploymentSpec, ReplicaSet, ReplicaSetSpec,
                StatefulSet, StatefulSetSpec,
            };
            pub use k8s_openapi::api::apps::v1::*;
        }
    }

    /// Jobs.
    pub mod batch {
        /// `batch/v1`.
        pub mod v1 {
            pub use crate::batch::{CronJob, CronJobSpec, Job, JobSpec, JobTemplateSpec};
            pub use k8s_openapi::api::batch::v1::*;
        }
    }

    /// The core group.
    pub mod core {
        /// `v1`.
        pub mod v1 {
            pub use crate::core::{
                Container, EphemeralContainer, Pod, PodSpec, PodTemplate, PodTemplateSpec,
                ReplicationController, ReplicationControllerSpec, Volume,
            };
            pub use k8s_openapi::api::core::v1::*;
        }
    }
}
