//! `/sys/fs/cgroup`: what a container may use, and what it does use, as files. They are written when
//! somebody looks.
//!
//! Upstream: `Documentation/admin-guide/cgroup-v2.rst` of Linux 6.8; the values are runc's.

use super::Kernel;
use super::process::Process;
use crate::vfs::{Tree, TreeSource, Vfs};
use crate::{Errno, Pid};
use std::sync::Arc;
use std::time::Duration;

/// Where it is.
pub const CGROUP: &str = "/sys/fs/cgroup";
/// A period in which processor time is given out, in microseconds.
const PERIOD_MICROS: u64 = 100_000;
/// What the kernel can count.
const CONTROLLERS: &str = "cpuset cpu io memory hugetlb pids rdma misc";

/// What the processes of a machine may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cgroup {
    /// Thousandths of a processor; `None` for all.
    pub cpu_max_milli: Option<u64>,
    /// The share of processors where there are not enough.
    pub cpu_weight: u64,
    /// Bytes of memory; `None` for all.
    pub memory_max: Option<u64>,
}

impl Cgroup {
    /// The weight of who says nothing.
    pub const WEIGHT: u64 = 100;

    /// The share that so many thousandths of a processor ask for.
    ///
    /// Upstream: `MilliCPUToShares` in `pkg/kubelet/cm/helpers_linux.go`, and
    /// `ConvertCPUSharesToCgroupV2Value` of runc.
    pub fn weight_of(milli: u64) -> u64 {
        let shares = milli.saturating_mul(1024) / 1000;
        1 + (shares.clamp(2, 262_144) - 2) * 9_999 / 262_142
    }
}

/// What was to be seen when a process looked.
#[derive(Debug)]
struct Snapshot {
    limits: Cgroup,
    memory_bytes: u64,
    cpu: Duration,
    pids: Vec<Pid>,
}

impl Kernel {
    /// Shows in `/sys/fs/cgroup` what its processes may use and do use.
    pub fn show_cgroup(&mut self, limits: Cgroup) {
        self.cgroup = Some(limits);
        self.proc_shown = None;
    }

    /// Lets what a process finds there be what is so now.
    pub(super) fn refresh_cgroup(&mut self, me: &Process) {
        let Some(limits) = self.cgroup else { return };
        let own = self.processes.values().filter(|process| !process.has_ended());
        let snapshot = Snapshot {
            limits,
            memory_bytes: self.memory_bytes(),
            cpu: self.cpu_used(),
            pids: own.map(|process| process.pid).chain([me.pid]).collect(),
        };
        let tree = Tree::lazy(Arc::new(snapshot));
        if self.cgroup_shown {
            self.fs.replace_mounted(CGROUP, tree);
        } else if me.root.is_none() && self.fs.mounted(CGROUP).is_none() {
            // Where somebody with another root looks, the path is another's. A root without such a directory goes without.
            self.cgroup_shown = self.fs.mount(CGROUP, tree, true).is_ok();
        }
    }
}

impl TreeSource for Snapshot {
    fn unpack(&self) -> Tree {
        let mut fs = Vfs::from(Tree::new());
        // So little fits into an empty tree.
        let written = self.write(&mut fs);
        debug_assert!(written.is_ok());
        fs.into_tree()
    }
}

impl Snapshot {
    fn write(&self, fs: &mut Vfs) -> Result<(), Errno> {
        let max = |limit: Option<u64>| limit.map_or("max".to_owned(), |limit| limit.to_string());
        let quota =
            self.limits.cpu_max_milli.map(|milli| milli.saturating_mul(PERIOD_MICROS / 1_000));
        let micros = self.cpu.as_micros();
        let pids: String = self.pids.iter().map(|pid| format!("{pid}\n")).collect();
        let files = [
            ("cgroup.controllers", CONTROLLERS.to_owned()),
            ("cgroup.procs", pids.trim_end().to_owned()),
            ("cgroup.type", "domain".to_owned()),
            ("cpu.max", format!("{} {PERIOD_MICROS}", max(quota))),
            ("cpu.stat", format!("usage_usec {micros}\nuser_usec {micros}\nsystem_usec 0")),
            ("cpu.weight", self.limits.cpu_weight.to_string()),
            ("memory.current", self.memory_bytes.to_string()),
            ("memory.high", max(None)),
            ("memory.low", "0".to_owned()),
            ("memory.max", max(self.limits.memory_max)),
            ("memory.min", "0".to_owned()),
            ("memory.oom.group", "1".to_owned()),
            ("memory.swap.max", "0".to_owned()),
            ("pids.current", self.pids.len().to_string()),
            ("pids.max", max(None)),
        ];
        for (name, text) in files {
            let path = format!("/{name}");
            fs.write(&path, format!("{text}\n").as_bytes())?;
            fs.chmod(&path, 0o444)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_become_weights() {
        for (milli, weight) in [(0, 1), (2, 1), (100, 4), (500, 20), (1_000, 39), (4_000, 157)] {
            assert_eq!(Cgroup::weight_of(milli), weight, "{milli}");
        }
    }

    #[test]
    fn a_limit_may_be_as_large_as_it_can() {
        let limits =
            Cgroup { cpu_max_milli: Some(u64::MAX), cpu_weight: Cgroup::WEIGHT, memory_max: None };
        let seen = Snapshot { limits, memory_bytes: 0, cpu: Duration::ZERO, pids: vec![1] };
        let text = Vfs::from(seen.unpack()).read_text("/cpu.max");
        assert_eq!(text.unwrap(), format!("{} 100000\n", u64::MAX));
    }
}
