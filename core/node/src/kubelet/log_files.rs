//! The logs of containers as files of the node, for those who look at `/var/log`.
//!
//! Upstream: `BuildPodLogsDirectory` and `LegacyLogSymlink` in
//! `pkg/kubelet/kuberuntime/helpers.go`.

use super::Kubelet;
use super::system_logs::{files, in_cri_format};
use crate::runtime::{LogLine, Runtime};
use std::collections::BTreeMap;

/// Where they lie.
pub const FOLDER: &str = "/var/log";
/// Bytes of one file: of a longer log its end.
const FILE_BYTES_MAX: usize = 256 << 10;

/// What was laid down, by the files' paths below the folder, with the number of the line that comes
/// next in each.
#[derive(Clone, Debug, Default)]
pub struct LogFiles {
    laid: BTreeMap<String, u64>,
}

impl LogFiles {
    /// Lets the files be what the containers have written, and takes away those of pods that are gone.
    pub fn lay(&mut self, kubelet: &Kubelet, runtime: &mut Runtime) {
        let mut changed = Vec::new();
        let mut now = BTreeMap::new();
        for (path, container) in files(kubelet, runtime) {
            let end = container.log.end();
            if self.laid.get(&path) != Some(&end) {
                let content = match path.strip_prefix("containers/") {
                    Some(_) => Content::Link,
                    None => Content::Text(text(container.log.from(0))),
                };
                changed.push((path.clone(), content));
            }
            now.insert(path, end);
        }
        let gone: Vec<String> =
            self.laid.keys().filter(|path| !now.contains_key(*path)).cloned().collect();
        self.laid = now;
        if changed.is_empty() && gone.is_empty() {
            return;
        }
        // What the tree cannot hold is left out.
        let _ = runtime.volumes.change_host(|fs| -> Result<(), naru_shell::Errno> {
            let mut target = String::new();
            for (path, content) in &changed {
                let file = format!("{FOLDER}/{path}");
                match content {
                    Content::Text(bytes) => {
                        let folder = file.rsplit_once('/').map_or("/", |(folder, _)| folder);
                        fs.mkdir_all(folder)?;
                        fs.write(&file, bytes)?;
                        target.clone_from(&file);
                    }
                    // It comes after the file that it leads to.
                    Content::Link if fs.lstat(&file).is_err() => fs.symlink(&target, &file)?,
                    Content::Link => {}
                }
            }
            for path in &gone {
                let file = format!("{FOLDER}/{path}");
                let _ = fs.remove(&file);
                // Its container's folder and its pod's, once they are empty.
                let mut folder = file.as_str();
                for _ in 0..2 {
                    folder = folder.rsplit_once('/').map_or("/", |(above, _)| above);
                    if path.starts_with("pods/") {
                        let _ = fs.remove(folder);
                    }
                }
            }
            Ok(())
        });
    }
}

enum Content {
    Text(Vec<u8>),
    Link,
}

fn text<'a>(lines: impl DoubleEndedIterator<Item = &'a LogLine>) -> Vec<u8> {
    let mut newest: Vec<Vec<u8>> = Vec::new();
    let mut bytes = 0;
    for line in lines.rev().map(in_cri_format) {
        bytes += line.len();
        if bytes > FILE_BYTES_MAX {
            break;
        }
        newest.push(line);
    }
    newest.reverse();
    newest.concat()
}
