//! What all strategies share: finding and making ReplicaSets, scaling, status, clean-up.
//!
//! Upstream: `pkg/controller/deployment/sync.go`.

use super::util::{self, PAUSED, PROGRESSING, REVISION, TEMPLATE_HASH, TIMED_OUT};
use crate::controller_ref::{controller_of, new_controller_ref};
use crate::pod_control::is_namespace_terminating;
use crate::util::nonzero;
use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentCondition, DeploymentSpec, DeploymentStatus, ReplicaSet, ReplicaSetSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::request::DeleteOptions;
use naru_api::{ApiError, Object, names};
use naru_client::{Action, Context, Error, EventType};
use std::cmp::Reverse;

/// One reconcile of one Deployment.
pub struct Rollout<'a, 'c> {
    pub context: &'a mut Context<'c>,
    object: &'a Object,
    /// As it is now: changed along with what is written.
    pub deployment: Deployment,
    sets: Vec<ReplicaSet>,
}

/// The ReplicaSet of the present template, if there is one, and all others.
pub struct Sets {
    pub new: Option<ReplicaSet>,
    pub old: Vec<ReplicaSet>,
}

impl Sets {
    pub fn all(&self) -> impl Iterator<Item = &ReplicaSet> {
        self.old.iter().chain(&self.new)
    }

    /// Those that ask for pods.
    fn active(&self) -> impl Iterator<Item = &ReplicaSet> {
        self.all().filter(|rs| util::rs_replicas(rs) > 0)
    }
}

impl<'a, 'c> Rollout<'a, 'c> {
    pub fn new(
        context: &'a mut Context<'c>,
        object: &'a Object,
        deployment: Deployment,
        sets: Vec<ReplicaSet>,
    ) -> Self {
        Rollout { context, object, deployment, sets }
    }

    /// Does what the Deployment's state asks for.
    pub fn sync(mut self) -> Result<Action, Error> {
        if self.deployment.metadata.deletion_timestamp.is_some() {
            let sets = self.find_sets(false)?;
            return self.sync_status_only(&sets);
        }
        self.check_paused_conditions()?;
        if self.is_paused() {
            return self.sync_scale();
        }
        if self.is_scaling_event()? {
            return self.sync_scale();
        }
        if util::is_rolling_update(&self.deployment) {
            self.rollout_rolling()
        } else {
            self.rollout_recreate()
        }
    }

    pub fn spec(&self) -> DeploymentSpec {
        self.deployment.spec.clone().unwrap_or_default()
    }

    fn name(&self) -> String {
        self.deployment.metadata.name.clone().unwrap_or_default()
    }

    fn is_paused(&self) -> bool {
        self.deployment.spec.as_ref().and_then(|spec| spec.paused).unwrap_or(false)
    }

    pub fn event(&mut self, kind: EventType, reason: &str, text: &str) {
        self.context.event(self.object, kind, reason, text);
    }

    /// A pause must not count as a lack of progress.
    fn check_paused_conditions(&mut self) -> Result<(), Error> {
        if util::progress_deadline(&self.deployment).is_none() {
            return Ok(());
        }
        let status = self.deployment.status.clone().unwrap_or_default();
        let reason = util::condition(&status, PROGRESSING).and_then(|c| c.reason.as_deref());
        if reason == Some(TIMED_OUT) {
            return Ok(());
        }
        let (told, paused) = (reason == Some(PAUSED), self.is_paused());
        let (reason, text) = match (paused, told) {
            (true, false) => (PAUSED, "Deployment is paused"),
            (false, true) => ("DeploymentResumed", "Deployment is resumed"),
            _ => return Ok(()),
        };
        let now = self.context.now;
        self.set_condition(util::new_condition(PROGRESSING, "Unknown", reason, text, now));
        self.write_status()
    }

    /// Whether the number of replicas was changed, and nothing is to be rolled out for that.
    fn is_scaling_event(&mut self) -> Result<bool, Error> {
        let sets = self.find_sets(false)?;
        let wanted = util::replicas(&self.deployment);
        Ok(sets.active().filter_map(util::desired_replicas).any(|desired| desired != wanted))
    }

    fn sync_scale(&mut self) -> Result<Action, Error> {
        let mut sets = self.find_sets(false)?;
        self.scale_proportionally(&mut sets)?;
        if self.is_paused() {
            self.clean_up(&sets.old)?;
        }
        self.sync_status_only(&sets)
    }

    fn sync_status_only(&mut self, sets: &Sets) -> Result<Action, Error> {
        let status = self.calculate_status(sets);
        if self.deployment.status.as_ref() != Some(&status) {
            self.deployment.status = Some(status);
            self.write_status()?;
        }
        Ok(Action::await_change())
    }

    /// The ReplicaSets, the newest one's revision brought up to date; made if `create`.
    pub fn find_sets(&mut self, create: bool) -> Result<Sets, Error> {
        let mut sets = self.sets.clone();
        sets.sort_by(util::by_creation);
        let template = &self.spec().template;
        let same = |rs: &ReplicaSet| {
            let of = rs.spec.as_ref().and_then(|spec| spec.template.as_ref());
            util::same_template(of, Some(template))
        };
        let new = sets.iter().position(same).map(|index| sets.remove(index));
        let revision = sets.iter().map(util::revision).max().unwrap_or(0) + 1;
        let new = match new {
            Some(new) => Some(self.update_new(new, revision)?),
            None if create => Some(self.create_new(&sets, revision)?),
            None => None,
        };
        Ok(Sets { new, old: sets })
    }

    fn update_new(&mut self, mut rs: ReplicaSet, revision: i64) -> Result<ReplicaSet, Error> {
        let min_ready = self.spec().min_ready_seconds;
        let news = util::set_new_rs_annotations(&self.deployment, &mut rs, revision);
        let spec = rs.spec.get_or_insert_default();
        if news || spec.min_ready_seconds.unwrap_or(0) != min_ready.unwrap_or(0) {
            spec.min_ready_seconds = min_ready;
            return self.update_set(rs);
        }
        let mut write = self.set_revision(util::annotation(&rs, REVISION).unwrap_or_default());
        let status = self.deployment.status.clone().unwrap_or_default();
        let has_deadline = util::progress_deadline(&self.deployment).is_some();
        if has_deadline && util::condition(&status, PROGRESSING).is_none() {
            let name = rs.metadata.name.as_deref().unwrap_or_default();
            let text = format!("Found new replica set {name:?}");
            let now = self.context.now;
            let reason = "FoundNewReplicaSet";
            self.set_condition(util::new_condition(PROGRESSING, "True", reason, text, now));
            write = true;
        }
        if write {
            self.write_status()?;
        }
        Ok(rs)
    }

    fn create_new(&mut self, old: &[ReplicaSet], revision: i64) -> Result<ReplicaSet, Error> {
        let total = util::sum(old.iter(), util::rs_replicas);
        let wanted = util::new_rs_new_replicas(&self.deployment, total, 0);
        let rs = self.new_set(wanted, revision)?;
        let name = rs.metadata.name.clone().unwrap_or_default();
        let (rs, existed) = match self.context.client.create(rs) {
            Ok(rs) => ((*rs).clone(), false),
            Err(error) if error.is_already_exists() => (self.take_existing(&name, &error)?, true),
            Err(error) if is_namespace_terminating(&error) => return Err(error.into()),
            Err(error) => return Err(self.tell_create_failure(&name, error)),
        };
        self.remember(&rs);
        if !existed && wanted > 0 {
            let text = format!("Scaled up replica set {name} from 0 to {wanted}");
            self.event(EventType::Normal, "ScalingReplicaSet", &text);
        }
        let mut write = self.set_revision(&revision.to_string());
        if !existed && util::progress_deadline(&self.deployment).is_some() {
            let text = format!("Created new replica set {name:?}");
            let now = self.context.now;
            let reason = "NewReplicaSetCreated";
            self.set_condition(util::new_condition(PROGRESSING, "True", reason, text, now));
            write = true;
        }
        if write {
            self.write_status()?;
        }
        Ok(rs)
    }

    /// The ReplicaSet of the present template, not yet stored.
    fn new_set(&self, replicas: i32, revision: i64) -> Result<ReplicaSet, Error> {
        let spec = self.spec();
        let mut template = spec.template;
        let status = self.deployment.status.as_ref();
        let collisions = status.and_then(|status| status.collision_count);
        let hash = names::pod_template_hash(&template, collisions)
            .map_err(|error| Error::Other(error.to_string()))?;
        let labels = template.metadata.get_or_insert_default().labels.get_or_insert_default();
        labels.insert(TEMPLATE_HASH.to_owned(), hash.clone());
        let labels = labels.clone();
        let mut selector = spec.selector;
        let matched = selector.match_labels.get_or_insert_default();
        matched.insert(TEMPLATE_HASH.to_owned(), hash.clone());
        let mut rs = ReplicaSet {
            metadata: ObjectMeta {
                name: Some(format!("{}-{hash}", self.name())),
                namespace: self.deployment.metadata.namespace.clone(),
                labels: Some(labels),
                owner_references: Some(vec![new_controller_ref(self.object)]),
                ..ObjectMeta::default()
            },
            spec: Some(ReplicaSetSpec {
                replicas: Some(replicas),
                min_ready_seconds: spec.min_ready_seconds,
                selector,
                template: Some(template),
            }),
            status: None,
        };
        util::set_new_rs_annotations(&self.deployment, &mut rs, revision);
        util::set_replicas_annotations(&mut rs, &self.deployment);
        Ok(rs)
    }

    /// The name is taken: by the very ReplicaSet that is wanted, which the cache does not show
    /// yet, or by another template with the same hash.
    fn take_existing(&mut self, name: &str, error: &ApiError) -> Result<ReplicaSet, Error> {
        let namespace = self.object.namespace();
        let existing = self.context.client.get::<ReplicaSet>(namespace, name)?;
        let ours = controller_of(&existing.metadata).is_some_and(|o| o.uid == self.object.uid());
        let template = existing.spec.as_ref().and_then(|spec| spec.template.as_ref());
        if ours && util::same_template(template, Some(&self.spec().template)) {
            return Ok((*existing).clone());
        }
        let status = self.deployment.status.get_or_insert_default();
        status.collision_count = Some(status.collision_count.unwrap_or(0) + 1);
        self.write_status()?;
        Err(error.clone().into())
    }

    fn tell_create_failure(&mut self, name: &str, error: ApiError) -> Error {
        let text = format!("Failed to create new replica set {name:?}: {error}");
        let reason = "ReplicaSetCreateError";
        if util::progress_deadline(&self.deployment).is_some() {
            let now = self.context.now;
            let condition = util::new_condition(PROGRESSING, "False", reason, text.as_str(), now);
            self.set_condition(condition);
            // The failure to create is what is told.
            let _ = self.write_status();
        }
        self.event(EventType::Warning, reason, &text);
        error.into()
    }

    fn scale_proportionally(&mut self, sets: &mut Sets) -> Result<(), Error> {
        let wanted = util::replicas(&self.deployment);
        if let Some(only) = active_or_latest(sets) {
            self.scale(only, wanted)?;
            return Ok(());
        }
        if self.is_saturated(sets.new.as_ref()) {
            for rs in sets.old.iter_mut().filter(|rs| util::rs_replicas(rs) > 0) {
                self.scale(rs, 0)?;
            }
            return Ok(());
        }
        if !util::is_rolling_update(&self.deployment) {
            return Ok(());
        }
        let total = util::sum(sets.active(), util::rs_replicas);
        let most = if wanted > 0 { wanted + util::max_surge(&self.deployment) } else { 0 };
        let to_add = most - total;
        let mut active: Vec<&mut ReplicaSet> = sets
            .old
            .iter_mut()
            .chain(&mut sets.new)
            .filter(|rs| util::rs_replicas(rs) > 0)
            .collect();
        // The largest first; of equal ones the newer grows first and the older shrinks first.
        active.sort_by(|a, b| {
            let age = util::by_creation(a, b);
            let age = if to_add > 0 { age.reverse() } else { age };
            Reverse(util::rs_replicas(a)).cmp(&Reverse(util::rs_replicas(b))).then(age)
        });
        let mut added = 0;
        let mut sizes: Vec<i32> = Vec::with_capacity(active.len());
        for rs in &active {
            let share = util::proportion(rs, &self.deployment, to_add, added);
            added += share;
            sizes.push(util::rs_replicas(rs) + share);
        }
        if let Some(first) = sizes.first_mut() {
            *first = (*first + to_add - added).max(0);
        }
        for (rs, size) in active.into_iter().zip(sizes) {
            self.scale_set(rs, size)?;
        }
        Ok(())
    }

    fn is_saturated(&self, new: Option<&ReplicaSet>) -> bool {
        let wanted = util::replicas(&self.deployment);
        new.is_some_and(|rs| {
            util::rs_replicas(rs) == wanted
                && util::desired_replicas(rs) == Some(wanted)
                && util::rs_available(rs) == wanted
        })
    }

    /// Scales a ReplicaSet, unless it has this size; returns whether it had not.
    pub fn scale(&mut self, rs: &mut ReplicaSet, size: i32) -> Result<bool, Error> {
        if util::rs_replicas(rs) == size {
            return Ok(false);
        }
        self.scale_set(rs, size)?;
        Ok(true)
    }

    fn scale_set(&mut self, rs: &mut ReplicaSet, size: i32) -> Result<(), Error> {
        let (before, mut changed) = (util::rs_replicas(rs), rs.clone());
        let news = util::set_replicas_annotations(&mut changed, &self.deployment);
        if before == size && !news {
            return Ok(());
        }
        changed.spec.get_or_insert_default().replicas = Some(size);
        *rs = self.update_set(changed)?;
        if before != size {
            let name = rs.metadata.name.clone().unwrap_or_default();
            let way = if before < size { "up" } else { "down" };
            let text = format!("Scaled {way} replica set {name} from {before} to {size}");
            self.event(EventType::Normal, "ScalingReplicaSet", &text);
        }
        Ok(())
    }

    fn update_set(&mut self, rs: ReplicaSet) -> Result<ReplicaSet, Error> {
        let rs = (*self.context.client.update(rs)?).clone();
        self.remember(&rs);
        Ok(rs)
    }

    /// Takes over a ReplicaSet as it was written.
    fn remember(&mut self, rs: &ReplicaSet) {
        self.sets.retain(|known| known.metadata.uid != rs.metadata.uid);
        self.sets.push(rs.clone());
    }

    /// Deletes old ReplicaSets beyond the history limit.
    pub fn clean_up(&mut self, old: &[ReplicaSet]) -> Result<(), Error> {
        let Some(limit) = self.spec().revision_history_limit.filter(|limit| *limit != i32::MAX)
        else {
            return Ok(());
        };
        let mut old: Vec<&ReplicaSet> =
            old.iter().filter(|rs| rs.metadata.deletion_timestamp.is_none()).collect();
        let surplus = old.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        old.sort_by_key(|rs| util::revision(rs));
        for rs in old.into_iter().take(surplus) {
            let observed = rs.status.as_ref().and_then(|status| status.observed_generation);
            let busy = util::rs_actual(rs) != 0 || util::rs_replicas(rs) != 0;
            if busy || rs.metadata.generation > observed {
                continue;
            }
            let namespace = rs.metadata.namespace.as_deref().unwrap_or_default();
            let name = rs.metadata.name.as_deref().unwrap_or_default();
            let options = DeleteOptions::default();
            match self.context.client.delete::<ReplicaSet>(namespace, name, options) {
                Err(error) if !error.is_not_found() => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// The status that follows from the ReplicaSets, without progress.
    pub fn calculate_status(&self, sets: &Sets) -> DeploymentStatus {
        let available = util::sum(sets.all(), util::rs_available);
        let asked = util::sum(sets.all(), util::rs_replicas);
        let old = self.deployment.status.clone().unwrap_or_default();
        let mut status = DeploymentStatus {
            observed_generation: self.deployment.metadata.generation,
            replicas: nonzero(util::sum(sets.all(), util::rs_actual)),
            updated_replicas: nonzero(util::sum(sets.new.iter(), util::rs_actual)),
            ready_replicas: nonzero(util::sum(sets.all(), util::rs_ready)),
            available_replicas: nonzero(available),
            unavailable_replicas: nonzero((asked - available).max(0)),
            collision_count: old.collision_count,
            conditions: old.conditions,
            ..DeploymentStatus::default()
        };
        let least = util::replicas(&self.deployment) - util::max_unavailable(&self.deployment);
        let (state, reason, text) = if available >= least {
            ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        } else {
            (
                "False",
                "MinimumReplicasUnavailable",
                "Deployment does not have minimum availability.",
            )
        };
        let now = self.context.now;
        let condition = util::new_condition(util::AVAILABLE, state, reason, text, now);
        util::set_condition(&mut status, condition);
        status
    }

    fn set_revision(&mut self, revision: &str) -> bool {
        let annotations = self.deployment.metadata.annotations.get_or_insert_default();
        let before = annotations.insert(REVISION.to_owned(), revision.to_owned());
        before.as_deref() != Some(revision)
    }

    fn set_condition(&mut self, condition: DeploymentCondition) {
        util::set_condition(self.deployment.status.get_or_insert_default(), condition);
    }

    /// Writes the Deployment's status, and its annotations, which go with it.
    pub fn write_status(&mut self) -> Result<(), Error> {
        let written = self.context.client.update_status(self.deployment.clone())?;
        self.deployment = (*written).clone();
        Ok(())
    }
}

/// The only ReplicaSet that asks for pods, or the newest one when none does.
fn active_or_latest(sets: &mut Sets) -> Option<&mut ReplicaSet> {
    match sets.active().count() {
        0 if sets.new.is_some() => sets.new.as_mut(),
        0 => sets.old.iter_mut().max_by(|a, b| util::by_creation(a, b)),
        1 => {
            let mut all = sets.old.iter_mut().chain(&mut sets.new);
            all.find(|rs| util::rs_replicas(rs) > 0)
        }
        _ => None,
    }
}
