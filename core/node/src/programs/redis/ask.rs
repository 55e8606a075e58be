//! One question of a program that is no client for people.

use super::READ_MAX;
use super::resp::{array, line};
use naru_shell::serve::{Dial, DialError};
use naru_shell::{Errno, Progress, SocketId, Sys};
use naru_sim::Time;

/// Why there is no answer.
#[derive(Clone, Debug)]
pub enum AskError {
    /// The name has no address.
    NoSuchHost,
    /// There is no connection.
    Connect(Errno),
    /// The server refuses.
    Server(String),
}

/// The question, as far as it has come.
#[derive(Clone, Debug)]
pub struct Ask {
    bytes: Vec<u8>,
    state: State,
    answer: Vec<u8>,
    retry_at: Option<Time>,
}

#[derive(Clone, Debug)]
enum State {
    Dialing(Box<Dial>),
    Waiting(SocketId),
}

impl Ask {
    /// Begins to ask.
    pub fn new(host: &str, port: u16, words: &[String]) -> Ask {
        Ask {
            bytes: array(words.iter().map(String::as_str)).into_bytes(),
            state: State::Dialing(Box::new(Dial::new(host, port))),
            answer: Vec::new(),
            retry_at: None,
        }
    }

    /// When it goes on by itself.
    pub fn next_due(&self) -> Option<Time> {
        self.retry_at
    }

    /// Goes on; the answer's text (`None` for nil) once it is there.
    pub fn poll(&mut self, sys: &mut dyn Sys) -> Option<Result<Option<String>, AskError>> {
        if let State::Dialing(dial) = &mut self.state {
            match dial.poll(sys) {
                Progress::Waits(until) => {
                    self.retry_at = until;
                    return None;
                }
                Progress::Done(Ok(socket)) => {
                    self.retry_at = None;
                    let _ = sys.net()?.send(socket, &self.bytes);
                    self.state = State::Waiting(socket);
                }
                Progress::Done(Err(DialError::NoSuchHost)) => {
                    return Some(Err(AskError::NoSuchHost));
                }
                Progress::Done(Err(DialError::Connect(errno))) => {
                    return Some(Err(AskError::Connect(errno)));
                }
            }
        }
        let State::Waiting(socket) = self.state else { return None };
        loop {
            match sys.net()?.recv(socket, READ_MAX) {
                Ok(bytes) if bytes.is_empty() => {
                    return Some(Err(AskError::Connect(Errno::ConnReset)));
                }
                Ok(bytes) => self.answer.extend(bytes),
                Err(Errno::Again) => break,
                Err(errno) => return Some(Err(AskError::Connect(errno))),
            }
        }
        let (head, after) = line(&self.answer, 0)?;
        let (mark, rest) = head.split_at_checked(1)?;
        let said = match (mark, rest.parse::<usize>()) {
            ("-", _) => Err(AskError::Server(rest.to_owned())),
            ("$", Err(_)) => Ok(None),
            ("$", Ok(length)) => {
                let text = self.answer.get(after..after.checked_add(length)?)?;
                Ok(Some(String::from_utf8_lossy(text).into_owned()))
            }
            _ => Ok(Some(rest.to_owned())),
        };
        sys.net()?.close(socket);
        Some(said)
    }
}
