//! What both clients do: connect, read statements, ask.

use super::{Question, Reply};
use naru_shell::serve::{Dial, DialError};
use naru_shell::{Errno, Program, Progress, Signal, SocketId, Step, Sys};
use std::collections::VecDeque;
use std::net::IpAddr;

const READ_MAX: usize = 64 * 1024;

/// What is particular to a client.
pub trait Flavor: Clone + std::fmt::Debug + Default + Send + Sync + 'static {
    /// Reads the command line. The error is what is said, and the exit code.
    fn begin(&mut self, sys: &mut dyn Sys) -> Result<Wish, (String, i32)>;
    /// Takes whole statements out of what was typed.
    fn take(&mut self, typed: &mut String) -> Vec<String>;
    /// What a statement is for itself, without the server: an answer, or the end.
    fn own(&mut self, statement: &str) -> Option<Own>;
    /// The statement as the server understands it.
    fn translate(&self, statement: &str) -> String {
        statement.to_owned()
    }
    /// The text of an answer, for standard output and standard error.
    fn show(&mut self, statement: &str, reply: &Reply, line: usize) -> (String, String, bool);
    /// It stands, with this address at the other end.
    fn connected(&mut self, _peer: IpAddr) {}
    /// What is said once it stands.
    fn greeting(&self, _version: &str) -> String {
        String::new()
    }
    /// What is said when there is no server.
    fn unreachable(&self, host: &str, port: u16, why: &DialError) -> (String, i32);
    /// The prompt; `begun` tells whether a statement has begun.
    fn prompt(&self, begun: bool) -> String;
}

/// What a client does for itself.
pub enum Own {
    Say(String),
    Ask(String),
    End,
}

/// Where a client connects and what it asks.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
    pub database: String,
    /// Statements of the command line; none reads standard input.
    pub statements: Option<String>,
    /// Whether a mistake ends it.
    pub stops: bool,
}

/// A client.
#[derive(Clone, Debug, Default)]
pub struct Client<F: Flavor> {
    pub flavor: F,
    wish: Option<Wish>,
    state: State,
    statements: VecDeque<(String, usize)>,
    typed: String,
    ended: bool,
    greeted: bool,
    answer: Vec<u8>,
    line: usize,
    code: i32,
}

#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    New,
    Dialing(Box<Dial>),
    Ready(SocketId),
    Waiting(SocketId, String, usize),
}

impl<F: Flavor> Program for Client<F> {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        loop {
            let step = match std::mem::take(&mut self.state) {
                State::New => self.begin(sys),
                State::Dialing(dial) => self.dial(sys, dial),
                State::Ready(socket) => self.next(sys, socket),
                State::Waiting(socket, statement, line) => {
                    self.receive(sys, socket, statement, line)
                }
            };
            if let Some(step) = step {
                return step;
            }
        }
    }
}

impl<F: Flavor> Client<F> {
    fn begin(&mut self, sys: &mut dyn Sys) -> Option<Step> {
        match self.flavor.begin(sys) {
            Ok(wish) => {
                if let Some(text) = &wish.statements {
                    let mut typed = text.clone() + ";";
                    let all = self.flavor.take(&mut typed);
                    self.statements.extend(all.into_iter().map(|statement| (statement, 1)));
                    self.ended = true;
                }
                if sys.is_tty(0) {
                    sys.catch(Signal::Int);
                }
                self.state = State::Dialing(Box::new(Dial::new(&wish.host, wish.port)));
                self.wish = Some(wish);
                None
            }
            Err((text, code)) => {
                let _ = sys.write(2, text.as_bytes());
                Some(Step::Exit(code))
            }
        }
    }

    fn dial(&mut self, sys: &mut dyn Sys, mut dial: Box<Dial>) -> Option<Step> {
        match dial.poll(sys) {
            Progress::Waits(until) => {
                self.state = State::Dialing(dial);
                Some(Step::Block { until })
            }
            Progress::Done(Ok(socket)) => {
                if let Some(Ok(peer)) = sys.net().map(|net| net.peer_addr(socket)) {
                    self.flavor.connected(peer.ip());
                }
                // Asks whether user and database are right.
                self.ask(sys, socket, String::new(), 0)
            }
            Progress::Done(Err(why)) => {
                let wish = self.wish.clone().unwrap_or_default();
                let (text, code) = self.flavor.unreachable(&wish.host, wish.port, &why);
                let _ = sys.write(2, text.as_bytes());
                Some(Step::Exit(code))
            }
        }
    }

    fn ask(
        &mut self,
        sys: &mut dyn Sys,
        socket: SocketId,
        sql: String,
        line: usize,
    ) -> Option<Step> {
        let wish = self.wish.clone().unwrap_or_default();
        let question = Question {
            user: wish.user,
            password: wish.password,
            database: wish.database,
            sql: self.flavor.translate(&sql),
        };
        let mut bytes = serde_json::to_vec(&question).unwrap_or_default();
        bytes.push(b'\n');
        self.state = State::Waiting(socket, sql, line);
        match sys.net()?.send(socket, &bytes) {
            Ok(taken) if taken == bytes.len() => None,
            _ => Some(Step::Exit(1)),
        }
    }

    fn next(&mut self, sys: &mut dyn Sys, socket: SocketId) -> Option<Step> {
        self.state = State::Ready(socket);
        let tty = sys.is_tty(0);
        if tty && sys.take_signal().is_some() {
            self.typed.clear();
            let _ = sys.write(1, format!("^C\n{}", self.flavor.prompt(false)).as_bytes());
        }
        while self.statements.is_empty() && !self.ended {
            match sys.read(0, READ_MAX) {
                Ok(bytes) if bytes.is_empty() => self.ended = true,
                Ok(bytes) => {
                    let first = self.line.max(1);
                    self.line = first + bytes.iter().filter(|byte| **byte == b'\n').count();
                    self.typed.push_str(&String::from_utf8_lossy(&bytes));
                    let all = self.flavor.take(&mut self.typed);
                    self.statements.extend(all.into_iter().map(|statement| (statement, first)));
                    if tty && self.statements.is_empty() {
                        let begun = !self.typed.trim().is_empty();
                        let _ = sys.write(1, self.flavor.prompt(begun).as_bytes());
                    }
                }
                Err(Errno::Again) => return Some(Step::Block { until: None }),
                Err(_) => self.ended = true,
            }
            if self.ended && !self.typed.trim().is_empty() {
                let mut typed = std::mem::take(&mut self.typed) + ";";
                let line = self.line.max(1);
                let all = self.flavor.take(&mut typed);
                self.statements.extend(all.into_iter().map(|statement| (statement, line)));
            }
        }
        let Some((statement, line)) = self.statements.pop_front() else {
            return Some(Step::Exit(self.code));
        };
        match self.flavor.own(&statement) {
            Some(Own::End) => Some(Step::Exit(self.code)),
            Some(Own::Say(text)) => {
                let _ = sys.write(1, text.as_bytes());
                self.prompt(sys);
                None
            }
            Some(Own::Ask(sql)) => self.ask(sys, socket, sql, line),
            None => self.ask(sys, socket, statement, line),
        }
    }

    fn prompt(&self, sys: &mut dyn Sys) {
        let waits = self.statements.is_empty() && !self.ended;
        if waits && sys.is_tty(0) {
            let _ = sys.write(1, self.flavor.prompt(false).as_bytes());
        }
    }

    fn receive(
        &mut self,
        sys: &mut dyn Sys,
        socket: SocketId,
        statement: String,
        line: usize,
    ) -> Option<Step> {
        self.state = State::Waiting(socket, statement.clone(), line);
        loop {
            match sys.net()?.recv(socket, READ_MAX) {
                Ok(bytes) if bytes.is_empty() => {
                    let _ = sys.write(2, b"server closed the connection unexpectedly\n");
                    return Some(Step::Exit(2));
                }
                Ok(bytes) => self.answer.extend(bytes),
                Err(Errno::Again) => break,
                Err(_) => return Some(Step::Exit(2)),
            }
        }
        let Some(end) = self.answer.iter().position(|byte| *byte == b'\n') else {
            return Some(Step::Block { until: None });
        };
        let text: Vec<u8> = self.answer.drain(..=end).collect();
        let Ok(reply) = serde_json::from_slice::<Reply>(&text) else { return Some(Step::Exit(2)) };
        self.state = State::Ready(socket);
        if let (Ok(super::store::Outcome::Using(name)), Some(wish)) =
            (&reply.outcome, &mut self.wish)
        {
            wish.database.clone_from(name);
        }
        let first = !std::mem::replace(&mut self.greeted, true);
        if first && reply.outcome.is_ok() {
            if sys.is_tty(0) && self.wish.as_ref().is_some_and(|wish| wish.statements.is_none()) {
                let _ = sys.write(1, self.flavor.greeting(&reply.version).as_bytes());
            }
            self.prompt(sys);
            return None;
        }
        let (stdout, stderr, failed) = self.flavor.show(&statement, &reply, line);
        let _ = sys.write(1, stdout.as_bytes());
        let _ = sys.write(2, stderr.as_bytes());
        if failed {
            self.code = 1;
            let stops = self.wish.as_ref().is_some_and(|wish| wish.stops) && !sys.is_tty(0);
            if first || stops {
                return Some(Step::Exit(if first && !stops { 2 } else { 1 }));
            }
        } else {
            self.code = 0;
        }
        self.prompt(sys);
        None
    }
}
