//! What kubectl v1.33 printed, and what this one prints for the same objects: byte for byte.
//!
//! `recorded/commands.txt` lists the command lines, `recorded/cluster.yaml` the objects, and
//! `recorded/kubectl.txt` what upstream's own client (`k8s.io/kubectl` v0.33.4, stamped v1.33.1)
//! printed when an HTTP server gave it these objects at 2025-06-02T01:00:00Z: `>` standard output,
//! `!` standard error, `~` no line end there, `=` the exit code where it is not 0. The objects have
//! the empty fields that an API server sends (`lastProbeTime: null`); they were added to the
//! recording later, where kubectl prints what it was sent.

#![allow(clippy::unwrap_used, clippy::panic)]

use naru_api::request::{ListOptions, ObjectList};
use naru_api::service::{ConnectRequest, Stream, StreamId, WatchRequest};
use naru_api::{
    ApiError, ApiService, Credentials, KindRef, Object, Op, Request, Response, UserInfo,
    WatchEvent, WatchId, fields, labels, scheme, status::ApiResult,
};
use naru_shell::{
    Kernel, NetStack, ProcessSpec, ProcessStatus, Program, ProgramTable, Stdio, Vfs, World,
};
use naru_sim::{CauseId, CauseLog, Rng, Time};
use std::collections::BTreeMap;

const NOW: Time = Time::from_secs(3_600);
const KUBECONFIG: &str = "apiVersion: v1
clusters:
- cluster:
    server: http://127.0.0.1:18080
  name: kind-kind
contexts:
- context:
    cluster: kind-kind
    user: kind-kind
  name: kind-kind
current-context: kind-kind
kind: Config
users:
- name: kind-kind
  user:
    token: secret
";

/// Holds objects that never change.
struct Still {
    kinds: Vec<KindRef>,
    objects: Vec<Object>,
    causes: CauseLog,
}

impl Still {
    fn new() -> Self {
        // What the recording's server told of itself.
        const SERVED: [&str; 14] = [
            "configmaps",
            "endpoints",
            "events",
            "namespaces",
            "nodes",
            "pods",
            "secrets",
            "serviceaccounts",
            "services",
            "daemonsets.apps",
            "deployments.apps",
            "replicasets.apps",
            "leases.coordination.k8s.io",
            "endpointslices.discovery.k8s.io",
        ];
        let mut kinds = scheme::built_in();
        kinds.retain(|kind| SERVED.contains(&kind.group_resource().as_str()));
        let list = naru_api::yaml::parse(include_str!("recorded/cluster.yaml")).unwrap();
        let objects = list["items"].as_array().unwrap().iter().map(|item| {
            let version = item["apiVersion"].as_str().unwrap();
            let kind = scheme::by_kind(&kinds, version, item["kind"].as_str().unwrap()).unwrap();
            kind.strategy.decode(item.clone()).unwrap_or_else(|why| panic!("{item}: {why}"))
        });
        Still { objects: objects.collect(), kinds, causes: CauseLog::default() }
    }

    fn list(&self, kind: &KindRef, namespace: &str, options: &ListOptions) -> Vec<Object> {
        let by_label = labels::Selector::parse(&options.label_selector).unwrap();
        let by_field = fields::Selector::parse(&options.field_selector).unwrap();
        self.objects
            .iter()
            .filter(|object| object.kind() == *kind)
            .filter(|object| namespace.is_empty() || object.namespace() == namespace)
            .filter(|object| by_label.matches(object.meta().labels.as_ref()))
            .filter(|object| by_field.matches(object))
            .cloned()
            .collect()
    }
}

impl ApiService for Still {
    fn now(&self) -> Time {
        NOW
    }
    fn authenticate(&mut self, _: &Credentials) -> ApiResult<UserInfo> {
        Ok(UserInfo::new("kubernetes-admin", &["system:masters"]))
    }
    fn handle(&mut self, request: Request) -> ApiResult<Response> {
        let Request { kind, namespace, name, op, .. } = request;
        match op {
            Op::List(options) => {
                let items = self.list(&kind, &namespace, &options);
                Ok(Response::List(ObjectList::new(kind, items, 200)))
            }
            Op::Get => {
                let found = self.list(&kind, &namespace, &ListOptions::default());
                let found = found.into_iter().find(|object| object.name() == name);
                found.map(Response::Object).ok_or_else(|| ApiError::not_found(&kind, &name))
            }
            op => Err(ApiError::method_not_supported(&kind, op.verb())),
        }
    }
    fn watch(&mut self, request: WatchRequest) -> ApiResult<WatchId> {
        Err(ApiError::method_not_supported(&request.kind, "watch"))
    }
    fn poll(&mut self, _: WatchId) -> ApiResult<Vec<WatchEvent>> {
        Ok(Vec::new())
    }
    fn unwatch(&mut self, _: WatchId) {}
    fn connect(&mut self, _: ConnectRequest) -> ApiResult<StreamId> {
        Err(ApiError::bad_request("there are no kubelets here"))
    }
    fn stream(&mut self, _: StreamId) -> Option<&mut Stream> {
        None
    }
    fn disconnect(&mut self, _: StreamId) {}
    fn kinds(&self) -> Vec<KindRef> {
        self.kinds.clone()
    }
    fn causes(&mut self) -> &mut CauseLog {
        &mut self.causes
    }
}

struct Host {
    api: Still,
    rng: Rng,
    now: Time,
}

impl World for Host {
    fn now(&self) -> Time {
        self.now
    }
    fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }
    fn net(&mut self) -> Option<&mut dyn NetStack> {
        None
    }
    fn api(&mut self) -> Option<&mut dyn ApiService> {
        Some(&mut self.api)
    }
    fn cause(&self) -> CauseId {
        CauseId::ROOT
    }
}

struct Programs;

impl ProgramTable for Programs {
    fn load(&self, name: &str) -> Option<Box<dyn Program>> {
        (name == "kubectl").then(naru_kubectl::program)
    }
}

/// Standard output, standard error and exit code, as the recording writes them.
fn run(host: &mut Host, line: &str) -> String {
    let mut fs = Vfs::new();
    fs.mkdir_all("/usr/bin").unwrap();
    fs.install("/usr/bin/kubectl", "kubectl").unwrap();
    fs.mkdir_all("/home/.kube").unwrap();
    fs.write("/home/.kube/config", KUBECONFIG.as_bytes()).unwrap();
    let mut kernel = Kernel::new(fs, &Programs, "terminal");
    let (stdout, stderr) = (kernel.pipe(), kernel.pipe());
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let spec = ProcessSpec {
        argv: words(line),
        env: BTreeMap::from([pair("PATH", "/usr/bin"), pair("HOME", "/home")]),
        cwd: "/work".to_owned(),
        uid: 0,
        stdio: Stdio::Pipes { stdin: None, stdout, stderr },
    };
    let pid = kernel.spawn(spec).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    host.now = NOW;
    for _ in 0..200 {
        if let Some(due) = kernel.run(host) {
            host.now = host.now.max(due);
        }
        out.extend(kernel.pipe_read(stdout));
        err.extend(kernel.pipe_read(stderr));
        if let Some(ProcessStatus::Exited { code, .. }) = kernel.status(pid) {
            let mut text = marked('>', &out) + &marked('!', &err);
            if code != 0 {
                text.push_str(&format!("= {code}\n"));
            }
            return text;
        }
    }
    format!("{}{}still runs\n", marked('>', &out), marked('!', &err))
}

fn marked(mark: char, bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let Some(body) = text.strip_suffix('\n') else {
        return match text.is_empty() {
            true => String::new(),
            false => marked(mark, format!("{text}\n").as_bytes()) + &format!("{mark}~\n"),
        };
    };
    body.split('\n').map(|line| format!("{mark} {line}\n")).collect()
}

/// Words, with quotes as in a shell; a backslash between single or double quotes stays.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut inside) = (Vec::new(), String::new(), None, false);
    for c in line.chars() {
        match (c, quote) {
            (c, Some(mark)) if c == mark => quote = None,
            (c, Some(_)) => word.push(c),
            ('\'' | '"', None) => (quote, inside) = (Some(c), true),
            (' ', None) => {
                if inside || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                inside = false;
            }
            (c, None) => word.push(c),
        }
    }
    if inside || !word.is_empty() {
        words.push(word);
    }
    words
}

/// Lines without what differs by nature: time, process number and source line of `klog`.
fn normal(text: &str) -> String {
    text.lines()
        .map(|line| match line.split_once("] ") {
            Some((head, rest)) if head.starts_with("! W") => format!("! W] {rest}\n"),
            // A line of blanks is told without them.
            _ => match line.strip_suffix(' ') {
                Some(mark) if mark.len() == 1 => format!("{mark}\n"),
                _ => format!("{line}\n"),
            },
        })
        .collect()
}

#[test]
fn prints_what_upstream_prints() {
    let recorded = include_str!("recorded/kubectl.txt");
    let mut host = Host { api: Still::new(), rng: Rng::new(1), now: NOW };
    let (mut count, mut wrong) = (0, Vec::new());
    for block in recorded.split("\n$ ") {
        let block = block.strip_prefix("$ ").unwrap_or(block);
        let Some((line, expected)) = block.split_once('\n') else { continue };
        let expected = format!("{}\n", expected.trim_end_matches('\n'));
        let expected = if expected == "\n" { String::new() } else { expected };
        let actual = run(&mut host, line);
        count += 1;
        if normal(&actual) != normal(&expected) {
            wrong.push(format!("$ {line}\n--- upstream\n{expected}--- here\n{actual}"));
        }
    }
    assert!(count > 200, "{count} command lines");
    assert!(wrong.is_empty(), "{} of {count} differ:\n\n{}", wrong.len(), wrong.join("\n"));
}
