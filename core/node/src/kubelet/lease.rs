//! The heartbeat: a Lease that is renewed every ten seconds.
//!
//! Upstream: `staging/src/k8s.io/component-helpers/apimachinery/lease/controller.go`.

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use naru_api::status::ApiResult;
use naru_api::time::micro_time;
use naru_client::{Client, HeldLease};
use std::time::Duration;

/// Upstream: a quarter of `nodeLeaseDurationSeconds`.
pub const RENEW_INTERVAL: Duration = Duration::from_secs(10);
const DURATION_SECONDS: i32 = 40;
const NAMESPACE: &str = "kube-node-lease";

/// Renews the node's lease; makes it if it is not there. `held` is what the last call gave.
pub fn renew(
    client: &mut Client<'_>,
    node_name: &str,
    node: Option<&Node>,
    held: Option<HeldLease>,
) -> ApiResult<HeldLease> {
    if let Some(mut held) = held {
        match held.renew(client) {
            Ok(()) => return Ok(held),
            Err(error) if error.is_not_found() => {}
            Err(error) if error.is_conflict() => {
                return client.get(NAMESPACE, node_name).map(HeldLease::new);
            }
            Err(error) => return Err(error),
        }
    }
    let owner = node.and_then(|node| node.metadata.uid.clone()).map(|uid| OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Node".to_owned(),
        name: node_name.to_owned(),
        uid,
        ..OwnerReference::default()
    });
    let lease = Lease {
        metadata: ObjectMeta {
            name: Some(node_name.to_owned()),
            namespace: Some(NAMESPACE.to_owned()),
            owner_references: owner.map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(node_name.to_owned()),
            lease_duration_seconds: Some(DURATION_SECONDS),
            renew_time: Some(micro_time(client.now())),
            ..LeaseSpec::default()
        }),
    };
    let made = match client.create(lease) {
        Err(error) if error.is_already_exists() => client.get(NAMESPACE, node_name),
        result => result,
    };
    made.map(HeldLease::new)
}
