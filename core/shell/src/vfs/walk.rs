//! From paths to files.

use super::inode::{Content, Inode};
use super::tree::{ROOT, Tree};
use super::{FileRef, LINKS_MAX, PATH_BYTES_MAX, Vfs};
use crate::Errno;
use crate::caps::Cap;

/// What a path leads to.
pub(super) struct Found {
    /// The directory that holds it, and its name there; the root has none.
    pub parent: Option<(FileRef, String)>,
    pub node: Option<FileRef>,
    pub path: String,
}

impl Vfs {
    pub(super) fn tree(&self, node: FileRef) -> Result<&Tree, Errno> {
        if node.mount == 0 {
            return Ok(&self.root);
        }
        self.mounts
            .values()
            .find(|mount| mount.id == node.mount)
            .map(|mount| &mount.tree)
            .ok_or(Errno::BadFd)
    }

    pub(super) fn tree_mut(&mut self, node: FileRef) -> Result<&mut Tree, Errno> {
        if self.is_read_only(node) {
            return Err(Errno::ReadOnly);
        }
        self.tree_mut_any(node)
    }

    pub(super) fn is_read_only(&self, node: FileRef) -> bool {
        match &self.sealed {
            Some(open) if node.mount == 0 => !open.contains(&node.ino),
            _ => self.mounts.values().any(|mount| mount.id == node.mount && mount.read_only),
        }
    }

    pub(super) fn tree_mut_any(&mut self, node: FileRef) -> Result<&mut Tree, Errno> {
        if node.mount == 0 {
            return Ok(&mut self.root);
        }
        self.mounts
            .values_mut()
            .find(|mount| mount.id == node.mount)
            .map(|mount| &mut mount.tree)
            .ok_or(Errno::BadFd)
    }

    pub(super) fn inode(&self, node: FileRef) -> Result<&Inode, Errno> {
        self.tree(node)?.get(node.ino)
    }

    pub(super) fn mounted_over(&self, path: &str, node: FileRef) -> FileRef {
        match self.mounts.get(path) {
            Some(mount) => FileRef { mount: mount.id, ino: ROOT },
            None => self.binds.get(path).copied().unwrap_or(node),
        }
    }

    pub(super) fn find(&self, path: &str) -> Result<FileRef, Errno> {
        self.walk(path, true)?.node.ok_or(Errno::NotFound)
    }

    pub(super) fn walk<'a>(&'a self, path: &'a str, follow_last: bool) -> Result<Found, Errno> {
        if path.is_empty() {
            return Err(Errno::NotFound);
        }
        if path.len() > PATH_BYTES_MAX {
            return Err(Errno::NameTooLong);
        }
        let names = |path: &'a str| path.rsplit('/').filter(|name| !name.is_empty());
        let (root, base) = match &self.chroot {
            Some((root, base)) => (*root, &**base),
            None => (self.mounted_over("/", FileRef { mount: 0, ino: ROOT }), ""),
        };
        // Where the walk is, and on its way there each place with the length of the path before it.
        let mut here = String::with_capacity(base.len() + path.len() + 1);
        here.push_str(base);
        let mut trail: Vec<(usize, FileRef)> = Vec::new();
        let mut pending: Vec<&'a str> = names(path).collect();
        let mut links = 0;
        while let Some(name) = pending.pop() {
            match name {
                "." => continue,
                ".." => {
                    if let Some((before, _)) = trail.pop() {
                        here.truncate(before);
                    }
                    continue;
                }
                _ => {}
            }
            let dir = trail.last().map_or(root, |(_, node)| *node);
            let inode = self.inode(dir)?;
            let entries = self.tree(dir)?.entries(dir.ino)?;
            if !self.may(inode, 1) {
                return Err(Errno::Access);
            }
            let is_last = pending.is_empty();
            let before = here.len();
            let Some(&ino) = entries.get(name) else {
                if !is_last {
                    return Err(Errno::NotFound);
                }
                here.push('/');
                here.push_str(name);
                let parent = Some((dir, name.to_owned()));
                return Ok(Found { parent, node: None, path: here });
            };
            let child = FileRef { ino, ..dir };
            if let Content::Symlink(target) = &self.inode(child)?.content
                && (follow_last || !is_last)
            {
                links += 1;
                if links > LINKS_MAX {
                    return Err(Errno::Loop);
                }
                if target.starts_with('/') {
                    trail.clear();
                    here.truncate(base.len());
                }
                pending.extend(names(target));
                continue;
            }
            here.push('/');
            here.push_str(name);
            let child =
                if self.mounts.is_empty() { child } else { self.mounted_over(&here, child) };
            trail.push((before, child));
        }
        let Some((before, node)) = trail.pop() else {
            let path = if base.is_empty() { "/" } else { base }.to_owned();
            return Ok(Found { parent: None, node: Some(root), path });
        };
        let dir = trail.last().map_or(root, |(_, node)| *node);
        let name = here.get(before + 1..).unwrap_or_default().to_owned();
        Ok(Found { parent: Some((dir, name)), node: Some(node), path: here })
    }

    pub(super) fn check_dir_writable(&self, dir: FileRef) -> Result<(), Errno> {
        let inode = self.inode(dir)?;
        if !inode.is_dir() {
            return Err(Errno::NotDirectory);
        }
        if self.is_read_only(dir) {
            return Err(Errno::ReadOnly);
        }
        if self.may(inode, 2) { Ok(()) } else { Err(Errno::Access) }
    }

    pub(super) fn vacancy(&self, path: &str) -> Result<(FileRef, String), Errno> {
        let found = self.walk(path, false)?;
        if found.node.is_some() {
            return Err(Errno::Exists);
        }
        let (parent, name) = found.parent.ok_or(Errno::Exists)?;
        self.check_dir_writable(parent)?;
        Ok((parent, name))
    }

    pub(super) fn create(
        &mut self,
        path: &str,
        content: Content,
        mode: u16,
    ) -> Result<FileRef, Errno> {
        // A file opened through a dangling link is made where the link points.
        let is_file = matches!(content, Content::File { .. } | Content::Text(_));
        let (parent, name) = match self.walk(path, is_file)? {
            Found { node: None, parent: Some((parent, name)), .. } => {
                self.check_dir_writable(parent)?;
                (parent, name)
            }
            _ => return Err(Errno::Exists),
        };
        let links = if matches!(content, Content::Directory(_)) { 2 } else { 1 };
        let (uid, mtime) = (self.uid, self.now);
        let above = self.inode(parent)?;
        // A directory that passes on its group.
        let (gid, mode) = match above.mode & 0o2000 {
            0 => (self.groups.first_of(uid), mode),
            bit if matches!(content, Content::Directory(_)) => (above.gid, mode | bit),
            _ => (above.gid, mode),
        };
        let inode = Inode { content, mode, uid, gid, mtime, links };
        let ino = self.tree_mut(parent)?.add(parent.ino, &name, inode)?;
        Ok(FileRef { ino, ..parent })
    }

    pub(super) fn owned(&self, path: &str) -> Result<FileRef, Errno> {
        let node = self.find(path)?;
        if !self.caps.has(Cap::Fowner) && self.inode(node)?.uid != self.uid {
            return Err(Errno::NotPermitted);
        }
        Ok(node)
    }
}

/// `name` below the directory `dir`.
pub fn join(dir: &str, name: &str) -> String {
    if dir.ends_with('/') { format!("{dir}{name}") } else { format!("{dir}/{name}") }
}

/// `path` seen from the directory `cwd`, without `.`, `..` and doubled slashes.
pub fn normalize(cwd: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let start = if path.starts_with('/') { "" } else { cwd };
    for part in start.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}
