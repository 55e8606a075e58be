//! The kinds of `authentication.k8s.io`: reviews of tokens and users, requests for tokens.
//!
//! Upstream: `pkg/apis/authentication/v1/defaults.go`, `ValidateTokenRequest`,
//! `pkg/registry/authentication`.

use super::review::Review;
use crate::{FieldError, Kind, KindRef, Kube, Names};
use k8s_openapi::api::authentication::v1::{SelfSubjectReview, TokenRequest, TokenReview};

const GROUP: &str = "authentication.k8s.io";

/// How long a token lasts when nobody says, and at least; in seconds.
const SECONDS_DEFAULT: i64 = 60 * 60;
const SECONDS_MIN: i64 = 10 * 60;
const SECONDS_MAX: i64 = 1 << 32;

static SELF_SUBJECT_REVIEW: Kind =
    Names::new(GROUP, "v1", "SelfSubjectReview", "selfsubjectreviews", "selfsubjectreview")
        .cluster_scoped()
        .verbs(&["create"])
        .kind(&Review::<SelfSubjectReview>::new(|_| Vec::new()));

/// The body of the subresource `serviceaccounts/token`; no resource of its own.
static TOKEN_REQUEST: Kind =
    Names::new(GROUP, "v1", "TokenRequest", "tokenrequests", "tokenrequest")
        .verbs(&["create"])
        .kind(&Review::<TokenRequest> {
            default: default_token_request,
            validate: validate_token_request,
        });

static TOKEN_REVIEW: Kind = Names::new(GROUP, "v1", "TokenReview", "tokenreviews", "tokenreview")
    .cluster_scoped()
    .verbs(&["create"])
    .kind(&Review::<TokenReview>::new(|_| Vec::new()));

impl Kube for SelfSubjectReview {
    fn kind() -> KindRef {
        KindRef::built_in(&SELF_SUBJECT_REVIEW)
    }
}

impl Kube for TokenRequest {
    fn kind() -> KindRef {
        KindRef::built_in(&TOKEN_REQUEST)
    }
}

impl Kube for TokenReview {
    fn kind() -> KindRef {
        KindRef::built_in(&TOKEN_REVIEW)
    }
}

fn default_token_request(request: &mut TokenRequest) {
    request.spec.expiration_seconds.get_or_insert(SECONDS_DEFAULT);
}

fn validate_token_request(request: &TokenRequest) -> Vec<FieldError> {
    let seconds = request.spec.expiration_seconds.unwrap_or_default();
    let detail = if seconds < SECONDS_MIN {
        "may not specify a duration less than 10 minutes"
    } else if seconds > SECONDS_MAX {
        "may not specify a duration larger than 2^32 seconds"
    } else {
        return Vec::new();
    };
    vec![FieldError::invalid_raw("spec.expirationSeconds", seconds, detail)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_tokens_have_limits() {
        let table = [(None, 0), (Some(600), 0), (Some(599), 1), (Some(1 << 33), 1), (Some(-1), 1)];
        for (seconds, errors) in table {
            let mut request = TokenRequest::default();
            request.spec.expiration_seconds = seconds;
            default_token_request(&mut request);
            assert_eq!(validate_token_request(&request).len(), errors, "{seconds:?}");
        }
    }
}
