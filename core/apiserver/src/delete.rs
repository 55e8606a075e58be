//! Delete: gracefully, after finalizers, or at once.
//!
//! Upstream: `apiserver/pkg/registry/rest/delete.go`,
//! `apiserver/pkg/registry/generic/registry/store.go` (`Delete`), and for namespaces
//! `pkg/registry/core/namespace/storage/storage.go`.

use crate::admit::{self, Admission, Operation};
use crate::{ApiServer, crd, keys, subresource};
use naru_api::k8s_openapi::api::core::v1::Namespace;
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Status, StatusDetails};
use naru_api::request::{DeleteOptions, ListOptions, ObjectList, Propagation};
use naru_api::{ApiError, Kind, Object, Request, Response, status::ApiResult, time};
use naru_sim::{CauseId, Time};
use std::time::Duration;

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// What a deletion comes to.
enum Outcome {
    /// It is on its way already; nothing changes.
    Pending,
    /// It goes later: somebody has to finish it.
    Later,
    /// It goes now.
    Now,
}

impl ApiServer {
    /// Deletes one object; answers with what is there after it.
    ///
    /// Upstream: `finalizeDelete` in `store.go`.
    pub(crate) fn delete(
        &mut self,
        request: &Request,
        options: &DeleteOptions,
    ) -> ApiResult<Response> {
        let cause = self.record(request, "delete", &request.name);
        self.warn_of_deletion(request, options);
        let object = self.find(&request.kind, &request.namespace, &request.name)?;
        let (last, gone) = self.delete_object(request, &object, options, cause)?;
        Ok(match gone && !request.kind.strategy.returns_deleted() {
            true => Response::Status(deleted(request, &last)),
            false => Response::Object(last),
        })
    }

    /// Deletes many.
    pub(crate) fn delete_collection(
        &mut self,
        request: &Request,
        options: &DeleteOptions,
        list: &ListOptions,
    ) -> ApiResult<ObjectList> {
        let cause = self.record(request, "deletecollection", "");
        self.warn_of_deletion(request, options);
        let mut found = self.list(&request.kind, &request.namespace, list)?;
        for object in &mut found.items {
            (*object, _) = self.delete_object(request, object, options, cause)?;
        }
        Ok(found)
    }

    /// A kind may warn of its default for dependents.
    fn warn_of_deletion(&mut self, request: &Request, options: &DeleteOptions) {
        let warning = request.kind.strategy.deletion_warning();
        self.warnings.extend(warning.filter(|_| options.propagation.is_none()).map(str::to_owned));
    }

    /// The object's last state, and whether it is gone.
    pub(crate) fn delete_object(
        &mut self,
        request: &Request,
        object: &Object,
        options: &DeleteOptions,
        cause: CauseId,
    ) -> ApiResult<(Object, bool)> {
        let admission = Admission::new(&*self.store, &self.authorizer, request, Operation::Delete);
        let (namespace, name) = (object.namespace(), object.name());
        admit::admit_deletion(&Admission { namespace, name, ..admission })?;
        check_preconditions(&request.kind, object, options)?;
        let mut next = object.clone();
        let outcome = if object.get::<Namespace>().is_some() {
            mark_namespace(&mut next, options, self.now)
        } else if crd::mark(&mut next, self.now) {
            Outcome::Later
        } else {
            mark(&mut next, options, self.now)
        };
        let key = keys::of_object(&request.kind, object.namespace(), object.name());
        match outcome {
            Outcome::Pending => Ok((object.clone(), false)),
            Outcome::Later if request.dry_run => Ok((next, false)),
            Outcome::Later => Ok((self.put(key, object.revision(), next, cause)?, false)),
            Outcome::Now if request.dry_run => Ok((next, true)),
            Outcome::Now => {
                self.remove(key, object.revision(), cause)?;
                Ok((next, true))
            }
        }
    }
}

/// The object must still be the one that the client means.
///
/// Upstream: `BeforeDelete`.
pub(crate) fn check_preconditions(
    kind: &Kind,
    object: &Object,
    options: &DeleteOptions,
) -> ApiResult<()> {
    let conflict = |why: String| Err(ApiError::conflict(kind, object.name(), &why));
    match options.uid.as_deref() {
        Some(uid) if uid != object.uid() => {
            return conflict(format!(
                "the UID in the precondition ({uid}) does not match the UID in record ({}). The \
                 object might have been deleted and then recreated",
                object.uid()
            ));
        }
        _ => {}
    }
    let version = object.meta().resource_version.as_deref().unwrap_or_default();
    match options.resource_version.as_deref() {
        Some(wanted) if wanted != version => conflict(format!(
            "the ResourceVersion in the precondition ({wanted}) does not match the \
             ResourceVersion in record ({version}). The object might have been modified"
        )),
        _ => Ok(()),
    }
}

/// The answer to a deletion after which nothing is there.
fn deleted(request: &Request, object: &Object) -> Box<Status> {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let mut status = subresource::success();
    status.details = Some(StatusDetails {
        name: some(object.name()),
        group: some(&request.kind.group),
        kind: some(&request.kind.plural),
        uid: some(object.uid()),
        ..StatusDetails::default()
    });
    status
}

/// Marks an object as deleted, as far as it may not go at once.
fn mark(object: &mut Object, options: &DeleteOptions, now: Time) -> Outcome {
    let default = object.strategy().default_grace_period_seconds(object);
    let orphans = object.strategy().orphans_dependents();
    let meta = object.meta_mut();
    let graceful = match (&meta.deletion_timestamp, meta.deletion_grace_period_seconds) {
        (Some(_), None | Some(0)) => None,
        (Some(_), Some(current)) => match options.grace_period_seconds {
            Some(period) if period.max(0) < current => Some(shorten(meta, period, current, now)),
            _ => return Outcome::Pending,
        },
        (None, _) => start(meta, options.grace_period_seconds, default, now),
    };
    set_finalizers(meta, options.propagation, orphans);
    let finalizers = meta.finalizers.as_ref().is_some_and(|finalizers| !finalizers.is_empty());
    match graceful {
        Some(period) if period > 0 => Outcome::Later,
        _ if !finalizers => Outcome::Now,
        Some(_) => Outcome::Later,
        None => {
            if meta.deletion_timestamp.is_none() {
                bump_generation(meta);
                meta.deletion_timestamp = Some(time::meta_time(now));
            }
            meta.deletion_grace_period_seconds = Some(0);
            Outcome::Later
        }
    }
}

/// Starts a graceful deletion; `None` when the kind knows none.
fn start(meta: &mut ObjectMeta, asked: Option<i64>, default: i64, now: Time) -> Option<i64> {
    if default == 0 {
        return None;
    }
    let period = seconds(asked.unwrap_or(default));
    meta.deletion_timestamp =
        Some(time::meta_time(now + Duration::from_secs(period.unsigned_abs())));
    meta.deletion_grace_period_seconds = Some(period);
    bump_generation(meta);
    Some(period)
}

/// Shortens a graceful deletion that has begun; not into the past.
fn shorten(meta: &mut ObjectMeta, period: i64, current: i64, now: Time) -> i64 {
    let mut period = seconds(period);
    let ends = meta.deletion_timestamp.as_ref().map_or(now, time::from_meta);
    let begun = ends - Duration::from_secs(current.unsigned_abs());
    let mut ends = begun + Duration::from_secs(period.unsigned_abs());
    if ends < now {
        ends = now;
        period = period.min(1);
    }
    meta.deletion_timestamp = Some(time::meta_time(ends));
    meta.deletion_grace_period_seconds = Some(period);
    period
}

/// Negative periods mean one second.
fn seconds(period: i64) -> i64 {
    if period < 0 { 1 } else { period }
}

fn bump_generation(meta: &mut ObjectMeta) {
    meta.generation = meta.generation.map(|generation| generation + 1);
}

/// Sets or clears the garbage collector's finalizers. Where nobody says what shall happen to dependents,
/// those that are there hold, and then what the kind has for a default.
///
/// Upstream: `shouldOrphanDependents` and `shouldDeleteDependents` in `store.go`.
fn set_finalizers(meta: &mut ObjectMeta, propagation: Option<Propagation>, orphans: bool) {
    let finalizers = meta.finalizers.get_or_insert_default();
    let is_there = |wanted: &str| finalizers.iter().any(|name| name == wanted);
    let wanted = match propagation {
        Some(Propagation::Background) => None,
        Some(Propagation::Foreground) => Some(FOREGROUND),
        Some(Propagation::Orphan) => Some(ORPHAN),
        None if is_there(ORPHAN) => Some(ORPHAN),
        None if is_there(FOREGROUND) => Some(FOREGROUND),
        None => orphans.then_some(ORPHAN),
    };
    finalizers
        .retain(|name| Some(name.as_str()) == wanted || (name != FOREGROUND && name != ORPHAN));
    if let Some(wanted) = wanted
        && !finalizers.iter().any(|name| name == wanted)
    {
        finalizers.push(wanted.to_owned());
    }
    if finalizers.is_empty() {
        meta.finalizers = None;
    }
}

/// A namespace first turns `Terminating`; it goes when its finalizers are done.
fn mark_namespace(object: &mut Object, options: &DeleteOptions, now: Time) -> Outcome {
    let Some(namespace) = object.edit::<Namespace>() else { return Outcome::Now };
    if namespace.metadata.deletion_timestamp.is_none() {
        namespace.metadata.deletion_timestamp = Some(time::meta_time(now));
        namespace.status.get_or_insert_default().phase = Some("Terminating".to_owned());
        set_finalizers(&mut namespace.metadata, options.propagation, false);
        return Outcome::Later;
    }
    let spec = namespace.spec.as_ref();
    let held = spec.and_then(|spec| spec.finalizers.as_ref()).is_some_and(|f| !f.is_empty());
    if held { Outcome::Pending } else { mark(object, options, now) }
}

/// Deletions nobody asked for: of keys whose time is over.
impl ApiServer {
    /// Deletes what has outlived its time: events, after an hour.
    pub(crate) fn expire(&mut self) {
        for key in self.store.expired(self.now) {
            let Some(object) = self.store.get(&key) else { continue };
            let removed: Result<(), ApiError> =
                self.remove(key.to_string(), object.revision(), CauseId::ROOT);
            // Nothing else writes between the look and the deletion.
            debug_assert!(removed.is_ok());
        }
    }
}
