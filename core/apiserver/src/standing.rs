//! Renewals of Leases that the API server makes by itself, each at its time, as their holders would.
//!
//! A holder that has renewed its Lease by a ticket may let the API server go on (see
//! [`naru_api::ApiService::stand`]): it sleeps until it has another reason to act. What comes of it
//! is the same, but for the turns of the holder. They are made when the clock is set, in the order of
//! their moments, before anybody can ask at a later one.
//!
//! They are over, and their holder is told, as soon as a whole request might be answered otherwise:
//! somebody else writes the Lease, what renewals are judged by changes, or somebody who knows that
//! the holder cannot reach the API server calls [`ApiServer::end_renewals`].

use crate::ApiServer;
use crate::store::Change;
use naru_api::WatchId;
use naru_api::k8s_openapi::api::coordination::v1::Lease;
use naru_api::service::{Stood, Ticket};
use naru_sim::{CauseId, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// All of them, of holders that have not taken theirs back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    renewals: BTreeMap<WatchId, Renewal>,
    by_key: BTreeMap<Arc<str>, WatchId>,
    /// When the next of each is due; of those that are over, none is.
    due: BTreeSet<(Time, WatchId)>,
    /// Those that are over, as nobody was told yet.
    ended: Vec<WatchId>,
}

#[derive(Clone, Debug)]
struct Renewal {
    ticket: Ticket,
    lease: Option<Arc<Lease>>,
    next: Time,
    period: Duration,
}

impl Standing {
    /// When the next renewal is due.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes those that have come to their end since this was last asked.
    pub(crate) fn take_ended(&mut self) -> Vec<WatchId> {
        std::mem::take(&mut self.ended)
    }

    /// A Lease was written: if not by its renewal, that is over.
    pub(crate) fn observe(&mut self, change: &Change) {
        if let Some(id) = self.by_key.get(&change.key).copied() {
            // One that is being made is not there.
            self.end(id);
        }
    }

    fn end(&mut self, id: WatchId) {
        let Some(renewal) = self.renewals.get(&id) else { return };
        if self.due.remove(&(renewal.next, id)) {
            self.ended.push(id);
        }
    }

    fn end_all(&mut self) {
        self.ended.extend(std::mem::take(&mut self.due).into_iter().map(|(_, id)| id));
    }
}

impl ApiServer {
    /// Lets every holder of a Lease make its renewals itself again: to be called when it may be that
    /// one of them cannot reach the API server any more, or that this does not work.
    pub fn end_renewals(&mut self) {
        self.standing.end_all();
    }

    /// When the next renewal is due that somebody wants to be told of at that moment.
    pub fn next_renewal(&self) -> Option<Time> {
        self.standing.next_due().filter(|_| self.watches.heed_leases())
    }

    /// Makes the renewals that are due until `now`.
    pub(crate) fn make_renewals(&mut self, now: Time) {
        while let Some((at, id)) = self.standing.due.first().copied().filter(|(at, _)| *at <= now) {
            self.standing.due.pop_first();
            let Some(mut renewal) = self.standing.renewals.remove(&id) else { continue };
            self.now = at;
            match self.renew_by(&mut renewal.ticket, CauseId::ROOT) {
                Some(lease) => {
                    renewal.lease = Some(lease);
                    renewal.next = at + renewal.period;
                    self.standing.due.insert((renewal.next, id));
                }
                None => self.standing.ended.push(id),
            }
            self.standing.renewals.insert(id, renewal);
        }
    }

    pub(crate) fn begin_standing(
        &mut self,
        ticket: Ticket,
        next: Time,
        period: Duration,
    ) -> Option<WatchId> {
        if next <= self.now || period.is_zero() {
            return None;
        }
        let id = self.watches.take_number();
        // Whoever has held the Lease before does not any more.
        if let Some(other) = self.standing.by_key.insert(Arc::clone(&ticket.key), id) {
            self.standing.end(other);
        }
        self.standing.due.insert((next, id));
        self.standing.renewals.insert(id, Renewal { ticket, lease: None, next, period });
        Some(id)
    }

    pub(crate) fn is_standing(&self, id: WatchId) -> bool {
        let renewal = self.standing.renewals.get(&id);
        renewal.is_some_and(|renewal| self.standing.due.contains(&(renewal.next, id)))
    }

    pub(crate) fn end_standing(&mut self, id: WatchId) -> Option<Stood> {
        let Renewal { ticket, lease, next, .. } = self.standing.renewals.remove(&id)?;
        self.standing.due.remove(&(next, id));
        if self.standing.by_key.get(&ticket.key) == Some(&id) {
            self.standing.by_key.remove(&ticket.key);
        }
        Some(Stood { lease, ticket, next })
    }
}
