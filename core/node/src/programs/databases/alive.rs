//! `mysqladmin ping` and `pg_isready`: whether a server takes connections.
//!
//! Upstream: `client/mysqladmin.cc` of `mysql/mysql-server`, `src/bin/scripts/pg_isready.c` of
//! `postgres/postgres`.

use super::Dialect;
use naru_shell::serve::{Dial, DialError};
use naru_shell::{Errno, Program, Progress, Step, Sys};
use naru_sim::Time;
use std::time::Duration;

/// How long `pg_isready` waits where nothing is said.
const PATIENCE: Duration = Duration::from_secs(3);

/// Either program; which one, its name says.
#[derive(Clone, Debug, Default)]
pub struct Alive {
    started: bool,
    mysql: bool,
    /// The host that was said; "" for the server beside.
    host: String,
    port: u16,
    quiet: bool,
    dial: Option<Dial>,
    deadline: Option<Time>,
}

impl Program for Alive {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if !self.started {
            self.started = true;
            if let Some(step) = self.begin(sys) {
                return step;
            }
        }
        let Some(dial) = &mut self.dial else { return Step::Exit(1) };
        match dial.poll(sys) {
            Progress::Done(Ok(socket)) => {
                if let Some(net) = sys.net() {
                    net.close(socket);
                }
                self.alive(sys)
            }
            Progress::Done(Err(why)) => self.dead(sys, &why),
            Progress::Waits(until) => match self.deadline {
                Some(at) if at <= sys.now() => {
                    dial.hang_up(sys);
                    self.dead(sys, &DialError::Connect(Errno::TimedOut))
                }
                deadline => Step::Block { until: until.into_iter().chain(deadline).min() },
            },
        }
    }
}

impl Alive {
    fn begin(&mut self, sys: &mut dyn Sys) -> Option<Step> {
        let args = sys.args().to_vec();
        let name = args.first().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        self.mysql = name == "mysqladmin";
        self.port = if self.mysql { Dialect::Mysql.port() } else { Dialect::Postgres.port() };
        let mut command = None;
        let mut rest = args.iter().skip(1);
        while let Some(arg) = rest.next() {
            let (flag, glued) = match (arg.split_once('='), arg.split_at_checked(2)) {
                (Some((flag, value)), _) if arg.starts_with("--") => (flag, Some(value.to_owned())),
                (_, Some((flag, value)))
                    if arg.starts_with('-') && !arg.starts_with("--") && !value.is_empty() =>
                {
                    (flag, Some(value.to_owned()))
                }
                _ => (arg.as_str(), None),
            };
            let mut value = || glued.clone().or_else(|| rest.next().cloned()).unwrap_or_default();
            match flag {
                "-h" | "--host" => self.host = value(),
                "-P" | "--port" => self.port = value().parse().unwrap_or(self.port),
                "-p" if !self.mysql => self.port = value().parse().unwrap_or(self.port),
                "-p" | "--password" | "--silent" | "-s" => {}
                "-q" | "--quiet" => self.quiet = true,
                "-u" | "--user" | "-U" | "--username" | "-d" | "--dbname" => drop(value()),
                "-t" | "--timeout" => {
                    let seconds = value().parse().unwrap_or(3);
                    self.deadline = Some(sys.now() + Duration::from_secs(seconds));
                }
                word if word.starts_with('-') => {}
                word => command = Some(word.to_owned()),
            }
        }
        if self.mysql && command.as_deref() != Some("ping") {
            let word = command.unwrap_or_default();
            let text =
                format!("mysqladmin: the sandbox's mysqladmin pings only, and not '{word}'\n");
            let _ = sys.write(2, text.as_bytes());
            return Some(Step::Exit(1));
        }
        if !self.mysql {
            self.deadline.get_or_insert(sys.now() + PATIENCE);
        }
        let host = if self.host.is_empty() { "127.0.0.1" } else { &self.host };
        self.dial = Some(Dial::new(host, self.port));
        None
    }

    fn place(&self) -> String {
        let host = if self.host.is_empty() { "/var/run/postgresql" } else { &self.host };
        format!("{host}:{}", self.port)
    }

    fn alive(&self, sys: &mut dyn Sys) -> Step {
        let text = match self.mysql {
            true => "mysqld is alive\n".to_owned(),
            false => format!("{} - accepting connections\n", self.place()),
        };
        let _ = sys.write(1, if self.quiet { b"" } else { text.as_bytes() });
        Step::Exit(0)
    }

    fn dead(&self, sys: &mut dyn Sys, why: &DialError) -> Step {
        let (host, port) = (&self.host, self.port);
        if !self.mysql {
            let text = format!("{} - no response\n", self.place());
            let _ = sys.write(1, if self.quiet { b"" } else { text.as_bytes() });
            return Step::Exit(2);
        }
        let text = match (host.as_str(), why) {
            ("" | "localhost", _) => "mysqladmin: connect to server at 'localhost' failed\nerror: 'Can't \
                                      connect to local MySQL server through socket \
                                      '/var/run/mysqld/mysqld.sock' (2)'\nCheck that mysqld is running \
                                      and that the socket: '/var/run/mysqld/mysqld.sock' exists!\n"
                .to_owned(),
            (host, DialError::NoSuchHost) => format!(
                "mysqladmin: connect to server at '{host}' failed\nerror: 'Unknown MySQL server host \
                 '{host}' (-2)'\nCheck that mysqld is running on {host} and that the port is {port}.\nYou \
                 can check this by doing 'telnet {host} {port}'\n"
            ),
            (host, DialError::Connect(errno)) => {
                let number = if *errno == Errno::ConnRefused { 111 } else { 110 };
                format!(
                    "mysqladmin: connect to server at '{host}' failed\nerror: 'Can't connect to MySQL \
                     server on '{host}:{port}' ({number})'\nCheck that mysqld is running on {host} and \
                     that the port is {port}.\nYou can check this by doing 'telnet {host} {port}'\n"
                )
            }
        };
        let _ = sys.write(2, text.as_bytes());
        Step::Exit(1)
    }
}
