//! A machine with kubectl and the real API server, and nothing else: no scheduler, no kubelet. A
//! test plays their part through [`Machine::api`].

#![allow(clippy::unwrap_used, dead_code)]

use naru_api::service::KubeletStreams;
use naru_api::{ApiService, UserInfo, WatchId};
use naru_apiserver::{ApiServer, AuthenticationConfig, StaticToken};
use naru_shell::{
    Kernel, NetStack, Pid, PipeId, ProcessSpec, ProcessStatus, Program, ProgramTable, Stdio, Step,
    Sys, Vfs, World,
};
use naru_sim::{CauseId, Rng, Time};
use std::collections::BTreeMap;
use std::time::Duration;

/// Who has the token that the API server knows.
const KUBECONFIG: &str = "{current-context: c, contexts: [{name: c, context: {cluster: c, user: admin}}], \
                          clusters: [{name: c, cluster: {server: \"https://c\"}}], users: [{name: admin, user: {token: admin}}]}";

struct Programs;

impl ProgramTable for Programs {
    fn load(&self, name: &str) -> Option<Box<dyn Program>> {
        match name {
            "kubectl" => Some(naru_kubectl::program()),
            "complete" => Some(Box::new(Complete)),
            _ => None,
        }
    }
}

/// Prints what its last argument can become, as the shell would ask.
#[derive(Clone, Debug)]
struct Complete;

impl Program for Complete {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let words = sys.args().get(1..).unwrap_or_default().to_vec();
        let (current, words) = words.split_last().unwrap();
        let mut found = naru_kubectl::completer().complete(sys, words, current);
        found.sort();
        sys.write(1, found.join(" ").as_bytes()).unwrap();
        Step::Exit(0)
    }
}

struct Host {
    now: Time,
    rng: Rng,
    api: ApiServer,
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

/// What a command printed, and its exit code; `None` while it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
}

/// A command that was started.
pub struct Job {
    pid: Pid,
    stdout: PipeId,
    stderr: PipeId,
    output: Output,
}

pub struct Machine {
    kernel: Kernel,
    host: Host,
}

impl Machine {
    pub fn new() -> Self {
        let mut fs = Vfs::new();
        fs.mkdir_all("/usr/bin").unwrap();
        fs.mkdir_all("/root").unwrap();
        fs.install("/usr/bin/kubectl", "kubectl").unwrap();
        fs.install("/usr/bin/complete", "complete").unwrap();
        let rng = Rng::new(7);
        fs.mkdir_all("/root/.kube").unwrap();
        fs.write("/root/.kube/config", KUBECONFIG.as_bytes()).unwrap();
        let mut api = ApiServer::new(rng.fork("apiserver"));
        let admin = UserInfo::new("kubernetes-admin", &["system:masters"]);
        let tokens = vec![StaticToken { token: "admin".to_owned(), user: admin }];
        api.set_authentication(AuthenticationConfig { tokens, ..AuthenticationConfig::default() });
        // Long after the start, so that ages can be told.
        let now = Time::from_secs(1_000);
        api.set_now(now);
        Machine { kernel: Kernel::new(fs, &Programs, "terminal"), host: Host { now, rng, api } }
    }

    pub fn write(&mut self, path: &str, text: &str) {
        self.kernel.fs_mut().write(path, text.as_bytes()).unwrap();
    }

    pub fn fs(&mut self) -> &mut Vfs {
        self.kernel.fs_mut()
    }

    pub fn api(&mut self) -> &mut ApiServer {
        &mut self.host.api
    }

    pub fn streams(&mut self) -> &mut dyn KubeletStreams {
        &mut self.host.api
    }

    pub fn advance(&mut self, seconds: u64) {
        self.host.now = self.host.now + Duration::from_secs(seconds);
        self.host.api.set_now(self.host.now);
    }

    pub fn start(&mut self, line: &str, stdin: Option<&str>) -> Job {
        self.start_argv(split(line), stdin)
    }

    pub fn start_argv(&mut self, argv: Vec<String>, stdin: Option<&str>) -> Job {
        let input = stdin.map(|text| {
            let pipe = self.kernel.pipe();
            assert_eq!(self.kernel.pipe_write(pipe, text.as_bytes()), text.len());
            self.kernel.pipe_close_write(pipe);
            pipe
        });
        let (stdout, stderr) = (self.kernel.pipe(), self.kernel.pipe());
        let env = BTreeMap::from([
            ("PATH".to_owned(), "/usr/bin".to_owned()),
            ("HOME".to_owned(), "/root".to_owned()),
        ]);
        let spec = ProcessSpec {
            argv,
            env,
            cwd: "/root".to_owned(),
            uid: 0,
            stdio: Stdio::Pipes { stdin: input, stdout, stderr },
        };
        let pid = self.kernel.spawn(spec).unwrap();
        Job { pid, stdout, stderr, output: Output::default() }
    }

    /// Lets the command go on, and tells what it has printed since the last call.
    pub fn poll(&mut self, job: &mut Job) -> Output {
        self.kernel.wake();
        for _ in 0..50 {
            let due = self.kernel.run(&mut self.host);
            // The moment that kubectl takes to launch passes by itself.
            let soon = self.host.now + Duration::from_millis(100);
            if let Some(due) = due.filter(|due| *due <= soon) {
                self.host.now = due.max(self.host.now);
                self.host.api.set_now(self.host.now);
            }
            let stdout = self.kernel.pipe_read(job.stdout);
            let stderr = self.kernel.pipe_read(job.stderr);
            job.output.stdout.push_str(&String::from_utf8_lossy(&stdout));
            job.output.stderr.push_str(&String::from_utf8_lossy(&stderr));
        }
        if let Some(ProcessStatus::Exited { code, .. }) = self.kernel.status(job.pid) {
            job.output.code = Some(code);
        }
        let _: Vec<WatchId> = self.host.api.take_ready();
        let output = job.output.clone();
        job.output = Output { code: output.code, ..Output::default() };
        output
    }

    pub fn interrupt(&mut self, job: &Job) {
        self.kernel.signal(job.pid, naru_shell::Signal::Int);
    }

    /// Runs a command that ends by itself.
    pub fn run(&mut self, line: &str) -> Output {
        let mut job = self.start(line, None);
        let output = self.poll(&mut job);
        assert!(output.code.is_some(), "{line} still runs: {output:?}");
        output
    }

    pub fn run_with(&mut self, line: &str, stdin: &str) -> Output {
        let mut job = self.start(line, Some(stdin));
        self.poll(&mut job)
    }

    /// What the last word of a line can become.
    pub fn complete(&mut self, line: &str) -> String {
        let (before, current) = line.rsplit_once(' ').unwrap();
        self.ok(&format!("complete {before} '{current}'"))
    }

    /// What a command that succeeds prints.
    pub fn ok(&mut self, line: &str) -> String {
        let output = self.run(line);
        assert_eq!(
            (output.code, output.stderr.as_str()),
            (Some(0), ""),
            "{line}: {}",
            output.stdout
        );
        output.stdout
    }

    /// What a command that fails with exit code 1 says.
    pub fn fails(&mut self, line: &str) -> String {
        let output = self.run(line);
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (Some(1), ""),
            "{line}: {}",
            output.stderr
        );
        output.stderr
    }
}

/// Words, with quotes as in a shell.
fn split(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut inside) = (Vec::new(), String::new(), None, false);
    for c in line.chars() {
        match (c, quote) {
            (c, Some(mark)) if c == mark => quote = None,
            (c, Some(_)) => word.push(c),
            ('\'' | '"', None) => {
                quote = Some(c);
                inside = true;
            }
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
