//! Binds claims to volumes, asks for volumes that are missing, and reclaims those that are left.
//!
//! A key with a namespace is a claim, one without is a volume. Upstream's deliberately wordy style
//! keeps every case apart; here a case is a line of a `match`.
//!
//! Upstream: `pkg/controller/volume/persistentvolume/pv_controller.go`,
//! `pv_controller_base.go`.

mod bind;
mod claim;
mod recycle;
mod volume;

use k8s_openapi::api::core::v1::{Event, PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType, pods, volumes};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};
use naru_sim::Time;
use recycle::Recycling;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often everything that waits is looked at again.
/// Upstream: `PVClaimBinderSyncPeriod` of `--pvclaimbinder-sync-period`.
const RESYNC: Duration = Duration::from_secs(15);

/// The persistent volume binder.
#[derive(Clone, Debug, Default)]
pub struct PersistentVolumeBinderController {
    /// Volumes that are being emptied, by name.
    recycling: BTreeMap<String, Recycling>,
    /// Volumes whose deletion has failed, and when it is tried again.
    deleting: BTreeMap<String, DeleteBackoff>,
}

/// How long a deletion that failed waits.
/// Upstream: `pkg/util/goroutinemap/exponentialbackoff`.
#[derive(Clone, Copy, Debug)]
struct DeleteBackoff {
    delay: Duration,
    until: Time,
}

impl DeleteBackoff {
    const FIRST: Duration = Duration::from_millis(500);
    const MAX: Duration = Duration::from_secs(122);

    fn next(before: Option<Self>, now: Time) -> Self {
        let delay = before.map_or(Self::FIRST, |before| (before.delay * 2).min(Self::MAX));
        DeleteBackoff { delay, until: now + delay }
    }
}

/// The time until everything that waits is looked at again: all at the same moments.
fn until_resync(now: Time) -> Action {
    let period = RESYNC.as_micros() as u64;
    Action::requeue_after(Duration::from_micros(period - now.as_micros() % period))
}

/// The key of the claim that a volume is bound to.
fn claim_key(volume: &PersistentVolume) -> Option<Key> {
    let reference = volume.spec.as_ref()?.claim_ref.as_ref()?;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Some(Key::new(text(&reference.namespace), text(&reference.name)))
}

impl PersistentVolumeBinderController {
    fn map_volume(event: &WatchEvent, volume: &PersistentVolume, cache: &Cache) -> Vec<Key> {
        let mut keys = vec![event.object.key()];
        let open = |claim: &&PersistentVolumeClaim| !volumes::is_fully_bound(claim);
        let key = claim_key(volume);
        let claim = key.as_ref().and_then(|key| cache.get::<PersistentVolumeClaim>(key));
        if event.kind == WatchEventType::Deleted || claim.as_ref().is_some_and(open) {
            keys.extend(key);
        }
        keys
    }

    fn map_claim(event: &WatchEvent, claim: &PersistentVolumeClaim) -> Vec<Key> {
        let volume = volumes::volume_name(claim);
        if event.kind == WatchEventType::Deleted {
            return if volume.is_empty() { Vec::new() } else { vec![Key::new("", volume)] };
        }
        vec![event.object.key()]
    }

    /// The recycler's pods, and what is told of them.
    fn map_recycler(&self, pod: &str) -> Vec<Key> {
        let volume = pod.strip_prefix(recycle::POD_PREFIX).unwrap_or_default();
        match self.recycling.contains_key(volume) {
            true => vec![Key::new("", volume)],
            false => Vec::new(),
        }
    }
}

impl Controller for PersistentVolumeBinderController {
    fn name(&self) -> &str {
        "persistentvolume-binder-controller"
    }

    fn event_source(&self) -> &str {
        "persistentvolume-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![
            Watch::all::<PersistentVolume>(),
            Watch::all::<PersistentVolumeClaim>(),
            Watch::all::<StorageClass>(),
            Watch::all::<Pod>(),
            Watch::with_fields::<Event>(recycle::EVENTS),
        ]
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        let object = &event.object;
        if let Some(volume) = object.get::<PersistentVolume>() {
            return Self::map_volume(event, volume, cache);
        }
        if let Some(claim) = object.get::<PersistentVolumeClaim>() {
            return Self::map_claim(event, claim);
        }
        if let Some(pod) = object.get::<Pod>() {
            return if pods::is_terminal(pod) || event.kind == WatchEventType::Deleted {
                self.map_recycler(object.name())
            } else {
                Vec::new()
            };
        }
        match object.get::<Event>() {
            Some(event) => {
                self.map_recycler(event.involved_object.name.as_deref().unwrap_or_default())
            }
            None => Vec::new(),
        }
    }
}

impl Reconcile for PersistentVolumeBinderController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        if key.namespace.is_empty() {
            match context.cache.arc::<PersistentVolume>(key) {
                Some(volume) => self.sync_volume(&volume, context),
                None => {
                    self.recycling.remove(&key.name);
                    self.deleting.remove(&key.name);
                    Ok(Action::await_change())
                }
            }
        } else {
            match context.cache.arc::<PersistentVolumeClaim>(key) {
                Some(claim) => claim::sync(&claim, context),
                None => Ok(Action::await_change()),
            }
        }
    }
}

/// The object about which an event is written.
fn about<K: Kube>(object: &K) -> Object {
    Object::new(object.clone())
}
