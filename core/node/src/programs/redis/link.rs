//! The way from a replica to its master. Upstream: `src/replication.c`.

use super::READ_MAX;
use super::resp::{array, line};
use naru_shell::serve::{Dial, DialError};
use naru_shell::{Errno, Progress, SocketId, Sys};
use naru_sim::Time;
use std::time::Duration;

/// How long until it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The way, as far as it has come.
#[derive(Clone, Debug)]
pub struct Link {
    pub host: String,
    pub port: u16,
    /// The master's own name and where the copy was taken.
    pub replid: String,
    /// What has been done of the master's stream, in bytes.
    pub offset: u64,
    /// When something came last.
    pub heard: Time,
    /// Since when there is no way.
    pub down_since: Time,
    retry_at: Option<Time>,
    state: State,
    input: Vec<u8>,
    output: Vec<u8>,
}

#[derive(Clone, Debug)]
enum State {
    Resting(Time),
    Dialing(Box<Dial>),
    /// What the next answer is to.
    Asking(SocketId, Asked),
    Copying(SocketId, usize),
    Online(SocketId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Ping,
    Auth,
    Port,
    Sync,
}

/// What the server has to do.
#[derive(Debug)]
pub enum News {
    /// A line of the log, with its mark.
    Log(&'static str, String),
    /// The copy of all data.
    Copy(Vec<u8>),
    /// A command of the master, whose bytes are so many.
    Command(Vec<String>, usize),
}

impl Link {
    /// A way that has not been tried.
    pub fn new(host: &str, port: u16, now: Time) -> Self {
        Link {
            host: host.to_owned(),
            port,
            replid: "?".to_owned(),
            offset: 0,
            heard: now,
            down_since: now,
            retry_at: None,
            state: State::Resting(now),
            input: Vec::new(),
            output: Vec::new(),
        }
    }

    /// Whether it gets the stream of commands.
    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Online(_))
    }

    /// Whether the copy is under way.
    pub fn copies(&self) -> bool {
        matches!(self.state, State::Copying(..))
    }

    /// When it goes on by itself.
    pub fn next_due(&self) -> Option<Time> {
        match self.state {
            State::Resting(at) => Some(at),
            State::Dialing(_) => self.retry_at,
            _ => None,
        }
    }

    /// Gives it up.
    pub fn hang_up(&mut self, sys: &mut dyn Sys) {
        match &mut self.state {
            State::Dialing(dial) => dial.hang_up(sys),
            State::Asking(socket, _) | State::Copying(socket, _) | State::Online(socket) => {
                let socket = *socket;
                if let Some(net) = sys.net() {
                    net.close(socket);
                }
            }
            State::Resting(_) => {}
        }
    }

    /// Confirms what has been done.
    pub fn acknowledge(&mut self, sys: &mut dyn Sys) {
        if let State::Online(socket) = self.state {
            let offset = self.offset.to_string();
            self.output.extend(array(["REPLCONF", "ACK", &offset].into_iter()).into_bytes());
            self.send(sys, socket);
        }
    }

    /// Goes on as far as it can. `password` and `port` are what the master is told.
    pub fn go_on(&mut self, sys: &mut dyn Sys, password: &str, port: u16) -> Vec<News> {
        let mut news = Vec::new();
        while self.step(sys, password, port, &mut news) {}
        news
    }

    /// Tells whether there may be more to do.
    fn step(&mut self, sys: &mut dyn Sys, password: &str, port: u16, news: &mut Vec<News>) -> bool {
        let mut say = |mark, text: &str| news.push(News::Log(mark, text.to_owned()));
        match &mut self.state {
            State::Resting(at) if sys.now() < *at => false,
            State::Resting(_) => {
                say("*", &format!("Connecting to MASTER {}:{}", self.host, self.port));
                say("*", "MASTER <-> REPLICA sync started");
                self.state = State::Dialing(Box::new(Dial::new(&self.host, self.port)));
                true
            }
            State::Dialing(dial) => match dial.poll(sys) {
                Progress::Waits(until) => {
                    self.retry_at = until;
                    false
                }
                Progress::Done(Ok(socket)) => {
                    say("*", "Non blocking connect for SYNC fired the event.");
                    self.ask(sys, socket, Asked::Ping, &["PING"]);
                    true
                }
                Progress::Done(Err(DialError::NoSuchHost)) => {
                    say("#", "Unable to connect to MASTER: Resource temporarily unavailable");
                    self.rest(sys.now());
                    false
                }
                Progress::Done(Err(DialError::Connect(errno))) => {
                    say("#", &format!("Error condition on socket for SYNC: {errno}"));
                    self.rest(sys.now());
                    false
                }
            },
            State::Asking(socket, asked) => {
                let (socket, asked) = (*socket, *asked);
                if !self.receive(sys, socket) {
                    say("#", "Failed to read response from the server: Connection reset by peer");
                    say("#", "Master did not respond to command during SYNC handshake");
                    self.rest(sys.now());
                    return false;
                }
                self.answered(sys, socket, asked, (password, port), news)
            }
            State::Copying(socket, length) => {
                let (socket, length) = (*socket, *length);
                let there = self.receive(sys, socket);
                if self.input.len() >= length {
                    let copy: Vec<u8> = self.input.drain(..length).collect();
                    say("*", "MASTER <-> REPLICA sync: Flushing old data");
                    say("*", "MASTER <-> REPLICA sync: Loading DB in memory");
                    news.push(News::Copy(copy));
                    self.state = State::Online(socket);
                    self.heard = sys.now();
                    let done = "MASTER <-> REPLICA sync: Finished with success";
                    news.push(News::Log("*", done.to_owned()));
                    return true;
                }
                if !there {
                    say("#", "I/O error trying to sync with MASTER: connection lost");
                    self.rest(sys.now());
                }
                false
            }
            State::Online(socket) => {
                let socket = *socket;
                let there = self.receive(sys, socket);
                while let Ok(Some((words, taken))) = super::resp::parse(&self.input) {
                    self.input.drain(..taken.min(self.input.len()));
                    self.heard = sys.now();
                    news.push(News::Command(words, taken));
                }
                if !there {
                    news.push(News::Log("*", "Connection with master lost.".to_owned()));
                    let kept = "Caching the disconnected master state.";
                    news.push(News::Log("*", kept.to_owned()));
                    self.down_since = sys.now();
                    self.rest(sys.now());
                }
                false
            }
        }
    }

    fn answered(
        &mut self,
        sys: &mut dyn Sys,
        socket: SocketId,
        asked: Asked,
        (password, port): (&str, u16),
        news: &mut Vec<News>,
    ) -> bool {
        let Some((text, taken)) = line(&self.input, 0) else { return false };
        let mut say = |mark, text: &str| news.push(News::Log(mark, text.to_owned()));
        match asked {
            Asked::Ping if text.starts_with('+') || text.starts_with("-NOAUTH") => {
                self.input.drain(..taken);
                say("*", "Master replied to PING, replication can continue...");
                match password {
                    "" => self.tell_port(sys, socket, port),
                    password => self.ask(sys, socket, Asked::Auth, &["AUTH", password]),
                }
                true
            }
            Asked::Auth if text.starts_with('+') => {
                self.input.drain(..taken);
                self.tell_port(sys, socket, port);
                true
            }
            Asked::Port if text.starts_with('+') => {
                self.input.drain(..taken);
                say("*", "Partial resynchronization not possible (no cached master)");
                self.ask(sys, socket, Asked::Sync, &["PSYNC", "?", "-1"]);
                true
            }
            Asked::Sync if text.starts_with("+FULLRESYNC ") => {
                let Some((head, after)) = line(&self.input, taken) else { return false };
                let length = head.strip_prefix('$').and_then(|text| text.parse().ok());
                let mut words = text.split(' ').skip(1);
                self.replid = words.next().unwrap_or_default().to_owned();
                self.offset = words.next().and_then(|text| text.parse().ok()).unwrap_or(0);
                say("*", &format!("Full resync from master: {}:{}", self.replid, self.offset));
                let length = length.unwrap_or(0);
                let what = format!("receiving {length} bytes from master to disk");
                say("*", &format!("MASTER <-> REPLICA sync: {what}"));
                self.input.drain(..after);
                self.state = State::Copying(socket, length);
                true
            }
            _ => {
                let text = text.trim_start_matches('-');
                let why = match asked {
                    Asked::Ping => format!("Error reply to PING from master: '-{text}'"),
                    Asked::Auth => format!("Unable to AUTH to MASTER: -{text}"),
                    Asked::Port => {
                        format!("(Non critical) Master does not understand REPLCONF: -{text}")
                    }
                    Asked::Sync => format!("Unexpected reply to PSYNC from master: -{text}"),
                };
                say("#", &why);
                if let Some(net) = sys.net() {
                    net.close(socket);
                }
                self.rest(sys.now());
                false
            }
        }
    }

    fn tell_port(&mut self, sys: &mut dyn Sys, socket: SocketId, port: u16) {
        let port = port.to_string();
        self.ask(sys, socket, Asked::Port, &["REPLCONF", "listening-port", &port]);
    }

    fn ask(&mut self, sys: &mut dyn Sys, socket: SocketId, asked: Asked, words: &[&str]) {
        self.output.extend(array(words.iter().copied()).into_bytes());
        self.send(sys, socket);
        self.state = State::Asking(socket, asked);
    }

    fn rest(&mut self, now: Time) {
        self.input.clear();
        self.output.clear();
        self.state = State::Resting(now + RETRY);
    }

    fn send(&mut self, sys: &mut dyn Sys, socket: SocketId) {
        let Some(net) = sys.net() else { return };
        while !self.output.is_empty() {
            match net.send(socket, &self.output) {
                Ok(taken) if taken > 0 => drop(self.output.drain(..taken.min(self.output.len()))),
                _ => return,
            }
        }
    }

    /// Takes in what came; tells whether the other side is still there.
    fn receive(&mut self, sys: &mut dyn Sys, socket: SocketId) -> bool {
        self.send(sys, socket);
        let Some(net) = sys.net() else { return false };
        loop {
            match net.recv(socket, READ_MAX) {
                Ok(bytes) if bytes.is_empty() => {
                    net.close(socket);
                    return false;
                }
                Ok(bytes) => self.input.extend(bytes),
                Err(Errno::Again) => return true,
                Err(_) => {
                    net.close(socket);
                    return false;
                }
            }
        }
    }
}
