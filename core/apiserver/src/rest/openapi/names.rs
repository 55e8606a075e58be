//! What types are called in OpenAPI.
//!
//! Upstream: `GetCanonicalTypeName` and `ToRESTFriendlyName` in `kube-openapi/pkg/util`.

use naru_api::{Kind, StrategyRef};

/// The package of the types that all groups share.
pub(super) const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.";
/// Where a document keeps its schemas.
pub(super) const SCHEMAS: &str = "#/components/schemas/";

/// `io.k8s.api.core.v1.Pod`.
pub(super) fn of(kind: &Kind) -> String {
    of_type(kind, &kind.group, &kind.version, &kind.kind)
}

/// The name of another type, of a subresource of `kind`.
pub(super) fn of_type(kind: &Kind, group: &str, version: &str, name: &str) -> String {
    let first = group.split('.').next().unwrap_or_default();
    let package = match group {
        "" => "io.k8s.api.core".to_owned(),
        "apiextensions.k8s.io" => {
            "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions".to_owned()
        }
        "apiregistration.k8s.io" => "io.k8s.kube-aggregator.pkg.apis.apiregistration".to_owned(),
        "metrics.k8s.io" => "io.k8s.metrics.pkg.apis.metrics".to_owned(),
        group if group == kind.group && matches!(kind.strategy, StrategyRef::Custom(_)) => {
            group.split('.').rev().collect::<Vec<_>>().join(".")
        }
        _ => format!("io.k8s.api.{first}"),
    };
    format!("{package}.{version}.{name}")
}

/// A reference to a schema.
pub(super) fn reference(name: &str) -> serde_json::Value {
    serde_json::json!({ "$ref": format!("{SCHEMAS}{name}") })
}
