//! What a lesson is played on: the sandbox, or a cluster elsewhere.

use naru_api::scheme;
use naru_cluster::{Cluster, ExecResult, FinishedCommand};
use serde_json::Value;
use std::time::Duration;

/// A cluster, and a home directory with a terminal beside it.
pub trait Scene {
    /// Whether there is such a kind.
    fn serves(&mut self, api_version: &str, kind: &str) -> bool;
    /// An object as JSON.
    fn object(
        &mut self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Option<Value>;
    /// The objects that a label selector selects, in one namespace or, with "", in all; `None`
    /// where there is no such kind.
    fn objects(
        &mut self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        selector: &str,
    ) -> Option<Vec<Value>>;
    /// What led to an object, a line each: `ACTOR VERB SUBJECT`; `None` where that is not known of
    /// any object.
    fn causes(&mut self, kind: &str, namespace: &str, name: &str) -> Option<Vec<String>>;
    /// A file of the home directory.
    fn file(&mut self, path: &str) -> Option<Vec<u8>>;
    /// Writes a file into the home directory.
    fn write_file(&mut self, path: &str, content: &[u8]) -> Result<(), String>;
    /// The commands that have ended since the lesson began, oldest first.
    fn finished(&mut self) -> Vec<FinishedCommand>;
    /// Runs a command line to its end, for at most so long.
    fn exec(&mut self, line: &str, limit: Duration) -> ExecResult;
    /// What a command prints to standard output, where that leaves nothing behind.
    fn try_out(&mut self, line: &str) -> String;
    /// Lets time pass.
    fn pass(&mut self, time: Duration);
    /// The time since some moment before the lesson.
    fn elapsed(&self) -> Duration;
}

/// Virtual time that a request of a check may take.
const TRY_LIMIT: Duration = Duration::from_secs(20);

impl Scene for Cluster {
    fn serves(&mut self, api_version: &str, kind: &str) -> bool {
        scheme::by_kind(&self.kinds(), api_version, kind).is_some()
    }

    fn object(
        &mut self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Option<Value> {
        Cluster::object(self, api_version, kind, namespace, name)?.to_json().ok()
    }

    fn objects(
        &mut self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        selector: &str,
    ) -> Option<Vec<Value>> {
        let objects = self
            .serves(api_version, kind)
            .then(|| Cluster::objects(self, api_version, kind, namespace, selector))?;
        Some(objects.iter().filter_map(|object| object.to_json().ok()).collect())
    }

    fn causes(&mut self, kind: &str, namespace: &str, name: &str) -> Option<Vec<String>> {
        let chain = self.explain(kind, namespace, name).map(|explanation| explanation.chain);
        let lines = chain.into_iter().flatten();
        Some(lines.map(|it| format!("{} {} {}", it.actor, it.verb, it.subject)).collect())
    }

    fn file(&mut self, path: &str) -> Option<Vec<u8>> {
        self.home_file(path)
    }

    fn write_file(&mut self, path: &str, content: &[u8]) -> Result<(), String> {
        self.write_home_file(path, content).map_err(|error| error.to_string())
    }

    fn finished(&mut self) -> Vec<FinishedCommand> {
        self.finished_commands().cloned().collect()
    }

    fn exec(&mut self, line: &str, limit: Duration) -> ExecResult {
        Cluster::exec(self, line, limit)
    }

    /// In a copy: the learner's own cluster goes its way untouched.
    fn try_out(&mut self, line: &str) -> String {
        self.clone().exec(line, TRY_LIMIT).stdout
    }

    fn pass(&mut self, time: Duration) {
        self.advance(self.now() + time, u64::MAX);
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.now().as_micros())
    }
}
