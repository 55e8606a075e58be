//! Files that are exchanged all at once.
//!
//! Upstream: `pkg/volume/util/atomic_writer.go`.

use naru_api::time::micro_time;
use naru_shell::{Errno, Tree, Vfs};
use naru_sim::Time;
use std::collections::{BTreeMap, BTreeSet};

/// The default mode of files made from objects.
const DEFAULT_MODE: i32 = 0o644;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its contents.
    pub bytes: Vec<u8>,
    /// Its permission bits.
    pub mode: u16,
}

/// Files by their paths within the volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The files.
    pub files: BTreeMap<String, File>,
    /// The mode of files that do not say theirs.
    pub default_mode: i32,
}

impl Payload {
    /// No files.
    pub fn new(default_mode: Option<i32>) -> Self {
        let default_mode = default_mode.unwrap_or(DEFAULT_MODE);
        Payload { files: BTreeMap::new(), default_mode }
    }

    /// The files in a directory named by the time, `..data` pointing at it, and each name in the
    /// volume pointing through that: one changed link exchanges them all.
    pub fn write(&self, now: Time) -> Tree {
        let mut fs = Vfs::from(Tree::new());
        fs.act_as(0, now);
        // Too much for a tree: the volume holds what fits, as a full disk does.
        let _ = self.write_to(&mut fs, now);
        fs.into_tree()
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
            fs.write(&real, &file.bytes)?;
            fs.chmod(&real, file.mode)?;
            names.insert(path.split('/').next().unwrap_or(path));
        }
        fs.symlink(&stamp, "/..data")?;
        for name in names {
            fs.symlink(&format!("..data/{name}"), &format!("/{name}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_link_leads_to_all_files() {
        let mut payload = Payload::new(None);
        let file = |text: &str| File { bytes: text.as_bytes().to_vec(), mode: 0o640 };
        payload.files.insert("a".to_owned(), file("1"));
        payload.files.insert("d/b".to_owned(), file("2"));
        let fs = Vfs::from(payload.write(Time::ZERO));
        assert_eq!(fs.read_text("/a").unwrap(), "1");
        assert_eq!(fs.read_text("/d/b").unwrap(), "2");
        assert_eq!(fs.stat("/a").unwrap().mode, 0o640);
        assert_eq!(fs.read_link("/..data").unwrap(), "..2025_06_02_00_00_00.000000000");
        assert_eq!(fs.read_link("/d").unwrap(), "..data/d");
    }
}
