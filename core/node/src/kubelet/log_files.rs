//! The logs of containers as files of the node, for those who look at `/var/log`.
//!
//! Upstream: `BuildPodLogsDirectory` and `LegacyLogSymlink` in
//! `pkg/kubelet/kuberuntime/helpers.go`.

use super::Kubelet;
use super::system_logs::{LogFile, files};
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

/// A file that was laid down: its version, its bytes, and the link to it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Laid {
    version: u64,
    bytes: u64,
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
        let mut new = Vec::new();
        let mut now = BTreeMap::new();
        for file in files(kubelet, runtime) {
            let before = self.laid.get(&file.path).filter(|laid| laid.version == file.version());
            let bytes = match before {
                Some(laid) => laid.bytes,
                None => lay_anew(&file, &mut new),
            };
            let laid = Laid { version: file.version(), bytes, link: file.link };
            now.insert(file.path, laid);
        }
        let gone: Vec<(String, Laid)> = std::mem::take(&mut self.laid)
            .into_iter()
            .filter(|(path, _)| !now.contains_key(path))
            .collect();
        self.laid = now;
        if new.is_empty() && gone.is_empty() {
            return;
        }
        // What the tree cannot hold is left out.
        let _ = runtime.volumes.change_host(|fs| change(fs, &new, &gone));
        let count = u64::try_from(self.laid.len()).unwrap_or(0);
        let bytes = self.laid.values().map(|laid| laid.bytes).sum();
        runtime.set_logs_laid(Stored { bytes, files: count });
    }
}

fn lay_anew(file: &LogFile<'_>, new: &mut Vec<New>) -> u64 {
    let bytes = file.bytes(FILE_BYTES_MAX);
    let size = bytes.len() as u64;
    new.push(New { path: file.path.clone(), link: file.link.clone(), bytes });
    size
}

fn change(fs: &mut Vfs, new: &[New], gone: &[(String, Laid)]) -> Result<(), Errno> {
    for New { path, link, bytes } in new {
        let file = format!("{FOLDER}/{path}");
        fs.mkdir_all(file.rsplit_once('/').map_or("/", |(folder, _)| folder))?;
        fs.write(&file, bytes)?;
        let link = format!("{FOLDER}/{link}");
        if !link.ends_with('/') && fs.lstat(&link).is_err() {
            fs.symlink(&file, &link)?;
        }
    }
    for (path, laid) in gone {
        let file = format!("{FOLDER}/{path}");
        let _ = fs.remove(&file);
        if !laid.link.is_empty() {
            let _ = fs.remove(&format!("{FOLDER}/{}", laid.link));
        }
        // Its container's folder and its pod's, once they are empty.
        let mut folder = file.as_str();
        for _ in 0..2 {
            folder = folder.rsplit_once('/').map_or("/", |(above, _)| above);
            let _ = fs.remove(folder);
        }
    }
    Ok(())
}
