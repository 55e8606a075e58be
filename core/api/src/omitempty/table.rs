//! What Go's types write although it is empty: a table.
//!
//! Made from the types of `k8s.io/api`, `apiextensions-apiserver` and `kube-aggregator` v0.33.4:
//! for each field the text that `encoding/json` writes for the zero value of its struct, where
//! `k8s-openapi` leaves the field out; and the fields that are pointers to numbers, texts and
//! flags, or maps.

use super::Field;

/// The type of each kind, an index into [`TYPES`], by `apiVersion` and `kind`; sorted.
pub(super) static KINDS: &[(&str, &str, usize)] = &[
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", 71),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", 73),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", 74),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", 75),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", 77),
    ("apiregistration.k8s.io/v1", "APIService", 83),
    ("apps/v1", "ControllerRevision", 86),
    ("apps/v1", "DaemonSet", 87),
    ("apps/v1", "Deployment", 91),
    ("apps/v1", "ReplicaSet", 95),
    ("apps/v1", "StatefulSet", 99),
    ("authentication.k8s.io/v1", "SelfSubjectReview", 104),
    ("authentication.k8s.io/v1", "TokenRequest", 106),
    ("authentication.k8s.io/v1", "TokenReview", 108),
    ("authorization.k8s.io/v1", "LocalSubjectAccessReview", 110),
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview", 111),
    ("authorization.k8s.io/v1", "SelfSubjectRulesReview", 112),
    ("authorization.k8s.io/v1", "SubjectAccessReview", 116),
    ("autoscaling/v1", "HorizontalPodAutoscaler", 117),
    ("autoscaling/v1", "Scale", 118),
    ("autoscaling/v2", "HorizontalPodAutoscaler", 119),
    ("batch/v1", "CronJob", 122),
    ("batch/v1", "Job", 130),
    ("certificates.k8s.io/v1", "CertificateSigningRequest", 133),
    ("coordination.k8s.io/v1", "Lease", 136),
    ("discovery.k8s.io/v1", "EndpointSlice", 137),
    ("events.k8s.io/v1", "Event", 139),
    ("flowcontrol.apiserver.k8s.io/v1", "FlowSchema", 179),
    ("flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration", 186),
    ("metrics.k8s.io/v1beta1", "NodeMetrics", 140),
    ("metrics.k8s.io/v1beta1", "PodMetrics", 141),
    ("networking.k8s.io/v1", "IPAddress", 142),
    ("networking.k8s.io/v1", "Ingress", 143),
    ("networking.k8s.io/v1", "IngressClass", 151),
    ("networking.k8s.io/v1", "NetworkPolicy", 154),
    ("networking.k8s.io/v1", "ServiceCIDR", 156),
    ("node.k8s.io/v1", "RuntimeClass", 157),
    ("policy/v1", "Eviction", 158),
    ("policy/v1", "PodDisruptionBudget", 159),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", 160),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", 162),
    ("rbac.authorization.k8s.io/v1", "Role", 163),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", 164),
    ("scheduling.k8s.io/v1", "PriorityClass", 165),
    ("storage.k8s.io/v1", "CSIDriver", 166),
    ("storage.k8s.io/v1", "CSINode", 167),
    ("storage.k8s.io/v1", "CSIStorageCapacity", 170),
    ("storage.k8s.io/v1", "StorageClass", 171),
    ("storage.k8s.io/v1", "VolumeAttachment", 174),
    ("v1", "Binding", 0),
    ("v1", "ComponentStatus", 2),
    ("v1", "ConfigMap", 3),
    ("v1", "Endpoints", 4),
    ("v1", "Event", 5),
    ("v1", "LimitRange", 7),
    ("v1", "Namespace", 9),
    ("v1", "Node", 12),
    ("v1", "PersistentVolume", 18),
    ("v1", "PersistentVolumeClaim", 25),
    ("v1", "Pod", 31),
    ("v1", "PodTemplate", 58),
    ("v1", "ReplicationController", 60),
    ("v1", "ResourceQuota", 64),
    ("v1", "Secret", 65),
    ("v1", "Service", 66),
    ("v1", "ServiceAccount", 70),
];

/// The fields of each type that are written when they are empty, or lead to such fields.
pub(super) static TYPES: &[&[Field]] = &[
    // 0: Binding
    &[Field::node("metadata", "", 1)],
    // 1: ObjectMeta
    &[Field::leaf("creationTimestamp", "null")],
    // 2: ComponentStatus
    &[Field::node("metadata", "", 1)],
    // 3: ConfigMap
    &[Field::node("metadata", "", 1)],
    // 4: Endpoints
    &[Field::node("metadata", "", 1)],
    // 5: Event
    &[
        Field::leaf("eventTime", "null"),
        Field::leaf("firstTimestamp", "null"),
        Field::leaf("lastTimestamp", "null"),
        Field::node("metadata", "", 1),
        Field::leaf("reportingComponent", r#""""#),
        Field::leaf("reportingInstance", r#""""#),
        Field::node("series", "", 6),
        Field::leaf("source", "{}"),
    ],
    // 6: EventSeries
    &[Field::leaf("lastObservedTime", "null")],
    // 7: LimitRange
    &[Field::node("metadata", "", 1), Field::node("spec", r#"{"limits":null}"#, 8)],
    // 8: LimitRangeSpec
    &[Field::leaf("limits", "null")],
    // 9: Namespace
    &[Field::node("metadata", "", 1), Field::leaf("spec", "{}"), Field::node("status", "{}", 10)],
    // 10: NamespaceStatus
    &[Field::node("conditions", "", 11)],
    // 11: NamespaceCondition
    &[Field::leaf("lastTransitionTime", "null")],
    // 12: Node
    &[
        Field::node("metadata", "", 1),
        Field::leaf("spec", "{}"),
        Field::node(
            "status",
            r#"{"daemonEndpoints":{"kubeletEndpoint":{"Port":0}},"nodeInfo":{"machineID":"","systemUUID":"","bootID":"","kernelVersion":"","osImage":"","containerRuntimeVersion":"","kubeletVersion":"","kubeProxyVersion":"","operatingSystem":"","architecture":""}}"#,
            13,
        ),
    ],
    // 13: NodeStatus
    &[
        Field::node("conditions", "", 14),
        Field::node("daemonEndpoints", r#"{"kubeletEndpoint":{"Port":0}}"#, 15),
        Field::node("images", "", 16),
        Field::leaf(
            "nodeInfo",
            r#"{"machineID":"","systemUUID":"","bootID":"","kernelVersion":"","osImage":"","containerRuntimeVersion":"","kubeletVersion":"","kubeProxyVersion":"","operatingSystem":"","architecture":""}"#,
        ),
        Field::node("runtimeHandlers", "", 17),
    ],
    // 14: NodeCondition
    &[Field::leaf("lastHeartbeatTime", "null"), Field::leaf("lastTransitionTime", "null")],
    // 15: NodeDaemonEndpoints
    &[Field::leaf("kubeletEndpoint", r#"{"Port":0}"#)],
    // 16: ContainerImage
    &[Field::leaf("names", "null")],
    // 17: NodeRuntimeHandler
    &[Field::leaf("name", r#""""#)],
    // 18: PersistentVolume
    &[Field::node("metadata", "", 1), Field::node("spec", "{}", 19), Field::leaf("status", "{}")],
    // 19: PersistentVolumeSpec
    &[
        Field::node("azureFile", "", 22),
        Field::node("cephfs", "", 21),
        Field::node("nodeAffinity", "", 23),
        Field::node("rbd", "", 20),
    ],
    // 20: RBDPersistentVolumeSource
    &[Field::leaf("monitors", "null")],
    // 21: CephFSPersistentVolumeSource
    &[Field::leaf("monitors", "null")],
    // 22: AzureFilePersistentVolumeSource
    &[Field::leaf("secretNamespace", "null")],
    // 23: VolumeNodeAffinity
    &[Field::node("required", "", 24)],
    // 24: NodeSelector
    &[Field::leaf("nodeSelectorTerms", "null")],
    // 25: PersistentVolumeClaim
    &[
        Field::node("metadata", "", 1),
        Field::node("spec", r#"{"resources":{}}"#, 26),
        Field::node("status", "{}", 29),
    ],
    // 26: PersistentVolumeClaimSpec
    &[
        Field::node("dataSource", "", 27),
        Field::node("dataSourceRef", "", 28),
        Field::leaf("resources", "{}"),
    ],
    // 27: TypedLocalObjectReference
    &[Field::leaf("apiGroup", "null")],
    // 28: TypedObjectReference
    &[Field::leaf("apiGroup", "null")],
    // 29: PersistentVolumeClaimStatus
    &[Field::node("conditions", "", 30)],
    // 30: PersistentVolumeClaimCondition
    &[Field::leaf("lastProbeTime", "null"), Field::leaf("lastTransitionTime", "null")],
    // 31: Pod
    &[
        Field::node("metadata", "", 1),
        Field::node("spec", r#"{"containers":null}"#, 32),
        Field::node("status", "{}", 52),
    ],
    // 32: PodSpec
    &[
        Field::node("affinity", "", 50),
        Field::node("containers", "null", 44),
        Field::node("ephemeralContainers", "", 49),
        Field::node("initContainers", "", 44),
        Field::node("volumes", "", 33),
    ],
    // 33: Volume
    &[
        Field::node("cephfs", "", 35),
        Field::node("downwardAPI", "", 36),
        Field::node("ephemeral", "", 42),
        Field::node("projected", "", 39),
        Field::node("rbd", "", 34),
    ],
    // 34: RBDVolumeSource
    &[Field::leaf("monitors", "null")],
    // 35: CephFSVolumeSource
    &[Field::leaf("monitors", "null")],
    // 36: DownwardAPIVolumeSource
    &[Field::node("items", "", 37)],
    // 37: DownwardAPIVolumeFile
    &[Field::node("resourceFieldRef", "", 38)],
    // 38: ResourceFieldSelector
    &[Field::leaf("divisor", r#""0""#)],
    // 39: ProjectedVolumeSource
    &[Field::node("sources", "null", 40)],
    // 40: VolumeProjection
    &[Field::node("downwardAPI", "", 41)],
    // 41: DownwardAPIProjection
    &[Field::node("items", "", 37)],
    // 42: EphemeralVolumeSource
    &[Field::node("volumeClaimTemplate", "", 43)],
    // 43: PersistentVolumeClaimTemplate
    &[Field::node("metadata", r#"{"creationTimestamp":null}"#, 1), Field::node("spec", "", 26)],
    // 44: Container
    &[
        Field::node("env", "", 45),
        Field::node("livenessProbe", "", 47),
        Field::node("readinessProbe", "", 47),
        Field::leaf("resources", "{}"),
        Field::node("startupProbe", "", 47),
    ],
    // 45: EnvVar
    &[Field::node("valueFrom", "", 46)],
    // 46: EnvVarSource
    &[Field::node("resourceFieldRef", "", 38)],
    // 47: Probe
    &[Field::node("grpc", "", 48)],
    // 48: GRPCAction
    &[Field::leaf("service", "null")],
    // 49: EphemeralContainer
    &[
        Field::node("env", "", 45),
        Field::node("livenessProbe", "", 47),
        Field::node("readinessProbe", "", 47),
        Field::leaf("resources", "{}"),
        Field::node("startupProbe", "", 47),
    ],
    // 50: Affinity
    &[Field::node("nodeAffinity", "", 51)],
    // 51: NodeAffinity
    &[Field::node("requiredDuringSchedulingIgnoredDuringExecution", "", 24)],
    // 52: PodStatus
    &[
        Field::node("conditions", "", 53),
        Field::node("containerStatuses", "", 54),
        Field::node("ephemeralContainerStatuses", "", 54),
        Field::node("initContainerStatuses", "", 54),
    ],
    // 53: PodCondition
    &[Field::leaf("lastProbeTime", "null"), Field::leaf("lastTransitionTime", "null")],
    // 54: ContainerStatus
    &[Field::node("lastState", "{}", 55), Field::node("state", "{}", 55)],
    // 55: ContainerState
    &[Field::node("running", "", 56), Field::node("terminated", "", 57)],
    // 56: ContainerStateRunning
    &[Field::leaf("startedAt", "null")],
    // 57: ContainerStateTerminated
    &[Field::leaf("finishedAt", "null"), Field::leaf("startedAt", "null")],
    // 58: PodTemplate
    &[
        Field::node("metadata", "", 1),
        Field::node(
            "template",
            r#"{"metadata":{"creationTimestamp":null},"spec":{"containers":null}}"#,
            59,
        ),
    ],
    // 59: PodTemplateSpec
    &[
        Field::node("metadata", r#"{"creationTimestamp":null}"#, 1),
        Field::node("spec", r#"{"containers":null}"#, 32),
    ],
    // 60: ReplicationController
    &[
        Field::node("metadata", "", 1),
        Field::node("spec", "{}", 61),
        Field::node("status", r#"{"replicas":0}"#, 62),
    ],
    // 61: ReplicationControllerSpec
    &[Field::node("template", "", 59)],
    // 62: ReplicationControllerStatus
    &[Field::node("conditions", "", 63)],
    // 63: ReplicationControllerCondition
    &[Field::leaf("lastTransitionTime", "null")],
    // 64: ResourceQuota
    &[Field::node("metadata", "", 1), Field::leaf("spec", "{}"), Field::leaf("status", "{}")],
    // 65: Secret
    &[Field::node("metadata", "", 1)],
    // 66: Service
    &[
        Field::node("metadata", "", 1),
        Field::node("spec", "{}", 67),
        Field::node("status", r#"{"loadBalancer":{}}"#, 69),
    ],
    // 67: ServiceSpec
    &[Field::node("ports", "", 68)],
    // 68: ServicePort
    &[Field::leaf("targetPort", "0")],
    // 69: ServiceStatus
    &[Field::leaf("loadBalancer", "{}")],
    // 70: ServiceAccount
    &[Field::node("metadata", "", 1)],
    // 71: MutatingWebhookConfiguration
    &[Field::node("metadata", "", 1), Field::node("webhooks", "", 72)],
    // 72: MutatingWebhook
    &[Field::leaf("admissionReviewVersions", "null")],
    // 73: ValidatingAdmissionPolicy
    &[Field::node("metadata", "", 1), Field::leaf("spec", "{}"), Field::leaf("status", "{}")],
    // 74: ValidatingAdmissionPolicyBinding
    &[Field::node("metadata", "", 1), Field::leaf("spec", "{}")],
    // 75: ValidatingWebhookConfiguration
    &[Field::node("metadata", "", 1), Field::node("webhooks", "", 76)],
    // 76: ValidatingWebhook
    &[Field::leaf("admissionReviewVersions", "null")],
    // 77: CustomResourceDefinition
    &[
        Field::node("metadata", "", 1),
        Field::node("spec", "", 78),
        Field::node(
            "status",
            r#"{"conditions":null,"acceptedNames":{"plural":"","kind":""},"storedVersions":null}"#,
            81,
        ),
    ],
    // 78: CustomResourceDefinitionSpec
    &[Field::node("conversion", "", 79), Field::leaf("versions", "null")],
    // 79: CustomResourceConversion
    &[Field::node("webhook", "", 80)],
    // 80: WebhookConversion
    &[Field::leaf("conversionReviewVersions", "null")],
    // 81: CustomResourceDefinitionStatus
    &[
        Field::leaf("acceptedNames", r#"{"plural":"","kind":""}"#),
        Field::node("conditions", "null", 82),
        Field::leaf("storedVersions", "null"),
    ],
    // 82: CustomResourceDefinitionCondition
    &[Field::leaf("lastTransitionTime", "null")],
    // 83: APIService
    &[
        Field::node("metadata", "", 1),
        Field::leaf("spec", r#"{"groupPriorityMinimum":0,"versionPriority":0}"#),
        Field::node("status", "{}", 84),
    ],
    // 84: APIServiceStatus
    &[Field::node("conditions", "", 85)],
    // 85: APIServiceCondition
    &[Field::leaf("lastTransitionTime", "null")],
    // 86: ControllerRevision
    &[Field::leaf("data", "null"), Field::node("metadata", "", 1)],
    // 87: DaemonSet
    &[
        Field::node("metadata", "", 1),
        Field::node(
            "spec",
            r#"{"selector":null,"template":{"metadata":{"creationTimestamp":null},"spec":{"containers":null}},"updateStrategy":{}}"#,
            88,
        ),
        Field::node(
            "status",
            r#"{"currentNumberScheduled":0,"numberMisscheduled":0,"desiredNumberScheduled":0,"numberReady":0}"#,
            89,
        ),
    ],
    // 88: DaemonSetSpec
    &[Field::node("template", "", 59), Field::leaf("updateStrategy", "{}")],
    // 89: DaemonSetStatus
    &[Field::node("conditions", "", 90)],
    // 90: DaemonSetCondition
    &[Field::leaf("lastTransitionTime", "null")],
    // 91: Deployment
    &[
        Field::node("metadata", "", 1),
        Field::node(
            "spec",
            r#"{"selector":null,"template":{"metadata":{"creationTimestamp":null},"spec":{"containers":null}},"strategy":{}}"#,
            92,
        ),
        Field::node("status", "{}", 93),
    ],
    // 92: DeploymentSpec
    &[Field::leaf("strategy", "{}"), Field::node("template", "", 59)],
    // 93: DeploymentStatus
    &[Field::node("conditions", "", 94)],
    // 94: DeploymentCondition
    &[Field::leaf("lastTransitionTime", "null"), Field::leaf("lastUpdateTime", "null")],
    // 95: ReplicaSet
    &[
        Field::node("metadata", "", 1),
        Field::node(
            "spec",
            r#"{"selector":null,"template":{"metadata":{"creationTimestamp":null},"spec":{"containers":null}}}"#,
            96,
        ),
        Field::node("status", r#"{"replicas":0}"#, 97),
    ],
    // 96: ReplicaSetSpec
    &[Field::node(
        "template",
        r#"{"metadata":{"creationTimestamp":null},"spec":{"containers":null}}"#,
        59,
    )],
    // 97: ReplicaSetStatus
    &[Field::node("conditions", "", 98)],
    // 98: ReplicaSetCondition
    &[Field::leaf("lastTransitionTime", "null")],
    // 99: StatefulSet
    &[
        Field::node("metadata", "", 1),
        Field::node(
            "spec",
            r#"{"selector":null,"template":{"metadata":{"creationTimestamp":null},"spec":{"containers":null}},"serviceName":"","updateStrategy":{}}"#,
            100,
        ),
        Field::node("status", r#"{"replicas":0,"availableReplicas":0}"#, 102),
    ],
    // 100: StatefulSetSpec
    &[
        Field::node("ordinals", "", 101),
        Field::leaf("serviceName", r#""""#),
        Field::node("template", "", 59),
        Field::leaf("updateStrategy", "{}"),
        Field::node("volumeClaimTemplates", "", 25),
    ],
    // 101: StatefulSetOrdinals
    &[Field::leaf("start", "0")],
    // 102: StatefulSetStatus
    &[Field::leaf("availableReplicas", "0"), Field::node("conditions", "", 103)],
    // 103: StatefulSetCondition
    &[Field::leaf("lastTransitionTime", "null")],
    // 104: SelfSubjectReview
    &[Field::node("metadata", "", 1), Field::node("status", r#"{"userInfo":{}}"#, 105)],
    // 105: SelfSubjectReviewStatus
    &[Field::leaf("userInfo", "{}")],
    // 106: TokenRequest
    &[
        Field::node("metadata", "", 1),
        Field::node("spec", "", 107),
        Field::leaf("status", r#"{"token":"","expirationTimestamp":null}"#),
    ],
    // 107: TokenRequestSpec
    &[
        Field::leaf("audiences", "null"),
        Field::leaf("boundObjectRef", "null"),
        Field::leaf("expirationSeconds", "null"),
    ],
    // 108: TokenReview
    &[Field::node("metadata", "", 1), Field::node("status", r#"{"user":{}}"#, 109)],
    // 109: TokenReviewStatus
    &[Field::leaf("user", "{}")],
    // 110: LocalSubjectAccessReview
    &[Field::node("metadata", "", 1), Field::leaf("status", r#"{"allowed":false}"#)],
    // 111: SelfSubjectAccessReview
    &[Field::node("metadata", "", 1), Field::leaf("status", r#"{"allowed":false}"#)],
    // 112: SelfSubjectRulesReview
    &[
        Field::node("metadata", "", 1),
        Field::node(
            "status",
            r#"{"resourceRules":null,"nonResourceRules":null,"incomplete":false}"#,
            113,
        ),
    ],
    // 113: SubjectRulesReviewStatus
    &[Field::node("nonResourceRules", "null", 115), Field::node("resourceRules", "null", 114)],
    // 114: ResourceRule
    &[Field::leaf("verbs", "null")],
    // 115: NonResourceRule
    &[Field::leaf("verbs", "null")],
    // 116: SubjectAccessReview
    &[Field::node("metadata", "", 1), Field::leaf("status", r#"{"allowed":false}"#)],
    // 117: HorizontalPodAutoscaler
    &[
        Field::node("metadata", "", 1),
        Field::leaf("spec", r#"{"scaleTargetRef":{"kind":"","name":""},"maxReplicas":0}"#),
        Field::leaf("status", r#"{"currentReplicas":0,"desiredReplicas":0}"#),
    ],
    // 118: Scale
    &[
        Field::node("metadata", "", 1),
        Field::leaf("spec", "{}"),
        Field::leaf("status", r#"{"replicas":0}"#),
    ],
    // 119: HorizontalPodAutoscaler
    &[
        Field::node("metadata", "", 1),
        Field::leaf("spec", r#"{"scaleTargetRef":{"kind":"","name":""},"maxReplicas":0}"#),
        Field::node("status", r#"{"desiredReplicas":0,"currentMetrics":null}"#, 120),
    ],
    // 120: HorizontalPodAutoscalerStatus
    &[Field::node("conditions", "", 121), Field::leaf("currentMetrics", "null")],
    // 121: HorizontalPodAutoscalerCondition
    &[Field::leaf("lastTransitionTime", "null")],
    // 122: CronJob
    &[
        Field::node("metadata", "", 1),
        Field::node(
            "spec",
            r#"{"schedule":"","jobTemplate":{"metadata":{"creationTimestamp":null},"spec":{"template":{"metadata":{"creationTimestamp":null},"spec":{"containers":null}}}}}"#,
            123,
        ),
        Field::leaf("status", "{}"),
    ],
    // 123: CronJobSpec
    &[Field::node("jobTemplate", "", 124)],
    // 124: JobTemplateSpec
    &[
        Field::node("metadata", r#"{"creationTimestamp":null}"#, 1),
        Field::node(
            "spec",
            r#"{"template":{"metadata":{"creationTimestamp":null},"spec":{"containers":null}}}"#,
            125,
        ),
    ],
    // 125: JobSpec
    &[
        Field::node("podFailurePolicy", "", 126),
        Field::node("successPolicy", "", 129),
        Field::node("template", "", 59),
    ],
    // 126: PodFailurePolicy
    &[Field::node("rules", "null", 127)],
    // 127: PodFailurePolicyRule
    &[Field::node("onExitCodes", "", 128)],
    // 128: PodFailurePolicyOnExitCodesRequirement
    &[Field::leaf("values", "null")],
    // 129: SuccessPolicy
    &[Field::leaf("rules", "null")],
    // 130: Job
    &[
        Field::node("metadata", "", 1),
        Field::node(
            "spec",
            r#"{"template":{"metadata":{"creationTimestamp":null},"spec":{"containers":null}}}"#,
            125,
        ),
        Field::node("status", "{}", 131),
    ],
    // 131: JobStatus
    &[Field::node("conditions", "", 132)],
    // 132: JobCondition
    &[Field::leaf("lastProbeTime", "null"), Field::leaf("lastTransitionTime", "null")],
    // 133: CertificateSigningRequest
    &[Field::node("metadata", "", 1), Field::node("status", "{}", 134)],
    // 134: CertificateSigningRequestStatus
    &[Field::node("conditions", "", 135)],
    // 135: CertificateSigningRequestCondition
    &[Field::leaf("lastTransitionTime", "null"), Field::leaf("lastUpdateTime", "null")],
    // 136: Lease
    &[Field::node("metadata", "", 1), Field::leaf("spec", "{}")],
    // 137: EndpointSlice
    &[
        Field::node("endpoints", "null", 138),
        Field::node("metadata", "", 1),
        Field::leaf("ports", "null"),
    ],
    // 138: Endpoint
    &[Field::leaf("addresses", "null"), Field::leaf("conditions", "{}")],
    // 139: Event
    &[
        Field::leaf("deprecatedFirstTimestamp", "null"),
        Field::leaf("deprecatedLastTimestamp", "null"),
        Field::leaf("deprecatedSource", "{}"),
        Field::leaf("eventTime", "null"),
        Field::node("metadata", "", 1),
        Field::leaf("regarding", "{}"),
    ],
    // 140: NodeMetrics
    &[Field::node("metadata", "", 1)],
    // 141: PodMetrics
    &[Field::leaf("containers", "null"), Field::node("metadata", "", 1)],
    // 142: IPAddress
    &[Field::node("metadata", "", 1), Field::leaf("spec", "{}")],
    // 143: Ingress
    &[
        Field::node("metadata", "", 1),
        Field::node("spec", "{}", 144),
        Field::node("status", r#"{"loadBalancer":{}}"#, 150),
    ],
    // 144: IngressSpec
    &[Field::node("defaultBackend", "", 145), Field::node("rules", "", 147)],
    // 145: IngressBackend
    &[Field::node("resource", "", 27), Field::node("service", "", 146)],
    // 146: IngressServiceBackend
    &[Field::leaf("port", "{}")],
    // 147: IngressRule
    &[Field::node("http", "", 148)],
    // 148: HTTPIngressRuleValue
    &[Field::node("paths", "null", 149)],
    // 149: HTTPIngressPath
    &[Field::node("backend", "", 145)],
    // 150: IngressStatus
    &[Field::leaf("loadBalancer", "{}")],
    // 151: IngressClass
    &[Field::node("metadata", "", 1), Field::node("spec", "{}", 152)],
    // 152: IngressClassSpec
    &[Field::node("parameters", "", 153)],
    // 153: IngressClassParametersReference
    &[Field::leaf("scope", "null")],
    // 154: NetworkPolicy
    &[Field::node("metadata", "", 1), Field::node("spec", r#"{"podSelector":{}}"#, 155)],
    // 155: NetworkPolicySpec
    &[Field::leaf("podSelector", "{}")],
    // 156: ServiceCIDR
    &[Field::node("metadata", "", 1), Field::leaf("spec", "{}"), Field::leaf("status", "{}")],
    // 157: RuntimeClass
    &[Field::node("metadata", "", 1)],
    // 158: Eviction
    &[Field::node("metadata", "", 1)],
    // 159: PodDisruptionBudget
    &[
        Field::node("metadata", "", 1),
        Field::leaf("spec", "{}"),
        Field::leaf(
            "status",
            r#"{"disruptionsAllowed":0,"currentHealthy":0,"desiredHealthy":0,"expectedPods":0}"#,
        ),
    ],
    // 160: ClusterRole
    &[Field::node("metadata", "", 1), Field::node("rules", "null", 161)],
    // 161: PolicyRule
    &[Field::leaf("verbs", "null")],
    // 162: ClusterRoleBinding
    &[Field::node("metadata", "", 1)],
    // 163: Role
    &[Field::node("metadata", "", 1), Field::node("rules", "null", 161)],
    // 164: RoleBinding
    &[Field::node("metadata", "", 1)],
    // 165: PriorityClass
    &[Field::node("metadata", "", 1)],
    // 166: CSIDriver
    &[Field::node("metadata", "", 1)],
    // 167: CSINode
    &[Field::node("metadata", "", 1), Field::node("spec", "", 168)],
    // 168: CSINodeSpec
    &[Field::node("drivers", "null", 169)],
    // 169: CSINodeDriver
    &[Field::leaf("topologyKeys", "null")],
    // 170: CSIStorageCapacity
    &[Field::node("metadata", "", 1)],
    // 171: StorageClass
    &[Field::node("allowedTopologies", "", 172), Field::node("metadata", "", 1)],
    // 172: TopologySelectorTerm
    &[Field::node("matchLabelExpressions", "", 173)],
    // 173: TopologySelectorLabelRequirement
    &[Field::leaf("values", "null")],
    // 174: VolumeAttachment
    &[
        Field::node("metadata", "", 1),
        Field::node("spec", "", 175),
        Field::node("status", r#"{"attached":false}"#, 177),
    ],
    // 175: VolumeAttachmentSpec
    &[Field::node("source", "", 176)],
    // 176: VolumeAttachmentSource
    &[Field::node("inlineVolumeSpec", "", 19)],
    // 177: VolumeAttachmentStatus
    &[Field::node("attachError", "", 178), Field::node("detachError", "", 178)],
    // 178: VolumeError
    &[Field::leaf("time", "null")],
    // 179: FlowSchema
    &[
        Field::node("metadata", "", 1),
        Field::node(
            "spec",
            r#"{"priorityLevelConfiguration":{"name":""},"matchingPrecedence":0}"#,
            180,
        ),
        Field::node("status", "{}", 184),
    ],
    // 180: FlowSchemaSpec
    &[
        Field::leaf("matchingPrecedence", "0"),
        Field::leaf("priorityLevelConfiguration", r#"{"name":""}"#),
        Field::node("rules", "", 181),
    ],
    // 181: PolicyRulesWithSubjects
    &[
        Field::node("nonResourceRules", "", 182),
        Field::node("resourceRules", "", 183),
        Field::leaf("subjects", "null"),
    ],
    // 182: NonResourcePolicyRule
    &[Field::leaf("nonResourceURLs", "null"), Field::leaf("verbs", "null")],
    // 183: ResourcePolicyRule
    &[
        Field::leaf("apiGroups", "null"),
        Field::leaf("namespaces", "null"),
        Field::leaf("resources", "null"),
        Field::leaf("verbs", "null"),
    ],
    // 184: FlowSchemaStatus, PriorityLevelConfigurationStatus
    &[Field::node("conditions", "", 185)],
    // 185: FlowSchemaCondition, PriorityLevelConfigurationCondition
    &[Field::leaf("lastTransitionTime", "null")],
    // 186: PriorityLevelConfiguration
    &[
        Field::node("metadata", "", 1),
        Field::node("spec", r#"{"type":""}"#, 187),
        Field::node("status", "{}", 184),
    ],
    // 187: PriorityLevelConfigurationSpec
    &[Field::node("limited", "", 188)],
    // 188: LimitedPriorityLevelConfiguration
    &[
        Field::node("limitResponse", r#"{"type":""}"#, 189),
        Field::leaf("nominalConcurrencyShares", "null"),
    ],
    // 189: LimitResponse
    &[Field::node("queuing", "", 190)],
    // 190: QueuingConfiguration
    &[
        Field::leaf("handSize", "0"),
        Field::leaf("queueLengthLimit", "0"),
        Field::leaf("queues", "0"),
    ],
];

/// Pointers, whose zeros are written: `Struct.field`, sorted.
pub(super) static POINTERS: &[&str] = &[
    "AppArmorProfile.localhostProfile",
    "AzureDiskVolumeSource.cachingMode",
    "AzureDiskVolumeSource.fsType",
    "AzureDiskVolumeSource.kind",
    "AzureDiskVolumeSource.readOnly",
    "AzureFilePersistentVolumeSource.secretNamespace",
    "CSIDriverSpec.attachRequired",
    "CSIDriverSpec.fsGroupPolicy",
    "CSIDriverSpec.nodeAllocatableUpdatePeriodSeconds",
    "CSIDriverSpec.podInfoOnMount",
    "CSIDriverSpec.requiresRepublish",
    "CSIDriverSpec.seLinuxMount",
    "CSIDriverSpec.storageCapacity",
    "CSIStorageCapacity.capacity",
    "CSIStorageCapacity.maximumVolumeSize",
    "CSIVolumeSource.fsType",
    "CSIVolumeSource.readOnly",
    "CertificateSigningRequestSpec.expirationSeconds",
    "ClientIPConfig.timeoutSeconds",
    "ClusterTrustBundleProjection.name",
    "ClusterTrustBundleProjection.optional",
    "ClusterTrustBundleProjection.signerName",
    "ConfigMap.immutable",
    "ConfigMapEnvSource.optional",
    "ConfigMapKeySelector.optional",
    "ConfigMapProjection.optional",
    "ConfigMapVolumeSource.defaultMode",
    "ConfigMapVolumeSource.optional",
    "Container.restartPolicy",
    "ContainerStatus.started",
    "ContainerStatus.stopSignal",
    "CronJobSpec.failedJobsHistoryLimit",
    "CronJobSpec.startingDeadlineSeconds",
    "CronJobSpec.successfulJobsHistoryLimit",
    "CronJobSpec.suspend",
    "CronJobSpec.timeZone",
    "CronJobStatus.lastScheduleTime",
    "CronJobStatus.lastSuccessfulTime",
    "CustomResourceDefinitionVersion.deprecationWarning",
    "CustomResourceSubresourceScale.labelSelectorPath",
    "DaemonSetSpec.revisionHistoryLimit",
    "DaemonSetStatus.collisionCount",
    "DeleteOptions.gracePeriodSeconds",
    "DeleteOptions.ignoreStoreReadErrorWithClusterBreakingPotential",
    "DeleteOptions.orphanDependents",
    "DeleteOptions.propagationPolicy",
    "DeploymentSpec.progressDeadlineSeconds",
    "DeploymentSpec.replicas",
    "DeploymentSpec.revisionHistoryLimit",
    "DeploymentStatus.collisionCount",
    "DeploymentStatus.terminatingReplicas",
    "DownwardAPIVolumeFile.mode",
    "DownwardAPIVolumeSource.defaultMode",
    "EmptyDirVolumeSource.sizeLimit",
    "Endpoint.hostname",
    "Endpoint.nodeName",
    "Endpoint.zone",
    "EndpointAddress.nodeName",
    "EndpointConditions.ready",
    "EndpointConditions.serving",
    "EndpointConditions.terminating",
    "EndpointPort.appProtocol",
    "EndpointPort.name",
    "EndpointPort.port",
    "EndpointPort.protocol",
    "EphemeralContainer.restartPolicy",
    "ExemptPriorityLevelConfiguration.lendablePercent",
    "ExemptPriorityLevelConfiguration.nominalConcurrencyShares",
    "FCVolumeSource.lun",
    "GRPCAction.service",
    "GlusterfsPersistentVolumeSource.endpointsNamespace",
    "HPAScalingRules.selectPolicy",
    "HPAScalingRules.stabilizationWindowSeconds",
    "HPAScalingRules.tolerance",
    "HTTPIngressPath.pathType",
    "HorizontalPodAutoscalerSpec.minReplicas",
    "HorizontalPodAutoscalerSpec.targetCPUUtilizationPercentage",
    "HorizontalPodAutoscalerStatus.currentCPUUtilizationPercentage",
    "HorizontalPodAutoscalerStatus.lastScaleTime",
    "HorizontalPodAutoscalerStatus.observedGeneration",
    "HostPathVolumeSource.type",
    "ISCSIPersistentVolumeSource.initiatorName",
    "ISCSIVolumeSource.initiatorName",
    "IngressClassParametersReference.apiGroup",
    "IngressClassParametersReference.namespace",
    "IngressClassParametersReference.scope",
    "IngressPortStatus.error",
    "IngressSpec.ingressClassName",
    "JSONSchemaProps.$ref",
    "JSONSchemaProps.additionalItems",
    "JSONSchemaProps.additionalProperties",
    "JSONSchemaProps.default",
    "JSONSchemaProps.example",
    "JSONSchemaProps.items",
    "JSONSchemaProps.maxItems",
    "JSONSchemaProps.maxLength",
    "JSONSchemaProps.maxProperties",
    "JSONSchemaProps.maximum",
    "JSONSchemaProps.minItems",
    "JSONSchemaProps.minLength",
    "JSONSchemaProps.minProperties",
    "JSONSchemaProps.minimum",
    "JSONSchemaProps.multipleOf",
    "JSONSchemaProps.x-kubernetes-list-type",
    "JSONSchemaProps.x-kubernetes-map-type",
    "JSONSchemaProps.x-kubernetes-preserve-unknown-fields",
    "JobSpec.activeDeadlineSeconds",
    "JobSpec.backoffLimit",
    "JobSpec.backoffLimitPerIndex",
    "JobSpec.completionMode",
    "JobSpec.completions",
    "JobSpec.managedBy",
    "JobSpec.manualSelector",
    "JobSpec.maxFailedIndexes",
    "JobSpec.parallelism",
    "JobSpec.podReplacementPolicy",
    "JobSpec.suspend",
    "JobSpec.ttlSecondsAfterFinished",
    "JobStatus.completionTime",
    "JobStatus.failedIndexes",
    "JobStatus.ready",
    "JobStatus.startTime",
    "JobStatus.terminating",
    "KeyToPath.mode",
    "LeaseSpec.acquireTime",
    "LeaseSpec.holderIdentity",
    "LeaseSpec.leaseDurationSeconds",
    "LeaseSpec.leaseTransitions",
    "LeaseSpec.preferredHolder",
    "LeaseSpec.renewTime",
    "LeaseSpec.strategy",
    "Lifecycle.stopSignal",
    "LimitedPriorityLevelConfiguration.borrowingLimitPercent",
    "LimitedPriorityLevelConfiguration.lendablePercent",
    "LimitedPriorityLevelConfiguration.nominalConcurrencyShares",
    "LoadBalancerIngress.ipMode",
    "LocalVolumeSource.fsType",
    "ManagedFieldsEntry.fieldsV1",
    "ManagedFieldsEntry.time",
    "MatchResources.matchPolicy",
    "MetricTarget.averageUtilization",
    "MetricTarget.averageValue",
    "MetricTarget.value",
    "MetricValueStatus.averageUtilization",
    "MetricValueStatus.averageValue",
    "MetricValueStatus.value",
    "MutatingWebhook.failurePolicy",
    "MutatingWebhook.matchPolicy",
    "MutatingWebhook.reinvocationPolicy",
    "MutatingWebhook.sideEffects",
    "MutatingWebhook.timeoutSeconds",
    "NamedRuleWithOperations.scope",
    "NetworkPolicyPort.endPort",
    "NetworkPolicyPort.port",
    "NetworkPolicyPort.protocol",
    "NodeFeatures.supplementalGroupsPolicy",
    "NodeRuntimeHandlerFeatures.recursiveReadOnlyMounts",
    "NodeRuntimeHandlerFeatures.userNamespaces",
    "NodeSwapStatus.capacity",
    "ObjectMeta.deletionGracePeriodSeconds",
    "ObjectMeta.deletionTimestamp",
    "OwnerReference.blockOwnerDeletion",
    "OwnerReference.controller",
    "ParamRef.parameterNotFoundAction",
    "PersistentVolumeClaimSpec.storageClassName",
    "PersistentVolumeClaimSpec.volumeAttributesClassName",
    "PersistentVolumeClaimSpec.volumeMode",
    "PersistentVolumeClaimStatus.currentVolumeAttributesClassName",
    "PersistentVolumeSpec.volumeAttributesClassName",
    "PersistentVolumeSpec.volumeMode",
    "PersistentVolumeStatus.lastPhaseTransitionTime",
    "PodDNSConfigOption.value",
    "PodDisruptionBudgetSpec.maxUnavailable",
    "PodDisruptionBudgetSpec.minAvailable",
    "PodDisruptionBudgetSpec.unhealthyPodEvictionPolicy",
    "PodFailurePolicyOnExitCodesRequirement.containerName",
    "PodResourceClaim.resourceClaimName",
    "PodResourceClaim.resourceClaimTemplateName",
    "PodResourceClaimStatus.resourceClaimName",
    "PodSecurityContext.fsGroup",
    "PodSecurityContext.fsGroupChangePolicy",
    "PodSecurityContext.runAsGroup",
    "PodSecurityContext.runAsNonRoot",
    "PodSecurityContext.runAsUser",
    "PodSecurityContext.seLinuxChangePolicy",
    "PodSecurityContext.supplementalGroupsPolicy",
    "PodSpec.activeDeadlineSeconds",
    "PodSpec.automountServiceAccountToken",
    "PodSpec.enableServiceLinks",
    "PodSpec.hostUsers",
    "PodSpec.preemptionPolicy",
    "PodSpec.priority",
    "PodSpec.runtimeClassName",
    "PodSpec.setHostnameAsFQDN",
    "PodSpec.shareProcessNamespace",
    "PodSpec.terminationGracePeriodSeconds",
    "PodStatus.startTime",
    "PortStatus.error",
    "Preconditions.resourceVersion",
    "Preconditions.uid",
    "PriorityClass.preemptionPolicy",
    "Probe.terminationGracePeriodSeconds",
    "ProjectedVolumeSource.defaultMode",
    "ReplicaSetSpec.replicas",
    "ReplicaSetStatus.terminatingReplicas",
    "ReplicationControllerSpec.replicas",
    "RollingUpdateDaemonSet.maxSurge",
    "RollingUpdateDaemonSet.maxUnavailable",
    "RollingUpdateDeployment.maxSurge",
    "RollingUpdateDeployment.maxUnavailable",
    "RollingUpdateStatefulSetStrategy.maxUnavailable",
    "RollingUpdateStatefulSetStrategy.partition",
    "RuleWithOperations.scope",
    "SeccompProfile.localhostProfile",
    "Secret.immutable",
    "SecretEnvSource.optional",
    "SecretKeySelector.optional",
    "SecretProjection.optional",
    "SecretVolumeSource.defaultMode",
    "SecretVolumeSource.optional",
    "SecurityContext.allowPrivilegeEscalation",
    "SecurityContext.privileged",
    "SecurityContext.procMount",
    "SecurityContext.readOnlyRootFilesystem",
    "SecurityContext.runAsGroup",
    "SecurityContext.runAsNonRoot",
    "SecurityContext.runAsUser",
    "ServiceAccount.automountServiceAccountToken",
    "ServiceAccountTokenProjection.expirationSeconds",
    "ServicePort.appProtocol",
    "ServiceReference.path",
    "ServiceReference.port",
    "ServiceSpec.allocateLoadBalancerNodePorts",
    "ServiceSpec.internalTrafficPolicy",
    "ServiceSpec.ipFamilyPolicy",
    "ServiceSpec.loadBalancerClass",
    "ServiceSpec.trafficDistribution",
    "StatefulSetSpec.replicas",
    "StatefulSetSpec.revisionHistoryLimit",
    "StatefulSetStatus.collisionCount",
    "StorageClass.allowVolumeExpansion",
    "StorageClass.reclaimPolicy",
    "StorageClass.volumeBindingMode",
    "SuccessPolicyRule.succeededCount",
    "SuccessPolicyRule.succeededIndexes",
    "Taint.timeAdded",
    "TokenRequest.expirationSeconds",
    "TokenRequestSpec.expirationSeconds",
    "Toleration.tolerationSeconds",
    "TopologySpreadConstraint.minDomains",
    "TopologySpreadConstraint.nodeAffinityPolicy",
    "TopologySpreadConstraint.nodeTaintsPolicy",
    "TypedLocalObjectReference.apiGroup",
    "TypedObjectReference.apiGroup",
    "TypedObjectReference.namespace",
    "ValidatingAdmissionPolicySpec.failurePolicy",
    "ValidatingWebhook.failurePolicy",
    "ValidatingWebhook.matchPolicy",
    "ValidatingWebhook.sideEffects",
    "ValidatingWebhook.timeoutSeconds",
    "Validation.reason",
    "ValidationRule.optionalOldSelf",
    "ValidationRule.reason",
    "VolumeAttachmentSource.persistentVolumeName",
    "VolumeError.errorCode",
    "VolumeMount.mountPropagation",
    "VolumeMount.recursiveReadOnly",
    "VolumeMountStatus.recursiveReadOnly",
    "VolumeNodeResources.count",
    "WebhookClientConfig.url",
    "WindowsSecurityContextOptions.gmsaCredentialSpec",
    "WindowsSecurityContextOptions.gmsaCredentialSpecName",
    "WindowsSecurityContextOptions.hostProcess",
    "WindowsSecurityContextOptions.runAsUserName",
];

/// Maps, which are left out when they are empty: `Struct.field`, sorted.
pub(super) static MAPS: &[&str] = &[
    "CSIPersistentVolumeSource.volumeAttributes",
    "CSIVolumeSource.volumeAttributes",
    "CertificateSigningRequestSpec.extra",
    "ConfigMap.binaryData",
    "ConfigMap.data",
    "ContainerMetrics.usage",
    "ContainerStatus.allocatedResources",
    "Endpoint.deprecatedTopology",
    "FlexPersistentVolumeSource.options",
    "FlexVolumeSource.options",
    "JSONSchemaProps.definitions",
    "JSONSchemaProps.dependencies",
    "JSONSchemaProps.patternProperties",
    "JSONSchemaProps.properties",
    "LabelSelector.matchLabels",
    "LimitRangeItem.default",
    "LimitRangeItem.defaultRequest",
    "LimitRangeItem.max",
    "LimitRangeItem.maxLimitRequestRatio",
    "LimitRangeItem.min",
    "NodeMetrics.usage",
    "NodeStatus.allocatable",
    "NodeStatus.capacity",
    "ObjectMeta.annotations",
    "ObjectMeta.labels",
    "Overhead.podFixed",
    "PersistentVolumeClaimStatus.allocatedResourceStatuses",
    "PersistentVolumeClaimStatus.allocatedResources",
    "PersistentVolumeClaimStatus.capacity",
    "PersistentVolumeSpec.capacity",
    "PodDisruptionBudgetStatus.disruptedPods",
    "PodSpec.nodeSelector",
    "PodSpec.overhead",
    "ReplicationControllerSpec.selector",
    "ResourceQuotaSpec.hard",
    "ResourceQuotaStatus.hard",
    "ResourceQuotaStatus.used",
    "ResourceRequirements.limits",
    "ResourceRequirements.requests",
    "Scheduling.nodeSelector",
    "Secret.data",
    "Secret.stringData",
    "ServiceSpec.selector",
    "StorageClass.parameters",
    "SubjectAccessReviewSpec.extra",
    "UserInfo.extra",
    "VolumeAttachmentStatus.attachmentMetadata",
    "VolumeResourceRequirements.limits",
    "VolumeResourceRequirements.requests",
];
