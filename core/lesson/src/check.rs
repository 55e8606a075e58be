//! Checks: what holds of a cluster.

use crate::{
    AbsentCondition, CauseCondition, Check, CommandCondition, CountCondition, FileCondition,
    HttpCondition, JsonPathCondition, Lesson, ObjectCondition,
};
use naru_api::jsonpath::JsonPath;
use naru_api::{Object, scheme};
use naru_cluster::{Cluster, FinishedCommand};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

impl Lesson {
    /// Which checks of a step hold now, in order; nothing for a step that there is not.
    pub fn check(&self, step: usize, cluster: &mut Cluster) -> Vec<bool> {
        let mut hold = Vec::new();
        for check in self.steps.get(step).map(|step| step.checks.as_slice()).unwrap_or_default() {
            // A request costs a copy of the cluster: it waits until there is nothing else to do.
            let try_it = check.http.is_none() || !hold.contains(&false);
            hold.push(try_it && check.holds(cluster));
        }
        hold
    }
}

impl Check {
    /// Whether its condition holds now.
    pub fn holds(&self, cluster: &mut Cluster) -> bool {
        let Check { says: _, object, count, absent, file, command, jsonpath, http, cause } = self;
        object.as_ref().is_none_or(|it| it.holds(cluster))
            && count.as_ref().is_none_or(|it| it.holds(cluster))
            && absent.as_ref().is_none_or(|it| it.holds(cluster))
            && file.as_ref().is_none_or(|it| it.holds(cluster))
            && command.as_ref().is_none_or(|it| it.holds(cluster))
            && jsonpath.as_ref().is_none_or(|it| it.holds(cluster))
            && cause.as_ref().is_none_or(|it| it.holds(cluster))
            && http.as_ref().is_none_or(|it| it.holds(cluster))
    }
}

impl ObjectCondition {
    fn holds(&self, cluster: &mut Cluster) -> bool {
        let object = cluster.object(&self.api_version, &self.kind, &self.namespace, &self.name);
        object.is_some_and(|object| has_fields(&object, &self.fields))
    }
}

impl CountCondition {
    fn holds(&self, cluster: &mut Cluster) -> bool {
        if scheme::by_kind(&cluster.kinds(), &self.api_version, &self.kind).is_none() {
            return false;
        }
        let objects =
            cluster.objects(&self.api_version, &self.kind, &self.namespace, &self.selector);
        let found = objects.iter().filter(|object| has_fields(object, &self.fields)).count();
        self.is.is_none_or(|wanted| found == wanted)
            && self.at_least.is_none_or(|fewest| found >= fewest)
            && self.at_most.is_none_or(|most| found <= most)
    }
}

impl AbsentCondition {
    fn holds(&self, cluster: &mut Cluster) -> bool {
        let AbsentCondition { api_version, kind, namespace, name } = self;
        // A kind that is misspelt is never absent.
        scheme::by_kind(&cluster.kinds(), api_version, kind).is_some()
            && cluster.object(api_version, kind, namespace, name).is_none()
    }
}

impl FileCondition {
    fn holds(&self, cluster: &mut Cluster) -> bool {
        let content = cluster.home_file(&self.path);
        content.is_some_and(|bytes| String::from_utf8_lossy(&bytes).contains(&self.contains))
    }
}

impl CommandCondition {
    fn holds(&self, cluster: &mut Cluster) -> bool {
        cluster
            .finished_commands()
            .filter(|it| self.is_about(it))
            .nth(self.times.saturating_sub(1))
            .is_some()
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
    fn holds(&self, cluster: &mut Cluster) -> bool {
        let object = cluster.object(&self.api_version, &self.kind, &self.namespace, &self.name);
        let printed = object.and_then(|object| {
            JsonPath::parse(&self.path, true).ok()?.print(&object.to_json().ok()?).ok()
        });
        printed.is_some_and(|text| text == self.is)
    }
}

impl HttpCondition {
    /// Virtual seconds that the answer may take.
    const SECONDS_MAX: u64 = 5;
    /// Stands between the answer's body and its status.
    const MARK: &str = "\n--naru-status--";

    /// Tried in a copy of the cluster, so that the learner's own goes its way untouched. There it
    /// is a command like any other.
    fn holds(&self, cluster: &Cluster) -> bool {
        let Some(command) = self.command() else { return false };
        let mut copy = cluster.clone();
        let result = copy.exec(&command, Duration::from_secs(4 * Self::SECONDS_MAX));
        let Some((body, status)) = result.stdout.rsplit_once(Self::MARK) else { return false };
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
    fn holds(&self, cluster: &mut Cluster) -> bool {
        let Some((kind, namespace, name)) = self.object() else { return false };
        cluster.explain(kind, namespace, name).is_some_and(|explanation| {
            explanation
                .chain
                .iter()
                .map(|cause| format!("{} {} {}", cause.actor, cause.verb, cause.subject))
                .any(|line| line.contains(&self.contains))
        })
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

fn has_fields(object: &Object, fields: &BTreeMap<String, String>) -> bool {
    if fields.is_empty() {
        return true;
    }
    let Ok(json) = object.to_json() else { return false };
    fields.iter().all(|(pointer, wanted)| match json.pointer(pointer) {
        Some(Value::String(text)) => text == wanted,
        Some(other) => *wanted == format!("{other}"),
        None => false,
    })
}
