//! Makes pods that a job needs, and deletes those that it has too many.
//!
//! Upstream: `manageJob` in `pkg/controller/job/job_controller.go`.

use super::backoff::{finished_at, remaining};
use super::indexes::Intervals;
use super::pods::{JobPod, failure_annotations, only_replaces_failed};
use super::sync::{Sync, is_going};
use super::track::remove_finalizer;
use super::{BATCH_PERIOD, FINALIZER, INDEX, JobController};
use crate::pod_control::{
    create_pod, create_pod_with_prefix, delete_pod, is_namespace_terminating, slow_start_batch,
};
use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, ObjectFieldSelector, PodTemplateSpec};
use naru_api::{ApiError, names, pods};
use naru_client::{Context, Error};
use std::collections::BTreeSet;
use std::time::Duration;

/// Pods that are made or deleted at one look. Upstream: `MaxPodCreateDeletePerSync`.
const PODS_MAX: usize = 500;
const INDEX_VARIABLE: &str = "JOB_COMPLETION_INDEX";

impl<'c> Sync<'c> {
    /// Answers how many pods are active then, and what failed.
    pub fn manage(
        &mut self,
        controller: &mut JobController,
        context: &mut Context<'_>,
    ) -> (i32, Option<Error>) {
        let active = self.active.len() as i32;
        if self.is_suspended() {
            let all = self.surplus(self.active.len());
            return self.delete_surplus(controller, context, all);
        }
        let wanted = self.wanted_active();
        let mut surplus = self.surplus(usize::try_from(active - wanted).unwrap_or(0));
        surplus.truncate(PODS_MAX);
        if !surplus.is_empty() {
            return self.delete_surplus(controller, context, surplus);
        }
        let going = if only_replaces_failed(self.spec) { self.terminating } else { 0 };
        match usize::try_from(wanted - going - active) {
            Ok(missing) if missing > 0 => self.create_missing(controller, context, missing),
            _ => (active, None),
        }
    }

    fn wanted_active(&self) -> i32 {
        let parallelism = self.spec.parallelism.unwrap_or(1);
        match self.spec.completions {
            None if self.succeeded > 0 => self.active.len() as i32,
            None => parallelism,
            Some(completions) => (completions - self.succeeded).min(parallelism).max(0),
        }
    }

    /// The pods that go: those of wrong or repeated indexes, and at least `count`.
    fn surplus(&self, count: usize) -> Vec<JobPod<'c>> {
        let mut pods = self.active.clone();
        let mut gone = Vec::new();
        if self.is_indexed() {
            pods.sort_by_key(|pod| (pod.index, std::cmp::Reverse(pod.stage())));
            let mut seen = BTreeSet::new();
            let mut left = Vec::new();
            for pod in pods {
                // Of an index's pods, the one furthest on stays.
                match self.valid_index(&pod).filter(|index| seen.insert(*index)) {
                    Some(_) => left.push(pod),
                    None => gone.push(pod),
                }
            }
            pods = left;
        }
        if let Some(more) = count.checked_sub(gone.len()) {
            pods.sort_by_key(JobPod::stage);
            gone.extend(pods.into_iter().take(more));
        }
        gone
    }

    fn delete_surplus(
        &mut self,
        controller: &mut JobController,
        context: &mut Context<'_>,
        surplus: Vec<JobPod<'c>>,
    ) -> (i32, Option<Error>) {
        let uids = surplus.iter().map(|pod| pod.uid.to_owned()).collect();
        controller.expectations.expect_deletions(self.key, uids, context.now);
        let mut failure = None;
        let mut untracked = Vec::new();
        for pod in surplus {
            match remove_finalizer(context, &pod) {
                Ok(()) => untracked.push(pod),
                Err(error) => {
                    controller.expectations.deleted(self.key, pod.uid);
                    let text = format!("removing completion finalizer: {error}");
                    failure = failure.or(Some(Error::Other(text)));
                }
            }
        }
        let (deleted, error) = self.delete_pods(controller, context, &untracked);
        (self.active.len() as i32 - deleted, failure.or(error))
    }

    /// Deletes pods and counts them as going. Answers how many were deleted, and what failed.
    pub fn delete_pods(
        &mut self,
        controller: &mut JobController,
        context: &mut Context<'_>,
        pods: &[JobPod<'c>],
    ) -> (i32, Option<Error>) {
        let (mut deleted, mut failure) = (0, None);
        for pod in pods {
            let result = delete_pod(context, self.object, pod.pod);
            if result.is_err() {
                controller.expectations.deleted(self.key, pod.uid);
            }
            match result {
                Err(error) if !is_not_found(&error) => failure = failure.or(Some(error)),
                _ => deleted += 1,
            }
            if pods::is_ready(pod.pod) {
                self.ready -= 1;
            }
        }
        self.terminating += deleted;
        (deleted, failure)
    }

    fn create_missing(
        &mut self,
        controller: &mut JobController,
        context: &mut Context<'_>,
        missing: usize,
    ) -> (i32, Option<Error>) {
        if self.spec.backoff_limit_per_index.is_none() {
            let delay = self.backoff.remaining(self.now);
            if !delay.is_zero() {
                self.requeue_after(delay.max(BATCH_PERIOD));
                return (0, None);
            }
        }
        let mut count = missing.min(PODS_MAX);
        let mut indexes = Vec::new();
        if self.is_indexed() {
            indexes = self.pending_indexes(count);
            if self.spec.backoff_limit_per_index.is_some()
                && let Some(delay) = self.keep_due(&mut indexes)
            {
                self.requeue_after(delay.max(BATCH_PERIOD));
                return (0, None);
            }
            count = indexes.len();
        }
        controller.expectations.expect_creations(self.key, count, context.now);
        let template = self.template();
        let mut indexes = indexes.into_iter();
        let mut refused = 0;
        let (created, failure) = slow_start_batch(count, || {
            match self.create(context, &template, indexes.next()) {
                // The pod counts as made: more attempts would fail alike.
                Err(error) if is_namespace_terminating(&error) => {
                    refused += 1;
                    Ok(())
                }
                other => other,
            }
        });
        for _ in created - refused..count {
            controller.expectations.created(self.key);
        }
        (self.active.len() as i32 + created as i32, failure.map(Error::Api))
    }

    /// The first indexes that neither have a pod nor are done with.
    fn pending_indexes(&self, count: usize) -> Vec<i32> {
        let of = |pods: &mut dyn Iterator<Item = &JobPod<'c>>| {
            Intervals::of(pods.filter_map(|pod| pod.index).collect::<BTreeSet<i32>>())
        };
        let mut taken = self.completed.merge(&of(&mut self.active.iter()));
        if only_replaces_failed(self.spec) {
            taken = taken.merge(&of(&mut self.pods.iter().filter(|pod| is_going(pod.pod))));
        }
        if let Some(failed) = &self.failed_indexes {
            taken = taken.merge(failed);
        }
        taken.missing(count, self.spec.completions.unwrap_or(0))
    }

    /// Leaves the indexes that may have a pod now; if there are none, says how long it takes until
    /// there is one.
    fn keep_due(&self, indexes: &mut Vec<i32>) -> Option<Duration> {
        let delay = |index: &i32| match self.replaced.get(index) {
            Some(pod) => {
                let failures = pod.all_index_failures().saturating_add(1);
                remaining(failures, finished_at(pod.pod), self.now)
            }
            None => Duration::ZERO,
        };
        let soonest = indexes.iter().map(delay).min();
        indexes.retain(|index| delay(index).is_zero());
        soonest.filter(|delay| !delay.is_zero())
    }

    fn template(&self) -> PodTemplateSpec {
        let mut template = self.spec.template.clone();
        let finalizers =
            template.metadata.get_or_insert_default().finalizers.get_or_insert_default();
        if !finalizers.iter().any(|name| name == FINALIZER) {
            finalizers.push(FINALIZER.to_owned());
        }
        if self.is_indexed()
            && let Some(spec) = template.spec.as_deref_mut()
        {
            let inits = spec.init_containers.iter_mut().flatten();
            for container in inits.chain(&mut spec.containers) {
                let env = container.env.get_or_insert_default();
                if !env.iter().any(|variable| variable.name == INDEX_VARIABLE) {
                    env.push(index_variable());
                }
            }
        }
        template
    }

    fn create(
        &self,
        context: &mut Context<'_>,
        template: &PodTemplateSpec,
        index: Option<i32>,
    ) -> Result<(), ApiError> {
        let Some(index) = index else { return create_pod(context, self.object, template) };
        let mut template = template.clone();
        let meta = template.metadata.get_or_insert_default();
        let annotations = meta.annotations.get_or_insert_default();
        annotations.insert(INDEX.to_owned(), index.to_string());
        if self.spec.backoff_limit_per_index.is_some() {
            for (key, value) in failure_annotations(self.spec, self.replaced.get(&index)) {
                annotations.insert(key.to_owned(), value);
            }
        }
        meta.labels.get_or_insert_default().insert(INDEX.to_owned(), index.to_string());
        let name = self.object.name();
        if let Some(spec) = &mut template.spec {
            spec.hostname = Some(format!("{name}-{index}"));
        }
        create_pod_with_prefix(context, self.object, &template, name_prefix(name, index))
    }
}

fn is_not_found(error: &Error) -> bool {
    matches!(error, Error::Api(error) if error.is_not_found())
}

/// The name of the job, cut so that the index and the random letters have room.
fn name_prefix(job: &str, index: i32) -> String {
    let suffix = format!("-{index}-");
    let room = names::GENERATED_PREFIX_MAX.saturating_sub(suffix.len());
    let cut = job.get(..room).unwrap_or(job);
    format!("{cut}{suffix}")
}

fn index_variable() -> EnvVar {
    EnvVar {
        name: INDEX_VARIABLE.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                api_version: None,
                field_path: format!("metadata.labels['{INDEX}']"),
            }),
            ..EnvVarSource::default()
        }),
    }
}
