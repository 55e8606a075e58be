//! Making, changing and removing files and directories.

use super::inode::{Content, Device, OpenMode, Text};
use super::walk::join;
use super::{FileRef, NAME_BYTES_MAX, Vfs};
use crate::Errno;
use crate::caps::Cap;
use crate::seccomp::Syscall;
use imbl::OrdMap;
use std::sync::Arc;

impl Vfs {
    /// Makes `bytes` the contents of the file at `path`; makes the file if it is not there.
    pub fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), Errno> {
        let (node, _) = self.open(path, OpenMode::Write)?;
        self.write_at(node, 0, bytes).map(drop)
    }

    /// Makes a file at `path`, where there is none, with this text in it.
    pub fn lay_text(&mut self, path: &str, text: Text) -> Result<(), Errno> {
        let empty = Content::File { data: Arc::default(), zeros: 0, program: None };
        let node = self.create(path, empty, 0o644)?;
        let room = self.room(node);
        let tree = self.tree_mut(node)?;
        tree.check_room(text.bytes as u64, room)?;
        tree.check_stored(text.bytes as u64)?;
        tree.get_mut(node.ino)?.content = Content::Text(text);
        tree.count_again(node.ino, (0, 0))
    }

    /// Makes an empty file at `path`, or empties the one that is there; for [`Vfs::fill`].
    pub fn empty_file(&mut self, path: &str) -> Result<FileRef, Errno> {
        self.open(path, OpenMode::Write).map(|(node, _)| node)
    }

    /// Makes `bytes` the contents of an empty file, without looking for its path. A copy of the
    /// files has it as the same file.
    pub fn fill(&mut self, file: FileRef, bytes: &[u8]) -> Result<(), Errno> {
        self.write_at(file, 0, bytes).map(drop)
    }

    /// Adds `bytes` at the end of the file at `path`; makes the file if it is not there.
    pub fn append(&mut self, path: &str, bytes: &[u8]) -> Result<(), Errno> {
        let (node, _) = self.open(path, OpenMode::Append)?;
        let end = self.len(node)?;
        self.write_at(node, end, bytes).map(drop)
    }

    /// Makes an executable file at `path` that stands for the program `name` of the machine's
    /// program table, and the directories above it.
    pub fn install(&mut self, path: &str, name: &str) -> Result<(), Errno> {
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.mkdir_all(parent)?;
        }
        if self.lstat(path).is_ok() {
            self.remove(path)?;
        }
        let content = Content::File { data: Arc::default(), zeros: 0, program: Some(name.into()) };
        self.create(path, content, 0o755).map(drop)
    }

    /// Makes a directory.
    pub fn mkdir(&mut self, path: &str) -> Result<(), Errno> {
        self.ask(Syscall::Mkdir)?;
        self.create(path, Content::Directory(OrdMap::new()), 0o755).map(drop)
    }

    /// Makes a directory and those above it, as far as they are not there.
    pub fn mkdir_all(&mut self, path: &str) -> Result<(), Errno> {
        if self.is_dir(path) {
            return Ok(());
        }
        let mut so_far = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            so_far.push('/');
            so_far.push_str(part);
            match self.mkdir(&so_far) {
                Err(Errno::Exists) if self.is_dir(&so_far) => {}
                Err(Errno::Exists) => return Err(Errno::NotDirectory),
                other => other?,
            }
        }
        Ok(())
    }

    /// Makes a device.
    pub fn make_device(&mut self, path: &str, device: Device, mode: u16) -> Result<(), Errno> {
        self.create(path, Content::Device(device), mode).map(drop)
    }

    /// What is there if it is no regular file, link or directory.
    pub fn device(&self, path: &str) -> Option<Device> {
        match self.inode(self.walk(path, false).ok()?.node?).ok()?.content {
            Content::Device(device) => Some(device),
            _ => None,
        }
    }

    /// Makes a symbolic link at `path` to `target`.
    pub fn symlink(&mut self, target: &str, path: &str) -> Result<(), Errno> {
        self.ask(Syscall::Symlink)?;
        self.create(path, Content::Symlink(target.into()), 0o777).map(drop)
    }

    /// Gives the file at `existing` another name.
    pub fn link(&mut self, existing: &str, path: &str) -> Result<(), Errno> {
        self.ask(Syscall::Link)?;
        let node = self.find(existing)?;
        if self.inode(node)?.is_dir() {
            return Err(Errno::NotPermitted);
        }
        let (parent, name) = self.vacancy(path)?;
        if parent.mount != node.mount {
            return Err(Errno::CrossDevice);
        }
        let now = self.now;
        let tree = self.tree_mut(parent)?;
        tree.entries_mut(parent.ino, now)?.insert(name.as_str().into(), node.ino);
        tree.get_mut(node.ino)?.links += 1;
        Ok(())
    }

    /// Removes a file, a symbolic link, or an empty directory.
    pub fn remove(&mut self, path: &str) -> Result<(), Errno> {
        self.ask(Syscall::Unlink)?;
        let found = self.walk(path, false)?;
        let node = found.node.ok_or(Errno::NotFound)?;
        let (parent, name) = found.parent.ok_or(Errno::Busy)?;
        if self.mounts.contains_key(&found.path) {
            return Err(Errno::Busy);
        }
        self.check_dir_writable(parent)?;
        if self.inode(node)?.is_dir() && !self.tree(node)?.entries(node.ino)?.is_empty() {
            return Err(Errno::NotEmpty);
        }
        let now = self.now;
        self.tree_mut(parent)?.unlink(parent.ino, &name, now)
    }

    /// Removes what is at `path` and everything below it.
    pub fn remove_all(&mut self, path: &str) -> Result<(), Errno> {
        // Depth first with a list of our own: hostile trees are deep.
        let mut pending = vec![(path.to_string(), false)];
        while let Some((path, emptied)) = pending.pop() {
            if emptied || !self.lstat(&path)?.is_dir() {
                self.remove(&path)?;
                continue;
            }
            let entries = self.list(&path)?;
            pending.push((path.clone(), true));
            pending.extend(entries.iter().map(|entry| (join(&path, &entry.name), false)));
        }
        Ok(())
    }

    /// Moves what is at `from` to `to`; a file that is there is replaced.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), Errno> {
        self.ask(Syscall::Rename)?;
        let source = self.walk(from, false)?;
        let node = source.node.ok_or(Errno::NotFound)?;
        let (old_parent, old_name) = source.parent.ok_or(Errno::Busy)?;
        let target = self.walk(to, false)?;
        let (new_parent, new_name) = target.parent.ok_or(Errno::Busy)?;
        if self.mounts.contains_key(&source.path) || self.mounts.contains_key(&target.path) {
            return Err(Errno::Busy);
        }
        if source.path == target.path {
            return Ok(());
        }
        if target.path.starts_with(&format!("{}/", source.path)) {
            return Err(Errno::Invalid);
        }
        if old_parent.mount != new_parent.mount {
            return Err(Errno::CrossDevice);
        }
        self.check_dir_writable(old_parent)?;
        self.check_dir_writable(new_parent)?;
        if new_name.len() > NAME_BYTES_MAX {
            return Err(Errno::NameTooLong);
        }
        if let Some(existing) = target.node {
            match (self.inode(node)?.is_dir(), self.inode(existing)?.is_dir()) {
                (true, false) => return Err(Errno::NotDirectory),
                (false, true) => return Err(Errno::IsDirectory),
                _ => self.remove(to)?,
            }
        }
        let now = self.now;
        let tree = self.tree_mut(old_parent)?;
        tree.entries_mut(old_parent.ino, now)?.remove(old_name.as_str());
        tree.entries_mut(new_parent.ino, now)?.insert(new_name.as_str().into(), node.ino);
        Ok(())
    }

    /// Changes the permission bits.
    pub fn chmod(&mut self, path: &str, mode: u16) -> Result<(), Errno> {
        self.ask(Syscall::Chmod)?;
        let node = self.owned(path)?;
        self.tree_mut(node)?.get_mut(node.ino)?.mode = mode & 0o7777;
        Ok(())
    }

    /// Changes owner and group.
    pub fn chown(&mut self, path: &str, uid: u32, gid: u32) -> Result<(), Errno> {
        self.chown_node(self.find(path)?, uid, gid)
    }

    /// Changes owner and group of what is at `path`, even if it is a symbolic link.
    pub fn lchown(&mut self, path: &str, uid: u32, gid: u32) -> Result<(), Errno> {
        self.chown_node(self.walk(path, false)?.node.ok_or(Errno::NotFound)?, uid, gid)
    }

    fn chown_node(&mut self, node: FileRef, uid: u32, gid: u32) -> Result<(), Errno> {
        self.ask(Syscall::Chown)?;
        let old = self.inode(node)?;
        let own = old.uid == self.uid && uid == old.uid && self.groups.have(self.uid, gid);
        if !self.caps.has(Cap::Chown) && !own {
            return Err(Errno::NotPermitted);
        }
        let inode = self.tree_mut(node)?.get_mut(node.ino)?;
        (inode.uid, inode.gid) = (uid, gid);
        Ok(())
    }

    /// Makes an empty file if there is none, and dates it now.
    pub fn touch(&mut self, path: &str) -> Result<(), Errno> {
        let node = match self.find(path) {
            Ok(node) => node,
            Err(Errno::NotFound) => self.open(path, OpenMode::Append)?.0,
            Err(errno) => return Err(errno),
        };
        let now = self.now;
        self.tree_mut(node)?.get_mut(node.ino)?.mtime = now;
        Ok(())
    }
}
