//! Volumes of a node: trees of files that several containers may share.
//!
//! Only one kernel runs at a time, so it is enough that each gets the newest tree before it runs
//! and gives it back afterwards. A directory that is mounted by itself is a tree of its own, which
//! follows the whole and which the whole follows. What is on a disk beyond the node is fetched
//! before the node's containers run, and written back after.
//!
//! The node's own files are one of these trees: who logs in to the machine works with it as its root,
//! and a `hostPath` is a part of it.

use crate::disks::{DiskId, Disks};
use naru_shell::{Device, FileType, Stat, Tree, Vfs, join};
use std::collections::BTreeMap;

/// Names a volume of a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VolumeId(pub u64);

/// The node's own files.
const HOST: VolumeId = VolumeId(0);

/// Directories that every machine has.
const HOST_DIRECTORIES: &[&str] = &[
    "/bin",
    "/etc/cni/net.d",
    "/etc/kubernetes/manifests",
    "/home",
    "/mnt",
    "/opt",
    "/proc",
    "/root",
    "/run/containerd",
    "/srv",
    "/sys",
    "/usr/bin",
    "/usr/lib",
    "/usr/share",
    "/var/lib/kubelet/plugins",
    "/var/lib/kubelet/plugins_registry",
    "/var/lib/kubelet/pods",
    "/var/log/pods",
    "/var/log/containers",
];

/// Where the container runtime listens.
const CONTAINERD: &str = "/run/containerd/containerd.sock";

/// What is laid down on a machine when somebody looks at its files for the first time.
const LAID: &[&str] = &[
    "/bin",
    "/etc/group",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/iscsi",
    "/etc/kubernetes",
    "/etc/passwd",
    "/root",
    "/usr/bin",
    "/usr/share/mirror",
    "/var/lib/kubelet/config.yaml",
    "/var/lib/kubelet/kubeadm-flags.env",
];
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
    /// How many bytes it may hold if it is in memory.
    pub in_memory: Option<u64>,
}

#[derive(Clone, Debug)]
struct Volume {
    tree: Tree,
    version: u64,
    kind: Kind,
    /// What of it is in [`Volumes::stored`].
    counted: Stored,
}

/// What stands on a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// In bytes.
    pub bytes: u64,
    /// How many files and directories it is.
    pub files: u64,
}

impl Stored {
    /// What a tree holds.
    pub fn of(tree: &Tree) -> Self {
        Stored { bytes: tree.bytes_used(), files: tree.files_count() }
    }

    /// Both together.
    pub fn and(self, other: Stored) -> Self {
        Stored {
            bytes: self.bytes.saturating_add(other.bytes),
            files: self.files.saturating_add(other.files),
        }
    }

    /// What is left of it without the other.
    pub fn less(self, other: Stored) -> Self {
        Stored {
            bytes: self.bytes.saturating_sub(other.bytes),
            files: self.files.saturating_sub(other.files),
        }
    }
}

#[derive(Clone, Debug)]
enum Kind {
    /// Lives on this node's disk alone.
    Own,
    /// Lives in this node's memory alone.
    Memory,
    /// A directory of another volume, and the state of that one which it has seen.
    Part { whole: VolumeId, path: String, seen: u64 },
    /// Lives on a disk: the state of the disk that it has seen, and the state of its own that the
    /// disk has.
    Disk { id: DiskId, seen: u64, written: u64 },
}

/// The volumes of a node.
#[derive(Clone, Debug)]
pub struct Volumes {
    table: BTreeMap<VolumeId, Volume>,
    /// Directories within volumes that are mounted by themselves.
    parts: BTreeMap<(VolumeId, String), VolumeId>,
    disks: BTreeMap<DiskId, VolumeId>,
    /// The pods that use a persistent volume which only one may use.
    exclusive: BTreeMap<String, String>,
    last: u64,
    own_files: OwnFiles,
    /// Whether a pod has mounted all of the node's own files.
    root_is_shown: bool,
    /// What they take of the node's disk.
    stored: Stored,
}

/// Whether the files are there that every machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OwnFiles {
    /// They are, or there are none.
    Laid,
    /// They are not, and nobody has missed them.
    Deferred,
    /// Somebody wants to see them.
    Wanted,
}

impl Default for Volumes {
    /// The volumes of a node that has its own directories only.
    fn default() -> Self {
        let mut fs = Vfs::new();
        put_own_directories(&mut fs);
        let tree = fs.into_tree();
        let stored = Stored::of(&tree);
        let host = Volume { tree, version: 1, kind: Kind::Own, counted: stored };
        Volumes {
            table: BTreeMap::from([(HOST, host)]),
            parts: BTreeMap::new(),
            disks: BTreeMap::new(),
            exclusive: BTreeMap::new(),
            last: HOST.0,
            own_files: OwnFiles::Laid,
            root_is_shown: false,
            stored,
        }
    }
}

impl Volumes {
    /// What they take of the node's disk, but for files that nobody has looked at yet.
    pub fn stored(&self) -> Stored {
        self.stored
    }

    /// A volume may hold something else now.
    fn count_again(&mut self, id: VolumeId) {
        let Some(volume) = self.table.get_mut(&id) else { return };
        if !matches!(volume.kind, Kind::Own) {
            return;
        }
        let (bytes, files) = volume.tree.made_already();
        let before = std::mem::replace(&mut volume.counted, Stored { bytes, files });
        self.stored = self.stored.less(before).and(volume.counted);
    }

    /// Forgets all volumes but the node's own files.
    pub fn reinstall(&mut self) {
        let mut fs = self.host_files();
        put_own_directories(&mut fs);
        let before = self.table.get(&HOST).map_or(0, |host| host.version);
        let tree = fs.into_tree();
        let last = self.last;
        *self = Volumes { last, own_files: self.own_files, ..Volumes::default() };
        if let Some(host) = self.table.get_mut(&HOST) {
            (host.tree, host.version) = (tree, before + 1);
        }
        self.count_again(HOST);
    }

    /// A new volume with these files.
    pub fn add(&mut self, tree: Tree) -> VolumeId {
        self.insert(tree, Kind::Own)
    }

    /// A new volume with these files that takes nothing of the node's disk.
    pub fn add_in_memory(&mut self, tree: Tree) -> VolumeId {
        self.insert(tree, Kind::Memory)
    }

    fn insert(&mut self, tree: Tree, kind: Kind) -> VolumeId {
        self.last += 1;
        let id = VolumeId(self.last);
        self.table.insert(id, Volume { tree, version: 1, kind, counted: Stored::default() });
        self.count_again(id);
        id
    }

    /// Whether what is written to a volume takes of the node's disk.
    pub fn is_on_disk(&self, id: VolumeId) -> bool {
        match self.table.get(&id).map(|volume| &volume.kind) {
            Some(Kind::Own) => true,
            Some(Kind::Part { whole, .. }) => {
                self.table.get(whole).is_some_and(|whole| matches!(whole.kind, Kind::Own))
            }
            _ => false,
        }
    }

    // ---- the node's own files ----

    /// What the node has at a path.
    pub fn host_stat(&mut self, path: &str) -> Option<Stat> {
        self.host_files().stat(path).ok()
    }

    /// Makes a directory of the node, with those above it.
    pub fn make_host_directory(&mut self, path: &str, mode: u16) -> Result<(), String> {
        self.change_host(|fs| {
            fs.mkdir_all(path)?;
            fs.chmod(path, mode)
        })
        .map_err(|error| format!("mkdir {path}: {}", error.to_string().to_lowercase()))
    }

    /// Makes an empty file of the node.
    pub fn make_host_file(&mut self, path: &str) -> Result<(), String> {
        self.change_host(|fs| {
            fs.touch(path)?;
            fs.chmod(path, 0o644)
        })
        .map_err(|error| format!("open {path}: {}", error.to_string().to_lowercase()))
    }

    /// A directory of the node as a volume, or the directory that holds the file there and the
    /// file's name.
    pub fn host_path(&mut self, path: &str) -> Option<(VolumeId, String)> {
        let real = self.host_files().real_path(path).ok()?;
        if self.host_stat(&real)?.is_dir() {
            return Some((self.part(HOST, real.trim_matches('/'))?, String::new()));
        }
        let (folder, name) = real.rsplit_once('/')?;
        Some((self.part(HOST, folder.trim_matches('/'))?, name.to_owned()))
    }

    /// A copy of the node's own files, to look into.
    pub fn host_files(&self) -> Vfs {
        let tree = self.table.get(&HOST).map(|host| host.tree.clone());
        Vfs::from(tree.unwrap_or_default())
    }

    /// A number that grows with every change of the node's own files.
    pub fn host_version(&self) -> u64 {
        self.table.get(&HOST).map_or(0, |host| host.version)
    }

    /// What every machine has is not there before somebody wants to see it.
    pub fn defer_own_files(&mut self) {
        self.own_files = OwnFiles::Deferred;
    }

    /// Whether somebody waits for what every machine has.
    pub fn want_own_files(&self) -> bool {
        self.own_files == OwnFiles::Wanted
    }

    /// What every machine has is there now.
    pub fn own_files_are_laid(&mut self) {
        self.own_files = OwnFiles::Laid;
    }

    /// Whether a path leads to something that is there only once it is wanted, which it is from now
    /// on.
    pub fn lacks(&mut self, path: &str) -> bool {
        let path = naru_shell::normalize("/", path);
        let path = path.trim_matches('/');
        let touches = |laid: &&str| {
            let laid = laid.trim_matches('/');
            lies_in(path, laid) || lies_in(laid, path)
        };
        let lacks = self.own_files != OwnFiles::Laid && LAID.iter().any(touches);
        if lacks {
            self.own_files = OwnFiles::Wanted;
        }
        lacks
    }

    /// The same of a volume.
    pub fn is_lacking(&mut self, id: VolumeId) -> bool {
        if self.own_files == OwnFiles::Laid {
            return false;
        }
        if id == HOST {
            return self.lacks("/");
        }
        let part = self.parts.iter().find(|((whole, _), part)| *whole == HOST && **part == id);
        let path = part.map(|((_, path), _)| path.clone());
        path.is_some_and(|path| self.lacks(&path))
    }

    /// Whether a pod has mounted this directory of the node, one in it, or one that it is in.
    pub fn shows_host(&self, path: &str) -> bool {
        let path = path.trim_matches('/');
        self.root_is_shown
            || self
                .parts
                .keys()
                .any(|(whole, part)| *whole == HOST && (lies_in(part, path) || lies_in(path, part)))
    }

    /// Gives a machine whose root they are the newest of the node's own files.
    pub fn lend_root(&mut self, fs: &mut Vfs, seen: &mut u64) {
        if let Some(host) = self.table.get(&HOST)
            && host.version != *seen
        {
            fs.replace_root(host.tree.clone());
            *seen = host.version;
        }
    }

    /// Takes over what a machine has made of them.
    pub fn take_back_root(&mut self, fs: &Vfs, seen: &mut u64) {
        let Some(host) = self.table.get_mut(&HOST) else { return };
        if fs.root().changes() != host.tree.changes() {
            host.tree = fs.root().clone();
            host.tree.forget_opens();
            host.version += 1;
            *seen = host.version;
            self.count_again(HOST);
        }
    }

    /// Changes the node's own files as root.
    pub fn change_host<T, E>(
        &mut self,
        change: impl FnOnce(&mut Vfs) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut fs = self.host_files();
        let result = change(&mut fs)?;
        self.set_tree(HOST, fs.into_tree());
        Ok(result)
    }

    // ---- disks ----

    /// A disk as a volume of this node.
    pub fn disk(&mut self, id: &DiskId, disks: &Disks) -> Option<VolumeId> {
        if let Some(volume) = self.disks.get(id) {
            return Some(*volume);
        }
        let (tree, seen) = disks.get(id)?;
        let kind = Kind::Disk { id: id.clone(), seen, written: 1 };
        let volume = self.insert(tree.clone(), kind);
        self.disks.insert(id.clone(), volume);
        Some(volume)
    }

    /// Takes over what others have written to disks that are mounted here.
    pub fn fetch(&mut self, disks: &Disks) {
        for volume in self.disks.values() {
            let Some(Volume { tree, version, kind, .. }) = self.table.get_mut(volume) else {
                continue;
            };
            let Kind::Disk { id, seen, written } = kind else { continue };
            if let Some((newest, state)) = disks.get(id)
                && state != *seen
            {
                *tree = newest.clone();
                *version += 1;
                (*seen, *written) = (state, *version);
            }
        }
    }

    /// Writes to disks what was changed here.
    pub fn store(&mut self, disks: &mut Disks) {
        for volume in self.disks.values() {
            let Some(Volume { tree, version, kind, .. }) = self.table.get_mut(volume) else {
                continue;
            };
            let Kind::Disk { id, seen, written } = kind else { continue };
            if written != version
                && let Some(state) = disks.write(id, tree.clone())
            {
                (*seen, *written) = (state, *version);
            }
        }
    }

    // ---- volumes for one pod alone ----

    /// Lets the pod have a persistent volume, unless another has it.
    pub fn take_exclusively(&mut self, name: &str, pod_uid: &str) -> bool {
        let holder = self.exclusive.entry(name.to_owned()).or_insert_with(|| pod_uid.to_owned());
        holder == pod_uid
    }

    /// The pod does not use the persistent volume any more.
    pub fn give_back(&mut self, name: &str, pod_uid: &str) {
        if self.exclusive.get(name).is_some_and(|holder| holder == pod_uid) {
            self.exclusive.remove(name);
        }
    }

    // ---- any volume ----

    /// The files of a volume.
    pub fn tree(&self, id: VolumeId) -> Option<&Tree> {
        self.table.get(&id).map(|volume| &volume.tree)
    }

    /// The files of a volume, after what has happened to that of which it is a part.
    pub fn newest(&mut self, id: VolumeId) -> Option<Tree> {
        self.ask_whole(id);
        self.tree(id).cloned()
    }

    /// Exchanges the files of a volume.
    pub fn set_tree(&mut self, id: VolumeId, tree: Tree) {
        if let Some(volume) = self.table.get_mut(&id) {
            volume.tree = tree;
            volume.version += 1;
            self.count_again(id);
            self.tell_whole(id);
        }
    }

    /// Removes a volume with all that is in it. What is on a disk, or a part of something else,
    /// stays there.
    pub fn remove(&mut self, id: VolumeId) {
        if id == HOST {
            return;
        }
        if let Some(gone) = self.table.remove(&id) {
            self.stored = self.stored.less(gone.counted);
        }
        self.disks.retain(|_, volume| *volume != id);
        let parts: Vec<VolumeId> = self
            .parts
            .iter()
            .filter(|((whole, _), _)| *whole == id)
            .map(|(_, part)| *part)
            .collect();
        self.parts.retain(|(whole, _), part| *whole != id && *part != id);
        for part in parts {
            self.table.remove(&part);
        }
    }

    /// The volume that a directory within a volume is when it is mounted by itself; made if it is
    /// not there.
    pub fn part(&mut self, id: VolumeId, sub_path: &str) -> Option<VolumeId> {
        let sub_path = sub_path.trim_matches('/');
        if sub_path.is_empty() {
            self.root_is_shown |= id == HOST;
            return Some(id);
        }
        let (whole, path) = match &self.table.get(&id)?.kind {
            Kind::Part { whole, path, .. } => {
                (*whole, join(&format!("/{path}"), sub_path).trim_matches('/').to_owned())
            }
            _ => (id, sub_path.to_owned()),
        };
        let key = (whole, path.clone());
        if let Some(part) = self.parts.get(&key) {
            return Some(*part);
        }
        let volume = self.table.get_mut(&whole)?;
        let mut fs = Vfs::from(volume.tree.clone());
        let from = format!("/{path}");
        if !fs.is_dir(&from) {
            fs.mkdir_all(&from).ok()?;
            if whole != HOST {
                fs.chmod(&from, root_mode(&fs)).ok()?;
            }
            volume.tree = fs.clone().into_tree();
            volume.version += 1;
        }
        let (seen, empty) = (volume.version, volume.tree.empty_like());
        self.count_again(whole);
        let mut tree = Vfs::from(empty);
        follow(&fs, &from, &mut tree, "/");
        let part = self.insert(tree.into_tree(), Kind::Part { whole, path, seen });
        self.parts.insert(key, part);
        Some(part)
    }

    /// Where in one volume another is that is a part of it.
    pub fn place_in(&self, whole: VolumeId, part: VolumeId) -> Option<String> {
        let of = |id: VolumeId| match &self.table.get(&id)?.kind {
            Kind::Part { whole, path, .. } => Some((*whole, path.clone())),
            _ => Some((id, String::new())),
        };
        let ((root, outer), (other, inner)) = (of(whole)?, of(part)?);
        if whole == part || root != other || !lies_in(&inner, &outer) {
            return None;
        }
        inner.get(outer.len()..).map(|rest| rest.trim_matches('/').to_owned())
    }

    /// Where among the node's own files a volume is that is a part of them.
    pub fn place_on_host(&self, id: VolumeId) -> Option<String> {
        Some(join("/", &self.place_in(HOST, id)?))
    }

    /// A copy of a directory within a volume, which does not follow it; an empty one if it is not
    /// there, since the kubelet makes what a `subPath` names.
    pub fn copy(&mut self, id: VolumeId, path: &str) -> VolumeId {
        let fs = Vfs::from(self.tree(id).cloned().unwrap_or_default());
        let from = format!("/{path}");
        let mut copy = Vfs::from(Tree::new());
        if fs.is_dir(&from) {
            follow(&fs, &from, &mut copy, "/");
        } else {
            let _ = copy.chmod("/", root_mode(&fs));
        }
        self.add(copy.into_tree())
    }

    /// Whether a volume has this directory.
    pub fn has_directory(&self, id: VolumeId, path: &str) -> bool {
        self.tree(id).is_some_and(|tree| Vfs::from(tree.clone()).is_dir(&format!("/{path}")))
    }

    /// One file of a volume, and what is known of it.
    pub fn file(&mut self, id: VolumeId, path: &str) -> Option<(Vec<u8>, Stat)> {
        self.ask_whole(id);
        let fs = Vfs::from(self.tree(id)?.clone());
        let path = format!("/{path}");
        let stat = fs.stat(&path).ok().filter(|stat| !stat.is_dir())?;
        fs.read(&path).ok().map(|bytes| (bytes.to_vec(), stat))
    }

    /// What a file of a volume is if it is no regular one.
    pub fn device(&self, id: VolumeId, path: &str) -> Option<Device> {
        Vfs::from(self.tree(id)?.clone()).device(&format!("/{path}"))
    }

    /// A number that grows whenever what is on a volume changes, or could have.
    pub(super) fn state(&self, id: VolumeId) -> u64 {
        let Some(volume) = self.table.get(&id) else { return 0 };
        let whole = match &volume.kind {
            Kind::Part { whole, .. } => self.table.get(whole).map_or(0, |whole| whole.version),
            _ => 0,
        };
        volume.version + whole
    }

    /// Gives a kernel's files the newest tree of a volume, unless they have it already.
    pub(super) fn lend(&mut self, fs: &mut Vfs, path: &str, id: VolumeId, seen: &mut u64) {
        self.ask_whole(id);
        if let Some(volume) = self.table.get(&id)
            && volume.version != *seen
        {
            fs.replace_mounted(path, volume.tree.clone());
            *seen = volume.version;
        }
    }

    /// Takes over what a kernel has made of a volume, if it has changed it.
    pub(super) fn take_back(&mut self, fs: &Vfs, path: &str, id: VolumeId, seen: &mut u64) {
        let (Some(volume), Some(tree)) = (self.table.get_mut(&id), fs.mounted(path)) else {
            return;
        };
        if tree.changes() == volume.tree.changes() {
            return;
        }
        volume.tree = tree.clone();
        volume.tree.forget_opens();
        volume.version += 1;
        *seen = volume.version;
        self.count_again(id);
        self.tell_whole(id);
    }

    // ---- parts and wholes ----

    /// Lets a part follow what has happened to its whole.
    fn ask_whole(&mut self, id: VolumeId) {
        let Some(Volume { tree, kind: Kind::Part { whole, path, seen }, .. }) = self.table.get(&id)
        else {
            return;
        };
        let Some(whole) = self.table.get(whole).filter(|whole| whole.version != *seen) else {
            return;
        };
        let mut mine = Vfs::from(tree.clone());
        follow(&Vfs::from(whole.tree.clone()), &format!("/{path}"), &mut mine, "/");
        let (newest, state) = (mine.into_tree(), whole.version);
        if let Some(Volume { tree, version, kind: Kind::Part { seen, .. }, .. }) =
            self.table.get_mut(&id)
        {
            *version += u64::from(newest.changes() != tree.changes());
            *tree = newest;
            *seen = state;
        }
    }

    /// Lets a whole follow one of its parts. Other parts that lie elsewhere need not look.
    fn tell_whole(&mut self, id: VolumeId) {
        let Some(Volume { tree, kind: Kind::Part { whole, path, .. }, .. }) = self.table.get(&id)
        else {
            return;
        };
        let (whole_id, path) = (*whole, path.clone());
        let part = Vfs::from(tree.clone());
        let Some(whole) = self.table.get_mut(&whole_id) else { return };
        let mut all = Vfs::from(whole.tree.clone());
        follow(&part, "/", &mut all, &format!("/{path}"));
        whole.tree = all.into_tree();
        let before = whole.version;
        whole.version += 1;
        let state = whole.version;
        self.count_again(whole_id);
        let parts = self.parts.iter().filter(|((whole, _), _)| *whole == whole_id);
        for ((_, other), part) in parts {
            let elsewhere = *part == id || !(lies_in(other, &path) || lies_in(&path, other));
            if let Some(Volume { kind: Kind::Part { seen, .. }, .. }) = self.table.get_mut(part)
                && elsewhere
                && (*seen == before || *part == id)
            {
                *seen = state;
            }
        }
    }
}

/// A machine's own directories fit into an empty tree.
fn put_own_directories(fs: &mut Vfs) {
    for directory in HOST_DIRECTORIES {
        let _ = fs.mkdir_all(directory);
    }
    let _ = fs.symlink("/run", "/var/run");
    let _ = fs.make_device(CONTAINERD, Device::Socket, 0o660);
    super::rootfs::put_devices(fs);
}

/// The mode of a directory that the kubelet makes for a `subPath`: the volume's.
///
/// Upstream: `SafeMakeDir` in `pkg/volume/util/subpath/subpath_linux.go`.
fn root_mode(fs: &Vfs) -> u16 {
    fs.stat("/").map_or(0o755, |stat| stat.mode & 0o777)
}

/// Whether a path is within a directory, or the directory itself.
fn lies_in(path: &str, directory: &str) -> bool {
    directory.is_empty()
        || path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Makes the directory `at` what the directory `path` is, and changes no more than needed; what
/// does not fit is left out.
fn follow(from: &Vfs, path: &str, to: &mut Vfs, at: &str) {
    let Ok(source) = from.stat(path) else {
        // A directory that was removed is empty to who still has it.
        for old in to.list(at).unwrap_or_default() {
            let _ = to.remove_all(&join(at, &old.name));
        }
        return;
    };
    if !to.is_dir(at) {
        let _ = to.mkdir_all(at);
    }
    let entries = from.list(path).unwrap_or_default();
    for old in to.list(at).unwrap_or_default() {
        let same =
            |new: &naru_shell::DirEntry| new.name == old.name && new.stat.kind == old.stat.kind;
        if !entries.iter().any(same) {
            let _ = to.remove_all(&join(at, &old.name));
        }
    }
    for entry in entries {
        let (source, target) = (join(path, &entry.name), join(at, &entry.name));
        match entry.stat.kind {
            FileType::Directory => follow(from, &source, to, &target),
            FileType::Symlink => follow_link(from, &source, to, &target),
            FileType::File => follow_file(from, &source, to, &target, &entry.stat),
            FileType::Device | FileType::BlockDevice | FileType::Socket => {
                follow_device(from, &source, to, &target);
            }
        }
    }
    follow_mode(&source, to, at);
}

fn follow_link(from: &Vfs, source: &str, to: &mut Vfs, target: &str) {
    let Ok(link) = from.read_link(source) else { return };
    if to.read_link(target).as_ref() != Ok(&link) {
        let _ = to.remove(target);
        let _ = to.symlink(&link, target);
    }
}

fn follow_device(from: &Vfs, source: &str, to: &mut Vfs, target: &str) {
    let (Some(device), Ok(stat)) = (from.device(source), from.lstat(source)) else { return };
    if to.device(target) != Some(device) {
        let _ = to.remove(target);
        let _ = to.make_device(target, device, stat.mode);
    }
    follow_mode(&stat, to, target);
}

fn follow_file(from: &Vfs, source: &str, to: &mut Vfs, target: &str, stat: &Stat) {
    if let Some(program) = from.program(source) {
        if to.program(target).as_ref() != Some(&program) {
            let _ = to.install(target, &program);
        }
        return follow_mode(stat, to, target);
    }
    if !to.holds_same(target, from, source) {
        to.act_as(0, stat.mtime);
        let _ = to.take_over(target, from, source);
    }
    follow_mode(stat, to, target);
}

fn follow_mode(stat: &Stat, to: &mut Vfs, target: &str) {
    let Ok(now) = to.stat(target) else { return };
    if now.mode != stat.mode {
        let _ = to.chmod(target, stat.mode);
    }
    if (now.uid, now.gid) != (stat.uid, stat.gid) {
        let _ = to.chown(target, stat.uid, stat.gid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(fs: &mut Vfs, path: &str, text: &str) {
        fs.mkdir_all("/mnt").unwrap();
        fs.write(path, text.as_bytes()).unwrap();
    }

    fn text(volumes: &mut Volumes, id: VolumeId, path: &str) -> Option<Vec<u8>> {
        volumes.file(id, path).map(|(bytes, _)| bytes)
    }

    fn machine() -> Vfs {
        let mut fs = Vfs::new();
        fs.mkdir_all("/mnt").unwrap();
        fs.mount("/mnt", Tree::new(), false).unwrap();
        fs
    }

    #[test]
    fn what_one_writes_the_other_reads() {
        let mut volumes = Volumes::default();
        let id = volumes.add(Tree::new());
        let (mut one, mut two) = (machine(), machine());
        let (mut seen_one, mut seen_two) = (0, 0);
        volumes.lend(&mut one, "/mnt", id, &mut seen_one);
        written(&mut one, "/mnt/a", "hi");
        volumes.take_back(&one, "/mnt", id, &mut seen_one);
        volumes.lend(&mut two, "/mnt", id, &mut seen_two);
        assert_eq!(two.read_text("/mnt/a").unwrap(), "hi");
    }

    #[test]
    fn a_part_and_its_whole_follow_each_other() {
        let mut volumes = Volumes::default();
        let mut fs = Vfs::from(Tree::new());
        fs.mkdir_all("/a/b").unwrap();
        fs.write("/a/b/c", b"x").unwrap();
        let id = volumes.add(fs.into_tree());
        let part = volumes.part(id, "a").unwrap();
        assert_eq!(volumes.part(id, "a"), Some(part));
        assert_eq!(volumes.part(part, "b"), volumes.part(id, "a/b"));
        assert_eq!(text(&mut volumes, part, "b/c"), Some(b"x".to_vec()));
        assert_eq!(text(&mut volumes, id, "a/b"), None);

        let (mut kernel, mut seen) = (machine(), 0);
        volumes.lend(&mut kernel, "/mnt", part, &mut seen);
        kernel.write("/mnt/new", b"y").unwrap();
        kernel.remove_all("/mnt/b").unwrap();
        volumes.take_back(&kernel, "/mnt", part, &mut seen);
        assert_eq!(text(&mut volumes, id, "a/new"), Some(b"y".to_vec()));
        let inner = volumes.part(id, "a/b").unwrap();
        assert_eq!(text(&mut volumes, inner, "c"), None);

        let mut whole = Vfs::from(volumes.tree(id).unwrap().clone());
        whole.write("/a/new", b"z").unwrap();
        volumes.set_tree(id, whole.into_tree());
        assert_eq!(text(&mut volumes, part, "new"), Some(b"z".to_vec()));
        volumes.remove(id);
        assert!(volumes.tree(part).is_none());
    }

    #[test]
    fn the_node_has_paths_within_paths() {
        let mut volumes = Volumes::default();
        volumes.make_host_directory("/data/inner", 0o755).unwrap();
        let (outer, _) = volumes.host_path("/data").unwrap();
        let (inner, _) = volumes.host_path("/data/inner/").unwrap();
        let (mut kernel, mut seen) = (machine(), 0);
        volumes.lend(&mut kernel, "/mnt", inner, &mut seen);
        kernel.write("/mnt/f", b"1").unwrap();
        volumes.take_back(&kernel, "/mnt", inner, &mut seen);
        assert_eq!(text(&mut volumes, outer, "inner/f"), Some(b"1".to_vec()));
        assert_eq!(volumes.host_path("/nothing"), None);
    }

    #[test]
    fn what_is_on_the_disk_is_counted_once() {
        let mut volumes = Volumes::default();
        let before = volumes.stored();
        let own = volumes.add(Tree::new());
        let memory = volumes.add_in_memory(Tree::new());
        let (part, _) = {
            volumes.make_host_directory("/data", 0o755).unwrap();
            volumes.host_path("/data").unwrap()
        };
        let on_disk = [own, memory, part].map(|id| volumes.is_on_disk(id));
        assert_eq!(on_disk, [true, false, true]);
        for id in [own, memory, part] {
            let (mut kernel, mut seen) = (machine(), 0);
            volumes.lend(&mut kernel, "/mnt", id, &mut seen);
            kernel.write("/mnt/f", b"12345").unwrap();
            volumes.take_back(&kernel, "/mnt", id, &mut seen);
        }
        assert_eq!(volumes.stored().bytes, before.bytes + 10, "the host's and the pod's own");
        volumes.remove(own);
        assert_eq!(volumes.stored().bytes, before.bytes + 5);
    }

    #[test]
    fn two_nodes_share_a_disk() {
        let (mut disks, id) = (Disks::default(), DiskId::new("nfs", "/srv"));
        disks.make(&id, 1 << 20).unwrap();
        let (mut one, mut two) = (Volumes::default(), Volumes::default());
        let (a, b) = (one.disk(&id, &disks).unwrap(), two.disk(&id, &disks).unwrap());
        let (mut kernel, mut seen) = (machine(), 0);
        one.lend(&mut kernel, "/mnt", a, &mut seen);
        kernel.write("/mnt/f", b"1").unwrap();
        one.take_back(&kernel, "/mnt", a, &mut seen);
        one.store(&mut disks);
        two.fetch(&disks);
        assert_eq!(text(&mut two, b, "f"), Some(b"1".to_vec()));
    }
}
