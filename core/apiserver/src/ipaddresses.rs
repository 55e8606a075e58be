//! The IPAddress of each cluster IP that a Service has.
//!
//! Upstream: `createIPAddress` and `release` in `pkg/registry/core/service/ipallocator/ipallocator.go`.

use crate::allocate::cluster_ips;
use crate::store::Change;
use crate::{ApiServer, keys};
use naru_api::k8s_openapi::api::core::v1::Service;
use naru_api::k8s_openapi::api::networking::v1::{IPAddress, IPAddressSpec, ParentReference};
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::{Kube, Object};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

const FAMILY: &str = "ipaddress.kubernetes.io/ip-family";
const MANAGED_BY: (&str, &str) = ("ipaddress.kubernetes.io/managed-by", "ipallocator.k8s.io");

impl ApiServer {
    /// Makes and removes addresses after a Service was written. One that cannot be made is missing: the
    /// Service has its cluster IP all the same.
    pub(crate) fn keep_addresses(&mut self, change: &Change) {
        // What the client of the Service is warned of is not these requests'.
        let warnings = std::mem::take(&mut self.warnings);
        self.change_addresses(change);
        self.warnings = warnings;
    }

    fn change_addresses(&mut self, change: &Change) {
        let had = addresses(change.before.as_ref());
        let has = addresses(change.after.as_ref());
        for ip in had.difference(&has) {
            let key = keys::of_object(&IPAddress::kind(), "", &ip.to_string());
            let revision = self.store.get(&key).map_or(0, |object| object.revision());
            let _ = self.remove(key, revision, change.cause);
        }
        let Some(service) = change.after.as_ref() else { return };
        for ip in has.difference(&had) {
            let parent = ParentReference {
                group: None,
                resource: "services".to_owned(),
                namespace: Some(service.namespace().to_owned()),
                name: service.name().to_owned(),
            };
            let _ = self.make("", &ip.to_string(), |metadata| address(metadata, parent));
        }
    }
}

fn addresses(service: Option<&Object>) -> BTreeSet<Ipv4Addr> {
    let ips = service.and_then(Object::get::<Service>).into_iter().flat_map(cluster_ips);
    ips.map(Ipv4Addr::from).collect()
}

fn address(metadata: ObjectMeta, parent: ParentReference) -> IPAddress {
    let labels = [(FAMILY, "IPv4"), MANAGED_BY];
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    IPAddress {
        metadata: ObjectMeta { labels: Some(labels), ..metadata },
        spec: Some(IPAddressSpec { parent_ref: parent }),
    }
}
