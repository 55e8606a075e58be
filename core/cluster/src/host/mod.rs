//! What the learner's machine can do to the cluster from outside: `docker`, and the sandbox's own
//! command `naru`. A program there asks in words; the cluster answers after its turn.

mod docker;
mod fault;
mod program;
mod why;

pub use program::program;

use crate::Cluster;
use naru_shell::{Answer, Outside};
use std::collections::{BTreeMap, VecDeque};

/// Programs that ask, by the names of their files.
pub const PROGRAMS: [&str; 2] = ["docker", "naru"];

/// What programs have asked and not been told yet.
#[derive(Clone, Debug, Default)]
pub struct Questions {
    last: u64,
    open: VecDeque<(u64, Question)>,
    answers: BTreeMap<u64, Answer>,
}

/// A command line and its environment.
#[derive(Clone, Debug, Default)]
pub struct Question {
    argv: Vec<String>,
    env: BTreeMap<String, String>,
}

impl Question {
    /// The arguments after the program's name.
    fn args(&self) -> &[String] {
        self.argv.get(1..).unwrap_or_default()
    }

    /// The language of the person who asks.
    fn language(&self) -> Language {
        let value = |name: &str| self.env.get(name).filter(|value| !value.is_empty());
        let locale = value("LC_ALL").or_else(|| value("LC_MESSAGES")).or_else(|| value("LANG"));
        match locale {
            Some(locale) if locale.starts_with("ko") => Language::Korean,
            _ => Language::English,
        }
    }
}

/// A language of the sandbox's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// 한국어
    Korean,
    /// English
    English,
}

impl Language {
    /// The one of both texts that is in this language.
    pub fn pick<T>(self, korean: T, english: T) -> T {
        match self {
            Language::Korean => korean,
            Language::English => english,
        }
    }
}

impl Questions {
    /// Questions and answers kept at most: programs that were killed do not fetch theirs.
    const KEPT_MAX: usize = 64;

    fn take(&mut self) -> Option<(u64, Question)> {
        self.open.pop_front()
    }

    fn give(&mut self, question: u64, answer: Answer) {
        if self.answers.len() == Self::KEPT_MAX {
            self.answers.pop_first();
        }
        self.answers.insert(question, answer);
    }
}

impl Outside for Questions {
    fn ask(&mut self, argv: Vec<String>, env: BTreeMap<String, String>) -> u64 {
        self.last += 1;
        if self.open.len() == Self::KEPT_MAX {
            self.open.pop_front();
        }
        self.open.push_back((self.last, Question { argv, env }));
        self.last
    }

    fn answer(&mut self, question: u64) -> Option<Answer> {
        self.answers.remove(&question)
    }
}

impl Cluster {
    /// Does what programs of the learner's machine have asked for.
    pub(crate) fn answer_questions(&mut self) {
        while let Some((id, question)) = self.workstation.questions_mut().take() {
            let name = question.argv.first().map(String::as_str).unwrap_or_default();
            let answer = match name.rsplit('/').next() {
                Some("docker") => docker::run(self, question.args()),
                _ => self.naru(&question),
            };
            self.workstation.questions_mut().give(id, answer);
            self.workstation.wake();
        }
    }

    fn naru(&mut self, question: &Question) -> Answer {
        let language = question.language();
        match question.args() {
            [verb, rest @ ..] if verb == "fault" => fault::run(self, rest, language),
            [verb, rest @ ..] if verb == "why" => why::run(self, rest, language),
            [] => out(help(language).to_owned()),
            [verb, ..] if ["help", "-h", "--help"].contains(&verb.as_str()) => {
                out(help(language).to_owned())
            }
            [verb, ..] => {
                let korean = format!("naru: {verb}: 없는 명령입니다\n");
                let english = format!("naru: {verb}: no such command\n");
                let stderr = language.pick(korean, english) + help(language);
                Answer { stderr, code: 1, ..Answer::default() }
            }
        }
    }
}

fn out(stdout: String) -> Answer {
    Answer { stdout, ..Answer::default() }
}

fn err(stderr: String) -> Answer {
    Answer { stderr, code: 1, ..Answer::default() }
}

fn help(language: Language) -> &'static str {
    language.pick(
        "naru는 이 샌드박스의 명령입니다. 실제 클러스터에는 없습니다.\n\n\
         사용법:\n  \
         naru fault   고장을 내거나 고칩니다\n  \
         naru why     오브젝트가 왜 생겼는지, 파드가 왜 그 노드에 있는지 설명합니다\n",
        "naru is a command of this sandbox. A real cluster does not have it.\n\n\
         Usage:\n  \
         naru fault   breaks something, or mends it\n  \
         naru why     tells why an object is there, and why a pod is on its node\n",
    )
}
