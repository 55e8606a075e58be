//! Pods that have a node and wait there for their volumes.
//!
//! Upstream: PreBind of `pkg/scheduler/framework/plugins/volumebinding` (`BindPodVolumes`). What
//! upstream's goroutine sleeps through is a moment to look again here.

use crate::nodes::PodInfo;
use crate::plugins::volume_binding::{self, Decision};
use crate::queue::QueuedPod;
use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim};
use naru_api::volumes::{BOUND_BY_CONTROLLER, SELECTED_NODE, annotation};
use naru_api::{ApiError, Key, Object};
use naru_client::{Cache, Client, object_reference};
use naru_sim::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often it is looked whether all volumes are bound.
const CHECK: Duration = Duration::from_secs(1);
/// How long that may take. Upstream: `bindTimeoutSeconds` of `VolumeBindingArgs`.
const TIMEOUT: Duration = Duration::from_secs(600);

/// The pods that wait, by name.
#[derive(Clone, Debug, Default)]
pub struct WaitingPods(BTreeMap<Key, WaitingPod>);

/// A pod that waits.
#[derive(Clone, Debug)]
pub struct WaitingPod {
    /// The pod as it was taken from the queue.
    pub queued: QueuedPod,
    /// Its node.
    pub node: String,
    check_at: Time,
    deadline: Time,
}

impl WaitingPods {
    /// Lets a pod wait.
    pub fn add(&mut self, queued: QueuedPod, node: &str, now: Time) {
        let key = queued.info.key.clone();
        let (check_at, deadline) = (now + CHECK, now + TIMEOUT);
        self.0.insert(key, WaitingPod { queued, node: node.to_owned(), check_at, deadline });
    }

    /// Forgets a pod.
    pub fn remove(&mut self, key: &Key) {
        self.0.remove(key);
    }

    /// When to look next.
    pub fn next_due(&self) -> Option<Time> {
        self.0.values().map(|waiting| waiting.check_at).min()
    }

    /// A pod whose wait is over: its volumes are bound, or will not be.
    pub fn take_done(
        &mut self,
        now: Time,
        cache: &Cache,
    ) -> Option<(WaitingPod, Result<(), String>)> {
        let due: Vec<Key> = self
            .0
            .iter()
            .filter(|(_, waiting)| waiting.check_at <= now)
            .map(|(key, _)| key.clone())
            .collect();
        for key in due {
            let Some(waiting) = self.0.get_mut(&key) else { continue };
            let node = cache.get::<Node>(&Key::new("", waiting.node.as_str()));
            let progress = match node {
                Some(node) => volume_binding::progress(&waiting.queued.info.pod, node, cache),
                None => Err(format!("node \"{}\" not found", waiting.node)),
            };
            let result = match progress {
                Ok(true) => Ok(()),
                Ok(false) if now >= waiting.deadline => Err("context deadline exceeded".to_owned()),
                Ok(false) => {
                    waiting.check_at = now + CHECK;
                    continue;
                }
                Err(why) => Err(why),
            };
            return self.0.remove(&key).map(|waiting| (waiting, result));
        }
        None
    }
}

/// Has the volumes of a pod bound for its node. Tells whether there is nothing to wait for.
pub fn bind_volumes(
    info: &PodInfo,
    node: &str,
    cache: &Cache,
    client: &mut Client<'_>,
) -> Result<bool, String> {
    if info.claims.is_empty() {
        return Ok(true);
    }
    let Some(found) = cache.get::<Node>(&Key::new("", node)) else {
        return Err(format!("node \"{node}\" not found"));
    };
    let decision = volume_binding::decide(&info.pod, found, cache)?;
    if decision.is_empty() {
        return Ok(true);
    }
    write(decision, node, client).map_err(|error| error.to_string())?;
    Ok(false)
}

fn write(decision: Decision, node: &str, client: &mut Client<'_>) -> Result<(), ApiError> {
    for (mut volume, claim) in decision.bindings {
        let spec = volume.spec.get_or_insert_default();
        if spec.claim_ref.is_none() {
            let annotations = volume.metadata.annotations.get_or_insert_default();
            annotations.insert(BOUND_BY_CONTROLLER.to_owned(), "yes".to_owned());
        }
        spec.claim_ref = Some(object_reference(&Object::new(claim), None));
        client.update(volume)?;
    }
    for claim in decision.provisions {
        select_node(claim, node, client)?;
    }
    Ok(())
}

fn select_node(
    mut claim: PersistentVolumeClaim,
    node: &str,
    client: &mut Client<'_>,
) -> Result<(), ApiError> {
    if annotation(&claim.metadata, SELECTED_NODE) == Some(node) {
        return Ok(());
    }
    let annotations = claim.metadata.annotations.get_or_insert_default();
    annotations.insert(SELECTED_NODE.to_owned(), node.to_owned());
    client.update(claim)?;
    Ok(())
}
