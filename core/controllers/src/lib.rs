//! The controllers of kube-controller-manager, one file each, by upstream's names.
//!
//! A controller sees the cluster through its cache and changes it through its client; none knows
//! of another.

mod controller_ref;
mod deployment;
mod endpoints;
mod endpointslice;
mod expectations;
mod garbagecollector;
mod pod_control;
mod replicaset;
mod services;
mod util;
mod victims;

pub use deployment::DeploymentController;
pub use endpoints::EndpointsController;
pub use endpointslice::EndpointSliceController;
pub use garbagecollector::GarbageCollector;
pub use replicaset::ReplicaSetController;

use naru_client::Reconcile;

/// Every controller that kube-controller-manager runs.
pub fn controller_manager() -> Vec<Box<dyn Reconcile<()>>> {
    vec![
        Box::new(DeploymentController::default()),
        Box::new(EndpointsController::default()),
        Box::new(EndpointSliceController::default()),
        Box::new(GarbageCollector::default()),
        Box::new(ReplicaSetController::default()),
    ]
}
