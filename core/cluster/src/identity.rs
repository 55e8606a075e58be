//! The API servers' own Leases, by which they know of one another.
//!
//! Upstream: `pkg/controlplane/apiserver/server.go`,
//! `staging/src/k8s.io/component-helpers/apimachinery/lease/controller.go`.

use crate::Cluster;
use crate::agenda::Part;
use crate::controlplane::{API_SERVER, Presence, cloud_hostname};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::status::ApiResult;
use naru_api::time::micro_time;
use naru_apiserver::identity::{self, COMPONENT, DURATION_SECONDS, LABEL, NAMESPACE};
use naru_client::{Client, HeldLease};
use naru_sim::{CauseId, Rng, Time};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long an API server waits that could not write its Lease. Upstream: `maxBackoff`.
const RETRY: Duration = Duration::from_secs(7);
const HOSTNAME: &str = "kubernetes.io/hostname";

/// One API server.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The machine on which it runs, by its index; `None` if it is the cloud's own.
    host: Option<usize>,
    hostname: String,
    presence: Presence,
    /// How often it was started.
    starts: u32,
    held: Option<HeldLease>,
    /// When it renews its Lease; [`Time::MAX`] while that is done in its name.
    next: Time,
    /// When it looks for Leases of others that are gone.
    collect_at: Time,
}

impl Identity {
    fn new(host: Option<usize>, hostname: String, presence: Presence, now: Time) -> Self {
        let (held, starts) = (None, 0);
        Identity { host, hostname, presence, starts, held, next: now, collect_at: now }
    }

    /// Renews its Lease, or makes it.
    fn renew(&mut self, client: &mut Client<'_>, rng: &Rng) -> ApiResult<()> {
        if let Some(held) = &mut self.held {
            match held.renew(client) {
                Err(error) if error.is_not_found() || error.is_conflict() => {}
                result => return result,
            }
        }
        let name = identity::name(&self.hostname);
        let found = match client.get::<Lease>(NAMESPACE, &name) {
            Err(error) if error.is_not_found() => {
                let mut rng = rng.fork(&format!("{name}-{}", self.starts));
                let lease = self.lease(&name, &rng.uuid(4), client.now());
                self.held = Some(HeldLease::new(client.create(lease)?));
                return Ok(());
            }
            found => found?,
        };
        // It goes on with what is there, whoever has written it.
        let mut lease = Lease::clone(&found);
        lease.metadata.labels.get_or_insert_default().extend(self.labels());
        let held = self.held.insert(HeldLease::new(Arc::new(lease)));
        held.renew(client)
    }

    fn labels(&self) -> BTreeMap<String, String> {
        [(LABEL, COMPONENT), (HOSTNAME, &self.hostname)]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    }

    fn lease(&self, name: &str, uuid: &str, now: Time) -> Lease {
        Lease {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(NAMESPACE.to_owned()),
                labels: Some(self.labels()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(format!("{name}_{uuid}")),
                lease_duration_seconds: Some(DURATION_SECONDS),
                renew_time: Some(micro_time(now)),
                ..LeaseSpec::default()
            }),
        }
    }
}

impl Cluster {
    /// Gives the API servers that run from the start their Leases.
    pub(crate) fn start_identities(&mut self) {
        let now = self.now;
        let machines = self.profile.nodes.iter().enumerate().filter(|(_, it)| it.control_plane);
        let started = |(host, name): (Option<usize>, String)| {
            Identity::new(host, name, Presence::STARTED, now)
        };
        let mut all: Vec<Identity> =
            machines.map(|(host, it)| started((Some(host), it.name.clone()))).collect();
        if all.is_empty() {
            all.push(started((None, cloud_hostname(&self.rng))));
        }
        self.identities = all;
        let before = self.api.last_watch();
        self.renew_identities();
        self.claim_watches(Part::ApiServer, before);
        self.plan(Part::ApiServer);
    }

    /// Finds out which API servers run.
    pub(crate) fn follow_identities(&mut self) {
        let now = self.now;
        for (index, node) in self.nodes.iter().enumerate() {
            let known = self.identities.iter().any(|known| known.host == Some(index));
            if node.config().control_plane && !known && node.runtime().runs(API_SERVER) {
                let name = node.name().to_owned();
                self.identities.push(Identity::new(Some(index), name, Presence::ABSENT, now));
            }
        }
        let mut changed = false;
        for identity in &mut self.identities {
            let node = identity.host.and_then(|host| self.nodes.get(host));
            let Some(node) = node else { continue };
            let runs = node.config().control_plane && node.runtime().runs(API_SERVER);
            if !identity.presence.follow(runs) {
                continue;
            }
            if let Some(mut held) = identity.held.take() {
                held.resume(&mut self.api);
            }
            identity.starts += 1;
            (identity.next, identity.collect_at) = (now, now);
            changed = true;
        }
        if changed {
            self.plan(Part::ApiServer);
        }
    }

    /// Whether an API server works, and its member of etcd answers.
    fn may_write(&self, identity: &Identity) -> bool {
        let host = identity.host;
        let there = host.is_none_or(|host| !self.damage.has_stopped(host) && self.has_quorum(host));
        identity.presence.works() && there && !self.api.etcd_is_lost()
    }

    /// When an API server has something to do for its Lease.
    pub(crate) fn next_identity(&self) -> Option<Time> {
        let works = self.identities.iter().filter(|identity| identity.presence.works());
        works.map(|identity| identity.next.min(identity.collect_at)).min()
    }

    /// Lets the API servers renew their Leases, and look for those of others that are gone.
    pub(crate) fn renew_identities(&mut self) {
        let now = self.now;
        if self.next_identity().is_none_or(|next| next > now) {
            return;
        }
        let (user, agent) = (identity::user(), Arc::from(COMPONENT));
        let mut all = std::mem::take(&mut self.identities);
        for identity in &mut all {
            if !identity.presence.works() || identity.next.min(identity.collect_at) > now {
                continue;
            }
            let may_write = self.may_write(identity);
            if identity.next <= now {
                let rng = &self.rng;
                let renewed = may_write
                    && self.api.by_itself(|api| {
                        let client = &mut Client::new(api, &user, &agent, CauseId::ROOT);
                        identity.renew(client, rng).is_ok()
                    });
                let interval = if renewed { identity::RENEW_INTERVAL } else { RETRY };
                identity.next = now + interval;
                let held = identity.held.as_mut().filter(|_| renewed);
                if held.is_some_and(|held| held.stand(&mut self.api, identity.next, interval)) {
                    identity.next = Time::MAX;
                }
            }
            if identity.collect_at <= now {
                identity.collect_at = now + identity::COLLECT_INTERVAL;
                if may_write {
                    self.api.collect_identities();
                }
            }
        }
        self.identities = all;
    }

    /// The API server has ceased to renew some Leases by itself.
    pub(crate) fn resume_identities(&mut self) {
        let now = self.now;
        for identity in &mut self.identities {
            let held = identity.held.as_mut();
            if let Some(next) = held.and_then(|held| held.resume_if_over(&mut self.api)) {
                identity.next = next.max(now);
            }
        }
    }
}
