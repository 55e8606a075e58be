//! A lesson's scene on a cluster elsewhere, through the kubectl of this machine.
//!
//! The lesson gets a home directory of its own with a kubeconfig that knows the one context only,
//! so that whatever is typed acts on that cluster.

use naru_cluster::{ExecResult, FinishedCommand};
use naru_lesson::Scene;
use serde_json::Value;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A cluster elsewhere.
pub struct Elsewhere {
    home: PathBuf,
    finished: Vec<FinishedCommand>,
    started: Instant,
}

impl Elsewhere {
    /// The cluster of a context of this machine's kubeconfig; `home` is where the lesson's files
    /// go.
    pub fn new(context: &str, home: &Path) -> Result<Self, Box<dyn Error>> {
        let config = Command::new("kubectl")
            .args(["config", "view", "--raw", "--flatten", "--minify", "--context", context])
            .stderr(Stdio::inherit())
            .output()?;
        if !config.status.success() {
            return Err(format!("there is no context {context:?}").into());
        }
        let folder = home.join(".kube");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("config"), config.stdout)?;
        let scene =
            Elsewhere { home: home.canonicalize()?, finished: Vec::new(), started: Instant::now() };
        scene.run("kubectl", &["config", "use-context", context]).map(drop)?;
        Ok(scene)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.home).env("HOME", &self.home);
        command.env("KUBECONFIG", self.home.join(".kube/config"));
        command
    }

    fn run(&self, program: &str, args: &[&str]) -> Result<String, Box<dyn Error>> {
        let output = self.command(program).args(args).stderr(Stdio::null()).output()?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(format!("{program} {} failed", args.join(" ")).into()),
        }
    }

    /// `KIND.VERSION.GROUP`, as kubectl wants it where a kind may be of several groups.
    fn named(api_version: &str, kind: &str) -> String {
        match api_version.split_once('/') {
            Some((group, version)) => format!("{kind}.{version}.{group}"),
            None => format!("{kind}.{api_version}."),
        }
    }

    fn get(&self, what: &str, args: &[&str]) -> Option<Value> {
        let mut all = vec!["get", what, "-o", "json"];
        all.extend(args);
        serde_json::from_str(&self.run("kubectl", &all).ok()?).ok()
    }
}

impl Scene for Elsewhere {
    fn serves(&mut self, api_version: &str, kind: &str) -> bool {
        self.get(&Self::named(api_version, kind), &["--all-namespaces", "--chunk-size=1"]).is_some()
    }

    fn object(
        &mut self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Option<Value> {
        self.get(&Self::named(api_version, kind), &[name, "--namespace", namespace])
    }

    fn objects(
        &mut self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        selector: &str,
    ) -> Option<Vec<Value>> {
        let what = Self::named(api_version, kind);
        let list = match namespace {
            "" => self.get(&what, &["--selector", selector, "--all-namespaces"]),
            _ => self.get(&what, &["--selector", selector, "--namespace", namespace]),
        };
        list?.get("items")?.as_array().cloned()
    }

    /// Only the sandbox remembers causes.
    fn causes(&mut self, _kind: &str, _namespace: &str, _name: &str) -> Option<Vec<String>> {
        None
    }

    fn file(&mut self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.home.join(path)).ok()
    }

    fn write_file(&mut self, path: &str, content: &[u8]) -> Result<(), String> {
        let path = self.home.join(path);
        let folder = path.parent().unwrap_or(&self.home);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, content))
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    fn finished(&mut self) -> Vec<FinishedCommand> {
        self.finished.clone()
    }

    /// The line itself counts as the command that has ended: which programs a shell starts is not
    /// seen from here.
    fn exec(&mut self, line: &str, limit: Duration) -> ExecResult {
        let seconds = limit.as_secs().to_string();
        let ran = self.command("timeout").args([&seconds, "bash", "-c", line]).output();
        let result = match ran {
            Ok(output) => ExecResult {
                stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
                code: output.status.code().unwrap_or(1),
            },
            Err(error) => {
                ExecResult { stderr: format!("{error}\n"), code: 1, ..ExecResult::default() }
            }
        };
        let printed = format!("{}{}", result.stdout, result.stderr).into();
        // As the sandbox tells it: a word has no quotes any more.
        let line = line.replace(['\'', '"'], "");
        self.finished.push(FinishedCommand { line, code: result.code, printed });
        result
    }

    fn try_out(&mut self, line: &str) -> String {
        self.run("bash", &["-c", line]).unwrap_or_default()
    }

    fn pass(&mut self, time: Duration) {
        thread::sleep(time);
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named_with_their_group() {
        assert_eq!(Elsewhere::named("apps/v1", "Deployment"), "Deployment.v1.apps");
        assert_eq!(Elsewhere::named("v1", "Pod"), "Pod.v1.");
    }
}
