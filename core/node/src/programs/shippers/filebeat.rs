//! `filebeat`: inputs of the types `log`, `filestream` and `container`, and the output `console`. What
//! it would send elsewhere goes nowhere.
//!
//! Upstream: `elastic/beats`.

use super::tail::Tail;
use naru_shell::serve::clock;
use naru_shell::{Program, Signal, Step, Sys};
use naru_sim::Time;
use serde_yaml::Value;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(1);

/// The program.
#[derive(Clone, Debug, Default)]
pub struct Filebeat {
    tail: Tail,
    to_console: bool,
    next: Option<Time>,
}

impl Program for Filebeat {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.next.is_none()
            && let Err(step) = self.start(sys)
        {
            return step;
        }
        if sys.take_signal().is_some() {
            say(sys, "Stopping filebeat");
            return Step::Exit(0);
        }
        if self.next.is_some_and(|at| at <= sys.now()) {
            self.next = Some(sys.now() + EVERY);
            let (lines, _) = self.tail.look(sys);
            let time = clock::format(sys.now(), clock::ISO_MILLIS);
            for line in lines.into_iter().filter(|_| self.to_console) {
                let event = serde_json::json!({
                    "@timestamp": time,
                    "@metadata": {"beat": "filebeat", "type": "_doc", "version": version(sys)},
                    "log": {"offset": line.offset, "file": {"path": line.path}},
                    "message": line.text,
                    "host": {"name": sys.hostname()},
                });
                let _ = sys.write(1, format!("{event}\n").as_bytes());
            }
        }
        Step::Block { until: self.next }
    }
}

impl Filebeat {
    fn start(&mut self, sys: &mut dyn Sys) -> Result<(), Step> {
        let args = sys.args().to_vec();
        let at = args.iter().position(|arg| arg == "-c");
        let path = at.and_then(|at| args.get(at + 1)).cloned();
        let path =
            sys.absolute(&path.unwrap_or_else(|| "/usr/share/filebeat/filebeat.yml".to_owned()));
        let text = sys.fs().read_text(&path).map_err(|errno| {
            let text = format!(
                "Exiting: error loading config file: stat {path}: {}\n",
                errno.to_string().to_lowercase()
            );
            let _ = sys.write(2, text.as_bytes());
            Step::Exit(1)
        })?;
        let config: Value = serde_yaml::from_str(&text).map_err(|error| {
            let text = format!("Exiting: error loading config file: yaml: {error}\n");
            let _ = sys.write(2, text.as_bytes());
            Step::Exit(1)
        })?;
        let inputs = dotted(&config, &["filebeat", "inputs"]);
        let mut paths = Vec::new();
        for input in inputs.and_then(Value::as_sequence).into_iter().flatten() {
            let own = input.get("paths").and_then(Value::as_sequence).into_iter().flatten();
            paths.extend(own.filter_map(Value::as_str).map(str::to_owned));
        }
        // Modules and what is found by itself bring inputs of their own, which are not here.
        let elsewhere = config.as_mapping().is_some_and(|all| {
            let names = all.keys().filter_map(Value::as_str);
            names.into_iter().any(|name| {
                name.starts_with("filebeat.config") || name.starts_with("filebeat.autodiscover")
            })
        });
        if paths.is_empty() && !elsewhere {
            let text =
                b"Exiting: no modules or inputs enabled and configuration reloading disabled. \
                         What files do you want me to watch?\n";
            let _ = sys.write(2, text);
            return Err(Step::Exit(1));
        }
        self.to_console = dotted(&config, &["output", "console"]).is_some();
        self.tail = Tail::new(paths, true);
        let line = format!("filebeat start running. Version: {}", version(sys));
        say(sys, &line);
        sys.catch(Signal::Term);
        sys.catch(Signal::Int);
        sys.use_memory(70 << 20);
        self.next = Some(sys.now());
        Ok(())
    }
}

/// A setting whose name may be written with dots: `filebeat.inputs`.
fn dotted<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    if let Some(found) = value.get(path.join(".")) {
        return Some(found);
    }
    path.iter().try_fold(value, |value, name| value.get(name))
}

fn version(sys: &mut dyn Sys) -> String {
    sys.env().get("ELASTIC_VERSION").cloned().unwrap_or_else(|| "8.18.1".to_owned())
}

fn say(sys: &mut dyn Sys, message: &str) {
    let time = clock::format(sys.now(), clock::ISO_MILLIS);
    let line = serde_json::json!({
        "log.level": "info", "@timestamp": time, "message": message, "service.name": "filebeat",
    });
    let _ = sys.write(2, format!("{line}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_dots() {
        for text in ["filebeat.inputs: [1]", "filebeat: {inputs: [1]}"] {
            let value: Value = serde_yaml::from_str(text).unwrap();
            assert!(dotted(&value, &["filebeat", "inputs"]).is_some(), "{text}");
        }
    }
}
