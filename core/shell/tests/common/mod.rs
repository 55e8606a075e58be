//! A machine of its own for scripts: its clock goes to the next moment at which something is due.

use naru_api::ApiService;
use naru_shell::{
    Kernel, NetStack, ProcessSpec, ProcessStatus, Stdio, Vfs, World, install_programs,
    standard_program_names, standard_programs,
};
use naru_sim::{CauseId, Rng, Time};
use std::collections::BTreeMap;

/// A world with a clock and nothing else.
#[derive(Clone)]
pub struct Clock {
    pub now: Time,
    pub rng: Rng,
}

impl Default for Clock {
    fn default() -> Self {
        Clock { now: Time::from_secs(1), rng: Rng::new(1) }
    }
}

impl World for Clock {
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
        None
    }
    fn cause(&self) -> CauseId {
        CauseId::ROOT
    }
}

/// What a script came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub stdout: String,
    pub stderr: String,
    /// `None`: it did not end.
    pub code: Option<i32>,
    pub ended_at: Time,
}

/// A machine with the standard programs and a home.
pub fn machine(shell: &str) -> Kernel {
    let mut fs = Vfs::new();
    install_programs(&mut fs, "/bin", standard_program_names(), shell).unwrap();
    fs.mkdir_all("/root").unwrap();
    fs.mkdir_all("/work").unwrap();
    fs.mkdir_all("/etc").unwrap();
    fs.write("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n")
        .unwrap();
    let mut kernel = Kernel::new(fs, standard_programs(), "naru");
    kernel.set_next_pid(100);
    kernel
}

pub fn spec(argv: &[&str], stdio: Stdio) -> ProcessSpec {
    let env = [("PATH", "/usr/bin:/bin"), ("HOME", "/root"), ("USER", "root")];
    ProcessSpec {
        argv: argv.iter().map(|arg| (*arg).to_string()).collect(),
        env: env
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect::<BTreeMap<_, _>>(),
        cwd: "/work".to_string(),
        uid: 0,
        stdio,
    }
}

/// Runs until the process ends or nothing is due any more, at most so many rounds.
pub fn run(kernel: &mut Kernel, argv: &[&str], stdin: &[u8]) -> Outcome {
    let mut clock = Clock::default();
    let (input, output, error) = (kernel.pipe(), kernel.pipe(), kernel.pipe());
    let stdio = Stdio::Pipes { stdin: Some(input), stdout: output, stderr: error };
    let pid = kernel.spawn(spec(argv, stdio)).unwrap();
    kernel.pipe_write(input, stdin);
    kernel.pipe_close_write(input);
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    for _ in 0..20_000 {
        let due = kernel.run(&mut clock);
        stdout.extend(kernel.pipe_read(output));
        stderr.extend(kernel.pipe_read(error));
        if let Some(ProcessStatus::Exited { .. }) = kernel.status(pid) {
            break;
        }
        match due {
            Some(at) => clock.now = at.max(clock.now),
            None if kernel.run(&mut clock).is_none() => break,
            None => {}
        }
    }
    let code = kernel.take_exit(pid);
    Outcome {
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
        code,
        ended_at: clock.now,
    }
}
