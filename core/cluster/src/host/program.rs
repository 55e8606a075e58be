//! A program that asks the owner of its machine, and says what it is answered.

use naru_api::said::{Output, Said};
use naru_shell::{Answer, Errno, Fd, Next, Pid, Program, Question, Signal, Step, Sys};
use naru_sim::Time;

/// A fresh instance of the program.
pub fn program() -> Box<dyn Program> {
    Box::new(Asking::default())
}

/// Bytes of a line that is read.
const LINE_MAX: usize = 4096;

#[derive(Clone, Debug, Default)]
struct Asking {
    question: Option<u64>,
    answer: Option<Answer>,
    next: Option<(Time, Next)>,
    /// What was read of a line.
    line: Vec<u8>,
    /// The command that was started and has not ended.
    child: Option<Pid>,
}

impl Program for Asking {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if let Some((at, next)) = self.next.clone() {
            let interrupted = next.catches && sys.take_signal().is_some();
            if !interrupted && sys.now() < at {
                return Step::Block { until: Some(at) };
            }
            if let Some(argv) = &next.runs
                && !self.has_run(argv, sys)
            {
                return Step::Block { until: None };
            }
            let input = match next.reads {
                false => String::new(),
                true => match self.read_line(sys) {
                    Some(line) => line,
                    None => return Step::Block { until: None },
                },
            };
            self.next = None;
            let (argv, env) = (sys.args().to_vec(), sys.env().clone());
            let question = Question { argv, env, state: next.state, input, interrupted };
            self.ask(question, sys);
        }
        if self.question.is_none() && self.answer.is_none() {
            let (argv, env) = (sys.args().to_vec(), sys.env().clone());
            self.ask(Question { argv, env, ..Question::default() }, sys);
        }
        self.say(sys)
    }
}

impl Asking {
    fn ask(&mut self, question: Question, sys: &mut dyn Sys) {
        match sys.outside() {
            Some(outside) => self.question = Some(outside.ask(question)),
            None => {
                let stderr = "nobody is there to do this\n".to_owned();
                self.answer = Some(Answer { stderr, code: 1, ..Answer::default() });
            }
        }
    }

    /// Runs a command; tells whether it has ended.
    fn has_run(&mut self, argv: &[String], sys: &mut dyn Sys) -> bool {
        let Some(child) = self.child else {
            let env = sys.env().clone();
            match sys.spawn(argv.to_vec(), env, &[(0, 0), (1, 1), (2, 2)]) {
                Ok(pid) => {
                    self.child = Some(pid);
                    sys.foreground(Some(pid));
                }
                Err(errno) => {
                    let name = argv.first().map(String::as_str).unwrap_or_default();
                    let mut text = format!("{name}: {errno}\n");
                    // Who cannot be told will see that nothing was run.
                    let _ = write(sys, 2, &mut text);
                    return true;
                }
            }
            return false;
        };
        match sys.wait(child) {
            Err(Errno::Again) => false,
            _ => {
                sys.foreground(None);
                self.child = None;
                true
            }
        }
    }

    /// Prints the answer, and does what it says.
    fn say(&mut self, sys: &mut dyn Sys) -> Step {
        if self.answer.is_none() {
            let question = self.question.unwrap_or_default();
            self.answer = sys.outside().and_then(|outside| outside.answer(question));
        }
        let Some(answer) = &mut self.answer else { return Step::Block { until: None } };
        match write_said(sys, &mut answer.said) {
            Ok(()) | Err(Errno::BadFd) => {}
            Err(Errno::Again) => return Step::Block { until: None },
            Err(_) => return Step::Exit(1),
        }
        for (fd, text) in [(1, &mut answer.stdout), (2, &mut answer.stderr)] {
            match write(sys, fd, text) {
                Ok(()) | Err(Errno::BadFd) => {}
                Err(Errno::Again) => return Step::Block { until: None },
                Err(_) => return Step::Exit(1),
            }
        }
        if let Some(argv) = answer.exec.take() {
            let env = sys.env().clone();
            return match sys.exec(argv, env) {
                Ok(()) => Step::Yield,
                Err(_) => Step::Exit(126),
            };
        }
        let Some(next) = answer.next.take() else { return Step::Exit(answer.code) };
        if next.catches {
            sys.catch(Signal::Int);
            sys.catch(Signal::Term);
        }
        let at = sys.now() + next.after;
        (self.question, self.answer, self.next) = (None, None, Some((at, next)));
        Step::Block { until: Some(at) }
    }

    /// A line of standard input without its end; `None` while it is not there.
    fn read_line(&mut self, sys: &mut dyn Sys) -> Option<String> {
        loop {
            match sys.read(0, 1) {
                Ok(bytes) if bytes.is_empty() || bytes == b"\n" => break,
                Ok(bytes) if self.line.len() < LINE_MAX => self.line.extend(bytes),
                Ok(_) => {}
                Err(Errno::Again) => return None,
                Err(_) => break,
            }
        }
        let line = std::mem::take(&mut self.line);
        Some(String::from_utf8_lossy(&line).into_owned())
    }
}

/// Hands on what another program has written, to the outputs where it did; what is not taken stays.
pub fn write_said(sys: &mut dyn Sys, said: &mut Said) -> Result<(), Errno> {
    while let Some((output, mut bytes)) = said.take(usize::MAX) {
        let fd = if output == Output::Stdout { 1 } else { 2 };
        match sys.write(fd, &bytes) {
            Ok(0) | Err(Errno::Again) => {
                said.put_back((output, bytes));
                return Err(Errno::Again);
            }
            Ok(taken) => said.put_back((output, bytes.split_off(taken.min(bytes.len())))),
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Writes as much as is taken; what is left stays.
fn write(sys: &mut dyn Sys, fd: Fd, text: &mut String) -> Result<(), Errno> {
    let mut bytes = std::mem::take(text).into_bytes();
    while !bytes.is_empty() {
        let taken = match sys.write(fd, &bytes) {
            Ok(0) => Err(Errno::Again),
            other => other,
        };
        match taken {
            Ok(taken) => drop(bytes.drain(..taken.min(bytes.len()))),
            Err(errno) => {
                // A write may end within a character; what is sent next begins with its rest.
                *text = String::from_utf8_lossy(&bytes).into_owned();
                return Err(errno);
            }
        }
    }
    Ok(())
}
