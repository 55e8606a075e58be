//! The volumes of a pod: what is in them, and when that changes.
//!
//! Upstream: `pkg/kubelet/volumemanager`, `pkg/volume`.

mod claims;
mod csi;
mod iscsi;
mod objects;
mod ownership;
mod payload;
mod sources;
mod token;

use crate::NodeConfig;
use crate::disks::Disks;
use crate::runtime::{Mount, PutFile, Runtime, VolumeId, Volumes};
use k8s_openapi::api::core::v1::{Container, Node, Pod, PodSpec, Volume};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use naru_api::csi_translation;
use naru_api::quantity::Amount;
use naru_api::resources::{self, Side};
use naru_client::Client;
use naru_shell::{TREE_BYTES_MAX, Tree, Vfs, join};
use naru_sim::Time;
use objects::payload_of;
use payload::Payload;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use token::Tokens;

/// A volume that is set up.
#[derive(Clone, Debug)]
struct Ready {
    id: VolumeId,
    /// The file in it that is all the pod sees; "" for the whole volume.
    file: String,
    /// What was written, for volumes that follow objects of the API.
    payload: Option<Arc<Payload>>,
    /// Whether it outlives the pod.
    lasting: bool,
    /// Whether it can only be read.
    read_only: bool,
    /// How many bytes it may hold if it is in memory.
    in_memory: Option<u64>,
    /// Whether it is given to the pod's `fsGroup`.
    grouped: bool,
    /// How many bytes may be in it before the pod is evicted, and how the pod says it.
    limit: Option<(i64, String)>,
    /// The disk that it is, as a node's status names it.
    disk: Option<String>,
    /// The claim that it comes from.
    claim: Option<String>,
    /// Whether a driver may let it grow while it is used.
    grows: bool,
    /// What a driver is to be told when the pod has it no longer.
    published: Option<Box<csi::Published>>,
}

impl Ready {
    /// A volume of the pod's own.
    fn own(id: VolumeId) -> Self {
        let file = String::new();
        Ready {
            id,
            file,
            payload: None,
            lasting: false,
            read_only: false,
            in_memory: None,
            grouped: false,
            limit: None,
            disk: None,
            claim: None,
            grows: false,
            published: None,
        }
    }

    /// A volume that outlives the pod.
    fn lasting(id: VolumeId) -> Self {
        Ready { lasting: true, ..Ready::own(id) }
    }
}

/// Files by their paths.
type Files = Vec<PutFile>;

/// The volumes of one pod.
#[derive(Clone, Debug, Default)]
pub struct PodVolumes {
    ready: BTreeMap<String, Box<Ready>>,
    /// Disks that are waited for or cannot be mounted yet, as a node's status names them, by the names
    /// of their volumes.
    awaited: BTreeMap<String, String>,
    /// Copies of parts of volumes that do not follow them.
    copies: Vec<VolumeId>,
    /// Persistent volumes that this pod alone may use.
    exclusive: BTreeSet<String>,
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
    /// The node as the API knows it.
    pub node: Option<&'a Node>,
    /// The way to the API.
    pub client: &'a mut Client<'c>,
    /// Disks beyond the node.
    pub disks: &'a mut Disks,
    /// The present moment.
    pub now: Time,
}

/// Why a volume could not be set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetUpError {
    /// The text of a `FailedMount` event; it is tried again soon.
    Failed(String),
    /// The text of a `FailedMount` event; the whole sync has failed.
    Unprocessed(String),
    /// It is not attached to the node yet.
    NotAttached,
    /// The node's own files are made first.
    NoFilesYet,
}

/// A volume that a pod which has ended still has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StillMounted {
    /// What the kubelet's log calls the operation that has failed.
    pub key: String,
    /// Why it has.
    pub why: String,
}

/// What went wrong with one volume.
enum Trouble {
    /// At this step of mounting, for this reason; the disk, as a node's status names it, if it is one.
    Mount { step: &'static str, why: String, disk: Option<String> },
    /// It is not known what to mount.
    Process(String),
    /// The disk of this name is not attached to the node yet, or not told to be in use there.
    NotAttached(String),
    /// The node's own files are made first.
    NoFilesYet,
}

impl Trouble {
    fn mount(step: &'static str, why: impl Into<String>) -> Self {
        Trouble::Mount { step, why: why.into(), disk: None }
    }

    fn set_up(why: impl Into<String>) -> Self {
        Trouble::mount("MountVolume.SetUp failed", why)
    }

    fn new_mounter(why: impl Into<String>) -> Self {
        Trouble::mount("MountVolume.NewMounter initialization failed", why)
    }

    fn device(why: impl Into<String>) -> Self {
        Trouble::mount("MountVolume.MountDevice failed", why)
    }

    /// The same with the disk that could not be mounted.
    fn of_disk(self, name: &str) -> Self {
        match self {
            Trouble::Mount { step, why, .. } => {
                Trouble::Mount { step, why, disk: Some(name.to_owned()) }
            }
            other => other,
        }
    }
}

impl PodVolumes {
    /// Sets up what is not there yet. What fails keeps nobody else's volume from being set up, and
    /// disks stay in use meanwhile.
    ///
    /// Upstream: `GetVolumesToReportInUse` in `pkg/kubelet/volumemanager/volume_manager.go`.
    pub fn set_up(
        &mut self,
        spec: &PodSpec,
        sources: &mut Sources<'_, '_>,
        runtime: &mut Runtime,
    ) -> Result<(), SetUpError> {
        let mut unprocessed = Vec::new();
        let (mut first, mut waits) = (None, false);
        for volume in spec.volumes.iter().flatten() {
            if self.ready.contains_key(&volume.name) {
                continue;
            }
            let mut name = volume.name.clone();
            match self.set_up_one(volume, &mut name, sources, runtime) {
                Ok(ready) => {
                    if ready.grouped && !ready.read_only {
                        give_to_group(spec, ready.id, &mut runtime.volumes);
                    }
                    self.awaited.remove(&volume.name);
                    self.ready.insert(volume.name.clone(), Box::new(ready));
                }
                Err(Trouble::Process(why)) => {
                    self.awaited.remove(&volume.name);
                    unprocessed.push((volume.name.clone(), why));
                }
                Err(Trouble::NoFilesYet) => return Err(SetUpError::NoFilesYet),
                Err(Trouble::NotAttached(disk)) => {
                    self.awaited.insert(volume.name.clone(), disk);
                    waits = true;
                }
                Err(Trouble::Mount { step, why, disk }) => {
                    self.awaited.remove(&volume.name);
                    self.awaited.extend(disk.map(|disk| (volume.name.clone(), disk)));
                    let text = format!("{step} for volume \"{name}\" : {why}");
                    first = first.or(Some(SetUpError::Failed(text)));
                }
            }
        }
        if !unprocessed.is_empty() {
            return Err(self.tell(spec, &unprocessed));
        }
        first.or(waits.then_some(SetUpError::NotAttached)).map_or(Ok(()), Err)
    }

    /// Upstream: `WaitForAttachAndMount` in `pkg/kubelet/volumemanager/volume_manager.go`.
    fn tell(&self, spec: &PodSpec, unprocessed: &[(String, String)]) -> SetUpError {
        let names = |names: &[&str]| format!("[{}]", names.join(" "));
        let mut unmounted: Vec<&str> = spec
            .volumes
            .iter()
            .flatten()
            .map(|volume| volume.name.as_str())
            .filter(|name| !self.ready.contains_key(*name))
            .collect();
        unmounted.sort_unstable();
        let failed: Vec<&str> = unprocessed.iter().map(|(name, _)| name.as_str()).collect();
        let why: Vec<&str> = unprocessed.iter().map(|(_, why)| why.as_str()).collect();
        SetUpError::Unprocessed(format!(
            "Unable to attach or mount volumes: unmounted volumes={}, unattached volumes=[], \
             failed to process volumes={}: {}",
            names(&unmounted),
            names(&failed),
            why.join("; ")
        ))
    }

    /// `name` becomes what events call the volume.
    fn set_up_one(
        &mut self,
        volume: &Volume,
        name: &mut String,
        sources: &mut Sources<'_, '_>,
        runtime: &mut Runtime,
    ) -> Result<Ready, Trouble> {
        if let Some(empty) = &volume.empty_dir {
            let limit = empty.size_limit.as_ref();
            let limit = limit.map(|limit| (Amount::of(limit).value(), limit.0.clone()));
            let limit = limit.filter(|(bytes, _)| *bytes > 0);
            let in_memory = empty.medium.as_deref() == Some("Memory");
            let bytes = limit.as_ref().and_then(|(bytes, _)| u64::try_from(*bytes).ok());
            let in_memory = in_memory.then(|| memory_size(sources, bytes));
            let tree = match in_memory {
                Some(_) => Tree::with_capacity(bytes.unwrap_or(TREE_BYTES_MAX)),
                None => Tree::new(),
            };
            let tree = open_to_all(tree);
            let id = match in_memory {
                Some(_) => runtime.volumes.add_in_memory(tree),
                None => runtime.volumes.add(tree),
            };
            let limit = limit.filter(|_| in_memory.is_none());
            return Ok(Ready { limit, in_memory, grouped: true, ..Ready::own(id) });
        }
        if let Some(used) = claims::claim_of(volume, sources.pod) {
            let found = claims::find(&used, sources).map_err(Trouble::Process)?;
            *name = found.name.clone();
            let uid = sources.pod.metadata.uid.clone().unwrap_or_default();
            if found.exclusive && !runtime.volumes.take_exclusively(name, &uid) {
                return Err(Trouble::set_up(
                    "volume uses the ReadWriteOncePod access mode and is already in use by \
                     another pod",
                ));
            }
            if found.exclusive {
                self.exclusive.insert(name.clone());
            }
            let ready = sources::persistent(&found, sources, runtime)?;
            let read_only = found.read_only || ready.read_only;
            return Ok(Ready { read_only, claim: Some(used.name), ..ready });
        }
        if let Some(translated) = csi_translation::inline_name(volume) {
            *name = translated;
        }
        if let Some(ready) = sources::inline(volume, sources, runtime)? {
            return Ok(ready);
        }
        match payload_of(volume, sources, &mut self.tokens).map_err(Trouble::set_up)? {
            Some(payload) => {
                let payload = Arc::new(payload);
                let id = runtime.volumes.add_in_memory(payload.write(sources.now));
                // Upstream: all that may be secret is wrapped into an emptyDir in memory.
                let in_memory = volume.config_map.is_none().then(|| memory_size(sources, None));
                Ok(Ready { payload: Some(payload), read_only: true, in_memory, ..Ready::own(id) })
            }
            None => Err(Trouble::Process(format!(
                "failed to get Plugin from volumeSpec for volume \"{name}\" err=no volume plugin \
                 matched"
            ))),
        }
    }

    /// Writes volumes anew whose objects have changed. What cannot be read stays as it is. Tells
    /// whether all could be read.
    pub fn refresh(
        &mut self,
        spec: &PodSpec,
        sources: &mut Sources<'_, '_>,
        runtime: &mut Runtime,
    ) -> bool {
        let mut whole = true;
        for volume in spec.volumes.iter().flatten() {
            let Some(ready) = self.ready.get_mut(&volume.name) else { continue };
            let Some(before) = &ready.payload else { continue };
            match payload_of(volume, sources, &mut self.tokens) {
                Ok(Some(after)) if **before != after => {
                    let after = Arc::new(after);
                    runtime.volumes.set_tree(ready.id, after.write(sources.now));
                    ready.payload = Some(after);
                }
                Ok(_) => {}
                Err(_) => whole = false,
            }
        }
        whole
    }

    /// Whether nothing of them changes by time alone: no token is to be renewed, and no disk is
    /// there that could have grown.
    pub fn are_fresh(&self, now: Time) -> bool {
        self.tokens.are_fresh(now) && !self.ready.values().any(|ready| ready.grows)
    }

    /// Lets the file systems of disks that have grown follow them; gives the volumes' names.
    pub fn expand(&self, sources: &mut Sources<'_, '_>) -> Vec<String> {
        let disks = self.ready.values().filter(|ready| ready.grows);
        let claims = disks.filter_map(|ready| ready.claim.as_deref());
        claims.filter_map(|claim| claims::expand(claim, sources)).collect()
    }

    /// Whether any of them follows an object of the API.
    pub fn follow_objects(&self) -> bool {
        self.ready.values().any(|ready| ready.payload.is_some())
    }

    /// The first volume that holds more than it may, and how much that is.
    pub fn over_limit(&self, volumes: &Volumes) -> Option<(&str, &str)> {
        self.ready.iter().find_map(|(name, ready)| {
            let (limit, text) = ready.limit.as_ref()?;
            let used = volumes.tree(ready.id).map_or(0, Tree::bytes_used);
            let over = i64::try_from(used).unwrap_or(i64::MAX) > *limit;
            over.then_some((name.as_str(), text.as_str()))
        })
    }

    /// The pod's own volumes and those of its claims: the name, what it holds, and the claim. What is
    /// the node's is not told of.
    pub fn trees<'a>(
        &'a self,
        volumes: &'a Volumes,
    ) -> impl Iterator<Item = (&'a str, &'a Tree, Option<&'a str>)> {
        let all = self.ready.iter().filter(|(_, it)| !it.lasting || it.claim.is_some());
        all.filter_map(|(name, it)| Some((&**name, volumes.tree(it.id)?, it.claim.as_deref())))
    }

    /// The volumes that end with the pod and lie on the node's disk. Upstream:
    /// `IsLocalEphemeralVolume` in `pkg/volume/util/util.go`.
    pub fn ephemeral_trees<'a>(&'a self, volumes: &'a Volumes) -> impl Iterator<Item = &'a Tree> {
        let own = self.ready.values().filter(|it| !it.lasting && it.claim.is_none());
        own.filter(|it| it.in_memory.is_none()).filter_map(|it| volumes.tree(it.id))
    }

    /// The disks that are mounted or waited for, as a node's status names them.
    pub fn disks(&self) -> impl Iterator<Item = String> {
        let mounted = self.ready.values().filter_map(|ready| ready.disk.clone());
        mounted.chain(self.awaited.values().cloned())
    }

    /// Whether a disk is waited for.
    pub fn await_disks(&self) -> bool {
        !self.awaited.is_empty()
    }

    /// Whether any of them has a limit that is watched.
    pub fn have_limits(&self) -> bool {
        self.ready.values().any(|ready| ready.limit.is_some())
    }

    /// Where a container has them. A path that leads to one file becomes a file.
    pub fn mounts(
        &mut self,
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
                (Some(expr), _) => {
                    crate::kubelet::expansion::expand(expr, |name| env.get(name).cloned())
                }
                (None, Some(path)) => path.clone(),
                (None, None) => String::new(),
            };
            let inside = join(&format!("/{}", ready.file), &sub_path);
            let inside = inside.trim_matches('/').to_owned();
            let read_only = mount.read_only == Some(true) || ready.read_only;
            let path = mount.mount_path.trim_end_matches('/').to_owned();
            let in_memory = ready.in_memory;
            let plain =
                |volume| Mount { path: path.clone(), volume, sub_path, read_only, in_memory };
            if inside.is_empty() {
                mounts.push(plain(ready.id));
            } else if let Some((bytes, stat)) = volumes.file(ready.id, &inside) {
                let (owner, device) = ((stat.uid, stat.gid), volumes.device(ready.id, &inside));
                files.push(PutFile { path, bytes, mode: stat.mode, owner, device });
            } else if ready.payload.is_some() {
                let copy = volumes.copy(ready.id, &inside);
                self.copies.push(copy);
                mounts.push(plain(copy));
            } else if let Some(part) = volumes.part(ready.id, &inside) {
                mounts.push(plain(part));
            }
        }
        Ok((mounts, files))
    }

    /// The pod has ended: what was on the node's disk for it alone is removed, and drivers are told
    /// that it has their volumes no longer. The error says whom nothing could be told yet; it is tried
    /// again later.
    ///
    /// Upstream: `SyncTerminatedPod` in `pkg/kubelet/kubelet.go`, `TearDownAt` in
    /// `pkg/volume/emptydir/empty_dir.go` and `pkg/volume/csi/csi_mounter.go`.
    pub fn unmount(&mut self, uid: &str, runtime: &mut Runtime) -> Result<(), StillMounted> {
        self.awaited.clear();
        let mut failed = None;
        for (name, ready) in &mut self.ready {
            if let Some(published) = &ready.published {
                if let Err(Trouble::Mount { step, why, disk }) = published.withdraw(runtime) {
                    let unique = disk.unwrap_or_default();
                    let key = format!("{{volumeName:{unique} podName:{uid} nodeName:}}");
                    let why = format!(
                        "{step} for volume \"{name}\" (UniqueName: \"{unique}\") pod \"{uid}\" \
                         (UID: \"{uid}\") : {why}"
                    );
                    failed = failed.or(Some(StillMounted { key, why }));
                    continue;
                }
                ready.published = None;
            }
            let own = !ready.lasting && ready.payload.is_none();
            if own && ready.in_memory.is_none() {
                runtime.volumes.set_tree(ready.id, open_to_all(Tree::new()));
            }
            ready.disk = None;
        }
        if let Some(failed) = failed {
            return Err(failed);
        }
        for name in std::mem::take(&mut self.exclusive) {
            runtime.volumes.give_back(&name, uid);
        }
        Ok(())
    }

    /// Gives back what belongs to the pod alone, once nothing of it is mounted.
    ///
    /// Upstream: what `SyncTerminatedPod` leaves is cleaned up by `HandlePodCleanups`.
    pub fn tear_down(&mut self, uid: &str, runtime: &mut Runtime) -> Result<(), StillMounted> {
        let unmounted = self.unmount(uid, runtime);
        for copy in std::mem::take(&mut self.copies) {
            runtime.volumes.remove(copy);
        }
        let ready = std::mem::take(&mut self.ready);
        for (name, ready) in ready {
            if ready.published.is_some() {
                self.ready.insert(name, ready);
            } else if !ready.lasting {
                runtime.volumes.remove(ready.id);
            }
        }
        unmounted
    }
}

/// How many bytes a volume in memory may hold: what its pod's containers may, if all of them say so,
/// or else what the node has for pods; less if the volume says so.
///
/// Upstream: `calculateEmptyDirMemorySize` in `pkg/volume/emptydir/empty_dir.go`.
fn memory_size(sources: &Sources<'_, '_>, limit: Option<u64>) -> u64 {
    let bytes = |list: &BTreeMap<String, Quantity>| {
        let memory = list.get("memory").map(|memory| Amount::of(memory).value());
        memory.and_then(|bytes| u64::try_from(bytes).ok())
    };
    let status = sources.node.and_then(|node| node.status.as_ref());
    let allocatable = status.and_then(|status| bytes(status.allocatable.as_ref()?));
    let whole = allocatable.unwrap_or(sources.config.memory_bytes);
    let of_pod = sources.pod.spec.as_ref().and_then(|spec| {
        let mut all = spec.init_containers.iter().flatten().chain(&spec.containers);
        let limited =
            all.all(|it| resources::of_container(it, Side::Limits).and_then(bytes).is_some());
        let sum = resources::list(&resources::of_pod(spec, Side::Limits));
        bytes(&sum).filter(|_| limited)
    });
    [of_pod, limit].into_iter().flatten().filter(|bytes| *bytes > 0).fold(whole, u64::min)
}

/// An empty directory that every user may write, as the kubelet makes it.
fn open_to_all(tree: Tree) -> Tree {
    let mut fs = Vfs::from(tree);
    let _ = fs.chmod("/", 0o777);
    fs.into_tree()
}

/// Gives a volume to the pod's `fsGroup`, which what is made in it then belongs to.
///
/// Upstream: `SetVolumeOwnership` in `pkg/volume/volume_linux.go`.
fn give_to_group(spec: &PodSpec, id: VolumeId, volumes: &mut Volumes) {
    let Some(gid) = ownership::fs_group(spec) else { return };
    let Some(tree) = volumes.tree(id).cloned() else { return };
    let mut fs = Vfs::from(tree);
    ownership::give_to_group(&mut fs, gid, false);
    volumes.set_tree(id, fs.into_tree());
}
