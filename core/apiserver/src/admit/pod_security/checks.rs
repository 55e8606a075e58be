//! The rules themselves, each a function.
//!
//! Upstream: `pod-security-admission/policy/check_*.go`, and `registry.go` for their order and for
//! which of them others take the place of.

use super::policy::{Level, LevelVersion, Version};
use naru_api::k8s_openapi::api::core::v1::{
    ContainerPort, PodSecurityContext, PodSpec, SELinuxOptions, SecurityContext, Volume,
};
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeSet;

/// What a rule finds: `hostPort`, and in which words it is told of one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) reason: &'static str,
    pub(super) detail: String,
}

/// A pod, or what a workload makes pods from.
pub(super) struct Subject<'a> {
    meta: &'a ObjectMeta,
    spec: &'a PodSpec,
    containers: Vec<Container<'a>>,
}

/// What the rules look at in a container of any sort.
struct Container<'a> {
    name: &'a str,
    security: Option<&'a SecurityContext>,
    ports: &'a [ContainerPort],
}

impl<'a> Subject<'a> {
    pub(super) fn new(meta: &'a ObjectMeta, spec: &'a PodSpec) -> Self {
        let inits = spec.init_containers.iter().flatten();
        let plain = inits.chain(&spec.containers).map(|container| Container {
            name: &container.name,
            security: container.security_context.as_deref(),
            ports: container.ports.as_deref().unwrap_or_default(),
        });
        let ephemeral = spec.ephemeral_containers.iter().flatten().map(|container| Container {
            name: &container.name,
            security: container.security_context.as_deref(),
            ports: container.ports.as_deref().unwrap_or_default(),
        });
        Subject { meta, spec, containers: plain.chain(ephemeral).collect() }
    }

    fn security(&self) -> Option<&PodSecurityContext> {
        self.spec.security_context.as_deref()
    }

    /// The names of the containers whose security context is bad (`None`: it has none).
    fn bad(&self, is_bad: impl Fn(Option<&SecurityContext>) -> bool) -> Vec<&str> {
        let bad = self.containers.iter().filter(|container| is_bad(container.security));
        bad.map(|container| container.name).collect()
    }

    fn is_windows(&self) -> bool {
        self.spec.os.as_ref().is_some_and(|os| os.name == "windows")
    }
}

/// A rule: from which level on, since which release, since which release the restricted level has
/// another in its place, and what it looks for.
struct Rule(Level, u32, Option<u32>, fn(&Subject<'_>, Version) -> Option<Violation>);

/// In the order in which they are told.
const RULES: [Rule; 17] = [
    Rule(Level::Baseline, 0, None, app_armor_profile),
    Rule(Level::Baseline, 0, Some(22), capabilities_baseline),
    Rule(Level::Baseline, 0, None, host_namespaces),
    Rule(Level::Baseline, 0, Some(0), host_path_volumes),
    Rule(Level::Baseline, 0, None, host_ports),
    Rule(Level::Baseline, 0, None, privileged),
    Rule(Level::Baseline, 0, None, proc_mount),
    Rule(Level::Baseline, 0, None, se_linux_options),
    Rule(Level::Baseline, 0, Some(19), seccomp_profile_baseline),
    Rule(Level::Baseline, 0, None, sysctls),
    Rule(Level::Baseline, 0, None, windows_host_process),
    Rule(Level::Restricted, 8, None, allow_privilege_escalation),
    Rule(Level::Restricted, 22, None, capabilities_restricted),
    Rule(Level::Restricted, 0, None, restricted_volumes),
    Rule(Level::Restricted, 0, None, run_as_non_root),
    Rule(Level::Restricted, 23, None, run_as_user),
    Rule(Level::Restricted, 19, None, seccomp_profile_restricted),
];

/// Which rules a pod breaks.
pub(super) fn violations(subject: &Subject<'_>, rules: LevelVersion) -> Vec<Violation> {
    let version = rules.version;
    let applies = |Rule(level, since, replaced, _): &&Rule| {
        let replaced = rules.level == Level::Restricted
            && replaced.is_some_and(|since| version >= Version::Minor(since));
        *level <= rules.level && version >= Version::Minor(*since) && !replaced
    };
    RULES.iter().filter(applies).filter_map(|rule| rule.3(subject, version)).collect()
}

fn violation(reason: &'static str, detail: String) -> Option<Violation> {
    Some(Violation { reason, detail })
}

fn plural<'a>(one: &'a str, many: &'a str, count: usize) -> &'a str {
    if count == 1 { one } else { many }
}

/// `"a", "b"`, as they stand.
fn quoted<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let quote = |item: T| format!("\"{}\"", item.as_ref());
    items.into_iter().map(quote).collect::<Vec<_>>().join(", ")
}

/// `containers "a", "b"`.
fn containers(names: &[&str]) -> String {
    format!("{} {}", plural("container", "containers", names.len()), quoted(names))
}

/// `pod and container "a"`; `None` when nobody sets anything bad.
fn setters(pod: bool, names: &[&str]) -> Option<String> {
    match (pod, names) {
        (false, []) => None,
        (true, []) => Some("pod".to_owned()),
        (false, names) => Some(containers(names)),
        (true, names) => Some(format!("pod and {}", containers(names))),
    }
}

fn app_armor_profile(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    const ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";
    let bad = |type_: &str| !matches!(type_, "RuntimeDefault" | "Localhost");
    let of_pod = subject.security().and_then(|security| security.app_armor_profile.as_ref());
    let of_pod = of_pod.map(|profile| profile.type_.as_str()).filter(|type_| bad(type_));
    let type_of = |security: Option<&SecurityContext>| {
        security.and_then(|security| Some(security.app_armor_profile.as_ref()?.type_.clone()))
    };
    let names = subject.bad(|security| type_of(security).is_some_and(|type_| bad(&type_)));
    let of_containers = subject.containers.iter().filter_map(|one| type_of(one.security));
    let types: BTreeSet<String> =
        of_containers.filter(|type_| bad(type_)).chain(of_pod.map(str::to_owned)).collect();
    let is_allowed =
        |value: &str| matches!(value, "" | "runtime/default") || value.starts_with("localhost/");
    let annotations: Vec<String> = (subject.meta.annotations.iter().flatten())
        .filter(|(key, value)| key.starts_with(ANNOTATION) && !is_allowed(value))
        .map(|(key, value)| format!("{key}={}", naru_api::gofmt::quote(value)))
        .collect();
    let annotated = (!annotations.is_empty())
        .then(|| plural("annotation", "annotations", annotations.len()).to_owned());
    let setters: Vec<String> =
        setters(of_pod.is_some(), &names).into_iter().chain(annotated).collect();
    if setters.is_empty() {
        return None;
    }
    let values: Vec<String> = types.into_iter().chain(annotations).collect();
    let detail = format!(
        "{} must not set AppArmor profile type to {}",
        setters.join(" and "),
        quoted(&values)
    );
    let (one, many) = ("forbidden AppArmor profile", "forbidden AppArmor profiles");
    violation(if values.len() == 1 { one } else { many }, detail)
}

fn added(security: Option<&SecurityContext>) -> impl Iterator<Item = &String> {
    let capabilities = security.and_then(|security| security.capabilities.as_ref());
    capabilities.into_iter().flat_map(|capabilities| capabilities.add.iter().flatten())
}

/// The containers that add capabilities beyond these, and which.
fn adding<'a>(
    subject: &'a Subject<'_>,
    is_allowed: impl Fn(&str) -> bool,
) -> Option<(Vec<&'a str>, BTreeSet<&'a str>)> {
    let names = subject.bad(|security| added(security).any(|name| !is_allowed(name)));
    let all = subject.containers.iter().flat_map(|container| added(container.security));
    let forbidden = all.map(String::as_str).filter(|name| !is_allowed(name)).collect();
    (!names.is_empty()).then_some((names, forbidden))
}

fn capabilities_baseline(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    const ALLOWED: [&str; 13] = [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ];
    let (names, forbidden) = adding(subject, |name| ALLOWED.contains(&name))?;
    let detail = format!(
        "{} must not include {} in securityContext.capabilities.add",
        containers(&names),
        quoted(forbidden)
    );
    violation("non-default capabilities", detail)
}

fn host_namespaces(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    let spec = subject.spec;
    let shared = [
        (spec.host_network, "hostNetwork=true"),
        (spec.host_pid, "hostPID=true"),
        (spec.host_ipc, "hostIPC=true"),
    ];
    let shared = shared.into_iter().filter(|(on, _)| *on == Some(true));
    let shared: Vec<&str> = shared.map(|(_, text)| text).collect();
    if shared.is_empty() { None } else { violation("host namespaces", shared.join(", ")) }
}

fn host_path_volumes(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    let volumes = subject.spec.volumes.iter().flatten();
    let bad: Vec<&String> =
        volumes.filter(|volume| volume.host_path.is_some()).map(|volume| &volume.name).collect();
    if bad.is_empty() {
        return None;
    }
    let detail = format!("{} {}", plural("volume", "volumes", bad.len()), quoted(bad));
    violation("hostPath volumes", detail)
}

fn host_ports(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    let ports = |container: &Container<'_>| -> Vec<i32> {
        container.ports.iter().filter_map(|port| port.host_port.filter(|port| *port != 0)).collect()
    };
    let bad = subject.containers.iter().filter(|container| !ports(container).is_empty());
    let names: Vec<&str> = bad.map(|container| container.name).collect();
    if names.is_empty() {
        return None;
    }
    // In the order of texts.
    let forbidden: BTreeSet<String> =
        subject.containers.iter().flat_map(ports).map(|port| port.to_string()).collect();
    let detail = format!(
        "{} {} {} {}",
        containers(&names),
        plural("uses", "use", names.len()),
        plural("hostPort", "hostPorts", forbidden.len()),
        forbidden.into_iter().collect::<Vec<_>>().join(", ")
    );
    violation("hostPort", detail)
}

fn privileged(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    let names =
        subject.bad(|security| security.is_some_and(|security| security.privileged == Some(true)));
    if names.is_empty() {
        return None;
    }
    let detail = format!("{} must not set securityContext.privileged=true", containers(&names));
    violation("privileged", detail)
}

fn proc_mount(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    let set = |security: Option<&SecurityContext>| {
        let kind = security.and_then(|security| security.proc_mount.clone());
        kind.filter(|kind| kind != "Default")
    };
    let names = subject.bad(|security| set(security).is_some());
    if names.is_empty() {
        return None;
    }
    let kinds: BTreeSet<String> =
        subject.containers.iter().filter_map(|container| set(container.security)).collect();
    let detail = format!(
        "{} must not set securityContext.procMount to {}",
        containers(&names),
        quoted(kinds)
    );
    violation("procMount", detail)
}

fn se_linux_options(subject: &Subject<'_>, version: Version) -> Option<Violation> {
    let is_filled = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let bad_type = |options: &SELinuxOptions| {
        let type_ = options.type_.clone().unwrap_or_default();
        let allowed = match type_.as_str() {
            "" | "container_t" | "container_init_t" | "container_kvm_t" => true,
            "container_engine_t" => version >= Version::Minor(31),
            _ => false,
        };
        (!allowed).then_some(type_)
    };
    let is_bad = |options: &SELinuxOptions| {
        bad_type(options).is_some() || is_filled(&options.user) || is_filled(&options.role)
    };
    let of_pod = subject.security().and_then(|security| security.se_linux_options.as_ref());
    let names = subject.bad(|security| {
        security.and_then(|security| security.se_linux_options.as_ref()).is_some_and(is_bad)
    });
    let setters = setters(of_pod.is_some_and(is_bad), &names)?;
    let of_containers = subject.containers.iter().filter_map(|container| container.security);
    let all: Vec<&SELinuxOptions> = of_containers
        .filter_map(|security| security.se_linux_options.as_ref())
        .chain(of_pod)
        .collect();
    let types: BTreeSet<String> = all.iter().filter_map(|options| bad_type(options)).collect();
    let mut data = Vec::new();
    if !types.is_empty() {
        data.push(format!("{} {}", plural("type", "types", types.len()), quoted(types)));
    }
    if all.iter().any(|options| is_filled(&options.user)) {
        data.push("user may not be set".to_owned());
    }
    if all.iter().any(|options| is_filled(&options.role)) {
        data.push("role may not be set".to_owned());
    }
    let detail =
        format!("{setters} set forbidden securityContext.seLinuxOptions: {}", data.join("; "));
    violation("seLinuxOptions", detail)
}

const SECCOMP: &str = "seccompProfile";

fn is_seccomp(type_: &str) -> bool {
    matches!(type_, "Localhost" | "RuntimeDefault")
}

fn seccomp_type(security: Option<&SecurityContext>) -> Option<&str> {
    Some(security?.seccomp_profile.as_ref()?.type_.as_str())
}

fn pod_seccomp_type<'a>(subject: &'a Subject<'_>) -> Option<&'a str> {
    Some(subject.security()?.seccomp_profile.as_ref()?.type_.as_str())
}

fn seccomp_profile_baseline(subject: &Subject<'_>, version: Version) -> Option<Violation> {
    if version < Version::Minor(19) {
        return seccomp_annotations(subject);
    }
    let is_bad = |type_: &&str| !is_seccomp(type_);
    let of_pod = pod_seccomp_type(subject).filter(is_bad);
    let names = subject.bad(|security| seccomp_type(security).as_ref().is_some_and(is_bad));
    let setters = setters(of_pod.is_some(), &names)?;
    let types = subject.containers.iter().filter_map(|container| seccomp_type(container.security));
    let values: BTreeSet<&str> = types.filter(is_bad).chain(of_pod).collect();
    let detail =
        format!("{setters} must not set securityContext.seccompProfile.type to {}", quoted(values));
    violation(SECCOMP, detail)
}

fn seccomp_annotations(subject: &Subject<'_>) -> Option<Violation> {
    let of_containers = subject.containers.iter();
    let of_containers = of_containers.map(|container| {
        format!("container.seccomp.security.alpha.kubernetes.io/{}", container.name)
    });
    let keys = of_containers.chain(["seccomp.security.alpha.kubernetes.io/pod".to_owned()]);
    let annotations = subject.meta.annotations.as_ref()?;
    let is_bad = |value: &str| {
        !matches!(value, "runtime/default" | "docker/default") && !value.starts_with("localhost/")
    };
    let forbidden: BTreeSet<String> = keys
        .filter_map(|key| {
            let value = annotations.get(&key).filter(|value| is_bad(value))?;
            Some(format!("{key}={}", naru_api::gofmt::quote(value)))
        })
        .collect();
    if forbidden.is_empty() {
        return None;
    }
    let what = plural("annotation", "annotations", forbidden.len());
    let list = forbidden.into_iter().collect::<Vec<_>>().join(", ");
    violation(SECCOMP, format!("forbidden {what} {list}"))
}

fn sysctls(subject: &Subject<'_>, version: Version) -> Option<Violation> {
    let since = |name: &str| match name {
        "kernel.shm_rmid_forced"
        | "net.ipv4.ip_local_port_range"
        | "net.ipv4.tcp_syncookies"
        | "net.ipv4.ping_group_range"
        | "net.ipv4.ip_unprivileged_port_start" => Some(0),
        "net.ipv4.ip_local_reserved_ports" => Some(27),
        "net.ipv4.tcp_keepalive_time"
        | "net.ipv4.tcp_fin_timeout"
        | "net.ipv4.tcp_keepalive_intvl"
        | "net.ipv4.tcp_keepalive_probes" => Some(29),
        "net.ipv4.tcp_rmem" | "net.ipv4.tcp_wmem" => Some(32),
        _ => None,
    };
    let is_allowed = |name: &str| since(name).is_some_and(|since| version >= Version::Minor(since));
    let set = subject.security().and_then(|security| security.sysctls.as_deref());
    let set = set.unwrap_or_default().iter().map(|sysctl| sysctl.name.as_str());
    let forbidden: Vec<&str> = set.filter(|name| !is_allowed(name)).collect();
    if forbidden.is_empty() { None } else { violation("forbidden sysctls", forbidden.join(", ")) }
}

fn windows_host_process(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    let of_pod = subject.security().and_then(|security| security.windows_options.as_ref());
    let of_pod = of_pod.is_some_and(|options| options.host_process == Some(true));
    let names = subject.bad(|security| {
        let options = security.and_then(|security| security.windows_options.as_ref());
        options.is_some_and(|options| options.host_process == Some(true))
    });
    let setters = setters(of_pod, &names)?;
    let what = "must not set securityContext.windowsOptions.hostProcess=true";
    violation("hostProcess", format!("{setters} {what}"))
}

/// Windows pods cannot set what the restricted level asks for.
fn spares_windows(subject: &Subject<'_>, version: Version) -> bool {
    version >= Version::Minor(25) && subject.is_windows()
}

fn allow_privilege_escalation(subject: &Subject<'_>, version: Version) -> Option<Violation> {
    if spares_windows(subject, version) {
        return None;
    }
    let names = subject.bad(|security| {
        security.and_then(|security| security.allow_privilege_escalation) != Some(false)
    });
    if names.is_empty() {
        return None;
    }
    let detail =
        format!("{} must set securityContext.allowPrivilegeEscalation=false", containers(&names));
    violation("allowPrivilegeEscalation != false", detail)
}

fn capabilities_restricted(subject: &Subject<'_>, version: Version) -> Option<Violation> {
    if spares_windows(subject, version) {
        return None;
    }
    let keeping = subject.bad(|security| {
        let capabilities = security.and_then(|security| security.capabilities.as_ref());
        let dropped = capabilities.and_then(|capabilities| capabilities.drop.as_deref());
        !dropped.unwrap_or_default().iter().any(|name| name == "ALL")
    });
    let mut details = Vec::new();
    if !keeping.is_empty() {
        let names = containers(&keeping);
        details.push(format!("{names} must set securityContext.capabilities.drop=[\"ALL\"]"));
    }
    if let Some((names, forbidden)) = adding(subject, |name| name == "NET_BIND_SERVICE") {
        details.push(format!(
            "{} must not include {} in securityContext.capabilities.add",
            containers(&names),
            quoted(forbidden)
        ));
    }
    if details.is_empty() {
        return None;
    }
    violation("unrestricted capabilities", details.join("; "))
}

/// The name of a volume's kind that the restricted level does not allow.
fn restricted_kind(volume: &Volume) -> Option<&'static str> {
    let allowed = volume.config_map.is_some()
        || volume.csi.is_some()
        || volume.downward_api.is_some()
        || volume.empty_dir.is_some()
        || volume.ephemeral.is_some()
        || volume.image.is_some()
        || volume.persistent_volume_claim.is_some()
        || volume.projected.is_some()
        || volume.secret.is_some();
    let kinds = [
        ("hostPath", volume.host_path.is_some()),
        ("gcePersistentDisk", volume.gce_persistent_disk.is_some()),
        ("awsElasticBlockStore", volume.aws_elastic_block_store.is_some()),
        ("gitRepo", volume.git_repo.is_some()),
        ("nfs", volume.nfs.is_some()),
        ("iscsi", volume.iscsi.is_some()),
        ("glusterfs", volume.glusterfs.is_some()),
        ("rbd", volume.rbd.is_some()),
        ("flexVolume", volume.flex_volume.is_some()),
        ("cinder", volume.cinder.is_some()),
        ("cephfs", volume.cephfs.is_some()),
        ("flocker", volume.flocker.is_some()),
        ("fc", volume.fc.is_some()),
        ("azureFile", volume.azure_file.is_some()),
        ("vsphereVolume", volume.vsphere_volume.is_some()),
        ("quobyte", volume.quobyte.is_some()),
        ("azureDisk", volume.azure_disk.is_some()),
        ("photonPersistentDisk", volume.photon_persistent_disk.is_some()),
        ("portworxVolume", volume.portworx_volume.is_some()),
        ("scaleIO", volume.scale_io.is_some()),
        ("storageos", volume.storageos.is_some()),
    ];
    if allowed {
        return None;
    }
    let kind = kinds.into_iter().find(|(_, is_it)| *is_it);
    Some(kind.map_or("unknown", |(kind, _)| kind))
}

fn restricted_volumes(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    let volumes = || subject.spec.volumes.iter().flatten();
    let bad = volumes().filter(|volume| restricted_kind(volume).is_some());
    let bad: Vec<&String> = bad.map(|volume| &volume.name).collect();
    if bad.is_empty() {
        return None;
    }
    let kinds: BTreeSet<&str> = volumes().filter_map(restricted_kind).collect();
    let count = bad.len();
    let detail = format!(
        "{} {} {} {} {}",
        plural("volume", "volumes", count),
        quoted(bad),
        plural("uses", "use", count),
        plural("restricted volume type", "restricted volume types", kinds.len()),
        quoted(kinds)
    );
    violation("restricted volume types", detail)
}

fn run_as_non_root(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    const REASON: &str = "runAsNonRoot != true";
    let of_pod = subject.security().and_then(|security| security.run_as_non_root);
    let of = |security: Option<&SecurityContext>| security.and_then(|s| s.run_as_non_root);
    let names = subject.bad(|security| of(security) == Some(false));
    if let Some(setters) = setters(of_pod == Some(false), &names) {
        let detail = format!("{setters} must not set securityContext.runAsNonRoot=false");
        return violation(REASON, detail);
    }
    let silent = subject.bad(|security| of(security).is_none());
    if of_pod == Some(true) || silent.is_empty() {
        return None;
    }
    let names = containers(&silent);
    violation(REASON, format!("pod or {names} must set securityContext.runAsNonRoot=true"))
}

fn run_as_user(subject: &Subject<'_>, _: Version) -> Option<Violation> {
    let of_pod = subject.security().and_then(|security| security.run_as_user);
    let names =
        subject.bad(|security| security.and_then(|security| security.run_as_user) == Some(0));
    let setters = setters(of_pod == Some(0), &names)?;
    violation("runAsUser=0", format!("{setters} must not set runAsUser=0"))
}

fn seccomp_profile_restricted(subject: &Subject<'_>, version: Version) -> Option<Violation> {
    if spares_windows(subject, version) {
        return None;
    }
    if let Some(violation) = seccomp_profile_baseline(subject, Version::Latest) {
        return Some(violation);
    }
    let silent = subject.bad(|security| seccomp_type(security).is_none());
    if pod_seccomp_type(subject).is_some() || silent.is_empty() {
        return None;
    }
    let detail = format!(
        "pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \
         \"Localhost\"",
        containers(&silent)
    );
    violation(SECCOMP, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn told(annotations: Value, spec: Value, level: Level, version: Version) -> Vec<String> {
        let meta = serde_json::from_value(json!({ "annotations": annotations })).unwrap();
        let spec: PodSpec = serde_json::from_value(spec).unwrap();
        let subject = Subject::new(&meta, &spec);
        let all = violations(&subject, LevelVersion { level, version });
        all.into_iter().map(|found| format!("{} ({})", found.reason, found.detail)).collect()
    }

    /// A container that keeps the restricted rules, with this on top.
    fn good(name: &str, more: Value) -> Value {
        let mut security = json!({"allowPrivilegeEscalation": false, "runAsNonRoot": true,
            "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}});
        for (key, value) in more.as_object().unwrap() {
            security[key] = value.clone();
        }
        json!({"name": name, "securityContext": security})
    }

    #[test]
    fn a_plain_pod_breaks_the_restricted_rules() {
        let spec = json!({"containers": [{"name": "a"}, {"name": "b"}]});
        assert_eq!(
            told(json!({}), spec.clone(), Level::Restricted, Version::Latest),
            [
                "allowPrivilegeEscalation != false (containers \"a\", \"b\" must set \
                 securityContext.allowPrivilegeEscalation=false)",
                "unrestricted capabilities (containers \"a\", \"b\" must set \
                 securityContext.capabilities.drop=[\"ALL\"])",
                "runAsNonRoot != true (pod or containers \"a\", \"b\" must set \
                 securityContext.runAsNonRoot=true)",
                "seccompProfile (pod or containers \"a\", \"b\" must set \
                 securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")",
            ]
        );
        assert_eq!(told(json!({}), spec.clone(), Level::Baseline, Version::Latest), [""; 0]);
        assert_eq!(told(json!({}), spec, Level::Privileged, Version::Latest), [""; 0]);
    }

    #[test]
    fn baseline_rules() {
        let one =
            |security: Value| json!({"containers": [{"name": "a", "securityContext": security}]});
        let pod =
            |security: Value| json!({"containers": [{"name": "a"}], "securityContext": security});
        let table = [
            (
                one(json!({"appArmorProfile": {"type": "Unconfined"}})),
                "forbidden AppArmor profile (container \"a\" must not set AppArmor profile type to \
                 \"Unconfined\")",
            ),
            (
                one(json!({"capabilities": {"add": ["NET_ADMIN", "CHOWN", "BPF"]}})),
                "non-default capabilities (container \"a\" must not include \"BPF\", \"NET_ADMIN\" \
                 in securityContext.capabilities.add)",
            ),
            (
                json!({"containers": [], "hostNetwork": true, "hostIPC": true}),
                "host namespaces (hostNetwork=true, hostIPC=true)",
            ),
            (
                json!({"containers": [], "volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
                "hostPath volumes (volume \"v\")",
            ),
            (
                json!({"containers": [{"name": "a", "ports": [
                    {"containerPort": 1, "hostPort": 9090}, {"containerPort": 2, "hostPort": 80}]}]}),
                "hostPort (container \"a\" uses hostPorts 80, 9090)",
            ),
            (
                one(json!({"privileged": true})),
                "privileged (container \"a\" must not set securityContext.privileged=true)",
            ),
            (
                one(json!({"procMount": "Unmasked"})),
                "procMount (container \"a\" must not set securityContext.procMount to \"Unmasked\")",
            ),
            (
                pod(json!({"seLinuxOptions": {"type": "spc_t", "user": "u"}})),
                "seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type \"spc_t\"; \
                 user may not be set)",
            ),
            (
                pod(json!({"seccompProfile": {"type": "Unconfined"}})),
                "seccompProfile (pod must not set securityContext.seccompProfile.type to \
                 \"Unconfined\")",
            ),
            (
                pod(json!({"sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"},
                    {"name": "kernel.msgmax", "value": "1"}]})),
                "forbidden sysctls (kernel.msgmax)",
            ),
            (
                one(json!({"windowsOptions": {"hostProcess": true}})),
                "hostProcess (container \"a\" must not set \
                 securityContext.windowsOptions.hostProcess=true)",
            ),
        ];
        for (spec, text) in table {
            assert_eq!(told(json!({}), spec, Level::Baseline, Version::Latest), [text]);
        }
    }

    #[test]
    fn restricted_rules() {
        let table = [
            (json!({"containers": [good("a", json!({}))]}), vec![]),
            (
                json!({"containers": [good("a", json!({"capabilities":
                    {"drop": ["ALL"], "add": ["NET_BIND_SERVICE", "CHOWN"]}}))]}),
                vec![
                    "unrestricted capabilities (container \"a\" must not include \"CHOWN\" in \
                     securityContext.capabilities.add)",
                ],
            ),
            (
                json!({"containers": [good("a", json!({}))], "volumes": [
                    {"name": "n", "nfs": {"server": "s", "path": "/"}},
                    {"name": "h", "hostPath": {"path": "/"}}, {"name": "e", "emptyDir": {}}]}),
                vec![
                    "restricted volume types (volumes \"n\", \"h\" use restricted volume types \
                     \"hostPath\", \"nfs\")",
                ],
            ),
            (
                json!({"containers": [good("a", json!({"runAsUser": 0, "runAsNonRoot": false}))],
                    "securityContext": {"runAsUser": 0}}),
                vec![
                    "runAsNonRoot != true (container \"a\" must not set \
                     securityContext.runAsNonRoot=false)",
                    "runAsUser=0 (pod and container \"a\" must not set runAsUser=0)",
                ],
            ),
        ];
        for (spec, texts) in table {
            assert_eq!(told(json!({}), spec, Level::Restricted, Version::Latest), texts);
        }
    }

    #[test]
    fn rules_are_those_of_their_release() {
        let spec = json!({"containers": [{"name": "a"}], "os": {"name": "windows"}});
        let count =
            |minor| told(json!({}), spec.clone(), Level::Restricted, Version::Minor(minor)).len();
        // Privilege escalation since 8, seccomp since 19, capabilities since 22; none for Windows
        // since 25.
        assert_eq!([7, 8, 19, 22, 25].map(count), [1, 2, 3, 4, 1]);
        let annotations = json!({"seccomp.security.alpha.kubernetes.io/pod": "unconfined"});
        let plain = json!({"containers": [{"name": "a"}]});
        assert_eq!(
            told(annotations, plain, Level::Baseline, Version::Minor(18)),
            ["seccompProfile (forbidden annotation \
              seccomp.security.alpha.kubernetes.io/pod=\"unconfined\")"]
        );
    }
}
