//! Makes pods where they are missing and deletes those that are too many.
//!
//! Upstream: `manage`, `podsShouldBeOnNode` and `syncNodes` in
//! `pkg/controller/daemon/daemon_controller.go`.

use super::{DaemonSetsController, State, pod};
use crate::pod_control::{create_pod, delete_pod, is_namespace_terminating, slow_start_batch};
use crate::util::key_of;
use k8s_openapi::api::core::v1::{Node, Pod};
use naru_api::{Key, pods};
use naru_client::{Context, Error, EventType};
use naru_sim::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// Creates and deletes at most so many pods in one reconcile. Upstream: `BurstReplicas`.
const BURST_REPLICAS: usize = 250;

/// How soon a pod that failed is replaced: later each time, so that a node which refuses it is
/// not asked all the time. By DaemonSet, its generation, and node.
///
/// Upstream: `failedPodsBackoff`.
#[derive(Clone, Debug, Default)]
pub struct FailedPods {
    entries: BTreeMap<(String, i64, String), (Time, Duration)>,
}

impl FailedPods {
    const INITIAL: Duration = Duration::from_secs(1);
    const MAX: Duration = Duration::from_secs(15 * 60);

    /// How long the node must still wait; `None`, and the next wait is longer, when it need not.
    fn wait(&mut self, ds: &State<'_>, node: &str, now: Time) -> Option<Duration> {
        // Forgotten after twice the longest delay.
        self.entries.retain(|_, (since, _)| now.since(*since) <= Self::MAX * 2);
        let status = ds.ds.status.as_ref();
        let generation = status.and_then(|status| status.observed_generation).unwrap_or(0);
        let key = (ds.object.uid().to_owned(), generation, node.to_owned());
        let delay = match self.entries.get(&key) {
            Some((since, delay)) if now.since(*since) < *delay => return Some(*delay),
            Some((_, delay)) => (*delay * 2).min(Self::MAX),
            None => Self::INITIAL,
        };
        self.entries.insert(key, (now, delay));
        None
    }
}

/// Nodes that need a pod, pods that have to go, and when to look again.
#[derive(Default)]
pub struct Plan<'a> {
    pub create: Vec<String>,
    pub delete: Vec<&'a Pod>,
    pub wait: Option<Duration>,
}

impl DaemonSetsController {
    /// Brings the pods into order, then rolls the present template out. Returns when to look
    /// again at pods that failed.
    pub(super) fn update(
        &mut self,
        context: &mut Context<'_>,
        key: &Key,
        state: &State<'_>,
    ) -> Result<Option<Duration>, Error> {
        let plan = self.plan(context, state);
        let wait = plan.wait;
        self.carry_out(context, key, state, plan)?;
        if self.expectations.satisfied(key, context.now) {
            let strategy = state.spec.update_strategy.as_ref();
            if strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("RollingUpdate") {
                let plan = state.rolling_update(context.cache, context.now);
                self.carry_out(context, key, state, plan)?;
            }
        }
        Ok(wait)
    }

    fn plan<'a>(&mut self, context: &mut Context<'_>, state: &State<'a>) -> Plan<'a> {
        let cache = context.cache;
        let mut plan = Plan::default();
        for node in cache.list::<Node>("") {
            self.plan_node(context, state, node, &mut plan);
        }
        // Pods of nodes that are gone are the pod garbage collector's; those never bound are ours.
        for (name, pods) in &state.by_node {
            if cache.get::<Node>(&Key::new("", name)).is_none() {
                let unbound = pods.iter().filter(|pod| pods::node_name(pod).is_empty());
                plan.delete.extend(unbound);
            }
        }
        plan
    }

    fn plan_node<'a>(
        &mut self,
        context: &mut Context<'_>,
        state: &State<'a>,
        node: &Node,
        plan: &mut Plan<'a>,
    ) {
        let name = node.metadata.name.as_deref().unwrap_or_default();
        let (should_run, may_stay) = state.should_run(node);
        let there = state.pods_on(name);
        if should_run && there.is_empty() {
            plan.create.push(name.to_owned());
            return;
        }
        let staying = there.iter().copied().filter(|pod| !pods::is_terminating(pod));
        if !may_stay {
            plan.delete.extend(staying);
            return;
        }
        let mut running = Vec::new();
        for pod in staying {
            match pods::phase(pod) {
                "Failed" => match self.failed.wait(state, name, context.now) {
                    Some(delay) => {
                        plan.wait = Some(plan.wait.map_or(delay, |wait| wait.min(delay)));
                        continue;
                    }
                    None => tell_ended(context, state, pod, name),
                },
                "Succeeded" => tell_ended(context, state, pod, name),
                _ => {
                    running.push(pod);
                    continue;
                }
            }
            plan.delete.push(pod);
        }
        if state.allows_surge() {
            if running.is_empty() && should_run {
                plan.create.push(name.to_owned());
            }
            plan.delete.extend(state.surplus(&running, context.now));
        } else {
            // Only the oldest stays.
            plan.delete.extend(running.into_iter().skip(1));
        }
    }

    fn carry_out(
        &mut self,
        context: &mut Context<'_>,
        key: &Key,
        state: &State<'_>,
        plan: Plan<'_>,
    ) -> Result<(), Error> {
        let Plan { mut create, mut delete, .. } = plan;
        create.truncate(BURST_REPLICAS);
        delete.truncate(BURST_REPLICAS);
        if create.is_empty() && delete.is_empty() {
            return Ok(());
        }
        let uids = delete.iter().filter_map(|pod| pod.metadata.uid.clone()).collect();
        self.expectations.expect(key, create.len(), uids, context.now);
        let mut nodes = create.iter();
        let mut template = state.template();
        let (created, failure) = slow_start_batch(create.len(), || {
            let Some(node) = nodes.next() else { return Ok(()) };
            pod::set_node(&mut template, node);
            match create_pod(context, state.object, &template) {
                Err(error) if is_namespace_terminating(&error) => Ok(()),
                other => other,
            }
        });
        for _ in created..create.len() {
            self.expectations.created(key);
        }
        let mut failure = failure.map(Error::from);
        for pod in delete {
            let Err(error) = delete_pod(context, state.object, pod) else { continue };
            self.expectations.deleted(key, pod.metadata.uid.as_deref().unwrap_or_default());
            if !matches!(&error, Error::Api(error) if error.is_not_found()) {
                failure = failure.or(Some(error));
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

fn tell_ended(context: &mut Context<'_>, state: &State<'_>, pod: &Pod, node: &str) {
    let key = key_of(pod);
    let (kind, reason, ended, verb) = match pods::phase(pod) {
        "Failed" => (EventType::Warning, "FailedDaemonPod", "failed", "kill"),
        _ => (EventType::Normal, "SucceededDaemonPod", "succeeded", "delete"),
    };
    let text = format!("Found {ended} daemon pod {key} on node {node}, will try to {verb} it");
    context.event(state.object, kind, reason, &text);
}
