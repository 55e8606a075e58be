//! A tree of files that is copied when it is written to.

use super::inode::{Content, Inode};
use super::{FILE_BYTES_MAX, NAME_BYTES_MAX, TREE_BYTES_MAX, TREE_NODES_MAX};
use crate::Errno;
use imbl::OrdMap;
use naru_sim::Time;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// The number of a tree's root directory.
pub(super) const ROOT: u64 = 1;

/// Fills a tree when somebody first looks into it: most volumes are mounted and never read.
///
/// It must always give the same files.
pub trait TreeSource: fmt::Debug + Send + Sync {
    /// The files.
    fn unpack(&self) -> Tree;
}

/// A tree of files that can be mounted: a volume. As long as it is not mounted it is used through
/// `Vfs::from(tree)`.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Nothing as long as nobody has looked.
    files: OnceLock<Files>,
    /// What is in it at first; an empty root directory if there is none.
    source: Option<Arc<dyn TreeSource>>,
    /// How many bytes fit, if somebody has said so.
    pub(super) capacity: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Files {
    inodes: OrdMap<u64, Inode>,
    next: u64,
    bytes: u64,
    /// How many of them are stored.
    pub(super) stored: u64,
    changes: u64,
    /// Open descriptions of files; one without a name lives until the last of them is closed.
    opens: OrdMap<u64, u32>,
}

impl Default for Files {
    /// An empty root directory.
    fn default() -> Self {
        let root = Inode {
            content: Content::Directory(OrdMap::new()),
            mode: 0o755,
            uid: 0,
            gid: 0,
            mtime: Time::ZERO,
            links: 2,
        };
        Files {
            inodes: OrdMap::unit(ROOT, root),
            next: ROOT + 1,
            bytes: 0,
            stored: 0,
            changes: 0,
            opens: OrdMap::new(),
        }
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// An empty root directory.
    pub fn new() -> Self {
        Tree { files: OnceLock::new(), source: None, capacity: None }
    }

    /// An empty root directory below which at most `bytes` bytes fit.
    pub fn with_capacity(bytes: u64) -> Self {
        Tree { capacity: Some(bytes), ..Self::new() }
    }

    /// An empty root directory below which as much fits as in this tree.
    pub fn empty_like(&self) -> Self {
        Tree { capacity: self.capacity, ..Self::new() }
    }

    /// Files that are made when somebody looks.
    pub fn lazy(source: Arc<dyn TreeSource>) -> Self {
        Tree { source: Some(source), ..Self::new() }
    }

    /// Bytes of all files.
    pub fn bytes_used(&self) -> u64 {
        self.files().bytes
    }

    /// Bytes and number of the files that are there already: none where they are made when somebody
    /// looks, and nobody has.
    pub fn made_already(&self) -> (u64, u64) {
        self.files.get().map_or((0, 0), |files| (files.bytes, files.inodes.len() as u64))
    }

    /// How many files and directories there are.
    pub fn files_count(&self) -> u64 {
        self.files().inodes.len() as u64
    }

    /// How many bytes fit.
    pub fn capacity(&self) -> u64 {
        self.capacity.unwrap_or(TREE_BYTES_MAX)
    }

    /// Lets so many bytes fit from now on; what is there already stays.
    pub fn set_capacity(&mut self, bytes: u64) {
        self.capacity = Some(bytes);
    }

    /// A number that grows with every change of what is stored.
    pub fn changes(&self) -> u64 {
        match (self.files.get(), &self.source) {
            (None, None) => 0,
            _ => self.files().changes,
        }
    }

    pub(super) fn files(&self) -> &Files {
        self.files.get_or_init(|| self.made())
    }

    /// There are always some, but the compiler cannot see that.
    fn files_mut(&mut self) -> Result<&mut Files, Errno> {
        if self.files.get().is_none() {
            self.files = OnceLock::from(self.made());
        }
        self.files.get_mut().ok_or(Errno::Invalid)
    }

    fn made(&self) -> Files {
        match &self.source {
            Some(source) => source.unpack().files().clone(),
            None => Files::default(),
        }
    }

    pub(super) fn get(&self, ino: u64) -> Result<&Inode, Errno> {
        self.files().inodes.get(&ino).ok_or(Errno::NotFound)
    }

    pub(super) fn get_mut(&mut self, ino: u64) -> Result<&mut Inode, Errno> {
        let files = self.files_mut()?;
        files.changes += 1;
        files.inodes.get_mut(&ino).ok_or(Errno::NotFound)
    }

    pub(super) fn entries(&self, ino: u64) -> Result<&OrdMap<Arc<str>, u64>, Errno> {
        match &self.get(ino)?.content {
            Content::Directory(entries) => Ok(entries),
            _ => Err(Errno::NotDirectory),
        }
    }

    pub(super) fn entries_mut(
        &mut self,
        ino: u64,
        now: Time,
    ) -> Result<&mut OrdMap<Arc<str>, u64>, Errno> {
        let inode = self.get_mut(ino)?;
        inode.mtime = inode.mtime.max(now);
        match &mut inode.content {
            Content::Directory(entries) => Ok(entries),
            _ => Err(Errno::NotDirectory),
        }
    }

    pub(super) fn add(&mut self, parent: u64, name: &str, inode: Inode) -> Result<u64, Errno> {
        if name.len() > NAME_BYTES_MAX {
            return Err(Errno::NameTooLong);
        }
        let (bytes, stored) = inode.takes();
        self.check_stored(stored)?;
        let files = self.files_mut()?;
        if files.inodes.len() >= TREE_NODES_MAX {
            return Err(Errno::NoSpace);
        }
        let (now, ino) = (inode.mtime, files.next);
        self.entries_mut(parent, now)?.insert(name.into(), ino);
        let files = self.files_mut()?;
        files.next += 1;
        files.bytes = files.bytes.saturating_add(bytes);
        files.stored = files.stored.saturating_add(stored);
        files.inodes.insert(ino, inode);
        Ok(ino)
    }

    pub(super) fn unlink(&mut self, parent: u64, name: &str, now: Time) -> Result<(), Errno> {
        let ino = self.entries_mut(parent, now)?.remove(name).ok_or(Errno::NotFound)?;
        if let Some(inode) = self.files_mut()?.inodes.get_mut(&ino) {
            inode.links = if inode.is_dir() { 0 } else { inode.links.saturating_sub(1) };
        }
        self.forget_if_unused(ino);
        Ok(())
    }

    /// Counts one more that has the file open, or one less.
    pub(super) fn count_open(&mut self, ino: u64, opens: impl FnOnce(u32) -> u32) {
        let Ok(files) = self.files_mut() else { return };
        if !files.inodes.contains_key(&ino) {
            return;
        }
        match opens(files.opens.get(&ino).copied().unwrap_or(0)) {
            0 => drop(files.opens.remove(&ino)),
            count => drop(files.opens.insert(ino, count)),
        }
    }

    /// Others get these files, who know of nobody that has them open: what has no name is gone.
    pub fn forget_opens(&mut self) {
        let Ok(files) = self.files_mut() else { return };
        for ino in std::mem::take(&mut files.opens).keys() {
            self.forget_if_unused(*ino);
        }
    }

    pub(super) fn forget_if_unused(&mut self, ino: u64) {
        let Ok(files) = self.files_mut() else { return };
        let Some(inode) = files.inodes.get(&ino) else { return };
        if inode.links == 0 && !files.opens.contains_key(&ino) {
            let (bytes, stored) = inode.takes();
            files.bytes = files.bytes.saturating_sub(bytes);
            files.stored = files.stored.saturating_sub(stored);
            files.inodes.remove(&ino);
        }
    }

    /// Writes into a file. `room` is what is free on the disk that the tree lies on.
    pub(super) fn set_data(
        &mut self,
        ino: u64,
        at: u64,
        bytes: &[u8],
        room: Option<u64>,
        now: Time,
    ) -> Result<(), Errno> {
        let end = at.checked_add(bytes.len() as u64).ok_or(Errno::TooLarge)?;
        let (size, stored) = self.get(ino)?.takes();
        if at >= stored && is_zero(bytes) {
            if end.saturating_sub(size) > self.room_for_zeros(room) {
                return Err(Errno::NoSpace);
            }
            return self.set_zeros(ino, end, now);
        }
        self.check_room(end.saturating_sub(size), room)?;
        let end = usize::try_from(end).map_err(|_| Errno::TooLarge)?;
        let at = usize::try_from(at).map_err(|_| Errno::TooLarge)?;
        if end > FILE_BYTES_MAX {
            return Err(Errno::TooLarge);
        }
        let more = (end as u64).saturating_sub(stored);
        self.check_stored(more)?;
        let inode = self.get_mut(ino)?;
        inode.own();
        let Content::File { data, zeros, program } = &mut inode.content else {
            return Err(Errno::Invalid);
        };
        *program = None;
        let data = Arc::make_mut(data);
        if data.len() < end {
            data.resize(end, 0);
        }
        if let Some(place) = data.get_mut(at..end) {
            place.copy_from_slice(bytes);
        }
        *zeros = zeros.saturating_sub(more);
        inode.mtime = now;
        self.count_again(ino, (size, stored))
    }

    /// Whether so many bytes more fit into what is free on the disk or in the tree. A tree of which
    /// neither is known holds as much as can be stored, however many zero bytes are in it.
    pub(super) fn check_room(&self, more: u64, room: Option<u64>) -> Result<(), Errno> {
        let own = || self.capacity.map(|capacity| capacity.saturating_sub(self.bytes_used()));
        match room.or_else(own) {
            Some(room) if more > room => Err(Errno::NoSpace),
            _ => Ok(()),
        }
    }

    /// Whether so many bytes more can be stored.
    pub(super) fn check_stored(&self, more: u64) -> Result<(), Errno> {
        let left = TREE_BYTES_MAX.saturating_sub(self.files().stored);
        if more > left { Err(Errno::NoSpace) } else { Ok(()) }
    }

    /// How many zero bytes fit.
    pub(super) fn room_for_zeros(&self, room: Option<u64>) -> u64 {
        room.unwrap_or_else(|| self.capacity().saturating_sub(self.bytes_used()))
    }

    /// Lets zero bytes follow what is stored of a file, up to this length of it.
    pub(super) fn set_zeros(&mut self, ino: u64, end: u64, now: Time) -> Result<(), Errno> {
        let inode = self.get_mut(ino)?;
        let before = inode.takes();
        inode.own();
        let Content::File { data, zeros, program } = &mut inode.content else {
            return Err(Errno::Invalid);
        };
        *program = None;
        *zeros = end.saturating_sub(data.len() as u64).max(*zeros);
        inode.mtime = now;
        self.count_again(ino, before)
    }

    /// A file took so much before.
    pub(super) fn count_again(&mut self, ino: u64, before: (u64, u64)) -> Result<(), Errno> {
        let (bytes, stored) = self.get(ino)?.takes();
        let files = self.files_mut()?;
        files.bytes = files.bytes.saturating_add(bytes).saturating_sub(before.0);
        files.stored = files.stored.saturating_add(stored).saturating_sub(before.1);
        Ok(())
    }

    /// Makes the contents of a file those of another. They are shared, not copied.
    pub(super) fn set_content(
        &mut self,
        ino: u64,
        content: Content,
        now: Time,
    ) -> Result<(), Errno> {
        let before = self.get(ino)?.takes();
        let (more, stored) = match &content {
            Content::File { data, zeros, .. } => (data.len() as u64 + zeros, data.len() as u64),
            Content::Text(text) => (text.bytes as u64, text.bytes as u64),
            _ => return Err(Errno::Invalid),
        };
        let is_small = self.capacity() < TREE_BYTES_MAX;
        self.check_room(more.saturating_sub(before.0), (!is_small).then_some(u64::MAX))?;
        self.check_stored(stored.saturating_sub(before.1))?;
        let inode = self.get_mut(ino)?;
        inode.content = content;
        inode.mtime = now;
        self.count_again(ino, before)
    }

    /// Leaves of a file no more than this much.
    pub(super) fn shorten(&mut self, ino: u64, size: u64, now: Time) -> Result<(), Errno> {
        let inode = self.get_mut(ino)?;
        let before = inode.takes();
        if size == 0 {
            let empty = Content::File { data: Arc::default(), zeros: 0, program: None };
            match inode.content {
                Content::File { .. } | Content::Text(_) => inode.content = empty,
                _ => return Ok(()),
            }
        }
        inode.own();
        let Content::File { data, zeros, program } = &mut inode.content else { return Ok(()) };
        *program = None;
        let stored = data.len().min(usize::try_from(size).unwrap_or(usize::MAX));
        if stored < data.len() {
            Arc::make_mut(data).truncate(stored);
        }
        *zeros = (*zeros).min(size - stored as u64);
        inode.mtime = now;
        self.count_again(ino, before)
    }
}

/// Whether there are zero bytes and no others.
fn is_zero(bytes: &[u8]) -> bool {
    // Most that is written differs at its ends.
    bytes.first() == Some(&0) && bytes.last() == Some(&0) && bytes.iter().all(|byte| *byte == 0)
}
