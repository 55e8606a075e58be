//! The rules of a schema in CEL, `x-kubernetes-validations`, and what is wrong with an object by
//! them.
//!
//! Upstream: `apiextensions-apiserver/pkg/apiserver/schema/cel/validation.go`.

use super::{Schema, additional, is_embedded, items, property, type_of};
use crate::FieldError;
use crate::cel::{CompileError, EvalError, Expression, Given, given, optional};
use crate::structural::invariants::children;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;
use serde_json::Value;
use std::collections::BTreeMap;

/// Steps that all rules of one object may take together. Upstream: `RuntimeCELCostBudget`, counted
/// in another way.
const STEPS_MAX: u64 = 20_000_000;
const OUT_OF_BUDGET: &str =
    "validation failed due to running out of cost budget, no further validation rules will be run";
/// What is said in place of rules that were not looked at. Upstream: `hasBlockingErr`.
const NOT_CHECKED: &str = "some validation rules were not checked because the object was invalid; \
                           correct the existing errors to complete validation";
/// Errors after which rules could not rely on the schema.
const BLOCKING: [&str; 5] = [
    "FieldValueNotSupported",
    "FieldValueRequired",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueTypeInvalid",
];

/// The expressions of a schema, by their text.
#[derive(Debug, Default)]
pub struct Rules(BTreeMap<String, Expression>);

impl Rules {
    /// Reads all expressions of a schema; those that cannot be evaluated are left out.
    pub fn of(schema: Option<&Schema>) -> Self {
        let mut rules = Rules::default();
        if let Some(schema) = schema {
            rules.collect(schema);
        }
        rules
    }

    fn collect(&mut self, schema: &Schema) {
        for rule in schema.x_kubernetes_validations.iter().flatten() {
            for text in std::iter::once(&rule.rule).chain(&rule.message_expression) {
                if let Ok(expression) = Expression::compile(text) {
                    self.0.insert(text.clone(), expression);
                }
            }
        }
        children(schema).into_iter().for_each(|child| self.collect(child));
    }

    /// Adds what is wrong with an object to what is known to be wrong with it.
    pub fn validate(
        &self,
        object: &Value,
        old: Option<&Value>,
        schema: &Schema,
        errors: &mut Vec<FieldError>,
    ) {
        if self.0.is_empty() {
            return;
        }
        if errors.iter().any(|error| BLOCKING.contains(&error.reason)) {
            errors.push(FieldError::invalid_raw("<nil>", "null", NOT_CHECKED));
            return;
        }
        let mut run = Run { rules: self, left: STEPS_MAX, errors };
        // What is left out when the budget is used up was said.
        let _ = run.node(object, Node { old, schema, path: "", is_object: true, same: false });
    }
}

/// The first function that a schema's rules call and that is not here.
pub fn unknown_function(schema: &Schema) -> Option<String> {
    let rules = schema.x_kubernetes_validations.iter().flatten();
    let texts = rules.flat_map(|rule| std::iter::once(&rule.rule).chain(&rule.message_expression));
    let unknown = |text: &String| match Expression::compile(text) {
        Err(CompileError::Unknown(name)) => Some(name),
        _ => None,
    };
    let mut found = texts.filter_map(unknown);
    found.next().or_else(|| children(schema).into_iter().find_map(unknown_function))
}

/// A place in an object.
#[derive(Clone, Copy)]
struct Node<'a> {
    /// What was there before, if that can be said.
    old: Option<&'a Value>,
    schema: &'a Schema,
    path: &'a str,
    /// Whether it is a whole object, with metadata.
    is_object: bool,
    /// Whether it, or what it is a part of, is as it was.
    same: bool,
}

/// No more rules are to be looked at.
struct Stop;

struct Run<'r> {
    rules: &'r Rules,
    left: u64,
    errors: &'r mut Vec<FieldError>,
}

impl Run<'_> {
    fn node(&mut self, value: &Value, node: Node<'_>) -> Result<(), Stop> {
        if value.is_null() {
            return Ok(());
        }
        let same = match node.old {
            Some(old) => old == value,
            None => node.same,
        };
        let node = Node { same, ..node };
        self.rules_of(value, node)?;
        for schema in node.schema.all_of.iter().flatten() {
            let rules = schema.x_kubernetes_validations.as_deref().unwrap_or_default();
            self.each_rule(value, node, rules)?;
        }
        match value {
            Value::Object(fields) => self.fields(fields, node),
            Value::Array(list) => self.items(list, node),
            _ => Ok(()),
        }
    }

    fn fields(
        &mut self,
        fields: &serde_json::Map<String, Value>,
        node: Node<'_>,
    ) -> Result<(), Stop> {
        let correlates = node.schema.x_kubernetes_map_type.as_deref() != Some("atomic");
        for (name, value) in fields {
            let old = node.old.filter(|_| correlates).and_then(|old| old.get(name));
            let named = property(node.schema, name);
            let Some(schema) = named.or_else(|| additional(node.schema)) else { continue };
            let path = match (node.path, named) {
                ("", Some(_)) => name.clone(),
                (path, Some(_)) => format!("{path}.{name}"),
                (path, None) => format!("{path}[{name}]"),
            };
            let is_object = is_embedded(schema);
            self.node(value, Node { old, schema, path: &path, is_object, same: node.same })?;
        }
        Ok(())
    }

    fn items(&mut self, list: &[Value], node: Node<'_>) -> Result<(), Stop> {
        let Some(schema) = items(node.schema) else { return Ok(()) };
        for (index, value) in list.iter().enumerate() {
            let old = before(value, node);
            let path = format!("{}[{index}]", node.path);
            let is_object = is_embedded(schema);
            self.node(value, Node { old, schema, path: &path, is_object, same: node.same })?;
        }
        Ok(())
    }

    fn rules_of(&mut self, value: &Value, node: Node<'_>) -> Result<(), Stop> {
        let rules = node.schema.x_kubernetes_validations.as_deref().unwrap_or_default();
        self.each_rule(value, node, rules)
    }

    fn each_rule(
        &mut self,
        value: &Value,
        node: Node<'_>,
        rules: &[ValidationRule],
    ) -> Result<(), Stop> {
        if rules.is_empty() {
            return Ok(());
        }
        let this = given(value, Some(node.schema), node.is_object);
        let old = || node.old.map(|old| given(old, Some(node.schema), node.is_object));
        for rule in rules {
            let Some(expression) = self.rules.0.get(&rule.rule) else { continue };
            let may_be_new = rule.optional_old_self == Some(true);
            let old = match (expression.uses_old_self, may_be_new) {
                (true, false) if node.old.is_none() => continue,
                (_, true) => Some(optional(old())),
                _ => old(),
            };
            self.one_rule(rule, expression, (&this, old.as_ref()), node)?;
        }
        Ok(())
    }

    fn one_rule(
        &mut self,
        rule: &ValidationRule,
        expression: &Expression,
        (this, old): (&Given, Option<&Given>),
        node: Node<'_>,
    ) -> Result<(), Stop> {
        let type_ = type_of(node.schema);
        let path = if node.path.is_empty() { "<nil>" } else { node.path };
        let Some(left) = self.left.checked_sub(expression.steps(this, old)) else {
            self.errors.push(FieldError::invalid(path, type_, OUT_OF_BUDGET));
            return Err(Stop);
        };
        self.left = left;
        match expression.holds(this, old) {
            Ok(true) => {}
            Ok(false) if node.same && !expression.uses_old_self => {}
            Ok(false) => {
                let error = self.failed(rule, this, old, node);
                self.errors.push(error);
            }
            Err(EvalError::Budget) => {
                let detail = format!(
                    "'operation cancelled: actual cost limit exceeded': no further validation \
                     rules will be run due to call cost exceeds limit for rule: {}",
                    shown(rule)
                );
                self.errors.push(FieldError::invalid(path, type_, &detail));
                return Err(Stop);
            }
            Err(EvalError::Failed(why)) if why.starts_with("no such overload") => {
                let detail = format!(
                    "'{why}': call arguments did not match a supported operator, function or \
                     macro signature for rule: {}",
                    shown(rule)
                );
                self.errors.push(FieldError::invalid(path, type_, &detail));
            }
            Err(EvalError::Failed(why)) => {
                let detail = format!("{why} evaluating rule: {}", shown(rule));
                self.errors.push(FieldError::invalid(path, type_, &detail));
            }
        }
        Ok(())
    }

    /// Upstream: `fieldErrorForReason`, `ruleMessageOrDefault`.
    fn failed(
        &self,
        rule: &ValidationRule,
        this: &Given,
        old: Option<&Given>,
        node: Node<'_>,
    ) -> FieldError {
        let made = rule.message_expression.as_ref().and_then(|text| self.rules.0.get(text));
        let made = made.and_then(|made| made.message(this, old).ok().flatten());
        let made = made.map(|text| text.trim().to_owned());
        let made = made.filter(|text| !text.is_empty() && !text.contains(['\n', '\r']));
        let given = rule.message.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let detail = made
            .or_else(|| given.map(str::to_owned))
            .unwrap_or_else(|| format!("failed rule: {}", rule.rule.trim()));
        let below = rule.field_path.as_deref().unwrap_or_default().trim_start_matches('.');
        let path = match (node.path, below) {
            ("", "") => "<nil>".to_owned(),
            (path, "") => path.to_owned(),
            ("", below) => below.to_owned(),
            (path, below) => format!("{path}.{below}"),
        };
        let type_ = type_of(node.schema);
        match rule.reason.as_deref() {
            Some("FieldValueForbidden") => FieldError::forbidden(path, &detail),
            Some("FieldValueRequired") => FieldError::required(path, &detail),
            Some("FieldValueDuplicate") => FieldError::duplicate(path, type_),
            _ => FieldError::invalid(path, type_, &detail),
        }
    }
}

/// How errors name a rule. Upstream: `ruleErrorString`.
fn shown(rule: &ValidationRule) -> &str {
    match rule.message.as_deref().unwrap_or_default() {
        "" => rule.rule.trim(),
        message => message.trim(),
    }
}

/// The item of a list that this one was before: where items have keys.
fn before<'a>(item: &Value, node: Node<'a>) -> Option<&'a Value> {
    if node.schema.x_kubernetes_list_type.as_deref() != Some("map") {
        return None;
    }
    let keys = node.schema.x_kubernetes_list_map_keys.as_deref()?;
    let old = node.old?.as_array()?;
    old.iter().find(|old| keys.iter().all(|key| old.get(key) == item.get(key)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema(json: Value) -> Schema {
        serde_json::from_value(json).unwrap()
    }

    fn errors(schema: &Schema, object: &Value, old: Option<&Value>) -> Vec<String> {
        let mut errors = Vec::new();
        Rules::of(Some(schema)).validate(object, old, schema, &mut errors);
        errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect()
    }

    #[test]
    fn rules_fail_in_upstreams_words() {
        let spec = schema(json!({"type": "object", "properties": {"spec": {
        "type": "object",
        "x-kubernetes-validations": [
            {"rule": "self.min <= self.max"},
            {"rule": "self.min > 0", "message": "min must be positive",
                "fieldPath": ".min", "reason": "FieldValueForbidden"},
            {"rule": "self.max < 10", "messageExpression": "'max is ' + string(self.max)"},
            {"rule": "self.min >= oldSelf.min", "message": "min may only grow"},
            {"rule": "self.other == 1"},
        ],
        "properties": {
            "min": {"type": "integer"}, "max": {"type": "integer"},
            "names": {"type": "array", "items": {"type": "string",
                "x-kubernetes-validations": [{"rule": "self.startsWith('a')"}]}},
        }}}}));
        let object = json!({"spec": {"min": 0, "max": 20, "names": ["ab", "b"]}});
        let other = "spec: Invalid value: \"object\": no such key: other evaluating rule: \
                     self.other == 1";
        assert_eq!(
            errors(&spec, &object, None),
            [
                "spec.min: Forbidden: min must be positive",
                "spec: Invalid value: \"object\": max is 20",
                other,
                "spec.names[1]: Invalid value: \"string\": failed rule: self.startsWith('a')",
            ]
        );
        let old = json!({"spec": {"min": 2, "max": 20}});
        let found = errors(&spec, &json!({"spec": {"min": 1, "max": 0}}), Some(&old));
        assert_eq!(
            found,
            [
                "spec: Invalid value: \"object\": failed rule: self.min <= self.max",
                "spec: Invalid value: \"object\": min may only grow",
                other,
            ]
        );
    }

    #[test]
    fn what_was_wrong_before_may_stay() {
        let spec = schema(json!({"type": "object", "properties": {"a": {"type": "integer",
            "x-kubernetes-validations": [{"rule": "self > 1"}]}, "b": {"type": "integer"}}}));
        let (old, new) = (json!({"a": 0, "b": 1}), json!({"a": 0, "b": 2}));
        assert_eq!(errors(&spec, &new, Some(&old)), [""; 0]);
        let wrong = ["a: Invalid value: \"integer\": failed rule: self > 1"];
        assert_eq!(errors(&spec, &new, None), wrong);
    }
}
