//! Makes the jobs of cron jobs when they are due, and clears away old ones.
//!
//! Upstream: `pkg/controller/cronjob/cronjob_controllerv2.go`.

mod sync;
mod times;

use crate::controller_ref::resolve_controller;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use naru_api::{Key, Kube, Object, WatchEvent};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};
use std::collections::BTreeSet;
use sync::Sync;

/// The cron job controller.
#[derive(Clone, Debug, Default)]
pub struct CronJobController {
    /// Cron jobs whose schedule was changed: what the new one would have missed does not count.
    rescheduled: BTreeSet<Key>,
}

impl Controller for CronJobController {
    fn name(&self) -> &str {
        "cronjob-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<CronJob>(), Watch::all::<Job>()]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        if event.object.kind() == CronJob::kind() {
            if old.is_some_and(|old| is_rescheduled(old, &event.object)) {
                self.rescheduled.insert(event.object.key());
            }
            return vec![event.object.key()];
        }
        if event.object.kind() != Job::kind() {
            return Vec::new();
        }
        let former = old.filter(|old| old.controller() != event.object.controller());
        former
            .and_then(|old| resolve_controller::<CronJob>(cache, old.meta()))
            .into_iter()
            .chain(resolve_controller::<CronJob>(cache, event.object.meta()))
            .collect()
    }
}

impl Reconcile for CronJobController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let rescheduled = self.rescheduled.remove(key);
        let cache = context.cache;
        let Some(object) = cache.object(&CronJob::kind(), key) else {
            return Ok(Action::await_change());
        };
        let Some(mut sync) = Sync::new(object, context.now) else {
            return Ok(Action::await_change());
        };
        if rescheduled {
            return Ok(sync.wait());
        }
        sync.clean_up(context);
        let result = sync.run(context);
        sync.write(context)?;
        result
    }
}

fn is_rescheduled(old: &Object, new: &Object) -> bool {
    let when = |object: &Object| {
        let spec = object.get::<CronJob>().and_then(|cron| cron.spec.as_ref());
        spec.map(|spec| (spec.schedule.clone(), spec.time_zone.clone()))
    };
    when(old) != when(new)
}
