//! What `kubectl debug --profile` makes of a pod.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/debug/profiles.go`.

use crate::failure::{Failure, Result};
use crate::generate::list_mut;
use serde_json::{Value, json};

/// What is debugged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A pod on a node.
    Node,
    /// A copy of a pod.
    Copy,
    /// One more container in a pod.
    Ephemeral,
}

/// What a copy keeps of its pod.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// Labels.
    pub labels: bool,
    /// Annotations.
    pub annotations: bool,
    /// Liveness probes.
    pub liveness: bool,
    /// Readiness probes.
    pub readiness: bool,
    /// Startup probes.
    pub startup: bool,
    /// Init containers.
    pub init_containers: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Legacy,
    General,
    Baseline,
    Restricted,
    Netadmin,
    Sysadmin,
}

/// A profile, with what a copy keeps.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    name: Name,
    keep: Keep,
}

impl Profile {
    /// The profile of this name.
    pub fn parse(name: &str, keep: Keep) -> Result<Self> {
        let name = match name {
            "legacy" => Name::Legacy,
            "general" => Name::General,
            "baseline" => Name::Baseline,
            "restricted" => Name::Restricted,
            "netadmin" => Name::Netadmin,
            "sysadmin" => Name::Sysadmin,
            other => return Err(Failure::Message(format!("unknown profile: {other}"))),
        };
        Ok(Profile { name, keep })
    }

    /// Changes a pod that has the container.
    pub fn apply(self, pod: &mut Value, container: &str, style: Style) {
        if style == Style::Copy {
            self.reduce(pod);
            if self.name != Name::Legacy && pod["spec"]["shareProcessNamespace"].is_null() {
                pod["spec"]["shareProcessNamespace"] = json!(true);
            }
        }
        let clears = matches!(self.name, Name::Baseline | Name::Restricted)
            || (self.name == Name::General && style == Style::Node);
        for list in ["containers", "initContainers", "ephemeralContainers"] {
            for one in list_mut(&mut pod["spec"], list) {
                if one["name"] == container {
                    if let (true, Some(fields)) = (clears, one.as_object_mut()) {
                        fields.remove("securityContext");
                    }
                    self.secure(one, style);
                }
            }
        }
        let hosted =
            matches!(self.name, Name::Legacy | Name::General | Name::Netadmin | Name::Sysadmin);
        if style == Style::Node && hosted {
            for field in ["hostNetwork", "hostPID", "hostIPC"] {
                pod["spec"][field] = json!(true);
            }
            if self.name != Name::Netadmin {
                mount_root(pod, container);
            }
        }
    }

    /// Takes from a copy what it does not keep.
    fn reduce(self, pod: &mut Value) {
        let Keep { labels, annotations, liveness, readiness, startup, init_containers } = self.keep;
        let legacy = self.name == Name::Legacy;
        if let Some(metadata) = pod["metadata"].as_object_mut() {
            if legacy || !labels {
                metadata.remove("labels");
            }
            if !legacy && !annotations {
                metadata.remove("annotations");
            }
        }
        if legacy {
            return;
        }
        let probes =
            [(liveness, "livenessProbe"), (readiness, "readinessProbe"), (startup, "startupProbe")];
        for container in list_mut(&mut pod["spec"], "containers") {
            for (_, probe) in probes.iter().filter(|(kept, _)| !kept) {
                if let Some(fields) = container.as_object_mut() {
                    fields.remove(*probe);
                }
            }
        }
        if let (false, Some(spec)) = (init_containers, pod["spec"].as_object_mut()) {
            spec.remove("initContainers");
        }
    }

    fn secure(self, container: &mut Value, style: Style) {
        let context = &mut container["securityContext"];
        match self.name {
            Name::General if style != Style::Node => {
                add_capabilities(context, &["SYS_PTRACE"]);
            }
            Name::Netadmin => add_capabilities(context, &["NET_ADMIN", "NET_RAW"]),
            Name::Sysadmin => {
                ensure(context);
                context["privileged"] = json!(true);
            }
            Name::Restricted => {
                *context = json!({
                    "allowPrivilegeEscalation": false,
                    "capabilities": { "drop": ["ALL"] },
                    "runAsNonRoot": true,
                    "seccompProfile": { "type": "RuntimeDefault" },
                });
            }
            _ => {}
        }
        if let (true, Some(fields)) =
            (container["securityContext"].is_null(), container.as_object_mut())
        {
            fields.remove("securityContext");
        }
    }
}

fn ensure(context: &mut Value) {
    if !context.is_object() {
        *context = json!({});
    }
}

fn add_capabilities(context: &mut Value, names: &[&str]) {
    ensure(context);
    if !context["capabilities"].is_object() {
        context["capabilities"] = json!({});
    }
    let added = &mut context["capabilities"]["add"];
    if !added.is_array() {
        *added = json!([]);
    }
    if let Some(added) = added.as_array_mut() {
        added.extend(names.iter().map(|name| json!(name)));
    }
}

/// The node's files, below `/host`.
fn mount_root(pod: &mut Value, container: &str) {
    let spec = &mut pod["spec"];
    if !spec["volumes"].is_array() {
        spec["volumes"] = json!([]);
    }
    if let Some(volumes) = spec["volumes"].as_array_mut() {
        volumes.push(json!({ "name": "host-root", "hostPath": { "path": "/" } }));
    }
    for one in list_mut(spec, "containers") {
        if one["name"] != container {
            continue;
        }
        if !one["volumeMounts"].is_array() {
            one["volumeMounts"] = json!([]);
        }
        if let Some(mounts) = one["volumeMounts"].as_array_mut() {
            mounts.push(json!({ "mountPath": "/host", "name": "host-root" }));
        }
    }
}
