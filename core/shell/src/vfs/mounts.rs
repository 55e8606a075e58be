//! Trees that are mounted on others, and the disk of the machine below them.

use super::tree::Tree;
use super::{Disk, FileRef, Memory, Mount, Vfs};
use crate::Errno;
use crate::kernel::{CGROUP, PROC};
use crate::seccomp::Syscall;

impl Vfs {
    /// From now on the root is for reading only: what is mounted on it can still be written, and
    /// of its own files these.
    pub fn seal_root(&mut self, but: &[&str]) {
        let open = but.iter().filter_map(|path| self.find(path).ok());
        let open = open.filter(|node| node.mount == 0).map(|node| node.ino);
        self.sealed = Some(open.collect());
    }

    /// Puts `tree` at `path`, an existing directory (or over what is mounted there).
    pub fn mount(&mut self, path: &str, tree: Tree, read_only: bool) -> Result<(), Errno> {
        self.ask(Syscall::Mount)?;
        let found = self.walk(path, true)?;
        let node = found.node.ok_or(Errno::NotFound)?;
        if !self.inode(node)?.is_dir() {
            return Err(Errno::NotDirectory);
        }
        let id = self.next_mount;
        self.next_mount += 1;
        let mount = Mount { tree, read_only, on_disk: false, in_memory: None, id };
        self.mounts.insert(found.path, Box::new(mount));
        Ok(())
    }

    /// Shows the directory `of`, of whatever tree, at `path` too, in place of what is mounted there.
    pub fn bind(&mut self, path: &str, of: &str) -> Result<(), Errno> {
        let (node, _) = self.as_root(of)?;
        self.mounts.remove(path);
        self.binds.insert(path.to_owned(), node);
        Ok(())
    }

    /// Says that the tree mounted at `path` is in memory, not on a disk, and how many bytes it was
    /// said to hold at most.
    pub fn set_in_memory(&mut self, path: &str, size: Option<u64>) {
        if let Some(mount) = self.mounts.get_mut(path) {
            mount.in_memory = Some(Memory { size });
        }
    }

    /// Whether the tree mounted at `path` is in memory, and how large.
    pub fn memory(&self, path: &str) -> Option<Memory> {
        self.mounts.get(path).and_then(|mount| mount.in_memory)
    }

    /// Takes the tree mounted at `path` away. Files that are open in it become bad descriptors.
    pub fn unmount(&mut self, path: &str) -> Option<Tree> {
        self.mounts.remove(path).map(|mount| mount.tree)
    }

    /// Says that the tree mounted at `path` lies on the machine's disk, as the root does.
    pub fn set_on_disk(&mut self, path: &str) {
        if let Some(mount) = self.mounts.get_mut(path) {
            mount.on_disk = true;
        }
    }

    /// The machine's disk is so from now on. Until it is told again, what the trees on it gain and
    /// lose changes what is free.
    pub fn set_disk(&mut self, disk: Disk) {
        self.disk = Some((disk, self.bytes_on_disk()));
    }

    fn bytes_on_disk(&self) -> u64 {
        let mounted = self.mounts.values().filter(|mount| mount.on_disk);
        let trees = mounted.map(|mount| &mount.tree).chain([&self.root]);
        trees.map(|tree| tree.made_already().0).sum()
    }

    /// What is free on the machine's disk now.
    fn disk_free(&self) -> Option<u64> {
        let (disk, before) = self.disk?;
        Some((disk.free + before).saturating_sub(self.bytes_on_disk()))
    }

    /// What is free for the tree that a file is in, if that lies on the machine's disk.
    pub(super) fn room(&self, node: FileRef) -> Option<u64> {
        let mut mounts = self.mounts.values();
        let is_on_disk =
            node.mount == 0 || mounts.any(|mount| mount.id == node.mount && mount.on_disk);
        self.disk_free().filter(|_| is_on_disk)
    }

    /// Bytes that are used where the tree lies that is mounted at `path`, or else the root, and how
    /// many fit there: on the machine's disk, or in the tree.
    pub fn usage(&self, path: &str) -> (u64, u64) {
        let mount = self.mounts.get(path);
        let is_on_disk = mount.is_none_or(|mount| mount.on_disk);
        if let (Some((disk, _)), Some(free), true) = (self.disk, self.disk_free(), is_on_disk) {
            return (disk.size.saturating_sub(free), disk.size);
        }
        let tree = mount.map_or(&self.root, |mount| &mount.tree);
        (tree.bytes_used(), tree.capacity())
    }

    /// Where trees are mounted, and whether for reading only. What the kernel itself shows is not
    /// counted.
    pub fn mounts(&self) -> impl Iterator<Item = (&str, bool)> {
        let real = self.mounts.iter().filter(|(path, _)| *path != PROC && *path != CGROUP);
        let binds = self.binds.iter().map(|(path, node)| (path.as_str(), self.is_read_only(*node)));
        real.map(|(path, mount)| (path.as_str(), mount.read_only)).chain(binds)
    }

    /// The tree mounted at `path`.
    pub fn mounted(&self, path: &str) -> Option<&Tree> {
        self.mounts.get(path).map(|mount| &mount.tree)
    }

    /// Exchanges the tree mounted at `path`: how a volume that several machines share, or a
    /// ConfigMap that changed, reaches this one. Open files stay open where the new tree has them.
    pub fn replace_mounted(&mut self, path: &str, tree: Tree) -> Option<Tree> {
        let mount = self.mounts.get_mut(path)?;
        Some(std::mem::replace(&mut mount.tree, tree))
    }
}
