//! What pods are made of, and their templates.

use crate::Shared;
use crate::api::core::v1::{
    AWSElasticBlockStoreVolumeSource, Affinity, AzureDiskVolumeSource, AzureFileVolumeSource,
    CSIVolumeSource, CephFSVolumeSource, CinderVolumeSource, ConfigMapVolumeSource, ContainerPort,
    ContainerResizePolicy, DownwardAPIVolumeSource, EmptyDirVolumeSource, EnvFromSource, EnvVar,
    EphemeralVolumeSource, FCVolumeSource, FlexVolumeSource, FlockerVolumeSource,
    GCEPersistentDiskVolumeSource, GitRepoVolumeSource, GlusterfsVolumeSource, HostAlias,
    HostPathVolumeSource, ISCSIVolumeSource, ImageVolumeSource, Lifecycle, LocalObjectReference,
    NFSVolumeSource, PersistentVolumeClaimVolumeSource, PhotonPersistentDiskVolumeSource,
    PodDNSConfig, PodOS, PodReadinessGate, PodResourceClaim, PodSchedulingGate, PodSecurityContext,
    PodStatus, PortworxVolumeSource, Probe, ProjectedVolumeSource, QuobyteVolumeSource,
    RBDVolumeSource, ReplicationControllerStatus, ResourceRequirements, ScaleIOVolumeSource,
    SecretVolumeSource, SecurityContext, StorageOSVolumeSource, Toleration,
    TopologySpreadConstraint, VolumeDevice, VolumeMount, VsphereVirtualDiskVolumeSource,
};
use crate::apimachinery::pkg::api::resource::Quantity;
use crate::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

kind! {
    /// `Pod`.
    Pod, "", "v1", "pods" {
        metadata: req ObjectMeta = "metadata",
        spec: opt Shared<PodSpec> = "spec",
        status: opt PodStatus = "status",
    }
}

fields! {
    /// `PodSpec`.
    PodSpec () {
        active_deadline_seconds: opt i64 = "activeDeadlineSeconds",
        affinity: opt Shared<Affinity> = "affinity",
        automount_service_account_token: opt bool = "automountServiceAccountToken",
        containers: req Vec<Container> = "containers",
        dns_config: opt Shared<PodDNSConfig> = "dnsConfig",
        dns_policy: opt String = "dnsPolicy",
        enable_service_links: opt bool = "enableServiceLinks",
        ephemeral_containers: opt Vec<EphemeralContainer> = "ephemeralContainers",
        host_aliases: opt Vec<HostAlias> = "hostAliases",
        host_ipc: opt bool = "hostIPC",
        host_network: opt bool = "hostNetwork",
        host_pid: opt bool = "hostPID",
        host_users: opt bool = "hostUsers",
        hostname: opt String = "hostname",
        image_pull_secrets: opt Vec<LocalObjectReference> = "imagePullSecrets",
        init_containers: opt Vec<Container> = "initContainers",
        node_name: opt String = "nodeName",
        node_selector: opt BTreeMap<String, String> = "nodeSelector",
        os: opt PodOS = "os",
        overhead: opt BTreeMap<String, Quantity> = "overhead",
        preemption_policy: opt String = "preemptionPolicy",
        priority: opt i32 = "priority",
        priority_class_name: opt String = "priorityClassName",
        readiness_gates: opt Vec<PodReadinessGate> = "readinessGates",
        resource_claims: opt Vec<PodResourceClaim> = "resourceClaims",
        resources: opt Shared<ResourceRequirements> = "resources",
        restart_policy: opt String = "restartPolicy",
        runtime_class_name: opt String = "runtimeClassName",
        scheduler_name: opt String = "schedulerName",
        scheduling_gates: opt Vec<PodSchedulingGate> = "schedulingGates",
        security_context: opt Shared<PodSecurityContext> = "securityContext",
        service_account: opt String = "serviceAccount",
        service_account_name: opt String = "serviceAccountName",
        set_hostname_as_fqdn: opt bool = "setHostnameAsFQDN",
        share_process_namespace: opt bool = "shareProcessNamespace",
        subdomain: opt String = "subdomain",
        termination_grace_period_seconds: opt i64 = "terminationGracePeriodSeconds",
        tolerations: opt Vec<Toleration> = "tolerations",
        topology_spread_constraints: opt Vec<TopologySpreadConstraint> = "topologySpreadConstraints",
        volumes: opt Vec<Volume> = "volumes",
    }
}

kind! {
    /// `PodTemplate`.
    PodTemplate, "", "v1", "podtemplates" {
        metadata: req ObjectMeta = "metadata",
        template: opt PodTemplateSpec = "template",
    }
}

fields! {
    /// `PodTemplateSpec`.
    PodTemplateSpec () {
        metadata: opt ObjectMeta = "metadata",
        spec: opt Shared<PodSpec> = "spec",
    }
}

fields! {
    /// `Container`.
    Container () {
        args: opt Vec<String> = "args",
        command: opt Vec<String> = "command",
        env: opt Vec<EnvVar> = "env",
        env_from: opt Vec<EnvFromSource> = "envFrom",
        image: opt String = "image",
        image_pull_policy: opt String = "imagePullPolicy",
        lifecycle: opt Shared<Lifecycle> = "lifecycle",
        liveness_probe: opt Shared<Probe> = "livenessProbe",
        name: req String = "name",
        ports: opt Vec<ContainerPort> = "ports",
        readiness_probe: opt Shared<Probe> = "readinessProbe",
        resize_policy: opt Vec<ContainerResizePolicy> = "resizePolicy",
        resources: opt Shared<ResourceRequirements> = "resources",
        restart_policy: opt String = "restartPolicy",
        security_context: opt Shared<SecurityContext> = "securityContext",
        startup_probe: opt Shared<Probe> = "startupProbe",
        stdin: opt bool = "stdin",
        stdin_once: opt bool = "stdinOnce",
        termination_message_path: opt String = "terminationMessagePath",
        termination_message_policy: opt String = "terminationMessagePolicy",
        tty: opt bool = "tty",
        volume_devices: opt Vec<VolumeDevice> = "volumeDevices",
        volume_mounts: opt Vec<VolumeMount> = "volumeMounts",
        working_dir: opt String = "workingDir",
    }
}

fields! {
    /// `EphemeralContainer`.
    EphemeralContainer () {
        args: opt Vec<String> = "args",
        command: opt Vec<String> = "command",
        env: opt Vec<EnvVar> = "env",
        env_from: opt Vec<EnvFromSource> = "envFrom",
        image: opt String = "image",
        image_pull_policy: opt String = "imagePullPolicy",
        lifecycle: opt Shared<Lifecycle> = "lifecycle",
        liveness_probe: opt Shared<Probe> = "livenessProbe",
        name: req String = "name",
        ports: opt Vec<ContainerPort> = "ports",
        readiness_probe: opt Shared<Probe> = "readinessProbe",
        resize_policy: opt Vec<ContainerResizePolicy> = "resizePolicy",
        resources: opt Shared<ResourceRequirements> = "resources",
        restart_policy: opt String = "restartPolicy",
        security_context: opt Shared<SecurityContext> = "securityContext",
        startup_probe: opt Shared<Probe> = "startupProbe",
        stdin: opt bool = "stdin",
        stdin_once: opt bool = "stdinOnce",
        target_container_name: opt String = "targetContainerName",
        termination_message_path: opt String = "terminationMessagePath",
        termination_message_policy: opt String = "terminationMessagePolicy",
        tty: opt bool = "tty",
        volume_devices: opt Vec<VolumeDevice> = "volumeDevices",
        volume_mounts: opt Vec<VolumeMount> = "volumeMounts",
        working_dir: opt String = "workingDir",
    }
}

fields! {
    /// `Volume`.
    Volume () {
        aws_elastic_block_store: opt Shared<AWSElasticBlockStoreVolumeSource> = "awsElasticBlockStore",
        azure_disk: opt Shared<AzureDiskVolumeSource> = "azureDisk",
        azure_file: opt Shared<AzureFileVolumeSource> = "azureFile",
        cephfs: opt Shared<CephFSVolumeSource> = "cephfs",
        cinder: opt Shared<CinderVolumeSource> = "cinder",
        config_map: opt Shared<ConfigMapVolumeSource> = "configMap",
        csi: opt Shared<CSIVolumeSource> = "csi",
        downward_api: opt Shared<DownwardAPIVolumeSource> = "downwardAPI",
        empty_dir: opt Shared<EmptyDirVolumeSource> = "emptyDir",
        ephemeral: opt Shared<EphemeralVolumeSource> = "ephemeral",
        fc: opt Shared<FCVolumeSource> = "fc",
        flex_volume: opt Shared<FlexVolumeSource> = "flexVolume",
        flocker: opt Shared<FlockerVolumeSource> = "flocker",
        gce_persistent_disk: opt Shared<GCEPersistentDiskVolumeSource> = "gcePersistentDisk",
        git_repo: opt Shared<GitRepoVolumeSource> = "gitRepo",
        glusterfs: opt Shared<GlusterfsVolumeSource> = "glusterfs",
        host_path: opt Shared<HostPathVolumeSource> = "hostPath",
        image: opt Shared<ImageVolumeSource> = "image",
        iscsi: opt Shared<ISCSIVolumeSource> = "iscsi",
        name: req String = "name",
        nfs: opt Shared<NFSVolumeSource> = "nfs",
        persistent_volume_claim: opt Shared<PersistentVolumeClaimVolumeSource> = "persistentVolumeClaim",
        photon_persistent_disk: opt Shared<PhotonPersistentDiskVolumeSource> = "photonPersistentDisk",
        portworx_volume: opt Shared<PortworxVolumeSource> = "portworxVolume",
        projected: opt Shared<ProjectedVolumeSource> = "projected",
        quobyte: opt Shared<QuobyteVolumeSource> = "quobyte",
        rbd: opt Shared<RBDVolumeSource> = "rbd",
        scale_io: opt Shared<ScaleIOVolumeSource> = "scaleIO",
        secret: opt Shared<SecretVolumeSource> = "secret",
        storageos: opt Shared<StorageOSVolumeSource> = "storageos",
        vsphere_volume: opt Shared<VsphereVirtualDiskVolumeSource> = "vsphereVolume",
    }
}

kind! {
    /// `ReplicationController`.
    ReplicationController, "", "v1", "replicationcontrollers" {
        metadata: req ObjectMeta = "metadata",
        spec: opt ReplicationControllerSpec = "spec",
        status: opt ReplicationControllerStatus = "status",
    }
}

fields! {
    /// `ReplicationControllerSpec`.
    ReplicationControllerSpec () {
        min_ready_seconds: opt i32 = "minReadySeconds",
        replicas: opt i32 = "replicas",
        selector: opt BTreeMap<String, String> = "selector",
        template: opt PodTemplateSpec = "template",
    }
}
