//! Volumes of CSI drivers: what a kubelet asks of them, and what it makes of the answer.
//!
//! Upstream: `pkg/volume/csi/{csi_plugin,csi_attacher,csi_mounter}.go`.

use super::{Ready, Sources, Trouble};
use crate::csi_drivers::{self, CsiDriver, Directories, Storage};
use crate::disks::DiskId;
use crate::programs::hostpathplugin::state::{self, Target};
use crate::runtime::{Runtime, VolumeId, Volumes};
use k8s_openapi::api::core::v1::{CSIVolumeSource, Node};
use k8s_openapi::api::storage::v1::CSIDriver;
use naru_api::csi_translation;
use naru_shell::Vfs;
use naru_shell::serve::local::Status;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// What the sandbox says of a driver that keeps its volumes in its own container's files.
const NOWHERE: &str = "rpc error: code = FailedPrecondition desc = the sandbox's driver keeps volumes \
                       only where its --statedir is a hostPath volume";

/// A volume that a driver has made and that outlives pods.
#[derive(Clone, Copy, Debug)]
pub(super) struct Persistent<'a> {
    /// The driver's name.
    pub driver: &'a str,
    /// Its handle there.
    pub handle: &'a str,
    /// What events call it.
    pub name: &'a str,
    /// Its file system; "" if nobody says.
    pub fs_type: &'a str,
    /// Whether one node at a time may write it.
    pub read_write_once: bool,
}

/// What a driver has published to a pod.
#[derive(Clone, Debug)]
pub(super) struct Published {
    driver: String,
    /// What the kubelet calls the volume.
    unique: String,
    /// Its directory, its handle and where the pod has it; `None` for a disk.
    directory: Option<(Directories, String, String)>,
}

impl Published {
    /// The driver is told that the pod has it no longer. What it does not know is gone already.
    ///
    /// Upstream: `TearDownAt` in `pkg/volume/csi/csi_mounter.go`.
    pub fn withdraw(&self, runtime: &mut Runtime) -> Result<(), Trouble> {
        let driver = &self.driver;
        if csi_drivers::find(driver, runtime).is_none() {
            let why = format!(
                "kubernetes.io/csi: Unmounter.TearDownAt failed to get CSI client: driver name \
                 {driver} not found in the list of registered CSI drivers"
            );
            return Err(Trouble::mount("UnmountVolume.TearDown failed", why).of_disk(&self.unique));
        }
        if let Some((directories, id, path)) = &self.directory {
            let Directories { root, called, .. } = directories;
            let volumes = &mut runtime.volumes;
            let _ = in_directory(*root, volumes, |fs| state::unpublish(fs, called, id, path));
        }
        Ok(())
    }
}

/// Sets a volume up that is attached to the node, or that need not be.
pub(super) fn persistent(
    wanted: &Persistent<'_>,
    sources: &mut Sources<'_, '_>,
    runtime: &mut Runtime,
) -> Result<Ready, Trouble> {
    let told = told(wanted.driver, sources);
    if told.as_ref().is_some_and(|it| it.spec.attach_required == Some(false)) {
        return mount(wanted, told.as_deref(), sources, runtime);
    }
    let unique = csi_translation::unique_name(wanted.driver, wanted.handle);
    if !is_at_hand(&unique, sources.node) {
        return Err(Trouble::NotAttached(unique));
    }
    match mount(wanted, told.as_deref(), sources, runtime) {
        Ok(ready) => Ok(Ready { disk: Some(unique), ..ready }),
        Err(trouble) => Err(trouble.of_disk(&unique)),
    }
}

/// Mounts a volume that is at hand.
fn mount(
    wanted: &Persistent<'_>,
    told: Option<&CSIDriver>,
    sources: &mut Sources<'_, '_>,
    runtime: &mut Runtime,
) -> Result<Ready, Trouble> {
    let Persistent { driver, handle, name, .. } = *wanted;
    lifecycle(driver, told, "Persistent")?;
    let Some(found) = csi_drivers::find(driver, runtime) else {
        return Err(Trouble::device(format!(
            "kubernetes.io/csi: attacher.MountDevice failed to create newCsiDriverClient: driver \
             name {driver} not found in the list of registered CSI drivers"
        )));
    };
    let grouped = takes_group(told, wanted.fs_type, wanted.read_write_once);
    let directories = match &found.storage {
        Storage::Directories(directories) => directories,
        Storage::Nowhere => return Err(Trouble::device(NOWHERE)),
        Storage::Disks => {
            let id = of_disk(driver, handle, sources, runtime)?;
            let unique = csi_translation::unique_name(driver, handle);
            let published = Published { driver: driver.to_owned(), unique, directory: None };
            let published = Some(Box::new(published));
            return Ok(Ready { grouped, published, grows: true, ..Ready::lasting(id) });
        }
    };
    let staging = format!(
        "/var/lib/kubelet/plugins/kubernetes.io/csi/{driver}/{:x}/globalmount",
        Sha256::digest(handle)
    );
    let path = target_path(name, sources);
    let node = node_id(&found, sources);
    let target = Target { id: handle, node: &node, staging: Some(&staging), path: &path };
    in_directory(directories.root, &mut runtime.volumes, |fs| {
        state::stage(fs, &directories.called, directories.attaches, &target)
    })
    .map_err(|status| Trouble::device(status.to_string()))?;
    let unique = csi_translation::unique_name(driver, handle);
    let (id, published) = publish(driver, unique, directories, &target, runtime)?;
    let published = Some(Box::new(published));
    Ok(Ready { grouped, published, grows: true, ..Ready::lasting(id) })
}

/// Sets a volume up that a driver makes for the pod alone.
pub(super) fn ephemeral(
    source: &CSIVolumeSource,
    name: &str,
    sources: &mut Sources<'_, '_>,
    runtime: &mut Runtime,
) -> Result<Ready, Trouble> {
    let driver = source.driver.as_str();
    let told = told(driver, sources);
    lifecycle(driver, told.as_deref(), "Ephemeral")?;
    let Some(found) = csi_drivers::find(driver, runtime) else {
        return Err(Trouble::set_up(format!(
            "kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: driver name {driver} not \
             found in the list of registered CSI drivers"
        )));
    };
    let Storage::Directories(directories) = &found.storage else {
        return Err(Trouble::set_up(NOWHERE));
    };
    let uid = sources.pod.metadata.uid.as_deref().unwrap_or_default();
    let handle = format!("csi-{:x}", Sha256::digest(format!("{uid}{name}")));
    let path = target_path(name, sources);
    let node = node_id(&found, sources);
    let target = Target { id: &handle, node: &node, staging: None, path: &path };
    // Upstream: `GetUniqueVolumeNameFromSpecWithPod`.
    let unique = format!("kubernetes.io/csi/{uid}-{name}");
    let (id, published) = publish(driver, unique, directories, &target, runtime)?;
    let fs_type = source.fs_type.as_deref().unwrap_or_default();
    Ok(Ready {
        read_only: source.read_only == Some(true),
        // Such a volume is always mounted for one node alone.
        grouped: takes_group(told.as_deref(), fs_type, true),
        published: Some(Box::new(published)),
        ..Ready::lasting(id)
    })
}

/// What the API tells of a driver. Who may not be asked tells nothing.
fn told(driver: &str, sources: &mut Sources<'_, '_>) -> Option<Arc<CSIDriver>> {
    sources.client.get::<CSIDriver>("", driver).ok()
}

/// Upstream: `supportsVolumeLifecycleMode`.
fn lifecycle(driver: &str, told: Option<&CSIDriver>, mode: &str) -> Result<(), Trouble> {
    let Some(told) = told else {
        return match mode {
            "Persistent" => Ok(()),
            _ => Err(Trouble::new_mounter(format!(
                "volume mode \"{mode}\" not supported by driver {driver} (no CSIDriver object)"
            ))),
        };
    };
    let modes = told.spec.volume_lifecycle_modes.iter().flatten();
    if modes.clone().any(|known| known == mode) {
        return Ok(());
    }
    let modes: Vec<String> = modes.map(|mode| format!("\"{mode}\"")).collect();
    Err(Trouble::new_mounter(format!(
        "volume mode \"{mode}\" not supported by driver {driver} (only supports [{}])",
        modes.join(" ")
    )))
}

/// Upstream: `supportsFSGroup`.
fn takes_group(told: Option<&CSIDriver>, fs_type: &str, read_write_once: bool) -> bool {
    match told.and_then(|told| told.spec.fs_group_policy.as_deref()) {
        Some("None") => false,
        Some("File") => true,
        _ => !fs_type.is_empty() && read_write_once,
    }
}

/// A disk beyond the node. Whatever disk is asked for is there: the sandbox has no other way to buy
/// one.
fn of_disk(
    driver: &str,
    handle: &str,
    sources: &mut Sources<'_, '_>,
    runtime: &mut Runtime,
) -> Result<VolumeId, Trouble> {
    let disk = DiskId::new(driver, handle);
    sources.disks.make(&disk, u64::MAX).map_err(Trouble::device)?;
    runtime.volumes.disk(&disk, sources.disks).ok_or_else(|| {
        Trouble::device(format!("rpc error: code = NotFound desc = volume {handle} not found"))
    })
}

fn publish(
    driver: &str,
    unique: String,
    directories: &Directories,
    target: &Target<'_>,
    runtime: &mut Runtime,
) -> Result<(VolumeId, Published), Trouble> {
    let Directories { root, called, .. } = directories;
    let volumes = &mut runtime.volumes;
    in_directory(*root, volumes, |fs| state::publish(fs, called, target))
        .map_err(|status| Trouble::set_up(status.to_string()))?;
    let directory = (directories.clone(), target.id.to_owned(), target.path.to_owned());
    let published = Published { driver: driver.to_owned(), unique, directory: Some(directory) };
    match volumes.part(*root, target.id) {
        Some(id) => Ok((id, published)),
        None => Err(Trouble::set_up(format!("failed to mount device: {called}/{}", target.id))),
    }
}

/// Works in a driver's directory.
fn in_directory(
    root: VolumeId,
    volumes: &mut Volumes,
    work: impl FnOnce(&mut Vfs) -> Result<(), Status>,
) -> Result<(), Status> {
    let Some(tree) = volumes.newest(root) else {
        return Err(Status::new("Unavailable", "the driver's directory is not there"));
    };
    let mut fs = Vfs::from(tree);
    work(&mut fs)?;
    volumes.set_tree(root, fs.into_tree());
    Ok(())
}

fn node_id(driver: &CsiDriver, sources: &Sources<'_, '_>) -> String {
    driver.node_id.clone().unwrap_or_else(|| sources.config.name.clone())
}

/// Upstream: `getTargetPath`.
fn target_path(name: &str, sources: &Sources<'_, '_>) -> String {
    let uid = sources.pod.metadata.uid.as_deref().unwrap_or_default();
    format!("/var/lib/kubelet/pods/{uid}/volumes/kubernetes.io~csi/{name}/mount")
}

/// Whether the disk is attached, and told to be in use so that nobody detaches it.
///
/// Upstream: `GenerateVerifyControllerAttachedVolumeFunc`.
pub(super) fn is_at_hand(name: &str, node: Option<&Node>) -> bool {
    let Some(status) = node.and_then(|node| node.status.as_ref()) else { return false };
    let told = status.volumes_in_use.iter().flatten().any(|used| used == name);
    told && status.volumes_attached.iter().flatten().any(|volume| volume.name == name)
}
