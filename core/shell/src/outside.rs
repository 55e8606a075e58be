//! What is outside of a machine, as far as its owner lets its programs act on it: questions in
//! words, and sessions at other machines.

use naru_api::said::Said;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What is outside of a machine. Nothing waits.
pub trait Outside {
    /// Asks for something; [`Outside::answer`] gives what comes of it.
    fn ask(&mut self, question: Question) -> u64;
    /// The answer to a question, once.
    fn answer(&mut self, question: u64) -> Option<Answer>;
    /// Logs in at another machine; what comes of it is told by [`Outside::receive`].
    fn open(&mut self, machine: &str, session: SessionSpec) -> u64;
    /// Types into a session; tells how many bytes were taken.
    fn send(&mut self, session: u64, bytes: &[u8]) -> usize;
    /// Nothing more will be typed.
    fn end_input(&mut self, session: u64);
    /// The terminal has another size now.
    fn resize(&mut self, session: u64, columns: u16, rows: u16);
    /// Takes what a session has printed and how it ended.
    fn receive(&mut self, session: u64) -> SessionOutput;
    /// Ends a session.
    fn hang_up(&mut self, session: u64);
}

/// What a program asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// Its command line.
    pub argv: Vec<String>,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// What the last answer asked to be told again; "" at first.
    pub state: String,
    /// The line that was read since.
    pub input: String,
    /// Ctrl-C was typed since.
    pub interrupted: bool,
}

/// What came of a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// For both outputs, in this order and before the rest.
    pub said: Said,
    /// For standard output.
    pub stdout: String,
    /// For standard error.
    pub stderr: String,
    /// The exit code, if that was all.
    pub code: i32,
    /// The program has to ask again.
    pub next: Option<Next>,
    /// The program becomes another one.
    pub exec: Option<Vec<String>>,
}

/// When and how to ask again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Next {
    /// After this time.
    pub after: Duration,
    /// With this in [`Question::state`].
    pub state: String,
    /// At once if Ctrl-C is typed, which then does not end the program.
    pub catches: bool,
    /// After a line was read from standard input.
    pub reads: bool,
    /// After this command has ended.
    pub runs: Option<Vec<String>>,
}

/// What a session begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionSpec {
    /// A line for the shell; `None` for a shell that asks.
    pub command: Option<String>,
    /// Columns and rows of the terminal, if there is one.
    pub tty: Option<(u16, u16)>,
    /// Program and arguments, where nobody asks a shell.
    pub argv: Vec<String>,
    /// Environment beyond what everybody has.
    pub env: BTreeMap<String, String>,
}

/// What a session has printed since it was last asked, and its exit code once it has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionOutput {
    /// What was printed.
    pub said: Said,
    /// The exit code.
    pub code: Option<i32>,
}

impl SessionOutput {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.said.is_empty() && self.code.is_none()
    }

    /// The session has ended before it was one.
    pub fn failed(why: &str, code: i32) -> Self {
        SessionOutput { said: Said::error(why), code: Some(code) }
    }
}

/// The questions and sessions of one machine, between its programs and its owner.
#[derive(Clone, Debug, Default)]
pub struct Questions {
    last: u64,
    open: VecDeque<(u64, Question)>,
    answers: BTreeMap<u64, Answer>,
    links: BTreeMap<u64, Link>,
}

/// One session at another machine, as its owner sees it.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// The other machine's name.
    pub machine: String,
    /// What it begins with, until it has begun.
    pub spec: Option<SessionSpec>,
    /// What was typed and is not there yet.
    pub input: Vec<u8>,
    /// Nothing more will be typed.
    pub input_ended: bool,
    /// Another size of the terminal.
    pub size: Option<(u16, u16)>,
    /// What came back and was not taken yet.
    pub output: SessionOutput,
    /// Nobody is interested any more.
    pub hung_up: bool,
}

impl Link {
    /// Bytes that wait on one way at most.
    pub const BYTES_MAX: usize = 64 * 1024;

    /// Whether there is no room for more output.
    pub fn is_full(&self) -> bool {
        self.output.said.len() >= Self::BYTES_MAX
    }
}

impl Questions {
    /// Questions, answers and sessions kept at most: programs that were killed do not fetch theirs.
    const KEPT_MAX: usize = 64;

    /// The next question.
    pub fn take(&mut self) -> Option<(u64, Question)> {
        self.open.pop_front()
    }

    /// Answers a question.
    pub fn give(&mut self, question: u64, answer: Answer) {
        if self.answers.len() == Self::KEPT_MAX {
            self.answers.pop_first();
        }
        self.answers.insert(question, answer);
    }

    /// The sessions, by number.
    pub fn links(&self) -> impl Iterator<Item = (u64, &Link)> {
        self.links.iter().map(|(id, link)| (*id, link))
    }

    /// One session, to carry what is in it.
    pub fn link_mut(&mut self, id: u64) -> Option<&mut Link> {
        self.links.get_mut(&id)
    }

    /// Forgets a session.
    pub fn drop_link(&mut self, id: u64) {
        self.links.remove(&id);
    }

    fn next_id(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

impl Outside for Questions {
    fn ask(&mut self, question: Question) -> u64 {
        let id = self.next_id();
        if self.open.len() == Self::KEPT_MAX {
            self.open.pop_front();
        }
        self.open.push_back((id, question));
        id
    }

    fn answer(&mut self, question: u64) -> Option<Answer> {
        self.answers.remove(&question)
    }

    fn open(&mut self, machine: &str, session: SessionSpec) -> u64 {
        let id = self.next_id();
        let machine = machine.to_owned();
        let mut link = Link { machine, spec: Some(session), ..Link::default() };
        if self.links.len() >= Self::KEPT_MAX {
            link.spec = None;
            link.output = SessionOutput::failed("too many sessions\n", 255);
        }
        self.links.insert(id, link);
        id
    }

    fn send(&mut self, session: u64, bytes: &[u8]) -> usize {
        let Some(link) = self.links.get_mut(&session) else { return bytes.len() };
        let room = Link::BYTES_MAX.saturating_sub(link.input.len()).min(bytes.len());
        link.input.extend(bytes.iter().take(room));
        room
    }

    fn end_input(&mut self, session: u64) {
        if let Some(link) = self.links.get_mut(&session) {
            link.input_ended = true;
        }
    }

    fn resize(&mut self, session: u64, columns: u16, rows: u16) {
        if let Some(link) = self.links.get_mut(&session) {
            link.size = Some((columns, rows));
        }
    }

    fn receive(&mut self, session: u64) -> SessionOutput {
        let Some(link) = self.links.get_mut(&session) else {
            return SessionOutput { code: Some(255), ..SessionOutput::default() };
        };
        let output = std::mem::take(&mut link.output);
        if output.code.is_some() {
            self.links.remove(&session);
        }
        output
    }

    fn hang_up(&mut self, session: u64) {
        if let Some(link) = self.links.get_mut(&session) {
            link.hung_up = true;
        }
    }
}
