//! Subresources: which there are, what may be done to them, and how one that is done answers.
//!
//! Upstream: `apiserver/pkg/endpoints/installer.go`, which asks each storage what it can do.

mod eviction;
mod scale;

use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;

/// What may be done to a subresource, as RBAC names it.
pub(crate) fn verbs(subresource: &str) -> &'static [&'static str] {
    match subresource {
        "approval" | "ephemeralcontainers" | "resize" | "scale" | "status" => {
            &["get", "patch", "update"]
        }
        "binding" | "eviction" | "token" => &["create"],
        "finalize" => &["update"],
        "log" => &["get"],
        "attach" | "exec" | "portforward" => &["create", "get"],
        "proxy" => &["create", "delete", "get", "patch", "update"],
        _ => &[],
    }
}

/// It was done.
pub(crate) fn success() -> Box<Status> {
    Box::new(Status { status: Some("Success".to_owned()), ..Status::default() })
}
