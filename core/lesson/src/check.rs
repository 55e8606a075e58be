//! Checks: what holds of a cluster.

use crate::{
    CommandCondition, Condition, CountCondition, FileCondition, Lesson, ObjectCondition, StepText,
};
use naru_api::Object;
use naru_cluster::Cluster;
use serde_json::Value;
use std::collections::BTreeMap;

impl Lesson {
    /// Which checks of a step hold now, in order; nothing for a step that there is not.
    pub fn check(&self, step: usize, cluster: &mut Cluster) -> Vec<bool> {
        let checks = self.steps.get(step).map(|step: &StepText| step.checks.as_slice());
        checks.unwrap_or_default().iter().map(|check| check.condition.holds(cluster)).collect()
    }
}

impl Condition {
    /// Whether it holds now.
    pub fn holds(&self, cluster: &mut Cluster) -> bool {
        match self {
            Condition::Object(condition) => condition.holds(cluster),
            Condition::Count(condition) => condition.holds(cluster),
            Condition::File(condition) => condition.holds(cluster),
            Condition::Command(condition) => condition.holds(cluster),
        }
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
        let objects =
            cluster.objects(&self.api_version, &self.kind, &self.namespace, &self.selector);
        objects.iter().filter(|object| has_fields(object, &self.fields)).count() == self.is
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
            .any(|command| command.code == self.code && command.line.starts_with(&self.starts_with))
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
