//! A program of the control plane or of a node: its watches, its cache, its controllers.

use crate::controller::{Context, Reconcile, Watch};
use crate::reflector::Reflector;
use crate::{Cache, Client, Controller, EventRecorder, EventStyle, WorkQueue};
use naru_api::service::WatchRequest;
use naru_api::status::ApiResult;
use naru_api::{ApiService, Key, KindRef, UserInfo, WatchEvent, WatchEventType, WatchId};
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
    /// The kinds that it watches: it is told of no others, though the process may see more.
    kinds: Vec<KindRef>,
    recorder: EventRecorder,
    /// Whether it wants to know the latest of some watch whenever it works.
    asks: bool,
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
            kinds: Vec::new(),
            asks: controller.watches().iter().any(|watch| watch.asked),
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
        let wanted = self.wanted();
        let known = self.watches.iter().map(|known| self.audience(&known.watch.kind));
        let audiences: Vec<Vec<usize>> = known.collect();
        for (known, audience) in self.watches.iter_mut().zip(audiences) {
            known.audience = audience;
        }
        for watch in wanted {
            let serves = |known: &Reflector| {
                known.watch.sees_the_same(&watch) && known.watch.attention >= watch.attention
            };
            if !self.watches.iter().any(serves) {
                let audience = self.audience(&watch.kind);
                let mut reflector = Reflector::new(watch.clone(), audience);
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

    /// What the controllers want to see: of each selection one watch, that heeds what any of them does.
    /// Finds out anew which kinds each of them watches.
    fn wanted(&mut self) -> Vec<Watch> {
        let mut wanted: Vec<Watch> = Vec::new();
        for slot in &mut self.controllers {
            let watches = slot.controller.watches();
            slot.kinds = watches.iter().map(|watch| watch.kind.clone()).collect();
            for watch in watches {
                match wanted.iter_mut().find(|other| other.sees_the_same(&watch)) {
                    Some(same) => same.merge(&watch),
                    None => wanted.push(watch),
                }
            }
        }
        wanted
    }

    /// The controllers, by their places, that watch a kind.
    fn audience(&self, kind: &KindRef) -> Vec<usize> {
        let slots = self.controllers.iter().enumerate();
        slots.filter(|(_, slot)| slot.kinds.contains(kind)).map(|(index, _)| index).collect()
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
        self.deliver_of(|_| true, api);
    }

    /// The same of the watches that `fits` selects.
    fn deliver_of(&mut self, fits: impl Fn(&Watch) -> bool, api: &mut dyn ApiService) {
        let mut index = 0;
        while let Some(reflector) = self.watches.get_mut(index) {
            let news = reflector.id().filter(|id| fits(&reflector.watch) && api.has_news(*id));
            match news.map(|id| (id, api.poll(id))) {
                None => {}
                Some((_, Ok(events))) => self.take(index, events, api.now()),
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

    /// The same, but at the moment `at`.
    pub fn enqueue_at(&mut self, at: Time, key: Key, cause: CauseId) {
        if let Some(slot) = self.controllers.first_mut() {
            slot.queue.add_at(at, key, cause);
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

    /// The key that [`Process::work`] takes next, of a process with just one controller; `None` also
    /// where it has something else to do first.
    pub fn next_key(&mut self, now: Time) -> Option<&Key> {
        let due = |reflector: &Reflector| reflector.retry_at().is_some_and(|at| at <= now);
        if self.watches.iter().any(due) {
            return None;
        }
        let slot = self.controllers.first_mut().filter(|slot| slot.busy_until <= now)?;
        slot.queue.peek(now)
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
            if slot.asks {
                self.deliver_of(|watch| watch.asked, api);
            }
            let Some(slot) = self.controllers.get_mut(index) else { return false };
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
            attention: watch.attention,
            ..WatchRequest::new(self.user.clone(), Arc::clone(&self.name), watch.kind.clone())
        }
    }

    /// Takes over what the watch of this index has delivered.
    fn take(&mut self, index: usize, events: Vec<WatchEvent>, now: Time) {
        let Some(reflector) = self.watches.get_mut(index) else { return };
        let audience = std::mem::take(&mut reflector.audience);
        self.show(&audience, events, now);
        if let Some(reflector) = self.watches.get_mut(index) {
            reflector.audience = audience;
        }
    }

    /// Takes over changes, and lets these controllers say what they have to do for it.
    fn show(&mut self, audience: &[usize], events: Vec<WatchEvent>, now: Time) {
        for event in events {
            let old = self.cache.apply(&event);
            for index in audience {
                let Some(slot) = self.controllers.get_mut(*index) else { continue };
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
        self.take_gone(index, &there, api.now());
        self.take(index, events, api.now());
        Ok(true)
    }

    /// Ends a watch whose kind is gone, and its objects with it.
    fn give_up(&mut self, index: usize, now: Time) {
        self.take_gone(index, &BTreeSet::new(), now);
        self.watches.remove(index);
    }

    /// What the watch has shown and is not there any more, is deleted.
    fn take_gone(&mut self, index: usize, there: &BTreeSet<Key>, now: Time) {
        let Some(Reflector { watch, .. }) = self.watches.get(index) else { return };
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
        self.take(index, gone, now);
    }
}
