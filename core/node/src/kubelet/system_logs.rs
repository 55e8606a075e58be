//! `/logs/`: the node's `/var/log` as a file server shows it, and `/containerLogs/`.
//!
//! Upstream: `ServeLogs` in `pkg/kubelet/kubelet.go`, `getContainerLogs` in
//! `pkg/kubelet/server/server.go`, `dirList` in Go's `net/http/fs.go`; the files' names are those of
//! `pkg/kubelet/kuberuntime/helpers.go`, their format is that of the CRI.

use super::Kubelet;
use super::pod_workers::PodWorker;
use crate::runtime::{ContainerLog, LogLine, Output, RotatedLog, Runtime};
use naru_api::http::{Head, HttpRequest, HttpResponse};
use naru_api::time::{meta_time, micro_time};
use std::collections::BTreeSet;

/// The path, with what stands in the files of containers.
pub(super) fn answer(kubelet: &Kubelet, runtime: &Runtime, path: &str) -> HttpResponse {
    let below = path.strip_prefix("/logs/").unwrap_or_default();
    let files = files(kubelet, runtime);
    if let Some(file) = files.iter().find(|file| file.path == below || file.link == below) {
        let media_type = match file.is_compressed() {
            true => "application/gzip",
            false => "text/plain; charset=utf-8",
        };
        return HttpResponse::new(200, media_type, file.bytes(usize::MAX));
    }
    let paths = files.iter().flat_map(|file| [file.path.as_str(), file.link.as_str()]);
    let paths = paths.chain(["containers/", "pods/"]);
    let names = entries(paths, below);
    if names.is_empty() {
        return HttpResponse::text(404, "404 page not found");
    }
    if !below.is_empty() && !below.ends_with('/') {
        let last = below.rsplit('/').next().unwrap_or_default();
        let head = Head { status: 301, headers: Vec::new() };
        let head = head.with("Location", format!("{last}/"));
        return HttpResponse { head, body: Vec::new() };
    }
    let mut page =
        "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n"
            .to_owned();
    for name in names {
        page.push_str(&format!("<a href=\"{name}\">{name}</a>\n"));
    }
    page.push_str("</pre>\n");
    HttpResponse::new(200, "text/html; charset=utf-8", page)
}

/// What stands in a folder: files, and folders with a slash.
fn entries<'a>(paths: impl Iterator<Item = &'a str>, folder: &str) -> BTreeSet<&'a str> {
    let folder = folder.trim_end_matches('/');
    let inside = |path: &'a str| match folder {
        "" => Some(path),
        folder => path.strip_prefix(folder)?.strip_prefix('/'),
    };
    let name = |path: &'a str| match path.find('/') {
        Some(at) => path.get(..=at),
        None => Some(path),
    };
    paths.filter_map(inside).filter_map(name).filter(|name| !name.is_empty()).collect()
}

/// What tells whether something else stands in a file than before: the numbers of its first line and
/// of the one after its last.
pub(super) type Version = (u64, u64);

/// A file of a container's log.
pub(super) struct LogFile<'a> {
    /// Where it lies below `/var/log`.
    pub path: String,
    /// Where a link to it lies; "" if there is none.
    pub link: String,
    log: &'a ContainerLog,
    /// When it was put aside, if it was.
    rotated: Option<RotatedLog>,
}

impl LogFile<'_> {
    fn is_compressed(&self) -> bool {
        self.rotated.is_some_and(|rotated| rotated.compressed)
    }

    /// Which lines stand in it.
    pub fn version(&self) -> Version {
        let (from, end) = self.rotated.map_or((self.log.begin(), self.log.end()), |it| it.lines);
        // Older ones are forgotten.
        (from.max(self.log.oldest()), end)
    }

    /// What stands in it: of more than `max` bytes the end.
    pub fn bytes(&self, max: usize) -> Vec<u8> {
        let (from, end) = self.version();
        let count = usize::try_from(end.saturating_sub(from)).unwrap_or(usize::MAX);
        let lines = self.log.from(from).take(count).collect::<Vec<&LogLine>>();
        let (mut newest, mut size) = (Vec::new(), 0_usize);
        for line in lines.into_iter().rev().map(in_cri_format) {
            size = size.saturating_add(line.len());
            if size > max {
                break;
            }
            newest.push(line);
        }
        newest.reverse();
        let text = newest.concat();
        if self.is_compressed() { gzip(&text) } else { text }
    }
}

/// The files of the logs of each container's present run and of the one before it.
///
/// Upstream: `BuildContainerLogsDirectory` and `logSymlink` in `pkg/kubelet/kuberuntime/helpers.go`,
/// `rotateLatestLog` and `compressLog` in `pkg/kubelet/logs/container_log_manager.go`.
pub(super) fn files<'a>(kubelet: &'a Kubelet, runtime: &'a Runtime) -> Vec<LogFile<'a>> {
    let mut files = Vec::new();
    for worker in kubelet.workers() {
        let PodWorker { object, containers, .. } = worker;
        let (namespace, pod, uid) = (object.namespace(), object.name(), object.uid());
        for record in containers {
            let name = &record.name;
            for (run, restarts) in
                [(record.previous, record.restarts - 1), (record.id, record.restarts)]
            {
                let Some(container) = run.and_then(|id| runtime.container(id)) else { continue };
                let (hex, log) = (&container.hex, &container.log);
                let path = format!("pods/{namespace}_{pod}_{uid}/{name}/{restarts}.log");
                files.extend(log.rotated().iter().map(|rotated| LogFile {
                    path: format!("{path}.{}", suffix(rotated)),
                    link: String::new(),
                    log,
                    rotated: Some(*rotated),
                }));
                let link = format!("containers/{pod}_{namespace}_{name}-{hex}.log");
                files.push(LogFile { path, link, log, rotated: None });
            }
        }
    }
    files
}

/// `20250602-000140`, and whether it is compressed.
fn suffix(rotated: &RotatedLog) -> String {
    let at = meta_time(rotated.at).0.strftime("%Y%m%d-%H%M%S").to_string();
    if rotated.compressed { at + ".gz" } else { at }
}

/// A file of gzip's whose blocks are stored as they are.
///
/// Upstream: RFC 1951, section 3.2.4, and RFC 1952.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 0xffff;
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let blocks = bytes.chunks(BLOCK).chain(bytes.is_empty().then_some(&[][..]));
    let last = bytes.len().div_ceil(BLOCK).saturating_sub(1);
    for (index, block) in blocks.enumerate() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        file.push(u8::from(index == last));
        file.extend(length.to_le_bytes());
        file.extend((!length).to_le_bytes());
        file.extend(block);
    }
    file.extend(crc32(bytes).to_le_bytes());
    file.extend((bytes.len() as u32).to_le_bytes());
    file
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

pub(super) fn in_cri_format(line: &LogLine) -> Vec<u8> {
    let output = match line.output {
        Output::Stdout => "stdout",
        Output::Stderr => "stderr",
    };
    let (text, tag) = match line.text.strip_suffix(b"\n") {
        Some(text) => (text, 'F'),
        None => (line.text.as_slice(), 'P'),
    };
    let head = format!("{} {output} {tag} ", micro_time(line.at).0);
    [head.as_bytes(), text, b"\n"].concat()
}

/// `/containerLogs/NAMESPACE/POD/CONTAINER`: what there is now.
pub(super) fn of_container(
    kubelet: &Kubelet,
    runtime: &Runtime,
    request: &HttpRequest,
) -> HttpResponse {
    let path: Vec<&str> = request.path.split('/').skip(2).collect();
    let [namespace, pod, name] = *path.as_slice() else {
        return HttpResponse::text(404, "404 page not found");
    };
    let Some(worker) = kubelet.worker(namespace, pod) else {
        return HttpResponse::text(404, &format!("pod \"{pod}\" does not exist"));
    };
    let Some(record) = worker.record(name) else {
        let text = format!("container \"{name}\" not found in pod \"{pod}\"");
        return HttpResponse::text(404, &text);
    };
    let value = |wanted: &str| {
        let pairs = request.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == wanted).map(|(_, value)| value).next()
    };
    let log = record.id.and_then(|id| runtime.container(id)).map(|container| &container.log);
    let tail = value("tailLines").and_then(|count| count.parse().ok());
    let times = matches!(value("timestamps"), Some("true" | "1"));
    let text = |line: &LogLine| match times {
        true => [format!("{} ", micro_time(line.at).0).as_bytes(), &line.text].concat(),
        false => line.text.clone(),
    };
    let from = |log: &ContainerLog| tail.map_or(log.begin(), |count| log.tail(count));
    let lines = log.into_iter().flat_map(|log| log.from(from(log)));
    HttpResponse::new(200, "text/plain", lines.map(text).collect::<Vec<_>>().concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_show_what_is_in_them() {
        let paths = ["pods/a_b_c/web/0.log", "pods/a_b_c/web/1.log", "containers/x.log", "pods/"];
        let table: [(&str, &[&str]); 5] = [
            ("", &["containers/", "pods/"]),
            ("pods/", &["a_b_c/"]),
            ("pods/a_b_c/web", &["0.log", "1.log"]),
            ("pod", &[]),
            ("nothing/", &[]),
        ];
        for (folder, want) in table {
            let found: Vec<&str> = entries(paths.into_iter(), folder).into_iter().collect();
            assert_eq!(found, want, "{folder}");
        }
    }

    #[test]
    fn what_is_compressed_can_be_read_by_others() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        let file = gzip(b"ready\n");
        assert_eq!(file.get(10..21), Some(&b"\x01\x06\x00\xf9\xffready\n"[..]));
        assert_eq!(file.get(file.len() - 4..), Some(&[6, 0, 0, 0][..]));
        assert_eq!(gzip(&[b'x'; 70_000]).len(), 10 + 2 * 5 + 70_000 + 8);
        assert_eq!(gzip(b"").len(), 10 + 5 + 8);
    }

    #[test]
    fn lines_are_written_as_the_runtime_writes_them() {
        let line = |text: &str| LogLine {
            at: naru_sim::Time::from_millis(1_500),
            output: Output::Stderr,
            text: text.as_bytes().to_vec(),
        };
        let written = |text: &str| String::from_utf8(in_cri_format(&line(text))).unwrap();
        assert_eq!(written("ready\n"), "2025-06-02T00:00:01.5Z stderr F ready\n");
        assert_eq!(written("half"), "2025-06-02T00:00:01.5Z stderr P half\n");
    }
}
