//! Files that are exchanged all at once.
//!
//! Upstream: `pkg/volume/util/atomic_writer.go`.

use super::{ownership, token};
use naru_api::Object;
use naru_api::time::micro_time;
use naru_shell::{Errno, Tree, TreeSource, Vfs};
use naru_sim::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The default mode of files made from objects.
const DEFAULT_MODE: i32 = 0o644;

/// What is in a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The token of this TokenRequest.
    Token(Object),
}

/// One file.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// Its contents.
    pub data: Data,
    /// Its permission bits.
    pub mode: u16,
    /// Whose it is.
    pub uid: u32,
}

/// Files by their paths within the volume.
#[derive(Clone, Debug, PartialEq)]
pub struct Payload {
    /// The files.
    pub files: BTreeMap<String, File>,
    /// The mode of files that do not say theirs.
    pub default_mode: i32,
    /// The pod's `fsGroup`.
    pub group: Option<u32>,
}

impl Payload {
    /// No files.
    pub fn new(default_mode: Option<i32>, group: Option<u32>) -> Self {
        let default_mode = default_mode.unwrap_or(DEFAULT_MODE);
        Payload { files: BTreeMap::new(), default_mode, group }
    }

    /// The files in a directory named by the time, `..data` pointing at it, and each name in the
    /// volume pointing through that: one changed link exchanges them all. They are written when
    /// somebody looks: most pods never read the token that is mounted into them.
    pub fn write(self: &Arc<Self>, now: Time) -> Tree {
        Tree::lazy(Arc::new(Written { payload: Arc::clone(self), at: now }))
    }

    fn write_to(&self, fs: &mut Vfs, now: Time) -> Result<(), Errno> {
        let stamp = micro_time(now).0.strftime("..%Y_%m_%d_%H_%M_%S.%9f").to_string();
        fs.mkdir(&format!("/{stamp}"))?;
        let mut names = BTreeSet::new();
        for (path, file) in &self.files {
            let real = format!("/{stamp}/{path}");
            if let Some((parent, _)) = real.rsplit_once('/') {
                fs.mkdir_all(parent)?;
            }
            match &file.data {
                Data::Bytes(bytes) => fs.write(&real, bytes)?,
                Data::Token(granted) => fs.write(&real, token::text(granted).as_bytes())?,
            }
            fs.chmod(&real, file.mode)?;
            fs.chown(&real, file.uid, 0)?;
            names.insert(path.split('/').next().unwrap_or(path));
        }
        fs.symlink(&stamp, "/..data")?;
        for name in names {
            fs.symlink(&format!("..data/{name}"), &format!("/{name}"))?;
        }
        // The directory is an emptyDir, whose own group may write it.
        fs.chmod("/", 0o777)?;
        if let Some(gid) = self.group {
            ownership::give_to_group(fs, gid, true);
        }
        Ok(())
    }
}

/// Files as they were written at a moment.
#[derive(Debug)]
struct Written {
    payload: Arc<Payload>,
    at: Time,
}

impl TreeSource for Written {
    fn unpack(&self) -> Tree {
        let mut fs = Vfs::from(Tree::new());
        fs.act_as(0, self.at);
        // Too much for a tree: the volume holds what fits, as a full disk does.
        let _ = self.payload.write_to(&mut fs, self.at);
        fs.into_tree()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_link_leads_to_all_files() {
        let mut payload = Payload::new(None, Some(7));
        let data = |text: &str| Data::Bytes(text.as_bytes().to_vec());
        let file = |text: &str| File { data: data(text), mode: 0o600, uid: 1 };
        payload.files.insert("a".to_owned(), file("1"));
        payload.files.insert("d/b".to_owned(), file("2"));
        let fs = Vfs::from(Arc::new(payload).write(Time::ZERO));
        assert_eq!(fs.read_text("/a").unwrap(), "1");
        assert_eq!(fs.read_text("/d/b").unwrap(), "2");
        let owned = |path: &str| {
            let stat = fs.stat(path).unwrap();
            (stat.mode, stat.uid, stat.gid)
        };
        assert_eq!(owned("/a"), (0o640, 1, 7));
        assert_eq!(owned("/d"), (0o2755, 0, 7));
        assert_eq!(owned("/"), (0o2777, 0, 7));
        assert_eq!(fs.read_link("/..data").unwrap(), "..2025_06_02_00_00_00.000000000");
        assert_eq!(fs.read_link("/d").unwrap(), "..data/d");
    }
}
