//! The sidecar of a CSI driver that has its volumes attached to nodes.
//!
//! Upstream: kubernetes-csi/external-attacher, `pkg/controller/{controller,csi_handler,util}.go`.

use super::csi::{Way, is_done};
use crate::controller_program::InContainer;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeSpec};
use k8s_openapi::api::storage::v1::{CSINode, VolumeAttachment};
use naru_api::request::Patch;
use naru_api::time::{meta_time, rfc3339};
use naru_api::volumes::annotation;
use naru_api::{Key, Object, WatchEvent, WatchEventType, csi_translation};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};
use naru_shell::Sys;
use naru_sim::Time;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// The first and the longest delay after an attachment has failed. Upstream: `--retry-interval-start`,
/// `--retry-interval-max`.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// How the driver calls the node, for when the node's CSINode tells no longer.
const NODE_ID: &str = "csi.alpha.kubernetes.io/node-id";
/// By what a volume of an old kind tells which driver stands for it. Upstream: `annMigratedTo`.
const MIGRATED_TO: &str = "pv.kubernetes.io/migrated-to";
/// The namespace of keys that are volumes; others are attachments.
const VOLUMES: &str = "persistentvolumes";

const PUBLISH: &str = "/csi.v1.Controller/ControllerPublishVolume";
const UNPUBLISH: &str = "/csi.v1.Controller/ControllerUnpublishVolume";

/// Attaches volumes to nodes, as VolumeAttachments ask for.
#[derive(Clone, Debug)]
pub struct CsiAttacher {
    driver: String,
    way: Way,
    failed: BTreeMap<Key, Failed>,
}

/// What has failed last.
#[derive(Clone, Copy, Debug)]
struct Failed {
    /// Whether that was a detachment.
    goes: bool,
    /// When it is tried again.
    again: Time,
    /// How long that was put off.
    delay: Duration,
}

/// What a driver is asked about.
struct Disk {
    handle: String,
    node: String,
}

/// What attaches the volumes of a driver.
pub fn attacher(driver: &str, way: Way) -> CsiAttacher {
    CsiAttacher { driver: driver.to_owned(), way, failed: BTreeMap::new() }
}

/// `external-attacher/pd-csi-storage-gke-io`. Upstream: `GetFinalizerName`, `SanitizeDriverName`.
fn finalizer(driver: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let mut name: String = driver.chars().map(plain).collect();
    if name.ends_with('-') {
        name.push('X');
    }
    format!("external-attacher/{name}")
}

fn has(finalizers: Option<&Vec<String>>, finalizer: &str) -> bool {
    finalizers.into_iter().flatten().any(|it| it == finalizer)
}

fn with(finalizers: Option<&Vec<String>>, finalizer: &str) -> Vec<String> {
    finalizers.into_iter().flatten().cloned().chain([finalizer.to_owned()]).collect()
}

/// `None` if there is no other.
fn without(finalizers: Option<&Vec<String>>, finalizer: &str) -> Option<Vec<String>> {
    let rest = finalizers.into_iter().flatten().filter(|it| *it != finalizer);
    Some(rest.cloned().collect::<Vec<String>>()).filter(|rest| !rest.is_empty())
}

fn volume_of(attachment: &VolumeAttachment) -> Option<&str> {
    attachment.spec.source.persistent_volume_name.as_deref()
}

fn handle(spec: &PersistentVolumeSpec) -> Result<String, String> {
    let found = csi_translation::of_volume(spec);
    let handle = found.map(|(_, handle)| handle);
    handle.ok_or_else(|| "pv spec contained non-csi source that was not migrated".to_owned())
}

impl CsiAttacher {
    /// Whether the sidecar has put the finalizer on a volume that it may have to take away.
    ///
    /// Upstream: `processFinalizers`.
    fn may_release(&self, volume: &PersistentVolume) -> bool {
        let migratable = volume
            .spec
            .as_ref()
            .is_some_and(|spec| spec.csi.is_none() && csi_translation::of_volume(spec).is_some());
        let migrated = annotation(&volume.metadata, MIGRATED_TO) == Some(self.driver.as_str());
        let goes = volume.metadata.deletion_timestamp.is_some() || migratable && !migrated;
        goes && has(volume.metadata.finalizers.as_ref(), &finalizer(&self.driver))
    }

    /// Lets a volume go that no attachment needs. Upstream: `SyncNewOrUpdatedPersistentVolume`.
    fn sync_volume(&self, name: &str, context: &mut Context<'_>) -> Result<Action, Error> {
        let volume = context.cache.arc::<PersistentVolume>(&Key::new("", name));
        let Some(volume) = volume.filter(|volume| self.may_release(volume)) else {
            return Ok(Action::await_change());
        };
        let mut all = context.cache.list::<VolumeAttachment>("");
        if all.any(|attachment| volume_of(attachment) == Some(name)) {
            return Ok(Action::await_change());
        }
        let rest = without(volume.metadata.finalizers.as_ref(), &finalizer(&self.driver));
        let patch = Patch::Merge(json!({"metadata": {"finalizers": rest}}));
        match context.client.patch::<PersistentVolume>("", name, "", patch) {
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(Action::await_change()),
        }
    }

    /// How the driver calls the node. Upstream: `getNodeID`.
    fn node_id(
        &self,
        node: &str,
        attachment: Option<&VolumeAttachment>,
        cache: &Cache,
    ) -> Result<String, String> {
        let known = cache.get::<CSINode>(&Key::new("", node));
        let driver = known.and_then(|it| it.spec.drivers.iter().find(|it| it.name == self.driver));
        if let Some(driver) = driver {
            return Ok(driver.node_id.clone());
        }
        let told = attachment.and_then(|it| annotation(&it.metadata, NODE_ID));
        told.map(str::to_owned).ok_or_else(|| match known {
            Some(_) => format!("CSINode {node} does not contain driver {}", self.driver),
            None => format!("csinode.storage.k8s.io \"{node}\" not found"),
        })
    }

    /// The handle of what is attached; a volume that is about to be attached is kept from now on.
    fn handle(
        &self,
        attachment: &VolumeAttachment,
        goes: bool,
        context: &mut Context<'_>,
    ) -> Result<String, String> {
        if let Some(spec) = &attachment.spec.source.inline_volume_spec {
            return handle(spec);
        }
        let Some(name) = volume_of(attachment) else {
            return Err("neither InlineCSIVolumeSource nor PersistentVolumeName specified in VA \
                        source"
                .to_owned());
        };
        let Some(volume) = context.cache.arc::<PersistentVolume>(&Key::new("", name)) else {
            return Err(format!("persistentvolume \"{name}\" not found"));
        };
        let (finalizer, finalizers) =
            (finalizer(&self.driver), volume.metadata.finalizers.as_ref());
        if !goes && volume.metadata.deletion_timestamp.is_some() {
            return Err(format!("PersistentVolume \"{name}\" is marked for deletion"));
        }
        if !goes && !has(finalizers, &finalizer) {
            let all = with(finalizers, &finalizer);
            let patch = Patch::Merge(json!({"metadata": {"finalizers": all}}));
            context.client.patch::<PersistentVolume>("", name, "", patch).map_err(|error| {
                format!("could not add PersistentVolume finalizer: {}", error.message())
            })?;
        }
        handle(&volume.spec.clone().unwrap_or_default())
    }

    /// What the driver is to attach, once it is written down that it does. Upstream: `csiAttach`.
    fn prepare(
        &self,
        attachment: &VolumeAttachment,
        context: &mut Context<'_>,
    ) -> Result<Disk, String> {
        let handle = self.handle(attachment, false, context)?;
        let node = self.node_id(&attachment.spec.node_name, None, context.cache)?;
        let (finalizer, metadata) = (finalizer(&self.driver), &attachment.metadata);
        let held = has(metadata.finalizers.as_ref(), &finalizer);
        if !held || annotation(metadata, NODE_ID) != Some(node.as_str()) {
            let mut change = json!({"annotations": {NODE_ID: node}});
            if !held {
                change["finalizers"] = json!(with(metadata.finalizers.as_ref(), &finalizer));
            }
            let name = metadata.name.as_deref().unwrap_or_default();
            let patch = Patch::Merge(json!({"metadata": change}));
            context
                .client
                .patch::<VolumeAttachment>("", name, "", patch)
                .map_err(|error| format!("could not save VolumeAttachment: {}", error.message()))?;
        }
        Ok(Disk { handle, node })
    }

    /// Attaches or detaches; `None` while that takes time.
    fn act(
        &mut self,
        attachment: &VolumeAttachment,
        goes: bool,
        context: &mut Context<'_>,
    ) -> Option<Result<(), String>> {
        let found = if goes {
            let node = &attachment.spec.node_name;
            self.handle(attachment, true, context).and_then(|handle| {
                let node = self.node_id(node, Some(attachment), context.cache)?;
                Ok(Disk { handle, node })
            })
        } else {
            self.prepare(attachment, context)
        };
        let Disk { handle, node } = match found {
            Ok(disk) => disk,
            Err(why) => return Some(Err(why)),
        };
        let uid = attachment.metadata.uid.as_deref().unwrap_or_default();
        match &mut self.way {
            Way::Trivial => Some(Ok(())),
            Way::Cloud(begun) => {
                let what = if goes { "detach" } else { "attach" };
                is_done(begun, &format!("{what} {uid}"), context.now).then_some(Ok(()))
            }
            Way::Called(calls) => {
                let method = if goes { UNPUBLISH } else { PUBLISH };
                let request = || json!({"volume_id": handle, "node_id": node});
                let answer = calls.ask(method, uid, request)?;
                Some(answer.map(drop).map_err(|status| status.to_string()))
            }
        }
    }

    /// Upstream: `syncAttach`, `syncDetach`.
    fn sync(
        &mut self,
        key: &Key,
        attachment: &VolumeAttachment,
        context: &mut Context<'_>,
    ) -> Result<Action, Error> {
        let goes = attachment.metadata.deletion_timestamp.is_some();
        let waits = self.failed.get(key).filter(|it| it.goes == goes && it.again > context.now);
        if let Some(failed) = waits {
            return Ok(Action::requeue_after(failed.again.since(context.now)));
        }
        match self.act(attachment, goes, context) {
            None => Ok(Action::requeue_after(self.way.look_after())),
            Some(Err(why)) => self.fail(key, goes, &why, context),
            Some(Ok(())) => {
                self.failed.remove(key);
                if goes {
                    self.mark_detached(key, attachment, context)?;
                } else {
                    mark_attached(key, context)?;
                }
                Ok(Action::await_change())
            }
        }
    }

    /// Upstream: `markAsDetached`.
    fn mark_detached(
        &self,
        key: &Key,
        attachment: &VolumeAttachment,
        context: &mut Context<'_>,
    ) -> Result<(), Error> {
        let status = json!({"attached": false, "detachError": null, "attachmentMetadata": null});
        let patch = Patch::Merge(json!({"status": status}));
        context.client.patch::<VolumeAttachment>("", &key.name, "status", patch)?;
        let rest = without(attachment.metadata.finalizers.as_ref(), &finalizer(&self.driver));
        let patch = Patch::Merge(json!({"metadata": {"finalizers": rest}}));
        context.client.patch::<VolumeAttachment>("", &key.name, "", patch)?;
        Ok(())
    }

    /// Writes down why it has failed, and tries again later. What is asked for next is not put off by
    /// that, but if it fails too, it waits as long as one that has failed once more.
    ///
    /// Upstream: `saveAttachError`, `saveDetachError`, `--retry-interval-start`; one rate limiter
    /// counts both.
    fn fail(
        &mut self,
        key: &Key,
        goes: bool,
        why: &str,
        context: &mut Context<'_>,
    ) -> Result<Action, Error> {
        let before = self.failed.get(key);
        let delay = before.map_or(RETRY.0, |it| (it.delay * 2).min(RETRY.1));
        self.failed.insert(key.clone(), Failed { goes, again: context.now + delay, delay });
        let field = if goes { "detachError" } else { "attachError" };
        let error = json!({"message": why, "time": rfc3339(Some(&meta_time(context.now)))});
        let patch = Patch::Merge(json!({"status": {field: error}}));
        context.client.patch::<VolumeAttachment>("", &key.name, "status", patch)?;
        Ok(Action::requeue_after(delay))
    }
}

/// Upstream: `markAsAttached`.
fn mark_attached(key: &Key, context: &mut Context<'_>) -> Result<(), Error> {
    let patch = Patch::Merge(json!({"status": {"attached": true, "attachError": null}}));
    context.client.patch::<VolumeAttachment>("", &key.name, "status", patch)?;
    Ok(())
}

impl Controller for CsiAttacher {
    fn name(&self) -> &str {
        "csi-attacher"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![
            Watch::all::<VolumeAttachment>(),
            Watch::all::<PersistentVolume>(),
            Watch::all::<CSINode>(),
        ]
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        let object = &event.object;
        if let Some(volume) = object.get::<PersistentVolume>() {
            let wanted = event.kind != WatchEventType::Deleted && self.may_release(volume);
            return if wanted { vec![Key::new(VOLUMES, object.name())] } else { Vec::new() };
        }
        let Some(attachment) = object.get::<VolumeAttachment>() else { return Vec::new() };
        let mine = attachment.spec.attacher == self.driver;
        let mut keys: Vec<Key> = mine.then(|| object.key()).into_iter().collect();
        if event.kind == WatchEventType::Deleted {
            self.way.forget(object.uid());
            keys.extend(volume_of(attachment).map(|name| Key::new(VOLUMES, name)));
        }
        keys
    }
}

impl Reconcile for CsiAttacher {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        // Who has nothing to attach holds nothing. Upstream: `trivial_handler.go`.
        let trivial = matches!(self.way, Way::Trivial);
        if key.namespace == VOLUMES {
            return match trivial {
                true => Ok(Action::await_change()),
                false => self.sync_volume(&key.name, context),
            };
        }
        let Some(attachment) = context.cache.arc::<VolumeAttachment>(key) else {
            self.failed.remove(key);
            return Ok(Action::await_change());
        };
        let attached = attachment.status.as_ref().is_some_and(|status| status.attached);
        let goes = attachment.metadata.deletion_timestamp.is_some();
        let held = has(attachment.metadata.finalizers.as_ref(), &finalizer(&self.driver));
        if trivial {
            if !attached {
                mark_attached(key, context)?;
            }
            return Ok(Action::await_change());
        }
        if goes && !held || !goes && attached {
            return Ok(Action::await_change());
        }
        self.sync(key, &attachment, context)
    }
}

impl InContainer for CsiAttacher {
    fn settle(&mut self, sys: &mut dyn Sys) {
        self.way.settle(sys);
    }

    fn next_due(&self) -> Option<Time> {
        self.way.next_due()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finalizers_are_named_after_drivers() {
        let cases = [
            ("pd.csi.storage.gke.io", "external-attacher/pd-csi-storage-gke-io"),
            ("hostpath.csi.k8s.io", "external-attacher/hostpath-csi-k8s-io"),
            ("a_b.", "external-attacher/a-b-X"),
        ];
        for (driver, name) in cases {
            assert_eq!(finalizer(driver), name);
        }
    }
}
