//! What the headers of a request say of its client.
//!
//! Upstream: `apiserver/pkg/authentication/request/bearertoken`,
//! `apiserver/pkg/endpoints/filters/impersonation.go`.

use crate::rest::http::{HttpRequest, unescape};
use naru_api::Credentials;
use naru_api::credentials::Impersonation;
use std::collections::BTreeMap;

const EXTRA: &str = "impersonate-extra-";

/// The credentials of a request.
pub(crate) fn of(request: &HttpRequest) -> Credentials {
    Credentials {
        bearer_token: bearer_token(request),
        certificate: request.certificate.clone(),
        impersonate: Impersonation {
            user: request.header("impersonate-user").to_owned(),
            uid: request.header("impersonate-uid").to_owned(),
            groups: request.header_values("impersonate-group").map(str::to_owned).collect(),
            extra: extra(request),
        },
    }
}

fn bearer_token(request: &HttpRequest) -> String {
    let (scheme, token) = request.header("authorization").split_once(' ').unwrap_or_default();
    if scheme.eq_ignore_ascii_case("bearer") { token.trim().to_owned() } else { String::new() }
}

/// Keys are escaped, since a header's name has no room for every character.
fn extra(request: &HttpRequest) -> BTreeMap<String, Vec<String>> {
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &request.headers {
        if let Some(key) = name.strip_prefix(EXTRA) {
            let key = unescape(key, false).unwrap_or_else(|| key.to_owned());
            extra.entry(key).or_default().push(value.clone());
        }
    }
    extra
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let request = HttpRequest {
            headers: vec![
                header("authorization", "bearer  abc"),
                header("impersonate-user", "viewer"),
                header("impersonate-group", "a"),
                header("impersonate-group", "b"),
                header("impersonate-extra-acme.com%2fproject", "x"),
            ],
            ..HttpRequest::default()
        };
        let found = of(&request);
        assert_eq!(found.bearer_token, "abc");
        assert_eq!(found.impersonate.user, "viewer");
        assert_eq!(found.impersonate.groups, ["a", "b"]);
        assert_eq!(found.impersonate.extra["acme.com/project"], ["x"]);
        assert_eq!(of(&HttpRequest::default()), Credentials::default());
    }
}
