//! Files that are opened: what the kernel does with them, and what is as long as they are.

use super::inode::{Content, Device, OpenMode};
use super::{FILE_BYTES_MAX, FileRef, PROGRAM_BYTES, Vfs};
use crate::Errno;
use std::sync::Arc;

impl Vfs {
    /// Finds or makes the file, checks permissions, truncates it as the mode says.
    pub(crate) fn open(
        &mut self,
        path: &str,
        mode: OpenMode,
    ) -> Result<(FileRef, Option<Device>), Errno> {
        let writes = mode != OpenMode::Read;
        let node = match self.walk(path, true)?.node {
            Some(node) => node,
            None if writes && !path.ends_with('/') => {
                let empty = Content::File { data: Arc::default(), zeros: 0, program: None };
                return Ok((self.create(path, empty, 0o644)?, None));
            }
            None => return Err(Errno::NotFound),
        };
        let inode = self.inode(node)?;
        let reads = matches!(mode, OpenMode::Read | OpenMode::ReadWrite);
        if (reads && !self.may(inode, 4)) || (writes && !self.may(inode, 2)) {
            return Err(Errno::Access);
        }
        match inode.content {
            Content::Directory(_) => return Err(Errno::IsDirectory),
            Content::Device(device) => return Ok((node, Some(device))),
            _ => {}
        }
        if writes {
            let now = self.now;
            let tree = self.tree_mut(node)?;
            if mode == OpenMode::Write {
                tree.shorten(node.ino, 0, now)?;
            }
        }
        Ok((node, None))
    }

    /// Keeps the file alive while it is open.
    pub(crate) fn retain(&mut self, node: FileRef) {
        if let Ok(tree) = self.tree_mut_any(node) {
            tree.count_open(node.ino, |opens| opens + 1);
        }
    }

    /// Undoes one [`Vfs::retain`].
    pub(crate) fn release(&mut self, node: FileRef) {
        let Ok(tree) = self.tree_mut_any(node) else { return };
        tree.count_open(node.ino, |opens| opens.saturating_sub(1));
        tree.forget_if_unused(node.ino);
    }

    pub(crate) fn len(&self, node: FileRef) -> Result<u64, Errno> {
        Ok(self.inode(node).map_err(|_| Errno::BadFd)?.size())
    }

    pub(crate) fn read_at(&self, node: FileRef, at: u64, max: usize) -> Result<Vec<u8>, Errno> {
        let inode = self.inode(node).map_err(|_| Errno::BadFd)?;
        let (data, zeros): (&[u8], u64) = match &inode.content {
            Content::File { program: Some(_), .. } => (PROGRAM_BYTES, 0),
            Content::File { data, zeros, .. } => (data, *zeros),
            Content::Text(text) => (text.as_bytes(), 0),
            Content::Directory(_) => return Err(Errno::IsDirectory),
            _ => (&[], 0),
        };
        let left = (data.len() as u64 + zeros).saturating_sub(at);
        let count = usize::try_from(left).map_or(max, |left| left.min(max));
        let from = usize::try_from(at).map_or(data.len(), |at| at.min(data.len()));
        let end = data.len().min(from.saturating_add(count));
        let mut bytes = data.get(from..end).unwrap_or_default().to_vec();
        bytes.resize(count, 0);
        Ok(bytes)
    }

    pub(crate) fn write_at(
        &mut self,
        node: FileRef,
        at: u64,
        bytes: &[u8],
    ) -> Result<usize, Errno> {
        let (now, room) = (self.now, self.room(node));
        match self.inode(node).map_err(|_| Errno::BadFd)?.content {
            Content::Device(Device::Full) => return Err(Errno::NoSpace),
            Content::Device(_) => return Ok(bytes.len()),
            _ => {}
        }
        self.tree_mut(node)?.set_data(node.ino, at, bytes, room, now)?;
        Ok(bytes.len())
    }

    /// Writes zero bytes, as many of them as there is room for; tells how many.
    pub(crate) fn write_zeros(&mut self, node: FileRef, at: u64, count: u64) -> Result<u64, Errno> {
        let (now, room) = (self.now, self.room(node));
        match self.inode(node).map_err(|_| Errno::BadFd)?.content {
            Content::Device(Device::Full) if count > 0 => return Err(Errno::NoSpace),
            Content::Device(_) => return Ok(count),
            _ => {}
        }
        let tree = self.tree_mut(node)?;
        let (size, stored) = tree.get(node.ino)?.takes();
        if at < stored {
            // Over what is there they are bytes as others.
            let count = count.min(stored - at).min(FILE_BYTES_MAX as u64);
            let zeros = vec![0; usize::try_from(count).unwrap_or(0)];
            return self.write_at(node, at, &zeros).map(|written| written as u64);
        }
        let end = at.saturating_add(count).min(size.saturating_add(tree.room_for_zeros(room)));
        if end <= at && count > 0 {
            return Err(Errno::NoSpace);
        }
        tree.set_zeros(node.ino, end, now)?;
        Ok(end - at)
    }

    /// Gives the file at `path` this much of the disk at least; makes it if it is not there.
    pub fn allocate(&mut self, path: &str, size: u64) -> Result<(), Errno> {
        let (node, device) = self.open(path, OpenMode::ReadWrite)?;
        if device.is_some() {
            return Err(Errno::NoDevice);
        }
        let before = self.len(node)?;
        let (now, room) = (self.now, self.room(node));
        let tree = self.tree_mut(node)?;
        if size.saturating_sub(before) > tree.room_for_zeros(room) {
            return Err(Errno::NoSpace);
        }
        tree.set_zeros(node.ino, size.max(before), now)
    }

    /// Makes the file at `path` as long as this: what is beyond goes, and zero bytes come. A device stays
    /// as it is.
    pub fn set_len(&mut self, path: &str, size: u64) -> Result<(), Errno> {
        let (node, device) = self.open(path, OpenMode::ReadWrite)?;
        if device.is_some() {
            return Ok(());
        }
        let (before, now, room) = (self.len(node)?, self.now, self.room(node));
        let tree = self.tree_mut(node)?;
        if size < before {
            return tree.shorten(node.ino, size, now);
        }
        if size - before > tree.room_for_zeros(room) {
            return Err(Errno::NoSpace);
        }
        tree.set_zeros(node.ino, size, now)
    }

    /// Makes the file at `target` what the one at `source` is, which may be too large to be read at
    /// once, as far as there is room.
    pub fn copy(&mut self, source: &str, target: &str) -> Result<(), Errno> {
        let inode = self.inode(self.find(source)?)?;
        if !self.may(inode, 4) {
            return Err(Errno::Access);
        }
        let (data, zeros) = match &inode.content {
            Content::File { data, zeros, .. } => (Arc::clone(data), *zeros),
            Content::Text(text) => (Arc::new(text.as_bytes().to_vec()), 0),
            _ => return Err(Errno::Invalid),
        };
        let (to, _) = self.open(target, OpenMode::Write)?;
        self.write_at(to, 0, &data)?;
        match self.write_zeros(to, data.len() as u64, zeros)? {
            written if written < zeros => Err(Errno::NoSpace),
            _ => Ok(()),
        }
    }

    /// Makes the file at `path` what another is, in whatever files it lies: they share what it holds.
    pub fn take_over(&mut self, path: &str, from: &Vfs, source: &str) -> Result<(), Errno> {
        let content = from.inode(from.find(source)?)?.content.clone();
        if !matches!(content, Content::File { .. } | Content::Text(_)) {
            return Err(Errno::Invalid);
        }
        let (node, device) = self.open(path, OpenMode::ReadWrite)?;
        if device.is_some() {
            return Err(Errno::NoDevice);
        }
        let now = self.now;
        self.tree_mut(node)?.set_content(node.ino, content, now)
    }

    /// Whether two files hold the same.
    pub fn holds_same(&self, path: &str, other: &Vfs, theirs: &str) -> bool {
        let content = |fs: &Vfs, path: &str| match &fs.inode(fs.find(path).ok()?).ok()?.content {
            Content::File { data, zeros, program: None } => Some((Arc::clone(data), *zeros)),
            Content::Text(text) => Some((Arc::new(text.as_bytes().to_vec()), 0)),
            _ => None,
        };
        let (Some(mine), Some(theirs)) = (content(self, path), content(other, theirs)) else {
            return false;
        };
        mine.1 == theirs.1 && (Arc::ptr_eq(&mine.0, &theirs.0) || mine.0 == theirs.0)
    }
}
