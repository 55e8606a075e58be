//! Volumes of a node: trees of files that several containers may share.
//!
//! Only one kernel runs at a time, so it is enough that each gets the newest tree before it runs
//! and gives it back afterwards.

use naru_shell::{Tree, Vfs};
use std::collections::BTreeMap;

/// Names a volume of a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VolumeId(pub u64);

/// A volume within a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where.
    pub path: String,
    /// Which.
    pub volume: VolumeId,
    /// A part of it: a directory below its root, or one file, which then is a copy that does not
    /// follow what happens to the volume. "" is all of it.
    pub sub_path: String,
    /// Whether it cannot be written.
    pub read_only: bool,
}

#[derive(Clone, Debug)]
struct Volume {
    tree: Tree,
    version: u64,
}

/// The volumes of a node.
#[derive(Clone, Debug, Default)]
pub struct Volumes {
    table: BTreeMap<VolumeId, Volume>,
    /// Directories of the node itself, by path.
    host: BTreeMap<String, VolumeId>,
    /// Directories within volumes that are mounted by themselves.
    parts: BTreeMap<(VolumeId, String), VolumeId>,
    last: u64,
}

impl Volumes {
    /// The volumes of a node that has these files, each in a directory of the node itself.
    pub fn with_files(files: &[(String, Vec<u8>)]) -> Self {
        let mut folders: BTreeMap<&str, Vfs> = BTreeMap::new();
        for (path, bytes) in files {
            let Some((folder, name)) = path.rsplit_once('/') else { continue };
            let fs = folders.entry(folder).or_insert_with(|| Vfs::from(Tree::new()));
            // An empty directory takes what a profile puts into it.
            let written = fs.write(&format!("/{name}"), bytes);
            debug_assert!(written.is_ok());
        }
        let mut volumes = Volumes::default();
        for (folder, fs) in folders {
            let id = volumes.add_host_path(folder);
            volumes.set_tree(id, fs.into_tree());
        }
        volumes
    }

    /// A new volume with these files.
    pub fn add(&mut self, tree: Tree) -> VolumeId {
        self.last += 1;
        let id = VolumeId(self.last);
        self.table.insert(id, Volume { tree, version: 1 });
        id
    }

    /// A directory of the node itself; `None` if nobody has used it yet.
    pub fn host_path(&self, path: &str) -> Option<VolumeId> {
        self.host.get(path).copied()
    }

    /// Makes a directory of the node itself.
    pub fn add_host_path(&mut self, path: &str) -> VolumeId {
        let id = self.add(Tree::new());
        self.host.insert(path.to_owned(), id);
        id
    }

    /// The files of a volume.
    pub fn tree(&self, id: VolumeId) -> Option<&Tree> {
        self.table.get(&id).map(|volume| &volume.tree)
    }

    /// Exchanges the files of a volume.
    pub fn set_tree(&mut self, id: VolumeId, tree: Tree) {
        if let Some(volume) = self.table.get_mut(&id) {
            volume.tree = tree;
            volume.version += 1;
        }
    }

    /// Removes a volume with all that is in it.
    pub fn remove(&mut self, id: VolumeId) {
        self.table.remove(&id);
        let parts: Vec<VolumeId> = self
            .parts
            .iter()
            .filter(|((whole, _), _)| *whole == id)
            .map(|(_, part)| *part)
            .collect();
        self.parts.retain(|(whole, _), _| *whole != id);
        for part in parts {
            self.table.remove(&part);
        }
    }

    /// The volume that a directory within a volume is, once it is mounted by itself. What is
    /// written there is seen by all who mount the same directory.
    pub fn part(&mut self, id: VolumeId, sub_path: &str) -> Option<VolumeId> {
        let key = (id, sub_path.to_owned());
        if let Some(part) = self.parts.get(&key) {
            return Some(*part);
        }
        let whole = Vfs::from(self.tree(id)?.clone());
        let mut part = Vfs::from(Tree::new());
        let from = format!("/{sub_path}");
        if whole.is_dir(&from) {
            copy(&whole, &from, &mut part, "");
        }
        let part = self.add(part.into_tree());
        self.parts.insert(key, part);
        Some(part)
    }

    /// One file of a volume.
    pub fn file(&self, id: VolumeId, path: &str) -> Option<Vec<u8>> {
        let fs = Vfs::from(self.tree(id)?.clone());
        let path = format!("/{path}");
        if fs.is_dir(&path) {
            return None;
        }
        fs.read(&path).ok().map(|bytes| bytes.to_vec())
    }

    /// Gives a kernel's files the newest tree of a volume, unless they have it already.
    pub(super) fn lend(&self, fs: &mut Vfs, path: &str, id: VolumeId, seen: &mut u64) {
        if let Some(volume) = self.table.get(&id)
            && volume.version != *seen
        {
            fs.replace_mounted(path, volume.tree.clone());
            *seen = volume.version;
        }
    }

    /// Takes over what a kernel has made of a volume.
    pub(super) fn take_back(&mut self, fs: &Vfs, path: &str, id: VolumeId, seen: &mut u64) {
        if let (Some(volume), Some(tree)) = (self.table.get_mut(&id), fs.mounted(path)) {
            volume.tree = tree.clone();
            volume.version += 1;
            *seen = volume.version;
        }
    }
}

/// Copies a directory; what does not fit is left out.
fn copy(from: &Vfs, path: &str, to: &mut Vfs, at: &str) {
    for entry in from.list(path).unwrap_or_default() {
        let source = naru_shell::join(path, &entry.name);
        let target = format!("{at}/{}", entry.name);
        if entry.stat.is_dir() {
            let _ = to.mkdir(&target);
            copy(from, &source, to, &target);
        } else if let Ok(link) = from.read_link(&source) {
            let _ = to.symlink(&link, &target);
        } else if let Ok(bytes) = from.read(&source) {
            let _ = to.write(&target, &bytes);
            let _ = to.chmod(&target, entry.stat.mode);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(fs: &mut Vfs, path: &str, text: &str) {
        fs.mkdir_all("/mnt").unwrap();
        fs.write(path, text.as_bytes()).unwrap();
    }

    #[test]
    fn what_one_writes_the_other_reads() {
        let mut volumes = Volumes::default();
        let id = volumes.add(Tree::new());
        let (mut one, mut two) = (Vfs::new(), Vfs::new());
        let (mut seen_one, mut seen_two) = (0, 0);
        for fs in [&mut one, &mut two] {
            fs.mkdir_all("/mnt").unwrap();
            fs.mount("/mnt", Tree::new(), false).unwrap();
        }
        volumes.lend(&mut one, "/mnt", id, &mut seen_one);
        written(&mut one, "/mnt/a", "hi");
        volumes.take_back(&one, "/mnt", id, &mut seen_one);
        volumes.lend(&mut two, "/mnt", id, &mut seen_two);
        assert_eq!(two.read_text("/mnt/a").unwrap(), "hi");
    }

    #[test]
    fn a_part_is_a_volume_of_its_own() {
        let mut volumes = Volumes::default();
        let mut fs = Vfs::from(Tree::new());
        fs.mkdir_all("/a/b").unwrap();
        fs.write("/a/b/c", b"x").unwrap();
        let id = volumes.add(fs.into_tree());
        let part = volumes.part(id, "a").unwrap();
        assert_eq!(volumes.part(id, "a"), Some(part));
        assert_eq!(volumes.file(part, "b/c"), Some(b"x".to_vec()));
        assert_eq!(volumes.file(id, "a/b"), None);
        volumes.remove(id);
        assert!(volumes.tree(part).is_none());
    }
}
