//! The controllers of kube-controller-manager, one file each, by upstream's names.
//!
//! A controller sees the cluster through its cache and changes it through its client; none knows
//! of another.

mod attachdetach;
mod bootstrap;
mod certificates;
mod cloud_service;
mod clusterroleaggregation;
mod controller_ref;
mod cronjob;
mod daemonset;
mod deployment;
mod disruption;
mod endpoints;
mod endpointslice;
mod ephemeral;
mod expand;
mod expectations;
mod garbagecollector;
mod history;
mod job;
mod namespace;
mod nodeipam;
mod nodelifecycle;
mod persistentvolume;
mod pod_control;
mod podautoscaler;
mod podgc;
mod replicaset;
mod replication;
mod resourcequota;
mod rootca;
mod serviceaccount;
mod services;
mod statefulset;
mod storage_protection;
mod tainteviction;
mod tokens;
mod ttlafterfinished;
mod util;
mod victims;

pub use attachdetach::AttachDetachController;
pub use bootstrap::{BootstrapSigner, TokenCleaner};
pub use certificates::{CsrApprovingController, CsrSigningController};
pub use cloud_service::ServiceController;
pub use clusterroleaggregation::ClusterRoleAggregationController;
pub use cronjob::CronJobController;
pub use daemonset::DaemonSetsController;
pub use deployment::DeploymentController;
pub use disruption::{DisruptionController, StalePodDisruptions};
pub use endpoints::EndpointsController;
pub use endpointslice::{EndpointSliceController, EndpointSliceMirroringController};
pub use ephemeral::EphemeralVolumeController;
pub use expand::ExpandController;
pub use garbagecollector::GarbageCollector;
pub use job::{JobController, JobOrphanPods};
pub use namespace::NamespaceController;
pub use nodeipam::NodeIpamController;
pub use nodelifecycle::NodeLifecycleController;
pub use persistentvolume::PersistentVolumeBinderController;
pub use podautoscaler::HorizontalController;
pub use podgc::PodGc;
pub use replicaset::{ReplicaSetController, Replication, Replicator};
pub use replication::ReplicationManager;
pub use resourcequota::ResourceQuotaController;
pub use rootca::RootCaPublisher;
pub use serviceaccount::ServiceAccountsController;
pub use statefulset::StatefulSetController;
pub use storage_protection::{PvProtectionController, PvcProtectionController};
pub use tainteviction::TaintEvictionController;
pub use tokens::TokensController;
pub use ttlafterfinished::TtlAfterFinishedController;

use naru_client::Reconcile;

/// Every controller that kube-controller-manager runs, but for those that need to be told
/// something: [`CsrSigningController`], [`RootCaPublisher`] and [`TokensController`] need the
/// cluster's keys, [`NodeIpamController`] its ranges of addresses. ([`ServiceController`] is run by a
/// cloud controller manager.)
pub fn controller_manager() -> Vec<Box<dyn Reconcile<()>>> {
    vec![
        Box::new(AttachDetachController::default()),
        Box::new(BootstrapSigner),
        Box::new(CsrApprovingController),
        Box::new(ClusterRoleAggregationController),
        Box::new(CronJobController::default()),
        Box::new(DaemonSetsController::default()),
        Box::new(DeploymentController::default()),
        Box::new(DisruptionController::default()),
        Box::new(EndpointsController::default()),
        Box::new(EndpointSliceController::default()),
        Box::new(EndpointSliceMirroringController::default()),
        Box::new(EphemeralVolumeController),
        Box::new(ExpandController),
        Box::new(GarbageCollector::default()),
        Box::new(HorizontalController::default()),
        Box::new(JobController::default()),
        Box::new(JobOrphanPods),
        Box::new(NamespaceController),
        Box::new(NodeLifecycleController::default()),
        Box::new(PersistentVolumeBinderController::default()),
        Box::new(PodGc::default()),
        Box::new(PvProtectionController),
        Box::new(PvcProtectionController),
        Box::new(ReplicaSetController::default()),
        Box::new(ReplicationManager::default()),
        Box::new(ResourceQuotaController),
        Box::new(ServiceAccountsController),
        Box::new(StalePodDisruptions),
        Box::new(StatefulSetController::default()),
        Box::new(TaintEvictionController::default()),
        Box::new(TokenCleaner),
        Box::new(TtlAfterFinishedController),
    ]
}

/// The service account of `kube-system` as which a controller works: its upstream name, but for
/// those whose account is older than the name.
///
/// Upstream: the names that `cmd/kube-controller-manager/app` asks its client builder for.
pub fn service_account(controller: &str) -> &str {
    match controller {
        "bootstrap-signer-controller" => "bootstrap-signer",
        "token-cleaner-controller" => "token-cleaner",
        "certificatesigningrequest-approving-controller"
        | "certificatesigningrequest-cleaner-controller"
        | "certificatesigningrequest-signing-controller" => "certificate-controller",
        "daemonset-controller" => "daemon-set-controller",
        "endpoint-slice-controller" => "endpointslice-controller",
        "endpointslice-mirroring-controller" => "endpointslicemirroring-controller",
        "endpoints-controller" => "endpoint-controller",
        "garbage-collector-controller" => "generic-garbage-collector",
        "horizontal-pod-autoscaler-controller" => "horizontal-pod-autoscaler",
        "cidrAllocator" | "node-lifecycle-controller" | "taint-eviction-controller" => {
            "node-controller"
        }
        "persistentvolume-attach-detach-controller" => "attachdetach-controller",
        "persistentvolume-binder-controller" => "persistent-volume-binder",
        "persistentvolume-expander-controller" => "expand-controller",
        "persistentvolume-protection-controller" => "pv-protection-controller",
        "persistentvolumeclaim-protection-controller" => "pvc-protection-controller",
        "pod-garbage-collector-controller" => "pod-garbage-collector",
        "replicationcontroller-controller" => "replication-controller",
        "root-ca-certificate-publisher-controller" => "root-ca-cert-publisher",
        "serviceaccount-controller" => "service-account-controller",
        name => name,
    }
}
