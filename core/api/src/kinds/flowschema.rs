//! Flow schemas: which requests are of which priority level.
//!
//! Upstream: `pkg/registry/flowcontrol/flowschema/strategy.go`, `pkg/apis/flowcontrol/v1/defaults.go`,
//! `pkg/apis/flowcontrol/validation/validation.go`, `printFlowSchema`.

use super::cells;
use super::typed::{Typed, keep};
use crate::flowcontrol::{self, DANGLING, GROUP, SUBJECT_KINDS};
use crate::gofmt::{self, quote_all};
use crate::podspec::validation::all_invalid;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, names};
use k8s_openapi::api::flowcontrol::v1::{
    FlowSchema, FlowSchemaSpec, NonResourcePolicyRule, PolicyRulesWithSubjects, ResourcePolicyRule,
    ServiceAccountSubject, Subject,
};
use naru_sim::Time;

static KIND: Kind = Names::new(GROUP, "v1", "FlowSchema", "flowschemas", "flowschema")
    .cluster_scoped()
    .subresources(&["status"])
    .kind(&FlowSchemas);

/// Upstream: `FlowSchemaDefaultMatchingPrecedence`.
const PRECEDENCE: i32 = 1000;
/// Upstream: `FlowSchemaMaxMatchingPrecedence`.
const PRECEDENCE_MAX: i32 = 10_000;
const METHODS: &[&str] = &["ByNamespace", "ByUser"];
const VERBS: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"];

type Errors = Vec<FieldError>;

impl Kube for FlowSchema {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct FlowSchemas;

impl Typed for FlowSchemas {
    type Object = FlowSchema;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("PriorityLevel"),
        Column::new("MatchingPrecedence"),
        Column::new("DistinguisherMethod"),
        Column::new("Age"),
        Column::new("MissingPL"),
    ];

    fn default(&self, schema: &mut FlowSchema) {
        let precedence = &mut schema.spec.get_or_insert_default().matching_precedence;
        if precedence.unwrap_or(0) == 0 {
            *precedence = Some(PRECEDENCE);
        }
    }

    fn prepare_for_create(&self, schema: &mut FlowSchema) {
        schema.status = None;
        schema.metadata.generation = Some(1);
    }

    fn prepare_for_update(&self, new: &mut FlowSchema, old: &FlowSchema, subresource: &str) {
        if subresource == "status" {
            keep(&mut new.metadata, &old.metadata);
            keep(&mut new.spec, &old.spec);
            return;
        }
        keep(&mut new.status, &old.status);
        if !flowcontrol::same_schema(&spec(new), &spec(old)) {
            new.metadata.generation = Some(old.metadata.generation.unwrap_or(0) + 1);
        }
    }

    fn validate(&self, schema: &FlowSchema) -> Errors {
        let name = schema.metadata.name.as_deref().unwrap_or_default();
        let given = spec(schema);
        let path = Path::new("spec");
        let mut errors = Errors::new();
        validate_spec(name, &given, &path, &mut errors);
        let fixed = flowcontrol::mandatory_flow_schema(name);
        if fixed.is_some_and(|fixed| !flowcontrol::same_schema(&given, &fixed)) {
            let value = gofmt::dump("flowcontrol.FlowSchemaSpec", &*given);
            let detail = format!("spec of '{name}' must equal the fixed value");
            errors.push(FieldError::invalid_raw(path, value, &detail));
        }
        errors.extend(validate_status(schema));
        errors
    }

    fn validate_update(&self, new: &FlowSchema, _: &FlowSchema, subresource: &str) -> Errors {
        if subresource == "status" { validate_status(new) } else { Typed::validate(self, new) }
    }

    fn cells(&self, schema: &FlowSchema, now: Time) -> Vec<Cell> {
        let spec = spec(schema);
        let method = spec.distinguisher_method.as_ref().map_or("<none>", |method| &method.type_);
        let conditions = schema.status.iter().flat_map(|status| status.conditions.iter().flatten());
        let mut dangling = conditions.filter(|one| one.type_.as_deref() == Some(DANGLING));
        let missing = dangling.next().map_or("?", |one| one.status.as_deref().unwrap_or_default());
        vec![
            cells::name(&schema.metadata),
            spec.priority_level_configuration.name.as_str().into(),
            spec.matching_precedence.unwrap_or(0).into(),
            method.into(),
            cells::age(&schema.metadata, now),
            missing.into(),
        ]
    }

    /// Upstream: `FlowSchemaSequence`, by which `printFlowSchemaList` sorts.
    fn row_order(&self, schema: &FlowSchema) -> Option<i64> {
        Some(spec(schema).matching_precedence.unwrap_or(0).into())
    }
}

fn spec(schema: &FlowSchema) -> std::borrow::Cow<'_, FlowSchemaSpec> {
    super::given(schema.spec.as_ref())
}

fn validate_spec(name: &str, spec: &FlowSchemaSpec, path: &Path<'_>, errors: &mut Errors) {
    let precedence = spec.matching_precedence.unwrap_or(0);
    let mut wrong = |detail: &str| {
        let field = path.child("matchingPrecedence");
        errors.push(FieldError::invalid_raw(field, precedence, detail));
    };
    if precedence <= 0 {
        wrong("must be a positive value");
    }
    if precedence > PRECEDENCE_MAX {
        wrong(&format!("must not be greater than {PRECEDENCE_MAX}"));
    }
    if precedence == 1 && name != flowcontrol::EXEMPT {
        wrong("only the schema named 'exempt' may have matchingPrecedence 1");
    }
    if let Some(method) = &spec.distinguisher_method
        && !METHODS.contains(&&*method.type_)
    {
        let value = gofmt::dump("flowcontrol.FlowDistinguisherMethod", method);
        let parent = path.child("distinguisherMethod");
        errors.push(FieldError::not_supported_raw(parent.child("type"), value, METHODS));
    }
    let level = path.child("priorityLevelConfiguration");
    let field = level.child("name");
    match spec.priority_level_configuration.name.as_str() {
        "" => errors.push(FieldError::required(field, "must reference a priority level")),
        name => all_invalid(names::dns1123_subdomain(name), name, &field, errors),
    }
    let list = path.child("rules");
    for (index, rules) in spec.rules.iter().flatten().enumerate() {
        validate_rules(rules, &list.index(index), errors);
    }
}

fn validate_rules(rules: &PolicyRulesWithSubjects, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("subjects");
    if rules.subjects.is_empty() {
        let detail = "subjects must contain at least one value";
        errors.push(FieldError::required(list, detail));
    }
    for (index, subject) in rules.subjects.iter().enumerate() {
        validate_subject(subject, &list.index(index), errors);
    }
    let resource_rules = rules.resource_rules.as_deref().unwrap_or_default();
    let other_rules = rules.non_resource_rules.as_deref().unwrap_or_default();
    if resource_rules.is_empty() && other_rules.is_empty() {
        let detail = "at least one of resourceRules and nonResourceRules has to be non-empty";
        errors.push(FieldError::required(path, detail));
    }
    let list = path.child("resourceRules");
    for (index, rule) in resource_rules.iter().enumerate() {
        validate_resource_rule(rule, &list.index(index), errors);
    }
    let list = path.child("nonResourceRules");
    for (index, rule) in other_rules.iter().enumerate() {
        validate_non_resource_rule(rule, &list.index(index), errors);
    }
}

fn validate_subject(subject: &Subject, path: &Path<'_>, errors: &mut Errors) {
    let kind = subject.kind.as_str();
    // Of each: the field, whether it is given, and what is wrong with it.
    let name = |name: Option<&str>, field: &str, errors: &mut Errors| {
        let path = path.child(field);
        match name {
            None => {
                let detail = format!("{field} is required when subject kind is '{kind}'");
                errors.push(FieldError::required(path, &detail));
            }
            Some("") => errors.push(FieldError::required(path.child("name"), "")),
            Some(_) => {}
        }
    };
    match kind {
        "ServiceAccount" => {
            validate_account(subject.service_account.as_ref(), path, errors);
        }
        "User" => name(subject.user.as_ref().map(|user| &*user.name), "user", errors),
        "Group" => name(subject.group.as_ref().map(|group| &*group.name), "group", errors),
        _ => {
            errors.push(FieldError::not_supported(path.child("kind"), kind, SUBJECT_KINDS));
            return;
        }
    }
    let others = [
        ("ServiceAccount", "serviceAccount", subject.service_account.is_some()),
        ("User", "user", subject.user.is_some()),
        ("Group", "group", subject.group.is_some()),
    ];
    for (of, field, given) in others {
        if given && of != kind {
            let detail = format!("{field} is forbidden when subject kind is not '{of}'");
            errors.push(FieldError::forbidden(path.child(field), &detail));
        }
    }
}

fn validate_account(account: Option<&ServiceAccountSubject>, path: &Path<'_>, errors: &mut Errors) {
    let path = path.child("serviceAccount");
    let Some(account) = account else {
        let detail = "serviceAccount is required when subject kind is 'ServiceAccount'";
        errors.push(FieldError::required(path, detail));
        return;
    };
    let field = path.child("name");
    match account.name.as_str() {
        "" => errors.push(FieldError::required(field, "")),
        "*" => {}
        name => all_invalid(names::dns1123_subdomain(name), name, &field, errors),
    }
    let field = path.child("namespace");
    match account.namespace.as_str() {
        "" => {
            let detail = "must specify namespace for service account";
            errors.push(FieldError::required(field, detail));
        }
        namespace => all_invalid(names::dns1123_label(namespace), namespace, &field, errors),
    }
}

fn is_wild(list: &[String]) -> bool {
    list.iter().any(|one| one == "*")
}

fn go_list(list: &[String]) -> String {
    format!("[]string{{{}}}", quote_all(list))
}

fn validate_verbs(verbs: &[String], path: &Path<'_>, errors: &mut Errors) {
    let field = path.child("verbs");
    if verbs.is_empty() {
        errors.push(FieldError::required(field, "verbs must contain at least one value"));
    } else if is_wild(verbs) {
        if verbs.len() > 1 {
            let detail = "if '*' is present, must not specify other verbs";
            errors.push(FieldError::invalid_raw(field, go_list(verbs), detail));
        }
    } else if !verbs.iter().all(|verb| VERBS.contains(&&**verb)) {
        errors.push(FieldError::not_supported_raw(field, go_list(verbs), VERBS));
    }
}

fn validate_non_resource_rule(rule: &NonResourcePolicyRule, path: &Path<'_>, errors: &mut Errors) {
    validate_verbs(&rule.verbs, path, errors);
    let list = path.child("nonResourceURLs");
    let urls = &rule.non_resource_urls;
    if urls.is_empty() {
        let detail = "nonResourceURLs must contain at least one value";
        errors.push(FieldError::required(list, detail));
    } else if is_wild(urls) {
        if urls.len() > 1 {
            let detail = "if '*' is present, must not specify other non-resource URLs";
            errors.push(FieldError::invalid_raw(list, go_list(urls), detail));
        }
    } else {
        for (index, url) in urls.iter().enumerate() {
            if let Some(detail) = url_problem(url) {
                errors.push(FieldError::invalid(list.index(index), url, detail));
            }
        }
    }
}

/// Upstream: `ValidateNonResourceURLPath`.
fn url_problem(url: &str) -> Option<&'static str> {
    let stars = url.matches('*').count();
    match url {
        "" => Some("must not be empty"),
        "/" => None,
        _ if !url.starts_with('/') => Some("must start with slash"),
        _ if url.contains(' ') => Some("must not contain white-space"),
        _ if url.contains("//") => Some("must not contain double slash"),
        _ if stars > 1 || (stars == 1 && !url.ends_with("/*")) => {
            Some("wildcard can only do suffix matching")
        }
        _ => None,
    }
}

fn validate_resource_rule(rule: &ResourcePolicyRule, path: &Path<'_>, errors: &mut Errors) {
    validate_verbs(&rule.verbs, path, errors);
    let lists = [
        ("apiGroups", &rule.api_groups, "api group", "api groups"),
        ("resources", &rule.resources, "resource", "resources"),
    ];
    for (field, list, one, many) in lists {
        let field = path.child(field);
        if list.is_empty() {
            let detail = format!("resource rules must supply at least one {one}");
            errors.push(FieldError::required(field, &detail));
        } else if list.len() > 1 && is_wild(list) {
            let detail = format!("if '*' is present, must not specify other {many}");
            errors.push(FieldError::invalid_raw(field, go_list(list), &detail));
        }
    }
    let list = path.child("namespaces");
    let namespaces = rule.namespaces.as_deref().unwrap_or_default();
    if namespaces.is_empty() && rule.cluster_scope != Some(true) {
        let detail =
            "resource rules that are not cluster scoped must supply at least one namespace";
        errors.push(FieldError::required(list, detail));
    } else if is_wild(namespaces) {
        if namespaces.len() > 1 {
            let detail = "if '*' is present, must not specify other namespaces";
            errors.push(FieldError::invalid_raw(list, go_list(namespaces), detail));
        }
    } else {
        for (index, namespace) in namespaces.iter().enumerate() {
            let field = list.index(index);
            for problem in names::dns1123_label(namespace) {
                let detail =
                    format!("each member of this list must be '*' or a DNS-1123 label; {problem}");
                errors.push(FieldError::invalid(field, namespace, &detail));
            }
        }
    }
}

fn validate_status(schema: &FlowSchema) -> Errors {
    let conditions = schema.status.iter().flat_map(|status| status.conditions.iter().flatten());
    flowcontrol::validate_conditions(conditions.map(|condition| condition.type_.as_deref()))
}
