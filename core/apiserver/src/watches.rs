//! Watches: who is told of which change.
//!
//! Upstream: `apiserver/pkg/storage/cacher`, and its triggers by `spec.nodeName`.

use crate::store::Change;
use crate::{keys, limits, versions};
use naru_api::Kube;
use naru_api::k8s_openapi::api::coordination::v1::Lease;
use naru_api::service::Attention;
use naru_api::{ApiError, Kind, KindRef, Object, WatchEvent, WatchEventType, WatchId};
use naru_api::{fields, labels, status::ApiResult};
use naru_sim::{CauseId, Time};
use rustc_hash::FxHashMap;
use serde_json::json;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// All watches. A change is shown only to those that may want it: the watches of its kind that
/// see all of it, that see its namespace, its node, or just the one object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watches {
    last: u64,
    watches: BTreeMap<WatchId, Watch>,
    index: FxHashMap<KindRef, Index>,
    ready: Vec<WatchId>,
    /// Those that have something to deliver, or to say that they are over. There are thousands of
    /// watches, and only a few of these.
    news: BTreeSet<WatchId>,
    /// How many of them are told of every renewal of a Lease.
    heeding_leases: usize,
    bookmarks: BTreeSet<(Time, WatchId)>,
}

#[derive(Clone, Debug, Default)]
struct Index {
    all: BTreeSet<WatchId>,
    by_namespace: BTreeMap<String, BTreeSet<WatchId>>,
    by_node: BTreeMap<String, BTreeSet<WatchId>>,
    by_key: BTreeMap<String, BTreeSet<WatchId>>,
}

#[derive(Clone, Debug)]
struct Watch {
    filter: Filter,
    /// Tells only of what came after this revision.
    after: u64,
    buffer: VecDeque<WatchEvent>,
    attention: Attention,
    /// Where in the buffer the latest event of each object stands, if there are any that could wait.
    latest: BTreeMap<Arc<str>, usize>,
    room: usize,
    ready: bool,
    /// Why it is over.
    ended: Option<ApiError>,
    deadline: Option<Time>,
}

/// A watch to be opened.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    /// Whom it tells of what.
    pub(crate) filter: Filter,
    /// What it tells first.
    pub(crate) events: VecDeque<WatchEvent>,
    /// Then it tells only of what came after this revision.
    pub(crate) after: u64,
    /// Why it is over before it has begun.
    pub(crate) refused: Option<ApiError>,
    /// Whether it tells now and then how far it has come.
    pub(crate) bookmarks: bool,
    /// When its client will give it up.
    pub(crate) deadline: Option<Time>,
    /// For what its client needs to be woken.
    pub(crate) attention: Attention,
}

/// Which objects of a kind a list or a watch selects.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    pub(crate) kind: KindRef,
    pub(crate) namespace: String,
    labels: labels::Selector,
    fields: fields::Selector,
    /// Every object of the kind and the namespace is selected, as it is stored.
    everything: bool,
}

impl Filter {
    pub(crate) fn new(
        kind: KindRef,
        namespace: String,
        labels: labels::Selector,
        fields: fields::Selector,
    ) -> Self {
        // Custom resources are read as they are defined now.
        let stored = kind.strategy.storage_kind().is_none() && kind.strategy.custom().is_none();
        let everything = stored && labels.is_everything() && fields.is_everything();
        Filter { kind, namespace, labels, fields, everything }
    }

    /// Whether every object of the kind and the namespace is selected, as it is stored.
    pub(crate) fn is_everything(&self) -> bool {
        self.everything
    }

    /// The key of the only object that can be selected.
    pub(crate) fn key(&self) -> Option<String> {
        let name = self.fields.exact("metadata.name")?;
        let known = !self.namespace.is_empty() || !self.kind.namespaced;
        known.then(|| keys::of_object(&self.kind, &self.namespace, name))
    }

    /// A stored object, whose namespace need not be right, as the kind that was asked for, if it
    /// is selected.
    pub(crate) fn pick(&self, object: &Object) -> Option<Object> {
        self.look(object).map(Cow::into_owned)
    }

    fn look<'o>(&self, object: &'o Object) -> Option<Cow<'o, Object>> {
        if !self.namespace.is_empty() && self.namespace != object.namespace() {
            return None;
        }
        if self.everything {
            return Some(Cow::Borrowed(object));
        }
        if !self.labels.matches(object.meta().labels.as_ref()) {
            return None;
        }
        let object = versions::view(&self.kind, object);
        self.fields.matches(&object).then_some(object)
    }

    /// What a change is to those that see only what is selected. `gone` is the last state of an
    /// object that was deleted.
    pub(crate) fn event(&self, change: &Change, gone: &Gone) -> Option<WatchEvent> {
        let before = change.before.as_ref().and_then(|object| self.look(object));
        let after = change.after.as_ref().and_then(|object| self.look(object));
        let (kind, object) = match (before, after) {
            (None, Some(after)) => (WatchEventType::Added, after.into_owned()),
            (Some(_), Some(after)) => (WatchEventType::Modified, after.into_owned()),
            (Some(_), None) => {
                (WatchEventType::Deleted, versions::view(&self.kind, gone.of(change)?).into_owned())
            }
            (None, None) => return None,
        };
        Some(WatchEvent { kind, object, cause: change.cause })
    }

    fn node(&self) -> Option<&str> {
        self.fields.exact("spec.nodeName")
    }
}

/// The last state of an object that is gone, at the revision of its going: made once, when the
/// first watch wants it.
#[derive(Debug, Default)]
pub(crate) struct Gone(OnceCell<Object>);

impl Gone {
    fn of(&self, change: &Change) -> Option<&Object> {
        let before = change.before.as_ref()?;
        Some(self.0.get_or_init(|| {
            let mut object = before.clone();
            object.meta_mut().resource_version = Some(change.revision.to_string());
            object
        }))
    }
}

/// An otherwise empty object of a kind that tells how far a watch has come; `None` for a kind
/// that has no empty objects.
pub(crate) fn bookmark(kind: &Kind, revision: u64, ends_initial: bool) -> Option<WatchEvent> {
    let mut meta = json!({"resourceVersion": revision.to_string()});
    if ends_initial && let Some(meta) = meta.as_object_mut() {
        meta.insert("annotations".to_owned(), json!({"k8s.io/initial-events-end": "true"}));
    }
    let empty = json!({"apiVersion": kind.api_version(), "kind": kind.kind, "metadata": meta});
    let object = kind.strategy.decode(empty).ok()?;
    Some(WatchEvent { kind: WatchEventType::Bookmark, object, cause: CauseId::ROOT })
}

impl Watches {
    /// How many there are of each kind, of one namespace and of all.
    pub(crate) fn by_kind(&self) -> BTreeMap<(KindRef, &'static str), usize> {
        let mut counts = BTreeMap::new();
        for Watch { filter, .. } in self.watches.values() {
            let scope = if filter.namespace.is_empty() { "cluster" } else { "namespace" };
            *counts.entry((filter.kind.clone(), scope)).or_default() += 1;
        }
        counts
    }

    /// The latest watch that was opened.
    pub(crate) fn last(&self) -> WatchId {
        WatchId(self.last)
    }

    /// Starts a watch.
    pub(crate) fn open(&mut self, opening: Opening, now: Time) -> ApiResult<WatchId> {
        if self.watches.len() >= limits::WATCHES_MAX {
            return Err(ApiError::new(
                429,
                "TooManyRequests",
                "too many requests, please try again later",
            ));
        }
        let id = self.take_number();
        let Opening { filter, events, after, refused, bookmarks, deadline, attention } = opening;
        let ready = !events.is_empty() || refused.is_some();
        if ready {
            self.ready.push(id);
            self.news.insert(id);
        }
        self.slot(&filter).insert(id);
        if bookmarks && refused.is_none() {
            self.bookmarks.extend(next_bookmark(now, deadline).map(|at| (at, id)));
        }
        let room = events.len() + limits::WATCH_BACKLOG_MAX;
        let (buffer, ended) = (events, refused);
        let latest = BTreeMap::new();
        let watch =
            Watch { filter, after, buffer, attention, latest, room, ready, ended, deadline };
        self.heeding_leases += usize::from(watch.heeds_leases());
        self.watches.insert(id, watch);
        Ok(id)
    }

    /// A number that no watch has.
    pub(crate) fn take_number(&mut self) -> WatchId {
        self.last += 1;
        WatchId(self.last)
    }

    /// Whether somebody wants to be woken for renewals of Leases.
    pub(crate) fn heed_leases(&self) -> bool {
        self.heeding_leases > 0
    }

    /// Ends a watch.
    pub(crate) fn remove(&mut self, id: WatchId) {
        self.news.remove(&id);
        if let Some(watch) = self.watches.remove(&id) {
            self.heeding_leases -= usize::from(watch.heeds_leases());
            self.leave_slot(&watch.filter, id);
        }
    }

    /// Tells every watch that selects it of a change.
    pub(crate) fn tell(&mut self, change: &Change) {
        let Some(object) = change.after.as_ref().or(change.before.as_ref()) else { return };
        let Some(index) = self.index.get(&object.kind()) else { return };
        let node = |object: &Option<Object>| {
            let object = object.as_ref().filter(|_| !index.by_node.is_empty())?;
            object.strategy().field(object, "spec.nodeName")
        };
        let (before, after) = (node(&change.before), node(&change.after));
        let moved = after.filter(|after| before.as_ref() != Some(after));
        let nodes = [before, moved].into_iter().flatten();
        let by_node = nodes.filter_map(|node| index.by_node.get(&node)).flatten();
        let by_namespace = index.by_namespace.get(object.namespace()).into_iter().flatten();
        let by_key = index.by_key.get(&*change.key).into_iter().flatten();
        let gone = Gone::default();
        for id in index.all.iter().chain(by_namespace).chain(by_node).chain(by_key) {
            let Some(watch) = self.watches.get_mut(id) else { continue };
            if change.revision <= watch.after {
                continue;
            }
            let Some(event) = watch.filter.event(change, &gone) else { continue };
            // What can wait is to be had as well, when its client has another reason to look.
            self.news.insert(*id);
            if watch.can_wait(change, &event) {
                watch.replace(&change.key, event);
                if watch.has_room() {
                    continue;
                }
            } else {
                watch.note(&change.key);
                watch.push(event);
            }
            if !std::mem::replace(&mut watch.ready, true) {
                self.ready.push(*id);
            }
        }
    }

    /// When the next watch gets a bookmark.
    pub(crate) fn next_bookmark(&self) -> Option<Time> {
        self.bookmarks.first().map(|(at, _)| *at)
    }

    /// Tells the watches whose time has come how far the store is.
    pub(crate) fn bookmark(&mut self, now: Time, revision: u64) {
        while let Some((at, id)) = self.bookmarks.first().copied().filter(|(at, _)| *at <= now) {
            self.bookmarks.remove(&(at, id));
            let Some(watch) = self.watches.get_mut(&id) else { continue };
            self.bookmarks.extend(next_bookmark(now, watch.deadline).map(|at| (at, id)));
            let Some(event) = bookmark(&watch.filter.kind, revision.max(watch.after), false) else {
                continue;
            };
            watch.push(event);
            self.news.insert(id);
            if !std::mem::replace(&mut watch.ready, true) {
                self.ready.push(id);
            }
        }
    }

    /// Whether an open watch has something to deliver, or is over.
    pub(crate) fn has_news(&self, id: WatchId) -> bool {
        self.news.contains(&id)
    }

    /// Takes what a watch has to deliver.
    pub(crate) fn poll(&mut self, id: WatchId) -> ApiResult<Vec<WatchEvent>> {
        let Some(watch) = self.watches.get_mut(&id) else {
            return Err(ApiError::expired("the watch has ended"));
        };
        watch.ready = false;
        self.news.remove(&id);
        if let Some(error) = watch.ended.take() {
            self.remove(id);
            return Err(error);
        }
        watch.room = limits::WATCH_BACKLOG_MAX;
        watch.latest.clear();
        Ok(std::mem::take(&mut watch.buffer).into())
    }

    /// The watches that got something since this was last asked, in the order in which they did.
    pub(crate) fn take_ready(&mut self) -> Vec<WatchId> {
        let mut ready = std::mem::take(&mut self.ready);
        ready.retain(|id| self.watches.get(id).is_some_and(|watch| watch.ready));
        for id in &ready {
            if let Some(watch) = self.watches.get_mut(id) {
                watch.ready = false;
            }
        }
        ready
    }

    /// Ends every watch's knowledge: each is told to list again.
    pub(crate) fn expire_all(&mut self) {
        for (id, watch) in &mut self.watches {
            watch.expire();
            self.news.insert(*id);
            if !std::mem::replace(&mut watch.ready, true) {
                self.ready.push(*id);
            }
        }
    }

    /// Ends the watches of a kind.
    pub(crate) fn expire(&mut self, kind: &KindRef) {
        for (id, watch) in self.watches.iter_mut().filter(|(_, watch)| watch.filter.kind == *kind) {
            watch.expire();
            self.news.insert(*id);
            if !std::mem::replace(&mut watch.ready, true) {
                self.ready.push(*id);
            }
        }
    }

    fn slot(&mut self, filter: &Filter) -> &mut BTreeSet<WatchId> {
        // Changes are of the stored kind.
        let index = self.index.entry(versions::stored(&filter.kind)).or_default();
        if let Some(key) = filter.key() {
            return index.by_key.entry(key).or_default();
        }
        match filter.node() {
            Some(node) => index.by_node.entry(node.to_owned()).or_default(),
            None if filter.namespace.is_empty() => &mut index.all,
            None => index.by_namespace.entry(filter.namespace.clone()).or_default(),
        }
    }

    fn leave_slot(&mut self, filter: &Filter, id: WatchId) {
        let slot = self.slot(filter);
        slot.remove(&id);
        if slot.is_empty()
            && let Some(key) = filter.key()
            && let Some(index) = self.index.get_mut(&versions::stored(&filter.kind))
        {
            // There may be many objects, each watched for a while.
            index.by_key.remove(&key);
        }
    }
}

/// When a watch gets its next bookmark: after a minute, and shortly before its deadline.
///
/// Upstream: `nextBookmarkTime` in `apiserver/pkg/storage/cacher/cache_watcher.go`.
fn next_bookmark(now: Time, deadline: Option<Time>) -> Option<Time> {
    let next = now + Duration::from_secs(limits::BOOKMARK_INTERVAL_SECONDS);
    let before = Duration::from_secs(limits::BOOKMARK_BEFORE_DEADLINE_SECONDS);
    let last = deadline.map_or(next, |deadline| deadline - before);
    Some(next.min(last)).filter(|at| *at > now)
}

impl Watch {
    fn heeds_leases(&self) -> bool {
        self.attention == Attention::Everything && self.filter.kind.plural == Lease::kind().plural
    }

    /// Whether its client needs not be woken for a change.
    fn can_wait(&self, change: &Change, event: &WatchEvent) -> bool {
        let both = change.before.as_ref().zip(change.after.as_ref());
        event.kind == WatchEventType::Modified
            && both.is_some_and(|(before, after)| self.attention.lets_wait(before, after))
    }

    /// Takes what can wait: it stands for what has waited of the same object.
    fn replace(&mut self, key: &Arc<str>, event: WatchEvent) {
        let waiting = self.latest.get(key).and_then(|place| self.buffer.get_mut(*place));
        match waiting.filter(|waiting| waiting.kind != WatchEventType::Deleted) {
            Some(waiting) => (waiting.object, waiting.cause) = (event.object, event.cause),
            None => {
                self.note(key);
                self.push(event);
            }
        }
    }

    /// Whether much more can wait before its client has to be woken all the same.
    fn has_room(&self) -> bool {
        self.buffer.len() < self.room / 2
    }

    /// The next event is of this object.
    fn note(&mut self, key: &Arc<str>) {
        if self.attention != Attention::Everything {
            self.latest.insert(Arc::clone(key), self.buffer.len());
        }
    }

    fn push(&mut self, event: WatchEvent) {
        if self.ended.is_some() {
            return;
        }
        if self.buffer.len() >= self.room {
            self.expire();
        } else {
            self.buffer.push_back(event);
        }
    }

    fn expire(&mut self) {
        let why = "too old resource version: the watch was too slow";
        self.ended = Some(ApiError::expired(why));
        self.buffer = VecDeque::new();
        self.latest.clear();
    }
}
