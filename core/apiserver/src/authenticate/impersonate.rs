//! Acting as somebody else, for those who may.
//!
//! Upstream: `apiserver/pkg/endpoints/filters/impersonation.go`.

use super::serviceaccount::user_info;
use super::{ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED};
use crate::ApiServer;
use crate::authorize::{Attributes, Resource, Target};
use naru_api::credentials::Impersonation;
use naru_api::{ApiError, UserInfo, names, status::ApiResult};
use std::sync::Arc;

const GROUP: &str = "authentication.k8s.io";

impl ApiServer {
    /// Whom `requestor` acts as; forbidden unless they may impersonate each part of it.
    pub(super) fn impersonate(
        &self,
        requestor: UserInfo,
        wanted: &Impersonation,
    ) -> ApiResult<UserInfo> {
        if wanted.user.is_empty() {
            return Err(ApiError::internal(format_args!(
                "requested [{}] without impersonating a user",
                references(wanted)
            )));
        }
        let may = |resource: Resource<'_>| {
            let target = Target::Resource(resource);
            self.decide(&Attributes { user: &requestor, verb: "impersonate", target })
        };
        let core = Resource::default();
        let own = Resource { group: GROUP, ..core };
        let account = service_account(&wanted.user);
        match account {
            Some((namespace, name)) => {
                may(Resource { resource: "serviceaccounts", namespace, name, ..core })?;
            }
            None => may(Resource { resource: "users", name: &wanted.user, ..core })?,
        }
        for name in &wanted.groups {
            may(Resource { resource: "groups", name, ..core })?;
        }
        for (subresource, values) in &wanted.extra {
            for name in values {
                may(Resource { resource: "userextras", subresource, name, ..own })?;
            }
        }
        if !wanted.uid.is_empty() {
            may(Resource { resource: "uids", name: &wanted.uid, ..own })?;
        }
        Ok(become_user(wanted, account))
    }
}

fn become_user(wanted: &Impersonation, account: Option<(&str, &str)>) -> UserInfo {
    let mut groups: Vec<Arc<str>> =
        wanted.groups.iter().map(|group| group.as_str().into()).collect();
    if let Some((namespace, name)) = account.filter(|_| groups.is_empty()) {
        groups = user_info(namespace, name, "").groups.to_vec();
    }
    let has = |group: &str| groups.iter().any(|other| &**other == group);
    if wanted.user == ANONYMOUS {
        if !has(UNAUTHENTICATED) {
            groups.push(UNAUTHENTICATED.into());
        }
    } else if !has(AUTHENTICATED) && !has(UNAUTHENTICATED) {
        groups.push(AUTHENTICATED.into());
    }
    UserInfo {
        name: wanted.user.as_str().into(),
        uid: wanted.uid.as_str().into(),
        groups: groups.into(),
        extra: Arc::new(wanted.extra.clone()),
    }
}

/// What was asked for, as Go writes a list of `v1.ObjectReference`.
fn references(wanted: &Impersonation) -> String {
    let groups = wanted.groups.iter().map(|name| format!("{{Group  {name}    }}"));
    let extra = wanted.extra.iter().flat_map(|(key, values)| {
        values.iter().map(move |value| format!("{{UserExtra  {value}  {GROUP}/v1  {key}}}"))
    });
    let uid = Some(&wanted.uid).filter(|uid| !uid.is_empty());
    let uid = uid.map(|uid| format!("{{UID  {uid}  {GROUP}/v1  }}"));
    groups.chain(extra).chain(uid).collect::<Vec<_>>().join(" ")
}

/// Namespace and name of a service account's user name.
fn service_account(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    let valid =
        names::dns1123_label(namespace).is_empty() && names::dns1123_subdomain(name).is_empty();
    valid.then_some((namespace, name))
}
