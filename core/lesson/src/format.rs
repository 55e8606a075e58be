//! The format of a lesson file, `lessons/NN-slug/lesson.yaml`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A lesson.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lesson {
    /// Its title.
    pub title: Text,
    /// What one will have learned, in a sentence.
    pub summary: Text,
    /// Minutes that it takes.
    pub minutes: u32,
    /// The boot profile: `kind`, `minikube`, …, or the text of one of its own.
    #[serde(default = "default_profile")]
    pub profile: String,
    /// The seed of its cluster.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Files laid into the home directory: name to content.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// What to do.
    pub steps: Vec<StepText>,
}

/// A text in every language of the page. Korean comes first; English is complete.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Korean.
    pub ko: String,
    /// English.
    pub en: String,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepText {
    /// Its heading.
    pub title: Text,
    /// What to know and do, in Markdown.
    pub text: Text,
    /// What the "run this" button types.
    #[serde(default)]
    pub commands: Vec<String>,
    /// All must hold for the step to be done.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// Help, in order.
    #[serde(default)]
    pub hints: Vec<Text>,
}

/// Something that holds of the cluster's state, whatever was typed to bring it about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Check {
    /// What it says when it holds.
    pub says: Text,
    /// The condition.
    #[serde(flatten)]
    pub condition: Condition,
}

/// The condition of a [`Check`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Condition {
    /// An object is there, and the fields named by JSON pointers have these values.
    Object(ObjectCondition),
    /// This many objects are selected, and match.
    Count(CountCondition),
    /// This file is in the home directory and holds this text.
    File(FileCondition),
    /// A finished command of the terminal had this exit code and printed this text.
    Command(CommandCondition),
}

/// See [`Condition::Object`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
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

/// See [`Condition::Count`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CountCondition {
    /// `v1`, `apps/v1`.
    pub api_version: String,
    /// `Pod`.
    pub kind: String,
    /// The namespace.
    #[serde(default = "default_namespace")]
    pub namespace: String,
    /// A label selector; "" is all.
    #[serde(default)]
    pub selector: String,
    /// JSON pointer to the value's text, of objects that count.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// The number wanted.
    pub is: usize,
}

/// See [`Condition::File`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileCondition {
    /// The path, seen from the home directory.
    pub path: String,
    /// A text that it holds.
    #[serde(default)]
    pub contains: String,
}

/// See [`Condition::Command`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommandCondition {
    /// The command line begins with this.
    pub starts_with: String,
    /// Its exit code.
    #[serde(default)]
    pub code: i32,
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
