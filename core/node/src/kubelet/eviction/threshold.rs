//! What has to be left of what a node has, and what is.
//!
//! Upstream: `pkg/kubelet/eviction/api/types.go`, `ParseThresholdConfig` and
//! `makeSignalObservations` in `pkg/kubelet/eviction/helpers.go`.

use crate::NodeConfig;
use crate::kubelet::kubelet_config::KubeletConfiguration;
use crate::kubelet::resource_metrics;
use crate::kubelet::stats::{INODE_BYTES, pids_max};
use crate::runtime::Runtime;
use naru_api::duration;
use naru_api::quantity::Amount;
use std::time::Duration;

/// Bytes of a block, which a disk gives or does not.
const BLOCK_BYTES: u64 = 4 << 10;

/// What is watched. In this order it is made good; nodes and images share one disk here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// `memory.available`
    MemoryAvailable,
    /// `nodefs.available`
    NodeFsAvailable,
    /// `nodefs.inodesFree`
    NodeFsInodesFree,
    /// `imagefs.available`
    ImageFsAvailable,
    /// `imagefs.inodesFree`
    ImageFsInodesFree,
    /// `pid.available`
    PidAvailable,
}

/// What a node tells of itself while something is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// `MemoryPressure`
    Memory,
    /// `DiskPressure`
    Disk,
    /// `PIDPressure`
    Pid,
}

impl Condition {
    /// The type of the node's condition.
    pub fn name(self) -> &'static str {
        match self {
            Condition::Memory => "MemoryPressure",
            Condition::Disk => "DiskPressure",
            Condition::Pid => "PIDPressure",
        }
    }
}

impl Signal {
    const ALL: [(&'static str, Signal); 6] = [
        ("memory.available", Signal::MemoryAvailable),
        ("nodefs.available", Signal::NodeFsAvailable),
        ("nodefs.inodesFree", Signal::NodeFsInodesFree),
        ("imagefs.available", Signal::ImageFsAvailable),
        ("imagefs.inodesFree", Signal::ImageFsInodesFree),
        ("pid.available", Signal::PidAvailable),
    ];

    /// Whether a name is one of upstream's that means nothing more here: of the disk of containers,
    /// which is the node's, and of memory of pods.
    fn is_implied(name: &str) -> bool {
        let names =
            ["containerfs.available", "containerfs.inodesFree", "allocatableMemory.available"];
        names.contains(&name)
    }

    /// What is short, as events and messages call it.
    pub fn resource(self) -> &'static str {
        match self {
            Signal::MemoryAvailable => "memory",
            Signal::NodeFsAvailable | Signal::ImageFsAvailable => "ephemeral-storage",
            Signal::NodeFsInodesFree | Signal::ImageFsInodesFree => "inodes",
            Signal::PidAvailable => "pids",
        }
    }

    /// What the node tells of it.
    pub fn condition(self) -> Condition {
        match self {
            Signal::MemoryAvailable => Condition::Memory,
            Signal::PidAvailable => Condition::Pid,
            _ => Condition::Disk,
        }
    }
}

/// So much of something.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Quantity {
    Absolute(Amount),
    /// A share of all there is.
    Share(f32),
}

impl Quantity {
    /// The error is upstream's.
    fn parse(signal: &str, text: &str) -> Result<Self, String> {
        let Some(percent) = text.strip_suffix('%') else {
            let amount = text.parse::<Amount>().map_err(|error| error.to_string())?;
            return match amount.value() > 0 {
                true => Ok(Quantity::Absolute(amount)),
                false => Err(format!("eviction threshold {signal} must be positive: {text}")),
            };
        };
        let percent: f32 = percent
            .parse()
            .map_err(|_| format!("strconv.ParseFloat: parsing \"{percent}\": invalid syntax"))?;
        match percent / 100.0 {
            share if share < 0.0 => {
                Err(format!("eviction percentage threshold {signal} must be >= 0%: {text}"))
            }
            share if share > 1.0 => {
                Err(format!("eviction percentage threshold {signal} must be <= 100%: {text}"))
            }
            share => Ok(Quantity::Share(share)),
        }
    }

    /// How much that is where there is so much. Upstream: `GetThresholdQuantity`.
    fn of(self, capacity: i64) -> Amount {
        match self {
            Quantity::Absolute(amount) => amount,
            Quantity::Share(share) => {
                Amount::from_bytes((capacity as f64 * f64::from(share)) as i64)
            }
        }
    }
}

/// What has to be left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// Of what.
    pub signal: Signal,
    /// How long less may be left before pods go.
    pub grace: Duration,
    value: Quantity,
    /// How much more has to be left once it was less.
    reclaim: Option<Quantity>,
}

impl Threshold {
    /// Those of a configuration, in the order in which they are made good. The error is upstream's.
    pub fn all(config: &KubeletConfiguration) -> Result<Vec<Threshold>, String> {
        let mut all = Vec::new();
        for (name, text) in &config.eviction_hard {
            all.extend(Self::read(name, text, Duration::ZERO, config)?);
        }
        for (name, text) in &config.eviction_soft {
            let grace = config.eviction_soft_grace_period.get(name).ok_or_else(|| {
                format!("grace period must be specified for the soft eviction threshold {name}")
            })?;
            let nanos = u64::try_from(duration::parse(grace)?).map_err(|_| {
                format!(
                    "invalid eviction grace period specified: {grace}, must be a positive value"
                )
            })?;
            all.extend(Self::read(name, text, Duration::from_nanos(nanos), config)?);
        }
        all.sort_by_key(|threshold| (threshold.signal, threshold.grace));
        Ok(all)
    }

    /// How much of what there is has to be left of this if nobody is to go at once.
    ///
    /// Upstream: `hardEvictionReservation` in `pkg/kubelet/cm/helpers.go`.
    pub fn hard(config: &KubeletConfiguration, signal: Signal, capacity: i64) -> Option<Amount> {
        let (name, _) = Signal::ALL.iter().find(|(_, known)| *known == signal)?;
        let text = config.eviction_hard.get(*name)?;
        let threshold = Self::read(name, text, Duration::ZERO, config).ok()??;
        Some(threshold.value.of(capacity))
    }

    fn read(
        name: &str,
        text: &str,
        grace: Duration,
        config: &KubeletConfiguration,
    ) -> Result<Option<Threshold>, String> {
        let signal = Signal::ALL.iter().find(|(known, _)| *known == name);
        let Some((_, signal)) = signal else {
            return match Signal::is_implied(name) {
                true => Ok(None),
                false => Err(format!("unsupported eviction signal {name}")),
            };
        };
        // These say that nothing is to be watched.
        if text == "0%" || text == "100%" {
            return Ok(None);
        }
        let reclaim = config.eviction_minimum_reclaim.get(name);
        let reclaim = reclaim.map(|text| Quantity::parse(name, text)).transpose()?;
        let value = Quantity::parse(name, text)?;
        Ok(Some(Threshold { signal: *signal, grace, value, reclaim }))
    }

    /// How much has to be left.
    pub fn quantity(&self, seen: &Observations) -> Amount {
        self.value.of(seen.of(self.signal).capacity)
    }

    /// Whether less is left than has to be; once it was, `again`, more has to be.
    pub fn is_met(&self, seen: &Observations, again: bool) -> bool {
        let Observation { available, capacity } = seen.of(self.signal);
        let more = self.reclaim.filter(|_| again).map_or(0, |more| more.of(capacity).value());
        self.value.of(capacity).value().saturating_add(more) > available
    }
}

/// What is left of something, and how much there is in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Observation {
    available: i64,
    capacity: i64,
}

impl Observation {
    fn new(capacity: u64, used: u64) -> Self {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Observation { available: number(capacity.saturating_sub(used)), capacity: number(capacity) }
    }
}

/// What is left of everything that is watched.
#[derive(Clone, Copy, Debug)]
pub struct Observations {
    memory: Observation,
    disk: Observation,
    inodes: Observation,
    pids: Observation,
}

impl Observations {
    /// What is left on a node now. Processes are counted only if somebody asks for them.
    pub fn of_node(runtime: &Runtime, config: &NodeConfig, count_pids: bool) -> Self {
        let (disk, stored) = (runtime.disk(), runtime.stored());
        let free = disk.free / BLOCK_BYTES * BLOCK_BYTES;
        let pids = if count_pids { runtime.processes_count() } else { 0 };
        Observations {
            memory: Observation::new(config.memory_bytes, resource_metrics::memory_used(runtime)),
            disk: Observation::new(disk.size, disk.size - free.min(disk.size)),
            inodes: Observation::new(config.disk_bytes / INODE_BYTES, stored.files),
            pids: Observation::new(pids_max(config), pids),
        }
    }

    fn of(&self, signal: Signal) -> Observation {
        match signal {
            Signal::MemoryAvailable => self.memory,
            Signal::NodeFsAvailable | Signal::ImageFsAvailable => self.disk,
            Signal::NodeFsInodesFree | Signal::ImageFsInodesFree => self.inodes,
            Signal::PidAvailable => self.pids,
        }
    }

    /// What is left, as messages say it.
    pub fn available(&self, signal: Signal) -> Amount {
        let available = self.of(signal).available;
        match signal.resource() {
            // Memory is given out in pages.
            "memory" => Amount::from_bytes(available / 1024 * 1024),
            "ephemeral-storage" => Amount::from_bytes(available),
            _ => Amount::from_units(available),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::EvictionManager;
    use super::*;
    use naru_sim::Time;

    fn seen(memory: u64, disk: u64, inodes: u64, pids: u64) -> Observations {
        let of = |left: u64| Observation::new(1_000 << 20, (1_000 << 20) - left);
        Observations { memory: of(memory), disk: of(disk), inodes: of(inodes), pids: of(pids) }
    }

    fn met(config: &str, seen: &Observations) -> Vec<Signal> {
        let config = KubeletConfiguration::read(config).unwrap();
        let all = Threshold::all(&config).unwrap();
        all.iter().filter(|it| it.is_met(seen, false)).map(|it| it.signal).collect()
    }

    #[test]
    fn thresholds_are_shares_or_amounts() {
        use Signal::{ImageFsAvailable, MemoryAvailable, NodeFsAvailable, NodeFsInodesFree};
        let plenty = 999 << 20;
        let usual = "kind: KubeletConfiguration";
        let table: [(&str, Observations, &[Signal]); 6] = [
            (usual, seen(plenty, plenty, plenty, 1), &[]),
            (usual, seen(99 << 20, plenty, plenty, 1), &[MemoryAvailable]),
            (usual, seen(plenty, 149 << 20, plenty, 1), &[ImageFsAvailable]),
            (usual, seen(plenty, 99 << 20, plenty, 1), &[NodeFsAvailable, ImageFsAvailable]),
            ("evictionHard: {nodefs.available: 0%}", seen(0, 0, 0, 0), &[]),
            (
                "evictionHard: {nodefs.inodesFree: 5%, nodefs.available: 1Gi}",
                seen(0, plenty, 1 << 20, 0),
                &[NodeFsAvailable, NodeFsInodesFree],
            ),
        ];
        for (config, seen, want) in table {
            assert_eq!(met(config, &seen), want, "{config} {seen:?}");
        }
    }

    #[test]
    fn a_share_is_told_as_upstream_reckons_it() {
        let tenth = Quantity::parse("nodefs.available", "10%").unwrap();
        // A tenth is no number of 32 bits.
        assert_eq!(tenth.of(64 << 30).to_string(), "6871947776");
        let some = Quantity::parse("memory.available", "100Mi").unwrap();
        assert_eq!(some.of(0).to_string(), "100Mi");
    }

    #[test]
    fn what_was_short_has_to_be_more() {
        let config = "evictionHard: {nodefs.available: 100Mi}\n\
                      evictionMinimumReclaim: {nodefs.available: 50Mi}";
        let config = KubeletConfiguration::read(config).unwrap();
        let threshold = Threshold::all(&config).unwrap()[0];
        let seen = seen(0, 120 << 20, 0, 0);
        assert!(!threshold.is_met(&seen, false) && threshold.is_met(&seen, true));
    }

    #[test]
    fn more_has_to_be_there_only_after_the_grace() {
        let config = "evictionHard: {}\n\
                      evictionSoft: {nodefs.available: 100Mi}\n\
                      evictionSoftGracePeriod: {nodefs.available: 1m}\n\
                      evictionMinimumReclaim: {nodefs.available: 50Mi}";
        let mut manager = EvictionManager::new(&KubeletConfiguration::read(config).unwrap());
        let table = [
            (0, 90, false, false),
            // It was short, but nothing was due for that.
            (30, 120, false, false),
            (60, 90, false, false),
            (90, 90, false, false),
            (120, 90, true, true),
            (130, 120, true, true),
            (140, 160, false, false),
            (150, 120, false, false),
        ];
        for (second, left, is_due, is_held) in table {
            let now = Time::from_millis(second * 1_000);
            let due = manager.note(&seen(0, left << 20, 0, 0), now);
            assert_eq!((due.len() == 1, !manager.due.is_empty()), (is_due, is_held), "{second}");
        }
    }
}
