//! What a name in a directory stands for, and what is known of it.

use super::PROGRAM_BYTES;
use imbl::OrdMap;
use naru_sim::Time;
use std::sync::Arc;

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
    pub(super) bytes: usize,
    read: fn() -> &'static str,
}

impl Text {
    /// The text that `read` gives, which has so many bytes.
    pub const fn new(bytes: usize, read: fn() -> &'static str) -> Text {
        Text { bytes, read }
    }

    pub(super) fn as_bytes(self) -> &'static [u8] {
        (self.read)().as_bytes()
    }
}

#[derive(Clone, Debug)]
pub(super) enum Content {
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
pub(super) struct Inode {
    pub content: Content,
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Time,
    pub links: u32,
}

impl Inode {
    pub(super) fn size(&self) -> u64 {
        match &self.content {
            Content::File { program: Some(_), .. } => PROGRAM_BYTES.len() as u64,
            Content::File { data, zeros, .. } => data.len() as u64 + zeros,
            Content::Text(text) => text.bytes as u64,
            Content::Symlink(target) => target.len() as u64,
            Content::Directory(_) => 4096,
            Content::Device(_) => 0,
        }
    }

    pub(super) fn stat(&self, ino: u64) -> Stat {
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

    pub(super) fn is_dir(&self) -> bool {
        matches!(self.content, Content::Directory(_))
    }

    /// How many bytes it takes of a disk, and how many of them are stored.
    pub(super) fn takes(&self) -> (u64, u64) {
        match &self.content {
            Content::File { data, zeros, .. } => (data.len() as u64 + zeros, data.len() as u64),
            Content::Text(text) => (text.bytes as u64, text.bytes as u64),
            _ => (0, 0),
        }
    }

    /// Makes what is in it its own, to be changed.
    pub(super) fn own(&mut self) {
        if let Content::Text(text) = self.content {
            let data = Arc::new(text.as_bytes().to_vec());
            self.content = Content::File { data, zeros: 0, program: None };
        }
    }
}
