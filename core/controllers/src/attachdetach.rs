//! Has disks attached to the nodes of the pods that use them, and detached again.
//!
//! Disks of CSI drivers are attached by VolumeAttachments, on which the drivers act. One that nodes
//! reach by themselves (iSCSI) is attached as soon as the node's status says so.
//!
//! The one key stands for all: what is attached is compared with what the pods want. Only pods that
//! use disks or claims are looked at.
//!
//! Upstream: `pkg/controller/volume/attachdetach`, `pkg/volume/csi/csi_attacher.go`,
//! `pkg/volume/iscsi/attacher.go`.

use crate::util::{is_out_of_service, is_ready};
use k8s_openapi::api::core::v1::{
    AttachedVolume, Node, PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec, Pod,
};
use k8s_openapi::api::storage::v1::{
    CSIDriver, VolumeAttachment, VolumeAttachmentSource, VolumeAttachmentSpec,
};
use naru_api::request::{DeleteOptions, Patch};
use naru_api::volumes::{ISCSI, iscsi_unique_name, pod_claims, volume_name};
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType, csi_translation, pods};
use naru_client::{Action, Cache, Context, Controller, Error, EventType, Reconcile, Watch};
use naru_sim::Time;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long an attachment may take. Upstream: `csiTimeout`.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How long a disk is left attached that a silent node says it uses.
/// Upstream: `reconcilerMaxWaitForUnmountDuration`.
const UNMOUNT_MAX: Duration = Duration::from_secs(360);
/// The first delay after an attachment has failed, doubled with every further one.
const DELAY: Duration = Duration::from_millis(500);
const DELAY_MAX: Duration = Duration::from_secs(122);

/// The attach-detach controller.
#[derive(Clone, Debug, Default)]
pub struct AttachDetachController {
    /// Pods that use disks or claims.
    pods: BTreeSet<Key>,
    /// Attachments that are asked for and not there yet.
    pending: BTreeMap<String, Pending>,
    /// Disks that no pod wants any more, and since when.
    unwanted: BTreeMap<String, Time>,
    /// Pods that were told that others have their disk.
    told: BTreeSet<(Key, String)>,
    /// Disks that were attached just now without a VolumeAttachment, and the nodes.
    fresh: BTreeSet<(String, String)>,
    /// What attachments are about, by their names: their volumes may go before them.
    known: BTreeMap<String, Wanted>,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    since: Time,
    delay: Duration,
    /// It has failed, and is tried again then.
    retry: Option<Time>,
}

/// A disk that pods want on a node.
#[derive(Clone, Debug)]
struct Wanted {
    /// The CSI driver; "" for a disk that nodes reach by themselves.
    driver: String,
    handle: String,
    /// What a node's status calls it.
    unique: String,
    /// What events call it.
    name: String,
    node: String,
    source: VolumeAttachmentSource,
    /// Whether only one node may have it.
    single: bool,
    pods: Vec<Key>,
}

fn wake() -> Key {
    Key::new("", "attach-detach")
}

fn uses_disks(pod: &Pod) -> bool {
    let inline = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    pod_claims(pod).next().is_some()
        || inline
            .into_iter()
            .any(|it| csi_translation::of_inline(it).is_some() || it.iscsi.is_some())
}

impl Controller for AttachDetachController {
    fn name(&self) -> &str {
        "persistentvolume-attach-detach-controller"
    }

    fn event_source(&self) -> &str {
        "attachdetach-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![
            Watch::all::<Pod>(),
            Watch::all::<Node>(),
            Watch::all::<PersistentVolumeClaim>(),
            Watch::all::<PersistentVolume>(),
            Watch::all::<VolumeAttachment>(),
            Watch::all::<CSIDriver>(),
        ]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        let object = &event.object;
        if let Some(pod) = object.get::<Pod>() {
            if !uses_disks(pod) {
                return Vec::new();
            }
            let key = object.key();
            if event.kind == WatchEventType::Deleted {
                self.pods.remove(&key);
                self.told.retain(|(pod, _)| *pod != key);
            } else {
                self.pods.insert(key);
            }
            return vec![wake()];
        }
        if let Some(node) = object.get::<Node>() {
            let in_use = |node: &Node| node.status.as_ref()?.volumes_in_use.clone();
            let state = |node: &Node| {
                let attached: Vec<String> = by_hand_on(node).map(str::to_owned).collect();
                (in_use(node), attached, is_ready(node), is_out_of_service(node))
            };
            let before = old.and_then(Object::get::<Node>).map(state);
            let same = before == Some(state(node)) && event.kind == WatchEventType::Modified;
            return if same { Vec::new() } else { vec![wake()] };
        }
        let attachment = object.kind() == VolumeAttachment::kind();
        if attachment || !self.pods.is_empty() { vec![wake()] } else { Vec::new() }
    }
}

impl Reconcile for AttachDetachController {
    fn reconcile(
        &mut self,
        _key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let wanted = self.wanted(context.cache);
        let mut next = self.detach(&wanted, context)?;
        next = earlier(next, self.detach_by_hand(&wanted, context)?);
        for (name, wanted) in &wanted {
            let at = if wanted.driver.is_empty() {
                self.attach_by_hand(wanted, context)?;
                None
            } else {
                self.attach(name, wanted, context)?
            };
            next = earlier(next, at);
        }
        self.pending.retain(|name, _| wanted.contains_key(name));
        Ok(match next {
            Some(at) => Action::requeue_after(at.since(context.now)),
            None => Action::await_change(),
        })
    }
}

fn earlier(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    [one, other].into_iter().flatten().min()
}

/// Names what is attached without a VolumeAttachment.
fn by_hand(unique: &str, node: &str) -> String {
    format!("{unique} {node}")
}

/// Upstream: `getAttachmentName`.
fn attachment_name(driver: &str, handle: &str, node: &str) -> String {
    format!("csi-{:x}", Sha256::digest(format!("{handle}{driver}{node}")))
}

impl AttachDetachController {
    /// The attachments that pods on nodes want, by name.
    fn wanted(&self, cache: &Cache) -> BTreeMap<String, Wanted> {
        let mut all = BTreeMap::<String, Wanted>::new();
        for key in &self.pods {
            let Some(pod) = cache.get::<Pod>(key) else { continue };
            let node = pods::node_name(pod);
            if node.is_empty() || pods::is_terminal(pod) {
                continue;
            }
            for disk in disks(pod, cache) {
                if !disk.driver.is_empty() && !attach_required(&disk.driver, cache) {
                    continue;
                }
                let name = match disk.driver.as_str() {
                    "" => by_hand(&disk.unique, node),
                    driver => attachment_name(driver, &disk.handle, node),
                };
                let node = node.to_owned();
                let entry = all.entry(name).or_insert(Wanted { node, ..disk });
                entry.pods.push(key.clone());
            }
        }
        all
    }

    /// Asks for an attachment, or looks how far it has come. Tells when to look again.
    fn attach(
        &mut self,
        name: &str,
        wanted: &Wanted,
        context: &mut Context<'_>,
    ) -> Result<Option<Time>, Error> {
        let now = context.now;
        let found = context.cache.arc::<VolumeAttachment>(&Key::new("", name));
        let Some(found) = found else {
            if self.held_elsewhere(wanted, context) {
                return Ok(None);
            }
            let retry = self.pending.get(name).and_then(|pending| pending.retry);
            if let Some(retry) = retry.filter(|retry| *retry > now) {
                return Ok(Some(retry));
            }
            return self.ask(name, wanted, context);
        };
        if found.metadata.deletion_timestamp.is_some() {
            return Ok(None);
        }
        let status = found.status.clone().unwrap_or_default();
        if status.attached {
            self.pending.remove(name);
            if mark_attached(wanted, true, context)? == Marked::New {
                let text = format!("AttachVolume.Attach succeeded for volume \"{}\" ", wanted.name);
                tell(wanted, EventType::Normal, "SuccessfulAttachVolume", &text, context);
            }
            return Ok(None);
        }
        let first = Pending { since: now, delay: DELAY, retry: None };
        let pending = self.pending.entry(name.to_owned()).or_insert(first);
        if let Some(retry) = pending.retry.filter(|retry| *retry > now) {
            return Ok(Some(retry));
        }
        let why = match status.attach_error.and_then(|error| error.message) {
            Some(why) => why,
            None if now.since(pending.since) < TIMEOUT => return Ok(Some(pending.since + TIMEOUT)),
            None => format!(
                "timed out waiting for external-attacher of {} CSI driver to attach volume {}",
                wanted.driver, wanted.handle
            ),
        };
        // It is waited for anew.
        *pending = Pending {
            since: now + pending.delay,
            delay: (pending.delay * 2).min(DELAY_MAX),
            retry: Some(now + pending.delay),
        };
        let retry = pending.retry;
        let text = format!("AttachVolume.Attach failed for volume \"{}\" : {why}", wanted.name);
        tell(wanted, EventType::Warning, "FailedAttachVolume", &text, context);
        Ok(retry)
    }

    fn ask(
        &mut self,
        name: &str,
        wanted: &Wanted,
        context: &mut Context<'_>,
    ) -> Result<Option<Time>, Error> {
        let mut attachment = VolumeAttachment::default();
        attachment.metadata.name = Some(name.to_owned());
        attachment.spec = VolumeAttachmentSpec {
            attacher: wanted.driver.clone(),
            node_name: wanted.node.clone(),
            source: wanted.source.clone(),
        };
        match context.client.create(attachment) {
            Err(error) if !error.is_already_exists() => return Err(error.into()),
            _ => {}
        }
        let first = Pending { since: context.now, delay: DELAY, retry: None };
        self.pending.entry(name.to_owned()).or_insert(first);
        Ok(Some(context.now + TIMEOUT))
    }

    /// Whether another node has a disk that only one may have; the pods are told once.
    ///
    /// Upstream: `reportMultiAttachError`.
    fn held_elsewhere(&mut self, wanted: &Wanted, context: &mut Context<'_>) -> bool {
        let holders = if wanted.driver.is_empty() {
            self.nodes_with(&wanted.unique, context.cache)
        } else {
            attached_to(wanted, context.cache)
        };
        let holders: BTreeSet<String> =
            holders.into_iter().filter(|node| *node != wanted.node).collect();
        if !wanted.single || holders.is_empty() {
            return false;
        }
        let users: Vec<Key> = self
            .pods
            .iter()
            .filter(|key| {
                let pod = context.cache.get::<Pod>(key);
                pod.is_some_and(|pod| {
                    !pods::is_terminal(pod)
                        && holders.contains(pods::node_name(pod))
                        && disks(pod, context.cache).iter().any(|d| d.unique == wanted.unique)
                })
            })
            .cloned()
            .collect();
        for pod in &wanted.pods {
            if !self.told.insert((pod.clone(), wanted.unique.clone())) {
                continue;
            }
            let text = format!(
                "Multi-Attach error for volume \"{}\" {}",
                wanted.name,
                who_uses_it(&users, &pod.namespace)
            );
            if let Some(object) = context.cache.object(&Pod::kind(), pod).cloned() {
                context.event(&object, EventType::Warning, "FailedAttachVolume", &text);
            }
        }
        true
    }

    /// Has a node know that it may reach a disk which needs no more than that.
    fn attach_by_hand(&mut self, wanted: &Wanted, context: &mut Context<'_>) -> Result<(), Error> {
        if self.nodes_with(&wanted.unique, context.cache).contains(&wanted.node)
            || self.held_elsewhere(wanted, context)
        {
            return Ok(());
        }
        let marked = mark_attached(wanted, true, context)?;
        if marked == Marked::Nowhere {
            return Ok(());
        }
        // Not before it is written: what fails is tried again, and holds nobody else off.
        self.fresh.insert((wanted.unique.clone(), wanted.node.clone()));
        if marked == Marked::New {
            let text = format!("AttachVolume.Attach succeeded for volume \"{}\" ", wanted.name);
            tell(wanted, EventType::Normal, "SuccessfulAttachVolume", &text, context);
        }
        Ok(())
    }

    /// The nodes to which a disk is attached without a VolumeAttachment.
    fn nodes_with(&self, unique: &str, cache: &Cache) -> BTreeSet<String> {
        let nodes = cache.list::<Node>("");
        let has = |node: &&Node| by_hand_on(node).any(|name| name == unique);
        let known = nodes.filter(has).filter_map(|node| node.metadata.name.clone());
        let fresh = self.fresh.iter().filter(|(name, _)| name == unique);
        known.chain(fresh.map(|(_, node)| node.clone())).collect()
    }

    /// Takes such disks from the nodes where nobody wants them. Tells when to look again.
    fn detach_by_hand(
        &mut self,
        wanted: &BTreeMap<String, Wanted>,
        context: &mut Context<'_>,
    ) -> Result<Option<Time>, Error> {
        let (now, mut next) = (context.now, None);
        let mut seen = BTreeSet::new();
        let cache = context.cache;
        self.fresh.retain(|(_, node)| cache.get::<Node>(&Key::new("", node.as_str())).is_some());
        for disk in reached_by_hand(context.cache) {
            self.fresh.remove(&(disk.unique.clone(), disk.node.clone()));
            let name = by_hand(&disk.unique, &disk.node);
            if wanted.contains_key(&name) {
                continue;
            }
            let since = *self.unwanted.entry(name.clone()).or_insert(now);
            seen.insert(name);
            if is_in_use(&disk, context.cache) {
                let until = forced_from(&disk.node, since, context.cache);
                if until.is_none_or(|until| now < until) {
                    next = earlier(next, until);
                    continue;
                }
            }
            mark_attached(&disk, false, context)?;
        }
        self.unwanted.retain(|name, _| !name.starts_with(ISCSI) || seen.contains(name));
        Ok(next)
    }

    /// Remembers what attachments are about, as long as they are there.
    fn know(&mut self, all: &[VolumeAttachment], cache: &Cache) {
        let name = |it: &VolumeAttachment| it.metadata.name.clone().unwrap_or_default();
        for attachment in all {
            if let Some(disk) = disk_of(attachment, cache) {
                self.known.insert(name(attachment), disk);
            }
        }
        let there: BTreeSet<String> = all.iter().map(name).collect();
        self.known.retain(|name, _| there.contains(name));
    }

    /// Lets go what nobody wants. Tells when to look again.
    fn detach(
        &mut self,
        wanted: &BTreeMap<String, Wanted>,
        context: &mut Context<'_>,
    ) -> Result<Option<Time>, Error> {
        let now = context.now;
        let mut next = None;
        let all: Vec<VolumeAttachment> =
            context.cache.list::<VolumeAttachment>("").cloned().collect();
        let mut seen = BTreeSet::new();
        self.know(&all, context.cache);
        for attachment in all {
            let name = attachment.metadata.name.clone().unwrap_or_default();
            let disk = self.known.get(&name).cloned();
            if wanted.contains_key(&name)
                || attachment.metadata.deletion_timestamp.is_some()
                || !name.starts_with("csi-")
            {
                continue;
            }
            let Some(disk) = disk else { continue };
            let since = *self.unwanted.entry(name.clone()).or_insert(now);
            seen.insert(name.clone());
            if is_in_use(&disk, context.cache) {
                let until = forced_from(&disk.node, since, context.cache);
                if until.is_none_or(|until| now < until) {
                    next = earlier(next, until);
                    continue;
                }
            }
            mark_attached(&disk, false, context)?;
            match context.client.delete::<VolumeAttachment>("", &name, DeleteOptions::default()) {
                Err(error) if !error.is_not_found() => return Err(error.into()),
                _ => {}
            }
        }
        self.unwanted.retain(|name, _| name.starts_with(ISCSI) || seen.contains(name));
        Ok(next)
    }
}

/// The nodes to which a disk is attached by VolumeAttachments.
fn attached_to(wanted: &Wanted, cache: &Cache) -> BTreeSet<String> {
    let all = cache.list::<VolumeAttachment>("");
    let same = |attachment: &&VolumeAttachment| {
        attachment.spec.attacher == wanted.driver && same_disk(attachment, wanted, cache)
    };
    all.filter(same).map(|attachment| attachment.spec.node_name.clone()).collect()
}

/// What a node's status says is attached without a VolumeAttachment.
fn by_hand_on(node: &Node) -> impl Iterator<Item = &str> {
    let attached = node.status.iter().flat_map(|status| status.volumes_attached.iter().flatten());
    let mine = |name: &&str| name.strip_prefix(ISCSI).is_some_and(|rest| rest.starts_with('/'));
    attached.map(|volume| volume.name.as_str()).filter(mine)
}

/// What nodes have attached without a VolumeAttachment.
fn reached_by_hand(cache: &Cache) -> Vec<Wanted> {
    let mut all = Vec::new();
    for node in cache.list::<Node>("") {
        let name = node.metadata.name.as_deref().unwrap_or_default();
        let disks = by_hand_on(node).map(|it| reached(it.to_owned(), String::new(), false));
        all.extend(disks.map(|disk| Wanted { node: name.to_owned(), ..disk }));
    }
    all
}

/// Upstream: the texts of `reportMultiAttachError`.
fn who_uses_it(users: &[Key], namespace: &str) -> String {
    let (near, far): (Vec<&Key>, Vec<&Key>) =
        users.iter().partition(|key| key.namespace == namespace);
    let names: Vec<&str> = near.iter().map(|key| key.name.as_str()).collect();
    match (names.is_empty(), far.len()) {
        (true, 0) => {
            "Volume is already exclusively attached to one node and can't be attached to another"
                .to_owned()
        }
        (true, count) => {
            format!("Volume is already used by {count} pod(s) in different namespaces")
        }
        (false, 0) => format!("Volume is already used by pod(s) {}", names.join(", ")),
        (false, count) => format!(
            "Volume is already used by pod(s) {} and {count} pod(s) in different namespaces",
            names.join(", ")
        ),
    }
}

/// A driver that nobody knows is taken for one that attaches. Upstream: `CanAttach`.
fn attach_required(driver: &str, cache: &Cache) -> bool {
    let driver = cache.get::<CSIDriver>(&Key::new("", driver));
    driver.is_none_or(|driver| driver.spec.attach_required != Some(false))
}

/// The disks of a pod, without its node.
fn disks(pod: &Pod, cache: &Cache) -> Vec<Wanted> {
    let mut all = Vec::new();
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    for claim in pod_claims(pod) {
        let claim = cache.get::<PersistentVolumeClaim>(&Key::new(namespace, claim.name));
        let name = claim.map(volume_name).unwrap_or_default();
        let volume = cache.get::<PersistentVolume>(&Key::new("", name));
        let Some(spec) = volume.and_then(|volume| volume.spec.as_ref()) else { continue };
        let source = VolumeAttachmentSource {
            persistent_volume_name: Some(name.to_owned()),
            ..VolumeAttachmentSource::default()
        };
        all.extend(wanted(spec, name.to_owned(), source));
    }
    for volume in pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten()) {
        if let Some(disk) = &volume.iscsi {
            let unique = iscsi_unique_name(&disk.target_portal, &disk.iqn, disk.lun);
            // Of what a pod names itself nobody says that it is for one node alone.
            all.push(reached(unique, volume.name.clone(), false));
        }
        let spec = csi_translation::inline_spec(volume);
        if let (Some(name), Some(spec)) = (csi_translation::inline_name(volume), spec) {
            let source = VolumeAttachmentSource {
                inline_volume_spec: Some(spec.clone()),
                ..VolumeAttachmentSource::default()
            };
            all.extend(wanted(&spec, name, source));
        }
    }
    all
}

fn wanted(
    spec: &PersistentVolumeSpec,
    name: String,
    source: VolumeAttachmentSource,
) -> Option<Wanted> {
    let shared = |mode: &String| mode == "ReadWriteMany" || mode == "ReadOnlyMany";
    let single = !spec.access_modes.iter().flatten().any(shared);
    if let Some(disk) = &spec.iscsi {
        let unique = iscsi_unique_name(&disk.target_portal, &disk.iqn, disk.lun);
        return Some(reached(unique, name, single));
    }
    let (driver, handle) = csi_translation::of_volume(spec)?;
    let unique = csi_translation::unique_name(&driver, &handle);
    let (node, pods) = (String::new(), Vec::new());
    Some(Wanted { driver, handle, unique, name, node, source, single, pods })
}

/// A disk that nodes reach by themselves.
fn reached(unique: String, name: String, single: bool) -> Wanted {
    let source = VolumeAttachmentSource::default();
    let (driver, handle, node, pods) = (String::new(), String::new(), String::new(), Vec::new());
    Wanted { driver, handle, unique, name, node, source, single, pods }
}

/// The disk that an attachment is about.
fn disk_of(attachment: &VolumeAttachment, cache: &Cache) -> Option<Wanted> {
    let source = attachment.spec.source.clone();
    let node = attachment.spec.node_name.clone();
    if let Some(spec) = source.inline_volume_spec.clone() {
        return Some(Wanted { node, ..wanted(&spec, String::new(), source)? });
    }
    let name = source.persistent_volume_name.clone()?;
    let volume = cache.get::<PersistentVolume>(&Key::new("", name.as_str()))?;
    let spec = volume.spec.clone()?;
    Some(Wanted { node, ..wanted(&spec, name, source)? })
}

fn same_disk(attachment: &VolumeAttachment, wanted: &Wanted, cache: &Cache) -> bool {
    disk_of(attachment, cache).is_some_and(|disk| disk.handle == wanted.handle)
}

/// From when on a disk is taken from a node that says that it uses it; never from a healthy one.
fn forced_from(node: &str, since: Time, cache: &Cache) -> Option<Time> {
    let node = cache.get::<Node>(&Key::new("", node));
    if node.is_some_and(is_out_of_service) {
        return Some(since);
    }
    (!node.is_some_and(is_ready)).then_some(since + UNMOUNT_MAX)
}

/// Whether the node says that it uses the disk.
fn is_in_use(disk: &Wanted, cache: &Cache) -> bool {
    let node = cache.get::<Node>(&Key::new("", disk.node.as_str()));
    let status = node.and_then(|node| node.status.as_ref());
    status.is_some_and(|it| it.volumes_in_use.iter().flatten().any(|used| *used == disk.unique))
}

/// What came of writing into a node's status whether a disk is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marked {
    /// It stands there now.
    New,
    /// It stood there already.
    Known,
    /// There is no such node.
    Nowhere,
}

/// Writes into the node's status that the disk is attached, or that it is not.
fn mark_attached(
    disk: &Wanted,
    attached: bool,
    context: &mut Context<'_>,
) -> Result<Marked, Error> {
    let name = disk.unique.clone();
    let node = match context.client.get::<Node>("", &disk.node) {
        Err(error) if error.is_not_found() => return Ok(Marked::Nowhere),
        node => node?,
    };
    let status = node.status.as_ref();
    let mut list = status.and_then(|status| status.volumes_attached.clone()).unwrap_or_default();
    let known = list.iter().any(|volume| volume.name == name);
    if known == attached {
        return Ok(Marked::Known);
    }
    if attached {
        list.push(AttachedVolume { name, device_path: String::new() });
    } else {
        list.retain(|volume| volume.name != name);
    }
    let list: Vec<_> = list
        .iter()
        .map(|volume| json!({"name": volume.name, "devicePath": volume.device_path}))
        .collect();
    let patch = Patch::Merge(json!({"status": {"volumesAttached": list}}));
    context.client.patch::<Node>("", &disk.node, "status", patch)?;
    Ok(Marked::New)
}

fn tell(wanted: &Wanted, kind: EventType, reason: &str, text: &str, context: &mut Context<'_>) {
    for key in &wanted.pods {
        let object = context.cache.object(&Pod::kind(), key).cloned();
        if let Some(object) = object {
            context.event(&object, kind, reason, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_attachment_is_about_is_known_as_long_as_it_is_there() {
        let mut controller = AttachDetachController::default();
        let disk = reached("disk".to_owned(), String::new(), true);
        controller.known.insert("csi-1".to_owned(), disk);
        let mut attachment = VolumeAttachment::default();
        attachment.metadata.name = Some("csi-1".to_owned());
        attachment.spec.source.persistent_volume_name = Some("gone".to_owned());
        let (all, cache) = ([attachment], Cache::default());
        for _ in 0..2 {
            controller.know(&all, &cache);
            assert!(controller.known.contains_key("csi-1"), "its volume is gone, and it is not");
        }
        controller.know(&[], &cache);
        assert!(controller.known.is_empty());
    }

    #[test]
    fn tells_who_uses_a_disk() {
        let key = |namespace: &str, name: &str| Key::new(namespace, name);
        let cases = [
            (
                vec![],
                "Volume is already exclusively attached to one node and can't be attached to another",
            ),
            (vec![key("a", "x"), key("a", "y")], "Volume is already used by pod(s) x, y"),
            (vec![key("b", "x")], "Volume is already used by 1 pod(s) in different namespaces"),
            (
                vec![key("a", "x"), key("b", "y")],
                "Volume is already used by pod(s) x and 1 pod(s) in different namespaces",
            ),
        ];
        for (users, expected) in cases {
            assert_eq!(who_uses_it(&users, "a"), expected);
        }
    }
}
