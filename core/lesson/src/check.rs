//! Checks: what holds of a cluster.

use crate::{
    AbsentCondition, CauseCondition, Check, CommandCondition, CountCondition, FileCondition,
    HttpCondition, JsonPathCondition, Lesson, ObjectCondition, Scene,
};
use naru_api::jsonpath::JsonPath;
use naru_cluster::FinishedCommand;
use serde_json::Value;
use std::collections::BTreeMap;

impl Lesson {
    /// Which checks of a step hold now, in order; nothing for a step that there is not.
    pub fn check(&self, step: usize, scene: &mut dyn Scene) -> Vec<bool> {
        let mut hold = Vec::new();
        for check in self.steps.get(step).map(|step| step.checks.as_slice()).unwrap_or_default() {
            // A request costs a copy of the cluster: it waits until there is nothing else to do.
            let try_it = check.http.is_none() || !hold.contains(&false);
            hold.push(try_it && check.holds(scene));
        }
        hold
    }
}

impl Check {
    /// Whether its condition holds now.
    pub fn holds(&self, scene: &mut dyn Scene) -> bool {
        let Check { says: _, object, count, absent, file, command, jsonpath, http, cause } = self;
        object.as_ref().is_none_or(|it| it.holds(scene))
            && count.as_ref().is_none_or(|it| it.holds(scene))
            && absent.as_ref().is_none_or(|it| it.holds(scene))
            && file.as_ref().is_none_or(|it| it.holds(scene))
            && command.as_ref().is_none_or(|it| it.holds(scene))
            && jsonpath.as_ref().is_none_or(|it| it.holds(scene))
            && cause.as_ref().is_none_or(|it| it.holds(scene))
            && http.as_ref().is_none_or(|it| it.holds(scene))
    }
}

impl ObjectCondition {
    fn holds(&self, scene: &mut dyn Scene) -> bool {
        let object = scene.object(&self.api_version, &self.kind, &self.namespace, &self.name);
        object.is_some_and(|object| has_fields(&object, &self.fields))
    }
}

impl CountCondition {
    fn holds(&self, scene: &mut dyn Scene) -> bool {
        let objects = scene.objects(&self.api_version, &self.kind, &self.namespace, &self.selector);
        let Some(objects) = objects else { return false };
        let found = objects.iter().filter(|object| has_fields(object, &self.fields)).count();
        self.is.is_none_or(|wanted| found == wanted)
            && self.at_least.is_none_or(|fewest| found >= fewest)
            && self.at_most.is_none_or(|most| found <= most)
    }
}

impl AbsentCondition {
    fn holds(&self, scene: &mut dyn Scene) -> bool {
        let AbsentCondition { api_version, kind, namespace, name } = self;
        // A kind that is misspelt is never absent.
        scene.serves(api_version, kind)
            && scene.object(api_version, kind, namespace, name).is_none()
    }
}

impl FileCondition {
    fn holds(&self, scene: &mut dyn Scene) -> bool {
        let content = scene.file(&self.path);
        content.is_some_and(|bytes| String::from_utf8_lossy(&bytes).contains(&self.contains))
    }
}

impl CommandCondition {
    fn holds(&self, scene: &mut dyn Scene) -> bool {
        let commands = scene.finished();
        let matching = commands.iter().filter(|command| self.is_about(command));
        matching.count() >= self.times.max(1)
    }

    fn is_about(&self, command: &FinishedCommand) -> bool {
        let line = match command.line.strip_prefix("k ") {
            Some(rest) => &format!("kubectl {rest}"),
            None => &command.line,
        };
        command.code == self.code
            && line.starts_with(&self.starts_with)
            && command.printed.contains(&self.prints)
    }
}

impl JsonPathCondition {
    fn holds(&self, scene: &mut dyn Scene) -> bool {
        let object = scene.object(&self.api_version, &self.kind, &self.namespace, &self.name);
        let printed =
            object.and_then(|object| JsonPath::parse(&self.path, true).ok()?.print(&object).ok());
        printed.is_some_and(|text| text == self.is)
    }
}

impl HttpCondition {
    /// Seconds that the answer may take.
    const SECONDS_MAX: u64 = 5;
    /// Stands between the answer's body and its status.
    const MARK: &str = "\n--naru-status--";

    fn holds(&self, scene: &mut dyn Scene) -> bool {
        let Some(command) = self.command() else { return false };
        let printed = scene.try_out(&command);
        let Some((body, status)) = printed.rsplit_once(Self::MARK) else { return false };
        status.trim() == self.status.to_string() && body.contains(&self.contains)
    }

    /// The command line that asks; `None` if it is not said well from where.
    pub(crate) fn command(&self) -> Option<String> {
        let words = |text: &str| text.chars().all(|c| c.is_ascii_graphic() && c != '\'');
        if !words(&self.url) || !words(&self.from) {
            return None;
        }
        let seconds = Self::SECONDS_MAX;
        let mark = Self::MARK.replace('\n', "\\n");
        let curl = format!("curl -s -m {seconds} -w '{mark}%{{http_code}}' '{}'", self.url);
        match self.from.split('/').collect::<Vec<_>>().as_slice() {
            ["home"] => Some(curl),
            ["node", name] => Some(format!("ssh {name} \"{curl}\"")),
            ["pod", name] => Some(format!("kubectl exec {name} -- {curl}")),
            ["pod", namespace, name] => {
                Some(format!("kubectl exec -n {namespace} {name} -- {curl}"))
            }
            _ => None,
        }
    }
}

impl CauseCondition {
    fn holds(&self, scene: &mut dyn Scene) -> bool {
        let Some((kind, namespace, name)) = self.object() else { return false };
        match scene.causes(kind, namespace, name) {
            Some(lines) => lines.iter().any(|line| line.contains(&self.contains)),
            // Where nobody remembers causes there is nothing to compare.
            None => true,
        }
    }

    /// Kind, namespace and name.
    pub(crate) fn object(&self) -> Option<(&str, &str, &str)> {
        match self.of.split('/').collect::<Vec<_>>().as_slice() {
            [kind, name] => Some((kind, "default", name)),
            [kind, namespace, name] => Some((kind, namespace, name)),
            _ => None,
        }
    }
}

fn has_fields(object: &Value, fields: &BTreeMap<String, String>) -> bool {
    fields.iter().all(|(pointer, wanted)| match object.pointer(pointer) {
        Some(Value::String(text)) => text == wanted,
        Some(other) => *wanted == format!("{other}"),
        None => false,
    })
}
