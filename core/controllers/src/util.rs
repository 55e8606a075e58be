//! Small things that most controllers need.

use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use naru_api::labels::Selector;
use naru_api::scheduling::taints;
use naru_api::{Key, Kube, pods};
use naru_client::{Action, Cache, Error};
use naru_sim::Time;

/// A count as upstream writes it: nothing instead of 0.
pub fn nonzero(count: i32) -> Option<i32> {
    (count != 0).then_some(count)
}

/// What a workload selects.
pub fn selector(selector: Option<&LabelSelector>) -> Result<Selector, Error> {
    Selector::from_label_selector(selector).map_err(|error| Error::Other(error.to_string()))
}

/// The key of a typed object.
pub fn key_of<K: Kube>(object: &K) -> Key {
    let meta = object.metadata();
    Key::new(meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

/// The keys of the objects of a namespace that pass a test.
pub fn keys_of<K: Kube>(cache: &Cache, namespace: &str, test: impl Fn(&K) -> bool) -> Vec<Key> {
    cache.list::<K>(namespace).filter(|object| test(object)).map(key_of).collect()
}

/// Set by administrators. Upstream: `TaintNodeOutOfService`.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// Whether an administrator has said that the node is shut down and will not come back soon.
pub fn is_out_of_service(node: &Node) -> bool {
    taints(node).iter().any(|taint| taint.key == OUT_OF_SERVICE)
}

/// Whether a node is Ready. Upstream: `IsNodeReady`.
pub fn is_ready(node: &Node) -> bool {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.filter(|condition| condition.type_ == "Ready").any(|ready| ready.status == "True")
}

/// A pod becomes available by the mere passing of time: when to look again.
pub fn next_availability<'a>(
    pods: impl IntoIterator<Item = &'a &'a Pod>,
    min_ready_seconds: i32,
    now: Time,
) -> Action {
    let next = pods
        .into_iter()
        .filter_map(|pod| pods::available_from(pod, min_ready_seconds))
        .filter(|from| *from > now)
        .min();
    next.map_or(Action::await_change(), |at| Action::requeue_after(at.since(now)))
}
