//! Where an object lies in the store: `/registry/pods/default/web`.
//!
//! Upstream: `pkg/kubeapiserver/default_storage_factory_builder.go` (`SpecialDefaultResourcePrefixes`).

use naru_api::{Kind, StrategyRef};

/// The built-in groups whose keys name them, as those of custom resources do.
const WITH_GROUP: [&str; 3] = ["apiextensions.k8s.io", "apiregistration.k8s.io", "metrics.k8s.io"];

/// What keys are made of is written at once: there are several in each request.
const KEY_BYTES: usize = 96;

/// The prefix of all objects of a kind: `/registry/pods/`. All versions of a kind share it.
pub(crate) fn of_kind(kind: &Kind) -> String {
    of_namespace(kind, "")
}

/// The prefix of a kind's objects in a namespace; of all its objects when `namespace` is "".
pub(crate) fn of_namespace(kind: &Kind, namespace: &str) -> String {
    let mut key = String::with_capacity(KEY_BYTES);
    write_kind(kind, &mut key);
    if !namespace.is_empty() {
        key.push_str(namespace);
        key.push('/');
    }
    key
}

/// The key of one object.
pub(crate) fn of_object(kind: &Kind, namespace: &str, name: &str) -> String {
    let namespace = if kind.namespaced { namespace } else { "" };
    let mut key = of_namespace(kind, namespace);
    key.push_str(name);
    key
}

fn write_kind(kind: &Kind, key: &mut String) {
    if let Some(stored) = kind.strategy.storage_kind() {
        return write_kind(&stored, key);
    }
    let custom = matches!(kind.strategy, StrategyRef::Custom(_));
    let with_group = custom || WITH_GROUP.contains(&&*kind.group);
    key.push_str("/registry/");
    if with_group {
        key.push_str(&kind.group);
        key.push('/');
    }
    key.push_str(match (&*kind.group, &*kind.plural) {
        (_, plural) if with_group => plural,
        ("", "nodes") => "minions",
        ("", "services") => "services/specs",
        ("", "endpoints") => "services/endpoints",
        ("", "replicationcontrollers") => "controllers",
        ("networking.k8s.io", "ingresses") => "ingress",
        (_, plural) => plural,
    });
    key.push('/');
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_api::Kube;
    use naru_api::k8s_openapi::api::core::v1::{Endpoints, Node, Pod, Service};
    use naru_api::k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;

    #[test]
    fn keys_are_upstreams() {
        assert_eq!(of_object(&Pod::kind(), "default", "web"), "/registry/pods/default/web");
        assert_eq!(of_object(&Node::kind(), "", "a"), "/registry/minions/a");
        assert_eq!(of_object(&Service::kind(), "d", "a"), "/registry/services/specs/d/a");
        assert_eq!(of_object(&Endpoints::kind(), "d", "a"), "/registry/services/endpoints/d/a");
        assert_eq!(of_namespace(&Pod::kind(), ""), "/registry/pods/");
        assert_eq!(of_kind(&APIService::kind()), "/registry/apiregistration.k8s.io/apiservices/");
    }
}
