//! As whom a container runs, and what it may.
//!
//! Upstream: `pkg/kubelet/kuberuntime/security_context.go`, `pkg/securitycontext/util.go`.

use super::kuberuntime_container::full_name;
use super::sysctl;
use crate::Image;
use crate::runtime::{PidNamespace, Volumes};
use k8s_openapi::api::core::v1::{Container, PodSpec, SeccompProfile};
use naru_api::Key;
use naru_shell::{Caps, Confinement, Errno, Filter, Verdict};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Users and groups of a container's processes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The user, if the pod says.
    pub uid: Option<u32>,
    /// The first group, if the pod says.
    pub gid: Option<u32>,
    /// More groups.
    pub groups: Vec<u32>,
    /// Whether nothing but volumes can be written.
    pub read_only_root: bool,
}

/// What the pod says of a container; the container's own words count more.
pub fn identity(container: &Container, spec: &PodSpec) -> Identity {
    let own = container.security_context.as_ref();
    let pods = spec.security_context.as_ref();
    let number = |id: Option<i64>| id.and_then(|id| u32::try_from(id).ok());
    let team = pods.and_then(|pods| pods.fs_group).into_iter();
    let more = pods.and_then(|pods| pods.supplemental_groups.as_deref()).unwrap_or_default();
    Identity {
        uid: number(own.and_then(|c| c.run_as_user).or(pods.and_then(|c| c.run_as_user))),
        gid: number(own.and_then(|c| c.run_as_group).or(pods.and_then(|c| c.run_as_group))),
        groups: team.chain(more.iter().copied()).filter_map(|gid| number(Some(gid))).collect(),
        read_only_root: own.is_some_and(|c| c.read_only_root_filesystem == Some(true)),
    }
}

/// Whether a container has all that the node has.
pub fn is_privileged(container: &Container) -> bool {
    container.security_context.as_ref().is_some_and(|own| own.privileged == Some(true))
}

/// What the container's processes may do at most. What has the name of no capability is left out, as
/// runc does.
///
/// Upstream: `determineEffectiveSecurityContext`, `AddNoNewPrivileges`; containerd's `containerSpec` in
/// `internal/cri/server/container_create_linux.go`, and its defaults `enable_unprivileged_ports` and
/// `enable_unprivileged_icmp`.
pub fn confinement(container: &Container, spec: &PodSpec) -> Confinement {
    let own = container.security_context.as_ref();
    let pods = spec.security_context.as_ref();
    let mut confinement = Confinement::of_containers();
    if spec.host_network == Some(true) {
        (confinement.first_port, confinement.pings) = (1024, false);
    }
    for sysctl in pods.and_then(|pods| pods.sysctls.as_deref()).unwrap_or_default() {
        match sysctl.name.as_str() {
            "net.ipv4.ip_unprivileged_port_start" => {
                confinement.first_port = sysctl.value.parse().unwrap_or(confinement.first_port);
            }
            "net.ipv4.ping_group_range" => {
                let mut ends = sysctl.value.split_whitespace().filter_map(|end| end.parse().ok());
                let (from, to): (u32, u32) = (ends.next().unwrap_or(1), ends.next().unwrap_or(0));
                confinement.pings = from == 0 && from <= to;
            }
            _ => {}
        }
    }
    if is_privileged(container) {
        return Confinement { caps: Caps::ALL, ..confinement };
    }
    confinement.no_new_privs = own.is_some_and(|c| c.allow_privilege_escalation == Some(false));
    let profile = seccomp_profile(container, spec);
    confinement.seccomp = profile.is_some_and(|profile| profile.type_ != "Unconfined");
    let capabilities = own.and_then(|c| c.capabilities.as_ref());
    let add = capabilities.and_then(|c| c.add.as_deref()).unwrap_or_default();
    let drop = capabilities.and_then(|c| c.drop.as_deref()).unwrap_or_default();
    let is_all = |name: &String| name.eq_ignore_ascii_case("ALL");
    if add.iter().any(is_all) {
        confinement.caps = Caps::ALL;
    }
    if drop.iter().any(is_all) {
        confinement.caps = Caps::NONE;
    }
    for name in add.iter().filter(|name| !is_all(name)) {
        confinement.caps = confinement.caps.with(Caps::named(name));
    }
    for name in drop.iter().filter(|name| !is_all(name)) {
        confinement.caps = confinement.caps.without(Caps::named(name));
    }
    confinement
}

/// The pod's settings of the kernel, by their paths in `/proc`, as they are read there: what has
/// several numbers has tabs between them.
pub fn sysctls(spec: &PodSpec) -> BTreeMap<String, String> {
    let all = spec.security_context.as_ref().and_then(|context| context.sysctls.as_deref());
    let path = |name: &str| format!("/sys/{}", sysctl::normalize(name).replace('.', "/"));
    let value = |text: &str| text.split_whitespace().collect::<Vec<_>>().join("\t");
    all.into_iter().flatten().map(|it| (path(&it.name), value(&it.value))).collect()
}

/// Where the profiles of a node's own are.
const SECCOMP_ROOT: &str = "/var/lib/kubelet/seccomp";

/// What a container's profile of system calls does not let through; refuses a container whose profile
/// cannot be read on the node.
///
/// Upstream: `getSeccompProfile` in `pkg/kubelet/kuberuntime/helpers.go`, `WithProfile` in
/// `contrib/seccomp/seccomp.go` of containerd.
pub fn seccomp_filter(
    container: &Container,
    spec: &PodSpec,
    volumes: &Volumes,
) -> Result<Filter, String> {
    let profile = seccomp_profile(container, spec);
    let local = profile.and_then(|profile| profile.localhost_profile.as_deref());
    let local = local.filter(|_| !is_privileged(container));
    let Some(local) = local else { return Ok(Filter::default()) };
    let path = naru_shell::normalize(SECCOMP_ROOT, local);
    let failed = |why: String| format!("failed to create containerd container: {why}");
    let bytes = volumes.host_files().read(&path).map_err(|errno| {
        let why = errno.to_string().to_lowercase();
        failed(format!("cannot load seccomp profile \"{path}\": open {path}: {why}"))
    })?;
    let read = serde_json::from_slice::<Map<String, Value>>(&bytes);
    read.map(|profile| filter(&profile)).map_err(|error| {
        // As Go's decoder says it.
        let why = match error.is_eof() {
            true => "unexpected end of JSON input".to_owned(),
            false => error.to_string(),
        };
        failed(format!("decoding seccomp profile failed \"{path}\": {why}"))
    })
}

/// A profile's filter. Rules that look at arguments are left out.
///
/// Upstream: `LinuxSeccomp` in `config-linux.md` of the runtime specification.
fn filter(profile: &Map<String, Value>) -> Filter {
    let usual = verdict(profile, "defaultAction", "defaultErrnoRet");
    let rules = profile.get("syscalls").and_then(Value::as_array).into_iter().flatten();
    let rules = rules.filter_map(Value::as_object).filter(|rule| {
        rule.get("args").and_then(Value::as_array).is_none_or(|args| args.is_empty())
    });
    let rules: Vec<&Map<String, Value>> = rules.collect();
    let of_name = |name: &&str| {
        let named = |rule: &&&Map<String, Value>| {
            let names = rule.get("names").and_then(Value::as_array);
            names.is_some_and(|names| names.iter().any(|it| it.as_str() == Some(name)))
        };
        rules.iter().find(named).map(|rule| verdict(rule, "action", "errnoRet"))
    };
    // Which of a call's names a program uses is its library's business. One that is there for an
    // exception has it.
    Filter::new(|call| {
        let mut said = call.names().iter().filter_map(of_name);
        said.find(|verdict| *verdict != usual).unwrap_or(usual)
    })
}

/// What an action does with a call.
fn verdict(rule: &Map<String, Value>, action: &str, errno: &str) -> Verdict {
    match rule.get(action).and_then(Value::as_str).unwrap_or_default() {
        "SCMP_ACT_ERRNO" => Verdict::Refuse(match rule.get(errno).and_then(Value::as_u64) {
            Some(2) => Errno::NotFound,
            Some(13) => Errno::Access,
            Some(22) => Errno::Invalid,
            Some(30) => Errno::ReadOnly,
            Some(38) => Errno::NotImplemented,
            _ => Errno::NotPermitted,
        }),
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_PROCESS" | "SCMP_ACT_KILL_THREAD" | "SCMP_ACT_TRAP" => {
            Verdict::Kill
        }
        _ => Verdict::Allow,
    }
}

/// The container's own profile of system calls, or its pod's.
fn seccomp_profile<'a>(container: &'a Container, spec: &'a PodSpec) -> Option<&'a SeccompProfile> {
    let own = container.security_context.as_ref().and_then(|own| own.seccomp_profile.as_ref());
    own.or(spec.security_context.as_ref().and_then(|pods| pods.seccomp_profile.as_ref()))
}

/// Whose processes the containers of a pod see.
///
/// Upstream: `PidNamespaceForPod` in `pkg/kubelet/util/format`.
pub fn pid_namespace(spec: &PodSpec) -> PidNamespace {
    if spec.host_pid == Some(true) {
        return PidNamespace::Node;
    }
    match spec.share_process_namespace {
        Some(true) => PidNamespace::Pod,
        _ => PidNamespace::Container,
    }
}

/// Refuses a container that must not be root and would be.
pub fn verify_run_as_non_root(
    container: &Container,
    spec: &PodSpec,
    image: &Image,
    key: &Key,
    uid: &str,
) -> Result<(), String> {
    let own = container.security_context.as_ref();
    let pods = spec.security_context.as_ref();
    let wanted = own.and_then(|c| c.run_as_non_root).or(pods.and_then(|c| c.run_as_non_root));
    if wanted != Some(true) {
        return Ok(());
    }
    let about = format!("(pod: \"{}\", container: {})", full_name(key, uid), container.name);
    match own.and_then(|c| c.run_as_user).or(pods.and_then(|c| c.run_as_user)) {
        Some(0) => Err(format!("container's runAsUser breaks non-root policy {about}")),
        Some(_) => Ok(()),
        None if !image.user_name.is_empty() => Err(format!(
            "container has runAsNonRoot and image has non-numeric user ({}), cannot verify user is \
             non-root {about}",
            image.user_name
        )),
        None if image.user == 0 => {
            Err(format!("container has runAsNonRoot and image will run as root {about}"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageRef;
    use serde_json::json;

    fn said(container: serde_json::Value, pod: serde_json::Value) -> Result<(), String> {
        let container: Container =
            serde_json::from_value(json!({"name": "c", "securityContext": container})).unwrap();
        let spec: PodSpec =
            serde_json::from_value(json!({"containers": [], "securityContext": pod})).unwrap();
        let image = Image::find(&ImageRef::parse("busybox").unwrap()).unwrap();
        verify_run_as_non_root(&container, &spec, &image, &Key::new("shop", "web"), "u")
    }

    #[test]
    fn roots_are_refused_where_they_may_not_be() {
        let about = "(pod: \"web_shop(u)\", container: c)";
        assert_eq!(said(json!({}), json!({})), Ok(()));
        assert_eq!(
            said(json!({}), json!({"runAsNonRoot": true})),
            Err(format!("container has runAsNonRoot and image will run as root {about}"))
        );
        assert_eq!(
            said(json!({"runAsUser": 0}), json!({"runAsNonRoot": true})),
            Err(format!("container's runAsUser breaks non-root policy {about}"))
        );
        assert_eq!(said(json!({"runAsUser": 7}), json!({"runAsNonRoot": true})), Ok(()));
        assert_eq!(said(json!({"runAsNonRoot": false}), json!({"runAsNonRoot": true})), Ok(()));
    }

    #[test]
    fn capabilities_are_added_and_taken() {
        let caps = |own: serde_json::Value| {
            let container: Container =
                serde_json::from_value(json!({"name": "c", "securityContext": own})).unwrap();
            confinement(&container, &PodSpec::default()).caps.to_string()
        };
        for (own, expected) in [
            (json!({}), "00000000a80425fb"),
            (json!({"privileged": true}), "000001ffffffffff"),
            (json!({"capabilities": {"add": ["NET_ADMIN", "SYS_TIME"]}}), "00000000aa0435fb"),
            (json!({"capabilities": {"drop": ["ALL"]}}), "0000000000000000"),
            (
                json!({"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}),
                "0000000000000400",
            ),
            (json!({"capabilities": {"add": ["ALL"], "drop": ["CHOWN"]}}), "000001fffffffffe"),
            (json!({"capabilities": {"add": ["FLY"]}}), "00000000a80425fb"),
        ] {
            assert_eq!(caps(own.clone()), expected, "{own}");
        }
    }

    #[test]
    fn a_container_says_more_than_its_pod() {
        let container: Container = serde_json::from_value(
            json!({"name": "c", "securityContext": {"runAsUser": 5, "readOnlyRootFilesystem": true}}),
        )
        .unwrap();
        let spec: PodSpec = serde_json::from_value(json!({"containers": [], "securityContext":
            {"runAsUser": 1, "runAsGroup": 2, "fsGroup": 3, "supplementalGroups": [4]}}))
        .unwrap();
        let identity = identity(&container, &spec);
        let expected =
            Identity { uid: Some(5), gid: Some(2), groups: vec![3, 4], read_only_root: true };
        assert_eq!(identity, expected);
    }
}
