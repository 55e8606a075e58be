//! The volumes of a pod: what is in them, and when that changes.
//!
//! Upstream: `pkg/kubelet/volumemanager`, `pkg/volume/{configmap,secret,projected,downwardapi,
//! emptydir,hostpath}`.

mod payload;
mod token;

use super::env::field_value;
use crate::NodeConfig;
use crate::runtime::{Mount, Runtime, VolumeId, Volumes};
use k8s_openapi::api::core::v1::{
    ConfigMap, ConfigMapProjection, Container, DownwardAPIVolumeFile, HostPathVolumeSource,
    KeyToPath, ObjectFieldSelector, Pod, PodSpec, Secret, Volume, VolumeProjection,
};
use naru_api::quantity::Amount;
use naru_client::Client;
use naru_shell::{Tree, Vfs};
use naru_sim::Time;
use payload::{File, Payload};
use std::collections::BTreeMap;
use token::Tokens;

/// A volume that is set up.
#[derive(Clone, Debug)]
struct Ready {
    id: VolumeId,
    /// What was written, for volumes that follow objects of the API.
    payload: Option<Payload>,
    /// Whether it outlives the pod.
    lasting: bool,
}

/// Files by their paths.
type Files = Vec<(String, Vec<u8>)>;

/// The volumes of one pod.
#[derive(Clone, Debug, Default)]
pub struct PodVolumes {
    ready: BTreeMap<String, Ready>,
    tokens: Tokens,
}

/// What volumes are made from.
pub struct Sources<'a, 'c> {
    /// The pod.
    pub pod: &'a Pod,
    /// Its address; "" before it has one.
    pub pod_ip: String,
    /// The node.
    pub config: &'a NodeConfig,
    /// The way to the API.
    pub client: &'a mut Client<'c>,
    /// The present moment.
    pub now: Time,
}

/// Why a volume could not be set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetUpError(pub String);

impl PodVolumes {
    /// Sets up what is not there yet. The error is the text of a `FailedMount` event.
    pub fn set_up(
        &mut self,
        spec: &PodSpec,
        sources: &mut Sources<'_, '_>,
        runtime: &mut Runtime,
    ) -> Result<(), SetUpError> {
        for volume in spec.volumes.iter().flatten() {
            if self.ready.contains_key(&volume.name) {
                continue;
            }
            let ready =
                set_up(volume, sources, &mut self.tokens, &mut runtime.volumes).map_err(|why| {
                    let name = &volume.name;
                    SetUpError(format!("MountVolume.SetUp failed for volume \"{name}\" : {why}"))
                })?;
            self.ready.insert(volume.name.clone(), ready);
        }
        Ok(())
    }

    /// Writes volumes anew whose objects have changed. What cannot be read stays as it is.
    pub fn refresh(
        &mut self,
        spec: &PodSpec,
        sources: &mut Sources<'_, '_>,
        runtime: &mut Runtime,
    ) {
        for volume in spec.volumes.iter().flatten() {
            let Some(ready) = self.ready.get_mut(&volume.name) else { continue };
            let Some(before) = &ready.payload else { continue };
            if let Ok(Some(after)) = payload_of(volume, sources, &mut self.tokens)
                && *before != after
            {
                runtime.volumes.set_tree(ready.id, after.write(sources.now));
                ready.payload = Some(after);
            }
        }
    }

    /// Whether any of them follows an object of the API.
    pub fn follow_objects(&self) -> bool {
        self.ready.values().any(|ready| ready.payload.is_some())
    }

    /// Where a container has them. A path that leads to one file becomes a file.
    pub fn mounts(
        &self,
        container: &Container,
        env: &BTreeMap<String, String>,
        volumes: &mut Volumes,
    ) -> Result<(Vec<Mount>, Files), String> {
        let (mut mounts, mut files) = (Vec::new(), Files::new());
        for mount in container.volume_mounts.iter().flatten() {
            let ready = self.ready.get(&mount.name).ok_or_else(|| {
                format!(
                    "cannot find volume \"{}\" to mount into container \"{}\"",
                    mount.name, container.name
                )
            })?;
            let sub_path = match (&mount.sub_path_expr, &mount.sub_path) {
                (Some(expr), _) => super::expansion::expand(expr, |name| env.get(name).cloned()),
                (None, Some(path)) => path.clone(),
                (None, None) => String::new(),
            };
            let read_only = mount.read_only == Some(true) || ready.payload.is_some();
            let path = mount.mount_path.trim_end_matches('/').to_owned();
            if sub_path.is_empty() {
                mounts.push(Mount { path, volume: ready.id, sub_path, read_only });
            } else if let Some(bytes) = volumes.file(ready.id, &sub_path) {
                files.push((path, bytes));
            } else if let Some(part) = volumes.part(ready.id, &sub_path) {
                mounts.push(Mount { path, volume: part, sub_path, read_only });
            }
        }
        Ok((mounts, files))
    }

    /// Gives back what belongs to the pod alone.
    pub fn tear_down(&mut self, runtime: &mut Runtime) {
        for ready in std::mem::take(&mut self.ready).into_values() {
            if !ready.lasting {
                runtime.volumes.remove(ready.id);
            }
        }
    }
}

fn set_up(
    volume: &Volume,
    sources: &mut Sources<'_, '_>,
    tokens: &mut Tokens,
    volumes: &mut Volumes,
) -> Result<Ready, String> {
    if let Some(empty) = &volume.empty_dir {
        let limit = empty.size_limit.as_ref().map(|limit| Amount::of(limit).value());
        let in_memory = empty.medium.as_deref() == Some("Memory");
        let bytes = limit.filter(|_| in_memory).and_then(|limit| u64::try_from(limit).ok());
        let tree = bytes.filter(|bytes| *bytes > 0).map_or_else(Tree::new, Tree::with_capacity);
        let id = volumes.add(open_to_all(tree));
        return Ok(Ready { id, payload: None, lasting: false });
    }
    if let Some(host) = &volume.host_path {
        let id = host_path(host, volumes)?;
        return Ok(Ready { id, payload: None, lasting: true });
    }
    match payload_of(volume, sources, tokens)? {
        Some(payload) => {
            let id = volumes.add(payload.write(sources.now));
            Ok(Ready { id, payload: Some(payload), lasting: false })
        }
        None => Err("the sandbox has no volumes of this kind yet".to_owned()),
    }
}

/// An empty directory that every user may write, as the kubelet makes it.
fn open_to_all(tree: Tree) -> Tree {
    let mut fs = Vfs::from(tree);
    let _ = fs.chmod("/", 0o777);
    fs.into_tree()
}

/// Upstream: `pkg/volume/hostpath/host_path.go`.
fn host_path(source: &HostPathVolumeSource, volumes: &mut Volumes) -> Result<VolumeId, String> {
    let path = source.path.trim_end_matches('/');
    let kind = source.type_.as_deref().unwrap_or_default();
    if let Some(id) = volumes.host_path(path) {
        return Ok(id);
    }
    match kind {
        "" | "DirectoryOrCreate" => Ok(volumes.add_host_path(path)),
        "Directory" => Err(format!("hostPath type check failed: {path} is not a directory")),
        "File" | "FileOrCreate" => Err(format!("hostPath type check failed: {path} is not a file")),
        "Socket" => Err(format!("hostPath type check failed: {path} is not a socket file")),
        "CharDevice" => {
            Err(format!("hostPath type check failed: {path} is not a character device"))
        }
        "BlockDevice" => Err(format!("hostPath type check failed: {path} is not a block device")),
        other => Err(format!("{other} is an invalid volume type")),
    }
}

/// The files of a volume that is made from objects; `None` for another kind of volume.
fn payload_of(
    volume: &Volume,
    sources: &mut Sources<'_, '_>,
    tokens: &mut Tokens,
) -> Result<Option<Payload>, String> {
    if let Some(source) = &volume.config_map {
        let mut payload = Payload::new(source.default_mode);
        add_config_map(
            &mut payload,
            sources,
            &source.name,
            source.items.as_deref(),
            source.optional,
        )?;
        return Ok(Some(payload));
    }
    if let Some(source) = &volume.secret {
        let mut payload = Payload::new(source.default_mode);
        let name = source.secret_name.clone().unwrap_or_default();
        add_secret(&mut payload, sources, &name, source.items.as_deref(), source.optional)?;
        return Ok(Some(payload));
    }
    if let Some(source) = &volume.downward_api {
        let mut payload = Payload::new(source.default_mode);
        add_fields(&mut payload, sources, source.items.as_deref())?;
        return Ok(Some(payload));
    }
    if let Some(source) = &volume.projected {
        let mut payload = Payload::new(source.default_mode);
        for projection in source.sources.iter().flatten() {
            add_projection(&mut payload, sources, tokens, projection)?;
        }
        return Ok(Some(payload));
    }
    Ok(None)
}

fn add_projection(
    payload: &mut Payload,
    sources: &mut Sources<'_, '_>,
    tokens: &mut Tokens,
    projection: &VolumeProjection,
) -> Result<(), String> {
    if let Some(ConfigMapProjection { name, items, optional }) = &projection.config_map {
        add_config_map(payload, sources, name, items.as_deref(), *optional)?;
    }
    if let Some(source) = &projection.secret {
        add_secret(payload, sources, &source.name, source.items.as_deref(), source.optional)?;
    }
    if let Some(source) = &projection.downward_api {
        add_fields(payload, sources, source.items.as_deref())?;
    }
    if let Some(source) = &projection.service_account_token {
        let token = tokens.get(source, sources)?;
        payload.add(&source.path, token.into_bytes(), None);
    }
    Ok(())
}

fn add_config_map(
    payload: &mut Payload,
    sources: &mut Sources<'_, '_>,
    name: &str,
    items: Option<&[KeyToPath]>,
    optional: Option<bool>,
) -> Result<(), String> {
    let namespace = sources.pod.metadata.namespace.clone().unwrap_or_default();
    let found = match sources.client.get::<ConfigMap>(&namespace, name) {
        Ok(found) => found,
        Err(error) if error.is_not_found() && optional == Some(true) => return Ok(()),
        Err(error) if error.is_not_found() => {
            return Err(format!("configmap \"{name}\" not found"));
        }
        Err(error) => return Err(error.message().to_owned()),
    };
    let text = found.data.iter().flatten().map(|(key, text)| (key, text.as_bytes()));
    let binary = found.binary_data.iter().flatten().map(|(key, bytes)| (key, bytes.0.as_slice()));
    let data: BTreeMap<&String, &[u8]> = text.chain(binary).collect();
    let missing = "configmap references non-existent config key";
    payload.add_keys(&data, items, optional == Some(true), missing)
}

fn add_secret(
    payload: &mut Payload,
    sources: &mut Sources<'_, '_>,
    name: &str,
    items: Option<&[KeyToPath]>,
    optional: Option<bool>,
) -> Result<(), String> {
    let namespace = sources.pod.metadata.namespace.clone().unwrap_or_default();
    let found = match sources.client.get::<Secret>(&namespace, name) {
        Ok(found) => found,
        Err(error) if error.is_not_found() && optional == Some(true) => return Ok(()),
        Err(error) if error.is_not_found() => return Err(format!("secret \"{name}\" not found")),
        Err(error) => return Err(error.message().to_owned()),
    };
    let data: BTreeMap<&String, &[u8]> =
        found.data.iter().flatten().map(|(key, bytes)| (key, bytes.0.as_slice())).collect();
    let missing = "references non-existent secret key";
    payload.add_keys(&data, items, optional == Some(true), missing)
}

fn add_fields(
    payload: &mut Payload,
    sources: &Sources<'_, '_>,
    items: Option<&[DownwardAPIVolumeFile]>,
) -> Result<(), String> {
    let host_ip = sources.config.internal_ip.to_string();
    for item in items.into_iter().flatten() {
        let text = if let Some(field) = &item.field_ref {
            let field = ObjectFieldSelector::clone(field);
            field_value(sources.pod, &field, &sources.pod_ip, &host_ip)?
        } else if let Some(resource) = &item.resource_field_ref {
            let own = Container::default();
            super::env::resource_value(&own, sources.pod, resource)?
        } else {
            String::new()
        };
        payload.add(&item.path, text.into_bytes(), item.mode);
    }
    Ok(())
}

impl Payload {
    /// Adds keys under the paths that items say, or all under their own names.
    fn add_keys(
        &mut self,
        data: &BTreeMap<&String, &[u8]>,
        items: Option<&[KeyToPath]>,
        optional: bool,
        missing: &str,
    ) -> Result<(), String> {
        let Some(items) = items.filter(|items| !items.is_empty()) else {
            for (key, bytes) in data {
                self.add(key, bytes.to_vec(), None);
            }
            return Ok(());
        };
        for item in items {
            match data.get(&item.key) {
                Some(bytes) => self.add(&item.path, bytes.to_vec(), item.mode),
                None if optional => {}
                None => return Err(format!("{missing}: {}", item.key)),
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &str, bytes: Vec<u8>, mode: Option<i32>) {
        let mode = mode.unwrap_or(self.default_mode);
        let mode = u16::try_from(mode & 0o777).unwrap_or(0o644);
        self.files.insert(path.to_owned(), File { bytes, mode });
    }
}
