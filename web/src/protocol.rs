//! The messages between the page and its worker, in postcard's compact binary form.

use naru_cluster::view::{
    Inspection, KindView, RevisionView, Study, StudyView, TableView, ViewDelta,
};
use naru_lesson::Text;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What the page asks of the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Start a cluster.
    Boot(Boot),
    /// Bytes typed into a terminal.
    Input {
        /// Which terminal, counted from 0.
        terminal: u32,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Open one more terminal.
    OpenTerminal,
    /// A terminal's size.
    Resize {
        /// Which terminal, counted from 0.
        terminal: u32,
        /// Width in cells.
        columns: u16,
        /// Height in cells.
        rows: u16,
    },
    /// How fast time goes.
    Speed(Speed),
    /// Go to the next change of the store that is more than housekeeping, and stop there.
    Step,
    /// Bring back this moment, in microseconds, and stop there.
    Travel(u64),
    /// Take up a branch.
    TakeUp(u32),
    /// The language of the learner's machine: a locale, `en_US.UTF-8`.
    Locale(String),
    /// Something that is answered by [`Report::Answer`] with the same number.
    Call {
        /// Chosen by the page.
        id: u32,
        /// What to do.
        call: Call,
    },
    /// Keep telling about this object; about none.
    Inspect(Option<ObjectRef>),
    /// Keep telling about these objects; about none.
    Table(Option<TableRef>),
    /// Keep telling about this; about nothing.
    Study(Option<Study>),
    /// Give up the command that is being run to its end.
    Cancel,
    /// Keep telling which checks of this lesson step hold.
    LessonStep(u32),
    /// Bring back the moment at which the lesson's step was begun.
    ResetStep,
    /// The latest [`Report::View`] has been drawn: the next may come.
    Drawn,
    /// Give up what is found out by clusters of their own: the answers to [`Call::Goal`] and
    /// [`Call::Rehearse`] are no longer wanted.
    StopTrials,
}

/// A cluster to be started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Boot {
    /// What for.
    pub start: Start,
    /// The language of the learner's machine: a locale, `en_US.UTF-8`.
    pub locale: String,
    /// How fast time goes at first.
    pub speed: Speed,
}

/// What a cluster is started for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Start {
    /// For the lesson of this name; the first lesson, when there is no such.
    Lesson(Option<String>),
    /// To play with.
    Playground {
        /// The profile: `kind`.
        profile: String,
        /// The seed.
        seed: u64,
        /// Lines that are typed at once.
        commands: Vec<String>,
    },
    /// To go on with what was kept: the bytes of a [`Report::Kept`].
    Kept(Vec<u8>),
    /// For a lesson that somebody writes: its file.
    Draft(String),
}

/// Something with an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Call {
    /// Run a command to its end, as fast as possible.
    Exec(String),
    /// Let this much virtual time pass, as fast as possible.
    Advance {
        /// In microseconds.
        micros: u64,
    },
    /// Let time pass until `kubectl wait` with these arguments has ended, and stop there.
    Until(String),
    /// What a cluster looks like in which somebody has done what the steps of the lesson ask for, up
    /// to this one.
    Goal(u32),
    /// What a lesson's file looks like on the page, and what is wrong with it.
    Draft(String),
    /// Play a lesson's file from its beginning to its end, in a cluster of its own.
    Rehearse(String),
    /// The digest of the store's whole history.
    Digest,
    /// What a command would print now; it is run by a copy of the cluster.
    Peek(String),
    /// Break or mend something, in the words of `naru fault`.
    Fault(String),
    /// What the request of this number changed.
    Changes(u64),
    /// The files of the home directory.
    Files,
    /// A file of the home directory.
    Read(String),
    /// Write a file of the home directory.
    Write {
        /// Its path, seen from the home directory.
        path: String,
        /// Its content.
        bytes: Vec<u8>,
    },
    /// The session, to be kept in a file.
    Keep,
}

/// What the worker tells the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Report {
    /// A cluster was started.
    Booted(Box<Booted>),
    /// Every lesson there is. It comes after the first cluster, which it would hold up.
    Catalogue(Vec<LessonHead>),
    /// Words that are explained where a lesson first uses them. They come after the catalogue.
    Terms(Vec<TermPage>),
    /// A kept session is being lived through again: percent.
    Resuming(u8),
    /// What changed in the cluster.
    View(ViewDelta),
    /// Bytes for a terminal to show.
    Output {
        /// Which terminal, counted from 0.
        terminal: u32,
        /// It is cleared before.
        anew: bool,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The line of time.
    Time(TimeView),
    /// Something that happened, to be marked on the line of time.
    Mark(Mark),
    /// The object of [`Request::Inspect`], when it changed; `None` when it is gone.
    Inspection(Option<Box<Inspection>>),
    /// The objects of [`Request::Table`], when they changed.
    Table(Box<TablePage>),
    /// What is known of [`Request::Study`], when it changed.
    Study(Box<StudyPage>),
    /// Which checks of a step hold.
    Checks {
        /// The step.
        step: u32,
        /// In the order of the lesson's file.
        hold: Vec<bool>,
    },
    /// The answer to a [`Request::Call`].
    Answer {
        /// The number of the call.
        id: u32,
        /// What came of it; the error is for a person.
        result: Result<Reply, String>,
    },
    /// The session as it is now, to be kept.
    Kept(Vec<u8>),
    /// Time stands still from now on: a step was made.
    Paused,
    /// The cluster cannot go on.
    Failed(String),
}

/// A cluster that was started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Booted {
    /// The lesson it was started for, if it was started for one.
    pub lesson: Option<LessonPage>,
    /// Its profile.
    pub profile: String,
    /// Its seed.
    pub seed: u64,
    /// Every profile there is.
    pub profiles: Vec<String>,
    /// How many terminals are open.
    pub terminals: u32,
}

/// The line of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TimeView {
    /// The first moment that can be brought back, in microseconds.
    pub start: u64,
    /// The latest moment that is known, in microseconds.
    pub end: u64,
    /// The present is the latest moment that is known.
    pub live: bool,
    /// Ways that were left: when, and how far they went, in microseconds.
    pub branches: Vec<(u64, u64)>,
    /// What is broken, in the words of `naru fault`, each with its cure.
    pub faults: Vec<(String, String)>,
}

/// Something on the line of time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// When, in microseconds.
    pub micros: u64,
    /// What kind of thing.
    pub kind: MarkKind,
    /// What, in a few words.
    pub text: String,
}

/// A kind of mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MarkKind {
    /// A command has ended.
    Command,
    /// A command has ended with an error.
    Failed,
    /// Something was broken or mended.
    Fault,
    /// A pod is in trouble.
    Trouble,
    /// A step of the lesson was done.
    Step,
}

/// Objects of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRef {
    /// `deployments`.
    pub plural: String,
    /// `apps`, or "".
    pub group: String,
    /// The namespace; "" is all.
    pub namespace: String,
}

/// Objects of one kind, and which kinds there are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TablePage {
    /// What was asked for.
    pub of: TableRef,
    /// The objects.
    pub table: TableView,
    /// The kinds that have objects.
    pub kinds: Vec<KindView>,
}

/// What was asked for, and what there is to tell of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyPage {
    /// What was asked for.
    pub of: Study,
    /// What was found.
    pub view: StudyView,
}

/// What comes of a [`Call`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// Of [`Call::Exec`], [`Call::Peek`] and [`Call::Until`].
    Exec {
        /// What the command printed.
        stdout: String,
        /// What it complained about.
        stderr: String,
        /// Its exit code.
        code: i32,
    },
    /// Of [`Call::Advance`], [`Call::Fault`] and [`Call::Write`].
    Done,
    /// Of [`Call::Digest`].
    Digest(String),
    /// Of [`Call::Goal`].
    View(Box<ViewDelta>),
    /// Of [`Call::Draft`] and [`Call::Rehearse`].
    Draft(Box<DraftPage>),
    /// Of [`Call::Changes`].
    Changes(Vec<RevisionView>),
    /// Of [`Call::Files`]: paths.
    Files(Vec<String>),
    /// Of [`Call::Read`] and [`Call::Keep`].
    Bytes(Vec<u8>),
}

/// How fast virtual time goes, in thousandths of real time. Zero stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Speed(pub u32);

impl Speed {
    /// Time stands still.
    pub const PAUSED: Speed = Speed(0);
    /// As fast as real time.
    pub const REAL: Speed = Speed::times(1);

    /// The speeds that are offered.
    pub const OFFERED: [Speed; 8] = [
        Speed(100),
        Speed(500),
        Speed::REAL,
        Speed::times(2),
        Speed::times(10),
        Speed::times(60),
        Speed::times(300),
        Speed::times(1000),
    ];

    /// Its factor as people write it: `0.5`, `60`.
    pub fn factor(self) -> String {
        let (whole, rest) = (self.0 / 1000, self.0 % 1000);
        match rest {
            0 => whole.to_string(),
            _ => format!("{whole}.{}", format!("{rest:03}").trim_end_matches('0')),
        }
    }

    /// So many times as fast as real time.
    pub const fn times(factor: u32) -> Self {
        Speed(factor.saturating_mul(1000))
    }

    /// Whether time stands still.
    pub fn is_paused(self) -> bool {
        self.0 == 0
    }
}

/// The name of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRef {
    /// `Pod`.
    pub kind: String,
    /// Its namespace, or "".
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ObjectRef {
    /// Kinds by the names by which lessons call them.
    const KINDS: [(&str, &str); 28] = [
        ("pod", "Pod"),
        ("po", "Pod"),
        ("deployment", "Deployment"),
        ("deploy", "Deployment"),
        ("replicaset", "ReplicaSet"),
        ("rs", "ReplicaSet"),
        ("daemonset", "DaemonSet"),
        ("ds", "DaemonSet"),
        ("statefulset", "StatefulSet"),
        ("sts", "StatefulSet"),
        ("job", "Job"),
        ("cronjob", "CronJob"),
        ("cj", "CronJob"),
        ("service", "Service"),
        ("svc", "Service"),
        ("ingress", "Ingress"),
        ("ing", "Ingress"),
        ("configmap", "ConfigMap"),
        ("cm", "ConfigMap"),
        ("secret", "Secret"),
        ("persistentvolumeclaim", "PersistentVolumeClaim"),
        ("pvc", "PersistentVolumeClaim"),
        ("namespace", "Namespace"),
        ("ns", "Namespace"),
        ("node", "Node"),
        ("no", "Node"),
        ("horizontalpodautoscaler", "HorizontalPodAutoscaler"),
        ("hpa", "HorizontalPodAutoscaler"),
    ];

    /// What `pod/web`, `pod/shop/web` with a namespace, or `node/worker` names.
    pub fn named(text: &str) -> Option<ObjectRef> {
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, namespace, name) = match parts.as_slice() {
            [kind, name] => (*kind, "default", *name),
            [kind, namespace, name] => (*kind, *namespace, *name),
            _ => return None,
        };
        let (_, kind) = Self::KINDS.iter().find(|(known, _)| *known == kind)?;
        let namespace = if matches!(*kind, "Node" | "Namespace") { "" } else { namespace };
        Some(ObjectRef {
            kind: (*kind).to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }
}

/// A lesson in a list of lessons.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LessonHead {
    /// Its folder.
    pub slug: String,
    /// Its title.
    pub title: Text,
    /// Minutes that it takes.
    pub minutes: u32,
    /// The part of the course that it belongs to.
    pub part: u32,
    /// How many steps it has.
    pub steps: u32,
}

/// What of a lesson is shown. The file itself is read by the worker, which has a YAML parser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LessonPage {
    /// Its folder.
    pub slug: String,
    /// Its title.
    pub title: Text,
    /// What one will have learned.
    pub summary: Text,
    /// Minutes that it takes.
    pub minutes: u32,
    /// The part of the course that it belongs to.
    pub part: u32,
    /// What to do.
    pub steps: Vec<StepPage>,
    /// What was learned.
    pub learned: Vec<Text>,
}

/// A word that is explained where it is first used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TermPage {
    /// The word.
    pub name: Text,
    /// What it means, in Markdown.
    pub text: Text,
}

/// A lesson that somebody writes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DraftPage {
    /// What it looks like; `None` when the file cannot be read.
    pub lesson: Option<LessonPage>,
    /// What is wrong with it, each for a person.
    pub problems: Vec<String>,
    /// Of each step that was played: its commands, what each printed, and its exit code.
    pub played: Vec<Vec<(String, String, i32)>>,
}

/// A step as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepPage {
    /// Its heading.
    pub title: Text,
    /// Markdown.
    pub text: Text,
    /// What the "run this" buttons type.
    pub commands: Vec<String>,
    /// What the checks say.
    pub checks: Vec<Text>,
    /// Help, in order.
    pub hints: Vec<Text>,
    /// What to look at.
    pub look: Option<LookPage>,
    /// Commands that do what the step asks for.
    pub solution: Vec<String>,
    /// Questions.
    pub quiz: Vec<QuizPage>,
}

/// What a step has one look at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LookPage {
    /// `topology`, `objects`, `time`, `packets`, `details`, `terminal`, `resources`, `registry`,
    /// `rights`, `rules`.
    pub view: String,
    /// `pod/web`, or "".
    pub object: String,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuizPage {
    /// The question.
    pub question: Text,
    /// The answers, and whether each is right.
    pub choices: Vec<(Text, bool)>,
    /// Why.
    pub because: Text,
}

/// A message that could not be written or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodecError(postcard::Error);

impl std::fmt::Display for CodecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a message between page and worker is not understood: {}", self.0)
    }
}

impl std::error::Error for CodecError {}

/// Writes a message.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, CodecError> {
    postcard::to_stdvec(message).map_err(CodecError)
}

/// Reads a message.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    postcard::from_bytes(bytes).map_err(CodecError)
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_cluster::view::{ClockView, OwnerView, PodView, ResourcesView};

    #[test]
    fn requests_survive_the_way() {
        for request in [
            Request::Boot(Boot {
                start: Start::Lesson(Some("0101-first-pod".to_owned())),
                locale: "en_US.UTF-8".to_owned(),
                speed: Speed::PAUSED,
            }),
            Request::Input { terminal: 0, bytes: "한글\u{3}".as_bytes().to_vec() },
            Request::Resize { terminal: 1, columns: 80, rows: 24 },
            Request::Travel(u64::MAX),
            Request::Speed(Speed::times(10)),
            Request::Step,
            Request::Call { id: 7, call: Call::Exec("kubectl get po".to_owned()) },
            Request::Call { id: 8, call: Call::Advance { micros: u64::MAX } },
            Request::Inspect(None),
            Request::LessonStep(3),
        ] {
            let bytes = encode(&request).unwrap();
            assert_eq!(decode::<Request>(&bytes).unwrap(), request);
        }
    }

    #[test]
    fn a_view_survives_the_way() {
        let owner = OwnerView {
            uid: "r".to_owned(),
            kind: "ReplicaSet".to_owned(),
            name: "web".to_owned(),
        };
        let pod = PodView {
            uid: "u".to_owned(),
            namespace: "default".to_owned(),
            name: "web-0".to_owned(),
            node: None,
            ip: Some("10.244.1.2".to_owned()),
            phase: "Running".to_owned(),
            status: "Running".to_owned(),
            ready: (1, 1),
            restarts: 0,
            labels: [("app".to_owned(), "web".to_owned())].into(),
            owner: Some(owner),
            containers: vec![("c".to_owned(), "nginx".to_owned())],
            created_micros: 12,
            requests: ResourcesView::default(),
            limits: ResourcesView { cpu_millis: 500, ..ResourcesView::default() },
            claims: Vec::new(),
        };
        let clock = ClockView { micros: 5, unix_micros: -5, revision: 9 };
        let view = ViewDelta { clock, pods: vec![pod], ..ViewDelta::default() };
        let report = Report::View(view);
        assert_eq!(decode::<Report>(&encode(&report).unwrap()).unwrap(), report);
    }

    #[test]
    fn objects_are_named_as_lessons_name_them() {
        for (text, named) in [
            ("pod/web", Some(("Pod", "default", "web"))),
            ("deploy/shop/web", Some(("Deployment", "shop", "web"))),
            ("node/worker", Some(("Node", "", "worker"))),
            ("moon/web", None),
            ("web", None),
            ("", None),
        ] {
            let found = ObjectRef::named(text);
            let found = found
                .as_ref()
                .map(|it| (it.kind.as_str(), it.namespace.as_str(), it.name.as_str()));
            assert_eq!(found, named, "{text}");
        }
    }

    #[test]
    fn speeds_are_written_as_factors() {
        for (speed, text) in
            [(Speed(100), "0.1"), (Speed(500), "0.5"), (Speed::REAL, "1"), (Speed(1250), "1.25")]
        {
            assert_eq!(speed.factor(), text);
        }
    }

    #[test]
    fn garbage_is_an_error() {
        assert!(decode::<Request>(&[250, 1, 2]).is_err());
        assert!(decode::<Report>(&[]).is_err());
    }
}
