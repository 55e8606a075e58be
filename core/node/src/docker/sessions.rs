//! Clients of containers' processes: `docker run -it`, `docker exec`, `docker attach`.

use super::Docker;
use crate::runtime::{ContainerId, ExecIo, TapId};
use naru_shell::{Pid, SessionOutput, SessionSpec, Signal};
use naru_sim::Time;

/// Sessions open at once.
const SESSIONS_MAX: usize = 32;
/// Bytes handed over at once.
const CHUNK: usize = 32 * 1024;

/// One client.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    container: ContainerId,
    io: ExecIo,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Exec(Pid),
    Attach(TapId),
}

impl Session {
    /// The run that it is of.
    pub fn container(&self) -> ContainerId {
        self.container
    }
}

impl Docker {
    /// Starts a program beside a container's own (`argv` of the spec), or attaches to that one if
    /// there is none. The error is the daemon's.
    pub fn open(
        &mut self,
        id: u64,
        container: &str,
        spec: &SessionSpec,
        now: Time,
    ) -> Result<(), (String, i32)> {
        if self.sessions.len() >= SESSIONS_MAX {
            return Err(("the sandbox has too many sessions".to_owned(), 1));
        }
        let missing = || (format!("Error response from daemon: No such container: {container}"), 1);
        let found = self.container(container).ok_or_else(missing)?;
        let (hex, run) = (found.hex.clone(), found.run);
        let stopped = || (format!("Error response from daemon: container {hex} is not running"), 1);
        let run = run.ok_or_else(stopped)?;
        let inner = self.runtime.container_mut(run).ok_or_else(stopped)?;
        let session = if spec.argv.is_empty() {
            let io = inner.stdio();
            Session { container: run, io, kind: Kind::Attach(inner.attach()) }
        } else if inner.is_running() {
            let started = inner.exec(spec.argv.clone(), true, spec.tty.is_some());
            let (pid, io) = started.map_err(|error| {
                let text = format!(
                    "OCI runtime exec failed: exec failed: unable to start container process: \
                     {error}: unknown"
                );
                let code = if text.contains("permission denied") { 126 } else { 127 };
                (text, code)
            })?;
            Session { container: run, io, kind: Kind::Exec(pid) }
        } else {
            return Err(stopped());
        };
        if let (Some(size), Some(inner)) = (spec.tty, self.runtime.container_mut(run)) {
            inner.resize(session.io, size);
        }
        self.sessions.insert(id, session);
        if let Some(container) = self.containers.iter_mut().find(|it| it.hex == hex) {
            container.attached = true;
        }
        self.runtime.schedule(run, now);
        Ok(())
    }

    /// Whether this session is one of the engine's.
    pub fn has_session(&self, id: u64) -> bool {
        self.sessions.contains_key(&id)
    }

    /// Types into a session; tells how many bytes were taken.
    pub fn send(&mut self, id: u64, bytes: &[u8], now: Time) -> usize {
        let Some(session) = self.sessions.get(&id).copied() else { return bytes.len() };
        let Some(container) = self.runtime.container_mut(session.container) else {
            return bytes.len();
        };
        let taken = container.feed(session.io, bytes);
        self.runtime.schedule(session.container, now);
        taken
    }

    /// Nothing more will be typed.
    pub fn end_input(&mut self, id: u64, now: Time) {
        let Some(session) = self.sessions.get(&id).copied() else { return };
        if let Some(container) = self.runtime.container_mut(session.container) {
            container.end_input(session.io);
            self.runtime.schedule(session.container, now);
        }
    }

    /// The client's terminal has another size.
    pub fn resize(&mut self, id: u64, size: (u16, u16), now: Time) {
        let Some(session) = self.sessions.get(&id).copied() else { return };
        if let Some(container) = self.runtime.container_mut(session.container) {
            container.resize(session.io, size);
            self.runtime.schedule(session.container, now);
        }
    }

    /// Takes what a session has printed, and how it ended: after that it is forgotten.
    pub fn receive(&mut self, id: u64, now: Time) -> SessionOutput {
        let gone = SessionOutput { code: Some(137), ..SessionOutput::default() };
        let Some(session) = self.sessions.get(&id).copied() else { return gone };
        let Some(container) = self.runtime.container_mut(session.container) else {
            self.sessions.remove(&id);
            return gone;
        };
        let said = match session.kind {
            Kind::Exec(_) => container.take_output(session.io),
            Kind::Attach(tap) => container.take_tapped(tap, CHUNK),
        };
        let quiet = said.is_empty();
        let code = match session.kind {
            Kind::Exec(pid) if quiet => container.take_exit(pid),
            Kind::Attach(_) if quiet => container.exit_code(),
            _ => None,
        };
        if !quiet {
            self.runtime.schedule(session.container, now);
        }
        if code.is_some() {
            self.hang_up(id, now);
        }
        SessionOutput { said, code }
    }

    /// The client has gone.
    pub fn hang_up(&mut self, id: u64, now: Time) {
        let Some(session) = self.sessions.remove(&id) else { return };
        if let Some(container) = self.runtime.container_mut(session.container) {
            match session.kind {
                Kind::Exec(_) => container.hang_up(session.io),
                Kind::Attach(tap) => {
                    container.detach(tap);
                    if !container.config.tty {
                        // Upstream: `--sig-proxy`.
                        container.signal(now, Signal::Int);
                    }
                }
            }
            self.runtime.schedule(session.container, now);
        }
    }
}
