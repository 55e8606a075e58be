//! The logs of containers as files of the node, for those who look at `/var/log`.
//!
//! Upstream: `BuildPodLogsDirectory` and `LegacyLogSymlink` in
//! `pkg/kubelet/kuberuntime/helpers.go`.

use super::Kubelet;
use super::system_logs::{LogFile, Version, files};
use crate::runtime::{Runtime, Stored};
use naru_shell::{Errno, Vfs};
use std::collections::BTreeMap;

/// Where they lie.
pub const FOLDER: &str = "/var/log";
/// Bytes of one file: of a longer log its end.
const FILE_BYTES_MAX: usize = 256 << 10;

/// What was laid down, by the files' paths below the folder.
#[derive(Clone, Debug, Default)]
pub struct LogFiles {
    laid: BTreeMap<String, Laid>,
}

/// A file that was laid down: its version, its bytes, and the link to it. One that found no room has
/// none.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Laid {
    version: Version,
    bytes: Option<u64>,
    link: String,
}

/// A file that is to be laid down.
struct New {
    path: String,
    link: String,
    bytes: Vec<u8>,
}

impl LogFiles {
    /// Lets the files be what the containers have written, and takes away those that are gone.
    pub fn lay(&mut self, kubelet: &Kubelet, runtime: &mut Runtime) {
        let files = files(kubelet, runtime);
        let wanted: BTreeMap<&str, &LogFile<'_>> =
            files.iter().map(|file| (file.path.as_str(), file)).collect();
        let is_laid = |(path, file): (&&str, &&LogFile<'_>)| {
            self.laid.get(*path).is_some_and(|laid| laid.version == file.version())
        };
        if wanted.len() == self.laid.len() && wanted.iter().all(is_laid) {
            return;
        }
        let (mut new, mut now) = (Vec::new(), BTreeMap::new());
        for (path, file) in wanted {
            let version = file.version();
            // What found no room may find some now.
            let before = self.laid.get(path).filter(|laid| laid.version == version);
            let bytes = match before.and_then(|laid| laid.bytes) {
                Some(bytes) => bytes,
                None => lay_anew(file, &mut new),
            };
            let laid = Laid { version, bytes: Some(bytes), link: file.link.clone() };
            now.insert(path.to_owned(), laid);
        }
        let gone: Vec<(String, Laid)> = std::mem::take(&mut self.laid)
            .into_iter()
            .filter(|(path, _)| !now.contains_key(path))
            .collect();
        self.laid = now;
        let changed = runtime.volumes.change_host(|fs| Ok::<_, Errno>(change(fs, &new, &gone)));
        for path in changed.unwrap_or_default() {
            if let Some(laid) = self.laid.get_mut(path) {
                laid.bytes = None;
            }
        }
        runtime.set_logs_laid(self.stored());
    }

    fn stored(&self) -> Stored {
        let bytes = self.laid.values().filter_map(|laid| laid.bytes);
        bytes.fold(Stored::default(), |sum, bytes| sum.and(Stored { bytes, files: 1 }))
    }
}

fn lay_anew(file: &LogFile<'_>, new: &mut Vec<New>) -> u64 {
    let bytes = file.bytes(FILE_BYTES_MAX);
    let size = bytes.len() as u64;
    new.push(New { path: file.path.clone(), link: file.link.clone(), bytes });
    size
}

/// Takes files away and lays others down; gives the paths of those that the tree cannot hold.
fn change<'a>(fs: &mut Vfs, new: &'a [New], gone: &[(String, Laid)]) -> Vec<&'a str> {
    for (path, laid) in gone {
        take_away(fs, path, &laid.link);
    }
    let mut left_out = Vec::new();
    for file in new {
        if lay_one(fs, file).is_err() {
            take_away(fs, &file.path, &file.link);
            left_out.push(file.path.as_str());
        }
    }
    left_out
}

fn lay_one(fs: &mut Vfs, new: &New) -> Result<(), Errno> {
    let file = format!("{FOLDER}/{}", new.path);
    fs.mkdir_all(above(&file))?;
    fs.write(&file, &new.bytes)?;
    let link = format!("{FOLDER}/{}", new.link);
    if !link.ends_with('/') && fs.lstat(&link).is_err() {
        fs.mkdir_all(above(&link))?;
        fs.symlink(&file, &link)?;
    }
    Ok(())
}

fn above(path: &str) -> &str {
    path.rsplit_once('/').map_or("/", |(folder, _)| folder)
}

fn take_away(fs: &mut Vfs, path: &str, link: &str) {
    let file = format!("{FOLDER}/{path}");
    let _ = fs.remove(&file);
    if !link.is_empty() {
        let _ = fs.remove(&format!("{FOLDER}/{link}"));
    }
    // Its container's folder and its pod's, once they are empty.
    let mut folder = file.as_str();
    for _ in 0..2 {
        folder = above(folder);
        let _ = fs.remove(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_shell::Tree;

    #[test]
    fn what_does_not_fit_takes_nothing_else_along() {
        let file = |path: &str, size: usize| New {
            path: format!("pods/{path}/0.log"),
            link: format!("{path}.log"),
            bytes: vec![b'x'; size],
        };
        let mut fs = Vfs::from(Tree::with_capacity(10));
        let new = [file("a/c", 4), file("b/c", 20), file("c/c", 5)];
        assert_eq!(change(&mut fs, &new, &[]), ["pods/b/c/0.log"]);
        for (path, size) in [("a/c", 4), ("c/c", 5)] {
            let path = format!("/var/log/pods/{path}/0.log");
            assert_eq!(fs.stat(&path).map(|stat| stat.size), Ok(size), "{path}");
        }
        assert!(!fs.exists("/var/log/pods/b") && fs.lstat("/var/log/b/c.log").is_err());

        let gone = Laid { version: (0, 4), bytes: Some(4), link: "a/c.log".to_owned() };
        let gone = [("pods/a/c/0.log".to_owned(), gone)];
        assert!(change(&mut fs, &[file("d/c", 5)], &gone).is_empty(), "who goes makes room");
        assert_eq!(fs.root().bytes_used(), 10);
    }
}
