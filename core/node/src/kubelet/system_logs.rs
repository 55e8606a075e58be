//! `/logs/`: the node's `/var/log` as a file server shows it, and `/containerLogs/`.
//!
//! Upstream: `ServeLogs` in `pkg/kubelet/kubelet.go`, `getContainerLogs` in
//! `pkg/kubelet/server/server.go`, `dirList` in Go's `net/http/fs.go`; the files' names are those of
//! `pkg/kubelet/kuberuntime/helpers.go`, their format is that of the CRI.

use super::Kubelet;
use super::pod_workers::PodWorker;
use crate::runtime::{Container, LogLine, Output, Runtime};
use naru_api::http::{Head, HttpRequest, HttpResponse};
use naru_api::time::micro_time;
use std::collections::BTreeSet;

/// The path, with what stands in the files of containers.
pub(super) fn answer(kubelet: &Kubelet, runtime: &Runtime, path: &str) -> HttpResponse {
    let below = path.strip_prefix("/logs/").unwrap_or_default();
    let files = files(kubelet, runtime);
    if let Some((_, container)) = files.iter().find(|(file, _)| file == below) {
        let lines = container.log.from(0).map(in_cri_format).collect::<Vec<_>>().concat();
        return HttpResponse::new(200, "text/plain; charset=utf-8", lines);
    }
    let paths = files.iter().map(|(file, _)| file.as_str()).chain(["containers/", "pods/"]);
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

/// The log of each container's present run, under both of its names.
pub(super) fn files<'a>(
    kubelet: &'a Kubelet,
    runtime: &'a Runtime,
) -> Vec<(String, &'a Container)> {
    let mut files = Vec::new();
    for worker in kubelet.workers() {
        let PodWorker { object, containers, .. } = worker;
        let (namespace, pod, uid) = (object.namespace(), object.name(), object.uid());
        for record in containers {
            let Some(container) = record.id.and_then(|id| runtime.container(id)) else { continue };
            let (name, restarts, hex) = (&record.name, record.restarts, &container.hex);
            files.push((format!("pods/{namespace}_{pod}_{uid}/{name}/{restarts}.log"), container));
            files.push((format!("containers/{pod}_{namespace}_{name}-{hex}.log"), container));
        }
    }
    files
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
    let lines = log.into_iter().flat_map(|log| log.from(tail.map_or(0, |count| log.tail(count))));
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
