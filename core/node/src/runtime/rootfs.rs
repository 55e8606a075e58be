//! The files with which a container begins: its image's, those that are put over them, and places
//! for its volumes.
//!
//! Containers of one template differ only in what a few of the files hold. So a root directory is
//! made once, with these files empty, and copied for each of them.

use super::container::{ContainerConfig, PutFile};
use super::volumes::Mount;
use crate::Image;
use naru_shell::{Device, FileRef, Groups, Tree, Vfs};
use std::collections::VecDeque;
use std::sync::Arc;

/// Root directories that are remembered; one more forgets the one that was used longest ago.
const ROOTS_MAX: usize = 16;
/// Devices of a node, which privileged containers have.
const DEVICES: [(&str, Device); 9] = [
    ("fuse", Device::Hardware),
    ("kmsg", Device::Hardware),
    ("loop-control", Device::Hardware),
    ("loop0", Device::Disk),
    ("loop1", Device::Disk),
    ("mem", Device::Hardware),
    ("port", Device::Hardware),
    ("vda", Device::Disk),
    ("vda1", Device::Disk),
];
/// Files that say who is in which group.
const ACCOUNTS: [&str; 2] = ["/etc/passwd", "/etc/group"];

/// The roots of the latest containers that were not alike, the latest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Roots(VecDeque<Root>);

/// A root directory whose put files are empty, and what it was made from.
#[derive(Clone, Debug)]
struct Root {
    image: Arc<Image>,
    users: (Option<u32>, Option<u32>, Vec<u32>),
    devices: bool,
    mounts: Vec<Mount>,
    files: Vec<Place>,
    fs: Vfs,
}

/// A file to be filled.
#[derive(Clone, Debug)]
struct Place {
    path: String,
    mode: u16,
    owner: (u32, u32),
    device: Option<Device>,
    /// `None`: the image holds something else at the path.
    file: Option<FileRef>,
}

impl Roots {
    /// The files of a container, which takes over what is to be put into them.
    pub(super) fn of(&mut self, config: &mut ContainerConfig) -> Vfs {
        let files = std::mem::take(&mut config.files);
        let known = self.0.iter().position(|root| root.fits(config, &files));
        let root = match known.and_then(|index| self.0.remove(index)) {
            Some(root) => root,
            None => Root::new(config, &files),
        };
        let mut fs = root.filled(&files);
        if files.iter().any(|file| ACCOUNTS.contains(&file.path.as_str())) {
            fs.set_groups(groups(&fs, config));
        }
        if config.read_only_root {
            let files = files.iter().map(|file| file.path.as_str());
            fs.seal_root(&files.collect::<Vec<&str>>());
        }
        self.0.truncate(ROOTS_MAX - 1);
        self.0.push_front(root);
        fs
    }
}

impl Root {
    fn new(config: &ContainerConfig, files: &[PutFile]) -> Self {
        let mut fs = config.image.fs();
        // Where the kernel shows what it may use.
        let _ = fs.mkdir_all("/sys/fs/cgroup");
        let files = files.iter().map(|file| Place::new(file, &mut fs)).collect();
        // Filled before the first run.
        for mount in &config.mounts {
            let _ = fs.mkdir_all(&mount.path);
            let _ = fs.mount(&mount.path, Tree::new(), mount.read_only);
            if let Some(size) = mount.in_memory {
                fs.set_in_memory(&mount.path, Some(size));
            }
        }
        fs.set_groups(groups(&fs, config));
        if config.devices {
            put_devices(&mut fs);
        }
        Root {
            image: Arc::clone(&config.image),
            users: (config.uid, config.gid, config.groups.clone()),
            devices: config.devices,
            mounts: config.mounts.clone(),
            files,
            fs,
        }
    }

    /// Whether it would be made of these in the same way.
    fn fits(&self, config: &ContainerConfig, files: &[PutFile]) -> bool {
        let mount = |(a, b): (&Mount, &Mount)| {
            a.path == b.path && a.read_only == b.read_only && a.in_memory == b.in_memory
        };
        let file = |(a, b): (&Place, &PutFile)| {
            a.path == b.path && a.mode == b.mode && a.owner == b.owner && a.device == b.device
        };
        let (uid, gid, groups) = &self.users;
        Arc::ptr_eq(&self.image, &config.image)
            && (*uid, *gid, groups) == (config.uid, config.gid, &config.groups)
            && self.devices == config.devices
            && self.mounts.len() == config.mounts.len()
            && self.mounts.iter().zip(&config.mounts).all(mount)
            && self.files.len() == files.len()
            && self.files.iter().zip(files).all(file)
    }

    /// A copy whose files hold what they should.
    fn filled(&self, files: &[PutFile]) -> Vfs {
        let mut fs = self.fs.clone();
        for (place, file) in self.files.iter().zip(files) {
            if let Some(node) = place.file.filter(|_| !file.bytes.is_empty()) {
                // A file that is too large stays empty, as no bind mount of it would be.
                let _ = fs.fill(node, &file.bytes);
            }
        }
        fs
    }
}

impl Place {
    fn new(file: &PutFile, fs: &mut Vfs) -> Self {
        let PutFile { path, mode, owner, device, .. } = file;
        if let Some((parent, _)) = path.rsplit_once('/') {
            let _ = fs.mkdir_all(parent);
        }
        // An image may hold something else at the path; its container goes without the file, as a
        // bind mount over a directory fails.
        let place = fs.empty_file(path).ok();
        if place.is_some() {
            if let Some(device) = device {
                let _ = fs.remove(path);
                let _ = fs.make_device(path, *device, *mode);
            }
            let _ = fs.chmod(path, *mode);
            let _ = fs.chown(path, owner.0, owner.1);
        }
        Place { path: path.clone(), mode: *mode, owner: *owner, device: *device, file: place }
    }
}

/// Puts a node's devices into a machine's `/dev`.
pub(super) fn put_devices(fs: &mut Vfs) {
    for (name, device) in DEVICES {
        // An image may have such a file itself.
        let _ = fs.make_device(&format!("/dev/{name}"), device, 0o660);
    }
}

/// The groups of a container's processes: as asked for, or the user's as `/etc/passwd` and
/// `/etc/group` say. A user whom nobody knows is in root's.
fn groups(fs: &Vfs, config: &ContainerConfig) -> Groups {
    let uid = config.uid.unwrap_or(config.image.user).to_string();
    let passwd = fs.read_text("/etc/passwd").unwrap_or_default();
    let lines = passwd.lines().map(|line| line.split(':').collect::<Vec<&str>>());
    let user = lines.into_iter().find(|fields| fields.get(2) == Some(&uid.as_str()));
    let own = user.as_ref().and_then(|fields| fields.get(3)?.parse::<u32>().ok());
    let name = user.as_ref().and_then(|fields| fields.first().copied()).unwrap_or_default();
    let team = fs.read_text("/etc/group").unwrap_or_default();
    let member = team.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let members = fields.get(3)?;
        let is_in = !name.is_empty() && members.split(',').any(|member| member == name);
        fields.get(2)?.parse::<u32>().ok().filter(|_| is_in)
    });
    let others = config.groups.iter().copied().chain(member).collect();
    Groups { first: Some(config.gid.or(own).unwrap_or(0)), others }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageRef;
    use crate::runtime::PidNamespace;
    use naru_shell::Confinement;
    use std::collections::BTreeMap;

    fn config(files: &[(&str, &str)], uid: Option<u32>) -> ContainerConfig {
        let image = Image::find(&ImageRef::parse("busybox").unwrap()).unwrap();
        ContainerConfig {
            name: String::new(),
            image,
            image_name: String::new(),
            argv: Vec::new(),
            env: BTreeMap::new(),
            cwd: String::new(),
            uid,
            gid: None,
            groups: Vec::new(),
            cpu_limit_milli: None,
            cpu_request_milli: None,
            oom_score_adj: 0,
            memory_limit: None,
            read_only_root: false,
            pids: PidNamespace::Container,
            confinement: Confinement::default(),
            devices: false,
            tty: false,
            stdin: false,
            files: files.iter().map(|(path, text)| PutFile::plain(path, *text)).collect(),
            mounts: Vec::new(),
            termination_path: String::new(),
            sysctls: BTreeMap::new(),
            last_words_from_log: false,
        }
    }

    #[test]
    fn what_is_put_into_one_root_is_not_in_the_next() {
        let mut roots = Roots::default();
        let mut read = |files: &[(&str, &str)], uid, path: &str| {
            roots.of(&mut config(files, uid)).read_text(path).ok()
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(read(&[("/etc/hosts", "one")], None, "/etc/hosts"), text("one"));
        assert_eq!(read(&[("/etc/hosts", "")], None, "/etc/hosts"), text(""));
        assert_eq!(read(&[("/etc/hosts", "a")], Some(7), "/etc/hosts"), text("a"));
        assert_eq!(read(&[("/x/y", "deep")], None, "/x/y"), text("deep"));
        assert_eq!(read(&[("/etc/hosts", "two")], None, "/x/y"), None);
        assert_eq!(read(&[("/tmp", "a directory")], None, "/tmp"), None);
        assert_eq!(roots.0.len(), 4, "two of them were alike");
    }

    #[test]
    fn put_accounts_count() {
        let mut roots = Roots::default();
        let mut first = |passwd: &str| {
            let fs = roots.of(&mut config(&[("/etc/passwd", passwd)], Some(7)));
            fs.groups().first_of(7)
        };
        assert_eq!(first("seven:x:7:70::/:/bin/sh"), 70);
        assert_eq!(first("seven:x:7:71::/:/bin/sh"), 71);
    }
}
