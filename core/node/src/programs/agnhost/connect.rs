//! `agnhost connect`: whether a port takes connections.

use naru_shell::serve::{Dial, DialError};
use naru_shell::{Errno, Program, Progress, Step, Sys};
use naru_sim::Time;
use std::time::Duration;

/// The program.
#[derive(Clone, Debug)]
pub struct Connect {
    host: String,
    port: String,
    limit: Option<Duration>,
    dial: Option<(Dial, Option<Time>)>,
}

impl Connect {
    /// Connects to `host:port` within a limit.
    pub fn new(target: &str, limit: Option<Duration>) -> Self {
        let (host, port) = target.rsplit_once(':').unwrap_or((target, ""));
        Connect { host: host.to_owned(), port: port.to_owned(), limit, dial: None }
    }
}

impl Program for Connect {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let Ok(port) = self.port.parse::<u16>() else {
            return fail(sys, &format!("DNS: lookup tcp/{}: unknown port", self.port));
        };
        let now = sys.now();
        let limit = self.limit;
        let host = self.host.clone();
        let (dial, deadline) = self.dial.get_or_insert_with(|| {
            (
                Dial::new(&host, port),
                limit.filter(|limit| !limit.is_zero()).map(|limit| now + limit),
            )
        });
        match dial.poll(sys) {
            Progress::Done(Ok(socket)) => {
                if let Some(net) = sys.net() {
                    net.close(socket);
                }
                Step::Exit(0)
            }
            Progress::Done(Err(DialError::NoSuchHost)) => {
                fail(sys, &format!("DNS: lookup {host}: no such host"))
            }
            Progress::Done(Err(DialError::Connect(Errno::ConnRefused))) => fail(sys, "REFUSED"),
            Progress::Done(Err(DialError::Connect(Errno::TimedOut))) => fail(sys, "TIMEOUT"),
            Progress::Done(Err(DialError::Connect(errno))) => {
                let why = errno.to_string().to_lowercase();
                fail(sys, &format!("OTHER: dial tcp {host}:{port}: connect: {why}"))
            }
            Progress::Waits(until) => match *deadline {
                Some(at) if at <= now => {
                    dial.hang_up(sys);
                    fail(sys, "TIMEOUT")
                }
                deadline => Step::Block { until: until.into_iter().chain(deadline).min() },
            },
        }
    }
}

fn fail(sys: &mut dyn Sys, why: &str) -> Step {
    let _ = sys.write(2, format!("{why}\n").as_bytes());
    Step::Exit(1)
}
