//! Whose the files of volumes are.
//!
//! Upstream: `pkg/volume/volume_linux.go`, `FsUserFrom` in `pkg/volume/util/util.go`.

use k8s_openapi::api::core::v1::{Pod, PodSpec};
use naru_shell::{FileType, Vfs, join};

/// The group that a pod's volumes are given to.
pub(super) fn fs_group(spec: &PodSpec) -> Option<u32> {
    let group = spec.security_context.as_ref().and_then(|context| context.fs_group);
    group.and_then(|gid| u32::try_from(gid).ok())
}

/// The user that all containers of a pod are, if it says so of each of them and it is one.
pub(super) fn fs_user(pod: &Pod) -> Option<u32> {
    let spec = pod.spec.as_ref()?;
    let of_pod = spec.security_context.as_ref().and_then(|context| context.run_as_user);
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    let mut users = containers.map(|container| {
        let own = container.security_context.as_ref().and_then(|context| context.run_as_user);
        own.or(of_pod)
    });
    let first = users.next()??;
    let alike = users.all(|user| user == Some(first));
    u32::try_from(first).ok().filter(|_| alike)
}

/// Gives all files to a group, which what is made among them then belongs to.
///
/// Upstream: `changeFilePermission`, with `rwMask`, `roMask` and `execMask`.
pub(super) fn give_to_group(fs: &mut Vfs, gid: u32, read_only: bool) {
    let bits = if read_only { 0o440 } else { 0o660 };
    let mut paths = vec!["/".to_owned()];
    while let Some(path) = paths.pop() {
        let Ok(stat) = fs.lstat(&path) else { continue };
        // Root may do both.
        let _ = fs.lchown(&path, stat.uid, gid);
        match stat.kind {
            // What a link leads to is in the volume too, or is none of its business.
            FileType::Symlink => {}
            FileType::Directory => {
                let _ = fs.chmod(&path, stat.mode | bits | 0o2110);
                let entries = fs.list(&path).unwrap_or_default();
                paths.extend(entries.into_iter().map(|entry| join(&path, &entry.name)));
            }
            _ => drop(fs.chmod(&path, stat.mode | bits)),
        }
    }
}
