//! The format of a lesson file, `lessons/PPNN-slug/lesson.yaml`: PP is the part, NN the place in it.

use crate::record::{Described, record};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

record! {
    /// A lesson.
    pub struct Lesson {
        /// Its title.
        pub title: Text,
        /// What one will have learned, in a sentence.
        pub summary: Text,
        /// The part of the course, 1 to 17; the folder's name begins with it.
        pub part: u32,
        /// The headings of the five texts that it follows, by their keys in `docs/course.md`.
        #[serde(default)]
        pub material: Vec<String>,
        /// Minutes that it takes, 5 to 15.
        pub minutes: u32,
        /// Lessons that should come first, by their folders.
        #[serde(default)]
        pub requires: Vec<String>,
        /// The boot profile: `kind`, `minikube`, …, or the text of one of its own.
        #[serde(default = "default_profile")]
        pub profile: String,
        /// The seed of its cluster.
        #[serde(default = "default_seed")]
        pub seed: u64,
        /// Files laid into the home directory: name to content.
        #[serde(default)]
        pub files: BTreeMap<String, String>,
        /// Commands typed unseen before the first step.
        #[serde(default)]
        pub setup: Vec<String>,
        /// What to do.
        pub steps: Vec<StepText>,
        /// What was learned, told at the end.
        #[serde(default)]
        pub learned: Vec<Text>,
        /// Entries of `lessons/glossary.yaml` that it explains.
        #[serde(default)]
        pub terms: Vec<String>,
    }

    /// A text in every language of the page. Korean comes first; English is complete.
    pub struct Text {
        /// Korean.
        pub ko: String,
        /// English.
        pub en: String,
    }

    /// One step.
    pub struct StepText {
        /// Its heading.
        pub title: Text,
        /// What to know and do, in Markdown. What a `console` block quotes is compared with what
        /// the sandbox prints.
        pub text: Text,
        /// What the run buttons type, in this order.
        #[serde(default)]
        pub commands: Vec<String>,
        /// What to look at meanwhile.
        #[serde(default)]
        pub look: Option<Look>,
        /// Virtual time after the commands in which the checks become true: `30s`, `2m`.
        #[serde(default)]
        pub wait: Wait,
        /// All must hold for the step to be done.
        #[serde(default)]
        pub checks: Vec<Check>,
        /// After `commands`, what does what the learner is to find out.
        #[serde(default)]
        pub solution: Vec<String>,
        /// Help, in order.
        #[serde(default)]
        pub hints: Vec<Text>,
        /// Questions at its end.
        #[serde(default)]
        pub quiz: Vec<Question>,
    }

    /// What to look at.
    pub struct Look {
        /// The view of the page.
        pub view: View,
        /// An object to pick out: `pod/web`, `service/web`, `node/worker`.
        #[serde(default)]
        pub object: Option<String>,
    }

    /// A question with answers to choose from.
    pub struct Question {
        /// The question.
        pub question: Text,
        /// The answers; one or more are right.
        pub choices: Vec<Choice>,
        /// Why that is the answer.
        pub because: Text,
    }

    /// An answer to choose.
    pub struct Choice {
        /// What it says.
        pub text: Text,
        /// Whether it is right.
        #[serde(default)]
        pub right: bool,
    }

    /// Something that holds, whatever was typed to bring it about: what it says, and one condition.
    pub struct Check {
        /// What it says when it holds.
        pub says: Text,
        /// An object is there and has these fields.
        #[serde(default)]
        pub object: Option<ObjectCondition>,
        /// So many objects are selected and have these fields.
        #[serde(default)]
        pub count: Option<CountCondition>,
        /// There is no such object.
        #[serde(default)]
        pub absent: Option<AbsentCondition>,
        /// A file of the home directory holds a text.
        #[serde(default)]
        pub file: Option<FileCondition>,
        /// A command of the terminal has ended so.
        #[serde(default)]
        pub command: Option<CommandCondition>,
        /// A JSONPath template prints this of an object.
        #[serde(default)]
        pub jsonpath: Option<JsonPathCondition>,
        /// A request is answered so. It is sent in a copy of the cluster, once the checks before it
        /// hold.
        #[serde(default)]
        pub http: Option<HttpCondition>,
        /// What led to an object's creation says this.
        #[serde(default)]
        pub cause: Option<CauseCondition>,
    }

    /// See [`Check::object`].
    pub struct ObjectCondition {
        /// `v1`, `apps/v1`.
        pub api_version: String,
        /// `Pod`.
        pub kind: String,
        /// The namespace.
        #[serde(default = "default_namespace")]
        pub namespace: String,
        /// The name.
        pub name: String,
        /// JSON pointer (RFC 6901) to the value's text.
        #[serde(default)]
        pub fields: BTreeMap<String, String>,
    }

    /// See [`Check::count`].
    pub struct CountCondition {
        /// `v1`, `apps/v1`.
        pub api_version: String,
        /// `Pod`.
        pub kind: String,
        /// The namespace; "" is all of them.
        #[serde(default = "default_namespace")]
        pub namespace: String,
        /// A label selector; "" is all.
        #[serde(default)]
        pub selector: String,
        /// JSON pointer to the value's text, of objects that count.
        #[serde(default)]
        pub fields: BTreeMap<String, String>,
        /// The number wanted.
        #[serde(default)]
        pub is: Option<usize>,
        /// The fewest.
        #[serde(default)]
        pub at_least: Option<usize>,
        /// The most.
        #[serde(default)]
        pub at_most: Option<usize>,
    }

    /// See [`Check::absent`].
    pub struct AbsentCondition {
        /// `v1`, `apps/v1`.
        pub api_version: String,
        /// `Pod`.
        pub kind: String,
        /// The namespace.
        #[serde(default = "default_namespace")]
        pub namespace: String,
        /// The name.
        pub name: String,
    }

    /// See [`Check::file`].
    pub struct FileCondition {
        /// The path, seen from the home directory.
        pub path: String,
        /// A text that it holds.
        #[serde(default)]
        pub contains: String,
    }

    /// See [`Check::command`].
    pub struct CommandCondition {
        /// The command line begins with this; `k` counts as `kubectl`.
        pub starts_with: String,
        /// Its exit code.
        #[serde(default)]
        pub code: i32,
        /// A text that it printed on the terminal.
        #[serde(default)]
        pub prints: String,
        /// How many such commands there were at least, since the lesson began.
        #[serde(default = "once")]
        pub times: usize,
    }

    /// See [`Check::jsonpath`].
    pub struct JsonPathCondition {
        /// `v1`, `apps/v1`.
        pub api_version: String,
        /// `Pod`.
        pub kind: String,
        /// The namespace.
        #[serde(default = "default_namespace")]
        pub namespace: String,
        /// The name.
        pub name: String,
        /// The template: `{.status.phase}`.
        pub path: String,
        /// What it prints.
        pub is: String,
    }

    /// See [`Check::http`].
    pub struct HttpCondition {
        /// `http://greeter.default/`.
        pub url: String,
        /// `home`, `node/NAME`, or `pod/NAME` and `pod/NAMESPACE/NAME` whose image has `curl`.
        #[serde(default = "home")]
        pub from: String,
        /// The answer's status.
        #[serde(default = "ok")]
        pub status: u32,
        /// A text of the answer's body.
        #[serde(default)]
        pub contains: String,
    }

    /// See [`Check::cause`].
    pub struct CauseCondition {
        /// `pod/web`, `deploy/web`, `pod/shop/web` with a namespace.
        pub of: String,
        /// A text that stands on a line of its causes: `ACTOR VERB SUBJECT`.
        pub contains: String,
    }

    /// An entry of `lessons/glossary.yaml`.
    pub struct Term {
        /// Its name.
        pub name: Text,
        /// What it means, in Markdown.
        pub text: Text,
    }
}

impl Lesson {
    /// Parts of the course.
    pub const PARTS: u32 = 17;
}

/// A view of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// The cluster, its nodes and pods.
    Topology,
    /// The list of objects.
    Objects,
    /// What happened, in the order of time.
    Time,
    /// The way of packets.
    Packets,
    /// One object looked at closely.
    Details,
    /// The terminal.
    Terminal,
    /// What nodes have, what of it is asked for and what is in use.
    Resources,
    /// The keys of etcd.
    Registry,
    /// Who may do what.
    Rights,
    /// The iptables rules of a service.
    Rules,
}

impl View {
    /// All of them, by name.
    const NAMES: [&'static str; 10] = [
        "topology",
        "objects",
        "time",
        "packets",
        "details",
        "terminal",
        "resources",
        "registry",
        "rights",
        "rules",
    ];
}

impl Described for View {
    fn schema() -> Value {
        json!({ "enum": View::NAMES })
    }
}

/// A length of virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Wait(pub Duration);

impl Wait {
    /// As long as a step may take that says nothing of it.
    const DEFAULT: Duration = Duration::from_secs(60);
    /// The longest.
    const SECONDS_MAX: u64 = 24 * 3600;
}

impl Default for Wait {
    fn default() -> Self {
        Wait(Self::DEFAULT)
    }
}

impl TryFrom<String> for Wait {
    type Error = String;

    /// `30s`, `5m`, `2h`.
    fn try_from(text: String) -> Result<Self, String> {
        let seconds =
            text.split_at_checked(text.len().saturating_sub(1)).and_then(|(number, unit)| {
                let each = match unit {
                    "s" => 1,
                    "m" => 60,
                    "h" => 3600,
                    _ => return None,
                };
                number.parse::<u64>().ok()?.checked_mul(each)
            });
        match seconds.filter(|seconds| *seconds <= Self::SECONDS_MAX) {
            Some(seconds) => Ok(Wait(Duration::from_secs(seconds))),
            None => Err(format!("{text:?} is no time such as 30s, 5m or 2h")),
        }
    }
}

impl From<Wait> for String {
    fn from(wait: Wait) -> String {
        format!("{}s", wait.0.as_secs())
    }
}

impl Described for Wait {
    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^[0-9]+[smh]$" })
    }
}

/// The JSON Schema of a lesson file, for editors.
pub fn schema() -> Value {
    let mut definitions = Map::new();
    Lesson::define(&mut definitions);
    let mut schema = definitions.remove("Lesson").unwrap_or_default();
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["$defs"] = Value::Object(definitions);
    schema
}

fn default_profile() -> String {
    "kind".to_owned()
}

fn default_seed() -> u64 {
    1
}

fn default_namespace() -> String {
    "default".to_owned()
}

fn once() -> usize {
    1
}

fn home() -> String {
    "home".to_owned()
}

fn ok() -> u32 {
    200
}
