//! Where an object lies in the store: `/registry/pods/default/web`.
//!
//! Upstream: `pkg/kubeapiserver/default_storage_factory_builder.go` (`SpecialDefaultResourcePrefixes`).

use naru_api::{Kind, StrategyRef};

/// The built-in groups whose keys name them, as those of custom resources do.
const WITH_GROUP: [&str; 3] = ["apiextensions.k8s.io", "apiregistration.k8s.io", "metrics.k8s.io"];

/// The prefix of all objects of a kind: `/registry/pods/`. All versions of a kind share it.
pub(crate) fn of_kind(kind: &Kind) -> String {
    if let Some(stored) = kind.strategy.storage_kind() {
        return of_kind(&stored);
    }
    let custom = matches!(kind.strategy, StrategyRef::Custom(_));
    if custom || WITH_GROUP.contains(&&*kind.group) {
        return format!("/registry/{}/{}/", kind.group, kind.plural);
    }
    let resource = match (&*kind.group, &*kind.plural) {
        ("", "nodes") => "minions",
        ("", "services") => "services/specs",
        ("", "endpoints") => "services/endpoints",
        ("", "replicationcontrollers") => "controllers",
        ("networking.k8s.io", "ingresses") => "ingress",
        ("metrics.k8s.io", "nodes") => "metrics.k8s.io/nodes",
        ("metrics.k8s.io", "pods") => "metrics.k8s.io/pods",
        (_, plural) => plural,
    };
    format!("/registry/{resource}/")
}

/// The prefix of a kind's objects in a namespace; of all its objects when `namespace` is "".
pub(crate) fn of_namespace(kind: &Kind, namespace: &str) -> String {
    let prefix = of_kind(kind);
    if namespace.is_empty() { prefix } else { format!("{prefix}{namespace}/") }
}

/// The key of one object.
pub(crate) fn of_object(kind: &Kind, namespace: &str, name: &str) -> String {
    let namespace = if kind.namespaced { namespace } else { "" };
    format!("{}{name}", of_namespace(kind, namespace))
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_api::Kube;
    use naru_api::k8s_openapi::api::core::v1::{Endpoints, Node, Pod, Service};

    #[test]
    fn keys_are_upstreams() {
        assert_eq!(of_object(&Pod::kind(), "default", "web"), "/registry/pods/default/web");
        assert_eq!(of_object(&Node::kind(), "", "a"), "/registry/minions/a");
        assert_eq!(of_object(&Service::kind(), "d", "a"), "/registry/services/specs/d/a");
        assert_eq!(of_object(&Endpoints::kind(), "d", "a"), "/registry/services/endpoints/d/a");
        assert_eq!(of_namespace(&Pod::kind(), ""), "/registry/pods/");
    }
}
