//! Authorization: may they?
//!
//! The mode is upstream's `AlwaysAllow` for everybody who has a name; `system:anonymous` is
//! refused as RBAC refuses it.

use naru_api::{ApiError, Kind, UserInfo, status::ApiResult};

/// What is asked for.
pub(crate) struct Attributes<'a> {
    pub(crate) user: &'a UserInfo,
    pub(crate) verb: &'a str,
    pub(crate) kind: &'a Kind,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) subresource: &'a str,
}

/// Refuses what the user may not do.
pub(crate) fn authorize(attributes: &Attributes<'_>) -> ApiResult<()> {
    if &*attributes.user.name != "system:anonymous" {
        return Ok(());
    }
    let Attributes { user, verb, kind, namespace, name, subresource } = attributes;
    let resource = match *subresource {
        "" => kind.plural.to_string(),
        subresource => format!("{}/{subresource}", kind.plural),
    };
    let scope = match *namespace {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace \"{namespace}\""),
    };
    let why = format!(
        "User \"{}\" cannot {verb} resource \"{resource}\" in API group \"{}\" {scope}",
        user.name, kind.group
    );
    Err(ApiError::forbidden(kind, name, &why))
}
