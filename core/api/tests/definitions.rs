//! What is wrong with CustomResourceDefinitions.
//!
//! `data/definitions.json` holds a definition, changes to it (merge patches), and what
//! `ValidateCustomResourceDefinition` of k8s.io/apiextensions-apiserver v0.33.4 says of the changed
//! one, in order. Where that prints all of a schema as a Go struct, only the struct's name stands,
//! and `[..]` stands for what Go's regexp says of a pattern.

use naru_api::k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use naru_api::{Kube, patch};
use serde_json::Value;

#[test]
fn errors_are_upstreams() {
    let data: Value = serde_json::from_str(include_str!("data/definitions.json")).unwrap();
    let strategy = &CustomResourceDefinition::kind().strategy;
    for case in data["cases"].as_array().unwrap() {
        let json = patch::merge(data["base"].clone(), &case["change"]);
        let mut object = strategy.decode(json).unwrap();
        strategy.default(&mut object);
        strategy.prepare_for_create(&mut object);
        let text = |error: naru_api::FieldError| format!("{}: {}", error.field, error.message);
        let mut errors: Vec<String> = strategy.validate(&object).into_iter().map(text).collect();
        errors.sort();
        errors.dedup();
        let expected: Vec<&str> =
            case["errors"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
        let same = errors.len() == expected.len()
            && errors.iter().zip(&expected).all(|(error, expected)| {
                match expected.split_once("[..]") {
                    Some((head, _)) => error.starts_with(head),
                    None => error == expected,
                }
            });
        assert!(same, "{}\n{errors:#?}\n{expected:#?}", case["change"]);
    }
}
