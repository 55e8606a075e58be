//! What is done for a StatefulSet, in which order, and when it must wait.
//!
//! Upstream: `pkg/controller/statefulset/stateful_set_control.go`.

use super::utils;
use crate::history;
use crate::pod_control::slow_start_batch;
use crate::util::{next_availability, nonzero};
use k8s_openapi::api::apps::v1::{
    ControllerRevision, StatefulSet, StatefulSetSpec, StatefulSetStatus,
};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use naru_api::time::from_meta;
use naru_api::{Object, pods};
use naru_client::{Action, Context, Error};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// One reconcile of one StatefulSet.
pub struct Control<'a, 'c> {
    pub context: &'a mut Context<'c>,
    pub object: &'a Object,
    pub spec: StatefulSetSpec,
    set: &'a StatefulSet,
    pods: Vec<&'a Pod>,
}

/// What the pods are made of: before the rollout, and after it.
struct Revisions {
    current: ControllerRevision,
    update: ControllerRevision,
    collisions: i32,
}

/// Whether to go on with the next pod.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Next,
    Wait,
}

impl<'a, 'c> Control<'a, 'c> {
    /// `pods` are those that belong to the set.
    pub fn new(
        context: &'a mut Context<'c>,
        object: &'a Object,
        set: &'a StatefulSet,
        pods: Vec<&'a Pod>,
    ) -> Self {
        let spec = set.spec.clone().unwrap_or_default();
        Control { context, object, spec, set, pods }
    }

    /// Brings pods, history and status into order. `revisions` are those that belong to the set.
    pub fn update(mut self, mut revisions: Vec<&ControllerRevision>) -> Result<Action, Error> {
        revisions.sort_by_cached_key(|revision| {
            let meta = &revision.metadata;
            let created = meta.creation_timestamp.as_ref().map(from_meta);
            (revision.revision, created, meta.name.clone())
        });
        let known = self.find_revisions(&revisions)?;
        let (status, done) = self.update_pods(&known)?;
        let written = self.write_status(status);
        let truncated = self.truncate_history(&revisions, &known);
        done.and(written).and(truncated)?;
        let min_ready = self.spec.min_ready_seconds.unwrap_or(0);
        Ok(next_availability(&self.pods, min_ready, self.context.now))
    }

    /// The revision of the present template, which is made or becomes the newest again, and the
    /// one that the pods had before.
    fn find_revisions(&mut self, revisions: &[&ControllerRevision]) -> Result<Revisions, Error> {
        let status = self.set.status.as_ref();
        let mut collisions = status.and_then(|status| status.collision_count).unwrap_or(0);
        let data = history::data_of(&self.spec.template)?;
        let next = revisions.last().map_or(1, |last| last.revision + 1);
        let equal = revisions.iter().rposition(|revision| history::keeps(revision, &data));
        let update = match equal.and_then(|index| revisions.get(index)) {
            Some(equal) if equal.revision + 1 == next => (*equal).clone(),
            Some(equal) => history::renumber(self.context, equal, next)?,
            None => {
                let template = &self.spec.template;
                let revision = history::new_revision(self.object, template, data, next);
                history::create(self.context, self.object, revision, &mut collisions)?
            }
        };
        let current = status.and_then(|status| status.current_revision.as_deref());
        let current = revisions.iter().find(|known| Some(history::name(known)) == current);
        let current = current.map_or_else(|| update.clone(), |current| (*current).clone());
        Ok(Revisions { current, update, collisions })
    }

    /// Deletes revisions of no pod beyond the history limit, the oldest first.
    fn truncate_history(
        &mut self,
        revisions: &[&ControllerRevision],
        known: &Revisions,
    ) -> Result<(), Error> {
        let limit = self.spec.revision_history_limit.unwrap_or(10);
        let Ok(limit) = usize::try_from(limit) else { return Ok(()) };
        let mut live: BTreeSet<&str> =
            self.pods.iter().map(|pod| utils::revision_of(pod)).collect();
        live.extend([history::name(&known.current), history::name(&known.update)]);
        let gone: Vec<&&ControllerRevision> =
            revisions.iter().filter(|revision| !live.contains(history::name(revision))).collect();
        let surplus = gone.len().saturating_sub(limit);
        for revision in gone.into_iter().take(surplus) {
            history::delete(self.context, revision)?;
        }
        Ok(())
    }

    /// Does the next thing for the pods. Returns the status that follows, and whether it worked.
    fn update_pods(
        &mut self,
        known: &Revisions,
    ) -> Result<(StatefulSetStatus, Result<(), Error>), Error> {
        let (replicas, condemned) = self.partition_pods(known)?;
        if self.set.metadata.deletion_timestamp.is_some() {
            return Ok((self.calculate_status(known, self.pods.iter().copied()), Ok(())));
        }
        let stepped = self.scale(&replicas, &condemned);
        let all = replicas.iter().map(Cow::as_ref).chain(condemned.iter().copied());
        let mut status = self.calculate_status(known, all);
        let done = match stepped {
            Ok(Step::Next) => self.roll_out(known, &replicas, &mut status),
            other => other.map(drop),
        };
        Ok((status, done))
    }

    /// The pods that are wanted, in order, those that are missing as they will be made; and the
    /// pods that must go, the last one first.
    fn partition_pods(
        &self,
        known: &Revisions,
    ) -> Result<(Vec<Cow<'a, Pod>>, Vec<&'a Pod>), Error> {
        let (spec, range) = (&self.spec, utils::ordinals(&self.spec));
        let mut there: Vec<Option<&Pod>> = vec![None; range.len()];
        let mut condemned = Vec::new();
        for pod in &self.pods {
            let Some(ordinal) = utils::ordinal(pod) else { continue };
            let index = usize::try_from(ordinal.saturating_sub(range.start)).ok();
            match index.and_then(|index| there.get_mut(index)) {
                Some(slot) if range.contains(&ordinal) => *slot = Some(pod),
                _ => condemned.push(*pod),
            }
        }
        condemned.sort_by_key(|pod| Reverse(utils::ordinal(pod)));
        let mut old_template: Option<PodTemplateSpec> = None;
        let mut replicas = Vec::with_capacity(there.len());
        for (ordinal, pod) in range.zip(there) {
            if let Some(pod) = pod {
                replicas.push(Cow::Borrowed(pod));
                continue;
            }
            let old = utils::keeps_old_revision(self.set, spec, ordinal);
            let revision = if old { &known.current } else { &known.update };
            let name = history::name(revision);
            let template = match (&old_template, name == history::name(&known.update)) {
                (_, true) => &spec.template,
                (Some(template), false) => template,
                (None, false) => old_template.insert(history::template_of(revision)?),
            };
            let pod = utils::new_pod(self.object, spec, template, name, ordinal);
            replicas.push(Cow::Owned(pod));
        }
        Ok((replicas, condemned))
    }

    /// Makes what is missing and takes away what is too much.
    fn scale(&mut self, replicas: &[Cow<'a, Pod>], condemned: &[&'a Pod]) -> Result<Step, Error> {
        let first_unhealthy = replicas
            .iter()
            .map(Cow::as_ref)
            .chain(condemned.iter().rev().copied())
            .find(|pod| !utils::is_healthy(pod))
            .and_then(|pod| pod.metadata.name.clone());
        let replicas: Vec<&Pod> = replicas.iter().map(Cow::as_ref).collect();
        if self.run_for_all(&replicas, Self::process_replica)? == Step::Wait {
            return Ok(Step::Wait);
        }
        let fix_claims = |control: &mut Self, pod: &Pod| {
            if !control.claim_owners_match(pod) {
                control.update_claim_owners(pod)?;
            }
            Ok(Step::Next)
        };
        if self.run_for_all(condemned, fix_claims)? == Step::Wait {
            return Ok(Step::Wait);
        }
        self.run_for_all(condemned, |control, pod| {
            control.process_condemned(pod, first_unhealthy.as_deref())
        })
    }

    /// One pod after the other until one must be waited for, or, where pods may come and go all
    /// at once, all of them.
    fn run_for_all(
        &mut self,
        pods: &[&Pod],
        mut step: impl FnMut(&mut Self, &Pod) -> Result<Step, Error>,
    ) -> Result<Step, Error> {
        if utils::allows_burst(&self.spec) {
            let mut left = pods.iter();
            let (_, failure) = slow_start_batch(pods.len(), || match left.next() {
                Some(pod) => step(self, pod).map(drop),
                None => Ok(()),
            });
            return failure.map_or(Ok(Step::Next), Err);
        }
        for pod in pods {
            if step(self, pod)? == Step::Wait {
                return Ok(Step::Wait);
            }
        }
        Ok(Step::Next)
    }

    fn process_replica(&mut self, pod: &Pod) -> Result<Step, Error> {
        let monotonic = !utils::allows_burst(&self.spec);
        if pods::is_terminal(pod) {
            if !pods::is_terminating(pod) {
                self.delete_pod(pod)?;
            }
            // A new one is made when this one is gone.
            return Ok(Step::Wait);
        }
        if !utils::is_created(pod) {
            if self.has_stale_claim(pod) {
                return Ok(Step::Wait);
            }
            self.create_pod(pod)?;
            if monotonic {
                return Ok(Step::Wait);
            }
        }
        if pods::phase(pod) == "Pending" {
            self.create_missing_claims(pod)?;
        }
        let up = utils::is_healthy(pod)
            && utils::is_running_and_available(&self.spec, pod, self.context.now);
        if monotonic && !up {
            return Ok(Step::Wait);
        }
        let in_order = utils::identity_matches(self.object, pod)
            && utils::storage_matches(self.object, &self.spec, pod)
            && self.claim_owners_match(pod);
        if !in_order {
            self.update_pod(pod)?;
        }
        Ok(Step::Next)
    }

    fn process_condemned(
        &mut self,
        pod: &Pod,
        first_unhealthy: Option<&str>,
    ) -> Result<Step, Error> {
        let monotonic = !utils::allows_burst(&self.spec);
        if pods::is_terminating(pod) {
            return Ok(if monotonic { Step::Wait } else { Step::Next });
        }
        let up = utils::is_running_and_ready(pod)
            && utils::is_running_and_available(&self.spec, pod, self.context.now);
        // The first that does not work may go; another one waits until it works.
        if monotonic && !up && pod.metadata.name.as_deref() != first_unhealthy {
            return Ok(Step::Wait);
        }
        self.delete_pod(pod)?;
        Ok(Step::Wait)
    }

    /// Deletes the last pod that is of another revision, once all behind it work.
    fn roll_out(
        &mut self,
        known: &Revisions,
        replicas: &[Cow<'a, Pod>],
        status: &mut StatefulSetStatus,
    ) -> Result<(), Error> {
        if utils::strategy_is(&self.spec, "OnDelete") {
            return Ok(());
        }
        let least = usize::try_from(utils::partition(&self.spec).unwrap_or(0)).unwrap_or(0);
        for pod in replicas.iter().skip(least).rev() {
            let outdated = utils::revision_of(pod) != history::name(&known.update);
            if outdated && !pods::is_terminating(pod) {
                self.delete_pod(pod)?;
                status.current_replicas =
                    nonzero(status.current_replicas.unwrap_or(0).saturating_sub(1));
                return Ok(());
            }
            if !utils::is_healthy(pod) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn calculate_status<'p>(
        &self,
        known: &Revisions,
        pods: impl Iterator<Item = &'p Pod>,
    ) -> StatefulSetStatus {
        let (current, update) = (history::name(&known.current), history::name(&known.update));
        let (mut replicas, mut ready, mut available) = (0, 0, 0);
        let (mut of_current, mut of_update) = (0, 0);
        for pod in pods.filter(|pod| utils::is_created(pod)) {
            replicas += 1;
            if utils::is_running_and_ready(pod) {
                ready += 1;
                let now = self.context.now;
                let is_available = utils::is_running_and_available(&self.spec, pod, now);
                available += i32::from(is_available);
            }
            if !pods::is_terminating(pod) {
                of_current += i32::from(utils::revision_of(pod) == current);
                of_update += i32::from(utils::revision_of(pod) == update);
            }
        }
        StatefulSetStatus {
            observed_generation: self.set.metadata.generation,
            replicas,
            ready_replicas: nonzero(ready),
            available_replicas: Some(available),
            current_replicas: nonzero(of_current),
            updated_replicas: nonzero(of_update),
            current_revision: Some(current.to_owned()),
            update_revision: Some(update.to_owned()),
            collision_count: Some(known.collisions),
            conditions: None,
        }
    }

    /// Writes the status, unless it is as it was. When all pods are new, the rollout is over.
    fn write_status(&mut self, mut status: StatefulSetStatus) -> Result<(), Error> {
        let wanted = utils::replicas(&self.spec);
        if utils::strategy_is(&self.spec, "RollingUpdate")
            && status.updated_replicas.unwrap_or(0) == wanted
            && status.ready_replicas.unwrap_or(0) == wanted
            && status.replicas == wanted
        {
            status.current_replicas = status.updated_replicas;
            status.current_revision.clone_from(&status.update_revision);
        }
        let before = self.set.status.clone().unwrap_or_default();
        let same = StatefulSetStatus {
            collision_count: before.collision_count,
            conditions: before.conditions.clone(),
            ..status.clone()
        } == before;
        if same {
            return Ok(());
        }
        let changed = StatefulSet { status: Some(status), ..self.set.clone() };
        self.context.client.update_status(changed)?;
        Ok(())
    }
}
