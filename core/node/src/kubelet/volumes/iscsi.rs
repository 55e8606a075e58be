//! Disks that a node gets over the network by iSCSI.
//!
//! Upstream: `pkg/volume/iscsi/{iscsi,attacher,iscsi_util}.go`. The texts of `iscsiadm` are
//! open-iscsi's (`usr/iscsiadm.c`, `usr/discovery.c`, `usr/login.c`).

use super::csi::is_at_hand;
use super::{Ready, Sources, Trouble};
use crate::iscsi::{self, Initiator, LoginError, PORT};
use crate::runtime::{Runtime, VolumeId};
use k8s_openapi::api::core::v1::{ISCSIPersistentVolumeSource, ISCSIVolumeSource, Secret};
use naru_api::volumes::iscsi_unique_name;
use naru_shell::Vfs;
use std::collections::BTreeMap;

/// How often `iscsiadm` tries to reach a portal: once, and `reopen_max` times again.
const TRIES: usize = 6;

/// What a pod or a PersistentVolume says of the disk.
#[derive(Clone, Debug)]
pub(super) struct Source<'a> {
    portal: &'a str,
    more_portals: &'a [String],
    iqn: &'a str,
    lun: i32,
    interface: &'a str,
    initiator: Option<&'a str>,
    fs_type: &'a str,
    read_only: bool,
    discovery_chap: bool,
    session_chap: bool,
    /// The namespace, if it is said, and the name.
    secret: Option<(Option<&'a str>, &'a str)>,
}

impl<'a> From<&'a ISCSIVolumeSource> for Source<'a> {
    fn from(it: &'a ISCSIVolumeSource) -> Self {
        Source {
            portal: &it.target_portal,
            more_portals: it.portals.as_deref().unwrap_or_default(),
            iqn: &it.iqn,
            lun: it.lun,
            interface: it.iscsi_interface.as_deref().unwrap_or("default"),
            initiator: it.initiator_name.as_deref(),
            fs_type: it.fs_type.as_deref().unwrap_or_default(),
            read_only: it.read_only == Some(true),
            discovery_chap: it.chap_auth_discovery == Some(true),
            session_chap: it.chap_auth_session == Some(true),
            secret: it.secret_ref.as_ref().map(|it| (None, it.name.as_str())),
        }
    }
}

impl<'a> From<&'a ISCSIPersistentVolumeSource> for Source<'a> {
    fn from(it: &'a ISCSIPersistentVolumeSource) -> Self {
        let secret = it.secret_ref.as_ref();
        Source {
            portal: &it.target_portal,
            more_portals: it.portals.as_deref().unwrap_or_default(),
            iqn: &it.iqn,
            lun: it.lun,
            interface: it.iscsi_interface.as_deref().unwrap_or("default"),
            initiator: it.initiator_name.as_deref(),
            fs_type: it.fs_type.as_deref().unwrap_or_default(),
            // A PersistentVolume's own word is not asked for: `getISCSIVolumeInfo`.
            read_only: false,
            discovery_chap: it.chap_auth_discovery == Some(true),
            session_chap: it.chap_auth_session == Some(true),
            secret: secret.map(|it| (it.namespace.as_deref(), it.name.as_deref().unwrap_or(""))),
        }
    }
}

/// Words of a secret of type `kubernetes.io/iscsi-chap`.
type Words = BTreeMap<String, String>;

/// Sets up the disk, once the control plane has it attached.
pub(super) fn set_up(
    source: &Source<'_>,
    sources: &mut Sources<'_, '_>,
    runtime: &mut Runtime,
) -> Result<Ready, Trouble> {
    let unique = iscsi_unique_name(source.portal, source.iqn, source.lun);
    if !is_at_hand(&unique, sources.node) {
        return Err(Trouble::NotAttached(unique));
    }
    let words =
        secret(source, sources).map_err(|why| Trouble::new_mounter(why).of_disk(&unique))?;
    let mut last = String::new();
    let first = std::iter::once(source.portal);
    for portal in first.chain(source.more_portals.iter().map(String::as_str)) {
        match login(source, portal, &words, sources, runtime) {
            Ok(id) => {
                format(id, source, runtime);
                let disk = Some(unique);
                let read_only = source.read_only;
                return Ok(Ready { disk, read_only, grouped: true, ..Ready::lasting(id) });
            }
            Err(why) => last = why,
        }
    }
    let why = format!("failed to get any path for iscsi disk, last err seen:\n{last}");
    Err(Trouble::mount("MountVolume.WaitForAttach failed", why).of_disk(&unique))
}

/// Upstream: `createSecretMap`.
fn secret(source: &Source<'_>, sources: &mut Sources<'_, '_>) -> Result<Words, String> {
    if !source.discovery_chap && !source.session_chap {
        return Ok(Words::new());
    }
    let own = sources.pod.metadata.namespace.clone().unwrap_or_default();
    let (namespace, name) = source.secret.unwrap_or_default();
    let namespace = namespace.filter(|it| !it.is_empty()).map_or(own, str::to_owned);
    if name.is_empty() || namespace.is_empty() {
        return Err("CHAP enabled but secret name or namespace is empty".to_owned());
    }
    let found = sources.client.get::<Secret>(&namespace, name).map_err(|error| {
        format!("couldn't get secret {namespace}/{name} error: {}", error.message())
    })?;
    let words = found.data.iter().flatten();
    Ok(words.map(|(key, word)| (key.clone(), String::from_utf8_lossy(&word.0).into())).collect())
}

/// Upstream: `AttachDisk`. The error is the last one seen.
fn login(
    source: &Source<'_>,
    portal: &str,
    words: &Words,
    sources: &mut Sources<'_, '_>,
    runtime: &mut Runtime,
) -> Result<VolumeId, String> {
    let portal = if portal.contains(':') { portal.to_owned() } else { format!("{portal}:{PORT}") };
    let of = |key: &str| words.get(key).cloned().unwrap_or_default();
    let chap = source
        .session_chap
        .then(|| (of("node.session.auth.username"), of("node.session.auth.password")));
    let own = iscsi::initiator_name(&sources.config.name);
    let initiator = Initiator { name: source.initiator.unwrap_or(&own), chap };
    let lun = u32::try_from(source.lun).unwrap_or(u32::MAX);
    let targets = &sources.disks.iscsi;
    match targets.login(&portal, source.iqn, lun, &initiator) {
        Ok(disk) => {
            let disk = disk.clone();
            let volume = runtime.volumes.disk(&disk, sources.disks);
            volume.ok_or_else(|| "Could not attach disk: Timeout after 10s".to_owned())
        }
        Err(LoginError::NoLun) => Err("Could not attach disk: Timeout after 10s".to_owned()),
        Err(LoginError::NoPortal) => Err(unreachable(&portal, sources)),
        Err(LoginError::NoTarget) if source.session_chap => Err(format!(
            "iscsi: failed to update iscsi node to portal {portal} error: iscsi: failed to update \
             node with CHAP, output: iscsiadm: No records found\n"
        )),
        Err(LoginError::NoTarget) => Err("iscsi: failed to attach disk: Error: iscsiadm: No \
                                          records found\n (exit status 21)"
            .to_owned()),
        Err(LoginError::Refused) => Err(refused(source, &portal)),
    }
}

/// What `iscsiadm --discover` says where nobody listens. The learner's machine, which is the nodes'
/// name server, is there without a target; at other addresses is nobody.
fn unreachable(portal: &str, sources: &Sources<'_, '_>) -> String {
    let host = portal.rsplit_once(':').map_or(portal, |(host, _)| host);
    let there = [sources.config.resolver, sources.config.internal_ip];
    let known = host.parse().is_ok_and(|host| there.contains(&host));
    let why = if known { "Connection refused" } else { "No route to host" };
    let line = format!("iscsiadm: cannot make connection to {host}: {why}\n");
    format!(
        "iscsi: failed to sendtargets to portal {portal} output: {}iscsiadm: connection login \
         retries (reopen_max) 5 exceeded\niscsiadm: Could not perform SendTargets discovery: \
         encountered connection failure\n, err exit status 4",
        line.repeat(TRIES)
    )
}

/// What `iscsiadm --login` says where the target does not take the node.
fn refused(source: &Source<'_>, portal: &str) -> String {
    let (host, port) = portal.rsplit_once(':').unwrap_or((portal, "3260"));
    let of =
        format!("[iface: {}, target: {}, portal: {host},{port}]", source.interface, source.iqn);
    format!(
        "iscsi: failed to attach disk: Error: Logging in to {of}\niscsiadm: Could not login to \
         {of}.\niscsiadm: initiator reported error (24 - iSCSI login failed due to authorization \
         failure)\niscsiadm: Could not log into all portals\n (exit status 24)"
    )
}

/// A disk that nobody has used gets a file system: ext4, which has a directory from the start.
///
/// Upstream: `FormatAndMount` of `k8s.io/mount-utils`.
fn format(id: VolumeId, source: &Source<'_>, runtime: &mut Runtime) {
    let Some(tree) = runtime.volumes.newest(id) else { return };
    let ext = matches!(source.fs_type, "" | "ext2" | "ext3" | "ext4");
    if tree.changes() != 0 || !ext || source.read_only {
        return;
    }
    let mut fs = Vfs::from(tree);
    let _ = fs.mkdir_all("/lost+found");
    let _ = fs.chmod("/lost+found", 0o700);
    runtime.volumes.set_tree(id, fs.into_tree());
}
