//! Volumes that outlive pods: directories of the node, file servers, disks.
//!
//! Upstream: `pkg/volume/{hostpath,local,nfs,git_repo}`.

use super::claims::Found;
use super::csi::{self, Persistent};
use super::iscsi;
use super::{Ready, Sources, Trouble};
use crate::disks::DiskId;
use crate::kubelet::mirror::is_mirror;
use crate::runtime::{Runtime, Volumes};
use k8s_openapi::api::core::v1::{
    HostPathVolumeSource, NFSVolumeSource, PersistentVolumeSpec, Pod, Volume,
};
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
        let wanted = wanted(spec, &driver, &handle, &found.name);
        return csi::persistent(&wanted, sources, runtime);
    }
    if let Some(source) = &spec.host_path {
        return host_path(source, sources.pod, &mut runtime.volumes);
    }
    if let Some(source) = &spec.local {
        return local(&source.path, &mut runtime.volumes);
    }
    if let Some(source) = &spec.nfs {
        return nfs(source, &found.name, sources, runtime);
    }
    if let Some(source) = &spec.iscsi {
        return iscsi::set_up(&source.into(), sources, runtime);
    }
    Err(Trouble::Process(format!(
        "failed to get Plugin from volumeSpec for volume \"{}\" err=no volume plugin matched",
        found.name
    )))
}

fn wanted<'a>(
    spec: &'a PersistentVolumeSpec,
    driver: &'a str,
    handle: &'a str,
    name: &'a str,
) -> Persistent<'a> {
    let mut modes = spec.access_modes.iter().flatten();
    // Upstream: `hasReadWriteOnce` in `pkg/volume/csi/csi_util.go`.
    let read_write_once = modes.any(|mode| mode == "ReadWriteOnce" || mode == "ReadWriteOncePod");
    let fs_type = csi_translation::fs_type_of(spec);
    Persistent { driver, handle, name, fs_type, read_write_once }
}

/// A volume that the pod names itself; `None` for one that does not outlive it.
pub(super) fn inline(
    volume: &Volume,
    sources: &mut Sources<'_, '_>,
    runtime: &mut Runtime,
) -> Result<Option<Ready>, Trouble> {
    let translated = csi_translation::inline_spec(volume);
    if let Some(spec) = &translated
        && let Some((driver, handle)) = csi_translation::of_volume(spec)
    {
        let name = csi_translation::inline_name(volume).unwrap_or_default();
        let wanted = wanted(spec, &driver, &handle, &name);
        return csi::persistent(&wanted, sources, runtime).map(Some);
    }
    if let Some(source) = &volume.host_path {
        return host_path(source, sources.pod, &mut runtime.volumes).map(Some);
    }
    if let Some(source) = &volume.nfs {
        return nfs(source, &volume.name, sources, runtime).map(Some);
    }
    if let Some(source) = &volume.iscsi {
        return iscsi::set_up(&(&**source).into(), sources, runtime).map(Some);
    }
    if let Some(source) = &volume.csi {
        return csi::ephemeral(source, &volume.name, sources, runtime).map(Some);
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
fn host_path(
    source: &HostPathVolumeSource,
    pod: &Pod,
    volumes: &mut Volumes,
) -> Result<Ready, Trouble> {
    let path = source.path.as_str();
    // Only the programs of the control plane are there before the machine's files, and they read none of
    // what they mount: it is made when somebody else looks.
    if !is_mirror(&pod.metadata) && volumes.lacks(path) {
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
