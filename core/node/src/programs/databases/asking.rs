//! A question of a program that is no client for people: a web application's.

use super::store::{Outcome, SqlError, Value};
use super::{Dialect, Question, Reply};
use naru_shell::serve::{Dial, DialError};
use naru_shell::{Errno, Progress, SocketId, Sys};
use naru_sim::Time;

/// Bytes read at once.
const READ_MAX: usize = 64 * 1024;

/// Who asks, and whom.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// `host` or `host:port`.
    pub host: String,
    /// User name.
    pub user: String,
    /// Its password.
    pub password: String,
    /// The database.
    pub database: String,
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub enum AskError {
    /// There is no connection.
    Connect,
    /// The server does not know the user or the database.
    Denied,
    /// There is no such table.
    NoTable,
    /// The statement could not be done.
    Failed,
}

/// Statements that are asked one after the other on one connection.
#[derive(Clone, Debug)]
pub struct Asking {
    access: Access,
    statements: Vec<String>,
    at: usize,
    state: State,
    answer: Vec<u8>,
    rows: Vec<Vec<Vec<String>>>,
    retry_at: Option<Time>,
}

#[derive(Clone, Debug)]
enum State {
    Dialing(Box<Dial>),
    Waiting(SocketId),
}

impl Asking {
    /// Begins to ask a MySQL server.
    pub fn mysql(access: Access, statements: Vec<String>) -> Asking {
        let (host, port) = match access.host.rsplit_once(':') {
            Some((host, port)) => (host.to_owned(), port.parse().ok()),
            None => (access.host.clone(), None),
        };
        let port = port.unwrap_or_else(|| Dialect::Mysql.port());
        Asking {
            access,
            statements,
            at: 0,
            state: State::Dialing(Box::new(Dial::new(&host, port))),
            answer: Vec::new(),
            rows: Vec::new(),
            retry_at: None,
        }
    }

    /// When it goes on by itself.
    pub fn next_due(&self) -> Option<Time> {
        self.retry_at
    }

    /// Goes on as far as it can; the rows of every statement once all are answered.
    pub fn poll(&mut self, sys: &mut dyn Sys) -> Option<Result<Vec<Vec<Vec<String>>>, AskError>> {
        loop {
            match &mut self.state {
                State::Dialing(dial) => match dial.poll(sys) {
                    Progress::Waits(until) => {
                        self.retry_at = until;
                        return None;
                    }
                    Progress::Done(Ok(socket)) => {
                        self.retry_at = None;
                        self.ask(sys, socket)?;
                    }
                    Progress::Done(Err(DialError::NoSuchHost | DialError::Connect(_))) => {
                        return Some(Err(AskError::Connect));
                    }
                },
                State::Waiting(socket) => {
                    let socket = *socket;
                    let done = self.receive(sys, socket)?;
                    if let Some(net) = sys.net()
                        && (done.is_err() || self.at >= self.statements.len())
                    {
                        net.close(socket);
                    }
                    match done {
                        Err(error) => return Some(Err(error)),
                        Ok(()) if self.at >= self.statements.len() => {
                            return Some(Ok(std::mem::take(&mut self.rows)));
                        }
                        Ok(()) => self.ask(sys, socket)?,
                    }
                }
            }
        }
    }

    /// `None` where the machine has no network.
    fn ask(&mut self, sys: &mut dyn Sys, socket: SocketId) -> Option<()> {
        let Access { user, password, database, .. } = self.access.clone();
        let sql = self.statements.get(self.at).cloned().unwrap_or_default();
        let question = Question { user, password, database, sql };
        let mut bytes = serde_json::to_vec(&question).unwrap_or_default();
        bytes.push(b'\n');
        self.answer.clear();
        self.state = State::Waiting(socket);
        // What cannot be sent is not answered: the other side has gone.
        let _ = sys.net()?.send(socket, &bytes);
        Some(())
    }

    fn receive(&mut self, sys: &mut dyn Sys, socket: SocketId) -> Option<Result<(), AskError>> {
        loop {
            match sys.net()?.recv(socket, READ_MAX) {
                Ok(bytes) if bytes.is_empty() => return Some(Err(AskError::Connect)),
                Ok(bytes) => self.answer.extend(bytes),
                Err(Errno::Again) => break,
                Err(_) => return Some(Err(AskError::Connect)),
            }
        }
        let end = self.answer.iter().position(|byte| *byte == b'\n')?;
        let line = self.answer.get(..end).unwrap_or_default();
        let Ok(reply) = serde_json::from_slice::<Reply>(line) else {
            return Some(Err(AskError::Failed));
        };
        self.at += 1;
        let text = |row: &Vec<Value>| row.iter().map(Value::to_string).collect::<Vec<String>>();
        Some(match reply.outcome {
            Ok(Outcome::Rows { rows, .. }) => {
                self.rows.push(rows.iter().map(text).collect());
                Ok(())
            }
            Ok(_) => {
                self.rows.push(Vec::new());
                Ok(())
            }
            Err(SqlError::NoTable { .. }) => Err(AskError::NoTable),
            Err(SqlError::Denied { .. } | SqlError::UnknownDatabase(_)) => Err(AskError::Denied),
            Err(_) => Err(AskError::Failed),
        })
    }
}
