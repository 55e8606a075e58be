//! `redis-cli`.

use super::resp::{array, line, show};
use super::{PORT, READ_MAX};
use naru_shell::serve::{Dial, DialError};
use naru_shell::{Errno, Program, Progress, SocketId, Step, Sys};
use std::collections::VecDeque;

/// `redis-cli [-h host] [-p port] command …`, or commands from standard input, line by line.
#[derive(Clone, Debug, Default)]
pub struct RedisCli {
    state: Cli,
    commands: VecDeque<Vec<String>>,
    from_input: bool,
    input: Vec<u8>,
    ended: bool,
    answer: Vec<u8>,
    address: String,
}

#[derive(Clone, Debug, Default)]
enum Cli {
    #[default]
    New,
    Dialing(Box<Dial>),
    Ready(SocketId),
    Waiting(SocketId),
}

impl Program for RedisCli {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        loop {
            let step = match std::mem::take(&mut self.state) {
                Cli::New => self.begin(sys),
                Cli::Dialing(dial) => self.dial(sys, dial),
                Cli::Ready(socket) => self.send_next(sys, socket),
                Cli::Waiting(socket) => self.receive(sys, socket),
            };
            if let Some(step) = step {
                return step;
            }
        }
    }
}

impl RedisCli {
    fn begin(&mut self, sys: &mut dyn Sys) -> Option<Step> {
        let args: Vec<String> = sys.args().iter().skip(1).cloned().collect();
        let (mut host, mut port) = ("127.0.0.1".to_owned(), PORT);
        let mut rest = args.into_iter();
        let mut command = Vec::new();
        while let Some(arg) = rest.next() {
            match arg.as_str() {
                "-h" if command.is_empty() => host = rest.next().unwrap_or_default(),
                "-p" if command.is_empty() => {
                    port = rest.next().and_then(|text| text.parse().ok()).unwrap_or(PORT);
                }
                _ => command.push(arg),
            }
        }
        self.from_input = command.is_empty();
        if !command.is_empty() {
            self.commands.push_back(command);
        }
        self.address = format!("{host}:{port}");
        self.state = Cli::Dialing(Box::new(Dial::new(&host, port)));
        None
    }

    fn dial(&mut self, sys: &mut dyn Sys, mut dial: Box<Dial>) -> Option<Step> {
        let why = match dial.poll(sys) {
            Progress::Waits(until) => {
                self.state = Cli::Dialing(dial);
                return Some(Step::Block { until });
            }
            Progress::Done(Ok(socket)) => {
                self.state = Cli::Ready(socket);
                return None;
            }
            Progress::Done(Err(DialError::NoSuchHost)) => "Name or service not known".to_owned(),
            Progress::Done(Err(DialError::Connect(errno))) => errno.to_string(),
        };
        let line = format!("Could not connect to Redis at {}: {why}\n", self.address);
        let _ = sys.write(2, line.as_bytes());
        Some(Step::Exit(1))
    }

    fn send_next(&mut self, sys: &mut dyn Sys, socket: SocketId) -> Option<Step> {
        self.state = Cli::Ready(socket);
        while self.from_input && self.commands.is_empty() && !self.ended {
            match sys.read(0, READ_MAX) {
                Ok(bytes) if bytes.is_empty() => self.ended = true,
                Ok(bytes) => self.input.extend(bytes),
                Err(Errno::Again) => return Some(Step::Block { until: None }),
                Err(_) => self.ended = true,
            }
            while let Some((text, taken)) = line(&self.input, 0) {
                self.input.drain(..taken);
                let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
                if !words.is_empty() {
                    self.commands.push_back(words);
                }
            }
        }
        let Some(command) = self.commands.pop_front() else { return Some(Step::Exit(0)) };
        let words = command.iter().map(String::as_str);
        let bytes = array(words).into_bytes();
        match sys.net()?.send(socket, &bytes) {
            Ok(taken) if taken == bytes.len() => {
                self.answer.clear();
                self.state = Cli::Waiting(socket);
                None
            }
            _ => Some(Step::Exit(1)),
        }
    }

    fn receive(&mut self, sys: &mut dyn Sys, socket: SocketId) -> Option<Step> {
        self.state = Cli::Waiting(socket);
        match sys.net()?.recv(socket, READ_MAX) {
            Ok(bytes) if bytes.is_empty() => {
                let _ = sys.write(2, b"Error: Server closed the connection\n");
                return Some(Step::Exit(1));
            }
            Ok(bytes) => self.answer.extend(bytes),
            Err(Errno::Again) => return Some(Step::Block { until: None }),
            Err(_) => return Some(Step::Exit(1)),
        }
        if let Some((text, _)) = show(&self.answer, 0, sys.is_tty(1), "") {
            let _ = sys.write(1, text.as_bytes());
            self.state = Cli::Ready(socket);
        }
        None
    }
}
