//! The kinds of `authorization.k8s.io`: may somebody do something?
//!
//! Upstream: `pkg/apis/authorization/validation/validation.go`, `pkg/registry/authorization`.

use super::review::Review;
use crate::gofmt::quote;
use crate::{FieldError, Kind, KindRef, Kube, Names};
use k8s_openapi::api::authorization::v1::{
    LocalSubjectAccessReview, NonResourceAttributes, ResourceAttributes, SelfSubjectAccessReview,
    SelfSubjectRulesReview, SubjectAccessReview, SubjectAccessReviewSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

const GROUP: &str = "authorization.k8s.io";

static LOCAL_SUBJECT_ACCESS_REVIEW: Kind = Names::new(
    GROUP,
    "v1",
    "LocalSubjectAccessReview",
    "localsubjectaccessreviews",
    "localsubjectaccessreview",
)
.verbs(&["create"])
.kind(&Review::<LocalSubjectAccessReview>::new(validate_local));

static SELF_SUBJECT_ACCESS_REVIEW: Kind = Names::new(
    GROUP,
    "v1",
    "SelfSubjectAccessReview",
    "selfsubjectaccessreviews",
    "selfsubjectaccessreview",
)
.cluster_scoped()
.verbs(&["create"])
.kind(&Review::<SelfSubjectAccessReview>::new(validate_self));

static SELF_SUBJECT_RULES_REVIEW: Kind = Names::new(
    GROUP,
    "v1",
    "SelfSubjectRulesReview",
    "selfsubjectrulesreviews",
    "selfsubjectrulesreview",
)
.cluster_scoped()
.verbs(&["create"])
.kind(&Review::<SelfSubjectRulesReview>::new(|_| Vec::new()));

static SUBJECT_ACCESS_REVIEW: Kind =
    Names::new(GROUP, "v1", "SubjectAccessReview", "subjectaccessreviews", "subjectaccessreview")
        .cluster_scoped()
        .verbs(&["create"])
        .kind(&Review::<SubjectAccessReview>::new(validate));

impl Kube for LocalSubjectAccessReview {
    fn kind() -> KindRef {
        KindRef::built_in(&LOCAL_SUBJECT_ACCESS_REVIEW)
    }
}

impl Kube for SelfSubjectAccessReview {
    fn kind() -> KindRef {
        KindRef::built_in(&SELF_SUBJECT_ACCESS_REVIEW)
    }
}

impl Kube for SelfSubjectRulesReview {
    fn kind() -> KindRef {
        KindRef::built_in(&SELF_SUBJECT_RULES_REVIEW)
    }
}

impl Kube for SubjectAccessReview {
    fn kind() -> KindRef {
        KindRef::built_in(&SUBJECT_ACCESS_REVIEW)
    }
}

fn validate(review: &SubjectAccessReview) -> Vec<FieldError> {
    let mut errors = validate_spec(&review.spec);
    validate_metadata(&review.metadata, "must be empty", &mut errors);
    errors
}

fn validate_self(review: &SelfSubjectAccessReview) -> Vec<FieldError> {
    let spec = &review.spec;
    let mut errors = Vec::new();
    validate_attributes(
        spec.resource_attributes.as_ref(),
        spec.non_resource_attributes.as_ref(),
        &mut errors,
    );
    validate_selectors(spec.resource_attributes.as_ref(), &mut errors);
    validate_metadata(&review.metadata, "must be empty", &mut errors);
    errors
}

fn validate_local(review: &LocalSubjectAccessReview) -> Vec<FieldError> {
    let mut errors = validate_spec(&review.spec);
    let namespace = review.metadata.namespace.as_deref().unwrap_or_default();
    let rest = ObjectMeta { namespace: None, ..review.metadata.clone() };
    validate_metadata(&rest, "must be empty except for namespace", &mut errors);
    if let Some(attributes) = &review.spec.resource_attributes {
        let given = attributes.namespace.as_deref().unwrap_or_default();
        if given != namespace {
            let detail = "must match metadata.namespace";
            errors.push(FieldError::invalid("spec.resourceAttributes.namespace", given, detail));
        }
    }
    if let Some(attributes) = &review.spec.non_resource_attributes {
        let (path, detail) = ("spec.nonResourceAttributes", "disallowed on this kind of request");
        errors.push(FieldError::invalid_raw(path, in_go(attributes), detail));
    }
    errors
}

fn validate_spec(spec: &SubjectAccessReviewSpec) -> Vec<FieldError> {
    let mut errors = Vec::new();
    validate_attributes(
        spec.resource_attributes.as_ref(),
        spec.non_resource_attributes.as_ref(),
        &mut errors,
    );
    let user = spec.user.as_deref().unwrap_or_default();
    if user.is_empty() && spec.groups.as_ref().is_none_or(Vec::is_empty) {
        let detail = "at least one of user or group must be specified";
        errors.push(FieldError::invalid("spec.user", user, detail));
    }
    validate_selectors(spec.resource_attributes.as_ref(), &mut errors);
    errors
}

fn validate_attributes(
    resource: Option<&ResourceAttributes>,
    path: Option<&NonResourceAttributes>,
    errors: &mut Vec<FieldError>,
) {
    match (resource, path) {
        (Some(_), Some(path)) => {
            let detail = "cannot be specified in combination with resourceAttributes";
            let field = "spec.nonResourceAttributes";
            errors.push(FieldError::invalid_raw(field, in_go(path), detail));
        }
        (None, None) => {
            let detail =
                "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            errors.push(FieldError::invalid("spec.resourceAttributes", "null", detail));
        }
        _ => {}
    }
}

/// Selectors are given in one of two forms.
fn validate_selectors(attributes: Option<&ResourceAttributes>, errors: &mut Vec<FieldError>) {
    let Some(attributes) = attributes else { return };
    let field = attributes.field_selector.as_ref().map(|selector| {
        (selector.raw_selector.as_deref(), selector.requirements.as_ref().map_or(0, Vec::len))
    });
    let label = attributes.label_selector.as_ref().map(|selector| {
        (selector.raw_selector.as_deref(), selector.requirements.as_ref().map_or(0, Vec::len))
    });
    for (name, selector) in [("fieldSelector", field), ("labelSelector", label)] {
        let Some((raw, requirements)) = selector else { continue };
        let path = format!("spec.resourceAttributes.{name}");
        let raw = raw.unwrap_or_default();
        if !raw.is_empty() && requirements > 0 {
            let detail = "may not specified at the same time as requirements";
            errors.push(FieldError::invalid(format!("{path}.rawSelector"), raw, detail));
        }
        if raw.is_empty() && requirements == 0 {
            let detail =
                format!("when {path} is specified, requirements or rawSelector is required");
            errors.push(FieldError::required(format!("{path}.requirements"), &detail));
        }
    }
}

fn validate_metadata(metadata: &ObjectMeta, detail: &str, errors: &mut Vec<FieldError>) {
    let rest = ObjectMeta { managed_fields: None, ..metadata.clone() };
    if rest != ObjectMeta::default() {
        let value = format!("v1.ObjectMeta{{Name:{}}}", quote(rest.name.as_deref().unwrap_or("")));
        errors.push(FieldError::invalid_raw("metadata", value, detail));
    }
}

/// As Go writes it with `%#v`.
fn in_go(attributes: &NonResourceAttributes) -> String {
    let text = |text: &Option<String>| quote(text.as_deref().unwrap_or_default());
    let (path, verb) = (text(&attributes.path), text(&attributes.verb));
    format!("authorization.NonResourceAttributes{{Path:{path}, Verb:{verb}}}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn told(errors: Vec<FieldError>) -> Vec<String> {
        errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect()
    }

    #[test]
    fn messages_are_upstreams() {
        let table: [(Value, &[&str]); 5] = [
            (json!({"user": "u", "resourceAttributes": {}}), &[]),
            (
                json!({"user": "u"}),
                &["spec.resourceAttributes: Invalid value: \"null\": exactly one of \
                   nonResourceAttributes or resourceAttributes must be specified"],
            ),
            (
                json!({"user": "u", "resourceAttributes": {},
                    "nonResourceAttributes": {"path": "/x", "verb": "get"}}),
                &["spec.nonResourceAttributes: Invalid value: \
                   authorization.NonResourceAttributes{Path:\"/x\", Verb:\"get\"}: cannot be \
                   specified in combination with resourceAttributes"],
            ),
            (
                json!({"resourceAttributes": {}}),
                &[
                    "spec.user: Invalid value: \"\": at least one of user or group must be specified",
                ],
            ),
            (
                json!({"groups": ["g"], "resourceAttributes": {"labelSelector": {}}}),
                &["spec.resourceAttributes.labelSelector.requirements: Required value: when \
                   spec.resourceAttributes.labelSelector is specified, requirements or rawSelector \
                   is required"],
            ),
        ];
        for (spec, wanted) in table {
            let review = serde_json::from_value(json!({ "spec": spec })).unwrap();
            assert_eq!(told(validate(&review)), wanted, "{spec}");
        }
    }

    #[test]
    fn a_local_review_stays_in_its_namespace() {
        let review = serde_json::from_value(json!({"metadata": {"namespace": "a"},
            "spec": {"user": "u", "resourceAttributes": {"namespace": "b"}}}))
        .unwrap();
        let wanted = ["spec.resourceAttributes.namespace: Invalid value: \"b\": must match \
                       metadata.namespace"];
        assert_eq!(told(validate_local(&review)), wanted);
    }
}
