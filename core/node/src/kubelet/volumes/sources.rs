//! Volumes that outlive pods: directories of the node, file servers, disks.
//!
//! Upstream: `pkg/volume/{hostpath,local,nfs,iscsi,csi,git_repo}`.

use super::claims::Found;
use super::{Ready, Sources, Trouble};
use crate::csi_drivers;
use crate::disks::DiskId;
use crate::runtime::{Runtime, Volumes};
use k8s_openapi::api::core::v1::{HostPathVolumeSource, NFSVolumeSource, Node, Volume};
use naru_api::csi_translation;
use naru_shell::FileType;

/// A persistent volume on this node.
pub(super) fn persistent(
    found: &Found,
    sources: &mut Sources<'_, '_>,
    runtime: &mut Runtime,
) -> Result<Ready, Trouble> {
    let spec = &found.spec;
    if let Some((driver, handle)) = csi_translation::of_volume(spec) {
        return csi(&driver, &handle, sources, runtime);
    }
    if let Some(source) = &spec.host_path {
        return host_path(source, &mut runtime.volumes);
    }
    if let Some(source) = &spec.local {
        return local(&source.path, &mut runtime.volumes);
    }
    if let Some(source) = &spec.nfs {
        return nfs(source, &found.name, sources, runtime);
    }
    if let Some(source) = &spec.iscsi {
        return iscsi(&source.target_portal, &source.iqn, source.lun, sources, runtime);
    }
    Err(Trouble::Process(format!(
        "failed to get Plugin from volumeSpec for volume \"{}\" err=no volume plugin matched",
        found.name
    )))
}

/// A volume that the pod names itself; `None` for one that does not outlive it.
pub(super) fn inline(
    volume: &Volume,
    sources: &mut Sources<'_, '_>,
    runtime: &mut Runtime,
) -> Result<Option<Ready>, Trouble> {
    if let Some((driver, handle)) = csi_translation::of_inline(volume) {
        return csi(&driver, &handle, sources, runtime).map(Some);
    }
    if let Some(source) = &volume.host_path {
        return host_path(source, &mut runtime.volumes).map(Some);
    }
    if let Some(source) = &volume.nfs {
        return nfs(source, &volume.name, sources, runtime).map(Some);
    }
    if let Some(source) = &volume.iscsi {
        let (portal, iqn) = (&source.target_portal, &source.iqn);
        return iscsi(portal, iqn, source.lun, sources, runtime).map(Some);
    }
    if let Some(source) = &volume.csi {
        return ephemeral_csi(&source.driver, runtime).map(Some);
    }
    if volume.git_repo.is_some() {
        return Err(Trouble::set_up(
            "git-repo volume plugin has been disabled; if necessary, it may be re-enabled by \
             enabling the feature-gate `GitRepoVolumeDriver`",
        ));
    }
    Ok(None)
}

/// Upstream: `checkTypeInternal` in `pkg/volume/hostpath/host_path.go`. Without a type the container
/// runtime makes what is not there.
fn host_path(source: &HostPathVolumeSource, volumes: &mut Volumes) -> Result<Ready, Trouble> {
    let path = source.path.as_str();
    if volumes.lacks(path) {
        return Err(Trouble::NoFilesYet);
    }
    let kind = source.type_.as_deref().unwrap_or_default();
    let there = |volumes: &mut Volumes| volumes.host_stat(path).map(|stat| stat.kind);
    let made = match (kind, there(volumes)) {
        ("", None) | ("DirectoryOrCreate", None) => volumes.make_host_directory(path, 0o755),
        ("FileOrCreate", None) => volumes.make_host_file(path),
        _ => Ok(()),
    };
    made.map_err(Trouble::set_up)?;
    let found = there(volumes);
    let (wanted, name) = match kind {
        "" => (None, ""),
        "Directory" | "DirectoryOrCreate" => (Some(FileType::Directory), "a directory"),
        "File" | "FileOrCreate" => (Some(FileType::File), "a file"),
        "CharDevice" => (Some(FileType::Device), "a character device"),
        "Socket" => (Some(FileType::Socket), "a socket file"),
        "BlockDevice" => (Some(FileType::BlockDevice), "a block device"),
        other => return Err(Trouble::set_up(format!("{other} is an invalid volume type"))),
    };
    if wanted.is_some() && found != wanted {
        return Err(not_a(path, name));
    }
    match volumes.host_path(path) {
        Some((id, file)) => Ok(Ready { file, ..Ready::lasting(id) }),
        None => Err(Trouble::set_up(format!("lstat {path}: no such file or directory"))),
    }
}

fn not_a(path: &str, what: &str) -> Trouble {
    Trouble::set_up(format!("hostPath type check failed: {path} is not {what}"))
}

/// Upstream: `NewMounter` in `pkg/volume/local/local.go`.
fn local(path: &str, volumes: &mut Volumes) -> Result<Ready, Trouble> {
    if volumes.lacks(path) {
        return Err(Trouble::NoFilesYet);
    }
    match volumes.host_path(path) {
        Some((id, file)) if file.is_empty() => Ok(Ready { grouped: true, ..Ready::lasting(id) }),
        Some(_) => Err(Trouble::new_mounter(format!(
            "only directory and block device are supported as local volume: path \"{path}\""
        ))),
        None => Err(Trouble::new_mounter(format!("path \"{path}\" does not exist"))),
    }
}

/// A directory of a file server: the one that is exported, or one below it.
fn nfs(
    source: &NFSVolumeSource,
    name: &str,
    sources: &mut Sources<'_, '_>,
    runtime: &mut Runtime,
) -> Result<Ready, Trouble> {
    let (server, path) = (&source.server, source.path.trim_end_matches('/'));
    let owner = format!("nfs/{server}");
    let mut known = false;
    let mut export: Option<&str> = None;
    for exported in sources.disks.of(&owner) {
        known = true;
        let inside = path.strip_prefix(exported);
        if inside.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            export = export.max(Some(exported));
        }
    }
    let mounted = export.and_then(|export| {
        let whole = runtime.volumes.disk(&DiskId::new(owner.as_str(), export), sources.disks)?;
        let below = path.strip_prefix(export).unwrap_or_default().trim_matches('/');
        if below.is_empty() {
            return Some(whole);
        }
        let exists = runtime.volumes.has_directory(whole, below);
        if exists { runtime.volumes.part(whole, below) } else { None }
    });
    if let Some(id) = mounted {
        return Ok(Ready { read_only: source.read_only == Some(true), ..Ready::lasting(id) });
    }
    let output = match (known, export) {
        (false, _) => "mount.nfs: Connection timed out".to_owned(),
        (true, None) => {
            format!("mount.nfs: access denied by server while mounting {server}:{}", source.path)
        }
        (true, Some(_)) => format!(
            "mount.nfs: mounting {server}:{} failed, reason given by server: No such file or \
             directory",
            source.path
        ),
    };
    let uid = sources.pod.metadata.uid.as_deref().unwrap_or_default();
    Err(Trouble::set_up(format!(
        "mount failed: exit status 32\nMounting command: mount\nMounting arguments: -t nfs \
         {server}:{} /var/lib/kubelet/pods/{uid}/volumes/kubernetes.io~nfs/{name}\nOutput: \
         {output}\n",
        source.path
    )))
}

/// Upstream: `AttachDisk` in `pkg/volume/iscsi/iscsi_util.go`.
fn iscsi(
    portal: &str,
    iqn: &str,
    lun: i32,
    sources: &mut Sources<'_, '_>,
    runtime: &mut Runtime,
) -> Result<Ready, Trouble> {
    let portal = if portal.contains(':') { portal.to_owned() } else { format!("{portal}:3260") };
    let disk = DiskId::new(format!("iscsi/{portal}"), format!("{iqn}/lun-{lun}"));
    match runtime.volumes.disk(&disk, sources.disks) {
        Some(id) => Ok(Ready { grouped: true, ..Ready::lasting(id) }),
        None => Err(Trouble::Mount(
            "MountVolume.WaitForAttach failed",
            format!(
                "failed to get any path for iscsi disk, last err seen:\niscsi: failed to \
                 sendtargets to portal {portal} output: iscsiadm: cannot make connection to \
                 {}: Connection refused\niscsiadm: connection login retries (reopen_max) 5 \
                 exceeded\niscsiadm: Could not perform SendTargets discovery: encountered \
                 connection failure\n, err exit status 4",
                portal.split(':').next().unwrap_or_default()
            ),
        )),
    }
}

/// A disk behind a CSI driver, which the control plane has to attach first.
fn csi(
    driver: &str,
    handle: &str,
    sources: &mut Sources<'_, '_>,
    runtime: &mut Runtime,
) -> Result<Ready, Trouble> {
    let name = csi_translation::unique_name(driver, handle);
    if csi_drivers::attaches(driver) && !is_at_hand(&name, sources.node) {
        return Err(Trouble::NotAttached(name));
    }
    if !csi_drivers::registered(runtime).any(|known| known.name == driver) {
        return Err(Trouble::device(format!(
            "kubernetes.io/csi: attacher.MountDevice failed to create newCsiDriverClient: driver \
             name {driver} not found in the list of registered CSI drivers"
        )));
    }
    // Whatever disk is asked for is there: the sandbox has no other way to buy one.
    let disk = DiskId::new(driver, handle);
    sources.disks.make(&disk, u64::MAX).map_err(Trouble::device)?;
    match runtime.volumes.disk(&disk, sources.disks) {
        Some(id) => Ok(Ready { disk: Some(name), grouped: true, ..Ready::lasting(id) }),
        None => Err(Trouble::device(format!(
            "rpc error: code = NotFound desc = volume {handle} not found"
        ))),
    }
}

/// A volume that a CSI driver makes for the pod alone.
fn ephemeral_csi(driver: &str, runtime: &mut Runtime) -> Result<Ready, Trouble> {
    if csi_drivers::registered(runtime).any(|known| known.name == driver) {
        let id = runtime.volumes.add(super::open_to_all(naru_shell::Tree::new()));
        return Ok(Ready::own(id));
    }
    Err(Trouble::set_up(format!(
        "kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: driver name {driver} not \
         found in the list of registered CSI drivers"
    )))
}

/// Whether the disk is attached, and told to be in use so that nobody detaches it.
///
/// Upstream: `GenerateVerifyControllerAttachedVolumeFunc`.
fn is_at_hand(name: &str, node: Option<&Node>) -> bool {
    let Some(status) = node.and_then(|node| node.status.as_ref()) else { return false };
    let told = status.volumes_in_use.iter().flatten().any(|used| used == name);
    told && status.volumes_attached.iter().flatten().any(|volume| volume.name == name)
}
