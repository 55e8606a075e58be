//! A machine on which hostile scripts and command lines run, for a bounded number of turns.

use naru_api::{ApiService, UserInfo};
use naru_apiserver::{ApiServer, AuthenticationConfig, StaticToken};
use naru_shell::{
    Confinement, Errno, Facts, Kernel, Namespaces, NetStack, Pid, ProcessSpec, ProcessStatus,
    Program, ProgramTable, Signal, Stdio, Step, Sys, Vfs, World, install_programs,
    standard_program_names, standard_programs,
};
use naru_sim::{CauseId, Rng, Time};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How often a machine goes on with a command before that is interrupted.
const TURNS_MAX: usize = 40;
/// Moments further away than this are not waited for.
const PATIENCE: Duration = Duration::from_secs(5);

const KUBECONFIG: &str = "{current-context: c, contexts: [{name: c, context: {cluster: c, user: admin}}], \
                          clusters: [{name: c, cluster: {server: \"https://c\"}}], users: [{name: admin, user: {token: admin}}]}";
const GOOD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, labels: {app: web}}\nspec: \
                    {containers: [{name: c, image: nginx}]}\n";
const BAD: &str = "a: [\n---\n- 1\n---\nkind: List\nitems: [1, {kind: Pod}, null]\n---\nnull\n";

struct Kubectl;

impl ProgramTable for Kubectl {
    fn load(&self, name: &str) -> Option<Box<dyn Program>> {
        match name {
            "kubectl" => Some(naru_kubectl::program()),
            "complete" => Some(Box::new(Complete)),
            _ => standard_programs().load(name),
        }
    }
}

/// Asks what its last argument can become, as the shell does at Tab.
#[derive(Clone, Debug)]
struct Complete;

impl Program for Complete {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let words = sys.args().to_vec();
        if let Some((current, words)) = words.split_last() {
            naru_kubectl::completer().complete(sys, words, current);
        }
        Step::Exit(0)
    }
}

#[derive(Clone)]
struct Surroundings {
    now: Time,
    rng: Rng,
    api: Option<ApiServer>,
}

impl World for Surroundings {
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
        self.api.as_mut().map(|api| api as &mut dyn ApiService)
    }
    fn cause(&self) -> CauseId {
        CauseId::ROOT
    }
}

/// A machine; a clone of it is as new as it was.
#[derive(Clone)]
pub struct Machine {
    kernel: Kernel,
    world: Surroundings,
}

impl Machine {
    /// One that has the standard programs.
    pub fn with_programs() -> Self {
        Self::new(standard_programs(), "bash", None)
    }

    /// One that has kubectl, and an API server.
    pub fn with_kubectl() -> Self {
        let mut api = ApiServer::new(Rng::new(7));
        let user = UserInfo::new("kubernetes-admin", &["system:masters"]);
        let tokens = vec![StaticToken { token: "admin".to_owned(), user }];
        api.set_authentication(AuthenticationConfig { tokens, ..AuthenticationConfig::default() });
        Self::new(&Kubectl, "bash", Some(api))
    }

    /// One as a container is, with a shell of its image.
    pub fn with_container_shell(shell: &str) -> Self {
        let mut machine = Self::new(standard_programs(), shell, None);
        machine.kernel.confine(Confinement::of_containers());
        machine.kernel.show_proc(Arc::new(Facts::default()), Namespaces::default());
        machine
    }

    fn new(programs: &'static dyn ProgramTable, shell: &str, mut api: Option<ApiServer>) -> Self {
        let now = Time::from_secs(1_000);
        if let Some(api) = &mut api {
            api.set_now(now);
        }
        let mut fs = Vfs::new();
        // A machine that lacks a file is fuzzed all the same.
        let _: Result<(), Errno> = lay_files(&mut fs, shell);
        let kernel = Kernel::new(fs, programs, "fuzz");
        Machine { kernel, world: Surroundings { now, rng: Rng::new(1), api } }
    }

    /// Runs a command until it ends, has nothing to do, or has had its turns; then it is interrupted,
    /// and killed. Tells whether it had ended before that.
    pub fn run(&mut self, argv: Vec<String>) -> bool {
        let (stdin, stdout) = (self.kernel.pipe(), self.kernel.pipe());
        self.kernel.pipe_write(stdin, BAD.as_bytes());
        self.kernel.pipe_close_write(stdin);
        let env = [("PATH", "/bin"), ("HOME", "/root"), ("USER", "root")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let spec = ProcessSpec {
            argv,
            env: BTreeMap::from(env),
            cwd: "/root".to_owned(),
            uid: 0,
            stdio: Stdio::Pipes { stdin: Some(stdin), stdout, stderr: stdout },
        };
        let Ok(pid) = self.kernel.spawn(spec) else { return true };
        for _ in 0..TURNS_MAX {
            let due = self.kernel.run(&mut self.world);
            let printed = self.kernel.pipe_read(stdout);
            if let Some(ProcessStatus::Exited { .. }) = self.kernel.status(pid) {
                break;
            }
            match due.filter(|due| *due <= self.world.now + PATIENCE) {
                Some(due) => self.advance(due),
                None if !printed.is_empty() => {}
                None => break,
            }
        }
        let ended = self.ends_by(pid, Signal::Int);
        if !ended {
            self.ends_by(pid, Signal::Kill);
        }
        self.kernel.take_exit(pid);
        ended
    }

    /// Sends a signal to a process that has not ended, and tells whether it has then.
    fn ends_by(&mut self, pid: Pid, signal: Signal) -> bool {
        let has_ended =
            |kernel: &Kernel| matches!(kernel.status(pid), Some(ProcessStatus::Exited { .. }));
        if !has_ended(&self.kernel) {
            self.kernel.signal(pid, signal);
            self.kernel.run(&mut self.world);
        }
        has_ended(&self.kernel)
    }

    /// Ends everything; tells whether everything has ended.
    pub fn end(&mut self) -> bool {
        self.kernel.kill_all();
        self.kernel.processes().count() == 0
    }

    fn advance(&mut self, due: Time) {
        self.world.now = due.max(self.world.now);
        if let Some(api) = &mut self.world.api {
            api.set_now(self.world.now);
        }
    }
}

fn lay_files(fs: &mut Vfs, shell: &str) -> Result<(), Errno> {
    install_programs(fs, "/bin", standard_program_names(), shell)?;
    fs.install("/bin/kubectl", "kubectl")?;
    fs.install("/bin/complete", "complete")?;
    fs.mkdir_all("/root/.kube")?;
    fs.write("/root/.kube/config", KUBECONFIG.as_bytes())?;
    fs.write("/root/app.yml", GOOD.as_bytes())?;
    fs.write("/root/bad.yml", BAD.as_bytes())
}
