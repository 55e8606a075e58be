//! The rules of managed fields and server-side apply, against upstream's.
//!
//! The cases' expected results in `tests.json` were printed by `managedfields.FieldManager` of
//! apimachinery v0.33.4, with the types of `k8s.io/api` and the schema of
//! `client-go/applyconfigurations`, for the objects given there.

use super::*;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
struct Case {
    name: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    op: String,
    manager: String,
    #[serde(default)]
    subresource: String,
    #[serde(default)]
    force: bool,
    object: Value,
    managed: Option<Map<String, Value>>,
    result: Option<Value>,
    #[serde(default)]
    error: String,
}

fn kind_of(object: &Value) -> crate::KindRef {
    let text = |field: &str| object[field].as_str().unwrap();
    crate::scheme::by_kind(&crate::scheme::built_in(), text("apiVersion"), text("kind")).unwrap()
}

fn shown(managers: &Managers) -> Map<String, Value> {
    let mut all = Map::new();
    for entry in managers.encode() {
        let text = |text: Option<String>| text.unwrap_or_default();
        let id = format!(
            "{} {} {} {}",
            text(entry.manager),
            text(entry.operation),
            text(entry.api_version),
            text(entry.subresource)
        );
        all.insert(id.trim().to_owned(), entry.fields_v1.unwrap().0);
    }
    all
}

fn run(case: Case) {
    let mut live: Option<Value> = None;
    let mut managers = Managers::default();
    for (index, step) in case.steps.into_iter().enumerate() {
        let what = format!("{}, step {index}", case.name);
        let kind = kind_of(&step.object);
        let scope = scope(&kind, &step.subresource);
        let mut object = step.object;
        // An object as it is after a decoding.
        let stored = |json: Value| kind.strategy.decode(json).unwrap().content_json().unwrap();
        if step.op == "update" {
            object = stored(object);
            let manager = Manager::new(&step.manager, "", Operation::Update, &step.subresource);
            match &live {
                None => {
                    let fields = fields_of_new(&scope, &object).into();
                    managers = Managers::create(&scope, manager, fields, Timestamp::UNIX_EPOCH);
                }
                Some(live) if !managers.is_empty() => {
                    managers.update(&scope, manager, live, &object, Timestamp::UNIX_EPOCH);
                }
                Some(_) => {}
            }
            live = Some(object);
        } else {
            let manager = Manager::new(&step.manager, "", Operation::Apply, &step.subresource);
            let time = Timestamp::UNIX_EPOCH;
            let problems = problems(scope.node, &object);
            if !problems.is_empty() {
                assert_eq!(misfit(&scope, &object, &problems), step.error, "{what}");
                continue;
            }
            match apply(&scope, live.as_ref(), &managers, &object, manager, step.force, time) {
                Ok(applied) => {
                    assert_eq!(step.error, "", "{what}");
                    managers = applied.managers;
                    if let Some(object) = applied.object {
                        live = Some(stored(object));
                    }
                }
                Err(conflicts) => {
                    assert_eq!(refused(&conflicts).message(), step.error, "{what}");
                    continue;
                }
            }
        }
        assert_eq!(
            Value::Object(shown(&managers)),
            Value::Object(step.managed.unwrap_or_default()),
            "{what}"
        );
        if let (Some(live), Some(result)) = (&live, step.result) {
            assert_eq!(without_nulls(live), without_nulls(&result), "{what}");
        }
    }
}

/// Null and an empty list are one thing to Go's types.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let nothing = |value: &Value| value.is_null() || *value == Value::Array(Vec::new());
            let some = map.iter().filter(|(_, value)| !nothing(value));
            Value::Object(some.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        value => value.clone(),
    }
}

#[test]
fn the_rules_are_upstreams() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("tests.json")).unwrap();
    cases.into_iter().for_each(run);
}
