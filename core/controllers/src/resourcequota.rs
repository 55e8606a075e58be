//! Counts what namespaces use up and writes it into their quotas. The API server charges what is
//! made; this gives back what is gone, and sets right what has come apart.
//!
//! Upstream: `pkg/controller/resourcequota/resource_quota_controller.go`.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, ResourceQuota, Service};
use naru_api::quantity::Amount;
use naru_api::resources::{self, Amounts};
use naru_api::service::Attention;
use naru_api::{Key, KindRef, Kube, Object, WatchEvent, WatchEventType, quota, scheme};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};
use naru_sim::Time;
use std::time::Duration;

/// How often every quota is recounted: `--resource-quota-sync-period`.
const SYNC_PERIOD: Duration = Duration::from_secs(5 * 60);

/// The resource quota controller.
#[derive(Clone, Debug, Default)]
pub struct ResourceQuotaController;

/// The kinds whose objects quotas may count.
fn countable() -> Vec<KindRef> {
    let needed = ["create", "list", "watch"];
    let mut kinds = scheme::one_version_each(&scheme::built_in());
    kinds.retain(|kind| {
        kind.namespaced
            && !quota::is_ignored(kind)
            && needed.iter().all(|verb| kind.verbs.contains(verb))
    });
    kinds
}

impl Controller for ResourceQuotaController {
    fn name(&self) -> &str {
        "resourcequota-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        // Of a Lease it matters whether it is there, and not that it is renewed.
        let watch = |kind: KindRef| match kind == Lease::kind() {
            true => Watch::of(kind, "").heeding(Attention::Metadata),
            false => Watch::of(kind, ""),
        };
        countable().into_iter().map(watch).collect()
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        if cache.is_empty::<ResourceQuota>() || event.object.namespace().is_empty() {
            return Vec::new();
        }
        let object = &event.object;
        let old = old.filter(|_| event.kind == WatchEventType::Modified);
        let frees = match event.kind {
            WatchEventType::Deleted => true,
            WatchEventType::Modified => old.is_some_and(|old| uses_less(object, old)),
            WatchEventType::Added | WatchEventType::Bookmark => false,
        };
        let mut keys = Vec::new();
        if frees {
            let kind = object.kind();
            let counts =
                |quota: &ResourceQuota| hard(quota).keys().any(|name| quota::counts(&kind, name));
            keys = crate::util::keys_of(cache, object.namespace(), counts);
        }
        if object.get::<ResourceQuota>().is_some_and(|quota| wants_count(quota, old)) {
            keys.push(object.key());
        }
        keys
    }
}

/// Whether a quota is new or limits something else than before.
fn wants_count(quota: &ResourceQuota, old: Option<&Object>) -> bool {
    old.and_then(Object::get::<ResourceQuota>).is_none_or(|old| hard(old) != hard(quota))
}

/// Whether an object may use up less after its change.
///
/// Upstream: `DefaultUpdateFilter`.
fn uses_less(new: &Object, old: &Object) -> bool {
    if let (Some(new), Some(old)) = (new.get::<Pod>(), old.get::<Pod>()) {
        let ends = |pod: &Pod| pod.spec.as_deref().is_some_and(quota::is_terminating);
        // Of time that passes alone no event tells.
        let lives = |pod: &Pod| quota::uses_resources(pod, Time::ZERO);
        return ends(new) != ends(old) || lives(old) && !lives(new) || new.spec != old.spec;
    }
    if let (Some(new), Some(old)) = (new.get::<Service>(), old.get::<Service>()) {
        let type_ = |service: &Service| service.spec.as_ref()?.type_.clone();
        return type_(new) != type_(old);
    }
    let claims = (new.get::<PersistentVolumeClaim>(), old.get::<PersistentVolumeClaim>());
    let (Some(new), Some(old)) = claims else { return false };
    let allocated =
        |claim: &PersistentVolumeClaim| claim.status.as_ref()?.allocated_resources.clone();
    allocated(new) != allocated(old)
}

fn hard(quota: &ResourceQuota) -> Amounts {
    resources::amounts(quota.spec.as_ref().and_then(|spec| spec.hard.as_ref()))
}

impl Reconcile for ResourceQuotaController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let Some(quota) = context.cache.get::<ResourceQuota>(key) else {
            return Ok(Action::await_change());
        };
        let status = quota.status.clone().unwrap_or_default();
        let hard = hard(quota);
        let mut used = count(context.cache, quota, &hard, context.now);
        // What no kind counts keeps the number that it had.
        let before = resources::amounts(status.used.as_ref());
        for (name, amount) in before.iter().filter(|(name, _)| hard.contains_key(*name)) {
            used.entry(name.clone()).or_insert(*amount);
        }
        let same = resources::amounts(status.hard.as_ref()) == hard && before == used;
        if !same || status.hard.is_none() || status.used.is_none() {
            let mut quota = quota.clone();
            let status = quota.status.get_or_insert_default();
            status.hard = Some(resources::list(&hard));
            status.used = Some(resources::list(&used));
            context.client.update_status(quota)?;
        }
        Ok(Action::requeue_after(SYNC_PERIOD))
    }
}

/// What is used up of what a quota limits.
///
/// Upstream: `CalculateUsage`.
fn count(cache: &Cache, quota: &ResourceQuota, hard: &Amounts, now: Time) -> Amounts {
    let namespace = quota.metadata.namespace.as_deref().unwrap_or_default();
    let mut sums = Amounts::new();
    for kind in countable() {
        let names: Vec<&String> = hard.keys().filter(|name| quota::counts(&kind, name)).collect();
        if names.is_empty() {
            continue;
        }
        sums.extend(names.iter().map(|name| ((*name).clone(), Amount::ZERO)));
        let objects = cache.objects(&kind, namespace);
        for object in objects.filter(|object| quota::in_scopes(quota, object)) {
            let mut usage = quota::usage(object, now);
            usage.retain(|name, _| hard.contains_key(name));
            resources::add(&mut sums, &usage);
        }
    }
    sums
}
