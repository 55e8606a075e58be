//! Making, mending and deleting a StatefulSet's pods and claims, with the events that tell of it.
//!
//! Upstream: `pkg/controller/statefulset/stateful_pod_control.go`.

use super::claims::{self, Holders};
use super::control::Control;
use super::utils;
use crate::util::key_of;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use naru_api::request::DeleteOptions;
use naru_client::{Error, EventType};

impl Control<'_, '_> {
    /// Makes the pod's claims, then the pod.
    pub fn create_pod(&mut self, pod: &Pod) -> Result<(), Error> {
        if let Err(error) = self.create_claims(pod) {
            self.tell_of_pod("create", pod, Some(&error));
            return Err(error);
        }
        let created = self.context.client.create(pod.clone()).map(drop).map_err(Error::from);
        if matches!(&created, Err(Error::Api(error)) if error.is_already_exists()) {
            return created;
        }
        if let Err(error) = self.update_claim_owners(pod) {
            self.tell_of_pod("update", pod, Some(&error));
            return Err(error);
        }
        self.tell_of_pod("create", pod, created.as_ref().err());
        created
    }

    /// Brings a pod's identity and storage into order, and its claims' owners.
    pub fn update_pod(&mut self, pod: &Pod) -> Result<(), Error> {
        let mut changed = pod.clone();
        let mut consistent = utils::identity_matches(self.object, pod);
        if !consistent {
            utils::set_identity(self.object, &mut changed);
        }
        if !utils::storage_matches(self.object, &self.spec, &changed) {
            utils::set_storage(self.object, &self.spec, &mut changed);
            consistent = false;
            if let Err(error) = self.create_claims(&changed) {
                self.tell_of_pod("update", pod, Some(&error));
                return Err(error);
            }
        }
        if !self.claim_owners_match(&changed) {
            consistent = false;
            if let Err(error) = self.update_claim_owners(&changed) {
                self.tell_of_pod("update", pod, Some(&error));
                return Err(error);
            }
        }
        if consistent {
            return Ok(());
        }
        let updated = self.context.client.update(changed).map(drop).map_err(Error::from);
        self.tell_of_pod("update", pod, updated.as_ref().err());
        updated
    }

    /// Deletes a pod.
    pub fn delete_pod(&mut self, pod: &Pod) -> Result<(), Error> {
        let key = key_of(pod);
        let options = DeleteOptions::default();
        let deleted = self.context.client.delete::<Pod>(&key.namespace, &key.name, options);
        let deleted = deleted.map_err(Error::from);
        self.tell_of_pod("delete", pod, deleted.as_ref().err());
        deleted
    }

    /// Makes the claims of a pod that waits and has lost some.
    pub fn create_missing_claims(&mut self, pod: &Pod) -> Result<(), Error> {
        self.create_claims(pod)?;
        let updated = self.update_claim_owners(pod);
        if let Err(error) = &updated {
            self.tell_of_pod("update", pod, Some(error));
        }
        updated
    }

    /// Whether the claims belong to whom the policy wants. Those that are missing come later.
    pub fn claim_owners_match(&self, pod: &Pod) -> bool {
        let holders = Holders { object: self.object, spec: &self.spec, pod };
        utils::claims_of(self.object, &self.spec, pod).all(|(_, wanted)| {
            let claim = self.context.cache.get::<PersistentVolumeClaim>(&key_of(&wanted));
            claim.is_none_or(|claim| holders.is_up_to_date(claim))
        })
    }

    /// Gives the claims to whom the policy wants.
    pub fn update_claim_owners(&mut self, pod: &Pod) -> Result<(), Error> {
        let spec = self.spec.clone();
        let holders = Holders { object: self.object, spec: &spec, pod };
        for (_, wanted) in utils::claims_of(self.object, &spec, pod) {
            let key = key_of(&wanted);
            let cache = self.context.cache;
            let Some(claim) = cache.get::<PersistentVolumeClaim>(&key) else { continue };
            if holders.has_unexpected_controller(claim) {
                let text = format!(
                    "PersistentVolumeClaim {} has a conflicting OwnerReference that acts as a \
                     manging controller, the retention policy is ignored for this claim",
                    key.name
                );
                let kind = EventType::Warning;
                self.context.event(self.object, kind, "ConflictingController", &text);
            }
            if holders.is_up_to_date(claim) {
                continue;
            }
            let mut changed = claim.clone();
            holders.set_owners(&mut changed);
            self.context.client.update(changed).map_err(|error| {
                let name = &key.name;
                Error::Other(format!(
                    "could not update claim {name} for delete policy ownerRefs: {error}"
                ))
            })?;
        }
        Ok(())
    }

    /// Whether a claim still belongs to a former pod of the same name, and will go with it.
    pub fn has_stale_claim(&self, pod: &Pod) -> bool {
        claims::deletes_when_scaled(&self.spec)
            && utils::claims_of(self.object, &self.spec, pod).any(|(_, wanted)| {
                let claim = self.context.cache.get::<PersistentVolumeClaim>(&key_of(&wanted));
                claim.is_some_and(|claim| claims::is_stale_of_pod(claim, pod))
            })
    }

    fn create_claims(&mut self, pod: &Pod) -> Result<(), Error> {
        let mut failures = Vec::new();
        let wanted: Vec<PersistentVolumeClaim> =
            utils::claims_of(self.object, &self.spec, pod).map(|(_, claim)| claim).collect();
        for claim in wanted {
            let key = key_of(&claim);
            match self.context.cache.get::<PersistentVolumeClaim>(&key) {
                Some(there) if there.metadata.deletion_timestamp.is_some() => {
                    failures.push(format!("pvc {} is being deleted", key.name));
                }
                Some(_) => {}
                None => match self.context.client.create(claim) {
                    Ok(_) => self.tell_of_claim(&key.name, pod, None),
                    Err(error) => {
                        failures.push(format!("failed to create PVC {}: {error}", key.name));
                        if !error.is_already_exists() {
                            self.tell_of_claim(&key.name, pod, Some(&error.into()));
                        }
                    }
                },
            }
        }
        match failures.as_slice() {
            [] => Ok(()),
            [one] => Err(Error::Other(one.clone())),
            many => Err(Error::Other(format!("[{}]", many.join(", ")))),
        }
    }

    /// Tells what was done to a pod: `create`, `update` or `delete`.
    fn tell_of_pod(&mut self, verb: &str, pod: &Pod, failure: Option<&Error>) {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let text = format!("{verb} Pod {name} in StatefulSet {}", self.object.name());
        match failure {
            None => self.tell("Successful", verb, &format!("{text} successful")),
            Some(error) => self.tell("Failed", verb, &format!("{text} failed error: {error}")),
        }
    }

    fn tell_of_claim(&mut self, claim: &str, pod: &Pod, failure: Option<&Error>) {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let tail = format!("Pod {name} in StatefulSet {}", self.object.name());
        match failure {
            None => {
                let text = format!("create Claim {claim} {tail} success");
                self.tell("Successful", "create", &text);
            }
            Some(error) => {
                let text = format!("create Claim {claim} for {tail} failed error: {error}");
                self.tell("Failed", "create", &text);
            }
        }
    }

    fn tell(&mut self, outcome: &str, verb: &str, text: &str) {
        let kind = if outcome == "Failed" { EventType::Warning } else { EventType::Normal };
        let (first, rest) = verb.split_at_checked(1).unwrap_or((verb, ""));
        let reason = format!("{outcome}{}{rest}", first.to_ascii_uppercase());
        self.context.event(self.object, kind, &reason, text);
    }
}
