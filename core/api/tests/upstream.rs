//! Defaults, validation and warnings of kinds, compared with upstream's.
//!
//! Each line of `upstream/KIND.jsonl` is an object (`new`), for an update what it was before
//! (`old`, and the subresource `sub`), and what the strategies of `k8s.io/kubernetes` v1.33.4
//! made of it: the errors and warnings, or the object after defaults, preparation and a stay in
//! the store (protobuf), as JSON. Upstream checks some things twice, and maps in no order: texts
//! are compared as sets. Names are checked by the API server here.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

use naru_api::request::UserInfo;
use naru_api::{FieldError, Object, scheme};
use naru_sim::Time;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Moments at which something was made.
const STAMPS: [&str; 3] = ["lastPhaseTransitionTime", "lastUpdateTime", "lastTransitionTime"];

fn read(json: &Value) -> Object {
    let version = json["apiVersion"].as_str().unwrap();
    let kind = scheme::by_kind(&scheme::built_in(), version, json["kind"].as_str().unwrap());
    let strategy = kind.expect("the kind is served").strategy.clone();
    let mut object = strategy.decode(json.clone()).unwrap_or_else(|why| panic!("{json}: {why}"));
    strategy.default(&mut object);
    object
}

fn names(object: &Object) -> Vec<FieldError> {
    let problems = object.strategy().validate_name(object.name());
    let error = |why: &String| FieldError::invalid("metadata.name", object.name(), why);
    problems.iter().map(error).collect()
}

/// The errors, the warnings and the object.
fn run(case: &Value) -> (Vec<FieldError>, Vec<String>, Object) {
    let mut new = read(&case["new"]);
    let strategy = new.strategy();
    let user = UserInfo::new("ann", &["dev"]);
    let errors = if case["old"].is_null() {
        strategy.prepare_for_create(&mut new);
        strategy.stamp(&mut new, None, &user, Time::ZERO);
        let mut errors = names(&new);
        errors.extend(strategy.validate(&new));
        errors
    } else {
        let mut old = read(&case["old"]);
        for object in [&mut new, &mut old] {
            object.meta_mut().resource_version = Some("1".to_owned());
            object.meta_mut().uid = Some("u".to_owned());
        }
        new.meta_mut().generation = old.meta().generation;
        let subresource = case["sub"].as_str().unwrap_or_default();
        strategy.prepare_for_update(&mut new, &old, subresource);
        strategy.stamp(&mut new, Some(&old), &user, Time::ZERO);
        strategy.validate_update(&new, &old, subresource)
    };
    let warnings = if errors.is_empty() { strategy.warnings(&new, None) } else { Vec::new() };
    (errors, warnings, new)
}

/// Without the moments at which something was made.
fn timeless(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !STAMPS.contains(&key.as_str()));
            map.values_mut().for_each(timeless);
        }
        Value::Array(items) => items.iter_mut().for_each(timeless),
        _ => {}
    }
}

fn set(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Says how a case differs.
fn difference(case: &Value) -> Option<String> {
    let (errors, warnings, object) = run(case);
    let errors: BTreeSet<String> =
        errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect();
    let warnings: BTreeSet<String> = warnings.into_iter().collect();
    let wanted = (set(&case["errors"]), set(&case["warnings"]));
    if (&errors, &warnings) != (&wanted.0, &wanted.1) {
        return Some(format!(
            "upstream: {:#?} {:#?}\nhere: {errors:#?} {warnings:#?}",
            wanted.0, wanted.1
        ));
    }
    if case["object"].is_null() {
        return None;
    }
    let mut mine = object.to_json().unwrap();
    let mut theirs = case["object"].clone();
    timeless(&mut mine);
    timeless(&mut theirs);
    (mine != theirs).then(|| format!("upstream: {theirs}\nhere:     {mine}"))
}

#[test]
fn kinds_behave_as_upstream() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/upstream");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (mut count, mut wrong) = (0, Vec::new());
    for file in files {
        for (number, line) in std::fs::read_to_string(&file).unwrap().lines().enumerate() {
            let case: Value = serde_json::from_str(line).unwrap();
            count += 1;
            if let Some(text) = difference(&case) {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let new = json!({"old": case["old"], "new": case["new"], "sub": case["sub"]});
                wrong.push(format!("{name}:{}: {new}\n{text}", number + 1));
            }
        }
    }
    assert!(count > 100, "{count} cases");
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n\n"));
}
