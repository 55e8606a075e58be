//! `rancher.io/local-path`, the provisioner of kind: a volume is a directory of a node, which a
//! helper pod makes there and deletes.
//!
//! Upstream: rancher/local-path-provisioner, `provisioner.go`.

use super::{Asked, Backend, Made, Provisioner, in_container};
use crate::controller_program::{ControllerProgram, InContainer, StartsInContainer};
use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, Container, EnvVar, HostPathVolumeSource, KeyToPath, NodeSelector,
    NodeSelectorRequirement, NodeSelectorTerm, PersistentVolume, PersistentVolumeSpec, Pod,
    PodSpec, Toleration, Volume, VolumeMount, VolumeNodeAffinity,
};
use naru_api::request::DeleteOptions;
use naru_api::{pods, volumes};
use naru_client::Context;
use naru_shell::{Program, Sys};
use naru_sim::Time;
use std::collections::BTreeMap;
use std::time::Duration;

const NAMESPACE: &str = "local-path-storage";
const CONFIG: &str = "/etc/config/config.json";
const CONFIG_MAP: &str = "local-path-config";
const SELECTED_NODE: &str = "local.path.provisioner/selected-node";
/// How long a helper pod may take. Upstream: `defaultCmdTimeoutSeconds`.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Longest name of a helper pod. Upstream: `helperPodNameMaxLength`.
const POD_NAME_MAX: usize = 128;

/// The program `local-path-provisioner`.
pub fn program() -> Box<dyn Program> {
    Box::new(ControllerProgram::<LocalPathProvisioner>::new("local-path-provisioner"))
}

/// The provisioner, as it runs in its pod.
#[derive(Clone, Debug)]
struct LocalPathProvisioner(Provisioner);

in_container!(LocalPathProvisioner);

impl StartsInContainer for LocalPathProvisioner {
    const ACCOUNT: (&'static str, &'static str) =
        (NAMESPACE, "local-path-provisioner-service-account");

    fn start(sys: &mut dyn Sys) -> Self {
        let args = sys.args().to_vec();
        let option = |name: &str| {
            let at = args.iter().position(|arg| arg == name)?;
            args.get(at + 1).cloned()
        };
        let helper_image = option("--helper-image").unwrap_or_default();
        let config = option("--config").unwrap_or_else(|| CONFIG.to_owned());
        let paths = sys.fs().read(&config).map(|bytes| read_paths(&bytes)).unwrap_or_default();
        let backend = LocalPath { paths, helper_image, helpers: BTreeMap::new() };
        let hostname = sys.hostname().to_owned();
        LocalPathProvisioner(Provisioner::new(Box::new(backend), &hostname, sys.rng()))
    }
}

impl InContainer for LocalPathProvisioner {}

/// The directories in which volumes are made, by node.
type NodePaths = BTreeMap<String, Vec<String>>;

fn read_paths(bytes: &[u8]) -> NodePaths {
    let json: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    let entries = json["nodePathMap"].as_array().cloned().unwrap_or_default();
    entries
        .iter()
        .map(|entry| {
            let paths = entry["paths"].as_array().cloned().unwrap_or_default();
            let paths = paths.iter().filter_map(|path| path.as_str().map(str::to_owned));
            (entry["node"].as_str().unwrap_or_default().to_owned(), paths.collect())
        })
        .collect()
}

/// Directories of nodes as volumes.
#[derive(Clone, Debug)]
struct LocalPath {
    paths: NodePaths,
    helper_image: String,
    /// Helper pods, and since when each is there.
    helpers: BTreeMap<String, Time>,
}

/// What a helper pod is to do.
struct Help<'a> {
    action: &'static str,
    script: &'static str,
    volume: &'a str,
    path: &'a str,
    node: &'a str,
    bytes: i64,
}

impl LocalPath {
    fn base(&self, node: &str) -> Result<&str, String> {
        const OTHERS: &str = "DEFAULT_PATH_FOR_NON_LISTED_NODES";
        let paths = self.paths.get(node).or_else(|| self.paths.get(OTHERS));
        let Some(paths) = paths else {
            return Err(format!("config doesn't contain node {node}, and no {OTHERS} available"));
        };
        let none = || format!("no local path available on node {node}");
        paths.first().map(String::as_str).ok_or_else(none)
    }

    /// Runs a helper pod; `false` while it runs.
    fn help(&mut self, help: &Help<'_>, context: &mut Context<'_>) -> Result<bool, String> {
        let mut name = format!("helper-pod-{}-{}", help.action, help.volume);
        name.truncate(POD_NAME_MAX);
        let Some(since) = self.helpers.get(&name).copied() else {
            match context.client.create(self.pod(&name, help)) {
                Err(error) if !error.is_already_exists() => return Err(error.to_string()),
                _ => {}
            }
            self.helpers.insert(name, context.now);
            return Ok(false);
        };
        let pod = context.client.get::<Pod>(NAMESPACE, &name);
        let phase = pod.as_deref().map(pods::phase).unwrap_or_default();
        let done = phase == "Succeeded";
        if !done && context.now.since(since) < TIMEOUT {
            return Ok(false);
        }
        self.helpers.remove(&name);
        let _ = context.client.delete::<Pod>(NAMESPACE, &name, DeleteOptions::default());
        if done {
            return Ok(true);
        }
        let (action, volume) = (help.action, help.volume);
        Err(format!(
            "failed to {action} volume {volume}: {action} process timeout after {} seconds",
            TIMEOUT.as_secs()
        ))
    }

    fn pod(&self, name: &str, help: &Help<'_>) -> Pod {
        let (parent, _) = help.path.rsplit_once('/').unwrap_or_default();
        let mount = |name: &str, path: &str| VolumeMount {
            name: name.to_owned(),
            mount_path: path.to_owned(),
            ..VolumeMount::default()
        };
        let env = |name: &str, value: String| EnvVar {
            name: name.to_owned(),
            value: Some(value),
            value_from: None,
        };
        let container = Container {
            name: "helper-pod".to_owned(),
            image: Some(self.helper_image.clone()),
            image_pull_policy: Some("IfNotPresent".to_owned()),
            command: Some(vec!["/bin/sh".to_owned(), format!("/script/{}", help.script)]),
            args: Some(
                ["-p", help.path, "-s", &help.bytes.to_string(), "-m", "Filesystem"]
                    .map(str::to_owned)
                    .to_vec(),
            ),
            env: Some(vec![
                env("VOL_DIR", help.path.to_owned()),
                env("VOL_MODE", "Filesystem".to_owned()),
                env("VOL_SIZE_BYTES", help.bytes.to_string()),
            ]),
            volume_mounts: Some(vec![mount("script", "/script"), mount("data", parent)]),
            ..Container::default()
        };
        let mut pod = Pod::default();
        pod.metadata.name = Some(name.to_owned());
        pod.metadata.namespace = Some(NAMESPACE.to_owned());
        pod.spec = Some(
            PodSpec {
                restart_policy: Some("Never".to_owned()),
                node_name: Some(help.node.to_owned()),
                service_account_name: Some(LocalPathProvisioner::ACCOUNT.1.to_owned()),
                tolerations: Some(vec![Toleration {
                    operator: Some("Exists".to_owned()),
                    ..Toleration::default()
                }]),
                containers: vec![container],
                volumes: Some(vec![script_volume(help.script), data_volume(parent)]),
                ..PodSpec::default()
            }
            .into(),
        );
        pod
    }
}

fn script_volume(script: &str) -> Volume {
    let item = KeyToPath { key: script.to_owned(), path: script.to_owned(), mode: None };
    Volume {
        name: "script".to_owned(),
        config_map: Some(
            ConfigMapVolumeSource {
                name: CONFIG_MAP.to_owned(),
                items: Some(vec![item]),
                ..ConfigMapVolumeSource::default()
            }
            .into(),
        ),
        ..Volume::default()
    }
}

fn data_volume(path: &str) -> Volume {
    let type_ = Some("DirectoryOrCreate".to_owned());
    Volume {
        name: "data".to_owned(),
        host_path: Some(HostPathVolumeSource { path: path.to_owned(), type_ }.into()),
        ..Volume::default()
    }
}

impl Backend for LocalPath {
    fn name(&self) -> &str {
        "rancher.io/local-path"
    }

    fn provision(
        &mut self,
        asked: &Asked<'_>,
        context: &mut Context<'_>,
    ) -> Result<Option<Made>, String> {
        let claim = asked.claim;
        if claim.spec.as_ref().is_some_and(|spec| spec.selector.is_some()) {
            return Err("claim.Spec.Selector is not supported".to_owned());
        }
        let local = |mode: &String| mode == "ReadWriteOnce" || mode == "ReadWriteOncePod";
        if !volumes::claim_modes(claim).iter().all(local) {
            return Err(
                "NodePath only supports ReadWriteOnce and ReadWriteOncePod (1.22+) access \
                        modes"
                    .to_owned(),
            );
        }
        let Some(node) = asked.node else {
            return Err("configuration error, no node was specified".to_owned());
        };
        let namespace = claim.metadata.namespace.as_deref().unwrap_or_default();
        let claim_name = claim.metadata.name.as_deref().unwrap_or_default();
        let path = format!("{}/{}_{namespace}_{claim_name}", self.base(node)?, asked.name);
        let help = Help {
            action: "create",
            script: "setup",
            volume: asked.name,
            path: &path,
            node,
            bytes: volumes::claim_size(claim).value(),
        };
        if !self.help(&help, context)? {
            return Ok(None);
        }
        let type_ = Some("DirectoryOrCreate".to_owned());
        let spec = PersistentVolumeSpec {
            host_path: Some(HostPathVolumeSource { path, type_ }),
            node_affinity: Some(only_on(node)),
            ..PersistentVolumeSpec::default()
        };
        let annotations = [(SELECTED_NODE.to_owned(), node.to_owned())].into_iter().collect();
        Ok(Some(Made { spec, annotations, finalizers: Vec::new() }))
    }

    fn delete(
        &mut self,
        volume: &PersistentVolume,
        context: &mut Context<'_>,
    ) -> Result<bool, String> {
        let spec = volume.spec.clone().unwrap_or_default();
        let path = spec.host_path.map(|source| source.path).unwrap_or_default();
        let node = volumes::annotation(&volume.metadata, SELECTED_NODE).unwrap_or_default();
        let help = Help {
            action: "delete",
            script: "teardown",
            volume: volume.metadata.name.as_deref().unwrap_or_default(),
            path: &path,
            node,
            bytes: volumes::volume_size(volume).value(),
        };
        self.help(&help, context)
    }
}

fn only_on(node: &str) -> VolumeNodeAffinity {
    let requirement = NodeSelectorRequirement {
        key: "kubernetes.io/hostname".to_owned(),
        operator: "In".to_owned(),
        values: Some(vec![node.to_owned()]),
    };
    let term = NodeSelectorTerm { match_expressions: Some(vec![requirement]), match_fields: None };
    VolumeNodeAffinity { required: Some(NodeSelector { node_selector_terms: vec![term] }) }
}
