//! Which slices a controller has written, so that it knows when its cache is behind.
//!
//! Upstream: `staging/src/k8s.io/endpointslice/util/endpointslice_tracker.go`.

use super::arrange::Plan;
use super::{MANAGED_BY, SERVICE_NAME};
use crate::pod_control::is_namespace_terminating;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use naru_api::request::DeleteOptions;
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType};
use naru_client::{Cache, Context, Error};
use std::collections::BTreeMap;

/// The slices that were written, so that a cache which does not show them yet is known to be
/// behind. Upstream: `EndpointSliceTracker`.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    /// By Service and slice: the revision that was written; `None` when it was deleted.
    written: BTreeMap<Key, BTreeMap<String, Option<u64>>>,
}

impl Tracker {
    /// A slice was created or updated.
    pub fn expect(&mut self, service: &Key, slice: &Object) {
        let slices = self.written.entry(service.clone()).or_default();
        slices.insert(slice.name().to_owned(), Some(slice.revision()));
    }

    /// A slice was deleted.
    pub fn expect_gone(&mut self, service: &Key, name: &str) {
        let slices = self.written.entry(service.clone()).or_default();
        slices.insert(name.to_owned(), None);
    }

    /// The Service is gone.
    pub fn forget(&mut self, service: &Key) {
        self.written.remove(service);
    }

    /// The Service to look at after a delivery of a slice that this manager's controller keeps: none
    /// if it is another's, or if the controller itself has made the change.
    pub fn map(&mut self, event: &WatchEvent, manager: &str) -> Vec<Key> {
        let slice = &event.object;
        let Some(service) = slice.label(SERVICE_NAME) else { return Vec::new() };
        if slice.label(MANAGED_BY) != Some(manager) {
            return Vec::new();
        }
        let service = Key::new(slice.namespace(), service);
        let gone = event.kind == WatchEventType::Deleted;
        let expected = self.observe(&service, slice, gone);
        if expected { Vec::new() } else { vec![service] }
    }

    /// Takes over a delivery; returns whether this controller itself has made the change.
    fn observe(&mut self, service: &Key, slice: &Object, gone: bool) -> bool {
        let Some(slices) = self.written.get_mut(service) else { return false };
        match slices.get(slice.name()) {
            Some(None) if gone => {
                slices.remove(slice.name());
                true
            }
            Some(Some(_)) if gone => {
                slices.remove(slice.name());
                false
            }
            Some(Some(revision)) => slice.revision() <= *revision,
            Some(None) => true,
            None => false,
        }
    }

    /// Whether the cache does not show yet what was written.
    pub fn is_behind(&self, service: &Key, cache: &Cache) -> bool {
        self.written.get(service).into_iter().flatten().any(|(name, written)| {
            let key = Key::new(service.namespace.clone(), name.clone());
            let cached = cache.object(&EndpointSlice::kind(), &key);
            match written {
                Some(revision) => cached.is_none_or(|cached| cached.revision() < *revision),
                None => cached.is_some(),
            }
        })
    }

    /// Writes what is planned for a Service's slices.
    pub fn carry_out(
        &mut self,
        context: &mut Context<'_>,
        service: &Key,
        plan: Plan,
    ) -> Result<(), Error> {
        for slice in plan.create {
            match context.client.create(slice) {
                Ok(slice) => self.expect(service, &Object::new((*slice).clone())),
                Err(error) if is_namespace_terminating(&error) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        for slice in plan.update {
            let slice = context.client.update(slice)?;
            self.expect(service, &Object::new((*slice).clone()));
        }
        for name in plan.delete {
            let options = DeleteOptions::default();
            match context.client.delete::<EndpointSlice>(&service.namespace, &name, options) {
                Err(error) if !error.is_not_found() => return Err(error.into()),
                _ => self.expect_gone(service, &name),
            }
        }
        Ok(())
    }
}
