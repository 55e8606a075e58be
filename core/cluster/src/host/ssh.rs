//! `ssh`, as a program of the learner's machine; and `sudo`.
//!
//! Upstream: OpenSSH, `ssh.c`. What is between the machines is the sandbox's own; whether a machine
//! can be reached is looked at once, when it is logged in to.

use naru_shell::{Errno, Program, SessionOutput, SessionSpec, Signal, Step, Sys};

/// Bytes that are carried at once.
const CHUNK: usize = 16 * 1024;

/// Signals before which the other side is told that nobody is here any more.
const CAUGHT: [Signal; 4] = [Signal::Int, Signal::Term, Signal::Hup, Signal::Pipe];

/// A fresh instance of `ssh`.
pub fn program() -> Box<dyn Program> {
    Box::new(Ssh::default())
}

/// A fresh instance of `sudo`: the sandbox lets everybody be anybody.
pub fn sudo() -> Box<dyn Program> {
    Box::new(Sudo)
}

#[derive(Clone, Debug)]
struct Sudo;

impl Program for Sudo {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let args = sys.args().to_vec();
        let flag = |arg: &&String| arg.starts_with('-');
        let argv: Vec<String> = args.iter().skip(1).skip_while(flag).cloned().collect();
        let Some(name) = argv.first().cloned() else {
            return Step::Exit(if args.len() > 1 { 0 } else { 1 });
        };
        let env = sys.env().clone();
        match sys.exec(argv, env) {
            Ok(()) => Step::Yield,
            Err(_) => {
                let text = format!("sudo: {name}: command not found\n");
                // Who hears nothing of it is told by the exit code.
                let _ = sys.write(2, text.as_bytes());
                Step::Exit(1)
            }
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Ssh {
    session: Option<u64>,
    raw: bool,
    input_ended: bool,
    /// What was read and is not taken yet.
    input: Vec<u8>,
    output: SessionOutput,
    size: Option<(u16, u16)>,
}

impl Program for Ssh {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.session.is_none()
            && let Err(code) = self.begin(sys)
        {
            return Step::Exit(code);
        }
        let Some(session) = self.session else { return Step::Exit(255) };
        // A closed pipe is noticed where it is written to.
        if sys.take_signal().is_some_and(|signal| signal != Signal::Pipe) {
            return self.leave(sys, session, 130);
        }
        self.carry_input(sys, session);
        loop {
            match self.print(sys) {
                Ok(()) => {}
                Err(Errno::Again) => return Step::Block { until: None },
                Err(_) => return self.leave(sys, session, 255),
            }
            if let Some(code) = self.output.code {
                return self.end(sys, code);
            }
            let Some(outside) = sys.outside() else { return self.end(sys, 255) };
            self.output = outside.receive(session);
            if self.output.is_empty() {
                return Step::Block { until: None };
            }
        }
    }
}

/// What a command line asks for.
fn parse(args: &[String]) -> Option<(bool, String, Option<String>)> {
    let mut forced = false;
    let mut rest = args.iter().skip(1);
    let host = loop {
        let arg = rest.next()?;
        match arg.as_str() {
            "-t" | "-tt" => forced = true,
            "-q" | "-v" | "-A" | "-n" | "-T" => {}
            "-l" | "-i" | "-o" | "-p" | "-F" => drop(rest.next()),
            flag if flag.starts_with("-o") => {}
            flag if flag.starts_with('-') => return None,
            host => break host,
        }
    };
    let host = host.rsplit('@').next().unwrap_or(host).to_owned();
    let words: Vec<String> = rest.cloned().collect();
    let words = words.strip_prefix(&["--".to_owned()]).unwrap_or(&words);
    let command = (!words.is_empty()).then(|| words.join(" "));
    Some((forced, host, command))
}

impl Ssh {
    /// As Docker's client: the terminal is a container's.
    fn attach(&mut self, sys: &mut dyn Sys) -> Result<(), i32> {
        let args = sys.args().to_vec();
        let [_, terminal, stdin, container, argv @ ..] = args.as_slice() else { return Err(1) };
        let wants_tty = terminal == "t";
        if wants_tty && stdin == "i" && !sys.is_tty(0) {
            let text = "the input device is not a TTY\n";
            let _ = sys.write(2, text.as_bytes());
            return Err(1);
        }
        let tty = if wants_tty { sys.tty_size(0) } else { None };
        self.size = tty;
        let Some(outside) = sys.outside() else { return Err(1) };
        let spec = SessionSpec { argv: argv.to_vec(), tty, ..SessionSpec::default() };
        let session = outside.open(&format!("docker:{container}"), spec);
        self.session = Some(session);
        if stdin != "i" {
            outside.end_input(session);
            self.input_ended = true;
        }
        if tty.is_some() {
            self.raw = sys.tty_raw(0, true).is_ok();
        }
        for signal in CAUGHT {
            sys.catch(signal);
        }
        Ok(())
    }

    fn begin(&mut self, sys: &mut dyn Sys) -> Result<(), i32> {
        if sys.args().first().is_some_and(|name| name == super::docker::ATTACH) {
            return self.attach(sys);
        }
        let Some((forced, host, command)) = parse(sys.args()) else {
            let usage = "usage: ssh [-AtTqv] [-l login_name] [-o option] destination [command [argument ...]]\n";
            let _ = sys.write(2, usage.as_bytes());
            return Err(255);
        };
        let terminal = sys.is_tty(0) && (command.is_none() || forced);
        let tty = if terminal { sys.tty_size(0) } else { None };
        self.size = tty;
        let Some(outside) = sys.outside() else { return Err(255) };
        let spec = SessionSpec { command, tty, ..SessionSpec::default() };
        self.session = Some(outside.open(&host, spec));
        if tty.is_some() {
            self.raw = sys.tty_raw(0, true).is_ok();
        }
        for signal in CAUGHT {
            sys.catch(signal);
        }
        Ok(())
    }

    fn carry_input(&mut self, sys: &mut dyn Sys, session: u64) {
        if let Some((columns, rows)) = sys.tty_size(0).filter(|size| Some(*size) != self.size)
            && self.raw
        {
            self.size = Some((columns, rows));
            if let Some(outside) = sys.outside() {
                outside.resize(session, columns, rows);
            }
        }
        while !self.input_ended {
            if self.input.is_empty() {
                match sys.read(0, CHUNK) {
                    Ok(bytes) if bytes.is_empty() => self.input_ended = true,
                    Ok(bytes) => self.input = bytes,
                    Err(Errno::Again) => break,
                    Err(_) => self.input_ended = true,
                }
            }
            let Some(outside) = sys.outside() else { break };
            if self.input_ended {
                outside.end_input(session);
                break;
            }
            let taken = outside.send(session, &self.input);
            self.input.drain(..taken.min(self.input.len()));
            if !self.input.is_empty() {
                break;
            }
        }
    }

    fn print(&mut self, sys: &mut dyn Sys) -> Result<(), Errno> {
        super::program::write_said(sys, &mut self.output.said)
    }

    /// Ends before the other side does.
    fn leave(&mut self, sys: &mut dyn Sys, session: u64, code: i32) -> Step {
        if let Some(outside) = sys.outside() {
            outside.hang_up(session);
        }
        self.end(sys, code)
    }

    fn end(&mut self, sys: &mut dyn Sys, code: i32) -> Step {
        if std::mem::take(&mut self.raw) {
            // A terminal that has gone needs no mode.
            let _ = sys.tty_raw(0, false);
        }
        Step::Exit(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_are_read() {
        let read = |line: &str| {
            let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            parse(&args)
        };
        let command = |text: &str| Some(text.to_owned());
        assert_eq!(read("ssh master"), Some((false, "master".to_owned(), None)));
        assert_eq!(
            read("ssh -t -o X=y root@node1 ls -l"),
            Some((true, "node1".to_owned(), command("ls -l")))
        );
        assert_eq!(read("ssh"), None);
    }
}
