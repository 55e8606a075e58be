//! Renewals of Leases, which are most of the writes of a cluster at rest.
//!
//! A renewal differs from the one before in its time alone. So who has made one by a whole request
//! gets a ticket for others like it, which holds while nothing changes that the request was judged
//! by: the Lease itself, the roles and their bindings, namespaces, quotas, and flow schemas. Such a
//! renewal leaves what a whole request would: the same object at the next revision, told to the same
//! watches, with a cause and a count.

use crate::rest::{Asked, Asks};
use crate::store::{Change, Transaction};
use crate::{ApiServer, keys, managed, server};
use naru_api::k8s_openapi::api::coordination::v1::Lease;
use naru_api::k8s_openapi::api::core::v1::{Namespace, ResourceQuota};
use naru_api::request::{Op, Request};
use naru_api::service::Ticket;
use naru_api::{Kind, Kube, Object, UserInfo, flowcontrol, time};
use naru_sim::CauseId;
use std::sync::Arc;

/// Whether a change of this kind can make another answer of a renewal than before.
pub(crate) fn is_rule(kind: &Kind) -> bool {
    let by_name = |other: &Kind| kind.plural == other.plural && kind.group == other.group;
    matches!(&*kind.group, "rbac.authorization.k8s.io" | flowcontrol::GROUP)
        || by_name(&Namespace::kind())
        || by_name(&ResourceQuota::kind())
}

impl ApiServer {
    pub(crate) fn ticket_for(
        &mut self,
        user: &UserInfo,
        agent: &Arc<str>,
        lease: &Arc<Lease>,
    ) -> Option<Ticket> {
        let (kind, meta) = (Lease::kind(), &lease.metadata);
        let (namespace, name) = (meta.namespace.as_deref()?, meta.name.as_deref()?);
        let revision = meta.resource_version.as_deref()?.parse().ok()?;
        let request = Request::new(user.clone(), Arc::clone(agent), kind.clone(), Op::Get);
        let flow = self.flow_of(&Asks::of_kind(user, "update", &kind, namespace));
        Some(Ticket {
            user: Arc::clone(&user.name),
            writer: managed::writer(&request),
            key: keys::of_object(&kind, namespace, name).into(),
            subject: server::subject(&kind, namespace, name).into(),
            revision,
            rules: self.rules,
            flow,
        })
    }

    pub(crate) fn renew_by(&mut self, ticket: &mut Ticket, cause: CauseId) -> Option<Arc<Lease>> {
        if ticket.rules != self.rules || self.etcd_is_lost() {
            return None;
        }
        let old = self.store.get(&ticket.key)?;
        let mut lease = Lease::clone(old.get::<Lease>()?);
        let now = Some(time::micro_time(self.now));
        let spec = lease.spec.as_mut().filter(|spec| spec.renew_time != now)?;
        spec.renew_time = now;
        if old.revision() != ticket.revision || lease.metadata.deletion_timestamp.is_some() {
            return None;
        }
        let kind = Lease::kind();
        let subject = Arc::clone(&ticket.subject);
        let cause = self.causes.record(self.now, cause, &ticket.writer.agent, "update", subject);
        self.causes.conclude(cause, &ticket.user, 200);
        self.rest_state_mut().metrics.count_object(Asked::update_of(&kind), 200);
        self.flow_control.flows.count(ticket.flow, "update");
        self.warnings.clear();
        let mut object = Object::new(lease);
        object.note_write(&old, Some(&ticket.writer), &kind, self.timestamp());
        let name = object.name().to_owned();
        let Change { revision, after, .. } = self
            .commit(
                &kind,
                &name,
                Transaction {
                    key: ticket.key.to_string(),
                    expect: ticket.revision,
                    put: Some(object),
                    expires: None,
                    cause,
                },
            )
            .ok()?;
        ticket.revision = revision;
        after?.arc()
    }
}
