//! What a client is told of a pod or a template that is allowed but unwise.
//!
//! Upstream: `pkg/api/pod/warnings.go`, `pkg/api/node/util.go`.

mod paths;

use super::validation::visit;
use crate::gofmt::quote;
use crate::quantity::Amount;
use crate::{Path, names};
use k8s_openapi::api::core::v1::{
    Affinity, Container, ContainerPort, NodeSelectorTerm, Pod, PodAffinityTerm, PodSpec,
    PodTemplateSpec, Volume, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::{BTreeMap, BTreeSet};

type Annotations = BTreeMap<String, String>;

/// Labels of nodes that have new names.
const OLD_LABELS: [(&str, &str); 6] = [
    ("beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"),
    ("beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"),
    (
        "failure-domain.beta.kubernetes.io/region",
        "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
    ),
    (
        "failure-domain.beta.kubernetes.io/zone",
        "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead",
    ),
    (
        "beta.kubernetes.io/instance-type",
        "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead",
    ),
    ("node-role.kubernetes.io/master", "use \"node-role.kubernetes.io/control-plane\" instead"),
];
const OLD_ANNOTATIONS: [(&str, &str); 3] = [
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        "non-functional in v1.16+; use the \"priorityClassName\" field instead",
    ),
    (
        "security.alpha.kubernetes.io/sysctls",
        "non-functional in v1.11+; use the \"sysctls\" field instead",
    ),
    (
        "security.alpha.kubernetes.io/unsafe-sysctls",
        "non-functional in v1.11+; use the \"sysctls\" field instead",
    ),
];
const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
const OLD_SECCOMP: &str = "non-functional in v1.27+; use the \"seccompProfile\" field instead";
const NO_SELECTOR: &str = "a null labelSelector results in matching no pod";

/// What is unwise in a pod.
pub fn pod(pod: &Pod) -> Vec<String> {
    let mut warnings = Warnings::default();
    if let Some(spec) = &pod.spec {
        let annotations = pod.metadata.annotations.as_ref();
        let (path, meta) = (Path::new("spec"), Path::new("metadata"));
        warnings.spec(spec, annotations, &path, &meta);
        warnings.rest(spec, &path);
    }
    warnings.0
}

/// What is unwise in a template at `path`.
pub fn template(template: &PodTemplateSpec, path: &Path<'_>) -> Vec<String> {
    let mut warnings = Warnings::default();
    if let Some(spec) = &template.spec {
        let annotations = template.metadata.as_ref().and_then(|meta| meta.annotations.as_ref());
        let (path, meta) = (path.child("spec"), path.child("metadata"));
        warnings.spec(spec, annotations, &path, &meta);
        warnings.app_armor(spec, annotations, &path, &meta);
        warnings.rest(spec, &path);
    }
    warnings.0
}

#[derive(Default)]
struct Warnings(Vec<String>);

impl Warnings {
    fn push(&mut self, field: Path<'_>, text: &str) {
        self.0.push(format!("{field}: {text}"));
    }

    fn spec(
        &mut self,
        spec: &PodSpec,
        annotations: Option<&Annotations>,
        path: &Path<'_>,
        meta: &Path<'_>,
    ) {
        self.node_labels(spec, path);
        let field = meta.child("annotations");
        for (key, text) in OLD_ANNOTATIONS {
            if annotations.is_some_and(|all| all.contains_key(key)) {
                self.push(field.key(key), text);
            }
        }
        let list = path.child("volumes");
        for (index, volume) in spec.volumes.iter().flatten().enumerate() {
            self.volume(volume, &list.index(index));
        }
        self.0.extend(paths::overlapping(spec.volumes.as_deref().unwrap_or_default()));
        self.duplicates(spec, path);
        let overhead = spec.overhead.as_ref();
        self.fractions(overhead, &path.child("overhead"));
        let own = spec.security_context.as_ref().and_then(|own| own.seccomp_profile.as_ref());
        let has = |key: &str| annotations.is_some_and(|all| all.contains_key(key));
        if own.is_none() && has(SECCOMP_POD) {
            self.push(field.key(SECCOMP_POD), OLD_SECCOMP);
        }
        visit(spec, path, &mut |container, item| {
            let context = container.security_context.as_ref();
            let key = format!("{SECCOMP_CONTAINER}{}", container.name);
            if context.is_none_or(|context| context.seccomp_profile.is_none()) && has(&key) {
                self.push(field.key(&key), OLD_SECCOMP);
            }
            self.container(container, item);
        });
    }

    fn rest(&mut self, spec: &PodSpec, path: &Path<'_>) {
        self.ports(spec, path);
        self.port_names(spec, path);
        if spec.termination_grace_period_seconds.is_some_and(|seconds| seconds < 0) {
            let text = "must be >= 0; negative values are invalid and will be treated as 1";
            self.push(path.child("terminationGracePeriodSeconds"), text);
        }
        if let Some(affinity) = &spec.affinity {
            self.selectors(affinity, &path.child("affinity"));
        }
    }

    fn app_armor(
        &mut self,
        spec: &PodSpec,
        annotations: Option<&Annotations>,
        path: &Path<'_>,
        meta: &Path<'_>,
    ) {
        let own = spec.security_context.as_ref().and_then(|own| own.app_armor_profile.as_ref());
        let field = meta.child("annotations");
        visit(spec, path, &mut |container, _| {
            let its = container.security_context.as_ref();
            let its = its.and_then(|its| its.app_armor_profile.as_ref());
            let key = format!("{APP_ARMOR}{}", container.name);
            if own.or(its).is_none() && annotations.is_some_and(|all| all.contains_key(&key)) {
                let text = "deprecated since v1.30; use the \"appArmorProfile\" field instead";
                self.push(field.key(&key), text);
            }
        });
    }

    fn node_labels(&mut self, spec: &PodSpec, path: &Path<'_>) {
        let field = path.child("nodeSelector");
        for key in spec.node_selector.iter().flatten().map(|(key, _)| key) {
            if let Some(text) = old_label(key) {
                self.push(field.key(key), text);
            }
        }
        let node = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
        if let Some(node) = node {
            let affinity = path.child("affinity");
            let path = affinity.child("nodeAffinity");
            let required = path.child("requiredDuringSchedulingIgnoredDuringExecution");
            let list = required.child("nodeSelectorTerms");
            let terms = node.required_during_scheduling_ignored_during_execution.as_ref();
            let terms = terms.map(|required| required.node_selector_terms.as_slice());
            for (index, term) in terms.unwrap_or_default().iter().enumerate() {
                self.node_term(term, false, &list.index(index));
            }
            let list = path.child("preferredDuringSchedulingIgnoredDuringExecution");
            let terms = node.preferred_during_scheduling_ignored_during_execution.iter().flatten();
            for (index, term) in terms.enumerate() {
                let item = list.index(index);
                self.node_term(&term.preference, true, &item.child("preference"));
            }
        }
        let list = path.child("topologySpreadConstraints");
        for (index, constraint) in spec.topology_spread_constraints.iter().flatten().enumerate() {
            let (item, key) = (list.index(index), &constraint.topology_key);
            if let Some(text) = old_label(key) {
                self.push(item.child("topologyKey"), &format!("{key} is {text}"));
            }
            if constraint.label_selector.is_none() {
                self.push(item.child("labelSelector"), NO_SELECTOR);
            }
        }
    }

    fn node_term(&mut self, term: &NodeSelectorTerm, check_values: bool, path: &Path<'_>) {
        let list = path.child("matchExpressions");
        for (index, expression) in term.match_expressions.iter().flatten().enumerate() {
            let (item, key) = (list.index(index), &expression.key);
            if let Some(text) = old_label(key) {
                self.push(item.child("key"), &format!("{key} is {text}"));
            }
            let list = item.child("values");
            let values = expression.values.iter().flatten().enumerate();
            for (index, value) in values.filter(|_| check_values) {
                for problem in names::label_value(value) {
                    self.push(list.index(index), &format!("{value} is invalid, {problem}"));
                }
            }
        }
    }

    fn volume(&mut self, volume: &Volume, item: &Path<'_>) {
        const V1_25: &str = "deprecated in v1.22, non-functional in v1.25+";
        const V1_31: &str = "deprecated in v1.28, non-functional in v1.31+";
        let gone = [
            (
                "photonPersistentDisk",
                volume.photon_persistent_disk.is_some(),
                "deprecated in v1.11, non-functional in v1.16+",
            ),
            (
                "gitRepo",
                volume.git_repo.is_some(),
                "deprecated in v1.11, and disabled by default in v1.33+",
            ),
            ("scaleIO", volume.scale_io.is_some(), "deprecated in v1.16, non-functional in v1.22+"),
            ("flocker", volume.flocker.is_some(), V1_25),
            ("storageOS", volume.storageos.is_some(), V1_25),
            ("quobyte", volume.quobyte.is_some(), V1_25),
            (
                "glusterfs",
                volume.glusterfs.is_some(),
                "deprecated in v1.25, non-functional in v1.26+",
            ),
            ("cephfs", volume.cephfs.is_some(), V1_31),
            ("rbd", volume.rbd.is_some(), V1_31),
        ];
        for (field, _, text) in gone.into_iter().filter(|(_, set, _)| *set) {
            self.push(item.child(field), text);
        }
    }

    fn duplicates(&mut self, spec: &PodSpec, path: &Path<'_>) {
        let list = path.child("hostAliases");
        let mut seen = BTreeSet::new();
        for (index, alias) in spec.host_aliases.iter().flatten().enumerate() {
            if !seen.insert(&alias.ip) {
                let text = format!("duplicate ip {}", quote(&alias.ip));
                self.push(list.index(index).child("ip"), &text);
            }
        }
        let list = path.child("imagePullSecrets");
        let secrets = spec.image_pull_secrets.as_deref().unwrap_or_default();
        let mut seen = BTreeSet::new();
        for (index, secret) in secrets.iter().enumerate() {
            if !seen.insert(&secret.name) {
                let text = format!("duplicate name {}", quote(&secret.name));
                self.push(list.index(index).child("name"), &text);
            }
        }
        for (index, _) in secrets.iter().enumerate().filter(|(_, secret)| secret.name.is_empty()) {
            self.push(list.index(index).child("name"), "invalid empty name \"\"");
        }
    }

    /// Half a byte is nothing that can be given.
    fn fractions(&mut self, list: Option<&BTreeMap<String, Quantity>>, path: &Path<'_>) {
        for name in ["memory", "ephemeral-storage"] {
            let amount = list.and_then(|list| list.get(name)).map(Amount::of);
            if let Some(amount) = amount.filter(|amount| amount.milli_value() % 1000 != 0) {
                let text = format!(
                    "fractional byte value {} is invalid, must be an integer",
                    quote(&amount.to_string())
                );
                self.push(path.key(name), &text);
            }
        }
    }

    fn container(&mut self, container: &Container, item: &Path<'_>) {
        let path = item.child("resources");
        if let Some(resources) = &container.resources {
            for name in ["memory", "ephemeral-storage"] {
                let lists = [("limits", &resources.limits), ("requests", &resources.requests)];
                for (field, list) in lists {
                    let one = list.as_ref().and_then(|list| list.get_key_value(name));
                    let one = one.map(|(name, it)| BTreeMap::from([(name.clone(), it.clone())]));
                    self.fractions(one.as_ref(), &path.child(field));
                }
            }
        }
        let list = item.child("env");
        let mut seen = BTreeSet::new();
        for (index, env) in container.env.iter().flatten().enumerate() {
            if seen.insert(&env.name) {
                continue;
            }
            let reference = format!("$({})", env.name);
            let value = env.value.as_deref().unwrap_or_default();
            // One that builds on the other is well.
            if env.value_from.is_some() || value == reference || !value.contains(&reference) {
                let text = format!(
                    "hides previous definition of {}, which may be dropped when using apply",
                    quote(&env.name)
                );
                self.push(list.index(index), &text);
            }
        }
    }

    fn ports(&mut self, spec: &PodSpec, path: &Path<'_>) {
        let mut seen: BTreeMap<(i32, String), Vec<(String, ContainerPort)>> = BTreeMap::new();
        visit(spec, path, &mut |container, item| {
            let list = item.child("ports");
            for (index, port) in container.ports.iter().flatten().enumerate() {
                let field = list.index(index);
                let (address, number) = node_port(port);
                if !address.is_empty() && number == 0 {
                    let text = format!("hostIP set without hostPort: {}", go_port(port));
                    self.push(field, &text);
                }
                let key = (port.container_port, port.protocol.clone().unwrap_or_default());
                let others = seen.entry(key).or_default();
                for (other, its) in others.iter() {
                    let (its_address, its_number) = node_port(its);
                    let how = match () {
                        () if (address, number) == (its_address, its_number) => "duplicate",
                        () if number == 0 || its_number == 0 => "overlapping",
                        () if number == its_number
                            && address.is_empty() != its_address.is_empty() =>
                        {
                            "dangerously ambiguous"
                        }
                        () => continue,
                    };
                    self.push(field, &format!("{how} port definition with {other}"));
                }
                others.push((field.to_string(), port.clone()));
            }
        });
    }

    fn port_names(&mut self, spec: &PodSpec, path: &Path<'_>) {
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        visit(spec, path, &mut |container, item| {
            let list = item.child("ports");
            for (index, port) in container.ports.iter().flatten().enumerate() {
                let Some(name) = port.name.as_ref().filter(|name| !name.is_empty()) else {
                    continue;
                };
                let field = list.index(index);
                match seen.get(name) {
                    None => drop(seen.insert(name.clone(), field.to_string())),
                    Some(other) => {
                        let text = format!(
                            "duplicate port name {} with {other}, services and probes that select \
                             ports by name will use {other}",
                            quote(name)
                        );
                        self.push(field, &text);
                    }
                }
            }
        });
    }

    fn selectors(&mut self, affinity: &Affinity, path: &Path<'_>) {
        if let Some(pods) = &affinity.pod_affinity {
            let required = &pods.required_during_scheduling_ignored_during_execution;
            let preferred = &pods.preferred_during_scheduling_ignored_during_execution;
            self.terms(required, preferred, &path.child("podAffinity"));
        }
        if let Some(pods) = &affinity.pod_anti_affinity {
            let required = &pods.required_during_scheduling_ignored_during_execution;
            let preferred = &pods.preferred_during_scheduling_ignored_during_execution;
            self.terms(required, preferred, &path.child("podAntiAffinity"));
        }
    }

    fn terms(
        &mut self,
        required: &Option<Vec<PodAffinityTerm>>,
        preferred: &Option<Vec<WeightedPodAffinityTerm>>,
        path: &Path<'_>,
    ) {
        let list = path.child("requiredDuringSchedulingIgnoredDuringExecution");
        for (index, term) in required.iter().flatten().enumerate() {
            if term.label_selector.is_none() {
                self.push(list.index(index).child("labelSelector"), NO_SELECTOR);
            }
        }
        let list = path.child("preferredDuringSchedulingIgnoredDuringExecution");
        for (index, term) in preferred.iter().flatten().enumerate() {
            if term.pod_affinity_term.label_selector.is_none() {
                let item = list.index(index);
                let term = item.child("podAffinityTerm");
                self.push(term.child("labelSelector"), NO_SELECTOR);
            }
        }
    }
}

fn old_label(key: &str) -> Option<&'static str> {
    OLD_LABELS.iter().find(|(old, _)| *old == key).map(|(_, text)| *text)
}

/// The node's address and port.
fn node_port(port: &ContainerPort) -> (&str, i32) {
    (port.host_ip.as_deref().unwrap_or_default(), port.host_port.unwrap_or(0))
}

/// A port as Go's `%+v` writes it.
fn go_port(port: &ContainerPort) -> String {
    let (address, number) = node_port(port);
    format!(
        "{{Name:{} HostPort:{number} ContainerPort:{} Protocol:{} HostIP:{address}}}",
        port.name.as_deref().unwrap_or_default(),
        port.container_port,
        port.protocol.as_deref().unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    fn warnings(annotations: Value, spec: Value) -> Vec<String> {
        let mut pod =
            serde_json::from_value(json!({"metadata": {"annotations": annotations}, "spec": spec}))
                .unwrap();
        crate::podspec::defaults::set_pod(&mut pod);
        super::pod(&pod)
    }

    fn with(container: Value) -> Value {
        let mut all = json!({"name": "a", "image": "b"});
        for (key, value) in container.as_object().unwrap() {
            all[key] = value.clone();
        }
        json!({ "containers": [all] })
    }

    #[test]
    fn messages_are_upstreams() {
        let spec = |fields: Value| {
            let mut all = with(json!({}));
            for (key, value) in fields.as_object().unwrap() {
                all[key] = value.clone();
            }
            all
        };
        let table = [
            (json!({}), with(json!({})), vec![]),
            (
                json!({}),
                spec(json!({"nodeSelector": {"beta.kubernetes.io/os": "linux"}})),
                vec![
                    "spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \
                     \"kubernetes.io/os\" instead",
                ],
            ),
            (
                json!({"scheduler.alpha.kubernetes.io/critical-pod": ""}),
                spec(json!({})),
                vec![
                    "metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: \
                     non-functional in v1.16+; use the \"priorityClassName\" field instead",
                ],
            ),
            (
                json!({}),
                with(json!({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"},
                    {"name": "A", "value": "$(A)3"}]})),
                vec![
                    "spec.containers[0].env[1]: hides previous definition of \"A\", which may be \
                     dropped when using apply",
                ],
            ),
            (
                json!({}),
                with(json!({"resources": {"limits": {"memory": "100m"}}})),
                vec![
                    "spec.containers[0].resources.limits[memory]: fractional byte value \"100m\" \
                     is invalid, must be an integer",
                    "spec.containers[0].resources.requests[memory]: fractional byte value \
                     \"100m\" is invalid, must be an integer",
                ],
            ),
            (
                json!({}),
                with(
                    json!({"ports": [{"containerPort": 80}, {"containerPort": 80, "hostPort": 1}]}),
                ),
                vec![
                    "spec.containers[0].ports[1]: overlapping port definition with \
                     spec.containers[0].ports[0]",
                ],
            ),
            (
                json!({}),
                spec(json!({"imagePullSecrets": [{"name": "a"}, {"name": "a"}],
                    "terminationGracePeriodSeconds": -1})),
                vec![
                    "spec.imagePullSecrets[1].name: duplicate name \"a\"",
                    "spec.terminationGracePeriodSeconds: must be >= 0; negative values are \
                     invalid and will be treated as 1",
                ],
            ),
            (
                json!({}),
                spec(json!({"volumes": [{"name": "v", "gitRepo": {"repository": "r"}}]})),
                vec![
                    "spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in \
                     v1.33+",
                ],
            ),
        ];
        for (annotations, spec, messages) in table {
            assert_eq!(warnings(annotations, spec.clone()), messages, "{spec}");
        }
    }
}
