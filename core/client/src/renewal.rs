//! A Lease that its holder renews time and again.

use crate::Client;
use k8s_openapi::api::coordination::v1::Lease;
use naru_api::service::{Stood, Ticket};
use naru_api::status::ApiResult;
use naru_api::time::micro_time;
use naru_api::{ApiService, WatchId};
use naru_sim::Time;
use std::sync::Arc;
use std::time::Duration;

/// A Lease as its holder has left it.
#[derive(Clone, Debug)]
pub struct HeldLease {
    lease: Arc<Lease>,
    ticket: Option<Ticket>,
    /// The last renewal was made by the ticket.
    by_ticket: bool,
    /// The API server makes the renewals.
    standing: Option<WatchId>,
}

impl HeldLease {
    /// A Lease as it was made or found.
    pub fn new(lease: Arc<Lease>) -> Self {
        HeldLease { lease, ticket: None, by_ticket: false, standing: None }
    }

    /// The Lease.
    pub fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }

    /// Renews it, if nobody else has written it since.
    pub fn renew(&mut self, client: &mut Client<'_>) -> ApiResult<()> {
        if let Some(lease) = self.ticket.as_mut().and_then(|ticket| client.renew(ticket)) {
            (self.lease, self.by_ticket) = (lease, true);
            return Ok(());
        }
        let mut lease = Lease::clone(&self.lease);
        lease.spec.get_or_insert_default().renew_time = Some(micro_time(client.now()));
        (self.ticket, self.by_ticket) = (None, false);
        self.lease = client.update(lease)?;
        self.ticket = client.ticket(&self.lease);
        Ok(())
    }

    /// Lets the API server make the renewals from now on, if they go alike: at `next`, and so on.
    /// Tells whether it does.
    pub fn stand(&mut self, api: &mut dyn ApiService, next: Time, period: Duration) -> bool {
        let ticket = self.ticket.as_ref().filter(|_| self.by_ticket && self.standing.is_none());
        self.standing = ticket.and_then(|ticket| api.stand(ticket.clone(), next, period));
        self.standing.is_some()
    }

    /// When its holder has to renew it again, if the API server has ceased to.
    pub fn resume_if_over(&mut self, api: &mut dyn ApiService) -> Option<Time> {
        self.standing.filter(|id| !api.stands(*id))?;
        self.resume(api)
    }

    /// Its holder renews it again, or nobody does. Tells when the next renewal is due, if the API
    /// server has made them until now.
    pub fn resume(&mut self, api: &mut dyn ApiService) -> Option<Time> {
        let Stood { lease, ticket, next } = api.stand_down(self.standing.take()?)?;
        self.lease = lease.unwrap_or_else(|| Arc::clone(&self.lease));
        (self.ticket, self.by_ticket) = (Some(ticket), false);
        Some(next)
    }
}
