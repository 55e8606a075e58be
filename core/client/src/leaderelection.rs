//! Which of several instances of a program works: the one that holds a Lease.
//!
//! Upstream: `staging/src/k8s.io/client-go/tools/leaderelection/leaderelection.go`,
//! `resourcelock/leaselock.go`.

use crate::{Client, EventRecorder, EventStyle, EventType, HeldLease, object_reference};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::status::ApiResult;
use naru_api::time::micro_time;
use naru_api::{ApiService, Object, UserInfo};
use naru_sim::{CauseId, Rng, Time};
use std::sync::Arc;
use std::time::Duration;

/// Where the leases are.
const NAMESPACE: &str = "kube-system";
/// How long others wait after the last renewal that they have seen. Upstream: `--leader-elect-lease-duration`.
const LEASE_DURATION: Duration = Duration::from_secs(15);
/// How long a leader tries to renew before it gives up. Upstream: `--leader-elect-renew-deadline`.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// From one try to the next. Upstream: `--leader-elect-retry-period`.
const RETRY_PERIOD: Duration = Duration::from_secs(2);

/// What a try has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// Nothing.
    Not,
    /// This one leads from now on.
    Leading,
    /// This one led, and has to end.
    Lost,
}

/// One candidate.
#[derive(Clone, Debug)]
pub struct LeaderElector {
    name: Arc<str>,
    identity: String,
    user: UserInfo,
    recorder: EventRecorder,
    rng: Rng,
    seen: Option<Seen>,
    leading: bool,
    /// Since when it cannot renew.
    failing: Option<Time>,
    /// [`Time::MAX`] while the API server makes the renewals.
    next: Time,
    retry: Duration,
    /// Its owner lets it know when the API server has ceased to make the renewals.
    may_stand: bool,
}

/// A Lease, and when it was first seen as it is.
#[derive(Clone, Debug)]
struct Seen {
    held: HeldLease,
    at: Time,
}

impl Seen {
    fn new(lease: Arc<Lease>, at: Time) -> Self {
        Seen { held: HeldLease::new(lease), at }
    }

    fn lease(&self) -> &Arc<Lease> {
        self.held.lease()
    }
}

impl LeaderElector {
    /// A candidate for the Lease `name` on the machine `host`. Its events come from `component`.
    pub fn new(name: &str, component: &str, host: &str, user: UserInfo, rng: &Rng) -> Self {
        let mut rng = rng.fork("leader-election");
        let identity = format!("{host}_{}", rng.uuid(4));
        LeaderElector {
            name: name.into(),
            identity,
            user,
            recorder: EventRecorder::new(component.to_owned(), None, EventStyle::Core),
            rng,
            seen: None,
            leading: false,
            failing: None,
            next: Time::ZERO,
            retry: RETRY_PERIOD,
            may_stand: false,
        }
    }

    /// Lets the API server make the renewals while all goes well: whoever calls this has to call
    /// [`LeaderElector::deliver`] and [`LeaderElector::stop`].
    pub fn let_stand(&mut self) {
        self.may_stand = true;
    }

    /// To be called when the API server has something for this client.
    pub fn deliver(&mut self, api: &mut dyn ApiService) {
        let seen = self.seen.as_mut();
        if let Some(next) = seen.and_then(|seen| seen.held.resume_if_over(api)) {
            self.next = next.max(api.now());
        }
    }

    /// The program has ended.
    pub fn stop(&mut self, api: &mut dyn ApiService) {
        if let Some(next) = self.seen.as_mut().and_then(|seen| seen.held.resume(api)) {
            self.next = next;
        }
    }

    /// Tells that no other instance can be there: then the lease is renewed just often enough that
    /// it never ends, since nobody waits for it.
    pub fn set_alone(&mut self, alone: bool) {
        self.retry = if alone { RENEW_DEADLINE } else { RETRY_PERIOD };
    }

    /// Whether this one leads.
    pub fn leads(&self) -> bool {
        self.leading
    }

    /// Its name in the Lease: `control-plane_8a5d…`.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// When it tries next.
    pub fn next_due(&self) -> Time {
        self.next
    }

    /// Tries to become the leader, or to stay it, if it is time to.
    pub fn advance(&mut self, api: &mut dyn ApiService) -> Turned {
        let now = api.now();
        if now < self.next {
            return Turned::Not;
        }
        // Upstream: `JitterFactor` 1.2 for those who wait; a leader has none.
        let jitter = if self.leading { 0 } else { self.rng.below(2_400) };
        self.next = now + self.retry + Duration::from_millis(jitter);
        let (user, name) = (self.user.clone(), Arc::clone(&self.name));
        let mut client = Client::new(api, &user, &name, CauseId::ROOT);
        let held = self.try_acquire_or_renew(&mut client).unwrap_or(false);
        match (held, self.leading) {
            (true, false) => {
                self.leading = true;
                self.failing = None;
                self.next = now + self.retry;
                self.event(&mut client, "became leader");
                Turned::Leading
            }
            (true, true) => {
                self.failing = None;
                let (next, period) = (self.next, self.retry);
                if let Some(seen) = self.seen.as_mut().filter(|_| self.may_stand)
                    && seen.held.stand(client.api(), next, period)
                {
                    self.next = Time::MAX;
                }
                Turned::Not
            }
            (false, true) => {
                self.next = now + RETRY_PERIOD;
                let since = *self.failing.get_or_insert(now);
                if now.since(since) < RENEW_DEADLINE {
                    return Turned::Not;
                }
                self.leading = false;
                self.event(&mut client, "stopped leading");
                Turned::Lost
            }
            (false, false) => Turned::Not,
        }
    }

    /// Gives the lease up, so that others need not wait for its end.
    ///
    /// Upstream: `release`, where `ReleaseOnCancel` is set.
    pub fn release(&mut self, api: &mut dyn ApiService) {
        self.stop(api);
        if !std::mem::replace(&mut self.leading, false) {
            return;
        }
        let now = micro_time(api.now());
        let (user, name) = (self.user.clone(), Arc::clone(&self.name));
        let mut client = Client::new(api, &user, &name, CauseId::ROOT);
        let Some(seen) = &self.seen else { return };
        let mut lease = Lease::clone(seen.lease());
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            ..lease.spec.take().unwrap_or_default()
        });
        // Who cannot write it leaves it to its end.
        let _ = client.update(lease);
    }

    fn try_acquire_or_renew(&mut self, client: &mut Client<'_>) -> ApiResult<bool> {
        let now = client.now();
        let holds = self.leading && self.seen.as_ref().is_some_and(|seen| self.holds(seen));
        if let Some(seen) = self.seen.as_mut().filter(|_| holds) {
            // The fast path: nobody has written since.
            if seen.held.renew(client).is_ok() {
                seen.at = now;
                return Ok(true);
            }
        }
        let there = match client.get::<Lease>(NAMESPACE, &self.name) {
            Ok(lease) => lease,
            Err(error) if error.is_not_found() => {
                let lease = client.create(self.record(None, now))?;
                self.seen = Some(Seen::new(lease, now));
                return Ok(true);
            }
            Err(error) => return Err(error),
        };
        if self.seen.as_ref().is_none_or(|seen| seen.lease().spec != there.spec) {
            self.seen = Some(Seen::new(Arc::clone(&there), now));
        }
        let Some(seen) = &self.seen else { return Ok(false) };
        if !holder(&there).is_empty() && !self.holds(seen) && now < seen.at + LEASE_DURATION {
            return Ok(false);
        }
        let lease = client.update(self.record(Some(&there), now))?;
        self.seen = Some(Seen::new(lease, now));
        Ok(true)
    }

    fn holds(&self, seen: &Seen) -> bool {
        holder(seen.lease()) == self.identity
    }

    /// The Lease as this one writes it after `old`.
    fn record(&self, old: Option<&Arc<Lease>>, now: Time) -> Lease {
        let mut lease = old.map(|lease| Lease::clone(lease)).unwrap_or_else(|| Lease {
            metadata: ObjectMeta {
                name: Some(self.name.to_string()),
                namespace: Some(NAMESPACE.to_owned()),
                ..ObjectMeta::default()
            },
            spec: None,
        });
        let before = lease.spec.take().unwrap_or_default();
        let mine = before.holder_identity.as_deref() == Some(self.identity.as_str());
        let transitions = before.lease_transitions.unwrap_or(0);
        let taken = old.is_some() && !mine;
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(LEASE_DURATION.as_secs()).ok(),
            acquire_time: before.acquire_time.filter(|_| mine).or_else(|| Some(micro_time(now))),
            renew_time: Some(micro_time(now)),
            lease_transitions: Some(if taken {
                transitions.saturating_add(1)
            } else {
                transitions
            }),
            ..LeaseSpec::default()
        });
        lease
    }

    fn event(&mut self, client: &mut Client<'_>, what: &str) {
        let Some(seen) = &self.seen else { return };
        let about = object_reference(&Object::new(Lease::clone(seen.lease())), None);
        let message = format!("{} {what}", self.identity);
        let rng = &mut self.rng;
        self.recorder.record_about(
            client,
            rng,
            about,
            EventType::Normal,
            "LeaderElection",
            &message,
        );
    }
}

fn holder(lease: &Lease) -> &str {
    let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
    holder.unwrap_or_default()
}
