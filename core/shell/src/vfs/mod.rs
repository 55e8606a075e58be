//! Virtual files: a copy-on-write tree of files with permissions, quotas and mounts.
//!
//! Cloning a [`Vfs`] or a [`Tree`] is cheap and gives an independent copy: that is how an image
//! becomes the files of a thousand containers.

mod inode;
mod mounts;
mod opened;
mod reading;
mod tree;
mod walk;
mod writing;

pub use inode::{Device, DirEntry, FileType, OpenMode, Stat, Text};
pub use tree::{Tree, TreeSource};
pub use walk::{join, normalize};

use crate::Errno;
use crate::caps::{Cap, Caps};
use crate::seccomp::{Filter, Syscall, Verdict};
use inode::{Content, Inode};
use naru_sim::Time;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Greatest size of one file, in bytes, but for zero bytes at its end.
pub const FILE_BYTES_MAX: usize = 16 << 20;
/// Greatest size of all files of one tree, in bytes: of what is stored of them. Where nobody has said
/// how much the tree holds, and it lies on no machine's disk, so many zero bytes fit, too.
pub const TREE_BYTES_MAX: u64 = 64 << 20;
/// Most files and directories in one tree.
pub const TREE_NODES_MAX: usize = 20_000;
/// Longest file name, in bytes.
pub const NAME_BYTES_MAX: usize = 255;
/// Longest path, in bytes.
pub const PATH_BYTES_MAX: usize = 4096;
/// Most symbolic links followed for one path.
const LINKS_MAX: usize = 40;
/// What a file that names a program looks like when it is read.
const PROGRAM_BYTES: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0";

/// A file, found: which tree, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileRef {
    mount: u32,
    ino: u64,
}

/// What is known of a tree that is in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// How many bytes it was said to hold at most.
    pub size: Option<u64>,
}

/// The disk of a machine, which its files lie on beside much else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// How many bytes it holds.
    pub size: u64,
    /// How many of them are free.
    pub free: u64,
}

#[derive(Clone, Debug)]
struct Mount {
    tree: Tree,
    read_only: bool,
    /// Whether it lies on the machine's disk, as the root does.
    on_disk: bool,
    /// Whether it is in memory.
    in_memory: Option<Memory>,
    id: u32,
}

/// The groups of the users of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// The first; `None`: that of the user's own number.
    pub first: Option<u32>,
    /// All others.
    pub others: Arc<[u32]>,
}

impl Groups {
    /// The first group of this user.
    pub fn first_of(&self, uid: u32) -> u32 {
        self.first.unwrap_or(uid)
    }

    fn have(&self, uid: u32, gid: u32) -> bool {
        self.first_of(uid) == gid || self.others.contains(&gid)
    }
}

/// The files of one machine: a root tree, and trees mounted on it.
#[derive(Clone, Debug)]
pub struct Vfs {
    root: Tree,
    mounts: BTreeMap<String, Box<Mount>>,
    /// Directories that are seen at other paths too.
    binds: BTreeMap<String, FileRef>,
    next_mount: u32,
    uid: u32,
    /// What the acting user may do beyond the permission bits.
    caps: Caps,
    /// Which of its calls are not let through, and whether one was made that ends it.
    filter: Filter,
    violated: bool,
    /// The directory that is the acting process's root, and its path.
    chroot: Option<(FileRef, Arc<str>)>,
    groups: Groups,
    /// The root is for reading only, but for these of its files.
    sealed: Option<Arc<[u64]>>,
    /// The machine's disk as it was when it was told, and what the trees on it held then.
    disk: Option<(Disk, u64)>,
    now: Time,
}

impl Default for Vfs {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Tree> for Vfs {
    fn from(root: Tree) -> Self {
        Vfs {
            root,
            mounts: BTreeMap::new(),
            binds: BTreeMap::new(),
            next_mount: 1,
            uid: 0,
            caps: Caps::ALL,
            filter: Filter::default(),
            violated: false,
            chroot: None,
            groups: Groups::default(),
            sealed: None,
            disk: None,
            now: Time::ZERO,
        }
    }
}

impl Vfs {
    /// A root with `/dev` and `/tmp`, which every machine has.
    pub fn new() -> Self {
        let mut vfs = Vfs::from(Tree::new());
        // Nothing of this can fail in an empty tree.
        let _ = vfs.make_basics();
        vfs
    }

    fn make_basics(&mut self) -> Result<(), Errno> {
        self.mkdir("/dev")?;
        let devices = [
            ("/dev/null", Device::Null),
            ("/dev/zero", Device::Zero),
            ("/dev/full", Device::Full),
            ("/dev/random", Device::Random),
            ("/dev/urandom", Device::Random),
            ("/dev/tty", Device::Tty),
            ("/dev/stdin", Device::Descriptor(0)),
            ("/dev/stdout", Device::Descriptor(1)),
            ("/dev/stderr", Device::Descriptor(2)),
        ];
        for (path, device) in devices {
            self.create(path, Content::Device(device), 0o666)?;
        }
        self.mkdir("/tmp")?;
        self.chmod("/tmp", 0o1777)
    }

    /// The root tree alone; mounted trees are dropped.
    pub fn into_tree(self) -> Tree {
        self.root
    }

    /// The tree on which the others are mounted.
    pub fn root(&self) -> &Tree {
        &self.root
    }

    /// Exchanges that tree, as [`Vfs::replace_mounted`] does one that is mounted.
    pub fn replace_root(&mut self, tree: Tree) {
        self.root = tree;
    }

    /// From now on the user `uid` works with these files, and changes are dated `now`. The kernel
    /// says so before each process; otherwise it is root.
    pub fn act_as(&mut self, uid: u32, now: Time) {
        let caps = if uid == 0 { Caps::ALL } else { Caps::NONE };
        self.act_within(uid, caps, Filter::default(), None, now);
    }

    /// The same with the capabilities that the user has, and another root.
    pub(crate) fn act_within(
        &mut self,
        uid: u32,
        caps: Caps,
        filter: Filter,
        chroot: Option<(FileRef, Arc<str>)>,
        now: Time,
    ) {
        (self.uid, self.caps, self.chroot, self.now) = (uid, caps, chroot, now);
        self.filter = filter;
    }

    /// Whether the acting process may make this call.
    pub(crate) fn ask(&mut self, call: Syscall) -> Result<(), Errno> {
        match self.filter.verdict(call) {
            Verdict::Allow => Ok(()),
            Verdict::Refuse(errno) => Err(errno),
            Verdict::Kill => {
                self.violated = true;
                Err(Errno::NotPermitted)
            }
        }
    }

    /// Whether the acting process has made a call that ends it, since the last time.
    pub(crate) fn take_violation(&mut self) -> bool {
        std::mem::take(&mut self.violated)
    }

    /// Whether it has.
    pub(crate) fn is_violated(&self) -> bool {
        self.violated
    }

    /// A directory as a process's root.
    pub(crate) fn as_root(&self, path: &str) -> Result<(FileRef, Arc<str>), Errno> {
        let found = self.walk(path, true)?;
        let node = found.node.ok_or(Errno::NotFound)?;
        if !self.inode(node)?.is_dir() {
            return Err(Errno::NotDirectory);
        }
        Ok((node, if found.path == "/" { "".into() } else { found.path.into() }))
    }

    /// Whether the acting user may read (4), write (2) or run (1) a file.
    fn may(&self, inode: &Inode, bit: u16) -> bool {
        let looks = bit == 4 || (bit == 1 && inode.is_dir());
        if self.caps.has(Cap::DacOverride) || (looks && self.caps.has(Cap::DacReadSearch)) {
            // Root may do everything but run what nobody may run.
            return bit != 1 || inode.mode & 0o111 != 0 || inode.is_dir();
        }
        let shift = if inode.uid == self.uid {
            6
        } else if self.groups.have(self.uid, inode.gid) {
            3
        } else {
            0
        };
        inode.mode >> shift & bit != 0
    }

    /// The groups that every user is in from now on.
    pub fn set_groups(&mut self, groups: Groups) {
        self.groups = groups;
    }

    /// The groups that every user is in.
    pub fn groups(&self) -> &Groups {
        &self.groups
    }
}

#[cfg(test)]
mod tests;
