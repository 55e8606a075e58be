//! Notices nodes that went silent, and taints nodes by their conditions.
//!
//! Upstream: `pkg/controller/nodelifecycle/node_lifecycle_controller.go`.

use crate::util::key_of;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, NodeCondition, Pod, Taint};
use naru_api::scheduling::taints;
use naru_api::service::Attention;
use naru_api::time::{from_meta, meta_time};
use naru_api::{Key, Kube, Object, WatchEvent, WatchEventType, pods};
use naru_client::{Action, Cache, Context, Controller, Error, EventType, Reconcile, Watch};
use naru_sim::Time;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often upstream looks. Upstream: `--node-monitor-period`.
const PERIOD: Duration = Duration::from_secs(5);
/// When it looks for the first time: its caches have to be there, for which is looked every 100 ms.
/// Upstream: `WaitForNamedCacheSync` before `monitorNodeHealth`.
const BEGUN: Duration = Duration::from_millis(100);
/// How long a node may be silent. Upstream: `--node-monitor-grace-period`.
const GRACE: Duration = Duration::from_secs(50);
/// How long a new node may be silent. Upstream: `--node-startup-grace-period`.
const STARTUP_GRACE: Duration = Duration::from_secs(60);
/// From one node to the next whose pods are to go. Upstream: `--node-eviction-rate` 0.1.
const EVICTION_PAUSE: Duration = Duration::from_secs(10);
/// The same in a large zone of which a good part is lost: `--secondary-node-eviction-rate` 0.01.
const SLOW_EVICTION_PAUSE: Duration = Duration::from_secs(100);
/// Zones with more nodes are large. Upstream: `--large-cluster-size-threshold`.
const LARGE_ZONE: usize = 50;
/// The share of nodes of a zone, in percent, that makes a partial disruption.
/// Upstream: `--unhealthy-zone-threshold`.
const UNHEALTHY_PERCENT: usize = 55;

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
const LEASES: &str = "kube-node-lease";

/// The node lifecycle controller.
#[derive(Clone, Debug, Default)]
pub struct NodeLifecycleController {
    /// Nodes by their names, until their going has been told.
    known: BTreeMap<String, Known>,
    /// Zones by what the last look found, and when the next node of each may get a taint that
    /// makes its pods go.
    zones: BTreeMap<String, Zone>,
    /// No zone has a node that is ready.
    all_down: bool,
}

/// What is kept of a node.
#[derive(Clone, Debug)]
struct Known {
    /// When the node was first seen: from then on it may be silent for its grace.
    seen: Time,
    /// Tells events whom they are about, also once the node is gone.
    uid: String,
    /// Whether it has been told that the node is there.
    registered: bool,
    /// The look that will find that it has come or gone.
    look: Option<Time>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Zone {
    state: ZoneState,
    nodes: usize,
    next_eviction: Time,
}

/// How many nodes of a zone are not ready. Upstream: `ComputeZoneState`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ZoneState {
    #[default]
    Normal,
    /// More than two, and at least [`UNHEALTHY_PERCENT`].
    PartialDisruption,
    /// All.
    FullDisruption,
}

impl ZoneState {
    fn of(ready: usize, nodes: usize) -> ZoneState {
        let lost = nodes - ready;
        match lost {
            0 => ZoneState::Normal,
            _ if ready == 0 => ZoneState::FullDisruption,
            3.. if lost * 100 >= UNHEALTHY_PERCENT * nodes => ZoneState::PartialDisruption,
            _ => ZoneState::Normal,
        }
    }
}

impl Zone {
    /// From one node to the next whose pods are to go; `None`: no pods are to go.
    /// Upstream: `setLimiterInZone`.
    fn pause(self) -> Option<Duration> {
        match self.state {
            ZoneState::Normal | ZoneState::FullDisruption => Some(EVICTION_PAUSE),
            ZoneState::PartialDisruption if self.nodes > LARGE_ZONE => Some(SLOW_EVICTION_PAUSE),
            ZoneState::PartialDisruption => None,
        }
    }
}

impl Controller for NodeLifecycleController {
    fn name(&self) -> &str {
        "node-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        // How new a lease is matters when there is another reason to look.
        let leases = Watch::all::<Lease>().heeding(Attention::Nothing);
        vec![Watch::all::<Node>(), leases, Watch::all::<Pod>()]
    }

    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        let Some(node) = event.object.get::<Node>() else { return Vec::new() };
        let old = old.and_then(Object::get::<Node>);
        let gone = event.kind == WatchEventType::Deleted;
        let turned = old.map(ready_status) != Some(ready_status(node));
        if gone || turned {
            // Whether all nodes are down decides over each.
            let there = cache.list::<Node>("").map(key_of);
            return there.chain(gone.then(|| event.object.key())).collect();
        }
        if old.is_none_or(|old| state(old) != state(node)) {
            return vec![event.object.key()];
        }
        Vec::new()
    }
}

/// What of a node matters here: not its heartbeats.
fn state(node: &Node) -> (Vec<(&str, &str)>, &[Taint], bool) {
    let conditions = conditions(node).map(|c| (c.type_.as_str(), c.status.as_str())).collect();
    (conditions, taints(node), is_unschedulable(node))
}

fn conditions(node: &Node) -> impl Iterator<Item = &NodeCondition> {
    let status = node.status.as_ref();
    status.into_iter().flat_map(|status| status.conditions.iter().flatten())
}

fn status_of<'a>(node: &'a Node, type_: &str) -> Option<&'a str> {
    conditions(node).find(|condition| condition.type_ == type_).map(|c| c.status.as_str())
}

fn ready_status(node: &Node) -> Option<&str> {
    status_of(node, "Ready")
}

fn is_unschedulable(node: &Node) -> bool {
    node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false)
}

impl Reconcile for NodeLifecycleController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let cache = context.cache;
        let node = cache.get::<Node>(key);
        let told = self.tell(context, &key.name, node);
        let Some(node) = node else { return Ok(action(context.now, told)) };
        let mut node = Cow::Borrowed(node);
        let seen = self.known.get(&key.name).map_or(context.now, |known| known.seen);
        let lease = cache.get::<Lease>(&Key::new(LEASES, &key.name));
        let deadline = silent_from(&node, lease, seen);
        if context.now >= deadline {
            self.mark_unknown(context, node.to_mut())?;
        }
        self.look_at_zones(cache, &node, context.now);
        let wait = self.taint(context, &node)?;
        let silent = (deadline > context.now).then_some(deadline);
        Ok(action(context.now, [told, wait, silent].into_iter().flatten().min()))
    }
}

fn action(now: Time, next: Option<Time>) -> Action {
    next.map_or(Action::await_change(), |at| Action::requeue_after(at.since(now)))
}

/// The first look after this moment.
fn next_look(after: Time) -> Time {
    let (period, begun) = (PERIOD.as_micros() as u64, BEGUN.as_micros() as u64);
    let looks = after.as_micros().saturating_sub(begun) / period + 1;
    Time::from_micros(looks.saturating_mul(period).saturating_add(begun))
}

/// The region and the zone of a node; "" is one too. Upstream: `GetZoneKey`.
fn zone_of(node: &Node) -> String {
    let label = |key: &str| {
        let labels = node.metadata.labels.as_ref();
        labels.and_then(|labels| labels.get(key)).map_or("", String::as_str)
    };
    let region = label("topology.kubernetes.io/region");
    match (region, label("topology.kubernetes.io/zone")) {
        ("", "") => String::new(),
        (region, zone) => format!("{region}:\0:{zone}"),
    }
}

/// From when on the node counts as silent: the first look after its grace.
fn silent_from(node: &Node, lease: Option<&Lease>, seen: Time) -> Time {
    let ready = conditions(node).find(|condition| condition.type_ == "Ready");
    let renewed = lease.and_then(|lease| lease.spec.as_ref()?.renew_time.as_ref()).map(|time| {
        let micros = time.0.as_microsecond() - Time::EPOCH_UNIX_SECONDS * 1_000_000;
        Time::from_micros(u64::try_from(micros).unwrap_or(0))
    });
    let (heard, grace) = match ready {
        Some(ready) => (ready.last_heartbeat_time.as_ref().map(from_meta).max(Some(seen)), GRACE),
        None => (node.metadata.creation_timestamp.as_ref().map(from_meta), STARTUP_GRACE),
    };
    next_look(heard.max(renewed).unwrap_or(Time::ZERO) + grace)
}

/// Whom events of nodes are about: their references have no version.
/// Upstream: `RecordNodeEvent` in `pkg/controller/util/node/controller_utils.go`.
fn reference(name: &str, uid: &str) -> Object {
    let mut node = Node::default();
    node.metadata.name = Some(name.to_owned());
    node.metadata.uid = Some(uid.to_owned());
    Object::from(node)
}

impl NodeLifecycleController {
    /// Tells that a node has come or gone, at the look that finds it so; returns when that is.
    /// Upstream: `monitorNodeHealth`.
    fn tell(&mut self, context: &mut Context<'_>, name: &str, node: Option<&Node>) -> Option<Time> {
        let now = context.now;
        if let Some(node) = node {
            let uid = node.metadata.uid.clone().unwrap_or_default();
            let new = Known { seen: now, uid, registered: false, look: None };
            self.known.entry(name.to_owned()).or_insert(new);
        }
        let known = self.known.get_mut(name)?;
        if known.registered != node.is_some() {
            let look = *known.look.get_or_insert(next_look(now));
            if look > now {
                return Some(look);
            }
            known.registered = node.is_some();
            let (reason, what) = match known.registered {
                true => ("RegisteredNode", format!("Registered Node {name} in Controller")),
                false => ("RemovingNode", format!("Removing Node {name} from Controller")),
            };
            let text = format!("Node {name} event: {what}");
            context.event(&reference(name, &known.uid), EventType::Normal, reason, &text);
        }
        known.look = None;
        if node.is_none() {
            self.known.remove(name);
        }
        None
    }

    fn mark_unknown(&self, context: &mut Context<'_>, node: &mut Node) -> Result<(), Error> {
        let was_ready = ready_status(node) == Some("True");
        if !set_unknown(node, context.now) {
            return Ok(());
        }
        *node = (*context.client.update_status(node.clone())?).clone();
        if was_ready {
            let name = node.metadata.name.clone().unwrap_or_default();
            let about = reference(&name, node.metadata.uid.as_deref().unwrap_or_default());
            let text = format!("Node {name} status is now: NodeNotReady");
            context.event(&about, EventType::Normal, "NodeNotReady", &text);
            mark_pods_not_ready(context, &name)?;
        }
        Ok(())
    }

    /// Finds out how the zones are. When no zone has a ready node it is rather this controller that
    /// is cut off, and nobody's pods have to go; when that is over, every node begins anew.
    ///
    /// Upstream: `handleDisruption`.
    fn look_at_zones(&mut self, cache: &Cache, node: &Node, now: Time) {
        let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for other in cache.list::<Node>("") {
            let other = if key_of(other) == key_of(node) { node } else { other };
            let (ready, nodes) = counts.entry(zone_of(other)).or_default();
            *ready += usize::from(ready_status(other) == Some("True"));
            *nodes += 1;
        }
        self.zones.retain(|zone, _| counts.contains_key(zone));
        for (zone, (ready, nodes)) in counts {
            let zone = self.zones.entry(zone).or_default();
            (zone.state, zone.nodes) = (ZoneState::of(ready, nodes), nodes);
        }
        let down = |zone: &Zone| zone.state == ZoneState::FullDisruption;
        let all_down = self.zones.values().all(down);
        if std::mem::replace(&mut self.all_down, all_down) && !all_down {
            self.known.values_mut().for_each(|known| known.seen = now);
        }
    }

    /// Brings the taints into line; returns when to go on if a taint has to wait.
    fn taint(&mut self, context: &mut Context<'_>, node: &Node) -> Result<Option<Time>, Error> {
        let now = context.now;
        let before = taints(node).to_vec();
        let mut after = before.clone();
        bring_into_line(&mut after, "NoSchedule", &no_schedule(node), now);
        let no_execute = if self.all_down { None } else { no_execute(node) };
        let there = |key: &str| has(&before, key, "NoExecute");
        // From one of the two to the other nobody has to wait.
        let is_new = no_execute.is_some() && !there(NOT_READY) && !there(UNREACHABLE);
        let name = zone_of(node);
        let zone = self.zones.get(&name).copied().unwrap_or_default();
        let wait = match zone.pause() {
            _ if !is_new => None,
            None => Some(Time::MAX),
            Some(_) => Some(zone.next_eviction).filter(|at| *at > now),
        };
        if wait.is_none() {
            let wanted: Vec<&str> = no_execute.into_iter().collect();
            bring_into_line(&mut after, "NoExecute", &wanted, now);
        }
        if after != before {
            let mut node = node.clone();
            node.spec.get_or_insert_default().taints = (!after.is_empty()).then_some(after);
            context.client.update(node)?;
            if let (true, None, Some(zone)) = (is_new, wait, self.zones.get_mut(&name)) {
                zone.next_eviction = now + zone.pause().unwrap_or_default();
            }
        }
        Ok(wait.filter(|at| *at < Time::MAX))
    }
}

/// Sets the conditions that a kubelet posts to `Unknown`; returns whether any was known.
fn set_unknown(node: &mut Node, now: Time) -> bool {
    let created = node.metadata.creation_timestamp.clone();
    let list = node.status.get_or_insert_default().conditions.get_or_insert_default();
    let mut changed = false;
    for type_ in ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] {
        match list.iter_mut().find(|condition| condition.type_ == type_) {
            Some(condition) if condition.status == "Unknown" => {}
            Some(condition) => {
                condition.status = "Unknown".to_owned();
                condition.reason = Some("NodeStatusUnknown".to_owned());
                condition.message = Some("Kubelet stopped posting node status.".to_owned());
                condition.last_transition_time = Some(meta_time(now));
                changed = true;
            }
            None => {
                list.push(NodeCondition {
                    type_: type_.to_owned(),
                    status: "Unknown".to_owned(),
                    reason: Some("NodeStatusNeverUpdated".to_owned()),
                    message: Some("Kubelet never posted node status.".to_owned()),
                    last_heartbeat_time: created.clone(),
                    last_transition_time: Some(meta_time(now)),
                });
                changed = true;
            }
        }
    }
    changed
}

/// Services must not lead to pods of which nobody hears.
fn mark_pods_not_ready(context: &mut Context<'_>, node: &str) -> Result<(), Error> {
    let cache = context.cache;
    let now = context.now;
    for object in cache.objects(&Pod::kind(), "") {
        let Some(pod) = object.get::<Pod>().filter(|pod| pods::node_name(pod) == node) else {
            continue;
        };
        if !pods::is_ready(pod) {
            continue;
        }
        let mut changed = pod.clone();
        let conditions = changed.status.get_or_insert_default().conditions.get_or_insert_default();
        for ready in conditions.iter_mut().filter(|condition| condition.type_ == "Ready") {
            ready.status = "False".to_owned();
            ready.last_transition_time = Some(meta_time(now));
        }
        match context.client.update_status(changed) {
            Err(error) if error.is_not_found() => continue,
            other => other.map(drop)?,
        }
        context.event(object, EventType::Warning, "NodeNotReady", "Node is not ready");
    }
    Ok(())
}

/// The taints that keep new pods away.
fn no_schedule(node: &Node) -> Vec<&'static str> {
    let mut keys = Vec::new();
    match ready_status(node) {
        Some("False") => keys.push(NOT_READY),
        Some("Unknown") => keys.push(UNREACHABLE),
        _ => {}
    }
    for (type_, key) in [
        ("MemoryPressure", "node.kubernetes.io/memory-pressure"),
        ("DiskPressure", "node.kubernetes.io/disk-pressure"),
        ("NetworkUnavailable", "node.kubernetes.io/network-unavailable"),
        ("PIDPressure", "node.kubernetes.io/pid-pressure"),
    ] {
        if status_of(node, type_) == Some("True") {
            keys.push(key);
        }
    }
    if is_unschedulable(node) {
        keys.push(UNSCHEDULABLE);
    }
    keys
}

/// The taint that makes pods go.
fn no_execute(node: &Node) -> Option<&'static str> {
    match ready_status(node) {
        Some("False") => Some(NOT_READY),
        Some("Unknown") => Some(UNREACHABLE),
        _ => None,
    }
}

fn has(taints: &[Taint], key: &str, effect: &str) -> bool {
    taints.iter().any(|taint| taint.key == key && taint.effect == effect)
}

/// Takes away and adds taints of this controller until these are there and no other.
fn bring_into_line(taints: &mut Vec<Taint>, effect: &str, wanted: &[&str], now: Time) {
    const OURS: [&str; 7] = [
        NOT_READY,
        UNREACHABLE,
        UNSCHEDULABLE,
        "node.kubernetes.io/memory-pressure",
        "node.kubernetes.io/disk-pressure",
        "node.kubernetes.io/network-unavailable",
        "node.kubernetes.io/pid-pressure",
    ];
    taints.retain(|taint| {
        let key = taint.key.as_str();
        taint.effect != effect || !OURS.contains(&key) || wanted.contains(&key)
    });
    for key in wanted {
        if !has(taints, key, effect) {
            taints.push(Taint {
                key: (*key).to_owned(),
                effect: effect.to_owned(),
                time_added: Some(meta_time(now)),
                value: None,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_lost_nodes_are_no_disruption() {
        let cases = [
            (3, 3, ZoneState::Normal),
            (1, 3, ZoneState::Normal),
            (0, 1, ZoneState::FullDisruption),
            (0, 3, ZoneState::FullDisruption),
            (1, 4, ZoneState::PartialDisruption),
            (3, 6, ZoneState::Normal),
            (9, 20, ZoneState::PartialDisruption),
            (10, 20, ZoneState::Normal),
        ];
        for (ready, nodes, expected) in cases {
            assert_eq!(ZoneState::of(ready, nodes), expected, "{ready} of {nodes}");
        }
    }

    #[test]
    fn pods_go_slower_or_not_at_all_when_a_good_part_is_lost() {
        let zone = |state, nodes| Zone { state, nodes, next_eviction: Time::ZERO }.pause();
        let secs = |secs| Some(Duration::from_secs(secs));
        assert_eq!(zone(ZoneState::Normal, 3), secs(10));
        assert_eq!(zone(ZoneState::FullDisruption, 3), secs(10));
        assert_eq!(zone(ZoneState::PartialDisruption, 50), None);
        assert_eq!(zone(ZoneState::PartialDisruption, 51), secs(100));
    }

    #[test]
    fn only_its_own_taints_are_changed() {
        let taint = |key: &str, effect: &str| Taint {
            key: key.to_owned(),
            effect: effect.to_owned(),
            ..Taint::default()
        };
        let mut taints = vec![taint("gpu", "NoSchedule"), taint(NOT_READY, "NoSchedule")];
        bring_into_line(&mut taints, "NoSchedule", &[UNREACHABLE], Time::ZERO);
        let keys: Vec<&str> = taints.iter().map(|taint| taint.key.as_str()).collect();
        assert_eq!(keys, ["gpu", UNREACHABLE]);
    }

    #[test]
    fn silence_is_noticed_at_the_first_look_after_the_grace() {
        let look = |seconds| Time::from_secs(seconds) + BEGUN;
        let mut node = Node::default();
        node.metadata.creation_timestamp = Some(meta_time(Time::from_secs(2)));
        assert_eq!(silent_from(&node, None, Time::ZERO), look(65));
        node.status.get_or_insert_default().conditions = Some(vec![NodeCondition {
            type_: "Ready".to_owned(),
            last_heartbeat_time: Some(meta_time(Time::from_secs(10))),
            ..NodeCondition::default()
        }]);
        assert_eq!(silent_from(&node, None, Time::ZERO), look(60));
        assert_eq!(silent_from(&node, None, Time::from_secs(40)), look(90));
    }
}
