//! What the learner's machine can do to the cluster from outside: `docker`, and the sandbox's own
//! command `naru`. A program there asks in words; the cluster answers after its turn.

pub mod docker;
mod exportfs;
mod fault;
mod gcloud;
pub mod hints;
mod kubeadm;
mod machine;
mod minikube;
mod program;
mod sessions;
pub mod ssh;
mod table;
mod targetcli;
mod trace;
mod why;

pub use exportfs::NfsServer;
pub use gcloud::Inventory;
pub(crate) use kubeadm::kubelet_config;
pub use machine::PROGRAMS as MACHINE_PROGRAMS;
pub use program::program;
pub use targetcli::TargetServer;

use crate::{Cluster, Profile};
use naru_shell::{Answer, Question};
use std::net::Ipv4Addr;

/// Programs of the learner's machine that ask, by the names of their files.
pub fn programs(profile: &Profile) -> Vec<&'static str> {
    let mut names = vec!["docker", "exportfs", "naru", "targetcli"];
    match profile.name.as_str() {
        "minikube" => names.push("minikube"),
        _ if profile.cloud.is_some() => names.push("gcloud"),
        _ => {}
    }
    names
}

/// A question, as those who answer it see it.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The arguments after the program's name.
    pub args: &'a [String],
    /// What the last answer asked to be told again; "" at first.
    pub state: &'a str,
    /// The line that was read since.
    pub input: &'a str,
    /// Ctrl-C was typed since.
    pub interrupted: bool,
}

/// The program's name and the rest.
fn split(question: &Question) -> (&str, Ask<'_>) {
    let name = question.argv.first().map(String::as_str).unwrap_or_default();
    let ask = Ask {
        args: question.argv.get(1..).unwrap_or_default(),
        state: &question.state,
        input: &question.input,
        interrupted: question.interrupted,
    };
    (name.rsplit('/').next().unwrap_or(name), ask)
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
    /// Of a locale: `ko_KR.UTF-8`.
    fn of(locale: &str) -> Language {
        if locale.starts_with("ko") { Language::Korean } else { Language::English }
    }

    /// The one of both texts that is in this language.
    pub fn pick<T>(self, korean: T, english: T) -> T {
        match self {
            Language::Korean => korean,
            Language::English => english,
        }
    }
}

impl Cluster {
    /// Does what programs of the learner's machine have asked for.
    pub(crate) fn answer_questions(&mut self) {
        while let Some((id, question)) = self.workstation.questions_mut().take() {
            let (name, ask) = split(&question);
            let answer = match name {
                "docker" => docker::run(self, &ask, &question.env),
                "exportfs" => exportfs::run(self, &ask),
                "minikube" => minikube::run(self, &ask),
                "targetcli" => targetcli::run(self, &ask),
                "gcloud" => gcloud::run(self, &ask),
                _ => {
                    let language = Language::of(self.workstation.locale(&question.env));
                    self.naru(&ask, language)
                }
            };
            self.workstation.questions_mut().give(id, answer);
            self.workstation.wake();
        }
    }

    /// Does what programs of the machine of this index have asked for.
    pub(crate) fn answer_machine(&mut self, index: usize) {
        loop {
            let machine = self.nodes.get_mut(index).and_then(|node| node.machine_mut());
            let Some((id, question)) = machine.and_then(|it| it.questions_mut().take()) else {
                return;
            };
            let (name, ask) = split(&question);
            let answer = machine::run(self, index, name, &ask);
            if let Some(machine) = self.nodes.get_mut(index).and_then(|node| node.machine_mut()) {
                machine.questions_mut().give(id, answer);
                machine.wake();
            }
        }
    }

    fn naru(&mut self, ask: &Ask<'_>, language: Language) -> Answer {
        match ask.args {
            [verb, rest @ ..] if verb == "fault" => fault::run(self, rest, language),
            [verb, rest @ ..] if verb == "trace" => {
                trace::run(self, &Ask { args: rest, ..*ask }, language)
            }
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

/// Lays down on a machine of an installed cluster what kubeadm would have laid there.
pub fn lay_files(
    cluster: &mut Cluster,
    machine: usize,
    control_plane: bool,
    ip: Ipv4Addr,
) -> Result<(), String> {
    if control_plane {
        return kubeadm::files::write_control_plane(cluster, machine, ip);
    }
    let name = cluster.nodes.get(machine).map(|node| node.name().to_owned()).unwrap_or_default();
    kubeadm::files::write_node(cluster, machine, &name)
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
         naru trace   패킷이 지나간 길을 한 걸음씩 설명합니다\n  \
         naru why     오브젝트가 왜 생겼는지, 파드가 왜 그 노드에 있는지 설명합니다\n",
        "naru is a command of this sandbox. A real cluster does not have it.\n\n\
         Usage:\n  \
         naru fault   breaks something, or mends it\n  \
         naru trace   tells the way of packets, step by step\n  \
         naru why     tells why an object is there, and why a pod is on its node\n",
    )
}
