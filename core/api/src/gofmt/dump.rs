//! Structs as `%#v` writes them: `core.Volume{Name:"data", VolumeSource:core.VolumeSource{…}}`.
//!
//! Upstream's messages show structs of the internal types (`pkg/apis/*/types.go`) when no simpler
//! value stands for them, as in `spec.template: Invalid value: core.PodTemplateSpec{…}: field is
//! immutable`.

use super::{POINTER, quote};
use crate::{encode, quantity};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::fmt::{self, Write};

/// A struct as `%#v` writes it. `type_` is Go's name of it: one of those in the table here.
pub fn dump(type_: &str, object: &impl Serialize) -> String {
    let json = encode::to_value(object).ok();
    let mut out = String::new();
    // Writing into a string does not fail.
    let _ = write(type_, json.as_ref(), &mut out);
    out
}

/// A struct a line: its name and its fields as `Name:type`. A field is found in JSON by its name
/// in lower camel case, or by what stands behind `@`; `+` embeds a struct whose fields are inline.
const STRUCTS: &str = "
apps.DaemonSetUpdateStrategy Type:string RollingUpdate:*apps.RollingUpdateDaemonSet
apps.DeploymentStrategy Type:string RollingUpdate:*apps.RollingUpdateDeployment
apps.RollingUpdateStatefulSetStrategy Partition:int MaxUnavailable:*intstr.IntOrString
apps.StatefulSetUpdateStrategy Type:string RollingUpdate:*apps.RollingUpdateStatefulSetStrategy
batch.PodFailurePolicy Rules:[]batch.PodFailurePolicyRule
batch.PodFailurePolicyOnPodConditionsPattern Type:string Status:string
batch.PodFailurePolicyRule Action:string OnExitCodes:*batch.PodFailurePolicyOnExitCodesRequirement OnPodConditions:[]batch.PodFailurePolicyOnPodConditionsPattern
batch.SuccessPolicy Rules:[]batch.SuccessPolicyRule
batch.SuccessPolicyRule SucceededIndexes:*string SucceededCount:*int32
batch.UncountedTerminatedPods Succeeded:[]types.UID Failed:[]types.UID
core.Capabilities Add:[]core.Capability Drop:[]core.Capability
core.Container Name:string Image:string Command:[]string Args:[]string WorkingDir:string Ports:[]core.ContainerPort EnvFrom:[]core.EnvFromSource Env:[]core.EnvVar Resources:core.ResourceRequirements ResizePolicy:[]core.ContainerResizePolicy RestartPolicy:*core.ContainerRestartPolicy VolumeMounts:[]core.VolumeMount VolumeDevices:[]core.VolumeDevice LivenessProbe:*core.Probe ReadinessProbe:*core.Probe StartupProbe:*core.Probe Lifecycle:*core.Lifecycle TerminationMessagePath:string TerminationMessagePolicy:string ImagePullPolicy:string SecurityContext:*core.SecurityContext Stdin:bool StdinOnce:bool TTY:bool
core.ContainerPort Name:string HostPort:int ContainerPort:int Protocol:string HostIP:string
core.ContainerResizePolicy ResourceName:string RestartPolicy:string
core.EnvFromSource Prefix:string ConfigMapRef:*core.ConfigMapEnvSource SecretRef:*core.SecretEnvSource
core.EnvVar Name:string Value:string ValueFrom:*core.EnvVarSource
core.EphemeralContainer EphemeralContainerCommon:+core.EphemeralContainerCommon TargetContainerName:string
core.ExecAction Command:[]string
core.GRPCAction Port:int Service:*string
core.HTTPGetAction Path:string Port:intstr.IntOrString Host:string Scheme:string HTTPHeaders:[]core.HTTPHeader
core.HTTPHeader Name:string Value:string
core.HostAlias IP:string Hostnames:[]string
core.LocalObjectReference Name:string
core.NodeSelectorTerm MatchExpressions:[]core.NodeSelectorRequirement MatchFields:[]core.NodeSelectorRequirement
core.NodeSelectorRequirement Key:string Operator:string Values:[]string
core.Lifecycle PostStart:*core.LifecycleHandler PreStop:*core.LifecycleHandler StopSignal:*core.Signal
core.LifecycleHandler Exec:*core.ExecAction HTTPGet:*core.HTTPGetAction TCPSocket:*core.TCPSocketAction Sleep:*core.SleepAction
core.PodReadinessGate ConditionType:string
core.PodResourceClaim Name:string ResourceClaimName:*string ResourceClaimTemplateName:*string
core.PodSchedulingGate Name:string
core.PodSecurityContext HostNetwork:bool HostPID:bool HostIPC:bool ShareProcessNamespace:*bool HostUsers:*bool SELinuxOptions:*core.SELinuxOptions WindowsOptions:*core.WindowsSecurityContextOptions RunAsUser:*int64 RunAsGroup:*int64 RunAsNonRoot:*bool SupplementalGroups:[]int64 SupplementalGroupsPolicy:*core.SupplementalGroupsPolicy FSGroup:*int64 FSGroupChangePolicy:*core.PodFSGroupChangePolicy Sysctls:[]core.Sysctl SeccompProfile:*core.SeccompProfile AppArmorProfile:*core.AppArmorProfile SELinuxChangePolicy:*core.PodSELinuxChangePolicy
core.PodSpec Volumes:[]core.Volume InitContainers:[]core.Container Containers:[]core.Container EphemeralContainers:[]core.EphemeralContainer RestartPolicy:string TerminationGracePeriodSeconds:*int64 ActiveDeadlineSeconds:*int64 DNSPolicy:string NodeSelector:map ServiceAccountName:string AutomountServiceAccountToken:*bool NodeName:string SecurityContext:*core.PodSecurityContext ImagePullSecrets:[]core.LocalObjectReference Hostname:string Subdomain:string SetHostnameAsFQDN:*bool Affinity:*core.Affinity SchedulerName:string Tolerations:[]core.Toleration HostAliases:[]core.HostAlias PriorityClassName:string Priority:*int32 PreemptionPolicy:*core.PreemptionPolicy DNSConfig:*core.PodDNSConfig ReadinessGates:[]core.PodReadinessGate RuntimeClassName:*string Overhead:core.ResourceList EnableServiceLinks:*bool TopologySpreadConstraints:[]core.TopologySpreadConstraint OS:*core.PodOS SchedulingGates:[]core.PodSchedulingGate ResourceClaims:[]core.PodResourceClaim Resources:*core.ResourceRequirements
core.PodTemplateSpec ObjectMeta@metadata:v1.ObjectMeta Spec:core.PodSpec
core.Probe ProbeHandler:+core.ProbeHandler InitialDelaySeconds:int TimeoutSeconds:int PeriodSeconds:int SuccessThreshold:int FailureThreshold:int TerminationGracePeriodSeconds:*int64
core.ProbeHandler Exec:*core.ExecAction HTTPGet:*core.HTTPGetAction TCPSocket:*core.TCPSocketAction GRPC:*core.GRPCAction
core.ResourceClaim Name:string Request:string
core.ResourceRequirements Limits:core.ResourceList Requests:core.ResourceList Claims:[]core.ResourceClaim
core.SeccompProfile Type:string LocalhostProfile:*string
core.SecurityContext Capabilities:*core.Capabilities Privileged:*bool SELinuxOptions:*core.SELinuxOptions WindowsOptions:*core.WindowsSecurityContextOptions RunAsUser:*int64 RunAsGroup:*int64 RunAsNonRoot:*bool ReadOnlyRootFilesystem:*bool AllowPrivilegeEscalation:*bool ProcMount:*core.ProcMountType SeccompProfile:*core.SeccompProfile AppArmorProfile:*core.AppArmorProfile
core.SleepAction Seconds:int
core.Sysctl Name:string Value:string
core.TCPSocketAction Port:intstr.IntOrString Host:string
core.Toleration Key:string Operator:string Value:string Effect:string TolerationSeconds:*int64
core.TopologySpreadConstraint MaxSkew:int TopologyKey:string WhenUnsatisfiable:string LabelSelector:*v1.LabelSelector MinDomains:*int32 NodeAffinityPolicy:*core.NodeInclusionPolicy NodeTaintsPolicy:*core.NodeInclusionPolicy MatchLabelKeys:[]string
core.Volume Name:string VolumeSource:+core.VolumeSource
core.VolumeDevice Name:string DevicePath:string
core.VolumeMount Name:string ReadOnly:bool RecursiveReadOnly:*core.RecursiveReadOnlyMode MountPath:string SubPath:string MountPropagation:*core.MountPropagationMode SubPathExpr:string
core.VolumeSource HostPath:*core.HostPathVolumeSource EmptyDir:*core.EmptyDirVolumeSource GCEPersistentDisk:*core.GCEPersistentDiskVolumeSource AWSElasticBlockStore:*core.AWSElasticBlockStoreVolumeSource GitRepo:*core.GitRepoVolumeSource Secret:*core.SecretVolumeSource NFS:*core.NFSVolumeSource ISCSI:*core.ISCSIVolumeSource Glusterfs:*core.GlusterfsVolumeSource PersistentVolumeClaim:*core.PersistentVolumeClaimVolumeSource RBD:*core.RBDVolumeSource Quobyte:*core.QuobyteVolumeSource FlexVolume:*core.FlexVolumeSource Cinder:*core.CinderVolumeSource CephFS@cephfs:*core.CephFSVolumeSource Flocker:*core.FlockerVolumeSource DownwardAPI:*core.DownwardAPIVolumeSource FC:*core.FCVolumeSource AzureFile:*core.AzureFileVolumeSource ConfigMap:*core.ConfigMapVolumeSource VsphereVolume:*core.VsphereVirtualDiskVolumeSource AzureDisk:*core.AzureDiskVolumeSource PhotonPersistentDisk:*core.PhotonPersistentDiskVolumeSource Projected:*core.ProjectedVolumeSource PortworxVolume:*core.PortworxVolumeSource ScaleIO:*core.ScaleIOVolumeSource StorageOS@storageos:*core.StorageOSVolumeSource CSI:*core.CSIVolumeSource Ephemeral:*core.EphemeralVolumeSource Image:*core.ImageVolumeSource
flowcontrol.FlowDistinguisherMethod Type:string
flowcontrol.FlowSchemaSpec PriorityLevelConfiguration:flowcontrol.PriorityLevelConfigurationReference MatchingPrecedence:int DistinguisherMethod:*flowcontrol.FlowDistinguisherMethod Rules:[]flowcontrol.PolicyRulesWithSubjects
flowcontrol.NonResourcePolicyRule Verbs:[]string NonResourceURLs:[]string
flowcontrol.PolicyRulesWithSubjects Subjects:[]flowcontrol.Subject ResourceRules:[]flowcontrol.ResourcePolicyRule NonResourceRules:[]flowcontrol.NonResourcePolicyRule
flowcontrol.PriorityLevelConfigurationReference Name:string
flowcontrol.PriorityLevelConfigurationSpec Type:string Limited:*flowcontrol.LimitedPriorityLevelConfiguration Exempt:*flowcontrol.ExemptPriorityLevelConfiguration
flowcontrol.ResourcePolicyRule Verbs:[]string APIGroups:[]string Resources:[]string ClusterScope:bool Namespaces:[]string
flowcontrol.Subject Kind:string User:*flowcontrol.UserSubject Group:*flowcontrol.GroupSubject ServiceAccount:*flowcontrol.ServiceAccountSubject
intstr.IntOrString Type:int IntVal:int StrVal:string
policy.PodDisruptionBudgetSpec MinAvailable:*intstr.IntOrString Selector:*v1.LabelSelector MaxUnavailable:*intstr.IntOrString UnhealthyPodEvictionPolicy:*policy.UnhealthyPodEvictionPolicyType
v1.ObjectMeta Name:string GenerateName:string Namespace:string SelfLink:string UID:string ResourceVersion:string Generation:int CreationTimestamp:time DeletionTimestamp:*time DeletionGracePeriodSeconds:*int64 Labels:map Annotations:map OwnerReferences:[]v1.OwnerReference Finalizers:[]string ManagedFields:[]v1.ManagedFieldsEntry
v1.OwnerReference APIVersion:string Kind:string Name:string UID:string Controller:*bool BlockOwnerDeletion:*bool
";

/// The struct that ephemeral containers share with containers has the same fields.
fn fields(type_: &str) -> Option<&'static str> {
    let type_ = if type_ == "core.EphemeralContainerCommon" { "core.Container" } else { type_ };
    STRUCTS.lines().find_map(|line| line.strip_prefix(type_)?.strip_prefix(' '))
}

fn write(type_: &str, json: Option<&Value>, out: &mut String) -> fmt::Result {
    let json = json.filter(|json| !json.is_null());
    match type_ {
        "int" => write!(out, "{}", json.and_then(Value::as_i64).unwrap_or(0)),
        "bool" => write!(out, "{}", json.and_then(Value::as_bool).unwrap_or(false)),
        // No time is ever set in what is shown here.
        "time" => out.write_str("time.Date(1, time.January, 1, 0, 0, 0, 0, time.UTC)"),
        "*time" => out.write_str("<nil>"),
        "map" => map("map[string]string", json, out, |value, out| write("string", value, out)),
        "core.ResourceList" => map(type_, json, out, quantity),
        _ => match (type_.strip_prefix('*'), type_.strip_prefix("[]"), fields(type_)) {
            (Some(to), ..) => {
                write!(out, "(*{to})({})", json.map_or("nil", |_| POINTER))
            }
            (_, Some(item), _) => list(item, json, out),
            (_, _, Some(fields)) => {
                write!(out, "{type_}{{")?;
                for (index, field) in fields.split(' ').enumerate() {
                    if index > 0 {
                        out.write_str(", ")?;
                    }
                    self::field(field, json, out)?;
                }
                out.write_char('}')
            }
            _ => out.write_str(&quote(json.and_then(Value::as_str).unwrap_or_default())),
        },
    }
}

fn field(field: &str, json: Option<&Value>, out: &mut String) -> fmt::Result {
    let field = parse(field);
    write!(out, "{}:", field.name)?;
    match field.inline {
        true => write(field.type_, json, out),
        false => write(field.type_, json.and_then(|json| json.get(&field.key)), out),
    }
}

/// A field of a struct.
pub(super) struct Field<'t> {
    /// As Go names it.
    pub(super) name: Cow<'t, str>,
    /// As JSON names it.
    pub(super) key: String,
    /// Go's name of its type; "" when it is not known.
    pub(super) type_: &'t str,
    /// Whether its own fields stand beside it in JSON.
    pub(super) inline: bool,
}

/// A field of the table.
pub(super) fn parse(text: &str) -> Field<'_> {
    let (name, type_) = text.split_once(':').unwrap_or((text, "string"));
    let (name, key) = match name.split_once('@') {
        Some((name, key)) => (name, key.to_owned()),
        None => (name, json_name(name)),
    };
    let inline = type_.strip_prefix('+');
    Field { name: name.into(), key, type_: inline.unwrap_or(type_), inline: inline.is_some() }
}

/// The fields of a struct that is in the table.
pub(super) fn known_fields(type_: &str) -> Vec<Field<'static>> {
    fields(type_).into_iter().flat_map(|fields| fields.split(' ')).map(parse).collect()
}

/// The fields of a struct; of one that is not in the table those that two objects have.
pub(super) fn fields_of<'v>(type_: &str, old: &'v Value, new: &'v Value) -> Vec<Field<'v>> {
    let known = known_fields(type_);
    if !known.is_empty() {
        return known;
    }
    let field = |key: &'v str| {
        let mut name = key.to_owned();
        if let Some(first) = name.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        Field { name: name.into(), key: key.to_owned(), type_: "", inline: false }
    };
    super::diff::json_keys(old, new).into_iter().map(field).collect()
}

/// `DNSPolicy` as `dnsPolicy`, `TTY` as `tty`, `HostIP` as `hostIP`.
fn json_name(name: &str) -> String {
    let upper = name.chars().take_while(char::is_ascii_uppercase).count();
    let lowered = if upper == name.len() || upper == 1 { upper } else { upper - 1 };
    let (start, rest) = name.split_at_checked(lowered).unwrap_or((name, ""));
    format!("{}{rest}", start.to_ascii_lowercase())
}

fn list(item: &str, json: Option<&Value>, out: &mut String) -> fmt::Result {
    let Some(items) = json.and_then(Value::as_array) else {
        return write!(out, "[]{item}(nil)");
    };
    write!(out, "[]{item}{{")?;
    for (index, value) in items.iter().enumerate() {
        if index > 0 {
            out.write_str(", ")?;
        }
        write(item, Some(value), out)?;
    }
    out.write_char('}')
}

fn map(
    type_: &str,
    json: Option<&Value>,
    out: &mut String,
    value: fn(Option<&Value>, &mut String) -> fmt::Result,
) -> fmt::Result {
    let Some(entries) = json.and_then(Value::as_object) else {
        return write!(out, "{type_}(nil)");
    };
    write!(out, "{type_}{{")?;
    for (index, (key, entry)) in entries.iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        write!(out, "{comma}{}:", quote(key))?;
        value(Some(entry), out)?;
    }
    out.write_char('}')
}

/// A quantity with what Go keeps of it: value, power of ten, text and form.
fn quantity(json: Option<&Value>, out: &mut String) -> fmt::Result {
    let text = json.and_then(Value::as_str).unwrap_or_default();
    out.write_str(&quantity::go_syntax(&Quantity(text.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_in_json() {
        let table = [
            ("Name", "name"),
            ("DNSPolicy", "dnsPolicy"),
            ("TTY", "tty"),
            ("HostIP", "hostIP"),
            ("UID", "uid"),
            ("SetHostnameAsFQDN", "setHostnameAsFQDN"),
            ("GCEPersistentDisk", "gcePersistentDisk"),
            ("APIVersion", "apiVersion"),
        ];
        for (go, json) in table {
            assert_eq!(json_name(go), json);
        }
    }

    #[test]
    fn every_struct_that_is_named_is_known() {
        let inline = |field: &str| field.contains(":core.") || field.contains(":v1.");
        for line in STRUCTS.lines().filter(|line| !line.is_empty()) {
            for field in line.split(' ').skip(1).filter(|field| inline(field)) {
                let (_, type_) = field.split_once(':').unwrap();
                assert!(fields(type_).is_some() || type_ == "core.ResourceList", "{type_}");
            }
        }
    }

    #[test]
    fn structs() {
        let table = [
            (
                "apps.DeploymentStrategy",
                json!({"type": "Slow", "rollingUpdate": {}}),
                "apps.DeploymentStrategy{Type:\"Slow\", \
                 RollingUpdate:(*apps.RollingUpdateDeployment)(0xc000a5f0e0)}",
            ),
            (
                "core.ResourceRequirements",
                json!({"limits": {"cpu": "100m", "memory": "1Gi"}}),
                "core.ResourceRequirements{Limits:core.ResourceList{\"cpu\":resource.Quantity{\
                 i:resource.int64Amount{value:100, scale:-3}, \
                 d:resource.infDecAmount{Dec:(*inf.Dec)(nil)}, s:\"100m\", Format:\"DecimalSI\"}, \
                 \"memory\":resource.Quantity{i:resource.int64Amount{value:1073741824, scale:0}, \
                 d:resource.infDecAmount{Dec:(*inf.Dec)(nil)}, s:\"1Gi\", Format:\"BinarySI\"}}, \
                 Requests:core.ResourceList(nil), Claims:[]core.ResourceClaim(nil)}",
            ),
            (
                "core.Toleration",
                json!({"key": "a", "operator": "Exists"}),
                "core.Toleration{Key:\"a\", Operator:\"Exists\", Value:\"\", Effect:\"\", \
                 TolerationSeconds:(*int64)(nil)}",
            ),
        ];
        for (type_, json, wanted) in table {
            assert_eq!(dump(type_, &json), wanted);
        }
        let template = dump(
            "core.PodTemplateSpec",
            &json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": []}}),
        );
        let start = "core.PodTemplateSpec{ObjectMeta:v1.ObjectMeta{Name:\"\", GenerateName:\"\", \
                     Namespace:\"\", SelfLink:\"\", UID:\"\", ResourceVersion:\"\", Generation:0, \
                     CreationTimestamp:time.Date(1, time.January, 1, 0, 0, 0, 0, time.UTC), \
                     DeletionTimestamp:<nil>, DeletionGracePeriodSeconds:(*int64)(nil), \
                     Labels:map[string]string{\"a\":\"b\"}, Annotations:map[string]string(nil), \
                     OwnerReferences:[]v1.OwnerReference(nil), Finalizers:[]string(nil), \
                     ManagedFields:[]v1.ManagedFieldsEntry(nil)}, \
                     Spec:core.PodSpec{Volumes:[]core.Volume(nil), \
                     InitContainers:[]core.Container(nil), Containers:[]core.Container{}, ";
        assert!(template.starts_with(start), "{template}");
    }
}
