//! Reviews: questions about tokens, users and what they may do, answered and never stored.
//!
//! Upstream: `pkg/registry/authentication`, `pkg/registry/authorization`.

use crate::ApiServer;
use crate::authenticate::{ISSUER, authenticated};
use crate::authorize::{Attributes, Decision, Resource, Target, aggregate};
use naru_api::k8s_openapi::api::authentication::v1::{
    SelfSubjectReview, SelfSubjectReviewStatus, TokenReview, TokenReviewStatus, UserInfo as Who,
};
use naru_api::k8s_openapi::api::authorization::v1::{
    LocalSubjectAccessReview, NonResourceAttributes, NonResourceRule, ResourceAttributes,
    ResourceRule, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview,
    SubjectAccessReviewSpec, SubjectAccessReviewStatus, SubjectRulesReviewStatus,
};
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::FieldSelectorRequirement;
use naru_api::request::Body;
use naru_api::{ApiError, Kind, Object, Request, UserInfo, status::ApiResult, time};
use std::sync::Arc;

/// Whether objects of this kind are answered here.
pub(crate) fn answers(kind: &Kind) -> bool {
    matches!(&*kind.group, "authentication.k8s.io" | "authorization.k8s.io")
}

impl ApiServer {
    /// Answers a review.
    pub(crate) fn review(&mut self, request: &Request, body: Body) -> ApiResult<Object> {
        self.record(request, "create", "");
        let mut object = self.decode(request, body)?;
        let errors = request.kind.strategy.validate(&object);
        if !errors.is_empty() {
            return Err(ApiError::invalid(&request.kind, "", &errors));
        }
        if let Some(review) = object.edit::<TokenReview>() {
            self.review_token(review)?;
        } else if object.get::<SelfSubjectReview>().is_some() {
            object = Object::new(self.review_self(&request.user));
        } else if let Some(review) = object.edit::<SubjectAccessReview>() {
            review.status = Some(self.review_access(&review.spec));
        } else if let Some(review) = object.edit::<LocalSubjectAccessReview>() {
            match_namespace(request, review)?;
            review.status = Some(self.review_access(&review.spec));
        } else if let Some(review) = object.edit::<SelfSubjectAccessReview>() {
            let (resource, path) =
                (review.spec.resource_attributes.as_ref(), &review.spec.non_resource_attributes);
            review.status = Some(self.answer(&request.user, resource, path.as_ref()));
        } else if let Some(review) = object.edit::<SelfSubjectRulesReview>() {
            let namespace = review.spec.namespace.clone().unwrap_or_default();
            if namespace.is_empty() {
                return Err(ApiError::bad_request("no namespace on request"));
            }
            let status = Some(self.review_rules(&request.user, &namespace));
            *review = SelfSubjectRulesReview { status, ..SelfSubjectRulesReview::default() };
        }
        Ok(object)
    }

    fn review_token(&mut self, review: &mut TokenReview) -> ApiResult<()> {
        let token = review.spec.token.clone().unwrap_or_default();
        if token.is_empty() {
            return Err(ApiError::bad_request(
                "token is required for TokenReview in authentication",
            ));
        }
        let audiences = review.spec.audiences.clone().filter(|audiences| !audiences.is_empty());
        let audiences = audiences.unwrap_or_else(|| vec![ISSUER.to_owned()]);
        review.status = Some(match self.authenticate_token(&token, &audiences) {
            Ok(Some(found)) => TokenReviewStatus {
                authenticated: Some(true),
                audiences: Some(found.audiences).filter(|audiences| !audiences.is_empty()),
                user: Some(who(&authenticated(found.user))),
                error: None,
            },
            Ok(None) => TokenReviewStatus {
                error: Some("invalid bearer token".to_owned()),
                ..TokenReviewStatus::default()
            },
            Err(error) => TokenReviewStatus {
                error: Some(format!("[invalid bearer token, {error}]")),
                ..TokenReviewStatus::default()
            },
        });
        Ok(())
    }

    fn review_self(&self, user: &UserInfo) -> SelfSubjectReview {
        let mut review = SelfSubjectReview::default();
        review.metadata.creation_timestamp = Some(time::meta_time(self.now));
        review.status = Some(SelfSubjectReviewStatus { user_info: Some(who(user)) });
        review
    }

    fn review_access(&self, spec: &SubjectAccessReviewSpec) -> SubjectAccessReviewStatus {
        let groups = spec.groups.iter().flatten();
        let user = UserInfo {
            name: spec.user.as_deref().unwrap_or_default().into(),
            uid: spec.uid.as_deref().unwrap_or_default().into(),
            groups: groups.map(|group| Arc::from(group.as_str())).collect(),
            extra: Arc::new(spec.extra.clone().unwrap_or_default()),
        };
        self.answer(&user, spec.resource_attributes.as_ref(), spec.non_resource_attributes.as_ref())
    }

    fn answer(
        &self,
        user: &UserInfo,
        resource: Option<&ResourceAttributes>,
        path: Option<&NonResourceAttributes>,
    ) -> SubjectAccessReviewStatus {
        let text = |text: &'_ Option<String>| text.clone().unwrap_or_default();
        let selector = resource.map(field_selector).unwrap_or_default();
        let (verb, decision) = match (resource, path) {
            (Some(asked), _) => (text(&asked.verb), None),
            (None, Some(asked)) => (text(&asked.verb), Some(text(&asked.path))),
            // Refused by validation.
            (None, None) => return SubjectAccessReviewStatus::default(),
        };
        let target = match (&decision, resource) {
            (None, Some(asked)) => Target::Resource(Resource {
                group: asked.group.as_deref().unwrap_or_default(),
                resource: asked.resource.as_deref().unwrap_or_default(),
                subresource: asked.subresource.as_deref().unwrap_or_default(),
                namespace: asked.namespace.as_deref().unwrap_or_default(),
                name: asked.name.as_deref().unwrap_or_default(),
                field_selector: &selector,
            }),
            (path, _) => Target::Path(path.as_deref().unwrap_or_default()),
        };
        let attributes = Attributes { user, verb: &verb, target };
        let (allowed, reason) = match self.authorizer.authorize(&attributes, &*self.store) {
            Decision::Allow(grant) => (true, grant.reason()),
            Decision::NoOpinion(reason) => (false, reason),
        };
        SubjectAccessReviewStatus {
            allowed,
            reason: Some(reason).filter(|reason| !reason.is_empty()),
            ..SubjectAccessReviewStatus::default()
        }
    }

    fn review_rules(&self, user: &UserInfo, namespace: &str) -> SubjectRulesReviewStatus {
        let (found, unknown) = self.authorizer.rules_for(user, namespace);
        let mut errors = found.errors;
        errors.extend(unknown.iter().map(|why| (*why).to_owned()));
        let given = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
        let resources = found.rules.iter().filter(|rule| given(&rule.resources));
        let paths = found.rules.iter().filter(|rule| given(&rule.non_resource_urls));
        SubjectRulesReviewStatus {
            evaluation_error: (!errors.is_empty()).then(|| aggregate(errors)),
            incomplete: unknown.is_some(),
            resource_rules: resources
                .map(|rule| ResourceRule {
                    verbs: rule.verbs.clone(),
                    api_groups: rule.api_groups.clone(),
                    resources: rule.resources.clone(),
                    resource_names: rule.resource_names.clone(),
                })
                .collect(),
            non_resource_rules: paths
                .map(|rule| NonResourceRule {
                    verbs: rule.verbs.clone(),
                    non_resource_urls: rule.non_resource_urls.clone(),
                })
                .collect(),
        }
    }
}

fn match_namespace(request: &Request, review: &LocalSubjectAccessReview) -> ApiResult<()> {
    let namespace = request.namespace.as_str();
    if review.metadata.namespace.as_deref() != Some(namespace) {
        return Err(ApiError::bad_request(format!(
            "spec.resourceAttributes.namespace must match namespace: {namespace}"
        )));
    }
    Ok(())
}

/// The field selector of a question, as a list would have it.
fn field_selector(asked: &ResourceAttributes) -> String {
    let Some(selector) = &asked.field_selector else { return String::new() };
    if let Some(raw) = selector.raw_selector.as_ref().filter(|raw| !raw.is_empty()) {
        return raw.clone();
    }
    let term = |one: &FieldSelectorRequirement| {
        let value = one.values.as_deref().unwrap_or_default();
        match (one.operator.as_str(), value) {
            ("In", [value]) => Some(format!("{}={value}", one.key)),
            ("NotIn", [value]) => Some(format!("{}!={value}", one.key)),
            // What is not understood makes the question wider: upstream does the same.
            _ => None,
        }
    };
    let terms: Vec<String> = selector.requirements.iter().flatten().filter_map(term).collect();
    terms.join(",")
}

fn who(user: &UserInfo) -> Who {
    let texts = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Who {
        username: texts(&user.name),
        uid: texts(&user.uid),
        groups: Some(user.groups.iter().map(|group| group.to_string()).collect()),
        extra: Some((*user.extra).clone()).filter(|extra| !extra.is_empty()),
    }
}
