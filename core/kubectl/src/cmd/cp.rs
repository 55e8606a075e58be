//! `kubectl cp`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/cp/cp.go`, `filespec.go`.

use super::exec::{refuse_completed, without_server};
use crate::child;
use crate::command::Command;
use crate::containers;
use crate::context::{Context, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::process::{Next, Outcome, Task};
use naru_api::gofmt::quote;
use naru_api::k8s_openapi::api::core::v1::Pod;
use naru_api::service::{Connect, Stream, StreamId};
use naru_shell::tar::{self, Entry, Kind};
use naru_shell::{join, normalize};

/// `kubectl cp`
pub static COMMAND: Command = Command {
    usage: "cp <file-spec-src> <file-spec-dest>",
    short: "Copy files and directories to and from containers",
    long: "Copy files and directories to and from containers.\n\n The container's image must have \
           the program 'tar', or the copy fails.",
    examples: "# A folder into a pod of the current namespace\n\
               kubectl cp /tmp/foo_dir my-pod:/tmp/bar_dir\n\n\
               # Into a certain container\nkubectl cp /tmp/foo my-pod:/tmp/bar -c app\n\n\
               # Into a pod of another namespace\nkubectl cp /tmp/foo team-a/my-pod:/tmp/bar\n\n\
               # Out of a pod\nkubectl cp team-a/my-pod:/tmp/foo /tmp/bar",
    flags: &[FLAGS],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::text("container", "", "The container; the first one, or the annotated one, without it.")
        .short("c"),
    Flag::switch("no-preserve", "Do not keep owners and permissions in the container."),
    Flag::int("retries", "0", "How often to try again; negative: for ever."),
];

/// Bytes that one copy may carry.
const BYTES_MAX: usize = 64 << 20;
/// Folders within folders.
const DEPTH_MAX: usize = 64;

/// A file here, or in a pod.
#[derive(Clone, Debug)]
struct FileSpec {
    namespace: String,
    pod: String,
    file: String,
}

fn run(cx: &mut Context<'_>) -> Outcome {
    let [source, destination] = cx.args() else {
        return Err(Failure::message("source and destination are required"));
    };
    let (source, destination) = (parse(source)?, parse(destination)?);
    if !source.pod.is_empty() && !destination.pod.is_empty() {
        return Err(Failure::message("one of src or dest must be a local file specification"));
    }
    if source.file.is_empty() || destination.file.is_empty() {
        return Err(Failure::message("filepath can not be empty"));
    }
    if !source.pod.is_empty() {
        let command = ["tar", "cf", "-", &source.file].map(str::to_owned).to_vec();
        let stream = open(cx, &source, command, false, true)?;
        return cx.start(FromPod { source, destination, stream, archive: Vec::new() });
    }
    if destination.pod.is_empty() {
        return Err(Failure::message("one of src or dest must be a remote file specification"));
    }
    let path = cx.sys.absolute(&source.file);
    if cx.sys.fs().stat(&path).is_err() {
        return Err(Failure::Message(format!("{} doesn't exist in local filesystem", source.file)));
    }
    let command = ["test", "-d", &destination.file].map(str::to_owned).to_vec();
    let stream = open(cx, &destination, command, false, false)?;
    cx.start(ToPod { source, destination, stream, sending: None })
}

/// `[[namespace/]pod:]file`
fn parse(argument: &str) -> Result<FileSpec> {
    let wrong = "filespec must match the canonical format: [[namespace/]pod:]file/path";
    let (place, file) = match argument.split_once(':') {
        Some(("", _)) => return Err(Failure::message(wrong)),
        Some((place, file)) => (place, file),
        None => ("", argument),
    };
    let file = match file {
        "/" => "/",
        file => file.strip_suffix('/').unwrap_or(file),
    };
    let (namespace, pod) = match place.split('/').collect::<Vec<_>>().as_slice() {
        [pod] => (String::new(), (*pod).to_owned()),
        [namespace, pod] => ((*namespace).to_owned(), (*pod).to_owned()),
        _ => return Err(Failure::message(wrong)),
    };
    Ok(FileSpec { namespace, pod, file: file.to_owned() })
}

/// Runs a command in the pod's container.
fn open(
    cx: &mut Context<'_>,
    spec: &FileSpec,
    command: Vec<String>,
    stdin: bool,
    tell: bool,
) -> Result<StreamId> {
    let namespace = match spec.namespace.as_str() {
        "" => cx.namespace()?.0,
        namespace => namespace.to_owned(),
    };
    let pods = crate::mapper::kind_for(&cx.kinds()?, "pods")?;
    let object = cx.get(&pods, &namespace, &spec.pod)?;
    let Some(pod) = object.get::<Pod>() else { return Err(Failure::message("expected a pod")) };
    refuse_completed(pod, "exec into")?;
    let container = match cx.flags().text("container") {
        "" => containers::choose(cx, pod, "", !tell)?,
        container => container.to_owned(),
    };
    let connect = Connect::Exec { command, stdin, tty: false };
    cx.connect(&namespace, &spec.pod, &container, connect).map_err(without_server)
}

/// What a stream has to say: how it ended, if it has.
fn take(
    cx: &mut Context<'_>,
    id: StreamId,
    out: &mut Vec<u8>,
) -> Result<(Option<Result<i32>>, Vec<u8>)> {
    let Some(stream) = cx.api()?.stream(id) else {
        return Ok((Some(Err(Failure::message("the connection was lost"))), Vec::new()));
    };
    out.extend(stream.stdout.drain(..));
    let errors: Vec<u8> = stream.stderr.drain(..).collect();
    let result = stream.result.clone();
    let result = result.map(|result| result.map_err(|error| without_server(Failure::Api(error))));
    if result.is_some() {
        cx.disconnect(id);
    }
    Ok((result, errors))
}

/// The failure of a command that ended with another code than 0.
fn ended(code: i32) -> Failure {
    Failure::Plain(format!("command terminated with exit code {code}"), code)
}

#[derive(Clone, Debug)]
struct ToPod {
    source: FileSpec,
    destination: FileSpec,
    /// First that of `test`, then that of `tar`.
    stream: StreamId,
    /// What is still to be sent.
    sending: Option<Vec<u8>>,
}

impl Task for ToPod {
    fn poll(mut self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        let mut out = Vec::new();
        if self.sending.is_none() {
            let (result, _) = take(cx, self.stream, &mut out)?;
            let Some(result) = result else { return Ok(Next::Wait(self, None)) };
            self.send(cx, matches!(result, Ok(0)))?;
        }
        let id = self.stream;
        let pending = self.sending.get_or_insert_default();
        if let Some(stream) = cx.api()?.stream(id) {
            let room = Stream::BUFFER_MAX.saturating_sub(stream.stdin.len()).min(pending.len());
            stream.stdin.extend(pending.drain(..room));
            stream.stdin_closed = pending.is_empty();
        }
        let (result, errors) = take(cx, id, &mut out)?;
        cx.console.write(1, &out);
        cx.console.write(2, &errors);
        match result {
            None => Ok(Next::Wait(self, None)),
            Some(Ok(0)) => done(),
            Some(Ok(code)) => Err(ended(code)),
            Some(Err(failure)) => Err(failure),
        }
    }

    fn cancel(&mut self, cx: &mut Context<'_>) {
        cx.disconnect(self.stream);
    }
}

impl ToPod {
    /// Starts `tar` in the container; the files go into the destination if that is a folder.
    fn send(&mut self, cx: &mut Context<'_>, is_folder: bool) -> Result<()> {
        let base = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let local = normalize("/", &cx.sys.absolute(&self.source.file));
        let target = match is_folder {
            true => join(&self.destination.file, &base(&local)),
            false => self.destination.file.clone(),
        };
        let folder = match target.rsplit_once('/') {
            Some(("", _)) => "/",
            Some((folder, _)) => folder,
            None => ".",
        };
        let mut command: Vec<String> = vec!["tar".to_owned()];
        if cx.flags().is("no-preserve") {
            command.extend(["--no-same-permissions", "--no-same-owner"].map(str::to_owned));
        }
        command.extend(["-xmf", "-", "-C", folder].map(str::to_owned));
        let mut entries = Vec::new();
        collect(cx, &local, &base(&target), 0, &mut entries)?;
        self.sending = Some(tar::write(&entries));
        self.stream = open(cx, &self.destination, command, true, true)?;
        Ok(())
    }
}

/// A file, or all files of a folder. As upstream, only empty folders are entries of their own.
fn collect(
    cx: &mut Context<'_>,
    path: &str,
    name: &str,
    depth: usize,
    entries: &mut Vec<Entry>,
) -> Result<()> {
    let failed = |errno: naru_shell::Errno| {
        Failure::Message(format!("lstat {path}: {}", errno.to_string().to_lowercase()))
    };
    let stat = cx.sys.fs().lstat(path).map_err(failed)?;
    let (mode, mtime) = (stat.mode & 0o7777, stat.mtime);
    let kind = if let Ok(target) = cx.sys.fs().read_link(path) {
        Kind::Symlink(target)
    } else if stat.is_dir() {
        let mut inside = cx.sys.fs().list(path).map_err(failed)?;
        inside.sort_by(|a, b| a.name.cmp(&b.name));
        for entry in inside.iter().filter(|_| depth < DEPTH_MAX) {
            collect(cx, &join(path, &entry.name), &join(name, &entry.name), depth + 1, entries)?;
        }
        if !inside.is_empty() {
            return Ok(());
        }
        Kind::Folder
    } else {
        Kind::File(cx.sys.fs().read(path).map_err(failed)?.to_vec())
    };
    entries.push(Entry { name: name.to_owned(), kind, mode, mtime });
    Ok(())
}

#[derive(Clone, Debug)]
struct FromPod {
    source: FileSpec,
    destination: FileSpec,
    stream: StreamId,
    archive: Vec<u8>,
}

impl Task for FromPod {
    fn poll(mut self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        let id = self.stream;
        let mut archive = std::mem::take(&mut self.archive);
        let (result, errors) = take(cx, id, &mut archive)?;
        self.archive = archive;
        // As upstream, what tar says goes to standard output.
        cx.console.write(1, &errors);
        if self.archive.len() > BYTES_MAX {
            cx.disconnect(id);
            return Err(Failure::message("the files are too large to be copied"));
        }
        match result {
            None => Ok(Next::Wait(self, None)),
            Some(Ok(0)) => {
                self.lay(cx)?;
                done()
            }
            Some(Ok(code)) => Err(ended(code)),
            Some(Err(failure)) => Err(failure),
        }
    }

    fn cancel(&mut self, cx: &mut Context<'_>) {
        cx.disconnect(self.stream);
    }
}

impl FromPod {
    /// Lays the files of the archive. What would lie outside of the destination is left out.
    fn lay(&self, cx: &mut Context<'_>) -> Result<()> {
        let prefix = normalize("/", self.source.file.trim_start_matches('/'));
        let prefix = prefix.trim_start_matches('/');
        let entries = tar::read(&self.archive).map_err(|why| Failure::Message(why.to_string()))?;
        let mut warned = false;
        for Entry { name, kind, .. } in entries {
            let Some(rest) = name.trim_start_matches("./").strip_prefix(prefix) else {
                return Err(Failure::message("tar contents corrupted"));
            };
            let target = match rest.trim_matches('/') {
                "" => self.destination.file.clone(),
                rest => join(&self.destination.file, rest),
            };
            if rest.split('/').any(|part| part == "..") {
                let target = quote(&target);
                cx.err_line(&format!(
                    "warning: file {target} is outside target destination, skipping"
                ));
                continue;
            }
            let path = cx.sys.absolute(&target);
            match kind {
                Kind::Symlink(link) => {
                    self.skip(cx, &target, &link, std::mem::replace(&mut warned, true));
                }
                Kind::Folder => {
                    let made = cx.sys.fs().mkdir_all(&path);
                    made.map_err(|errno| Failure::Message(format!("mkdir {target}: {errno}")))?;
                }
                Kind::File(content) => {
                    let path = if cx.sys.fs().is_dir(&path) {
                        return Err(Failure::Message(format!("open {target}: is a directory")));
                    } else {
                        path
                    };
                    child::write_bytes(cx, &path, &content)?;
                }
            }
        }
        Ok(())
    }

    fn skip(&self, cx: &mut Context<'_>, target: &str, link: &str, warned: bool) {
        let (shown, link) = (quote(target), quote(link));
        let hint = match warned {
            true => String::new(),
            false => format!(
                " (consider using \"kubectl exec -n {} {} -- tar cf - {} | tar xf -\")",
                quote(&self.source.namespace),
                quote(&self.source.pod),
                quote(&self.source.file)
            ),
        };
        cx.err_line(&format!("warning: skipping symlink: {shown} -> {link}{hint}"));
    }
}
