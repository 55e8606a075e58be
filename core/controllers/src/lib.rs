//! The controllers of kube-controller-manager, one file each, by upstream's names.
//!
//! A controller sees the cluster through its cache and changes it through its client; none knows
//! of another.

mod controller_ref;
mod daemonset;
mod deployment;
mod endpoints;
mod endpointslice;
mod expectations;
mod garbagecollector;
mod namespace;
mod nodelifecycle;
mod pod_control;
mod podgc;
mod replicaset;
mod resourcequota;
mod rootca;
mod serviceaccount;
mod services;
mod storage_protection;
mod tainteviction;
mod util;
mod victims;

pub use daemonset::DaemonSetsController;
pub use deployment::DeploymentController;
pub use endpoints::EndpointsController;
pub use endpointslice::EndpointSliceController;
pub use garbagecollector::GarbageCollector;
pub use namespace::NamespaceController;
pub use nodelifecycle::NodeLifecycleController;
pub use podgc::PodGc;
pub use replicaset::ReplicaSetController;
pub use resourcequota::ResourceQuotaController;
pub use rootca::RootCaPublisher;
pub use serviceaccount::ServiceAccountsController;
pub use storage_protection::{PvProtectionController, PvcProtectionController};
pub use tainteviction::TaintEvictionController;

use naru_client::Reconcile;

/// Every controller that kube-controller-manager runs, but for those that need to be told
/// something: [`RootCaPublisher`] needs the cluster's certificate.
pub fn controller_manager() -> Vec<Box<dyn Reconcile<()>>> {
    vec![
        Box::new(DaemonSetsController::default()),
        Box::new(DeploymentController::default()),
        Box::new(EndpointsController::default()),
        Box::new(EndpointSliceController::default()),
        Box::new(GarbageCollector::default()),
        Box::new(NamespaceController),
        Box::new(NodeLifecycleController::default()),
        Box::new(PodGc::default()),
        Box::new(PvProtectionController),
        Box::new(PvcProtectionController),
        Box::new(ReplicaSetController::default()),
        Box::new(ResourceQuotaController),
        Box::new(ServiceAccountsController),
        Box::new(TaintEvictionController::default()),
    ]
}
