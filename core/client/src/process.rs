//! A program of the control plane or of a node: its watches, its cache, its controllers.

use crate::controller::{Context, Reconcile, Watch};
use crate::reflector::Reflector;
use crate::{Cache, Client, Controller, EventRecorder, EventStyle, WorkQueue};
use naru_api::service::WatchRequest;
use naru_api::status::ApiResult;
use naru_api::{ApiService, Key, UserInfo, WatchEvent, WatchEventType, WatchId};
use naru_sim::{CauseId, Rng, Time};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// One running program with one or more controllers, which share its watches and its cache.
#[derive(Clone, Debug)]
pub struct Process<C> {
    name: Arc<str>,
    user: UserInfo,
    controllers: Vec<Slot<C>>,
    cache: Cache,
    watches: Vec<Reflector>,
    rng: Rng,
    next_slot: usize,
}

#[derive(Clone, Debug)]
struct Slot<C> {
    controller: C,
    /// As whom it writes; watches are the process's own.
    user: UserInfo,
    actor: Arc<str>,
    queue: WorkQueue,
    recorder: EventRecorder,
    /// Its worker is busy until then.
    busy_until: Time,
}

impl<C: Controller> Process<C> {
    /// The time that one reconcile takes, and that each of its requests adds: what the real ones
    /// take on an idle cluster, so that the order of things is the real one.
    const RECONCILE_TIME: Duration = Duration::from_micros(500);
    const REQUEST_TIME: Duration = Duration::from_millis(2);

    /// A process that has not been started.
    pub fn new(name: &str, user: UserInfo, rng: &Rng) -> Self {
        Process {
            name: name.into(),
            user,
            controllers: Vec::new(),
            cache: Cache::default(),
            watches: Vec::new(),
            rng: rng.fork(name),
            next_slot: 0,
        }
    }

    /// Adds a controller.
    pub fn with(self, controller: C) -> Self {
        let recorder =
            EventRecorder::new(controller.event_source().to_owned(), None, EventStyle::Core);
        self.with_recorder(controller, recorder)
    }

    /// Adds a controller that asks as a user of its own. What it watches is watched by the
    /// process, whose controllers share their caches.
    pub fn with_user(self, controller: C, user: UserInfo) -> Self {
        let mut process = self.with(controller);
        if let Some(slot) = process.controllers.last_mut() {
            slot.user = user;
        }
        process
    }

    /// Adds a controller with this recorder.
    pub fn with_recorder(mut self, controller: C, recorder: EventRecorder) -> Self {
        self.controllers.push(Slot {
            actor: controller.name().into(),
            user: self.user.clone(),
            queue: WorkQueue::new(controller.backoff()),
            controller,
            recorder,
            busy_until: Time::ZERO,
        });
        self
    }

    /// The process's name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What it has seen.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Its first controller, of a process that has just one.
    pub fn controller(&self) -> Option<&C> {
        self.controllers.first().map(|slot| &slot.controller)
    }

    /// Its first controller, to change.
    pub fn controller_mut(&mut self) -> Option<&mut C> {
        self.controllers.first_mut().map(|slot| &mut slot.controller)
    }

    /// Its watches at the API server, after [`Process::start`].
    pub fn watch_ids(&self) -> impl Iterator<Item = WatchId> {
        self.watches.iter().filter_map(Reflector::id)
    }

    /// Opens the watches and plans the initial work.
    pub fn start(&mut self, api: &mut dyn ApiService) -> ApiResult<()> {
        for slot in &mut self.controllers {
            for key in slot.controller.initial() {
                slot.queue.add(key, CauseId::ROOT);
            }
        }
        self.open_watches(api)
    }

    /// Opens the watches that are not open yet.
    fn open_watches(&mut self, api: &mut dyn ApiService) -> ApiResult<()> {
        let wanted: Vec<Watch> =
            self.controllers.iter().flat_map(|slot| slot.controller.watches()).collect();
        for watch in wanted {
            if !self.watches.iter().any(|known| known.watch == watch) {
                let mut reflector = Reflector::new(watch.clone());
                match api.watch(self.watch_request(&watch)) {
                    Err(error) if error.is_unreachable() => {
                        reflector.lose(api.now(), &mut self.rng);
                    }
                    opened => reflector.open(opened?),
                }
                self.watches.push(reflector);
            }
        }
        Ok(())
    }

    /// Closes the watches and forgets what was seen, as a process that is stopped does.
    pub fn stop(&mut self, api: &mut dyn ApiService) {
        for id in self.watches.drain(..).filter_map(|reflector| reflector.id()) {
            api.unwatch(id);
        }
        self.cache = Cache::default();
        for slot in &mut self.controllers {
            slot.queue = WorkQueue::new(slot.controller.backoff());
        }
    }

    /// Takes what the watches have to deliver into the cache and the work queues.
    pub fn deliver(&mut self, api: &mut dyn ApiService) {
        let mut index = 0;
        while let Some(reflector) = self.watches.get_mut(index) {
            let polled = reflector.id().map(|id| (id, api.poll(id)));
            match polled {
                None => {}
                Some((_, Ok(events))) => self.take(events, api.now()),
                Some((id, Err(error))) if error.is_unreachable() => {
                    api.unwatch(id);
                    reflector.lose(api.now(), &mut self.rng);
                }
                Some((id, Err(_expired))) => {
                    api.unwatch(id);
                    if !self.renew(index, api) {
                        continue;
                    }
                }
            }
            index += 1;
        }
    }

    /// Asks again for the watches that were lost, if it is time to.
    fn find_again(&mut self, api: &mut dyn ApiService) -> bool {
        let now = api.now();
        let due = |reflector: &Reflector| reflector.retry_at().is_some_and(|at| at <= now);
        let Some(index) = self.watches.iter().position(due) else { return false };
        self.renew(index, api);
        true
    }

    /// Asks for a watch anew, or plans to; `false` if it was given up.
    fn renew(&mut self, index: usize, api: &mut dyn ApiService) -> bool {
        match self.list_again(index, api) {
            Ok(true) => {}
            Ok(false) => {
                self.give_up(index, api.now());
                return false;
            }
            Err(_refused) => {
                if let Some(reflector) = self.watches.get_mut(index) {
                    reflector.lose(api.now(), &mut self.rng);
                }
            }
        }
        true
    }

    /// Adds a key to the queue of its first controller, for work that no watch tells of.
    pub fn enqueue(&mut self, key: Key, cause: CauseId) {
        if let Some(slot) = self.controllers.first_mut() {
            slot.queue.add(key, cause);
        }
    }

    /// When there is work next.
    pub fn next_due(&self) -> Option<Time> {
        let work = self
            .controllers
            .iter()
            .filter_map(|slot| Some(slot.queue.next_due()?.max(slot.busy_until)));
        work.chain(self.watches.iter().filter_map(Reflector::retry_at)).min()
    }

    /// Does one piece of work if there is any; each controller has its turn.
    pub fn work<W: ?Sized>(&mut self, api: &mut dyn ApiService, world: &mut W) -> bool
    where
        C: Reconcile<W>,
    {
        if self.find_again(api) {
            return true;
        }
        let now = api.now();
        for turn in 0..self.controllers.len() {
            let index = (self.next_slot + turn) % self.controllers.len();
            let Some(slot) = self.controllers.get_mut(index) else { return false };
            if slot.busy_until > now {
                continue;
            }
            let Some((key, cause)) = slot.queue.pop(now) else { continue };
            self.next_slot = index + 1;
            let subject = key.to_string().into();
            let cause = api.causes().record(now, cause, &slot.actor, "reconcile", subject);
            let mut context = Context {
                now,
                cache: &self.cache,
                client: Client::new(api, &slot.user, &slot.actor, cause),
                rng: &mut self.rng,
                recorder: &mut slot.recorder,
            };
            let result = slot.controller.reconcile(&key, &mut context, world);
            let requests = context.client.requests();
            slot.busy_until = now + Self::RECONCILE_TIME + Self::REQUEST_TIME * requests;
            match result {
                Ok(action) => {
                    slot.queue.forget(&key);
                    if let Some(delay) = action.requeue_after {
                        slot.queue.add_at(now + delay, key, cause);
                    }
                }
                Err(_) => slot.queue.add_rate_limited(now, key, cause),
            }
            if slot.controller.rewatches() {
                // A watch that is refused is asked for when there is another reason to.
                let _ = self.open_watches(api);
            }
            return true;
        }
        false
    }

    fn watch_request(&self, watch: &Watch) -> WatchRequest {
        WatchRequest {
            namespace: watch.namespace.clone(),
            options: watch.options.clone(),
            ..WatchRequest::new(self.user.clone(), Arc::clone(&self.name), watch.kind.clone())
        }
    }

    fn take(&mut self, events: Vec<WatchEvent>, now: Time) {
        for event in events {
            let old = self.cache.apply(&event);
            for slot in &mut self.controllers {
                let keys = slot.controller.map(&event, old.as_ref(), &self.cache);
                if keys.is_empty() {
                    continue;
                }
                let delay = slot.controller.delay(&event, old.as_ref());
                for key in keys {
                    slot.queue.add_batched(now, delay, key, event.cause);
                }
            }
        }
    }

    /// The watch fell behind or was lost: start it anew, and find out what has gone meanwhile.
    /// `false` if its kind is not served any more.
    fn list_again(&mut self, index: usize, api: &mut dyn ApiService) -> ApiResult<bool> {
        let Some(watch) = self.watches.get(index).map(|reflector| reflector.watch.clone()) else {
            return Ok(true);
        };
        let opened = api.watch(self.watch_request(&watch));
        let Some(reflector) = self.watches.get_mut(index) else { return Ok(true) };
        let fresh = match opened {
            Err(error) if error.is_not_found() => return Ok(false),
            opened => opened?,
        };
        reflector.open(fresh);
        let events = api.poll(fresh)?;
        let there: BTreeSet<_> = events.iter().map(|event| event.object.key()).collect();
        self.take_gone(&watch, &there, api.now());
        self.take(events, api.now());
        Ok(true)
    }

    /// Ends a watch whose kind is gone, and its objects with it.
    fn give_up(&mut self, index: usize, now: Time) {
        let gone = self.watches.remove(index);
        self.take_gone(&gone.watch, &BTreeSet::new(), now);
    }

    /// What the watch has shown and is not there any more, is deleted.
    fn take_gone(&mut self, watch: &Watch, there: &BTreeSet<Key>, now: Time) {
        let gone: Vec<WatchEvent> = self
            .cache
            .objects(&watch.kind, &watch.namespace)
            .filter(|object| !there.contains(&object.key()))
            .map(|object| WatchEvent {
                kind: WatchEventType::Deleted,
                object: object.clone(),
                cause: CauseId::ROOT,
            })
            .collect();
        self.take(gone, now);
    }
}
