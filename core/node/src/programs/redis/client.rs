//! `redis-cli`.

use super::config::split;
use super::resp::{array, line, show};
use super::{PORT, READ_MAX};
use naru_shell::serve::{Dial, DialError};
use naru_shell::{Errno, Program, Progress, Signal, SocketId, Step, Sys};
use naru_sim::Time;
use std::collections::VecDeque;
use std::time::Duration;

/// Times that one command may be repeated.
const REPEATS_MAX: u64 = 100_000;

/// `redis-cli [-h host] [-p port] command …`, or commands from standard input, line by line.
#[derive(Clone, Debug, Default)]
pub struct RedisCli {
    state: Cli,
    commands: VecDeque<Vec<String>>,
    from_input: bool,
    input: Vec<u8>,
    ended: bool,
    answer: Vec<u8>,
    host: String,
    port: u16,
    password: Option<String>,
    user: Option<String>,
    /// `--raw` or `--no-raw`.
    raw: Option<bool>,
    /// `-x`: the last word is standard input.
    last_word: bool,
    repeats: u64,
    interval: Duration,
    db: String,
    /// What the answer that is waited for is to.
    asked: Vec<String>,
    prompted: bool,
    /// `-e`: a mistake shows in the exit code.
    tells: bool,
    code: i32,
}

#[derive(Clone, Debug, Default)]
enum Cli {
    #[default]
    New,
    Dialing(Box<Dial>),
    /// There is no server, and a person types on.
    Apart,
    Ready(SocketId),
    Waiting(SocketId),
    Resting(SocketId, Time),
}

impl Program for RedisCli {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        loop {
            let step = match std::mem::take(&mut self.state) {
                Cli::New => self.begin(sys),
                Cli::Dialing(dial) => self.dial(sys, dial),
                Cli::Apart => self.read_apart(sys),
                Cli::Ready(socket) => self.send_next(sys, socket),
                Cli::Waiting(socket) => self.receive(sys, socket),
                Cli::Resting(socket, at) if sys.now() < at => {
                    self.state = Cli::Resting(socket, at);
                    Some(Step::Block { until: Some(at) })
                }
                Cli::Resting(socket, _) => {
                    self.state = Cli::Ready(socket);
                    None
                }
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
        (self.host, self.port, self.repeats) = ("127.0.0.1".to_owned(), PORT, 1);
        self.password = sys.env().get("REDISCLI_AUTH").cloned();
        let command = match self.options(sys, args) {
            Ok(command) => command,
            Err((text, code)) => {
                let _ = sys.write(if code == 0 { 1 } else { 2 }, text.as_bytes());
                return Some(Step::Exit(code));
            }
        };
        self.from_input = command.is_empty();
        if !command.is_empty() && !self.last_word {
            let repeats = usize::try_from(self.repeats).unwrap_or(1);
            self.commands.extend(std::iter::repeat_n(command.clone(), repeats));
        }
        if self.last_word {
            self.asked = command;
        }
        if self.from_input && sys.is_tty(0) {
            sys.catch(Signal::Int);
        }
        self.state = Cli::Dialing(Box::new(Dial::new(&self.host, self.port)));
        None
    }

    /// The command of the command line; the error is a text and an exit code.
    fn options(
        &mut self,
        sys: &mut dyn Sys,
        args: Vec<String>,
    ) -> Result<Vec<String>, (String, i32)> {
        let mut rest = args.into_iter();
        let mut command = Vec::new();
        while let Some(arg) = rest.next() {
            if !command.is_empty() || !arg.starts_with('-') {
                command.push(arg);
                continue;
            }
            let mut value = || rest.next().unwrap_or_default();
            match arg.as_str() {
                "-h" => self.host = value(),
                "-p" => self.port = value().parse().unwrap_or(PORT),
                "-a" | "--pass" => {
                    self.password = Some(value());
                    let warning = "Warning: Using a password with '-a' or '-u' option on the \
                                   command line interface may not be safe.\n";
                    let quiet = sys.args().iter().any(|arg| arg == "--no-auth-warning");
                    let _ = sys.write(2, if quiet { b"" } else { warning.as_bytes() });
                }
                "--user" => self.user = Some(value()),
                "-n" => self.db = value(),
                "-r" => {
                    let text = value();
                    self.repeats = match text.parse::<i64>() {
                        Ok(times) => u64::try_from(times).unwrap_or(REPEATS_MAX).min(REPEATS_MAX),
                        Err(_) => 1,
                    };
                }
                "-i" => {
                    let seconds = value().parse::<f64>().unwrap_or(0.0).clamp(0.0, 86_400.0);
                    self.interval = Duration::from_secs_f64(seconds);
                }
                "-e" => self.tells = true,
                "-x" => self.last_word = true,
                "--raw" => self.raw = Some(true),
                "--no-raw" => self.raw = Some(false),
                "--no-auth-warning" => {}
                "-v" | "--version" => {
                    let version = sys.env().get("REDIS_VERSION").cloned();
                    let version = version.unwrap_or_else(|| "7.4.3".to_owned());
                    return Err((format!("redis-cli {version}\n"), 0));
                }
                other => {
                    let text =
                        format!("Unrecognized option or bad number of args for: '{other}'\n");
                    return Err((text, 1));
                }
            }
        }
        Ok(command)
    }

    fn dial(&mut self, sys: &mut dyn Sys, mut dial: Box<Dial>) -> Option<Step> {
        let why = match dial.poll(sys) {
            Progress::Waits(until) => {
                self.state = Cli::Dialing(dial);
                return Some(Step::Block { until });
            }
            Progress::Done(Ok(socket)) => {
                self.state = Cli::Ready(socket);
                let mut first = Vec::new();
                if let Some(password) = self.password.clone() {
                    let user = self.user.clone();
                    let words = ["AUTH".to_owned()].into_iter().chain(user).chain([password]);
                    first.push(words.collect());
                }
                if !self.db.is_empty() {
                    first.push(vec!["SELECT".to_owned(), self.db.clone()]);
                }
                for words in first.into_iter().rev() {
                    self.commands.push_front(words);
                }
                return None;
            }
            Progress::Done(Err(DialError::NoSuchHost)) => "Name or service not known".to_owned(),
            Progress::Done(Err(DialError::Connect(errno))) => errno.to_string(),
        };
        let line = format!("Could not connect to Redis at {}:{}: {why}\n", self.host, self.port);
        let _ = sys.write(2, line.as_bytes());
        if self.from_input && sys.is_tty(0) {
            self.prompted = false;
            self.state = Cli::Apart;
            return None;
        }
        Some(Step::Exit(1))
    }

    fn prompt(&mut self, sys: &mut dyn Sys, apart: bool) {
        if self.prompted || !sys.is_tty(0) {
            return;
        }
        self.prompted = true;
        let db = if self.db.is_empty() || self.db == "0" {
            String::new()
        } else {
            format!("[{}]", self.db)
        };
        let text = match apart {
            true => "not connected> ".to_owned(),
            false => format!("{}:{}{db}> ", self.host, self.port),
        };
        let _ = sys.write(1, text.as_bytes());
    }

    /// Reads what is typed while there is no server: a command tries to reach it again.
    fn read_apart(&mut self, sys: &mut dyn Sys) -> Option<Step> {
        self.state = Cli::Apart;
        if let Some(step) = self.read_commands(sys, true) {
            return Some(step);
        }
        match self.commands.front() {
            None => Some(Step::Exit(1)),
            Some(words) if is_end(words) => Some(Step::Exit(0)),
            Some(_) => {
                self.commands.clear();
                self.state = Cli::Dialing(Box::new(Dial::new(&self.host, self.port)));
                None
            }
        }
    }

    /// Reads until there is a command, or no more input.
    fn read_commands(&mut self, sys: &mut dyn Sys, apart: bool) -> Option<Step> {
        while (self.from_input || self.last_word) && self.commands.is_empty() && !self.ended {
            if self.from_input {
                self.prompt(sys, apart);
            }
            if sys.take_signal().is_some() {
                return Some(Step::Exit(0));
            }
            match sys.read(0, READ_MAX) {
                Ok(bytes) if bytes.is_empty() => self.ended = true,
                Ok(bytes) => {
                    self.prompted = false;
                    self.input.extend(bytes);
                }
                Err(Errno::Again) => return Some(Step::Block { until: None }),
                Err(_) => self.ended = true,
            }
            if self.last_word {
                if self.ended {
                    let word = String::from_utf8_lossy(&self.input).into_owned();
                    let mut command = std::mem::take(&mut self.asked);
                    command.push(word);
                    self.commands.push_back(command);
                    self.last_word = false;
                }
                continue;
            }
            if self.ended && !self.input.is_empty() && !self.input.ends_with(b"\n") {
                self.input.push(b'\n');
            }
            while let Some((text, taken)) = line(&self.input, 0) {
                self.input.drain(..taken);
                match split(&text) {
                    Some(words) if words.is_empty() => {}
                    // A line whose quotes do not fit stands as a command without words.
                    words => self.commands.push_back(words.unwrap_or_default()),
                }
            }
        }
        None
    }

    fn send_next(&mut self, sys: &mut dyn Sys, socket: SocketId) -> Option<Step> {
        self.state = Cli::Ready(socket);
        if let Some(step) = self.read_commands(sys, false) {
            return Some(step);
        }
        let Some(command) = self.commands.pop_front() else { return Some(Step::Exit(self.code)) };
        if command.is_empty() {
            let _ = sys.write(1, b"Invalid argument(s)\n");
            return None;
        }
        if self.from_input && is_end(&command) {
            return Some(Step::Exit(0));
        }
        if self.from_input && command.first().is_some_and(|word| word == "clear") {
            let _ = sys.write(1, b"\x1b[H\x1b[2J");
            return None;
        }
        let bytes = array(command.iter().map(String::as_str)).into_bytes();
        self.asked = command;
        match sys.net()?.send(socket, &bytes) {
            Ok(taken) if taken == bytes.len() => {
                self.answer.clear();
                self.state = Cli::Waiting(socket);
                None
            }
            _ => self.lost(sys),
        }
    }

    fn lost(&mut self, sys: &mut dyn Sys) -> Option<Step> {
        if self.asked.first().is_some_and(|word| word.eq_ignore_ascii_case("shutdown")) {
            if self.from_input && sys.is_tty(0) {
                self.prompted = false;
                self.state = Cli::Apart;
                return None;
            }
            return Some(Step::Exit(0));
        }
        if self.from_input && sys.is_tty(0) {
            self.state = Cli::Dialing(Box::new(Dial::new(&self.host, self.port)));
            return None;
        }
        let _ = sys.write(2, b"Error: Server closed the connection\n");
        Some(Step::Exit(1))
    }

    fn receive(&mut self, sys: &mut dyn Sys, socket: SocketId) -> Option<Step> {
        self.state = Cli::Waiting(socket);
        match sys.net()?.recv(socket, READ_MAX) {
            Ok(bytes) if bytes.is_empty() => return self.lost(sys),
            Ok(bytes) => self.answer.extend(bytes),
            Err(Errno::Again) => return Some(Step::Block { until: None }),
            Err(_) => return self.lost(sys),
        }
        let name = self.asked.first().map(|word| word.to_lowercase()).unwrap_or_default();
        let plain = ["info", "lolwut"].contains(&name.as_str())
            || (name == "client" && self.asked.get(1).is_some_and(|word| word == "list"));
        let for_people = !plain && self.raw.map_or_else(|| sys.is_tty(1), |raw| !raw);
        let (text, _) = show(&self.answer, 0, for_people, "")?;
        self.state = Cli::Ready(socket);
        let failed = self.answer.first() == Some(&b'-');
        let of_options = !self.from_input || self.commands.front().is_some();
        let silent = match name.as_str() {
            "auth" if self.password.is_some() => {
                if failed {
                    let why = text.trim_start_matches("(error) ");
                    let _ = sys.write(2, format!("AUTH failed: {why}").as_bytes());
                }
                self.password = None;
                true
            }
            "select" => {
                let set = self.asked.get(1).cloned().unwrap_or_default();
                let from_option = of_options && self.db == set;
                if !failed {
                    self.db = set;
                }
                from_option && !failed
            }
            _ => false,
        };
        if !silent {
            if failed && self.tells {
                self.code = 1;
            }
            let _ = sys.write(1, text.as_bytes());
            if failed && !for_people {
                let _ = sys.write(1, b"\n");
            }
        }
        if !self.commands.is_empty() && !self.interval.is_zero() {
            self.state = Cli::Resting(socket, sys.now() + self.interval);
        }
        None
    }
}

fn is_end(words: &[String]) -> bool {
    let first = words.first().map(|word| word.to_lowercase());
    matches!(first.as_deref(), Some("exit" | "quit"))
}
