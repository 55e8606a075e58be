//! The messages between the page and its worker, in postcard's compact binary form.

use naru_cluster::view::{Inspection, ViewDelta};
use naru_lesson::Text;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What the page asks of the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Start a new cluster for the lesson of this name; the first lesson, when there is no such.
    Boot {
        /// The lesson's folder: `0101-first-pod`.
        lesson: Option<String>,
        /// How fast time goes at first.
        speed: Speed,
    },
    /// Bytes typed into the terminal.
    Input(Vec<u8>),
    /// The terminal's size.
    Resize {
        /// Width in cells.
        columns: u16,
        /// Height in cells.
        rows: u16,
    },
    /// How fast time goes.
    Speed(Speed),
    /// Go to the next event, and stop there.
    Step,
    /// Something that is answered by [`Report::Answer`] with the same number.
    Call {
        /// Chosen by the page.
        id: u32,
        /// What to do.
        call: Call,
    },
    /// Keep telling about this object; about none.
    Inspect(Option<ObjectRef>),
    /// Keep telling which checks of this lesson step hold.
    LessonStep(u32),
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
    /// The digest of the store's whole history.
    Digest,
}

/// What the worker tells the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Report {
    /// A cluster was started.
    Booted {
        /// Every lesson there is.
        catalogue: Vec<LessonHead>,
        /// The lesson it was started for.
        lesson: LessonPage,
    },
    /// What changed in the cluster.
    View(ViewDelta),
    /// Bytes for the terminal to show.
    Output(Vec<u8>),
    /// The object of [`Request::Inspect`], when it changed; `None` when it is gone.
    Inspection(Option<Box<Inspection>>),
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
    /// Time stands still from now on: a step was made.
    Paused,
    /// The cluster cannot go on.
    Failed(String),
}

/// What comes of a [`Call`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// Of [`Call::Exec`].
    Exec {
        /// What the command printed.
        stdout: String,
        /// What it complained about.
        stderr: String,
        /// Its exit code.
        code: i32,
    },
    /// Of [`Call::Advance`].
    Done,
    /// Of [`Call::Digest`].
    Digest(String),
}

/// How fast virtual time goes, in thousandths of real time. Zero stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Speed(pub u32);

impl Speed {
    /// Time stands still.
    pub const PAUSED: Speed = Speed(0);
    /// As fast as real time.
    pub const REAL: Speed = Speed::times(1);

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

/// A lesson in a list of lessons.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LessonHead {
    /// Its folder.
    pub slug: String,
    /// Its title.
    pub title: Text,
    /// Minutes that it takes.
    pub minutes: u32,
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
    /// What to do.
    pub steps: Vec<StepPage>,
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
    use naru_cluster::view::{ClockView, OwnerView, PodView};

    #[test]
    fn requests_survive_the_way() {
        for request in [
            Request::Boot { lesson: None, speed: Speed::PAUSED },
            Request::Boot { lesson: Some("0101-first-pod".to_owned()), speed: Speed::REAL },
            Request::Input("한글\u{3}".as_bytes().to_vec()),
            Request::Resize { columns: 80, rows: 24 },
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
        };
        let clock = ClockView { micros: 5, unix_micros: -5, revision: 9 };
        let view = ViewDelta { clock, pods: vec![pod], ..ViewDelta::default() };
        let report = Report::View(view);
        assert_eq!(decode::<Report>(&encode(&report).unwrap()).unwrap(), report);
    }

    #[test]
    fn garbage_is_an_error() {
        assert!(decode::<Request>(&[250, 1, 2]).is_err());
        assert!(decode::<Report>(&[]).is_err());
    }
}
