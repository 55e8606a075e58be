//! Who comes to own which fields by a write.
//!
//! Upstream: `apimachinery/pkg/util/managedfields/internal/fieldmanager.go`, and its calls in
//! `apiserver/pkg/endpoints/handlers/{create,update,patch}.go`: before admission.

use crate::ApiServer;
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use naru_api::k8s_openapi::jiff::Timestamp;
use naru_api::managed::{self, FieldSet, Manager, Managers, Scope, Writer};
use naru_api::wanted::Wanted;
use naru_api::{ApiError, Object, Request, status::ApiResult, time};
use std::collections::VecDeque;
use std::sync::Arc;

impl ApiServer {
    /// The moment that managed fields tell.
    pub(crate) fn timestamp(&self) -> Timestamp {
        time::meta_time(self.now).0
    }

    /// Says who made a new object. To be called before admission.
    pub(crate) fn own_new(&mut self, request: &Request, object: &mut Object) -> ApiResult<()> {
        let given = take_given(object);
        let scope = managed::scope(&request.kind, "");
        let (manager, now) = (writer(request).updater(), self.timestamp());
        let managers = match given {
            Some(mut managers) if !managers.is_empty() => {
                let after = object.content_json().map_err(ApiError::internal)?;
                managers.update(&scope, manager, &managed::empty(&scope), &after, now);
                Arc::new(managers)
            }
            _ => {
                let fields = self.shapes.fields_of_new(&request.kind, &scope, object);
                let fields = fields.map_err(ApiError::internal)?;
                self.makers.of(&scope, manager, fields, now)
            }
        };
        object.set_managers(managers);
        Ok(())
    }

    /// Says who made `new` of `old`, exactly and at once. They differ in no more than `changed`. To be
    /// called before admission.
    pub(crate) fn own_update(
        &mut self,
        request: &Request,
        old: &Object,
        new: &mut Object,
        changed: &Wanted,
    ) -> ApiResult<()> {
        let given = take_given(new).filter(|_| request.subresource.is_empty());
        let mut managers = given.unwrap_or_else(|| Managers::clone(&old.managers()));
        // What is not tracked from its making is not tracked before it is applied to.
        if !managers.is_empty() {
            let scope = managed::scope(&request.kind, request.subresource);
            let before = old.content_part(changed).map_err(ApiError::internal)?;
            let after = new.content_part(changed).map_err(ApiError::internal)?;
            let manager = writer(request).updater();
            managers.update(&scope, manager, &before, &after, self.timestamp());
        }
        new.set_managers(Arc::new(managers));
        Ok(())
    }
}

/// The makers of the latest objects. Those that one client makes alike within a second share theirs,
/// which else would take more room than the object's own metadata.
#[derive(Clone, Debug, Default)]
pub(crate) struct Makers(VecDeque<Made>);

#[derive(Clone, Debug)]
struct Made {
    manager: Manager,
    fields: Arc<FieldSet>,
    at: Timestamp,
    managers: Arc<Managers>,
}

impl Makers {
    /// How many are remembered.
    const MAX: usize = 16;

    /// That `manager` made an object with these fields.
    fn of(
        &mut self,
        scope: &Scope<'_>,
        manager: Manager,
        fields: Arc<FieldSet>,
        at: Timestamp,
    ) -> Arc<Managers> {
        let alike = |made: &&Made| {
            // Fields are of one kind and version: see `Shapes`.
            Arc::ptr_eq(&made.fields, &fields) && made.at == at && made.manager == manager
        };
        if let Some(made) = self.0.iter().find(alike) {
            return Arc::clone(&made.managers);
        }
        let managers = Managers::create(scope, manager.clone(), Arc::clone(&fields), at);
        let managers = Arc::new(managers);
        if self.0.len() == Self::MAX {
            self.0.pop_front();
        }
        self.0.push_back(Made { manager, fields, at, managers: Arc::clone(&managers) });
        managers
    }
}

/// Who writes by a request.
pub(crate) fn writer(request: &Request) -> Writer {
    Writer {
        manager: Arc::clone(&request.field_manager),
        agent: Arc::clone(&request.agent),
        subresource: request.subresource,
    }
}

/// Takes the managed fields out that a client has written into an object: `None` if it has left
/// them to the server, an empty set if it wants them forgotten.
///
/// Upstream: `decodeLiveOrNew`.
fn take_given(object: &mut Object) -> Option<Managers> {
    object.meta().managed_fields.as_ref()?;
    let entries = object.meta_mut().managed_fields.take()?;
    match entries.as_slice() {
        [] => Some(Managers::default()),
        [one] if *one == ManagedFieldsEntry::default() => Some(Managers::default()),
        entries => Managers::decode(entries).ok().filter(|managers| !managers.is_empty()),
    }
}
