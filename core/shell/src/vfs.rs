//! Virtual files: a copy-on-write tree of files with permissions, quotas and mounts.
//!
//! Cloning a [`Vfs`] or a [`Tree`] is cheap and gives an independent copy: that is how an image
//! becomes the files of a thousand containers.

use crate::Errno;
use crate::caps::{Cap, Caps};
use crate::kernel::{CGROUP, PROC};
use crate::seccomp::{Filter, Syscall, Verdict};
use imbl::OrdMap;
use naru_sim::Time;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

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

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// For reading.
    Read,
    /// For writing, from empty; made if it is not there.
    Write,
    /// For writing at the end; made if it is not there.
    Append,
    /// For both, as it is; made if it is not there.
    ReadWrite,
}

/// A file that is not stored: the kernel answers for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// Swallows everything, holds nothing.
    Null,
    /// Endless zero bytes.
    Zero,
    /// Always out of space.
    Full,
    /// Endless random bytes from the cluster's seed.
    Random,
    /// The terminal of the process that opens it.
    Tty,
    /// A descriptor of the process that opens it: `/dev/stdin`, `/dev/stdout`, `/dev/stderr`.
    Descriptor(u32),
    /// Something that the machine has by name only.
    Hardware,
    /// A disk, or a part of one, that the machine has by name only.
    Disk,
    /// Where a server of the machine listens, which the machine has by name only.
    Socket,
}

/// What kind of thing a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device that is read and written byte by byte.
    Device,
    /// A disk or a part of one.
    BlockDevice,
    /// A socket.
    Socket,
}

/// What is known of a file besides its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its kind.
    pub kind: FileType,
    /// Permission bits, without the kind.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Size in bytes.
    pub size: u64,
    /// When the contents last changed.
    pub mtime: Time,
    /// How many names it has.
    pub links: u32,
    /// Its number within its tree.
    pub ino: u64,
}

impl Stat {
    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == FileType::Directory
    }
}

/// One name in a directory. [`DirEntry::stat`] does not follow a symbolic link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// The name, without a slash.
    pub name: String,
    /// What it names.
    pub stat: Stat,
}

/// A text that comes with the program, to be what is in a file: it is read when the file is, so that a
/// page need not load it before (`xtask/split`).
#[derive(Clone, Copy, Debug)]
pub struct Text {
    bytes: usize,
    read: fn() -> &'static str,
}

impl Text {
    /// The text that `read` gives, which has so many bytes.
    pub const fn new(bytes: usize, read: fn() -> &'static str) -> Text {
        Text { bytes, read }
    }

    fn as_bytes(self) -> &'static [u8] {
        (self.read)().as_bytes()
    }
}

#[derive(Clone, Debug)]
enum Content {
    /// Bytes, and how many zero bytes follow them: who fills a disk does it with these, and they are
    /// not stored.
    File {
        data: Arc<Vec<u8>>,
        zeros: u64,
        program: Option<Arc<str>>,
    },
    /// As long as nobody has written into it.
    Text(Text),
    Directory(OrdMap<Arc<str>, u64>),
    Symlink(Arc<str>),
    Device(Device),
}

#[derive(Clone, Debug)]
struct Inode {
    content: Content,
    mode: u16,
    uid: u32,
    gid: u32,
    mtime: Time,
    links: u32,
}

impl Inode {
    fn size(&self) -> u64 {
        match &self.content {
            Content::File { program: Some(_), .. } => PROGRAM_BYTES.len() as u64,
            Content::File { data, zeros, .. } => data.len() as u64 + zeros,
            Content::Text(text) => text.bytes as u64,
            Content::Symlink(target) => target.len() as u64,
            Content::Directory(_) => 4096,
            Content::Device(_) => 0,
        }
    }

    fn stat(&self, ino: u64) -> Stat {
        let kind = match self.content {
            Content::File { .. } | Content::Text(_) => FileType::File,
            Content::Directory(_) => FileType::Directory,
            Content::Symlink(_) => FileType::Symlink,
            Content::Device(Device::Disk) => FileType::BlockDevice,
            Content::Device(Device::Socket) => FileType::Socket,
            Content::Device(_) => FileType::Device,
        };
        Stat {
            kind,
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            size: self.size(),
            mtime: self.mtime,
            links: self.links,
            ino,
        }
    }

    fn is_dir(&self) -> bool {
        matches!(self.content, Content::Directory(_))
    }

    /// How many bytes it takes of a disk, and how many of them are stored.
    fn takes(&self) -> (u64, u64) {
        match &self.content {
            Content::File { data, zeros, .. } => (data.len() as u64 + zeros, data.len() as u64),
            Content::Text(text) => (text.bytes as u64, text.bytes as u64),
            _ => (0, 0),
        }
    }

    /// Makes what is in it its own, to be changed.
    fn own(&mut self) {
        if let Content::Text(text) = self.content {
            let data = Arc::new(text.as_bytes().to_vec());
            self.content = Content::File { data, zeros: 0, program: None };
        }
    }
}

const ROOT: u64 = 1;

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
    capacity: Option<u64>,
}

#[derive(Clone, Debug)]
struct Files {
    inodes: OrdMap<u64, Inode>,
    next: u64,
    bytes: u64,
    /// How many of them are stored.
    stored: u64,
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

    fn files(&self) -> &Files {
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

    fn get(&self, ino: u64) -> Result<&Inode, Errno> {
        self.files().inodes.get(&ino).ok_or(Errno::NotFound)
    }

    fn get_mut(&mut self, ino: u64) -> Result<&mut Inode, Errno> {
        let files = self.files_mut()?;
        files.changes += 1;
        files.inodes.get_mut(&ino).ok_or(Errno::NotFound)
    }

    fn entries(&self, ino: u64) -> Result<&OrdMap<Arc<str>, u64>, Errno> {
        match &self.get(ino)?.content {
            Content::Directory(entries) => Ok(entries),
            _ => Err(Errno::NotDirectory),
        }
    }

    fn entries_mut(&mut self, ino: u64, now: Time) -> Result<&mut OrdMap<Arc<str>, u64>, Errno> {
        let inode = self.get_mut(ino)?;
        inode.mtime = inode.mtime.max(now);
        match &mut inode.content {
            Content::Directory(entries) => Ok(entries),
            _ => Err(Errno::NotDirectory),
        }
    }

    fn add(&mut self, parent: u64, name: &str, inode: Inode) -> Result<u64, Errno> {
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

    fn unlink(&mut self, parent: u64, name: &str, now: Time) -> Result<(), Errno> {
        let ino = self.entries_mut(parent, now)?.remove(name).ok_or(Errno::NotFound)?;
        if let Some(inode) = self.files_mut()?.inodes.get_mut(&ino) {
            inode.links = if inode.is_dir() { 0 } else { inode.links.saturating_sub(1) };
        }
        self.forget_if_unused(ino);
        Ok(())
    }

    /// Counts one more that has the file open, or one less.
    fn count_open(&mut self, ino: u64, opens: impl FnOnce(u32) -> u32) {
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

    fn forget_if_unused(&mut self, ino: u64) {
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
    fn set_data(
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
    fn check_room(&self, more: u64, room: Option<u64>) -> Result<(), Errno> {
        let own = || self.capacity.map(|capacity| capacity.saturating_sub(self.bytes_used()));
        match room.or_else(own) {
            Some(room) if more > room => Err(Errno::NoSpace),
            _ => Ok(()),
        }
    }

    /// Whether so many bytes more can be stored.
    fn check_stored(&self, more: u64) -> Result<(), Errno> {
        let left = TREE_BYTES_MAX.saturating_sub(self.files().stored);
        if more > left { Err(Errno::NoSpace) } else { Ok(()) }
    }

    /// How many zero bytes fit.
    fn room_for_zeros(&self, room: Option<u64>) -> u64 {
        room.unwrap_or_else(|| self.capacity().saturating_sub(self.bytes_used()))
    }

    /// Lets zero bytes follow what is stored of a file, up to this length of it.
    fn set_zeros(&mut self, ino: u64, end: u64, now: Time) -> Result<(), Errno> {
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
    fn count_again(&mut self, ino: u64, before: (u64, u64)) -> Result<(), Errno> {
        let (bytes, stored) = self.get(ino)?.takes();
        let files = self.files_mut()?;
        files.bytes = files.bytes.saturating_add(bytes).saturating_sub(before.0);
        files.stored = files.stored.saturating_add(stored).saturating_sub(before.1);
        Ok(())
    }

    /// Makes the contents of a file those of another. They are shared, not copied.
    fn set_content(&mut self, ino: u64, content: Content, now: Time) -> Result<(), Errno> {
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
    fn shorten(&mut self, ino: u64, size: u64, now: Time) -> Result<(), Errno> {
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

struct Found {
    /// The directory that holds it, and its name there; the root has none.
    parent: Option<(FileRef, String)>,
    node: Option<FileRef>,
    path: String,
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

    /// The groups that every user is in from now on.
    pub fn set_groups(&mut self, groups: Groups) {
        self.groups = groups;
    }

    /// The groups that every user is in.
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

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
    fn room(&self, node: FileRef) -> Option<u64> {
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

    // ---- reading ----

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

    // ---- writing ----

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

    // ---- for the kernel ----

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

    // ---- the walk ----

    fn tree(&self, node: FileRef) -> Result<&Tree, Errno> {
        if node.mount == 0 {
            return Ok(&self.root);
        }
        self.mounts
            .values()
            .find(|mount| mount.id == node.mount)
            .map(|mount| &mount.tree)
            .ok_or(Errno::BadFd)
    }

    fn tree_mut(&mut self, node: FileRef) -> Result<&mut Tree, Errno> {
        if self.is_read_only(node) {
            return Err(Errno::ReadOnly);
        }
        self.tree_mut_any(node)
    }

    fn is_read_only(&self, node: FileRef) -> bool {
        match &self.sealed {
            Some(open) if node.mount == 0 => !open.contains(&node.ino),
            _ => self.mounts.values().any(|mount| mount.id == node.mount && mount.read_only),
        }
    }

    fn tree_mut_any(&mut self, node: FileRef) -> Result<&mut Tree, Errno> {
        if node.mount == 0 {
            return Ok(&mut self.root);
        }
        self.mounts
            .values_mut()
            .find(|mount| mount.id == node.mount)
            .map(|mount| &mut mount.tree)
            .ok_or(Errno::BadFd)
    }

    fn inode(&self, node: FileRef) -> Result<&Inode, Errno> {
        self.tree(node)?.get(node.ino)
    }

    fn mounted_over(&self, path: &str, node: FileRef) -> FileRef {
        match self.mounts.get(path) {
            Some(mount) => FileRef { mount: mount.id, ino: ROOT },
            None => self.binds.get(path).copied().unwrap_or(node),
        }
    }

    fn find(&self, path: &str) -> Result<FileRef, Errno> {
        self.walk(path, true)?.node.ok_or(Errno::NotFound)
    }

    fn walk<'a>(&'a self, path: &'a str, follow_last: bool) -> Result<Found, Errno> {
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

    fn check_dir_writable(&self, dir: FileRef) -> Result<(), Errno> {
        let inode = self.inode(dir)?;
        if !inode.is_dir() {
            return Err(Errno::NotDirectory);
        }
        if self.is_read_only(dir) {
            return Err(Errno::ReadOnly);
        }
        if self.may(inode, 2) { Ok(()) } else { Err(Errno::Access) }
    }

    fn vacancy(&self, path: &str) -> Result<(FileRef, String), Errno> {
        let found = self.walk(path, false)?;
        if found.node.is_some() {
            return Err(Errno::Exists);
        }
        let (parent, name) = found.parent.ok_or(Errno::Exists)?;
        self.check_dir_writable(parent)?;
        Ok((parent, name))
    }

    fn create(&mut self, path: &str, content: Content, mode: u16) -> Result<FileRef, Errno> {
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

    fn owned(&self, path: &str) -> Result<FileRef, Errno> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_independent() {
        let mut one = Vfs::new();
        one.write("/a", b"1").unwrap();
        let two = one.clone();
        one.append("/a", b"2").unwrap();
        assert_eq!(**one.read("/a").unwrap(), *b"12");
        assert_eq!(**two.read("/a").unwrap(), *b"1");
    }

    #[test]
    fn a_text_is_a_file_like_another() {
        const TEXT: Text = Text::new(6, || "apple\n");
        let files = |lay: fn(&mut Vfs, &str) -> Result<(), Errno>| {
            let mut fs = Vfs::from(Tree::with_capacity(20));
            for path in ["/read", "/longer", "/gone"] {
                lay(&mut fs, path).unwrap();
            }
            let full = lay(&mut fs, "/too-much");
            let read = fs.read_text("/read");
            let sizes = fs.stat("/read").map(|stat| (stat.size, stat.kind, stat.mode));
            fs.remove("/gone").unwrap();
            fs.append("/longer", b"pie\n").unwrap();
            let longer = fs.read_text("/longer");
            fs.write("/read", b"a").unwrap();
            let tree = fs.into_tree();
            let used = (tree.bytes_used(), tree.files_count());
            (full, read, sizes, longer, used)
        };
        let as_text = files(|fs, path| fs.lay_text(path, TEXT));
        assert_eq!(as_text, files(|fs, path| fs.write(path, b"apple\n")));
        assert_eq!((as_text.0, as_text.3), (Err(Errno::NoSpace), Ok("apple\npie\n".to_owned())));
    }

    #[test]
    fn links_are_followed_but_not_for_ever() {
        let mut fs = Vfs::new();
        fs.mkdir_all("/a/b").unwrap();
        fs.symlink("../x", "/a/b/up").unwrap();
        fs.write("/a/b/up", b"hi").unwrap();
        assert_eq!(**fs.read("/a/x").unwrap(), *b"hi");
        assert_eq!(fs.real_path("/a/b/up").unwrap(), "/a/x");
        fs.symlink("/loop", "/loop").unwrap();
        assert_eq!(fs.read("/loop"), Err(Errno::Loop));
        assert_eq!(fs.read("/a/x/y"), Err(Errno::NotDirectory));
    }

    #[test]
    fn mounts_cover_and_come_back() {
        let mut volume = Vfs::from(Tree::with_capacity(4));
        volume.write("/f", b"v").unwrap();
        let mut fs = Vfs::new();
        fs.mkdir("/mnt").unwrap();
        fs.write("/mnt/under", b"").unwrap();
        fs.mount("/mnt", volume.into_tree(), false).unwrap();
        assert!(!fs.exists("/mnt/under"));
        assert_eq!(fs.append("/mnt/f", b"12345"), Err(Errno::NoSpace));
        assert_eq!(fs.rename("/mnt/f", "/f"), Err(Errno::CrossDevice));
        assert_eq!(fs.remove("/mnt"), Err(Errno::Busy));
        let tree = fs.unmount("/mnt").unwrap();
        assert!(fs.exists("/mnt/under"));
        fs.mount("/mnt", tree, true).unwrap();
        assert_eq!(fs.write("/mnt/f", b""), Err(Errno::ReadOnly));
        assert_eq!(fs.write("/mnt/g", b""), Err(Errno::ReadOnly));
        assert_eq!(fs.remove("/mnt/f"), Err(Errno::ReadOnly));
        assert_eq!(fs.read_text("/mnt/f").unwrap(), "v");
    }

    #[test]
    fn permissions_are_of_the_acting_user() {
        let mut fs = Vfs::new();
        fs.write("/secret", b"s").unwrap();
        fs.chmod("/secret", 0o600).unwrap();
        fs.act_as(1000, Time::ZERO);
        assert_eq!(fs.read("/secret"), Err(Errno::Access));
        assert_eq!(fs.write("/new", b""), Err(Errno::Access));
        assert_eq!(fs.chmod("/secret", 0o777), Err(Errno::NotPermitted));
        fs.write("/tmp/mine", b"").unwrap();
        assert_eq!(fs.stat("/tmp/mine").unwrap().uid, 1000);
    }

    #[test]
    fn removing_and_moving() {
        let mut fs = Vfs::new();
        fs.mkdir_all("/d/e").unwrap();
        fs.write("/d/e/f", b"x").unwrap();
        assert_eq!(fs.remove("/d"), Err(Errno::NotEmpty));
        assert_eq!(fs.rename("/d", "/d/e/g"), Err(Errno::Invalid));
        fs.rename("/d/e/f", "/d/f").unwrap();
        assert_eq!(fs.list("/d").unwrap().len(), 2);
        fs.remove_all("/d").unwrap();
        assert!(!fs.exists("/d"));
        assert_eq!(fs.root.bytes_used(), 0);
    }

    #[test]
    fn an_open_file_outlives_its_name() {
        let mut fs = Vfs::new();
        let (node, _) = fs.open("/f", OpenMode::Write).unwrap();
        fs.retain(node);
        fs.remove("/f").unwrap();
        assert_eq!(fs.write_at(node, 0, b"abc"), Ok(3));
        let mut others = fs.root.clone();
        others.forget_opens();
        assert_eq!((others.bytes_used(), fs.root.bytes_used()), (0, 3), "who has it open has it");
        fs.release(node);
        assert_eq!(fs.root.bytes_used(), 0);
        assert!(fs.len(node).is_err());
    }

    #[test]
    fn zeros_are_counted_and_not_stored() {
        let mut fs = Vfs::new();
        fs.set_disk(Disk { size: 100 << 30, free: 60 << 30 });
        fs.allocate("/big", 50 << 30).unwrap();
        assert_eq!(fs.usage("/"), (90 << 30, 100 << 30));
        assert_eq!(fs.allocate("/more", 11 << 30), Err(Errno::NoSpace));
        let (node, _) = fs.open("/more", OpenMode::ReadWrite).unwrap();
        assert_eq!(fs.write_zeros(node, 0, 20 << 30), Ok(10 << 30), "as many as fit");
        assert_eq!(fs.write_zeros(node, 10 << 30, 1), Err(Errno::NoSpace));
        assert_eq!(fs.write("/text", b"x"), Err(Errno::NoSpace));
        assert_eq!(fs.read_at(node, (10 << 30) - 2, 9).unwrap(), [0, 0]);
        assert_eq!(fs.read("/more"), Err(Errno::TooLarge));
        fs.remove("/big").unwrap();
        fs.write("/text", b"x\0").unwrap();
        assert_eq!(**fs.read("/text").unwrap(), *b"x\0");
        fs.append("/text", b"y").unwrap();
        assert_eq!(**fs.read("/text").unwrap(), *b"x\0y");
        assert_eq!(fs.usage("/").0, (50 << 30) + 3);

        let mut copy = Vfs::new();
        copy.take_over("/more", &fs, "/more").unwrap();
        assert!(copy.holds_same("/more", &fs, "/more") && !copy.holds_same("/more", &fs, "/text"));
        assert_eq!(copy.stat("/more").unwrap().size, 10 << 30);
        copy.write("/more", b"").unwrap();
        assert_eq!(copy.root().bytes_used(), 0);
    }

    #[test]
    fn zeros_leave_room_where_no_disk_is_known() {
        const TEXT: Text = Text::new(6, || "apple\n");
        let mut fs = Vfs::new();
        fs.set_disk(Disk { size: 100 << 30, free: 60 << 30 });
        fs.allocate("/big", 200 << 20).unwrap();
        let mut later = Vfs::from(fs.into_tree());
        later.write("/text", b"x").unwrap();
        later.lay_text("/laid", TEXT).unwrap();
        let (node, _) = later.open("/zeros", OpenMode::ReadWrite).unwrap();
        assert_eq!(later.write_zeros(node, 0, 1), Err(Errno::NoSpace));
        for at in 0..3 {
            later.write(&format!("/{at}"), &[1; FILE_BYTES_MAX]).unwrap();
        }
        assert_eq!(later.write("/3", &[1; FILE_BYTES_MAX]), Err(Errno::NoSpace), "that is stored");

        let mut told = Vfs::from(Tree::with_capacity(TREE_BYTES_MAX));
        told.allocate("/big", TREE_BYTES_MAX).unwrap();
        assert_eq!(told.write("/text", b"x"), Err(Errno::NoSpace), "somebody has said so");
        assert_eq!(told.root().empty_like().capacity, Some(TREE_BYTES_MAX));
    }

    #[test]
    fn files_become_as_long_as_they_are_to_be() {
        let mut fs = Vfs::new();
        fs.write("/f", b"abcdef").unwrap();
        fs.set_len("/f", 4).unwrap();
        fs.set_len("/f", 6).unwrap();
        assert_eq!(**fs.read("/f").unwrap(), *b"abcd\0\0");
        fs.set_len("/f", 5).unwrap();
        assert_eq!((**fs.read("/f").unwrap()).to_vec(), b"abcd\0");
        assert_eq!((fs.root().bytes_used(), fs.root().files().stored), (5, 4));
        assert_eq!(fs.set_len("/f", TREE_BYTES_MAX + 6), Err(Errno::NoSpace));
        assert_eq!((fs.set_len("/dev/null", 9), fs.set_len("/new", 3)), (Ok(()), Ok(())));
        assert_eq!(fs.stat("/new").map(|stat| stat.size), Ok(3));
    }

    #[test]
    fn what_is_copied_is_counted() {
        let mut fs = Vfs::new();
        fs.mkdir("/from").unwrap();
        fs.write("/from/text", b"apple\n").unwrap();
        fs.allocate("/from/zeros", 1 << 20).unwrap();
        let copy = fs.copy_tree("/from").unwrap();
        assert_eq!(copy.bytes_used(), (1 << 20) + 6);
        let mut copy = Vfs::from(copy);
        copy.remove_all("/zeros").unwrap();
        assert_eq!(copy.root().bytes_used(), 6);
    }

    #[test]
    fn devices_take_what_is_large_and_stay_devices() {
        let mut fs = Vfs::new();
        fs.set_disk(Disk { size: 1 << 30, free: 1 << 30 });
        fs.allocate("/big", 20 << 20).unwrap();
        assert_eq!(fs.copy("/big", "/dev/null"), Ok(()));
        assert_eq!(fs.copy("/big", "/dev/full"), Err(Errno::NoSpace));
        let other = fs.clone();
        assert_eq!(fs.take_over("/dev/null", &other, "/big"), Err(Errno::NoDevice));
        assert_eq!(fs.take_over("/new", &other, "/dev/null"), Err(Errno::Invalid));
        assert_eq!((fs.device("/dev/null"), fs.exists("/new")), (Some(Device::Null), false));
    }

    #[test]
    fn paths_are_normalized() {
        for (cwd, path, expected) in
            [("/a", "b", "/a/b"), ("/a", "../../b/./c", "/b/c"), ("/a", "/", "/"), ("/", "", "/")]
        {
            assert_eq!(normalize(cwd, path), expected, "{cwd} {path}");
        }
    }
}
