//! Looking into files and directories.

use super::inode::{Content, DirEntry, Stat};
use super::tree::Tree;
use super::walk::join;
use super::{FILE_BYTES_MAX, FileRef, PROGRAM_BYTES, Vfs};
use crate::Errno;
use imbl::OrdMap;
use std::sync::Arc;

impl Vfs {
    /// The contents of a file.
    pub fn read(&self, path: &str) -> Result<Arc<Vec<u8>>, Errno> {
        let node = self.find(path)?;
        let inode = self.inode(node)?;
        if !self.may(inode, 4) {
            return Err(Errno::Access);
        }
        match &inode.content {
            Content::File { program: Some(_), .. } => Ok(Arc::new(PROGRAM_BYTES.to_vec())),
            Content::File { data, zeros: 0, .. } => Ok(Arc::clone(data)),
            Content::File { data, zeros, .. } => {
                let size =
                    usize::try_from(*zeros).ok().and_then(|zeros| zeros.checked_add(data.len()));
                let size = size.filter(|size| *size <= FILE_BYTES_MAX).ok_or(Errno::TooLarge)?;
                let mut bytes = data.to_vec();
                bytes.resize(size, 0);
                Ok(Arc::new(bytes))
            }
            Content::Text(text) => Ok(Arc::new(text.as_bytes().to_vec())),
            Content::Directory(_) => Err(Errno::IsDirectory),
            Content::Device(_) | Content::Symlink(_) => Ok(Arc::default()),
        }
    }

    /// The contents of a file as text; bytes that are not UTF-8 are replaced.
    pub fn read_text(&self, path: &str) -> Result<String, Errno> {
        Ok(String::from_utf8_lossy(&self.read(path)?).into_owned())
    }

    /// What is known of the file at `path`, at the end of symbolic links.
    pub fn stat(&self, path: &str) -> Result<Stat, Errno> {
        let node = self.find(path)?;
        Ok(self.inode(node)?.stat(node.ino))
    }

    /// What is known of the file at `path`, which may itself be a symbolic link.
    pub fn lstat(&self, path: &str) -> Result<Stat, Errno> {
        let node = self.walk(path, false)?.node.ok_or(Errno::NotFound)?;
        Ok(self.inode(node)?.stat(node.ino))
    }

    /// Whether there is something at `path`.
    pub fn exists(&self, path: &str) -> bool {
        self.find(path).is_ok()
    }

    /// Whether there is a directory at `path`.
    pub fn is_dir(&self, path: &str) -> bool {
        self.stat(path).is_ok_and(|stat| stat.is_dir())
    }

    /// Where the symbolic link at `path` points.
    pub fn read_link(&self, path: &str) -> Result<String, Errno> {
        let node = self.walk(path, false)?.node.ok_or(Errno::NotFound)?;
        match &self.inode(node)?.content {
            Content::Symlink(target) => Ok(target.to_string()),
            _ => Err(Errno::Invalid),
        }
    }

    /// The path without symbolic links.
    pub fn real_path(&self, path: &str) -> Result<String, Errno> {
        let found = self.walk(path, true)?;
        found.node.ok_or(Errno::NotFound)?;
        let base = self.chroot.as_ref().map_or("", |(_, base)| base);
        let path = found.path.strip_prefix(base).unwrap_or(&found.path);
        Ok(if path.is_empty() { "/" } else { path }.to_owned())
    }

    /// The names in a directory, sorted by bytes.
    pub fn list(&self, path: &str) -> Result<Vec<DirEntry>, Errno> {
        let found = self.walk(path, true)?;
        let node = found.node.ok_or(Errno::NotFound)?;
        if !self.may(self.inode(node)?, 4) && self.inode(node)?.is_dir() {
            return Err(Errno::Access);
        }
        let mut entries = Vec::new();
        for (name, &ino) in self.tree(node)?.entries(node.ino)? {
            let child = self.mounted_over(&join(&found.path, name), FileRef { ino, ..node });
            let stat = self.inode(child)?.stat(child.ino);
            entries.push(DirEntry { name: name.to_string(), stat });
        }
        Ok(entries)
    }

    /// Whether the acting user may read (4), write (2) or run (1) what is at `path`.
    pub fn access(&self, path: &str, bit: u16) -> bool {
        self.find(path)
            .and_then(|node| self.inode(node).map(|inode| self.may(inode, bit)))
            .unwrap_or(false)
    }

    /// The name of the program that the file at `path` stands for.
    pub fn program(&self, path: &str) -> Option<Arc<str>> {
        let node = self.find(path).ok()?;
        match &self.inode(node).ok()?.content {
            Content::File { program, .. } => program.clone(),
            _ => None,
        }
    }

    /// A copy of the directory as a tree of its own.
    pub fn copy_tree(&self, path: &str) -> Result<Tree, Errno> {
        let found = self.as_root(path)?;
        let mut copy = Vfs::from(Tree::new());
        self.copy_directory(found.0, &mut copy, "/")?;
        Ok(copy.into_tree())
    }

    fn copy_directory(&self, dir: FileRef, to: &mut Vfs, at: &str) -> Result<(), Errno> {
        let mut pending = vec![(dir, at.to_owned())];
        while let Some((dir, at)) = pending.pop() {
            for (name, &ino) in self.tree(dir)?.entries(dir.ino)? {
                let node = FileRef { ino, ..dir };
                let (inode, path) = (self.inode(node)?.clone(), join(&at, name));
                let content = match &inode.content {
                    Content::Directory(_) => Content::Directory(OrdMap::new()),
                    other => other.clone(),
                };
                if let Content::Directory(_) = content {
                    pending.push((node, path.clone()));
                }
                to.create(&path, content, inode.mode)?;
                to.chown(&path, inode.uid, inode.gid)?;
            }
        }
        Ok(())
    }
}
