//! The table of the built-in kinds' types.
//!
//! Upstream: `api/openapi-spec/swagger.json` of v1.33.4 (lists and maps), the struct tags of
//! `k8s.io/api` v0.33.4 (`omitempty`, `patchStrategy`, `patchMergeKey`), and the defaults of
//! `client-go/applyconfigurations/internal` (keys). A type or a field is here if one of them says
//! more of it than can be deduced.

use super::Type::{Deduced, Keyed, Set};

use super::{Key, Node, Struct, Type, field};

/// A struct of which nothing more is known.
const PLAIN: Type = Type::Struct(&NO_FIELDS);
/// A struct or a map that is one value.
const WHOLE: Type = Type::Struct(&ONE_VALUE);
static NO_FIELDS: Struct = Struct::new(&[]);
static ONE_VALUE: Struct = Struct::new(&[]).atomic();

/// The type of a kind's objects.
pub(super) fn of(group: &str, version: &str, kind: &str) -> Option<Type> {
    Some(Type::Struct(match (group, version, kind) {
        ("", "v1", "Binding") => &BINDING,
        ("", "v1", "ConfigMap") => &CONFIG_MAP,
        ("", "v1", "Endpoints") => &ENDPOINTS,
        ("", "v1", "Event") => &EVENT,
        ("", "v1", "LimitRange") => &LIMIT_RANGE,
        ("", "v1", "Namespace") => &NAMESPACE,
        ("", "v1", "Node") => &NODE,
        ("", "v1", "PersistentVolume") => &PERSISTENT_VOLUME,
        ("", "v1", "PersistentVolumeClaim") => &PERSISTENT_VOLUME_CLAIM,
        ("", "v1", "Pod") => &POD,
        ("", "v1", "PodTemplate") => &POD_TEMPLATE,
        ("", "v1", "ReplicationController") => &REPLICATION_CONTROLLER,
        ("", "v1", "ResourceQuota") => &RESOURCE_QUOTA,
        ("", "v1", "Secret") => &SECRET,
        ("", "v1", "Service") => &SERVICE,
        ("", "v1", "ServiceAccount") => &SERVICE_ACCOUNT,
        ("apps", "v1", "ControllerRevision") => &CONTROLLER_REVISION,
        ("apps", "v1", "DaemonSet") => &DAEMON_SET,
        ("apps", "v1", "Deployment") => &DEPLOYMENT,
        ("apps", "v1", "ReplicaSet") => &REPLICA_SET,
        ("apps", "v1", "StatefulSet") => &STATEFUL_SET,
        ("batch", "v1", "Job") => &JOB,
        ("batch", "v1", "CronJob") => &CRON_JOB,
        ("autoscaling", "v1", "HorizontalPodAutoscaler") => {
            &AUTOSCALING_V1_HORIZONTAL_POD_AUTOSCALER
        }
        ("autoscaling", "v1", "Scale") => &SCALE,
        ("autoscaling", "v2", "HorizontalPodAutoscaler") => {
            &AUTOSCALING_V2_HORIZONTAL_POD_AUTOSCALER
        }
        ("networking.k8s.io", "v1", "Ingress") => &INGRESS,
        ("networking.k8s.io", "v1", "IngressClass") => &INGRESS_CLASS,
        ("networking.k8s.io", "v1", "NetworkPolicy") => &NETWORK_POLICY,
        ("networking.k8s.io", "v1", "IPAddress") => &IP_ADDRESS,
        ("networking.k8s.io", "v1", "ServiceCIDR") => &SERVICE_CIDR,
        ("discovery.k8s.io", "v1", "EndpointSlice") => &ENDPOINT_SLICE,
        ("policy", "v1", "PodDisruptionBudget") => &POD_DISRUPTION_BUDGET,
        ("rbac.authorization.k8s.io", "v1", "Role") => &ROLE,
        ("rbac.authorization.k8s.io", "v1", "ClusterRole") => &CLUSTER_ROLE,
        ("rbac.authorization.k8s.io", "v1", "RoleBinding") => &ROLE_BINDING,
        ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding") => &CLUSTER_ROLE_BINDING,
        ("storage.k8s.io", "v1", "StorageClass") => &STORAGE_CLASS,
        ("storage.k8s.io", "v1", "VolumeAttachment") => &VOLUME_ATTACHMENT,
        ("storage.k8s.io", "v1", "CSIDriver") => &CSI_DRIVER,
        ("storage.k8s.io", "v1", "CSINode") => &CSI_NODE,
        ("storage.k8s.io", "v1", "CSIStorageCapacity") => &CSI_STORAGE_CAPACITY,
        ("scheduling.k8s.io", "v1", "PriorityClass") => &PRIORITY_CLASS,
        ("coordination.k8s.io", "v1", "Lease") => &LEASE,
        ("certificates.k8s.io", "v1", "CertificateSigningRequest") => &CERTIFICATE_SIGNING_REQUEST,
        ("events.k8s.io", "v1", "Event") => &EVENTS_EVENT,
        ("node.k8s.io", "v1", "RuntimeClass") => &RUNTIME_CLASS,
        ("flowcontrol.apiserver.k8s.io", "v1", "FlowSchema") => &FLOW_SCHEMA,
        ("flowcontrol.apiserver.k8s.io", "v1", "PriorityLevelConfiguration") => {
            &PRIORITY_LEVEL_CONFIGURATION
        }
        ("admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration") => {
            &MUTATING_WEBHOOK_CONFIGURATION
        }
        ("admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration") => {
            &VALIDATING_WEBHOOK_CONFIGURATION
        }
        ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy") => {
            &VALIDATING_ADMISSION_POLICY
        }
        ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding") => {
            &VALIDATING_ADMISSION_POLICY_BINDING
        }
        ("apiextensions.k8s.io", "v1", "CustomResourceDefinition") => &CUSTOM_RESOURCE_DEFINITION,
        ("apiregistration.k8s.io", "v1", "APIService") => &API_SERVICE,
        _ => return None,
    }))
}

/// The metadata of every object.
pub(super) fn metadata() -> Node<'static> {
    Node::BuiltIn(Type::Struct(&OBJECT_META))
}

const CONTAINER_PORT_PROTOCOL: &[Key] =
    &[Key::number("containerPort", 0), Key::text("protocol", "TCP")];
const DEVICE_PATH: &[Key] = &[Key::text("devicePath", "")];
const IP: &[Key] = &[Key::text("ip", "")];
const MOUNT_PATH: &[Key] = &[Key::text("mountPath", "")];
const NAME: &[Key] = &[Key::text("name", "")];
const NAME_OR: &[Key] = &[Key::required("name")];
const PORT_PROTOCOL: &[Key] = &[Key::number("port", 0), Key::text("protocol", "TCP")];
const TOPOLOGY_KEY_WHEN_UNSATISFIABLE: &[Key] =
    &[Key::text("topologyKey", ""), Key::text("whenUnsatisfiable", "")];
const TYPE: &[Key] = &[Key::text("type", "")];
const TYPE_OR: &[Key] = &[Key::required("type")];
const UID: &[Key] = &[Key::text("uid", "")];
static AFFINITY: Struct = Struct::new(&[field("nodeAffinity", Type::Struct(&NODE_AFFINITY))]);
static API_SERVICE: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("status", Type::Struct(&API_SERVICE_STATUS)),
]);
static API_SERVICE_STATUS: Struct =
    Struct::new(&[field("conditions", Keyed(TYPE, &NO_FIELDS)).merge("type")]);
static AUTOSCALING_V1_HORIZONTAL_POD_AUTOSCALER: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&HORIZONTAL_POD_AUTOSCALER_SPEC)),
]);
static AUTOSCALING_V2_HORIZONTAL_POD_AUTOSCALER: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("status", Type::Struct(&HORIZONTAL_POD_AUTOSCALER_STATUS)),
]);
static BINDING: Struct =
    Struct::new(&[field("metadata", Type::Struct(&OBJECT_META)), field("target", WHOLE)]);
static CEPH_FS_PERSISTENT_VOLUME_SOURCE: Struct = Struct::new(&[field("secretRef", WHOLE)]);
static CEPH_FS_VOLUME_SOURCE: Struct = Struct::new(&[field("secretRef", WHOLE)]);
static CERTIFICATE_SIGNING_REQUEST: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&CERTIFICATE_SIGNING_REQUEST_SPEC)),
    field("status", Type::Struct(&CERTIFICATE_SIGNING_REQUEST_STATUS)),
]);
static CERTIFICATE_SIGNING_REQUEST_SPEC: Struct = Struct::new(&[field("extra", Deduced)]);
static CERTIFICATE_SIGNING_REQUEST_STATUS: Struct =
    Struct::new(&[field("conditions", Keyed(TYPE, &NO_FIELDS))]);
static CINDER_PERSISTENT_VOLUME_SOURCE: Struct = Struct::new(&[field("secretRef", WHOLE)]);
static CINDER_VOLUME_SOURCE: Struct = Struct::new(&[field("secretRef", WHOLE)]);
static CLUSTER_ROLE: Struct = Struct::new(&[field("metadata", Type::Struct(&OBJECT_META))]);
static CLUSTER_ROLE_BINDING: Struct =
    Struct::new(&[field("metadata", Type::Struct(&OBJECT_META)), field("roleRef", WHOLE)]);
static CONFIG_MAP: Struct = Struct::new(&[field("metadata", Type::Struct(&OBJECT_META))]);
static CONTAINER: Struct = Struct::new(&[
    field("ports", Keyed(CONTAINER_PORT_PROTOCOL, &NO_FIELDS)).merge("containerPort"),
    field("env", Keyed(NAME, &ENV_VAR)).merge("name"),
    field("resources", Type::Struct(&RESOURCE_REQUIREMENTS)),
    field("volumeMounts", Keyed(MOUNT_PATH, &NO_FIELDS)).merge("mountPath"),
    field("volumeDevices", Keyed(DEVICE_PATH, &NO_FIELDS)).merge("devicePath"),
]);
static CONTROLLER_REVISION: Struct = Struct::new(&[field("metadata", Type::Struct(&OBJECT_META))]);
static CRON_JOB: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&CRON_JOB_SPEC)),
]);
static CRON_JOB_SPEC: Struct =
    Struct::new(&[field("jobTemplate", Type::Struct(&JOB_TEMPLATE_SPEC))]);
static CSI_DRIVER: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&CSI_DRIVER_SPEC)),
]);
static CSI_DRIVER_SPEC: Struct = Struct::new(&[field("volumeLifecycleModes", Set)]);
static CSI_NODE: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&CSI_NODE_SPEC)),
]);
static CSI_NODE_SPEC: Struct =
    Struct::new(&[field("drivers", Keyed(NAME, &NO_FIELDS)).merge("name")]);
static CSI_PERSISTENT_VOLUME_SOURCE: Struct = Struct::new(&[
    field("controllerPublishSecretRef", WHOLE),
    field("nodeStageSecretRef", WHOLE),
    field("nodePublishSecretRef", WHOLE),
    field("controllerExpandSecretRef", WHOLE),
    field("nodeExpandSecretRef", WHOLE),
]);
static CSI_STORAGE_CAPACITY: Struct =
    Struct::new(&[field("metadata", Type::Struct(&OBJECT_META)), field("nodeTopology", WHOLE)]);
static CSI_VOLUME_SOURCE: Struct = Struct::new(&[field("nodePublishSecretRef", WHOLE)]);
static CUSTOM_RESOURCE_DEFINITION: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("status", Type::Struct(&CUSTOM_RESOURCE_DEFINITION_STATUS)),
]);
static CUSTOM_RESOURCE_DEFINITION_STATUS: Struct =
    Struct::new(&[field("conditions", Keyed(TYPE, &NO_FIELDS))]);
static DAEMON_SET: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&DAEMON_SET_SPEC)),
    field("status", Type::Struct(&DAEMON_SET_STATUS)),
]);
static DAEMON_SET_SPEC: Struct =
    Struct::new(&[field("selector", WHOLE), field("template", Type::Struct(&POD_TEMPLATE_SPEC))]);
static DAEMON_SET_STATUS: Struct =
    Struct::new(&[field("conditions", Keyed(TYPE, &NO_FIELDS)).merge("type")]);
static DEPLOYMENT: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&DEPLOYMENT_SPEC)),
    field("status", Type::Struct(&DEPLOYMENT_STATUS)),
]);
static DEPLOYMENT_SPEC: Struct = Struct::new(&[
    field("selector", WHOLE),
    field("template", Type::Struct(&POD_TEMPLATE_SPEC)),
    field("strategy", PLAIN).retain_keys(),
]);
static DEPLOYMENT_STATUS: Struct =
    Struct::new(&[field("conditions", Keyed(TYPE, &NO_FIELDS)).merge("type")]);
static ENDPOINTS: Struct = Struct::new(&[field("metadata", Type::Struct(&OBJECT_META))]);
static ENDPOINT_SLICE: Struct = Struct::new(&[field("metadata", Type::Struct(&OBJECT_META))]);
static ENV_VAR: Struct = Struct::new(&[field("valueFrom", Type::Struct(&ENV_VAR_SOURCE))]);
static ENV_VAR_SOURCE: Struct = Struct::new(&[
    field("fieldRef", WHOLE),
    field("resourceFieldRef", WHOLE),
    field("configMapKeyRef", WHOLE),
    field("secretKeyRef", WHOLE),
]);
static EPHEMERAL_CONTAINER: Struct = Struct::new(&[
    field("ports", Keyed(CONTAINER_PORT_PROTOCOL, &NO_FIELDS)).merge("containerPort"),
    field("env", Keyed(NAME, &ENV_VAR)).merge("name"),
    field("resources", Type::Struct(&RESOURCE_REQUIREMENTS)),
    field("volumeMounts", Keyed(MOUNT_PATH, &NO_FIELDS)).merge("mountPath"),
    field("volumeDevices", Keyed(DEVICE_PATH, &NO_FIELDS)).merge("devicePath"),
]);
static EPHEMERAL_VOLUME_SOURCE: Struct =
    Struct::new(&[field("volumeClaimTemplate", Type::Struct(&PERSISTENT_VOLUME_CLAIM_TEMPLATE))]);
static EVENT: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("involvedObject", WHOLE),
    field("related", WHOLE),
]);
static EVENTS_EVENT: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("regarding", WHOLE),
    field("related", WHOLE),
]);
static FLEX_PERSISTENT_VOLUME_SOURCE: Struct = Struct::new(&[field("secretRef", WHOLE)]);
static FLEX_VOLUME_SOURCE: Struct = Struct::new(&[field("secretRef", WHOLE)]);
static FLOW_SCHEMA: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("status", Type::Struct(&FLOW_SCHEMA_STATUS)),
]);
static FLOW_SCHEMA_STATUS: Struct =
    Struct::new(&[field("conditions", Keyed(TYPE_OR, &NO_FIELDS)).merge("type")]);
static HORIZONTAL_POD_AUTOSCALER_SPEC: Struct = Struct::new(&[field("scaleTargetRef", WHOLE)]);
static HORIZONTAL_POD_AUTOSCALER_STATUS: Struct =
    Struct::new(&[field("conditions", Keyed(TYPE, &NO_FIELDS)).merge("type")]);
static INGRESS: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&INGRESS_SPEC)),
]);
static INGRESS_BACKEND: Struct = Struct::new(&[
    field("service", Type::Struct(&INGRESS_SERVICE_BACKEND)),
    field("resource", WHOLE),
]);
static INGRESS_CLASS: Struct = Struct::new(&[field("metadata", Type::Struct(&OBJECT_META))]);
static INGRESS_SERVICE_BACKEND: Struct = Struct::new(&[field("port", WHOLE)]);
static INGRESS_SPEC: Struct =
    Struct::new(&[field("defaultBackend", Type::Struct(&INGRESS_BACKEND))]);
static IP_ADDRESS: Struct = Struct::new(&[field("metadata", Type::Struct(&OBJECT_META))]);
static ISCSI_PERSISTENT_VOLUME_SOURCE: Struct = Struct::new(&[field("secretRef", WHOLE)]);
static ISCSI_VOLUME_SOURCE: Struct = Struct::new(&[field("secretRef", WHOLE)]);
static JOB: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&JOB_SPEC)),
    field("status", Type::Struct(&JOB_STATUS)),
]);
static JOB_SPEC: Struct =
    Struct::new(&[field("selector", WHOLE), field("template", Type::Struct(&POD_TEMPLATE_SPEC))]);
static JOB_STATUS: Struct = Struct::new(&[
    field("conditions", Deduced).merge("type"),
    field("uncountedTerminatedPods", Type::Struct(&UNCOUNTED_TERMINATED_PODS)),
]);
static JOB_TEMPLATE_SPEC: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&JOB_SPEC)),
]);
static LEASE: Struct = Struct::new(&[field("metadata", Type::Struct(&OBJECT_META))]);
static LIMIT_RANGE: Struct = Struct::new(&[field("metadata", Type::Struct(&OBJECT_META))]);
static MATCH_RESOURCES: Struct =
    Struct::new(&[field("namespaceSelector", WHOLE), field("objectSelector", WHOLE)]).atomic();
static MUTATING_WEBHOOK: Struct = Struct::new(&[
    field("namespaceSelector", WHOLE),
    field("objectSelector", WHOLE),
    field("matchConditions", Keyed(NAME, &NO_FIELDS)).merge("name"),
]);
static MUTATING_WEBHOOK_CONFIGURATION: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("webhooks", Keyed(NAME, &MUTATING_WEBHOOK)).merge("name"),
]);
static NAMESPACE: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("status", Type::Struct(&NAMESPACE_STATUS)),
]);
static NAMESPACE_STATUS: Struct =
    Struct::new(&[field("conditions", Keyed(TYPE, &NO_FIELDS)).merge("type")]);
static NETWORK_POLICY: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&NETWORK_POLICY_SPEC)),
]);
static NETWORK_POLICY_SPEC: Struct = Struct::new(&[field("podSelector", WHOLE)]);
static NODE: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&NODE_SPEC)),
    field("status", Type::Struct(&NODE_STATUS)),
]);
static NODE_AFFINITY: Struct =
    Struct::new(&[field("requiredDuringSchedulingIgnoredDuringExecution", WHOLE)]);
static NODE_SPEC: Struct = Struct::new(&[field("podCIDRs", Set).unite()]);
static NODE_STATUS: Struct = Struct::new(&[
    field("conditions", Keyed(TYPE, &NO_FIELDS)).merge("type"),
    field("addresses", Keyed(TYPE, &NO_FIELDS)).merge("type"),
]);
static OBJECT_META: Struct = Struct::new(&[
    field("ownerReferences", Keyed(UID, &ONE_VALUE)).merge("uid"),
    field("finalizers", Set).unite(),
]);
static PARAM_REF: Struct = Struct::new(&[field("selector", WHOLE)]).atomic();
static PERSISTENT_VOLUME: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&PERSISTENT_VOLUME_SPEC)),
]);
static PERSISTENT_VOLUME_CLAIM: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&PERSISTENT_VOLUME_CLAIM_SPEC)),
    field("status", Type::Struct(&PERSISTENT_VOLUME_CLAIM_STATUS)),
]);
static PERSISTENT_VOLUME_CLAIM_SPEC: Struct =
    Struct::new(&[field("selector", WHOLE), field("dataSource", WHOLE)]);
static PERSISTENT_VOLUME_CLAIM_STATUS: Struct =
    Struct::new(&[field("conditions", Keyed(TYPE, &NO_FIELDS)).merge("type")]);
static PERSISTENT_VOLUME_CLAIM_TEMPLATE: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&PERSISTENT_VOLUME_CLAIM_SPEC)),
]);
static PERSISTENT_VOLUME_SPEC: Struct = Struct::new(&[
    field("rbd", Type::Struct(&RBD_PERSISTENT_VOLUME_SOURCE)),
    field("iscsi", Type::Struct(&ISCSI_PERSISTENT_VOLUME_SOURCE)),
    field("cinder", Type::Struct(&CINDER_PERSISTENT_VOLUME_SOURCE)),
    field("cephfs", Type::Struct(&CEPH_FS_PERSISTENT_VOLUME_SOURCE)),
    field("flexVolume", Type::Struct(&FLEX_PERSISTENT_VOLUME_SOURCE)),
    field("scaleIO", Type::Struct(&SCALE_IO_PERSISTENT_VOLUME_SOURCE)),
    field("storageos", Type::Struct(&STORAGE_OS_PERSISTENT_VOLUME_SOURCE)),
    field("csi", Type::Struct(&CSI_PERSISTENT_VOLUME_SOURCE)),
    field("claimRef", WHOLE),
    field("nodeAffinity", Type::Struct(&VOLUME_NODE_AFFINITY)),
]);
static POD: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&POD_SPEC)),
    field("status", Type::Struct(&POD_STATUS)),
]);
static POD_DISRUPTION_BUDGET: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&POD_DISRUPTION_BUDGET_SPEC)),
    field("status", Type::Struct(&POD_DISRUPTION_BUDGET_STATUS)),
]);
static POD_DISRUPTION_BUDGET_SPEC: Struct = Struct::new(&[field("selector", WHOLE).replace()]);
static POD_DISRUPTION_BUDGET_STATUS: Struct =
    Struct::new(&[field("conditions", Keyed(TYPE, &NO_FIELDS)).merge("type")]);
static POD_SPEC: Struct = Struct::new(&[
    field("volumes", Keyed(NAME, &VOLUME)).merge("name").retain_keys(),
    field("initContainers", Keyed(NAME, &CONTAINER)).merge("name"),
    field("containers", Keyed(NAME, &CONTAINER)).merge("name"),
    field("ephemeralContainers", Keyed(NAME, &EPHEMERAL_CONTAINER)).merge("name"),
    field("nodeSelector", WHOLE),
    field("imagePullSecrets", Keyed(NAME, &ONE_VALUE)).merge("name"),
    field("affinity", Type::Struct(&AFFINITY)),
    field("hostAliases", Keyed(IP, &NO_FIELDS)).merge("ip"),
    field(
        "topologySpreadConstraints",
        Keyed(TOPOLOGY_KEY_WHEN_UNSATISFIABLE, &TOPOLOGY_SPREAD_CONSTRAINT),
    )
    .merge("topologyKey"),
    field("schedulingGates", Keyed(NAME, &NO_FIELDS)).merge("name"),
    field("resourceClaims", Keyed(NAME, &NO_FIELDS)).merge("name").retain_keys(),
    field("resources", Type::Struct(&RESOURCE_REQUIREMENTS)),
]);
static POD_STATUS: Struct = Struct::new(&[
    field("conditions", Keyed(TYPE, &NO_FIELDS)).merge("type"),
    field("hostIPs", Deduced).merge("ip"),
    field("podIPs", Keyed(IP, &NO_FIELDS)).merge("ip"),
    field("resourceClaimStatuses", Keyed(NAME, &NO_FIELDS)).merge("name").retain_keys(),
]);
static POD_TEMPLATE: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("template", Type::Struct(&POD_TEMPLATE_SPEC)),
]);
static POD_TEMPLATE_SPEC: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&POD_SPEC)),
]);
static PRIORITY_CLASS: Struct = Struct::new(&[field("metadata", Type::Struct(&OBJECT_META))]);
static PRIORITY_LEVEL_CONFIGURATION: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("status", Type::Struct(&PRIORITY_LEVEL_CONFIGURATION_STATUS)),
]);
static PRIORITY_LEVEL_CONFIGURATION_STATUS: Struct =
    Struct::new(&[field("conditions", Keyed(TYPE_OR, &NO_FIELDS)).merge("type")]);
static RBD_PERSISTENT_VOLUME_SOURCE: Struct = Struct::new(&[field("secretRef", WHOLE)]);
static RBD_VOLUME_SOURCE: Struct = Struct::new(&[field("secretRef", WHOLE)]);
static REPLICATION_CONTROLLER: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&REPLICATION_CONTROLLER_SPEC)),
    field("status", Type::Struct(&REPLICATION_CONTROLLER_STATUS)),
]);
static REPLICATION_CONTROLLER_SPEC: Struct =
    Struct::new(&[field("selector", WHOLE), field("template", Type::Struct(&POD_TEMPLATE_SPEC))]);
static REPLICATION_CONTROLLER_STATUS: Struct =
    Struct::new(&[field("conditions", Keyed(TYPE, &NO_FIELDS)).merge("type")]);
static REPLICA_SET: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&REPLICA_SET_SPEC)),
    field("status", Type::Struct(&REPLICA_SET_STATUS)),
]);
static REPLICA_SET_SPEC: Struct =
    Struct::new(&[field("selector", WHOLE), field("template", Type::Struct(&POD_TEMPLATE_SPEC))]);
static REPLICA_SET_STATUS: Struct =
    Struct::new(&[field("conditions", Keyed(TYPE, &NO_FIELDS)).merge("type")]);
static RESOURCE_QUOTA: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&RESOURCE_QUOTA_SPEC)),
]);
static RESOURCE_QUOTA_SPEC: Struct = Struct::new(&[field("scopeSelector", WHOLE)]);
static RESOURCE_REQUIREMENTS: Struct = Struct::new(&[field("claims", Keyed(NAME, &NO_FIELDS))]);
static ROLE: Struct = Struct::new(&[field("metadata", Type::Struct(&OBJECT_META))]);
static ROLE_BINDING: Struct =
    Struct::new(&[field("metadata", Type::Struct(&OBJECT_META)), field("roleRef", WHOLE)]);
static RUNTIME_CLASS: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("scheduling", Type::Struct(&SCHEDULING)),
]);
static SCALE: Struct = Struct::new(&[field("metadata", Type::Struct(&OBJECT_META))]);
static SCALE_IO_PERSISTENT_VOLUME_SOURCE: Struct = Struct::new(&[field("secretRef", WHOLE)]);
static SCALE_IO_VOLUME_SOURCE: Struct = Struct::new(&[field("secretRef", WHOLE)]);
static SCHEDULING: Struct = Struct::new(&[field("nodeSelector", WHOLE)]);
static SECRET: Struct = Struct::new(&[field("metadata", Type::Struct(&OBJECT_META))]);
static SERVICE: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&SERVICE_SPEC)),
    field("status", Type::Struct(&SERVICE_STATUS)),
]);
static SERVICE_ACCOUNT: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("secrets", Keyed(NAME_OR, &ONE_VALUE)).merge("name"),
]);
static SERVICE_CIDR: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("status", Type::Struct(&SERVICE_CIDR_STATUS)),
]);
static SERVICE_CIDR_STATUS: Struct =
    Struct::new(&[field("conditions", Keyed(TYPE, &NO_FIELDS)).merge("type")]);
static SERVICE_SPEC: Struct = Struct::new(&[
    field("ports", Keyed(PORT_PROTOCOL, &NO_FIELDS)).merge("port"),
    field("selector", WHOLE),
]);
static SERVICE_STATUS: Struct =
    Struct::new(&[field("conditions", Keyed(TYPE, &NO_FIELDS)).merge("type")]);
static STATEFUL_SET: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&STATEFUL_SET_SPEC)),
    field("status", Type::Struct(&STATEFUL_SET_STATUS)),
]);
static STATEFUL_SET_SPEC: Struct =
    Struct::new(&[field("selector", WHOLE), field("template", Type::Struct(&POD_TEMPLATE_SPEC))]);
static STATEFUL_SET_STATUS: Struct =
    Struct::new(&[field("conditions", Keyed(TYPE, &NO_FIELDS)).merge("type")]);
static STORAGE_CLASS: Struct = Struct::new(&[field("metadata", Type::Struct(&OBJECT_META))]);
static STORAGE_OS_PERSISTENT_VOLUME_SOURCE: Struct = Struct::new(&[field("secretRef", WHOLE)]);
static STORAGE_OS_VOLUME_SOURCE: Struct = Struct::new(&[field("secretRef", WHOLE)]);
static TOPOLOGY_SPREAD_CONSTRAINT: Struct = Struct::new(&[field("labelSelector", WHOLE)]);
static UNCOUNTED_TERMINATED_PODS: Struct =
    Struct::new(&[field("succeeded", Set), field("failed", Set)]);
static VALIDATING_ADMISSION_POLICY: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&VALIDATING_ADMISSION_POLICY_SPEC)),
    field("status", Type::Struct(&VALIDATING_ADMISSION_POLICY_STATUS)),
]);
static VALIDATING_ADMISSION_POLICY_BINDING: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&VALIDATING_ADMISSION_POLICY_BINDING_SPEC)),
]);
static VALIDATING_ADMISSION_POLICY_BINDING_SPEC: Struct = Struct::new(&[
    field("paramRef", Type::Struct(&PARAM_REF)),
    field("matchResources", Type::Struct(&MATCH_RESOURCES)),
    field("validationActions", Set),
]);
static VALIDATING_ADMISSION_POLICY_SPEC: Struct = Struct::new(&[
    field("paramKind", WHOLE),
    field("matchConstraints", Type::Struct(&MATCH_RESOURCES)),
    field("matchConditions", Keyed(NAME, &NO_FIELDS)).merge("name"),
    field("variables", Keyed(NAME, &ONE_VALUE)).merge("name"),
]);
static VALIDATING_ADMISSION_POLICY_STATUS: Struct =
    Struct::new(&[field("conditions", Keyed(TYPE, &NO_FIELDS))]);
static VALIDATING_WEBHOOK: Struct = Struct::new(&[
    field("namespaceSelector", WHOLE),
    field("objectSelector", WHOLE),
    field("matchConditions", Keyed(NAME, &NO_FIELDS)).merge("name"),
]);
static VALIDATING_WEBHOOK_CONFIGURATION: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("webhooks", Keyed(NAME, &VALIDATING_WEBHOOK)).merge("name"),
]);
static VOLUME: Struct = Struct::new(&[
    field("iscsi", Type::Struct(&ISCSI_VOLUME_SOURCE)),
    field("rbd", Type::Struct(&RBD_VOLUME_SOURCE)),
    field("flexVolume", Type::Struct(&FLEX_VOLUME_SOURCE)),
    field("cinder", Type::Struct(&CINDER_VOLUME_SOURCE)),
    field("cephfs", Type::Struct(&CEPH_FS_VOLUME_SOURCE)),
    field("scaleIO", Type::Struct(&SCALE_IO_VOLUME_SOURCE)),
    field("storageos", Type::Struct(&STORAGE_OS_VOLUME_SOURCE)),
    field("csi", Type::Struct(&CSI_VOLUME_SOURCE)),
    field("ephemeral", Type::Struct(&EPHEMERAL_VOLUME_SOURCE)),
]);
static VOLUME_ATTACHMENT: Struct = Struct::new(&[
    field("metadata", Type::Struct(&OBJECT_META)),
    field("spec", Type::Struct(&VOLUME_ATTACHMENT_SPEC)),
]);
static VOLUME_ATTACHMENT_SOURCE: Struct =
    Struct::new(&[field("inlineVolumeSpec", Type::Struct(&PERSISTENT_VOLUME_SPEC))]);
static VOLUME_ATTACHMENT_SPEC: Struct =
    Struct::new(&[field("source", Type::Struct(&VOLUME_ATTACHMENT_SOURCE))]);
static VOLUME_NODE_AFFINITY: Struct = Struct::new(&[field("required", WHOLE)]);
