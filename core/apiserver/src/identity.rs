//! Who an API server is among others: the name of its Lease, and what becomes of the Leases of those
//! that are gone.
//!
//! Upstream: `NewConfig` in `apiserver/pkg/server/config.go`, `pkg/controlplane/apiserver/server.go`,
//! `pkg/controlplane/controller/apiserverleasegc/gc_controller.go`.

use crate::server::loopback;
use crate::{ApiServer, keys};
use naru_api::k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use naru_api::request::DeleteOptions;
use naru_api::{ApiService, Kube, Object, Op, Request, UserInfo, base32, time};
use naru_sim::Time;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Where the Leases are.
pub const NAMESPACE: &str = "kube-system";
/// The label that says what a Lease is of. Upstream: `IdentityLeaseComponentLabelKey`.
pub const LABEL: &str = "apiserver.kubernetes.io/identity";
/// The value of that label. Upstream: `KubeAPIServer`.
pub const COMPONENT: &str = "kube-apiserver";
/// How long a Lease holds. Upstream: `IdentityLeaseDurationSeconds`.
pub const DURATION_SECONDS: i32 = 3600;
/// From one renewal to the next. Upstream: `IdentityLeaseRenewIntervalPeriod`.
pub const RENEW_INTERVAL: Duration = Duration::from_secs(10);
/// How often each API server looks for Leases that hold no more. Upstream: `IdentityLeaseGCPeriod`.
pub const COLLECT_INTERVAL: Duration = Duration::from_secs(3600);
/// Bytes of the hash that a name shows.
const HASH_BYTES: usize = 16;

/// The name of the API server on a machine, and of its Lease: `apiserver-` and a hash.
pub fn name(hostname: &str) -> String {
    let mut hash = Sha256::new();
    for part in [hostname, COMPONENT] {
        hash.update(u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let letters = base32::encode(digest.get(..HASH_BYTES).unwrap_or_default());
    format!("apiserver-{}", letters.to_ascii_lowercase())
}

/// As whom an API server writes its Lease.
pub fn user() -> UserInfo {
    loopback()
}

impl ApiServer {
    /// Deletes the Leases of API servers that hold no more.
    pub fn collect_identities(&mut self) {
        let (kind, now) = (Lease::kind(), self.now);
        let over = |object: &&Object| {
            let lease = object.get::<Lease>();
            object.label(LABEL) == Some(COMPONENT)
                && lease.is_some_and(|lease| !holds(lease.spec.as_ref(), now))
        };
        let all = self.store.range(&keys::of_namespace(&kind, NAMESPACE));
        let over: Vec<String> = all.filter(over).map(|object| object.name().to_owned()).collect();
        for name in over {
            let op = Op::Delete(DeleteOptions::default());
            let request = Request::new(loopback(), "kube-apiserver".into(), kind.clone(), op);
            // Somebody else may have deleted it; what is refused is tried again at the next look.
            let _ = self.handle(Request { name, namespace: NAMESPACE.to_owned(), ..request });
        }
    }
}

/// Upstream: `isLeaseExpired`.
fn holds(spec: Option<&LeaseSpec>, now: Time) -> bool {
    let renewed = spec.and_then(|spec| spec.renew_time.as_ref());
    let lasts = spec.and_then(|spec| spec.lease_duration_seconds);
    renewed.zip(lasts).is_some_and(|(renewed, lasts)| {
        let lasts = Duration::from_secs(u64::try_from(lasts).unwrap_or(0));
        time::from_micro(renewed) + lasts >= now
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hashes are those of Go's `base32` and `cryptobyte`.
    #[test]
    fn names_are_upstreams() {
        let table = [
            ("kind-control-plane", "apiserver-c7uylvfxlbqccnk6myfkwetzze"),
            ("a", "apiserver-2tpgmlbwcz6wvzejdfn7mej2p4"),
        ];
        for (host, wanted) in table {
            assert_eq!(name(host), wanted);
        }
    }
}
