//! Removes images that no container uses when the disk is full.
//!
//! Upstream: `pkg/kubelet/images/image_gc_manager.go`, `StartGarbageCollection` in
//! `pkg/kubelet/kubelet.go`.

use super::Kubelet;
use super::kubelet_config::KubeletConfiguration;
use super::pod_workers::NodeWorld;
use crate::runtime::Runtime;
use naru_client::{Context, EventType};
use naru_sim::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often is looked, for new images and for what the disk has left. Upstream: `ImageGCPeriod`.
const PERIOD: Duration = Duration::from_secs(300);

/// What is known of the images of a node.
#[derive(Clone, Debug, Default)]
pub struct ImageGcManager {
    records: BTreeMap<String, ImageRecord>,
    /// The last look.
    looked: Option<Time>,
    /// Whether too little could be removed the last time.
    failed: bool,
}

#[derive(Clone, Copy, Debug)]
struct ImageRecord {
    /// When it was seen first; `None` for those that were there before the kubelet.
    first_detected: Option<Time>,
    /// When it was seen in use the last time.
    last_used: Option<Time>,
    bytes: u64,
}

impl ImageGcManager {
    /// Takes note of the images, and which of them are in use. Gives those.
    ///
    /// Upstream: `detectImages`.
    fn detect(&mut self, detected: Option<Time>, now: Time, runtime: &Runtime) -> BTreeSet<String> {
        let in_use = runtime.images_in_use();
        let images = runtime.images.all();
        self.records.retain(|id, _| images.contains_key(id));
        for (id, bytes) in images {
            let used = in_use.contains(&id).then_some(now);
            let new = ImageRecord { first_detected: detected, last_used: None, bytes };
            let record = self.records.entry(id).or_insert(new);
            record.last_used = used.or(record.last_used);
            record.bytes = bytes;
        }
        in_use
    }

    /// Removes images until so many bytes are free again; gives how many are.
    ///
    /// Upstream: `freeSpace`, `imagesInEvictionOrder`.
    fn free_space(
        &mut self,
        wanted: u64,
        config: &KubeletConfiguration,
        now: Time,
        runtime: &mut Runtime,
    ) -> u64 {
        let in_use = self.detect(Some(now), now, runtime);
        let mut images: Vec<(String, ImageRecord)> = self
            .records
            .iter()
            .filter(|(id, _)| !in_use.contains(*id) && !runtime.images.is_pinned(id))
            .map(|(id, record)| (id.clone(), *record))
            .collect();
        images.sort_by_key(|(_, record)| (record.last_used, record.first_detected));
        let mut freed = 0_u64;
        for (id, record) in images {
            let is_young =
                record.first_detected.is_some_and(|at| now.since(at) < config.image_minimum_gc_age);
            if is_young {
                continue;
            }
            runtime.images.remove(&id);
            self.records.remove(&id);
            freed = freed.saturating_add(record.bytes);
            if freed >= wanted {
                break;
            }
        }
        freed
    }

    /// Removes images if more of the disk is used than may be. The error is an event's text.
    ///
    /// Upstream: `GarbageCollect`.
    fn garbage_collect(
        &mut self,
        config: &KubeletConfiguration,
        now: Time,
        runtime: &mut Runtime,
    ) -> Result<(), String> {
        let disk = runtime.disk();
        let share = |percent: u64| {
            let bytes = u128::from(disk.size) * u128::from(percent) / 100;
            u64::try_from(bytes).unwrap_or(u64::MAX)
        };
        let free_percent = u128::from(disk.free) * 100 / u128::from(disk.size.max(1));
        let used_percent = 100_u128.saturating_sub(free_percent);
        if used_percent < u128::from(config.image_gc_high_threshold_percent) {
            return Ok(());
        }
        let low = 100_u64.saturating_sub(u64::from(config.image_gc_low_threshold_percent));
        let wanted = share(low).saturating_sub(disk.free);
        let freed = self.free_space(wanted, config, now, runtime);
        if freed >= wanted {
            return Ok(());
        }
        Err(format!(
            "Failed to garbage collect required amount of images. Attempted to free {wanted} bytes, \
             but only found {freed} bytes eligible to free."
        ))
    }
}

impl Kubelet {
    /// Looks at the images and at the disk that they are on, if it is time to. Images are detected even
    /// where none are removed for the disk's sake: an eviction goes by when each was seen first.
    ///
    /// Upstream: `realImageGCManager.Start`, `StartGarbageCollection`.
    pub(super) fn collect_images(&mut self, context: &mut Context<'_>, world: &mut NodeWorld<'_>) {
        let now = context.now;
        let config = &world.config.kubelet;
        if self.image_gc.looked.is_some_and(|at| now.since(at) < PERIOD) {
            return;
        }
        let first = self.image_gc.looked.replace(now).is_none();
        self.image_gc.detect((!first).then_some(now), now, world.runtime);
        if config.image_gc_high_threshold_percent == 100 {
            return;
        }
        let Err(why) = self.image_gc.garbage_collect(config, now, world.runtime) else {
            self.image_gc.failed = false;
            return;
        };
        self.node_event_of(context, EventType::Warning, "FreeDiskSpaceFailed", &why);
        // The first time may be a mistake of the figures.
        if std::mem::replace(&mut self.image_gc.failed, true) {
            self.node_event_of(context, EventType::Warning, "ImageGCFailed", &why);
        }
    }

    /// Whether images are looked at again before the node's next report.
    pub(super) fn images_due(&self, now: Time) -> Option<Duration> {
        let looked = self.image_gc.looked.filter(|_| self.image_gc.failed)?;
        Some((looked + PERIOD).since(now))
    }

    /// Removes all images that no container uses.
    ///
    /// Upstream: `DeleteUnusedImages`.
    pub(super) fn delete_unused_images(&mut self, now: Time, world: &mut NodeWorld<'_>) {
        self.image_gc.free_space(u64::MAX, &world.config.kubelet, now, world.runtime);
    }
}
