//! Watch: what a client is told first.
//!
//! Upstream: `apiserver/pkg/storage/cacher/cacher.go` (`Watch`).

use crate::list_options::{self, WatchStart};
use crate::watches::{Filter, Gone, Opening, bookmark};
use crate::{ApiServer, keys, read};
use naru_api::service::WatchRequest;
use naru_api::{ApiError, WatchEvent, WatchEventType, WatchId, status::ApiResult};
use naru_sim::CauseId;
use std::collections::VecDeque;

impl ApiServer {
    /// Opens a watch. One that cannot begin where it was asked to is opened all the same, and is
    /// told so as its first delivery, as upstream does.
    pub(crate) fn open_watch(
        &mut self,
        request: &WatchRequest,
        cause: CauseId,
    ) -> ApiResult<WatchId> {
        let filter = read::filter(&request.kind, &request.namespace, &request.options)?;
        let start = list_options::watch_start(request)
            .map_err(|error| ApiError::invalid_resource(&request.kind, "", &[error]))?;
        let mut opening = Opening {
            after: self.store.revision(),
            events: VecDeque::new(),
            refused: None,
            bookmarks: request.bookmarks,
            deadline: request.deadline,
            attention: request.attention,
            filter,
        };
        let begun = match start {
            WatchStart::After(from) => {
                opening.after = opening.after.max(from);
                self.missed(&opening.filter, from)
            }
            WatchStart::NotBefore(revision) if revision > self.store.revision() => {
                list_options::not_older_than(revision, self.store.revision())
                    .map(|()| VecDeque::new())
            }
            WatchStart::Now | WatchStart::NotBefore(_) => {
                Ok(self.initial(&opening.filter, request, cause))
            }
        };
        match begun {
            Ok(events) => opening.events = events,
            Err(error) => opening.refused = Some(error),
        }
        self.watches.open(opening, self.now)
    }

    /// All that is there, and a bookmark at its end if the client wants to know of it.
    fn initial(
        &self,
        filter: &Filter,
        request: &WatchRequest,
        cause: CauseId,
    ) -> VecDeque<WatchEvent> {
        let added = |object| WatchEvent { kind: WatchEventType::Added, object, cause };
        let mut events: VecDeque<WatchEvent> = self.select(filter).into_iter().map(added).collect();
        if request.initial_events && request.bookmarks {
            events.extend(bookmark(&filter.kind, self.store.revision(), true));
        }
        events
    }

    /// What has happened after a revision.
    fn missed(&self, filter: &Filter, from: u64) -> ApiResult<VecDeque<WatchEvent>> {
        let changes = self.store.since(from).map_err(|_| {
            let oldest = self.store.compacted();
            ApiError::expired(format!("too old resource version: {from} ({oldest})"))
        })?;
        let prefix = keys::of_namespace(&filter.kind, &filter.namespace);
        let mine = changes.filter(|change| change.key.starts_with(&prefix));
        Ok(mine.filter_map(|change| filter.event(change, &Gone::default())).collect())
    }
}
