//! Bytes between this terminal and a container: `exec`, `attach`, `run -it`.
//!
//! Upstream: `k8s.io/client-go/tools/remotecommand`, `k8s.io/kubectl/pkg/util/term`.

use crate::context::Context;
use crate::failure::Result;
use naru_api::ApiError;
use naru_api::said::{Output, Piece};
use naru_api::service::{Connect, Stream, StreamId};
use naru_shell::Errno;
use std::iter;

/// What `-i` and `-t` make of the terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Standard input goes to the container.
    pub stdin: bool,
    /// The terminal is raw: the container's terminal echoes and edits.
    pub raw: bool,
}

impl Terminal {
    /// As the flags say; a terminal that is not there cannot be raw.
    ///
    /// Upstream: `StreamOptions.SetupTTY`.
    pub fn set_up(cx: &mut Context<'_>, stdin: bool, tty: bool, quiet: bool) -> Self {
        if !stdin || !tty {
            return Terminal { stdin, raw: false };
        }
        if !cx.sys.is_tty(0) {
            if !quiet {
                cx.err_line(
                    "Unable to use a TTY - input is not a terminal or the right kind of file",
                );
            }
            return Terminal { stdin, raw: false };
        }
        Terminal { stdin, raw: true }
    }
}

/// A stream to a container, while it lasts.
#[derive(Clone, Debug)]
pub struct Session {
    stream: StreamId,
    terminal: Terminal,
    stdin_open: bool,
}

/// How a session ended: the exit code, or why it could not be.
pub type Ended = std::result::Result<i32, ApiError>;

impl Session {
    /// Connects.
    pub fn open(
        cx: &mut Context<'_>,
        namespace: &str,
        pod: &str,
        container: &str,
        connect: Connect,
        terminal: Terminal,
    ) -> Result<Self> {
        let stream = cx.connect(namespace, pod, container, connect)?;
        if terminal.raw {
            // A terminal that cannot be raw echoes twice; that is no reason to give up.
            let _ = cx.sys.tty_raw(0, true);
        }
        Ok(Session { stream, terminal, stdin_open: terminal.stdin })
    }

    /// Carries what there is: `Some` when it has ended.
    pub fn pump(&mut self, cx: &mut Context<'_>) -> Result<Option<Ended>> {
        let input = self.read_stdin(cx)?;
        let stream = self.stream;
        let Some(stream) = cx.api()?.stream(stream) else {
            return Ok(Some(Err(ApiError::internal("the connection to the container was lost"))));
        };
        match input {
            Some(bytes) if bytes.is_empty() => stream.stdin_closed = true,
            Some(bytes) => stream.stdin.extend(bytes),
            None => {}
        }
        let said: Vec<Piece> = iter::from_fn(|| stream.take_said(Stream::BUFFER_MAX)).collect();
        let result = stream.result.clone();
        for (output, bytes) in said {
            let fd = if output == Output::Stdout { 1 } else { 2 };
            cx.console.write(fd, &bytes);
        }
        if result.is_some() {
            self.close(cx);
        }
        Ok(result)
    }

    /// Empty: the end of the input. `None`: nothing now.
    fn read_stdin(&mut self, cx: &mut Context<'_>) -> Result<Option<Vec<u8>>> {
        let stream = self.stream;
        let room = cx
            .api()?
            .stream(stream)
            .map_or(0, |stream| Stream::BUFFER_MAX.saturating_sub(stream.stdin.len()));
        if !self.stdin_open || room == 0 {
            return Ok(None);
        }
        match cx.sys.read(0, room) {
            Err(Errno::Again) => Ok(None),
            Ok(bytes) if !bytes.is_empty() => Ok(Some(bytes)),
            _ => {
                self.stdin_open = false;
                Ok(Some(Vec::new()))
            }
        }
    }

    /// Ends it and gives the terminal back.
    pub fn close(&mut self, cx: &mut Context<'_>) {
        cx.disconnect(self.stream);
        if std::mem::take(&mut self.terminal.raw) {
            // The terminal may be gone.
            let _ = cx.sys.tty_raw(0, false);
        }
    }
}
