//! A definition goes after its objects.
//!
//! Upstream: `apiextensions-apiserver/pkg/controller/finalizer/crd_finalizer.go`, and `Delete` in
//! `pkg/registry/customresourcedefinition/etcd.go`.

use super::{Step, condition};
use crate::server::loopback;
use crate::{ApiServer, keys, versions};
use naru_api::k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use naru_api::kinds::customresourcedefinition::{self, CLEANUP_FINALIZER, is_true, set_condition};
use naru_api::request::DeleteOptions;
use naru_api::{Object, Op, Request, status::ApiResult, time};
use naru_sim::Time;

/// Marks a definition as deleted for the first time; `false` when it was marked before.
pub(crate) fn mark(object: &mut Object, now: Time) -> bool {
    let Some(definition) = object.edit::<CustomResourceDefinition>() else { return false };
    if definition.metadata.deletion_timestamp.is_some() {
        return false;
    }
    definition.metadata.deletion_timestamp = Some(time::meta_time(now));
    let finalizers = definition.metadata.finalizers.get_or_insert_default();
    if !finalizers.iter().any(|name| name == CLEANUP_FINALIZER) {
        finalizers.push(CLEANUP_FINALIZER.to_owned());
    }
    let message = "CustomResourceDefinition marked for deletion; CustomResource deletion will \
                   begin soon";
    let pending = condition("Terminating", "True", "InstanceDeletionPending", message);
    set_condition(definition, pending, now);
    true
}

impl ApiServer {
    /// Takes a definition that is being deleted one step further: its objects are asked to go, and
    /// when they are gone, it is let go itself.
    pub(super) fn finalize_definition(&mut self, step: &Step<'_>) -> ApiResult<()> {
        let definition = step.definition;
        let meta = &definition.metadata;
        let held = meta.finalizers.iter().flatten().any(|name| name == CLEANUP_FINALIZER);
        if meta.deletion_timestamp.is_none() || !held {
            return Ok(());
        }
        const IN_PROGRESS: &str = "InstanceDeletionInProgress";
        let terminating = customresourcedefinition::condition(definition, "Terminating");
        if terminating.and_then(|one| one.reason.as_deref()) != Some(IN_PROGRESS) {
            let message = "CustomResource deletion is in progress";
            let progress = condition("Terminating", "True", IN_PROGRESS, message);
            let new = self.with_condition(definition, progress);
            return self.write_definition(new, step.cause).map(drop);
        }
        let done = if is_true(definition, "Established") {
            if self.delete_instances(step)? > 0 {
                // Whoever holds them lets them go; each deletion is looked at.
                return Ok(());
            }
            let message = "removed all instances";
            condition("Terminating", "False", "InstanceDeletionCompleted", message)
        } else {
            let message = "resource was never established";
            condition("Terminating", "False", "NeverEstablished", message)
        };
        let mut new = self.with_condition(definition, done);
        if let Some(finalizers) = &mut new.metadata.finalizers {
            finalizers.retain(|name| name != CLEANUP_FINALIZER);
        }
        self.write_definition(new, step.cause).map(drop)
    }

    /// Deletes the objects of a definition; how many there still are.
    fn delete_instances(&mut self, step: &Step<'_>) -> ApiResult<usize> {
        let name = step.definition.metadata.name.as_deref().unwrap_or_default();
        let kind = self.definitions.served.get(name).and_then(|served| served.kinds.first());
        let Some(kind) = kind.cloned() else { return Ok(0) };
        let prefix = keys::of_kind(&kind);
        let all: Vec<Object> = self
            .store
            .range(&prefix)
            .filter(|object| object.meta().deletion_timestamp.is_none())
            .map(|object| versions::view(&kind, object).into_owned())
            .collect();
        for object in all {
            let request = Request {
                namespace: object.namespace().to_owned(),
                name: object.name().to_owned(),
                cause: step.cause,
                ..Request::new(loopback(), "kube-apiserver".into(), kind.clone(), Op::Get)
            };
            self.delete_object(&request, &object, &DeleteOptions::default(), step.cause)?;
        }
        Ok(self.store.range(&prefix).count())
    }
}
