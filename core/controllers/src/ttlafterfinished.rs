//! Deletes jobs some time after they have ended.
//!
//! Upstream: `pkg/controller/ttlafterfinished/ttlafterfinished_controller.go`.

use crate::job::finished_condition;
use k8s_openapi::api::batch::v1::Job;
use naru_api::request::{DeleteOptions, Propagation};
use naru_api::time::from_meta;
use naru_api::{Key, Object, WatchEvent, WatchEventType};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};
use naru_sim::Time;
use std::time::Duration;

/// The TTL-after-finished controller.
#[derive(Clone, Debug, Default)]
pub struct TtlAfterFinishedController;

impl Controller for TtlAfterFinishedController {
    fn name(&self) -> &str {
        "ttl-after-finished-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<Job>()]
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        let job = event.object.get::<Job>().filter(|_| event.kind != WatchEventType::Deleted);
        job.and_then(expires_at).map(|_| event.object.key()).into_iter().collect()
    }
}

impl Reconcile for TtlAfterFinishedController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let cache = context.cache;
        let Some(at) = cache.get::<Job>(key).and_then(expires_at) else {
            return Ok(Action::await_change());
        };
        if at > context.now {
            return Ok(Action::requeue_after(at.since(context.now)));
        }
        // What the cache shows may be old: the API server has the last word.
        let fresh = match context.client.get::<Job>(&key.namespace, &key.name) {
            Err(error) if error.is_not_found() => return Ok(Action::await_change()),
            found => found?,
        };
        match expires_at(&fresh) {
            Some(at) if at > context.now => Ok(Action::requeue_after(at.since(context.now))),
            Some(_) => {
                let options = DeleteOptions {
                    propagation: Some(Propagation::Foreground),
                    uid: fresh.metadata.uid.clone(),
                    ..DeleteOptions::default()
                };
                context.client.delete::<Job>(&key.namespace, &key.name, options)?;
                Ok(Action::await_change())
            }
            None => Ok(Action::await_change()),
        }
    }
}

/// When the job is to be deleted; `None` if nobody asked for that, or it has not ended, or it goes
/// already.
fn expires_at(job: &Job) -> Option<Time> {
    let ttl = job.spec.as_ref()?.ttl_seconds_after_finished?;
    let ended = finished_condition(job)?.last_transition_time.as_ref()?;
    let stays = job.metadata.deletion_timestamp.is_none();
    let ttl = Duration::from_secs(u64::try_from(ttl).unwrap_or(0));
    stays.then(|| from_meta(ended) + ttl)
}
