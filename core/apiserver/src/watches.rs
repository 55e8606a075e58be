//! Watches: who is told of which change.
//!
//! Upstream: `apiserver/pkg/storage/cacher`, and its triggers by `spec.nodeName`.

use crate::store::Change;
use crate::{limits, versions};
use naru_api::{ApiError, KindRef, Object, WatchEvent, WatchEventType, WatchId};
use naru_api::{fields, labels, status::ApiResult};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// All watches. A change is shown only to those that may want it: the watches of its kind that
/// see all of it, that see its namespace, or that see its node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watches {
    last: u64,
    watches: BTreeMap<WatchId, Watch>,
    index: BTreeMap<KindRef, Index>,
    ready: Vec<WatchId>,
}

#[derive(Clone, Debug, Default)]
struct Index {
    all: BTreeSet<WatchId>,
    by_namespace: BTreeMap<String, BTreeSet<WatchId>>,
    by_node: BTreeMap<String, BTreeSet<WatchId>>,
}

#[derive(Clone, Debug)]
struct Watch {
    filter: Filter,
    buffer: VecDeque<WatchEvent>,
    room: usize,
    ready: bool,
    expired: bool,
}

/// Which objects of a kind a list or a watch selects.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    pub(crate) kind: KindRef,
    pub(crate) namespace: String,
    pub(crate) labels: labels::Selector,
    pub(crate) fields: fields::Selector,
}

impl Filter {
    /// A stored object, whose namespace need not be right, as the kind that was asked for, if it
    /// is selected.
    pub(crate) fn pick(&self, object: &Object) -> Option<Object> {
        self.look(object).map(Cow::into_owned)
    }

    fn look<'o>(&self, object: &'o Object) -> Option<Cow<'o, Object>> {
        let near = (self.namespace.is_empty() || self.namespace == object.namespace())
            && self.labels.matches(object.meta().labels.as_ref());
        let object = near.then(|| versions::view(&self.kind, object))?;
        self.fields.matches(&object).then_some(object)
    }

    fn event(&self, change: &Change) -> Option<WatchEvent> {
        let before = change.before.as_ref().and_then(|object| self.look(object));
        let after = change.after.as_ref().and_then(|object| self.look(object));
        let (kind, object) = match (before, after) {
            (None, Some(after)) => (WatchEventType::Added, after.into_owned()),
            (Some(_), Some(after)) => (WatchEventType::Modified, after.into_owned()),
            (Some(before), None) => (WatchEventType::Deleted, deleted(&before, change.revision)),
            (None, None) => return None,
        };
        Some(WatchEvent { kind, object, cause: change.cause })
    }

    fn node(&self) -> Option<&str> {
        self.fields.exact("spec.nodeName")
    }
}

/// The last state of an object that is gone, at the revision of its deletion.
fn deleted(before: &Object, revision: u64) -> Object {
    let mut object = before.clone();
    object.meta_mut().resource_version = Some(revision.to_string());
    object
}

impl Watches {
    /// The latest watch that was opened.
    pub(crate) fn last(&self) -> WatchId {
        WatchId(self.last)
    }

    /// Starts a watch that first tells `initial` and then `missed`.
    pub(crate) fn add(
        &mut self,
        filter: Filter,
        initial: impl Iterator<Item = WatchEvent>,
        missed: &[Change],
    ) -> ApiResult<WatchId> {
        if self.watches.len() >= limits::WATCHES_MAX {
            return Err(ApiError::new(
                429,
                "TooManyRequests",
                "too many requests, please try again later",
            ));
        }
        self.last += 1;
        let id = WatchId(self.last);
        let mut buffer: VecDeque<WatchEvent> = initial.collect();
        buffer.extend(missed.iter().filter_map(|change| filter.event(change)));
        let ready = !buffer.is_empty();
        if ready {
            self.ready.push(id);
        }
        self.slot(&filter).insert(id);
        let room = buffer.len() + limits::WATCH_BACKLOG_MAX;
        self.watches.insert(id, Watch { filter, buffer, room, ready, expired: false });
        Ok(id)
    }

    /// Ends a watch.
    pub(crate) fn remove(&mut self, id: WatchId) {
        if let Some(watch) = self.watches.remove(&id) {
            self.slot(&watch.filter).remove(&id);
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
        for id in index.all.iter().chain(by_namespace).chain(by_node) {
            let Some(watch) = self.watches.get_mut(id) else { continue };
            let Some(event) = watch.filter.event(change) else { continue };
            watch.push(event);
            if !std::mem::replace(&mut watch.ready, true) {
                self.ready.push(*id);
            }
        }
    }

    /// Takes what a watch has to deliver.
    pub(crate) fn poll(&mut self, id: WatchId) -> ApiResult<Vec<WatchEvent>> {
        let Some(watch) = self.watches.get_mut(&id) else {
            return Err(ApiError::expired("the watch has ended"));
        };
        watch.ready = false;
        if watch.expired {
            self.remove(id);
            return Err(ApiError::expired("too old resource version: the watch was too slow"));
        }
        watch.room = limits::WATCH_BACKLOG_MAX;
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
            if !std::mem::replace(&mut watch.ready, true) {
                self.ready.push(*id);
            }
        }
    }

    fn slot(&mut self, filter: &Filter) -> &mut BTreeSet<WatchId> {
        let index = self.index.entry(versions::stored(&filter.kind)).or_default();
        match filter.node() {
            Some(node) => index.by_node.entry(node.to_owned()).or_default(),
            None if filter.namespace.is_empty() => &mut index.all,
            None => index.by_namespace.entry(filter.namespace.clone()).or_default(),
        }
    }
}

impl Watch {
    fn push(&mut self, event: WatchEvent) {
        if self.expired {
            return;
        }
        if self.buffer.len() >= self.room {
            self.expire();
        } else {
            self.buffer.push_back(event);
        }
    }

    fn expire(&mut self) {
        self.expired = true;
        self.buffer = VecDeque::new();
    }
}
