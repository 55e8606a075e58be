//! Disks, file servers and image registries beyond the nodes: what is on them outlives pods and
//! machines.
//!
//! A cloud's disks, a storage array's, an NFS server's directories. They are a part of the world
//! as the network is, and know nothing of Kubernetes.

use crate::Registry;
use crate::iscsi::IscsiTargets;
use naru_shell::{TREE_BYTES_MAX, Tree};
use std::collections::BTreeMap;

/// Most disks of a cluster.
const DISKS_MAX: usize = 1_000;

/// Names a disk: the driver or server that it belongs to, and its name there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DiskId {
    /// `pd.csi.storage.gke.io`, `nfs/10.0.0.5`, ….
    pub owner: String,
    /// Its name there.
    pub name: String,
}

impl DiskId {
    /// A disk of this owner.
    pub fn new(owner: impl Into<String>, name: impl Into<String>) -> Self {
        DiskId { owner: owner.into(), name: name.into() }
    }
}

#[derive(Clone, Debug)]
struct Disk {
    tree: Tree,
    version: u64,
}

/// All disks.
#[derive(Clone, Debug, Default)]
pub struct Disks {
    /// The registries that nodes pull images from.
    pub registry: Registry,
    /// Who may use which disks over the network.
    pub iscsi: IscsiTargets,
    table: BTreeMap<DiskId, Disk>,
}

impl Disks {
    /// Makes an empty disk, or lets one that is there hold as much. Disks of clouds are larger
    /// than what the sandbox stores: then as much fits as in any tree.
    pub fn make(&mut self, id: &DiskId, bytes: u64) -> Result<(), String> {
        let bytes = bytes.min(TREE_BYTES_MAX);
        if let Some(disk) = self.table.get_mut(id) {
            if disk.tree.capacity() < bytes {
                disk.tree.set_capacity(bytes);
                disk.version += 1;
            }
            return Ok(());
        }
        if self.table.len() >= DISKS_MAX {
            return Err(format!("the sandbox holds at most {DISKS_MAX} disks"));
        }
        self.table.insert(id.clone(), Disk { tree: Tree::with_capacity(bytes), version: 1 });
        Ok(())
    }

    /// Removes a disk with all that is on it.
    pub fn remove(&mut self, id: &DiskId) {
        self.table.remove(id);
    }

    /// All disks of an owner, by name.
    pub fn of<'a>(&'a self, owner: &'a str) -> impl Iterator<Item = &'a str> {
        let ids = self.table.keys().filter(move |id| id.owner == owner);
        ids.map(|id| id.name.as_str())
    }

    /// What is on a disk, and the number of its state.
    pub fn get(&self, id: &DiskId) -> Option<(&Tree, u64)> {
        self.table.get(id).map(|disk| (&disk.tree, disk.version))
    }

    /// Writes what is on a disk; gives the number of its new state.
    pub fn write(&mut self, id: &DiskId, tree: Tree) -> Option<u64> {
        let disk = self.table.get_mut(id)?;
        disk.tree = tree;
        disk.version += 1;
        Some(disk.version)
    }
}
