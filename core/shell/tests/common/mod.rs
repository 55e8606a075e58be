//! A machine of its own for scripts: its clock goes to the next moment at which something is due.

// Each test binary uses its own part of this.
#![allow(dead_code)]

pub mod net;

use naru_api::ApiService;
use naru_shell::{
    Kernel, NetStack, Pid, PipeId, ProcessSpec, ProcessStatus, Stdio, Vfs, World, install_programs,
    standard_program_names, standard_programs,
};
use naru_sim::{CauseId, Rng, Time};
use std::collections::BTreeMap;

/// A world with a clock and, if a test wants it, a network.
#[derive(Clone)]
pub struct Clock {
    pub now: Time,
    pub rng: Rng,
    pub net: Option<net::FakeNet>,
}

impl Default for Clock {
    fn default() -> Self {
        Clock { now: Time::from_secs(1), rng: Rng::new(1), net: None }
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
        self.net.as_mut().map(|net| net as &mut dyn NetStack)
    }
    fn api(&mut self) -> Option<&mut dyn ApiService> {
        None
    }
    fn cause(&self) -> CauseId {
        CauseId::ROOT
    }
}

/// What a script came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub stdout: String,
    pub stderr: String,
    /// `None`: it did not end.
    pub code: Option<i32>,
    pub ended_at: Time,
    pub net: Option<net::FakeNet>,
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

/// A process with pipes, and what came out of it so far.
#[derive(Clone)]
pub struct Running {
    pub kernel: Kernel,
    pub clock: Clock,
    pub pid: Pid,
    pub input: PipeId,
    output: PipeId,
    error: PipeId,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Running {
    pub fn start(mut kernel: Kernel, clock: Clock, argv: &[&str]) -> Self {
        let (input, output, error) = (kernel.pipe(), kernel.pipe(), kernel.pipe());
        let stdio = Stdio::Pipes { stdin: Some(input), stdout: output, stderr: error };
        let pid = kernel.spawn(spec(argv, stdio)).unwrap();
        let (stdout, stderr) = (Vec::new(), Vec::new());
        Running { kernel, clock, pid, input, output, error, stdout, stderr }
    }

    /// Runs once, and lets the clock go on to when something is due; `false` if nothing is, or the
    /// process has ended.
    pub fn advance(&mut self) -> bool {
        let mut due = self.kernel.run(&mut self.clock);
        let before = self.stdout.len() + self.stderr.len();
        self.stdout.extend(self.kernel.pipe_read(self.output));
        self.stderr.extend(self.kernel.pipe_read(self.error));
        if matches!(self.kernel.status(self.pid), Some(ProcessStatus::Exited { .. })) {
            return false;
        }
        if self.stdout.len() + self.stderr.len() > before {
            due = self.kernel.run(&mut self.clock).or(due).or(Some(self.clock.now));
        }
        match due {
            Some(at) => self.clock.now = at.max(self.clock.now),
            None => return false,
        }
        true
    }

    pub fn finish(mut self) -> Outcome {
        for _ in 0..20_000 {
            if !self.advance() {
                break;
            }
        }
        Outcome {
            stdout: String::from_utf8_lossy(&self.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&self.stderr).into_owned(),
            code: self.kernel.take_exit(self.pid),
            ended_at: self.clock.now,
            net: self.clock.net,
        }
    }
}

/// Runs a program to its end.
pub fn run(kernel: Kernel, argv: &[&str], stdin: &[u8]) -> Outcome {
    run_in(kernel, Clock::default(), argv, stdin)
}

/// Runs a program to its end in a world of one's own.
pub fn run_in(kernel: Kernel, clock: Clock, argv: &[&str], stdin: &[u8]) -> Outcome {
    let mut running = Running::start(kernel, clock, argv);
    running.kernel.pipe_write(running.input, stdin);
    running.kernel.pipe_close_write(running.input);
    running.finish()
}
