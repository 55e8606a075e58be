//! Workloads, whose specs have templates of pods.

use crate::api::apps::v1::{
    DaemonSetStatus, DaemonSetUpdateStrategy, DeploymentStatus, DeploymentStrategy,
    ReplicaSetStatus, StatefulSetOrdinals, StatefulSetPersistentVolumeClaimRetentionPolicy,
    StatefulSetStatus, StatefulSetUpdateStrategy,
};
use crate::api::core::v1::{PersistentVolumeClaim, PodTemplateSpec};
use crate::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

kind! {
    /// `DaemonSet`.
    DaemonSet, "apps", "apps/v1", "daemonsets" {
        metadata: req ObjectMeta = "metadata",
        spec: opt DaemonSetSpec = "spec",
        status: opt DaemonSetStatus = "status",
    }
}

fields! {
    /// `DaemonSetSpec`.
    DaemonSetSpec () {
        min_ready_seconds: opt i32 = "minReadySeconds",
        revision_history_limit: opt i32 = "revisionHistoryLimit",
        selector: req LabelSelector = "selector",
        template: req PodTemplateSpec = "template",
        update_strategy: opt DaemonSetUpdateStrategy = "updateStrategy",
    }
}

kind! {
    /// `Deployment`.
    Deployment, "apps", "apps/v1", "deployments" {
        metadata: req ObjectMeta = "metadata",
        spec: opt DeploymentSpec = "spec",
        status: opt DeploymentStatus = "status",
    }
}

fields! {
    /// `DeploymentSpec`.
    DeploymentSpec () {
        min_ready_seconds: opt i32 = "minReadySeconds",
        paused: opt bool = "paused",
        progress_deadline_seconds: opt i32 = "progressDeadlineSeconds",
        replicas: opt i32 = "replicas",
        revision_history_limit: opt i32 = "revisionHistoryLimit",
        selector: req LabelSelector = "selector",
        strategy: opt DeploymentStrategy = "strategy",
        template: req PodTemplateSpec = "template",
    }
}

kind! {
    /// `ReplicaSet`.
    ReplicaSet, "apps", "apps/v1", "replicasets" {
        metadata: req ObjectMeta = "metadata",
        spec: opt ReplicaSetSpec = "spec",
        status: opt ReplicaSetStatus = "status",
    }
}

fields! {
    /// `ReplicaSetSpec`.
    ReplicaSetSpec () {
        min_ready_seconds: opt i32 = "minReadySeconds",
        replicas: opt i32 = "replicas",
        selector: req LabelSelector = "selector",
        template: opt PodTemplateSpec = "template",
    }
}

kind! {
    /// `StatefulSet`.
    StatefulSet, "apps", "apps/v1", "statefulsets" {
        metadata: req ObjectMeta = "metadata",
        spec: opt StatefulSetSpec = "spec",
        status: opt StatefulSetStatus = "status",
    }
}

fields! {
    /// `StatefulSetSpec`.
    StatefulSetSpec () {
        min_ready_seconds: opt i32 = "minReadySeconds",
        ordinals: opt StatefulSetOrdinals = "ordinals",
        persistent_volume_claim_retention_policy: opt StatefulSetPersistentVolumeClaimRetentionPolicy = "persistentVolumeClaimRetentionPolicy",
        pod_management_policy: opt String = "podManagementPolicy",
        replicas: opt i32 = "replicas",
        revision_history_limit: opt i32 = "revisionHistoryLimit",
        selector: req LabelSelector = "selector",
        service_name: opt String = "serviceName",
        template: req PodTemplateSpec = "template",
        update_strategy: opt StatefulSetUpdateStrategy = "updateStrategy",
        volume_claim_templates: opt Vec<PersistentVolumeClaim> = "volumeClaimTemplates",
    }
}
